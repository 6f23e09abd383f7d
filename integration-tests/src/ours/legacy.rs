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
const CERTIFICATES: [&str; 5] = ["sha1-signature", "rsa-512", "rsa-768", "rsa-1024", "dsa"];

impl Legacy {
    /// The settings, as a configuration file has them. A suite that is named needs no other leave.
    pub fn settings(&self) -> String {
        let suites: Vec<&str> = self.suites.iter().map(|suite| suite.name).collect();
        format!(
            "protocols = [{:?}]\nsuites = {suites:?}\nallow = {CERTIFICATES:?}\ndh-minimum-bits = 1024\n\
             record-splitting = {}\n",
            self.version.key(),
            self.splitting
        )
    }
}

impl Setup {
    /// The same, speaking what these settings name.
    ///
    /// # Errors
    ///
    /// Schannel does not know a name.
    pub fn legacy(self, legacy: &Legacy) -> Result<Self, Failure> {
        self.settings(&legacy.settings())
    }

    /// The same, with these settings of a configuration file.
    ///
    /// # Errors
    ///
    /// Schannel does not know a name.
    pub fn settings(mut self, settings: &str) -> Result<Self, Failure> {
        let config: SchannelConfig = toml::from_str(settings)
            .map_err(|error| Failure::Request(format!("{}\n{settings}", error.message())))?;
        self.speak(config);
        Ok(self)
    }
}
