//! What a configuration may say about Schannel. The default is safe: TLS 1.3 and 1.2, the system's roots, no exceptions.

use serde::Deserialize;
use sspi_core::SpProt;

use crate::certificate::verifier::Weakness;

/// A protocol, as a configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Protocol {
    /// `tls1.3`: RFC 8446.
    #[serde(rename = "tls1.3")]
    Tls13,
    /// `tls1.2`: RFC 5246, with the suites that have an AEAD and an ephemeral key exchange.
    #[serde(rename = "tls1.2")]
    Tls12,
}

impl Protocol {
    /// Both, in the default order of preference.
    pub const ALL: [Self; 2] = [Self::Tls13, Self::Tls12];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls13 => "tls1.3",
            Self::Tls12 => "tls1.2",
        }
    }

    /// The protocol's bits, both roles.
    #[must_use]
    pub const fn bits(self) -> SpProt {
        match self {
            Self::Tls13 => SpProt::TLS1_3,
            Self::Tls12 => SpProt::TLS1_2,
        }
    }
}

/// Whether revocation is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// Not at all.
    #[default]
    Off,
    /// A certificate that is known to be revoked is refused; one whose state cannot be told is accepted.
    Soft,
    /// A certificate is accepted only when a list or a stapled answer says that it is not revoked.
    Hard,
}

/// Whether a server asks its clients for certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// No.
    #[default]
    None,
    /// It asks, and goes on without one.
    Optional,
    /// It asks, and refuses a client without one.
    Required,
}

/// Where a client's certificate comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// From `certificates`, the first that fits what the server asks for; none if none does.
    #[default]
    Configured,
    /// The application is asked when a server wants one (`SEC_I_INCOMPLETE_CREDENTIALS`).
    Ask,
}

/// A certificate chain with its private key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CertificateConfig {
    /// The chain in PEM, leaf first: `file:PATH` or a plain path.
    pub chain: String,
    /// The private key in PEM (PKCS#8, PKCS#1 or SEC1): `file:PATH` or `env:NAME`.
    pub key: String,
    /// Send the root along when it stands in the chain.
    #[serde(default)]
    pub send_root: bool,
}

/// The section `[schannel]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SchannelConfig {
    /// The protocols that may be spoken, the preferred one first.
    pub protocols: Vec<Protocol>,
    /// The cipher suites that may be used, by their registered names, in order of preference; empty: the default list.
    pub suites: Vec<String>,
    /// Our certificates: a server's (chosen by the name that the client asks for), or a client's.
    pub certificates: Vec<CertificateConfig>,
    /// Where a client's certificate comes from.
    pub client_certificate: ClientCertificate,
    /// Whose certificates are trusted: `system`, and files in PEM.
    pub roots: Vec<String>,
    /// SHA-256 of certificates that are trusted as they are, in hexadecimal; when there are any, nothing else is.
    pub pins: Vec<String>,
    /// The weaknesses of old certificates that are accepted, by name: `["sha1-signature", "rsa-1024"]`.
    pub allow: Vec<Weakness>,
    /// Whether a server asks its clients for certificates.
    pub client_auth: ClientAuth,
    /// Whose clients a server trusts: files in PEM.
    pub client_roots: Vec<String>,
    /// Whether a server names the authorities that it trusts when it asks for a certificate.
    pub send_ca_list: bool,
    /// Whether revocation is looked at.
    pub revocation: Revocation,
    /// Certificate revocation lists: files in PEM or DER.
    pub crls: Vec<String>,
    /// A stapled OCSP answer that a server sends with its first certificate: a file in DER.
    pub ocsp_response: Option<String>,
    /// Application protocols for ALPN, the preferred one first.
    pub alpn: Vec<String>,
    /// Whether sessions are resumed.
    pub resume: bool,
    /// Whether a server gives out stateless tickets (`true`) or keeps sessions itself (`false`).
    pub session_tickets: bool,
    /// How many sessions are kept at most.
    pub session_cache_entries: usize,
    /// Where the secrets of connections are written for a network analyser: `file:PATH`, or `env:SSLKEYLOGFILE` for the
    /// file that the variable names. For debugging only: whoever reads
    /// the file reads the connections.
    pub key_log: Option<String>,
}

impl Default for SchannelConfig {
    fn default() -> Self {
        Self {
            protocols: Protocol::ALL.to_vec(),
            suites: Vec::new(),
            certificates: Vec::new(),
            client_certificate: ClientCertificate::Configured,
            roots: vec!["system".to_owned()],
            pins: Vec::new(),
            allow: Vec::new(),
            client_auth: ClientAuth::None,
            client_roots: Vec::new(),
            send_ca_list: true,
            revocation: Revocation::Off,
            crls: Vec::new(),
            ocsp_response: None,
            alpn: Vec::new(),
            resume: true,
            session_tickets: true,
            session_cache_entries: 10_000,
            key_log: None,
        }
    }
}
