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

#[test]
fn r_and_s_are_between_zero_and_the_order_and_in_the_only_der_that_they_have() {
    for (record, key) in keys() {
        let digest = crate::hash::Hash::Sha256.digest(MESSAGE);
        let signature = record.bytes("sha256");
        let public = key.public_key();
        let accepts = |signature: &[u8]| public.verify(digest.as_ref(), signature).is_ok();
        assert!(accepts(&signature));
        let mut inside = Reader::new(&signature).sequence().unwrap();
        let (r, s) = (inside.unsigned().unwrap(), inside.unsigned().unwrap());
        let der =
            |r: &[u8], s: &[u8]| asn1::element(asn1::SEQUENCE, &[&asn1::unsigned(r), &asn1::unsigned(s)]);
        assert!(accepts(&der(r, s)));
        let (largest, longer) = (vec![0xFF; public.curve().len()], vec![1; public.curve().len() + 1]);
        for wrong in [&[][..], &largest, &longer, &[1; 300]] {
            assert!(!accepts(&der(wrong, s)) && !accepts(&der(r, wrong)), "{wrong:02x?}");
        }
        let (r, s) = (asn1::unsigned(r), asn1::unsigned(s));
        let long_r = [&[2, r[1] + 1, 0], &r[2..]].concat();
        for parts in [&[long_r.as_slice(), &s][..], &[&r, &s, &r], &[&r], &[&s, &r], &[]] {
            assert!(!accepts(&asn1::element(asn1::SEQUENCE, parts)), "{parts:02x?}");
        }
        assert!(!accepts(&[signature.as_slice(), &[0]].concat()));
        for end in 0..signature.len() {
            assert!(!accepts(&signature[..end]));
        }
    }
}

#[test]
fn what_is_no_key_is_refused() {
    for (_, key) in keys() {
        let curve = key.public_key().curve();
        let point = key.public_key().point();
        assert!(PublicKey::from_point(curve, &point).is_ok());
        let mut other = point.clone();
        *other.last_mut().unwrap() ^= 1;
        let zero = [&[4], vec![0; 2 * curve.len()].as_slice()].concat();
        for wrong in [&[][..], &[0], &other, &zero, &point[1..], &point[..point.len() - 1]] {
            assert_eq!(PublicKey::from_point(curve, wrong).unwrap_err(), KeyError::Inconsistent);
        }
        for wrong in [vec![], vec![0; curve.len()], vec![0xFF; curve.len()], vec![1; curve.len() + 1]] {
            assert!(PrivateKey::from_scalar(curve, &wrong).is_err(), "{wrong:02x?}");
        }
    }
}
