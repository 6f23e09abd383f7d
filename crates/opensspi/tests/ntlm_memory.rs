//! Ten thousand clients that get their challenge and never answer: what they cost a server, and until when.

#![cfg(all(feature = "tokio", feature = "ntlm"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use opensspi::{Error, Sspi};
use peak_alloc::PeakAlloc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const CLIENTS: usize = 10_000;

/// What they may take together, the transport in memory included.
const MOST: usize = 20 * 1000 * 1000;

/// A frame of NegotiateStream with an offer: UTF-16, NTLM, signing and sealing with extended session security and 128 bits.
const OFFER: [u8; 5 + 32] = [
    0x16, 1, 0, 0, 32, b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0, 1, 0, 0, 0, 0x35, 0x82, 0x08, 0xe0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// Gets a challenge, and nothing else.
async fn half_done(mut client: DuplexStream) -> DuplexStream {
    client.write_all(&OFFER).await.unwrap();
    let mut header = [0; 5];
    client.read_exact(&mut header).await.unwrap();
    assert_eq!(header[0], 0x16, "a token");
    let mut token = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    client.read_exact(&mut token).await.unwrap();
    assert!(token.starts_with(b"NTLMSSP\0\x02"));
    client
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_half_done_handshakes_stay_under_20_megabytes_and_end_at_their_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Sspi::from_toml("package = \"NTLM\"\nhandshake-deadline = \"30s\"\n", folder.path()).unwrap();
    // What is made once is made.
    let (near, far) = tokio::io::duplex(1024);
    let (_first, _idle) = (tokio::spawn(accept(server.clone(), far)), half_done(near).await);
    let before = HEAP.current_usage();
    let mut servers = Vec::with_capacity(CLIENTS);
    let mut clients = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let (near, far) = tokio::io::duplex(1024);
        servers.push(tokio::spawn(accept(server.clone(), far)));
        clients.push(half_done(near).await);
    }
    let taken = HEAP.current_usage() - before;
    assert!(taken < MOST, "{taken} bytes");
    tokio::time::advance(Duration::from_secs(29)).await;
    assert!(servers.iter().all(|server| !server.is_finished()));
    tokio::time::advance(Duration::from_secs(1)).await;
    for server in servers {
        let error = server.await.unwrap();
        assert!(matches!(error, Error::Deadline(_)), "{error}");
    }
    drop(clients);
    let left = HEAP.current_usage().saturating_sub(before);
    assert!(left < MOST / 10, "{left} bytes are left");
}

/// Serves one client; returns why not.
async fn accept(server: Sspi, stream: DuplexStream) -> Error {
    match server.accept_from("10.0.0.1:1234", stream).await {
        Err(error) => error,
        Ok(_) => panic!("nobody has logged on"),
    }
}
