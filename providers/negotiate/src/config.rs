//! What a configuration may say about Negotiate: which packages, in which order, and whether NTLM is still among them.

use core::net::IpAddr;

use serde::Deserialize;

/// `[negotiate]`: what the package Negotiate is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct NegotiateConfig {
    /// `packages`: those that may be chosen, the favourite first. Empty: all that can be negotiated, NTLM last.
    pub packages: Vec<String>,
    /// `ntlm`: whether NTLM may be chosen, wherever it stands.
    pub ntlm: NtlmPolicy,
    /// `raw`: whether a client may use a package without negotiating it.
    pub raw: RawPolicy,
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

/// What holds for one handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) packages: &'a [String],
    pub(crate) ntlm: NtlmPolicy,
    pub(crate) raw: RawPolicy,
}

impl NegotiateConfig {
    /// What holds for a server.
    pub(crate) fn policy(&self) -> Policy<'_> {
        Policy { packages: &self.packages, ntlm: self.ntlm, raw: self.raw }
    }

    /// What holds for a client of this target.
    pub(crate) fn policy_for(&self, target: Option<&str>) -> Policy<'_> {
        let general = self.policy();
        let rule = target.and_then(|target| self.targets.iter().find(|rule| rule.fits(target)));
        rule.map_or(general, |rule| Policy {
            packages: if rule.packages.is_empty() { general.packages } else { &rule.packages },
            ntlm: rule.ntlm.unwrap_or(general.ntlm),
            raw: general.raw,
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
        let (rule, target) = (Name::of(&self.target), Name::of(target));
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
        let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _port)) => address,
            // More colons than one are those of an address.
            None => match host.split_once(':') {
                Some((host, port)) if !port.contains(':') => host,
                _ => host,
            },
        };
        let host = host.trim_end_matches('.').to_lowercase();
        // An address has many spellings, too.
        let host = host.parse::<IpAddr>().map_or(host, |address| address.to_canonical().to_string());
        Self { service, host }
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
        assert_eq!(config.raw, RawPolicy::Favourite);
        assert!(toml::from_str::<NegotiateConfig>("ntlm = \"never\"").is_err());
        assert!(toml::from_str::<NegotiateConfig>("package = \"NTLM\"").is_err());
    }

    fn fits(rule: &str, target: &str) -> bool {
        TargetRule { target: rule.to_owned(), packages: Vec::new(), ntlm: None }.fits(target)
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
