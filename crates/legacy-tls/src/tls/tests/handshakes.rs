//! Client against server: every suite in every version, resumption, certificates, extensions.

use crypto::ecdh::NamedGroup;

use super::*;

const V: [ProtocolVersion; 4] = ProtocolVersion::ALL;
const TLS: [ProtocolVersion; 3] = [ProtocolVersion::TLS12, ProtocolVersion::TLS11, ProtocolVersion::TLS10];

#[track_caller]
fn complete(fixture: &Fixture, what: &str) -> Pair {
    fixture.run().unwrap_or_else(|(side, failure)| panic!("{what}: {side:?}: {}", failure.error))
}

#[track_caller]
fn fails(fixture: &Fixture, at: Side) -> Failure {
    let Err((side, failure)) = fixture.run() else { panic!("it should fail") };
    assert_eq!(side, at, "{}", failure.error);
    failure
}

#[test]
fn every_suite_completes_in_every_version_that_has_it() {
    let mut run = 0;
    for version in V {
        for row in SUITES.iter().filter(|row| row.is_legal_in(version)) {
            let fixture = Fixture::new(&[version]).suite(row.suite);
            let mut pair = complete(&fixture, &format!("{version} {}", row.name));
            for end in [&pair.client, &pair.server] {
                assert_eq!(end.negotiated.version, version);
                assert_eq!(end.negotiated.suite.suite, row.suite);
                assert!(!end.negotiated.resumed);
            }
            assert_eq!(pair.client.negotiated.strength, pair.server.negotiated.strength, "{}", row.name);
            assert_eq!(pair.client.negotiated.first_finished(), pair.server.negotiated.first_finished());
            pair.talk();
            run += 1;
        }
    }
    assert_eq!(
        run,
        SUITES.iter().map(|row| V.iter().filter(|v| row.is_legal_in(**v)).count()).sum::<usize>()
    );
    assert!(run > 100);
}

#[test]
fn no_suite_is_chosen_in_a_version_that_has_it_not() {
    for version in V {
        for row in SUITES.iter().filter(|row| !row.is_legal_in(version)) {
            let mut fixture = Fixture::new(&[version]);
            fixture.client.policy.suites = vec![row.suite, CipherSuite(0x002f)];
            let pair = complete(&fixture, row.name);
            assert_eq!(pair.client.negotiated.suite.suite, CipherSuite(0x002f), "{version} {}", row.name);
        }
    }
}

#[test]
fn every_handshake_survives_delivery_in_any_pieces() {
    for version in V {
        for suite in [0x0004, 0x0013, 0x0003, 0x002f, 0xc014, 0xc02b].map(CipherSuite) {
            let Some(_) = suite.row().filter(|row| row.is_legal_in(version)) else { continue };
            for piece in [1, 2, 3, 7, 100, 1000] {
                let mut fixture = Fixture::new(&[version]).suite(suite);
                fixture.server.client_auth = ClientAuth::Required;
                fixture.client.identities = vec![rsa1024()];
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                exchange.piece = piece;
                let pair = exchange.run();
                pair.unwrap_or_else(|(side, f)| panic!("{version} {suite} {piece}: {side:?} {}", f.error))
                    .talk();
            }
        }
    }
}

#[test]
fn the_highest_common_version_is_chosen() {
    type Versions = Vec<ProtocolVersion>;
    let subset =
        |bits: u8| V.into_iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0).map(|(_, v)| v).collect();
    let subsets: Vec<Versions> = (1..16).map(subset).collect();
    for client in &subsets {
        for server in &subsets {
            let mut fixture = Fixture::new(client);
            fixture.server.policy = everything(server);
            // A hello names the highest version only: the server may choose one that lies in a hole of the client's list.
            let chosen = server.iter().copied().filter(|v| v <= client.iter().max().unwrap()).max();
            let lowered = server.iter().max() > chosen.as_ref() && client.iter().max() > chosen.as_ref();
            match (fixture.run(), chosen) {
                (Ok(pair), Some(chosen)) => {
                    assert_eq!(pair.client.negotiated.version, chosen, "{client:?} {server:?}");
                    assert!(client.contains(&chosen), "{client:?} {server:?}");
                }
                (Err((Side::Server, failure)), None) => {
                    assert!(matches!(failure.error, Error::Incompatible(Incompatible::NoVersion { .. })));
                }
                (Err((Side::Client, failure)), Some(chosen)) => {
                    assert!(!client.contains(&chosen) || lowered, "{client:?} {server:?} {}", failure.error);
                }
                (outcome, _) => {
                    panic!("{client:?} {server:?}: {:?}", outcome.map(|_| ()).map_err(|(_, f)| f.error))
                }
            }
        }
    }
}

