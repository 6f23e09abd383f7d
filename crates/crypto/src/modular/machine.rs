//! Which version of the arithmetic a machine gets.

use super::Job;
use super::digit::{self, Digit};
#[cfg(target_arch = "x86_64")]
use super::ifma;
use super::number::Number;
use super::scalar;

/// An odd modulus with what Montgomery's multiplication needs.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) n: &'a Number,
    /// -1/n modulo 2^256.
    pub(super) n0: &'a Digit,
    /// R^2 modulo n, with the R of the engine.
    pub(super) rr: &'a Number,
}

/// A version of the arithmetic, for moduli of a certain length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// What every machine has, for so many digits.
    Portable(usize),
    /// The same code with the multiplication of BMI2, which leaves the flags alone.
    #[cfg(target_arch = "x86_64")]
    Mulx(usize, HasMulx),
    /// AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Ifma(ifma::Shape, HasIfma),
}

/// The processor has said that it has what [`scalar::execute_with_mulx`] is compiled for.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasMulx(());

/// The processor has said that it has what [`ifma::execute`] is compiled for.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasIfma(());

#[cfg(target_arch = "x86_64")]
impl HasMulx {
    fn detect() -> Option<Self> {
        is_x86_feature_detected!("bmi2").then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl HasIfma {
    fn detect() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("bmi2");
        all.then_some(Self(()))
    }
}

impl Engine {
    /// The fastest on this machine for a modulus of so many digits.
    ///
    /// `--cfg opensspi_modular="portable"` or `"mulx"` in `RUSTFLAGS` takes that one instead, to measure it.
    pub(super) fn best(digits: usize) -> Self {
        let allowed = |engine: &Self| match engine {
            Self::Portable(_) => true,
            #[cfg(target_arch = "x86_64")]
            Self::Mulx(..) => !cfg!(opensspi_modular = "portable"),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(..) => !cfg!(any(opensspi_modular = "portable", opensspi_modular = "mulx")),
        };
        Self::available(digits).find(allowed).unwrap_or(Self::Portable(digits))
    }

    /// Those that this machine has, the fastest first.
    pub(super) fn available(digits: usize) -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            ifma::Shape::for_digits(digits).zip(HasIfma::detect()).map(|(shape, has)| Self::Ifma(shape, has)),
            HasMulx::detect().map(|has| Self::Mulx(digits, has)),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let special = [None];
        special.into_iter().flatten().chain([Self::Portable(digits)])
    }

    /// R is 2 to so many.
    pub(super) const fn radix_bits(self) -> u32 {
        match self {
            Self::Portable(digits) => digit::bits(digits),
            #[cfg(target_arch = "x86_64")]
            Self::Mulx(digits, _) => digit::bits(digits),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(shape, _) => shape.radix_bits(),
        }
    }

    /// Does each job in its field. Powers with secret exponents are done at once where the machine gains by it.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(unsafe_code, reason = "the one place where code is entered that not every machine can run")
    )]
    pub(super) fn run<const K: usize>(self, fields: &[Field<'_>; K], jobs: &[Job<'_>; K]) -> [Number; K] {
        let each = |execute: &dyn Fn(&Field<'_>, &Job<'_>) -> Number| {
            let mut results = [const { Number::NONE }; K];
            for ((result, field), job) in results.iter_mut().zip(fields).zip(jobs) {
                *result = execute(field, job);
            }
            results
        };
        // SAFETY: the functions with target features are safe on a processor that has these, and that it has them is
        // what `HasMulx` and `HasIfma` stand for: nothing but their `detect` makes one.
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_unsafe, reason = "no other processor has any"))]
        unsafe {
            match self {
                Self::Portable(_) => each(&scalar::execute),
                #[cfg(target_arch = "x86_64")]
                Self::Mulx(_, HasMulx(())) => each(&|field, job| scalar::execute_with_mulx(field, job)),
                #[cfg(target_arch = "x86_64")]
                Self::Ifma(shape, HasIfma(())) => ifma::execute(shape, fields, jobs),
            }
        }
    }
}
