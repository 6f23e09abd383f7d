//! The server's side of the handshake.
//!
//! ```text
//! full                                          resumed
//! ClientHello               ─►                  ClientHello               ─►
//!                               ServerHello                                   ServerHello
//!                               Certificate                                   ChangeCipherSpec
//!                          [CertificateStatus]                            ◄─  Finished
//!                          [ServerKeyExchange]  ChangeCipherSpec
//!                         [CertificateRequest]  Finished                  ─►
//!                           ◄─  ServerHelloDone
//! [Certificate]
//! ClientKeyExchange
//! [CertificateVerify]
//! ChangeCipherSpec
//! Finished                  ─►
//!                               ChangeCipherSpec
//!                           ◄─  Finished
//! ```
//!
//! Spec: TLS12 section 7.3; SSL30 section 5.5.

use std::sync::Arc;

use crypto::dh;
use crypto::ecdh::{self, NamedGroup};
use crypto::ecdsa::Curve;
use crypto::public_key::PublicKey;
use wire::{Codec, Reader, Writer};

use crate::certificate::{Identity, PeerCertificate, forbids_signing, public_key};
use crate::config::{ClientAuth, ExtendedMasterSecret, Policy, ServerConfig};
use crate::connection::Negotiated;
use crate::detect::Offer;
use crate::error::{Error, Incompatible, Misbehaved, Refused};
use crate::record::{Opener, Sealer};
use crate::renegotiation::{Before, Previous};
use crate::session::{MasterSecret, Session};
use crate::tls::channel::{Channel, Incoming, Message};
use crate::tls::cipher_suites::{CipherSuite, KeyExchange, SuiteRow};
use crate::tls::client::{DSS_SIGN, ECDSA_SIGN, RSA_SIGN};
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::key_exchange::{self, KeyExchangeStrength, Premaster, ServerParams, ServerSecret};
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::{
    Certificate, CertificateRequest, CertificateStatus, ClientHello, HandshakeType as H, ServerHello,
};
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::{NoCertificate, ProtocolVersion, Rules, Sender, Signatures, VerifyData};

/// What a server waits for.
pub(crate) enum State {
    ClientHello(Box<Start>),
    Certificate(Box<Chosen>),
    ClientKeyExchange(Box<Chosen>),
    CertificateVerify(Box<Keyed>),
    ChangeCipherSpec(Box<Keyed>),
    Finished(Box<Keyed>),
    /// Nothing more.
    Complete(Box<Negotiated>),
    /// Nothing more: the connection stays what it was.
    Declined {
        /// But that the peer has closed its side.
        closed: bool,
    },
}

