//! What can go wrong for an application, and in which of four classes a person would look for it.

use std::time::Duration;
use std::{fmt, io};

use sspi_core::{Fault, SecStatus};

use crate::config::ConfigProblems;

/// An error of [`Sspi`](crate::Sspi).
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The configuration file has mistakes.
    Config(ConfigProblems),
    /// A package refused: a status, a sentence, and the setting that would change the outcome.
    Security(sspi_core::Error),
    /// The handshake was not over at its deadline.
    Deadline(Duration),
    /// The connection failed.
    Io(io::Error),
}

/// Whose turn it is when something fails. The number is the exit code of the command `opensspi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitClass {
    /// 1: policy or verification refused the peer, or the peer refused us.
    Policy = 1,
    /// 2: the call or the configuration is wrong.
    Usage = 2,
    /// 3: the network failed.
    Network = 3,
    /// 4: the peer does not speak the protocol, or not one in common with us.
    Protocol = 4,
}

impl ExitClass {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The class in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Usage => "usage",
            Self::Network => "network",
            Self::Protocol => "protocol",
        }
    }

    /// The class of an error of a package.
    #[must_use]
    pub fn of(error: &sspi_core::Error) -> Self {
        match error.fault() {
            Fault::Refused => Self::Policy,
            Fault::ApiMisuse | Fault::Configuration => Self::Usage,
            Fault::PeerReported if is_refusal(error.status()) => Self::Policy,
            _ => Self::Protocol,
        }
    }
}

/// Whether a status that the peer reported says that it refused who we are.
fn is_refusal(status: SecStatus) -> bool {
    [
        SecStatus::SEC_E_CERT_UNKNOWN,
        SecStatus::SEC_E_CERT_EXPIRED,
        SecStatus::SEC_E_UNTRUSTED_ROOT,
        SecStatus::SEC_E_NO_CREDENTIALS,
        SecStatus::SEC_E_LOGON_DENIED,
        SecStatus::CRYPT_E_REVOKED,
    ]
    .contains(&status)
}

impl Error {
    /// Whose turn it is now.
    #[must_use]
    pub fn class(&self) -> ExitClass {
        match self {
            Self::Config(_) => ExitClass::Usage,
            Self::Security(error) => ExitClass::of(error),
            Self::Deadline(_) | Self::Io(_) => ExitClass::Network,
        }
    }

    /// The SSPI status, where a package said one.
    #[must_use]
    pub fn status(&self) -> Option<SecStatus> {
        match self {
            Self::Security(error) => Some(error.status()),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(f),
            Self::Security(error) => error.fmt(f),
            Self::Deadline(after) => {
                write!(f, "the handshake was not over after {after:?} (setting: handshake-deadline)")
            }
            Self::Io(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(problems) => Some(problems),
            Self::Security(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Deadline(_) => None,
        }
    }
}

impl From<ConfigProblems> for Error {
    fn from(problems: ConfigProblems) -> Self {
        Self::Config(problems)
    }
}

impl From<sspi_core::Error> for Error {
    fn from(error: sspi_core::Error) -> Self {
        Self::Security(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: SecStatus, fault: Fault) -> ExitClass {
        Error::from(sspi_core::Error::new(status, fault, "x")).class()
    }

    #[test]
    fn each_fault_has_its_class() {
        assert_eq!(class(SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Refused), ExitClass::Policy);
        assert_eq!(class(SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::PeerReported), ExitClass::Policy);
        assert_eq!(class(SecStatus::SEC_E_ILLEGAL_MESSAGE, Fault::PeerReported), ExitClass::Protocol);
        assert_eq!(class(SecStatus::SEC_E_INVALID_TOKEN, Fault::Decode), ExitClass::Protocol);
        assert_eq!(class(SecStatus::SEC_E_ALGORITHM_MISMATCH, Fault::PeerIncompatible), ExitClass::Protocol);
        assert_eq!(class(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration), ExitClass::Usage);
        assert_eq!(Error::from(io::Error::other("x")).class(), ExitClass::Network);
        assert_eq!(Error::Deadline(Duration::from_secs(1)).class().code(), 3);
    }
}
