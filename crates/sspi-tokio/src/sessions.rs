//! Sessions that the machines of a server farm share: the seam for where they are, and the driver that asks there.
//!
//! A handshake never waits long for the store, and never fails because of it. A lookup that is late, or that fails, is
//! answered with "none", and the handshake is a full one. The first that is late or fails says that the store is down: from
//! then on nobody asks it, and in the background one lookup at a time tries whether it is back.

use core::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sspi_core::{
    CertificateIdentity, ClientCertificateRequest, Error, FoundAccount, PeerIdentity, SessionKey,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::{Answers, blocking};

/// Where sessions are that several machines share: Redis, or whatever they have in common.
///
/// A session is secret: whoever reads it reads the connections. A store that others can read seals it.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session under `key`, unless it is not there any more.
    ///
    /// # Errors
    /// The store cannot be asked. A value that cannot be read is none, and no error.
    async fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Keeps a session for so long.
    ///
    /// # Errors
    /// The store cannot be reached, or has no room.
    async fn put(&self, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()>;

    /// Forgets a session.
    ///
    /// # Errors
    /// The store cannot be reached.
    async fn remove(&self, key: &[u8]) -> io::Result<()>;
}

/// Asks a [`SessionStore`], within bounds.
///
/// It has a thread of its own, so that handshakes of any runtime, and blocking ones, can ask, and so that what is to be kept
/// is handed over without waiting.
#[derive(Clone)]
pub struct SharedSessions {
    work: mpsc::Sender<Work>,
    is_down: Arc<AtomicBool>,
}

enum Work {
    Get { key: Vec<u8>, answer: oneshot::Sender<Option<Vec<u8>>> },
    Put { key: Vec<u8>, session: Vec<u8>, lifetime: Duration },
    Remove { key: Vec<u8> },
}

/// What may wait for the store; more is not kept.
const MOST_WAITING: usize = 1024;
/// What the store is asked at once.
const MOST_AT_ONCE: usize = 256;
/// How long after the store was found down it is tried for the first time. Each time without success doubles it.
const FIRST_PROBE: Duration = Duration::from_millis(100);
/// It is tried at least so often.
const LAST_PROBE: Duration = Duration::from_secs(5);
/// A key that nobody has.
const PROBE: &[u8] = b"probe";

impl SharedSessions {
    /// Sessions in `store`, which answers a lookup within `deadline` or not at all.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn new(store: Arc<dyn SessionStore>, deadline: Duration) -> io::Result<Self> {
        let (this, works) = Self::channel();
        let is_down = Arc::clone(&this.is_down);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("opensspi-sessions".to_owned())
            .spawn(move || runtime.block_on(Server { store, deadline, is_down }.serve(works)))?;
        Ok(this)
    }

    fn channel() -> (Self, mpsc::Receiver<Work>) {
        let (work, works) = mpsc::channel(MOST_WAITING);
        (Self { work, is_down: Arc::default() }, works)
    }

    /// Whether the store was found down, and has not come back since.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// The session under `key`; `None` where there is none, where the store is down, or where it does not say in time.
    pub async fn find(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.ask(key)?.await.ok().flatten()
    }

    /// As [`find`](Self::find), outside a runtime.
    #[must_use]
    pub fn find_blocking(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.ask(key)?.blocking_recv().ok().flatten()
    }

    fn ask(&self, key: &[u8]) -> Option<oneshot::Receiver<Option<Vec<u8>>>> {
        if self.is_down() {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.work.try_send(Work::Get { key: key.to_vec(), answer }).ok()?;
        Some(answered)
    }

    /// Keeps a session for so long, if the store is there and has room. Does not wait.
    pub fn put(&self, key: Vec<u8>, session: Vec<u8>, lifetime: Duration) {
        self.hand_over(Work::Put { key, session, lifetime });
    }

    /// Forgets a session. Does not wait.
    pub fn remove(&self, key: Vec<u8>) {
        self.hand_over(Work::Remove { key });
    }

    fn hand_over(&self, work: Work) {
        if !self.is_down() {
            // Without room the session is just not shared.
            let _may_be_full = self.work.try_send(work);
        }
    }

    /// These answers, with sessions out of the store.
    #[must_use]
    pub fn answering(&self, answers: Arc<dyn Answers>) -> Arc<dyn Answers> {
        Arc::new(With { answers, sessions: self.clone() })
    }

    /// The same for blocking handshakes.
    #[must_use]
    pub fn answering_blocking(&self, answers: Arc<dyn blocking::Answers>) -> Arc<dyn blocking::Answers> {
        Arc::new(With { answers, sessions: self.clone() })
    }
}

impl fmt::Debug for SharedSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSessions").field("is_down", &self.is_down()).finish_non_exhaustive()
    }
}

/// Others' answers, and sessions.
struct With<A: ?Sized> {
    answers: Arc<A>,
    sessions: SharedSessions,
}

#[async_trait]
impl Answers for With<dyn Answers> {
    async fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.answers.client_certificate(request).await
    }

    async fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.answers.accounts(peer).await
    }

    async fn session(&self, key: &SessionKey) -> Option<Vec<u8>> {
        self.sessions.find(&key.0).await
    }
}

impl blocking::Answers for With<dyn blocking::Answers> {
    fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        self.answers.client_certificate(request)
    }

    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        self.answers.accounts(peer)
    }

    fn session(&self, key: &SessionKey) -> Option<Vec<u8>> {
        self.sessions.find_blocking(&key.0)
    }
}

/// The end that has the store.
#[derive(Clone)]
struct Server {
    store: Arc<dyn SessionStore>,
    deadline: Duration,
    is_down: Arc<AtomicBool>,
}

impl Server {
    /// Does the work, each in its turn begun, until nobody has any more.
    async fn serve(self, mut works: mpsc::Receiver<Work>) {
        let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
        while let Some(work) = works.recv().await {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let this = self.clone();
            tokio::spawn(async move {
                this.work(work).await;
                drop(permit);
            });
        }
    }

    async fn work(&self, work: Work) {
        // What came before the store was found down need not find it out again.
        if self.is_down.load(Ordering::Relaxed) {
            return;
        }
        match work {
            Work::Get { key, answer } => {
                let found = self.in_time(self.store.get(&key)).await.flatten();
                let _may_have_gone = answer.send(found);
            }
            Work::Put { key, session, lifetime } => {
                self.in_time(self.store.put(&key, &session, lifetime)).await;
            }
            Work::Remove { key } => {
                self.in_time(self.store.remove(&key)).await;
            }
        }
    }

    /// What the store says in time. If it does not, it is down.
    async fn in_time<T>(&self, said: impl Future<Output = io::Result<T>>) -> Option<T> {
        let why = match timeout(self.deadline, said).await {
            Ok(Ok(said)) => return Some(said),
            Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => {
                // It answers lookups nevertheless.
                info!(%error, "the session store has no room");
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.deadline),
        };
        if !self.is_down.swap(true, Ordering::Relaxed) {
            warn!(error = why, "the session store is down: sessions are not shared until it is back");
            tokio::spawn(self.clone().wait_for_it());
        }
        None
    }

    /// Tries the store now and then until it is back.
    async fn wait_for_it(self) {
        let mut pause = FIRST_PROBE;
        loop {
            sleep(pause).await;
            if matches!(timeout(self.deadline, self.store.get(PROBE)).await, Ok(Ok(_))) {
                self.is_down.store(false, Ordering::Relaxed);
                info!("the session store is back");
                return;
            }
            pause = LAST_PROBE.min(2 * pause);
        }
    }
}

#[cfg(test)]
mod tests;
