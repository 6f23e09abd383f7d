//! Handshakes of the package with itself: every protocol, every way in which bytes arrive.

#![allow(clippy::panic, reason = "a failure here is a failed test")]

mod support;

use opensspi_schannel::{
    Allow, ClientAuth, ClientCertificate, Protocol, SchannelConfig, Weakness, alert_meaning,
};
use sspi_core::{
    AcceptRequest, AlertLevel, AscRet, CertificateIdentity, ContextFlags, ControlToken, CredentialsHandle,
    Decrypted, Error, InitializeRequest, IscReq, IscRet, Question, SecStatus, Secret,
};
use std::sync::Arc;
use support::sessions::{Case, connect};
use support::{
    Kind, World, accept_request, established, handshake, initialize_request, judged_by_the_application,
    no_questions, send,
};
use test_support::pair::{self, open, seal};
use test_support::{Pki, TestCertificate};

#[test]
fn every_protocol_completes_however_the_bytes_arrive() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(SchannelConfig { resume: false, ..world.client_of(kind) });
        let server = world.inbound(world.server_of(kind));
        for chunk in (1..40).chain([100, 517, 1000, 4096, usize::MAX]) {
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
            assert_eq!(send(&mut c, &mut s, b"hello"), b"hello", "{kind:?} {chunk}");
            assert_eq!(send(&mut s, &mut c, b"and back"), b"and back", "{kind:?} {chunk}");
            let info = c.context.attributes().connection_info().unwrap();
            assert_eq!(info.protocol.0 & kind.protocol().bits().0, info.protocol.0);
            let is_aead = !Kind::LEGACY.contains(&kind);
            assert_eq!(info.hash_strength == 0, is_aead, "an AEAD suite has no record hash: {info:?}");
        }
    }
}

#[test]
fn data_in_the_same_read_as_the_last_handshake_message_is_extra() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(world.client_of(kind));
        let server = world.inbound(world.server_of(kind));
        for chunk in [1, 3, 64, usize::MAX] {
            let mut c = client.initialize(&initialize_request()).unwrap();
            let mut s = server.accept(&accept_request()).unwrap();
            // The client's last flight and its first record travel together.
            let mut to_server = Vec::new();
            let mut to_client = Vec::new();
            let mut client_context = None;
            let mut server_context = None;
            let mut server_input: Vec<u8> = Vec::new();
            for _ in 0..10_000 {
                if client_context.is_none() {
                    match c.initialize_security_context(&to_client).unwrap() {
                        sspi_core::Step::Continue { token, used } => {
                            to_client.drain(..used);
                            to_server.extend(token);
                        }
                        sspi_core::Step::Complete { mut context, token, used } => {
                            to_client.drain(..used);
                            to_server.extend(token);
                            let sizes = context.attributes().stream_sizes().unwrap();
                            to_server.extend(seal(&mut *context, &sizes, b"first").unwrap());
                            to_server.extend(seal(&mut *context, &sizes, b"second").unwrap());
                            client_context = Some(context);
                        }
                        _ => {}
                    }
                }
                let n = to_server.len().min(chunk);
                server_input.extend(to_server.drain(..n));
                if server_context.is_none() {
                    match s.accept_security_context(&server_input).unwrap() {
                        sspi_core::Step::Continue { token, used } => {
                            server_input.drain(..used);
                            to_client.extend(token);
                        }
                        sspi_core::Step::Complete { context, token, used } => {
                            server_input.drain(..used);
                            to_client.extend(token);
                            server_context = Some(context);
                        }
                        _ => {}
                    }
                } else if to_server.is_empty() {
                    break;
                }
            }
            let mut context = server_context.expect("the server completes");
            let (data, _) = open(&mut *context, &mut server_input).unwrap();
            assert_eq!(data, b"firstsecond", "{kind:?} {chunk}");
            assert!(server_input.is_empty());
        }
    }
}

