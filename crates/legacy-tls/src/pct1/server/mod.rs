//! A server's handshake.
//!
//! Spec: PCT1 sections 5.1 and 5.2.

mod hello;
mod master_key;

pub(crate) use self::hello::Start;
use self::master_key::Chosen;
use super::channel::{Channel, Incoming};
use super::error::Broken;
use super::messages;
use crate::config::ServerConfig;
use crate::connection::Established;
use crate::connection::handshake::{NOT_OVER, Outcome, Rest, Role};
use crate::error::Error;

/// What the server waits for.
pub(crate) enum Server {
    ClientHello(Box<Start>),
    ClientMasterKey(Box<Chosen>),
    Complete(Box<Established>),
}

impl Role for Server {
    type Config = ServerConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ServerConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            (Self::ClientHello(mut start), Incoming::Escape) if start.previous.is_some() => {
                if !std::mem::replace(&mut start.escaped, true) {
                    channel.send_escape()?;
                }
                Ok(Self::ClientHello(start))
            }
            (_, Incoming::Escape) => Err(Broken::NoEscape.into()),
            (Self::ClientHello(start), Incoming::Message { kind: messages::CLIENT_HELLO, bytes }) => {
                start.client_hello(&bytes, config, channel)
            }
            (
                Self::ClientMasterKey(chosen),
                Incoming::Message { kind: messages::CLIENT_MASTER_KEY, bytes },
            ) => chosen.client_master_key(&bytes, config, channel),
            (_, Incoming::Message { kind: received, .. }) => {
                Err(Broken::UnexpectedMessage { received, expected }.into())
            }
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "CLIENT_HELLO",
            Self::ClientMasterKey(_) => "CLIENT_MASTER_KEY",
            Self::Complete(_) => "nothing",
        }
    }

    fn rest(&self) -> Option<Rest> {
        matches!(self, Self::Complete(_)).then_some(Rest::Over)
    }

    fn conclude(self, _: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(established) => Ok(Outcome::Established(established)),
            _ => Err(NOT_OVER),
        }
    }
}
