//! Each weakness is refused by default, named in the refusal, and accepted when it is allowed and only then.

use crypto::hash::Hash;
use test_support::x509::{Draft, Minted, TestKey};

use super::super::Weakness::{
    CommonName, Dsa, Dsa512, LooseEncoding, Md5Signature, Rsa512, Rsa768, Rsa1024, RsaKeyUsage,
    Sha1Signature, X509V1,
};
use super::super::*;
use super::{NAME, policy};
use crate::certificate::ocsp_tests::now_and;

/// A chain, and everything that is weak about it.
struct Case {
    what: &'static str,
    peer: Peer,
    root: Minted,
    /// The leaf first.
    chain: Vec<Minted>,
    name: &'static str,
    weak: Vec<Weakness>,
}

fn root(key: TestKey) -> Minted {
    Draft::authority("Root", key).self_signed()
}

fn server(what: &'static str, root: &Minted, leaf: Minted, weak: &[Weakness]) -> Case {
    Case { what, peer: Peer::Server, root: root.clone(), chain: vec![leaf], name: NAME, weak: weak.to_vec() }
}

fn verdict(case: &Case, allow: impl IntoIterator<Item = Weakness>) -> Result<Weaknesses, CertificateProblem> {
    let policy = VerifyPolicy { allow: allow.into_iter().collect(), ..policy(&[case.root.der()]) };
    let verifier = Verifier::new(&policy, case.peer).unwrap();
    let chain: Vec<&[u8]> = case.chain.iter().map(Minted::der).collect();
    match case.peer {
        Peer::Server => verifier.verify_server(&chain, case.name, &[], now_and(0)),
        Peer::Client => verifier.verify_client(&chain, now_and(0)),
    }
}

/// Servers that an RSA root of 2048 bits issued.
fn under_a_strong_root() -> Vec<Case> {
    let root = root(TestKey::Rsa2048Issuer);
    let draft = |key| Draft::server(NAME, key);
    let rsa = || draft(TestKey::Rsa2048);
    let case = |what, leaf: Draft, weak: &[Weakness]| server(what, &root, leaf.signed_by(&root), weak);
    vec![
        case("MD5 with RSA", rsa().md5(), &[Md5Signature]),
        case("SHA-1 with RSA", rsa().sha1(), &[Sha1Signature]),
        case("SHA-1 with PSS", rsa().sha1().pss(), &[Sha1Signature]),
        case("RSA of 512 bits", draft(TestKey::Rsa512), &[Rsa512]),
        case("RSA of 768 bits", draft(TestKey::Rsa768), &[Rsa768]),
        case("RSA of 1024 bits", draft(TestKey::Rsa1024), &[Rsa1024]),
        case("DSA of 512 bits", draft(TestKey::Dsa512), &[Dsa512]),
        case("DSA of 1024 bits", draft(TestKey::Dsa1024), &[Dsa]),
        case("DSA of 2048 bits", draft(TestKey::Dsa2048), &[Dsa]),
        case("version 1", rsa().v1(), &[X509V1, CommonName]),
        case("version 2", rsa().v1().version(2), &[X509V1, CommonName]),
        case("no subjectAltName", rsa().common_name_only(), &[CommonName]),
        case("long lengths", rsa().loose_lengths(), &[LooseEncoding]),
        case("times without seconds", rsa().times_without_seconds(), &[LooseEncoding]),
        case(
            "all that was usual in 1998",
            draft(TestKey::Rsa1024).v1().md5(),
            &[Md5Signature, Rsa1024, X509V1, CommonName],
        ),
    ]
}

