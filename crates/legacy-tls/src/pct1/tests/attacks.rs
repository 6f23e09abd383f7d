//! Attacks on PCT, where it has a defence.

use super::super::Broken;
use super::super::error::ErrorCode;
use super::super::messages::{ClientHello, ClientMasterKey, ServerHello, ServerVerify};
use super::super::specs::certificate;
use super::*;
use crate::tls::tests::{dsa1024, rsa2048};

/// Runs a handshake in which the `count`th output of `side` is changed.
fn changed(
    fixture: &Fixture,
    side: Side,
    count: usize,
    change: impl Fn(&[u8]) -> Vec<u8> + 'static,
) -> (Side, Failure) {
    let parameters = ServerParameters { client_auth: fixture.server.client_auth, alpn: None };
    let server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
    let mut exchange = Exchange::new(fixture.client(), server);
    let mut seen = 0;
    exchange.tamper = Box::new(move |from, output| {
        if from == side && !output.is_empty() {
            if seen == count {
                *output = record_of(&change(message_of(output)));
            }
            seen += 1;
        }
    });
    failed(exchange.run())
}

fn master_key(change: impl Fn(&mut ClientMasterKey)) -> impl Fn(&[u8]) -> Vec<u8> {
    move |message| {
        let mut message = ClientMasterKey::decode(message).unwrap();
        change(&mut message);
        message.encode().unwrap()
    }
}

fn is(error: &Error, how: Broken) -> bool {
    matches!(error, Error::Misbehaved(Misbehaved::Pct1(broken)) if *broken == how)
}

#[test]
fn a_hello_without_its_strong_ciphers_is_found_by_the_prelude() {
    // Rollback to export ciphers: the server answers what it saw, the prelude says what was sent.
    let (side, failure) = changed(&pct(), Side::Client, 0, |message| {
        let mut hello = ClientHello::decode(message).unwrap();
        hello.ciphers.retain(|spec| spec.bits == 40);
        hello.encode().unwrap()
    });
    assert_eq!(side, Side::Server);
    assert!(is(&failure.error, Broken::Prelude), "{}", failure.error);
    assert_eq!(told(&failure.output).unwrap().code, ErrorCode::INTEGRITY_CHECK_FAILED);
}

#[test]
fn an_answer_with_another_choice_is_found_by_the_prelude() {
    let fixture = pct();
    let (side, failure) = changed(&fixture, Side::Server, 0, |message| {
        let mut hello = ServerHello::decode(message).unwrap();
        hello.cipher.cipher = 4;
        hello.cipher.bits = 40;
        hello.hash = 1;
        hello.encode().unwrap()
    });
    assert_eq!(side, Side::Server);
    // The clear key that an export cipher needs is one that the cipher chosen has not.
    assert!(is(&failure.error, Broken::ClearKey), "{}", failure.error);
    let (side, failure) = changed(&fixture, Side::Server, 0, |message| {
        let mut message = message.to_vec();
        message[1] ^= 1;
        message
    });
    assert_eq!(side, Side::Server);
    assert!(is(&failure.error, Broken::Prelude), "even the padding byte counts: {}", failure.error);
}

#[test]
fn a_server_that_chooses_what_was_not_offered_is_refused() {
    type Change = fn(&mut ServerHello);
    let changes: [(Change, &str); 4] = [
        (|hello| hello.cipher.bits = 56, "a cipher"),
        (|hello| hello.hash = 2, "a hash"),
        (|hello| hello.certificate_type = 2, "a certificate type"),
        (|hello| hello.exchange = 6, "an exchange"),
    ];
    for (change, what) in changes {
        let (side, failure) = changed(&pct_with(RC4_MD5), Side::Server, 0, move |message| {
            let mut hello = ServerHello::decode(message).unwrap();
            change(&mut hello);
            hello.encode().unwrap()
        });
        assert_eq!(side, Side::Client);
        let broken = matches!(failure.error, Error::Misbehaved(Misbehaved::Pct1(Broken::NotOffered(_))));
        assert!(broken, "{what}: {}", failure.error);
        assert_eq!(told(&failure.output).unwrap().code, ErrorCode::ILLEGAL_MESSAGE, "{what}");
    }
}

#[test]
fn cipher_and_hash_that_are_not_enabled_together_are_a_mismatch() {
    let mut fixture = pct();
    fixture.client.policy.suites = vec![CipherSuite(0x8140), CipherSuite(0x8310)];
    fixture.server.policy.suites = vec![CipherSuite(0x8340)];
    let (side, failure) = failed(fixture.run());
    assert_eq!(side, Side::Client);
    let told = told(&failure.output).unwrap();
    assert_eq!(told.code, ErrorCode::SPECS_MISMATCH);
    assert!(told.mismatch.cipher && told.mismatch.hash && !told.mismatch.exchange);
}

