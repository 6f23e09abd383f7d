//! Stapled OCSP answers: whether the issuer of a certificate, or a responder that it authorised, says that it is good.
//!
//! An answer counts when it is signed by the issuer's key, or by a certificate in the answer that the issuer signed
//! itself, that is valid now and is for OCSP signing; when it is about exactly this certificate of exactly this issuer
//! (SHA-1, SHA-256, SHA-384 or SHA-512 of the issuer's name and key, and the serial number); and when it is neither from
//! the future nor out of date, with five minutes for clocks that differ. An answer that does not say how long it holds
//! holds for a day. Whether a responder's certificate is itself revoked is not asked.
//!
//! Spec: OCSP sections 3.2 and 4.2.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crypto::hash::Hash;
use rustls_pki_types::{CertificateDer, Der, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, RawPublicKeyEntity};

use super::der::{
    DecodeError, ENUMERATED, Element, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE,
    constructed, dotted, primitive,
};
use super::fields::{Certificate, Extension, Signed};
use super::time::generalized_time;

/// What an answer says about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OcspStatus {
    /// Not revoked.
    Good,
    /// Revoked.
    Revoked,
    /// The responder does not know the certificate.
    Unknown,
}

/// Who issued a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issuer<'a> {
    /// Its subject, a Name in DER.
    pub(crate) name: &'a [u8],
    /// Its SubjectPublicKeyInfo in DER.
    pub(crate) public_key: &'a [u8],
}

/// Why an answer says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OcspError {
    /// It cannot be read.
    Decode(DecodeError),
    /// The responder answered with an error: 1 malformedRequest, 2 internalError, 3 tryLater, 5 sigRequired,
    /// 6 unauthorized.
    NotSuccessful { status: u8 },
    /// It is not a basic response, the only type that there is.
    NotBasic,
    /// It has an extension that must be understood and is not.
    CriticalExtension { oid: String },
    /// Neither the issuer nor a responder that it authorised signed it.
    Signature { algorithm: String },
    /// It is about other certificates.
    OtherCertificate,
    /// It is from the future.
    NotYetValid { this_update: SystemTime },
    /// It is out of date.
    OutOfDate { until: SystemTime },
}

impl From<DecodeError> for OcspError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl fmt::Display for OcspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |time: &SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        match self {
            Self::Decode(error) => write!(f, "it cannot be read: {error}"),
            Self::NotSuccessful { status } => write!(f, "the responder answered with the error {status}"),
            Self::NotBasic => f.write_str("it is not a basic response"),
            Self::CriticalExtension { oid } => write!(f, "its critical extension {oid} is not known"),
            Self::Signature { algorithm } => {
                write!(
                    f,
                    "neither the issuer nor a responder of its own signed it (signature algorithm {algorithm})"
                )
            }
            Self::OtherCertificate => f.write_str("it is about another certificate"),
            Self::NotYetValid { this_update } => {
                write!(f, "it holds only from {} on (seconds since 1970)", seconds(this_update))
            }
            Self::OutOfDate { until } => write!(f, "it held until {} (seconds since 1970)", seconds(until)),
        }
    }
}

impl std::error::Error for OcspError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