/// Servers below roots and intermediates that are weak themselves.
fn under_weak_authorities() -> Vec<Case> {
    let leaf = |root: &Minted| Draft::server(NAME, TestKey::Rsa2048).signed_by(root);
    let sha1 = |root: &Minted| Draft::server(NAME, TestKey::Rsa2048).sha1().signed_by(root);
    let of = |key| root(key);
    let (rsa_512, rsa_1024, dsa_1024) =
        (of(TestKey::Rsa512), of(TestKey::Rsa1024Issuer), of(TestKey::Dsa1024Issuer));
    let (dsa_2048, p256) = (of(TestKey::Dsa2048Issuer), of(TestKey::P256Issuer));
    let v1 = Draft::authority("Old Root", TestKey::Rsa1024Issuer).v1().md5().self_signed();
    let strong = of(TestKey::Rsa2048Issuer);
    let by_md5 = Draft::authority("Middle", TestKey::Rsa2048Other).md5().signed_by(&strong);
    let short = Draft::authority("Middle", TestKey::Rsa1024Issuer).signed_by(&strong);
    let loose = Draft::authority("Middle", TestKey::Rsa2048Other).loose_lengths().signed_by(&strong);
    let mut cases = vec![
        server("a root of 512 bits", &rsa_512, leaf(&rsa_512), &[Rsa512]),
        server("a root of 1024 bits", &rsa_1024, leaf(&rsa_1024), &[Rsa1024]),
        server("SHA-1 with DSA", &dsa_1024, sha1(&dsa_1024), &[Sha1Signature, Dsa]),
        server("SHA-256 with DSA", &dsa_2048, leaf(&dsa_2048), &[Dsa]),
        server("SHA-1 with ECDSA", &p256, sha1(&p256), &[Sha1Signature]),
        server("a root of version 1, signed with MD5", &v1, leaf(&v1), &[Rsa1024]),
    ];
    for (what, middle, weak) in [
        ("an intermediate signed with MD5", by_md5, Md5Signature),
        ("an intermediate of 1024 bits", short, Rsa1024),
        ("an intermediate with long lengths", loose, LooseEncoding),
    ] {
        let mut case = server(what, &strong, leaf(&middle), &[weak]);
        case.chain.push(middle);
        cases.push(case);
    }
    cases
}

/// Clients, addresses, and leaves that are roots.
fn others() -> Vec<Case> {
    let root = root(TestKey::Rsa2048Issuer);
    let client = |what, leaf: Draft, weak: &[Weakness]| Case {
        peer: Peer::Client,
        ..server(what, &root, leaf.signed_by(&root), weak)
    };
    let address = Draft::server("192.0.2.1", TestKey::Rsa2048).common_name_only().signed_by(&root);
    let own = Draft::server(NAME, TestKey::Rsa1024).v1().md5().self_signed();
    let dsa = Draft::client("alice", TestKey::Dsa1024).self_signed();
    vec![
        client("a client with DSA", Draft::client("alice", TestKey::Dsa1024), &[Dsa]),
        client("a client of version 1", Draft::client("alice", TestKey::Rsa2048).v1(), &[X509V1]),
        client("a client with MD5", Draft::client("alice", TestKey::Rsa512).md5(), &[Md5Signature, Rsa512]),
        Case { name: "192.0.2.1", ..server("an address as common name", &root, address, &[CommonName]) },
        // Its own signature is nobody's concern: the configuration vouches for it.
        server("a leaf that is a root", &own, own.clone(), &[Rsa1024, X509V1, CommonName]),
        Case { peer: Peer::Client, ..server("a client that is a root", &dsa, dsa.clone(), &[Dsa]) },
    ]
}

fn cases() -> Vec<Case> {
    [under_a_strong_root(), under_weak_authorities(), others()].into_iter().flatten().collect()
}

#[test]
fn every_weakness_is_in_a_case_of_its_own() {
    let cases = cases();
    // What a key is used for shows in the handshake, not in the chain.
    for weakness in Weakness::ALL.iter().filter(|weakness| **weakness != RsaKeyUsage) {
        assert!(cases.iter().any(|case| case.weak == [*weakness]), "{weakness}");
    }
}

