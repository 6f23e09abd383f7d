//! Known answers: key material, MACs and records, and handshakes that OpenSSL had with itself, read along.

use crypto::hash::Hash;
use crypto::private_key::PrivateKey;
use crypto::signature::SignatureScheme as Scheme;
use test_support::hex;
use wire::Codec;

use super::*;
use crate::record::Need;
use crate::ssl2::keys::{KeyMaterial, Master};
use crate::ssl2::messages::{
    ClientCertificate, ClientHello, ClientMasterKey, RequestCertificate, ServerHello, Ssl2MessageType as M,
};
use crate::ssl2::record::{Header, Opening, Sealing};

const RECORDS: &str = include_str!("../../../testdata/ssl2-records.txt");
const TRACES: &str = include_str!("../../../testdata/ssl2-openssl-1.0.2-traces.txt");

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect())
}

fn bytes(field: &str) -> Vec<u8> {
    if field == "-" { Vec::new() } else { hex::decode(field) }
}

fn kind(field: &str) -> &'static KindRow {
    CipherKind(bytes(field).try_into().unwrap()).row().unwrap()
}

#[derive(Default)]
struct Vector {
    hellos: Vec<Vec<u8>>,
    row: Option<&'static KindRow>,
    /// The reading of the document that nobody speaks: the keys are not those that we derive.
    is_other_reading: bool,
    master: Vec<u8>,
    key_arg: Vec<u8>,
    keys: Vec<Vec<u8>>,
    directions: Vec<(Sealing, Opening, u32)>,
}

impl Vector {
    fn check_keys(&self) {
        let master = Master::new(self.row.unwrap(), &self.master, &self.key_arg);
        let keys = KeyMaterial::derive(&master, &self.hellos[0], &self.hellos[1]);
        let own = [keys.client_read().to_vec(), keys.client_write().to_vec()];
        assert_eq!(own == self.keys[..], !self.is_other_reading, "{}", self.row.unwrap().suite.name);
    }

    /// The directions of the client and of the server, as they are after the hellos.
    fn start(&mut self) {
        for (key, sent_before) in [(&self.keys[1], 2), (&self.keys[0], 1)] {
            let (mut sealing, mut opening) = (Sealing::clear(), Opening::clear());
            for _ in 0..sent_before {
                let mut message = Vec::new();
                sealing.append(b"in clear", &mut message).unwrap();
                opening.open(&mut message).unwrap();
            }
            sealing.protect(self.row.unwrap(), key, &self.key_arg, u64::MAX).unwrap();
            opening.protect(self.row.unwrap(), key, &self.key_arg, u64::MAX).unwrap();
            self.directions.push((sealing, opening, sent_before));
        }
    }
}

