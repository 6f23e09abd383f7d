//! `check-config`, `packages`, and what `--help` teaches.

use std::fs;

use test_support::Pki;

use crate::process::run;

#[test]
fn a_right_configuration_is_right() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let issued = pki.server("localhost").issue();
    fs::write(folder.path().join("server.pem"), issued.chain_pem()).unwrap();
    fs::write(folder.path().join("server.key"), issued.key_pem()).unwrap();
    let file = folder.path().join("opensspi.toml");
    let text = "[schannel]\nroots = [\"server.pem\"]\n[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n";
    fs::write(&file, text).unwrap();
    let ran = run(&["check-config", file.to_str().unwrap()]).expect(0);
    assert!(ran.out.contains("nothing is wrong"), "{}", ran.out);
    let objects = run(&["check-config", file.to_str().unwrap(), "--json"]).expect(0).objects();
    assert_eq!(objects[0]["ok"], true);
}

#[test]
fn every_problem_of_a_configuration_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("opensspi.toml");
    let text = "\
pakage = \"Schannel\"
[schannel]
protocols = [\"tls1.3\", \"tls9\"]
roots = [\"missing-ca.pem\"]
[[schannel.certificates]]
chain = \"missing.pem\"
key = \"env:OPENSSPI_NOT_SET\"
";
    fs::write(&file, text).unwrap();
    let ran = run(&["check-config", file.to_str().unwrap()]).expect(2);
    for expected in [
        "opensspi.toml:1:1:",
        "opensspi.toml:3:24:",
        "missing-ca.pem",
        "cannot read missing.pem",
        "OPENSSPI_NOT_SET",
    ] {
        assert!(ran.out.contains(expected), "{expected} in\n{}", ran.out);
    }
    let objects = run(&["check-config", file.to_str().unwrap(), "--json"]).expect(2).objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0]["problems"].as_array().unwrap().len(), 5, "{}", objects[0]);
    run(&["check-config", "/nonexistent.toml"]).expect(2);
}

#[test]
fn a_certificate_that_nobody_would_accept_is_a_matter_of_policy() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let issued = pki.server("localhost").expired().issue();
    fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
    let file = folder.path().join("opensspi.toml");
    let text = "[schannel]\nroots = [\"server.pem\"]\n[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";
    fs::write(&file, text).unwrap();
    let ran = run(&["check-config", file.to_str().unwrap()]).expect(1);
    assert_eq!(ran.out.matches("has expired").count(), 1, "{}", ran.out);
}

#[test]
fn packages_are_listed_with_what_they_can_do() {
    let ran = run(&["packages"]).expect(0);
    for expected in
        ["Schannel", "Microsoft Unified Security Protocol Provider", "STREAM", "PRIVACY", "0x107b3"]
    {
        assert!(ran.out.contains(expected), "{expected} in\n{}", ran.out);
    }
    let objects = run(&["packages", "--json"]).expect(0).objects();
    assert_eq!(objects[0]["packages"][0]["name"], "Schannel");
    assert_eq!(objects[0]["packages"][0]["rpc_id"], 14);
}

#[test]
fn the_help_of_every_verb_teaches_by_example() {
    for verb in ["demo", "serve", "connect", "packages", "check-config"] {
        let ran = run(&[verb, "--help"]).expect(0);
        assert!(ran.out.contains("Examples:"), "{verb}\n{}", ran.out);
        assert!(ran.out.contains(&format!("opensspi {verb}")), "{verb}\n{}", ran.out);
    }
    let ran = run(&["--help"]).expect(0);
    assert!(ran.out.contains("Exit codes:"), "{}", ran.out);
    let ran = run(&["connect", "--help"]).expect(0);
    assert!(ran.out.contains("msft-gc-ssl   3269  direct"), "{}", ran.out);
}
