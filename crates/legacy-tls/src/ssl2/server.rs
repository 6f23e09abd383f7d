//! The server's side of the handshake.
//!
//! ```text
//! full                                          resumed
//! CLIENT-HELLO              ─►                  CLIENT-HELLO              ─►
//!                           ◄─  SERVER-HELLO                                  SERVER-HELLO
//! CLIENT-MASTER-KEY                                                       ◄─  SERVER-VERIFY
//!                               SERVER-VERIFY
//! CLIENT-FINISHED           ─►                  CLIENT-FINISHED           ─►
//!                       [REQUEST-CERTIFICATE]                             ◄─  SERVER-FINISHED
//! [CLIENT-CERTIFICATE]
//!                           ◄─  SERVER-FINISHED
//! ```
//!
//! SERVER-VERIFY goes out as soon as there are keys, since some clients wait for it before CLIENT-FINISHED, and some send
//! CLIENT-FINISHED without waiting: both are served.
//!
//! Spec: SSL2 sections 5.2 and 5.4.

use std::sync::Arc;

use crypto::constant_time::ct_eq;
use crypto::hash::Hash;
use crypto::private_key::PrivateKey;
use crypto::public_key::PublicKey;
use crypto::signature::SignatureScheme;
use wire::Codec;

use super::channel::{Channel, Message};
use super::cipher_kinds::{CipherKind, KindRow};
use super::client::kinds_of;
use super::handshake::Hellos;
use super::key_exchange::read_master_key;
use super::keys::{KeyMaterial, Master};
use super::messages::{
    ClientCertificate, ClientHello, ClientMasterKey, Echo, ErrorMessage, RequestCertificate, SESSION_ID_LEN,
    ServerHello, ServerOffer, Ssl2MessageType as M,
};
use crate::certificate::{Identity, PeerCertificate, public_key};
use crate::config::{ClientAuth, ServerConfig};
use crate::connection::Negotiated;
use crate::connection::handshake::{NOT_OVER, Outcome, Rest, Role};
use crate::error::{Error, Incompatible, Misbehaved, Refused};
use crate::session::Session;
use crate::tls::key_exchange::KeyExchangeStrength;
use crate::tls::versions::ProtocolVersion;

/// Bytes of a connection identifier and of a certificate challenge of ours. OpenSSL takes no longer ones.
const CHALLENGE_LEN: usize = 16;

/// What a server waits for.
pub(crate) enum State {
    ClientHello(Box<Start>),
    ClientMasterKey(Box<Chosen>),
    ClientFinished(Box<Keyed>),
    /// Or the ERROR that says that there is none.
    ClientCertificate(Box<Asked>),
    /// Nothing more.
    Complete(Box<Negotiated>),
}

impl Role for State {
    type Config = ServerConfig;
    type Channel = Channel;

    /// THE flow: what may come when, and what handles it.
    fn handle(self, message: Message, config: &ServerConfig, channel: &mut Channel) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, message.kind) {
            (Self::ClientHello(state), M::CLIENT_HELLO) => state.client_hello(&message, config, channel),
            (Self::ClientMasterKey(state), M::CLIENT_MASTER_KEY) => {
                state.client_master_key(&message, config, channel)
            }
            (Self::ClientFinished(state), M::CLIENT_FINISHED) => {
                state.client_finished(&message, config, channel)
            }
            (Self::ClientCertificate(state), M::CLIENT_CERTIFICATE) => {
                state.client_certificate(&message, config, channel)
            }
            (Self::ClientCertificate(state), M::ERROR) => state.no_certificate(&message, config, channel),
            (_, received) => Err(Misbehaved::UnexpectedSsl2Message { received, expected }.into()),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "CLIENT-HELLO",
            Self::ClientMasterKey(_) => "CLIENT-MASTER-KEY",
            Self::ClientFinished(_) => "CLIENT-FINISHED",
            Self::ClientCertificate(_) => "CLIENT-CERTIFICATE",
            Self::Complete(_) => "nothing more of the handshake",
        }
    }

    fn rest(&self) -> Option<Rest> {
        matches!(self, Self::Complete(_)).then_some(Rest::Over)
    }

    fn conclude(self, channel: Channel) -> Result<Outcome, Error> {
        match self {
            Self::Complete(negotiated) => Ok(channel.conclude(*negotiated)),
            _ => Err(NOT_OVER),
        }
    }
}

/// Nothing has been heard yet.
#[derive(Default)]
pub(crate) struct Start {
    /// Whether a certificate is asked for, whatever the configuration says.
    pub(crate) client_auth: ClientAuth,
}

impl Start {
    fn client_auth(&self, config: &ServerConfig) -> ClientAuth {
        match self.client_auth {
            ClientAuth::None => config.client_auth,
            asked => asked,
        }
    }

