//! Sessions of a package instance: one bounded cache for clients and servers, every protocol and every credential.
//!
//! It is cut into pieces with a lock each, so that many threads look up and keep at once. The bound is exact and counts
//! over all pieces; the oldest session of a piece makes room. What is too old is not found, and goes when something new
//! comes: nobody ever goes through the cache to clean it up.
//!
//! Sessions lie in a [`Space`]: that of a credential, and within it of what else must not be mixed (the role, the policy of
//! the handshake). A lookup never leaves its space.
//!
//! | what | where |
//! |---|---|
//! | a piece | `shard.rs` |
//! | certificates, each chain once | `chains.rs` |
//! | what a credential sees of it | `credential.rs` |
//! | sessions that several machines share | `farm.rs` |

mod chains;
mod credential;
mod farm;
mod shard;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use zeroize::Zeroizing;

pub use self::chains::Chain;
use self::chains::Chains;
pub(crate) use self::credential::{CredentialSessions, Kept, Kind, Part};
pub use self::farm::SharedSessions;
pub(crate) use self::farm::{Farm, Wanted};
use self::shard::{Held, Id, Places, Shard};

/// How many sessions are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most so many sessions; none: nothing is kept.
    pub entries: usize,
    /// How long after it was made a session is taken up again, in seconds.
    pub lifetime: u64,
    /// How long a session may lie without being taken up, in seconds; `None`: as long as it lives.
    pub idle: Option<u64>,
}

impl Default for Limits {
    /// 10,000 sessions for ten hours, as Windows Server 2003 has them.
    fn default() -> Self {
        Self { entries: 10_000, lifetime: 36_000, idle: None }
    }
}

impl Limits {
    /// Whether a session that was made and last used then can be taken up now. A clock that was set back makes none younger
    /// than it is.
    #[must_use]
    pub const fn allow(&self, created: u64, used: u64, now: u64) -> bool {
        let Some(idle) = now.checked_sub(used) else { return false };
        let is_idle = match self.idle {
            Some(limit) => idle > limit,
            None => false,
        };
        self.is_young(created, now) && !is_idle
    }

    /// Whether a session that was made then has life left.
    pub(super) const fn is_young(&self, created: u64, now: u64) -> bool {
        match now.checked_sub(created) {
            Some(age) => age <= self.lifetime,
            None => false,
        }
    }
}

/// Where sessions are among themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    /// The number of a credential.
    pub credential: u64,
    /// What else is not to be mixed.
    pub part: u64,
}

/// A session that is kept.
pub struct Entry {
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// What kind of session it is: only who kept it knows.
    pub kind: u8,
    /// The session.
    pub value: Value,
}

