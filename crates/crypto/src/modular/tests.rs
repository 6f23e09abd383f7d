//! Every version of the arithmetic that this machine has, against crypto-bigint and against each other.

use crypto_bigint::{BoxedUint, ConcatenatingMul};

use super::*;
use crate::testing::Seeded;

/// a * b modulo n.
fn product(a: &[u8], b: &[u8], n: &[u8]) -> Vec<u8> {
    let number = BoxedUint::from_be_slice_vartime;
    let product = number(a).concatenating_mul(&number(b));
    let rest = product.rem(number(n).as_nz_vartime().unwrap()).to_be_bytes();
    // As long as n.
    let rest = without_leading_zeros(&rest);
    [&vec![0; n.len() - rest.len()], rest].concat()
}

/// base to the exponent modulo n.
fn power(base: &[u8], exponent: &[u8], n: &[u8]) -> Vec<u8> {
    let one = product(&[1], &[1], n);
    significant_bits(exponent).fold(one, |power, bit| {
        let square = product(&power, &power, n);
        if bit { product(&square, base, n) } else { square }
    })
}

/// Random bytes in which long rows of ones and of zeros are common: where carries go wrong.
fn rows(random: &Seeded, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let [kind, count] = random.bytes(2)[..] else { return bytes };
        let row = match kind % 4 {
            0 => vec![0; usize::from(count % 40)],
            1 | 2 => vec![0xFF; usize::from(count % 40)],
            _ => random.bytes(usize::from(count % 20)),
        };
        bytes.extend(row);
    }
    bytes.truncate(length);
    bytes
}

/// Odd moduli of so many bits: the largest, the smallest, and others.
fn moduli(random: &Seeded, bits: usize) -> Vec<Vec<u8>> {
    let length = bits.div_ceil(8);
    let top = 1_u8 << ((bits - 1) % 8);
    let shape = |mut n: Vec<u8>| {
        n[0] = n[0] & (top - 1) | top;
        n[length - 1] |= 1;
        n
    };
    [vec![0xFF; length], vec![0; length]]
        .into_iter()
        .chain((0..4).map(|_| rows(random, length)))
        .map(shape)
        .collect()
}

/// Numbers below n: the least, the greatest, and others.
fn below(random: &Seeded, n: &[u8]) -> Vec<Vec<u8>> {
    let mut greatest = n.to_vec();
    *greatest.last_mut().unwrap() -= 1;
    let ends = [vec![0; n.len()], product(&[1], &[1], n), greatest];
    ends.into_iter().chain((0..3).map(|_| product(&rows(random, n.len() + 3), &[1], n))).collect()
}

/// The sizes at which something changes: a digit more, another shape of vectors, none any more.
const SIZES: [usize; 24] = [
    3, 64, 160, 255, 256, 257, 511, 512, 513, 767, 1023, 1024, 1025, 1536, 1537, 2048, 2049, 3072, 3073,
    4095, 4096, 4097, 7680, 8192,
];

fn each_modulus(check: impl Fn(&Seeded, &[u8], &Modulus, Engine)) {
    let random = Seeded::new(41);
    for bits in SIZES {
        for n in moduli(&random, bits) {
            for engine in Engine::available(n.len().div_ceil(32)) {
                let modulus = Modulus::with_engine(&n, |_| engine).unwrap();
                assert_eq!((modulus.bits(), modulus.len()), (u32::try_from(bits).unwrap(), n.len()));
                check(&random, &n, &modulus, engine);
            }
        }
    }
}

#[test]
fn sums_differences_and_products_are_those_of_another_library() {
    each_modulus(|random, n, modulus, engine| {
        let numbers = below(random, n);
        for a in &numbers {
            for b in &numbers {
                let (read_a, read_b) = (modulus.read(a).unwrap(), modulus.read(b).unwrap());
                let written = |number: &Number| modulus.write(number).to_vec();
                assert_eq!(
                    written(&modulus.mul(&read_a, &read_b)),
                    product(a, b, n),
                    "{engine:?} {a:02x?} {b:02x?}"
                );
                let sum = modulus.add(&read_a, &read_b);
                assert_eq!(written(&modulus.sub(&sum, &read_b)), *a, "{engine:?}");
                assert_eq!(written(&modulus.sub(&sum, &read_a)), *b, "{engine:?}");
                let negative = modulus.sub(&modulus.zero(), &read_b);
                assert!(modulus.add(&negative, &read_b).is_zero().reveal(), "{engine:?}");
                // (a + b) b = ab + bb
                let both = modulus.add(&modulus.mul(&read_a, &read_b), &modulus.mul(&read_b, &read_b));
                assert_eq!(written(&modulus.mul(&sum, &read_b)), written(&both), "{engine:?}");
            }
        }
    });
}

