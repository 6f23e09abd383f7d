//! What a configuration may say about Negotiate: which packages, in which order, and whether NTLM is still among them.

mod lists;
mod names;

use serde::Deserialize;
use sspi_core::SpProt;

use self::names::{Name, Place};

/// `[negotiate]`: what the package Negotiate is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NegotiateConfig {
    /// `packages`: those that may be chosen, the favourite first. Empty: all that can be negotiated, NTLM last. A package for
    /// streams, such as Schannel, is among them only where it is named: whoever comes to a server with it may be nobody. In a
    /// file a list of nothing is a mistake.
    #[serde(deserialize_with = "lists::packages")]
    pub packages: Vec<String>,
    /// `protocols`: those that a package for streams is asked for, the preferred one first, of those that its own section
    /// enables: `["tls1.0", "ssl3"]`. Empty: what its own section says, in its order. In a file a range stands for all that are
    /// in it, the newest first (`["tls1.0..tls1.2"]`), and a list of nothing is a mistake.
    #[serde(deserialize_with = "lists::protocols")]
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
    /// `target`: a host (`www.example.com`), hosts (`*.example.com`), or either with a service (`HTTP/www.example.com`, or as
    /// GSS-API has it `HTTP@www.example.com`). Ports, realms, brackets of addresses and a dot at the end make no difference, in
    /// the rule or in the target. `*` is about every target, and about a client that names none.
    pub target: String,
    /// `packages`: in place of the others. Empty: these. In a file a list of nothing is a mistake.
    #[serde(default, deserialize_with = "lists::packages")]
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
    /// `packages`: in place of the others. Empty: these. In a file a list of nothing is a mistake.
    #[serde(default, deserialize_with = "lists::packages")]
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

    /// Whether a server takes NTLM with this, at one of its listeners at least.
    #[must_use]
    pub fn takes_ntlm(&self) -> bool {
        let takes = |policy: Policy<'_>| {
            let is_named = policy.packages.iter().any(|package| package.eq_ignore_ascii_case("NTLM"));
            policy.ntlm != NtlmPolicy::Deny && (policy.packages.is_empty() || is_named)
        };
        let general = self.policy();
        let of_rule = |rule: &ListenerRule| takes(general.but(&rule.packages, rule.ntlm, rule.raw));
        // A rule that fits every listener leaves none for what holds otherwise.
        let has_rest = !self.listeners.iter().any(|rule| Place::of(&rule.listener).is_any());
        self.listeners.iter().any(of_rule) || has_rest && takes(general)
    }

    /// Which of `targets` is about this one. One that nobody names has only the rule that is about all.
    pub(crate) fn rule_for(&self, target: Option<&str>) -> Option<usize> {
        // A name is taken apart only where somebody asks.
        if self.targets.is_empty() {
            return None;
        }
        let target: Vec<Name> = target.into_iter().flat_map(Name::readings).collect();
        self.targets.iter().position(|rule| rule.fits(&target))
    }

    /// What holds for the clients of each rule about targets, in their order.
    pub(crate) fn policies_of_targets(&self) -> impl Iterator<Item = Policy<'_>> {
        self.targets.iter().map(|rule| self.policy().but(&rule.packages, rule.ntlm, None))
    }

    /// What holds for a server with this listener.
    pub(crate) fn policy_at(&self, listener: Option<&str>) -> Policy<'_> {
        let general = self.policy();
        self.rule_at(listener).map_or(general, |rule| general.but(&rule.packages, rule.ntlm, rule.raw))
    }

    /// The one of `listeners` that is about this one. One that has no name has only the rule that is about all.
    pub(crate) fn rule_at(&self, listener: Option<&str>) -> Option<&ListenerRule> {
        let listener = listener.map(Place::of);
        self.listeners.iter().find(|rule| {
            let rule = Place::of(&rule.listener);
            rule.is_any() || listener.as_ref().is_some_and(|listener| rule.covers(listener))
        })
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
    /// Whether it is about the target that can be read so.
    fn fits(&self, target: &[Name]) -> bool {
        let covers = |rule: Name| rule.is_any() || target.iter().any(|target| rule.covers(target));
        Name::readings(&self.target).any(covers)
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
        for target in [None, Some(""), Some("HTTP/"), Some("HTTP@www.example")] {
            assert_eq!((of_all.rule_for(target), config.rule_for(target)), (Some(0), None), "{target:?}");
        }
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
    fn ntlm_is_taken_where_a_listener_takes_it() {
        for (text, takes) in [
            ("", true),
            ("packages = [\"Kerberos\", \"ntlm\"]", true),
            ("packages = [\"Kerberos\"]", false),
            ("ntlm = \"deny\"", false),
            ("ntlm = \"deny\"\n[[listeners]]\nlistener = \"*:389\"\nntlm = \"audit\"", true),
            ("[[listeners]]\nlistener = \"*:389\"\nntlm = \"deny\"", true),
            ("[[listeners]]\nlistener = \"*\"\nntlm = \"deny\"", false),
            ("packages = [\"Kerberos\"]\n[[targets]]\ntarget = \"*\"\npackages = [\"NTLM\"]", false),
        ] {
            let config: NegotiateConfig = toml::from_str(text).unwrap();
            assert_eq!(config.takes_ntlm(), takes, "{text}");
        }
    }
}
