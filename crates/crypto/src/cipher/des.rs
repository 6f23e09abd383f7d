//! DES and triple DES, by tables.
//!
//! The two halves of a block are kept as the expansion E makes them of 32 bits: eight groups of six bits, each in a
//! byte of a word. A round is then one exclusive or with its key, eight look-ups, and an exclusive or of what they
//! yield; the tables hold the S-boxes with the permutation P and the next round's expansion applied already, which
//! they can since both are linear. Places in the tables depend on the data and the key, so that the cache tells
//! something about them: DES is for protocols that prescribe it only.
//!
//! Spec: DES, "Data Encryption Algorithm"; bits are counted from 1, the most significant one, as there.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// The keys of all rounds, in the order of their use: one stage of 16 rounds for DES, three for triple DES. Wiped when
/// they are dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct Des<const STAGES: usize> {
    stages: [[u64; ROUNDS]; STAGES],
}

/// The rounds of a stage.
const ROUNDS: usize = 16;

impl<const STAGES: usize> Des<STAGES> {
    /// Encrypts with the first key, decrypts with the second, and encrypts with the third, as far as there are keys.
    pub(super) fn encrypting(keys: &[[u8; 8]; STAGES]) -> Self {
        let mut stages = keys.map(|key| round_keys(u64::from_be_bytes(key)));
        stages.iter_mut().skip(1).step_by(2).for_each(|stage| stage.reverse());
        Self { stages }
    }

    /// The inverse of what [`encrypting`](Self::encrypting) makes of the same keys.
    pub(super) fn decrypting(keys: &[[u8; 8]; STAGES]) -> Self {
        let mut inverse = Self::encrypting(keys);
        inverse.stages.reverse();
        inverse.stages.iter_mut().for_each(|stage| stage.reverse());
        inverse
    }

    /// Sends each of `blocks` through all rounds. They do not depend on each other, so that several take little more
    /// time than one.
    #[inline(always)]
    pub(super) fn apply<const COUNT: usize>(&self, blocks: [u64; COUNT]) -> [u64; COUNT] {
        let mut halves = blocks.map(|block| {
            let (left, right) = initial_permutation(block);
            (expand(left), expand(right))
        });
        for stage in &self.stages {
            for [first, second] in stage.as_chunks().0 {
                halves.iter_mut().for_each(|(left, right)| *left ^= substitute(*right ^ first));
                halves.iter_mut().for_each(|(left, right)| *right ^= substitute(*left ^ second));
            }
            // The last round does not exchange the halves; the permutations between two stages cancel out.
            halves.iter_mut().for_each(|(left, right)| std::mem::swap(left, right));
        }
        halves.map(|(left, right)| final_permutation(contract(left), contract(right)))
    }
}

/// The eight S-boxes, P, and the expansion of what comes out.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "six bits name one of 64 entries")]
#[expect(clippy::cast_possible_truncation, reason = "six bits are left of it")]
fn substitute(groups: u64) -> u64 {
    let group = |shift: u32| (groups >> shift) as usize & 0x3f;
    let [t1, t2, t3, t4, t5, t6, t7, t8] = &TABLES;
    // No two boxes have a bit in common, so that all operations do the same, and the optimiser does not make a chain of
    // a tree that is made of different ones.
    let first = (t1[group(56)] ^ t2[group(48)]) | (t3[group(40)] ^ t4[group(32)]);
    let second = (t5[group(24)] ^ t6[group(16)]) | (t7[group(8)] ^ t8[group(0)]);
    first ^ second
}

/// E: the groups of four bits, each with the bit before and the bit behind it.
const fn expand(half: u32) -> u64 {
    // One group to a byte.
    let mut spread = half as u64;
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff;
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    let before = spread.rotate_right(8) & EACH_LOWEST_BIT;
    let behind = spread.rotate_left(8) >> 3 & EACH_LOWEST_BIT;
    before << 5 | spread << 1 | behind
}

const EACH_LOWEST_BIT: u64 = 0x0101_0101_0101_0101;

/// The inverse of [`expand`].
const fn contract(groups: u64) -> u32 {
    let mut spread = groups >> 1 & 0x0f0f_0f0f_0f0f_0f0f;
    spread = (spread | spread >> 4) & 0x00ff_00ff_00ff_00ff;
    spread = (spread | spread >> 8) & 0x0000_ffff_0000_ffff;
    let (_, contracted) = words(spread | spread >> 16);
    contracted
}