/// What a session is kept as.
pub enum Value {
    /// Bytes, and the certificates that belong to them.
    Bytes {
        /// The session. Secret.
        body: Zeroizing<Box<[u8]>>,
        /// Its certificates.
        certificates: Arc<Chain>,
    },
    /// Something that cannot be looked into.
    Opaque(Arc<dyn Any + Send + Sync>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("created", &self.created)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// The sessions of one package instance.
pub struct SessionCache {
    limits: Limits,
    shard: Alone<Mutex<Shard>>,
    /// More of them, where there is room for many sessions.
    more: Box<[Alone<Mutex<Shard>>]>,
    places: Places,
    /// How many sessions there are, and room that is taken for one. In a cache that is full it does not change.
    held: Alone<AtomicUsize>,
    chains: Chains,
    credentials: AtomicU64,
    /// What is not taken up any more, once there is some. It has as much room again: a server that sees many sessions does
    /// not forget for their sake which of them failed.
    withdrawn: OnceLock<Box<Self>>,
}

/// What one thread writes is in no cache line that others read for the sake of something else.
#[derive(Default)]
#[repr(align(128))]
struct Alone<T>(T);

/// Pieces of a cache that has room for many.
const MOST_SHARDS: usize = 64;
/// A piece is for so many sessions at least: a small cache forgets its oldest session, and not the oldest of a piece.
const FEWEST_IN_A_SHARD: usize = 64;

impl SessionCache {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let shards = (limits.entries / FEWEST_IN_A_SHARD).clamp(1, MOST_SHARDS);
        Self {
            limits,
            shard: Alone::default(),
            more: (1..shards).map(|_| Alone::default()).collect(),
            places: Places::default(),
            held: Alone::default(),
            chains: Chains::default(),
            credentials: AtomicU64::new(0),
            withdrawn: OnceLock::new(),
        }
    }

    /// What is not taken up any more, as long as a session would be.
    fn withdrawn(&self) -> &Self {
        self.withdrawn.get_or_init(|| Box::new(Self::new(Limits { idle: None, ..self.limits })))
    }

    /// How many sessions are kept at most, and for how long.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A number for a credential that no other has.
    pub fn new_credential(&self) -> u64 {
        self.credentials.fetch_add(1, Ordering::Relaxed)
    }

    /// How many sessions are kept, at one moment.
    #[must_use]
    pub fn len(&self) -> usize {
        // Nobody else holds two pieces at once.
        let all: Vec<_> = self.shards().map(lock).collect();
        all.iter().map(|shard| shard.len()).sum()
    }

    /// Whether no session is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one copy of a chain that is there already, if it is no such copy itself.
    pub(crate) fn share(&self, chain: Arc<Chain>) -> Arc<Chain> {
        self.chains.intern(chain)
    }

    /// The one copy of these certificates that sessions share.
    #[must_use]
    pub fn chain(&self, certificates: Vec<Vec<u8>>) -> Arc<Chain> {
        self.chains.intern(Arc::new(certificates.into()))
    }

    fn place(&self, space: Space, id: &[u8]) -> (&Mutex<Shard>, u64) {
        let hash = self.places.hash(space, id);
        // A piece and a place in it go by different bits.
        let index = usize::try_from(hash >> 32).unwrap_or_default() % (self.more.len() + 1);
        (&self.more.get(index).unwrap_or(&self.shard).0, hash)
    }

    fn shards(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        core::iter::once(&self.shard).chain(&self.more).map(|shard| &shard.0)
    }

    /// Keeps a session in place of what was there under the same identifier; the oldest makes room. `now` is when it is used
    /// for the first time.
    pub fn put(&self, space: Space, id: &[u8], entry: Arc<Entry>, now: u64) {
        if self.limits.entries == 0 {
            return;
        }
        let (shard, hash) = self.place(space, id);
        let held = Held { hash, space, id: Id::new(id), entry, used: now };
        let mut guard = lock(shard);
        if guard.has(hash) {
            let replaced = guard.insert(held);
            drop(guard);
            return drop(replaced);
        }
        // What is too old goes before anything that can be used: two for each that comes, so that it gets less.
        let is_old = |held: &Held| !self.limits.allow(held.entry.created, held.used, now);
        let old = [guard.pop_old(is_old), guard.pop_old(is_old)];
        let mut free = old.iter().flatten().count();
        let mut oldest = None;
        if free == 0 {
            if !self.reserve() {
                oldest = guard.pop_oldest();
                if oldest.is_none() {
                    // The whole room is taken by other pieces, or by those who are about to keep something.
                    drop(guard);
                    oldest = self.make_room();
                    if oldest.is_none() {
                        return;
                    }
                    guard = lock(shard);
                }
            }
            free = 1;
        }
        // Somebody may have kept one under this identifier while the piece was let go of.
        let replaced = guard.insert(held);
        drop(guard);
        // One of the places is taken now.
        let left = free + usize::from(replaced.is_some()) - 1;
        if left > 0 {
            self.held.0.fetch_sub(left, Ordering::Relaxed);
        }
        // Secrets are wiped, which others need not wait for.
        drop((old, oldest, replaced));
    }

    /// Takes room for one session, if there is any.
    fn reserve(&self) -> bool {
        let more = |held| (held < self.limits.entries).then_some(held + 1);
        self.held.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// The oldest session of some piece.
    fn make_room(&self) -> Option<Held> {
        self.shards().find_map(|shard| lock(shard).pop_oldest())
    }

    /// The session of this identifier, unless it is too old.
    #[must_use]
    pub fn get(&self, space: Space, id: &[u8], now: u64) -> Option<Arc<Entry>> {
        let (shard, hash) = self.place(space, id);
        let mut guard = lock(shard);
        let held = guard.find(hash, space, id)?;
        if self.limits.allow(held.entry.created, held.used, now) {
            held.used = now;
            return Some(Arc::clone(&held.entry));
        }
        let gone = guard.remove(hash, space, id);
        drop(guard);
        self.held.0.fetch_sub(usize::from(gone.is_some()), Ordering::Relaxed);
        None
    }

    /// Forgets the session of this identifier, and hands it out.
    pub fn remove(&self, space: Space, id: &[u8]) -> Option<Arc<Entry>> {
        let (shard, hash) = self.place(space, id);
        let gone = lock(shard).remove(hash, space, id)?;
        self.held.0.fetch_sub(1, Ordering::Relaxed);
        Some(gone.entry)
    }

    /// Forgets what is kept under this identifier, if it is this. Whether it was.
    fn remove_this(&self, space: Space, id: &[u8], entry: &Arc<Entry>) -> bool {
        let (shard, hash) = self.place(space, id);
        let mut guard = lock(shard);
        let is_this = guard.find(hash, space, id).is_some_and(|held| Arc::ptr_eq(&held.entry, entry));
        let gone = if is_this { guard.remove(hash, space, id) } else { None };
        drop(guard);
        self.held.0.fetch_sub(usize::from(gone.is_some()), Ordering::Relaxed);
        gone.is_some()
    }

    /// Takes away what says that the session of this identifier is not taken up for now.
    fn unmark(&self, space: Space, id: &[u8]) {
        if let Some(withdrawn) = self.withdrawn.get() {
            withdrawn.remove(space, id);
        }
    }

    /// The session of this identifier, unless it is too old; it is not kept any more.
    #[must_use]
    pub fn take(&self, space: Space, id: &[u8], now: u64) -> Option<Arc<Entry>> {
        let (shard, hash) = self.place(space, id);
        let gone = lock(shard).remove(hash, space, id)?;
        self.held.0.fetch_sub(1, Ordering::Relaxed);
        self.limits.allow(gone.entry.created, gone.used, now).then_some(gone.entry)
    }

    /// Forgets all sessions of a credential.
    pub fn forget_credential(&self, credential: u64) {
        self.forget(|held| held.space.credential == credential);
    }

    /// Forgets every session.
    pub fn clear(&self) {
        self.forget(|_| true);
    }

    fn forget(&self, is_meant: impl Fn(&Held) -> bool + Copy) {
        if let Some(withdrawn) = self.withdrawn.get() {
            withdrawn.forget_sessions(is_meant);
        }
        self.forget_sessions(is_meant);
    }

    fn forget_sessions(&self, is_meant: impl Fn(&Held) -> bool) {
        for shard in self.shards() {
            let gone = lock(shard).remove_all(&is_meant);
            self.held.0.fetch_sub(gone.len(), Ordering::Relaxed);
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache").field("limits", &self.limits).finish_non_exhaustive()
    }
}
