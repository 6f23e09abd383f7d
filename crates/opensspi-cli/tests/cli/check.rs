//! `check-config`, `packages`, and what `--help` teaches.

use std::fs;

use test_support::Pki;

use crate::process::{run, run_with};

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
fn packages_say_what_is_on_and_what_turns_the_rest_on() {
    let objects = run(&["packages", "--json", "--allow", "rc4"]).expect(0).objects();
    let protocols = objects[0]["packages"][0]["protocols"].as_array().unwrap();
    let names: Vec<&str> = protocols.iter().map(|protocol| protocol["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["tls1.3", "tls1.2", "tls1.1", "tls1.0", "ssl3", "pct1", "ssl2"]);
    assert_eq!(protocols[5]["turned_on_by"], "protocols = [\"pct1\"] or profile = \"museum\"");
    assert_eq!(protocols[6]["turned_on_by"], "protocols = [\"ssl2\"] or profile = \"windows-2003\"");
    assert_eq!(protocols[1]["on"], true);
    assert_eq!(protocols[4]["on"], false);
    assert_eq!(protocols[4]["turned_on_by"], "protocols = [\"ssl3\"] or profile = \"windows-2003\"");
    let suite = |protocol: usize, name: &str| {
        let suites = protocols[protocol]["suites"].as_array().unwrap();
        suites.iter().find(|suite| suite["name"] == name).unwrap().clone()
    };
    assert_eq!(suite(1, "TLS_RSA_WITH_RC4_128_SHA")["on"], true, "it is allowed");
    assert_eq!(suite(1, "TLS_RSA_WITH_NULL_SHA")["turned_on_by"], "allow = [\"null\"]");
    assert_eq!(suite(1, "TLS_RSA_WITH_AES_128_CBC_SHA")["turned_on_by"], "profile = \"compatible\"");
    assert_eq!(suite(3, "TLS_RSA_WITH_AES_128_CBC_SHA")["turned_on_by"], "comes with the protocol");
    assert_eq!(suite(3, "TLS_RSA_WITH_AES_128_CBC_SHA")["on"], false);
    let text = run(&["packages"]).expect(0).out;
    assert!(text.contains("off TLS_RSA_WITH_RC4_128_SHA"), "{text}");
    run(&["packages", "--suites", "TLS_NOTHING"]).expect(2);
}

/// A folder with a configuration of this text, and the file.
fn configuration(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("opensspi.toml");
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    (folder, file)
}

#[test]
fn what_a_configuration_comes_to_is_printed_with_what_to_think_about() {
    let (folder, file) = configuration(
        "[schannel]\nprofile = \"windows-2003\"\nroots = [\"server.pem\"]\nrecord-splitting = false\nfallback = true\n\
         [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n",
    );
    let issued = Pki::new().server("localhost").issue();
    fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
    let objects = run(&["check-config", &file, "--json"]).expect(0).objects();
    let resolved = &objects[0]["resolved"];
    assert_eq!(resolved["protocols"], serde_json::json!(["tls1.0", "ssl3", "ssl2"]));
    assert_eq!(resolved["suites"][0]["name"], "TLS_RSA_WITH_RC4_128_MD5");
    assert_eq!(resolved["suites"][0]["protocols"], serde_json::json!(["tls1.0", "ssl3"]));
    assert_eq!(resolved["suites"][0]["weakness"], "rc4");
    assert_eq!(resolved["dh_minimum_bits"], 1024);
    assert_eq!(resolved["certificates"][0]["subject"], "CN=localhost");
    assert_eq!(resolved["certificates"][0]["key"], "ECDSA P-256");
    let warnings = resolved["warnings"].as_array().unwrap();
    let of: Vec<&str> = warnings.iter().map(|warning| warning["setting"].as_str().unwrap()).collect();
    for setting in
        ["protocols", "suites", "allow", "dh-minimum-bits", "record-splitting", "fallback", "certificates"]
    {
        assert!(of.contains(&setting), "{setting} in {of:?}");
    }
    let text = run(&["check-config", &file]).expect(0).out;
    for expected in [
        "protocols     tls1.0, ssl3",
        "TLS_RSA_WITH_RC4_128_MD5",
        "[rc4]",
        "DH minimum    1024 bits",
        "ECDSA P-256, signed with",
        "nobody can speak ssl3 with us as server: its suites need a key of the kind RSA, DSS",
        "nothing is wrong",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn the_default_gives_nothing_to_think_about() {
    let (_folder, file) = configuration("[schannel]\npins = []\n");
    let objects = run(&["check-config", &file, "--json"]).expect(0).objects();
    assert_eq!(objects[0]["resolved"]["warnings"], serde_json::json!([]));
    assert_eq!(objects[0]["resolved"]["protocols"], serde_json::json!(["tls1.3", "tls1.2"]));
}

/// Neither names nor bindings say that a logon was meant for this server.
#[test]
fn who_takes_ntlm_from_whomever_it_was_meant_for_is_told_so() {
    let (folder, file) = configuration("[logon]\naccounts = \"file:logons.toml\"\n");
    run_with(&["account", "add", "alice", "--config", &file], b"secret\n", &[]).expect(0);
    for (text, warned) in [
        ("package = \"NTLM\"", Some("ntlm.service-names")),
        ("package = \"Negotiate\"", Some("ntlm.service-names")),
        (
            "package = \"NTLM\"\n[ntlm]\nservice-names = [\"www\"]\ntarget-name = \"never\"",
            Some("ntlm.target-name"),
        ),
        ("package = \"Negotiate\"\n[ntlm]\nservice-names = [\"HTTP/www.corp.example\"]", None),
        ("package = \"NTLM\"\n[ntlm]\nchannel-bindings = \"always\"", None),
        ("package = \"Digest\"\n[digest]\nrealm = \"corp\"", None),
        ("package = \"Schannel\"", None),
    ] {
        fs::write(&file, format!("{text}\n[logon]\naccounts = \"file:logons.toml\"\n")).unwrap();
        let objects = run(&["check-config", &file, "--json"]).expect(0).objects();
        let warnings = objects[0]["resolved"]["warnings"].as_array().unwrap();
        let relayed =
            warnings.iter().find(|warning| warning["message"].as_str().unwrap().contains("a relayed logon"));
        assert_eq!(relayed.and_then(|warning| warning["setting"].as_str()), warned, "{text}\n{warnings:?}");
    }
    drop(folder);
}

#[test]
fn what_is_found_wrong_later_has_its_line_too() {
    let (_folder, file) = configuration(
        "[schannel]\nsuites = [\n  \"TLS_AES_128_GCM_SHA256\",\n  \"TLS_WITH_NOTHING\",\n]\ncrls = [\"missing.crl\"]\n",
    );
    let out = run(&["check-config", &file]).expect(2).out;
    for expected in
        ["opensspi.toml:4:3: there is no cipher suite", "opensspi.toml:6:9: cannot read missing.crl"]
    {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
}

#[test]
fn a_verb_that_is_stopped_by_its_configuration_says_where() {
    let (_folder, file) = configuration("[schannel]\nsuites = [\"TLS_WITH_NOTHING\"]\n");
    for verb in [&["connect", "localhost:1"][..], &["serve", "--port", "0"], &["demo"], &["packages"]] {
        let ran = run(&[verb, &["--config", &file]].concat()).expect(2);
        assert!(ran.err.contains("opensspi.toml:2:11: there is no cipher suite"), "{verb:?}\n{}", ran.err);
    }
    let ran = run(&["packages", "--config", &file, "--suites", "TLS_OTHER", "--json"]).expect(2);
    let object = &ran.objects()[0];
    assert_eq!(object["setting"], "suites");
    assert!(!ran.out.contains("opensspi.toml:"), "the mistake is not in the file: {}", ran.out);
}

#[test]
fn the_help_of_every_verb_teaches_by_example() {
    for verb in ["demo", "serve", "connect", "get", "packages", "check-config", "account", "explain", "token"]
    {
        let ran = run(&[verb, "--help"]).expect(0);
        assert!(ran.out.contains("Examples:"), "{verb}\n{}", ran.out);
        assert!(ran.out.contains(&format!("opensspi {verb}")), "{verb}\n{}", ran.out);
        assert!(ran.out.contains("Exit codes:\n  0  "), "{verb}\n{}", ran.out);
    }
    let ran = run(&["--help"]).expect(0);
    assert!(ran.out.contains("Exit codes:"), "{}", ran.out);
    let ran = run(&["connect", "--help"]).expect(0);
    assert!(ran.out.contains("msft-gc-ssl   3269  direct"), "{}", ran.out);
}

#[test]
fn listeners_that_share_a_key_are_refused_with_both_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let issued = Pki::new().server("localhost").rsa_2048().issue();
    fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
    let file = |name: &str, lines: &str| {
        let own = "[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";
        let path = folder.path().join(name);
        fs::write(&path, format!("[schannel]\nroots = [\"server.pem\"]\n{lines}\n{own}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let web = file("web.toml", "protocols = [\"tls1.3\", \"tls1.2\"]");
    let old = file("old.toml", "protocols = [\"ssl2\"]");
    for one in [&web, &old] {
        run(&["check-config", one]).expect(0);
    }
    let refused = run(&["check-config", &web, &old, "--json"]).expect(2).objects();
    let message = refused[2]["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains(&format!("serves ssl2 on {old} and tls1.3 on {web}")), "{message}");
    assert_eq!(refused[2]["problems"][0]["setting"], "i-accept-drown");
    let web = file("web.toml", "protocols = [\"tls1.3\", \"tls1.2\"]\ni-accept-drown = true");
    run(&["check-config", &web, &old]).expect(2);
    let old = file("old.toml", "protocols = [\"ssl2\"]\ni-accept-drown = true");
    run(&["check-config", &web, &old]).expect(0);
    // In one listener, and in a profile, it must be written too.
    let museum = run(&["check-config", &file("museum.toml", "profile = \"museum\"")]).expect(2);
    assert!(
        museum.out.contains("i-accept-drown") && museum.out.contains("ssl2 and tls1.3"),
        "{}",
        museum.out
    );
    run(&["check-config", &file("museum.toml", "profile = \"museum\"\ni-accept-drown = true")]).expect(0);
}
