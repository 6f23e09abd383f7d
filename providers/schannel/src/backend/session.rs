//! What was negotiated, whichever engine did it.

use std::sync::Arc;

use legacy_tls::{KeyExchangeStrength, Negotiated};
use sspi_core::{Account, Error};

use super::rustls;
use super::rustls::secret::SmallSecret;
use crate::cipher_suites::Suite;
use crate::session_cache::Chain;

/// Everything that was negotiated.
pub(crate) struct Session {
    pub(crate) is_client: bool,
    pub(crate) version: u16,
    pub(crate) suite: Suite,
    /// The key exchange; a resumption without one has none.
    pub(crate) strength: Option<KeyExchangeStrength>,
    pub(crate) alpn: Option<Vec<u8>>,
    pub(crate) peer_chain: Option<Arc<Chain>>,
    pub(crate) local: Option<LocalCertificate>,
    pub(crate) resumed: bool,
    pub(crate) session_id: Vec<u8>,
    /// Server: the name that the client asked for.
    pub(crate) server_name: Option<String>,
    /// Server: the client's account, or why there is none; `None` where it was not asked for.
    pub(crate) account: Option<Box<Result<Account, Error>>>,
    pub(crate) secrets: SessionSecrets,
}

/// The certificate of ours that was shown.
pub(crate) enum LocalCertificate {
    Rustls(rustls::OwnKey),
    Legacy(Arc<legacy_tls::Identity>),
}

impl LocalCertificate {
    /// The chain as it was sent, leaf first.
    pub(crate) fn chain(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Rustls(own) => own.chain().map(<[u8]>::to_vec).collect(),
            Self::Legacy(identity) => identity.chain().to_vec(),
        }
    }
}

/// What exporters and channel bindings derive from.
pub(crate) enum SessionSecrets {
    /// TLS 1.3.
    Tls13 { exporter: SmallSecret },
    /// TLS 1.2 of the rustls backend.
    Tls12 {
        master: SmallSecret,
        client_random: [u8; 32],
        server_random: [u8; 32],
        /// The verify data of the first Finished message.
        unique: Option<[u8; 12]>,
        /// Whether the master secret is bound to the handshake (RFC 7627); without that no channel binding is safe.
        extended_master_secret: bool,
    },
    /// A handshake of the engine.
    Legacy(Box<Negotiated>),
}
