//! Client certificates and their accounts in a real directory: OpenLDAP with the attributes of Active Directory.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failed test"
)]

use std::sync::Arc;

use crypto::hash::Hash;
use opensspi::sspi_core::{Account, CertificateIdentity, Error, SecStatus, Secret};
use opensspi::{SecureStream, Sspi};
use opensspi_integration_tests::peers::slapd::{ADMIN, BASE, PASSWORD, Slapd};
use test_support::x509::{Draft, GeneralName, Minted, ORGANIZATION, TestKey, name, purpose};
use test_support::{Pki, TestCertificate, hex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

const UPN: &str = "alice@corp.example";
const SID: &str = "S-1-5-21-1-2-3-1104";
/// The same as Active Directory keeps it, in base64.
const SID_BYTES: &str = "AQUAAAAAAAUVAAAAAQAAAAIAAAADAAAAUAQAAA==";

/// Alice, who has everything, and others who must never be taken for somebody.
fn entries() -> String {
    let user = |name: &str, more: &str| {
        format!(
            "dn: cn={name},{BASE}\nobjectClass: user\ncn: {name}\nsn: {name}\nuid: {name}\nsAMAccountName: {name}\n{more}\n"
        )
    };
    [
        user(
            "alice",
            &format!("userPrincipalName: {UPN}\nobjectSid:: {SID_BYTES}\nuserAccountControl: 512\n"),
        ),
        user(
            "admin",
            "userPrincipalName: admin@corp.example\naltSecurityIdentities: X509:<RFC822>admin@corp.example\n",
        ),
        user("dave", "userPrincipalName: dave@corp.example\nuserAccountControl: 514\n"),
        user("twin1", "altSecurityIdentities: X509:<SKI>0102\n"),
        user("twin2", "altSecurityIdentities: X509:<SKI>0102\n"),
    ]
    .concat()
}

/// A directory, and a server whose clients' accounts are in it.
struct World {
    folder: tempfile::TempDir,
    slapd: Slapd,
    clients: Minted,
}

fn authority(common_name: &str) -> Minted {
    Draft::authority(common_name, TestKey::P256Issuer).self_signed()
}

impl World {
    fn new() -> Self {
        let (pki, clients) = (Pki::new(), authority("Corp CA"));
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("clients.pem", &clients.pem());
        write("servers.pem", &pki.root_pem());
        write("directory.pem", &pki.root_pem());
        write("password", &format!("{PASSWORD}\n"));
        pki.server("localhost").issue().write_as(folder.path(), "server").unwrap();
        let slapd = Slapd::start(&entries(), &pki.server("localhost").issue()).unwrap();
        Self { folder, slapd, clients }
    }

    /// A server with more lines in its sections.
    fn server_at(&self, url: &str, schannel: &str, directory: &str) -> Sspi {
        // Against a server that stands still, and not against a machine that is busy.
        let deadline = if directory.contains("deadline") { "" } else { "deadline = \"20s\"" };
        let text = format!(
            "[directory]\nurl = \"{url}\"\nbase = \"{BASE}\"\nbind-dn = \"{ADMIN}\"\nbind-password = \"file:password\"\n\
             roots = [\"directory.pem\"]\nabsent-for = \"0s\"\n{deadline}\n{directory}\n\
             [schannel]\nclient-auth = \"required\"\nclient-roots = [\"clients.pem\"]\nnt-auth = [\"clients.pem\"]\n{schannel}\n\
             [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n"
        );
        Sspi::from_toml(&text, self.folder.path()).unwrap()
    }

    fn server(&self, schannel: &str) -> Sspi {
        self.server_at(&self.slapd.tls_url(), schannel, "")
    }

    fn client(&self, certificate: &TestCertificate) -> Sspi {
        let identity = CertificateIdentity {
            chain: certificate.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(certificate.key_der().to_vec())),
        };
        let config =
            opensspi::Config::from_toml("[schannel]\nroots = [\"servers.pem\"]\n", "client").unwrap();
        Sspi::builder().config(config).base(self.folder.path()).certificate(identity).build().unwrap()
    }

    fn mint(&self, draft: Draft) -> TestCertificate {
        draft.signed_by(&self.clients).with_chain(&[])
    }

    /// What alice is known by, in place of what she was known by before.
    fn known_by(&self, who: &str, identities: &[&str]) {
        let lines: String = identities.iter().map(|one| format!("altSecurityIdentities: {one}\n")).collect();
        let ldif =
            format!("dn: cn={who},{BASE}\nchangetype: modify\nreplace: altSecurityIdentities\n{lines}-\n");
        self.slapd.modify(&ldif).unwrap();
    }
}

