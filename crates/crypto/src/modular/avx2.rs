//! Montgomery's multiplication with AVX2, which multiplies four pairs of 32 bits at once.
//!
//! A number is a row of limbs of 29 bits, in vectors of four. Each limb has 64 bits of room, so that the products which
//! belong to a place are summed without carries: 2^64 holds as many times 2^58 as a modulus of 1600 bits needs, and for
//! longer ones what is above 29 bits is carried up now and then. A limb of a factor may have a little more than 29 bits
//! itself, and R is three bits or more above n, so that no product needs a last carry or a final subtraction to be a
//! factor of the next: everything stays below 2n ("almost Montgomery multiplication").
//!
//! How often n is to be added, so that the sum can be divided by R, is not found limb after limb, each of which would wait
//! for the one before. It is one more product, with -1/n modulo R, of which the lower half is computed; and of what is
//! added then only the upper half. Together they take no more multiplications, and none of them waits for another.
//!
//! Eight limbs of one factor go along the other at once. The places of their products are up to three limbs apart within
//! a vector, so the other factor is read at four places, one limb apart.
//!
//! Nothing here branches on a number or looks into a table at a place that a number says.
//!
//! Spec: AVX2.

mod place;
mod row;

use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi64, _mm256_or_si256, _mm256_setzero_si256, _mm256_slli_epi64,
    _mm256_srli_epi64,
};
use std::array::from_fn;
use std::mem::swap;

use zeroize::Zeroizing;

use self::place::Place;
use self::row::{Row, rows, splat, zeros};
use super::machine::Field;
use super::number::Number;
use super::{ENTRIES, Job, WINDOW, significant_bits};

/// A modulus of fewer digits of 256 bits is better off with the portable arithmetic.
pub(super) const LEAST: usize = 3;

/// Bits of a limb.
const LIMB: u32 = 29;

/// How many vectors a number has for a modulus of so many digits of 256 bits, with three bits and more to spare.
const fn vectors(digits: usize) -> usize {
    (256 * digits + 3).div_ceil(4 * LIMB as usize)
}

/// R is 2 to so many.
#[expect(clippy::cast_possible_truncation, reason = "no number here has 2^32 bits")]
pub(super) const fn radix_bits(digits: usize) -> u32 {
    vectors(digits) as u32 * 4 * LIMB
}

/// How many digits of 256 bits -1/n must have.
pub(super) const fn inverse_digits(digits: usize) -> usize {
    radix_bits(digits).div_ceil(256) as usize
}

/// Does each job in its field, all with moduli of as many digits.
#[target_feature(enable = "avx2")]
pub(super) fn execute<const K: usize>(fields: &[Field<'_>; K], jobs: &[Job<'_>; K]) -> [Number; K] {
    let mut places = fields.each_ref().map(Place::new);
    let count = count(&places);
    let (mut first, mut second) = (rows(count), rows(count));
    second.iter_mut().for_each(Row::set_one);
    if jobs.iter().all(|job| matches!(job, Job::Power { .. })) {
        first = power(&mut places, fields, jobs);
    } else {
        let (each, places) = (fields.iter().zip(jobs), places.iter_mut());
        for (((first, second), (field, job)), place) in
            first.iter_mut().zip(&mut second).zip(each).zip(places)
        {
            let place = std::array::from_mut(place);
            match *job {
                Job::Multiply(a, b) => {
                    first.load(a);
                    second.load(b);
                }
                Job::PublicPower { base, exponent } => [*first] = public_power(place, field, base, exponent),
                Job::Power { .. } => [*first] = power(place, &[*field], &[*job]),
            }
        }
    }
    let mut products = rows(count);
    multiply(&mut places, &first, &second, &mut products);
    let mut results = [const { Number::NONE }; K];
    for ((result, product), field) in results.iter_mut().zip(&products).zip(fields) {
        *result = product.store(field.n);
    }
    results
}

/// How many vectors a row has.
fn count(places: &[Place]) -> usize {
    places.first().map_or(0, |place| place.n.count())
}

/// a * b / R modulo n, below 2n; in K fields at once, since a processor that has to wait in one goes on in the other.
#[target_feature(enable = "avx2")]
fn multiply<const K: usize>(places: &mut [Place; K], a: &[Row; K], b: &[Row; K], out: &mut [Row; K]) {
    for ((place, a), b) in places.iter_mut().zip(a).zip(b) {
        place.multiply(a, b);
    }
    reduce(places, out);
}

/// a * a / R modulo n, in the same way.
#[target_feature(enable = "avx2")]
fn square<const K: usize>(places: &mut [Place; K], a: &[Row; K], out: &mut [Row; K]) {
    for (place, a) in places.iter_mut().zip(a) {
        place.square(a);
    }
    reduce(places, out);
}

#[target_feature(enable = "avx2")]
fn reduce<const K: usize>(places: &mut [Place; K], out: &mut [Row; K]) {
    for place in &mut *places {
        place.divide();
    }
    for (place, out) in places.iter_mut().zip(out) {
        place.finish(out);
    }
}

