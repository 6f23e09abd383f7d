//! Known answers, to the last byte.

use test_support::hex;
use wire::Codec;

use super::super::error::ErrorCode;
use super::super::keys::{self, ConnectionKeys, Material};
use super::super::messages::{
    ClientHello, ClientMasterKey, ServerHello, ServerVerify, decode_error, encode_error,
};
use super::super::records::{self, Begin, REDO_CONN};
use super::super::specs::{CipherSpec, Spec};
use super::super::unified::as_pct;
use super::super::{Mismatch, is_offered_in};
use super::*;

const VECTORS: &str = include_str!("../../../testdata/pct1.txt");

/// The values that follow a line that begins with `head`.
struct Block {
    head: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let row: Vec<&str> = line.split_whitespace().collect();
        if ["session", "restart", "error", "unified"].contains(&row[0]) {
            blocks.push(Block { head: row, rows: Vec::new() });
        } else {
            blocks.last_mut().unwrap().rows.push(row);
        }
    }
    blocks
}

impl Block {
    fn get(&self, name: &str) -> Vec<u8> {
        let row = self.rows.iter().find(|row| row[0] == name).unwrap();
        bytes(row[1])
    }

    fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.get(name).try_into().unwrap()
    }
}

fn bytes(field: &str) -> Vec<u8> {
    if field == "-" { Vec::new() } else { hex::decode(field) }
}

fn spec_of(block: &Block) -> (&'static Spec, CipherSpec) {
    let cipher = CipherSpec::from_bytes(bytes(block.head[2]).try_into().unwrap());
    let hash = u16::from_str_radix(block.head[1], 16).unwrap();
    (Spec::find(cipher, hash).unwrap(), cipher)
}

#[test]
fn keys_and_proofs_are_those_of_the_vectors() {
    let mut sessions = 0;
    for block in blocks().iter().filter(|block| block.head[0] == "session") {
        sessions += 1;
        let (spec, cipher) = spec_of(block);
        let (master, connection_id, challenge) =
            (block.array("master-key"), block.array("connection-id"), block.array("challenge"));
        let certificate = block.get("server-certificate");
        let material = Material {
            hash: spec.hash_kind(),
            master: &master,
            connection_id: &connection_id,
            challenge: &challenge,
            certificate: &certificate,
        };
        let bits = usize::from(spec.bits);
        assert_eq!(material.client_write(bits)[..], block.get("client-write-key"));
        assert_eq!(material.server_write(bits)[..], block.get("server-write-key"));
        let clear = block.get("clear-key-data");
        assert!(spec.accepts_clear_key(&clear));
        let keys = ConnectionKeys::derive(&material, spec, cipher, &clear);
        assert_eq!(keys.client.mac[..], block.get("client-mac-key"));
        assert_eq!(keys.server.mac[..], block.get("server-mac-key"));
        assert_eq!(keys.client.cipher[..], block.get("client-cipher-key"));
        assert_eq!(keys.server.cipher[..], block.get("server-cipher-key"));
        let (client_hello, server_hello) = (block.get("client-hello"), block.get("server-hello"));
        let prelude = keys::verify_prelude(spec.hash_kind(), &keys.client.mac, &client_hello, &server_hello);
        assert_eq!(prelude.as_ref(), block.get("verify-prelude"));
        let id = block.array("session-id");
        let response =
            keys::server_response(spec.hash_kind(), &keys.server.mac, &challenge, &connection_id, &id);
        assert_eq!(response.as_ref(), block.get("server-response"));
        check_messages(block, prelude.as_ref(), response.as_ref());
        check_records(block, spec, keys);
    }
    assert_eq!(sessions, 4);
}

fn check_messages(block: &Block, prelude: &[u8], response: &[u8]) {
    let hello = ClientHello::decode(&block.get("client-hello")).unwrap();
    assert_eq!(hello.challenge, block.array("challenge"));
    assert_eq!(hello.encode().unwrap(), block.get("client-hello"));
    assert_eq!(record_of(&block.get("client-hello")), block.get("client-hello-record"));
    let hello = ServerHello::decode(&block.get("server-hello")).unwrap();
    assert_eq!(hello.connection_id, block.array("connection-id"));
    assert_eq!(hello.certificate, block.get("server-certificate"));
    assert_eq!(hello.encode().unwrap(), block.get("server-hello"));
    let message = ClientMasterKey::decode(&block.get("client-master-key-msg")).unwrap();
    assert_eq!(message.verify_prelude, prelude);
    assert_eq!(message.clear_key, block.get("clear-key-data"));
    assert_eq!(message.encode().unwrap(), block.get("client-master-key-msg"));
    let verify = ServerVerify::decode(&block.get("server-verify")).unwrap();
    assert_eq!((verify.session_id, verify.response.as_slice()), (block.array("session-id"), response));
    assert_eq!(verify.encode().unwrap(), block.get("server-verify"));
}

