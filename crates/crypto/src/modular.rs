//! Arithmetic modulo an odd number, in time that depends on lengths only except where it is said.
//!
//! All of it is Montgomery's multiplication, in the version that suits the machine best; [`machine`] chooses.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod digit;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod machine;
mod number;
mod scalar;
#[cfg(test)]
mod tests;

use zeroize::Zeroizing;

use self::machine::{Engine, Field};
pub(crate) use self::number::Number;
use crate::asn1::without_leading_zeros;

/// How many bits of a secret exponent are taken at a time.
const WINDOW: u32 = 5;

/// The entries of a table of powers: one for each value of so many bits.
const ENTRIES: usize = 1 << WINDOW;

/// What an [`Engine`] can do. R is the engine's own.
#[derive(Clone, Copy)]
enum Job<'a> {
    /// a * b / R modulo n. One of them is below n, the other below 2^(the bits of n, to whole digits).
    Multiply(&'a Number, &'a Number),
    /// `base` to a secret exponent of so many bits.
    Power { base: &'a Number, exponent: &'a Number, bits: u32 },
    /// `base` to a public exponent, big-endian, on which the time depends.
    PublicPower { base: &'a Number, exponent: &'a [u8] },
}

/// An odd modulus of 3 or more. It is a secret itself, except for the number of its bits. Numbers that go in are below
/// it, as are those that come out.
pub(crate) struct Modulus {
    bytes: Zeroizing<Vec<u8>>,
    n: Number,
    /// -1/n modulo 2^256, or with more digits.
    n0: Number,
    bits: u32,
    engine: Engine,
    /// R modulo n.
    r: Number,
    /// R^2 modulo n.
    rr: Number,
}

/// A number below the modulus, times R: the product with it is a single multiplication.
pub(crate) struct Prepared(Number);

