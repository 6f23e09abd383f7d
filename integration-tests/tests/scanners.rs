//! What the tools of others see of us: `nmap` and `sslscan` what a server speaks, which must be what is configured and
//! nothing else, and `tshark` what goes over the wire in SSL 2.0.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure here is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use opensspi_integration_tests::Pattern;
use opensspi_integration_tests::legacy::{Key, Pki};
use opensspi_integration_tests::ours::{Client, Server, Service, Setup};
use opensspi_integration_tests::peers::fetched::{Node, NodeServer};
use opensspi_integration_tests::peers::program;
use opensspi_integration_tests::peers::scanners::{Scanner, nmap, sslscan, tshark};
use opensspi_integration_tests::peers::{ClientAuth, ClientOptions, Peer, ServerOptions, Version, runnable};
use opensspi_integration_tests::wiretap::{SERVER_PORT, Wiretap};
use schannel::SchannelConfig;

/// What a server is told.
const SERVERS: [&str; 7] = [
    "profile = \"museum\"\ni-accept-drown = true\n",
    "profile = \"windows-2003\"\ni-accept-drown = true\n",
    "protocols = [\"ssl2\"]\nallow = [\"rc4\", \"des\", \"export\"]\n",
    "protocols = [\"ssl2\"]\nsuites = [\"SSL_CK_RC4_128_WITH_MD5\", \"SSL_CK_DES_192_EDE3_CBC_WITH_MD5\"]\n",
    "protocols = [\"ssl2\"]\nsuites = [\"SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5\"]\n",
    "protocols = [\"tls1.0\", \"ssl3\"]\nsuites = [\"TLS_RSA_WITH_3DES_EDE_CBC_SHA\", \"TLS_RSA_WITH_RC4_128_SHA\"]\n",
    "",
];

fn serve(settings: &str) -> Server {
    let pki = Pki::find().unwrap();
    let identity = pki.server(Key::Rsa).unwrap();
    let setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
    Server::start(&setup.settings(settings).unwrap(), Service::Echo).unwrap()
}

/// The protocols that these settings enable, by the names of [`Version`], and their suites.
fn enabled(settings: &str) -> BTreeMap<&'static str, BTreeSet<String>> {
    let config: SchannelConfig = toml::from_str(settings).unwrap();
    let suites = |suites: Vec<&str>| suites.into_iter().map(str::to_owned).collect();
    config.enabled().unwrap().into_iter().map(|(protocol, names)| (protocol.name(), suites(names))).collect()
}

/// The kinds of SSL 2.0 as nmap calls them.
fn kinds(settings: &str) -> BTreeSet<String> {
    let kinds = enabled(settings).remove("ssl2").unwrap_or_default();
    kinds.iter().map(|kind| kind.replace("SSL_CK_", "SSL2_")).collect()
}

/// The lines of nmap's report without its frame, and the first word of each.
fn words(report: &str) -> impl Iterator<Item = &str> {
    let lines = report.lines().map(|line| line.trim_start_matches(['|', '_', ' ']));
    lines.filter_map(|line| line.split_whitespace().next())
}

#[test]
fn nmap_sees_the_kinds_of_ssl2_that_are_enabled_and_no_others() {
    if !Scanner::Nmap.runnable() {
        return;
    }
    for settings in SERVERS {
        let server = serve(settings);
        let report = nmap(&["sslv2"], server.port()).unwrap();
        let seen: BTreeSet<String> =
            words(&report).filter(|word| word.starts_with("SSL2_")).map(str::to_owned).collect();
        assert_eq!(seen, kinds(settings), "{settings}\n{report}");
        assert_eq!(report.contains("SSLv2 supported"), !seen.is_empty(), "{settings}\n{report}");
    }
}