/// The more and the less significant half.
const fn words(both: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = both.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// IP, by exchanging bits between the halves: first single ones, then pairs, and so on.
fn initial_permutation(block: u64) -> (u32, u32) {
    let (mut left, mut right) = words(block);
    exchange(&mut left, &mut right, 4, 0x0f0f_0f0f);
    exchange(&mut left, &mut right, 16, 0x0000_ffff);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut right, &mut left, 8, 0x00ff_00ff);
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    (left, right)
}

/// The inverse of IP.
fn final_permutation(mut left: u32, mut right: u32) -> u64 {
    exchange(&mut left, &mut right, 1, 0x5555_5555);
    exchange(&mut right, &mut left, 8, 0x00ff_00ff);
    exchange(&mut right, &mut left, 2, 0x3333_3333);
    exchange(&mut left, &mut right, 16, 0x0000_ffff);
    exchange(&mut left, &mut right, 4, 0x0f0f_0f0f);
    u64::from(left) << 32 | u64::from(right)
}

/// Exchanges the bits of `b` under `mask` with those of `a` that stand `shift` higher.
#[inline(always)]
const fn exchange(a: &mut u32, b: &mut u32, shift: u32, mask: u32) {
    let difference = (*a >> shift ^ *b) & mask;
    *b ^= difference;
    *a ^= difference << shift;
}

/// The key schedule KS: 48 of the key's 56 bits for each round, in groups of six.
fn round_keys(key: u64) -> [u64; ROUNDS] {
    const HALF: u64 = (1 << 28) - 1;
    let chosen = PERMUTED_CHOICE_1.iter().fold(0, |bits, place| bits << 1 | key >> (64 - place) & 1);
    let (mut c, mut d) = (chosen >> 28, chosen & HALF);
    let mut keys = [0; ROUNDS];
    for (key, shift) in keys.iter_mut().zip(LEFT_SHIFTS) {
        c = (c << shift | c >> (28 - shift)) & HALF;
        d = (d << shift | d >> (28 - shift)) & HALF;
        let both = c << 28 | d;
        for group in PERMUTED_CHOICE_2 {
            *key = group.iter().fold(*key << 2, |bits, place| bits << 1 | both >> (56 - place) & 1);
        }
    }
    keys
}

/// For each S-box and each six bits that go in: what comes out, where P puts it, expanded.
static TABLES: [[u64; 64]; 8] = tables();

#[expect(clippy::indexing_slicing, reason = "evaluated when compiling")]
const fn tables() -> [[u64; 64]; 8] {
    let mut tables = [[0; 64]; 8];
    let mut number = 0;
    while number < 8 {
        let mut input = 0;
        while input < 64 {
            // The outer bits are the row, the inner ones the column.
            let (row, column) = (input >> 4 & 2 | input & 1, input >> 1 & 0xf);
            let output = (S_BOXES[number][row * 16 + column] as u32) << (28 - 4 * number);
            let (mut permuted, mut place) = (0, 0);
            while place < 32 {
                permuted = permuted << 1 | output >> (32 - P[place]) & 1;
                place += 1;
            }
            tables[number][input] = expand(permuted);
            input += 1;
        }
        number += 1;
    }
    tables
}

const LEFT_SHIFTS: [u32; ROUNDS] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];

const PERMUTED_CHOICE_1: [u32; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44,
    36, //
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12,
    4,
];

const PERMUTED_CHOICE_2: [[u32; 6]; 8] = [
    [14, 17, 11, 24, 1, 5],
    [3, 28, 15, 6, 21, 10],
    [23, 19, 12, 4, 26, 8],
    [16, 7, 27, 20, 13, 2],
    [41, 52, 31, 37, 47, 55],
    [30, 40, 51, 45, 33, 48],
    [44, 49, 39, 56, 34, 53],
    [46, 42, 50, 36, 29, 32],
];

const P: [u32; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, //
    2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];

/// S1 to S8, each of four rows of 16.
const S_BOXES: [[u8; 64]; 8] = [
    [
        14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7, 0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5,
        3, 8, //
        4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0, 15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0,
        6, 13,
    ],
    [
        15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10, 3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9,
        11, 5, //
        0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15, 13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5,
        14, 9,
    ],
    [
        10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8, 13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11,
        15, 1, //
        13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7, 1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5,
        2, 12,
    ],
    [
        7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15, 13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10,
        14, 9, //
        10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4, 3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7,
        2, 14,
    ],
    [
        2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9, 14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9,
        8, 6, //
        4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14, 11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4,
        5, 3,
    ],
    [
        12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11, 10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11,
        3, 8, //
        9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6, 4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0,
        8, 13,
    ],
    [
        4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1, 13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15,
        8, 6, //
        1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2, 6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2,
        3, 12,
    ],
    [
        13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7, 1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14,
        9, 2, //
        7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8, 2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5,
        6, 11,
    ],
];
