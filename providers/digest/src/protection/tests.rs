//! Messages as they are on the wire, and what is refused. The vectors are those of `testdata`.

use test_support::Mutator;

use super::*;
use crate::text::{from_hex, hex};

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../testdata/vectors.json")).unwrap()
}

fn bytes(value: &serde_json::Value) -> Vec<u8> {
    from_hex(value.as_str().unwrap().as_bytes()).unwrap()
}

const CIPHERS: [Option<Cipher>; 6] = [
    None,
    Some(Cipher::TripleDes),
    Some(Cipher::Rc4),
    Some(Cipher::Des),
    Some(Cipher::Rc4Of56),
    Some(Cipher::Rc4Of40),
];

fn pair(cipher: Option<Cipher>) -> (Sealer, Opener) {
    let state = State::derive(&[7; 16], From::Client, cipher).unwrap();
    (Sealer::new(&state).unwrap(), Opener::new(&state).unwrap())
}

fn seal(sealer: &mut Sealer, message: &[u8]) -> Vec<u8> {
    let mut memory = message.to_vec();
    sealer.seal(&mut memory).unwrap();
    memory
}

fn open(opener: &mut Opener, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = message.to_vec();
    opener.open(&mut memory).map(|()| memory)
}

#[test]
fn keys_are_those_of_the_vectors() {
    let vectors = &vectors()["sasl_layers"];
    let key = bytes(&vectors["h_a1"]);
    let derive = |from| State::derive(&key, from, None).unwrap().integrity.to_vec();
    assert_eq!(derive(From::Client), bytes(&vectors["kic"]));
    assert_eq!(derive(From::Server), bytes(&vectors["kis"]));
}

#[test]
fn signed_and_sealed_messages_are_those_of_the_vectors_byte_for_byte() {
    let vectors = &vectors()["sasl_layers"];
    let key = bytes(&vectors["h_a1"]);
    let mut rows = Vec::new();
    let signed = vectors["auth_int_client"].as_array().unwrap();
    rows.push((
        None,
        bytes(&signed[0]["msg"]),
        signed.iter().map(|row| bytes(&row["wrapped"])).collect::<Vec<_>>(),
    ));
    for cipher in Cipher::ALL {
        let row = &vectors[format!("auth_conf_{}", cipher.name())];
        let wrapped = row["wrapped"].as_array().unwrap().iter().map(bytes).collect();
        rows.push((Some(*cipher), bytes(&row["msg"]), wrapped));
    }
    assert_eq!(rows.len(), 6);
    for (cipher, message, wrapped) in rows {
        let state = State::derive(&key, From::Client, cipher).unwrap();
        let (mut sealer, mut opener) = (Sealer::new(&state).unwrap(), Opener::new(&state).unwrap());
        for expected in wrapped {
            let sealed = seal(&mut sealer, &message);
            assert_eq!(hex(&sealed), hex(&expected[4..]), "{cipher:?}");
            assert_eq!(
                usize::try_from(u32::from_be_bytes(*expected.first_chunk().unwrap())).unwrap(),
                sealed.len()
            );
            assert_eq!(open(&mut opener, &sealed).unwrap(), message);
        }
    }
}

#[test]
fn messages_of_every_length_come_out_as_they_went_in() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        for length in (0..40).chain([1000, 65_000]) {
            let message = vec![0xA5; length];
            let sealed = seal(&mut sealer, &message);
            assert_eq!(sealed.len(), length + sealer.trailer(length));
            assert!(sealer.trailer(length) <= LONGEST_TRAILER);
            assert_eq!(open(&mut opener, &sealed).unwrap(), message, "{cipher:?}, {length}");
        }
    }
}

#[test]
fn every_byte_of_a_message_that_is_altered_is_noticed() {
    for cipher in CIPHERS {
        let (mut sealer, _) = pair(cipher);
        let sealed = seal(&mut sealer, b"a message of some length");
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            let (_, mut opener) = pair(cipher);
            assert!(open(&mut opener, &altered).is_err(), "{cipher:?}, {at}");
        }
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    for cipher in CIPHERS {
        let (mut sealer, _) = pair(cipher);
        let sealed = seal(&mut sealer, b"a message of some length");
        for length in 0..sealed.len() {
            let (_, mut opener) = pair(cipher);
            assert!(open(&mut opener, &sealed[..length]).is_err(), "{cipher:?}, {length}");
        }
    }
}

