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
