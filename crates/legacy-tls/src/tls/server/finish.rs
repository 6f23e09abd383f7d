//! The end of the handshake: ChangeCipherSpec and Finished.

use std::sync::Arc;

use crypto::public_key::PublicKey;
use wire::Codec;

use super::State;
use super::flight::Common;
use crate::config::ServerConfig;
use crate::connection::Negotiated;
use crate::error::Error;
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session, Ticket};
use crate::tls::channel::{Channel, Message};
use crate::tls::finished::End;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::ConnectionKeys;
use crate::tls::messages::{HandshakeType as H, NewSessionTicket};
use crate::tls::versions::{Sender, VerifyData};

/// The longest ticket that the message has room for, in bytes.
const LONGEST: usize = 0xffff;

/// The keys are known.
pub(crate) struct Keyed {
    pub(super) common: Common,
    pub(super) master_secret: MasterSecret,
    /// The key that must prove itself.
    pub(super) peer: Option<PublicKey>,
    pub(super) peer_chain: Vec<Vec<u8>>,
    pub(super) strength: Option<KeyExchangeStrength>,
    pub(super) keys: ConnectionKeys,
    pub(super) resumed: bool,
    /// What our own Finished held, once it was sent.
    pub(super) own: Option<VerifyData>,
}

impl Keyed {
    const fn end<'a>(&'a self, config: &'a ServerConfig) -> End<'a> {
        End {
            rules: self.common.rules,
            suite: self.common.suite,
            master_secret: &self.master_secret,
            keys: &self.keys,
            policy: &config.policy,
        }
    }

    /// Spec: TLS12 section 7.1.
    pub(super) fn change_cipher_spec(
        self: Box<Self>,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        self.end(config).take_change(channel, Sender::Client)?;
        Ok(State::Finished(self))
    }

    pub(super) fn send_finished(
        &mut self,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<(), Error> {
        self.own = Some(self.end(config).send(channel, Sender::Server, &config.random)?);
        Ok(())
    }

    /// Spec: TLS12 section 7.4.9.
    pub(super) fn finished(
        mut self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let expected = self.end(config).take_finished(channel, Sender::Client, message)?;
        if !self.resumed {
            if let Some(id) = &self.common.ticketed {
                let session = self.session(id.clone(), config);
                self.send_ticket(&session, config, channel)?;
            }
            self.send_finished(config, channel)?;
        }
        let own = self.own.ok_or(Error::Internal("Finished was not sent"))?;
        let finished = Previous { client: expected, server: own, secure: self.common.secure_renegotiation };
        Ok(State::Complete(Box::new(self.complete(finished, config))))
    }

    /// Gives the client a session to keep. It was promised one: an empty ticket is none.
    ///
    /// Spec: TICKET section 3.3.
    pub(super) fn send_ticket(
        &mut self,
        session: &Session,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<(), Error> {
        let ticket = config.sessions.tickets().and_then(|tickets| tickets.seal(session, config.clock.now()));
        let ticket = ticket.filter(|ticket| ticket.bytes.len() <= LONGEST);
        if ticket.is_none() && !self.resumed {
            self.common.ticketed = None;
        }
        let Ticket { bytes, lifetime_hint } = ticket.unwrap_or_default();
        channel.send(H::NEW_SESSION_TICKET, |writer| {
            Ok(NewSessionTicket { lifetime_hint, ticket: bytes.into() }.encode(writer)?)
        })
    }

    /// The session that this handshake makes.
    fn session(&self, id: Vec<u8>, config: &ServerConfig) -> Session {
        let common = &self.common;
        Session {
            id,
            ticket: Vec::new(),
            ticket_expires: None,
            version: common.rules.version,
            suite: common.suite.suite,
            master_secret: self.master_secret.clone(),
            extended_master_secret: common.extended_master_secret,
            peer_chain: self.peer_chain.clone(),
            server_name: common.server_name.clone(),
            created: config.clock.now(),
            pct1: None,
        }
    }

    fn complete(self, finished: Previous, config: &ServerConfig) -> Negotiated {
        if !self.resumed && config.policy.resume && !self.common.session_id.is_empty() {
            let session = self.session(self.common.session_id.clone(), config);
            config.sessions.put(&self.common.session_id, Arc::new(session));
        }
        let common = self.common;
        let session_key = (!common.session_id.is_empty()).then(|| common.session_id.clone());
        Negotiated {
            is_client: false,
            version: common.rules.version,
            hello_version: common.hello_version,
            suite: common.suite,
            strength: self.strength,
            alpn: common.alpn,
            server_name: common.server_name,
            peer_chain: self.peer_chain,
            ocsp_response: Vec::new(),
            identity: common.identity,
            resumed: self.resumed,
            session_id: common.session_id,
            session_key,
            ticketed: common.ticketed,
            extended_master_secret: common.extended_master_secret,
            sessions: Arc::clone(&config.sessions),
            finished,
            rules: Some(common.rules),
            pct1: None,
            master_secret: self.master_secret,
            randoms: common.randoms,
        }
    }
}
