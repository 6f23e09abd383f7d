//! What rustls hears of the verifier, and the proof of the key.

use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use test_support::{FixedClock, Pki, TestCertificate};

use super::*;
use crate::certificate::ocsp_tests::now_and;
use crate::config::Revocation;

const NAME: &str = "server.test";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn policy(roots: &[&[u8]]) -> VerifyPolicy {
    let roots = roots.iter().map(|root| CertificateDer::from(root.to_vec())).collect();
    VerifyPolicy {
        roots,
        pins: Vec::new(),
        allow: Weaknesses::NONE,
        revocation: Revocation::Off,
        crls: Vec::new(),
        crl_files: None,
    }
}

fn ders(chain: &[Vec<u8>]) -> Vec<CertificateDer<'_>> {
    chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect()
}

fn unix_now() -> UnixTime {
    UnixTime::since_unix_epoch(now_and(0).duration_since(UNIX_EPOCH).unwrap())
}

// ---- what clients are told ---------------------------------------------------------------------------------------

#[test]
fn clients_are_asked_as_the_server_wants() {
    let pki = Pki::new();
    let roots = policy(&[pki.root_der()]);
    let verifier = |policy: &VerifyPolicy, mandatory, send| {
        client_verifier(policy, &provider(), mandatory, send, Beyond::default()).unwrap()
    };
    assert!(verifier(&roots, true, true).offer_client_auth());
    assert!(verifier(&roots, true, true).client_auth_mandatory());
    assert!(!verifier(&roots, false, true).client_auth_mandatory());
    let told = verifier(&roots, true, true);
    let [hint] = told.root_hint_subjects() else { panic!("one root") };
    assert_eq!(hint.as_ref(), crate::certificate::subject_der(pki.root_der()).unwrap());
    assert!(verifier(&roots, true, false).root_hint_subjects().is_empty());
    let alice = pki.client("alice").issue();
    let told = verifier(&policy(&[alice.leaf_der()]), true, true);
    assert_eq!(
        told.root_hint_subjects()[0].as_ref(),
        hint.as_ref(),
        "the issuer of a leaf that is trusted itself"
    );
    let pinned = VerifyPolicy { pins: vec![[0; 32]], ..policy(&[pki.root_der()]) };
    assert!(verifier(&pinned, true, true).root_hint_subjects().is_empty());
    assert!(!verifier(&pinned, false, true).client_auth_mandatory());
}

// ---- the proof of the key ----------------------------------------------------------------------------------------

/// A certificate with a key, which may be another's.
#[derive(Debug)]
struct Identity(Arc<CertifiedKey>);

impl Identity {
    fn new(certificate: &TestCertificate, key: &TestCertificate) -> Arc<Self> {
        let chain = certificate.chain_der().iter().map(|der| CertificateDer::from(der.clone())).collect();
        let key = PrivateKeyDer::try_from(key.key_der().to_vec()).unwrap();
        Arc::new(Self(Arc::new(CertifiedKey::new(chain, ring::sign::any_supported_type(&key).unwrap()))))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct Clock(FixedClock);

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.unix_seconds())))
    }
}

