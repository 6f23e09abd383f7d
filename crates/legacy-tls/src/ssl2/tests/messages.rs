//! Messages: what is written is read again, every cut of it is refused.

use proptest::collection::vec;
use proptest::prelude::*;
use wire::Codec;

use super::*;
use crate::ssl2::messages::*;

/// Round trip; every proper prefix refused, naming a field; one byte more refused.
macro_rules! codec {
    ($($name:ident, $type:ident $(<$lifetime:lifetime>)?, $sample:expr;)*) => {$(
        #[test]
        fn $name() {
            let message: $type $(<$lifetime>)? = $sample;
            let bytes = message.to_bytes().unwrap();
            assert_eq!($type::from_bytes(&bytes, "message").unwrap(), message);
            for length in 0..bytes.len() {
                let error = $type::from_bytes(&bytes[..length], "message").unwrap_err();
                assert!(error.field.contains('.'), "{}", error.field);
            }
            let mut longer = bytes.clone();
            longer.push(0);
            assert!($type::from_bytes(&longer, "message").is_err());
        }
    )*};
}

codec! {
    error, ErrorMessage, ErrorMessage { code: Ssl2ErrorCode::BAD_CERTIFICATE };
    client_hello, ClientHello<'_>, ClientHello {
        version: 2,
        kinds: KINDS.iter().map(|row| row.kind).collect(),
        session_id: vec![1; 16].into(),
        challenge: vec![2; 32].into(),
    };
    server_hello, ServerHello<'_>, ServerHello {
        version: 2,
        offer: Some(ServerOffer { certificate: vec![0x30; 99].into(), kinds: vec![KINDS[0].kind] }),
        connection_id: vec![3; 16].into(),
    };
    server_hello_of_a_hit, ServerHello<'_>, ServerHello {
        version: 2,
        offer: None,
        connection_id: vec![3; 32].into(),
    };
    client_master_key, ClientMasterKey<'_>, ClientMasterKey {
        kind: KINDS[3].kind,
        clear_key: vec![4; 11].into(),
        encrypted_key: vec![5; 128].into(),
        key_arg: vec![6; 8].into(),
    };
    client_certificate, ClientCertificate<'_>, ClientCertificate {
        certificate: vec![0x30; 300].into(),
        response: vec![8; 128].into(),
    };
}

#[test]
fn a_request_has_a_challenge_of_16_to_32_bytes() {
    for length in 0..50 {
        let request = RequestCertificate { challenge: vec![7; length].into() };
        let bytes = request.to_bytes().unwrap();
        let read = RequestCertificate::from_bytes(&bytes, "REQUEST-CERTIFICATE");
        if (16..=32).contains(&length) {
            assert_eq!(read.unwrap(), request);
        } else {
            assert_eq!(read.unwrap_err().field, "REQUEST-CERTIFICATE.challenge", "{length}");
        }
    }
    assert!(RequestCertificate::from_bytes(&[2; 17], "REQUEST-CERTIFICATE").is_err());
}

#[test]
fn what_is_one_value_is_all_that_there_is() {
    let bytes = Echo(vec![9; 20].into()).to_bytes().unwrap();
    assert_eq!(bytes, [9; 20]);
    assert_eq!(&*Echo::from_bytes(&bytes, "Echo").unwrap().0, [9; 20]);
}

#[test]
fn lengths_outside_the_document_are_refused() {
    let hello = |kinds: usize, session_id: usize, challenge: usize| ClientHello {
        version: 2,
        kinds: vec![KINDS[0].kind; kinds],
        session_id: vec![1; session_id].into(),
        challenge: vec![2; challenge].into(),
    };
    for (kinds, session_id, challenge, field) in [
        (0, 0, 16, "cipher_specs"),
        (1, 15, 16, "session_id"),
        (1, 32, 16, "session_id"),
        (1, 0, 15, "challenge"),
        (1, 0, 33, "challenge"),
    ] {
        let bytes = hello(kinds, session_id, challenge).to_bytes().unwrap();
        let error = ClientHello::from_bytes(&bytes, "CLIENT-HELLO").unwrap_err();
        assert_eq!(error.field, format!("CLIENT-HELLO.{field}"));
    }
    let mut bytes = hello(1, 0, 16).to_bytes().unwrap();
    bytes[3] = 2;
    assert_eq!(ClientHello::from_bytes(&bytes, "").unwrap_err().field, "CLIENT-HELLO.cipher_specs");
}

#[test]
fn a_hit_has_no_certificate_and_no_kinds() {
    let full = ServerHello {
        version: 2,
        offer: Some(ServerOffer { certificate: vec![0x30; 9].into(), kinds: vec![KINDS[0].kind] }),
        connection_id: vec![3; 16].into(),
    };
    let mut bytes = full.to_bytes().unwrap();
    bytes[0] = 1;
    assert_eq!(ServerHello::from_bytes(&bytes, "").unwrap_err().field, "SERVER-HELLO.certificate_type");
    bytes[1] = 0;
    assert_eq!(ServerHello::from_bytes(&bytes, "").unwrap_err().field, "SERVER-HELLO.certificate");
    bytes[0] = 0;
    assert_eq!(ServerHello::from_bytes(&bytes, "").unwrap_err().field, "SERVER-HELLO.certificate_type");
}

#[test]
fn the_lengths_of_a_master_key_are_those_of_its_kind() {
    for row in KINDS {
        for clear in 0..=24 {
            for arg in [0, 7, 8, 9] {
                let message = ClientMasterKey {
                    kind: row.kind,
                    clear_key: vec![0; clear].into(),
                    encrypted_key: vec![0; 128].into(),
                    key_arg: vec![0; arg].into(),
                };
                let right = clear == row.clear_len() && arg == row.key_arg_len();
                assert_eq!(message.check_lengths(row).is_ok(), right, "{}: {clear}, {arg}", row.suite.name);
            }
        }
    }
}

proptest! {
    #[test]
    fn hellos_come_back(
        version: u16,
        kinds in vec(any::<[u8; 3]>(), 1..50),
        with_session: bool,
        challenge in vec(any::<u8>(), 16..=32),
    ) {
        let hello = ClientHello {
            version,
            kinds: kinds.into_iter().map(CipherKind).collect(),
            session_id: vec![7; if with_session { 16 } else { 0 }].into(),
            challenge: challenge.into(),
        };
        let bytes = hello.to_bytes().unwrap();
        prop_assert_eq!(&ClientHello::from_bytes(&bytes, "").unwrap(), &hello);
    }

    #[test]
    fn master_keys_come_back(
        kind: [u8; 3],
        clear in vec(any::<u8>(), 0..30),
        encrypted in vec(any::<u8>(), 0..600),
        arg in vec(any::<u8>(), 0..20),
    ) {
        let message = ClientMasterKey {
            kind: CipherKind(kind),
            clear_key: clear.into(),
            encrypted_key: encrypted.into(),
            key_arg: arg.into(),
        };
        let bytes = message.to_bytes().unwrap();
        prop_assert_eq!(&ClientMasterKey::from_bytes(&bytes, "").unwrap(), &message);
    }
}
