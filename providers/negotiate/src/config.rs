//! What a configuration may say about Negotiate: which packages, in which order, and whether NTLM is still among them.

use core::fmt;
use core::net::IpAddr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use sspi_core::SpProt;

/// `[negotiate]`: what the package Negotiate is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NegotiateConfig {
    /// `packages`: those that may be chosen, the favourite first. Empty: all that can be negotiated, NTLM last. A package for
    /// streams, such as Schannel, is among them only where it is named: whoever comes to a server with it may be nobody.
    pub packages: Vec<String>,
    /// `protocols`: those that a package for streams is asked for, the preferred one first, of those that its own section
    /// enables: `["tls1.0", "ssl3"]`. Empty: what its own section says, in its order.
    #[serde(deserialize_with = "protocols")]
    pub protocols: Vec<SpProt>,
    /// `ntlm`: whether NTLM may be chosen, wherever it stands.
    pub ntlm: NtlmPolicy,
    /// `raw`: whether a client may use a package without negotiating it.
    pub raw: RawPolicy,
    /// `[[negotiate.targets]]`: other rules for some targets of a client; the first that fits is the one.
    pub targets: Vec<TargetRule>,
    /// `[[negotiate.listeners]]`: other rules for some listeners of a server; the first that fits is the one.
    pub listeners: Vec<ListenerRule>,
}

/// Protocols by their keywords.
fn protocols<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SpProt>, D::Error> {
    /// One of them, so that an error is about the entry that is wrong.
    struct Keyword(SpProt);

    struct ReadsKeyword;

    impl Visitor<'_> for ReadsKeyword {
        type Value = Keyword;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the name of a protocol")
        }

        fn visit_str<E: serde::de::Error>(self, keyword: &str) -> Result<Keyword, E> {
            let unknown = || E::unknown_variant(keyword, &SpProt::KEYWORDS);
            SpProt::of_keyword(keyword).map(Keyword).ok_or_else(unknown)
        }
    }

    impl<'de> Deserialize<'de> for Keyword {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(ReadsKeyword)
        }
    }

    let keywords = Vec::<Keyword>::deserialize(deserializer)?;
    Ok(keywords.into_iter().map(|Keyword(protocol)| protocol).collect())
}

/// Whether NTLM may be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NtlmPolicy {
    /// `allow`.
    #[default]
    Allow,
    /// `audit`: it may, and every use of it is logged, with who and why.
    Audit,
    /// `deny`: it is not offered and not taken, and no token of it leaves.
    Deny,
}

/// Whether a server takes the tokens of a package from a client that does not negotiate.
///
/// Nobody signs for such a choice, and who takes the negotiation away leaves a token like that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RawPolicy {
    /// `favourite`: if it is the package that this end likes best.
    #[default]
    Favourite,
    /// `allow`: of every package that may be chosen.
    Allow,
    /// `deny`.
    Deny,
}

/// A rule for some targets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TargetRule {
    /// `target`: a host (`www.example.com`), hosts (`*.example.com`), or either with a service (`HTTP/www.example.com`). Ports,
    /// realms, brackets of addresses and a dot at the end make no difference, in the rule or in the target.
    pub target: String,
    /// `packages`: in place of the others.
    #[serde(default)]
    pub packages: Vec<String>,
    /// `ntlm`: in place of what holds otherwise.
    #[serde(default)]
    pub ntlm: Option<NtlmPolicy>,
}

/// A rule for some listeners.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ListenerRule {
    /// `listener`: what the server calls the listener ([`Negotiate::at_listener`](crate::Negotiate::at_listener)): a name of its
    /// own (`intranet`), or an address with or without port (`192.0.2.1:389`, `[::1]`, `*:389`). Where the rule has no port,
    /// every port fits; `*` fits a server, too, that does not say which listener it has.
    pub listener: String,
    /// `packages`: in place of the others.
    #[serde(default)]
    pub packages: Vec<String>,
    /// `ntlm`: in place of what holds otherwise.
    #[serde(default)]
    pub ntlm: Option<NtlmPolicy>,
    /// `raw`: in place of what holds otherwise.
    #[serde(default)]
    pub raw: Option<RawPolicy>,
}

