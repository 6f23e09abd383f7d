//! Why a verb failed, and with which exit code.

use std::io;
use std::path::Path;

use opensspi::sspi_core;
use opensspi::{Error, ExitClass, locate};

/// A failed verb.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: ExitClass,
    pub(crate) message: String,
    /// The SSPI status, where a package said one.
    pub(crate) status: Option<String>,
    /// The setting that it is about.
    pub(crate) setting: Option<String>,
    /// What has been printed already is not printed again.
    pub(crate) is_told: bool,
}

impl Failure {
    pub(crate) fn new(class: ExitClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), status: None, setting: None, is_told: false }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitClass::Usage, message)
    }

    pub(crate) fn network(what: &str, error: &io::Error) -> Self {
        Self::new(ExitClass::Network, format!("{what}: {error}"))
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::new(ExitClass::Protocol, message)
    }

    /// Its message stands on the screen already, in a form of its own.
    pub(crate) fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// With the place in front where the configuration file has what it names.
    pub(crate) fn located(mut self, config: Option<&Path>) -> Self {
        let setting = self.setting.as_deref().filter(|_| self.class == ExitClass::Usage);
        let place = config.zip(setting).and_then(|(file, setting)| locate(file, setting, &self.message));
        if let Some(place) = place {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    /// An error of a secured stream: of the package where it carries one, of the network otherwise.
    pub(crate) fn stream(error: &io::Error) -> Self {
        let package = error.get_ref().and_then(|inner| inner.downcast_ref::<sspi_core::Error>());
        match package {
            Some(package) => Self::from(package),
            None => Self::network("the connection failed", error),
        }
    }
}

impl From<&sspi_core::Error> for Failure {
    fn from(error: &sspi_core::Error) -> Self {
        let mut failure = Self::new(ExitClass::of(error), opensspi::harmless_message(&error.to_string()));
        failure.status = Some(error.status().to_string());
        failure.setting = error.setting().map(str::to_owned);
        failure
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = match &error {
            // The problems of a configuration stand on a line each, and are ours.
            Error::Config(problems) => problems.to_string(),
            _ => opensspi::harmless_message(&error.to_string()),
        };
        let mut failure = Self::new(error.class(), message);
        failure.status = error.status().map(|status| status.to_string());
        failure.setting = match &error {
            Error::Security(error) => error.setting().map(str::to_owned),
            _ => None,
        };
        failure
    }
}
