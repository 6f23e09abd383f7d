//! Known answers of the block ciphers, and how the blocks are chained.

use ::aes::{Aes128, Aes256};
use ::des::{Des as CrateDes, TdesEde3};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::*;
use crate::hash::Hash;
use crate::hex::hex;

const ALL: [BlockCipher; 6] = [
    BlockCipher::Des,
    BlockCipher::TripleDes,
    BlockCipher::Rc2,
    BlockCipher::Aes128,
    BlockCipher::Aes256,
    BlockCipher::Idea,
];

struct Known {
    origin: &'static str,
    cipher: BlockCipher,
    key: &'static str,
    /// Zeros where it is empty: one block is then encrypted as it is.
    iv: &'static str,
    plaintext: &'static str,
    ciphertext: &'static str,
}

const NIST_PLAINTEXT: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51
                              30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

const KNOWN: [Known; 12] = [
    Known {
        origin: "a worked example of DES",
        cipher: BlockCipher::Des,
        key: "133457799bbcdff1",
        iv: "",
        plaintext: "0123456789abcdef",
        ciphertext: "85e813540f0ab405",
    },
    Known {
        origin: "NIST SP 800-17 table A.1",
        cipher: BlockCipher::Des,
        key: "0101010101010101",
        iv: "",
        plaintext: "8000000000000000",
        ciphertext: "95f8a5e5dd31d900",
    },
    Known {
        origin: "NIST SP 800-17 table A.2",
        cipher: BlockCipher::Des,
        key: "8001010101010101",
        iv: "",
        plaintext: "0000000000000000",
        ciphertext: "95a8d72813daa94d",
    },
    Known {
        origin: "FIPS 81 table B1",
        cipher: BlockCipher::Des,
        key: "0123456789abcdef",
        iv: "",
        plaintext: "4e6f772069732074",
        ciphertext: "3fa40e8a984d4815",
    },
    Known {
        origin: "a weak key",
        cipher: BlockCipher::Des,
        key: "fefefefefefefefe",
        iv: "",
        plaintext: "ffffffffffffffff",
        ciphertext: "7359b2163e4edc58",
    },
    Known {
        origin: "NIST SP 800-67 appendix B",
        cipher: BlockCipher::TripleDes,
        key: "0123456789abcdef23456789abcdef01456789abcdef0123",
        iv: "",
        plaintext: "5468652071756663",
        ciphertext: "a826fd8ce53b855f",
    },
    Known {
        origin: "computed with PyCryptodome",
        cipher: BlockCipher::TripleDes,
        key: "fd89869e67b31fbcadb0521685e66834bfcb54dab598f8fb",
        iv: "af58a393265a8504",
        plaintext: "4e6729a56e2bf6046cb3db8d938b48616377df8cff2ce4d8463a02458a23735f",
        ciphertext: "cb162d8f2399e552fcb67457259c26c0dfef7096043941c6af7554a504411e2b",
    },
    Known {
        origin: "RFC 2268 section 5",
        cipher: BlockCipher::Rc2,
        key: "88bca90e90875a7f0f79c384627bafb2",
        iv: "",
        plaintext: "0000000000000000",
        ciphertext: "2269552ab0f85ca6",
    },
    Known {
        origin: "computed with PyCryptodome",
        cipher: BlockCipher::Rc2,
        key: "ef15362cd3fd8799493a2fe8c42ec47c",
        iv: "afdc60fc74d6bb89",
        plaintext: "fb1a5d3715f2ef4f73671e74c1837b7a4336f617ab818fee",
        ciphertext: "4a1f5b0e58ce2c2be20aca7c0930a59b678a47cfb4f3fe98",
    },
    Known {
        origin: "NIST SP 800-38A section F.2.1",
        cipher: BlockCipher::Aes128,
        key: "2b7e151628aed2a6abf7158809cf4f3c",
        iv: "000102030405060708090a0b0c0d0e0f",
        plaintext: NIST_PLAINTEXT,
        ciphertext: "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2
                     73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
    },
    Known {
        origin: "NIST SP 800-38A section F.2.5",
        cipher: BlockCipher::Aes256,
        key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        iv: "000102030405060708090a0b0c0d0e0f",
        plaintext: NIST_PLAINTEXT,
        ciphertext: "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d
                     39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    },
    Known {
        origin: "X. Lai, On the Design and Security of Block Ciphers",
        cipher: BlockCipher::Idea,
        key: "00010002000300040005000600070008",
        iv: "",
        plaintext: "0000000100020003",
        ciphertext: "11fbed2b01986de5",
    },
];