#[test]
fn every_weakness_is_refused_by_default_and_the_refusal_names_what_would_accept_it() {
    for case in cases() {
        let problem = verdict(&case, []).unwrap_err();
        assert_eq!(problem.kind, case.weak[0].kind(), "{}: {problem}", case.what);
        let entries: Vec<String> =
            case.weak.iter().map(|weakness| format!("{:?}", weakness.name())).collect();
        let entries = format!("accepted only with allow = [{}]", entries.join(", "));
        assert!(problem.detail.contains(&entries), "{}: {problem}", case.what);
        let error = Error::from(crate::status::Error::Certificate(problem));
        assert_eq!((error.setting(), error.alert()), (Some("allow"), Some(42)), "{}", case.what);
    }
}

#[test]
fn every_weakness_is_accepted_where_all_of_it_is_allowed_and_nowhere_else() {
    for case in cases() {
        let accepted = verdict(&case, case.weak.iter().copied());
        assert_eq!(accepted, Ok(case.weak.iter().copied().collect()), "{}", case.what);
        for missing in &case.weak {
            let others = Weakness::ALL.iter().copied().filter(|weakness| weakness != missing);
            let problem = verdict(&case, others).unwrap_err();
            assert_eq!(problem.kind, missing.kind(), "{} without {missing}: {problem}", case.what);
            let entry = format!("accepted only with allow = [\"{missing}\"]");
            assert!(problem.detail.contains(&entry), "{} without {missing}: {problem}", case.what);
        }
    }
}

#[test]
fn a_refusal_says_whose_weakness_it_is() {
    let root = root(TestKey::Rsa1024Issuer);
    let leaf = Draft::server(NAME, TestKey::Rsa2048).md5().signed_by(&root);
    let problem = verdict(&server("", &root, leaf, &[]), []).unwrap_err();
    let said = problem.to_string();
    let (sentence, who) = said.split_once("; subject ").unwrap();
    assert_eq!(
        sentence,
        "the server's certificate rests on a signature that is too weak: CN=server.test is signed with MD5, CN=Root has \
         an RSA key of less than 2048 bits; accepted only with allow = [\"md5-signature\", \"rsa-1024\"]"
    );
    assert!(who.starts_with("CN=server.test, issuer CN=Root, SHA-256 "), "{who}");
}

#[test]
fn strong_chains_are_strong_whatever_is_allowed() {
    let signed = |key, hash| {
        let root = root(key);
        let leaf = Draft::server(NAME, TestKey::Rsa2048).hash(hash).signed_by(&root);
        server("", &root, leaf, &[])
    };
    let pss = {
        let root = root(TestKey::Rsa4096);
        let leaf = Draft::server(NAME, TestKey::P384).hash(Hash::Sha512).pss().signed_by(&root);
        server("", &root, leaf, &[])
    };
    for case in [
        signed(TestKey::Rsa2048Issuer, Hash::Sha256),
        signed(TestKey::Rsa4096, Hash::Sha512),
        signed(TestKey::Rsa8192, Hash::Sha256),
        signed(TestKey::P256Issuer, Hash::Sha256),
        signed(TestKey::P384, Hash::Sha384),
        signed(TestKey::Ed25519, Hash::Sha256),
        pss,
    ] {
        for allow in [&[][..], Weakness::ALL] {
            assert_eq!(verdict(&case, allow.iter().copied()), Ok(Weaknesses::NONE), "{:?}", case.root.key());
        }
    }
}

/// The second verifier without webpki in front of it.
fn second(case: &Case, allow: &[Weakness]) -> Result<Weaknesses, Refusal> {
    let policy = VerifyPolicy { allow: allow.iter().copied().collect(), ..policy(&[case.root.der()]) };
    let lists = revocation::read(&policy).unwrap();
    let chain: Vec<&[u8]> = case.chain.iter().map(Minted::der).collect();
    let shown = Shown {
        peer: case.peer,
        leaf: chain[0],
        others: &chain[1..],
        name: Some(case.name),
        staple: &[],
        now: now_and(0),
    };
    Tolerant::new(policy.roots.clone(), lists, &policy).check(&shown)
}

