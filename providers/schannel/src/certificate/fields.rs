//! The fields of a certificate, each as the bytes that it is.
//!
//! Spec: X509 section 4.1.

use std::time::SystemTime;

use super::der::{
    self, BIT_STRING, BOOLEAN, DecodeError, Encoding, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader,
    SEQUENCE,
};
use super::time::time;

/// subjectAltName, 2.5.29.17.
pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
/// keyUsage, 2.5.29.15.
pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
/// basicConstraints, 2.5.29.19.
pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
/// extKeyUsage, 2.5.29.37.
pub(super) const EXT_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
/// anyExtendedKeyUsage, 2.5.29.37.0.
pub(super) const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];

/// A certificate of any version, with its outer shape checked and nothing judged.
///
/// ```text
/// Certificate     tbsCertificate, signatureAlgorithm, signatureValue
/// tbsCertificate  [0] version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo,
///                 [1] issuerUniqueID, [2] subjectUniqueID, [3] extensions
/// ```
#[derive(Clone, Copy, Debug)]
pub(super) struct Certificate<'a> {
    /// How it was read.
    pub(super) encoding: Encoding,
    /// 1, 2 or 3.
    pub(super) version: u8,
    /// The number's content: big-endian, two's complement.
    pub(super) serial: &'a [u8],
    /// A Name, whole.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
    /// A Name, whole.
    pub(super) subject: &'a [u8],
    /// SubjectPublicKeyInfo, whole.
    pub(super) public_key: &'a [u8],
    /// The content of the list; empty without any.
    extensions: &'a [u8],
    /// tbsCertificate, signatureAlgorithm and signatureValue.
    pub(super) signed: Signed<'a>,
    /// The content of tbsCertificate.signature, which says again how it is signed.
    pub(super) signed_algorithm: &'a [u8],
}

