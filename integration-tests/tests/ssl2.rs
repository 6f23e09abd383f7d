//! SSL 2.0 against peers that still have it, every cipher kind that they have, and TLS after a hello of its format.
//!
//! SSL 2.0 has no word for the end of a connection: what is checked is that every byte came, and what was negotiated.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is a failed test")]

use std::ops::RangeInclusive;
use std::time::Duration;

use opensspi_integration_tests::legacy::{Key, Pki};
use opensspi_integration_tests::ours::{Client, Server, Service, Setup};
use opensspi_integration_tests::peers::fetched::{Nassl, Node, Scapy, Ssl2Reference, Ssl2ReferenceServer};
use opensspi_integration_tests::peers::program::{self, Program};
use opensspi_integration_tests::peers::{
    ClientAuth, ClientOptions, Peer, ServerOptions, Version, java, runnable,
};
use opensspi_integration_tests::{Pattern, echo};

/// The kinds as the document and as OpenSSL name them.
const KINDS: [(&str, &str); 6] = [
    ("SSL_CK_RC4_128_WITH_MD5", "RC4-MD5"),
    ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "DES-CBC3-MD5"),
    ("SSL_CK_RC2_128_CBC_WITH_MD5", "RC2-CBC-MD5"),
    ("SSL_CK_DES_64_CBC_WITH_MD5", "DES-CBC-MD5"),
    ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", "EXP-RC4-MD5"),
    ("SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", "EXP-RC2-CBC-MD5"),
];

/// The kinds as scapy numbers them, which shares nothing with OpenSSL.
const SCAPYS: [(&str, &str); 7] = [
    ("SSL_CK_RC4_128_WITH_MD5", "0x010080"),
    ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", "0x020080"),
    ("SSL_CK_RC2_128_CBC_WITH_MD5", "0x030080"),
    ("SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", "0x040080"),
    ("SSL_CK_IDEA_128_CBC_WITH_MD5", "0x050080"),
    ("SSL_CK_DES_64_CBC_WITH_MD5", "0x060040"),
    ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "0x0700c0"),
];

/// OpenSSL 1.0.1 reads the header of three bytes wrong when a record comes in pieces, as two of its own kind show: so there
/// are few bytes, in short records that come whole.
const BYTES: u64 = 3_000;
const WRITES: RangeInclusive<usize> = 1..=200;

/// What our end is told: this protocol and kind, and certificates of its time.
fn settings(kind: &str) -> String {
    format!("protocols = [\"ssl2\"]\nsuites = [{kind:?}]\nallow = [\"sha1-signature\", \"rsa-1024\"]\n")
}

/// A client of this peer, with and without certificate, each of these kinds.
fn serve<P: Program>(peer: Peer, kinds: &[(&str, &str)], with_certificate: bool) {
    if !runnable(&[peer]) {
        return;
    }
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    for &(kind, theirs) in kinds {
        let mut setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
        if with_certificate {
            setup = setup.require_client_certificate_of(pki.root().unwrap());
        }
        let server = Server::start(&setup.settings(&settings(kind)).unwrap(), Service::Echo).unwrap();
        let mut options = ClientOptions::trusting(server.port(), pki.root().unwrap())
            .version(Version::Ssl20)
            .ciphers(theirs)
            .bytes(BYTES)
            .write_sizes(WRITES);
        if with_certificate {
            options = options.certificate(pki.client(Key::Rsa).unwrap());
        }
        let (connections, log) = program::echo_with_log::<P>(&options).unwrap();
        let seen = server.next_connection(Duration::from_secs(20)).unwrap();
        let theirs_seen = &connections[0];
        assert_eq!(theirs_seen.bytes, BYTES, "{kind}: {theirs_seen:?}\n{log}\nours: {:?}", seen.failure);
        assert_eq!(seen.negotiated.version, "SSLv2", "{kind}");
        assert_eq!(seen.negotiated.cipher, kind);
        if with_certificate {
            let shown = pki.client(Key::Rsa).unwrap().sha256;
            assert_eq!(seen.negotiated.peer_sha256, Some(shown), "{kind}");
        }
    }
}

#[test]
fn node_connects_with_every_kind() {
    serve::<Node>(Peer::Node, &KINDS, false);
}

