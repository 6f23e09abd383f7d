//! Ten thousand clients that get their challenge and never answer: what they cost a server, and until when.

#![cfg(all(feature = "tokio", feature = "ntlm"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use opensspi::{Error, Sspi};
use peak_alloc::PeakAlloc;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const CLIENTS: usize = 10_000;

/// What they may take together.
const MOST: usize = 20 * 1000 * 1000;

/// A frame of NegotiateStream with an offer: UTF-16, NTLM, signing and sealing with extended session security and 128 bits.
#[rustfmt::skip]
const OFFER: [u8; 5 + 32] = [
    0x16, 1, 0, 0, 32,
    b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, 1, 0, 0, 0, 0x35, 0x82, 0x08, 0xe0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The same of DIGEST-MD5: the client has nothing to say before the challenge.
#[cfg(feature = "digest")]
const EMPTY: [u8; 5] = [0x16, 1, 0, 0, 0];

/// How many challenges were sent.
static CHALLENGES: AtomicUsize = AtomicUsize::new(0);

/// A client that offers, and says nothing more. It has no memory of its own: only the server's is counted.
struct HalfDone {
    /// How much of the offer is not read yet.
    left: &'static [u8],
}

impl AsyncRead for HalfDone {
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

impl AsyncWrite for HalfDone {
    fn poll_write(self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let token = bytes.get(5..).unwrap_or_default();
        if token.starts_with(b"NTLMSSP\0\x02") || token.starts_with(b"realm=") {
            CHALLENGES.fetch_add(1, Ordering::Relaxed);
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

#[tokio::test(start_paused = true)]
async fn ten_thousand_half_done_handshakes_stay_under_20_megabytes_and_end_at_their_deadline() {
    half_done("package = \"NTLM\"\nhandshake-deadline = \"30s\"\n", &OFFER).await;
    #[cfg(feature = "digest")]
    half_done("package = \"Digest\"\nhandshake-deadline = \"30s\"\ndigest.realm = \"corp\"\n", &EMPTY).await;
}

async fn half_done(text: &str, offer: &'static [u8]) {
    let folder = tempfile::tempdir().unwrap();
    let server = Sspi::from_toml(text, folder.path()).unwrap();
    // What is made once is made.
    let so_far = CHALLENGES.load(Ordering::Relaxed);
    let first = tokio::spawn(accept(server.clone(), offer));
    until_challenged(so_far + 1).await;
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let mut servers = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        servers.push(tokio::spawn(accept(server.clone(), offer)));
    }
    until_challenged(so_far + 1 + CLIENTS).await;
    let taken = HEAP.peak_usage() - before;
    assert!(taken < MOST, "{taken} bytes: {text}");
    tokio::time::advance(Duration::from_secs(29)).await;
    tokio::task::yield_now().await;
    assert!(servers.iter().all(|server| !server.is_finished()));
    tokio::time::advance(Duration::from_secs(1)).await;
    for server in servers {
        let error = server.await.unwrap();
        assert!(matches!(error, Error::Deadline(_)), "{error}");
    }
    first.await.unwrap();
    let left = HEAP.current_usage().saturating_sub(before);
    assert!(left < MOST / 10, "{left} bytes are left");
}

/// Lets the servers run until so many clients have their challenge.
async fn until_challenged(count: usize) {
    while CHALLENGES.load(Ordering::Relaxed) < count {
        tokio::task::yield_now().await;
    }
}

/// Serves one client; returns why not.
async fn accept(server: Sspi, left: &'static [u8]) -> Error {
    match server.accept_from("10.0.0.1:1234", HalfDone { left }).await {
        Err(error) => error,
        Ok(_) => panic!("nobody has logged on"),
    }
}
