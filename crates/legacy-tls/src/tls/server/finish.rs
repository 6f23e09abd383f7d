//! The end of the handshake: ChangeCipherSpec and Finished.

use std::sync::Arc;

use crypto::public_key::PublicKey;

use super::State;
use super::flight::Common;
use crate::config::ServerConfig;
use crate::connection::Negotiated;
use crate::connection::handshake::Channel as _;
use crate::error::{Error, Misbehaved};
use crate::record::{Opener, Sealer};
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session};
use crate::tls::channel::{Channel, Message};
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::ConnectionKeys;
use crate::tls::messages::HandshakeType as H;
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
    /// Spec: TLS12 section 7.1.
    pub(super) fn change_cipher_spec(
        self: Box<Self>,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Common { rules, suite, .. } = &self.common;
        let keys = self.keys.client.for_records(rules, suite, &config.policy);
        channel.change_opener(Opener::new(&keys)?);
        Ok(State::Finished(self))
    }

    pub(super) fn send_finished(
        &mut self,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<(), Error> {
        let Common { rules, suite, .. } = &self.common;
        let keys = self.keys.server.for_records(rules, suite, &config.policy);
        let sealer = Sealer::new(&keys, Arc::clone(&config.random))?;
        let verify_data =
            (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Server);
        channel.change_sealer(sealer)?;
        channel.send(H::FINISHED, |writer| {
            writer.bytes(verify_data.as_ref());
            Ok(())
        })?;
        self.own = Some(verify_data);
        channel.flush()
    }

    /// Spec: TLS12 section 7.4.9.
    pub(super) fn finished(
        mut self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Common { rules, suite, .. } = &self.common;
        let expected = (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Client);
        if message.body().len() != expected.as_ref().len() {
            return Err(wire::DecodeError::illegal("Finished.verify_data").into());
        }
        if !crypto::constant_time::ct_eq(message.body(), expected.as_ref()) {
            return Err(Misbehaved::BadFinished.into());
        }
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
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