#[test]
fn node_connects_with_its_certificate() {
    serve::<Node>(Peer::Node, &KINDS, true);
}

#[test]
fn nassl_connects_with_every_kind() {
    serve::<Nassl>(Peer::Nassl, &KINDS, false);
}

#[test]
fn nassl_connects_with_its_certificate() {
    serve::<Nassl>(Peer::Nassl, &KINDS, true);
}

#[test]
fn scapy_connects_with_every_kind() {
    serve::<Scapy>(Peer::Scapy, &SCAPYS, false);
}

#[test]
fn scapy_connects_with_its_certificate() {
    serve::<Scapy>(Peer::Scapy, &SCAPYS, true);
}

/// Our client against this peer's server.
fn connect<P: Program>(peer: Peer, kinds: &[(&str, &str)], with_certificate: bool) {
    if !runnable(&[peer]) {
        return;
    }
    let pki = Pki::find().unwrap();
    for &(kind, theirs) in kinds {
        let mut options =
            ServerOptions::new(pki.server(Key::Rsa).unwrap()).version(Version::Ssl20).ciphers(theirs);
        let mut setup = Setup::trusting(pki.root().unwrap());
        if with_certificate {
            options = options.client_auth(ClientAuth::Require(pki.root().unwrap()));
            let own = pki.client(Key::Rsa).unwrap();
            setup = setup.pem(own.chain, own.key);
        }
        let mut server = program::Server::<P>::start(&options).unwrap();
        let client = Client::new(&setup.settings(&settings(kind)).unwrap()).unwrap();
        let report = client.echo_in_writes(server.port(), Pattern::new(1).content(BYTES), WRITES);
        assert_eq!(report.negotiated.bytes, BYTES, "{kind}: {:?}\n{}", report.failure, server.log());
        assert_eq!(report.negotiated.cipher, kind);
        let seen = server.next_connection().unwrap();
        assert_eq!((seen.bytes, &seen.error), (BYTES, &None), "{seen:?}");
        assert!([kind, theirs].contains(&seen.cipher.as_str()), "{seen:?}");
    }
}

#[test]
fn we_connect_to_node_with_every_kind() {
    connect::<Node>(Peer::Node, &KINDS, false);
}

#[test]
fn we_connect_to_node_with_our_certificate() {
    connect::<Node>(Peer::Node, &KINDS, true);
}

#[test]
fn we_connect_to_scapy_with_every_kind() {
    connect::<Scapy>(Peer::Scapy, &SCAPYS, false);
}

#[test]
fn we_connect_to_scapy_with_our_certificate() {
    connect::<Scapy>(Peer::Scapy, &SCAPYS, true);
}

/// Every kind of the document, as the document and as the reference name them.
const ALL: [(&str, &str); 7] = [
    ("SSL_CK_RC4_128_WITH_MD5", "010080"),
    ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", "020080"),
    ("SSL_CK_RC2_128_CBC_WITH_MD5", "030080"),
    ("SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", "040080"),
    ("SSL_CK_IDEA_128_CBC_WITH_MD5", "050080"),
    ("SSL_CK_DES_64_CBC_WITH_MD5", "060040"),
    ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "0700c0"),
];

/// What no peer of old can do: sessions that are taken up again, in long records of every padding.
#[test]
fn the_reference_connects_and_takes_its_sessions_up_again() {
    if !runnable(&[Peer::Scapy]) {
        return;
    }
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    for (kind, theirs) in ALL {
        let setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str())
            .require_client_certificate_of(pki.root().unwrap());
        let server = Server::start(&setup.settings(&settings(kind)).unwrap(), Service::Echo).unwrap();
        let options = ClientOptions::trusting(server.port(), pki.root().unwrap())
            .ciphers(theirs)
            .certificate(pki.client(Key::Rsa).unwrap())
            .rounds(3)
            .bytes(60_000)
            .write_sizes(1..=16_000);
        let (connections, log) = program::echo_with_log::<Ssl2Reference>(&options).unwrap();
        assert_eq!(connections.len(), 3, "{kind}: {connections:?}\n{log}");
        for (round, theirs_seen) in connections.iter().enumerate() {
            let seen = server.next_connection(Duration::from_secs(20)).unwrap();
            assert_eq!((theirs_seen.bytes, &theirs_seen.error), (60_000, &None), "{kind}\n{log}");
            assert_eq!(seen.negotiated.cipher, kind);
            assert_eq!((theirs_seen.resumed, seen.negotiated.resumed), (round > 0, round > 0), "{kind}");
            let shown = pki.client(Key::Rsa).unwrap().sha256;
            assert_eq!(seen.negotiated.peer_sha256, Some(shown), "{kind}");
        }
    }
}

