//! Redis as a [`SessionStore`].

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use crypto::random::SystemRandom;
use redis::{Client, Cmd, IntoConnectionInfo as _, ProtocolVersion, RedisError, cmd};
use sspi_tokio::SessionStore;
use zeroize::Zeroizing;

use crate::connection::Connection;
use crate::key_ring::{FarmKey, KeyRing};
use crate::link::{Farm, Link};
use crate::removals::{Mark, Removals};
use crate::sealed::{self, Sealed};

/// Sessions in one Redis. It is connected to when it is first asked, and again whenever it has gone.
///
/// A session that was removed is taken up by no machine any more, also if somebody puts it back: machines tell each other over
/// channels of the same Redis (`opensspi:removed:…`). One that finds no other to ask when it connects takes up what is made
/// from then on only.
pub struct RedisSessions {
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
    /// Sessions in the Redis (6 or later) at `url`, sealed with `keys`, whose lookups end at `deadline`. Nothing is
    /// connected yet.
    ///
    /// # Errors
    /// The address cannot be read, or wants TLS, which is not there: values are sealed in any case.
    pub fn new(url: &str, keys: KeyRing, deadline: Duration) -> Result<Self, BadUrl> {
        let bad = |what: &str| BadUrl { what: what.to_owned() };
        if url.starts_with("rediss:") {
            return Err(bad("Redis over TLS is not supported"));
        }
        // What the parser says may quote the address, and that a password.
        let unread = |_| bad("the address of Redis cannot be read");
        let info = url.into_connection_info().map_err(unread)?;
        // What machines tell each other comes between the answers.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings)).map_err(unread)?;
        Ok(Self { connection: Connection::new(client, Farm::new(keys, deadline)) })
    }

    async fn link(&self) -> io::Result<Arc<Link>> {
        self.connection.link().await.map_err(|error| failed(&error))
    }

