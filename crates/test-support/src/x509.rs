//! Certificates and revocation lists as there were and are, of any age, and as there should be none: signed by our own
//! hand, since no library makes them any more. The same in every run.
//!
//! ```
//! use opensspi_test_support::x509::{Draft, TestKey};
//!
//! let root = Draft::authority("Old Root", TestKey::Rsa1024Issuer).v1().md5().self_signed();
//! let server = Draft::server("old.test", TestKey::Rsa1024).common_name_only().md5().signed_by(&root);
//! let certificate = server.with_chain(&[]);
//! assert_eq!(certificate.chain_der(), [server.der()]);
//! ```
//!
//! What nothing else is said of is of version 3, signed with SHA-256, and valid from 2024 to 2043. A server's certificate
//! has its name in subjectAltName too, and serverAuth in extendedKeyUsage; a client's has clientAuth.

mod accounts;
mod key;
mod list;

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crypto::hash::Hash;

use crate::der::{self, context, context_primitive, sequence, tlv};
use crate::pem;
use crate::pki::TestCertificate;
use key::Signing;

pub use key::TestKey;
pub use list::ListDraft;

/// BOOLEAN.
const BOOLEAN: u8 = 0x01;
/// SET.
const SET: u8 = 0x31;
/// UTF8String.
const UTF8_STRING: u8 = 0x0c;

/// The content of commonName's object identifier.
pub const COMMON_NAME: &[u8] = &[0x55, 4, 3];
/// The content of organizationName's object identifier.
pub const ORGANIZATION: &[u8] = &[0x55, 4, 10];

/// Extensions by the last number of their object identifier, 2.5.29.n.
pub mod extension {
    /// keyUsage.
    pub const KEY_USAGE: u8 = 15;
    /// subjectAltName.
    pub const SUBJECT_ALT_NAME: u8 = 17;
    /// basicConstraints.
    pub const BASIC_CONSTRAINTS: u8 = 19;
    /// nameConstraints.
    pub const NAME_CONSTRAINTS: u8 = 30;
    /// certificatePolicies.
    pub const CERTIFICATE_POLICIES: u8 = 32;
    /// extKeyUsage.
    pub const EXT_KEY_USAGE: u8 = 37;
}

/// Bits of keyUsage, in its first byte.
pub mod usage {
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: u8 = 0x80;
    /// nonRepudiation.
    pub const NON_REPUDIATION: u8 = 0x40;
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: u8 = 0x20;
    /// keyCertSign.
    pub const KEY_CERT_SIGN: u8 = 0x04;
    /// cRLSign.
    pub const CRL_SIGN: u8 = 0x02;
}

/// Purposes by the last number of their object identifier, 1.3.6.1.5.5.7.3.n.
pub mod purpose {
    /// serverAuth.
    pub const SERVER_AUTH: u8 = 1;
    /// clientAuth.
    pub const CLIENT_AUTH: u8 = 2;
    /// OCSPSigning.
    pub const OCSP_SIGNING: u8 = 9;
}

/// A GeneralName, or the base of a constraint on names.
#[derive(Clone, Debug)]
pub enum GeneralName {
    /// rfc822Name.
    Email(String),
    /// dNSName, of any bytes.
    Dns(Vec<u8>),
    /// directoryName: a Name, whole.
    Directory(Vec<u8>),
    /// uniformResourceIdentifier.
    Uri(String),
    /// iPAddress: 4 or 16 bytes, or twice as many for an address with its mask.
    Ip(Vec<u8>),
    /// otherName: the content of its type's object identifier, and its value, whole.
    Other(Vec<u8>, Vec<u8>),
}

impl GeneralName {
    /// A dNSName, or an iPAddress where it is one.
    pub fn host(name: &str) -> Self {
        match name.parse() {
            Ok(IpAddr::V4(address)) => Self::Ip(address.octets().to_vec()),
            Ok(IpAddr::V6(address)) => Self::Ip(address.octets().to_vec()),
            Err(_) => Self::Dns(name.as_bytes().to_vec()),
        }
    }

    fn der(&self) -> Vec<u8> {
        match self {
            Self::Email(address) => tlv(context_primitive(1), address.as_bytes()),
            Self::Dns(name) => tlv(context_primitive(2), name),
            Self::Directory(name) => tlv(context(4), name),
            Self::Uri(uri) => tlv(context_primitive(6), uri.as_bytes()),
            Self::Ip(bytes) => tlv(context_primitive(7), bytes),
            Self::Other(kind, value) => {
                let kind = tlv(der::OBJECT_IDENTIFIER, kind);
                tlv(context(0), &[kind, tlv(context(0), value)].concat())
            }
        }
    }
}

