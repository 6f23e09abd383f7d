//! An application of axum below a router, on a socket: connections say where they come from, and clients prove the whole path.

#![cfg(all(feature = "axum", feature = "ntlm", feature = "digest"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::Extension;
use axum::{Router, routing::post, serve};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use opensspi::sspi_core::CredentialUse;
use opensspi::sspi_http::{Authenticated, Client, Error, HttpConnection};
use opensspi::{FileLogons, NewAccount, Sspi};
use tokio::net::{TcpListener, TcpStream};

async fn hello(Extension(user): Extension<Authenticated>, body: String) -> String {
    format!("{} {} {body}", user.account().name, user.scheme())
}

/// Where attempts came from, and whether they succeeded.
type Reports = Arc<Mutex<Vec<(Option<String>, bool)>>>;

/// Serves a page below `/api`; where.
async fn start(sspi: &Sspi, reports: &Reports) -> SocketAddr {
    let kept = Arc::clone(reports);
    let layer = sspi.http_layer().unwrap().reporting(move |attempt| {
        kept.lock().unwrap().push((attempt.source.map(str::to_owned), attempt.result.is_ok()));
    });
    let app = Router::new().nest("/api", Router::new().route("/page", post(hello)).layer(layer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = serve(listener, app.into_make_service_with_connect_info::<HttpConnection>());
    tokio::spawn(async move { serving.await });
    address
}

async fn client(sspi: &Sspi, address: SocketAddr) -> Client {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    Client::new(sender, "127.0.0.1", [sspi.http_scheme(CredentialUse::Outbound).unwrap()])
}

async fn ask(client: &mut Client, address: SocketAddr) -> Result<(StatusCode, String), Error> {
    let request = Request::post("/api/page").header("host", address.to_string());
    let response = client.send(request.body(Bytes::from("a=1")).unwrap()).await?;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

#[tokio::test]
async fn users_of_an_axum_application_log_on_below_a_router() {
    let folder = tempfile::tempdir().unwrap();
    let realms = vec!["corp".to_owned()];
    let alice = NewAccount { name: "alice".into(), digest_realms: realms, ..NewAccount::default() };
    FileLogons::add(folder.path().join("logons.toml"), &alice, "open sesame").unwrap();
    std::fs::write(folder.path().join("right"), "open sesame").unwrap();
    std::fs::write(folder.path().join("wrong"), "wrong").unwrap();
    for (package, scheme, server, client_side) in
        [("NTLM", "NTLM", "", "reflection = 'allow'"), ("Digest", "Digest", "digest.realm = 'corp'", "")]
    {
        let sspi = |text: String| Sspi::from_toml(&text, folder.path()).unwrap();
        let section = package.to_lowercase();
        let user = |password: &str| {
            sspi(format!(
                "package = '{package}'\n[{section}]\nuser = 'alice'\npassword = 'file:{password}'\n{client_side}\n"
            ))
        };
        let reports = Reports::default();
        let server = sspi(format!("package = '{package}'\nlogon.accounts = 'logons.toml'\n{server}\n"));
        let address = start(&server, &reports).await;
        let mut right = client(&user("right"), address).await;
        for _ in 0..2 {
            let page = ask(&mut right, address).await.unwrap();
            assert_eq!(page, (StatusCode::OK, format!("alice {scheme} a=1")));
        }
        let mut wrong = client(&user("wrong"), address).await;
        assert!(matches!(ask(&mut wrong, address).await, Err(Error::Refused { .. })), "{package}");
        let reports = reports.lock().unwrap();
        assert!(reports.iter().all(|(source, _)| source.as_deref() == Some("127.0.0.1")), "{reports:?}");
        assert_eq!((reports.first().unwrap().1, reports.last().unwrap().1), (true, false));
    }
}
