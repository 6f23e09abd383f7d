//! Whom the verifiers accept, and with which error they refuse the others.

use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertRevocationListError, ClientConfig, ServerConfig, SupportedProtocolVersion};
use test_support::{CertStatus, Crl, FixedClock, OcspResponse, Pki, TestCertificate};

use super::*;
use crate::certificate::ocsp_tests::{Ca, now_and};

const NAME: &str = "server.test";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn policy(roots: &[&[u8]]) -> VerifyPolicy {
    let roots = roots.iter().map(|root| CertificateDer::from(root.to_vec())).collect();
    VerifyPolicy { roots, pins: Vec::new(), revocation: Revocation::Off, crls: Vec::new() }
}

impl VerifyPolicy {
    fn revocation(mut self, revocation: Revocation, lists: &[&Crl]) -> Self {
        self.revocation = revocation;
        self.crls = lists.iter().map(|list| list.der().to_vec().into()).collect();
        self
    }
}

fn ders(chain: &[Vec<u8>]) -> Vec<CertificateDer<'_>> {
    chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect()
}

/// What a client says to this chain, shown by a server of this name with this staple.
fn judge_server(policy: &VerifyPolicy, chain: &[Vec<u8>], name: &str, staple: &[u8]) -> Result<(), TlsError> {
    let chain = ders(chain);
    let name = ServerName::try_from(name).unwrap();
    let verifier = server_verifier(policy, &provider()).unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, staple, now_and(0)).map(|_| ())
}

fn judge(policy: &VerifyPolicy, certificate: &TestCertificate) -> Result<(), TlsError> {
    judge_server(policy, certificate.chain_der(), NAME, &[])
}

fn judge_stapled(
    policy: &VerifyPolicy,
    certificate: &TestCertificate,
    staple: &OcspResponse,
) -> Result<(), TlsError> {
    judge_server(policy, certificate.chain_der(), NAME, &staple.der())
}

fn judge_client(policy: &VerifyPolicy, certificate: &TestCertificate) -> Result<(), TlsError> {
    let chain = ders(certificate.chain_der());
    let verifier = client_verifier(policy, &provider(), true, true).unwrap();
    verifier.verify_client_cert(&chain[0], &chain[1..], now_and(0)).map(|_| ())
}

fn refused(problem: CertificateError) -> Result<(), TlsError> {
    Err(problem.into())
}

fn days(days: i64) -> SystemTime {
    system_time(now_and(days * 86_400))
}

// ---- roots -------------------------------------------------------------------------------------------------------

#[test]
fn a_chain_to_a_root_is_accepted() {
    let pki = Pki::new();
    let policy = policy(&[pki.root_der()]);
    assert_eq!(judge(&policy, &pki.server(NAME).issue()), Ok(()));
    assert_eq!(judge(&policy, &pki.server(NAME).intermediate().intermediate().issue()), Ok(()));
    assert_eq!(judge(&policy, &pki.server(NAME).any_usage().rsa_2048().issue()), Ok(()));
    assert_eq!(judge_client(&policy, &pki.client("alice").intermediate().issue()), Ok(()));
}

#[test]
fn certificates_out_of_their_time_are_refused() {
    let pki = Pki::new();
    let policy = policy(&[pki.root_der()]);
    let expired =
        |result| matches!(result, Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext { .. })));
    let early = |result| {
        matches!(result, Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. })))
    };
    assert!(expired(judge(&policy, &pki.server(NAME).expired().issue())));
    assert!(early(judge(&policy, &pki.server(NAME).not_yet_valid().issue())));
    assert!(expired(judge_client(&policy, &pki.client("alice").expired().issue())));
    assert!(early(judge_client(&policy, &pki.client("alice").not_yet_valid().issue())));
}

