//! Randomness that is the same on every run, and damage made with it.

use std::fmt;

/// A deterministic generator (splitmix64). **Not secure**: whoever sees eight bytes of it knows the rest.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    state: u64,
}

impl SeededRandom {
    /// A generator whose output depends on `seed` only.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills `buffer`. The bytes do not depend on how the calls divide them only if each call but the last asks for a
    /// multiple of eight.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        bytes
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "there is no number below zero");
        (self.next_u64() % bound as u64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        assert!(low <= high, "{low} to {high} is no range");
        low + self.below(high - low + 1)
    }

    /// One of `items`, which is not empty.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// Damages byte strings as a fuzzer would, the same way for the same seed.
///
/// ```
/// # use opensspi_test_support::Mutator;
/// let hello = [22, 3, 1, 0, 5, 1, 0, 0, 1, 0];
/// let mut mutator = Mutator::new(7);
/// for _ in 0..100 {
///     let mut bytes = hello.to_vec();
///     let mutation = mutator.mutate(&mut bytes);
///     assert!(bytes != hello, "{mutation}");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Mutator {
    random: SeededRandom,
    longest: usize,
}

/// What [`Mutator::mutate`] did; its `Display` belongs in the message of the failed assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// One bit was inverted.
    BitFlip {
        /// Offset of the byte.
        at: usize,
        /// 0 for the least significant.
        bit: u8,
    },
    /// One byte was replaced.
    ByteSet {
        /// Offset of the byte.
        at: usize,
        /// Its new value.
        to: u8,
    },
    /// The end was cut off.
    Truncation {
        /// The length that is left.
        to: usize,
    },
    /// Bytes were put in.
    Insertion {
        /// Offset of the first new byte.
        at: usize,
        /// How many.
        length: usize,
    },
    /// A range was taken out.
    Removal {
        /// Offset of the first byte.
        at: usize,
        /// How many.
        length: usize,
    },
    /// A range was put in a second time, right behind itself.
    Duplication {
        /// Offset of the first byte.
        at: usize,
        /// How many.
        length: usize,
    },
    /// A number of one to four bytes, likely to be a length, was replaced.
    Length {
        /// Offset of its first byte.
        at: usize,
        /// Bytes in it.
        width: usize,
        /// Little-endian, as in NTLM; big-endian otherwise.
        little_endian: bool,
        /// Its value before.
        from: u32,
        /// Its value now.
        to: u32,
    },
}

impl Mutator {
    /// A mutator whose damage depends on `seed` and the input only.
    pub fn new(seed: u64) -> Self {
        Self { random: SeededRandom::new(seed), longest: 64 }
    }

    /// How many bytes an insertion, removal or duplication may cover; 64 if never said.
    pub fn longest(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a mutation covers at least one byte");
        self.longest = bytes;
        self
    }

