use super::*;
use crate::testing::{Broken, EC, HASHES, MESSAGE, Record, Seeded};

fn keys() -> Vec<(Record, PrivateKey)> {
    let records = Record::all(EC);
    assert_eq!(records.len(), 3);
    records
        .into_iter()
        .map(|record| {
            let key = PrivateKey::from_sec1_der(&record.bytes("sec1"), None).unwrap();
            (record, key)
        })
        .collect()
}

#[test]
fn signatures_of_openssl_and_ours_are_accepted_with_every_hash_on_every_curve() {
    let random = Seeded::new(1);
    for (record, key) in keys() {
        for (name, hash) in HASHES {
            let digest = hash.digest(MESSAGE);
            let ours = key.sign(digest.as_ref(), &random).unwrap();
            for signature in record.find(name).into_iter().chain([ours]) {
                assert_eq!(key.public_key().verify(digest.as_ref(), &signature), Ok(()), "{name} {key:?}");
                let other = hash.digest(b"another message");
                let verdict = key.public_key().verify(other.as_ref(), &signature);
                assert_eq!(verdict, Err(VerificationError::BadSignature));
            }
        }
    }
}

#[test]
fn nothing_is_signed_without_randomness() {
    for (_, key) in keys() {
        assert_eq!(key.sign(&[1; 20], &Broken), Err(SigningError::Random));
    }
}
