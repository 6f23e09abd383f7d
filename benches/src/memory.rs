//! Memory of idle connections: what they add to the heap of a process, and to its resident memory.
//!
//! Each subject is measured in a process of its own, so that neither inherits the other's freed memory: by the program
//! `opensspi-memory`, whose allocator counts, since what is resident depends on how an allocator keeps what is free. The
//! transport is in memory and holds nothing while the connection is idle.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use schannel::Protocol;
use serde::{Deserialize, Serialize};
use sspi_tokio::{Framing, HandshakeOptions, SecureStream, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::subjects::{Certificate, Key, Ours, Theirs, Version, suite};
use crate::{Row, sessions};

/// How many connections are held beside those of tokio-rustls.
const CONNECTIONS: usize = 10_000;

/// How many are held of each suite of the engine.
const CONNECTIONS_OF_A_SUITE: usize = 1000;

/// How many sessions a cache holds.
const SESSIONS: usize = 10_000;

/// The heap that they may take all together, in bytes.
const MOST_OF_SESSIONS: f64 = 12e6;

/// The heap that an established connection of the engine may take, in bytes.
const MOST_OF_THE_ENGINE: f64 = 24.0 * 1024.0;

/// Bytes that pass each way before the connections are idle: more than one record.
const TALK: usize = 20_000;

/// Whose connections a child process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryChild {
    /// Ours, of TLS 1.3.
    Ours,
    /// Those of tokio-rustls, of TLS 1.3.
    Theirs,
    /// Ours by our own engine: TLS 1.0 with RC4 and SHA-1.
    Tls10Rc4,
    /// TLS 1.0 with AES-128-CBC and SHA-1.
    Tls10Aes,
    /// TLS 1.2 with AES-128-CBC and SHA-1.
    Tls12Aes,
    /// No connections: the sessions of a server.
    Sessions,
    /// Those of a server of the engine.
    SessionsOfTheEngine,
    /// Those of a server of PCT.
    SessionsOfPct,
    /// Those of a client of the engine, each with another server.
    SessionsOfAClient,
}

impl MemoryChild {
    /// Those of our engine.
    const OF_THE_ENGINE: [Self; 3] = [Self::Tls10Rc4, Self::Tls10Aes, Self::Tls12Aes];
    /// No connections, but sessions. What rustls keeps as a client cannot be looked into: it counts by number.
    const SESSIONS: [Self; 4] =
        [Self::Sessions, Self::SessionsOfTheEngine, Self::SessionsOfPct, Self::SessionsOfAClient];

    /// The name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Tls10Rc4 => "tls1.0-rc4-sha",
            Self::Tls10Aes => "tls1.0-aes128-sha",
            Self::Tls12Aes => "tls1.2-aes128-sha",
            Self::Sessions => "sessions",
            Self::SessionsOfTheEngine => "sessions-of-the-engine",
            Self::SessionsOfPct => "sessions-of-pct",
            Self::SessionsOfAClient => "sessions-of-a-client",
        }
    }

    /// The subject of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let all = [Self::Ours, Self::Theirs].into_iter().chain(Self::SESSIONS).chain(Self::OF_THE_ENGINE);
        all.into_iter().find(|child| child.name() == name)
    }

    /// Protocol, suite and number of connections.
    fn speaks(self) -> (Protocol, &'static str, usize) {
        const RC4: &str = "TLS_RSA_WITH_RC4_128_SHA";
        const AES: &str = "TLS_RSA_WITH_AES_128_CBC_SHA";
        match self {
            Self::Ours | Self::Theirs => (Protocol::Tls13, "", CONNECTIONS),
            Self::Tls10Rc4 => (Protocol::Tls10, RC4, CONNECTIONS_OF_A_SUITE),
            Self::Tls10Aes => (Protocol::Tls10, AES, CONNECTIONS_OF_A_SUITE),
            Self::Tls12Aes => (Protocol::Tls12, AES, CONNECTIONS_OF_A_SUITE),
            Self::Sessions => (Protocol::Tls12, suite(Version::Tls12, Key::Ecdsa), SESSIONS),
            Self::SessionsOfTheEngine | Self::SessionsOfAClient => (Protocol::Tls12, AES, SESSIONS),
            Self::SessionsOfPct => (Protocol::Pct1, "PCT1_RC4_128_WITH_MD5", SESSIONS),
        }
    }

    /// Whoever keeps so many sessions.
    fn keeps(self, entries: usize) -> Ours {
        let (protocol, suite, _) = self.speaks();
        match self {
            Self::Sessions => sessions::server_with(protocol, suite, Key::Ecdsa, entries),
            Self::SessionsOfAClient => sessions::client_with(protocol, suite, Key::Rsa, entries),
            _ => sessions::server_with(protocol, suite, Key::Rsa, entries),
        }
    }
}