fn check_records(block: &Block, spec: &'static Spec, keys: ConnectionKeys) {
    for (side, keys) in [("client-record", keys.client), ("server-record", keys.server)] {
        let begin = Begin { spec, iv: &[], sequence: 2, data_limit: u64::MAX };
        let again = keys::DirectionKeys { mac: keys.mac.clone(), cipher: keys.cipher.clone() };
        let mut sealer = Sealer::pct1(records::Sealer::new(keys, begin).unwrap());
        let mut opener = Opener::pct1(records::Opener::new(again, None, begin).unwrap());
        for row in block.rows.iter().filter(|row| row[0] == side) {
            let (data, record) = (bytes(row[2]), bytes(row[4]));
            assert_eq!(seal(&mut sealer, &data), record, "{side} {}", row[1]);
            assert!(record.ends_with(&bytes(row[3])));
            assert_eq!(open(&mut opener, &record).unwrap(), (ContentType::APPLICATION_DATA, data));
        }
        if side == "client-record" {
            let mut sealer = sealer.into_pct1().unwrap();
            let mut out = Vec::new();
            sealer.append(&[REDO_CONN], true, &mut out).unwrap();
            assert_eq!(out, block.get("client-redo-escape-record"));
            assert_eq!(open(&mut opener, &out).unwrap().0, ContentType::REDO);
        }
    }
}

#[test]
fn a_restart_is_that_of_the_vectors() {
    let blocks = blocks();
    let restart = blocks.iter().find(|block| block.head[0] == "restart").unwrap();
    let first = &blocks[0];
    let (spec, cipher) = spec_of(first);
    let (master, challenge, connection_id) =
        (first.array("master-key"), restart.array("challenge"), restart.array("connection-id"));
    let cached = first.get("server-certificate");
    let material = |certificate| Material {
        hash: spec.hash_kind(),
        master: &master,
        connection_id: &connection_id,
        challenge: &challenge,
        certificate,
    };
    let keys = ConnectionKeys::derive(&material(&[]), spec, cipher, &[]);
    assert_eq!(keys.server.mac[..], restart.get("server-mac-key"));
    assert_eq!(keys.client.cipher[..], restart.get("client-write-key-empty-cert"));
    let other = ConnectionKeys::derive(&material(&cached), spec, cipher, &[]);
    assert_eq!(other.client.cipher[..], restart.get("client-write-key-cached-cert"));
    let id = restart.array("session-id");
    let response = keys::server_response(spec.hash_kind(), &keys.server.mac, &challenge, &connection_id, &id);
    assert_eq!(response.as_ref(), restart.get("response"));
}

#[test]
fn errors_are_those_of_the_vectors() {
    let blocks = blocks();
    let error = |name| bytes(blocks.iter().find(|b| b.head.get(1) == Some(&name)).unwrap().head[2]);
    let plain = record_of(&encode_error(ErrorCode::BAD_CERTIFICATE, None));
    assert_eq!(plain, error("bad-certificate"));
    let mismatch = Mismatch { cipher: true, ..Mismatch::default() };
    let with_info = record_of(&encode_error(ErrorCode::SPECS_MISMATCH, Some(mismatch)));
    assert_eq!(with_info, error("specs-mismatch-cipher"));
    let received = decode_error(message_of(&with_info)).unwrap();
    assert_eq!((received.code, received.mismatch), (ErrorCode::SPECS_MISMATCH, mismatch));
}

#[test]
fn a_unified_hello_is_that_of_the_vectors() {
    let blocks = blocks();
    let row = &blocks.iter().find(|block| block.head[0] == "unified").unwrap().head;
    let (record, specs, challenge) = (bytes(row[1]), bytes(row[2]), bytes(row[3]));
    let hello = ssl2::messages::ClientHello::from_bytes(&message_of(&record)[1..], "").unwrap();
    assert_eq!(hello.kinds.iter().flat_map(|kind| kind.0).collect::<Vec<_>>(), specs);
    assert_eq!(*hello.challenge, challenge);
    assert_eq!(ssl2::hello::write(&hello).unwrap().1, record);
    assert!(is_offered_in(&hello.kinds));
    let read = as_pct(&hello);
    assert_eq!(
        read.ciphers.iter().map(|spec| spec.to_bytes()).collect::<Vec<_>>(),
        [[0, 4, 0x80, 0x40], [0, 4, 0x28, 0x40]]
    );
    assert_eq!((read.hashes, read.certificates, read.exchanges), (vec![1, 3], vec![3, 1], vec![1]));
    assert_eq!(read.challenge[..16], challenge);
    assert!(read.challenge[16..].iter().zip(&challenge).all(|(filled, byte)| *filled == !byte));
}
