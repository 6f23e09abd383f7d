//! A client's handshake.
//!
//! Spec: PCT1 sections 5.1 and 5.2.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::private_key::PrivateKey;
use crypto::public_key::PublicKey;
use crypto::rsa;
use zeroize::Zeroizing;

use super::channel::{Channel, Incoming};
use super::error::{Broken, Mismatch};
use super::handshake::{Directions, Parameters, Pct1Negotiated};
use super::keys::{self, ConnectionKeys, MasterKey, Material};
use super::messages::{self, ClientHello, ClientMasterKey, NO_SESSION, ServerHello, ServerVerify};
use super::readings::{
    CERTIFICATE_OF_A_RESTART, clear_key_len, clear_key_of_restart, decode_chain, encode_chain,
    extend_challenge, signature_algorithm,
};
use super::specs::{CipherSpec, RSA_PKCS1, Spec, certificate, signature};
use crate::certificate::{Identity, PeerCertificate, public_key};
use crate::config::{ClientConfig, Policy};
use crate::connection::handshake::{NOT_ASKED, NOT_OVER, Outcome, Rest, Role};
use crate::connection::{CertificateRequested, Established, Negotiated};
use crate::error::{Error, Misbehaved};
use crate::renegotiation::Previous;
use crate::session::{MasterSecret, Session, SessionStore};
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::keys::Randoms;
use crate::tls::versions::{ProtocolVersion, VerifyData};

/// What a handshake is asked to do.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) server_name: Option<String>,
    pub(crate) session_key: Option<Vec<u8>>,
}

/// What the client waits for.
pub(crate) enum Client {
    ServerHello(Box<Offer>),
    Identity(Box<Asked>),
    ServerVerify(Box<Keyed>),
    Complete(Box<Established>),
}

/// The specifications that a policy allows, the preferred one first.
pub(crate) fn allowed(policy: &Policy) -> Vec<&'static Spec> {
    policy.suites.iter().filter_map(|suite| Spec::of_suite(*suite)).collect()
}

/// Each once, in the order in which they come.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}

/// The hello is out.
pub(crate) struct Offer {
    wanted: Wanted,
    /// From its type to its end.
    hello: Vec<u8>,
    challenge: [u8; 32],
    session: Option<Arc<Session>>,
    key_arg: Vec<u8>,
    /// The handshake before on this connection.
    previous: Option<Parameters>,
}

impl Offer {
    /// Sends a hello; on a connection that is negotiated again the escape goes first.
    pub(crate) fn send(
        wanted: Wanted,
        previous: Option<Parameters>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        let (ciphers, hashes) = offered(&config.policy);
        if ciphers.is_empty() {
            return Err(Error::Misused("no cipher of PCT 1.0 is enabled"));
        }
        let session = known_session(&wanted, config).filter(|session| {
            let same = |previous: &Parameters| session.pct1.as_deref() == Some(previous);
            previous.as_ref().is_none_or(same)
        });
        channel.session_in_use = wanted.session_key.clone().filter(|_| session.is_some());
        let mut challenge = [0; 32];
        config.random.fill(&mut challenge)?;
        let mut key_arg = Vec::new();
        if let Some(spec) = session.as_ref().and_then(|session| Spec::of_suite(session.suite)) {
            key_arg = random_bytes(spec.key_arg_len(), config)?;
        }
        let session_id = session.as_ref().and_then(|session| session.id.as_slice().try_into().ok());
        let hello = ClientHello {
            version: messages::VERSION,
            session_id: session_id.unwrap_or(NO_SESSION),
            challenge,
            ciphers,
            hashes,
            certificates: certificate::ALL.to_vec(),
            exchanges: vec![RSA_PKCS1],
            key_arg: key_arg.clone(),
        };
        let hello = hello.encode()?;
        if previous.is_some() {
            channel.send_escape()?;
        }
        channel.send(&hello)?;
        Ok(Self { wanted, hello, challenge, session, key_arg, previous })
    }

    /// Goes on behind an SSL 2.0 hello that others share: `hello` is the whole message, without the header of its record,
    /// and `challenge` what is in it.
    pub(crate) fn behind_unified(
        wanted: Wanted,
        hello: &[u8],
        challenge: &[u8],
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        channel.unified_hello_sent()?;
        Ok(Self {
            wanted,
            hello: hello.to_vec(),
            challenge: extend_challenge(challenge),
            session: None,
            key_arg: Vec::new(),
            previous: None,
        })
    }

