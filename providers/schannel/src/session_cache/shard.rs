//! A piece of the cache: sessions one behind the other as they came, and where each stands.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher, RandomState};
use std::sync::Arc;

use super::{Entry, Space};

/// A session in its place.
pub(super) struct Held {
    pub(super) hash: u64,
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

/// A piece.
///
/// The oldest and the newest are next to each other in memory, and the table is small: keeping one more touches little that
/// is not in the processor's cache already.
#[derive(Default)]
pub(super) struct Shard {
    /// The number of each session, by the hash of space and identifier. Of two with the same hash the later one is kept: that
    /// the hash is keyed leaves it to chance, and what is lost is a session.
    numbers: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    /// The sessions in the order of their numbers, without gaps; one that was taken out leaves its place empty.
    order: VecDeque<Option<Held>>,
    /// The number of the first of them.
    first: u64,
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.order.len()
    }

    fn place(&mut self, number: u64) -> Option<&mut Option<Held>> {
        self.order.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    pub(super) fn find(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<&mut Held> {
        let number = *self.numbers.get(&hash)?;
        self.place(number)?.as_mut().filter(|held| held.space == space && held.id.as_bytes() == id)
    }

    /// Whether there is one with this hash, whose place a new one takes.
    pub(super) fn has(&self, hash: u64) -> bool {
        self.numbers.contains_key(&hash)
    }

    /// Keeps a session, and yields the one that it takes the place of.
    pub(super) fn insert(&mut self, held: Held) -> Option<Held> {
        let number = self.first.wrapping_add(self.order.len().try_into().unwrap_or(u64::MAX));
        let before = self.numbers.insert(held.hash, number);
        let replaced = before.and_then(|number| self.place(number)?.take());
        self.order.push_back(Some(held));
        self.tidy();
        replaced
    }

    /// There are no more empty places than as many again as there are sessions; going through them costs each session that
    /// came a part.
    fn tidy(&mut self) {
        const SLACK: usize = 32;
        if self.order.len() <= 2 * self.numbers.len() + SLACK {
            return;
        }
        self.order.retain(Option::is_some);
        for (number, held) in (self.first..).zip(self.order.iter().flatten()) {
            self.numbers.insert(held.hash, number);
        }
    }

    pub(super) fn remove(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<Held> {
        self.find(hash, space, id)?;
        let number = self.numbers.remove(&hash)?;
        let held = self.place(number)?.take();
        self.tidy();
        held
    }

    /// Goes on to the oldest that is there.
    fn oldest(&mut self) -> Option<&Held> {
        while let Some(None) = self.order.front() {
            self.order.pop_front();
            self.first += 1;
        }
        self.order.front()?.as_ref()
    }

    /// The oldest, which is not kept any more.
    pub(super) fn pop_oldest(&mut self) -> Option<Held> {
        let hash = self.oldest()?.hash;
        self.numbers.remove(&hash);
        self.first += 1;
        self.order.pop_front()?
    }

    /// The oldest, if it is too old.
    pub(super) fn pop_old(&mut self, is_old: impl Fn(&Held) -> bool) -> Option<Held> {
        if self.oldest().is_some_and(is_old) { self.pop_oldest() } else { None }
    }

    pub(super) fn remove_all(&mut self, is_meant: impl Fn(&Held) -> bool) -> Vec<Held> {
        let mut gone = Vec::new();
        for place in &mut self.order {
            gone.extend(place.take_if(|held| is_meant(held)));
        }
        for held in &gone {
            self.numbers.remove(&held.hash);
        }
        self.tidy();
        gone
    }
}

/// Hashes where a session lies, under a key that nobody knows.
///
/// Eight bytes at a time are multiplied, and the halves of the product laid over each other. That is quick and spreads well;
/// it need not stand up to one who chooses what is kept, since nobody does: identifiers of a server's sessions are random,
/// and the names of a client's servers are its application's.
pub(super) struct Places {
    key: [u64; 2],
}

impl Default for Places {
    fn default() -> Self {
        let random = || RandomState::new().hash_one(0);
        // A product with an odd number loses nothing.
        Self { key: [random() | 1, random()] }
    }
}

impl Places {
    pub(super) fn hash(&self, space: Space, id: &[u8]) -> u64 {
        let [odd, key] = self.key;
        let length = u64::try_from(id.len()).unwrap_or(u64::MAX);
        let begin = [space.credential, space.part, length];
        let (words, rest) = id.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let words = words.iter().chain([&last]).map(|word| u64::from_le_bytes(*word));
        begin.into_iter().chain(words).fold(key, |hash, word| {
            let product = u128::from(hash ^ word) * u128::from(odd);
            let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & LOW).unwrap_or(0));
            low ^ high.rotate_left(29) ^ key
        })
    }
}

const LOW: u128 = 0xffff_ffff_ffff_ffff;

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
