//! What the package needs from outside: the time, randomness, the machine's name. All are passed in.

use std::sync::Arc;

pub use crypto::random::{Random, RandomError};
use sspi_core::Clock;
pub use sspi_core::{NoSecrets, Secrets};

/// What the package needs from outside.
#[derive(Clone)]
pub struct Environment {
    /// The time: how old nonces are.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for nonces.
    pub random: Arc<dyn Random>,
    /// The password that the configuration refers to.
    pub secrets: Arc<dyn Secrets>,
    /// The machine's name, as clients find it: a server of SASL that is not told which services it is takes what is meant for
    /// this machine.
    pub host_name: Option<String>,
}
