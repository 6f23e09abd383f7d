//! Where there is no second handshake, whatever the configuration says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod support;

use opensspi_schannel::{Allow, Protocol, Renegotiation, SchannelConfig, WeakSuites};
use sspi_core::{ControlToken, SecStatus};
use support::again::{refusal, talk};
use support::{Kind, World, established};
use test_support::pair::Established;

#[test]
fn ssl2_has_nothing_to_negotiate_again_and_no_setting_is_named() {
    let world = World::default();
    for renegotiation in [Renegotiation::Off, Renegotiation::Ours, Renegotiation::Both] {
        let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
        let client = SchannelConfig { renegotiation, ..world.client(&[Protocol::Ssl20]) };
        let server = SchannelConfig {
            renegotiation,
            certificates: vec![rsa],
            allow: Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect()),
            ..world.server(&[Protocol::Ssl20])
        };
        let (client, server) = established(&*world.outbound(client), &*world.inbound(server));
        let [mut client, mut server] = [client, server].map(|end| {
            let (error, context) = refusal(end.context);
            assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{renegotiation:?}: {error}");
            assert_eq!(error.setting(), None, "{renegotiation:?}: {error}");
            assert!(error.message().contains("the protocol has none"), "{renegotiation:?}: {error}");
            Established { context, ..end }
        });
        for end in [&mut client, &mut server] {
            let error = end.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{renegotiation:?}: {error}");
            assert_eq!(error.setting(), None, "{renegotiation:?}: {error}");
        }
        talk(&mut client, &mut server);
    }
}

#[test]
fn tls12_in_the_hands_of_rustls_names_the_setting_that_would_have_it_in_the_engines() {
    let world = World::default();
    // The engine has no such suite.
    let suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";
    assert!(legacy_tls::SUITES.iter().all(|row| row.name != suite));
    let only = |config| SchannelConfig { suites: vec![suite.to_owned()], ..config };
    let (client, server) = established(
        &*world.outbound(only(world.client_of(Kind::Tls12))),
        &*world.inbound(only(world.server_of(Kind::Tls12))),
    );
    let [mut client, mut server] = [client, server].map(|end| {
        let (error, context) = refusal(end.context);
        assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
        assert_eq!(error.setting(), Some("renegotiation"), "{error}");
        Established { context, ..end }
    });
    for end in [&mut client, &mut server] {
        let error = end.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
        assert_eq!(error.setting(), Some("renegotiation"), "{error}");
    }
    talk(&mut client, &mut server);
}
