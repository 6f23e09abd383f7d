//! Nonces: made without being remembered, recognised by their MAC, and counted once they were used.
//!
//! ```text
//! nonce       time 8 (milliseconds since 1970, big-endian) · random 12 · MAC 16, as 72 hexadecimal digits
//! MAC         the first half of HMAC-SHA-256 over time, random, dialect, opaque and realm
//! ```
//!
//! There is no secret in a nonce. A server makes one for whoever asks and keeps nothing: only one with which somebody has
//! proved to know a secret is entered in a table, so that nobody else can fill it.
//!
//! Spec: DIGEST (RFC 7616) sections 3.3 and 5.4.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crypto::constant_time::ct_eq;
use crypto::hash::{Digest, Hash};
use crypto::mac::HmacKey;
use crypto::random::{Random, RandomError};
use zeroize::Zeroizing;

use crate::challenge::Dialect;
use crate::text::{Text, from_hex, hex};

/// Length of the time and the random part, in bytes.
const STAMP: usize = 20;

/// Length of the MAC, in bytes.
const MAC: usize = 16;

/// By what a nonce of ours is known: its time and its random part.
pub(crate) type NonceId = [u8; STAMP];

/// Makes nonces and recognises them.
pub(crate) struct Mint {
    key: HmacKey,
}

/// A nonce, and what comes back with it.
#[derive(Clone, Debug)]
pub(crate) struct Minted {
    pub(crate) id: NonceId,
    pub(crate) nonce: Text,
    /// Of HTTP.
    pub(crate) opaque: Text,
}

impl Mint {
    /// With a key of its own.
    pub(crate) fn new(random: &dyn Random) -> Result<Self, RandomError> {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(key.as_mut())?;
        Ok(Self { key: HmacKey::new(Hash::Sha256, key.as_ref()) })
    }

    /// A nonce of this moment.
    pub(crate) fn mint(
        &self,
        dialect: Dialect,
        realm: &str,
        now: SystemTime,
        random: &dyn Random,
    ) -> Result<Minted, RandomError> {
        let mut opaque = [0; 16];
        random.fill(&mut opaque)?;
        let opaque = match dialect {
            Dialect::Http => Text::from(hex(&opaque).as_str()),
            Dialect::Sasl => Text::default(),
        };
        self.mint_with(opaque, dialect, realm, now, random)
    }

    /// The same for a client that has an opaque already, and keeps it.
    pub(crate) fn mint_with(
        &self,
        opaque: Text,
        dialect: Dialect,
        realm: &str,
        now: SystemTime,
        random: &dyn Random,
    ) -> Result<Minted, RandomError> {
        let mut fresh = [0; STAMP - 8];
        random.fill(&mut fresh)?;
        let mut stamp = NonceId::default();
        let parts = milliseconds(now).to_be_bytes().into_iter().chain(fresh);
        stamp.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        let mac = self.mac(&stamp, dialect, &opaque, realm);
        let mac = mac.as_ref().get(..MAC).unwrap_or_default();
        Ok(Minted { id: stamp, nonce: Text::from(hex(&[&stamp[..], mac].concat()).as_str()), opaque })
    }

    fn mac(&self, stamp: &[u8], dialect: Dialect, opaque: &[u8], realm: &str) -> Digest {
        let dialect: &[u8] = match dialect {
            Dialect::Http => b"http",
            Dialect::Sasl => b"sasl",
        };
        // The time and the random part have one length, and neither the dialect nor the opaque has a zero in it.
        self.key.sign_parts([stamp, dialect, b"\0", opaque, b"\0", realm.as_bytes()])
    }

