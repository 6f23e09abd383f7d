use sspi_core::{Fault, SecStatus};
use std::time::Duration;
use test_support::x509::{Draft, GeneralName, Minted, ORGANIZATION, TestKey, name, purpose};

use super::keys::KeyKind;
use super::*;
use crate::certificate::verifier::Weaknesses;
use crate::config::Revocation;

const SID: &str = "S-1-5-21-1-2-3-1104";
const UPN: &str = "alice@corp.example";

fn root() -> Minted {
    Draft::authority("Corp CA", TestKey::P256Issuer).self_signed()
}

fn alice() -> Draft {
    Draft::client("alice", TestKey::P256)
}

fn with_upn() -> Draft {
    alice().general_names(&[GeneralName::upn(UPN)])
}

fn trust(roots: &[&[u8]]) -> VerifyPolicy {
    VerifyPolicy {
        roots: roots.iter().map(|root| root.to_vec().into()).collect(),
        pins: Vec::new(),
        allow: Weaknesses::NONE,
        revocation: Revocation::Off,
        crls: Vec::new(),
        crl_files: None,
    }
}

fn settings() -> MapperSettings {
    MapperSettings {
        mapping: Mapping::Optional,
        rules: MappingRule::ALL.to_vec(),
        allow_weak: Vec::new(),
        nt_auth: vec![root().der().to_vec()],
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)
}

fn account(name: &str) -> FoundAccount {
    Account { name: name.to_owned(), ..Account::default() }.into()
}

/// The account that has the UPN of these tests, and the identifier if there is one.
fn by_upn(sid: Option<&str>) -> FoundAccount {
    let account = Account {
        name: "alice".into(),
        upn: Some(UPN.into()),
        sid: sid.map(Into::into),
        ..Account::default()
    };
    account.into()
}

fn by_identity(name: &str, identity: &str) -> FoundAccount {
    FoundAccount { security_identities: vec![identity.to_owned()], ..account(name) }
}

/// What the search asks, and what it comes to.
struct Outcome {
    asked: Vec<PeerIdentity>,
    result: Result<Account, NoAccount>,
}

impl Outcome {
    fn account(&self) -> (&str, &str) {
        let account = self.result.as_ref().unwrap();
        (&account.name, &account.matched_by)
    }

    fn unmapped(&self) -> &Unmapped {
        match &self.result {
            Err(NoAccount::Unmapped(unmapped)) => unmapped,
            other => panic!("{other:?}"),
        }
    }
}

/// A directory that looks at every account for every question, as careless as one can be.
fn search(settings: MapperSettings, trust: &VerifyPolicy, leaf: &Minted, all: &[FoundAccount]) -> Outcome {
    let mapper = Arc::new(Mapper::new(settings, trust).unwrap().unwrap());
    let mut search = Search::new(&mapper, &[leaf.der().to_vec()], now());
    let mut asked = Vec::new();
    loop {
        match search.advance().unwrap() {
            Step::Done(result) => return Outcome { asked, result },
            Step::Ask(Question::Account(ask)) => {
                asked.push(ask.question().clone());
                ask.answer(Ok(all.to_vec()));
            }
            Step::Ask(other) => panic!("{other:?}"),
        }
    }
}

fn find(settings: MapperSettings, draft: Draft, all: &[FoundAccount]) -> Outcome {
    let root = root();
    search(settings, &trust(&[root.der()]), &draft.signed_by(&root), all)
}

fn allowing(weak: &[WeakMapping]) -> MapperSettings {
    MapperSettings { allow_weak: weak.to_vec(), ..settings() }
}

#[test]
fn a_upn_with_the_security_identifier_of_its_account_is_strong() {
    let found = find(settings(), with_upn().sid(SID), &[by_upn(Some(SID)), account("other")]);
    assert_eq!(found.account(), ("alice", "upn"));
    assert_eq!(found.asked, [PeerIdentity::UserPrincipalName(UPN.into())]);
}

#[test]
fn a_upn_is_compared_without_case() {
    let draft = alice().general_names(&[GeneralName::upn("ALICE@CORP.EXAMPLE")]).sid(SID);
    assert_eq!(find(settings(), draft, &[by_upn(Some(SID))]).account(), ("alice", "upn"));
}

