//! The client with Digest, and servers that prove that they know the secret, or do not, or prove something else.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use digest::{Digest, DigestConfig, Environment, NoSecrets};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sspi_core::{
    AuthData, AuthIdentity, Clock, ContextFlags, CredentialUse, CredentialsRequest, IscRet, Secret,
    SecurityPackage as _,
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
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = move |request: Request<Incoming>| async move {
        let mut response = Response::new(Full::<Bytes>::from("page"));
        if request.headers().contains_key(AUTHORIZATION) {
            if let Some(info) = info {
                response.headers_mut().insert("authentication-info", info.parse().unwrap());
            }
        } else {
            let challenge = format!("Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"{qop}\"");
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
        }
        Ok::<_, Infallible>(response)
    };
    let serving = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(far), hyper::service::service_fn(serve));
    tokio::spawn(serving);
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
    tokio::spawn(connection);
    Client::new(sender, "www.example.com", [scheme()])
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
