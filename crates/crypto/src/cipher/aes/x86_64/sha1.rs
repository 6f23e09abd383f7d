//! SHA-1 with the instructions of x86-64, in parts that can be interleaved with others.
//!
//! Spec: SHS section 6.1.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32, _mm_shuffle_epi8,
    _mm_xor_si128,
};

use super::{HASH_BLOCK_LEN, load};

/// A hash in progress. The instructions have the first word of four in the highest place.
pub(super) struct Sha1 {
    abcd: __m128i,
    /// What the fifth word is made of: where it is, the first word of four rounds before.
    e: __m128i,
    /// The next 16 words of the message schedule.
    schedule: [__m128i; 4],
    /// The chaining value before this block.
    before: (__m128i, __m128i),
}

impl Sha1 {
    #[target_feature(enable = "sse2")]
    pub(super) fn begin([a, b, c, d, e]: &[u32; 5]) -> Self {
        let abcd = _mm_set_epi32(a.cast_signed(), b.cast_signed(), c.cast_signed(), d.cast_signed());
        let e = _mm_set_epi32(e.cast_signed(), 0, 0, 0);
        Self { abcd, e, schedule: [_mm_setzero_si128(); 4], before: (abcd, e) }
    }

    #[target_feature(enable = "ssse3")]
    pub(super) fn begin_block(&mut self, block: &[u8; HASH_BLOCK_LEN]) {
        self.before = (self.abcd, self.e);
        let big_endian = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
        let blocks = block.as_chunks().0.as_chunks().0;
        for (words, block) in self.schedule.iter_mut().zip(blocks) {
            *words = _mm_shuffle_epi8(load(*block), big_endian);
        }
    }

    /// Four rounds of a quarter of the block's 80, `first` if they are the first ones.
    #[target_feature(enable = "sha")]
    pub(super) fn four_rounds<const QUARTER: i32>(&mut self, first: bool) {
        let [w0, w1, w2, w3] = self.schedule;
        let e_and_words = if first { _mm_add_epi32(self.e, w0) } else { _mm_sha1nexte_epu32(self.e, w0) };
        self.e = self.abcd;
        self.abcd = _mm_sha1rnds4_epu32::<QUARTER>(self.abcd, e_and_words);
        let w4 = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);
        self.schedule = [w1, w2, w3, w4];
    }

    #[target_feature(enable = "sha")]
    pub(super) fn end_block(&mut self) {
        self.abcd = _mm_add_epi32(self.abcd, self.before.0);
        self.e = _mm_sha1nexte_epu32(self.e, self.before.1);
    }

    #[target_feature(enable = "sse4.1")]
    pub(super) fn end(self, hash: &mut [u32; 5]) {
        *hash = [
            _mm_extract_epi32::<3>(self.abcd),
            _mm_extract_epi32::<2>(self.abcd),
            _mm_extract_epi32::<1>(self.abcd),
            _mm_extract_epi32::<0>(self.abcd),
            _mm_extract_epi32::<3>(self.e),
        ]
        .map(i32::cast_unsigned);
    }
}
