//! The hash functions: MD4, MD5, SHA-1 and the SHA-2 family.
//!
//! Spec: MD4, MD5, SHS.

use std::fmt::{self, Debug, Formatter};

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::constant_time::ct_eq;

mod blocks;
mod functions;
mod md4;
pub(crate) mod md5;

pub(crate) use self::blocks::{Blocks, Padded};
pub(crate) use self::functions::{Function, Md5, Sha1, Sha256, Sha512};
pub use self::md4::md4;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// MD5, 16 bytes. Collisions take seconds: for the protocols that prescribe it only.
    Md5,
    /// SHA-1, 20 bytes. Collisions are practical: for the protocols that prescribe it only.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
    /// SHA-512/256, 32 bytes: SHA-512 with a first chaining value of its own, cut short.
    Sha512Of256,
}

impl Hash {
    /// The length of the output, in bytes: at most [`Digest::MAX_LEN`].
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha512Of256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The longest block of a function, in bytes.
    pub const MAX_BLOCK_LEN: usize = 128;

    /// The length of the block that the function works on, in bytes: at most
    /// [`MAX_BLOCK_LEN`](Self::MAX_BLOCK_LEN).
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 | Self::Sha512Of256 => 128,
        }
    }

    /// The hash of `data`.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Digest {
        let mut context = self.context();
        context.update(data);
        context.finish()
    }

    /// Starts a hash over data that comes in parts.
    #[must_use]
    pub fn context(self) -> HashContext {
        HashContext::new(self)
    }
}

/// A hash in progress. A clone goes on from the same state, as a handshake transcript needs it. Wiped when it is
/// dropped.
#[derive(Clone)]
pub struct HashContext(pub(crate) State);

#[derive(Clone)]
pub(crate) enum State {
    Md5(Blocks<Md5, 64>),
    Sha1(Blocks<Sha1, 64>),
    Sha256(Blocks<Sha256, 64>),
    Sha384(Blocks<Sha512, 128>),
    Sha512(Blocks<Sha512, 128>),
    Sha512Of256(Blocks<Sha512, 128>),
}

impl HashContext {
    /// How much shorter than its buffer the data of [`finish_secret_len`](Self::finish_secret_len) can be, in bytes:
    /// a byte of padding length stands for up to that many.
    pub const MAX_SECRET_VARIATION: usize = 256;

    /// Starts with no data.
    #[must_use]
    pub const fn new(hash: Hash) -> Self {
        Self(match hash {
            Hash::Md5 => State::Md5(Blocks::new(Md5::INITIAL)),
            Hash::Sha1 => State::Sha1(Blocks::new(Sha1::INITIAL)),
            Hash::Sha256 => State::Sha256(Blocks::new(Sha256::INITIAL)),
            Hash::Sha384 => State::Sha384(Blocks::new(Sha512::INITIAL_OF_SHA384)),
            Hash::Sha512 => State::Sha512(Blocks::new(Sha512::INITIAL)),
            Hash::Sha512Of256 => State::Sha512Of256(Blocks::new(Sha512::INITIAL_OF_SHA512_256)),
        })
    }

    /// The function in use.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        match self.0 {
            State::Md5(_) => Hash::Md5,
            State::Sha1(_) => Hash::Sha1,
            State::Sha256(_) => Hash::Sha256,
            State::Sha384(_) => Hash::Sha384,
            State::Sha512(_) => Hash::Sha512,
            State::Sha512Of256(_) => Hash::Sha512Of256,
        }
    }

    /// Appends `data`.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Md5(blocks) => blocks.update(data),
            State::Sha1(blocks) => blocks.update(data),
            State::Sha256(blocks) => blocks.update(data),
            State::Sha384(blocks) | State::Sha512(blocks) | State::Sha512Of256(blocks) => blocks.update(data),
        }
    }

    /// The hash of all data.
    #[must_use]
    pub fn finish(self) -> Digest {
        let output_len = self.hash().output_len();
        match self.0 {
            State::Md5(blocks) => blocks.finish(output_len),
            State::Sha1(blocks) => blocks.finish(output_len),
            State::Sha256(blocks) => blocks.finish(output_len),
            State::Sha384(blocks) | State::Sha512(blocks) | State::Sha512Of256(blocks) => {
                blocks.finish(output_len)
            }
        }
    }

    /// The hash of all data and of the first `len` bytes of `data`, where `len` is a secret.
    ///
    /// Time and access to memory depend on the length of `data` only: a record in CBC mode says itself, under
    /// encryption, how much of it is padding, and an attacker who can tell by the time of the MAC what it said
    /// decrypts with that ("Lucky Thirteen").
    ///
    /// `len` is at most the length of `data` and at most [`MAX_SECRET_VARIATION`](Self::MAX_SECRET_VARIATION) less:
    /// another one is brought to the nearest of these.
    #[must_use]
    pub fn finish_secret_len(self, data: &[u8], len: usize) -> Digest {
        let output_len = self.hash().output_len();
        match self.0 {
            State::Md5(blocks) => blocks.finish_secret_len(data, len, output_len),
            State::Sha1(blocks) => blocks.finish_secret_len(data, len, output_len),
            State::Sha256(blocks) => blocks.finish_secret_len(data, len, output_len),
            State::Sha384(blocks) | State::Sha512(blocks) | State::Sha512Of256(blocks) => {
                blocks.finish_secret_len(data, len, output_len)
            }
        }
    }

    /// The hash of the data so far; more may follow.
    #[must_use]
    pub fn current(&self) -> Digest {
        self.clone().finish()
    }
}

impl Debug for HashContext {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashContext").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// The output of a hash, a MAC or a key derivation: 16, 20, 32, 48 or 64 bytes, read by `as_ref`.
///
/// It may be a secret, so it is treated as one: zeroized on drop, compared in constant time, and `Debug` shows its
/// length only.
#[derive(Clone)]
pub struct Digest {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Zeroize for Digest {
    #[inline]
    fn zeroize(&mut self) {
        self.bytes.as_mut_slice().zeroize();
    }
}

impl Drop for Digest {
    #[inline]
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl ZeroizeOnDrop for Digest {}

impl Digest {
    /// The longest output there is, in bytes.
    pub const MAX_LEN: usize = 64;

    /// Zeros of the hash's length, to be filled.
    pub(crate) const fn zeros(hash: Hash) -> Self {
        Self::of_len(hash.output_len())
    }

    /// `len` zeros, to be filled; at most [`MAX_LEN`](Self::MAX_LEN).
    pub(crate) const fn of_len(len: usize) -> Self {
        Self { bytes: [0; Self::MAX_LEN], len }
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Copies as many bytes, from the first on, as there are here and in `out`.
    #[inline]
    pub(crate) fn copy_to(&self, out: &mut [u8]) {
        copy(self.as_ref(), out);
    }
}

/// Copies as many bytes, from the first on, as there are in both.
#[inline]
pub(crate) fn copy(from: &[u8], to: &mut [u8]) {
    let len = from.len().min(to.len());
    if let Some((to, from)) = to.get_mut(..len).zip(from.get(..len)) {
        to.copy_from_slice(from);
    }
}

impl AsRef<[u8]> for Digest {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        ct_eq(self.as_ref(), other.as_ref())
    }
}

impl Eq for Digest {}

impl Debug for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests;
