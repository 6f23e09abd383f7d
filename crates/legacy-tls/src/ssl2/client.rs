//! The client's side of the handshake.
//!
//! ```text
//! full                                          resumed
//! CLIENT-HELLO              ─►                  CLIENT-HELLO              ─►
//!                           ◄─  SERVER-HELLO                                  SERVER-HELLO
//! CLIENT-MASTER-KEY                                                       ◄─  SERVER-VERIFY
//! CLIENT-FINISHED           ─►                  CLIENT-FINISHED           ─►
//!                               SERVER-VERIFY
//!                       [REQUEST-CERTIFICATE]                         [REQUEST-CERTIFICATE]
//! [CLIENT-CERTIFICATE]                          [CLIENT-CERTIFICATE]
//!                           ◄─  SERVER-FINISHED                           ◄─  SERVER-FINISHED
//! ```
//!
//! CLIENT-FINISHED goes out at once, and says no word more for it: the server may verify itself before it has heard it, or
//! after.
//!
//! Spec: SSL2 sections 5.2 and 5.4.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::hash::Hash;
use crypto::public_key::PublicKey;
use crypto::signature::SignatureScheme;
use wire::Codec;

use super::channel::{Channel, Message};
use super::cipher_kinds::{CipherKind, KindRow};
use super::handshake::Hellos;
use super::key_exchange::make_master_key;
use super::keys::{KeyMaterial, Master};
use super::messages::{
    ClientCertificate, ClientHello, Echo, ErrorMessage, RequestCertificate, SESSION_ID_LEN, ServerHello,
    Ssl2ErrorCode, Ssl2MessageType as M,
};
use crate::certificate::{Identity, PeerCertificate, public_key};
use crate::config::{ClientConfig, Policy};
use crate::connection::handshake::{NOT_ASKED, NOT_OVER, Outcome, Rest, Role};
use crate::connection::{CertificateRequested, Negotiated};
use crate::error::{Error, Incompatible, Misbehaved};
use crate::session::Session;
use crate::tls::client::Wanted;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::messages::RSA_SIGN;
use crate::tls::versions::ProtocolVersion;

/// Bytes of a challenge of ours.
const CHALLENGE_LEN: usize = 16;

/// What a client waits for.
pub(crate) enum State {
    ServerHello(Box<Offer>),
    ServerVerify(Box<Keyed>),
    /// Or a request for a certificate, once.
    ServerFinished(Box<Keyed>),
    /// The application's answer.
    Identity(Box<Asked>),
    /// Nothing more.
    Complete(Box<Negotiated>),
}

impl Role for State {
    type Config = ClientConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, message: Message, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, message.kind) {
            (Self::ServerHello(state), M::SERVER_HELLO) => state.server_hello(&message, config, channel),
            (Self::ServerVerify(state), M::SERVER_VERIFY) => state.server_verify(&message),
            (Self::ServerFinished(state), M::REQUEST_CERTIFICATE) if !state.was_asked => {
                state.request_certificate(&message, config, channel)
            }
            (Self::ServerFinished(state), M::SERVER_FINISHED) => state.server_finished(&message, config),
            (_, received) => Err(Misbehaved::UnexpectedSsl2Message { received, expected }.into()),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "SERVER-HELLO",
            Self::ServerVerify(_) => "SERVER-VERIFY",
            Self::ServerFinished(keyed) if keyed.was_asked => "SERVER-FINISHED",
            Self::ServerFinished(_) => "REQUEST-CERTIFICATE or SERVER-FINISHED",
            Self::Identity(_) => "nothing",
            Self::Complete(_) => "nothing more of the handshake",
        }
    }

    fn rest(&self) -> Option<Rest> {
        match self {
            Self::Identity(_) => Some(Rest::Asking(CertificateRequested {
                certificate_types: vec![RSA_SIGN],
                ..CertificateRequested::default()
            })),
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
                asked.keyed.wanted.session_key = None;
                asked.reply(identity, config, channel)
            }
            _ => Err(NOT_ASKED),
        }
    }

    fn conclude(self, channel: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(negotiated) => Ok(channel.conclude(*negotiated)),
            _ => Err(NOT_OVER),
        }
    }
}

/// The kinds that policy has, the preferred one first.
pub(crate) fn kinds_of(policy: &Policy) -> Vec<&'static KindRow> {
    policy.suites.iter().copied().filter_map(KindRow::of).collect()
}

/// What one client's handshake offers.
pub(crate) struct Offer {
    wanted: Wanted,
    kinds: Vec<&'static KindRow>,
    challenge: Vec<u8>,
    session: Option<Arc<Session>>,
}

