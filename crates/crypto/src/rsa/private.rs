//! What is done with a private key.

use std::fmt::{self, Debug, Formatter};

use zeroize::Zeroizing;

use super::padding::{self, MIN_PADDING};
use super::{Error, PublicKey, generate};
use crate::asn1::Reader;
use crate::constant_time::{Mask, ct_eq};
use crate::hash::Hash;
use crate::modulus::Modulus;
use crate::public_key::KeyError;
use crate::random::Random;
use crate::signature::SigningError;

/// A private key with two primes. Zeroized on drop; `Debug` shows its size only.
pub struct PrivateKey {
    public: PublicKey,
    p: Modulus,
    q: Modulus,
    dp: Zeroizing<Vec<u8>>,
    dq: Zeroizing<Vec<u8>>,
    q_inverse: Zeroizing<Vec<u8>>,
}

/// What [`PrivateKey::decrypt_pkcs1`] found out, as masks. Whoever branches on one of them tells the peer.
#[derive(Clone, Copy, Debug)]
pub struct Decrypted {
    /// The padding was right, so the output is what was encrypted.
    pub good: Mask,
    /// The last eight bytes of the padding were all 3, whatever else is right or wrong.
    ///
    /// Spec: TLS10 appendix E.2.
    pub last8_are_3: Mask,
}

