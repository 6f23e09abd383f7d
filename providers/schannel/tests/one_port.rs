//! One port for every protocol: the most preferred one that both sides have is spoken, and who has none hears it in the words
//! of its own.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use opensspi_schannel::{Protocol, SchannelConfig};
use sspi_core::{Failure, SecStatus, Step};
use support::truth_table::{OLD, client, every_client_and_every_server, protocol_of, server};
use support::{World, accept_request, handshake, initialize_request, send};

fn hello(world: &World, config: SchannelConfig) -> Vec<u8> {
    let mut client = world.outbound(config).initialize(&initialize_request()).unwrap();
    match client.initialize_security_context(&[]).unwrap() {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_client_and_every_server_of_the_four_speak_the_best_that_both_have() {
    let world = World::default();
    let acquire = |config, role| world.acquire(config, role).unwrap();
    every_client_and_every_server(&world, acquire, |_, _, _| {});
}

#[test]
fn a_server_of_all_four_and_a_client_of_ssl_3_and_pct_speak_ssl_3() {
    let world = World::default();
    let client = world.outbound(client(&world, &[Protocol::Pct1, Protocol::Ssl30]));
    let (c, s) = handshake(&*client, &*world.inbound(server(&world, &OLD)), usize::MAX);
    assert_eq!((protocol_of(&c.unwrap()), protocol_of(&s.unwrap())), (0x0300, 0x0300));
}

#[test]
fn one_port_speaks_all_seven_however_the_bytes_arrive() {
    let world = World::default();
    let server = world.inbound(server(&world, &Protocol::ALL));
    for protocol in Protocol::ALL {
        for chunk in [1, 3, 50, usize::MAX] {
            let client = world.outbound(world.client(&[protocol]));
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
            assert_eq!((protocol_of(&c), protocol_of(&s)), (protocol.version(), protocol.version()));
            assert_eq!(send(&mut c, &mut s, b"hello"), b"hello");
            assert_eq!(send(&mut s, &mut c, b"and back"), b"and back");
        }
    }
}

#[test]
fn a_hello_is_waited_for_wherever_it_is_cut() {
    let world = World::default();
    for config in [server(&world, &Protocol::ALL), world.server(&[])] {
        let inbound = world.inbound(config);
        for protocol in [Protocol::Ssl20, Protocol::Pct1] {
            let hello = hello(&world, world.client(&[protocol]));
            let mut accept = inbound.accept(&accept_request()).unwrap();
            for cut in 0..hello.len() {
                match accept.accept_security_context(&hello[..cut]) {
                    Ok(Step::Incomplete { missing: Some(missing) }) => {
                        assert!(missing > 0 && cut + missing <= hello.len(), "{protocol:?} {cut}");
                    }
                    other => panic!("{protocol:?} {cut}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn the_default_refuses_the_old_ones_in_their_own_words_and_says_how_to_enable_them() {
    let world = World::default();
    let inbound = world.inbound(world.server(&[]));
    let v2 = |protocol| SchannelConfig { v2_hello: true, ..world.client(&[protocol]) };
    let pct1_error: &[u8] = &[5, 0, 6];
    for (config, name, words) in [
        (world.client(&[Protocol::Ssl20]), "SSL 2.0", &[0x80, 3, 0, 0, 1][..]),
        (world.client(&[Protocol::Pct1]), "PCT 1.0", pct1_error),
        (world.client(&[Protocol::Pct1, Protocol::Ssl20]), "PCT 1.0, SSL 2.0", &[0x80, 3, 0, 0, 1]),
        (v2(Protocol::Ssl30), "SSL 3.0", &[0x15, 3, 0, 0, 2, 2, 40]),
        (v2(Protocol::Tls10), "TLS 1.0, SSL 3.0", &[0x15, 3, 1, 0, 2, 2, 70]),
    ] {
        let hello = hello(&world, config);
        let mut accept = inbound.accept(&accept_request()).unwrap();
        let Failure { error, token } = accept.accept_security_context(&hello).unwrap_err();
        let is_pct1 = words == pct1_error;
        assert_eq!(
            token.get(if is_pct1 { 2..5 } else { 0..words.len() }),
            Some(words),
            "{name}: {token:02x?}"
        );
        assert_eq!(
            (error.status(), error.setting()),
            (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Some("protocols"))
        );
        assert!(error.message().contains(&format!("the peer has {name}")), "{error}");
        assert!(error.message().contains("would enable"), "{error}");
        let again = accept.accept_security_context(&hello).unwrap_err();
        assert_eq!((again.error.to_string(), again.token), (error.to_string(), Vec::new()));
    }
}

#[test]
fn an_order_that_is_not_that_of_age_holds_for_a_client_hello_too() {
    let world = World::default();
    let all = world.outbound(client(&world, &support::TLS));
    for first in support::TLS {
        let mut order = support::TLS.to_vec();
        order.sort_by_key(|protocol| *protocol != first);
        let (c, s) = handshake(&*all, &*world.inbound(server(&world, &order)), 7);
        match (c, s) {
            (Ok(c), Ok(s)) => {
                assert_eq!((protocol_of(&c), protocol_of(&s)), (first.version(), first.version()))
            }
            // A client that could have had TLS 1.3 sees itself taken back, and nobody can tell it otherwise.
            (c, _) => assert_eq!(c.err().unwrap().status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "{first:?}"),
        }
    }
}

#[test]
fn a_server_without_tls_refuses_a_client_hello_with_an_alert() {
    let world = World::default();
    let inbound = world.inbound(server(&world, &[Protocol::Pct1, Protocol::Ssl20]));
    let hello = hello(&world, world.client(&[Protocol::Tls12]));
    let mut accept = inbound.accept(&accept_request()).unwrap();
    let Failure { error, token } = accept.accept_security_context(&hello).unwrap_err();
    assert_eq!(token, [0x15, 3, 1, 0, 2, 2, 70], "as the record of the hello says");
    assert!(error.message().contains("enabled here: pct1, ssl2"), "{error}");
    // And such a client hears what a server of TLS alone says.
    let client = world.outbound(world.client(&[Protocol::Pct1, Protocol::Ssl20]));
    let (c, _) = handshake(&*client, &*world.inbound(world.server(&[Protocol::Tls10])), usize::MAX);
    assert!(c.is_err());
}
