//! Sessions that the machines of a server farm share, as the configuration says: `session-store`, `session-store-keys`,
//! `session-store-deadline`.

use std::sync::Arc;
use std::time::Duration;

use sspi_core::{Error, Fault, SecStatus};
use sspi_tokio::{SessionStore, SharedSessions, Zeroizing};

use crate::config::Config;
use crate::providers::{Materials, SharesSessions};
#[cfg(feature = "redis")]
use crate::sspi::Sspi;

fn wrong(setting: &'static str, what: impl Into<String>) -> Error {
    Error::new(SecStatus::SEC_E_INVALID_PARAMETER, Fault::Configuration, what.into()).with_setting(setting)
}

/// The sessions that are shared, in `store` or where the configuration says; `None` where they are not.
pub(crate) fn shared(
    config: &Config,
    materials: &dyn Materials,
    store: Option<Arc<dyn SessionStore>>,
) -> Result<Option<SharedSessions>, Error> {
    let store = match (store, &config.session_store) {
        (Some(store), _) => store,
        (None, None) if config.session_store_keys.is_empty() => return Ok(None),
        (None, None) => {
            return Err(wrong(
                "session-store-keys",
                "there are keys for a session store, and no `session-store`",
            ));
        }
        (None, Some(reference)) => configured(reference, config, materials)?,
    };
    let sessions = SharedSessions::new(store, config.session_store_deadline);
    sessions.map(Some).map_err(|error| {
        Error::new(SecStatus::SEC_E_INSUFFICIENT_MEMORY, Fault::Internal, format!("no thread: {error}"))
    })
}

#[cfg(not(feature = "redis"))]
fn configured(
    reference: &str,
    _config: &Config,
    _materials: &dyn Materials,
) -> Result<Arc<dyn SessionStore>, Error> {
    let _is_not_looked_at = reference;
    Err(wrong("session-store", "this build knows no session store (feature `redis` of the crate opensspi)"))
}

#[cfg(feature = "redis")]
fn configured(
    reference: &str,
    config: &Config,
    materials: &dyn Materials,
) -> Result<Arc<dyn SessionStore>, Error> {
    Ok(Arc::new(redis(reference, config, materials)?))
}

#[cfg(feature = "redis")]
fn redis(
    reference: &str,
    config: &Config,
    materials: &dyn Materials,
) -> Result<sspi_redis::RedisSessions, Error> {
    use sspi_redis::{FarmKey, KeyRing, RedisSessions};

    let read = |setting: &'static str, reference: &str| {
        materials
            .read(reference)
            .map_err(|error| wrong(setting, format!("cannot read {reference}: {error}")).with_source(error))
    };
    // An address with a password in it stands in a file or in the environment.
    let is_reference = ["file:", "env:"].iter().any(|kind| reference.starts_with(kind));
    let url = if is_reference {
        let text = String::from_utf8(read("session-store", reference)?);
        text.map_err(|_| wrong("session-store", format!("{reference} holds no address")))?
    } else {
        reference.to_owned()
    };
    let mut keys = Vec::new();
    for reference in &config.session_store_keys {
        let content = Zeroizing::new(read("session-store-keys", reference)?);
        let key = FarmKey::read(&content)
            .map_err(|error| wrong("session-store-keys", format!("{reference}: {error}")))?;
        keys.push(key);
    }
    let ring = KeyRing::new(keys).map_err(|error| wrong("session-store-keys", error.to_string()))?;
    let deadline = config.session_store_deadline;
    RedisSessions::new(url.trim(), ring, deadline).map_err(|error| wrong("session-store", error.to_string()))
}

/// Hands over what is to be kept and forgotten.
pub(crate) struct HandOver(pub(crate) SharedSessions);

impl SharesSessions for HandOver {
    fn put(&self, key: Vec<u8>, group: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        self.0.put(key, group, session, lifetime);
    }

    fn renew(&self, key: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        self.0.renew(key, session, lifetime);
    }

    fn remove(&self, key: Vec<u8>) {
        self.0.remove(key);
    }
}

#[cfg(feature = "redis")]
impl Sspi {
    /// The store that the configuration names, to list or to clear what is in it.
    ///
    /// # Errors
    /// There is none, or it cannot be used; the error names the setting.
    pub fn redis_sessions(&self) -> Result<sspi_redis::RedisSessions, crate::Error> {
        let shared = self.shared();
        let reference = shared.config.session_store.as_deref();
        let none = "no session store is configured: what a server has in its own memory, nobody else sees";
        let reference = reference.ok_or_else(|| wrong("session-store", none))?;
        Ok(redis(reference, &shared.config, shared.materials.as_ref())?)
    }
}
