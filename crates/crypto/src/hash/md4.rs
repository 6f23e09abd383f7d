//! MD4, for what NTLM and the RC4 types of Kerberos make of passwords.
//!
//! Spec: MD4.

use zeroize::Zeroize;

use super::{Blocks, Digest, Function, copy};

/// The MD4 of `data`: 16 bytes. It is broken in every way that a hash can be: for the protocols that prescribe it only.
#[must_use]
pub fn md4(data: &[u8]) -> Digest {
    let mut blocks = Blocks::new(Md4::INITIAL);
    blocks.update(data);
    blocks.finish(16)
}

#[derive(Clone)]
struct Md4([u32; 4]);

impl Function<64> for Md4 {
    const INITIAL: Self = Self([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);

    fn compress(&mut self, blocks: &[[u8; 64]]) {
        blocks.iter().for_each(|block| self.compress_block(block));
    }

    /// Little-endian, as of MD5.
    fn length_field(bits: u128) -> [u8; 16] {
        (bits << 64).to_le_bytes()
    }

    fn write_output(&self, out: &mut [u8]) {
        copy(self.0.map(u32::to_le_bytes).as_flattened(), out);
    }
}

impl Zeroize for Md4 {
    fn zeroize(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// What a round adds to every word, how it combines three words, in which order it takes the words of the block, and how
/// far each of four steps in turn rotates.
type Round = (u32, fn(u32, u32, u32) -> u32, [usize; 16], [u32; 4]);

/// Spec: MD4 section 3.4.
const ROUNDS: [Round; 3] = [
    (0, |x, y, z| (x & y) | (!x & z), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], [3, 7, 11, 19]),
    (
        0x5a82_7999,
        |x, y, z| (x & y) | (x & z) | (y & z),
        [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
        [3, 5, 9, 13],
    ),
    (
        0x6ed9_eba1,
        |x, y, z| x ^ y ^ z,
        [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
        [3, 9, 11, 15],
    ),
];

impl Md4 {
    fn compress_block(&mut self, block: &[u8; 64]) {
        let mut words = [0; 16];
        words
            .iter_mut()
            .zip(block.as_chunks().0)
            .for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
        let mut state = self.0;
        for (constant, combine, order, rotations) in ROUNDS {
            for (place, rotation) in order.iter().zip(rotations.iter().cycle()) {
                let word = words.get(*place).copied().unwrap_or_default();
                let [a, b, c, d] = state;
                let sum = a.wrapping_add(combine(b, c, d)).wrapping_add(word).wrapping_add(constant);
                // The next step has the words one further.
                state = [d, sum.rotate_left(*rotation), b, c];
            }
        }
        self.0.iter_mut().zip(state).for_each(|(to, from)| *to = to.wrapping_add(from));
        words.as_mut_slice().zeroize();
        state.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::md4;
    use crate::hex::hex;
    use md4_oracle::Digest as _;
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    /// RFC 1320 section A.5.
    #[test]
    fn digests_are_those_of_the_standard() {
        for (message, expected) in [
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
            ("abc", "a448017aaf21d8525fc10ae87aa6729d"),
            ("message digest", "d9130a8164549fe818874806e1c7014b"),
            ("abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "e33b4ddc9c38f2199c3e7b164fcc0536",
            ),
        ] {
            assert_eq!(md4(message.as_bytes()).as_ref(), hex(expected), "{message}");
        }
    }

    proptest! {
        #[test]
        fn digests_are_those_of_another_implementation(data in vec(any::<u8>(), 0..300)) {
            let (ours, theirs) = (md4(&data), md4_oracle::Md4::digest(&data));
            prop_assert_eq!(ours.as_ref(), theirs.as_slice());
        }
    }
}
