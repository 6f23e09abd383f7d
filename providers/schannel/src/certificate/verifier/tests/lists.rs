//! Revocation lists and stapled answers of old authorities.

use crypto::hash::Hash;
use sspi_core::Fault;
use test_support::x509::{Draft, ListDraft, Minted, TestKey, extension, purpose, usage};
use test_support::{Crl, Mutator};

use super::super::Weakness::{Md5Signature, Rsa1024, Sha1Signature};
use super::super::*;
use super::{NAME, days, policy};
use crate::certificate::ocsp_tests::now_and;

/// An old authority, an intermediate of its own, and a server below it.
struct Old {
    root: Minted,
    middle: Minted,
    server: Minted,
}

impl Old {
    fn new() -> Self {
        let root = Draft::authority("Root", TestKey::Rsa1024Issuer).sha1().self_signed();
        let middle = Draft::authority("Middle", TestKey::Rsa2048Other).sha1().signed_by(&root);
        let server = Draft::server(NAME, TestKey::Rsa1024).sha1().signed_by(&middle);
        Self { root, middle, server }
    }

    fn policy(&self, mode: Revocation, lists: &[&Crl]) -> VerifyPolicy {
        let allow = [Sha1Signature, Rsa1024].into_iter().collect();
        VerifyPolicy { allow, ..policy(&[self.root.der()]) }.revocation(mode, lists)
    }

    fn judge_with(&self, policy: &VerifyPolicy, staple: &[u8]) -> Result<(), CertificateProblem> {
        let verifier = Verifier::new(policy, Peer::Server).unwrap();
        verifier.verify_server(&[self.server.der(), self.middle.der()], NAME, staple, now_and(0)).map(|_| ())
    }

    fn judge(&self, mode: Revocation, lists: &[&Crl]) -> Result<(), CertificateKind> {
        self.judge_with(&self.policy(mode, lists), &[]).map_err(|problem| problem.kind)
    }

    fn stapled(&self, mode: Revocation, lists: &[&Crl], staple: &[u8]) -> Result<(), CertificateKind> {
        self.judge_with(&self.policy(mode, lists), staple).map_err(|problem| problem.kind)
    }
}

fn list(issuer: &Minted) -> ListDraft {
    ListDraft::of(issuer).hash(Hash::Sha1)
}

const BOTH: [Revocation; 2] = [Revocation::Soft, Revocation::Hard];

#[test]
fn what_a_list_revokes_is_refused() {
    let old = Old::new();
    let (of_root, of_middle) = (list(&old.root).sign(), list(&old.middle).sign());
    let leaf_revoked = list(&old.middle).revoke(&old.root).revoke(&old.server).revoke(&old.middle).sign();
    let middle_revoked = list(&old.root).revoke(&old.middle).sign();
    for mode in BOTH {
        assert_eq!(old.judge(mode, &[&of_root, &of_middle]), Ok(()));
        assert_eq!(old.judge(mode, &[&of_root, &leaf_revoked]), Err(CertificateKind::Revoked), "{mode:?}");
        assert_eq!(
            old.judge(mode, &[&middle_revoked, &of_middle]),
            Err(CertificateKind::Revoked),
            "{mode:?}"
        );
    }
    assert_eq!(old.judge(Revocation::Off, &[&middle_revoked, &leaf_revoked]), Ok(()));
}

#[test]
fn hard_needs_a_current_list_for_every_certificate_but_the_root() {
    let old = Old::new();
    let (of_root, of_middle) = (list(&old.root).sign(), list(&old.middle).sign());
    let late = list(&old.middle).valid(days(-60), Some(days(-1))).sign();
    let endless = list(&old.middle).valid(days(-60), None).sign();
    for lists in [&[][..], &[&of_root], &[&of_middle]] {
        assert_eq!(old.judge(Revocation::Soft, lists), Ok(()));
        assert_eq!(old.judge(Revocation::Hard, lists), Err(CertificateKind::RevocationUnknown));
    }
    for lists in [[&of_root, &late], [&of_root, &endless]] {
        assert_eq!(old.judge(Revocation::Soft, &lists), Ok(()));
        assert_eq!(old.judge(Revocation::Hard, &lists), Err(CertificateKind::RevocationOutOfDate));
    }
    assert_eq!(old.judge(Revocation::Hard, &[&of_root, &of_middle]), Ok(()));
}

