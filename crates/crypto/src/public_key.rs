//! Public keys of any kind, as certificates carry them.
//!
//! Spec: X509 section 4.1.2.7; PKIX-ALGORITHMS (RFC 3279) section 2.3; EC-KEYS (RFC 5480); EDDSA-KEYS (RFC 8410).

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use crate::asn1::{NULL, NotDer, OBJECT_IDENTIFIER, Reader};
use crate::ecdsa::Curve;
pub use crate::signature::SignatureScheme;
use crate::signature::VerificationError;
use crate::{dsa, ecdsa, ed25519, rsa};

/// A public key. A clone shares its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// RSA.
    Rsa(rsa::PublicKey),
    /// DSA.
    Dsa(dsa::PublicKey),
    /// ECDSA.
    Ecdsa(ecdsa::PublicKey),
    /// Ed25519.
    Ed25519(ed25519::PublicKey),
}

impl PublicKey {
    /// The key in a `SubjectPublicKeyInfo`.
    ///
    /// ```text
    /// SEQUENCE { SEQUENCE { algorithm, parameters }, BIT STRING }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with it: [`KeyError`] says.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let mut algorithm = fields.sequence()?;
        let key = fields.bit_string()?;
        fields.finish()?;
        match Algorithm::read(&mut algorithm)? {
            Algorithm::Rsa => rsa::PublicKey::from_pkcs1_der(key).map(Self::Rsa),
            Algorithm::Dsa([p, q, g]) => {
                let mut key = Reader::new(key);
                let y = key.unsigned()?;
                key.finish()?;
                dsa::PublicKey::from_components(p, q, g, y).map(Self::Dsa)
            }
            Algorithm::Ecdsa(curve) => ecdsa::PublicKey::from_point(curve, key).map(Self::Ecdsa),
            Algorithm::Ed25519 => ed25519::PublicKey::from_bytes(key).map(Self::Ed25519),
        }
    }

    /// The size of the key in bits: of the modulus, of p, or of the curve.
    #[must_use]
    pub fn bits(&self) -> u32 {
        match self {
            Self::Rsa(key) => key.bits(),
            Self::Dsa(key) => key.bits(),
            Self::Ecdsa(key) => key.curve().bits(),
            Self::Ed25519(_) => 256,
        }
    }

    /// What the kind of key is called: `RSA`, `DSA`, `ECDSA` or `Ed25519`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::Dsa(_) => "DSA",
            Self::Ecdsa(_) => "ECDSA",
            Self::Ed25519(_) => "Ed25519",
        }
    }

    /// Checks a signature of `message`. Whether key and hash are strong enough is for the caller to say.
    ///
    /// # Errors
    ///
    /// [`VerificationError::KeyDoesNotFit`] if the key is of another kind than the scheme or too short for it,
    /// [`VerificationError::BadSignature`].
    pub fn verify(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), VerificationError> {
        match (self, scheme.hash()) {
            (Self::Ed25519(key), None) => key.verify(message, signature),
            (_, Some(hash)) => self.verify_digest(scheme, hash.digest(message).as_ref(), signature),
            (_, None) => Err(VerificationError::KeyDoesNotFit),
        }
    }

    /// Checks a signature of a message whose hash, the scheme's, is `digest`. Ed25519 takes messages only.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`].
    pub fn verify_digest(
        &self,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), VerificationError> {
        match (self, scheme) {
            (Self::Rsa(key), SignatureScheme::RsaPkcs1(hash)) => {
                key.verify_pkcs1(&rsa::digest_info(hash, digest), signature)
            }
            (Self::Rsa(key), SignatureScheme::RsaPss(hash)) => key.verify_pss(hash, digest, signature),
            (Self::Dsa(key), SignatureScheme::Dsa(_)) => key.verify(digest, signature),
            (Self::Ecdsa(key), SignatureScheme::Ecdsa(_)) => key.verify(digest, signature),
            _ => Err(VerificationError::KeyDoesNotFit),
        }
    }
}

/// What an `AlgorithmIdentifier` says of a key, public or private.
pub(crate) enum Algorithm<'a> {
    Rsa,
    Dsa([&'a [u8]; 3]),
    Ecdsa(Curve),
    Ed25519,
}

impl<'a> Algorithm<'a> {
    /// Reads the inside of an `AlgorithmIdentifier`, all of it.
    pub(crate) fn read(fields: &mut Reader<'a>) -> Result<Self, KeyError> {
        let algorithm = match fields.element(OBJECT_IDENTIFIER)? {
            // 1.2.840.113549.1.1.1, and 2.5.8.1.1 of X.500, which old certificates have.
            [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01] | [0x55, 0x08, 0x01, 0x01] => {
                // NULL, or the modulus size for the old one, or nothing.
                if fields.peek() == Some(NULL) {
                    fields.element(NULL)?;
                } else if !fields.is_empty() {
                    fields.unsigned()?;
                }
                Self::Rsa
            }
            // 1.2.840.10040.4.1, and 1.3.14.3.2.12 of the OSI Implementors' Workshop.
            [0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x01] | [0x2B, 0x0E, 0x03, 0x02, 0x0C] => {
                // Without parameters they are those of the issuer's key, which nobody does.
                let mut numbers = fields.sequence().map_err(|NotDer| KeyError::MissingParameters)?;
                let (p, q, g) = (numbers.unsigned()?, numbers.unsigned()?, numbers.unsigned()?);
                numbers.finish()?;
                Self::Dsa([p, q, g])
            }
            // 1.2.840.10045.2.1
            [0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01] => {
                let curve = fields.element(OBJECT_IDENTIFIER).map_err(|NotDer| KeyError::UnsupportedCurve)?;
                Self::Ecdsa(Curve::from_object_identifier(curve).ok_or(KeyError::UnsupportedCurve)?)
            }
            // 1.3.101.112
            [0x2B, 0x65, 0x70] => Self::Ed25519,
            _ => return Err(KeyError::UnsupportedAlgorithm),
        };
        fields.finish()?;
        Ok(algorithm)
    }
}

/// Why bytes or numbers are no key that can be used, or no key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// It is not the DER of a key.
    Encoding,
    /// It is a key of an algorithm that is not here.
    UnsupportedAlgorithm,
    /// It is a key on a curve that is not here.
    UnsupportedCurve,
    /// The group or the curve is not said.
    MissingParameters,
    /// One of its numbers has too few or too many bits.
    Size {
        /// So many.
        bits: u32,
    },
    /// Its numbers do not belong together, or are none that a key can have.
    Inconsistent,
    /// The source of random bytes has failed.
    Random,
}

impl From<NotDer> for KeyError {
    fn from(NotDer: NotDer) -> Self {
        Self::Encoding
    }
}

impl From<crate::random::RandomError> for KeyError {
    fn from(_: crate::random::RandomError) -> Self {
        Self::Random
    }
}

impl Display for KeyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding => f.write_str("not the DER encoding of a key"),
            Self::UnsupportedAlgorithm => f.write_str("a key of an unsupported algorithm"),
            Self::UnsupportedCurve => f.write_str("a key on an unsupported curve"),
            Self::MissingParameters => f.write_str("the key does not say its group or curve"),
            Self::Size { bits } => write!(f, "the key has a number of {bits} bits, which is out of bounds"),
            Self::Inconsistent => f.write_str("the numbers of the key do not belong together"),
            Self::Random => Display::fmt(&crate::random::RandomError, f),
        }
    }
}

impl Error for KeyError {}

#[cfg(test)]
mod tests;