    /// Spec: PCT1 section 5.2.2.
    fn server_hello(
        self: Box<Self>,
        message: &[u8],
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        // Whoever has it in the answer to a restart without authentication has heard our last message.
        let (restarts, asks) = (message.get(4), message.get(5));
        channel.is_quiet = self.session.is_some() && restarts.is_some_and(|b| *b != 0) && asks == Some(&0);
        let hello = ServerHello::decode(message)?;
        if hello.exchange != RSA_PKCS1 {
            return Err(Broken::NotOffered("key exchange").into());
        }
        let spec = self.chosen(&hello, &config.policy)?;
        if hello.restarts {
            self.restart(hello, message, spec, config, channel)
        } else {
            self.new_session(hello, message, spec, config, channel)
        }
    }

    /// What the server chose, if it was offered and is allowed together.
    fn chosen(&self, hello: &ServerHello, policy: &Policy) -> Result<&'static Spec, Error> {
        let spec = Spec::find(hello.cipher, hello.hash).ok_or(Broken::NotOffered("cipher or hash"))?;
        let specs = allowed(policy);
        let ciphers = specs.iter().any(|own| own.offer() == hello.cipher);
        let hashes = specs.iter().any(|own| own.hash == hello.hash);
        let was_same = self.session.as_ref().and_then(|session| session.pct1.as_ref());
        let is_of_session = hello.restarts && was_same.is_some_and(|was| was.cipher == hello.cipher);
        if !(ciphers || is_of_session) || !hashes {
            return Err(Broken::NotOffered("cipher or hash").into());
        }
        // Each was offered, but not the two together.
        if !specs.iter().any(|own| own.row.suite == spec.row.suite) {
            return Err(Mismatch { cipher: true, hash: true, ..Mismatch::default() }.into());
        }
        if let Some(previous) = &self.previous {
            let mismatch = Mismatch {
                cipher: previous.cipher != hello.cipher,
                hash: previous.hash != hello.hash,
                certificate: previous.certificate_type != hello.certificate_type,
                client_certificate: !hello.restarts && previous.asked != hello.wants_certificate,
                ..Mismatch::default()
            };
            if mismatch.any() {
                return Err(mismatch.into());
            }
        }
        Ok(spec)
    }

    fn restart(
        self: Box<Self>,
        hello: ServerHello,
        message: &[u8],
        spec: &'static Spec,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let session = self.session.clone().ok_or(Misbehaved::ResumedDifferently("identifier"))?;
        let was = session.pct1.as_deref().ok_or(Error::Internal("a session of another protocol"))?;
        if (was.cipher, was.hash) != (hello.cipher, hello.hash) {
            return Err(Misbehaved::ResumedDifferently("cipher or hash").into());
        }
        if was.certificate_type != hello.certificate_type {
            return Err(Misbehaved::ResumedDifferently("certificate type").into());
        }
        if !hello.certificate.is_empty() {
            return Err(Broken::NotEmpty("certificate").into());
        }
        let master = master_of(&session);
        let keys =
            self.keys(&master, CERTIFICATE_OF_A_RESTART, &hello, spec, clear_key_of_restart(&was.clear_key));
        let id: [u8; 32] = session.id.as_slice().try_into().unwrap_or(NO_SESSION);
        let hash = spec.hash_kind();
        let expected =
            keys::server_response(hash, &keys.server.mac, &self.challenge, &hello.connection_id, &id);
        if !ct_eq(expected.as_ref(), &hello.response) {
            return Err(Broken::ServerResponse.into());
        }
        let parameters = was.clone();
        let chain = session.peer_chain.clone();
        let shown = PeerCertificate {
            chain: &chain,
            server_name: self.wanted.server_name.as_deref(),
            ocsp_response: &[],
            resumed: true,
        };
        config.verifier.verify(&shown).map_err(Error::Certificate)?;
        let is_asked = hello.wants_certificate;
        let key_arg = self.key_arg.clone();
        let asked = Asked {
            server_hello: message.to_vec(),
            connection_id: hello.connection_id,
            client_certificates: hello.client_certificates,
            client_signatures: hello.client_signatures,
            spec,
            parameters,
            chain,
            exchange: Exchange::Restart { keys, master, key_arg },
            offer: *self,
        };
        if is_asked { asked.decide(config, channel) } else { asked.complete_restart(config, channel) }
    }

    fn new_session(
        self: Box<Self>,
        hello: ServerHello,
        message: &[u8],
        spec: &'static Spec,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        // A session that is not taken up stays usable.
        channel.session_in_use = None;
        if !certificate::ALL.contains(&hello.certificate_type) {
            return Err(Broken::NotOffered("certificate type").into());
        }
        if !hello.response.is_empty() {
            return Err(Broken::NotEmpty("response").into());
        }
        if hello.certificate.is_empty() {
            return Err(Misbehaved::NoServerCertificate.into());
        }
        if self.previous.as_ref().is_some_and(|previous| previous.certificate != hello.certificate) {
            return Err(Broken::OtherCertificate.into());
        }
        let chain = match hello.certificate_type {
            certificate::X509 => vec![hello.certificate.clone()],
            _ => decode_chain(&hello.certificate).map_err(|_| Misbehaved::UnreadableCertificate)?,
        };
        let leaf = chain.first().ok_or(Misbehaved::NoServerCertificate)?;
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        let PublicKey::Rsa(key) = key else { return Err(Misbehaved::WrongCertificateType.into()) };
        let shown = PeerCertificate {
            chain: &chain,
            server_name: self.wanted.server_name.as_deref(),
            ocsp_response: &[],
            resumed: false,
        };
        config.verifier.verify(&shown).map_err(Error::Certificate)?;
        let is_asked = hello.wants_certificate;
        let asked = Asked {
            server_hello: message.to_vec(),
            connection_id: hello.connection_id,
            client_certificates: hello.client_certificates,
            client_signatures: hello.client_signatures,
            spec,
            parameters: Parameters {
                cipher: hello.cipher,
                hash: hello.hash,
                certificate_type: hello.certificate_type,
                certificate: hello.certificate,
                asked: is_asked,
                client_certificate_type: certificate::NONE,
                client_signature_type: signature::NONE,
                client_certificate: Vec::new(),
                clear_key: Vec::new(),
            },
            chain,
            exchange: Exchange::Rsa(key),
            offer: *self,
        };
        if is_asked { asked.decide(config, channel) } else { asked.reply(None, config, channel) }
    }

    fn keys(
        &self,
        master: &MasterKey,
        certificate: &[u8],
        hello: &ServerHello,
        spec: &Spec,
        clear: &[u8],
    ) -> ConnectionKeys {
        let (challenge, connection_id) = (&self.challenge, &hello.connection_id);
        let material = Material { hash: spec.hash_kind(), master, connection_id, challenge, certificate };
        ConnectionKeys::derive(&material, spec, hello.cipher, clear)
    }
}

