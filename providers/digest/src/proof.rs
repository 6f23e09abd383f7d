//! What is hashed: A1, A2, and the proofs of both ends.
//!
//! Spec: DIGEST (RFC 7616) sections 3.4.1 to 3.4.4; DIGEST (RFC 2831) section 2.1.2.1.

use crypto::hash::Digest;
use sspi_core::{DigestAlgorithm, EntityBody, Secret};
use zeroize::Zeroizing;

use crate::algorithm::{Algorithm, Qop, function, hash_of};
use crate::challenge::Dialect;
use crate::text::hex;

/// H(user `:` realm `:` password): what a server keeps of an account.
///
/// It proves the user like the password does.
#[must_use]
pub fn hashed_a1(algorithm: DigestAlgorithm, user: &[u8], realm: &[u8], password: &[u8]) -> Secret<Vec<u8>> {
    Secret::new(base(algorithm, user, realm, password).as_ref().to_vec())
}

/// H(user `:` realm): what `userhash` sends in place of the name.
#[must_use]
pub fn user_hash(algorithm: DigestAlgorithm, user: &str, realm: &str) -> Vec<u8> {
    hash_of(algorithm, &[user.as_bytes(), realm.as_bytes()]).as_ref().to_vec()
}

pub(crate) fn base(algorithm: DigestAlgorithm, user: &[u8], realm: &[u8], password: &[u8]) -> Digest {
    hash_of(algorithm, &[user, realm, password])
}

/// What goes into the proofs beside the secret and the request.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) algorithm: Algorithm,
    pub(crate) nonce: &'a [u8],
    pub(crate) cnonce: &'a [u8],
    /// The eight digits.
    pub(crate) nonce_count: &'a [u8],
    pub(crate) qop: Qop,
    pub(crate) authzid: Option<&'a [u8]>,
}

impl Inputs<'_> {
    /// H(A1), of H(user `:` realm `:` password).
    ///
    /// The key of a session begins with that hash as hexadecimal digits in HTTP, and with its bytes in SASL.
    pub(crate) fn key(&self, base: &[u8]) -> Zeroizing<Vec<u8>> {
        let hash = self.algorithm.hash;
        let digits;
        let first = match self.dialect {
            Dialect::Http => {
                digits = Zeroizing::new(hex(base));
                digits.as_bytes()
            }
            Dialect::Sasl => base,
        };
        let key = match (self.algorithm.is_session, self.authzid) {
            (false, _) => return Zeroizing::new(base.to_vec()),
            (true, None) => hash_of(hash, &[first, self.nonce, self.cnonce]),
            (true, Some(authzid)) => hash_of(hash, &[first, self.nonce, self.cnonce, authzid]),
        };
        Zeroizing::new(key.as_ref().to_vec())
    }

    /// `response` or `rspauth`: of H(A1) and H(A2).
    pub(crate) fn proof(&self, key: &[u8], a2: &Digest) -> String {
        let (key, a2) = (Zeroizing::new(hex(key)), hex(a2.as_ref()));
        let (key, a2) = (key.as_bytes(), a2.as_bytes());
        let hash = self.algorithm.hash;
        let proof = match self.qop {
            Qop::None => hash_of(hash, &[key, self.nonce, a2]),
            qop => {
                hash_of(hash, &[key, self.nonce, self.nonce_count, self.cnonce, qop.name().as_bytes(), a2])
            }
        };
        hex(proof.as_ref())
    }

    /// H(A2) of a request: of its method (empty for the server's own proof), its URI and the hash of its body.
    pub(crate) fn a2(&self, method: &str, uri: &[u8], body: Option<&[u8]>) -> Digest {
        let (hash, method) = (self.algorithm.hash, method.as_bytes());
        match (self.dialect, self.qop, body) {
            (Dialect::Sasl, Qop::AuthInt | Qop::AuthConf, _) => hash_of(hash, &[method, uri, NO_BODY]),
            (Dialect::Http, Qop::AuthInt, Some(body)) => hash_of(hash, &[method, uri, hex(body).as_bytes()]),
            _ => hash_of(hash, &[method, uri]),
        }
    }
}

/// In place of the hash of a body in SASL.
const NO_BODY: &[u8] = b"00000000000000000000000000000000";

/// The method in SASL.
pub(crate) const AUTHENTICATE: &str = "AUTHENTICATE";

/// H of a body; `None` where the application has it by other hashes only.
pub(crate) fn entity_hash(algorithm: DigestAlgorithm, body: &EntityBody) -> Option<Vec<u8>> {
    match body {
        EntityBody::Bytes(bytes) => Some(function(algorithm).digest(bytes).as_ref().to_vec()),
        EntityBody::Shared(bytes) => Some(function(algorithm).digest(bytes.as_slice()).as_ref().to_vec()),
        EntityBody::Hashes(hashes) => {
            let found =
                hashes.iter().find(|(name, hash)| *name == algorithm && hash.len() == algorithm.output_len());
            found.map(|(_, hash)| hash.clone())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
