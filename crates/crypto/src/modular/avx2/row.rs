//! Numbers as rows of limbs, and how they are carried.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_blend_epi32, _mm256_permute4x64_epi64,
    _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_srli_epi64,
};
use std::array::from_fn;

use bytemuck::{must_cast, must_cast_slice, must_cast_slice_mut};
use zeroize::Zeroizing;

use super::super::number::Number;
use super::LIMB;

/// The bits that a limb has set when everything is carried.
const MASK: u64 = (1 << LIMB) - 1;

/// A number: vectors of four limbs, the least significant first, between two vectors of zeros.
pub(super) struct Row(Zeroizing<Vec<__m256i>>);

pub(super) fn rows<const K: usize>(count: usize) -> [Row; K] {
    from_fn(|_| Row::zero(count))
}

impl Row {
    pub(super) fn zero(count: usize) -> Self {
        Self(zeros(count + 2))
    }

    pub(super) fn loaded(number: &Number, count: usize) -> Self {
        let mut row = Self::zero(count);
        row.load(number);
        row
    }

    /// How many vectors it has.
    #[inline]
    pub(super) fn count(&self) -> usize {
        self.0.len() - 2
    }

    #[inline]
    pub(super) fn vectors(&self) -> &[__m256i] {
        self.0.get(1..=self.count()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn vectors_mut(&mut self) -> &mut [__m256i] {
        let count = self.count();
        self.0.get_mut(1..=count).unwrap_or_default()
    }

    #[inline]
    pub(super) fn limbs(&self) -> &[u64] {
        must_cast_slice(self.vectors())
    }

    #[inline]
    fn limbs_mut(&mut self) -> &mut [u64] {
        must_cast_slice_mut(self.vectors_mut())
    }

    pub(super) fn load(&mut self, number: &Number) {
        let mut words = number.limbs().iter();
        let (mut pending, mut filled) = (0_u128, 0);
        for limb in self.limbs_mut() {
            if filled < LIMB {
                pending |= u128::from(words.next().copied().unwrap_or_default()) << filled;
                filled += 64;
            }
            *limb = low_half(pending) & MASK;
            pending >>= LIMB;
            filled -= LIMB;
        }
    }

    /// The number, which is below 2n, modulo n.
    pub(super) fn store(&self, n: &Number) -> Number {
        let mut number = Number::zero(n.digits().len());
        let mut words = number.limbs_mut().iter_mut();
        let (mut pending, mut filled) = (0_u128, 0);
        let mut carry = 0;
        // What no word is left for is the one bit that 2n may have more than n.
        let mut next = |word: u64| match words.next() {
            Some(to) => *to = word,
            None => carry |= word,
        };
        for limb in self.limbs() {
            pending += u128::from(*limb) << filled;
            filled += LIMB;
            if filled >= 64 {
                next(low_half(pending));
                (pending, filled) = (pending >> 64, filled - 64);
            }
        }
        next(low_half(pending));
        number.subtract_once(n, carry != 0);
        number
    }

    pub(super) fn set_one(&mut self) {
        let limbs = self.limbs_mut();
        limbs.fill(0);
        if let Some(first) = limbs.first_mut() {
            *first = 1;
        }
    }

    /// The vectors from `start` on, after the one before them.
    #[inline]
    pub(super) fn from(&self, start: usize) -> &[__m256i] {
        self.0.get(start..).unwrap_or_default()
    }
}

pub(super) fn zeros(count: usize) -> Zeroizing<Vec<__m256i>> {
    Zeroizing::new(vec![must_cast([0_u64; 4]); count])
}

/// The same in all four limbs.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn splat(limb: u64) -> __m256i {
    _mm256_set1_epi64x(limb.cast_signed())
}

/// Carries what a limb has above 29 bits to the limb above it, all at the same time.
#[derive(Clone, Copy)]
struct Carry {
    mask: __m256i,
    below: __m256i,
}

impl Carry {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        Self { mask: splat(MASK), below: _mm256_setzero_si256() }
    }

    /// The next vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn next(&mut self, vector: __m256i) -> __m256i {
        // The highest limb's comes first: it is what the next vector gets.
        let high = _mm256_permute4x64_epi64::<0b10_01_00_11>(_mm256_srli_epi64::<29>(vector));
        let carries = _mm256_blend_epi32::<0b11>(high, self.below);
        self.below = high;
        _mm256_add_epi64(_mm256_and_si256(vector, self.mask), carries)
    }
}

/// Carries once: after that a limb has less than 2^36.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn carry(sum: &mut [__m256i]) {
    let mut carry = Carry::new();
    for vector in sum {
        *vector = carry.next(*vector);
    }
}

/// Carries twice: after that a limb has 29 bits and at most 2^7 more. What the last carries is lost.
#[derive(Clone, Copy)]
struct CarryTwice(Carry, Carry);

impl CarryTwice {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        Self(Carry::new(), Carry::new())
    }

    /// The next vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn next(&mut self, vector: __m256i) -> __m256i {
        self.1.next(self.0.next(vector))
    }
}

/// Carries a sum twice.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn carry_twice(sum: &mut [__m256i]) {
    let mut carry = CarryTwice::new();
    for vector in sum {
        *vector = carry.next(*vector);
    }
}

/// The sum, carried twice.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn carried_twice(sum: &[__m256i], out: &mut [__m256i]) {
    let mut carry = CarryTwice::new();
    for (vector, out) in sum.iter().zip(out) {
        *out = carry.next(*vector);
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn low_half(number: u128) -> u64 {
    number as u64
}
