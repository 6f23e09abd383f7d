//! The HTTP request that an authentication is for, where a package's tokens depend on it.

use core::fmt;
use std::sync::{Arc, OnceLock};

use crate::DigestAlgorithm;

/// The HTTP request that a token answers or proves: what Windows takes in `SECBUFFER_PKG_PARAMS` buffers (the method, the
/// URI, the hash of the body).
///
/// A package that speaks HTTP and something else (Digest has a form for SASL) speaks HTTP where there is one, and the other
/// where there is none. Clones share their bodies.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// The method, as in the request line.
    pub method: String,
    /// The request target, as in the request line: a server passes what it received.
    pub uri: String,
    /// The request's body. A server whose package needs a body that it does not know yet says so with [`Step::Incomplete`] when
    /// it has judged what it can without: the same token comes again once the body is set.
    ///
    /// [`Step::Incomplete`]: crate::Step::Incomplete
    pub entity: HttpEntity,
    /// The body of the response to it.
    pub response_entity: HttpEntity,
    /// At a client, what tells servers of one name apart: the port, or a proxy in front. A package that remembers what a server
    /// has challenged it to says it to no other.
    pub protection_space: Option<String>,
}

impl HttpRequest {
    /// A request without a body. Nothing is known of its response yet.
    #[must_use]
    pub fn new(method: impl Into<String>, uri: impl Into<String>) -> Self {
        let entity = HttpEntity::from(Vec::new());
        Self { method: method.into(), uri: uri.into(), entity, ..Self::default() }
    }

    /// The same with this body.
    #[must_use]
    pub fn with_entity(self, entity: impl Into<HttpEntity>) -> Self {
        Self { entity: entity.into(), ..self }
    }
}

/// The body of a request or a response, before any transfer coding, or the place where it will be: an application that learns
/// it later [sets](Self::set) it in its own clone.
#[derive(Clone, Default)]
pub struct HttpEntity(Arc<OnceLock<EntityBody>>);

/// A body.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntityBody {
    /// All of it.
    Bytes(Vec<u8>),
    /// All of it, in memory that somebody else uses as well.
    Shared(Arc<Vec<u8>>),
    /// Its hashes, by the algorithms that the application could think of: for bodies that are too long to be held.
    Hashes(Vec<(DigestAlgorithm, Vec<u8>)>),
}

impl HttpEntity {
    /// The place of a body that is not known yet.
    #[must_use]
    pub fn later() -> Self {
        Self::default()
    }

    /// Says what the body is. The first word stands: `false` if it was known already.
    pub fn set(&self, body: EntityBody) -> bool {
        self.0.set(body).is_ok()
    }

    /// The body, once it is known.
    #[must_use]
    pub fn body(&self) -> Option<&EntityBody> {
        self.0.get()
    }
}

impl From<EntityBody> for HttpEntity {
    fn from(body: EntityBody) -> Self {
        Self(Arc::new(OnceLock::from(body)))
    }
}

impl From<Vec<u8>> for HttpEntity {
    fn from(bytes: Vec<u8>) -> Self {
        EntityBody::Bytes(bytes).into()
    }
}

impl fmt::Debug for EntityBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::Shared(bytes) => write!(f, "Shared({} bytes)", bytes.len()),
            Self::Hashes(hashes) => f.debug_list().entries(hashes.iter().map(|(name, _)| name)).finish(),
        }
    }
}

impl fmt::Debug for HttpEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.body() {
            Some(body) => body.fmt(f),
            None => f.write_str("not known yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_comes_later_is_seen_by_every_clone_and_stands() {
        let request = HttpRequest { entity: HttpEntity::later(), ..HttpRequest::new("POST", "/") };
        let clone = request.clone();
        assert_eq!(clone.entity.body(), None);
        assert!(request.entity.set(EntityBody::Bytes(b"a=1".to_vec())));
        assert!(!clone.entity.set(EntityBody::Bytes(b"a=2".to_vec())));
        assert_eq!(clone.entity.body(), Some(&EntityBody::Bytes(b"a=1".to_vec())));
        assert_eq!(format!("{:?}", clone.entity), "Bytes(3 bytes)");
    }
}