impl State {
    /// THE flow: what may come when, and what handles it.
    pub(crate) fn handle(
        self,
        incoming: Incoming,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        let expected = self.expected();
        match (self, incoming) {
            (Self::ClientHello(state), Incoming::Message(m)) if m.kind == H::CLIENT_HELLO => {
                state.client_hello(&m, config, channel)
            }
            (Self::Certificate(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE => {
                state.certificate(&m, config, channel)
            }
            (Self::Certificate(state), Incoming::NoCertificate)
                if state.rules.no_certificate == NoCertificate::Alert =>
            {
                Ok(Self::ClientKeyExchange(state.without_certificate()?))
            }
            // A client of SSL 3.0 without certificate "should" say so by an alert, and not all do.
            // Spec: SSL30 section 5.6.6.
            (Self::Certificate(state), Incoming::Message(m))
                if m.kind == H::CLIENT_KEY_EXCHANGE && state.rules.no_certificate == NoCertificate::Alert =>
            {
                state.without_certificate()?.client_key_exchange(&m, config, channel)
            }
            (Self::ClientKeyExchange(state), Incoming::Message(m)) if m.kind == H::CLIENT_KEY_EXCHANGE => {
                state.client_key_exchange(&m, config, channel)
            }
            (Self::CertificateVerify(state), Incoming::Message(m)) if m.kind == H::CERTIFICATE_VERIFY => {
                state.certificate_verify(&m, config, channel)
            }
            (Self::ChangeCipherSpec(state), Incoming::ChangeCipherSpec) => {
                state.change_cipher_spec(config, channel)
            }
            (Self::Finished(state), Incoming::Message(m)) if m.kind == H::FINISHED => {
                state.finished(&m, config, channel)
            }
            (_, Incoming::Message(m)) => {
                Err(Misbehaved::UnexpectedMessage { received: m.kind, expected }.into())
            }
            (_, Incoming::ChangeCipherSpec) => {
                Err(Misbehaved::UnexpectedRecord { content_type: 20, expected }.into())
            }
            (_, Incoming::NoCertificate) => {
                Err(Misbehaved::UnexpectedRecord { content_type: 21, expected }.into())
            }
            // Without the certificate that the handshake was for there is nothing to go on with. Spec: TLS12 section 7.2.2.
            (Self::ClientHello(state), Incoming::NoRenegotiation) => {
                channel.expect_end_of_flight()?;
                if state.client_auth(config) == ClientAuth::Required {
                    return Err(Refused::NoClientCertificate.into());
                }
                Ok(Self::Declined { closed: false })
            }
            // Its close_notify was on its way before it could hear of us. Spec: TLS12 section 7.2.1.
            (Self::ClientHello(_), Incoming::Closed) => {
                channel.expect_end_of_flight()?;
                Ok(Self::Declined { closed: true })
            }
            (_, Incoming::Closed) => Err(Error::ClosedInHandshake),
            (_, Incoming::NoRenegotiation) => {
                Err(Misbehaved::UnexpectedRecord { content_type: 21, expected }.into())
            }
            (_, Incoming::Data(_)) => Err(Misbehaved::UnexpectedRecord { content_type: 23, expected }.into()),
        }
    }

    /// The first message, in the format of SSL 2.0: `message` is how it was sent, from its type on.
    pub(crate) fn v2_hello(
        self,
        hello: &ClientHello<'_>,
        message: &[u8],
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        match self {
            Self::ClientHello(state) => state.v2_hello(hello, message, config, channel),
            _ => Err(Error::Internal("a hello of SSL 2.0 behind the first message")),
        }
    }

    /// What is awaited, for a sentence.
    pub(crate) const fn expected(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "ClientHello",
            Self::Certificate(_) => "Certificate",
            Self::ClientKeyExchange(_) => "ClientKeyExchange",
            Self::CertificateVerify(_) => "CertificateVerify",
            Self::ChangeCipherSpec(_) => "ChangeCipherSpec",
            Self::Finished(_) => "Finished",
            Self::Complete(_) | Self::Declined { .. } => "nothing more of the handshake",
        }
    }
}

/// Nothing has been heard yet.
#[derive(Default)]
pub(crate) struct Start {
    /// Application protocols of this handshake, the preferred one first.
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Whether a certificate is asked for, whatever the configuration says.
    pub(crate) client_auth: ClientAuth,
    pub(crate) before: Option<Before>,
}

/// What the extensions of a ClientHello say.
#[derive(Default)]
struct Offered {
    server_name: Option<String>,
    /// `None`: the client says nothing of curves, and then has all that there are.
    groups: Option<Vec<u16>>,
    point_formats: bool,
    signature_algorithms: Option<Vec<u16>>,
    alpn: Vec<Vec<u8>>,
    extended_master_secret: bool,
    wants_ocsp: bool,
    secure_renegotiation: bool,
}

impl Offered {
    fn read(hello: &ClientHello<'_>, rules: &Rules, before: Option<&Before>) -> Result<Self, Error> {
        let previous = before.map(|before| &before.finished);
        let mut offered =
            Self { secure_renegotiation: Self::renegotiation(hello, previous)?, ..Self::default() };
        // A client that ends up in SSL 3.0 may have sent them for the newer versions.
        if !rules.has_extensions {
            return Ok(offered);
        }
        let extensions = &hello.extensions;
        if let Some(data) = extensions.find(extension::SERVER_NAME) {
            offered.server_name = extension::server_name(data)?;
        }
        offered.groups = extensions.find(extension::SUPPORTED_GROUPS).map(extension::groups).transpose()?;
        if let Some(data) = extensions.find(extension::EC_POINT_FORMATS) {
            offered.point_formats = true;
            if !extension::has_uncompressed_points(data)? {
                return Err(Misbehaved::IllegalParameter("no uncompressed points").into());
            }
        }
        if matches!(rules.signatures, Signatures::Negotiated) {
            let data = extensions.find(extension::SIGNATURE_ALGORITHMS);
            offered.signature_algorithms = data.map(extension::signature_algorithms).transpose()?;
        }
        if let Some(data) = extensions.find(extension::ALPN) {
            offered.alpn = extension::application_protocols(data)?;
        }
        if let Some(data) = extensions.find(extension::EXTENDED_MASTER_SECRET) {
            extension::nothing(data, "extended_master_secret")?;
            offered.extended_master_secret = true;
        }
        offered.wants_ocsp = extensions.find(extension::STATUS_REQUEST).is_some_and(extension::asks_for_ocsp);
        Ok(offered)
    }

