//! Numbers in digits of 256 bits: what the portable arithmetic is made of.
//!
//! A digit is four limbs, since the products of four limbs with four others fit into the registers of a 64-bit machine:
//! between them nothing goes to memory. Everything here takes the same time whatever the numbers are.

/// Four limbs, the least significant first.
pub(super) type Digit = [u64; 4];

/// The bits of so many digits.
#[expect(clippy::cast_possible_truncation, reason = "no number here has 2^32 bits")]
pub(super) const fn bits(digits: usize) -> u32 {
    digits as u32 * 256
}

pub(super) const ZERO: Digit = [0; 4];

/// The low and the high half.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn halves(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}

/// a * b.
#[inline(always)]
fn product(a: u64, b: u64) -> (u64, u64) {
    halves(u128::from(a) * u128::from(b))
}

/// t + a * b.
#[inline(always)]
fn product_and(t: u64, a: u64, b: u64, carry: u64) -> (u64, u64) {
    halves(u128::from(t) + u128::from(a) * u128::from(b) + u128::from(carry))
}

/// a + b + carry.
///
/// The intrinsic yields the same as the lines below it; but those the compiler rearranges into more instructions than a
/// chain of additions with carry has.
#[inline(always)]
fn add_limbs(a: u64, b: u64, carry: bool) -> (u64, bool) {
    #[cfg(target_arch = "x86_64")]
    {
        let mut sum = 0;
        let carry = std::arch::x86_64::_addcarry_u64(u8::from(carry), a, b, &mut sum);
        (sum, carry != 0)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let (sum, first) = a.overflowing_add(b);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        (sum, first | second)
    }
}

/// a - b - borrow.
#[inline(always)]
fn sub_limbs(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    #[cfg(target_arch = "x86_64")]
    {
        let mut difference = 0;
        let borrow = std::arch::x86_64::_subborrow_u64(u8::from(borrow), a, b, &mut difference);
        (difference, borrow != 0)
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let (difference, first) = a.overflowing_sub(b);
        let (difference, second) = difference.overflowing_sub(u64::from(borrow));
        (difference, first | second)
    }
}

/// a + b + carry.
#[inline(always)]
pub(super) fn add(mut a: Digit, b: Digit, mut carry: bool) -> (Digit, bool) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, carry) = add_limbs(*a, b, carry);
    }
    (a, carry)
}

/// a - b - borrow.
#[inline(always)]
pub(super) fn sub(mut a: Digit, b: Digit, mut borrow: bool) -> (Digit, bool) {
    for (a, b) in a.iter_mut().zip(b) {
        (*a, borrow) = sub_limbs(*a, b, borrow);
    }
    (a, borrow)
}

/// The digit if all bits of the mask are set, or zero if none is.
#[inline(always)]
pub(super) fn masked(digit: &Digit, mask: u64) -> Digit {
    digit.map(|limb| limb & mask)
}

/// t + a * b + c, as low and high digit: it cannot be more than both hold.
#[inline(always)]
pub(super) fn mul_add(t: Digit, a: &Digit, b: &Digit, c: Digit) -> (Digit, Digit) {
    let [mut t0, mut t1, mut t2, mut t3] = t;
    let [a0, a1, a2, a3] = *a;
    let mut low = ZERO;
    for ((low, b), c) in low.iter_mut().zip(b).zip(c) {
        let (l0, h0) = product(a0, *b);
        let (l1, h1) = product(a1, *b);
        let (l2, h2) = product(a2, *b);
        let (l3, h3) = product(a3, *b);
        // Two chains of carries, the high halves one limb above the low ones. The second goes down by one limb.
        let mut carry;
        (t0, carry) = add_limbs(t0, c, false);
        (t1, carry) = add_limbs(t1, h0, carry);
        (t2, carry) = add_limbs(t2, h1, carry);
        (t3, carry) = add_limbs(t3, h2, carry);
        let (t4, _) = add_limbs(h3, 0, carry);
        (*low, carry) = add_limbs(t0, l0, false);
        (t0, carry) = add_limbs(t1, l1, carry);
        (t1, carry) = add_limbs(t2, l2, carry);
        (t2, carry) = add_limbs(t3, l3, carry);
        (t3, _) = add_limbs(t4, 0, carry);
    }
    (low, [t0, t1, t2, t3])
}

/// a * b without its high digit.
#[inline(always)]
pub(super) fn mul_low(a: &Digit, b: &Digit) -> Digit {
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (*a, *b);
    let (t0, high) = product(a0, b0);
    let (t1, high) = product_and(high, a1, b0, 0);
    let (t2, high) = product_and(high, a2, b0, 0);
    let t3 = high.wrapping_add(a3.wrapping_mul(b0));
    let (t1, high) = product_and(t1, a0, b1, 0);
    let (t2, high) = product_and(t2, a1, b1, high);
    let t3 = t3.wrapping_add(high).wrapping_add(a2.wrapping_mul(b1));
    let (t2, high) = product_and(t2, a0, b2, 0);
    let t3 = t3.wrapping_add(high).wrapping_add(a1.wrapping_mul(b2));
    [t0, t1, t2, t3.wrapping_add(a0.wrapping_mul(b3))]
}

/// The sum of the products of different limbs of a, each once, as low and high digit.
#[inline(always)]
pub(super) fn mixed_products(a: &Digit) -> [Digit; 2] {
    let [a0, a1, a2, a3] = *a;
    let (t1, high) = product(a0, a1);
    let (t2, high) = product_and(high, a0, a2, 0);
    let (t3, t4) = product_and(high, a0, a3, 0);
    let (t3, high) = product_and(t3, a1, a2, 0);
    let (t4, high) = product_and(t4, a1, a3, high);
    let (t5, t6) = product_and(high, a2, a3, 0);
    [[0, t1, t2, t3], [t4, t5, t6, 0]]
}

/// The squares of the limbs, next to each other.
#[inline(always)]
pub(super) fn squares(a: &Digit) -> [Digit; 2] {
    let [a0, a1, a2, a3] = a.map(|limb| product(limb, limb));
    [[a0.0, a0.1, a1.0, a1.1], [a2.0, a2.1, a3.0, a3.1]]
}

/// -1/n modulo 2^256, for an odd n.
pub(super) fn negative_inverse(n: &Digit) -> Digit {
    // An odd number is its own inverse modulo 8; each round of x * (2 - n * x) doubles how many bits are right.
    let mut inverse = *n;
    for _ in 0..7 {
        let (two_minus, _) = sub([2, 0, 0, 0], mul_low(n, &inverse), false);
        inverse = mul_low(&inverse, &two_minus);
    }
    sub(ZERO, inverse, false).0
}
