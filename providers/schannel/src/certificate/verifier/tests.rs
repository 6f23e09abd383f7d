//! Whom the verifier accepts, and with which kind of problem it refuses the others.

use std::time::UNIX_EPOCH;

use sspi_core::{Fault, SecStatus};
use test_support::{CertStatus, Crl, OcspResponse, Pki, TestCertificate};

use super::*;
use crate::certificate::ocsp_tests::{Ca, now_and};

mod attacks;
mod lists;
mod weaknesses;

const NAME: &str = "server.test";

pub(super) fn policy(roots: &[&[u8]]) -> VerifyPolicy {
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

impl VerifyPolicy {
    fn revocation(mut self, revocation: Revocation, lists: &[&Crl]) -> Self {
        self.revocation = revocation;
        self.crls = lists.iter().map(|list| list.der().to_vec().into()).collect();
        self
    }
}

type Verdict = Result<(), CertificateKind>;

fn verdict(result: Result<Weaknesses, CertificateProblem>) -> Verdict {
    let weaknesses = result.map_err(|problem| problem.kind)?;
    assert!(weaknesses.is_empty(), "nothing here is weak");
    Ok(())
}

fn ders(chain: &[Vec<u8>]) -> Vec<&[u8]> {
    chain.iter().map(Vec::as_slice).collect()
}

/// What a client says to this chain, shown by a server of this name with this staple.
fn judge_server(policy: &VerifyPolicy, chain: &[Vec<u8>], name: &str, staple: &[u8]) -> Verdict {
    let verifier = Verifier::new(policy, Peer::Server).unwrap();
    verdict(verifier.verify_server(&ders(chain), name, staple, now_and(0)))
}

fn judge(policy: &VerifyPolicy, certificate: &TestCertificate) -> Verdict {
    judge_server(policy, certificate.chain_der(), NAME, &[])
}

fn judge_stapled(policy: &VerifyPolicy, certificate: &TestCertificate, staple: &OcspResponse) -> Verdict {
    judge_server(policy, certificate.chain_der(), NAME, &staple.der())
}

fn judge_client(policy: &VerifyPolicy, certificate: &TestCertificate) -> Verdict {
    let verifier = Verifier::new(policy, Peer::Client).unwrap();
    verdict(verifier.verify_client(&ders(certificate.chain_der()), now_and(0)))
}

const fn refused(problem: CertificateKind) -> Verdict {
    Err(problem)
}

fn days(days: i64) -> SystemTime {
    now_and(days * 86_400)
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
    let expired = |result| result == Err(CertificateKind::Expired);
    let early = |result| result == Err(CertificateKind::NotYetValid);
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
    assert_eq!(judge(&policy, &other.server(NAME).issue()), refused(CertificateKind::UnknownIssuer));
    assert_eq!(
        judge(&policy, &other.server(NAME).intermediate().issue()),
        refused(CertificateKind::UnknownIssuer)
    );
    assert_eq!(
        judge_client(&policy, &other.client("alice").issue()),
        refused(CertificateKind::UnknownIssuer)
    );
    let namesake = Pki::new().server(NAME).issue();
    assert_eq!(judge(&policy, &namesake), refused(CertificateKind::BadSignature));
    assert_eq!(
        judge(&policy, &pki.server(NAME).self_signed().issue()),
        refused(CertificateKind::UnknownIssuer)
    );
}

#[test]
fn a_server_is_for_its_names_and_addresses_only() {
    let pki = Pki::new();
    let policy = policy(&[pki.root_der()]);
    let localhost = pki.server("localhost").issue();
    let wrong = |result| result == Err(CertificateKind::WrongName);
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
    let wrong = |result| result == Err(CertificateKind::WrongUsage);
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
        let error = Verifier::new(&roots, Peer::Server).unwrap_err();
        assert_eq!((error.status(), error.fault()), (SecStatus::SEC_E_UNTRUSTED_ROOT, Fault::Configuration));
        assert_eq!((error.message(), error.setting()), (message, Some("roots")));
        let error = Verifier::new(&roots, Peer::Client).unwrap_err();
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
    assert!(result == Err(CertificateKind::WrongName));
    let another = pki.server(NAME).self_signed().issue();
    assert_eq!(judge(&policy(&[own.leaf_der()]), &another), refused(CertificateKind::UnknownIssuer));
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
        let unknown = refused(CertificateKind::UnknownIssuer);
        assert_eq!(judge_server(&alone, std::slice::from_ref(&device.der), NAME, &[]), Ok(()));
        assert_eq!(judge_server(&alone, &issued, "bank.test", &[]), unknown);
        let verifier = Verifier::new(&alone, Peer::Client).unwrap();
        assert_eq!(verdict(verifier.verify_client(&ders(&issued), now_and(0))), unknown);
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
    assert!(expired == Err(CertificateKind::Expired));
    let early = check(pki.server(NAME).self_signed().not_yet_valid().issue());
    assert!(early == Err(CertificateKind::NotYetValid));
    let client = check(pki.server(NAME).self_signed().client_auth_only().issue());
    assert_eq!(client, refused(CertificateKind::WrongUsage));
    assert_eq!(check(pki.server(NAME).self_signed().any_usage().issue()), Ok(()));
    let server = pki.client("alice").self_signed().server_auth_only().issue();
    assert_eq!(judge_client(&policy(&[server.leaf_der()]), &server), refused(CertificateKind::WrongUsage));
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
    let mismatch = refused(CertificateKind::NotPinned);
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
        assert_eq!(judge(&policy(mode), &server), refused(CertificateKind::Revoked), "{mode:?}");
        assert_eq!(judge_client(&policy(mode), &alice), refused(CertificateKind::Revoked), "{mode:?}");
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
    let unknown = refused(CertificateKind::RevocationUnknown);
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
        refused(CertificateKind::UnknownIssuer),
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
    assert_eq!(judge(&policy(Revocation::Soft), &bad), refused(CertificateKind::Revoked));
    let out_of_date = |result| result == Err(CertificateKind::RevocationOutOfDate);
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
            assert_eq!(judge(&policy, &bad), refused(CertificateKind::Revoked));
        }
    }
}

