//! That the instructions of the processor do what the crate does.

use super::*;
use crate::hash::Hash;

fn data(length: usize) -> Vec<u8> {
    (0..=255).cycle().take(length).map(|byte: u8| byte.wrapping_mul(31) ^ 0x5c).collect()
}

/// A key to encrypt with and one to decrypt with, as they are chosen here and as they are elsewhere.
fn keys(length: usize) -> [[Aes; 2]; 2] {
    let key = data(length);
    let chosen = [Aes::encrypting(&key), Aes::decrypting(&key)];
    let elsewhere = [Aes::of_the_crate(&key), Aes::of_the_crate(&key)];
    [chosen.map(Option::unwrap), elsewhere.map(Option::unwrap)]
}

#[test]
fn every_number_of_blocks_is_encrypted_and_decrypted_as_by_the_crate() {
    for key_len in [16, 32] {
        for blocks in 0..40 {
            let plaintext = data(16 * blocks);
            let results = keys(key_len).map(|[encrypting, decrypting]| {
                let (mut record, mut sent, mut received) = (plaintext.clone(), [7; 16], [7; 16]);
                encrypting.encrypt(&mut sent, &mut record);
                let ciphertext = record.clone();
                decrypting.decrypt(&mut received, &mut record);
                assert_eq!(record, plaintext, "{key_len}, {blocks} blocks");
                (ciphertext, sent, received)
            });
            assert_eq!(results[0], results[1], "{key_len}, {blocks} blocks");
        }
    }
}

#[test]
fn hashing_on_the_way_changes_neither_the_ciphertext_nor_the_hash() {
    let plaintext = data(1024);
    for key_len in [16, 32] {
        for hash in [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384] {
            for before in (0..64).chain([77, 127, 128]) {
                for length in [0, 16, 32, 48, 64, 80, 112, 128, 144, 256, 512, 528] {
                    let results = keys(key_len).map(|[key, _]| {
                        let mut context = hash.context();
                        context.update(&plaintext[..before]);
                        let (mut record, mut chained) =
                            (plaintext[before..before + length].to_vec(), [9; 16]);
                        key.encrypt_hashing(&mut chained, &mut context, &mut record);
                        let digest = context.finish();
                        assert_eq!(digest, hash.digest(&plaintext[..before + length]), "{hash:?}, {before}");
                        (record, chained)
                    });
                    assert_eq!(results[0], results[1], "{key_len}, {hash:?}, {length} bytes after {before}");
                }
            }
        }
    }
}

#[test]
fn keys_of_other_lengths_are_refused() {
    for length in [0, 15, 17, 24, 31, 33] {
        assert!(Aes::encrypting(&data(length)).is_none(), "{length}");
        assert!(Aes::decrypting(&data(length)).is_none(), "{length}");
    }
}
