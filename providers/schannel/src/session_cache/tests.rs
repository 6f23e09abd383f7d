use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sspi_core::{Clock, SpProt};

use super::*;
use crate::backend::Verification;

const SPACE: Space = Space { credential: 1, part: 1 };

fn cache(entries: usize, lifetime: u64, idle: Option<u64>) -> SessionCache {
    SessionCache::new(Limits { entries, lifetime, idle })
}

fn entry(cache: &SessionCache, created: u64) -> Arc<Entry> {
    let value =
        Value::Bytes { body: Zeroizing::new(vec![7; 100].into()), certificates: cache.chain(Vec::new()) };
    Arc::new(Entry { created, kind: 1, value })
}

fn id(number: u32) -> [u8; 32] {
    let mut id = [0; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

#[test]
fn a_small_cache_forgets_the_oldest_first_and_the_bound_holds() {
    let cache = cache(3, 100, None);
    for number in 0..10 {
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
    }
    for number in 0..10 {
        assert_eq!(cache.get(SPACE, &id(number), 0).is_some(), number >= 7, "{number}");
    }
    assert_eq!(cache.len(), 3);
}

#[test]
fn all_of_the_room_is_used_and_no_more() {
    let cache = cache(10_000, 100, None);
    for number in 0..30_000 {
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
        assert_eq!(cache.held.0.load(Ordering::Relaxed), 10_000.min(number as usize + 1));
    }
    assert_eq!(cache.len(), 10_000);
    for number in 0..30_000 {
        cache.remove(SPACE, &id(number));
    }
    assert!(cache.is_empty());
    assert_eq!(cache.held.0.load(Ordering::Relaxed), 0);
}

fn long(cache: &SessionCache, length: usize) -> Arc<Entry> {
    let value =
        Value::Bytes { body: Zeroizing::new(vec![7; length].into()), certificates: cache.chain(Vec::new()) };
    Arc::new(Entry { created: 0, kind: 1, value })
}

fn bytes(cache: &SessionCache, numbers: impl Iterator<Item = u32>) -> usize {
    let length = |entry: &Entry| match &entry.value {
        Value::Bytes { body, .. } => body.len(),
        Value::Opaque(_) => 0,
    };
    numbers.filter_map(|number| cache.get(SPACE, &id(number), 0)).map(|entry| length(&entry)).sum()
}

/// Tickets are as long as their server wants.
#[test]
fn a_long_session_takes_the_room_of_several() {
    let cache = cache(10, 100, None);
    for number in 0..10 {
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
    }
    cache.put(SPACE, &id(10), long(&cache, 3 * 1024), 0);
    assert_eq!((cache.len(), cache.held.0.load(Ordering::Relaxed)), (7, 10));
    assert!(cache.get(SPACE, &id(3), 0).is_none() && cache.get(SPACE, &id(4), 0).is_some());
    // In its place a short one, which leaves the rest of the room.
    cache.put(SPACE, &id(10), entry(&cache, 0), 0);
    assert_eq!((cache.len(), cache.held.0.load(Ordering::Relaxed)), (7, 7));
    cache.put(SPACE, &id(11), long(&cache, 1_000_000), 0);
    assert_eq!((cache.len(), cache.held.0.load(Ordering::Relaxed)), (1, 10), "all there is, and no more");
    cache.remove(SPACE, &id(11));
    assert_eq!((cache.len(), cache.held.0.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn however_long_sessions_are_they_have_a_kibibyte_each_in_all() {
    let cache = cache(1000, 100, None);
    for number in 0..5000 {
        let length = [100, 8 << 10, 1023, 1024, 3000][number as usize % 5];
        cache.put(SPACE, &id(number), long(&cache, length), 0);
    }
    assert!(cache.len() < 1000);
    let kept = bytes(&cache, 0..5000);
    assert!((500 << 10..=1000 << 10).contains(&kept), "{kept}");
    assert!(cache.held.0.load(Ordering::Relaxed) <= 1000);
    cache.clear();
    assert_eq!(cache.held.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_million_sessions_from_sixteen_threads_keep_the_bound() {
    const THREADS: u32 = 16;
    const EACH: u32 = 62_500;
    let cache = cache(10_000, 100, None);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let cache = &cache;
            scope.spawn(move || {
                let entry = entry(cache, 0);
                for number in 0..EACH {
                    let id = id(thread * EACH + number);
                    cache.put(SPACE, &id, Arc::clone(&entry), 0);
                    if number % 7 == 0 {
                        cache.remove(SPACE, &id);
                    }
                    if number % 1000 == 0 {
                        assert!(cache.len() <= 10_000);
                    }
                }
            });
        }
    });
    assert!(cache.len() <= 10_000);
    assert_eq!(cache.held.0.load(Ordering::Relaxed), cache.len(), "what is counted is what is there");
    let order = cache.shards().map(|shard| lock(shard).places()).sum::<usize>();
    assert!(order <= 2 * 10_000 + 64 * 64, "the order does not grow: {order}");
}

#[test]
fn a_session_lives_from_its_creation_and_no_use_makes_it_younger() {
    let cache = cache(10, 100, None);
    cache.put(SPACE, &id(1), entry(&cache, 1000), 1050);
    assert!(cache.get(SPACE, &id(1), 1100).is_some());
    assert!(cache.get(SPACE, &id(1), 1101).is_none());
    assert!(cache.get(SPACE, &id(1), 1100).is_none(), "what was too old once is gone");
    cache.put(SPACE, &id(2), entry(&cache, 1000), 1000);
    assert!(cache.get(SPACE, &id(2), 999).is_none(), "made in the future");
    cache.put(SPACE, &id(3), entry(&cache, 1000), 1000);
    assert!(cache.take(SPACE, &id(3), 1101).is_none());
    assert!(cache.is_empty());
}

#[test]
fn a_session_that_nobody_takes_up_is_gone_after_the_idle_limit() {
    let cache = cache(10, 100, Some(10));
    cache.put(SPACE, &id(1), entry(&cache, 0), 0);
    for now in [10, 20, 30] {
        assert!(cache.get(SPACE, &id(1), now).is_some(), "{now}");
    }
    assert!(cache.get(SPACE, &id(1), 41).is_none());
}

#[test]
fn what_is_too_old_goes_when_something_comes_and_two_at_a_time() {
    let cache = cache(60, 100, None);
    for number in 0..50 {
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
    }
    for (number, left) in (50..60).zip((0..).map(|n| 50 - n - 1)) {
        cache.put(SPACE, &id(number), entry(&cache, 101), 101);
        assert_eq!(cache.len(), left);
    }
}

#[test]
fn a_lookup_never_leaves_its_space() {
    let cache = cache(10, 100, None);
    cache.put(SPACE, &id(1), entry(&cache, 0), 0);
    for other in [Space { credential: 2, part: 1 }, Space { credential: 1, part: 2 }] {
        assert!(cache.get(other, &id(1), 0).is_none());
        assert!(cache.take(other, &id(1), 0).is_none());
        assert!(cache.remove(other, &id(1)).is_none());
    }
    assert!(cache.get(SPACE, &id(1), 0).is_some());
}

#[test]
fn the_sessions_of_a_credential_go_and_those_of_others_stay() {
    let cache = cache(1000, 100, None);
    for number in 0..500 {
        let space = Space { credential: u64::from(number % 2), part: 0 };
        cache.put(space, &id(number), entry(&cache, 0), 0);
    }
    cache.forget_credential(0);
    assert_eq!(cache.len(), 250);
    for number in 0..500 {
        let space = Space { credential: u64::from(number % 2), part: 0 };
        assert_eq!(cache.get(space, &id(number), 0).is_some(), number % 2 == 1);
    }
    cache.clear();
    assert!(cache.is_empty());
}

#[test]
fn no_room_keeps_nothing() {
    let cache = cache(0, 100, None);
    cache.put(SPACE, &id(1), entry(&cache, 0), 0);
    assert!(cache.get(SPACE, &id(1), 0).is_none());
}

#[test]
fn what_was_withdrawn_is_remembered_however_many_sessions_come() {
    let cache = cache(3, 100, Some(10));
    cache.withdrawn().put(SPACE, &id(1), entry(&cache, 0), 0);
    for number in 0..10 {
        cache.put(SPACE, &id(number), entry(&cache, 0), 0);
    }
    assert!(cache.withdrawn().get(SPACE, &id(1), 90).is_some(), "as long as a session could live");
    assert_eq!(cache.len(), 3);
    for number in 0..10 {
        cache.withdrawn().put(SPACE, &id(number), entry(&cache, 0), 0);
    }
    assert_eq!(cache.withdrawn().len(), 3, "it has its own bound");
    cache.forget_credential(SPACE.credential);
    assert!(cache.is_empty() && cache.withdrawn().is_empty());
}

/// It is always the same time.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(43_200)
    }
}

/// What was shared last.
#[derive(Default)]
struct Last(Mutex<Vec<u8>>);

impl SharedSessions for Last {
    fn put(&self, _key: Vec<u8>, _group: Vec<u8>, session: Zeroizing<Vec<u8>>, _lifetime: Duration) {
        *self.0.lock().unwrap() = session.to_vec();
    }

    fn remove(&self, _key: Vec<u8>) {}
}

#[test]
fn what_others_share_is_for_the_handshake_that_has_asked_for_it_and_no_other() {
    let last = Arc::new(Last::default());
    let farm = Farm::new(&(Arc::clone(&last) as Arc<dyn SharedSessions>), [b"rules".as_slice()]);
    let cache = Arc::new(cache(10, 100, None));
    let clock: Arc<dyn Clock> = Arc::new(Noon);
    let sessions = CredentialSessions::new(&cache, &clock, Some(farm), None);
    let part = Part::new(SpProt::NONE, Verification::default());
    sessions.keep(part, [&id(1), &id(1)], Kind::Engine, sessions.now(), b"body", Vec::new());
    let shared = last.0.lock().unwrap().clone();
    // Of an earlier handshake, which ended before it took the session up.
    assert!(sessions.found(part, &id(1), Some(&shared)));
    for wanted in [1, 2] {
        let mut asked = None;
        let during = |sessions: &CredentialSessions| {
            if wanted == 2 {
                asked::set(part, &id(2));
            }
            sessions.get(part, &id(1), Kind::Engine).is_some()
                || sessions.take(part, &id(1), Kind::Engine).is_some()
        };
        assert!(!asked::during(&mut asked, || during(&sessions)), "asked for {wanted}");
    }
    let mut asked = None;
    asked::during(&mut asked, || asked::set(part, &id(1)));
    // A handshake takes more than one call.
    assert!(asked::during(&mut asked, || sessions.get(part, &id(1), Kind::Engine)).is_some());
    assert!(asked::during(&mut asked, || sessions.get(part, &id(1), Kind::Engine)).is_none());
}
