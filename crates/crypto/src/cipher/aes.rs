//! AES in CBC mode: with the instructions of the processor where there are, otherwise as the crate does it.
//!
//! Spec: AES; CBC section 6.2.

use ::aes::{Aes128, Aes256};
use ::cbc::cipher::KeyInit;

use super::cbc::{self, Chained};
use crate::hash::HashContext;

#[cfg(target_arch = "x86_64")]
mod x86_64;

/// An expanded key.
pub(super) enum Aes {
    #[cfg(target_arch = "x86_64")]
    Instructions(Box<x86_64::Aes>),
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Aes {
    /// A key to encrypt with, of 16 or 32 bytes; otherwise `None`.
    pub(super) fn encrypting(key: &[u8]) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if let Some(key) = x86_64::Aes::encrypting(key) {
            return Some(Self::Instructions(Box::new(key)));
        }
        Self::of_the_crate(key)
    }

    /// A key to decrypt with, of 16 or 32 bytes; otherwise `None`.
    pub(super) fn decrypting(key: &[u8]) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if let Some(key) = x86_64::Aes::decrypting(key) {
            return Some(Self::Instructions(Box::new(key)));
        }
        Self::of_the_crate(key)
    }

    /// One that serves for both directions.
    fn of_the_crate(key: &[u8]) -> Option<Self> {
        Aes128::new_from_slice(key)
            .map(|key| Self::Aes128(Box::new(key)))
            .or_else(|_| Aes256::new_from_slice(key).map(|key| Self::Aes256(Box::new(key))))
            .ok()
    }

    /// Encrypts `data`, which is whole blocks.
    pub(super) fn encrypt(&self, chained: &mut Chained, data: &mut [u8]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Instructions(key) => key.encrypt(chained, data),
            Self::Aes128(key) => cbc::encrypt(&**key, chained, data),
            Self::Aes256(key) => cbc::encrypt(&**key, chained, data),
        }
    }

    /// Decrypts `data`, which is whole blocks.
    pub(super) fn decrypt(&self, chained: &mut Chained, data: &mut [u8]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Instructions(key) => key.decrypt(chained, data),
            Self::Aes128(key) => cbc::decrypt(&**key, chained, data),
            Self::Aes256(key) => cbc::decrypt(&**key, chained, data),
        }
    }

    /// Appends `data`, which is whole blocks, to `hash` and encrypts it.
    pub(super) fn encrypt_hashing(&self, chained: &mut Chained, hash: &mut HashContext, data: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if let Self::Instructions(key) = self {
            key.encrypt_hashing(chained, hash, data);
            return;
        }
        hash.update(data);
        self.encrypt(chained, data);
    }
}

#[cfg(test)]
mod tests;
