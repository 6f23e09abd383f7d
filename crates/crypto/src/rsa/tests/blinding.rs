//! What the private exponents work on, seen from inside: never a number that somebody outside knows.

use std::cell::RefCell;
use std::collections::HashSet;

use super::*;

thread_local! {
    /// The bases that this thread raised to a private exponent.
    static BASES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Tells these tests that `base` is about to be raised to a private exponent.
pub(in crate::rsa) fn note(base: &[u8]) {
    BASES.with_borrow_mut(|bases| bases.push(base.to_vec()));
}

/// What was raised since the last call.
fn raised() -> Vec<Vec<u8>> {
    BASES.take()
}

/// More often than one blinding is used.
const OFTEN: usize = 70;

/// That `known` is raised by `operation`, in disguise and in another one each time.
fn never_sees(known: &[u8], mut operation: impl FnMut()) {
    raised();
    let mut seen = HashSet::new();
    for time in 0..OFTEN {
        operation();
        let bases = raised();
        assert!(!bases.is_empty(), "an operation has a base");
        for base in bases {
            assert_ne!(base, known, "operation {time}");
            assert!(seen.insert(base), "operation {time} has a base of before");
        }
    }
    assert!(seen.len() >= OFTEN);
}

#[test]
fn decrypting_never_works_on_the_ciphertext_itself_nor_twice_on_the_same_number() {
    let (key, random) = (key_of("512"), Seeded::new(11));
    let ciphertext = key.public_key().encrypt_pkcs1(b"a secret", &random).unwrap();
    never_sees(&ciphertext, || {
        let mut out = [0; 8];
        assert!(key.decrypt_pkcs1(&ciphertext, &mut out, &random).unwrap().good.reveal());
        assert_eq!(&out, b"a secret");
    });
}

#[test]
fn signing_never_works_on_the_block_itself_nor_twice_on_the_same_number() {
    let (key, random) = (key_of("512"), Seeded::new(12));
    let signature = key.sign_pkcs1(MESSAGE, &random).unwrap();
    // What a signature is the private power of is what its public power is.
    let block = encrypted(&key, &signature);
    never_sees(&block, || assert_eq!(key.sign_pkcs1(MESSAGE, &random).unwrap(), signature));
}