    /// Spec: SSL2 section 5.5.1.
    fn client_hello(
        self,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let hello = ClientHello::from_bytes(message.body(), "CLIENT-HELLO")?;
        let (peer, policy) = (ProtocolVersion(hello.version), &config.policy);
        if peer < ProtocolVersion::SSL20 || !policy.has(ProtocolVersion::SSL20) {
            return Err(Incompatible::NoVersion { peer, enabled: policy.versions.clone() }.into());
        }
        let is_common = |row: &&KindRow| hello.kinds.contains(&row.kind);
        let kinds: Vec<_> = kinds_of(policy).into_iter().filter(is_common).collect();
        let is_rsa = |identity: &&Arc<Identity>| matches!(identity.key().public_key(), PublicKey::Rsa(_));
        let identity = config.identities.iter().find(is_rsa).filter(|_| !kinds.is_empty());
        let none = || Incompatible::NoCipherKind { peer: hello.kinds.clone() };
        let identity = Arc::clone(identity.ok_or_else(none)?);
        let mut connection_id = vec![0; CHALLENGE_LEN];
        config.random.fill(&mut connection_id)?;
        let client_auth = self.client_auth(config);
        let session = find_session(&hello, &kinds, client_auth, config);
        let common = Common { challenge: hello.challenge.into_owned(), connection_id, identity, client_auth };
        match session {
            Some(session) => common.resume(&session, config, channel),
            None => common.full(kinds, channel),
        }
    }
}

/// The session that the client wants to take up again, if what it was made with would be agreed on again.
///
/// Spec: SSL2 section 5.2.2.
fn find_session(
    hello: &ClientHello<'_>,
    kinds: &[&KindRow],
    client_auth: ClientAuth,
    config: &ServerConfig,
) -> Option<Arc<Session>> {
    if hello.session_id.is_empty() || !config.policy.resume {
        return None;
    }
    let session = config.sessions.get(&hello.session_id, config.clock.now())?;
    let is_agreed = |row: &&KindRow| row.suite.suite == session.suite;
    if session.version != ProtocolVersion::SSL20 || !kinds.iter().any(is_agreed) {
        return None;
    }
    if session.peer_chain.is_empty() {
        return (client_auth != ClientAuth::Required).then_some(session);
    }
    let chain = &session.peer_chain;
    let shown = PeerCertificate { chain, server_name: None, ocsp_response: &[], resumed: true };
    let accepted = client_auth != ClientAuth::None && config.client_verifier.verify(&shown).is_ok();
    accepted.then_some(session)
}

/// What stays known from the hello on.
struct Common {
    challenge: Vec<u8>,
    connection_id: Vec<u8>,
    identity: Arc<Identity>,
    client_auth: ClientAuth,
}

impl Common {
    fn certificate(&self) -> &[u8] {
        self.identity.chain().first().map_or(&[], Vec::as_slice)
    }

    /// Spec: SSL2 section 5.6.1.
    fn send_hello(&self, offer: Option<ServerOffer<'_>>, channel: &mut Channel) -> Result<(), Error> {
        let connection_id = self.connection_id.as_slice().into();
        let hello = ServerHello { version: ProtocolVersion::SSL20.0, offer, connection_id };
        channel.send(M::SERVER_HELLO, &hello)
    }

    fn resume(self, session: &Session, config: &ServerConfig, channel: &mut Channel) -> Result<State, Error> {
        let kind = KindRow::of(session.suite).ok_or(Error::Internal("a session of an unknown kind"))?;
        channel.session_in_use = Some(session.id().to_vec());
        self.send_hello(None, channel)?;
        let master = Master::kept(kind, session.master_secret.clone());
        let resumed = Resumed { session_id: session.id().to_vec(), peer_chain: session.peer_chain.clone() };
        self.verify(master, Some(resumed), config, channel)
    }

    fn full(self, kinds: Vec<&'static KindRow>, channel: &mut Channel) -> Result<State, Error> {
        let kinds: Vec<CipherKind> = kinds.into_iter().map(|row| row.kind).collect();
        let offer = ServerOffer { certificate: self.certificate().into(), kinds: kinds.clone() };
        self.send_hello(Some(offer), channel)?;
        Ok(State::ClientMasterKey(Box::new(Chosen { common: self, kinds })))
    }

    /// Spec: SSL2 section 5.6.2.
    fn verify(
        self,
        master: Master,
        resumed: Option<Resumed>,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let keys = KeyMaterial::derive(&master, &self.challenge, &self.connection_id);
        channel.protect(&master, &keys, false, &config.policy)?;
        channel.send(M::SERVER_VERIFY, &Echo(self.challenge.as_slice().into()))?;
        Ok(State::ClientFinished(Box::new(Keyed { common: self, master, keys, resumed })))
    }
}

/// What a session brings along that is taken up again.
struct Resumed {
    session_id: Vec<u8>,
    peer_chain: Vec<Vec<u8>>,
}

