//! Two engines behind one port and behind one ClientHello: whoever has something in common with the peer goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use opensspi_schannel::{
    Allow, CertificateConfig, ClientAuth, ClientCertificate, ExtendedMasterSecret, Profile, Protocol,
    Revocation, SchannelConfig, WeakSuites,
};
use sspi_core::{
    AscRet, CertificateIdentity, ContextFlags, CredentialUse, CredentialsHandle, Error, Failure, Fault,
    IscRet, Question, SecStatus, Secret, SpProt, Step,
};
use support::{Kind, World, accept_request, handshake, initialize_request, no_questions, send};
use test_support::pair::{self, Established};
use test_support::{CertStatus, Mutator, OcspResponse};

/// Both kinds of certificates, so that every protocol and suite has its own.
fn certificates(world: &World) -> Vec<CertificateConfig> {
    let (ecdsa, rsa) = (world.pki.server("localhost"), world.pki.server("localhost").rsa_2048());
    vec![world.certificate(&ecdsa.issue()), world.certificate(&rsa.issue())]
}

/// A server that speaks everything.
fn server_of_all(world: &World) -> SchannelConfig {
    SchannelConfig { certificates: certificates(world), ..world.server(&support::TLS) }
}

fn client_of_all(world: &World) -> SchannelConfig {
    world.client(&support::TLS)
}

fn protocol(side: &Established) -> SpProt {
    side.context.attributes().connection_info().unwrap().protocol
}

fn suite(side: &Established) -> String {
    side.context.attributes().cipher_info().unwrap().cipher_suite_name.to_string()
}

/// Both sides are there, agree, and data pass in both directions.
fn check(both: (pair::Outcome, pair::Outcome), expected: Protocol, what: &str) -> (Established, Established) {
    let (c, s) = both;
    let (mut c, mut s) = match (c, s) {
        (Ok(c), Ok(s)) => (c, s),
        (c, s) => panic!("{what}: client {:?}, server {:?}", c.err(), s.err()),
    };
    assert_eq!(protocol(&c), expected.bits().intersection(SpProt::CLIENTS), "{what}");
    assert_eq!(protocol(&s), expected.bits().intersection(SpProt::SERVERS), "{what}");
    assert_eq!(suite(&c), suite(&s), "{what}");
    for data in [&b"hello"[..], &[7; 16384], b"", b"x"] {
        assert_eq!(send(&mut c, &mut s, data), data, "{what}");
        assert_eq!(send(&mut s, &mut c, data), data, "{what}");
    }
    (c, s)
}

#[test]
fn one_port_serves_clients_of_every_protocol() {
    let world = World::default();
    let server = world.inbound(server_of_all(&world));
    for kind in Kind::ALL {
        let client = world.outbound(SchannelConfig { resume: false, ..world.client_of(kind) });
        for chunk in [1, 2, 5, 6, 100, 517, usize::MAX] {
            let what = format!("{kind:?} in pieces of {chunk}");
            check(handshake(&*client, &*server, chunk), kind.protocol(), &what);
        }
    }
}

#[test]
fn one_port_resumes_sessions_of_either_backend() {
    let world = World::default();
    let server = world.inbound(server_of_all(&world));
    for kind in Kind::ALL {
        let client = world.outbound(world.client_of(kind));
        for resumed in [false, true, true] {
            let (c, s) = check(handshake(&*client, &*server, 64), kind.protocol(), "resumed");
            assert_eq!(c.context.attributes().session_info().unwrap().reconnect, resumed, "{kind:?}");
            assert_eq!(s.context.attributes().session_info().unwrap().reconnect, resumed, "{kind:?}");
        }
    }
}

/// Spec: TLS12 section 7.2.2.
#[test]
fn a_session_is_not_taken_up_again_after_a_fatal_alert() {
    use sspi_core::{AlertLevel, ControlToken};
    let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
    for kind in Kind::LEGACY {
        let world = World::default();
        let (client, server) = (world.outbound(world.client_of(kind)), world.inbound(world.server_of(kind)));
        let is_resumed = |side: &Established| side.context.attributes().session_info().unwrap().reconnect;
        let connect = || check(handshake(&*client, &*server, usize::MAX), kind.protocol(), "a session");
        // The client says so, and forgets its session: the server's would not be asked for.
        let (mut c, _) = connect();
        c.context.apply_control_token(&alert).unwrap();
        let (c, mut s) = connect();
        assert!(!is_resumed(&c), "{kind:?}");
        // The server says so, and the client hears nothing of it.
        s.context.apply_control_token(&alert).unwrap();
        let (c, mut s) = connect();
        assert!(!is_resumed(&c), "{kind:?}");
        // The server sees a record that does not authenticate.
        let forged = [23, 3, kind.protocol().version().to_be_bytes()[1], 0, 64];
        s.extra.extend(forged.into_iter().chain([0; 64]));
        assert!(pair::open(&mut *s.context, &mut s.extra).is_err());
        let (c, _) = connect();
        assert!(!is_resumed(&c), "{kind:?}");
        let (c, _) = connect();
        assert!(is_resumed(&c), "{kind:?}");
    }
}

#[test]
fn one_hello_reaches_servers_of_every_protocol() {
    let world = World::default();
    for kind in Kind::ALL {
        let server = world.inbound(world.server_of(kind));
        for chunk in [1, 2, 5, 6, 100, 517, usize::MAX] {
            let client = world.outbound(client_of_all(&world));
            let what = format!("{kind:?} in pieces of {chunk}");
            check(handshake(&*client, &*server, chunk), kind.protocol(), &what);
        }
    }
}

#[test]
fn one_hello_with_a_server_of_everything_comes_to_the_newest_protocol() {
    let world = World::default();
    let client = world.outbound(client_of_all(&world));
    let server = world.inbound(server_of_all(&world));
    let (c, _) = check(handshake(&*client, &*server, 7), Protocol::Tls13, "everything");
    assert_eq!(suite(&c), "TLS_AES_256_GCM_SHA384");
}

