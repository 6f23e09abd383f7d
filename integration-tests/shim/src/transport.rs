//! The connection to the runner: a blocking socket with a time limit on every step.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::flags::Options;
use crate::stop::Stop;

/// How long one step may take.
const IDLE: Duration = Duration::from_secs(15);
/// How many bytes are read at once.
const CHUNK: usize = 16 << 10;
/// How much is still read of a peer after the last that we sent, in chunks.
const DRAINED_CHUNKS: usize = 4096;

/// The connection to the runner.
pub(crate) struct Transport {
    stream: TcpStream,
}

impl Transport {
    /// Connects to where the runner listens, and says which shim this is.
    ///
    /// # Errors
    /// Nobody listens there.
    pub(crate) fn connect(options: &Options) -> Result<Self, Stop> {
        let addresses: &[IpAddr] = if options.ipv6 {
            &[IpAddr::V6(Ipv6Addr::LOCALHOST)]
        } else {
            &[IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)]
        };
        let connect =
            |address: &IpAddr| TcpStream::connect_timeout(&SocketAddr::new(*address, options.port), IDLE);
        let stream = addresses
            .iter()
            .map(connect)
            .reduce(|first, next| first.or(next))
            .unwrap_or_else(|| Err(ErrorKind::AddrNotAvailable.into()));
        let limited = |stream: TcpStream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(IDLE))?;
            stream.set_write_timeout(Some(IDLE))?;
            Ok(stream)
        };
        let stream = stream
            .and_then(limited)
            .map_err(|error| Stop::failed(format!("cannot connect to port {}: {error}", options.port)))?;
        let mut transport = Self { stream };
        if let Some(id) = options.shim_id {
            transport.send(&id.to_le_bytes())?;
        }
        Ok(transport)
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// The peer is gone, or takes nothing for too long.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.stream.write_all(bytes).map_err(|error| Stop::failed(format!("sending failed: {error}")))
    }

    /// Reads on, and appends to `input` what came; `false` at the end of the stream.
    ///
    /// A reset is an end too: it is what a peer makes of it that closes with something of ours unread.
    ///
    /// # Errors
    /// Nothing came for too long.
    pub(crate) fn receive(&mut self, input: &mut Vec<u8>) -> Result<bool, Stop> {
        let mut chunk = [0; CHUNK];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    input.extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(Stop::failed(format!("receiving failed: {error}"))),
            }
        }
    }

    /// Says that nothing more will be sent, and reads to the end of the stream: to close with something unread would reset
    /// the connection, and the peer could lose our last alert.
    pub(crate) fn close(mut self) {
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let mut rest = Vec::new();
        for _ in 0..DRAINED_CHUNKS {
            rest.clear();
            if !matches!(self.receive(&mut rest), Ok(true)) {
                return;
            }
        }
    }
}
