//! The known answers of MS-NLMP section 4.2, and messages that are not the next ones.

use test_support::hex::decode as hex;

use super::*;

const V1: NegotiateFlags = NegotiateFlags(0xe202_8233);
const V1_ESS: NegotiateFlags = NegotiateFlags(0x820a_8233);
const V2: NegotiateFlags = NegotiateFlags(0xe28a_8233);

fn key(digits: &str) -> Key {
    Zeroizing::new(hex(digits).try_into().unwrap())
}

fn fives() -> Key {
    Zeroizing::new([0x55; 16])
}

fn all_of(memory: &[u8], is_sealed: bool) -> [Piece; 1] {
    [Piece { range: 0..memory.len(), is_sealed }]
}

fn client(flags: NegotiateFlags, exported: &Key) -> Direction {
    directions(flags, exported).unwrap().0
}

/// "Plaintext" in UTF-16.
const PLAINTEXT: &str = "50006c00610069006e007400650078007400";

/// MS-NLMP sections 4.2.2.4, 4.2.3.4 and 4.2.4.4. The specification prints the pad of the first, which Windows sends as
/// zeros.
#[test]
fn a_message_is_sealed_as_the_specification_says() {
    for (flags, exported, ciphertext, signature) in [
        (V1, fives(), "56fe04d861f9319af0d7238a2e3b4d457fb8", "010000000000000009dcd1df2e459d36"),
        (
            V1_ESS,
            key("eb93429a8bd952f8b89c55b87f475edc"),
            "a02372f6530273f3aa1eb90190ce5200c99d",
            "01000000ff2aeb52f681793a00000000",
        ),
        (V2, fives(), "54e50165bf1936dc996020c1811b0f06fb5f", "010000007fb38ec5c55d497600000000"),
    ] {
        let mut memory = hex(PLAINTEXT);
        let pieces = all_of(&memory, true);
        let made = client(flags, &exported).protect(&mut memory, &pieces).unwrap();
        assert_eq!(memory, hex(ciphertext), "{flags:?}");
        assert_eq!(made[..], hex(signature), "{flags:?}");
        client(flags, &exported).unprotect(&mut memory, &pieces, &made).unwrap();
        assert_eq!(memory, hex(PLAINTEXT));
    }
}

/// MS-NLMP sections 4.2.3.4 and 4.2.4.4; the keys of 56 and 40 bits, and those of servers, are what two other
/// implementations make.
#[test]
fn keys_are_those_of_the_specification() {
    let exported = fives();
    assert_eq!(sign_key(&exported, Sender::Client), key("4788dc861b4782f35d43fd98fe1a2d39"));
    assert_eq!(sign_key(&exported, Sender::Server), key("d04d6f10741041d1d246d64188d7a8ad"));
    for (bits, of_client, of_server) in [
        (0x2000_0000, "59f600973cc4960a25480a7c196e4c58", "9355f3a957c1583d25c4c2f11e40390e"),
        (0x8000_0000, "a5f7253c1065e8d3d68642040e71cfe0", "583e2f98959b385cd158f3734b5f5d3f"),
        (0, "42f964a471091a02ff4a77455366e4e5", "c5d3853b406b7c1241c595f0ce0750e2"),
    ] {
        let flags = NegotiateFlags(bits);
        assert_eq!(seal_key(flags, &exported, Sender::Client), key(of_client));
        assert_eq!(seal_key(flags, &exported, Sender::Server), key(of_server));
    }
    let exported = key("eb93429a8bd952f8b89c55b87f475edc");
    assert_eq!(sign_key(&exported, Sender::Client), key("60e799be5c72fc92922ae8ebe961fb8d"));
    assert_eq!(seal_key(V1_ESS, &exported, Sender::Client), key("04dd7f014d8504d265a25cc86a3a7c06"));
}

