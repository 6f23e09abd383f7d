//! `explain`: what a token, a status or an alert is, as a user sees it.

use std::fs;

use crate::process::{run, run_with};

#[test]
fn a_status_is_a_sentence_and_the_settings_that_matter() {
    let ran = run(&["explain", "-2146893044"]).expect(0);
    assert!(
        ran.out.starts_with("SEC_E_LOGON_DENIED is an error of SSPI, 0x8009030C or -2146893044: "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("logon.accounts: who may log on"), "{}", ran.out);
    let object = &run(&["explain", "0x8009030C", "--json"]).expect(0).objects()[0];
    assert_eq!((&object["kind"], &object["number"]), (&"status".into(), &0x8009_030c_u32.into()));
    assert_eq!(object["settings"][0]["setting"], "logon.accounts");
}

#[test]
fn words_and_the_input_are_read() {
    let ran = run(&["explain", "alert", "40"]).expect(0);
    assert!(ran.out.starts_with("handshake_failure is the alert 40 of TLS"), "{}", ran.out);
    let ran = run_with(&["explain"], b"SSL alert number 70\n", &[]).expect(0);
    assert!(ran.out.contains("protocol_version") && ran.out.contains("schannel.protocols"), "{}", ran.out);
    let header = b"< WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    let object = &run_with(&["explain", "--json"], header, &[]).expect(0).objects()[0];
    assert_eq!((&object["name"], &object["offered"]["realm"]), (&"Digest challenge".into(), &"r".into()));
}

#[test]
fn a_file_of_bytes_is_a_flight_and_decoded_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hello");
    fs::write(&file, [&[0x80, 28, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat()).unwrap();
    let file = file.to_str().unwrap();
    let ran = run(&["explain", "--file", file]).expect(0);
    assert!(ran.out.starts_with("SSL 2.0 CLIENT-HELLO is a client's offer, at best ssl2"), "{}", ran.out);
    assert!(ran.out.contains("would enable ssl2"), "{}", ran.out);
    let ran = run(&["token", "decode", "--file", file]).expect(0);
    assert!(ran.out.starts_with("SSL 2.0 CLIENT-HELLO  30 bytes, raw\n"), "{}", ran.out);
    assert!(ran.out.contains("010080 SSL_CK_RC4_128_WITH_MD5"), "{}", ran.out);
    run(&["explain", "--file", "/nonexistent"]).expect(2);
}

#[test]
fn what_is_cut_off_is_explained_as_far_as_it_goes_and_fails() {
    let ran = run(&["explain", "15030300020228150303"]).expect(4);
    assert!(
        ran.out.contains("handshake_failure") && ran.err.contains("no whole record"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn what_is_nothing_is_answered_with_what_is_near() {
    let ran = run(&["explain", "SEC_E_UNTRUSTED_RUT"]).expect(2);
    assert!(ran.err.contains("did you mean \"SEC_E_UNTRUSTED_ROOT\"?"), "{}", ran.err);
    let ran = run(&["explain", "what is this"]).expect(2);
    assert!(ran.err.contains("SEC_E_LOGON_DENIED"), "an example: {}", ran.err);
}
