//! Without the package Digest: its hashes cannot be made.

use super::{Replacement, wrong};
use crate::config::LogonEntry;
use sspi_core::SecStatus;

/// What comes in the place of the hashes of an account that gets another password.
///
/// # Errors
/// It has hashes of Digest.
pub(super) fn hashes(entry: &LogonEntry, _password: &str) -> Result<Vec<Replacement>, crate::Error> {
    if entry.digest.is_empty() {
        return Ok(Vec::new());
    }
    let what = "the account has secrets of Digest, which is not compiled in";
    Err(wrong(SecStatus::SEC_E_UNSUPPORTED_FUNCTION, what.to_owned()))
}