#[test]
fn keys_made_of_the_lm_hash_are_cut_short_without_extended_session_security() {
    let exported = key("000102030405060708090a0b0c0d0e0f");
    let shared = |flags| shared_seal_key(NegotiateFlags(flags), &exported).to_vec();
    assert_eq!(shared(0x80), hex("0001020304e538b0"));
    assert_eq!(shared(0x8000_0080), hex("00010203040506a0"));
    assert_eq!(shared(0x8000_0000), exported.to_vec());
}

/// Three messages in a row, the second of nothing, as other implementations make them.
#[test]
fn numbers_and_streams_go_on_from_message_to_message() {
    let mut direction = client(V2, &fives());
    for (plaintext, ciphertext, signature) in [
        ("6669727374", "628c1f16aa", "010000003e0df30c66b9503200000000"),
        ("", "", "01000000cba0aa7f99fa88ad01000000"),
        ("7468697264206d657373616765", "e05f62781b14ae01938cc33882", "010000001aeee3d29d4f5f7b02000000"),
    ] {
        let mut memory = hex(plaintext);
        let pieces = all_of(&memory, true);
        assert_eq!(direction.protect(&mut memory, &pieces).unwrap()[..], hex(signature));
        assert_eq!(memory, hex(ciphertext));
    }
    let mut direction = client(V2, &fives());
    for (data, signature) in [
        ("6669727374", "0100000023b7429ed8f4ce0a00000000"),
        ("", "0100000027b7f83122ee790d01000000"),
        ("7468697264206d657373616765", "010000000f92bd079791119702000000"),
    ] {
        let mut memory = hex(data);
        let pieces = all_of(&memory, false);
        assert_eq!(direction.protect(&mut memory, &pieces).unwrap()[..], hex(signature));
        assert_eq!(memory, hex(data), "it is signed, not sealed");
    }
}

#[test]
fn without_extended_session_security_both_directions_take_turns() {
    let (mut from_client, mut from_server) = directions(V1, &fives()).unwrap();
    let (mut at_server, mut at_client) = directions(V1, &fives()).unwrap();
    for turn in 0..4_u8 {
        let (sends, receives) = if turn % 2 == 0 {
            (&mut from_client, &mut at_server)
        } else {
            (&mut from_server, &mut at_client)
        };
        let mut memory = vec![turn; 20];
        let pieces = all_of(&memory, true);
        let signature = sends.protect(&mut memory, &pieces).unwrap();
        // The two ends have one stream each.
        assert_ne!(memory, [turn; 20]);
        receives.unprotect(&mut memory, &pieces, &signature).unwrap();
        assert_eq!(memory, [turn; 20]);
    }
}

#[test]
fn what_is_not_the_next_message_is_refused() {
    let seal = |direction: &mut Direction, text: &[u8]| {
        let mut memory = text.to_vec();
        let pieces = all_of(&memory, true);
        let signature = direction.protect(&mut memory, &pieces).unwrap();
        (memory, signature)
    };
    let open = |direction: &mut Direction, (mut memory, signature): (Vec<u8>, [u8; 16])| {
        let pieces = all_of(&memory, true);
        direction.unprotect(&mut memory, &pieces, &signature)
    };
    let mut sends = client(V2, &fives());
    let messages = [seal(&mut sends, b"one"), seal(&mut sends, b"two")];
    let out_of_sequence = |found, expected| Err(Error::OutOfSequence { found, expected });
    assert_eq!(open(&mut client(V2, &fives()), messages[1].clone()), out_of_sequence(1, 0), "one is missing");
    let mut receives = client(V2, &fives());
    open(&mut receives, messages[0].clone()).unwrap();
    assert_eq!(open(&mut receives, messages[0].clone()), out_of_sequence(0, 1), "it came twice");
    for bit in 0..8 * 16 {
        let (memory, mut signature) = messages[0].clone();
        signature[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&mut client(V2, &fives()), (memory, signature)).is_err(), "bit {bit} of the signature");
    }
    for bit in 0..8 * 3 {
        let (mut memory, signature) = messages[0].clone();
        memory[bit / 8] ^= 1 << (bit % 8);
        let opened = open(&mut client(V2, &fives()), (memory, signature));
        assert_eq!(opened, Err(Error::MessageAltered), "bit {bit} of the message");
    }
    let (memory, signature) = &messages[0];
    let mut cut = memory[..2].to_vec();
    let pieces = all_of(&cut, true);
    assert_eq!(client(V2, &fives()).unprotect(&mut cut, &pieces, signature), Err(Error::MessageAltered));
    for length in 0..16 {
        let mut whole = memory.clone();
        let pieces = all_of(&whole, true);
        assert!(client(V2, &fives()).unprotect(&mut whole, &pieces, &signature[..length]).is_err());
    }
}

