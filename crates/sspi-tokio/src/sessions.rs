//! Sessions that the machines of a server farm share: the seam for where they are, and the driver that asks there.
//!
//! A handshake never waits long for the store, and never fails because of it. A lookup that is late, or that fails, is
//! answered with "none", and the handshake is a full one. The first that is late or fails says that the store is down: from
//! then on nobody asks it, and in the background one lookup at a time tries whether it is back.
//!
//! What is to be forgotten is not lost while the store is down or busy: it is remembered, within bounds, and the store
//! forgets it before anybody asks again.

use core::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc as blocking_mpsc};
use std::time::Duration;

use async_trait::async_trait;
use sspi_core::{
    CertificateIdentity, ClientCertificateRequest, DigestAccount, DigestLogon, Error, FoundAccount,
    LogonRequest, LogonVerdict, PeerIdentity, SessionKey,
};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};
use zeroize::Zeroizing;

use self::undone::Undone;
use crate::{Answers, blocking};

mod undone;

/// Where sessions are that several machines share: Redis, or whatever they have in common.
///
/// A session is secret: whoever reads it reads the connections. A store that others can read seals it. No call should hold up
/// its thread: all calls run there, and until it goes on the store is down.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// The session under `key`, unless it is not there any more.
    ///
    /// # Errors
    /// The store cannot be asked. A value that cannot be read is none, and no error.
    async fn get(&self, key: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>>;

    /// Keeps a session for so long. All that is one session has the same `group`, which is removed when the session ends,
    /// whatever key it is known by. A store that cannot find what belongs together lets the rest live.
    ///
    /// # Errors
    /// The store cannot be reached. [`io::ErrorKind::StorageFull`] says that it is there, and answers lookups, but keeps and
    /// forgets nothing now.
    async fn put(&self, key: &[u8], group: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()>;

    /// Keeps a session that was taken up once more for so long, and nothing where it is not kept any more: who removed it has
    /// the last word. Only sessions that are not to lie idle are renewed; a store that does not lets them end early.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    async fn renew(&self, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()> {
        let _unchanged = (key, session, lifetime);
        Ok(())
    }

    /// Forgets what is kept under `key`, and all whose group that is.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    async fn remove(&self, key: &[u8]) -> io::Result<()>;
}

/// Asks a [`SessionStore`], within bounds.
///
/// The store has a thread of its own, so that handshakes of any runtime, and blocking ones, can ask, and so that what is to be
/// kept is handed over without waiting. Deadlines have another: they hold whatever the store does with its thread, and whether
/// or not who asks has timers.
#[derive(Clone)]
pub struct SharedSessions {
    work: mpsc::Sender<Work>,
    state: Arc<State>,
    deadline: Duration,
    /// Whose timer strikes for who waits.
    timer: Handle,
}

/// What both ends know.
#[derive(Default)]
struct State {
    is_down: AtomicBool,
    /// The store is there, and does not write.
    is_full: AtomicBool,
    /// What the store has not forgotten yet, and should have.
    undone: Undone,
}

/// Who waits for a session. It is dropped where there is none.
type Asker = Box<dyn FnOnce(Option<Zeroizing<Vec<u8>>>) + Send>;

