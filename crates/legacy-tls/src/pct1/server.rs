//! A server's handshake.
//!
//! Spec: PCT1 sections 5.1 and 5.2.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::private_key::PrivateKey;
use crypto::rsa;
use wire::Codec;
use zeroize::Zeroizing;

use super::channel::{Channel, Incoming};
use super::client::{allowed, master_of, negotiated};
use super::error::{Broken, Mismatch};
use super::handshake::{Directions, Parameters};
use super::keys::{self, ConnectionKeys, DirectionKeys, MasterKey, Material};
use super::messages::{
    self, ClientHello, ClientMasterKey, NO_SESSION, ServerHello, ServerVerify, VERSION_BIT,
};
use super::readings::{
    A_REQUIRED_CERTIFICATE_IS_ASKED_FOR_AGAIN, CERTIFICATE_OF_A_RESTART, RESTART_SENDS_NO_KEYS,
    clear_key_of_restart, decode_chain, encode_chain, signature_algorithm, takes_key_arg_without_cipher,
};
use super::specs::{CipherSpec, RSA_PKCS1, Spec, certificate, signature};
use super::unified::as_pct;
use crate::certificate::{Identity, PeerCertificate, public_key};
use crate::config::{ClientAuth, ServerConfig};
use crate::connection::Established;
use crate::connection::handshake::{NOT_OVER, Outcome, Rest, Role};
use crate::error::{Error, Misbehaved, Refused};
use crate::session::{Session, SessionStore};
use crate::ssl2;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::ProtocolVersion;

/// What the server waits for.
pub(crate) enum Server {
    ClientHello(Box<Start>),
    ClientMasterKey(Box<Chosen>),
    Complete(Box<Established>),
}

/// A handshake that has not begun.
pub(crate) struct Start {
    pub(crate) client_auth: ClientAuth,
    /// The handshake before on this connection.
    pub(crate) previous: Option<Parameters>,
    /// Our escape is out.
    pub(crate) escaped: bool,
}

impl Start {
    /// Takes PCT's own hello, or one of SSL 2.0 in which it hides.
    ///
    /// Spec: PCT1 section 5.2.1.
    fn client_hello(
        self: Box<Self>,
        message: &[u8],
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Server, Error> {
        let version = message.get(1..3).and_then(|bytes| bytes.first_chunk()).map(|v| u16::from_be_bytes(*v));
        let is_native = version.is_none_or(|version| version & VERSION_BIT != 0) || self.previous.is_some();
        let hello = if is_native {
            ClientHello::decode(message)?
        } else {
            let body = message.get(1..).unwrap_or_default();
            as_pct(&ssl2::messages::ClientHello::from_bytes(body, "CLIENT-HELLO")?)
        };
        let choice = Choice { start: &self, hello: &hello, config };
        if let Some(session) = choice.session() {
            return choice.restart(&session, message, channel);
        }
        choice.new_session(message, channel)
    }
}

struct Choice<'a> {
    start: &'a Start,
    hello: &'a ClientHello,
    config: &'a ServerConfig,
}

