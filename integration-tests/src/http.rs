//! The HTTP ends of `opensspi` with packages that authenticate connections: a server with one account, the one of [`tokens`](crate::tokens),
//! and a client.

#![expect(clippy::panic, reason = "what a test configures wrongly fails the test")]

use std::convert::Infallible;
use std::fmt::Display;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use opensspi::sspi_core::{AuthData, AuthIdentity, ChannelBindings, CredentialUse, Secret};
use opensspi::sspi_http::{self, AuthLayer, Authenticated, Client, HttpConnection, RequestBody};
use opensspi::{CertificateConfig, NewAccount, Sspi};
use tempfile::TempDir;
use test_support::Pki;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tower_layer::Layer as _;
use tower_service::Service;

use crate::tokens::{ANOTHER, DOMAIN, PASSWORD, USER};

fn sure<T>(result: Result<T, impl Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A handler that says who asks, and repeats what came.
#[derive(Clone, Copy)]
struct Echo;

impl Service<Request<RequestBody<Incoming>>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Incoming>>) -> Self::Future {
        let known = request.extensions().get::<Authenticated>();
        let who = known.map(|known| known.account().name.clone()).unwrap_or_default();
        Box::pin(async move {
            let body = sure(request.into_body().collect().await).to_bytes();
            Ok(Response::new(Full::from([who.as_bytes(), b" ", &body].concat())))
        })
    }
}

/// A server of ours: it says to each request who sends it, and repeats its body.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    refusals: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Server {
    /// Starts it with this configuration, to which it adds its account; over TLS where there is somebody who certifies it.
    ///
    /// # Panics
    ///
    /// If the configuration is wrong.
    pub async fn start(configuration: &str, authority: Option<&Pki>) -> Self {
        Self::start_as(configuration, authority, |layer| layer).await
    }

    /// The same as a proxy, whose requests are for somebody else.
    ///
    /// # Panics
    ///
    /// If the configuration is wrong.
    pub async fn start_proxy(configuration: &str) -> Self {
        Self::start_as(configuration, None, AuthLayer::as_proxy).await
    }

    async fn start_as(
        configuration: &str,
        authority: Option<&Pki>,
        place: impl FnOnce(AuthLayer) -> AuthLayer,
    ) -> Self {
        let folder = sure(tempfile::tempdir());
        let alice = NewAccount { name: USER.into(), domain: Some(DOMAIN.into()), ..NewAccount::default() };
        sure(opensspi::FileLogons::add(folder.path().join("logons.toml"), &alice, PASSWORD));
        let text = format!("{configuration}\n[logon]\naccounts = \"file:logons.toml\"\n");
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&refusals);
        let layer = place(sure(sure(Sspi::from_toml(&text, folder.path())).http_layer()));
        let layer = layer.reporting(move |attempt| {
            if let Err(error) = attempt.result {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
            }
        });
        let tls = authority.map(|authority| with_certificate(&folder, authority));
        let listener = sure(TcpListener::bind("127.0.0.1:0").await);
        let address = sure(listener.local_addr());
        tokio::spawn(async move {
            while let Ok((socket, peer)) = listener.accept().await {
                let connection = HttpConnection::new().with_source(peer.ip().to_string());
                tokio::spawn(serve(socket, layer.clone(), tls.clone(), connection));
            }
        });
        Self { address, refusals, _folder: folder }
    }

    /// Why clients were refused since this was asked last: for each that tried to log on, in its order.
    pub fn refusals(&self) -> Vec<String> {
        std::mem::take(&mut *self.refusals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Its port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its address; `https` where it has TLS.
    #[must_use]
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/", self.port())
    }
}

fn with_certificate(folder: &TempDir, authority: &Pki) -> Sspi {
    let own = authority.server("localhost").issue();
    let file = folder.path().join("server.pem");
    sure(std::fs::write(&file, own.chain_pem() + &own.key_pem()));
    let file = file.to_string_lossy().into_owned();
    let mut config = opensspi::Config::default();
    config.schannel.certificates =
        vec![CertificateConfig { chain: file.clone(), key: file, send_root: false }];
    sure(Sspi::builder().config(config).build())
}

async fn serve(socket: TcpStream, layer: AuthLayer, tls: Option<Sspi>, connection: HttpConnection) {
    let Some(tls) = tls else { return speak(socket, &layer, connection).await };
    // A client that does not trust the certificate says so at its end.
    let Ok(stream) = tls.accept(socket).await else { return };
    let bindings = sure(stream.attributes().endpoint_bindings());
    speak(stream, &layer, connection.with_channel_bindings(bindings)).await;
}

async fn speak<S>(stream: S, layer: &AuthLayer, connection: HttpConnection)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = layer.layer(Echo);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        let mut service = service.clone();
        async move { service.call(request).await }
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ended = server.serve_connection(TokioIo::new(stream), service).await;
}

/// What a client over TLS binds its logon to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundTo {
    /// The certificate of the server.
    Certificate,
    /// Another one, as if somebody in between had shown it.
    Another,
    /// Nothing.
    Nothing,
}

/// A client of ours, on a new connection to a server on 127.0.0.1; over TLS where there is an authority that it trusts, and then
/// bound to the certificate.
///
/// # Panics
///
/// If the connection does not come about.
pub async fn client(package: &str, password: &str, port: u16, authority: Option<&Pki>) -> Client {
    client_bound(BoundTo::Certificate, package, password, port, authority).await
}

/// The same, bound to what is said.
///
/// # Panics
///
/// If the connection does not come about.
pub async fn client_bound(
    bound: BoundTo,
    package: &str,
    password: &str,
    port: u16,
    authority: Option<&Pki>,
) -> Client {
    let identity = AuthData::Identity(AuthIdentity {
        user: USER.into(),
        domain: DOMAIN.into(),
        password: Secret::new(password.to_owned()),
    });
    let logon = sure(Sspi::builder().package(package).auth_data(identity).build());
    let scheme = sure(logon.http_scheme(CredentialUse::Outbound));
    let socket = sure(TcpStream::connect(("127.0.0.1", port)).await);
    let Some(authority) = authority else {
        return Client::new(sender(socket).await, "localhost", [scheme]);
    };
    let folder = sure(tempfile::tempdir());
    let root = folder.path().join("root.pem");
    sure(std::fs::write(&root, authority.root_pem()));
    let mut config = opensspi::Config::default();
    config.schannel.roots = vec![root.to_string_lossy().into_owned()];
    let stream = sure(sure(Sspi::builder().config(config).build()).connect("localhost", socket).await);
    let bindings = match bound {
        BoundTo::Certificate => sure(stream.attributes().endpoint_bindings()),
        BoundTo::Another => ChannelBindings::from_application_data(ANOTHER.to_vec()),
        BoundTo::Nothing => return Client::new(sender(stream).await, "localhost", [scheme]),
    };
    Client::new(sender(stream).await, "localhost", [scheme]).with_channel_bindings(bindings)
}

async fn sender<S>(stream: S) -> hyper::client::conn::http1::SendRequest<Full<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = sure(hyper::client::conn::http1::handshake(TokioIo::new(stream)).await);
    tokio::spawn(connection);
    sender
}

/// What a request came to: its body, where the status is 200.
///
/// # Errors
///
/// Those of the client.
///
/// # Panics
///
/// If the status is another one.
pub async fn ask(
    client: &mut Client,
    method: &str,
    path: &str,
    body: &str,
) -> Result<String, sspi_http::Error> {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let response = client.send(sure(request.body(Bytes::from(body.to_owned())))).await?;
    assert_eq!(response.status(), 200);
    let body = sure(response.into_body().collect().await).to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}