enum Work {
    Get {
        key: Vec<u8>,
        until: Instant,
        answer: Asker,
    },
    Put {
        key: Vec<u8>,
        group: Vec<u8>,
        session: Zeroizing<Vec<u8>>,
        lifetime: Duration,
    },
    Renew {
        key: Vec<u8>,
        session: Zeroizing<Vec<u8>>,
        lifetime: Duration,
    },
    Remove {
        key: Vec<u8>,
    },
    /// Somebody waited in vain.
    Late,
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
    /// Sessions in `store`, which answers a lookup within `deadline` or not at all. It is asked for something at once, so
    /// that it can connect.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn new(store: Arc<dyn SessionStore>, deadline: Duration) -> io::Result<Self> {
        let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let timer = Builder::new_current_thread().enable_time().build()?;
        let (this, works) = Self::channel(deadline, timer.handle().clone());
        let state = Arc::clone(&this.state);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // Ends with the store's thread, and that when nobody can ask any more.
        let (served, all_served) = oneshot::channel::<()>();
        thread("opensspi-timer").spawn(move || timer.block_on(all_served))?;
        thread("opensspi-sessions").spawn(move || {
            runtime.block_on(async {
                let first = Arc::clone(&store);
                // A store may have to be connected to, and the first who asks need not wait for it. What it says now is
                // nobody's business.
                tokio::spawn(async move { drop(first.get(PROBE).await) });
                Server { store, deadline, state }.serve(works).await;
            });
            drop(served);
        })?;
        Ok(this)
    }

    fn channel(deadline: Duration, timer: Handle) -> (Self, mpsc::Receiver<Work>) {
        let (work, works) = mpsc::channel(MOST_WAITING);
        (Self { work, state: Arc::default(), deadline, timer }, works)
    }

    /// Whether the store was found down, and has not come back since.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.state.is_down.load(Ordering::Relaxed)
    }

    /// The session under `key`; `None` where there is none, where the store is down, or where it does not say in time.
    pub async fn find(&self, key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (answer, answered) = oneshot::channel();
        let answer = move |session| drop(answer.send(session));
        let until = self.ask(key, Box::new(answer))?;
        let answered_in_time = {
            let _its_timer = self.timer.enter();
            timeout_at(until, answered)
        };
        match answered_in_time.await {
            Ok(session) => session.ok().flatten(),
            Err(_) => self.late(),
        }
    }

    /// As [`find`](Self::find), for one who may be held up so long. Whoever drives a runtime on this thread holds it up too.
    #[must_use]
    pub fn find_blocking(&self, key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (answer, answered) = blocking_mpsc::sync_channel(1);
        let answer = move |session| drop(answer.try_send(session));
        self.ask(key, Box::new(answer))?;
        match answered.recv_timeout(self.deadline) {
            Ok(session) => session,
            Err(blocking_mpsc::RecvTimeoutError::Timeout) => self.late(),
            Err(blocking_mpsc::RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Asks the store; until when it may answer.
    fn ask(&self, key: &[u8], answer: Asker) -> Option<Instant> {
        if self.is_down() {
            return None;
        }
        let until = Instant::now() + self.deadline;
        self.work.try_send(Work::Get { key: key.to_vec(), until, answer }).ok()?;
        Some(until)
    }

    /// The store has not answered, and perhaps does not even know that it is late. It is down, and hears of it when it can.
    fn late(&self) -> Option<Zeroizing<Vec<u8>>> {
        if !self.state.is_down.swap(true, Ordering::Relaxed) && self.work.try_send(Work::Late).is_err() {
            // Nobody would find out that it is back.
            self.state.is_down.store(false, Ordering::Relaxed);
        }
        None
    }

    /// Keeps a session of a group for so long, if the store is there and has room. Does not wait.
    pub fn put(&self, key: Vec<u8>, group: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        if !self.is_down() {
            // Without room the session is just not shared.
            let _may_be_full = self.work.try_send(Work::Put { key, group, session, lifetime });
        }
    }

    /// Keeps a session that was taken up for so long, unless somebody has removed it. Does not wait.
    pub fn renew(&self, key: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        if !self.is_down() {
            let _may_be_full = self.work.try_send(Work::Renew { key, session, lifetime });
        }
    }

    /// Forgets a session, or all of a group. Does not wait: where the store cannot be told now it is told before anybody asks it again, or when
    /// it has less to do.
    pub fn remove(&self, key: Vec<u8>) {
        let Some(key) = self.state.undone.add_if(key, || self.is_down()) else { return };
        if let Err(unsent) = self.work.try_send(Work::Remove { key })
            && let Work::Remove { key } = unsent.into_inner()
        {
            self.state.undone.add(key);
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

    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.answers.digest_secret(logon).await
    }

    async fn session(&self, key: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
        self.sessions.find(&key.0).await
    }

    async fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.answers.logon(request).await
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

    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        self.answers.digest_secret(logon)
    }

    fn session(&self, key: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
        self.sessions.find_blocking(&key.0)
    }

    fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        self.answers.logon(request)
    }
}

/// The end that has the store.
#[derive(Clone)]
struct Server {
    store: Arc<dyn SessionStore>,
    deadline: Duration,
    state: Arc<State>,
}

impl Server {
    /// Does the work, each in its turn begun, until nobody has any more.
    async fn serve(self, mut works: mpsc::Receiver<Work>) {
        let room = Arc::new(Semaphore::new(MOST_AT_ONCE));
        while let Some(work) = works.recv().await {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let this = self.clone();
            // What is undone came after everything that waits.
            let has_time = works.is_empty();
            tokio::spawn(async move {
                this.work(work).await;
                if has_time {
                    this.catch_up().await;
                }
                drop(permit);
            });
        }
    }

    async fn work(&self, work: Work) {
        // What came before the store was found down need not find it out again.
        let is_down = self.is_down();
        match work {
            Work::Get { key, until, answer } => {
                // Nobody waits any more for what waited too long here.
                if !is_down && Instant::now() < until {
                    answer(self.in_time(until, self.store.get(&key)).await.flatten());
                }
            }
            Work::Put { key, group, session, lifetime } => {
                if !is_down {
                    self.written(self.store.put(&key, &group, &session, lifetime)).await;
                }
            }
            Work::Renew { key, session, lifetime } => {
                if !is_down {
                    self.written(self.store.renew(&key, &session, lifetime)).await;
                }
            }
            Work::Remove { key } => {
                // Remembered first: the store may fail in any way.
                self.state.undone.add(key.clone());
                if !self.is_down() && self.written(self.store.remove(&key)).await {
                    self.state.undone.done(&key);
                }
            }
            Work::Late => self.down(&self.too_late()),
        }
    }

    /// Lets the store forget some of what it should have forgotten.
    async fn catch_up(&self) {
        for key in self.state.undone.some(MOST_AT_ONCE) {
            if self.is_down() || !self.written(self.store.remove(&key)).await {
                return;
            }
            self.state.undone.done(&key);
        }
    }

    fn is_down(&self) -> bool {
        self.state.is_down.load(Ordering::Relaxed)
    }

    /// Whether the store has written in time.
    async fn written(&self, said: impl Future<Output = io::Result<()>>) -> bool {
        let written = self.in_time(Instant::now() + self.deadline, said).await.is_some();
        if written && self.state.is_full.swap(false, Ordering::Relaxed) {
            info!("the session store keeps sessions again");
        }
        written
    }

    /// What the store says in time. If it does not, it is down.
    async fn in_time<T>(&self, until: Instant, said: impl Future<Output = io::Result<T>>) -> Option<T> {
        let why = match timeout_at(until, said).await {
            Ok(Ok(said)) => return Some(said),
            Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => {
                self.full(&error);
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => self.too_late(),
        };
        if !self.state.is_down.swap(true, Ordering::Relaxed) {
            self.down(&why);
        }
        None
    }

    fn too_late(&self) -> String {
        format!("no answer within {:?}", self.deadline)
    }

    /// It has just been found down.
    fn down(&self, why: &str) {
        warn!(error = why, "the session store is down: sessions are not shared until it is back");
        tokio::spawn(self.clone().wait_for_it());
    }

    /// It answers lookups nevertheless. Said once, until it writes again.
    fn full(&self, error: &io::Error) {
        if !self.state.is_full.swap(true, Ordering::Relaxed) {
            warn!(%error, "the session store keeps nothing more");
        }
    }

    /// Tries the store now and then until it is back.
    async fn wait_for_it(self) {
        let mut pause = FIRST_PROBE;
        loop {
            sleep(pause).await;
            if self.is_back().await {
                info!("the session store is back");
                return;
            }
            pause = LAST_PROBE.min(2 * pause);
        }
    }

    /// Whether the store answers, and has forgotten what it should have.
    async fn is_back(&self) -> bool {
        let store = Arc::clone(&self.store);
        if self.tried(async move { store.get(PROBE).await }).await.is_err() {
            return false;
        }
        loop {
            let up = || self.state.is_down.store(false, Ordering::Relaxed);
            let some = self.state.undone.some_or(MOST_AT_ONCE, up);
            if some.is_empty() {
                return true;
            }
            for key in some {
                let (store, to_remove) = (Arc::clone(&self.store), key.clone());
                match self.tried(async move { store.remove(&to_remove).await }).await {
                    Ok(()) => self.state.undone.done(&key),
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                        // No use to wait for one that only reads; what it does not forget is tried now and then.
                        self.full(&error);
                        up();
                        return true;
                    }
                    Err(_) => return false,
                }
            }
        }
    }

    /// What the store says in time, even if it panics.
    async fn tried<T: Send + 'static>(
        &self,
        said: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        // Dropped, it ends what still runs.
        let mut task = JoinSet::new();
        task.spawn(said);
        match timeout(self.deadline, task.join_next()).await {
            Ok(Some(Ok(said))) => said,
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Ok(None) | Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

#[cfg(test)]
mod tests;