/// A Name of one value to each part, the most general first: type, string tag, value.
pub fn name(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
    let sets: Vec<Vec<u8>> = parts
        .iter()
        .map(|(kind, tag, value)| {
            tlv(SET, &sequence(&[&tlv(der::OBJECT_IDENTIFIER, kind), &tlv(*tag, value)]))
        })
        .collect();
    sequence(&sets.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// A certificate that is not yet signed.
#[derive(Clone, Debug)]
#[must_use = "nothing is minted before it is signed"]
pub struct Draft {
    label: String,
    /// 1, 2 or 3.
    version: u8,
    serial: Option<Vec<u8>>,
    subject: Vec<u8>,
    key: TestKey,
    /// Two elements.
    validity: (Vec<u8>, Vec<u8>),
    /// Object identifier, whether critical, value.
    extensions: Vec<(Vec<u8>, bool, Vec<u8>)>,
    signing: Signing,
    has_null: bool,
    signed_algorithm: Option<Vec<u8>>,
    is_loose: bool,
}

impl Draft {
    /// A root or an intermediate: basicConstraints and keyUsage say so, both critical.
    pub fn authority(common_name: &str, key: TestKey) -> Self {
        Self::new(common_name, key)
            .basic_constraints(true, None)
            .key_usage(usage::KEY_CERT_SIGN | usage::CRL_SIGN | usage::DIGITAL_SIGNATURE)
    }

    /// A server of this name or address.
    pub fn server(host: &str, key: TestKey) -> Self {
        Self::new(host, key).names(&[host]).purposes(&[purpose::SERVER_AUTH])
    }

    /// A client.
    pub fn client(common_name: &str, key: TestKey) -> Self {
        Self::new(common_name, key).purposes(&[purpose::CLIENT_AUTH])
    }

    fn new(common_name: &str, key: TestKey) -> Self {
        let times = [VALID.0, VALID.1].map(utc_time);
        Self {
            label: common_name.to_owned(),
            version: 3,
            serial: None,
            subject: name(&[(COMMON_NAME, UTF8_STRING, common_name.as_bytes())]),
            key,
            validity: times.into(),
            extensions: Vec::new(),
            signing: Signing { hash: Hash::Sha256, is_pss: false },
            has_null: true,
            signed_algorithm: None,
            is_loose: false,
        }
    }

    /// Of version 1, which has no extensions.
    pub fn v1(mut self) -> Self {
        self.version = 1;
        self.extensions.clear();
        self
    }

    /// Of this version, whatever else is in it.
    pub fn version(mut self, version: u8) -> Self {
        self.version = version;
        self
    }

    /// Signed over the MD5.
    pub fn md5(self) -> Self {
        self.hash(Hash::Md5)
    }

    /// Signed over the SHA-1.
    pub fn sha1(self) -> Self {
        self.hash(Hash::Sha1)
    }

    /// Signed over this hash.
    pub fn hash(mut self, hash: Hash) -> Self {
        self.signing.hash = hash;
        self
    }

    /// Signed with RSASSA-PSS, if it is RSA that signs.
    pub fn pss(mut self) -> Self {
        self.signing.is_pss = true;
        self
    }

    /// The names in subjectAltName, in place of those it has.
    pub fn names(self, names: &[&str]) -> Self {
        self.general_names(&names.iter().map(|name| GeneralName::host(name)).collect::<Vec<_>>())
    }

    /// The names in subjectAltName, in place of those it has.
    pub fn general_names(self, names: &[GeneralName]) -> Self {
        let names: Vec<u8> = names.iter().flat_map(GeneralName::der).collect();
        self.extension(extension::SUBJECT_ALT_NAME, false, &tlv(der::SEQUENCE, &names))
    }

    /// No subjectAltName.
    pub fn common_name_only(self) -> Self {
        self.without(extension::SUBJECT_ALT_NAME)
    }

    /// The subject: see [`name`].
    pub fn subject(mut self, subject: Vec<u8>) -> Self {
        self.subject = subject;
        self
    }

    /// The content of the serial number, which need not be a sensible one.
    pub fn serial(mut self, content: &[u8]) -> Self {
        self.serial = Some(content.to_vec());
        self
    }

    /// Valid in 2020 only.
    pub fn expired(self) -> Self {
        self.valid(utc_time(1_577_836_800), utc_time(1_609_459_199))
    }

    /// Valid from 2044 to 2046 only.
    pub fn not_yet_valid(self) -> Self {
        self.valid(utc_time(2_335_219_200), utc_time(2_398_377_599))
    }

    /// Valid from 2024 to 2043, in times without seconds.
    pub fn times_without_seconds(self) -> Self {
        self.valid(tlv(UTC_TIME, b"2401010000Z"), tlv(UTC_TIME, b"4312312359Z"))
    }

    fn valid(mut self, from: Vec<u8>, to: Vec<u8>) -> Self {
        self.validity = (from, to);
        self
    }

    /// basicConstraints, critical.
    pub fn basic_constraints(self, is_ca: bool, path_length: Option<u8>) -> Self {
        let ca = if is_ca { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
        let length = path_length.map_or(Vec::new(), |length| der::unsigned(&[length]));
        self.extension(extension::BASIC_CONSTRAINTS, true, &sequence(&[&ca, &length]))
    }

    /// keyUsage, critical.
    pub fn key_usage(self, bits: u8) -> Self {
        let unused = bits.trailing_zeros().min(7) as u8;
        self.extension(extension::KEY_USAGE, true, &tlv(der::BIT_STRING, &[unused, bits]))
    }

    /// extendedKeyUsage.
    pub fn purposes(self, purposes: &[u8]) -> Self {
        let oid = |last: &u8| tlv(der::OBJECT_IDENTIFIER, &[0x2b, 6, 1, 5, 5, 7, 3, *last]);
        let list: Vec<u8> = purposes.iter().flat_map(oid).collect();
        self.extension(extension::EXT_KEY_USAGE, false, &tlv(der::SEQUENCE, &list))
    }

    /// nameConstraints, critical.
    pub fn name_constraints(self, permitted: &[GeneralName], excluded: &[GeneralName]) -> Self {
        let subtrees = |number, names: &[GeneralName]| {
            let list: Vec<u8> = names.iter().flat_map(|name| sequence(&[&name.der()])).collect();
            if list.is_empty() { list } else { tlv(context(number), &list) }
        };
        let value = sequence(&[&subtrees(0, permitted), &subtrees(1, excluded)]);
        self.extension(extension::NAME_CONSTRAINTS, true, &value)
    }

    /// The extension 2.5.29.`last`, in place of the one it has.
    pub fn extension(self, last: u8, critical: bool, value: &[u8]) -> Self {
        self.without(last).another_extension(&[0x55, 0x1d, last], critical, value)
    }

    /// One more extension, even if there is one of its kind.
    pub fn another_extension(mut self, oid: &[u8], critical: bool, value: &[u8]) -> Self {
        self.extensions.push((oid.to_vec(), critical, value.to_vec()));
        self
    }

    /// Without the extension 2.5.29.`last`.
    pub fn without(mut self, last: u8) -> Self {
        self.extensions.retain(|(oid, ..)| *oid != [0x55, 0x1d, last]);
        self
    }

    /// Without the NULL in the signature's AlgorithmIdentifier, which many left out.
    pub fn without_null(mut self) -> Self {
        self.has_null = false;
        self
    }

    /// With another AlgorithmIdentifier, whole, under the signature than outside of it.
    pub fn signed_algorithm(mut self, identifier: &[u8]) -> Self {
        self.signed_algorithm = Some(identifier.to_vec());
        self
    }

    /// With lengths that are longer than need be, in the certificate and its list of extensions.
    pub fn loose_lengths(mut self) -> Self {
        self.is_loose = true;
        self
    }

    /// Signed with its own key.
    pub fn self_signed(self) -> Minted {
        let (subject, key) = (self.subject.clone(), self.key);
        self.sign(&subject, key)
    }

    /// Signed by this one, whether it may or not.
    pub fn signed_by(self, issuer: &Minted) -> Minted {
        self.sign(&issuer.subject, issuer.key)
    }

    fn sign(self, issuer: &[u8], by: TestKey) -> Minted {
        let wrap = |parts: &[&[u8]]| match self.is_loose {
            true => loose_sequence(&parts.concat()),
            false => sequence(parts),
        };
        let mut algorithm = by.algorithm(self.signing);
        if !self.has_null {
            let oid = der::elements(der::elements(&algorithm)[0].content)[0].whole.to_vec();
            algorithm = sequence(&[&oid]);
        }
        let key = self.key.public_der();
        let validity = sequence(&[&self.validity.0, &self.validity.1]);
        let version = match self.version {
            1 => Vec::new(),
            number => tlv(context(0), &der::unsigned(&[number - 1])),
        };
        let critical = |critical| if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
        let extensions = self.extensions.iter().map(|(oid, is_critical, value)| {
            let (oid, value) = (tlv(der::OBJECT_IDENTIFIER, oid), tlv(der::OCTET_STRING, value));
            sequence(&[&oid, &critical(*is_critical), &value])
        });
        let extensions: Vec<u8> = extensions.flatten().collect();
        let extensions = match extensions.is_empty() {
            true => Vec::new(),
            false => tlv(context(3), &wrap(&[&extensions])),
        };
        let signed_algorithm = self.signed_algorithm.clone().unwrap_or_else(|| algorithm.clone());
        let rest = [&signed_algorithm[..], issuer, &validity, &self.subject, &key, &extensions].concat();
        let serial = self.serial.clone().unwrap_or_else(|| {
            // What is in a certificate decides its number: two that differ have different ones.
            let hash = Hash::Sha256.digest(&rest);
            [&[0x41], &hash.as_ref()[..15]].concat()
        });
        let tbs = wrap(&[&version, &tlv(der::INTEGER, &serial), &rest]);
        let signature = der::bit_string(&by.sign(self.signing, &tbs));
        let der = wrap(&[&tbs, &algorithm, &signature]);
        Minted { label: self.label, der, subject: self.subject, key: self.key, serial }
    }
}

/// A certificate that was minted, with its key.
#[derive(Clone, Debug)]
pub struct Minted {
    label: String,
    der: Vec<u8>,
    subject: Vec<u8>,
    key: TestKey,
    serial: Vec<u8>,
}

impl Minted {
    /// In DER, or nearly.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// In PEM.
    pub fn pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// Its key.
    pub fn key(&self) -> TestKey {
        self.key
    }

    /// Its subject, a Name, whole.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The content of its serial number.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// It with its intermediates behind it, as a server or a client shows them, with its key. It has no
    /// [`issuer`](TestCertificate::issuer).
    pub fn with_chain(&self, intermediates: &[&Minted]) -> TestCertificate {
        let chain = [self].into_iter().chain(intermediates.iter().copied()).map(|c| c.der.clone()).collect();
        TestCertificate::of(&self.label, chain, self.key.pkcs8().to_vec(), self.serial.clone())
    }
}

/// UTCTime.
const UTC_TIME: u8 = 0x17;

/// 2024-01-01T00:00:00Z to 2043-12-31T23:59:59Z.
const VALID: (u64, u64) = (1_704_067_200, 2_335_219_199);

/// The element of a time in seconds since 1970, before 2050.
fn utc_time(seconds: u64) -> Vec<u8> {
    let generalized = der::generalized_time(UNIX_EPOCH + Duration::from_secs(seconds));
    // Without the tag, the length and the century.
    tlv(UTC_TIME, &generalized[4..])
}

fn utc_time_of(time: SystemTime) -> Vec<u8> {
    utc_time(time.duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs())
}

/// SEQUENCE with a length of four bytes, however short it is.
fn loose_sequence(content: &[u8]) -> Vec<u8> {
    [&[der::SEQUENCE, 0x84][..], &(content.len() as u32).to_be_bytes(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_the_same_in_every_run_and_differ_among_themselves() {
        let mint = |key, hash| Draft::server("a.test", key).hash(hash).self_signed();
        let all: Vec<Minted> = TestKey::ALL.iter().map(|key| mint(*key, Hash::Sha256)).collect();
        for (key, one) in TestKey::ALL.iter().zip(&all) {
            assert_eq!(mint(*key, Hash::Sha256).der(), one.der(), "{key:?}");
            assert_eq!(all.iter().filter(|other| other.serial() == one.serial()).count(), 1, "{key:?}");
        }
        assert_ne!(mint(TestKey::Rsa1024, Hash::Md5).serial(), mint(TestKey::Rsa1024, Hash::Sha1).serial());
    }

    #[test]
    fn signatures_hold_under_the_issuers_key() {
        use crypto::public_key::{PublicKey, SignatureScheme};
        let root = Draft::authority("root", TestKey::Dsa1024Issuer).sha1().self_signed();
        let leaf = Draft::server("a.test", TestKey::Rsa512).v1().sha1().signed_by(&root);
        let parts = der::elements(der::elements(leaf.der())[0].content);
        let key = PublicKey::from_spki_der(&TestKey::Dsa1024Issuer.public_der()).unwrap();
        let scheme = SignatureScheme::Dsa(Hash::Sha1);
        assert_eq!(key.verify(scheme, parts[0].whole, &parts[2].content[1..]), Ok(()));
        assert_eq!(der::elements(parts[0].content).len(), 6, "version 1: no version and no extensions");
        let shown = leaf.with_chain(&[&root]);
        assert_eq!(shown.chain_der(), [leaf.der(), root.der()]);
        assert_eq!(shown.key_der(), TestKey::Rsa512.pkcs8());
        assert!(leaf.pem().starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
