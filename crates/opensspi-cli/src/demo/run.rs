//! One protocol of the demo: a server, a client that connects twice, and data.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opensspi::sspi_core::{CredentialUse, SecStatus};
use opensspi::{ClientAuth, ExitClass, Sspi};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::plan::{Plan, Show};
use crate::exit::Failure;
use crate::recording::{Leg, Recorded, Recording};
use crate::summary::Summary;

/// How much is written at once.
const CHUNK: usize = 64 * 1024;
/// A connection that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(120);

/// A server, and where it listens.
#[derive(Clone)]
pub(super) struct Port {
    listener: Arc<TcpListener>,
    pub(super) address: SocketAddr,
    server: Sspi,
}

impl Port {
    pub(super) async fn open(server: Sspi) -> Result<Self, Failure> {
        let network = |error: std::io::Error| Failure::network("the loopback connection failed", &error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(network)?;
        let address = listener.local_addr().map_err(network)?;
        Ok(Self { listener: Arc::new(listener), address, server })
    }
}

/// A protocol to show.
pub(super) struct Case {
    /// `TLS 1.3`.
    protocol: String,
    port: Port,
    client: Sspi,
    /// The client that shows no certificate, where the server asks for one, and whether it is let in.
    anonymous: Option<(Sspi, bool)>,
    name: String,
    resumes: bool,
    bytes: u64,
}

/// Which connection of a protocol it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first.
    Full,
    /// The second, which resumes the session of the first.
    Resumed,
    /// One whose client shows no certificate although the server asks.
    NoCertificate,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::NoCertificate => "no cert",
        }
    }
}

/// A connection that was tried.
pub(super) struct Run {
    pub(super) package: String,
    pub(super) protocol: String,
    pub(super) kind: Kind,
    /// The server's.
    pub(super) port: u16,
    /// Whether the client showed a certificate, where the server asked.
    pub(super) shows_certificate: Option<bool>,
    pub(super) legs: Vec<Leg>,
    pub(super) result: Result<Outcome, Failure>,
}

/// How a connection went that went as it should.
pub(super) enum Outcome {
    /// It was made, and carried data.
    Made(Box<Made>),
    /// The server refused it, and had to; why.
    Refused(String),
}

/// A connection that was made.
pub(super) struct Made {
    pub(super) summary: Summary,
    pub(super) handshake: Duration,
    pub(super) bytes: u64,
    pub(super) transfer: Duration,
}

impl Made {
    /// Megabytes a second.
    pub(super) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let megabytes = self.bytes as f64 / 1e6;
        megabytes / self.transfer.as_secs_f64().max(1e-9)
    }
}

impl Case {
    /// On a port that is open already, or on one of its own.
    pub(super) async fn new(
        plan: &Plan,
        show: Show,
        bytes: u64,
        port: Option<Port>,
    ) -> Result<Self, Failure> {
        let protocol = show.protocol;
        let port = match port {
            Some(port) => port,
            None => Port::open(plan.server(show)?).await?,
        };
        let server = &port.server;
        let settings = &server.config().schannel;
        let resumes = settings.resume;
        let anonymous = match settings.client_auth {
            ClientAuth::None => None,
            wants => Some((plan.client(show, false)?, wants == ClientAuth::Optional)),
        };
        let client = plan.client(show, true)?;
        // What is wrong with the configuration shows now, and not as a handshake that failed.
        server.acquire(CredentialUse::Inbound)?;
        client.acquire(CredentialUse::Outbound)?;
        let (protocol, name) = (protocol.bits().to_string(), plan.name.clone());
        Ok(Self { protocol, port, client, anonymous, name, resumes, bytes })
    }

    /// A package that has no protocols and no sessions.
    pub(super) async fn of_package(
        protocol: &str,
        server: Sspi,
        client: Sspi,
        name: &str,
        bytes: u64,
    ) -> Result<Self, Failure> {
        server.acquire(CredentialUse::Inbound)?;
        client.acquire(CredentialUse::Outbound)?;
        let port = Port::open(server).await?;
        let (protocol, name) = (protocol.to_owned(), name.to_owned());
        Ok(Self { protocol, port, client, anonymous: None, name, resumes: false, bytes })
    }

    /// Connects once and, where sessions are resumed, a second time; then without a certificate, where one is asked for.
    pub(super) async fn run(&self) -> Vec<Run> {
        let mut runs = vec![self.connection(Kind::Full, &self.client).await];
        let went_well = runs.iter().all(|run| run.result.is_ok());
        if went_well && self.resumes {
            let mut second = self.connection(Kind::Resumed, &self.client).await;
            if let Ok(Outcome::Made(made)) = &second.result
                && !made.summary.negotiated.resumed
            {
                second.result = Err(Failure::protocol("the session was not resumed"));
            }
            runs.push(second);
        }
        if let Some((client, _)) = &self.anonymous {
            runs.push(self.connection(Kind::NoCertificate, client).await);
        }
        runs
    }