#[test]
fn a_upn_alone_is_weak_and_the_refusal_names_what_would_accept_it() {
    for (draft, known) in [(with_upn(), Some(SID)), (with_upn(), None), (with_upn().sid(SID), None)] {
        let found = find(settings(), draft.clone(), &[by_upn(known)]);
        let unmapped = found.unmapped();
        assert_eq!(unmapped.kind, UnmappedKind::Weak);
        assert_eq!(unmapped.remedy(), Some(("allow-weak-mappings", "upn-without-sid".to_owned())));
        assert!(unmapped.sentence().contains("alice is mapped by upn-without-sid, which is weak"));
        let found = find(allowing(&[WeakMapping::UpnWithoutSid]), draft, &[by_upn(known)]);
        assert_eq!(found.account(), ("alice", "upn-without-sid"));
    }
}

#[test]
fn a_security_identifier_of_another_account_ends_the_search_whatever_is_allowed() {
    let other = by_upn(Some("S-1-5-21-1-2-3-500"));
    let found = find(allowing(&WeakMapping::ALL), with_upn().sid(SID), std::slice::from_ref(&other));
    assert_eq!(found.unmapped().kind, UnmappedKind::WrongSid);
    assert_eq!(found.asked.len(), 1, "no rule after it is tried");
    let strong = alice().key_identifier(&[0xab, 1]).sid(SID);
    let by_key = FoundAccount { security_identities: vec!["X509:<SKI>AB01".into()], ..other };
    assert_eq!(find(settings(), strong, &[by_key]).unmapped().kind, UnmappedKind::WrongSid);
    let error: Error = NoAccount::Unmapped(found.unmapped().clone()).refusal();
    assert_eq!((error.status(), error.alert()), (SecStatus::SEC_E_PKINIT_NAME_MISMATCH, Some(49)));
}

#[test]
fn an_authority_outside_of_nt_auth_names_no_users() {
    let impostor = Draft::authority("Corp CA", TestKey::P384).self_signed();
    for nt_auth in [vec![], vec![impostor.der().to_vec()], vec![b"no certificate".to_vec()]] {
        let settings = MapperSettings { nt_auth, ..allowing(&WeakMapping::ALL) };
        let found = find(settings, with_upn().sid(SID), &[by_upn(Some(SID))]);
        let upn_was_asked =
            found.asked.iter().any(|asked| matches!(asked, PeerIdentity::UserPrincipalName(_)));
        assert!(!upn_was_asked);
        assert_eq!(found.unmapped().setting(), Some("nt-auth"));
        assert!(found.unmapped().sentence().contains("is not among those that may name users"));
    }
}

#[test]
fn nt_auth_is_about_the_authority_that_issued_and_not_about_its_root() {
    let root = root();
    let branch = Draft::authority("Branch CA", TestKey::P384).signed_by(&root);
    let leaf = with_upn().sid(SID).signed_by(&branch);
    let found = |nt_auth: &Minted| {
        let settings = MapperSettings { nt_auth: vec![nt_auth.der().to_vec()], ..settings() };
        search(settings, &trust(&[root.der()]), &leaf, &[by_upn(Some(SID))])
    };
    assert_eq!(found(&branch).account(), ("alice", "upn"));
    assert_eq!(found(&root).unmapped().setting(), Some("nt-auth"));
}

#[test]
fn several_upns_in_a_certificate_are_none() {
    let draft =
        alice().general_names(&[GeneralName::upn(UPN), GeneralName::upn("bob@corp.example")]).sid(SID);
    let found = find(allowing(&WeakMapping::ALL), draft, &[by_upn(Some(SID))]);
    assert!(found.unmapped().sentence().contains("several user principal names"));
}

#[test]
fn what_is_no_upn_is_not_asked_for() {
    for upn in ["alice", "@corp.example", "alice@", "alice@corp\0.example", " alice@corp.example"] {
        let found = find(settings(), alice().general_names(&[GeneralName::upn(upn)]), &[by_upn(Some(SID))]);
        let upn_was_asked =
            found.asked.iter().any(|asked| matches!(asked, PeerIdentity::UserPrincipalName(_)));
        assert!(!upn_was_asked, "{upn:?}");
    }
}