/// The server's hello is out.
pub(crate) struct Chosen {
    common: Common,
    /// Those that were offered. A client that could choose another would not be bound by what is enabled.
    kinds: Vec<CipherKind>,
}

impl Chosen {
    /// Spec: SSL2 section 5.5.2.
    fn client_master_key(
        self,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { common, kinds } = self;
        let message = ClientMasterKey::from_bytes(message.body(), "CLIENT-MASTER-KEY")?;
        let row = message.kind.row().filter(|row| kinds.contains(&row.kind));
        let row = row.ok_or(Misbehaved::IllegalParameter("a cipher kind that was not offered"))?;
        message.check_lengths(row)?;
        let PrivateKey::Rsa(key) = common.identity.key() else {
            return Err(Error::Internal("a certificate without RSA key"));
        };
        let (secrets, random) = (config.export_keys.as_ref(), config.random.as_ref());
        let master = read_master_key(&message, row, key, secrets, &config.policy, random)?;
        common.verify(master, None, config, channel)
    }
}

/// The keys are known.
pub(crate) struct Keyed {
    common: Common,
    master: Master,
    keys: KeyMaterial,
    resumed: Option<Resumed>,
}

impl Keyed {
    /// Spec: SSL2 section 5.5.4.
    fn client_finished(
        mut self,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        if !ct_eq(message.body(), &self.common.connection_id) {
            return Err(Misbehaved::BadFinished.into());
        }
        if let Some(resumed) = self.resumed.take() {
            return self.finish(Some(resumed.session_id), resumed.peer_chain, config, channel);
        }
        if self.common.client_auth == ClientAuth::None {
            return self.finish(None, Vec::new(), config, channel);
        }
        let mut challenge = vec![0; CHALLENGE_LEN];
        config.random.fill(&mut challenge)?;
        let request = RequestCertificate { challenge: challenge.as_slice().into() };
        channel.send(M::REQUEST_CERTIFICATE, &request)?;
        drop(request);
        Ok(State::ClientCertificate(Box::new(Asked { keyed: self, challenge })))
    }

    /// Spec: SSL2 section 5.6.3.
    fn finish(
        self,
        resumed: Option<Vec<u8>>,
        peer_chain: Vec<Vec<u8>>,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { common, master, .. } = self;
        let is_resumed = resumed.is_some();
        let session_id = match resumed {
            Some(session_id) => session_id,
            None => {
                let mut session_id = vec![0; SESSION_ID_LEN];
                config.random.fill(&mut session_id)?;
                session_id
            }
        };
        channel.send(M::SERVER_FINISHED, &Echo(session_id.as_slice().into()))?;
        let keeps = config.policy.resume;
        let bits = common.identity.key().public_key().bits();
        let hellos = Hellos { challenge: &common.challenge, connection_id: &common.connection_id };
        let negotiated = Negotiated {
            strength: (!is_resumed).then_some(KeyExchangeStrength::Rsa { bits }),
            peer_chain,
            identity: Some(common.identity),
            resumed: is_resumed,
            session_key: keeps.then(|| session_id.clone()),
            session_id: if keeps { session_id } else { Vec::new() },
            ..hellos.negotiated(&master, &config.sessions)
        };
        negotiated.keep(config.clock.now());
        Ok(State::Complete(Box::new(negotiated)))
    }
}

/// The client was asked for a certificate.
pub(crate) struct Asked {
    keyed: Keyed,
    challenge: Vec<u8>,
}

impl Asked {
    /// The client says that it has none.
    fn no_certificate(
        self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        ErrorMessage::from_bytes(message.body(), "ERROR")?;
        if self.keyed.common.client_auth == ClientAuth::Required {
            return Err(Refused::NoClientCertificate.into());
        }
        self.keyed.finish(None, Vec::new(), config, channel)
    }

    /// Spec: SSL2 section 5.5.3.
    fn client_certificate(
        self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { keyed, challenge } = *self;
        let message = ClientCertificate::from_bytes(message.body(), "CLIENT-CERTIFICATE")?;
        let chain = vec![message.certificate.into_owned()];
        let leaf = chain.first().map_or(&[][..], Vec::as_slice);
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        if !matches!(key, PublicKey::Rsa(_)) {
            return Err(Misbehaved::WrongCertificateType.into());
        }
        let signed = keyed.keys.signed(&challenge, keyed.common.certificate());
        key.verify(SignatureScheme::RsaPkcs1(Hash::Md5), &signed, &message.response)
            .map_err(|_| Misbehaved::BadSignature("CLIENT-CERTIFICATE"))?;
        let shown = PeerCertificate { chain: &chain, server_name: None, ocsp_response: &[], resumed: false };
        config.client_verifier.verify(&shown).map_err(Error::Certificate)?;
        keyed.finish(None, chain, config, channel)
    }
}
