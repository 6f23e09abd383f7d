//! The stream cipher RC4.
//!
//! Spec: RC4.

use std::fmt::{self, Debug, Formatter};

use ::rc4::{KeyInit as _, StreamCipher as _};

use super::KeyError;
use crate::hash::HashContext;

/// RC4 with a key: the state of its keystream, which goes on from call to call. Wiped when it is dropped.
///
/// Its keystream is not uniform, so that what is encrypted often enough can be recovered: for the protocols that
/// prescribe it only. It reads and writes its table at secret places.
pub struct Rc4(::rc4::Rc4);

impl Rc4 {
    /// The shortest key, in bytes.
    pub const MIN_KEY_LEN: usize = 5;

    /// The longest key, in bytes.
    pub const MAX_KEY_LEN: usize = 256;

    /// The beginning of the keystream under `key`, which is of [`MIN_KEY_LEN`](Self::MIN_KEY_LEN) to
    /// [`MAX_KEY_LEN`](Self::MAX_KEY_LEN) bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::KeyLength`].
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        let (min, max) = (Self::MIN_KEY_LEN, Self::MAX_KEY_LEN);
        let length_error = KeyError::KeyLength { length: key.len(), min, max };
        if !(min..=max).contains(&key.len()) {
            return Err(length_error);
        }
        ::rc4::Rc4::new_from_slice(key).map(Self).map_err(|_| length_error)
    }

    /// Encrypts or decrypts `data`, which is the same.
    pub fn apply(&mut self, data: &mut [u8]) {
        self.0.apply_keystream(data);
    }

    /// Appends `data`, the plaintext, to `hash`, and encrypts it.
    pub fn encrypt_hashing(&mut self, hash: &mut HashContext, data: &mut [u8]) {
        hash.update(data);
        self.apply(data);
    }

    /// Decrypts `data`, and appends the plaintext to `hash`.
    pub fn decrypt_hashing(&mut self, hash: &mut HashContext, data: &mut [u8]) {
        self.apply(data);
        hash.update(data);
    }
}

impl Debug for Rc4 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