type Stream = SecureStream<DuplexStream>;

/// A connection of both ends, or why the server refused.
async fn connect(client: &Sspi, server: &Sspi) -> Result<(Stream, Stream), opensspi::Error> {
    let (a, b) = tokio::io::duplex(65_536);
    let (client, server) = tokio::join!(client.connect("localhost", a), server.accept(b));
    let (mut server, mut client) = (server?, client.unwrap());
    server.write_all(b"x").await.unwrap();
    server.flush().await.unwrap();
    // With what comes before it: a ticket, perhaps.
    assert_eq!(client.read(&mut [0; 4]).await.unwrap(), 1);
    Ok((client, server))
}

async fn account(world: &World, server: &Sspi, draft: Draft) -> Result<Account, Error> {
    let client = world.client(&world.mint(draft));
    connect(&client, server).await.unwrap().1.security_context_token()
}

fn alice() -> Draft {
    Draft::client("alice", TestKey::P256)
}

fn with_upn(upn: &str) -> Draft {
    alice().general_names(&[GeneralName::upn(upn)])
}

#[tokio::test]
async fn a_upn_with_its_security_identifier_is_found_over_tls_start_tls_and_in_clear() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    for (url, more) in [
        (world.slapd.tls_url(), ""),
        (world.slapd.url(), ""),
        (world.slapd.url(), "i-accept-clear-text = true"),
    ] {
        let server = world.server_at(&url, "", more);
        let found = account(&world, &server, with_upn("Alice@CORP.example").sid(SID)).await.unwrap();
        assert_eq!((&*found.name, &*found.matched_by), ("alice", "upn"), "{url}");
        assert_eq!(found.domain.as_deref(), Some("corp.test"));
        assert_eq!(found.distinguished_name, Some(format!("cn=alice,{BASE}")));
        assert_eq!((found.upn.as_deref(), found.sid.as_deref()), (Some(UPN), Some(SID)));
    }
}

#[tokio::test]
async fn a_directory_that_cannot_prove_who_it_is_is_not_believed() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    std::fs::write(world.folder.path().join("directory.pem"), Pki::named("Other").root_pem()).unwrap();
    for url in [world.slapd.tls_url(), world.slapd.url()] {
        let server = world.server_at(&url, "", "");
        let error = account(&world, &server, with_upn(UPN).sid(SID)).await.unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{error}");
        assert!(error.to_string().contains("cannot be trusted"), "{error}");
    }
}

#[tokio::test]
async fn weak_and_contradicting_upns_are_refused() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let server = world.server("");
    let weak = account(&world, &server, with_upn(UPN)).await.unwrap_err();
    assert_eq!(weak.setting(), Some("allow-weak-mappings"));
    assert_eq!(&*weak.remedies()[0].value, "upn-without-sid");
    let other = account(&world, &server, with_upn(UPN).sid("S-1-5-21-1-2-3-500")).await.unwrap_err();
    assert!(other.to_string().contains("security identifier is another one"), "{other}");
    let allowing = world.server("allow-weak-mappings = [\"upn-without-sid\"]");
    assert_eq!(account(&world, &allowing, with_upn(UPN)).await.unwrap().matched_by, "upn-without-sid");
    let disabled = account(&world, &allowing, with_upn("dave@corp.example")).await.unwrap_err();
    assert!(disabled.to_string().contains("the account dave is disabled"), "{disabled}");
    let nobody = account(&world, &allowing, with_upn("carol@corp.example")).await.unwrap_err();
    assert_eq!(nobody.status(), SecStatus::SEC_E_NO_IMPERSONATION);
}

