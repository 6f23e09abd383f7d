//! The HTTP ends of `sspi-http` with Digest: a server of one resource, and a client of one request.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use opensspi::sspi_http::{AuthLayer, Client, Error, HttpConnection, RequestBody, Scheme};
use sspi_core::{ContextFlags, CredentialsHandle, DigestAccount, DigestLogon, IscRet};
use sspi_tokio::Answers;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tower_layer::Layer as _;
use tower_service::Service;

use super::look_up;

/// What the resource holds.
pub const CONTENT: &str = "the resource\n";

struct Accounts;

#[async_trait]
impl Answers for Accounts {
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, sspi_core::Error> {
        Ok(look_up(logon))
    }
}

#[derive(Clone, Copy)]
struct Resource;

impl Service<Request<RequestBody<Incoming>>> for Resource {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody<Incoming>>) -> Self::Future {
        ready(Ok(Response::new(Full::from(CONTENT))))
    }
}

/// A server that listens until it is dropped.
#[derive(Debug)]
pub struct Server {
    port: u16,
    _runtime: Runtime,
}

impl Server {
    /// Starts it with these credentials.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub fn start(credentials: Arc<dyn CredentialsHandle>) -> io::Result<Self> {
        let layer = AuthLayer::new([Scheme::digest(credentials)]).with_answers(Arc::new(Accounts));
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(layer.clone(), socket));
            }
        });
        Ok(Self { port, _runtime: runtime })
    }

    /// The resource's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/resource?a=b,c", self.port)
    }
}

/// A connection that breaks is the client's affair: the test looks at what the client says.
async fn serve(layer: AuthLayer, socket: TcpStream) {
    let (connection, service) = (HttpConnection::new(), layer.layer(Resource));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        service.clone().call(request)
    });
    let _ended =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

/// What became of a request.
#[derive(Debug)]
pub struct Fetched {
    /// The status of the last response.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
    /// The client has seen that the server knows the password.
    pub is_mutual: bool,
}

/// Gets a resource with Digest, over one connection.
///
/// # Errors
///
/// The package refuses the server, the server does not take the password, or the connection breaks.
pub fn fetch(port: u16, path: &str, credentials: &Arc<dyn CredentialsHandle>) -> Result<Fetched, Error> {
    fetch_with(port, path, credentials, |client| client)
}

/// The same from a server that must prove that it knows the password.
///
/// # Errors
///
/// It does not, or those of [`fetch`].
pub fn fetch_with_proof(
    port: u16,
    path: &str,
    credentials: &Arc<dyn CredentialsHandle>,
) -> Result<Fetched, Error> {
    fetch_with(port, path, credentials, Client::require_proof)
}

fn fetch_with(
    port: u16,
    path: &str,
    credentials: &Arc<dyn CredentialsHandle>,
    change: impl FnOnce(Client) -> Client,
) -> Result<Fetched, Error> {
    let scheme = Scheme::digest(Arc::clone(credentials));
    let request = Request::get(path).header("host", format!("localhost:{port}")).body(Bytes::new());
    let fetching = async {
        let socket = TcpStream::connect(("127.0.0.1", port)).await;
        let socket = socket.unwrap_or_else(|error| panic!("{error}"));
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let mut client = change(Client::new(sender, "localhost", [scheme]));
        let response = client.send(request.unwrap_or_else(|error| panic!("{error}"))).await?;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap_or_else(|error| panic!("{error}")).to_bytes();
        let flags = client.authenticated().map(|(_, attributes)| attributes.flags());
        let is_mutual =
            matches!(flags, Some(ContextFlags::Initiator(flags)) if flags.contains(IscRet::MUTUAL_AUTH));
        Ok(Fetched { status, body, is_mutual })
    };
    Runtime::new().unwrap_or_else(|error| panic!("{error}")).block_on(fetching)
}
