//! Every weakness that a certificate can have, tried through a handshake: the default configuration refuses it in either
//! role, and the same handshake succeeds where the weakness is allowed, so that nothing else was the reason.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use opensspi_schannel::{Allow, ClientAuth, Profile, Protocol, SchannelConfig, Weakness};
use sspi_core::{Error, SecStatus};
use support::{World, handshake};
use test_support::TestCertificate;
use test_support::x509::{Draft, Minted, TestKey, usage};

/// Who shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    ByServer,
    ByClient,
}

/// A chain with this weakness and with no other, and its root.
fn weak(weakness: Weakness, shown: Shown) -> Option<(TestCertificate, Minted)> {
    let root = || Draft::authority("Root", TestKey::Rsa2048Issuer).self_signed();
    let draft = |key| match shown {
        Shown::ByServer => Draft::server("localhost", key),
        Shown::ByClient => Draft::client("alice", key),
    };
    let rsa = || draft(TestKey::Rsa2048);
    let under = |root: Minted, leaf: Draft| Some((leaf.signed_by(&root).with_chain(&[]), root));
    match weakness {
        Weakness::Md5Signature => under(root(), rsa().md5()),
        Weakness::Sha1Signature => under(root(), rsa().sha1()),
        Weakness::Rsa512 => under(root(), draft(TestKey::Rsa512)),
        Weakness::Rsa768 => under(root(), draft(TestKey::Rsa768)),
        Weakness::Rsa1024 => under(root(), draft(TestKey::Rsa1024)),
        Weakness::Dsa512 => under(root(), draft(TestKey::Dsa512)),
        Weakness::Dsa => under(root(), draft(TestKey::Dsa1024)),
        Weakness::X509V1 => under(root(), rsa().v1()),
        // No end of ours can be given a certificate of its own that is encoded so.
        Weakness::LooseEncoding => {
            let root = root();
            let middle = Draft::authority("Middle", TestKey::Rsa2048Other).loose_lengths().signed_by(&root);
            Some((rsa().signed_by(&middle).with_chain(&[&middle]), root))
        }
        // Of a client there is no name to be known beforehand, and RSA keys of clients sign only.
        Weakness::CommonName => {
            (shown == Shown::ByServer).then(|| under(root(), rsa().common_name_only()))?
        }
        Weakness::RsaKeyUsage => {
            (shown == Shown::ByServer).then(|| under(root(), rsa().key_usage(usage::KEY_ENCIPHERMENT)))?
        }
        other => panic!("there is no certificate with {other}"),
    }
}

/// What is allowed beside the weakness itself for it to be reached at all.
fn beside(weakness: Weakness) -> Vec<Weakness> {
    match weakness {
        // A certificate of version 1 has its name nowhere else.
        Weakness::X509V1 => vec![weakness, Weakness::CommonName],
        _ => vec![weakness],
    }
}

/// Whether only the engine can show such a certificate, so that it is shown where the engine runs and nowhere else.
fn needs_the_engine(weakness: Weakness, shown: Shown) -> bool {
    match weakness {
        Weakness::Dsa | Weakness::Dsa512 => true,
        Weakness::Rsa512 | Weakness::Rsa768 | Weakness::Rsa1024 | Weakness::X509V1 => {
            shown == Shown::ByClient
        }
        _ => false,
    }
}

/// The suites of TLS 1.2 with which such a certificate is shown.
fn suites(weakness: Weakness, shown: Shown) -> Vec<String> {
    let engine = [
        "TLS_DHE_DSS_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    ];
    let both = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];
    let both = both.into_iter().filter(|_| !needs_the_engine(weakness, shown));
    both.chain(engine).map(str::to_owned).collect()
}

/// A configuration that speaks what any of these certificates can be used with, and with no opinion on them.
fn old(config: SchannelConfig, weakness: Weakness, shown: Shown) -> SchannelConfig {
    SchannelConfig {
        profile: Profile::Legacy,
        protocols: vec![Protocol::Tls12],
        suites: suites(weakness, shown),
        dh_minimum_bits: Some(1024),
        ..config
    }
}