#[test]
fn sessions_are_resumed_and_say_so() {
    let world = World::default();
    for kind in Kind::ALL {
        for tickets in [true, false] {
            let client = world.outbound(world.client_of(kind));
            let server = world.inbound(SchannelConfig { session_tickets: tickets, ..world.server_of(kind) });
            let (mut c, mut s) = established(&*client, &*server);
            assert!(!c.context.attributes().session_info().unwrap().reconnect);
            // TLS 1.3 tickets come behind the handshake, with the first records.
            send(&mut s, &mut c, b"x");
            for round in 0..3 {
                let (mut c, mut s) = established(&*client, &*server);
                let what = format!("{kind:?}, tickets {tickets}, round {round}");
                assert!(c.context.attributes().session_info().unwrap().reconnect, "client, {what}");
                assert!(s.context.attributes().session_info().unwrap().reconnect, "server, {what}");
                assert_eq!(c.context.attributes().remote_certificate().unwrap().chain.len(), 1, "{what}");
                send(&mut s, &mut c, b"x");
            }
        }
        let client = world.outbound(SchannelConfig { resume: false, ..world.client_of(kind) });
        let server = world.inbound(world.server_of(kind));
        for _ in 0..2 {
            let (mut c, mut s) = established(&*client, &*server);
            send(&mut s, &mut c, b"x");
            assert!(!c.context.attributes().session_info().unwrap().reconnect, "resume = false");
        }
    }
}

#[test]
fn the_server_chooses_its_certificate_by_the_name_that_is_asked_for() {
    let world = World::default();
    for kind in Kind::ALL {
        let one = kind.issue(world.pki.server("one.test"));
        let two = kind.issue(world.pki.server("two.test").names(&["*.two.test"]));
        let server = world.inbound(SchannelConfig {
            certificates: vec![world.certificate(&one), world.certificate(&two)],
            ..world.server_of(kind)
        });
        let client = world.outbound(world.client_of(kind));
        for (name, expected) in [("one.test", &one), ("a.two.test", &two), ("A.TWO.test", &two)] {
            if !kind.has_extensions() && expected.sha256() != one.sha256() {
                continue;
            }
            let request = InitializeRequest { target_name: Some(name.to_owned()), ..initialize_request() };
            let (c, s) = pair::run(
                client.initialize(&request).unwrap(),
                server.accept(&accept_request()).unwrap(),
                usize::MAX,
                &mut no_questions,
            );
            let (c, s) =
                (c.unwrap_or_else(|e| panic!("{name}: {e}")), s.unwrap_or_else(|e| panic!("{name}: {e}")));
            assert_eq!(
                c.context.attributes().remote_certificate().unwrap().leaf(),
                expected.leaf_der(),
                "{name}"
            );
            assert_eq!(
                s.context.attributes().local_certificate().unwrap().leaf(),
                expected.leaf_der(),
                "{name}"
            );
            assert_eq!(
                s.context.attributes().client_specified_target().ok(),
                kind.has_extensions().then(|| name.to_ascii_lowercase()),
                "what the server heard"
            );
        }
    }
}

