//! What a hello may offer and a server may choose: compression, and suites where they are legal.

use wire::{Codec, Writer};

use super::conformance::{extensions, message, record, serve};
use super::*;
use crate::tls::messages::{ClientHello, ServerHello};

const SSL30: ProtocolVersion = ProtocolVersion::SSL30;
const TLS10: ProtocolVersion = ProtocolVersion::TLS10;
const TLS11: ProtocolVersion = ProtocolVersion::TLS11;
const TLS12: ProtocolVersion = ProtocolVersion::TLS12;

/// The method that nobody may choose. Spec: RFC 3749 section 2 has its number.
const DEFLATE: u8 = 1;

/// A ClientHello with these compression methods.
fn client_hello(version: ProtocolVersion, methods: &[u8]) -> Vec<u8> {
    let hello = ClientHello {
        version,
        random: [7; 32],
        session_id: Vec::new().into(),
        suites: vec![CipherSuite(0x000a)],
        compression_methods: methods.into(),
        extensions: extensions(&[]),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    record(22, version, &message(1, &writer.into_vec()))
}

/// A ServerHello that chooses this.
fn server_hello(version: ProtocolVersion, suite: CipherSuite, compression_method: u8) -> Vec<u8> {
    let hello = ServerHello {
        version,
        random: [8; 32],
        session_id: Vec::new().into(),
        suite,
        compression_method,
        extensions: extensions(&[]),
    };
    let mut writer = Writer::new();
    hello.encode(&mut writer).unwrap();
    record(22, version, &message(2, &writer.into_vec()))
}

/// The fatal illegal_parameter, in clear.
fn illegal_parameter(version: ProtocolVersion) -> [u8; 7] {
    let [major, minor] = version.0.to_be_bytes();
    [21, major, minor, 0, 2, 2, 47]
}

#[test]
fn server_refuses_a_hello_without_the_compression_method_null() {
    for version in ProtocolVersion::ALL {
        let fixture = Fixture::new(&[version]);
        for methods in [&[DEFLATE][..], &[DEFLATE, 64], &[0xff]] {
            let failure = serve(&fixture, &client_hello(version, methods)).unwrap_err();
            assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Compression)), "{}", failure.error);
            assert_eq!(failure.output, illegal_parameter(version), "{version} {methods:?}");
        }
    }
}

#[test]
fn server_chooses_null_wherever_it_stands_among_the_compression_methods() {
    for version in ProtocolVersion::ALL {
        for methods in [&[0][..], &[DEFLATE, 0], &[0, DEFLATE], &[64, DEFLATE, 0xff, 0]] {
            let flight = serve(&Fixture::new(&[version]), &client_hello(version, methods)).unwrap();
            let body = &flight[5 + 4..];
            let hello = ServerHello::from_bytes(&body[..usize::from(flight[8])], "ServerHello").unwrap();
            assert_eq!(hello.compression_method, 0, "{version} {methods:?}");
        }
    }
}

#[test]
fn client_offers_the_compression_method_null_and_no_other() {
    for version in ProtocolVersion::ALL {
        let mut client = Fixture::new(&[version]).client();
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        let hello = ClientHello::from_bytes(&output[5 + 4..], "ClientHello").unwrap();
        assert_eq!(*hello.compression_methods, [0], "{version}");
    }
}

#[test]
fn client_refuses_a_server_that_chose_a_compression_method() {
    for version in ProtocolVersion::ALL {
        for method in [0, DEFLATE, 64, 0xff] {
            let mut client = Fixture::new(&[version]).client();
            client.advance(&[]).unwrap();
            match client.advance(&server_hello(version, CipherSuite(0x000a), method)) {
                Ok(_) => assert_eq!(method, 0, "{version}"),
                Err(failure) => {
                    assert_ne!(method, 0, "{version}: {}", failure.error);
                    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Compression)));
                    assert_eq!(failure.output, illegal_parameter(version), "{version} {method}");
                }
            }
        }
    }
}

/// A client offers every suite that is legal in some version that it has; the server's choice must be legal in the version
/// that it chose, too.
#[test]
fn client_refuses_a_suite_that_it_offered_in_a_version_that_has_it_not() {
    let (mut taken, mut refused) = (0, 0);
    for version in ProtocolVersion::ALL {
        for row in SUITES {
            let mut client = Fixture::new(&[SSL30, TLS10, TLS11, TLS12]).client();
            let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
            let offered = ClientHello::from_bytes(&output[5 + 4..], "ClientHello").unwrap();
            assert!(offered.suites.contains(&row.suite), "{} is offered", row.name);
            match client.advance(&server_hello(version, row.suite, 0)) {
                Ok(_) => {
                    assert!(row.is_legal_in(version), "{} is taken in {version}", row.name);
                    taken += 1;
                }
                Err(failure) => {
                    assert!(!row.is_legal_in(version), "{} in {version}: {}", row.name, failure.error);
                    let Error::Misbehaved(how) = failure.error else { panic!("{}", failure.error) };
                    assert_eq!(how, Misbehaved::SuiteNotOffered(row.suite));
                    assert_eq!(failure.output, illegal_parameter(version), "{} in {version}", row.name);
                    refused += 1;
                }
            }
        }
    }
    assert!(taken > 100 && refused > 50, "{taken} taken, {refused} refused");
}

/// By number, so that no table decides what is expected: GCM is of TLS 1.2, export of TLS 1.0 and before, curves of TLS 1.0
/// and after, single DES of TLS 1.1 and before.
#[test]
fn client_refuses_known_suites_in_the_versions_next_to_theirs() {
    for (suite, legal, illegal) in [
        (0x009c, TLS12, TLS11),
        (0xc030, TLS12, TLS11),
        (0x003c, TLS12, TLS11),
        (0x0003, TLS10, TLS11),
        (0x0062, TLS10, TLS11),
        (0xc013, TLS10, SSL30),
        (0xc009, TLS10, SSL30),
        (0x0009, TLS11, TLS12),
        (0x0015, TLS11, TLS12),
    ] {
        for (version, is_legal) in [(legal, true), (illegal, false)] {
            let mut client = Fixture::new(&[SSL30, TLS10, TLS11, TLS12]).client();
            client.advance(&[]).unwrap();
            let outcome = client.advance(&server_hello(version, CipherSuite(suite), 0));
            assert_eq!(outcome.is_ok(), is_legal, "{suite:04x} in {version}");
            if let Err(failure) = outcome {
                assert_eq!(failure.output, illegal_parameter(version), "{suite:04x} in {version}");
            }
        }
    }
}
