//! A client's handshake.
//!
//! Spec: PCT1 sections 5.1 and 5.2.

mod hello;
mod master_key;
mod verify;

use std::sync::Arc;

pub(crate) use self::hello::Offer;
use self::master_key::Asked;
use self::verify::Keyed;
use super::channel::{Channel, Incoming};
use super::error::Broken;
use super::messages;
use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::connection::Established;
use crate::connection::handshake::{NOT_ASKED, NOT_OVER, Outcome, Rest, Role};
use crate::error::Error;

/// What a handshake is asked to do.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) server_name: Option<String>,
    pub(crate) session_key: Option<Vec<u8>>,
}

/// What the client waits for.
pub(crate) enum Client {
    ServerHello(Box<Offer>),
    Identity(Box<Asked>),
    ServerVerify(Box<Keyed>),
    Complete(Box<Established>),
}

impl Role for Client {
    type Config = ClientConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            // Our escape and hello are out already: the peer's answers them, or has crossed them.
            (Self::ServerHello(offer), Incoming::Escape) => Ok(Self::ServerHello(offer)),
            (_, Incoming::Escape) => Err(Broken::NoEscape.into()),
            (Self::ServerHello(offer), Incoming::Message { kind: messages::SERVER_HELLO, bytes }) => {
                offer.server_hello(&bytes, config, channel)
            }
            (Self::ServerVerify(keyed), Incoming::Message { kind: messages::SERVER_VERIFY, bytes }) => {
                keyed.server_verify(&bytes, config, channel)
            }
            (_, Incoming::Message { kind: received, .. }) => {
                Err(Broken::UnexpectedMessage { received, expected }.into())
            }
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "SERVER_HELLO",
            Self::ServerVerify(_) => "SERVER_VERIFY",
            Self::Identity(_) | Self::Complete(_) => "nothing",
        }
    }

    fn rest(&self) -> Option<Rest> {
        match self {
            Self::Identity(asked) => Some(Rest::Asking(asked.question())),
            Self::Complete(_) => Some(Rest::Over),
            _ => None,
        }
    }

    fn answer(
        self,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        match self {
            Self::Identity(mut asked) => {
                // What was chosen for one handshake must not stand in for the choice of another.
                asked.offer.wanted.session_key = None;
                asked.reply(identity, config, channel)
            }
            _ => Err(NOT_ASKED),
        }
    }

    fn conclude(self, _: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(established) => Ok(Outcome::Established(established)),
            _ => Err(NOT_OVER),
        }
    }
}

fn random_bytes(len: usize, config: &ClientConfig) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; len];
    config.random.fill(&mut bytes)?;
    Ok(bytes)
}