#[test]
fn other_authorities_are_refused() {
    let pki = Pki::new();
    let other = Pki::named("Another Root");
    let policy = policy(&[pki.root_der()]);
    assert_eq!(judge(&policy, &other.server(NAME).issue()), refused(CertificateError::UnknownIssuer));
    assert_eq!(
        judge(&policy, &other.server(NAME).intermediate().issue()),
        refused(CertificateError::UnknownIssuer)
    );
    assert_eq!(
        judge_client(&policy, &other.client("alice").issue()),
        refused(CertificateError::UnknownIssuer)
    );
    let namesake = Pki::new().server(NAME).issue();
    assert_eq!(judge(&policy, &namesake), refused(CertificateError::BadSignature));
    assert_eq!(
        judge(&policy, &pki.server(NAME).self_signed().issue()),
        refused(CertificateError::UnknownIssuer)
    );
}

#[test]
fn a_server_is_for_its_names_and_addresses_only() {
    let pki = Pki::new();
    let policy = policy(&[pki.root_der()]);
    let localhost = pki.server("localhost").issue();
    let wrong = |result| {
        matches!(result, Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. })))
    };
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(judge_server(&policy, localhost.chain_der(), name, &[]), Ok(()), "{name}");
    }
    for name in ["localhost.test", "127.0.0.2", "::2"] {
        assert!(wrong(judge_server(&policy, localhost.chain_der(), name, &[])), "{name}");
    }
    let wildcard = pki.server("*.server.test").issue();
    assert_eq!(judge_server(&policy, wildcard.chain_der(), "a.server.test", &[]), Ok(()));
    assert!(wrong(judge_server(&policy, wildcard.chain_der(), "a.b.server.test", &[])));
}

#[test]
fn certificates_for_another_usage_are_refused() {
    let pki = Pki::new();
    let policy = policy(&[pki.root_der()]);
    let wrong = |result| {
        matches!(result, Err(TlsError::InvalidCertificate(CertificateError::InvalidPurposeContext { .. })))
    };
    assert!(wrong(judge(&policy, &pki.server(NAME).client_auth_only().issue())));
    assert!(wrong(judge_client(&policy, &pki.client("alice").server_auth_only().issue())));
}

#[test]
fn roots_that_cannot_be_read_are_left_out_but_one_must_be_left() {
    let pki = Pki::new();
    assert_eq!(judge(&policy(&[b"nonsense", pki.root_der()]), &pki.server(NAME).issue()), Ok(()));
    for (roots, message) in [
        (policy(&[]), "no root is configured, so that no certificate could be trusted"),
        (policy(&[b"nonsense"]), "the only root cannot be read as a certificate"),
        (policy(&[b"nonsense", b"0"]), "none of the 2 roots can be read as a certificate"),
    ] {
        let error = server_verifier(&roots, &provider()).unwrap_err();
        assert_eq!((error.status(), error.fault()), (SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Configuration));
        assert_eq!((error.message(), error.setting()), (message, Some("roots")));
        let error = client_verifier(&roots, &provider(), true, true).unwrap_err();
        assert_eq!((error.message(), error.setting()), (message, Some("client-roots")));
    }
}

// ---- a leaf that is a root ---------------------------------------------------------------------------------------

#[test]
fn a_leaf_among_the_roots_is_trusted_for_its_own_names() {
    let pki = Pki::new();
    let own = pki.server(NAME).self_signed().issue();
    assert_eq!(judge(&policy(&[own.leaf_der()]), &own), Ok(()));
    assert_eq!(
        judge(&policy(&[own.leaf_der()]).revocation(Revocation::Hard, &[]), &own),
        Ok(()),
        "as any root"
    );
    let result = judge_server(&policy(&[own.leaf_der()]), own.chain_der(), "other.test", &[]);
    assert!(matches!(
        result,
        Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
    ));
    let another = pki.server(NAME).self_signed().issue();
    assert_eq!(judge(&policy(&[own.leaf_der()]), &another), refused(CertificateError::UnknownIssuer));
    assert_eq!(judge(&policy(&[own.leaf_der(), pki.root_der()]), &pki.server(NAME).issue()), Ok(()));

    let issued = pki.server(NAME).issue();
    assert_eq!(judge(&policy(&[issued.leaf_der()]), &issued), Ok(()), "whoever issued it");
    let alice = pki.client("alice").self_signed().issue();
    assert_eq!(judge_client(&policy(&[alice.leaf_der()]), &alice), Ok(()));
}

