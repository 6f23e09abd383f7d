//! The multiplication itself, in one field.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64 as add, _mm256_blend_epi32, _mm256_mul_epu32, _mm256_set_epi64x,
    _mm256_set1_epi32, _mm256_setzero_si256,
};
use std::cell::Cell;

use bytemuck::{must_cast, must_cast_slice};
use zeroize::Zeroizing;

use super::super::machine::Field;
use super::row::{Row, carried_twice, carry, carry_twice, zeros};
use super::{LIMB, vectors};

/// So many products of two limbs may be summed, and a carry be added, before the sum must be carried: 56 times
/// (2^29 + 2^7)^2 is less than 2^64 - 2^36.
const SUMMANDS: usize = 56;

/// A modulus, and room to multiply.
pub(super) struct Place {
    pub(super) n: Row,
    /// -1/n modulo R.
    n0: Row,
    sum: Zeroizing<Vec<__m256i>>,
    /// How often n is added to the sum. There is a vector more than R needs.
    quotient: Zeroizing<Vec<__m256i>>,
    /// Twice the number that is squared.
    twice: Row,
}

impl Place {
    pub(super) fn new(field: &Field<'_>) -> Self {
        let count = vectors(field.n.digits().len());
        Self {
            n: Row::loaded(field.n, count),
            n0: Row::loaded(field.n0, count),
            sum: zeros(2 * count),
            quotient: zeros(count + 1),
            twice: Row::zero(count),
        }
    }

    /// sum = a * b
    #[target_feature(enable = "avx2")]
    pub(super) fn multiply(&mut self, a: &Row, b: &Row) {
        self.sum.fill(_mm256_setzero_si256());
        let mut room = Room::new(self.n.count());
        for (start, factors) in (0..).step_by(2).zip(a.limbs().chunks(8)) {
            room.make(&mut self.sum, 8);
            add_products(self.sum.get_mut(start..).unwrap_or_default(), b.from(0), factors);
        }
    }

    /// sum = a * a: eight limbs at a time, or the last four, are multiplied by themselves, and by twice those above.
    #[target_feature(enable = "avx2")]
    pub(super) fn square(&mut self, a: &Row) {
        self.sum.fill(_mm256_setzero_si256());
        for (twice, vector) in self.twice.vectors_mut().iter_mut().zip(a.vectors()) {
            *twice = add(*vector, *vector);
        }
        let mut room = Room::new(self.n.count());
        let mut rest = a.limbs();
        for (start, factors) in (0..).step_by(2).zip(a.limbs().chunks(8)) {
            room.make(&mut self.sum, rest.len().min(16));
            let sum = self.sum.get_mut(2 * start..).unwrap_or_default();
            add_square(sum, a.from(start), self.twice.from(start), factors);
            rest = rest.get(8..).unwrap_or_default();
        }
    }

    /// quotient = -sum / n modulo R; of the sum all is carried.
    #[target_feature(enable = "avx2")]
    pub(super) fn divide(&mut self) {
        let count = self.n.count();
        carry_twice(&mut self.sum);
        self.quotient.fill(_mm256_setzero_si256());
        let mut room = Room::new(self.n.count());
        let limbs = must_cast_slice::<_, u64>(&self.sum).get(..4 * count).unwrap_or_default();
        for (start, factors) in (0..).step_by(2).zip(limbs.chunks(8)) {
            room.make(&mut self.quotient, 8);
            add_products(self.quotient.get_mut(start..).unwrap_or_default(), self.n0.from(0), factors);
        }
        carry_twice(&mut self.quotient);
    }