    /// Spec: RENEG sections 3.6 and 3.7.
    fn renegotiation(hello: &ClientHello<'_>, previous: Option<&Previous>) -> Result<bool, Error> {
        let info = hello.extensions.find(extension::RENEGOTIATION_INFO);
        let info = info.map(extension::renegotiated_connection).transpose()?;
        let signal = hello.suites.contains(&CipherSuite::EMPTY_RENEGOTIATION_INFO);
        let wrong = || Err(Misbehaved::RenegotiationInfo.into());
        match (previous, info) {
            (None, None) => Ok(signal),
            (None, Some([])) => Ok(true),
            (Some(_), _) if signal => wrong(),
            (Some(previous), Some(info)) if previous.secure => {
                if crypto::constant_time::ct_eq(info, previous.client.as_ref()) { Ok(true) } else { wrong() }
            }
            (Some(previous), None) if !previous.secure => Ok(false),
            _ => wrong(),
        }
    }
}

impl Start {
    /// Spec: TLS12 section 7.4.1.2.
    fn client_hello(
        self,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        channel.expect_end_of_flight()?;
        let version = ProtocolVersion(Reader::new(message.body()).u16("ClientHello.client_version")?);
        let rules = speak_up_to(version, self.versions(&config.policy), channel);
        let hello = ClientHello::from_bytes(message.body(), "ClientHello")?;
        let (version, rules) = match listed_versions(&hello)? {
            // A list is all that counts, where there is one. What is unknown in it says nothing. Spec: TLS13 section 4.2.1.
            Some(listed) => {
                let known = listed.iter().copied().filter(|v| (0x0300..=0x0304).contains(v)).max();
                let listed =
                    listed.into_iter().map(ProtocolVersion).filter(|version| version.rules().is_some());
                let best = Offer::of(listed).best(self.versions(&config.policy));
                let rules = best.and_then(ProtocolVersion::rules);
                rules.into_iter().for_each(|rules| channel.fix_version(rules));
                (known.map_or(version, ProtocolVersion), rules)
            }
            None => (version, rules),
        };
        self.answer(&Heard { hello: &hello, message: message.bytes(), version, rules }, config, channel)
    }

    /// Spec: TLS10 appendix E.
    fn v2_hello(
        self,
        hello: &ClientHello<'_>,
        message: &[u8],
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let rules = speak_up_to(hello.version, self.versions(&config.policy), channel);
        self.answer(&Heard { hello, message, version: hello.version, rules }, config, channel)
    }

    fn answer(self, heard: &Heard<'_>, config: &ServerConfig, channel: &mut Channel) -> Result<State, Error> {
        let Heard { hello, message, version, rules } = *heard;
        let policy = &config.policy;
        if hello.suites.contains(&CipherSuite::FALLBACK) && version < policy.highest {
            return Err(Refused::InappropriateFallback { offered: version, highest: policy.highest }.into());
        }
        let rules = rules
            .ok_or_else(|| Incompatible::NoVersion { peer: version, enabled: policy.versions.clone() })?;
        if !hello.offers_no_compression() {
            return Err(Misbehaved::Compression.into());
        }
        if let Some(number) = hello.extensions.duplicate() {
            return Err(Misbehaved::DuplicateExtension(number).into());
        }
        let offered = Offered::read(hello, rules, self.before.as_ref())?;
        let extended = rules.extended_master_secret.is_some()
            && offered.extended_master_secret
            && policy.extended_master_secret != ExtendedMasterSecret::Off;
        if !extended && policy.extended_master_secret == ExtendedMasterSecret::Required {
            return Err(Incompatible::NoExtendedMasterSecret.into());
        }
        if let Some(before) = &self.before {
            before.check_binding(extended)?;
            before.check_server_name(offered.server_name.as_deref())?;
        }
        let alpn = self.choose_protocol(&offered)?;
        channel.transcript.add(message);
        let choice = Choice { start: self, rules, hello, offered, extended, alpn, config };
        match choice.session()? {
            Some(session) => choice.resume(&session, channel),
            None => choice.full(channel),
        }
    }

    /// Whether the client is asked for its certificate.
    fn client_auth(&self, config: &ServerConfig) -> ClientAuth {
        match self.client_auth {
            ClientAuth::None => config.client_auth,
            asked => asked,
        }
    }