#[test]
fn a_root_that_is_no_authority_issues_nothing() {
    let key_usage = |usage| move |p: &mut rcgen::CertificateParams| p.key_usages = vec![usage];
    let silent = Ca::without_authority(NAME, |_| {});
    let says_no = Ca::without_authority(NAME, |p| p.is_ca = rcgen::IsCa::ExplicitNoCa);
    let signs = Ca::without_authority(NAME, key_usage(rcgen::KeyUsagePurpose::DigitalSignature));
    for device in [silent, says_no, signs] {
        let alone = policy(&[&device.der]);
        let issued = [device.leaf("bank.test")];
        let unknown = refused(CertificateError::UnknownIssuer);
        assert_eq!(judge_server(&alone, std::slice::from_ref(&device.der), NAME, &[]), Ok(()));
        assert_eq!(judge_server(&alone, &issued, "bank.test", &[]), unknown);
        let verifier = client_verifier(&alone, &provider(), true, true).unwrap();
        assert_eq!(verifier.verify_client_cert(&ders(&issued)[0], &[], now_and(0)).map(|_| ()), unknown);
        let pki = Pki::new();
        let both = policy(&[&device.der, pki.root_der()]);
        assert_eq!(judge_server(&both, &issued, "bank.test", &[]), unknown, "nor beside an authority");
    }
    let certifies = Ca::without_authority(NAME, key_usage(rcgen::KeyUsagePurpose::KeyCertSign));
    assert_eq!(judge_server(&policy(&[&certifies.der]), &[certifies.leaf("a.test")], "a.test", &[]), Ok(()));
}

#[test]
fn a_leaf_among_the_roots_may_say_that_it_is_an_authority() {
    // What `openssl req -x509` makes.
    let authority = Ca::self_signed_server(NAME);
    assert_eq!(judge_server(&policy(&[&authority]), std::slice::from_ref(&authority), NAME, &[]), Ok(()));
    assert!(
        judge_server(&policy(&[&authority]), std::slice::from_ref(&authority), "other.test", &[]).is_err()
    );
}

#[test]
fn a_leaf_among_the_roots_is_bound_to_its_times_and_usage() {
    let pki = Pki::new();
    let check = |certificate: TestCertificate| judge(&policy(&[certificate.leaf_der()]), &certificate);
    let expired = check(pki.server(NAME).self_signed().expired().issue());
    assert!(matches!(expired, Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext { .. }))));
    let early = check(pki.server(NAME).self_signed().not_yet_valid().issue());
    assert!(matches!(early, Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext { .. }))));
    let client = check(pki.server(NAME).self_signed().client_auth_only().issue());
    assert_eq!(client, refused(CertificateError::InvalidPurpose));
    assert_eq!(check(pki.server(NAME).self_signed().any_usage().issue()), Ok(()));
    let server = pki.client("alice").self_signed().server_auth_only().issue();
    assert_eq!(
        judge_client(&policy(&[server.leaf_der()]), &server),
        refused(CertificateError::InvalidPurpose)
    );
}

// ---- pins --------------------------------------------------------------------------------------------------------