/// The session to take up again.
fn known_session(wanted: &Wanted, config: &ClientConfig) -> Option<Arc<Session>> {
    let key = wanted.session_key.as_ref().filter(|_| config.policy.resume)?;
    let session = config.sessions.get(key, config.clock.now())?;
    let fits = session.version == ProtocolVersion::PCT1
        && session.pct1.is_some()
        && config.policy.suites.contains(&session.suite)
        && session.server_name == wanted.server_name;
    fits.then_some(session)
}

pub(crate) fn master_of(session: &Session) -> MasterKey {
    let mut master = Zeroizing::new([0; 16]);
    master.iter_mut().zip(session.master_secret.0).for_each(|(to, from)| *to = from);
    master
}

pub(crate) fn keep_master(master: &MasterKey) -> MasterSecret {
    let mut kept = MasterSecret([0; 48]);
    kept.0.iter_mut().zip(master.iter()).for_each(|(to, from)| *to = *from);
    kept
}

fn random_bytes(len: usize, config: &ClientConfig) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; len];
    config.random.fill(&mut bytes)?;
    Ok(bytes)
}

/// How the keys come about.
enum Exchange {
    Rsa(rsa::PublicKey),
    Restart { keys: ConnectionKeys, master: MasterKey, key_arg: Vec<u8> },
}

