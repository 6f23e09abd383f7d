//! What a person wants to know of a certificate.

use core::net::IpAddr;
use std::time::SystemTime;

use super::der::{DecodeError, Reader, SEQUENCE, primitive};
use super::fields::{Certificate, SUBJECT_ALT_NAME};
use super::name::{hex, rfc4514, visible};
use super::verifier::{Weakness, weaknesses_of};
use super::{algorithm, sha256};

/// A certificate in words and numbers. Every string in it is harmless to print, whoever made the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateSummary {
    /// The subject as RFC 4514 writes names: `CN=www.example.com,O=Example,C=US`.
    pub subject: String,
    /// The issuer, written in the same way.
    pub issuer: String,
    /// The serial number in hexadecimal, as it stands in the certificate.
    pub serial: String,
    /// From when on it is valid.
    pub not_before: SystemTime,
    /// Until when it is valid.
    pub not_after: SystemTime,
    /// The DNS names that it is for, as they stand in it.
    pub dns_names: Vec<String>,
    /// The addresses that it is for.
    pub ip_addresses: Vec<IpAddr>,
    /// Kind and size of its key: `RSA 2048 bits`, `ECDSA P-256`, `Ed25519`, or an object identifier.
    pub key: String,
    /// The algorithm of its signature: `sha256WithRSAEncryption`, or an object identifier.
    pub signature: String,
    /// Whether it says that it is an authority, which issues certificates.
    pub is_ca: bool,
    /// Whether subject and issuer are the same name. It says nothing about who signed it.
    pub self_issued: bool,
    /// What is weak about it as a peer's own certificate: its form, its key and, where somebody else signed it, its
    /// signature. Whether its names are in its common name only is not among it: that matters for servers.
    pub weaknesses: Vec<Weakness>,
    /// SHA-256 of the whole certificate, its fingerprint.
    pub sha256: [u8; 32],
}

impl CertificateSummary {
    /// Reads a certificate in DER. Nothing is judged: it may have expired, and its signature is not looked at.
    ///
    /// # Errors
    /// [`DecodeError`] names the first field that cannot be read.
    pub fn from_der(der: &[u8]) -> Result<Self, DecodeError> {
        let certificate = Certificate::from_der_or_loose(der)?;
        let (dns_names, ip_addresses) = alternative_names(&certificate)?;
        Ok(Self {
            subject: rfc4514(certificate.subject, "TBSCertificate.subject")?,
            issuer: rfc4514(certificate.issuer, "TBSCertificate.issuer")?,
            serial: hex(certificate.serial),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            dns_names,
            ip_addresses,
            key: algorithm::key_name(certificate.public_key)?,
            signature: algorithm::signature_name(certificate.signed.algorithm)?,
            is_ca: certificate.is_ca()? == Some(true),
            self_issued: certificate.subject == certificate.issuer,
            weaknesses: weaknesses_of(der, false).iter().collect(),
            sha256: sha256(der),
        })
    }
}

/// The DNS names and the addresses of subjectAltName.
///
/// Spec: X509 section 4.2.1.6.
fn alternative_names(certificate: &Certificate<'_>) -> Result<(Vec<String>, Vec<IpAddr>), DecodeError> {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    let Some(value) = certificate.extension(SUBJECT_ALT_NAME)? else { return Ok((names, addresses)) };
    let mut list = Reader::inside_of(value, SEQUENCE, "GeneralNames", certificate.encoding)?;
    while !list.is_empty() {
        const DNS_NAME: u8 = primitive(2);
        const IP_ADDRESS: u8 = primitive(7);
        let name = list.element("GeneralName")?;
        match name.tag {
            DNS_NAME => names.push(visible(name.content)),
            IP_ADDRESS => {
                let v4 = <[u8; 4]>::try_from(name.content).map(IpAddr::from);
                let v6 = || <[u8; 16]>::try_from(name.content).map(IpAddr::from);
                addresses
                    .push(v4.or_else(|_| v6()).map_err(|_| DecodeError::value("GeneralName.iPAddress"))?);
            }
            _ => {}
        }
    }
    Ok((names, addresses))
}
