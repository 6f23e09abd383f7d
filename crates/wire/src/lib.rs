//! Bounds-checked reading and writing of wire formats.
//!
//! A [`Reader`] is consumed from the front and cannot be indexed, so no length that a peer sends can reach past
//! the bytes that it sent; each read names the field it is for, and that name is in the error. A [`Writer`]
//! mirrors it method for method and refuses content that is too long for its length prefix. A [`Codec`] is a
//! message that has both.
//!
//! | on the wire | reads and writes |
//! |---|---|
//! | big-endian number | `u8` `u16` `u24` `u32` `u64` |
//! | little-endian number | `u16_le` `u32_le` `u64_le` |
//! | a fixed number of bytes | [`Reader::take`], [`Reader::array`]; [`Writer::bytes`] |
//! | length prefix, then bytes | `opaque_u8` `opaque_u16` `opaque_u24` |
//! | length prefix, then items | `vec_u8` `vec_u16` `vec_u24` |
//!
//! `opaque` and `vec` have the same shape on the wire; the first hands out bytes, the second a [`Reader`] that is
//! read on. The names are those of the presentation language.
//!
//! Spec: TLS12 section 4 (the presentation language).

mod codec;
mod error;
mod reader;
mod u24;
mod writer;

pub use codec::Codec;
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use reader::Reader;
pub use u24::U24;
pub use writer::Writer;
