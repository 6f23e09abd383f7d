//! The table `[….lock-out]` of a configuration.

use std::time::Duration;

use serde::Deserialize;

use crate::lifetime;

/// When failed logons lock out, for how long.
///
/// Failures are counted three ways, each with its limit: of one account from one source, from one source, and of one
/// account. The last one is off by default, since anybody can lock out anybody with it. Where the source is not known, the
/// first counts the account's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LockOut {
    /// Failures of one account from one source; 0: any number.
    pub failures: u32,
    /// Failures from one source, whichever account; 0: any number.
    pub failures_of_source: u32,
    /// Failures of one account, wherever from; 0: any number.
    pub failures_of_account: u32,
    /// A failure is forgotten after this, such as `15m`.
    #[serde(deserialize_with = "lifetime::required")]
    pub window: Duration,
    /// For how long nobody is let in who was locked out.
    #[serde(deserialize_with = "lifetime::required")]
    pub duration: Duration,
    /// How many accounts and sources are remembered at most.
    pub entries: usize,
}

impl Default for LockOut {
    fn default() -> Self {
        Self {
            failures: 10,
            failures_of_source: 100,
            failures_of_account: 0,
            window: Duration::from_secs(15 * 60),
            duration: Duration::from_secs(15 * 60),
            entries: 10_000,
        }
    }
}
