use super::*;

/// A server's part and ours, in turn: `S:` is sent by the server, `C:` must be sent by us.
type Script = &'static [&'static str];

const SCRIPTS: [(StartTls, Script); 9] = [
    (
        StartTls::Smtp,
        &[
            "S:220-mail.example ESMTP\r\n220 be brief\r\n",
            "C:EHLO localhost\r\n",
            "S:250-mail.example\r\n250-PIPELINING\r\n250-starttls\r\n250 8BITMIME\r\n",
            "C:STARTTLS\r\n",
            "S:220 go ahead\r\n",
        ],
    ),
    (
        StartTls::Imap,
        &["S:* OK ready\r\n", "C:a1 STARTTLS\r\n", "S:* CAPABILITY IMAP4rev1\r\na1 OK begin\r\n"],
    ),
    (StartTls::Pop3, &["S:+OK ready\r\n", "C:STLS\r\n", "S:+OK begin\r\n"]),
    (
        StartTls::Ldap,
        &[
            "C:\x30\x1d\x02\x01\x01\x77\x18\u{80}\x161.3.6.1.4.1.1466.20037",
            "S:\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
        ],
    ),
    (StartTls::Ftp, &["S:220-a\r\n220-b\r\n220 c\r\n", "C:AUTH TLS\r\n", "S:234 begin\r\n"]),
    (StartTls::Nntp, &["S:201 no posting\r\n", "C:STARTTLS\r\n", "S:382 continue\r\n"]),
    (StartTls::Postgres, &["C:\x00\x00\x00\x08\x04\u{d2}\x16\x2f", "S:S"]),
    (
        StartTls::Http,
        &[
            "C:OPTIONS * HTTP/1.1\r\nHost: example.org\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
            "S:HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n",
        ],
    ),
    // Bare line feeds.
    (StartTls::Pop3, &["S:+OK\n", "C:STLS\r\n", "S:+OK\n"]),
];

