//! A client's connection, whichever protocol its server answers in.

use core::net::IpAddr;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use super::handshake::{Handshake, NOT_ASKED};
use super::shared::Shared;
use super::{ClientParameters, Failure, Progress, only_rules, redo};
use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::error::Error;
use crate::pct1;
use crate::pct1::channel::Channel as Pct1Channel;
use crate::pct1::client::{Client as Pct1Client, Offer as Pct1Offer, Wanted as Pct1Wanted};
use crate::record::{Opener, Sealer};
use crate::renegotiation::Directions;
use crate::ssl2;
use crate::tls::channel::Channel;
use crate::tls::client;
use crate::tls::versions::ProtocolVersion;

/// A client's handshake.
///
/// The driver's contract: the first call has an empty input. Send every output at once; after `Incomplete` and `Ask` present
/// the same input again; after a failure send its output and give up.
pub struct ClientConnection {
    pub(crate) handshake: ClientHandshake,
}

/// A client's handshake in one of the protocols.
pub(crate) enum ClientHandshake {
    Tls(Handshake<client::State>),
    Ssl2(Handshake<ssl2::client::State>),
    Pct1(Handshake<Pct1Client>),
    /// A hello is out that several can answer.
    Shared(Box<Shared>),
}

impl ClientHandshake {
    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match self {
            Self::Tls(handshake) => handshake.advance(input),
            Self::Ssl2(handshake) => handshake.advance(input),
            Self::Pct1(handshake) => handshake.advance(input),
            Self::Shared(shared) => match shared.advance(input) {
                Ok(Ok(chosen)) => {
                    *self = chosen;
                    self.advance(input)
                }
                Ok(Err(progress)) => Ok(progress),
                Err(failure) => {
                    *self = Self::Tls(Handshake::Failed(failure.error.clone()));
                    Err(failure)
                }
            },
        }
    }
}

