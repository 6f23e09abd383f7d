//! Messages through the buffers of the contract.

use std::thread;
use std::time::UNIX_EPOCH;

use sspi_core::{PackageInfo, SecPkgFlags, Secret, SecurityContext as _};

use super::*;
use crate::algorithm::{Algorithm, Cipher, Qop};
use crate::challenge::Dialect;

fn info() -> Arc<PackageInfo> {
    Arc::new(PackageInfo {
        name: "WDigest".into(),
        aliases: Vec::new(),
        comment: "".into(),
        capabilities: SecPkgFlags::NONE,
        version: 1,
        rpc_id: 21,
        max_token: 1,
        oids: Vec::new(),
    })
}

fn context(is_client: bool, qop: Qop, cipher: Option<Cipher>, maxbuf: usize) -> DigestContext {
    let negotiated = Negotiated {
        is_client,
        dialect: Dialect::Sasl,
        algorithm: Algorithm::MD5_SESS,
        qop,
        cipher,
        has_proved: Arc::new(true.into()),
        user: "alice".into(),
        realm: "realm".into(),
        target: "imap/host".into(),
        key: Secret::new(vec![7; 16]),
        start: UNIX_EPOCH,
        expiry: None,
        peer_maxbuf: maxbuf,
        own_maxbuf: maxbuf,
    };
    let account = Account {
        name: "alice".into(),
        matched_by: "password".into(),
        upn: Some("alice@example.test".into()),
        sid: Some("S-1-5-21-1".into()),
        ..Account::default()
    };
    new(Attributes { info: info(), negotiated }, Some(account).filter(|_| !is_client)).unwrap()
}

fn pair(qop: Qop, cipher: Option<Cipher>) -> (DigestContext, DigestContext) {
    (context(true, qop, cipher, 65536), context(false, qop, cipher, 65536))
}

fn pairs() -> Vec<(DigestContext, DigestContext)> {
    let ciphers = Cipher::ALL.iter().map(|cipher| pair(Qop::AuthConf, Some(*cipher)));
    ciphers.chain([pair(Qop::AuthInt, None)]).collect()
}

fn token(range: Range<usize>) -> SecBuffer {
    SecBuffer::new(SecBufferType::TOKEN, range)
}

fn data(range: Range<usize>) -> SecBuffer {
    SecBuffer::new(SecBufferType::DATA, range)
}

/// The message of DIGEST-MD5, of data in one buffer with the token behind it.
fn seal(sender: &mut dyn SendingHalf, text: &[u8]) -> Vec<u8> {
    let mut memory = [text, &[0; 26]].concat();
    let mut buffers = [data(0..text.len()), token(text.len()..memory.len())];
    sender.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    memory.truncate(buffers[1].range().end);
    memory
}

fn open(receiver: &mut dyn ReceivingHalf, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = message.to_vec();
    let mut buffers = [SecBuffer::new(SecBufferType::STREAM, 0..memory.len()), data(0..0)];
    receiver.decrypt_message(&mut memory, &mut buffers)?;
    Ok(memory[buffers[1].range()].to_vec())
}

#[test]
fn the_message_is_the_same_wherever_the_token_lies_and_however_the_data_is_cut() {
    for (client, mut server) in pairs() {
        let text = b"one, two and three";
        let mut client = Box::new(client) as Box<dyn sspi_core::SecurityContext>;
        for (token_first, cuts) in [(false, [0, 18]), (true, [0, 18]), (true, [4, 9]), (false, [5, 5])] {
            let mut memory = vec![0xEE; 100];
            let mut at = 30;
            let mut ranges = Vec::new();
            for (from, to) in [(0, cuts[0]), (cuts[0], cuts[1]), (cuts[1], text.len())] {
                // Apart from each other.
                memory[at..at + to - from].copy_from_slice(&text[from..to]);
                ranges.push(data(at..at + to - from));
                at += to - from + 3;
            }
            let place = if token_first { 0 } else { ranges.len() };
            ranges.insert(place, token(0..26));
            client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut ranges).unwrap();
            let message: Vec<u8> = ranges.iter().flat_map(|buffer| memory[buffer.range()].to_vec()).collect();
            assert!(!message.windows(4).any(|window| window == b"two ") || server.receiver.opener.is_some());
            assert_eq!(open(&mut server, &message).unwrap(), text);
        }
    }
}

