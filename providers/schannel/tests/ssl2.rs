//! SSL 2.0 through the package, and hellos in its format: off unless a configuration names them.

#![allow(clippy::panic, reason = "a failure here is a failed test")]

mod support;

use opensspi_schannel::{Allow, ClientAuth, ClientCertificate, Protocol, SchannelConfig, WeakSuites};
use std::sync::Arc;

use sspi_core::{AlgId, CertificateIdentity, Fault, Question, SecStatus, Secret, SpProt, Step};
use support::{World, accept_request, established, handshake, initialize_request, send};
use test_support::pair::{self, open, seal};

const KINDS: [(&str, AlgId, u32); 7] = [
    ("SSL_CK_RC4_128_WITH_MD5", AlgId::RC4, 128),
    ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", AlgId::TRIPLE_DES, 168),
    ("SSL_CK_RC2_128_CBC_WITH_MD5", AlgId::RC2, 128),
    ("SSL_CK_IDEA_128_CBC_WITH_MD5", AlgId::THIRDPARTY_CIPHER, 128),
    ("SSL_CK_DES_64_CBC_WITH_MD5", AlgId::DES, 56),
    ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", AlgId::RC4, 40),
    ("SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", AlgId::RC2, 40),
];

fn client(world: &World, kind: &str) -> SchannelConfig {
    SchannelConfig { suites: vec![kind.to_owned()], ..world.client(&[Protocol::Ssl20]) }
}

/// Every kind, on one RSA certificate.
fn server(world: &World, protocols: &[Protocol]) -> SchannelConfig {
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    SchannelConfig {
        certificates: vec![rsa],
        allow: Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect()),
        i_accept_drown: true,
        ..world.server(protocols)
    }
}

#[test]
fn every_kind_however_the_bytes_arrive() {
    let world = World::default();
    let server = world.inbound(server(&world, &[Protocol::Ssl20]));
    for (name, cipher, bits) in KINDS {
        let client = world.outbound(SchannelConfig { resume: false, ..client(&world, name) });
        for chunk in [1, 2, 3, 7, 19].into_iter().chain([100, usize::MAX]) {
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
            assert_eq!(send(&mut c, &mut s, b"hello"), b"hello", "{name} {chunk}");
            assert_eq!(send(&mut s, &mut c, b"and back"), b"and back", "{name} {chunk}");
            let info = c.context.attributes().connection_info().unwrap();
            assert_eq!(info.protocol, SpProt::SSL2.intersection(SpProt::CLIENTS));
            assert_eq!((info.cipher, info.cipher_strength), (cipher, bits), "{name}");
            assert_eq!((info.hash, info.hash_strength), (AlgId::MD5, 128));
            assert_eq!((info.exchange, info.exchange_strength), (AlgId::RSA_KEYX, 2048));
            let info = s.context.attributes().cipher_info().unwrap();
            assert_eq!((info.protocol_version, &*info.cipher_suite_name), (2, name));
            assert_eq!(&*info.certificate, "RSA");
        }
    }
}