#[test]
fn pins_look_at_nothing_but_the_hash() {
    let pki = Pki::new();
    let expired = pki.server("other.test").self_signed().expired().issue();
    let pinned = VerifyPolicy { pins: vec![[0; 32], expired.sha256()], ..policy(&[]) };
    assert_eq!(judge(&pinned, &expired), Ok(()));
    assert_eq!(judge_client(&pinned, &expired), Ok(()));
    let other = pki.server(NAME).issue();
    let mismatch = refused(CertificateError::ApplicationVerificationFailure);
    assert_eq!(judge(&pinned, &other), mismatch);
    assert_eq!(judge_client(&pinned, &other), mismatch);
    let with_roots = VerifyPolicy { pins: pinned.pins, ..policy(&[pki.root_der()]) };
    assert_eq!(judge(&with_roots, &other), mismatch, "roots do not count beside pins");
    let chain = [other.leaf_der().to_vec(), expired.leaf_der().to_vec()];
    assert_eq!(
        judge_server(&with_roots, &chain, NAME, &[]),
        mismatch,
        "nor does a pinned certificate behind the leaf"
    );
}

// ---- revocation by lists -----------------------------------------------------------------------------------------

#[test]
fn what_a_list_revokes_is_refused_unless_revocation_is_off() {
    let pki = Pki::new();
    let (server, alice) = (pki.server(NAME).issue(), pki.client("alice").issue());
    let list = pki.crl(&[&server, &alice]);
    let policy = |mode| policy(&[pki.root_der()]).revocation(mode, &[&list]);
    assert_eq!(judge(&policy(Revocation::Off), &server), Ok(()));
    assert_eq!(judge_client(&policy(Revocation::Off), &alice), Ok(()));
    for mode in [Revocation::Soft, Revocation::Hard] {
        assert_eq!(judge(&policy(mode), &server), refused(CertificateError::Revoked), "{mode:?}");
        assert_eq!(judge_client(&policy(mode), &alice), refused(CertificateError::Revoked), "{mode:?}");
        assert_eq!(judge(&policy(mode), &pki.server(NAME).issue()), Ok(()), "{mode:?}");
        assert_eq!(judge_client(&policy(mode), &pki.client("bob").issue()), Ok(()), "{mode:?}");
    }
}

#[test]
fn hard_needs_a_list_for_every_certificate_but_the_root() {
    let pki = Pki::new();
    let server = pki.server(NAME).intermediate().issue();
    let (roots, intermediates) = (pki.crl(&[]), server.issuer().crl(&[]));
    let judge = |mode, lists: &[&Crl]| judge(&policy(&[pki.root_der()]).revocation(mode, lists), &server);
    let unknown = refused(CertificateError::UnknownRevocationStatus);
    for lists in [[].as_slice(), &[&roots], &[&intermediates]] {
        assert_eq!(judge(Revocation::Soft, lists), Ok(()));
        assert_eq!(judge(Revocation::Hard, lists), unknown);
    }
    assert_eq!(judge(Revocation::Hard, &[&roots, &intermediates]), Ok(()));
    let alice = pki.client("alice").issue();
    let hard = |lists: &[&Crl]| policy(&[pki.root_der()]).revocation(Revocation::Hard, lists);
    assert_eq!(judge_client(&hard(&[]), &alice), unknown);
    assert_eq!(judge_client(&hard(&[&roots]), &alice), Ok(()));
    assert_eq!(judge_client(&policy(&[pki.root_der()]).revocation(Revocation::Soft, &[]), &alice), Ok(()));
    let other = Pki::named("Another Root").server(NAME).issue();
    assert_eq!(
        judge_server(&hard(&[]), other.chain_der(), NAME, &[]),
        refused(CertificateError::UnknownIssuer),
        "the chain first"
    );
}

#[test]
fn a_list_out_of_date_is_used_in_soft_mode_and_refused_in_hard_mode() {
    let pki = Pki::new();
    let (good, bad) = (pki.server(NAME).issue(), pki.server(NAME).issue());
    let old = pki.root().crl_between(&[&bad], days(-60), days(-1));
    let policy = |mode| policy(&[pki.root_der()]).revocation(mode, &[&old]);
    assert_eq!(judge(&policy(Revocation::Soft), &good), Ok(()));
    assert_eq!(judge(&policy(Revocation::Soft), &bad), refused(CertificateError::Revoked));
    let out_of_date = |result| {
        matches!(
            result,
            Err(TlsError::InvalidCertificate(CertificateError::ExpiredRevocationListContext { .. }))
        )
    };
    assert!(out_of_date(judge(&policy(Revocation::Hard), &good)));
    assert!(out_of_date(judge_client(&policy(Revocation::Hard), &pki.client("alice").issue())));
}

