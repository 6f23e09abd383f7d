//! Memory of idle connections: what 10,000 of them add to a process, both ends of each in it.
//!
//! Each subject is measured in a process of its own, so that neither inherits the other's freed memory. The transport is in
//! memory and holds nothing while the connection is idle.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use schannel::{Protocol, SchannelConfig};
use sspi_tokio::{Framing, HandshakeOptions, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::Row;
use crate::subjects::{Certificate, Key, Ours, Theirs, Version, suite};

/// How many connections are held.
const CONNECTIONS: usize = 10_000;

/// Whose connections a child process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryChild {
    /// Ours.
    Ours,
    /// Those of tokio-rustls.
    Theirs,
}

impl MemoryChild {
    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
        }
    }

    /// The subject of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Ours, Self::Theirs].into_iter().find(|child| child.name() == name)
    }
}

/// Compares the memory of an idle connection; `child` runs [`memory_child`] in a process of its own and returns what it
/// measured. The ratio is how many of ours fit where one of theirs is.
///
/// # Errors
/// What `child` answers.
pub fn memory(child: impl Fn(MemoryChild) -> io::Result<f64>) -> io::Result<Row> {
    let ours = child(MemoryChild::Ours)?;
    let theirs = child(MemoryChild::Theirs)?;
    Ok(Row {
        name: format!("memory of an idle connection, both ends, {CONNECTIONS} of them"),
        ours,
        theirs,
        unit: "bytes",
        ratio: theirs / ours,
        aim: 2.0,
    })
}

/// Holds the connections and measures: bytes of resident memory for each.
///
/// # Errors
/// Where the system does not say how much memory the process has.
pub fn memory_child(child: MemoryChild) -> io::Result<f64> {
    let holding = Holding { connections: CONNECTIONS, data: 1, measure: &resident };
    let (version, key) = (Version::Tls13, Key::Ecdsa);
    let certificate = Certificate::new(key);
    let suite = suite(version, key);
    match child {
        MemoryChild::Ours => holding.ours(&Ours::with_resumption(version, &certificate, suite, false)),
        MemoryChild::Theirs => holding.theirs(&Theirs::with_resumption(version, &certificate, suite, false)),
    }
}

/// The heap of established connections, counted by an allocator: `heap` says how many bytes are allocated now. First an idle
/// connection beside tokio-rustls, then connections of the engine for old protocols, which are held to a bound.
///
/// # Errors
/// Where there is no runtime.
pub fn heap(heap: &dyn Fn() -> u64) -> io::Result<Vec<Row>> {
    let measure = || Ok(heap());
    let holding = Holding { connections: CONNECTIONS, data: 1, measure: &measure };
    let (version, key) = (Version::Tls13, Key::Ecdsa);
    let certificate = Certificate::new(key);
    let suite = suite(version, key);
    let ours = holding.ours(&Ours::with_resumption(version, &certificate, suite, false))?;
    let theirs = holding.theirs(&Theirs::with_resumption(version, &certificate, suite, false))?;
    let name = format!("heap of an idle connection, both ends, {CONNECTIONS} of them");
    let mut rows = vec![Row { name, ours, theirs, unit: "bytes", ratio: theirs / ours, aim: 2.0 }];

    let holding = Holding { connections: 1000, data: 20_000, measure: &measure };
    let certificate = Certificate::new(Key::Rsa);
    for (protocol, suite) in ENGINE {
        let config = SchannelConfig {
            protocols: vec![protocol],
            suites: vec![suite.to_owned()],
            resume: false,
            ..SchannelConfig::default()
        };
        let ours = holding.ours(&Ours::configured(config, &certificate))?;
        let name = format!("heap, both ends, and the bound: {}, {suite}", protocol.name());
        rows.push(Row { name, ours, theirs: BOUND, unit: "bytes", ratio: BOUND / ours, aim: 1.0 });
    }
    Ok(rows)
}

/// The most heap that a connection of the engine may hold, in bytes.
const BOUND: f64 = 24.0 * 1024.0;

