//! What a process prints, collected by threads so that it never waits for a test that does not read.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

/// What happens to a pipe whose bytes nobody takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Full {
    /// It is read on, and the oldest bytes are lost.
    DropsTheOldest(usize),
    /// It is not read until there is room.
    Waits(usize),
}

/// What threads collect from pipes.
#[derive(Clone, Debug)]
pub(super) struct Output {
    shared: Arc<(Mutex<Collected>, Condvar)>,
    full: Full,
}

#[derive(Debug, Default)]
struct Collected {
    bytes: VecDeque<u8>,
    /// Pipes that are still open.
    pipes: usize,
    abandoned: bool,
}

pub(super) enum Taken {
    Bytes(Vec<u8>),
    End,
    Late,
}

impl Output {
    pub(super) fn new(full: Full) -> Self {
        Self { shared: Arc::default(), full }
    }

    fn lock(&self) -> MutexGuard<'_, Collected> {
        self.shared.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Collects from `pipe` until it ends.
    pub(super) fn fill_from(&self, mut pipe: impl Read + Send + 'static) {
        self.lock().pipes += 1;
        let output = self.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        if !output.add(buffer.get(..count).unwrap_or_default()) {
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            output.lock().pipes -= 1;
            output.shared.1.notify_all();
        });
    }

    /// Adds what was read. False if nobody will ever take it.
    fn add(&self, bytes: &[u8]) -> bool {
        let mut collected = self.lock();
        if let Full::Waits(limit) = self.full {
            while collected.bytes.len() >= limit && !collected.abandoned {
                collected = self.shared.1.wait(collected).unwrap_or_else(|poisoned| poisoned.into_inner());
            }
        }
        collected.bytes.extend(bytes);
        if let Full::DropsTheOldest(limit) = self.full {
            let surplus = collected.bytes.len().saturating_sub(limit);
            collected.bytes.drain(..surplus);
        }
        self.shared.1.notify_all();
        !collected.abandoned
    }

    /// Takes at most so many bytes, and at least one unless the end or the deadline comes first.
    pub(super) fn take(&self, most: usize, deadline: Instant) -> Taken {
        self.wait_until(deadline, |bytes| !bytes.is_empty());
        let mut collected = self.lock();
        let count = collected.bytes.len().min(most);
        if count > 0 {
            let bytes = collected.bytes.drain(..count).collect();
            self.shared.1.notify_all();
            Taken::Bytes(bytes)
        } else if collected.pipes == 0 {
            Taken::End
        } else {
            Taken::Late
        }
    }

    /// Waits until the condition holds for what is there, all pipes have ended, or the deadline; says whether it holds.
    pub(super) fn wait_until(&self, deadline: Instant, holds: impl Fn(&mut VecDeque<u8>) -> bool) -> bool {
        let mut collected = self.lock();
        loop {
            if holds(&mut collected.bytes) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if collected.pipes == 0 || left.is_zero() {
                return false;
            }
            let waited = self.shared.1.wait_timeout(collected, left);
            collected = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    pub(super) fn snapshot(&self) -> Vec<u8> {
        self.lock().bytes.iter().copied().collect()
    }

    pub(super) fn abandon(&self) {
        self.lock().abandoned = true;
        self.shared.1.notify_all();
    }
}