    /// Damages `bytes` in one way and says in which. The result always differs from the input.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        let before = bytes.clone();
        loop {
            let mutation = self.attempt(bytes);
            if *bytes != before {
                return mutation;
            }
        }
    }

    /// Damages `bytes` 1 to `most` times.
    pub fn mutate_some(&mut self, bytes: &mut Vec<u8>, most: usize) -> Vec<Mutation> {
        (0..self.random.between(1, most)).map(|_| self.mutate(bytes)).collect()
    }

    fn attempt(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        if bytes.is_empty() {
            return self.insert(bytes);
        }
        // Length fields are where decoders fail, so they get half of the draws.
        match self.random.below(12) {
            0 => self.flip_bit(bytes),
            1 => self.set_byte(bytes),
            2 => self.truncate(bytes),
            3 => self.insert(bytes),
            4 => self.remove(bytes),
            5 => self.duplicate(bytes),
            _ => self.tamper_with_length(bytes),
        }
    }

    fn flip_bit(&mut self, bytes: &mut [u8]) -> Mutation {
        let (at, bit) = (self.random.below(bytes.len()), self.random.below(8) as u8);
        bytes[at] ^= 1 << bit;
        Mutation::BitFlip { at, bit }
    }

    fn set_byte(&mut self, bytes: &mut [u8]) -> Mutation {
        let at = self.random.below(bytes.len());
        let any = self.random.below(256) as u8;
        let to = *self.random.choose(&[0, 1, 0x7f, 0x80, 0xff, any]);
        bytes[at] = to;
        Mutation::ByteSet { at, to }
    }

    fn truncate(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        let to = self.random.below(bytes.len());
        bytes.truncate(to);
        Mutation::Truncation { to }
    }

    fn insert(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        let (at, length) = (self.random.between(0, bytes.len()), self.random.between(1, self.longest));
        let new = self.random.bytes(length);
        bytes.splice(at..at, new);
        Mutation::Insertion { at, length }
    }

    fn remove(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        let (at, length) = self.range(bytes.len());
        bytes.drain(at..at + length);
        Mutation::Removal { at, length }
    }

    fn duplicate(&mut self, bytes: &mut Vec<u8>) -> Mutation {
        let (at, length) = self.range(bytes.len());
        let copy = bytes[at..at + length].to_vec();
        bytes.splice(at + length..at + length, copy);
        Mutation::Duplication { at, length }
    }

    fn range(&mut self, length: usize) -> (usize, usize) {
        let at = self.random.below(length);
        (at, self.random.between(1, self.longest.min(length - at)))
    }

    fn tamper_with_length(&mut self, bytes: &mut [u8]) -> Mutation {
        let mut field = self.field(bytes);
        // A number that fits in what follows it is probably a length: prefer those, without insisting.
        for _ in 0..8 {
            let (at, width, _, value) = field;
            if value as usize <= bytes.len() - at - width {
                break;
            }
            field = self.field(bytes);
        }
        let (at, width, little_endian, from) = field;
        let most = u32::MAX >> (32 - 8 * width);
        let rest = (bytes.len() - at - width) as u32;
        let any = self.random.next_u64() as u32;
        let to = most
            & *self.random.choose(&[
                0,
                1,
                from.wrapping_add(1),
                from.wrapping_sub(1),
                from.wrapping_mul(2),
                from / 2,
                rest,
                rest.wrapping_add(1),
                rest.wrapping_sub(1),
                most,
                most / 2 + 1,
                any,
            ]);
        for place in 0..width {
            let shift = 8 * if little_endian { place } else { width - 1 - place };
            bytes[at + place] = (to >> shift) as u8;
        }
        Mutation::Length { at, width, little_endian, from, to }
    }

    /// Offset, width, byte order and value of a number somewhere in `bytes`.
    fn field(&mut self, bytes: &[u8]) -> (usize, usize, bool, u32) {
        let width = self.random.between(1, bytes.len().min(4));
        let at = self.random.between(0, bytes.len() - width);
        let little_endian = width != 3 && self.random.below(4) == 0;
        let field = &bytes[at..at + width];
        let add = |value: u32, byte: &u8| value << 8 | u32::from(*byte);
        let value = if little_endian { field.iter().rev().fold(0, add) } else { field.iter().fold(0, add) };
        (at, width, little_endian, value)
    }
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BitFlip { at, bit } => write!(f, "bit {bit} of byte {at} inverted"),
            Self::ByteSet { at, to } => write!(f, "byte {at} set to {to:#04x}"),
            Self::Truncation { to } => write!(f, "cut to {to} bytes"),
            Self::Insertion { at, length } => write!(f, "{length} bytes inserted at {at}"),
            Self::Removal { at, length } => write!(f, "{length} bytes removed at {at}"),
            Self::Duplication { at, length } => write!(f, "{length} bytes at {at} duplicated"),
            Self::Length { at, width, little_endian, from, to } => {
                let order = if *little_endian { "little" } else { "big" };
                write!(f, "{width}-byte {order}-endian number at {at} changed from {from} to {to}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::mem::discriminant;

    #[test]
    fn splitmix64_gives_its_published_sequence() {
        // The reference implementation by Vigna, seed 1234567.
        let mut random = SeededRandom::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([random.next_u64(), random.next_u64(), random.next_u64()], expected);
    }

    #[test]
    fn mutations_repeat_for_a_seed_and_always_change_something() {
        let original: Vec<u8> = (0..60).collect();
        let (mut one, mut two) = (Mutator::new(42), Mutator::new(42));
        let mut kinds = HashSet::new();
        for _ in 0..2000 {
            let (mut a, mut b) = (original.clone(), original.clone());
            let mutation = one.mutate(&mut a);
            assert_eq!(mutation, two.mutate(&mut b));
            assert_eq!(a, b);
            assert_ne!(a, original, "{mutation}");
            kinds.insert(discriminant(&mutation));
        }
        assert_eq!(kinds.len(), 7, "every kind of damage occurs");
    }

    #[test]
    fn the_shortest_inputs_are_damaged_too() {
        let mut mutator = Mutator::new(0).longest(3);
        for length in 0..5 {
            for _ in 0..200 {
                let mut bytes = vec![0xaa; length];
                mutator.mutate_some(&mut bytes, 4);
            }
        }
    }
}
