//! One connection: its handshake, what it is served, and its end.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use opensspi::sspi_core::QueryContextAttributes;
use opensspi::sspi_http::{AuthLayer, HttpConnection};
use opensspi::{SecureStream, Sspi};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{accounts, authenticated, http};
use crate::again::Again;
use crate::print::Printer;

/// What connections are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Their own bytes.
    Echo {
        /// Behind the first, the client is asked to negotiate again, or for new keys.
        asks: bool,
    },
    /// A page.
    Http,
    /// Somebody else.
    Forward(String),
}

impl Mode {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Echo { .. } => "echo",
            Self::Http => "http",
            Self::Forward(_) => "forward",
        }
    }
}

/// What every connection shares.
pub(super) struct Service {
    sspi: Sspi,
    mode: Mode,
    /// Says who connected, where there are accounts.
    greeter: Option<Printer>,
    /// Clients log on in HTTP.
    logon: Option<Logon>,
    pub(super) counters: Counters,
    /// Whether the server is ending. Each connection holds a receiver: the sender sees the last one go.
    ending: watch::Sender<bool>,
}

/// How clients log on in HTTP.
pub(super) struct Logon {
    pub(super) layer: AuthLayer,
    /// What secures their connections, where there is a certificate for it.
    pub(super) tls: Option<Sspi>,
}