#[tokio::test]
async fn an_authority_that_may_not_name_users_does_not() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    std::fs::write(world.folder.path().join("others.pem"), authority("Other CA").pem()).unwrap();
    let config = world.server("").config().clone();
    let schannel =
        opensspi::SchannelConfig { nt_auth: vec!["others.pem".to_owned()], ..config.schannel.clone() };
    let server = Sspi::builder().config(config).schannel(schannel).base(world.folder.path()).build().unwrap();
    let error = account(&world, &server, with_upn(UPN).sid(SID)).await.unwrap_err();
    assert_eq!(error.setting(), Some("nt-auth"), "{error}");
}

#[tokio::test]
async fn every_kind_of_security_identity_is_found() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let subject = name(&[(ORGANIZATION, 0x0c, b"Corp, Inc."), (&[0x55, 4, 3], 0x0c, "Alïce".as_bytes())]);
    let draft = || {
        alice()
            .subject(subject.clone())
            .serial(&[0, 0xaa, 0xbb, 0x01])
            .key_identifier(&[0xab, 0xcd])
            .general_names(&[GeneralName::Email("alice@corp.example".into())])
    };
    let (strong, weak) = (
        world.server(""),
        world.server("allow-weak-mappings = [\"issuer-and-subject\", \"subject\", \"rfc822\", \"issuer\"]"),
    );
    let public_key = TestKey::P256.public_der();
    let hash = |of: &[u8]| format!("X509:<SHA1-PUKEY>{}", hex::encode(Hash::Sha1.digest(of).as_ref()));
    // The key with its algorithm, and the key alone: the point of a curve, which is 65 bytes.
    let hashes = [hash(&public_key), hash(&public_key[public_key.len() - 65..]).to_uppercase()];
    for (kind, value, is_strong) in [
        ("issuer-and-serial", "X509:<I>CN=Corp CA<SR>01BBAA", true),
        ("key-identifier", "X509:<SKI>ABCD", true),
        ("public-key", &hashes[0], true),
        ("public-key", &hashes[1], true),
        ("issuer-and-subject", "X509:<I>CN=Corp CA<S>O=\"Corp, Inc.\",CN=Alïce", false),
        ("subject", "X509:<S>O=\"Corp, Inc.\",CN=Alïce", false),
        ("rfc822", "X509:<RFC822>ALICE@corp.example", false),
        ("issuer", "X509:<I>CN=corp ca", false),
    ] {
        world.known_by("alice", &["Kerberos:alice@EXAMPLE.TEST", value]);
        let found = account(&world, &weak, draft()).await.unwrap();
        assert_eq!((&*found.name, &*found.matched_by), ("alice", kind));
        match account(&world, &strong, draft()).await {
            Ok(found) => assert!(is_strong && found.matched_by == kind),
            Err(error) => {
                assert!(!is_strong);
                assert_eq!(&*error.remedies()[0].value, kind);
            }
        }
    }
}

