//! The layer with Digest, which authenticates requests: their targets, their bodies, and what is owed to the client.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use digest::{Digest, DigestConfig, Environment, NoSecrets};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Full};
use sspi_core::{
    Account, AuthData, AuthIdentity, ChannelBindings, CredentialUse, CredentialsHandle, CredentialsRequest,
    DigestAccount, DigestLogon, DigestSecret, EntityBody, Error, HttpRequest, InitializeRequest,
    InitializeSecurityContext, IscReq, Secret, SecurityPackage as _, Step,
};
use sspi_http::{AuthLayer, Authenticated, HttpConnection, RequestBody, Scheme, header};
use sspi_tokio::Answers;
use test_support::FixedClock;
use tower_layer::Layer as _;
use tower_service::Service;

fn package(qop: digest::Qop) -> Digest {
    let environment = Environment {
        clock: Arc::new(FixedClock::default()),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: None,
    };
    let config = DigestConfig { realm: Some("corp".into()), qop: vec![qop], ..DigestConfig::default() };
    Digest::new(config, environment)
}

fn layer(qop: digest::Qop) -> AuthLayer {
    let server = CredentialsRequest::configured(CredentialUse::Inbound);
    let credentials = package(qop).acquire_credentials_handle(&server).unwrap();
    AuthLayer::new([Scheme::digest(credentials)]).with_answers(Arc::new(Alice))
}

fn client(qop: digest::Qop) -> Arc<dyn CredentialsHandle> {
    let password = Secret::new("wonderland".to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: String::new(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    package(qop).acquire_credentials_handle(&request).unwrap()
}

/// One account.
struct Alice;

#[async_trait]
impl Answers for Alice {
    async fn digest_secret(&self, _logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        let account = Account { name: "alice".into(), ..Account::default() };
        let secret = DigestSecret::Password(Secret::new("wonderland".into()));
        Ok(Some(DigestAccount { account: account.into(), user: "alice".into(), secret, report: None }))
    }
}

/// A handler that says who it is for, and what came.
#[derive(Clone, Copy)]
struct Handler;

impl<B> Service<Request<RequestBody<B>>> for Handler
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        Box::pin(async move {
            let who = request.extensions().get::<Authenticated>().unwrap().account().name.clone();
            let body = request.into_body().collect().await.map_err(|_| ()).unwrap().to_bytes();
            Ok(Response::new(Full::from([who.as_bytes(), b" ", &body].concat())))
        })
    }
}

/// A request as it came over the wire.
struct Sent<'a> {
    version: Version,
    method: Method,
    uri: &'a str,
    body: &'static [u8],
    connection: HttpConnection,
    authorization: Option<HeaderValue>,
    /// What a router has taken the target from, if one did.
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "there is no router"))]
    original: Option<&'a str>,
}

async fn ask(layer: &AuthLayer, sent: Sent<'_>) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder()
        .method(sent.method)
        .uri(sent.uri)
        .version(sent.version)
        .body(Full::from(Bytes::from_static(sent.body)))
        .unwrap();
    request.extensions_mut().insert(sent.connection);
    #[cfg(feature = "axum")]
    if let Some(original) = sent.original {
        request.extensions_mut().insert(axum::extract::OriginalUri(original.parse().unwrap()));
    }
    request.headers_mut().extend(sent.authorization.map(|value| (http::header::AUTHORIZATION, value)));
    let response = layer.layer(Handler).call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    (parts.status, parts.headers, body.collect().await.map_err(|_| ()).unwrap().to_bytes())
}

fn sent<'a>(version: Version, uri: &'a str) -> Sent<'a> {
    let (connection, authorization) = (HttpConnection::new(), None);
    Sent { version, method: Method::POST, uri, body: b"a body", connection, authorization, original: None }
}

/// A client that proves this target, and its answer to the layer's challenge.
fn answer(
    qop: digest::Qop,
    headers: &HeaderMap,
    target: &str,
    bindings: Option<ChannelBindings>,
) -> (Box<dyn InitializeSecurityContext>, HttpRequest, HeaderValue) {
    let challenge = header::challenges(headers, header::Place::Server).remove(0);
    let http = HttpRequest::new("POST", target).with_entity(b"a body".to_vec());
    let request = InitializeRequest {
        flags: IscReq::MUTUAL_AUTH,
        target_name: Some("HTTP/www".into()),
        channel_bindings: bindings,
        http: Some(http.clone()),
        ..InitializeRequest::default()
    };
    let mut client = client(qop).initialize(&request).unwrap();
    let Step::Continue { token, .. } = client.initialize_security_context(challenge.rest.as_bytes()).unwrap()
    else {
        panic!()
    };
    (client, http, HeaderValue::from_bytes(&[b"Digest ", &token[..]].concat()).unwrap())
}

