//! What the package needs from outside: secrets, the clock, randomness. All of it is passed in.

use std::sync::Arc;

pub use crypto::random::Random;
use sspi_core::Clock;
pub use sspi_core::{NoSecrets, Secrets};

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
