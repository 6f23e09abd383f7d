//! The engines behind the package, and what they have in common.
//!
//! | what | where |
//! |---|---|
//! | TLS 1.3, and TLS 1.2 with the suites that rustls has | [`rustls`] |
//! | everything older and weaker | [`legacy`] |
//! | what both are told | `settings.rs`, `identity.rs` |
//! | whether a peer may take up a session | `again.rs` |
//! | the keys of stateless tickets | `ticket_keys.rs` |
//! | what both yield | `session.rs`, [`Progress`], [`Established`] |
//! | what both protect records with | `records.rs` |
//! | bytes that were taken before it was known for whom | `replay.rs` |

mod again;
mod identity;
pub(crate) mod legacy;
pub(crate) mod records;
mod replay;
pub(crate) mod rustls;
mod session;
mod settings;
mod ticket_keys;

pub(crate) use again::ComingBack;
pub(crate) use identity::Identity;
pub(crate) use replay::Replay;
pub(crate) use session::{LocalCertificate, Session, SessionSecrets};
pub(crate) use settings::{
    ClientParameters, ServerParameters, Settings, Variants, Verification, check_alpn, no_protocol,
};
pub(crate) use ticket_keys::OwnTicketKeys;

use sspi_core::Question;

/// What a peer may do that is harmless, so often in a row.
pub(crate) const FLOOD_LIMIT: usize = 32;

/// What a handshake came to.
pub(crate) enum Progress {
    Continue {
        token: Vec<u8>,
        used: usize,
    },
    Incomplete {
        missing: usize,
    },
    Ask(Question),
    /// Data of the application, in the middle of a second handshake.
    Data {
        data: Vec<u8>,
        used: usize,
    },
    /// The peer does not negotiate the connection again, or has closed its side instead.
    Declined {
        directions: Box<legacy_tls::Directions>,
        closed: bool,
        used: usize,
    },
    Complete {
        established: Established,
        token: Vec<u8>,
        used: usize,
    },
}

/// What protects the records of a context.
pub(crate) trait Backend: Send + Sized + 'static {
    type Sealing: records::Sealing;
    type Opening: records::Opening;
}

/// rustls's records.
pub(crate) struct Rustls;

impl Backend for Rustls {
    type Sealing = rustls::records::Sending;
    type Opening = rustls::records::Receiving;
}

/// The engine's.
pub(crate) struct Engine;

impl Backend for Engine {
    type Sealing = legacy::records::Sending;
    type Opening = legacy::records::Receiving;
}

/// What a handshake yields: what was negotiated, and the keys.
pub(crate) enum Established {
    Rustls(Box<rustls::Established>),
    Legacy(Box<legacy::Established>),
}

impl Established {
    /// Server: what is said in place of the last flight to a client that is refused after all; `None` where an alert says it on
    /// the connection.
    pub(crate) fn refusal_of_the_client(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rustls(_) => None,
            Self::Legacy(established) => match &established.session.secrets {
                SessionSecrets::Legacy(negotiated) => negotiated.refusal_of_the_client(),
                SessionSecrets::Tls13 { .. } | SessionSecrets::Tls12 { .. } => None,
            },
        }
    }

    pub(crate) fn session_mut(&mut self) -> &mut Session {
        match self {
            Self::Rustls(established) => &mut established.session,
            Self::Legacy(established) => &mut established.session,
        }
    }
}
