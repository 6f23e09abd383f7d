//! What Windows itself answers, row by row, where our interface has the same situation. The rows that Rust's types make
//! impossible are listed in `docs/sspi-map.md`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "a failure here is a failed test")]

mod support;

use std::sync::Arc;

use opensspi_schannel::{CertificateConfig, ClientAuth, Protocol, SchannelConfig};
use sspi_core::{
    AlertLevel, AlgId, AuthData, CertificateIdentity, ControlToken, CredentialUse, CredentialsRequest,
    Decrypted, InitializeRequest, IscReq, QualityOfProtection, Registry, SecBuffer, SecBufferType,
    SecPkgFlags, SecStatus, Secret, SecurityPackage, SpProt, Step, StreamLayout,
};
use support::{Kind, World, accept_request, established, initialize_request, no_questions};
use test_support::pair::{self, Established, receive_buffers, seal};

const BOTH: [Protocol; 2] = [Protocol::Tls13, Protocol::Tls12];

fn identity(chain: Vec<Vec<u8>>, key: &[u8]) -> AuthData {
    AuthData::Certificate(CertificateIdentity { chain, private_key: Arc::new(Secret::new(key.to_vec())) })
}

fn acquire(world: &World, credential_use: CredentialUse, auth_data: AuthData) -> Result<(), SecStatus> {
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(credential_use) };
    let package = world.package(world.client(&BOTH));
    package.acquire_credentials_handle(&request).map(drop).map_err(|error| error.status())
}

/// TLS 1.2 with ECDHE-RSA-AES256-GCM, the suite that Windows was watched with.
fn tls12_rsa(world: &World) -> (Established, Established) {
    let suites = vec!["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384".to_owned()];
    let certificate = world.certificate(&world.pki.server("localhost").rsa_2048().intermediate().issue());
    let server = world.inbound(SchannelConfig {
        certificates: vec![certificate],
        suites: suites.clone(),
        alpn: vec!["http/1.1".to_owned()],
        ..world.server(&[Protocol::Tls12])
    });
    let client = world.outbound(SchannelConfig {
        suites,
        alpn: vec!["http/1.1".to_owned()],
        ..world.client(&[Protocol::Tls12])
    });
    established(&*client, &*server)
}

#[test]
fn c1_an_unknown_package_is_secpkg_not_found() {
    let mut registry = Registry::new();
    let world = World::default();
    registry.register(Arc::new(world.package(SchannelConfig::default()))).unwrap();
    for name in ["", "Schanel", "NTLM"] {
        assert_eq!(registry.by_name(name).err().unwrap().status(), SecStatus::SEC_E_SECPKG_NOT_FOUND);
    }
    assert!(registry.by_name("microsoft unified security protocol provider").is_ok());
}

#[test]
fn c3_a_credential_for_both_directions_is_no_credentials() {
    let world = World::default();
    assert_eq!(
        acquire(&world, CredentialUse::Both, AuthData::Configured),
        Err(SecStatus::SEC_E_NO_CREDENTIALS)
    );
}

#[test]
fn c4_an_inbound_credential_without_certificate_is_no_credentials() {
    let world = World::default();
    assert_eq!(
        acquire(&world, CredentialUse::Inbound, AuthData::Configured),
        Err(SecStatus::SEC_E_NO_CREDENTIALS)
    );
}

#[test]
fn c6_an_outbound_credential_without_certificate_is_good() {
    let world = World::default();
    assert_eq!(acquire(&world, CredentialUse::Outbound, AuthData::Configured), Ok(()));
}

#[test]
fn c7_c8_protocols_of_the_other_role_only_are_an_algorithm_mismatch() {
    // Windows judges them when the credential is acquired; here a credential's protocols have no role, a request's do.
    let world = World::default();
    let servers = Some(SpProt::TLS1_2.intersection(SpProt::SERVERS));
    let clients = Some(SpProt::TLS1_2.intersection(SpProt::CLIENTS));
    let client = world.outbound(world.client(&BOTH));
    let server = world.inbound(world.server(&BOTH));
    let initialize = |protocols| client.initialize(&InitializeRequest { protocols, ..initialize_request() });
    let accept = |protocols| server.accept(&sspi_core::AcceptRequest { protocols, ..accept_request() });
    assert_eq!(initialize(servers).err().unwrap().status(), SecStatus::SEC_E_ALGORITHM_MISMATCH);
    assert_eq!(accept(clients).err().unwrap().status(), SecStatus::SEC_E_ALGORITHM_MISMATCH);
    assert!(initialize(clients).is_ok() && accept(servers).is_ok());
}