#[tokio::test]
async fn a_request_is_let_in_and_its_client_is_proved_that_the_server_knows_the_password() {
    for qop in [digest::Qop::Auth, digest::Qop::AuthInt] {
        let layer = layer(qop);
        let (status, headers, _) = ask(&layer, sent(Version::HTTP_11, "/form?a=b")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(headers.get_all("www-authenticate").iter().all(HeaderValue::is_sensitive), "no log shows it");
        let (mut client, http, authorization) = answer(qop, &headers, "/form?a=b", None);
        let again =
            Sent { authorization: Some(authorization.clone()), ..sent(Version::HTTP_11, "/form?a=b") };
        let (status, headers, body) = ask(&layer, again).await;
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"alice a body"[..]));
        let info = &headers["authentication-info"];
        assert!(info.is_sensitive());
        http.response_entity.set(EntityBody::Bytes(body.to_vec()));
        let step = client.initialize_security_context(info.as_bytes()).unwrap();
        assert!(matches!(step, Step::Complete { .. }));
        let replayed = Sent { authorization: Some(authorization), ..sent(Version::HTTP_11, "/form?a=b") };
        assert_eq!(ask(&layer, replayed).await.0, StatusCode::UNAUTHORIZED);
    }
}

/// Each with an answer that nobody has seen yet, and that is good for what it was made for.
#[tokio::test]
async fn an_answer_for_another_target_method_or_body_is_refused() {
    for qop in [digest::Qop::Auth, digest::Qop::AuthInt] {
        let layer = layer(qop);
        let whole = || sent(Version::HTTP_11, "/form?a=b");
        let is_protected = qop == digest::Qop::AuthInt;
        for (other, is_refused) in [
            (sent(Version::HTTP_11, "/form?a=c"), true),
            (sent(Version::HTTP_11, "/form"), true),
            (Sent { method: Method::PUT, ..whole() }, true),
            (Sent { body: b"another body", ..whole() }, is_protected),
            (Sent { body: b"", ..whole() }, is_protected),
        ] {
            let (_, headers, _) = ask(&layer, whole()).await;
            let (_, _, authorization) = answer(qop, &headers, "/form?a=b", None);
            let with = |sent| Sent { authorization: Some(authorization.clone()), ..sent };
            let expected = if is_refused { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
            assert_eq!(ask(&layer, with(other)).await.0, expected);
            if is_refused {
                assert_eq!(ask(&layer, with(whole())).await.0, StatusCode::OK, "it was not used up");
            }
        }
    }
}

/// A body that counts how often somebody has asked for it.
struct Watched(Arc<AtomicUsize>, Full<Bytes>);

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.1).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.1.size_hint()
    }
}

/// Sends a body that waits for a word of the server; how it was answered, and how often somebody has asked for the body.
async fn ask_watched(
    layer: &AuthLayer,
    source: &str,
    authorization: &HeaderValue,
) -> (StatusCode, HeaderMap, usize) {
    let asked = Arc::new(AtomicUsize::new(0));
    let body = Watched(Arc::clone(&asked), Full::from("a body"));
    let mut request = Request::post("/form").header("expect", "100-continue").body(body).unwrap();
    request.extensions_mut().insert(HttpConnection::new().with_source(source));
    request.headers_mut().insert("authorization", authorization.clone());
    let response = layer.layer(Handler).call(request).await.unwrap();
    (response.status(), response.headers().clone(), asked.load(Ordering::Relaxed))
}

/// The answer of a client to a challenge, in which it proves its body.
async fn over_body(layer: &AuthLayer) -> HeaderValue {
    let (_, headers, _) = ask(layer, sent(Version::HTTP_11, "/form")).await;
    answer(digest::Qop::AuthInt, &headers, "/form", None).2
}

fn replaced(authorization: &HeaderValue, old: &str, new: &str) -> HeaderValue {
    let text = authorization.to_str().unwrap();
    assert!(text.contains(old), "{text}");
    HeaderValue::from_str(&text.replace(old, new)).unwrap()
}

