//! Checking a configuration before it is needed: everything that it names is loaded, and every problem reported.

use std::fs;
use std::path::Path;

use sspi_core::{CredentialUse, Fault, SecStatus};

use crate::config::{Config, Place, place_of};
use crate::error::{Error, ExitClass};
#[cfg(feature = "schannel")]
use crate::materials::SystemMaterials;
#[cfg(feature = "schannel")]
use crate::providers::{Listener, check_listeners};
#[cfg(feature = "schannel")]
use crate::resolved::Resolved;
use crate::sspi::Sspi;

/// A problem that [`check_file`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose turn it is.
    pub class: ExitClass,
    /// The setting that it is about, where it is about one.
    pub setting: Option<String>,
    /// What is wrong; mistakes in the file begin with its name, the line and the column.
    pub message: String,
}

/// What [`inspect_file`] found: every problem, and what the rest comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// Every problem.
    pub findings: Vec<Finding>,
    /// The configuration, without what cannot be read of it.
    pub config: Config,
    /// What the package Schannel makes of it; nothing where that cannot be said.
    #[cfg(feature = "schannel")]
    pub resolved: Option<Resolved>,
}

/// Checks a configuration file: its text, and everything that it names.
#[must_use]
pub fn check_file(path: &Path) -> Vec<Finding> {
    inspect_file(path).findings
}

/// Checks configuration files of listeners that run at the same time, each right by itself, for what none of them shows alone:
/// an RSA key that serves SSL 2.0, PCT or export suites on one, and something newer on another.
#[must_use]
pub fn check_together(files: &[(&Path, &Config)]) -> Vec<Finding> {
    #[cfg(feature = "schannel")]
    {
        let named: Vec<_> = files
            .iter()
            .map(|(path, config)| {
                let base = path.parent().unwrap_or_else(|| Path::new(""));
                (path.display().to_string(), &config.schannel, SystemMaterials::new(base))
            })
            .collect();
        let listeners: Vec<_> =
            named.iter().map(|(name, config, materials)| Listener { name, config, materials }).collect();
        check_listeners(&listeners).err().iter().map(finding).collect()
    }
    #[cfg(not(feature = "schannel"))]
    {
        let _no_package_has_keys = files;
        Vec::new()
    }
}

/// Checks a configuration file, and says what it comes to.
#[must_use]
pub fn inspect_file(path: &Path) -> Inspection {
    let name = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("{name}: the configuration cannot be read: {error}");
            return Inspection {
                findings: vec![Finding { class: ExitClass::Usage, setting: None, message }],
                config: Config::default(),
                #[cfg(feature = "schannel")]
                resolved: None,
            };
        }
    };
    let (config, problems) = Config::salvage(&text, &name);
    let mut findings: Vec<Finding> = problems
        .iter()
        .map(|problem| Finding {
            class: ExitClass::Usage,
            setting: Some(problem.key.clone()).filter(|key| !key.is_empty()),
            message: problems.describe(problem),
        })
        .collect();
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let finding = |error: &sspi_core::Error| located(finding(error), &name, &text);
    #[cfg(feature = "schannel")]
    let mut resolved = None;
    match Sspi::builder().config(config.clone()).base(base).build() {
        Ok(sspi) => {
            findings.extend(sspi.check().iter().map(finding));
            #[cfg(feature = "schannel")]
            {
                resolved = sspi.resolve().ok();
            }
        }
        Err(Error::Security(error)) => findings.push(finding(&error)),
        Err(Error::Config(problems)) => findings.extend(problems.iter().map(|problem| Finding {
            class: ExitClass::Usage,
            setting: Some("accounts".to_owned()),
            message: problems.describe(problem),
        })),
        Err(error) => {
            findings.push(Finding { class: error.class(), setting: None, message: error.to_string() })
        }
    }
    Inspection {
        findings,
        config,
        #[cfg(feature = "schannel")]
        resolved,
    }
}

/// Where the text has a setting of whichever package.
fn place(text: &str, setting: &str, message: &str) -> Option<Place> {
    ["schannel", "ntlm"].iter().find_map(|section| place_of(text, section, setting, message))
}

