//! What can go wrong, and THE table of what each error means to the caller.

use std::fmt;

use sspi_core::{Fault, SecStatus};
use wire::DecodeError;

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    // Bytes.
    /// A token is no message, or none that can be read.
    Decode(DecodeError),

    // What the peer does.
    /// It has no text that we know.
    NoCharacterSet,
    /// It offers or chooses keys that are too short.
    WeakKey { bits: u32, minimum: u32 },
    /// It has no extended session security.
    NoExtendedSessionSecurity,
    /// It answers with a version that is too old.
    OldResponse { version: &'static str, level: u8 },
    /// It is nobody.
    Anonymous,
    /// It sends our own challenge back to us.
    Reflected,
    /// It does not know the password, or what else it does not learn.
    LogonDenied,
    /// It says that it has a MIC, and has none or another one.
    WrongMic,
    /// It has no MIC, and must.
    NoMic,
    /// It answers a challenge that is not quite ours.
    ChallengeAltered,
    /// It does not sign or encrypt, and must.
    Unprotected { what: &'static str },
    /// Its bindings are not those of the channel.
    Bindings(BindingsProblem),
    /// It wants to talk to somebody else.
    WrongTarget { named: Option<String> },
    /// It answers when the challenge is no longer good.
    Late,
    /// Too many logons failed.
    LockedOut,

    // Messages.
    /// A message was altered.
    MessageAltered,
    /// A message is another one than the next.
    OutOfSequence { found: u32, expected: u32 },

    // What is ours.
    /// The context goes on somewhere else.
    Exported,
    /// Encryption was not negotiated.
    NotSealed,
    /// There are no more numbers for messages.
    NumbersUsedUp,
    /// There is no more randomness.
    Random,
    /// What we would say is too long.
    Encode(wire::EncodeError),
    /// A token would be longer than the package says that tokens are.
    TokenTooLong { length: usize },
    /// Something that should not happen.
    Internal(&'static str),
}

/// What is wrong with channel bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingsProblem {
    /// The client has none.
    Missing,
    /// The client has others.
    Wrong,
    /// The client has some, and our channel has none.
    Superfluous,
    /// They must be looked at, and our channel has none.
    Unknown,
}

/// Status, fault and setting of an error.
type Row = (SecStatus, Fault, Option<&'static str>);

impl Error {
    /// THE table: what each error means to the caller, whose fault it is, and what would change it.
    const fn row(&self) -> Row {
        use Fault::{ApiMisuse, Decode, Internal, PeerIncompatible, PeerMisbehaved, Refused};
        use SecStatus as S;
        match self {
            Self::Decode(_) => (S::SEC_E_INVALID_TOKEN, Decode, None),
            Self::NoCharacterSet => (S::SEC_E_INVALID_TOKEN, PeerIncompatible, None),
            Self::WeakKey { .. } => (S::SEC_E_ALGORITHM_MISMATCH, PeerIncompatible, Some("minimum-key-bits")),
            Self::NoExtendedSessionSecurity => {
                (S::SEC_E_ALGORITHM_MISMATCH, PeerIncompatible, Some("extended-session-security"))
            }
            Self::OldResponse { .. } => {
                (S::SEC_E_LOGON_DENIED, Refused, Some("acceptor-lm-compatibility-level"))
            }
            Self::Anonymous => (S::SEC_E_LOGON_DENIED, Refused, Some("anonymous")),
            Self::Reflected => (S::SEC_E_LOGON_DENIED, PeerMisbehaved, Some("reflection")),
            Self::LogonDenied | Self::LockedOut => (S::SEC_E_LOGON_DENIED, Refused, None),
            Self::WrongMic => (S::SEC_E_MESSAGE_ALTERED, PeerMisbehaved, None),
            Self::ChallengeAltered => (S::SEC_E_MESSAGE_ALTERED, PeerMisbehaved, Some("repeated-pairs")),
            Self::Unprotected { .. } => (S::SEC_E_UNSUPPORTED_FUNCTION, PeerIncompatible, None),
            Self::NoMic => (S::SEC_E_MESSAGE_ALTERED, Refused, Some("require-mic")),
            Self::Bindings(_) => (S::SEC_E_BAD_BINDINGS, Refused, Some("channel-bindings")),
            Self::WrongTarget { .. } => (S::SEC_E_WRONG_PRINCIPAL, Refused, Some("service-names")),
            Self::Late => (S::SEC_E_CONTEXT_EXPIRED, PeerMisbehaved, Some("deadline")),
            Self::MessageAltered => (S::SEC_E_MESSAGE_ALTERED, PeerMisbehaved, None),
            Self::OutOfSequence { .. } => (S::SEC_E_OUT_OF_SEQUENCE, PeerMisbehaved, None),
            Self::Exported => (S::SEC_E_INVALID_HANDLE, ApiMisuse, None),
            Self::NotSealed => (S::SEC_E_QOP_NOT_SUPPORTED, ApiMisuse, None),
            Self::NumbersUsedUp => (S::SEC_E_ENCRYPT_FAILURE, ApiMisuse, None),
            Self::Encode(_) | Self::TokenTooLong { .. } => (S::SEC_E_INVALID_PARAMETER, ApiMisuse, None),
            Self::Random | Self::Internal(_) => (S::SEC_E_INTERNAL_ERROR, Internal, None),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "the peer's token cannot be read: {error}"),
            Self::NoCharacterSet => f.write_str("the peer has neither UTF-16 nor a code page for names"),
            Self::WeakKey { bits, minimum } => {
                write!(f, "the peer has keys of {bits} bits; at least {minimum} are required")
            }
            Self::NoExtendedSessionSecurity => f.write_str(
                "the peer has no extended session security, without which messages have a checksum only",
            ),
            Self::OldResponse { version, level } => {
                write!(f, "the client answers with {version}, which is refused at level {level}")
            }
            Self::Anonymous => f.write_str("the peer is anonymous, or wants us to be"),
            Self::Reflected => f.write_str("the server sends a challenge that this process has made itself"),
            // One sentence, whatever the reason: the log has it.
            Self::LogonDenied | Self::LockedOut => f.write_str("the logon was denied"),
            Self::WrongMic => {
                f.write_str("the messages of the handshake were altered: the MIC is not theirs")
            }
            Self::ChallengeAltered => f.write_str(
                "the messages of the handshake were altered: the client answers another challenge",
            ),
            Self::Unprotected { what } => {
                write!(f, "{what} of messages was asked for, and the peer does not agree to it")
            }
            Self::NoMic => f.write_str("the client has no MIC, and must have one"),
            Self::Bindings(problem) => f.write_str(match problem {
                BindingsProblem::Missing => "the client is not bound to this channel",
                BindingsProblem::Wrong => "the client is bound to another channel",
                BindingsProblem::Superfluous => "the client is bound to a channel, and this is none",
                BindingsProblem::Unknown => "channel bindings are required, and the application has none",
            }),
            Self::WrongTarget { named: Some(name) } => {
                write!(f, "the client wants to talk to {name:?}, which is not one of this server's names")
            }
            Self::WrongTarget { named: None } => {
                f.write_str("the client does not say whom it wants to talk to")
            }
            Self::Late => f.write_str("the client's answer came when the challenge had expired"),
            Self::MessageAltered => f.write_str("a message was altered: its signature does not fit"),
            Self::OutOfSequence { found, expected } => {
                write!(f, "a message came out of sequence: number {found}, not {expected}")
            }
            Self::Exported => f.write_str("the context was exported: its messages are protected elsewhere"),
            Self::NotSealed => {
                f.write_str("neither integrity nor confidentiality was negotiated on this context")
            }
            Self::NumbersUsedUp => f.write_str("the numbers of messages are used up"),
            Self::Random => f.write_str("the source of random bytes has failed"),
            Self::Encode(error) => write!(f, "a name is too long: {error}"),
            Self::TokenTooLong { length } => {
                write!(f, "names are too long: the token would have {length} bytes")
            }
            Self::Internal(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<wire::EncodeError> for Error {
    fn from(error: wire::EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<crypto::random::RandomError> for Error {
    fn from(_: crypto::random::RandomError) -> Self {
        Self::Random
    }
}

impl From<Error> for sspi_core::Error {
    fn from(error: Error) -> Self {
        let (status, fault, setting) = error.row();
        let out = Self::new(status, fault, error.to_string());
        match setting {
            Some(setting) => out.with_setting(setting),
            None => out,
        }
    }
}

impl From<Error> for sspi_core::Failure {
    fn from(error: Error) -> Self {
        Self::silent(error.into())
    }
}
