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
use crate::harmless::{harmless, harmless_bytes, harmless_message};

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
    /// The cipher suite, by its registered name, or the cipher alone.
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
    /// The account that the peer maps to: its name, without domain.
    pub account: Option<String>,
    /// Its domain or realm.
    pub account_domain: Option<String>,
    /// Its user principal name.
    pub account_upn: Option<String>,
    /// Its distinguished name in the directory.
    pub account_dn: Option<String>,
    /// Its security identifier, which stays when names change.
    pub account_sid: Option<String>,
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
            cipher: match &cipher {
                Some(info) => text(&info.cipher_suite_name),
                // Packages without suites have a cipher alone.
                None => attributes.key_info().ok().and_then(|info| text(&info.encrypt_algorithm_name)),
            },
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
            resumed: attributes.session_info().is_ok_and(|info| info.reconnect),
            ..account.map(Self::by).unwrap_or_default()
        }
    }

    /// Whose it is, and nothing else.
    fn by(account: &Account) -> Self {
        let said = |text: &Option<String>| text.as_deref().map(harmless);
        Self {
            account: Some(harmless(&account.name)),
            account_domain: said(&account.domain),
            account_upn: said(&account.upn),
            // Backslashes belong to it, and it may be long.
            account_dn: account.distinguished_name.as_deref().map(harmless_message),
            account_sid: said(&account.sid),
            account_rule: Some(harmless(&account.matched_by)).filter(|rule| !rule.is_empty()),
            ..Self::default()
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

    /// The account in a word: the principal name, `DOMAIN/name`, or the name alone.
    #[must_use]
    pub fn account_text(&self) -> Option<String> {
        let name = self.account.as_ref()?;
        Some(match (&self.account_upn, &self.account_domain) {
            (Some(upn), _) => upn.clone(),
            (None, Some(domain)) => format!("{domain}/{name}"),
            (None, None) => name.clone(),
        })
    }
}

/// The principal name, `DOMAIN/name`, or the name alone.
#[must_use]
pub fn account_name(account: &Account) -> String {
    Negotiated::by(account).account_text().unwrap_or_default()
}

#[cfg(feature = "schannel")]
fn peer_name(attributes: &dyn QueryContextAttributes) -> Option<String> {
    let chain = attributes.remote_certificate().ok()?;
    Some(match crate::providers::CertificateSummary::from_der(chain.leaf()) {
        // The summary is harmless already, and as long as the peer made it.
        Ok(summary) => harmless_message(&summary.subject),
        Err(_) => "a certificate that cannot be read".to_owned(),
    })
}

#[cfg(not(feature = "schannel"))]
fn peer_name(_attributes: &dyn QueryContextAttributes) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_names_an_account_is_in_the_record_and_harmless() {
        let mut account = Account {
            name: "alice\n".into(),
            domain: Some("CORP".into()),
            upn: Some("alice@corp.example".into()),
            distinguished_name: Some(r"CN=Smith\, Alice,DC=corp,DC=example".into()),
            sid: Some("S-1-5-21-1-2-3-1104".into()),
            matched_by: "upn".into(),
        };
        let negotiated = Negotiated::by(&account);
        assert_eq!(negotiated.account.as_deref(), Some(r"alice\n"));
        assert_eq!(negotiated.account_domain.as_deref(), Some("CORP"));
        assert_eq!(negotiated.account_upn.as_deref(), Some("alice@corp.example"));
        assert_eq!(negotiated.account_dn.as_deref(), Some(r"CN=Smith\, Alice,DC=corp,DC=example"));
        assert_eq!(negotiated.account_sid.as_deref(), Some("S-1-5-21-1-2-3-1104"));
        assert_eq!(negotiated.account_rule.as_deref(), Some("upn"));
        assert_eq!(account_name(&account), "alice@corp.example");
        account.upn = None;
        assert_eq!(account_name(&account), r"CORP/alice\n");
        account.domain = None;
        assert_eq!(account_name(&account), r"alice\n");
        assert_eq!(Negotiated::default().account_text(), None);
    }
}