/// id-kp-OCSPSigning, 1.3.6.1.5.5.7.3.9.
pub(crate) const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// Who judges the signatures of an answer.
pub(super) trait Signatures {
    /// Whether something is signed with the key of this SubjectPublicKeyInfo.
    fn is_signed_by(&self, signed: &Signed<'_>, public_key: &[u8]) -> bool;

    /// Whether the issuer signed this certificate itself, as one for OCSP signing that is valid now.
    fn is_authorised(&self, responder: &[u8], issuer: &Issuer<'_>, now: SystemTime) -> bool;
}

/// What `response` (an OCSPResponse in DER) says about the certificate `leaf`, which `issuer` issued. The signatures are
/// webpki's to judge.
///
/// # Errors
/// The answer says nothing about it; the error says why.
pub(crate) fn status(
    response: &[u8],
    leaf: &[u8],
    issuer: &Issuer<'_>,
    now: SystemTime,
) -> Result<OcspStatus, OcspError> {
    status_of(response, Certificate::from_der(leaf)?.serial, issuer, now, &Webpki)
}

/// The same about the certificate of this number, with another judge.
///
/// # Errors
/// As [`status`].
pub(super) fn status_of(
    response: &[u8],
    serial: &[u8],
    issuer: &Issuer<'_>,
    now: SystemTime,
    judge: &dyn Signatures,
) -> Result<OcspStatus, OcspError> {
    let basic = BasicResponse::from_der(response)?;
    basic.check_signature(issuer, now, judge)?;
    let mut responses = basic.responses()?;
    while !responses.is_empty() {
        let answer = SingleResponse::read(&mut responses)?;
        if answer.is_about(serial, issuer)? {
            answer.check_times(now)?;
            return Ok(answer.status);
        }
    }
    Err(OcspError::OtherCertificate)
}

/// BasicOCSPResponse, from the OCSPResponse around it.
///
/// ```text
/// OCSPResponse       responseStatus, [0] { responseType, response OCTET STRING }
/// BasicOCSPResponse  tbsResponseData, signatureAlgorithm, signature, [0] certs
/// ```
struct BasicResponse<'a> {
    /// tbsResponseData: what is signed, whole.
    data: &'a [u8],
    /// The content of signatureAlgorithm.
    algorithm: &'a [u8],
    signature: &'a [u8],
    /// The content of certs.
    certificates: &'a [u8],
}

impl<'a> BasicResponse<'a> {
    fn from_der(der: &'a [u8]) -> Result<Self, OcspError> {
        /// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1.
        const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 48, 1, 1];
        let mut outer = Reader::inside(der, SEQUENCE, "OCSPResponse")?;
        match outer.expect(ENUMERATED, "OCSPResponse.responseStatus")?.content {
            [0] => {}
            [status] => return Err(OcspError::NotSuccessful { status: *status }),
            _ => return Err(DecodeError::value("OCSPResponse.responseStatus").into()),
        }
        let mut tagged = outer.nested(constructed(0), "OCSPResponse.responseBytes")?;
        outer.finish("OCSPResponse")?;
        let mut bytes = tagged.nested(SEQUENCE, "ResponseBytes")?;
        tagged.finish("ResponseBytes")?;
        if bytes.expect(OBJECT_IDENTIFIER, "ResponseBytes.responseType")?.content != BASIC {
            return Err(OcspError::NotBasic);
        }
        let response = bytes.expect(OCTET_STRING, "ResponseBytes.response")?.content;
        bytes.finish("ResponseBytes")?;

        let mut basic = Reader::inside(response, SEQUENCE, "BasicOCSPResponse")?;
        let data = basic.expect(SEQUENCE, "BasicOCSPResponse.tbsResponseData")?.whole;
        let algorithm = basic.expect(SEQUENCE, "BasicOCSPResponse.signatureAlgorithm")?.content;
        let signature = basic.bit_string("BasicOCSPResponse.signature")?;
        let certificates = match basic.optional(constructed(0), "BasicOCSPResponse.certs")? {
            Some(tagged) => {
                let mut tagged = Reader::new(tagged);
                let list = tagged.expect(SEQUENCE, "BasicOCSPResponse.certs")?.content;
                tagged.finish("BasicOCSPResponse.certs")?;
                list
            }
            None => &[],
        };
        basic.finish("BasicOCSPResponse")?;
        Ok(Self { data, algorithm, signature, certificates })
    }