#[test]
fn a_session_is_taken_up_again_and_again() {
    for version in V {
        for suite in [0x0005, 0x000a, 0x002f, 0x0003, 0xc013].map(CipherSuite) {
            let Some(_) = suite.row().filter(|row| row.is_legal_in(version)) else { continue };
            let mut fixture = Fixture::new(&[version]).suite(suite);
            fixture.server.client_auth = ClientAuth::Optional;
            fixture.client.identities = vec![rsa1024()];
            let first = complete(&fixture, "first");
            for _ in 0..3 {
                let mut pair = complete(&fixture, "resumed");
                for (end, before) in [(&pair.client, &first.client), (&pair.server, &first.server)] {
                    assert!(end.negotiated.resumed, "{version} {suite}");
                    assert_eq!(end.negotiated.session_id, before.negotiated.session_id);
                    assert_eq!(end.negotiated.peer_chain, before.negotiated.peer_chain);
                    assert!(!end.negotiated.peer_chain.is_empty());
                }
                assert_eq!(pair.client.negotiated.first_finished(), pair.server.negotiated.first_finished());
                assert_ne!(pair.client.negotiated.client_random(), first.client.negotiated.client_random());
                pair.talk();
            }
        }
    }
}

#[test]
fn a_session_is_not_taken_up_again_when_something_has_changed() {
    type Change = fn(&mut Fixture);
    let changes: [(&str, Change); 6] = [
        ("its server name", |f| f.parameters.server_name = Some("other.test".to_owned())),
        ("its suite, which the client has no more", |f| f.client.policy.suites = vec![CipherSuite(0x0035)]),
        ("its suite, which the server has no more", |f| f.server.policy.suites = vec![CipherSuite(0x0035)]),
        ("time", |f| f.clock.set(1_000_000 + 36_001)),
        ("resumption, which the server has no more", |f| f.server.policy.resume = false),
        ("resumption, which the client has no more", |f| f.client.policy.resume = false),
    ];
    for (what, change) in changes {
        let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
        fixture.client.policy.suites = vec![CipherSuite(0x002f), CipherSuite(0x0035)];
        fixture.server.policy.suites = fixture.client.policy.suites.clone();
        fixture.run().unwrap();
        assert!(fixture.run().unwrap().client.negotiated.resumed, "before {what} changed");
        change(&mut fixture);
        let pair = complete(&fixture, what);
        assert!(!pair.client.negotiated.resumed, "{what}");
        assert!(!pair.server.negotiated.resumed, "{what}");
    }
}

#[test]
fn a_session_without_certificate_is_not_enough_where_one_is_required() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.run().unwrap();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    let pair = complete(&fixture, "with certificate");
    assert!(!pair.server.negotiated.resumed);
    assert_eq!(pair.server.negotiated.peer_chain.len(), 1);
}

#[test]
fn a_certificate_is_judged_again_when_its_session_is_taken_up() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    fixture.run().unwrap();
    // The server makes a new session.
    fixture.server.client_verifier = Arc::new(Judge::RefusesResumed);
    assert!(!complete(&fixture, "refused by the server").server.negotiated.resumed);
    // The client gives up, and forgets the session.
    fixture.client.verifier = Arc::new(Judge::RefusesResumed);
    fixture.server.client_verifier = Arc::new(Judge::Accepts);
    assert!(matches!(fails(&fixture, Side::Client).error, Error::Certificate(_)));
    assert!(!complete(&fixture, "forgotten").client.negotiated.resumed);
}

#[test]
fn every_kind_of_client_certificate_proves_itself() {
    for version in V {
        for identity in [rsa2048(), rsa1024(), dsa1024(), p256()] {
            if version == ProtocolVersion::SSL30 && identity.serves("p256.test") {
                continue;
            }
            let mut fixture = Fixture::new(&[version]);
            fixture.client.identities = vec![Arc::clone(&identity)];
            fixture.server.client_auth = ClientAuth::Required;
            let mut pair = complete(&fixture, &format!("{version} {identity:?}"));
            assert_eq!(pair.server.negotiated.peer_chain, identity.chain());
            pair.talk();
        }
    }
}

#[test]
fn a_client_without_certificate_passes_where_it_is_optional_and_not_where_it_is_required() {
    for version in V {
        let mut fixture = Fixture::new(&[version]);
        fixture.server.client_auth = ClientAuth::Optional;
        assert!(complete(&fixture, "optional").server.negotiated.peer_chain.is_empty());
        fixture.client.policy.resume = false;
        fixture.server.client_auth = ClientAuth::Required;
        let failure = fails(&fixture, Side::Server);
        assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)), "{version}");
        assert_eq!(failure.error.alert(), Some(AlertDescription::HANDSHAKE_FAILURE));
    }
}