/// The script looks for DROWN as such, which any weak kind makes possible, and for two faults of servers that make it
/// worse: to take a kind that was not agreed on (CVE-2015-3197), and clear bytes of a key that has none (CVE-2016-0703).
#[test]
fn nmap_finds_drown_where_a_weak_kind_is_enabled_and_neither_of_the_faults_that_make_it_worse() {
    if !Scanner::Nmap.runnable() {
        return;
    }
    for settings in SERVERS {
        let server = serve(settings);
        let report = nmap(&["sslv2-drown"], server.port()).unwrap();
        let kinds = kinds(settings);
        let is_weak = kinds.iter().any(|kind| kind.contains("EXPORT40") || kind.contains("DES_64"));
        let found: Vec<&str> = words(&report).filter(|word| word.starts_with("CVE-")).collect();
        let expected: &[&str] = if is_weak { &["CVE-2016-0800:"] } else { &[] };
        assert_eq!(found, expected, "{settings}\n{report}");
        assert!(!report.contains("forced_ciphers"), "{settings}\n{report}");
        let seen: BTreeSet<String> =
            words(&report).filter(|word| word.starts_with("SSL2_")).map(str::to_owned).collect();
        assert_eq!(seen, kinds, "{settings}\n{report}");
    }
}

/// What the certificate of these tests cannot serve, an RSA key.
fn needs_another_key(suite: &str) -> bool {
    ["_ECDSA_", "_DSS_"].iter().any(|key| suite.contains(key))
}

#[test]
fn nmap_sees_the_suites_of_every_newer_protocol_that_are_enabled_and_no_others() {
    if !Scanner::Nmap.runnable() {
        return;
    }
    for settings in SERVERS {
        let server = serve(settings);
        let report = nmap(&["ssl-enum-ciphers"], server.port()).unwrap();
        let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut protocol = "";
        for word in words(&report) {
            let heading = ["SSLv3:", "TLSv1.0:", "TLSv1.1:", "TLSv1.2:", "TLSv1.3:"].iter();
            if let Some(number) = heading.clone().position(|name| *name == word) {
                protocol = ["ssl3", "tls1.0", "tls1.1", "tls1.2", "tls1.3"][number];
            } else if word.starts_with("TLS_") {
                seen.entry(protocol).or_default().insert(word.replace("TLS_AKE_WITH_", "TLS_"));
            }
        }
        let mut expected = enabled(settings);
        expected.retain(|protocol, _| !matches!(*protocol, "ssl2" | "pct1"));
        for suites in expected.values_mut() {
            suites.retain(|suite| !needs_another_key(suite));
        }
        assert_eq!(seen, expected, "{settings}\n{report}");
    }
}

#[test]
fn sslscan_sees_the_protocols_that_are_enabled_and_no_others() {
    if !Scanner::Sslscan.runnable() {
        return;
    }
    for settings in SERVERS {
        let server = serve(settings);
        let seen = sslscan(server.port()).unwrap();
        let enabled = enabled(settings);
        let expected: Vec<&str> = [
            ("ssl2", "SSLv2"),
            ("ssl3", "SSLv3"),
            ("tls1.0", "TLSv1.0"),
            ("tls1.1", "TLSv1.1"),
            ("tls1.2", "TLSv1.2"),
            ("tls1.3", "TLSv1.3"),
        ]
        .into_iter()
        .filter_map(|(ours, theirs)| enabled.contains_key(ours).then_some(theirs))
        .collect();
        assert_eq!(seen, expected, "{settings}");
    }
}

/// Every kind of the document and one more, as the document, as OpenSSL and as the wire has it.
const KINDS: [(&str, &str, &str); 7] = [
    ("SSL_CK_RC4_128_WITH_MD5", "RC4-MD5", "0x010080"),
    ("SSL_CK_RC4_128_EXPORT40_WITH_MD5", "EXP-RC4-MD5", "0x020080"),
    ("SSL_CK_RC2_128_CBC_WITH_MD5", "RC2-CBC-MD5", "0x030080"),
    ("SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5", "EXP-RC2-CBC-MD5", "0x040080"),
    ("SSL_CK_IDEA_128_CBC_WITH_MD5", "", "0x050080"),
    ("SSL_CK_DES_64_CBC_WITH_MD5", "DES-CBC-MD5", "0x060040"),
    ("SSL_CK_DES_192_EDE3_CBC_WITH_MD5", "DES-CBC3-MD5", "0x0700c0"),
];

/// Little for Node, whose OpenSSL reads a record wrong that comes in pieces.
const BYTES: u64 = 3_000;

fn settings(kind: &str) -> String {
    format!("protocols = [\"ssl2\"]\nsuites = [{kind:?}]\nallow = [\"sha1-signature\", \"rsa-1024\"]\n")
}

