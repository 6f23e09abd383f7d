//! OCSP answers, the right ones and all that are wrong in one place, with an authority that can delegate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crypto::hash::Hash;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer as Signer, KeyPair,
    date_time_ymd,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use test_support::{CertStatus, FixedClock, Mutator, OcspResponse, Pki, TestCertificate};

use super::der::{
    BIT_STRING, BOOLEAN, ENUMERATED, GENERALIZED_TIME, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Problem,
    SEQUENCE, constructed, primitive,
};
use super::fields::Certificate;
use super::ocsp::{Issuer, OcspError, OcspStatus, status};
use super::{public_key_der, subject_der};

/// 2026-01-01T00:00:00Z, and so many seconds.
pub(crate) fn now_and(seconds: i64) -> SystemTime {
    let now = FixedClock::default().unix_seconds();
    UNIX_EPOCH + Duration::from_secs(now.checked_add_signed(seconds).unwrap())
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let header = match length {
        ..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [header, content.to_vec()].concat()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// An authority whose key a test can sign with.
pub(crate) struct Ca {
    params: CertificateParams,
    key: KeyPair,
    pub(crate) der: Vec<u8>,
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        Self::with_key(name, KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    fn with_key(name: &str, key: KeyPair) -> Self {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    fn issue(&self, params: &CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.signed_by(key, &Signer::from_params(&self.params, &self.key)).unwrap().der().to_vec()
    }

    /// A server certificate.
    pub(crate) fn leaf(&self, name: &str) -> Vec<u8> {
        let mut params = params(name);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
        self.issue(&params, &KeyPair::generate().unwrap())
    }

    /// One that is no authority, after `change`, and issues all the same.
    pub(crate) fn without_authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = params(name);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
        change(&mut params);
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    /// A certificate that is root, authority and server in one, as `openssl req -x509` makes them.
    pub(crate) fn self_signed_server(name: &str) -> Vec<u8> {
        let mut params = params(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into().unwrap())];
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    /// A responder's certificate after `change`, with its key.
    pub(crate) fn responder(&self, change: impl FnOnce(&mut CertificateParams)) -> Responder {
        let mut params = params("responder");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        change(&mut params);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Responder { certificate: self.issue(&params, &key), key }
    }

    fn issuer(&self) -> Issuer<'_> {
        Issuer { name: subject_der(&self.der).unwrap(), public_key: public_key_der(&self.der).unwrap() }
    }

    /// An answer about `leaf` in every respect as it should be.
    pub(crate) fn answer(&self, leaf: &[u8]) -> Answer<'_> {
        Answer::new(self, leaf)
    }
}

pub(crate) struct Responder {
    pub(crate) certificate: Vec<u8>,
    key: KeyPair,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

/// An answer; every field is what goes on the wire.
#[derive(Clone)]
pub(crate) struct Answer<'a> {
    hash_oid: Vec<u8>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    /// certStatus, whole.
    pub(crate) status: Vec<u8>,
    this_update: &'static str,
    next_update: Option<&'static str>,
    /// Whole, or nothing.
    single_extensions: Vec<u8>,
    response_extensions: Vec<u8>,
    /// Single responses that come first, each whole.
    before: Vec<u8>,
    algorithm: &'static [u8],
    key: &'a KeyPair,
    certificates: Vec<u8>,
}

const ECDSA_WITH_SHA256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SHA256_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
const SHA1_WITH_RSA: &[u8] = &[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5, 5, 0];

impl<'a> Answer<'a> {
    fn new(ca: &'a Ca, leaf: &[u8]) -> Self {
        let answer = Self {
            hash_oid: Vec::new(),
            name_hash: Vec::new(),
            key_hash: Vec::new(),
            serial: Certificate::from_der(leaf).unwrap().serial.to_vec(),
            status: tlv(primitive(0), &[]),
            this_update: "20251231000000Z",
            next_update: Some("20260107000000Z"),
            single_extensions: Vec::new(),
            response_extensions: Vec::new(),
            before: Vec::new(),
            algorithm: ECDSA_WITH_SHA256,
            key: &ca.key,
            certificates: Vec::new(),
        };
        answer.of(ca, Hash::Sha1)
    }

    /// About a certificate of this authority, named by this hash.
    fn of(mut self, ca: &Ca, hash: Hash) -> Self {
        self.hash_oid = match hash {
            Hash::Md5 => vec![0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5],
            Hash::Sha1 => vec![0x2b, 0x0e, 3, 2, 0x1a],
            Hash::Sha256 => vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
            Hash::Sha384 => vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
            Hash::Sha512 => vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
            Hash::Sha512Of256 => vec![0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 6],
        };
        self.name_hash = hash.digest(ca.issuer().name).as_ref().to_vec();
        let key = rcgen::PublicKeyData::der_bytes(&ca.key);
        self.key_hash = hash.digest(key).as_ref().to_vec();
        self
    }

    pub(crate) fn signed_by(mut self, responder: &'a Responder) -> Self {
        self.key = &responder.key;
        self.certificates.extend(&responder.certificate);
        self
    }

    fn between(mut self, this_update: &'static str, next_update: Option<&'static str>) -> Self {
        (self.this_update, self.next_update) = (this_update, next_update);
        self
    }

    fn single(&self) -> Vec<u8> {
        let id = sequence(&[
            &sequence(&[&tlv(OBJECT_IDENTIFIER, &self.hash_oid)]),
            &tlv(OCTET_STRING, &self.name_hash),
            &tlv(OCTET_STRING, &self.key_hash),
            &tlv(INTEGER, &self.serial),
        ]);
        let time = |text: &str| tlv(GENERALIZED_TIME, text.as_bytes());
        let next = self.next_update.map(|text| tlv(constructed(0), &time(text))).unwrap_or_default();
        sequence(&[&id, &self.status, &time(self.this_update), &next, &self.single_extensions])
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let by_key = tlv(constructed(2), &tlv(OCTET_STRING, &[7; 20]));
        let produced = tlv(GENERALIZED_TIME, self.this_update.as_bytes());
        let responses = sequence(&[&self.before, &self.single()]);
        let data = sequence(&[&by_key, &produced, &responses, &self.response_extensions]);
        let signature = [&[0], rcgen::SigningKey::sign(self.key, &data).unwrap().as_slice()].concat();
        let certificates = match self.certificates.as_slice() {
            [] => Vec::new(),
            some => tlv(constructed(0), &tlv(SEQUENCE, some)),
        };
        let basic =
            sequence(&[&data, &sequence(&[self.algorithm]), &tlv(BIT_STRING, &signature), &certificates]);
        response(&[0x2b, 6, 1, 5, 5, 7, 48, 1, 1], &basic)
    }
}

fn response(kind: &[u8], basic: &[u8]) -> Vec<u8> {
    let bytes = sequence(&[&tlv(OBJECT_IDENTIFIER, kind), &tlv(OCTET_STRING, basic)]);
    sequence(&[&tlv(ENUMERATED, &[0]), &tlv(constructed(0), &bytes)])
}

/// Extensions with one, a nonce, under the tag that they have in answers.
fn nonce(critical: bool) -> Vec<u8> {
    let oid = tlv(OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 48, 1, 2]);
    let critical = if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    let extension = sequence(&[&oid, &critical, &tlv(OCTET_STRING, &[4, 1, 9])]);
    tlv(constructed(1), &sequence(&[&extension]))
}

fn revoked() -> Vec<u8> {
    tlv(constructed(1), &tlv(GENERALIZED_TIME, b"20251201000000Z"))
}

fn ca_and_leaf() -> (Ca, Vec<u8>) {
    let ca = Ca::new("authority");
    let leaf = ca.leaf("server.test");
    (ca, leaf)
}

#[test]
fn the_issuer_says_good_revoked_or_unknown() {
    let certificate = Pki::new().server("server.test").intermediate().issue();
    let issuer = certificate.issuer().certificate_der();
    let issuer = Issuer { name: subject_der(issuer).unwrap(), public_key: public_key_der(issuer).unwrap() };
    let read = |says| {
        status(&OcspResponse::new(&certificate, says).der(), certificate.leaf_der(), &issuer, now_and(0))
    };
    assert_eq!(read(CertStatus::Good), Ok(OcspStatus::Good));
    assert_eq!(read(CertStatus::Revoked { at: FixedClock::default().now() }), Ok(OcspStatus::Revoked));
    assert_eq!(read(CertStatus::Unknown), Ok(OcspStatus::Unknown));
    for error in [1, 2, 3, 5, 6] {
        let response = OcspResponse::unsuccessful(error);
        let read = status(&response, certificate.leaf_der(), &issuer, now_and(0));
        assert_eq!(read, Err(OcspError::NotSuccessful { status: error }));
    }
}

#[test]
fn every_hash_may_name_the_certificate() {
    let (ca, leaf) = ca_and_leaf();
    for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let answer = ca.answer(&leaf).of(&ca, hash).der();
        assert_eq!(status(&answer, &leaf, &ca.issuer(), now_and(0)), Ok(OcspStatus::Good), "{hash:?}");
    }
    let mut answer = ca.answer(&leaf);
    answer.hash_oid = vec![0x2a, 3];
    assert_eq!(status(&answer.der(), &leaf, &ca.issuer(), now_and(0)), Err(OcspError::OtherCertificate));
}