impl Offer {
    /// Sends a CLIENT-HELLO.
    ///
    /// Spec: SSL2 section 5.5.1.
    pub(crate) fn send(wanted: Wanted, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let mut challenge = vec![0; CHALLENGE_LEN];
        config.random.fill(&mut challenge)?;
        let offer = Self::new(wanted, challenge, config, channel);
        if offer.kinds.is_empty() {
            return Err(Error::Misused("no cipher kind of SSL 2.0 is enabled"));
        }
        let hello = ClientHello {
            version: ProtocolVersion::SSL20.0,
            kinds: offer.cipher_kinds(),
            session_id: offer.session_id().into(),
            challenge: offer.challenge.as_slice().into(),
        };
        channel.send(M::CLIENT_HELLO, &hello)?;
        drop(hello);
        Ok(offer)
    }

    /// What a hello of SSL 3.0 or TLS in the format of SSL 2.0 offers beside them.
    pub(crate) fn beside(
        wanted: Wanted,
        challenge: &[u8],
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Self {
        Self::new(wanted, challenge.to_vec(), config, channel)
    }

    fn new(wanted: Wanted, challenge: Vec<u8>, config: &ClientConfig, channel: &mut Channel) -> Self {
        let session = Self::find_session(&wanted, config);
        channel.session_in_use = wanted.session_key.clone().filter(|_| session.is_some());
        Self { wanted, kinds: kinds_of(&config.policy), challenge, session }
    }

    pub(crate) fn cipher_kinds(&self) -> Vec<CipherKind> {
        self.kinds.iter().map(|row| row.kind).collect()
    }

    /// That of the session that is offered.
    pub(crate) fn session_id(&self) -> &[u8] {
        self.session.as_ref().map_or(&[], |session| session.id())
    }

    /// A session to take up again, if policy still has what it was made with.
    fn find_session(wanted: &Wanted, config: &ClientConfig) -> Option<Arc<Session>> {
        let policy = &config.policy;
        let key = wanted.session_key.as_ref().filter(|_| policy.resume)?;
        let session = config.sessions.get(key, config.clock.now())?;
        let fits = session.version == ProtocolVersion::SSL20
            && policy.suites.contains(&session.suite)
            && session.server_name == wanted.server_name;
        fits.then_some(session)
    }

    /// Spec: SSL2 section 5.6.1.
    fn server_hello(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let hello = ServerHello::from_bytes(message.body(), "SERVER-HELLO")?;
        if hello.version != ProtocolVersion::SSL20.0 {
            return Err(Misbehaved::VersionNotOffered(hello.version).into());
        }
        let connection_id = hello.connection_id.into_owned();
        let session = self.session.take();
        match hello.offer {
            None => {
                let session =
                    session.ok_or(Misbehaved::IllegalParameter("a session that was not offered"))?;
                self.resume(&session, connection_id, config, channel)
            }
            Some(offer) => {
                channel.session_in_use = None;
                let certificate = offer.certificate.into_owned();
                self.full(certificate, &offer.kinds, connection_id, config, channel)
            }
        }
    }

    /// The server takes up the session that was offered.
    ///
    /// Spec: SSL2 section 5.2.2.
    fn resume(
        self: Box<Self>,
        session: &Session,
        connection_id: Vec<u8>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let kind = KindRow::of(session.suite).ok_or(Error::Internal("a session of an unknown kind"))?;
        self.judge(&session.peer_chain, true, config)?;
        let master = Master::kept(kind, session.master_secret.clone());
        let agreed = Agreed {
            resumed: true,
            strength: None,
            chain: session.peer_chain.clone(),
            session_id: session.id().to_vec(),
        };
        self.finish(master, agreed, connection_id, config, channel)
    }

    fn judge(&self, chain: &[Vec<u8>], resumed: bool, config: &ClientConfig) -> Result<(), Error> {
        let server_name = self.wanted.server_name.as_deref();
        let shown = PeerCertificate { chain, server_name, ocsp_response: &[], resumed };
        config.verifier.verify(&shown).map_err(Error::Certificate)
    }

    /// Spec: SSL2 sections 5.2.1 and 5.5.2.
    fn full(
        self: Box<Self>,
        certificate: Vec<u8>,
        kinds: &[CipherKind],
        connection_id: Vec<u8>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let none = || Incompatible::NoCipherKind { peer: kinds.to_vec() };
        let kind = *self.kinds.iter().find(|row| kinds.contains(&row.kind)).ok_or_else(none)?;
        let key = public_key(&certificate).map_err(|_| Misbehaved::UnreadableCertificate)?;
        let PublicKey::Rsa(key) = key else { return Err(Misbehaved::WrongCertificateType.into()) };
        let chain = vec![certificate];
        self.judge(&chain, false, config)?;
        let (master, message) = make_master_key(kind, &key, &config.policy, config.random.as_ref())?;
        channel.send(M::CLIENT_MASTER_KEY, &message)?;
        let strength = Some(KeyExchangeStrength::Rsa { bits: key.bits() });
        let agreed = Agreed { resumed: false, strength, chain, session_id: Vec::new() };
        self.finish(master, agreed, connection_id, config, channel)
    }

    /// Spec: SSL2 section 5.5.4.
    fn finish(
        self: Box<Self>,
        master: Master,
        agreed: Agreed,
        connection_id: Vec<u8>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let keys = KeyMaterial::derive(&master, &self.challenge, &connection_id);
        channel.protect(&master, &keys, true, &config.policy)?;
        channel.send(M::CLIENT_FINISHED, &Echo(connection_id.as_slice().into()))?;
        let Self { wanted, challenge, .. } = *self;
        Ok(State::ServerVerify(Box::new(Keyed {
            wanted,
            master,
            keys,
            agreed,
            challenge,
            connection_id,
            was_asked: false,
            identity: None,
        })))
    }
}

/// What the hellos agreed on.
struct Agreed {
    resumed: bool,
    strength: Option<KeyExchangeStrength>,
    chain: Vec<Vec<u8>>,
    session_id: Vec<u8>,
}

/// The keys are known.
pub(crate) struct Keyed {
    wanted: Wanted,
    master: Master,
    keys: KeyMaterial,
    agreed: Agreed,
    challenge: Vec<u8>,
    connection_id: Vec<u8>,
    was_asked: bool,
    identity: Option<Arc<Identity>>,
}

impl Keyed {
    /// The server has the private key: it could read the master key.
    ///
    /// Spec: SSL2 section 5.6.2.
    fn server_verify(self: Box<Self>, message: &Message) -> Result<State, Error> {
        if ct_eq(message.body(), &self.challenge) {
            Ok(State::ServerFinished(self))
        } else {
            Err(Misbehaved::BadFinished.into())
        }
    }

