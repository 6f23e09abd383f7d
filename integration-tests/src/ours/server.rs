//! Our end as a server.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use sspi_core::{
    AcceptSecurityContext, ControlToken, CredentialUse, CredentialsHandle, QueryContextAttributes,
};
use sspi_tokio::{SecureReadHalf, SecureStream, SecureWriteHalf, handshake};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::records::Records;
use super::{Failure, Report, Setup, runtime};
use crate::Pattern;

/// What a server of ours does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends every byte back, and reads on whether or not the peer takes them.
    Echo,
    /// Answers one HTTP request and closes: a body of the pattern with [`HTTP_BODY_SEED`], as long as the request's
    /// body, which must be the pattern with seed 1.
    Http,
    /// Sends every byte back, except that `ask` and a line feed, alone, make it ask the client to negotiate again, in TLS 1.3
    /// for new keys, and say so. `ask and wait` is the same for a client that takes no data meanwhile: nothing is said.
    Ask,
    /// Sends every record back as a record, and counts those without content.
    Records {
        /// Whether one without content goes before each, and two before the first; and one behind them all.
        sends_empty: bool,
    },
}

/// The seed of the bodies that [`Service::Http`] answers with.
pub const HTTP_BODY_SEED: u64 = 2;

/// A server of ours, listening on 127.0.0.1. Dropped, it listens no more; connections go on.
#[derive(Debug)]
pub struct Server {
    port: u16,
    reports: Receiver<Report>,
    accepting: AbortHandle,
}

impl Server {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// There are no credentials, or no port.
    pub fn start(setup: &Setup, service: Service) -> Result<Self, Failure> {
        let credentials = setup.credentials(CredentialUse::Inbound)?;
        let runtime = runtime()?;
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
        let port = listener.local_addr()?.port();
        let (sender, reports) = mpsc::channel();
        let accepting = accept(listener, credentials, setup.clone(), service, sender);
        Ok(Self { port, reports, accepting: runtime.spawn(accepting).abort_handle() })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next connection to end, well or badly, and says what it was.
    ///
    /// # Errors
    ///
    /// None ended in time.
    pub fn next_connection(&self, patience: Duration) -> Result<Report, Failure> {
        self.reports.recv_timeout(patience).map_err(|_| Failure::Late(patience))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    credentials: Arc<dyn CredentialsHandle>,
    setup: Setup,
    service: Service,
    reports: Sender<Report>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (credentials, setup, reports) = (Arc::clone(&credentials), setup.clone(), reports.clone());
        tokio::spawn(async move {
            let mut report = Report::default();
            let served = serve(stream, credentials.as_ref(), &setup, service, &mut report).await;
            // Whoever waits for it may have gone.
            drop(reports.send(match served {
                Ok(()) => report,
                Err(failure) => report.failed(failure),
            }));
        });
    }
}

async fn serve(
    stream: TcpStream,
    credentials: &dyn CredentialsHandle,
    setup: &Setup,
    service: Service,
    report: &mut Report,
) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let accepting = credentials.accept(&setup.accept_request())?;
    if let Service::Records { sends_empty } = service {
        return serve_records(stream, accepting, sends_empty, report).await;
    }
    let stream = handshake(stream, accepting, &setup.handshake_options()).await?;
    report.note(stream.attributes().as_ref())?;
    match service {
        Service::Echo => echo(stream, report).await,
        Service::Http => answer(stream, report).await,
        Service::Ask => ask(stream, report).await,
        Service::Records { .. } => Ok(()),
    }
}

async fn serve_records(
    stream: TcpStream,
    accepting: Box<dyn AcceptSecurityContext>,
    sends_empty: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let serving = tokio::task::spawn_blocking(move || {
        let mut report = Report::default();
        let records = Records::establish(stream, accepting.into(), sends_empty, &mut report);
        let served = records.and_then(|records| records.send_back(&mut report));
        (report, served)
    });
    let (noted, served) = serving.await.map_err(io::Error::other)?;
    *report = noted;
    served
}

type Stream = SecureStream<TcpStream>;

