//! Sessions that a server's clients keep for it.

use std::sync::Arc;

use super::Session;

/// Makes tickets of a server's sessions, and sessions of tickets. What is in a ticket is nobody's business but who makes it.
///
/// Spec: TICKET section 4.
pub trait SessionTickets: Send + Sync {
    /// A ticket for a session of this server's; `None`: there is none, and the session is not taken up again.
    fn seal(&self, session: &Session, now: u64) -> Option<Ticket>;

    /// The session of a ticket, unless that is of somebody else, was altered, is too old, or stands for a session that was
    /// [withdrawn](Self::withdraw).
    fn open(&self, ticket: &[u8], now: u64) -> Option<OpenedTicket>;

    /// Takes up the session with this [identifier](Session::id) no more, however many tickets there are of it.
    fn withdraw(&self, id: &[u8]);
}

/// A session as its client keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// What the client brings back: at most 65,535 bytes. What is longer is not given out.
    pub bytes: Vec<u8>,
    /// For how long it is good, in seconds; 0: nothing is said about it.
    pub lifetime_hint: u32,
}

/// What was in a ticket.
#[derive(Clone, Debug)]
pub struct OpenedTicket {
    /// The session.
    pub session: Arc<Session>,
    /// Whether its client is to have a new ticket in place of this one.
    pub renew: bool,
}
