//! The policy of a credential: a profile and what stands beside it, made one whole and checked.
//!
//! | profile | protocols | suites | certificates | groups of Diffie-Hellman |
//! |---|---|---|---|---|
//! | `modern` | TLS 1.3, 1.2 | those of the rustls backend | strong | 2048 bits |
//! | `compatible` | TLS 1.3, 1.2 | and AES with RSA, DHE_RSA or ECDHE, CBC or GCM | strong | 2048 bits |
//! | `legacy` | TLS 1.3, 1.2, 1.1, 1.0 | and DHE_DSS, and 3DES | strong | 1024 bits |
//! | `windows-2003` | TLS 1.0, SSL 3.0, SSL 2.0 | those of Windows Server 2003, in its order | any | 1024 bits |
//! | `museum` | all | all | any | 512 bits |
//!
//! - `protocols` takes the place of the profile's. Old ones that a profile without them is given bring the suites of
//!   `legacy` along: to name the protocol is to name what it cannot do without.
//! - `suites` takes the place of the profile's, and then of what `allow` would add. What is named is enabled.
//! - `allow` takes the place of the profile's; weak suites that it names stand behind the others.

use sspi_core::{Error, Fault, SecStatus, SpProt};

use crate::certificate::verifier::Weakness;
use crate::cipher_suites::{SUITES, Suite};
use crate::config::{
    Allow, ClientAuth, ExtendedMasterSecret, Profile, Protocol, Renegotiation, SchannelConfig, WeakSuites,
};
use crate::drown::KeyUse;

/// What a credential may do, whichever backend does it.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The preferred one first. Each has a suite.
    pub(crate) protocols: Vec<Protocol>,
    /// The preferred one first. Each can be used with one of the protocols.
    pub(crate) suites: Vec<Suite>,
    /// Those of certificates; those of suites are among the suites.
    pub(crate) allowed_weaknesses: Vec<Weakness>,
    pub(crate) dh_minimum_bits: u32,
    pub(crate) extended_master_secret: ExtendedMasterSecret,
    pub(crate) record_splitting: bool,
    pub(crate) small_block_limit: u64,
    pub(crate) fallback: bool,
    pub(crate) renegotiation: Renegotiation,
    pub(crate) insecure_renegotiation: bool,
    /// Whether hellos in the format of SSL 2.0 are read and written.
    pub(crate) v2_hello: bool,
}

/// The document's list, in its order.
///
/// Spec: WS2003 (How TLS/SSL Works: TLS/SSL Cipher Suites).
const WINDOWS_2003: [u16; 13] =
    [0x0004, 0x0005, 0x000a, 0x0013, 0x0009, 0x0012, 0x0064, 0x0062, 0x0063, 0x0003, 0x0006, 0x0001, 0x0002];

/// SSL 2.0's in the document's order, by the numbers that the engine has for them.
const WINDOWS_2003_KINDS: [u16; 6] = [0xff01, 0xff07, 0xff03, 0xff06, 0xff02, 0xff04];

/// The largest group that a server of ours has, in bits.
const LARGEST_GROUP: u32 = 4096;

fn configuration(setting: &'static str, status: SecStatus, what: impl Into<String>) -> Error {
    Error::new(status, Fault::Configuration, what.into()).with_setting(setting)
}

