use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::time::{Instant, advance};

use super::*;

const DEADLINE: Duration = Duration::from_millis(50);

/// A store in memory that can be slow or broken.
#[derive(Default)]
struct Toy {
    sessions: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    asked: AtomicUsize,
    delay: Mutex<Duration>,
    broken: Mutex<Option<io::ErrorKind>>,
}

impl Toy {
    async fn answer(&self) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (delay, broken) = (*self.delay.lock().unwrap(), *self.broken.lock().unwrap());
        sleep(delay).await;
        broken.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl SessionStore for Toy {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.answer().await?;
        Ok(self.sessions.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &[u8], session: &[u8], _lifetime: Duration) -> io::Result<()> {
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
    let (shared, works) = SharedSessions::channel();
    let is_down = Arc::clone(&shared.is_down);
    tokio::spawn(Server { store: Arc::clone(toy) as _, deadline: DEADLINE, is_down }.serve(works));
    shared
}

#[tokio::test(start_paused = true)]
async fn what_was_put_is_found_until_it_is_removed() {
    let toy = Arc::new(Toy::default());
    let shared = shared(&toy);
    shared.put(b"key".to_vec(), b"session".to_vec(), Duration::from_secs(1));
    assert_eq!(shared.find(b"key").await.as_deref(), Some(b"session".as_slice()));
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
        shared.put(b"more".to_vec(), b"session".to_vec(), Duration::from_secs(1));
        assert_eq!(shared.find(b"key").await, None);
    }
    assert!((4..=20).contains(&toy.asked()), "{}", toy.asked());
    *toy.broken.lock().unwrap() = None;
    sleep(LAST_PROBE + DEADLINE).await;
    assert!(!shared.is_down());
    assert_eq!(shared.find(b"key").await.as_deref(), Some(b"session".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_store_without_room_is_not_down() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    let shared = shared(&toy);
    *toy.broken.lock().unwrap() = Some(io::ErrorKind::StorageFull);
    shared.put(b"more".to_vec(), b"session".to_vec(), Duration::from_secs(1));
    tokio::task::yield_now().await;
    sleep(Duration::from_millis(1)).await;
    *toy.broken.lock().unwrap() = None;
    assert!(!shared.is_down());
    assert_eq!(shared.find(b"key").await.as_deref(), Some(b"session".as_slice()));
}

#[test]
fn a_lookup_outside_a_runtime_is_answered_by_the_thread_of_the_store() {
    let toy = Arc::new(Toy::default());
    toy.sessions.lock().unwrap().insert(b"key".to_vec(), b"session".to_vec());
    let shared = SharedSessions::new(toy, Duration::from_secs(60)).unwrap();
    assert_eq!(shared.find_blocking(b"key").as_deref(), Some(b"session".as_slice()));
}
