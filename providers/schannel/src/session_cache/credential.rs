//! The cache as a credential sees it: its own sessions, and those that other machines share with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use sspi_core::{Clock, SpProt};
use zeroize::Zeroizing;

use super::farm::{Farm, Shared};
use super::{Chain, Entry, Limits, SessionCache, Space, Value, asked};
use crate::backend::Verification;
use crate::config::Protocol;

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The engine's.
    Engine = 1,
    /// rustls's, of a server.
    Rustls = 2,
    /// rustls's, of a client: all that it has of one server.
    RustlsClient = 3,
    /// The number of a session that is not taken up any more, by whatever identifier or ticket; or the identifier of a shared one.
    Withdrawn = 4,
}

impl Kind {
    pub(super) const fn of(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Engine),
            2 => Some(Self::Rustls),
            _ => None,
        }
    }
}

/// What must not be mixed among the sessions of a credential: the protocols that were allowed, and who judged the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part(pub(super) u64);

impl Part {
    const MANUAL: u64 = 1 << 32;
    const MUTUAL: u64 = 1 << 33;
    const RUSTLS: u64 = 1 << 34;

    pub(crate) fn new(protocols: SpProt, verification: Verification) -> Self {
        let flag = |set, flag| if set { flag } else { 0 };
        let flags = flag(verification.manual, Self::MANUAL) | flag(verification.mutual, Self::MUTUAL);
        // Whichever role was asked for: what counts is what can be spoken.
        let has = |protocol: &Protocol| !protocol.bits().intersection(protocols).is_empty();
        let spoken = Protocol::ALL.iter().enumerate().map(|(bit, protocol)| flag(has(protocol), 1 << bit));
        Self(spoken.fold(flags, |all, bit| all | bit))
    }

    /// What stands for it where it must be bytes.
    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Of a client, whose sessions with rustls are not those with the engine.
    pub(crate) const fn of_rustls(self) -> Self {
        Self(self.0 | Self::RUSTLS)
    }
}

/// A credential's sessions.
pub(crate) struct CredentialSessions {
    cache: Arc<SessionCache>,
    credential: u64,
    clock: Arc<dyn Clock>,
    farm: Option<Farm>,
    /// Those of the cache, or narrower.
    limits: Limits,
    /// The credential is gone.
    closed: AtomicBool,
}

impl CredentialSessions {
    /// For a credential whose sessions live for so long, if that is less than those of the cache do.
    pub(crate) fn new(
        cache: &Arc<SessionCache>,
        clock: &Arc<dyn Clock>,
        farm: Option<Farm>,
        lifetime: Option<Duration>,
    ) -> Self {
        let limits = *cache.limits();
        let lifetime = lifetime.map_or(limits.lifetime, |lifetime| lifetime.as_secs().min(limits.lifetime));
        Self {
            limits: Limits { lifetime, ..limits },
            credential: cache.new_credential(),
            cache: Arc::clone(cache),
            clock: Arc::clone(clock),
            farm,
            closed: AtomicBool::new(false),
        }
    }

    /// The time, in seconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Whether a session that was made then, and last used then, can be taken up now.
    pub(crate) fn allow(&self, created: u64, used: u64) -> bool {
        self.limits.allow(created, used, self.now())
    }

    /// How long a session that was made then still lives, in seconds.
    pub(crate) fn left(&self, created: u64) -> u64 {
        self.limits.lifetime.saturating_sub(self.now().saturating_sub(created))
    }

    /// Whether a session must be taken up now and then to stay.
    pub(crate) const fn may_not_idle(&self) -> bool {
        self.limits.idle.is_some()
    }

    /// How long a session lives, in seconds.
    pub(crate) fn lifetime(&self) -> u64 {
        self.limits.lifetime
    }

    const fn space(&self, part: Part) -> Space {
        Space { credential: self.credential, part: part.0 }
    }

