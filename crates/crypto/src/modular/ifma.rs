//! Montgomery's multiplication with AVX-512 IFMA, which multiplies eight pairs of 52 bits at once.
//!
//! A number is a row of limbs of 52 bits, in vectors of eight and at most one of four. R is two bits or more above 4n,
//! so that no product needs a final subtraction to be a factor of the next: everything stays below 2n ("almost
//! Montgomery multiplication").
//!
//! Nothing here branches on a number or looks into a table at a place that a number says.
//!
//! Spec: IFMA.

use std::arch::x86_64::{
    __m256i, __m512i, _mm_extract_epi64, _mm256_add_epi64, _mm256_alignr_epi64, _mm256_and_si256,
    _mm256_cmpeq_epu64_mask, _mm256_cmpgt_epu64_mask, _mm256_madd52hi_epu64, _mm256_madd52lo_epu64,
    _mm256_mask_mov_epi64, _mm256_mask_sub_epi64, _mm256_setzero_si256, _mm256_srli_epi64, _mm512_add_epi64,
    _mm512_alignr_epi64, _mm512_and_si512, _mm512_castsi256_si512, _mm512_castsi512_si128,
    _mm512_castsi512_si256, _mm512_cmpeq_epi64_mask, _mm512_cmpeq_epu64_mask, _mm512_cmpgt_epu64_mask,
    _mm512_extracti64x4_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_mov_epi64,
    _mm512_mask_sub_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64,
};

use std::mem::swap;

use bytemuck::{must_cast_slice, must_cast_slice_mut};
use zeroize::Zeroize;

use super::machine::Field;
use super::number::Number;
use super::{ENTRIES, Job, WINDOW, significant_bits};

/// Bits of a limb.
const LIMB: u32 = 52;

/// The bits that a limb may have set.
const MASK: u64 = (1 << LIMB) - 1;

/// How many limbs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    L12,
    L20,
    L32,
    L40,
    L60,
    L80,
}

impl Shape {
    /// The least that is enough for so many digits of 256 bits, with two bits and more to spare.
    pub(super) const fn for_digits(digits: usize) -> Option<Self> {
        match digits {
            0..=2 => Some(Self::L12),
            3..=4 => Some(Self::L20),
            5..=6 => Some(Self::L32),
            7..=8 => Some(Self::L40),
            9..=12 => Some(Self::L60),
            13..=16 => Some(Self::L80),
            _ => None,
        }
    }

    pub(super) const fn radix_bits(self) -> u32 {
        LIMB * match self {
            Self::L12 => 12,
            Self::L20 => 20,
            Self::L32 => 32,
            Self::L40 => 40,
            Self::L60 => 60,
            Self::L80 => 80,
        }
    }
}

