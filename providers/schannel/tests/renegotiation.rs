//! A second handshake on a context: SSL 3.0 to TLS 1.2, from either side.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use std::sync::Arc;

use opensspi_schannel::{ClientAuth, ClientCertificate, Protocol, Renegotiation, SchannelConfig};
use sspi_core::{
    AlertLevel, CertificateIdentity, ControlToken, CredentialUse, CredentialsHandle, Decrypted, Question,
    SecStatus, Secret, SecurityContext, Step,
};
use support::again::{KINDS, again, both, client_begins, finish, pair_of, pct, pct_of, refusal, talk};
use support::sessions::Case;
use support::{Kind, World, established, no_questions, send};
use test_support::pair::{self, Established, open, seal};

fn unique(context: &dyn SecurityContext) -> Option<String> {
    context.attributes().unique_bindings().map(|bindings| format!("{bindings:?}")).ok()
}

#[test]
fn a_client_negotiates_again_and_again() {
    let world = World::default();
    for kind in KINDS {
        let (mut client, mut server) = pair_of(&world, kind);
        for _ in 0..2 {
            talk(&mut client, &mut server);
            let before = unique(&*client.context);
            let (again_client, rest) = client_begins(client.context, &mut *server.context);
            assert!(rest.is_empty());
            (client, server) = finish(again_client, again(server.context), &[], &[]);
            assert!(before.is_none() || before != unique(&*client.context), "{kind:?}");
            assert!(!client.context.attributes().session_info().unwrap().reconnect);
        }
        talk(&mut client, &mut server);
    }
}

#[test]
fn a_server_asks_for_the_certificate_that_a_resource_needs() {
    let world = World::default();
    for kind in KINDS {
        let server = SchannelConfig {
            renegotiation: Renegotiation::Ours,
            renegotiation_client_auth: ClientAuth::Required,
            client_roots: vec!["root.pem".to_owned()],
            ..world.server_of(kind)
        };
        let client = SchannelConfig {
            certificates: vec![world.certificate(&world.pki.client("alice").rsa_2048().issue())],
            ..both(world.client_of(kind))
        };
        let (client, mut server) = established(&*world.outbound(client), &*world.inbound(server));
        assert!(server.context.attributes().remote_certificate().is_err(), "it was not asked for");
        let mut request = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        let mut client = client;
        assert_eq!(open(&mut *client.context, &mut request).unwrap().1, Decrypted::Renegotiate);
        // The server may still send.
        assert_eq!(send(&mut server, &mut client, b"meanwhile"), b"meanwhile");
        let (again_client, _) = client_begins(client.context, &mut *server.context);
        let (mut client, mut server) = finish(again_client, again(server.context), &[], &[]);
        talk(&mut client, &mut server);
        let shown = server.context.attributes().remote_certificate().unwrap();
        assert!(!shown.chain.is_empty(), "{kind:?}");
    }
}

#[test]
fn i21_after_a_hello_request_the_live_context_yields_a_client_hello() {
    let world = World::default();
    for kind in KINDS {
        let (mut client, mut server) = pair_of(&world, kind);
        let mut request = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        assert_eq!(open(&mut *client.context, &mut request).unwrap(), (Vec::new(), Decrypted::Renegotiate));
        assert!(request.is_empty(), "there is no extra");
        let mut again = again(client.context);
        let step = again.advance(&[]).unwrap();
        assert!(
            matches!(step, Step::Continue { ref token, used: 0 } if !token.is_empty()),
            "{kind:?}: {step:?}"
        );
    }
}

#[test]
fn a_context_that_has_failed_is_not_negotiated_again() {
    let world = World::default();
    for kind in KINDS {
        let (mut client, mut server) = pair_of(&world, kind);
        let sizes = server.context.attributes().stream_sizes().unwrap();
        let mut record = seal(&mut *server.context, &sizes, b"altered").unwrap();
        *record.last_mut().unwrap() ^= 1;
        let error = open(&mut *client.context, &mut record).unwrap_err();
        let (again, _) = refusal(client.context);
        assert_eq!(again.status(), error.status(), "{kind:?}");
    }
}

