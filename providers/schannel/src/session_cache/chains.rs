//! Certificates of sessions, each chain once: thousands of sessions are with the same few peers.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};
use std::time::SystemTime;

use crypto::hash::Hash;

use crate::certificate::validity;

/// Certificates in DER, in an order of their own, and what is read of them: once, however often a session is taken up.
#[derive(Default)]
pub struct Chain {
    certificates: Vec<Vec<u8>>,
    digest: OnceLock<[u8; 32]>,
    not_after: OnceLock<Option<SystemTime>>,
}

impl Chain {
    /// SHA-256 over the certificates and where each ends.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        self.digest.get_or_init(|| {
            let mut context = Hash::Sha256.context();
            for certificate in &self.certificates {
                context.update(&u64::try_from(certificate.len()).unwrap_or(u64::MAX).to_be_bytes());
                context.update(certificate);
            }
            let mut out = [0; 32];
            out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
            out
        })
    }

    /// Until when the first of them is valid; `None` where there is none, or none that can be read.
    pub(crate) fn not_after(&self) -> Option<SystemTime> {
        let leaf = self.certificates.first()?;
        *self.not_after.get_or_init(|| validity(leaf).ok().map(|(_, not_after)| not_after))
    }
}

impl From<Vec<Vec<u8>>> for Chain {
    fn from(certificates: Vec<Vec<u8>>) -> Self {
        Self { certificates, ..Self::default() }
    }
}

impl Deref for Chain {
    type Target = [Vec<u8>];

    fn deref(&self) -> &Self::Target {
        &self.certificates
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl Eq for Chain {}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.certificates.len()).finish()
    }
}

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
    pub(super) fn intern(&self, chain: Arc<Chain>) -> Arc<Chain> {
        if chain.is_empty() {
            return Arc::clone(&NONE);
        }
        let hash = self.hasher.hash_one(&chain.certificates);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.chains.get(&hash).and_then(Weak::upgrade).filter(|same| *same == chain) {
            return same;
        }
        if known.chains.len() >= known.limit {
            known.chains.retain(|_, chain| chain.strong_count() > 0);
            known.limit = FEW.max(2 * known.chains.len());
        }
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
        let intern = |certificates: Vec<Vec<u8>>| chains.intern(Arc::new(certificates.into()));
        let first = intern(vec![vec![1, 2], vec![3]]);
        assert!(Arc::ptr_eq(&first, &intern(vec![vec![1, 2], vec![3]])));
        let other = intern(vec![vec![1], vec![2, 3]]);
        assert_ne!(first, other, "where one certificate ends is a part of it");
        assert_ne!(first.digest(), other.digest(), "and of its digest");
        assert!(Arc::ptr_eq(&intern(Vec::new()), &intern(Vec::new())));
    }

    #[test]
    fn a_chain_that_nobody_has_takes_no_room() {
        let chains = Chains::default();
        for n in 0..10_000_u32 {
            drop(chains.intern(Arc::new(vec![n.to_be_bytes().to_vec()].into())));
        }
        assert!(chains.known.lock().unwrap().chains.len() <= FEW);
    }
}