#[test]
fn nothing_in_common_is_told_list_by_list() {
    type Change = fn(&mut ClientHello);
    let changes: [(Change, [bool; 4]); 5] = [
        (|hello| hello.ciphers.clear(), [true, false, false, false]),
        (|hello| hello.hashes = vec![5], [false, true, false, false]),
        (|hello| hello.certificates = vec![2], [false, false, true, false]),
        (|hello| hello.exchanges = vec![2, 6], [false, false, false, true]),
        (
            |hello| {
                hello.ciphers.clear();
                hello.hashes.clear();
                hello.certificates.clear();
                hello.exchanges.clear();
            },
            [true; 4],
        ),
    ];
    for (change, expected) in changes {
        let (side, failure) = changed(&pct(), Side::Client, 0, move |message| {
            let mut hello = ClientHello::decode(message).unwrap();
            change(&mut hello);
            hello.encode().unwrap()
        });
        assert_eq!(side, Side::Server);
        let told = told(&failure.output).unwrap();
        assert_eq!(told.code, ErrorCode::SPECS_MISMATCH);
        let m = told.mismatch;
        assert_eq!([m.cipher, m.hash, m.certificate, m.exchange], expected);
        assert!(!m.client_certificate && !m.client_signature);
    }
}

#[test]
fn more_key_bits_than_the_cipher_has_are_no_match() {
    let (_, failure) = changed(&pct_with(RC4_MD5), Side::Client, 0, |message| {
        let mut hello = ClientHello::decode(message).unwrap();
        hello.ciphers.iter_mut().for_each(|spec| spec.bits = 255);
        hello.encode().unwrap()
    });
    assert!(told(&failure.output).unwrap().mismatch.cipher);
}

/// Everything that an attacker can do to an encrypted key has one answer.
#[test]
fn a_bad_encrypted_key_has_the_same_answer_whatever_is_wrong() {
    let encrypted = |plain: &'static [u8]| {
        let key = crate::certificate::public_key(&rsa1024().chain()[0]).unwrap();
        let crypto::public_key::PublicKey::Rsa(key) = key else { panic!() };
        key.encrypt_pkcs1(plain, Seeded::new(9).as_ref()).unwrap()
    };
    let ciphertexts = [
        ("another key", encrypted(&[1; 16])),
        ("a key too short", encrypted(&[1; 15])),
        ("a key too long", encrypted(&[1; 17])),
        ("an empty key", encrypted(&[])),
        ("bad padding", vec![1; 128]),
        ("zero", vec![0; 128]),
        ("a number above the modulus", vec![0xff; 128]),
        ("a ciphertext too short", vec![1; 127]),
        ("a ciphertext too long", vec![1; 129]),
        ("no ciphertext", Vec::new()),
    ];
    let mut answers = Vec::new();
    for (what, ciphertext) in ciphertexts {
        let change = master_key(move |message| message.encrypted_key.clone_from(&ciphertext));
        let (side, failure) = changed(&pct_with(RC4_MD5), Side::Client, 1, change);
        assert_eq!(side, Side::Server);
        assert!(is(&failure.error, Broken::Prelude), "{what}: {}", failure.error);
        answers.push(failure.output);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(told(&answers[0]).unwrap().code, ErrorCode::INTEGRITY_CHECK_FAILED);
}

#[test]
fn a_clear_key_that_is_not_the_ciphers_is_refused_before_the_key_is_used() {
    // A clear key for a cipher of full strength is the question of an oracle: the length is what the cipher says.
    for (code, clear) in [
        (RC4_MD5, vec![1; 11]),
        (RC4_MD5, vec![1; 1]),
        (0x8141, vec![]),
        (0x8241, vec![1; 11]),
        (0x8241, vec![1; 12]),
        (0x8461, vec![1, 2, 3, 1, 2, 3, 4, 5, 6]),
    ] {
        let change = master_key(move |message| {
            message.clear_key.clone_from(&clear);
            message.encrypted_key = vec![0; 3];
        });
        let (side, failure) = changed(&pct_with(code), Side::Client, 1, change);
        assert_eq!(side, Side::Server);
        assert!(is(&failure.error, Broken::ClearKey), "{code:04x}: {}", failure.error);
        assert_eq!(told(&failure.output).unwrap().code, ErrorCode::ILLEGAL_MESSAGE);
    }
}