/// What one connection adds, in bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// The heap of its client; `None` where the allocator does not count.
    pub client: Option<f64>,
    /// The heap of its server.
    pub server: Option<f64>,
    /// Resident memory, of both ends.
    pub resident: f64,
}

impl Memory {
    fn heap(&self) -> Option<f64> {
        Some(self.client? + self.server?)
    }
}

/// Compares the memory of an idle connection with that of tokio-rustls, and that of the engine's connections with what
/// they may take; `child` runs [`memory_child`] in a process of its own and returns what it measured. The ratio is how many
/// of ours fit where one of theirs is.
///
/// Where the allocator of the child does not count, resident memory is compared, and the engine is left out.
///
/// # Errors
/// What `child` answers.
pub fn memory(child: impl Fn(MemoryChild) -> io::Result<Memory>) -> io::Result<Vec<Row>> {
    let (ours, theirs) = (child(MemoryChild::Ours)?, child(MemoryChild::Theirs)?);
    let counted = ours.heap().zip(theirs.heap());
    let (what, (our_bytes, their_bytes)) = match counted {
        Some(heap) => ("heap", heap),
        None => ("resident memory", (ours.resident, theirs.resident)),
    };
    let resident = format!("resident {:.0} : {:.0}", ours.resident, theirs.resident);
    let mut rows = vec![Row {
        name: format!("{what} of an idle connection, both ends, {CONNECTIONS} of them"),
        ours: our_bytes,
        theirs: their_bytes,
        unit: "bytes",
        ratio: their_bytes / our_bytes,
        aim: 2.0,
        note: counted.map(|_| resident),
    }];
    if counted.is_none() {
        return Ok(rows);
    }
    for subject in MemoryChild::OF_THE_ENGINE {
        let memory = child(subject)?;
        for (end, heap) in [("client", memory.client), ("server", memory.server)] {
            rows.push(of_the_engine(subject, end, heap.unwrap_or(f64::NAN), memory.resident));
        }
    }
    for subject in MemoryChild::SESSIONS {
        let heap = child(subject)?.server.unwrap_or(f64::NAN) * SESSIONS as f64;
        rows.push(Row {
            name: format!("heap of {SESSIONS} {} in the cache, of 12 MB", subject.name()),
            ours: heap,
            theirs: MOST_OF_SESSIONS,
            unit: "bytes",
            ratio: MOST_OF_SESSIONS / heap,
            aim: 1.0,
            note: None,
        });
    }
    Ok(rows)
}

fn of_the_engine(subject: MemoryChild, end: &str, heap: f64, resident: f64) -> Row {
    Row {
        name: format!("heap of a {end} of the engine, {}, of 24 KiB", subject.name()),
        ours: heap,
        theirs: MOST_OF_THE_ENGINE,
        unit: "bytes",
        ratio: MOST_OF_THE_ENGINE / heap,
        aim: 1.0,
        note: Some(format!("resident, both ends: {resident:.0}")),
    }
}

