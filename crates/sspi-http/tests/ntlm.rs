//! The layer and the client, with NTLM between them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use ntlm::{Environment, NoSecrets, NtHash, Ntlm, NtlmConfig, Reflection};
use sspi_core::{
    Account, AccountSecret, AuthData, AuthIdentity, ChannelBindings, Clock, CredentialUse, CredentialsHandle,
    CredentialsRequest, Error, LogonRequest, LogonVerdict, SecStatus, Secret, SecurityPackage as _,
};
use sspi_http::{AuthLayer, Authenticated, Client, HttpConnection, RequestBody, Scheme, header};
use sspi_tokio::Answers;
use test_support::FixedClock;
use tokio::io::DuplexStream;
use tower_layer::Layer as _;
use tower_service::Service;

const PASSWORD: &str = "correct horse";

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn package() -> Ntlm {
    let environment = Environment {
        clock: Arc::new(WallClock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: Some("www.example.com".into()),
    };
    // Both ends are in this process.
    Ntlm::new(NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() }, environment)
}

fn client(password: &str) -> Scheme {
    let password = Secret::new(password.to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: "CORP".into(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    Scheme::of_package(package().acquire_credentials_handle(&request).unwrap()).unwrap()
}

fn server() -> Arc<dyn CredentialsHandle> {
    package().acquire_credentials_handle(&CredentialsRequest::configured(CredentialUse::Inbound)).unwrap()
}

/// One account.
struct Alice;

#[async_trait]
impl Answers for Alice {
    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        if request.user != "alice" {
            return Ok(LogonVerdict::NoAccount);
        }
        let secrets = vec![AccountSecret::NtHash(Secret::new(*NtHash::of_password(PASSWORD).as_bytes()))];
        let account = Account { name: "alice".into(), domain: Some("CORP".into()), ..Account::default() };
        Ok(LogonVerdict::Known { account: account.into(), secrets })
    }
}

/// What the handler saw: who, and which body.
type Seen = Arc<Mutex<Vec<(Option<String>, String)>>>;

/// Where a client was, and why it was refused.
type Reports = Arc<Mutex<Vec<(Option<String>, SecStatus)>>>;

/// A handler that says who it is for.
#[derive(Clone, Default)]
struct Handler(Seen);

impl<B> Service<Request<RequestBody<B>>> for Handler
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<B>>) -> Self::Future {
        let seen = Arc::clone(&self.0);
        Box::pin(async move {
            let who = request.extensions().get::<Authenticated>().map(|known| known.account().name.clone());
            let cache = request.headers().get("x-cache").cloned();
            let body = request.into_body().collect().await.map_err(|_| ()).unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let answer = format!("{who:?} {text}");
            seen.lock().unwrap().push((who, text));
            let mut response = Response::new(Full::from(answer));
            response.headers_mut().extend(cache.map(|value| (http::header::CACHE_CONTROL, value)));
            Ok(response)
        })
    }
}

fn layer() -> AuthLayer {
    AuthLayer::new([Scheme::of_package(server()).unwrap()]).with_answers(Arc::new(Alice))
}

/// A connection to a server with this layer, as its own task.
fn connect(layer: &AuthLayer, connection: HttpConnection, handler: &Handler) -> DuplexStream {
    let (near, far) = tokio::io::duplex(1 << 16);
    let inner = layer.layer(handler.clone());
    let with_connection = tower_fn(inner, connection);
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(far), TowerToHyperService::new(with_connection));
    tokio::spawn(serving);
    near
}

/// The service with the connection in every request.
fn tower_fn<S, B>(
    inner: S,
    connection: HttpConnection,
) -> impl Service<Request<B>, Response = S::Response, Error = S::Error, Future = S::Future> + Clone
where
    S: Service<Request<B>> + Clone,
{
    #[derive(Clone)]
    struct With<S>(S, HttpConnection);
    impl<S: Service<Request<B>>, B> Service<Request<B>> for With<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;
        fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }
        fn call(&mut self, mut request: Request<B>) -> S::Future {
            request.extensions_mut().insert(self.1.clone());
            self.0.call(request)
        }
    }
    With(inner, connection)
}

async fn http_client(io: DuplexStream, scheme: Scheme) -> Client {
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    Client::new(sender, "www.example.com", [scheme])
}

fn post(text: &'static str) -> Request<Bytes> {
    Request::post("/form").header("host", "www.example.com").body(Bytes::from(text)).unwrap()
}

