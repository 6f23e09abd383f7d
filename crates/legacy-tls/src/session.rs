//! Sessions that can be resumed, and where they are kept.

mod stored;
mod ticket;

use std::collections::{HashMap, VecDeque};
use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::{Zeroize, ZeroizeOnDrop};

pub use self::stored::StoredSession;
pub use self::ticket::{OpenedTicket, SessionTickets, Ticket};
use crate::config::{ClientConfig, ServerConfig};
use crate::pct1::handshake::Parameters;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::versions::ProtocolVersion;

/// The master secret: 48 bytes, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct MasterSecret(pub(crate) [u8; 48]);

/// What a later handshake can take up again.
pub struct Session {
    pub(crate) id: Vec<u8>,
    /// Client: what the server keeps of the session with us, if it does.
    pub(crate) ticket: Vec<u8>,
    /// Client: when the server thinks the ticket has had its time, in seconds since the Unix epoch, if it says so.
    pub(crate) ticket_expires: Option<u64>,
    pub(crate) version: ProtocolVersion,
    pub(crate) suite: CipherSuite,
    pub(crate) master_secret: MasterSecret,
    pub(crate) extended_master_secret: bool,
    pub(crate) peer_chain: Vec<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    pub(crate) created: u64,
    /// What PCT keeps beside.
    pub(crate) pct1: Option<Box<Parameters>>,
}

impl Session {
    /// The identifier, at most 32 bytes: on the wire, or that of a server's session which its client keeps as a ticket, 32 random
    /// bytes that nobody is told. A client that has a ticket has none.
    #[must_use]
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// The protocol version; no other resumes the session.
    #[must_use]
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// The cipher suite; no other resumes the session.
    #[must_use]
    pub const fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// What the peer showed when it was made, leaf first, each in DER.
    #[must_use]
    pub fn peer_chain(&self) -> &[Vec<u8>] {
        &self.peer_chain
    }

    /// The name that the client wanted its server to have.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// When it was made, in seconds since the Unix epoch.
    #[must_use]
    pub const fn created(&self) -> u64 {
        self.created
    }

    /// Client: whether its ticket has had the time that the server gave it.
    #[must_use]
    pub fn has_expired(&self, now: u64) -> bool {
        self.ticket_expires.is_some_and(|expires| now > expires)
    }
}

impl Debug for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("version", &self.version)
            .field("suite", &self.suite)
            .finish_non_exhaustive()
    }
}

/// Keeps sessions. A server looks them up by their identifier, a client by whom it talks to.
pub trait SessionStore: Send + Sync {
    /// Keeps `session` under `key`, in place of what was there.
    fn put(&self, key: &[u8], session: Arc<Session>);

    /// The session under `key`, unless it is too old.
    fn get(&self, key: &[u8], now: u64) -> Option<Arc<Session>>;

    /// Forgets the session under `key`.
    fn remove(&self, key: &[u8]);

    /// Server: what makes tickets for clients that can keep their sessions themselves; `None`: sessions are kept here only.
    fn tickets(&self) -> Option<&dyn SessionTickets> {
        None
    }
}

/// A role's configuration, as far as sessions go.
pub(crate) trait KeepsSessions {
    /// Where they are kept.
    fn sessions(&self) -> &dyn SessionStore;
}

impl KeepsSessions for ClientConfig {
    fn sessions(&self) -> &dyn SessionStore {
        self.sessions.as_ref()
    }
}

impl KeepsSessions for ServerConfig {
    fn sessions(&self) -> &dyn SessionStore {
        self.sessions.as_ref()
    }
}

/// The longest chain of a peer that is kept with a session, in bytes: four times what honest ones have. It is the peer who
/// says how much stands behind its own certificate, and only the memory of all sessions together bounds it otherwise.
const LONGEST_CHAIN: usize = 16 << 10;

