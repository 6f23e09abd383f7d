//! That the functions compute what they say; that they take the same time is for a timing test.

use super::*;

#[test]
fn equal_is_every_byte_and_the_length() {
    let bytes: Vec<u8> = (0..40).collect();
    assert!(ct_eq(&bytes, &bytes.clone()));
    assert!(ct_eq(&[], &[]));
    assert!(ct_eq_mask(&bytes, &bytes.clone()).reveal());
    assert!(ct_eq_mask(&[], &[]).reveal());
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[index] ^= 1 << bit;
            assert!(!ct_eq(&bytes, &changed), "bit {bit} of byte {index}");
            assert!(!ct_eq_mask(&bytes, &changed).reveal(), "bit {bit} of byte {index}");
        }
        for (a, b) in [(&bytes[..], &bytes[..index]), (&bytes[..index], &bytes[..])] {
            assert!(!ct_eq(a, b), "length {index}");
            assert!(!ct_eq_mask(a, b).reveal(), "length {index}");
        }
    }
}

#[test]
fn comparisons_of_numbers_are_those_of_the_language() {
    const HIGH: usize = 1 << (usize::BITS - 1);
    let numbers = [0, 1, 2, 255, 256, HIGH - 1, HIGH, HIGH + 1, usize::MAX - 1, usize::MAX];
    for a in numbers {
        for b in numbers {
            assert_eq!(ct_eq_usize(a, b).reveal(), a == b, "{a} == {b}");
            assert_eq!(ct_lt(a, b).reveal(), a < b, "{a} < {b}");
            assert_eq!(ct_select(Mask::TRUE, a, b), a);
            assert_eq!(ct_select(Mask::FALSE, a, b), b);
        }
    }
}

#[test]
fn masks_combine_as_truths_do() {
    for a in [false, true] {
        assert_eq!((!Mask::from(a)).reveal(), !a);
        assert_eq!(Mask::from(a).to_usize(), if a { usize::MAX } else { 0 });
        assert_eq!(Mask::from(a).to_u8(), if a { 0xff } else { 0 });
        assert_eq!(ct_select_u8(Mask::from(a), 1, 2), if a { 1 } else { 2 });
        for b in [false, true] {
            let (x, y) = (Mask::from(a), Mask::from(b));
            assert_eq!((x & y).reveal(), a & b);
            assert_eq!((x | y).reveal(), a | b);
            assert_eq!((x ^ y).reveal(), a ^ b);
            let (mut and, mut or) = (x, x);
            and &= y;
            or |= y;
            assert_eq!((and.reveal(), or.reveal()), (a & b, a | b));
        }
    }
}

#[test]
fn copy_takes_place_only_if_the_mask_says_so() {
    let (from, mut to) = ([1, 2, 3], [7, 8, 9]);
    ct_copy_if(Mask::FALSE, &mut to, &from);
    assert_eq!(to, [7, 8, 9]);
    ct_copy_if(Mask::TRUE, &mut to, &from);
    assert_eq!(to, from);
}

#[test]
fn copy_from_a_secret_offset_finds_every_place() {
    let source: Vec<u8> = (0..=255).chain(0..48).map(|byte: u8| byte.wrapping_mul(167) ^ 0x5a).collect();
    for length in [0, 1, 2, 3, 16, 20, 32, 48] {
        for total in [length, length + 1, length + 15, length + 255] {
            for offset in 0..=total - length {
                let mut out = vec![0xee; length];
                ct_copy_from_secret_offset(&source[..total.min(source.len())], offset, &mut out);
                assert_eq!(out, source[offset..offset + length], "{length} bytes at {offset} of {total}");
            }
        }
    }
}

#[test]
fn copy_from_beyond_the_end_does_not_panic() {
    for offset in [10, 11, usize::MAX - 3, usize::MAX] {
        ct_copy_from_secret_offset(&[1; 10], offset, &mut [0; 4]);
    }
}

#[test]
fn debug_does_not_say_what_a_mask_is() {
    assert_eq!(format!("{:?}", Mask::TRUE), format!("{:?}", Mask::FALSE));
}
