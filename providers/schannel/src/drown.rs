//! One RSA key, and what it may be used for at the same time: who breaks SSL 2.0, PCT or an export suite with a key has
//! broken everything else that the key serves (DROWN, FREAK), whichever port that is on.

use core::fmt;

use sspi_core::{Error, Fault, SecStatus};

use crate::certificate::{pem, rsa_key_of};
use crate::config::{Protocol, SchannelConfig};
use crate::environment::Materials;
use crate::policy::Policy;

/// What a listener uses its RSA keys for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) protocols: Vec<Protocol>,
    /// Whether export suites of RSA are among them.
    pub(crate) export: bool,
}

/// What is broken, and what breaks with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Danger {
    broken: &'static str,
    newer: Protocol,
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {}", self.broken, self.newer.name())
    }
}

impl KeyUse {
    /// What of this is a danger to `other`, with the same key.
    pub(crate) fn endangers(&self, other: &Self) -> Option<Danger> {
        let newest = |is_newer: &dyn Fn(Protocol) -> bool| {
            let newer = other.protocols.iter().copied().filter(|protocol| is_newer(*protocol));
            newer.max_by_key(|protocol| protocol.engine())
        };
        let has = |protocol| self.protocols.contains(&protocol);
        let danger = |broken| move |newer| Danger { broken, newer };
        let ssl2 = has(Protocol::Ssl20).then(|| newest(&|protocol| protocol != Protocol::Ssl20)).flatten();
        let pct1 = has(Protocol::Pct1).then(|| newest(&|protocol| !protocol.is_older_than_ssl3())).flatten();
        let tls11 = |protocol: Protocol| protocol.engine() > Protocol::Tls10.engine();
        let export = self.export.then(|| newest(&tls11)).flatten();
        let danger_of_ssl2 = ssl2.map(danger("ssl2"));
        danger_of_ssl2.or_else(|| pct1.map(danger("pct1"))).or_else(|| export.map(danger("export suites")))
    }

    /// The same within one listener.
    pub(crate) fn endangers_itself(&self) -> Option<Danger> {
        self.endangers(self)
    }
}

/// A listener, by a name that its owner knows it by: a file, an address.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// The name.
    pub name: &'a str,
    /// Its configuration.
    pub config: &'a SchannelConfig,
    /// Where its certificates are.
    pub materials: &'a dyn Materials,
}

impl fmt::Debug for Listener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Looks whether an RSA key of one listener that speaks SSL 2.0 or PCT or has export suites serves a newer protocol on
/// another. Each by itself is checked where its credentials are acquired. A configuration that cannot be read is passed over
/// here: others say what is wrong with it.
///
/// # Errors
///
/// One does, and not both have `i-accept-drown`; the error names both.
pub fn check_listeners(listeners: &[Listener<'_>]) -> Result<(), Error> {
    let known: Vec<_> = listeners.iter().filter_map(|listener| Some((listener, known(listener)?))).collect();
    for (one, (uses, keys)) in &known {
        for (other, (other_uses, other_keys)) in &known {
            let is_accepted = one.config.i_accept_drown && other.config.i_accept_drown;
            let shares = keys.iter().any(|key| other_keys.contains(key));
            let danger = uses.endangers(other_uses).filter(|_| shares && !is_accepted);
            if let Some(danger) = danger.filter(|_| !core::ptr::eq(*one, *other)) {
                let what = format!(
                    "one RSA key serves {} on {} and {} on {}: whoever breaks the one can speak for the other",
                    danger.broken,
                    one.name,
                    danger.newer.name(),
                    other.name
                );
                return Err(Error::new(SecStatus::SEC_E_ALGORITHM_MISMATCH, Fault::Configuration, what)
                    .with_setting("i-accept-drown"));
            }
        }
    }
    Ok(())
}

/// What a listener uses its RSA keys for, and which these are.
fn known(listener: &Listener<'_>) -> Option<(KeyUse, Vec<Vec<u8>>)> {
    let uses = Policy::read(listener.config).ok()?.key_use();
    let chains = listener.config.certificates.iter().filter_map(|certificate| {
        let bytes = listener.materials.read(&certificate.chain).ok()?;
        let leaf = pem::certificates(&bytes).ok()?.into_iter().next()?;
        rsa_key_of(&leaf)
    });
    Some((uses, chains.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uses(protocols: &[Protocol], export: bool) -> KeyUse {
        KeyUse { protocols: protocols.to_vec(), export }
    }

    #[test]
    fn what_is_broken_endangers_what_is_newer_and_nothing_else() {
        use Protocol::{Pct1, Ssl20, Ssl30, Tls10, Tls12, Tls13};
        for (one, other, danger) in [
            (uses(&[Ssl20], false), uses(&[Ssl20], false), None),
            (uses(&[Ssl20], false), uses(&[Pct1], false), Some("ssl2 and pct1")),
            (uses(&[Ssl20], false), uses(&[Tls10, Tls13], false), Some("ssl2 and tls1.3")),
            (uses(&[Pct1], false), uses(&[Ssl20, Pct1], false), None),
            (uses(&[Pct1], false), uses(&[Ssl30], false), Some("pct1 and ssl3")),
            (uses(&[Tls10], true), uses(&[Tls10, Ssl30], true), None),
            (uses(&[Tls10], true), uses(&[Tls12], false), Some("export suites and tls1.2")),
            (uses(&[Tls12], false), uses(&[Tls10], true), None),
            (uses(&Protocol::ALL, true), uses(&[], false), None),
        ] {
            let said = one.endangers(&other).map(|danger| danger.to_string());
            assert_eq!(said.as_deref(), danger, "{one:?} {other:?}");
        }
        assert_eq!(uses(&[Tls10, Ssl20], false).endangers_itself().unwrap().newer, Tls10);
        assert_eq!(uses(&[Tls10], true).endangers_itself(), None);
    }
}
