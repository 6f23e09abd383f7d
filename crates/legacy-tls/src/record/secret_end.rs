//! The end of a decrypted CBC record: padding of a secret length, and a MAC at a secret place before it.
//!
//! Both functions read as much as the longest padding could be, in order, and branch on nothing that was decrypted.

use core::hint::black_box;

use crypto::constant_time::{Mask, ct_eq_usize};

/// The most padding there can be, without the byte that says its length.
pub(super) const MAX_PADDING: usize = 255;

/// How many lengths padding may have.
const PLACES: u16 = 256;

/// Whether each of the last `padding_len` bytes of `text`, and the one that says so, is `padding_len`.
pub(super) fn is_padded(text: &[u8], padding_len: u8) -> Mask {
    // Hidden, or the optimiser might see that nothing is to be done beyond the padding.
    let padding_len = black_box(padding_len);
    let end = u16::from(padding_len) + 1;
    let mut different = 0;
    for (byte, distance) in text.iter().rev().zip(0..PLACES) {
        // All ones while the distance is less.
        let [is_padding, _] = distance.wrapping_sub(end).to_be_bytes();
        different |= is_padding & (byte ^ padding_len);
    }
    ct_eq_usize(usize::from(different), 0)
}

/// The `W` bytes of `window` at `offset`, which is at most [`MAX_PADDING`] and a secret; zeros follow the window.
///
/// Every place is looked at, and what is there is taken or not, so that not even the cache tells which one it was.
pub(super) fn copied_from<const W: usize>(window: &[u8], offset: usize) -> [u8; W] {
    let mut places = [0; MAX_PADDING + 65];
    places.iter_mut().zip(window).for_each(|(place, byte)| *place = *byte);
    let [.., high, low] = offset.to_be_bytes();
    let offset = black_box(u16::from_be_bytes([high, low]));
    let mut copied = [0; W];
    for (place, at) in places.windows(W).zip(0..PLACES) {
        // All ones where it is.
        let [is_here, _] = (at ^ offset).wrapping_sub(1).to_be_bytes();
        let is_here = black_box(is_here);
        for (copied, byte) in copied.iter_mut().zip(place) {
            *copied |= byte & is_here;
        }
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_each_of_its_bytes_and_none_before() {
        for padding_len in 0..=255_u8 {
            let len = usize::from(padding_len) + 1;
            let mut text = vec![padding_len ^ 1; 300];
            text[300 - len..].fill(padding_len);
            assert!(is_padded(&text, padding_len).reveal(), "{padding_len}");
            for at in 300 - len..300 {
                text[at] ^= 0x40;
                assert!(!is_padded(&text, padding_len).reveal(), "{padding_len}, byte {at}");
                text[at] ^= 0x40;
            }
        }
    }

    #[test]
    fn bytes_are_copied_from_every_place() {
        let window: Vec<u8> = (0..304_usize).map(|at| (at * 13 % 251).to_le_bytes()[0]).collect();
        for offset in 0..=MAX_PADDING {
            assert_eq!(copied_from::<32>(&window, offset), window[offset..offset + 32], "{offset}");
            let expected = [&window[offset..], &[0; 64]].concat();
            assert_eq!(copied_from::<64>(&window, offset), expected[..64], "{offset}");
        }
    }
}
