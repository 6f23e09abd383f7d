//! How keys were agreed, and what is weak about a connection: as both sides report it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use opensspi_schannel::{Allow, ClientAuth, Profile, Protocol, SchannelConfig};
use sspi_core::AlgId;
use support::{Kind, World, established, handshake};
use test_support::pair::Established;
use test_support::x509::{Draft, TestKey};

/// A server with the key that the suite needs, for `localhost`, and a client that pins it.
fn pinned(world: &World, suite: &str, protocol: Protocol) -> (SchannelConfig, SchannelConfig) {
    let own = match suite.contains("_DSS_") {
        true => Draft::server("localhost", TestKey::Dsa1024).self_signed().with_chain(&[]),
        false => world.pki.server("localhost").rsa_2048().issue(),
    };
    let pins = vec![own.sha256().iter().map(|b| format!("{b:02x}")).collect()];
    let common = |config: SchannelConfig| SchannelConfig {
        suites: vec![suite.to_owned()],
        dh_minimum_bits: Some(1024),
        allow: Some(Allow::all().collect()),
        ..config
    };
    let certificates = vec![world.certificate(&own)];
    let server = SchannelConfig { certificates, ..world.server(&[protocol]) };
    let client = SchannelConfig { pins, ..world.client(&[protocol]) };
    (common(client), common(server))
}

/// A museum has the group that its old visitors can do with; a hello of old, which has no curves, gets it shown.
#[test]
fn a_client_that_wants_a_larger_group_and_its_server_both_name_the_setting() {
    let world = World::default();
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let server = world.inbound(SchannelConfig {
        profile: Profile::Museum,
        certificates: vec![rsa],
        i_accept_drown: true,
        ..world.server(&[])
    });
    let (tls10, ssl30, pct1) = (Protocol::Tls10, Protocol::Ssl30, Protocol::Pct1);
    for protocols in [&[ssl30][..], &[tls10, ssl30], &[ssl30, pct1], &[tls10, pct1]] {
        let client = SchannelConfig { v2_hello: true, ..world.client(protocols) };
        let (ours, theirs) = handshake(&*world.outbound(client.clone()), &*server, usize::MAX);
        let (ours, theirs) = (ours.err().unwrap(), theirs.err().unwrap());
        assert_eq!(ours.setting(), Some("dh-minimum-bits"), "{protocols:?}: {ours}");
        assert_eq!(theirs.setting(), Some("dh-minimum-bits"), "{protocols:?}: {theirs}");
        assert!(theirs.message().contains("our group of Diffie-Hellman, which has 1024 bits"), "{theirs}");
        let remedy = &ours.remedies()[0];
        assert_eq!((&*remedy.setting, &*remedy.value), ("dh-minimum-bits", "1024"));
        let client = SchannelConfig { dh_minimum_bits: Some(1024), ..client };
        established(&*world.outbound(client), &*server);
    }
}

fn names(side: &Established) -> Vec<String> {
    side.context.attributes().weaknesses().iter().map(|weak| weak.name.to_string()).collect()
}

fn agreed(side: &Established) -> (AlgId, u32) {
    let info = side.context.attributes().connection_info().unwrap();
    (info.exchange, info.exchange_strength)
}

#[test]
fn both_sides_know_how_keys_were_agreed_and_with_how_many_bits() {
    let world = World::default();
    for (suite, protocol, exchange, bits, bits_when_resumed) in [
        ("TLS_RSA_WITH_RC4_128_MD5", Protocol::Ssl30, AlgId::RSA_KEYX, 2048, 2048),
        ("TLS_RSA_WITH_AES_128_CBC_SHA", Protocol::Tls12, AlgId::RSA_KEYX, 2048, 2048),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", Protocol::Tls10, AlgId::RSA_KEYX, 512, 0),
        ("TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", Protocol::Tls10, AlgId::RSA_KEYX, 1024, 0),
        ("TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", Protocol::Tls10, AlgId::DH_EPHEM, 1024, 0),
        ("TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA", Protocol::Ssl30, AlgId::DH_EPHEM, 1024, 0),
        ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", Protocol::Tls11, AlgId::ECDH_EPHEM, 255, 0),
    ] {
        let (client, server) = pinned(&world, suite, protocol);
        let (client, server) = (world.outbound(client), world.inbound(server));
        for expected in [bits, bits_when_resumed] {
            let (c, s) = established(&*client, &*server);
            assert_eq!(agreed(&c), (exchange, expected), "{suite}, the client");
            assert_eq!(agreed(&s), (exchange, expected), "{suite}, the server");
        }
    }
}

#[test]
fn each_weak_suite_and_each_old_protocol_is_named() {
    let world = World::default();
    for (suite, protocol, expected) in [
        ("TLS_RSA_WITH_NULL_SHA", Protocol::Tls12, &["null", "no-forward-secrecy"][..]),
        ("TLS_RSA_EXPORT_WITH_RC4_40_MD5", Protocol::Tls10, &["export", "tls1.0", "no-forward-secrecy"]),
        ("TLS_RSA_WITH_DES_CBC_SHA", Protocol::Tls11, &["des", "tls1.1", "no-forward-secrecy"]),
        ("TLS_RSA_WITH_RC4_128_SHA", Protocol::Ssl30, &["rc4", "ssl3", "no-forward-secrecy"]),
        ("TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA", Protocol::Tls10, &["3des", "tls1.0", "short-dh"]),
        ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", Protocol::Tls12, &[]),
        ("TLS_AES_128_GCM_SHA256", Protocol::Tls13, &[]),
    ] {
        let (client, server) = pinned(&world, suite, protocol);
        let (c, s) = established(&*world.outbound(client), &*world.inbound(server));
        assert_eq!(names(&c), expected, "{suite}, the client");
        assert_eq!(names(&s), expected, "{suite}, the server");
    }
}