/// Sends everything back. Reading never waits for writing: a peer that sends all it has before it reads would wait for
/// us, and we for it.
async fn echo(stream: Stream, report: &mut Report) -> Result<(), Failure> {
    let (reader, writer) = stream.into_split();
    let (queue, queued) = unbounded_channel();
    let (read, written) =
        tokio::join!(take(reader, queue, &mut report.negotiated.bytes), send_back(writer, queued));
    read?;
    report.negotiated.clean_close = true;
    written?;
    Ok(())
}

async fn take(
    mut reader: SecureReadHalf<TcpStream>,
    queue: UnboundedSender<Vec<u8>>,
    bytes: &mut u64,
) -> io::Result<()> {
    let mut buffer = vec![0; 65_536];
    loop {
        let count = reader.read(&mut buffer).await?;
        let (read, _) = buffer.split_at(count);
        // The writer goes first only if it failed, and says why itself.
        if count == 0 || queue.send(read.to_vec()).is_err() {
            return Ok(());
        }
        *bytes += count as u64;
    }
}

async fn send_back(
    mut writer: SecureWriteHalf<TcpStream>,
    mut queued: UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    while let Some(bytes) = queued.recv().await {
        writer.write_all(&bytes).await?;
        if queued.is_empty() {
            writer.flush().await?;
        }
    }
    writer.shutdown().await
}

/// The version on the wire.
const TLS13: u16 = 0x0304;

/// Sends back what comes, and counts the handshakes. What is reported is what the last one left.
async fn ask(mut stream: Stream, report: &mut Report) -> Result<(), Failure> {
    let mut buffer = vec![0; 65_536];
    let mut attributes = Arc::clone(stream.attributes());
    loop {
        let count = stream.read(&mut buffer).await?;
        note_again(&mut attributes, &stream, report)?;
        if count == 0 {
            break;
        }
        let (read, _) = buffer.split_at(count);
        report.negotiated.bytes += count as u64;
        if let b"ask\n" | b"ask and wait\n" = read {
            let is_tls13 = stream.attributes().cipher_info()?.protocol_version == TLS13;
            match is_tls13 {
                true => stream.apply_control_token(&ControlToken::UpdateKeys).await?,
                false => stream.renegotiate().await?,
            }
            if read == b"ask\n" {
                stream.write_all(b"asked\n").await?;
            }
        } else {
            stream.write_all(read).await?;
        }
        stream.flush().await?;
        note_again(&mut attributes, &stream, report)?;
    }
    report.negotiated.clean_close = true;
    Ok(stream.shutdown().await?)
}

/// Counts a handshake that has been since the last call, and notes what it left.
fn note_again(
    attributes: &mut Arc<dyn QueryContextAttributes>,
    stream: &Stream,
    report: &mut Report,
) -> Result<(), Failure> {
    if Arc::ptr_eq(attributes, stream.attributes()) {
        return Ok(());
    }
    *attributes = Arc::clone(stream.attributes());
    report.renegotiations += 1;
    report.note(attributes.as_ref())
}

/// Answers one HTTP request.
async fn answer(mut stream: Stream, report: &mut Report) -> Result<(), Failure> {
    let mut received = Vec::new();
    let head = loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = received.split_off(end + 4);
            break String::from_utf8_lossy(&std::mem::replace(&mut received, body)).into_owned();
        }
        if received.len() > 65_536 || stream.read_buf(&mut received).await? == 0 {
            return Err(Failure::Request(format!("no request in {} bytes", received.len())));
        }
    };
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
    };
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        stream.flush().await?;
    }

    let content = Pattern::new(1).content(length);
    let bytes = &mut report.negotiated.bytes;
    content.check(0, &received)?;
    *bytes = received.len() as u64;
    let mut buffer = vec![0; 65_536];
    while *bytes < length {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Err(Failure::Short(*bytes, length));
        }
        let (read, _) = buffer.split_at(count);
        content.check(*bytes, read)?;
        *bytes += count as u64;
    }

    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let body = Pattern::new(HTTP_BODY_SEED).content(length);
    let mut sent = 0;
    while sent < length {
        let chunk = body.chunk(sent, 65_536);
        stream.write_all(&chunk).await?;
        sent += chunk.len() as u64;
    }
    stream.shutdown().await?;
    report.negotiated.clean_close = stream.read(&mut buffer).await? == 0;
    Ok(())
}
