//! The keys of stateless tickets: those of a credential, for both engines.
//!
//! One key seals; the one before it opens what it sealed. A key seals for as long as a session lives and opens for as long
//! again, so a ticket is good for all of that time, whenever it was made, and what it protects is secret once both are gone.
//!
//! ```text
//! name    16   which key it is, a random number
//! nonce   12   random
//! sealed       the session, AES-256-GCM with name and purpose as additional data
//! tag     16
//! ```
//!
//! The [`Purpose`] does not stand in the ticket: whoever opens it says it again, so that no ticket is good for anything but
//! what it was made for.
//!
//! Spec: TICKET section 4.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use crypto::aead::{AeadAlgorithm, AeadKey, NONCE_LEN, TAG_LEN};
use crypto::random::{Random, RandomError};
use zeroize::Zeroizing;

use super::Settings;
use crate::session_cache::{Kind, Part};

const NAME: usize = 16;
/// With random nonces a key may seal that many times and no more. Spec: GCM section 8.3.
const MOST: u32 = u32::MAX;

/// Whose ticket it is, and among which of a credential's sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Purpose {
    pub(super) kind: Kind,
    pub(super) part: Part,
}

impl Purpose {
    /// What a ticket is bound to.
    fn bind(self, name: &[u8; NAME]) -> [u8; NAME + 1 + 8] {
        let mut bound = [0; NAME + 1 + 8];
        let bytes = name.iter().copied().chain([self.kind as u8]).chain(self.part.to_bytes());
        bound.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        bound
    }
}

/// The keys of a credential, made when they are first needed.
#[derive(Default)]
pub(crate) struct OwnTicketKeys(OnceLock<Arc<TicketKeys>>);

impl Settings {
    /// The keys of this credential's tickets.
    pub(super) fn ticket_keys(&self) -> Result<Arc<TicketKeys>, RandomError> {
        let OwnTicketKeys(keys) = &self.ticket_keys;
        if let Some(keys) = keys.get() {
            return Ok(Arc::clone(keys));
        }
        // Two threads may make them at once; the first one's are kept.
        let (random, sessions) = (&self.environment.random, &self.sessions);
        let made = TicketKeys::new(random, sessions.lifetime(), sessions.now())?;
        Ok(Arc::clone(keys.get_or_init(|| Arc::new(made))))
    }
}

/// Seals and opens tickets.
pub(super) struct TicketKeys {
    random: Arc<dyn Random>,
    /// How long a key seals, in seconds.
    lifetime: u64,
    keys: RwLock<Keys>,
}

struct Keys {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    name: [u8; NAME],
    key: AeadKey,
    /// In seconds since the Unix epoch.
    made: u64,
    sealed: AtomicU32,
}

impl Key {
    fn new(random: &dyn Random, now: u64) -> Result<Self, RandomError> {
        const ALGORITHM: AeadAlgorithm = AeadAlgorithm::Aes256Gcm;
        let mut name = [0; NAME];
        let mut bytes = Zeroizing::new([0; 32]);
        random.fill(&mut name)?;
        random.fill(bytes.as_mut_slice())?;
        let key = AeadKey::new(ALGORITHM, bytes.as_slice()).map_err(|_| RandomError)?;
        Ok(Self { name, key, made: now, sealed: AtomicU32::new(0) })
    }

