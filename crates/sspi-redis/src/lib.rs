//! TLS sessions of a server farm in Redis, so that a session that one machine made is taken up by another.
//!
//! | what | where |
//! |---|---|
//! | the keys that all machines have, and how they are changed | [`KeyRing`] (`key_ring.rs`) |
//! | the connection, made when it is needed | `connection.rs` |
//! | one connection, and what is heard over it | `link.rs` |
//! | a session as it lies in Redis | `sealed.rs` |
//! | what a machine knows of sessions that were removed | `removals.rs` |
//! | what machines tell each other of them | `news.rs` |
//! | the store | [`RedisSessions`] (`store.rs`) |
//!
//! Whoever has the sessions of a server reads its connections, and Redis is none that should. So Redis sees neither sessions
//! nor their identifiers: values are sealed with AES-256-GCM, and names are MACs, under keys of the farm that are not in
//! Redis. A value that was altered, put under another name, kept beyond its time, or put back after machines told each other
//! that it is removed, is none. What who writes to Redis can do is to let it forget, and to hold up what they tell each other.
//!
//! ```no_run
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use sspi_redis::{FarmKey, KeyRing, RedisSessions};
//! use sspi_tokio::SharedSessions;
//!
//! let key = FarmKey::read(&std::fs::read("farm.key")?)?;
//! let deadline = Duration::from_millis(50);
//! let store = RedisSessions::new("redis://10.0.0.7/", KeyRing::new(vec![key])?, deadline)?;
//! let sessions = SharedSessions::new(Arc::new(store), deadline)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod connection;
mod key_ring;
mod link;
mod news;
mod removals;
mod sealed;
mod store;

pub use key_ring::{BadKeys, FarmKey, KeyRing};
pub use store::{BadUrl, Listed, Listing, RedisSessions};
