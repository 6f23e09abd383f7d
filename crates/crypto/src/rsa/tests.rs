//! Keys, signatures and ciphertexts of OpenSSL, and those that nobody makes by accident.

pub(super) mod blinding;

use super::*;
use crate::hash::Hash;
use crate::public_key::KeyError;
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

/// What a block is encrypted to, whatever it is.
fn encrypted(key: &PrivateKey, block: &[u8]) -> Vec<u8> {
    let modulus = key.public_key().modulus();
    modulus.write(&key.public_key().raw(&modulus.read(block).unwrap())).to_vec()
}

#[test]
fn padding_that_is_wrong_anywhere_leaves_the_output_as_it_was() {
    let key = key_of("512");
    let mut right = [0xA5; 64];
    (right[0], right[1], right[15]) = (0, 2, 0);
    right[16..].copy_from_slice(&[7; 48]);
    let decrypt = |block: &[u8; 64]| {
        let mut out = [0xEE; 48];
        let decrypted = key.decrypt_pkcs1(&encrypted(&key, block), &mut out, &Seeded::new(6)).unwrap();
        (decrypted.good.reveal(), out)
    };
    assert_eq!(decrypt(&right), (true, [7; 48]));
    let with = |changes: &[(usize, u8)]| {
        let mut block = right;
        changes.iter().for_each(|(at, byte)| block[*at] = *byte);
        block
    };
    let zero_in_padding = (2..15).map(|at| with(&[(at, 0)]));
    let another_type = (0..=255).filter(|byte| *byte != 2).map(|byte| with(&[(1, byte)]));
    let others = [
        with(&[(0, 1)]),
        with(&[(15, 1)]),
        with(&[(15, 1), (14, 0)]),
        with(&[(15, 1), (16, 0)]),
        with(&[(15, 0xFF)]),
        [0; 64],
    ];
    for wrong in zero_in_padding.chain(another_type).chain(others) {
        assert_eq!(decrypt(&wrong), (false, [0xEE; 48]), "{wrong:02x?}");
    }
    // An SSL 2.0 client that knows better says so in the padding, whether the rest is right or not.
    for (first, is_good) in [(0, true), (1, false)] {
        let mut block = with(&[(0, first)]);
        block[7..15].fill(3);
        let mut out = [0; 48];
        let decrypted = key.decrypt_pkcs1(&encrypted(&key, &block), &mut out, &Seeded::new(7)).unwrap();
        assert_eq!((decrypted.good.reveal(), decrypted.last8_are_3.reveal()), (is_good, true));
    }
}

#[test]
fn only_what_is_no_ciphertext_of_the_key_is_an_error() {
    let key = key_of("512");
    let random = Seeded::new(8);
    for no_ciphertext in [&[0; 63][..], &[0; 65], &[], &[0xFF; 64], key.public_key().n()] {
        let verdict = key.decrypt_pkcs1(no_ciphertext, &mut [0; 48], &random);
        assert_eq!(verdict.unwrap_err(), Error::Ciphertext);
    }
    let mut largest = key.public_key().n().to_vec();
    *largest.last_mut().unwrap() -= 1;
    for ciphertext in [[0; 64].as_slice(), &[&[0; 63][..], &[1]].concat(), &largest] {
        let decrypted = key.decrypt_pkcs1(ciphertext, &mut [0; 48], &random).unwrap();
        assert!(!decrypted.good.reveal());
    }
}

/// Bleichenbacher 2006 and BERserk 2014: a verifier that parses what a signature holds finds a place to hide bytes in.
#[test]
fn a_signature_holds_exactly_one_digest_info_and_nothing_behind_or_in_it() {
    let key = key_of("1024");
    let random = Seeded::new(9);
    let digest = Hash::Sha1.digest(MESSAGE);
    let right = digest_info(Hash::Sha1, digest.as_ref());
    // SEQUENCE 9 { OID, NULL } becomes SEQUENCE 7 { OID }, or has a NULL with content.
    let without_null = [&[0x30, 31, 0x30, 7], &right[4..11], &right[13..]].concat();
    let full_null = [&[0x30, 34, 0x30, 10], &right[4..12], &[1, 7], &right[13..]].concat();
    let long_length = [&[0x30, 0x81, 33], &right[2..]].concat();
    let trailing = [&right, &[0; 20][..]].concat();
    let cut = right[..right.len() - 1].to_vec();
    assert!(key.public_key().verify_pkcs1(&right, &key.sign_pkcs1(&right, &random).unwrap()).is_ok());
    for wrong in [without_null, full_null, long_length, trailing, cut, digest.as_ref().to_vec()] {
        let signature = key.sign_pkcs1(&wrong, &random).unwrap();
        let verdict = key.public_key().verify_pkcs1(&right, &signature);
        assert_eq!(verdict, Err(VerificationError::BadSignature), "{wrong:02x?}");
    }
    let signature = key.sign_pkcs1(&right, &random).unwrap();
    for length in [0, 127] {
        assert!(key.public_key().verify_pkcs1(&right, &signature[..length]).is_err());
    }
    assert!(key.public_key().verify_pkcs1(&right, &[&[0], signature.as_slice()].concat()).is_err());
}

