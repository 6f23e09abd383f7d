//! Who hears of the handshakes of a stream that come after the first.

use sspi_core::{Account, Error, QueryContextAttributes};
use tracing::Span;

use crate::HandshakeError;

/// Hears of every handshake of a stream after the one that established it, such as for an audit record: see
/// [`SecureStream::observe`](crate::SecureStream::observe).
pub trait Observer: Send + Sync {
    /// One begins; it runs in this span.
    fn begins(&self) -> Span {
        Span::none()
    }

    /// One has come to its end, or was not to be.
    fn ends(&self, end: &Renegotiated<'_>);
}

/// What came of a handshake on an established stream.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Renegotiated<'a> {
    /// It is over.
    Complete {
        /// What was negotiated.
        attributes: &'a dyn QueryContextAttributes,
        /// The account that the peer maps to now.
        account: &'a Result<Account, Error>,
    },
    /// `SEC_I_NO_RENEGOTIATION`: the peer was asked for it, and goes on without.
    Declined,
    /// The peer wanted it, and it was refused. Where the package has words for that, the stream goes on. A peer may repeat its
    /// wish as often as the package bears it; it is told once for each stream.
    Refused(&'a Error),
    /// It failed, or the peer let its time pass; the stream has ended.
    Failed(&'a HandshakeError),
}
