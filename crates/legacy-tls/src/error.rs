//! Everything that can go wrong, by whose fault it is. The alert for the peer is derived here, in one table.

use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};

use wire::{DecodeError, EncodeError};

use crate::certificate::CertificateRefused;
use crate::pct1;
use crate::record::RecordError;
use crate::ssl2::cipher_kinds::CipherKind;
use crate::ssl2::messages::{Ssl2ErrorCode, Ssl2MessageType};
use crate::tls::alert::{AlertDescription, AlertLevel};
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::messages::HandshakeType;
use crate::tls::versions::ProtocolVersion;

/// Why a connection failed.
#[derive(Clone, Debug)]
pub enum Error {
    /// A message cannot be decoded.
    Decode(DecodeError),
    /// A record is not right.
    Record(RecordError),
    /// The peer broke the protocol.
    Misbehaved(Misbehaved),
    /// The peer and we have nothing in common.
    Incompatible(Incompatible),
    /// Our policy does not allow what the peer wants.
    Refused(Refused),
    /// The peer's certificate was refused.
    Certificate(CertificateRefused),
    /// The peer sent a fatal alert.
    AlertReceived(AlertDescription),
    /// A client was shown our group of Diffie-Hellman and answered with an alert that says, among other things, that it will
    /// not have it.
    GroupDeclined {
        /// The alert.
        alert: AlertDescription,
        /// The length of our group, in bits.
        bits: u32,
    },
    /// The peer sent an ERROR message of SSL 2.0.
    Ssl2ErrorReceived(Ssl2ErrorCode),
    /// The peer sent an ERROR message of PCT.
    Pct1Received(pct1::Received),
    /// The peer closed the connection in the middle of the handshake.
    ClosedInHandshake,
    /// The caller did what it may not.
    Misused(&'static str),
    /// Something that should not happen.
    Internal(&'static str),
}

/// How a peer broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misbehaved {
    /// A handshake message that may not come now.
    UnexpectedMessage {
        /// What came.
        received: HandshakeType,
        /// What was awaited.
        expected: &'static str,
    },
    /// A message of SSL 2.0 that may not come now.
    UnexpectedSsl2Message {
        /// What came.
        received: Ssl2MessageType,
        /// What was awaited.
        expected: &'static str,
    },
    /// A record of a type that may not come now.
    UnexpectedRecord {
        /// The type of the record.
        content_type: u8,
        /// What was awaited.
        expected: &'static str,
    },
    /// A ChangeCipherSpec in the middle of a handshake message, or one that is not one byte with value 1.
    BadChangeCipherSpec,
    /// Something follows the Finished message, or ChangeCipherSpec, in the same flight where nothing may.
    ExcessHandshakeData,
    /// A handshake message that is too long.
    MessageTooLong {
        /// What it is.
        received: HandshakeType,
        /// Its length, in bytes.
        length: usize,
        /// The longest that is accepted, in bytes.
        maximum: usize,
    },
    /// Too much of something harmless.
    Flood {
        /// Of what.
        what: &'static str,
        /// How much is accepted.
        limit: usize,
    },
    /// A server chose a version that was not offered.
    VersionNotOffered(u16),
    /// A second handshake with another version than the connection has.
    VersionChanged(u16),
    /// A server chose a suite that was not offered, or that is not legal in its version.
    SuiteNotOffered(CipherSuite),
    /// A compression method that was not offered, or a hello without `null`.
    Compression,
    /// An extension that was not asked for.
    UnsolicitedExtension(u16),
    /// An extension that came twice.
    DuplicateExtension(u16),
    /// A resumed session with other parameters than those that it was made with.
    ResumedDifferently(&'static str),
    /// A resumed session whose master secret is bound to its handshake, and this one does not say so, or the other way
    /// round.
    ResumedBinding {
        /// The session's master secret is bound.
        was_bound: bool,
    },
    /// The sentinel of a server that could do better: somebody in between lowered the version.
    Downgraded,
    /// The renegotiation indication is not right.
    RenegotiationInfo,
    /// A second handshake has no extended master secret, and the first had it.
    BindingChanged,
    /// A second handshake shows another certificate than the first.
    IdentityChanged,
    /// A second handshake is for another server name than the first.
    ServerNameChanged,
    /// A client that was asked for a second handshake has not begun it in the time that it had.
    NotNegotiatedAgain,
    /// A value that is out of range or does not fit the others.
    IllegalParameter(&'static str),
    /// A key exchange that the suite has not: an export key where none was agreed (FREAK).
    UnexpectedServerKeyExchange,
    /// A key exchange without the parameters that the suite needs.
    MissingServerKeyExchange,
    /// An ephemeral key that is longer than the export suite allows.
    ExportKeyTooLong {
        /// Its length, in bits.
        bits: u32,
    },
    /// A certificate whose key does not fit the suite.
    WrongCertificateType,
    /// A certificate whose key signs a handshake, and may not.
    KeyMayNotSign,
    /// keyUsage in the server's certificate does not have what its RSA key is used for ([`Policy::any_rsa_key_usage`]).
    ///
    /// [`Policy::any_rsa_key_usage`]: crate::Policy::any_rsa_key_usage
    RsaKeyMayNot {
        /// To sign, or else to decrypt the premaster secret.
        sign: bool,
    },
    /// A server without certificate.
    NoServerCertificate,
    /// A certificate whose key cannot be read.
    UnreadableCertificate,
    /// A point that is not on its curve, or a share of Diffie-Hellman that is out of range.
    BadKeyShare,
    /// A signature that is not right.
    BadSignature(&'static str),
    /// A signature by an algorithm that was not offered.
    SignatureNotOffered(u16),
    /// A Finished message that is not right.
    BadFinished,
    /// An encrypted premaster secret whose length is not that of the key.
    BadPremaster,
    /// An alert that is not two bytes, or of no level that there is.
    BadAlert,
    /// PCT was broken.
    Pct1(pct1::Broken),
}

/// What a peer and we do not have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incompatible {
    /// No version.
    NoVersion {
        /// The highest that the peer has, or that it chose.
        peer: ProtocolVersion,
        /// Those that are enabled.
        enabled: Vec<ProtocolVersion>,
    },
    /// No suite.
    NoSuite {
        /// Those of the peer.
        peer: Vec<CipherSuite>,
    },
    /// No cipher kind of SSL 2.0.
    NoCipherKind {
        /// Those of the peer.
        peer: Vec<CipherKind>,
    },
    /// No signature algorithm.
    NoSignatureScheme {
        /// Those of the peer.
        peer: Vec<u16>,
    },
    /// No application protocol.
    NoApplicationProtocol {
        /// Those of the peer.
        peer: Vec<Vec<u8>>,
    },
    /// The peer does not bind its master secrets, and that is required.
    NoExtendedMasterSecret,
    /// Some specification of PCT.
    Pct1(pct1::Mismatch),
}

/// What policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A client that came back with less than it can.
    InappropriateFallback {
        /// What it asks for now.
        offered: ProtocolVersion,
        /// What we could do.
        highest: ProtocolVersion,
    },
    /// A group of Diffie-Hellman that is too small (Logjam).
    SmallGroup {
        /// Its length, in bits.
        bits: u32,
        /// The shortest that is accepted, in bits.
        minimum: u32,
    },
    /// A client without a certificate, where one is required.
    NoClientCertificate,
    /// Renegotiation.
    Renegotiation,
}

impl Error {
    /// The alert for the peer; `None` when it was the peer who spoke last, or when nothing is its business.
    ///
    /// A close_notify in the middle of a handshake is not answered by another one, although it should be (TLS12 section
    /// 7.2.1): nobody does, and nothing can be truncated there.
    #[must_use]
    pub fn alert(&self) -> Option<AlertDescription> {
        use AlertDescription as A;
        Some(match self {
            Self::Decode(_) => A::DECODE_ERROR,
            Self::Record(error) => match error {
                RecordError::BadMac => A::BAD_RECORD_MAC,
                RecordError::Overflow { .. } => A::RECORD_OVERFLOW,
                RecordError::NotARecord { .. } | RecordError::UnknownContentType { .. } => {
                    A::UNEXPECTED_MESSAGE
                }
                RecordError::WrongVersion { .. } => A::PROTOCOL_VERSION,
                _ => A::INTERNAL_ERROR,
            },
            Self::Misbehaved(how) => how.alert(),
            Self::Incompatible(what) => match what {
                Incompatible::NoVersion { .. } => A::PROTOCOL_VERSION,
                Incompatible::NoApplicationProtocol { .. } => A::NO_APPLICATION_PROTOCOL,
                _ => A::HANDSHAKE_FAILURE,
            },
            Self::Refused(what) => match what {
                Refused::InappropriateFallback { .. } => A::INAPPROPRIATE_FALLBACK,
                Refused::SmallGroup { .. } => A::INSUFFICIENT_SECURITY,
                Refused::NoClientCertificate | Refused::Renegotiation => A::HANDSHAKE_FAILURE,
            },
            Self::Certificate(refused) => refused.alert,
            Self::AlertReceived(_)
            | Self::GroupDeclined { .. }
            | Self::Ssl2ErrorReceived(_)
            | Self::Pct1Received(_)
            | Self::ClosedInHandshake
            | Self::Misused(_) => return None,
            Self::Internal(_) => A::INTERNAL_ERROR,
        })
    }
}

impl Misbehaved {
    const fn alert(&self) -> AlertDescription {
        use AlertDescription as A;
        match self {
            Self::UnexpectedMessage { .. }
            | Self::UnexpectedSsl2Message { .. }
            | Self::UnexpectedRecord { .. }
            | Self::ExcessHandshakeData
            | Self::Flood { .. }
            | Self::UnexpectedServerKeyExchange
            | Self::MissingServerKeyExchange => A::UNEXPECTED_MESSAGE,
            Self::VersionNotOffered(_) | Self::VersionChanged(_) => A::PROTOCOL_VERSION,
            Self::MessageTooLong { .. }
            | Self::BadChangeCipherSpec
            | Self::SuiteNotOffered(_)
            | Self::Compression
            | Self::ResumedDifferently(_)
            | Self::Downgraded
            | Self::IllegalParameter(_)
            | Self::BadKeyShare
            | Self::SignatureNotOffered(_)
            | Self::Pct1(_) => A::ILLEGAL_PARAMETER,
            // Spec: TLS10 section 7.2.2.
            Self::ExportKeyTooLong { .. } => A::EXPORT_RESTRICTION,
            Self::UnsolicitedExtension(_) => A::UNSUPPORTED_EXTENSION,
            Self::DuplicateExtension(_) | Self::NoServerCertificate | Self::BadPremaster | Self::BadAlert => {
                A::DECODE_ERROR
            }
            Self::RenegotiationInfo
            | Self::BindingChanged
            | Self::IdentityChanged
            | Self::ServerNameChanged
            | Self::NotNegotiatedAgain
            | Self::ResumedBinding { .. } => A::HANDSHAKE_FAILURE,
            Self::WrongCertificateType | Self::KeyMayNotSign | Self::RsaKeyMayNot { .. } => {
                A::UNSUPPORTED_CERTIFICATE
            }
            Self::UnreadableCertificate => A::BAD_CERTIFICATE,
            Self::BadSignature(_) | Self::BadFinished => A::DECRYPT_ERROR,
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "a message of the peer cannot be decoded: {error}"),
            Self::Record(error) => Display::fmt(error, f),
            Self::Misbehaved(how) => Display::fmt(how, f),
            Self::Incompatible(what) => Display::fmt(what, f),
            Self::Refused(what) => Display::fmt(what, f),
            Self::Certificate(refused) => write!(f, "the peer's certificate was refused: {refused}"),
            Self::AlertReceived(alert) => write!(f, "the peer sent the alert {alert}"),
            Self::GroupDeclined { alert, bits } => {
                write!(f, "the client sent the alert {alert} when it saw our group of {bits} bits")
            }
            Self::Ssl2ErrorReceived(code) => write!(f, "the peer sent the {code}"),
            Self::Pct1Received(received) => Display::fmt(received, f),
            Self::ClosedInHandshake => {
                f.write_str("the peer closed the connection in the middle of the handshake")
            }
            Self::Misused(what) | Self::Internal(what) => f.write_str(what),
        }
    }
}

impl Display for Misbehaved {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedMessage { received, expected } => {
                write!(f, "the peer sent {received:?} where {expected} was expected")
            }
            Self::UnexpectedSsl2Message { received, expected } => {
                write!(f, "the peer sent {received} where {expected} was expected")
            }
            Self::UnexpectedRecord { content_type, expected } => {
                write!(f, "the peer sent a record of type {content_type} where {expected} was expected")
            }
            Self::BadChangeCipherSpec => f.write_str("the peer sent a ChangeCipherSpec that is not one"),
            Self::ExcessHandshakeData => {
                f.write_str("the peer sent more than the handshake message that ends its flight")
            }
            Self::MessageTooLong { received, length, maximum } => {
                write!(
                    f,
                    "the peer sent {received:?} of {length} bytes, where at most {maximum} are accepted"
                )
            }
            Self::Flood { what, limit } => write!(f, "the peer sent more than {limit} {what} in a row"),
            Self::VersionChanged(version) => {
                write!(f, "the server chose version {version:#06x} for a connection that has another")
            }
            Self::VersionNotOffered(version) => {
                write!(f, "the server chose the version {version:04x}, which was not offered")
            }
            Self::SuiteNotOffered(suite) => {
                write!(f, "the server chose {suite}, which was not offered or is not legal in its version")
            }
            Self::Compression => f.write_str("the peer has no compression method null, or chose another"),
            Self::UnsolicitedExtension(number) => {
                write!(f, "the server answered with extension {number}, which was not asked for")
            }
            Self::DuplicateExtension(number) => write!(f, "the peer sent extension {number} twice"),
            Self::ResumedDifferently(what) => write!(f, "the server resumed a session with another {what}"),
            Self::ResumedBinding { was_bound: true } => {
                f.write_str("the peer resumes a session whose master secret is bound, and does not bind it")
            }
            Self::ResumedBinding { was_bound: false } => {
                f.write_str("the peer resumes a session whose master secret is not bound, as if it were")
            }
            Self::Downgraded => {
                f.write_str("the server can speak a newer version, and somebody in between hid that")
            }
            Self::BindingChanged => f.write_str(
                "the peer's extended master secret was there in the first handshake of the connection and is not in the second",
            ),
            Self::IdentityChanged => f.write_str(
                "the peer's certificate in the second handshake of the connection is not that of the first",
            ),
            Self::ServerNameChanged => f.write_str(
                "the client asks for another server name in the second handshake of the connection than in the first",
            ),
            Self::NotNegotiatedAgain => {
                f.write_str("the client was asked to negotiate again, and has not in the time that it had")
            }
            Self::RenegotiationInfo => {
                f.write_str("the peer's renegotiation indication is not that of this connection")
            }
            Self::IllegalParameter(what) => write!(f, "the peer sent a value that is not allowed: {what}"),
            Self::UnexpectedServerKeyExchange => {
                f.write_str("the server sent a ServerKeyExchange, which its suite does not have")
            }
            Self::MissingServerKeyExchange => {
                f.write_str("the server sent no ServerKeyExchange, which its suite needs")
            }
            Self::ExportKeyTooLong { bits } => {
                write!(f, "the server's key of {bits} bits is too long for an export suite")
            }
            Self::WrongCertificateType => {
                f.write_str("the key of the peer's certificate does not fit the cipher suite")
            }
            Self::KeyMayNotSign => {
                f.write_str("the key of the peer's certificate may not sign, by the certificate's own word")
            }
            Self::RsaKeyMayNot { sign: true } => {
                f.write_str("the RSA key of the server's certificate may not sign, by the certificate's own word")
            }
            Self::RsaKeyMayNot { sign: false } => f.write_str(
                "the RSA key of the server's certificate may not decrypt keys, by the certificate's own word",
            ),
            Self::NoServerCertificate => f.write_str("the server sent no certificate"),
            Self::UnreadableCertificate => f.write_str("the key in the peer's certificate cannot be read"),
            Self::BadKeyShare => f.write_str("the peer's share of the key exchange is not one of its group"),
            Self::BadSignature(what) => write!(f, "the signature of {what} is not right"),
            Self::SignatureNotOffered(scheme) => {
                write!(f, "the peer signed with {scheme:04x}, which was not offered")
            }
            Self::BadFinished => f.write_str("the peer's Finished message is not right"),
            Self::BadPremaster => f.write_str("the encrypted premaster secret is not as long as the key"),
            Self::BadAlert => f.write_str("the peer sent an alert that is not one"),
            Self::Pct1(how) => Display::fmt(how, f),
        }
    }
}

