//! Randomness: the seam through which an engine gets it, and the system's own.
//!
//! Spec: RANDOM says what a source must be. An engine never asks the system itself, so that a test can give it
//! fixed bytes and replay a recorded connection.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use ring::rand::SecureRandom;

/// A source of random bytes.
pub trait Random: Send + Sync {
    /// Fills `out` with bytes that nobody can predict.
    ///
    /// # Errors
    ///
    /// The source has failed; what `out` then holds must not be used.
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's source.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        ring::rand::SystemRandom::new().fill(out).map_err(|_| RandomError)
    }
}

/// The source of random bytes has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomError;

impl Display for RandomError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the source of random bytes has failed")
    }
}

impl Error for RandomError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one test that reads the system's randomness, since that is what it is about; it fails by chance once in
    /// 2^256 runs.
    #[test]
    fn system_random_fills_and_does_not_repeat() {
        let random: &dyn Random = &SystemRandom;
        let (mut first, mut second) = ([0; 32], [0; 32]);
        random.fill(&mut first).unwrap();
        random.fill(&mut second).unwrap();
        assert_ne!(first, [0; 32]);
        assert_ne!(first, second);
        assert_eq!(random.fill(&mut []), Ok(()));
    }
}
