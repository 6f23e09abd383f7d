//! Both halves of the key exchange: the ServerKeyExchange that is sent, and the ClientKeyExchange that comes.

use crypto::dh;
use crypto::ecdh::{self, NamedGroup};
use crypto::public_key::PublicKey;
use wire::Writer;

use super::State;
use super::choice::Choice;
use super::finish::Keyed;
use super::flight::Common;
use crate::certificate::Identity;
use crate::config::{ClientAuth, ServerConfig};
use crate::error::Error;
use crate::renegotiation::Before;
use crate::tls::channel::{Channel, Message};
use crate::tls::cipher_suites::{KeyExchange, SuiteRow};
use crate::tls::key_exchange::{self, KeyExchangeStrength, Premaster, ServerParams, ServerSecret};
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::HandshakeType as H;
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::{Rules, Signatures};

/// What a ServerKeyExchange is made from.
pub(super) struct Exchange<'a> {
    pub(super) choice: &'a Choice<'a>,
    pub(super) suite: &'static SuiteRow,
    pub(super) identity: &'a Identity,
    pub(super) group: Option<NamedGroup>,
    pub(super) randoms: &'a Randoms,
}

impl Exchange<'_> {
    /// Sends ServerKeyExchange where the suite has one.
    pub(super) fn send(&self, channel: &mut Channel) -> Result<(ServerSecret, KeyExchangeStrength), Error> {
        let config = self.choice.config;
        let random = config.random.as_ref();
        let no_key = |_| Error::Internal("no key could be made for the key exchange");
        match self.suite.key_exchange {
            KeyExchange::Rsa => Ok((ServerSecret::Rsa, self.certificate_strength())),
            KeyExchange::RsaExport { bits } => {
                let PublicKey::Rsa(own) = self.identity.key().public_key() else {
                    return Err(Error::Internal("an RSA suite without RSA key"));
                };
                if own.bits() <= bits {
                    return Ok((ServerSecret::Rsa, self.certificate_strength()));
                }
                let key = config.export_keys.key(bits, random, config.clock.now())?;
                let (modulus, exponent) = (key.public_key().n(), key.public_key().e());
                self.sign(&ServerParams::Rsa { modulus, exponent }, channel)?;
                Ok((ServerSecret::EphemeralRsa(key), KeyExchangeStrength::Rsa { bits }))
            }
            KeyExchange::DheRsa | KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => {
                let export = matches!(self.suite.key_exchange, KeyExchange::DheDssExport { .. });
                let group = if export { Some(&*dh::MODP_1024) } else { self.choice.dh_group() };
                let group = group.ok_or(Error::Internal("a suite of Diffie-Hellman without group"))?;
                let own = dh::EphemeralKey::generate(group, random).map_err(|_| no_key(()))?;
                let (p, g, public) = (group.p(), group.g(), own.public_value());
                self.sign(&ServerParams::Dh { p, g, public: &public }, channel)?;
                channel.group_shown = Some(group.bits());
                Ok((ServerSecret::Dh(own), KeyExchangeStrength::Dh { bits: group.bits() }))
            }
            KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa => {
                let group = self.group.ok_or(Error::Internal("a suite of curves without curve"))?;
                let own = ecdh::EphemeralKey::generate(group, random).map_err(|_| no_key(()))?;
                let public = own.public_value();
                self.sign(&ServerParams::Ecdh { group: group.code_point(), public: &public }, channel)?;
                Ok((ServerSecret::Ecdh(own), KeyExchangeStrength::Ecdh { group: group.code_point() }))
            }
        }
    }

    fn certificate_strength(&self) -> KeyExchangeStrength {
        KeyExchangeStrength::Rsa { bits: self.identity.key().public_key().bits() }
    }

    /// Spec: TLS12 section 7.4.3.
    fn sign(&self, params: &ServerParams<'_>, channel: &mut Channel) -> Result<(), Error> {
        let Choice { config, offered, rules, .. } = self.choice;
        let mut writer = Writer::new();
        params.encode(&mut writer)?;
        let params = writer.into_vec();
        let parts = [self.randoms.client.as_slice(), self.randoms.server.as_slice(), &params];
        let mut named = None;
        let whole;
        let content = match rules.signatures {
            Signatures::Md5AndSha1 { .. } => Content::md5_and_sha1(&parts),
            Signatures::Negotiated => {
                let offered = offered.signature_algorithms.as_deref();
                let scheme = SignatureScheme::choose(&config.policy, offered, self.identity.key())?;
                named = Some(scheme);
                whole = parts.concat();
                Content::Message(scheme, &whole)
            }
        };
        let signature = signature::sign(self.identity.key(), &content, config.random.as_ref())?;
        channel.send(H::SERVER_KEY_EXCHANGE, |writer| {
            writer.bytes(&params);
            if let Some(scheme) = named {
                writer.u16(scheme.0);
            }
            Ok(writer.opaque_u16("ServerKeyExchange.signature", &signature)?)
        })
    }
}

/// The server's first flight is out.
pub(crate) struct Chosen {
    pub(super) common: Common,
    pub(super) rules: &'static Rules,
    pub(super) secret: ServerSecret,
    pub(super) strength: KeyExchangeStrength,
    pub(super) client_auth: ClientAuth,
    pub(super) peer: Option<PublicKey>,
    pub(super) peer_chain: Vec<Vec<u8>>,
    pub(super) before: Option<Before>,
}

impl Chosen {
    fn premaster(self: Box<Self>, body: &[u8], config: &ServerConfig) -> Result<(Premaster, Self), Error> {
        let Self { common, rules, secret, strength, client_auth, peer, peer_chain, before } = *self;
        let random = config.random.as_ref();
        let version = common.hello_version;
        let premaster = match secret {
            ServerSecret::Rsa => {
                let identity =
                    common.identity.as_deref().ok_or(Error::Internal("no certificate was sent"))?;
                let crypto::private_key::PrivateKey::Rsa(key) = identity.key() else {
                    return Err(Error::Internal("an RSA suite without RSA key"));
                };
                key_exchange::decrypt_premaster(key, body, version, rules, random)?
            }
            ServerSecret::EphemeralRsa(key) => {
                key_exchange::decrypt_premaster(&key, body, version, rules, random)?
            }
            share => key_exchange::agree(share, body)?,
        };
        let secret = ServerSecret::Rsa;
        Ok((premaster, Self { common, rules, secret, strength, client_auth, peer, peer_chain, before }))
    }

    /// Spec: TLS12 section 7.4.7.
    pub(super) fn client_key_exchange(
        self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let (premaster, Self { common, strength, peer, peer_chain, .. }) =
            self.premaster(message.body(), config)?;
        channel.transcript.add(message.bytes());
        let Common { rules, suite, randoms, .. } = &common;
        let master_secret = match rules.extended_master_secret.filter(|_| common.extended_master_secret) {
            Some(bound) => bound(suite, &premaster, channel.transcript.digest().as_ref()),
            None => (rules.master_secret)(suite, &premaster, randoms),
        };
        let keys = ConnectionKeys::derive(rules, suite, &master_secret, randoms);
        let has_certificate = peer.is_some();
        let keyed = Box::new(Keyed {
            common,
            master_secret,
            peer,
            peer_chain,
            strength: Some(strength),
            keys,
            resumed: false,
            own: None,
        });
        if has_certificate {
            return Ok(State::CertificateVerify(keyed));
        }
        channel.transcript.release();
        Ok(State::ChangeCipherSpec(keyed))
    }
}