/// The finding with the place of its setting in front, where the text has it.
fn located(finding: Finding, name: &str, text: &str) -> Finding {
    let setting = finding.setting.as_deref().unwrap_or_default();
    match place(text, setting, &finding.message) {
        Some(Place { line, column, .. }) => {
            Finding { message: format!("{name}:{line}:{column}: {}", finding.message), ..finding }
        }
        None => finding,
    }
}

/// The error with the place of its setting in front of it, where the text has it.
pub(crate) fn with_place(error: sspi_core::Error, name: &str, text: &str) -> sspi_core::Error {
    let setting = error.setting().unwrap_or_default();
    match place(text, setting, error.message()) {
        Some(Place { line, column, is_named: true }) => {
            let message = format!("{name}:{line}:{column}: {}", error.message());
            error.with_message(message)
        }
        _ => error,
    }
}

/// Where a configuration file has what an error of a package names: `FILE:LINE:COLUMN`. Nothing where the file says
/// something else, as when an option of a command line took its place.
#[must_use]
pub fn locate(path: &Path, setting: &str, message: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let place = place(&text, setting, message).filter(|place| place.is_named)?;
    Some(format!("{}:{}:{}", path.display(), place.line, place.column))
}

fn finding(error: &sspi_core::Error) -> Finding {
    Finding {
        class: ExitClass::of(error),
        setting: error.setting().map(str::to_owned),
        message: error.to_string(),
    }
}

impl Sspi {
    /// Loads everything that the configuration names, for both roles, and returns every problem. A configuration without
    /// certificates is a client's; that it cannot serve is no problem. Nor is that one without a user cannot log on.
    #[must_use]
    pub fn check(&self) -> Vec<sspi_core::Error> {
        let mut problems = self.unreadable();
        for role in [CredentialUse::Outbound, CredentialUse::Inbound] {
            let error = match self.acquire(role) {
                Ok(_) => continue,
                Err(Error::Security(error)) => error,
                Err(_) => continue,
            };
            let is_client_only =
                role == CredentialUse::Inbound && error.status() == SecStatus::SEC_E_NO_CREDENTIALS;
            let is_server_only = role == CredentialUse::Outbound
                && error.status() == SecStatus::SEC_E_NO_CREDENTIALS
                && matches!(error.setting(), Some("user" | "digest.user"));
            let is_known = problems.iter().any(|problem| problem.to_string() == error.to_string());
            if !is_client_only && !is_server_only && !is_known {
                problems.push(error);
            }
        }
        problems.extend(self.expired());
        problems
    }

    /// References whose content cannot be read, in the words of the packages.
    #[cfg(feature = "schannel")]
    fn unreadable(&self) -> Vec<sspi_core::Error> {
        let shared = self.shared();
        crate::providers::references(&shared.config)
            .into_iter()
            .filter_map(|(setting, reference)| {
                let error = shared.materials.read(reference).err()?;
                let message = format!("cannot read {reference}: {error}");
                let status = SecStatus::SEC_E_UNKNOWN_CREDENTIALS;
                Some(sspi_core::Error::new(status, Fault::Configuration, message).with_setting(setting))
            })
            .collect()
    }

    #[cfg(not(feature = "schannel"))]
    fn unreadable(&self) -> Vec<sspi_core::Error> {
        Vec::new()
    }

    /// An error for each certificate of ours that no peer would accept today.
    #[cfg(feature = "schannel")]
    fn expired(&self) -> Vec<sspi_core::Error> {
        let now = self.clock().now();
        let error = |own: &crate::resolved::OwnCertificate| {
            let leaf = own.leaf()?;
            let what = if now > leaf.not_after {
                "has expired"
            } else if now < leaf.not_before {
                "is not valid yet"
            } else {
                return None;
            };
            let subject = crate::harmless::harmless_message(&leaf.subject);
            let message = format!("our own certificate {what}: {subject} ({})", own.reference);
            let status = SecStatus::SEC_E_CERT_EXPIRED;
            let error = sspi_core::Error::new(status, Fault::Refused, message);
            Some(error.with_setting("certificates.chain"))
        };
        self.own_certificates().iter().filter_map(error).collect()
    }

    #[cfg(not(feature = "schannel"))]
    fn expired(&self) -> Vec<sspi_core::Error> {
        let _unused = Fault::Refused;
        Vec::new()
    }
}