impl Choice<'_> {
    /// The session that the client names, if it can be taken up.
    fn session(&self) -> Option<Arc<Session>> {
        if self.hello.session_id == NO_SESSION || !self.config.policy.resume {
            return None;
        }
        let session = self.config.sessions.get(&self.hello.session_id, self.config.clock.now())?;
        let was = session.pct1.as_deref()?;
        let spec = Spec::of_suite(session.suite)?;
        let same = |previous: &Parameters| previous == was;
        let fits = session.version == ProtocolVersion::PCT1
            && self.config.policy.suites.contains(&session.suite)
            && takes_key_arg(spec, self.hello.key_arg.len())
            && self.accepts(&session.peer_chain)
            && self.start.previous.as_ref().is_none_or(same);
        fits.then_some(session)
    }

    /// Whether the client of a session may come back with what it showed then.
    fn accepts(&self, chain: &[Vec<u8>]) -> bool {
        let client_auth = self.start.client_auth;
        if chain.is_empty() {
            return client_auth != ClientAuth::Required;
        }
        let shown = PeerCertificate { chain, server_name: None, ocsp_response: &[], resumed: true };
        client_auth != ClientAuth::None && self.config.client_verifier.verify(&shown).is_ok()
    }

    fn restart(
        &self,
        session: &Arc<Session>,
        message: &[u8],
        channel: &mut Channel,
    ) -> Result<Server, Error> {
        const OTHER: Error = Error::Internal("a session of another protocol");
        let config = self.config;
        channel.session_in_use = Some(session.id.clone());
        let was = session.pct1.as_deref().ok_or(OTHER)?;
        let spec = Spec::of_suite(session.suite).ok_or(OTHER)?;
        let mut connection_id = [0; 32];
        config.random.fill(&mut connection_id)?;
        let master = master_of(session);
        let keys = |certificate| {
            let (challenge, connection_id) = (&self.hello.challenge, &connection_id);
            let material =
                Material { hash: spec.hash_kind(), master: &master, connection_id, challenge, certificate };
            ConnectionKeys::derive(&material, spec, was.cipher, clear_key_of_restart(&was.clear_key))
        };
        // The client's first MAC tells which of the two it means.
        let (keys, alternative) = (keys(CERTIFICATE_OF_A_RESTART), keys(&was.certificate).client);
        let asks =
            self.start.client_auth == ClientAuth::Required && A_REQUIRED_CERTIFICATE_IS_ASKED_FOR_AGAIN;
        let hash = spec.hash_kind();
        let (challenge, id) = (&self.hello.challenge, &self.hello.session_id);
        let response = keys::server_response(hash, &keys.server.mac, challenge, &connection_id, id);
        let (client_certificates, client_signatures) = self.client_lists(asks);
        let hello = ServerHello {
            version: messages::VERSION,
            restarts: true,
            wants_certificate: asks,
            cipher: was.cipher,
            hash: was.hash,
            certificate_type: was.certificate_type,
            exchange: RSA_PKCS1,
            connection_id,
            certificate: Vec::new(),
            client_certificates,
            client_signatures,
            response: response.as_ref().to_vec(),
        };
        let server_hello = hello.encode()?;
        channel.send(&server_hello)?;
        let identity = self.identity();
        let chosen = Chosen {
            hellos: [message.to_vec(), server_hello],
            challenge: self.hello.challenge,
            connection_id,
            spec,
            parameters: was.clone(),
            client_auth: self.start.client_auth,
            previous: None,
            identity,
            asks,
            peer_chain: session.peer_chain.clone(),
            restart: Some(Restart {
                keys,
                alternative,
                id: session.id.clone(),
                master,
                key_arg: self.hello.key_arg.clone(),
            }),
        };
        if asks {
            return Ok(Server::ClientMasterKey(Box::new(chosen)));
        }
        channel.is_quiet = true;
        chosen.complete_restart(config, channel)
    }

    /// What a client may show, with the way out last where it need not.
    fn client_lists(&self, asks: bool) -> (Vec<u16>, Vec<u16>) {
        if !asks {
            return (Vec::new(), Vec::new());
        }
        let (mut certificates, mut signatures) = (certificate::ALL.to_vec(), signature::ALL.to_vec());
        if self.start.client_auth == ClientAuth::Optional {
            certificates.push(certificate::NONE);
            signatures.push(signature::NONE);
        }
        (certificates, signatures)
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        let is_rsa = |identity: &&Arc<Identity>| matches!(identity.key(), PrivateKey::Rsa(_));
        self.config.identities.iter().find(is_rsa).cloned()
    }

    /// Cipher, hash and certificate type, by our own order.
    fn choose(&self, identity: &Identity) -> Result<(&'static Spec, CipherSpec, u16), Mismatch> {
        let specs = allowed(&self.config.policy);
        let hello = self.hello;
        let offered = |own: &&'static Spec| hello.ciphers.iter().copied().find(|theirs| own.is(*theirs));
        let cipher = specs.iter().any(|own| offered(own).is_some());
        let hash = specs.iter().any(|own| hello.hashes.contains(&own.hash));
        let chosen = specs.iter().filter(|own| hello.hashes.contains(&own.hash));
        let chosen = chosen.filter_map(|own| Some((*own, offered(own)?))).next();
        // A chain is worth its own type only where there is one.
        let by_length = if identity.chain().len() > 1 {
            [certificate::X509_CHAIN, certificate::X509]
        } else {
            [certificate::X509, certificate::X509_CHAIN]
        };
        let kind = by_length.into_iter().find(|code| hello.certificates.contains(code));
        let exchange = hello.exchanges.contains(&RSA_PKCS1);
        match (chosen, kind, exchange) {
            (Some((spec, theirs)), Some(kind), true) => Ok((spec, theirs, kind)),
            _ => {
                let apart = chosen.is_none() && cipher && hash;
                Err(Mismatch {
                    cipher: !cipher || apart,
                    hash: !hash || apart,
                    certificate: kind.is_none(),
                    exchange: !exchange,
                    ..Mismatch::default()
                })
            }
        }
    }

    /// Spec: PCT1 section 5.2.2.
    fn new_session(&self, message: &[u8], channel: &mut Channel) -> Result<Server, Error> {
        let config = self.config;
        let no_key = Mismatch { exchange: true, ..Mismatch::default() };
        let identity = self.identity().ok_or(no_key)?;
        let (spec, cipher, certificate_type) = self.choose(&identity)?;
        let chain = identity.chain();
        let certificate = match certificate_type {
            certificate::X509 => chain.first().cloned().unwrap_or_default(),
            _ => encode_chain(chain),
        };
        if let Some(previous) = &self.start.previous {
            check_redo(previous, cipher, spec.hash, certificate_type, &certificate)?;
        }
        let asks = match &self.start.previous {
            Some(previous) => previous.asked,
            None => self.start.client_auth != ClientAuth::None,
        };
        let mut connection_id = [0; 32];
        config.random.fill(&mut connection_id)?;
        let (client_certificates, client_signatures) = self.client_lists(asks);
        let hello = ServerHello {
            version: messages::VERSION,
            restarts: false,
            wants_certificate: asks,
            cipher,
            hash: spec.hash,
            certificate_type,
            exchange: RSA_PKCS1,
            connection_id,
            certificate: certificate.clone(),
            client_certificates,
            client_signatures,
            response: Vec::new(),
        };
        let server_hello = hello.encode()?;
        channel.send(&server_hello)?;
        Ok(Server::ClientMasterKey(Box::new(Chosen {
            hellos: [message.to_vec(), server_hello],
            challenge: self.hello.challenge,
            connection_id,
            spec,
            parameters: Parameters {
                cipher,
                hash: spec.hash,
                certificate_type,
                certificate,
                asked: asks,
                client_certificate_type: certificate::NONE,
                client_signature_type: signature::NONE,
                client_certificate: Vec::new(),
                clear_key: Vec::new(),
            },
            client_auth: self.start.client_auth,
            previous: self.start.previous.clone(),
            identity: Some(identity),
            asks,
            peer_chain: Vec::new(),
            restart: None,
        })))
    }
}