/// The certificate of the tests of `altSecurityIdentities`, and the values that name it.
fn described() -> (Draft, Vec<(&'static str, String)>) {
    let subject = name(&[(ORGANIZATION, 0x0c, b"Corp"), (&[0x55, 4, 3], 0x0c, b"alice")]);
    let draft = alice()
        .subject(subject)
        .serial(&[0, 0x9a, 0, 0, 0x11])
        .key_identifier(&[0xab, 0xcd])
        .general_names(&[GeneralName::Email("alice@corp.example".into())]);
    let certificate = draft.clone().signed_by(&root());
    let identity = Identity::read(certificate.der()).unwrap();
    let hash = |of: &[u8]| {
        let digest = crypto::hash::Hash::Sha1.digest(of);
        digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect::<String>()
    };
    let values = vec![
        ("issuer-and-serial", "X509:<I>CN=Corp CA<SR>1100009a".to_owned()),
        ("key-identifier", "X509:<SKI>ABCD".to_owned()),
        ("public-key", format!("X509:<SHA1-PUKEY>{}", hash(identity.key_bits.unwrap()))),
        ("public-key", format!("X509:<SHA1-PUKEY>{}", hash(identity.public_key.unwrap()))),
        ("issuer-and-subject", "X509:<I>CN=Corp CA<S>O=Corp,CN=alice".to_owned()),
        ("subject", "X509:<S>O=Corp,CN=alice".to_owned()),
        ("rfc822", "X509:<RFC822>Alice@corp.example".to_owned()),
        ("issuer", "x509:<i>cn=CORP ca".to_owned()),
    ];
    (draft, values)
}

#[test]
fn every_kind_of_security_identity_finds_its_account_and_weak_ones_only_if_they_are_allowed() {
    let (draft, values) = described();
    for (kind, value) in &values {
        let all = [by_identity("alice", value), by_identity("bob", "X509:<SKI>00")];
        let allowed = find(allowing(&WeakMapping::ALL), draft.clone(), &all);
        assert_eq!(allowed.account(), ("alice", *kind), "{value}");
        let found = find(settings(), draft.clone(), &all);
        match WeakMapping::ALL.iter().find(|weak| weak.name() == *kind) {
            None => assert_eq!(found.account(), ("alice", *kind)),
            Some(weak) => {
                assert_eq!(found.unmapped().remedy().unwrap().1, *kind, "{value}");
                assert_eq!(find(allowing(&[*weak]), draft.clone(), &all).account(), ("alice", *kind));
            }
        }
    }
}

#[test]
fn a_dsa_key_is_named_by_its_group_too_and_by_no_key_identifier() {
    // Whoever has a group of their own knows the private key to any y.
    let draft = Draft::client("mallory", TestKey::Dsa1024).key_identifier(&[0xab, 0xcd]);
    let found = find(settings(), draft, &[]);
    let hash = |of: &[u8]| {
        let digest = crypto::hash::Hash::Sha1.digest(of);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let [PeerIdentity::SecurityIdentities(asked), ..] = found.asked.as_slice() else {
        panic!("{:?}", found.asked)
    };
    let of_key: Vec<&str> =
        asked.iter().filter_map(|asked| asked.strip_prefix("X509:<SHA1-PUKEY>")).collect();
    assert_eq!(of_key, [hash(&TestKey::Dsa1024.public_der())]);
    assert!(asked.iter().all(|asked| !asked.contains("<SKI>")), "{asked:?}");
}

#[test]
fn a_directory_is_asked_once_for_a_rule_and_the_strong_values_come_first() {
    let (draft, _) = described();
    let found = find(settings(), draft, &[]);
    let [PeerIdentity::SecurityIdentities(one), PeerIdentity::SecurityIdentities(many)] =
        found.asked.as_slice()
    else {
        panic!("{:?}", found.asked)
    };
    let kinds = ["<SR>", "<SKI>", "<SHA1-PUKEY>", "<SHA1-PUKEY>", "<S>", "X509:<S>", "<RFC822>"];
    assert_eq!(one.len(), kinds.len());
    assert!(one.iter().zip(kinds).all(|(value, kind)| value.contains(kind)), "{one:?}");
    assert_eq!(*many, ["X509:<I>CN=Corp CA"]);
    assert_eq!(found.unmapped().kind, UnmappedKind::NotFound);
}

#[test]
fn only_the_rules_that_are_configured_are_tried_in_their_order() {
    let rules = vec![MappingRule::ManyToOne, MappingRule::Upn];
    let found = find(MapperSettings { rules, ..settings() }, with_upn(), &[]);
    assert_eq!(
        found.asked,
        [
            PeerIdentity::SecurityIdentities(vec!["X509:<I>CN=Corp CA".into()]),
            PeerIdentity::UserPrincipalName(UPN.into())
        ]
    );
    let none = find(MapperSettings { rules: vec![MappingRule::S4u], ..settings() }, with_upn(), &[]);
    assert!(none.asked.is_empty());
    assert_eq!(none.unmapped().setting(), Some("certificate-mapping"));
    assert!(none.unmapped().sentence().contains("s4u is not available"), "{}", none.unmapped().sentence());
}

#[test]
fn a_strong_mapping_counts_where_a_weak_one_is_not_allowed() {
    let draft = with_upn().key_identifier(&[1]);
    let found = find(settings(), draft, &[by_upn(None), by_identity("keeper", "X509:<SKI>01")]);
    assert_eq!(found.account(), ("keeper", "key-identifier"));
}

#[test]
fn two_accounts_are_none() {
    let (draft, _) = described();
    let all = [by_identity("alice", "X509:<SKI>abcd"), by_identity("bob", "X509:<S>O=Corp,CN=alice")];
    let found = find(allowing(&[WeakMapping::Subject]), draft.clone(), &all);
    assert_eq!(found.unmapped().kind, UnmappedKind::Several);
    let error = NoAccount::Unmapped(found.unmapped().clone()).refusal();
    assert_eq!((error.status(), error.alert()), (SecStatus::SEC_E_MULTIPLE_ACCOUNTS, Some(49)));
    assert_eq!(
        find(settings(), draft, &all).account(),
        ("alice", "key-identifier"),
        "the weak one does not count"
    );
    let twin = FoundAccount { is_disabled: true, ..by_upn(Some(SID)) };
    let found = find(settings(), with_upn().sid(SID), &[by_upn(Some(SID)), twin]);
    assert_eq!(found.unmapped().kind, UnmappedKind::Several, "one of them is disabled");
    let found = find(settings(), with_upn().sid(SID), &[by_upn(Some(SID)), by_upn(Some(SID))]);
    assert_eq!(found.account(), ("alice", "upn"), "the same one twice is one");
    let mut other = by_upn(Some(SID));
    other.account.name = "impostor".into();
    let found = find(settings(), with_upn().sid(SID), &[by_upn(Some(SID)), other]);
    assert_eq!(found.unmapped().kind, UnmappedKind::Several);
}

#[test]
fn a_weak_mapping_that_is_not_accepted_ends_no_search_with_another_security_identifier() {
    let other = by_upn(Some("S-1-5-21-1-2-3-500"));
    let draft = with_upn().sid(SID).key_identifier(&[1]);
    let found = find(settings(), draft.clone(), &[other.clone(), by_identity("keeper", "X509:<SKI>01")]);
    assert_eq!(found.account(), ("keeper", "key-identifier"));
    let found = find(settings(), draft, &[other]);
    assert_eq!(found.unmapped().kind, UnmappedKind::WrongSid);
    assert_eq!(found.unmapped().remedy(), None, "to accept it would not help");
    assert!(found.unmapped().sentence().contains("another one than that of alice"));
}

#[test]
fn the_account_of_an_authority_has_another_security_identifier_than_its_certificates() {
    let mut all = by_identity("all", "X509:<I>CN=Corp CA");
    all.account.sid = Some("S-1-5-21-1-2-3-500".into());
    let found = find(allowing(&[WeakMapping::Issuer]), alice().sid(SID), &[all]);
    assert_eq!(found.account(), ("all", "issuer"));
}

#[test]
fn a_disabled_account_ends_the_search() {
    let disabled = FoundAccount { is_disabled: true, ..by_upn(Some(SID)) };
    let draft = with_upn().sid(SID).key_identifier(&[1]);
    let found = find(settings(), draft, &[disabled, by_identity("keeper", "X509:<SKI>01")]);
    assert_eq!(found.unmapped().kind, UnmappedKind::Disabled);
    assert!(found.unmapped().sentence().ends_with("the account alice is disabled"));
}

#[test]
fn a_security_extension_that_cannot_be_read_maps_nothing() {
    let (_, values) = described();
    let all = [by_identity("alice", &values[0].1)];
    for draft in [
        alice().sid("S-1-5"),
        alice().sid("nonsense"),
        alice().security_extension(&[0x30, 0]),
        alice().security_extension(&[5, 0]),
        alice().sid(SID).sid("S-1-5-21-1-2-3-500"),
    ] {
        let found = find(allowing(&WeakMapping::ALL), draft, &all);
        assert_eq!(found.unmapped().kind, UnmappedKind::Unreadable);
        assert!(found.asked.is_empty());
    }
}

#[test]
fn one_to_one_and_many_to_one_want_a_root_that_is_trusted_for_clients() {
    let root =
        Draft::authority("Corp CA", TestKey::P256Issuer).purposes(&[purpose::SERVER_AUTH]).self_signed();
    let leaf = alice().key_identifier(&[1]).signed_by(&root);
    let all = [by_identity("alice", "X509:<SKI>01"), by_identity("all", "X509:<I>CN=Corp CA")];
    let for_servers = trust(&[root.der()]);
    let found = search(allowing(&WeakMapping::ALL), &for_servers, &leaf, &all);
    assert!(found.asked.is_empty());
    assert_eq!(found.unmapped().setting(), Some("client-roots"));

    let another = Draft::authority("Other CA", TestKey::P384).self_signed();
    let mixed = trust(&[root.der(), another.der()]);
    assert!(search(settings(), &mixed, &leaf, &all).asked.is_empty());
    let its_own = alice().key_identifier(&[1]).signed_by(&another);
    assert_eq!(search(settings(), &mixed, &its_own, &all).account(), ("alice", "key-identifier"));
}

#[test]
fn a_certificate_that_is_pinned_is_for_no_account_and_the_refusal_says_so() {
    let all = [by_identity("alice", "X509:<SKI>01"), by_upn(Some(SID))];
    let pinned = VerifyPolicy { pins: vec![[0; 32]], ..trust(&[]) };
    for draft in [with_upn().sid(SID).key_identifier(&[1]), with_upn().sid(SID).expired()] {
        let found = search(allowing(&WeakMapping::ALL), &pinned, &draft.signed_by(&root()), &all);
        assert!(found.asked.is_empty(), "a pin is no root, and has no times");
        assert_eq!(found.unmapped().setting(), Some("pins"));
    }
}

#[test]
fn names_that_try_to_be_others_are_quoted_and_long_ones_are_not_asked_for() {
    let trick = alice().subject(name(&[(&[0x55, 4, 3], 0x0c, b"x<S>CN=admin")]));
    let victim = by_identity("admin", "X509:<I>CN=Corp CA<S>CN=admin");
    let found = find(allowing(&WeakMapping::ALL), trick, &[victim]);
    assert_eq!(found.unmapped().kind, UnmappedKind::NotFound);
    let long = alice().subject(name(&[(&[0x55, 4, 3], 0x0c, &[b'x'; 4000])]));
    let found = find(settings(), long, &[]);
    assert!(found.asked.iter().all(|asked| match asked {
        PeerIdentity::SecurityIdentities(all) => all.iter().all(|value| value.len() < 100),
        _ => false,
    }));
}

#[test]
fn a_directory_that_cannot_answer_is_no_account_and_says_why() {
    let mapper = Arc::new(Mapper::new(settings(), &trust(&[root().der()])).unwrap().unwrap());
    let leaf = alice().signed_by(&root()).der().to_vec();
    let mut search = Search::new(&mapper, &[leaf], now());
    let Step::Ask(Question::Account(ask)) = search.advance().unwrap() else { panic!("it asks") };
    let down = Error::new(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration, "it is down");
    ask.answer(Err(down));
    let Step::Done(Err(why)) = search.advance().unwrap() else { panic!("it is over") };
    for error in [why.refusal(), why.answer()] {
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
        assert_eq!(error.alert(), Some(80), "the client has done nothing wrong");
    }
}

#[test]
fn kinds_are_named_as_they_are_allowed() {
    for kind in [KeyKind::IssuerAndSubject, KeyKind::Subject, KeyKind::Email, KeyKind::Issuer] {
        assert_eq!(kind.name(), kind.weakness().unwrap().name());
    }
}
