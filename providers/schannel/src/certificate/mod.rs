//! Certificates, read: what they say, and the bytes that others need of them.
//!
//! Nothing here trusts anything but `verifier`, which decides whether a peer's certificate is accepted.
//!
//! | what | where |
//! |---|---|
//! | whether a peer's certificate is accepted | `verifier.rs` |
//! | a certificate in words and numbers | `summary.rs` |
//! | whose account it says that it is for | `identity.rs` |
//! | lists of revoked certificates, and when they are read again | `crl_files.rs` |
//! | files in PEM or DER | `pem.rs` |
//! | stapled OCSP answers | `ocsp.rs` |
//! | the fields, names, times and algorithms | `fields.rs`, `name.rs`, `time.rs`, `algorithm.rs` |
//! | DER | `der.rs` |

mod algorithm;
pub(crate) mod crl_files;
mod der;
mod fields;
pub(crate) mod identity;
mod name;
mod ocsp;
#[cfg(test)]
pub(crate) mod ocsp_tests;
pub(crate) mod pem;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
mod time;
pub(crate) mod verifier;

use std::time::SystemTime;

use crypto::hash::Hash;

pub use algorithm::EndPointHash;
pub use der::{DecodeError, Problem};
use fields::Certificate;
pub(crate) use name::harmless;

/// Whether subject and issuer of the certificate are the same name, as they are in a root. What cannot be read is not.
#[must_use]
pub fn is_self_issued(certificate: &[u8]) -> bool {
    Certificate::from_der_or_loose(certificate).is_ok_and(|fields| fields.subject == fields.issuer)
}

/// The hash of the certificate for the channel binding tls-server-end-point: the one of its signatureAlgorithm, and
/// SHA-256 in place of MD5 and SHA-1.
///
/// SHA-256 is also the answer where the specification has none: for an algorithm without a hash of its own, as Ed25519,
/// for one that is not known here, for SHA-224, and for a certificate that cannot be read.
///
/// Spec: BINDING (RFC 5929 section 4.1).
#[must_use]
pub fn end_point_hash(certificate: &[u8]) -> EndPointHash {
    let known = Certificate::from_der_or_loose(certificate)
        .and_then(|fields| algorithm::end_point_hash(fields.signed.algorithm));
    known.ok().flatten().unwrap_or(EndPointHash::Sha256)
}

/// The subject of the certificate as a Name in DER; `None` if the certificate cannot be read.
#[must_use]
pub fn subject_der(certificate: &[u8]) -> Option<&[u8]> {
    Some(Certificate::from_der_or_loose(certificate).ok()?.subject)
}

/// The issuer of the certificate as a Name in DER; `None` if the certificate cannot be read.
#[must_use]
pub fn issuer_der(certificate: &[u8]) -> Option<&[u8]> {
    Some(Certificate::from_der_or_loose(certificate).ok()?.issuer)
}

/// The certificate's SubjectPublicKeyInfo in DER; `None` if the certificate cannot be read.
#[must_use]
pub fn public_key_der(certificate: &[u8]) -> Option<&[u8]> {
    Some(Certificate::from_der_or_loose(certificate).ok()?.public_key)
}

/// The bits of the certificate's RSA key; `None` if it has another, or cannot be read.
pub(crate) fn rsa_bits(certificate: &[u8]) -> Option<u32> {
    match algorithm::key_size(public_key_der(certificate)?).ok()? {
        algorithm::KeySize::Rsa(bits) => u32::try_from(bits).ok(),
        _ => None,
    }
}

/// The certificates in a file, PEM or DER, in their order.
///
/// # Errors
/// What cannot be read, in words.
pub fn read_certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    pem::certificates(file).map_err(|error| error.to_string())
}

/// When the certificate is valid: notBefore and notAfter, both included.
pub(crate) fn validity(certificate: &[u8]) -> Result<(SystemTime, SystemTime), DecodeError> {
    Certificate::from_der_or_loose(certificate).map(|fields| (fields.not_before, fields.not_after))
}

/// Whether the certificate, once it is trusted, may issue others: it says so, or it is of version 1 and cannot say it.
pub(crate) fn may_issue(certificate: &[u8]) -> Result<bool, DecodeError> {
    Certificate::from_der(certificate)?.may_issue()
}

/// Whether the certificate's key may sign handshakes, by its own word. What cannot be read says nothing.
pub(crate) fn may_sign(certificate: &[u8]) -> bool {
    Certificate::from_der_or_loose(certificate).and_then(|fields| fields.may_sign()).unwrap_or(true)
}

/// The same of decrypting the keys of handshakes.
pub(crate) fn may_decrypt(certificate: &[u8]) -> bool {
    Certificate::from_der_or_loose(certificate).and_then(|fields| fields.may_decrypt()).unwrap_or(true)
}

/// thisUpdate and nextUpdate of a certificate revocation list in DER.
pub(crate) fn crl_times(list: &[u8]) -> Result<(SystemTime, SystemTime), DecodeError> {
    fields::crl_times(list)
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(Hash::Sha256.digest(bytes).as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// The SubjectPublicKeyInfo of a certificate with an RSA key.
pub(crate) fn rsa_key_of(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der_or_loose(der).ok()?;
    let is_rsa = algorithm::key_name(certificate.public_key).is_ok_and(|name| name.starts_with("RSA"));
    is_rsa.then(|| certificate.public_key.to_vec())
}
