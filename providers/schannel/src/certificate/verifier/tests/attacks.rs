//! Chains that must not be trusted, though every weakness is allowed.

use test_support::x509::{COMMON_NAME, ORGANIZATION};
use test_support::x509::{Draft, GeneralName, Minted, TestKey, extension, name, purpose, usage};
use test_support::{Mutator, SeededRandom};

use super::super::*;
use super::{NAME, policy};
use crate::certificate::ocsp_tests::now_and;

/// What is said of a chain where everything is allowed.
fn judge_as(
    peer: Peer,
    roots: &[&Minted],
    chain: &[&Minted],
    name: &str,
) -> Result<Weaknesses, CertificateProblem> {
    let roots: Vec<&[u8]> = roots.iter().map(|root| root.der()).collect();
    let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&roots) };
    let verifier = Verifier::new(&policy, peer).unwrap();
    let chain: Vec<&[u8]> = chain.iter().map(|minted| minted.der()).collect();
    match peer {
        Peer::Server => verifier.verify_server(&chain, name, &[], now_and(0)),
        Peer::Client => verifier.verify_client(&chain, now_and(0)),
    }
}

fn judge(root: &Minted, chain: &[&Minted]) -> Result<(), CertificateKind> {
    judge_as(Peer::Server, &[root], chain, NAME).map(|_| ()).map_err(|problem| problem.kind)
}

fn says(root: &Minted, chain: &[&Minted]) -> String {
    judge_as(Peer::Server, &[root], chain, NAME).unwrap_err().detail
}

fn root() -> Minted {
    Draft::authority("Root", TestKey::Rsa1024Issuer).self_signed()
}

fn middle() -> Draft {
    Draft::authority("Middle", TestKey::Rsa2048Other)
}

/// Signed with SHA-1, so that it is always the second verifier that judges.
fn leaf() -> Draft {
    Draft::server(NAME, TestKey::Rsa1024).sha1()
}

/// A leaf below this intermediate.
fn below(root: &Minted, middle: Draft) -> [Minted; 2] {
    let middle = middle.signed_by(root);
    [leaf().signed_by(&middle), middle]
}

fn judge_below(root: &Minted, middle: Draft) -> Result<(), CertificateKind> {
    let [leaf, middle] = below(root, middle);
    judge(root, &[&leaf, &middle])
}

#[test]
fn an_intermediate_must_say_that_it_is_an_authority() {
    let root = root();
    assert_eq!(judge_below(&root, middle()), Ok(()));
    for (what, draft) in [
        ("nothing said", middle().without(extension::BASIC_CONSTRAINTS)),
        ("no", middle().basic_constraints(false, None)),
        ("a path length is no yes", middle().basic_constraints(false, Some(3))),
        ("keyUsage alone", middle().without(extension::BASIC_CONSTRAINTS).key_usage(usage::KEY_CERT_SIGN)),
        ("may not sign certificates", middle().key_usage(usage::CRL_SIGN | usage::DIGITAL_SIGNATURE)),
        ("version 1 cannot say it", middle().v1()),
        ("version 2 neither", middle().v1().version(2)),
    ] {
        assert_eq!(judge_below(&root, draft), Err(CertificateKind::Other), "{what}");
    }
    assert_eq!(
        judge_below(&root, middle().without(extension::KEY_USAGE)),
        Ok(()),
        "keyUsage may be left out"
    );
}

#[test]
fn a_leaf_issues_nothing() {
    let root = root();
    let server = leaf().signed_by(&root);
    let bank = Draft::server("bank.test", TestKey::Rsa2048).signed_by(&server);
    let problem = judge_as(Peer::Server, &[&root], &[&bank, &server], "bank.test").unwrap_err();
    assert_eq!(problem.kind, CertificateKind::Other);
    assert!(problem.detail.starts_with("CN=server.test is no authority, and has issued"), "{problem}");
    // Nor where it is trusted as it is: a leaf among the roots is no authority.
    let problem = judge_as(Peer::Server, &[&server], &[&bank], "bank.test").unwrap_err();
    assert_eq!(problem.kind, CertificateKind::UnknownIssuer);
}

