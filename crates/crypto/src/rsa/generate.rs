//! New keys, and whether the numbers of a key belong together.

use crypto_bigint::{BoxedUint, ConcatenatingMul, Resize};
use zeroize::Zeroizing;

use super::{BITS, PrivateKey, PublicKey};
use crate::modular::{Modulus, Number};
use crate::public_key::KeyError;
use crate::random::{Random, RandomError};

/// The public exponent of new keys: 65537, big-endian.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// How many rounds of Miller and Rabin's test a prime stands. For a candidate drawn at random each round leaves far
/// less than one in four, even at 256 bits.
///
/// Spec: DSS appendix C.3 (FIPS 186-4).
const ROUNDS: usize = 20;

pub(super) fn generate(bits: usize, random: &dyn Random) -> Result<PrivateKey, KeyError> {
    let size = u32::try_from(bits).unwrap_or(u32::MAX);
    if !BITS.contains(&size) || size % 2 != 0 {
        return Err(KeyError::Size { bits: size });
    }
    let p = prime(size / 2, random)?;
    let mut q = prime(size / 2, random)?;
    // Primes that agree in their first 100 bits are as likely as that a key is guessed; a broken source makes them.
    if p.get(..12) == q.get(..12) {
        q = prime(size / 2, random)?;
        if p.get(..12) == q.get(..12) {
            return Err(KeyError::Random);
        }
    }
    let n = product(&p, &q).to_be_bytes();
    let public = PublicKey::from_components(&n, &EXPONENT)?;
    let exponents = exponents(&EXPONENT, &p, &q).ok_or(KeyError::Inconsistent)?;
    PrivateKey::from_parts(public, &p, &q, exponents.each_ref().map(|bytes| bytes.as_slice()))
}

/// What follows from the public exponent and the primes: e^-1 modulo p - 1 and q - 1, and q^-1 modulo p.
pub(super) fn exponents(e: &[u8], p: &[u8], q: &[u8]) -> Option<[Zeroizing<Vec<u8>>; 3]> {
    let modulus = Modulus::new(p)?;
    let inverse = modulus.write(&modulus.invert_modulo_prime(&modulus.reduce(&Number::from_bytes(q))));
    Some([inverse_modulo(e, &predecessor(p))?, inverse_modulo(e, &predecessor(q))?, inverse])
}

/// The private exponent: e^-1 modulo (p - 1)(q - 1).
pub(super) fn private_exponent(e: &[u8], p: &[u8], q: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (p, q) = (predecessor(p), predecessor(q));
    inverse_modulo(e, &Zeroizing::new(p.concatenating_mul(&*q)))
}

/// Whether n = pq, p and q differ, and the exponents are the public one's inverses.
pub(super) fn belong_together(public: &PublicKey, p: &Modulus, q: &Modulus, [dp, dq]: [&[u8]; 2]) -> bool {
    product(p.bytes(), q.bytes()).to_be_bytes_trimmed_vartime().as_ref() == public.n()
        && p.bytes() != q.bytes()
        && is_inverse_exponent(public.e(), dp, p.bytes())
        && is_inverse_exponent(public.e(), dq, q.bytes())
}

/// Whether q * inverse = 1 modulo p.
pub(super) fn is_inverse(p: &Modulus, q: &Modulus, inverse: &Number) -> bool {
    p.mul(&p.reduce(q.number()), inverse).is(&p.one()).reveal()
}

fn number(bytes: &[u8]) -> Zeroizing<BoxedUint> {
    Zeroizing::new(BoxedUint::from_be_slice_vartime(bytes))
}

fn product(p: &[u8], q: &[u8]) -> Zeroizing<BoxedUint> {
    Zeroizing::new(number(p).concatenating_mul(&*number(q)))
}

/// `prime` - 1.
fn predecessor(prime: &[u8]) -> Zeroizing<BoxedUint> {
    Zeroizing::new(number(prime).wrapping_sub(BoxedUint::one()))
}

/// Whether e * d = 1 modulo `prime` - 1.
fn is_inverse_exponent(e: &[u8], d: &[u8], prime: &[u8]) -> bool {
    let modulus = predecessor(prime);
    let Some(modulus) = modulus.as_nz_vartime() else { return false };
    Zeroizing::new(product(d, e).rem(modulus)).is_one().to_bool()
}

