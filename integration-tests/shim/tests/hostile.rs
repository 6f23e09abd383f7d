//! A peer that breaks the rules: the shim fails with the runner's string, and the right alert is on the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure here is a failed test"
)]

mod support;

use std::io::Write as _;

use schannel::Protocol;
use sspi_core::AlertLevel;
use sspi_core::Step;
use support::{BOTH, PROTOCOLS, Peer, Runner, only, receive, receive_all};
use test_support::pair::End;

/// A fatal alert in clear.
fn in_clear(alert: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, alert]
}

fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[content_type, 3, 3, high, low], body].concat()
}

const HELLO_REQUEST: [u8; 4] = [0, 0, 0, 0];
const FINISHED: [u8; 16] = [20, 0, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// What is sent in place of a first flight; the string, and the alert.
type Case = (Vec<u8>, &'static str, u8);

fn cases() -> Vec<Case> {
    let ssl2 = [&[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80][..], &[0; 40]].concat();
    vec![
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), ":HTTP_REQUEST:", 70),
        (ssl2, ":UNSUPPORTED_PROTOCOL:", 70),
        (vec![0xde; 64], ":WRONG_VERSION_NUMBER:", 70),
        (vec![22, 9, 9, 0, 5, 1, 0, 0, 1, 0], ":WRONG_VERSION_NUMBER:", 70),
        (record(22, &FINISHED), ":UNEXPECTED_MESSAGE:", 10),
        (record(23, b"data"), ":APPLICATION_DATA_INSTEAD_OF_HANDSHAKE:", 10),
        (vec![22, 3, 3, 0xff, 0xff], ":ENCRYPTED_LENGTH_TOO_LONG:", 22),
        (record(22, &[1, 0xff, 0xff, 0xff]), ":EXCESSIVE_MESSAGE_SIZE:", 50),
    ]
}

#[test]
fn a_server_refuses_what_is_no_client_hello() {
    let runner = Runner::new();
    let mut cases = cases();
    cases.push((record(22, &[1, 0, 0, 2, 3, 3]), ":DECODE_ERROR:", 50));
    cases.push((
        record(22, &[&[2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0x13, 1, 0]].concat()),
        ":UNEXPECTED_MESSAGE:",
        10,
    ));
    for (bytes, string, alert) in cases {
        let shim = runner.start_server(&[]);
        let mut stream = runner.accept();
        stream.write_all(&bytes).unwrap();
        let words = if bytes[0] == 0x80 { vec![0x80, 3, 0, 0, 1] } else { in_clear(alert) };
        assert_eq!(receive_all(&mut stream), words, "{string} {bytes:02x?}");
        drop(stream);
        shim.fails(string);
    }
}

#[test]
fn a_client_refuses_what_is_no_server_hello() {
    let runner = Runner::new();
    let mut cases = cases();
    cases.push((record(22, &[2, 0, 0, 2, 3, 3]), ":DECODE_ERROR:", 50));
    for (bytes, string, alert) in cases {
        for protocol in BOTH {
            let shim = runner.start(&[only(protocol)]);
            let mut stream = runner.accept();
            let mut hello = Vec::new();
            receive(&mut stream, &mut hello);
            stream.write_all(&bytes).unwrap();
            let sent = receive_all(&mut stream);
            assert!(sent.ends_with(&in_clear(alert)), "{string} {bytes:02x?}: {sent:02x?}");
            drop(stream);
            shim.fails(string);
        }
    }
}

#[test]
fn a_server_hello_with_a_suite_that_was_not_offered_is_refused() {
    let runner = Runner::new();
    let shim = runner.start(&["-no-tls13"]);
    let mut stream = runner.accept();
    receive(&mut stream, &mut Vec::new());
    // TLS_RSA_WITH_NULL_SHA
    let hello = [&[2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0, 2, 0]].concat();
    stream.write_all(&record(22, &hello)).unwrap();
    assert_eq!(receive_all(&mut stream), in_clear(47));
    drop(stream);
    shim.fails(":WRONG_CIPHER_RETURNED:");
}

