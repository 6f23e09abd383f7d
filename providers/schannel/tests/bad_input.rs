//! Bad input gets a clear error and nothing else: the right status and sentence for the caller, the right alert for the
//! peer, bounded memory, no panic.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a failure here is a failed test"
)]

mod support;

use std::collections::HashSet;

use opensspi_schannel::{ClientAuth, Protocol, SchannelConfig};
use sspi_core::{
    AcceptSecurityContext, Decrypted, Error, Failure, Fault, InitializeSecurityContext, IscReq, SecStatus,
    Step,
};
use support::{Kind, World, accept_request, established, handshake, initialize_request, no_questions};
use test_support::pair::{self, open, seal};
use test_support::{Mutator, Pki, SeededRandom, TestCertificate};

const BOTH: [Protocol; 2] = [Protocol::Tls13, Protocol::Tls12];

fn server(world: &World) -> Box<dyn AcceptSecurityContext> {
    world.inbound(world.server(&BOTH)).accept(&accept_request()).unwrap()
}

fn hello(world: &World) -> Vec<u8> {
    let mut client = world.outbound(world.client(&BOTH)).initialize(&initialize_request()).unwrap();
    match client.initialize_security_context(&[]).unwrap() {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

/// Level and description of an alert in clear.
fn alert_in_clear(token: &[u8]) -> Option<(u8, u8)> {
    match token {
        [21, 3, _, 0, 2, level, description] => Some((*level, *description)),
        _ => None,
    }
}

#[test]
fn what_is_not_tls_is_named() {
    let world = World::default();
    for (input, what) in [
        (&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "HTTP request without TLS"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
        (b"NTLMSSP\0\x01\0\0\0", "a message of NTLM"),
        (&[0x60, 0x48, 6, 6, 0x2b, 6, 1, 5, 5, 2], "a token of SPNEGO or Kerberos"),
        (&[0x16, 1, 0, 0, 8, b'N', b'T', b'L', b'M', b'S', b'S', b'P', 0], "NegotiateStream"),
        (&[0xde, 0xad, 0xbe, 0xef, 0xde, 0xad], "no protocol that is known"),
    ] {
        let Failure { error, token } = server(&world).accept_security_context(input).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{what}");
        assert!(error.message().contains(what), "{error}");
        assert_eq!(error.fault(), Fault::Decode);
        assert_eq!(alert_in_clear(&token), Some((2, 70)), "{what}");
    }
}

#[test]
fn without_extended_errors_a_failure_sends_nothing() {
    let world = World::default();
    let request = sspi_core::AcceptRequest::default();
    let mut server = world.inbound(world.server(&BOTH)).accept(&request).unwrap();
    let failure = server.accept_security_context(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert!(failure.token.is_empty());
}

#[test]
fn lengths_that_cannot_be_are_refused_before_anything_is_kept() {
    let world = World::default();
    // A record of 65,535 bytes.
    let failure = server(&world).accept_security_context(&[0x16, 3, 1, 0xff, 0xff]).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
    assert_eq!(alert_in_clear(&failure.token), Some((2, 22)));
    // A handshake message of 16 MB.
    let failure =
        server(&world).accept_security_context(&[0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
    assert_eq!(alert_in_clear(&failure.token), Some((2, 50)), "rustls has no alert for it, so there is ours");
    // The same towards a client.
    let mut client = world.outbound(world.client(&BOTH)).initialize(&initialize_request()).unwrap();
    client.initialize_security_context(&[]).unwrap();
    let failure = client.initialize_security_context(&[0x16, 3, 3, 0, 4, 2, 0xff, 0xff, 0xff]).unwrap_err();
    assert_eq!(alert_in_clear(&failure.token), Some((2, 50)));
}

#[test]
fn a_hello_in_one_byte_records_is_read() {
    let world = World::default();
    let hello = hello(&world);
    let bytes: Vec<u8> = hello[5..].iter().flat_map(|b| [0x16, 3, 1, 0, 1, *b]).collect();
    for chunk in [1, 6, 7, usize::MAX] {
        let mut server = server(&world);
        let mut input: Vec<u8> = Vec::new();
        let mut answered = false;
        for piece in bytes.chunks(chunk.min(bytes.len())) {
            input.extend(piece);
            match server.accept_security_context(&input).unwrap() {
                Step::Continue { token, used } => {
                    input.drain(..used);
                    answered |= !token.is_empty();
                }
                Step::Incomplete { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(answered, "{chunk}");
    }
}

#[test]
fn a_hello_in_one_byte_records_that_never_ends_is_bounded() {
    let world = World::default();
    let mut server = server(&world);
    // A message of 65,000 bytes that comes a byte at a time.
    let mut record = vec![0x16, 3, 1, 0, 4, 1, 0, 0xfd, 0xe8];
    let mut sent = 0;
    let error = loop {
        match server.accept_security_context(&record) {
            Ok(Step::Continue { used, .. }) => assert_eq!(used, record.len()),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => break failure.error,
        }
        sent += record.len();
        record = vec![0x16, 3, 1, 0, 1, 0];
        assert!(sent < 200_000, "it must end");
    };
    assert_eq!(error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
    assert!(sent >= 16 << 10, "a message of an honest size passes");
}

#[test]
fn records_that_may_be_early_data_do_not_make_a_server_work_without_end() {
    let world = World::default();
    // The hello offers early data, so that rustls passes over what it cannot decrypt.
    let hello = hello(&world);
    let mut early = hello.clone();
    early.extend([0, 42, 0, 0]);
    for (at, bytes) in [(3, 2), (6, 3)] {
        // Lengths of the record and of the message grow by the extension.
        let length = early[at..at + bytes].iter().fold(0usize, |n, b| n << 8 | usize::from(*b)) + 4;
        early[at..at + bytes].copy_from_slice(&length.to_be_bytes()[8 - bytes..]);
    }
    let session_id = 5 + 4 + 2 + 32;
    let suites = session_id + 1 + usize::from(early[session_id]);
    let compression = suites + 2 + usize::from(u16::from_be_bytes([early[suites], early[suites + 1]]));
    let extensions = compression + 1 + usize::from(early[compression]);
    let length = u16::from_be_bytes([early[extensions], early[extensions + 1]]) + 4;
    early[extensions..extensions + 2].copy_from_slice(&length.to_be_bytes());
    let mut server = server(&world);
    assert!(matches!(server.accept_security_context(&early).unwrap(), Step::Continue { .. }));
    // Some are passed over, as what does not decrypt. Spec: TLS13 section 4.2.10.
    let some = [0x17, 3, 3, 0, 4, 1, 2, 3, 4].repeat(32);
    let Ok(Step::Continue { used, .. }) = server.accept_security_context(&some) else {
        panic!("passed over")
    };
    assert_eq!(used, some.len());
    let flood = [0x17, 3, 3, 0, 0].repeat(20_000);
    let failure = server.accept_security_context(&flood).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE, "{}", failure.error);
    assert!(failure.error.message().contains("more than 32 empty records"), "{}", failure.error);
}

#[test]
fn a_request_with_an_application_protocol_that_cannot_be_is_refused() {
    let world = World::default();
    for name in [vec![], vec![b'x'; 256]] {
        let alpn = Some(vec![name]);
        let request =
            sspi_core::InitializeRequest { application_protocols: alpn.clone(), ..initialize_request() };
        let error = world.outbound(world.client(&BOTH)).initialize(&request).err().unwrap();
        assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_INVALID_PARAMETER, Some("alpn")));
        let request = sspi_core::AcceptRequest { application_protocols: alpn, ..accept_request() };
        assert!(world.inbound(world.server(&BOTH)).accept(&request).is_err());
    }
}

#[test]
fn a_session_is_not_resumed_when_the_certificate_behind_it_has_expired() {
    let day = std::time::Duration::from_secs(24 * 60 * 60);
    for kind in Kind::ALL {
        for session_tickets in [true, false] {
            let world = World::default();
            let now = world.clock.now();
            let alice = kind.issue(world.pki.client("alice").valid_between(now - day, now + day));
            let server = world.inbound(SchannelConfig {
                client_auth: ClientAuth::Required,
                session_tickets,
                ..world.server_of(kind)
            });
            let client = world.outbound(SchannelConfig {
                certificates: vec![world.certificate(&alice)],
                ..world.client_of(kind)
            });
            for round in 0..2 {
                let (mut c, mut s) = established(&*client, &*server);
                assert_eq!(s.context.attributes().session_info().unwrap().reconnect, round > 0);
                support::send(&mut s, &mut c, b"ticket");
            }
            world.clock.advance(2 * day);
            let (c, s) = handshake(&*client, &*server, usize::MAX);
            let error = s.err().expect("the server refuses");
            assert_eq!(
                error.status(),
                SecStatus::SEC_E_CERT_EXPIRED,
                "{kind:?}, tickets {session_tickets}: {error}"
            );
            let heard = match c {
                Err(error) => error,
                Ok(mut c) => open(&mut *c.context, &mut c.extra).unwrap_err(),
            };
            assert_eq!(heard.status(), SecStatus::SEC_E_CERT_EXPIRED, "the client hears why: {heard}");
        }
    }
}

#[test]
fn endless_small_messages_are_bounded() {
    let world = World::default();
    for record in [&[0x15, 3, 3, 0, 2, 1, 90][..], &[0x14, 3, 3, 0, 1, 1], &[0x16, 3, 3, 0, 0]] {
        let mut server = server(&world);
        let mut count = 0;
        while server.accept_security_context(record).is_ok() {
            count += 1;
            assert!(count < 100_000, "{record:?}");
        }
    }
}

#[test]
fn a_good_record_after_a_bad_one_is_refused_in_the_handshake_too() {
    let world = World::default();
    let good = hello(&world);
    let mut server = server(&world);
    let first = server.accept_security_context(&[0x16, 3, 1, 0, 4, 2, 0, 0, 0]).unwrap_err();
    assert!(!first.token.is_empty());
    for _ in 0..3 {
        let again = server.accept_security_context(&good).unwrap_err();
        assert_eq!(again.error.to_string(), first.error.to_string());
        assert!(again.token.is_empty(), "the alert is sent once");
    }
}

#[test]
fn a_call_after_complete_is_invalid_handle() {
    let world = World::default();
    let client = world.outbound(world.client(&[Protocol::Tls12]));
    let server = world.inbound(world.server(&[Protocol::Tls12]));
    let mut c = client.initialize(&initialize_request()).unwrap();
    let mut s = server.accept(&accept_request()).unwrap();
    let mut token = Vec::new();
    loop {
        match c.initialize_security_context(&token).unwrap() {
            Step::Continue { token: t, .. } => token = t,
            Step::Complete { .. } => break,
            other => panic!("{other:?}"),
        }
        match s.accept_security_context(&token).unwrap() {
            Step::Continue { token: t, .. } | Step::Complete { token: t, .. } => token = t,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        c.initialize_security_context(&[]).unwrap_err().error.status(),
        SecStatus::SEC_E_INVALID_HANDLE
    );
    assert_eq!(s.accept_security_context(&[]).unwrap_err().error.status(), SecStatus::SEC_E_INVALID_HANDLE);
}

/// A server with this certificate; what the client says of it, and what the server heard.
fn judged(
    world: &World,
    kind: Kind,
    certificate: &TestCertificate,
    config: SchannelConfig,
) -> (Error, Error) {
    let server = world.inbound(SchannelConfig {
        certificates: vec![world.certificate(certificate)],
        ..world.server_of(kind)
    });
    let (c, s) = handshake(&*world.outbound(config), &*server, usize::MAX);
    (c.err().expect("the client refuses"), s.err().expect("the server hears of it"))
}

#[test]
fn a_bad_certificate_is_refused_with_its_reason_and_the_peer_hears_it() {
    let world = World::default();
    let stranger = Pki::named("OpenSSPI Unknown Root");
    let cases = [
        (
            world.pki.server("localhost").expired(),
            SecStatus::SEC_E_CERT_EXPIRED,
            SecStatus::SEC_E_CERT_EXPIRED,
        ),
        (
            world.pki.server("localhost").not_yet_valid(),
            SecStatus::SEC_E_CERT_EXPIRED,
            SecStatus::SEC_E_CERT_EXPIRED,
        ),
        (stranger.server("localhost"), SecStatus::SEC_E_UNTRUSTED_ROOT, SecStatus::SEC_E_UNTRUSTED_ROOT),
        (world.pki.server("elsewhere.test"), SecStatus::SEC_E_WRONG_PRINCIPAL, SecStatus::SEC_E_CERT_UNKNOWN),
        (
            world.pki.server("localhost").client_auth_only(),
            SecStatus::SEC_E_CERT_WRONG_USAGE,
            SecStatus::SEC_E_CERT_UNKNOWN,
        ),
    ];
    for kind in Kind::ALL {
        for (certificate, status, heard) in &cases {
            let certificate = kind.issue(certificate.clone());
            let (c, s) = judged(&world, kind, &certificate, world.client_of(kind));
            assert_eq!(c.status(), *status, "{kind:?}: {c}");
            assert_eq!(c.fault(), Fault::Refused);
            // SSL 3.0 has no alert for an authority that is not known.
            let unknown = *heard == SecStatus::SEC_E_UNTRUSTED_ROOT && kind == Kind::Ssl30;
            let heard = if unknown { SecStatus::SEC_E_CERT_UNKNOWN } else { *heard };
            assert_eq!(s.status(), heard, "{kind:?} {c} / {s}");
            assert_eq!(s.fault(), Fault::PeerReported);
        }
    }
}

#[test]
fn a_revoked_certificate_is_crypt_e_revoked_and_alert_44() {
    let world = World::default();
    for kind in Kind::ALL {
        let certificate = kind.issue(world.pki.server("localhost"));
        world.memory.put("revoked.crl", world.pki.crl(&[&certificate]).pem());
        for revocation in [opensspi_schannel::Revocation::Soft, opensspi_schannel::Revocation::Hard] {
            let config =
                SchannelConfig { crls: vec!["revoked.crl".to_owned()], revocation, ..world.client_of(kind) };
            let (c, s) = judged(&world, kind, &certificate, config);
            assert_eq!(c.status(), SecStatus::CRYPT_E_REVOKED, "{c}");
            assert_eq!(c.alert(), Some(44));
            assert!(s.message().contains("certificate_revoked (44)"), "{s}");
        }
    }
}

#[test]
fn a_client_certificate_of_a_stranger_is_refused_and_the_client_hears_it() {
    let world = World::default();
    for kind in Kind::ALL {
        let mallory = kind.issue(Pki::named("OpenSSPI Unknown Root").client("mallory"));
        let server = world.inbound(SchannelConfig {
            client_auth: ClientAuth::Required,
            send_ca_list: false,
            ..world.server_of(kind)
        });
        let client = world.outbound(SchannelConfig {
            certificates: vec![world.certificate(&mallory)],
            ..world.client_of(kind)
        });
        let (c, s) = handshake(&*client, &*server, usize::MAX);
        let error = s.err().unwrap();
        assert_eq!(error.status(), SecStatus::SEC_E_UNTRUSTED_ROOT);
        assert!(error.message().contains("the client's certificate"), "{error}");
        // A TLS 1.3 client is established before the server has judged it: it hears with its first read.
        match c {
            Err(heard) if kind == Kind::Ssl30 => {
                assert_eq!(heard.status(), SecStatus::SEC_E_CERT_UNKNOWN, "it has no alert for that");
            }
            Err(heard) => assert_eq!(heard.status(), SecStatus::SEC_E_UNTRUSTED_ROOT),
            Ok(mut c) => {
                assert_eq!(kind, Kind::Tls13);
                let heard = open(&mut *c.context, &mut c.extra).unwrap_err();
                assert_eq!(heard.status(), SecStatus::SEC_E_UNTRUSTED_ROOT);
            }
        }
    }
}

#[test]
fn nothing_in_common_names_what_was_offered_and_the_setting() {
    let world = World::default();
    let (c, s) = handshake(
        &*world.outbound(world.client(&[Protocol::Tls12])),
        &*world.inbound(world.server(&[Protocol::Tls13])),
        usize::MAX,
    );
    let (c, s) = (c.err().unwrap(), s.err().unwrap());
    assert_eq!(s.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    assert!(s.message().contains("TLS 1.2") && s.message().contains("tls1.3"), "{s}");
    assert_eq!(s.setting(), Some("protocols"));
    assert_eq!(c.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{c}");

    let suites = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let client = world.outbound(SchannelConfig {
        suites: suites(&["TLS_CHACHA20_POLY1305_SHA256"]),
        ..world.client(&[Protocol::Tls13])
    });
    let server = world.inbound(SchannelConfig {
        suites: suites(&["TLS_AES_128_GCM_SHA256"]),
        ..world.server(&[Protocol::Tls13])
    });
    let (_, s) = handshake(&*client, &*server, usize::MAX);
    let s = s.err().unwrap();
    assert_eq!((s.status(), s.setting()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("suites")));
    assert!(s.message().contains("1303"), "{s}");
}

#[test]
fn a_configuration_that_cannot_be_used_says_so_when_it_is_acquired() {
    let world = World::default();
    let base = || world.client(&BOTH);
    let cases = [
        (SchannelConfig { suites: vec!["TLS_RSA_WITH_IDEA_CBC_SHA".to_owned()], ..base() }, "suites"),
        (SchannelConfig { suites: vec!["TLS_RSA_EXPORT_WITH_RC4_40_MD5".to_owned()], ..base() }, "suites"),
        (
            SchannelConfig {
                suites: vec!["TLS_AES_128_GCM_SHA256".to_owned()],
                ..world.client(&[Protocol::Tls13, Protocol::Tls10])
            },
            "suites",
        ),
        (SchannelConfig { dh_minimum_bits: Some(8192), ..base() }, "dh-minimum-bits"),
        (
            SchannelConfig {
                suites: vec!["TLS_AES_128_GCM_SHA256".to_owned()],
                ..world.client(&[Protocol::Tls12])
            },
            "suites",
        ),
        (SchannelConfig { pins: vec!["abcd".to_owned()], ..base() }, "pins"),
        (SchannelConfig { roots: vec!["nowhere.pem".to_owned()], ..base() }, "roots"),
        (SchannelConfig { crls: vec!["nowhere.crl".to_owned()], ..base() }, "crls"),
        (SchannelConfig { alpn: vec![String::new()], ..base() }, "alpn"),
    ];
    for (config, setting) in cases {
        let error = world.acquire(config, sspi_core::CredentialUse::Outbound).err().unwrap();
        assert_eq!(error.setting(), Some(setting), "{error}");
        assert_eq!(error.fault(), Fault::Configuration);
    }
}

#[test]
fn without_a_name_to_check_a_client_needs_pins_or_checks_by_itself() {
    let world = World::default();
    let request = sspi_core::InitializeRequest { target_name: None, ..initialize_request() };
    let client = world.outbound(world.client(&BOTH));
    let error = client.initialize(&request).err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_TARGET_UNKNOWN, Some("pins")));

    let certificate = Pki::named("OpenSSPI Unknown Root").server("elsewhere.test").issue();
    let server = world.inbound(SchannelConfig {
        certificates: vec![world.certificate(&certificate)],
        ..world.server(&BOTH)
    });
    let pin = test_support::hex::encode(certificate.sha256());
    let pinned = world.outbound(SchannelConfig { pins: vec![pin], ..world.client(&BOTH) });
    let manual = sspi_core::InitializeRequest {
        flags: request.flags | IscReq::MANUAL_CRED_VALIDATION,
        ..request.clone()
    };
    for handshake in [pinned.initialize(&request).unwrap(), client.initialize(&manual).unwrap()] {
        let (c, _) =
            pair::run(handshake, server.accept(&accept_request()).unwrap(), usize::MAX, &mut no_questions);
        assert_eq!(
            c.ok().unwrap().context.attributes().remote_certificate().unwrap().leaf(),
            certificate.leaf_der()
        );
    }
    let other = world.outbound(SchannelConfig { pins: vec!["00".repeat(32)], ..world.client(&BOTH) });
    let (c, _) = pair::run(
        other.initialize(&request).unwrap(),
        server.accept(&accept_request()).unwrap(),
        usize::MAX,
        &mut no_questions,
    );
    let error = c.err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_UNTRUSTED_ROOT, Some("pins")));
}

/// How many inputs of each kind each role gets; together with the records below more than 100,000 a role.
const LIVE: u64 = 6_000;
const FIRST: u64 = 60_000;
const RECORDS: u64 = 60_000;

/// Someone in the middle changes one token of a live handshake. Nobody panics, everybody comes to an end, and who fails
/// says why.
fn live_mutations(victim_is_client: bool) {
    let world = World::default();
    let alice = world.certificate(&world.pki.client("alice").issue());
    let random = SeededRandom::new(if victim_is_client { 11 } else { 12 });
    let mut random = random;
    for (p, protocol) in BOTH.into_iter().enumerate() {
        let client =
            world.outbound(SchannelConfig { certificates: vec![alice.clone()], ..world.client(&[protocol]) });
        let server =
            world.inbound(SchannelConfig { client_auth: ClientAuth::Optional, ..world.server(&[protocol]) });
        let mut refused = 0;
        for round in 0..LIVE / 2 {
            let mut mutator = Mutator::new(round * 2 + p as u64).longest(70_000);
            let chosen = random.below(3);
            let chunk = *random.choose(&[1000, 7, usize::MAX]);
            let mut index = 0;
            let (c, s) = pair::run_with(
                client.initialize(&initialize_request()).unwrap(),
                server.accept(&accept_request()).unwrap(),
                chunk,
                &mut no_questions,
                &mut |from_client, token| {
                    if from_client != victim_is_client && !token.is_empty() {
                        if index == chosen {
                            mutator.mutate(token);
                        }
                        index += 1;
                    }
                },
            );
            for outcome in [c, s] {
                if let Err(error) = outcome {
                    refused += 1;
                    assert_ne!(error.status(), SecStatus::SEC_E_INTERNAL_ERROR, "round {round}: {error}");
                    assert!(!error.message().is_empty());
                }
            }
        }
        assert!(refused > 100, "the mutations bite: {refused}");
    }
}

#[test]
fn mutated_tokens_of_live_handshakes_are_survived_by_the_client() {
    live_mutations(true);
}

#[test]
fn mutated_tokens_of_live_handshakes_are_survived_by_the_server() {
    live_mutations(false);
}

#[test]
fn mutated_first_flights_are_survived_by_the_server() {
    let world = World::default();
    let hello = hello(&world);
    let server = world.inbound(world.server(&BOTH));
    let mut answered = 0;
    for round in 0..FIRST {
        let mut input = hello.clone();
        Mutator::new(round).longest(70_000).mutate_some(&mut input, 3);
        match server.accept(&accept_request()).unwrap().accept_security_context(&input) {
            Ok(Step::Continue { .. } | Step::Incomplete { .. }) => answered += 1,
            Ok(other) => panic!("{other:?}"),
            // Behind a hello that is answered the alert is behind the answer.
            Err(failure) => check_alert(&failure, &format!("round {round}")),
        }
    }
    assert!(answered > 0 && answered < FIRST);
}

/// One in so many inputs answers the hello that this client sent; the others answer another one's, which is cheap, and as
/// hostile as any.
const OWN: u64 = 40;

/// What a peer can make one side wait for at most: the longest record.
const MOST_MISSING: usize = 5 + (1 << 14) + 2048;

/// What a client makes of an answer to its hello: whether it went on, or the failure, with all that it has sent.
fn client_takes(client: &mut dyn InitializeSecurityContext, mut input: Vec<u8>) -> Result<(), Failure> {
    let mut sent = Vec::new();
    loop {
        let step = client.initialize_security_context(&input);
        let step = step.map_err(|Failure { error, token }| Failure {
            error,
            token: [core::mem::take(&mut sent), token].concat(),
        });
        match step? {
            Step::Continue { token, used } if used > 0 => {
                sent.extend(token);
                input.drain(..used);
            }
            Step::Incomplete { missing } => {
                assert!(
                    missing.is_none_or(|missing| missing <= MOST_MISSING),
                    "{missing:?} bytes are missing"
                );
                return Ok(());
            }
            _ => return Ok(()),
        }
    }
}

/// The first record of a flight.
fn first_record(flight: &[u8]) -> &[u8] {
    let len = flight.get(3..5).map_or(0, |len| usize::from(u16::from_be_bytes([len[0], len[1]])));
    flight.get(..5 + len).unwrap_or(flight)
}

/// What a failing client has to say, and that nothing else is said of it: the alert that the error has.
fn check_alert(failure: &Failure, what: &str) {
    let Failure { error, token } = failure;
    assert_ne!(error.status(), SecStatus::SEC_E_INTERNAL_ERROR, "{what}: {error}");
    match error.alert() {
        // Of what is the peer's doing, and never internal_error.
        Some(alert) => {
            assert_ne!(alert, 80, "{what}: {error}");
            assert!(!token.is_empty(), "{what}: {error} is not told");
            if let Some(told) = token.last_chunk::<7>().and_then(|last| alert_in_clear(last)) {
                assert_eq!(told, (2, alert), "{what}: {error}");
            }
        }
        None => assert_eq!(error.fault(), Fault::PeerReported, "{what}: {error}"),
    }
}

#[test]
fn mutated_server_flights_get_the_alert_of_their_error_from_the_client() {
    let world = World::default();
    for (p, protocol) in BOTH.into_iter().enumerate() {
        let client = world.outbound(world.client(&[protocol]));
        let server = world.inbound(world.server(&[protocol]));
        let mut flight = Vec::new();
        let mut heard = HashSet::new();
        for round in 0..FIRST / 2 {
            let what = format!("{protocol:?} {round}");
            let mut c = client.initialize(&initialize_request()).unwrap();
            let Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
            let mut own = None;
            if round % OWN == 0 {
                let mut s = server.accept(&accept_request()).unwrap();
                let Step::Continue { token, .. } = s.accept_security_context(&token).unwrap() else {
                    panic!()
                };
                flight = token;
                own = Some(s);
            }
            let mut input = flight.clone();
            Mutator::new(round * 2 + p as u64).longest(70_000).mutate(&mut input);
            // What protects an alert both have if the first record came as it was sent.
            let has_keys = input.starts_with(first_record(&flight));
            let Err(failure) = client_takes(&mut *c, input) else { continue };
            check_alert(&failure, &what);
            let (Some(mut s), Some(alert)) = (own, failure.error.alert()) else { continue };
            // One for a peer of SSL 3.0 the server, which is none, does not read.
            let is_clear = protocol == Protocol::Tls12 && matches!(failure.token[..], [21, 3, 3, 0, 2, ..]);
            if has_keys || is_clear {
                // Protected or not, the server reads it: it is what the client says that it is.
                let error = server_takes(&mut *s, failure.token);
                assert!(
                    error.message().contains(&format!("({alert})")),
                    "{what}: {} / {error}",
                    failure.error
                );
                heard.insert(alert);
            }
        }
        // Flights that fit get further than to the ServerHello: in TLS 1.2 to what is signed with the certificate, in 1.3 to
        // what is encrypted.
        let deep = if protocol == Protocol::Tls12 { 51 } else { 20 };
        assert!(heard.contains(&deep), "{protocol:?}: {heard:?}");
    }
}

/// An error of rustls's that has another alert there, and one of which it tells nothing.
#[test]
fn what_a_client_says_of_its_error_is_what_the_server_heard() {
    let world = World::default();
    for (protocol, change, expected) in [
        // A suite that was not offered: TLS_RSA_WITH_RC4_128_MD5.
        (Protocol::Tls12, Change::Suite, 47),
        (Protocol::Tls13, Change::Suite, 47),
        // A message of 16 MB in the record of the ServerHello, and in one behind it.
        (Protocol::Tls12, Change::Long, 50),
        (Protocol::Tls13, Change::Long, 50),
        (Protocol::Tls12, Change::LongBehind, 50),
        // A record behind the ServerHello that is longer than a record may be.
        (Protocol::Tls12, Change::Overlong, 22),
        (Protocol::Tls13, Change::Overlong, 22),
    ] {
        let mut c = world.outbound(world.client(&[protocol])).initialize(&initialize_request()).unwrap();
        let mut s = world.inbound(world.server(&[protocol])).accept(&accept_request()).unwrap();
        let Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
        let Step::Continue { token: mut flight, .. } = s.accept_security_context(&token).unwrap() else {
            panic!()
        };
        let hello = first_record(&flight).len();
        match change {
            Change::Suite => {
                let suite = 5 + 4 + 2 + 32;
                let suite = suite + 1 + usize::from(flight[suite]);
                flight[suite..suite + 2].copy_from_slice(&[0, 4]);
            }
            Change::Long => {
                let record = first_record(&flight)[5..].to_vec();
                let content = [&record[..], &[11, 0xff, 0xff, 0xff]].concat();
                let length = (content.len() as u16).to_be_bytes();
                flight = [&[22, 3, 3][..], &length, &content].concat();
            }
            Change::LongBehind => {
                flight.truncate(hello);
                flight.extend([22, 3, 3, 0, 4, 11, 0xff, 0xff, 0xff]);
            }
            Change::Overlong => {
                flight.truncate(hello);
                flight.extend([23, 3, 3, 0xff, 0xff]);
            }
        }
        let failure = client_takes(&mut *c, flight).unwrap_err();
        check_alert(&failure, &format!("{protocol:?} {change:?}"));
        assert_eq!(failure.error.alert(), Some(expected), "{protocol:?} {change:?}: {}", failure.error);
        let error = server_takes(&mut *s, failure.token);
        assert!(error.message().contains(&format!("({expected})")), "{protocol:?} {change:?}: {error}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Suite,
    Long,
    LongBehind,
    Overlong,
}

/// What a server says of a client that has failed.
fn server_takes(server: &mut dyn AcceptSecurityContext, mut input: Vec<u8>) -> Error {
    loop {
        match server.accept_security_context(&input) {
            Ok(Step::Continue { used, .. }) if used > 0 => drop(input.drain(..used)),
            // The client has failed behind its last flight.
            Ok(Step::Complete { mut context, used, .. }) => {
                input.drain(..used);
                return open(&mut *context, &mut input).unwrap_err();
            }
            Ok(other) => panic!("{other:?}"),
            Err(failure) => return failure.error,
        }
    }
}

/// Who has nothing but SSL 3.0 knows the alerts of SSL 3.0 only, whichever engine hears it first.
///
/// Spec: SSL30 section 5.4.
#[test]
fn a_hello_of_ssl30_is_refused_with_an_alert_of_ssl30() {
    let world = World::default();
    let mut hello = plain_hello(&[3, 0]);
    for protocols in [
        &BOTH[..],
        &[Protocol::Tls12],
        &[Protocol::Tls12, Protocol::Tls10],
        &[Protocol::Tls11, Protocol::Tls10],
        &[Protocol::Ssl20],
    ] {
        let mut server = world.inbound(world.server(protocols)).accept(&accept_request()).unwrap();
        let Failure { error, token } = server.accept_security_context(&hello).unwrap_err();
        assert_eq!(token, [21, 3, 0, 0, 2, 2, 40], "{protocols:?}: {error}");
        assert_eq!((error.alert(), error.setting()), (Some(40), Some("protocols")), "{protocols:?}: {error}");
    }
    // Who has TLS 1.0 knows protocol_version.
    hello[2] = 1;
    hello[10] = 1;
    for protocols in [&BOTH[..], &[Protocol::Tls11], &[Protocol::Ssl20]] {
        let mut server = world.inbound(world.server(protocols)).accept(&accept_request()).unwrap();
        let Failure { error, token } = server.accept_security_context(&hello).unwrap_err();
        assert_eq!(alert_in_clear(&token), Some((2, 70)), "{protocols:?}: {error}");
        assert_eq!(error.alert(), Some(70), "{protocols:?}: {error}");
    }
}

/// A server that answers in SSL 3.0, which nobody asked it for.
#[test]
fn a_server_hello_of_ssl30_is_refused_with_an_alert_of_ssl30() {
    let world = World::default();
    for protocols in [&BOTH[..], &[Protocol::Tls12, Protocol::Tls10], &[Protocol::Tls11]] {
        let mut c = world.outbound(world.client(protocols)).initialize(&initialize_request()).unwrap();
        c.initialize_security_context(&[]).unwrap();
        let mut answer = vec![22, 3, 0, 0, 42, 2, 0, 0, 38, 3, 0];
        answer.extend([9; 32]);
        answer.extend([0, 0, 0x2f, 0]);
        let failure = client_takes(&mut *c, answer).unwrap_err();
        assert_eq!(failure.token, [21, 3, 0, 0, 2, 2, 40], "{protocols:?}: {}", failure.error);
        assert_eq!(failure.error.alert(), Some(40), "{protocols:?}: {}", failure.error);
    }
}

/// A ClientHello of this version without extensions, in its record.
fn plain_hello(version: &[u8; 2]) -> Vec<u8> {
    let mut hello = [&[22, 3, version[1], 0, 45, 1, 0, 0, 41][..], version, &[7; 32]].concat();
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    hello
}

/// Records behind the handshake, changed: nothing but the original ever comes out.
fn record_mutations(to_client: bool) {
    let world = World::default();
    for protocol in BOTH {
        let client = world.outbound(world.client(&[protocol]));
        let server = world.inbound(world.server(&[protocol]));
        let mut done = 0;
        while done < RECORDS / 2 {
            let (c, s) = established(&*client, &*server);
            let (mut from, mut to) = if to_client { (s, c) } else { (c, s) };
            let sizes = from.context.attributes().stream_sizes().unwrap();
            let mut extra = core::mem::take(&mut to.extra);
            open(&mut *to.context, &mut extra).unwrap();
            let record = seal(&mut *from.context, &sizes, b"the only plaintext").unwrap();
            // An incomplete record does not use the context up: many inputs go to each.
            loop {
                done += 1;
                let mut input = record.clone();
                Mutator::new(done).longest(20_000).mutate(&mut input);
                let changed = input != record;
                match open(&mut *to.context, &mut input) {
                    Ok((data, Decrypted::Incomplete { .. })) if data.is_empty() => {}
                    // The record was cut away, or what was changed lies behind it.
                    Ok((data, _)) => {
                        assert!(
                            data.is_empty() || data == b"the only plaintext",
                            "{data:02x?}, changed: {changed}"
                        );
                        break;
                    }
                    Err(error) => {
                        assert_ne!(error.status(), SecStatus::SEC_E_INTERNAL_ERROR, "{error}");
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn mutated_records_are_survived_by_the_client() {
    record_mutations(true);
}

#[test]
fn mutated_records_are_survived_by_the_server() {
    record_mutations(false);
}

#[test]
fn random_bytes_are_survived_by_both_roles() {
    let world = World::default();
    let (client, server) = (world.outbound(world.client(&BOTH)), world.inbound(world.server(&BOTH)));
    let mut random = SeededRandom::new(3);
    for round in 0..20_000u64 {
        let length = random.below(600);
        let mut input = random.bytes(length);
        if round % 2 == 0 && input.len() >= 5 {
            // Half of them look like a record.
            let body = (input.len() - 5) as u16;
            input[..3].copy_from_slice(&[*random.choose(&[20, 21, 22, 23]), 3, 1]);
            input[3..5].copy_from_slice(&body.to_be_bytes());
        }
        let mut s = server.accept(&accept_request()).unwrap();
        let _outcome = s.accept_security_context(&input);
        if round % 4 == 0 {
            let mut c = client.initialize(&initialize_request()).unwrap();
            c.initialize_security_context(&[]).unwrap();
            let _outcome = c.initialize_security_context(&input);
        }
    }
}

/// As the engine sees to it; in TLS 1.3 the version of a record says nothing.
///
/// Spec: TLS12 section 6.2.1.
#[test]
fn a_record_of_another_version_than_the_one_agreed_on_is_refused_in_tls12() {
    let world = World::default();
    for kind in [Kind::Tls12, Kind::Tls12Cbc, Kind::Tls11, Kind::Tls10] {
        let (client, server) = (world.outbound(world.client_of(kind)), world.inbound(world.server_of(kind)));
        let other = 0x17;
        // In the handshake: the client's second flight.
        let mut flights = 0;
        let (_, s) = pair::run_with(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
            &mut |from_client, token| {
                if from_client && !token.is_empty() {
                    flights += 1;
                    if flights == 2 {
                        token[2] = other;
                    }
                }
            },
        );
        let error = s.err().unwrap();
        assert_eq!(error.alert(), Some(70), "{kind:?}: {error}");
        assert!(error.message().contains("a record of the version"), "{kind:?}: {error}");
        // And behind it.
        let (mut c, mut s) = established(&*client, &*server);
        let sizes = c.context.attributes().stream_sizes().unwrap();
        let mut record = seal(&mut *c.context, &sizes, b"x").unwrap();
        record[2] = other;
        s.extra.extend(record);
        let error = open(&mut *s.context, &mut s.extra).unwrap_err();
        assert_eq!(error.alert(), Some(70), "{kind:?}: {error}");
    }
}