/// Counts over the life of the server.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    completed: AtomicU64,
    refused: AtomicU64,
    cut_off: AtomicU64,
    negotiated_again: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Totals {
    pub(super) accepted: u64,
    pub(super) completed: u64,
    pub(super) refused: u64,
    pub(super) cut_off: u64,
    pub(super) negotiated_again: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Counters {
    pub(super) fn totals(&self) -> Totals {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals {
            accepted: read(&self.accepted),
            completed: read(&self.completed),
            refused: read(&self.refused),
            cut_off: read(&self.cut_off),
            negotiated_again: read(&self.negotiated_again),
            received: read(&self.received),
            sent: read(&self.sent),
        }
    }
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(u64::try_from(by).unwrap_or_default(), Ordering::Relaxed);
}

impl Service {
    pub(super) fn new(sspi: Sspi, mode: Mode, greeter: Option<Printer>, logon: Option<Logon>) -> Self {
        Self { sspi, mode, greeter, logon, counters: Counters::default(), ending: watch::Sender::new(false) }
    }

    /// Serves a connection to its end. Whatever goes wrong is one line of the log.
    pub(super) async fn connection(&self, socket: TcpStream, peer: SocketAddr) {
        let mut ending = self.ending.subscribe();
        count(&self.counters.accepted, 1);
        let _latency_only = socket.set_nodelay(true);
        let began = Instant::now();
        let logs_on = tokio::select! {
            logs_on = self.logs_on(&socket) => logs_on,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        // Who has been waited for has that much less time.
        let waited = began.elapsed();
        if let Some(logon) = logs_on {
            let counter = tokio::select! {
                counter = self.log_on(logon, socket, peer, waited) => counter,
                _ = ending.wait_for(|ending| *ending) => &self.counters.completed,
            };
            count(counter, 1);
            return;
        }
        let peer = peer.to_string();
        // What a handshake needs goes away with it: an idle connection does not carry it.
        let handshake = Box::pin(self.sspi.accept_after(waited, &peer, socket));
        let stream = tokio::select! {
            stream = handshake => stream,
            _ = ending.wait_for(|ending| *ending) => return,
        };
        let Ok(mut stream) = stream else {
            // The audit record has said why.
            count(&self.counters.refused, 1);
            return;
        };
        count(&self.counters.completed, 1);
        self.greet(&peer, &stream);
        let served = tokio::select! {
            served = self.serve(&peer, &mut stream) => served,
            _ = ending.wait_for(|ending| *ending) => Ok(()),
        };
        let ended = match served {
            Ok(()) => Box::pin(stream.shutdown()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            count(&self.counters.cut_off, 1);
            let error = opensspi::harmless_message(&error.to_string());
            tracing::info!(peer, error, "a connection was cut off");
        }
    }

    /// Serves a connection to its end whose client logs on in HTTP, and says where to count it.
    async fn log_on(
        &self,
        logon: &Logon,
        socket: TcpStream,
        peer: SocketAddr,
        waited: Duration,
    ) -> &AtomicU64 {
        let deadline = self.sspi.config().handshake_deadline;
        let connection = HttpConnection::new().with_source(peer.ip().to_string());
        let served = match &logon.tls {
            None => authenticated::serve(&logon.layer, socket, connection, deadline, waited).await,
            Some(tls) => {
                // The audit record says why it is refused.
                let handshake = Box::pin(tls.accept_after(waited, &peer.to_string(), socket)).await;
                let Ok(stream) = handshake else { return &self.counters.refused };
                let connection = match stream.attributes().endpoint_bindings() {
                    Ok(bindings) => connection.with_channel_bindings(bindings),
                    Err(_) => connection,
                };
                authenticated::serve(&logon.layer, stream, connection, deadline, Duration::ZERO).await
            }
        };
        if served.is_ok() { &self.counters.completed } else { &self.counters.cut_off }
    }

    /// Where clients log on in HTTP, unless the connection begins as a stream may: a request begins with a letter, and no hello
    /// does.
    async fn logs_on(&self, socket: &TcpStream) -> Option<&Logon> {
        let logon = self.logon.as_ref()?;
        if self.sspi.package_info().capabilities.is_stream() {
            let limit = self.sspi.config().handshake_deadline.unwrap_or(Duration::MAX);
            let mut first = [0];
            let peeked = tokio::time::timeout(limit, socket.peek(&mut first)).await;
            matches!(peeked, Ok(Ok(1))).then_some(())?;
            first.first().filter(|first| first.is_ascii_alphabetic())?;
        }
        Some(logon)
    }

    /// Says who is there, where there are accounts.
    fn greet(&self, peer: &str, stream: &SecureStream<TcpStream>) {
        if let Some(printer) = &self.greeter {
            accounts::greet(printer, peer, &stream.security_context_token());
        }
    }

    /// If another handshake lies behind us it may be somebody else's account now.
    fn look_again(
        &self,
        peer: &str,
        stream: &SecureStream<TcpStream>,
        known: &mut Arc<dyn QueryContextAttributes>,
    ) {
        if !Arc::ptr_eq(known, stream.attributes()) {
            *known = Arc::clone(stream.attributes());
            count(&self.counters.negotiated_again, 1);
            self.greet(peer, stream);
        }
    }

    async fn serve(&self, peer: &str, stream: &mut SecureStream<TcpStream>) -> io::Result<()> {
        match &self.mode {
            Mode::Echo { asks } => self.echo(peer, stream, *asks).await,
            Mode::Http => Box::pin(self.http(peer, stream)).await,
            Mode::Forward(address) => Box::pin(self.forward(stream, address)).await,
        }
    }

    async fn echo(&self, peer: &str, stream: &mut SecureStream<TcpStream>, mut asks: bool) -> io::Result<()> {
        let mut known = Arc::clone(stream.attributes());
        loop {
            let data = read_some(stream).await?;
            self.look_again(peer, stream, &mut known);
            let Some(data) = data else { return Ok(()) };
            count(&self.counters.received, data.len());
            if std::mem::take(&mut asks) {
                match Again::begin(stream).await {
                    Ok(Again::NewKeys) => tracing::info!(peer, "asked a client for new keys"),
                    // SSL 2.0 has no such thing, which is no reason to end.
                    asked => tracing::info!(asked = asked.is_ok(), "asked a client to negotiate again"),
                }
            }
            stream.write_all(&data).await?;
            stream.flush().await?;
            count(&self.counters.sent, data.len());
        }
    }

    /// One answer, in one write, and then the end of our side.
    async fn http(&self, peer: &str, stream: &mut SecureStream<TcpStream>) -> io::Result<()> {
        let mut request = http::Request::default();
        let mut known = Arc::clone(stream.attributes());
        let answer = loop {
            let data = read_some(stream).await?;
            self.look_again(peer, stream, &mut known);
            let Some(data) = data else { return Ok(()) };
            count(&self.counters.received, data.len());
            match request.push(&data) {
                http::Progress::More => {}
                http::Progress::Get => {
                    break http::page(
                        stream.attributes().as_ref(),
                        stream.security_context_token().ok().as_ref(),
                    );
                }
                http::Progress::Refused(status) => break http::refusal(status),
            }
        };
        stream.write_all(&answer).await?;
        stream.flush().await?;
        count(&self.counters.sent, answer.len());
        stream.shutdown().await?;
        // Until the client has closed its side, too: closing a socket with unread bytes would take our answer back.
        let lingering = async { while let Ok(Some(_)) = read_some(stream).await {} };
        let _in_any_case = tokio::time::timeout(LINGER, lingering).await;
        Ok(())
    }

    async fn forward(&self, stream: &mut SecureStream<TcpStream>, address: &str) -> io::Result<()> {
        let mut target = TcpStream::connect(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("cannot forward to {address}: {error}")))?;
        let _latency_only = target.set_nodelay(true);
        let (received, sent) = tokio::io::copy_bidirectional(stream, &mut target).await?;
        self.counters.received.fetch_add(received, Ordering::Relaxed);
        self.counters.sent.fetch_add(sent, Ordering::Relaxed);
        Ok(())
    }

    /// Asks every connection to end, and waits until they have, or until the time is over.
    pub(super) async fn end(&self, limit: Duration) {
        self.ending.send_replace(true);
        let _in_any_case = tokio::time::timeout(limit, self.ending.closed()).await;
    }
}

/// How long a client may take to close its side after our answer.
const LINGER: Duration = Duration::from_secs(1);
/// How much is read at once.
const CHUNK: usize = 16 * 1024;

thread_local! {
    /// Where data arrives. It belongs to the thread, so that a connection that waits for data holds no memory for it.
    static ARRIVALS: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// What comes next; `None` at the end of the client's side.
async fn read_some<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<Vec<u8>>> {
    poll_fn(|cx| {
        ARRIVALS.with_borrow_mut(|memory| {
            let mut buffer = ReadBuf::new(memory);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {
                    let data = buffer.filled();
                    Poll::Ready(Ok((!data.is_empty()).then(|| data.to_vec())))
                }
            }
        })
    })
    .await
}
