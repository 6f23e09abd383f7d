//! A connection that is established, and its keys: `connect --renegotiate` and `serve --renegotiate`.

use std::io;

use opensspi::SecureStream;
use opensspi::sspi_core::{ControlToken, SpProt};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// What was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// A second handshake: a client's is over, and a server's was asked for.
    Handshake,
    /// TLS 1.3 has none. Its KeyUpdate was sent, and the peer's comes before its next data.
    NewKeys,
}

impl Again {
    /// Negotiates the connection again, or has new keys where that is all there is.
    pub(crate) async fn begin(stream: &mut SecureStream<TcpStream>) -> io::Result<Self> {
        let protocol = stream.attributes().connection_info().map(|info| info.protocol);
        if protocol.is_ok_and(|protocol| !protocol.intersection(SpProt::TLS1_3).is_empty()) {
            stream.apply_control_token(&ControlToken::UpdateKeys).await?;
            return Ok(Self::NewKeys);
        }
        stream.renegotiate().await?;
        stream.flush().await?;
        Ok(Self::Handshake)
    }
}