#[test]
fn the_application_is_asked_for_a_certificate() {
    for version in V {
        for answer in [None, Some(rsa1024())] {
            for piece in [0, 1] {
                let mut fixture = Fixture::new(&[version]);
                fixture.client.ask_for_certificate = true;
                fixture.server.client_auth = ClientAuth::Optional;
                fixture.server.authorities = vec![vec![0x30, 0]];
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                exchange.piece = piece;
                exchange.answer = answer.clone();
                let pair = exchange.run();
                let mut pair = pair.unwrap_or_else(|(side, f)| panic!("{version}: {side:?} {}", f.error));
                assert_eq!(pair.server.negotiated.peer_chain.is_empty(), answer.is_none());
                pair.talk();
            }
        }
    }
}

#[test]
fn a_certificate_follows_what_the_server_names() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.client.identities = vec![rsa1024(), dsa1024()];
    fixture.server.client_auth = ClientAuth::Optional;
    let issuer = certificate::issuer(&dsa1024().chain()[0]).unwrap().to_vec();
    fixture.server.authorities = vec![issuer];
    assert_eq!(fixture.run().unwrap().server.negotiated.peer_chain, dsa1024().chain());
}

#[test]
fn a_refused_certificate_ends_the_handshake_with_its_alert() {
    for version in V {
        let mut fixture = Fixture::new(&[version]);
        fixture.client.verifier = Arc::new(Judge::Refuses);
        let [_, minor] = version.0.to_be_bytes();
        assert_eq!(fails(&fixture, Side::Client).output, [21, 3, minor, 0, 2, 2, 46], "{version}");
        let mut fixture = Fixture::new(&[version]);
        fixture.client.identities = vec![rsa1024()];
        fixture.server.client_auth = ClientAuth::Optional;
        fixture.server.client_verifier = Arc::new(Judge::Refuses);
        assert_eq!(fails(&fixture, Side::Server).error.alert(), Some(AlertDescription::CERTIFICATE_UNKNOWN));
    }
}

#[test]
fn the_servers_order_decides() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.client.policy.suites = [0x0035, 0x000a, 0x0004, 0x002f].map(CipherSuite).to_vec();
    fixture.server.policy.suites = [0x0005, 0x0004, 0x000a].map(CipherSuite).to_vec();
    assert_eq!(fixture.run().unwrap().client.negotiated.suite.suite, CipherSuite(0x0004));
}

#[test]
fn a_certificate_is_chosen_by_name_and_by_suite() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]).suite(CipherSuite(0x002f));
    fixture.server.identities = vec![rsa2048(), rsa1024(), p256()];
    for (name, expected) in [
        ("rsa1024.test", rsa1024()),
        ("www.RSA1024.test", rsa1024()),
        ("a.b.rsa1024.test", rsa2048()),
        ("unknown", rsa2048()),
    ] {
        fixture.parameters.server_name = Some(name.to_owned());
        let pair = complete(&fixture, name);
        assert_eq!(pair.client.negotiated.peer_chain, expected.chain(), "{name}");
        assert_eq!(pair.server.negotiated.server_name, Some(name.to_lowercase()));
    }
}

#[test]
fn a_certificate_whose_curve_the_client_does_not_have_is_not_shown() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.server.policy.suites = [0xc009, 0xc013].map(CipherSuite).to_vec();
    fixture.client.policy.suites = fixture.server.policy.suites.clone();
    fixture.client.policy.resume = false;
    let mut chosen = |groups: &[NamedGroup]| {
        fixture.client.policy.groups = groups.to_vec();
        complete(&fixture, "curves").client.negotiated.suite.suite
    };
    assert_eq!(chosen(&[NamedGroup::X25519, NamedGroup::Secp256r1]), CipherSuite(0xc009));
    assert_eq!(chosen(&[NamedGroup::X25519, NamedGroup::Secp384r1]), CipherSuite(0xc013));
}

#[test]
fn application_protocols_are_agreed_on_or_the_handshake_fails() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.client.policy.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(fixture.run().unwrap().client.negotiated.alpn, None);
    fixture.server.policy.alpn = vec![b"ftp".to_vec(), b"http/1.1".to_vec()];
    let pair = fixture.run().unwrap();
    assert!(pair.client.negotiated.resumed);
    assert_eq!(pair.client.negotiated.alpn.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(pair.server.negotiated.alpn.as_deref(), Some(&b"http/1.1"[..]));
    fixture.server.policy.alpn = vec![b"ftp".to_vec()];
    assert_eq!(fails(&fixture, Side::Server).error.alert(), Some(AlertDescription::NO_APPLICATION_PROTOCOL));
}