#[test]
fn the_longest_message_and_many_of_them_come_whole() {
    let world = World::default();
    let server = world.inbound(server(&world, &[Protocol::Ssl20]));
    for (name, ..) in KINDS {
        let client = world.outbound(client(&world, name));
        let (mut c, mut s) = established(&*client, &*server);
        let sizes = c.context.attributes().stream_sizes().unwrap();
        assert!(sizes.maximum_message <= 16_367 && sizes.maximum_message > 16_000);
        for len in [0, 1, 7, 8, 9, sizes.maximum_message - 1, sizes.maximum_message] {
            let data = vec![0x5a; len];
            assert_eq!(send(&mut c, &mut s, &data), data, "{name} {len}");
        }
        let mut wire = Vec::new();
        for byte in 0..5_u8 {
            wire.extend(seal(&mut *c.context, &sizes, &[byte; 3]).unwrap());
        }
        let (data, _) = open(&mut *s.context, &mut wire).unwrap();
        assert_eq!(data, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    }
}

#[test]
fn sessions_are_resumed_and_say_so() {
    let world = World::default();
    for (name, ..) in KINDS {
        let client = world.outbound(client(&world, name));
        let server = world.inbound(server(&world, &[Protocol::Ssl20]));
        let (c, _) = established(&*client, &*server);
        assert!(!c.context.attributes().session_info().unwrap().reconnect);
        let (mut c, mut s) = established(&*client, &*server);
        let (ours, theirs) =
            (c.context.attributes().session_info().unwrap(), s.context.attributes().session_info().unwrap());
        assert!(ours.reconnect && theirs.reconnect);
        assert_eq!(ours.session_id, theirs.session_id);
        assert_eq!(send(&mut c, &mut s, b"again"), b"again");
    }
}

#[test]
fn a_client_shows_its_certificate_by_configuration_or_by_choice() {
    let world = World::default();
    let rsa = world.pki.client("alice").rsa_2048().issue();
    for asks in [false, true] {
        let client = world.outbound(SchannelConfig {
            certificates: if asks { Vec::new() } else { vec![world.certificate(&rsa)] },
            client_certificate: if asks { ClientCertificate::Ask } else { ClientCertificate::Configured },
            ..client(&world, "SSL_CK_RC4_128_WITH_MD5")
        });
        let server = world.inbound(SchannelConfig {
            client_auth: ClientAuth::Required,
            ..server(&world, &[Protocol::Ssl20])
        });
        let mut asked = 0;
        let mut answer = |question: Question| {
            let Question::ClientCertificate(ask) = question else { panic!("{question:?}") };
            asked += 1;
            ask.answer(Some(CertificateIdentity {
                chain: rsa.chain_der().to_vec(),
                private_key: Arc::new(Secret::new(rsa.key_der().to_vec())),
            }));
        };
        let both = pair::run(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&accept_request()).unwrap(),
            usize::MAX,
            &mut answer,
        );
        let (c, s) = (both.0.map_err(|e| e.to_string()).unwrap(), both.1.map_err(|e| e.to_string()).unwrap());
        assert_eq!(asked, usize::from(asks));
        let shown = s.context.attributes().remote_certificate().unwrap();
        assert_eq!(shown.chain[0], rsa.leaf_der());
        assert!(c.context.attributes().remote_certificate().is_ok());
    }
}

#[test]
fn a_client_without_certificate_is_refused_where_one_is_required() {
    let world = World::default();
    let client = world.outbound(client(&world, "SSL_CK_RC4_128_WITH_MD5"));
    for (client_auth, is_refused) in [(ClientAuth::Optional, false), (ClientAuth::Required, true)] {
        let server = world.inbound(SchannelConfig { client_auth, ..server(&world, &[Protocol::Ssl20]) });
        let (c, s) = handshake(&*client, &*server, usize::MAX);
        assert_eq!(s.is_err(), is_refused);
        assert_eq!(c.is_err(), is_refused);
    }
}

#[test]
fn no_kind_in_common_names_the_setting() {
    let world = World::default();
    let client = world.outbound(client(&world, "SSL_CK_DES_64_CBC_WITH_MD5"));
    let server = world.inbound(SchannelConfig {
        suites: vec!["SSL_CK_RC4_128_WITH_MD5".to_owned()],
        ..server(&world, &[Protocol::Ssl20])
    });
    let (c, s) = handshake(&*client, &*server, usize::MAX);
    let s = s.err().unwrap();
    assert_eq!((s.status(), s.setting()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("suites")), "{s}");
    assert!(s.message().contains("SSL_CK_DES_64_CBC_WITH_MD5"), "{s}");
    let c = c.err().unwrap();
    assert_eq!((c.status(), c.fault()), (SecStatus::SEC_E_ALGORITHM_MISMATCH, Fault::PeerReported), "{c}");
}

