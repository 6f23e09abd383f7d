//! What is looked up by clients of whom nobody knows yet who they are.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

/// Values by keys, in the order of a hash under a key that nobody knows.
///
/// A lookup ends at a value in any case, be it that of another key, and touches as much on its way to either: so its time does
/// not tell which keys there are. That of a hash table does, which looks at no key and at no value where there is none.
pub(super) struct Places<T> {
    hasher: RandomState,
    rows: BTreeMap<u64, Row<T>>,
}

/// Those of one hash: keys, and what they stand for.
type Row<T> = Vec<(Box<[u8]>, T)>;

impl<T: Copy> Places<T> {
    /// Keeps another value of this key.
    pub(super) fn push(&mut self, key: &[u8], value: T) {
        self.rows.entry(self.hasher.hash_one(key)).or_default().push((key.into(), value));
    }

    /// The values of this key, each with a yes; where there are none, those of another with a no. Nothing if there is no key
    /// at all.
    pub(super) fn near(&self, key: &[u8]) -> impl Iterator<Item = (bool, T)> {
        let following = self.rows.range(self.hasher.hash_one(key)..).next();
        let row = following.or_else(|| self.rows.first_key_value());
        row.into_iter().flat_map(|(_, row)| row).map(move |(theirs, value)| (**theirs == *key, *value))
    }

    /// The values of this key.
    pub(super) fn of(&self, key: &[u8]) -> impl Iterator<Item = T> {
        self.near(key).filter(|(is_the_one, _)| *is_the_one).map(|(_, value)| value)
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), rows: BTreeMap::new() }
    }
}

impl<T> fmt::Debug for Places<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_values_and_another_ends_at_one_of_somebody_else() {
        let mut places = Places::default();
        assert_eq!(places.near(b"0").count(), 0);
        for number in 0..500_u32 {
            places.push(number.to_string().as_bytes(), number);
            places.push(number.to_string().as_bytes(), number + 1000);
        }
        for number in 0..500_u32 {
            let key = number.to_string();
            assert_eq!(places.of(key.as_bytes()).collect::<Vec<_>>(), [number, number + 1000]);
            assert_eq!(places.near(key.as_bytes()).count(), 2);
            let other = format!("x{number}");
            assert_eq!(places.of(other.as_bytes()).count(), 0);
            assert!(places.near(other.as_bytes()).count() == 2, "it ends somewhere");
        }
    }
}
