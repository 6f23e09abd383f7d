//! CLIENT_MASTER_KEY and SERVER_VERIFY, with which the handshake is over.
//!
//! Spec: PCT1 sections 5.2.3 and 5.2.4.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::private_key::PrivateKey;
use crypto::rsa;
use zeroize::Zeroizing;

use super::Server;
use crate::certificate::{Identity, PeerCertificate, public_key};
use crate::config::{ClientAuth, ServerConfig};
use crate::connection::Negotiated;
use crate::error::{Error, Misbehaved, Refused};
use crate::pct1::both_roles::keep_master;
use crate::pct1::channel::Channel;
use crate::pct1::error::{Broken, Mismatch};
use crate::pct1::handshake::{Directions, Parameters, Pct1Negotiated};
use crate::pct1::keys::{self, ConnectionKeys, DirectionKeys, MasterKey, Material};
use crate::pct1::messages::{ClientMasterKey, NO_SESSION, ServerVerify};
use crate::pct1::readings::{
    RESTART_SENDS_NO_KEYS, decode_chain, signature_algorithm, takes_key_arg_without_cipher,
};
use crate::pct1::specs::{Spec, certificate, signature};
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::ProtocolVersion;

/// Whether a KEY_ARG of so many bytes is one for the cipher.
pub(super) fn takes_key_arg(spec: &Spec, len: usize) -> bool {
    if spec.bits == 0 { takes_key_arg_without_cipher(len) } else { len == spec.key_arg_len() }
}

/// The keys of a session that is taken up again.
pub(super) struct Restart {
    pub(super) keys: ConnectionKeys,
    /// The client's keys with the session's certificate in them.
    pub(super) alternative: DirectionKeys,
    pub(super) id: Vec<u8>,
    pub(super) master: MasterKey,
    pub(super) key_arg: Vec<u8>,
}

/// SERVER_HELLO is out.
pub(crate) struct Chosen {
    pub(super) hellos: [Vec<u8>; 2],
    pub(super) challenge: [u8; 32],
    pub(super) connection_id: [u8; 32],
    pub(super) spec: &'static Spec,
    pub(super) parameters: Parameters,
    pub(super) client_auth: ClientAuth,
    pub(super) previous: Option<Parameters>,
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) asks: bool,
    pub(super) peer_chain: Vec<Vec<u8>>,
    pub(super) restart: Option<Restart>,
}

/// What a handshake ends with.
struct Finished {
    keys: ConnectionKeys,
    alternative: Option<DirectionKeys>,
    master: MasterKey,
    key_arg: Vec<u8>,
    id: Vec<u8>,
    resumed: bool,
    strength: Option<KeyExchangeStrength>,
}

