//! Writing to the end of a vector.

use std::fmt::{self, Debug, Formatter};

use crate::{EncodeError, U24};

/// Bytes that are written to the end, field by field; the mirror of [`Reader`](crate::Reader).
///
/// A write that fails leaves what was there before it. `Debug` shows how many bytes were written, never which.
/// The bytes are not zeroized when it is dropped: one that writes a secret wipes the vector from
/// [`Writer::into_vec`] itself, and gives it the capacity it needs, since a vector that grows leaves a copy.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts with nothing written.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Starts with nothing written and room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// How many bytes have been written.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has been written.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What has been written so far.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been written.
    #[inline]
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes one byte.
    #[inline]
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Writes 2 bytes, big-endian.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 3 bytes, big-endian.
    #[inline]
    pub fn u24(&mut self, value: U24) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 4 bytes, big-endian.
    #[inline]
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 8 bytes, big-endian.
    #[inline]
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// Writes 2 bytes, little-endian.
    #[inline]
    pub fn u16_le(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes 4 bytes, little-endian.
    #[inline]
    pub fn u32_le(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes 8 bytes, little-endian.
    #[inline]
    pub fn u64_le(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Writes a length of 1 byte and `bytes`.
    ///
    /// # Errors
    ///
    /// There are more than 255.
    pub fn opaque_u8(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        self.vec_u8(field, |writer| {
            writer.bytes(bytes);
            Ok(())
        })
    }

    /// Writes a length of 2 bytes, big-endian, and `bytes`.
    ///
    /// # Errors
    ///
    /// There are more than 65,535.
    pub fn opaque_u16(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        self.vec_u16(field, |writer| {
            writer.bytes(bytes);
            Ok(())
        })
    }

    /// Writes a length of 3 bytes, big-endian, and `bytes`.
    ///
    /// # Errors
    ///
    /// There are more than 16,777,215.
    pub fn opaque_u24(&mut self, field: &'static str, bytes: &[u8]) -> Result<(), EncodeError> {
        self.vec_u24(field, |writer| {
            writer.bytes(bytes);
            Ok(())
        })
    }

    /// Writes a length of 1 byte and, after it, what `content` writes.
    ///
    /// # Errors
    ///
    /// `content` fails, or writes more than 255 bytes.
    pub fn vec_u8(
        &mut self,
        field: &'static str,
        content: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.prefixed::<1>(field, content)
    }

    /// Writes a length of 2 bytes, big-endian, in bytes and, after it, what `content` writes.
    ///
    /// # Errors
    ///
    /// `content` fails, or writes more than 65,535 bytes.
    pub fn vec_u16(
        &mut self,
        field: &'static str,
        content: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.prefixed::<2>(field, content)
    }

    /// Writes a length of 3 bytes, big-endian, in bytes and, after it, what `content` writes.
    ///
    /// # Errors
    ///
    /// `content` fails, or writes more than 16,777,215 bytes.
    pub fn vec_u24(
        &mut self,
        field: &'static str,
        content: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.prefixed::<3>(field, content)
    }

    /// A prefix of `N` bytes (1 to 3), filled in once the length of the content is known.
    fn prefixed<const N: usize>(
        &mut self,
        field: &'static str,
        content: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.bytes.len();
        self.bytes(&[0; N]);
        let written = content(self).and_then(|()| self.fill_prefix::<N>(field, start));
        if written.is_err() {
            self.bytes.truncate(start);
        }
        written
    }

    fn fill_prefix<const N: usize>(&mut self, field: &'static str, start: usize) -> Result<(), EncodeError> {
        let max = (1 << (8 * N)) - 1;
        let length = self.bytes.len().saturating_sub(start.saturating_add(N));
        if length > max {
            return Err(EncodeError { field, length, max });
        }
        let prefix = self.bytes.iter_mut().skip(start).take(N);
        // The last N bytes of the length are all it has, since it is not above `max`.
        let length = length.to_be_bytes();
        prefix.zip(length.iter().skip(length.len() - N)).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

impl Debug for Writer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("len", &self.bytes.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_both_byte_orders() {
        let mut writer = Writer::new();
        writer.u8(0x01);
        writer.u16(0x0203);
        writer.u24(U24::from_be_bytes([4, 5, 6]));
        writer.u32(0x0708_090a);
        writer.u64(0x0b0c_0d0e_0f10_1112);
        assert_eq!(writer.into_vec(), (1..=18).collect::<Vec<u8>>());

        let mut writer = Writer::with_capacity(14);
        writer.u16_le(0x0201);
        writer.u32_le(0x0605_0403);
        writer.u64_le(0x0e0d_0c0b_0a09_0807);
        assert_eq!(writer.into_vec(), (1..=14).collect::<Vec<u8>>());
    }

    #[test]
    fn vectors_nest_and_count_bytes() {
        let mut writer = Writer::new();
        writer.u8(0xff);
        let written = writer.vec_u24("list", |writer| {
            writer.opaque_u16("first", b"ab")?;
            writer.opaque_u24("second", b"c")?;
            writer.vec_u8("empty", |_| Ok(()))
        });
        assert_eq!(written, Ok(()));
        assert_eq!(writer.into_vec(), [0xff, 0, 0, 9, 0, 2, b'a', b'b', 0, 0, 1, b'c', 0]);
    }

    #[test]
    fn longest_content_fits_and_one_byte_more_is_refused_and_undone() {
        type Write = fn(&mut Writer, &[u8]) -> Result<(), EncodeError>;
        let cases: [(usize, Write); 3] = [
            (0xff, |writer, bytes| writer.opaque_u8("f", bytes)),
            (0xffff, |writer, bytes| writer.opaque_u16("f", bytes)),
            (0xff_ffff, |writer, bytes| writer.opaque_u24("f", bytes)),
        ];
        for (max, write) in cases {
            let bytes = vec![7; max + 1];
            let mut writer = Writer::new();
            writer.u8(1);
            assert_eq!(write(&mut writer, &bytes), Err(EncodeError { field: "f", length: max + 1, max }));
            assert_eq!(writer.as_bytes(), [1]);
            assert_eq!(write(&mut writer, &bytes[..max]), Ok(()));
            let written = writer.into_vec();
            let prefix_len = written.len() - 1 - max;
            assert!(written[1..=prefix_len].iter().all(|byte| *byte == 0xff));
        }
    }

    #[test]
    fn failure_inside_is_passed_on_and_undone() {
        let mut writer = Writer::new();
        writer.u8(1);
        let written = writer.vec_u16("outer", |writer| writer.opaque_u8("inner", &[0; 256]));
        assert_eq!(written, Err(EncodeError { field: "inner", length: 256, max: 255 }));
        assert_eq!(writer.as_bytes(), [1]);
        assert!(!writer.is_empty());
        assert_eq!(writer.len(), 1);
    }

    #[test]
    fn debug_shows_no_content() {
        let mut writer = Writer::new();
        writer.bytes(b"secret");
        assert_eq!(format!("{writer:?}"), "Writer { len: 6 }");
    }
}
