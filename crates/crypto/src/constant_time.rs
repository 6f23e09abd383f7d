//! Comparison whose time does not depend on what is compared.
//!
//! Spec: TLS12 section 7.4.9 and TLS13 section 4.4.4 need it for Finished, HMAC for any MAC: a comparison
//! that stops at the first difference tells an attacker, byte by byte, how much of a forgery is right.

use subtle::ConstantTimeEq;

/// Whether `a` and `b` are the same bytes. The time depends on their lengths only, which are taken to be public.
#[inline]
#[must_use]
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_is_every_byte_and_the_length() {
        let bytes: Vec<u8> = (0..40).collect();
        assert!(ct_eq(&bytes, &bytes.clone()));
        assert!(ct_eq(&[], &[]));
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                assert!(!ct_eq(&bytes, &changed), "bit {bit} of byte {index}");
            }
            assert!(!ct_eq(&bytes, &bytes[..index]), "length {index}");
            assert!(!ct_eq(&bytes[..index], &bytes), "length {index}");
        }
    }
}