#[test]
fn i22_a_second_handshake_with_an_unsuitable_certificate_is_an_algorithm_mismatch() {
    let world = World::default();
    let server = SchannelConfig {
        renegotiation: Renegotiation::Ours,
        renegotiation_client_auth: ClientAuth::Required,
        client_roots: vec!["root.pem".to_owned()],
        ..world.server(&[Protocol::Tls12])
    };
    let client = SchannelConfig {
        client_certificate: ClientCertificate::Ask,
        ..both(world.client(&[Protocol::Tls12]))
    };
    let (client, server) = established(&*world.outbound(client), &*world.inbound(server));
    // The server takes no signature of such a key.
    let certificate = include_bytes!("../../../crates/legacy-tls/testdata/dsa1024.cert.der");
    let key = include_bytes!("../../../crates/legacy-tls/testdata/dsa1024.key.der");
    let mut answer = |question: Question| {
        let Question::ClientCertificate(ask) = question else { panic!("{question:?}") };
        ask.answer(Some(CertificateIdentity {
            chain: vec![certificate.to_vec()],
            private_key: Arc::new(Secret::new(key.to_vec())),
        }));
    };
    let (client, _) = pair::run(again(client.context), again(server.context), usize::MAX, &mut answer);
    let error = client.err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_ALGORITHM_MISMATCH, "{error}");
}

#[test]
fn both_begin_at_once_and_every_split_is_taken() {
    let world = World::default();
    for kind in KINDS {
        for chunk in [1, 3, 100, usize::MAX] {
            let (client, server) = pair_of(&world, kind);
            let (client, server) =
                pair::run(again(client.context), again(server.context), chunk, &mut no_questions);
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            talk(&mut client, &mut server);
        }
    }
}

#[test]
fn data_in_the_middle_comes_in_its_place() {
    let world = World::default();
    for kind in KINDS {
        let (mut client, mut server) = pair_of(&world, kind);
        let sizes = server.context.attributes().stream_sizes().unwrap();
        let late = seal(&mut *server.context, &sizes, b"under way").unwrap();
        let early = seal(&mut *client.context, &sizes, b"before").unwrap();
        let mut client = again(client.context);
        let Step::Continue { token, .. } = client.advance(&[]).unwrap() else { panic!("no hello") };
        let mut data = Vec::new();
        let mut rest = late;
        while !rest.is_empty() {
            let Step::Data { data: piece, used } = client.advance(&rest).unwrap() else { panic!("no data") };
            data.extend(piece);
            rest.drain(..used);
        }
        assert_eq!(data, b"under way", "{kind:?}");
        let mut records = [early, token].concat();
        let mut got = Vec::new();
        loop {
            let (piece, decrypted) = open(&mut *server.context, &mut records).unwrap();
            got.extend(piece);
            if decrypted == Decrypted::Renegotiate {
                break;
            }
        }
        assert_eq!(got, b"before");
        let (mut client, mut server) = finish(client, again(server.context), &[], &records);
        talk(&mut client, &mut server);
    }
}

/// Once a certificate was shown, it is that of the connection, even if a handshake came between in which none was.
#[test]
fn nobody_becomes_somebody_else_by_way_of_nobody() {
    let world = World::default();
    let server = SchannelConfig {
        renegotiation: Renegotiation::Both,
        client_auth: ClientAuth::Optional,
        client_roots: vec!["root.pem".to_owned()],
        ..world.server_of(Kind::Tls12Cbc)
    };
    let client = SchannelConfig {
        client_certificate: ClientCertificate::Ask,
        ..both(world.client_of(Kind::Tls12Cbc))
    };
    let identity = |name: &str| {
        let certificate = world.pki.client(name).rsa_2048().issue();
        CertificateIdentity {
            chain: certificate.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(certificate.key_der().to_vec())),
        }
    };
    let (outbound, inbound) = (world.outbound(client), world.inbound(server));
    let mut shown = vec![Some(identity("mallory")), None, Some(identity("alice"))];
    shown.reverse();
    let mut answer = |question: Question| match question {
        Question::ClientCertificate(ask) => ask.answer(shown.pop().unwrap()),
        other => panic!("{other:?}"),
    };
    let (client, server) = pair::run(
        outbound.initialize(&support::initialize_request()).unwrap(),
        inbound.accept(&support::accept_request()).unwrap(),
        usize::MAX,
        &mut answer,
    );
    let (client, server) = (client.unwrap(), server.unwrap());
    let (client, server) = pair::run(again(client.context), again(server.context), usize::MAX, &mut answer);
    let (client, server) = (client.unwrap(), server.unwrap());
    assert!(server.context.attributes().remote_certificate().is_err());
    let (_, server) = pair::run(again(client.context), again(server.context), usize::MAX, &mut answer);
    assert!(server.err().unwrap().message().contains("not that of the first"));
}