/// The inverse of the public exponent, big-endian without leading zeros.
fn inverse_modulo(e: &[u8], modulus: &BoxedUint) -> Option<Zeroizing<Vec<u8>>> {
    let modulus = modulus.as_nz_vartime()?;
    let e = BoxedUint::from_be_slice_vartime(e).resize_unchecked(modulus.as_ref().bits_precision());
    let inverse = Zeroizing::new(e.invert_mod(modulus).into_option()?);
    let bytes = Zeroizing::new(inverse.to_be_bytes());
    Some(Zeroizing::new(crate::asn1::without_leading_zeros(&bytes).to_vec()))
}

/// A prime of exactly so many bits, the two first of them set, so that the product of two has twice as many.
fn prime(bits: u32, random: &dyn Random) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let length = usize::try_from(bits.div_ceil(8)).map_err(|_| KeyError::Size { bits })?;
    let mut candidate = Zeroizing::new(vec![0; length]);
    // One odd number in 0.35 times `bits` is a prime: that none comes up in so many is as likely as e^-57.
    for _ in 0..20 * bits {
        random.fill(&mut candidate)?;
        shape(&mut candidate, bits);
        if !has_small_factor(&candidate) && is_probable_prime(&candidate, ROUNDS, random)? {
            return Ok(candidate);
        }
    }
    Err(KeyError::Random)
}

/// Sets the two first of `bits` bits and the last, and clears what is before.
fn shape(candidate: &mut [u8], bits: u32) {
    let unused = bits.next_multiple_of(8) - bits;
    let top = 0xC000_u16 >> unused;
    let [first, second] = top.to_be_bytes();
    if let [a, b, ..] = candidate {
        *a = *a & 0xFF >> unused | first;
        *b |= second;
    }
    if let Some(last) = candidate.last_mut() {
        *last |= 1;
    }
}

/// Whether a prime below 2000 divides the number, or the public exponent divides its predecessor.
fn has_small_factor(candidate: &[u8]) -> bool {
    let remainder = |divisor: u32| {
        candidate.iter().fold(0_u64, |rest, byte| (rest << 8 | u64::from(*byte)) % u64::from(divisor))
    };
    (3..2000).step_by(2).filter(|n| is_small_prime(*n)).any(|prime| remainder(prime) == 0)
        || remainder(65_537) == 1
}

fn is_small_prime(n: u32) -> bool {
    (3..).step_by(2).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d))
}

/// Miller and Rabin's test of an odd number above 3.
///
/// Spec: DSS appendix C.3.1 (FIPS 186-4).
pub(crate) fn is_probable_prime(
    candidate: &[u8],
    rounds: usize,
    random: &dyn Random,
) -> Result<bool, RandomError> {
    let Some(modulus) = Modulus::new(candidate) else { return Ok(false) };
    let one = modulus.one();
    let minus_one = modulus.sub(&modulus.zero(), &one);
    let (odd, twos) = odd_part(&modulus.write(&minus_one));
    let mut drawn = Zeroizing::new(vec![0; modulus.len()]);
    for _ in 0..rounds {
        random.fill(&mut drawn)?;
        let base = modulus.reduce(&Number::from_bytes(&drawn));
        let mut power = modulus.pow(&base, &odd, modulus.bits());
        // A base of 0, 1 or -1 says nothing; they come up as good as never.
        if (power.is(&one) | power.is(&minus_one)).reveal() {
            continue;
        }
        let mut squares = 1;
        loop {
            if squares == twos {
                return Ok(false);
            }
            power = modulus.mul(&power, &power);
            if power.is(&minus_one).reveal() {
                break;
            }
            squares += 1;
        }
    }
    Ok(true)
}

/// The number without its factors of two, and how many those are.
fn odd_part(bytes: &[u8]) -> (Number, u32) {
    let number = number(bytes);
    let twos = number.trailing_zeros_vartime();
    let odd = Zeroizing::new(number.shr(twos));
    (Number::from_bytes(&Zeroizing::new(odd.to_be_bytes())), twos)
}