#[test]
fn another_clear_key_gives_other_keys_and_no_connection() {
    let fixture = pct_with(0x8141);
    let parameters = ServerParameters::default();
    let server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
    let mut exchange = Exchange::new(fixture.client(), server);
    let mut seen = 0;
    exchange.tamper = Box::new(move |side, output| {
        if side == Side::Client {
            if seen == 1 {
                let change = master_key(|message| message.clear_key[0] ^= 1);
                *output = record_of(&change(message_of(output)));
            }
            seen += usize::from(!output.is_empty());
        }
    });
    // The prelude does not cover the clear key, so the handshake ends. The first record shows it.
    let mut pair = exchange.run().unwrap();
    let record = seal(&mut pair.client.sealer, b"secret");
    assert_eq!(open(&mut pair.server.opener, &record).unwrap_err(), record::RecordError::BadMac);
}

#[test]
fn an_initialization_vector_of_another_length_is_refused() {
    for (code, len) in [(RC4_MD5, 8), (DES_SHA, 0), (DES_SHA, 7), (DES_SHA, 16), (0x8100, 3)] {
        let change = master_key(move |message| message.key_arg = vec![0; len]);
        let (side, failure) = changed(&pct_with(code), Side::Client, 1, change);
        assert_eq!(side, Side::Server);
        assert!(is(&failure.error, Broken::KeyArg), "{code:04x} {len}: {}", failure.error);
    }
}

#[test]
fn a_prelude_or_response_that_is_changed_or_shortened_is_refused() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 4] = [|v| v[0] ^= 1, |v| *v = Vec::new(), |v| v.truncate(8), |v| v.push(0)];
    for change in changes {
        let edit = master_key(move |message| change(&mut message.verify_prelude));
        let (side, failure) = changed(&pct_with(RC4_MD5), Side::Client, 1, edit);
        assert_eq!(side, Side::Server);
        assert!(is(&failure.error, Broken::Prelude), "{}", failure.error);
        let (side, failure) = changed(&pct_with(RC4_MD5), Side::Server, 1, move |message| {
            let mut verify = ServerVerify::decode(message).unwrap();
            change(&mut verify.response);
            verify.encode().unwrap()
        });
        assert_eq!(side, Side::Client);
        assert!(is(&failure.error, Broken::ServerResponse), "{}", failure.error);
        assert!(failure.output.is_empty(), "after the last message the connection is closed without a word");
    }
}

#[test]
fn a_server_without_the_master_key_takes_up_no_session() {
    let fixture = pct();
    fixture.run().unwrap();
    let (side, failure) = changed(&fixture, Side::Server, 0, |message| {
        let mut hello = ServerHello::decode(message).unwrap();
        assert!(hello.restarts);
        hello.response[0] ^= 1;
        hello.encode().unwrap()
    });
    assert_eq!(side, Side::Client);
    assert!(is(&failure.error, Broken::ServerResponse));
    assert!(failure.output.is_empty());
    assert!(!fixture.run().unwrap().client.negotiated.resumed, "the session is not used again");
}

#[test]
fn a_restart_with_another_cipher_certificate_or_unasked_is_refused() {
    type Change = fn(&mut ServerHello);
    let changes: [Change; 4] = [
        |hello| hello.cipher.bits = 40,
        |hello| hello.hash = 3,
        |hello| hello.certificate_type = certificate::X509_CHAIN,
        |hello| hello.certificate = vec![0x30, 0],
    ];
    for change in changes {
        let fixture = pct();
        fixture.run().unwrap();
        let (side, _) = changed(&fixture, Side::Server, 0, move |message| {
            let mut hello = ServerHello::decode(message).unwrap();
            change(&mut hello);
            hello.encode().unwrap()
        });
        assert_eq!(side, Side::Client);
    }
    let (side, failure) = changed(&pct(), Side::Server, 0, |message| {
        let mut hello = ServerHello::decode(message).unwrap();
        hello.restarts = true;
        hello.encode().unwrap()
    });
    assert_eq!(side, Side::Client);
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::ResumedDifferently(_))));
}