#[test]
fn a_policy_that_asks_for_a_certificate_later_has_no_tls_1_3_and_needs_a_second_handshake() {
    let world = World::default();
    let later = |protocols: &[Protocol], renegotiation| SchannelConfig {
        renegotiation,
        renegotiation_client_auth: ClientAuth::Required,
        client_roots: vec!["root.pem".to_owned()],
        certificates: vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())],
        ..world.server(protocols)
    };
    let both_versions = [Protocol::Tls13, Protocol::Tls12];
    let inbound = world.inbound(later(&both_versions, Renegotiation::Ours));
    let (client, _) = established(&*world.outbound(world.client(&both_versions)), &*inbound);
    let protocol = client.context.attributes().connection_info().unwrap().protocol;
    assert!(!protocol.intersection(sspi_core::SpProt::TLS1_2).is_empty(), "{protocol}");
    for config in [later(&both_versions, Renegotiation::Off), later(&[Protocol::Tls13], Renegotiation::Ours)]
    {
        let error = world.acquire(config, CredentialUse::Inbound).err().unwrap();
        assert_eq!(error.setting(), Some("renegotiation-client-auth"), "{error}");
    }
}

#[test]
fn a_certificate_that_is_required_in_the_second_handshake_of_pct_was_asked_for_in_the_first() {
    let world = World::default();
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let server = SchannelConfig {
        renegotiation: Renegotiation::Both,
        renegotiation_client_auth: ClientAuth::Required,
        client_roots: vec!["root.pem".to_owned()],
        certificates: vec![rsa],
        ..world.server(&[Protocol::Pct1])
    };
    let (client, mut server) =
        established(&*world.outbound(both(world.client(&[Protocol::Pct1]))), &*world.inbound(server));
    let (_client, _) = client_begins(client.context, &mut *server.context);
    let failure = again(server.context).advance(&[]).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_NO_CREDENTIALS, "{}", failure.error);
}

/// What can be said of a session can be said behind a second handshake that did not come about.
#[test]
fn a_context_that_was_declined_still_knows_its_session() {
    let world = World::default();
    let client = world.outbound(both(world.client_of(Kind::Tls12Cbc)));
    let server = world
        .inbound(SchannelConfig { renegotiation: Renegotiation::Ours, ..world.server_of(Kind::Tls12Cbc) });
    let (first, mut at_server) = established(&*client, &*server);
    let (mut begun, _) = client_begins(first.context, &mut *at_server.context);
    let (_, mut at_server) = refusal(at_server.context);
    let no_renegotiation = ControlToken::Alert { level: AlertLevel::Warning, number: 100 };
    let alert = at_server.apply_control_token(&no_renegotiation).unwrap();
    let Step::Declined { mut context, .. } = begun.advance(&alert).unwrap() else { panic!("not declined") };
    context.apply_control_token(&ControlToken::Session { enable_reconnects: false }).unwrap();
    let (next, _) = established(&*client, &*server);
    assert!(!next.context.attributes().session_info().unwrap().reconnect);
}

#[test]
fn pct_is_negotiated_again_from_either_side_with_data_on_its_way() {
    let world = World::default();
    for by_server in [false, true] {
        let (mut client, mut server) = pct(&world, Renegotiation::Both);
        talk(&mut client, &mut server);
        let (begins, hears) = if by_server { (server, client) } else { (client, server) };
        let mut hears = hears;
        let sizes = hears.context.attributes().stream_sizes().unwrap();
        let late = seal(&mut *hears.context, &sizes, b"under way").unwrap();
        let mut begun = again(begins.context);
        let Step::Continue { mut token, used: 0 } = begun.advance(&[]).unwrap() else {
            panic!("nothing begun")
        };
        assert_eq!(open(&mut *hears.context, &mut token).unwrap(), (Vec::new(), Decrypted::Renegotiate));
        let Step::Data { data, used } = begun.advance(&late).unwrap() else { panic!("no data") };
        assert_eq!((&data[..], used), (&b"under way"[..], late.len()));
        let heard = again(hears.context);
        // What follows the announcement is the client's hello, if it began.
        let (mut client, mut server) =
            if by_server { finish(heard, begun, &[], &[]) } else { finish(begun, heard, &[], &token) };
        talk(&mut client, &mut server);
    }
}