#[test]
fn version_1_issues_only_as_a_root() {
    let old = Draft::authority("Old Root", TestKey::Rsa1024Issuer).v1().md5().self_signed();
    assert_eq!(judge(&old, &[&leaf().signed_by(&old)]), Ok(()));
    let root = root();
    let old = Draft::authority("Old", TestKey::Rsa2048Other).v1().md5().signed_by(&root);
    let server = leaf().signed_by(&old);
    assert_eq!(judge(&root, &[&server, &old]), Err(CertificateKind::Other));
    assert!(says(&root, &[&server, &old]).starts_with("CN=Old is of X.509 version 1 and no root"));
    assert_eq!(judge(&old, &[&server]), Ok(()), "the configuration may make it a root");
}

#[test]
fn path_lengths_are_kept() {
    let root = root();
    let chain = |lengths: [Option<u8>; 2]| {
        let upper = middle().basic_constraints(true, lengths[0]).signed_by(&root);
        let lower = Draft::authority("Lower", TestKey::Dsa1024Issuer);
        let lower = lower.basic_constraints(true, lengths[1]).sha1().signed_by(&upper);
        judge(&root, &[&leaf().signed_by(&lower), &lower, &upper])
    };
    assert_eq!(chain([None, None]), Ok(()));
    assert_eq!(chain([Some(1), Some(0)]), Ok(()));
    assert_eq!(chain([Some(200), Some(0)]), Ok(()), "of two bytes");
    assert_eq!(chain([Some(0), None]), Err(CertificateKind::Other));
    let short =
        Draft::authority("Root", TestKey::Rsa1024Issuer).basic_constraints(true, Some(0)).self_signed();
    assert_eq!(judge(&short, &[&leaf().signed_by(&short)]), Ok(()));
    assert_eq!(judge_below(&short, middle()), Err(CertificateKind::Other), "a root's, too");
}

#[test]
fn an_authority_is_no_server() {
    let root = root();
    let server = leaf().basic_constraints(true, None).signed_by(&root);
    assert_eq!(judge(&root, &[&server]), Err(CertificateKind::Other));
    let not = leaf().basic_constraints(false, None).signed_by(&root);
    assert_eq!(judge(&root, &[&not]), Ok(()));
}

#[test]
fn usages_and_purposes_are_kept_where_there_are_any() {
    let root = root();
    let wrong = Err(CertificateKind::WrongUsage);
    let judge_leaf = |draft: Draft| judge(&root, &[&draft.signed_by(&root)]);
    assert_eq!(judge_leaf(leaf().without(extension::EXT_KEY_USAGE)), Ok(()));
    assert_eq!(judge_leaf(leaf().purposes(&[purpose::CLIENT_AUTH, purpose::SERVER_AUTH])), Ok(()));
    assert_eq!(judge_leaf(leaf().purposes(&[purpose::CLIENT_AUTH])), wrong);
    assert_eq!(judge_leaf(leaf().purposes(&[])), wrong);
    assert_eq!(judge_leaf(leaf().key_usage(usage::KEY_ENCIPHERMENT)), Ok(()));
    assert_eq!(judge_leaf(leaf().key_usage(usage::DIGITAL_SIGNATURE)), Ok(()));
    assert_eq!(judge_leaf(leaf().key_usage(usage::NON_REPUDIATION | usage::CRL_SIGN)), wrong);
    assert_eq!(judge_leaf(leaf().key_usage(0)), wrong);
    assert_eq!(judge_below(&root, middle().purposes(&[purpose::SERVER_AUTH])), Ok(()));
    assert_eq!(
        judge_below(&root, middle().purposes(&[purpose::CLIENT_AUTH])),
        wrong,
        "an issuer's count, too"
    );
    let mail = Draft::authority("Root", TestKey::Rsa1024Issuer).purposes(&[4]).self_signed();
    assert_eq!(judge(&mail, &[&leaf().signed_by(&mail)]), wrong, "and a root's");

    let judge_client = |draft: Draft| {
        let verdict = judge_as(Peer::Client, &[&root], &[&draft.sha1().signed_by(&root)], "");
        verdict.map(|_| ()).map_err(|problem| problem.kind)
    };
    let client = || Draft::client("alice", TestKey::Dsa1024);
    assert_eq!(judge_client(client()), Ok(()));
    assert_eq!(judge_client(client().purposes(&[purpose::SERVER_AUTH])), wrong);
    assert_eq!(judge_client(client().key_usage(usage::KEY_ENCIPHERMENT)), wrong, "a client signs");
}

