//! Redis as a [`SessionStore`].

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use crypto::random::SystemRandom;
use redis::{Client, Cmd, FromRedisValue, RedisError, cmd};
use sspi_tokio::SessionStore;
use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::key_ring::{FarmKey, KeyRing};
use crate::sealed;

/// Sessions in one Redis. It is connected to when it is first needed, and again whenever it has gone.
pub struct RedisSessions {
    keys: KeyRing,
    connection: Connection,
}

/// The store cannot be where it is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUrl {
    what: String,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; write it as redis://HOST:PORT/DATABASE or unix:///PATH", self.what)
    }
}

impl Error for BadUrl {}

/// A session that is in Redis, as far as that can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Bytes of its value.
    pub size: usize,
    /// How long it will still be kept; `None` where Redis does not say.
    pub left: Option<Duration>,
    /// Whether our keys open it.
    pub is_ours: bool,
}

/// Sessions that are in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Them, in the order of their names.
    pub sessions: Vec<Listed>,
    /// Whether these are all that there are.
    pub is_all: bool,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Redis's error as that of a store. It names no values.
fn failed(error: &RedisError) -> io::Error {
    io::Error::other(error.to_string())
}

/// The same of a command that writes. What Redis itself says of one (it has no memory left, it is a replica, its disk is
/// full, this user may not) is no reason not to ask it for what is there.
fn not_written(error: &RedisError) -> io::Error {
    match error.code() {
        Some("OOM") => {
            let full = "Redis has no memory left for more (maxmemory)";
            io::Error::new(io::ErrorKind::StorageFull, full)
        }
        Some(_) => io::Error::new(io::ErrorKind::StorageFull, format!("Redis does not write: {error}")),
        None => failed(error),
    }
}

/// A value that is longer is no session of ours: a session and a peer's certificates have less.
const LONGEST_VALUE: usize = 96 << 10;

impl RedisSessions {
    /// Sessions in the Redis at `url`, sealed with `keys`. Nothing is connected yet.
    ///
    /// # Errors
    /// The address cannot be read, or wants TLS, which is not there: values are sealed in any case.
    pub fn new(url: &str, keys: KeyRing) -> Result<Self, BadUrl> {
        let bad = |what: &str| BadUrl { what: what.to_owned() };
        if url.starts_with("rediss:") {
            return Err(bad("Redis over TLS is not supported"));
        }
        // What the parser says may quote the address, and that a password.
        let client = Client::open(url).map_err(|_| bad("the address of Redis cannot be read"))?;
        Ok(Self { keys, connection: Connection::new(client) })
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> io::Result<T> {
        self.connection.query(command).await.map_err(|error| failed(&error))
    }

    async fn write(&self, command: &Cmd) -> io::Result<()> {
        self.connection.query(command).await.map_err(|error| not_written(&error))
    }

    /// What is there under a name, as far as it can be a session.
    async fn value(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        // Not even of what is too long more comes than that.
        let mut range = cmd("GETRANGE");
        range.arg(name).arg(0).arg(LONGEST_VALUE);
        match self.connection.query::<Vec<u8>>(&range).await {
            Ok(value) => Ok(Some(value).filter(|value| (1..=LONGEST_VALUE).contains(&value.len()))),
            // It is no string.
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn names(&self, key: &[u8]) -> Vec<String> {
        self.keys.keys().map(|farm_key| sealed::name(farm_key, key)).collect()
    }

    /// One page of names, and where the next begins; there is none behind 0.
    async fn page(&self, cursor: u64) -> io::Result<(u64, Vec<String>)> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{}*", sealed::PREFIX)).arg("COUNT").arg(1000);
        self.query(&scan).await
    }

    /// Sessions that are there, so many at most: there may be millions.
    ///
    /// # Errors
    /// Redis cannot be asked.
    pub async fn list(&self, most: usize) -> io::Result<Listing> {
        let (mut names, mut cursor) = (BTreeSet::new(), 0);
        let is_all = loop {
            let (next, some) = self.page(cursor).await?;
            names.extend(some);
            cursor = next;
            if cursor == 0 || names.len() > most {
                break names.len() <= most;
            }
        };
        let mut sessions = Vec::new();
        for name in names.into_iter().take(most) {
            let Some(value) = self.value(&name).await? else { continue };
            let left: i64 = self.query(cmd("TTL").arg(&name)).await?;
            sessions.push(Listed {
                is_ours: sealed::open(&self.keys, &name, &value, now()).is_some(),
                size: value.len(),
                left: u64::try_from(left).ok().map(Duration::from_secs),
                name,
            });
        }
        Ok(Listing { sessions, is_all })
    }

    /// Forgets all sessions, also those of other keys; how many they were.
    ///
    /// # Errors
    /// Redis cannot be asked.
    pub async fn clear(&self) -> io::Result<usize> {
        let (mut gone, mut cursor) = (0, 0);
        loop {
            let (next, some) = self.page(cursor).await?;
            if !some.is_empty() {
                let count: usize = self.query(cmd("DEL").arg(some)).await?;
                gone += count;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(gone);
            }
        }
    }
}

/// The command that keeps a session under a key of the farm; `None` for one whose time is over.
fn keeping(farm_key: &FarmKey, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<Option<Cmd>> {
    let seconds = lifetime.as_secs();
    if seconds == 0 {
        return Ok(None);
    }
    let name = sealed::name(farm_key, key);
    let value = sealed::seal(farm_key, &name, now().saturating_add(seconds), session, &SystemRandom)
        .ok_or_else(|| io::Error::other("a session could not be sealed"))?;
    let mut set = cmd("SET");
    set.arg(name).arg(value).arg("EX").arg(seconds);
    Ok(Some(set))
}

#[async_trait]
impl SessionStore for RedisSessions {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        for name in self.names(key) {
            if let Some(value) = self.value(&name).await?
                && let Some((_, session)) = sealed::open(&self.keys, &name, &value, now())
            {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    async fn put(&self, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()> {
        match keeping(&self.keys.first, key, session, lifetime)? {
            Some(set) => self.write(&set).await,
            None => Ok(()),
        }
    }

    async fn renew(&self, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()> {
        // One that was made before the keys were changed lies under the name that it has by an older one.
        for farm_key in self.keys.keys() {
            let Some(mut set) = keeping(farm_key, key, session, lifetime)? else { return Ok(()) };
            // Whoever has removed it meanwhile has the last word.
            let set = set.arg("XX");
            let kept: Option<String> =
                self.connection.query(set).await.map_err(|error| not_written(&error))?;
            if kept.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        self.write(cmd("DEL").arg(self.names(key))).await
    }
}

impl fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").field("keys", &self.keys).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_read_is_refused_without_its_password() {
        for url in ["http://user:hunter2@host/", "rediss://:hunter2@host/", "redis://:hunter2@host:port/", ""]
        {
            let ring = KeyRing::new(vec![FarmKey::read(&[1; 32]).unwrap()]).unwrap();
            let error = RedisSessions::new(url, ring).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.contains("redis://HOST"), "{error}");
        }
    }
}
