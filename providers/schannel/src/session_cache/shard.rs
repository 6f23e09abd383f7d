//! A piece of the cache: sessions one behind the other as they came, and where each stands.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::index::Index;
use super::{Entry, Space};

/// A session in its place. It is written where it lies, and never moved for the sake of another.
#[derive(Default)]
pub(super) struct Held {
    hash: u64,
    space: Space,
    id: Id,
    /// When it was last looked up.
    pub(super) used: u64,
    /// `None` where there is none.
    kept: Option<Session>,
}

/// What of a session is handed out when it goes.
pub(super) struct Session {
    pub(super) entry: Arc<Entry>,
    /// When it was made: beside what else says how old it is, and not where others count who holds the entry.
    pub(super) created: u64,
    /// How much of the room it takes.
    pub(super) weight: usize,
}

/// A session that is not kept any more.
pub(super) struct Gone {
    pub(super) kept: Session,
    pub(super) used: u64,
}

impl Held {
    /// The session, with when it was last looked up.
    pub(super) fn session(&mut self) -> Option<(&Session, &mut u64)> {
        Some((self.kept.as_ref()?, &mut self.used))
    }

    fn is(&self, space: Space, id: &[u8]) -> bool {
        self.space == space && self.id.is(id)
    }

    fn go(&mut self) -> Option<Gone> {
        let kept = self.kept.take()?;
        Some(Gone { kept, used: self.used })
    }
}

/// An identifier. Most are short, and need no memory of their own.
enum Id {
    /// Its length, and its bytes, eight in a word.
    Short(usize, [u64; SHORT]),
    Long(Box<[u8]>),
}

const SHORT: usize = 4;

impl Id {
    fn new(id: &[u8]) -> Self {
        if id.len() <= 8 * SHORT { Self::Short(id.len(), words(id)) } else { Self::Long(id.into()) }
    }

    fn is(&self, id: &[u8]) -> bool {
        match self {
            Self::Short(length, bytes) => *length == id.len() && *bytes == words(id),
            Self::Long(bytes) => **bytes == *id,
        }
    }
}

impl Default for Id {
    fn default() -> Self {
        Self::Short(0, [0; SHORT])
    }
}

/// The first bytes, eight in a word, and zeros behind them.
fn words(bytes: &[u8]) -> [u64; SHORT] {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut words = [0; SHORT];
    for (word, eight) in words.iter_mut().zip(whole.iter().chain([&last])) {
        *word = u64::from_le_bytes(*eight);
    }
    words
}

/// A piece.
///
/// The oldest and the newest are next to each other in memory, and the table is small: keeping one more touches little that
/// is not in the processor's cache already.
#[derive(Default)]
pub(super) struct Shard {
    /// The number of each session, by the hash of space and identifier. Of two with the same hash the later one is kept: that
    /// the hash is keyed leaves it to chance, and what is lost is a session.
    numbers: Index,
    /// A ring: the sessions in the order of their numbers, without gaps. One that was taken out leaves its place empty.
    ring: Box<[Held]>,
    /// Where the first of them is in the ring, and its number. Numbers begin anew behind the largest.
    start: u32,
    first: u32,
    /// How many places there are from the first to the last.
    span: u32,
}

