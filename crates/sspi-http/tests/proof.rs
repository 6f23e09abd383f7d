//! The client with Digest, and servers that prove that they know the secret, or do not, or prove something else.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the functions that tests share are tests too"
)]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use digest::{Digest, DigestConfig, Environment, NoSecrets};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sspi_core::{
    AuthData, AuthIdentity, ChannelBindings, Clock, ContextFlags, CredentialUse, CredentialsRequest, IscRet,
    Secret, SecurityPackage as _,
};
use sspi_http::{Client, Error, Scheme};

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn scheme() -> Scheme {
    let environment = Environment {
        clock: Arc::new(WallClock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: None,
    };
    let password = Secret::new("correct horse".to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: String::new(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    let package = Digest::new(DigestConfig::default(), environment);
    Scheme::digest(package.acquire_credentials_handle(&request).unwrap())
}

/// A client of a server that offers this protection, takes whatever comes, and then says this of itself.
async fn client(qop: &'static str, info: Option<&'static str>) -> Client {
    Client::new(connect(qop, info, Arc::default()).await, "www.example.com", [scheme()])
}

/// How many requests came with and without credentials.
type Seen = Arc<[AtomicUsize; 2]>;

/// A connection to such a server.
async fn connect(
    qop: &'static str,
    info: Option<&'static str>,
    seen: Seen,
) -> hyper::client::conn::http1::SendRequest<Full<Bytes>> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = move |request: Request<Incoming>| {
        let has_credentials = request.headers().contains_key(AUTHORIZATION);
        seen[usize::from(!has_credentials)].fetch_add(1, Ordering::Relaxed);
        async move {
            let mut response = Response::new(Full::<Bytes>::from("page"));
            if has_credentials {
                if let Some(info) = info {
                    response.headers_mut().insert("authentication-info", info.parse().unwrap());
                }
            } else {
                let challenge = format!("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"{qop}\"");
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
            }
            Ok::<_, Infallible>(response)
        }
    };
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(far), hyper::service::service_fn(serve));
    tokio::spawn(serving);
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// Whether the server has proved that it knows the secret.
async fn ask(mut client: Client) -> Result<bool, Error> {
    let request = Request::get("/").header("host", "www.example.com").body(Bytes::new()).unwrap();
    let response = client.send(request).await?;
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "page");
    let flags = client.authenticated().unwrap().1.flags();
    Ok(matches!(flags, ContextFlags::Initiator(flags) if flags.contains(IscRet::MUTUAL_AUTH)))
}

const UNPROVEN: &str = "the server does not prove that it knows the secret";

#[tokio::test]
async fn a_server_that_proves_nothing_is_taken_and_its_client_told() {
    assert!(!ask(client("auth", None).await).await.unwrap());
    assert!(!ask(client("auth", Some("nextnonce=\"m\"")).await).await.unwrap());
}

#[tokio::test]
async fn a_server_that_proves_nothing_is_refused_where_it_must_or_bodies_are_protected() {
    for info in [None, Some("nextnonce=\"m\"")] {
        let error = ask(client("auth", info).await.require_proof()).await.unwrap_err();
        assert!(info.is_some() || error.to_string().contains(UNPROVEN), "{error}");
        let error = ask(client("auth-int", info).await).await.unwrap_err();
        assert!(info.is_some() || error.to_string().contains(UNPROVEN), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_proof_is_refused() {
    let info = "qop=auth, rspauth=\"0000000000000000000000000000000000000000000000000000000000000000\"";
    let error = ask(client("auth", Some(info)).await).await.unwrap_err();
    assert!(error.to_string().contains("SEC_E_MUTUAL_AUTH_FAILED"), "{error}");
}

/// Whoever gets a nonce of another server has an answer to that one's challenge, which he may hand in.
#[tokio::test]
async fn a_nonce_goes_to_the_server_that_has_made_it_and_to_no_other_of_its_name() {
    let scheme = scheme();
    let certificate = || ChannelBindings::tls_server_end_point(b"the certificate of www.example.com");
    let seen: Seen = Arc::default();
    let client = async |bindings: Option<ChannelBindings>| {
        let client =
            Client::new(connect("auth", None, Arc::clone(&seen)).await, "www.example.com", [scheme.clone()]);
        match bindings {
            Some(bindings) => client.with_channel_bindings(bindings),
            None => client,
        }
    };
    // Whether it says at once who it is.
    let speaks_first = async |client: &mut Client, host: &str| {
        let before = seen[1].load(Ordering::Relaxed);
        let request = Request::get("/").header("host", host).body(Bytes::new()).unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), StatusCode::OK);
        seen[1].load(Ordering::Relaxed) == before
    };
    let (host, other_port) = ("www.example.com", "www.example.com:8443");
    let mut bound = client(Some(certificate())).await;
    assert!(!speaks_first(&mut bound, host).await);
    assert!(speaks_first(&mut bound, host).await, "it knows the nonce");
    assert!(
        speaks_first(&mut client(Some(certificate())).await, host).await,
        "the same end of another connection"
    );
    assert!(!speaks_first(&mut client(Some(certificate())).await, other_port).await, "another port");
    let other = ChannelBindings::tls_server_end_point(b"another certificate");
    assert!(!speaks_first(&mut client(Some(other)).await, host).await, "another end");
    let mut plain = client(None).await;
    assert!(!speaks_first(&mut plain, host).await, "nobody knows which end it is");
    assert!(speaks_first(&mut plain, host).await);
    assert!(!speaks_first(&mut plain, other_port).await);
    assert!(
        !speaks_first(&mut client(None).await, host).await,
        "another connection, whose end may be another"
    );
}
