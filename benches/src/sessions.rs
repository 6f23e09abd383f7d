//! Sessions: the cache beside a naive one, and what it holds.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use schannel::Protocol;
use schannel::session_cache::{Entry, Limits, SessionCache, Space, Value};
use sspi_core::{InitializeRequest, IscReq, Step};

use crate::subjects::{Certificate, Key, Ours};
use crate::{Effort, Row, compare, compare_rates};

/// Threads that look up and keep at once.
const THREADS: u64 = 16;
/// What each of them does in one call: so many things.
const CALLS: u64 = 40_000;
/// Sessions of a thread that are different.
const ENTRIES: usize = 1000;
/// How much better than one lock the cache is at least.
const AIM: f64 = 4.0;
/// Sessions that there is room for.
const ROOM: usize = 10_000;

/// A place for sessions.
trait Sessions: Sync {
    fn put(&self, id: [u8; 32], entry: Arc<Entry>);
    fn get(&self, id: &[u8; 32]) -> Option<Arc<Entry>>;
}

const SPACE: Space = Space { credential: 1, part: 2 };
/// When all of it happens, in seconds.
const NOW: u64 = 0;

impl Sessions for SessionCache {
    fn put(&self, id: [u8; 32], entry: Arc<Entry>) {
        self.put(SPACE, &id, entry, NOW);
    }

    fn get(&self, id: &[u8; 32]) -> Option<Arc<Entry>> {
        self.get(SPACE, id, NOW)
    }
}

/// What one writes first that can do the same: a map and an order behind one lock, with the same bound, spaces that are never
/// mixed, lifetimes that count from creation, and an idle time from the last lookup.
struct Naive {
    limits: Limits,
    kept: Mutex<MapAndOrder>,
}

#[derive(Default)]
struct MapAndOrder {
    sessions: HashMap<Named, Held>,
    /// As they came.
    order: VecDeque<Named>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Named {
    space: Space,
    id: Vec<u8>,
}

impl Named {
    fn new(id: &[u8; 32]) -> Self {
        Self { space: SPACE, id: id.to_vec() }
    }
}

struct Held {
    entry: Arc<Entry>,
    used: u64,
}

impl Naive {
    fn new(limits: Limits) -> Self {
        Self { limits, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, MapAndOrder> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions for Naive {
    fn put(&self, id: [u8; 32], entry: Arc<Entry>) {
        let mut kept = self.kept();
        let key = Named::new(&id);
        if kept.sessions.insert(key.clone(), Held { entry, used: NOW }).is_none() {
            kept.order.push_back(key);
        }
        if kept.order.len() > self.limits.entries
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.sessions.remove(&oldest);
        }
    }

    fn get(&self, id: &[u8; 32]) -> Option<Arc<Entry>> {
        let mut kept = self.kept();
        let key = Named::new(id);
        let held = kept.sessions.get_mut(&key)?;
        if self.limits.allow(held.entry.created, held.used, NOW) {
            held.used = NOW;
            return Some(Arc::clone(&held.entry));
        }
        kept.sessions.remove(&key);
        None
    }
}

/// The same by somebody who has thought about it: memory comes and goes outside of the lock.
struct Careful(Naive);

impl Sessions for Careful {
    fn put(&self, id: [u8; 32], entry: Arc<Entry>) {
        let key = Named::new(&id);
        let (in_order, held) = (key.clone(), Held { entry, used: NOW });
        let mut oldest = None;
        let mut kept = self.0.kept();
        let before = kept.sessions.insert(key, held);
        if before.is_none() {
            kept.order.push_back(in_order);
        }
        if kept.order.len() > self.0.limits.entries {
            oldest = kept.order.pop_front().and_then(|key| kept.sessions.remove_entry(&key));
        }
        drop(kept);
        drop((before, oldest));
    }

    fn get(&self, id: &[u8; 32]) -> Option<Arc<Entry>> {
        let key = Named::new(id);
        let mut kept = self.0.kept();
        let held = kept.sessions.get_mut(&key)?;
        if self.0.limits.allow(held.entry.created, held.used, NOW) {
            held.used = NOW;
            return Some(Arc::clone(&held.entry));
        }
        let gone = kept.sessions.remove(&key);
        drop(kept);
        drop(gone);
        None
    }
}

/// Identifiers as they are: nothing in them is alike. They cost next to nothing, since those of handshakes come from outside.
fn id(number: u64) -> [u8; 32] {
    let mut id = [0; 32];
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for word in id.as_chunks_mut::<8>().0 {
        *word = mixed.to_le_bytes();
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    id
}

fn entry(created: u64) -> Arc<Entry> {
    let body = vec![7; 110].into_boxed_slice().into();
    Arc::new(Entry { created, kind: 1, value: Value::Bytes { body, certificates: Arc::default() } })
}

/// What threads do.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    /// Lookups for each session that is kept.
    lookups: u64,
}

const LOADS: [Load; 2] = [
    Load { name: "keeping a session and finding one", lookups: 1 },
    Load { name: "keeping a session and finding nine", lookups: 9 },
];

/// Every thread keeps new sessions and looks up those that it kept a while ago.
fn work(sessions: &impl Sessions, next: &AtomicU64, load: Load) -> f64 {
    let each = CALLS / (1 + load.lookups);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let first = next.fetch_add(each, Ordering::Relaxed);
            scope.spawn(move || {
                // Each session is one of its own, as those of handshakes are.
                let entries: Vec<_> = (0..ENTRIES).map(|_| entry(NOW)).collect();
                for (number, entry) in (first..first + each).zip(entries.iter().cycle()) {
                    sessions.put(id(number), Arc::clone(entry));
                    for back in 0..load.lookups {
                        let number = number.saturating_sub(100 * (back + 1)).max(first);
                        std::hint::black_box(sessions.get(&id(number)));
                    }
                }
            });
        }
    });
    (THREADS * each * (1 + load.lookups)) as f64
}

