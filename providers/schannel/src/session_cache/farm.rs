//! Sessions that the machines of a server farm share: what goes out, and what the first message of a client asks for.
//!
//! What is shared leaves the process and comes back through the application's driver: a lookup is a question of the
//! handshake ([`Question::Session`](sspi_core::Question::Session)), put after the ClientHello was read and before an engine
//! sees it; keeping and forgetting go to [`SharedSessions`], for which nobody waits.
//!
//! ```text
//! format         1   FORMAT
//! kind           1   1 = the engine's, 2 = rustls's
//! created        8   seconds since the Unix epoch
//! used           8   the same
//! body          2+n
//! certificates  3+n  each 3+n
//! ```

use std::sync::Arc;
use std::time::Duration;

use crypto::hash::Hash;
use legacy_tls::{FirstFlight, OldHello};
use wire::{DecodeError, EncodeError, Reader, Writer};
use zeroize::Zeroizing;

use super::credential::Part;
use super::{Entry, Kind, Limits, Value};
use crate::first_flight::handshake_messages;

/// Where sessions are shared with other machines. Neither call may wait for anything.
pub trait SharedSessions: Send + Sync {
    /// Keeps a session under `key` for so long. It is secret: who reads it reads the connections. All that is one session, as
    /// several tickets of TLS 1.3 are, has the same `group`, and ends with it.
    fn put(&self, key: Vec<u8>, group: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration);

    /// Keeps a session that was taken up for so long, and nothing if it is not kept any more. Only where sessions may not lie
    /// idle; who does nothing lets them end early.
    fn renew(&self, key: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        let _unchanged = (key, session, lifetime);
    }

    /// Forgets the session under `key`, or all of a group.
    fn remove(&self, key: Vec<u8>);
}

const FORMAT: u8 = 1;

/// A credential's place among the shared sessions.
pub(crate) struct Farm {
    shared: Arc<dyn SharedSessions>,
    /// What machines must have in common that take up each other's sessions.
    scope: [u8; 32],
}

impl Farm {
    /// For the machines that have these parts in common.
    pub(crate) fn new<'a>(
        shared: &Arc<dyn SharedSessions>,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut context = Hash::Sha256.context();
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut scope = [0; 32];
        scope.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        Self { shared: Arc::clone(shared), scope }
    }

    /// Under what a session is shared.
    pub(super) fn key(&self, part: Part, id: &[u8]) -> Vec<u8> {
        [self.scope.as_slice(), &part.0.to_be_bytes(), id].concat()
    }

    pub(super) fn put(&self, part: Part, [id, group]: [&[u8]; 2], entry: &Entry, limits: &Limits, now: u64) {
        if let Some((session, left)) = written(entry, limits, now) {
            self.shared.put(self.key(part, id), self.key(part, group), session, left);
        }
    }

    /// A session was taken up: it may lie idle as long again.
    pub(super) fn used(&self, part: Part, id: &[u8], entry: &Entry, limits: &Limits, now: u64) {
        if limits.idle.is_some()
            && let Some((session, left)) = written(entry, limits, now)
        {
            self.shared.renew(self.key(part, id), session, left);
        }
    }

    pub(super) fn remove(&self, part: Part, id: &[u8]) {
        self.shared.remove(self.key(part, id));
    }
}

/// A session as it is shared from now on, and for how long; `None` for one that is too long, or cannot be looked into.
fn written(entry: &Entry, limits: &Limits, now: u64) -> Option<(Zeroizing<Vec<u8>>, Duration)> {
    let left = limits.lifetime.saturating_sub(now.saturating_sub(entry.created));
    let left = limits.idle.map_or(left, |idle| left.min(idle));
    let session = Shared::write(entry, now).ok().flatten().filter(|_| left > 0)?;
    Some((session, Duration::from_secs(left)))
}

/// A session as it is shared.
pub(super) struct Shared<'a> {
    pub(super) kind: Kind,
    pub(super) created: u64,
    pub(super) used: u64,
    pub(super) body: &'a [u8],
    pub(super) certificates: Vec<Vec<u8>>,
}

impl<'a> Shared<'a> {
    fn write(entry: &Entry, now: u64) -> Result<Option<Zeroizing<Vec<u8>>>, EncodeError> {
        let Value::Bytes { body, certificates } = &entry.value else { return Ok(None) };
        let length = certificates.iter().map(|certificate| certificate.len() + 3).sum::<usize>();
        let mut writer = Writer::with_capacity(32 + body.len() + length);
        writer.u8(FORMAT);
        writer.u8(entry.kind);
        writer.u64(entry.created);
        writer.u64(now);
        writer.opaque_u16("Shared.body", body)?;
        writer.vec_u24("Shared.certificates", |writer| {
            certificates.iter().try_for_each(|each| writer.opaque_u24("Shared.certificate", each))
        })?;
        Ok(Some(Zeroizing::new(writer.into_vec())))
    }

    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.u8("Shared.format")? != FORMAT {
            return Err(DecodeError::illegal("Shared.format"));
        }
        let kind = Kind::of(reader.u8("Shared.kind")?).ok_or(DecodeError::illegal("Shared.kind"))?;
        let (created, used) = (reader.u64("Shared.created")?, reader.u64("Shared.used")?);
        let body = reader.opaque_u16("Shared.body")?;
        let mut list = reader.vec_u24("Shared.certificates")?;
        let mut certificates = Vec::new();
        while !list.is_empty() {
            certificates.push(list.opaque_u24("Shared.certificate")?.to_vec());
        }
        reader.finish("Shared")?;
        Ok(Self { kind, created, used, body, certificates })
    }
}