    /// What may be chosen from: a connection keeps its version.
    fn versions<'a>(&'a self, policy: &'a Policy) -> &'a [ProtocolVersion] {
        self.before.as_ref().map_or(&policy.versions, |before| std::slice::from_ref(&before.rules.version))
    }

    /// Spec: ALPN section 3.2.
    fn choose_protocol(&self, offered: &Offered) -> Result<Option<Vec<u8>>, Error> {
        if self.alpn.is_empty() || offered.alpn.is_empty() || self.before.is_some() {
            return Ok(None);
        }
        let common = self.alpn.iter().find(|own| offered.alpn.contains(own));
        common
            .map(|name| Some(name.clone()))
            .ok_or_else(|| Incompatible::NoApplicationProtocol { peer: offered.alpn.clone() }.into())
    }
}

/// A ClientHello: what it says, how it was sent, the version that it asks for, and the rules of the one that answers.
struct Heard<'a> {
    hello: &'a ClientHello<'a>,
    message: &'a [u8],
    version: ProtocolVersion,
    rules: Option<&'static Rules>,
}

/// What is wrong with a hello is said in the version that would have answered it. Spec: SCSV section 3.
fn speak_up_to(
    version: ProtocolVersion,
    enabled: &[ProtocolVersion],
    channel: &mut Channel,
) -> Option<&'static Rules> {
    let rules = Offer::up_to(version).best(enabled).and_then(ProtocolVersion::rules);
    match rules {
        Some(rules) => channel.fix_version(rules),
        None => channel.refuse_in(version),
    }
    rules
}

/// The versions of the extension for them.
fn listed_versions(hello: &ClientHello<'_>) -> Result<Option<Vec<u16>>, Error> {
    hello.extensions.find(extension::SUPPORTED_VERSIONS).map(extension::versions).transpose()
}

/// What a ServerHello is chosen from.
struct Choice<'a> {
    start: Start,
    rules: &'static Rules,
    hello: &'a ClientHello<'a>,
    offered: Offered,
    extended: bool,
    alpn: Option<Vec<u8>>,
    config: &'a ServerConfig,
}