fn list<T: Display>(items: impl Iterator<Item = T>) -> String {
    let shown: Vec<String> = items.take(16).map(|item| item.to_string()).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

impl Display for Incompatible {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVersion { peer, enabled } => write!(
                f,
                "no protocol in common: the peer has {peer} and older; enabled here: {}",
                list(enabled.iter())
            ),
            Self::NoSuite { peer } => {
                write!(f, "no cipher suite in common; the peer offers {}", list(peer.iter()))
            }
            Self::NoCipherKind { peer } => {
                write!(f, "no cipher kind in common; the peer offers {}", list(peer.iter()))
            }
            Self::NoSignatureScheme { peer } => {
                let peer = list(peer.iter().map(|scheme| format!("{scheme:04x}")));
                write!(f, "no signature algorithm in common; the peer offers {peer}")
            }
            Self::NoApplicationProtocol { peer } => {
                let peer = list(peer.iter().map(|name| name.escape_ascii()));
                write!(f, "no application protocol in common; the peer offers {peer}")
            }
            Self::NoExtendedMasterSecret => f.write_str("the peer does not have the extended master secret"),
            Self::Pct1(mismatch) => write!(f, "nothing in common with the peer in PCT 1.0: {mismatch}"),
        }
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InappropriateFallback { offered, highest } => {
                write!(f, "the client fell back to {offered}, and {highest} is enabled here")
            }
            Self::SmallGroup { bits, minimum } => write!(
                f,
                "the server's Diffie-Hellman group has {bits} bits, and at least {minimum} are required"
            ),
            Self::NoClientCertificate => f.write_str("the client showed no certificate, and one is required"),
            Self::Renegotiation => f.write_str("the peer wants to negotiate again, and that is not allowed"),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            Self::Record(error) => Some(error),
            Self::Certificate(refused) => Some(refused),
            _ => None,
        }
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

impl From<EncodeError> for Error {
    fn from(_: EncodeError) -> Self {
        Self::Internal("a message of ours is longer than it may be")
    }
}

impl From<Misbehaved> for Error {
    fn from(how: Misbehaved) -> Self {
        Self::Misbehaved(how)
    }
}

impl From<Incompatible> for Error {
    fn from(what: Incompatible) -> Self {
        Self::Incompatible(what)
    }
}

impl From<Refused> for Error {
    fn from(what: Refused) -> Self {
        Self::Refused(what)
    }
}

impl From<crypto::random::RandomError> for Error {
    fn from(_: crypto::random::RandomError) -> Self {
        Self::Internal("the source of random bytes has failed")
    }
}

/// An alert as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) level: AlertLevel,
    pub(crate) description: AlertDescription,
}

#[cfg(test)]
mod tests;