fn our_server(pki: &Pki, kind: &str, asks: bool) -> Server {
    let identity = pki.server(Key::Rsa).unwrap();
    let mut setup = Setup::server_from_pem(identity.chain.as_str(), identity.key.as_str());
    if asks {
        setup = setup.require_client_certificate_of(pki.root().unwrap());
    }
    Server::start(&setup.settings(&settings(kind)).unwrap(), Service::Echo).unwrap()
}

fn our_client(pki: &Pki, kind: &str, shows: bool) -> Client {
    let mut setup = Setup::trusting(pki.root().unwrap());
    if shows {
        let own = pki.client(Key::Rsa).unwrap();
        setup = setup.pem(own.chain, own.key);
    }
    Client::new(&setup.settings(&settings(kind)).unwrap()).unwrap()
}

/// The columns that are asked of tshark.
const FIELDS: [&str; 8] = [
    "tcp.stream",
    "tcp.srcport",
    "_ws.col.Protocol",
    "_ws.malformed",
    "_ws.expert",
    "tls.handshake.type",
    "tls.handshake.cipherspec",
    "tls.record.version",
];

/// What tshark makes of the connections of a wire, each in a line a packet.
fn dissected(wire: &Wiretap, connections: u16) -> Vec<Vec<String>> {
    let packets = tshark(&wire.capture(connections).unwrap(), &FIELDS).unwrap();
    assert!(!packets.is_empty());
    packets
}

/// All of it is SSL 2.0, and nothing is wrong with it; the handshakes are these, as (from the server, types), in order.
fn assert_well_formed(packets: &[Vec<String>], kind: &str, wire_kind: &str, handshakes: &[&[(bool, &str)]]) {
    let mut last = BTreeMap::new();
    for packet in packets {
        let fields: &[String; FIELDS.len()] = packet.as_slice().try_into().unwrap();
        let [stream, port, protocol, malformed, expert, _, kinds, _] = fields;
        assert_eq!((malformed.as_str(), expert.as_str()), ("", ""), "{kind}: {packet:?}");
        // A packet that ends within a record is one of TCP alone: the next tells.
        assert!(matches!(protocol.as_str(), "SSLv2" | "TCP"), "{kind}: {packet:?}");
        assert!(kinds.split(',').all(|kind| kind.is_empty() || kind == wire_kind), "{kind}: {packet:?}");
        last.insert((stream, port), protocol);
    }
    assert!(last.values().all(|protocol| *protocol == "SSLv2"), "{kind}: {last:?}");
    for (number, expected) in (0..).zip(handshakes) {
        let of_stream = packets.iter().filter(|packet| packet[0] == number.to_string());
        let seen: Vec<(bool, &str)> = of_stream
            .filter(|packet| !packet[5].is_empty())
            .map(|packet| (packet[1] == SERVER_PORT.to_string(), packet[5].as_str()))
            .collect();
        assert_eq!(seen, *expected, "{kind}, connection {number}");
    }
}

/// CLIENT-HELLO, SERVER-HELLO, CLIENT-MASTER-KEY: what comes after these is encrypted.
const FULL: &[(bool, &str)] = &[(false, "1"), (true, "4"), (false, "2")];
/// CLIENT-HELLO, and SERVER-HELLO that takes its session up again.
const RESUMED: &[(bool, &str)] = &[(false, "1"), (true, "4")];

