//! rustls's connection, as it is driven through the unbuffered API.
//!
//! rustls remembers how much of the caller's buffer it has processed: the same one, `held`, is given to every call, and always
//! whole.

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{CommonState, HandshakeKind};

use crate::backend::records::{ALERT, APPLICATION_DATA, RECORD_HEADER};
use crate::status::Error;

/// rustls's connection, in its own piece of memory: it is large, and the state around it moves.
pub(super) enum Connection {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What a pump of rustls came to.
pub(super) enum Pumped {
    NeedsMore,
    Finished,
}

/// Why a pump ended.
pub(super) enum Problem {
    Ours(Error),
    Rustls(rustls::Error),
}

impl Connection {
    pub(super) const fn is_client(&self) -> bool {
        matches!(self, Self::Client(_))
    }

    /// What both roles can say of the handshake.
    pub(super) fn common(&self) -> &CommonState {
        match self {
            Self::Client(client) => client,
            Self::Server(server) => server,
        }
    }

    /// Whether the handshake is known to take up no session.
    pub(super) fn is_full(&self) -> bool {
        self.common().handshake_kind().is_some_and(|kind| kind != HandshakeKind::Resumed)
    }

    /// Lets rustls run until it needs more or is finished. What it has to send goes to the end of `token`.
    pub(super) fn pump(&mut self, held: &mut Vec<u8>, token: &mut Vec<u8>) -> Result<Pumped, Problem> {
        match self {
            Self::Client(client) => pump(&mut **client, held, token),
            Self::Server(server) => pump(&mut **server, held, token),
        }
    }

    /// Takes the alert that rustls queued for an error, and what it queued before. Yields where in `token` the alert begins, if
    /// there was one.
    pub(super) fn take_alert(&mut self, held: &mut Vec<u8>, token: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Client(client) => take_alert(&mut **client, held, token),
            Self::Server(server) => take_alert(&mut **server, held, token),
        }
    }
}

/// Either role of rustls's unbuffered connections.
trait ProcessTlsRecords {
    type Data;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl ProcessTlsRecords for UnbufferedClientConnection {
    type Data = ClientConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

impl ProcessTlsRecords for UnbufferedServerConnection {
    type Data = ServerConnectionData;
    fn process<'c, 'i>(&'c mut self, incoming: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }
}

fn pump<C: ProcessTlsRecords>(
    connection: &mut C,
    held: &mut Vec<u8>,
    token: &mut Vec<u8>,
) -> Result<Pumped, Problem> {
    loop {
        let UnbufferedStatus { discard, state } = connection.process(held);
        let pumped = match state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => {
                encode(token, |out| chunk.encode(out)).map(|()| None)
            }
            Ok(ConnectionState::TransmitTlsData(transmit)) => {
                transmit.done();
                Ok(None)
            }
            Ok(ConnectionState::BlockedHandshake) => Ok(Some(Pumped::NeedsMore)),
            Ok(ConnectionState::WriteTraffic(_)) => Ok(Some(Pumped::Finished)),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                Err(Problem::Ours(Error::ClosedInHandshake))
            }
            // One record at a time goes in, and the pump stops where the handshake is finished: no data can be here.
            Ok(_) => Err(Problem::Ours(Error::UnexpectedMessage { what: "application data".to_owned() })),
            Err(error) => Err(Problem::Rustls(error)),
        };
        held.drain(..discard.min(held.len()));
        match pumped {
            Ok(None) => {}
            Ok(Some(done)) => return Ok(done),
            Err(problem) => return Err(problem),
        }
    }
}

fn encode(
    token: &mut Vec<u8>,
    mut chunk: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), Problem> {
    let internal = |what| Problem::Ours(Error::Internal(what));
    let Err(EncodeError::InsufficientSize(needed)) = chunk(&mut []) else {
        return Err(internal("rustls encoded nothing"));
    };
    /// Room for a flight without certificates, in a piece of memory of a size that is quickly had.
    const FLIGHT: usize = 1000;
    let before = token.len();
    if token.capacity() == 0 {
        token.reserve(FLIGHT.max(needed.required_size));
    }
    token.resize(before + needed.required_size, 0);
    let room = token.get_mut(before..).unwrap_or_default();
    let written = chunk(room).map_err(|_| internal("rustls needs more room than it said"))?;
    token.truncate(before + written);
    Ok(())
}

/// It stops at the alert: a call without anything queued goes on with the input, and a second error then would be a bug in
/// rustls's eyes.
fn take_alert<C: ProcessTlsRecords>(
    connection: &mut C,
    held: &mut Vec<u8>,
    token: &mut Vec<u8>,
) -> Option<usize> {
    /// An encrypted TLS 1.3 alert: header, level and description, content type, tag. No handshake record is that short.
    const TLS13_ALERT: usize = RECORD_HEADER + 2 + 1 + 16;
    loop {
        let before = token.len();
        let UnbufferedStatus { discard, state } = connection.process(held);
        let encoded = match state {
            Ok(ConnectionState::EncodeTlsData(mut chunk)) => encode(token, |out| chunk.encode(out)).is_ok(),
            _ => false,
        };
        held.drain(..discard.min(held.len()));
        let chunk = token.get(before..).unwrap_or_default();
        let is_alert = match chunk.first() {
            Some(&ALERT) => true,
            Some(&APPLICATION_DATA) => chunk.len() == TLS13_ALERT,
            _ => false,
        };
        if is_alert {
            return Some(before);
        }
        if !encoded {
            return None;
        }
    }
}
