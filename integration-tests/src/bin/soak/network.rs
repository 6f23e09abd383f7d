//! Connections from everywhere in 127.0.0.0/8.

use std::net::{Ipv4Addr, SocketAddr};

use opensspi_integration_tests::ours::{Failure, Setup};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sspi_core::CredentialsHandle;
use sspi_tokio::{SecureStream, handshake};
use tokio::net::{TcpSocket, TcpStream};

/// Raises the limit of open files as far as it goes without privileges. A server that is started later inherits it.
pub(crate) fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without it there may be fewer connections, which will show.
    let _fewer = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Connects number `index` to a port of 127.0.0.1, from an address of its own: ports stay in use for a minute, and one
/// address has too few of them.
pub(crate) async fn connect(index: usize, port: u16) -> Result<TcpStream, Failure> {
    let [_, _, high, low] = u32::try_from(index / 16 % 60_000).unwrap_or_default().to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 1 + high, low, 1), 0)))?;
    let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same, with a handshake.
pub(crate) async fn secure(
    index: usize,
    port: u16,
    credentials: &dyn CredentialsHandle,
    setup: &Setup,
) -> Result<SecureStream<TcpStream>, Failure> {
    let stream = connect(index, port).await?;
    let initializing = credentials.initialize(&setup.initialize_request())?;
    Ok(handshake(stream, initializing, &setup.handshake_options()).await?)
}
