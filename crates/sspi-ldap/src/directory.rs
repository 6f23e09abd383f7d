//! The directory: connections that are shared, what is remembered, and a server that is down.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use ldap3::{Ldap, LdapError, Scope, SearchOptions};
use sspi_core::{CredentialsHandle, Error, Fault, FoundAccount, PeerIdentity, SecStatus};
use sspi_tokio::AccountDirectory;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::absent::Absent;
use crate::connection::{self, failed, unreachable_server};
use crate::entry::{ATTRIBUTES, Entry, domain_of};
use crate::filter::filter;
use crate::options::Options;

/// As many entries are too many. One is usual, and more than one mostly nobody's account.
const MOST_ENTRIES: usize = 4;

/// There were more entries than were wanted, or than the server gives.
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// The base does not exist.
const NO_SUCH_OBJECT: u32 = 32;

/// An account directory on LDAP.
///
/// Cloning is cheap; every clone shares connections and what is remembered. It is used inside a runtime of tokio with IO and
/// time enabled.
///
/// - A question that fails on a connection that had been used before is asked once more on a new one: servers close what is
///   idle.
/// - That there is *no* account is remembered for a short while. That there is one never is: it may have been disabled.
/// - A server that cannot be connected to (TLS and bind included) is not asked again for a short while. Every question in that
///   time fails at once, and then one tries again.
/// - A question that goes wrong on a connection fails alone: it is made of what a peer has in its certificate, and no peer may
///   keep others from being asked about. The connection is given up.
#[derive(Clone)]
pub struct LdapDirectory(Arc<Shared>);

struct Shared {
    options: Options,
    tls: Option<Arc<dyn CredentialsHandle>>,
    connections: Vec<Mutex<Option<Connection>>>,
    /// The connection whose turn it is.
    turn: AtomicUsize,
    /// Numbers connections.
    opened: AtomicU64,
    absent: Absent,
    /// The server that is asked for connections first: the last one that gave one.
    server: AtomicUsize,
    /// How many questions are asked on a connection.
    questions: u32,
    down: Lock<Option<Down>>,
}

struct Connection {
    ldap: Ldap,
    number: u64,
    /// How many questions more are asked on it.
    left: u32,
}

/// After so many questions a connection goes, and another comes: the library keeps four bytes of each for as long as the
/// connection lives.
const MOST_QUESTIONS: u32 = 10_000;

/// What is asked.
struct Question {
    filter: String,
    /// The principal name, if it is one.
    upn: Option<String>,
}

/// There was no connection to the server.
struct Down {
    error: Error,
    /// From when on somebody may try again.
    until: Instant,
}

/// Why a search has no answer.
enum Failure {
    /// There is no connection.
    Down(Error),
    /// The connection is worth nothing any more.
    Connection(Error),
    /// The server has answered, and will again.
    Server(Error),
}

impl LdapDirectory {
    /// A directory. `tls` is an outbound credential of a stream package; without one only
    /// [`Protection::None`](crate::Protection::None) can be used. Nothing is connected yet.
    ///
    /// # Errors
    /// Options that cannot be, with the setting.
    pub fn new(options: Options, tls: Option<Arc<dyn CredentialsHandle>>) -> Result<Self, Error> {
        options.check()?;
        let connections = (0..options.connections).map(|_| Mutex::new(None)).collect();
        Ok(Self(Arc::new(Shared {
            options,
            tls,
            connections,
            turn: AtomicUsize::new(0),
            opened: AtomicU64::new(0),
            absent: Absent::default(),
            server: AtomicUsize::new(0),
            questions: MOST_QUESTIONS,
            down: Lock::default(),
        })))
    }
}