/// What of the engine is held.
const ENGINE: [(Protocol, &str); 6] = [
    (Protocol::Ssl30, "TLS_RSA_WITH_RC4_128_MD5"),
    (Protocol::Tls10, "TLS_RSA_WITH_RC4_128_SHA"),
    (Protocol::Tls10, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (Protocol::Tls10, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (Protocol::Tls12, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (Protocol::Tls12, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
];

/// How many connections are held, and what is sent each way through each of them before they are.
struct Holding<'a> {
    connections: usize,
    data: usize,
    /// How much memory there is now, in bytes.
    measure: &'a dyn Fn() -> io::Result<u64>,
}

#[expect(clippy::expect_used, reason = "a benchmark whose handshakes or streams fail has nothing to measure")]
impl Holding<'_> {
    fn ours(&self, ours: &Ours) -> io::Result<f64> {
        let options = HandshakeOptions::new(Framing::of(ours.client.package_info()));
        self.hold(async || {
            let (client, server) = pipe();
            let (client, server) = tokio::join!(
                handshake(client, ours.initialize(), &options),
                handshake(server, ours.accept(), &options)
            );
            (client.expect("a client"), server.expect("a server"))
        })
    }

    fn theirs(&self, theirs: &Theirs) -> io::Result<f64> {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&theirs.client));
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&theirs.server));
        self.hold(async || {
            let (client, server) = pipe();
            let (client, server) =
                tokio::join!(connector.connect(Theirs::name(), client), acceptor.accept(server));
            (client.expect("a client"), server.expect("a server"))
        })
    }

    /// Makes the connections, sends data each way through each, and measures what they added: bytes for each.
    fn hold<C, S>(&self, connect: impl AsyncFn() -> (C, S)) -> io::Result<f64>
    where
        C: AsyncRead + AsyncWrite + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let data = vec![0x5a; self.data];
        let mut received = vec![0; self.data];
        runtime.block_on(async {
            let mut held = Vec::with_capacity(self.connections + WARM_UP);
            let mut before = 0;
            for count in 0..self.connections + WARM_UP {
                if count == WARM_UP {
                    before = (self.measure)()?;
                }
                let (mut client, mut server) = connect().await;
                client.write_all(&data).await.expect("a stream");
                client.flush().await.expect("a stream");
                server.read_exact(&mut received).await.expect("a stream");
                server.write_all(&data).await.expect("a stream");
                server.flush().await.expect("a stream");
                client.read_exact(&mut received).await.expect("a stream");
                held.push((client, server));
            }
            Ok(((self.measure)()?.saturating_sub(before)) as f64 / self.connections as f64)
        })
    }
}

/// The first connections warm up what is shared: tables, caches, the allocator.
const WARM_UP: usize = 100;

/// Resident memory of this process in bytes.
fn resident() -> io::Result<u64> {
    let unknown = || io::Error::other("/proc/self/status does not say VmRSS");
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or_else(unknown)?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().map_err(|_| unknown())?;
    Ok(kilobytes * 1024)
}

#[derive(Default)]
struct Direction {
    bytes: VecDeque<u8>,
    reader: Option<Waker>,
}

/// One end of a connection in memory.
struct Pipe {
    incoming: Arc<Mutex<Direction>>,
    outgoing: Arc<Mutex<Direction>>,
}

fn pipe() -> (Pipe, Pipe) {
    let (a, b): (Arc<Mutex<Direction>>, _) = Default::default();
    (Pipe { incoming: Arc::clone(&a), outgoing: Arc::clone(&b) }, Pipe { incoming: b, outgoing: a })
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut direction = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        if direction.bytes.is_empty() {
            direction.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = direction.bytes.len().min(buf.remaining());
        let taken: Vec<u8> = direction.bytes.drain(..count).collect();
        buf.put_slice(&taken);
        if direction.bytes.is_empty() {
            // Nothing is held while nothing is on its way.
            direction.bytes = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut direction = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        direction.bytes.extend(buf);
        if let Some(reader) = direction.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
