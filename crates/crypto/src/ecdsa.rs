//! ECDSA over P-256, P-384 and P-521, of hashes that were made elsewhere.
//!
//! A hash longer than the curve's order is cut, a shorter one is taken as it is: TLS 1.0 signs SHA-1 with any curve.
//!
//! Spec: DSS section 6; ECC section 5.4.

use std::fmt::{self, Debug, Formatter};

use ecdsa_core::EcdsaCurve;
use ecdsa_core::hazmat::sign_prehashed;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::elliptic_curve::array::ArraySize;
use p256::elliptic_curve::{CurveArithmetic, NonZeroScalar, PrimeField};
use zeroize::{Zeroize, Zeroizing};

use crate::asn1::{self, Reader};
use crate::nonce::Nonces;
use crate::public_key::KeyError;
use crate::random::Random;
use crate::signature::{SigningError, VerificationError};

/// A curve of FIPS 186.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// P-256, secp256r1.
    P256,
    /// P-384, secp384r1.
    P384,
    /// P-521, secp521r1.
    P521,
}

impl Curve {
    /// The number of bits of the order, which is the size of a key.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// The number that TLS gives it.
    ///
    /// Spec: ECC section 5.1.1.
    #[must_use]
    pub const fn code_point(self) -> u16 {
        match self {
            Self::P256 => 23,
            Self::P384 => 24,
            Self::P521 => 25,
        }
    }

    /// The curve of an OBJECT IDENTIFIER, given by its content.
    ///
    /// Spec: EC-KEYS (RFC 5480) section 2.1.1.1.
    pub(crate) const fn from_object_identifier(content: &[u8]) -> Option<Self> {
        match content {
            // 1.2.840.10045.3.1.7
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07] => Some(Self::P256),
            // 1.3.132.0.34 and .35
            [0x2B, 0x81, 0x04, 0x00, 0x22] => Some(Self::P384),
            [0x2B, 0x81, 0x04, 0x00, 0x23] => Some(Self::P521),
            _ => None,
        }
    }

    /// The number of bytes of a coordinate, and of r and of s.
    const fn len(self) -> usize {
        self.bits().div_ceil(8) as usize
    }
}

/// A public key: a point of one of the curves.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Point);

