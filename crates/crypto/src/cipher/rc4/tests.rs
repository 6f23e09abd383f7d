//! Known answers of RC4, and that the state goes on.

use ::rc4::{KeyInit as _, StreamCipher as _};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::hash::Hash;
use crate::hex::hex;

/// RFC 6229 section 2: the key, and its keystream at 0, 240 and 4080.
const KNOWN: [(&str, [&str; 3]); 5] = [
    (
        "0102030405",
        [
            "b2396305f03dc027ccc3524a0a1118a8",
            "28cb1132c96ce286421dcaadb8b69eae",
            "068326a2118416d21f9d04b2cd1ca050",
        ],
    ),
    (
        "01020304050607",
        [
            "293f02d47f37c9b633f2af5285feb46b",
            "914f02531c9218810df60f67e338154c",
            "f3172ceffc3b3d997c85ccd5af1a950c",
        ],
    ),
    (
        "0102030405060708",
        [
            "97ab8a1bf0afb96132f2f67258da15a8",
            "9636ebc9841926f4f7d1f362bddf6e18",
            "d5fa5a3469d29aaaf83d23589db8c85b",
        ],
    ),
    (
        "0102030405060708090a",
        [
            "ede3b04643e586cc907dc21851709902",
            "3cfd6cb58ee0fdde640176ad0000044d",
            "1f135ed14ce60a91369d2322bef25e3c",
        ],
    ),
    (
        "1ada31d5cf688221c109163908ebe51debb46227c6cc8b37641910833222772a",
        [
            "dd5bcb0018e922d494759d7c395d02d3",
            "af3e30f9c095045938151575c3fb9098",
            "d5a39e3dfcc50280bac4a6b5aa0dca7d",
        ],
    ),
];

#[test]
fn keystream_is_that_of_the_known_answers() {
    for (key, expected) in KNOWN {
        let mut stream = [0; 4096];
        Rc4::new(&hex(key)).unwrap().apply(&mut stream);
        for (offset, expected) in [0, 240, 4080].into_iter().zip(expected) {
            assert_eq!(stream[offset..offset + 16], hex(expected), "{key} at {offset}");
        }
    }
}

#[test]
fn parts_are_encrypted_as_the_whole_is_wherever_it_is_split() {
    let mut whole = [0; 300];
    Rc4::new(b"a key").unwrap().apply(&mut whole);
    for split in 0..=whole.len() {
        let mut parts = [0; 300];
        let mut rc4 = Rc4::new(b"a key").unwrap();
        rc4.apply(&mut parts[..split]);
        rc4.apply(&mut parts[split..]);
        assert_eq!(parts, whole, "at {split}");
    }
}

#[test]
fn hashing_on_the_way_is_hashing_the_plaintext() {
    let data: Vec<u8> = (0..=255).cycle().take(1000).collect();
    for hash in [Hash::Md5, Hash::Sha1, Hash::Sha256] {
        for before in [0, 1, 13, 60, 63, 64, 77] {
            for length in (0..200).chain([255, 256, 257, 700, 900]) {
                let plaintext = &data[before..before + length];
                let mut context = hash.context();
                context.update(&data[..before]);
                let (mut sending, mut receiving) = (context.clone(), context);
                let (mut client, mut server) = (Rc4::new(b"secret").unwrap(), Rc4::new(b"secret").unwrap());
                let mut record = plaintext.to_vec();
                client.encrypt_hashing(&mut sending, &mut record);
                let mut expected = plaintext.to_vec();
                Rc4::new(b"secret").unwrap().apply(&mut expected);
                assert_eq!(record, expected, "{hash:?}, {length} bytes after {before}");
                server.decrypt_hashing(&mut receiving, &mut record);
                assert_eq!(record, plaintext, "{hash:?}, {length} bytes after {before}");
                let digest = hash.digest(&data[..before + length]);
                assert_eq!(sending.finish(), digest, "{hash:?}, {length} bytes after {before}");
                assert_eq!(receiving.finish(), digest, "{hash:?}, {length} bytes after {before}");
                let mut more = [[0; 5]; 2];
                client.apply(&mut more[0]);
                server.apply(&mut more[1]);
                assert_eq!(more[0], more[1], "the keystream after {length} bytes");
            }
        }
    }
}

#[test]
fn keys_are_of_5_to_256_bytes() {
    for length in [5, 7, 16, 256] {
        assert!(Rc4::new(&vec![1; length]).is_ok(), "{length}");
    }
    for length in [0, 4, 257] {
        let refused = Rc4::new(&vec![1; length]).map(|_| ());
        assert_eq!(refused, Err(KeyError::KeyLength { length, min: 5, max: 256 }));
    }
}

#[test]
fn debug_shows_no_state() {
    assert_eq!(format!("{:?}", Rc4::new(b"a key").unwrap()), "Rc4 { .. }");
}

proptest! {
    #[test]
    fn ciphertext_is_that_of_the_crate(
        key in vec(any::<u8>(), Rc4::MIN_KEY_LEN..=Rc4::MAX_KEY_LEN),
        parts in vec(vec(any::<u8>(), 0..700), 1..4),
        hash in 0..2,
    ) {
        let mut ours = Rc4::new(&key).unwrap();
        let mut theirs = ::rc4::Rc4::new_from_slice(&key).unwrap();
        let mut context = [Hash::Md5, Hash::Sha1][hash as usize].context();
        for part in parts {
            let (mut record, mut expected) = (part.clone(), part.clone());
            ours.encrypt_hashing(&mut context, &mut record);
            theirs.apply_keystream(&mut expected);
            prop_assert_eq!(record, expected);
        }
    }
}

#[test]
fn a_keystream_goes_on_from_its_state_elsewhere() {
    for taken in [0, 1, 63, 64, 255, 256, 1000] {
        let mut here = Rc4::new(b"some key").unwrap();
        here.apply(&mut vec![0; taken]);
        let bytes = *here.state().as_bytes();
        let mut there = Rc4::from(&Rc4State::from_bytes(bytes).unwrap());
        let (mut expected, mut found) = ([0; 700], [0; 700]);
        here.apply(&mut expected);
        there.apply(&mut found);
        assert_eq!(found, expected, "after {taken}");
    }
}

#[test]
fn a_state_that_is_no_permutation_is_refused() {
    let mut bytes = *Rc4::new(b"some key").unwrap().state().as_bytes();
    bytes[7] = bytes[8];
    assert!(Rc4State::from_bytes(bytes).is_none());
}

#[test]
fn a_keystream_that_goes_back_comes_again() {
    for count in [0, 1, 8, 16, 255, 256, 300, 1000] {
        let mut cipher = Rc4::new(b"a key of some length").unwrap();
        let begin = cipher.state();
        let mut stream = vec![0; count];
        cipher.apply(&mut stream);
        cipher.rewind(count);
        assert_eq!(cipher.state().as_bytes(), begin.as_bytes(), "{count}");
        let mut again = vec![0; count];
        cipher.apply(&mut again);
        assert_eq!(stream, again, "{count}");
    }
}
