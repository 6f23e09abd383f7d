//! A certification authority for tests, minted anew for every [`Pki`].
//!
//! ```
//! use opensspi_test_support::Pki;
//!
//! let pki = Pki::new();
//! let server = pki.server("localhost").issue();
//! let alice = pki.client("alice").rsa_2048().intermediate().issue();
//! assert_eq!(server.chain_der().len(), 1);
//! assert_eq!(alice.chain_der().len(), 2);
//! assert!(pki.root_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! ```
//!
//! What is not made expired or not yet valid is valid from 2024 to 2043: both [`FixedClock`](crate::FixedClock) and
//! real peers, which look at the real clock, accept it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fmt, fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData, RevocationReason, RevokedCertParams,
    SanType, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use ring::digest;

use crate::{der, pem};

/// A root and everything it issues.
#[derive(Clone, Debug)]
pub struct Pki {
    root: Authority,
}

impl Pki {
    /// A new root named "OpenSSPI Test Root" with its own ECDSA P-256 key.
    pub fn new() -> Self {
        Self::named("OpenSSPI Test Root")
    }

    /// A new root with a name of its own: a second PKI, unknown to whoever trusts the first. (Two of the same name are
    /// told apart by their signatures only, which is another error.)
    pub fn named(common_name: &str) -> Self {
        Self { root: Authority::new(common_name, None) }
    }

    /// The root as an authority.
    pub fn root(&self) -> &Authority {
        &self.root
    }

    /// The root certificate in DER.
    pub fn root_der(&self) -> &[u8] {
        self.root.certificate_der()
    }

    /// The root certificate in PEM.
    pub fn root_pem(&self) -> String {
        self.root.certificate_pem()
    }

    /// A server certificate: CN `name`, extendedKeyUsage serverAuth, ECDSA P-256. Its names are `name` and, if that is
    /// `localhost`, also 127.0.0.1 and ::1.
    pub fn server(&self, name: &str) -> CertificateBuilder {
        let builder = self.builder(name, Some(ExtendedKeyUsagePurpose::ServerAuth));
        match name {
            "localhost" => builder.names(&[name, "127.0.0.1", "::1"]),
            _ => builder.names(&[name]),
        }
    }

    /// A client certificate: CN `name`, extendedKeyUsage clientAuth, ECDSA P-256, no subjectAltName until
    /// [`names`](CertificateBuilder::names), [`email`](CertificateBuilder::email) or
    /// [`upn`](CertificateBuilder::upn) add one.
    pub fn client(&self, name: &str) -> CertificateBuilder {
        self.builder(name, Some(ExtendedKeyUsagePurpose::ClientAuth))
    }

    /// A CRL of the root that revokes these, which the root must have issued. Without any it revokes nothing. What an
    /// intermediate issued is revoked by `certificate.issuer().crl(…)`.
    pub fn crl(&self, revoked: &[&TestCertificate]) -> Crl {
        self.root.crl(revoked)
    }

