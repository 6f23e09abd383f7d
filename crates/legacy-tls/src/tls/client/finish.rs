//! The end of the handshake: NewSessionTicket, ChangeCipherSpec and Finished.

use std::sync::Arc;

use wire::Codec;

use super::State;
use super::hello::Agreed;
use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::connection::Negotiated;
use crate::error::{Error, Misbehaved};
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session};
use crate::tls::channel::{Channel, Message};
use crate::tls::finished::End;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::ConnectionKeys;
use crate::tls::messages::NewSessionTicket;
use crate::tls::versions::{Sender, VerifyData, downgrade};

/// A ticket that is longer is not kept, in bytes: a server that puts its clients' chains into them has long ones.
const LONGEST_TICKET: usize = 8 << 10;

/// The keys are known.
pub(crate) struct Keyed {
    pub(super) agreed: Agreed,
    pub(super) master_secret: MasterSecret,
    pub(super) peer_chain: Vec<Vec<u8>>,
    pub(super) ocsp_response: Vec<u8>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) strength: Option<KeyExchangeStrength>,
    pub(super) keys: ConnectionKeys,
    pub(super) resumed: bool,
    /// What our own Finished held, once it was sent.
    pub(super) own: Option<VerifyData>,
}

impl Keyed {
    const fn end<'a>(&'a self, config: &'a ClientConfig) -> End<'a> {
        End {
            rules: self.agreed.rules,
            suite: self.agreed.suite,
            master_secret: &self.master_secret,
            keys: &self.keys,
            policy: &config.policy,
        }
    }

    pub(super) const fn may_get_ticket(&self) -> bool {
        self.agreed.ticket_follows
    }

    /// An empty ticket is none: the server has changed its mind.
    ///
    /// Spec: TICKET section 3.3.
    pub(super) fn new_session_ticket(
        mut self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let ticket = NewSessionTicket::from_bytes(message.body(), "NewSessionTicket")?.ticket.into_owned();
        if ticket.len() <= LONGEST_TICKET {
            self.agreed.ticket = ticket;
        }
        channel.transcript.add(message.bytes());
        self.agreed.ticket_follows = false;
        Ok(State::ChangeCipherSpec(self))
    }

    pub(super) fn send_finished(
        &mut self,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<(), Error> {
        self.own = Some(self.end(config).send(channel, Sender::Client, &config.random)?);
        Ok(())
    }

    /// Spec: TLS12 section 7.1.
    pub(super) fn change_cipher_spec(
        self: Box<Self>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        // A server that said that a ticket follows may have changed its mind only by an empty one.
        if self.agreed.ticket_follows {
            return Err(
                Misbehaved::UnexpectedRecord { content_type: 20, expected: "NewSessionTicket" }.into()
            );
        }
        self.end(config).take_change(channel, Sender::Server)?;
        Ok(State::Finished(self))
    }

    /// Spec: TLS12 section 7.4.9.
    pub(super) fn finished(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let expected = self.end(config).take_finished(channel, Sender::Server, message)?;
        if self.resumed {
            self.send_finished(config, channel)?;
        }
        let own = self.own.ok_or(Error::Internal("Finished was not sent"))?;
        let finished = Previous { client: own, server: expected, secure: self.agreed.secure_renegotiation };
        Ok(State::Complete(Box::new(self.complete(finished, config))))
    }

    fn complete(self, finished: Previous, config: &ClientConfig) -> Negotiated {
        let agreed = self.agreed;
        let offer = agreed.offer;
        // After a session that the server has outgrown the next hello says all that we have.
        let outgrown = offer.held_back && downgrade::is_marked(&agreed.randoms.server);
        let may_keep = config.policy.resume && (outgrown || !self.resumed);
        if let Some(key) = offer.session_key.as_ref().filter(|_| may_keep) {
            if outgrown || (agreed.session_id.is_empty() && agreed.ticket.is_empty()) {
                config.sessions.remove(key);
            } else {
                let session = Session {
                    id: agreed.session_id.clone(),
                    ticket: agreed.ticket,
                    version: agreed.rules.version,
                    suite: agreed.suite.suite,
                    master_secret: self.master_secret.clone(),
                    extended_master_secret: agreed.extended_master_secret,
                    peer_chain: self.peer_chain.clone(),
                    server_name: offer.server_name.clone(),
                    created: config.clock.now(),
                    pct1: None,
                };
                config.sessions.put(key, Arc::new(session));
            }
        }
        Negotiated {
            is_client: true,
            version: agreed.rules.version,
            hello_version: offer.version,
            suite: agreed.suite,
            strength: self.strength,
            alpn: offer.before.map_or(agreed.alpn, |before| before.alpn),
            server_name: offer.server_name,
            peer_chain: self.peer_chain,
            ocsp_response: self.ocsp_response,
            identity: self.identity,
            resumed: self.resumed,
            session_id: agreed.session_id,
            session_key: offer.session_key,
            extended_master_secret: agreed.extended_master_secret,
            sessions: Arc::clone(&config.sessions),
            finished,
            rules: Some(agreed.rules),
            pct1: None,
            master_secret: self.master_secret,
            randoms: agreed.randoms,
        }
    }
}