/// What makes a certificate one for no account, whatever the directory has.
#[tokio::test]
async fn a_certificate_that_may_not_be_mapped_is_refused_and_the_directory_is_not_even_asked() {
    if !Slapd::runnable() {
        return;
    }
    let mut world = World::new();
    // Each of them would be found by what it has.
    world.known_by("alice", &["X509:<SKI>0A", "X509:<I>CN=Corp CA"]);
    world.known_by("admin", &["X509:<SKI>0B"]);
    let write = |name: &str, text: String| std::fs::write(world.folder.path().join(name), text).unwrap();
    let all = "allow-weak-mappings = [\"upn-without-sid\", \"issuer-and-subject\", \"subject\", \"rfc822\", \"issuer\"]";
    let right = || with_upn(UPN).sid(SID).key_identifier(&[10]);
    let for_servers =
        Draft::authority("Corp CA", TestKey::P256Issuer).purposes(&[purpose::SERVER_AUTH]).self_signed();
    write("for-servers.pem", for_servers.pem());
    let pinned = world.mint(right());
    let pin = hex::encode(pinned.sha256());
    let upns = [GeneralName::upn(UPN), GeneralName::upn("admin@corp.example")];
    let two_upns = || alice().general_names(&upns).sid(SID).key_identifier(&[10]);
    let unreadable = || with_upn(UPN).sid("nonsense").key_identifier(&[10]);
    let no_upn = || alice().key_identifier(&[10]);
    let rules = |rules: &str| format!("certificate-mapping = [{rules}]");
    for (what, certificate, more, setting, says) in [
        ("two UPNs", world.mint(two_upns()), rules("\"upn\""), None, "several user principal names"),
        ("a SID that is none", world.mint(unreadable()), all.to_owned(), None, "identifier is none"),
        ("a pin", pinned, format!("pins = [\"{pin}\"]"), Some("pins"), "pin"),
        (
            "S4U alone",
            world.mint(right()),
            rules("\"s4u\""),
            Some("certificate-mapping"),
            "s4u is not available",
        ),
        (
            "a root for servers, one to one",
            no_upn().signed_by(&for_servers).with_chain(&[]),
            rules("\"one-to-one\""),
            Some("client-roots"),
            "trusted",
        ),
        (
            "a root for servers, many to one",
            alice().signed_by(&for_servers).with_chain(&[]),
            format!("{}\n{all}", rules("\"many-to-one\"")),
            Some("client-roots"),
            "trusted",
        ),
    ] {
        let roots = if setting == Some("client-roots") { for_servers.pem() } else { world.clients.pem() };
        write("clients.pem", roots);
        let client = world.client(&certificate);
        let (_, stream) = connect(&client, &world.server(&more)).await.unwrap();
        let error = stream.security_context_token().map(|found| found.name).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_IMPERSONATION, "{what}: {error}");
        assert_eq!(error.setting(), setting, "{what}: {error}");
        assert!(error.to_string().contains(says), "{what}: {error}");
        let required = world.server(&format!("mapping = \"required\"\n{more}"));
        let refused = connect(&client, &required).await.map(|_| ()).unwrap_err();
        assert_eq!(refused.status(), Some(SecStatus::SEC_E_LOGON_DENIED), "{what}");
    }
    // It was asked for nothing of all that: what it hears of now is the first that there is.
    write("clients.pem", world.clients.pem());
    let server = world.server("");
    let found = account(&world, &server, alice().key_identifier(&[11])).await.unwrap();
    assert_eq!((&*found.name, &*found.matched_by), ("admin", "key-identifier"));
    let found = account(&world, &server, right()).await.unwrap();
    assert_eq!((&*found.name, &*found.matched_by), ("alice", "upn"));
    let asked = world.slapd.wait_for_filters(|filters| {
        let all: Vec<Asked> = filters.iter().flat_map(|filter| comparisons(filter)).collect();
        all.iter().any(|asked| has(asked, "userPrincipalName", UPN))
    });
    let all: Vec<Asked> = asked.unwrap().iter().flat_map(|filter| comparisons(filter)).collect();
    let of_accounts = all.iter().filter(|asked| asked.0 != "objectClass");
    let before: Vec<&Asked> =
        of_accounts.take_while(|asked| !has(asked, "altSecurityIdentities", "X509:<SKI>0b")).collect();
    assert!(before.iter().all(|asked| has(asked, "altSecurityIdentities", "<SR>")), "{before:?}");
    assert_eq!(all.iter().filter(|asked| has(asked, "userPrincipalName", UPN)).count(), 1, "{all:?}");
}

#[tokio::test]
async fn two_accounts_are_none() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let error = account(&world, &world.server(""), alice().key_identifier(&[1, 2])).await.unwrap_err();
    assert!(error.to_string().contains("several accounts fit"), "{error}");
    let client = world.client(&world.mint(alice().key_identifier(&[1, 2])));
    let refused = connect(&client, &world.server("mapping = \"required\"")).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.status(), Some(SecStatus::SEC_E_MULTIPLE_ACCOUNTS));
}

