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
    /// For a release, with each suite of the old protocols: 20 MB.
    pub const FULL_LEGACY: Self = Self { bytes: 20_000_000 };
}

/// Why a case failed.
#[derive(Debug)]
pub struct CaseError(String);

impl CaseError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
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
    ($peer:expr) => {
        $crate::tests_against! {
            $peer;
            a_megabyte_arrives_each_way_without_a_byte_wrong: Data,
            a_server_with_an_rsa_certificate_is_verified: Rsa,
            a_server_with_an_ecdsa_certificate_and_an_intermediate_is_verified: Ecdsa,
            a_required_client_certificate_is_shown_and_verified: ClientCertificate,
            a_client_without_a_certificate_goes_on_where_it_is_only_asked: ClientCertificateOptional,
            a_client_without_a_certificate_is_refused_where_one_is_required: ClientCertificateMissing,
            unknown_and_expired_client_certificates_are_refused_with_their_alert: ClientCertificateRefused,
            sessions_resume_with_tickets: ResumeTicket,
            sessions_resume_by_id: ResumeId,
            an_application_protocol_is_agreed_on: Alpn,
            both_ends_close_in_order: CloseNotify,
            keys_change_under_way: KeyUpdate,
            both_ends_export_the_same_keying_material: Exporter,
            both_ends_have_the_same_tls_unique: TlsUnique,
            a_server_of_an_unknown_ca_is_refused_and_hears_it: UnknownCa,
            an_expired_server_is_refused_and_hears_it: Expired,
            a_server_of_another_name_is_refused_and_hears_it: WrongName,
            a_certificate_revoked_by_a_crl_is_refused_and_its_owner_hears_it: RevokedByCrl,
            a_stapled_ocsp_answer_arrives_and_is_judged: OcspStaple,
        }
    };
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