impl Profile {
    pub(crate) const fn protocols(self) -> &'static [Protocol] {
        match self {
            Self::Modern | Self::Compatible => &Protocol::MODERN,
            Self::Legacy => &[Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10],
            // PCT stands between the last two, and was off until an administrator enabled it.
            Self::Windows2003 => &[Protocol::Tls10, Protocol::Ssl30, Protocol::Ssl20],
            Self::Museum => &Protocol::ALL,
        }
    }

    pub(crate) fn suites(self) -> Vec<Suite> {
        let ours = |more: fn(&legacy_tls::SuiteRow) -> bool| {
            let legacy = by_preference();
            let beside = legacy.map(Suite::of_row).filter(move |suite| suite.legacy().is_some_and(more));
            let rustls = SUITES.iter().map(Suite::of_rustls).collect::<Vec<_>>();
            let beside = beside.filter(|suite| !rustls.contains(suite)).collect::<Vec<_>>();
            [rustls, beside].concat()
        };
        match self {
            Self::Modern => ours(|_| false),
            Self::Compatible => ours(|row| {
                let first = legacy_tls::ProtocolVersion::TLS12;
                row.is_legal_in(first) && is_aes(row) && !is_dss(row)
            }),
            Self::Legacy => ours(|row| weakness(row).is_none()),
            Self::Museum => ours(|_| true),
            Self::Windows2003 => {
                let pct1 = legacy_tls::pct1::BY_PREFERENCE.iter().map(|suite| suite.0);
                let all = WINDOWS_2003.into_iter().chain(pct1).chain(WINDOWS_2003_KINDS);
                all.filter_map(Suite::by_code).collect()
            }
        }
    }

    /// Certificates of 2003 have every weakness that there is a name for.
    fn allow(self) -> Vec<Allow> {
        match self {
            Self::Modern | Self::Compatible | Self::Legacy => Vec::new(),
            Self::Windows2003 | Self::Museum => {
                Weakness::ALL.iter().copied().map(Allow::Certificate).collect()
            }
        }
    }

    const fn dh_minimum_bits(self) -> u32 {
        match self {
            Self::Modern | Self::Compatible => 2048,
            Self::Legacy | Self::Windows2003 => 1024,
            Self::Museum => 512,
        }
    }
}

fn is_aes(row: &legacy_tls::SuiteRow) -> bool {
    row.strength.0 >= 128 && weakness(row).is_none() && !row.name.contains("3DES")
}

const fn is_dss(row: &legacy_tls::SuiteRow) -> bool {
    matches!(row.key_exchange, legacy_tls::KeyExchange::DheDss | legacy_tls::KeyExchange::DheDssExport { .. })
}

/// The suites of the engine, what PCT has and the cipher kinds of SSL 2.0, the better ones first.
pub(crate) fn by_preference() -> impl Iterator<Item = &'static legacy_tls::SuiteRow> {
    let tls = legacy_tls::BY_PREFERENCE.iter();
    let all = tls.chain(legacy_tls::pct1::BY_PREFERENCE).chain(legacy_tls::KINDS_BY_PREFERENCE);
    all.filter_map(|suite| suite.row())
}

/// What the law let out of the country.
const SHORT: legacy_tls::Strength = legacy_tls::Strength(40);

/// The class that a suite of the engine belongs to; AES and 3DES are in none.
pub(crate) fn weakness(row: &legacy_tls::SuiteRow) -> Option<WeakSuites> {
    use legacy_tls::record::Bulk;
    match row.bulk {
        _ if row.key_exchange.is_export() || row.strength == SHORT => Some(WeakSuites::Export),
        Bulk::Null => Some(WeakSuites::Null),
        Bulk::Rc4 => Some(WeakSuites::Rc4),
        _ if row.strength.0 < 112 => Some(WeakSuites::Des),
        _ => None,
    }
}

