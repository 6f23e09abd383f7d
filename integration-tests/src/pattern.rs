//! Content that is the same in Rust, Python and Java, so that both ends can check every byte of it.

use std::{fmt, io};

/// A stream of bytes without end: byte `i` is `(31 * i + i / 251 + seed) mod 256`.
///
/// It repeats after 64,256 bytes, which no power of two divides, so a record lost, doubled or exchanged with another
/// shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    seed: u64,
}

/// The first byte that was not as the pattern has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Where, counted from the start of the stream.
    pub offset: u64,
    /// What the pattern has there.
    pub expected: u8,
    /// What came.
    pub found: u8,
}

impl Pattern {
    /// The pattern of this seed, of which the lowest eight bits count.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed.
    pub const fn seed(self) -> u64 {
        self.seed
    }

    /// The byte at `offset`.
    pub const fn at(self, offset: u64) -> u8 {
        // The lowest byte of a wrapped sum is the sum mod 256.
        offset.wrapping_mul(31).wrapping_add(offset / 251).wrapping_add(self.seed).to_le_bytes()[0]
    }

    /// Fills `buffer` with what stands from `offset` on.
    pub fn fill(self, offset: u64, buffer: &mut [u8]) {
        for (offset, byte) in (offset..).zip(buffer) {
            *byte = self.at(offset);
        }
    }

    /// `length` bytes from `offset` on.
    pub fn bytes(self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.fill(offset, &mut bytes);
        bytes
    }

    /// The first `length` bytes as something to read from.
    pub fn reader(self, length: u64) -> PatternReader {
        PatternReader { pattern: self, offset: 0, length }
    }

    /// Something that checks what arrives, from the start.
    pub fn checker(self) -> PatternChecker {
        PatternChecker { pattern: self, offset: 0 }
    }

    /// The first `length` bytes, as something to send and to check.
    pub const fn content(self, length: u64) -> Content {
        Content { pattern: self, length, text: false }
    }

    /// Lines of 63 printable ASCII characters and a line feed made from the pattern, for peers that take text only.
    pub fn lines(self, count: usize) -> String {
        let text = self.content(64 * count as u64).as_lines();
        (0..text.length()).map(|offset| char::from(text.at(offset))).collect()
    }
}

/// So many bytes that are sent one way: the pattern itself, or its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pattern: Pattern,
    length: u64,
    text: bool,
}

impl Content {
    /// As [`Pattern::lines`], for peers that take text only: at least one line, and the last one is whole.
    pub const fn as_lines(self) -> Self {
        let lines = if self.length < 64 { 1 } else { self.length / 64 };
        Self { length: 64 * lines, text: true, ..self }
    }

    /// How many bytes.
    pub const fn length(self) -> u64 {
        self.length
    }

    /// The byte at `offset`.
    pub const fn at(self, offset: u64) -> u8 {
        if !self.text {
            self.pattern.at(offset)
        } else if offset % 64 == 63 {
            b'\n'
        } else {
            b'!' + self.pattern.at(offset) % 94
        }
    }

    /// Bytes from `offset` on, at most `most`; none at the end.
    pub fn chunk(self, offset: u64, most: usize) -> Vec<u8> {
        let end = self.length.min(offset.saturating_add(most as u64));
        (offset..end).map(|offset| self.at(offset)).collect()
    }

    /// Checks what arrived behind the first `offset` bytes.
    ///
    /// # Errors
    ///
    /// The first byte that differs.
    pub fn check(self, offset: u64, bytes: &[u8]) -> Result<(), Mismatch> {
        for (offset, &found) in (offset..).zip(bytes) {
            let expected = self.at(offset);
            if found != expected {
                return Err(Mismatch { offset, expected, found });
            }
        }
        Ok(())
    }
}

/// Reads the pattern; see [`Pattern::reader`].
#[derive(Clone, Debug)]
pub struct PatternReader {
    pattern: Pattern,
    offset: u64,
    length: u64,
}

impl io::Read for PatternReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length - self.offset).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let (now, _) = buffer.split_at_mut(count);
        self.pattern.fill(self.offset, now);
        self.offset += count as u64;
        Ok(count)
    }
}

/// Checks bytes against the pattern as they arrive; see [`Pattern::checker`].
#[derive(Clone, Debug)]
pub struct PatternChecker {
    pattern: Pattern,
    offset: u64,
}

impl PatternChecker {
    /// Checks the next bytes of the stream.
    ///
    /// # Errors
    ///
    /// The first byte that differs. What was checked before it counts as arrived.
    pub fn check(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        for &found in bytes {
            let expected = self.pattern.at(self.offset);
            if found != expected {
                return Err(Mismatch { offset: self.offset, expected, found });
            }
            self.offset += 1;
        }
        Ok(())
    }

    /// How many bytes arrived as they should.
    pub fn arrived(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, expected, found } = self;
        write!(f, "byte {offset} is {found:#04x} where the pattern has {expected:#04x}")
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn the_pattern_is_its_formula_and_its_period() {
        let pattern = Pattern::new(300);
        for offset in [0u64, 1, 250, 251, 252, 5000, 64_255, 1 << 40] {
            assert_eq!(u64::from(pattern.at(offset)), (31 * offset + offset / 251 + 300) % 256);
            assert_eq!(pattern.at(offset), pattern.at(offset + 64_256));
        }
        assert_ne!(pattern.bytes(0, 1000), pattern.bytes(16_384, 1000));
    }

    #[test]
    fn the_checker_finds_the_first_wrong_byte() {
        let mut bytes = Vec::new();
        Pattern::new(7).reader(100_000).read_to_end(&mut bytes).unwrap();
        let mut checker = Pattern::new(7).checker();
        checker.check(&bytes[..60_000]).unwrap();
        bytes[70_000] ^= 1;
        let mismatch = checker.check(&bytes[60_000..]).unwrap_err();
        assert_eq!((mismatch.offset, checker.arrived()), (70_000, 70_000));
    }

    #[test]
    fn content_is_given_in_chunks_and_checked_where_it_stands() {
        let content = Pattern::new(9).content(100);
        assert_eq!(content.chunk(90, 64), Pattern::new(9).bytes(90, 10));
        assert!(content.chunk(100, 64).is_empty());
        content.check(90, &content.chunk(90, 5)).unwrap();
        assert_eq!(content.check(91, &content.chunk(90, 5)).unwrap_err().offset, 91);
        assert_eq!(content.as_lines().length(), 64);
    }

    #[test]
    fn lines_are_printable_text() {
        let text = Pattern::new(1).lines(50);
        assert_eq!(text.len(), 50 * 64);
        assert!(
            text.lines().all(|line| line.len() == 63 && line.bytes().all(|b| (b'!'..=b'~').contains(&b)))
        );
    }
}
