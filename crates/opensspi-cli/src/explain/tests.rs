//! What is explained, and what is not.

use super::*;

fn explained(text: &str) -> Explanation {
    explain(text.as_bytes()).unwrap_or_else(|failure| panic!("{text}: {}", failure.message))
}

fn named(text: &str) -> (&'static str, String) {
    let explanation = explained(text);
    (explanation.kind, explanation.name)
}

fn first_setting(text: &str) -> &'static str {
    explained(text).settings.first().unwrap_or_else(|| panic!("no setting for {text}")).0
}

#[test]
fn a_status_is_known_by_name_and_by_every_way_to_write_its_number() {
    for text in [
        "SEC_E_LOGON_DENIED",
        "sec_e_logon_denied",
        "0x8009030C",
        "0X8009030c",
        "8009030C",
        "-2146893044",
        "2148074252",
    ] {
        assert_eq!(named(text), ("status", "SEC_E_LOGON_DENIED".to_owned()), "{text}");
    }
    assert_eq!((explained("0x0").name, explained("0").name), ("SEC_E_OK".into(), "close_notify".into()));
    assert_eq!(explained("590610").name, "SEC_I_CONTINUE_NEEDED");
    assert!(explained("-2146893044").sentence.contains("0x8009030C or -2146893044"));
}

#[test]
fn every_status_is_explained_by_its_name() {
    for name in status::names() {
        assert_eq!(named(name), ("status", name.to_owned()));
    }
}

#[test]
fn an_alert_is_known_however_a_program_writes_it() {
    for text in [
        "handshake_failure",
        "handshake-failure",
        "Handshake Failure",
        "40",
        "alert 40",
        "alert(40)",
        "TLS alert, handshake failure (40)",
        "fatal alert: handshake_failure",
        "Received fatal alert: handshake_failure",
        "SSL alert number 40",
        "error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40",
    ] {
        assert_eq!(named(text), ("alert", "handshake_failure".to_owned()), "{text}");
    }
    assert_eq!(named("alert 41"), ("alert", "no_certificate".to_owned()));
    assert_eq!(explained("alert 99").sentence, "means something that is registered nowhere");
    assert_eq!(first_setting("protocol_version"), "schannel.protocols");
    assert!(explained("unknown_ca").sentence.contains("the authority of the other's certificate"));
}

#[test]
fn errors_of_ssl_2_and_pct_are_known_by_name_and_by_number() {
    for text in ["NO-CIPHER-ERROR", "no_cipher", "ssl2 error 1", "SSL 2.0 error 1", "sslv2 1"] {
        assert_eq!(named(text), ("error", "NO-CIPHER-ERROR".to_owned()), "{text}");
    }
    for text in ["PCT_ERR_SPECS_MISMATCH", "specs mismatch", "pct error 6", "pct1 specs_mismatch"] {
        assert_eq!(named(text), ("error", "PCT_ERR_SPECS_MISMATCH".to_owned()), "{text}");
    }
    assert_eq!(explained("pct bad_certificate").name, "PCT_ERR_BAD_CERTIFICATE");
    assert_eq!(explained("bad_certificate").name, "bad_certificate");
    assert_eq!(explained("BAD-CERTIFICATE-ERROR").name, "BAD-CERTIFICATE-ERROR");
}

#[test]
fn what_is_nothing_of_these_is_answered_with_the_nearest_name() {
    for (text, meant) in [
        ("SEC_E_LOGON_DENYED", "SEC_E_LOGON_DENIED"),
        ("handshake_failed", "handshake_failure"),
        ("NO-CIPHR-ERROR", "NO-CIPHER-ERROR"),
    ] {
        let failure = explain(text.as_bytes()).unwrap_err();
        assert!(failure.message.contains(&format!("did you mean {meant:?}?")), "{}", failure.message);
        assert_eq!(failure.class.code(), 2);
    }
    let failure = explain(b"0x8009030B0").unwrap_err();
    assert!(failure.message.contains("no status"), "{}", failure.message);
    let failure = explain(b"0x8009039F").unwrap_err();
    assert!(
        failure.message.contains("0x8009039F; the nearest is SEC_E_INSUFFICIENT_BUFFERS"),
        "{}",
        failure.message
    );
    for text in ["", "5", "hello, world", "what is this thing here", "\u{1b}[2J"] {
        let failure = explain(text.as_bytes()).unwrap_err();
        assert!(
            failure.message.contains("no status") && !failure.message.contains('\u{1b}'),
            "{}",
            failure.message
        );
    }
}

/// Who follows the advice finds a setting of this name: a configuration complains of its value, and not of the name.
#[test]
fn every_setting_that_is_named_is_one_of_a_configuration() {
    let source = include_str!("token.rs").split('"');
    let in_tokens = source.filter(|word| {
        let sections = ["schannel.", "ntlm.", "digest.", "negotiate.", "logon."];
        sections.iter().any(|section| word.starts_with(section)) && !word.contains(' ')
    });
    let all: Vec<&str> = status::all_settings().chain(told::all_settings()).chain(in_tokens).collect();
    assert!(all.len() > 80, "{}", all.len());
    for setting in all {
        let text = match setting.split_once('.') {
            Some((section, key)) => format!("[{section}]\n{key} = {{ nobody = 1979-05-27 }}\n"),
            None => format!("{setting} = {{ nobody = 1979-05-27 }}\n"),
        };
        let error = opensspi::Config::from_toml(&text, "opensspi.toml").unwrap_err().to_string();
        assert!(
            !error.contains(&format!("unknown key {:?}", setting.rsplit('.').next().unwrap())),
            "{error}"
        );
    }
}

