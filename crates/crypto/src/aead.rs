//! Authenticated encryption with associated data, in place in the caller's buffer.
//!
//! Nothing is copied or allocated: these are the two calls that every TLS record goes through.
//!
//! Spec: GCM (AES-GCM), CHACHA20 (ChaCha20-Poly1305), AEAD (the interface).

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

use ring::aead;

/// The length of a nonce, in bytes.
pub const NONCE_LEN: usize = 12;

/// The length of a tag, in bytes.
pub const TAG_LEN: usize = 16;

/// An algorithm. All have nonces of [`NONCE_LEN`] and tags of [`TAG_LEN`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AeadAlgorithm {
    /// AES-128 in Galois/Counter Mode.
    Aes128Gcm,
    /// AES-256 in Galois/Counter Mode.
    Aes256Gcm,
    /// ChaCha20 and Poly1305.
    ChaCha20Poly1305,
}

impl AeadAlgorithm {
    /// The length of a key, in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// The length of a tag, in bytes.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        TAG_LEN
    }

    /// The length of a nonce, in bytes.
    #[must_use]
    pub const fn nonce_len(self) -> usize {
        NONCE_LEN
    }

    fn algorithm(self) -> &'static aead::Algorithm {
        match self {
            Self::Aes128Gcm => &aead::AES_128_GCM,
            Self::Aes256Gcm => &aead::AES_256_GCM,
            Self::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        }
    }
}

/// A key, expanded for its algorithm.
///
/// It counts nothing: that a nonce is used once, and a key no more often than its algorithm allows, is up to the
/// record layer above.
pub struct AeadKey {
    algorithm: AeadAlgorithm,
    key: aead::LessSafeKey,
}

impl AeadKey {
    /// Expands `key`, which must have the algorithm's length.
    ///
    /// # Errors
    ///
    /// [`AeadError::KeyLength`].
    pub fn new(algorithm: AeadAlgorithm, key: &[u8]) -> Result<Self, AeadError> {
        let key_length = AeadError::KeyLength { length: key.len(), expected: algorithm.key_len() };
        let unbound = aead::UnboundKey::new(algorithm.algorithm(), key).map_err(|_| key_length)?;
        Ok(Self { algorithm, key: aead::LessSafeKey::new(unbound) })
    }

    /// The algorithm of the key.
    #[inline]
    #[must_use]
    pub const fn algorithm(&self) -> AeadAlgorithm {
        self.algorithm
    }

    /// Encrypts `in_out` where it lies, and returns the tag over it and `aad`.
    ///
    /// A nonce must never come twice under one key: for GCM that reveals the key of the authentication.
    ///
    /// # Errors
    ///
    /// [`AeadError::TooLong`]; `in_out` is then not encrypted.
    #[inline]
    pub fn seal_in_place(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), in_out)
            .map_err(|_| AeadError::TooLong)?;
        tag.as_ref().try_into().map_err(|_| AeadError::TooLong)
    }

    /// Checks `ciphertext_and_tag` (the tag in its last [`TAG_LEN`] bytes) and `aad`, and decrypts it where it
    /// lies. Returns the length of the plaintext, which starts where the ciphertext did.
    ///
    /// # Errors
    ///
    /// [`AeadError::Unauthentic`]; the buffer is then all zeros, so that nothing unauthenticated can be used.
    #[inline]
    pub fn open_in_place(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        ciphertext_and_tag: &mut [u8],
    ) -> Result<usize, AeadError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, aead::Aad::from(aad), ciphertext_and_tag);
        if let Ok(plaintext) = opened {
            return Ok(plaintext.len());
        }
        ciphertext_and_tag.fill(0);
        Err(AeadError::Unauthentic)
    }
}

impl Debug for AeadKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AeadKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// Why a key was not made, or a buffer not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AeadError {
    /// The key has another length than the algorithm's.
    KeyLength {
        /// The length of the key, in bytes.
        length: usize,
        /// The length that the algorithm has, in bytes.
        expected: usize,
    },
    /// The plaintext is longer than one nonce can encrypt (about 64 GiB for GCM, 256 GiB for ChaCha20).
    TooLong,
    /// The tag is not that of the ciphertext, the associated data and the nonce under this key, or is missing.
    /// There is no saying which.
    Unauthentic,
}

impl Display for AeadError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyLength { length, expected } => write!(f, "key of {length} bytes, not {expected}"),
            Self::TooLong => f.write_str("the plaintext is longer than one nonce can encrypt"),
            Self::Unauthentic => f.write_str("the ciphertext is not authentic"),
        }
    }
}

impl Error for AeadError {}

#[cfg(test)]
mod tests;