#[test]
fn the_newest_list_of_an_issuer_counts_wherever_it_stands() {
    let pki = Pki::new();
    let (good, bad) = (pki.server(NAME).issue(), pki.server(NAME).issue());
    let old = pki.root().crl_between(&[], days(-60), days(-1));
    let new = pki.root().crl_between(&[&bad], days(-1), days(30));
    for lists in [[&old, &new], [&new, &old]] {
        for mode in [Revocation::Soft, Revocation::Hard] {
            let policy = policy(&[pki.root_der()]).revocation(mode, &lists);
            assert_eq!(judge(&policy, &good), Ok(()));
            assert_eq!(judge(&policy, &bad), refused(CertificateError::Revoked));
        }
    }
}

#[test]
fn a_list_that_its_issuer_did_not_sign_is_an_error() {
    let pki = Pki::new();
    let forged = Pki::new().crl(&[]);
    for mode in [Revocation::Soft, Revocation::Hard] {
        let policy = policy(&[pki.root_der()]).revocation(mode, &[&forged]);
        let error = TlsError::InvalidCertRevocationList(CertRevocationListError::BadSignature);
        assert_eq!(judge(&policy, &pki.server(NAME).issue()), Err(error));
    }
}

#[test]
fn a_list_that_cannot_be_read_is_an_error_of_the_configuration() {
    let pki = Pki::new();
    let list = pki.crl(&[]);
    let mut broken = list.der().to_vec();
    broken.truncate(40);
    for bytes in [b"nonsense".to_vec(), broken] {
        let mut policy = policy(&[pki.root_der()]);
        policy.crls = vec![bytes.into()];
        assert!(server_verifier(&policy, &provider()).is_ok(), "nobody asks");
        for mode in [Revocation::Soft, Revocation::Hard] {
            policy.revocation = mode;
            let error = server_verifier(&policy, &provider()).unwrap_err();
            assert_eq!((error.fault(), error.setting()), (Fault::Configuration, Some("crls")));
            let error = client_verifier(&policy, &provider(), true, true).unwrap_err();
            assert_eq!((error.fault(), error.setting()), (Fault::Configuration, Some("crls")));
        }
    }
}

// ---- the stapled answer ------------------------------------------------------------------------------------------

const REVOKED: CertStatus = CertStatus::Revoked { at: UNIX_EPOCH };

#[test]
fn an_answer_that_says_revoked_is_believed_whatever_the_lists_say() {
    let pki = Pki::new();
    for server in [pki.server(NAME).issue(), pki.server(NAME).intermediate().issue()] {
        let staple = OcspResponse::new(&server, REVOKED);
        let (root, issuer) = (pki.crl(&[]), server.issuer().crl(&[]));
        let judge = |mode, lists: &[&Crl]| {
            judge_stapled(&policy(&[pki.root_der()]).revocation(mode, lists), &server, &staple)
        };
        assert_eq!(judge(Revocation::Off, &[]), Ok(()));
        for mode in [Revocation::Soft, Revocation::Hard] {
            for lists in [[].as_slice(), &[&root], &[&root, &issuer]] {
                assert_eq!(judge(mode, lists), refused(CertificateError::Revoked), "{mode:?}");
            }
        }
    }
}