#[test]
fn times_are_kept_by_all_but_roots() {
    let root = root();
    let judge_leaf = |draft: Draft| judge(&root, &[&draft.signed_by(&root)]);
    assert_eq!(judge_leaf(leaf().expired()), Err(CertificateKind::Expired));
    assert_eq!(judge_leaf(leaf().not_yet_valid()), Err(CertificateKind::NotYetValid));
    assert_eq!(judge_below(&root, middle().expired()), Err(CertificateKind::Expired));
    assert_eq!(judge_below(&root, middle().not_yet_valid()), Err(CertificateKind::NotYetValid));
    let [server, old] = below(&root, middle().expired());
    assert_eq!(
        says(&root, &[&server, &old]).split("; subject").next(),
        Some("CN=Middle was valid until 2020-12-31 23:59:59 UTC")
    );
    let old = Draft::authority("Root", TestKey::Rsa1024Issuer).expired().self_signed();
    assert_eq!(judge(&old, &[&leaf().signed_by(&old)]), Ok(()), "as webpki does");
}

#[test]
fn critical_extensions_must_be_understood() {
    let root = root();
    let (odd, value) = (&[0x2a, 3, 4], &[5, 0]);
    let judge_leaf = |draft: Draft| judge(&root, &[&draft.signed_by(&root)]);
    assert_eq!(judge_leaf(leaf().another_extension(odd, false, value)), Ok(()));
    assert_eq!(judge_leaf(leaf().another_extension(odd, true, value)), Err(CertificateKind::Other));
    assert_eq!(judge_below(&root, middle().another_extension(odd, true, value)), Err(CertificateKind::Other));
    let policies = leaf().extension(extension::CERTIFICATE_POLICIES, true, &[0x30, 0]);
    assert_eq!(judge_leaf(policies), Err(CertificateKind::Other), "policies are not looked at");
    let own = leaf().another_extension(odd, true, value).self_signed();
    assert_eq!(judge(&own, &[&own]), Err(CertificateKind::Other), "nor in a leaf that is a root");
}

#[test]
fn certificates_that_contradict_themselves_cannot_be_read() {
    let root = root();
    let bad = Err(CertificateKind::BadEncoding);
    let judge_leaf = |draft: Draft| judge(&root, &[&draft.signed_by(&root)]);
    assert_eq!(judge_leaf(leaf().version(1)), bad, "extensions in version 1");
    assert_eq!(judge_leaf(leaf().version(2)), bad);
    assert_eq!(judge_leaf(leaf().version(4)), bad);
    let twice = leaf().another_extension(&[0x55, 0x1d, 17], false, &[0x30, 0]);
    assert_eq!(judge_leaf(twice), bad, "two subjectAltNames");
    let no_list = leaf().extension(extension::SUBJECT_ALT_NAME, false, &[4, 0]);
    assert_eq!(judge_leaf(no_list), bad);
    let sha256 = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
    assert_eq!(judge_leaf(leaf().signed_algorithm(&sha256)), bad, "another algorithm under the signature");
    for constraints in [&[0x30, 3, 2, 1, 0xff][..], &[0x30, 2, 2, 0], &[0x30, 5, 2, 1, 1, 1, 0], &[0x31, 0]] {
        let draft = middle().extension(extension::BASIC_CONSTRAINTS, true, constraints);
        assert!(judge_below(&root, draft).is_err(), "{constraints:02x?}");
    }
}

