//! What is remembered to have no answer.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sspi_core::PeerIdentity;
use tokio::time::Instant;

/// The most questions that are remembered.
const MOST: usize = 4096;

/// Questions without an answer, until when. They are kept as hashes under keys that nobody knows: what peers ask for may be
/// long, and this is of one size.
#[derive(Default)]
pub(crate) struct Absent {
    hashers: [RandomState; 2],
    until: Mutex<HashMap<Name, Instant>>,
}

/// A question: 128 bits, so that none is taken for another.
pub(crate) type Name = [u64; 2];

impl Absent {
    fn until(&self) -> MutexGuard<'_, HashMap<Name, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn name(&self, peer: &PeerIdentity) -> Name {
        self.hashers.each_ref().map(|hasher| hasher.hash_one(peer))
    }

    pub(crate) fn has(&self, name: Name) -> bool {
        self.until().get(&name).is_some_and(|until| Instant::now() < *until)
    }

    pub(crate) fn remember(&self, name: Name, duration: Duration) {
        if duration.is_zero() {
            return;
        }
        let (now, mut all) = (Instant::now(), self.until());
        if all.len() >= MOST {
            all.retain(|_, until| now < *until);
            // Whoever fills it with questions gains nothing: forgetting costs a question.
            if all.len() >= MOST {
                all.clear();
            }
        }
        all.insert(name, now + duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upn(number: usize) -> PeerIdentity {
        PeerIdentity::UserPrincipalName(format!("{number}@{}", "long".repeat(1000)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_answer_is_remembered_for_a_while_and_nothing_else_is() {
        let absent = Absent::default();
        absent.remember(absent.name(&upn(1)), Duration::from_secs(10));
        absent.remember(absent.name(&upn(2)), Duration::ZERO);
        assert!(absent.has(absent.name(&upn(1))) && !absent.has(absent.name(&upn(2))));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!absent.has(absent.name(&upn(1))));
    }

    #[tokio::test]
    async fn however_much_is_asked_for_the_memory_is_bounded() {
        let absent = Absent::default();
        for number in 0..3 * MOST {
            absent.remember(absent.name(&upn(number)), Duration::from_secs(3600));
            assert!(absent.until().len() <= MOST);
        }
        // Whatever a question is, as much is kept of it.
        assert_eq!(size_of::<(Name, Instant)>(), 32);
        assert!(absent.has(absent.name(&upn(3 * MOST - 1))));
    }
}