/// What would mean something in a filter, in a name, or to a string that is not expected to end.
const HOSTILE: [&str; 9] = [
    "*",
    "a*",
    "*@corp.example",
    ")(cn=*",
    "*)(uid=*))(|(uid=*",
    "x)(|(objectClass=*)",
    "\\2a",
    "admin@corp.example)(&",
    "admin\\00",
];

/// One value of a filter: its attribute, and the value as it was before anything was escaped.
type Asked = (String, Vec<u8>);

/// Whether a value has this in it. OpenLDAP says it as it compares it: without capitals.
fn has(asked: &Asked, attribute: &str, text: &str) -> bool {
    asked.0 == attribute && String::from_utf8_lossy(&asked.1).to_lowercase().contains(&text.to_lowercase())
}

/// The comparisons of a filter, which consists of nothing else.
///
/// Spec: LDAP-FILTER section 3.
fn comparisons(filter: &str) -> Vec<Asked> {
    fn one(filter: &mut &[u8], asked: &mut Vec<Asked>, whole: &str) {
        let open = filter.split_off_first();
        assert_eq!(open, Some(&b'('), "{whole}");
        if matches!(filter.first(), Some(b'&' | b'|')) {
            filter.split_off_first();
            while filter.first() == Some(&b'(') {
                one(filter, asked, whole);
            }
        } else {
            let name = filter.iter().position(|byte| *byte == b'=').unwrap_or_else(|| panic!("{whole}"));
            let name = String::from_utf8(filter.split_off(..name).unwrap().to_vec()).unwrap();
            // What its schema does not have, or what cannot match, is marked by OpenLDAP.
            let name = name.trim_start_matches('?').to_owned();
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "no comparison: {whole}");
            filter.split_off_first();
            let mut value = Vec::new();
            while let Some(byte) = filter.first().filter(|byte| **byte != b')') {
                assert!(!b"*(".contains(byte), "it means something: {whole}");
                if *byte == b'\\' {
                    let escaped = std::str::from_utf8(&filter[1..3]).unwrap();
                    value.push(u8::from_str_radix(escaped, 16).unwrap());
                    *filter = &filter[3..];
                } else {
                    value.push(*byte);
                    *filter = &filter[1..];
                }
            }
            asked.push((name, value));
        }
        assert_eq!(filter.split_off_first(), Some(&b')'), "{whole}");
    }
    let (mut rest, mut asked) = (filter.as_bytes(), Vec::new());
    one(&mut rest, &mut asked, filter);
    assert!(rest.is_empty(), "more than one filter: {filter}");
    asked
}

/// emailAddress, organizationalUnitName, domainComponent, and a type that nobody knows.
const OTHER_NAMES: [(&str, &[u8]); 4] = [
    ("e-mail in the name", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]),
    ("unit", &[0x55, 4, 11]),
    ("domain component", &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25]),
    ("unknown", &[0x2a, 3, 4]),
];

