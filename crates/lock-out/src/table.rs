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
    /// Whose failures they are.
    whose: Whose,
}

/// Of whom failures are that are counted by a name without its domain: who has an account of the same name in another one
/// must not have the failures forgotten that he makes with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Nobodys,
    /// Of one account, as it is called in full: a hash of that.
    Of(Key),
    /// Of several.
    Several,
}

impl Whose {
    fn add(&mut self, account: Key) {
        *self = match *self {
            Self::Nobodys => Self::Of(account),
            Self::Of(one) if one == account => Self::Of(one),
            Self::Of(_) | Self::Several => Self::Several,
        };
    }
}

impl Entry {
    fn forget(&mut self) {
        (self.failures, self.locked, self.whose) = (0, None, Whose::Nobodys);
    }
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
    /// What is counted already: it is looked up once more, and that is all.
    StandIn,
}

impl Kind {
    /// How many places an attempt takes.
    const fn places(self) -> u32 {
        match self {
            Self::Both | Self::Source | Self::Account => 1,
            Self::StandIn => 0,
        }
    }
}

/// Who logs on, as far as that is known before it is judged.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The name that was sent; none if it is not known yet whose it is.
    pub user: Option<&'a str>,
    /// The domain that was sent beside it; may be empty.
    pub domain: &'a str,
    /// Where from.
    pub source: Option<&'a str>,
    /// It shows something that only somebody has who has logged on before. Others who share its source lock it out no more;
    /// what it does wrong counts as ever.
    pub is_known: bool,
}

impl<'a> Who<'a> {
    /// Somebody of whom nothing else is known.
    #[must_use]
    pub const fn new(user: &'a str, source: Option<&'a str>) -> Self {
        Self { user: Some(user), domain: "", source, is_known: false }
    }
}

/// An attempt that is under way. Dropped without a verdict it counts for its source alone: whoever has the accounts may have
/// judged it, but nobody has heard of that.
#[derive(Debug)]
pub struct Attempt {
    table: Arc<LockOuts>,
    counted: Vec<Counted>,
    /// By what the source is counted.
    source: Option<Box<str>>,
    /// Who it is, as that was sent or as it is known.
    account: Key,
    at: SystemTime,
}

impl Attempt {
    /// The account that the name belongs to is called so: an account of several names may fail as often as one. `None` if the
    /// attempt must not be made after all, which counts for nobody.
    #[must_use]
    pub fn known_as(mut self, name: &str, domain: Option<&str>) -> Option<Self> {
        if name.is_empty() {
            return Some(self);
        }
        self.account = in_full(name, domain.unwrap_or_default());
        let table = Arc::clone(&self.table);
        let mut counted = table.of_account(name, self.source.as_deref());
        for new in &mut counted {
            // Whether it was another name is not told by the time.
            if self.counted.iter().any(|old| old.key == new.key) {
                new.kind = Kind::StandIn;
            }
        }
        if table.enter(&counted, self.at, false) {
            self.counted.append(&mut counted);
            return Some(self);
        }
        self.take_back();
        None
    }

    /// It was wrong.
    pub fn failed(mut self, now: SystemTime) {
        self.end(Some(now), |_, _| true);
    }

