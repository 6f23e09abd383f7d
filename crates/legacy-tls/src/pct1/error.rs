//! Errors of PCT, and how they are told to the peer.
//!
//! Spec: PCT1 sections 5.4 and 5.5.3.

use std::fmt::{self, Display, Formatter};

use super::readings::REFUSED_CERTIFICATE;
use crate::error::{Error, Incompatible, Misbehaved, Refused};
use crate::record::RecordError;

/// The code of an ERROR message.
///
/// Spec: PCT1 section 5.5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u16);

impl ErrorCode {
    /// A certificate is not accepted.
    pub const BAD_CERTIFICATE: Self = Self(1);
    /// The client's response is not right.
    pub const CLIENT_AUTH_FAILED: Self = Self(2);
    /// A message that may not come, or that cannot be read.
    pub const ILLEGAL_MESSAGE: Self = Self(3);
    /// A MAC or the verify prelude is not right.
    pub const INTEGRITY_CHECK_FAILED: Self = Self(4);
    /// The server's response is not right.
    pub const SERVER_AUTH_FAILED: Self = Self(5);
    /// Nothing in common.
    pub const SPECS_MISMATCH: Self = Self(6);
}

impl Display for ErrorCode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::BAD_CERTIFICATE => "BAD_CERTIFICATE",
            Self::CLIENT_AUTH_FAILED => "CLIENT_AUTH_FAILED",
            Self::ILLEGAL_MESSAGE => "ILLEGAL_MESSAGE",
            Self::INTEGRITY_CHECK_FAILED => "INTEGRITY_CHECK_FAILED",
            Self::SERVER_AUTH_FAILED => "SERVER_AUTH_FAILED",
            Self::SPECS_MISMATCH => "SPECS_MISMATCH",
            Self(other) => return write!(f, "{other}"),
        })
    }
}

/// Which lists had nothing in common.
///
/// Spec: PCT1 section 5.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "six flags of the wire")]
pub struct Mismatch {
    /// The ciphers.
    pub cipher: bool,
    /// The hashes.
    pub hash: bool,
    /// The types of the server's certificate.
    pub certificate: bool,
    /// The key exchanges.
    pub exchange: bool,
    /// The types of the client's certificate.
    pub client_certificate: bool,
    /// The types of the client's signature.
    pub client_signature: bool,
}

impl Mismatch {
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }

    pub(crate) fn to_bytes(self) -> [u8; 6] {
        [
            self.cipher,
            self.hash,
            self.certificate,
            self.exchange,
            self.client_certificate,
            self.client_signature,
        ]
        .map(u8::from)
    }

    pub(crate) fn from_bytes(bytes: [u8; 6]) -> Self {
        let [cipher, hash, certificate, exchange, client_certificate, client_signature] =
            bytes.map(|byte| byte != 0);
        Self { cipher, hash, certificate, exchange, client_certificate, client_signature }
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let named = [
            (self.cipher, "cipher"),
            (self.hash, "hash"),
            (self.certificate, "certificate type"),
            (self.exchange, "key exchange"),
            (self.client_certificate, "client certificate type"),
            (self.client_signature, "client signature type"),
        ];
        let named: Vec<&str> = named.iter().filter(|(is_in, _)| *is_in).map(|(_, name)| *name).collect();
        f.write_str(&if named.is_empty() { "specification".to_owned() } else { named.join(", ") })
    }
}

/// An ERROR message as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its code.
    pub code: ErrorCode,
    /// What did not match; for [`ErrorCode::SPECS_MISMATCH`] only.
    pub mismatch: Mismatch,
}

impl Display for Received {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the peer sent the PCT error {}", self.code)?;
        if self.mismatch.any() { write!(f, " ({})", self.mismatch) } else { Ok(()) }
    }
}

