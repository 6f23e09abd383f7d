//! What OpenSSPI's own tests share: a PKI minted on the spot, time and randomness that a test decides, and the ways in
//! which hostile or slow networks deliver bytes.
//!
//! Used as a dev-dependency only. Every failure here is a failed test, so nothing returns an error that a test would
//! only unwrap.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "test support: a failure here is a failed test"
)]

pub mod chunks;
pub mod clock;
mod der;
pub mod hex;
pub mod ocsp;
pub mod pair;
mod pem;
pub mod pki;
pub mod random;
pub mod x509;

pub use clock::FixedClock;
pub use ocsp::{CertStatus, OcspResponse};
pub use pki::{Authority, CertificateBuilder, Crl, Pki, TestCertificate};
pub use random::{Mutator, SeededRandom};