    /// The responses in tbsResponseData.
    ///
    /// ```text
    /// ResponseData  [0] version, responderID, producedAt, responses, [1] responseExtensions
    /// ```
    ///
    /// The responder's name is not looked at: whose answer it is, its signature says.
    fn responses(&self) -> Result<Reader<'a>, OcspError> {
        let mut data = Reader::inside(self.data, SEQUENCE, "ResponseData")?;
        // Version 1, the only one, is the default, and DER leaves defaults out; some responders write it.
        if data
            .optional(constructed(0), "ResponseData.version")?
            .is_some_and(|version| version != [INTEGER, 1, 0])
        {
            return Err(DecodeError::value("ResponseData.version").into());
        }
        if !matches!(data.element("ResponseData.responderID")?.tag, by if by == constructed(1) || by == constructed(2))
        {
            return Err(DecodeError::value("ResponseData.responderID").into());
        }
        generalized_time(&mut data, "ResponseData.producedAt")?;
        let responses = data.nested(SEQUENCE, "ResponseData.responses")?;
        refuse_critical(data.optional(constructed(1), "ResponseData.responseExtensions")?)?;
        data.finish("ResponseData")?;
        Ok(responses)
    }

    /// Whether the issuer signed the answer, or a responder that it authorised.
    ///
    /// Spec: OCSP section 4.2.2.2.
    fn check_signature(
        &self,
        issuer: &Issuer<'_>,
        now: SystemTime,
        judge: &dyn Signatures,
    ) -> Result<(), OcspError> {
        /// One is the rule, more are of use while a responder changes its key. Each may cost two signatures to look at, and
        /// it is the peer who says how many there are.
        const MOST_CERTIFICATES: usize = 4;
        let signed = Signed { message: self.data, algorithm: self.algorithm, signature: self.signature };
        if judge.is_signed_by(&signed, issuer.public_key) {
            return Ok(());
        }
        let mut certificates = Reader::new(self.certificates);
        for _ in 0..MOST_CERTIFICATES {
            if certificates.is_empty() {
                break;
            }
            let responder = certificates.expect(SEQUENCE, "BasicOCSPResponse.certs")?.whole;
            let key = Certificate::from_der_or_loose(responder)?.public_key;
            // Authorisation first: a chain that comes along costs nothing, since a certificate without the purpose is
            // refused before its signature is looked at.
            if judge.is_authorised(responder, issuer, now) && judge.is_signed_by(&signed, key) {
                return Ok(());
            }
        }
        let oid =
            Reader::new(self.algorithm).expect(OBJECT_IDENTIFIER, "BasicOCSPResponse.signatureAlgorithm")?;
        Err(OcspError::Signature { algorithm: dotted(oid.content).unwrap_or_default() })
    }
}

/// webpki, which takes nothing that is weak.
struct Webpki;

impl Signatures for Webpki {
    fn is_signed_by(&self, signed: &Signed<'_>, public_key: &[u8]) -> bool {
        let public_key = SubjectPublicKeyInfoDer::from(public_key);
        let Ok(key) = RawPublicKeyEntity::try_from(&public_key) else { return false };
        ALL_VERIFICATION_ALGS
            .iter()
            .filter(|candidate| candidate.signature_alg_id().as_ref() == signed.algorithm)
            .any(|candidate| key.verify_signature(*candidate, signed.message, signed.signature).is_ok())
    }

    fn is_authorised(&self, responder: &[u8], issuer: &Issuer<'_>, now: SystemTime) -> bool {
        let content =
            |der| Some(Der::from_slice(Reader::new(der).expect(SEQUENCE, "SEQUENCE").ok()?.content));
        let (Some(subject), Some(public_key)) = (content(issuer.name), content(issuer.public_key)) else {
            return false;
        };
        let anchor = [TrustAnchor { subject, subject_public_key_info: public_key, name_constraints: None }];
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default());
        let responder = CertificateDer::from(responder);
        // No intermediates: a path leads from the issuer itself, or there is none.
        EndEntityCert::try_from(&responder).is_ok_and(|certificate| {
            let usage = KeyUsage::required(OCSP_SIGNING);
            certificate.verify_for_usage(ALL_VERIFICATION_ALGS, &anchor, &[], now, usage, None, None).is_ok()
        })
    }
}

/// What an answer says about one certificate.
///
/// ```text
/// SingleResponse  certID, certStatus, thisUpdate, [0] nextUpdate, [1] singleExtensions
/// CertID          hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber
/// ```
struct SingleResponse<'a> {
    /// The content of CertID.hashAlgorithm's object identifier.
    hash: &'a [u8],
    issuer_name_hash: &'a [u8],
    issuer_key_hash: &'a [u8],
    serial: &'a [u8],
    status: OcspStatus,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
}