impl ClientConnection {
    /// Starts a handshake with a ClientHello of the engine's own; the first [`advance`](Self::advance) yields it.
    ///
    /// # Errors
    ///
    /// No version is enabled, or there is no randomness.
    pub fn new(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        let policy = &config.policy;
        let (has_pct1, has_ssl2) = (policy.has(ProtocolVersion::PCT1), policy.has(ProtocolVersion::SSL20));
        match (policy.lowest_here(), has_pct1, has_ssl2) {
            (None, true, false) => return Self::pct1(config, parameters, None, Pct1Channel::new()),
            (None, false, true) => return Self::ssl2(config, parameters),
            (None, true, true) => return Self::shared(config, parameters),
            (_, _, _) => {}
        }
        let wanted = wanted(&config, parameters.clone());
        // A session needs a hello of its own.
        if policy.v2_hello && !client::Offer::has_session(&wanted, &config) {
            return Self::shared(config, parameters);
        }
        let sealer = Sealer::plaintext(first_record_version(&config));
        let mut channel = Channel::new(Opener::plaintext(), sealer, only_rules(policy));
        let offer = client::Offer::send(wanted, &config, &mut channel)?;
        let state = client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Tls(Handshake::new(config, channel, state)) })
    }

    fn shared(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        Ok(Self { handshake: ClientHandshake::Shared(Box::new(Shared::new(config, parameters)?)) })
    }

    fn ssl2(config: Arc<ClientConfig>, parameters: ClientParameters) -> Result<Self, Error> {
        let mut channel = ssl2::channel::Channel::new();
        let offer = ssl2::client::Offer::send(wanted(&config, parameters), &config, &mut channel)?;
        let state = ssl2::client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Ssl2(Handshake::new(config, channel, state)) })
    }

    fn pct1(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        previous: Option<pct1::Previous>,
        mut channel: Pct1Channel,
    ) -> Result<Self, Error> {
        let wanted = pct1_wanted(&config, parameters);
        let offer = Pct1Offer::send(wanted, previous.map(|previous| previous.0), &config, &mut channel)?;
        let role = Pct1Client::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Pct1(Handshake::new(config, channel, role)) })
    }

    /// Negotiates a connection of PCT 1.0 again; `server_asked` says that the server's [`ContentType::REDO`] was opened. Data
    /// that the server still sends under the old keys is [`Progress::Data`].
    ///
    /// [`ContentType::REDO`]: crate::record::ContentType::REDO
    ///
    /// # Errors
    ///
    /// The connection is of another protocol, or there is no randomness.
    ///
    /// Spec: PCT1 section 4.3.2.
    pub fn redo(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        previous: pct1::Previous,
        directions: Directions,
        server_asked: bool,
    ) -> Result<Self, Error> {
        let mut channel = Pct1Channel::again(redo(directions)?);
        channel.peer_escaped(server_asked);
        Self::pct1(config, parameters, Some(previous), channel)
    }

    /// Goes on behind an SSL 2.0 hello that somebody else has sent.
    #[cfg(test)]
    pub(crate) fn behind_unified_hello(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        hello: &[u8],
        challenge: &[u8],
    ) -> Result<Self, Error> {
        let (mut channel, wanted) = (Pct1Channel::new(), pct1_wanted(&config, parameters));
        let offer = Pct1Offer::behind_unified(wanted, hello, challenge, &mut channel)?;
        let role = Pct1Client::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Pct1(Handshake::new(config, channel, role)) })
    }

    /// Goes on after the ClientHello (the whole message with its header, without that of the record) that another engine has
    /// sent. What follows must be the server's first flight.
    ///
    /// # Errors
    ///
    /// The message is no ClientHello.
    pub fn take_over(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        client_hello: &[u8],
    ) -> Result<Self, Error> {
        let mut channel =
            Channel::new(Opener::plaintext(), Sealer::plaintext(first_record_version(&config)), None);
        let wanted = wanted(&config, parameters);
        let offer = client::Offer::taken_over(client_hello, wanted, &config, &mut channel)?;
        let state = client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Tls(Handshake::new(config, channel, state)) })
    }

    /// Takes what it can of `input` and says why it stopped.
    ///
    /// # Errors
    ///
    /// The handshake failed; send what the failure holds.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        self.handshake.advance(input)
    }

    /// Answers [`Progress::Ask`]: with which certificate, or with none.
    ///
    /// # Errors
    ///
    /// Nothing was asked.
    pub fn answer(&mut self, identity: Option<Arc<Identity>>) -> Result<(), Failure> {
        match &mut self.handshake {
            ClientHandshake::Tls(handshake) => handshake.answer(identity),
            ClientHandshake::Ssl2(handshake) => handshake.answer(identity),
            ClientHandshake::Pct1(handshake) => handshake.answer(identity),
            ClientHandshake::Shared(_) => Err(Failure::silent(NOT_ASKED)),
        }
    }
}

/// A host name as it is compared.
fn normal(name: String) -> String {
    match name.parse::<IpAddr>() {
        Ok(_) => name,
        Err(_) => name.trim_end_matches('.').to_ascii_lowercase(),
    }
}

pub(super) fn pct1_wanted(config: &ClientConfig, parameters: ClientParameters) -> Pct1Wanted {
    let session_key = parameters.session_key.filter(|_| config.policy.resume);
    Pct1Wanted { server_name: parameters.server_name.map(normal), session_key }
}

pub(crate) fn wanted(config: &ClientConfig, parameters: ClientParameters) -> client::Wanted {
    client::Wanted {
        server_name: parameters.server_name.map(normal),
        alpn: parameters.alpn.unwrap_or_else(|| config.policy.alpn.clone()),
        session_key: parameters.session_key,
        fallback: parameters.fallback,
        before: None,
    }
}

/// What the first record says.
pub(super) fn first_record_version(config: &ClientConfig) -> u16 {
    config.policy.highest_here().map_or(ProtocolVersion::TLS10, ProtocolVersion::of_first_record).0
}

impl Debug for ClientConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ClientConnection")
    }
}