#[test]
fn an_answer_about_another_certificate_says_nothing() {
    let (ca, leaf) = ca_and_leaf();
    let read = |answer: &Answer<'_>| status(&answer.der(), &leaf, &ca.issuer(), now_and(0));
    let other = ca.leaf("server.test");
    assert_eq!(read(&ca.answer(&other)), Err(OcspError::OtherCertificate), "another number");
    assert_eq!(
        read(&ca.answer(&leaf).of(&Ca::new("authority"), Hash::Sha1)),
        Err(OcspError::OtherCertificate)
    );
    let mut answer = ca.answer(&leaf);
    answer.name_hash[0] ^= 1;
    assert_eq!(read(&answer), Err(OcspError::OtherCertificate), "another name");

    let mut answer = ca.answer(&leaf);
    answer.before = ca.answer(&other).single();
    answer.status = revoked();
    assert_eq!(read(&answer), Ok(OcspStatus::Revoked), "the second of two answers");
}

#[test]
fn an_answer_holds_from_this_update_to_next_update_and_five_minutes() {
    let (ca, leaf) = ca_and_leaf();
    let read = |this, next, seconds| {
        let answer = ca.answer(&leaf).between(this, next).der();
        status(&answer, &leaf, &ca.issuer(), now_and(seconds)).map_err(|error| match error {
            OcspError::NotYetValid { .. } => "early",
            OcspError::OutOfDate { .. } => "late",
            _ => "other",
        })
    };
    let good = Ok(OcspStatus::Good);
    let (new_year, next) = ("20260101000000Z", Some("20260102000000Z"));
    assert_eq!(read(new_year, next, -300), good);
    assert_eq!(read(new_year, next, -301), Err("early"));
    assert_eq!(read(new_year, next, 86_400 + 300), good);
    assert_eq!(read(new_year, next, 86_400 + 301), Err("late"));
    assert_eq!(read(new_year, None, 86_400 + 300), good, "a day where nothing is said");
    assert_eq!(read(new_year, None, 86_400 + 301), Err("late"));
}

