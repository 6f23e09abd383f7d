use super::*;
use crate::asn1::{BIT_STRING, INTEGER, SEQUENCE, element, unsigned};
use crate::testing::{DSA, EC, RSA, Record};

#[test]
fn nothing_may_follow_inside_or_behind_a_key() {
    for file in [RSA, DSA, EC] {
        let spki = Record::all(file).pop().unwrap().bytes("spki");
        assert!(PublicKey::from_spki_der(&spki).is_ok());
        assert!(PublicKey::from_spki_der(&[spki.as_slice(), &[0]].concat()).is_err());
        for end in 0..spki.len() {
            assert!(PublicKey::from_spki_der(&spki[..end]).is_err(), "{end}");
        }
        let mut outer = Reader::new(&spki);
        let mut fields = outer.sequence().unwrap();
        let algorithm = fields.element(SEQUENCE).unwrap();
        let key = fields.element(BIT_STRING).unwrap();
        let with = |algorithm: &[&[u8]], key: &[u8], behind: &[u8]| {
            let (algorithm, key) = (element(SEQUENCE, algorithm), element(BIT_STRING, &[key]));
            PublicKey::from_spki_der(&element(SEQUENCE, &[&algorithm, &key, behind]))
        };
        assert!(with(&[algorithm], key, &[]).is_ok());
        let null = [NULL, 0];
        assert!(with(&[algorithm, &null], key, &[]).is_err(), "behind the parameters");
        assert!(with(&[algorithm], key, &null).is_err(), "behind the key");
        assert!(with(&[algorithm], &[key, &[0]].concat(), &[]).is_err(), "in the key");
        assert!(with(&[algorithm], &[&[1], &key[1..]].concat(), &[]).is_err(), "bits that do not count");
        assert!(with(&[], key, &[]).is_err());
    }
}

#[test]
fn an_rsa_key_in_another_form_than_der_is_refused() {
    let n = unsigned(&[0xFF; 64]);
    let e = unsigned(&[3]);
    let read = |parts: &[&[u8]]| rsa::PublicKey::from_pkcs1_der(&element(SEQUENCE, parts));
    assert!(read(&[&n, &e]).is_ok());
    let negative = element(INTEGER, &[&[0xFF; 64]]);
    let padded = element(INTEGER, &[&[0, 0], &[0xFF; 64]]);
    for wrong in [&[negative.as_slice(), &e][..], &[&padded, &e], &[&n], &[&n, &e, &e], &[&n, &[2, 0]]] {
        assert_eq!(read(wrong).unwrap_err(), KeyError::Encoding, "{wrong:02x?}");
    }
}

#[test]
fn keys_without_a_group_or_on_other_curves_are_told_apart() {
    let spki = |algorithm: &[&[u8]]| {
        let key = element(BIT_STRING, &[&[0, 2, 1, 5]]);
        PublicKey::from_spki_der(&element(SEQUENCE, &[&element(SEQUENCE, algorithm), &key])).unwrap_err()
    };
    let oid = |content: &[u8]| element(OBJECT_IDENTIFIER, &[content]);
    let dsa = oid(&[0x2A, 0x86, 0x48, 0xCE, 0x38, 4, 1]);
    let ec = oid(&[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]);
    assert_eq!(spki(&[&dsa]), KeyError::MissingParameters);
    assert_eq!(spki(&[&dsa, &[NULL, 0]]), KeyError::MissingParameters);
    assert_eq!(spki(&[&ec]), KeyError::UnsupportedCurve);
    // A curve of the key's own making (CVE-2020-0601), and secp256k1.
    assert_eq!(spki(&[&ec, &element(SEQUENCE, &[&[2, 1, 1]])]), KeyError::UnsupportedCurve);
    assert_eq!(spki(&[&ec, &oid(&[0x2B, 0x81, 4, 0, 10])]), KeyError::UnsupportedCurve);
    assert_eq!(spki(&[&oid(&[0x2A, 3])]), KeyError::UnsupportedAlgorithm);
    assert_eq!(spki(&[&[NULL, 0]]), KeyError::Encoding);
}