    fn builder(&self, name: &str, usage: Option<ExtendedKeyUsagePurpose>) -> CertificateBuilder {
        CertificateBuilder {
            root: self.root.clone(),
            name: name.to_owned(),
            alternative_names: Vec::new(),
            usage,
            key: KeyType::EcdsaP256,
            valid: VALID,
            intermediates: 0,
            self_signed: false,
            signs: true,
        }
    }
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

/// Someone who signs certificates, CRLs and OCSP responses: a root or an intermediate, always ECDSA P-256.
#[derive(Clone)]
pub struct Authority(Arc<AuthorityParts>);

struct AuthorityParts {
    params: CertificateParams,
    key: KeyPair,
    certificate: Vec<u8>,
    issuer: Option<Authority>,
}

impl Authority {
    fn new(common_name: &str, issuer: Option<&Authority>) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = parameters(common_name, VALID, key.public_key_raw());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate = match issuer {
            Some(issuer) => {
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, &issuer.as_issuer())
            }
            None => params.self_signed(&key),
        };
        let certificate = certificate.unwrap().der().to_vec();
        Self(Arc::new(AuthorityParts { params, key, certificate, issuer: issuer.cloned() }))
    }

    /// Its certificate in DER.
    pub fn certificate_der(&self) -> &[u8] {
        &self.0.certificate
    }

    /// Its certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.0.certificate)
    }

    /// Who issued its certificate; nobody for a root.
    pub fn issuer(&self) -> Option<&Authority> {
        self.0.issuer.as_ref()
    }

    /// A CRL, valid as long as the certificates are, that revokes these since 2025-01-01 for key compromise.
    pub fn crl(&self, revoked: &[&TestCertificate]) -> Crl {
        self.crl_between(revoked, at(VALID.from), at(VALID.to))
    }

    /// The same with a thisUpdate and a nextUpdate, for CRLs that are out of date.
    pub fn crl_between(
        &self,
        revoked: &[&TestCertificate],
        this_update: SystemTime,
        next_update: SystemTime,
    ) -> Crl {
        let revoked_certs = revoked.iter().map(|certificate| {
            assert!(
                certificate.issuer().0.certificate == self.0.certificate,
                "{} was issued by another authority: ask certificate.issuer() for the CRL",
                certificate.name()
            );
            RevokedCertParams {
                serial_number: SerialNumber::from_slice(certificate.serial()),
                revocation_time: date_time_ymd(2025, 1, 1),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            }
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(1970, 1, 1) + since_1970(this_update),
            next_update: date_time_ymd(1970, 1, 1) + since_1970(next_update),
            crl_number: SerialNumber::from(NUMBER.fetch_add(1, Ordering::Relaxed)),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Crl { der: params.signed_by(&self.as_issuer()).unwrap().der().to_vec() }
    }

    /// Its subject as a DER Name.
    pub(crate) fn subject(&self) -> Vec<u8> {
        self.subject_and_key().0
    }

    /// The contents of subjectPublicKey, without the BIT STRING's count of unused bits.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.subject_and_key().1
    }

    /// An ECDSA-P256-SHA256 signature, as DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        rcgen::SigningKey::sign(&self.0.key, message).unwrap()
    }

    fn subject_and_key(&self) -> (Vec<u8>, Vec<u8>) {
        let certificate = der::elements(&self.0.certificate);
        let tbs = der::elements(der::elements(certificate[0].content)[0].content);
        // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
        let key = der::elements(tbs[6].content)[1].content[1..].to_vec();
        (tbs[5].whole.to_vec(), key)
    }

    fn as_issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.0.params, &self.0.key)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({:?})", self.0.params.distinguished_name.get(&DnType::CommonName))
    }
}

/// A certificate to be issued; [`issue`](Self::issue) does it.
#[derive(Clone, Debug)]
#[must_use = "nothing is issued before issue()"]
pub struct CertificateBuilder {
    root: Authority,
    name: String,
    alternative_names: Vec<SanType>,
    usage: Option<ExtendedKeyUsagePurpose>,
    key: KeyType,
    valid: Validity,
    intermediates: usize,
    self_signed: bool,
    signs: bool,
}

