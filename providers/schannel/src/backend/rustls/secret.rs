//! Secrets in place: a handshake makes many, and none should cost an allocation.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// At most `MAX` bytes that are wiped when they are dropped.
#[derive(Clone)]
pub(crate) struct InPlace<const MAX: usize> {
    bytes: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Drop for InPlace<MAX> {
    #[inline]
    fn drop(&mut self) {
        // A slice is wiped in one go, an array byte by byte.
        self.bytes.as_mut_slice().zeroize();
    }
}

impl<const MAX: usize> ZeroizeOnDrop for InPlace<MAX> {}

/// A secret of a key schedule: as long as its hash, SHA-384 at most, or a master secret.
pub(crate) type SmallSecret = InPlace<48>;

impl<const MAX: usize> InPlace<MAX> {
    /// The first bytes of `secret`, as many as there is room for.
    pub(crate) fn new(secret: &[u8]) -> Self {
        let mut out = Self::zeros(secret.len());
        if let Some((to, from)) = out.bytes.get_mut(..out.len).zip(secret.get(..out.len)) {
            to.copy_from_slice(from);
        }
        out
    }

    /// So many zeros, to be filled; as many as there is room for.
    pub(crate) fn zeros(len: usize) -> Self {
        Self { bytes: [0; MAX], len: len.min(MAX) }
    }
}

impl<const MAX: usize> Default for InPlace<MAX> {
    fn default() -> Self {
        Self::zeros(0)
    }
}

impl<const MAX: usize> AsRef<[u8]> for InPlace<MAX> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const MAX: usize> AsMut<[u8]> for InPlace<MAX> {
    fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_given_up_to_the_room() {
        assert_eq!(SmallSecret::new(&[7; 32]).as_ref(), [7; 32]);
        assert_eq!(InPlace::<4>::new(b"longer").as_ref(), b"long");
        let mut zeros = SmallSecret::zeros(3);
        zeros.as_mut().copy_from_slice(b"abc");
        assert_eq!(zeros.as_ref(), b"abc");
    }
}