    fn put(&self, part: Part, id: &[u8], entry: Arc<Entry>) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        self.cache.put(self.space(part), id, entry, self.now());
        // The credential may have gone in between.
        if self.closed.load(Ordering::Acquire) {
            self.cache.forget_credential(self.credential);
        }
    }

    /// Keeps a session: where it is shared, or here if it is not. What the others say of one counts, so nothing is here that
    /// they were not asked for. All that is one session has the same group.
    pub(crate) fn keep(
        &self,
        part: Part,
        [id, group]: [&[u8]; 2],
        kind: Kind,
        created: u64,
        body: &[u8],
        certificates: Vec<Vec<u8>>,
    ) {
        let value =
            Value::Bytes { body: Zeroizing::new(body.into()), certificates: self.cache.chain(certificates) };
        let entry = Arc::new(Entry { created, kind: kind as u8, value });
        match &self.farm {
            // A connection that went on with it may have failed.
            Some(_) if self.is_withdrawn(part, id) || self.is_withdrawn(part, group) => {}
            Some(farm) => farm.put(part, [id, group], &entry, &self.limits, self.now()),
            None => self.put(part, id, entry),
        }
    }

    /// Keeps what cannot be looked into.
    pub(crate) fn keep_opaque(
        &self,
        part: Part,
        id: &[u8],
        kind: Kind,
        value: Arc<dyn std::any::Any + Send + Sync>,
    ) {
        let entry = Entry { created: self.now(), kind: kind as u8, value: Value::Opaque(value) };
        self.put(part, id, Arc::new(entry));
    }

    /// Whether a session may be here: what others share, only if they were asked for it in this handshake.
    fn was_asked_for(&self, part: Part, id: &[u8]) -> bool {
        !self.are_shared() || asked::is(part, id)
    }

    /// The session of this identifier and kind, unless it is too old. What others share is taken up once for each time that
    /// they were asked for it.
    pub(crate) fn get(&self, part: Part, id: &[u8], kind: Kind) -> Option<Arc<Entry>> {
        let entry = self.look(part, id, kind).filter(|_| self.was_asked_for(part, id))?;
        if let Some(farm) = &self.farm {
            self.cache.remove(self.space(part), id);
            farm.used(part, id, &entry, &self.limits, self.now());
        }
        Some(entry)
    }

    fn look(&self, part: Part, id: &[u8], kind: Kind) -> Option<Arc<Entry>> {
        let now = self.now();
        self.cache.get(self.space(part), id, now).filter(|entry| self.is_usable(entry, kind, now))
    }

    fn is_usable(&self, entry: &Entry, kind: Kind, now: u64) -> bool {
        entry.kind == kind as u8 && self.limits.is_young(entry.created, now)
    }

    /// The same, and it is not kept any more, here or anywhere.
    pub(crate) fn take(&self, part: Part, id: &[u8], kind: Kind) -> Option<Arc<Entry>> {
        let now = self.now();
        if !self.was_asked_for(part, id) {
            return None;
        }
        let entry = self.cache.take(self.space(part), id, now)?;
        self.remove_shared(part, id);
        Some(entry).filter(|entry| self.is_usable(entry, kind, now))
    }

    /// Forgets a session, here and where it is shared. Whoever has [set it aside](Self::set_aside) does not bring it back.
    pub(crate) fn remove(&self, part: Part, id: &[u8]) {
        self.remove_shared(part, id);
        let space = self.space(part);
        if !self.are_shared() {
            self.cache.unmark(space, id);
        }
        self.cache.remove(space, id);
    }

    /// Keeps a session from being taken up until it is brought back.
    fn set_aside(&self, part: Part, id: &[u8]) -> Aside {
        self.remove_shared(part, id);
        let entry = self.cache.remove(self.space(part), id);
        Aside { entry, mark: self.withdraw(part, id) }
    }

    /// Brings back a session that was set aside: unless it failed since, somebody else has set it aside too, or there is
    /// another one in its place. Those that are shared do not come back: they lie in no memory of ours.
    fn bring_back(&self, part: Part, id: &[u8], Aside { entry, mark }: Aside) {
        if self.are_shared() || !self.is_marked(part, id, &mark) {
            return;
        }
        let space = self.space(part);
        let brought = entry.filter(|_| self.cache.get(space, id, self.now()).is_none());
        let is_back = brought.is_some();
        if let Some(entry) = brought {
            self.put(part, id, entry);
        }
        // It may have failed this very moment.
        if !self.restore(part, id, &mark) && is_back {
            self.cache.remove(space, id);
        }
    }

    /// Whether and when the others forget it, nobody says: here it is not taken up again in any case.
    fn remove_shared(&self, part: Part, id: &[u8]) {
        if let Some(farm) = &self.farm {
            self.withdraw(part, id);
            farm.remove(part, id);
        }
    }

    /// Under what other machines share a session; `None` where they do not.
    pub(crate) fn shared_key(&self, part: Part, id: &[u8]) -> Option<Vec<u8>> {
        self.farm.as_ref().map(|farm| farm.key(part, id))
    }

    /// Whether sessions are shared.
    pub(crate) const fn are_shared(&self) -> bool {
        self.farm.is_some()
    }

    /// What the others have under an identifier takes the place of what is here. What they do not have is not taken up here
    /// either: one of them may have seen it fail. Nor is what failed here, if they have not heard of it.
    ///
    /// Whether there is one now.
    pub(crate) fn found(&self, part: Part, id: &[u8], value: Option<&[u8]>) -> bool {
        let shared = value.filter(|_| !self.is_withdrawn(part, id));
        let shared = shared.and_then(|value| Shared::read(value).ok());
        let Some(Shared { kind, created, used, body, certificates }) = shared else {
            self.cache.remove(self.space(part), id);
            return false;
        };
        // Clocks differ a little. What another machine has just made is not from the future.
        let now = self.now();
        let [created, used] =
            [created, used].map(|then| if then <= now + CLOCKS_DIFFER { then.min(now) } else { then });
        if !self.allow(created, used) {
            self.cache.remove(self.space(part), id);
            return false;
        }
        let value =
            Value::Bytes { body: Zeroizing::new(body.into()), certificates: self.cache.chain(certificates) };
        self.put(part, id, Arc::new(Entry { created, kind: kind as u8, value }));
        true
    }

    /// The one copy of these certificates that sessions share.
    pub(crate) fn share(&self, certificates: Arc<Chain>) -> Arc<Chain> {
        self.cache.share(certificates)
    }

    /// Whether the session with this number, or with this identifier that is shared, is not taken up any more.
    pub(crate) fn is_withdrawn(&self, part: Part, serial: &[u8]) -> bool {
        self.withdrawn(part, serial).is_some()
    }

    fn withdrawn(&self, part: Part, serial: &[u8]) -> Option<Arc<Entry>> {
        self.cache.withdrawn().get(self.space(part), serial, self.now())
    }

    /// Whether it is this mark that keeps a session from being taken up.
    fn is_marked(&self, part: Part, id: &[u8], mark: &Arc<Entry>) -> bool {
        self.withdrawn(part, id).is_some_and(|current| Arc::ptr_eq(&current, mark))
    }

    /// Takes up the session with this number no more; what undoes it.
    pub(crate) fn withdraw(&self, part: Part, serial: &[u8]) -> Arc<Entry> {
        let (now, value) = (self.now(), Value::Opaque(Arc::new(())));
        let entry = Arc::new(Entry { created: now, kind: Kind::Withdrawn as u8, value });
        if !self.closed.load(Ordering::Acquire) {
            self.cache.withdrawn().put(self.space(part), serial, Arc::clone(&entry), now);
        }
        entry
    }

    /// The same, on all machines that share it.
    fn end(&self, part: Part, serial: &[u8]) -> Arc<Entry> {
        if let Some(farm) = &self.farm {
            farm.remove(part, serial);
        }
        self.withdraw(part, serial)
    }

    /// Takes it up again, unless somebody else has withdrawn it since. Whether it does.
    fn restore(&self, part: Part, serial: &[u8], withdrawn: &Arc<Entry>) -> bool {
        self.cache.withdrawn().remove_this(self.space(part), serial, withdrawn)
    }

    /// Forgets all of them: the credential is gone. Contexts that outlive it keep no more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.cache.forget_credential(self.credential);
    }
}