impl CertificateBuilder {
    /// The DNS names and IP addresses, in place of those it has.
    pub fn names(mut self, names: &[&str]) -> Self {
        self.alternative_names.retain(|name| !matches!(name, SanType::DnsName(_) | SanType::IpAddress(_)));
        self.alternative_names.extend(names.iter().map(|name| match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*name).try_into().unwrap()),
        }));
        self
    }

    /// Adds an e-mail address as a subjectAltName.
    pub fn email(mut self, address: &str) -> Self {
        self.alternative_names.push(SanType::Rfc822Name(address.try_into().unwrap()));
        self
    }

    /// Adds a user principal name, `alice@EXAMPLE.TEST`, as an otherName of Microsoft's type 1.3.6.1.4.1.311.20.2.3.
    pub fn upn(mut self, name: &str) -> Self {
        self.alternative_names.push(SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], name.into())));
        self
    }

    /// Valid in 2020 only.
    pub fn expired(mut self) -> Self {
        self.valid = Validity { from: 1_577_836_800, to: 1_609_459_199 };
        self
    }

    /// Valid from 2044 to 2046 only.
    pub fn not_yet_valid(mut self) -> Self {
        self.valid = Validity { from: 2_335_219_200, to: 2_398_377_599 };
        self
    }

    /// Valid between these times, whole seconds.
    pub fn valid_between(mut self, from: SystemTime, to: SystemTime) -> Self {
        self.valid = Validity { from: since_1970(from).as_secs(), to: since_1970(to).as_secs() };
        self
    }

    /// A new ECDSA P-256 key; so it is if nothing else is said.
    pub fn ecdsa_p256(mut self) -> Self {
        self.key = KeyType::EcdsaP256;
        self
    }

    /// A new ECDSA P-384 key.
    pub fn ecdsa_p384(mut self) -> Self {
        self.key = KeyType::EcdsaP384;
        self
    }

    /// A new Ed25519 key.
    pub fn ed25519(mut self) -> Self {
        self.key = KeyType::Ed25519;
        self
    }

    /// The RSA key of 2048 bits of these tests: the same in every certificate.
    pub fn rsa_2048(mut self) -> Self {
        self.key = KeyType::Rsa(include_bytes!("../testdata/rsa2048.pk8"));
        self
    }

    /// The RSA key of 4096 bits of these tests.
    pub fn rsa_4096(mut self) -> Self {
        self.key = KeyType::Rsa(include_bytes!("../testdata/rsa4096.pk8"));
        self
    }

    /// The RSA key of 1024 bits of these tests, which safe policies refuse.
    pub fn rsa_1024(mut self) -> Self {
        self.key = KeyType::Rsa(include_bytes!("../testdata/rsa1024.pk8"));
        self
    }

    /// Issued by an intermediate, which the chain carries. Said twice, by two of them.
    pub fn intermediate(mut self) -> Self {
        self.intermediates += 1;
        self
    }

    /// extendedKeyUsage serverAuth only.
    pub fn server_auth_only(mut self) -> Self {
        self.usage = Some(ExtendedKeyUsagePurpose::ServerAuth);
        self
    }

    /// extendedKeyUsage clientAuth only: on a [`Pki::server`], a certificate of the right name and the wrong usage.
    pub fn client_auth_only(mut self) -> Self {
        self.usage = Some(ExtendedKeyUsagePurpose::ClientAuth);
        self
    }

    /// No extendedKeyUsage at all.
    pub fn any_usage(mut self) -> Self {
        self.usage = None;
        self
    }

    /// keyUsage without digitalSignature: what an RSA key decrypts, or another agrees on, but nothing signed.
    pub fn signs_nothing(mut self) -> Self {
        self.signs = false;
        self
    }

    /// Signed with its own key in place of the PKI's. Not with an RSA key of 1024 bits, for which there is no signer.
    pub fn self_signed(mut self) -> Self {
        self.self_signed = true;
        self
    }

    /// Mints it.
    pub fn issue(self) -> TestCertificate {
        let key = self.key.key();
        let mut params = parameters(&self.name, self.valid, self.root.0.key.public_key_raw());
        params.subject_alt_names = self.alternative_names;
        params.extended_key_usages = self.usage.into_iter().collect();
        params.key_usages = vec![match self.key {
            KeyType::Rsa(_) => KeyUsagePurpose::KeyEncipherment,
            _ => KeyUsagePurpose::KeyAgreement,
        }];
        if self.signs {
            let is_rsa = matches!(self.key, KeyType::Rsa(_));
            params.key_usages.retain(|_| is_rsa);
            params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        let serial = params.serial_number.as_ref().unwrap().to_bytes();

        let (issuer, chain) = if self.self_signed {
            let pair = key.pair.as_ref().expect("a key of 1024 bits signs nothing here");
            let certificate = params.self_signed(pair).unwrap().der().to_vec();
            (None, vec![certificate])
        } else {
            let issuer = (1..=self.intermediates).fold(self.root, |issuer, n| {
                Authority::new(&format!("OpenSSPI Test Intermediate {n}"), Some(&issuer))
            });
            params.use_authority_key_identifier_extension = true;
            let leaf = params.signed_by(&key, &issuer.as_issuer()).unwrap().der().to_vec();
            let mut chain = vec![leaf];
            let mut next = &issuer;
            while let Some(above) = next.issuer() {
                chain.push(next.certificate_der().to_vec());
                next = above;
            }
            (Some(issuer), chain)
        };
        TestCertificate(Arc::new(Issued { name: self.name, chain, key: key.pkcs8, serial, issuer }))
    }
}

/// A certificate that was issued, with its chain and its private key.
#[derive(Clone)]
pub struct TestCertificate(Arc<Issued>);

struct Issued {
    name: String,
    chain: Vec<Vec<u8>>,
    key: Vec<u8>,
    serial: Vec<u8>,
    issuer: Option<Authority>,
}

