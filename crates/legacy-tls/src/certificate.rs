//! Certificates as the engine sees them: a chain with its key, and a judge from outside.

use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

use crypto::private_key::PrivateKey;
use crypto::public_key::PublicKey;
use wire::{DecodeError, Reader};

use crate::tls::alert::AlertDescription;

/// A chain of ours and its private key.
pub struct Identity {
    chain: Vec<Vec<u8>>,
    key: PrivateKey,
    names: Vec<String>,
    ocsp_response: Option<Vec<u8>>,
}

impl Identity {
    /// The identity of `chain` (DER, leaf first) and the key of its leaf. `names` are those that a server is chosen by:
    /// host names, a leftmost `*` standing for one label.
    ///
    /// # Errors
    ///
    /// The chain is empty, its leaf cannot be read, or the key is not the leaf's; the sentence says which.
    pub fn new(chain: Vec<Vec<u8>>, key: PrivateKey, names: Vec<String>) -> Result<Self, &'static str> {
        let leaf = chain.first().ok_or("the chain has no certificate")?;
        let public = public_key(leaf).map_err(|_| "the key in the certificate cannot be read")?;
        if public != key.public_key() {
            return Err("the private key is not that of the certificate");
        }
        Ok(Self { chain, key, names, ocsp_response: None })
    }

    /// The same with an OCSP response that is stapled where a client asks for one.
    #[must_use]
    pub fn with_ocsp_response(mut self, response: Vec<u8>) -> Self {
        self.ocsp_response = Some(response);
        self
    }

    /// The chain, leaf first, each in DER.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The OCSP response to staple.
    #[must_use]
    pub fn ocsp_response(&self) -> Option<&[u8]> {
        self.ocsp_response.as_deref()
    }

    pub(crate) const fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// Whether it has `name`, which is in lower case.
    pub(crate) fn serves(&self, name: &str) -> bool {
        self.names.iter().any(|own| {
            own.eq_ignore_ascii_case(name)
                || own.strip_prefix("*.").is_some_and(|parent| {
                    name.split_once('.').is_some_and(|(_label, rest)| rest.eq_ignore_ascii_case(parent))
                })
        })
    }
}

impl Debug for Identity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("names", &self.names).finish_non_exhaustive()
    }
}

/// What a peer showed, for a judge.
#[derive(Clone, Copy, Debug)]
pub struct PeerCertificate<'a> {
    /// The chain, leaf first, each in DER. Never empty.
    pub chain: &'a [Vec<u8>],
    /// The name that a client wants its server to have; `None` for a server's clients.
    pub server_name: Option<&'a str>,
    /// The stapled OCSP response; empty where there is none.
    pub ocsp_response: &'a [u8],
    /// The certificate was judged before, in the handshake whose session is resumed now.
    pub resumed: bool,
}

/// Judges the peer's certificate. The engine itself trusts nothing: it only checks that the peer has the key.
pub trait CertificateVerifier: Send + Sync {
    /// Accepts or refuses.
    ///
    /// # Errors
    ///
    /// Refused, with the alert that says so to the peer.
    fn verify(&self, peer: &PeerCertificate<'_>) -> Result<(), CertificateRefused>;
}

/// A certificate that was refused.
#[derive(Clone)]
pub struct CertificateRefused {
    /// What the peer is told.
    pub alert: AlertDescription,
    /// The judge's own reason.
    pub reason: Arc<dyn StdError + Send + Sync>,
}

impl Debug for CertificateRefused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRefused")
            .field("alert", &self.alert)
            .field("reason", &self.reason)
            .finish()
    }
}

impl Display for CertificateRefused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.reason, f)
    }
}

impl StdError for CertificateRefused {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.reason)
    }
}

/// The key in a certificate of X.509 version 1 or 3.
///
/// ```text
/// Certificate     SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
/// TBSCertificate  SEQUENCE { [0] version?, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, ... }
/// ```
///
/// Spec: X509 section 4.1.
pub(crate) fn public_key(certificate: &[u8]) -> Result<PublicKey, DecodeError> {
    const FIELD: &str = "Certificate.subjectPublicKeyInfo";
    let mut fields = tbs_certificate(certificate)?;
    // serialNumber, signature, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        element(&mut fields, tag)?;
    }
    let key = element(&mut fields, SEQUENCE)?;
    PublicKey::from_spki_der(key.whole).map_err(|_| DecodeError::illegal(FIELD))
}

