//! The HTTP ends of `sspi-http` with Digest: a server of one resource, and a client of one request.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
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

/// Its target.
pub const TARGET: &str = "/resource?a=b,c";

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

/// A server that listens until it is dropped. It speaks HTTP/2 with whoever begins with that.
#[derive(Debug)]
pub struct Server {
    port: u16,
    refusals: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Server {
    /// Starts it with these credentials.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub fn start(credentials: Arc<dyn CredentialsHandle>) -> io::Result<Self> {
        Self::start_as(credentials, |layer| layer)
    }

    /// The same as a proxy, whose requests are for somebody else.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub fn start_proxy(credentials: Arc<dyn CredentialsHandle>) -> io::Result<Self> {
        Self::start_as(credentials, AuthLayer::as_proxy)
    }

    fn start_as(
        credentials: Arc<dyn CredentialsHandle>,
        place: impl FnOnce(AuthLayer) -> AuthLayer,
    ) -> io::Result<Self> {
        let refusals = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&refusals);
        let layer = AuthLayer::new([Scheme::digest(credentials)]).with_answers(Arc::new(Accounts));
        let layer = place(layer).reporting(move |attempt| {
            if let Err(error) = attempt.result {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
            }
        });
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(layer.clone(), socket));
            }
        });
        Ok(Self { port, refusals, _runtime: runtime })
    }

    /// Its port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why clients were refused since this was asked last.
    pub fn refusals(&self) -> Vec<String> {
        std::mem::take(&mut *self.refusals.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The resource's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{TARGET}", self.port)
    }
}

/// A connection that breaks is the client's affair: the test looks at what the client says.
async fn serve(layer: AuthLayer, socket: TcpStream) {
    let (connection, service) = (HttpConnection::new(), layer.layer(Resource));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        service.clone().call(request)
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    let _ended = server.serve_connection(TokioIo::new(socket), service).await;
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

/// What is asked for with Digest, over one connection.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The target.
    pub path: &'a str,
    /// A body, which is posted.
    pub body: Option<&'a str>,
    /// How often.
    pub times: usize,
    /// The server must prove that it knows the password.
    pub needs_proof: bool,
    /// It is a proxy that asks who it is.
    pub is_proxy: bool,
}

impl<'a> Asked<'a> {
    /// A page, once.
    #[must_use]
    pub const fn page(path: &'a str) -> Self {
        Self { path, body: None, times: 1, needs_proof: false, is_proxy: false }
    }

    fn request(&self, port: u16) -> Request<Bytes> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let request = Request::builder().method(method).uri(self.path);
        let request = request.header("host", format!("localhost:{port}"));
        let request = request.body(Bytes::from(self.body.unwrap_or_default().to_owned()));
        request.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// Gets a resource with Digest, over one connection.
///
/// # Errors
///
/// The package refuses the server, the server does not take the password, or the connection breaks.
pub fn fetch(port: u16, path: &str, credentials: &Arc<dyn CredentialsHandle>) -> Result<Fetched, Error> {
    fetch_last(port, Asked::page(path), credentials)
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
    fetch_last(port, Asked { needs_proof: true, ..Asked::page(path) }, credentials)
}

/// What the last of these requests came to.
///
/// # Errors
///
/// The first of one of them, as in [`fetch`].
pub fn fetch_last(
    port: u16,
    asked: Asked<'_>,
    credentials: &Arc<dyn CredentialsHandle>,
) -> Result<Fetched, Error> {
    let scheme = Scheme::digest(Arc::clone(credentials));
    let fetching = async {
        let socket = TcpStream::connect(("127.0.0.1", port)).await;
        let socket = socket.unwrap_or_else(|error| panic!("{error}"));
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(connection);
        let mut client = Client::new(sender, "localhost", [scheme]);
        if asked.needs_proof {
            client = client.require_proof();
        }
        if asked.is_proxy {
            client = client.to_proxy();
        }
        for _ in 1..asked.times {
            let response = client.send(asked.request(port)).await?;
            response.into_body().collect().await.unwrap_or_else(|error| panic!("{error}"));
        }
        let response = client.send(asked.request(port)).await?;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap_or_else(|error| panic!("{error}")).to_bytes();
        let flags = client.authenticated().map(|(_, attributes)| attributes.flags());
        let is_mutual =
            matches!(flags, Some(ContextFlags::Initiator(flags)) if flags.contains(IscRet::MUTUAL_AUTH));
        Ok(Fetched { status, body, is_mutual })
    };
    Runtime::new().unwrap_or_else(|error| panic!("{error}")).block_on(fetching)
}