    /// out = (sum + quotient * n) / R, below 2n
    ///
    /// What is below R is zero then. All that counts of it is what it carries, for which two limbs are enough, so that
    /// nothing is computed below the last vector of it but what it has in common with one that is.
    #[target_feature(enable = "avx2")]
    pub(super) fn finish(&mut self, out: &mut Row) {
        let count = self.n.count();
        let mut room = Room::new(self.n.count());
        let limbs = must_cast_slice::<_, u64>(&self.quotient).get(..4 * count).unwrap_or_default();
        for (start, factors) in (0..).step_by(2).zip(limbs.chunks(8)) {
            let first = (count - 1).saturating_sub(factors.len() / 4 - 1);
            room.make(self.sum.get_mut(count - 1..).unwrap_or_default(), 8);
            let sum = self.sum.get_mut(first..).unwrap_or_default();
            add_products(sum, self.n.from(first - start), factors);
        }
        let sum = self.sum.get_mut(count - 1..).unwrap_or_default();
        carry_over(sum);
        carried_twice(sum.get(1..).unwrap_or_default(), out.vectors_mut());
    }
}

/// How many products a limb of a sum may have got since it was carried.
struct Room {
    needed: bool,
    taken: usize,
}

impl Room {
    /// For a product of rows of so many vectors: no limb of it is the sum of more products than a row has limbs.
    const fn new(count: usize) -> Self {
        Self { needed: 4 * count > SUMMANDS, taken: 0 }
    }

    /// Makes room in the sum for so many more.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn make(&mut self, sum: &mut [__m256i], summands: usize) {
        self.taken += summands;
        if self.needed && self.taken > SUMMANDS {
            carry(sum);
            self.taken = summands;
        }
    }
}

/// Adds the products of eight factors that follow each other, or the last four, with themselves and with twice what is
/// above them. Both rows begin with the vector before them.
#[inline]
#[target_feature(enable = "avx2")]
fn add_square(sum: &mut [__m256i], row: &[__m256i], twice: &[__m256i], factors: &[u64]) {
    // What is read from before the factors does not belong to them, and what is read from above them does in part.
    let zero = [_mm256_setzero_si256(); 4];
    match (factors, sum, row, twice) {
        (
            &[f0, f1, f2, f3, f4, f5, f6, f7],
            [s0, s1, s2, above @ ..],
            &[r0, r1, r2, r3, ..],
            &[_, _, t2, t3, ..],
        ) => {
            let lower = [factor(f0), factor(f1), factor(f2), factor(f3)];
            let upper = [factor(f4), factor(f5), factor(f6), factor(f7)];
            let first = split(&zero, &shifted(&[r0, r1]));
            let second = shifted(&[r1, r2]);
            let third = split(&shifted(&[r2, r3]), &shifted(&[t2, t3]));
            *s0 = add(*s0, products(&first, &lower));
            *s1 = add(*s1, add(products(&second, &lower), products(&first, &upper)));
            *s2 = add(*s2, add(products(&third, &lower), products(&second, &upper)));
            let rest = twice.get(3..).unwrap_or_default();
            add_eight(above, rest, products(&third, &upper), &lower, &upper);
        }
        (&[f0, f1, f2, f3], [s0, s1, ..], &[r0, r1, r2, ..], _) => {
            let factors = [factor(f0), factor(f1), factor(f2), factor(f3)];
            *s0 = add(*s0, products(&split(&zero, &shifted(&[r0, r1])), &factors));
            *s1 = add(*s1, products(&shifted(&[r1, r2]), &factors));
        }
        _ => {}
    }
}

/// Of vectors that were read up to three limbs before a place the limbs before it from the one row, and the others from
/// the other.
#[inline]
#[target_feature(enable = "avx2")]
fn split(before: &[__m256i; 4], others: &[__m256i; 4]) -> [__m256i; 4] {
    let ([_, b1, b2, b3], [x0, x1, x2, x3]) = (before, others);
    [
        *x0,
        _mm256_blend_epi32::<0b11>(*x1, *b1),
        _mm256_blend_epi32::<0b1111>(*x2, *b2),
        _mm256_blend_epi32::<0b11_1111>(*x3, *b3),
    ]
}

