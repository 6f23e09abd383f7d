//! NTLM over HTTP: our layer with curl and requests-ntlm, our client with a server of pyspnego, in clear and over our TLS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, in its helpers too")]

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use opensspi::sspi_core::{AuthData, AuthIdentity, CredentialUse, Secret};
use opensspi::sspi_http::{AuthLayer, Authenticated, Client, HttpConnection, RequestBody};
use opensspi::{CertificateConfig, NewAccount, Sspi};
use opensspi_integration_tests::peers::ntlm::Library;
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::{Peer, free_port, runnable};
use tempfile::TempDir;
use test_support::Pki;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer as _;
use tower_service::Service;

const PASSWORD: &str = "correct horse";

/// A handler that says who asks, and repeats what came.
#[derive(Clone, Copy)]
struct Echo;

impl Service<Request<RequestBody<hyper::body::Incoming>>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<hyper::body::Incoming>>) -> Self::Future {
        let who = request.extensions().get::<Authenticated>().unwrap().account().name.clone();
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok(Response::new(Full::from([who.as_bytes(), b" ", &body].concat())))
        })
    }
}

/// A server of ours, with one account; over TLS where it has a certificate.
struct Server {
    address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    async fn start(ntlm: &str, certificate: Option<&Pki>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let accounts = folder.path().join("logons.toml");
        let alice = NewAccount { name: "alice".into(), domain: Some("CORP".into()), ..NewAccount::default() };
        opensspi::FileLogons::add(&accounts, &alice, PASSWORD).unwrap();
        let text = format!("package = \"NTLM\"\n[logon]\naccounts = \"file:logons.toml\"\n[ntlm]\n{ntlm}\n");
        let sspi = Sspi::from_toml(&text, folder.path()).unwrap();
        let layer = sspi.http_layer().unwrap();
        let tls = certificate.map(|pki| {
            let own = pki.server("localhost").issue();
            std::fs::write(folder.path().join("server.pem"), own.chain_pem() + &own.key_pem()).unwrap();
            let file = folder.path().join("server.pem").to_str().unwrap().to_owned();
            let mut config = opensspi::Config::default();
            config.schannel.certificates =
                vec![CertificateConfig { chain: file.clone(), key: file, send_root: false }];
            Sspi::builder().config(config).build().unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (socket, peer) = listener.accept().await.unwrap();
                let (layer, tls) = (layer.clone(), tls.clone());
                tokio::spawn(async move {
                    let connection = HttpConnection::new().with_source(peer.ip().to_string());
                    match tls {
                        None => serve(socket, &layer, connection).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(socket).await else { return };
                            let bindings = stream.attributes().endpoint_bindings().unwrap();
                            serve(stream, &layer, connection.with_channel_bindings(bindings)).await;
                        }
                    }
                });
            }
        });
        Self { address, _folder: folder }
    }
}

async fn serve<S>(stream: S, layer: &AuthLayer, connection: HttpConnection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = layer.layer(Echo);
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(connection.clone());
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Runs a program to its end, on a thread of its own; what it printed.
async fn run(program: &str, arguments: Vec<String>) -> String {
    let mut launch = Launch::new(program, Stdout::Data);
    launch.arguments(arguments);
    tokio::task::spawn_blocking(move || {
        let mut process = launch.start().unwrap();
        let said = process.read_to_end().unwrap();
        assert!(process.wait().unwrap().success(), "{}", process.log());
        String::from_utf8(said).unwrap()
    })
    .await
    .unwrap()
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_logs_its_connection_on_and_not_with_a_wrong_password() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    let server = Server::start("", None).await;
    let url = format!("http://{}/", server.address);
    let format = "%{http_code} %{num_connects}\n";
    let arguments = |password: &str| {
        let user = format!(r"CORP\alice:{password}");
        texts(&["--silent", "--ntlm", "--user", &user, "--data", "a=1", "--write-out", format, &url, &url])
    };
    assert_eq!(run("curl", arguments(PASSWORD)).await, "alice a=1200 1\nalice a=1200 0\n");
    let refused = run("curl", arguments("wrong")).await;
    assert!(refused.contains("401") && !refused.contains("200") && !refused.contains("alice"), "{refused}");
}

/// What requests-ntlm comes to.
async fn requests_ntlm(url: &str, password: &str, authority: Option<&std::path::Path>) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_ntlm.py");
    let mut arguments = texts(&["-B", script, "client", url, r"CORP\alice", password]);
    arguments.extend(authority.map(|file| file.to_str().unwrap().to_owned()));
    run(&Library::Pyspnego.python().unwrap(), arguments).await
}

const TWICE: &str =
    "{\"status\": 200, \"text\": \"alice a=1\"}\n{\"status\": 200, \"text\": \"alice a=1\"}\n";

#[tokio::test(flavor = "multi_thread")]
async fn requests_ntlm_logs_on_in_clear_and_over_tls_bound_to_the_certificate() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let server = Server::start("", None).await;
    let url = format!("http://{}/", server.address);
    assert_eq!(requests_ntlm(&url, PASSWORD, None).await, TWICE);
    assert!(requests_ntlm(&url, "wrong", None).await.contains("\"status\": 401"));

    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("root.pem");
    std::fs::write(&authority, pki.root_pem()).unwrap();
    let server = Server::start("channel-bindings = \"always\"", Some(&pki)).await;
    let url = format!("https://localhost:{}/", server.address.port());
    assert_eq!(requests_ntlm(&url, PASSWORD, Some(&authority)).await, TWICE);
    // curl binds nothing: where every client must, it is refused.
    let user = format!(r"CORP\alice:{PASSWORD}");
    let root = authority.to_str().unwrap();
    let arguments =
        ["--silent", "--ntlm", "--user", &user, "--cacert", root, "--write-out", "%{http_code}", &url];
    let refused = run("curl", texts(&arguments)).await;
    assert!(refused.ends_with("401"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_on_to_a_server_of_pyspnego_and_not_with_a_wrong_password() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let port = free_port();
    let mut launch = Launch::new(&Library::Pyspnego.python().unwrap(), Stdout::Data);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_ntlm.py");
    launch.arguments(["-B", script, "server", &port.to_string(), &format!("CORP:alice:{PASSWORD}")]);
    let mut process = launch.start().unwrap();
    let ready = process.read_line().unwrap();
    assert_eq!(ready.as_deref().map(str::trim), Some("ready"));
    for (password, expected) in [(PASSWORD, Some(r"CORP\alice a=1")), ("wrong", None)] {
        let identity = AuthData::Identity(AuthIdentity {
            user: "alice".into(),
            domain: "CORP".into(),
            password: Secret::new(password.to_owned()),
        });
        let sspi = Sspi::builder().package("NTLM").auth_data(identity).build().unwrap();
        let scheme = sspi.http_scheme(CredentialUse::Outbound).unwrap();
        let socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        let mut client = Client::new(sender, "localhost", [scheme]);
        for _ in 0..2 {
            let request = Request::post("/").header("host", "localhost").body(Bytes::from("a=1")).unwrap();
            match (client.send(request).await, expected) {
                (Ok(response), Some(expected)) => {
                    let body = response.into_body().collect().await.unwrap().to_bytes();
                    assert_eq!(body, expected.as_bytes());
                }
                (Err(error), None) => {
                    assert!(error.to_string().contains("refused the logon with NTLM"), "{error}");
                    break;
                }
                (other, _) => panic!("{other:?}"),
            }
        }
    }
}