impl<'a> SingleResponse<'a> {
    fn read(responses: &mut Reader<'a>) -> Result<Self, OcspError> {
        let mut single = responses.nested(SEQUENCE, "SingleResponse")?;
        let mut id = single.nested(SEQUENCE, "SingleResponse.certID")?;
        let hash = id
            .nested(SEQUENCE, "CertID.hashAlgorithm")?
            .expect(OBJECT_IDENTIFIER, "CertID.hashAlgorithm")?
            .content;
        let issuer_name_hash = id.expect(OCTET_STRING, "CertID.issuerNameHash")?.content;
        let issuer_key_hash = id.expect(OCTET_STRING, "CertID.issuerKeyHash")?.content;
        let serial = id.expect(INTEGER, "CertID.serialNumber")?.content;
        id.finish("SingleResponse.certID")?;
        let status = match single.element("SingleResponse.certStatus")? {
            Element { tag, content: [], .. } if tag == primitive(0) => OcspStatus::Good,
            Element { tag, .. } if tag == constructed(1) => OcspStatus::Revoked,
            Element { tag, content: [], .. } if tag == primitive(2) => OcspStatus::Unknown,
            _ => return Err(DecodeError::value("SingleResponse.certStatus").into()),
        };
        let this_update = generalized_time(&mut single, "SingleResponse.thisUpdate")?;
        let next_update = match single.optional(constructed(0), "SingleResponse.nextUpdate")? {
            Some(tagged) => {
                let mut tagged = Reader::new(tagged);
                let time = generalized_time(&mut tagged, "SingleResponse.nextUpdate")?;
                tagged.finish("SingleResponse.nextUpdate")?;
                Some(time)
            }
            None => None,
        };
        refuse_critical(single.optional(constructed(1), "SingleResponse.singleExtensions")?)?;
        single.finish("SingleResponse")?;
        Ok(Self { hash, issuer_name_hash, issuer_key_hash, serial, status, this_update, next_update })
    }

    /// Whether CertID names this number of this issuer. The key is hashed without tag, length and count of unused bits.
    ///
    /// Spec: OCSP section 4.1.1.
    fn is_about(&self, serial: &[u8], issuer: &Issuer<'_>) -> Result<bool, OcspError> {
        let hash = match self.hash {
            [0x2b, 0x0e, 3, 2, 0x1a] => Hash::Sha1,
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Hash::Sha256,
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Hash::Sha384,
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Hash::Sha512,
            _ => return Ok(false),
        };
        let mut info = Reader::inside(issuer.public_key, SEQUENCE, "SubjectPublicKeyInfo")?;
        info.expect(SEQUENCE, "SubjectPublicKeyInfo.algorithm")?;
        let key = info.bit_string("SubjectPublicKeyInfo.subjectPublicKey")?;
        Ok(self.serial == serial
            && self.issuer_name_hash == hash.digest(issuer.name).as_ref()
            && self.issuer_key_hash == hash.digest(key).as_ref())
    }

    /// Whether the answer holds now.
    ///
    /// Spec: OCSP section 4.2.2.1.
    fn check_times(&self, now: SystemTime) -> Result<(), OcspError> {
        const TOLERANCE: Duration = Duration::from_secs(5 * 60);
        /// Without nextUpdate "newer revocation information is available all the time": a staple that never ends would
        /// keep a revoked certificate good for ever.
        const WITHOUT_NEXT_UPDATE: Duration = Duration::from_secs(24 * 60 * 60);
        if self.this_update > now + TOLERANCE {
            return Err(OcspError::NotYetValid { this_update: self.this_update });
        }
        let until = self.next_update.unwrap_or(self.this_update + WITHOUT_NEXT_UPDATE);
        if until + TOLERANCE < now {
            return Err(OcspError::OutOfDate { until });
        }
        Ok(())
    }
}

/// No extension of an answer is known here, so none may be critical.
fn refuse_critical(extensions: Option<&[u8]>) -> Result<(), OcspError> {
    let Some(tagged) = extensions else { return Ok(()) };
    let mut list = Reader::inside(tagged, SEQUENCE, "Extensions")?;
    while !list.is_empty() {
        let extension = Extension::read(&mut list)?;
        if extension.critical {
            return Err(OcspError::CriticalExtension { oid: dotted(extension.kind).unwrap_or_default() });
        }
    }
    Ok(())
}
