//! rustls's sessions in the cache of the package, and its stateless tickets.
//!
//! A server's session is bytes of rustls's own format. The client's chain is taken out of them, so that it is kept once and
//! can be judged again: a session whose certificate would not be accepted any more is not found, and the handshake is a full
//! one. A client's sessions cannot be looked into. They count one for each server, are in memory only, and are shared with
//! nobody.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::server::{ProducesTickets, StoresServerSessions};
use wire::{DecodeError, Reader};
use zeroize::{Zeroize as _, Zeroizing};

use super::observed::{self, Offered, SERIAL, Serial};
use crate::backend::Settings;
use crate::backend::ticket_keys::{Purpose, TicketKeys};
use crate::session_cache::{Chain, Entry, Kind, Part, Value};

/// As the engine's.
use crate::backend::legacy::LONGEST_CHAIN;

/// A server's sessions, of one configuration.
pub(super) struct ServerSessions {
    pub(super) settings: Arc<Settings>,
    pub(super) part: Part,
    /// Certificates are judged by the application.
    pub(super) manual: bool,
}

impl fmt::Debug for ServerSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSessions")
    }
}

impl ServerSessions {
    /// Whether the client of a session may come back.
    fn accepts(&self, chain: &Chain) -> bool {
        chain.is_empty() || self.manual || self.settings.judge_again(chain, "").is_ok()
    }

    /// The session in rustls's own format, if its client may come back.
    fn session(&self, id: &[u8], entry: &Entry) -> Option<Vec<u8>> {
        let Value::Bytes { body, certificates } = &entry.value else { return None };
        let (serial, body) = body.split_first_chunk::<SERIAL>()?;
        if self.settings.sessions.is_withdrawn(self.part, serial) || !self.accepts(certificates) {
            self.settings.sessions.remove(self.part, id);
            return None;
        }
        let (created, serial) = (entry.created, Some(*serial));
        let _outside_a_handshake = observed::with(|o| {
            o.offered = Some(Offered { created, serial, id: Some(id.to_vec()), chain: None });
        });
        Parts::join(body, certificates)
    }

    /// The number of the session of this handshake: that of the one that it goes on with, or a new one.
    fn serial(&self) -> Option<Serial> {
        if let Some(serial) = observed::with(|o| o.session_serial()).flatten() {
            return Some(serial);
        }
        let mut serial = [0; SERIAL];
        self.settings.environment.random.fill(&mut serial).ok()?;
        let _outside_a_handshake = observed::with(|o| o.serial = Some(serial));
        Some(serial)
    }
}