impl TestCertificate {
    /// One that was minted elsewhere, without an authority.
    pub(crate) fn of(name: &str, chain: Vec<Vec<u8>>, key: Vec<u8>, serial: Vec<u8>) -> Self {
        Self(Arc::new(Issued { name: name.to_owned(), chain, key, serial, issuer: None }))
    }

    /// The common name of its subject.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The leaf in DER.
    pub fn leaf_der(&self) -> &[u8] {
        &self.0.chain[0]
    }

    /// The leaf and its intermediates in DER, leaf first, without the root.
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.0.chain
    }

    /// The leaf and its intermediates in PEM, leaf first, without the root.
    pub fn chain_pem(&self) -> String {
        self.0.chain.iter().map(|der| pem::encode("CERTIFICATE", der)).collect()
    }

    /// The intermediates alone in PEM, for peers that take them apart from the leaf; empty without any.
    pub fn intermediates_pem(&self) -> String {
        self.0.chain[1..].iter().map(|der| pem::encode("CERTIFICATE", der)).collect()
    }

    /// The private key as PKCS#8 in DER.
    pub fn key_der(&self) -> &[u8] {
        &self.0.key
    }

    /// The private key as PKCS#8 in PEM.
    pub fn key_pem(&self) -> String {
        pem::encode("PRIVATE KEY", &self.0.key)
    }

    /// The serial number, big-endian, without leading zeros.
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// SHA-256 of the leaf, its "fingerprint".
    pub fn sha256(&self) -> [u8; 32] {
        digest::digest(&digest::SHA256, self.leaf_der()).as_ref().try_into().unwrap()
    }

    /// Who issued the leaf: the root, or the last intermediate.
    ///
    /// # Panics
    ///
    /// If it signed itself, or was not minted by an [`Authority`].
    pub fn issuer(&self) -> &Authority {
        self.0.issuer.as_ref().expect("a certificate without an authority above it")
    }

    /// Writes `<name>.pem` (the chain) and `<name>.key` into `folder`, with everything in the name but letters, digits
    /// and `.-_` made `_`.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn write_to(&self, folder: &Path) -> io::Result<CertificateFiles> {
        let safe = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' };
        self.write_as(folder, &self.0.name.chars().map(safe).collect::<String>())
    }

    /// The same under a name of one's own.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn write_as(&self, folder: &Path, stem: &str) -> io::Result<CertificateFiles> {
        let files = CertificateFiles {
            chain: folder.join(format!("{stem}.pem")),
            key: folder.join(format!("{stem}.key")),
        };
        fs::write(&files.chain, self.chain_pem())?;
        fs::write(&files.key, self.key_pem())?;
        Ok(files)
    }
}

impl fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCertificate").field("name", &self.0.name).field("issuer", &self.0.issuer).finish()
    }
}

/// Where [`TestCertificate::write_to`] put things.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The chain in PEM, leaf first.
    pub chain: PathBuf,
    /// The private key as PKCS#8 in PEM.
    pub key: PathBuf,
}

/// A certificate revocation list.
#[derive(Clone, Debug)]
pub struct Crl {
    der: Vec<u8>,
}

impl Crl {
    pub(crate) fn of(der: Vec<u8>) -> Self {
        Self { der }
    }

    /// In DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// In PEM.
    pub fn pem(&self) -> String {
        pem::encode("X509 CRL", &self.der)
    }
}

#[derive(Clone, Copy, Debug)]
enum KeyType {
    EcdsaP256,
    EcdsaP384,
    Ed25519,
    /// PKCS#8 in DER.
    Rsa(&'static [u8]),
}

impl KeyType {
    fn key(self) -> LeafKey {
        let pkcs8 = match self {
            Self::EcdsaP256 => return LeafKey::generate(&rcgen::PKCS_ECDSA_P256_SHA256),
            Self::EcdsaP384 => return LeafKey::generate(&rcgen::PKCS_ECDSA_P384_SHA384),
            Self::Ed25519 => return LeafKey::generate(&rcgen::PKCS_ED25519),
            Self::Rsa(pkcs8) => pkcs8,
        };
        // PKCS#8 { version, algorithm, OCTET STRING { version, n, e, … } } to RSAPublicKey { n, e }.
        let private = der::elements(der::elements(pkcs8)[0].content)[2].content;
        let numbers = der::elements(der::elements(private)[0].content);
        LeafKey {
            algorithm: &rcgen::PKCS_RSA_SHA256,
            public: der::sequence(&[numbers[1].whole, numbers[2].whole]),
            pkcs8: pkcs8.to_vec(),
            // None for 1024 bits, with which ring refuses to sign; to be certified it need not.
            pair: KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.into(), &rcgen::PKCS_RSA_SHA256).ok(),
        }
    }
}