#[test]
fn a_message_that_comes_again_or_too_early_is_out_of_sequence() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        let (first, second) = (seal(&mut sealer, b"first"), seal(&mut sealer, b"second"));
        assert_eq!(open(&mut opener, &first).unwrap(), b"first");
        let again = open(&mut opener, &first).unwrap_err();
        assert_eq!(again, Error::OutOfSequence { number: 0, expected: 1 }, "{cipher:?}");
        let (_, mut opener) = pair(cipher);
        let early = open(&mut opener, &second).unwrap_err();
        assert_eq!(early, Error::OutOfSequence { number: 1, expected: 0 }, "{cipher:?}");
    }
}

#[test]
fn a_message_of_the_other_direction_does_not_authenticate() {
    for cipher in CIPHERS {
        let (mut sealer, _) = pair(cipher);
        let state = State::derive(&[7; 16], From::Server, cipher).unwrap();
        let mut opener = Opener::new(&state).unwrap();
        let reflected = seal(&mut sealer, b"reflected");
        assert_eq!(open(&mut opener, &reflected).unwrap_err(), Error::Altered, "{cipher:?}");
    }
}

#[test]
fn a_direction_goes_on_elsewhere_from_what_was_encoded() {
    for cipher in CIPHERS {
        let (mut sealer, mut opener) = pair(cipher);
        let before = seal(&mut sealer, b"before");
        assert_eq!(open(&mut opener, &before).unwrap(), b"before");
        let mut kept = Vec::new();
        sealer.state().encode(&mut kept);
        let sending = kept.len();
        opener.state().encode(&mut kept);
        let (sealing, rest) = State::decode(&kept).unwrap();
        assert_eq!(kept.len() - rest.len(), sending);
        let (opening, rest) = State::decode(rest).unwrap();
        assert!(rest.is_empty());
        let (mut elsewhere, mut there) = (Sealer::new(&sealing).unwrap(), Opener::new(&opening).unwrap());
        let message = seal(&mut elsewhere, b"a message from elsewhere");
        assert_eq!(message, seal(&mut sealer, b"a message from elsewhere"), "{cipher:?}");
        assert_eq!(open(&mut there, &message).unwrap(), b"a message from elsewhere");
        for length in 0..sending {
            assert!(State::decode(&kept[..length]).is_none(), "{cipher:?}, {length}");
        }
    }
}

#[test]
fn numbers_are_used_once() {
    for cipher in CIPHERS {
        let state = State::derive(&[7; 16], From::Client, cipher).unwrap();
        let state = State { count: u64::from(u32::MAX), ..state };
        let (mut sealer, mut opener) = (Sealer::new(&state).unwrap(), Opener::new(&state).unwrap());
        let last = seal(&mut sealer, b"the last");
        assert_eq!(open(&mut opener, &last).unwrap(), b"the last");
        assert_eq!(sealer.seal(&mut b"one more".to_vec()), Err(Error::KeyUsedUp));
        assert_eq!(open(&mut opener, &last), Err(Error::KeyUsedUp));
    }
}

#[test]
fn small_blocks_protect_so_much_and_no_more() {
    let state = State::derive(&[7; 16], From::Client, Some(Cipher::TripleDes)).unwrap();
    // The message, two bytes of padding and the MAC are two blocks.
    let state = State { bytes: SMALL_BLOCK_LIMIT - 16, ..state };
    let mut sealer = Sealer::new(&state).unwrap();
    let last = seal(&mut sealer, b"tiny");
    assert_eq!(sealer.seal(&mut b"tiny".to_vec()), Err(Error::SmallBlockLimit { is_ours: true }));
    let error = sspi_core::Error::from(Error::SmallBlockLimit { is_ours: true });
    assert_eq!(error.status(), sspi_core::SecStatus::SEC_E_ENCRYPT_FAILURE);
    assert!(
        error.message().contains("1073741824 bytes") && error.message().contains("log on again"),
        "{error}"
    );
    // A peer is held to it.
    assert_eq!(open(&mut Opener::new(&state).unwrap(), &last).unwrap(), b"tiny");
    let mut opener = Opener::new(&State { bytes: SMALL_BLOCK_LIMIT - 15, ..state }).unwrap();
    assert_eq!(open(&mut opener, &last), Err(Error::SmallBlockLimit { is_ours: false }));
}

#[test]
fn a_hundred_thousand_mutated_messages_of_each_cipher_are_refused_without_a_panic() {
    let mut mutator = Mutator::new(11);
    for cipher in CIPHERS {
        let (mut sealer, _) = pair(cipher);
        let sealed = seal(&mut sealer, b"a message");
        let kept = {
            let (_, opener) = pair(cipher);
            opener.state()
        };
        for _ in 0..100_000 {
            let mut bytes = sealed.clone();
            let mutation = mutator.mutate(&mut bytes);
            let mut opener = Opener::new(&kept).unwrap();
            assert!(open(&mut opener, &bytes).is_err(), "{cipher:?}: {mutation}");
        }
    }
}