/// A cache of one thread that is full, and when what comes is kept in it.
struct Full {
    cache: SessionCache,
    now: u64,
}

/// Sessions that are kept in such a cache: so few that it is full of what was there before to the end, whatever goes for them.
const COMING: usize = ROOM / 4;

impl Full {
    /// Full of sessions that nobody can take up any more, or that everybody can.
    fn of(are_too_old: bool) -> Self {
        let limits = Limits { entries: ROOM, ..Limits::default() };
        let cache = SessionCache::new(limits);
        for number in (0..).take(ROOM) {
            cache.put(SPACE, &id(number), entry(NOW), NOW);
        }
        Self { cache, now: if are_too_old { NOW + limits.lifetime + 1 } else { NOW } }
    }

    /// How long it takes to keep what comes.
    fn keep(&self) -> Duration {
        let coming: Vec<_> = (0..COMING).map(|_| entry(self.now)).collect();
        let start = Instant::now();
        for (number, entry) in (u64::MAX / 2..).zip(coming) {
            self.cache.put(SPACE, &id(number), entry, self.now);
        }
        start.elapsed()
    }
}

/// Sessions that are kept in a second, in caches that are full of others. To fill them does not count.
fn keeping(at_least: Duration, are_too_old: bool) -> f64 {
    let (mut taken, mut kept) = (Duration::ZERO, 0.0);
    while taken < at_least {
        taken += Full::of(are_too_old).keep();
        kept += COMING as f64;
    }
    kept / taken.as_secs_f64()
}

/// What it costs a handshake that the cache has expired sessions: two go for each that comes, beside one where all can be used.
fn expiry(effort: Effort) -> Row {
    let name = "keeping a session among expired ones, beside among live ones".to_owned();
    compare_rates(effort, name, "calls/s", 0.0, |time| keeping(time, true), |time| keeping(time, false))
}

/// The cache beside a naive one; beside a careful one, and what expiry costs it, which is for information.
#[must_use]
pub fn sessions(effort: Effort) -> Vec<Row> {
    let limits = Limits { entries: ROOM, ..Limits::default() };
    // Threads on one core wait for each other whatever they do.
    let has_cores = thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
    let aim = if has_cores { AIM } else { 1.0 };
    let mut rows = Vec::new();
    for load in LOADS {
        let (cache, next) = (SessionCache::new(limits), AtomicU64::new(0));
        let (naive, careful) = (Naive::new(limits), Careful(Naive::new(limits)));
        let name = |beside: &str| format!("{}, {THREADS} threads, beside {beside}", load.name);
        let ours = || work(&cache, &next, load);
        let theirs = || work(&naive, &next, load);
        rows.push(compare(effort, name("one lock"), "calls/s", aim, ours, theirs));
        let theirs = || work(&careful, &next, load);
        rows.push(compare(effort, name("one lock that is held shortly"), "calls/s", 0.0, ours, theirs));
    }
    rows.push(expiry(effort));
    rows
}

/// A server that keeps so many real sessions of this protocol.
pub(crate) fn server_with(protocol: Protocol, suite: &str, key: Key, entries: usize) -> Ours {
    let ours = Ours::whose_client_keeps_none(protocol, &Certificate::new(key), suite);
    for _ in 0..entries {
        drop(ours.handshake());
    }
    ours
}

/// A client that keeps real sessions with so many servers.
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark whose handshake fails has nothing to measure"
)]
pub(crate) fn client_with(protocol: Protocol, suite: &str, key: Key, entries: usize) -> Ours {
    let certificate = Certificate::new(key);
    let ours = Ours::speaking(protocol, &certificate, suite, true);
    for number in 0..entries {
        let request = InitializeRequest {
            target_name: Some(format!("server-{number}.test")),
            // All of them have the one certificate.
            flags: IscReq::EXTENDED_ERROR | IscReq::STREAM | IscReq::MANUAL_CRED_VALIDATION,
            ..InitializeRequest::default()
        };
        let mut client = ours.client.initialize(&request).expect("a client");
        let (mut server, mut to_client, mut is_complete) = (ours.accept(), Vec::new(), false);
        while !is_complete {
            let (said, used) = match client.initialize_security_context(&to_client) {
                Ok(Step::Continue { token, used }) => (token, used),
                Ok(Step::Complete { token, used, .. }) => {
                    is_complete = true;
                    (token, used)
                }
                other => panic!("the client came to {other:?}"),
            };
            to_client.drain(..used);
            if said.is_empty() {
                continue;
            }
            match server.accept_security_context(&said) {
                Ok(Step::Continue { token, .. } | Step::Complete { token, .. }) => to_client.extend(token),
                _ if is_complete => {}
                other => panic!("the server came to {other:?}"),
            }
        }
    }
    // What the server kept goes with it.
    Ours { server: Ours::speaking(protocol, &certificate, suite, false).server, ..ours }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn among_expired_sessions_two_go_for_each_that_comes_and_among_live_ones_one() {
        for (are_too_old, left) in [(true, ROOM - COMING), (false, ROOM)] {
            let full = Full::of(are_too_old);
            assert_eq!(full.cache.len(), ROOM);
            full.keep();
            assert_eq!(full.cache.len(), left);
        }
    }
}
