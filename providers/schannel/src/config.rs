//! What a configuration may say about Schannel. The default is safe: TLS 1.3 and 1.2, the system's roots, no exceptions.
//!
//! A profile is where a configuration starts from; what stands beside it wins. `policy.rs` makes one whole of the two.

mod lifetime;
mod protocols;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sspi_core::SpProt;

use crate::account_mapping::{Mapping, MappingRule, WeakMapping};
use crate::certificate::verifier::Weakness;

pub use sspi_core::ProtocolError;

/// A protocol, as a configuration names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Protocol {
    /// `tls1.3`: RFC 8446.
    #[serde(rename = "tls1.3")]
    Tls13,
    /// `tls1.2`: RFC 5246; by default with the suites that have an AEAD and an ephemeral key exchange.
    #[serde(rename = "tls1.2")]
    Tls12,
    /// `tls1.1`: RFC 4346.
    #[serde(rename = "tls1.1")]
    Tls11,
    /// `tls1.0`: RFC 2246.
    #[serde(rename = "tls1.0")]
    Tls10,
    /// `ssl3`: RFC 6101.
    #[serde(rename = "ssl3")]
    Ssl30,
    /// `pct1`: draft-benaloh-pct-00. It has no secrets from anybody who tries.
    #[serde(rename = "pct1")]
    Pct1,
    /// `ssl2`: draft-hickman-netscape-ssl-00. It keeps no secrets; the profiles of the past have it.
    #[serde(rename = "ssl2")]
    Ssl20,
}

impl Protocol {
    /// All of them, the preferred one first.
    pub const ALL: [Self; 7] =
        [Self::Tls13, Self::Tls12, Self::Tls11, Self::Tls10, Self::Ssl30, Self::Pct1, Self::Ssl20];

    /// Those of the default, in its order of preference.
    pub const MODERN: [Self; 2] = [Self::Tls13, Self::Tls12];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls13 => "tls1.3",
            Self::Tls12 => "tls1.2",
            Self::Tls11 => "tls1.1",
            Self::Tls10 => "tls1.0",
            Self::Ssl30 => "ssl3",
            Self::Pct1 => "pct1",
            Self::Ssl20 => "ssl2",
        }
    }

    /// The protocol's bits, both roles.
    #[must_use]
    pub const fn bits(self) -> SpProt {
        match self {
            Self::Tls13 => SpProt::TLS1_3,
            Self::Tls12 => SpProt::TLS1_2,
            Self::Tls11 => SpProt::TLS1_1,
            Self::Tls10 => SpProt::TLS1_0,
            Self::Ssl30 => SpProt::SSL3,
            Self::Pct1 => SpProt::PCT1,
            Self::Ssl20 => SpProt::SSL2,
        }
    }

    /// The version as on the wire.
    #[must_use]
    pub const fn version(self) -> u16 {
        match self {
            Self::Tls13 => 0x0304,
            Self::Tls12 => 0x0303,
            Self::Tls11 => 0x0302,
            Self::Tls10 => 0x0301,
            Self::Ssl30 => 0x0300,
            Self::Pct1 => 0x8001,
            Self::Ssl20 => 0x0002,
        }
    }

    /// Whether it is PCT or SSL 2.0, which share nothing with the protocols after them but certificates.
    pub(crate) const fn is_older_than_ssl3(self) -> bool {
        matches!(self, Self::Pct1 | Self::Ssl20)
    }

    /// Whether nobody should speak it any more who has the choice: it is older than TLS 1.2.
    #[must_use]
    pub const fn is_old(self) -> bool {
        !matches!(self, Self::Tls13 | Self::Tls12)
    }
}

