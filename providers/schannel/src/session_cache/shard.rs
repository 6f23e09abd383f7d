//! A piece of the cache: sessions by the hash of where they lie, and the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::{Entry, Space};

/// A session in its place.
pub(super) struct Held {
    pub(super) space: Space,
    pub(super) id: Id,
    pub(super) entry: Arc<Entry>,
    /// When it was last looked up.
    pub(super) used: u64,
}

/// An identifier. Most are short, and need no memory of their own.
pub(super) enum Id {
    Short(u8, [u8; SHORT]),
    Long(Box<[u8]>),
}

const SHORT: usize = 32;

impl Id {
    pub(super) fn new(id: &[u8]) -> Self {
        let mut short = [0; SHORT];
        match (u8::try_from(id.len()), short.get_mut(..id.len())) {
            (Ok(length), Some(place)) => {
                place.copy_from_slice(id);
                Self::Short(length, short)
            }
            _ => Self::Long(id.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, bytes) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Long(bytes) => bytes,
        }
    }
}

struct Slot {
    held: Held,
    /// Its number in the order; one that was kept in place of another has a new one.
    number: u64,
}

/// A piece.
#[derive(Default)]
pub(super) struct Shard {
    /// By the hash of space and identifier. Of two with the same hash the later one is kept: that the hash is keyed leaves it
    /// to chance, and what is lost is a session.
    slots: HashMap<u64, Slot, BuildHasherDefault<AsItIs>>,
    /// Hash and number, the oldest first; one that is not in `slots` any more may still stand here.
    order: VecDeque<(u64, u64)>,
    next: u64,
}

/// How many of the oldest are looked at when something new comes: more than come, so that what is too old gets less.
const OLD_AT_ONCE: usize = 2;

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    #[cfg(test)]
    pub(super) fn order_len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn find(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<&mut Held> {
        let slot = self.slots.get_mut(&hash)?;
        (slot.held.space == space && slot.held.id.as_bytes() == id).then_some(&mut slot.held)
    }

    /// Puts a session in the place of the one that has its identifier, and yields that; or the session, if there is none.
    pub(super) fn replace(&mut self, hash: u64, held: Held) -> Result<Option<Held>, Held> {
        if self.slots.contains_key(&hash) { Ok(self.insert(hash, held)) } else { Err(held) }
    }

    /// Keeps a session, and yields the one that it takes the place of.
    pub(super) fn insert(&mut self, hash: u64, held: Held) -> Option<Held> {
        let number = self.next;
        self.next += 1;
        self.order.push_back((hash, number));
        let replaced = self.slots.insert(hash, Slot { held, number });
        self.tidy();
        replaced.map(|slot| slot.held)
    }

    /// The order keeps no more than as many again of those that are gone; going through it costs each that came a part.
    fn tidy(&mut self) {
        const SLACK: usize = 32;
        if self.order.len() > 2 * self.slots.len() + SLACK {
            let slots = &self.slots;
            self.order.retain(|(hash, number)| slots.get(hash).is_some_and(|slot| slot.number == *number));
        }
    }

    pub(super) fn remove(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<Held> {
        self.find(hash, space, id)?;
        let slot = self.slots.remove(&hash)?;
        self.tidy();
        Some(slot.held)
    }

    /// The oldest, which is not kept any more.
    pub(super) fn pop_oldest(&mut self) -> Option<Held> {
        while let Some((hash, number)) = self.order.pop_front() {
            if self.slots.get(&hash).is_some_and(|slot| slot.number == number) {
                return self.slots.remove(&hash).map(|slot| slot.held);
            }
        }
        None
    }

    /// Those of the oldest that are too old, a few at a time.
    pub(super) fn pop_old(&mut self, is_old: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut old = Vec::new();
        while old.len() < OLD_AT_ONCE {
            let Some((hash, number)) = self.order.front() else { break };
            match self.slots.get(hash).filter(|slot| slot.number == *number) {
                Some(slot) if !is_old(&slot.held) => break,
                Some(_) => old.extend(self.pop_oldest()),
                None => {
                    self.order.pop_front();
                }
            }
        }
        old
    }

    pub(super) fn remove_all(&mut self, is_meant: impl Fn(&Held) -> bool) -> Vec<Held> {
        let gone: Vec<u64> =
            self.slots.iter().filter(|(_, slot)| is_meant(&slot.held)).map(|(hash, _)| *hash).collect();
        let gone = gone.iter().filter_map(|hash| self.slots.remove(hash)).map(|slot| slot.held).collect();
        self.tidy();
        gone
    }
}

/// What is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
