//! SERVER_VERIFY, with which the handshake is over.
//!
//! Spec: PCT1 section 5.2.4.

use std::sync::Arc;

use crypto::constant_time::ct_eq;

use super::Client;
use super::hello::Offer;
use super::master_key::Made;
use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::connection::Negotiated;
use crate::error::Error;
use crate::pct1::both_roles::keep_master;
use crate::pct1::channel::Channel;
use crate::pct1::error::Broken;
use crate::pct1::handshake::{Directions, Parameters, Pct1Negotiated};
use crate::pct1::keys;
use crate::pct1::messages::{NO_SESSION, ServerVerify};
use crate::pct1::specs::Spec;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::ProtocolVersion;

/// CLIENT_MASTER_KEY is out, or there is none.
pub(crate) struct Keyed {
    pub(super) offer: Offer,
    pub(super) connection_id: [u8; 32],
    pub(super) spec: &'static Spec,
    pub(super) parameters: Parameters,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) made: Made,
    pub(super) strength: Option<KeyExchangeStrength>,
    pub(super) identity: Option<Arc<Identity>>,
}

impl Keyed {
    /// Spec: PCT1 section 5.2.4.
    pub(super) fn server_verify(
        self: Box<Self>,
        message: &[u8],
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let verify = ServerVerify::decode(message)?;
        if let Some(session) = self.offer.session.clone().filter(|_| self.strength.is_none()) {
            if !verify.response.is_empty() {
                return Err(Broken::NotEmpty("response").into());
            }
            return self.complete(session.id.clone(), true, config, channel);
        }
        let expected = keys::server_response(
            self.spec.hash_kind(),
            &self.made.keys.server.mac,
            &self.offer.challenge,
            &self.connection_id,
            &verify.session_id,
        );
        if !ct_eq(expected.as_ref(), &verify.response) {
            return Err(Broken::ServerResponse.into());
        }
        let id = if verify.session_id == NO_SESSION { Vec::new() } else { verify.session_id.to_vec() };
        self.complete(id, false, config, channel)
    }

    pub(super) fn complete(
        self,
        id: Vec<u8>,
        resumed: bool,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let key = self.offer.wanted.session_key.as_ref().filter(|_| config.policy.resume && !id.is_empty());
        let negotiated = Negotiated {
            is_client: true,
            strength: self.strength,
            server_name: self.offer.wanted.server_name.clone(),
            peer_chain: self.chain,
            identity: self.identity,
            resumed,
            session_id: id,
            session_key: key.cloned(),
            pct1: Some(Pct1Negotiated::new(self.parameters)),
            ..Negotiated::without_extensions(
                ProtocolVersion::PCT1,
                &self.spec.row,
                keep_master(&self.made.master),
                Randoms { client: self.offer.challenge, server: self.connection_id },
                &config.sessions,
            )
        };
        negotiated.keep(config.clock.now());
        let Made { keys, key_arg, .. } = self.made;
        let directions = Directions { keys, alternative: None, spec: self.spec, key_arg };
        Ok(Client::Complete(directions.establish(negotiated, &config.policy, channel)?))
    }
}
