//! What a configuration of Schannel comes to: for the person who has to say whether it is what was meant.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::harmless::harmless_message;
use crate::providers::{
    CertificateSummary, ClientAuth, Effective, Mapping, MappingRule, Profile, Protocol, Revocation,
    SchannelConfig, SuiteInfo, WeakMapping, read_certificates,
};
#[cfg(feature = "ntlm")]
use crate::providers::{Check, NtlmConfig};
use crate::sspi::Sspi;

/// What a configuration comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Resolved {
    /// Protocols, suites and limits.
    pub effective: Effective,
    /// Our own certificates, as far as they can be read.
    pub certificates: Vec<OwnCertificate>,
    /// What somebody should think about twice.
    pub warnings: Vec<Warning>,
}

/// A certificate of ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OwnCertificate {
    /// Where it comes from, as the configuration says it.
    pub reference: String,
    /// The chain, the leaf first.
    pub chain: Vec<CertificateSummary>,
    /// What is weak about the leaf, by the names that a peer would have to allow.
    pub weaknesses: Vec<&'static str>,
}

/// Something that works, and that somebody should think about twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting that it is about.
    pub setting: &'static str,
    /// What it is.
    pub message: String,
}

/// A certificate that ends sooner is worth a warning.
const SOON: Duration = Duration::from_secs(30 * 86_400);
const DAY: u64 = 86_400;

impl Sspi {
    /// What the configuration of Schannel comes to, with our certificates and with what somebody should think about twice.
    ///
    /// # Errors
    /// What cannot be, with its setting, such as an unknown suite.
    pub fn resolve(&self) -> Result<Resolved, Error> {
        let config = &self.config().schannel;
        let effective = config.effective()?;
        let certificates = self.own_certificates();
        let now = self.clock().now();
        let mut warnings = of_policy(config, &effective);
        warnings.extend(of_trust(config));
        warnings.extend(of_accounts(config));
        warnings.extend(of_certificates(&certificates, now));
        warnings.extend(of_keys(&effective, &certificates));
        if self.has_passwords() {
            warnings.extend(self.plain_http_warning());
            warnings.extend(self.relay_warning());
        }
        Ok(Resolved { effective, certificates, warnings })
    }

    /// What somebody should think about twice who lets clients log on over HTTP without TLS, where the package that was chosen
    /// proves passwords and the configuration does not insist on TLS.
    #[must_use]
    pub fn plain_http_warning(&self) -> Option<Warning> {
        let setting = self.plain_http_setting()?;
        let name = &self.package_info().name;
        let message = format!(
            "over HTTP without TLS, whoever listens to a logon with {name} can try passwords at leisure: \"always\" lets in \
             only clients that come through TLS"
        );
        Some(Warning { setting, message })
    }

    /// The setting that would insist on TLS, where the package that was chosen has one and it does not.
    fn plain_http_setting(&self) -> Option<&'static str> {
        let name = &*self.package_info().name;
        #[cfg(feature = "ntlm")]
        if name == "NTLM" && self.config().ntlm.channel_bindings != Check::Always {
            return Some("ntlm.channel-bindings");
        }
        #[cfg(feature = "digest")]
        if name == "WDigest"
            && self.config().digest.channel_bindings != crate::providers::BindingPolicy::Always
        {
            return Some("digest.channel-bindings");
        }
        let _ = name;
        None
    }

    /// What somebody should think about twice who lets clients log on with NTLM, where an answer that was made for another
    /// server and is passed on is as good as one that was made for this one.
    #[must_use]
    pub fn relay_warning(&self) -> Option<Warning> {
        #[cfg(feature = "ntlm")]
        if self.takes_ntlm() {
            return relay_warning(&self.config().ntlm);
        }
        None
    }

    /// Whether clients may log on with NTLM, negotiated or not.
    #[cfg(feature = "ntlm")]
    fn takes_ntlm(&self) -> bool {
        let name = &*self.package_info().name;
        #[cfg(feature = "negotiate")]
        if name == "Negotiate" {
            return self.config().negotiate.takes_ntlm();
        }
        name == "NTLM"
    }

    /// Whether there are accounts with passwords.
    #[cfg(all(feature = "tokio", feature = "ntlm"))]
    fn has_passwords(&self) -> bool {
        let logon = &self.config().logon;
        logon.accounts.is_some() || logon.winbind.is_some()
    }

    #[cfg(not(all(feature = "tokio", feature = "ntlm")))]
    #[expect(clippy::unused_self, reason = "with passwords the configuration decides")]
    const fn has_passwords(&self) -> bool {
        false
    }

    /// Our certificates that the configuration names, as far as they can be read.
    pub(crate) fn own_certificates(&self) -> Vec<OwnCertificate> {
        let read = |reference: &str| {
            let file = self.shared().materials.read(reference).ok()?;
            OwnCertificate::read(reference, &read_certificates(&file).ok()?)
        };
        self.config().schannel.certificates.iter().filter_map(|own| read(&own.chain)).collect()
    }
}

