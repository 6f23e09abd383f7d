use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::time::{Instant, advance};

use super::*;

const DEADLINE: Duration = Duration::from_millis(50);

fn secret() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(b"session".to_vec())
}

/// A store in memory that can be slow or broken.
#[derive(Default)]
struct Toy {
    sessions: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    asked: AtomicUsize,
    delay: Mutex<Duration>,
    broken: Mutex<Option<io::ErrorKind>>,
    /// Only what writes is broken.
    reads: AtomicBool,
    panics: AtomicBool,
}

impl Toy {
    async fn answer(&self) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(!self.panics.load(Ordering::Relaxed), "as the test wants it");
        let (delay, broken) = (*self.delay.lock().unwrap(), *self.broken.lock().unwrap());
        sleep(delay).await;
        broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn with_one() -> Arc<Self> {
        let toy = Arc::new(Self::default());
        toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
        toy
    }

    fn has(&self, key: &[u8]) -> bool {
        self.sessions.lock().unwrap().contains_key(key)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl SessionStore for Toy {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match self.answer().await {
            Err(error) if !self.reads.load(Ordering::Relaxed) => return Err(error),
            _ => {}
        }
        Ok(self.sessions.lock().unwrap().get(key).cloned().map(Zeroizing::new))
    }

    async fn put(&self, key: &[u8], _group: &[u8], session: &[u8], _lifetime: Duration) -> io::Result<()> {
        self.answer().await?;
        self.sessions.lock().unwrap().insert(key.to_vec(), session.to_vec());
        Ok(())
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.answer().await?;
        self.sessions.lock().unwrap().remove(key);
        Ok(())
    }
}

/// On the runtime of the test, whose time stands still.
fn shared(toy: &Arc<Toy>) -> SharedSessions {
    let (shared, works) = SharedSessions::channel(DEADLINE, Handle::current());
    let state = Arc::clone(&shared.state);
    tokio::spawn(Server { store: Arc::clone(toy) as _, deadline: DEADLINE, state }.serve(works));
    shared
}

/// Lets everything happen that can happen without the store being slow.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_put_is_found_until_it_is_removed() {
    let toy = Arc::new(Toy::default());
    let shared = shared(&toy);
    shared.put(b"key".to_vec(), Vec::new(), secret(), Duration::from_secs(1));
    assert_eq!(shared.find(b"key").await, Some(secret()));
    assert_eq!(shared.find(b"other").await, None);
    shared.remove(b"key".to_vec());
    assert_eq!(shared.find(b"key").await, None);
    assert!(!shared.is_down());
}

#[tokio::test(start_paused = true)]
async fn a_late_lookup_is_none_at_the_deadline_and_the_next_does_not_wait() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    *toy.delay.lock().unwrap() = Duration::from_secs(60);
    let shared = shared(&toy);
    let begun = Instant::now();
    assert_eq!(shared.find(b"key").await, None);
    // The timer of tokio counts whole milliseconds.
    assert!(begun.elapsed() <= DEADLINE + Duration::from_millis(1), "{:?}", begun.elapsed());
    assert!(shared.is_down());
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(shared.find(b"key").await, None);
    }
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(toy.asked(), 1, "one lookup found it out for all");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_back_is_asked_again_and_was_tried_seldom_before() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::ConnectionRefused);
    let shared = shared(&toy);
    assert_eq!(shared.find(b"key").await, None);
    for _ in 0..60 {
        advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
        shared.put(b"more".to_vec(), Vec::new(), secret(), Duration::from_secs(1));
        assert_eq!(shared.find(b"key").await, None);
    }
    assert!((4..=20).contains(&toy.asked()), "{}", toy.asked());
    *toy.broken.lock().unwrap() = None;
    sleep(LAST_PROBE + DEADLINE).await;
    assert!(!shared.is_down());
    assert_eq!(shared.find(b"key").await, Some(secret()));
}

#[tokio::test(start_paused = true)]
async fn a_store_without_room_is_not_down() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    let shared = shared(&toy);
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::StorageFull);
    shared.put(b"more".to_vec(), Vec::new(), secret(), Duration::from_secs(1));
    tokio::task::yield_now().await;
    sleep(Duration::from_millis(1)).await;
    *toy.broken.lock().unwrap() = None;
    assert!(!shared.is_down());
    assert_eq!(shared.find(b"key").await, Some(secret()));
}

#[test]
fn a_lookup_outside_a_runtime_is_answered_by_the_thread_of_the_store() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    let shared = SharedSessions::new(toy, Duration::from_secs(60)).unwrap();
    assert_eq!(shared.find_blocking(b"key"), Some(secret()));
}