#[test]
fn tshark_dissects_every_kind_between_our_ends_with_and_without_certificate_full_and_resumed() {
    if !Scanner::Tshark.runnable() {
        return;
    }
    let pki = Pki::find().unwrap();
    for (kind, _, wire_kind) in KINDS {
        for with_certificate in [false, true] {
            let server = our_server(&pki, kind, with_certificate);
            // Where a session is taken up tshark sees no CLIENT-MASTER-KEY and does not know what is encrypted. A record whose
            // first byte happens to be that of a message it takes for one, which is by chance and not each time.
            let is_as_it_is = |packets: &Vec<Vec<String>>| {
                let second = || packets.iter().filter(|packet| packet[0] == "1");
                let messages = second().filter(|packet| !packet[5].is_empty()).count();
                messages == RESUMED.len() && second().all(|packet| packet[3].is_empty())
            };
            let mut captures = (0..4).map(|_| {
                let client = our_client(&pki, kind, with_certificate);
                let wire = Wiretap::to(server.port()).unwrap();
                for round in 0..2 {
                    let content = Pattern::new(1).content(60_000);
                    let report = client.echo_in_writes(wire.port(), content, 1..=16_000);
                    assert_eq!(report.negotiated.bytes, 60_000, "{kind}: {:?}", report.failure);
                    assert_eq!(report.negotiated.resumed, round > 0, "{kind}");
                    let seen = server.next_connection(Duration::from_secs(20)).unwrap();
                    assert_eq!(seen.negotiated.peer_sha256.is_some(), with_certificate, "{kind}");
                }
                dissected(&wire, 2)
            });
            let packets = captures.find(is_as_it_is);
            let packets =
                packets.unwrap_or_else(|| panic!("{kind}: what takes up a session is read wrong each time"));
            assert_well_formed(&packets, kind, wire_kind, &[FULL, RESUMED]);
        }
    }
}

#[test]
fn tshark_dissects_what_node_and_our_server_say_with_and_without_certificate() {
    if !Scanner::Tshark.runnable() || !runnable(&[Peer::Node]) {
        return;
    }
    let pki = Pki::find().unwrap();
    for (kind, theirs, wire_kind) in KINDS.into_iter().filter(|(_, theirs, _)| !theirs.is_empty()) {
        for with_certificate in [false, true] {
            let server = our_server(&pki, kind, with_certificate);
            let wire = Wiretap::to(server.port()).unwrap();
            let mut options = ClientOptions::trusting(wire.port(), pki.root().unwrap())
                .version(Version::Ssl20)
                .ciphers(theirs)
                .bytes(BYTES)
                .write_sizes(1..=200);
            if with_certificate {
                options = options.certificate(pki.client(Key::Rsa).unwrap());
            }
            let (connections, log) = program::echo_with_log::<Node>(&options).unwrap();
            assert_eq!(connections[0].bytes, BYTES, "{kind}: {log}");
            assert_well_formed(&dissected(&wire, 1), kind, wire_kind, &[FULL]);
        }
    }
}

#[test]
fn tshark_dissects_what_our_client_and_node_say_with_and_without_certificate() {
    if !Scanner::Tshark.runnable() || !runnable(&[Peer::Node]) {
        return;
    }
    let pki = Pki::find().unwrap();
    for (kind, theirs, wire_kind) in KINDS.into_iter().filter(|(_, theirs, _)| !theirs.is_empty()) {
        for with_certificate in [false, true] {
            let mut options =
                ServerOptions::new(pki.server(Key::Rsa).unwrap()).version(Version::Ssl20).ciphers(theirs);
            if with_certificate {
                options = options.client_auth(ClientAuth::Require(pki.root().unwrap()));
            }
            let server = NodeServer::start(&options).unwrap();
            let wire = Wiretap::to(server.port()).unwrap();
            let client = our_client(&pki, kind, with_certificate);
            let report = client.echo_in_writes(wire.port(), Pattern::new(1).content(BYTES), 1..=200);
            assert_eq!(report.negotiated.bytes, BYTES, "{kind}: {:?}\n{}", report.failure, server.log());
            assert_well_formed(&dissected(&wire, 1), kind, wire_kind, &[FULL]);
        }
    }
}

/// That the tests above can fail.
#[test]
fn tshark_finds_a_length_that_is_wrong() {
    if !Scanner::Tshark.runnable() {
        return;
    }
    let pki = Pki::find().unwrap();
    let (kind, ..) = KINDS[0];
    let server = our_server(&pki, kind, false);
    let wire = Wiretap::to(server.port()).unwrap();
    our_client(&pki, kind, false).echo(wire.port(), Pattern::new(1).content(10));
    let mut capture = wire.capture(1).unwrap();
    // SERVER-HELLO, no session, X.509, version 2: the length of the certificate comes next.
    let hello = capture.windows(5).position(|bytes| bytes == [4, 0, 1, 0, 2]).unwrap();
    capture[hello + 5] ^= 0x10;
    let packets = tshark(&capture, &FIELDS).unwrap();
    assert!(packets.iter().any(|packet| packet[3].contains("Malformed") && packet[4].contains("Error")));
}