impl StoresServerSessions for ServerSessions {
    fn put(&self, key: Vec<u8>, mut value: Vec<u8>) -> bool {
        let parts = Parts::split(&value).filter(|parts| parts.length <= LONGEST_CHAIN);
        value.zeroize();
        let (Some(Parts { body, chain, .. }), Some(serial)) = (parts, self.serial()) else { return false };
        let body = Zeroizing::new([serial.as_slice(), &body].concat());
        // One that goes on with a session is no younger than that.
        let created = observed::with(|o| {
            o.kept.push(key.clone());
            o.session_created()
        });
        let sessions = &self.settings.sessions;
        let created = created.flatten().unwrap_or_else(|| sessions.now());
        sessions.keep(self.part, [&key, &serial], Kind::Rustls, created, &body, chain);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let entry = self.settings.sessions.get(self.part, key, Kind::Rustls)?;
        self.session(key, &entry)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let entry = self.settings.sessions.take(self.part, key, Kind::Rustls)?;
        self.session(key, &entry)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

/// A server's session without its client's chain, and the chain.
///
/// ```text
/// body: 4 bytes, where the chain stood, or NO_CHAIN; the session without it
/// ```
struct Parts {
    body: Zeroizing<Vec<u8>>,
    chain: Vec<Vec<u8>>,
    /// Bytes of the chain.
    length: usize,
}

const NO_CHAIN: u32 = u32::MAX;

impl Parts {
    /// The parts of a session; `None` if rustls's format is not what it was.
    fn split(session: &[u8]) -> Option<Self> {
        let chain = Self::find(session).ok()?;
        let (at, list) = match chain {
            None => (NO_CHAIN, session.len()..session.len()),
            Some(list) => (u32::try_from(list.start).ok()?, list),
        };
        let mut body = Zeroizing::new(Vec::with_capacity(4 + session.len() - list.len()));
        body.extend_from_slice(&at.to_be_bytes());
        body.extend_from_slice(session.get(..list.start)?);
        body.extend_from_slice(session.get(list.end..)?);
        let chain = if at == NO_CHAIN { Vec::new() } else { Self::chain(session.get(list.clone())?)? };
        Some(Self { body, chain, length: list.len() })
    }

    /// The certificates of a list.
    fn chain(list: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut certificates = Reader::new(list);
        certificates.u24("Session.certificates").ok()?;
        let mut chain = Vec::new();
        while !certificates.is_empty() {
            chain.push(certificates.opaque_u24("Session.certificate").ok()?.to_vec());
        }
        Some(chain)
    }

    /// The version of a session.
    fn version(session: &[u8]) -> Option<[u8; 2]> {
        let mut reader = Reader::new(session);
        if reader.u8("Session.has_server_name").ok()? == 1 {
            reader.opaque_u8("Session.server_name").ok()?;
        }
        reader.take("Session.version", 2).ok()?.try_into().ok()
    }

    /// Where the client's chain stands in a session, the length of its list included.
    fn find(session: &[u8]) -> Result<Option<core::ops::Range<usize>>, DecodeError> {
        let mut reader = Reader::new(session);
        if reader.u8("Session.has_server_name")? == 1 {
            reader.opaque_u8("Session.server_name")?;
        }
        reader.take("Session.version_and_suite", 4)?;
        reader.opaque_u8("Session.master_secret")?;
        reader.u8("Session.extended_master_secret")?;
        let mut chain = None;
        if reader.u8("Session.has_certificates")? == 1 {
            let start = session.len() - reader.remaining();
            reader.opaque_u24("Session.certificates")?;
            chain = Some(start..session.len() - reader.remaining());
        }
        if reader.u8("Session.has_alpn")? == 1 {
            reader.opaque_u8("Session.alpn")?;
        }
        reader.opaque_u16("Session.application_data")?;
        reader.u64("Session.created")?;
        reader.u32("Session.age_obfuscation")?;
        reader.finish("Session")?;
        Ok(chain)
    }

    /// The session of these parts.
    fn join(body: &[u8], chain: &[Vec<u8>]) -> Option<Vec<u8>> {
        let (at, rest) = body.split_first_chunk::<4>()?;
        let at = u32::from_be_bytes(*at);
        if at == NO_CHAIN {
            return chain.is_empty().then(|| rest.to_vec());
        }
        let (before, after) = rest.split_at_checked(usize::try_from(at).ok()?)?;
        let length: usize = chain.iter().map(|certificate| certificate.len() + 3).sum();
        let mut session = Vec::with_capacity(rest.len() + 3 + length);
        let u24 = |length: usize| u32::try_from(length).ok()?.to_be_bytes().get(1..).map(<[u8]>::to_vec);
        session.extend_from_slice(before);
        session.extend(u24(length)?);
        for certificate in chain {
            session.extend(u24(certificate.len())?);
            session.extend_from_slice(certificate);
        }
        session.extend_from_slice(after);
        Some(session)
    }
}

/// Stateless tickets: what rustls says of a session, with the number of the session, when that was made and when this ticket was, and a
/// look at all of them and at the client's certificate when they come back.
///
/// A ticket is in the client's hands, and in TLS 1.2 the same session can have an identifier besides: what is withdrawn is
/// remembered by its number.
///
/// Spec: TICKET section 4.
#[derive(Debug)]
pub(super) struct Tickets {
    pub(super) keys: Arc<TicketKeys>,
    pub(super) sessions: ServerSessions,
}

/// What stands before rustls's part of a ticket: number, when the session was made, when the ticket was.
const DATES: usize = SERIAL + 8 + 8;

impl Tickets {
    const fn purpose(&self) -> Purpose {
        Purpose { kind: Kind::Rustls, part: self.sessions.part }
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        lifetime(&self.sessions)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let now = self.sessions.settings.sessions.now();
        let created = observed::with(|o| o.session_created()).flatten().unwrap_or(now);
        let mut dated = Zeroizing::new(Vec::with_capacity(DATES + plain.len()));
        dated.extend_from_slice(&self.sessions.serial()?);
        dated.extend_from_slice(&created.to_be_bytes());
        dated.extend_from_slice(&now.to_be_bytes());
        dated.extend_from_slice(plain);
        self.keys.seal(self.purpose(), &dated, now)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let mut dated = self.keys.open(self.purpose(), ticket, self.sessions.settings.sessions.now())?;
        let (serial, rest) = dated.split_first_chunk::<SERIAL>()?;
        let (created, rest) = rest.split_first_chunk::<8>()?;
        let (used, plain) = rest.split_first_chunk::<8>()?;
        let (serial, created, used) = (*serial, u64::from_be_bytes(*created), u64::from_be_bytes(*used));
        let sessions = &self.sessions.settings.sessions;
        if !sessions.allow(created, used) || sessions.is_withdrawn(self.sessions.part, &serial) {
            return None;
        }
        let list = Parts::find(plain).ok()?;
        let chain = list.map(|list| Parts::chain(plain.get(list)?)).unwrap_or_else(|| Some(Vec::new()))?;
        if !self.sessions.accepts(&chain.into()) {
            return None;
        }
        let _outside_a_handshake = observed::with(|o| {
            o.offered = Some(Offered { created, serial: Some(serial), id: None, chain: None });
        });
        dated.drain(..DATES);
        Some(core::mem::take(&mut *dated))
    }
}

/// What a ticket says of its life, in seconds: that of its session, and no more than TLS 1.3 lets it say.
///
/// Spec: TLS13 section 4.6.1.
fn lifetime(sessions: &ServerSessions) -> u32 {
    const WEEK: u32 = 604_800;
    u32::try_from(sessions.settings.sessions.lifetime()).unwrap_or(WEEK).min(WEEK)
}

/// Tickets of a farm: under each there is a session in the store that its machines share, and nothing in it. So a client that
/// knows nothing but tickets comes back to any of them, no key is shared, and a session that failed is gone everywhere.
#[derive(Debug)]
pub(super) struct Handles(pub(super) ServerSessions);

impl Handles {
    /// The ticket that a session has already. In TLS 1.2 it is the same session as long as it goes on, and it lies where its
    /// identifier says; in TLS 1.3 it is another one each time.
    ///
    /// Spec: TICKET section 3.3; TLS13 section 4.6.1.
    fn same(session: &[u8]) -> Option<Vec<u8>> {
        if Parts::version(session) != Some(TLS12) {
            return None;
        }
        let kept = |o: &mut observed::Observed| {
            let before = o.goes_on_with().and_then(|offered| offered.id.clone());
            before.or_else(|| o.kept.last().cloned())
        };
        observed::with(kept).flatten().filter(|id| id.len() == HANDLE)
    }
}

/// Bytes of a ticket in a farm.
const HANDLE: usize = 32;
const TLS12: [u8; 2] = [3, 3];

impl ProducesTickets for Handles {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        lifetime(&self.0)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        if let Some(same) = Self::same(plain) {
            return Some(same);
        }
        let mut handle = vec![0; HANDLE];
        self.0.settings.environment.random.fill(&mut handle).ok()?;
        self.0.put(handle.clone(), plain.to_vec()).then_some(handle)
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        if ticket.len() != HANDLE {
            return None;
        }
        let session = self.0.get(ticket)?;
        if Parts::version(&session) != Some(TLS12) {
            self.0.settings.sessions.remove(self.0.part, ticket);
        }
        Some(session)
    }
}

/// A client's sessions, but for those in which the application chose the certificate: the choice of one handshake must not
/// stand in for that of another. (TLS 1.3 tickets of such a session never get here: see `Done::establish`.)
pub(super) struct ClientSessions {
    pub(super) settings: Arc<Settings>,
    pub(super) part: Part,
    /// Certificates are judged by the application.
    pub(super) manual: bool,
}

impl fmt::Debug for ClientSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSessions")
    }
}

