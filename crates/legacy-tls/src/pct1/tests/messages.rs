//! Messages: there and back, cut anywhere, with every length that is wrong.

use super::super::Mismatch;
use super::super::error::ErrorCode;
use super::super::messages::*;
use super::super::readings::{clear_key_len, decode_chain, encode_chain, extend_challenge};
use super::super::specs::{CipherSpec, Spec, suites};
use super::super::unified::{as_pct, specs_of};
use super::*;

fn client_hello() -> ClientHello {
    ClientHello {
        version: VERSION,
        session_id: [3; 32],
        challenge: [4; 32],
        ciphers: vec![CipherSpec { cipher: 4, bits: 128, mac_bits_less_64: 64 }],
        hashes: vec![1, 3],
        certificates: vec![3, 1],
        exchanges: vec![1],
        key_arg: vec![5; 8],
    }
}

fn server_hello() -> ServerHello {
    ServerHello {
        version: VERSION,
        restarts: false,
        wants_certificate: true,
        cipher: CipherSpec { cipher: 4, bits: 128, mac_bits_less_64: 64 },
        hash: 1,
        certificate_type: 1,
        exchange: 1,
        connection_id: [6; 32],
        certificate: vec![1, 2, 3],
        client_certificates: vec![1, 0],
        client_signatures: vec![2, 0],
        response: vec![9; 16],
    }
}

fn master_key() -> ClientMasterKey {
    ClientMasterKey {
        certificate_type: 1,
        signature_type: 2,
        clear_key: vec![1; 11],
        encrypted_key: vec![2; 64],
        key_arg: vec![3; 8],
        verify_prelude: vec![4; 16],
        certificate: vec![5; 20],
        response: vec![6; 64],
    }
}

/// Every prefix of a message is refused, and so is what is longer.
fn check<T: PartialEq + std::fmt::Debug, E: std::fmt::Debug>(
    message: &T,
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, E>,
) {
    assert_eq!(decode(bytes).unwrap(), *message);
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "{cut}");
    }
    assert!(decode(&[bytes, &[0]].concat()).is_err());
}

#[test]
fn messages_survive_the_wire_and_nothing_shorter_or_longer_is_one() {
    check(&client_hello(), &client_hello().encode().unwrap(), ClientHello::decode);
    check(&server_hello(), &server_hello().encode().unwrap(), ServerHello::decode);
    check(&master_key(), &master_key().encode().unwrap(), ClientMasterKey::decode);
    let verify = ServerVerify { session_id: [1; 32], response: vec![2; 20] };
    check(&verify, &verify.encode().unwrap(), ServerVerify::decode);
    let mismatch = Mismatch { hash: true, client_signature: true, ..Mismatch::default() };
    let error = encode_error(ErrorCode::SPECS_MISMATCH, Some(mismatch));
    check(&pct1::Received { code: ErrorCode::SPECS_MISMATCH, mismatch }, &error, decode_error);
}

#[test]
fn a_hello_of_a_newer_version_is_read_past_what_is_new() {
    let mut hello = client_hello();
    hello.version = 0x8002;
    let mut bytes = hello.encode().unwrap();
    bytes[69] = 14;
    bytes.splice(80..80, [0xaa; 4]);
    bytes.extend_from_slice(b"and more");
    assert_eq!(ClientHello::decode(&bytes).unwrap(), hello);
}

#[test]
fn a_hello_whose_offset_or_lengths_lie_is_illegal() {
    let bytes = client_hello().encode().unwrap();
    for (at, value, why) in [
        (69, 9, "an offset that is too small"),
        (69, 200, "an offset past the end"),
        (68, 0xff, "an offset far past the end"),
        (71, 3, "a cipher specification cut"),
        (73, 3, "a hash cut"),
        (71, 8, "lists longer than the message"),
        (79, 7, "an initialization vector cut"),
        (1, 0x03, "a version of another protocol"),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        assert!(ClientHello::decode(&bytes).is_err(), "{why}");
    }
    let mut hello = client_hello();
    hello.session_id = NO_SESSION;
    assert!(ClientHello::decode(&hello.encode().unwrap()).is_err(), "an IV without session");
}

#[test]
fn a_server_that_asks_for_nothing_lists_nothing() {
    let mut hello = server_hello();
    hello.wants_certificate = false;
    assert!(ServerHello::decode(&hello.encode().unwrap()).is_err());
}

