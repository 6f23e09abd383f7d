//! What a configuration comes to, once its profile and what stands beside it are one whole.

use sspi_core::Error;

use crate::certificate::verifier::Weakness;
use crate::config::{ExtendedMasterSecret, Profile, Protocol, Renegotiation, SchannelConfig};
use crate::policy::Policy;
use crate::suite_info::SuiteInfo;

/// What a configuration comes to.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Effective {
    /// The protocols that may be spoken, the preferred one first.
    pub protocols: Vec<Protocol>,
    /// The cipher suites that may be used, the preferred one first; each is legal in one of the protocols.
    pub suites: Vec<SuiteInfo>,
    /// The weaknesses of certificates that are accepted.
    pub allowed: Vec<Weakness>,
    /// The bits of the smallest group of Diffie-Hellman.
    pub dh_minimum_bits: u32,
    /// Whether master secrets must be bound to their handshake.
    pub extended_master_secret: ExtendedMasterSecret,
    /// Whether records are split against BEAST, where that matters.
    pub record_splitting: bool,
    /// How many bytes a cipher with small blocks protects.
    pub small_block_limit: u64,
    /// Whether a client comes back with the older protocols alone.
    pub fallback: bool,
    /// Whether connections are negotiated again.
    pub renegotiation: Renegotiation,
    /// An RSA key would serve SSL 2.0, PCT or export suites and newer protocols at the same time.
    pub mixes_export: bool,
}

impl Effective {
    /// The protocols that are on and have the suite, the preferred one first.
    #[must_use]
    pub fn protocols_of(&self, suite: SuiteInfo) -> Vec<Protocol> {
        self.protocols.iter().copied().filter(|protocol| suite.is_legal_in(*protocol)).collect()
    }

    /// The suites that are on for a protocol, the preferred one first.
    #[must_use]
    pub fn suites_of(&self, protocol: Protocol) -> Vec<SuiteInfo> {
        let is_on = self.protocols.contains(&protocol);
        self.suites.iter().copied().filter(|suite| is_on && suite.is_legal_in(protocol)).collect()
    }
}

impl SchannelConfig {
    /// What the configuration comes to. Nothing that it names is read.
    ///
    /// # Errors
    /// What cannot be, with its setting: an unknown suite, a protocol without suite.
    pub fn effective(&self) -> Result<Effective, Error> {
        let policy = Policy::read(self)?;
        Ok(Effective {
            mixes_export: policy.key_use().endangers_itself().is_some(),
            suites: policy.suites.iter().copied().map(SuiteInfo::of).collect(),
            protocols: policy.protocols,
            allowed: policy.allowed_weaknesses,
            dh_minimum_bits: policy.dh_minimum_bits,
            extended_master_secret: policy.extended_master_secret,
            record_splitting: policy.record_splitting,
            small_block_limit: policy.small_block_limit,
            fallback: policy.fallback,
            renegotiation: policy.renegotiation,
        })
    }
}

impl Protocol {
    /// The settings that enable it, as a configuration writes them.
    #[must_use]
    pub fn enabled_by(self) -> String {
        let has = |profile: &&Profile| profile.protocols().contains(&self);
        let profile =
            Profile::ALL.iter().find(has).map(|profile| format!(" or profile = {:?}", profile.name()));
        format!("protocols = [{:?}]{}", self.name(), profile.unwrap_or_default())
    }
}