#[test]
fn only_the_issuer_signs() {
    let (ca, leaf) = ca_and_leaf();
    let read = |answer: &Answer<'_>| status(&answer.der(), &leaf, &ca.issuer(), now_and(0));
    let unsigned = Err(OcspError::Signature { algorithm: "1.2.840.10045.4.3.2".to_owned() });
    let stranger = Ca::new("authority");
    let mut answer = ca.answer(&leaf);
    answer.key = &stranger.key;
    assert_eq!(read(&answer), unsigned);
    answer.certificates = stranger.der.clone();
    assert_eq!(read(&answer), unsigned, "nor with a certificate of the same name");

    let certificate = Pki::new().server("server.test").issue();
    let issuer = certificate.issuer().certificate_der();
    let issuer = Issuer { name: subject_der(issuer).unwrap(), public_key: public_key_der(issuer).unwrap() };
    let forged = OcspResponse::new(&certificate, CertStatus::Good).forged_by(Pki::new().root()).der();
    assert_eq!(status(&forged, certificate.leaf_der(), &issuer, now_and(0)), unsigned);
}

#[test]
fn a_responder_of_the_issuer_signs_while_its_certificate_allows_it() {
    let (ca, leaf) = ca_and_leaf();
    let read = |responder: &Responder| {
        let answer = ca.answer(&leaf).signed_by(responder).der();
        status(&answer, &leaf, &ca.issuer(), now_and(0))
            .map_err(|error| assert!(matches!(error, OcspError::Signature { .. })))
    };
    assert_eq!(read(&ca.responder(|_| {})), Ok(OcspStatus::Good));
    let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::OcspSigning];
    assert_eq!(read(&ca.responder(|p| p.extended_key_usages = usages.to_vec())), Ok(OcspStatus::Good));

    assert_eq!(read(&ca.responder(|p| p.extended_key_usages.clear())), Err(()), "no usage");
    let server = [ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(read(&ca.responder(|p| p.extended_key_usages = server.to_vec())), Err(()), "another usage");
    let any = [ExtendedKeyUsagePurpose::Any];
    assert_eq!(
        read(&ca.responder(|p| p.extended_key_usages = any.to_vec())),
        Err(()),
        "any usage is not this one"
    );
    assert_eq!(read(&ca.responder(|p| p.not_after = date_time_ymd(2025, 12, 31))), Err(()), "expired");
    assert_eq!(read(&ca.responder(|p| p.not_before = date_time_ymd(2026, 1, 2))), Err(()), "not yet valid");
    let authority = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(read(&ca.responder(|p| p.is_ca = authority)), Err(()), "an authority");
    assert_eq!(read(&Ca::new("authority").responder(|_| {})), Err(()), "somebody else's");
}