struct LeafKey {
    algorithm: &'static SignatureAlgorithm,
    public: Vec<u8>,
    pkcs8: Vec<u8>,
    pair: Option<KeyPair>,
}

impl LeafKey {
    fn generate(algorithm: &'static SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        Self {
            algorithm,
            public: pair.public_key_raw().to_vec(),
            pkcs8: pair.serialize_der(),
            pair: Some(pair),
        }
    }
}

impl PublicKeyData for LeafKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// Seconds since 1970, both included.
#[derive(Clone, Copy, Debug)]
struct Validity {
    from: u64,
    to: u64,
}

/// 2024-01-01T00:00:00Z to 2043-12-31T23:59:59Z.
const VALID: Validity = Validity { from: 1_704_067_200, to: 2_335_219_199 };

/// Makes serial numbers differ within a PKI.
static NUMBER: AtomicU64 = AtomicU64::new(1);

fn parameters(common_name: &str, valid: Validity, random: &[u8]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(valid.from);
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(valid.to);
    params.serial_number = Some(serial_number(random));
    params
}

/// 16 bytes, positive, the first not zero. Peers such as NSS refuse two certificates of one issuer with one number, and
/// roots of the same name are one issuer to them, in other processes too: hence a key that is new in each.
fn serial_number(random: &[u8]) -> SerialNumber {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    context.update(random);
    let mut bytes: [u8; 16] = context.finish().as_ref()[..16].try_into().unwrap();
    bytes[0] = bytes[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).expect("a time after 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_is_certified_under_its_own_serial_number() {
        let pki = Pki::new();
        let certificates = [
            pki.server("localhost").issue(),
            pki.server("localhost").ecdsa_p384().issue(),
            pki.server("localhost").ed25519().issue(),
            pki.server("localhost").rsa_1024().issue(),
            pki.server("localhost").rsa_2048().issue(),
            pki.client("alice").rsa_2048().upn("alice@EXAMPLE.TEST").email("alice@example.test").issue(),
            pki.client("alice").rsa_4096().issue(),
        ];
        for (n, certificate) in certificates.iter().enumerate() {
            assert_eq!(certificate.serial().len(), 16);
            assert!(certificates[..n].iter().all(|other| other.serial() != certificate.serial()));
            assert!(certificate.key_pem().starts_with("-----BEGIN PRIVATE KEY-----"));
        }
    }

    #[test]
    fn chains_carry_intermediates_but_not_the_root() {
        let pki = Pki::new();
        let certificate = pki.server("localhost").intermediate().intermediate().issue();
        assert_eq!(certificate.chain_der().len(), 3);
        assert_eq!(certificate.issuer().certificate_der(), certificate.chain_der()[1]);
        assert!(certificate.chain_der().iter().all(|der| der != pki.root_der()));
        assert_eq!(certificate.chain_pem().matches("BEGIN CERTIFICATE").count(), 3);
    }

    #[test]
    fn a_crl_names_the_revoked_and_nobody_else() {
        let pki = Pki::new();
        let (good, bad) = (pki.server("localhost").issue(), pki.server("localhost").issue());
        let crl = pki.crl(&[&bad]);
        let names = |serial: &[u8]| crl.der().windows(serial.len()).any(|window| window == serial);
        assert!(names(bad.serial()));
        assert!(!names(good.serial()));
        assert!(pki.crl(&[]).der().len() < crl.der().len());
        assert!(crl.pem().starts_with("-----BEGIN X509 CRL-----"));
    }

    #[test]
    #[should_panic(expected = "issued by another authority")]
    fn an_authority_revokes_only_what_it_issued() {
        let pki = Pki::new();
        pki.crl(&[&pki.server("localhost").intermediate().issue()]);
    }

    #[test]
    fn files_are_named_after_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Pki::new().client("Alice / Example").issue();
        let files = certificate.write_to(folder.path()).unwrap();
        assert_eq!(files.chain.file_name().unwrap(), "Alice___Example.pem");
        assert_eq!(fs::read_to_string(files.key).unwrap(), certificate.key_pem());
    }
}
