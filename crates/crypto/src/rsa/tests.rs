//! Keys, signatures and ciphertexts of OpenSSL, and those that nobody makes by accident.

use super::*;
use crate::hash::Hash;
use crate::signature::{SigningError, VerificationError};
use crate::testing::{HASHES, MESSAGE, RSA, Record, Seeded};

fn keys() -> Vec<(Record, PrivateKey)> {
    let records = Record::all(RSA);
    assert_eq!(records.len(), 8);
    records
        .into_iter()
        .map(|record| {
            let key = PrivateKey::from_pkcs1_der(&record.bytes("pkcs1")).unwrap();
            (record, key)
        })
        .collect()
}

fn key_of(bits: &str) -> PrivateKey {
    keys().into_iter().find(|(record, _)| record.text("bits") == bits).unwrap().1
}

#[test]
fn keys_of_openssl_are_read_with_their_size() {
    for (record, key) in keys() {
        let bits: u32 = record.text("bits").parse().unwrap();
        assert_eq!(key.bits(), bits);
        assert_eq!(key.modulus_len(), usize::try_from(bits.div_ceil(8)).unwrap());
        assert_eq!(key.public_key().e(), [1, 0, 1]);
        assert_eq!(format!("{key:?}"), format!("PrivateKey {{ bits: {bits}, .. }}"));
    }
}

#[test]
fn signatures_are_those_of_openssl() {
    let random = Seeded::new(1);
    for (record, key) in keys() {
        for (name, hash) in HASHES {
            let Some(expected) = record.find(name) else { continue };
            let encoded = digest_info(hash, hash.digest(MESSAGE).as_ref());
            assert_eq!(key.sign_pkcs1(&encoded, &random), Ok(expected.clone()), "{} {name}", key.bits());
            assert_eq!(key.public_key().verify_pkcs1(&encoded, &expected), Ok(()));
        }
        let both = [Hash::Md5.digest(MESSAGE).as_ref(), Hash::Sha1.digest(MESSAGE).as_ref()].concat();
        assert_eq!(key.sign_pkcs1(&both, &random).unwrap(), record.bytes("tls"));
    }
}

#[test]
fn pss_signatures_of_openssl_and_ours_are_accepted() {
    let random = Seeded::new(2);
    for (record, key) in keys() {
        for (name, hash) in HASHES.into_iter().filter(|(_, hash)| *hash != Hash::Md5) {
            let digest = hash.digest(MESSAGE);
            let public = key.public_key();
            let ours = key.sign_pss(hash, digest.as_ref(), &random);
            let Some(theirs) = record.find(&format!("pss-{name}")) else {
                assert_eq!(ours, Err(SigningError::KeyDoesNotFit));
                let verdict = public.verify_pss(hash, digest.as_ref(), &vec![1; key.modulus_len()]);
                assert_eq!(verdict, Err(VerificationError::KeyDoesNotFit));
                continue;
            };
            for signature in [ours.unwrap(), theirs] {
                assert_eq!(
                    public.verify_pss(hash, digest.as_ref(), &signature),
                    Ok(()),
                    "{} {name}",
                    key.bits()
                );
                let other = hash.digest(b"another message");
                let verdict = public.verify_pss(hash, other.as_ref(), &signature);
                assert_eq!(verdict, Err(VerificationError::BadSignature));
            }
        }
    }
}

#[test]
fn message_encrypted_by_openssl_is_decrypted() {
    for (record, key) in keys() {
        let mut out = [0xEE; 48];
        let decrypted = key.decrypt_pkcs1(&record.bytes("ciphertext"), &mut out, &Seeded::new(3)).unwrap();
        assert!(decrypted.good.reveal() && !decrypted.last8_are_3.reveal());
        assert!(out.iter().copied().eq(0..48));
    }
}

#[test]
fn what_is_encrypted_comes_back_at_every_length() {
    let key = key_of("512");
    let random = Seeded::new(4);
    for length in 0..=53 {
        let message = random.bytes(length);
        let ciphertext = key.public_key().encrypt_pkcs1(&message, &random).unwrap();
        let mut out = vec![0; length];
        assert!(key.decrypt_pkcs1(&ciphertext, &mut out, &random).unwrap().good.reveal());
        assert_eq!(out, message);
    }
    assert_eq!(key.public_key().encrypt_pkcs1(&[1; 54], &random), Err(Error::TooLong));
    assert_eq!(key.decrypt_pkcs1(&[0; 64], &mut [0; 54], &random).unwrap_err(), Error::TooLong);
}