fn allowing(weakness: Weakness) -> Option<Vec<Allow>> {
    Some(beside(weakness).into_iter().map(Allow::Certificate).collect())
}

/// What whoever was shown the certificate says, with the default configuration but for `change`.
fn verdict(
    shown: Shown,
    weakness: Weakness,
    change: impl FnOnce(SchannelConfig) -> SchannelConfig,
) -> Option<Result<(), Error>> {
    let world = World::default();
    let (chain, root) = weak(weakness, shown)?;
    world.memory.put("weak-root.pem", root.pem());
    let own = vec![world.certificate(&chain)];
    let roots = vec!["weak-root.pem".to_owned()];
    let strong = || vec![world.certificate(&world.pki.server("localhost").issue())];
    let (client, server) = match shown {
        Shown::ByServer => {
            let server =
                SchannelConfig { certificates: own, ..old(SchannelConfig::default(), weakness, shown) };
            (change(SchannelConfig { roots, ..Default::default() }), server)
        }
        Shown::ByClient => {
            let client = SchannelConfig { certificates: own, ..old(world.client(&[]), weakness, shown) };
            let server = SchannelConfig {
                certificates: strong(),
                client_roots: roots,
                client_auth: ClientAuth::Required,
                ..Default::default()
            };
            (client, change(server))
        }
    };
    let (client, server) = handshake(&*world.outbound(client), &*world.inbound(server), usize::MAX);
    let (judge, other) = match shown {
        Shown::ByServer => (client, server),
        Shown::ByClient => (server, client),
    };
    let verdict = judge.map(drop);
    // In TLS 1.2 nobody is done before the other end is content.
    assert_eq!(verdict.is_ok(), other.is_ok(), "{shown:?} {weakness}: {verdict:?}, {:?}", other.err());
    Some(verdict)
}

#[test]
fn default_configuration_refuses_every_weak_certificate_in_either_role() {
    let mut tried = 0;
    for shown in [Shown::ByServer, Shown::ByClient] {
        for weakness in Weakness::ALL.iter().copied() {
            let Some(of_default) = verdict(shown, weakness, |default| default) else { continue };
            assert!(of_default.is_err(), "{shown:?}: {weakness} is accepted by default");
            tried += 1;
            // What is off by default for another reason is let in that far, and no farther.
            let suites = if needs_the_engine(weakness, shown) { suites(weakness, shown) } else { Vec::new() };
            let with_suites = |default| SchannelConfig { suites, dh_minimum_bits: Some(1024), ..default };
            let Some(Err(error)) = verdict(shown, weakness, with_suites) else {
                panic!("{shown:?}: {weakness} is accepted with such suites")
            };
            let alert = error.alert();
            assert!(matches!(alert, Some(42 | 43)), "{shown:?} {weakness}: alert {alert:?}, {error}");
            // That one has no entry of `allow` where the key signs, which every suite of today has it do.
            if weakness == Weakness::RsaKeyUsage {
                assert_eq!(error.status(), SecStatus::SEC_E_CERT_WRONG_USAGE, "{shown:?}: {error}");
                continue;
            }
            assert_eq!(error.setting(), Some("allow"), "{shown:?} {weakness}: {error}");
            let named = |value: &str| value.split(',').any(|name| name == weakness.name());
            let remedy = error.remedies().iter().find(|remedy| remedy.setting == "allow");
            assert!(remedy.is_some_and(|remedy| named(&remedy.value)), "{shown:?} {weakness}: {error}");
        }
    }
    assert_eq!(tried, 2 * Weakness::ALL.len() - 2);
}

#[test]
fn every_weak_certificate_is_accepted_in_either_role_where_its_weakness_is_allowed() {
    for shown in [Shown::ByServer, Shown::ByClient] {
        for weakness in Weakness::ALL.iter().copied() {
            let allowing =
                |default| SchannelConfig { allow: allowing(weakness), ..old(default, weakness, shown) };
            let Some(verdict) = verdict(shown, weakness, allowing) else { continue };
            verdict.unwrap_or_else(|error| panic!("{shown:?} {weakness}: {error}"));
        }
    }
}