#[test]
fn alpn_is_negotiated_or_refused_with_what_each_side_has() {
    let world = World::default();
    let alpn = |names: &[&str], config: SchannelConfig| SchannelConfig {
        alpn: names.iter().map(|n| (*n).to_owned()).collect(),
        ..config
    };
    for kind in Kind::ALL.into_iter().filter(|kind| kind.has_extensions()) {
        let server = world.inbound(alpn(&["h2", "http/1.1"], world.server_of(kind)));
        let client = world.outbound(alpn(&["http/1.1", "h2"], world.client_of(kind)));
        let (c, s) = established(&*client, &*server);
        for side in [&c, &s] {
            let chosen = side.context.attributes().application_protocol().unwrap().protocol;
            assert_eq!(chosen.as_deref(), Some(&b"h2"[..]), "the server's preference decides");
        }
        let client = world.outbound(alpn(&["imap"], world.client_of(kind)));
        let (c, s) = handshake(&*client, &*server, usize::MAX);
        let (c, s) = (c.err().unwrap(), s.err().unwrap());
        assert_eq!(s.status(), SecStatus::SEC_E_APPLICATION_PROTOCOL_MISMATCH);
        assert!(s.message().contains("imap") && s.message().contains("h2 http/1.1"), "{s}");
        assert_eq!(c.status(), SecStatus::SEC_E_APPLICATION_PROTOCOL_MISMATCH, "the alert says it: {c}");
        let client = world.outbound(world.client_of(kind));
        let request =
            InitializeRequest { application_protocols: Some(vec![b"h2".to_vec()]), ..initialize_request() };
        let (c, _) = pair::run(
            client.initialize(&request).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        let chosen = c.ok().unwrap().context.attributes().application_protocol().unwrap().protocol;
        assert_eq!(chosen.as_deref(), Some(&b"h2"[..]), "asked for with the request");
    }
}

#[test]
fn a_client_certificate_is_required_optional_or_not_asked_for() {
    let world = World::default();
    for kind in Kind::ALL {
        let alice = kind.issue(world.pki.client("alice"));
        let with = SchannelConfig { certificates: vec![world.certificate(&alice)], ..world.client_of(kind) };
        for (client_auth, has_certificate, expect_certificate, ok) in [
            (ClientAuth::None, true, false, true),
            (ClientAuth::Optional, true, true, true),
            (ClientAuth::Optional, false, false, true),
            (ClientAuth::Required, true, true, true),
            (ClientAuth::Required, false, false, false),
        ] {
            let server = world.inbound(SchannelConfig { client_auth, ..world.server_of(kind) });
            let client = world.outbound(if has_certificate { with.clone() } else { world.client_of(kind) });
            let (_, s) = handshake(&*client, &*server, usize::MAX);
            match s {
                Ok(s) => {
                    assert!(ok, "{kind:?} {client_auth:?}");
                    let attributes = s.context.attributes();
                    let shown = attributes.remote_certificate();
                    assert_eq!(shown.is_ok(), expect_certificate, "{kind:?} {client_auth:?}");
                    let ContextFlags::Acceptor(flags) = attributes.flags() else {
                        panic!("an acceptor's flags")
                    };
                    assert_eq!(flags.contains(AscRet::MUTUAL_AUTH), expect_certificate);
                    if expect_certificate {
                        assert_eq!(shown.unwrap().leaf(), alice.leaf_der());
                        assert!(attributes.names().unwrap().contains("alice"));
                    }
                }
                Err(error) => {
                    assert!(!ok, "{kind:?} {client_auth:?}: {error}");
                    assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
                    assert_eq!(error.setting(), Some("client-auth"));
                }
            }
        }
    }
}

#[test]
fn a_server_whose_application_judges_takes_any_certificate_and_still_insists_on_one() {
    let world = World::default();
    for kind in Kind::ALL {
        let stranger = kind.issue(Pki::named("Somebody Else").client("mallory"));
        let expired = kind.issue(world.pki.client("alice").expired());
        let server = SchannelConfig { client_auth: ClientAuth::Required, ..world.server_of(kind) };
        let server = world.inbound(server);
        for shown in [&stranger, &expired] {
            let certificates = vec![world.certificate(shown)];
            let client = world.outbound(SchannelConfig { certificates, ..world.client_of(kind) });
            let (_, s) = judged_by_the_application(&*client, &*server);
            let attributes = s.unwrap_or_else(|e| panic!("{kind:?}: {e}")).context.attributes();
            assert_eq!(attributes.remote_certificate().unwrap().leaf(), shown.leaf_der());
            let ContextFlags::Acceptor(flags) = attributes.flags() else { panic!("an acceptor's flags") };
            assert!(!flags.contains(AscRet::MUTUAL_AUTH), "nobody has verified it yet");
        }
        let (_, s) = judged_by_the_application(&*world.outbound(world.client_of(kind)), &*server);
        assert_eq!(s.err().unwrap().status(), SecStatus::SEC_E_NO_CREDENTIALS, "{kind:?}");
    }
}

#[test]
fn what_the_application_judged_is_resumed_only_where_it_judges_again() {
    let world = World::default();
    for kind in Kind::ALL {
        let stranger = kind.issue(Pki::named("Somebody Else").client("mallory"));
        let server = SchannelConfig {
            client_auth: ClientAuth::Required,
            // So that the client shows it even where this package judges.
            send_ca_list: false,
            ..world.server_of(kind)
        };
        let server = world.inbound(server);
        let certificates = vec![world.certificate(&stranger)];
        let client = world.outbound(SchannelConfig { certificates, ..world.client_of(kind) });
        for resumed in [false, true] {
            let (c, s) = judged_by_the_application(&*client, &*server);
            let (mut c, mut s) = (c.unwrap(), s.unwrap());
            assert_eq!(s.context.attributes().session_info().unwrap().reconnect, resumed, "{kind:?}");
            // The tickets of TLS 1.3 come with the first data.
            assert_eq!(send(&mut s, &mut c, b"data"), b"data");
        }
        let (_, s) = handshake(&*client, &*server, usize::MAX);
        assert_eq!(s.err().unwrap().status(), SecStatus::SEC_E_UNTRUSTED_ROOT, "{kind:?}");
    }
}

#[test]
fn the_application_is_asked_for_a_certificate_only_when_the_server_wants_one() {
    let world = World::default();
    for kind in Kind::ALL {
        let alice = kind.issue(world.pki.client("alice"));
        let identity = CertificateIdentity {
            chain: alice.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(alice.key_der().to_vec())),
        };
        for chunk in [1, 7, 100, usize::MAX] {
            for (client_auth, answer, expected) in [
                (ClientAuth::None, None, 0),
                (ClientAuth::Optional, Some(identity.clone()), 1),
                (ClientAuth::Optional, None, 1),
                (ClientAuth::Required, Some(identity.clone()), 1),
            ] {
                let server = world.inbound(SchannelConfig { client_auth, ..world.server_of(kind) });
                let client = world.outbound(SchannelConfig {
                    client_certificate: ClientCertificate::Ask,
                    ..world.client_of(kind)
                });
                let mut asked = 0;
                let (c, s) = pair::run(
                    client.initialize(&initialize_request()).unwrap(),
                    server.accept(&accept_request()).unwrap(),
                    chunk,
                    &mut |question| {
                        let Question::ClientCertificate(ask) = question else { panic!("another question") };
                        asked += 1;
                        let request = ask.question();
                        let has_schemes = kind.protocol().version() >= 0x0303;
                        assert_eq!(!request.signature_schemes.is_empty(), has_schemes);
                        assert_eq!(request.issuers.len(), 1, "send-ca-list names the root");
                        assert_eq!(request.certificate_types.is_empty(), kind == Kind::Tls13);
                        ask.answer(answer.clone());
                    },
                );
                let what = format!("{kind:?} {client_auth:?} {chunk}");
                let (_c, s) = (
                    c.unwrap_or_else(|e| panic!("{what}: {e}")),
                    s.unwrap_or_else(|e| panic!("{what}: {e}")),
                );
                assert_eq!(asked, expected, "{what}");
                assert_eq!(s.context.attributes().remote_certificate().is_ok(), answer.is_some(), "{what}");
            }
        }
    }
}