/// The server's choices are known.
pub(crate) struct Asked {
    offer: Offer,
    server_hello: Vec<u8>,
    connection_id: [u8; 32],
    client_certificates: Vec<u16>,
    client_signatures: Vec<u16>,
    spec: &'static Spec,
    parameters: Parameters,
    chain: Vec<Vec<u8>>,
    exchange: Exchange,
}

/// A client certificate, with the specifications under which it goes out.
struct Shown {
    identity: Arc<Identity>,
    certificate_type: u16,
    signature_type: u16,
}

impl Asked {
    /// The server wants a certificate.
    fn decide(self, config: &ClientConfig, channel: &mut Channel) -> Result<Client, Error> {
        if config.ask_for_certificate {
            return Ok(Client::Identity(Box::new(self)));
        }
        let identity = config.identities.iter().find(|identity| self.shown(identity).is_some()).cloned();
        self.reply(identity, config, channel)
    }

    fn question(&self) -> CertificateRequested {
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
    fn reply(
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
        let strength = self.strength();
        let (keys, master, key_arg) = self.exchange(&mut message, config)?;
        let prelude = keys::verify_prelude(
            self.spec.hash_kind(),
            &keys.client.mac,
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
        let keyed = Keyed {
            offer: self.offer,
            connection_id: self.connection_id,
            spec: self.spec,
            parameters: self.parameters,
            chain: self.chain,
            keys,
            master,
            key_arg,
            strength,
            identity: shown.map(|shown| shown.identity),
        };
        Ok(Client::ServerVerify(Box::new(keyed)))
    }

    fn strength(&self) -> Option<KeyExchangeStrength> {
        match &self.exchange {
            Exchange::Rsa(key) => Some(KeyExchangeStrength::Rsa { bits: key.bits() }),
            Exchange::Restart { .. } => None,
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
    fn exchange(
        &mut self,
        message: &mut ClientMasterKey,
        config: &ClientConfig,
    ) -> Result<(ConnectionKeys, MasterKey, Vec<u8>), Error> {
        let key = match std::mem::replace(&mut self.exchange, Exchange::taken()) {
            Exchange::Rsa(key) => key,
            Exchange::Restart { keys, master, key_arg } => return Ok((keys, master, key_arg)),
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
        Ok((keys, master, message.key_arg.clone()))
    }

    fn complete_restart(mut self, config: &ClientConfig, channel: &mut Channel) -> Result<Client, Error> {
        let (keys, master, key_arg) = self.exchange(&mut ClientMasterKey::default(), config)?;
        let id = self.offer.session.as_ref().map(|session| session.id.clone()).unwrap_or_default();
        let keyed = Keyed {
            offer: self.offer,
            connection_id: self.connection_id,
            spec: self.spec,
            parameters: self.parameters,
            chain: self.chain,
            keys,
            master,
            key_arg,
            strength: None,
            identity: None,
        };
        keyed.complete(id, true, config, channel)
    }
}

impl Exchange {
    fn taken() -> Self {
        let none = || keys::DirectionKeys { mac: keys::Secret::default(), cipher: keys::Secret::default() };
        let keys = ConnectionKeys { client: none(), server: none() };
        Self::Restart { keys, master: MasterKey::default(), key_arg: Vec::new() }
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

/// CLIENT_MASTER_KEY is out, or there is none.
pub(crate) struct Keyed {
    offer: Offer,
    connection_id: [u8; 32],
    spec: &'static Spec,
    parameters: Parameters,
    chain: Vec<Vec<u8>>,
    keys: ConnectionKeys,
    master: MasterKey,
    key_arg: Vec<u8>,
    strength: Option<KeyExchangeStrength>,
    identity: Option<Arc<Identity>>,
}

impl Keyed {
    /// Spec: PCT1 section 5.2.4.
    fn server_verify(
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
            &self.keys.server.mac,
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

    fn complete(
        self,
        id: Vec<u8>,
        resumed: bool,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Client, Error> {
        let key = self.offer.wanted.session_key.as_ref().filter(|_| config.policy.resume && !id.is_empty());
        if let Some(key) = key.filter(|_| !resumed) {
            let session = Session {
                ticket: Vec::new(),
                id: id.clone(),
                version: ProtocolVersion::PCT1,
                suite: self.spec.row.suite,
                master_secret: keep_master(&self.master),
                extended_master_secret: false,
                peer_chain: self.chain.clone(),
                server_name: self.offer.wanted.server_name.clone(),
                created: config.clock.now(),
                pct1: Some(Box::new(self.parameters.clone())),
            };
            config.sessions.put(key, Arc::new(session));
        }
        let mut negotiated = negotiated(true, self.spec, self.parameters, &self.master, &config.sessions);
        negotiated.strength = self.strength;
        negotiated.server_name.clone_from(&self.offer.wanted.server_name);
        negotiated.peer_chain = self.chain;
        negotiated.identity = self.identity;
        negotiated.resumed = resumed;
        negotiated.session_key = key.cloned();
        negotiated.session_id = id;
        negotiated.randoms = Randoms { client: self.offer.challenge, server: self.connection_id };
        let directions =
            Directions { keys: self.keys, alternative: None, spec: self.spec, key_arg: self.key_arg };
        Ok(Client::Complete(directions.establish(negotiated, &config.policy, channel)?))
    }
}

/// What is the same in both roles.
pub(crate) fn negotiated(
    is_client: bool,
    spec: &'static Spec,
    parameters: Parameters,
    master: &MasterKey,
    sessions: &Arc<dyn SessionStore>,
) -> Negotiated {
    let none = VerifyData::new(0, |_| {});
    Negotiated {
        is_client,
        version: ProtocolVersion::PCT1,
        hello_version: ProtocolVersion::PCT1,
        suite: &spec.row,
        strength: None,
        alpn: None,
        server_name: None,
        peer_chain: Vec::new(),
        ocsp_response: Vec::new(),
        identity: None,
        resumed: false,
        session_id: Vec::new(),
        session_key: None,
        extended_master_secret: false,
        sessions: Arc::clone(sessions),
        finished: Previous { client: none, server: none, secure: false },
        rules: None,
        master_secret: keep_master(master),
        randoms: Randoms { client: [0; 32], server: [0; 32] },
        pct1: Some(Box::new(Pct1Negotiated { parameters, out_of_band: Vec::new() })),
    }
}

impl Role for Client {
    type Config = ClientConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, incoming: Incoming, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            // Our escape and hello are out already: the peer's answers them, or has crossed them.
            (Self::ServerHello(offer), Incoming::Escape) => Ok(Self::ServerHello(offer)),
            (_, Incoming::Escape) => Err(Broken::NoEscape.into()),
            (Self::ServerHello(offer), Incoming::Message { kind: messages::SERVER_HELLO, bytes }) => {
                offer.server_hello(&bytes, config, channel)
            }
            (Self::ServerVerify(keyed), Incoming::Message { kind: messages::SERVER_VERIFY, bytes }) => {
                keyed.server_verify(&bytes, config, channel)
            }
            (_, Incoming::Message { kind: received, .. }) => {
                Err(Broken::UnexpectedMessage { received, expected }.into())
            }
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "SERVER_HELLO",
            Self::ServerVerify(_) => "SERVER_VERIFY",
            Self::Identity(_) | Self::Complete(_) => "nothing",
        }
    }

    fn rest(&self) -> Option<Rest> {
        match self {
            Self::Identity(asked) => Some(Rest::Asking(asked.question())),
            Self::Complete(_) => Some(Rest::Over),
            _ => None,
        }
    }

    fn answer(
        self,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        match self {
            Self::Identity(mut asked) => {
                // What was chosen for one handshake must not stand in for the choice of another.
                asked.offer.wanted.session_key = None;
                asked.reply(identity, config, channel)
            }
            _ => Err(NOT_ASKED),
        }
    }

    fn conclude(self, _: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(established) => Ok(Outcome::Established(established)),
            _ => Err(NOT_OVER),
        }
    }

    fn sessions(config: &ClientConfig) -> &dyn SessionStore {
        config.sessions.as_ref()
    }
}

/// What a cipher specification of ours looks like in a hello.
pub(crate) fn offered(policy: &Policy) -> (Vec<CipherSpec>, Vec<u16>) {
    let specs = allowed(policy);
    (distinct(specs.iter().map(|spec| spec.offer())), distinct(specs.iter().map(|spec| spec.hash)))
}
