//! SHA-256 with the instructions of x86-64, in parts that can be interleaved with others.
//!
//! Spec: SHS section 6.2.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_unpackhi_epi64,
};

use super::{HASH_BLOCK_LEN, load};

/// A hash in progress.
pub(super) struct Sha256 {
    /// The words as the instructions have them, the first one in the highest place.
    abef: __m128i,
    cdgh: __m128i,
    /// The next 16 words of the message schedule.
    schedule: [__m128i; 4],
    /// The chaining value before this block.
    before: (__m128i, __m128i),
}

impl Sha256 {
    #[target_feature(enable = "sse2")]
    pub(super) fn begin(words: &[u32; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
        let (abef, cdgh) = (_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h));
        Self { abef, cdgh, schedule: [_mm_setzero_si128(); 4], before: (abef, cdgh) }
    }

    #[target_feature(enable = "ssse3")]
    pub(super) fn begin_block(&mut self, block: &[u8; HASH_BLOCK_LEN]) {
        self.before = (self.abef, self.cdgh);
        let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        let blocks = block.as_chunks().0.as_chunks().0;
        for (words, block) in self.schedule.iter_mut().zip(blocks) {
            *words = _mm_shuffle_epi8(load(*block), big_endian);
        }
    }

    /// Four of the block's 64 rounds.
    #[target_feature(enable = "sha,ssse3")]
    pub(super) fn four_rounds(&mut self, constants: &[u32; 4]) {
        let [w0, w1, w2, w3] = self.schedule;
        let [k0, k1, k2, k3] = constants.map(u32::cast_signed);
        let first = _mm_add_epi32(w0, _mm_set_epi32(k3, k2, k1, k0));
        let second = _mm_unpackhi_epi64(first, first);
        // Two rounds make new words of four, and leave the others as the older ones.
        self.cdgh = _mm_sha256rnds2_epu32(self.cdgh, self.abef, first);
        self.abef = _mm_sha256rnds2_epu32(self.abef, self.cdgh, second);
        let earlier = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
        self.schedule = [w1, w2, w3, _mm_sha256msg2_epu32(earlier, w3)];
    }

    #[target_feature(enable = "sse2")]
    pub(super) fn end_block(&mut self) {
        self.abef = _mm_add_epi32(self.abef, self.before.0);
        self.cdgh = _mm_add_epi32(self.cdgh, self.before.1);
    }

    #[target_feature(enable = "sse4.1")]
    pub(super) fn end(self, words: &mut [u32; 8]) {
        *words = [
            _mm_extract_epi32::<3>(self.abef),
            _mm_extract_epi32::<2>(self.abef),
            _mm_extract_epi32::<3>(self.cdgh),
            _mm_extract_epi32::<2>(self.cdgh),
            _mm_extract_epi32::<1>(self.abef),
            _mm_extract_epi32::<0>(self.abef),
            _mm_extract_epi32::<1>(self.cdgh),
            _mm_extract_epi32::<0>(self.cdgh),
        ]
        .map(i32::cast_unsigned);
    }
}

/// The constants of the rounds, for each quarter of them.
///
/// Spec: SHS section 4.2.2.
pub(super) static CONSTANTS: [[[u32; 4]; 4]; 4] = [
    [
        [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5],
        [0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
        [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3],
        [0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
    ],
    [
        [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc],
        [0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
        [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7],
        [0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
    ],
    [
        [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13],
        [0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
        [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3],
        [0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
    ],
    [
        [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5],
        [0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
        [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208],
        [0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
    ],
];
