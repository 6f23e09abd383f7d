//! What a configuration may say about Negotiate: which packages, in which order, and whether NTLM is still among them.

use serde::Deserialize;

/// `[negotiate]`: what the package Negotiate is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NegotiateConfig {
    /// `packages`: those that may be chosen, the favourite first. Empty: all that can be negotiated, NTLM last.
    pub packages: Vec<String>,
    /// `ntlm`: whether NTLM may be chosen, wherever it stands.
    pub ntlm: NtlmPolicy,
    /// `[[negotiate.targets]]`: other rules for some targets of a client; the first that fits is the one.
    pub targets: Vec<TargetRule>,
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

/// A rule for some targets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TargetRule {
    /// `target`: a host (`www.example.com`), hosts (`*.example.com`), or a service's name (`HTTP/www.example.com`).
    pub target: String,
    /// `packages`: in place of the others.
    #[serde(default)]
    pub packages: Vec<String>,
    /// `ntlm`: in place of what holds otherwise.
    #[serde(default)]
    pub ntlm: Option<NtlmPolicy>,
}

/// What holds for one handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) packages: &'a [String],
    pub(crate) ntlm: NtlmPolicy,
}

impl NegotiateConfig {
    /// What holds for a server.
    pub(crate) fn policy(&self) -> Policy<'_> {
        Policy { packages: &self.packages, ntlm: self.ntlm }
    }

    /// What holds for a client of this target.
    pub(crate) fn policy_for(&self, target: Option<&str>) -> Policy<'_> {
        let general = self.policy();
        let rule = target.and_then(|target| self.targets.iter().find(|rule| rule.fits(target)));
        rule.map_or(general, |rule| Policy {
            packages: if rule.packages.is_empty() { general.packages } else { &rule.packages },
            ntlm: rule.ntlm.unwrap_or(general.ntlm),
        })
    }

    /// Every package that it names, with the setting that does.
    pub fn named_packages(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let general = self.packages.iter().map(|name| ("negotiate.packages", name.as_str()));
        let of_rules = self.targets.iter().flat_map(|rule| &rule.packages);
        general.chain(of_rules.map(|name| ("negotiate.targets.packages", name.as_str())))
    }
}

impl TargetRule {
    fn fits(&self, target: &str) -> bool {
        if self.target.contains('/') {
            return self.target.eq_ignore_ascii_case(target);
        }
        // A service's name is service/host, service/host:port or service/host/realm.
        let host = target.split_once('/').map_or(target, |(_, rest)| rest);
        let host = host.split(['/', ':', '@']).next().unwrap_or(host).to_ascii_lowercase();
        match self.target.strip_prefix('*') {
            Some(suffix) => host.len() > suffix.len() && host.ends_with(&suffix.to_ascii_lowercase()),
            None => host == self.target.to_ascii_lowercase(),
        }
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
        let policy = |target| {
            let policy = config.policy_for(target);
            (policy.packages.len(), policy.ntlm)
        };
        assert_eq!(policy(None), (2, NtlmPolicy::Audit));
        assert_eq!(policy(Some("cifs/FILES.old.example:445")), (1, NtlmPolicy::Allow));
        assert_eq!(policy(Some("old.example")), (2, NtlmPolicy::Audit));
        assert_eq!(policy(Some("http/www.example")), (2, NtlmPolicy::Deny));
        assert_eq!(config.named_packages().count(), 3);
        assert!(toml::from_str::<NegotiateConfig>("ntlm = \"never\"").is_err());
        assert!(toml::from_str::<NegotiateConfig>("package = \"NTLM\"").is_err());
    }
}
