//! What the package needs from outside: files, the clock, a place for key logs. All of it is passed in.

use std::io;
use std::sync::Arc;

pub use crypto::random::Random;
use sspi_core::Clock;

/// Where certificates, keys and lists come from. The crate `opensspi` has one that reads files and the environment.
pub trait Materials: Send + Sync {
    /// The content behind a reference of the configuration (`file:PATH`, a plain path, `env:NAME`).
    ///
    /// # Errors
    /// Whatever the source answers.
    fn read(&self, reference: &str) -> io::Result<Vec<u8>>;

    /// The system's trusted roots, each in DER.
    ///
    /// # Errors
    /// Whatever the source answers.
    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>>;

    /// Appends a line to the key log behind `reference`: a label, the client random and the secret in hexadecimal, with a
    /// newline at its end (the NSS key log format).
    fn key_log(&self, reference: &str, line: &str);
}

/// What the package needs from outside.
#[derive(Clone)]
pub struct Environment {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Files and roots.
    pub materials: Arc<dyn Materials>,
    /// Randomness for the engine; rustls draws its own.
    pub random: Arc<dyn Random>,
}