#[test]
fn keys_that_no_one_makes_are_refused() {
    let n = key_of("1024").public_key().n().to_vec();
    for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0, 0, 1]] {
        assert_eq!(PublicKey::from_components(&n, e).unwrap_err(), KeyError::Inconsistent, "{e:?}");
    }
    assert_eq!(PublicKey::from_components(&n, &[1, 0, 0, 0, 1]).unwrap_err(), KeyError::Size { bits: 33 });
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xFE;
    assert_eq!(PublicKey::from_components(&even, &[3]).unwrap_err(), KeyError::Inconsistent);
    for (bits, bytes, first) in [(511, 64, 0x7F), (8193, 1025, 1)] {
        let n = [&[first], vec![0xFF; bytes - 1].as_slice()].concat();
        assert_eq!(PublicKey::from_components(&n, &[3]).unwrap_err(), KeyError::Size { bits });
    }
    assert!(PublicKey::from_components(&[0xFF; 1024], &[3]).is_ok());
}

/// The numbers of a key whose primes are none: they belong together, and every result is wrong.
fn without_primes() -> PrivateKey {
    use crypto_bigint::{BoxedUint, ConcatenatingMul};
    let random = Seeded::new(10);
    let number = BoxedUint::from_be_slice_vartime;
    let odd = || {
        let mut bytes = random.bytes(32);
        bytes[0] |= 0xC0;
        bytes[31] |= 1;
        bytes
    };
    let e = number(&[&[0; 29], &[1, 0, 1][..]].concat());
    let exponent = |p: &[u8]| {
        let order = number(p).wrapping_sub(BoxedUint::one());
        e.invert_mod(order.as_nz_vartime().unwrap()).into_option().map(|d| d.to_be_bytes())
    };
    loop {
        let (p, q) = (odd(), odd());
        let inverse = number(&q).invert_mod(number(&p).as_nz_vartime().unwrap()).into_option();
        let (Some(dp), Some(dq), Some(inverse)) = (exponent(&p), exponent(&q), inverse) else { continue };
        let n = number(&p).concatenating_mul(&number(&q)).to_be_bytes();
        let public = PublicKey::from_components(&n, &[1, 0, 1]).unwrap();
        return PrivateKey::from_parts(public, &p, &q, [&dp, &dq, &inverse.to_be_bytes()]).unwrap();
    }
}

/// Boneh, DeMillo and Lipton 1997; Lenstra 1996.
#[test]
fn a_result_that_is_wrong_is_not_released() {
    let key = without_primes();
    for seed in 0..20 {
        let random = Seeded::new(seed);
        assert_eq!(key.sign_pkcs1(b"anything", &random), Err(SigningError::Fault));
        let ciphertext = [&[0], random.bytes(63).as_slice()].concat();
        let mut out = [0xEE; 48];
        assert_eq!(key.decrypt_pkcs1(&ciphertext, &mut out, &random).unwrap_err(), Error::Fault);
        assert_eq!(out, [0xEE; 48]);
    }
}

#[test]
fn parts_of_a_key_that_do_not_belong_together_are_refused() {
    let record = Record::all(RSA).remove(0);
    let der = record.bytes("pkcs1");
    assert!(PrivateKey::from_pkcs1_der(&der).is_ok());
    // In every number but d, which is not used, a change shows.
    let mut refused = 0;
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 2;
        refused += usize::from(PrivateKey::from_pkcs1_der(&changed).is_err());
    }
    let d = key_of(record.text("bits")).modulus_len() + 1;
    assert!(refused >= der.len() - d, "{refused} of {}", der.len());
}