#[test]
fn we_connect_to_the_reference_and_take_our_sessions_up_again() {
    if !runnable(&[Peer::Scapy]) {
        return;
    }
    let pki = Pki::find().unwrap();
    for (kind, theirs) in ALL {
        let options = ServerOptions::new(pki.server(Key::Rsa).unwrap())
            .ciphers(theirs)
            .client_auth(ClientAuth::Request(pki.root().unwrap()));
        let mut server = Ssl2ReferenceServer::start(&options).unwrap();
        let own = pki.client(Key::Rsa).unwrap();
        let setup = Setup::trusting(pki.root().unwrap()).pem(own.chain, own.key);
        let client = Client::new(&setup.settings(&settings(kind)).unwrap()).unwrap();
        for round in 0..3 {
            let report = client.echo_in_writes(server.port(), Pattern::new(1).content(60_000), 1..=16_000);
            assert_eq!(report.negotiated.bytes, 60_000, "{kind}: {:?}\n{}", report.failure, server.log());
            assert_eq!((report.negotiated.cipher.as_str(), report.negotiated.resumed), (kind, round > 0));
            let seen = server.next_connection().unwrap();
            assert_eq!((seen.bytes, seen.resumed, &seen.error), (60_000, round > 0, &None), "{kind}");
            let shown = (round == 0).then_some(own.sha256.as_str());
            assert_eq!(seen.peer_sha256.as_deref(), shown);
        }
    }
}

#[test]
fn a_client_whose_padding_says_that_it_has_tls_is_refused_where_tls_is_enabled() {
    if !runnable(&[Peer::Scapy]) {
        return;
    }
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    for (protocols, is_refused) in [("\"ssl2\"", false), ("\"tls1.0\", \"ssl2\"", true)] {
        let settings = format!(
            "protocols = [{protocols}]\nsuites = [\"SSL_CK_RC4_128_WITH_MD5\", \"TLS_RSA_WITH_AES_128_CBC_SHA\"]\n\
             i-accept-drown = true\n"
        );
        let settings =
            if is_refused { settings } else { settings.replace(", \"TLS_RSA_WITH_AES_128_CBC_SHA\"", "") };
        let setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
        let server = Server::start(&setup.settings(&settings).unwrap(), Service::Echo).unwrap();
        let options = ClientOptions::trusting(server.port(), pki.root().unwrap()).ciphers("010080").bytes(10);
        for (marks, refused) in [("mark=no", false), ("mark=yes", is_refused)] {
            let options = options.clone().argument(marks);
            let (connections, log) = program::echo_with_log::<Ssl2Reference>(&options).unwrap();
            assert_eq!(connections[0].error.is_some(), refused, "{protocols} {marks}: {log}");
        }
    }
}

/// Our server of TLS, asked by nassl in the format of SSL 2.0.
#[test]
fn nassl_comes_to_tls_by_a_hello_of_the_old_format() {
    if !runnable(&[Peer::Nassl]) {
        return;
    }
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    for (setting, version) in
        [("tls1.2", "TLSv1.2"), ("tls1.1", "TLSv1.1"), ("tls1.0", "TLSv1"), ("ssl3", "SSLv3")]
    {
        for v2_hello in [true, false] {
            let setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
            let settings = format!(
                "protocols = [{setting:?}]\nsuites = [\"TLS_RSA_WITH_AES_128_CBC_SHA\"]\nv2-hello = {v2_hello}\n"
            );
            let server = Server::start(&setup.settings(&settings).unwrap(), Service::Echo).unwrap();
            let options = ClientOptions::trusting(server.port(), pki.root().unwrap())
                .ciphers("AES128-SHA:RC4-MD5")
                .bytes(BYTES)
                .argument("version=v2hello");
            let (connections, log) = program::echo_with_log::<Nassl>(&options).unwrap();
            let seen = server.next_connection(Duration::from_secs(20)).unwrap();
            if v2_hello {
                assert_eq!((connections[0].bytes, &connections[0].error), (BYTES, &None), "{setting}: {log}");
                assert_eq!(seen.negotiated.version, version);
            } else {
                let refused = seen.failure.unwrap().to_string();
                assert!(refused.contains("v2-hello"), "{refused}");
            }
        }
    }
}