    /// What is there under a name, as far as it can be a session.
    async fn value(&self, link: &Arc<Link>, name: &str) -> io::Result<Option<Vec<u8>>> {
        // Not even of what is too long more comes than that.
        let mut range = cmd("GETRANGE");
        range.arg(name).arg(0).arg(LONGEST_VALUE);
        match self.connection.query::<Vec<u8>>(link, &range).await {
            Ok(value) => Ok(Some(value).filter(|value| (1..=LONGEST_VALUE).contains(&value.len()))),
            // It is no string.
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// One page of names, and where the next begins; there is none behind 0.
    async fn page(&self, link: &Arc<Link>, cursor: u64) -> io::Result<(u64, Vec<String>)> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{}*", sealed::PREFIX)).arg("COUNT").arg(1000);
        self.connection.query(link, &scan).await.map_err(|error| failed(&error))
    }

    /// Tells the others that these are removed, by the names that they have under each key, and removes them; how many there
    /// were.
    async fn remove_names(
        &self,
        link: &Arc<Link>,
        names: impl Fn(&FarmKey) -> Vec<String>,
    ) -> io::Result<usize> {
        let mut delete = cmd("DEL");
        for (key, removals) in link.with_keys() {
            let names = names(key);
            let marks: Vec<Mark> = names.iter().filter_map(|name| sealed::mark(name)).collect();
            let said = self.connection.on(link, link.removed(key, removals, marks)).await;
            said.map_err(|error| not_written(&error))?;
            delete.arg(names);
        }
        self.connection.query(link, &delete).await.map_err(|error| not_written(&error))
    }

    /// Sessions that are there, so many at most: there may be millions.
    ///
    /// # Errors
    /// Redis cannot be asked.
    pub async fn list(&self, most: usize) -> io::Result<Listing> {
        let link = self.link().await?;
        let (mut names, mut cursor) = (BTreeSet::new(), 0);
        let is_all = loop {
            let (next, some) = self.page(&link, cursor).await?;
            names.extend(some);
            cursor = next;
            if cursor == 0 || names.len() > most {
                break names.len() <= most;
            }
        };
        let mut sessions = Vec::new();
        for name in names.into_iter().take(most) {
            let Some(value) = self.value(&link, &name).await? else { continue };
            let left = self.connection.query::<i64>(&link, cmd("TTL").arg(&name)).await;
            let left = left.map_err(|error| failed(&error))?;
            sessions.push(Listed {
                is_ours: sealed::open(link.keys(), &name, &value, now()).is_some(),
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
        let link = self.link().await?;
        self.connection.on(&link, link.catch_up()).await.map_err(|error| failed(&error))?;
        let (mut gone, mut cursor) = (0, 0);
        loop {
            let (next, some) = self.page(&link, cursor).await?;
            if !some.is_empty() {
                // A name does not say under which key it is one.
                gone += self.remove_names(&link, |_| some.clone()).await?;
            }
            cursor = next;
            if cursor == 0 {
                return Ok(gone);
            }
        }
    }
}

/// The mark of a session, or of a group of them, under a key.
fn mark(key: &FarmKey, of: &[u8]) -> io::Result<Mark> {
    sealed::mark(&sealed::name(key, of)).ok_or_else(|| io::Error::other("a name that is none"))
}

/// The command that keeps a session under this name, which is one under this key.
fn keeping(key: &FarmKey, name: &str, it: &Sealed, lifetime: Duration) -> io::Result<Cmd> {
    let value = sealed::seal(key, name, it, &SystemRandom);
    let mut set = cmd("SET");
    set.arg(name).arg(value.ok_or_else(|| io::Error::other("a session could not be sealed"))?);
    set.arg("EX").arg(lifetime.as_secs());
    Ok(set)
}

impl RedisSessions {
    /// The session under this name, which is one under this key, if it was not removed since it was made.
    async fn good(
        &self,
        link: &Arc<Link>,
        key: &FarmKey,
        removals: &Removals,
        name: &str,
    ) -> io::Result<Option<Sealed>> {
        let Some(value) = self.value(link, name).await? else { return Ok(None) };
        let Some(it) = sealed::open(link.keys(), name, &value, now()) else { return Ok(None) };
        let Some(mark) = sealed::mark(name) else { return Ok(None) };
        Ok(link.is_good(key, removals, it.made, &[mark, it.group]).await.then_some(it))
    }
}

#[async_trait]
impl SessionStore for RedisSessions {
    async fn get(&self, key: &[u8]) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let link = self.link().await?;
        for (farm_key, removals) in link.with_keys() {
            let name = sealed::name(farm_key, key);
            if let Some(it) = self.good(&link, farm_key, removals, &name).await? {
                return Ok(Some(it.session));
            }
        }
        Ok(None)
    }

    async fn put(&self, key: &[u8], group: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()> {
        let link = self.link().await?;
        let Some((farm_key, removals)) = link.with_keys().next() else { return Ok(()) };
        let name = sealed::name(farm_key, key);
        let group = mark(farm_key, group)?;
        let made = self.connection.on(&link, link.made(farm_key, removals)).await;
        let made = made.map_err(|error| not_written(&error))?;
        // One that failed before it was here is not wanted.
        if lifetime.as_secs() == 0 || removals.has(&[mark(farm_key, key)?, group]) {
            return Ok(());
        }
        let made = made.ok_or_else(|| io::Error::other("no era has begun"))?;
        let until = now().saturating_add(lifetime.as_secs());
        let it = Sealed { until, made, group, session: Zeroizing::new(session.to_vec()) };
        let set = keeping(farm_key, &name, &it, lifetime)?;
        self.connection.query(&link, &set).await.map_err(|error| not_written(&error))
    }

    async fn renew(&self, key: &[u8], session: &[u8], lifetime: Duration) -> io::Result<()> {
        let link = self.link().await?;
        if lifetime.as_secs() == 0 {
            return Ok(());
        }
        // One that was made before the keys were changed lies under the name that it has by an older one.
        for (farm_key, removals) in link.with_keys() {
            let name = sealed::name(farm_key, key);
            let Some(it) = self.good(&link, farm_key, removals, &name).await? else { continue };
            // It is as old as it was.
            let until = now().saturating_add(lifetime.as_secs());
            let it = Sealed { until, session: Zeroizing::new(session.to_vec()), ..it };
            let mut set = keeping(farm_key, &name, &it, lifetime)?;
            // Whoever has removed it meanwhile has the last word.
            let kept = self.connection.query::<Option<String>>(&link, set.arg("XX")).await;
            kept.map_err(|error| not_written(&error))?;
            return Ok(());
        }
        Ok(())
    }

    async fn remove(&self, key: &[u8]) -> io::Result<()> {
        let link = self.link().await?;
        self.remove_names(&link, |farm_key| vec![sealed::name(farm_key, key)]).await?;
        Ok(())
    }
}

impl fmt::Debug for RedisSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessions").finish_non_exhaustive()
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
            let error = RedisSessions::new(url, ring, Duration::from_secs(1)).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && error.contains("redis://HOST"), "{error}");
        }
    }
}
