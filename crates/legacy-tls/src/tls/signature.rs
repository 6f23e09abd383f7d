//! Signatures of ServerKeyExchange and CertificateVerify.

use std::fmt::{self, Debug, Formatter};

use crypto::hash::Hash;
use crypto::private_key::PrivateKey;
use crypto::public_key::{PublicKey, SignatureScheme as Algorithm};
use crypto::random::Random;
use crypto::signature::VerificationError;

use crate::config::Policy;
use crate::error::{Error, Incompatible, Misbehaved};
use crate::tls::versions::Rules;

/// A signature algorithm of TLS 1.2 as on the wire: hash and signature, or one number for both.
///
/// Spec: TLS12 section 7.4.1.4.1; TLS13 section 4.2.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignatureScheme(pub u16);

impl SignatureScheme {
    /// Those that nobody has broken, the preferred one first.
    pub const STRONG: &'static [Self] = &[
        Self(0x0403),
        Self(0x0503),
        Self(0x0807),
        Self(0x0804),
        Self(0x0805),
        Self(0x0806),
        Self(0x0401),
        Self(0x0501),
        Self(0x0601),
        Self(0x0603),
    ];

    /// DSA with SHA-2, which the suites with `DHE_DSS` need in TLS 1.2.
    pub const DSA: &'static [Self] = &[Self(0x0402), Self(0x0502), Self(0x0602)];

    /// SHA-1, whose collisions are practical.
    pub const SHA1: &'static [Self] = &[Self(0x0203), Self(0x0201), Self(0x0202)];

    /// The algorithm, if there is one here.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        let (high, low) = ((self.0 >> 8) as u8, (self.0 & 0xff) as u8);
        match (high, low) {
            (8, 4) => return Some(Algorithm::RsaPss(Hash::Sha256)),
            (8, 5) => return Some(Algorithm::RsaPss(Hash::Sha384)),
            (8, 6) => return Some(Algorithm::RsaPss(Hash::Sha512)),
            (8, 7) => return Some(Algorithm::Ed25519),
            _ => {}
        }
        let hash = match high {
            1 => Hash::Md5,
            2 => Hash::Sha1,
            4 => Hash::Sha256,
            5 => Hash::Sha384,
            6 => Hash::Sha512,
            _ => return None,
        };
        match low {
            1 => Some(Algorithm::RsaPkcs1(hash)),
            2 => Some(Algorithm::Dsa(hash)),
            3 => Some(Algorithm::Ecdsa(hash)),
            _ => None,
        }
    }

    /// Whether a private key can sign so. A modulus must have room for hash and salt of PSS.
    fn suits(self, key: &PrivateKey) -> bool {
        match (self.algorithm(), key) {
            (Some(Algorithm::RsaPss(hash)), PrivateKey::Rsa(key)) => {
                key.modulus_len() >= 2 * hash.output_len() + 2
            }
            (Some(Algorithm::RsaPkcs1(hash)), PrivateKey::Rsa(key)) => {
                key.modulus_len() >= hash.output_len() + 30
            }
            (Some(Algorithm::Dsa(_)), PrivateKey::Dsa(_)) => true,
            (Some(Algorithm::Ecdsa(_)), PrivateKey::Ecdsa(_)) => true,
            _ => false,
        }
    }

    /// The first of ours that the peer has and `key` can do.
    pub(crate) fn choose(policy: &Policy, peer: Option<&[u16]>, key: &PrivateKey) -> Result<Self, Error> {
        // Without the extension it is SHA-1. Spec: TLS12 section 7.4.1.4.1.
        let peer = peer.unwrap_or(&[0x0201, 0x0202, 0x0203]);
        let mut ours = policy.signature_schemes.iter().copied();
        ours.find(|scheme| peer.contains(&scheme.0) && scheme.suits(key))
            .ok_or_else(|| Incompatible::NoSignatureScheme { peer: peer.to_vec() }.into())
    }
}

impl Debug for SignatureScheme {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// What is signed.
pub(crate) enum Content<'a> {
    /// MD5 and SHA-1, one behind the other: RSA signs both without DigestInfo, DSA and ECDSA sign SHA-1.
    ///
    /// Spec: TLS10 section 4.7.
    Md5AndSha1([u8; 36]),
    /// The message, and the algorithm that is named beside the signature.
    ///
    /// Spec: TLS12 section 4.7.
    Message(SignatureScheme, &'a [u8]),
}

impl Content<'_> {
    /// MD5 and SHA-1 of the concatenation of `parts`.
    pub(crate) fn md5_and_sha1(parts: &[&[u8]]) -> Self {
        let (mut md5, mut sha1) = (Hash::Md5.context(), Hash::Sha1.context());
        for part in parts {
            md5.update(part);
            sha1.update(part);
        }
        let mut out = [0; 36];
        let (md5, sha1) = (md5.finish(), sha1.finish());
        let both = md5.as_ref().iter().chain(sha1.as_ref());
        out.iter_mut().zip(both).for_each(|(to, from)| *to = *from);
        Self::Md5AndSha1(out)
    }
}

/// SHA-1 of the two.
fn sha1(both: &[u8; 36]) -> &[u8] {
    both.get(16..).unwrap_or_default()
}

pub(crate) fn sign(key: &PrivateKey, content: &Content<'_>, random: &dyn Random) -> Result<Vec<u8>, Error> {
    let failed = |_| Error::Internal("our private key could not sign");
    match content {
        Content::Md5AndSha1(both) => match key {
            PrivateKey::Rsa(key) => key.sign_pkcs1(both, random).map_err(failed),
            PrivateKey::Dsa(key) => key.sign(sha1(both), random).map_err(failed),
            PrivateKey::Ecdsa(key) => key.sign(sha1(both), random).map_err(failed),
            _ => Err(Error::Internal("a private key of a kind that these versions do not have")),
        },
        Content::Message(scheme, message) => {
            let scheme = scheme.algorithm().ok_or(Error::Internal("an unknown signature algorithm"))?;
            key.sign(scheme, message, random).map_err(failed)
        }
    }
}

/// Checks a signature as the version has it; `what` is what is signed, for the error.
pub(crate) fn verify(
    rules: &Rules,
    key: &PublicKey,
    content: &Content<'_>,
    signature: &[u8],
    what: &'static str,
) -> Result<(), Error> {
    let good = match content {
        Content::Md5AndSha1(both) => match key {
            PublicKey::Rsa(key) => key.verify_pkcs1(both, signature).is_ok(),
            PublicKey::Dsa(key) => {
                let is_raw = || rules.has_raw_dsa && key.verify_raw(sha1(both), signature).is_ok();
                key.verify(sha1(both), signature).is_ok() || is_raw()
            }
            PublicKey::Ecdsa(key) => key.verify(sha1(both), signature).is_ok(),
            _ => return Err(Misbehaved::WrongCertificateType.into()),
        },
        Content::Message(scheme, message) => {
            let unknown = Misbehaved::SignatureNotOffered(scheme.0);
            let algorithm = scheme.algorithm().ok_or(unknown)?;
            match key.verify(algorithm, message, signature) {
                // Spec: TLS12 sections 7.4.3 and 7.4.8: the algorithm "MUST be compatible" with the key.
                Err(VerificationError::KeyDoesNotFit) => {
                    return Err(Misbehaved::IllegalParameter("a signature algorithm of another key").into());
                }
                verified => verified.is_ok(),
            }
        }
    };
    if good { Ok(()) } else { Err(Misbehaved::BadSignature(what).into()) }
}
