//! Comparison whose time does not depend on what is compared.
//!
//! Spec: TLS12 section 7.4.9 and TLS13 section 4.4.4 need it for Finished, HMAC for any MAC: a comparison
//! that stops at the first difference tells an attacker, byte by byte, how much of a forgery is right.

use std::fmt::{self, Debug, Formatter};
use std::hint;

use subtle::ConstantTimeEq;

/// Whether `a` and `b` are the same bytes. The time depends on their lengths only, which are taken to be public.
#[inline]
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A yes or no that is not to be branched on: all bits set, or none.
#[derive(Clone, Copy)]
pub struct Mask(u8);

impl Mask {
    /// Whether `a` and `b` are the same.
    pub(crate) fn equal(a: u8, b: u8) -> Self {
        let difference = u32::from(hint::black_box(a ^ b));
        let [.., high, _] = difference.wrapping_sub(1).to_be_bytes();
        Self(hint::black_box(high))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(hint::black_box(self.0 & other.0))
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(hint::black_box(!self.0))
    }

    /// `yes` or `no`.
    #[must_use]
    pub fn select(self, yes: u8, no: u8) -> u8 {
        no ^ (hint::black_box(self.0) & (yes ^ no))
    }

    /// Replaces `to` by `from` if the mask is set; as many bytes as both have.
    pub fn copy_if(self, to: &mut [u8], from: &[u8]) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = self.select(*from, *to));
    }

    /// The answer, to be branched on: from here on it is no secret.
    #[must_use]
    pub fn reveal(self) -> bool {
        self.0 != 0
    }
}

impl Debug for Mask {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_every_byte_and_the_length() {
        let bytes: Vec<u8> = (0..40).collect();
        assert!(ct_eq(&bytes, &bytes.clone()));
        assert!(ct_eq(&[], &[]));
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert!(!ct_eq(&bytes, &changed), "bit {bit} of byte {index}");
            }
            assert!(!ct_eq(&bytes, &bytes[..index]), "length {index}");
            assert!(!ct_eq(&bytes[..index], &bytes), "length {index}");
        }
    }
}