impl Modulus {
    /// Refuses an even number, 1 and 0. The number of its bits is taken to be public.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        Self::with_engine(bytes, Engine::best)
    }

    fn with_engine(bytes: &[u8], engine: impl FnOnce(usize) -> Engine) -> Option<Self> {
        let bytes = without_leading_zeros(bytes);
        let (first, last) = bytes.first().zip(bytes.last())?;
        let bits = u32::try_from(bytes.len()).ok()?.checked_mul(8)? - first.leading_zeros();
        if last % 2 == 0 || bits < 2 {
            return None;
        }
        let n = Number::from_bytes(bytes);
        let engine = engine(n.digits().len());
        let r = power_of_two(&n, bits, engine.radix_bits());
        let n0 = n.negative_inverse(engine.inverse_digits());
        let bytes = Zeroizing::new(bytes.to_vec());
        let mut modulus = Self { bytes, rr: r.clone(), r, n, n0, bits, engine };
        modulus.rr = modulus.radix_squared();
        Some(modulus)
    }

    /// R^2 modulo n: 2 to the bits of R, times R, by squarings from as few doublings of R as will do.
    fn radix_squared(&self) -> Number {
        let bits = self.engine.radix_bits();
        let squarings = bits.trailing_zeros();
        let mut power = self.r.clone();
        for _ in 0..bits >> squarings {
            power = self.double(&power);
        }
        for _ in 0..squarings {
            power = self.run(&Job::Multiply(&power, &power));
        }
        power
    }

    fn run(&self, job: &Job<'_>) -> Number {
        let [result] = self.engine.run(&[self.field()], &[*job]);
        result
    }

    const fn field(&self) -> Field<'_> {
        Field { n: &self.n, n0: &self.n0, rr: &self.rr }
    }

    fn digits(&self) -> usize {
        self.n.digits().len()
    }

    /// Big-endian, without leading zeros.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of its bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The number of its bits.
    pub(crate) const fn bits(&self) -> u32 {
        self.bits
    }

    /// The modulus itself.
    pub(crate) const fn number(&self) -> &Number {
        &self.n
    }

    /// The number that big-endian bytes are, if it is below the modulus; only whether it is shows.
    pub(crate) fn read(&self, bytes: &[u8]) -> Option<Number> {
        let (ahead, bytes) = bytes.split_at(bytes.len().saturating_sub(self.digits() * 32));
        let number = Number::from_bytes(bytes).resized(self.digits());
        let mut reduced = number.clone();
        reduced.subtract_once(&self.n, false);
        let below = crate::constant_time::ct_eq_mask(ahead, &vec![0; ahead.len()]) & number.is(&reduced);
        below.reveal().then_some(number)
    }

    /// A number that is below the modulus, in as many digits.
    pub(crate) fn fit(&self, number: &Number) -> Number {
        number.resized(self.digits())
    }

    /// Big-endian, as long as the modulus.
    pub(crate) fn write(&self, number: &Number) -> Zeroizing<Vec<u8>> {
        number.to_bytes(self.len())
    }

    pub(crate) fn zero(&self) -> Number {
        Number::zero(self.digits())
    }

    pub(crate) fn one(&self) -> Number {
        Number::one(self.digits())
    }

    /// Any number, reduced.
    pub(crate) fn reduce(&self, number: &Number) -> Number {
        let shift = Prepared(self.run(&Job::Multiply(&self.r_of_digits(), &self.rr)));
        let one = Prepared(self.r.clone());
        let mut reduced = Number::zero(self.digits());
        for piece in number.digits().chunks(self.digits()).rev() {
            // What is above this piece, times 2 to the bits of as many digits as the modulus has.
            reduced = self.mul_prepared(&reduced, &shift);
            let mut digits = Number::zero(self.digits());
            digits.digits_mut().iter_mut().zip(piece).for_each(|(to, digit)| *to = *digit);
            reduced = self.add(&reduced, &self.mul_prepared(&digits, &one));
        }
        reduced
    }

    /// 2 to the bits of the digits of n, modulo n.
    fn r_of_digits(&self) -> Number {
        power_of_two(&self.n, self.bits, digit::bits(self.digits()))
    }

    pub(crate) fn add(&self, a: &Number, b: &Number) -> Number {
        let mut sum = a.clone();
        let carry = sum.add(b);
        sum.subtract_once(&self.n, carry);
        sum
    }

    fn double(&self, a: &Number) -> Number {
        self.add(a, a)
    }

    pub(crate) fn sub(&self, a: &Number, b: &Number) -> Number {
        let mut difference = a.clone();
        difference.subtract_modulo(b, &self.n);
        difference
    }

    pub(crate) fn mul(&self, a: &Number, b: &Number) -> Number {
        self.mul_prepared(a, &self.prepare(b))
    }

    /// A factor to be used more than once.
    pub(crate) fn prepare(&self, a: &Number) -> Prepared {
        Prepared(self.run(&Job::Multiply(a, &self.rr)))
    }

    pub(crate) fn mul_prepared(&self, a: &Number, b: &Prepared) -> Number {
        self.run(&Job::Multiply(a, &b.0))
    }

    pub(crate) fn square_prepared(&self, a: &Prepared) -> Prepared {
        Prepared(self.run(&Job::Multiply(&a.0, &a.0)))
    }

    /// `base` to a secret exponent of at most so many bits.
    pub(crate) fn pow(&self, base: &Number, exponent: &Number, bits: u32) -> Number {
        self.run(&Job::Power { base, exponent, bits })
    }

    /// `base` to a public exponent, big-endian; the time depends on the exponent.
    pub(crate) fn pow_public(&self, base: &Number, exponent: &[u8]) -> Number {
        self.run(&Job::PublicPower { base, exponent })
    }

    /// The inverse, if the modulus is a prime; zero of zero.
    pub(crate) fn invert_modulo_prime(&self, number: &Number) -> Number {
        self.pow(number, &self.inverting_exponent(), self.bits)
    }

    /// n - 2. A number to the power of p - 1 is 1 modulo a prime p, so that to the power of p - 2 it is the inverse.
    pub(crate) fn inverting_exponent(&self) -> Number {
        self.sub(&self.sub(&self.zero(), &self.one()), &self.one())
    }
}

/// Two powers with secret exponents, of at most so many bits each, at once: faster than one after the other where the
/// machine has room for both.
pub(crate) fn pow_pair(
    [p, q]: [&Modulus; 2],
    [base_p, base_q]: [&Number; 2],
    [exponent_p, exponent_q]: [&Number; 2],
) -> [Number; 2] {
    let bits = p.bits.max(q.bits);
    let job_p = Job::Power { base: base_p, exponent: exponent_p, bits };
    let job_q = Job::Power { base: base_q, exponent: exponent_q, bits };
    if p.engine == q.engine {
        p.engine.run(&[p.field(), q.field()], &[job_p, job_q])
    } else {
        [p.run(&job_p), q.run(&job_q)]
    }
}

/// 2^exponent modulo n, by doubling; so n should not be much shorter.
fn power_of_two(n: &Number, bits: u32, exponent: u32) -> Number {
    let mut power = Number::zero(n.digits().len());
    for (limb, below) in power.limbs_mut().iter_mut().zip((0..).step_by(64)) {
        if (below..below + 64).contains(&(bits - 1)) {
            *limb = 1 << (bits - 1 - below);
        }
    }
    for _ in bits - 1..exponent {
        let carry = power.add(&power.clone());
        power.subtract_once(n, carry);
    }
    power
}

/// The bits of a big-endian number, from the first that is set on.
fn significant_bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).skip_while(|bit| !bit)
}
