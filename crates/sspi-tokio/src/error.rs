//! Why a handshake or a stream failed.

use core::fmt;
use core::time::Duration;
use std::io;

use sspi_core::{Error, SecStatus};

/// Whether the package says that it does not have what was asked for.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    let inside = error.get_ref().and_then(|inside| inside.downcast_ref::<Error>());
    inside.is_some_and(|error| error.status() == SecStatus::SEC_E_UNSUPPORTED_FUNCTION)
}

/// Why there is no secure stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The package, the peer through the package, or whoever had to answer a question refused.
    Security(Error),
    /// The transport failed.
    Io(io::Error),
    /// The handshake was not over in this time.
    Deadline(Duration),
    /// The peer closed the connection in the middle of the handshake.
    Truncated,
}

impl HandshakeError {
    /// The status, where a package or an answer gave one.
    #[must_use]
    pub fn status(&self) -> Option<SecStatus> {
        self.security().map(Error::status)
    }

    /// The package's error, where it was one.
    #[must_use]
    pub fn security(&self) -> Option<&Error> {
        match self {
            Self::Security(error) => Some(error),
            Self::Io(_) | Self::Deadline(_) | Self::Truncated => None,
        }
    }
}

impl From<Error> for HandshakeError {
    fn from(error: Error) -> Self {
        Self::Security(error)
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Security(error) => write!(f, "the handshake failed: {error}"),
            Self::Io(error) => write!(f, "the connection failed during the handshake: {error}"),
            Self::Deadline(limit) => write!(f, "the handshake was not over within {limit:?}"),
            Self::Truncated => f.write_str("the peer closed the connection during the handshake"),
        }
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Security(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Deadline(_) | Self::Truncated => None,
        }
    }
}

impl From<HandshakeError> for io::Error {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Security(error) => security(error),
            HandshakeError::Io(error) => error,
            HandshakeError::Deadline(_) => Self::new(io::ErrorKind::TimedOut, error),
            HandshakeError::Truncated => Self::new(io::ErrorKind::UnexpectedEof, error),
        }
    }
}

/// An error of the package as one of a stream: the package's error is inside.
pub(crate) fn security(error: Error) -> io::Error {
    let kind = match error.status() {
        SecStatus::SEC_E_CONTEXT_EXPIRED => io::ErrorKind::BrokenPipe,
        SecStatus::SEC_E_UNSUPPORTED_FUNCTION => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

/// The transport ended without the package's goodbye.
pub(crate) fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the peer closed without close_notify: data may have been cut off",
    )
}

/// The transport ended in the middle of a frame.
pub(crate) fn frame_cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed in the middle of a frame: data was cut off")
}

/// The transport takes no more bytes.
pub(crate) fn write_zero() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "the transport takes no more bytes")
}