/// Holds the connections and measures. `heap` says how many bytes of the heap are in use, where the allocator counts.
///
/// # Errors
/// Where the system does not say how much memory the process has.
#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
pub fn memory_child(child: MemoryChild, heap: Option<&dyn Fn() -> usize>) -> io::Result<Memory> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (version, key) = (Version::Tls13, Key::Ecdsa);
    let (protocol, name, count) = child.speaks();
    match child {
        MemoryChild::Sessions
        | MemoryChild::SessionsOfTheEngine
        | MemoryChild::SessionsOfPct
        | MemoryChild::SessionsOfAClient => {
            // What else there is beside a cache, and an empty one.
            let before = (child.keeps(1), heap.map(|heap| heap()));
            let (ours, after) = (child.keeps(count), heap.map(|heap| heap()));
            let (one, empty) = (child.keeps(1), heap.map(|heap| heap()));
            drop((before.0, ours, one));
            let used = before.1.zip(after).zip(empty).map(|((before, after), empty)| {
                let (with, without) = (after.saturating_sub(before), empty.saturating_sub(after));
                with.saturating_sub(without) as f64 / count as f64
            });
            Ok(Memory { client: Some(0.0).filter(|_| used.is_some()), server: used, resident: 0.0 })
        }
        MemoryChild::Theirs => {
            let theirs = Theirs::with_resumption(version, &Certificate::new(key), suite(version, key), false);
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&theirs.client));
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&theirs.server));
            hold(&runtime, count, heap, async || {
                let (client, server) = pipe();
                let (client, server) =
                    tokio::join!(connector.connect(Theirs::name(), client), acceptor.accept(server));
                (client.expect("a client"), server.expect("a server"))
            })
        }
        MemoryChild::Ours => {
            let ours = Ours::with_resumption(version, &Certificate::new(key), suite(version, key), false);
            hold(&runtime, count, heap, async || connect(&ours).await)
        }
        MemoryChild::Tls10Rc4 | MemoryChild::Tls10Aes | MemoryChild::Tls12Aes => {
            let ours = Ours::speaking(protocol, &Certificate::new(Key::Rsa), name, false);
            hold(&runtime, count, heap, async || connect(&ours).await)
        }
    }
}

#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
async fn connect(ours: &Ours) -> (SecureStream<Pipe>, SecureStream<Pipe>) {
    let options = HandshakeOptions::new(Framing::of(ours.client.package_info()));
    let (client, server) = pipe();
    let (client, server) = tokio::join!(
        handshake(client, ours.initialize(), &options),
        handshake(server, ours.accept(), &options)
    );
    (client.expect("a client"), server.expect("a server"))
}

/// Makes the connections, lets data pass both ways through each, and measures what they added.
fn hold<C, S>(
    runtime: &tokio::runtime::Runtime,
    connections: usize,
    heap: Option<&dyn Fn() -> usize>,
    connect: impl AsyncFn() -> (C, S),
) -> io::Result<Memory>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    const WARM_UP: usize = 100;
    let used = || heap.map(|heap| heap());
    runtime.block_on(async {
        let mut clients = Vec::with_capacity(connections + WARM_UP);
        let mut servers = Vec::with_capacity(connections + WARM_UP);
        let (mut before, mut resident_before) = (None, 0);
        // The first hundred warm up what is shared: tables, caches, the allocator.
        for count in 0..connections + WARM_UP {
            if count == WARM_UP {
                (before, resident_before) = (used(), resident()?);
            }
            let (mut client, mut server) = connect().await;
            talk(&mut client, &mut server).await;
            talk(&mut server, &mut client).await;
            clients.push(client);
            servers.push(server);
        }
        let (all, resident) = (used(), resident()?.saturating_sub(resident_before));
        clients.truncate(WARM_UP);
        let of_servers = used();
        drop(servers);
        let each = |more: Option<usize>, less: Option<usize>| {
            more.zip(less).map(|(more, less)| more.saturating_sub(less) as f64 / connections as f64)
        };
        let (client, both) = (each(all, of_servers), each(all, before));
        let server = both.zip(client).map(|(both, client)| both - client);
        Ok(Memory { client, server, resident: resident as f64 / connections as f64 })
    })
}

/// Data from one end to the other.
#[expect(clippy::expect_used, reason = "a benchmark whose streams fail has nothing to measure")]
async fn talk(from: &mut (impl AsyncWrite + Unpin), to: &mut (impl AsyncRead + Unpin)) {
    let (sent, mut received) = ([7; TALK], [0; TALK]);
    from.write_all(&sent).await.expect("a stream");
    from.flush().await.expect("a stream");
    to.read_exact(&mut received).await.expect("a stream");
}

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