#[test]
fn pct_is_not_negotiated_again_by_default_and_the_peer_that_begins_ends_the_connection() {
    let world = World::default();
    let (client, mut server) = pct(&world, Renegotiation::Off);
    assert_eq!(refusal(client.context).0.setting(), Some("renegotiation"));
    let error = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);

    let (client, mut server) = pct_of(&world, Renegotiation::Both, Renegotiation::Off);
    let mut begun = again(client.context);
    let Step::Continue { mut token, .. } = begun.advance(&[]).unwrap() else { panic!("nothing begun") };
    assert_eq!(open(&mut *server.context, &mut token).unwrap().1, Decrypted::Renegotiate);
    let (error, mut context) = refusal(server.context);
    assert_eq!(error.setting(), Some("renegotiation"));
    assert_eq!(open(&mut *context, &mut token).unwrap_err().setting(), Some("renegotiation"));
}

#[test]
fn a_server_of_pct_asks_by_becoming_a_handshake() {
    let world = World::default();
    let (_client, mut server) = pct(&world, Renegotiation::Both);
    let error = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    assert!(error.message().contains("SecurityContext::renegotiate"), "{error}");
}

#[test]
fn by_default_nothing_is_negotiated_again_and_the_setting_is_named() {
    let world = World::default();
    for kind in [Kind::Tls13].into_iter().chain(KINDS) {
        let (client, server) =
            established(&*world.outbound(world.client_of(kind)), &*world.inbound(world.server_of(kind)));
        let setting = Some(if kind == Kind::Tls13 { "renegotiation-client-auth" } else { "renegotiation" });
        let (error, context) = refusal(client.context);
        assert_eq!(
            (error.status(), error.setting()),
            (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, setting),
            "{kind:?}"
        );
        let mut client = Established { context, ..client };
        let mut server = server;
        let error = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
        assert_eq!(
            (error.status(), error.setting()),
            (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, setting),
            "{kind:?}"
        );
        talk(&mut client, &mut server);
    }
}

/// What re-keys a connection of TLS 1.3 is no handshake: what is asked of it names no setting of one, and asks for nothing else.
#[test]
fn new_keys_without_a_handshake_are_of_tls_1_3_alone() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(case.client(&world));
        let (mut client, mut server) = established(&*client, &*world.inbound(case.server(&world)));
        talk(&mut client, &mut server);
        for by_server in [false, true] {
            let (begins, hears) =
                if by_server { (&mut server, &mut client) } else { (&mut client, &mut server) };
            let updated = begins.context.apply_control_token(&ControlToken::UpdateKeys);
            if matches!(case, Case::Tls(Kind::Tls13, _)) {
                hears.extra.extend(updated.unwrap());
                let said = open(&mut *hears.context, &mut hears.extra).unwrap();
                assert_eq!(said, (Vec::new(), Decrypted::Message), "{case:?}");
            } else {
                let error = updated.unwrap_err();
                assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{case:?}");
            }
            talk(&mut client, &mut server);
        }
    }
}