#[test]
fn where_the_application_chooses_the_certificate_it_is_asked_each_time_and_nothing_configured_is_shown() {
    let world = World::default();
    let identity = |kind: Kind, name: &str| {
        let certificate = kind.issue(world.pki.client(name));
        CertificateIdentity {
            chain: certificate.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(certificate.key_der().to_vec())),
        }
    };
    for kind in Kind::ALL {
        let configured = world.certificate(&kind.issue(world.pki.client("configured")));
        let server =
            world.inbound(SchannelConfig { client_auth: ClientAuth::Optional, ..world.server_of(kind) });
        let client = world.outbound(SchannelConfig {
            client_certificate: ClientCertificate::Ask,
            certificates: vec![configured.clone()],
            ..world.client_of(kind)
        });
        for answer in [Some(identity(kind, "alice")), Some(identity(kind, "bob")), None, None] {
            let mut asked = 0;
            let (c, s) = pair::run(
                client.initialize(&initialize_request()).unwrap(),
                server.accept(&accept_request()).unwrap(),
                usize::MAX,
                &mut |question| {
                    let Question::ClientCertificate(ask) = question else { panic!("another question") };
                    asked += 1;
                    ask.answer(answer.clone());
                },
            );
            let (mut c, mut s) = (c.ok().unwrap(), s.ok().unwrap());
            assert_eq!(asked, 1, "{kind:?}");
            let shown = s.context.attributes().remote_certificate().ok().map(|c| c.leaf().to_vec());
            assert_eq!(shown, answer.map(|identity| identity.chain[0].clone()), "{kind:?}");
            send(&mut s, &mut c, b"a ticket comes along");
        }
    }
}