    /// Counts a ticket; whether there may be one more.
    fn may_seal(&self) -> bool {
        let next = |sealed: u32| sealed.checked_add(1).filter(|sealed| *sealed < MOST);
        self.sealed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

impl TicketKeys {
    /// Keys that seal for `lifetime` seconds each, from `now` on, in seconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// There are no random numbers.
    pub(super) fn new(random: &Arc<dyn Random>, lifetime: u64, now: u64) -> Result<Self, RandomError> {
        let current = Key::new(random.as_ref(), now)?;
        let keys = RwLock::new(Keys { current, previous: None });
        Ok(Self { random: Arc::clone(random), lifetime: lifetime.max(1), keys })
    }

    /// A ticket with `plain` in it; `None` without random numbers, or if the key is used up.
    pub(super) fn seal(&self, purpose: Purpose, plain: &[u8], now: u64) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let keys = self.keys(now);
        let Key { name, key, .. } = Some(&keys.current).filter(|key| key.may_seal())?;
        let mut ticket = Vec::with_capacity(NAME + NONCE_LEN + plain.len() + TAG_LEN);
        ticket.extend_from_slice(name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(plain);
        let tag = key.seal_in_place(nonce, &purpose.bind(name), ticket.get_mut(NAME + NONCE_LEN..)?).ok()?;
        ticket.extend_from_slice(&tag);
        Some(ticket)
    }

    /// What is in a ticket; `None` if it is none of these keys', or was made for something else.
    pub(super) fn open(&self, purpose: Purpose, ticket: &[u8], now: u64) -> Option<Zeroizing<Vec<u8>>> {
        let (name, rest) = ticket.split_first_chunk::<NAME>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys(now);
        let mut all = [&keys.current].into_iter().chain(&keys.previous);
        let key = all.find(|key| key.name == *name)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let len = key.key.open_in_place(*nonce, &purpose.bind(name), &mut plain).ok()?;
        plain.truncate(len);
        Some(plain)
    }

    /// The keys of this time: a new one is made where it is due. Without random numbers all stays as it is, and the ages in the
    /// tickets decide.
    fn keys(&self, now: u64) -> RwLockReadGuard<'_, Keys> {
        let age_of = |keys: &Keys| now.saturating_sub(keys.current.made);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        if age_of(&keys) < self.lifetime {
            return keys;
        }
        drop(keys);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let age = age_of(&keys);
        if age >= self.lifetime
            && let Ok(key) = Key::new(self.random.as_ref(), now)
        {
            let before = core::mem::replace(&mut keys.current, key);
            // Whatever an older one sealed is too old itself.
            keys.previous = Some(before).filter(|_| age < 2 * self.lifetime);
        }
        drop(keys);
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl core::fmt::Debug for TicketKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TicketKeys").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crypto::random::SystemRandom;
    use sspi_core::SpProt;

    use super::*;
    use crate::backend::Verification;

    const HOURS: u64 = 3600;

    fn purpose() -> Purpose {
        Purpose { kind: Kind::Engine, part: Part::new(SpProt::TLS1_0, Verification::default()) }
    }

    fn keys(lifetime: u64) -> TicketKeys {
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        TicketKeys::new(&random, lifetime, 1000).unwrap()
    }

    #[test]
    fn a_ticket_opens_for_the_life_of_a_session_whenever_it_was_made() {
        let keys = keys(10 * HOURS);
        for made in (0..50).map(|hour| 1000 + hour * HOURS) {
            let ticket = keys.seal(purpose(), b"a session", made).unwrap();
            assert_eq!(keys.open(purpose(), &ticket, made).unwrap().as_slice(), b"a session");
        }
        for made in (60..110).map(|hour| 1000 + hour * HOURS + 1) {
            let keys = self::keys(10 * HOURS);
            let _before = keys.seal(purpose(), b"another", made - 7 * HOURS).unwrap();
            let ticket = keys.seal(purpose(), b"a session", made).unwrap();
            for later in (0..=10).map(|hour| made + hour * HOURS) {
                assert!(keys.open(purpose(), &ticket, later).is_some(), "made at {made}, {later}");
            }
        }
    }

    #[test]
    fn a_ticket_of_a_key_that_is_gone_does_not_open() {
        let keys = keys(10 * HOURS);
        let ticket = keys.seal(purpose(), b"a session", 1000).unwrap();
        assert!(keys.open(purpose(), &ticket, 1000 + 10 * HOURS).is_some(), "by the key before");
        assert!(keys.open(purpose(), &ticket, 1000 + 20 * HOURS).is_none());
        let ticket = keys.seal(purpose(), b"a session", 1000 + 21 * HOURS).unwrap();
        assert!(keys.open(purpose(), &ticket, 1000 + 41 * HOURS).is_none(), "nobody asked for two lifetimes");
    }

    #[test]
    fn a_clock_that_is_set_back_changes_no_key() {
        let keys = keys(10 * HOURS);
        let ticket = keys.seal(purpose(), b"a session", 1000).unwrap();
        assert!(keys.open(purpose(), &ticket, 0).is_some());
        let ticket = keys.seal(purpose(), b"a session", 0).unwrap();
        assert!(keys.open(purpose(), &ticket, 1000).is_some());
    }

    #[test]
    fn a_ticket_that_was_altered_in_any_byte_or_cut_does_not_open() {
        let keys = keys(10 * HOURS);
        let ticket = keys.seal(purpose(), b"a session", 1000).unwrap();
        for index in 0..ticket.len() {
            let mut altered = ticket.clone();
            altered[index] ^= 1;
            assert!(keys.open(purpose(), &altered, 1000).is_none(), "byte {index}");
            assert!(keys.open(purpose(), &ticket[..index], 1000).is_none(), "{index} bytes");
        }
        assert!(self::keys(10 * HOURS).open(purpose(), &ticket, 1000).is_none(), "another server's");
    }

    #[test]
    fn a_ticket_that_was_made_for_something_else_does_not_open() {
        let keys = keys(10 * HOURS);
        let ticket = keys.seal(purpose(), b"a session", 1000).unwrap();
        let manual = Verification { manual: true, ..Verification::default() };
        for other in [
            Purpose { kind: Kind::Rustls, ..purpose() },
            Purpose { part: Part::new(SpProt::TLS1_1, Verification::default()), ..purpose() },
            Purpose { part: Part::new(SpProt::TLS1_0, manual), ..purpose() },
        ] {
            assert!(keys.open(other, &ticket, 1000).is_none(), "{other:?}");
        }
        assert!(keys.open(purpose(), &ticket, 1000).is_some());
    }

    #[test]
    fn a_key_that_is_used_up_seals_no_more_until_the_next_one() {
        let keys = keys(10 * HOURS);
        keys.keys.write().unwrap().current.sealed = AtomicU32::new(MOST - 2);
        assert!(keys.seal(purpose(), b"the last", 1000).is_some());
        assert!(keys.seal(purpose(), b"one more", 1000).is_none());
        assert!(keys.seal(purpose(), b"one more", 1000 + 10 * HOURS).is_some());
    }
}