#[tokio::test]
async fn nothing_in_any_field_of_a_certificate_means_anything_to_the_directory() {
    if !Slapd::runnable() {
        return;
    }
    let mut world = World::new();
    world.known_by("alice", &["X509:<S>CN=admin", "X509:<I>CN=Corp CA<S>CN=admin", "X509:<I>CN=admin"]);
    let all = "allow-weak-mappings = [\"upn-without-sid\", \"issuer-and-subject\", \"subject\", \"rfc822\", \"issuer\"]";
    let server = world.server(all);
    for text in HOSTILE {
        let mut expected = Vec::new();
        let common_name = |text: &str| name(&[(&[0x55, 4, 3], 0x0c, text.as_bytes())]);
        let and_nobody =
            |kind: &[u8]| name(&[(kind, 0x0c, text.as_bytes()), (&[0x55, 4, 3], 0x0c, b"nobody")]);
        let (identity, upn) = ("altSecurityIdentities", "userPrincipalName");
        let backwards: Vec<u8> = text.bytes().rev().collect();
        // What the directory must have been asked for in this very form; a name is quoted where it has to be.
        let drafts = [
            ("upn", alice().general_names(&[GeneralName::upn(text)]), None),
            (
                "upn's name",
                alice().general_names(&[GeneralName::upn(&format!("{text}@corp.example"))]),
                // Several of them are one that cannot be one.
                (!text.contains('@')).then(|| (upn, format!("{text}@corp.example"))),
            ),
            (
                "upn's domain",
                alice().general_names(&[GeneralName::upn(&format!("alice@{text}"))]),
                Some((upn, format!("alice@{text}"))),
            ),
            (
                "e-mail",
                alice().general_names(&[GeneralName::Email(text.into())]),
                Some((identity, format!("X509:<RFC822>{text}"))),
            ),
            ("common name", alice().subject(common_name(text)), Some((identity, text.to_owned()))),
            (
                "common name that ends early",
                alice().subject(common_name(&format!("admin{text}"))),
                Some((identity, format!("admin{text}"))),
            ),
            ("organisation", alice().subject(and_nobody(ORGANIZATION)), Some((identity, text.to_owned()))),
            (
                "key identifier",
                alice().key_identifier(text.as_bytes()),
                Some((identity, format!("X509:<SKI>{}", hex::encode(text)))),
            ),
            (
                "serial number",
                alice().serial(text.as_bytes()),
                Some((identity, format!("<SR>{}", hex::encode(&backwards)))),
            ),
            ("security identifier", with_upn(UPN).sid(text), None),
        ];
        let others = OTHER_NAMES.map(|(field, kind)| (field, alice().subject(and_nobody(kind)), None));
        for (field, draft, asked) in drafts.into_iter().chain(others) {
            let error = account(&world, &server, draft).await.map(|found| found.name).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_NO_IMPERSONATION, "{field} {text:?}: {error}");
            assert!(error.to_string().contains("is for no account"), "{field} {text:?}: {error}");
            expected.extend(asked);
        }
        let is_there = |filters: &[String]| {
            let all: Vec<Asked> = filters.iter().flat_map(|filter| comparisons(filter)).collect();
            expected.iter().all(|(attribute, value)| all.iter().any(|asked| has(asked, attribute, value)))
        };
        world.slapd.wait_for_filters(is_there).unwrap();
    }
}

#[tokio::test]
async fn the_name_of_an_authority_means_nothing_to_the_directory_either() {
    if !Slapd::runnable() {
        return;
    }
    let mut world = World::new();
    let all = "allow-weak-mappings = [\"issuer-and-subject\", \"issuer\"]";
    for text in HOSTILE.into_iter().chain(["Corp CA<S>CN=admin", "Corp CA,CN=x"]) {
        let issuer = authority(text);
        std::fs::write(world.folder.path().join("clients.pem"), issuer.pem()).unwrap();
        world.known_by("alice", &["X509:<I>CN=Corp CA<S>CN=admin", "X509:<I>CN=Corp CA"]);
        let server = world.server(all);
        let client = world.client(&alice().signed_by(&issuer).with_chain(&[]));
        let (_, stream) = connect(&client, &server).await.unwrap();
        let error = stream.security_context_token().map(|found| found.name).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_IMPERSONATION, "{text:?}: {error}");
    }
    // With its serial number, too.
    let with_serial = |filters: &[String]| {
        let all: Vec<Asked> = filters.iter().flat_map(|filter| comparisons(filter)).collect();
        HOSTILE.iter().all(|text| {
            let mut of_it = all.iter().filter(|asked| has(asked, "altSecurityIdentities", text));
            of_it.any(|asked| has(asked, "altSecurityIdentities", "<SR>"))
        })
    };
    world.slapd.wait_for_filters(with_serial).unwrap();
}

