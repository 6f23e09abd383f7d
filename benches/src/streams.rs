//! The stream of the package beside tokio-rustls, over a real loopback socket, both ends on one core.

use std::sync::Arc;

use sspi_tokio::{Framing, HandshakeOptions, SecureStream, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::subjects::{Certificate, Key, Ours, Theirs, Version, suite};
use crate::{Effort, Row, compare};

/// Bytes of one piece of work.
const PIECE: usize = 4 << 20;

/// Bulk through a stream in one direction, with small and large writes.
#[must_use]
#[expect(clippy::expect_used, reason = "a benchmark without a runtime has nothing to measure")]
pub fn streams(effort: Effort) -> Vec<Row> {
    // Both ends on one core: the figure is the work of both, not how two threads wake each other.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().expect("a runtime");
    let mut rows = Vec::new();
    for write in [1024, 16 * 1024, 64 * 1024] {
        let (version, key) = (Version::Tls13, Key::Ecdsa);
        let certificate = Certificate::new(key);
        let ours = Ours::new(version, &certificate, suite(version, key));
        let theirs = Theirs::new(version, &certificate, suite(version, key));
        let (mut our_client, our_server) = runtime.block_on(our_streams(&ours));
        let (mut their_client, their_server) = runtime.block_on(their_streams(&theirs));
        let our_sink = Sink::start(&runtime, our_server);
        let their_sink = Sink::start(&runtime, their_server);
        let megabytes = PIECE as f64 / 1e6;
        rows.push(compare(
            effort,
            format!("stream over loopback, writes of {write} bytes"),
            "MB/s",
            1.0,
            || {
                our_sink.transfer(&runtime, &mut our_client, write);
                megabytes
            },
            || {
                their_sink.transfer(&runtime, &mut their_client, write);
                megabytes
            },
        ));
    }
    rows
}

/// Reads everything that comes and says when a piece is whole.
struct Sink {
    received: Arc<tokio::sync::Semaphore>,
}

#[expect(clippy::expect_used, reason = "a benchmark whose stream fails has nothing to measure")]
impl Sink {
    fn start(runtime: &Runtime, mut stream: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let received = Arc::new(tokio::sync::Semaphore::new(0));
        let pieces = Arc::clone(&received);
        runtime.spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            let mut count = 0;
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                count += read;
                while count >= PIECE {
                    count -= PIECE;
                    pieces.add_permits(1);
                }
            }
        });
        Self { received }
    }

    fn transfer(&self, runtime: &Runtime, stream: &mut (impl AsyncWrite + Unpin), write: usize) {
        let plain = vec![0x5a; write];
        runtime.block_on(async {
            for _ in 0..PIECE / write {
                stream.write_all(&plain).await.expect("a stream");
            }
            stream.flush().await.expect("a stream");
            self.received.acquire().await.expect("a semaphore").forget();
        });
    }
}

#[expect(clippy::expect_used, reason = "a benchmark without sockets has nothing to measure")]
async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (client, server) = (client.expect("a connection"), server.expect("a connection").0);
    for socket in [&client, &server] {
        socket.set_nodelay(true).expect("a socket option");
    }
    (client, server)
}

#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
pub(crate) async fn our_streams(ours: &Ours) -> (SecureStream<TcpStream>, SecureStream<TcpStream>) {
    let (client, server) = sockets().await;
    let options = HandshakeOptions::new(Framing::of(ours.client.package_info()));
    let (client, server) = tokio::join!(
        handshake(client, ours.initialize(), &options),
        handshake(server, ours.accept(), &options)
    );
    (client.expect("a client"), server.expect("a server"))
}

type TheirStreams = (tokio_rustls::client::TlsStream<TcpStream>, tokio_rustls::server::TlsStream<TcpStream>);

#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
pub(crate) async fn their_streams(theirs: &Theirs) -> TheirStreams {
    let (client, server) = sockets().await;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&theirs.client));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&theirs.server));
    let (client, server) = tokio::join!(connector.connect(Theirs::name(), client), acceptor.accept(server));
    (client.expect("a client"), server.expect("a server"))
}
