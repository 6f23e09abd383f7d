//! A second handshake on a connection that there is already.
//!
//! Its records are under the keys of the first until either side's ChangeCipherSpec, and data of the application may come
//! between them. It takes up no session: what was agreed on is agreed on anew, but for version and application protocol,
//! which a connection keeps.
//!
//! Spec: RENEG; TLS12 section 7.4.1.1.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use crate::config::{ClientConfig, Policy, ServerConfig};
use crate::connection::handshake::Handshake;
use crate::connection::{
    ClientConnection, ClientHandshake, ClientParameters, Failure, Negotiated, ServerConnection,
    ServerHandshake, ServerParameters, wanted,
};
use crate::error::{Error, Misbehaved, Refused};
use crate::record::{Opener, Sealer};
use crate::tls::channel::Channel;
use crate::tls::versions::{ProtocolVersion, Rules, VerifyData};
use crate::tls::{client, server};

/// The verify data of a handshake, to which the next one on its connection is bound.
///
/// Spec: RENEG section 3.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Previous {
    pub(crate) client: VerifyData,
    pub(crate) server: VerifyData,
    /// Both sides have the indication.
    pub(crate) secure: bool,
}

/// What a connection has of its last handshake.
#[derive(Clone)]
pub struct Before {
    pub(crate) finished: Previous,
    pub(crate) rules: &'static Rules,
    /// What the client's hello said.
    pub(crate) offered: ProtocolVersion,
    pub(crate) alpn: Option<Vec<u8>>,
    /// Whether the master secret was bound to the handshake.
    pub(crate) extended_master_secret: bool,
    pub(crate) resumed: bool,
    /// The peer's own certificate, if it showed one.
    pub(crate) peer: Option<Vec<u8>>,
    /// Server: what the client called it.
    pub(crate) server_name: Option<String>,
}

impl Before {
    /// A peer that has the extended master secret in one handshake has it in the next, or is another. The reverse is no
    /// sign of anything: a hello in the format of SSL 2.0 cannot offer it.
    ///
    /// Spec: EMS section 5.
    pub(crate) fn check_binding(&self, extended_master_secret: bool) -> Result<(), Error> {
        if extended_master_secret || !self.extended_master_secret {
            return Ok(());
        }
        Err(Misbehaved::BindingChanged.into())
    }

    /// Who has shown a certificate shows the same again, or, as a client, none. What came under the one identity and what comes
    /// under the other would look to an application as if one peer had sent it.
    ///
    /// Spec: EMS section 1 (the triple handshake); TLS12 section 7.4.1.1.
    pub(crate) fn check_peer(&self, chain: &[Vec<u8>]) -> Result<(), Error> {
        match (&self.peer, chain.first()) {
            (Some(before), Some(now)) if before != now => Err(Misbehaved::IdentityChanged.into()),
            _ => Ok(()),
        }
    }

    /// The peer's own certificate, if it showed one.
    #[must_use]
    pub fn peer(&self) -> Option<&[u8]> {
        self.peer.as_deref()
    }

    /// The same, where the peer showed this certificate in an earlier handshake of the connection.
    #[must_use]
    pub fn of_peer(self, leaf: Option<Vec<u8>>) -> Self {
        Self { peer: leaf.or(self.peer), ..self }
    }

    /// A name, once it was said, is that of the connection.
    pub(crate) fn check_server_name(&self, name: Option<&str>) -> Result<(), Error> {
        match &self.server_name {
            Some(before) if name != Some(before) => Err(Misbehaved::ServerNameChanged.into()),
            _ => Ok(()),
        }
    }

    /// Whether the next handshake can be bound to this one: both sides have the renegotiation indication, and this one was
    /// not a resumption without extended master secret, which somebody in between can make look the same on two connections
    /// (triple handshake).
    ///
    /// Spec: EMS section 5.4.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.finished.secure && (self.extended_master_secret || !self.resumed)
    }

    /// Whether a policy lets the connection be negotiated again.
    ///
    /// # Errors
    ///
    /// The connection cannot be bound to what was before, and the policy wants that.
    pub fn check(&self, policy: &Policy) -> Result<(), Error> {
        if self.is_secure() || policy.insecure_renegotiation {
            return Ok(());
        }
        Err(Refused::Renegotiation.into())
    }
}

