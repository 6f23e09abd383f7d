//! What a store has not forgotten yet, and should have.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many keys are remembered, which are less than 100 bytes each. It is more sessions than a server has that fail while
/// its store is away; of the others their own machine still knows.
const MOST: usize = 16_384;

/// Keys of sessions that the store is still to forget.
#[derive(Default)]
pub(super) struct Undone {
    keys: Mutex<HashSet<Vec<u8>>>,
}

impl Undone {
    fn keys(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a key, if there is room.
    pub(super) fn add(&self, key: Vec<u8>) {
        insert(&mut self.keys(), key);
    }

    /// Remembers a key if that is so, and hands it back otherwise. Nobody finds nothing undone in between.
    pub(super) fn add_if(&self, key: Vec<u8>, is_so: impl FnOnce() -> bool) -> Option<Vec<u8>> {
        let mut keys = self.keys();
        if !is_so() {
            return Some(key);
        }
        insert(&mut keys, key);
        None
    }

    /// The store has forgotten it.
    pub(super) fn done(&self, key: &[u8]) {
        self.keys().remove(key);
    }

    /// At most so many of them.
    pub(super) fn some(&self, most: usize) -> Vec<Vec<u8>> {
        self.some_or(most, || {})
    }

    /// The same, and if there is none `or` is called before one can come.
    pub(super) fn some_or(&self, most: usize, or: impl FnOnce()) -> Vec<Vec<u8>> {
        let keys = self.keys();
        if keys.is_empty() {
            or();
        }
        keys.iter().take(most).cloned().collect()
    }
}

fn insert(keys: &mut HashSet<Vec<u8>>, key: Vec<u8>) {
    if keys.len() < MOST {
        keys.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undone_is_bounded() {
        let undone = Undone::default();
        for number in 0..2 * MOST {
            undone.add(number.to_be_bytes().to_vec());
        }
        assert_eq!(undone.some(usize::MAX).len(), MOST);
    }
}
