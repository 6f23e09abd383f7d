//! HMAC: message authentication by a hash function.
//!
//! Spec: HMAC.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

use ::hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::constant_time::ct_eq;
use crate::hash::{Digest, Hash};

/// A key for HMAC, its two first blocks already hashed. Wiped when it is dropped.
#[derive(Clone)]
pub struct HmacKey(HmacContext);

impl HmacKey {
    /// The key that `secret` is, of any length: a longer one than a block is hashed first.
    #[must_use]
    pub fn new(hash: Hash, secret: &[u8]) -> Self {
        Self(HmacContext(State::new(hash, secret)))
    }

    /// The hash function in use.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.0.hash()
    }

    /// The MAC of `data`.
    #[must_use]
    pub fn sign(&self, data: &[u8]) -> Digest {
        let mut context = self.context();
        context.update(data);
        context.finish()
    }

    /// Starts a MAC over data that comes in parts.
    #[must_use]
    pub fn context(&self) -> HmacContext {
        self.0.clone()
    }

    /// Checks that `mac` is the whole MAC of `data`, in constant time.
    ///
    /// # Errors
    ///
    /// It is not, or is cut short.
    pub fn verify(&self, data: &[u8], mac: &[u8]) -> Result<(), MacError> {
        if ct_eq(self.sign(data).as_ref(), mac) { Ok(()) } else { Err(MacError) }
    }
}

impl Debug for HmacKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// A MAC in progress. A clone goes on from the same state.
#[derive(Clone)]
pub struct HmacContext(State);

#[derive(Clone)]
enum State {
    Md5(Hmac<Md5>),
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl State {
    fn new(hash: Hash, secret: &[u8]) -> Self {
        /// HMAC takes a key of any length, so the constructor's error cannot occur; an empty key stands for it.
        fn keyed<M: KeyInit>(secret: &[u8]) -> M {
            M::new_from_slice(secret).unwrap_or_else(|_| M::new(&Default::default()))
        }
        match hash {
            Hash::Md5 => Self::Md5(keyed(secret)),
            Hash::Sha1 => Self::Sha1(keyed(secret)),
            Hash::Sha256 => Self::Sha256(keyed(secret)),
            Hash::Sha384 => Self::Sha384(keyed(secret)),
            Hash::Sha512 => Self::Sha512(keyed(secret)),
        }
    }
}

impl HmacContext {
    const fn hash(&self) -> Hash {
        match self.0 {
            State::Md5(_) => Hash::Md5,
            State::Sha1(_) => Hash::Sha1,
            State::Sha256(_) => Hash::Sha256,
            State::Sha384(_) => Hash::Sha384,
            State::Sha512(_) => Hash::Sha512,
        }
    }

    /// Appends `data`.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Md5(mac) => mac.update(data),
            State::Sha1(mac) => mac.update(data),
            State::Sha256(mac) => mac.update(data),
            State::Sha384(mac) => mac.update(data),
            State::Sha512(mac) => mac.update(data),
        }
    }

    /// The MAC of all data.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Md5(mac) => Digest::copied_from(&mac.finalize().into_bytes()),
            State::Sha1(mac) => Digest::copied_from(&mac.finalize().into_bytes()),
            State::Sha256(mac) => Digest::copied_from(&mac.finalize().into_bytes()),
            State::Sha384(mac) => Digest::copied_from(&mac.finalize().into_bytes()),
            State::Sha512(mac) => Digest::copied_from(&mac.finalize().into_bytes()),
        }
    }
}

impl Debug for HmacContext {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacContext").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// The MAC of the concatenation of `parts` under `secret`.
#[must_use]
pub fn hmac(hash: Hash, secret: &[u8], parts: &[&[u8]]) -> Digest {
    let mut context = HmacKey::new(hash, secret).context();
    parts.iter().for_each(|part| context.update(part));
    context.finish()
}

/// The MAC is not that of the data under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacError;

impl Display for MacError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the MAC is not that of the data")
    }
}

impl Error for MacError {}

#[cfg(test)]
mod tests;