#[test]
fn the_newest_list_counts_wherever_it_stands() {
    let old = Old::new();
    let of_root = list(&old.root).sign();
    let before = list(&old.middle).valid(days(-60), Some(days(60))).sign();
    let after = list(&old.middle).valid(days(-1), Some(days(60))).revoke(&old.server).sign();
    for lists in [[&of_root, &before, &after], [&of_root, &after, &before]] {
        for mode in BOTH {
            assert_eq!(old.judge(mode, &lists), Err(CertificateKind::Revoked));
        }
    }
    let taken_back = list(&old.middle).valid(days(-1), Some(days(60))).sign();
    let before = list(&old.middle).valid(days(-60), Some(days(60))).revoke(&old.server).sign();
    assert_eq!(old.judge(Revocation::Hard, &[&of_root, &before, &taken_back]), Ok(()));
}

#[test]
fn a_list_must_be_signed_by_its_issuer_who_may_sign_lists() {
    let old = Old::new();
    let stranger = Draft::authority("Middle", TestKey::Rsa2048Issuer).self_signed();
    let forged = list(&stranger).sign();
    let root = &old.root;
    let middle = Draft::authority("Middle", TestKey::Rsa2048Other).sha1().key_usage(usage::KEY_CERT_SIGN);
    let silent = Old { middle: middle.signed_by(root), root: old.root.clone(), server: old.server.clone() };
    let of_middle = list(&silent.middle).sign();
    for mode in BOTH {
        assert_eq!(old.judge(mode, &[&forged]), Err(CertificateKind::RevocationUnknown));
        assert_eq!(silent.judge(mode, &[&of_middle]), Err(CertificateKind::RevocationUnknown));
    }
}

#[test]
fn a_weak_signature_of_a_list_must_be_allowed_as_any_other() {
    let old = Old::new();
    let of_middle = list(&old.middle).hash(Hash::Md5).sign();
    for mode in BOTH {
        let mut policy = old.policy(mode, &[&list(&old.root).sign(), &of_middle]);
        let problem = old.judge_with(&policy, &[]).unwrap_err();
        assert_eq!(problem.kind, CertificateKind::WeakSignature);
        let entry = "a revocation list is signed with MD5; accepted only with allow = [\"md5-signature\"]";
        assert!(problem.detail.starts_with(entry), "{problem}");
        policy.allow = policy.allow.with(Weaknesses::of(Md5Signature));
        assert_eq!(old.judge_with(&policy, &[]), Ok(()));
    }
    // A chain in which nothing else is weak.
    let root = Draft::authority("Root", TestKey::Rsa2048Issuer).self_signed();
    let server = Draft::server(NAME, TestKey::Rsa2048).signed_by(&root);
    let sha1 = list(&root).sign();
    let policy = policy(&[root.der()]).revocation(Revocation::Soft, &[&sha1]);
    let verifier = Verifier::new(&policy, Peer::Server).unwrap();
    let problem = verifier.verify_server(&[server.der()], NAME, &[], now_and(0)).unwrap_err();
    assert_eq!(problem.kind, CertificateKind::WeakSignature, "{problem}");
}

#[test]
fn lists_of_version_1_are_read_where_something_is_allowed() {
    let old = Old::new();
    let of_root = list(&old.root).v1().sign();
    assert_eq!(old.judge(Revocation::Hard, &[&of_root, &list(&old.middle).v1().sign()]), Ok(()));
    let revoked = list(&old.middle).v1().revoke(&old.server).sign();
    for mode in BOTH {
        assert_eq!(old.judge(mode, &[&of_root, &revoked]), Err(CertificateKind::Revoked));
    }
    let policy = policy(&[old.root.der()]).revocation(Revocation::Soft, &[&of_root]);
    let error = Verifier::new(&policy, Peer::Server).unwrap_err();
    assert_eq!((error.fault(), error.setting()), (Fault::Configuration, Some("crls")), "webpki's to say");
}

