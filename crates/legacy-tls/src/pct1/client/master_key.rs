//! CLIENT_MASTER_KEY: the keys, and the client's certificate where it is asked for.
//!
//! Spec: PCT1 section 5.2.3.

use std::sync::Arc;

use crypto::private_key::PrivateKey;
use crypto::rsa;
use zeroize::Zeroizing;

use super::hello::Offer;
use super::verify::Keyed;
use super::{Client, random_bytes};
use crate::certificate::Identity;
use crate::config::ClientConfig;
use crate::connection::CertificateRequested;
use crate::error::{Error, Misbehaved};
use crate::pct1::channel::Channel;
use crate::pct1::error::{Broken, Mismatch};
use crate::pct1::handshake::Parameters;
use crate::pct1::keys::{self, ConnectionKeys, MasterKey, Material};
use crate::pct1::messages::ClientMasterKey;
use crate::pct1::readings::{clear_key_len, encode_chain, signature_algorithm};
use crate::pct1::specs::{Spec, certificate, signature};
use crate::tls::key_exchange::KeyExchangeStrength;

/// How the keys come about.
pub(super) enum Exchange {
    Rsa(rsa::PublicKey),
    Restart(Made),
}

/// The keys, and what they were made of.
pub(super) struct Made {
    pub(super) keys: ConnectionKeys,
    pub(super) master: MasterKey,
    pub(super) key_arg: Vec<u8>,
}

/// The server's choices are known.
pub(crate) struct Asked {
    pub(super) offer: Offer,
    pub(super) server_hello: Vec<u8>,
    pub(super) connection_id: [u8; 32],
    pub(super) client_certificates: Vec<u16>,
    pub(super) client_signatures: Vec<u16>,
    pub(super) spec: &'static Spec,
    pub(super) parameters: Parameters,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) exchange: Exchange,
}

/// A client certificate, with the specifications under which it goes out.
struct Shown {
    identity: Arc<Identity>,
    certificate_type: u16,
    signature_type: u16,
}

impl Asked {
    /// The server wants a certificate.
    pub(super) fn decide(self, config: &ClientConfig, channel: &mut Channel) -> Result<Client, Error> {
        if config.ask_for_certificate {
            return Ok(Client::Identity(Box::new(self)));
        }
        let identity = config.identities.iter().find(|identity| self.shown(identity).is_some()).cloned();
        self.reply(identity, config, channel)
    }

    pub(super) fn question(&self) -> CertificateRequested {
        const RSA_SIGN: u8 = 1;
        const DSS_SIGN: u8 = 2;
        let has = |codes: &[u16]| self.client_signatures.iter().any(|code| codes.contains(code));
        let mut certificate_types = Vec::new();
        if has(&[signature::RSA_MD5, signature::RSA_SHA]) {
            certificate_types.push(RSA_SIGN);
        }
        if has(&[signature::DSA_SHA]) {
            certificate_types.push(DSS_SIGN);
        }
        CertificateRequested { certificate_types, ..CertificateRequested::default() }
    }

    /// How a certificate would be shown, if the server takes it.
    fn shown(&self, identity: &Arc<Identity>) -> Option<Shown> {
        let signs = |code: &u16| match identity.key() {
            PrivateKey::Rsa(_) => matches!(*code, signature::RSA_MD5 | signature::RSA_SHA),
            PrivateKey::Dsa(_) => *code == signature::DSA_SHA,
            _ => false,
        };
        let signature_type = self.client_signatures.iter().copied().find(signs)?;
        let known = |code: &u16| certificate::ALL.contains(code);
        let certificate_type = self.client_certificates.iter().copied().find(known)?;
        Some(Shown { identity: Arc::clone(identity), certificate_type, signature_type })
    }

    /// Whether the server goes on without a certificate.
    fn is_optional(&self) -> bool {
        self.client_certificates.contains(&certificate::NONE)
            && self.client_signatures.contains(&signature::NONE)
    }

    /// Sends CLIENT_MASTER_KEY.
    ///
    /// Spec: PCT1 section 5.2.3.
    pub(super) fn reply(
        mut self,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let is_asked = self.server_hello.get(5).is_some_and(|asks| *asks != 0);
        let shown = identity.as_ref().filter(|_| is_asked).and_then(|identity| self.shown(identity));
        if is_asked && shown.is_none() && !self.is_optional() {
            let (client_certificate, client_signature) = (true, true);
            return Err(Mismatch { client_certificate, client_signature, ..Mismatch::default() }.into());
        }
        let mut message = ClientMasterKey::default();
        let made = self.exchange(&mut message, config)?;
        let prelude = keys::verify_prelude(
            self.spec.hash_kind(),
            &made.keys.client.mac,
            &self.offer.hello,
            &self.server_hello,
        );
        message.verify_prelude = prelude.as_ref().to_vec();
        if let Some(shown) = &shown {
            show(shown, &mut message, config)?;
        }
        self.check_redo(&message)?;
        self.parameters.client_certificate_type = message.certificate_type;
        self.parameters.client_signature_type = message.signature_type;
        self.parameters.client_certificate.clone_from(&message.certificate);
        channel.send(&message.encode()?)?;
        channel.is_quiet = true;
        let keyed = self.keyed(made, shown.map(|shown| shown.identity));
        Ok(Client::ServerVerify(Box::new(keyed)))
    }