#[test]
fn a_server_hello_in_one_byte_records_is_put_together_before_anybody_goes_on() {
    let world = World::default();
    for kind in [Kind::Tls13, Kind::Tls12, Kind::Tls12Cbc, Kind::Tls10] {
        for chunk in [1, 6, 7, usize::MAX] {
            let client = world.outbound(client_of_all(&world));
            let server = world.inbound(world.server_of(kind));
            let mut first = true;
            let both = pair::run_with(
                client.initialize(&initialize_request()).unwrap(),
                server.accept(&accept_request()).unwrap(),
                chunk,
                &mut no_questions,
                &mut |from_client, token| {
                    if from_client || token.is_empty() || !core::mem::take(&mut first) {
                        return;
                    }
                    // Only the first record, which begins with the ServerHello.
                    let [kind, major, minor, high, low] = token[..5] else { panic!("no record") };
                    assert_eq!(kind, 22);
                    let len = usize::from(u16::from_be_bytes([high, low]));
                    let rest = token.split_off(5 + len);
                    let bytes = token[5..].iter().flat_map(|b| [kind, major, minor, 0, 1, *b]);
                    *token = bytes.chain(rest).collect();
                },
            );
            check(both, kind.protocol(), &format!("{kind:?} in pieces of {chunk}"));
        }
    }
}

/// The client keeps what it has looked at for whoever goes on, so that nothing may be looked at for ever.
#[test]
fn a_client_that_waits_for_a_server_hello_refuses_handshake_records_without_content() {
    let world = World::default();
    let client = world.outbound(client_of_all(&world));
    for before in [&[][..], &[22, 3, 3, 0, 1, 2]] {
        let mut c = client.initialize(&initialize_request()).unwrap();
        c.initialize_security_context(&[]).unwrap();
        let mut input = before.to_vec();
        input.extend([22, 3, 3, 0, 0].repeat(1000));
        let failure = loop {
            match c.initialize_security_context(&input) {
                Ok(Step::Continue { used, .. }) if used > 0 => drop(input.drain(..used)),
                Ok(other) => panic!("{other:?} with {} bytes left", input.len()),
                Err(failure) => break failure,
            }
        };
        assert_eq!(failure.error.fault(), Fault::Decode, "{failure:?}");
    }
}

#[test]
fn a_session_of_the_engine_is_resumed_with_a_hello_of_its_own() {
    let world = World::default();
    for kind in Kind::LEGACY {
        let server = world.inbound(world.server_of(kind));
        let client = world.outbound(client_of_all(&world));
        for resumed in [false, true, true] {
            let (c, s) = check(handshake(&*client, &*server, usize::MAX), kind.protocol(), "resumption");
            assert_eq!(c.context.attributes().session_info().unwrap().reconnect, resumed, "{kind:?}");
            assert_eq!(s.context.attributes().session_info().unwrap().reconnect, resumed, "{kind:?}");
        }
    }
}

#[test]
fn a_handshake_that_was_handed_over_has_names_protocols_certificates_and_bindings() {
    let world = World::default();
    for kind in Kind::ALL {
        let alice = world.certificate(&kind.issue(world.pki.client("alice")));
        let client = world.outbound(SchannelConfig {
            certificates: vec![alice],
            alpn: vec!["h2".to_owned()],
            ..client_of_all(&world)
        });
        let server = world.inbound(SchannelConfig {
            client_auth: ClientAuth::Required,
            alpn: vec!["h2".to_owned()],
            ..world.server_of(kind)
        });
        let (c, s) = check(handshake(&*client, &*server, 99), kind.protocol(), "attributes");
        let (c, s) = (c.context.attributes(), s.context.attributes());
        let extensions = kind.has_extensions();
        assert_eq!(s.names().unwrap(), "CN=alice", "{kind:?}");
        assert_eq!(c.names().unwrap(), "CN=alice", "{kind:?}");
        assert_eq!(c.application_protocol().unwrap(), s.application_protocol().unwrap());
        assert_eq!(c.application_protocol().unwrap().protocol.is_some(), extensions, "{kind:?}");
        assert_eq!(s.client_specified_target().is_ok(), extensions, "{kind:?}");
        assert_eq!(c.endpoint_bindings().unwrap(), s.endpoint_bindings().unwrap(), "{kind:?}");
        if extensions {
            assert_eq!(c.exporter_bindings().unwrap(), s.exporter_bindings().unwrap(), "{kind:?}");
        }
    }
}