/// By how many seconds the clocks of a farm's machines may differ.
const CLOCKS_DIFFER: u64 = 60;

/// The sessions of one connection, where they are kept.
pub(crate) struct Kept {
    sessions: Arc<CredentialSessions>,
    part: Part,
    state: Mutex<KeptState>,
    /// Those of the handshake before on the same connection: they end with it as well.
    before: OnceLock<Arc<Self>>,
}

#[derive(Default)]
struct KeptState {
    ids: Vec<Vec<u8>>,
    /// The number of the session, where it has one.
    serial: Option<[u8; 16]>,
    /// The application wants no reconnects: what was kept until then.
    withdrawn: Option<Withdrawn>,
    forgotten: bool,
}

struct Withdrawn {
    sessions: Vec<(Vec<u8>, Aside)>,
    /// What stands for the number of the session.
    serial: Option<Arc<Entry>>,
}

/// A session that is not taken up for now.
struct Aside {
    /// What was kept.
    entry: Option<Arc<Entry>>,
    /// What stands for it: as long as it does, nobody has heard of a failure.
    mark: Arc<Entry>,
}

impl Kept {
    pub(crate) fn new(
        sessions: &Arc<CredentialSessions>,
        part: Part,
        ids: Vec<Vec<u8>>,
        serial: Option<&[u8; 16]>,
    ) -> Self {
        let state = Mutex::new(KeptState { ids, serial: serial.copied(), ..KeptState::default() });
        Self { sessions: Arc::clone(sessions), part, state, before: OnceLock::new() }
    }

