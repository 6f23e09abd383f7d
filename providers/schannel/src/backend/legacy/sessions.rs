//! The engine's sessions in the cache of the package.

use std::sync::Arc;

use legacy_tls::{Session, SessionStore, StoredSession};

use crate::backend::Settings;
use crate::session_cache::{Kind, Part, Value};

/// The longest chain of a peer that is kept with a session, in bytes: four times what honest ones have. It is the peer who
/// says how much stands behind its own certificate, and only the memory of all sessions together bounds it otherwise.
pub(crate) const LONGEST_CHAIN: usize = 16 << 10;

/// The sessions of a credential in one part of its space.
pub(super) struct Sessions {
    pub(super) settings: Arc<Settings>,
    pub(super) part: Part,
    /// They are a client's, and servers are judged here: what would be refused when the server takes it up is not offered.
    pub(super) judges_servers: bool,
}

impl SessionStore for Sessions {
    fn put(&self, key: &[u8], session: Arc<Session>) {
        let stored = session.store().ok();
        let length = |stored: &StoredSession| stored.certificates.iter().map(Vec::len).sum::<usize>();
        let Some(stored) = stored.filter(|stored| length(stored) <= LONGEST_CHAIN) else {
            return self.remove(key);
        };
        let StoredSession { body, certificates } = stored;
        self.settings.sessions.keep(self.part, key, Kind::Engine, session.created(), &body, certificates);
    }

    fn get(&self, key: &[u8], _now: u64) -> Option<Arc<Session>> {
        let entry = self.settings.sessions.get(self.part, key, Kind::Engine)?;
        let Value::Bytes { body, certificates } = &entry.value else { return None };
        let session = Session::restore(body, certificates).ok()?;
        if self.judges_servers {
            let name = session.server_name().unwrap_or_default();
            if self.settings.judge_again(certificates, name).is_err() {
                self.remove(key);
                return None;
            }
        }
        Some(Arc::new(session))
    }

    fn remove(&self, key: &[u8]) {
        self.settings.sessions.remove(self.part, key);
    }
}