#[test]
fn every_one_of_several_buffers_is_protected() {
    for (mut client, mut server) in pairs() {
        let mut memory = [&b"first second"[..], &[0; 26]].concat();
        let mut buffers = [data(0..6), data(6..12), token(12..38)];
        client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        let encrypts = client.sender.sealer.as_ref().unwrap().encrypts();
        assert_eq!(&memory[..6] != b"first ", encrypts);
        assert_eq!(&memory[6..12] != b"second", encrypts);
        let mut altered = memory.clone();
        altered[1] ^= 1;
        let state = server.receiver.opener.as_ref().unwrap().state();
        let (opener, exported) = (Some(Opener::new(&state).unwrap()), Exported::default());
        let mut other = Receiver { opener, most: 100, failed: None, exported };
        let error = other.decrypt_message(&mut altered, &mut buffers.clone()).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
        server.decrypt_message(&mut memory, &mut buffers).unwrap();
        assert_eq!(&memory[..12], b"first second");
    }
}

#[test]
fn as_negotiate_stream_lays_it_out_the_parts_are_one_message() {
    for (mut client, mut server) in pairs() {
        let mut memory = [&[0; 26][..], b"some data", &[0; 8]].concat();
        let mut buffers = [token(0..26), data(26..35), SecBuffer::new(SecBufferType::PADDING, 35..43)];
        client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        assert_eq!(buffers[2].len, 0);
        let message = [&memory[buffers[0].range()], &memory[26..35]].concat();
        assert_eq!(open(&mut server, &message).unwrap(), b"some data");
    }
}

#[test]
fn signatures_are_made_and_verified_and_count_with_the_messages() {
    for (mut client, mut server) in pairs() {
        let mut memory = [&b"signed"[..], &[0; 26]].concat();
        let mut buffers = [data(0..6), token(6..32)];
        client.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        assert_eq!(buffers[1].len, 16);
        assert_eq!(&memory[..6], b"signed");
        server.verify_signature(&memory, &buffers).unwrap();
        let message = seal(&mut client, b"sealed");
        assert_eq!(message.last_chunk(), Some(&[0, 0, 0, 1]));
        assert_eq!(open(&mut server, &message).unwrap(), b"sealed");
        let error = server.verify_signature(&memory, &buffers).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_OUT_OF_SEQUENCE, "a signature that comes again");
    }
}

#[test]
fn an_altered_signature_is_refused() {
    let (mut client, mut server) = pair(Qop::AuthInt, None);
    let mut memory = [&b"signed"[..], &[0; 16]].concat();
    let mut buffers = [data(0..6), token(6..22)];
    client.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    memory[2] ^= 1;
    let error = server.verify_signature(&memory, &buffers).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
    memory[2] ^= 1;
    assert_eq!(
        server.verify_signature(&memory, &buffers).unwrap_err().status(),
        error.status(),
        "it is the last"
    );
}

#[test]
fn after_a_message_that_is_not_right_every_other_is_refused_with_the_same_error() {
    for (mut client, mut server) in pairs() {
        let (first, second) = (seal(&mut client, b"first"), seal(&mut client, b"second"));
        let mut altered = first.clone();
        altered[0] ^= 1;
        let error = open(&mut server, &altered).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
        for message in [first, second] {
            assert_eq!(open(&mut server, &message).unwrap_err().status(), error.status());
        }
    }
}

#[test]
fn wrong_buffers_harm_nothing() {
    for (mut client, mut server) in pairs() {
        let mut memory = vec![0x55; 64];
        let before = memory.clone();
        let cases: [&[SecBuffer]; 7] = [
            &[],
            &[data(0..8)],
            &[token(0..26), token(26..52), data(52..60)],
            &[token(0..26), data(20..40)],
            &[token(0..26), data(26..65)],
            &[token(0..15), data(26..40)],
            &[data(usize::MAX - 1..usize::MAX), token(0..26)],
        ];
        for buffers in cases {
            let mut given = buffers.to_vec();
            let error =
                client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut given).unwrap_err();
            assert!(
                [SecStatus::SEC_E_INVALID_TOKEN, SecStatus::SEC_E_BUFFER_TOO_SMALL].contains(&error.status()),
                "{buffers:?}: {error}"
            );
            assert_eq!((&memory, &given[..]), (&before, buffers));
        }
        let read_only = SecBufferType::DATA.with(SecBufferType::READONLY_WITH_CHECKSUM);
        let mut buffers = [token(0..26), SecBuffer::new(read_only, 26..30)];
        assert!(client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).is_err());
        assert!(server.decrypt_message(&mut memory, &mut [data(0..8)]).is_err());
        assert!(
            server.decrypt_message(&mut memory, &mut [SecBuffer::new(SecBufferType::STREAM, 0..8)]).is_err()
        );
        assert_eq!(open(&mut server, &seal(&mut client, b"all is well")).unwrap(), b"all is well");
    }
}

#[test]
fn what_must_be_encrypted_is_not_merely_signed() {
    let (mut client, _) = pair(Qop::AuthConf, Some(Cipher::TripleDes));
    let mut memory = vec![0; 40];
    let mut buffers = [data(0..8), token(8..34)];
    let quality = QualityOfProtection::WrapNoEncrypt;
    let error = client.encrypt_message(quality, &mut memory, &mut buffers).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
    let (mut client, mut server) = pair(Qop::AuthInt, None);
    client.encrypt_message(quality, &mut memory, &mut buffers).unwrap();
    server.decrypt_message(&mut memory, &mut buffers).unwrap();
}

