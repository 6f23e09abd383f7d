//! Signatures of DSA as NSS makes them in SSL 3.0: `r` and `s` side by side, where everybody else has DER around them.

use super::flight::Flight;
use super::*;

/// Replaces the DER at the end of a message, which has a length of two bytes in front of it.
fn make_raw(message: &mut Vec<u8>, signature_at: usize) {
    let der = message.split_off(signature_at);
    let number = |at: usize| {
        let (length, bytes) = (usize::from(der[at + 1]), &der[at + 2..]);
        assert_eq!(der[at], 2, "an INTEGER");
        // With a zero in front where it would be negative otherwise, and without those that it begins with.
        let bytes = &bytes[usize::from(bytes[0] == 0)..length];
        [vec![0; 20 - bytes.len()], bytes.to_vec()].concat()
    };
    let [r, s] = [number(2), number(4 + usize::from(der[3]))];
    message.truncate(signature_at - 2);
    message.extend([&[0, 40], &r[..], &s].concat());
    let body = message.split_off(4);
    *message = conformance::message(message[0], &body);
}

/// Where the signature in a message begins whose end it is.
fn signature_at(message: &[u8]) -> usize {
    let is_it = |at: &usize| {
        let behind = u16::try_from(message.len() - at - 2).unwrap();
        message[*at..at + 2] == behind.to_be_bytes() && message[at + 2] == 0x30
    };
    (4..message.len() - 2).rev().find(is_it).unwrap() + 2
}

/// Spec: SSL30 section 5.6.3.
#[test]
fn a_client_takes_r_and_s_side_by_side_in_ssl30_and_in_no_other_version() {
    for version in ProtocolVersion::ALL {
        let fixture = Fixture::new(&[version]).suite(CipherSuite(0x0032));
        let (mut client, mut server) = (fixture.client(), fixture.server());
        let Ok(Progress::Continue { output, .. }) = client.advance(&[]) else { panic!("no hello") };
        let Ok(Progress::Continue { output, .. }) = server.advance(&output) else { panic!("no answer") };
        let mut flight = Flight::read(&output);
        let message = flight.message(HandshakeType::SERVER_KEY_EXCHANGE);
        let at = signature_at(message);
        make_raw(message, at);
        match client.advance(&flight.records()) {
            Ok(Progress::Continue { .. }) => assert_eq!(version, ProtocolVersion::SSL30),
            Err(failure) => {
                assert_ne!(version, ProtocolVersion::SSL30, "{}", failure.error);
                let bad = Misbehaved::BadSignature("ServerKeyExchange");
                assert!(matches!(failure.error, Error::Misbehaved(how) if how == bad), "{version}");
            }
            Ok(other) => panic!("{version}: {other:?}"),
        }
    }
}

/// Spec: SSL30 section 5.6.8.
#[test]
fn a_server_takes_r_and_s_side_by_side_in_ssl30_and_in_no_other_version() {
    for version in ProtocolVersion::ALL {
        let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x002f));
        fixture.client.identities = vec![dsa1024()];
        fixture.server.client_auth = ClientAuth::Required;
        let mut exchange = Exchange::new(fixture.client(), fixture.server());
        exchange.tamper = Box::new(|side, bytes| {
            if side == Side::Client && bytes.len() > 1000 {
                let mut flight = Flight::read(bytes);
                let behind = bytes.split_off(flight.records().len());
                let message = flight.message(HandshakeType::CERTIFICATE_VERIFY);
                let at = signature_at(message);
                make_raw(message, at);
                *bytes = [flight.records(), behind].concat();
            }
        });
        let Err((Side::Server, failure)) = exchange.run() else { panic!("{version}: it should be refused") };
        // What the client says that it has sent is not what the server has got: the signature is taken, and Finished differs.
        let refused = match version {
            ProtocolVersion::SSL30 => Misbehaved::BadFinished,
            _ => Misbehaved::BadSignature("CertificateVerify"),
        };
        let Error::Misbehaved(how) = failure.error else { panic!("{version}: {}", failure.error) };
        assert_eq!(how, refused, "{version}");
    }
}

#[test]
fn r_and_s_of_another_message_or_another_length_are_no_signature_in_ssl30_either() {
    use crate::tls::signature::{Content, sign, verify};
    let (identity, rules) = (dsa1024(), ProtocolVersion::SSL30.rules().unwrap());
    let (content, other) = (Content::Md5AndSha1([7; 36]), Content::Md5AndSha1([8; 36]));
    let der = sign(identity.key(), &content, Seeded::new(1).as_ref()).unwrap();
    let [_, high, low] = u32::try_from(der.len()).unwrap().to_be_bytes()[1..] else { panic!() };
    let mut message = [&[15, 0, 0, 0, high, low], &der[..]].concat();
    make_raw(&mut message, 6);
    let raw = &message[6..];
    let accepts = |content: &Content<'_>, signature: &[u8]| {
        verify(rules, &identity.key().public_key(), content, signature, "CertificateVerify").is_ok()
    };
    assert!(accepts(&content, &der) && accepts(&content, raw));
    assert!(!accepts(&other, &der) && !accepts(&other, raw));
    let (r, s) = raw.split_at(20);
    for wrong in [
        &[s, r].concat()[..],
        &[r, r].concat(),
        &[&[0; 20], s].concat(),
        &[r, &[0; 20]].concat(),
        &[raw, &[0]].concat(),
        &[&[0, 0], raw].concat(),
        &raw[..39],
        r,
        &[],
    ] {
        assert!(!accepts(&content, wrong), "{wrong:02x?}");
    }
}