#[test]
fn master_secrets_are_bound_where_both_sides_do_so() {
    use ExtendedMasterSecret::{Off, Offered, Required};
    for version in TLS {
        for (client, server, bound) in [
            (Offered, Offered, Some(true)),
            (Off, Offered, Some(false)),
            (Offered, Off, Some(false)),
            (Required, Offered, Some(true)),
            (Offered, Required, Some(true)),
            (Required, Off, None),
            (Off, Required, None),
        ] {
            let mut fixture = Fixture::new(&[version]);
            fixture.client.policy.extended_master_secret = client;
            fixture.server.policy.extended_master_secret = server;
            match (fixture.run(), bound) {
                (Ok(pair), Some(bound)) => {
                    assert_eq!(pair.client.negotiated.extended_master_secret, bound);
                    assert_eq!(pair.server.negotiated.extended_master_secret, bound);
                }
                (Err((_, failure)), None) => {
                    assert!(matches!(
                        failure.error,
                        Error::Incompatible(Incompatible::NoExtendedMasterSecret)
                    ));
                }
                _ => panic!("{version} {client:?} {server:?}"),
            }
        }
    }
    let mut fixture = Fixture::new(&[ProtocolVersion::SSL30]);
    fixture.client.policy.extended_master_secret = Required;
    assert!(fixture.run().is_err(), "SSL 3.0 has nothing of the kind");
}

#[test]
fn both_sides_signal_secure_renegotiation() {
    for version in V {
        let pair = Fixture::new(&[version]).run().unwrap();
        assert!(pair.client.negotiated.secure_renegotiation(), "{version}");
        assert!(pair.server.negotiated.secure_renegotiation(), "{version}");
    }
}

#[test]
fn exported_keying_material_is_the_same_on_both_sides_and_depends_on_everything() {
    for version in TLS {
        let pair = Fixture::new(&[version]).run().unwrap();
        let export = |end: &Established, label: &[u8], context: Option<&[u8]>| {
            let mut out = [0; 40];
            end.negotiated.export_keying_material(label, context, &mut out).unwrap();
            out
        };
        let all = [
            export(&pair.client, b"label", None),
            export(&pair.client, b"label", Some(b"")),
            export(&pair.client, b"label", Some(b"context")),
            export(&pair.client, b"other", None),
        ];
        assert_eq!(all[0], export(&pair.server, b"label", None));
        assert_eq!(all[2], export(&pair.server, b"label", Some(b"context")));
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one));
        }
    }
    let pair = Fixture::new(&[ProtocolVersion::SSL30]).run().unwrap();
    assert!(pair.client.negotiated.export_keying_material(b"label", None, &mut [0; 8]).is_err());
}

#[test]
fn an_ocsp_response_is_stapled_where_it_is_asked_for() {
    for version in V {
        let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x002f));
        let identity = Arc::into_inner(rsa2048()).unwrap().with_ocsp_response(b"a response".to_vec());
        fixture.server.identities = vec![Arc::new(identity)];
        let pair = complete(&fixture, "stapled");
        let expected: &[u8] = if version == ProtocolVersion::SSL30 { b"" } else { b"a response" };
        assert_eq!(pair.client.negotiated.ocsp_response, expected, "{version}");
    }
}

#[test]
fn a_certificate_whose_key_is_short_enough_needs_no_export_key() {
    for version in [ProtocolVersion::SSL30, ProtocolVersion::TLS10] {
        for (suite, identity, bits) in [
            (0x0003, rsa512(), 512),
            (0x0003, rsa1024(), 512),
            (0x0064, rsa512(), 512),
            (0x0064, rsa1024(), 1024),
            (0x0062, rsa2048(), 1024),
        ] {
            let mut fixture = Fixture::new(&[version]).suite(CipherSuite(suite));
            fixture.server.identities = vec![identity];
            let mut pair = complete(&fixture, &format!("{suite:04x}"));
            assert_eq!(
                pair.client.negotiated.strength,
                Some(KeyExchangeStrength::Rsa { bits }),
                "{suite:04x}"
            );
            pair.talk();
        }
    }
}

#[test]
fn after_a_failure_the_same_error_is_said_again_and_nothing_more_is_sent() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.client.policy.suites = vec![CipherSuite(0x0035)];
    fixture.server.policy.suites = vec![CipherSuite(0x002f)];
    let (mut client, mut server) = (fixture.client(), fixture.server());
    let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!("no hello") };
    let first = server.advance(&output).unwrap_err();
    assert_eq!(first.output, [21, 3, 1, 0, 2, 2, 40]);
    let again = server.advance(&output).unwrap_err();
    assert_eq!(again.error.to_string(), first.error.to_string());
    assert!(again.output.is_empty());
    let told = client.advance(&first.output).unwrap_err();
    assert!(matches!(told.error, Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE)));
    assert!(told.output.is_empty(), "no alert answers an alert");
}