impl Policy {
    /// # Errors
    /// What cannot be: a name that is unknown, a suite that no protocol has, a protocol without suite, a group that is
    /// too large. Each names its setting.
    pub(crate) fn read(config: &SchannelConfig) -> Result<Self, Error> {
        let named_protocols = !config.protocols.is_empty();
        let mut protocols =
            if named_protocols { config.protocols.clone() } else { config.profile.protocols().to_vec() };
        // TLS 1.3 has no way to ask for a certificate later: not in rustls.
        if config.renegotiation_client_auth != ClientAuth::None {
            let setting = "renegotiation-client-auth";
            if config.renegotiation == Renegotiation::Off {
                let message =
                    "a certificate is asked for in a second handshake, and renegotiation is off".to_owned();
                return Err(configuration(setting, SecStatus::SEC_E_UNSUPPORTED_FUNCTION, message));
            }
            protocols.retain(|protocol| *protocol != Protocol::Tls13);
            if protocols.is_empty() {
                let message =
                    "a certificate is asked for in a second handshake, which TLS 1.3 has not".to_owned();
                return Err(configuration(setting, SecStatus::SEC_E_UNSUPPORTED_FUNCTION, message));
            }
        }
        let mut suites = if config.suites.is_empty() {
            Self::default_suites(config, &protocols)
        } else {
            Self::named_suites(config, &protocols)?
        };
        // rustls has no second handshake.
        if config.renegotiation != Renegotiation::Off {
            suites = suites.into_iter().filter_map(Suite::that_renegotiates).collect();
        }
        let has_suite = |protocol: &Protocol| suites.iter().any(|suite| suite.is_legal_in(*protocol));
        match protocols.iter().find(|protocol| !has_suite(protocol)) {
            // What a profile enables goes with its suites.
            Some(_) if !named_protocols => protocols.retain(has_suite),
            Some(without) => {
                return Err(configuration(
                    "suites",
                    SecStatus::SEC_E_ALGORITHM_MISMATCH,
                    format!("{} is enabled, and none of the suites can be used with it", without.name()),
                ));
            }
            None => {}
        }
        Ok(Self {
            v2_hello: has_v2_hello(config, &protocols),
            protocols,
            suites,
            allowed_weaknesses: allow(config).filter_map(Allow::certificate).collect(),
            dh_minimum_bits: Self::dh_minimum_bits(config)?,
            extended_master_secret: config.extended_master_secret,
            record_splitting: config.record_splitting,
            small_block_limit: config.small_block_limit,
            fallback: config.fallback,
            renegotiation: config.renegotiation,
            insecure_renegotiation: config.insecure_renegotiation,
        })
    }

    /// What is left where only these protocols are spoken, the preferred one first.
    ///
    /// # Errors
    /// One is not among those that the policy has, or none is left.
    pub(crate) fn limited_to(mut self, config: &SchannelConfig, order: &[Protocol]) -> Result<Self, Error> {
        if let Some(missing) = order.iter().find(|protocol| !self.protocols.contains(protocol)) {
            return Err(not_enabled(*missing, &self.protocols));
        }
        if order.is_empty() {
            return Err(crate::backend::no_protocol());
        }
        self.protocols = order.to_vec();
        self.suites.retain(|suite| order.iter().any(|protocol| suite.is_legal_in(*protocol)));
        self.v2_hello = has_v2_hello(config, order);
        Ok(self)
    }

    fn default_suites(config: &SchannelConfig, protocols: &[Protocol]) -> Vec<Suite> {
        let brings_its_own = config.profile.protocols().iter().any(|protocol| protocol.is_old());
        let profile = if brings_its_own || !protocols.iter().any(|protocol| protocol.is_old()) {
            config.profile
        } else {
            Profile::Legacy
        };
        let mut suites = profile.suites();
        let allow: Vec<Allow> = allow(config).collect();
        for row in by_preference() {
            let suite = Suite::of_row(row);
            let allowed = weakness(row).is_some_and(|weak| allow.contains(&Allow::Suites(weak)));
            if allowed && !suites.contains(&suite) {
                suites.push(suite);
            }
        }
        suites.retain(|suite| protocols.iter().any(|protocol| suite.is_legal_in(*protocol)));
        suites
    }