/// Powers with secret exponents, times R: five bits at a time, the table read whole for each.
#[target_feature(enable = "avx2")]
fn power<const K: usize>(places: &mut [Place; K], fields: &[Field<'_>; K], jobs: &[Job<'_>; K]) -> [Row; K] {
    let count = count(places);
    let mut bases: [Row; K] = rows(count);
    let mut windows = 0;
    for (to, job) in bases.iter_mut().zip(jobs) {
        if let Job::Power { base, bits, .. } = job {
            to.load(base);
            windows = windows.max(bits.div_ceil(WINDOW));
        }
    }
    let tables = tables(places, fields, &bases);
    let (mut x, mut y) = (rows(count), rows(count));
    select(&tables, jobs, windows.saturating_sub(1), &mut x);
    let mut factors = bases;
    for window in (0..windows.saturating_sub(1)).rev() {
        for _ in 0..WINDOW {
            square(places, &x, &mut y);
            swap(&mut x, &mut y);
        }
        select(&tables, jobs, window, &mut factors);
        multiply(places, &x, &factors, &mut y);
        swap(&mut x, &mut y);
    }
    x
}

/// The powers of a base from 0 on, times R. Two limbs lie in the 64 bits of one.
struct Table(Zeroizing<Vec<__m256i>>);

#[target_feature(enable = "avx2")]
fn tables<const K: usize>(places: &mut [Place; K], fields: &[Field<'_>; K], bases: &[Row; K]) -> [Table; K] {
    let count = count(places);
    let rr = fields.each_ref().map(|field| Row::loaded(field.rr, count));
    let mut tables = from_fn(|_| Table(zeros(count.div_ceil(2) * ENTRIES)));
    let (mut base, mut last, mut next) = (rows(count), rows(count), rows(count));
    multiply(places, bases, &rr, &mut base);
    next.iter_mut().for_each(Row::set_one);
    for entry in 0..ENTRIES {
        multiply(places, &next, if entry == 0 { &rr } else { &base }, &mut last);
        swap(&mut last, &mut next);
        for (table, row) in tables.iter_mut().zip(&next) {
            table.put(entry, row);
        }
    }
    tables
}

impl Table {
    #[target_feature(enable = "avx2")]
    fn put(&mut self, entry: usize, row: &Row) {
        let places = self.0.iter_mut().skip(entry).step_by(ENTRIES);
        for (to, vectors) in places.zip(row.vectors().chunks(2)) {
            if let [low, high @ ..] = vectors {
                let high = high.first().map_or(_mm256_setzero_si256(), |high| _mm256_slli_epi64::<32>(*high));
                *to = _mm256_or_si256(*low, high);
            }
        }
    }

    /// The entry of a secret index; all are touched.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn select(&self, index: u64, row: &mut Row) {
        let index = splat(index);
        let low_halves = splat(u64::from(u32::MAX));
        let entries = self.0.as_chunks::<ENTRIES>().0;
        for (entries, to) in entries.iter().zip(row.vectors_mut().chunks_mut(2)) {
            let mut selected = _mm256_setzero_si256();
            for (number, entry) in (0..).zip(entries) {
                let mask = _mm256_cmpeq_epi64(index, splat(number));
                selected = _mm256_or_si256(selected, _mm256_and_si256(*entry, mask));
            }
            let halves = [_mm256_and_si256(selected, low_halves), _mm256_srli_epi64::<32>(selected)];
            to.iter_mut().zip(halves).for_each(|(to, half)| *to = half);
        }
    }
}

/// The entry of each table that the window of the exponent says.
#[inline]
#[target_feature(enable = "avx2")]
fn select<const K: usize>(tables: &[Table; K], jobs: &[Job<'_>; K], window: u32, rows: &mut [Row; K]) {
    for ((table, job), row) in tables.iter().zip(jobs).zip(rows) {
        if let Job::Power { exponent, .. } = job {
            table.select(exponent.bits(window * WINDOW, WINDOW), row);
        }
    }
}

/// `base` to a public exponent, times R. The time depends on the exponent.
#[target_feature(enable = "avx2")]
fn public_power(place: &mut [Place; 1], field: &Field<'_>, base: &Number, exponent: &[u8]) -> [Row; 1] {
    let count = count(place);
    let rr = [Row::loaded(field.rr, count)];
    let (mut factor, mut x, mut y) = (rows(count), rows(count), rows(count));
    multiply(place, &[Row::loaded(base, count)], &rr, &mut factor);
    y.iter_mut().for_each(Row::set_one);
    multiply(place, &y, &rr, &mut x);
    for bit in significant_bits(exponent) {
        square(place, &x, &mut y);
        swap(&mut x, &mut y);
        if bit {
            multiply(place, &x, &factor, &mut y);
            swap(&mut x, &mut y);
        }
    }
    x
}
