//! A clock that does not go back.
//!
//! A nonce that was used is forgotten when it is too old. On a clock that is set back it would be young again, and nobody
//! would know that it was used. So what the ages of nonces are reckoned by goes on from where it was: it is ahead of the
//! clock by as much as that was set back, and nobody outside hears of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sspi_core::Clock;

/// The time that nonces are made and judged by.
pub(crate) struct SteadyClock {
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What the clock said last.
    last: SystemTime,
    /// By how much it was set back, all in all.
    ahead: Duration,
}

impl SteadyClock {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        let seen = Seen { last: clock.now(), ahead: Duration::ZERO };
        Self { clock: Arc::clone(clock), seen: Mutex::new(seen) }
    }

    /// Never earlier than before.
    pub(crate) fn now(&self) -> SystemTime {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // It is read in here: two threads that read it outside would look like one that was set back.
        let now = self.clock.now();
        if let Ok(back) = seen.last.duration_since(now) {
            seen.ahead = seen.ahead.saturating_add(back);
        }
        seen.last = now;
        now.checked_add(seen.ahead).unwrap_or(now)
    }
}