impl Chosen {
    /// Spec: PCT1 section 5.2.3.
    pub(super) fn client_master_key(
        mut self: Box<Self>,
        message: &[u8],
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Server, Error> {
        let message = ClientMasterKey::decode(message)?;
        self.check_public_fields(&message)?;
        let mut finished = match self.restart.take() {
            Some(restart) => self.restarted(restart, &message)?,
            None => self.exchanged(&message, config)?,
        };
        self.authenticate(&message, config)?;
        let verify = if finished.resumed {
            ServerVerify { session_id: self.connection_id, response: Vec::new() }
        } else {
            let session_id = session_id(config)?;
            finished.id = session_id.to_vec();
            let (hash, mac) = (self.spec.hash_kind(), &finished.keys.server.mac);
            let response =
                keys::server_response(hash, mac, &self.challenge, &self.connection_id, &session_id);
            ServerVerify { session_id, response: response.as_ref().to_vec() }
        };
        channel.send(&verify.encode()?)?;
        channel.is_quiet = true;
        self.complete(finished, config, channel)
    }

    /// What everybody can see to be wrong, before a key is touched.
    fn check_public_fields(&self, message: &ClientMasterKey) -> Result<(), Error> {
        let is_new = self.restart.is_none();
        if is_new && !self.spec.accepts_clear_key(&message.clear_key) {
            return Err(Broken::ClearKey.into());
        }
        if is_new && !takes_key_arg(self.spec, message.key_arg.len()) {
            return Err(Broken::KeyArg.into());
        }
        if !is_new
            && RESTART_SENDS_NO_KEYS
            && !(message.clear_key.is_empty() && message.encrypted_key.is_empty())
        {
            return Err(Broken::NotEmpty("key").into());
        }
        if !is_new && !message.key_arg.is_empty() {
            return Err(Broken::NotEmpty("initialization vector").into());
        }
        let (kind, signature) = (message.certificate_type, message.signature_type);
        let none = (kind, signature) == (certificate::NONE, signature::NONE);
        if none && !(message.certificate.is_empty() && message.response.is_empty()) {
            return Err(Broken::NotEmpty("certificate").into());
        }
        let may = self.asks && certificate::ALL.contains(&kind) && signature::ALL.contains(&signature);
        if !none && !may {
            return Err(Broken::NotOffered("certificate or signature type").into());
        }
        Ok(())
    }

    fn restarted(&self, restart: Restart, message: &ClientMasterKey) -> Result<Finished, Error> {
        let Restart { mut keys, alternative, id, master, key_arg } = restart;
        if !self.is_prelude(&keys.client, message) {
            keys.client = alternative;
            if !self.is_prelude(&keys.client, message) {
                return Err(Broken::Prelude.into());
            }
        }
        Ok(Finished { keys, alternative: None, master, key_arg, id, resumed: true, strength: None })
    }

    fn is_prelude(&self, client: &DirectionKeys, message: &ClientMasterKey) -> bool {
        let [client_hello, server_hello] = &self.hellos;
        let expected = keys::verify_prelude(self.spec.hash_kind(), &client.mac, client_hello, server_hello);
        ct_eq(expected.as_ref(), &message.verify_prelude)
    }

    fn exchanged(&mut self, message: &ClientMasterKey, config: &ServerConfig) -> Result<Finished, Error> {
        let identity = self.identity.as_deref().ok_or(Error::Internal("no certificate was sent"))?;
        let PrivateKey::Rsa(key) = identity.key() else {
            return Err(Error::Internal("an exchange with RSA without RSA key"));
        };
        let strength = Some(KeyExchangeStrength::Rsa { bits: key.public_key().bits() });
        let master = decrypt_master(key, &message.encrypted_key, config)?;
        let material = Material {
            hash: self.spec.hash_kind(),
            master: &master,
            connection_id: &self.connection_id,
            challenge: &self.challenge,
            certificate: &self.parameters.certificate,
        };
        let keys = ConnectionKeys::derive(&material, self.spec, self.parameters.cipher, &message.clear_key);
        if !self.is_prelude(&keys.client, message) {
            return Err(Broken::Prelude.into());
        }
        self.parameters.clear_key.clone_from(&message.clear_key);
        let (key_arg, id) = (message.key_arg.clone(), Vec::new());
        Ok(Finished { keys, alternative: None, master, key_arg, id, resumed: false, strength })
    }

    /// The client's certificate, and its response.
    fn authenticate(&mut self, message: &ClientMasterKey, config: &ServerConfig) -> Result<(), Error> {
        if !self.asks {
            return Ok(());
        }
        if message.certificate_type == certificate::NONE {
            if self.client_auth == ClientAuth::Required {
                return Err(Refused::NoClientCertificate.into());
            }
            return self.check_client_of_redo(message);
        }
        let chain = match message.certificate_type {
            certificate::X509 => vec![message.certificate.clone()],
            _ => decode_chain(&message.certificate).map_err(|_| Misbehaved::UnreadableCertificate)?,
        };
        let leaf = chain.first().ok_or(Misbehaved::UnreadableCertificate)?;
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        let shown = PeerCertificate { chain: &chain, server_name: None, ocsp_response: &[], resumed: false };
        config.client_verifier.verify(&shown).map_err(Error::Certificate)?;
        let algorithm = signature_algorithm(message.signature_type).ok_or(Broken::ClientResponse)?;
        key.verify(algorithm, &message.verify_prelude, &message.response)
            .map_err(|_| Broken::ClientResponse)?;
        self.check_client_of_redo(message)?;
        self.parameters.client_certificate_type = message.certificate_type;
        self.parameters.client_signature_type = message.signature_type;
        self.parameters.client_certificate.clone_from(&message.certificate);
        self.peer_chain = chain;
        Ok(())
    }

    /// Spec: PCT1 section 4.3.2.
    fn check_client_of_redo(&self, message: &ClientMasterKey) -> Result<(), Error> {
        let Some(previous) = &self.previous else { return Ok(()) };
        let mismatch = Mismatch {
            client_certificate: previous.client_certificate_type != message.certificate_type,
            client_signature: previous.client_signature_type != message.signature_type,
            ..Mismatch::default()
        };
        if mismatch.any() {
            return Err(mismatch.into());
        }
        let same = previous.client_certificate == message.certificate;
        if same { Ok(()) } else { Err(Broken::OtherCertificate.into()) }
    }

    pub(super) fn complete_restart(
        mut self,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Server, Error> {
        let restart = self.restart.take().ok_or(Error::Internal("no session is taken up"))?;
        let Restart { keys, alternative, id, master, key_arg } = restart;
        let alternative = Some(alternative);
        let (resumed, strength) = (true, None);
        self.complete(Finished { keys, alternative, master, key_arg, id, resumed, strength }, config, channel)
    }

    fn complete(
        self,
        finished: Finished,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Server, Error> {
        let Finished { keys, alternative, master, key_arg, id, resumed, strength } = finished;
        let keeps = config.policy.resume;
        let negotiated = Negotiated {
            strength,
            peer_chain: self.peer_chain,
            identity: self.identity,
            resumed,
            session_key: keeps.then(|| id.clone()),
            session_id: if keeps { id } else { Vec::new() },
            pct1: Some(Pct1Negotiated::new(self.parameters)),
            ..Negotiated::without_extensions(
                ProtocolVersion::PCT1,
                &self.spec.row,
                keep_master(&master),
                Randoms { client: self.challenge, server: self.connection_id },
                &config.sessions,
            )
        };
        negotiated.keep(config.clock.now());
        let directions = Directions { keys, alternative, spec: self.spec, key_arg };
        Ok(Server::Complete(directions.establish(negotiated, &config.policy, channel)?))
    }
}

/// A new session's identifier; the one that stands for none is not one.
fn session_id(config: &ServerConfig) -> Result<[u8; 32], Error> {
    let mut id = [0; 32];
    config.random.fill(&mut id)?;
    if id == NO_SESSION { Err(Error::Internal("the source of random bytes yields zeros")) } else { Ok(id) }
}

/// The master key under our RSA key.
///
/// Whatever is wrong with it (padding, length, even the length of the ciphertext) gives a random one by the same path: the
/// handshake then fails at the verify prelude, and tells nothing (Bleichenbacher).
///
/// Spec: PCT1 section 5.3.1.
fn decrypt_master(
    key: &rsa::PrivateKey,
    encrypted: &[u8],
    config: &ServerConfig,
) -> Result<MasterKey, Error> {
    let mut master: MasterKey = Zeroizing::new([0; 16]);
    config.random.fill(master.as_mut_slice())?;
    match key.decrypt_pkcs1(encrypted, master.as_mut_slice(), config.random.as_ref()) {
        Ok(_) | Err(rsa::Error::Ciphertext) => Ok(master),
        Err(_) => Err(Error::Internal("the RSA key could not decrypt")),
    }
}
