//! What is done with a public key.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use super::padding::{self, MIN_PADDING};
use super::{BITS, Error};
use crate::asn1::{Reader, without_leading_zeros};
use crate::constant_time::ct_eq;
use crate::hash::Hash;
use crate::modular::{Modulus, Number};
use crate::public_key::KeyError;
use crate::random::Random;
use crate::signature::VerificationError;

/// A public key: a modulus of 512 to 8192 bits and an odd exponent from 3 to 2^32 - 1.
///
/// A clone shares the modulus.
#[derive(Clone)]
pub struct PublicKey {
    n: Arc<Modulus>,
    e: u32,
    e_bytes: [u8; 4],
}

impl PublicKey {
    /// The key of these two numbers, big-endian.
    ///
    /// # Errors
    ///
    /// [`KeyError::Size`] if one of them is too small or too large, [`KeyError::Inconsistent`] if one is even.
    pub fn from_components(n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let n = without_leading_zeros(n);
        let bits = bit_length(n);
        if !BITS.contains(&bits) {
            return Err(KeyError::Size { bits });
        }
        let e = without_leading_zeros(e);
        if e.len() > 4 {
            return Err(KeyError::Size { bits: bit_length(e) });
        }
        let exponent = e.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
        if exponent < 3 || exponent % 2 == 0 {
            return Err(KeyError::Inconsistent);
        }
        let n = Modulus::new(n).ok_or(KeyError::Inconsistent)?;
        Ok(Self { n: Arc::new(n), e: exponent, e_bytes: exponent.to_be_bytes() })
    }

    /// The key in an `RSAPublicKey`: a SEQUENCE of modulus and exponent.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if it is none in DER, and as [`Self::from_components`].
    ///
    /// Spec: PKCS1 appendix A.1.1.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let (n, e) = (fields.unsigned()?, fields.unsigned()?);
        fields.finish()?;
        Self::from_components(n, e)
    }

    /// The modulus, big-endian, without leading zeros.
    #[must_use]
    pub fn n(&self) -> &[u8] {
        self.n.bytes()
    }

    /// The public exponent, big-endian, without leading zeros.
    #[must_use]
    pub fn e(&self) -> &[u8] {
        without_leading_zeros(&self.e_bytes)
    }

    /// The number of bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.n.bits()
    }

    /// The number of bytes of the modulus, which a signature and a ciphertext have too.
    #[must_use]
    pub fn modulus_len(&self) -> usize {
        self.n.len()
    }

    /// Encrypts `message` with padding of type 2: random bytes that are not zero.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if the message leaves no room for 11 bytes of padding, [`Error::Random`].
    ///
    /// Spec: PKCS1 section 7.2.1.
    pub fn encrypt_pkcs1(&self, message: &[u8], random: &dyn Random) -> Result<Vec<u8>, Error> {
        self.encrypt_pkcs1_ending(message, &[], random)
    }

    /// The same, with padding that ends in `padding_tail`, in which no byte is zero: an SSL 2.0 client that speaks a
    /// newer version too says so in its last eight bytes.
    ///
    /// # Errors
    ///
    /// [`Error::TooLong`] if message and tail leave no room, or the tail has a zero in it, [`Error::Random`].
    ///
    /// Spec: TLS10 appendix E.2.
    pub fn encrypt_pkcs1_ending(
        &self,
        message: &[u8],
        padding_tail: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, Error> {
        let encoded = padding::encryption_block(self.modulus_len(), message, padding_tail, random)?;
        // The first byte of the block is zero, so it is below the modulus.
        let number = self.n.read(&encoded).ok_or(Error::TooLong)?;
        Ok(self.n.write(&self.raw(&number)).to_vec())
    }

    /// Checks a signature of version 1.5. `encoded` is what follows the padding: a [`digest_info`](super::digest_info),
    /// or whatever a protocol signs without one.
    ///
    /// The whole block that the signature must be is made and compared. Nothing in the signature is parsed, so there
    /// is nothing that a forger could hide bytes in (Bleichenbacher 2006, BERserk).
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`], or [`VerificationError::KeyDoesNotFit`] if the key is too short to sign this.
    ///
    /// Spec: PKCS1 section 8.2.2.
    pub fn verify_pkcs1(&self, encoded: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        if encoded.len().saturating_add(3 + MIN_PADDING) > self.modulus_len() {
            return Err(VerificationError::KeyDoesNotFit);
        }
        let expected = padding::signature_block(self.modulus_len(), encoded);
        let found = self.open(signature)?;
        if ct_eq(&found, &expected) { Ok(()) } else { Err(VerificationError::BadSignature) }
    }

    /// Checks a PSS signature of a message whose hash is `digest`: MGF1 with the same hash, salt as long as its output.
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`], or [`VerificationError::KeyDoesNotFit`] if the key is too short for the hash.
    ///
    /// Spec: PKCS1 section 8.1.2.
    pub fn verify_pss(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        let found = self.open(signature)?;
        padding::verify_pss(hash, digest, &found, self.bits())
    }

    /// What a signature holds, as long as the modulus.
    fn open(&self, signature: &[u8]) -> Result<Vec<u8>, VerificationError> {
        let number = self.n.read(signature).filter(|_| signature.len() == self.modulus_len());
        Ok(self.n.write(&self.raw(&number.ok_or(VerificationError::BadSignature)?)).to_vec())
    }

    /// `number` to the public exponent.
    pub(super) fn raw(&self, number: &Number) -> Number {
        self.n.pow_public(number, &self.e_bytes)
    }

    pub(super) fn modulus(&self) -> &Modulus {
        &self.n
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.n() == other.n() && self.e == other.e
    }
}

impl Eq for PublicKey {}

/// The number of bits of a big-endian number without leading zeros.
fn bit_length(number: &[u8]) -> u32 {
    let Some(first) = number.first() else { return 0 };
    u32::try_from(number.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(first.leading_zeros())
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).field("e", &self.e).finish_non_exhaustive()
    }
}
