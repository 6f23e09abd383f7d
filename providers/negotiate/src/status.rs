//! What can go wrong, and THE table of what each error means to the caller.

use std::fmt;

use gss::DecodeError;
use sspi_core::{Fault, SecStatus};

/// What can go wrong.
#[derive(Clone, Debug)]
pub(crate) enum Error {
    /// A token is none of SPNEGO, or one that cannot be read.
    Decode(DecodeError),
    /// It can be read, and is not the one that must come now.
    Unexpected(&'static str),
    /// The peer offers nothing that may be chosen.
    NothingInCommon { offered: String, ours: String, setting: &'static str },
    /// The peer chose what was not offered.
    NotOffered { chosen: String },
    /// The server takes nothing of what was offered, or not the token that came with it.
    NotTaken { offered: String },
    /// The peer gave up before the mechanism was done, or because of what it said.
    Rejected { is_logon: bool },
    /// The peer uses a mechanism without negotiating, and the policy would have chosen another.
    NotNegotiated { mechanism: String },
    /// The list of mechanisms had to be signed, and was not.
    NoMic,
    /// The signature is not over the list that this end sent or got.
    WrongMic(sspi_core::Error),
    /// The policy leaves no package for this target.
    NothingAllowed { left_out: String },
    /// What the policy leaves is a stream, and the caller asks for none.
    OnlyStreams { ours: String },
    /// The peer begins a stream, and there is no package for one.
    NoStream { ours: String },
    /// The mechanism failed; it says how.
    Mechanism(sspi_core::Error),
    /// The mechanism does what it must not.
    Internal(&'static str),
}

impl Error {
    const fn meaning(&self) -> (SecStatus, Fault) {
        match self {
            Self::Decode(_) => (SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode),
            Self::Unexpected(_) | Self::NotOffered { .. } => {
                (SecStatus::SEC_E_INVALID_TOKEN, Fault::PeerMisbehaved)
            }
            Self::NothingInCommon { .. } | Self::NotNegotiated { .. } | Self::NoStream { .. } => {
                (SecStatus::SEC_E_INVALID_TOKEN, Fault::PeerIncompatible)
            }
            Self::NotTaken { .. } | Self::Rejected { is_logon: false } => {
                (SecStatus::SEC_E_INVALID_TOKEN, Fault::PeerReported)
            }
            Self::Rejected { is_logon: true } => (SecStatus::SEC_E_LOGON_DENIED, Fault::PeerReported),
            Self::NoMic | Self::WrongMic(_) => (SecStatus::SEC_E_DOWNGRADE_DETECTED, Fault::Refused),
            Self::NothingAllowed { .. } | Self::OnlyStreams { .. } => {
                (SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration)
            }
            // They are passed on as they are.
            Self::Mechanism(_) | Self::Internal(_) => (SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal),
        }
    }

    /// The setting that would change the outcome.
    const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::NothingInCommon { setting, .. } => Some(setting),
            Self::NotNegotiated { .. } => Some("negotiate.raw"),
            // A peer that signs no lists is let in where there is one package only, so that there is nothing to be forced.
            Self::NothingAllowed { .. }
            | Self::OnlyStreams { .. }
            | Self::NoStream { .. }
            | Self::NotTaken { .. }
            | Self::NoMic => Some("negotiate.packages"),
            // Nothing lets in whoever changes lists, or breaks the protocol.
            Self::WrongMic(_)
            | Self::NotOffered { .. }
            | Self::Decode(_)
            | Self::Unexpected(_)
            | Self::Rejected { .. }
            | Self::Mechanism(_)
            | Self::Internal(_) => None,
        }
    }
}

/// What the mechanism is called, and the package that has it.
const KERBEROS: &str = "Kerberos";

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "the token cannot be read: {error}"),
            Self::Unexpected(what) => f.write_str(what),
            Self::NothingInCommon { offered, ours, .. } => {
                write!(f, "the peer offers only {offered}, and this end has only {ours}")?;
                let lacks_kerberos = offered.contains(KERBEROS) && !ours.contains(KERBEROS);
                f.write_str(if lacks_kerberos { "; there is no package for Kerberos here" } else { "" })
            }
            Self::NotTaken { offered } => {
                write!(f, "the server takes nothing of what was offered ({offered}), or not its first token")?;
                let lacks_kerberos = !offered.contains(KERBEROS);
                f.write_str(if lacks_kerberos {
                    "; it may want Kerberos, for which there is no package here"
                } else {
                    ""
                })
            }
            Self::NotOffered { chosen } => write!(f, "the server chose {chosen}, which was not offered"),
            Self::Rejected { is_logon: false } => f.write_str("the peer gave up"),
            Self::Rejected { is_logon: true } => f.write_str("the server does not let this client in"),
            Self::NotNegotiated { mechanism } => {
                write!(f, "the client uses {mechanism} without negotiating it, which is not taken here")
            }
            Self::NoMic => f.write_str(
                "the list of mechanisms had to be signed, and was not: somebody may have taken a better one out of it",
            ),
            Self::WrongMic(error) => {
                write!(f, "the list of mechanisms is not the one that the peer has seen: somebody changed it ({error})")
            }
            Self::NothingAllowed { left_out } if left_out.is_empty() => {
                f.write_str("no package may be negotiated here")
            }
            Self::NothingAllowed { left_out } => write!(f, "no package can be negotiated here: {left_out}"),
            Self::OnlyStreams { ours } => {
                write!(f, "what may be used here is a stream ({ours}), and the caller asks for none")
            }
            Self::NoStream { ours } => write!(
                f,
                "what the peer sends is no token, and no package for streams may be used here, only {ours}"
            ),
            Self::Mechanism(error) => error.fmt(f),
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

impl From<Error> for sspi_core::Error {
    fn from(error: Error) -> Self {
        if let Error::Mechanism(error) = error {
            return error;
        }
        let (status, fault) = error.meaning();
        let ours = Self::new(status, fault, error.to_string());
        match error.setting() {
            Some(setting) => ours.with_setting(setting),
            None => ours,
        }
    }
}
