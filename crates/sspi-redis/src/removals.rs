//! What one machine knows of the sessions that were removed, by itself or by others, so that none of them is taken up again
//! however often it is put back.
//!
//! Redis cannot be asked for that: who writes to it can delete whatever says "removed". So machines tell each other
//! ([`news`](crate::news)), and each remembers what it heard. That is worth something only if it heard everything. Hence
//! *eras*: a session lies in Redis with the era in which it was made, and is taken up by machines that hold this era, which
//! are those that have heard of all removals since it began. An era is begun by a machine that finds nobody to ask, or taken
//! over from a machine that holds it, together with all removals that it knows. A machine whose connection ends has missed
//! something, perhaps, and holds nothing until it has asked again.
//!
//! Removals are kept within a bound. An era has *generations*: whoever makes a session writes the newest into it that it knows.
//! Removals are kept in a row of batches, and the oldest batch goes when there are too many; with it go the generations that
//! were over when the next one began. A generation is over for a machine as soon as a batch is full, and whoever hears of a newer
//! one goes on with that. So what is forgotten is never a removal alone, but the sessions that it could be of as well.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of an era.
pub(crate) const ERA_LEN: usize = 16;
/// A random number.
pub(crate) type Era = [u8; ERA_LEN];

/// When a session was made, as far as removals are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) era: Era,
    pub(crate) generation: u32,
}

/// What stands for a session that was removed, or for a group: the first 32 bits of its name, which is a MAC. When there are as
/// many as can be, one of eight thousand other sessions has the same, itself or its group, and is not taken up.
pub(crate) type Mark = u32;

/// Eras with a generation of each.
pub(crate) type Generations = Vec<(Era, u32)>;

/// All that a machine knows of removals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The eras that it holds, and from which generation on. It goes on with the last one.
    pub(crate) held: Generations,
    /// The newest generation of each era.
    pub(crate) newest: Generations,
    /// With the generations that were new when each was begun, the oldest first.
    pub(crate) batches: Vec<(Generations, Vec<Mark>)>,
}

/// Marks of a batch.
const BATCH: usize = 1 << 15;
/// Batches.
const MOST_BATCHES: usize = 8;
/// Eras that a machine holds, and of which it knows generations.
pub(crate) const MOST_ERAS: usize = 64;

/// Whether a session can be taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All removals of its time are known, and it is not among them.
    Good,
    /// It was removed, or so much was removed since that it is not known any more.
    Gone,
    /// This machine does not hold its era. Another may.
    Unknown,
}

/// The eras that are held, and what was removed in them.
pub(crate) struct Removals(Mutex<State>);

struct State {
    /// The newest generation of each era that was heard of, held or not: a removal is told with it.
    newest: BTreeMap<Era, u32>,
    /// From which generation on an era is held. In the order in which they came.
    held: Vec<(Era, u32)>,
    /// The era that sessions are made in.
    ours: Option<Era>,
    /// The oldest first.
    batches: VecDeque<Batch>,
    /// Marks of a batch that is full.
    full: usize,
    /// How many batches are forgotten.
    forgotten: u64,
}

struct Batch {
    /// The generations that were new when it was begun; all that came before are in older batches.
    begun: BTreeMap<Era, u32>,
    marks: HashSet<Mark>,
}

impl Removals {
    /// Nothing is held yet. What was known of generations before, on another connection, goes on.
    pub(crate) fn new(newest: &[(Era, u32)]) -> Self {
        Self::with_batches_of(BATCH, newest)
    }

