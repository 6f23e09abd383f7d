use super::*;
use crate::testing::{Broken, Seeded};

#[test]
fn both_ends_agree_in_every_named_group() {
    let random = Seeded::new(1);
    for group in [&MODP_1024, &MODP_1536, &MODP_2048, &FFDHE2048, &FFDHE3072, &FFDHE4096] {
        let (ours, theirs) = (
            EphemeralKey::generate(group, &random).unwrap(),
            EphemeralKey::generate(group, &random).unwrap(),
        );
        assert_eq!(ours.public_value().len(), group.p().len());
        let secret = ours.agree(&theirs.public_value()).unwrap();
        assert_eq!(secret.as_ref(), theirs.agree(&ours.public_value()).unwrap().as_ref());
        assert_ne!(secret.as_ref().first(), Some(&0));
    }
    assert_eq!(EphemeralKey::generate(&FFDHE2048, &Broken).unwrap_err(), AgreementError::Random);
}

/// p - 1, p and p + 1 of a prime that ends in FF.
fn around(p: &[u8]) -> [Vec<u8>; 3] {
    let (minus_one, mut plus_one) = ([&p[..p.len() - 1], &[0xFE]].concat(), p.to_vec());
    for byte in plus_one.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    [minus_one, p.to_vec(), plus_one]
}

#[test]
fn public_values_that_make_the_secret_known_are_refused() {
    let random = Seeded::new(2);
    for group in [&MODP_1024, &FFDHE2048] {
        let ours = EphemeralKey::generate(group, &random).unwrap();
        let [minus_one, p, plus_one] = around(group.p());
        let longer = [&[1], group.p()].concat();
        for peer in [&[][..], &[0], &[1], &[0, 0, 1], &minus_one, &p, &plus_one, &longer] {
            assert_eq!(ours.agree(peer).unwrap_err(), AgreementError::PublicValue, "{peer:02x?}");
        }
        assert!(ours.agree(&[2]).is_ok() && ours.agree(&[&[0; 9], &[2][..]].concat()).is_ok());
    }
}

#[test]
fn groups_that_are_none_are_refused() {
    let p = MODP_1024.p();
    let [minus_one, same, plus_one] = around(p);
    for g in [&[][..], &[0], &[1], &minus_one, &same, &plus_one] {
        assert_eq!(Group::from_components(p, g).unwrap_err(), KeyError::Inconsistent, "{g:02x?}");
    }
    assert_eq!(Group::from_components(&minus_one, &[2]).unwrap_err(), KeyError::Inconsistent, "even");
    for (bits, length, first) in [(511, 64, 0x7F), (8193, 1025, 1)] {
        let p = [&[first], vec![0xFF; length - 1].as_slice()].concat();
        assert_eq!(Group::from_components(&p, &[2]).unwrap_err(), KeyError::Size { bits });
    }
}

/// A generator of a subgroup of two or three elements, in a group of a peer's making.
#[test]
fn a_secret_of_one_is_refused() {
    // 2^521 - 1 is a prime p, and 3 divides p - 1 = 2 (2^520 - 1): to the power of (p - 1) / 3 every number is 1, w or w^2.
    let p = [&[1], [0xFF; 65].as_slice()].concat();
    let modulus = Modulus::new(&p).unwrap();
    let mut third = vec![0x55; 66];
    (third[0], third[1]) = (0, 0xAA);
    third[2..].fill(0xAA);
    let of_order_three = modulus.pow_public(&modulus.read(&[3]).unwrap(), &third);
    assert!(
        modulus
            .mul(&of_order_three, &modulus.mul(&of_order_three, &of_order_three))
            .is(&modulus.one())
            .reveal()
    );
    let g = modulus.write(&of_order_three);
    let group = Group::from_components(&p, &g).unwrap();
    let mut refused = 0;
    for seed in 0..30 {
        let ours = EphemeralKey::generate(&group, &Seeded::new(seed)).unwrap();
        refused += usize::from(ours.agree(&g).is_err());
    }
    assert!((1..30).contains(&refused), "a third of the exponents make it 1: {refused}");
}
