//! The matrix: what is tried with whom.
//!
//! A [`Case`] is one cell: a peer, the role that it has, a version and a [`Feature`]. All cases that make sense are in
//! [`Case::all`]; each is run, or has its reason in `skipped.toml`. The tests run them at a size for every day, the
//! program `interop` at full size.

mod cell;
mod checks;
mod meeting;
mod skipped;

use std::fmt;

use crate::ours;
use crate::peers::{self, Peer, PeerError};

pub use cell::{Case, Feature, Role};
pub use skipped::{Skips, skips};

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Bytes each way in [`Feature::Data`].
    pub bytes: u64,
}

impl Scale {
    /// For every day: 1 MB.
    pub const SMALL: Self = Self { bytes: 1_000_000 };
    /// For a release: 100 MB.
    pub const FULL: Self = Self { bytes: 100_000_000 };
}

/// Why a case failed.
#[derive(Debug)]
pub struct CaseError(String);

impl CaseError {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CaseError {}

macro_rules! from {
    ($($type:ty),*) => {$(
        impl From<$type> for CaseError {
            fn from(error: $type) -> Self {
                Self(error.to_string())
            }
        }
    )*};
}

from!(PeerError, ours::Failure, sspi_core::Error, std::io::Error);

/// What became of a case.
#[derive(Debug)]
pub enum Outcome {
    /// It held.
    Ok,
    /// It was not run, for this reason.
    NotRun(String),
    /// It did not hold.
    Failed(CaseError),
}

impl Case {
    /// Runs it, unless it is left out.
    pub fn run(self, scale: Scale, skips: &Skips) -> Outcome {
        if let Some(reason) = skips.reason(self) {
            return Outcome::NotRun(reason.to_owned());
        }
        match checks::run(self, scale) {
            Ok(()) => Outcome::Ok,
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// For tests: runs every case of this peer and feature, small.
///
/// # Panics
///
/// If one fails; or if the peer is missing where it must not be.
pub fn check(peer: Peer, feature: Feature) {
    if !peers::runnable(&[peer]) {
        return;
    }
    let failures: Vec<String> = Case::all()
        .filter(|case| case.peer == peer && case.feature == feature)
        .filter_map(|case| match case.run(Scale::SMALL, skips()) {
            Outcome::Ok => None,
            Outcome::NotRun(reason) => {
                peers::note(&format!("{case}: not run: {reason}"));
                None
            }
            Outcome::Failed(error) => Some(format!("{case}: {error}")),
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The tests of one peer: one for each feature, both roles and versions in it.
#[macro_export]
macro_rules! tests_against {
    ($peer:expr; $($name:ident: $feature:ident,)*) => {
        $(
            #[test]
            fn $name() {
                $crate::matrix::check($peer, $crate::matrix::Feature::$feature);
            }
        )*

        #[test]
        fn every_feature_of_the_matrix_has_its_test() {
            let tested = [$($crate::matrix::Feature::$feature),*];
            let missing: Vec<_> = $crate::matrix::Case::of($peer).filter(|case| !tested.contains(&case.feature)).collect();
            assert!(missing.is_empty(), "{missing:?}");
        }
    };
}