#[test]
fn every_piece_is_signed_and_those_to_be_sealed_are() {
    let mut memory = b"headbodytailmore".to_vec();
    let pieces: Vec<_> = [(0..4, false), (4..8, true), (12..16, true)]
        .map(|(range, is_sealed)| Piece { range, is_sealed })
        .into();
    let signature = client(V2, &fives()).protect(&mut memory, &pieces).unwrap();
    assert_eq!((&memory[..4], &memory[8..12]), (&b"head"[..], &b"tail"[..]));
    assert!(memory[4..8] != *b"body" && memory[12..] != *b"more");
    let sealed = memory.clone();
    client(V2, &fives()).unprotect(&mut memory, &pieces, &signature).unwrap();
    assert_eq!(memory, b"headbodytailmore");
    for at in [0, 5, 15] {
        let mut altered = sealed.clone();
        altered[at] ^= 1;
        assert!(client(V2, &fives()).unprotect(&mut altered, &pieces, &signature).is_err(), "{at}");
    }
}

#[test]
fn a_direction_has_no_number_twice() {
    let mut sends = client(V2, &fives());
    let (_, state) = sends.export().unwrap().unwrap();
    sends.import(u64::from(u32::MAX), &state).unwrap();
    sends.protect(&mut [], &[]).unwrap();
    assert_eq!(sends.protect(&mut [], &[]), Err(Error::NumbersUsedUp));
}

#[test]
fn nothing_negotiated_is_an_empty_signature() {
    let mut direction = client(NegotiateFlags(0xe208_8205), &fives());
    let mut memory = *b"data";
    let pieces = all_of(&memory, false);
    let signature = direction.protect(&mut memory, &pieces).unwrap();
    assert_eq!(signature[..], hex("01000000000000000000000000000000"));
    direction.unprotect(&mut memory, &pieces, &signature).unwrap();
    assert!(direction.unprotect(&mut memory, &pieces, &[1; 16]).is_err());
}

/// RFC 4178 section 5, with the keys of MS-NLMP section 4.2.4: what two implementations sign a list of mechanisms with.
#[test]
fn after_the_signature_of_a_list_of_mechanisms_streams_begin_anew_and_numbers_go_on() {
    let list = hex("302206092a864882f71201020206092a864886f712010202060a2b06010401823702020a");
    let flags = NegotiateFlags(0xe28a_8235);
    for flags in [flags, flags.without(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY)] {
        let has_ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let fresh = || directions(flags, &fives()).unwrap().0;
        let (mut ours, mut memory) = (fresh(), list.clone());
        let mic = ours.protect(&mut memory, &all_of(&list, false)).unwrap();
        if has_ess {
            assert_eq!(mic[..], hex("01000000a997641ecdebadf700000000"));
        }
        ours.restart(flags, &fives(), Sender::Client).unwrap();
        let mut anew = fresh();
        anew.import(1, &fresh().export().unwrap().1);
        let (mut first, mut second) = (*b"message", *b"message");
        let signed = ours.protect(&mut first, &all_of(b"message", true)).unwrap();
        assert_eq!(signed, anew.protect(&mut second, &all_of(b"message", true)).unwrap());
        assert_eq!(first, second);
    }
}