#[test]
fn a_server_whose_setting_is_ours_refuses_a_client_that_begins_and_goes_on() {
    let world = World::default();
    for kind in KINDS {
        let server = SchannelConfig { renegotiation: Renegotiation::Ours, ..world.server_of(kind) };
        let client = both(world.client_of(kind));
        let (client, mut server) = established(&*world.outbound(client), &*world.inbound(server));
        let attributes = client.context.attributes();
        let (mut client, _) = client_begins(client.context, &mut *server.context);
        let (error, mut context) = refusal(server.context);
        assert_eq!(error.setting(), Some("renegotiation"), "{kind:?}");
        let no_renegotiation = ControlToken::Alert { level: AlertLevel::Warning, number: 100 };
        let alert = context.apply_control_token(&no_renegotiation).unwrap();
        // SSL 3.0 has no way to decline but to end.
        if kind == Kind::Ssl30 {
            let failure = client.advance(&alert).err().unwrap();
            assert!(failure.error.message().contains("handshake_failure"), "{}", failure.error);
            let sizes = context.attributes().stream_sizes().unwrap();
            assert!(seal(&mut *context, &sizes, b"on").is_err());
            continue;
        }
        let Step::Declined { context: client, used } = client.advance(&alert).unwrap() else {
            panic!("not declined")
        };
        assert_eq!(used, alert.len());
        assert!(Arc::ptr_eq(&attributes, &client.attributes()), "{kind:?}");
        let ended = |context| Established { context, extra: Vec::new(), sent: Vec::new() };
        let (mut client, mut server) = (ended(client), ended(context));
        talk(&mut client, &mut server);
        // It may ask again.
        let (_, rest) = client_begins(client.context, &mut *server.context);
        assert!(rest.is_empty());
    }
}

#[test]
fn a_client_that_declines_is_heard_and_ends_the_connection_where_its_certificate_is_needed() {
    let world = World::default();
    for required in [false, true] {
        let server = SchannelConfig {
            renegotiation: Renegotiation::Ours,
            renegotiation_client_auth: if required { ClientAuth::Required } else { ClientAuth::None },
            client_roots: vec!["root.pem".to_owned()],
            ..world.server(&[Protocol::Tls12])
        };
        let client = world.client(&[Protocol::Tls12]);
        let (mut client, mut server) = established(&*world.outbound(client), &*world.inbound(server));
        let no_renegotiation = ControlToken::Alert { level: AlertLevel::Warning, number: 100 };
        let unasked = client.context.apply_control_token(&no_renegotiation).unwrap();
        assert_eq!(
            open(&mut *server.context, &mut unasked.clone()).unwrap().1,
            Decrypted::Message,
            "not asked"
        );
        let request = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        assert_eq!(open(&mut *client.context, &mut request.clone()).unwrap().1, Decrypted::Renegotiate);
        let (error, mut context) = refusal(client.context);
        assert_eq!(error.setting(), Some("renegotiation"));
        let mut alert = context.apply_control_token(&no_renegotiation).unwrap();
        let heard = open(&mut *server.context, &mut alert).map(|(_, decrypted)| decrypted);
        if required {
            assert!(heard.unwrap_err().message().contains("no certificate"));
        } else {
            assert_eq!(heard.unwrap(), Decrypted::NoRenegotiation);
        }
    }
}

#[test]
fn tls_1_3_stays_with_rustls_beside_a_tls_1_2_that_negotiates_again() {
    let world = World::default();
    let protocols = [Protocol::Tls13, Protocol::Tls12];
    let server = world.inbound(both(world.server(&protocols)));
    for protocols in [&protocols[..], &[Protocol::Tls12]] {
        for client in [world.client(protocols), both(world.client(protocols))] {
            let client: Arc<dyn CredentialsHandle> = world.outbound(client);
            let (mut client, mut server) = established(&*client, &*server);
            talk(&mut client, &mut server);
            let version = server.context.attributes().cipher_info().unwrap().protocol_version;
            assert_eq!(version, if protocols.len() == 2 { 0x0304 } else { 0x0303 });
            assert_eq!(server.context.renegotiate(&[]).is_ok(), protocols.len() == 1);
        }
    }
}

/// rustls makes the hello, and leaves all of TLS 1.2 to the engine.
///
/// Spec: RENEG section 3.4.
#[test]
fn a_hello_that_spans_both_backends_has_all_that_a_second_handshake_of_tls12_needs() {
    let world = World::default();
    let server = world.inbound(both(world.server_of(Kind::Tls12)));
    let client = world.outbound(both(world.client(&[Protocol::Tls13, Protocol::Tls12])));
    let (client, mut server) = established(&*client, &*server);
    let suite = client.context.attributes().cipher_info().unwrap().cipher_suite_name;
    assert_eq!(suite, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "the suites are those of rustls too");
    // Without the renegotiation indication the client would not begin.
    let (again_client, _) = client_begins(client.context, &mut *server.context);
    let (mut client, mut server) = finish(again_client, again(server.context), &[], &[]);
    talk(&mut client, &mut server);
}