/// A server's flight without its CertificateStatus.
fn without_status(flight: &mut Vec<u8>) {
    const CERTIFICATE_STATUS: u8 = 22;
    let length = usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    if flight[0] != 22 || flight.len() != 5 + length {
        return;
    }
    let (mut messages, mut rest) = (Vec::new(), &flight[5..]);
    while !rest.is_empty() {
        let (message, behind) = rest.split_at(4 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        if message[0] != CERTIFICATE_STATUS {
            messages.extend_from_slice(message);
        }
        rest = behind;
    }
    let length = u16::try_from(messages.len()).unwrap().to_be_bytes();
    *flight = [&flight[..3], &length, &messages].concat();
}

/// The client asks for it in a hello of rustls's, and the engine hears the answer.
#[test]
fn a_stapled_answer_is_judged_in_a_handshake_that_was_handed_over() {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    for kind in Kind::LEGACY.into_iter().filter(|kind| kind.has_extensions()) {
        let world = World::default();
        let now = world.clock.now();
        let certificate = kind.issue(world.pki.server("localhost"));
        let staple =
            |status| OcspResponse::new(&certificate, status).valid(now - HOUR, Some(now + HOUR)).der();
        let client = world.outbound(SchannelConfig { revocation: Revocation::Hard, ..client_of_all(&world) });
        let with = |staple: Option<Vec<u8>>, change: &dyn Fn(&mut Vec<u8>)| {
            let server = world.inbound(SchannelConfig {
                certificates: vec![world.certificate(&certificate)],
                ocsp_response: staple.map(|staple| world.memory.put("staple", staple)),
                ..world.server_of(kind)
            });
            let mut is_first = true;
            pair::run_with(
                client.initialize(&initialize_request()).unwrap(),
                server.accept(&accept_request()).unwrap(),
                usize::MAX,
                &mut no_questions,
                &mut |from_client, token| {
                    if !from_client && !token.is_empty() && core::mem::take(&mut is_first) {
                        change(token);
                    }
                },
            )
        };
        let good = || Some(staple(CertStatus::Good));
        check(with(good(), &|_| ()), kind.protocol(), &format!("{kind:?}"));
        let unknown = SecStatus::CRYPT_E_NO_REVOCATION_CHECK;
        let revoked = CertStatus::Revoked { at: now - HOUR };
        for (outcome, expected, what) in [
            (with(None, &|_| ()), unknown, "no answer"),
            (with(good(), &without_status), unknown, "promised, and not sent"),
            (with(Some(staple(revoked)), &|_| ()), SecStatus::CRYPT_E_REVOKED, "revoked"),
        ] {
            let error = outcome.0.err().unwrap_or_else(|| panic!("{kind:?} {what}"));
            assert_eq!(error.status(), expected, "{kind:?} {what}: {error}");
        }
    }
}

#[test]
fn the_application_is_asked_for_a_certificate_in_a_handshake_that_was_handed_over() {
    let world = World::default();
    for kind in Kind::ALL {
        let alice = kind.issue(world.pki.client("alice"));
        let identity = CertificateIdentity {
            chain: alice.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(alice.key_der().to_vec())),
        };
        for chunk in [1, 50, usize::MAX] {
            let client = world.outbound(SchannelConfig {
                client_certificate: ClientCertificate::Ask,
                ..client_of_all(&world)
            });
            let server =
                world.inbound(SchannelConfig { client_auth: ClientAuth::Required, ..world.server_of(kind) });
            let mut asked = 0;
            let both = pair::run(
                client.initialize(&initialize_request()).unwrap(),
                server.accept(&accept_request()).unwrap(),
                chunk,
                &mut |question| {
                    let Question::ClientCertificate(ask) = question else { panic!("another question") };
                    asked += 1;
                    ask.answer(Some(identity.clone()));
                },
            );
            let (_, s) = check(both, kind.protocol(), &format!("{kind:?} {chunk}"));
            assert_eq!(asked, 1);
            assert_eq!(s.context.attributes().remote_certificate().unwrap().leaf(), alice.leaf_der());
        }
    }
}

#[test]
fn a_key_that_rustls_cannot_use_serves_the_older_protocols_alone() {
    let world = World::default();
    let weak = world.certificate(&world.pki.server("localhost").rsa_1024().issue());
    let modern = SchannelConfig { certificates: vec![weak.clone()], ..world.server(&Protocol::MODERN) };
    let error = world.acquire(modern, CredentialUse::Inbound).err().unwrap();
    assert_eq!((error.setting(), error.fault()), (Some("certificates"), Fault::Configuration), "{error}");

    let legacy = SchannelConfig { certificates: vec![weak], profile: Profile::Legacy, ..world.server(&[]) };
    let server = world.inbound(legacy);
    assert!(server.supported_protocols().unwrap().intersection(SpProt::TLS1_3).is_empty());
    let allow = Some(vec!["rsa-1024".parse().unwrap()]);
    let client = world.outbound(SchannelConfig { allow, ..client_of_all(&world) });
    let (c, _) = check(handshake(&*client, &*server, usize::MAX), Protocol::Tls12, "RSA 1024");
    assert!(suite(&c).starts_with("TLS_ECDHE_RSA_"), "{}", suite(&c));
    let client = world.outbound(client_of_all(&world));
    let (c, _) = handshake(&*client, &*server, usize::MAX);
    let error = c.err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_CERT_UNKNOWN, Some("allow")), "{error}");
}

/// What the client says, and what the server.
fn refused(client: &dyn CredentialsHandle, server: &dyn CredentialsHandle) -> (Error, Error) {
    let (c, s) = handshake(client, server, usize::MAX);
    (c.err().unwrap(), s.err().unwrap())
}

