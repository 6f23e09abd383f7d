//! A cipher suite, for those who list suites: what it is legal for, what is weak about it, and what enables it.

use core::fmt;

use crate::cipher_suites::Suite;
use crate::config::{Profile, Protocol, WeakSuites};
use crate::policy::{by_preference, weakness};

/// A cipher suite.
#[derive(Clone, Copy, PartialEq)]
pub struct SuiteInfo(Suite);

impl SuiteInfo {
    pub(crate) const fn of(suite: Suite) -> Self {
        Self(suite)
    }

    /// Every suite that there is, the better ones first.
    pub fn all() -> impl Iterator<Item = Self> {
        Suite::all().map(Self)
    }

    /// The suite of a registered name, in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Suite::by_name(name).map(Self)
    }

    /// The registered name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name()
    }

    /// The code point.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.0.code()
    }

    /// Whether it may be used with `protocol`.
    #[must_use]
    pub fn is_legal_in(&self, protocol: Protocol) -> bool {
        self.0.is_legal_in(protocol)
    }

    /// The kind of key that the server's certificate must have: `RSA`, `ECDSA` or `DSS`; any where it is empty.
    #[must_use]
    pub fn certificate(&self) -> &'static str {
        self.0.certificate()
    }

    /// What is weak about it, by name: `null`, `export`, `des`, `rc4` or `3des`.
    #[must_use]
    pub fn weakness(&self) -> Option<&'static str> {
        let class = self.class().map(WeakSuites::name);
        class.or_else(|| self.name().contains("3DES").then_some("3des"))
    }

    /// Whether the keys of a connection stay secret when the server's private key becomes known later.
    #[must_use]
    pub fn has_forward_secrecy(&self) -> bool {
        let row = self.0.legacy();
        row.is_none_or(|row| {
            use legacy_tls::KeyExchange;
            !matches!(row.key_exchange, KeyExchange::Rsa | KeyExchange::RsaExport { .. })
        })
    }

    /// The setting that enables it, with its value, where one of its protocols is enabled, as a configuration writes it.
    #[must_use]
    pub fn enabled_by(&self) -> String {
        let has = |profile: &Profile| profile.suites().contains(&self.0);
        let is_in_class = by_preference().any(|row| Suite::of_row(row) == self.0);
        if let Some(class) = self.class().filter(|_| is_in_class) {
            return format!("allow = [{:?}]", class.name());
        }
        match Profile::ALL.iter().find(|profile| has(profile)) {
            Some(profile) => format!("profile = {:?}", profile.name()),
            None => format!("suites = [{:?}]", self.name()),
        }
    }

    fn class(&self) -> Option<WeakSuites> {
        self.0.legacy().and_then(weakness)
    }
}

/// What would enable one of the suites that a peer offers, as the end of a sentence that says that none is in common. Only
/// what the protocols that are on have is looked at, and what is not `on` itself.
pub(crate) fn suites_to_enable(
    offered: &[u16],
    protocols: &[Protocol],
    on: impl Fn(&Suite) -> bool,
) -> String {
    let usable = |suite: &Suite| !on(suite) && protocols.iter().any(|protocol| suite.is_legal_in(*protocol));
    let mut found = offered.iter().filter_map(|code| Suite::by_code(*code)).filter(usable).map(SuiteInfo);
    found
        .next()
        .map_or_else(String::new, |suite| format!("; {} would enable {}", suite.enabled_by(), suite.name()))
}

/// What would enable one of the protocols that a peer offers, as the end of a sentence that says that none is in common.
pub(crate) fn protocols_to_enable(offered: impl Fn(Protocol) -> bool, on: &[Protocol]) -> String {
    let found = Protocol::ALL.into_iter().find(|protocol| offered(*protocol) && !on.contains(protocol));
    found.map_or_else(String::new, |protocol| {
        format!("; {} would enable {}", protocol.enabled_by(), protocol.name())
    })
}

impl fmt::Debug for SuiteInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Allow, SchannelConfig};

    /// What `enabled_by` says, followed.
    fn follow(said: &str, protocol: Protocol) -> SchannelConfig {
        let mut config = SchannelConfig { protocols: vec![protocol], ..SchannelConfig::default() };
        let (setting, value) = said.split_once(" = ").unwrap();
        let value = value.trim_matches(|c| "[]\"".contains(c));
        match setting {
            "profile" => {
                config.profile = Profile::ALL.into_iter().find(|profile| profile.name() == value).unwrap();
            }
            "allow" => config.allow = Some(vec![value.parse::<Allow>().unwrap()]),
            "suites" => config.suites = vec![value.to_owned()],
            other => panic!("{other}"),
        }
        config
    }

    #[test]
    fn what_is_said_to_enable_a_suite_does_so() {
        for suite in SuiteInfo::all() {
            let protocol = *Protocol::ALL.iter().find(|protocol| suite.is_legal_in(**protocol)).unwrap();
            let enabled = follow(&suite.enabled_by(), protocol).effective().unwrap();
            assert!(enabled.suites.contains(&suite), "{suite:?}: {}", suite.enabled_by());
        }
    }

    #[test]
    fn weak_suites_are_called_so() {
        let weakness = |name| SuiteInfo::by_name(name).unwrap().weakness();
        assert_eq!(weakness("TLS_RSA_WITH_NULL_SHA"), Some("null"));
        assert_eq!(weakness("TLS_RSA_EXPORT_WITH_RC4_40_MD5"), Some("export"));
        assert_eq!(weakness("TLS_RSA_WITH_3DES_EDE_CBC_SHA"), Some("3des"));
        assert_eq!(weakness("TLS_AES_128_GCM_SHA256"), None);
        assert!(!SuiteInfo::by_name("TLS_RSA_WITH_AES_128_CBC_SHA").unwrap().has_forward_secrecy());
        assert!(SuiteInfo::by_name("TLS_AES_128_GCM_SHA256").unwrap().has_forward_secrecy());
    }
}
