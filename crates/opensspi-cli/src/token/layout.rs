//! Little-endian fields at fixed places, read one by one, each with its place in the error.

use super::table::Wrong;

/// Bytes that are read by their offsets, within a token that begins at `base` of all that is shown.
#[derive(Clone, Copy)]
pub(super) struct Layout<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) base: usize,
}

impl<'a> Layout<'a> {
    /// The bytes of a field.
    pub(super) fn take(&self, field: &str, offset: usize, len: usize) -> Result<&'a [u8], Wrong> {
        let end = offset.checked_add(len);
        let found = end.and_then(|end| self.bytes.get(offset..end));
        found.ok_or_else(|| {
            let there = self.bytes.len().saturating_sub(offset);
            let what = format!("{len} bytes should be here, and {there} are left");
            Wrong::new(self.base.saturating_add(offset), field, what)
        })
    }

    pub(super) fn u16(&self, field: &str, offset: usize) -> Result<u16, Wrong> {
        let bytes = self.take(field, offset, 2)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u16::from(*byte)))
    }

    pub(super) fn u32(&self, field: &str, offset: usize) -> Result<u32, Wrong> {
        let bytes = self.take(field, offset, 4)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte)))
    }

    pub(super) fn u64(&self, field: &str, offset: usize) -> Result<u64, Wrong> {
        let bytes = self.take(field, offset, 8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    }
}

/// Where `part` lies in `whole`, of which it is a part.
pub(super) fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    let begins = |bytes: &[u8]| bytes.as_ptr().addr();
    begins(part).checked_sub(begins(whole)).filter(|offset| *offset <= whole.len()).unwrap_or_default()
}
