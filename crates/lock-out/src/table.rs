//! Failed logons: counted by account and source, and whoever has too many waits.
//!
//! An attempt counts before it is judged, and is taken back when it was right. So many attempts at once are as good as one
//! after the other.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crypto::hash::Hash;

use crate::settings::LockOut;

/// The table of failures.
#[derive(Debug)]
pub struct LockOuts {
    settings: LockOut,
    entries: Mutex<HashMap<Key, Entry>>,
}

/// Of what is counted: a hash, so that no name makes an entry longer.
type Key = [u8; 16];

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    /// When the first of them was.
    since: SystemTime,
    /// Nobody is let in until then.
    locked_until: Option<SystemTime>,
}

/// An attempt, by everything that it is counted by: what is counted, and how many there may be.
#[derive(Clone, Debug)]
pub struct Attempt(Vec<(Key, u32)>);

impl LockOuts {
    /// An empty table.
    #[must_use]
    pub fn new(settings: LockOut) -> Self {
        Self { settings, entries: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt to log on; `None` if it must not be made, because there were too many.
    pub fn attempt(&self, user: &str, source: Option<&str>, now: SystemTime) -> Option<Attempt> {
        let attempt = self.counted(user, source);
        let mut entries = self.entries();
        for (key, _) in &attempt.0 {
            if entries.get(key).is_some_and(|entry| self.is_over(entry, now)) {
                entries.remove(key);
            }
        }
        if attempt.0.iter().any(|(key, _)| entries.get(key).is_some_and(|entry| entry.locked_until.is_some()))
        {
            return None;
        }
        for (key, limit) in &attempt.0 {
            if !entries.contains_key(key) {
                self.make_room(&mut entries, now);
            }
            let entry = entries.entry(*key).or_insert(Entry { failures: 0, since: now, locked_until: None });
            entry.failures = entry.failures.saturating_add(1);
            if entry.failures >= *limit {
                entry.locked_until = Some(now + self.settings.duration);
            }
        }
        Some(attempt)
    }

    /// The attempt was right: the account's failures from there are forgotten.
    pub fn succeeded(&self, attempt: &Attempt) {
        self.take_back(attempt);
        if let Some((key, _)) = attempt.0.first().filter(|_| self.settings.failures > 0) {
            self.entries().remove(key);
        }
    }

    /// The attempt was neither right nor wrong.
    pub fn take_back(&self, attempt: &Attempt) {
        let mut entries = self.entries();
        for (key, limit) in &attempt.0 {
            let Some(entry) = entries.get_mut(key) else { continue };
            entry.failures = entry.failures.saturating_sub(1);
            if entry.failures < *limit {
                entry.locked_until = None;
            }
            if entry.failures == 0 {
                entries.remove(key);
            }
        }
    }

    /// By what an attempt is counted. The name counts without a domain before or behind it: a client can write anything
    /// there and mean the same account.
    fn counted(&self, user: &str, source: Option<&str>) -> Attempt {
        let LockOut { failures, failures_of_source, failures_of_account, .. } = self.settings;
        let name = user.rsplit('\\').next().unwrap_or(user);
        let name = name.split('@').next().unwrap_or(name).to_lowercase();
        let key = |kind: &[u8], name: &str, source: &str| {
            let mut hash = Hash::Sha256.context();
            let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes();
            [kind, &length, name.as_bytes(), source.as_bytes()]
                .into_iter()
                .for_each(|part| hash.update(part));
            hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
        };
        // What has no limit is not counted.
        let mut counted = Vec::with_capacity(3);
        if failures > 0 {
            counted.push((key(b"both", &name, source.unwrap_or_default()), failures));
        }
        if let Some(source) = source.filter(|_| failures_of_source > 0) {
            counted.push((key(b"source", "", source), failures_of_source));
        }
        if failures_of_account > 0 {
            counted.push((key(b"account", &name, ""), failures_of_account));
        }
        Attempt(counted)
    }

    /// Whether an entry says nothing any more.
    fn is_over(&self, entry: &Entry, now: SystemTime) -> bool {
        match entry.locked_until {
            Some(until) => now >= until,
            None => age(entry, now) > self.settings.window,
        }
    }

    /// Makes room for an entry more. What is over goes first, then the older half of those that lock nobody out.
    fn make_room(&self, entries: &mut HashMap<Key, Entry>, now: SystemTime) {
        let most = self.settings.entries.max(1);
        if entries.len() < most {
            return;
        }
        entries.retain(|_, entry| !self.is_over(entry, now));
        if entries.len() < most {
            return;
        }
        let mut times: Vec<(bool, SystemTime)> = entries.values().map(rank).collect();
        times.sort_unstable();
        if let Some(middle) = times.get(times.len() / 2).copied() {
            entries.retain(|_, entry| rank(entry) > middle);
        }
    }
}

/// What is forgotten first has the lowest.
const fn rank(entry: &Entry) -> (bool, SystemTime) {
    (entry.locked_until.is_some(), entry.since)
}

/// None, if the clock was set back.
fn age(entry: &Entry, now: SystemTime) -> Duration {
    now.duration_since(entry.since).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn table(change: impl FnOnce(&mut LockOut)) -> LockOuts {
        let mut settings = LockOut { failures: 3, failures_of_source: 0, ..LockOut::default() };
        change(&mut settings);
        LockOuts::new(settings)
    }

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn who_fails_too_often_waits_and_is_let_in_again() {
        let table = table(|_| ());
        for _ in 0..3 {
            assert!(table.attempt("alice", Some("10.0.0.1"), at(0)).is_some());
        }
        assert!(table.attempt("Alice", Some("10.0.0.1"), at(899)).is_none());
        assert!(table.attempt("CORP\\alice", Some("10.0.0.1"), at(899)).is_none());
        assert!(table.attempt("alice@corp.example", Some("10.0.0.1"), at(899)).is_none());
        assert!(table.attempt("alice", Some("10.0.0.2"), at(0)).is_some(), "from elsewhere");
        assert!(table.attempt("bob", Some("10.0.0.1"), at(0)).is_some(), "somebody else");
        assert!(table.attempt("alice", Some("10.0.0.1"), at(900)).is_some());
    }

    #[test]
    fn failures_are_forgotten_after_the_window_and_by_a_success() {
        let table = table(|_| ());
        for start in [0, 1000, 2000] {
            for _ in 0..2 {
                assert!(table.attempt("alice", None, at(start)).is_some());
            }
        }
        let attempt = table.attempt("alice", None, at(2000)).unwrap();
        assert!(table.attempt("alice", None, at(2000)).is_none(), "the third is under way");
        table.succeeded(&attempt);
        for _ in 0..3 {
            assert!(table.attempt("alice", None, at(2000)).is_some());
        }
    }

    #[test]
    fn an_attempt_that_nobody_judged_does_not_count() {
        let table = table(|_| ());
        for _ in 0..10 {
            let attempt = table.attempt("alice", Some("a"), at(0)).unwrap();
            table.take_back(&attempt);
        }
        assert!(table.entries().is_empty());
    }

    #[test]
    fn sources_and_accounts_are_counted_where_it_is_said() {
        let of_source = table(|settings| settings.failures_of_source = 2);
        assert!(of_source.attempt("alice", Some("a"), at(0)).is_some());
        assert!(of_source.attempt("bob", Some("a"), at(0)).is_some());
        assert!(of_source.attempt("carol", Some("a"), at(0)).is_none());
        assert!(of_source.attempt("carol", Some("b"), at(0)).is_some());
        let of_account = table(|settings| settings.failures_of_account = 2);
        assert!(of_account.attempt("alice", Some("a"), at(0)).is_some());
        assert!(of_account.attempt("alice", Some("b"), at(0)).is_some());
        assert!(of_account.attempt("alice", Some("c"), at(0)).is_none());
        let off = table(|settings| settings.failures = 0);
        for _ in 0..1000 {
            assert!(off.attempt("alice", Some("a"), at(0)).is_some());
        }
    }

    #[test]
    fn the_table_is_bounded_and_keeps_who_is_locked_out() {
        let table = table(|settings| settings.entries = 100);
        for _ in 0..3 {
            table.attempt("alice", None, at(0)).unwrap();
        }
        for number in 0..10_000 {
            let _counted = table.attempt(&format!("user{number}"), None, at(1 + number / 100));
            assert!(table.entries().len() <= 100);
        }
        assert!(table.attempt("alice", None, at(101)).is_none());
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_nothing_and_locks_nobody_out_for_ever() {
        let table = table(|_| ());
        for _ in 0..3 {
            table.attempt("alice", None, at(10_000)).unwrap();
        }
        assert!(table.attempt("alice", None, at(0)).is_none());
        assert!(table.attempt("alice", None, at(20_000)).is_some());
    }
}
