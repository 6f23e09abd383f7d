use super::*;
use crate::testing::{Broken, DSA, HASHES, MESSAGE, Record, Seeded};

fn keys() -> Vec<(Record, PrivateKey)> {
    let records = Record::all(DSA);
    assert_eq!(records.len(), 5);
    records
        .into_iter()
        .map(|record| {
            let key = PrivateKey::from_openssl_der(&record.bytes("openssl")).unwrap();
            (record, key)
        })
        .collect()
}

#[test]
fn signatures_of_openssl_and_ours_are_accepted() {
    let random = Seeded::new(1);
    for (record, key) in keys() {
        for (name, hash) in HASHES {
            let digest = hash.digest(MESSAGE);
            let ours = key.sign(digest.as_ref(), &random).unwrap();
            for signature in record.find(name).into_iter().chain([ours]) {
                assert_eq!(key.public_key().verify(digest.as_ref(), &signature), Ok(()), "{name}");
                let other = hash.digest(b"another message");
                let verdict = key.public_key().verify(other.as_ref(), &signature);
                assert_eq!(verdict, Err(VerificationError::BadSignature));
            }
        }
    }
}

#[test]
fn nothing_is_signed_without_randomness() {
    let (_, key) = keys().remove(0);
    assert_eq!(key.sign(&[1; 20], &Broken), Err(SigningError::Random));
}

/// q and one more; one less for the number after it.
fn next_to(number: &[u8], change: i8) -> Vec<u8> {
    let mut bytes = number.to_vec();
    for byte in bytes.iter_mut().rev() {
        let (changed, goes_on) = byte.overflowing_add_signed(change);
        *byte = changed;
        if !goes_on {
            break;
        }
    }
    bytes
}

#[test]
fn r_and_s_are_between_zero_and_q_and_in_the_only_der_that_they_have() {
    let (record, key) = keys().remove(1);
    let digest = crate::hash::Hash::Sha256.digest(MESSAGE);
    let signature = record.bytes("sha256");
    let public = key.public_key();
    let accepts = |signature: &[u8]| public.verify(digest.as_ref(), signature).is_ok();
    assert!(accepts(&signature));
    let mut inside = Reader::new(&signature).sequence().unwrap();
    let (r, s) = (inside.unsigned().unwrap(), inside.unsigned().unwrap());
    let [_, q, _, _] = public.components();
    let der = |r: &[u8], s: &[u8]| asn1::element(asn1::SEQUENCE, &[&asn1::unsigned(r), &asn1::unsigned(s)]);
    assert!(accepts(&der(r, s)));
    for wrong in [&[][..], q, &next_to(q, 1), &[0xFF; 20], &[0xFF; 200]] {
        assert!(!accepts(&der(wrong, s)) && !accepts(&der(r, wrong)), "{wrong:02x?}");
    }
    // r + q is the same modulo q, and no signature.
    let sum = Number::from_bytes(&[&[0; 32], r].concat()).plus(&Number::from_bytes(q));
    assert!(!accepts(&der(&sum.to_bytes(21), s)));
    let (r, s) = (asn1::unsigned(r), asn1::unsigned(s));
    let (long_r, more) = ([&[2, r[1] + 1, 0], &r[2..]].concat(), [2, 1, 1]);
    for parts in [&[long_r.as_slice(), &s][..], &[&r, &s, &more], &[&r], &[&s, &r], &[]] {
        assert!(!accepts(&asn1::element(asn1::SEQUENCE, parts)), "{parts:02x?}");
    }
    assert!(!accepts(&[signature.as_slice(), &[0]].concat()));
    assert!(!accepts(&[&[0x30, 0x81, signature[1]], &signature[2..]].concat()));
    for end in 0..signature.len() {
        assert!(!accepts(&signature[..end]));
    }
}

#[test]
fn r_and_s_side_by_side_are_each_as_long_as_q() {
    let digest = crate::hash::Hash::Sha1.digest(MESSAGE);
    for (record, key) in keys() {
        let public = key.public_key();
        let accepts = |signature: &[u8]| public.verify_raw(digest.as_ref(), signature).is_ok();
        let Some(signature) = record.find("sha1") else { continue };
        let mut inside = Reader::new(&signature).sequence().unwrap();
        let (r, s) = (inside.unsigned().unwrap(), inside.unsigned().unwrap());
        let [_, q, _, _] = public.components();
        let padded = |number: &[u8]| [vec![0; q.len() - number.len()], number.to_vec()].concat();
        let (r, s) = (padded(r), padded(s));
        let raw = [r.as_slice(), &s].concat();
        assert!(accepts(&raw));
        assert!(!accepts(&signature), "DER is another form");
        let other = crate::hash::Hash::Sha1.digest(b"another message");
        assert_eq!(public.verify_raw(other.as_ref(), &raw), Err(VerificationError::BadSignature));
        let zero = vec![0; q.len()];
        for (r, s) in [(&s, &r), (&r, &r), (&zero, &s), (&r, &zero), (&q.to_vec(), &s), (&r, &q.to_vec())] {
            assert!(!accepts(&[r.as_slice(), s].concat()), "{r:02x?} {s:02x?}");
        }
        // Nor with a zero in front, where there is one, or without it.
        assert!(!accepts(&[&[0, 0], raw.as_slice()].concat()) && !accepts(&[raw.as_slice(), &[0]].concat()));
        for end in 0..raw.len() {
            assert!(!accepts(&raw[..end]));
        }
    }
}

#[test]
fn groups_and_keys_with_which_anybody_could_sign_are_refused() {
    let (_, key) = keys().remove(1);
    let [p, q, g, y] = key.public_key().components().map(<[u8]>::to_vec);
    let refused = |p: &[u8], q: &[u8], g: &[u8], y: &[u8]| {
        PublicKey::from_components(p, q, g, y).err() == Some(KeyError::Inconsistent)
    };
    assert!(PublicKey::from_components(&p, &q, &g, &y).is_ok());
    // Zero, one, minus one, and what is not below p.
    let minus_one = next_to(&p, -1);
    for wrong in [&[][..], &[0], &[1], &[0, 1], &minus_one, &p, &next_to(&p, 1), &[0xFF; 400]] {
        assert!(refused(&p, &q, wrong, &y) && refused(&p, &q, &g, wrong), "{wrong:02x?}");
    }
    // q does not divide p - 1, or one of them is even.
    assert!(refused(&p, &next_to(&next_to(&q, 1), 1), &g, &y));
    assert!(refused(&next_to(&next_to(&p, 1), 1), &q, &g, &y));
    assert!(refused(&minus_one, &q, &g, &y) && refused(&p, &next_to(&q, 1), &g, &y));
}

#[test]
fn sizes_are_those_of_the_standard_so_that_a_peer_cannot_make_us_work_for_long() {
    let (_, key) = keys().remove(0);
    let [p, q, g, y] = key.public_key().components();
    for (bits, length, first) in [(511, 64, 0x7F), (3073, 385, 1), (8192, 1024, 0xFF)] {
        let p = [&[first], vec![0xFF; length - 1].as_slice()].concat();
        assert_eq!(PublicKey::from_components(&p, q, g, y).unwrap_err(), KeyError::Size { bits });
    }
    for (bits, length, first) in [(159, 20, 0x7F), (257, 33, 1)] {
        let q = [&[first], vec![0xFF; length - 1].as_slice()].concat();
        assert_eq!(PublicKey::from_components(p, &q, g, y).unwrap_err(), KeyError::Size { bits });
    }
}
