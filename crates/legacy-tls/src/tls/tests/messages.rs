//! Messages: what is written is read again, every cut of it is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::{Codec, Reader, Writer};

use super::*;
use crate::tls::extensions::Extensions;
use crate::tls::key_exchange::ServerParams;
use crate::tls::messages::{
    Certificate, CertificateRequest, CertificateStatus, ClientHello, NewSessionTicket, ServerHello,
};

/// Round trip; every proper prefix refused, naming a field; one byte more refused.
macro_rules! codec {
    ($($name:ident, $type:ident, $sample:expr;)*) => {$(
        #[test]
        fn $name() {
            let message: $type<'_> = $sample;
            let bytes = message.to_bytes().unwrap();
            assert_eq!($type::from_bytes(&bytes, "message").unwrap(), message);
            for length in 0..bytes.len() {
                match $type::from_bytes(&bytes[..length], "message") {
                    Err(error) => assert!(error.field.contains('.'), "{}", error.field),
                    // Hellos may end before their extensions.
                    Ok(shorter) => assert!(may_end(stringify!($type), &shorter.to_bytes().unwrap(), &bytes), "{length}"),
                }
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert!($type::from_bytes(&longer, "message").is_err());
        }
    )*};
}

fn may_end(name: &str, shorter: &[u8], whole: &[u8]) -> bool {
    name.ends_with("Hello") && whole.starts_with(shorter)
}

fn extensions() -> Extensions<'static> {
    let mut extensions = Extensions::default();
    extensions.push(0xff01, |w| w.opaque_u8("x", &[])).unwrap();
    extensions.push(23, |_| Ok(())).unwrap();
    extensions
}

codec! {
    client_hello, ClientHello, ClientHello {
        version: ProtocolVersion::TLS10,
        random: [7; 32],
        session_id: vec![1, 2, 3].into(),
        suites: vec![CipherSuite(5), CipherSuite(0xff)],
        compression_methods: vec![1, 0].into(),
        extensions: extensions(),
    };
    server_hello, ServerHello, ServerHello {
        version: ProtocolVersion::TLS12,
        random: [7; 32],
        session_id: vec![9; 32].into(),
        suite: CipherSuite(0x2f),
        compression_method: 0,
        extensions: extensions(),
    };
    certificate, Certificate, Certificate { chain: vec![vec![0x30, 0], vec![1, 2, 3]].into() };
    certificate_status, CertificateStatus, CertificateStatus { ocsp_response: vec![1, 2].into() };
    new_session_ticket, NewSessionTicket, NewSessionTicket { lifetime_hint: 7, ticket: vec![1, 2].into() };
}

#[test]
fn certificate_requests_have_algorithms_from_tls12_on() {
    for algorithms in [None, Some(vec![0x0401, 0x0203])] {
        let request = CertificateRequest {
            certificate_types: vec![1, 64],
            signature_algorithms: algorithms.clone(),
            authorities: vec![vec![0x30, 0], vec![0x30, 1, 2]],
        };
        let mut writer = Writer::new();
        request.encode(&mut writer).unwrap();
        let bytes = writer.into_vec();
        let decode = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes);
            let request = CertificateRequest::decode(&mut reader, algorithms.is_some())?;
            reader.finish("CertificateRequest").map(|()| request)
        };
        assert_eq!(decode(&bytes).unwrap(), request);
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn parameters_of_every_key_exchange_are_read_again() {
    for (key_exchange, params) in [
        (KeyExchange::RsaExport { bits: 512 }, ServerParams::Rsa { modulus: &[9; 64], exponent: &[1, 0, 1] }),
        (KeyExchange::DheRsa, ServerParams::Dh { p: &[7; 128], g: &[2], public: &[5; 128] }),
        (KeyExchange::EcdheRsa, ServerParams::Ecdh { group: 23, public: &[4; 65] }),
    ] {
        let mut writer = Writer::new();
        params.encode(&mut writer).unwrap();
        let bytes = writer.into_vec();
        assert_eq!(ServerParams::decode(key_exchange, &mut Reader::new(&bytes)).unwrap(), params);
        for length in 0..bytes.len() {
            assert!(
                ServerParams::decode(key_exchange, &mut Reader::new(&bytes[..length])).is_err(),
                "{length}"
            );
        }
    }
}

#[test]
fn what_follows_a_hello_of_ssl30_is_no_business_of_ours() {
    let mut hello = ClientHello {
        version: ProtocolVersion::SSL30,
        random: [7; 32],
        session_id: Vec::new().into(),
        suites: vec![CipherSuite(5)],
        compression_methods: vec![0].into(),
        extensions: Extensions::default(),
    };
    let mut bytes = hello.to_bytes().unwrap();
    bytes.extend(b"what comes later");
    assert_eq!(ClientHello::from_bytes(&bytes, "ClientHello").unwrap(), hello);
    hello.version = ProtocolVersion::TLS10;
    let mut bytes = hello.to_bytes().unwrap();
    bytes.extend(b"what comes later");
    assert!(ClientHello::from_bytes(&bytes, "ClientHello").is_err());
}

#[test]
fn hellos_without_suites_or_compression_or_with_long_sessions_are_refused() {
    let hello = |session_id: usize, suites: Vec<CipherSuite>, compression_methods: Vec<u8>| {
        ClientHello {
            version: ProtocolVersion::TLS10,
            random: [7; 32],
            session_id: vec![0; session_id].into(),
            suites,
            compression_methods: compression_methods.into(),
            extensions: Extensions::default(),
        }
        .to_bytes()
        .unwrap()
    };
    let some = || vec![CipherSuite(5)];
    for (good, bytes) in [
        (true, hello(32, some(), vec![0])),
        (false, hello(33, some(), vec![0])),
        (false, hello(0, Vec::new(), vec![0])),
        (false, hello(0, some(), Vec::new())),
    ] {
        assert_eq!(ClientHello::from_bytes(&bytes, "ClientHello").is_ok(), good);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(message) = ServerHello::from_bytes(&bytes, "ServerHello") {
            prop_assert_eq!(message.to_bytes().unwrap().len(), bytes.len());
        }
        let _refused = ClientHello::from_bytes(&bytes, "ClientHello");
        let _refused = Certificate::from_bytes(&bytes, "Certificate");
        let _refused = certificate::public_key(&bytes);
        let _refused = certificate::issuer(&bytes);
    }
}