/// What holds for one handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) packages: &'a [String],
    pub(crate) ntlm: NtlmPolicy,
    pub(crate) raw: RawPolicy,
}

impl NegotiateConfig {
    /// What holds where no rule fits.
    pub(crate) fn policy(&self) -> Policy<'_> {
        Policy { packages: &self.packages, ntlm: self.ntlm, raw: self.raw }
    }

    /// Which of `targets` is about this one. One that nobody names has only the rule that is about all.
    pub(crate) fn rule_for(&self, target: Option<&str>) -> Option<usize> {
        // A name is taken apart only where somebody asks.
        if self.targets.is_empty() {
            return None;
        }
        match target.map(Name::of) {
            Some(target) => self.targets.iter().position(|rule| rule.fits(&target)),
            None => self.targets.iter().position(|rule| rule.target.trim() == "*"),
        }
    }

    /// What holds for the clients of each rule about targets, in their order.
    pub(crate) fn policies_of_targets(&self) -> impl Iterator<Item = Policy<'_>> {
        self.targets.iter().map(|rule| self.policy().but(&rule.packages, rule.ntlm, None))
    }

    /// What holds for a server with this listener.
    pub(crate) fn policy_at(&self, listener: Option<&str>) -> Policy<'_> {
        let listener = listener.map(Place::of);
        let fits = |rule: &&ListenerRule| {
            let rule = Place::of(&rule.listener);
            match &listener {
                Some(listener) => rule.covers(listener),
                None => rule.is_any() && rule.port.is_none(),
            }
        };
        let rule = self.listeners.iter().find(fits);
        if rule.is_none() && listener.is_none() && !self.listeners.is_empty() {
            tracing::warn!(
                "there are rules about listeners, and the server does not say which listener it has"
            );
        }
        let general = self.policy();
        rule.map_or(general, |rule| general.but(&rule.packages, rule.ntlm, rule.raw))
    }

    /// Every package that it names, with the setting that does.
    pub fn named_packages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let general = self.packages.iter().map(|name| ("negotiate.packages", name.as_str()));
        let targets = self.targets.iter().flat_map(|rule| &rule.packages);
        let listeners = self.listeners.iter().flat_map(|rule| &rule.packages);
        general
            .chain(targets.map(|name| ("negotiate.targets.packages", name.as_str())))
            .chain(listeners.map(|name| ("negotiate.listeners.packages", name.as_str())))
    }

    /// Whether no rule lets NTLM in.
    pub(crate) fn always_denies_ntlm(&self) -> bool {
        let targets = self.targets.iter().filter_map(|rule| rule.ntlm);
        let listeners = self.listeners.iter().filter_map(|rule| rule.ntlm);
        let all = core::iter::once(self.ntlm).chain(targets).chain(listeners);
        all.into_iter().all(|policy| policy == NtlmPolicy::Deny)
    }
}

impl<'a> Policy<'a> {
    /// The same, with what a rule says in its place.
    fn but(self, packages: &'a [String], ntlm: Option<NtlmPolicy>, raw: Option<RawPolicy>) -> Self {
        Self {
            packages: if packages.is_empty() { self.packages } else { packages },
            ntlm: ntlm.unwrap_or(self.ntlm),
            raw: raw.unwrap_or(self.raw),
        }
    }
}

impl TargetRule {
    fn fits(&self, target: &Name) -> bool {
        let rule = Name::of(&self.target);
        if rule.service.is_some() && rule.service != target.service {
            return false;
        }
        match rule.host.strip_prefix('*') {
            Some(suffix) => target.host.len() > suffix.len() && target.host.ends_with(suffix),
            None => target.host == rule.host,
        }
    }
}