#[test]
fn no_carry_is_lost_where_all_bits_are_set() {
    each_modulus(|random, n, modulus, engine| {
        // As many bits as the digits have: what one factor may have, and n not.
        let ones = vec![0xFF; modulus.digits() * 32];
        let some = rows(random, ones.len());
        let r = modulus.write(&modulus.r);
        for a in below(random, n) {
            for b in [&ones, &some] {
                let job = Job::Multiply(&modulus.fit(&Number::from_bytes(&a)), &Number::from_bytes(b));
                // a * b / R, times R.
                let found = modulus.write(&modulus.run(&job));
                assert_eq!(
                    product(&found, &r, n),
                    product(&a, b, n),
                    "{engine:?} {a:02x?} {b:02x?} {n:02x?}"
                );
            }
        }
        for a in below(random, n) {
            // a / R, which is squared as a.
            let quotient = modulus.run(&Job::Multiply(&modulus.read(&a).unwrap(), &modulus.one()));
            let square = modulus.write(&modulus.pow_public(&quotient, &[2]));
            assert_eq!(
                product(&product(&square, &r, n), &r, n),
                product(&a, &a, n),
                "{engine:?} {a:02x?} {n:02x?}"
            );
        }
    });
}

#[test]
fn numbers_without_modulus_are_multiplied_and_added() {
    let random = Seeded::new(45);
    let number = BoxedUint::from_be_slice_vartime;
    for round in 0..400_usize {
        let (a, b) = (rows(&random, 32 * (1 + round % 5)), rows(&random, 32 * (1 + round / 5 % 5)));
        let product = number(&a).concatenating_mul(&number(&b)).to_be_bytes();
        let found = Number::from_bytes(&a).product(&Number::from_bytes(&b));
        assert_eq!(*found.to_bytes(product.len()), *product, "{a:02x?} {b:02x?}");
        // (a + 1) b = ab + b, and there is room for it.
        let more = Number::from_bytes(&[&[0; 32], a.as_slice()].concat()).plus(&Number::one(1));
        let sum = Number::from_bytes(&[&[0; 32], &*product].concat()).plus(&Number::from_bytes(&b));
        let length = product.len() + 32;
        assert_eq!(*more.product(&Number::from_bytes(&b)).to_bytes(length), *sum.to_bytes(length));
        for start in [0, 1, 51, 52, 63, 64, 65, 250, 255, 256] {
            let shifted = number(&a).wrapping_shr(start).to_be_bytes();
            let lowest = shifted.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).unwrap();
            for count in [1, 5, 52, 63] {
                let found = Number::from_bytes(&a).bits(start, count);
                assert_eq!(
                    found,
                    if start >= 8 * u32::try_from(a.len()).unwrap() {
                        0
                    } else {
                        lowest & ((1 << count) - 1)
                    }
                );
            }
        }
    }
}

#[test]
fn numbers_of_any_length_are_reduced() {
    each_modulus(|random, n, modulus, engine| {
        for length in [1, n.len(), n.len() + 1, 2 * n.len() + 16, 3 * n.len() + 40] {
            for number in [rows(random, length), vec![0xFF; length], vec![0; length]] {
                let reduced = modulus.write(&modulus.reduce(&Number::from_bytes(&number)));
                assert_eq!(*reduced, product(&number, &[1], n), "{engine:?} {number:02x?}");
            }
        }
    });
}

#[test]
fn powers_are_those_of_another_library() {
    each_modulus(|random, n, modulus, engine| {
        for base in below(random, n) {
            let read = modulus.read(&base).unwrap();
            for exponent in [vec![], vec![1], vec![1, 0, 1], random.bytes(3)] {
                let expected = power(&base, &exponent, n);
                let found = modulus.write(&modulus.pow_public(&read, &exponent));
                assert_eq!(*found, expected, "{engine:?} {exponent:02x?}");
                let bits = 24 + u32::from(base[0] % 8);
                let found = modulus.write(&modulus.pow(&read, &Number::from_bytes(&exponent), bits));
                assert_eq!(*found, expected, "{engine:?} {exponent:02x?} as {bits} bits");
            }
        }
    });
}

