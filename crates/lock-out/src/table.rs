//! Failed logons: counted by account and source, and whoever has too many waits.
//!
//! An attempt that is under way takes a place of those that may fail, and is a failure when it was judged. So many attempts
//! at once are as good as one after the other, and lock nobody out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crypto::hash::Hash;

use crate::settings::LockOut;

/// The table of failures.
#[derive(Debug)]
pub struct LockOuts {
    settings: LockOut,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    time: SteadyTime,
}

/// Time that does not go back. A clock that is set right after it was ahead would have everybody wait who was locked out in
/// between, for as long as it was wrong: what it is set back by is added from then on.
#[derive(Debug, Default)]
struct SteadyTime {
    last: Option<SystemTime>,
    ahead: Duration,
}

impl SteadyTime {
    fn at(&mut self, now: SystemTime) -> SystemTime {
        if let Some(back) = self.last.and_then(|last| last.duration_since(now).ok()) {
            self.ahead = self.ahead.saturating_add(back);
        }
        self.last = Some(now);
        now.checked_add(self.ahead).unwrap_or(now)
    }
}

/// Of what is counted: a hash, so that no name makes an entry longer.
type Key = [u8; 16];

#[derive(Clone, Copy, Debug)]
struct Entry {
    failures: u32,
    /// Attempts that nobody has judged yet. They are no failures, and lock nobody out.
    under_way: u32,
    /// When the first of the failures was.
    since: SystemTime,
    /// Nobody is let in since then, for as long as the settings say.
    locked: Option<SystemTime>,
}

/// What an attempt is counted by, and how many failures there may be.
#[derive(Debug)]
struct Counted {
    key: Key,
    limit: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// An account from a source.
    Both,
    Source,
    Account,
}

/// An attempt that is under way. Dropped without a verdict it counts for its source alone: whoever has the accounts may have
/// judged it, but nobody has heard of that.
#[derive(Debug)]
pub struct Attempt {
    table: Arc<LockOuts>,
    counted: Vec<Counted>,
    at: SystemTime,
}

impl Attempt {
    /// It was wrong.
    pub fn failed(mut self, now: SystemTime) {
        self.end(Some(now), |_, _| true);
    }

    /// It was right, and so was the rest of the handshake: the account's failures from there are forgotten.
    pub fn succeeded(mut self) {
        self.end(None, |kind, entry| {
            if kind == Kind::Both {
                (entry.failures, entry.locked) = (0, None);
            }
            false
        });
    }

    /// It was neither right nor wrong.
    pub fn take_back(mut self) {
        self.end(None, |_, _| false);
    }