/// Carries from the first vector into the second what all limbs up to there come to; they are zero then, and not looked at
/// again.
#[inline]
#[target_feature(enable = "avx2")]
fn carry_over(sum: &mut [__m256i]) {
    let [first, second, ..] = sum else { return };
    let [_, _, low, high] = must_cast::<_, [u64; 4]>(*first);
    // What the limbs before these two carry is less than 2^35, and the rest is zero: so as much more is as good.
    let carry = (high + ((low + (1 << 35)) >> LIMB)) >> LIMB;
    *second = add(*second, _mm256_set_epi64x(0, 0, 0, carry.cast_signed()));
}

/// Adds the products of a row with eight factors that follow each other, or the last four. The row begins with the vector
/// before it.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products(sum: &mut [__m256i], row: &[__m256i], factors: &[u64]) {
    match *factors {
        [f0, f1, f2, f3, f4, f5, f6, f7] => {
            let lower = [factor(f0), factor(f1), factor(f2), factor(f3)];
            let upper = [factor(f4), factor(f5), factor(f6), factor(f7)];
            add_eight(sum, row, _mm256_setzero_si256(), &lower, &upper);
        }
        [f0, f1, f2, f3] => add_four(sum, row, &[factor(f0), factor(f1), factor(f2), factor(f3)]),
        _ => {}
    }
}

/// The sum of the products of four factors with what belongs to each.
#[inline]
#[target_feature(enable = "avx2")]
fn products(limbs: &[__m256i; 4], factors: &[__m256i; 4]) -> __m256i {
    let [x0, x1, x2, x3] = limbs;
    let [f0, f1, f2, f3] = factors;
    let low = add(_mm256_mul_epu32(*x0, *f0), _mm256_mul_epu32(*x1, *f1));
    let high = add(_mm256_mul_epu32(*x2, *f2), _mm256_mul_epu32(*x3, *f3));
    add(low, high)
}

/// The limbs of the second of two vectors, and those one, two and three places before them.
#[inline]
#[target_feature(enable = "avx2")]
fn shifted(vectors: &[__m256i]) -> [__m256i; 4] {
    let limbs: &[u64] = must_cast_slice(vectors);
    [4, 3, 2, 1].map(|from| {
        must_cast(limbs.get(from..).and_then(|limbs| limbs.first_chunk()).copied().unwrap_or([0; 4]))
    })
}

/// Adds the products of a row with eight factors, and to the first vector what else belongs there.
#[inline]
#[target_feature(enable = "avx2")]
fn add_eight(
    sum: &mut [__m256i],
    row: &[__m256i],
    first: __m256i,
    lower: &[__m256i; 4],
    upper: &[__m256i; 4],
) {
    let cells = Cell::from_mut(sum).as_slice_of_cells();
    let Some(mut last) = cells.first() else { return };
    let mut here = add(last.get(), first);
    for (vectors, cells) in row.windows(2).zip(cells.windows(2)) {
        let [to, above] = cells else { return };
        let limbs = shifted(vectors);
        to.set(add(here, products(&limbs, lower)));
        here = add(above.get(), products(&limbs, upper));
        last = above;
    }
    last.set(here);
}

/// Adds the products of a row with four factors.
#[inline]
#[target_feature(enable = "avx2")]
fn add_four(sum: &mut [__m256i], row: &[__m256i], factors: &[__m256i; 4]) {
    for (vectors, to) in row.windows(2).zip(sum) {
        *to = add(*to, products(&shifted(vectors), factors));
    }
}

/// A factor, for each of four limbs. What multiplies does not look at the upper half of 64 bits. That there is something
/// in it hides from the compiler that a factor has 32 bits only, which it would make use of outside a loop and have
/// forgotten in it: it would multiply by both halves.
#[inline]
#[target_feature(enable = "avx2")]
#[expect(clippy::cast_possible_truncation, reason = "a factor has 30 bits")]
fn factor(limb: u64) -> __m256i {
    _mm256_set1_epi32((limb as u32).cast_signed())
}
