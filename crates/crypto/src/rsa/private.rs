//! What is done with a private key.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::blinding::Pool;
use super::padding::{self, MIN_PADDING};
use super::{Error, PublicKey, generate};
use crate::asn1::Reader;
use crate::constant_time::Mask;
use crate::hash::Hash;
use crate::modular::{Modulus, Number, Prepared, pow_pair};
use crate::public_key::KeyError;
use crate::random::Random;
use crate::signature::SigningError;
use crate::tls_prf::p_hash;

/// A private key with two primes. A clone shares its numbers, which are zeroized with the last; `Debug` shows its size
/// only.
#[derive(Clone)]
pub struct PrivateKey {
    public: PublicKey,
    secret: Arc<Secret>,
}

struct Secret {
    p: Modulus,
    q: Modulus,
    /// The private exponent modulo p - 1 and q - 1.
    exponents: [Number; 2],
    /// 1/q modulo p.
    q_inverse: Prepared,
    blindings: Pool,
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
        let exponents = p.read(dp).zip(q.read(dq)).ok_or(KeyError::Inconsistent)?;
        let inverse = p.read(q_inverse).ok_or(KeyError::Inconsistent)?;
        if !generate::belong_together(&public, &p, &q, [dp, dq]) || !generate::is_inverse(&p, &q, &inverse) {
            return Err(KeyError::Inconsistent);
        }
        let (exponents, q_inverse) = (exponents.into(), p.prepare(&inverse));
        let secret = Arc::new(Secret { p, q, exponents, q_inverse, blindings: Pool::default() });
        Ok(Self { public, secret })
    }

    /// The two primes, big-endian.
    pub(super) fn primes(&self) -> [&[u8]; 2] {
        [self.secret.p.bytes(), self.secret.q.bytes()]
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
        let number =
            self.public.modulus().read(ciphertext).filter(|_| ciphertext.len() == self.modulus_len());
        let block = self.raw(&number.ok_or(Error::Ciphertext)?, random)?;
        Ok(padding::decrypted(&block, out))
    }

    fn sign(&self, block: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        let number = self.public.modulus().read(block).ok_or(SigningError::KeyDoesNotFit)?;
        match self.raw(&number, random) {
            Ok(signature) => Ok(signature.to_vec()),
            Err(Error::Random) => Err(SigningError::Random),
            Err(_) => Err(SigningError::Fault),
        }
    }

    /// `number` to the private exponent, as long as the modulus.
    fn raw(&self, number: &Number, random: &dyn Random) -> Result<Zeroizing<Vec<u8>>, Error> {
        let n = self.public.modulus();
        let blinding = self.secret.blindings.take(self, random)?;
        let blinded = n.mul_prepared(number, blinding.factor());
        let power = self.power(&blinded, &self.secret.exponents);
        // A fault in one half alone would make the difference to the right result a multiple of the other prime.
        if !self.public.raw(&power).is(&blinded).reveal() {
            return Err(Error::Fault);
        }
        let result = n.mul_prepared(&power, blinding.remover());
        self.secret.blindings.put_back(blinding, n);
        Ok(n.write(&result))
    }

    /// `number` to the power that is the one exponent modulo p - 1 and the other modulo q - 1.
    fn power(&self, number: &Number, [exponent_p, exponent_q]: &[Number; 2]) -> Number {
        #[cfg(test)]
        super::tests::blinding::note(&self.public.modulus().write(number));
        let Secret { p, q, q_inverse, .. } = &*self.secret;
        let (base_p, base_q) = (p.reduce(number), q.reduce(number));
        let [of_p, of_q] = pow_pair([p, q], [&base_p, &base_q], [exponent_p, exponent_q]);
        let h = p.mul_prepared(&p.sub(&of_p, &p.reduce(&of_q)), q_inverse);
        self.public.modulus().fit(&h.product(q.number()).plus(&of_q))
    }

    /// The inverse of `number` modulo n: to the power of p - 2 and q - 2.
    pub(super) fn invert(&self, number: &Number) -> Number {
        self.power(number, &[self.secret.p.inverting_exponent(), self.secret.q.inverting_exponent()])
    }

    /// A number that only who has the key and the seed can know, below the modulus.
    pub(super) fn secret_number(&self, seed: &[u8]) -> Number {
        let n = self.public.modulus();
        // 128 bits more than the modulus has, so that reducing them makes no number likelier than another.
        let mut bytes = Zeroizing::new(vec![0; n.len() + 16]);
        p_hash(Hash::Sha256, self.secret.p.bytes(), &[b"blinding", seed], &mut bytes);
        n.reduce(&Number::from_bytes(&bytes))
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}