// ---- names -------------------------------------------------------------------------------------------------------

#[test]
fn names_are_matched_whole_and_never_beyond_a_zero_byte() {
    let root = root();
    let judge_names = |names: &[GeneralName], name: &str| {
        let server = leaf().general_names(names).signed_by(&root);
        judge_as(Peer::Server, &[&root], &[&server], name).map(|_| ()).map_err(|problem| problem.kind)
    };
    let dns = |name: &str| GeneralName::Dns(name.as_bytes().to_vec());
    let wrong = Err(CertificateKind::WrongName);
    assert_eq!(judge_names(&[dns("a.test"), dns("*.server.test")], "www.server.test"), Ok(()));
    assert_eq!(judge_names(&[dns("WWW.Server.TEST")], "www.server.test."), Ok(()));
    for (presented, asked) in [
        ("www.server.test\0.evil.test", "www.server.test"),
        ("*.com", "example.com"),
        ("*", "localhost"),
        ("w*.example", "www.example"),
        ("w*.server.test", "www.server.test"),
        ("*.server.test", "server.test"),
        ("*.server.test", "a.b.server.test"),
        ("www.*.test", "www.server.test"),
        ("*.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
    ] {
        assert_eq!(judge_names(&[dns(presented)], asked), wrong, "{presented:?} for {asked}");
    }
    assert_eq!(judge_names(&[GeneralName::host("192.0.2.1")], "192.0.2.1"), Ok(()));
    assert_eq!(judge_names(&[GeneralName::host("2001:db8::1")], "2001:db8:0::1"), Ok(()));
    assert_eq!(judge_names(&[GeneralName::host("192.0.2.1")], "192.0.2.2"), wrong);
    assert_eq!(
        judge_names(&[GeneralName::Ip(vec![192, 0, 2])], "192.0.2.1"),
        Err(CertificateKind::BadEncoding)
    );
    assert_eq!(
        judge_names(&[GeneralName::Email(NAME.to_owned()), GeneralName::Uri(NAME.to_owned())], "x.test"),
        wrong
    );
    for nobody in ["", ".", "a b", "*.server.test", "server.test..", "1.2.3"] {
        assert_eq!(judge_names(&[dns("*.server.test"), dns(nobody)], nobody), wrong, "{nobody:?}");
    }
}

#[test]
fn common_names_count_only_where_no_other_does() {
    let root = root();
    let judge_subject = |parts: &[(&[u8], u8, &[u8])], names: &[GeneralName], asked: &str| {
        let draft = leaf().subject(name(parts));
        let draft = if names.is_empty() { draft.common_name_only() } else { draft.general_names(names) };
        let verdict = judge_as(Peer::Server, &[&root], &[&draft.signed_by(&root)], asked);
        verdict.map(|_| ()).map_err(|problem| problem.kind)
    };
    let cn = |text: &'static [u8]| (COMMON_NAME, 0x0c, text);
    let wrong = Err(CertificateKind::WrongName);
    assert_eq!(judge_subject(&[cn(b"server.test")], &[], NAME), Ok(()));
    assert_eq!(judge_subject(&[(COMMON_NAME, 0x14, b"Server.test")], &[], NAME), Ok(()), "T.61");
    assert_eq!(judge_subject(&[(COMMON_NAME, 0x1e, b"\0a\0.\0b")], &[], "a.b"), Ok(()), "of 16 bits");
    assert_eq!(judge_subject(&[cn(b"*.server.test")], &[], "a.server.test"), Ok(()));
    assert_eq!(judge_subject(&[cn(b"192.0.2.1")], &[], "192.0.2.1"), Ok(()));
    assert_eq!(judge_subject(&[cn(b"server.test")], &[GeneralName::Email("a@b".to_owned())], NAME), Ok(()));
    for (text, asked) in [
        (&b"*.com"[..], "example.com"),
        (b"*", "localhost"),
        (b"w*.server.test", "www.server.test"),
        (b"server.test\0.evil.test", NAME),
        (b"*.0.2.1", "192.0.2.1"),
        (b"192.0.2.1 ", "192.0.2.1"),
    ] {
        assert_eq!(judge_subject(&[(COMMON_NAME, 0x0c, text)], &[], asked), wrong, "{text:?}");
    }
    let last = [cn(b"server.test"), cn(b"other.test")];
    assert_eq!(judge_subject(&last, &[], NAME), wrong, "the most specific one");
    assert_eq!(judge_subject(&[(ORGANIZATION, 0x0c, b"server.test")], &[], NAME), wrong);
    for names in [GeneralName::host("other.test"), GeneralName::host("192.0.2.1")] {
        assert_eq!(judge_subject(&[cn(b"server.test")], &[names], NAME), wrong, "beside subjectAltName");
    }
}

#[test]
fn what_an_authority_may_name_is_kept() {
    let root = root();
    let judge_names = |draft: Draft, permitted: &[GeneralName], excluded: &[GeneralName]| {
        let middle = middle().name_constraints(permitted, excluded).signed_by(&root);
        judge(&root, &[&draft.signed_by(&middle), &middle])
    };
    let host = GeneralName::host;
    let refused = Err(CertificateKind::Other);
    assert_eq!(judge_names(leaf(), &[host("test")], &[]), Ok(()));
    assert_eq!(judge_names(leaf(), &[host("other.test")], &[]), refused);
    assert_eq!(judge_names(leaf(), &[host("other.test"), host("server.test")], &[]), Ok(()));
    assert_eq!(judge_names(leaf(), &[], &[host("server.test")]), refused);
    assert_eq!(judge_names(leaf(), &[host("test")], &[host("server.test")]), refused, "what is excluded is");
    assert_eq!(judge_names(leaf().names(&[NAME, "bank.test"]), &[host(NAME)], &[]), refused, "any name");
    assert_eq!(judge_names(leaf().names(&[NAME, "192.0.2.1"]), &[host(NAME)], &[]), Ok(()), "another form");

    let v1 = leaf().v1();
    assert_eq!(judge_names(v1.clone(), &[host("test")], &[]), Ok(()));
    assert_eq!(judge_names(v1.clone(), &[host("other.test")], &[]), refused, "a common name is a name");
    assert_eq!(judge_names(v1, &[], &[host(NAME)]), refused);

    let network = |last| GeneralName::Ip(vec![192, 0, 2, last, 255, 255, 255, 255]);
    let address = leaf().names(&[NAME, "192.0.2.1"]);
    assert_eq!(judge_names(address.clone(), &[network(1)], &[]), Ok(()));
    assert_eq!(judge_names(address.clone(), &[network(2)], &[]), refused);
    assert_eq!(judge_names(address, &[], &[network(1)]), refused);

    let organization = |text: &str| name(&[(ORGANIZATION, 0x0c, text.as_bytes())]);
    let in_organization =
        || leaf().subject(name(&[(ORGANIZATION, 0x13, b"EXAMPLE"), (COMMON_NAME, 0x0c, b"x")]));
    let directory = |text| GeneralName::Directory(organization(text));
    assert_eq!(judge_names(in_organization(), &[directory("Example")], &[]), Ok(()));
    assert_eq!(judge_names(in_organization(), &[directory("Other")], &[]), refused);
    assert_eq!(judge_names(in_organization(), &[], &[directory("Example")]), refused, "in any writing");

    let uri = || GeneralName::Uri("https://server.test/".to_owned());
    assert_eq!(judge_names(leaf(), &[uri()], &[]), Ok(()), "no such name");
    let with_uri = leaf().general_names(&[host(NAME), uri()]);
    assert_eq!(judge_names(with_uri.clone(), &[], &[]), Ok(()), "no constraint at all");
    assert_eq!(judge_names(with_uri.clone(), &[uri()], &[]), refused, "a form that is not honoured");
    assert_eq!(judge_names(with_uri, &[host("test")], &[]), Ok(()));
}

#[test]
fn a_roots_constraints_hold_for_all_below() {
    let root = Draft::authority("Root", TestKey::Rsa1024Issuer)
        .name_constraints(&[GeneralName::host("other.test")], &[])
        .self_signed();
    assert_eq!(judge(&root, &[&leaf().signed_by(&root)]), Err(CertificateKind::Other));
    assert_eq!(judge_below(&root, middle()), Err(CertificateKind::Other));
}

#[test]
fn comparisons_of_names_are_bounded() {
    let root = root();
    let hosts =
        |domain: &str| (0..400).map(|n| GeneralName::host(&format!("h{n}.{domain}"))).collect::<Vec<_>>();
    let middle = middle().name_constraints(&[], &hosts("excluded.test")).signed_by(&root);
    let names = [&hosts("server.test")[..], &[GeneralName::host(NAME)]].concat();
    let server = leaf().general_names(&names).signed_by(&middle);
    assert_eq!(judge(&root, &[&server, &middle]), Err(CertificateKind::Other));
    assert!(says(&root, &[&server, &middle]).starts_with("its chain has too many names"));
}

// ---- chains ------------------------------------------------------------------------------------------------------

#[test]
fn chains_are_found_in_any_order_and_around_what_does_not_help() {
    let root = root();
    let upper = middle().signed_by(&root);
    let lower = Draft::authority("Lower", TestKey::Dsa1024Issuer).sha1().signed_by(&upper);
    let server = leaf().signed_by(&lower);
    let expired = Draft::authority("Lower", TestKey::Dsa1024Issuer).expired().signed_by(&upper);
    let namesake = Draft::authority("Lower", TestKey::Dsa2048Issuer).signed_by(&root);
    assert_eq!(judge(&root, &[&server, &lower, &upper]), Ok(()));
    assert_eq!(judge(&root, &[&server, &upper, &root, &lower]), Ok(()));
    assert_eq!(judge(&root, &[&server, &namesake, &expired, &lower, &upper, &server]), Ok(()));
    assert_eq!(judge(&root, &[&server, &lower]), Err(CertificateKind::UnknownIssuer));
    assert_eq!(judge(&root, &[&server, &upper]), Err(CertificateKind::UnknownIssuer));
    let other = Draft::authority("Root", TestKey::Rsa2048Issuer).self_signed();
    let both = judge_as(Peer::Server, &[&other, &root], &[&server, &lower, &upper], NAME);
    assert!(both.is_ok(), "two roots of one name: {both:?}");
    assert_eq!(judge(&other, &[&server, &lower, &upper]), Err(CertificateKind::BadSignature));
}

#[test]
fn a_root_is_trusted_because_it_is_configured_and_not_because_it_signs_itself() {
    let (root, stranger) = (root(), Draft::authority("Stranger", TestKey::Rsa2048Issuer).self_signed());
    let server = leaf().signed_by(&stranger);
    assert_eq!(judge(&root, &[&server, &stranger]), Err(CertificateKind::UnknownIssuer));
    let own = leaf().self_signed();
    assert_eq!(judge(&root, &[&own]), Err(CertificateKind::UnknownIssuer));
    assert_eq!(judge(&own, &[&own]), Ok(()));
    let namesake = leaf().serial(&[9]).self_signed();
    assert_eq!(judge(&own, &[&namesake]), Err(CertificateKind::UnknownIssuer), "byte for byte");
}

#[test]
fn authorities_that_certify_each_other_lead_nowhere() {
    let root = root();
    let keys =
        [TestKey::P256Issuer, TestKey::P384, TestKey::Rsa2048Issuer, TestKey::Rsa2048Other, TestKey::Dsa2048];
    let names = ["A", "B", "C", "D", "E"];
    let own: Vec<Minted> =
        keys.iter().zip(names).map(|(key, name)| Draft::authority(name, *key).self_signed()).collect();
    let certify = |subject: usize, issuer: usize| {
        Draft::authority(names[subject], keys[subject]).signed_by(&own[issuer])
    };
    let server = leaf().sha1().signed_by(&own[0]);
    let (a_by_b, b_by_a) = (certify(0, 1), certify(1, 0));
    assert_eq!(judge(&root, &[&server, &a_by_b, &b_by_a]), Err(CertificateKind::UnknownIssuer));
    assert_eq!(judge(&root, &[&server, &own[0], &a_by_b, &b_by_a]), Err(CertificateKind::UnknownIssuer));
    // Everybody by everybody: there are 65 chains that end nowhere.
    let mesh: Vec<Minted> = (0..4)
        .flat_map(|s| (0..5).filter(move |i| *i != s).map(move |i| (s, i)))
        .map(|(s, i)| certify(s, i))
        .collect();
    let chain: Vec<&Minted> = [&server].into_iter().chain(&mesh).collect();
    assert_eq!(judge(&root, &chain), Err(CertificateKind::Other));
    assert!(says(&root, &chain).starts_with("there are too many ways to build its chain"));
}

#[test]
fn chains_have_a_greatest_length_and_number_of_certificates() {
    let root = root();
    let chain = |length: usize| {
        let mut authorities = vec![root.clone()];
        for n in 0..length {
            let draft = Draft::authority(&format!("Authority {n}"), TestKey::P256Issuer);
            authorities.push(draft.signed_by(&authorities[n]));
        }
        let server = leaf().signed_by(&authorities[length]);
        authorities.remove(0);
        authorities.insert(0, server);
        let shown: Vec<&Minted> = authorities.iter().collect();
        judge(&root, &shown)
    };
    assert_eq!(chain(7), Ok(()));
    assert_eq!(chain(8), Err(CertificateKind::UnknownIssuer));

    let [server, middle] = below(&root, middle());
    let noise = Draft::authority("Noise", TestKey::P384).self_signed();
    let behind = |count| {
        let mut chain = vec![&server];
        chain.extend(std::iter::repeat_n(&noise, count));
        chain.push(&middle);
        judge(&root, &chain)
    };
    assert_eq!(behind(15), Ok(()));
    assert_eq!(behind(16), Err(CertificateKind::UnknownIssuer));
}

#[test]
fn for_words_alone_fewer_signatures_are_checked() {
    let root = root();
    let [server, middle] = below(&root, middle());
    let of_its_name = Draft::authority("Middle", TestKey::P384).self_signed();
    let nothing = Verifier::new(&policy(&[root.der()]), Peer::Server).unwrap();
    for (count, kind) in [(6, CertificateKind::WeakSignature), (7, CertificateKind::BadSignature)] {
        let mut chain = vec![&server];
        chain.extend(std::iter::repeat_n(&of_its_name, count));
        chain.push(&middle);
        assert_eq!(judge(&root, &chain), Ok(()));
        let chain: Vec<&[u8]> = chain.iter().map(|minted| minted.der()).collect();
        let problem = nothing.verify_server(&chain, NAME, &[], now_and(0)).unwrap_err();
        assert_eq!(problem.kind, kind, "{count}: {problem:?}");
    }
}

#[test]
fn nothing_is_shown_and_nothing_is_trusted() {
    let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&[root().der()]) };
    let server = Verifier::new(&policy, Peer::Server).unwrap();
    assert_eq!(
        server.verify_server(&[], NAME, &[], now_and(0)).unwrap_err().kind,
        CertificateKind::BadEncoding
    );
    let client = Verifier::new(&policy, Peer::Client).unwrap();
    assert_eq!(client.verify_client(&[b"", b""], now_and(0)).unwrap_err().kind, CertificateKind::BadEncoding);
}