    fn named_suites(config: &SchannelConfig, protocols: &[Protocol]) -> Result<Vec<Suite>, Error> {
        let mut suites = Vec::with_capacity(config.suites.len());
        for name in &config.suites {
            let suite = Suite::by_name(name).ok_or_else(|| {
                configuration(
                    "suites",
                    SecStatus::SEC_E_ALGORITHM_MISMATCH,
                    format!("there is no cipher suite {name:?} here; the most alike are {}", alike(name)),
                )
            })?;
            if !protocols.iter().any(|protocol| suite.is_legal_in(*protocol)) {
                let enabled: Vec<&str> = protocols.iter().map(|protocol| protocol.name()).collect();
                let usable = Protocol::ALL.iter().filter(|protocol| suite.is_legal_in(**protocol));
                let usable: Vec<&str> = usable.map(|protocol| protocol.name()).collect();
                return Err(configuration(
                    "suites",
                    SecStatus::SEC_E_ALGORITHM_MISMATCH,
                    format!(
                        "{} can be used with {}, and enabled is only {}",
                        suite.name(),
                        usable.join(", "),
                        enabled.join(", ")
                    ),
                ));
            }
            if !suites.contains(&suite) {
                suites.push(suite);
            }
        }
        Ok(suites)
    }

    fn dh_minimum_bits(config: &SchannelConfig) -> Result<u32, Error> {
        let bits = config.dh_minimum_bits.unwrap_or(config.profile.dh_minimum_bits());
        if (512..=LARGEST_GROUP).contains(&bits) {
            return Ok(bits);
        }
        Err(configuration(
            "dh-minimum-bits",
            SecStatus::SEC_E_INVALID_PARAMETER,
            format!("groups of Diffie-Hellman have 512 to {LARGEST_GROUP} bits here, not {bits}"),
        ))
    }

    /// The protocols of `among` that are enabled.
    pub(crate) fn protocols_among(&self, among: SpProt) -> impl Iterator<Item = Protocol> {
        self.protocols.iter().copied().filter(move |protocol| is_among(*protocol, among))
    }

    /// The protocols of `among` for which the rustls backend has a suite.
    pub(crate) fn rustls_protocols(&self, among: SpProt) -> impl Iterator<Item = Protocol> {
        self.protocols.iter().copied().filter(move |protocol| {
            is_among(*protocol, among)
                && self.suites.iter().any(|suite| suite.rustls().is_some() && suite.is_legal_in(*protocol))
        })
    }

    /// The protocols of `among` for which the engine has a suite that the rustls backend has not: what it is needed for.
    pub(crate) fn legacy_protocols(&self, among: SpProt) -> impl Iterator<Item = Protocol> {
        self.protocols.iter().copied().filter(move |protocol| {
            is_among(*protocol, among)
                && self.suites.iter().any(|suite| suite.rustls().is_none() && suite.is_legal_in(*protocol))
        })
    }

    /// The signatures of TLS 1.2 handshakes that the engine takes and rustls does not, by their numbers.
    pub(crate) fn legacy_signatures(&self) -> Vec<legacy_tls::SignatureScheme> {
        use legacy_tls::SignatureScheme;
        let mut schemes = Vec::new();
        let allows = |weakness| self.allowed_weaknesses.contains(&weakness);
        // A client's certificate may have such a key where no suite needs it of a server.
        if self.suites.iter().filter_map(Suite::legacy).any(is_dss) || allows(Weakness::Dsa) {
            schemes.extend(SignatureScheme::DSA);
        }
        // Older protocols sign with nothing better, so that TLS 1.2 loses nothing beside them.
        if self.protocols.iter().any(|protocol| protocol.is_old()) || allows(Weakness::Sha1Signature) {
            schemes.extend(SignatureScheme::SHA1);
        }
        schemes
    }

