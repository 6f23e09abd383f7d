//! `token decode`: what a token says, and whose it is.

use std::fs;
use std::path::Path;

use crate::process::{run, run_with};

/// MS-NLMP section 4.2.4.3.
const CHALLENGE: &str = "4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000060070170000000f53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";
/// MS-NLMP section 4.2.4.3.
const AUTHENTICATE: &str = "TlRMTVNTUAADAAAAGAAYAGwAAABUAFQAhAAAAAwADABIAAAACAAIAFQAAAAQABAAXAAAABAAEADYAAAANYKI4gUBKAoAAAAPRABvAG0AYQBpAG4AVQBzAGUAcgBDAE8ATQBQAFUAVABFAFIAhsNQl6yc7BAlVHZKV8zMGaqqqqqqqqqqaM0KuFHlHJaqvJJ76+9qHAEBAAAAAAAAAAAAAAAAAACqqqqqqqqqqgAAAAACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAAAAAAAxdrSVE/JeZCUzhzpC8nQPg==";
/// RFC 7616 section 3.9.1.
const DIGEST: &str = "Authorization: Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=MD5, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, response=\"8ca523f5e9506fed4657c9700eebdbec\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
/// The last word of a server of SPNEGO: accept-completed, and a mechListMIC.
const MIC: &str = "oRUwE6ADCgEAowwECgECAwQFBgcICQo=";

#[test]
fn a_token_is_printed_as_a_table_or_as_json() {
    let ran = run(&["token", "decode", CHALLENGE]).expect(0);
    assert!(ran.out.starts_with("NTLM CHALLENGE  104 bytes, hexadecimal\n"), "{}", ran.out);
    let row = ran.out.lines().find(|line| line.contains("ServerChallenge")).unwrap();
    assert!(row.trim_start().starts_with("24     8  ServerChallenge"), "{row}");
    let object = &run(&["token", "decode", CHALLENGE, "--json"]).expect(0).objects()[0];
    assert_eq!((&object["token"], &object["form"]), (&"NTLM CHALLENGE".into(), &"hexadecimal".into()));
    let fields = object["fields"].as_array().unwrap();
    let challenge = fields.iter().find(|field| field["field"] == "ServerChallenge").unwrap();
    assert_eq!(challenge["value"], "0123456789abcdef");
    assert_eq!((&challenge["offset"], &challenge["length"]), (&24.into(), &8.into()));
}

#[test]
fn secrets_are_shown_on_demand_and_with_a_password_only() {
    let ntlm = format!("Authorization: NTLM {AUTHENTICATE}");
    let spnego = format!("Authorization: Negotiate {MIC}");
    for (token, secret, code) in [
        (ntlm.as_str(), "68cd0ab851e51c96aabc927bebef6a1c", 2),
        (DIGEST, "8ca523f5e9506fed4657c9700eebdbec", 1),
        (&spnego, "0102030405060708", 2),
    ] {
        for reveal in [&[][..], &["--reveal"]] {
            let ran = run(&[&["token", "decode", token], reveal].concat()).expect(0);
            assert!(ran.out.contains("(hidden: --reveal and --password show it)"), "{}", ran.out);
            assert!(!ran.out.contains(secret), "{}", ran.out);
            let json = run(&[&["token", "decode", token, "--json"], reveal].concat()).expect(0);
            assert!(!json.out.contains(secret), "{}", json.out);
        }
        let password = ["token", "decode", token, "--password", "env:OPENSSPI_TEST_PASSWORD"];
        let with = |arguments: &[&str]| {
            run_with(arguments, b"", &[("OPENSSPI_TEST_PASSWORD", Path::new("some other password"))])
        };
        assert!(!with(&password).expect(2).out.contains(secret), "not without --reveal");
        // What cannot be checked, or is checked and wrong, is shown and ends with its code.
        let shown = with(&[&password[..], &["--reveal"]].concat()).expect(code);
        assert!(shown.out.contains(secret), "{}", shown.out);
        let unread =
            run(&["token", "decode", token, "--reveal", "--password", "env:OPENSSPI_NOT_SET"]).expect(2);
        assert!(!unread.out.contains(secret), "{}", unread.out);
    }
}

#[test]
fn the_input_and_files_are_read_in_every_form() {
    let header = format!("> authorization: NTLM {AUTHENTICATE}\r\n");
    let ran = run_with(&["token", "decode"], header.as_bytes(), &[]).expect(0);
    assert!(ran.out.starts_with("NTLM AUTHENTICATE  232 bytes, base64, Authorization\n"), "{}", ran.out);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, CHALLENGE).unwrap();
    run(&["token", "decode", "--file", file.to_str().unwrap()]).expect(0);
    run(&["token", "decode", "--file", "/nonexistent"]).expect(2);
}

#[test]
fn a_password_is_checked_and_its_keys_are_printed() {
    let reveal = ["token", "decode", AUTHENTICATE, "--reveal", "--password"];
    let with = |reference: &str, password: &str| {
        let arguments = [&reveal[..], &[reference, "--challenge", CHALLENGE]].concat();
        run_with(&arguments, b"", &[("OPENSSPI_TEST_PASSWORD", Path::new(password))])
    };
    let ran = with("env:OPENSSPI_TEST_PASSWORD", "Password").expect(0);
    assert!(ran.out.contains("✓ the password is the one"), "{}", ran.out);
    assert!(ran.out.contains("ClientSealingKey    59f600973cc4960a25480a7c196e4c58"), "{}", ran.out);
    let ran = with("env:OPENSSPI_TEST_PASSWORD", "password").expect(1);
    assert!(
        ran.out.contains("✗ the password is not the one") && !ran.out.contains("SealingKey"),
        "{}",
        ran.out
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "Password\r\n").unwrap();
    let file = format!("file:{}", file.display());
    with(&file, "").expect(0);
    with("env:OPENSSPI_NOT_SET", "").expect(2);
    let ran = with("Password", "").expect(2);
    assert!(
        ran.err.contains("not written on a command line") && !ran.err.contains("Password"),
        "{}",
        ran.err
    );
    let ran = run(&[&reveal[..], &[&file]].concat()).expect(2);
    assert!(ran.err.contains("--challenge"), "{}", ran.err);
}

#[test]
fn a_digest_answer_is_checked_against_its_request() {
    let arguments =
        ["token", "decode", DIGEST, "--reveal", "--password", "env:OPENSSPI_TEST_PASSWORD", "--json"];
    let variables = [("OPENSSPI_TEST_PASSWORD", Path::new("Circle of Life"))];
    let object = &run_with(&arguments, b"", &variables).expect(0).objects()[0];
    assert_eq!(object["check"]["password"], true);
    assert_eq!(object["check"]["keys"]["H(A1)"], "3d78807defe7de2157e2b0b6573a855f");
    run_with(&[&arguments[..], &["--method", "POST"]].concat(), b"", &variables).expect(1);
}

#[test]
fn a_broken_token_is_shown_as_far_as_it_goes() {
    let ran = run(&["token", "decode", &CHALLENGE[..60]]).expect(4);
    assert!(
        ran.out.contains("TargetNameFields") && ran.err.contains("at byte 24, in ServerChallenge"),
        "{}",
        ran.err
    );
    let ran = run(&["token", "decode", "this is nothing"]).expect(2);
    assert!(ran.err.contains("neither hexadecimal, nor base64"), "{}", ran.err);
}