#[test]
fn a_cipher_of_a_unified_hello_needs_its_type_and_keeps_it_for_all_lengths() {
    let hello = |kinds: &[[u8; 3]]| {
        as_pct(&ssl2::messages::ClientHello {
            version: 2,
            kinds: kinds.iter().copied().map(CipherKind).collect(),
            session_id: [].as_slice().into(),
            challenge: [0; 32].as_slice().into(),
        })
    };
    let offer = [0x8f, 0x80, 1];
    let both = hello(&[offer, [0x84, 1, 1], [0x83, 0, 4], [0x84, 0x80, 0x40], [0x84, 0x28, 0x40]]);
    assert_eq!(
        both.ciphers.iter().map(|s| s.to_bytes()).collect::<Vec<_>>(),
        [[0, 4, 128, 64], [0, 4, 40, 64]]
    );
    assert!(hello(&[[0x83, 0, 4], [0x84, 0x80, 0x40]]).ciphers.is_empty(), "PCT is not offered");
    let policy = pct().client.policy;
    let read = hello(&specs_of(&policy).iter().map(|kind| kind.0).collect::<Vec<_>>());
    let (ciphers, hashes) = super::super::both_roles::offered(&policy);
    assert_eq!((read.ciphers, read.hashes), (ciphers, hashes));
}

#[test]
fn short_challenges_are_filled_with_their_complement() {
    assert_eq!(extend_challenge(&[7; 32]), [7; 32]);
    let extended = extend_challenge(&(0..20).collect::<Vec<u8>>());
    assert_eq!(extended[..20], (0..20).collect::<Vec<u8>>());
    assert_eq!(extended[20..], (0..12).map(|byte: u8| !byte).collect::<Vec<u8>>());
}

#[test]
fn chains_are_split_where_their_certificates_end() {
    let chain = [rsa1024().chain()[0].clone(), rsa512().chain()[0].clone()];
    let data = encode_chain(&chain);
    assert_eq!(decode_chain(&data).unwrap(), chain);
    let edge = chain[0].len();
    for cut in (1..data.len()).filter(|cut| *cut != edge) {
        assert!(decode_chain(&data[..cut]).is_err(), "{cut}");
    }
    assert!(decode_chain(&[0x30, 0].repeat(17)).is_err());
}

#[test]
fn a_clear_key_is_what_its_cipher_says() {
    for spec in SPECS {
        let parts = spec.clear_parts();
        assert!(!spec.accepts_clear_key(&[0; 0]) || parts == 0, "{}", spec.row.name);
        if parts == 0 {
            assert!(spec.accepts_clear_key(&[]) && !spec.accepts_clear_key(&[1; 11]));
            continue;
        }
        let len = clear_key_len(parts);
        assert!(len >= 11 && len.is_multiple_of(parts));
        let clear: Vec<u8> = (0..u8::try_from(len).unwrap()).collect();
        assert!(spec.accepts_clear_key(&clear), "{}", spec.row.name);
        assert!(spec.accepts_clear_key(&clear[..parts]));
        if parts > 1 {
            assert!(!spec.accepts_clear_key(&clear[..len - 1]), "{}", spec.row.name);
            assert!(!spec.accepts_clear_key(&vec![1; len]), "two parts of {} are the same", spec.row.name);
        }
    }
    // SHA_TRUNC_80 yields 80 bits, so that 168 take three.
    assert_eq!(Spec::of_suite(CipherSuite(0x8461)).unwrap().clear_parts(), 3);
    assert_eq!(Spec::of_suite(CipherSuite(0x8141)).unwrap().clear_parts(), 1);
}

#[test]
fn rows_have_names_and_codes_of_their_own() {
    let rows: Vec<_> = suites().collect();
    for row in &rows {
        assert_eq!(rows.iter().filter(|other| other.suite == row.suite || other.name == row.name).count(), 1);
        assert!(SUITES.iter().all(|other| other.suite != row.suite), "{}", row.name);
        assert_eq!(CipherSuite::by_name(row.name), Some(row.suite));
        assert!(row.is_legal_in(ProtocolVersion::PCT1) && !row.is_legal_in(ProtocolVersion::TLS12));
    }
}
