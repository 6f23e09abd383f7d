//! PCT 1.0 through the interface: what it negotiates, what is said of it, and that nobody gets it who did not name it.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use opensspi_schannel::{ClientAuth, Protocol, SchannelConfig};
use sspi_core::{SecStatus, SpProt};
use support::{World, handshake, send};
use test_support::pair::Established;

const PCT: &[Protocol] = &[Protocol::Pct1];

fn server(world: &World) -> SchannelConfig {
    let certificate = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    SchannelConfig { certificates: vec![certificate], ..world.server(PCT) }
}

fn suite(side: &Established) -> String {
    side.context.attributes().cipher_info().unwrap().cipher_suite_name.to_string()
}

fn talk(client: &mut Established, server: &mut Established) {
    for data in [&b"hello"[..], &[7; 16_352], b"", b"x"] {
        assert_eq!(send(client, server, data), data);
        assert_eq!(send(server, client, data), data);
    }
}

#[test]
fn every_suite_is_negotiated_and_resumed_and_says_what_it_is() {
    let world = World::default();
    for row in legacy_tls::pct1::suites() {
        let only = |config| SchannelConfig { suites: vec![row.name.to_owned()], ..config };
        let client = world.outbound(only(world.client(PCT)));
        let server = world.inbound(only(server(&world)));
        for (chunk, resumed) in [(usize::MAX, false), (7, true)] {
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.ok().unwrap(), s.ok().unwrap());
            for (side, role) in [(&c, SpProt::CLIENTS), (&s, SpProt::SERVERS)] {
                let attributes = side.context.attributes();
                let info = attributes.connection_info().unwrap();
                assert_eq!(info.protocol, SpProt::PCT1.intersection(role), "{}", row.name);
                assert_eq!(info.cipher_strength, row.strength.0, "{}", row.name);
                assert_eq!(attributes.session_info().unwrap().reconnect, resumed, "{}", row.name);
                assert_eq!(suite(side), row.name);
            }
            talk(&mut c, &mut s);
        }
    }
}

#[test]
fn a_client_shows_its_certificate() {
    let world = World::default();
    let alice = world.pki.client("alice").rsa_2048().issue();
    let client = SchannelConfig { certificates: vec![world.certificate(&alice)], ..world.client(PCT) };
    let server = SchannelConfig { client_auth: ClientAuth::Required, ..server(&world) };
    let (c, s) = handshake(&*world.outbound(client), &*world.inbound(server), usize::MAX);
    let (mut c, mut s) = (c.ok().unwrap(), s.ok().unwrap());
    let attributes = s.context.attributes();
    assert_eq!(attributes.remote_certificate().unwrap().leaf(), alice.leaf_der());
    assert!(attributes.names().unwrap().contains("alice"));
    talk(&mut c, &mut s);
}

#[test]
fn pct_is_off_until_it_is_named_and_the_refusal_names_the_setting() {
    let world = World::default();
    let modern = SchannelConfig { certificates: server(&world).certificates, ..Default::default() };
    let (_, s) = handshake(&*world.outbound(world.client(PCT)), &*world.inbound(modern), usize::MAX);
    let error = s.err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Some("protocols")));
    assert!(error.to_string().contains("a hello of PCT 1.0"), "{error}");
    assert!(error.to_string().contains("protocols = [\"pct1\"]"), "{error}");

    let other = world.client(&[Protocol::Tls12, Protocol::Tls10]);
    let (_, s) = handshake(&*world.outbound(other), &*world.inbound(server(&world)), usize::MAX);
    let error = s.err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Some("protocols")));
}

#[test]
fn nothing_in_common_is_said_on_both_sides() {
    let world = World::default();
    let only = |config, suite: &str| SchannelConfig { suites: vec![suite.to_owned()], ..config };
    let client = world.outbound(only(world.client(PCT), "PCT1_RC4_128_WITH_MD5"));
    let server = world.inbound(only(server(&world), "PCT1_DES_168_WITH_SHA"));
    let (c, s) = handshake(&*client, &*server, usize::MAX);
    for error in [c.err().unwrap(), s.err().unwrap()] {
        assert_eq!(error.status(), SecStatus::SEC_E_ALGORITHM_MISMATCH, "{error}");
        assert!(error.to_string().contains("cipher, hash"), "{error}");
    }
}
