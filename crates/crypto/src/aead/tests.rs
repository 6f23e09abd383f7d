//! Known answers and refusals of the AEADs.

use super::*;
use crate::hex::hex;

const ALL: [AeadAlgorithm; 3] =
    [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm, AeadAlgorithm::ChaCha20Poly1305];
const NONCE: [u8; NONCE_LEN] = [0x42; NONCE_LEN];

struct Known {
    origin: &'static str,
    algorithm: AeadAlgorithm,
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    plaintext: &'static str,
    ciphertext: &'static str,
    tag: &'static str,
}

const GCM_PLAINTEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

/// The GCM ones are from "The Galois/Counter Mode of Operation", appendix B, as submitted to NIST.
const KNOWN: [Known; 5] = [
    Known {
        origin: "GCM test case 1",
        algorithm: AeadAlgorithm::Aes128Gcm,
        key: "00000000000000000000000000000000",
        nonce: "000000000000000000000000",
        aad: "",
        plaintext: "",
        ciphertext: "",
        tag: "58e2fccefa7e3061367f1d57a4e7455a",
    },
    Known {
        origin: "GCM test case 4",
        algorithm: AeadAlgorithm::Aes128Gcm,
        key: "feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        plaintext: GCM_PLAINTEXT,
        ciphertext: "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e
                     21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
        tag: "5bc94fbc3221a5db94fae95ae7121a47",
    },
    Known {
        origin: "GCM test case 13",
        algorithm: AeadAlgorithm::Aes256Gcm,
        key: "0000000000000000000000000000000000000000000000000000000000000000",
        nonce: "000000000000000000000000",
        aad: "",
        plaintext: "",
        ciphertext: "",
        tag: "530f8afbc74536b9a963b4f1c4cb738b",
    },
    Known {
        origin: "GCM test case 16",
        algorithm: AeadAlgorithm::Aes256Gcm,
        key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        nonce: "cafebabefacedbaddecaf888",
        aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        plaintext: GCM_PLAINTEXT,
        ciphertext: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                     8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        tag: "76fc6ece0f4e1768cddf8853bb2d551b",
    },
    Known {
        origin: "RFC 8439 section 2.8.2",
        algorithm: AeadAlgorithm::ChaCha20Poly1305,
        key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        nonce: "070000004041424344454647",
        aad: "50515253c0c1c2c3c4c5c6c7",
        // "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen
        // would be it."
        plaintext: "4c616469657320616e642047656e746c656d656e206f662074686520636c6173
                    73206f66202739393a204966204920636f756c64206f6666657220796f75206f
                    6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73
                    637265656e20776f756c642062652069742e",
        ciphertext: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
                     3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
                     92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
                     3ff4def08e4b7a9de576d26586cec64b6116",
        tag: "1ae10b594f09e26a7e902ecbd0600691",
    },
];

#[test]
fn known_answers_are_sealed_and_opened() {
    for known in KNOWN {
        let key = AeadKey::new(known.algorithm, &hex(known.key)).unwrap();
        let nonce = hex(known.nonce).try_into().unwrap();
        let aad = hex(known.aad);
        let mut buffer = hex(known.plaintext);
        let tag = key.seal_in_place(nonce, &aad, &mut buffer).unwrap();
        assert_eq!(buffer, hex(known.ciphertext), "{}", known.origin);
        assert_eq!(tag, *hex(known.tag), "{}", known.origin);

        buffer.extend(tag);
        let length = key.open_in_place(nonce, &aad, &mut buffer).unwrap();
        assert_eq!(buffer[..length], hex(known.plaintext), "{}", known.origin);
    }
}

fn key(algorithm: AeadAlgorithm) -> AeadKey {
    AeadKey::new(algorithm, &vec![7; algorithm.key_len()]).unwrap()
}

/// The ciphertext and tag of `plaintext`.
fn sealed(key: &AeadKey, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut buffer = plaintext.to_vec();
    let tag = key.seal_in_place(NONCE, aad, &mut buffer).unwrap();
    buffer.extend(tag);
    buffer
}

#[test]
fn what_is_sealed_is_opened_at_every_length() {
    for algorithm in ALL {
        let key = key(algorithm);
        for length in (0..300).chain([16_383, 16_384, 16_401]) {
            let plaintext: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut buffer = sealed(&key, b"aad", &plaintext);
            assert_eq!(buffer.len(), length + algorithm.tag_len());
            assert_eq!(key.open_in_place(NONCE, b"aad", &mut buffer), Ok(length), "{algorithm:?}, {length}");
            assert_eq!(buffer[..length], plaintext, "{algorithm:?}, {length}");
        }
    }
}

#[test]
fn every_changed_bit_is_refused_and_leaves_zeros() {
    let aad = b"seq, type, version";
    for algorithm in ALL {
        let key = key(algorithm);
        let intact = sealed(&key, aad, b"a plaintext longer than two blocks of 16");
        let refuses = |nonce, aad: &[u8], mut buffer: Vec<u8>| {
            key.open_in_place(nonce, aad, &mut buffer) == Err(AeadError::Unauthentic)
                && buffer.iter().all(|byte| *byte == 0)
        };
        for bit in 0..8 * intact.len() {
            let mut changed = intact.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(NONCE, aad, changed), "{algorithm:?}, bit {bit} of ciphertext and tag");
        }
        for bit in 0..8 * aad.len() {
            let mut changed = *aad;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                refuses(NONCE, &changed, intact.clone()),
                "{algorithm:?}, bit {bit} of the associated data"
            );
        }
        for bit in 0..8 * NONCE_LEN {
            let mut changed = NONCE;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(changed, aad, intact.clone()), "{algorithm:?}, bit {bit} of the nonce");
        }
        for length in 0..intact.len() {
            assert!(refuses(NONCE, aad, intact[..length].to_vec()), "{algorithm:?}, cut to {length}");
        }
        assert!(refuses(NONCE, aad, [&intact[..], &[0]].concat()), "{algorithm:?}, one byte more");
        let mut buffer = intact;
        assert_eq!(key.open_in_place(NONCE, aad, &mut buffer), Ok(40), "{algorithm:?}");
    }
}

#[test]
fn key_of_another_length_is_refused() {
    for algorithm in ALL {
        let expected = algorithm.key_len();
        for length in (0..=64).filter(|length| *length != expected) {
            let error = AeadKey::new(algorithm, &vec![0; length]).unwrap_err();
            assert_eq!(error, AeadError::KeyLength { length, expected }, "{algorithm:?}");
        }
    }
}

#[test]
fn lengths_are_those_of_the_algorithms() {
    for algorithm in ALL {
        assert_eq!(algorithm.key_len(), algorithm.algorithm().key_len());
        assert_eq!(algorithm.tag_len(), algorithm.algorithm().tag_len());
        assert_eq!(algorithm.nonce_len(), algorithm.algorithm().nonce_len());
    }
}

#[test]
fn debug_shows_the_algorithm_only() {
    assert_eq!(format!("{:?}", key(AeadAlgorithm::Aes256Gcm)), "AeadKey { algorithm: Aes256Gcm, .. }");
}