    /// Whether something is enabled that nobody should enable who has the choice, in words for a log.
    pub(crate) fn legacy_things(&self) -> Vec<&'static str> {
        let mut things: Vec<&'static str> =
            self.protocols.iter().filter(|protocol| protocol.is_old()).map(|p| p.name()).collect();
        let class = |suite: &Suite| suite.legacy().and_then(weakness).map(WeakSuites::name);
        let small = |suite: &Suite| suite.name().contains("3DES").then_some("3des");
        for thing in self.suites.iter().filter_map(|suite| class(suite).or_else(|| small(suite))) {
            if !things.contains(&thing) {
                things.push(thing);
            }
        }
        things.extend(self.allowed_weaknesses.iter().map(|weakness| weakness.name()));
        things
    }

    /// What an RSA key is used for, as far as one use is a danger to another.
    pub(crate) fn key_use(&self) -> KeyUse {
        let export = |suite: &Suite| {
            let exchange = suite.legacy().map(|row| row.key_exchange);
            matches!(exchange, Some(legacy_tls::KeyExchange::RsaExport { .. }))
        };
        KeyUse { protocols: self.protocols.clone(), export: self.suites.iter().any(export) }
    }
}

impl SchannelConfig {
    /// What is enabled: each protocol with the suites that it may be used with, by their registered names, in order of
    /// preference.
    ///
    /// # Errors
    /// What cannot be, with its setting: an unknown suite, a protocol without suite.
    pub fn enabled(&self) -> Result<Vec<(Protocol, Vec<&'static str>)>, Error> {
        let policy = Policy::read(self)?;
        let suites = |protocol| {
            let legal = policy.suites.iter().filter(move |suite| suite.is_legal_in(protocol));
            legal.map(Suite::name).collect()
        };
        Ok(policy.protocols.iter().map(|protocol| (*protocol, suites(*protocol))).collect())
    }
}

/// Whether hellos in the format of SSL 2.0 are read and written. There is no other way to offer the oldest protocols.
fn has_v2_hello(config: &SchannelConfig, protocols: &[Protocol]) -> bool {
    config.v2_hello || protocols.iter().any(|protocol| protocol.is_older_than_ssl3())
}

/// Somebody wants a protocol that the configuration does not have.
fn not_enabled(missing: Protocol, enabled: &[Protocol]) -> Error {
    let letters = |other: &&Protocol| {
        missing.name().bytes().zip(other.name().bytes()).take_while(|(ours, theirs)| ours == theirs).count()
    };
    let nearest = enabled.iter().max_by_key(letters).filter(|other| letters(other) > 0);
    let meant = nearest.map(|nearest| format!(". Did you mean {}?", nearest.name())).unwrap_or_default();
    let names: Vec<&str> = enabled.iter().map(|protocol| protocol.name()).collect();
    configuration(
        "protocols",
        SecStatus::SEC_E_ALGORITHM_MISMATCH,
        format!(
            "{:?} is not among the protocols that Schannel has here ({}); {} in its own section would enable it{meant}",
            missing.name(),
            names.join(", "),
            missing.enabled_by(),
        ),
    )
}

/// The three suites whose names begin and end most like this one.
fn alike(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    let shared = |suite: &str| {
        let ahead = suite.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
        let behind = suite.bytes().rev().zip(name.bytes().rev()).take_while(|(a, b)| a == b).count();
        ahead + behind
    };
    let mut known: Vec<&str> = Suite::all().map(|suite| suite.name()).collect();
    known.sort_by_key(|suite| std::cmp::Reverse(shared(suite)));
    known.truncate(3);
    known.join(", ")
}

/// What a configuration allows, or else its profile.
fn allow(config: &SchannelConfig) -> impl Iterator<Item = Allow> {
    config.allow.clone().unwrap_or_else(|| config.profile.allow()).into_iter()
}

impl Allow {
    const fn certificate(self) -> Option<Weakness> {
        match self {
            Self::Certificate(weakness) => Some(weakness),
            Self::Suites(_) => None,
        }
    }
}

fn is_among(protocol: Protocol, among: SpProt) -> bool {
    !protocol.bits().intersection(among).is_empty()
}

#[cfg(test)]
mod tests;