/// Where a configuration starts from. Keys that stand beside it win over what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// `modern`: TLS 1.3, and TLS 1.2 with an ephemeral key exchange and an AEAD.
    #[default]
    Modern,
    /// `compatible`: the same, and what else TLS 1.2 has with AES: RSA key exchange, CBC, Diffie-Hellman.
    Compatible,
    /// `legacy`: from TLS 1.3 down to TLS 1.0, with AES and 3DES.
    Legacy,
    /// `windows-2003`: TLS 1.0, SSL 3.0 and SSL 2.0 with the suites of Windows Server 2003 in its order, and the certificates
    /// of that time. Its place between SSL 3.0 and SSL 2.0 has PCT 1.0, which is off until `protocols` names it, as it was
    /// then. It has no secrets from anybody who tries: it is for museums and laboratories.
    #[serde(rename = "windows-2003")]
    Windows2003,
    /// `museum`: everything, from TLS 1.3 to SSL 2.0, the better before the worse.
    Museum,
}

impl Profile {
    /// All of them, the safest first.
    pub const ALL: [Self; 5] =
        [Self::Modern, Self::Compatible, Self::Legacy, Self::Windows2003, Self::Museum];

    /// Whether it is for the museum and the laboratory, and nothing is safe with it.
    #[must_use]
    pub const fn is_of_the_past(self) -> bool {
        matches!(self, Self::Windows2003 | Self::Museum)
    }

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Modern => "modern",
            Self::Compatible => "compatible",
            Self::Legacy => "legacy",
            Self::Windows2003 => "windows-2003",
            Self::Museum => "museum",
        }
    }
}

/// Suites that are weak in one way, as `allow` names them. They join those of the profile, behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WeakSuites {
    /// `rc4`: RC4 with keys of 128 bits, whose output is biased (RFC 7465).
    Rc4,
    /// `des`: single DES, 56 bits.
    Des,
    /// `export`: 40 and 56 bits, and key exchanges of 512 and 1024 bits.
    Export,
    /// `null`: no encryption at all.
    Null,
}

impl WeakSuites {
    /// All of them, the least weak first.
    pub const ALL: [Self; 4] = [Self::Rc4, Self::Des, Self::Export, Self::Null];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rc4 => "rc4",
            Self::Des => "des",
            Self::Export => "export",
            Self::Null => "null",
        }
    }
}

/// An entry of `allow`: a weakness, by name, that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Allow {
    /// A weakness of certificates.
    Certificate(Weakness),
    /// Weak cipher suites.
    Suites(WeakSuites),
}

/// A name that is no entry of `allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAllow {
    name: String,
}

impl Allow {
    /// Every entry that there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let certificates = Weakness::ALL.iter().copied().map(Self::Certificate);
        certificates.chain(WeakSuites::ALL.into_iter().map(Self::Suites))
    }

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certificate(weakness) => weakness.name(),
            Self::Suites(suites) => suites.name(),
        }
    }
}

impl fmt::Display for UnknownAllow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<&str> = Allow::all().map(Allow::name).collect();
        write!(f, "there is no weakness {:?} to allow; known: {}", self.name, known.join(", "))
    }
}

impl std::error::Error for UnknownAllow {}

impl FromStr for Allow {
    type Err = UnknownAllow;

    fn from_str(name: &str) -> Result<Self, UnknownAllow> {
        let found = Self::all().find(|entry| entry.name() == name);
        found.ok_or_else(|| UnknownAllow { name: name.to_owned() })
    }
}

impl TryFrom<String> for Allow {
    type Error = UnknownAllow;

    fn try_from(name: String) -> Result<Self, UnknownAllow> {
        name.parse()
    }
}

/// Whether master secrets must be bound to their handshake (RFC 7627). TLS 1.3 always binds them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExtendedMasterSecret {
    /// They are where the peer can do it.
    #[default]
    Offered,
    /// A peer that cannot is refused.
    Required,
}

/// Whether connections are negotiated again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renegotiation {
    /// They are not; a peer that asks is told so.
    #[default]
    Off,
    /// They are when the application wants it.
    Ours,
    /// They are when either side wants it.
    Both,
}

