//! Real certificates, files as people have them, and both damaged.

use core::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use rustls_pki_types::PrivateKeyDer;
use test_support::{Mutator, Pki, SeededRandom, TestCertificate};

use super::der::{self, INTEGER, SEQUENCE, SET, UTC_TIME};
use super::pem::{self, PemError};
use super::summary::CertificateSummary;
use super::*;

fn certificates() -> Vec<TestCertificate> {
    let pki = Pki::new();
    vec![
        pki.server("localhost").issue(),
        pki.server("*.example.com").ecdsa_p384().intermediate().issue(),
        pki.client("alice").ed25519().upn("alice@EXAMPLE.TEST").email("alice@example.test").issue(),
        pki.server("rsa.test").rsa_2048().any_usage().issue(),
        pki.server("self.test").self_signed().issue(),
    ]
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
}

#[test]
fn summaries_say_what_the_certificate_says() {
    let pki = Pki::named("Root, \"quoted\"");
    let certificate = pki.server("localhost").issue();
    let summary = CertificateSummary::from_der(certificate.leaf_der()).unwrap();
    assert_eq!(summary.subject, "CN=localhost");
    assert_eq!(summary.issuer, r#"CN=Root\, \"quoted\""#);
    assert_eq!(summary.serial, certificate.serial().iter().map(|b| format!("{b:02x}")).collect::<String>());
    assert_eq!(summary.not_before, UNIX_EPOCH + Duration::from_secs(1_704_067_200));
    assert_eq!(summary.not_after, UNIX_EPOCH + Duration::from_secs(2_335_219_199));
    assert_eq!(summary.dns_names, ["localhost"]);
    assert_eq!(summary.ip_addresses, ["127.0.0.1", "::1"].map(|a| a.parse::<IpAddr>().unwrap()));
    assert_eq!(summary.key, "ECDSA P-256");
    assert_eq!(summary.signature, "ecdsa-with-SHA256");
    assert_eq!(summary.sha256, certificate.sha256());
    assert!(!summary.is_ca && !summary.self_issued);
    let root = CertificateSummary::from_der(pki.root_der()).unwrap();
    assert!(root.is_ca && root.self_issued);
    assert_eq!(root.subject, summary.issuer);
}

#[test]
fn keys_are_named() {
    let pki = Pki::new();
    let key =
        |certificate: TestCertificate| CertificateSummary::from_der(certificate.leaf_der()).unwrap().key;
    assert_eq!(key(pki.server("a.test").rsa_1024().issue()), "RSA 1024 bits");
    assert_eq!(key(pki.server("a.test").rsa_2048().issue()), "RSA 2048 bits");
    assert_eq!(key(pki.server("a.test").rsa_4096().issue()), "RSA 4096 bits");
    assert_eq!(key(pki.server("a.test").ecdsa_p384().issue()), "ECDSA P-384");
    assert_eq!(key(pki.server("a.test").ed25519().issue()), "Ed25519");
    let own = pki.server("a.test").rsa_2048().self_signed().issue();
    assert_eq!(CertificateSummary::from_der(own.leaf_der()).unwrap().signature, "sha256WithRSAEncryption");
}

#[test]
fn certificates_give_the_bytes_that_others_need() {
    let pki = Pki::new();
    let certificate = pki.server("localhost").intermediate().issue();
    let [leaf, intermediate] = certificate.chain_der() else { panic!("a chain of two") };
    assert_eq!(issuer_der(leaf), subject_der(intermediate));
    assert_eq!(issuer_der(intermediate), subject_der(pki.root_der()));
    assert_ne!(public_key_der(leaf), public_key_der(intermediate));
    assert_eq!(public_key_der(leaf).unwrap()[0], SEQUENCE);
    assert!(!is_self_issued(leaf) && !is_self_issued(intermediate) && is_self_issued(pki.root_der()));
    assert_eq!(end_point_hash(leaf), EndPointHash::Sha256);
    let own = pki.server("a.test").ecdsa_p384().self_signed().issue();
    assert_eq!(end_point_hash(own.leaf_der()), EndPointHash::Sha384);
    assert_eq!(validity(leaf).unwrap().0, UNIX_EPOCH + Duration::from_secs(1_704_067_200));
    for bytes in [b"".as_slice(), b"\x30\x00", b"text"] {
        assert_eq!((subject_der(bytes), issuer_der(bytes), public_key_der(bytes)), (None, None, None));
        assert!(!is_self_issued(bytes));
        assert_eq!(end_point_hash(bytes), EndPointHash::Sha256);
    }
}

#[test]
fn certificates_of_version_1_are_read() {
    let name = |text: &[u8]| {
        let attribute = tlv(SEQUENCE, &[&[6, 3, 0x55, 4, 3], tlv(0x14, text).as_slice()].concat());
        tlv(SEQUENCE, &tlv(SET, &attribute))
    };
    let ed25519 = tlv(SEQUENCE, &[6, 3, 0x2b, 0x65, 0x70]);
    let validity =
        tlv(SEQUENCE, &[tlv(UTC_TIME, b"700101000000Z"), tlv(UTC_TIME, b"991231235959Z")].concat());
    let key = tlv(SEQUENCE, &[&ed25519[..], &[3, 2, 0, 9]].concat());
    let tbs =
        [tlv(INTEGER, &[0, 0x81]), ed25519.clone(), name(b"old"), validity, name(b"\xe9"), key].concat();
    let certificate = tlv(SEQUENCE, &[&tlv(SEQUENCE, &tbs), &ed25519[..], &[3, 2, 0, 9]].concat());
    let summary = CertificateSummary::from_der(&certificate).unwrap();
    assert_eq!((summary.subject.as_str(), summary.issuer.as_str()), ("CN=é", "CN=old"));
    assert_eq!(summary.serial, "0081");
    assert_eq!(summary.not_before, UNIX_EPOCH);
    assert!(!summary.is_ca && summary.dns_names.is_empty());
}

#[test]
fn errors_name_the_field() {
    let der = certificates()[0].leaf_der().to_vec();
    for cut in 0..der.len() {
        let error = CertificateSummary::from_der(&der[..cut]).unwrap_err();
        assert_eq!(error, DecodeError::new("Certificate", Problem::Truncated), "cut at {cut}");
    }
    let error = CertificateSummary::from_der(&[&der[..], &[0]].concat()).unwrap_err();
    assert_eq!(error, DecodeError::new("Certificate", Problem::Trailing));
    assert_eq!(error.to_string(), "Certificate: something follows its end");
}

#[test]
fn files_hold_chains_in_pem_or_one_certificate_in_der() {
    let certificate = Pki::new().server("localhost").intermediate().issue();
    let text = certificate.chain_pem();
    assert_eq!(pem::certificates(text.as_bytes()).unwrap(), certificate.chain_der());
    assert_eq!(pem::certificates(certificate.leaf_der()).unwrap(), [certificate.leaf_der()]);
    let windows = format!("\u{feff}subject=localhost\r\n{}", text.replace('\n', "\r\n"));
    assert_eq!(pem::certificates(windows.as_bytes()).unwrap(), certificate.chain_der());
    let marked = format!("\u{feff}{text}");
    assert_eq!(
        pem::certificates(marked.as_bytes()).unwrap(),
        certificate.chain_der(),
        "the leaf comes first"
    );
    let mixed = format!("{}{text}", certificate.key_pem());
    assert_eq!(pem::certificates(mixed.as_bytes()).unwrap(), certificate.chain_der());
}

#[test]
fn files_without_what_is_wanted_are_refused() {
    let pki = Pki::new();
    let certificate = pki.server("localhost").issue();
    for file in ["", "nonsense", &certificate.key_pem()] {
        let error = pem::certificates(file.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "there is no certificate in it, neither in PEM nor in DER");
    }
    assert!(matches!(pem::private_key(certificate.chain_pem().as_bytes()), Err(PemError::Nothing { .. })));
    assert!(matches!(pem::crls(certificate.chain_pem().as_bytes()), Err(PemError::Nothing { .. })));
    let cut = certificate.chain_pem().replace("-----END CERTIFICATE-----\n", "");
    let error = pem::certificates(cut.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "a certificate in it cannot be read: its END line is missing");
    let second = format!("{}{}", pki.root_pem(), certificate.chain_pem().replace("MII", "M!I"));
    let error = pem::certificates(second.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "a certificate in it cannot be read: it is not base64");
}

#[test]
fn private_keys_are_read_in_every_form_but_encrypted() {
    let certificate = Pki::new().server("localhost").rsa_2048().issue();
    let key = pem::private_key(certificate.key_pem().as_bytes()).unwrap();
    assert_eq!(key.secret_der(), certificate.key_der());
    assert!(matches!(&*key, PrivateKeyDer::Pkcs8(_)));
    assert_eq!(pem::private_key(certificate.key_der()).unwrap(), key);

    let pkcs1 = b"-----BEGIN RSA PRIVATE KEY-----\nMAMCAQA=\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(*pem::private_key(pkcs1).unwrap(), PrivateKeyDer::Pkcs1(_)));
    assert!(matches!(*pem::private_key(&[0x30, 3, 2, 1, 0]).unwrap(), PrivateKeyDer::Pkcs1(_)));
    let sec1 = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
                 -----BEGIN EC PRIVATE KEY-----\nMAMCAQE=\n-----END EC PRIVATE KEY-----\n";
    assert!(matches!(*pem::private_key(sec1).unwrap(), PrivateKeyDer::Sec1(_)));

    let encrypted = certificate.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(matches!(pem::private_key(encrypted.as_bytes()), Err(PemError::Encrypted)));
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
               -----END RSA PRIVATE KEY-----\n";
    assert!(matches!(pem::private_key(old.as_bytes()), Err(PemError::Encrypted)));
    let error = pem::private_key(&[0x30, 0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a private key in it cannot be read: it is neither PKCS#8 nor PKCS#1 nor SEC1"
    );
}

#[test]
fn errors_about_keys_show_nothing_of_them() {
    let text = Pki::new().server("localhost").issue().key_pem();
    let secret = text.lines().nth(1).unwrap();
    let broken = [
        text.replace("-----END PRIVATE KEY-----", ""),
        text.replace(secret, &format!("{secret}!")),
        text.replace("KEY-----\n", "KEY----- "),
    ];
    for file in broken {
        let error = pem::private_key(file.as_bytes()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&secret[..8]), "{error:?}");
    }
}

#[test]
fn revocation_lists_are_read_with_their_times() {
    let (this, next) =
        (UNIX_EPOCH + Duration::from_secs(1_735_689_600), UNIX_EPOCH + Duration::from_secs(1_767_225_600));
    let pki = Pki::new();
    let (one, two) = (pki.root().crl_between(&[], this, next), pki.crl(&[]));
    let file = format!("{}{}", one.pem(), two.pem());
    assert_eq!(pem::crls(file.as_bytes()).unwrap(), [one.der(), two.der()]);
    assert_eq!(pem::crls(one.der()).unwrap(), [one.der()]);
    assert_eq!(crl_times(one.der()).unwrap(), (this, next));
}

/// Everything that reads bytes of a peer or of a file.
fn read_all(bytes: &[u8]) {
    if let Ok(summary) = CertificateSummary::from_der(bytes) {
        let names = summary.dns_names.iter().chain([&summary.subject, &summary.issuer, &summary.key]);
        names.for_each(|text| assert!(!text.contains(char::is_control), "{text:?}"));
        assert_eq!(summary.self_issued, is_self_issued(bytes));
    }
    let _ = end_point_hash(bytes);
    let _ = (subject_der(bytes), issuer_der(bytes), public_key_der(bytes));
    let _ = (validity(bytes).is_ok(), may_issue(bytes).is_ok(), crl_times(bytes).is_ok());
    let _ = (pem::certificates(bytes).is_ok(), pem::private_key(bytes).is_ok(), pem::crls(bytes).is_ok());
    let _ = der::dotted(bytes);
}

#[test]
fn mutated_certificates_never_panic() {
    let pki = Pki::new();
    let certificates = certificates();
    let mut inputs: Vec<Vec<u8>> = certificates.iter().map(|c| c.leaf_der().to_vec()).collect();
    inputs.push(pki.root_der().to_vec());
    inputs.push(pki.crl(&[&pki.server("localhost").issue()]).der().to_vec());
    inputs.push(certificates[0].chain_pem().into_bytes());
    inputs.push(certificates[0].key_pem().into_bytes());
    let mut mutator = Mutator::new(0x509);
    for round in 0..20_000 {
        let mut bytes = inputs[round % inputs.len()].clone();
        mutator.mutate_some(&mut bytes, 4);
        read_all(&bytes);
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = SeededRandom::new(0x690);
    for _ in 0..20_000 {
        let length = random.below(200);
        let mut bytes = random.bytes(length);
        read_all(&bytes);
        // The outer shape in order, so that more of it is read.
        bytes.truncate(120);
        let content = bytes.len();
        bytes.splice(
            ..0,
            [SEQUENCE, u8::try_from(content + 2).unwrap(), SEQUENCE, u8::try_from(content).unwrap()],
        );
        read_all(&bytes);
    }
}

#[test]
fn what_a_certificate_says_of_its_owner_is_read_whole_or_not_at_all() {
    use super::identity::Identity;
    use test_support::x509::{Draft, GeneralName, TestKey};
    let names = [GeneralName::upn("alice@corp.example"), GeneralName::Email("alice@corp.example".into())];
    let draft =
        Draft::client("alice", TestKey::P256).general_names(&names).key_identifier(&[1, 2]).sid("S-1-5-18");
    let der = draft.serial(&[0, 0x80]).self_signed().der().to_vec();
    let identity = Identity::read(&der).unwrap();
    assert_eq!(
        (identity.upns.as_slice(), identity.emails.len()),
        (&["alice@corp.example".to_owned()][..], 1)
    );
    assert_eq!((identity.sid.as_deref(), identity.serial), (Some("S-1-5-18"), &[0x80][..]));
    assert_eq!(identity.subject_key_identifier, Some(&[1, 2][..]));
    for cut in 0..der.len() {
        assert!(Identity::read(&der[..cut]).is_err(), "cut at {cut}");
    }
    for at in 0..der.len() {
        for change in [0x01, 0x20, 0x80, 0xff] {
            let mut changed = der.clone();
            changed[at] ^= change;
            // Whatever it is now, it is no second name of the same person.
            let names = Identity::read(&changed).map_or(0, |identity| identity.upns.len());
            assert!(names <= 1, "{at} {change}");
        }
    }
    let twice = Draft::client("alice", TestKey::P256).sid("S-1-5-18").sid("S-1-5-18").self_signed();
    assert!(Identity::read(twice.der()).is_err());
    let no_text = GeneralName::Other(vec![0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3], vec![0x0c, 1, 0xff]);
    let no_text = Draft::client("alice", TestKey::P256).general_names(&[no_text]).self_signed();
    assert!(Identity::read(no_text.der()).is_err());
}