/// Does each job in its field.
#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
pub(super) fn execute<const K: usize>(
    shape: Shape,
    fields: &[Field<'_>; K],
    jobs: &[Job<'_>; K],
) -> [Number; K] {
    match shape {
        Shape::L12 => execute_in::<1, 1, K>(fields, jobs),
        Shape::L20 => execute_in::<2, 1, K>(fields, jobs),
        Shape::L32 => execute_in::<4, 0, K>(fields, jobs),
        Shape::L40 => execute_in::<5, 0, K>(fields, jobs),
        Shape::L60 => execute_in::<7, 1, K>(fields, jobs),
        Shape::L80 => execute_in::<10, 0, K>(fields, jobs),
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
fn execute_in<const Z: usize, const Y: usize, const K: usize>(
    fields: &[Field<'_>; K],
    jobs: &[Job<'_>; K],
) -> [Number; K] {
    let mut moduli = [Modulus::<Z, Y>::zero(); K];
    for (modulus, field) in moduli.iter_mut().zip(fields) {
        *modulus = Modulus::load(field);
    }
    let mut factors = [[Limbs::zero(); K], [Limbs::one(); K]];
    let [first, second] = &mut factors;
    if jobs.iter().all(|job| matches!(job, Job::Power { .. })) {
        *first = power(&moduli, jobs);
    } else {
        for (((first, second), modulus), job) in first.iter_mut().zip(second).zip(&moduli).zip(jobs) {
            match *job {
                Job::Multiply(a, b) => (*first, *second) = (Limbs::load(a), Limbs::load(b)),
                Job::PublicPower { base, exponent } => *first = public_power(modulus, base, exponent),
                Job::Power { .. } => [*first] = power(&[*modulus], &[*job]),
            }
        }
    }
    let [first, second] = &factors;
    let mut products = [Limbs::zero(); K];
    multiply(&moduli, first, second, &mut products);
    let mut results = [const { Number::NONE }; K];
    for ((result, product), field) in results.iter_mut().zip(&products).zip(fields) {
        *result = product.store(field.n);
    }
    factors.as_flattened_mut().iter_mut().chain(&mut products).for_each(Limbs::wipe);
    results
}

/// A row of 8 * Z + 4 * Y limbs, the least significant first; Y is 0 or 1.
#[derive(Clone, Copy)]
#[repr(C)]
struct Limbs<const Z: usize, const Y: usize> {
    z: [__m512i; Z],
    y: [__m256i; Y],
}

impl<const Z: usize, const Y: usize> Limbs<Z, Y> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn zero() -> Self {
        Self { z: [_mm512_setzero_si512(); Z], y: [_mm256_setzero_si256(); Y] }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn one() -> Self {
        let mut one = Self::zero();
        one.set_first(1);
        one
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    fn load(number: &Number) -> Self {
        let mut limbs = Self::zero();
        for (limb, start) in limbs.iter_mut().zip((0..).step_by(52)) {
            *limb = number.bits(start, LIMB);
        }
        limbs
    }

    /// The number, which is below 2n, modulo n.
    #[target_feature(enable = "avx512f,avx512vl")]
    fn store(&self, n: &Number) -> Number {
        let mut number = Number::zero(n.digits().len());
        let mut words = number.limbs_mut().iter_mut();
        let (mut pending, mut filled) = (0_u128, 0);
        let mut carry = 0;
        for limb in must_cast_slice::<__m512i, u64>(&self.z).iter().chain(must_cast_slice(&self.y)) {
            pending |= u128::from(*limb) << filled;
            filled += LIMB;
            if filled >= 64 {
                let [low, high] = [pending & u128::from(u64::MAX), pending >> 64];
                // What no word is left for is the one bit that 2n may have more than n.
                let low = u64::try_from(low).unwrap_or_default();
                match words.next() {
                    Some(word) => *word = low,
                    None => carry |= low,
                }
                (pending, filled) = (high, filled - 64);
            }
        }
        let rest = u64::try_from(pending).unwrap_or_default();
        match words.next() {
            Some(word) => *word = rest,
            None => carry |= rest,
        }
        number.subtract_once(n, carry != 0);
        number
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        must_cast_slice_mut(&mut self.z).iter_mut().chain(must_cast_slice_mut(&mut self.y))
    }

    /// The limb at `index` of the vectors of eight.
    #[inline]
    fn of_eight(&self, index: usize) -> u64 {
        must_cast_slice(&self.z).get(index).copied().unwrap_or_default()
    }

    /// The limb at `index` of the vector of four.
    #[inline]
    fn of_four(&self, index: usize) -> u64 {
        must_cast_slice(&self.y).get(index).copied().unwrap_or_default()
    }

    fn wipe(&mut self) {
        must_cast_slice_mut::<__m512i, u64>(&mut self.z).zeroize();
        must_cast_slice_mut::<__m256i, u64>(&mut self.y).zeroize();
    }

    /// Adds the low halves of the products of each limb with `factor`, of which only 52 bits count.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512ifma")]
    fn add_low_products(&mut self, limbs: &Self, factor: __m512i) {
        for (to, limbs) in self.z.iter_mut().zip(&limbs.z) {
            *to = _mm512_madd52lo_epu64(*to, *limbs, factor);
        }
        for (to, limbs) in self.y.iter_mut().zip(&limbs.y) {
            *to = _mm256_madd52lo_epu64(*to, *limbs, _mm512_castsi512_si256(factor));
        }
    }

    /// The same for the high halves.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512ifma")]
    fn add_high_products(&mut self, limbs: &Self, factor: __m512i) {
        for (to, limbs) in self.z.iter_mut().zip(&limbs.z) {
            *to = _mm512_madd52hi_epu64(*to, *limbs, factor);
        }
        for (to, limbs) in self.y.iter_mut().zip(&limbs.y) {
            *to = _mm256_madd52hi_epu64(*to, *limbs, _mm512_castsi512_si256(factor));
        }
    }

    /// Adds limb to limb.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn add_limbs(&mut self, limbs: &Self) {
        for (to, limbs) in self.z.iter_mut().zip(&limbs.z) {
            *to = _mm512_add_epi64(*to, *limbs);
        }
        for (to, limbs) in self.y.iter_mut().zip(&limbs.y) {
            *to = _mm256_add_epi64(*to, *limbs);
        }
    }

    /// Moves every limb down by one place; the first is lost, zero is the last.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn shift_down(&mut self) {
        let mut above = _mm512_setzero_si512();
        for y in self.y.iter_mut().rev() {
            let old = _mm512_castsi256_si512(*y);
            *y = _mm256_alignr_epi64::<1>(_mm512_castsi512_si256(above), *y);
            above = old;
        }
        for z in self.z.iter_mut().rev() {
            let old = *z;
            *z = _mm512_alignr_epi64::<1>(above, *z);
            above = old;
        }
    }

    /// The second limb.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn second(&self) -> u64 {
        let first_vector = self.z.first().copied().unwrap_or_else(|| _mm512_setzero_si512());
        _mm_extract_epi64::<1>(_mm512_castsi512_si128(first_vector)).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn set_first(&mut self, limb: u64) {
        if let Some(vector) = self.z.first_mut() {
            *vector = _mm512_mask_mov_epi64(*vector, 1, splat(limb));
        }
    }

    /// Carries what limbs have above 52 bits to the limbs above them.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn carry(&mut self) {
        let mask = splat(MASK);
        let mask_y = _mm512_castsi512_si256(mask);
        // Once, all at the same time: after that a limb has its 52 bits and at most a few more.
        let mut below = _mm512_setzero_si512();
        for z in &mut self.z {
            let high = _mm512_srli_epi64::<52>(*z);
            *z = _mm512_add_epi64(_mm512_and_si512(*z, mask), _mm512_alignr_epi64::<7>(high, below));
            below = high;
        }
        let mut below = _mm512_extracti64x4_epi64::<1>(below);
        for y in &mut self.y {
            let high = _mm256_srli_epi64::<52>(*y);
            *y = _mm256_add_epi64(_mm256_and_si256(*y, mask_y), _mm256_alignr_epi64::<3>(high, below));
            below = high;
        }
        // Now no limb carries more than one. A limb carries if it is above the mask, or if it is the mask and the one
        // below carries: which of them do is the sum of two numbers with a bit for each limb.
        let (mut above, mut equal) = (0_u128, 0_u128);
        for y in self.y.iter().rev() {
            above = above << 4 | u128::from(_mm256_cmpgt_epu64_mask(*y, mask_y));
            equal = equal << 4 | u128::from(_mm256_cmpeq_epu64_mask(*y, mask_y));
        }
        for z in self.z.iter().rev() {
            above = above << 8 | u128::from(_mm512_cmpgt_epu64_mask(*z, mask));
            equal = equal << 8 | u128::from(_mm512_cmpeq_epu64_mask(*z, mask));
        }
        let mut carries = match (u64::try_from(above), u64::try_from(equal)) {
            // Known when this is compiled, since so is how many limbs there are.
            (Ok(above), Ok(equal)) if 8 * Z + 4 * Y < 64 => {
                u128::from((above << 1).wrapping_add(equal) ^ equal)
            }
            _ => (above << 1).wrapping_add(equal) ^ equal,
        };
        let minus_one = splat(u64::MAX);
        for z in &mut self.z {
            *z = _mm512_and_si512(_mm512_mask_sub_epi64(*z, lowest(carries), *z, minus_one), mask);
            carries >>= 8;
        }
        for y in &mut self.y {
            let minus_one = _mm512_castsi512_si256(minus_one);
            *y = _mm256_and_si256(_mm256_mask_sub_epi64(*y, lowest(carries), *y, minus_one), mask_y);
        }
    }

    /// Takes the limbs of `other` if `condition` is set, in every bit.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn replace_if(&mut self, condition: u8, other: &Self) {
        for (to, other) in self.z.iter_mut().zip(&other.z) {
            *to = _mm512_mask_mov_epi64(*to, condition, *other);
        }
        for (to, other) in self.y.iter_mut().zip(&other.y) {
            *to = _mm256_mask_mov_epi64(*to, condition, *other);
        }
    }
}

/// The eight lowest bits.
#[inline]
const fn lowest(bits: u128) -> u8 {
    let [byte, ..] = bits.to_le_bytes();
    byte
}

/// The same in all eight limbs.
#[inline]
#[target_feature(enable = "avx512f")]
fn splat(limb: u64) -> __m512i {
    _mm512_set1_epi64(limb.cast_signed())
}

/// The low and the high half of the product of two limbs.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn product(a: u64, b: u64) -> [u64; 2] {
    let product = (a << (64 - LIMB)) as u128 * b as u128;
    [product as u64 >> (64 - LIMB), (product >> 64) as u64]
}

/// An odd modulus with what the multiplication needs.
#[derive(Clone, Copy)]
struct Modulus<const Z: usize, const Y: usize> {
    n: Limbs<Z, Y>,
    rr: Limbs<Z, Y>,
    /// -1/n modulo 2^52, with more bits before it.
    n0: u64,
}

impl<const Z: usize, const Y: usize> Modulus<Z, Y> {
    #[target_feature(enable = "avx512f,avx512vl")]
    fn zero() -> Self {
        Self { n: Limbs::zero(), rr: Limbs::zero(), n0: 0 }
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    fn load(field: &Field<'_>) -> Self {
        let n0 = field.n0.limbs().first().copied().unwrap_or_default();
        Self { n: Limbs::load(field.n), rr: Limbs::load(field.rr), n0 }
    }
}

/// One multiplication on its way, a limb of one factor at a time:
///
/// ```text
/// sum = (sum + a * limb + m * n) / 2^52        with m such that the division leaves nothing
/// ```
///
/// The sums of the limbs are left as they come, and carried at the end. The lowest alone is needed at each step, for m:
/// it is kept apart, with all that was carried into it, in a register for numbers; the lowest limb of `sum` is wrong.
/// So what the vectors wait for is short, and two multiplications side by side take hardly longer than one.
#[derive(Clone, Copy)]
struct Multiplication<const Z: usize, const Y: usize> {
    a: Limbs<Z, Y>,
    n: Limbs<Z, Y>,
    n0: u64,
    sum: Limbs<Z, Y>,
    /// The lowest limb of the sum.
    lowest: u64,
    /// The last limb of the other factor, and m. The high halves of what they give, which belong to the next limb
    /// up, are still to be added to the others than the lowest.
    limb: __m512i,
    m: __m512i,
}

impl<const Z: usize, const Y: usize> Multiplication<Z, Y> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn zero() -> Self {
        let (zero, none) = (Limbs::zero(), _mm512_setzero_si512());
        Self { a: zero, n: zero, n0: 0, sum: zero, lowest: 0, limb: none, m: none }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512ifma")]
    fn step(&mut self, limb: u64) {
        let [low, high] = product(self.a.of_eight(0), limb);
        let lowest = self.lowest + low;
        let m = lowest.wrapping_mul(self.n0);
        let mut addend = Limbs::zero();
        addend.add_high_products(&self.a, self.limb);
        addend.add_high_products(&self.n, self.m);
        (self.limb, self.m) = (splat(limb), splat(m));
        addend.add_low_products(&self.a, self.limb);
        self.sum.add_limbs(&addend);
        // lowest + m * n is zero in its 52 bits: what is carried is lowest / 2^52, rounded up.
        let [_, high_of_n] = product(self.n.of_eight(0), m & MASK);
        let second_of_n = self.n.of_eight(1).wrapping_mul(m) & MASK;
        self.lowest = ((lowest + MASK) >> LIMB) + self.sum.second() + high + high_of_n + second_of_n;
        self.sum.add_low_products(&self.n, self.m);
        self.sum.shift_down();
    }

    /// The product divided by R, below 2n.
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl,avx512ifma")]
    fn finish(mut self) -> Limbs<Z, Y> {
        self.sum.add_high_products(&self.a, self.limb);
        self.sum.add_high_products(&self.n, self.m);
        self.sum.set_first(self.lowest);
        self.sum.carry();
        self.sum
    }
}

/// a * b / R modulo n, below 2n; in K fields at once.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
fn multiply<const Z: usize, const Y: usize, const K: usize>(
    moduli: &[Modulus<Z, Y>; K],
    a: &[Limbs<Z, Y>; K],
    b: &[Limbs<Z, Y>; K],
    product: &mut [Limbs<Z, Y>; K],
) {
    let mut multiplications = [Multiplication::zero(); K];
    for ((multiplication, modulus), a) in multiplications.iter_mut().zip(moduli).zip(a) {
        (multiplication.a, multiplication.n, multiplication.n0) = (*a, modulus.n, modulus.n0);
    }
    for index in 0..8 * Z {
        for (multiplication, b) in multiplications.iter_mut().zip(b) {
            multiplication.step(b.of_eight(index));
        }
    }
    for index in 0..4 * Y {
        for (multiplication, b) in multiplications.iter_mut().zip(b) {
            multiplication.step(b.of_four(index));
        }
    }
    for (product, multiplication) in product.iter_mut().zip(multiplications) {
        *product = multiplication.finish();
    }
}

/// Powers with secret exponents, times R: five bits at a time, the table read whole for each.
#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
fn power<const Z: usize, const Y: usize, const K: usize>(
    moduli: &[Modulus<Z, Y>; K],
    jobs: &[Job<'_>; K],
) -> [Limbs<Z, Y>; K] {
    let mut bases = [Limbs::zero(); K];
    let mut windows = 0;
    for (to, job) in bases.iter_mut().zip(jobs) {
        if let Job::Power { base, bits, .. } = job {
            *to = Limbs::load(base);
            windows = windows.max(bits.div_ceil(WINDOW));
        }
    }
    let mut table = table(moduli, &bases);
    let (mut x, mut y) = (&mut select(&table, jobs, windows - 1), &mut bases);
    for window in (0..windows - 1).rev() {
        for _ in 0..WINDOW {
            multiply(moduli, x, x, y);
            swap(&mut x, &mut y);
        }
        multiply(moduli, x, &select(&table, jobs, window), y);
        swap(&mut x, &mut y);
    }
    let result = *x;
    table.as_flattened_mut().iter_mut().chain(x).chain(y).for_each(Limbs::wipe);
    result
}

/// The powers of each base from 0 on, times R.
#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
fn table<const Z: usize, const Y: usize, const K: usize>(
    moduli: &[Modulus<Z, Y>; K],
    bases: &[Limbs<Z, Y>; K],
) -> [[Limbs<Z, Y>; K]; ENTRIES] {
    let mut rr = [Limbs::zero(); K];
    for (rr, modulus) in rr.iter_mut().zip(moduli) {
        *rr = modulus.rr;
    }
    let (mut base, mut table) = ([Limbs::zero(); K], [[Limbs::zero(); K]; ENTRIES]);
    multiply(moduli, bases, &rr, &mut base);
    let mut entries = table.iter_mut();
    let Some(mut last) = entries.next() else { return table };
    multiply(moduli, &[Limbs::one(); K], &rr, last);
    for entry in entries {
        multiply(moduli, last, &base, entry);
        last = entry;
    }
    base.iter_mut().for_each(Limbs::wipe);
    table
}

/// The entry of each table that the window of the exponent says; all of them are touched.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn select<const Z: usize, const Y: usize, const K: usize>(
    table: &[[Limbs<Z, Y>; K]; ENTRIES],
    jobs: &[Job<'_>; K],
    window: u32,
) -> [Limbs<Z, Y>; K] {
    let mut selected = [Limbs::zero(); K];
    let mut indices = [_mm512_setzero_si512(); K];
    for (index, job) in indices.iter_mut().zip(jobs) {
        if let Job::Power { exponent, .. } = job {
            *index = splat(exponent.bits(window * WINDOW, WINDOW));
        }
    }
    for (number, entries) in (0..).zip(table) {
        for ((selected, entry), index) in selected.iter_mut().zip(entries).zip(&indices) {
            selected.replace_if(_mm512_cmpeq_epi64_mask(*index, splat(number)), entry);
        }
    }
    selected
}

/// `base` to a public exponent, times R. The time depends on the exponent.
#[target_feature(enable = "avx512f,avx512vl,avx512ifma,bmi2")]
fn public_power<const Z: usize, const Y: usize>(
    modulus: &Modulus<Z, Y>,
    base: &Number,
    exponent: &[u8],
) -> Limbs<Z, Y> {
    let modulus = [*modulus];
    let [Modulus { rr, .. }] = modulus;
    let mut factor = [Limbs::zero()];
    multiply(&modulus, &[Limbs::load(base)], &[rr], &mut factor);
    let mut buffers = ([Limbs::zero()], [Limbs::zero()]);
    let (mut x, mut y) = (&mut buffers.0, &mut buffers.1);
    let mut bits = significant_bits(exponent);
    // The first bit is set, unless there is none.
    match bits.next() {
        Some(_) => *x = factor,
        None => multiply(&modulus, &[Limbs::one()], &[rr], x),
    }
    for bit in bits {
        multiply(&modulus, x, x, y);
        swap(&mut x, &mut y);
        if bit {
            multiply(&modulus, x, &factor, y);
            swap(&mut x, &mut y);
        }
    }
    let [result] = *x;
    result
}
