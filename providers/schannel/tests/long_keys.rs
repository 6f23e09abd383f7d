//! RSA of 8192 bits, the longest that there is: in every place where a certificate's key works.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use opensspi_schannel::{ClientAuth, Profile, Protocol, SchannelConfig};
use sspi_core::CredentialUse;
use support::again::talk;
use support::{World, established};
use test_support::TestCertificate;
use test_support::x509::{Draft, TestKey};

/// A certificate, and the root that signed it, both with such a key.
fn issued(draft: Draft) -> (TestCertificate, String) {
    let root = Draft::authority("Long Root", TestKey::Rsa8192).self_signed();
    (draft.signed_by(&root).with_chain(&[]), root.pem())
}

#[test]
fn keys_of_8192_bits_sign_certificates_and_handshakes_and_decrypt_in_every_version_of_the_engine() {
    let world = World::default();
    let (server, root) = issued(Draft::server("localhost", TestKey::Rsa8192));
    let (client, _) = issued(Draft::client("alice", TestKey::Rsa8192));
    world.memory.put("long-root.pem", root);
    let own = |certificate| vec![world.certificate(certificate)];
    let roots = || vec!["long-root.pem".to_owned()];
    let (rsa, ecdhe) = ("TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA");
    for (protocol, suite, strength) in [
        (Protocol::Ssl30, rsa, 8192),
        (Protocol::Tls10, rsa, 8192),
        (Protocol::Tls11, ecdhe, 255),
        (Protocol::Tls12, rsa, 8192),
        (Protocol::Tls12, ecdhe, 255),
    ] {
        let base = SchannelConfig {
            profile: Profile::Legacy,
            protocols: vec![protocol],
            suites: vec![suite.to_owned()],
            resume: false,
            ..SchannelConfig::default()
        };
        let client = SchannelConfig { roots: roots(), certificates: own(&client), ..base.clone() };
        let server = SchannelConfig {
            certificates: own(&server),
            client_auth: ClientAuth::Required,
            client_roots: roots(),
            ..base
        };
        let (mut client, mut server) = established(&*world.outbound(client), &*world.inbound(server));
        talk(&mut client, &mut server);
        for (end, other) in [(&client, "localhost"), (&server, "alice")] {
            let info = end.context.attributes().connection_info().unwrap();
            assert!(!info.protocol.intersection(protocol.bits()).is_empty(), "{protocol:?} {suite}");
            assert_eq!(info.exchange_strength, strength, "{protocol:?} {suite}");
            let shown = end.context.attributes().remote_certificate().unwrap();
            assert_eq!(shown.chain.len(), 1, "{other}");
        }
    }
}

/// rustls verifies with such keys and signs with none.
#[test]
fn a_certificate_with_a_key_that_only_the_engine_can_use_is_refused_where_it_is_off() {
    let world = World::default();
    let (server, _) = issued(Draft::server("localhost", TestKey::Rsa8192));
    let config =
        SchannelConfig { certificates: vec![world.certificate(&server)], ..world.server(&[Protocol::Tls13]) };
    let error = world.acquire(config, CredentialUse::Inbound).err().unwrap();
    assert!(error.message().contains("the private key cannot be used"), "{error}");
}
