//! `account`: accounts are added, changed and listed, and a server takes them.

use std::fs;

use crate::process::{run, run_with};

#[test]
fn accounts_are_added_changed_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logons.toml");
    let file = file.to_str().unwrap();
    let add = ["account", "add", "alice", "--domain", "CORP", "--upn", "alice@corp.example", "--file", file];
    let ran = run_with(&add, b"correct horse\n", &[]).expect(0);
    assert!(ran.out.starts_with("added alice in "), "{}", ran.out);
    let before = fs::read_to_string(file).unwrap();
    assert!(
        before.contains("name = \"alice\"\ndomain = \"CORP\"\n") && !before.contains("horse"),
        "{before}"
    );
    run_with(&["account", "passwd", "alice", "--file", file], b"another\n", &[]).expect(0);
    assert_ne!(fs::read_to_string(file).unwrap(), before);
    let ran = run(&["account", "list", "--file", file, "--json"]).expect(0);
    assert_eq!(ran.objects()[0]["upn"], "alice@corp.example");
    let ran = run(&["account", "list", "--file", file]).expect(0);
    assert_eq!(ran.out, "CORP\\alice  alice@corp.example\n");
}

#[test]
fn accounts_get_realms_of_digest_and_keep_them_with_another_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logons.toml");
    let file = file.to_str().unwrap();
    let add = ["account", "add", "alice", "--realm", "one", "--realm", "two", "--file", file];
    run_with(&add, b"correct horse\n", &[]).expect(0);
    run_with(&["account", "add", "bob", "--file", file], b"secret\n", &[]).expect(0);
    let before = fs::read_to_string(file).unwrap();
    assert!(before.contains("sha-256 = \"") && !before.contains("horse"), "{before}");
    let passwd = ["account", "passwd", "alice", "--realm", "two", "--realm", "three", "--file", file];
    run_with(&passwd, b"another\n", &[]).expect(0);
    let list = run(&["account", "list", "--file", file]).expect(0).out;
    let (alice, bob) = list.split_once('\n').unwrap();
    assert_eq!(bob, "bob\n");
    for realm in ["one", "two", "three"] {
        assert_eq!(alice.matches(&format!("  Digest in \"{realm}\"")).count(), 1, "{list}");
    }
    let listed = run(&["account", "list", "--file", file, "--json"]).expect(0).objects();
    assert_eq!(listed[1]["digest_realms"], serde_json::json!([]));
    let ran = run(&["account", "add", "carol", "--realm", "a\nb", "--file", file]).expect(2);
    assert!(ran.err.contains("a realm has"), "{}", ran.err);
}

#[test]
fn a_configuration_with_digest_says_how_the_account_gets_its_realm() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("opensspi.toml");
    fs::write(&config, "[digest]\nrealm = \"corp\"\n[logon]\naccounts = \"who.toml\"\n").unwrap();
    let config = config.to_str().unwrap();
    let ran = run_with(&["account", "add", "bob", "--config", config], b"secret\n", &[]).expect(0);
    assert!(ran.err.contains("with --realm \"corp\""), "{}", ran.err);
    let carol = ["account", "add", "carol", "--realm", "corp", "--config", config];
    let ran = run_with(&carol, b"secret\n", &[]).expect(0);
    assert!(!ran.err.contains("realm"), "{}", ran.err);
}

#[test]
fn a_configuration_says_which_file_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("opensspi.toml");
    fs::write(&config, "[logon]\naccounts = \"file:who.toml\"\n").unwrap();
    let config = config.to_str().unwrap();
    run_with(&["account", "add", "bob", "--config", config], b"secret\n", &[]).expect(0);
    assert!(folder.path().join("who.toml").exists());
    fs::write(config, "").unwrap();
    let ran = run(&["account", "list", "--config", config]).expect(2);
    assert!(ran.err.contains("logon.accounts"), "{}", ran.err);
}

#[test]
fn what_cannot_be_is_said_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logons.toml");
    let file = file.to_str().unwrap();
    run_with(&["account", "add", "alice", "--file", file], b"secret\n", &[]).expect(0);
    for (arguments, said) in [
        (&["account", "add", "alice", "--file", file][..], "is there already"),
        (&["account", "add", "CORP\\bob", "--file", file], "without domain"),
        (&["account", "passwd", "carol", "--file", file], "there is no account \"carol\""),
        (&["account", "passwd", "alice", "--file", "/nonexistent/logons.toml"], "cannot be"),
        (
            &["account", "add", "dave", "--password", "hunter2", "--file", file],
            "not written on a command line",
        ),
    ] {
        let ran = run_with(arguments, b"secret\n", &[]).expect(2);
        assert!(ran.err.contains(said), "{arguments:?}\n{}", ran.err);
        assert!(!ran.err.contains("hunter2"));
    }
    let ran = run(&["account", "add", "erin", "--file", file]).expect(2);
    assert!(ran.err.contains("the password is empty"), "{}", ran.err);
}
