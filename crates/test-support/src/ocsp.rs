//! OCSP responses as a server staples them.
//!
//! ```
//! use opensspi_test_support::{CertStatus, OcspResponse, Pki};
//!
//! let certificate = Pki::new().server("localhost").issue();
//! let der = OcspResponse::new(&certificate, CertStatus::Good).der();
//! # assert_eq!(der[0], 0x30);
//! ```
//!
//! Spec: OCSP section 4.2.1.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::digest;

use crate::der::{self, context, context_primitive, sequence, tlv};
use crate::pki::{Authority, TestCertificate};

/// What the responder says about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertStatus {
    /// Not revoked.
    Good,
    /// Revoked, since then; no reason is given.
    Revoked {
        /// revocationTime, whole seconds.
        at: SystemTime,
    },
    /// The responder does not know the certificate.
    Unknown,
}

/// A basic response about one certificate, signed with ECDSA-P256-SHA256 by the authority that issued it. It holds from
/// 2025-01-01 to 2043-01-01 unless it is told otherwise.
#[derive(Clone, Debug)]
#[must_use = "nothing is signed before der()"]
pub struct OcspResponse {
    certificate: TestCertificate,
    status: CertStatus,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
    signer: Authority,
}

impl OcspResponse {
    /// A response that says `status` of `certificate`.
    pub fn new(certificate: &TestCertificate, status: CertStatus) -> Self {
        Self {
            certificate: certificate.clone(),
            status,
            this_update: UNIX_EPOCH + Duration::from_secs(1_735_689_600),
            next_update: Some(UNIX_EPOCH + Duration::from_secs(2_303_683_200)),
            signer: certificate.issuer().clone(),
        }
    }

    /// thisUpdate, which is producedAt too, and nextUpdate; whole seconds.
    pub fn valid(mut self, this_update: SystemTime, next_update: Option<SystemTime>) -> Self {
        self.this_update = this_update;
        self.next_update = next_update;
        self
    }

    /// Signed by somebody else in the issuer's name, to be refused.
    pub fn forged_by(mut self, signer: &Authority) -> Self {
        self.signer = signer.clone();
        self
    }

    /// Signs it and gives the DER of OCSPResponse.
    pub fn der(&self) -> Vec<u8> {
        let issuer = self.certificate.issuer();
        let responder_id = tlv(context(1), &issuer.subject());
        let produced_at = der::generalized_time(self.this_update);
        let responses = sequence(&[&self.single_response(issuer)]);
        let data = sequence(&[&responder_id, &produced_at, &responses]);
        let signature = der::bit_string(&self.signer.sign(&data));
        let basic = sequence(&[&data, &sequence(&[ECDSA_WITH_SHA256]), &signature]);
        let bytes = sequence(&[ID_PKIX_OCSP_BASIC, &tlv(der::OCTET_STRING, &basic)]);
        sequence(&[&tlv(der::ENUMERATED, &[0]), &tlv(context(0), &bytes)])
    }

    /// The DER of an OCSPResponse without a response: `status` 1 is malformedRequest, 2 internalError, 3 tryLater,
    /// 5 sigRequired, 6 unauthorized.
    pub fn unsuccessful(status: u8) -> Vec<u8> {
        sequence(&[&tlv(der::ENUMERATED, &[status])])
    }

    fn single_response(&self, issuer: &Authority) -> Vec<u8> {
        let cert_id = sequence(&[
            &sequence(&[SHA1, &tlv(der::NULL, &[])]),
            &tlv(der::OCTET_STRING, &sha1(&issuer.subject())),
            &tlv(der::OCTET_STRING, &sha1(&issuer.public_key())),
            &der::unsigned(self.certificate.serial()),
        ]);
        let status = match self.status {
            CertStatus::Good => tlv(context_primitive(0), &[]),
            CertStatus::Revoked { at } => tlv(context(1), &der::generalized_time(at)),
            CertStatus::Unknown => tlv(context_primitive(2), &[]),
        };
        let this_update = der::generalized_time(self.this_update);
        let next_update = self.next_update.map(|time| tlv(context(0), &der::generalized_time(time)));
        sequence(&[&cert_id, &status, &this_update, &next_update.unwrap_or_default()])
    }
}

/// 1.3.6.1.5.5.7.48.1.1, an element.
const ID_PKIX_OCSP_BASIC: &[u8] =
    &[der::OBJECT_IDENTIFIER, 9, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// 1.2.840.10045.4.3.2, an element.
const ECDSA_WITH_SHA256: &[u8] = &[der::OBJECT_IDENTIFIER, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// 1.3.14.3.2.26, an element.
const SHA1: &[u8] = &[der::OBJECT_IDENTIFIER, 5, 0x2b, 0x0e, 0x03, 0x02, 0x1a];

fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Pki;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    /// The signed data of a response, its signature, and the single response in it.
    fn parts(response: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let response = der::elements(der::elements(response)[0].content);
        assert_eq!(response[0].content, [0], "successful");
        let bytes = der::elements(der::elements(response[1].content)[0].content);
        assert_eq!(bytes[0].whole, ID_PKIX_OCSP_BASIC);
        let basic = der::elements(der::elements(bytes[1].content)[0].content);
        let single = der::elements(der::elements(basic[0].content)[2].content);
        (basic[0].whole.to_vec(), basic[2].content[1..].to_vec(), single[0].content.to_vec())
    }

    #[test]
    fn responses_are_signed_by_the_issuer() {
        let certificate = Pki::new().server("localhost").intermediate().issue();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, certificate.issuer().public_key());
        let response = OcspResponse::new(&certificate, CertStatus::Good);
        let (data, signature, _) = parts(&response.der());
        key.verify(&data, &signature).unwrap();

        let (data, signature, _) = parts(&response.forged_by(Pki::new().root()).der());
        key.verify(&data, &signature).unwrap_err();
    }

    #[test]
    fn responses_say_the_status_and_the_times_they_are_given() {
        let certificate = Pki::new().server("localhost").issue();
        let day = |n: u64| UNIX_EPOCH + Duration::from_secs(n * 86_400);
        let at = day(20_000);
        for (status, tag) in
            [(CertStatus::Good, 0x80), (CertStatus::Revoked { at }, 0xa1), (CertStatus::Unknown, 0x82)]
        {
            let response = OcspResponse::new(&certificate, status).valid(day(20_001), Some(day(20_002)));
            let (_, _, single) = parts(&response.der());
            let fields = der::elements(&single);
            assert_eq!(fields[1].whole[0], tag);
            assert_eq!(fields[2].content, b"20241005000000Z");
            assert_eq!(der::elements(fields[3].content)[0].content, b"20241006000000Z");
            let (_, _, single) = parts(&response.valid(day(20_001), None).der());
            assert_eq!(der::elements(&single).len(), 3);
        }
    }
}