fn key(cipher: BlockCipher) -> Vec<u8> {
    (0..cipher.key_len()).map(|index| u8::try_from(index * 37 % 251).unwrap() ^ 0xa5).collect()
}

fn iv(cipher: BlockCipher) -> Vec<u8> {
    (0..cipher.block_len()).map(|index| u8::try_from(index * 73 % 256).unwrap()).collect()
}

fn encryptor(cipher: BlockCipher) -> CbcEncryptor {
    CbcEncryptor::new(cipher, &key(cipher), &iv(cipher)).unwrap()
}

fn decryptor(cipher: BlockCipher) -> CbcDecryptor {
    CbcDecryptor::new(cipher, &key(cipher), &iv(cipher)).unwrap()
}

fn data(length: usize) -> Vec<u8> {
    (0..=255).cycle().take(length).map(|byte: u8| byte.wrapping_mul(29) ^ 0x33).collect()
}

#[test]
fn ciphertext_is_that_of_the_known_answers() {
    for Known { origin, cipher, key, iv, plaintext, ciphertext } in KNOWN {
        let (key, mut iv) = (hex(key), hex(iv));
        iv.resize(cipher.block_len(), 0);
        let (plaintext, ciphertext) = (hex(plaintext), hex(ciphertext));
        let mut record = plaintext.clone();
        CbcEncryptor::new(cipher, &key, &iv).unwrap().encrypt(&mut record).unwrap();
        assert_eq!(record, ciphertext, "{origin}");
        CbcDecryptor::new(cipher, &key, &iv).unwrap().decrypt(&mut record).unwrap();
        assert_eq!(record, plaintext, "{origin}");
    }
}

#[test]
fn blocks_are_chained_across_calls_wherever_the_data_is_split() {
    for cipher in ALL {
        let plaintext = data(cipher.block_len() * 21);
        let mut whole = plaintext.clone();
        encryptor(cipher).encrypt(&mut whole).unwrap();
        for split in (0..=plaintext.len()).step_by(cipher.block_len()) {
            let mut record = plaintext.clone();
            let mut encryptor = encryptor(cipher);
            encryptor.encrypt(&mut record[..split]).unwrap();
            encryptor.encrypt(&mut record[split..]).unwrap();
            assert_eq!(record, whole, "{cipher:?} at {split}");
            let mut decryptor = decryptor(cipher);
            decryptor.decrypt(&mut record[..split]).unwrap();
            decryptor.decrypt(&mut record[split..]).unwrap();
            assert_eq!(record, plaintext, "{cipher:?} at {split}");
        }
    }
}

#[test]
fn set_iv_begins_again() {
    for cipher in ALL {
        let plaintext = data(cipher.block_len() * 3);
        let (mut encryptor, mut decryptor) = (encryptor(cipher), decryptor(cipher));
        let mut records = [plaintext.clone(), plaintext.clone()];
        for record in &mut records {
            encryptor.set_iv(&iv(cipher)).unwrap();
            encryptor.encrypt(record).unwrap();
        }
        assert_eq!(records[0], records[1], "{cipher:?}");
        for record in &mut records {
            decryptor.set_iv(&iv(cipher)).unwrap();
            decryptor.decrypt(record).unwrap();
            assert_eq!(*record, plaintext, "{cipher:?}");
        }
    }
}

#[test]
fn hashing_on_the_way_is_hashing_the_plaintext() {
    let data = data(1000);
    for cipher in ALL {
        for hash in [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384] {
            for before in [0, 1, 13, 60, 63, 64, 77] {
                for length in (0..200).step_by(3).chain([191, 192, 193, 255, 256, 257, 319, 320, 321, 700]) {
                    let plaintext = &data[before..before + length];
                    let mut context = hash.context();
                    context.update(&data[..before]);
                    let mut record = plaintext.to_vec();
                    let mut stitched = encryptor(cipher);
                    let encrypted = stitched.encrypt_hashing(&mut context, &mut record);
                    assert_eq!(encrypted, length / cipher.block_len() * cipher.block_len());
                    let mut expected = plaintext.to_vec();
                    let mut separate = encryptor(cipher);
                    separate.encrypt(&mut expected[..encrypted]).unwrap();
                    let at = format!("{cipher:?} and {hash:?}, {length} bytes after {before}");
                    assert_eq!(record, expected, "{at}");
                    assert_eq!(context.finish(), hash.digest(&data[..before + length]), "{at}");
                    let (mut next, mut expected) = (data[..32].to_vec(), data[..32].to_vec());
                    stitched.encrypt(&mut next).unwrap();
                    separate.encrypt(&mut expected).unwrap();
                    assert_eq!(next, expected, "the record after {at}");
                }
            }
        }
    }
}

