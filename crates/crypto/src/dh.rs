//! Diffie-Hellman over the integers modulo a prime: groups, and keys that are used once.
//!
//! Spec: DH-KEYS (RFC 2631) section 2.1; TLS10 section 8.1.2; FFDHE.

mod groups;

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

pub use groups::{FFDHE2048, FFDHE3072, FFDHE4096, MODP_1024, MODP_1536, MODP_2048};
use zeroize::Zeroizing;

use crate::asn1::without_leading_zeros;
use crate::modular::{Modulus, Number};
use crate::public_key::KeyError;
use crate::random::Random;
pub use crate::secret::{AgreementError, SharedSecret};

/// A prime and a generator. A clone shares both.
#[derive(Clone)]
pub struct Group(Arc<Parts>);

struct Parts {
    p: Modulus,
    g: Number,
    g_bytes: Vec<u8>,
}

impl Group {
    /// The group of a peer. That p is a prime, and g generates much of the group, is not checked: whoever sends the
    /// parameters can as well give the secret away.
    ///
    /// # Errors
    ///
    /// [`KeyError::Size`] if p has not 512 to 8192 bits, [`KeyError::Inconsistent`] if p is even, or g not between 1
    /// and p - 1, both excluded.
    pub fn from_components(p: &[u8], g: &[u8]) -> Result<Self, KeyError> {
        let modulus = Modulus::new(p).ok_or(KeyError::Inconsistent)?;
        if !(512..=8192).contains(&modulus.bits()) {
            return Err(KeyError::Size { bits: modulus.bits() });
        }
        let generator = inside(&modulus, g).ok_or(KeyError::Inconsistent)?;
        Ok(Self(Arc::new(Parts { p: modulus, g: generator, g_bytes: without_leading_zeros(g).to_vec() })))
    }

    /// The prime, big-endian, without leading zeros.
    #[must_use]
    pub fn p(&self) -> &[u8] {
        self.0.p.bytes()
    }

    /// The generator, big-endian, without leading zeros.
    #[must_use]
    pub fn g(&self) -> &[u8] {
        &self.0.g_bytes
    }

    /// The number of bits of the prime.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.0.p.bits()
    }

    /// The number of bits of a private exponent: twice the strength of the group, and more than RFC 7919 asks for.
    fn exponent_bits(&self) -> u32 {
        match self.bits() {
            0..=2048 => 256,
            2049..=3072 => 320,
            3073..=4096 => 384,
            _ => 512,
        }
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.p() == other.p() && self.g() == other.g()
    }
}

impl Eq for Group {}

impl Debug for Group {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

/// The number, if it is between 1 and p - 1, both excluded.
fn inside(p: &Modulus, number: &[u8]) -> Option<Number> {
    let number = without_leading_zeros(number);
    let mut minus_one = p.bytes().to_vec();
    if let Some(last) = minus_one.last_mut() {
        *last &= 0xFE;
    }
    p.read(number).filter(|_| !matches!(number, [] | [1]) && number != minus_one)
}

/// A private exponent and its public value, for one handshake. Zeroized on drop.
pub struct EphemeralKey {
    group: Group,
    exponent: Number,
    public: Vec<u8>,
}

impl EphemeralKey {
    /// Draws an exponent of 256 bits or more.
    ///
    /// # Errors
    ///
    /// [`AgreementError::Random`].
    pub fn generate(group: &Group, random: &dyn Random) -> Result<Self, AgreementError> {
        let mut exponent = Zeroizing::new([0; 64]);
        let length = usize::try_from(group.exponent_bits() / 8).unwrap_or(exponent.len());
        let exponent = exponent.get_mut(..length).unwrap_or_default();
        random.fill(exponent)?;
        let Parts { p, g, .. } = &*group.0;
        let exponent = Number::from_bytes(exponent);
        let public = p.write(&p.pow(g, &exponent, group.exponent_bits())).to_vec();
        Ok(Self { group: group.clone(), exponent, public })
    }

    /// The group.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// The public value, big-endian, as long as the prime: leading zeros are kept, since there are peers that count.
    #[must_use]
    pub fn public_value(&self) -> Vec<u8> {
        self.public.clone()
    }

    /// The secret shared with the owner of `peer`, **without** its leading zeros, as SSL and TLS up to 1.2 use it.
    ///
    /// Stripping the zeros shows how many there were, by the length that is hashed (Raccoon). This key is therefore
    /// not to be used for a second handshake, and a server that has it generates a new one for each.
    ///
    /// # Errors
    ///
    /// [`AgreementError::PublicValue`] if `peer` is not between 1 and p - 1, both excluded.
    ///
    /// Spec: TLS10 section 8.1.2.
    pub fn agree(&self, peer: &[u8]) -> Result<SharedSecret, AgreementError> {
        let p = &self.group.0.p;
        let peer = inside(p, peer).ok_or(AgreementError::PublicValue)?;
        let secret = p.write(&p.pow(&peer, &self.exponent, self.group.exponent_bits()));
        match without_leading_zeros(&secret) {
            // A peer of small order, in a group of its own making.
            [] | [1] => Err(AgreementError::PublicValue),
            stripped => Ok(SharedSecret::new(Zeroizing::new(stripped.to_vec()))),
        }
    }
}

impl Debug for EphemeralKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("EphemeralKey").field("group", &self.group).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