#[test]
fn the_second_verifier_knows_every_strong_algorithm_itself() {
    for (issuer, leaf, hash, is_pss) in [
        (TestKey::Rsa2048Issuer, TestKey::Rsa2048, Hash::Sha256, false),
        (TestKey::Rsa4096, TestKey::Rsa2048, Hash::Sha384, false),
        (TestKey::Rsa8192, TestKey::Rsa8192, Hash::Sha256, false),
        (TestKey::Rsa2048Issuer, TestKey::P256, Hash::Sha512, true),
        (TestKey::P256Issuer, TestKey::P256, Hash::Sha256, false),
        (TestKey::P384, TestKey::Rsa4096, Hash::Sha384, false),
        (TestKey::P521, TestKey::P521, Hash::Sha512, false),
        (TestKey::Ed25519, TestKey::Ed25519, Hash::Sha256, false),
    ] {
        let root = root(issuer);
        let middle = Draft::authority("Middle", TestKey::Rsa2048Other).signed_by(&root);
        let draft = Draft::server(NAME, leaf).hash(hash);
        let draft = if is_pss { draft.pss() } else { draft };
        let case = Case {
            chain: vec![draft.clone().signed_by(&root), middle.clone()],
            ..server("", &root, middle.clone(), &[])
        };
        assert_eq!(second(&case, &[]), Ok(Weaknesses::NONE), "{issuer:?}");
        let other = Draft::authority("Root", TestKey::Rsa2048Other).self_signed();
        let stranger = Case { chain: vec![Draft::server(NAME, leaf).signed_by(&other)], ..case };
        assert_eq!(second(&stranger, Weakness::ALL).unwrap_err().kind, CertificateKind::BadSignature);
    }
}

#[test]
fn what_webpki_has_no_algorithm_for_needs_no_weakness_but_the_second_verifier() {
    let root = root(TestKey::P521);
    let case = server("", &root, Draft::server(NAME, TestKey::P521).hash(Hash::Sha512).signed_by(&root), &[]);
    assert_eq!(verdict(&case, []).unwrap_err().kind, CertificateKind::Unsupported);
    assert_eq!(verdict(&case, [CommonName]), Ok(Weaknesses::NONE));
}

#[test]
fn oddities_of_old_certificates_are_no_weakness() {
    let root = Draft::authority("Root", TestKey::Rsa2048Issuer)
        .subject(test_support::x509::name(&[(test_support::x509::COMMON_NAME, 0x14, b"T\xe4st Root")]))
        .self_signed();
    let draft = || Draft::server(NAME, TestKey::Rsa2048);
    for (what, leaf) in [
        ("a negative number", draft().serial(&[0x80])),
        ("a long number", draft().serial(&[0x11; 30])),
        ("zero", draft().serial(&[0])),
        ("no NULL", draft().without_null()),
    ] {
        for allow in [&[][..], &[Md5Signature]] {
            let case = server(what, &root, leaf.clone().signed_by(&root), &[]);
            assert_eq!(second(&case, allow), Ok(Weaknesses::NONE), "{what}");
        }
    }
    let old = draft().without_null().md5().serial(&[0xff, 0x80]).signed_by(&root);
    assert_eq!(
        verdict(&server("", &root, old, &[]), [Md5Signature]),
        Ok(Weaknesses::of(Md5Signature)),
        "beside a weakness"
    );
}

#[test]
fn pins_win_over_every_weakness() {
    let leaf = Draft::server("other.test", TestKey::Rsa512).v1().md5().expired().self_signed();
    let certificate = leaf.with_chain(&[]);
    for allow in [Weaknesses::NONE, Weakness::ALL.iter().copied().collect()] {
        let policy = VerifyPolicy { allow, pins: vec![certificate.sha256()], ..policy(&[]) };
        let verifier = Verifier::new(&policy, Peer::Server).unwrap();
        assert_eq!(verifier.verify_server(&[leaf.der()], NAME, &[], now_and(0)), Ok(Weaknesses::NONE));
        let other = Draft::server(NAME, TestKey::Rsa2048).self_signed();
        let problem = verifier.verify_server(&[other.der()], NAME, &[], now_and(0)).unwrap_err();
        assert_eq!(problem.kind, CertificateKind::NotPinned);
    }
}
