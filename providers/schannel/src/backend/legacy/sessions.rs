//! The engine's sessions in the cache of the package, and as tickets.

use std::sync::Arc;

use legacy_tls::{OpenedTicket, Session, SessionStore, SessionTickets, StoredSession, Ticket};
use sspi_core::Error;
use wire::{DecodeError, EncodeError, Reader, Writer};
use zeroize::Zeroizing;

use crate::backend::Settings;
use crate::backend::ticket_keys::{Purpose, TicketKeys};
use crate::session_cache::{Kind, Part, Value};
use crate::status;

/// The longest chain of a peer that is kept with a session, in bytes: four times what honest ones have. It is the peer who
/// says how much stands behind its own certificate, and only the memory of all sessions together bounds it otherwise.
pub(crate) const LONGEST_CHAIN: usize = 16 << 10;

/// The sessions of a credential in one part of its space.
pub(super) struct Sessions {
    pub(super) settings: Arc<Settings>,
    pub(super) part: Part,
    /// They are a client's, and servers are judged here: what would be refused when the server takes it up is not offered.
    pub(super) judges_servers: bool,
    /// What clients that understand them are given.
    pub(super) tickets: Tickets,
}

/// What a server's clients are given to come back with.
pub(super) enum Tickets {
    /// Nothing but identifiers.
    None,
    /// The session, sealed.
    Sealed(Arc<TicketKeys>),
    /// The name under which the machines of a farm share it.
    Names,
}

impl Tickets {
    /// What the clients of this server are given.
    pub(super) fn of_server(settings: &Settings) -> Result<Self, Error> {
        if !settings.session_tickets || !settings.keeps_sessions() {
            return Ok(Self::None);
        }
        if settings.sessions.are_shared() {
            return Ok(Self::Names);
        }
        let keys = settings.ticket_keys();
        Ok(Self::Sealed(keys.map_err(|error| status::Error::InternalReport(error.to_string()))?))
    }
}

/// The number by which a session in tickets is withdrawn: the first half of its identifier, of which nobody else knows.
pub(super) fn serial_of(id: &[u8]) -> Option<&[u8; 16]> {
    id.first_chunk()
}

impl Sessions {
    /// Keeps a session under `key`, and says whether it does: one whose peer showed too much is not kept.
    fn keep(&self, key: &[u8], session: &Session) -> bool {
        let Some(StoredSession { body, certificates }) = stored(session) else {
            self.remove(key);
            return false;
        };
        // It has no other identifier.
        let sessions = &self.settings.sessions;
        sessions.keep(self.part, [key, key], Kind::Engine, session.created(), &body, certificates);
        true
    }

    const fn purpose(&self) -> Purpose {
        Purpose { kind: Kind::Engine, part: self.part }
    }
}

/// What is kept of a session, unless its peer showed too much.
fn stored(session: &Session) -> Option<StoredSession> {
    let stored = session.store().ok()?;
    let length = stored.certificates.iter().map(Vec::len).sum::<usize>();
    (length <= LONGEST_CHAIN).then_some(stored)
}

impl SessionStore for Sessions {
    fn put(&self, key: &[u8], session: Arc<Session>) {
        self.keep(key, &session);
    }

    fn get(&self, key: &[u8], now: u64) -> Option<Arc<Session>> {
        let entry = self.settings.sessions.get(self.part, key, Kind::Engine)?;
        let Value::Bytes { body, certificates } = &entry.value else { return None };
        let session = Session::restore(body, certificates).ok()?;
        let is_refused = || {
            let name = session.server_name().unwrap_or_default();
            self.judges_servers && self.settings.judge_again(certificates, name).is_err()
        };
        if session.has_expired(now) || is_refused() {
            self.remove(key);
            return None;
        }
        Some(Arc::new(session))
    }

    fn remove(&self, key: &[u8]) {
        self.settings.sessions.remove(self.part, key);
    }

    fn tickets(&self) -> Option<&dyn SessionTickets> {
        match self.tickets {
            Tickets::None => None,
            Tickets::Sealed(_) | Tickets::Names => Some(self),
        }
    }
}

impl SessionTickets for Sessions {
    fn seal(&self, session: &Session, now: u64) -> Option<Ticket> {
        let bytes = match &self.tickets {
            Tickets::None => return None,
            Tickets::Sealed(keys) => {
                let plain = Sealed::write(&stored(session)?, now).ok()?;
                keys.seal(self.purpose(), &plain, now)?
            }
            Tickets::Names => self.keep(session.id(), session).then(|| session.id().to_vec())?,
        };
        let left = self.settings.sessions.left(session.created());
        Some(Ticket { bytes, lifetime_hint: u32::try_from(left).unwrap_or(u32::MAX) })
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<OpenedTicket> {
        let sessions = &self.settings.sessions;
        let keys = match &self.tickets {
            Tickets::None => return None,
            Tickets::Sealed(keys) => keys,
            // What lies in the store may lie idle as long again, and its name stays what it is.
            Tickets::Names => return Some(OpenedTicket { session: self.get(ticket, now)?, renew: false }),
        };
        if ticket.len() > LONGEST_TICKET {
            return None;
        }
        let plain = keys.open(self.purpose(), ticket, now)?;
        let Sealed { used, session } = Sealed::read(&plain).ok()?;
        let is_good = sessions.allow(session.created(), used)
            && !serial_of(session.id()).is_none_or(|serial| sessions.is_withdrawn(self.part, serial));
        let renew = sessions.may_not_idle();
        is_good.then(|| OpenedTicket { session: Arc::new(session), renew })
    }

    fn withdraw(&self, id: &[u8]) {
        match (&self.tickets, serial_of(id)) {
            (Tickets::Names, _) => self.remove(id),
            (Tickets::Sealed(_), Some(serial)) => {
                let _for_good = self.settings.sessions.withdraw(self.part, serial);
            }
            (Tickets::Sealed(_), None) | (Tickets::None, _) => {}
        }
    }
}

/// No ticket of ours is longer: a chain, and what stands beside it.
const LONGEST_TICKET: usize = LONGEST_CHAIN + (2 << 10);

/// What is sealed in a ticket.
///
/// ```text
/// used           8   when the ticket was made, in seconds since the Unix epoch
/// body         2+n   the session
/// certificates       its certificates, each 3+n
/// ```
struct Sealed {
    used: u64,
    session: Session,
}

impl Sealed {
    fn write(session: &StoredSession, used: u64) -> Result<Zeroizing<Vec<u8>>, EncodeError> {
        let StoredSession { body, certificates } = session;
        let length = certificates.iter().map(|certificate| certificate.len() + 3).sum::<usize>();
        // A vector that grows leaves copies of the secret behind.
        let mut writer = Writer::with_capacity(8 + 2 + body.len() + length);
        writer.u64(used);
        writer.opaque_u16("Sealed.body", body)?;
        certificates.iter().try_for_each(|each| writer.opaque_u24("Sealed.certificate", each))?;
        Ok(Zeroizing::new(writer.into_vec()))
    }

    fn read(plain: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(plain);
        let used = reader.u64("Sealed.used")?;
        let body = reader.opaque_u16("Sealed.body")?;
        let mut certificates = Vec::new();
        while !reader.is_empty() {
            certificates.push(reader.opaque_u24("Sealed.certificate")?.to_vec());
        }
        Ok(Self { used, session: Session::restore(body, &certificates)? })
    }
}