#[test]
fn a_version_that_is_not_enabled_is_refused() {
    let runner = Runner::new();
    for ours in PROTOCOLS {
        for theirs in PROTOCOLS.into_iter().filter(|theirs| *theirs != ours) {
            let shim = runner.start_server(&[only(ours)]);
            let credentials = runner.outbound(runner.client(&[theirs]));
            let refused = Peer::handshake(runner.accept(), credentials.begin()).err().unwrap();
            if theirs.version() < ours.version() {
                shim.fails(":UNSUPPORTED_PROTOCOL:");
            } else if theirs.version() >= 0x0303 {
                // Its hello has a list with that version alone.
                let alert = if ours == Protocol::Ssl30 { "(40)" } else { "(70)" };
                assert!(refused.message().contains(alert), "{ours:?}: {refused}");
                shim.fails(":UNSUPPORTED_PROTOCOL:");
            } else {
                // The client has the last word, and a server of SSL 3.0 cannot read its alert of a newer version.
                // SSL 3.0 itself has no alert for it.
                let (alert, string) = match ours {
                    Protocol::Ssl30 => (40, ":SSLV3_ALERT_HANDSHAKE_FAILURE:"),
                    _ => (70, "_VERSION"),
                };
                assert_eq!(refused.alert(), Some(alert), "{refused}");
                shim.fails(string);
            }
            let shim = runner.start(&[only(ours)]);
            let credentials = runner.inbound(runner.server(&[theirs]));
            let refused = Peer::handshake(runner.accept(), credentials.begin()).err().unwrap();
            if ours.is_old() && theirs.version() < ours.version() {
                // Its hello has no list, and so it is the client that has the last word.
                shim.fails(":UNSUPPORTED_PROTOCOL:");
            } else {
                assert_eq!(refused.fault(), sspi_core::Fault::PeerIncompatible, "{refused}");
                shim.fails("the peer sent the alert");
            }
        }
    }
}

#[test]
fn an_alert_in_the_handshake_is_named() {
    let runner = Runner::new();
    for (number, string) in [
        (40, ":SSLV3_ALERT_HANDSHAKE_FAILURE:"),
        (48, ":TLSV1_ALERT_UNKNOWN_CA:"),
        (80, ":TLSV1_ALERT_INTERNAL_ERROR:"),
        (255, ":UNKNOWN_ALERT_TYPE:"),
    ] {
        for shim_is_server in [false, true] {
            let shim = runner.start_as(shim_is_server, &[]);
            let mut stream = runner.accept();
            if !shim_is_server {
                receive(&mut stream, &mut Vec::new());
            }
            stream.write_all(&in_clear(number)).unwrap();
            assert_eq!(receive_all(&mut stream), [], "no alert answers an alert");
            drop(stream);
            shim.fails(string);
        }
    }
}

#[test]
fn a_peer_that_goes_away_in_the_handshake_is_a_failure() {
    let runner = Runner::new();
    for shim_is_server in [false, true] {
        let shim = runner.start_as(shim_is_server, &[]);
        drop(runner.accept());
        shim.fails("the peer closed the connection in the middle of the handshake");
    }
}

/// Runs a handshake whose every token the runner may change before it goes out.
fn with_changes(
    runner: &Runner,
    shim_is_server: bool,
    protocol: Protocol,
    change: impl Fn(usize, &mut Vec<u8>),
) -> Vec<u8> {
    let mut stream = runner.accept();
    let mut end: End = runner.peer_of(shim_is_server, protocol).begin();
    let mut input = Vec::new();
    let mut sent = 0;
    let mut needs_more = !shim_is_server;
    loop {
        if needs_more && !receive(&mut stream, &mut input) {
            return input;
        }
        match end.advance(&input) {
            Ok(Step::Continue { mut token, used }) => {
                if !token.is_empty() {
                    change(sent, &mut token);
                    sent += 1;
                }
                stream.write_all(&token).unwrap();
                input.drain(..used);
                needs_more = input.is_empty();
            }
            Ok(Step::Incomplete { .. }) => needs_more = true,
            Ok(Step::Complete { mut token, .. }) => {
                change(sent, &mut token);
                stream.write_all(&token).unwrap();
                return receive_all(&mut stream);
            }
            Ok(other) => panic!("{other:?}"),
            Err(_alert_of_the_shim) => return input,
        }
    }
}

/// Turns the last byte: the end of a Finished, or the tag of its record.
fn last_byte(token: &mut [u8]) {
    *token.last_mut().unwrap() ^= 1;
}

#[test]
fn a_flight_that_was_altered_on_its_way_is_refused() {
    let runner = Runner::new();
    for protocol in BOTH {
        // The second token of a client ends with its Finished; so does the first of a TLS 1.3 server.
        let shim = runner.start_server(&[only(protocol)]);
        with_changes(&runner, true, protocol, |n, token| {
            if n == 1 {
                last_byte(token)
            }
        });
        shim.fails(":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:");
    }
    let shim = runner.start(&["-no-tls12"]);
    let sent = with_changes(&runner, false, Protocol::Tls13, |n, token| {
        if n == 0 {
            last_byte(token)
        }
    });
    assert!(!sent.is_empty());
    shim.fails(":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:");
}

#[test]
fn a_change_of_keys_that_comes_too_early_is_refused() {
    let runner = Runner::new();
    let shim = runner.start_server(&["-no-tls13"]);
    // ChangeCipherSpec in front of ClientKeyExchange.
    with_changes(&runner, true, Protocol::Tls12, |n, token| {
        if n == 1 {
            token.splice(0..0, record(20, &[1]));
        }
    });
    shim.fails(":UNEXPECTED_RECORD:");
    let shim = runner.start(&["-no-tls13"]);
    with_changes(&runner, false, Protocol::Tls12, |n, token| {
        if n == 0 {
            token.splice(0..0, record(20, &[1]));
        }
    });
    shim.fails(":UNEXPECTED_RECORD:");
}

