//! The compression function of MD5, written so that its steps can be interleaved with other work.
//!
//! Spec: MD5 section 3.4.

use std::hint::black_box;

/// Takes `blocks` in.
pub(super) fn compress(words: &mut [u32; 4], blocks: &[[u8; 64]]) {
    for block in blocks {
        *words = compress_block(*words, block, |_| ());
    }
}

/// The chaining values of two after a block each. A step waits for the one before it most of the time, so that two chains
/// take hardly longer than one.
pub(super) fn compress_two(
    one: [u32; 4],
    one_block: &[u8; 64],
    other: [u32; 4],
    other_block: &[u8; 64],
) -> ([u32; 4], [u32; 4]) {
    let (one_sums, other_sums) = (sums(one_block), sums(other_block));
    let (one_sums, other_sums) = (black_box(&one_sums), black_box(&other_sums));
    let (mut a, mut b) = (one, other);
    macro_rules! both {
        ($round:literal: $([$($word:literal),*])*) => {$(
            a = four_steps::<$round>(a, [$(one_sums[$round][$word]),*]);
            b = four_steps::<$round>(b, [$(other_sums[$round][$word]),*]);
        )*};
    }
    both!(0: [0, 1, 2, 3] [4, 5, 6, 7] [8, 9, 10, 11] [12, 13, 14, 15]);
    both!(1: [1, 6, 11, 0] [5, 10, 15, 4] [9, 14, 3, 8] [13, 2, 7, 12]);
    both!(2: [5, 8, 11, 14] [1, 4, 7, 10] [13, 0, 3, 6] [9, 12, 15, 2]);
    both!(3: [0, 7, 14, 5] [12, 3, 10, 1] [8, 15, 6, 13] [4, 11, 2, 9]);
    (added(one, a), added(other, b))
}

fn added([a, b, c, d]: [u32; 4], [e, f, g, h]: [u32; 4]) -> [u32; 4] {
    [a.wrapping_add(e), b.wrapping_add(f), c.wrapping_add(g), d.wrapping_add(h)]
}

/// Each word of a block added to each constant that a round has for it.
#[inline(always)]
fn sums(block: &[u8; 64]) -> [[u32; 16]; 4] {
    let mut message = [0; 16];
    message.iter_mut().zip(block.as_chunks().0).for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
    let mut sums = [[0_u32; 16]; 4];
    for (sums, constants) in sums.iter_mut().zip(&CONSTANTS) {
        let terms = message.iter().zip(constants);
        sums.iter_mut().zip(terms).for_each(|(sum, (word, constant))| *sum = word.wrapping_add(*constant));
    }
    sums
}

/// The chaining value after `block`, of which the 64 steps are done four at a time: before the four with the numbers
/// 4n to 4n+3, `between(n)` is called.
#[inline(always)]
pub(crate) fn compress_block(words: [u32; 4], block: &[u8; 64], mut between: impl FnMut(usize)) -> [u32; 4] {
    // What is known from the beginning is added up from the beginning, for all words of a round at once. The
    // optimiser must not see it, or it adds the constant when the result of the step before is there already, which is
    // what every step waits for.
    let sums = sums(block);
    let [s0, s1, s2, s3] = black_box(&sums);
    let mut state = words;
    between(0);
    state = four_steps::<0>(state, [s0[0], s0[1], s0[2], s0[3]]);
    between(1);
    state = four_steps::<0>(state, [s0[4], s0[5], s0[6], s0[7]]);
    between(2);
    state = four_steps::<0>(state, [s0[8], s0[9], s0[10], s0[11]]);
    between(3);
    state = four_steps::<0>(state, [s0[12], s0[13], s0[14], s0[15]]);
    between(4);
    state = four_steps::<1>(state, [s1[1], s1[6], s1[11], s1[0]]);
    between(5);
    state = four_steps::<1>(state, [s1[5], s1[10], s1[15], s1[4]]);
    between(6);
    state = four_steps::<1>(state, [s1[9], s1[14], s1[3], s1[8]]);
    between(7);
    state = four_steps::<1>(state, [s1[13], s1[2], s1[7], s1[12]]);
    between(8);
    state = four_steps::<2>(state, [s2[5], s2[8], s2[11], s2[14]]);
    between(9);
    state = four_steps::<2>(state, [s2[1], s2[4], s2[7], s2[10]]);
    between(10);
    state = four_steps::<2>(state, [s2[13], s2[0], s2[3], s2[6]]);
    between(11);
    state = four_steps::<2>(state, [s2[9], s2[12], s2[15], s2[2]]);
    between(12);
    state = four_steps::<3>(state, [s3[0], s3[7], s3[14], s3[5]]);
    between(13);
    state = four_steps::<3>(state, [s3[12], s3[3], s3[10], s3[1]]);
    between(14);
    state = four_steps::<3>(state, [s3[8], s3[15], s3[6], s3[13]]);
    between(15);
    state = four_steps::<3>(state, [s3[4], s3[11], s3[2], s3[9]]);
    added(words, state)
}

/// Four steps of a round, after which each word is where it was.
#[inline(always)]
fn four_steps<const ROUND: usize>([a, b, c, d]: [u32; 4], [s0, s1, s2, s3]: [u32; 4]) -> [u32; 4] {
    let [r0, r1, r2, r3] = match ROUND {
        0 => [7, 12, 17, 22],
        1 => [5, 9, 14, 20],
        2 => [4, 11, 16, 23],
        _ => [6, 10, 15, 21],
    };
    let a = step::<ROUND>([a, b, c, d], s0, r0);
    let d = step::<ROUND>([d, a, b, c], s1, r1);
    let c = step::<ROUND>([c, d, a, b], s2, r2);
    let b = step::<ROUND>([b, c, d, a], s3, r3);
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

/// The integer parts of 2^32 times the absolute sine of 1 to 64 in radians, 16 for each round: not in the order of its
/// steps, but of the words that they are added to.
static CONSTANTS: [[u32; 16]; 4] = [
    [
        0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
        0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    ],
    [
        0xe9b6c7aa, 0xf61e2562, 0xfcefa3f8, 0xf4d50d87, 0xe7d3fbc8, 0xd62f105d, 0xc040b340, 0x676f02d9,
        0x455a14ed, 0x21e1cde6, 0x02441453, 0x265e5a51, 0x8d2a4c8a, 0xa9e3e905, 0xc33707d6, 0xd8a1e681,
    ],
    [
        0xeaa127fa, 0xa4beea44, 0xc4ac5665, 0xd4ef3085, 0x4bdecfa9, 0xfffa3942, 0x04881d05, 0xf6bb4b60,
        0x8771f681, 0xd9d4d039, 0xbebfbc70, 0x6d9d6122, 0xe6db99e5, 0x289b7ec6, 0xfde5380c, 0x1fa27cf8,
    ],
    [
        0xf4292244, 0x85845dd1, 0x2ad7d2bb, 0x8f0ccc92, 0xf7537e82, 0xfc93a039, 0xa3014314, 0x432aff97,
        0x6fa87e4f, 0xeb86d391, 0xffeff47d, 0xbd3af235, 0x655b59c3, 0x4e0811a1, 0xab9423a7, 0xfe2ce6e0,
    ],
];
