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

/// A session that is taken up again.
pub(crate) struct Resumed {
    /// When it was made.
    pub(super) created: u64,
    /// It was in a ticket, and has no identifier.
    pub(super) by_ticket: bool,
}

/// The keys are known.
pub(crate) struct Keyed {
    pub(super) agreed: Agreed,
    pub(super) master_secret: MasterSecret,
    pub(super) peer_chain: Vec<Vec<u8>>,
    pub(super) ocsp_response: Vec<u8>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) strength: Option<KeyExchangeStrength>,
    pub(super) keys: ConnectionKeys,
    pub(super) resumed: Option<Resumed>,
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
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let NewSessionTicket { lifetime_hint, ticket } =
            NewSessionTicket::from_bytes(message.body(), "NewSessionTicket")?;
        if (1..=LONGEST_TICKET).contains(&ticket.len()) {
            let expires = config.clock.now().saturating_add(lifetime_hint.into());
            self.agreed.ticket = Some((ticket.into_owned(), (lifetime_hint != 0).then_some(expires)));
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
        if self.resumed.is_some() {
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
        // A session that goes on stays what it was, but for a ticket that takes the place of the one it had.
        let is_new = self.resumed.is_none() || agreed.ticket.is_some();
        let may_keep = config.policy.resume && (outgrown || is_new);
        // A ticket makes the identifier void, and what a client calls the session of its ticket is none. Spec: TICKET section 3.4.
        let by_ticket = self.resumed.as_ref().is_some_and(|resumed| resumed.by_ticket);
        let session_id = if agreed.ticket.is_some() || by_ticket { Vec::new() } else { agreed.session_id };
        if let Some(key) = offer.session_key.as_ref().filter(|_| may_keep) {
            if outgrown || (session_id.is_empty() && agreed.ticket.is_none()) {
                config.sessions.remove(key);
            } else {
                let (ticket, ticket_expires) = agreed.ticket.unwrap_or_default();
                let session = Session {
                    id: session_id.clone(),
                    ticket,
                    ticket_expires,
                    version: agreed.rules.version,
                    suite: agreed.suite.suite,
                    master_secret: self.master_secret.clone(),
                    extended_master_secret: agreed.extended_master_secret,
                    peer_chain: self.peer_chain.clone(),
                    server_name: offer.server_name.clone(),
                    created: self
                        .resumed
                        .as_ref()
                        .map_or_else(|| config.clock.now(), |resumed| resumed.created),
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
            resumed: self.resumed.is_some(),
            session_id,
            session_key: offer.session_key,
            ticketed: None,
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
