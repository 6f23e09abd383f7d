//! The time, passed in: nothing below the application's edge reads a clock of its own.

use std::time::SystemTime;

/// Where a package gets the time from: validity of certificates, lifetimes of sessions and tickets.
///
/// The application passes one in (the crate `opensspi` has one that reads the system's clock); tests pass a fixed one.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> SystemTime;
}