#[test]
fn c11_a_bogus_certificate_is_unknown_credentials() {
    let world = World::default();
    let good = world.pki.server("localhost").issue();
    for credential_use in [CredentialUse::Inbound, CredentialUse::Outbound] {
        let auth = identity(vec![vec![0x30, 0x03, 1, 2, 3]], good.key_der());
        assert_eq!(acquire(&world, credential_use, auth), Err(SecStatus::SEC_E_UNKNOWN_CREDENTIALS));
    }
}

#[test]
fn c12_a_certificate_without_its_private_key_is_no_credentials() {
    let world = World::default();
    let good = world.pki.server("localhost").issue();
    for credential_use in [CredentialUse::Inbound, CredentialUse::Outbound] {
        let auth = identity(good.chain_der().to_vec(), &[]);
        assert_eq!(acquire(&world, credential_use, auth), Err(SecStatus::SEC_E_NO_CREDENTIALS));
    }
}

#[test]
fn c16_a_certificate_with_its_key_is_good() {
    let world = World::default();
    let good = world.pki.server("localhost").issue();
    for credential_use in [CredentialUse::Inbound, CredentialUse::Outbound] {
        let auth = identity(good.chain_der().to_vec(), good.key_der());
        assert_eq!(acquire(&world, credential_use, auth), Ok(()));
    }
}

#[test]
fn c17_one_bogus_certificate_of_two_is_unknown_credentials_in_either_order() {
    let world = World::default();
    let good = world.certificate(&world.pki.server("localhost").issue());
    let bogus = CertificateConfig { chain: world.memory.put("bogus.pem", "no certificate"), ..good.clone() };
    for certificates in [vec![good.clone(), bogus.clone()], vec![bogus, good]] {
        for credential_use in [CredentialUse::Inbound, CredentialUse::Outbound] {
            let config = SchannelConfig { certificates: certificates.clone(), ..world.server(&BOTH) };
            let error = world.acquire(config, credential_use).err().unwrap();
            assert_eq!(error.status(), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
        }
    }
}

#[test]
fn k1_the_name_of_an_anonymous_credential_is_no_credentials_before_and_after_a_handshake() {
    let world = World::default();
    let client = world.outbound(world.client(&BOTH));
    assert_eq!(client.names().unwrap_err().status(), SecStatus::SEC_E_NO_CREDENTIALS);
    established(&*client, &*world.inbound(world.server(&BOTH)));
    assert_eq!(client.names().unwrap_err().status(), SecStatus::SEC_E_NO_CREDENTIALS);
}

#[test]
fn k2_supported_protocols_are_exactly_those_that_are_enabled() {
    let world = World::default();
    let client = world.outbound(world.client(&[Protocol::Tls12]));
    assert_eq!(client.supported_protocols().unwrap(), SpProt::TLS1_2.intersection(SpProt::CLIENTS));
}

#[test]
fn k4_supported_algorithms_are_listed() {
    let world = World::default();
    let algorithms = world.outbound(world.client(&BOTH)).supported_algorithms().unwrap();
    assert!(algorithms.contains(&AlgId::AES_256) && algorithms.contains(&AlgId::ECDH_EPHEM));
}

#[test]
fn k5_cipher_strengths_of_an_inbound_credential_are_not_zero() {
    let world = World::default();
    let strengths = world.inbound(world.server(&BOTH)).cipher_strengths().unwrap();
    assert_eq!((strengths.minimum, strengths.maximum), (128, 256));
}

#[test]
fn i1_the_first_call_continues_with_a_token() {
    let world = World::default();
    let mut client = world.outbound(world.client(&BOTH)).initialize(&initialize_request()).unwrap();
    let Step::Continue { token, used: 0 } = client.initialize_security_context(&[]).unwrap() else {
        panic!()
    };
    assert_eq!(token[0], 0x16);
}

#[test]
fn i9_i10_garbage_in_a_continuing_call_is_invalid_token() {
    let world = World::default();
    let credential = world.outbound(world.client(&BOTH));
    for byte in [0xfa, 0x00] {
        let mut client = credential.initialize(&initialize_request()).unwrap();
        client.initialize_security_context(&[]).unwrap();
        let failure = client.initialize_security_context(&[byte; 8192]).unwrap_err();
        assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_TOKEN);
        let again = client.initialize_security_context(&[]).unwrap_err();
        assert_eq!(again.error.status(), SecStatus::SEC_E_INVALID_TOKEN, "the first error is final");
    }
}