    async fn connection(&self, kind: Kind, client: &Sspi) -> Run {
        let recording = Recording::default();
        let result = match tokio::time::timeout(LIMIT, self.both_ends(client, &recording)).await {
            Ok(Err(failure)) => Err(failure),
            Ok(Ok((client, server))) => match &self.anonymous {
                Some((_, false)) if kind == Kind::NoCertificate => refused(client, server),
                _ => both(client, server).map(|made| Outcome::Made(Box::new(made))),
            },
            Err(_) => Err(Failure::new(ExitClass::Network, format!("not over after {LIMIT:?}"))),
        };
        Run {
            package: client.package_info().name.to_string(),
            protocol: self.protocol.clone(),
            kind,
            port: self.port.address.port(),
            shows_certificate: self.anonymous.as_ref().map(|_| kind != Kind::NoCertificate),
            legs: recording.take(),
            result,
        }
    }

    /// A connection, as its client and as its server see it.
    async fn both_ends(
        &self,
        client: &Sspi,
        recording: &Recording,
    ) -> Result<(Result<Made, Failure>, Result<(), Failure>), Failure> {
        let network = |error: std::io::Error| Failure::network("the loopback connection failed", &error);
        let Port { listener, address, server } = self.port.clone();
        let serving = tokio::spawn(async move {
            let (socket, peer) = listener.accept().await.map_err(network)?;
            let _latency_only = socket.set_nodelay(true);
            let stream = server.accept_from(&peer.to_string(), socket).await?;
            answer(stream).await.map_err(|error| Failure::stream(&error))
        });
        let socket = TcpStream::connect(address).await.map_err(network)?;
        let _latency_only = socket.set_nodelay(true);
        let client = self.client(client, socket, recording).await;
        let served =
            serving.await.unwrap_or_else(|error| Err(Failure::protocol(format!("the server: {error}"))));
        Ok((client, served))
    }

    /// Connects, sends the data, and waits for the count of what arrived.
    async fn client(&self, client: &Sspi, socket: TcpStream, recording: &Recording) -> Result<Made, Failure> {
        let socket = Recorded::new(socket, recording.clone());
        let began = Instant::now();
        let mut stream = client.connect(&self.name, socket).await?;
        let handshake = began.elapsed();
        recording.stop();
        let summary = Summary::of(stream.attributes().as_ref(), None);

        let began = Instant::now();
        let arrived = send(&mut stream, self.bytes).await.map_err(|error| Failure::stream(&error))?;
        let transfer = began.elapsed();
        if arrived != self.bytes {
            return Err(Failure::protocol(format!("{} bytes were sent, and {arrived} arrived", self.bytes)));
        }
        Ok(Made { summary, handshake, bytes: self.bytes, transfer })
    }
}

/// A connection that must be made.
fn both(client: Result<Made, Failure>, server: Result<(), Failure>) -> Result<Made, Failure> {
    match (client, server) {
        (Ok(made), Ok(())) => Ok(made),
        (Err(failure), Ok(())) | (Ok(_), Err(failure)) => Err(failure),
        (Err(client), Err(server)) => {
            Err(Failure { message: format!("{} (server: {})", client.message, server.message), ..client })
        }
    }
}

/// A connection that the server must refuse for want of a certificate.
fn refused(client: Result<Made, Failure>, server: Result<(), Failure>) -> Result<Outcome, Failure> {
    let expected = SecStatus::SEC_E_NO_CREDENTIALS.to_string();
    match (client, server) {
        (Err(_), Err(server)) if server.status.as_ref() == Some(&expected) => {
            Ok(Outcome::Refused(server.message))
        }
        (Ok(_), _) => Err(Failure::protocol("the server let in a client without a certificate")),
        (Err(client), server) => both(Err(client), server).map(|made| Outcome::Made(Box::new(made))),
    }
}

/// Says how many bytes come, sends them, and reads how many arrived as they were sent.
async fn send<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, bytes: u64) -> std::io::Result<u64> {
    let chunk: Vec<u8> = pattern();
    stream.write_all(&bytes.to_be_bytes()).await?;
    let mut left = bytes;
    while left > 0 {
        let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.write_all(chunk.get(..count).unwrap_or_default()).await?;
        left -= u64::try_from(count).unwrap_or(left);
    }
    stream.flush().await?;
    let mut count = [0; 8];
    stream.read_exact(&mut count).await?;
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(u64::from_be_bytes(count))
}

/// Counts what comes as long as it is what was announced and sent, and answers with the count.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> std::io::Result<()> {
    let expected = pattern();
    let mut buffer = vec![0; CHUNK];
    let mut announced = [0; 8];
    stream.read_exact(&mut announced).await?;
    let mut count: u64 = 0;
    let mut at = 0;
    while count < u64::from_be_bytes(announced) {
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
