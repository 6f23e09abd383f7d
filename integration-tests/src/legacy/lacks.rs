//! `suites.toml`: what peers lack, each with its reason.

use std::sync::OnceLock;

use serde::Deserialize;

use super::{Cell, Trial};
use crate::matrix::Role;
use crate::peers::{Peer, Version};

/// What peers lack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lacks {
    lacks: Vec<Lack>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lack {
    peers: Vec<String>,
    role: Option<String>,
    #[serde(default)]
    versions: Vec<String>,
    /// Parts of suites' names.
    #[serde(default)]
    suites: Vec<String>,
    #[serde(default)]
    trials: Vec<String>,
    reason: String,
}

impl Lack {
    fn concerns(&self, peer: Peer, role: Role, version: Version) -> bool {
        self.peers.iter().any(|name| name == peer.name())
            && self.role.as_deref().is_none_or(|name| name == role.name())
            && (self.versions.is_empty() || self.versions.iter().any(|key| key == version.key()))
    }

    fn matches(&self, cell: Cell) -> bool {
        let named = |part: &String| cell.suite.name.contains(part.as_str());
        let suite =
            if self.suites.is_empty() { self.trials.is_empty() } else { self.suites.iter().any(named) };
        suite && self.concerns(cell.peer, cell.role, cell.version)
    }

    fn matches_trial(&self, trial: Trial) -> bool {
        let named = |name: &String| name == trial.feature.name();
        let feature =
            if self.trials.is_empty() { self.suites.is_empty() } else { self.trials.iter().any(named) };
        feature && self.concerns(trial.peer, trial.role, trial.version)
    }
}

impl Lacks {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What cannot be read, an entry without a reason, or one that matches nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let all: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for lack in &all.lacks {
            if lack.reason.trim().is_empty() {
                return Err(format!("no reason: {lack:?}"));
            }
            let known = |name: &String| Peer::LEGACY.iter().any(|peer| peer.name() == name);
            let matches = Cell::all().any(|cell| lack.matches(cell))
                || Trial::all().any(|trial| lack.matches_trial(trial));
            if !matches || !lack.peers.iter().all(known) {
                return Err(format!("it matches nothing: {lack:?}"));
            }
        }
        Ok(all)
    }

    /// Why a cell is not run; `None` if it is.
    pub fn reason(&self, cell: Cell) -> Option<&str> {
        self.lacks.iter().find(|lack| lack.matches(cell)).map(|lack| lack.reason.as_str())
    }

    /// Why a trial is not run; `None` if it is.
    pub fn trial_reason(&self, trial: Trial) -> Option<&str> {
        self.lacks.iter().find(|lack| lack.matches_trial(trial)).map(|lack| lack.reason.as_str())
    }
}

/// `suites.toml` itself.
///
/// # Panics
///
/// If it cannot be read: then nothing may be left out.
pub fn lacks() -> &'static Lacks {
    static LACKS: OnceLock<Lacks> = OnceLock::new();
    LACKS.get_or_init(|| {
        #[expect(clippy::expect_used, reason = "a list of exceptions that cannot be read excepts nothing")]
        Lacks::parse(include_str!("../../suites.toml")).expect("suites.toml")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_lack_has_a_reason_and_exists() {
        let entry = |lines: &str| Lacks::parse(&format!("[[lacks]]\n{lines}"));
        let lacks = entry("peers = [\"gnutls\"]\nversions = [\"ssl3\"]\nreason = \"x\"").unwrap();
        let lacking = |cell: &Cell| lacks.reason(*cell).is_some();
        assert!(Cell::all().filter(lacking).all(|cell| cell.version == Version::Ssl30));
        assert!(Trial::all().any(|trial| lacks.trial_reason(trial).is_some()));
        let lacks = entry("peers = [\"java\"]\nsuites = [\"RC2\"]\nreason = \"x\"").unwrap();
        assert!(Trial::all().all(|trial| lacks.trial_reason(trial).is_none()));
        for wrong in [
            "peers = [\"java\"]",
            "peers = [\"java\"]\nreason = \" \"",
            "peers = [\"jave\"]\nreason = \"x\"",
            "peers = [\"java\"]\nsuites = [\"RC6\"]\nreason = \"x\"",
        ] {
            entry(wrong).unwrap_err();
        }
    }

    #[test]
    fn suites_toml_is_well_formed() {
        lacks();
    }
}
