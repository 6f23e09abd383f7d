//! Our end as it speaks the old protocols: what a configuration must name for that.

use schannel::SchannelConfig;

use super::{Failure, Setup};
use crate::legacy::Suite;
use crate::peers::Version;

/// What our end is allowed of the past.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The one version.
    pub version: Version,
    /// The suites, in order of preference.
    pub suites: Vec<&'static Suite>,
    /// Whether CBC records of SSL 3.0 and TLS 1.0 are split to hide the IV of the next.
    pub splitting: bool,
}

/// What the certificates of these tests have that no default allows.
const CERTIFICATES: [&str; 4] = ["rsa-512", "rsa-1024", "dsa-1024", "sha1-signature"];

impl Legacy {
    /// The settings, as a configuration file has them.
    pub fn settings(&self) -> String {
        let quoted =
            |names: Vec<&str>| names.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let mut settings = format!(
            "protocols = [{:?}]\nsuites = [{}]\nallow = [{}]\n",
            self.version.key(),
            quoted(self.suites.iter().map(|suite| suite.name).collect()),
            quoted(self.allow()),
        );
        if !self.splitting {
            settings.push_str("record-splitting = false\n");
        }
        settings
    }

    /// The weaknesses that the suites have, by name.
    fn allow(&self) -> Vec<&'static str> {
        let weaknesses = [
            ("_NULL_", "null"),
            ("_EXPORT", "export"),
            ("_RC4_", "rc4"),
            ("_3DES_", "3des"),
            ("_DES_", "des"),
            ("_RC2_", "rc2"),
        ];
        let has = |part: &str| self.suites.iter().any(|suite| suite.name.contains(part));
        let suites = weaknesses.iter().filter(|(part, _)| has(part)).map(|&(_, name)| name);
        suites.chain(CERTIFICATES).collect()
    }
}

impl Setup {
    /// The same, speaking what these settings name.
    ///
    /// # Errors
    ///
    /// Schannel does not know a name.
    pub fn legacy(mut self, legacy: &Legacy) -> Result<Self, Failure> {
        self.speak(config(legacy).map_err(Failure::Request)?);
        Ok(self)
    }
}

fn config(legacy: &Legacy) -> Result<SchannelConfig, String> {
    toml::from_str(&legacy.settings()).map_err(|error| format!("{}\n{}", error.message(), legacy.settings()))
}

/// Whether Schannel speaks the old protocols at all.
///
/// # Errors
///
/// What it says to a configuration that names one.
pub fn speaks_legacy() -> Result<(), String> {
    let any = Legacy { version: Version::Tls10, suites: Vec::new(), splitting: true };
    config(&any).map(drop).map_err(|error| {
        format!("Schannel has no engine for it ({})", error.lines().next().unwrap_or_default())
    })
}
