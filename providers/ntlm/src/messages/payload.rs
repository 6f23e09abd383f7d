//! The payload of a message: what its fields point to.
//!
//! ```text
//! Len            2   little-endian, bytes
//! MaxLen         2   is written like Len, and not read
//! BufferOffset   4   from the first byte of the message
//! ```
//!
//! The specification lets the fields lie anywhere behind the fixed part. What is refused here: a field that reaches into
//! the fixed part or beyond the end, and two that have a byte in common. An empty field has no place, whatever it says.
//!
//! Spec: MS-NLMP section 2.2.1.

use wire::{DecodeError, EncodeError, Reader, Writer};

/// The length of a field in the fixed part, in bytes.
pub(super) const FIELD_LEN: usize = 8;

/// A field of the fixed part, with its name for errors.
#[derive(Clone, Copy)]
pub(super) struct Field {
    name: &'static str,
    length: usize,
    offset: usize,
}

impl Field {
    pub(super) const fn empty(name: &'static str) -> Self {
        Self { name, length: 0, offset: 0 }
    }

    pub(super) fn decode(reader: &mut Reader<'_>, name: &'static str) -> Result<Self, DecodeError> {
        let length = usize::from(reader.u16_le(name)?);
        let _max_len = reader.u16_le(name)?;
        let offset = reader.u32_le(name)?;
        let offset = usize::try_from(offset).map_err(|_| DecodeError::illegal(name))?;
        Ok(Self { name, length, offset })
    }
}

/// What the fields of a message point to, and where the first of it begins.
pub(super) struct Payload<'a, const COUNT: usize> {
    pub(super) contents: [&'a [u8]; COUNT],
    /// Where the first content lies; the end of the message where there is none.
    pub(super) begins: usize,
}

impl<'a, const COUNT: usize> Payload<'a, COUNT> {
    /// # Errors
    /// A field reaches out of the message, into its first `fixed` bytes, or into another field.
    pub(super) fn decode(
        message: &'a [u8],
        fixed: usize,
        fields: [Field; COUNT],
    ) -> Result<Self, DecodeError> {
        let mut begins = message.len();
        let mut contents = [&[][..]; COUNT];
        for (index, (field, content)) in fields.iter().zip(&mut contents).enumerate() {
            if field.length == 0 {
                continue;
            }
            let illegal = DecodeError::illegal(field.name);
            let end = field.offset.checked_add(field.length).ok_or(illegal)?;
            *content = message.get(field.offset..end).ok_or(illegal)?;
            let is_apart = |other: &Field| {
                other.length == 0 || other.offset >= end || field.offset >= other.offset + other.length
            };
            // Those before it are inside the message: their ends do not overflow.
            if field.offset < fixed || !fields.iter().take(index).all(is_apart) {
                return Err(illegal);
            }
            begins = begins.min(field.offset);
        }
        Ok(Self { contents, begins })
    }
}

/// Writes the fields of the fixed part, and remembers their contents.
pub(super) struct PayloadWriter<'a> {
    /// Where the next content will lie.
    next: usize,
    contents: Vec<&'a [u8]>,
}

/// The most contents that a message has.
const MOST_CONTENTS: usize = 6;

impl<'a> PayloadWriter<'a> {
    /// For a payload that begins behind `fixed` bytes.
    pub(super) fn new(fixed: usize) -> Self {
        Self { next: fixed, contents: Vec::with_capacity(MOST_CONTENTS) }
    }

    /// Gives the content its place, which [`field`](Self::field) writes. Contents lie in the order of these calls.
    pub(super) fn place(&mut self, name: &'static str, content: &'a [u8]) -> Result<Placed, EncodeError> {
        let too_long = EncodeError { field: name, length: content.len(), max: usize::from(u16::MAX) };
        let placed = Placed {
            length: u16::try_from(content.len()).map_err(|_| too_long)?,
            offset: u32::try_from(self.next).map_err(|_| too_long)?,
        };
        self.next += content.len();
        self.contents.push(content);
        Ok(placed)
    }

    /// Writes the contents, behind the fixed part.
    pub(super) fn finish(self, writer: &mut Writer) {
        self.contents.iter().for_each(|content| writer.bytes(content));
    }
}

/// Where a content lies.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    length: u16,
    offset: u32,
}

impl Placed {
    /// Writes the field that says it.
    pub(super) fn encode(self, writer: &mut Writer) {
        writer.u16_le(self.length);
        writer.u16_le(self.length);
        writer.u32_le(self.offset);
    }
}
