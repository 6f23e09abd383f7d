//! What the package needs from outside: secrets, the clock, randomness. All of it is passed in.

use std::io;
use std::sync::Arc;

pub use crypto::random::Random;
use sspi_core::Clock;
use zeroize::Zeroizing;

/// Where the secrets are that a configuration refers to. The crate `opensspi` has one that reads files and the environment.
pub trait Secrets: Send + Sync {
    /// The content behind a reference of the configuration (`file:PATH`, `env:NAME`).
    ///
    /// # Errors
    /// Whatever the source answers.
    fn read(&self, reference: &str) -> io::Result<Zeroizing<Vec<u8>>>;
}

/// No secrets: for packages whose credentials come from the application.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there is no source of secrets"))
    }
}

/// What the package needs from outside.
#[derive(Clone)]
pub struct Environment {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Challenges and keys.
    pub random: Arc<dyn Random>,
    /// Passwords and hashes that the configuration refers to.
    pub secrets: Arc<dyn Secrets>,
    /// What this machine is called, where the configuration does not say; at most 15 characters of its first label become
    /// its NetBIOS name.
    pub host_name: Option<String>,
}
