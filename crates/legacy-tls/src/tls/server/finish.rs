//! The end of the handshake: ChangeCipherSpec and Finished.

use std::sync::Arc;

use crypto::public_key::PublicKey;

use super::State;
use super::flight::Common;
use crate::config::ServerConfig;
use crate::connection::Negotiated;
use crate::error::Error;
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session};
use crate::tls::channel::{Channel, Message};
use crate::tls::finished::End;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::ConnectionKeys;
use crate::tls::versions::{Sender, VerifyData};

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
            self.send_finished(config, channel)?;
        }
        let own = self.own.ok_or(Error::Internal("Finished was not sent"))?;
        let finished = Previous { client: expected, server: own, secure: self.common.secure_renegotiation };
        Ok(State::Complete(Box::new(self.complete(finished, config))))
    }

    fn complete(self, finished: Previous, config: &ServerConfig) -> Negotiated {
        let common = self.common;
        if !self.resumed && config.policy.resume && !common.session_id.is_empty() {
            let session = Session {
                id: common.session_id.clone(),
                ticket: Vec::new(),
                version: common.rules.version,
                suite: common.suite.suite,
                master_secret: self.master_secret.clone(),
                extended_master_secret: common.extended_master_secret,
                peer_chain: self.peer_chain.clone(),
                server_name: common.server_name.clone(),
                created: config.clock.now(),
                pct1: None,
            };
            config.sessions.put(&common.session_id, Arc::new(session));
        }
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
