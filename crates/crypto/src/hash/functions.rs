//! What each hash function does with a block.
//!
//! Spec: MD5 section 3; SHS sections 5 and 6.

use zeroize::Zeroize;

use super::{copy, md5};

/// A hash function as what it does to its chaining value.
pub(crate) trait Function<const BLOCK_LEN: usize>: Clone + Zeroize {
    /// The chaining value before the first block.
    const INITIAL: Self;

    /// How many bytes of the last block hold the length of the data.
    const LENGTH_LEN: usize = BLOCK_LEN / 8;

    /// Takes `blocks` in.
    fn compress(&mut self, blocks: &[[u8; BLOCK_LEN]]);

    /// Takes a block into each of two. They do not wait for each other.
    #[inline]
    fn compress_two(one: (&mut Self, &[u8; BLOCK_LEN]), other: (&mut Self, &[u8; BLOCK_LEN])) {
        one.0.compress(std::slice::from_ref(one.1));
        other.0.compress(std::slice::from_ref(other.1));
    }

    /// The length of the data in bits, as the last bytes of the last block hold it.
    fn length_field(bits: u128) -> [u8; 16] {
        bits.to_be_bytes()
    }

    /// Writes the chaining value as the output of the function, as far as `out` is long.
    fn write_output(&self, out: &mut [u8]);
}

#[derive(Clone)]
pub(crate) struct Md5(pub(crate) [u32; 4]);

impl Function<64> for Md5 {
    const INITIAL: Self = Self([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        md5::compress(&mut self.0, blocks);
    }

    fn compress_two(one: (&mut Self, &[u8; 64]), other: (&mut Self, &[u8; 64])) {
        let ((Self(one), one_block), (Self(other), other_block)) = (one, other);
        (*one, *other) = md5::compress_two(*one, one_block, *other, other_block);
    }

    /// The one function of these whose length is little-endian.
    fn length_field(bits: u128) -> [u8; 16] {
        (bits << 64).to_le_bytes()
    }

    fn write_output(&self, out: &mut [u8]) {
        write_words(self.0.map(u32::to_le_bytes), out);
    }
}

#[derive(Clone)]
pub(crate) struct Sha1(pub(crate) [u32; 5]);

impl Function<64> for Sha1 {
    const INITIAL: Self = Self([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        sha1::block_api::compress(&mut self.0, blocks);
    }

    fn write_output(&self, out: &mut [u8]) {
        write_words(self.0.map(u32::to_be_bytes), out);
    }
}

#[derive(Clone)]
pub(crate) struct Sha256(pub(crate) [u32; 8]);

impl Function<64> for Sha256 {
    const INITIAL: Self = Self([
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ]);

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        sha2::block_api::compress256(&mut self.0, blocks);
    }

    fn write_output(&self, out: &mut [u8]) {
        write_words(self.0.map(u32::to_be_bytes), out);
    }
}

/// SHA-512, and SHA-384 and SHA-512/256, which differ in their first chaining values and in how much of the last one is the
/// output.
#[derive(Clone)]
pub(crate) struct Sha512([u64; 8]);

impl Sha512 {
    pub(crate) const INITIAL_OF_SHA384: Self = Self([
        0xcbbb9d5dc1059ed8,
        0x629a292a367cd507,
        0x9159015a3070dd17,
        0x152fecd8f70e5939,
        0x67332667ffc00b31,
        0x8eb44a8768581511,
        0xdb0c2e0d64f98fa7,
        0x47b5481dbefa4fa4,
    ]);

    pub(crate) const INITIAL_OF_SHA512_256: Self = Self([
        0x22312194fc2bf72c,
        0x9f555fa3c84c64c2,
        0x2393b86b6f53b151,
        0x963877195940eabd,
        0x96283ee2a88effe3,
        0xbe5e1e2553863992,
        0x2b0199fc2c85b8aa,
        0x0eb72ddc81c52ca2,
    ]);
}

impl Function<128> for Sha512 {
    const INITIAL: Self = Self([
        0x6a09e667f3bcc908,
        0xbb67ae8584caa73b,
        0x3c6ef372fe94f82b,
        0xa54ff53a5f1d36f1,
        0x510e527fade682d1,
        0x9b05688c2b3e6c1f,
        0x1f83d9abfb41bd6b,
        0x5be0cd19137e2179,
    ]);

    fn compress(&mut self, blocks: &[[u8; 128]]) {
        sha2::block_api::compress512(&mut self.0, blocks);
    }

    fn write_output(&self, out: &mut [u8]) {
        write_words(self.0.map(u64::to_be_bytes), out);
    }
}

/// Slices are wiped in one go, arrays element by element.
macro_rules! wiped {
    ($($function:ident)*) => {$(
        impl Zeroize for $function {
            #[inline]
            fn zeroize(&mut self) {
                self.0.as_mut_slice().zeroize();
            }
        }
    )*};
}

wiped!(Md5 Sha1 Sha256 Sha512);

fn write_words<const LEN: usize, const COUNT: usize>(words: [[u8; LEN]; COUNT], out: &mut [u8]) {
    copy(words.as_flattened(), out);
}