#[test]
fn a_question_that_is_not_answered_is_an_error_and_nothing_is_lost() {
    let world = World::default();
    let server = world
        .inbound(SchannelConfig { client_auth: ClientAuth::Optional, ..world.server(&[Protocol::Tls13]) });
    let client = world.outbound(SchannelConfig {
        client_certificate: ClientCertificate::Ask,
        ..world.client(&[Protocol::Tls13])
    });
    let mut c = client.initialize(&initialize_request()).unwrap();
    let mut s = server.accept(&accept_request()).unwrap();
    let sspi_core::Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else {
        panic!()
    };
    let sspi_core::Step::Continue { token: mut flight, .. } = s.accept_security_context(&token).unwrap()
    else {
        panic!()
    };
    let question = loop {
        match c.initialize_security_context(&flight).unwrap() {
            sspi_core::Step::Continue { used, .. } => drop(flight.drain(..used)),
            sspi_core::Step::Ask(question) => break question,
            other => panic!("{other:?}"),
        }
    };
    let failure = c.initialize_security_context(&flight).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    let Question::ClientCertificate(ask) = question else { panic!() };
    ask.answer(None);
    assert!(matches!(c.initialize_security_context(&flight).unwrap(), sspi_core::Step::Complete { .. }));
}

#[test]
fn both_sides_agree_on_bindings_and_keying_material() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(world.client_of(kind));
        let server = world.inbound(world.server_of(kind));
        for round in ["full", "resumed"] {
            let (mut c, mut s) = established(&*client, &*server);
            send(&mut s, &mut c, b"x");
            let (c, s) = (c.context.attributes(), s.context.attributes());
            assert_eq!(c.endpoint_bindings().unwrap(), s.endpoint_bindings().unwrap());
            if !kind.has_extensions() {
                // Without extended master secret neither is safe.
                for error in [c.exporter_bindings().unwrap_err(), c.unique_bindings().unwrap_err()] {
                    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
                }
                assert!(c.keying_material(b"EXPORTER-test", None, 32).is_err());
                continue;
            }
            assert_eq!(c.exporter_bindings().unwrap(), s.exporter_bindings().unwrap());
            if kind == Kind::Tls13 {
                let error = c.unique_bindings().unwrap_err();
                assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
            } else {
                assert_eq!(c.unique_bindings().unwrap(), s.unique_bindings().unwrap(), "{kind:?} {round}");
                assert_eq!(c.unique_bindings().unwrap().value().len(), 12);
            }
            for context in [None, Some(&b""[..]), Some(b"context")] {
                let one = c.keying_material(b"EXPORTER-test", context, 77).unwrap();
                let other = s.keying_material(b"EXPORTER-test", context, 77).unwrap();
                assert_eq!(one.expose_secret(), other.expose_secret());
                let another = s.keying_material(b"EXPORTER-tesu", context, 77).unwrap();
                assert_ne!(one.expose_secret(), another.expose_secret());
            }
        }
    }
}

#[test]
fn protocols_of_a_request_narrow_those_of_the_configuration() {
    let world = World::default();
    let client = world.outbound(world.client(&support::TLS));
    let server = world.inbound(SchannelConfig {
        certificates: vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())],
        ..world.server(&support::TLS)
    });
    for protocol in support::TLS {
        let request = InitializeRequest { protocols: Some(protocol.bits()), ..initialize_request() };
        let (c, _) = pair::run(
            client.initialize(&request).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        let negotiated = c.ok().unwrap().context.attributes().connection_info().unwrap().protocol;
        assert_eq!(negotiated, protocol.bits().intersection(sspi_core::SpProt::CLIENTS));
        let request = AcceptRequest { protocols: Some(protocol.bits()), ..accept_request() };
        let (_, s) = pair::run(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&request).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        let negotiated = s.ok().unwrap().context.attributes().connection_info().unwrap().protocol;
        assert_eq!(negotiated, protocol.bits().intersection(sspi_core::SpProt::SERVERS));
    }
}