/// What of a target's name says who it is: however it is spelled, it is the same.
struct Name {
    service: Option<String>,
    host: String,
}

impl Name {
    /// A service's name is `service/host`, `service/host:port`, `service/host/name`, and each may have `@realm` behind it.
    fn of(text: &str) -> Self {
        let text = text.trim();
        let text = text.split_once('@').map_or(text, |(name, _realm)| name);
        let (service, rest) = match text.split_once('/') {
            Some((service, rest)) => (Some(service.trim().to_lowercase()), rest),
            None => (None, text),
        };
        let host = rest.split('/').next().unwrap_or(rest).trim();
        Self { service, host: Place::of(host).host }
    }
}

/// A host, or whatever somebody calls a listener, and perhaps a port.
struct Place {
    host: String,
    port: Option<String>,
}

impl Place {
    fn of(text: &str) -> Self {
        let text = text.trim();
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, behind)) => (address, behind.strip_prefix(':')),
            // More colons than one are those of an address.
            None => match text.split_once(':') {
                Some((host, port)) if !port.contains(':') => (host, Some(port)),
                _ => (text, None),
            },
        };
        let host = host.trim_end_matches('.').to_lowercase();
        // An address has many spellings, too.
        let host = host.parse::<IpAddr>().map_or(host, |address| address.to_canonical().to_string());
        Self { host, port: port.map(str::to_owned) }
    }

    fn is_any(&self) -> bool {
        matches!(self.host.as_str(), "*" | "")
    }

    /// Whether a rule about this one is about `other`.
    fn covers(&self, other: &Self) -> bool {
        (self.is_any() || self.host == other.host) && (self.port.is_none() || self.port == other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_packages_and_rules() {
        let text = "packages = [\"Kerberos\", \"NTLM\"]\nntlm = \"audit\"\n
            [[targets]]\ntarget = \"*.old.example\"\npackages = [\"NTLM\"]\nntlm = \"allow\"\n
            [[targets]]\ntarget = \"HTTP/www.example\"\nntlm = \"deny\"\n";
        let config: NegotiateConfig = toml::from_str(text).unwrap();
        let policies: Vec<_> = config.policies_of_targets().collect();
        let policy = |target| {
            let policy = config.rule_for(Some(target)).map_or_else(|| config.policy(), |rule| policies[rule]);
            (policy.packages.len(), policy.ntlm)
        };
        assert_eq!(policy("cifs/FILES.old.example:445"), (1, NtlmPolicy::Allow));
        assert_eq!(policy("old.example"), (2, NtlmPolicy::Audit));
        assert_eq!(policy("http/www.example"), (2, NtlmPolicy::Deny));
        assert_eq!(config.named_packages().count(), 3);
        assert_eq!(config.raw, RawPolicy::Favourite);
        assert!(toml::from_str::<NegotiateConfig>("ntlm = \"never\"").is_err());
        assert!(toml::from_str::<NegotiateConfig>("package = \"NTLM\"").is_err());
    }

    fn fits(rule: &str, target: &str) -> bool {
        TargetRule { target: rule.to_owned(), packages: Vec::new(), ntlm: None }.fits(&Name::of(target))
    }

    #[test]
    fn a_listener_has_rules_of_its_own() {
        let text = "packages = [\"Kerberos\", \"NTLM\"]\n
            [[listeners]]\nlistener = \"192.0.2.1:389\"\nntlm = \"deny\"\n
            [[listeners]]\nlistener = \"*:8080\"\npackages = [\"NTLM\"]\nraw = \"allow\"\n
            [[listeners]]\nlistener = \"[::1]\"\nntlm = \"audit\"\n
            [[listeners]]\nlistener = \"intranet\"\nraw = \"deny\"\n";
        let config: NegotiateConfig = toml::from_str(text).unwrap();
        let at = |listener| {
            let policy = config.policy_at(listener);
            (policy.packages.len(), policy.ntlm, policy.raw)
        };
        let general = (2, NtlmPolicy::Allow, RawPolicy::Favourite);
        let of_all: NegotiateConfig =
            toml::from_str("[[listeners]]\nlistener = \"*\"\nntlm = \"deny\"\n[[targets]]\ntarget = \"*\"")
                .unwrap();
        assert_eq!(of_all.policy_at(None).ntlm, NtlmPolicy::Deny);
        assert_eq!((of_all.rule_for(None), config.rule_for(None)), (Some(0), None));
        for (listener, expected) in [
            (None, general),
            (Some("192.0.2.1:389"), (2, NtlmPolicy::Deny, RawPolicy::Favourite)),
            (Some("[::ffff:192.0.2.1]:389"), (2, NtlmPolicy::Deny, RawPolicy::Favourite)),
            (Some("192.0.2.1:390"), general),
            (Some("192.0.2.1"), general),
            (Some("192.0.2.1:8080"), (1, NtlmPolicy::Allow, RawPolicy::Allow)),
            (Some("[0::1]:443"), (2, NtlmPolicy::Audit, RawPolicy::Favourite)),
            (Some("::1"), (2, NtlmPolicy::Audit, RawPolicy::Favourite)),
            (Some("Intranet"), (2, NtlmPolicy::Allow, RawPolicy::Deny)),
            (Some("extranet"), general),
        ] {
            assert_eq!(at(listener), expected, "{listener:?}");
        }
        assert_eq!(config.named_packages().last(), Some(("negotiate.listeners.packages", "NTLM")));
        assert!(toml::from_str::<NegotiateConfig>("[[listeners]]\nname = \"x\"").is_err());
    }

    #[test]
    fn protocols_are_named_in_order_and_no_others_than_there_are() {
        let config: NegotiateConfig = toml::from_str("protocols = [\"ssl3\", \"tls1.0\"]").unwrap();
        assert_eq!(config.protocols, [SpProt::SSL3, SpProt::TLS1_0]);
        let error = toml::from_str::<NegotiateConfig>("protocols = [\"tls1.4\"]").unwrap_err();
        assert!(error.message().contains("unknown variant `tls1.4`, expected one of"), "{error}");
    }

    #[test]
    fn a_rule_fits_its_target_however_either_is_spelled() {
        let spellings = [
            "HTTP/www.example",
            "http/WWW.Example.",
            "HTTP/www.example:8080",
            "HTTP/www.example.:8080",
            "HTTP/www.example/www.example",
            "HTTP/www.example:80/name",
            "HTTP/www.example@EXAMPLE",
            "HTTP/www.example:80@EXAMPLE",
            " HTTP/www.example ",
        ];
        for rule in spellings.iter().chain(&["www.example", "www.example.", "*.example", "HTTP/*.example."]) {
            for target in spellings {
                assert!(fits(rule, target), "{rule:?} for {target:?}");
            }
        }
        for target in ["cifs/www.example", "www.example", "HTTP/www.example.org", "HTTP/example", ""] {
            assert!(!fits("HTTP/www.example", target), "{target:?}");
        }
        assert!(!fits("*.example", "HTTP/.example."), "a star stands for something");
    }

    #[test]
    fn a_rule_fits_an_address_however_either_is_spelled() {
        let spellings = ["HTTP/::1", "HTTP/[::1]", "HTTP/[::1]:80", "HTTP/[0:0::0001]:80@A", "HTTP/[::1]/x"];
        for rule in spellings.iter().chain(&["::1", "[::1]", "[::1]:443"]) {
            for target in spellings {
                assert!(fits(rule, target), "{rule:?} for {target:?}");
            }
        }
        assert!(fits("192.0.2.1", "cifs/[::ffff:192.0.2.1]:445"));
        assert!(!fits("::1", "HTTP/[::2]") && !fits("::1", "HTTP/[::1"));
    }
}
