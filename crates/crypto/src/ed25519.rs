//! Ed25519: checking signatures.
//!
//! Spec: EDDSA section 5.1.7.

use std::fmt::{self, Debug, Formatter};

use crate::public_key::KeyError;
use crate::signature::VerificationError;

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key that these 32 bytes are. Whether they are a point shows when a signature is checked.
    ///
    /// # Errors
    ///
    /// [`KeyError::Size`] if it is another number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bits = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_mul(8);
        bytes.try_into().map(Self).map_err(|_| KeyError::Size { bits })
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature of `message`.
    ///
    /// # Errors
    ///
    /// [`VerificationError::BadSignature`].
    ///
    /// Spec: EDDSA section 5.1.7.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerificationError> {
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, &self.0)
            .verify(message, signature)
            .map_err(|_| VerificationError::BadSignature)
    }
}

impl Debug for PublicKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(Ed25519)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    /// RFC 8032 section 7.1, TEST 3.
    const KEY: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
    const SIGNATURE: &str = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
                             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

    #[test]
    fn signature_of_rfc_8032_is_accepted_and_no_other() {
        let key = PublicKey::from_bytes(&hex(KEY)).unwrap();
        let signature = hex(SIGNATURE);
        assert_eq!(key.verify(&hex("af82"), &signature), Ok(()));
        assert_eq!(key.verify(&hex("af83"), &signature), Err(VerificationError::BadSignature));
        for index in 0..signature.len() {
            let mut changed = signature.clone();
            changed[index] ^= 1;
            assert_eq!(key.verify(&hex("af82"), &changed), Err(VerificationError::BadSignature), "{index}");
        }
        assert_eq!(key.verify(&hex("af82"), &signature[..63]), Err(VerificationError::BadSignature));
        assert_eq!(PublicKey::from_bytes(&[0; 31]).unwrap_err(), KeyError::Size { bits: 248 });
    }
}