/// Sessions in memory, at most so many, the oldest forgotten first. One whose peer showed a chain of more than 16 KiB is not
/// kept.
pub struct MemorySessions {
    capacity: usize,
    lifetime: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Vec<u8>, Arc<Session>>,
    /// Keys in the order in which they came; one that was removed or replaced may still stand here.
    order: VecDeque<Vec<u8>>,
}

impl MemorySessions {
    /// Room for `capacity` sessions, each usable for `lifetime` seconds.
    #[must_use]
    pub fn new(capacity: usize, lifetime: u64) -> Self {
        Self { capacity, lifetime, kept: Mutex::default() }
    }
}

impl SessionStore for MemorySessions {
    fn put(&self, key: &[u8], session: Arc<Session>) {
        if self.capacity == 0 || session.peer_chain.iter().map(Vec::len).sum::<usize>() > LONGEST_CHAIN {
            return self.remove(key);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.sessions.insert(key.to_vec(), session).is_none() {
            kept.order.push_back(key.to_vec());
        }
        while kept.order.len() > self.capacity {
            if let Some(oldest) = kept.order.pop_front() {
                kept.sessions.remove(&oldest);
            }
        }
    }

    fn get(&self, key: &[u8], now: u64) -> Option<Arc<Session>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let session = kept.sessions.get(key)?;
        // A clock that was set back makes no session younger than it is.
        if now < session.created || now - session.created > self.lifetime {
            kept.sessions.remove(key);
            kept.order.retain(|k| k != key);
            return None;
        }
        Some(Arc::clone(session))
    }

    fn remove(&self, key: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.sessions.remove(key).is_some() {
            kept.order.retain(|k| k != key);
        }
    }
}

impl Debug for MemorySessions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySessions").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(created: u64) -> Arc<Session> {
        with_chain(created, Vec::new())
    }

    fn with_chain(created: u64, peer_chain: Vec<Vec<u8>>) -> Arc<Session> {
        Arc::new(Session {
            id: vec![1],
            ticket: Vec::new(),
            ticket_expires: None,
            version: ProtocolVersion::TLS10,
            suite: CipherSuite(0x002f),
            master_secret: MasterSecret([0; 48]),
            extended_master_secret: false,
            peer_chain,
            server_name: None,
            created,
            pct1: None,
        })
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_the_bound_holds() {
        let sessions = MemorySessions::new(3, 100);
        for key in 0..10u8 {
            sessions.put(&[key], session(0));
            sessions.put(&[key], session(0));
        }
        for key in 0..10u8 {
            assert_eq!(sessions.get(&[key], 0).is_some(), key >= 7, "{key}");
        }
    }

    #[test]
    fn an_old_session_is_gone_and_leaves_room() {
        let sessions = MemorySessions::new(2, 100);
        sessions.put(b"a", session(1000));
        assert!(sessions.get(b"a", 1100).is_some());
        assert!(sessions.get(b"a", 1101).is_none());
        assert!(sessions.get(b"a", 1000).is_none());
        sessions.put(b"b", session(1000));
        assert!(sessions.get(b"b", 999).is_none(), "made in the future");
    }

    #[test]
    fn what_is_removed_is_not_found() {
        let sessions = MemorySessions::new(2, 100);
        sessions.put(b"a", session(0));
        sessions.remove(b"a");
        assert!(sessions.get(b"a", 0).is_none());
    }

    #[test]
    fn a_chain_that_is_longer_than_any_honest_one_is_not_kept() {
        let sessions = MemorySessions::new(2, 100);
        sessions.put(b"a", with_chain(0, vec![vec![0; LONGEST_CHAIN - 1], vec![0]]));
        assert!(sessions.get(b"a", 0).is_some());
        sessions.put(b"a", with_chain(0, vec![vec![0; LONGEST_CHAIN], vec![0]]));
        assert!(sessions.get(b"a", 0).is_none(), "nor is what it would have taken the place of");
    }

    #[test]
    fn no_capacity_keeps_nothing() {
        let sessions = MemorySessions::new(0, 100);
        sessions.put(b"a", session(0));
        assert!(sessions.get(b"a", 0).is_none());
    }
}
