//! Comparing, choosing and copying whose time and memory access do not depend on the values.
//!
//! A [`Mask`] stands for a truth that must not be branched on; it is made by a comparison, combined with `&`, `|`,
//! `^` and `!`, and used to choose or to copy. Every mask passes [`black_box`] when it is made, or the optimiser,
//! which sees that it is all ones or zero, would make a branch of its use again.
//!
//! Spec: TLS12 section 7.4.9 and TLS13 section 4.4.4 need it for Finished, HMAC for any MAC: a comparison
//! that stops at the first difference tells an attacker, byte by byte, how much of a forgery is right. TLS12
//! sections 6.2.3.2 and 7.4.7.1 need it for the padding of CBC and of RSA.

use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, Not};

use subtle::ConstantTimeEq;

/// Whether `a` and `b` are the same bytes. The time depends on their lengths only, which are taken to be public.
#[inline]
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// Yes or no as a secret: all ones, or zero.
#[derive(Clone, Copy)]
pub struct Mask(usize);

impl Mask {
    /// Yes.
    pub const TRUE: Self = Self(usize::MAX);

    /// No.
    pub const FALSE: Self = Self(0);

    /// Yes if the lowest bit is set.
    #[inline]
    const fn from_bit(bit: usize) -> Self {
        Self((bit & 1).wrapping_neg())
    }

    /// Yes if the highest bit is set.
    #[inline]
    const fn from_high_bit(value: usize) -> Self {
        Self::from_bit(value >> (usize::BITS - 1))
    }

    /// Hides the value from the optimiser.
    #[inline]
    fn hidden(self) -> Self {
        Self(black_box(self.0))
    }

    /// All ones, or zero.
    #[inline]
    #[must_use]
    pub fn to_usize(self) -> usize {
        black_box(self.0)
    }

    /// All ones, or zero.
    #[inline]
    #[must_use]
    pub fn to_u64(self) -> u64 {
        // The lowest bit is as good as any.
        u64::from(self.to_u8() & 1).wrapping_neg()
    }

    /// All ones, or zero.
    #[inline]
    #[must_use]
    pub fn to_u8(self) -> u8 {
        let [byte, ..] = self.to_usize().to_le_bytes();
        byte
    }

    /// Gives the secret away, to be branched on: when everything that depends on it may be known.
    #[inline]
    #[must_use]
    pub fn reveal(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Mask {
    /// A truth that is known already, to be combined with secret ones.
    #[inline]
    fn from(truth: bool) -> Self {
        Self::from_bit(usize::from(truth)).hidden()
    }
}

impl BitAnd for Mask {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0).hidden()
    }
}

impl BitOr for Mask {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0).hidden()
    }
}

impl BitXor for Mask {
    type Output = Self;
    #[inline]
    fn bitxor(self, other: Self) -> Self {
        Self(self.0 ^ other.0).hidden()
    }
}

impl Not for Mask {
    type Output = Self;
    #[inline]
    fn not(self) -> Self {
        Self(!self.0).hidden()
    }
}

impl BitAndAssign for Mask {
    #[inline]
    fn bitand_assign(&mut self, other: Self) {
        *self = *self & other;
    }
}

impl BitOrAssign for Mask {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl Debug for Mask {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Mask(..)")
    }
}

/// Whether `a` and `b` are the same bytes, as a secret. Slices of different lengths, which are taken to be public,
/// are not the same.
#[inline]
#[must_use]
pub fn ct_eq_mask(a: &[u8], b: &[u8]) -> Mask {
    if a.len() != b.len() {
        return Mask::FALSE;
    }
    let difference = a.iter().zip(b).fold(0, |difference, (a, b)| black_box(difference | (a ^ b)));
    ct_eq_usize(usize::from(difference), 0)
}

/// Whether `a` is `b`.
#[inline]
#[must_use]
pub fn ct_eq_usize(a: usize, b: usize) -> Mask {
    let difference = black_box(a ^ b);
    !Mask::from_high_bit(difference | difference.wrapping_neg())
}

