//! Known answers: key schedules, and handshakes that OpenSSL had with itself, read along.

use std::collections::HashSet;

use crypto::private_key::PrivateKey;
use test_support::hex;
use wire::{Codec, Reader};

use super::*;
use crate::session::MasterSecret;
use crate::tls::key_exchange::decrypt_premaster;
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::{ClientHello, HEADER, HandshakeType, ServerHello};
use crate::tls::transcript::Transcript;
use crate::tls::versions::{Rules, Sender, Signatures};

const KEY_SCHEDULES: [&str; 2] = [
    include_str!("../../../testdata/key-schedules.txt"),
    include_str!("../../../testdata/key-schedules-second.txt"),
];
const TRACES: &str = include_str!("../../../testdata/openssl-1.0.2-traces.txt");

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect())
}

fn bytes(field: &str) -> Vec<u8> {
    if field == "-" { Vec::new() } else { hex::decode(field) }
}

fn number(field: &str) -> u16 {
    u16::from_str_radix(field, 16).unwrap()
}

#[test]
fn key_schedules_are_those_of_independent_implementations() {
    let mut rules: Option<&'static Rules> = None;
    let mut randoms = Randoms { client: [0; 32], server: [0; 32] };
    let mut master = MasterSecret([0; 48]);
    let mut any = CipherSuite(0x002f).row().unwrap();
    let mut transcript = Transcript::default();
    let mut suites = HashSet::new();
    for row in KEY_SCHEDULES.into_iter().flat_map(rows) {
        match row.as_slice() {
            ["version", version, client, server, premaster, expected, suite] => {
                any = CipherSuite(number(suite)).row().unwrap();
                let version = ProtocolVersion(number(version)).rules().unwrap();
                randoms = Randoms {
                    client: bytes(client).try_into().unwrap(),
                    server: bytes(server).try_into().unwrap(),
                };
                master = (version.master_secret)(any, &bytes(premaster), &randoms);
                assert_eq!(master.0[..], bytes(expected), "{}", version.version);
                rules = Some(version);
            }
            ["finished", messages, client, server] => {
                let rules = rules.unwrap();
                transcript = Transcript::default();
                transcript.add(&bytes(messages));
                transcript.choose((rules.transcript)(any));
                for (sender, expected) in [(Sender::Client, client), (Sender::Server, server)] {
                    let data = (rules.verify_data)(any, &master, &transcript, sender);
                    assert_eq!(data.as_ref(), bytes(expected), "{}", rules.version);
                }
            }
            ["verify", expected] => {
                let Signatures::Md5AndSha1 { of_transcript } = rules.unwrap().signatures else { panic!() };
                assert_eq!(of_transcript(&transcript, &master)[..], bytes(expected));
            }
            ["suite", code, rest @ ..] => {
                let rules = rules.unwrap();
                let suite = CipherSuite(number(code)).row().unwrap();
                assert!(suite.is_legal_in(rules.version));
                assert_eq!(suite.prf, any.prf, "the schedule of another PRF");
                let keys = ConnectionKeys::derive(rules, suite, &master, &randoms);
                let policy = Policy::default();
                let [client, server] =
                    [&keys.client, &keys.server].map(|k| k.for_records(rules, suite, &policy));
                let own =
                    [client.mac_secret, server.mac_secret, client.key, server.key, client.iv, server.iv];
                for (own, expected) in own.iter().zip(rest) {
                    assert_eq!(
                        hex::encode(own),
                        hex::encode(bytes(expected)),
                        "{} {}",
                        rules.version,
                        suite.name
                    );
                }
                suites.insert((rules.version, suite.name));
            }
            other => panic!("{other:?}"),
        }
    }
    for version in ProtocolVersion::ALL {
        for row in SUITES.iter().filter(|row| row.is_legal_in(version)) {
            assert!(suites.contains(&(version, row.name)), "{version} {} has no known answer", row.name);
        }
    }
}

/// Reads a connection of others along: opens every record, checks every Finished.
struct Observer<'a> {
    suite: &'static SuiteRow,
    rules: &'static Rules,
    key: &'a PrivateKey,
    /// What the trace says.
    master: Vec<u8>,
    /// By side: client, server.
    openers: [Opener; 2],
    changed: [bool; 2],
    transcript: Transcript,
    client_random: [u8; 32],
    hello_version: ProtocolVersion,
    keys: Option<ConnectionKeys>,
    randoms: Option<Randoms>,
    finished: usize,
    data: [Vec<u8>; 2],
}

