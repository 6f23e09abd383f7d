//! Arithmetic modulo an odd number.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize};
use zeroize::{Zeroize, Zeroizing};

/// An odd modulus of 3 or more. Numbers go in and out as big-endian bytes; those that come out are as long as the
/// modulus, and nothing but that length shows in how long they take, except where it is said.
pub(crate) struct Modulus {
    bytes: Zeroizing<Vec<u8>>,
    bits: u32,
    params: BoxedMontyParams,
}

impl Modulus {
    /// Refuses an even number, 1 and 0. The number of its bits is taken to be public.
    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = crate::asn1::without_leading_zeros(bytes);
        let number = BoxedUint::from_be_slice_vartime(bytes);
        let bits = number.bit_width_vartime();
        if bits < 2 {
            return None;
        }
        let odd = Odd::new(number).into_option()?;
        Some(Self { bytes: Zeroizing::new(bytes.to_vec()), bits, params: BoxedMontyParams::new(odd) })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) const fn bits(&self) -> u32 {
        self.bits
    }

    fn precision(&self) -> u32 {
        self.params.bits_precision()
    }

    /// Any number, reduced.
    fn enter(&self, number: &[u8]) -> BoxedMontyForm {
        let bits = u32::try_from(number.len() * 8).unwrap_or(u32::MAX).max(self.precision());
        let mut wide = BoxedUint::from_be_slice_truncated(number, bits);
        let mut reduced = wide.rem(self.params.modulus().as_nz_ref());
        wide.zeroize();
        let form = BoxedMontyForm::new((&reduced).resize_unchecked(self.precision()), &self.params);
        reduced.zeroize();
        form
    }

    fn leave(&self, mut form: BoxedMontyForm) -> Zeroizing<Vec<u8>> {
        let mut number = form.retrieve();
        form.zeroize();
        let bytes = Zeroizing::new(number.to_be_bytes());
        number.zeroize();
        Zeroizing::new(bytes.get(bytes.len().saturating_sub(self.len())..).unwrap_or_default().to_vec())
    }

    /// `number`, of any length, reduced.
    pub(crate) fn reduce(&self, number: &[u8]) -> Zeroizing<Vec<u8>> {
        self.leave(self.enter(number))
    }

    pub(crate) fn mul(&self, a: &[u8], b: &[u8]) -> Zeroizing<Vec<u8>> {
        self.leave(self.enter(a).mul(&self.enter(b)))
    }

    pub(crate) fn add(&self, a: &[u8], b: &[u8]) -> Zeroizing<Vec<u8>> {
        self.leave(self.enter(a).add(&self.enter(b)))
    }

    pub(crate) fn sub(&self, a: &[u8], b: &[u8]) -> Zeroizing<Vec<u8>> {
        self.leave(self.enter(a).sub(&self.enter(b)))
    }

    /// `base` to a secret exponent, whose length in bytes shows.
    pub(crate) fn pow(&self, base: &[u8], exponent: &[u8]) -> Zeroizing<Vec<u8>> {
        let bits = u32::try_from(exponent.len() * 8).unwrap_or(u32::MAX);
        let mut exponent = BoxedUint::from_be_slice_truncated(exponent, bits.max(64));
        let result = self.enter(base).pow_bounded_exp(&exponent, bits);
        exponent.zeroize();
        self.leave(result)
    }

    /// `base` to a public exponent; the time depends on the exponent.
    pub(crate) fn pow_public(&self, base: &[u8], exponent: &[u8]) -> Zeroizing<Vec<u8>> {
        let base = self.enter(base);
        let mut result = BoxedMontyForm::one(&self.params);
        for byte in crate::asn1::without_leading_zeros(exponent) {
            for bit in (0..8).rev() {
                result = result.square();
                if byte >> bit & 1 == 1 {
                    result = result.mul(&base);
                }
            }
        }
        self.leave(result)
    }

    /// The inverse, if there is one.
    pub(crate) fn invert(&self, number: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let inverse = self.enter(number).invert().into_option()?;
        Some(self.leave(inverse))
    }

    /// Whether `number` is below the modulus; the time shows it.
    pub(crate) fn exceeds(&self, number: &[u8]) -> bool {
        let number = crate::asn1::without_leading_zeros(number);
        (number.len(), number) < (self.len(), self.bytes())
    }
}