#[test]
fn a_client_response_that_is_not_the_keys_is_refused() {
    let mut fixture = pct();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    type Change = fn(&mut ClientMasterKey);
    let changes: [(Change, ErrorCode); 5] = [
        (|m| m.response[5] ^= 1, ErrorCode::CLIENT_AUTH_FAILED),
        (|m| m.response.clear(), ErrorCode::CLIENT_AUTH_FAILED),
        (|m| m.signature_type = 1, ErrorCode::CLIENT_AUTH_FAILED),
        (|m| m.certificate = rsa2048().chain()[0].clone(), ErrorCode::CLIENT_AUTH_FAILED),
        (|m| m.certificate = b"no certificate".to_vec(), ErrorCode::BAD_CERTIFICATE),
    ];
    for (change, code) in changes {
        let (side, failure) = changed(&fixture, Side::Client, 1, master_key(change));
        assert_eq!(side, Side::Server);
        assert_eq!(told(&failure.output).unwrap().code, code, "{}", failure.error);
    }
    let none = master_key(|message| {
        message.certificate_type = 0;
        message.signature_type = 0;
        message.certificate.clear();
        message.response.clear();
    });
    let (_, failure) = changed(&fixture, Side::Client, 1, none);
    assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)));
    assert_eq!(told(&failure.output).unwrap().code, ErrorCode::CLIENT_AUTH_FAILED);
}

#[test]
fn a_certificate_that_nobody_asked_for_is_refused() {
    for (kind, signature) in [(1, 2), (0, 2), (1, 0), (2, 2)] {
        let change = master_key(move |message| {
            message.certificate_type = kind;
            message.signature_type = signature;
        });
        let (side, failure) = changed(&pct(), Side::Client, 1, change);
        assert_eq!(side, Side::Server);
        assert_eq!(told(&failure.output).unwrap().code, ErrorCode::ILLEGAL_MESSAGE);
    }
}

#[test]
fn certificates_are_judged_in_both_roles() {
    let mut fixture = pct();
    fixture.client.verifier = Arc::new(Judge::Refuses);
    let (side, failure) = failed(fixture.run());
    assert_eq!(side, Side::Client);
    assert_eq!(told(&failure.output).unwrap().code, ErrorCode::BAD_CERTIFICATE);
    let mut fixture = pct();
    fixture.server.client_verifier = Arc::new(Judge::Refuses);
    fixture.server.client_auth = ClientAuth::Optional;
    fixture.client.identities = vec![dsa1024()];
    let (side, failure) = changed(&fixture, Side::Client, 9, <[u8]>::to_vec);
    assert_eq!(side, Side::Server);
    assert_eq!(told(&failure.output).unwrap().code, ErrorCode::BAD_CERTIFICATE);
}

#[test]
fn a_server_certificate_must_have_an_rsa_key() {
    let (side, failure) = changed(&pct(), Side::Server, 0, |message| {
        let mut hello = ServerHello::decode(message).unwrap();
        hello.certificate = dsa1024().chain()[0].clone();
        hello.encode().unwrap()
    });
    assert_eq!(side, Side::Client);
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::WrongCertificateType)));
}

#[test]
fn a_whole_handshake_replayed_to_a_server_ends_at_the_prelude() {
    let fixture = pct_with(RC4_MD5);
    let recorded = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    let log = Arc::clone(&recorded);
    exchange.tamper = Box::new(move |side, output| {
        if side == Side::Client && !output.is_empty() {
            log.lock().unwrap().push(output.clone());
        }
    });
    exchange.run().unwrap();
    let recorded = recorded.lock().unwrap();
    let mut server = fixture.server();
    server.advance(&recorded[0]).unwrap();
    let failure = server.advance(&recorded[1]).unwrap_err();
    assert!(is(&failure.error, Broken::Prelude), "the connection id is another");
}

#[test]
fn directions_and_connections_have_keys_of_their_own() {
    let fixture = pct_with(RC4_MD5);
    let (mut one, mut two) = (fixture.run().unwrap(), fixture.run().unwrap());
    let record = seal(&mut one.client.sealer, b"data");
    assert!(open(&mut one.client.opener, &record).is_err(), "reflected");
    assert!(open(&mut two.server.opener, &record).is_err(), "in another connection of the same session");
    assert!(two.client.negotiated.resumed);
}

#[test]
fn no_other_version_of_the_engine_takes_up_a_session_of_pct() {
    let fixture = pct();
    fixture.run().unwrap();
    let mut both = pct();
    both.client.sessions = Arc::clone(&fixture.client.sessions);
    both.client.policy.versions = vec![ProtocolVersion::TLS10, ProtocolVersion::PCT1];
    both.client.policy.suites = vec![CipherSuite(0x002f), CipherSuite(RC4_MD5)];
    let Progress::Continue { output, .. } = both.client().advance(&[]).unwrap() else { panic!() };
    assert_eq!(output[..3], [22, 3, 1]);
    assert_eq!(output[43], 0, "no session is offered");
    let codes = output[46..].chunks(2).take(2).map(<[u8]>::to_vec).collect::<Vec<_>>();
    assert!(!codes.contains(&vec![0x81, 0x40]), "nor a suite of PCT");
}
