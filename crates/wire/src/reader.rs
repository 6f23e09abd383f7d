//! Reading from the front of a slice.

use std::fmt::{self, Debug, Formatter};

use crate::{DecodeError, U24};

/// Bytes that are read from the front, field by field. It cannot be indexed.
///
/// A read that fails consumes nothing. A clone reads on from the same place, for looking ahead. `Debug` shows how
/// many bytes remain, never which.
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are still to be read.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all bytes have been read.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Reads `length` bytes.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            return Err(DecodeError::truncated(field, length.saturating_sub(self.bytes.len())));
        };
        self.bytes = rest;
        Ok(taken)
    }

    /// Reads `N` bytes as an array.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_first_chunk::<N>() else {
            return Err(DecodeError::truncated(field, N.saturating_sub(self.bytes.len())));
        };
        self.bytes = rest;
        Ok(*taken)
    }

    /// Reads all bytes that remain.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    /// Reads one byte.
    ///
    /// # Errors
    ///
    /// None remains.
    #[inline]
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_be_bytes)
    }

    /// Reads 2 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Reads 3 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u24(&mut self, field: &'static str) -> Result<U24, DecodeError> {
        self.array(field).map(U24::from_be_bytes)
    }

    /// Reads 4 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Reads 8 bytes, big-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Reads 2 bytes, little-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u16_le(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Reads 4 bytes, little-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u32_le(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Reads 8 bytes, little-endian.
    ///
    /// # Errors
    ///
    /// Fewer remain.
    #[inline]
    pub fn u64_le(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Reads a length of 1 byte and so many bytes.
    ///
    /// # Errors
    ///
    /// Fewer remain than the length says.
    #[inline]
    pub fn opaque_u8(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(field, |reader| reader.u8(field).map(usize::from))
    }

    /// Reads a length of 2 bytes, big-endian, and so many bytes.
    ///
    /// # Errors
    ///
    /// Fewer remain than the length says.
    #[inline]
    pub fn opaque_u16(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(field, |reader| reader.u16(field).map(usize::from))
    }

    /// Reads a length of 3 bytes, big-endian, and so many bytes.
    ///
    /// # Errors
    ///
    /// Fewer remain than the length says.
    #[inline]
    pub fn opaque_u24(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        self.prefixed(field, |reader| reader.u24(field).map(usize::from))
    }

    /// Reads a length of 1 byte; what it spans is read from the reader that is returned.
    ///
    /// # Errors
    ///
    /// Fewer bytes remain than the length says.
    #[inline]
    pub fn vec_u8(&mut self, field: &'static str) -> Result<Self, DecodeError> {
        self.opaque_u8(field).map(Self::new)
    }

    /// Reads a length of 2 bytes, big-endian, in bytes; what it spans is read from the reader that is returned.
    ///
    /// # Errors
    ///
    /// Fewer bytes remain than the length says.
    #[inline]
    pub fn vec_u16(&mut self, field: &'static str) -> Result<Self, DecodeError> {
        self.opaque_u16(field).map(Self::new)
    }

    /// Reads a length of 3 bytes, big-endian, in bytes; what it spans is read from the reader that is returned.
    ///
    /// # Errors
    ///
    /// Fewer bytes remain than the length says.
    #[inline]
    pub fn vec_u24(&mut self, field: &'static str) -> Result<Self, DecodeError> {
        self.opaque_u24(field).map(Self::new)
    }

    /// Ends the reading of `context`, the message or the field that these bytes are.
    ///
    /// # Errors
    ///
    /// Bytes remain: something was smuggled in after the last field, or the format is another one.
    #[inline]
    pub fn finish(self, context: &'static str) -> Result<(), DecodeError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(DecodeError::trailing(context, self.bytes.len())) }
    }

    #[inline]
    fn prefixed(
        &mut self,
        field: &'static str,
        read_length: impl FnOnce(&mut Self) -> Result<usize, DecodeError>,
    ) -> Result<&'a [u8], DecodeError> {
        let mut ahead = self.clone();
        let length = read_length(&mut ahead)?;
        let content = ahead.take(field, length)?;
        *self = ahead;
        Ok(content)
    }
}

