//! Where each session of a piece stands: a table that is one read for most lookups, and little memory.
//!
//! ```text
//! cell     empty: 0
//!          1 bit: taken | 31 bits: the upper ones of the hash | 32 bits: the lower ones of the number
//! ```
//!
//! A cell is the first free one behind its place, and when one is emptied those behind it move up, so that nobody passes a
//! gap. No more than half of the cells are taken.

/// The numbers of sessions by their hashes. Several may have the same cell but for the number: who looks one up looks at each.
#[derive(Default)]
pub(super) struct Index {
    /// As many as a power of two.
    cells: Box<[u64]>,
    taken: u32,
}

const TAKEN: u64 = 1 << 63;
const NUMBER: u64 = 0xffff_ffff;
const FEWEST: usize = 16;

/// The part of a cell that comes from the hash.
const fn tag(hash: u64) -> u64 {
    TAKEN | (hash & !NUMBER)
}

impl Index {
    pub(super) fn len(&self) -> usize {
        usize::try_from(self.taken).unwrap_or(usize::MAX)
    }

    /// Its place and the cells behind it, up to the first that is empty.
    fn probe(&self, cell: u64) -> impl Iterator<Item = (usize, u64)> {
        let mask = self.cells.len().wrapping_sub(1);
        let start = usize::try_from(cell >> 32).unwrap_or_default();
        let places = (0..self.cells.len()).map(move |step| start.wrapping_add(step) & mask);
        places.map_while(|place| Some((place, *self.cells.get(place)?))).take_while(|(_, cell)| *cell != 0)
    }

    /// The numbers that may be of this hash.
    pub(super) fn find(&self, hash: u64) -> impl Iterator<Item = u32> {
        let tag = tag(hash);
        let fitting = self.probe(tag).filter(move |(_, cell)| cell & !NUMBER == tag);
        fitting.map(|(_, cell)| u32::try_from(cell & NUMBER).unwrap_or_default())
    }

    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        if 2 * (self.len() + 1) > self.cells.len() {
            let more = (2 * self.cells.len()).max(FEWEST);
            for cell in core::mem::replace(&mut self.cells, vec![0; more].into()) {
                if cell != 0 {
                    self.put(cell);
                }
            }
        }
        self.put(tag(hash) | u64::from(number));
        self.taken += 1;
    }

    fn put(&mut self, cell: u64) {
        let mask = self.cells.len().wrapping_sub(1);
        let mut place = usize::try_from(cell >> 32).unwrap_or_default() & mask;
        while let Some(other) = self.cells.get_mut(place) {
            if *other == 0 {
                *other = cell;
                return;
            }
            place = (place + 1) & mask;
        }
    }

    /// Takes a session out. Whether it was there.
    pub(super) fn remove(&mut self, hash: u64, number: u32) -> bool {
        let wanted = tag(hash) | u64::from(number);
        let Some((mut gap, _)) = self.probe(wanted).find(|(_, cell)| *cell == wanted) else { return false };
        let mask = self.cells.len().wrapping_sub(1);
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let cell = self.cells.get(place).copied().unwrap_or_default();
            if cell == 0 {
                break;
            }
            // It moves up unless its own place is behind the gap.
            let own = usize::try_from(cell >> 32).unwrap_or_default();
            if place.wrapping_sub(own) & mask >= place.wrapping_sub(gap) & mask {
                self.cells.get_mut(gap).into_iter().for_each(|at| *at = cell);
                gap = place;
            }
        }
        self.cells.get_mut(gap).into_iter().for_each(|at| *at = 0);
        self.taken -= 1;
        true
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.cells.fill(0);
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Hashes of which many share a place, at the end of the table too.
    fn hash(n: u32) -> u64 {
        let mixed = u64::from(n % 97).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match n % 3 {
            0 => mixed,
            1 => u64::MAX - (u64::from(n) << 40),
            _ => mixed & !NUMBER,
        }
    }

    #[test]
    fn what_was_put_in_is_found_and_nothing_else_whatever_is_taken_out() {
        let (mut index, mut there) = (Index::default(), HashSet::new());
        for n in 0..20_000_u32 {
            let taken_out = n.wrapping_mul(7919) % 1000 + n.saturating_sub(1000);
            if n % 5 != 0 {
                index.insert(hash(n), n);
                there.insert(n);
            }
            assert_eq!(index.remove(hash(taken_out), taken_out), there.remove(&taken_out), "{n}");
            assert_eq!(index.len(), there.len());
            for look in [n, taken_out, n / 2, n.saturating_sub(17)] {
                assert_eq!(index.find(hash(look)).any(|number| number == look), there.contains(&look), "{n}");
            }
        }
        assert!(there.iter().all(|n| index.find(hash(*n)).any(|number| number == *n)));
        assert!(
            index.cells.len() <= 4 * there.len().max(FEWEST) || there.len() < 2000,
            "it does not grow by use"
        );
        index.clear();
        assert_eq!((index.len(), index.find(hash(1)).count()), (0, 0));
    }
}
