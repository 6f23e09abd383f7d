//! What a certificate says about whose account it is for. Nothing is judged here.
//!
//! Spec: X509 sections 4.1.2.2, 4.1.2.4, 4.2.1.2 and 4.2.1.6; MS-PKCA section 3.1.5.2.1; MS-WCCE section 2.2.2.7.7.4.

use super::algorithm;
use super::der::{
    DecodeError, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, constructed, dotted, primitive,
};
use super::fields::{Certificate, Extension, SUBJECT_ALT_NAME};
use super::name::{relative_names, text};

/// subjectKeyIdentifier, 2.5.29.14.
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
/// szOID_NTDS_CA_SECURITY_EXT, 1.3.6.1.4.1.311.25.2.
const SECURITY_EXTENSION: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2];
/// szOID_NTDS_OBJECTSID, 1.3.6.1.4.1.311.25.2.1.
const OBJECT_SID: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 25, 2, 1];
/// szOID_NT_PRINCIPAL_NAME, 1.3.6.1.4.1.311.20.2.3.
const PRINCIPAL_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

/// otherName in a GeneralName.
const OTHER_NAME: u8 = constructed(0);
/// rfc822Name in a GeneralName.
const EMAIL: u8 = primitive(1);

/// The parts of a Name, the most general first, as they stand in it; each part is a set of types and values.
pub(crate) type NameParts = Vec<Vec<NameAttribute>>;

/// A type, and a value of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameAttribute {
    /// In dotted decimal.
    pub(crate) kind: String,
    /// The characters; `None` where the value is no text.
    pub(crate) text: Option<String>,
}

/// What a certificate says about its owner and its issuer.
#[derive(Clone, Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) issuer: NameParts,
    pub(crate) subject: NameParts,
    /// Big-endian, without leading zeros.
    pub(crate) serial: &'a [u8],
    /// SubjectPublicKeyInfo, whole, where it is one key and no other.
    pub(crate) public_key: Option<&'a [u8]>,
    /// What the BIT STRING in it holds, where that alone is one key and no other.
    pub(crate) key_bits: Option<&'a [u8]>,
    pub(crate) subject_key_identifier: Option<&'a [u8]>,
    /// User principal names.
    pub(crate) upns: Vec<String>,
    pub(crate) emails: Vec<String>,
    /// The security identifier of the account, in string form, as the authority wrote it.
    pub(crate) sid: Option<String>,
}

impl<'a> Identity<'a> {
    /// # Errors
    /// Something of it cannot be read, or an extension that it rests on stands there twice: then nothing of it is to be
    /// believed.
    pub(crate) fn read(der: &'a [u8]) -> Result<Self, DecodeError> {
        let certificate = Certificate::from_der_or_loose(der)?;
        let name = |whole, field| -> Result<NameParts, DecodeError> {
            let names = relative_names(whole, certificate.encoding, field)?;
            let attribute = |(kind, value)| {
                let kind = dotted(kind).ok_or(DecodeError::value(field))?;
                Ok(NameAttribute { kind, text: text(value) })
            };
            names.into_iter().map(|part| part.into_iter().map(attribute).collect()).collect()
        };
        let key = algorithm::defining(certificate.public_key)?;
        let zeros = certificate.serial.iter().take_while(|byte| **byte == 0).count();
        let mut identity = Self {
            issuer: name(certificate.issuer, "TBSCertificate.issuer")?,
            subject: name(certificate.subject, "TBSCertificate.subject")?,
            serial: certificate.serial.get(zeros..).unwrap_or_default(),
            public_key: key.info,
            key_bits: key.bits,
            subject_key_identifier: None,
            upns: Vec::new(),
            emails: Vec::new(),
            sid: None,
        };
        identity.read_extensions(&certificate)?;
        Ok(identity)
    }

    fn read_extensions(&mut self, certificate: &Certificate<'a>) -> Result<(), DecodeError> {
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut list = certificate.extensions();
        while !list.is_empty() {
            let Extension { kind, value, .. } = Extension::read(&mut list)?;
            if seen.contains(&kind) {
                return Err(DecodeError::value("TBSCertificate.extensions"));
            }
            seen.push(kind);
            match kind {
                SUBJECT_KEY_IDENTIFIER => {
                    let mut reader = Reader::of(value, certificate.encoding);
                    let content = reader.expect(OCTET_STRING, "SubjectKeyIdentifier")?.content;
                    reader.finish("SubjectKeyIdentifier")?;
                    self.subject_key_identifier = Some(content).filter(|content| !content.is_empty());
                }
                SUBJECT_ALT_NAME => self.read_names(Reader::inside_of(
                    value,
                    SEQUENCE,
                    "GeneralNames",
                    certificate.encoding,
                )?)?,
                SECURITY_EXTENSION => {
                    let list =
                        Reader::inside_of(value, SEQUENCE, "NTDS_CA_SECURITY_EXT", certificate.encoding)?;
                    self.sid = Some(object_sid(list)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_names(&mut self, mut list: Reader<'a>) -> Result<(), DecodeError> {
        while !list.is_empty() {
            let name = list.element("GeneralName")?;
            match name.tag {
                EMAIL => {
                    let address = str::from_utf8(name.content).ok().filter(|text| text.is_ascii());
                    let address = address.ok_or(DecodeError::value("GeneralName.rfc822Name"))?;
                    self.emails.push(address.to_owned());
                }
                OTHER_NAME => {
                    let (kind, value) = other_name(list.within(name.content))?;
                    if kind == PRINCIPAL_NAME {
                        let mut value = list.within(value);
                        let upn = text(value.element("UserPrincipalName")?);
                        value.finish("UserPrincipalName")?;
                        self.upns.push(upn.ok_or(DecodeError::value("UserPrincipalName"))?);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The type of an otherName, and what its value holds.
fn other_name(mut name: Reader<'_>) -> Result<(&[u8], &[u8]), DecodeError> {
    let kind = name.expect(OBJECT_IDENTIFIER, "OtherName.type-id")?.content;
    let value = name.expect(constructed(0), "OtherName.value")?.content;
    name.finish("OtherName")?;
    Ok((kind, value))
}

/// ```text
/// NTDS_CA_SECURITY_EXT   SEQUENCE of one GeneralName: an otherName of the type szOID_NTDS_OBJECTSID
/// its value              an OCTET STRING, the characters of the security identifier
/// ```
fn object_sid(mut list: Reader<'_>) -> Result<String, DecodeError> {
    const FIELD: &str = "NTDS_CA_SECURITY_EXT";
    let name = list.expect(OTHER_NAME, FIELD)?;
    list.finish(FIELD)?;
    let (kind, value) = other_name(list.within(name.content))?;
    let mut value = list.within(value);
    let characters = value.expect(OCTET_STRING, FIELD)?.content;
    value.finish(FIELD)?;
    let sid = String::from_utf8(characters.to_vec()).map_err(|_| DecodeError::value(FIELD))?;
    if kind == OBJECT_SID { Ok(sid) } else { Err(DecodeError::value(FIELD)) }
}