impl Choice<'_> {
    /// The session that the client wants to take up again, if what it was made with would be agreed on again.
    ///
    /// Spec: TLS12 section 7.4.1.2; EMS section 5.3; TLS-EXT section 3.
    fn session(&self) -> Result<Option<Arc<Session>>, Error> {
        let Self { config, hello, rules, .. } = self;
        if hello.session_id.is_empty() || !config.policy.resume || self.start.before.is_some() {
            return Ok(None);
        }
        let Some(session) = config.sessions.get(&hello.session_id, config.clock.now()) else {
            return Ok(None);
        };
        if session.version != rules.version
            || !hello.suites.contains(&session.suite)
            || !config.policy.suites.contains(&session.suite)
            || session.server_name != self.offered.server_name
        {
            return Ok(None);
        }
        if session.extended_master_secret && !self.offered.extended_master_secret {
            return Err(Misbehaved::ResumedBinding { was_bound: true }.into());
        }
        if session.extended_master_secret != self.extended {
            return Ok(None);
        }
        let client_auth = self.start.client_auth(self.config);
        if session.peer_chain.is_empty() {
            return Ok((client_auth != ClientAuth::Required).then_some(session));
        }
        let shown = PeerCertificate {
            chain: &session.peer_chain,
            server_name: None,
            ocsp_response: &[],
            resumed: true,
        };
        let accepted = client_auth != ClientAuth::None && config.client_verifier.verify(&shown).is_ok();
        Ok(accepted.then_some(session))
    }

    fn random(&self) -> Result<[u8; 32], Error> {
        let mut random = [0; 32];
        self.config.random.fill(&mut random)?;
        // Spec: TLS13 section 4.1.3.
        let (version, highest) = (self.rules.version, self.config.policy.highest);
        let sentinel: Option<&[u8; 8]> =
            if version < ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS12 {
                Some(b"DOWNGRD\x00")
            } else if version == ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS13 {
                Some(b"DOWNGRD\x01")
            } else {
                None
            };
        if let (Some(sentinel), Some(last)) = (sentinel, random.last_chunk_mut::<8>()) {
            *last = *sentinel;
        }
        Ok(random)
    }

    /// The extensions of the answer: only what was asked for.
    fn extensions(
        &self,
        suite: &SuiteRow,
        status_follows: bool,
        resumed: bool,
    ) -> Result<Extensions<'static>, Error> {
        let mut extensions = Extensions::default();
        if self.offered.secure_renegotiation {
            let before = self.start.before.as_ref().map(|before| &before.finished);
            let data: [&[u8]; 2] =
                before.map_or([&[], &[]], |finished| [finished.client.as_ref(), finished.server.as_ref()]);
            extensions.push(extension::RENEGOTIATION_INFO, |w| {
                extension::write_renegotiated_connection(w, &data)
            })?;
        }
        if !self.rules.has_extensions {
            return Ok(extensions);
        }
        if self.offered.server_name.is_some() && !resumed {
            extensions.push(extension::SERVER_NAME, |_| Ok(()))?;
        }
        if self.extended {
            extensions.push(extension::EXTENDED_MASTER_SECRET, |_| Ok(()))?;
        }
        if suite.key_exchange.is_elliptic() && self.offered.point_formats {
            extensions.push(extension::EC_POINT_FORMATS, extension::write_point_formats)?;
        }
        if let Some(name) = &self.alpn {
            let names = std::slice::from_ref(name);
            extensions.push(extension::ALPN, |w| extension::write_application_protocols(w, names))?;
        }
        if status_follows {
            extensions.push(extension::STATUS_REQUEST, |_| Ok(()))?;
        }
        Ok(extensions)
    }

    /// Sends ServerHello, and yields the randoms.
    fn send_hello(
        &self,
        suite: &SuiteRow,
        session_id: &[u8],
        extensions: Extensions<'_>,
        channel: &mut Channel,
    ) -> Result<Randoms, Error> {
        channel.transcript.choose((self.rules.transcript)(suite));
        if matches!(self.rules.signatures, Signatures::Md5AndSha1 { .. }) {
            channel.transcript.release();
        }
        let random = self.random()?;
        let hello = ServerHello {
            version: self.rules.version,
            random,
            session_id: session_id.into(),
            suite: suite.suite,
            compression_method: 0,
            extensions,
        };
        channel.send(H::SERVER_HELLO, |writer| Ok(hello.encode(writer)?))?;
        Ok(Randoms { client: self.hello.random, server: random })
    }

    /// The short handshake: the server finishes first.
    fn resume(self, session: &Session, channel: &mut Channel) -> Result<State, Error> {
        channel.session_in_use = Some(session.id().to_vec());
        let suite = session.suite.row().ok_or(Error::Internal("a session of an unknown suite"))?;
        // That of the handshake which made the session: the same name, suite and certificates chose it.
        let identity = self.identity(suite.key_exchange);
        let extensions = self.extensions(suite, false, true)?;
        let randoms = self.send_hello(suite, session.id(), extensions, channel)?;
        channel.transcript.release();
        let keys = ConnectionKeys::derive(self.rules, suite, &session.master_secret, &randoms);
        let mut keyed = Keyed {
            common: Common {
                rules: self.rules,
                suite,
                randoms,
                hello_version: self.hello.version,
                session_id: session.id().to_vec(),
                extended_master_secret: self.extended,
                secure_renegotiation: self.offered.secure_renegotiation,
                alpn: self.start.before.map_or(self.alpn, |before| before.alpn),
                server_name: self.offered.server_name,
                identity,
            },
            master_secret: session.master_secret.clone(),
            peer: None,
            peer_chain: session.peer_chain.clone(),
            strength: None,
            keys,
            resumed: true,
            own: None,
        };
        keyed.send_finished(self.config, channel)?;
        Ok(State::ChangeCipherSpec(Box::new(keyed)))
    }

    /// The first suite of ours that the client has, that its version has, and for which we have key and group.
    fn suite(&self) -> Result<(&'static SuiteRow, Arc<Identity>, Option<NamedGroup>), Error> {
        let policy = &self.config.policy;
        let group = match &self.offered.groups {
            None => policy.groups.iter().find(|group| **group != NamedGroup::X25519).copied(),
            Some(groups) => policy.groups.iter().find(|group| groups.contains(&group.code_point())).copied(),
        };
        let mut refused = None;
        for suite in policy.suites.iter().filter(|suite| self.hello.suites.contains(suite)) {
            let Some(row) = suite.row().filter(|row| row.is_legal_in(self.rules.version)) else { continue };
            let has_group = match row.key_exchange {
                KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa => group.is_some(),
                KeyExchange::DheRsa | KeyExchange::DheDss => self.dh_group().is_some(),
                _ => true,
            };
            if !has_group {
                continue;
            }
            let Some(identity) = self.identity(row.key_exchange) else { continue };
            let signs =
                matches!(self.rules.signatures, Signatures::Negotiated) && row.key_exchange.is_ephemeral();
            if signs {
                let offered = self.offered.signature_algorithms.as_deref();
                if let Err(error) = SignatureScheme::choose(policy, offered, identity.key()) {
                    refused = Some(error);
                    continue;
                }
            }
            return Ok((row, identity, group));
        }
        Err(refused.unwrap_or_else(|| Incompatible::NoSuite { peer: self.hello.suites.clone() }.into()))
    }

    /// The group of Diffie-Hellman: ours, or, if the client names some, the first of them that is no shorter.
    ///
    /// Spec: FFDHE section 4.
    fn dh_group(&self) -> Option<&dh::Group> {
        let own = &self.config.dh_group;
        let named = |groups: &&Vec<u16>| groups.iter().any(|group| (0x100..=0x1ff).contains(group));
        let Some(groups) = self.offered.groups.as_ref().filter(named) else { return Some(own) };
        let known = [(256, &dh::FFDHE2048), (257, &dh::FFDHE3072), (258, &dh::FFDHE4096)];
        let mut known = known.into_iter().map(|(number, group)| (number, &**group));
        known.find(|(number, group)| groups.contains(number) && group.bits() >= own.bits()).map(|(_, g)| g)
    }

    /// Of our certificates with a key of the right kind the one that has the name, or else the first.
    fn identity(&self, key_exchange: KeyExchange) -> Option<Arc<Identity>> {
        let fits = |identity: &&Arc<Identity>| {
            let key = identity.key().public_key();
            match key_exchange {
                KeyExchange::Rsa
                | KeyExchange::RsaExport { .. }
                | KeyExchange::DheRsa
                | KeyExchange::EcdheRsa => {
                    matches!(key, PublicKey::Rsa(_))
                }
                KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => matches!(key, PublicKey::Dsa(_)),
                // A client says which curves it has, for keys in certificates too. Spec: ECC section 5.1.
                KeyExchange::EcdheEcdsa => {
                    matches!(key, PublicKey::Ecdsa(key) if self.has_curve(key.curve()))
                }
            }
        };
        let mut fitting = self.config.identities.iter().filter(fits);
        let name = self.offered.server_name.as_deref();
        let named = name.and_then(|name| fitting.clone().find(|identity| identity.serves(name)));
        named.or_else(|| fitting.next()).cloned()
    }

    /// Whether the client has this curve, by its own account.
    fn has_curve(&self, curve: Curve) -> bool {
        self.offered.groups.as_ref().is_none_or(|groups| groups.contains(&curve.code_point()))
    }

    /// The long handshake.
    fn full(self, channel: &mut Channel) -> Result<State, Error> {
        let (suite, identity, group) = self.suite()?;
        let config = self.config;
        let mut session_id = Vec::new();
        if config.policy.resume {
            session_id.resize(32, 0);
            config.random.fill(&mut session_id)?;
        }
        let ocsp_response =
            identity.ocsp_response().filter(|_| self.offered.wants_ocsp && self.rules.has_extensions);
        let extensions = self.extensions(suite, ocsp_response.is_some(), false)?;
        let randoms = self.send_hello(suite, &session_id, extensions, channel)?;
        channel.send(H::CERTIFICATE, |writer| {
            Ok(Certificate { chain: identity.chain().into() }.encode(writer)?)
        })?;
        if let Some(response) = ocsp_response {
            channel.send(H::CERTIFICATE_STATUS, |writer| {
                Ok(CertificateStatus { ocsp_response: response.into() }.encode(writer)?)
            })?;
        }
        let exchange = Exchange { choice: &self, suite, identity: &identity, group, randoms: &randoms };
        let (secret, strength) = exchange.send(channel)?;
        let client_auth = self.start.client_auth(self.config);
        if client_auth == ClientAuth::None {
            channel.transcript.release();
        } else {
            self.send_certificate_request(channel)?;
        }
        channel.send(H::SERVER_HELLO_DONE, |_| Ok(()))?;
        channel.flush()?;
        let chosen = Box::new(Chosen {
            common: Common {
                rules: self.rules,
                suite,
                randoms,
                hello_version: self.hello.version,
                session_id,
                extended_master_secret: self.extended,
                secure_renegotiation: self.offered.secure_renegotiation,
                alpn: match &self.start.before {
                    Some(before) => before.alpn.clone(),
                    None => self.alpn,
                },
                server_name: self.offered.server_name,
                identity: Some(identity),
            },
            rules: self.rules,
            secret,
            strength,
            client_auth,
            peer: None,
            peer_chain: Vec::new(),
            before: self.start.before,
        });
        Ok(if client_auth == ClientAuth::None {
            State::ClientKeyExchange(chosen)
        } else {
            State::Certificate(chosen)
        })
    }

    /// Spec: TLS12 section 7.4.4.
    fn send_certificate_request(&self, channel: &mut Channel) -> Result<(), Error> {
        let negotiated = matches!(self.rules.signatures, Signatures::Negotiated);
        let certificate_types = if self.rules.has_extensions {
            vec![RSA_SIGN, DSS_SIGN, ECDSA_SIGN]
        } else {
            vec![RSA_SIGN, DSS_SIGN]
        };
        let schemes = || self.config.policy.signature_schemes.iter().map(|scheme| scheme.0).collect();
        let request = CertificateRequest {
            certificate_types,
            signature_algorithms: negotiated.then(schemes),
            authorities: self.config.authorities.clone(),
        };
        channel.send(H::CERTIFICATE_REQUEST, |writer| Ok(request.encode(writer)?))
    }
}