/// A number of this program's own making, of which a piece has fewer than can be counted in 32 bits.
fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.ring.len()
    }

    /// So many places behind the first.
    fn behind(&self, steps: u32) -> usize {
        let at = size(self.start) + size(steps);
        if at >= self.ring.len() { at - self.ring.len() } else { at }
    }

    fn at(&self, number: u32) -> usize {
        self.behind(number.wrapping_sub(self.first))
    }

    /// The number and the place of the session with this hash.
    fn place(&self, hash: u64) -> Option<(u32, usize)> {
        let places = self.numbers.find(hash).map(|number| (number, self.at(number)));
        places.into_iter().find(|(_, at)| self.ring.get(*at).is_some_and(|held| held.hash == hash))
    }

    pub(super) fn find(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<&mut Held> {
        let (_, at) = self.place(hash)?;
        self.ring.get_mut(at).filter(|held| held.is(space, id))
    }

    /// The one with this hash, whose place a new one takes.
    pub(super) fn take(&mut self, hash: u64) -> Option<Gone> {
        let (number, at) = self.place(hash)?;
        self.numbers.remove(hash, number);
        self.ring.get_mut(at)?.go()
    }

    /// Keeps a session; one with its hash was [taken](Self::take) before.
    pub(super) fn insert(&mut self, hash: u64, space: Space, id: &[u8], kept: Session, now: u64) {
        if size(self.span) == self.ring.len() {
            self.make_places();
        }
        let at = self.behind(self.span);
        let Some(held) = self.ring.get_mut(at) else { return };
        held.hash = hash;
        held.space = space;
        held.id = Id::new(id);
        held.used = now;
        held.kept = Some(kept);
        self.numbers.insert(hash, self.first.wrapping_add(self.span));
        self.span += 1;
    }

    /// The ring is full: of sessions, or of places that are empty. There is a quarter more than they need.
    fn make_places(&mut self) {
        const SLACK: usize = 8;
        let count = self.len() + self.len() / 4 + SLACK;
        let mut ring = Vec::with_capacity(count);
        for step in 0..self.span {
            let at = self.behind(step);
            ring.extend(self.ring.get_mut(at).filter(|held| held.kept.is_some()).map(core::mem::take));
        }
        (self.start, self.span) = (0, 0);
        self.numbers.clear();
        for held in &ring {
            self.numbers.insert(held.hash, self.first.wrapping_add(self.span));
            self.span += 1;
        }
        ring.resize_with(count, Held::default);
        self.ring = ring.into();
    }

    pub(super) fn remove(&mut self, hash: u64, space: Space, id: &[u8]) -> Option<Gone> {
        self.find(hash, space, id)?;
        self.take(hash)
    }

    /// Goes on to the oldest that is there.
    fn oldest(&mut self) -> Option<&mut Held> {
        let is_empty = |this: &Self| this.ring.get(size(this.start)).is_none_or(|held| held.kept.is_none());
        while self.span > 0 && is_empty(self) {
            self.go_on();
        }
        if self.span > 0 { self.ring.get_mut(size(self.start)) } else { None }
    }

    fn go_on(&mut self) {
        let next = self.start + 1;
        self.start = if size(next) == self.ring.len() { 0 } else { next };
        self.first = self.first.wrapping_add(1);
        self.span -= 1;
    }

    /// The oldest, which is not kept any more.
    pub(super) fn pop_oldest(&mut self) -> Option<Gone> {
        self.pop_old(|_, _| true)
    }

    /// The oldest, if that is so of when it was made and last used.
    pub(super) fn pop_old(&mut self, is_old: impl Fn(u64, u64) -> bool) -> Option<Gone> {
        let held = self.oldest()?;
        let created = held.kept.as_ref()?.created;
        if !is_old(created, held.used) {
            return None;
        }
        let (hash, gone) = (held.hash, held.go());
        self.numbers.remove(hash, self.first);
        self.go_on();
        gone
    }

    pub(super) fn remove_all(&mut self, is_meant: impl Fn(Space) -> bool) -> Vec<Gone> {
        let mut gone = Vec::new();
        for step in 0..self.span {
            let at = self.behind(step);
            let Some(held) = self.ring.get_mut(at).filter(|held| is_meant(held.space)) else { continue };
            if let Some(session) = held.go() {
                self.numbers.remove(held.hash, self.first.wrapping_add(step));
                gone.push(session);
            }
        }
        gone
    }
}

/// Hashes where a session lies, under a key that nobody knows.
///
/// Sixteen bytes at a time are multiplied, and the halves of the product laid over each other. That is quick and spreads well;
/// it need not stand up to one who chooses what is kept, since nobody does: identifiers of a server's sessions are random,
/// and the names of a client's servers are its application's.
pub(super) struct Places {
    key: [u64; 3],
}

impl Default for Places {
    fn default() -> Self {
        Self { key: [(); 3].map(|()| RandomState::new().hash_one(0)) }
    }
}