    /// Whether this is a nonce of ours for this realm, with what came back with it.
    pub(crate) fn recognise(
        &self,
        nonce: &[u8],
        dialect: Dialect,
        opaque: &[u8],
        realm: &str,
    ) -> Option<NonceId> {
        let bytes = from_hex(nonce).filter(|bytes| bytes.len() == STAMP + MAC)?;
        let (stamp, mac) = bytes.split_first_chunk::<STAMP>()?;
        let expected = self.mac(stamp, dialect, opaque, realm);
        ct_eq(expected.as_ref().get(..MAC)?, mac).then_some(*stamp)
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When a nonce was made.
pub(crate) fn made_at(id: &NonceId) -> SystemTime {
    let time = id.first_chunk().map_or(0, |time| u64::from_be_bytes(*time));
    UNIX_EPOCH.checked_add(Duration::from_millis(time)).unwrap_or(UNIX_EPOCH)
}

/// How nonces may be used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// For how long.
    pub(crate) lifetime: Duration,
    /// How often.
    pub(crate) most_uses: u32,
    /// How many are remembered.
    pub(crate) capacity: usize,
}

/// Why a nonce cannot be used, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It is too old, was used as often as it may be, or was forgotten: a new one is needed.
    Stale,
    /// It was used with this count already, or with one that is so much higher that nobody can tell.
    Replayed,
}

/// How often each nonce was used, and by whom: whoever sees somebody else's nonce and has a password of his own neither uses
/// up its counts nor finds out how far they are.
pub(crate) struct Table {
    rules: Rules,
    used: Mutex<Used>,
}

/// A nonce in the hands of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Use {
    // An identifier begins with its time: what is first in a map is the oldest.
    nonce: NonceId,
    user: [u8; 16],
}

impl Use {
    /// The user is a hash, so that no name makes an entry longer.
    pub(crate) fn new(nonce: NonceId, user: &[u8]) -> Self {
        Self { nonce, user: short_hash(user) }
    }

    pub(crate) const fn nonce(&self) -> &NonceId {
        &self.nonce
    }
}

fn short_hash(text: &[u8]) -> [u8; 16] {
    Hash::Sha256.digest(text).as_ref().first_chunk().copied().unwrap_or_default()
}

/// What the first response of a session made of the secret and the nonces of both ends.
pub(crate) type SessionKey = Zeroizing<Vec<u8>>;

#[derive(Default)]
struct Used {
    /// The oldest first.
    counts: BTreeMap<Use, Counts>,
    /// What is no younger than this was forgotten.
    forgotten: Option<NonceId>,
}

/// The counts of a nonce that were seen.
struct Counts {
    /// The highest.
    highest: u32,
    /// Bit n: the highest less n.
    window: u64,
    /// Of SASL: a hash of each client's nonce that there was.
    client_nonces: Vec<[u8; 8]>,
    /// Of HTTP, with an algorithm whose key is the session's.
    session: Option<SessionKey>,
    /// What the client calls its user, in whatever form: a hash of it.
    called: [u8; 16],
}

/// How far behind the highest count of a nonce another may come: requests overtake each other.
const WINDOW: u32 = 64;

