//! Sessions: the cache beside a naive one, and what it holds.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use schannel::session_cache::{Entry, Limits, SessionCache, Space, Value};

use crate::subjects::{Certificate, Key, Ours, Version, suite};
use crate::{Effort, Row, compare};

/// Threads that look up and keep at once.
const THREADS: u64 = 16;
/// How often each does both, in one call.
const PAIRS: u64 = 20_000;
/// How much better than one lock the cache is at least, on a machine that runs so many of these threads at once.
const AIM: f64 = 4.0;
/// The same where most of these threads wait for a core, and not for each other.
const AIM_OF_FEW: f64 = 3.0;
/// Cores of such a machine.
const CORES: usize = 8;
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

/// What one writes first that can do the same: maps and an order behind one lock, with the same bound, spaces that are never
/// mixed, lifetimes that count from creation, and an idle time from the last lookup.
struct Naive {
    limits: Limits,
    kept: Mutex<MapsAndOrder>,
}

#[derive(Default)]
struct MapsAndOrder {
    spaces: HashMap<Space, HashMap<Vec<u8>, Held>>,
    order: VecDeque<(Space, Vec<u8>)>,
}

struct Held {
    entry: Arc<Entry>,
    used: u64,
}

impl Naive {
    fn new(limits: Limits) -> Self {
        Self { limits, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, MapsAndOrder> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MapsAndOrder {
    fn remove(&mut self, (space, id): &(Space, Vec<u8>)) {
        if let Some(sessions) = self.spaces.get_mut(space) {
            sessions.remove(id);
        }
    }
}

impl Sessions for Naive {
    fn put(&self, id: [u8; 32], entry: Arc<Entry>) {
        let mut kept = self.kept();
        let held = Held { entry, used: NOW };
        if kept.spaces.entry(SPACE).or_default().insert(id.to_vec(), held).is_none() {
            kept.order.push_back((SPACE, id.to_vec()));
        }
        while kept.order.len() > self.limits.entries {
            if let Some(oldest) = kept.order.pop_front() {
                kept.remove(&oldest);
            }
        }
    }

    fn get(&self, id: &[u8; 32]) -> Option<Arc<Entry>> {
        let mut kept = self.kept();
        let sessions = kept.spaces.get_mut(&SPACE)?;
        let held = sessions.get_mut(id.as_slice())?;
        if self.limits.allow(held.entry.created, held.used, NOW) {
            held.used = NOW;
            return Some(Arc::clone(&held.entry));
        }
        sessions.remove(id.as_slice());
        None
    }
}

fn id(number: u64) -> [u8; 32] {
    let mut id = [0; 32];
    // As identifiers are: nothing in them is alike.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for (place, byte) in id.iter_mut().zip(mixed.to_be_bytes().iter().cycle()) {
        *place = *byte;
    }
    id
}

fn entry() -> Arc<Entry> {
    let body = vec![7; 110].into_boxed_slice().into();
    Arc::new(Entry { created: 0, kind: 1, value: Value::Bytes { body, certificates: Arc::default() } })
}

/// Every thread keeps new sessions and looks up those that it kept a while ago.
fn work(sessions: &impl Sessions, next: &AtomicU64) -> f64 {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let first = next.fetch_add(PAIRS, Ordering::Relaxed);
            scope.spawn(move || {
                let entry = entry();
                for number in first..first + PAIRS {
                    sessions.put(id(number), Arc::clone(&entry));
                    std::hint::black_box(sessions.get(&id(number.saturating_sub(100).max(first))));
                }
            });
        }
    });
    (THREADS * PAIRS) as f64
}

/// The cache beside a naive one.
#[must_use]
pub fn sessions(effort: Effort) -> Vec<Row> {
    let limits = Limits { entries: ROOM, ..Limits::default() };
    let (cache, naive, next) = (SessionCache::new(limits), Naive::new(limits), AtomicU64::new(0));
    let name = format!("keeping and finding a session, {THREADS} threads, beside one lock");
    // Threads that wait for one lock lose what they could have done at the same time: with few cores, not much.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let aim = if cores >= CORES { AIM } else { AIM_OF_FEW };
    let row = compare(effort, name, "pairs/s", aim, || work(&cache, &next), || work(&naive, &next));
    let note = (cores < CORES).then(|| format!("{cores} cores; with {CORES} the aim is {AIM}"));
    vec![Row { note, ..row }]
}

/// A server that keeps so many real sessions.
pub(crate) fn server_with(entries: usize) -> Ours {
    let certificate = Certificate::new(Key::Ecdsa);
    let suite = suite(Version::Tls12, Key::Ecdsa);
    let ours = Ours::without_client_sessions(Version::Tls12, &certificate, suite);
    for _ in 0..entries {
        drop(ours.handshake());
    }
    ours
}
