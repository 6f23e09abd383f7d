//! Public keys, what is weak about them, and the signatures that they check.

use crypto::hash::Hash;
use crypto::public_key::{KeyError, PublicKey, SignatureScheme};

use super::Refusal;
use super::weakness::Weakness;
use crate::certificate::algorithm::{signature_name, signature_scheme};
use crate::status::CertificateKind;

/// The public key of a certificate.
#[derive(Debug)]
pub(super) struct Key(PublicKey);

/// Something that was signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) message: &'a [u8],
    /// The content of an AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl Key {
    /// From a SubjectPublicKeyInfo.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_spki_der(der).map(Self)
    }

    /// What is weak about the key. `crypto` has none of less than 512 bits, and no curve below P-256.
    pub(super) fn weakness(&self) -> Option<Weakness> {
        match (&self.0, self.0.bits()) {
            (PublicKey::Rsa(_), ..768) => Some(Weakness::Rsa512),
            (PublicKey::Rsa(_), ..1024) => Some(Weakness::Rsa768),
            (PublicKey::Rsa(_), ..2048) => Some(Weakness::Rsa1024),
            (PublicKey::Dsa(_), ..1024) => Some(Weakness::Dsa512),
            (PublicKey::Dsa(_), _) => Some(Weakness::Dsa),
            _ => None,
        }
    }

    /// Checks a signature, and says what is weak about it.
    ///
    /// # Errors
    /// The signature is wrong, or of an algorithm that is not supported.
    pub(super) fn verify(&self, signed: &Signed<'_>) -> Result<Option<Weakness>, Refusal> {
        let Some(scheme) = signature_scheme(signed.algorithm)? else {
            let name = signature_name(signed.algorithm).unwrap_or_default();
            return Err(Refusal::new(
                CertificateKind::Unsupported,
                format!("the signature algorithm {name}"),
            ));
        };
        let right = self.0.verify(scheme, signed.message, signed.signature);
        right.map_err(|error| Refusal::new(CertificateKind::BadSignature, error.to_string()))?;
        Ok(weakness_of(scheme))
    }
}

/// What is weak about a way to sign.
const fn weakness_of(scheme: SignatureScheme) -> Option<Weakness> {
    match scheme.hash() {
        Some(Hash::Md5) => Some(Weakness::Md5Signature),
        Some(Hash::Sha1) => Some(Weakness::Sha1Signature),
        _ => None,
    }
}
