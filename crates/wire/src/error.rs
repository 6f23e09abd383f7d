//! Why bytes could not be read or written, and for which field.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

/// Bytes that are not what the format says, with the field at which that was seen.
///
/// It holds lengths and a name only, never bytes that were read: these may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field as the specification names it, such as `ClientHello.session_id`.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// The field has a value that its format does not allow.
    #[must_use]
    pub const fn illegal(field: &'static str) -> Self {
        Self { field, kind: DecodeErrorKind::Illegal }
    }

    pub(crate) const fn truncated(field: &'static str, needed: usize) -> Self {
        Self { field, kind: DecodeErrorKind::Truncated { needed } }
    }

    pub(crate) const fn trailing(field: &'static str, count: usize) -> Self {
        Self { field, kind: DecodeErrorKind::Trailing { count } }
    }
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.kind {
            DecodeErrorKind::Truncated { needed: 1 } => write!(f, "{}: 1 more byte needed", self.field),
            DecodeErrorKind::Truncated { needed } => write!(f, "{}: {needed} more bytes needed", self.field),
            DecodeErrorKind::Trailing { count: 1 } => write!(f, "{}: 1 byte too many", self.field),
            DecodeErrorKind::Trailing { count } => write!(f, "{}: {count} bytes too many", self.field),
            DecodeErrorKind::Illegal => write!(f, "{}: illegal value", self.field),
        }
    }
}

impl Error for DecodeError {}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes end before the field does.
    Truncated {
        /// How many bytes are missing, at least 1. Where a length prefix itself is cut off, the bytes missing of
        /// the prefix.
        needed: usize,
    },
    /// Bytes follow after the last field.
    Trailing {
        /// How many, at least 1.
        count: usize,
    },
    /// The value is not one that the format allows.
    Illegal,
}

/// Content that does not fit its length prefix, with the field for which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The field as the specification names it, such as `ClientHello.session_id`.
    pub field: &'static str,
    /// The length of the content, in bytes.
    pub length: usize,
    /// The longest content that the field can hold, in bytes.
    pub max: usize,
}

impl Display for EncodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} bytes where at most {} fit", self.field, self.length, self.max)
    }
}

impl Error for EncodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_field_and_count_the_bytes() {
        let shown = |kind| DecodeError { field: "ClientHello.session_id", kind }.to_string();
        assert_eq!(
            shown(DecodeErrorKind::Truncated { needed: 3 }),
            "ClientHello.session_id: 3 more bytes needed"
        );
        assert_eq!(
            shown(DecodeErrorKind::Truncated { needed: 1 }),
            "ClientHello.session_id: 1 more byte needed"
        );
        assert_eq!(shown(DecodeErrorKind::Trailing { count: 2 }), "ClientHello.session_id: 2 bytes too many");
        assert_eq!(shown(DecodeErrorKind::Trailing { count: 1 }), "ClientHello.session_id: 1 byte too many");
        assert_eq!(shown(DecodeErrorKind::Illegal), "ClientHello.session_id: illegal value");
        let error = EncodeError { field: "ClientHello.session_id", length: 256, max: 255 };
        assert_eq!(error.to_string(), "ClientHello.session_id: 256 bytes where at most 255 fit");
    }
}
