//! CLIENT_HELLO, and what the server chooses.
//!
//! Spec: PCT1 sections 5.2.1 and 5.2.2.

use std::sync::Arc;

use crypto::private_key::PrivateKey;
use wire::Codec;

use super::Server;
use super::master_key::{Chosen, Restart, takes_key_arg};
use crate::certificate::{Identity, PeerCertificate};
use crate::config::{ClientAuth, ServerConfig};
use crate::error::Error;
use crate::pct1::both_roles::{allowed, master_of};
use crate::pct1::channel::Channel;
use crate::pct1::error::{Broken, Mismatch};
use crate::pct1::handshake::Parameters;
use crate::pct1::keys::{self, ConnectionKeys, Material};
use crate::pct1::messages::{self, ClientHello, NO_SESSION, ServerHello, VERSION_BIT};
use crate::pct1::readings::{
    A_REQUIRED_CERTIFICATE_IS_ASKED_FOR_AGAIN, CERTIFICATE_OF_A_RESTART, clear_key_of_restart, encode_chain,
};
use crate::pct1::specs::{CipherSpec, RSA_PKCS1, Spec, certificate, signature};
use crate::pct1::unified::as_pct;
use crate::session::Session;
use crate::ssl2;
use crate::tls::versions::ProtocolVersion;

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
    pub(super) fn client_hello(
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