#[test]
fn without_a_protocol_in_common_both_sides_say_what_there_was() {
    let world = World::default();
    // SSL 3.0 has no protocol_version.
    for (client, server, alert) in [
        (Protocol::Tls10, Protocol::Tls12, 70),
        (Protocol::Tls10, Protocol::Tls11, 70),
        (Protocol::Ssl30, Protocol::Tls10, 40),
    ] {
        let what = format!("{client:?} to {server:?}");
        let server_config = SchannelConfig { certificates: certificates(&world), ..world.server(&[server]) };
        let (c, s) = refused(&*world.outbound(world.client(&[client])), &*world.inbound(server_config));
        assert_eq!(s.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{what}: {s}");
        assert_eq!((s.setting(), s.alert()), (Some("protocols"), Some(alert)), "{what}: {s}");
        assert!(s.message().contains(server.name()), "{what}: {s}");
        let expected = [SecStatus::SEC_E_UNSUPPORTED_FUNCTION, SecStatus::SEC_E_ILLEGAL_MESSAGE];
        assert!(expected.contains(&c.status()), "{what}: {c}");
    }
}

#[test]
fn without_a_suite_in_common_both_sides_say_so() {
    let world = World::default();
    let suites = |name: &str| vec![name.to_owned()];
    for (kind, client, server) in [
        (Kind::Tls10, "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_AES_256_CBC_SHA"),
        (Kind::Ssl30, "TLS_RSA_WITH_RC4_128_MD5", "TLS_RSA_WITH_RC4_128_SHA"),
        (Kind::Tls12Cbc, "TLS_RSA_WITH_NULL_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    ] {
        let client = world.outbound(SchannelConfig { suites: suites(client), ..world.client_of(kind) });
        let server = world.inbound(SchannelConfig { suites: suites(server), ..world.server_of(kind) });
        let (c, s) = refused(&*client, &*server);
        assert_eq!(s.status(), SecStatus::SEC_E_ALGORITHM_MISMATCH, "{s}");
        assert_eq!((s.setting(), s.alert()), (Some("suites"), Some(40)), "{s}");
        assert!(s.message().contains("TLS_RSA_WITH_"), "it names what the client offers: {s}");
        assert_eq!(c.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE, "{c}");
        assert_eq!(c.fault(), Fault::PeerReported);
    }
}

#[test]
fn a_group_that_is_too_small_is_refused_with_both_sizes() {
    let world = World::default();
    let config = |bits: Option<u32>, config: SchannelConfig| SchannelConfig {
        suites: vec!["TLS_DHE_RSA_WITH_AES_128_CBC_SHA".to_owned()],
        dh_minimum_bits: bits,
        ..config
    };
    let server = |bits| {
        let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
        let server = SchannelConfig { certificates: vec![rsa], ..world.server(&[Protocol::Tls11]) };
        world.inbound(config(bits, server))
    };
    let client = |bits| world.outbound(config(bits, world.client(&[Protocol::Tls11])));
    for (bits, expected) in [(None, 2048), (Some(1024), 1024), (Some(1537), 2048), (Some(3072), 3072)] {
        let (c, _) = check(handshake(&*client(bits), &*server(bits), usize::MAX), Protocol::Tls11, "DHE");
        let info = c.context.attributes().connection_info().unwrap();
        assert_eq!((info.exchange, info.exchange_strength), (sspi_core::AlgId::DH_EPHEM, expected));
    }
    let (c, s) = refused(&*client(None), &*server(Some(1024)));
    assert_eq!((c.status(), c.alert()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some(71)), "{c}");
    assert_eq!((c.setting(), c.fault()), (Some("dh-minimum-bits"), Fault::Refused));
    assert!(c.message().contains("1024") && c.message().contains("2048"), "{c}");
    assert_eq!(s.status(), SecStatus::SEC_E_ALGORITHM_MISMATCH, "the alert says it: {s}");
}

#[test]
fn an_extended_master_secret_can_be_insisted_on() {
    let world = World::default();
    let required =
        |config| SchannelConfig { extended_master_secret: ExtendedMasterSecret::Required, ..config };
    for kind in Kind::ALL {
        let server = world.inbound(required(world.server_of(kind)));
        let client = world.outbound(required(world.client_of(kind)));
        if kind.has_extensions() {
            check(handshake(&*client, &*server, usize::MAX), kind.protocol(), "EMS");
            continue;
        }
        let (c, s) = refused(&*client, &*server);
        assert_eq!(
            (s.status(), s.setting()),
            (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("extended-master-secret"))
        );
        assert_eq!(c.fault(), Fault::PeerReported, "{c}");
    }
}

#[test]
fn the_profile_of_windows_2003_speaks_its_suites_in_its_order_and_tls_before_ssl() {
    let world = World::default();
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let of_profile = |config: SchannelConfig| SchannelConfig {
        profile: Profile::Windows2003,
        protocols: Vec::new(),
        ..config
    };
    let unwritten = of_profile(SchannelConfig { certificates: vec![rsa], ..world.server(&[]) });
    let error = world.acquire(unwritten.clone(), CredentialUse::Inbound).err().unwrap();
    assert_eq!(error.setting(), Some("i-accept-drown"), "no profile says so: {error}");
    let server = SchannelConfig { i_accept_drown: true, ..unwritten };
    let client = of_profile(world.client(&[]));
    let both = handshake(&*world.outbound(client.clone()), &*world.inbound(server.clone()), 10);
    let (c, _) = check(both, Protocol::Tls10, "windows-2003");
    assert_eq!(suite(&c), "TLS_RSA_WITH_RC4_128_MD5", "the document's first");
    for (suite_of_client, protocol) in [
        ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", Protocol::Ssl30),
        ("TLS_RSA_WITH_DES_CBC_SHA", Protocol::Ssl30),
        ("TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", Protocol::Tls10),
        ("TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA", Protocol::Ssl30),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", Protocol::Tls10),
        ("TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5", Protocol::Ssl30),
        ("TLS_RSA_WITH_NULL_MD5", Protocol::Tls10),
        ("TLS_RSA_WITH_NULL_SHA", Protocol::Ssl30),
    ] {
        let client = SchannelConfig {
            suites: vec![suite_of_client.to_owned()],
            protocols: vec![protocol],
            ..client.clone()
        };
        let both = handshake(&*world.outbound(client), &*world.inbound(server.clone()), usize::MAX);
        let (c, _) = check(both, protocol, suite_of_client);
        assert_eq!(suite(&c), suite_of_client);
    }
    // Nothing newer, and nothing else.
    for other in [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11] {
        let (_, s) =
            handshake(&*world.outbound(world.client(&[other])), &*world.inbound(server.clone()), usize::MAX);
        assert!(s.is_err(), "{other:?}");
    }
}

/// What is reachable with `client` and `server`, if anything is.
fn reached(world: &World, client: SchannelConfig, server: SchannelConfig) -> Option<String> {
    let (client, server) = (world.outbound(client), world.inbound(server));
    let (c, s) = handshake(&*client, &*server, usize::MAX);
    match (c, s) {
        (Ok(c), _) => Some(format!("{} {}", protocol(&c), suite(&c))),
        (_, Ok(s)) => Some(format!("{} {}", protocol(&s), suite(&s))),
        (Err(_), Err(_)) => None,
    }
}

#[test]
fn the_default_configuration_reaches_nothing_of_the_past() {
    let world = World::default();
    let both = certificates(&world);
    let default_client = || SchannelConfig { roots: vec!["root.pem".to_owned()], ..Default::default() };
    let default_server = || SchannelConfig { certificates: both.clone(), ..Default::default() };
    assert!(reached(&world, default_client(), default_server()).is_some(), "the test itself works");
    // Every older protocol, whatever else is allowed.
    let every_weakness: Vec<Allow> = Allow::all().collect();
    for protocol in support::TLS.into_iter().filter(|protocol| protocol.is_old()) {
        let old = |config| SchannelConfig {
            protocols: vec![protocol],
            allow: Some(every_weakness.clone()),
            ..config
        };
        assert_eq!(reached(&world, old(default_client()), default_server()), None, "{protocol:?}");
        assert_eq!(reached(&world, default_client(), old(default_server())), None, "{protocol:?}");
    }
    // Every suite of TLS 1.2 that the default has not.
    let mut tried = 0;
    for row in legacy_tls::SUITES {
        let name = row.name.to_owned();
        let modern = row.name.contains("_ECDHE_") && row.name.contains("_GCM_");
        if modern || !row.is_legal_in(legacy_tls::ProtocolVersion::TLS12) {
            continue;
        }
        let weak = |config| SchannelConfig {
            protocols: vec![Protocol::Tls12],
            suites: vec![name.clone()],
            ..config
        };
        assert_eq!(reached(&world, weak(default_client()), default_server()), None, "{name}");
        assert_eq!(reached(&world, default_client(), weak(default_server())), None, "{name}");
        tried += 1;
    }
    assert!(tried > 30);
    // Weak certificates have tests of their own: weak_certificates.rs. The older hellos too: one_port.rs and ssl2.rs.
}

#[test]
fn weak_suites_are_off_until_they_are_named() {
    let world = World::default();
    for (class, suite_name) in [
        (WeakSuites::Rc4, "TLS_RSA_WITH_RC4_128_SHA"),
        (WeakSuites::Des, "TLS_RSA_WITH_DES_CBC_SHA"),
        (WeakSuites::Export, "TLS_RSA_EXPORT_WITH_RC4_40_MD5"),
        (WeakSuites::Null, "TLS_RSA_WITH_NULL_SHA"),
    ] {
        let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
        let server = |allow| SchannelConfig {
            certificates: vec![rsa.clone()],
            allow,
            ..world.server(&[Protocol::Tls10])
        };
        let client =
            SchannelConfig { suites: vec![suite_name.to_owned()], ..world.client(&[Protocol::Tls10]) };
        let named = Some(vec![Allow::Suites(class)]);
        assert_eq!(reached(&world, client.clone(), server(None)), None, "{class:?}");
        let others = Allow::all().filter(|entry| *entry != Allow::Suites(class)).collect();
        assert_eq!(reached(&world, client.clone(), server(Some(others))), None, "{class:?}");
        let reached = reached(&world, client, server(named)).unwrap();
        assert!(reached.ends_with(suite_name), "{reached}");
    }
}

#[test]
fn one_rsa_key_does_not_serve_export_and_newer_protocols_unless_somebody_accepts_that() {
    let world = World::default();
    let export = |certificate: CertificateConfig| SchannelConfig {
        certificates: vec![certificate],
        allow: Some(vec![Allow::Suites(WeakSuites::Export)]),
        ..world.server(&[Protocol::Tls12, Protocol::Tls10])
    };
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let error = world.acquire(export(rsa.clone()), CredentialUse::Inbound).err().unwrap();
    assert_eq!((error.setting(), error.fault()), (Some("i-accept-drown"), Fault::Configuration), "{error}");
    world.inbound(SchannelConfig { i_accept_drown: true, ..export(rsa.clone()) });
    world.inbound(SchannelConfig { protocols: vec![Protocol::Tls10], ..export(rsa) });
    world.inbound(export(world.certificate(&world.pki.server("localhost").issue())));
}

#[test]
fn a_client_that_fell_back_without_need_is_refused() {
    let world = World::default();
    let server = world.inbound(server_of_all(&world));
    // TLS 1.2 and 1.0 with the signal that there was a first attempt.
    for (kind, offered) in [(Kind::Tls12, "TLS 1.2"), (Kind::Tls10, "TLS 1.0")] {
        let client = world.outbound(world.client_of(kind));
        let mut c = client.initialize(&initialize_request()).unwrap();
        let Step::Continue { token: mut hello, .. } = c.initialize_security_context(&[]).unwrap() else {
            panic!("a client speaks first")
        };
        // Behind record and message header, version, random and session ID: the suites.
        let session = usize::from(hello[43]);
        let at = 44 + session;
        for length in [3, 7, at] {
            let value = u16::from_be_bytes([hello[length], hello[length + 1]]) + 2;
            hello[length..length + 2].copy_from_slice(&value.to_be_bytes());
        }
        hello.splice(at + 2..at + 2, [0x56, 0x00]);
        let Failure { error, token } =
            server.accept(&accept_request()).unwrap().accept_security_context(&hello).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "{error}");
        assert!(error.message().contains(offered), "{error}");
        assert_eq!(token.last(), Some(&86), "inappropriate_fallback");
    }
}

#[test]
fn protocols_of_a_request_choose_the_backend() {
    let world = World::default();
    let client = world.outbound(client_of_all(&world));
    let server = world.inbound(server_of_all(&world));
    for protocol in support::TLS {
        let request =
            sspi_core::InitializeRequest { protocols: Some(protocol.bits()), ..initialize_request() };
        let both = pair::run(
            client.initialize(&request).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        check(both, protocol, "the client's request");
        let client = world.outbound(SchannelConfig { resume: false, ..client_of_all(&world) });
        let request = sspi_core::AcceptRequest { protocols: Some(protocol.bits()), ..accept_request() };
        let both = pair::run(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&request).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        check(both, protocol, "the server's request");
    }
    let request = sspi_core::InitializeRequest { protocols: Some(SpProt::SSL2), ..initialize_request() };
    let error = client.initialize(&request).err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("protocols")));
}

