//! CLIENT_HELLO and the answer to it.
//!
//! Spec: PCT1 sections 5.2.1 and 5.2.2.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::public_key::PublicKey;

use super::master_key::{Asked, Exchange, Made};
use super::{Client, Wanted, random_bytes};
use crate::certificate::{PeerCertificate, public_key};
use crate::config::{ClientConfig, Policy};
use crate::error::{Error, Misbehaved};
use crate::pct1::both_roles::{allowed, master_of, offered};
use crate::pct1::channel::Channel;
use crate::pct1::error::{Broken, Mismatch};
use crate::pct1::handshake::Parameters;
use crate::pct1::keys::{self, ConnectionKeys, MasterKey, Material};
use crate::pct1::messages::{self, ClientHello, NO_SESSION, ServerHello};
use crate::pct1::readings::{CERTIFICATE_OF_A_RESTART, clear_key_of_restart, decode_chain, extend_challenge};
use crate::pct1::specs::{RSA_PKCS1, Spec, certificate, signature};
use crate::session::Session;
use crate::tls::versions::ProtocolVersion;

/// The hello is out.
pub(crate) struct Offer {
    pub(super) wanted: Wanted,
    /// From its type to its end.
    pub(super) hello: Vec<u8>,
    pub(super) challenge: [u8; 32],
    pub(super) session: Option<Arc<Session>>,
    pub(super) key_arg: Vec<u8>,
    /// The handshake before on this connection.
    pub(super) previous: Option<Parameters>,
}

/// What is known of the server, of this session or from the one that is taken up.
struct Server {
    parameters: Parameters,
    chain: Vec<Vec<u8>>,
    exchange: Exchange,
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
    pub(super) fn server_hello(
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
        let chain = session.peer_chain.clone();
        self.judge(&chain, true, config)?;
        let (parameters, key_arg) = (was.clone(), self.key_arg.clone());
        let is_asked = hello.wants_certificate;
        let exchange = Exchange::Restart(Made { keys, master, key_arg });
        let asked = self.answered(hello, message, spec, Server { parameters, chain, exchange });
        if is_asked { asked.decide(config, channel) } else { asked.complete_restart(config, channel) }
    }

    fn new_session(
        self: Box<Self>,
        mut hello: ServerHello,
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
        self.judge(&chain, false, config)?;
        let is_asked = hello.wants_certificate;
        let parameters = Parameters {
            cipher: hello.cipher,
            hash: hello.hash,
            certificate_type: hello.certificate_type,
            certificate: std::mem::take(&mut hello.certificate),
            asked: is_asked,
            client_certificate_type: certificate::NONE,
            client_signature_type: signature::NONE,
            client_certificate: Vec::new(),
            clear_key: Vec::new(),
        };
        let exchange = Exchange::Rsa(key);
        let asked = self.answered(hello, message, spec, Server { parameters, chain, exchange });
        if is_asked { asked.decide(config, channel) } else { asked.reply(None, config, channel) }
    }

    /// Whether the server is the one that is wanted.
    fn judge(&self, chain: &[Vec<u8>], resumed: bool, config: &ClientConfig) -> Result<(), Error> {
        let server_name = self.wanted.server_name.as_deref();
        let shown = PeerCertificate { chain, server_name, ocsp_response: &[], resumed };
        config.verifier.verify(&shown).map_err(Error::Certificate)
    }

    /// The answer to the hello, which is `message` whole.
    fn answered(
        self: Box<Self>,
        hello: ServerHello,
        message: &[u8],
        spec: &'static Spec,
        server: Server,
    ) -> Asked {
        let Server { parameters, chain, exchange } = server;
        Asked {
            server_hello: message.to_vec(),
            connection_id: hello.connection_id,
            client_certificates: hello.client_certificates,
            client_signatures: hello.client_signatures,
            spec,
            parameters,
            chain,
            exchange,
            offer: *self,
        }
    }

    pub(super) fn keys(
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
