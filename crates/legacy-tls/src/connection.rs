//! Connections: bytes in, bytes out, until a handshake is over.
//!
//! | looking for | where |
//! |---|---|
//! | what is called, in either role | [`ClientConnection`], [`ServerConnection`] |
//! | how messages are made of bytes and given to a state, in every protocol | `handshake.rs` |
//! | one hello that several protocols can answer | `shared.rs` |

use std::fmt::{self, Debug, Formatter};

use crate::config::{ClientAuth, Policy};
use crate::error::Error;
use crate::pct1::channel::Redo;
use crate::renegotiation::Directions;
use crate::tls::alert::AlertDescription;
use crate::tls::versions::{ProtocolVersion, Rules};

mod client;
pub(crate) mod handshake;
mod negotiated;
mod server;
mod shared;

pub use self::client::ClientConnection;
pub(crate) use self::client::{ClientHandshake, wanted};
pub use self::negotiated::{Established, KeptSession, Negotiated};
pub use self::server::ServerConnection;
pub(crate) use self::server::ServerHandshake;

/// Why a call stopped.
pub enum Progress {
    /// Send the output, if it is not empty, and come back with the rest of the input and with what the peer answers.
    Continue {
        /// What must be sent.
        output: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// The input ends in the middle of a record; present all of it again with more behind.
    Incomplete {
        /// How many bytes are missing at least.
        missing: usize,
    },
    /// A server wants a certificate; say which with [`ClientConnection::answer`], then present the same input again.
    Ask(CertificateRequested),
    /// Data of the application, in the middle of a second handshake; come back with the rest of the input.
    Data {
        /// What the peer sent.
        data: Vec<u8>,
        /// Bytes of the input that were taken.
        used: usize,
    },
    /// The peer does not negotiate the connection again: it stays what it was.
    Declined {
        /// Both directions, as they are now.
        directions: Box<Directions>,
        /// It has closed its side, and sends no more.
        closed: bool,
        /// Bytes of the input that were taken; what follows is of the connection.
        used: usize,
    },
    /// The handshake is over.
    Complete {
        /// The keys, and what was negotiated.
        established: Box<Established>,
        /// What must be sent.
        output: Vec<u8>,
        /// Bytes of the input that were taken; what follows is application data.
        used: usize,
    },
}

impl Debug for Progress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue { output, used } => {
                write!(f, "Continue {{ output: {} bytes, used: {used} }}", output.len())
            }
            Self::Incomplete { missing } => write!(f, "Incomplete {{ missing: {missing} }}"),
            Self::Ask(request) => f.debug_tuple("Ask").field(request).finish(),
            Self::Data { data, used } => write!(f, "Data {{ data: {} bytes, used: {used} }}", data.len()),
            Self::Declined { used, .. } => write!(f, "Declined {{ used: {used} }}"),
            Self::Complete { output, used, .. } => {
                write!(f, "Complete {{ output: {} bytes, used: {used} }}", output.len())
            }
        }
    }
}

/// A handshake that failed. It stays failed: every call says the same error again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why.
    pub error: Error,
    /// What must still be sent; empty where there is nothing to say.
    pub output: Vec<u8>,
    /// The alert that `output` says it with, numbered as the protocol of the peer numbers it; `None` where it is silent, or has
    /// an ERROR of SSL 2.0 or PCT.
    pub alert: Option<AlertDescription>,
}

impl Failure {
    /// One of which the peer is told nothing.
    pub(crate) const fn silent(error: Error) -> Self {
        Self { error, output: Vec::new(), alert: None }
    }
}

/// What certificates a server would accept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateRequested {
    /// The names of authorities, each in DER; none means any.
    pub authorities: Vec<Vec<u8>>,
    /// The kinds: 1 = rsa_sign, 2 = dss_sign, 64 = ecdsa_sign.
    pub certificate_types: Vec<u8>,
    /// Signature algorithms by their numbers; none before TLS 1.2.
    pub signature_schemes: Vec<u16>,
}

/// What one client's handshake is asked to do.
#[derive(Clone, Debug, Default)]
pub struct ClientParameters {
    /// The host name, or the address, that the server is to have; `None` leaves that to the verifier.
    pub server_name: Option<String>,
    /// Application protocols, the preferred one first; `None` leaves it to the policy.
    pub alpn: Option<Vec<Vec<u8>>>,
    /// Under what the session is kept and looked for; `None`: it is not.
    pub session_key: Option<Vec<u8>>,
    /// This is a second attempt with less than we can (SCSV).
    pub fallback: bool,
}

/// What one server's handshake is asked to do.
#[derive(Clone, Debug, Default)]
pub struct ServerParameters {
    /// Application protocols, the preferred one first; `None` leaves it to the policy.
    pub alpn: Option<Vec<Vec<u8>>>,
    /// Whether a certificate is asked for; `None` leaves it to the configuration.
    pub client_auth: ClientAuth,
}

/// A connection of PCT before it is negotiated again.
fn redo(directions: Directions) -> Result<Redo, Error> {
    const OTHER: Error = Error::Misused("a connection of another protocol is not negotiated again like this");
    let Directions { sealer, opener, .. } = directions;
    let (sealer, opener) = sealer.into_pct1().zip(opener.into_pct1()).ok_or(OTHER)?;
    Ok(Redo { sealer, opener, peer_escaped: false, out_of_band: Vec::new() })
}

/// Before a version is agreed on, alerts are those of a version only where no other is enabled.
fn only_rules(policy: &Policy) -> Option<&'static Rules> {
    let lowest = policy.lowest_here().filter(|lowest| policy.highest_here() == Some(*lowest));
    lowest.and_then(ProtocolVersion::rules)
}
