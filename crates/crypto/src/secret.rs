//! What a key agreement yields.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

use zeroize::Zeroizing;

use crate::random::RandomError;

/// The shared secret of a key agreement, read by `as_ref`. Zeroized on drop; `Debug` shows its length only.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    pub(crate) const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for SharedSecret {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Debug for SharedSecret {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({} bytes)", self.0.len())
    }
}

/// Why a key agreement failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgreementError {
    /// The peer's public value is no element of the group, or one that makes the secret predictable.
    PublicValue,
    /// The source of random bytes has failed.
    Random,
}

impl From<RandomError> for AgreementError {
    fn from(RandomError: RandomError) -> Self {
        Self::Random
    }
}

impl Display for AgreementError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::PublicValue => f.write_str("the peer's public value is not valid in the group"),
            Self::Random => Display::fmt(&RandomError, f),
        }
    }
}

impl Error for AgreementError {}