impl Observer<'_> {
    fn flight(&mut self, side: usize, mut wire: &[u8]) {
        while !wire.is_empty() {
            let Need::Whole(len) = self.openers[side].record_len(wire).unwrap() else { panic!("cut") };
            let (record, rest) = wire.split_at(len);
            wire = rest;
            let mut record = record.to_vec();
            let opened = self.openers[side].open(&mut record).unwrap();
            let content = record[opened.content].to_vec();
            match opened.content_type {
                ContentType::HANDSHAKE => self.messages(side, &content),
                ContentType::CHANGE_CIPHER_SPEC => self.change(side),
                ContentType::APPLICATION_DATA => self.data[side].extend(content),
                ContentType::ALERT => assert_eq!(content, [1, 0], "close_notify"),
                other => panic!("{other:?}"),
            }
        }
    }

    fn change(&mut self, side: usize) {
        let keys = self.keys.as_ref().unwrap();
        let direction = if side == 0 { &keys.client } else { &keys.server };
        self.openers[side] =
            Opener::new(&direction.for_records(self.rules, self.suite, &Policy::default())).unwrap();
        self.changed[side] = true;
    }

    fn messages(&mut self, side: usize, mut content: &[u8]) {
        while !content.is_empty() {
            let length = u32::from_be_bytes([0, content[1], content[2], content[3]]) as usize;
            let (message, rest) = content.split_at(HEADER + length);
            content = rest;
            self.message(side, HandshakeType(message[0]), message);
        }
    }

    fn message(&mut self, side: usize, kind: HandshakeType, message: &[u8]) {
        let body = &message[HEADER..];
        match kind {
            HandshakeType::CLIENT_HELLO => {
                let hello = ClientHello::from_bytes(body, "ClientHello").unwrap();
                self.client_random = hello.random;
                self.hello_version = hello.version;
                self.transcript.add(message);
            }
            HandshakeType::SERVER_HELLO => {
                let hello = ServerHello::from_bytes(body, "ServerHello").unwrap();
                assert_eq!((hello.version, hello.suite), (self.rules.version, self.suite.suite));
                let randoms = Randoms { client: self.client_random, server: hello.random };
                self.transcript.add(message);
                self.transcript.choose((self.rules.transcript)(self.suite));
                let master = MasterSecret(self.master.clone().try_into().unwrap());
                self.keys = Some(ConnectionKeys::derive(self.rules, self.suite, &master, &randoms));
                self.randoms = Some(randoms);
            }
            HandshakeType::CLIENT_KEY_EXCHANGE if self.suite.key_exchange == KeyExchange::Rsa => {
                let PrivateKey::Rsa(key) = self.key else { panic!() };
                let premaster =
                    decrypt_premaster(key, body, self.hello_version, self.rules, Seeded::new(1).as_ref())
                        .unwrap();
                let master =
                    (self.rules.master_secret)(self.suite, &premaster, self.randoms.as_ref().unwrap());
                assert_eq!(master.0[..], self.master, "the premaster secret was decrypted");
                self.transcript.add(message);
            }
            HandshakeType::FINISHED => {
                assert!(self.changed[side]);
                let sender = if side == 0 { Sender::Client } else { Sender::Server };
                let master = MasterSecret(self.master.clone().try_into().unwrap());
                let expected = (self.rules.verify_data)(self.suite, &master, &self.transcript, sender);
                assert_eq!(body, expected.as_ref());
                self.transcript.add(message);
                self.finished += 1;
            }
            _ => self.transcript.add(message),
        }
    }
}

#[test]
fn handshakes_of_openssl_with_itself_are_read_along_to_the_last_record() {
    let mut key = None;
    let mut observer: Option<Observer<'_>> = None;
    let keys = rows(TRACES).find_map(|row| match row.as_slice() {
        ["key", der] => Some(PrivateKey::from_der(&bytes(der)).unwrap()),
        _ => None,
    });
    let keys = keys.unwrap();
    let mut sessions = 0;
    let mut end = |observer: Option<Observer<'_>>| {
        let Some(observer) = observer else { return };
        let what = format!("{} {}", observer.rules.version, observer.suite.name);
        assert_eq!(observer.finished, 2, "{what}");
        assert_eq!(observer.data[0], b"hello world\n", "{what}");
        assert_eq!(observer.data[1], b"dlrow olleh\n", "{what}");
        sessions += 1;
    };
    for row in rows(TRACES) {
        match row.as_slice() {
            ["key", _] => key = Some(&keys),
            ["session", version, suite, master, _feature] => {
                end(observer.take());
                observer = Some(Observer {
                    suite: CipherSuite(number(suite)).row().unwrap(),
                    rules: ProtocolVersion(number(version)).rules().unwrap(),
                    key: key.unwrap(),
                    master: bytes(master),
                    openers: [Opener::plaintext(), Opener::plaintext()],
                    changed: [false; 2],
                    transcript: Transcript::default(),
                    client_random: [0; 32],
                    hello_version: ProtocolVersion(0),
                    keys: None,
                    randoms: None,
                    finished: 0,
                    data: [Vec::new(), Vec::new()],
                });
            }
            [side @ ("C" | "S"), flight] => {
                observer.as_mut().unwrap().flight(usize::from(*side == "S"), &bytes(flight));
            }
            other => panic!("{other:?}"),
        }
    }
    end(observer.take());
    assert_eq!(sessions, TRACES.matches("\nsession ").count());
}

#[test]
fn a_key_is_found_in_the_certificates_of_a_trace() {
    let Some(first) = rows(TRACES).find(|row| row[0] == "S") else { panic!() };
    let flight = bytes(first[1]);
    // The Certificate message is the second record of the server.
    let length = usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    let mut reader = Reader::new(&flight[5 + length + 5 + HEADER..]);
    let mut list = reader.vec_u24("list").unwrap();
    let certificate = list.opaque_u24("certificate").unwrap();
    assert_eq!(certificate::public_key(certificate).unwrap().bits(), 1024);
}
