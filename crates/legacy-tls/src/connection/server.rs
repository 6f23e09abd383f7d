//! A server's connection, whichever protocol its client begins.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use super::handshake::Handshake;
use super::{Failure, Progress, ServerParameters, only_rules, redo};
use crate::config::{ClientAuth, ServerConfig};
use crate::detect::{FirstFlight, OldHello, refuse_in};
use crate::error::{Error, Refused};
use crate::pct1;
use crate::pct1::channel::Channel as Pct1Channel;
use crate::pct1::server::{Server as Pct1Server, Start as Pct1Start};
use crate::record::{Opener, Sealer};
use crate::renegotiation::Directions;
use crate::ssl2;
use crate::tls::channel::Channel;
use crate::tls::server;
use crate::tls::versions::ProtocolVersion;

/// A server's handshake.
///
/// The driver's contract is that of [`ClientConnection`](crate::ClientConnection), but that a server hears first.
pub struct ServerConnection {
    pub(crate) handshake: ServerHandshake,
}

/// A server's handshake in one of the protocols.
pub(crate) enum ServerHandshake {
    /// The client has yet to show which.
    Undecided(Box<Undecided>),
    Tls(Handshake<server::State>),
    Ssl2(Handshake<ssl2::server::State>),
    Pct1(Handshake<Pct1Server>),
}

pub(crate) struct Undecided {
    config: Arc<ServerConfig>,
    parameters: ServerParameters,
}

impl Undecided {
    /// The handshake that the first bytes belong to; how many are missing, as long as that cannot be said.
    fn decide(&self, input: &[u8]) -> Result<Result<ServerHandshake, usize>, Failure> {
        let flight = match FirstFlight::of(input) {
            Ok(flight) => flight,
            Err(missing) => return Ok(Err(missing)),
        };
        if !matches!(flight, FirstFlight::Ssl2Hello | FirstFlight::V2Hello | FirstFlight::Pct1Hello) {
            return Ok(Ok(self.no_old_hello(flight)));
        }
        match OldHello::read(input) {
            Ok(Ok(hello)) => match self.old_hello(&hello) {
                Ok(handshake) => Ok(Ok(handshake)),
                Err(error) => Err(hello.refuse(error)),
            },
            Ok(Err(missing)) => Ok(Err(missing)),
            Err(_) if self.config.policy.lowest_here().is_none() => Ok(Ok(self.no_old_hello(flight))),
            Err(error) => Err(refuse_in(ProtocolVersion::TLS10, error)),
        }
    }

    /// A record of TLS, or what is no beginning of anything: an enabled protocol says so in its words.
    fn no_old_hello(&self, flight: FirstFlight) -> ServerHandshake {
        let policy = &self.config.policy;
        if flight == FirstFlight::TlsRecord || policy.lowest_here().is_some() {
            ServerHandshake::Tls(self.tls())
        } else if policy.has(ProtocolVersion::PCT1) {
            ServerHandshake::Pct1(self.pct1())
        } else {
            ServerHandshake::Ssl2(self.ssl2())
        }
    }

    /// The handshake of a client whose hello is none of TLS's own.
    fn old_hello(&self, hello: &OldHello<'_>) -> Result<ServerHandshake, Error> {
        let policy = &self.config.policy;
        let best = hello.best(policy).ok_or_else(|| hello.refused(&policy.versions))?;
        Ok(match (best, hello.v2()) {
            (ProtocolVersion::PCT1, _) => ServerHandshake::Pct1(self.pct1()),
            (ProtocolVersion::SSL20, _) => ServerHandshake::Ssl2(self.ssl2()),
            (_, Some(v2)) => {
                let (channel, start) = self.start();
                let config = Arc::clone(&self.config);
                ServerHandshake::Tls(Handshake::begun(
                    config,
                    channel,
                    hello.record_len(),
                    |config, channel| {
                        start.v2_hello(&ssl2::hello::as_tls(&v2.hello), v2.message, config, channel)
                    },
                ))
            }
            (_, None) => return Err(Error::Internal("a hello offers what it has no words for")),
        })
    }