    fn with_batches_of(full: usize, newest: &[(Era, u32)]) -> Self {
        let batches = VecDeque::from([Batch::of(newest, &[])]);
        let newest = newest.iter().copied().collect();
        Self(Mutex::new(State { newest, held: Vec::new(), ours: None, batches, full, forgotten: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an era, which nobody has used.
    pub(crate) fn begin(&self, era: Era) {
        let mut state = self.lock();
        state.hold(&[(era, 0)]);
        state.ours = Some(era);
        state.hear(&[]);
    }

    /// How many batches are forgotten by now.
    pub(crate) fn forgotten(&self) -> u64 {
        self.lock().forgotten
    }

    /// Takes over what another machine held when it was asked, with all removals that it knew; whether it held anything.
    /// `forgotten` is what had been forgotten then: a batch that went since may have been of what the other one tells, and who
    /// tells it once more must not bring back what went with it.
    pub(crate) fn take_over(&self, known: Known, forgotten: u64) -> bool {
        let has_room = |(_, marks): &(Generations, Vec<Mark>)| marks.len() <= BATCH;
        let is_one = !known.held.is_empty() && known.batches.iter().all(has_room);
        // Not even a part of it, if it is more than there can be: what was left out could be taken up.
        if !is_one || known.held.len() > MOST_ERAS || known.batches.len() > MOST_BATCHES {
            return false;
        }
        let mut state = self.lock();
        if state.forgotten != forgotten {
            return false;
        }
        state.hold(&known.held);
        state.hear(&known.newest);
        let theirs: VecDeque<Batch> =
            known.batches.iter().map(|(begun, marks)| Batch::of(begun, marks)).collect();
        let count = |batches: &VecDeque<Batch>| batches.iter().map(|batch| batch.marks.len()).sum::<usize>();
        // The larger part stays in its order, so that it goes one batch after the other. The smaller one counts as new.
        let is_larger = count(&theirs) > count(&state.batches);
        let smaller = if is_larger { std::mem::replace(&mut state.batches, theirs) } else { theirs };
        for batch in smaller {
            state.mark(batch.marks);
        }
        if state.ours.is_none() {
            state.ours = known.held.last().map(|(era, _)| *era);
        }
        true
    }

    /// What a session that is made now says of it; `None` where no era is held.
    pub(crate) fn now(&self) -> Option<Made> {
        let state = self.lock();
        let era = state.ours?;
        Some(Made { era, generation: state.newest.get(&era).copied().unwrap_or(0) })
    }

    /// Whether a session with these marks is to be taken up.
    pub(crate) fn standing(&self, made: Made, marks: &[Mark]) -> Standing {
        let mut state = self.lock();
        let Some(from) = state.held.iter().find(|(era, _)| *era == made.era).map(|(_, from)| *from) else {
            return Standing::Unknown;
        };
        // Somebody is ahead.
        state.hear(&[(made.era, made.generation)]);
        let is_gone = made.generation < from || marks.iter().any(|mark| state.is_marked(*mark));
        if is_gone { Standing::Gone } else { Standing::Good }
    }

    /// Remembers what was removed by another machine, which knew these generations. What is remembered already is not news:
    /// nobody keeps anything that he has heard is removed, so there is nothing of a later generation.
    pub(crate) fn removed(&self, newest: &[(Era, u32)], marks: &[Mark]) {
        let mut state = self.lock();
        state.hear(newest);
        for mark in marks {
            if !state.is_marked(*mark) {
                state.mark([*mark]);
            }
        }
    }

    /// Remembers what this machine removes. Others have to hear of it, and before they do they may begin a generation: what it
    /// has heard by then belongs before it, so this is called before and after.
    pub(crate) fn remove(&self, marks: &[Mark]) {
        self.lock().mark(marks.iter().copied());
    }

    /// Whether one of these was removed, as far as that is remembered.
    pub(crate) fn has(&self, marks: &[Mark]) -> bool {
        let state = self.lock();
        marks.iter().any(|mark| state.is_marked(*mark))
    }

    /// The newest generations that are known.
    pub(crate) fn newest(&self) -> Generations {
        self.lock().newest.iter().map(|(era, generation)| (*era, *generation)).collect()
    }

    /// What is held, and from which generation on. The last one is the one to go on with.
    pub(crate) fn held(&self) -> Generations {
        self.lock().held()
    }

    /// One of these eras that is not held.
    pub(crate) fn lacks(&self, eras: &[(Era, u32)]) -> Option<Era> {
        let state = self.lock();
        let is_held = |era: &Era| state.held.iter().any(|(held, _)| held == era);
        eras.iter().map(|(era, _)| *era).find(|era| !is_held(era))
    }

    /// All that is known at this moment.
    pub(crate) fn known(&self) -> Known {
        let state = self.lock();
        let list = |map: &BTreeMap<Era, u32>| map.iter().map(|(era, number)| (*era, *number)).collect();
        let batch = |batch: &Batch| (list(&batch.begun), batch.marks.iter().copied().collect());
        Known {
            held: state.held(),
            newest: list(&state.newest),
            batches: state.batches.iter().map(batch).collect(),
        }
    }
}

impl Batch {
    fn of(begun: &[(Era, u32)], marks: &[Mark]) -> Self {
        Self { begun: begun.iter().copied().collect(), marks: marks.iter().copied().collect() }
    }
}

impl State {
    fn held(&self) -> Generations {
        let is_ours = |(era, _): &&(Era, u32)| Some(*era) == self.ours;
        let others = self.held.iter().filter(|held| !is_ours(held));
        others.chain(self.held.iter().filter(is_ours)).copied().collect()
    }

    fn hear(&mut self, newest: &[(Era, u32)]) {
        for (era, generation) in newest {
            let known = self.newest.entry(*era).or_default();
            *known = (*known).max(*generation);
        }
        while self.newest.len() > MOST_ERAS && self.forget_an_era() {}
    }

    /// One that is not held if there is one, and never the one that sessions are made in. The first that came is the most
    /// likely to be nobody's any more; if it is not, it is asked for when it is met.
    fn forget_an_era(&mut self) -> bool {
        let is_held = |era: &Era| self.held.iter().any(|(held, _)| held == era);
        let unheld = self.newest.keys().find(|era| !is_held(era));
        let first = || self.held.iter().map(|(era, _)| era).find(|era| Some(**era) != self.ours);
        let Some(goes) = unheld.or_else(first).copied() else { return false };
        self.newest.remove(&goes);
        self.held.retain(|(era, _)| *era != goes);
        true
    }

    fn hold(&mut self, eras: &[(Era, u32)]) {
        for (era, from) in eras {
            self.newest.entry(*era).or_insert(*from);
            match self.held.iter_mut().find(|(held, _)| held == era) {
                // What either knows since then, this machine knows now.
                Some((_, known)) => *known = (*known).min(*from),
                None => self.held.push((*era, *from)),
            }
        }
    }

    fn is_marked(&self, mark: Mark) -> bool {
        self.batches.iter().any(|batch| batch.marks.contains(&mark))
    }

    fn mark(&mut self, marks: impl IntoIterator<Item = Mark>) {
        for mark in marks {
            if self.batches.back().is_none_or(|batch| batch.marks.len() >= self.full) {
                self.begin_batch();
            }
            if let Some(batch) = self.batches.back_mut() {
                batch.marks.insert(mark);
            }
        }
    }

    /// Ends a generation of every era, and forgets the oldest batch if there are too many.
    fn begin_batch(&mut self) {
        for generation in self.newest.values_mut() {
            *generation = generation.saturating_add(1);
        }
        self.batches.push_back(Batch { begun: self.newest.clone(), marks: HashSet::new() });
        if self.batches.len() <= MOST_BATCHES {
            return;
        }
        self.batches.pop_front();
        self.forgotten += 1;
        let Some(oldest) = self.batches.front() else { return };
        for (era, from) in &mut self.held {
            // An era that came later has no removals in what went.
            if let Some(begun) = oldest.begun.get(era) {
                *from = (*from).max(*begun);
            }
        }
    }
}

#[cfg(test)]
mod tests;
