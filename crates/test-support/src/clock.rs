//! A clock that moves when a test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock that stands still until a test advances it. Clones show the same time.
///
/// Starts at 2026-01-01T00:00:00Z by default, which lies inside the validity of every certificate of
/// [`Pki`](crate::Pki) that is not made expired or not yet valid.
#[derive(Clone, Debug)]
pub struct FixedClock {
    nanoseconds: Arc<AtomicU64>,
}

impl FixedClock {
    /// A clock showing `time`, which lies between 1970 and 2554.
    pub fn at(time: SystemTime) -> Self {
        Self { nanoseconds: Arc::new(AtomicU64::new(nanoseconds(time))) }
    }

    /// A clock showing so many seconds since 1970-01-01T00:00:00Z.
    pub fn at_unix(seconds: u64) -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The time shown.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.nanoseconds.load(Ordering::SeqCst))
    }

    /// The time shown, in whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(&self) -> u64 {
        self.nanoseconds.load(Ordering::SeqCst) / 1_000_000_000
    }

    /// Moves the clock forward, for all clones.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).expect("a duration below 584 years");
        self.nanoseconds.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets the clock, forward or back, for all clones.
    pub fn set(&self, time: SystemTime) {
        self.nanoseconds.store(nanoseconds(time), Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self::at_unix(1_767_225_600)
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).expect("a time after 1970");
    u64::try_from(since.as_nanos()).expect("a time before 2554")
}

impl sspi_core::Clock for FixedClock {
    fn now(&self) -> SystemTime {
        Self::now(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time_and_move_together() {
        let clock = FixedClock::default();
        let other = clock.clone();
        other.advance(Duration::from_millis(1500));
        assert_eq!(clock.unix_seconds(), 1_767_225_601);
        assert_eq!(clock.now(), other.now());
        clock.set(UNIX_EPOCH);
        assert_eq!(other.unix_seconds(), 0);
    }
}
