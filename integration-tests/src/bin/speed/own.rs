//! Our server, in a process of its own and on one thread: over blocking sockets, a connection after the other, as OpenSSL's is;
//! or with a runtime, as most servers in Rust are.

use std::io::{Read as _, Write as _};
use std::net;
use std::sync::Arc;

use clap::Args;
use opensspi_integration_tests::Pattern;
use opensspi_integration_tests::legacy::{Key, Pki};
use opensspi_integration_tests::ours::{Failure, HTTP_BODY_SEED, Legacy, Setup};
use opensspi_integration_tests::peers::PeerError;
use serde_json::json;
use sspi_core::{CredentialUse, CredentialsHandle};
use sspi_tokio::{Framing, blocking, handshake};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Receives and forgets, or answers an HTTP request with so many bytes.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[arg(long)]
    suite: String,
    #[arg(long)]
    version: String,
    /// How many bytes an answer has; 0: it receives.
    #[arg(long)]
    send: u64,
    /// With tokio, every connection a task.
    #[arg(long)]
    tokio: bool,
}

impl Serve {
    pub(crate) fn run(&self) -> Result<(), PeerError> {
        let failed = |failure: Failure| PeerError::new(failure.to_string());
        let setup = self.setup().map_err(failed)?;
        let credentials =
            setup.credentials(CredentialUse::Inbound).map_err(|error| PeerError::new(error.to_string()))?;
        let content: Arc<[u8]> = Pattern::new(HTTP_BODY_SEED).content(self.send).chunk(0, usize::MAX).into();
        if !self.tokio {
            let listener = net::TcpListener::bind(("127.0.0.1", 0))?;
            listening(listener.local_addr()?.port());
            for stream in listener.incoming() {
                // A client that closes without a word has had what it wanted.
                drop(serve_blocking(stream?, credentials.as_ref(), &setup, &content));
            }
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
            listening(listener.local_addr()?.port());
            // A task of its own: what `block_on` itself waits for is woken through the kernel.
            let accepting = tokio::task::spawn(accept(listener, credentials, Arc::new(setup), content));
            accepting.await.map_err(|error| PeerError::new(error.to_string()))?
        })
    }

    fn setup(&self) -> Result<Setup, Failure> {
        let unknown = |error: PeerError| Failure::Request(error.to_string());
        let version = crate::version(&self.version).map_err(unknown)?;
        let suites = crate::suites(std::slice::from_ref(&self.suite)).map_err(unknown)?;
        let key = suites.first().map_or(Key::Rsa, |suite| suite.key());
        let identity = Pki::find().map_err(unknown)?.server(key)?;
        let setup = Setup::server_from_pem(identity.chain, identity.key).without_tickets();
        setup.legacy(&Legacy { version, suites, splitting: true })
    }
}

fn listening(port: u16) {
    println!("{}", json!({ "event": "listening", "port": port }));
}

fn serve_blocking(
    stream: net::TcpStream,
    credentials: &dyn CredentialsHandle,
    setup: &Setup,
    content: &[u8],
) -> Result<(), Failure> {
    let accepting = credentials.accept(&setup.accept_request())?;
    let options = blocking::HandshakeOptions::new(Framing::Stream);
    let mut stream = blocking::handshake(stream, accepting, &options)?;
    let mut buffer = [0; 16_384];
    if content.is_empty() {
        while stream.read(&mut buffer)? > 0 {}
        return Ok(());
    }
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        request.extend_from_slice(buffer.get(..length).unwrap_or_default());
    }
    stream.write_all(b"HTTP/1.0 200 ok\r\n\r\n")?;
    for chunk in content.chunks(16_384) {
        stream.write_all(chunk)?;
    }
    Ok(stream.shutdown()?)
}

/// Accepts for ever.
async fn accept(
    listener: TcpListener,
    credentials: Arc<dyn CredentialsHandle>,
    setup: Arc<Setup>,
    content: Arc<[u8]>,
) -> Result<(), PeerError> {
    loop {
        let (stream, _) = listener.accept().await?;
        let (credentials, setup, content) =
            (Arc::clone(&credentials), Arc::clone(&setup), Arc::clone(&content));
        tokio::task::spawn(async move {
            // A client that closes without a word has had what it wanted.
            drop(serve(stream, credentials.as_ref(), &setup, &content).await);
        });
    }
}

async fn serve(
    stream: TcpStream,
    credentials: &dyn CredentialsHandle,
    setup: &Setup,
    content: &[u8],
) -> Result<(), Failure> {
    let accepting = credentials.accept(&setup.accept_request())?;
    let mut stream = handshake(stream, accepting, &setup.handshake_options()).await?;
    if content.is_empty() {
        let mut buffer = Vec::with_capacity(16_384);
        while stream.read_buf(&mut buffer).await? > 0 {
            buffer.clear();
        }
        return Ok(());
    }
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await? > 0 {}
    stream.write_all(b"HTTP/1.0 200 ok\r\n\r\n").await?;
    for chunk in content.chunks(16_384) {
        stream.write_all(chunk).await?;
    }
    stream.shutdown().await?;
    Ok(())
}