#[test]
fn flags_that_come_back_are_those_that_the_connection_has() {
    let world = World::default();
    let client = world.outbound(world.client(&Protocol::MODERN));
    let server = world.inbound(world.server(&Protocol::MODERN));
    let request = InitializeRequest { flags: IscReq::USE_SUPPLIED_CREDS, ..initialize_request() };
    let (c, _) = pair::run(
        client.initialize(&request).unwrap(),
        server.accept(&accept_request()).unwrap(),
        usize::MAX,
        &mut no_questions,
    );
    // Windows row I18: exactly these.
    let expected = IscRet::REPLAY_DETECT
        | IscRet::SEQUENCE_DETECT
        | IscRet::CONFIDENTIALITY
        | IscRet::STREAM
        | IscRet::USED_SUPPLIED_CREDS;
    assert_eq!(c.ok().unwrap().context.attributes().flags(), ContextFlags::Initiator(expected));
}

#[test]
fn close_notify_ends_each_direction_on_its_own() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(world.client_of(kind));
        let server = world.inbound(world.server_of(kind));
        let (mut c, mut s) = established(&*client, &*server);
        let goodbye = c.context.apply_control_token(&ControlToken::Shutdown).unwrap();
        assert!(c.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty(), "said once");
        let sizes = c.context.attributes().stream_sizes().unwrap();
        let error = seal(&mut *c.context, &sizes, b"late").unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
        let mut input = goodbye;
        assert_eq!(open(&mut *s.context, &mut input).unwrap().1, Decrypted::Expired);
        // The other direction is still open.
        assert_eq!(send(&mut s, &mut c, b"rest"), b"rest");
    }
}

/// What comes after is the end of the transport: neither has a word for its own.
#[test]
fn ssl_2_and_pct_end_by_a_token_without_a_byte() {
    let world = World::default();
    let alerts = (0..=255).filter(|number| alert_meaning(*number).is_some()).flat_map(|number| {
        [AlertLevel::Warning, AlertLevel::Fatal].map(|level| ControlToken::Alert { level, number })
    });
    let tokens: Vec<ControlToken> = alerts.chain([ControlToken::Shutdown]).collect();
    for case in [Case::Pct, Case::Ssl2] {
        let client = world.outbound(case.client(&world));
        let server = world.inbound(case.server(&world));
        for token in &tokens {
            let (mut c, mut s) = connect(&*client, &*server);
            assert!(c.context.apply_control_token(token).unwrap().is_empty(), "{case:?} {token:?}");
            let goes_on = match *token {
                ControlToken::Alert { number: 41 | 100, .. } => true,
                ControlToken::Alert { level, number: 42..=46 | 111 | 112 } => level == AlertLevel::Warning,
                _ => false,
            };
            if goes_on {
                assert_eq!(send(&mut c, &mut s, b"more"), b"more", "{case:?} {token:?}");
                continue;
            }
            let sizes = c.context.attributes().stream_sizes().unwrap();
            let error = seal(&mut *c.context, &sizes, b"late").unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_CONTEXT_EXPIRED, "{case:?} {token:?}");
            assert!(c.context.apply_control_token(token).unwrap().is_empty(), "{case:?} {token:?}, again");
            if *token == ControlToken::Shutdown {
                assert_eq!(send(&mut s, &mut c, b"rest"), b"rest", "{case:?}: the other direction is open");
            }
        }
    }
}