    fn keyed(self, made: Made, identity: Option<Arc<Identity>>) -> Keyed {
        let strength = match &self.exchange {
            Exchange::Rsa(key) => Some(KeyExchangeStrength::Rsa { bits: key.bits() }),
            Exchange::Restart(_) => None,
        };
        Keyed {
            offer: self.offer,
            connection_id: self.connection_id,
            spec: self.spec,
            parameters: self.parameters,
            chain: self.chain,
            made,
            strength,
            identity,
        }
    }

    /// A client shows the certificate again that it showed before on this connection.
    fn check_redo(&self, message: &ClientMasterKey) -> Result<(), Error> {
        let Some(previous) = self.offer.previous.as_ref() else { return Ok(()) };
        if matches!(self.exchange, Exchange::Rsa(_)) && previous.client_certificate != message.certificate {
            return Err(Broken::OtherCertificate.into());
        }
        Ok(())
    }

    /// The keys, and what a new session says of them.
    fn exchange(&mut self, message: &mut ClientMasterKey, config: &ClientConfig) -> Result<Made, Error> {
        let key = match std::mem::replace(&mut self.exchange, Exchange::taken()) {
            Exchange::Rsa(key) => key,
            Exchange::Restart(made) => return Ok(made),
        };
        let mut master: MasterKey = Zeroizing::new([0; 16]);
        config.random.fill(master.as_mut_slice())?;
        message.encrypted_key = key
            .encrypt_pkcs1(master.as_slice(), config.random.as_ref())
            .map_err(|_| Misbehaved::IllegalParameter("an RSA key that is too short for a master key"))?;
        self.exchange = Exchange::Rsa(key);
        message.clear_key = clear_key(self.spec, config)?;
        message.key_arg = random_bytes(self.spec.key_arg_len(), config)?;
        self.parameters.clear_key.clone_from(&message.clear_key);
        let material = Material {
            hash: self.spec.hash_kind(),
            master: &master,
            connection_id: &self.connection_id,
            challenge: &self.offer.challenge,
            certificate: &self.parameters.certificate,
        };
        let keys = ConnectionKeys::derive(&material, self.spec, self.parameters.cipher, &message.clear_key);
        Ok(Made { keys, master, key_arg: message.key_arg.clone() })
    }

    pub(super) fn complete_restart(
        mut self,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let made = self.exchange(&mut ClientMasterKey::default(), config)?;
        let id = self.offer.session.as_ref().map(|session| session.id.clone()).unwrap_or_default();
        self.keyed(made, None).complete(id, true, config, channel)
    }
}

impl Exchange {
    fn taken() -> Self {
        let none = || keys::DirectionKeys { mac: keys::Secret::default(), cipher: keys::Secret::default() };
        let keys = ConnectionKeys { client: none(), server: none() };
        Self::Restart(Made { keys, master: MasterKey::default(), key_arg: Vec::new() })
    }
}

/// A clear key whose parts differ.
fn clear_key(spec: &Spec, config: &ClientConfig) -> Result<Vec<u8>, Error> {
    let parts = spec.clear_parts();
    if parts == 0 {
        return Ok(Vec::new());
    }
    for _ in 0..8 {
        let clear = random_bytes(clear_key_len(parts), config)?;
        if spec.accepts_clear_key(&clear) {
            return Ok(clear);
        }
    }
    Err(Error::Internal("the source of random bytes repeats itself"))
}

/// Puts certificate and response into a message that has its prelude already.
fn show(shown: &Shown, message: &mut ClientMasterKey, config: &ClientConfig) -> Result<(), Error> {
    let chain = shown.identity.chain();
    message.certificate_type = shown.certificate_type;
    message.signature_type = shown.signature_type;
    message.certificate = match shown.certificate_type {
        certificate::X509 => chain.first().cloned().unwrap_or_default(),
        _ => encode_chain(chain),
    };
    let algorithm =
        signature_algorithm(shown.signature_type).ok_or(Error::Internal("an unknown signature"))?;
    let signed = shown.identity.key().sign(algorithm, &message.verify_prelude, config.random.as_ref());
    message.response = signed.map_err(|_| Error::Internal("our private key could not sign"))?;
    Ok(())
}