impl PrivateKey {
    /// The key in an `RSAPrivateKey`.
    ///
    /// ```text
    /// SEQUENCE { version 0, n, e, d, p, q, d mod (p-1), d mod (q-1), q^-1 mod p }
    /// ```
    ///
    /// # Errors
    ///
    /// [`KeyError::Encoding`] if it is none in DER or has more than two primes, [`KeyError::Size`],
    /// [`KeyError::Inconsistent`] if the numbers do not belong together.
    ///
    /// Spec: PKCS1 appendix A.1.2.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        if fields.small()? != 0 {
            return Err(KeyError::Encoding);
        }
        let (n, e, _d) = (fields.unsigned()?, fields.unsigned()?, fields.unsigned()?);
        let (p, q) = (fields.unsigned()?, fields.unsigned()?);
        let (dp, dq, q_inverse) = (fields.unsigned()?, fields.unsigned()?, fields.unsigned()?);
        fields.finish()?;
        Self::from_parts(PublicKey::from_components(n, e)?, p, q, [dp, dq, q_inverse])
    }

    /// A new key of so many bits, with public exponent 65537: what a server that must speak an export suite encrypts
    /// under for an hour.
    ///
    /// # Errors
    ///
    /// [`KeyError::Size`] if `bits` is not from 512 to 8192 or is odd, [`KeyError::Random`] if the source fails, or
    /// yields no prime in many times what should be enough.
    ///
    /// Spec: DSS appendix B.3.3 (FIPS 186-4) is what the primes follow.
    pub fn generate(bits: usize, random: &dyn Random) -> Result<Self, KeyError> {
        generate::generate(bits, random)
    }

    pub(super) fn from_parts(
        public: PublicKey,
        p: &[u8],
        q: &[u8],
        [dp, dq, q_inverse]: [&[u8]; 3],
    ) -> Result<Self, KeyError> {
        let (p, q) = Modulus::new(p).zip(Modulus::new(q)).ok_or(KeyError::Inconsistent)?;
        let padded = |number: &[u8], modulus: &Modulus| {
            let missing = modulus.len().checked_sub(number.len()).ok_or(KeyError::Inconsistent)?;
            let mut padded = Zeroizing::new(vec![0; modulus.len()]);
            padded.iter_mut().skip(missing).zip(number).for_each(|(to, byte)| *to = *byte);
            Ok::<_, KeyError>(padded)
        };
        let (dp, dq, q_inverse) = (padded(dp, &p)?, padded(dq, &q)?, padded(q_inverse, &p)?);
        let key = Self { public, p, q, dp, dq, q_inverse };
        if key.is_consistent() { Ok(key) } else { Err(KeyError::Inconsistent) }
    }

    /// Whether the numbers belong together.
    fn is_consistent(&self) -> bool {
        generate::belong_together(&self.public, &self.p, &self.q, [&self.dp, &self.dq, &self.q_inverse])
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The number of bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.public.bits()
    }

    /// The number of bytes of the modulus.
    #[must_use]
    pub fn modulus_len(&self) -> usize {
        self.public.modulus_len()
    }

    /// Signs `encoded` with padding of type 1: a [`digest_info`](super::digest_info), or whatever a protocol signs
    /// without one.
    ///
    /// # Errors
    ///
    /// [`SigningError::KeyDoesNotFit`] if it leaves no room for 11 bytes of padding, [`SigningError::Random`],
    /// [`SigningError::Fault`].
    ///
    /// Spec: PKCS1 section 8.2.1.
    pub fn sign_pkcs1(&self, encoded: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        if encoded.len().saturating_add(3 + MIN_PADDING) > self.modulus_len() {
            return Err(SigningError::KeyDoesNotFit);
        }
        self.sign(&padding::signature_block(self.modulus_len(), encoded), random)
    }

    /// Makes a PSS signature of a message whose hash is `digest`: MGF1 with the same hash, salt as long as its output.
    ///
    /// # Errors
    ///
    /// [`SigningError::KeyDoesNotFit`] if the key is too short for the hash, [`SigningError::Random`],
    /// [`SigningError::Fault`].
    ///
    /// Spec: PKCS1 section 8.1.1.
    pub fn sign_pss(&self, hash: Hash, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        self.sign(&padding::pss_block(hash, digest, self.bits(), random)?, random)
    }

    /// Decrypts a message of version 1.5 that must be exactly as long as `out`. If it is not, or its padding is wrong
    /// in any way, `out` keeps what it held, and nothing else differs: fill it with random bytes before, go on with
    /// what it holds after, and a peer cannot tell (implicit rejection, against Bleichenbacher 1998 and ROBOT).
    ///
    /// # Errors
    ///
    /// For what everyone can see, and for failures of ours: [`Error::Ciphertext`] if it is not as long as the modulus
    /// or not below it, [`Error::TooLong`] if no message of this length fits under the key, [`Error::Random`],
    /// [`Error::Fault`].
    ///
    /// Spec: PKCS1 section 7.2.2; TLS12 section 7.4.7.1.
    pub fn decrypt_pkcs1(
        &self,
        ciphertext: &[u8],
        out: &mut [u8],
        random: &dyn Random,
    ) -> Result<Decrypted, Error> {
        if out.len().saturating_add(3 + MIN_PADDING) > self.modulus_len() {
            return Err(Error::TooLong);
        }
        if ciphertext.len() != self.modulus_len() || !self.public.modulus().exceeds(ciphertext) {
            return Err(Error::Ciphertext);
        }
        let block = self.raw(ciphertext, random)?;
        Ok(padding::decrypted(&block, out))
    }

    fn sign(&self, block: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        match self.raw(block, random) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(Error::Random) => Err(SigningError::Random),
            Err(_) => Err(SigningError::Fault),
        }
    }

    /// `number`, which is below the modulus, to the private exponent.
    fn raw(&self, number: &[u8], random: &dyn Random) -> Result<Zeroizing<Vec<u8>>, Error> {
        let n = self.public.modulus();
        let mut r = Zeroizing::new(vec![0; n.len()]);
        random.fill(&mut r)?;
        let r = n.reduce(&r);
        let r_inverse = n.invert(&r).ok_or(Error::Random)?;
        let blinded = n.mul(number, &self.public.raw(&r));

        let m1 = self.p.pow(&self.p.reduce(&blinded), &self.dp);
        let m2 = self.q.pow(&self.q.reduce(&blinded), &self.dq);
        let h = self.p.mul(&self.q_inverse, &self.p.sub(&m1, &self.p.reduce(&m2)));
        let m = n.add(&m2, &n.mul(&h, self.q.bytes()));

        if !ct_eq(&self.public.raw(&m), &blinded) {
            return Err(Error::Fault);
        }
        Ok(n.mul(&m, &r_inverse))
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}