fn lock<T>(lock: &Lock<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl AccountDirectory for LdapDirectory {
    async fn find(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        let Some(question) = self.0.question(peer) else { return Ok(Vec::new()) };
        let name = self.0.absent.name(peer);
        if self.0.absent.has(name) {
            return Ok(Vec::new());
        }
        self.0.check_down()?;
        // A task of its own: whoever asks may be given up in the middle, and what the library makes of a broken answer stays
        // in here.
        let (shared, turn) = (Arc::clone(&self.0), self.0.turn.fetch_add(1, Ordering::Relaxed));
        let found = match tokio::spawn(async move { shared.ask(turn, &question).await }).await {
            Ok(found) => found,
            Err(error) => {
                if let Some(place) = self.0.place(turn) {
                    *place.lock().await = None;
                }
                let what = format!("the directory {} sent what cannot be read", self.0.options.name());
                Err(Failure::Connection(failed(what).with_source(error)))
            }
        };
        match found {
            Ok(found) => {
                self.0.is_up();
                if found.is_empty() {
                    self.0.absent.remember(name, self.0.options.absent_for);
                }
                Ok(found)
            }
            Err(Failure::Server(error)) => {
                self.0.is_up();
                Err(error)
            }
            // What somebody's certificate makes of a question is no reason to ask nothing of others.
            Err(Failure::Connection(error)) => Err(error),
            Err(Failure::Down(error)) => {
                self.0.is_down(&error);
                Err(error)
            }
        }
    }
}

impl Shared {
    /// What is asked about a peer; `None` for what no directory can answer.
    fn question(&self, peer: &PeerIdentity) -> Option<Question> {
        let domain = domain_of(&self.options.base);
        let upn = match peer {
            PeerIdentity::UserPrincipalName(upn) => Some(upn.clone()),
            _ => None,
        };
        Some(Question { filter: filter(peer, &self.options.classes, domain.as_deref())?, upn })
    }

    /// # Errors
    /// It was down, and it is not time to try again.
    fn check_down(&self) -> Result<(), Error> {
        let (now, mut down) = (Instant::now(), lock(&self.down));
        match down.as_mut() {
            Some(down) if now < down.until => Err(down.error.clone()),
            Some(down) => {
                // Whoever comes first tries; the others wait for how that ends.
                down.until = now + self.options.down_for;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn is_down(&self, error: &Error) {
        let until = Instant::now() + self.options.down_for;
        let before = lock(&self.down).replace(Down { error: error.clone(), until });
        if before.is_none() {
            tracing::error!(server = %self.options.name(), %error, "the account directory is down");
        }
    }

    fn is_up(&self) {
        if lock(&self.down).take().is_some() {
            tracing::info!(server = %self.options.name(), "the account directory is back");
        }
    }

    /// The place of the connection whose turn it is.
    fn place(&self, turn: usize) -> Option<&Mutex<Option<Connection>>> {
        self.connections.get(turn % self.connections.len().max(1))
    }

    /// The accounts, before the deadline.
    async fn ask(&self, turn: usize, question: &Question) -> Result<Vec<FoundAccount>, Failure> {
        let Some(place) = self.place(turn) else {
            return Err(Failure::Down(failed("there is no connection to the directory")));
        };
        let until = Instant::now() + self.options.deadline;
        let connection = timeout_at(until, self.connection(place)).await;
        let (mut ldap, number, is_new) =
            connection.map_err(|_| self.late()).flatten().map_err(Failure::Down)?;
        match self.ask_on(place, (&mut ldap, number), question, until).await {
            Err(Failure::Connection(_)) if !is_new && Instant::now() < until => {}
            answered => return answered,
        }
        // It is the first question's fault if there is no time left to connect.
        let connection = timeout_at(until, self.connection(place)).await;
        let connection = connection.map_err(|_| Failure::Connection(self.late()))?;
        let (mut ldap, number, _) = connection.map_err(Failure::Down)?;
        self.ask_on(place, (&mut ldap, number), question, until).await
    }

    /// The answer that comes on a connection, which is given up if it is worth nothing.
    async fn ask_on(
        &self,
        place: &Mutex<Option<Connection>>,
        (ldap, number): (&mut Ldap, u64),
        question: &Question,
        until: Instant,
    ) -> Result<Vec<FoundAccount>, Failure> {
        let answered = timeout_at(until, self.search(ldap, question)).await;
        // What is silent now may be so for good.
        let answered = answered.unwrap_or_else(|_| Err(Failure::Connection(self.late())));
        if let Err(Failure::Connection(_)) = answered {
            place.lock().await.take_if(|connection| connection.number == number);
        }
        answered
    }

    /// The deadline is over.
    fn late(&self) -> Error {
        let (servers, deadline) = (self.options.name(), self.options.deadline);
        failed(format!("the directory {servers} did not answer within {deadline:?}"))
            .with_setting("directory.deadline")
    }

    /// The connection in this place, opened if there is none: its number, and whether it is new.
    async fn connection(&self, place: &Mutex<Option<Connection>>) -> Result<(Ldap, u64, bool), Error> {
        let mut connection = place.lock().await;
        connection.take_if(|connection| connection.left == 0);
        if let Some(Connection { ldap, number, left }) = connection.as_mut() {
            *left -= 1;
            return Ok((ldap.clone(), *number, false));
        }
        let ldap = self.open().await?;
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        *connection = Some(Connection { ldap: ldap.clone(), number, left: self.questions - 1 });
        self.is_up();
        Ok((ldap, number, true))
    }

    /// A connection to the first server that gives one, beginning with the one that gave the last.
    async fn open(&self) -> Result<Ldap, Error> {
        let servers = &self.options.servers;
        let first = self.server.load(Ordering::Relaxed);
        // One that is silent leaves time for the others.
        let share = self.options.deadline / u32::try_from(servers.len()).unwrap_or(u32::MAX).max(1);
        let mut result = Err(failed("there is no server of the directory"));
        for at in (0..servers.len()).map(|step| first.wrapping_add(step) % servers.len()) {
            let Some(server) = servers.get(at) else { continue };
            let opening = connection::open(&self.options, server, self.tls.as_ref());
            result = match tokio::time::timeout(share, opening).await {
                Ok(Ok(ldap)) => {
                    self.server.store(at, Ordering::Relaxed);
                    return Ok(ldap);
                }
                Ok(failed) => failed,
                Err(_) => Err(self.late()),
            };
            if let Err(error) = &result {
                tracing::debug!(%server, %error, "a server of the account directory gives no connection");
            }
        }
        result
    }

    async fn search(&self, ldap: &mut Ldap, question: &Question) -> Result<Vec<FoundAccount>, Failure> {
        let lost = |error: LdapError| Failure::Connection(unreachable_server(&self.options.name(), error));
        let limit = i32::try_from(MOST_ENTRIES).unwrap_or_default();
        ldap.with_search_options(
            SearchOptions::new().sizelimit(limit).timelimit(time_limit(self.options.deadline)),
        );
        let base = self.options.base.as_str();
        let mut stream = ldap
            .streaming_search(base, Scope::Subtree, &question.filter, ATTRIBUTES.to_vec())
            .await
            .map_err(lost)?;
        let mut found = Vec::new();
        while let Some(entry) = stream.next().await.map_err(lost)? {
            // Other parts of the forest, which are not asked; and messages about the search.
            if entry.is_ref() || entry.is_intermediate() {
                continue;
            }
            if found.len() == MOST_ENTRIES {
                // It does not obey the limit, and there is no telling how many more are coming.
                return Err(Failure::Connection(self.too_many()));
            }
            let entry = Entry::read(entry.0);
            let now = SystemTime::now();
            let account = entry.and_then(|entry| {
                entry.account(self.options.domain.as_deref(), question.upn.as_deref(), now)
            });
            found.push(account.ok_or_else(|| {
                let what = format!("the directory {} has an entry without a name", self.options.name());
                Failure::Server(failed(what))
            })?);
        }
        match stream.finish().await.rc {
            0 if found.len() < MOST_ENTRIES => Ok(found),
            // The server's limit may be lower than ours.
            0 | SIZE_LIMIT_EXCEEDED => Err(Failure::Server(self.too_many())),
            NO_SUCH_OBJECT => {
                let what = format!("the directory {} has no entry {base:?}", self.options.name());
                Err(Failure::Server(failed(what).with_setting("directory.base")))
            }
            result => {
                let what = format!("the directory {} does not answer (result {result})", self.options.name());
                Err(Failure::Server(failed(what)))
            }
        }
    }

    /// Some of the accounts are none of them: which one is meant can only be said of all.
    fn too_many(&self) -> Error {
        let what = format!("the directory {} has more accounts than can be judged", self.options.name());
        Error::new(SecStatus::SEC_E_MULTIPLE_ACCOUNTS, Fault::Configuration, what).with_setting("directory")
    }
}

/// In seconds: the server is to give up before we do, so that the connection survives the question.
fn time_limit(deadline: Duration) -> i32 {
    i32::try_from(deadline.as_secs()).unwrap_or(i32::MAX).saturating_sub(1).max(1)
}

impl fmt::Debug for LdapDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LdapDirectory").field("options", &self.0.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
