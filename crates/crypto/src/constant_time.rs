//! Comparing, choosing and copying whose time and memory access do not depend on the values.
//!
//! A [`Mask`] stands for a truth that must not be branched on; it is made by a comparison, combined with `&`, `|`,
//! `^` and `!`, and used to choose or to copy. Every mask passes [`black_box`] when it is made, or the optimiser,
//! which sees that it is all ones or zero, would make a branch of its use again.
//!
//! Spec: TLS12 section 7.4.9 and TLS13 section 4.4.4 need it for Finished, HMAC for any MAC: a comparison
//! that stops at the first difference tells an attacker, byte by byte, how much of a forgery is right. TLS12
//! sections 6.2.3.2 and 7.4.7.1 need it for the padding of CBC and of RSA.

use std::cell::Cell;
use std::fmt::{self, Debug, Formatter};
use std::hint::black_box;
use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, Not};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

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
/// What is read and written, and in which order, depends on the two lengths only, so that not even the cache tells
/// which byte came from where. The caller makes sure that `offset + out.len() <= source.len()`: bytes from beyond the
/// end of `source` are zeros. The less there is in `source` before and behind what can be copied, the less time it
/// takes.
pub fn ct_copy_from_secret_offset(source: &[u8], offset: usize, out: &mut [u8]) {
    for (piece, skipped) in out.chunks_mut(PIECE).zip((0..).step_by(PIECE)) {
        copy_piece(source, black_box(offset.saturating_add(skipped)), piece);
    }
}

/// How much is copied at a time.
const PIECE: usize = 64;

/// How far apart the windows are that it is copied from.
const STRIDE: usize = 256;

fn copy_piece(source: &[u8], offset: usize, piece: &mut [u8]) {
    // First the window that the piece begins in.
    let mut window = Zeroizing::new([0; STRIDE + PIECE]);
    for (number, start) in (0..source.len()).step_by(STRIDE).enumerate() {
        let mask = ct_eq_usize(offset / STRIDE, number).to_u8();
        let bytes = source.get(start..).unwrap_or_default();
        window.iter_mut().zip(bytes).for_each(|(to, from)| *to |= from & mask);
    }
    // Then what comes before the piece is left out, by each power of two or not.
    leave_out_if_bit::<128>(offset, &mut window);
    leave_out_if_bit::<64>(offset, &mut window);
    leave_out_if_bit::<32>(offset, &mut window);
    leave_out_if_bit::<16>(offset, &mut window);
    leave_out_if_bit::<8>(offset, &mut window);
    leave_out_if_bit::<4>(offset, &mut window);
    leave_out_if_bit::<2>(offset, &mut window);
    leave_out_if_bit::<1>(offset, &mut window);
    piece.iter_mut().zip(window.iter()).for_each(|(to, from)| *to = *from);
}

/// Moves the bytes from `BIT` on to the beginning if `offset` has the bit: as many as can still become the piece.
fn leave_out_if_bit<const BIT: usize>(offset: usize, window: &mut [u8; STRIDE + PIECE]) {
    let mask = (!ct_eq_usize(offset & BIT, 0)).to_u8();
    let bytes = Cell::from_mut(window.as_mut_slice()).as_slice_of_cells();
    for (to, from) in bytes.iter().zip(bytes.iter().skip(BIT)).take(PIECE + BIT) {
        to.set(to.get() ^ mask & (to.get() ^ from.get()));
    }
}

#[cfg(test)]
mod tests;
