//! Two tasks that wait for the same thing.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Which side of a stream a task polls.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Read,
    Write,
}

/// Wakes the reader and the writer: a renegotiation is driven by whoever polls, and each must hear of it.
#[derive(Default)]
pub(crate) struct Wakers {
    waiting: Mutex<[Option<Waker>; 2]>,
}

impl Wakers {
    /// Remembers who polls this side.
    pub(crate) fn register(&self, side: Side, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let [read, write] = &mut *waiting;
        let slot = if side == Side::Read { read } else { write };
        match slot {
            Some(known) => known.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }
}

impl Wake for Wakers {
    fn wake(self: Arc<Self>) {
        let waiting = core::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}
