//! Private keys of any kind, as key files carry them.
//!
//! Spec: PKCS8 section 2; PKCS1 appendix A.1.2; EC-PRIVATE-KEY (RFC 5915) section 3; PKIX-ALGORITHMS (RFC 3279).

use crate::asn1::{self, Reader};
use crate::public_key::{Algorithm, PublicKey};
pub use crate::public_key::{KeyError, SignatureScheme};
use crate::random::Random;
use crate::signature::SigningError;
use crate::{dsa, ecdsa, rsa};

/// A private key. Zeroized on drop; `Debug` shows its kind and size only.
#[derive(Debug)]
#[non_exhaustive]
pub enum PrivateKey {
    /// RSA.
    Rsa(rsa::PrivateKey),
    /// DSA.
    Dsa(dsa::PrivateKey),
    /// ECDSA.
    Ecdsa(ecdsa::PrivateKey),
}

impl PrivateKey {
    /// The key in any of the forms that are in use, not encrypted, by what it looks like:
    ///
    /// ```text
    /// PKCS #8          SEQUENCE { 0 or 1, AlgorithmIdentifier, OCTET STRING, .. }
    /// SEC1             SEQUENCE { 1, OCTET STRING, .. }
    /// PKCS #1          SEQUENCE { 0, eight INTEGERs }
    /// OpenSSL's DSA    SEQUENCE { 0, five INTEGERs }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with it: [`KeyError`] says.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let mut outer = Reader::new(der);
        let mut fields = outer.sequence()?;
        outer.finish()?;
        let version = fields.small()?;
        match fields.peek() {
            Some(asn1::SEQUENCE) if version <= 1 => Self::from_pkcs8(&mut fields),
            Some(asn1::OCTET_STRING) => ecdsa::PrivateKey::from_sec1_der(der, None).map(Self::Ecdsa),
            Some(asn1::INTEGER) => {
                let mut integers = 0;
                while fields.peek() == Some(asn1::INTEGER) {
                    fields.unsigned()?;
                    integers += 1;
                }
                match integers {
                    5 => dsa::PrivateKey::from_openssl_der(der).map(Self::Dsa),
                    _ => rsa::PrivateKey::from_pkcs1_der(der).map(Self::Rsa),
                }
            }
            _ => Err(KeyError::Encoding),
        }
    }

    /// What follows the version. Attributes and the public key may follow the key; they are not read.
    fn from_pkcs8(fields: &mut Reader<'_>) -> Result<Self, KeyError> {
        let mut algorithm = fields.sequence()?;
        let key = fields.element(asn1::OCTET_STRING)?;
        match Algorithm::read(&mut algorithm)? {
            Algorithm::Rsa => rsa::PrivateKey::from_pkcs1_der(key).map(Self::Rsa),
            Algorithm::Dsa([p, q, g]) => {
                let mut key = Reader::new(key);
                let x = key.unsigned()?;
                key.finish()?;
                dsa::PrivateKey::from_components(p, q, g, x).map(Self::Dsa)
            }
            Algorithm::Ecdsa(curve) => ecdsa::PrivateKey::from_sec1_der(key, Some(curve)).map(Self::Ecdsa),
            Algorithm::Ed25519 => Err(KeyError::UnsupportedAlgorithm),
        }
    }

    /// The public key; it shares the numbers.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Rsa(key) => PublicKey::Rsa(key.public_key().clone()),
            Self::Dsa(key) => PublicKey::Dsa(key.public_key().clone()),
            Self::Ecdsa(key) => PublicKey::Ecdsa(key.public_key().clone()),
        }
    }

    /// Signs `message`.
    ///
    /// # Errors
    ///
    /// [`SigningError::KeyDoesNotFit`] if the key is of another kind than the scheme or too short for it, and what the
    /// kind of key says.
    pub fn sign(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SigningError> {
        let hash = scheme.hash().ok_or(SigningError::KeyDoesNotFit)?;
        self.sign_digest(scheme, hash.digest(message).as_ref(), random)
    }

    /// Signs a message whose hash, the scheme's, is `digest`.
    ///
    /// # Errors
    ///
    /// As [`Self::sign`].
    pub fn sign_digest(
        &self,
        scheme: SignatureScheme,
        digest: &[u8],
        random: &dyn Random,
    ) -> Result<Vec<u8>, SigningError> {
        match (self, scheme) {
            (Self::Rsa(key), SignatureScheme::RsaPkcs1(hash)) => {
                key.sign_pkcs1(&rsa::digest_info(hash, digest), random)
            }
            (Self::Rsa(key), SignatureScheme::RsaPss(hash)) => key.sign_pss(hash, digest, random),
            (Self::Dsa(key), SignatureScheme::Dsa(_)) => key.sign(digest, random),
            (Self::Ecdsa(key), SignatureScheme::Ecdsa(_)) => key.sign(digest, random),
            _ => Err(SigningError::KeyDoesNotFit),
        }
    }
}

#[cfg(test)]
mod tests;
