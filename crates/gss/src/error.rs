//! Why bytes could not be read: what is wrong, in which field, and where.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

pub use wire::DecodeErrorKind;

/// Bytes that are not what the format says, with the field and the place at which that was seen.
///
/// It holds numbers and a name only, never bytes that were read: these may be secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field as the specification names it, such as `NegTokenInit.mechTypes`.
    pub field: &'static str,
    /// Where it was seen, counted from the first byte that was read.
    pub offset: usize,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

impl Display for DecodeError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let wrong = wire::DecodeError { field: self.field, kind: self.kind };
        write!(f, "{wrong} (at byte {})", self.offset)
    }
}

impl Error for DecodeError {}