impl Renegotiation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Ours, Self::Both];

    /// The name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ours => "ours",
            Self::Both => "both",
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
    /// Where the configuration starts from.
    pub profile: Profile,
    /// The protocols that may be spoken, the preferred one first; empty: those of the profile. A server speaks the first
    /// that the client offers. In a file a range stands for all that are in it, the newest first: `["tls1.0..tls1.3"]`.
    #[serde(deserialize_with = "protocols::list")]
    pub protocols: Vec<Protocol>,
    /// The cipher suites that may be used, by their registered names, in order of preference; empty: those of the profile
    /// and of `allow`. What rustls has is preferred to what the other backend has, whatever the order.
    pub suites: Vec<String>,
    /// The weaknesses that are accepted, of certificates and of suites, by name: `["sha1-signature", "rsa-1024", "rc4"]`;
    /// not given: those of the profile.
    pub allow: Option<Vec<Allow>>,
    /// Diffie-Hellman groups: the smallest that a client accepts, in bits, and the size of a server's own, rounded up to one
    /// that there is. Export suites have their own bound. Not given: what the profile says, by default 2048.
    pub dh_minimum_bits: Option<u32>,
    /// Whether master secrets must be bound to their handshake.
    pub extended_master_secret: ExtendedMasterSecret,
    /// Whether a message's first byte gets a record of its own where CBC chains its vectors, in SSL 3.0 and TLS 1.0
    /// (against BEAST).
    pub record_splitting: bool,
    /// How many bytes a cipher with blocks of 64 bits (3DES, DES, RC2) protects under one key (against Sweet32); the
    /// connection ends there. 1 GiB, unless something else is said: with 32 GiB two blocks are expected to be the same.
    pub small_block_limit: u64,
    /// Whether a client whose hello was refused may come back with the older protocols alone. What refuses the hello is not
    /// authenticated; a server that knows better recognises the second attempt (RFC 7507) and ends it.
    pub fallback: bool,
    /// Whether hellos of SSL 3.0 and TLS may have the format of SSL 2.0: a server reads them beside those of its own, a
    /// client whose protocols are all of TLS 1.1 and older writes them (and offers SSL 2.0 in the same hello, where that is
    /// enabled). Such a hello has no extensions: no server name, no application protocol. Where PCT or SSL 2.0 is enabled it
    /// is so without being said.
    pub v2_hello: bool,
    /// Whether connections are negotiated again, from SSL 3.0 to TLS 1.2; `off` with every profile. Where it is not, rustls,
    /// which has no second handshake, leaves all of TLS 1.2 to the other backend.
    pub renegotiation: Renegotiation,
    /// Whether that is so with a peer that has no renegotiation indication (RFC 5746) too. Somebody in between may then have
    /// spoken in the client's name before the client did.
    pub insecure_renegotiation: bool,
    /// Whether a server asks for a certificate in a second handshake, beyond what `client-auth` says of all: a resource that
    /// needs one, on a connection that did not.
    pub renegotiation_client_auth: ClientAuth,
    /// One RSA key may serve SSL 2.0 or PCT and anything newer, or export suites and protocols newer than TLS 1.0: whoever
    /// breaks the one can break the other. No profile says so.
    pub i_accept_drown: bool,
    /// Our certificates: a server's (chosen by the name that the client asks for), or a client's.
    pub certificates: Vec<CertificateConfig>,
    /// Where a client's certificate comes from.
    pub client_certificate: ClientCertificate,
    /// Whose certificates are trusted: `system`, and files in PEM.
    pub roots: Vec<String>,
    /// SHA-256 of certificates that are trusted as they are, in hexadecimal; when there are any, nothing else is.
    pub pins: Vec<String>,
    /// Whether a server asks its clients for certificates.
    pub client_auth: ClientAuth,
    /// Whose clients a server trusts: files in PEM.
    pub client_roots: Vec<String>,
    /// Whether a server asks for the accounts of its clients' certificates. Not given: it does, and goes on without one,
    /// where the application has accounts.
    pub mapping: Option<Mapping>,
    /// The rules by which certificates are mapped to accounts, the first one first.
    pub certificate_mapping: Vec<MappingRule>,
    /// Mappings that somebody else's certificate may fit, too, and that are accepted; not given: those of the profile.
    pub allow_weak_mappings: Option<Vec<WeakMapping>>,
    /// The authorities that may name users in their certificates (the NTAuth store of a domain): files in PEM.
    pub nt_auth: Vec<String>,
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
    /// Whether a client takes an application protocol that it did not offer: there are servers that name theirs whatever is
    /// offered. The application must look at what came, then.
    pub unoffered_alpn: bool,
    /// Whether sessions are resumed.
    pub resume: bool,
    /// Whether a server gives clients that know them tickets, from TLS 1.0 on (`true`), or keeps all sessions itself (`false`).
    /// In a server farm a ticket is the name of a session that its machines share; elsewhere it holds the session, sealed.
    pub session_tickets: bool,
    /// How many sessions are kept at most, those of clients and of servers together; one that is longer than a kibibyte counts as
    /// several. 0: none.
    pub session_cache_entries: usize,
    /// How long after it was made a session is taken up again, such as `10h`.
    #[serde(deserialize_with = "lifetime::required")]
    pub session_lifetime: Duration,
    /// How long a session may lie without being taken up, such as `30m`; `off`: as long as it lives.
    #[serde(deserialize_with = "lifetime::or_off")]
    pub session_idle_limit: Option<Duration>,
    /// Where the secrets of connections are written for a network analyser: `file:PATH`, or `env:SSLKEYLOGFILE` for the
    /// file that the variable names. For debugging only: whoever reads
    /// the file reads the connections.
    pub key_log: Option<String>,
}

