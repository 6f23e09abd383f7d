//! The audit record: one span and one event for each handshake.
//!
//! Everything that the peer sent goes through [`harmless`] before it gets here. The target of the events is
//! [`TARGET`]; a completed handshake is at level `INFO`, a refused one at `WARN`.

#[cfg(feature = "tokio")]
mod record;

use serde::Serialize;
use sspi_core::{Account, AlgId, QueryContextAttributes};

#[cfg(feature = "tokio")]
pub(crate) use self::record::Record;
use crate::harmless::{harmless, harmless_bytes};

/// The target of every event of the audit record.
pub const TARGET: &str = "opensspi::audit";

/// In which role we took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// We connected.
    Client,
    /// We accepted.
    Server,
}

impl Role {
    /// The role in a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// What was negotiated, fit to be printed: what the peer sent is escaped and bounded. A field that the package does not
/// have, or that was not negotiated, is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Negotiated {
    /// The package.
    pub package: String,
    /// The protocol, such as `TLS 1.3`.
    pub protocol: Option<String>,
    /// The cipher suite, by its registered name.
    pub cipher: Option<String>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// How keys were agreed, such as `RSA`, `RSA export`, `DHE` or `ECDHE`.
    pub key_exchange: Option<String>,
    /// The bits of the key exchange; 0 where they are not known, as in a resumption.
    pub key_exchange_bits: u32,
    /// The name that the client asked for.
    pub target: Option<String>,
    /// The application protocol that ALPN chose.
    pub application_protocol: Option<String>,
    /// The subject of the peer's certificate, or its name.
    pub peer_name: Option<String>,
    /// The account that the peer maps to.
    pub account: Option<String>,
    /// The rule by which it does, such as `upn` or `issuer-and-serial`.
    pub account_rule: Option<String>,
    /// Whether an earlier session was taken up again.
    pub resumed: bool,
}

impl Negotiated {
    /// What the attributes of an established context say.
    #[must_use]
    pub fn of(attributes: &dyn QueryContextAttributes, account: Option<&Account>) -> Self {
        let cipher = attributes.cipher_info().ok();
        let connection = attributes.connection_info().ok();
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Self {
            package: attributes.package_info().name.to_string(),
            protocol: connection.as_ref().map(|info| info.protocol.to_string()),
            cipher: cipher.as_ref().and_then(|info| text(&info.cipher_suite_name)),
            group: cipher.as_ref().and_then(|info| text(&info.exchange_group)),
            key_exchange: connection.as_ref().and_then(|info| {
                let is_export = cipher.as_ref().is_some_and(|info| info.cipher_suite_name.contains("EXPORT"));
                key_exchange(info.exchange, is_export).map(str::to_owned)
            }),
            key_exchange_bits: connection.as_ref().map_or(0, |info| info.exchange_strength),
            target: attributes.client_specified_target().ok().map(|name| harmless(&name)),
            application_protocol: attributes
                .application_protocol()
                .ok()
                .and_then(|chosen| chosen.protocol)
                .map(|name| harmless_bytes(&name)),
            peer_name: peer_name(attributes),
            account: account.map(account_name),
            account_rule: account.and_then(|account| text(&account.matched_by)).map(|rule| harmless(&rule)),
            resumed: attributes.session_info().is_ok_and(|info| info.reconnect),
        }
    }
}

/// How keys were agreed, as suites call it.
const fn key_exchange(id: AlgId, is_export: bool) -> Option<&'static str> {
    Some(match (id, is_export) {
        (AlgId::RSA_KEYX, true) => "RSA export",
        (AlgId::RSA_KEYX, false) => "RSA",
        (AlgId::DH_EPHEM, true) => "DHE export",
        (AlgId::DH_EPHEM, false) => "DHE",
        (AlgId::ECDH_EPHEM, _) => "ECDHE",
        _ => return None,
    })
}

impl Negotiated {
    /// How keys were agreed, in a few words: `ECDHE, x25519`, `RSA, 2048 bits`.
    #[must_use]
    pub fn key_exchange_text(&self) -> Option<String> {
        let exchange = self.key_exchange.as_ref()?;
        Some(match (&self.group, self.key_exchange_bits) {
            (Some(group), _) => format!("{exchange}, {group}"),
            (None, 0) => exchange.clone(),
            (None, bits) => format!("{exchange}, {bits} bits"),
        })
    }
}

/// The principal name, `DOMAIN/name`, or the name alone.
#[must_use]
pub fn account_name(account: &Account) -> String {
    harmless(&match (&account.upn, &account.domain) {
        (Some(upn), _) => upn.clone(),
        (None, Some(domain)) => format!("{domain}/{}", account.name),
        (None, None) => account.name.clone(),
    })
}

#[cfg(feature = "schannel")]
fn peer_name(attributes: &dyn QueryContextAttributes) -> Option<String> {
    let chain = attributes.remote_certificate().ok()?;
    Some(match crate::providers::CertificateSummary::from_der(chain.leaf()) {
        // The summary is harmless already, and as long as the peer made it.
        Ok(summary) => crate::harmless::harmless_message(&summary.subject),
        Err(_) => "a certificate that cannot be read".to_owned(),
    })
}

#[cfg(not(feature = "schannel"))]
fn peer_name(_attributes: &dyn QueryContextAttributes) -> Option<String> {
    None
}