#[test]
fn a_responder_is_authorised_by_the_issuer_itself_and_found_among_few() {
    let (ca, leaf) = ca_and_leaf();
    let read = |answer: &Answer<'_>| status(&answer.der(), &leaf, &ca.issuer(), now_and(0));
    // An authority below the issuer, whose responder is not the issuer's.
    let mut below = Ca::new("below");
    below.der = ca.issue(&below.params, &below.key);
    let responder = below.responder(|_| {});
    let mut answer = ca.answer(&leaf).signed_by(&responder);
    answer.certificates.extend(&below.der);
    assert!(matches!(read(&answer), Err(OcspError::Signature { .. })));

    let responder = ca.responder(|_| {});
    for (others, found) in [(0, true), (3, true), (4, false)] {
        let mut answer = ca.answer(&leaf).signed_by(&responder);
        answer.certificates = [ca.der.repeat(others), responder.certificate.clone()].concat();
        assert_eq!(read(&answer).is_ok(), found, "behind {others}");
    }
}

#[test]
fn rsa_signs_but_not_with_sha_1() {
    let key: TestCertificate = Pki::new().server("rsa").rsa_2048().issue();
    let key = PrivatePkcs8KeyDer::from(key.key_der());
    let ca =
        Ca::with_key("rsa", KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_RSA_SHA256).unwrap());
    let leaf = ca.leaf("server.test");
    let mut answer = ca.answer(&leaf);
    answer.algorithm = SHA256_WITH_RSA;
    assert_eq!(status(&answer.der(), &leaf, &ca.issuer(), now_and(0)), Ok(OcspStatus::Good));
    answer.algorithm = SHA1_WITH_RSA;
    let error = status(&answer.der(), &leaf, &ca.issuer(), now_and(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "neither the issuer nor a responder of its own signed it (signature algorithm 1.2.840.113549.1.1.5)"
    );
}

#[test]
fn unknown_extensions_are_passed_over_unless_they_are_critical() {
    let (ca, leaf) = ca_and_leaf();
    for (critical, single) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut answer = ca.answer(&leaf);
        *(if single { &mut answer.single_extensions } else { &mut answer.response_extensions }) =
            nonce(critical);
        let read = status(&answer.der(), &leaf, &ca.issuer(), now_and(0));
        let oid = "1.3.6.1.5.5.7.48.1.2".to_owned();
        assert_eq!(
            read,
            if critical { Err(OcspError::CriticalExtension { oid }) } else { Ok(OcspStatus::Good) }
        );
    }
}

#[test]
fn what_is_no_basic_response_is_refused() {
    let (ca, leaf) = ca_and_leaf();
    let read = |bytes: &[u8]| status(bytes, &leaf, &ca.issuer(), now_and(0));
    assert_eq!(read(&response(&[0x2a, 3], &[])), Err(OcspError::NotBasic));
    assert!(
        matches!(read(&sequence(&[&tlv(ENUMERATED, &[0])])), Err(OcspError::Decode(e)) if e.problem == Problem::Truncated)
    );
    let answer = ca.answer(&leaf).der();
    for cut in 0..answer.len() {
        assert!(matches!(read(&answer[..cut]), Err(OcspError::Decode(_))), "cut at {cut}");
    }
    assert!(
        matches!(read(&[&answer[..], &[0]].concat()), Err(OcspError::Decode(e)) if e.problem == Problem::Trailing)
    );
}

#[test]
fn no_byte_of_an_answer_can_be_altered() {
    let (ca, leaf) = ca_and_leaf();
    let responder = ca.responder(|_| {});
    let mut answer = ca.answer(&leaf);
    answer.status = revoked();
    for answer in [answer.der(), ca.answer(&leaf).signed_by(&responder).der()] {
        for at in 0..answer.len() {
            let mut altered = answer.clone();
            altered[at] ^= 1;
            assert!(status(&altered, &leaf, &ca.issuer(), now_and(0)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn mutated_answers_never_panic_and_never_pass() {
    let (ca, leaf) = ca_and_leaf();
    let responder = ca.responder(|_| {});
    let answers = [ca.answer(&leaf).der(), ca.answer(&leaf).signed_by(&responder).der()];
    let mut mutator = Mutator::new(0x0c5b);
    for round in 0..20_000 {
        let mut bytes = answers[round % answers.len()].clone();
        let mutations = mutator.mutate_some(&mut bytes, 4);
        if answers.contains(&bytes) {
            continue; // One mutation undid another.
        }
        assert!(status(&bytes, &leaf, &ca.issuer(), now_and(0)).is_err(), "{mutations:?}");
    }
}