    /// It is not under way any more; where `fails` says so, it has failed, then or when it was made.
    fn end(&mut self, now: Option<SystemTime>, fails: impl Fn(Kind, &mut Entry) -> bool) {
        let counted = core::mem::take(&mut self.counted);
        let mut table = self.table.table();
        let Table { entries, time } = &mut *table;
        let at = now.map_or(self.at, |now| time.at(now));
        for Counted { key, limit, kind } in counted {
            let Some(entry) = entries.get_mut(&key) else { continue };
            entry.under_way = entry.under_way.saturating_sub(1);
            if fails(kind, entry) {
                if entry.failures == 0 {
                    entry.since = at;
                }
                entry.failures = entry.failures.saturating_add(1);
                if entry.failures >= limit {
                    entry.locked = Some(at);
                }
            }
            if entry.failures == 0 && entry.under_way == 0 {
                entries.remove(&key);
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.end(None, |kind, _| kind == Kind::Source);
    }
}

impl LockOuts {
    /// An empty table.
    #[must_use]
    pub fn new(settings: LockOut) -> Self {
        Self { settings, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt to log on; `None` if it must not be made: there were too many failures, or there would be if all
    /// that are under way were wrong.
    pub fn attempt(self: &Arc<Self>, user: &str, source: Option<&str>, now: SystemTime) -> Option<Attempt> {
        let counted = self.counted(user, source);
        let mut table = self.table();
        let Table { entries, time } = &mut *table;
        let now = time.at(now);
        for Counted { key, .. } in &counted {
            match entries.get_mut(key) {
                Some(entry) if !self.is_over(entry, now) => {}
                Some(entry) if entry.under_way > 0 => (entry.failures, entry.locked) = (0, None),
                _ => drop(entries.remove(key)),
            }
        }
        let is_refused = |Counted { key, limit, .. }: &Counted| {
            entries.get(key).is_some_and(|entry| {
                entry.locked.is_some() || entry.failures.saturating_add(entry.under_way) >= *limit
            })
        };
        if counted.iter().any(is_refused) {
            return None;
        }
        for Counted { key, .. } in &counted {
            if !entries.contains_key(key) {
                self.make_room(entries, now);
            }
            let new = Entry { failures: 0, under_way: 0, since: now, locked: None };
            let entry = entries.entry(*key).or_insert(new);
            entry.under_way = entry.under_way.saturating_add(1);
        }
        drop(table);
        Some(Attempt { table: Arc::clone(self), counted, at: now })
    }

    /// By what an attempt is counted. The name counts without a domain before or behind it: a client can write anything
    /// there and mean the same account.
    fn counted(&self, user: &str, source: Option<&str>) -> Vec<Counted> {
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
        let source = source.map(network);
        let source = source.as_deref();
        // What has no limit is not counted.
        let mut counted = Vec::with_capacity(3);
        if failures > 0 {
            let key = key(b"both", &name, source.unwrap_or_default());
            counted.push(Counted { key, limit: failures, kind: Kind::Both });
        }
        if let Some(source) = source.filter(|_| failures_of_source > 0) {
            let key = key(b"source", "", source);
            counted.push(Counted { key, limit: failures_of_source, kind: Kind::Source });
        }
        if failures_of_account > 0 {
            let key = key(b"account", &name, "");
            counted.push(Counted { key, limit: failures_of_account, kind: Kind::Account });
        }
        counted
    }

    /// Whether an entry says nothing any more.
    fn is_over(&self, entry: &Entry, now: SystemTime) -> bool {
        match entry.locked {
            Some(since) => passed(since, now) >= self.settings.duration,
            None => passed(entry.since, now) > self.settings.window,
        }
    }

    /// Makes room for an entry more. What is over goes first, then the older half of those that lock nobody out.
    fn make_room(&self, entries: &mut HashMap<Key, Entry>, now: SystemTime) {
        let most = self.settings.entries.max(1);
        if entries.len() < most {
            return;
        }
        entries.retain(|_, entry| entry.under_way > 0 || !self.is_over(entry, now));
        if entries.len() < most {
            return;
        }
        let mut times: Vec<(bool, SystemTime)> = entries.values().map(rank).collect();
        times.sort_unstable();
        if let Some(middle) = times.get(times.len() / 2).copied() {
            entries.retain(|_, entry| entry.under_way > 0 || rank(entry) > middle);
        }
    }
}

/// What an address is counted by: whoever has one of IPv6 has all of its network, and one of IPv4 is the same in either form.
/// Anything else is what it is.
fn network(source: &str) -> Cow<'_, str> {
    let bare = source.split('%').next().unwrap_or(source);
    let address = bare.parse::<IpAddr>().or_else(|_| source.parse::<SocketAddr>().map(|both| both.ip()));
    match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => Cow::Owned(address.to_string()),
        Ok(IpAddr::V6(address)) => {
            let network = Ipv6Addr::from(u128::from(address) >> 64 << 64);
            Cow::Owned(format!("{network}/64"))
        }
        Err(_) => Cow::Borrowed(source),
    }
}

/// What is forgotten first has the lowest.
const fn rank(entry: &Entry) -> (bool, SystemTime) {
    (entry.locked.is_some(), entry.since)
}

/// The time between the two; none, if two attempts have overtaken each other.
fn passed(since: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(since).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn table(change: impl FnOnce(&mut LockOut)) -> Arc<LockOuts> {
        let mut settings = LockOut { failures: 3, failures_of_source: 0, ..LockOut::default() };
        change(&mut settings);
        Arc::new(LockOuts::new(settings))
    }

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    /// Whether an attempt may be made; it is a failure then.
    fn fails(table: &Arc<LockOuts>, user: &str, source: Option<&str>, now: SystemTime) -> bool {
        let attempt = table.attempt(user, source, now);
        attempt.map(|attempt| attempt.failed(now)).is_some()
    }

    #[test]
    fn who_fails_too_often_waits_and_is_let_in_again() {
        let table = table(|_| ());
        for _ in 0..3 {
            assert!(fails(&table, "alice", Some("10.0.0.1"), at(0)));
        }
        assert!(!fails(&table, "Alice", Some("10.0.0.1"), at(899)));
        assert!(!fails(&table, "CORP\\alice", Some("10.0.0.1"), at(899)));
        assert!(!fails(&table, "alice@corp.example", Some("10.0.0.1"), at(899)));
        assert!(fails(&table, "alice", Some("10.0.0.2"), at(0)), "from elsewhere");
        assert!(fails(&table, "bob", Some("10.0.0.1"), at(0)), "somebody else");
        assert!(fails(&table, "alice", Some("10.0.0.1"), at(900)));
    }

    #[test]
    fn failures_are_forgotten_after_the_window_and_by_a_success() {
        let table = table(|_| ());
        for start in [0, 1000, 2000] {
            for _ in 0..2 {
                assert!(fails(&table, "alice", None, at(start)));
            }
        }
        let attempt = table.attempt("alice", None, at(2000)).unwrap();
        assert!(!fails(&table, "alice", None, at(2000)), "the third is under way");
        attempt.succeeded();
        for _ in 0..3 {
            assert!(fails(&table, "alice", None, at(2000)));
        }
    }

    #[test]
    fn a_success_forgets_the_failures_of_its_account_from_its_source_only() {
        let table = table(|settings| (settings.failures_of_source, settings.failures_of_account) = (4, 4));
        for _ in 0..2 {
            assert!(fails(&table, "alice", Some("a"), at(0)));
        }
        table.attempt("alice", Some("a"), at(0)).unwrap().succeeded();
        assert!(fails(&table, "alice", Some("b"), at(0)) && fails(&table, "bob", Some("a"), at(0)));
        assert!(fails(&table, "alice", Some("a"), at(0)), "the fourth of both");
        assert!(!fails(&table, "alice", Some("c"), at(0)), "of the account");
        assert!(!fails(&table, "carol", Some("a"), at(0)), "of the source");
    }

    #[test]
    fn an_attempt_that_nobody_judged_counts_for_its_source_alone() {
        let table = table(|settings| settings.failures_of_source = 5);
        for _ in 0..5 {
            drop(table.attempt("alice", Some("a"), at(0)).unwrap());
        }
        assert_eq!(table.table().entries.len(), 1);
        assert!(table.attempt("bob", Some("a"), at(0)).is_none());
        assert!(table.attempt("alice", Some("b"), at(0)).is_some());
    }

    #[test]
    fn attempts_that_are_under_way_lock_nobody_out() {
        let table = table(|_| ());
        let begin = || table.attempt("alice", Some("a"), at(0));
        let under_way: Vec<_> = (0..3).map(|_| begin().unwrap()).collect();
        assert!(begin().is_none(), "they are as many as may fail");
        under_way.into_iter().for_each(Attempt::succeeded);
        assert!(table.table().entries.is_empty());
        begin().unwrap().succeeded();
    }

    #[test]
    fn whoever_has_a_network_of_ipv6_has_one_source_and_ipv4_has_one_form() {
        for (one, other) in [
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
            ("2001:db8::1", "[2001:db8:0:0:1::]:445"),
            ("10.0.0.1", "::ffff:10.0.0.1"),
            ("10.0.0.1", "10.0.0.1:50000"),
            ("fe80::1%eth0", "fe80::2"),
        ] {
            assert_eq!(network(one), network(other));
        }
        for (one, other) in
            [("2001:db8::1", "2001:db8:0:1::1"), ("10.0.0.1", "10.0.0.2"), ("a pipe", "another pipe")]
        {
            assert_ne!(network(one), network(other));
        }
        let table = table(|settings| settings.failures_of_source = 2);
        assert!(fails(&table, "alice", Some("2001:db8::1"), at(0)));
        assert!(fails(&table, "bob", Some("2001:db8::2"), at(0)));
        assert!(!fails(&table, "carol", Some("2001:db8::3"), at(0)));
    }

    #[test]
    fn sources_and_accounts_are_counted_where_it_is_said() {
        let of_source = table(|settings| settings.failures_of_source = 2);
        assert!(fails(&of_source, "alice", Some("a"), at(0)));
        assert!(fails(&of_source, "bob", Some("a"), at(0)));
        assert!(!fails(&of_source, "carol", Some("a"), at(0)));
        assert!(fails(&of_source, "carol", Some("b"), at(0)));
        let of_account = table(|settings| settings.failures_of_account = 2);
        assert!(fails(&of_account, "alice", Some("a"), at(0)));
        assert!(fails(&of_account, "alice", Some("b"), at(0)));
        assert!(!fails(&of_account, "alice", Some("c"), at(0)));
        let off = table(|settings| settings.failures = 0);
        for _ in 0..1000 {
            assert!(fails(&off, "alice", Some("a"), at(0)));
        }
    }

    #[test]
    fn the_table_is_bounded_and_keeps_who_is_locked_out() {
        let table = table(|settings| settings.entries = 100);
        for _ in 0..3 {
            assert!(fails(&table, "alice", None, at(0)));
        }
        for number in 0..10_000 {
            fails(&table, &format!("user{number}"), None, at(1 + number / 100));
            assert!(table.table().entries.len() <= 100);
        }
        assert!(!fails(&table, "alice", None, at(101)));
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_nothing_and_locks_nobody_out_for_ever() {
        let table = table(|_| ());
        for _ in 0..3 {
            assert!(fails(&table, "alice", None, at(10_000)));
        }
        assert!(!fails(&table, "alice", None, at(0)));
        assert!(!fails(&table, "alice", None, at(899)));
        assert!(fails(&table, "alice", None, at(900)), "after as long as ever");
        // Nor do failures of a time that was wrong stay for ever.
        assert!(fails(&table, "bob", None, at(1_000_000)) && fails(&table, "bob", None, at(1_000_000)));
        assert!(fails(&table, "carol", None, at(1_000)), "the clock is set right");
        assert!(fails(&table, "bob", None, at(1_901)), "they are forgotten after the window");
        for _ in 0..2 {
            assert!(fails(&table, "bob", None, at(1_901)));
        }
        assert!(!fails(&table, "bob", None, at(1_901)));
    }

    #[test]
    fn a_lock_out_of_years_is_no_overflow() {
        let table = table(|settings| settings.duration = Duration::MAX);
        for _ in 0..3 {
            assert!(fails(&table, "alice", None, at(0)));
        }
        assert!(!fails(&table, "alice", None, at(u32::MAX.into())));
    }
}