#[test]
fn a_context_without_protection_says_so() {
    let (mut client, mut server) = pair(Qop::Auth, None);
    let mut memory = vec![0; 40];
    let mut buffers = [data(0..8), token(8..34)];
    let unsupported = |error: Error| assert_eq!(error.status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
    let quality = QualityOfProtection::Default;
    unsupported(client.encrypt_message(quality, &mut memory, &mut buffers).unwrap_err());
    unsupported(client.make_signature(quality, &mut memory, &mut buffers).unwrap_err());
    unsupported(server.decrypt_message(&mut memory, &mut buffers).unwrap_err());
    unsupported(server.verify_signature(&memory, &buffers).unwrap_err());
}

#[test]
fn messages_are_no_longer_than_was_agreed() {
    let mut small = context(true, Qop::AuthInt, None, 40);
    let mut memory = vec![0; 100];
    let mut buffers = [data(0..25), token(50..76)];
    let error = small.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_INVALID_TOKEN, Some("digest.maxbuf")));
    buffers[0].len = 24;
    small.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    let (mut client, _) = pair(Qop::AuthInt, None);
    let mut small = context(false, Qop::AuthInt, None, 40);
    let error = open(&mut small, &seal(&mut client, &[0; 25])).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
}

#[test]
fn the_halves_work_on_two_threads() {
    for (client, server) in pairs() {
        let client = Box::new(client).split().unwrap();
        let server = Box::new(server).split().unwrap();
        let (mut up, mut down) = (client.sender, server.sender);
        let (mut below, mut above) = (server.receiver, client.receiver);
        thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..100_u32 {
                    let message = seal(&mut *up, &number.to_be_bytes());
                    assert_eq!(open(&mut *below, &message).unwrap(), number.to_be_bytes());
                }
            });
            scope.spawn(move || {
                for number in 0..100_u32 {
                    let message = seal(&mut *down, &number.to_be_bytes());
                    assert_eq!(open(&mut *above, &message).unwrap(), number.to_be_bytes());
                }
            });
        });
    }
}

#[test]
fn an_exported_context_goes_on_and_every_damaged_one_is_refused() {
    for (mut client, mut server) in pairs() {
        assert_eq!(open(&mut server, &seal(&mut client, b"before")).unwrap(), b"before");
        assert_eq!(open(&mut client, &seal(&mut server, b"before")).unwrap(), b"before");
        let exported = client.export().unwrap();
        assert_eq!(exported.package, "WDigest");
        let mut elsewhere = export::import(&info(), &exported).unwrap();
        assert_eq!(open(&mut server, &seal(&mut elsewhere, b"after")).unwrap(), b"after");
        assert_eq!(open(&mut elsewhere, &seal(&mut server, b"after")).unwrap(), b"after");
        assert_eq!(elsewhere.attributes().names().unwrap(), "alice");
        assert_eq!(elsewhere.attributes().flags(), client.attributes().flags());
        // Two that go on from the same keys and numbers protect two messages with the same.
        let again = [
            client.export().map(drop).unwrap_err(),
            client
                .encrypt_message(
                    QualityOfProtection::Default,
                    &mut [0; 40],
                    &mut [token(0..26), data(26..40)],
                )
                .unwrap_err(),
            client
                .make_signature(QualityOfProtection::Default, &mut [0; 40], &mut [token(0..26), data(26..40)])
                .unwrap_err(),
            client.decrypt_message(&mut [0; 40], &mut [token(0..26), data(26..40)]).map(drop).unwrap_err(),
            client.verify_signature(&[0; 40], &[token(0..16), data(26..40)]).map(drop).unwrap_err(),
        ];
        assert!(again.iter().all(|error| error.status() == SecStatus::SEC_E_INVALID_HANDLE), "{again:?}");
        let account = server.security_context_token().unwrap();
        let at_server = export::import(&info(), &server.export().unwrap()).unwrap();
        assert_eq!(at_server.security_context_token().unwrap(), account, "every part of it");
        assert_eq!(
            elsewhere.security_context_token().unwrap_err().status(),
            SecStatus::SEC_E_NO_IMPERSONATION
        );
        let content = exported.content.expose_secret();
        for length in 0..content.len() {
            let cut = ExportedContext {
                package: "WDigest".into(),
                content: Secret::new(content[..length].to_vec()),
            };
            assert!(export::import(&info(), &cut).is_err(), "{length}");
        }
        let foreign = ExportedContext { package: "NTLM".into(), ..exported };
        assert!(export::import(&info(), &foreign).is_err());
    }
}
