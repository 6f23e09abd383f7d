//! Files with certificates, keys and revocation lists, in PEM or in DER.
//!
//! Spec: PEM.

use std::fmt;

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::der::{Reader, SEQUENCE};

/// Why a file cannot be used. Never holds bytes of the file.
#[derive(Debug)]
pub(crate) enum PemError {
    /// The file has no section of this kind.
    Nothing { what: &'static str },
    /// A section of the file cannot be read.
    Broken { what: &'static str, why: &'static str },
    /// The private key is encrypted.
    Encrypted,
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing { what } => write!(f, "there is no {what} in it, neither in PEM nor in DER"),
            Self::Broken { what, why } => write!(f, "a {what} in it cannot be read: {why}"),
            Self::Encrypted => f.write_str(
                "the private key in it is encrypted; decrypt it first (openssl pkey -in … -out …)",
            ),
        }
    }
}

impl std::error::Error for PemError {}

/// What is wrong with a section, without its bytes: the errors of the library quote lines of the file.
const fn why(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its END line is missing",
        pem::Error::IllegalSectionStart { .. } => "its BEGIN line is malformed",
        pem::Error::Base64Decode(_) => "it is not base64",
        pem::Error::SectionTooLarge => "it is too large",
        _ => "it is not PEM",
    }
}

/// The certificates of a file, in its order: any number in PEM, or one in DER. Other sections are passed over.
///
/// # Errors
/// A section cannot be read, or there is none.
pub(crate) fn certificates(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    sections::<CertificateDer<'static>>(file, "certificate")
}

/// The revocation lists of a file, in its order: any number in PEM, or one in DER.
///
/// # Errors
/// A section cannot be read, or there is none.
pub(crate) fn crls(file: &[u8]) -> Result<Vec<Vec<u8>>, PemError> {
    sections::<CertificateRevocationListDer<'static>>(file, "certificate revocation list")
}

/// A private key in DER. The library's type is not wiped when it is dropped.
pub(crate) type KeyDer = Zeroizing<PrivateKeyDer<'static>>;

/// The first private key of a file: PKCS#8, PKCS#1, SEC1 or OpenSSL's form of DSA keys, in PEM or in DER. The last is of
/// the shape of PKCS#1 and passes for it. The caller wipes the file's bytes.
///
/// # Errors
/// The key cannot be read, or is encrypted, or there is none.
pub(crate) fn private_key(file: &[u8]) -> Result<KeyDer, PemError> {
    const WHAT: &str = "private key";
    if is_der(file) {
        return match PrivateKeyDer::try_from(file) {
            Ok(key) => Ok(Zeroizing::new(key.clone_key())),
            Err(_) => Err(PemError::Broken { what: WHAT, why: "it is neither PKCS#8 nor PKCS#1 nor SEC1" }),
        };
    }
    let has = |line: &[u8]| file.windows(line.len()).any(|window| window == line);
    if has(DSA_KEY) {
        let renamed = Zeroizing::new(
            String::from_utf8_lossy(file).replace("DSA PRIVATE KEY-----", "RSA PRIVATE KEY-----"),
        );
        return private_key(renamed.as_bytes());
    }
    let encrypted = || has(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(b"\nProc-Type: 4,ENCRYPTED");
    match PrivateKeyDer::pem_slice_iter(without_byte_order_mark(file)).next() {
        Some(Ok(key)) => Ok(Zeroizing::new(key)),
        _ if encrypted() => Err(PemError::Encrypted),
        Some(Err(error)) => Err(PemError::Broken { what: WHAT, why: why(&error) }),
        None => Err(PemError::Nothing { what: WHAT }),
    }
}

/// A label that the library does not know.
const DSA_KEY: &[u8] = b"-----BEGIN DSA PRIVATE KEY-----";

fn sections<T: PemObject + AsRef<[u8]>>(file: &[u8], what: &'static str) -> Result<Vec<Vec<u8>>, PemError> {
    if is_der(file) {
        return Ok(vec![file.to_vec()]);
    }
    let sections = T::pem_slice_iter(without_byte_order_mark(file))
        .map(|section| section.map(|der| der.as_ref().to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PemError::Broken { what, why: why(&error) })?;
    if sections.is_empty() { Err(PemError::Nothing { what }) } else { Ok(sections) }
}

/// Whether the file is one SEQUENCE from its first byte to its last.
fn is_der(file: &[u8]) -> bool {
    Reader::inside(file, SEQUENCE, "file").is_ok()
}

/// Editors put a mark before the first line, which then would not begin with `-----BEGIN`: the first certificate of the
/// file, which is the leaf, would be passed over.
fn without_byte_order_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file)
}
