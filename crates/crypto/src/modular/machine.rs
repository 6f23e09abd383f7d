//! Which version of the arithmetic a machine gets.

use super::Job;
use super::digit;
use super::number::Number;
use super::scalar;
#[cfg(target_arch = "x86_64")]
use super::{avx2, ifma};

/// An odd modulus with what Montgomery's multiplication needs.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) n: &'a Number,
    /// -1/n modulo 2^256, and modulo R with more digits if the engine has use for them.
    pub(super) n0: &'a Number,
    /// R^2 modulo n, with the R of the engine.
    pub(super) rr: &'a Number,
}

/// A version of the arithmetic, for moduli of a certain length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    /// What every machine has, for so many digits.
    Portable(usize),
    /// AVX2, for so many digits.
    #[cfg(target_arch = "x86_64")]
    Avx2(usize, HasAvx2),
    /// AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Ifma(ifma::Shape, HasIfma),
}

/// The processor has said that it has what [`avx2::execute`] is compiled for.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasAvx2(());

/// The processor has said that it has what [`ifma::execute`] is compiled for.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HasIfma(());

#[cfg(target_arch = "x86_64")]
impl HasAvx2 {
    fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
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
    /// `--cfg opensspi_modular="portable"` or `"avx2"` in `RUSTFLAGS` takes nothing faster than that, to measure it.
    pub(super) fn best(digits: usize) -> Self {
        let allowed = |engine: &Self| match engine {
            Self::Portable(_) => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(..) => !cfg!(opensspi_modular = "portable"),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(..) => !cfg!(any(opensspi_modular = "portable", opensspi_modular = "avx2")),
        };
        Self::available(digits).find(allowed).unwrap_or(Self::Portable(digits))
    }

    /// Those that this machine has, the fastest first.
    pub(super) fn available(digits: usize) -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            ifma::Shape::for_digits(digits).zip(HasIfma::detect()).map(|(shape, has)| Self::Ifma(shape, has)),
            HasAvx2::detect().filter(|_| digits >= avx2::LEAST).map(|has| Self::Avx2(digits, has)),
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
            Self::Avx2(digits, _) => avx2::radix_bits(digits),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(shape, _) => shape.radix_bits(),
        }
    }

    /// How many digits of -1/n it takes.
    pub(super) const fn inverse_digits(self) -> usize {
        match self {
            Self::Portable(_) => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(digits, _) => avx2::inverse_digits(digits),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(..) => 1,
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
        // what `HasAvx2` and `HasIfma` stand for: nothing but their `detect` makes one.
        #[cfg_attr(not(target_arch = "x86_64"), expect(unused_unsafe, reason = "no other processor has any"))]
        unsafe {
            match self {
                Self::Portable(_) => each(&scalar::execute),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2(_, HasAvx2(())) => avx2::execute(fields, jobs),
                #[cfg(target_arch = "x86_64")]
                Self::Ifma(shape, HasIfma(())) => ifma::execute(shape, fields, jobs),
            }
        }
    }
}