#[test]
fn a_good_answer_stands_in_for_the_list_of_the_leaf() {
    let pki = Pki::new();
    let server = pki.server(NAME).intermediate().issue();
    let staple = OcspResponse::new(&server, CertStatus::Good);
    let (root, issuer) = (pki.crl(&[]), server.issuer().crl(&[]));
    let old = server.issuer().crl_between(&[], days(-60), days(-1));
    let old_root = pki.root().crl_between(&[], days(-60), days(-1));
    let hard = |lists: &[&Crl]| {
        judge_stapled(&policy(&[pki.root_der()]).revocation(Revocation::Hard, lists), &server, &staple)
    };
    assert_eq!(hard(&[]), Ok(()), "no lists at all");
    assert_eq!(hard(&[&root]), Ok(()), "the intermediate is covered");
    assert_eq!(hard(&[&root, &old]), Ok(()), "the leaf's list is out of date");
    assert_eq!(hard(&[&root, &issuer]), Ok(()));
    assert_eq!(
        hard(&[&issuer]),
        refused(CertificateError::UnknownRevocationStatus),
        "not the intermediate's"
    );
    let result = hard(&[&old_root]);
    assert!(matches!(result, Err(TlsError::InvalidCertificate(_))), "the intermediate's list is out of date");
}

#[test]
fn a_good_answer_outweighs_nothing_else() {
    let pki = Pki::new();
    let server = pki.server(NAME).issue();
    let staple = OcspResponse::new(&server, CertStatus::Good);
    for mode in [Revocation::Soft, Revocation::Hard] {
        let revoked = pki.crl(&[&server]);
        let with_list = policy(&[pki.root_der()]).revocation(mode, &[&revoked]);
        assert_eq!(
            judge_stapled(&with_list, &server, &staple),
            refused(CertificateError::Revoked),
            "{mode:?}"
        );
        let old = pki.root().crl_between(&[&server], days(-60), days(-1));
        let with_old_list = policy(&[pki.root_der()]).revocation(mode, &[&old]);
        let result = judge_stapled(&with_old_list, &server, &staple);
        assert_eq!(result, refused(CertificateError::Revoked), "{mode:?}, out of date");
        let without = policy(&[pki.root_der()]).revocation(mode, &[]);
        let wrong_name = judge_server(&without, server.chain_der(), "other.test", &staple.der());
        let is_name = matches!(
            wrong_name,
            Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
        );
        assert!(is_name, "{mode:?}");
        let other = Pki::named("Another Root").server(NAME).issue();
        let staple = OcspResponse::new(&other, CertStatus::Good);
        assert_eq!(
            judge_stapled(&without, &other, &staple),
            refused(CertificateError::UnknownIssuer),
            "{mode:?}"
        );
    }
}

#[test]
fn hard_mode_checks_the_name_where_an_answer_stands_in_for_a_list() {
    let pki = Pki::new();
    let server = pki.server(NAME).intermediate().issue();
    let staple = OcspResponse::new(&server, CertStatus::Good).der();
    let root = pki.crl(&[]);
    let policy = policy(&[pki.root_der()]).revocation(Revocation::Hard, &[&root]);
    assert_eq!(judge_server(&policy, server.chain_der(), NAME, &staple), Ok(()));
    let other = judge_server(&policy, server.chain_der(), "other.test", &staple);
    assert!(matches!(
        other,
        Err(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { .. }))
    ));
}

#[test]
fn an_answer_of_no_use_counts_as_none() {
    let pki = Pki::new();
    let server = pki.server(NAME).issue();
    let good = OcspResponse::new(&server, CertStatus::Good);
    let stranger = Pki::new();
    let unusable = [
        good.clone().valid(days(-14), Some(days(-7))).der(),
        good.clone().valid(days(1), Some(days(7))).der(),
        good.clone().valid(days(-14), None).der(),
        good.clone().forged_by(stranger.root()).der(),
        OcspResponse::new(&server, REVOKED).forged_by(stranger.root()).der(),
        OcspResponse::new(&pki.server(NAME).issue(), CertStatus::Good).der(),
        OcspResponse::unsuccessful(3),
        b"nonsense".to_vec(),
    ];
    let list = pki.crl(&[]);
    let judge = |mode, lists: &[&Crl], staple: &[u8]| {
        judge_server(&policy(&[pki.root_der()]).revocation(mode, lists), server.chain_der(), NAME, staple)
    };
    for staple in &unusable {
        for mode in [Revocation::Off, Revocation::Soft] {
            assert_eq!(judge(mode, &[], staple), Ok(()));
        }
        assert_eq!(judge(Revocation::Hard, &[&list], staple), Ok(()), "a list covers the leaf");
        assert_eq!(judge(Revocation::Hard, &[], staple), refused(CertificateError::InvalidOcspResponse));
    }
    let unknown = OcspResponse::new(&server, CertStatus::Unknown).der();
    assert_eq!(judge(Revocation::Soft, &[], &unknown), Ok(()));
    assert_eq!(judge(Revocation::Hard, &[&list], &unknown), Ok(()));
    assert_eq!(judge(Revocation::Hard, &[], &unknown), refused(CertificateError::UnknownRevocationStatus));
}

