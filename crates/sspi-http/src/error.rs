//! What can go wrong for a client.

use std::fmt;

use http::StatusCode;

/// Why a client's request was not answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The connection failed, or was closed in the middle of an authentication that it is bound to.
    Http(hyper::Error),
    /// The package refuses: what the server sent, or to log on at all.
    Security(sspi_core::Error),
    /// The server wants authentication, and offers no scheme that is configured.
    NoSchemeInCommon {
        /// What it offers.
        offered: Vec<String>,
        /// What is configured.
        configured: Vec<&'static str>,
    },
    /// The server refused what was sent: the password is wrong, the account may not, or it takes none of the packages that were
    /// offered to it.
    Refused {
        /// The scheme that was used.
        scheme: &'static str,
        /// The status of the response.
        status: StatusCode,
        /// The other schemes that the server offers.
        offered: Vec<String>,
        /// What the package makes of it, with the setting that would change it.
        reason: Option<sspi_core::Error>,
    },
    /// The server answered the first message of an exchange, which goes without the request's body, as if it were the request:
    /// what it did, it did without the body.
    AnsweredEarly {
        /// The scheme that was used.
        scheme: &'static str,
        /// The status of the response.
        status: StatusCode,
    },
    /// The server sent what has no place in the scheme's exchange.
    Protocol {
        /// The scheme that was used.
        scheme: &'static str,
        /// What it was.
        what: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => write!(f, "the connection failed: {error}"),
            Self::Security(error) => error.fmt(f),
            Self::NoSchemeInCommon { offered, configured } if offered.is_empty() => {
                write!(
                    f,
                    "the server wants authentication and offers no scheme; configured: {}",
                    configured.join(", ")
                )
            }
            Self::NoSchemeInCommon { offered, configured } => write!(
                f,
                "the server offers {} and configured is {}: no scheme in common",
                offered.join(", "),
                configured.join(", ")
            ),
            Self::Refused { scheme, status, offered, reason } => {
                write!(f, "the server refused the logon with {scheme} (status {status})")?;
                if let Some(reason) = reason {
                    write!(f, ": {}", reason.message())?;
                }
                if let Some(setting) = reason.as_ref().and_then(sspi_core::Error::setting) {
                    write!(f, " (setting: {setting})")?;
                }
                if offered.is_empty() { Ok(()) } else { write!(f, "; it also offers {}", offered.join(", ")) }
            }
            Self::AnsweredEarly { scheme, status } => write!(
                f,
                "the server answered the request without its body (status {status}): it did not wait for the logon with {scheme}"
            ),
            Self::Protocol { scheme, what } => write!(f, "{scheme}: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            Self::Security(error) | Self::Refused { reason: Some(error), .. } => Some(error),
            _ => None,
        }
    }
}

impl From<hyper::Error> for Error {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

impl From<sspi_core::Error> for Error {
    fn from(error: sspi_core::Error) -> Self {
        Self::Security(error)
    }
}
