//! DSA, of hashes that were made elsewhere.
//!
//! Spec: DSS section 4 (FIPS 186-4; 186-5 keeps verification only).

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::asn1::{self, Reader, without_leading_zeros};
use crate::modular::{Modulus, Number};
use crate::nonce::Nonces;
use crate::public_key::KeyError;
use crate::random::Random;
use crate::signature::{SigningError, VerificationError};

/// A public key. A clone shares its numbers.
#[derive(Clone)]
pub struct PublicKey(Arc<Numbers>);

struct Numbers {
    p: Modulus,
    q: Modulus,
    g: Number,
    y: Number,
    g_bytes: Vec<u8>,
    y_bytes: Vec<u8>,
}

impl PublicKey {
    /// The key of these numbers, big-endian: p of 512 to 3072 bits, q of 160 to 256. The standard knows no larger ones, and
    /// whoever shows a key decides how long its signatures take to check.
    ///
    /// # Errors
    ///
    /// [`KeyError::Size`], or [`KeyError::Inconsistent`] if p or q is even, q does not divide p - 1, or g or y is not
    /// between 1 and p - 1, both excluded.
    ///
    /// Spec: DSS section 4.2 (FIPS 186-4).
    pub fn from_components(p: &[u8], q: &[u8], g: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let (p, q) = Modulus::new(p).zip(Modulus::new(q)).ok_or(KeyError::Inconsistent)?;
        if !(512..=3072).contains(&p.bits()) {
            return Err(KeyError::Size { bits: p.bits() });
        }
        if !(160..=256).contains(&q.bits()) {
            return Err(KeyError::Size { bits: q.bits() });
        }
        let mut minus_one = p.bytes().to_vec();
        if let Some(last) = minus_one.last_mut() {
            *last &= 0xFE;
        }
        if !q.reduce(&Number::from_bytes(&minus_one)).is_zero().reveal() {
            return Err(KeyError::Inconsistent);
        }
        let inside = |number: &[u8]| match without_leading_zeros(number) {
            [] | [1] => Err(KeyError::Inconsistent),
            number if number == minus_one => Err(KeyError::Inconsistent),
            number => Ok((p.read(number).ok_or(KeyError::Inconsistent)?, number.to_vec())),
        };
        let ((g, g_bytes), (y, y_bytes)) = (inside(g)?, inside(y)?);
        Ok(Self(Arc::new(Numbers { p, q, g, y, g_bytes, y_bytes })))
    }

    /// The number of bits of p.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.0.p.bits()
    }

    /// p, q, g and y, big-endian, without leading zeros.
    #[must_use]
    pub fn components(&self) -> [&[u8]; 4] {
        [self.0.p.bytes(), self.0.q.bytes(), &self.0.g_bytes, &self.0.y_bytes]
    }

    /// Checks a signature, a DER SEQUENCE of r and s, of a message whose hash is `digest`.
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`].
    ///
    /// Spec: DSS section 4.7 (FIPS 186-4); TLS10 section 4.7.
    pub fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        const BAD: VerificationError = VerificationError::BadSignature;
        let mut outer = Reader::new(signature);
        let mut inside = outer.sequence().map_err(|_| BAD)?;
        let (r, s) = inside.unsigned().and_then(|r| Ok((r, inside.unsigned()?))).map_err(|_| BAD)?;
        inside.finish().and(outer.finish()).map_err(|_| BAD)?;
        self.verify_numbers(digest, r, s)
    }

    /// Checks a signature that is r and s next to each other, each as long as q: so NSS signs in SSL 3.0.
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`].
    pub fn verify_raw(&self, digest: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        let length = self.0.q.len();
        match signature.split_at_checked(length) {
            Some((r, s)) if s.len() == length => self.verify_numbers(digest, r, s),
            _ => Err(VerificationError::BadSignature),
        }
    }

    fn verify_numbers(&self, digest: &[u8], r: &[u8], s: &[u8]) -> Result<(), VerificationError> {
        const BAD: VerificationError = VerificationError::BadSignature;
        let Numbers { p, q, g, y, .. } = &*self.0;
        let (r, s) = q.read(r).zip(q.read(s)).ok_or(BAD)?;
        if (r.is_zero() | s.is_zero()).reveal() {
            return Err(BAD);
        }
        let w = q.prepare(&q.invert_modulo_prime(&s));
        let u1 = q.write(&q.mul_prepared(&self.signed_number(digest), &w));
        let u2 = q.write(&q.mul_prepared(&r, &w));
        let v = p.mul(&p.pow_public(g, &u1), &p.pow_public(y, &u2));
        if q.reduce(&v).is(&r).reveal() { Ok(()) } else { Err(BAD) }
    }

    /// The number that is signed: as many of the leftmost bits of the hash as q has.
    fn signed_number(&self, digest: &[u8]) -> Number {
        let q = &self.0.q;
        q.reduce(&Number::from_bytes(&leftmost(digest, q)))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.components() == other.components()
    }
}