#[test]
fn the_weaknesses_of_a_chain_are_named_to_whoever_was_shown_it() {
    let world = World::default();
    let root = Draft::authority("Old Root", TestKey::Rsa1024Issuer).md5().self_signed();
    let old = Draft::server("localhost", TestKey::Rsa1024).common_name_only().md5().signed_by(&root);
    world.memory.put("old-root.pem", root.pem());
    let allow = || Some(Allow::all().collect::<Vec<_>>());
    let server = SchannelConfig {
        certificates: vec![world.certificate(&old.with_chain(&[]))],
        profile: Profile::Legacy,
        ..world.server(&[Protocol::Tls12])
    };
    let client = SchannelConfig {
        roots: vec!["old-root.pem".to_owned()],
        profile: Profile::Legacy,
        allow: allow(),
        ..world.client(&[Protocol::Tls12])
    };
    let (c, s) = established(&*world.outbound(client), &*world.inbound(server));
    let found = names(&c);
    for expected in ["md5-signature", "rsa-1024", "common-name"] {
        assert!(found.iter().any(|name| name == expected), "{expected} in {found:?}");
    }
    assert!(names(&s).is_empty(), "the server was shown none: {:?}", names(&s));
    let text =
        c.context.attributes().weaknesses().iter().map(|w| w.description.to_string()).collect::<String>();
    assert!(text.contains("the server's certificate is signed with MD5"), "{text}");
}

#[test]
fn a_pinned_certificate_that_has_expired_is_named() {
    let world = World::default();
    let expired = world.pki.server("localhost").expired().issue();
    let pin = expired.sha256().iter().map(|b| format!("{b:02x}")).collect();
    let server = SchannelConfig {
        certificates: vec![world.certificate(&expired)],
        ..world.server(&[Protocol::Tls13])
    };
    let client = SchannelConfig { pins: vec![pin], ..world.client(&[Protocol::Tls13]) };
    let (c, _) = established(&*world.outbound(client), &*world.inbound(server));
    assert_eq!(names(&c), ["expired-certificate"]);
}

#[test]
fn nothing_is_weak_about_the_default() {
    let world = World::default();
    let alice = world.certificate(&world.pki.client("alice").issue());
    let client = SchannelConfig { certificates: vec![alice], ..world.client(&Protocol::MODERN) };
    let server = SchannelConfig { client_auth: ClientAuth::Required, ..world.server(&Protocol::MODERN) };
    let (client, server) = (world.outbound(client), world.inbound(server));
    for _ in 0..2 {
        let (c, s) = established(&*client, &*server);
        assert_eq!((names(&c), names(&s)), (Vec::new(), Vec::new()));
    }
}

#[test]
fn a_refused_certificate_comes_with_the_settings_that_would_accept_it() {
    let world = World::default();
    let server = world.server(&[Protocol::Tls13]);
    let leaf = world.pki.server("localhost").self_signed().issue();
    let pin: String = leaf.sha256().iter().map(|b| format!("{b:02x}")).collect();
    let server = SchannelConfig { certificates: vec![world.certificate(&leaf)], ..server };
    let (c, _) =
        handshake(&*world.outbound(world.client(&[Protocol::Tls13])), &*world.inbound(server), usize::MAX);
    let error = c.err().unwrap();
    let remedies: Vec<_> = error.remedies().iter().map(|r| format!("{} {}", r.setting, r.value)).collect();
    assert_eq!(remedies, [format!("pins sha256:{pin}")], "{error}");
}

#[test]
fn the_engine_logs_one_key_in_either_role_however_the_handshake_began() {
    let world = World::default();
    let keys = || Some("keys".to_owned());
    let log = |client: SchannelConfig, server: SchannelConfig| {
        world.memory.key_log.lock().unwrap().clear();
        established(&*world.outbound(client), &*world.inbound(server));
        world.memory.key_log.lock().unwrap().clone()
    };
    for kind in Kind::LEGACY {
        for client in [world.client_of(kind), world.client(&Protocol::ALL)] {
            let logged = SchannelConfig { key_log: keys(), ..client.clone() };
            let of_client = log(logged.clone(), world.server_of(kind));
            assert_eq!(of_client.lines().count(), 1, "{kind:?}: {of_client}");
            let words: Vec<usize> = of_client.trim_end().split(' ').map(str::len).collect();
            assert_eq!(words, ["CLIENT_RANDOM".len(), 64, 96], "{kind:?}: {of_client}");

            let of_both = log(logged, SchannelConfig { key_log: keys(), ..world.server_of(kind) });
            let [one, other] = of_both.lines().collect::<Vec<_>>()[..] else { panic!("{kind:?}: {of_both}") };
            assert_eq!(one, other, "{kind:?}: both sides log the same");
        }
    }
}
