//! What signatures have in common: the names of their schemes, and how they fail.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use crate::hash::Hash;
use crate::random::RandomError;

/// A way to sign.
///
/// ECDSA and DSA name no curve and no group: those belong to the key.
///
/// Spec: TLS12 section 7.4.1.4.1; TLS13 section 4.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5 over a DigestInfo.
    RsaPkcs1(Hash),
    /// RSASSA-PSS, MGF1 with the same hash, salt as long as its output.
    RsaPss(Hash),
    /// DSA; the signature is a DER SEQUENCE of r and s.
    Dsa(Hash),
    /// ECDSA; the signature is a DER SEQUENCE of r and s.
    Ecdsa(Hash),
    /// Ed25519, over the message itself.
    Ed25519,
}

impl SignatureScheme {
    /// The hash that the message goes through first; Ed25519 has none that is of use outside.
    #[must_use]
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Self::RsaPkcs1(hash) | Self::RsaPss(hash) | Self::Dsa(hash) | Self::Ecdsa(hash) => Some(hash),
            Self::Ed25519 => None,
        }
    }
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerificationError {
    /// It is not this key's signature of this message.
    BadSignature,
    /// The key is of another kind than the scheme, or too short for it.
    KeyDoesNotFit,
}

impl Display for VerificationError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSignature => "the signature is wrong",
            Self::KeyDoesNotFit => "the key does not fit the signature scheme",
        })
    }
}

impl Error for VerificationError {}

/// Why nothing was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningError {
    /// The key is of another kind than the scheme, or too short for what it is to sign.
    KeyDoesNotFit,
    /// The source of random bytes has failed.
    Random,
    /// The result did not verify: the key is inconsistent, or the computation went wrong. Nothing of it is released,
    /// since it could give the key away.
    Fault,
}

impl From<RandomError> for SigningError {
    fn from(RandomError: RandomError) -> Self {
        Self::Random
    }
}

impl Display for SigningError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyDoesNotFit => f.write_str("the key does not fit what it is to sign"),
            Self::Random => Display::fmt(&RandomError, f),
            Self::Fault => f.write_str("the signature that was computed is wrong"),
        }
    }
}

impl Error for SigningError {}