/// Whether `a` is less than `b`.
#[inline]
#[must_use]
pub fn ct_lt(a: usize, b: usize) -> Mask {
    let (a, b) = (black_box(a), black_box(b));
    // The borrow of a - b: b has the highest bit alone, or they agree in it and the difference has it.
    Mask::from_high_bit((!a & b) | (!(a ^ b) & a.wrapping_sub(b))).hidden()
}

/// `a` if the mask says yes, otherwise `b`.
#[inline]
#[must_use]
pub fn ct_select(mask: Mask, a: usize, b: usize) -> usize {
    b ^ (mask.to_usize() & (a ^ b))
}

/// `a` if the mask says yes, otherwise `b`.
#[inline]
#[must_use]
pub fn ct_select_u8(mask: Mask, a: u8, b: u8) -> u8 {
    b ^ (mask.to_u8() & (a ^ b))
}

/// Copies `from` to `to` if the mask says yes, and otherwise writes to `to` what it holds.
///
/// As many bytes as both have: their lengths, which are taken to be public, should be the same.
#[inline]
pub fn ct_copy_if(mask: Mask, to: &mut [u8], from: &[u8]) {
    debug_assert_eq!(to.len(), from.len());
    let mask = mask.to_u8();
    to.iter_mut().zip(from).for_each(|(to, from)| *to ^= mask & (*to ^ *from));
}

/// Copies `source[offset..][..out.len()]` to `out`, where only `offset` is a secret: the MAC in a record whose
/// padding has a secret length.
///
/// Every byte of `source` is read once and in order, every byte of `out` is written in the same order, so that not
/// even the cache tells which came from where. The caller makes sure that `offset + out.len() <= source.len()`; bytes
/// beyond the end of `source` are undefined, but nothing panics and nothing else is revealed. `source` should begin
/// where the MAC can begin at the earliest.
pub fn ct_copy_from_secret_offset(source: &[u8], offset: usize, out: &mut [u8]) {
    out.fill(0);
    if out.is_empty() {
        return;
    }
    // First the bytes, in a ring: byte `i` of the source goes to byte `i % out.len()`.
    let end = offset.wrapping_add(out.len());
    let (mut rotation, mut index) = (0, 0);
    let mut slots = 0..out.len();
    while index < source.len() {
        let Some(slot) = slots.next() else {
            slots = 0..out.len();
            continue;
        };
        if let (Some(to), Some(from)) = (out.get_mut(slot), source.get(index)) {
            let inside = !ct_lt(index, offset) & ct_lt(index, end);
            *to |= from & inside.to_u8();
            rotation |= slot & ct_eq_usize(index, offset).to_usize();
        }
        index += 1;
    }
    // Then the ring is turned until the first byte is first, by each power of two or not.
    let mut step = 1;
    while step < out.len() {
        ct_rotate_left_if(!ct_eq_usize(rotation & step, 0), out, step);
        step <<= 1;
    }
}

/// Rotates `bytes` left by `count`, which is public, if the mask says yes.
fn ct_rotate_left_if(mask: Mask, bytes: &mut [u8], count: usize) {
    let mask = mask.to_u8();
    // Cycle by cycle of the permutation would jump about; by three reversals every byte is written in place.
    let (first, second) = bytes.split_at_mut(count);
    ct_reverse_if(mask, first);
    ct_reverse_if(mask, second);
    ct_reverse_if(mask, bytes);
}

fn ct_reverse_if(mask: u8, bytes: &mut [u8]) {
    let (first, second) = bytes.split_at_mut(bytes.len() / 2);
    for (a, b) in first.iter_mut().zip(second.iter_mut().rev()) {
        let difference = mask & (*a ^ *b);
        *a ^= difference;
        *b ^= difference;
    }
}

#[cfg(test)]
mod tests;
