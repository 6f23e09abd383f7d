//! Montgomery's multiplication with the multiplier that every 64-bit machine has, in digits of 256 bits.

use std::hint::black_box;

use zeroize::Zeroizing;

use super::digit::{self, Digit, ZERO};
use super::machine::Field;
use super::number::{Number, subtract_once};
use super::{ENTRIES, Job, WINDOW, significant_bits};

/// Does a job.
pub(super) fn execute(field: &Field<'_>, job: &Job<'_>) -> Number {
    let digits = field.n.digits().len();
    let mut workspace = Zeroizing::new(vec![ZERO; 2 * digits]);
    let mut result = Number::zero(digits);
    let power = match *job {
        Job::Multiply(_, _) => Number::zero(0),
        Job::Power { base, exponent, bits } => power(field, &mut workspace, base, exponent, bits),
        Job::PublicPower { base, exponent } => public_power(field, &mut workspace, base, exponent),
    };
    let one = Number::one(digits);
    let (a, b) = match *job {
        Job::Multiply(a, b) => (a, b),
        _ => (&power, &one),
    };
    multiply(field, &mut workspace, a.digits(), b.digits(), result.digits_mut());
    result
}

/// a * b / R modulo n.
#[inline(always)]
fn multiply(field: &Field<'_>, t: &mut [Digit], a: &[Digit], b: &[Digit], out: &mut [Digit]) {
    t.fill(ZERO);
    for (index, b) in b.iter().enumerate() {
        let Some((row, [last, ..])) = t.get_mut(index..).and_then(|t| t.split_at_mut_checked(a.len())) else {
            return;
        };
        let mut carry = ZERO;
        for (t, a) in row.iter_mut().zip(a) {
            (*t, carry) = digit::mul_add(*t, a, b, carry);
        }
        *last = carry;
    }
    reduce(field, t, out);
}

/// a * a / R modulo n: the products of different limbs once, twice that, and the squares of the limbs.
#[inline(always)]
fn square(field: &Field<'_>, t: &mut [Digit], a: &[Digit], out: &mut [Digit]) {
    t.fill(ZERO);
    let (mut index, mut rest) = (1, a);
    while let Some((first, others)) = rest.split_first() {
        let Some((row, [last, ..])) = t.get_mut(index..).and_then(|t| t.split_at_mut_checked(others.len()))
        else {
            return;
        };
        let mut carry = ZERO;
        for (t, other) in row.iter_mut().zip(others) {
            (*t, carry) = digit::mul_add(*t, other, first, carry);
        }
        *last = carry;
        (index, rest) = (index + 2, others);
    }
    let mut carry = false;
    for (pair, a) in t.as_chunks_mut::<2>().0.iter_mut().zip(a) {
        for (to, products) in pair.iter_mut().zip(digit::mixed_products(a)) {
            (*to, carry) = digit::add(*to, products, carry);
        }
    }
    let (mut carry_of_double, mut carry_of_sum) = (false, false);
    for (pair, a) in t.as_chunks_mut::<2>().0.iter_mut().zip(a) {
        for (to, squares) in pair.iter_mut().zip(digit::squares(a)) {
            (*to, carry_of_double) = digit::add(*to, *to, carry_of_double);
            (*to, carry_of_sum) = digit::add(*to, squares, carry_of_sum);
        }
    }
    reduce(field, t, out);
}

/// t / R modulo n: digit by digit a multiple of n is added that makes it zero. What t holds after is of no use.
#[inline(always)]
fn reduce(field: &Field<'_>, t: &mut [Digit], out: &mut [Digit]) {
    let n = field.n.digits();
    let Some(n0) = field.n0.digits().first() else { return };
    let mut top = false;
    for index in 0..n.len() {
        let Some((row, [last, ..])) = t.get_mut(index..).and_then(|t| t.split_at_mut_checked(n.len())) else {
            return;
        };
        let Some(first) = row.first() else { return };
        let multiple = digit::mul_low(first, n0);
        let mut carry = ZERO;
        for (t, n) in row.iter_mut().zip(n) {
            (*t, carry) = digit::mul_add(*t, n, &multiple, carry);
        }
        (*last, top) = digit::add(*last, carry, top);
    }
    let high = t.iter().skip(n.len());
    out.iter_mut().zip(high).for_each(|(out, high)| *out = *high);
    subtract_once(out, n, top);
}

/// `base` to a secret exponent of so many bits, times R: five bits at a time, the table read whole for each.
#[inline(always)]
fn power(field: &Field<'_>, workspace: &mut [Digit], base: &Number, exponent: &Number, bits: u32) -> Number {
    let digits = field.n.digits().len();
    let one = Number::one(digits);
    let mut table = Zeroizing::new(vec![ZERO; ENTRIES * digits]);
    let (mut result, mut next) = (Number::zero(digits), Number::zero(digits));
    for index in 0..ENTRIES {
        let entry = |index: usize| table.get(index * digits..(index + 1) * digits).unwrap_or_default();
        let (a, b) = match index {
            0 => (one.digits(), field.rr.digits()),
            1 => (base.digits(), field.rr.digits()),
            _ => (entry(index - 1), entry(1)),
        };
        multiply(field, workspace, a, b, next.digits_mut());
        table.iter_mut().skip(index * digits).zip(next.digits()).for_each(|(to, digit)| *to = *digit);
    }
    let mut factor = Number::zero(digits);
    let mut windows = (0..bits.div_ceil(WINDOW)).rev().map(|window| exponent.bits(window * WINDOW, WINDOW));
    select(&table, windows.next().unwrap_or_default(), result.digits_mut());
    for window in windows {
        for _ in 0..WINDOW {
            square(field, workspace, result.digits(), next.digits_mut());
            std::mem::swap(&mut result, &mut next);
        }
        select(&table, window, factor.digits_mut());
        multiply(field, workspace, result.digits(), factor.digits(), next.digits_mut());
        std::mem::swap(&mut result, &mut next);
    }
    result
}

/// Copies the entry of a secret index, and touches all.
#[inline(always)]
fn select(table: &[Digit], index: u64, out: &mut [Digit]) {
    out.fill(ZERO);
    for (number, entry) in (0_u64..).zip(table.chunks_exact(out.len())) {
        // All ones if they are the same: both are far below 2^63.
        let mask = black_box((number ^ index).wrapping_sub(1) >> 63).wrapping_neg();
        for (to, limb) in out.as_flattened_mut().iter_mut().zip(entry.as_flattened()) {
            *to |= limb & mask;
        }
    }
}

/// `base` to a public exponent, big-endian, times R. The time depends on the exponent, not on the base.
#[inline(always)]
fn public_power(field: &Field<'_>, workspace: &mut [Digit], base: &Number, exponent: &[u8]) -> Number {
    let digits = field.n.digits().len();
    let one = Number::one(digits);
    let (mut factor, mut result) = (Number::zero(digits), Number::zero(digits));
    for (from, to) in [(base, &mut factor), (&one, &mut result)] {
        multiply(field, workspace, from.digits(), field.rr.digits(), to.digits_mut());
    }
    let mut next = Number::zero(digits);
    for bit in significant_bits(exponent) {
        square(field, workspace, result.digits(), next.digits_mut());
        std::mem::swap(&mut result, &mut next);
        if bit {
            multiply(field, workspace, result.digits(), factor.digits(), next.digits_mut());
            std::mem::swap(&mut result, &mut next);
        }
    }
    result
}