#[test]
fn a_delegated_responder_is_believed() {
    let authority = Ca::new("authority");
    let leaf = authority.leaf(NAME);
    let hard = policy(&[&authority.der]).revocation(Revocation::Hard, &[]);
    let responder = authority.responder(|_| {});
    let answer = authority.answer(&leaf).signed_by(&responder).der();
    assert_eq!(judge_server(&hard, std::slice::from_ref(&leaf), NAME, &answer), Ok(()));
    let server =
        authority.responder(|p| p.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth]);
    let answer = authority.answer(&leaf).signed_by(&server).der();
    assert_eq!(judge_server(&hard, &[leaf], NAME, &answer), refused(CertificateError::InvalidOcspResponse));
}

#[test]
fn an_issuer_without_a_chain_does_not_vouch_for_a_leaf() {
    // The answer is signed by what the server sends as an intermediate, of the issuer's name, that nobody certified.
    let authority = Ca::new("authority");
    let leaf = authority.leaf(NAME);
    let impostor = Ca::new("authority");
    let answer = impostor.answer(&leaf).der();
    let hard = policy(&[&authority.der]).revocation(Revocation::Hard, &[]);
    let chain = [leaf, impostor.der.clone()];
    assert_eq!(judge_server(&hard, &chain, NAME, &answer), refused(CertificateError::InvalidOcspResponse));
}

// ---- what clients are told ---------------------------------------------------------------------------------------

#[test]
fn clients_are_asked_as_the_server_wants() {
    let pki = Pki::new();
    let roots = policy(&[pki.root_der()]);
    let verifier = |policy: &VerifyPolicy, mandatory, send| {
        client_verifier(policy, &provider(), mandatory, send).unwrap()
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
        let by = [&roots, &pins, &leaves].map(|policy| server_verifier(policy, &provider()).unwrap());
        by.into_iter().chain([manual_server_verifier(&provider())])
    };
    let clients = || {
        let by =
            [&roots, &pins, &leaves].map(|policy| client_verifier(policy, &provider(), true, true).unwrap());
        by.into_iter().chain([manual_client_verifier(&provider(), true)])
    };
    let (right, right_client) = (Identity::new(&server, &server), Identity::new(&alice, &alice));
    let (wrong, wrong_client) = (Identity::new(&server, &other), Identity::new(&alice, &other));
    let bad = Err(TlsError::InvalidCertificate(CertificateError::BadSignature));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for judge in servers() {
            let client = || (&right_client, clients().next().unwrap());
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
            let server = || (&right, server_verifier(&roots, &provider()).unwrap());
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
    let verifier = manual_server_verifier(&provider());
    let name = ServerName::try_from(NAME).unwrap();
    assert!(verifier.verify_server_cert(&chain[0], &[], &name, b"nonsense", now_and(0)).is_ok());
    let verifier = manual_client_verifier(&provider(), true);
    assert!(verifier.verify_client_cert(&chain[0], &[], now_and(0)).is_ok());
    assert!(verifier.client_auth_mandatory() && verifier.root_hint_subjects().is_empty());
}
