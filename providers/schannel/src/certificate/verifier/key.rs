//! Public keys, what is weak about them, and the signatures that they check.

use crypto::hash::Hash;
use crypto::public_key::{KeyError, PublicKey, SignatureScheme};

use super::Refusal;
use super::weakness::Weakness;
use crate::certificate::algorithm::{KeySize, key_size, signature_name, signature_scheme};
use crate::certificate::fields::Signed;
use crate::status::CertificateKind;

/// The public key of a certificate.
#[derive(Debug)]
pub(super) struct Key(PublicKey);

/// What is weak about the key in a SubjectPublicKeyInfo.
///
/// # Errors
/// It is so short that no name of a weakness stands for it, or cannot be read.
pub(super) fn weakness_of_key(public_key: &[u8]) -> Result<Option<Weakness>, Refusal> {
    match key_size(public_key)? {
        KeySize::Rsa(bits @ ..512) | KeySize::Dsa(bits @ ..512) => {
            Err(Refusal::new(CertificateKind::Unsupported, format!("a key of {bits} bits")))
        }
        KeySize::Rsa(..768) => Ok(Some(Weakness::Rsa512)),
        KeySize::Rsa(..1024) => Ok(Some(Weakness::Rsa768)),
        KeySize::Rsa(..2048) => Ok(Some(Weakness::Rsa1024)),
        KeySize::Dsa(..1024) => Ok(Some(Weakness::Dsa512)),
        KeySize::Dsa(_) => Ok(Some(Weakness::Dsa)),
        KeySize::Rsa(_) | KeySize::Other => Ok(None),
    }
}

impl Key {
    /// From a SubjectPublicKeyInfo.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_spki_der(der).map(Self)
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

/// What is weak about the way in which something is signed, as far as its algorithm says.
pub(super) fn weakness_of_signature(signed: &Signed<'_>) -> Option<Weakness> {
    weakness_of(signature_scheme(signed.algorithm).ok()??)
}

/// What is weak about a way to sign.
const fn weakness_of(scheme: SignatureScheme) -> Option<Weakness> {
    match scheme.hash() {
        Some(Hash::Md5) => Some(Weakness::Md5Signature),
        Some(Hash::Sha1) => Some(Weakness::Sha1Signature),
        _ => None,
    }
}