impl OwnCertificate {
    fn read(reference: &str, chain: &[Vec<u8>]) -> Option<Self> {
        let chain: Vec<_> = chain.iter().filter_map(|der| CertificateSummary::from_der(der).ok()).collect();
        let leaf = chain.first()?;
        let mut weaknesses: Vec<&'static str> = leaf.weaknesses.iter().map(|weak| weak.name()).collect();
        if leaf.dns_names.is_empty() && leaf.ip_addresses.is_empty() {
            weaknesses.push("common-name");
        }
        Some(Self { reference: reference.to_owned(), weaknesses, chain })
    }

    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> Option<&CertificateSummary> {
        self.chain.first()
    }

    /// The kind of its key, as suites name it.
    #[must_use]
    pub fn key_kind(&self) -> &'static str {
        let key = self.leaf().map(|leaf| leaf.key.as_str()).unwrap_or_default();
        [("RSA", "RSA"), ("ECDSA", "ECDSA"), ("Ed25519", "ECDSA"), ("DSA", "DSS")]
            .into_iter()
            .find_map(|(prefix, kind)| key.starts_with(prefix).then_some(kind))
            .unwrap_or_default()
    }
}

/// Names to look for decide, or bindings that everybody must have.
#[cfg(feature = "ntlm")]
fn relay_warning(config: &NtlmConfig) -> Option<Warning> {
    let is_never = config.target_name == Check::Never;
    if config.channel_bindings == Check::Always || !(is_never || config.service_names.is_empty()) {
        return None;
    }
    let (setting, what) = match is_never {
        true => ("ntlm.target-name", "target-name is \"never\""),
        false => ("ntlm.service-names", "service-names is empty"),
    };
    let message = format!(
        "{what}: the target of a relayed logon is not looked at, and a server that somebody logs on to with NTLM can log on here \
         as them; the names by which clients call this server end that for clients that say whom they mean, and inside of TLS \
         channel-bindings = \"always\" for all"
    );
    Some(warning(setting, message))
}

fn warning(setting: &'static str, message: impl Into<String>) -> Warning {
    Warning { setting, message: message.into() }
}

