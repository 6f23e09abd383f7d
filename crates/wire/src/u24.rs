//! The 24-bit number that TLS handshake and certificate lengths are.

use std::fmt::{self, Display, Formatter};

/// A number of 24 bits; three bytes on the wire, big-endian.
///
/// Spec: TLS12 section 4.4 (`uint24`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U24(u32);

impl U24 {
    /// The largest: 16,777,215.
    pub const MAX: Self = Self(0xff_ffff);

    /// The number, or `None` when it needs more than 24 bits.
    #[must_use]
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX.0 { Some(Self(value)) } else { None }
    }

    /// The number as 32 bits.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The three bytes, most significant first.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 3] {
        let [_, high, middle, low] = self.0.to_be_bytes();
        [high, middle, low]
    }

    /// The number in three bytes, most significant first.
    #[must_use]
    pub const fn from_be_bytes([high, middle, low]: [u8; 3]) -> Self {
        Self(u32::from_be_bytes([0, high, middle, low]))
    }
}

impl Display for U24 {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<U24> for u32 {
    fn from(value: U24) -> Self {
        value.0
    }
}

impl From<U24> for usize {
    fn from(value: U24) -> Self {
        value.0 as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u24_holds_24_bits_and_no_more() {
        assert_eq!(U24::new(0x01_0203).map(U24::to_be_bytes), Some([1, 2, 3]));
        assert_eq!(U24::from_be_bytes([1, 2, 3]).get(), 0x01_0203);
        assert_eq!(U24::new(0xff_ffff), Some(U24::MAX));
        assert_eq!(U24::new(0x100_0000), None);
        assert_eq!(usize::from(U24::MAX), 16_777_215);
    }
}