#[test]
fn i12_to_i15_an_incomplete_record_says_how_much_is_missing() {
    let world = World::default();
    let mut client = world.outbound(world.client(&BOTH)).initialize(&initialize_request()).unwrap();
    client.initialize_security_context(&[]).unwrap();
    for (input, expected) in [
        (&[][..], 5),
        (&[0x16, 3, 3, 0][..], 1),
        (&[0x16, 3, 3, 0, 100][..], 100),
        (&[0x16, 3, 3, 0, 100, 2, 0, 0][..], 97),
    ] {
        let step = client.initialize_security_context(input).unwrap();
        assert!(
            matches!(step, Step::Incomplete { missing: Some(m) } if m == expected),
            "{input:?}: {step:?}"
        );
    }
}

#[test]
fn i18_the_last_call_yields_exactly_the_flags_of_a_stream() {
    // The flags themselves are compared in handshakes.rs; here, that the last call has no token to send.
    let world = World::default();
    let client = world.outbound(world.client(&[Protocol::Tls12]));
    let server = world.inbound(world.server(&[Protocol::Tls12]));
    let request = InitializeRequest { flags: IscReq::USE_SUPPLIED_CREDS, ..initialize_request() };
    let mut c = client.initialize(&request).unwrap();
    let mut s = server.accept(&accept_request()).unwrap();
    let Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
    let Step::Continue { token, .. } = s.accept_security_context(&token).unwrap() else { panic!() };
    let Step::Continue { token, .. } = c.initialize_security_context(&token).unwrap() else { panic!() };
    let Step::Complete { token, .. } = s.accept_security_context(&token).unwrap() else { panic!() };
    let Step::Complete { token, .. } = c.initialize_security_context(&token).unwrap() else { panic!() };
    assert!(token.is_empty());
}

#[test]
fn i19_application_protocols_may_come_with_the_first_call() {
    let world = World::default();
    let request =
        InitializeRequest { application_protocols: Some(vec![b"h2".to_vec()]), ..initialize_request() };
    let mut client = world.outbound(world.client(&BOTH)).initialize(&request).unwrap();
    let Step::Continue { token, .. } = client.initialize_security_context(&[]).unwrap() else { panic!() };
    assert!(token.windows(5).any(|w| w == b"\x00\x03\x02h2"));
}

#[test]
fn i20_a_loopback_goes_continue_continue_continue_ok_ok() {
    // Windows was watched with TLS 1.0; TLS 1.2 has the same flights.
    let world = World::default();
    for kind in [Kind::Tls10, Kind::Tls12] {
        let alpn = vec!["http/1.1".to_owned()];
        let client = world.outbound(SchannelConfig { alpn: alpn.clone(), ..world.client_of(kind) });
        let server = world.inbound(SchannelConfig { alpn, ..world.server_of(kind) });
        let mut c = client.initialize(&initialize_request()).unwrap();
        let mut s = server.accept(&accept_request()).unwrap();
        let Step::Continue { token, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
        let Step::Continue { token, .. } = s.accept_security_context(&token).unwrap() else { panic!() };
        let Step::Continue { token, .. } = c.initialize_security_context(&token).unwrap() else { panic!() };
        let sent = token.len();
        let Step::Complete { context: server, token, used } = s.accept_security_context(&token).unwrap()
        else {
            panic!("{kind:?}")
        };
        assert_eq!(used, sent);
        assert!(!token.is_empty(), "ChangeCipherSpec and Finished");
        let sent = token.len();
        let Step::Complete { context: client, token, used } = c.initialize_security_context(&token).unwrap()
        else {
            panic!("{kind:?}")
        };
        assert_eq!((token.len(), used), (0, sent));
        for context in [client, server] {
            let attributes = context.attributes();
            let protocol = attributes.application_protocol().unwrap().protocol;
            assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]), "{kind:?}");
            assert_eq!(attributes.cipher_info().unwrap().protocol_version, kind.protocol().version());
        }
    }
}

#[test]
fn a1_the_remote_certificate_comes_with_its_whole_chain() {
    let world = World::default();
    let (c, _) = tls12_rsa(&world);
    assert_eq!(c.context.attributes().remote_certificate().unwrap().chain.len(), 2);
}

#[test]
fn a2_endpoint_bindings_are_the_prefix_and_the_sha256_of_the_certificate() {
    let world = World::default();
    let (c, _) = tls12_rsa(&world);
    let bindings = c.context.attributes().endpoint_bindings().unwrap();
    assert!(bindings.application_data().starts_with(b"tls-server-end-point:"));
    assert_eq!(bindings.value().len(), 32);
    assert_eq!(bindings.to_sec_channel_bindings().len(), 32 + bindings.application_data().len());
}