/// The script's letters are bytes.
fn bytes(text: &str) -> Vec<u8> {
    text[2..].chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// Plays a script in pieces of `size` bytes, and says how it ended.
fn play(protocol: StartTls, script: &[&str], size: usize) -> Result<(), Failure> {
    let mut negotiation = Negotiation::new(protocol, "example.org");
    let mut input = Vec::new();
    for line in script {
        if line.starts_with("C:") {
            assert_eq!(negotiation.next(&mut input)?, Turn::Send(bytes(line)), "{protocol:?}");
            continue;
        }
        for piece in bytes(line).chunks(size) {
            assert_eq!(negotiation.next(&mut input)?, Turn::Read, "{protocol:?}");
            input.extend_from_slice(piece);
        }
    }
    assert_eq!(negotiation.next(&mut input)?, Turn::Begin, "{protocol:?}");
    Ok(())
}

#[test]
fn every_dialogue_ends_with_tls_however_its_bytes_arrive() {
    for (protocol, script) in SCRIPTS {
        for size in [1, 2, 7, 1000] {
            play(protocol, script, size).unwrap();
        }
    }
}

#[test]
fn bytes_behind_the_go_ahead_are_refused() {
    for (protocol, script) in SCRIPTS {
        let mut script: Vec<String> = script.iter().map(|line| (*line).to_owned()).collect();
        script.last_mut().unwrap().push_str("250 injected\r\n");
        let script: Vec<&str> = script.iter().map(String::as_str).collect();
        let failure = play(protocol, &script, 1000).unwrap_err();
        assert!(failure.message.contains("behind its go-ahead"), "{protocol:?}: {}", failure.message);
        assert_eq!(failure.class.code(), 4);
    }
}

#[test]
fn a_server_that_answers_before_it_is_asked_is_refused() {
    for (protocol, early) in [
        (StartTls::Smtp, "S:220 hi\r\n250-STARTTLS\r\n250 x\r\n"),
        (StartTls::Imap, "S:* OK hi\r\na1 OK begin\r\n"),
        (StartTls::Pop3, "S:+OK\r\n+OK\r\n"),
        (StartTls::Ftp, "S:220 hi\r\n234 begin\r\n"),
        (StartTls::Nntp, "S:200 hi\r\n382 begin\r\n"),
    ] {
        let failure = play(protocol, &[early, "C:"], 1000).unwrap_err();
        assert!(failure.message.contains("before it was asked"), "{protocol:?}: {}", failure.message);
    }
}

#[test]
fn a_refusal_is_reported_with_the_servers_words_made_harmless() {
    for (protocol, script) in [
        (StartTls::Smtp, &["S:554 no\x1b[2J\r\n"][..]),
        (StartTls::Smtp, &["S:220 hi\r\n", "C:EHLO localhost\r\n", "S:250-PIPELINING\r\n250 HELP\r\n"]),
        (StartTls::Smtp, &["S:220x\r\n"]),
        (StartTls::Imap, &["S:* PREAUTH already in\r\n"]),
        (StartTls::Imap, &["S:* OK\x20hi\r\n", "C:a1 STARTTLS\r\n", "S:a1 BAD no\r\n"]),
        (StartTls::Pop3, &["S:+OK\r\n", "C:STLS\r\n", "S:-ERR no\r\n"]),
        (StartTls::Ftp, &["S:220 hi\r\n", "C:AUTH TLS\r\n", "S:502 no\r\n"]),
        (StartTls::Nntp, &["S:200 hi\r\n", "C:STARTTLS\r\n", "S:580 no\r\n"]),
        (StartTls::Postgres, &["C:\x00\x00\x00\x08\x04\u{d2}\x16\x2f", "S:N"]),
        (StartTls::Postgres, &["C:\x00\x00\x00\x08\x04\u{d2}\x16\x2f", "S:E"]),
        (
            StartTls::Ldap,
            &[
                "C:\x30\x1d\x02\x01\x01\x77\x18\u{80}\x161.3.6.1.4.1.1466.20037",
                "S:\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00",
            ],
        ),
        (
            StartTls::Http,
            &[
                "C:OPTIONS * HTTP/1.1\r\nHost: example.org\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
                "S:HTTP/1.1 200 OK\r\n\r\n",
            ],
        ),
        (
            StartTls::Http,
            &[
                "C:OPTIONS * HTTP/1.1\r\nHost: example.org\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
                "S:HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
            ],
        ),
    ] {
        let failure = play(protocol, script, 1000).unwrap_err();
        assert_eq!(failure.class.code(), 4, "{}", failure.message);
        assert!(!failure.message.contains('\x1b'), "{}", failure.message);
    }
}

#[test]
fn lines_and_answers_are_bounded() {
    for (protocol, greeting) in [
        (StartTls::Smtp, "220 "),
        (StartTls::Imap, "* OK "),
        (StartTls::Pop3, "+OK "),
        (StartTls::Nntp, "200 "),
    ] {
        let long = format!("S:{greeting}{}", "x".repeat(MAX_LINE + 1));
        for size in [512, 100_000] {
            let failure = play(protocol, &[&long], size).unwrap_err();
            assert!(failure.message.contains("more than 4096 bytes"), "{}", failure.message);
        }
        let long = format!("S:{greeting}{}\r\n", "x".repeat(MAX_LINE + 1));
        assert!(play(protocol, &[&long], 100_000).is_err());
    }
    let many = format!("S:{}220 x\r\n", "220-x\r\n".repeat(MAX_LINES + 1));
    let failure = play(StartTls::Ftp, &[&many], 100_000).unwrap_err();
    assert!(failure.message.contains("more than 100 lines"), "{}", failure.message);
}

#[test]
fn an_ldap_answer_of_any_length_or_shape_is_bounded() {
    for answer in [
        &b"\x30\x84\x00\x00\x00\x0c\x02\x01\x01"[..],
        b"\x30\x80\x02\x01\x01\x78",
        b"\x30\x83\xff\xff\xff",
        b"\x31\x00",
        b"\x30\x00",
        b"\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00",
        b"\x30\x05\x02\x01\x01\x78\x07",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let mut negotiation = Negotiation::new(StartTls::Ldap, "x");
        let mut input = Vec::new();
        assert!(matches!(negotiation.next(&mut input).unwrap(), Turn::Send(_)));
        input.extend_from_slice(answer);
        assert!(negotiation.next(&mut input).is_err(), "{answer:02x?}");
    }
}