/// Something that was signed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    pub(super) message: &'a [u8],
    /// The content of an AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, DecodeError> {
        Self::from(der, Encoding::Der)
    }

    /// A certificate in what old ones have in place of DER.
    pub(super) fn from_loose(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::from(bytes, Encoding::Loose)
    }

    /// The one or the other; the error is that of DER.
    pub(super) fn from_der_or_loose(der: &'a [u8]) -> Result<Self, DecodeError> {
        Self::from_der(der).or_else(|error| Self::from_loose(der).map_err(|_| error))
    }

    fn from(der: &'a [u8], encoding: Encoding) -> Result<Self, DecodeError> {
        let mut certificate = Reader::inside_of(der, SEQUENCE, "Certificate", encoding)?;
        let message = certificate.expect(SEQUENCE, "Certificate.tbsCertificate")?;
        let algorithm = certificate.expect(SEQUENCE, "Certificate.signatureAlgorithm")?.content;
        let signature = certificate.bit_string("Certificate.signatureValue")?;
        certificate.finish("Certificate")?;

        let mut tbs = certificate.within(message.content);
        let version = match tbs.optional(der::constructed(0), "TBSCertificate.version")? {
            None => 1,
            Some([INTEGER, 1, number @ 0..=2]) => number + 1,
            Some(_) => return Err(DecodeError::value("TBSCertificate.version")),
        };
        let serial = tbs.expect(INTEGER, "TBSCertificate.serialNumber")?.content;
        let signed_algorithm = tbs.expect(SEQUENCE, "TBSCertificate.signature")?.content;
        let issuer = tbs.expect(SEQUENCE, "TBSCertificate.issuer")?.whole;
        let mut validity = tbs.nested(SEQUENCE, "TBSCertificate.validity")?;
        let not_before = time(&mut validity, "Validity.notBefore")?;
        let not_after = time(&mut validity, "Validity.notAfter")?;
        validity.finish("TBSCertificate.validity")?;
        let subject = tbs.expect(SEQUENCE, "TBSCertificate.subject")?.whole;
        let public_key = tbs.expect(SEQUENCE, "TBSCertificate.subjectPublicKeyInfo")?.whole;
        tbs.optional(der::primitive(1), "TBSCertificate.issuerUniqueID")?;
        tbs.optional(der::primitive(2), "TBSCertificate.subjectUniqueID")?;
        let extensions = match tbs.optional(der::constructed(3), "TBSCertificate.extensions")? {
            Some(tagged) => {
                let mut tagged = tbs.within(tagged);
                let list = tagged.expect(SEQUENCE, "TBSCertificate.extensions")?.content;
                tagged.finish("TBSCertificate.extensions")?;
                list
            }
            None => &[],
        };
        tbs.finish("TBSCertificate")?;
        Ok(Self {
            encoding,
            version,
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            public_key,
            extensions,
            signed: Signed { message: message.whole, algorithm, signature },
            signed_algorithm,
        })
    }

    /// The extensions, one after the other; empty without any.
    pub(super) const fn extensions(&self) -> Reader<'a> {
        Reader::of(self.extensions, self.encoding)
    }

    /// The value of the extension of this kind: what its OCTET STRING holds.
    pub(super) fn extension(&self, kind: &[u8]) -> Result<Option<&'a [u8]>, DecodeError> {
        let mut list = self.extensions();
        while !list.is_empty() {
            let extension = Extension::read(&mut list)?;
            if extension.kind == kind {
                return Ok(Some(extension.value));
            }
        }
        Ok(None)
    }

    /// cA of basicConstraints; `None` without the extension.
    ///
    /// Spec: X509 section 4.2.1.9.
    pub(super) fn is_ca(&self) -> Result<Option<bool>, DecodeError> {
        let Some(value) = self.extension(BASIC_CONSTRAINTS)? else { return Ok(None) };
        let mut constraints = Reader::inside_of(value, SEQUENCE, "BasicConstraints", self.encoding)?;
        let ca = constraints.optional(BOOLEAN, "BasicConstraints.cA")?;
        Ok(Some(ca.is_some_and(|content| content.iter().any(|byte| *byte != 0))))
    }

    /// Whether the certificate, once it is trusted, may issue others: it says so in basicConstraints or, without these, in
    /// keyUsage, or it is of version 1 and cannot say anything.
    ///
    /// Spec: X509 sections 4.2.1.3 and 4.2.1.9.
    pub(super) fn may_issue(&self) -> Result<bool, DecodeError> {
        const KEY_CERT_SIGN: u8 = 0x80 >> 5;
        if let Some(is_ca) = self.is_ca()? {
            return Ok(is_ca);
        }
        let usage = self.key_usage()?;
        Ok(usage.map_or(self.version == 1, |usage| usage & KEY_CERT_SIGN != 0))
    }

    /// Whether the key may sign handshakes: the certificate says so, or says nothing of its key's use.
    ///
    /// Spec: X509 section 4.2.1.3.
    pub(super) fn may_sign(&self) -> Result<bool, DecodeError> {
        const DIGITAL_SIGNATURE: u8 = 0x80;
        Ok(self.key_usage()?.is_none_or(|usage| usage & DIGITAL_SIGNATURE != 0))
    }

    /// The same of decrypting the keys of handshakes.
    ///
    /// Spec: X509 section 4.2.1.3.
    pub(super) fn may_decrypt(&self) -> Result<bool, DecodeError> {
        const KEY_ENCIPHERMENT: u8 = 0x80 >> 2;
        Ok(self.key_usage()?.is_none_or(|usage| usage & KEY_ENCIPHERMENT != 0))
    }

    /// The first eight bits of keyUsage.
    fn key_usage(&self) -> Result<Option<u8>, DecodeError> {
        let Some(value) = self.extension(KEY_USAGE)? else { return Ok(None) };
        // The first byte counts the bits that do not count in the last.
        let bits = Reader::of(value, self.encoding).expect(BIT_STRING, "KeyUsage")?.content;
        Ok(Some(bits.get(1).copied().unwrap_or_default()))
    }
}

/// An extension of a certificate or of an OCSP answer.
pub(super) struct Extension<'a> {
    /// The content of extnID.
    pub(super) kind: &'a [u8],
    pub(super) critical: bool,
    /// The content of extnValue.
    pub(super) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(super) fn read(list: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut extension = list.nested(SEQUENCE, "Extension")?;
        let kind = extension.expect(OBJECT_IDENTIFIER, "Extension.extnID")?.content;
        let critical = match extension.optional(BOOLEAN, "Extension.critical")? {
            None | Some([0]) => false,
            Some([_]) => true,
            Some(_) => return Err(DecodeError::value("Extension.critical")),
        };
        let value = extension.expect(OCTET_STRING, "Extension.extnValue")?.content;
        extension.finish("Extension")?;
        Ok(Self { kind, critical, value })
    }
}

/// thisUpdate and nextUpdate of a certificate revocation list.
///
/// Spec: X509 section 5.1.
pub(super) fn crl_times(der: &[u8]) -> Result<(SystemTime, SystemTime), DecodeError> {
    let mut list = Reader::inside(der, SEQUENCE, "CertificateList")?;
    let mut tbs = list.nested(SEQUENCE, "CertificateList.tbsCertList")?;
    tbs.optional(INTEGER, "TBSCertList.version")?;
    tbs.expect(SEQUENCE, "TBSCertList.signature")?;
    tbs.expect(SEQUENCE, "TBSCertList.issuer")?;
    let this_update = time(&mut tbs, "TBSCertList.thisUpdate")?;
    Ok((this_update, time(&mut tbs, "TBSCertList.nextUpdate")?))
}