#[test]
fn a3_unique_bindings_are_the_prefix_and_the_verify_data() {
    let world = World::default();
    let (c, s) = tls12_rsa(&world);
    let bindings = c.context.attributes().unique_bindings().unwrap();
    assert!(bindings.application_data().starts_with(b"tls-unique:"));
    assert_eq!(bindings, s.context.attributes().unique_bindings().unwrap());
}

#[test]
fn a4_connection_info_has_no_hash_strength_for_an_aead() {
    let world = World::default();
    let info = tls12_rsa(&world).0.context.attributes().connection_info().unwrap();
    assert!(info.cipher_strength >= 128);
    assert_eq!(info.hash_strength, 0);
}

#[test]
fn a5_cipher_info_is_the_one_of_windows() {
    let world = World::default();
    let info = tls12_rsa(&world).0.context.attributes().cipher_info().unwrap();
    assert_eq!((info.protocol_version, info.cipher_suite), (0x0303, 0xc030));
    assert_eq!(info.cipher_suite_name, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_eq!((&*info.cipher, info.cipher_len, info.cipher_block_len), ("AES", 256, 16));
    assert_eq!((&*info.hash, info.hash_len), ("", 0));
    assert_eq!((&*info.exchange, &*info.certificate, info.key_type), ("ECDH", "RSA", 0x1d));
}

#[test]
fn a6_key_info_is_the_one_of_windows() {
    let world = World::default();
    let info = tls12_rsa(&world).0.context.attributes().key_info().unwrap();
    assert_eq!((info.signature_algorithm, &*info.signature_algorithm_name), (AlgId::RSA_SIGN, "RSA"));
    assert!(info.key_size >= 128);
}

#[test]
fn a7_stream_sizes_are_there() {
    let world = World::default();
    let sizes = tls12_rsa(&world).0.context.attributes().stream_sizes().unwrap();
    assert_eq!((sizes.header, sizes.trailer, sizes.maximum_message, sizes.buffers), (13, 16, 16384, 4));
}

#[test]
fn a8_negotiation_info_is_unsupported() {
    let world = World::default();
    let error = tls12_rsa(&world).0.context.attributes().negotiation_info().unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn a9_the_application_protocol_is_http_1_1() {
    let world = World::default();
    let protocol = tls12_rsa(&world).0.context.attributes().application_protocol().unwrap().protocol;
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
}

#[test]
fn m1_encrypt_takes_header_data_trailer_and_empty() {
    let world = World::default();
    let (mut c, _) = tls12_rsa(&world);
    let sizes = c.context.attributes().stream_sizes().unwrap();
    let layout = StreamLayout::new(&sizes, 3);
    let mut memory = vec![0; layout.end()];
    let mut buffers = layout.buffers();
    c.context.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    assert_eq!(StreamLayout::message_range(&buffers), 0..layout.end());
    let before = memory.clone();
    for wrong in [
        [buffers[1], buffers[0], buffers[2], buffers[3]],
        [buffers[0], buffers[0], buffers[2], buffers[3]],
        [buffers[0], buffers[1], SecBuffer::EMPTY, buffers[3]],
        [buffers[0], SecBuffer::new(SecBufferType::DATA, 14..16), buffers[2], buffers[3]],
    ] {
        let error = c
            .context
            .encrypt_message(QualityOfProtection::Default, &mut memory, &mut wrong.clone())
            .unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
    }
    assert_eq!(memory, before, "an error writes nothing");
}

#[test]
fn m2_to_m5_decrypt_insists_on_one_data_buffer_and_three_empty_ones() {
    let world = World::default();
    let (mut c, mut s) = tls12_rsa(&world);
    let sizes = s.context.attributes().stream_sizes().unwrap();
    let mut record = seal(&mut *s.context, &sizes, b"data").unwrap();
    let data = SecBuffer::new(SecBufferType::DATA, 0..record.len());
    let extra = SecBuffer::new(SecBufferType::EXTRA, 0..0);
    let empty = SecBuffer::EMPTY;
    let rows: [(&str, Vec<SecBuffer>); 4] = [
        ("m2", vec![data, empty, empty]),
        ("m3", vec![empty, empty, empty, empty]),
        ("m4", vec![data, data, empty, empty]),
        ("m5", vec![data, extra, empty, empty]),
    ];
    for (row, mut buffers) in rows {
        let error = c.context.decrypt_message(&mut record, &mut buffers).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{row}");
    }
    let mut buffers = receive_buffers(record.len());
    assert_eq!(c.context.decrypt_message(&mut record, &mut buffers).unwrap(), Decrypted::Message);
    assert_eq!(&record[buffers[1].range()], b"data", "the context lives on");
}

#[test]
fn m6_a_record_that_is_5_bytes_short_says_5() {
    let world = World::default();
    let (mut c, mut s) = tls12_rsa(&world);
    let sizes = s.context.attributes().stream_sizes().unwrap();
    let mut record = seal(&mut *s.context, &sizes, b"data").unwrap();
    let whole = record.clone();
    let mut buffers = receive_buffers(record.len() - 5);
    let decrypted = c.context.decrypt_message(&mut record, &mut buffers).unwrap();
    assert_eq!(decrypted, Decrypted::Incomplete { missing: Some(5) });
    assert_eq!((record, buffers), (whole.clone(), receive_buffers(whole.len() - 5)), "nothing is touched");
}

#[test]
fn t6_shutdown_may_be_repeated() {
    let world = World::default();
    let (mut c, _) = tls12_rsa(&world);
    assert!(!c.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty());
    assert!(c.context.apply_control_token(&ControlToken::Shutdown).unwrap().is_empty());
}

#[test]
fn t2_renegotiation_is_unsupported_where_the_protocol_has_none() {
    let world = World::default();
    let (mut c, _) = tls12_rsa(&world);
    let error = c.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn t9_any_alert_of_the_table_can_be_sent_and_is_understood() {
    let world = World::default();
    for protocol in BOTH {
        let client = world.outbound(world.client(&[protocol]));
        let server = world.inbound(world.server(&[protocol]));
        for number in
            (1..=120).filter(|n| *n != 41).filter(|n| opensspi_schannel::alert_meaning(*n).is_some())
        {
            let (mut c, mut s) = established(&*client, &*server);
            let alert = ControlToken::Alert { level: AlertLevel::Fatal, number };
            let mut token = s.context.apply_control_token(&alert).unwrap();
            // Tickets of TLS 1.3 may lie in front of it.
            c.extra.append(&mut token);
            let outcome = pair::open(&mut *c.context, &mut c.extra);
            // user_canceled and no_renegotiation are warnings, whatever the application says; TLS 1.3 has the former only.
            if number == 90 || (number == 100 && protocol != Protocol::Tls13) {
                assert!(outcome.is_ok(), "{protocol:?} {number}: {outcome:?}");
                continue;
            }
            let error = outcome.unwrap_err();
            let meaning = opensspi_schannel::alert_meaning(number).unwrap();
            assert_eq!(error.status(), meaning.status, "{protocol:?} {number}");
            assert!(error.message().contains(meaning.name), "{error}");
            assert_eq!(error.alert(), None, "an alert is not answered with an alert");
        }
    }
}

#[test]
fn l4_the_package_says_what_windows_says() {
    let world = World::default();
    let package = world.package(SchannelConfig::default());
    let info = package.package_info();
    assert_eq!(info.capabilities, SecPkgFlags(0x107B3));
    assert_eq!((info.version, info.rpc_id, info.max_token), (1, 14, 0x6000));
}

#[test]
fn g2_g3_packages_are_enumerated_and_an_unknown_one_is_not_found() {
    let world = World::default();
    let mut registry = Registry::new();
    registry.register(Arc::new(world.package(SchannelConfig::default()))).unwrap();
    assert_eq!(registry.enumerate_security_packages().len(), 1);
    assert_eq!(
        registry.query_security_package_info("Nope").unwrap_err().status(),
        SecStatus::SEC_E_SECPKG_NOT_FOUND
    );
}

#[test]
fn make_and_verify_signature_are_unsupported_on_a_stream() {
    let world = World::default();
    let (mut c, _) = tls12_rsa(&world);
    let error = c.context.make_signature(QualityOfProtection::Default, &mut [], &mut []).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let error = c.context.verify_signature(&[], &[]).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn mutual_auth_of_the_acceptor_asks_for_a_certificate_although_the_configuration_does_not() {
    let world = World::default();
    let alice = world.pki.client("alice").issue();
    for protocol in BOTH {
        let client = world.outbound(SchannelConfig {
            certificates: vec![world.certificate(&alice)],
            ..world.client(&[protocol])
        });
        let server =
            world.inbound(SchannelConfig { client_auth: ClientAuth::None, ..world.server(&[protocol]) });
        let request = sspi_core::AcceptRequest { flags: sspi_core::AscReq::MUTUAL_AUTH, ..accept_request() };
        let (_, s) = pair::run(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&request).unwrap(),
            usize::MAX,
            &mut no_questions,
        );
        assert!(s.ok().unwrap().context.attributes().remote_certificate().is_ok());
    }
}