/// What a ServerKeyExchange is made from.
struct Exchange<'a> {
    choice: &'a Choice<'a>,
    suite: &'static SuiteRow,
    identity: &'a Identity,
    group: Option<NamedGroup>,
    randoms: &'a Randoms,
}

impl Exchange<'_> {
    /// Sends ServerKeyExchange where the suite has one.
    fn send(&self, channel: &mut Channel) -> Result<(ServerSecret, KeyExchangeStrength), Error> {
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

/// What stays known from the hellos on.
struct Common {
    rules: &'static Rules,
    suite: &'static SuiteRow,
    randoms: Randoms,
    hello_version: ProtocolVersion,
    session_id: Vec<u8>,
    extended_master_secret: bool,
    secure_renegotiation: bool,
    alpn: Option<Vec<u8>>,
    server_name: Option<String>,
    identity: Option<Arc<Identity>>,
}

/// The server's first flight is out.
pub(crate) struct Chosen {
    common: Common,
    rules: &'static Rules,
    secret: ServerSecret,
    strength: KeyExchangeStrength,
    client_auth: ClientAuth,
    peer: Option<PublicKey>,
    peer_chain: Vec<Vec<u8>>,
    before: Option<Before>,
}

impl Chosen {
    /// The client says that it has none.
    fn without_certificate(self: Box<Self>) -> Result<Box<Self>, Error> {
        if self.client_auth == ClientAuth::Required {
            return Err(Refused::NoClientCertificate.into());
        }
        Ok(self)
    }

    /// Spec: TLS12 section 7.4.6.
    fn certificate(
        mut self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let chain = Certificate::from_bytes(message.body(), "Certificate")?.chain.into_owned();
        channel.transcript.add(message.bytes());
        let Some(leaf) = chain.first() else {
            // SSL 3.0 has no list without certificates. Spec: SSL30 section 5.6.2.
            if self.rules.no_certificate == NoCertificate::Alert {
                return Err(wire::DecodeError::illegal("Certificate.certificate_list").into());
            }
            return Ok(State::ClientKeyExchange(self.without_certificate()?));
        };
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        // One of a kind that was not asked for. Spec: TLS12 section 7.4.6; ECC section 5.5.
        let is_elliptic = matches!(key, PublicKey::Ecdsa(_) | PublicKey::Ed25519(_));
        if is_elliptic && !self.rules.has_extensions {
            return Err(Misbehaved::WrongCertificateType.into());
        }
        // A client does nothing with its key but sign. Spec: TLS12 section 7.4.6.
        if forbids_signing(leaf) {
            return Err(Misbehaved::KeyMayNotSign.into());
        }
        self.before.as_ref().map_or(Ok(()), |before| before.check_peer(&chain))?;
        let shown = PeerCertificate { chain: &chain, server_name: None, ocsp_response: &[], resumed: false };
        config.client_verifier.verify(&shown).map_err(Error::Certificate)?;
        self.peer = Some(key);
        self.peer_chain = chain;
        Ok(State::ClientKeyExchange(self))
    }

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
    fn client_key_exchange(
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

/// The keys are known.
pub(crate) struct Keyed {
    common: Common,
    master_secret: MasterSecret,
    /// The key that must prove itself.
    peer: Option<PublicKey>,
    peer_chain: Vec<Vec<u8>>,
    strength: Option<KeyExchangeStrength>,
    keys: ConnectionKeys,
    resumed: bool,
    /// What our own Finished held, once it was sent.
    own: Option<VerifyData>,
}

impl Keyed {
    /// Spec: TLS12 section 7.4.8; TLS10 section 7.4.8; SSL30 section 5.6.8.
    fn certificate_verify(
        self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let mut reader = Reader::new(message.body());
        let content = match self.common.rules.signatures {
            Signatures::Md5AndSha1 { of_transcript } => {
                Content::Md5AndSha1(of_transcript(&channel.transcript, &self.master_secret))
            }
            Signatures::Negotiated => {
                let scheme = SignatureScheme(reader.u16("CertificateVerify.algorithm")?);
                if !config.policy.signature_schemes.contains(&scheme) {
                    return Err(Misbehaved::SignatureNotOffered(scheme.0).into());
                }
                Content::Message(scheme, channel.transcript.messages())
            }
        };
        let signature = reader.opaque_u16("CertificateVerify.signature")?;
        reader.finish("CertificateVerify")?;
        let key = self.peer.as_ref().ok_or(Error::Internal("a CertificateVerify without certificate"))?;
        signature::verify(key, &content, signature, "CertificateVerify")?;
        channel.transcript.add(message.bytes());
        channel.transcript.release();
        Ok(State::ChangeCipherSpec(self))
    }

    /// Spec: TLS12 section 7.1.
    fn change_cipher_spec(
        self: Box<Self>,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Common { rules, suite, .. } = &self.common;
        let keys = self.keys.client.for_records(rules, suite, &config.policy);
        channel.change_opener(Opener::new(&keys)?);
        Ok(State::Finished(self))
    }

    fn send_finished(&mut self, config: &ServerConfig, channel: &mut Channel) -> Result<(), Error> {
        let Common { rules, suite, .. } = &self.common;
        let keys = self.keys.server.for_records(rules, suite, &config.policy);
        let sealer = Sealer::new(&keys, Arc::clone(&config.random))?;
        let verify_data =
            (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Server);
        channel.change_sealer(sealer)?;
        channel.send(H::FINISHED, |writer| {
            writer.bytes(verify_data.as_ref());
            Ok(())
        })?;
        self.own = Some(verify_data);
        channel.flush()
    }

    /// Spec: TLS12 section 7.4.9.
    fn finished(
        mut self: Box<Self>,
        message: &Message,
        config: &ServerConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Common { rules, suite, .. } = &self.common;
        let expected = (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Client);
        if message.body().len() != expected.as_ref().len() {
            return Err(wire::DecodeError::illegal("Finished.verify_data").into());
        }
        if !crypto::constant_time::ct_eq(message.body(), expected.as_ref()) {
            return Err(Misbehaved::BadFinished.into());
        }
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
        if !self.resumed {
            self.send_finished(config, channel)?;
        }
        let own = self.own.ok_or(Error::Internal("Finished was not sent"))?;
        let finished = Previous { client: expected, server: own, secure: self.common.secure_renegotiation };
        Ok(State::Complete(Box::new(self.complete(finished, config))))
    }

    fn complete(self, finished: Previous, config: &ServerConfig) -> Negotiated {
        let common = self.common;
        if !self.resumed && config.policy.resume && !common.session_id.is_empty() {
            let session = Session {
                id: common.session_id.clone(),
                ticket: Vec::new(),
                version: common.rules.version,
                suite: common.suite.suite,
                master_secret: self.master_secret.clone(),
                extended_master_secret: common.extended_master_secret,
                peer_chain: self.peer_chain.clone(),
                server_name: common.server_name.clone(),
                created: config.clock.now(),
                pct1: None,
            };
            config.sessions.put(&common.session_id, Arc::new(session));
        }
        let session_key = (!common.session_id.is_empty()).then(|| common.session_id.clone());
        Negotiated {
            is_client: false,
            version: common.rules.version,
            hello_version: common.hello_version,
            suite: common.suite,
            strength: self.strength,
            alpn: common.alpn,
            server_name: common.server_name,
            peer_chain: self.peer_chain,
            ocsp_response: Vec::new(),
            identity: common.identity,
            resumed: self.resumed,
            session_id: common.session_id,
            session_key,
            extended_master_secret: common.extended_master_secret,
            sessions: Arc::clone(&config.sessions),
            finished,
            rules: Some(common.rules),
            pct1: None,
            master_secret: self.master_secret,
            randoms: common.randoms,
        }
    }
}
