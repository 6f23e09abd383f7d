//! `skipped.toml`: the cases that are left out, each with its reason.

use std::sync::OnceLock;

use serde::Deserialize;

use super::Case;

/// The cases that are left out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skips {
    skip: Vec<Skip>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Skip {
    peer: Option<String>,
    role: Option<String>,
    version: Option<String>,
    feature: Option<String>,
    reason: String,
}

impl Skip {
    fn matches(&self, case: Case) -> bool {
        let is = |field: &Option<String>, name: &str| field.as_deref().is_none_or(|field| field == name);
        is(&self.peer, case.peer.name())
            && is(&self.role, case.role.name())
            && is(&self.version, case.version.key())
            && is(&self.feature, case.feature.name())
    }
}

impl Skips {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// What cannot be read, or an entry without a reason, or one that matches no case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let skips: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for skip in &skips.skip {
            if skip.reason.trim().is_empty() {
                return Err(format!("no reason: {skip:?}"));
            }
            if !Case::all().any(|case| skip.matches(case)) {
                return Err(format!("there is no such case: {skip:?}"));
            }
        }
        Ok(skips)
    }

    /// Why a case is left out; `None` if it is not.
    pub fn reason(&self, case: Case) -> Option<&str> {
        self.skip.iter().find(|skip| skip.matches(case)).map(|skip| skip.reason.as_str())
    }
}

/// `skipped.toml` itself.
///
/// # Panics
///
/// If it cannot be read: then nothing may be left out.
pub fn skips() -> &'static Skips {
    static SKIPS: OnceLock<Skips> = OnceLock::new();
    SKIPS.get_or_init(|| {
        #[expect(clippy::expect_used, reason = "a list of exceptions that cannot be read excepts nothing")]
        Skips::parse(include_str!("../../skipped.toml")).expect("skipped.toml")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_a_reason_and_exists() {
        let entry = |lines: &str| Skips::parse(&format!("[[skip]]\n{lines}"));
        let skips = entry("peer = \"java\"\nfeature = \"data\"\nreason = \"x\"").unwrap();
        let skipped: Vec<_> = Case::all().filter(|&case| skips.reason(case).is_some()).collect();
        assert_eq!(skipped.len(), 4, "{skipped:?}");
        for wrong in [
            "peer = \"java\"",
            "peer = \"java\"\nreason = \" \"",
            "peer = \"jave\"\nreason = \"x\"",
            "feature = \"key-update\"\nversion = \"1.2\"\nreason = \"x\"",
            "feat = \"data\"\nreason = \"x\"",
        ] {
            entry(wrong).unwrap_err();
        }
    }

    #[test]
    fn skipped_toml_is_well_formed() {
        skips();
    }
}
