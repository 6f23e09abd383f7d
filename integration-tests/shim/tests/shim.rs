//! The shim does what the runner asks: every flag that it has, in both roles and with every protocol.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failure here is a failed test"
)]

mod support;

use schannel::{Allow, ClientAuth, Protocol, Renegotiation, SchannelConfig};
use sspi_core::{ControlToken, SecStatus};
use support::{BOTH, PROTOCOLS, Peer, Runner, Shim, SideEnd, WITH_EXTENSIONS, names_alert, only, xor};
use test_support::{CertStatus, OcspResponse, Pki};

/// Every role of the shim with every protocol.
fn everywhere(mut run: impl FnMut(&Runner, bool, Protocol)) {
    let runner = Runner::new();
    for protocol in PROTOCOLS {
        for shim_is_server in [false, true] {
            run(&runner, shim_is_server, protocol);
        }
    }
}

#[test]
fn data_comes_back_with_every_bit_turned() {
    everywhere(|runner, shim_is_server, protocol| {
        let shim = runner
            .start_as(shim_is_server, &[only(protocol), "-async", "-implicit-handshake", "-partial-write"]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        let long: Vec<u8> = (0..16384_u32).map(|n| n.to_le_bytes()[0]).collect();
        for data in [&b"x"[..], b"hello", &long] {
            peer.echoes(data);
        }
        // Two records at once, and one in two pieces.
        let records = [peer.seal(b"one"), peer.seal(b"two"), peer.seal(b"three")].concat();
        let (first, second) = records.split_at(records.len() - 3);
        peer.send_raw(first);
        assert_eq!(peer.read(6), xor(b"onetwo"));
        peer.send_raw(second);
        assert_eq!(peer.read(5), xor(b"three"));
        peer.finish();
        shim.succeeds();
    });
}

#[test]
fn empty_records_are_tolerated() {
    everywhere(|runner, shim_is_server, protocol| {
        let shim = runner.start_as(shim_is_server, &[only(protocol)]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        (0..20).for_each(|_| peer.send(b""));
        peer.echoes(b"hello");
        (0..20).for_each(|_| peer.send(b""));
        peer.finish();
        shim.succeeds();
    });
}

#[test]
fn the_shim_writes_first_and_shuts_down_when_it_is_told_to() {
    everywhere(|runner, shim_is_server, protocol| {
        let shim = runner.start_as(shim_is_server, &[only(protocol), "-shim-writes-first"]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        assert_eq!(peer.read(5), b"hello");
        peer.echoes(b"and back");
        peer.finish();
        shim.succeeds();

        let shim =
            runner.start_as(shim_is_server, &[only(protocol), "-shim-writes-first", "-shim-shuts-down"]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        assert_eq!(peer.read_to_end().unwrap(), (b"hello".to_vec(), SideEnd::CloseNotify));
        drop(peer);
        shim.succeeds();
    });
}

#[test]
fn the_end_of_the_peer_is_checked_where_that_is_asked_for() {
    everywhere(|runner, shim_is_server, protocol| {
        let credentials = runner.peer_of(shim_is_server, protocol);
        let connect = |flags: &[&str]| {
            let shim = runner.start_as(shim_is_server, &[&[only(protocol)], flags].concat());
            (shim, runner.handshake(&credentials))
        };
        // The peer ends first.
        let (shim, peer) = connect(&["-check-close-notify"]);
        peer.finish();
        shim.succeeds();
        let (shim, peer) = connect(&[]);
        drop(peer);
        shim.succeeds();
        let (shim, peer) = connect(&["-check-close-notify"]);
        drop(peer);
        shim.fails("Unexpected SSL_shutdown result: 0 != 1");
        // The shim ends first.
        let both = ["-check-close-notify", "-shim-shuts-down"];
        let (shim, mut peer) = connect(&both);
        assert_eq!(peer.read_to_end().unwrap().1, SideEnd::CloseNotify);
        peer.send_close_notify();
        drop(peer);
        shim.succeeds();
        let (shim, mut peer) = connect(&both);
        assert_eq!(peer.read_to_end().unwrap().1, SideEnd::CloseNotify);
        drop(peer);
        shim.fails("Unexpected SSL_shutdown result: -1 != 1");
        let (shim, mut peer) = connect(&both);
        peer.send(b"too late");
        peer.send_close_notify();
        peer.read_to_end().unwrap();
        drop(peer);
        shim.fails(":APPLICATION_DATA_ON_SHUTDOWN:");
        let (shim, mut peer) = connect(&both);
        assert_eq!(peer.read_to_end().unwrap().1, SideEnd::CloseNotify);
        peer.send_alert(sspi_core::AlertLevel::Fatal, 30);
        drop(peer);
        shim.fails(":SSLV3_ALERT_DECOMPRESSION_FAILURE:");
    });
}

#[test]
fn sessions_are_resumed_as_often_as_the_count_says() {
    everywhere(|runner, shim_is_server, protocol| {
        let name: &[&str] =
            if shim_is_server { &["-expect-server-name", "localhost"] } else { &["-host-name", "localhost"] };
        let names = if protocol == Protocol::Ssl30 { &[][..] } else { name };
        for flags in [&[][..], names] {
            let shim =
                runner.start_as(shim_is_server, &[&[only(protocol), "-resume-count", "3"], flags].concat());
            let credentials = runner.peer_of(shim_is_server, protocol);
            for round in 0..4 {
                let mut peer = runner.handshake(&credentials);
                assert_eq!(peer.is_resumed(), round > 0, "{protocol:?} {shim_is_server} {round}");
                peer.echoes(b"again");
                peer.finish();
            }
            shim.succeeds();
        }
    });
}

/// Binders of TLS 1.3 are over the hello as it was sent, with the older versions in it.
#[test]
fn a_client_of_all_protocols_resumes_in_every_one_of_them() {
    let runner = Runner::new();
    for protocol in PROTOCOLS {
        let shim = runner.start(&["-resume-count", "2"]);
        let credentials = runner.inbound(runner.server(&[protocol]));
        for round in 0..3 {
            let mut peer = runner.handshake(&credentials);
            assert_eq!(peer.is_resumed(), round > 0, "{protocol:?} {round}");
            peer.echoes(b"again");
            peer.finish();
        }
        shim.succeeds();
    }
}

#[test]
fn a_session_that_is_missed_is_expected_or_a_failure() {
    everywhere(|runner, shim_is_server, protocol| {
        for (flags, succeeds) in
            [(&["-expect-session-miss"][..], true), (&["-on-resume-expect-session-miss"], true), (&[], false)]
        {
            let shim =
                runner.start_as(shim_is_server, &[&[only(protocol), "-resume-count", "1"], flags].concat());
            for _ in 0..2 {
                // Each time another peer, which knows no session.
                let peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
                assert!(!peer.is_resumed());
                peer.leave();
            }
            if succeeds {
                shim.succeeds();
            } else {
                shim.fails("the session was not resumed");
            }
        }
    });
}

#[test]
fn flags_with_a_prefix_are_for_their_own_connection() {
    let runner = Runner::new();
    let flags = ["-resume-count", "1", "-on-resume-no-tls13", "-on-resume-expect-session-miss"];
    let shim =
        runner.start(&[&flags[..], &["-on-initial-shim-writes-first", "-on-retry-shim-shuts-down"]].concat());
    let credentials = runner.inbound(runner.server(&BOTH));
    for (version, first) in [(0x0304, &b"hello"[..]), (0x0303, b"")] {
        let mut peer = runner.handshake(&credentials);
        assert_eq!(peer.context.attributes().cipher_info().unwrap().protocol_version, version);
        assert_eq!(peer.read(first.len()), first);
        peer.echoes(b"x");
        peer.finish();
    }
    shim.succeeds();
}

#[test]
fn keying_material_is_written_first_and_is_the_same_on_both_sides() {
    everywhere(|runner, shim_is_server, protocol| {
        for (flags, context) in [
            (&[][..], None),
            (&["-export-context", "context"], None),
            (&["-export-context", "context", "-use-export-context"], Some(&b"context"[..])),
            (&["-use-export-context"], Some(&b""[..])),
        ] {
            let always = [only(protocol), "-export-keying-material", "1024", "-export-label", "label"];
            let shim = runner.start_as(shim_is_server, &[&always[..], flags].concat());
            let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
            let expected = peer.context.attributes().keying_material(b"label", context, 1024);
            // SSL 3.0 has none.
            assert_eq!(expected.is_ok(), protocol != Protocol::Ssl30);
            let Ok(expected) = expected else {
                drop(peer);
                shim.fails("failed to export keying material");
                continue;
            };
            assert_eq!(peer.read(1024), *expected.expose_secret());
            peer.echoes(b"x");
            peer.finish();
            shim.succeeds();
        }
    });
}

#[test]
fn tls_unique_is_written_where_the_protocol_has_it() {
    everywhere(|runner, shim_is_server, protocol| {
        let shim = runner.start_as(shim_is_server, &[only(protocol), "-tls-unique"]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        let expected = peer.context.attributes().unique_bindings();
        assert_eq!(expected.is_ok(), !matches!(protocol, Protocol::Tls13 | Protocol::Ssl30));
        let Ok(expected) = expected else {
            drop(peer);
            shim.fails("failed to get tls-unique");
            return;
        };
        assert_eq!(peer.read(12), expected.value());
        peer.finish();
        shim.succeeds();
    });
}

#[test]
fn application_protocols_are_negotiated_and_expected() {
    let runner = Runner::new();
    let alpn = |names: &[&str], config| SchannelConfig {
        alpn: names.iter().map(|&n| n.to_owned()).collect(),
        ..config
    };
    for protocol in WITH_EXTENSIONS {
        let credentials = runner.inbound(alpn(&["bar", "foo"], runner.server(&[protocol])));
        let offer = [only(protocol), "-advertise-alpn", "\u{3}foo\u{3}bar"];
        for (expected, succeeds) in [("bar", true), ("foo", false)] {
            let shim = runner.start(&[&offer[..], &["-expect-alpn", expected]].concat());
            runner.handshake(&credentials).leave();
            if succeeds { shim.succeeds() } else { shim.fails("the application protocol is bar") }
        }
        let shim = runner.start(&[only(protocol), "-advertise-alpn", "\u{4}nope"]);
        assert!(Peer::handshake(runner.accept(), credentials.begin()).is_err());
        shim.fails(":TLSV1_ALERT_NO_APPLICATION_PROTOCOL:");

        let credentials = runner.outbound(alpn(&["foo", "bar"], runner.client(&[protocol])));
        let shim = runner.start_server(&[only(protocol), "-select-alpn", "bar", "-expect-alpn", "bar"]);
        let mut peer = runner.handshake(&credentials);
        peer.echoes(b"x");
        peer.finish();
        shim.succeeds();
        for flags in [&["-select-alpn", "foo", "-decline-alpn"][..], &[]] {
            let shim = runner.start_server(&[&[only(protocol), "-expect-alpn", ""], flags].concat());
            let peer = runner.handshake(&credentials);
            assert_eq!(peer.context.attributes().application_protocol().unwrap().protocol, None);
            peer.finish();
            shim.succeeds();
        }
        let shim = runner.start_server(&[only(protocol), "-select-alpn", "baz"]);
        let heard = Peer::handshake(runner.accept(), credentials.begin()).err().unwrap();
        assert_eq!(heard.status(), SecStatus::SEC_E_APPLICATION_PROTOCOL_MISMATCH);
        shim.fails(":NO_APPLICATION_PROTOCOL:");
    }
}

#[test]
fn a_client_shows_its_certificate_whichever_authorities_are_named() {
    let runner = Runner::new();
    let stranger = Pki::named("OpenSSPI Unknown Root").client("mallory").rsa_2048().issue();
    let alice = runner.pki.client("alice").rsa_2048().issue();
    for protocol in PROTOCOLS {
        let credentials = runner
            .inbound(SchannelConfig { client_auth: ClientAuth::Required, ..runner.server(&[protocol]) });
        let (chain, key) = runner.files(&alice);
        let shim = runner.start(&[only(protocol), "-cert-file", &chain, "-key-file", &key]);
        let mut peer = runner.handshake(&credentials);
        assert_eq!(peer.context.attributes().remote_certificate().unwrap().leaf(), alice.leaf_der());
        peer.echoes(b"x");
        peer.finish();
        shim.succeeds();

        let (chain, key) = runner.files(&stranger);
        let shim = runner.start(&[only(protocol), "-cert-file", &chain, "-key-file", &key]);
        let error = Peer::handshake(runner.accept(), credentials.begin()).err().unwrap();
        assert_eq!(error.status(), SecStatus::SEC_E_UNTRUSTED_ROOT, "it was shown all the same");
        // SSL 3.0 has fewer words for it.
        shim.fails(match protocol {
            Protocol::Ssl30 => ":SSLV3_ALERT_BAD_CERTIFICATE:",
            _ => ":TLSV1_ALERT_UNKNOWN_CA:",
        });

        let shim = runner.start(&[only(protocol)]);
        let error = Peer::handshake(runner.accept(), credentials.begin()).err().unwrap();
        assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
        shim.fails(match protocol {
            Protocol::Tls13 => ":TLSV1_ALERT_CERTIFICATE_REQUIRED:",
            _ => ":SSLV3_ALERT_HANDSHAKE_FAILURE:",
        });
    }
}

#[test]
fn the_authorities_that_a_server_names_are_expected() {
    let runner = Runner::new();
    let alice = runner.pki.client("alice").rsa_2048().issue();
    let (chain, key) = runner.files(&alice);
    let subject = schannel::certificate::subject_der(runner.pki.root_der()).unwrap();
    let subject: String = subject.iter().map(|byte| format!("{byte:02x}")).collect();
    for protocol in PROTOCOLS {
        for (send_ca_list, expected, succeeds) in [
            (true, subject.as_str(), true),
            (false, "<EMPTY>", true),
            (true, "<EMPTY>", false),
            (false, "3000", false),
        ] {
            let config = SchannelConfig {
                client_auth: ClientAuth::Optional,
                send_ca_list,
                ..runner.server(&[protocol])
            };
            let shim = runner.start(&[
                only(protocol),
                "-cert-file",
                &chain,
                "-key-file",
                &key,
                "-expect-client-ca-list",
                expected,
            ]);
            runner.handshake(&runner.inbound(config)).leave();
            if succeeds { shim.succeeds() } else { shim.fails("named other authorities") }
        }
    }
}

#[test]
fn a_server_asks_for_certificates_and_accepts_any_unless_it_is_to_fail() {
    let runner = Runner::new();
    let alice = runner.pki.client("alice").rsa_2048().issue();
    let expired = runner.pki.client("bob").expired().rsa_2048().issue();
    let unknown = Pki::named("OpenSSPI Unknown Root").client("carol").self_signed().rsa_2048().issue();
    let (alice_file, _) = runner.files(&alice);
    for protocol in PROTOCOLS {
        let with = |certificate| {
            runner.outbound(SchannelConfig {
                certificates: vec![runner.config_of(certificate)],
                ..runner.client(&[protocol])
            })
        };
        let without = || runner.outbound(runner.client(&[protocol]));
        for flags in [
            &["-require-any-client-certificate", "-expect-peer-cert-file", &alice_file][..],
            &["-verify-peer"],
        ] {
            let shim = runner.start_server(&[&[only(protocol), "-expect-verify-result"], flags].concat());
            let mut peer = runner.handshake(&with(&alice));
            assert!(peer.context.attributes().local_certificate().is_ok());
            peer.echoes(b"x");
            peer.finish();
            shim.succeeds();
        }
        for certificate in [&expired, &unknown] {
            let shim = runner.start_server(&[only(protocol), "-require-any-client-certificate"]);
            runner.handshake(&with(certificate)).finish();
            shim.succeeds();
        }
        for flags in [&["-verify-peer"][..], &[]] {
            let shim = runner.start_server(&[&[only(protocol)], flags].concat());
            runner.handshake(&without()).finish();
            shim.succeeds();
        }

        let refused = |flags: &[&str], credentials: &support::Credentials, alerts: &[u8], string: &str| {
            let shim = runner.start_server(&[&[only(protocol)], flags].concat());
            match Peer::handshake(runner.accept(), credentials.begin()) {
                Ok(mut peer) => {
                    // A TLS 1.3 client hears of it with its first read.
                    assert_eq!(protocol, Protocol::Tls13);
                    peer.expect_alert(alerts);
                }
                Err(error) => {
                    assert!(names_alert(&error, alerts), "{error}")
                }
            }
            shim.fails(string);
        };
        refused(
            &["-require-any-client-certificate"],
            &without(),
            &[116, 40],
            ":PEER_DID_NOT_RETURN_A_CERTIFICATE:",
        );
        // The application judges once the handshake is over.
        for (flags, alert) in [(&[][..], 40), (&["-use-custom-verify-callback"], 46)] {
            let flags = [&["-verify-peer", "-verify-fail"], flags].concat();
            let shim = runner.start_server(&[&[only(protocol)], &flags[..]].concat());
            let mut peer = Peer::handshake(runner.accept(), with(&alice).begin()).unwrap();
            peer.expect_alert(&[alert]);
            drop(peer);
            shim.fails(":CERTIFICATE_VERIFY_FAILED:");
        }
    }
}

#[test]
fn a_client_accepts_every_certificate_unless_it_is_to_fail() {
    let runner = Runner::new();
    let bad = [
        runner.pki.server("elsewhere.test").expired().rsa_2048().issue(),
        Pki::named("OpenSSPI Unknown Root").server("localhost").self_signed().rsa_2048().issue(),
    ];
    for protocol in PROTOCOLS {
        for certificate in &bad {
            let config = SchannelConfig {
                certificates: vec![runner.config_of(certificate)],
                ..runner.server(&[protocol])
            };
            let credentials = runner.inbound(config);
            let (file, _) = runner.files(certificate);
            for flags in [&[][..], &["-verify-peer", "-expect-verify-result"], &["-verify-fail"]] {
                let shim =
                    runner.start(&[&[only(protocol), "-expect-peer-cert-file", &file], flags].concat());
                let mut peer = runner.handshake(&credentials);
                peer.echoes(b"x");
                peer.finish();
                shim.succeeds();
            }
            let shim = runner.start(&[only(protocol), "-verify-peer", "-verify-fail"]);
            runner.handshake(&credentials).expect_alert(&[40]);
            shim.fails(":CERTIFICATE_VERIFY_FAILED:");
        }
        let shim = runner.start(&[only(protocol), "-expect-peer-cert-file", &runner.files(&bad[0]).0]);
        drop(runner.handshake(&runner.inbound(runner.server(&[protocol]))));
        shim.fails("the peer showed another certificate");
    }
}

#[test]
fn what_was_negotiated_is_compared_with_what_is_expected() {
    everywhere(|runner, shim_is_server, protocol| {
        let suite = match protocol {
            // The client's order counts, and the shim's is the runner's.
            Protocol::Tls13 if shim_is_server => "4866",
            Protocol::Tls13 => "4865",
            Protocol::Tls12 => "49196",
            Protocol::Tls11 | Protocol::Tls10 => "49162",
            Protocol::Ssl30 | Protocol::Pct1 | Protocol::Ssl20 => "57",
        };
        let is_ssl = protocol == Protocol::Ssl30;
        for (flag, right, wrong) in [("-expect-curve-id", "29", "23"), ("-expect-cipher-aes", suite, "47")] {
            if is_ssl && flag == "-expect-curve-id" {
                continue;
            }
            for (value, succeeds) in [(right, true), (wrong, false)] {
                let bound = if is_ssl { "-async" } else { "-expect-extended-master-secret" };
                let always = [only(protocol), bound, "-expect-secure-renegotiation"];
                let rest = ["-expect-total-renegotiations", "0", "-enable-all-curves", flag, value];
                let shim = runner.start_as(shim_is_server, &[&always[..], &rest[..]].concat());
                runner.handshake(&runner.peer_of(shim_is_server, protocol)).leave();
                if succeeds { shim.succeeds() } else { shim.fails("was expected") }
            }
        }
        let shim = runner.start_as(shim_is_server, &[only(protocol), "-expect-no-secure-renegotiation"]);
        drop(runner.handshake(&runner.peer_of(shim_is_server, protocol)));
        shim.fails("secure renegotiation was expected to be false");
    });
}

#[test]
fn the_name_that_is_asked_for_is_sent_and_expected() {
    let runner = Runner::new();
    for protocol in WITH_EXTENSIONS {
        let credentials = runner.inbound(runner.server(&[protocol]));
        let shim = runner.start(&[only(protocol), "-host-name", "example.com"]);
        let peer = runner.handshake(&credentials);
        assert_eq!(peer.context.attributes().client_specified_target().unwrap(), "example.com");
        peer.finish();
        shim.succeeds();
        let shim = runner.start(&[only(protocol)]);
        let peer = runner.handshake(&credentials);
        assert!(peer.context.attributes().client_specified_target().is_err(), "no name, no extension");
        peer.finish();
        shim.succeeds();
        for (name, succeeds) in [("localhost", true), ("example.com", false)] {
            let shim = runner.start_server(&[only(protocol), "-expect-server-name", name]);
            runner.handshake(&runner.outbound(runner.client(&[protocol]))).leave();
            if succeeds { shim.succeeds() } else { shim.fails("the client asked for \"localhost\"") }
        }
    }
}

#[test]
fn suites_are_those_of_the_list() {
    let runner = Runner::new();
    for shim_is_server in [false, true] {
        let suite = "ECDHE-ECDSA-CHACHA20-POLY1305";
        let shim = runner.start_as(shim_is_server, &["-no-tls13", "-cipher", suite]);
        let peer = runner.handshake(&runner.peer_of(shim_is_server, Protocol::Tls12));
        assert_eq!(peer.context.attributes().cipher_info().unwrap().cipher_suite, 0xcca9);
        peer.finish();
        shim.succeeds();
    }
    let shim = runner.start_server(&["-no-tls13", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]);
    let credentials = runner.outbound(runner.client(&[Protocol::Tls12]));
    assert!(Peer::handshake(runner.accept(), credentials.begin()).is_err());
    shim.fails(":NO_SHARED_CIPHER:");
}

/// Base64 as the runner writes it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let value =
            group.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            text.push(char::from(DIGITS[(value >> (18 - 6 * at) & 63) as usize]));
        }
        text.push_str(&"=="[..3 - group.len()]);
    }
    text
}

#[test]
fn a_stapled_answer_is_sent_and_expected() {
    let runner = Runner::new();
    let answer = OcspResponse::new(&runner.certificate, CertStatus::Good).der();
    let in_file = runner.file("ocsp.der", &answer);
    let (right, wrong) = (base64(&answer), base64(&answer[1..]));
    for protocol in WITH_EXTENSIONS {
        // A peer in hard mode accepts nothing without an answer.
        let hard = || SchannelConfig { revocation: schannel::Revocation::Hard, ..runner.client(&[protocol]) };
        let shim = runner.start_server(&[only(protocol), "-ocsp-response", &right]);
        runner.handshake(&runner.outbound(hard())).finish();
        shim.succeeds();

        let config = SchannelConfig { ocsp_response: Some(in_file.clone()), ..runner.server(&[protocol]) };
        for (expected, code) in [(&right, 0), (&wrong, 1)] {
            let shim = runner.start(&[
                only(protocol),
                "-enable-ocsp-stapling",
                "-expect-ocsp-response",
                expected,
                "-on-initial-resume-count",
                "1",
            ]);
            let credentials = runner.inbound(config.clone());
            // In TLS 1.3 the answer cannot be seen from outside; that is said, and not guessed.
            let code = if protocol == Protocol::Tls13 { 89 } else { code };
            for round in 0..if code == 0 { 2 } else { 1 } {
                let peer = runner.handshake(&credentials);
                assert_eq!(peer.is_resumed(), round == 1);
                peer.leave();
            }
            assert_eq!(shim.end().code, Some(code), "{protocol:?}");
        }
    }
}

#[test]
fn records_of_every_size_are_written() {
    everywhere(|runner, shim_is_server, protocol| {
        let flags = [only(protocol), "-write-different-record-sizes", "-cbc-record-splitting"];
        let shim = runner.start_as(shim_is_server, &flags);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        let (data, end) = peer.read_to_end().unwrap();
        assert_eq!(end, SideEnd::CloseNotify);
        assert_eq!(data, vec![0x42; 1 + 255 + 256 + 257 + 16383 + 16384 + 16385 + 32767 + 32768 + 32769]);
        drop(peer);
        shim.succeeds();
    });
}

#[test]
fn a_write_that_is_not_finished_lets_a_read_pass() {
    everywhere(|runner, shim_is_server, protocol| {
        let shim =
            runner.start_as(shim_is_server, &[only(protocol), "-async", "-read-with-unfinished-write"]);
        let mut peer = runner.handshake(&runner.peer_of(shim_is_server, protocol));
        peer.send(b"x");
        assert_eq!(peer.read(6), [&b"hello"[..], &xor(b"x")].concat());
        peer.echoes(b"y");
        peer.finish();
        shim.succeeds();
    });
}

#[test]
fn what_is_not_implemented_is_exit_89() {
    let (chain, key) = ("nowhere.pem", "nowhere.key");
    for flags in [
        &["-false-start"][..],
        &["-on-initial-false-start"],
        &["-dtls"],
        &["-no-ticket"],
        &["-server", "-cert-file", chain, "-key-file", key, "-fail-ocsp-callback"],
        &["-server", "-cert-file", chain, "-key-file", key, "-cipher", "[AES128-SHA|AES256-SHA]"],
        &["-cipher", "CAMELLIA128-SHA"],
    ] {
        let ended = Shim::start(&[&["-port", "1"], flags].concat()).end();
        assert_eq!(ended.code, Some(89), "{flags:?}: {}", ended.stderr);
    }
}

#[test]
fn a_client_negotiates_again_as_often_as_it_is_asked_where_a_flag_says_so() {
    let runner = Runner::new();
    for protocol in PROTOCOLS.into_iter().filter(|protocol| *protocol != Protocol::Tls13) {
        for (times, expected, code) in [(1, "1", 0), (3, "3", 0), (2, "3", 1)] {
            let flags = [only(protocol), "-renegotiate-freely", "-expect-total-renegotiations", expected];
            let shim = runner.start_as(false, &flags);
            let config = SchannelConfig {
                renegotiation: Renegotiation::Ours,
                allow: Some(Allow::all().collect()),
                ..runner.server(&[protocol])
            };
            let mut peer = runner.handshake(&runner.inbound(config));
            peer.echoes(b"before");
            for _ in 0..times {
                peer = peer.renegotiate();
                peer.echoes(b"after");
            }
            if code == 0 {
                peer.finish();
                shim.succeeds();
            } else {
                peer.leave();
                shim.fails("renegotiations were expected");
            }
        }
        let shim = runner.start_as(false, &[only(protocol)]);
        let config = SchannelConfig {
            renegotiation: Renegotiation::Ours,
            allow: Some(Allow::all().collect()),
            ..runner.server(&[protocol])
        };
        let mut peer = runner.handshake(&runner.inbound(config));
        let request = peer.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        peer.send_raw(&request);
        // no_renegotiation is a warning, which SSL 3.0 does not have.
        match protocol {
            Protocol::Ssl30 => peer.expect_alert(&[40]),
            _ => drop(peer.read_to_end().unwrap()),
        }
        drop(peer);
        shim.fails(":NO_RENEGOTIATION:");
    }
}

#[test]
fn there_is_no_handshaker() {
    let ended = Shim::start(&["-is-handshaker-supported"]).end();
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "No\n", ""));
}

#[test]
fn nobody_listening_is_a_failure() {
    Shim::start(&["-port", "1"]).fails("cannot connect to port 1");
}

#[test]
fn an_address_of_version_6_is_used_where_it_is_asked_for() {
    let Ok(listener) = std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)) else {
        eprintln!("not run: this machine has no IPv6");
        return;
    };
    let port = listener.local_addr().unwrap().port().to_string();
    let runner = Runner::new();
    let shim = Shim::start(&["-port", &port, "-ipv6"]);
    let stream = listener.accept().unwrap().0;
    let credentials = runner.inbound(runner.server(&BOTH));
    Peer::handshake(stream, credentials.begin()).unwrap_or_else(|error| panic!("{error}")).finish();
    shim.succeeds();
}

#[test]
fn the_configuration_of_the_runner_is_in_its_format() {
    let config: serde_json::Value = serde_json::from_str(include_str!("../bogo-config.json")).unwrap();
    assert_eq!(config.as_object().unwrap().len(), 2);
    let disabled = config["DisabledTests"].as_object().unwrap();
    assert!(disabled.values().all(|reason| !reason.as_str().unwrap().is_empty()));
    assert!(config["AllCurves"].as_array().unwrap().iter().all(|group| group.as_u64().is_some()));
}
