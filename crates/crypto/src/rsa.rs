//! RSA: signatures and encryption of PKCS #1, version 1.5 and PSS, and keys from 512 to 8192 bits.
//!
//! A private operation goes through the Chinese remainder theorem, is blinded, and is checked with the public exponent
//! before anything of it is released: a single wrong half would give the key away (Boneh, DeMillo, Lipton, "On the
//! Importance of Checking Cryptographic Protocols for Faults"). Its time depends on the size of the key only.
//!
//! Small keys are here for the protocols that prescribe them. What is too small for a peer is the caller's to say.
//!
//! Spec: PKCS1 sections 5, 7.2, 8.1 and 8.2.

mod blinding;
mod encode;
mod generate;
mod padding;
mod private;
mod public;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};
use std::ops::RangeInclusive;

#[cfg(test)]
pub(crate) use generate::is_probable_prime;
pub use padding::digest_info;
pub use private::{Decrypted, PrivateKey};
pub use public::PublicKey;

use crate::random::RandomError;

/// The sizes of a modulus, in bits, that are taken.
const BITS: RangeInclusive<u32> = 512..=8192;

/// Why nothing was encrypted or decrypted. Nothing secret decides which: what is wrong inside a message is no error,
/// see [`PrivateKey::decrypt_pkcs1`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The message does not fit under the key.
    TooLong,
    /// The ciphertext is not as long as the modulus, or not a number below it.
    Ciphertext,
    /// The source of random bytes has failed.
    Random,
    /// The result did not stand the check with the public key: the key is inconsistent, or the computation went wrong.
    Fault,
}

impl From<RandomError> for Error {
    fn from(RandomError: RandomError) -> Self {
        Self::Random
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the message is too long for the RSA key"),
            Self::Ciphertext => f.write_str("the ciphertext is not one of the RSA key"),
            Self::Random => Display::fmt(&RandomError, f),
            Self::Fault => {
                f.write_str("the result of the RSA key does not stand the check with its public part")
            }
        }
    }
}

impl StdError for Error {}
