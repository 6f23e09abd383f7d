//! One protocol of the demo: a server, a client that connects twice, and data.

use std::time::{Duration, Instant};

use opensspi::{Config, ExitClass, Protocol, Sspi};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::exit::Failure;
use crate::recording::{Leg, Recorded, Recording};
use crate::self_signed::SelfSigned;
use crate::summary::Summary;

/// Whom the certificate is for.
const NAME: &str = "localhost";
/// What is offered where the configuration names no application protocol.
const ALPN: &str = "opensspi-demo";
/// How much is written at once.
const CHUNK: usize = 64 * 1024;
/// A connection that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// A protocol to show.
pub(super) struct Case {
    protocol: Protocol,
    server: Sspi,
    client: Sspi,
    resumes: bool,
    bytes: u64,
}

/// A connection that was tried.
pub(super) struct Run {
    pub(super) package: String,
    pub(super) protocol: Protocol,
    /// The second connection, which resumes the session of the first.
    pub(super) is_second: bool,
    pub(super) legs: Vec<Leg>,
    pub(super) result: Result<Outcome, Failure>,
}

/// A connection that went well.
pub(super) struct Outcome {
    pub(super) summary: Summary,
    pub(super) handshake: Duration,
    pub(super) bytes: u64,
    pub(super) transfer: Duration,
}

impl Outcome {
    /// Megabytes a second.
    pub(super) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let megabytes = self.bytes as f64 / 1e6;
        megabytes / self.transfer.as_secs_f64().max(1e-9)
    }
}

impl Case {
    pub(super) fn new(config: &Config, protocol: Protocol, bytes: u64) -> Result<Self, Failure> {
        let certificate = SelfSigned::new(&[NAME, "127.0.0.1"])?;
        let mut config = config.clone();
        let schannel = &mut config.schannel;
        schannel.protocols = vec![protocol];
        schannel.certificates.clear();
        schannel.client_auth = opensspi::ClientAuth::None;
        schannel.client_roots.clear();
        schannel.revocation = opensspi::Revocation::Off;
        schannel.crls.clear();
        schannel.ocsp_response = None;
        if schannel.alpn.is_empty() {
            schannel.alpn = vec![ALPN.to_owned()];
        }
        let resumes = schannel.resume;
        let server = Sspi::builder().config(config.clone()).certificate(certificate.identity).build()?;
        config.schannel.roots.clear();
        config.schannel.pins = vec![certificate.pin];
        let client = Sspi::builder().config(config).build()?;
        Ok(Self { protocol, server, client, resumes, bytes })
    }

    /// Connects once, and, where sessions are resumed, a second time.
    pub(super) async fn run(&self) -> Vec<Run> {
        let first = self.connection(false).await;
        let mut runs = Vec::new();
        let went_well = first.result.is_ok();
        runs.push(first);
        if went_well && self.resumes {
            let mut second = self.connection(true).await;
            if second.result.as_ref().is_ok_and(|outcome| !outcome.summary.negotiated.resumed) {
                second.result = Err(Failure::protocol("the session was not resumed"));
            }
            runs.push(second);
        }
        runs
    }

    async fn connection(&self, is_second: bool) -> Run {
        let recording = Recording::default();
        let result = match tokio::time::timeout(LIMIT, self.both_ends(&recording)).await {
            Ok(result) => result,
            Err(_) => Err(Failure::new(ExitClass::Network, format!("not over after {LIMIT:?}"))),
        };
        Run {
            package: self.client.package_info().name.to_string(),
            protocol: self.protocol,
            is_second,
            legs: recording.take(),
            result,
        }
    }

    async fn both_ends(&self, recording: &Recording) -> Result<Outcome, Failure> {
        let network = |error: std::io::Error| Failure::network("the loopback connection failed", &error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(network)?;
        let address = listener.local_addr().map_err(network)?;
        let server = self.server.clone();
        let serving = tokio::spawn(async move {
            let (socket, peer) = listener.accept().await.map_err(network)?;
            let _latency_only = socket.set_nodelay(true);
            let stream = server.accept_from(&peer.to_string(), socket).await?;
            answer(stream).await.map_err(|error| Failure::stream(&error))
        });
        let socket = TcpStream::connect(address).await.map_err(network)?;
        let _latency_only = socket.set_nodelay(true);
        let client = self.client(socket, recording).await;
        let served =
            serving.await.unwrap_or_else(|error| Err(Failure::protocol(format!("the server: {error}"))));
        // Why the server gave up says more than that the client saw it give up.
        match (client, served) {
            (Ok(outcome), Ok(())) => Ok(outcome),
            (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
            (Err(client), Err(server)) => {
                Err(Failure { message: format!("{} (server: {})", client.message, server.message), ..client })
            }
        }
    }

    /// Connects, sends the data, and waits for the count of what arrived.
    async fn client(&self, socket: TcpStream, recording: &Recording) -> Result<Outcome, Failure> {
        let socket = Recorded::new(socket, recording.clone());
        let began = Instant::now();
        let mut stream = self.client.connect(NAME, socket).await?;
        let handshake = began.elapsed();
        recording.stop();
        let summary = Summary::of(stream.attributes().as_ref(), None);

        let began = Instant::now();
        let arrived = send(&mut stream, self.bytes).await.map_err(|error| Failure::stream(&error))?;
        let transfer = began.elapsed();
        if arrived != self.bytes {
            return Err(Failure::protocol(format!("{} bytes were sent, and {arrived} arrived", self.bytes)));
        }
        Ok(Outcome { summary, handshake, bytes: self.bytes, transfer })
    }
}

/// Sends so many bytes, and reads how many arrived as they were sent.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: u64) -> std::io::Result<u64> {
    let chunk: Vec<u8> = pattern();
    let mut left = bytes;
    while left > 0 {
        let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.write_all(chunk.get(..count).unwrap_or_default()).await?;
        left -= u64::try_from(count).unwrap_or(left);
    }
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.first_chunk::<8>().map_or(0, |count| u64::from_be_bytes(*count)))
}

/// Counts what comes as long as it is what was sent, and answers with the count.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> std::io::Result<()> {
    let expected = pattern();
    let mut buffer = vec![0; CHUNK];
    let mut count: u64 = 0;
    let mut at = 0;
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        let mut rest = buffer.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            let ahead = expected.get(at..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(ahead.len()));
            if now != ahead.get(..now.len()).unwrap_or_default() {
                return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "a byte is wrong"));
            }
            at = (at + now.len()) % CHUNK;
            rest = later;
        }
        count += u64::try_from(read).unwrap_or_default();
    }
    stream.write_all(&count.to_be_bytes()).await?;
    stream.shutdown().await
}

/// Bytes that do not repeat with any record.
fn pattern() -> Vec<u8> {
    (0..CHUNK).map(|i| u8::try_from((i * i + i / 251) % 256).unwrap_or_default()).collect()
}
