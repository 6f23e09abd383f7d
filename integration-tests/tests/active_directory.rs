//! Client certificates and their accounts in Active Directory, as Samba has it. It takes seconds, root, and packages that
//! are large for what they do here, so that it is run by name:
//!
//! ```text
//! apt-get install samba-ad-dc samba-ad-provision samba-dsdb-modules ldb-tools
//! cargo nextest run -p opensspi-integration-tests --test active_directory --run-ignored all
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::sync::Arc;

use crypto::hash::Hash;
use opensspi::Sspi;
use opensspi::sspi_core::{Account, CertificateIdentity, Error, SecStatus, Secret};
use opensspi_integration_tests::peers::runnable_with;
use opensspi_integration_tests::peers::samba::{ADMIN, BASE, PASSWORD, Samba};
use test_support::x509::{Draft, GeneralName, Minted, TestKey};
use test_support::{Pki, hex};

struct World {
    folder: tempfile::TempDir,
    clients: Minted,
}

impl World {
    fn server(&self, schannel: &str) -> Sspi {
        self.server_with(schannel, "deadline = \"20s\"")
    }

    fn server_with(&self, schannel: &str, directory: &str) -> Sspi {
        let text = format!(
            "[directory]\nurl = \"ldaps://localhost\"\nbase = \"{BASE}\"\nbind-dn = \"{ADMIN}\"\n\
             bind-password = \"file:password\"\nroots = [\"servers.pem\"]\ndomain = \"CORP\"\nabsent-for = \"0s\"\n\
             {directory}\ndown-for = \"0s\"\n\
             [schannel]\nclient-auth = \"required\"\nclient-roots = [\"clients.pem\"]\nnt-auth = [\"clients.pem\"]\n{schannel}\n\
             [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n"
        );
        Sspi::from_toml(&text, self.folder.path()).unwrap()
    }

    async fn account(&self, server: &Sspi, draft: Draft) -> Result<Account, Error> {
        let certificate = draft.signed_by(&self.clients).with_chain(&[]);
        let identity = CertificateIdentity {
            chain: certificate.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(certificate.key_der().to_vec())),
        };
        let config =
            opensspi::Config::from_toml("[schannel]\nroots = [\"servers.pem\"]\n", "client").unwrap();
        let client =
            Sspi::builder().config(config).base(self.folder.path()).certificate(identity).build().unwrap();
        let (a, b) = tokio::io::duplex(65_536);
        let (_client, server) = tokio::join!(client.connect("localhost", a), server.accept(b));
        server.unwrap().security_context_token()
    }
}

fn alice() -> Draft {
    Draft::client("alice", TestKey::P256)
}

fn with_upn(upn: &str) -> Draft {
    alice().general_names(&[GeneralName::upn(upn)])
}

/// A key by the hash of it and its algorithm.
fn sha1_public_key(key: TestKey) -> String {
    format!("X509:<SHA1-PUKEY>{}", hex::encode(Hash::Sha1.digest(&key.public_der()).as_ref()))
}