fn list<T>(items: impl IntoIterator<Item = T>, name: impl Fn(T) -> &'static str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for item in items {
        let name = name(item);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// What is on that nobody should enable who has the choice.
fn of_policy(config: &SchannelConfig, effective: &Effective) -> Vec<Warning> {
    let mut out = Vec::new();
    let old = list(effective.protocols.iter().filter(|protocol| protocol.is_old()), |p| p.name());
    if !old.is_empty() {
        out.push(warning("protocols", format!("protocols of the past are on: {old}")));
    }
    let weak = list(effective.suites.iter().filter_map(SuiteInfo::weakness), |name| name);
    if !weak.is_empty() {
        out.push(warning("suites", format!("weak suites are on: {weak}")));
    }
    if !effective.allowed.is_empty() {
        let allowed = list(&effective.allowed, |weakness| weakness.name());
        out.push(warning("allow", format!("weak certificates are accepted: {allowed}")));
    }
    if effective.dh_minimum_bits < 2048 {
        let bits = effective.dh_minimum_bits;
        out.push(warning(
            "dh-minimum-bits",
            format!("groups of Diffie-Hellman of {bits} bits are accepted, and a server's own has {bits}"),
        ));
    }
    let chains = |suite: &SuiteInfo| suite.name().contains("_CBC");
    let chained = |protocol: &Protocol| matches!(protocol, Protocol::Tls10 | Protocol::Ssl30);
    if !effective.record_splitting
        && effective.protocols.iter().any(chained)
        && effective.suites.iter().any(chains)
    {
        out.push(warning(
            "record-splitting",
            "records are not split: CBC in SSL 3.0 and TLS 1.0 is open to BEAST",
        ));
    }
    if effective.fallback {
        out.push(warning(
            "fallback",
            "whoever is in between can have a client come back with the older protocols alone",
        ));
    }
    if effective.mixes_export && config.i_accept_drown {
        out.push(warning(
            "i-accept-drown",
            "an RSA key that serves SSL 2.0, PCT or export suites serves newer protocols, too",
        ));
    }
    if config.key_log.is_some() {
        out.push(warning("key-log", "the secrets of all connections are written to a file"));
    }
    out
}

/// Whom it trusts.
fn of_trust(config: &SchannelConfig) -> Vec<Warning> {
    let mut out = Vec::new();
    if !config.pins.is_empty() {
        out.push(warning(
            "pins",
            "certificates are pinned: nothing else is trusted, and neither names nor times nor revocation are looked at",
        ));
    } else if config.roots.is_empty() {
        out.push(warning("roots", "a client trusts nobody: there are neither roots nor pins"));
    }
    match config.revocation {
        Revocation::Off if !config.crls.is_empty() => {
            out.push(warning("revocation", "there are revocation lists, and revocation is off: nobody looks at them"));
        }
        Revocation::Hard if config.crls.is_empty() => out.push(warning(
            "revocation",
            "revocation is hard and there are no lists: only servers that staple a good OCSP answer are accepted, and no client",
        )),
        Revocation::Off | Revocation::Soft | Revocation::Hard => {}
    }
    out
}

/// Whose accounts certificates are for.
fn of_accounts(config: &SchannelConfig) -> Vec<Warning> {
    let mut out = Vec::new();
    if config.mapping.is_none_or(|mapping| mapping == Mapping::Off) {
        return out;
    }
    let of_profile = if config.profile == Profile::Windows2003 { &WeakMapping::ALL[..] } else { &[] };
    let weak = config.allow_weak_mappings.as_deref().unwrap_or(of_profile);
    if !weak.is_empty() {
        let weak = list(weak, |weak| weak.name());
        out.push(warning(
            "allow-weak-mappings",
            format!("mappings that others may fit, too, are accepted: {weak}"),
        ));
    }
    if config.client_auth == ClientAuth::None && config.renegotiation_client_auth == ClientAuth::None {
        out.push(warning("client-auth", "there are accounts, and no client is asked for a certificate"));
    }
    if config.mapping == Some(Mapping::Required) && config.client_auth != ClientAuth::Required {
        out.push(warning(
            "mapping",
            "an account is required of every certificate, and no certificate of every client: who shows none is let in",
        ));
    }
    if config.nt_auth.is_empty() && config.certificate_mapping.contains(&MappingRule::Upn) {
        out.push(warning(
            "nt-auth",
            "no authority may name users: no certificate is mapped by its user principal name",
        ));
    }
    if !config.pins.is_empty() {
        out.push(warning(
            "pins",
            "certificates are pinned, so that no authority is asked: none is mapped to an account",
        ));
    }
    out
}

fn of_certificates(certificates: &[OwnCertificate], now: SystemTime) -> Vec<Warning> {
    let mut out = Vec::new();
    for own in certificates {
        let Some(leaf) = own.leaf() else { continue };
        let subject = harmless_message(&leaf.subject);
        // One that has expired is no warning: it is a problem.
        if let Ok(left) = leaf.not_after.duration_since(now)
            && left < SOON
        {
            let days = left.as_secs() / DAY;
            let message = format!("our certificate {subject} expires in {days} days");
            out.push(warning("certificates.chain", message));
        }
        if !own.weaknesses.is_empty() {
            out.push(warning(
                "certificates.chain",
                format!("our certificate {subject} is weak: peers must allow {}", own.weaknesses.join(", ")),
            ));
        }
    }
    out
}

/// Whether our keys, where there are any, are of a kind that each protocol can use as server.
fn of_keys(effective: &Effective, certificates: &[OwnCertificate]) -> Vec<Warning> {
    if certificates.is_empty() {
        return Vec::new();
    }
    let has = |kind: &str| kind.is_empty() || certificates.iter().any(|own| own.key_kind() == kind);
    let mut out = Vec::new();
    for protocol in &effective.protocols {
        let suites = effective.suites_of(*protocol);
        if !suites.iter().any(|suite| has(suite.certificate())) {
            let kinds = list(&suites, SuiteInfo::certificate);
            out.push(warning(
                "certificates",
                format!(
                    "nobody can speak {} with us as server: its suites need a key of the kind {kinds}",
                    protocol.name()
                ),
            ));
        }
    }
    let needs_rsa = effective.suites.iter().any(|suite| !suite.has_forward_secrecy());
    if needs_rsa && !has("RSA") && out.is_empty() {
        out.push(warning(
            "certificates",
            "suites with RSA key exchange are on, and no certificate has an RSA key: as server we cannot use them",
        ));
    }
    out
}