#[test]
fn what_is_not_tls_is_named_by_a_server_of_old_protocols_too() {
    let world = World::default();
    for config in [world.server_of(Kind::Tls10), server_of_all(&world)] {
        let server = world.inbound(config);
        for (input, what) in
            [(&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], "HTTP"), (b"SSH-2.0-x", "SSH")]
        {
            let mut server = server.accept(&accept_request()).unwrap();
            assert!(matches!(server.accept_security_context(&input[..3]), Ok(Step::Incomplete { .. })));
            let Failure { error, token } = server.accept_security_context(input).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{error}");
            assert!(error.message().contains(what), "{error}");
            assert_eq!(token.last(), Some(&70));
            let again = server.accept_security_context(input).unwrap_err();
            assert_eq!(again.error.to_string(), error.to_string(), "the first error is final");
        }
    }
}

#[test]
fn exchanges_ciphers_and_hashes_are_told_in_the_words_of_windows() {
    use sspi_core::AlgId;
    let world = World::default();
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    for (name, protocol, cipher, bits, hash, hash_bits, exchange, exchange_bits) in [
        (
            "TLS_RSA_WITH_RC4_128_MD5",
            Protocol::Ssl30,
            AlgId::RC4,
            128,
            AlgId::MD5,
            128,
            AlgId::RSA_KEYX,
            2048,
        ),
        (
            "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
            Protocol::Tls10,
            AlgId::TRIPLE_DES,
            168,
            AlgId::SHA1,
            160,
            AlgId::RSA_KEYX,
            2048,
        ),
        (
            "TLS_RSA_WITH_DES_CBC_SHA",
            Protocol::Tls11,
            AlgId::DES,
            56,
            AlgId::SHA1,
            160,
            AlgId::RSA_KEYX,
            2048,
        ),
        (
            "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
            Protocol::Tls10,
            AlgId::RC2,
            40,
            AlgId::MD5,
            128,
            AlgId::RSA_KEYX,
            512,
        ),
        (
            "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
            Protocol::Tls12,
            AlgId::AES_256,
            256,
            AlgId::SHA_256,
            256,
            AlgId::DH_EPHEM,
            2048,
        ),
        (
            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
            Protocol::Tls12,
            AlgId::AES_256,
            256,
            AlgId::SHA_384,
            384,
            AlgId::ECDH_EPHEM,
            255,
        ),
        (
            "TLS_RSA_WITH_NULL_SHA",
            Protocol::Tls12,
            AlgId::NULL_CIPHER,
            0,
            AlgId::SHA1,
            160,
            AlgId::RSA_KEYX,
            2048,
        ),
    ] {
        let with = |config| SchannelConfig { suites: vec![name.to_owned()], ..config };
        let server = SchannelConfig { certificates: vec![rsa.clone()], ..world.server(&[protocol]) };
        let both = handshake(
            &*world.outbound(with(world.client(&[protocol]))),
            &*world.inbound(with(server)),
            usize::MAX,
        );
        let (c, s) = check(both, protocol, name);
        for side in [&c, &s] {
            let info = side.context.attributes().connection_info().unwrap();
            assert_eq!((info.cipher, info.cipher_strength), (cipher, bits), "{name}");
            assert_eq!((info.hash, info.hash_strength), (hash, hash_bits), "{name}");
            assert_eq!((info.exchange, info.exchange_strength), (exchange, exchange_bits), "{name}");
            let info = side.context.attributes().cipher_info().unwrap();
            assert_eq!(info.cipher_suite_name, name);
            assert_eq!(info.certificate, "RSA");
            assert_eq!(info.protocol_version, protocol.version());
        }
    }
}