impl Negotiated {
    /// What a handshake after this one needs: of the connection its application protocol, the peer's own certificate, and for a
    /// server what the client called it. `None` where the protocol has no second handshake like this.
    #[must_use]
    pub fn before(
        &self,
        alpn: Option<Vec<u8>>,
        peer: Option<Vec<u8>>,
        server_name: Option<String>,
    ) -> Option<Before> {
        Some(Before {
            finished: self.finished,
            rules: self.rules?,
            offered: self.hello_version,
            alpn,
            extended_master_secret: self.extended_master_secret,
            resumed: self.resumed,
            peer,
            server_name,
        })
    }
}

impl Debug for Before {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").field("version", &self.rules.version).finish_non_exhaustive()
    }
}

/// Both directions of a connection.
pub struct Directions {
    /// Protects what we send.
    pub sealer: Sealer,
    /// Opens what the peer sends.
    pub opener: Opener,
    /// Handshake messages of the peer that were opened and are for the handshake: a ClientHello, where a server heard one.
    pub messages: Vec<u8>,
}

impl ClientConnection {
    /// Starts a handshake on a connection; the first [`advance`](Self::advance), with whatever is unread, yields its
    /// ClientHello.
    ///
    /// # Errors
    ///
    /// Policy forbids it, or there is no randomness.
    pub fn renegotiate(
        config: Arc<ClientConfig>,
        parameters: ClientParameters,
        before: Before,
        directions: Directions,
    ) -> Result<Self, Error> {
        before.check(&config.policy)?;
        let Directions { sealer, opener, messages } = directions;
        let mut channel = Channel::renegotiating(opener, sealer, before.rules, messages);
        let wanted = client::Wanted { before: Some(before), ..wanted(&config, parameters) };
        let offer = client::Offer::send(wanted, &config, &mut channel)?;
        let state = client::State::ServerHello(Box::new(offer));
        Ok(Self { handshake: ClientHandshake::Tls(Handshake::new(config, channel, state)) })
    }
}

impl ServerConnection {
    /// Starts a handshake on a connection: with the ClientHello that came on it, or, where none did, by asking for one. The first [`advance`](Self::advance), with whatever is unread,
    /// yields what must be sent.
    ///
    /// # Errors
    ///
    /// Policy forbids it.
    pub fn renegotiate(
        config: Arc<ServerConfig>,
        parameters: ServerParameters,
        before: Before,
        directions: Directions,
    ) -> Result<Self, Error> {
        before.check(&config.policy)?;
        let Directions { sealer, opener, messages } = directions;
        let is_first = messages.is_empty();
        let mut channel = Channel::renegotiating(opener, sealer, before.rules, messages);
        if is_first {
            channel.request_hello()?;
        }
        let start =
            server::Start { alpn: Vec::new(), client_auth: parameters.client_auth, before: Some(before) };
        let state = server::State::ClientHello(Box::new(start));
        Ok(Self { handshake: ServerHandshake::Tls(Handshake::new(config, channel, state)) })
    }

    /// Ends a second handshake because the client that was asked for it has had its time. Send what the failure holds.
    ///
    /// Spec: TLS12 section 7.4.1.1.
    pub fn give_up(&mut self) -> Failure {
        let error = Error::from(Misbehaved::NotNegotiatedAgain);
        match &mut self.handshake {
            ServerHandshake::Tls(handshake) => handshake.give_up(error),
            ServerHandshake::Pct1(handshake) => handshake.give_up(error),
            ServerHandshake::Ssl2(_) | ServerHandshake::Undecided(_) => Failure::silent(error),
        }
    }
}
