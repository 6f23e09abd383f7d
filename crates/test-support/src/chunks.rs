//! The ways in which a network may cut a byte string.

use crate::random::SeededRandom;

/// Every cut of `bytes` in two, from nothing and everything to everything and nothing: `len + 1` pairs.
pub fn at_every_boundary(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    (0..=bytes.len()).map(move |at| bytes.split_at(at))
}

/// Every proper prefix of `bytes`, the empty one first: `len` slices.
pub fn proper_prefixes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(move |end| &bytes[..end])
}

/// One byte at a time.
pub fn byte_by_byte(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.chunks(1)
}

/// Pieces of 1 to `longest` bytes; the same pieces for the same seed.
pub fn random_pieces(bytes: &[u8], longest: usize, seed: u64) -> RandomPieces<'_> {
    assert!(longest > 0, "a piece has at least one byte");
    RandomPieces { rest: bytes, longest, random: SeededRandom::new(seed) }
}

/// The iterator of [`random_pieces`].
#[derive(Debug)]
pub struct RandomPieces<'a> {
    rest: &'a [u8],
    longest: usize,
    random: SeededRandom,
}

impl<'a> Iterator for RandomPieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let length = self.random.between(1, self.longest.min(self.rest.len()));
        let (piece, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_whole() {
        let bytes: Vec<u8> = (0..200).collect();
        for seed in 0..50 {
            let pieces: Vec<&[u8]> = random_pieces(&bytes, 17, seed).collect();
            assert!(pieces.iter().all(|piece| (1..=17).contains(&piece.len())));
            assert_eq!(pieces.concat(), bytes);
            assert!(random_pieces(&bytes, 17, seed).eq(pieces));
        }
        assert_eq!(byte_by_byte(&bytes).count(), 200);
    }

    #[test]
    fn boundaries_include_both_ends() {
        let cuts: Vec<_> = at_every_boundary(b"ab").collect();
        assert_eq!(cuts, [(&b""[..], &b"ab"[..]), (b"a", b"b"), (b"ab", b"")]);
        assert_eq!(proper_prefixes(b"ab").collect::<Vec<_>>(), [&b""[..], b"a"]);
    }
}
