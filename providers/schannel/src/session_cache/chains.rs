//! Certificates of sessions, each chain once: thousands of sessions are with the same few peers.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

/// Certificates in DER, in an order of their own.
pub type Chain = Vec<Vec<u8>>;

/// The chains that some session has.
#[derive(Default)]
pub(super) struct Chains {
    hasher: RandomState,
    known: Mutex<Known>,
}

struct Known {
    /// By hash. Of two chains with the same hash the later one is known, and the other just not shared any more.
    chains: HashMap<u64, Weak<Chain>>,
    /// At how many those that nobody has are looked for.
    limit: usize,
}

const FEW: usize = 64;

impl Default for Known {
    fn default() -> Self {
        Self { chains: HashMap::new(), limit: FEW }
    }
}

/// Most sessions of a server are with clients that have no certificate.
static NONE: LazyLock<Arc<Chain>> = LazyLock::new(Arc::default);

impl Chains {
    pub(super) fn intern(&self, chain: Chain) -> Arc<Chain> {
        if chain.is_empty() {
            return Arc::clone(&NONE);
        }
        let hash = self.hasher.hash_one(&chain);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.chains.get(&hash).and_then(Weak::upgrade).filter(|same| **same == chain) {
            return same;
        }
        if known.chains.len() >= known.limit {
            known.chains.retain(|_, chain| chain.strong_count() > 0);
            known.limit = FEW.max(2 * known.chains.len());
        }
        let chain = Arc::new(chain);
        known.chains.insert(hash, Arc::downgrade(&chain));
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_chain_is_kept_once_and_another_is_another() {
        let chains = Chains::default();
        let first = chains.intern(vec![vec![1, 2], vec![3]]);
        assert!(Arc::ptr_eq(&first, &chains.intern(vec![vec![1, 2], vec![3]])));
        let other = chains.intern(vec![vec![1], vec![2, 3]]);
        assert_ne!(first, other, "where one certificate ends is a part of it");
        assert!(Arc::ptr_eq(&chains.intern(Vec::new()), &chains.intern(Vec::new())));
    }

    #[test]
    fn a_chain_that_nobody_has_takes_no_room() {
        let chains = Chains::default();
        for n in 0..10_000_u32 {
            drop(chains.intern(vec![n.to_be_bytes().to_vec()]));
        }
        assert!(chains.known.lock().unwrap().chains.len() <= FEW);
    }
}
