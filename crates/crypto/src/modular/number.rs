//! Numbers that are secrets.

use std::hint::black_box;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::digit::{self, Digit, ZERO};
use crate::constant_time::{Mask, ct_eq_usize};

/// A number of a fixed, public length, zeroized on drop. What is done with it takes the same time whatever it is.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Number(Vec<Digit>);

impl Number {
    /// Zero, in no digits: where another will be put.
    pub(super) const NONE: Self = Self(Vec::new());

    /// Zero, in so many digits.
    pub(super) fn zero(digits: usize) -> Self {
        Self(vec![ZERO; digits])
    }

    /// One, in so many digits.
    pub(super) fn one(digits: usize) -> Self {
        let mut one = Self::zero(digits);
        if let Some(first) = one.limbs_mut().first_mut() {
            *first = 1;
        }
        one
    }

    /// The number that these bytes, big-endian, are; in as many digits as they need. Zero needs one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut number = Self::zero(bytes.len().div_ceil(32).max(1));
        for (limb, chunk) in number.limbs_mut().iter_mut().zip(bytes.rchunks(8)) {
            *limb = chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
        }
        number
    }

    /// Big-endian, in so many bytes: those that do not fit are left away.
    pub(crate) fn to_bytes(&self, len: usize) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        for (chunk, limb) in bytes.rchunks_mut(8).zip(self.limbs()) {
            chunk.iter_mut().rev().zip(limb.to_le_bytes()).for_each(|(to, byte)| *to = byte);
        }
        bytes
    }

    pub(super) fn digits(&self) -> &[Digit] {
        &self.0
    }

    pub(super) fn digits_mut(&mut self) -> &mut [Digit] {
        &mut self.0
    }

    pub(super) fn limbs(&self) -> &[u64] {
        self.0.as_flattened()
    }

    pub(super) fn limbs_mut(&mut self) -> &mut [u64] {
        self.0.as_flattened_mut()
    }

    /// In so many digits; what is above them is left away.
    pub(super) fn resized(&self, digits: usize) -> Self {
        let mut resized = Self::zero(digits);
        resized.0.iter_mut().zip(&self.0).for_each(|(to, digit)| *to = *digit);
        resized
    }

    /// The bits from `start` on: `count`, at most 63. Where they are is public.
    pub(super) fn bits(&self, start: u32, count: u32) -> u64 {
        let first = usize::try_from(start / 64).unwrap_or(usize::MAX);
        let mut limbs = self.limbs().iter().skip(first).copied();
        let (low, high) = (limbs.next().unwrap_or_default(), limbs.next().unwrap_or_default());
        // Shifted twice, since 64 at once is one too many.
        (low >> (start % 64) | high << 1 << (63 - start % 64)) & ((1 << count) - 1)
    }

    /// Adds `other`, which has no more digits, and gives what is carried out.
    pub(super) fn add(&mut self, other: &Self) -> bool {
        let mut carry = false;
        let mut others = other.0.iter();
        for digit in &mut self.0 {
            (*digit, carry) = digit::add(*digit, others.next().copied().unwrap_or(ZERO), carry);
        }
        carry
    }

    /// Subtracts `other` if it is not more than this, with `carry` in front of it.
    pub(super) fn subtract_once(&mut self, other: &Self, carry: bool) {
        subtract_once(&mut self.0, &other.0, carry);
    }

    /// Subtracts `other`, adds `modulus` if that was too much, and is right for two numbers below it.
    pub(super) fn subtract_modulo(&mut self, other: &Self, modulus: &Self) {
        let mut borrow = false;
        for (digit, other) in self.0.iter_mut().zip(&other.0) {
            (*digit, borrow) = digit::sub(*digit, *other, borrow);
        }
        let mask = black_box(u64::from(borrow)).wrapping_neg();
        let mut carry = false;
        for (digit, modulus) in self.0.iter_mut().zip(&modulus.0) {
            (*digit, carry) = digit::add(*digit, digit::masked(modulus, mask), carry);
        }
    }

    /// The product, in the digits of both.
    pub(crate) fn product(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.0.len() + other.0.len());
        for (index, b) in other.0.iter().enumerate() {
            let mut carry = ZERO;
            let mut to = product.0.iter_mut().skip(index);
            for (to, a) in to.by_ref().zip(&self.0) {
                (*to, carry) = digit::mul_add(*to, a, b, carry);
            }
            if let Some(to) = product.0.get_mut(index + self.0.len()) {
                *to = carry;
            }
        }
        product
    }

    /// -1 divided by this odd number, modulo 2 to the bits of so many digits.
    pub(super) fn negative_inverse(&self, digits: usize) -> Self {
        let mut inverse = Self(vec![self.0.first().map_or(ZERO, digit::negative_inverse)]);
        while inverse.0.len() < digits {
            // Each round of x * (2 + n * x) doubles how many digits are right.
            let right = digits.min(2 * inverse.0.len());
            let factor = self.product(&inverse).resized(right).plus(&Self(vec![[2, 0, 0, 0]]));
            inverse = inverse.product(&factor).resized(right);
        }
        inverse
    }

    /// The sum, in the digits of this, which must be enough for it.
    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    /// Whether both are the same; numbers of different length are not.
    pub(crate) fn is(&self, other: &Self) -> Mask {
        let difference = self.limbs().iter().zip(other.limbs()).fold(0, |sum, (a, b)| sum | (a ^ b));
        let folded = black_box(difference >> 32 | difference & 0xFFFF_FFFF);
        Mask::from(self.0.len() == other.0.len())
            & ct_eq_usize(usize::try_from(folded).unwrap_or(usize::MAX), 0)
    }

    /// Whether it is zero.
    pub(crate) fn is_zero(&self) -> Mask {
        self.is(&Self::zero(self.0.len()))
    }
}

/// Subtracts `other` from a number of the same length if it is not more than that, with `carry` in front of it.
#[inline(always)]
pub(super) fn subtract_once(number: &mut [Digit], other: &[Digit], carry: bool) {
    let mut borrow = false;
    for (digit, other) in number.iter().zip(other) {
        (_, borrow) = digit::sub(*digit, *other, borrow);
    }
    // Less than `other` if it takes a borrow, and there is no carry to lend it.
    let mask = black_box(u64::from(borrow) & !u64::from(carry)).wrapping_sub(1);
    let mut borrow = false;
    for (digit, other) in number.iter_mut().zip(other) {
        (*digit, borrow) = digit::sub(*digit, digit::masked(other, mask), borrow);
    }
}