fn offered(explanation: &Explanation, what: &str) -> String {
    let found = explanation.offered.iter().find(|(known, _)| *known == what);
    found.unwrap_or_else(|| panic!("{what} in {explanation:?}")).1.clone()
}

#[test]
fn a_message_of_ntlm_says_who_it_is_and_keeps_the_proof() {
    /// MS-NLMP section 4.2.4.3.
    const AUTHENTICATE: &str = "TlRMTVNTUAADAAAAGAAYAGwAAABUAFQAhAAAAAwADABIAAAACAAIAFQAAAAQABAAXAAAABAAEADYAAAANYKI4gUBKAoAAAAPRABvAG0AYQBpAG4AVQBzAGUAcgBDAE8ATQBQAFUAVABFAFIAhsNQl6yc7BAlVHZKV8zMGaqqqqqqqqqqaM0KuFHlHJaqvJJ76+9qHAEBAAAAAAAAAAAAAAAAAACqqqqqqqqqqgAAAAACAAwARABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAAAAAAAxdrSVE/JeZCUzhzpC8nQPg==";
    let explanation = explained(&format!("Authorization: NTLM {AUTHENTICATE}"));
    assert_eq!((explanation.kind, &*explanation.name), ("token", "NTLM AUTHENTICATE"));
    assert_eq!(
        (offered(&explanation, "user"), offered(&explanation, "proof")),
        ("User".into(), "version 2".into())
    );
    assert!(offered(&explanation, "offered").contains("keys of 128 bits"));
    assert_eq!(explanation.settings[0].0, "logon.accounts");
    let all = format!("{explanation:?}").to_lowercase();
    for secret in ["68cd0ab8", "c5dad254", "86c35097"] {
        assert!(!all.contains(secret), "{all}");
    }
    let negotiate = explained("TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGNFAAAADw==");
    assert!(negotiate.sentence.starts_with("is the first message of a client"), "{negotiate:?}");
    assert!(offered(&negotiate, "offered").contains("keys of 128 bits"));
    assert_eq!(negotiate.settings[0].0, "negotiate.ntlm");
    let weak = explained("4e544c4d53535000 01000000 07820800 0000000000000000 0000000000000000");
    assert!(!offered(&weak, "offered").contains("128"));
    assert_eq!(weak.settings[0].0, "ntlm.minimum-key-bits", "what is missing comes first");
}

#[test]
fn an_offer_of_spnego_says_its_mechanisms() {
    // NegTokenInit with Kerberos and NTLM, without a token.
    let explanation =
        explained("602706062b0601050502a01d301ba0193017 06092a864886f712010202 060a2b06010401823702020a");
    assert_eq!(explanation.name, "SPNEGO NegTokenInit", "{explanation:?}");
    assert_eq!(offered(&explanation, "offered"), "Kerberos, NTLM");
    assert_eq!(explanation.settings[0].0, "negotiate.packages");
    let reject = explained("a1073005a0030a0102");
    assert!(reject.sentence.contains("gives up"), "{reject:?}");
    assert_eq!(first_setting("WWW-Authenticate: Negotiate"), "negotiate.packages");
}

#[test]
fn kerberos_is_known_in_its_frame_and_without() {
    let framed = explained("6012 06092a864886f712010202 0100 6e03300130");
    assert!(framed.sentence.contains("in the frame of GSS-API: AP-REQ"), "{framed:?}");
    let raw = explained("6e04 30020500");
    assert_eq!((&*raw.name, raw.settings[0].0), ("Kerberos AP-REQ", "negotiate.packages"));
    assert!(raw.sentence.contains("without a negotiation: a ticket"), "{raw:?}");
    for other in ["6e04300205", "6e0430020500aa", "6e020500"] {
        assert!(explain(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn digest_says_what_is_demanded() {
    let explanation = explained(
        "WWW-Authenticate: Digest realm=\"alert 40\", nonce=\"b\", qop=\"auth\", algorithm=SHA-256",
    );
    assert_eq!((explanation.kind, &*explanation.name), ("token", "Digest challenge"));
    assert_eq!(offered(&explanation, "realm"), "alert 40");
    assert_eq!(offered(&explanation, "algorithm"), "SHA-256");
    assert!(explanation.settings.iter().any(|(setting, _)| *setting == "digest.algorithms"));
}

#[test]
fn flights_of_every_protocol_are_explained() {
    let hello = explained(
        "160301002d010000290301070707070707070707070707070707070707070707070707070707070707070700000200 2f0100",
    );
    assert_eq!(hello.name, "TLS ClientHello", "{hello:?}");
    assert!(hello.sentence.contains("at best tls1.0"), "{hello:?}");
    assert_eq!(offered(&hello, "suites"), "TLS_RSA_WITH_AES_128_CBC_SHA");
    assert!(hello.settings[0].1.contains("profile = \"legacy\" would enable tls1.0"), "{hello:?}");

    let ssl2 = explained("801c010002000300000010010080070707070707070707070707070707 07");
    assert_eq!((&*ssl2.name, offered(&ssl2, "offered")), ("SSL 2.0 CLIENT-HELLO", "ssl2".to_owned()));
    let alert = explained("15030300020228");
    assert!(alert.sentence.contains("handshake_failure"), "{alert:?}");
    assert_eq!(alert.settings[0].0, "schannel.suites");
    let error = explained("8003000001");
    assert!(error.sentence.contains("NO-CIPHER-ERROR"), "{error:?}");
    let pct = explained("80050500040000");
    assert!(pct.sentence.contains("PCT_ERR_INTEGRITY_CHECK_FAILED"), "{pct:?}");
    let cut = explained("160301002d0100002903");
    assert!(cut.wrong.unwrap().contains("missing"));
}