fn identities(who: &str, all: &[&str]) -> String {
    let lines: String = all.iter().map(|one| format!("altSecurityIdentities: {one}\n")).collect();
    format!("dn: CN={who},CN=Users,{BASE}\nchangetype: modify\nreplace: altSecurityIdentities\n{lines}\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "Samba's domain controller takes root and large packages; see above"]
async fn accounts_are_found_in_active_directory() {
    if !runnable_with(Samba::available()) {
        return;
    }
    let (pki, clients) = (Pki::new(), Draft::authority("Corp CA", TestKey::P256Issuer).self_signed());
    let world = World { folder: tempfile::tempdir().unwrap(), clients };
    let write = |name: &str, text: &str| std::fs::write(world.folder.path().join(name), text).unwrap();
    write("clients.pem", &world.clients.pem());
    write("servers.pem", &pki.root_pem());
    write("password", PASSWORD);
    pki.server("localhost").issue().write_as(world.folder.path(), "server").unwrap();
    let mut samba = Samba::start(&pki.server("localhost").rsa_2048().issue(), &pki.root_pem()).unwrap();
    for name in ["alice", "bob", "dave"] {
        samba.tool(&["user", "create", name, "Some.Pw.1"]).unwrap();
    }
    let upn = format!(
        "dn: CN=alice,CN=Users,{BASE}\nchangetype: modify\nreplace: userPrincipalName\n\
         userPrincipalName: alice@corp.example\n\n"
    );
    samba.modify(&upn).unwrap();
    let all = "allow-weak-mappings = [\"upn-without-sid\", \"issuer-and-subject\", \"subject\", \"rfc822\", \"issuer\"]";
    let (strong, weak) = (world.server(""), world.server(all));

    // By a user principal name, and what the directory knows.
    let found = world.account(&weak, with_upn("ALICE@corp.example")).await.unwrap();
    assert_eq!((&*found.name, &*found.matched_by), ("alice", "upn-without-sid"));
    assert_eq!(found.domain.as_deref(), Some("CORP"));
    assert_eq!(found.distinguished_name, Some(format!("CN=alice,CN=Users,{BASE}")));
    let sid = found.sid.unwrap();
    assert!(sid.starts_with("S-1-5-21-"), "{sid}");
    let found = world.account(&strong, with_upn("alice@corp.example").sid(&sid)).await.unwrap();
    assert_eq!((&*found.name, &*found.matched_by), ("alice", "upn"));
    let other =
        world.account(&weak, with_upn("alice@corp.example").sid("S-1-5-21-1-2-3-500")).await.unwrap_err();
    assert!(other.to_string().contains("security identifier is another one"), "{other}");
    let alone = world.account(&strong, with_upn("alice@corp.example")).await.unwrap_err();
    assert_eq!(alone.setting(), Some("allow-weak-mappings"));

    // By what certificates are known by.
    let draft = || {
        alice()
            .serial(&[0x2b, 0, 0, 0x11])
            .key_identifier(&[0xab, 0xcd])
            .general_names(&[GeneralName::Email("a@b".into())])
    };
    for (kind, value) in [
        ("issuer-and-serial", "X509:<I>CN=Corp CA<SR>1100002B"),
        ("key-identifier", "X509:<SKI>ABCD"),
        ("public-key", &sha1_public_key(TestKey::P256)),
        ("issuer-and-subject", "X509:<I>CN=Corp CA<S>CN=alice"),
        ("subject", "x509:<s>cn=ALICE"),
        ("rfc822", "X509:<RFC822>A@B"),
        ("issuer", "X509:<I>CN=Corp CA"),
    ] {
        samba.modify(&identities("bob", &["Kerberos:bob@EXAMPLE.TEST", value])).unwrap();
        let found = world.account(&weak, draft()).await.unwrap();
        assert_eq!((&*found.name, &*found.matched_by), ("bob", kind));
        let is_strong = ["issuer-and-serial", "key-identifier", "public-key"].contains(&kind);
        assert_eq!(world.account(&strong, draft()).await.is_ok(), is_strong, "{kind}");
    }

    // What a filter or a name would misread.
    for text in ["*", "*)(cn=*", ")(|(objectClass=*)", "\\2a", "Administrator)(&"] {
        for draft in [
            with_upn(text),
            with_upn(&format!("{text}@corp.example")),
            alice().key_identifier(text.as_bytes()),
        ] {
            samba.modify(&identities("bob", &["X509:<SKI>00"])).unwrap();
            let error = world.account(&weak, draft).await.map(|found| found.name).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_NO_IMPERSONATION, "{text:?}: {error}");
        }
    }

    // Two accounts, one that is disabled, and one whose time is over.
    samba.modify(&(identities("bob", &["X509:<SKI>01"]) + &identities("dave", &["X509:<SKI>01"]))).unwrap();
    let two = world.account(&strong, alice().key_identifier(&[1])).await.unwrap_err();
    assert!(two.to_string().contains("several accounts fit"), "{two}");
    samba.modify(&identities("dave", &["X509:<SKI>02"])).unwrap();
    assert_eq!(world.account(&strong, alice().key_identifier(&[1])).await.unwrap().name, "bob");
    samba.tool(&["user", "disable", "bob"]).unwrap();
    let disabled = world.account(&strong, alice().key_identifier(&[1])).await.unwrap_err();
    assert!(disabled.to_string().contains("the account bob is disabled"), "{disabled}");
    assert_eq!(world.account(&strong, alice().key_identifier(&[2])).await.unwrap().name, "dave");
    samba.tool(&["user", "setexpiry", "dave", "--days=0"]).unwrap();
    let over = world.account(&strong, alice().key_identifier(&[2])).await.unwrap_err();
    assert!(over.to_string().contains("the account dave is disabled"), "{over}");

    // By the principal name that nobody gave it: its name in the domain.
    let found = world.account(&weak, with_upn("Dave@corp.test")).await.map(|found| found.name);
    assert!(found.unwrap_err().to_string().contains("the account dave is disabled"));
    let found = world.account(&weak, with_upn("alice@CORP.test")).await.unwrap();
    assert_eq!((&*found.name, &*found.matched_by), ("alice", "upn-without-sid"));

    // What is no account has what an account has: a contact is a person, and a group is none.
    samba.tool(&["group", "add", "guild"]).unwrap();
    samba.modify(&identities("guild", &["X509:<SKI>03"])).unwrap();
    let group = world.account(&strong, alice().key_identifier(&[3])).await.unwrap_err();
    assert!(group.to_string().contains("is for no account"), "{group}");

    // Slow, down, and back again.
    samba.modify(&identities("alice", &["X509:<SKI>04"])).unwrap();
    let impatient = world.server_with("", "deadline = \"500ms\"");
    assert_eq!(world.account(&impatient, alice().key_identifier(&[4])).await.unwrap().name, "alice");
    samba.pause(true).unwrap();
    let slow = world.account(&impatient, alice().key_identifier(&[4])).await.unwrap_err();
    assert_eq!(slow.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{slow}");
    assert!(slow.to_string().contains("did not answer within 500ms"), "{slow}");
    samba.pause(false).unwrap();
    samba.stop();
    let down = world.account(&strong, alice().key_identifier(&[4])).await.unwrap_err();
    assert_eq!(down.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, "{down}");
    samba.restart().unwrap();
    assert_eq!(world.account(&strong, alice().key_identifier(&[4])).await.unwrap().name, "alice");
}