    fn ssl2(&self) -> Handshake<ssl2::server::State> {
        let start = ssl2::server::Start { client_auth: self.parameters.client_auth };
        let state = ssl2::server::State::ClientHello(Box::new(start));
        Handshake::new(Arc::clone(&self.config), ssl2::channel::Channel::new(), state)
    }

    fn pct1(&self) -> Handshake<Pct1Server> {
        let client_auth = self.parameters.client_auth;
        let start = Pct1Start { client_auth, previous: None, escaped: false };
        let role = Pct1Server::ClientHello(Box::new(start));
        Handshake::new(Arc::clone(&self.config), Pct1Channel::new(), role)
    }

    fn start(&self) -> (Channel, server::State) {
        // Until a version is known an alert goes out as the oldest that is enabled.
        let lowest = self.config.policy.lowest_here().unwrap_or(ProtocolVersion::TLS10);
        let rules = only_rules(&self.config.policy);
        let channel = Channel::new(Opener::plaintext(), Sealer::plaintext(lowest.0), rules);
        let Self { config, parameters } = self;
        let alpn = parameters.alpn.clone().unwrap_or_else(|| config.policy.alpn.clone());
        let start = server::Start { alpn, client_auth: parameters.client_auth, before: None };
        (channel, server::State::ClientHello(Box::new(start)))
    }

    fn tls(&self) -> Handshake<server::State> {
        let (channel, state) = self.start();
        Handshake::new(Arc::clone(&self.config), channel, state)
    }
}

impl ServerConnection {
    /// Waits for a hello of any of the enabled protocols. Where it offers several, the first of [`Policy::versions`](crate::Policy::versions) that
    /// both have is spoken.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, parameters: ServerParameters) -> Self {
        let undecided = Undecided { config, parameters };
        Self { handshake: ServerHandshake::Undecided(Box::new(undecided)) }
    }

    /// Negotiates a connection of PCT 1.0 again; `client_asked` says that the client's [`ContentType::REDO`] was opened, so that
    /// its hello is next. Data that the client still sends under the old keys is [`Progress::Data`].
    ///
    /// [`ContentType::REDO`]: crate::record::ContentType::REDO
    ///
    /// # Errors
    ///
    /// The connection is of another protocol.
    ///
    /// Spec: PCT1 section 4.3.2.
    pub fn redo(
        config: Arc<ServerConfig>,
        parameters: &ServerParameters,
        previous: pct1::Previous,
        directions: Directions,
        client_asked: bool,
    ) -> Result<Self, Error> {
        // Who was not asked before is not asked now.
        if parameters.client_auth == ClientAuth::Required && !previous.0.asked {
            return Err(Refused::NoClientCertificate.into());
        }
        let mut channel = Pct1Channel::again(redo(directions)?);
        channel.send_escape()?;
        channel.peer_escaped(client_asked);
        let client_auth = parameters.client_auth;
        let start = Pct1Start { client_auth, previous: Some(previous.0), escaped: true };
        let role = Pct1Server::ClientHello(Box::new(start));
        Ok(Self { handshake: ServerHandshake::Pct1(Handshake::new(config, channel, role)) })
    }

    /// Takes what it can of `input` and says why it stopped.
    ///
    /// # Errors
    ///
    /// The handshake failed; send what the failure holds.
    pub fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match &mut self.handshake {
            ServerHandshake::Tls(handshake) => handshake.advance(input),
            ServerHandshake::Pct1(handshake) => handshake.advance(input),
            ServerHandshake::Ssl2(handshake) => handshake.advance(input),
            ServerHandshake::Undecided(undecided) => match undecided.decide(input) {
                Ok(Err(missing)) => Ok(Progress::Incomplete { missing }),
                Ok(Ok(handshake)) => {
                    self.handshake = handshake;
                    self.advance(input)
                }
                Err(failure) => {
                    self.handshake = ServerHandshake::Tls(Handshake::Failed(failure.error.clone()));
                    Err(failure)
                }
            },
        }
    }
}

impl Debug for ServerConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ServerConnection")
    }
}
