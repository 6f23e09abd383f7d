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