#[derive(Clone, PartialEq, Eq)]
enum Point {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// The point of `curve` that these bytes are: 04, x and y, or 02 or 03 and x.
    ///
    /// # Errors
    ///
    /// [`KeyError::Inconsistent`] if they are no point of the curve.
    ///
    /// Spec: EC-KEYS (RFC 5480) section 2.2.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        const BAD: KeyError = KeyError::Inconsistent;
        Ok(Self(match curve {
            Curve::P256 => Point::P256(p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BAD)?),
            Curve::P384 => Point::P384(p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BAD)?),
            Curve::P521 => Point::P521(p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(|_| BAD)?),
        }))
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Point::P256(_) => Curve::P256,
            Point::P384(_) => Curve::P384,
            Point::P521(_) => Curve::P521,
        }
    }

    /// The point: 04, x and y.
    #[must_use]
    pub fn point(&self) -> Vec<u8> {
        match &self.0 {
            Point::P256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Point::P384(key) => key.to_sec1_point(false).as_bytes().to_vec(),
            Point::P521(key) => key.to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    /// Checks a signature, a DER SEQUENCE of r and s, of a message whose hash is `digest`.
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`].
    ///
    /// Spec: DSS section 6.4.2; ECC section 5.4.
    pub fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        const BAD: VerificationError = VerificationError::BadSignature;
        let signature = fixed(signature, self.curve().len()).ok_or(BAD)?;
        let digest = leftmost(digest, self.curve());
        match &self.0 {
            Point::P256(key) => p256::ecdsa::Signature::from_slice(&signature)
                .and_then(|signature| key.verify_prehash(&digest, &signature)),
            Point::P384(key) => p384::ecdsa::Signature::from_slice(&signature)
                .and_then(|signature| key.verify_prehash(&digest, &signature)),
            Point::P521(key) => p521::ecdsa::Signature::from_slice(&signature)
                .and_then(|signature| key.verify_prehash(&digest, &signature)),
        }
        .map_err(|_| BAD)
    }
}

/// r and s next to each other, each `len` bytes.
fn fixed(signature: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut outer = Reader::new(signature);
    let mut inside = outer.sequence().ok()?;
    let (r, s) = (inside.unsigned().ok()?, inside.unsigned().ok()?);
    inside.finish().and(outer.finish()).ok()?;
    let mut fixed = vec![0; len.checked_sub(r.len())?];
    fixed.extend_from_slice(r);
    fixed.resize((2 * len).checked_sub(s.len())?, 0);
    fixed.extend_from_slice(s);
    Some(fixed)
}

/// The number that is signed, of a hash of any length, as a number of the curve's size: the leftmost bits if the hash
/// is longer, with zeros before it if it is shorter.
fn leftmost(digest: &[u8], curve: Curve) -> Vec<u8> {
    let len = curve.len();
    let cut = digest.get(..len).unwrap_or(digest);
    let mut number = vec![0; len - cut.len()];
    number.extend_from_slice(cut);
    number
}

/// A private key. Zeroized on drop; `Debug` shows its curve only.
pub struct PrivateKey {
    scalar: Scalar,
    public: PublicKey,
}

enum Scalar {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
    P521(Box<p521::ecdsa::SigningKey>),
}

impl PrivateKey {
    /// The key whose secret number, big-endian, is `scalar`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Inconsistent`] if it is zero or not below the order of the curve.
    pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, KeyError> {
        const BAD: KeyError = KeyError::Inconsistent;
        let mut bytes = Zeroizing::new(vec![0; curve.len()]);
        let missing = curve.len().checked_sub(scalar.len()).ok_or(BAD)?;
        bytes.iter_mut().skip(missing).zip(scalar).for_each(|(to, byte)| *to = *byte);
        let (scalar, public) = match curve {
            Curve::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(&bytes).map_err(|_| BAD)?;
                let public = Point::P256(*key.verifying_key());
                (Scalar::P256(Box::new(key)), public)
            }
            Curve::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(&bytes).map_err(|_| BAD)?;
                let public = Point::P384(*key.verifying_key());
                (Scalar::P384(Box::new(key)), public)
            }
            Curve::P521 => {
                let key = p521::ecdsa::SigningKey::from_slice(&bytes).map_err(|_| BAD)?;
                let public = Point::P521(*key.verifying_key());
                (Scalar::P521(Box::new(key)), public)
            }
        };
        Ok(Self { scalar, public: PublicKey(public) })
    }

    /// The key in an `ECPrivateKey`; `curve` is what stands around it, if anything does.
    ///
    /// Spec: EC-PRIVATE-KEY (RFC 5915) section 3.
    pub(crate) fn from_sec1_der(der: &[u8], curve: Option<Curve>) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        if fields.small()? != 1 {
            return Err(KeyError::Encoding);
        }
        let scalar = fields.element(asn1::OCTET_STRING)?;
        let mut named = curve;
        if fields.peek() == Some(asn1::CONTEXT_0) {
            let mut parameters = Reader::new(fields.element(asn1::CONTEXT_0)?);
            let found = parameters
                .element(asn1::OBJECT_IDENTIFIER)
                .ok()
                .and_then(Curve::from_object_identifier)
                .ok_or(KeyError::UnsupportedCurve)?;
            if curve.is_some_and(|curve| curve != found) {
                return Err(KeyError::Inconsistent);
            }
            named = Some(found);
        }
        // The public key may follow. It is computed from the scalar instead of believed.
        Self::from_scalar(named.ok_or(KeyError::MissingParameters)?, scalar)
    }

    /// The public key.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message whose hash is `digest`: a DER SEQUENCE of r and s. The nonce is made of key, hash and fresh
    /// randomness, so that neither a broken source nor a fault alone gives the key away.
    ///
    /// # Errors
    ///
    /// [`SigningError::Random`].
    ///
    /// Spec: DSS section 6.4.1; RFC6979 section 3.6.
    pub fn sign(&self, digest: &[u8], random: &dyn Random) -> Result<Vec<u8>, SigningError> {
        let digest = leftmost(digest, self.public.curve());
        let fixed = match &self.scalar {
            Scalar::P256(key) => signed(key.as_nonzero_scalar(), &digest, 256, random)?,
            Scalar::P384(key) => signed(key.as_nonzero_scalar(), &digest, 384, random)?,
            Scalar::P521(key) => signed(key.as_nonzero_scalar(), &digest, 521, random)?,
        };
        let (r, s) = fixed.split_at(fixed.len() / 2);
        Ok(asn1::element(asn1::SEQUENCE, &[&asn1::unsigned(r), &asn1::unsigned(s)]))
    }
}

/// r and s next to each other.
fn signed<C: EcdsaCurve + CurveArithmetic>(
    scalar: &NonZeroScalar<C>,
    digest: &[u8],
    bits: usize,
    random: &dyn Random,
) -> Result<Vec<u8>, SigningError>
where
    ecdsa_core::SignatureSize<C>: ArraySize,
{
    let secret = Zeroizing::new(scalar.to_repr().to_vec());
    let mut nonces = Nonces::new(&secret, digest, bits, random)?;
    // A nonce is refused if it is not below the order, or if r or s would be zero: once in 2^32 for P-256.
    for _ in 0..8 {
        let Ok(mut nonce) = NonZeroScalar::<C>::try_from(nonces.next().as_slice()) else { continue };
        let signature = sign_prehashed(scalar, &nonce, digest);
        nonce.zeroize();
        if let Ok((signature, _)) = signature {
            return Ok(signature.to_bytes().to_vec());
        }
    }
    Err(SigningError::Random)
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("curve", &self.curve()).finish_non_exhaustive()
    }
}

impl Debug for PrivateKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("curve", &self.public.curve()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