#[test]
fn a_list_that_webpki_cannot_read_revokes_strong_chains_too() {
    let root = Draft::authority("Root", TestKey::Rsa2048Issuer).self_signed();
    let server = Draft::server(NAME, TestKey::Rsa2048).signed_by(&root);
    let judge = |list: Crl| {
        let allow = Weaknesses::of(Md5Signature);
        let policy = VerifyPolicy { allow, ..policy(&[root.der()]) }.revocation(Revocation::Soft, &[&list]);
        let verifier = Verifier::new(&policy, Peer::Server).unwrap();
        let verdict = verifier.verify_server(&[server.der()], NAME, &[], now_and(0));
        verdict.map(|_| ()).map_err(|problem| problem.kind)
    };
    assert_eq!(judge(ListDraft::of(&root).v1().sign()), Ok(()));
    assert_eq!(judge(ListDraft::of(&root).v1().revoke(&server).sign()), Err(CertificateKind::Revoked));
}

#[test]
fn a_list_of_a_part_revokes_but_clears_nobody() {
    let old = Old::new();
    let of_root = list(&old.root).sign();
    const ISSUING_DISTRIBUTION_POINT: u8 = 28;
    const DELTA_INDICATOR: u8 = 27;
    let some_reasons = [0x30, 4, 0x83, 2, 6, 0x40];
    let (users, authorities) = ([0x30, 3, 0x81, 1, 0xff], [0x30, 3, 0x82, 1, 0xff]);
    let indirect = [0x30, 3, 0x84, 1, 0xff];
    let parts: [(&str, u8, &[u8]); 2] = [
        ("changes", DELTA_INDICATOR, &[2, 1, 1]),
        ("some reasons", ISSUING_DISTRIBUTION_POINT, &some_reasons),
    ];
    for (what, kind, value) in parts {
        let part = || list(&old.middle).extension(kind, true, value);
        let (empty, revoked) = (part().sign(), part().revoke(&old.server).sign());
        assert_eq!(old.judge(Revocation::Soft, &[&of_root, &empty]), Ok(()), "{what}");
        assert_eq!(
            old.judge(Revocation::Hard, &[&of_root, &empty]),
            Err(CertificateKind::RevocationUnknown),
            "{what}"
        );
        let complete = list(&old.middle).sign();
        for mode in BOTH {
            for lists in [[&of_root, &complete, &revoked], [&of_root, &revoked, &complete]] {
                assert_eq!(old.judge(mode, &lists), Err(CertificateKind::Revoked), "{what}");
            }
        }
    }
    let scoped = |value: &[u8]| {
        let list =
            list(&old.middle).extension(ISSUING_DISTRIBUTION_POINT, true, value).revoke(&old.server).sign();
        old.judge(Revocation::Soft, &[&of_root, &list])
    };
    assert_eq!(scoped(&users), Err(CertificateKind::Revoked), "a server is a user");
    assert_eq!(scoped(&authorities), Ok(()), "and no authority");
    assert_eq!(scoped(&indirect), Ok(()), "about certificates of others");
}

#[test]
fn an_entry_that_is_taken_back_revokes_nothing() {
    const REASON: &[u8] = &[0x55, 0x1d, 21];
    let old = Old::new();
    let judge = |reason: &[u8]| {
        let entry = list(&old.middle).revoke_with(&old.server, &[(REASON, false, reason)]).sign();
        old.judge(Revocation::Soft, &[&entry])
    };
    assert_eq!(judge(&[10, 1, 8]), Ok(()), "removeFromCRL");
    assert_eq!(judge(&[10, 1, 6]), Err(CertificateKind::Revoked), "certificateHold");
    let odd = list(&old.middle).revoke_with(&old.server, &[(&[0x2a, 3], true, &[5, 0])]).sign();
    assert_eq!(old.judge(Revocation::Soft, &[&odd]), Err(CertificateKind::Revoked), "whatever else it says");
}

#[test]
fn mutated_lists_never_panic() {
    let old = Old::new();
    let good = list(&old.middle).extension(28, true, &[0x30, 3, 0x81, 1, 0xff]).revoke(&old.root).sign();
    let mut mutator = Mutator::new(0xc51);
    for _ in 0..5_000 {
        let mut bytes = good.der().to_vec();
        mutator.mutate_some(&mut bytes, 3);
        let mut policy = old.policy(Revocation::Hard, &[]);
        policy.crls = vec![bytes.clone().into()];
        if let Ok(verifier) = Verifier::new(&policy, Peer::Server) {
            let chain = [old.server.der(), old.middle.der()];
            assert!(
                verifier.verify_server(&chain, NAME, &[], now_and(0)).is_err(),
                "the root's list is missing"
            );
        }
    }
}