#[test]
fn a_message_out_of_its_order_is_refused() {
    let runner = Runner::new();
    // Finished in clear where ClientKeyExchange belongs, and where the server's certificate belongs.
    let shim = runner.start_server(&["-no-tls13"]);
    let sent = with_changes(&runner, true, Protocol::Tls12, |n, token| {
        if n == 1 {
            token.splice(0..0, record(22, &FINISHED));
        }
    });
    assert!(sent.is_empty() || sent.ends_with(&in_clear(10)), "{sent:02x?}");
    shim.fails(":UNEXPECTED_MESSAGE:");
    let shim = runner.start(&["-no-tls13"]);
    with_changes(&runner, false, Protocol::Tls12, |n, token| {
        // The length of the first record, and with it a ServerHello on its own.
        if n == 0 {
            let first = usize::from(token[8]) + 9;
            token.truncate(first);
            let length = u16::try_from(first - 5).unwrap().to_be_bytes();
            token[3..5].copy_from_slice(&length);
            token.extend(record(22, &FINISHED));
        }
    });
    shim.fails(":UNEXPECTED_MESSAGE:");
}

/// A connection, for what comes after its handshake.
fn established(
    runner: &Runner,
    shim_is_server: bool,
    protocol: Protocol,
    run: impl FnOnce(&mut Peer),
    string: &str,
) {
    let shim = runner.start_as(shim_is_server, &[only(protocol)]);
    let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
    peer.echoes(b"so far so good");
    run(&mut peer);
    drop(peer);
    shim.fails(string);
}

#[test]
fn records_that_break_the_rules_end_the_connection_with_their_alert() {
    let runner = Runner::new();
    for protocol in BOTH {
        for shim_is_server in [false, true] {
            let established =
                |run: &dyn Fn(&mut Peer), string| established(&runner, shim_is_server, protocol, run, string);
            established(
                &|peer| {
                    let mut record = peer.seal(b"altered");
                    last_byte(&mut record);
                    peer.send_raw(&record);
                    peer.expect_alert(&[20]);
                },
                ":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:",
            );
            established(
                &|peer| {
                    peer.send_raw(&[23, 3, 3, 0xff, 0xff]);
                    peer.expect_alert(&[22]);
                },
                ":ENCRYPTED_LENGTH_TOO_LONG:",
            );
            established(
                &|peer| {
                    peer.send_raw(b"GET / HTTP/1.0\r\n\r\n");
                    peer.expect_alert(&[10]);
                },
                ":WRONG_VERSION_NUMBER:",
            );
            established(
                &|peer| {
                    let records: Vec<u8> = (0..33).flat_map(|_| peer.seal(b"")).collect();
                    peer.send_raw(&records);
                    peer.expect_alert(&[10]);
                },
                ":TOO_MANY_EMPTY_FRAGMENTS:",
            );
            established(
                &|peer| {
                    peer.send_alert(AlertLevel::Fatal, 50);
                    // The context is over, so that it is the stream that is asked.
                    assert_eq!(receive_all(&mut peer.stream), [], "no alert answers an alert");
                },
                ":TLSV1_ALERT_DECODE_ERROR:",
            );
        }
    }
}

#[test]
fn warnings_are_passed_over_until_there_are_too_many() {
    const UNRECOGNIZED_NAME: u8 = 112;
    let runner = Runner::new();
    // In TLS 1.3 there is one, and who sends it says nothing more.
    let protocol = Protocol::Tls12;
    for shim_is_server in [false, true] {
        let shim = runner.start_as(shim_is_server, &[only(protocol)]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        (0..4).for_each(|_| peer.send_alert(AlertLevel::Warning, UNRECOGNIZED_NAME));
        peer.echoes(b"x");
        peer.finish();
        shim.succeeds();
        established(
            &runner,
            shim_is_server,
            protocol,
            |peer| {
                (0..5).for_each(|_| peer.send_alert(AlertLevel::Warning, UNRECOGNIZED_NAME));
                peer.expect_alert(&[10]);
            },
            ":TOO_MANY_WARNING_ALERTS:",
        );
    }
}

#[test]
fn handshake_messages_in_clear_after_the_handshake_are_refused() {
    let runner = Runner::new();
    established(
        &runner,
        false,
        Protocol::Tls13,
        |peer| {
            peer.send_raw(&record(22, &HELLO_REQUEST));
            peer.expect_alert(&[10]);
        },
        ":UNEXPECTED_RECORD:",
    );
    established(
        &runner,
        false,
        Protocol::Tls12,
        |peer| {
            peer.send_raw(&record(22, &HELLO_REQUEST));
            peer.expect_alert(&[20]);
        },
        ":DECRYPTION_FAILED_OR_BAD_RECORD_MAC:",
    );
}