impl Debug for Reader<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("remaining", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DecodeErrorKind;

    #[test]
    fn numbers_are_read_in_both_byte_orders() {
        let bytes: Vec<u8> = (1..=18).collect();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("n"), Ok(0x01));
        assert_eq!(reader.u16("n"), Ok(0x0203));
        assert_eq!(reader.u24("n").map(U24::get), Ok(0x04_0506));
        assert_eq!(reader.u32("n"), Ok(0x0708_090a));
        assert_eq!(reader.u64("n"), Ok(0x0b0c_0d0e_0f10_1112));
        assert!(reader.is_empty());

        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u16_le("n"), Ok(0x0201));
        assert_eq!(reader.u32_le("n"), Ok(0x0605_0403));
        assert_eq!(reader.u64_le("n"), Ok(0x0e0d_0c0b_0a09_0807));
        assert_eq!(reader.remaining(), 4);
    }

    type Read = fn(&mut Reader<'_>) -> Result<(), DecodeError>;

    /// Every read with the shortest bytes that satisfy it.
    fn reads() -> [(Read, &'static [u8]); 16] {
        [
            (|r| r.u8("f").map(drop), &[0]),
            (|r| r.u16("f").map(drop), &[0; 2]),
            (|r| r.u24("f").map(drop), &[0; 3]),
            (|r| r.u32("f").map(drop), &[0; 4]),
            (|r| r.u64("f").map(drop), &[0; 8]),
            (|r| r.u16_le("f").map(drop), &[0; 2]),
            (|r| r.u32_le("f").map(drop), &[0; 4]),
            (|r| r.u64_le("f").map(drop), &[0; 8]),
            (|r| r.take("f", 5).map(drop), &[0; 5]),
            (|r| r.array::<5>("f").map(drop), &[0; 5]),
            (|r| r.opaque_u8("f").map(drop), &[2, 8, 9]),
            (|r| r.opaque_u16("f").map(drop), &[0, 2, 8, 9]),
            (|r| r.opaque_u24("f").map(drop), &[0, 0, 2, 8, 9]),
            (|r| r.vec_u8("f").map(drop), &[2, 8, 9]),
            (|r| r.vec_u16("f").map(drop), &[0, 2, 8, 9]),
            (|r| r.vec_u24("f").map(drop), &[0, 0, 2, 8, 9]),
        ]
    }

    #[test]
    fn every_read_takes_its_bytes_and_no_more() {
        for (index, (read, bytes)) in reads().into_iter().enumerate() {
            let longer = [bytes, b"next"].concat();
            let mut reader = Reader::new(&longer);
            assert_eq!(read(&mut reader), Ok(()), "read {index}");
            assert_eq!(reader.rest(), b"next", "read {index}");
        }
    }

    #[test]
    fn every_read_refuses_every_truncated_prefix_and_consumes_nothing() {
        for (index, (read, bytes)) in reads().into_iter().enumerate() {
            for length in 0..bytes.len() {
                let mut reader = Reader::new(&bytes[..length]);
                let error = read(&mut reader).unwrap_err();
                assert_eq!(error.field, "f");
                assert!(
                    matches!(error.kind, DecodeErrorKind::Truncated { needed } if needed > 0),
                    "read {index} at {length}: {error}"
                );
                assert_eq!(reader.remaining(), length, "read {index} at {length}");
            }
        }
    }

    #[test]
    fn truncated_says_how_many_bytes_are_missing() {
        let needed = |bytes: &[u8]| Reader::new(bytes).opaque_u16("f").unwrap_err();
        assert_eq!(needed(&[]), DecodeError::truncated("f", 2));
        assert_eq!(needed(&[0]), DecodeError::truncated("f", 1));
        assert_eq!(needed(&[0, 5, 1, 2]), DecodeError::truncated("f", 3));
        assert_eq!(needed(&[0xff, 0xff]), DecodeError::truncated("f", 0xffff));
        assert_eq!(Reader::new(&[1]).take("f", usize::MAX), Err(DecodeError::truncated("f", usize::MAX - 1)));
        assert_eq!(Reader::new(&[0xff; 3]).vec_u24("f").unwrap_err(), DecodeError::truncated("f", 0xff_ffff));
    }

    #[test]
    fn vector_is_read_apart_from_what_follows() {
        let mut reader = Reader::new(&[0, 4, 0x00, 0x2f, 0x00, 0x35, 0xaa]);
        let mut suites = reader.vec_u16("suites").unwrap();
        assert_eq!(suites.u16("suites"), Ok(0x002f));
        assert_eq!(suites.u16("suites"), Ok(0x0035));
        assert_eq!(suites.finish("suites"), Ok(()));
        assert_eq!(reader.u8("next"), Ok(0xaa));
        assert_eq!(reader.finish("message"), Ok(()));
    }

    #[test]
    fn finish_refuses_trailing_bytes() {
        let mut reader = Reader::new(&[1, 2, 3]);
        reader.u8("f").unwrap();
        assert_eq!(reader.finish("ServerHello"), Err(DecodeError::trailing("ServerHello", 2)));
    }

    #[test]
    fn debug_shows_no_content() {
        assert_eq!(format!("{:?}", Reader::new(b"secret")), "Reader { remaining: 6 }");
    }
}