impl Default for SchannelConfig {
    fn default() -> Self {
        Self {
            profile: Profile::Modern,
            protocols: Vec::new(),
            suites: Vec::new(),
            allow: None,
            dh_minimum_bits: None,
            extended_master_secret: ExtendedMasterSecret::Offered,
            record_splitting: true,
            small_block_limit: legacy_tls::SMALL_BLOCK_LIMIT,
            fallback: false,
            v2_hello: false,
            renegotiation: Renegotiation::Off,
            insecure_renegotiation: false,
            renegotiation_client_auth: ClientAuth::None,
            i_accept_drown: false,
            certificates: Vec::new(),
            client_certificate: ClientCertificate::Configured,
            roots: vec!["system".to_owned()],
            pins: Vec::new(),
            client_auth: ClientAuth::None,
            client_roots: Vec::new(),
            mapping: None,
            certificate_mapping: MappingRule::ALL.to_vec(),
            allow_weak_mappings: None,
            nt_auth: Vec::new(),
            send_ca_list: true,
            revocation: Revocation::Off,
            crls: Vec::new(),
            ocsp_response: None,
            alpn: Vec::new(),
            unoffered_alpn: false,
            resume: true,
            session_tickets: true,
            session_cache_entries: 10_000,
            session_lifetime: Duration::from_secs(36_000),
            session_idle_limit: None,
            key_log: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SchannelConfig, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn every_name_is_read_as_it_is_printed() {
        for protocol in Protocol::ALL {
            let config = read(&format!("protocols = [\"{}\"]", protocol.name())).unwrap();
            assert_eq!(config.protocols, [protocol]);
        }
        assert_eq!(read("protocols = [\"tls1.0..tls1.3\"]").unwrap().protocols, Protocol::ALL[..4]);
        let order = read("protocols = [\"ssl3\", \"tls1.0..tls1.1\"]").unwrap().protocols;
        assert_eq!(order, [Protocol::Ssl30, Protocol::Tls11, Protocol::Tls10]);
        for profile in Profile::ALL {
            assert_eq!(read(&format!("profile = \"{}\"", profile.name())).unwrap().profile, profile);
        }
        for entry in Allow::all() {
            assert_eq!(read(&format!("allow = [\"{}\"]", entry.name())).unwrap().allow, Some(vec![entry]));
        }
    }

    #[test]
    fn nothing_that_is_not_known_or_enables_nothing_is_read() {
        let error = read("allow = [\"md4\"]").unwrap_err().to_string();
        assert!(error.contains("there is no weakness \"md4\" to allow; known: "), "{error}");
        let error = read("protocols = []").unwrap_err().to_string();
        assert!(error.contains("no protocol is enabled; known: tls1.3, "), "{error}");
        let error = read("protocols = [\"tls1.3..tls1.0\"]").unwrap_err().to_string();
        assert!(error.contains("write \"tls1.0..tls1.3\""), "{error}");
        assert!(read("profile = \"library\"").is_err());
    }
}