    /// Spec: SSL2 section 5.6.4.
    fn request_certificate(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let request = RequestCertificate::from_bytes(message.body(), "REQUEST-CERTIFICATE")?;
        self.was_asked = true;
        let asked = Box::new(Asked { keyed: *self, challenge: request.challenge.into_owned() });
        if config.ask_for_certificate {
            return Ok(State::Identity(asked));
        }
        let fits = |identity: &&Arc<Identity>| matches!(identity.key().public_key(), PublicKey::Rsa(_));
        let identity = config.identities.iter().find(fits).cloned();
        asked.reply(identity, config, channel)
    }

    /// Spec: SSL2 section 5.6.3.
    fn server_finished(self: Box<Self>, message: &Message, config: &ClientConfig) -> Result<State, Error> {
        let session_id = Echo::from_bytes(message.body(), "SERVER-FINISHED")?.0.into_owned();
        if session_id.len() != SESSION_ID_LEN {
            return Err(wire::DecodeError::illegal("SERVER-FINISHED.session_id").into());
        }
        let Self { wanted, master, agreed, challenge, connection_id, identity, .. } = *self;
        if agreed.resumed && session_id != agreed.session_id {
            return Err(Misbehaved::ResumedDifferently("session identifier").into());
        }
        let hellos = Hellos { challenge: &challenge, connection_id: &connection_id };
        let negotiated = Negotiated {
            is_client: true,
            strength: agreed.strength,
            server_name: wanted.server_name,
            peer_chain: agreed.chain,
            identity,
            resumed: agreed.resumed,
            session_id,
            session_key: wanted.session_key.filter(|_| config.policy.resume),
            ..hellos.negotiated(&master, &config.sessions)
        };
        negotiated.keep(config.clock.now());
        Ok(State::Complete(Box::new(negotiated)))
    }
}

/// The server wants a certificate.
pub(crate) struct Asked {
    keyed: Keyed,
    challenge: Vec<u8>,
}

impl Asked {
    /// Spec: SSL2 section 5.5.3.
    fn reply(
        self: Box<Self>,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { mut keyed, challenge } = *self;
        // Of one that cannot sign so the server would not know what to think.
        let identity = identity.filter(|identity| matches!(identity.key().public_key(), PublicKey::Rsa(_)));
        match &identity {
            None => {
                let code = Ssl2ErrorCode::NO_CERTIFICATE;
                channel.send(M::ERROR, &ErrorMessage { code })?;
            }
            Some(identity) => {
                let certificate = identity.chain().first().map_or(&[][..], Vec::as_slice);
                let server = keyed.agreed.chain.first().map_or(&[][..], Vec::as_slice);
                let signed = keyed.keys.signed(&challenge, server);
                let scheme = SignatureScheme::RsaPkcs1(Hash::Md5);
                let response = identity
                    .key()
                    .sign(scheme, &signed, config.random.as_ref())
                    .map_err(|_| Error::Internal("our private key could not sign"))?;
                let message =
                    ClientCertificate { certificate: certificate.into(), response: response.into() };
                channel.send(M::CLIENT_CERTIFICATE, &message)?;
            }
        }
        keyed.identity = identity;
        Ok(State::ServerFinished(Box::new(keyed)))
    }
}