#[test]
fn a_list_that_its_issuer_did_not_sign_is_an_error() {
    let pki = Pki::new();
    let forged = Pki::new().crl(&[]);
    for mode in [Revocation::Soft, Revocation::Hard] {
        let policy = policy(&[pki.root_der()]).revocation(mode, &[&forged]);
        let error = CertificateKind::RevocationUnknown;
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
        assert!(Verifier::new(&policy, Peer::Server).is_ok(), "nobody asks");
        for mode in [Revocation::Soft, Revocation::Hard] {
            policy.revocation = mode;
            let error = Verifier::new(&policy, Peer::Server).unwrap_err();
            assert_eq!((error.fault(), error.setting()), (Fault::Configuration, Some("crls")));
            let error = Verifier::new(&policy, Peer::Client).unwrap_err();
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
                assert_eq!(judge(mode, lists), refused(CertificateKind::Revoked), "{mode:?}");
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
    assert_eq!(hard(&[&issuer]), refused(CertificateKind::RevocationUnknown), "not the intermediate's");
    let result = hard(&[&old_root]);
    assert!(result.is_err(), "the intermediate's list is out of date");
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
            refused(CertificateKind::Revoked),
            "{mode:?}"
        );
        let old = pki.root().crl_between(&[&server], days(-60), days(-1));
        let with_old_list = policy(&[pki.root_der()]).revocation(mode, &[&old]);
        let result = judge_stapled(&with_old_list, &server, &staple);
        assert_eq!(result, refused(CertificateKind::Revoked), "{mode:?}, out of date");
        let without = policy(&[pki.root_der()]).revocation(mode, &[]);
        let wrong_name = judge_server(&without, server.chain_der(), "other.test", &staple.der());
        let is_name = wrong_name == Err(CertificateKind::WrongName);
        assert!(is_name, "{mode:?}");
        let other = Pki::named("Another Root").server(NAME).issue();
        let staple = OcspResponse::new(&other, CertStatus::Good);
        assert_eq!(
            judge_stapled(&without, &other, &staple),
            refused(CertificateKind::UnknownIssuer),
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
    assert!(other == Err(CertificateKind::WrongName));
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
        assert_eq!(judge(Revocation::Hard, &[], staple), refused(CertificateKind::BadOcspResponse));
    }
    let unknown = OcspResponse::new(&server, CertStatus::Unknown).der();
    assert_eq!(judge(Revocation::Soft, &[], &unknown), Ok(()));
    assert_eq!(judge(Revocation::Hard, &[&list], &unknown), Ok(()));
    assert_eq!(judge(Revocation::Hard, &[], &unknown), refused(CertificateKind::RevocationUnknown));
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
    assert_eq!(judge_server(&hard, &[leaf], NAME, &answer), refused(CertificateKind::BadOcspResponse));
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
    assert_eq!(judge_server(&hard, &chain, NAME, &answer), refused(CertificateKind::BadOcspResponse));
}