/// How a peer broke PCT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// A message that may not come now.
    UnexpectedMessage {
        /// Its type.
        received: u8,
        /// What was awaited.
        expected: &'static str,
    },
    /// A handshake record with a padding, or an escape.
    NotAHandshakeRecord,
    /// The verify prelude is not right: the hellos were changed on the way, or the master key is another one.
    Prelude,
    /// The server's response is not right.
    ServerResponse,
    /// The client's response is not right.
    ClientResponse,
    /// The clear key is not one for the cipher.
    ClearKey,
    /// The initialization vector is not one for the cipher.
    KeyArg,
    /// The server chose what was not offered.
    NotOffered(&'static str),
    /// A field that must be empty here.
    NotEmpty(&'static str),
    /// A certificate that is not the one of the handshake before.
    OtherCertificate,
    /// Handshake records before the escape that announces them.
    NoEscape,
}

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedMessage { received, expected } => {
                write!(f, "the peer sent a PCT message of type {received} where {expected} was expected")
            }
            Self::NotAHandshakeRecord => f.write_str("the peer sent a padded record or an escape in a PCT handshake"),
            Self::Prelude => {
                f.write_str("the PCT verify prelude is not right: somebody in between changed a hello, or the key differs")
            }
            Self::ServerResponse => f.write_str("the server's PCT response is not right"),
            Self::ClientResponse => f.write_str("the client's PCT response is not right"),
            Self::ClearKey => f.write_str("the clear part of the PCT key is not one for the cipher"),
            Self::KeyArg => f.write_str("the PCT initialization vector is not one for the cipher"),
            Self::NotOffered(what) => write!(f, "the peer chose a {what} that was not offered"),
            Self::NotEmpty(what) => write!(f, "the peer sent a {what} where there may be none"),
            Self::OtherCertificate => f.write_str("the peer shows another certificate than in the handshake before"),
            Self::NoEscape => f.write_str("the peer began a handshake without the escape that announces it"),
        }
    }
}

impl From<Broken> for Error {
    fn from(how: Broken) -> Self {
        Self::Misbehaved(Misbehaved::Pct1(how))
    }
}

impl From<Mismatch> for Error {
    fn from(mismatch: Mismatch) -> Self {
        Self::Incompatible(Incompatible::Pct1(mismatch))
    }
}

/// What the peer is told; nothing when it was the peer who spoke last, or when it is none of its business.
pub(crate) fn code(error: &Error) -> Option<ErrorCode> {
    Some(match error {
        Error::Certificate(_) => REFUSED_CERTIFICATE,
        Error::Record(RecordError::BadMac) => ErrorCode::INTEGRITY_CHECK_FAILED,
        Error::Decode(_) | Error::Record(_) => ErrorCode::ILLEGAL_MESSAGE,
        Error::Incompatible(_) => ErrorCode::SPECS_MISMATCH,
        Error::Refused(Refused::NoClientCertificate) => ErrorCode::CLIENT_AUTH_FAILED,
        Error::Refused(_) => ErrorCode::ILLEGAL_MESSAGE,
        Error::Misbehaved(how) => match how {
            Misbehaved::Pct1(Broken::Prelude) => ErrorCode::INTEGRITY_CHECK_FAILED,
            Misbehaved::Pct1(Broken::ServerResponse) => ErrorCode::SERVER_AUTH_FAILED,
            Misbehaved::Pct1(Broken::ClientResponse) => ErrorCode::CLIENT_AUTH_FAILED,
            Misbehaved::Pct1(Broken::OtherCertificate)
            | Misbehaved::UnreadableCertificate
            | Misbehaved::NoServerCertificate
            | Misbehaved::WrongCertificateType => ErrorCode::BAD_CERTIFICATE,
            _ => ErrorCode::ILLEGAL_MESSAGE,
        },
        Error::AlertReceived(_)
        | Error::GroupDeclined { .. }
        | Error::Ssl2ErrorReceived(_)
        | Error::Pct1Received(_)
        | Error::ClosedInHandshake
        | Error::Misused(_)
        | Error::Internal(_) => return None,
    })
}

/// What of an error goes beside the code.
pub(crate) const fn mismatch(error: &Error) -> Option<Mismatch> {
    match error {
        Error::Incompatible(Incompatible::Pct1(mismatch)) => Some(*mismatch),
        _ => None,
    }
}