#[tokio::test]
async fn a_body_is_not_read_before_what_stands_in_the_header_was_judged() {
    let layer = layer(digest::Qop::AuthInt);
    let right = over_body(&layer).await;
    let nonce =
        right.to_str().unwrap().split("nonce=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for wrong in [
        HeaderValue::from_static("Digest qop=auth-int"),
        replaced(&right, &nonce, &"0".repeat(nonce.len())),
        replaced(&right, "algorithm=SHA-256", "algorithm=MD5"),
        replaced(&right, "realm=\"corp\"", "realm=\"corporation\""),
    ] {
        let (status, headers, asked) = ask_watched(&layer, "a", &wrong).await;
        assert_eq!((status, asked), (StatusCode::UNAUTHORIZED, 0), "{wrong:?}");
        assert!(headers.contains_key("www-authenticate"));
    }
    // Who has failed too often is not heard either.
    for _ in 0..10 {
        let response = "response=\"0000";
        let text = over_body(&layer).await;
        let at = text.to_str().unwrap().find("response=\"").unwrap();
        let digits = text.to_str().unwrap()[at..at + 14].to_owned();
        let (status, _, asked) = ask_watched(&layer, "a", &replaced(&text, &digits, response)).await;
        assert!(status == StatusCode::UNAUTHORIZED && asked > 0, "it is judged with its body");
    }
    let (status, _, asked) = ask_watched(&layer, "a", &right).await;
    assert_eq!((status, asked), (StatusCode::UNAUTHORIZED, 0));
    let (status, _, asked) = ask_watched(&layer, "b", &right).await;
    assert!(status == StatusCode::OK && asked > 0);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_has_no_room_is_refused_with_a_word() {
    let bounded =
        |longest, room| layer(digest::Qop::AuthInt).with_longest_body(longest).with_room_for_bodies(room);
    for (longest, room, status) in [
        (5, 100, StatusCode::PAYLOAD_TOO_LARGE),
        (100, 5, StatusCode::SERVICE_UNAVAILABLE),
        (6, 6, StatusCode::OK),
    ] {
        let layer = bounded(longest, room);
        // What one request has taken the next one finds again.
        for _ in 0..3 {
            let (got, headers, asked) = ask_watched(&layer, "a", &over_body(&layer).await).await;
            assert_eq!(got, status, "{longest} {room}");
            assert_eq!(headers.contains_key("retry-after"), status == StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(asked > 0, status != StatusCode::PAYLOAD_TOO_LARGE, "its length was said");
        }
    }
}

/// Clients prove the path; the scheme and the host come in fields of their own.
#[tokio::test]
async fn over_http_2_the_target_is_the_path() {
    let (layer, qop) = (layer(digest::Qop::Auth), digest::Qop::Auth);
    let uri = "https://www.example.com/form?a=b";
    let (_, headers, _) = ask(&layer, sent(Version::HTTP_2, uri)).await;
    let (_, _, authorization) = answer(qop, &headers, "/form?a=b", None);
    let again = Sent { authorization: Some(authorization), ..sent(Version::HTTP_2, uri) };
    assert_eq!(ask(&layer, again).await.0, StatusCode::OK);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn below_a_router_the_target_is_what_it_was_before() {
    let (layer, qop) = (layer(digest::Qop::Auth), digest::Qop::Auth);
    let original = Some("/api/form");
    let (_, headers, _) = ask(&layer, Sent { original, ..sent(Version::HTTP_11, "/form") }).await;
    for (target, status) in [("/form", StatusCode::UNAUTHORIZED), ("/api/form", StatusCode::OK)] {
        let (_, _, authorization) = answer(qop, &headers, target, None);
        let again = Sent { authorization: Some(authorization), original, ..sent(Version::HTTP_11, "/form") };
        assert_eq!(ask(&layer, again).await.0, status, "{target}");
    }
}

#[tokio::test]
async fn a_client_that_is_bound_to_the_channel_of_a_proxy_is_let_in_where_the_connection_says_so() {
    let (layer, qop) = (layer(digest::Qop::Auth), digest::Qop::Auth);
    for (connection, status) in
        [(HttpConnection::new().in_tls(), StatusCode::OK), (HttpConnection::new(), StatusCode::UNAUTHORIZED)]
    {
        let (_, headers, _) = ask(&layer, sent(Version::HTTP_11, "/")).await;
        let bindings = ChannelBindings::tls_server_end_point(b"the proxy's certificate");
        let (_, _, authorization) = answer(qop, &headers, "/", Some(bindings));
        let again = Sent { authorization: Some(authorization), connection, ..sent(Version::HTTP_11, "/") };
        assert_eq!(ask(&layer, again).await.0, status);
    }
}