// ---- damage ------------------------------------------------------------------------------------------------------

/// Leaves of every kind, each with its root.
fn samples() -> Vec<[Minted; 2]> {
    let rsa = root();
    let dsa = Draft::authority("Root", TestKey::Dsa1024Issuer).sha1().self_signed();
    let ecdsa = Draft::authority("Root", TestKey::P256Issuer).sha1().self_signed();
    vec![
        [leaf().v1().md5().signed_by(&rsa), rsa.clone()],
        [leaf().loose_lengths().times_without_seconds().signed_by(&rsa), rsa.clone()],
        [leaf().pss().signed_by(&rsa), rsa],
        [leaf().common_name_only().signed_by(&dsa), dsa],
        [leaf().signed_by(&ecdsa), ecdsa],
    ]
}

#[test]
fn no_byte_of_a_certificate_can_be_altered() {
    for [leaf, root] in samples() {
        assert_eq!(judge(&root, &[&leaf]), Ok(()));
        let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&[root.der()]) };
        let verifier = Verifier::new(&policy, Peer::Server).unwrap();
        for at in 0..leaf.der().len() {
            let mut altered = leaf.der().to_vec();
            altered[at] ^= 1;
            assert!(verifier.verify_server(&[&altered], NAME, &[], now_and(0)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn mutated_leaves_never_panic_and_never_pass() {
    let samples = samples();
    let mut verifiers = Vec::new();
    for [_, root] in &samples {
        let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&[root.der()]) };
        verifiers.push(Verifier::new(&policy, Peer::Server).unwrap());
    }
    let mut mutator = Mutator::new(0x0509);
    for round in 0..20_000 {
        let which = round % samples.len();
        let [leaf, _] = &samples[which];
        let mut bytes = leaf.der().to_vec();
        let mutations = mutator.mutate_some(&mut bytes, 4);
        let verdict = verifiers[which].verify_server(&[&bytes], NAME, &[], now_and(0));
        assert!(verdict.is_err() || bytes == leaf.der(), "{mutations:?}");
    }
}

#[test]
fn mutated_intermediates_never_panic_and_take_nothing_away() {
    let root = root();
    let constrained = middle().name_constraints(&[GeneralName::host("test")], &[GeneralName::host("a.test")]);
    let [leaf, middle] = below(&root, constrained);
    let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&[root.der()]) };
    let verifier = Verifier::new(&policy, Peer::Server).unwrap();
    let mut mutator = Mutator::new(0x0512);
    for _ in 0..5_000 {
        let mut bytes = middle.der().to_vec();
        let mutations = mutator.mutate_some(&mut bytes, 4);
        let verdict = verifier.verify_server(&[leaf.der(), &bytes], NAME, &[], now_and(0));
        assert!(verdict.is_err() || bytes == middle.der(), "{mutations:?}");
        let both = verifier.verify_server(&[leaf.der(), &bytes, middle.der()], NAME, &[], now_and(0));
        assert!(both.is_ok(), "{both:?} {mutations:?}");
    }
}

#[test]
fn mutated_roots_never_panic() {
    let [leaf, root] = &samples()[0];
    let mut mutator = Mutator::new(0x0510);
    let mut random = SeededRandom::new(0x0511);
    for _ in 0..5_000 {
        let mut bytes = root.der().to_vec();
        mutator.mutate_some(&mut bytes, 3);
        let count = random.below(3);
        let roots: Vec<&[u8]> = [&bytes[..], leaf.der(), root.der()].into_iter().take(1 + count).collect();
        let policy = VerifyPolicy { allow: Weakness::ALL.iter().copied().collect(), ..policy(&roots) };
        if let Ok(verifier) = Verifier::new(&policy, Peer::Server) {
            let _ = verifier.verify_server(&[leaf.der(), root.der()], NAME, &[], now_and(0)).is_ok();
        }
    }
}
