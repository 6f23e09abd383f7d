//! Memory of idle connections: what 10,000 of them add to a process, both ends of each in it.
//!
//! Each subject is measured in a process of its own, so that neither inherits the other's freed memory. The transport is in
//! memory and holds nothing while the connection is idle.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

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
#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
pub fn memory_child(child: MemoryChild) -> io::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (version, key) = (Version::Tls13, Key::Ecdsa);
    let certificate = Certificate::new(key);
    let suite = suite(version, key);
    let measured = match child {
        MemoryChild::Ours => {
            let ours = Ours::with_resumption(version, &certificate, suite, false);
            let options = HandshakeOptions::new(Framing::of(ours.client.package_info()));
            hold(&runtime, async || {
                let (client, server) = pipe();
                let (client, server) = tokio::join!(
                    handshake(client, ours.initialize(), &options),
                    handshake(server, ours.accept(), &options)
                );
                (client.expect("a client"), server.expect("a server"))
            })?
        }
        MemoryChild::Theirs => {
            let theirs = Theirs::with_resumption(version, &certificate, suite, false);
            let connector = tokio_rustls::TlsConnector::from(Arc::clone(&theirs.client));
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&theirs.server));
            hold(&runtime, async || {
                let (client, server) = pipe();
                let (client, server) =
                    tokio::join!(connector.connect(Theirs::name(), client), acceptor.accept(server));
                (client.expect("a client"), server.expect("a server"))
            })?
        }
    };
    Ok(measured)
}

/// Makes the connections, sends a byte each way through each, and measures what they added.
#[expect(clippy::expect_used, reason = "a benchmark whose streams fail has nothing to measure")]
fn hold<C, S>(runtime: &tokio::runtime::Runtime, connect: impl AsyncFn() -> (C, S)) -> io::Result<f64>
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    runtime.block_on(async {
        let mut held = Vec::with_capacity(CONNECTIONS);
        let mut before = 0;
        // The first hundred warm up what is shared: tables, caches, the allocator.
        for count in 0..CONNECTIONS + 100 {
            if count == 100 {
                before = resident()?;
            }
            let (mut client, mut server) = connect().await;
            let mut byte = [0];
            client.write_all(b"c").await.expect("a stream");
            client.flush().await.expect("a stream");
            server.read_exact(&mut byte).await.expect("a stream");
            server.write_all(b"s").await.expect("a stream");
            server.flush().await.expect("a stream");
            client.read_exact(&mut byte).await.expect("a stream");
            held.push((client, server));
        }
        Ok((resident()?.saturating_sub(before)) as f64 / CONNECTIONS as f64)
    })
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
