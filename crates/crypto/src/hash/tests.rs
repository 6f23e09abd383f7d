//! Known answers of the hash functions, and how they are fed.

use super::*;
use crate::hex::hex;
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

const ALL: [Hash; 6] = [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512, Hash::Sha512Of256];

/// RFC 1321 section A.5, and the one-block and two-block examples that NIST published with FIPS 180.
const KNOWN: [(Hash, &str, &str); 8] = [
    (Hash::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
    (
        Hash::Md5,
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
        "57edf4a22be3c955ac49da2e2107b67a",
    ),
    (Hash::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    (Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        Hash::Sha384,
        "abc",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    (
        Hash::Sha512,
        "abc",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    (
        Hash::Sha1,
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    ),
    (
        Hash::Sha256,
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
];

#[test]
fn digests_are_those_of_the_standards() {
    for (hash, message, expected) in KNOWN {
        assert_eq!(hash.digest(message.as_bytes()).as_ref(), hex(expected), "{hash:?} of {message}");
    }
}

#[test]
fn parts_hash_to_what_the_whole_does_wherever_it_is_split() {
    let data: Vec<u8> = (0..=255).collect();
    for hash in ALL {
        for split in 0..=data.len() {
            let mut context = hash.context();
            context.update(&data[..split]);
            context.update(&data[split..]);
            assert_eq!(context.finish().as_ref(), hash.digest(&data).as_ref(), "{hash:?} at {split}");
        }
    }
}

#[test]
fn secret_length_ends_the_data_wherever_it_may_be() {
    let data: Vec<u8> = (0..=255).cycle().take(700).collect();
    for hash in ALL {
        for before in [0, 13, 63, 64, 127] {
            let mut context = hash.context();
            context.update(&data[..before]);
            for total in [0, 1, 42, 43, 50, 51, 64, 98, 115, 128, 255, 256, 257, 319, 572] {
                let buffer = &data[before..before + total];
                for len in total.saturating_sub(HashContext::MAX_SECRET_VARIATION)..=total {
                    let digest = context.clone().finish_secret_len(buffer, len);
                    assert_eq!(digest, hash.digest(&data[..before + len]), "{hash:?} {before} {total} {len}");
                }
            }
        }
    }
}

#[test]
fn secret_length_out_of_bounds_is_the_nearest_in_bounds() {
    let data = [7; 300];
    for (len, nearest) in [(0, 44), (43, 44), (301, 300), (usize::MAX, 300)] {
        let digest = Hash::Sha1.context().finish_secret_len(&data, len);
        assert_eq!(digest, Hash::Sha1.digest(&data[..nearest]), "{len}");
    }
}

#[test]
fn clone_goes_its_own_way() {
    let mut context = HashContext::new(Hash::Sha256);
    context.update(b"a");
    let mut other = context.clone();
    other.update(b"z");
    assert_eq!(context.current(), Hash::Sha256.digest(b"a"));
    context.update(b"bc");
    assert_eq!(context.finish(), Hash::Sha256.digest(b"abc"));
    assert_eq!(other.finish(), Hash::Sha256.digest(b"az"));
}

#[test]
fn lengths_are_those_of_the_functions() {
    for hash in ALL {
        assert_eq!(hash.output_len(), hash.digest(&[]).as_ref().len(), "{hash:?}");
        assert_eq!(hash.digest(b"").as_ref().len(), hash.output_len(), "{hash:?}");
    }
}

#[test]
fn digests_of_different_length_or_content_are_not_equal() {
    let zeros = Digest::zeros(Hash::Sha1);
    let mut ones = Digest::zeros(Hash::Sha1);
    ones.as_mut().fill(1);
    assert_eq!(zeros, Digest::zeros(Hash::Sha1));
    assert_ne!(zeros, Digest::zeros(Hash::Sha256));
    assert_ne!(zeros, ones);
}

#[test]
fn zeroize_leaves_nothing() {
    let mut digest = Hash::Sha512.digest(b"secret");
    digest.zeroize();
    assert_eq!(digest.bytes, [0; Digest::MAX_LEN]);
    const { assert!(std::mem::needs_drop::<Digest>()) };
}

#[test]
fn debug_shows_no_bytes() {
    assert_eq!(format!("{:?}", Hash::Sha256.digest(b"secret")), "Digest(32 bytes)");
    assert_eq!(format!("{:?}", Hash::Sha256.context()), "HashContext { hash: Sha256, .. }");
}

/// The crates that are the oracle.
fn digest_of_the_crate(hash: Hash, data: &[u8]) -> Vec<u8> {
    use sha1::Digest as _;
    match hash {
        Hash::Md5 => ::md5::Md5::digest(data).to_vec(),
        Hash::Sha1 => sha1::Sha1::digest(data).to_vec(),
        Hash::Sha256 => sha2::Sha256::digest(data).to_vec(),
        Hash::Sha384 => sha2::Sha384::digest(data).to_vec(),
        Hash::Sha512 => sha2::Sha512::digest(data).to_vec(),
        Hash::Sha512Of256 => sha2::Sha512_256::digest(data).to_vec(),
    }
}

#[test]
fn digests_are_those_of_the_crates_at_every_length() {
    let data: Vec<u8> = (0..=250).cycle().take(1000).collect();
    for hash in ALL {
        for length in 0..data.len() {
            let expected = digest_of_the_crate(hash, &data[..length]);
            assert_eq!(hash.digest(&data[..length]).as_ref(), expected, "{hash:?}, {length} bytes");
        }
    }
}

proptest! {
    #[test]
    fn digests_are_those_of_the_crates_however_the_data_comes(
        parts in vec(vec(any::<u8>(), 0..300), 0..8)
    ) {
        for hash in ALL {
            let mut context = hash.context();
            parts.iter().for_each(|part| context.update(part));
            let finished = context.finish();
            let expected = digest_of_the_crate(hash, &parts.concat());
            prop_assert_eq!(finished.as_ref(), expected, "{:?}", hash);
        }
    }
}
