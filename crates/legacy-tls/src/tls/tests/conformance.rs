//! Rules of the specifications, each with a peer that breaks it or needs it.

use wire::{Codec, Writer};

use super::*;
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::messages::ClientHello;

const TLS10: ProtocolVersion = ProtocolVersion::TLS10;
const TLS12: ProtocolVersion = ProtocolVersion::TLS12;
const SSL30: ProtocolVersion = ProtocolVersion::SSL30;

fn record(content_type: u8, version: ProtocolVersion, content: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    for content in content.chunks(1 << 14) {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let [major, minor] = version.0.to_be_bytes();
        records.extend([content_type, major, minor, high, low]);
        records.extend_from_slice(content);
    }
    records
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// A ClientHello in its record.
fn client_hello(version: ProtocolVersion, suites: &[u16], list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut extensions = Extensions::default();
    for (number, data) in list {
        extensions
            .push(*number, |writer| {
                writer.bytes(data);
                Ok(())
            })
            .unwrap();
    }
    let hello = ClientHello {
        version,
        random: [7; 32],
        session_id: Vec::new().into(),
        suites: suites.iter().copied().map(CipherSuite).collect(),
        compression_methods: vec![0].into(),
        extensions,
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    record(22, version.min(TLS12), &message(1, &writer.into_vec()))
}

/// What a server says to this, and to nothing more.
fn serve(fixture: &Fixture, mut input: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut server = fixture.server();
    let mut said = Vec::new();
    loop {
        match server.advance(input)? {
            Progress::Continue { output, used } => {
                said.extend(output);
                input = &input[used..];
            }
            Progress::Incomplete { .. } => return Ok(said),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_refuses_a_hello_in_the_version_that_would_have_answered_it() {
    let fixture = Fixture::new(&[SSL30, TLS10, ProtocolVersion::TLS11, TLS12]);
    let fallback = client_hello(ProtocolVersion::TLS11, &[0x002f, 0x5600], &[]);
    let failure = serve(&fixture, &fallback).unwrap_err();
    assert_eq!(failure.output, [21, 3, 2, 0, 2, 2, 86], "inappropriate_fallback");
    let damaged = client_hello(TLS12, &[0x002f], &[(extension::SUPPORTED_GROUPS, &[0, 9])]);
    let failure = serve(&fixture, &damaged).unwrap_err();
    assert_eq!(failure.output, [21, 3, 3, 0, 2, 2, 50], "decode_error, which SSL 3.0 has not");

    let fixture = Fixture::new(&[TLS12]);
    let failure = serve(&fixture, &client_hello(TLS10, &[0x002f, 0x5600], &[])).unwrap_err();
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 86]);
    let failure = serve(&fixture, &client_hello(TLS10, &[0x002f], &[])).unwrap_err();
    assert_eq!(failure.output, [21, 3, 1, 0, 2, 2, 70], "protocol_version");
}

/// A client of SSL 3.0 whose no_certificate becomes something else.
fn without_certificate(client_auth: ClientAuth, instead: Vec<u8>) -> Result<Pair, (Side, Failure)> {
    let mut fixture = Fixture::new(&[SSL30]).suite(CipherSuite(0x002f));
    fixture.server.client_auth = client_auth;
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(move |_, bytes| {
        if bytes.starts_with(&[21, 3, 0, 0, 2, 1, 41]) {
            bytes.splice(..7, instead.iter().copied());
        }
    });
    exchange.run()
}

#[test]
fn a_client_of_ssl30_may_leave_out_that_it_has_no_certificate() {
    without_certificate(ClientAuth::Optional, Vec::new()).unwrap().talk();
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Required, Vec::new()) else {
        panic!()
    };
    assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)), "{}", failure.error);
    assert_eq!(failure.output, [21, 3, 0, 0, 2, 2, 40]);
}

#[test]
fn a_server_of_ssl30_refuses_an_empty_chain_and_a_key_that_it_did_not_ask_for() {
    let empty = record(22, SSL30, &message(11, &[0, 0, 0]));
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Optional, empty) else { panic!() };
    assert!(matches!(failure.error, Error::Decode(_)), "{}", failure.error);

    let certificate = p256().chain()[0].clone();
    let length = |len: usize| u32::try_from(len).unwrap().to_be_bytes()[1..].to_vec();
    let list = [length(certificate.len() + 3), length(certificate.len()), certificate].concat();
    let elliptic = record(22, SSL30, &message(11, &list));
    let Err((Side::Server, failure)) = without_certificate(ClientAuth::Optional, elliptic) else { panic!() };
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::WrongCertificateType)));
    assert_eq!(failure.output, [21, 3, 0, 0, 2, 2, 43]);
}