// ---- the stapled answer ------------------------------------------------------------------------------------------

#[test]
fn a_stapled_answer_counts_for_old_chains_as_for_others() {
    let old = Old::new();
    let answer = |is_revoked| old.server.ocsp_answer(&old.middle, &old.middle, Hash::Sha1, is_revoked);
    let (good, revoked) = (answer(false), answer(true));
    let (of_root, of_middle) = (list(&old.root).sign(), list(&old.middle).sign());
    for mode in BOTH {
        assert_eq!(old.stapled(mode, &[], &good), Ok(()), "{mode:?}");
        assert_eq!(old.stapled(mode, &[], &revoked), Err(CertificateKind::Revoked), "{mode:?}");
        assert_eq!(
            old.stapled(mode, &[&of_root, &of_middle], &revoked),
            Err(CertificateKind::Revoked),
            "{mode:?}"
        );
        let leaf_revoked = list(&old.middle).revoke(&old.server).sign();
        assert_eq!(
            old.stapled(mode, &[&leaf_revoked], &good),
            Err(CertificateKind::Revoked),
            "a list outweighs it"
        );
    }
    assert_eq!(old.stapled(Revocation::Off, &[], &revoked), Ok(()));
    assert_eq!(old.stapled(Revocation::Hard, &[&of_root], &good), Ok(()), "the intermediate is covered");
    assert_eq!(
        old.stapled(Revocation::Hard, &[&of_middle], &good),
        Err(CertificateKind::RevocationUnknown),
        "not the intermediate's"
    );
}

#[test]
fn a_stapled_answer_that_is_too_weak_counts_as_none() {
    let old = Old::new();
    let answer = |is_revoked| old.server.ocsp_answer(&old.middle, &old.middle, Hash::Md5, is_revoked);
    assert_eq!(old.stapled(Revocation::Soft, &[], &answer(false)), Ok(()));
    assert_eq!(old.stapled(Revocation::Hard, &[], &answer(false)), Err(CertificateKind::BadOcspResponse));
    let mut policy = old.policy(Revocation::Hard, &[]);
    policy.allow = policy.allow.with(Weaknesses::of(Md5Signature));
    assert_eq!(old.judge_with(&policy, &answer(false)), Ok(()));
    assert_eq!(old.judge_with(&policy, &answer(true)).unwrap_err().kind, CertificateKind::Revoked);
}

#[test]
fn a_responder_must_be_authorised_by_the_issuer() {
    let old = Old::new();
    let hard = |responder: &Minted| {
        let answer = old.server.ocsp_answer(&old.middle, responder, Hash::Sha1, false);
        old.stapled(Revocation::Hard, &[], &answer)
    };
    let draft =
        || Draft::client("responder", TestKey::Rsa1024Issuer).sha1().purposes(&[purpose::OCSP_SIGNING]);
    let bad = Err(CertificateKind::BadOcspResponse);
    assert_eq!(hard(&draft().signed_by(&old.middle)), Ok(()));
    for (what, responder) in [
        ("another purpose", draft().purposes(&[purpose::SERVER_AUTH]).signed_by(&old.middle)),
        ("no purpose", draft().without(extension::EXT_KEY_USAGE).signed_by(&old.middle)),
        ("expired", draft().expired().signed_by(&old.middle)),
        ("not the issuer's own", draft().signed_by(&old.root)),
        ("nobody's", draft().self_signed()),
        ("an authority", draft().basic_constraints(true, None).signed_by(&old.middle)),
        ("a critical extension", draft().another_extension(&[0x2a, 3], true, &[5, 0]).signed_by(&old.middle)),
        ("may not sign", draft().key_usage(usage::KEY_ENCIPHERMENT).signed_by(&old.middle)),
        ("too weak", draft().md5().signed_by(&old.middle)),
    ] {
        assert_eq!(hard(&responder), bad, "{what}");
    }
    let stranger = Draft::authority("Middle", TestKey::Rsa2048Issuer).self_signed();
    assert_eq!(hard(&stranger), bad, "a namesake of the issuer");
    let other = Draft::server(NAME, TestKey::Rsa768).sha1().signed_by(&old.middle);
    let answer = other.ocsp_answer(&old.middle, &old.middle, Hash::Sha1, false);
    assert_eq!(old.stapled(Revocation::Hard, &[], &answer), bad, "about another certificate");
}