    /// The connection had other sessions before. What the application wants of them, it wants of these; and what stands
    /// under the same identifier now is one of these.
    pub(crate) fn follows(&self, before: Option<Arc<Self>>) {
        let Some(before) = before else { return };
        let withdrawn = {
            let mut older = before.state();
            let ids = &self.state().ids;
            older.ids.retain(|id| !ids.contains(id));
            older.withdrawn.is_some()
        };
        let _the_first_stays = self.before.set(before);
        if withdrawn {
            self.allow_reconnects(false);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, KeptState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets them: a connection that ended with a fatal alert, ours or the peer's, is not taken up again.
    ///
    /// Spec: TLS12 section 7.2.2.
    pub(crate) fn forget(&self) {
        let mut state = self.state();
        state.forgotten = true;
        state.withdrawn = None;
        if let Some(serial) = state.serial.take() {
            self.sessions.end(self.part, &serial);
        }
        for id in core::mem::take(&mut state.ids) {
            self.sessions.remove(self.part, &id);
        }
        drop(state);
        // As many at most as a connection has handshakes.
        if let Some(before) = self.before.get() {
            before.forget();
        }
    }

    /// Whether more of them may be kept.
    pub(crate) fn is_open(&self) -> bool {
        let state = self.state();
        !state.forgotten && state.withdrawn.is_none()
    }

    /// Allows or forbids that this connection's sessions are taken up again (`SCHANNEL_SESSION_TOKEN`).
    pub(crate) fn allow_reconnects(&self, allowed: bool) {
        if let Some(before) = self.before.get() {
            before.allow_reconnects(allowed);
        }
        let mut state = self.state();
        if state.forgotten {
            return;
        }
        match (allowed, state.withdrawn.take()) {
            (false, None) => {
                let withdraw = |serial: &[u8; 16]| self.sessions.end(self.part, serial);
                let serial = state.serial.as_ref().map(withdraw);
                let set_aside = |id: &Vec<u8>| (id.clone(), self.sessions.set_aside(self.part, id));
                let sessions = state.ids.iter().map(set_aside).collect();
                state.withdrawn = Some(Withdrawn { sessions, serial });
            }
            (false, withdrawn) => state.withdrawn = withdrawn,
            (true, None) => {}
            (true, Some(Withdrawn { sessions, serial: withdrawn })) => {
                if let (Some(serial), Some(withdrawn)) = (&state.serial, withdrawn) {
                    self.sessions.restore(self.part, serial, &withdrawn);
                }
                for (id, aside) in sessions {
                    self.sessions.bring_back(self.part, &id, aside);
                }
            }
        }
    }
}