#[test]
fn two_powers_at_once_are_those_of_one_after_the_other() {
    let random = Seeded::new(43);
    for (p_bits, q_bits) in [(256, 256), (512, 512), (512, 500), (1024, 1024), (1024, 700), (2048, 300)] {
        for (p, q) in moduli(&random, p_bits).iter().zip(&moduli(&random, q_bits)) {
            for engine_p in Engine::available(p.len().div_ceil(32)) {
                for engine_q in Engine::available(q.len().div_ceil(32)) {
                    let modulus_p = Modulus::with_engine(p, |_| engine_p).unwrap();
                    let modulus_q = Modulus::with_engine(q, |_| engine_q).unwrap();
                    check_pair(&random, [p, q], [&modulus_p, &modulus_q]);
                }
            }
        }
    }
}

fn check_pair(random: &Seeded, [p, q]: [&[u8]; 2], [modulus_p, modulus_q]: [&Modulus; 2]) {
    let one = |n: &[u8], modulus: &Modulus| {
        let (base, exponent) = (below(random, n).pop().unwrap(), below(random, n).pop().unwrap());
        let numbers = (modulus.read(&base).unwrap(), modulus.read(&exponent).unwrap());
        let expected = modulus.pow(&numbers.0, &numbers.1, modulus.bits());
        (numbers, modulus.write(&expected).to_vec())
    };
    let ((base_p, exponent_p), expected_p) = one(p, modulus_p);
    let ((base_q, exponent_q), expected_q) = one(q, modulus_q);
    let [of_p, of_q] = pow_pair([modulus_p, modulus_q], [&base_p, &base_q], [&exponent_p, &exponent_q]);
    let engines = [modulus_p.engine, modulus_q.engine];
    assert_eq!(*modulus_p.write(&of_p), expected_p, "{engines:?}");
    assert_eq!(*modulus_q.write(&of_q), expected_q, "{engines:?}");
}

#[test]
fn inverses_modulo_a_power_of_two_are_inverses() {
    let random = Seeded::new(46);
    for round in 0..100_usize {
        let mut bytes = rows(&random, 1 + 11 * (round % 20));
        *bytes.last_mut().unwrap() |= 1;
        let number = Number::from_bytes(&bytes);
        for digits in 1..9 {
            let inverse = number.negative_inverse(digits);
            assert_eq!(inverse.digits().len(), digits);
            let sum = number.product(&inverse).resized(digits).plus(&Number::one(1));
            assert!(sum.is_zero().reveal(), "{bytes:02x?} {digits}");
        }
    }
}

#[test]
fn only_numbers_below_the_modulus_are_read() {
    each_modulus(|random, n, modulus, engine| {
        assert!(modulus.read(n).is_none(), "{engine:?}");
        assert!(modulus.read(&vec![0xFF; n.len() + 1]).is_none());
        assert!(modulus.read(&[&[1], vec![0; n.len() + 64].as_slice()].concat()).is_none());
        for number in below(random, n) {
            let padded = [&[0; 70], number.as_slice()].concat();
            assert_eq!(*modulus.write(&modulus.read(&padded).unwrap()), number, "{engine:?}");
        }
    });
    for no_modulus in [&[][..], &[0], &[1], &[2], &[0, 0, 1], &[0x80, 0]] {
        assert!(Modulus::new(no_modulus).is_none(), "{no_modulus:?}");
    }
}

#[test]
fn inverses_modulo_a_prime_are_inverses() {
    // 2^127 - 1 and 2^521 - 1 are primes.
    for bits in [127, 521] {
        let n = [&[0xFF_u8 >> (8 - bits % 8)], vec![0xFF; bits / 8].as_slice()].concat();
        let modulus = Modulus::new(&n).unwrap();
        for number in below(&Seeded::new(44), &n) {
            let read = modulus.read(&number).unwrap();
            let back = modulus.mul(&read, &modulus.invert_modulo_prime(&read));
            let expected = if read.is_zero().reveal() { modulus.zero() } else { modulus.one() };
            assert!(back.is(&expected).reveal(), "{bits}");
        }
    }
}