/// Java switches off what is old unless it is told not to.
const LEGACY_JAVA: &str =
    concat!("-Djava.security.properties=", env!("CARGO_MANIFEST_DIR"), "/peers/legacy.security");

/// Our server of TLS, asked by Java in the format of SSL 2.0.
#[test]
fn java_comes_to_tls_by_a_hello_of_the_old_format() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    for (setting, version, theirs) in
        [("tls1.0", "TLSv1", "TLSv1"), ("tls1.1", "TLSv1.1", "TLSv1.1"), ("ssl3", "SSLv3", "SSLv3")]
    {
        let setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
        let settings = format!(
            "protocols = [{setting:?}]\nsuites = [\"TLS_RSA_WITH_3DES_EDE_CBC_SHA\"]\nv2-hello = true\n"
        );
        let server = Server::start(&setup.settings(&settings).unwrap(), Service::Echo).unwrap();
        let options = ClientOptions::trusting(server.port(), pki.root().unwrap())
            .ciphers("SSL_RSA_WITH_3DES_EDE_CBC_SHA")
            .bytes(BYTES)
            .argument(LEGACY_JAVA)
            .argument(format!("version=SSLv2Hello,{theirs}"));
        let (connections, log) = java::echo_with_log(&options).unwrap();
        assert_eq!((connections[0].bytes, &connections[0].error), (BYTES, &None), "{setting}: {log}");
        let seen = server.next_connection(Duration::from_secs(20)).unwrap();
        assert_eq!(seen.negotiated.version, version);
    }
}

/// Our hello of the old format, which offers SSL 2.0 beside TLS, to servers that take it: each chooses TLS.
#[test]
fn we_come_to_tls_by_a_hello_of_the_old_format() {
    let pki = Pki::find().unwrap();
    for (peer, version) in [
        (Peer::Node, "any"),
        (Peer::Java, "SSLv2Hello,TLSv1"),
        (Peer::OpenSsl111, ""),
        (Peer::OpenSsl, ""),
        (Peer::GnuTls, ""),
        (Peer::Tlslite, ""),
    ] {
        if !runnable(&[peer]) {
            continue;
        }
        for protocols in ["\"tls1.0\"", "\"tls1.0\", \"ssl2\""] {
            let suites = if protocols.contains("ssl2") { ", \"SSL_CK_RC4_128_WITH_MD5\"" } else { "" };
            let settings = format!(
                "protocols = [{protocols}]\nsuites = [\"TLS_RSA_WITH_AES_128_CBC_SHA\"{suites}]\nv2-hello = true\n"
            );
            let mut options = ServerOptions::new(pki.server(Key::Rsa).unwrap());
            options = match peer {
                Peer::Java => options
                    .ciphers("TLS_RSA_WITH_AES_128_CBC_SHA")
                    .argument(LEGACY_JAVA)
                    .argument(format!("version={version}")),
                Peer::Node => options.ciphers("AES128-SHA:RC4-MD5").argument(format!("version={version}")),
                Peer::Tlslite => options.ciphers("0x002f").version(Version::Tls10),
                Peer::GnuTls => options.version(Version::Tls10),
                _ => options.ciphers("AES128-SHA:@SECLEVEL=0").version(Version::Tls10),
            };
            let mut server = echo::serve(peer, &options).unwrap();
            let setup = Setup::trusting(pki.root().unwrap());
            let client = Client::new(&setup.settings(&settings).unwrap()).unwrap();
            let content = Pattern::new(1).content(BYTES);
            // GnuTLS sends lines back.
            let content = if peer == Peer::GnuTls { content.as_lines() } else { content };
            let report = client.echo(server.port(), content);
            let log = server.process().log();
            assert_eq!(
                report.negotiated.bytes,
                content.length(),
                "{peer} {protocols}: {:?}\n{log}",
                report.failure
            );
            assert_eq!(report.negotiated.version, "TLSv1", "{peer}");
        }
    }
}
