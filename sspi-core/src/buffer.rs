//! The buffers of message protection: typed ranges of one piece of memory.
//!
//! On Windows a `SecBufferDesc` points to buffers that, for a stream, must lie one behind the other in memory. Here the
//! memory is one slice and a [`SecBuffer`] is a typed range of it, so that contiguity holds by construction, a package works
//! in place, and nothing is copied.

use core::ops::Range;

use crate::{Error, StreamSizes};

/// `BufferType`: what a buffer holds. The upper four bits are attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecBufferType(pub u32);

macro_rules! buffer_types {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl SecBufferType {
            $(
                #[doc = concat!("`SECBUFFER_", stringify!($name), "` (", stringify!($value), "): ", $meaning, ".")]
                pub const $name: Self = Self($value);
            )*

            /// The name without `SECBUFFER_`, where the number has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 & !0xF000_0000 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

buffer_types! {
    EMPTY = 0, "nothing, or room for the package to describe something";
    DATA = 1, "the message";
    TOKEN = 2, "a token, or the signature of a message";
    PKG_PARAMS = 3, "parameters of a package";
    MISSING = 4, "how many bytes are missing";
    EXTRA = 5, "bytes that were not taken";
    STREAM_TRAILER = 6, "what a stream package writes behind the data";
    STREAM_HEADER = 7, "what a stream package writes in front of the data";
    PADDING = 9, "padding of a block cipher";
    STREAM = 10, "a whole protected message";
    TARGET = 13, "a target name";
    CHANNEL_BINDINGS = 14, "channel bindings";
    ALERT = 17, "an alert";
    APPLICATION_PROTOCOLS = 18, "application protocols";
}

impl SecBufferType {
    /// `SECBUFFER_READONLY_WITH_CHECKSUM`: the buffer is signed, not encrypted.
    pub const READONLY_WITH_CHECKSUM: u32 = 0x1000_0000;
    /// `SECBUFFER_READONLY`: the buffer is neither signed nor encrypted.
    pub const READONLY: u32 = 0x8000_0000;
    /// `SECBUFFER_ATTRMASK`: the bits that are attributes.
    pub const ATTRMASK: u32 = 0xF000_0000;

    /// The type without its attributes.
    #[must_use]
    pub const fn kind(self) -> Self {
        Self(self.0 & !Self::ATTRMASK)
    }

    /// The type with an attribute added.
    #[must_use]
    pub const fn with(self, attribute: u32) -> Self {
        Self(self.0 | (attribute & Self::ATTRMASK))
    }

    /// Whether an attribute is set.
    #[must_use]
    pub const fn has(self, attribute: u32) -> bool {
        self.0 & attribute == attribute
    }
}

impl core::fmt::Debug for SecBufferType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SECBUFFER_{name}")?,
            None => write!(f, "SecBufferType({})", self.kind().0)?,
        }
        match self.0 & Self::ATTRMASK {
            0 => Ok(()),
            attributes => write!(f, "|{attributes:#x}"),
        }
    }
}

/// `SecBuffer`: a typed range of the memory that is passed with it. Offsets and lengths in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecBuffer {
    /// What the range holds.
    pub buffer_type: SecBufferType,
    /// Where it begins.
    pub offset: usize,
    /// How long it is (`cbBuffer`).
    pub len: usize,
}

impl SecBuffer {
    /// `SECBUFFER_EMPTY`.
    pub const EMPTY: Self = Self { buffer_type: SecBufferType::EMPTY, offset: 0, len: 0 };

    /// A buffer of this type over `range`.
    #[must_use]
    pub const fn new(buffer_type: SecBufferType, range: Range<usize>) -> Self {
        Self { buffer_type, offset: range.start, len: range.end.saturating_sub(range.start) }
    }

    /// The range of memory that it covers.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.offset..self.offset.saturating_add(self.len)
    }

    /// The range of the first buffer of this type (attributes do not count).
    ///
    /// # Errors
    /// `SEC_E_INVALID_TOKEN` where there is none.
    pub fn find(buffers: &[Self], buffer_type: SecBufferType) -> Result<Range<usize>, Error> {
        buffers
            .iter()
            .find(|b| b.buffer_type.kind() == buffer_type)
            .map(Self::range)
            .ok_or_else(|| Error::invalid_buffers("a buffer that the call needs is missing"))
    }
}

/// Where header, data and trailer of one stream message lie in a piece of memory: what an application lays out before
/// [`encrypt_message`](crate::SendingHalf::encrypt_message).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLayout {
    /// Where the header begins; the data begins `header` bytes later.
    pub start: usize,
    /// Bytes reserved for the header.
    pub header: usize,
    /// Bytes of data.
    pub data: usize,
    /// Bytes reserved for the trailer.
    pub trailer: usize,
}

impl StreamLayout {
    /// The layout of `data` bytes at the beginning of the memory.
    #[must_use]
    pub const fn new(sizes: &StreamSizes, data: usize) -> Self {
        Self { start: 0, header: sizes.header, data, trailer: sizes.trailer }
    }

    /// How much memory the layout needs.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start + self.header + self.data + self.trailer
    }

    /// Where the data belongs.
    #[must_use]
    pub const fn data_range(&self) -> Range<usize> {
        self.start + self.header..self.start + self.header + self.data
    }

    /// The four buffers of `EncryptMessage`: header, data, trailer, empty.
    #[must_use]
    pub const fn buffers(&self) -> [SecBuffer; 4] {
        let Range { start, end } = self.data_range();
        [
            SecBuffer::new(SecBufferType::STREAM_HEADER, self.start..start),
            SecBuffer::new(SecBufferType::DATA, start..end),
            SecBuffer::new(SecBufferType::STREAM_TRAILER, end..self.end()),
            SecBuffer::EMPTY,
        ]
    }

    /// What must be sent after `EncryptMessage`: from the first byte of the header that was written to the last of the
    /// trailer.
    ///
    /// A package writes its header so that it ends where the data begins: a header that came out shorter than the room for
    /// it moves its beginning, and the message stays in one piece.
    #[must_use]
    pub fn message_range(buffers: &[SecBuffer; 4]) -> Range<usize> {
        let [header, _, trailer, _] = buffers;
        header.offset..trailer.range().end
    }
}

/// `fQOP`: the quality of protection that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QualityOfProtection {
    /// 0: what the context negotiated.
    #[default]
    Default,
    /// `SECQOP_WRAP_NO_ENCRYPT`: sign, do not encrypt.
    WrapNoEncrypt,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_contiguous_and_a_shorter_header_moves_its_beginning() {
        let sizes =
            StreamSizes { header: 32, trailer: 17, maximum_message: 16384, buffers: 4, block_size: 1 };
        let layout = StreamLayout::new(&sizes, 100);
        let mut buffers = layout.buffers();
        assert_eq!(layout.end(), 149);
        assert_eq!(StreamLayout::message_range(&buffers), 0..149);
        buffers[0] = SecBuffer::new(SecBufferType::STREAM_HEADER, 27..32);
        assert_eq!(StreamLayout::message_range(&buffers), 27..149);
    }

    #[test]
    fn attributes_do_not_change_the_kind() {
        let header = SecBufferType::DATA.with(SecBufferType::READONLY_WITH_CHECKSUM);
        assert_eq!(header.kind(), SecBufferType::DATA);
        assert!(header.has(SecBufferType::READONLY_WITH_CHECKSUM));
        assert_eq!(format!("{header:?}"), "SECBUFFER_DATA|0x10000000");
    }
}