#[tokio::test]
async fn a_directory_that_is_down_is_no_account_and_it_is_asked_again_when_it_is_back() {
    if !Slapd::runnable() {
        return;
    }
    let mut world = World::new();
    let optional = world.server_at(&world.slapd.tls_url(), "", "down-for = \"0s\"");
    let required = world.server_at(&world.slapd.tls_url(), "mapping = \"required\"", "down-for = \"0s\"");
    let draft = || with_upn(UPN).sid(SID);
    for server in [&optional, &required] {
        assert!(account(&world, server, draft()).await.is_ok());
    }
    world.slapd.stop();
    let error = account(&world, &optional, draft()).await.unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{error}");
    let client = world.client(&world.mint(draft()));
    let refused = connect(&client, &required).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.status(), Some(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY));
    world.slapd.restart().unwrap();
    for server in [&optional, &required] {
        assert!(account(&world, server, draft()).await.is_ok(), "it is back");
    }
}

#[tokio::test]
async fn a_directory_that_is_slow_is_given_up_at_the_deadline() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let server = world.server_at(&world.slapd.tls_url(), "", "deadline = \"200ms\"\ndown-for = \"0s\"");
    let draft = || with_upn(UPN).sid(SID);
    let patient = world.server_at(&world.slapd.tls_url(), "", "down-for = \"0s\"");
    assert!(account(&world, &patient, draft()).await.is_ok());
    world.slapd.pause().unwrap();
    let error = account(&world, &server, draft()).await.unwrap_err();
    assert_eq!(error.setting(), Some("directory.deadline"), "{error}");
    world.slapd.go_on().unwrap();
    assert!(account(&world, &patient, draft()).await.is_ok(), "it goes on");
}

#[tokio::test]
async fn a_password_or_a_base_that_is_wrong_is_said() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let with = |from: &str, to: &str| {
        let text = format!(
            "[directory]\nurl = \"{}\"\nbase = \"{BASE}\"\nbind-dn = \"{ADMIN}\"\nbind-password = \"file:password\"\n\
             roots = [\"servers.pem\"]\n[schannel]\nclient-auth = \"required\"\nclient-roots = [\"clients.pem\"]\n\
             [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n",
            world.slapd.tls_url()
        );
        Sspi::from_toml(&text.replacen(from, to, 1), world.folder.path()).unwrap()
    };
    std::fs::write(world.folder.path().join("wrong"), "wrong").unwrap();
    let draft = || alice().key_identifier(&[9]);
    let error = account(&world, &with("file:password", "file:wrong"), draft()).await.unwrap_err();
    assert!(error.to_string().contains("does not let"), "{error}");
    assert_eq!(error.setting(), Some("bind-dn"));
    let error =
        account(&world, &with("base = \"dc=corp,", "base = \"dc=nowhere,"), draft()).await.unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
}

#[tokio::test]
async fn a_mapping_that_is_taken_away_refuses_the_resumption_of_a_session() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    world.known_by("alice", &["X509:<SKI>07"]);
    let server = world.server("mapping = \"required\"");
    let client = world.client(&world.mint(alice().key_identifier(&[7])));
    let (_, first) = connect(&client, &server).await.unwrap();
    assert!(!first.attributes().session_info().unwrap().reconnect);
    let (_, second) = connect(&client, &server).await.unwrap();
    assert!(second.attributes().session_info().unwrap().reconnect);
    assert_eq!(second.security_context_token().unwrap().name, "alice");
    world.known_by("alice", &["X509:<SKI>08"]);
    let refused = connect(&client, &server).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.status(), Some(SecStatus::SEC_E_LOGON_DENIED));
}

#[test]
fn threads_find_accounts_too() {
    if !Slapd::runnable() {
        return;
    }
    let world = World::new();
    let server = world.server("");
    let client = world.client(&world.mint(with_upn(UPN).sid(SID)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connecting = std::thread::spawn(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        client.connect_blocking("localhost", stream).map(|_| ()).unwrap();
    });
    let stream = server.accept_blocking(listener.accept().unwrap().0).unwrap();
    assert_eq!(stream.security_context_token().unwrap().name, "alice");
    connecting.join().unwrap();
}