#[test]
fn only_whole_blocks_are_encrypted_and_decrypted() {
    for cipher in ALL {
        let block_len = cipher.block_len();
        for length in [1, block_len - 1, block_len + 1, 5 * block_len + 4] {
            let plaintext = data(length);
            let mut record = plaintext.clone();
            let error = Err(LengthError { length, block_len });
            assert_eq!(encryptor(cipher).encrypt(&mut record), error, "{cipher:?}");
            assert_eq!(decryptor(cipher).decrypt(&mut record), error, "{cipher:?}");
            assert_eq!(record, plaintext, "{cipher:?}");
        }
        assert_eq!(encryptor(cipher).encrypt(&mut []), Ok(()), "{cipher:?}");
        assert_eq!(encryptor(cipher).block_len(), block_len);
        assert_eq!(decryptor(cipher).block_len(), block_len);
    }
}

#[test]
fn keys_and_initialization_vectors_have_the_lengths_of_the_cipher() {
    for cipher in ALL {
        let (key, iv) = (key(cipher), iv(cipher));
        for length in [0, cipher.key_len() - 1, cipher.key_len() + 1] {
            let error = Some(KeyError::KeyLength { length, min: cipher.key_len(), max: cipher.key_len() });
            let key = &[&key[..], &[0]].concat()[..length];
            assert_eq!(CbcEncryptor::new(cipher, key, &iv).err(), error, "{cipher:?}");
            assert_eq!(CbcDecryptor::new(cipher, key, &iv).err(), error, "{cipher:?}");
        }
        for length in [0, cipher.block_len() - 1, cipher.block_len() + 1] {
            let error = KeyError::IvLength { length, expected: cipher.block_len() };
            let iv = &[&iv[..], &[0]].concat()[..length];
            assert_eq!(CbcEncryptor::new(cipher, &key, iv).err(), Some(error), "{cipher:?}");
            assert_eq!(CbcDecryptor::new(cipher, &key, iv).err(), Some(error), "{cipher:?}");
            assert_eq!(encryptor(cipher).set_iv(iv), Err(error), "{cipher:?}");
        }
    }
}

#[test]
fn debug_shows_the_cipher_and_no_key() {
    assert_eq!(format!("{:?}", encryptor(BlockCipher::Des)), "CbcEncryptor { cipher: Des, .. }");
    assert_eq!(format!("{:?}", decryptor(BlockCipher::Aes256)), "CbcDecryptor { cipher: Aes256, .. }");
}

/// Encrypted with the crate that is the oracle.
fn encrypted_by_the_crate<C: BlockCipherEncrypt + KeyInit>(key: &[u8], iv: &[u8], data: &[u8]) -> Vec<u8> {
    let (mut chained, mut data) = ([0; MAX_BLOCK_LEN], data.to_vec());
    chained[..iv.len()].copy_from_slice(iv);
    encrypt(&C::new_from_slice(key).unwrap(), &mut chained, &mut data);
    data
}

proptest! {
    #[test]
    fn ciphertext_is_that_of_the_crates(
        key in any::<[u8; 32]>(),
        iv in any::<[u8; 16]>(),
        blocks in vec(any::<[u8; 16]>(), 0..40),
    ) {
        let plaintext = blocks.as_flattened();
        for cipher in ALL {
            let (key, iv) = (&key[..cipher.key_len()], &iv[..cipher.block_len()]);
            let expected = match cipher {
                BlockCipher::Des => encrypted_by_the_crate::<CrateDes>(key, iv, plaintext),
                BlockCipher::TripleDes => encrypted_by_the_crate::<TdesEde3>(key, iv, plaintext),
                BlockCipher::Aes128 => encrypted_by_the_crate::<Aes128>(key, iv, plaintext),
                BlockCipher::Aes256 => encrypted_by_the_crate::<Aes256>(key, iv, plaintext),
                // These are the crates'.
                BlockCipher::Rc2 | BlockCipher::Idea => continue,
            };
            let mut record = plaintext.to_vec();
            CbcEncryptor::new(cipher, key, iv).unwrap().encrypt(&mut record).unwrap();
            prop_assert_eq!(&record, &expected, "{:?}", cipher);
            CbcDecryptor::new(cipher, key, iv).unwrap().decrypt(&mut record).unwrap();
            prop_assert_eq!(&record, plaintext, "{:?}", cipher);
        }
    }
}