/// What was negotiated before on the connection must come out again.
///
/// Spec: PCT1 section 4.3.2.
fn check_redo(
    previous: &Parameters,
    cipher: CipherSpec,
    hash: u16,
    certificate_type: u16,
    certificate: &[u8],
) -> Result<(), Error> {
    let mismatch = Mismatch {
        cipher: previous.cipher != cipher,
        hash: previous.hash != hash,
        certificate: previous.certificate_type != certificate_type,
        ..Mismatch::default()
    };
    if mismatch.any() {
        return Err(mismatch.into());
    }
    if previous.certificate == certificate { Ok(()) } else { Err(Broken::OtherCertificate.into()) }
}

/// Whether a KEY_ARG of so many bytes is one for the cipher.
fn takes_key_arg(spec: &Spec, len: usize) -> bool {
    if spec.bits == 0 { takes_key_arg_without_cipher(len) } else { len == spec.key_arg_len() }
}

/// The keys of a session that is taken up again.
struct Restart {
    keys: ConnectionKeys,
    /// The client's keys with the session's certificate in them.
    alternative: DirectionKeys,
    id: Vec<u8>,
    master: MasterKey,
    key_arg: Vec<u8>,
}

/// SERVER_HELLO is out.
pub(crate) struct Chosen {
    hellos: [Vec<u8>; 2],
    challenge: [u8; 32],
    connection_id: [u8; 32],
    spec: &'static Spec,
    parameters: Parameters,
    client_auth: ClientAuth,
    previous: Option<Parameters>,
    identity: Option<Arc<Identity>>,
    asks: bool,
    peer_chain: Vec<Vec<u8>>,
    restart: Option<Restart>,
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
    fn client_master_key(
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

    fn complete_restart(mut self, config: &ServerConfig, channel: &mut Channel) -> Result<Server, Error> {
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
        if keeps && !resumed {
            let session = Session {
                ticket: Vec::new(),
                id: id.clone(),
                version: ProtocolVersion::PCT1,
                suite: self.spec.row.suite,
                master_secret: super::client::keep_master(&master),
                extended_master_secret: false,
                peer_chain: self.peer_chain.clone(),
                server_name: None,
                created: config.clock.now(),
                pct1: Some(Box::new(self.parameters.clone())),
            };
            config.sessions.put(&id, Arc::new(session));
        }
        let mut negotiated = negotiated(false, self.spec, self.parameters, &master, &config.sessions);
        negotiated.strength = strength;
        negotiated.peer_chain = self.peer_chain;
        negotiated.identity = self.identity;
        negotiated.resumed = resumed;
        negotiated.session_key = keeps.then(|| id.clone());
        negotiated.session_id = if keeps { id } else { Vec::new() };
        negotiated.randoms = Randoms { client: self.challenge, server: self.connection_id };
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

impl Role for Server {
    type Config = ServerConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ServerConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            (Self::ClientHello(mut start), Incoming::Escape) if start.previous.is_some() => {
                if !std::mem::replace(&mut start.escaped, true) {
                    channel.send_escape()?;
                }
                Ok(Self::ClientHello(start))
            }
            (_, Incoming::Escape) => Err(Broken::NoEscape.into()),
            (Self::ClientHello(start), Incoming::Message { kind: messages::CLIENT_HELLO, bytes }) => {
                start.client_hello(&bytes, config, channel)
            }
            (
                Self::ClientMasterKey(chosen),
                Incoming::Message { kind: messages::CLIENT_MASTER_KEY, bytes },
            ) => chosen.client_master_key(&bytes, config, channel),
            (_, Incoming::Message { kind: received, .. }) => {
                Err(Broken::UnexpectedMessage { received, expected }.into())
            }
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "CLIENT_HELLO",
            Self::ClientMasterKey(_) => "CLIENT_MASTER_KEY",
            Self::Complete(_) => "nothing",
        }
    }

    fn rest(&self) -> Option<Rest> {
        matches!(self, Self::Complete(_)).then_some(Rest::Over)
    }

    fn conclude(self, _: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(established) => Ok(Outcome::Established(established)),
            _ => Err(NOT_OVER),
        }
    }

    fn sessions(config: &ServerConfig) -> &dyn SessionStore {
        config.sessions.as_ref()
    }
}