/// What the first message of a client wants to take up again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing that could be here.
    Nothing,
    /// The message is not whole.
    More(usize),
    /// The session of this identifier.
    Session(Vec<u8>),
}

/// A ClientHello that is longer is not looked into.
const MOST_HELLO: usize = 32 << 10;

impl Wanted {
    /// What `input` wants of a server that has TLS 1.3 or has not. There, a session ID is no session's.
    pub(crate) fn of(input: &[u8], has_tls13: bool) -> Self {
        let id = match FirstFlight::of(input) {
            Ok(FirstFlight::TlsRecord) => return Self::of_records(input, has_tls13),
            Ok(FirstFlight::Ssl2Hello | FirstFlight::V2Hello | FirstFlight::Pct1Hello) => {
                match OldHello::read(input) {
                    Ok(Ok(hello)) => hello.session_id().to_vec(),
                    Ok(Err(missing)) => return Self::More(missing),
                    Err(_) => Vec::new(),
                }
            }
            Ok(_) => Vec::new(),
            Err(missing) => return Self::More(missing),
        };
        Self::session(id)
    }

    /// Identifiers that we give out have 16 bytes in SSL 2.0, and 32 elsewhere.
    fn session(id: Vec<u8>) -> Self {
        let is_ours = matches!(id.len(), 16 | 32) && id.iter().any(|byte| *byte != 0);
        if is_ours { Self::Session(id) } else { Self::Nothing }
    }

    fn of_records(input: &[u8], has_tls13: bool) -> Self {
        let messages = handshake_messages(input);
        let Some((&[_, a, b, c], body)) = messages.split_first_chunk::<4>() else {
            return if input.len() > MOST_HELLO { Self::Nothing } else { Self::More(1) };
        };
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        match body.get(..len) {
            Some(hello) => Self::of_hello(hello, has_tls13).unwrap_or(Self::Nothing),
            None if len.max(input.len()) > MOST_HELLO => Self::Nothing,
            None => Self::More(1),
        }
    }

    /// Spec: TLS13 sections 4.1.2 and 4.2.11; TLS12 section 7.4.1.2.
    fn of_hello(body: &[u8], has_tls13: bool) -> Result<Self, DecodeError> {
        const SESSION_TICKET: u16 = 35;
        const SUPPORTED_VERSIONS: u16 = 43;
        const PRE_SHARED_KEY: u16 = 41;
        const TLS13: [u8; 2] = [3, 4];
        let mut hello = Reader::new(body);
        hello.u16("ClientHello.legacy_version")?;
        hello.take("ClientHello.random", 32)?;
        let session_id = hello.opaque_u8("ClientHello.legacy_session_id")?;
        hello.opaque_u16("ClientHello.cipher_suites")?;
        hello.opaque_u8("ClientHello.legacy_compression_methods")?;
        let (mut offers_tls13, mut identity, mut ticket) = (false, None, &[][..]);
        if !hello.is_empty() {
            let mut extensions = hello.vec_u16("ClientHello.extensions")?;
            while !extensions.is_empty() {
                let kind = extensions.u16("Extension.extension_type")?;
                let mut data = Reader::new(extensions.opaque_u16("Extension.extension_data")?);
                match kind {
                    SUPPORTED_VERSIONS => {
                        let versions = data.opaque_u8("SupportedVersions.versions")?;
                        offers_tls13 = versions.chunks_exact(2).any(|version| version == TLS13);
                    }
                    SESSION_TICKET => ticket = data.rest(),
                    // The first is the one that the client likes best; nobody of note sends more.
                    PRE_SHARED_KEY => {
                        let mut identities = data.vec_u16("OfferedPsks.identities")?;
                        identity = Some(identities.opaque_u16("PskIdentity.identity")?);
                    }
                    _ => {}
                }
            }
        }
        Ok(match identity {
            // Whoever has a ticket has no session under that identifier. Spec: TICKET section 3.4.
            _ if !(has_tls13 && offers_tls13) => {
                Self::session(if ticket.is_empty() { session_id } else { ticket }.to_vec())
            }
            Some(identity) => Self::session(identity.to_vec()),
            None => Self::Nothing,
        })
    }
}