/// A whole handshake of one version; the error is of whoever refuses first.
fn handshake(
    version: &'static SupportedProtocolVersion,
    servers: (&Arc<Identity>, Arc<dyn ServerCertVerifier>),
    clients: (&Arc<Identity>, Arc<dyn ClientCertVerifier>),
) -> Result<(), TlsError> {
    let clock = || Arc::new(Clock(FixedClock::default()));
    let client = ClientConfig::builder_with_details(provider(), clock())
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(servers.1)
        .with_client_cert_resolver(Arc::clone(clients.0) as Arc<dyn ResolvesClientCert>);
    let server = ServerConfig::builder_with_details(provider(), clock())
        .with_protocol_versions(&[version])?
        .with_client_cert_verifier(clients.1)
        .with_cert_resolver(Arc::clone(servers.0) as Arc<dyn ResolvesServerCert>);
    let mut client = rustls::ClientConnection::new(Arc::new(client), ServerName::try_from(NAME).unwrap())?;
    let mut server = rustls::ServerConnection::new(Arc::new(server))?;
    for _ in 0..4 {
        let mut flight = Vec::new();
        client.write_tls(&mut flight).unwrap();
        server.read_tls(&mut flight.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        server.write_tls(&mut flight).unwrap();
        client.read_tls(&mut flight.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(())
}

#[test]
fn whoever_does_not_have_the_key_is_refused_whoever_judges_the_certificate() {
    let pki = Pki::new();
    let (server, alice, other) =
        (pki.server(NAME).issue(), pki.client("alice").issue(), pki.server(NAME).issue());
    let roots = policy(&[pki.root_der()]);
    let pins = VerifyPolicy { pins: vec![server.sha256(), alice.sha256()], ..policy(&[]) };
    let leaves = policy(&[server.leaf_der(), alice.leaf_der()]);
    let servers = || {
        let by = [&roots, &pins, &leaves]
            .map(|policy| server_verifier(policy, &provider(), Beyond::default()).unwrap());
        by.into_iter().chain([manual_server_verifier(&provider(), Beyond::default())])
    };
    let clients = || {
        [&roots, &pins, &leaves]
            .map(|policy| client_verifier(policy, &provider(), true, true, Beyond::default()).unwrap())
    };
    let (right, right_client) = (Identity::new(&server, &server), Identity::new(&alice, &alice));
    let (wrong, wrong_client) = (Identity::new(&server, &other), Identity::new(&alice, &other));
    let bad = Err(TlsError::InvalidCertificate(CertificateError::BadSignature));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for judge in servers() {
            let client = || (&right_client, clients()[0].clone());
            assert_eq!(
                handshake(version, (&right, Arc::clone(&judge)), client()),
                Ok(()),
                "{version:?} {judge:?}"
            );
            assert_eq!(
                handshake(version, (&wrong, Arc::clone(&judge)), client()),
                bad,
                "{version:?} {judge:?}"
            );
        }
        for judge in clients() {
            let server = || (&right, server_verifier(&roots, &provider(), Beyond::default()).unwrap());
            assert_eq!(
                handshake(version, server(), (&right_client, Arc::clone(&judge))),
                Ok(()),
                "{version:?} {judge:?}"
            );
            assert_eq!(
                handshake(version, server(), (&wrong_client, Arc::clone(&judge))),
                bad,
                "{version:?} {judge:?}"
            );
        }
    }
}

#[test]
fn the_application_may_take_what_nobody_would_trust() {
    let pki = Pki::new();
    let expired = pki.server("other.test").self_signed().expired().issue();
    let chain = ders(expired.chain_der());
    let verifier = manual_server_verifier(&provider(), Beyond::default());
    let name = ServerName::try_from(NAME).unwrap();
    assert!(verifier.verify_server_cert(&chain[0], &[], &name, b"nonsense", unix_now()).is_ok());
    let verifier = manual_client_verifier(&provider(), true, Beyond::default());
    assert!(verifier.verify_client_cert(&chain[0], &[], unix_now()).is_ok());
    assert!(verifier.client_auth_mandatory() && verifier.root_hint_subjects().is_empty());
}

/// Signs by one scheme, whatever was offered.
#[derive(Debug)]
struct Stubborn(SignatureScheme);

impl rustls::sign::SigningKey for Stubborn {
    fn choose_scheme(&self, _: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        Some(Box::new(Self(self.0)))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        rustls::SignatureAlgorithm::RSA
    }
}

impl rustls::sign::Signer for Stubborn {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TlsError> {
        let der = include_bytes!("../../../../../../crates/legacy-tls/testdata/rsa1024.key.der");
        let key = crypto::private_key::PrivateKey::from_der(der).unwrap();
        let algorithm = legacy_tls::SignatureScheme(u16::from(self.0)).algorithm().unwrap();
        Ok(key.sign(algorithm, message, &crypto::random::SystemRandom).unwrap())
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

#[test]
fn a_short_key_signs_tls_1_3_as_a_long_one_does_and_never_by_pkcs1_v1_5() {
    let alice = Pki::new().client("alice").issue();
    let chain = include_bytes!("../../../../../../crates/legacy-tls/testdata/rsa1024.cert.der");
    let attempt = |version, scheme, short_keys| {
        let key = CertifiedKey::new(vec![CertificateDer::from(chain.to_vec())], Arc::new(Stubborn(scheme)));
        let beyond = Beyond { short_keys, ..Beyond::default() };
        handshake(
            version,
            (&Arc::new(Identity(Arc::new(key))), manual_server_verifier(&provider(), beyond.clone())),
            (&Identity::new(&alice, &alice), manual_client_verifier(&provider(), false, beyond)),
        )
    };
    let (pkcs1, pss) = (SignatureScheme::RSA_PKCS1_SHA256, SignatureScheme::RSA_PSS_SHA256);
    for (version, scheme, is_taken) in [
        (&rustls::version::TLS12, pkcs1, true),
        (&rustls::version::TLS12, pss, true),
        (&rustls::version::TLS13, pkcs1, false),
        (&rustls::version::TLS13, pss, true),
    ] {
        let taken = attempt(version, scheme, true);
        assert_eq!(taken.is_ok(), is_taken, "{version:?} {scheme:?} {taken:?}");
        assert!(attempt(version, scheme, false).is_err(), "{version:?} {scheme:?}");
    }
}
