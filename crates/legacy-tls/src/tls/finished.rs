//! ChangeCipherSpec and Finished, as both roles send and take them.
//!
//! Spec: TLS12 sections 7.1 and 7.4.9.

use std::sync::Arc;

use crypto::random::Random;

use crate::config::Policy;
use crate::connection::handshake::Channel as _;
use crate::error::{Error, Misbehaved};
use crate::record::{Opener, Sealer};
use crate::session::MasterSecret;
use crate::tls::channel::{Channel, Message};
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::keys::{ConnectionKeys, DirectionKeys};
use crate::tls::messages::HandshakeType;
use crate::tls::versions::{Rules, Sender, VerifyData};

/// What the end of a handshake is made of.
pub(super) struct End<'a> {
    pub(super) rules: &'static Rules,
    pub(super) suite: &'static SuiteRow,
    pub(super) master_secret: &'a MasterSecret,
    pub(super) keys: &'a ConnectionKeys,
    pub(super) policy: &'a Policy,
}

impl End<'_> {
    const fn keys_of(&self, sender: Sender) -> &DirectionKeys {
        match sender {
            Sender::Client => &self.keys.client,
            Sender::Server => &self.keys.server,
        }
    }

    fn verify_data(&self, channel: &Channel, sender: Sender) -> VerifyData {
        (self.rules.verify_data)(self.suite, self.master_secret, &channel.transcript, sender)
    }

    /// From here on the peer's records are protected.
    pub(super) fn take_change(&self, channel: &mut Channel, peer: Sender) -> Result<(), Error> {
        let keys = self.keys_of(peer).for_records(self.rules, self.suite, self.policy);
        channel.change_opener(Opener::new(&keys)?);
        Ok(())
    }

    /// Sends both messages; what Finished held.
    pub(super) fn send(
        &self,
        channel: &mut Channel,
        own: Sender,
        random: &Arc<dyn Random>,
    ) -> Result<VerifyData, Error> {
        let keys = self.keys_of(own).for_records(self.rules, self.suite, self.policy);
        let sealer = Sealer::new(&keys, Arc::clone(random))?;
        let verify_data = self.verify_data(channel, own);
        channel.change_sealer(sealer)?;
        channel.send(HandshakeType::FINISHED, |writer| {
            writer.bytes(verify_data.as_ref());
            Ok(())
        })?;
        channel.flush()?;
        Ok(verify_data)
    }

    /// Checks the peer's Finished, in constant time; what it held.
    pub(super) fn take_finished(
        &self,
        channel: &mut Channel,
        peer: Sender,
        message: &Message,
    ) -> Result<VerifyData, Error> {
        let expected = self.verify_data(channel, peer);
        if message.body().len() != expected.as_ref().len() {
            return Err(wire::DecodeError::illegal("Finished.verify_data").into());
        }
        if !crypto::constant_time::ct_eq(message.body(), expected.as_ref()) {
            return Err(Misbehaved::BadFinished.into());
        }
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
        Ok(expected)
    }
}
