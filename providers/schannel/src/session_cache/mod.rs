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
//! | where each session of it stands | `index.rs` |
//! | certificates, each chain once | `chains.rs` |
//! | what a credential sees of it | `credential.rs` |
//! | sessions that several machines share | `farm.rs` |
//! | which of these a handshake has asked for | `asked.rs` |

pub(crate) mod asked;
mod chains;
mod credential;
mod farm;
mod index;
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
use self::shard::{Gone, Held, Places, Session, Shard};

/// How many sessions are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At most so many sessions, and fewer where some are longer than a kibibyte each; none: nothing is kept.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// So many bytes of a session take the room of one.
const BYTES_OF_ONE: usize = 1024;

impl Entry {
    /// How much of the room it takes: that of one session, and of more for a session that is longer than most. A peer's
    /// ticket may be.
    fn weight(&self) -> usize {
        match &self.value {
            Value::Bytes { body, .. } => 1 + body.len() / BYTES_OF_ONE,
            Value::Opaque(_) => 1,
        }
    }
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
    /// How much room the sessions take that there are, and room that is taken for one. In a cache that is full it does not
    /// change.
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
        let index = usize::try_from(hash & 0xffff_ffff).unwrap_or_default() % (self.more.len() + 1);
        (&self.more.get(index).unwrap_or(&self.shard).0, hash)
    }

    fn shards(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        core::iter::once(&self.shard).chain(&self.more).map(|shard| &shard.0)
    }

    /// Keeps a session in place of what was there under the same identifier; the oldest make room. `now` is when it is used
    /// for the first time.
    pub fn put(&self, space: Space, id: &[u8], entry: Arc<Entry>, now: u64) {
        if self.limits.entries == 0 {
            return;
        }
        let (shard, hash) = self.place(space, id);
        let kept = self.to_be_kept(entry);
        let weight = kept.weight;
        let mut guard = lock(shard);
        // Whatever goes is dropped behind the lock: secrets are wiped, which others need not wait for.
        let replaced = guard.take(hash);
        // What is too old goes before anything that can be used: two for each that comes, so that it gets less.
        let is_old = |created, used| !self.limits.allow(created, used, now);
        let (one, other) = match replaced {
            Some(_) => (None, None),
            None => (guard.pop_old(is_old), guard.pop_old(is_old)),
        };
        let gone = [&replaced, &one, &other].into_iter().flatten();
        let mut free = gone.map(|gone| gone.kept.weight).sum::<usize>();
        let (mut oldest, mut others) = (None, Vec::new());
        while free < weight && !self.reserve(weight - free) {
            let Some(gone) = guard.pop_oldest() else {
                // The whole room is taken by other pieces, or by those who are about to keep something.
                drop(guard);
                return self.put_elsewhere(space, id, kept, now, free);
            };
            free += gone.kept.weight;
            others.extend(oldest.replace(gone));
        }
        guard.insert(hash, space, id, kept, now);
        drop(guard);
        self.give_back(free.saturating_sub(weight));
        drop((replaced, one, other, oldest, others));
    }

    fn to_be_kept(&self, entry: Arc<Entry>) -> Session {
        let (created, weight) = (entry.created, entry.weight().min(self.limits.entries));
        Session { entry, created, weight }
    }

    /// Keeps a session for which other pieces make room: so much is free already.
    #[cold]
    fn put_elsewhere(&self, space: Space, id: &[u8], kept: Session, now: u64, mut free: usize) {
        let weight = kept.weight;
        while free < weight && !self.reserve(weight - free) {
            match self.make_room() {
                Some(gone) => free += gone.kept.weight,
                None => return self.give_back(free),
            }
        }
        let (shard, hash) = self.place(space, id);
        let mut guard = lock(shard);
        // Somebody may have kept one under this identifier while the piece was let go of.
        let replaced = guard.take(hash);
        guard.insert(hash, space, id, kept, now);
        drop(guard);
        self.give_back(free.saturating_sub(weight) + replaced.map_or(0, |gone| gone.kept.weight));
    }

    /// Takes so much room, if there is any.
    fn reserve(&self, weight: usize) -> bool {
        let more = |held: usize| held.checked_add(weight).filter(|all| *all <= self.limits.entries);
        self.held.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, weight: usize) {
        if weight > 0 {
            self.held.0.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// The oldest session of some piece.
    fn make_room(&self) -> Option<Gone> {
        self.shards().find_map(|shard| lock(shard).pop_oldest())
    }

    /// The session of this identifier, unless it is too old.
    #[must_use]
    pub fn get(&self, space: Space, id: &[u8], now: u64) -> Option<Arc<Entry>> {
        let (shard, hash) = self.place(space, id);
        let mut guard = lock(shard);
        let (kept, used) = guard.find(hash, space, id)?.session()?;
        if self.limits.allow(kept.created, *used, now) {
            // Other threads read it, too: what is so already is not written.
            if *used != now {
                *used = now;
            }
            return Some(Arc::clone(&kept.entry));
        }
        let gone = guard.remove(hash, space, id);
        drop(guard);
        self.gone(gone);
        None
    }

    /// Whether something went, whose room is free now.
    fn gone(&self, gone: Option<Gone>) -> bool {
        self.give_back(gone.as_ref().map_or(0, |gone| gone.kept.weight));
        gone.is_some()
    }

    /// Forgets the session of this identifier, and hands it out.
    pub fn remove(&self, space: Space, id: &[u8]) -> Option<Arc<Entry>> {
        let (shard, hash) = self.place(space, id);
        let gone = lock(shard).remove(hash, space, id)?;
        self.give_back(gone.kept.weight);
        Some(gone.kept.entry)
    }

    /// Forgets what is kept under this identifier, if it is this. Whether it was.
    fn remove_this(&self, space: Space, id: &[u8], entry: &Arc<Entry>) -> bool {
        let (shard, hash) = self.place(space, id);
        let mut guard = lock(shard);
        let found = guard.find(hash, space, id).and_then(Held::session);
        let is_this = found.is_some_and(|(kept, _)| Arc::ptr_eq(&kept.entry, entry));
        let gone = if is_this { guard.remove(hash, space, id) } else { None };
        drop(guard);
        self.gone(gone)
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
        let Gone { kept, used } = lock(shard).remove(hash, space, id)?;
        self.give_back(kept.weight);
        self.limits.allow(kept.created, used, now).then_some(kept.entry)
    }

    /// Forgets all sessions of a credential.
    pub fn forget_credential(&self, credential: u64) {
        self.forget(|space| space.credential == credential);
    }

    /// Forgets every session.
    pub fn clear(&self) {
        self.forget(|_| true);
    }

    fn forget(&self, is_meant: impl Fn(Space) -> bool + Copy) {
        if let Some(withdrawn) = self.withdrawn.get() {
            withdrawn.forget_sessions(is_meant);
        }
        self.forget_sessions(is_meant);
    }

    fn forget_sessions(&self, is_meant: impl Fn(Space) -> bool) {
        for shard in self.shards() {
            let gone = lock(shard).remove_all(&is_meant);
            self.give_back(gone.iter().map(|gone| gone.kept.weight).sum());
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