impl Eq for PublicKey {}

/// As many of the leftmost bits of the hash as q has.
fn leftmost(digest: &[u8], q: &Modulus) -> Vec<u8> {
    let length = q.len();
    let cut = digest.get(..length).unwrap_or(digest);
    let unused = match usize::try_from(q.bits()) {
        Ok(bits) if cut.len() == length => length * 8 - bits,
        _ => 0,
    };
    if unused == 0 {
        return cut.to_vec();
    }
    // q's size is not a whole number of bytes: no key is made like this.
    std::iter::once(&0)
        .chain(cut)
        .zip(cut)
        .map(|(high, low)| {
            let [_, low] = ((u16::from(*high) << 8 | u16::from(*low)) >> unused).to_be_bytes();
            low
        })
        .collect()
}

/// A private key. Zeroized on drop; `Debug` shows its size only.
pub struct PrivateKey {
    public: PublicKey,
    x: Number,
}

impl PrivateKey {
    /// The key of these numbers, big-endian. y is computed.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_components`], and [`KeyError::Inconsistent`] if x is zero or not below q.
    pub fn from_components(p: &[u8], q: &[u8], g: &[u8], x: &[u8]) -> Result<Self, KeyError> {
        let (modulus, order) = Modulus::new(p).zip(Modulus::new(q)).ok_or(KeyError::Inconsistent)?;
        let x = order.read(x).filter(|x| !x.is_zero().reveal()).ok_or(KeyError::Inconsistent)?;
        let y = modulus.pow(&modulus.read(g).ok_or(KeyError::Inconsistent)?, &x, order.bits());
        Ok(Self { public: PublicKey::from_components(p, q, g, &modulus.write(&y))?, x })
    }

    /// The key as OpenSSL writes it.
    ///
    /// ```text
    /// SEQUENCE { version 0, p, q, g, y, x }
    /// ```
    pub(crate) fn from_openssl_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        if fields.small()? != 0 {
            return Err(KeyError::Encoding);
        }
        let (p, q, g) = (fields.unsigned()?, fields.unsigned()?, fields.unsigned()?);
        let (y, x) = (fields.unsigned()?, fields.unsigned()?);
        fields.finish()?;
        let key = Self::from_components(p, q, g, x)?;
        if key.public.0.y_bytes == y { Ok(key) } else { Err(KeyError::Inconsistent) }
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message whose hash is `digest`: a DER SEQUENCE of r and s. The nonce is made of key, hash and fresh
    /// randomness; what is computed with it and with the key takes the same time whatever they are.
    ///
    /// # Errors
    ///
    /// [`SigningError::Random`].
    ///
    /// Spec: DSS section 4.6 (FIPS 186-4).
    pub fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        let Numbers { p, q, g, .. } = &*self.public.0;
        let bits = usize::try_from(q.bits()).unwrap_or_default();
        // 64 bits more than q has, so that reducing them makes no nonce likelier than another.
        let mut nonces = Nonces::new(&q.write(&self.x), digest, bits + 64, random)?;
        for _ in 0..8 {
            let k = q.reduce(&Number::from_bytes(&nonces.next()));
            let r = q.reduce(&p.pow(g, &k, q.bits()));
            let s = q.mul(
                &q.invert_modulo_prime(&k),
                &q.add(&self.public.signed_number(digest), &q.mul(&self.x, &r)),
            );
            // One of them is zero once in 2^160, or if q is no prime.
            if !(r.is_zero() | s.is_zero()).reveal() {
                let [r, s] = [r, s].map(|number| asn1::unsigned(&q.write(&number)));
                return Ok(asn1::element(asn1::SEQUENCE, &[&r, &s]));
            }
        }
        Err(SigningError::Random)
    }
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("bits", &self.public.bits()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