#[test]
fn the_key_log_gets_the_lines_that_an_analyser_reads() {
    let world = World::default();
    let server = world.inbound(world.server(&Protocol::MODERN));
    let keys = || Some("keys".to_owned());
    for kind in Kind::LEGACY {
        world.memory.key_log.lock().unwrap().clear();
        let server = world.inbound(SchannelConfig { key_log: keys(), ..world.server_of(kind) });
        established(&*world.outbound(world.client_of(kind)), &*server);
        let log = world.memory.key_log.lock().unwrap().clone();
        let lengths: Vec<usize> = log.trim_end().split(' ').map(str::len).collect();
        assert_eq!(lengths, ["CLIENT_RANDOM".len(), 64, 96], "{kind:?}: {log}");
    }
    let client = world.outbound(SchannelConfig { key_log: keys(), ..world.client(&[Protocol::Tls13]) });
    established(&*client, &*server);
    let log = world.memory.key_log.lock().unwrap().clone();
    for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"] {
        assert!(log.lines().any(|line| line.starts_with(label) && line.split(' ').count() == 3), "{label}");
    }
}

/// Even where the application judges the certificate: it is not asked what the key may do in the protocol.
///
/// Spec: TLS12 sections 7.4.2 and 7.4.6; TLS13 section 4.4.2.2.
#[test]
fn a_key_that_may_not_sign_by_its_certificates_word_signs_no_handshake() {
    let world = World::default();
    let refused = |error: &Error, what: &str| {
        assert_eq!(
            (error.status(), error.alert()),
            (SecStatus::SEC_E_CERT_WRONG_USAGE, Some(43)),
            "{what}: {error}"
        );
    };
    for kind in Kind::ALL {
        // Servers, and what an RSA key does in suites that sign, which before TLS 1.3 may be allowed.
        let server = |certificate: TestCertificate| {
            let certificates = vec![world.certificate(&certificate)];
            world.inbound(SchannelConfig { certificates, ..world.server_of(kind) })
        };
        let strict = world.outbound(world.client_of(kind));
        let mut lenient = world.client_of(kind);
        lenient.allow.get_or_insert_default().push(Allow::Certificate(Weakness::RsaKeyUsage));
        let lenient = world.outbound(lenient);
        let manual = InitializeRequest {
            flags: initialize_request().flags | IscReq::MANUAL_CRED_VALIDATION,
            ..initialize_request()
        };
        let shown = |client: &dyn CredentialsHandle, server: &dyn CredentialsHandle| {
            let server = server.accept(&accept_request()).unwrap();
            pair::run(client.initialize(&manual).unwrap(), server, usize::MAX, &mut no_questions).0
        };
        if kind != Kind::Ssl30 && kind != Kind::Tls11 {
            let server = server(world.pki.server("localhost").signs_nothing().issue());
            refused(&shown(&*lenient, &*server).err().unwrap(), "ECDSA");
        }
        let rsa = server(world.pki.server("localhost").rsa_2048().signs_nothing().issue());
        match (shown(&*strict, &*rsa), shown(&*lenient, &*rsa)) {
            (Err(strict), Err(lenient)) if kind == Kind::Tls13 => {
                refused(&strict, "RSA");
                refused(&lenient, "RSA");
            }
            (strict, Ok(lenient)) => {
                let attributes = lenient.context.attributes();
                let signs = attributes.cipher_info().unwrap().cipher_suite_name.contains("DHE_");
                assert_eq!(strict.is_err(), signs, "{kind:?}");
                if let Err(error) = strict {
                    refused(&error, "RSA");
                    let remedy = &error.remedies()[0];
                    assert_eq!((&*remedy.setting, &*remedy.value), ("allow", "rsa-key-usage"), "{error}");
                }
                let is_named =
                    attributes.weaknesses().iter().any(|weakness| weakness.name == "rsa-key-usage");
                assert_eq!(is_named, signs, "{kind:?}");
            }
            (_, Err(error)) => panic!("{kind:?}: {error}"),
        }

        // Clients.
        let asks = SchannelConfig { client_auth: ClientAuth::Required, ..world.server_of(kind) };
        let asks = world.inbound(asks);
        for builder in [world.pki.client("alice"), world.pki.client("alice").rsa_2048()] {
            let certificates = vec![world.certificate(&builder.signs_nothing().issue())];
            let alice = world.outbound(SchannelConfig { certificates, ..world.client_of(kind) });
            let (_, judged) = judged_by_the_application(&*alice, &*asks);
            if kind != Kind::Ssl30 {
                refused(&judged.err().unwrap(), "client");
            } else {
                assert!(judged.is_err());
            }
        }
    }
}
