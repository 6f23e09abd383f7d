//! HMAC: message authentication by a hash function.
//!
//! Spec: HMAC.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

use zeroize::Zeroizing;

use crate::constant_time::ct_eq;
use crate::hash::{Digest, Hash, HashContext};

/// A key for HMAC, its two first blocks already hashed. Wiped when it is dropped.
#[derive(Clone)]
pub struct HmacKey(HmacContext);

impl HmacKey {
    /// The key that `secret` is, of any length: a longer one than a block is hashed first.
    #[must_use]
    pub fn new(hash: Hash, secret: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; Hash::MAX_BLOCK_LEN]);
        if secret.len() <= hash.block_len() {
            block.iter_mut().zip(secret).for_each(|(to, from)| *to = *from);
        } else {
            hash.digest(secret).copy_to(&mut block[..]);
        }
        let mut keyed = |pad: u8| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut context = hash.context();
            context.update(block.get(..hash.block_len()).unwrap_or(&block[..]));
            context
        };
        let inner = keyed(INNER_PAD);
        // The inner pad is still in the block.
        let outer = keyed(INNER_PAD ^ OUTER_PAD);
        Self(HmacContext { inner, outer })
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

/// What the key is combined with before the data, and before the hash of these.
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// A MAC in progress. A clone goes on from the same state. Wiped when it is dropped.
#[derive(Clone)]
pub struct HmacContext {
    /// The hash over the inner block of the key, and the data so far.
    inner: HashContext,
    /// The hash over the outer block of the key, which the hash of the inner one follows.
    outer: HashContext,
}

impl HmacContext {
    const fn hash(&self) -> Hash {
        self.inner.hash()
    }

    /// Appends `data`.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// The MAC of all data.
    #[must_use]
    pub fn finish(mut self) -> Digest {
        self.outer.update(self.inner.finish().as_ref());
        self.outer.finish()
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
