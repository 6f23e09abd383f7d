//! The configuration file: which package secures the connections, and what each package is told.
//!
//! TOML, with unknown keys refused. Every error names the file, the line, the column and, where one was misspelt, the key
//! that was probably meant. Secrets stand in files or in the environment, and the configuration refers to them.

#[cfg(feature = "tokio")]
pub(crate) mod accounts;
#[cfg(feature = "ldap")]
mod directory;
mod duration;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
mod logon;
mod nearest;
mod place;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
mod places;
mod problem;
mod secrets;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

#[cfg(feature = "ldap")]
pub use self::directory::DirectoryConfig;
pub use self::duration::parse_deadline;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
pub use self::logon::LogonConfig;
#[cfg(all(feature = "tokio", feature = "ntlm", feature = "digest"))]
pub(crate) use self::logon::{DigestEntry, DigestHash, MeantDigest};
#[cfg(all(feature = "tokio", feature = "ntlm"))]
pub(crate) use self::logon::{Entry as LogonEntry, Logons, Meant};
pub use self::nearest::nearest;
pub(crate) use self::place::{Place, place_of};
use self::problem::Locator;
pub use self::problem::{ConfigProblem, ConfigProblems};
#[cfg(feature = "digest")]
use crate::providers::DigestConfig;
#[cfg(feature = "negotiate")]
use crate::providers::NegotiateConfig;
#[cfg(feature = "ntlm")]
use crate::providers::NtlmConfig;
#[cfg(feature = "schannel")]
use crate::providers::SchannelConfig;

/// A configuration: what stands in `opensspi.toml`.
///
/// ```
/// let config = opensspi::Config::from_toml(
///     r#"
///     package = "Schannel"
///     handshake-deadline = "10s"
///
///     [schannel]
///     protocols = ["tls1.3", "tls1.2"]
///     roots = ["system", "company-ca.pem"]
///     "#,
///     "opensspi.toml",
/// )?;
/// assert_eq!(config.package, "Schannel");
/// # Ok::<(), opensspi::ConfigProblems>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// `package`: the package that secures the connections.
    pub package: String,
    /// `handshake-deadline`: a handshake that is not over by then is given up. `"off"`: never.
    #[serde(deserialize_with = "duration::deadline")]
    pub handshake_deadline: Option<Duration>,
    /// `session-store`: where the machines of a server farm share the sessions of their clients: the address of a Redis, or
    /// a reference to it (`file:`, `env:`) where it has a password in it. Sessions are stateful then: no server gives out
    /// stateless tickets.
    pub session_store: Option<String>,
    /// `session-store-keys`: what the sessions are sealed with, by reference; the first seals, and all open. The same on all
    /// machines.
    pub session_store_keys: Vec<String>,
    /// `session-store-deadline`: a lookup that takes longer is given up, and the handshake is a full one.
    #[serde(deserialize_with = "duration::required")]
    pub session_store_deadline: Duration,
    /// `accounts`: a file with the accounts that client certificates are mapped to. It is read again when it changes.
    #[cfg(feature = "tokio")]
    pub accounts: Option<String>,
    /// `[directory]`: where the accounts of client certificates are looked up with LDAP.
    #[cfg(feature = "ldap")]
    pub directory: Option<DirectoryConfig>,
    /// `[digest]`: what the package WDigest is told.
    #[cfg(feature = "digest")]
    pub digest: DigestConfig,
    /// `[schannel]`: what the package Schannel is told.
    #[cfg(feature = "schannel")]
    pub schannel: SchannelConfig,
    /// `[negotiate]`: which packages Negotiate chooses from, and in which order.
    #[cfg(feature = "negotiate")]
    pub negotiate: NegotiateConfig,
    /// `[ntlm]`: what the package NTLM is told.
    #[cfg(feature = "ntlm")]
    pub ntlm: NtlmConfig,
    /// `[logon]`: where the passwords are that clients log on with.
    #[cfg(all(feature = "tokio", feature = "ntlm"))]
    pub logon: LogonConfig,
    /// `[log]`: how the application logs, for those that ask.
    pub log: LogConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            package: "Schannel".to_owned(),
            handshake_deadline: Some(Duration::from_secs(30)),
            session_store: None,
            session_store_keys: Vec::new(),
            session_store_deadline: Duration::from_millis(50),
            #[cfg(feature = "tokio")]
            accounts: None,
            #[cfg(feature = "ldap")]
            directory: None,
            #[cfg(feature = "digest")]
            digest: DigestConfig::default(),
            #[cfg(feature = "schannel")]
            schannel: SchannelConfig::default(),
            #[cfg(feature = "negotiate")]
            negotiate: NegotiateConfig::default(),
            #[cfg(feature = "ntlm")]
            ntlm: NtlmConfig::default(),
            #[cfg(all(feature = "tokio", feature = "ntlm"))]
            logon: LogonConfig::default(),
            log: LogConfig::default(),
        }
    }
}

/// The section `[log]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LogConfig {
    /// `format`: `"text"` or `"json"`.
    pub format: LogFormat,
    /// `level`: `"error"`, `"warn"`, `"info"`, `"debug"` or `"trace"`.
    pub level: LogLevel,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged: everything from this level up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Errors.
    Error,
    /// Refused and failed handshakes.
    Warn,
    /// Every handshake.
    #[default]
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level by its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Config {
    /// Reads a configuration; `name` stands for the file in errors.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the lines.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, ConfigProblems> {
        let (config, problems) = Self::salvage(text, name);
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads the configuration in a file.
    ///
    /// # Errors
    /// Why the file cannot be read, or everything that is wrong with it.
    pub fn from_file(path: &Path) -> Result<Self, ConfigProblems> {
        Self::from_toml(&Self::read(path)?, &path.display().to_string())
    }

    /// The text of a file.
    pub(crate) fn read(path: &Path) -> Result<String, ConfigProblems> {
        fs::read_to_string(path)
            .map_err(|error| ConfigProblems::unreadable(&path.display().to_string(), &error))
    }

    /// Reads what can be read, and says what is wrong with the rest: for checking a file in one go.
    #[must_use]
    pub fn salvage(text: &str, name: &str) -> (Self, ConfigProblems) {
        salvage(text, name)
    }
}

/// Reads what can be read of a file, and says what is wrong with the rest.
fn salvage<T: Default + DeserializeOwned>(text: &str, name: &str) -> (T, ConfigProblems) {
    let locator = Locator::new(text);
    let (mut table, syntax) = DeTable::parse_recoverable(text);
    let mut problems: Vec<ConfigProblem> = syntax.iter().map(|error| locator.syntax(error)).collect();
    secrets::refuse(table.get_mut(), &locator, &mut problems);
    // Serde stops at the first mistake: what it complains of is taken out, and it is asked again.
    let config = loop {
        let error = match deserialize(&table) {
            Ok(config) => break config,
            Err(error) => error,
        };
        let (problem, removed) = locator.semantic(&error, table.get_mut());
        problems.push(problem);
        if !removed {
            break T::default();
        }
    };
    (config, ConfigProblems::new(name, problems))
}

fn deserialize<T: DeserializeOwned>(table: &Spanned<DeTable<'_>>) -> Result<T, toml::de::Error> {
    T::deserialize(Deserializer::from(table.clone()))
}

#[cfg(test)]
mod tests;