#[tokio::test(start_paused = true)]
async fn what_was_removed_while_the_store_was_down_is_forgotten_before_anybody_asks() {
    let toy = Toy::with_one();
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::ConnectionRefused);
    let shared = shared(&toy);
    assert_eq!(shared.find(b"other").await, None);
    assert!(shared.is_down());
    shared.remove(b"key".to_vec());
    *toy.broken.lock().unwrap() = None;
    while shared.is_down() {
        assert_eq!(shared.find(b"key").await, None);
        settle().await;
    }
    assert!(!toy.has(b"key"));
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_failed_or_was_late_is_done_when_the_store_is_back() {
    for late in [true, false] {
        let toy = Toy::with_one();
        if late {
            *toy.delay.lock().unwrap() = 2 * DEADLINE;
        } else {
            *toy.broken.lock().unwrap() = Some(io::ErrorKind::ConnectionReset);
        }
        let shared = shared(&toy);
        shared.remove(b"key".to_vec());
        sleep(3 * DEADLINE).await;
        assert!(shared.is_down() && toy.has(b"key"), "late: {late}");
        *toy.delay.lock().unwrap() = Duration::ZERO;
        *toy.broken.lock().unwrap() = None;
        sleep(LAST_PROBE).await;
        assert!(!shared.is_down() && !toy.has(b"key"), "late: {late}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_for_which_there_was_no_room_is_done_when_there_is() {
    let toy = Toy::with_one();
    let shared = shared(&toy);
    for number in 0..MOST_WAITING {
        shared.put(number.to_be_bytes().to_vec(), Vec::new(), secret(), Duration::from_secs(1));
    }
    shared.remove(b"key".to_vec());
    assert_eq!(shared.work.capacity(), 0);
    settle().await;
    assert!(!toy.has(b"key"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_only_reads_is_not_down_and_forgets_when_it_writes_again() {
    let toy = Toy::with_one();
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::StorageFull);
    toy.reads.store(true, Ordering::Relaxed);
    let shared = shared(&toy);
    for _ in 0..3 {
        shared.remove(b"key".to_vec());
        shared.put(b"more".to_vec(), Vec::new(), secret(), Duration::from_secs(1));
        settle().await;
        assert!(!shared.is_down());
        assert!(shared.state.is_full.load(Ordering::Relaxed), "that was said, once");
    }
    *toy.broken.lock().unwrap() = None;
    shared.put(b"more".to_vec(), Vec::new(), secret(), Duration::from_secs(1));
    settle().await;
    assert!(toy.has(b"more") && !toy.has(b"key"));
    assert!(!shared.state.is_full.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_tried_again() {
    let toy = Toy::with_one();
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::ConnectionRefused);
    let shared = shared(&toy);
    assert_eq!(shared.find(b"key").await, None);
    toy.panics.store(true, Ordering::Relaxed);
    sleep(2 * LAST_PROBE).await;
    assert!(shared.is_down());
    toy.panics.store(false, Ordering::Relaxed);
    *toy.broken.lock().unwrap() = None;
    sleep(LAST_PROBE + DEADLINE).await;
    assert!(!shared.is_down());
    assert_eq!(shared.find(b"key").await, Some(secret()));
}

#[tokio::test(start_paused = true)]
async fn what_a_lookup_waits_for_its_turn_is_a_part_of_its_time() {
    let toy = Toy::with_one();
    *toy.delay.lock().unwrap() = DEADLINE - Duration::from_millis(10);
    let shared = shared(&toy);
    let begun = Instant::now();
    let mut asked = JoinSet::new();
    for _ in 0..=MOST_AT_ONCE {
        let shared = shared.clone();
        asked.spawn(async move { shared.find(b"key").await });
    }
    let found = asked.join_all().await.into_iter().flatten().count();
    assert_eq!(found, MOST_AT_ONCE);
    assert!(begun.elapsed() <= DEADLINE + Duration::from_millis(1), "{:?}", begun.elapsed());
}

/// A store that holds up its thread until the test is over.
struct Stuck(Mutex<blocking_mpsc::Receiver<()>>);

#[async_trait]
impl SessionStore for Stuck {
    async fn get(&self, _key: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let _the_test_is_over = self.0.lock().unwrap().recv();
        Ok(None)
    }

    async fn put(&self, _key: &[u8], _group: &[u8], _session: &[u8], _lifetime: Duration) -> io::Result<()> {
        Ok(())
    }

    async fn remove(&self, _key: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

impl Stuck {
    /// One that goes on when the sender is dropped.
    fn until() -> (blocking_mpsc::Sender<()>, Arc<Self>) {
        let (over, until_over) = blocking_mpsc::channel();
        (over, Arc::new(Self(Mutex::new(until_over))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_ends_in_time_whatever_the_store_does_and_the_store_is_down_until_it_goes_on() {
    let (over, stuck) = Stuck::until();
    let (shared, works) = SharedSessions::channel(DEADLINE, Handle::current());
    let server = Server { store: stuck, deadline: DEADLINE, state: Arc::clone(&shared.state) };
    let thread = std::thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(server.serve(works));
    });
    let begun = Instant::now();
    assert_eq!(shared.find(b"key").await, None);
    assert!(begun.elapsed() <= DEADLINE + Duration::from_millis(1), "{:?}", begun.elapsed());
    assert!(shared.is_down());
    for _ in 0..100 {
        assert_eq!(shared.find(b"key").await, None);
    }
    assert!(begun.elapsed() <= DEADLINE + Duration::from_millis(1), "nobody waits for it again");
    drop(over);
    while shared.is_down() {
        std::thread::yield_now();
    }
    drop(shared);
    thread.join().unwrap();
}

/// Whoever asks has no timer, and no runtime either.
#[test]
fn a_lookup_of_whatever_executor_ends_in_time() {
    let (over, stuck) = Stuck::until();
    let shared = SharedSessions::new(stuck, DEADLINE).unwrap();
    let without_timer = Builder::new_current_thread().build().unwrap();
    assert_eq!(without_timer.block_on(shared.find(b"key")), None);
    assert!(shared.is_down());
    drop(over);
}

#[tokio::test]
async fn a_blocking_lookup_ends_in_time_whatever_the_store_does_and_on_a_thread_of_a_runtime() {
    let (over, stuck) = Stuck::until();
    let shared = SharedSessions::new(stuck, DEADLINE).unwrap();
    assert_eq!(shared.find_blocking(b"key"), None);
    assert!(shared.is_down());
    drop(over);
}