async fn text<B: http_body::Body>(response: Response<B>) -> String
where
    B::Error: std::fmt::Debug,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_logs_its_connection_on_once_and_the_handler_learns_who_it_is() {
    let handler = Handler::default();
    let io = connect(&layer(), HttpConnection::new(), &handler);
    let mut client = http_client(io, client(PASSWORD)).await;
    let response = client.send(post("first")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["persistent-auth"], "true");
    assert_eq!(text(response).await, "Some(\"alice\") first");
    assert_eq!(client.authenticated().unwrap().0, "NTLM");
    let response = client.send(post("second")).await.unwrap();
    assert_eq!(text(response).await, "Some(\"alice\") second");
    let seen = handler.0.lock().unwrap().clone();
    let alice = |body: &str| (Some("alice".to_owned()), body.to_owned());
    assert_eq!(seen, [alice("first"), alice("second")], "no body came twice, and none by nobody");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_reported_with_its_source() {
    let reports: Reports = Arc::default();
    let kept = Arc::clone(&reports);
    let layer = layer().reporting(move |attempt| {
        let status = attempt.result.unwrap_err().status();
        kept.lock().unwrap().push((attempt.source.map(str::to_owned), status));
    });
    let handler = Handler::default();
    let io = connect(&layer, HttpConnection::new().with_source("192.0.2.7"), &handler);
    let mut client = http_client(io, client("wrong")).await;
    let error = client.send(post("x")).await.unwrap_err();
    let sspi_http::Error::Refused { scheme, status, offered, reason } = &error else { panic!("{error}") };
    assert_eq!((*scheme, *status, offered.len()), ("NTLM", StatusCode::UNAUTHORIZED, 0));
    assert!(reason.is_none(), "{error}");
    assert_eq!(*reports.lock().unwrap(), [(Some("192.0.2.7".to_owned()), SecStatus::SEC_E_LOGON_DENIED)]);
    assert!(handler.0.lock().unwrap().is_empty());
}

/// One request to the layer, as if it came over this connection.
async fn ask(
    layer: &AuthLayer,
    connection: Option<&HttpConnection>,
    version: Version,
    headers: &[(&'static str, String)],
) -> (StatusCode, HeaderMap) {
    let mut request = Request::get("/").version(version).body(Full::<Bytes>::default()).unwrap();
    request.extensions_mut().extend(
        connection
            .cloned()
            .map(|connection| {
                let mut extensions = http::Extensions::new();
                extensions.insert(connection);
                extensions
            })
            .unwrap_or_default(),
    );
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let response = layer.layer(Handler::default()).call(request).await.unwrap();
    (response.status(), response.headers().clone())
}

/// The three messages of an exchange; the last one is handed to `last`.
async fn exchange(
    layer: &AuthLayer,
    connection: &HttpConnection,
    bindings: Option<ChannelBindings>,
) -> String {
    exchange_with(layer, connection, bindings, "authorization", header::Place::Server).await
}

async fn exchange_with(
    layer: &AuthLayer,
    connection: &HttpConnection,
    bindings: Option<ChannelBindings>,
    field: &'static str,
    place: header::Place,
) -> String {
    let request = sspi_core::InitializeRequest {
        target_name: Some("HTTP/www.example.com".into()),
        channel_bindings: bindings,
        ..Default::default()
    };
    let password = Secret::new(PASSWORD.to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: "CORP".into(), password });
    let acquire = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    let mut client = package().acquire_credentials_handle(&acquire).unwrap().initialize(&request).unwrap();
    let token = |step| match step {
        sspi_core::Step::Continue { token, .. } | sspi_core::Step::Complete { token, .. } => token,
        other => panic!("{other:?}"),
    };
    let negotiate = token(client.initialize_security_context(&[]).unwrap());
    let value = format!("NTLM {}", header::encode(&negotiate));
    let (status, headers) = ask(layer, Some(connection), HTTP_11, &[(field, value)]).await;
    assert_eq!(status, place.status());
    let challenge = header::challenges(&headers, place).remove(0);
    let challenge = header::decode(&challenge.rest).unwrap();
    let authenticate = token(client.initialize_security_context(&challenge).unwrap());
    format!("NTLM {}", header::encode(&authenticate))
}

const HTTP_11: Version = Version::HTTP_11;

#[tokio::test]
async fn an_authenticate_message_counts_on_its_own_connection_only_and_once() {
    let layer = layer();
    let (first, second) = (HttpConnection::new(), HttpConnection::new());
    let authenticate = exchange(&layer, &first, None).await;
    let fields = [("authorization", authenticate)];
    assert_eq!(ask(&layer, Some(&second), HTTP_11, &fields).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&layer, Some(&first), HTTP_11, &fields).await.0, StatusCode::OK);
    assert_eq!(ask(&layer, Some(&first), HTTP_11, &[]).await.0, StatusCode::OK);
    assert_eq!(ask(&layer, Some(&second), HTTP_11, &[]).await.0, StatusCode::UNAUTHORIZED);
    // The same message again begins an exchange that it cannot begin: nobody's is the connection then.
    assert_eq!(ask(&layer, Some(&first), HTTP_11, &fields).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&layer, Some(&first), HTTP_11, &[]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn bindings_to_another_channel_are_refused_and_to_this_one_taken() {
    let layer = layer();
    let here = ChannelBindings::tls_server_end_point(b"this certificate");
    let elsewhere = ChannelBindings::tls_server_end_point(b"that certificate");
    for (bound_to, status) in [(elsewhere, StatusCode::UNAUTHORIZED), (here.clone(), StatusCode::OK)] {
        let connection = HttpConnection::new().with_channel_bindings(here.clone());
        let authenticate = exchange(&layer, &connection, Some(bound_to)).await;
        let answer = ask(&layer, Some(&connection), HTTP_11, &[("authorization", authenticate)]).await;
        assert_eq!(answer.0, status);
    }
}

#[tokio::test]
async fn http_2_is_no_place_for_what_authenticates_connections() {
    let layer = layer();
    let connection = HttpConnection::new();
    let authenticate = exchange(&layer, &connection, None).await;
    assert_eq!(
        ask(&layer, Some(&connection), HTTP_11, &[("authorization", authenticate)]).await.0,
        StatusCode::OK
    );
    // Not even who was authenticated before: in such a connection are the requests of many.
    let (status, headers) = ask(&layer, Some(&connection), Version::HTTP_2, &[]).await;
    assert_eq!(status, StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    assert!(!headers.contains_key("www-authenticate"));
    let field = [("authorization", "NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAA=".to_owned())];
    assert_eq!(
        ask(&layer, Some(&HttpConnection::new()), Version::HTTP_2, &field).await.0,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED
    );
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_is_not_gone_on_with_is_dropped_at_its_deadline() {
    let layer = layer().with_deadline(Duration::from_secs(5));
    for (wait, status) in [(4, StatusCode::OK), (6, StatusCode::UNAUTHORIZED)] {
        let connection = HttpConnection::new();
        let authenticate = exchange(&layer, &connection, None).await;
        assert!(format!("{connection:?}").contains("being authenticated"));
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let is_there = format!("{connection:?}").contains("being authenticated");
        assert_eq!(
            is_there,
            status == StatusCode::OK,
            "its memory is free at the deadline, not at the next request"
        );
        let answer = ask(&layer, Some(&connection), HTTP_11, &[("authorization", authenticate)]).await;
        assert_eq!(answer.0, status, "after {wait} seconds");
    }
}

#[tokio::test]
async fn an_attempt_says_how_long_it_took_by_the_clock_of_the_layer() {
    let clock = FixedClock::default();
    let took: Arc<Mutex<Vec<(bool, Duration)>>> = Arc::default();
    let kept = Arc::clone(&took);
    let layer = layer().with_clock(Arc::new(clock.clone())).reporting(move |attempt| {
        kept.lock().unwrap().push((attempt.result.is_ok(), attempt.took));
    });
    for (milliseconds, status) in [(1500, StatusCode::OK), (0, StatusCode::OK), (7, StatusCode::UNAUTHORIZED)]
    {
        let connection = HttpConnection::new();
        let mut authenticate = exchange(&layer, &connection, None).await;
        if status != StatusCode::OK {
            authenticate = format!("NTLM {}", header::encode(b"NTLMSSP\0\x03\0\0\0"));
        }
        clock.advance(Duration::from_millis(milliseconds));
        let answer = ask(&layer, Some(&connection), HTTP_11, &[("authorization", authenticate)]).await;
        assert_eq!(answer.0, status);
    }
    let milliseconds = Duration::from_millis;
    let expected = [(true, milliseconds(1500)), (true, milliseconds(0)), (false, milliseconds(7))];
    assert_eq!(*took.lock().unwrap(), expected);
}

/// What is logged while this is there.
fn logged() -> (Arc<Mutex<Vec<u8>>>, tracing::subscriber::DefaultGuard) {
    #[derive(Clone)]
    struct Kept(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Kept(Arc::default());
    let kept = Arc::clone(&log.0);
    let subscriber =
        tracing_subscriber::fmt().with_writer(move || log.clone()).with_ansi(false).without_time().finish();
    (kept, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_password_that_is_proved_without_tls_is_warned_of_once_and_the_setting_is_named() {
    let (log, _guard) = logged();
    let layer = layer();
    let log_on = async |connection: HttpConnection| {
        let authenticate = exchange(&layer, &connection, None).await;
        let answer = ask(&layer, Some(&connection), HTTP_11, &[("authorization", authenticate)]).await;
        assert_eq!(answer.0, StatusCode::OK);
    };
    let warnings = || {
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        log.lines()
            .filter(|line| line.contains("over HTTP without TLS"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    log_on(HttpConnection::new().in_tls()).await;
    assert!(warnings().is_empty());
    for _ in 0..3 {
        log_on(HttpConnection::new()).await;
    }
    let warnings = warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("WARN") && warnings[0].contains("ntlm.channel-bindings"), "{warnings:?}");
}

/// A proxy may send the requests of many over one connection.
#[tokio::test]
async fn who_comes_through_a_proxy_is_known_for_one_request_unless_connections_are_kept_apart() {
    let (log, _guard) = logged();
    for field in ["via", "forwarded", "x-forwarded-for"] {
        let through = (field, "192.0.2.7".to_owned());
        for (layer, is_kept) in [(layer(), false), (layer().behind_pinning_proxy(), true)] {
            let connection = HttpConnection::new();
            let authenticate = exchange(&layer, &connection, None).await;
            let fields = [("authorization", authenticate), through.clone()];
            let (status, headers) = ask(&layer, Some(&connection), HTTP_11, &fields).await;
            assert_eq!((status, headers.contains_key("persistent-auth")), (StatusCode::OK, is_kept));
            let next = if is_kept { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            for fields in [vec![through.clone()], vec![]] {
                let (status, _) = ask(&layer, Some(&connection), HTTP_11, &fields).await;
                assert_eq!(status, next, "{field}: whatever the next request says of itself");
            }
        }
    }
    // Whoever was known is it no more when a proxy is seen.
    let (layer, connection) = (layer(), HttpConnection::new());
    let authenticate = exchange(&layer, &connection, None).await;
    let fields = [("authorization", authenticate)];
    assert_eq!(ask(&layer, Some(&connection), HTTP_11, &fields).await.0, StatusCode::OK);
    let through = [("via", "1.1 proxy".to_owned())];
    assert_eq!(ask(&layer, Some(&connection), HTTP_11, &through).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&layer, Some(&connection), HTTP_11, &[]).await.0, StatusCode::UNAUTHORIZED);
    let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("requests come through a proxy").count(), 4, "once for each layer: {log}");
}

#[tokio::test]
async fn what_a_connection_is_authenticated_for_is_for_no_cache_of_others() {
    let layer = layer();
    let connection = HttpConnection::new();
    let authenticate = exchange(&layer, &connection, None).await;
    for fields in [vec![("authorization", authenticate)], vec![]] {
        let (status, headers) = ask(&layer, Some(&connection), HTTP_11, &fields).await;
        assert_eq!(
            (status, headers.get("cache-control").unwrap().as_bytes()),
            (StatusCode::OK, &b"private"[..])
        );
    }
    // A handler that says something knows better.
    let fields = [("x-cache", "no-store".to_owned())];
    let (_, headers) = ask(&layer, Some(&connection), HTTP_11, &fields).await;
    assert_eq!(headers["cache-control"], "no-store");
    // What anybody may have, anybody may keep; and what a proxy passes on is the server's to say.
    let (status, headers) = ask(&layer.optional(), Some(&HttpConnection::new()), HTTP_11, &[]).await;
    assert_eq!((status, headers.contains_key("cache-control")), (StatusCode::OK, false));
}

#[tokio::test]
async fn who_was_let_in_by_one_layer_was_not_by_another() {
    let (outer, inner) = (layer(), layer());
    let connection = HttpConnection::new();
    let authenticate = [("authorization", exchange(&outer, &connection, None).await)];
    // Nor does another layer go on with an exchange that is not its own.
    assert_eq!(ask(&inner, Some(&connection), HTTP_11, &authenticate).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&outer, Some(&connection), HTTP_11, &authenticate).await.0, StatusCode::OK);
    assert_eq!(ask(&inner, Some(&connection), HTTP_11, &[]).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        ask(&outer, Some(&connection), HTTP_11, &[]).await.0,
        StatusCode::OK,
        "both know what they know"
    );
    // The same layer with another setting is another layer.
    let changed = outer.clone().with_deadline(Duration::from_secs(1));
    assert_eq!(ask(&changed, Some(&connection), HTTP_11, &[]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_client_says_to_a_proxy_goes_to_nobody_behind_it() {
    #[derive(Clone)]
    struct Seen(Arc<Mutex<Option<HeaderMap>>>);
    impl Service<Request<RequestBody<Full<Bytes>>>> for Seen {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<RequestBody<Full<Bytes>>>) -> Self::Future {
            *self.0.lock().unwrap() = Some(request.headers().clone());
            std::future::ready(Ok(Response::new(Full::default())))
        }
    }
    let (layer, connection) = (layer().as_proxy(), HttpConnection::new());
    let authenticate =
        exchange_with(&layer, &connection, None, "proxy-authorization", header::Place::Proxy).await;
    let seen = Seen(Arc::default());
    let mut request = Request::get("http://www.example.com/").body(Full::<Bytes>::default()).unwrap();
    request.extensions_mut().insert(connection);
    request.headers_mut().insert("proxy-authorization", authenticate.parse().unwrap());
    request.headers_mut().insert("authorization", "Basic for-the-server".parse().unwrap());
    assert_eq!(layer.layer(seen.clone()).call(request).await.unwrap().status(), StatusCode::OK);
    let seen = seen.0.lock().unwrap().take().unwrap();
    assert!(!seen.contains_key("proxy-authorization") && seen.contains_key("authorization"));
}

#[tokio::test]
async fn what_is_asked_for_is_ntlm_in_the_fields_of_a_server_or_a_proxy() {
    let connection = HttpConnection::new();
    let (status, headers) = ask(&layer(), Some(&connection), HTTP_11, &[]).await;
    assert_eq!(
        (status, headers["www-authenticate"].as_bytes()),
        (StatusCode::UNAUTHORIZED, b"NTLM".as_slice())
    );
    let (status, headers) = ask(&layer().as_proxy(), Some(&connection), HTTP_11, &[]).await;
    assert_eq!(status, StatusCode::PROXY_AUTHENTICATION_REQUIRED);
    assert_eq!(headers["proxy-authenticate"], "NTLM");
    assert_eq!(ask(&layer().optional(), Some(&connection), HTTP_11, &[]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn nonsense_in_the_field_is_refused_and_a_request_that_says_two_things_too() {
    let connection = HttpConnection::new();
    for nonsense in ["NTLM", "NTLM =", "NTLM YWJj", "Basic YWxpY2U6eA==", "NTLM TlRMTVNTUAADAAAA", "\u{fc}"] {
        let fields = [("authorization", nonsense.to_owned())];
        let (status, headers) = ask(&layer(), Some(&connection), HTTP_11, &fields).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{nonsense}");
        assert_eq!(headers["www-authenticate"], "NTLM", "{nonsense}");
    }
    let twice = [("authorization", "NTLM YQ==".to_owned()), ("authorization", "NTLM YQ==".to_owned())];
    assert_eq!(ask(&layer(), Some(&connection), HTTP_11, &twice).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_request_whose_connection_is_not_known_is_let_through_by_nobody() {
    assert_eq!(ask(&layer(), None, HTTP_11, &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(ask(&layer().optional(), None, HTTP_11, &[]).await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_client_behind_a_proxy_answers_the_proxy_and_no_server() {
    let handler = Handler::default();
    let io = connect(&layer().as_proxy(), HttpConnection::new(), &handler);
    let mut client = http_client(io, client(PASSWORD)).await.to_proxy();
    assert_eq!(text(client.send(post("x")).await.unwrap()).await, "Some(\"alice\") x");
    // A server's 401 is not its business.
    let io = connect(&layer(), HttpConnection::new(), &handler);
    let mut client = http_client(io, self::client(PASSWORD)).await.to_proxy();
    assert_eq!(client.send(post("x")).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_server_that_offers_nothing_in_common_is_named_with_what_it_offers() {
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut far, mut heard) = (far, [0; 1024]);
        let _read = far.read(&mut heard).await;
        let answer = "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Length: 0\r\n\r\n";
        far.write_all(answer.as_bytes()).await.unwrap();
        let _closed = far.read(&mut heard).await;
    });
    let error = http_client(near, client(PASSWORD)).await.send(post("x")).await.unwrap_err();
    assert_eq!(error.to_string(), "the server offers Basic and configured is NTLM: no scheme in common");
}