/// The issuer's name in a certificate, as it is encoded.
///
/// Spec: X509 section 4.1.2.4.
pub(crate) fn issuer(certificate: &[u8]) -> Result<&[u8], DecodeError> {
    let mut fields = tbs_certificate(certificate)?;
    for tag in [INTEGER, SEQUENCE] {
        element(&mut fields, tag)?;
    }
    Ok(element(&mut fields, SEQUENCE)?.whole)
}

/// Whether a certificate says what its key is for, and signing anything but certificates and lists is not among it.
///
/// What cannot be read says nothing: that is for whoever judges the certificate.
///
/// ```text
/// issuerUniqueID   [1], subjectUniqueID [2]      OPTIONAL
/// extensions       [3] SEQUENCE OF Extension     OPTIONAL
/// Extension        SEQUENCE { extnID, critical BOOLEAN?, extnValue OCTET STRING }
/// KeyUsage         BIT STRING, digitalSignature the first bit, keyEncipherment the third
/// ```
///
/// Spec: X509 section 4.2.1.3.
pub(crate) fn forbids_signing(certificate: &[u8]) -> bool {
    const DIGITAL_SIGNATURE: u8 = 0x80;
    forbids(certificate, DIGITAL_SIGNATURE)
}

/// The same of the decryption of keys: what a premaster secret is encrypted for.
pub(crate) fn forbids_decryption(certificate: &[u8]) -> bool {
    const KEY_ENCIPHERMENT: u8 = 0x80 >> 2;
    forbids(certificate, KEY_ENCIPHERMENT)
}

fn forbids(certificate: &[u8], usage: u8) -> bool {
    match key_usage(certificate) {
        Ok(Some([_unused, first, ..])) => first & usage == 0,
        Ok(Some(_)) => true,
        Ok(None) | Err(_) => false,
    }
}

/// The content of keyUsage's BIT STRING.
fn key_usage(certificate: &[u8]) -> Result<Option<&[u8]>, DecodeError> {
    let mut fields = tbs_certificate(certificate)?;
    // serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        element(&mut fields, tag)?;
    }
    let next = |fields: &Reader<'_>| fields.clone().u8("TBSCertificate").ok();
    while let Some(tag @ 0x81..=0x82 | tag @ 0xa1..=0xa2) = next(&fields) {
        element(&mut fields, tag)?;
    }
    if fields.is_empty() {
        return Ok(None);
    }
    let mut tagged = Reader::new(element(&mut fields, EXTENSIONS)?.content);
    let mut list = Reader::new(element(&mut tagged, SEQUENCE)?.content);
    while !list.is_empty() {
        let mut extension = Reader::new(element(&mut list, SEQUENCE)?.content);
        let kind = element(&mut extension, OBJECT_IDENTIFIER)?.content;
        if next(&extension) == Some(BOOLEAN) {
            element(&mut extension, BOOLEAN)?;
        }
        let mut value = Reader::new(element(&mut extension, OCTET_STRING)?.content);
        if kind == KEY_USAGE {
            return element(&mut value, BIT_STRING).map(|bits| Some(bits.content));
        }
    }
    Ok(None)
}

/// 2.5.29.15.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];

/// The fields of a TBSCertificate from the serial number on.
fn tbs_certificate(certificate: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut outer = Reader::new(certificate);
    let mut certificate = Reader::new(element(&mut outer, SEQUENCE)?.content);
    let mut fields = Reader::new(element(&mut certificate, SEQUENCE)?.content);
    if fields.clone().u8("TBSCertificate.version")? == EXPLICIT_VERSION {
        element(&mut fields, EXPLICIT_VERSION)?;
    }
    Ok(fields)
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// One element of DER. Spec: X690 section 8.1.
fn element<'a>(reader: &mut Reader<'a>, expected: u8) -> Result<Element<'a>, DecodeError> {
    const FIELD: &str = "Certificate";
    let start = reader.clone();
    if reader.u8(FIELD)? != expected {
        return Err(DecodeError::illegal(FIELD));
    }
    let length = match reader.u8(FIELD)? {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x83 => {
            let bytes = reader.take(FIELD, usize::from(long & 0x7f))?;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return Err(DecodeError::illegal(FIELD)),
    };
    let content = reader.take(FIELD, length)?;
    let header = start.remaining() - reader.remaining() - length;
    let mut whole = start;
    Ok(Element { whole: whole.take(FIELD, header + length)?, content })
}