impl Places {
    pub(super) fn hash(&self, space: Space, id: &[u8]) -> u64 {
        let [first, second, third] = self.key;
        let length = u64::try_from(id.len()).unwrap_or(u64::MAX);
        let (pieces, rest) = id.as_chunks::<16>();
        let begin = folded(space.credential ^ first, space.part ^ second ^ length.rotate_left(48));
        let hash = pieces.iter().fold(begin, |hash, piece| mixed(hash, piece, first));
        let hash = if rest.is_empty() {
            hash
        } else {
            let mut last = [0; 16];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            mixed(hash, &last, second)
        };
        folded(hash ^ second, third | 1)
    }
}

fn mixed(hash: u64, piece: &[u8; 16], key: u64) -> u64 {
    let (words, _) = piece.as_chunks::<8>();
    match words {
        [one, other] => folded(u64::from_le_bytes(*one) ^ key, u64::from_le_bytes(*other) ^ hash),
        _ => hash,
    }
}

/// The halves of a product, one over the other.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let [low, high] = [product, product >> 64].map(|half| u64::try_from(half & LOW).unwrap_or(0));
    low ^ high
}

const LOW: u128 = 0xffff_ffff_ffff_ffff;

#[cfg(test)]
mod tests {
    use super::super::Value;
    use super::*;

    const SPACE: Space = Space { credential: 1, part: 1 };

    fn session() -> Session {
        let entry = Entry { created: 0, kind: 1, value: Value::Opaque(Arc::new(())) };
        Session { entry: Arc::new(entry), created: 0, weight: 1 }
    }

    #[test]
    fn numbers_begin_anew_and_places_that_are_left_are_used_again() {
        let mut shard = Shard { first: u32::MAX - 100, ..Shard::default() };
        let id = |n: u64| n.to_be_bytes();
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for n in 0..1000_u64 {
            shard.insert(hash(n), SPACE, &id(n), session(), n);
            // One of three goes at once, and one when it is the oldest.
            if n % 3 == 0 {
                assert!(shard.remove(hash(n), SPACE, &id(n)).is_some(), "{n}");
            }
            if n >= 60 && n % 3 == 1 {
                let oldest = shard.pop_oldest().unwrap();
                assert!(oldest.used < n, "{n}");
            }
            let used = shard.find(hash(n), SPACE, &id(n)).and_then(|held| Some(*held.session()?.1));
            assert_eq!(used, (n % 3 != 0).then_some(n));
            assert!(shard.find(hash(n), Space { part: 2, ..SPACE }, &id(n)).is_none());
            assert!(shard.find(hash(n), SPACE, &id(n + 1)).is_none());
        }
        let mut last = 0;
        let left = core::iter::from_fn(|| shard.pop_oldest().map(|gone| gone.used)).collect::<Vec<_>>();
        for used in &left {
            assert!(*used > last, "in the order in which they came");
            last = *used;
        }
        assert_eq!((shard.len(), left.last()), (0, Some(&998)));
    }

    #[test]
    fn an_identifier_is_its_bytes_and_its_length() {
        let all: Vec<Vec<u8>> = (0..80).flat_map(|length| [vec![0; length], vec![7; length]]).collect();
        for (n, one) in all.iter().enumerate() {
            for (m, other) in all.iter().enumerate() {
                assert_eq!(Id::new(one).is(other), one == other, "{n} {m}");
            }
        }
    }

    #[test]
    fn hashes_differ_in_both_halves() {
        let places = Places::default();
        let mut halves = [std::collections::HashSet::new(), std::collections::HashSet::new()];
        let spaces = (0..10).flat_map(|credential| (0..10).map(move |part| Space { credential, part }));
        let mut count = 0;
        for space in spaces {
            for length in 0..50_u8 {
                let hash = places.hash(space, &vec![length; usize::from(length)]);
                halves[0].insert(hash >> 33);
                halves[1].insert(hash & 0xffff_ffff);
                count += 1;
            }
        }
        // A thousandth of them may be alike by chance.
        assert!(halves.iter().all(|half| half.len() > count - count / 1000), "{count}");
        // What is behind a name that has an odd length is a part of it.
        assert_ne!(places.hash(SPACE, b"name"), places.hash(SPACE, b"name\0"));
    }
}