    /// It was right, and so was the rest of the handshake: the account's failures from there are forgotten, where they are
    /// nobody else's of the same name.
    pub fn succeeded(mut self) {
        let account = self.account;
        self.end(None, |kind, entry| {
            if kind == Kind::Both && entry.whose == Whose::Of(account) {
                entry.forget();
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
            entry.under_way = entry.under_way.saturating_sub(kind.places());
            if kind != Kind::StandIn && fails(kind, entry) {
                if entry.failures == 0 {
                    entry.since = at;
                }
                entry.failures = entry.failures.saturating_add(1);
                entry.whose.add(self.account);
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
    pub fn attempt(self: &Arc<Self>, who: Who<'_>, now: SystemTime) -> Option<Attempt> {
        let source = who.source.map(network);
        let counted = self.counted(who.user, source.as_deref());
        let at = self.table().time.at(now);
        self.enter(&counted, at, who.is_known).then(|| {
            let source = source.as_deref().map(Into::into);
            let account = in_full(who.user.unwrap_or_default(), who.domain);
            Attempt { table: Arc::clone(self), counted, source, account, at }
        })
    }

    /// Whether there were too many failures, whatever is under way: nobody needs to be asked about who it is.
    pub fn refuses(&self, who: Who<'_>, now: SystemTime) -> bool {
        let source = who.source.map(network);
        let counted = self.counted(who.user, source.as_deref());
        let mut table = self.table();
        let now = table.time.at(now);
        let entry =
            |Counted { key, .. }: &Counted| table.entries.get(key).filter(|entry| !self.is_over(entry, now));
        let has_failed = |one: &Counted| {
            entry(one).is_some_and(|entry| entry.locked.is_some() || entry.failures >= one.limit)
        };
        counted.iter().any(|one| !is_excused(who.is_known, one) && has_failed(one))
    }

    /// Has an attempt take its place of all that it is counted by, if there is one of each.
    fn enter(&self, counted: &[Counted], now: SystemTime, is_known: bool) -> bool {
        let mut table = self.table();
        let Table { entries, .. } = &mut *table;
        for Counted { key, .. } in counted {
            match entries.get_mut(key) {
                Some(entry) if !self.is_over(entry, now) => {}
                Some(entry) if entry.under_way > 0 => entry.forget(),
                _ => drop(entries.remove(key)),
            }
        }
        let is_refused = |one: &&Counted| {
            let is_full = entries.get(&one.key).is_some_and(|entry| {
                entry.locked.is_some() || entry.failures.saturating_add(entry.under_way) >= one.limit
            });
            is_full && one.kind != Kind::StandIn
        };
        if counted.iter().filter(|one| !is_excused(is_known, one)).any(|one| is_refused(&one)) {
            return false;
        }
        for Counted { key, kind, .. } in counted {
            if !entries.contains_key(key) {
                self.make_room(entries, now);
            }
            let new = Entry { failures: 0, under_way: 0, since: now, locked: None, whose: Whose::Nobodys };
            let entry = entries.entry(*key).or_insert(new);
            entry.under_way = entry.under_way.saturating_add(kind.places());
        }
        true
    }

    /// By what an attempt is counted. What has no limit is not counted.
    fn counted(&self, user: Option<&str>, source: Option<&str>) -> Vec<Counted> {
        let limit = self.settings.failures_of_source;
        let mut counted = user.map_or_else(Vec::new, |user| self.of_account(user, source));
        if let Some(source) = source.filter(|_| limit > 0) {
            counted.push(Counted { key: key(b"source", "", source), limit, kind: Kind::Source });
        }
        counted
    }

    /// By what an account is counted. The name counts without a domain before or behind it: a client can write anything
    /// there and mean the same account.
    fn of_account(&self, user: &str, source: Option<&str>) -> Vec<Counted> {
        let LockOut { failures, failures_of_account, .. } = self.settings;
        let name = user.rsplit('\\').next().unwrap_or(user);
        let name = name.split('@').next().unwrap_or(name).to_lowercase();
        let both = (b"both".as_slice(), source.unwrap_or_default(), failures, Kind::Both);
        let account = (b"account".as_slice(), "", failures_of_account, Kind::Account);
        let all = [both, account].into_iter().filter(|(_, _, limit, _)| *limit > 0);
        all.map(|(word, source, limit, kind)| Counted { key: key(word, &name, source), limit, kind })
            .collect()
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

/// Whether its source's failures do not stop an attempt.
fn is_excused(is_known: bool, counted: &Counted) -> bool {
    is_known && counted.kind == Kind::Source
}

/// An account by its whole name.
fn in_full(name: &str, domain: &str) -> Key {
    // In one, so that an account without a domain takes no less.
    key(b"whole", &[name, "\n", domain].concat().to_lowercase(), "")
}

fn key(word: &[u8], name: &str, source: &str) -> Key {
    let mut hash = Hash::Sha256.context();
    let length = u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes();
    [word, &length, name.as_bytes(), source.as_bytes()].into_iter().for_each(|part| hash.update(part));
    hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
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
        let attempt = table.attempt(Who::new(user, source), now);
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
    fn an_account_that_is_known_by_the_name_that_was_sent_takes_one_place() {
        let table = table(|settings| settings.failures_of_account = 3);
        let attempt = |now| {
            let attempt = table.attempt(Who::new("Alice", Some("10.0.0.1")), now)?;
            attempt.known_as("alice", Some("CORP"))
        };
        let under_way: Vec<Attempt> = (0..3).filter_map(|_| attempt(at(0))).collect();
        assert_eq!(under_way.len(), 3);
        assert!(attempt(at(0)).is_none(), "the fourth");
        under_way.into_iter().for_each(Attempt::take_back);
        assert_eq!(table.table().entries.len(), 0, "nothing is left of them");
        for _ in 0..3 {
            attempt(at(0)).unwrap().failed(at(0));
        }
        assert!(attempt(at(0)).is_none(), "it has failed three times");
    }

    #[test]
    fn failures_are_forgotten_after_the_window_and_by_a_success() {
        let table = table(|_| ());
        for start in [0, 1000, 2000] {
            for _ in 0..2 {
                assert!(fails(&table, "alice", None, at(start)));
            }
        }
        let attempt = table.attempt(Who::new("alice", None), at(2000)).unwrap();
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
        table.attempt(Who::new("alice", Some("a")), at(0)).unwrap().succeeded();
        assert!(fails(&table, "alice", Some("b"), at(0)) && fails(&table, "bob", Some("a"), at(0)));
        assert!(fails(&table, "alice", Some("a"), at(0)), "the fourth of both");
        assert!(!fails(&table, "alice", Some("c"), at(0)), "of the account");
        assert!(!fails(&table, "carol", Some("a"), at(0)), "of the source");
    }

    #[test]
    fn an_attempt_that_nobody_judged_counts_for_its_source_alone() {
        let table = table(|settings| settings.failures_of_source = 5);
        for _ in 0..5 {
            drop(table.attempt(Who::new("alice", Some("a")), at(0)).unwrap());
        }
        assert_eq!(table.table().entries.len(), 1);
        assert!(table.attempt(Who::new("bob", Some("a")), at(0)).is_none());
        assert!(table.attempt(Who::new("alice", Some("b")), at(0)).is_some());
    }

    #[test]
    fn who_is_known_is_let_through_where_its_source_is_locked_out_and_counts_as_ever() {
        let table = table(|settings| settings.failures_of_source = 3);
        for user in ["bob", "carol", "dave"] {
            assert!(fails(&table, user, Some("a"), at(0)));
        }
        let (stranger, known) =
            (Who::new("alice", Some("a")), Who { is_known: true, ..Who::new("alice", Some("a")) });
        assert!(table.refuses(stranger, at(0)) && table.attempt(stranger, at(0)).is_none());
        assert!(table.refuses(Who { user: None, ..stranger }, at(0)), "whoever it is");
        for _ in 0..3 {
            assert!(!table.refuses(known, at(0)));
            table.attempt(known, at(0)).unwrap().failed(at(0));
        }
        assert!(table.refuses(known, at(0)) && table.attempt(known, at(0)).is_none(), "its own failures");
        assert!(table.refuses(Who { user: None, ..stranger }, at(899)), "which are those of its source, too");
        assert!(!table.refuses(stranger, at(900)));
    }

    #[test]
    fn what_is_under_way_has_nobody_refused_before_it_is_judged() {
        let table = table(|_| ());
        let who = Who::new("alice", Some("a"));
        let _under_way: Vec<_> = (0..3).map(|_| table.attempt(who, at(0)).unwrap()).collect();
        assert!(!table.refuses(who, at(0)) && table.attempt(who, at(0)).is_none());
    }

    #[test]
    fn an_account_of_several_names_may_fail_as_often_as_one() {
        let table = table(|_| ());
        let fails = |name| {
            let attempt = table.attempt(Who::new(name, Some("a")), at(0))?;
            attempt.known_as("alice", None).map(|attempt| attempt.failed(at(0)))
        };
        assert!(fails("alice").is_some() && fails("a.liddell@corp").is_some() && fails("liddell").is_some());
        for name in ["alice", "a.liddell", "liddell", "another"] {
            assert!(fails(name).is_none(), "{name}");
        }
        let who = Who::new("another", Some("a"));
        assert!(table.attempt(who, at(0)).is_some(), "what was not judged counted for nobody");
        let attempt =
            table.attempt(Who::new("bob", Some("a")), at(0)).unwrap().known_as("BOB", None).unwrap();
        let places: u32 = attempt.counted.iter().map(|one| one.kind.places()).sum();
        assert_eq!(places, 1, "a name counts once");
    }

    /// Who has an account of the same name elsewhere logs on with it between two guesses.
    #[test]
    fn a_success_of_a_namesake_forgets_nothing() {
        for known in [false, true] {
            let table = table(|_| ());
            let attempt = |domain| {
                let who = Who { domain, ..Who::new("alice", Some("a")) };
                let attempt = table.attempt(who, at(0))?;
                if known { attempt.known_as("alice", Some(domain)) } else { Some(attempt) }
            };
            let guess = |domain| attempt(domain).map(|attempt| attempt.failed(at(0))).is_some();
            assert!(guess("CORP") && guess("CORP"));
            attempt("OTHER").unwrap().succeeded();
            assert!(guess("OTHER"), "nor does a failure of his own make them his");
            assert!(attempt("OTHER").is_none() && !guess("CORP"));
            // His own are forgotten as ever.
            let table = self::table(|_| ());
            let who = Who { domain: "OTHER", ..Who::new("alice", Some("a")) };
            for _ in 0..5 {
                table.attempt(who, at(0)).unwrap().failed(at(0));
                table.attempt(Who { domain: "other", ..who }, at(0)).unwrap().succeeded();
            }
        }
    }

    #[test]
    fn attempts_that_are_under_way_lock_nobody_out() {
        let table = table(|_| ());
        let begin = || table.attempt(Who::new("alice", Some("a")), at(0));
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
