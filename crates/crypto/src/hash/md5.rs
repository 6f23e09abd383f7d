//! The compression function of MD5, written so that its steps can be interleaved with other work.
//!
//! Spec: MD5 section 3.4.

use std::hint::black_box;

/// Takes `blocks` in.
pub(super) fn compress(words: &mut [u32; 4], blocks: &[[u8; 64]]) {
    let constants = constants();
    for block in blocks {
        *words = compress_block(*words, block, constants, |_| ());
    }
}

/// The constants, to be given to [`compress_block`]. The optimiser must not know them: it would add each of them when
/// the word that a step waits for is there already, instead of before.
#[inline]
pub(crate) fn constants() -> &'static [[u32; 4]; 16] {
    black_box(&CONSTANTS)
}

/// The chaining value after `block`, of which the 64 steps are done four at a time: before the four with the numbers
/// 4n to 4n+3, `between(n)` is called.
#[inline(always)]
pub(crate) fn compress_block(
    words: [u32; 4],
    block: &[u8; 64],
    constants: &[[u32; 4]; 16],
    mut between: impl FnMut(usize),
) -> [u32; 4] {
    let mut message = [0; 16];
    message.iter_mut().zip(block.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
    let [m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15] = message;
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = constants;
    let mut state = words;
    between(0);
    state = four_steps::<0>(state, [m0, m1, m2, m3], k0);
    between(1);
    state = four_steps::<0>(state, [m4, m5, m6, m7], k1);
    between(2);
    state = four_steps::<0>(state, [m8, m9, m10, m11], k2);
    between(3);
    state = four_steps::<0>(state, [m12, m13, m14, m15], k3);
    between(4);
    state = four_steps::<1>(state, [m1, m6, m11, m0], k4);
    between(5);
    state = four_steps::<1>(state, [m5, m10, m15, m4], k5);
    between(6);
    state = four_steps::<1>(state, [m9, m14, m3, m8], k6);
    between(7);
    state = four_steps::<1>(state, [m13, m2, m7, m12], k7);
    between(8);
    state = four_steps::<2>(state, [m5, m8, m11, m14], k8);
    between(9);
    state = four_steps::<2>(state, [m1, m4, m7, m10], k9);
    between(10);
    state = four_steps::<2>(state, [m13, m0, m3, m6], k10);
    between(11);
    state = four_steps::<2>(state, [m9, m12, m15, m2], k11);
    between(12);
    state = four_steps::<3>(state, [m0, m7, m14, m5], k12);
    between(13);
    state = four_steps::<3>(state, [m12, m3, m10, m1], k13);
    between(14);
    state = four_steps::<3>(state, [m8, m15, m6, m13], k14);
    between(15);
    state = four_steps::<3>(state, [m4, m11, m2, m9], k15);
    let ([a, b, c, d], [e, f, g, h]) = (words, state);
    [a.wrapping_add(e), b.wrapping_add(f), c.wrapping_add(g), d.wrapping_add(h)]
}

/// Four steps of a round, after which each word is where it was.
#[inline(always)]
fn four_steps<const ROUND: usize>(
    [a, b, c, d]: [u32; 4],
    [m0, m1, m2, m3]: [u32; 4],
    [k0, k1, k2, k3]: &[u32; 4],
) -> [u32; 4] {
    let [s0, s1, s2, s3] = match ROUND {
        0 => [7, 12, 17, 22],
        1 => [5, 9, 14, 20],
        2 => [4, 11, 16, 23],
        _ => [6, 10, 15, 21],
    };
    let a = step::<ROUND>([a, b, c, d], m0.wrapping_add(*k0), s0);
    let d = step::<ROUND>([d, a, b, c], m1.wrapping_add(*k1), s1);
    let c = step::<ROUND>([c, d, a, b], m2.wrapping_add(*k2), s2);
    let b = step::<ROUND>([b, c, d, a], m3.wrapping_add(*k3), s3);
    [a, b, c, d]
}

/// `b` is the word that the step before made, so as little as can be waits for it.
#[inline(always)]
fn step<const ROUND: usize>([a, b, c, d]: [u32; 4], addend: u32, rotation: u32) -> u32 {
    let early = a.wrapping_add(addend);
    let sum = match ROUND {
        0 => early.wrapping_add(d ^ (b & (c ^ d))),
        // Either part has no bit that the other has: their sum is their union.
        1 => early.wrapping_add(!d & c).wrapping_add(d & b),
        2 => early.wrapping_add(b ^ (c ^ d)),
        _ => early.wrapping_add(c ^ (b | !d)),
    };
    sum.rotate_left(rotation).wrapping_add(b)
}

/// The integer parts of 2^32 times the absolute sine of 1 to 64, in radians.
static CONSTANTS: [[u32; 4]; 16] = [
    [0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee],
    [0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501],
    [0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be],
    [0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821],
    [0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa],
    [0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8],
    [0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed],
    [0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a],
    [0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c],
    [0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70],
    [0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05],
    [0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665],
    [0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039],
    [0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1],
    [0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1],
    [0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391],
];
