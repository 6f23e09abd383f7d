use super::*;
use crate::testing::{Broken, Constant, Seeded};

const ALL: [NamedGroup; 3] = [NamedGroup::Secp256r1, NamedGroup::Secp384r1, NamedGroup::X25519];

#[test]
fn both_ends_agree() {
    let random = Seeded::new(1);
    for group in ALL {
        let ours = EphemeralKey::generate(group, &random).unwrap();
        let theirs = EphemeralKey::generate(group, &random).unwrap();
        let (public, peer) = (ours.public_value(), theirs.public_value());
        assert_eq!(public.len(), group.public_value_len());
        assert_eq!(ours.agree(&peer).unwrap().as_ref(), theirs.agree(&public).unwrap().as_ref(), "{group:?}");
    }
}

#[test]
fn code_points_are_those_of_tls_and_no_other() {
    for number in 0..=u16::MAX {
        let group = NamedGroup::from_code_point(number);
        assert_eq!(group.map(NamedGroup::code_point), group.map(|_| number));
        assert_eq!(group.is_some(), [23, 24, 29].contains(&number));
    }
}

#[test]
fn a_source_that_fails_or_yields_no_scalar_is_an_error() {
    for group in ALL {
        assert_eq!(EphemeralKey::generate(group, &Broken).unwrap_err(), AgreementError::Random);
    }
    for group in [NamedGroup::Secp256r1, NamedGroup::Secp384r1] {
        for byte in [0, 0xFF] {
            assert_eq!(EphemeralKey::generate(group, &Constant(byte)).unwrap_err(), AgreementError::Random);
        }
    }
}

/// Points of another curve, whose orders have small factors, give the key away piece by piece (Jager, Schwenk, Somorovsky
/// 2015).
#[test]
fn what_is_no_point_of_the_curve_is_refused() {
    let random = Seeded::new(2);
    let refuses = |group, peer: &[u8]| {
        let ours = EphemeralKey::generate(group, &random).unwrap();
        ours.agree(peer).err() == Some(AgreementError::PublicValue)
    };
    for group in [NamedGroup::Secp256r1, NamedGroup::Secp384r1] {
        let point = EphemeralKey::generate(group, &random).unwrap().public_value();
        assert!(!refuses(group, &point));
        for at in [0, 1, 30, point.len() - 1] {
            let mut other = point.clone();
            other[at] ^= 1;
            assert!(refuses(group, &other), "{group:?} {at}");
        }
        let half = point.len() / 2;
        let compressed = [&[2 | point[point.len() - 1] & 1], &point[1..=half]].concat();
        let zero = [&[4], vec![0; 2 * half].as_slice()].concat();
        let large = [&[4], vec![0xFF; 2 * half].as_slice()].concat();
        for wrong in [&[][..], &[0], &compressed, &zero, &large, &point[..point.len() - 1], &point[1..]] {
            assert!(refuses(group, wrong), "{group:?} {wrong:02x?}");
        }
        // Hybrid form, and infinity as long as a point.
        for first in [0, 2, 3, 5, 6, 7] {
            assert!(refuses(group, &[&[first], &point[1..]].concat()), "{group:?} {first}");
        }
    }
}

/// RFC 7748 section 6.1: points whose order divides 8, in their reduced and other forms.
#[test]
fn a_secret_of_zero_is_refused() {
    let order_8 = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    let other_8 = "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157";
    let p = |last: u8| [&[last], [0xFF; 30].as_slice(), &[0x7F]].concat();
    let points = [vec![0; 32], [&[1], [0; 31].as_slice()].concat(), p(0xEC), p(0xED), p(0xEE)];
    for point in points.into_iter().chain([order_8, other_8].map(crate::hex::hex)) {
        for high in [0, 0x80] {
            let mut point = point.clone();
            point[31] |= high;
            let ours = EphemeralKey::generate(NamedGroup::X25519, &Seeded::new(3)).unwrap();
            assert_eq!(ours.agree(&point).unwrap_err(), AgreementError::PublicValue, "{point:02x?}");
        }
    }
    for length in [0, 31, 33] {
        let ours = EphemeralKey::generate(NamedGroup::X25519, &Seeded::new(3)).unwrap();
        assert_eq!(ours.agree(&vec![9; length]).unwrap_err(), AgreementError::PublicValue);
    }
}