#[test]
fn keys_and_records_are_those_of_an_independent_implementation() {
    let mut vector = Vector::default();
    let (mut suites, mut records) = (0, 0);
    for row in rows(RECORDS) {
        match row.as_slice() {
            [] => {}
            ["challenge" | "connection_id", value] => vector.hellos.push(bytes(value)),
            ["suite", code, name, variant] => {
                vector = Vector {
                    hellos: vector.hellos,
                    row: Some(kind(code)),
                    is_other_reading: *variant == "draft" && name.contains("DES_64"),
                    ..Vector::default()
                };
                assert_eq!(kind(code).suite.name, *name);
                suites += 1;
            }
            ["master_key", value] => vector.master = bytes(value),
            ["clear_key", value] => {
                let clear = bytes(value);
                assert_eq!(clear.len(), vector.row.unwrap().clear_len());
                assert!(vector.master.starts_with(&clear));
            }
            ["key_arg", value] => vector.key_arg = bytes(value),
            ["client_read", value] => vector.keys.push(bytes(value)),
            ["client_write", value] => {
                vector.keys.push(bytes(value));
                vector.check_keys();
                vector.start();
            }
            ["record", side, sequence, data, padding, _mac, expected] => {
                let at = usize::from(*side == "server");
                let (sealing, opening, next) = &mut vector.directions[at];
                assert_eq!(next.to_string(), *sequence);
                *next += 1;
                let mut record = Vec::new();
                sealing.append(&bytes(data), &mut record).unwrap();
                assert_eq!(hex::encode(&record), *expected);
                let header = Header::read(&record).unwrap().unwrap();
                assert_eq!(header.padding.to_string(), *padding);
                let opened = opening.open(&mut record).unwrap();
                assert_eq!(record[opened.content], bytes(data));
                records += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((suites, records), (7, 42));
}

/// Reads a connection of others along: opens every record, checks every message.
struct Observer<'a> {
    row: &'static KindRow,
    key: &'a PrivateKey,
    /// What the trace says.
    master: Master,
    /// By side: client, server.
    opening: [Opening; 2],
    hellos: [Vec<u8>; 2],
    certificate: Vec<u8>,
    keys: Option<KeyMaterial>,
    certificate_challenge: Vec<u8>,
    heard: Vec<M>,
    data: [Vec<u8>; 2],
}

impl Observer<'_> {
    fn flight(&mut self, side: usize, flight: &[u8]) {
        let mut rest = flight;
        while !rest.is_empty() {
            let Need::Whole(len) = Header::record_len(rest).unwrap() else { panic!("not whole records") };
            let (record, more) = rest.split_at(len);
            let mut record = record.to_vec();
            let opened = self.opening[side].open(&mut record).unwrap();
            let content = record[opened.content].to_vec();
            if self.heard.last() == Some(&M::SERVER_FINISHED) {
                self.data[side].extend(content);
            } else {
                self.message(&content);
            }
            rest = more;
        }
    }

    fn message(&mut self, content: &[u8]) {
        let (kind, body) = (M(content[0]), &content[1..]);
        self.heard.push(kind);
        match kind {
            M::CLIENT_HELLO => {
                let hello = ClientHello::from_bytes(body, "").unwrap();
                assert!(hello.kinds.contains(&self.row.kind));
                self.hellos[0] = hello.challenge.to_vec();
            }
            M::SERVER_HELLO => {
                let hello = ServerHello::from_bytes(body, "").unwrap();
                self.hellos[1] = hello.connection_id.to_vec();
                self.certificate = hello.offer.unwrap().certificate.to_vec();
            }
            M::CLIENT_MASTER_KEY => self.master_key(body),
            M::CLIENT_FINISHED => assert_eq!(body, self.hellos[1]),
            M::SERVER_VERIFY => assert_eq!(body, self.hellos[0]),
            M::SERVER_FINISHED => assert_eq!(body.len(), 16),
            M::REQUEST_CERTIFICATE => {
                let request = RequestCertificate::from_bytes(body, "").unwrap();
                self.certificate_challenge = request.challenge.to_vec();
            }
            M::CLIENT_CERTIFICATE => {
                let message = ClientCertificate::from_bytes(body, "").unwrap();
                let keys = self.keys.as_ref().unwrap();
                let signed = keys.signed(&self.certificate_challenge, &self.certificate);
                let key = certificate::public_key(&message.certificate).unwrap();
                key.verify(Scheme::RsaPkcs1(Hash::Md5), &signed, &message.response).unwrap();
            }
            other => panic!("{other}"),
        }
    }

    fn master_key(&mut self, body: &[u8]) {
        let message = ClientMasterKey::from_bytes(body, "").unwrap();
        assert_eq!(message.kind, self.row.kind);
        message.check_lengths(self.row).unwrap();
        let PrivateKey::Rsa(key) = self.key else { panic!() };
        let (policy, random) = (Policy { highest: SSL20, ..Policy::default() }, Seeded::new(1));
        let secrets = ExportKeys::default();
        let read = ssl2::key_exchange::read_master_key;
        let master = read(&message, self.row, key, &secrets, &policy, &*random).unwrap();
        assert_eq!(master.key(), self.master.key(), "{}", self.row.suite.name);
        assert_eq!(master.key_arg(), self.master.key_arg());
        let keys = KeyMaterial::derive(&master, &self.hellos[0], &self.hellos[1]);
        let iv = master.key_arg();
        self.opening[0].protect(self.row, keys.client_write(), iv, u64::MAX).unwrap();
        self.opening[1].protect(self.row, keys.client_read(), iv, u64::MAX).unwrap();
        self.keys = Some(keys);
    }
}

#[test]
fn openssl_is_understood_when_it_talks_to_itself() {
    let mut key = None;
    let mut observer: Option<Observer<'_>> = None;
    let mut sessions = Vec::new();
    for row in rows(TRACES) {
        if let ["key", der] = row.as_slice() {
            key = Some(PrivateKey::from_der(&bytes(der)).unwrap());
        }
    }
    let key = key.unwrap();
    for row in rows(TRACES) {
        match row.as_slice() {
            ["key", _] => {}
            ["session", name, master, key_arg, _feature] => {
                sessions.extend(observer.take());
                let row = KindRow::of(CipherSuite::by_name(name).unwrap()).unwrap();
                observer = Some(Observer {
                    row,
                    key: &key,
                    master: Master::new(row, &bytes(master), &bytes(key_arg)),
                    opening: [Opening::clear(), Opening::clear()],
                    hellos: [Vec::new(), Vec::new()],
                    certificate: Vec::new(),
                    keys: None,
                    certificate_challenge: Vec::new(),
                    heard: Vec::new(),
                    data: [Vec::new(), Vec::new()],
                });
            }
            ["C", flight] => observer.as_mut().unwrap().flight(0, &bytes(flight)),
            ["S", flight] => observer.as_mut().unwrap().flight(1, &bytes(flight)),
            other => panic!("{other:?}"),
        }
    }
    sessions.extend(observer.take());
    assert_eq!(sessions.len(), 8);
    for session in &sessions {
        assert_eq!(session.data[0], b"hello world\n", "{}", session.row.suite.name);
        assert_eq!(session.data[1], b"dlrow olleh\n", "{}", session.row.suite.name);
    }
    let with_certificate = sessions.iter().filter(|s| s.heard.contains(&M::CLIENT_CERTIFICATE));
    assert_eq!(with_certificate.count(), 2);
}