/// All that a client has of one server.
#[derive(Default)]
struct OfServer {
    group: Option<NamedGroup>,
    tls12: Option<Session<Tls12ClientSessionValue>>,
    tls13: VecDeque<Session<Tls13ClientSessionValue>>,
}

/// A client's session.
struct Session<T> {
    created: u64,
    /// What the server showed when it was made. Under one name there may be several that show different things.
    chain: Option<Arc<Chain>>,
    value: T,
}

/// The most tickets of TLS 1.3 that are kept of one server.
const MOST_TICKETS: usize = 8;

/// Under what all that there is of a server is kept.
pub(super) fn id_of_server<'a>(name: &'a ServerName<'_>) -> Cow<'a, str> {
    name.to_str()
}

impl ClientSessions {
    fn of_server(&self, name: &ServerName<'_>) -> Option<Arc<Mutex<OfServer>>> {
        let entry =
            self.settings.sessions.get(self.part, id_of_server(name).as_bytes(), Kind::RustlsClient)?;
        let Value::Opaque(value) = &entry.value else { return None };
        Arc::clone(value).downcast().ok()
    }

    fn look<T>(&self, name: &ServerName<'_>, look: impl FnOnce(&mut OfServer) -> Option<T>) -> Option<T> {
        let of_server = self.of_server(name)?;
        look(&mut of_server.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session of the handshake that runs.
    fn session<T>(&self, value: T) -> Session<T> {
        let sessions = &self.settings.sessions;
        let seen = observed::with(|o| {
            let before = o.goes_on_with().and_then(|offered| offered.chain.clone());
            (o.session_created(), o.peer_chain.clone(), before)
        });
        let (created, shown, before) = seen.unwrap_or_default();
        let chain = shown.map(|chain| sessions.share(chain)).or(before);
        Session { created: created.unwrap_or_else(|| sessions.now()), chain, value }
    }

    /// Changes what there is of a server, which counts as new then.
    fn change(&self, name: &ServerName<'_>, change: impl FnOnce(&mut OfServer)) {
        let sessions = &self.settings.sessions;
        let of_server = self.of_server(name).unwrap_or_default();
        change(&mut of_server.lock().unwrap_or_else(PoisonError::into_inner));
        sessions.keep_opaque(self.part, id_of_server(name).as_bytes(), Kind::RustlsClient, of_server);
    }

    /// Whether a session may be offered to this server now. What follows it is no younger.
    fn may_offer<T>(&self, name: &ServerName<'_>, session: &Session<T>) -> bool {
        let Session { created, chain, .. } = session;
        let judged = |chain: &Arc<Chain>| self.settings.judge_again(chain, &name.to_str()).is_ok();
        let allowed = self.settings.sessions.allow(*created, self.settings.sessions.now())
            && (self.manual || chain.as_ref().is_some_and(judged));
        if allowed {
            let (created, chain) = (*created, chain.clone());
            let _outside_a_handshake =
                observed::with(|o| o.offered = Some(Offered { created, id: None, chain, serial: None }));
        }
        allowed
    }
}

impl ClientSessionStore for ClientSessions {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        if self.look(&name, |of_server| of_server.group.replace(group)).is_none() {
            self.change(&name, |of_server| of_server.group = Some(group));
        }
    }

    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.look(name, |of_server| of_server.group)
    }

    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if observed::with(|o| o.client_certificate.is_some()) != Some(true) {
            let session = self.session(value);
            self.change(&name, |of_server| of_server.tls12 = Some(session));
        }
    }

    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.look(name, |of_server| {
            let session = of_server.tls12.take().filter(|session| self.may_offer(name, session))?;
            Some(of_server.tls12.insert(session).value.clone())
        })
    }

    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.look(name, |of_server| of_server.tls12.take());
    }

    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        let session = self.session(value);
        self.change(&name, |of_server| {
            if of_server.tls13.len() == MOST_TICKETS {
                of_server.tls13.pop_front();
            }
            of_server.tls13.push_back(session);
        });
    }

    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.look(name, |of_server| {
            core::iter::from_fn(|| of_server.tls13.pop_back())
                .find(|session| self.may_offer(name, session))
                .map(|session| session.value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session as rustls writes it.
    fn session(name: bool, chain: &[&[u8]], alpn: bool) -> Vec<u8> {
        let mut out = Vec::new();
        if name {
            out.extend([1, 4]);
            out.extend(b"name");
        } else {
            out.push(0);
        }
        out.extend([3, 4, 0x13, 1, 3, 7, 7, 7, 1]);
        if chain.is_empty() {
            out.push(0);
        } else {
            let total: usize = chain.iter().map(|c| c.len() + 3).sum();
            out.push(1);
            out.extend([0, 0, u8::try_from(total).unwrap()]);
            for certificate in chain {
                out.extend([0, 0, u8::try_from(certificate.len()).unwrap()]);
                out.extend(*certificate);
            }
        }
        if alpn {
            out.extend([1, 2, b'h', b'2']);
        } else {
            out.push(0);
        }
        out.extend([0, 0]);
        out.extend([0; 12]);
        out
    }

    #[test]
    fn a_session_is_the_same_after_its_chain_was_taken_out() {
        for name in [false, true] {
            for alpn in [false, true] {
                for chain in [&[][..], &[b"leaf".as_slice()], &[b"leaf".as_slice(), b"issuer"]] {
                    let session = session(name, chain, alpn);
                    let parts = Parts::split(&session).unwrap();
                    assert_eq!(parts.chain, chain);
                    assert_eq!(Parts::join(&parts.body, &parts.chain).unwrap(), session);
                }
            }
        }
    }

    #[test]
    fn the_version_of_a_session_is_seen() {
        for name in [false, true] {
            assert_eq!(Parts::version(&session(name, &[b"leaf"], true)), Some([3, 4]));
        }
        assert_eq!(Parts::version(&[1, 200]), None);
    }

    #[test]
    fn what_is_no_session_has_no_parts() {
        let session = session(true, &[b"leaf"], true);
        for end in 0..session.len() {
            assert!(Parts::split(&session[..end]).is_none(), "{end}");
        }
        assert!(Parts::split(&[session.as_slice(), &[0]].concat()).is_none());
    }

    #[test]
    fn parts_that_do_not_belong_together_make_no_session() {
        let Parts { body, .. } = Parts::split(&session(true, &[], true)).unwrap();
        assert!(Parts::join(&body, &[vec![1]]).is_none());
        assert!(Parts::join(&[0, 0, 1, 0], &[]).is_none());
        assert!(Parts::join(&[0], &[]).is_none());
    }
}