#[test]
fn the_protocol_is_off_unless_it_is_named_and_the_refusal_says_how() {
    let world = World::default();
    let hello = {
        let client = world.outbound(client(&world, "SSL_CK_RC4_128_WITH_MD5"));
        let mut client = client.initialize(&initialize_request()).unwrap();
        let Step::Continue { token, .. } = client.initialize_security_context(&[]).unwrap() else { panic!() };
        token
    };
    for protocols in [vec![Protocol::Tls10], vec![Protocol::Tls12, Protocol::Tls10], vec![Protocol::Tls13]] {
        let server = world.inbound(world.server(&protocols));
        let error =
            server.accept(&accept_request()).unwrap().accept_security_context(&hello).unwrap_err().error;
        assert!(error.message().contains("a hello of SSL 2.0"), "{error}");
        assert!(error.message().contains("protocols = [\"ssl2\"]"), "{error}");
        assert_eq!(error.setting(), Some("protocols"));
    }
    for config in [SchannelConfig::default(), world.server(&[])] {
        let enabled = config.enabled().unwrap();
        assert!(enabled.iter().all(|(protocol, _)| *protocol != Protocol::Ssl20));
    }
}

#[test]
fn one_port_serves_old_and_new_and_each_hello_leads_where_it_must() {
    let world = World::default();
    let all = [
        Protocol::Tls13,
        Protocol::Tls12,
        Protocol::Tls11,
        Protocol::Tls10,
        Protocol::Ssl30,
        Protocol::Ssl20,
    ];
    let server = world.inbound(SchannelConfig { v2_hello: true, ..server(&world, &all) });
    let cases: [(&[Protocol], bool, u16); 8] = [
        (&[Protocol::Tls13], false, 0x0304),
        (&[Protocol::Tls12], false, 0x0303),
        (&[Protocol::Tls11], true, 0x0302),
        (&[Protocol::Tls10], true, 0x0301),
        (&[Protocol::Ssl30], true, 0x0300),
        (&[Protocol::Tls10, Protocol::Ssl30, Protocol::Ssl20], true, 0x0301),
        (&[Protocol::Ssl30, Protocol::Ssl20], true, 0x0300),
        (&[Protocol::Ssl20], false, 0x0002),
    ];
    for (protocols, v2_hello, version) in cases {
        let client = SchannelConfig { v2_hello, resume: false, ..world.client(protocols) };
        let client = world.outbound(client);
        for chunk in [1, 2, 3, 4, 5, 6, 11, 50, usize::MAX] {
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
            assert_eq!(
                c.context.attributes().cipher_info().unwrap().protocol_version,
                version,
                "{protocols:?}"
            );
            assert_eq!(c.sent[0] == 0x80, v2_hello || version == 2);
            assert_eq!(send(&mut c, &mut s, b"hello"), b"hello");
        }
    }
}

#[test]
fn a_server_of_ssl2_is_reached_by_a_hello_for_both() {
    let world = World::default();
    let server = world.inbound(server(&world, &[Protocol::Ssl20]));
    let client = world
        .outbound(SchannelConfig { v2_hello: true, ..world.client(&[Protocol::Tls10, Protocol::Ssl20]) });
    let (mut c, mut s) = established(&*client, &*server);
    assert_eq!(s.context.attributes().cipher_info().unwrap().protocol_version, 2);
    assert_eq!(send(&mut c, &mut s, b"hello"), b"hello");
}

#[test]
fn one_key_for_ssl2_and_something_newer_needs_a_word() {
    let world = World::default();
    let config =
        SchannelConfig { i_accept_drown: false, ..server(&world, &[Protocol::Tls12, Protocol::Ssl20]) };
    let error = world.acquire(config, sspi_core::CredentialUse::Inbound).err().unwrap();
    assert_eq!(error.setting(), Some("i-accept-drown"));
    let alone = SchannelConfig { i_accept_drown: false, ..server(&world, &[Protocol::Ssl20]) };
    world.inbound(alone);
}