#[test]
fn a_connection_without_encryption_does_not_claim_to_be_confidential() {
    let world = World::default();
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    for (name, is_encrypted) in [
        ("TLS_RSA_WITH_NULL_SHA", false),
        ("TLS_RSA_WITH_NULL_MD5", false),
        ("TLS_RSA_WITH_RC4_128_SHA", true),
    ] {
        let with = |config| SchannelConfig { suites: vec![name.to_owned()], ..config };
        let server = SchannelConfig { certificates: vec![rsa.clone()], ..world.server(&[Protocol::Tls10]) };
        let client = world.outbound(with(world.client(&[Protocol::Tls10])));
        let (c, s) =
            check(handshake(&*client, &*world.inbound(with(server)), usize::MAX), Protocol::Tls10, name);
        let ContextFlags::Initiator(flags) = c.context.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(IscRet::CONFIDENTIALITY), is_encrypted, "{name}");
        assert!(flags.contains(IscRet::REPLAY_DETECT | IscRet::SEQUENCE_DETECT), "{name}");
        let ContextFlags::Acceptor(flags) = s.context.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(AscRet::CONFIDENTIALITY), is_encrypted, "{name}");
        assert!(flags.contains(AscRet::REPLAY_DETECT | AscRet::SEQUENCE_DETECT), "{name}");
    }
}

/// A DSA key in the form that OpenSSL writes, in PEM or as it is, with its certificate.
fn dsa(world: &World, pem: bool) -> (CertificateConfig, String) {
    let certificate = include_bytes!("../../../crates/legacy-tls/testdata/dsa1024.cert.der");
    let key = include_bytes!("../../../crates/legacy-tls/testdata/dsa1024.key.der");
    let hash = crypto::hash::Hash::Sha256.digest(certificate);
    let key = if pem { pem_of(key).into_bytes() } else { key.to_vec() };
    let config = CertificateConfig {
        chain: world.memory.put("dsa.cert", *certificate),
        key: world.memory.put(if pem { "dsa.pem" } else { "dsa.der" }, key),
        send_root: false,
    };
    (config, test_support::hex::encode(hash.as_ref()))
}

