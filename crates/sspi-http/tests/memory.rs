//! Ten thousand clients that get their challenge over HTTP and never answer: what they cost a server, and until when.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ntlm::{Environment, NoSecrets, Ntlm, NtlmConfig};
use peak_alloc::PeakAlloc;
use sspi_core::{Clock, CredentialUse, CredentialsRequest, SecurityPackage as _};
use sspi_http::{AuthLayer, HttpConnection, RequestBody, Scheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tower_layer::Layer as _;
use tower_service::Service;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const CLIENTS: usize = 10_000;

/// What all exchanges that are under way may take together.
const MOST: usize = 20 * 1000 * 1000;

/// Bytes of one exchange, of which docs/ntlm.md says that it takes less.
const OF_ONE: usize = 800;

/// A request that begins an exchange: UTF-16, NTLM, signing and sealing with extended session security and 128 bits.
const OFFER: &[u8] = b"GET / HTTP/1.1\r\nHost: www\r\nAuthorization: NTLM TlRMTVNTUAABAAAANYII4AAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n";

/// One that says nothing, and is asked.
const SILENT: &[u8] = b"GET / HTTP/1.1\r\nHost: www\r\n\r\n";

/// How many challenges were sent, and how many times somebody was asked who it is.
static ANSWERS: AtomicUsize = AtomicUsize::new(0);

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A client that sends this, and says nothing more. It has no memory of its own: only the server's is counted.
struct Idle {
    left: &'static [u8],
    /// With what the answer to it begins.
    expected: &'static [u8],
}

impl AsyncRead for Idle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            return Poll::Pending;
        }
        let (now, left) = self.left.split_at(self.left.len().min(into.remaining()));
        into.put_slice(now);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Idle {
    fn poll_write(self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.windows(self.expected.len()).any(|part| part == self.expected) {
            ANSWERS.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Nobody gets this far.
#[derive(Clone)]
struct Page;

impl Service<Request<RequestBody<Incoming>>> for Page {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<RequestBody<Incoming>>) -> Self::Future {
        std::future::ready(Ok(Response::new(Full::from("a page"))))
    }
}

fn layer() -> AuthLayer {
    let environment = Environment {
        clock: Arc::new(WallClock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: Some("www.example.com".into()),
    };
    let server = CredentialsRequest::configured(CredentialUse::Inbound);
    let ntlm = Ntlm::new(NtlmConfig::default(), environment).acquire_credentials_handle(&server).unwrap();
    AuthLayer::new([Scheme::ntlm(ntlm)]).with_deadline(Duration::from_secs(30))
}

/// Serves so many clients that send this, until each has its answer.
async fn serve(
    layer: &AuthLayer,
    count: usize,
    sends: &'static [u8],
    expected: &'static [u8],
) -> (Vec<HttpConnection>, Vec<JoinHandle<()>>) {
    let until = ANSWERS.load(Ordering::Relaxed) + count;
    let (mut connections, mut tasks) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for _ in 0..count {
        let connection = HttpConnection::new().with_source("10.0.0.1");
        connections.push(connection.clone());
        let inner = layer.layer(Page);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            inner.clone().call(request)
        });
        let socket = TokioIo::new(Idle { left: sends, expected });
        let serving = hyper::server::conn::http1::Builder::new().serve_connection(socket, service);
        tasks.push(tokio::spawn(async move { drop(serving.await) }));
    }
    while ANSWERS.load(Ordering::Relaxed) < until {
        tokio::task::yield_now().await;
    }
    (connections, tasks)
}

fn under_way(connections: &[HttpConnection]) -> usize {
    connections.iter().filter(|connection| format!("{connection:?}").contains("being authenticated")).count()
}

/// hyper has buffers for each connection, whatever is sent over it: what such connections take is measured first.
#[tokio::test(start_paused = true)]
async fn ten_thousand_half_done_exchanges_stay_under_20_megabytes_and_are_dropped_at_their_deadline() {
    let layer = layer();
    // What is made once is made.
    let _first = serve(&layer, 1, OFFER, b"NTLM TlRMTVNTUAAC").await;
    tokio::time::advance(Duration::from_secs(31)).await;
    let start = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let silent = serve(&layer, CLIENTS, SILENT, b"401 Unauthorized").await;
    let of_connections = HEAP.peak_usage() - start;
    silent.1.iter().for_each(JoinHandle::abort);
    drop(silent.0);
    for task in silent.1 {
        assert!(task.await.is_err());
    }

    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let (connections, tasks) = serve(&layer, CLIENTS, OFFER, b"NTLM TlRMTVNTUAAC").await;
    let taken = HEAP.peak_usage() - before;
    let held = HEAP.current_usage() - before;
    println!(
        "{taken} bytes for {CLIENTS} connections that are half done, {of_connections} for as many that are not"
    );
    let of_exchanges = taken.saturating_sub(of_connections);
    assert!(of_exchanges < MOST, "{taken} bytes, and {of_connections} of as many connections alone");
    assert!(
        of_exchanges < CLIENTS * OF_ONE,
        "{} bytes each, {OF_ONE} in the document",
        of_exchanges / CLIENTS
    );
    assert_eq!(under_way(&connections), CLIENTS);
    tokio::time::advance(Duration::from_secs(29)).await;
    tokio::task::yield_now().await;
    assert_eq!(under_way(&connections), CLIENTS);
    tokio::time::advance(Duration::from_secs(1)).await;
    while under_way(&connections) > 0 {
        tokio::task::yield_now().await;
    }
    let left = HEAP.current_usage() - before;
    println!("{left} bytes when all of them were dropped");
    assert!(left < of_connections + MOST / 10, "{left} bytes are left, of {held}");
    assert!(tasks.iter().all(|task| !task.is_finished()), "the connections themselves are the application's");
}