impl Table {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, used: Mutex::default() }
    }

    /// Whether a nonce is too old. One of the future is none that was made by the clock that it is judged by.
    pub(crate) fn is_expired(&self, id: &NonceId, now: SystemTime) -> bool {
        now.duration_since(made_at(id)).map_or(true, |age| age >= self.rules.lifetime)
    }

    /// Enters the use of a nonce, in any order within the window. The first one brings the key of the session, if there is one.
    pub(crate) fn enter(
        &self,
        id: &Use,
        count: u32,
        called: &[u8],
        session: Option<&SessionKey>,
        now: SystemTime,
    ) -> Result<(), Unusable> {
        self.with(id, now, |used, rules| {
            if count == 0 {
                return Err(Unusable::Replayed);
            }
            if count > rules.most_uses {
                return Err(Unusable::Stale);
            }
            if let Some(counts) = used.counts.get_mut(id) {
                return counts.take(count);
            }
            let (client_nonces, session, called) = (Vec::new(), session.cloned(), short_hash(called));
            used.insert(*id, Counts { highest: count, window: 1, client_nonces, session, called }, rules);
            Ok(())
        })
    }

    /// Enters the first use of a nonce in SASL, or a later one, which follows the one before and, where messages are
    /// protected, has a client's nonce that there was not: with the same one the keys would be the same again.
    pub(crate) fn enter_next(
        &self,
        id: &Use,
        count: u32,
        (called, client_nonce): (&[u8], &[u8]),
        must_be_fresh: bool,
        now: SystemTime,
    ) -> Result<(), Unusable> {
        let client_nonce = Hash::Sha256.digest(client_nonce);
        let client_nonce = client_nonce.as_ref().first_chunk().copied().unwrap_or_default();
        self.with(id, now, |used, rules| {
            if count > rules.most_uses.min(MOST_REAUTHENTICATIONS) {
                return Err(Unusable::Stale);
            }
            let Some(counts) = used.counts.get_mut(id) else {
                if count != 1 {
                    return Err(Unusable::Stale);
                }
                let (client_nonces, called) = (vec![client_nonce], short_hash(called));
                let counts = Counts { highest: 1, window: 1, client_nonces, session: None, called };
                used.insert(*id, counts, rules);
                return Ok(());
            };
            if count != counts.highest.saturating_add(1) {
                return Err(Unusable::Replayed);
            }
            if must_be_fresh && counts.client_nonces.contains(&client_nonce) {
                return Err(Unusable::Stale);
            }
            counts.highest = count;
            counts.client_nonces.push(client_nonce);
            Ok(())
        })
    }

    /// The key of the session that a nonce is used in.
    pub(crate) fn session(&self, id: &Use) -> Option<SessionKey> {
        self.used().counts.get(id)?.session.clone()
    }

    /// Whether somebody who is called so has proved a secret with this nonce, or with the one before.
    pub(crate) fn has_served(&self, nonce: &NonceId, called: &[u8]) -> bool {
        let called = short_hash(called);
        let all = Use { nonce: *nonce, user: [0; 16] }..=Use { nonce: *nonce, user: [0xff; 16] };
        self.used().counts.range(all).any(|(_, counts)| counts.called == called)
    }

    /// Another nonce goes on where one ends, with its session if it has one.
    pub(crate) fn go_on(&self, id: &Use, called: &[u8], session: Option<SessionKey>) {
        let (client_nonces, called) = (Vec::new(), short_hash(called));
        let counts = Counts { highest: 0, window: 0, client_nonces, session, called };
        self.used().insert(*id, counts, &self.rules);
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(
        &self,
        id: &Use,
        now: SystemTime,
        enter: impl FnOnce(&mut Used, &Rules) -> Result<(), Unusable>,
    ) -> Result<(), Unusable> {
        if self.is_expired(&id.nonce, now) {
            return Err(Unusable::Stale);
        }
        let mut used = self.used();
        while let Some(oldest) = used.counts.first_entry()
            && self.is_expired(&oldest.key().nonce, now)
        {
            oldest.remove();
        }
        let is_forgotten = used.forgotten.is_some_and(|forgotten| id.nonce <= forgotten);
        if is_forgotten && !used.counts.contains_key(id) {
            return Err(Unusable::Stale);
        }
        enter(&mut used, &self.rules)
    }

    /// How many nonces are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.used.lock().unwrap().counts.len()
    }
}

/// How often a nonce of SASL is used at most: each use is remembered.
const MOST_REAUTHENTICATIONS: u32 = 64;

impl Used {
    fn insert(&mut self, id: Use, counts: Counts, rules: &Rules) {
        while self.counts.len() >= rules.capacity.max(1) {
            let Some((oldest, _)) = self.counts.pop_first() else { break };
            // Nobody knows any more how often it was used.
            self.forgotten = self.forgotten.max(Some(oldest.nonce));
        }
        self.counts.insert(id, counts);
    }
}

impl Counts {
    fn take(&mut self, count: u32) -> Result<(), Unusable> {
        if count > self.highest {
            let distance = count - self.highest;
            self.window = if distance < WINDOW { self.window << distance | 1 } else { 1 };
            self.highest = count;
            return Ok(());
        }
        let distance = self.highest - count;
        if distance >= WINDOW || self.window >> distance & 1 == 1 {
            return Err(Unusable::Replayed);
        }
        self.window |= 1 << distance;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