fn pem_of(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN DSA PRIVATE KEY-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
                << (8 * (3 - three.len()));
            for at in 0..4 {
                let digit = char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
                text.push(if at <= three.len() { digit } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END DSA PRIVATE KEY-----\n"
}

#[test]
fn dsa_keys_serve_and_identify_where_their_suites_are_enabled() {
    let world = World::default();
    for pem in [true, false] {
        let (identity, pin) = dsa(&world, pem);
        for (protocol, suite_name) in [
            (Protocol::Ssl30, "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"),
            (Protocol::Tls10, "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA"),
            (Protocol::Tls11, "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"),
            (Protocol::Tls12, "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384"),
        ] {
            let with = |config| SchannelConfig {
                certificates: vec![identity.clone()],
                suites: vec![suite_name.to_owned()],
                pins: vec![pin.clone()],
                ..config
            };
            let server =
                SchannelConfig { client_auth: ClientAuth::Required, ..with(world.server(&[protocol])) };
            let both = handshake(
                &*world.outbound(with(world.client(&[protocol]))),
                &*world.inbound(server),
                usize::MAX,
            );
            let (c, s) = check(both, protocol, suite_name);
            assert_eq!(suite(&s), suite_name);
            assert_eq!(c.context.attributes().cipher_info().unwrap().certificate, "DSS");
            assert_eq!(s.context.attributes().names().unwrap(), "CN=dsa1024.test");
        }
    }
    // Without such a suite nothing can be done with it.
    let (identity, _) = dsa(&world, true);
    let modern = SchannelConfig { certificates: vec![identity], ..world.server(&Protocol::MODERN) };
    let error = world.acquire(modern, CredentialUse::Inbound).err().unwrap();
    assert_eq!((error.setting(), error.fault()), (Some("certificates"), Fault::Configuration), "{error}");
}

#[test]
fn a_hello_that_both_can_continue_reaches_servers_that_sign_with_nothing_better_than_sha_1_or_dsa() {
    let world = World::default();
    let (identity, pin) = dsa(&world, false);
    // TLS 1.2 with DSA: only the engine can go on, and the signature must have been offered.
    let server = world.inbound(SchannelConfig {
        certificates: vec![identity],
        suites: vec!["TLS_DHE_DSS_WITH_AES_128_CBC_SHA256".to_owned()],
        ..world.server(&[Protocol::Tls12])
    });
    let client = world.outbound(SchannelConfig { pins: vec![pin], ..client_of_all(&world) });
    check(handshake(&*client, &*server, 10), Protocol::Tls12, "DSA in TLS 1.2");
}

/// How many inputs each kind of server gets, and the client from each.
const MUTATIONS: u64 = 2_000;

#[test]
fn mutated_hellos_of_every_protocol_are_survived_by_a_server_of_all() {
    let world = World::default();
    let server = world.inbound(server_of_all(&world));
    for (k, kind) in Kind::ALL.into_iter().enumerate() {
        let client = world.outbound(world.client_of(kind));
        let mut c = client.initialize(&initialize_request()).unwrap();
        let Step::Continue { token: hello, .. } = c.initialize_security_context(&[]).unwrap() else {
            panic!("a client speaks first")
        };
        let mut answered = 0;
        for round in 0..MUTATIONS {
            let mut input = hello.clone();
            Mutator::new(round * 8 + k as u64).longest(70_000).mutate_some(&mut input, 3);
            match server.accept(&accept_request()).unwrap().accept_security_context(&input) {
                Ok(Step::Continue { .. } | Step::Incomplete { .. }) => answered += 1,
                Ok(other) => panic!("{other:?}"),
                Err(Failure { error, token }) => {
                    assert_ne!(error.status(), SecStatus::SEC_E_INTERNAL_ERROR, "round {round}: {error}");
                    assert!(error.fault() == Fault::PeerReported || !token.is_empty(), "{round}: {error}");
                }
            }
        }
        assert!(answered > 0 && answered < MUTATIONS, "{kind:?}");
    }
}

#[test]
fn mutated_flights_of_every_protocol_are_survived_by_a_client_of_all() {
    let world = World::default();
    let client = world.outbound(SchannelConfig { resume: false, ..client_of_all(&world) });
    for (k, kind) in Kind::ALL.into_iter().enumerate() {
        let server = world.inbound(world.server_of(kind));
        let mut flight = Vec::new();
        for round in 0..MUTATIONS {
            let mut c = client.initialize(&initialize_request()).unwrap();
            let Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
            // Most inputs answer the hello of another connection, each fiftieth its own.
            if round % 50 == 0 {
                let mut s = server.accept(&accept_request()).unwrap();
                let Step::Continue { token, .. } = s.accept_security_context(&token).unwrap() else {
                    panic!()
                };
                flight = token;
            }
            let mut input = flight.clone();
            Mutator::new(round * 8 + k as u64).longest(70_000).mutate(&mut input);
            loop {
                match c.initialize_security_context(&input) {
                    Ok(Step::Continue { used, .. }) if used > 0 => drop(input.drain(..used)),
                    Ok(Step::Complete { .. }) => panic!("there is no Finished in it"),
                    Ok(_) => break,
                    Err(failure) => {
                        let status = failure.error.status();
                        assert_ne!(status, SecStatus::SEC_E_INTERNAL_ERROR, "{kind:?} {round}: {failure:?}");
                        break;
                    }
                }
            }
        }
    }
}

#[test]
fn a_client_comes_back_with_less_only_where_policy_lets_it_and_a_server_that_knows_better_notices() {
    let world = World::default();
    let config = |fallback| SchannelConfig { fallback, resume: false, ..client_of_all(&world) };
    for (alert, level, fallback, suggested) in [
        (70, 2, true, true),
        (40, 2, true, true),
        (70, 2, false, false),
        (48, 2, true, false),
        (70, 1, true, false),
    ] {
        let client = world.outbound(config(fallback));
        let mut c = client.initialize(&initialize_request()).unwrap();
        c.initialize_security_context(&[]).unwrap();
        let alert = [21, 3, 1, 0, 2, level, alert];
        assert!(matches!(
            c.initialize_security_context(&alert[..6]),
            Ok(Step::Incomplete { missing: Some(1) })
        ));
        let suggests = match c.initialize_security_context(&alert) {
            Err(failure) => {
                assert_eq!(failure.error.fault(), Fault::PeerReported, "{failure:?}");
                let setting = (!fallback).then_some("fallback");
                assert_eq!(failure.error.setting(), setting, "{failure:?}");
                failure.error.suggests_fallback()
            }
            Ok(_) => false,
        };
        assert_eq!(suggests, suggested, "{alert:?} {fallback}");
    }
    let client = world.outbound(config(true));
    let request = sspi_core::InitializeRequest { fallback: true, ..initialize_request() };
    let again = |server: SchannelConfig| {
        let server = world.inbound(server);
        pair::run(
            client.initialize(&request).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
        )
    };
    for kind in Kind::LEGACY {
        check(again(world.server_of(kind)), kind.protocol(), "the second attempt");
    }
    let (c, s) = again(server_of_all(&world));
    assert_eq!(s.err().unwrap().status(), SecStatus::SEC_E_DOWNGRADE_DETECTED);
    let c = c.err().unwrap();
    assert!(c.message().contains("inappropriate_fallback") && !c.suggests_fallback(), "{c}");
    // Less in suites is not less in protocols, and no fallback to the server.
    for (protocols, signals) in [(&[Protocol::Tls12, Protocol::Tls11][..], false), (&support::TLS, true)] {
        let mut c = world.outbound(world.client(protocols)).initialize(&request).unwrap();
        let Step::Continue { token: hello, .. } = c.initialize_security_context(&[]).unwrap() else {
            panic!("a client speaks first")
        };
        // Behind the headers of record and message, version, random and session: the suites.
        let suites = &hello[5 + 4 + 2 + 32..][1 + usize::from(hello[43])..];
        let length = usize::from(u16::from_be_bytes([suites[0], suites[1]]));
        let has = suites[2..2 + length].chunks_exact(2).any(|suite| suite == [0x56, 0x00]);
        assert_eq!(has, signals, "{protocols:?}");
    }
    // A client of modern protocols has nothing to come back with.
    let error = world.outbound(world.client(&Protocol::MODERN)).initialize(&request).err().unwrap();
    assert_eq!(error.setting(), Some("protocols"));
}

/// A ClientHello of TLS 1.3 and 1.2, or of `versions` alone, without anything that TLS 1.3 could be spoken with; in TLS 1.2
/// the engine has its suite.
fn hello_without_suite_of_tls13(versions: &[u16]) -> Vec<u8> {
    let extension = |kind: u16, data: &[u8]| {
        let length = u16::try_from(data.len()).unwrap();
        [&kind.to_be_bytes()[..], &length.to_be_bytes(), data].concat()
    };
    let listed: Vec<u8> = versions.iter().flat_map(|version| version.to_be_bytes()).collect();
    let extensions = [
        extension(43, &[&[u8::try_from(listed.len()).unwrap()][..], &listed].concat()),
        extension(10, &[0, 2, 0, 23]),
        extension(13, &[0, 6, 4, 3, 8, 4, 4, 1]),
    ]
    .concat();
    // TLS_AES_128_CCM_SHA256, which nobody has here, and TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA.
    let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 4, 0x13, 0x04, 0xc0, 0x13], &[1, 0]].concat();
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

/// The client would take it for an attack: the answer says that its server can do better.
///
/// Spec: TLS13 sections 4.1.1 and 4.1.3.
#[test]
fn a_server_of_tls13_does_not_answer_a_client_of_tls13_in_an_older_protocol() {
    let world = World::default();
    let answer = |config: SchannelConfig, versions: &[u16]| {
        let mut server = world.inbound(config).accept(&accept_request()).unwrap();
        server.accept_security_context(&hello_without_suite_of_tls13(versions))
    };
    let failure = answer(server_of_all(&world), &[0x0304, 0x0303]).unwrap_err();
    assert_eq!(failure.token, [21, 3, 3, 0, 2, 2, 40], "{}", failure.error);
    assert_eq!(failure.error.setting(), Some("suites"), "{}", failure.error);

    let is_server_hello = |step: Result<Step, Failure>| {
        matches!(
            step, Ok(Step::Continue { token, .. }) if token.starts_with(&[22, 3, 3]) && token[5] == 2
        )
    };
    assert!(is_server_hello(answer(server_of_all(&world), &[0x0303])), "a client of TLS 1.2");
    let older = SchannelConfig { certificates: certificates(&world), ..world.server(&support::TLS[1..]) };
    assert!(is_server_hello(answer(older, &[0x0304, 0x0303])), "a server of TLS 1.2");

    // Without a list there is no TLS 1.3, whatever stands in the place of TLS 1.2's number.
    let mut high = hello_without_suite_of_tls13(&[0x0304]);
    high[10] = 4;
    let list = high.windows(4).position(|bytes| bytes == [0, 43, 0, 3]).unwrap();
    high[list + 1] = 99;
    let mut server = world.inbound(server_of_all(&world)).accept(&accept_request()).unwrap();
    assert!(is_server_hello(server.accept_security_context(&high)), "a client of something newer");
}

/// Spec: TLS-EXT section 3.
#[test]
fn a_server_that_does_not_know_the_name_may_warn_and_go_on() {
    let world = World::default();
    for kind in Kind::ALL {
        let mut first = true;
        let both = pair::run_with(
            world.outbound(client_of_all(&world)).initialize(&initialize_request()).unwrap(),
            world.inbound(world.server_of(kind)).accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut no_questions,
            &mut |from_client, token| {
                if !from_client && !token.is_empty() && core::mem::take(&mut first) {
                    token.splice(..0, [21, 3, token[2], 0, 2, 1, 112]);
                }
            },
        );
        check(both, kind.protocol(), &format!("{kind:?}"));
    }
}

/// The hello that takes up a session of the engine's has no TLS 1.3 in it, and that was nobody else's doing.
#[test]
fn a_server_that_has_grown_since_its_session_was_made_is_no_attack() {
    let world = World::default();
    let client = world.outbound(world.client(&[Protocol::Tls13, Protocol::Tls12, Protocol::Tls10]));
    let old = world.inbound(world.server_of(Kind::Tls10));
    check(handshake(&*client, &*old, usize::MAX), Protocol::Tls10, "the session");
    let grown = world.inbound(server_of_all(&world));
    check(handshake(&*client, &*grown, usize::MAX), Protocol::Tls12, "the best of the hello");
    check(handshake(&*client, &*grown, usize::MAX), Protocol::Tls13, "the session is forgotten");
}

/// There is no certificate_required before TLS 1.3.
///
/// Spec: TLS12 section 7.4.6.
#[test]
fn a_client_without_certificate_hears_handshake_failure_before_tls13() {
    let world = World::default();
    for kind in [Kind::Tls12, Kind::Tls12Cbc, Kind::Tls11] {
        let required = SchannelConfig { client_auth: ClientAuth::Required, ..world.server_of(kind) };
        let (c, s) = refused(&*world.outbound(world.client_of(kind)), &*world.inbound(required));
        assert!(c.message().contains("handshake_failure (40)"), "{kind:?}: {c}");
        assert_eq!(s.setting(), Some("client-auth"), "{kind:?}: {s}");
    }
}
