//! `serve --accounts`: who connected.

use std::path::Path;

use test_support::Pki;

use crate::process::{Server, run};

/// A PKI, accounts for it, and a client's certificate, in a folder.
fn world(folder: &Path, accounts: &str) -> Vec<String> {
    let pki = Pki::new();
    std::fs::write(folder.join("ca.pem"), pki.root_pem()).unwrap();
    std::fs::write(folder.join("accounts.toml"), accounts).unwrap();
    pki.client("alice").upn("alice@corp.example").issue().write_to(folder).unwrap();
    ["--client-ca", "ca.pem", "--nt-auth", "ca.pem", "--accounts", "accounts.toml"]
        .map(|word| if word.starts_with("--") { word.to_owned() } else { path(folder, word) })
        .to_vec()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

const ALICE: &str = "[[account]]\nname = \"alice\"\ndomain = \"CORP\"\nupn = \"Alice@corp.example\"\n\
                     dn = \"CN=Alice,DC=corp,DC=example\"\nsid = \"S-1-5-21-1-2-3-1104\"\n";

fn connect(server: &Server, folder: &Path) -> crate::process::Ran {
    let (chain, key) = (path(folder, "alice.pem"), path(folder, "alice.key"));
    run(&["connect", &server.address(), "--pin", &server.pin, "-c", "x", "--cert", &chain, "--key", &key])
}

/// The next event that has this; what is printed in between is passed over.
fn next(server: &mut Server, key: &str, value: &str) -> serde_json::Value {
    loop {
        let event = server.event();
        if event[key] == value {
            return event;
        }
    }
}

#[test]
fn who_connected_is_printed_with_the_rule_and_the_file_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = world(folder.path(), ALICE);
    arguments.extend(["--allow-weak-mappings", "upn-without-sid"].map(str::to_owned));
    let mut server = Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    connect(&server, folder.path()).expect(0);
    let audit = next(&mut server, "verdict", "accepted");
    assert_eq!((&audit["account"], &audit["account_rule"]), (&"alice".into(), &"upn-without-sid".into()));
    assert_eq!(
        (&audit["account_upn"], &audit["account_domain"]),
        (&"Alice@corp.example".into(), &"CORP".into())
    );
    assert_eq!(
        (&audit["account_dn"], &audit["account_sid"]),
        (&"CN=Alice,DC=corp,DC=example".into(), &"S-1-5-21-1-2-3-1104".into())
    );
    let event = next(&mut server, "event", "account");
    assert_eq!(
        (&event["account"], &event["rule"]),
        (&"Alice@corp.example".into(), &"upn-without-sid".into())
    );
    assert_eq!((&event["name"], &event["domain"]), (&"alice".into(), &"CORP".into()));

    std::fs::write(folder.path().join("accounts.toml"), "[[account]]\nname = \"bob\"\n").unwrap();
    connect(&server, folder.path()).expect(0);
    let audit = next(&mut server, "verdict", "accepted");
    assert!(audit["no_account"].as_str().unwrap().contains("is for no account"), "{audit}");
    let event = next(&mut server, "event", "account");
    assert!(
        event["account"].is_null() && event["why"].as_str().unwrap().contains("is for no account"),
        "{event}"
    );
}

#[test]
fn what_the_log_says_of_an_unknown_certificate_can_be_pasted_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = world(folder.path(), ALICE);
    let mut server = Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    connect(&server, folder.path()).expect(0);
    let why = next(&mut server, "event", "account")["why"].as_str().unwrap().to_owned();
    let (_, identity) = why.split_once("could name it by ").unwrap();
    let identity = identity.split_once(" (setting").map_or(identity, |(identity, _)| identity);
    let account = format!("[[account]]\nname = \"alice\"\nalt-security-identities = [{identity:?}]\n");
    std::fs::write(folder.path().join("accounts.toml"), account).unwrap();
    connect(&server, folder.path()).expect(0);
    let event = next(&mut server, "event", "account");
    assert_eq!(
        (&event["account"], &event["rule"]),
        (&"alice".into(), &"issuer-and-serial".into()),
        "{event}"
    );
}

#[test]
fn a_client_without_an_account_is_refused_where_one_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = world(folder.path(), ALICE);
    arguments.extend(["--mapping", "required"].map(str::to_owned));
    let mut server = Server::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let ran = connect(&server, folder.path());
    assert!(ran.err.contains("access_denied"), "{}", ran.err);
    let refusal = next(&mut server, "verdict", "refused");
    let error = refusal["error"].as_str().unwrap();
    assert!(error.contains("alice is mapped by upn-without-sid, which is weak"), "{error}");
    assert!(error.contains("allow-weak-mappings"), "{error}");
}

#[test]
fn a_file_with_mistakes_is_refused_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("accounts.toml"), "[[account]]\nnam = \"alice\"\n").unwrap();
    let accounts = path(folder.path(), "accounts.toml");
    let ran = run(&["serve", "--port", "0", "--accounts", &accounts]).expect(2);
    assert!(
        ran.err.contains("accounts.toml:2:1: unknown key \"nam\" in [[account]]; did you mean \"name\"?"),
        "{}",
        ran.err
    );
    let ran = run(&["serve", "--port", "0", "--mapping", "requred"]).expect(2);
    assert!(ran.err.contains("did you mean \"required\"?"), "{}", ran.err);
}

#[test]
fn a_configuration_is_checked_with_its_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("opensspi.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        run(&["check-config", file.to_str().unwrap()])
    };
    std::fs::write(folder.path().join("accounts.toml"), "[[account]]\nname = \"a\"\nsid = \"S\"\n").unwrap();
    let ran = check("accounts = \"accounts.toml\"\n").expect(2);
    assert!(
        ran.out.contains("accounts.toml:3:7: account[0].sid: \"S\" is no security identifier"),
        "{}",
        ran.out
    );
    std::fs::write(folder.path().join("accounts.toml"), ALICE).unwrap();
    let ran = check("accounts = \"accounts.toml\"\n").expect(0);
    for expected in [
        "optional, from accounts.toml, by s4u, upn, one-to-one, many-to-one",
        "(setting: nt-auth)",
        "(setting: client-auth)",
    ] {
        assert!(ran.out.contains(expected), "{expected} in\n{}", ran.out);
    }
    for (client_auth, warns) in [("none", true), ("optional", true), ("required", false)] {
        let schannel = format!("[schannel]\nmapping = \"required\"\nclient-auth = \"{client_auth}\"\n");
        let ran = check(&format!("accounts = \"accounts.toml\"\n{schannel}"));
        assert!(ran.out.contains("(setting: nt-auth)"), "{}", ran.out);
        assert_eq!(ran.out.contains("(setting: mapping)"), warns, "{client_auth}: {}", ran.out);
    }
    let directory =
        "[directory]\nurl = \"ldaps://dc1.corp.example\"\nbase = \"dc=corp\"\nbind-dn = \"cn=x\"\n";
    let ran = check(directory).expect(2);
    assert!(ran.out.contains("bind-dn has no bind-password"), "{}", ran.out);
    let ran = check(&format!("accounts = \"accounts.toml\"\n{directory}")).expect(2);
    assert!(ran.out.contains("in a file or in a directory, not in both"), "{}", ran.out);
}
