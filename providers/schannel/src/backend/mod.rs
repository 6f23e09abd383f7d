//! The engines behind the package, and what they have in common.
//!
//! | what | where |
//! |---|---|
//! | TLS 1.3, and TLS 1.2 with the suites that rustls has | [`rustls`] |
//! | everything older and weaker | [`legacy`] |
//! | what both are told | `settings.rs`, `identity.rs` |
//! | what both yield | `session.rs`, [`Progress`], [`Established`] |
//! | what both protect records with | `records.rs` |
//! | bytes that were taken before it was known for whom | `replay.rs` |

mod identity;
pub(crate) mod legacy;
pub(crate) mod records;
mod replay;
pub(crate) mod rustls;
mod session;
mod settings;

pub(crate) use identity::Identity;
pub(crate) use replay::Replay;
pub(crate) use session::{LocalCertificate, Session, SessionSecrets};
pub(crate) use settings::{
    ClientParameters, ServerParameters, Settings, Variants, Verification, check_alpn, no_protocol,
};

use sspi_core::Question;

/// What a peer may do that is harmless, so often in a row.
pub(crate) const FLOOD_LIMIT: usize = 32;

/// What a handshake came to.
pub(crate) enum Progress {
    Continue { token: Vec<u8>, used: usize },
    Incomplete { missing: usize },
    Ask(Question),
    Complete { established: Established, token: Vec<u8>, used: usize },
}

/// What a handshake yields: what was negotiated, and the keys.
pub(crate) enum Established {
    Rustls(Box<rustls::Established>),
    Legacy(Box<legacy::Established>),
}
