//! The client's side of the handshake.
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
//!                           [NewSessionTicket]
//!                               ChangeCipherSpec
//!                           ◄─  Finished
//! ```
//!
//! Spec: TLS12 section 7.3; SSL30 section 5.5.

use std::sync::Arc;

use crypto::public_key::PublicKey;
use wire::{Codec, Reader};

use crate::certificate::{Identity, PeerCertificate, forbids_signing, issuer, public_key};
use crate::config::{ClientConfig, ExtendedMasterSecret, Policy};
use crate::connection::{CertificateRequested, Negotiated};
use crate::error::{Error, Incompatible, Misbehaved};
use crate::record::{Opener, Sealer};
use crate::renegotiation::{Before, Previous};
use crate::session::{MasterSecret, Session};
use crate::tls::alert::AlertDescription;
use crate::tls::channel::{Channel, Incoming, Message};
use crate::tls::cipher_suites::{CipherSuite, KeyExchange, SuiteRow};
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::key_exchange::{self, KeyExchangeStrength, ServerParams, ServerShare};
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::{
    Certificate, CertificateRequest, CertificateStatus, ClientHello, HEADER, HandshakeType as H,
    NewSessionTicket, ServerHello,
};
use crate::tls::signature::{self, Content, SignatureScheme};
use crate::tls::versions::{NoCertificate, ProtocolVersion, Rules, Sender, Signatures};

/// A ticket that is longer is not kept, in bytes: a server that puts its clients' chains into them has long ones.
const LONGEST_TICKET: usize = 8 << 10;

/// What a client waits for.
pub(crate) enum State {
    ServerHello(Box<Offer>),
    Certificate(Box<Agreed>),
    ServerKeyExchange(Box<Shown>),
    CertificateRequest(Box<Shared>),
    ServerHelloDone(Box<Asked>),
    /// The application's answer.
    Identity(Box<Asked>),
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
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        let expected = self.expected();
        let message = match (self, incoming) {
            (Self::ChangeCipherSpec(state), Incoming::ChangeCipherSpec) => {
                return state.change_cipher_spec(config, channel);
            }
            (_, Incoming::ChangeCipherSpec) => {
                return Err(Misbehaved::UnexpectedRecord { content_type: 20, expected }.into());
            }
            (_, Incoming::NoCertificate) => {
                return Err(Misbehaved::UnexpectedRecord { content_type: 21, expected }.into());
            }
            (_, Incoming::Data(_)) => {
                return Err(Misbehaved::UnexpectedRecord { content_type: 23, expected }.into());
            }
            // Spec: TLS12 section 7.2.2.
            (Self::ServerHello(_), Incoming::NoRenegotiation) => {
                channel.expect_end_of_flight()?;
                return Ok(Self::Declined { closed: false });
            }
            // Its close_notify was on its way before it could hear of us. Spec: TLS12 section 7.2.1.
            (Self::ServerHello(_), Incoming::Closed) => {
                channel.expect_end_of_flight()?;
                return Ok(Self::Declined { closed: true });
            }
            (_, Incoming::Closed) => return Err(Error::ClosedInHandshake),
            (_, Incoming::NoRenegotiation) => {
                return Err(Misbehaved::UnexpectedRecord { content_type: 21, expected }.into());
            }
            (state, Incoming::Message(message)) => (state, message),
        };
        match (message.0, message.1.kind, message.1) {
            // A server that asks for a handshake while there is one is answered by that one. Spec: TLS12 section 7.4.1.1.
            (state, H::HELLO_REQUEST, m) => {
                Reader::new(m.body()).finish("HelloRequest")?;
                channel.hello_request(state)
            }
            (Self::ServerHello(state), H::SERVER_HELLO, m) => state.server_hello(&m, config, channel),
            (Self::Certificate(state), H::CERTIFICATE, m) => state.certificate(&m, channel),
            (Self::ServerKeyExchange(state), H::CERTIFICATE_STATUS, m) if state.awaits_status() => {
                state.certificate_status(&m, channel)
            }
            (Self::ServerKeyExchange(state), H::SERVER_KEY_EXCHANGE, m) => {
                state.server_key_exchange(&m, config, channel)
            }
            (Self::ServerKeyExchange(state), H::CERTIFICATE_REQUEST, m) => {
                state.without_key_exchange(config)?.certificate_request(&m, channel)
            }
            (Self::ServerKeyExchange(state), H::SERVER_HELLO_DONE, m) => {
                state.without_key_exchange(config)?.without_request().server_hello_done(&m, config, channel)
            }
            (Self::CertificateRequest(state), H::CERTIFICATE_REQUEST, m) => {
                state.certificate_request(&m, channel)
            }
            (Self::CertificateRequest(state), H::SERVER_HELLO_DONE, m) => {
                state.without_request().server_hello_done(&m, config, channel)
            }
            (Self::ServerHelloDone(state), H::SERVER_HELLO_DONE, m) => {
                state.server_hello_done(&m, config, channel)
            }
            (Self::ChangeCipherSpec(state), H::NEW_SESSION_TICKET, m) if state.may_get_ticket() => {
                state.new_session_ticket(&m, channel)
            }
            (Self::Finished(state), H::FINISHED, m) => state.finished(&m, config, channel),
            (_, received, _) => Err(Misbehaved::UnexpectedMessage { received, expected }.into()),
        }
    }

    /// What is awaited, for a sentence.
    pub(crate) const fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "ServerHello",
            Self::Certificate(_) => "Certificate",
            Self::ServerKeyExchange(_) => "ServerKeyExchange, CertificateRequest or ServerHelloDone",
            Self::CertificateRequest(_) => "CertificateRequest or ServerHelloDone",
            Self::ServerHelloDone(_) => "ServerHelloDone",
            Self::Identity(_) => "nothing",
            Self::ChangeCipherSpec(_) => "ChangeCipherSpec",
            Self::Finished(_) => "Finished",
            Self::Complete(_) | Self::Declined { .. } => "nothing more of the handshake",
        }
    }
}

/// What one client's handshake offers.
pub(crate) struct Offer {
    version: ProtocolVersion,
    suites: Vec<CipherSuite>,
    /// The extensions that may be answered.
    extensions: Vec<u16>,
    signature_algorithms: Vec<u16>,
    random: [u8; 32],
    session: Option<Arc<Session>>,
    /// What the hello calls the session that it offers; that of another engine's hello is none of ours.
    session_id: Vec<u8>,
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    session_key: Option<Vec<u8>>,
    before: Option<Before>,
    signals_renegotiation: bool,
    /// For the sake of a session it says less than we have: the session is of a version that only such a hello can name.
    held_back: bool,
}

/// What one client's handshake is asked to do.
#[derive(Clone, Default)]
pub(crate) struct Wanted {
    pub(crate) server_name: Option<String>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) session_key: Option<Vec<u8>>,
    pub(crate) fallback: bool,
    pub(crate) before: Option<Before>,
}

impl Offer {
    /// Sends a ClientHello.
    ///
    /// Spec: TLS12 section 7.4.1.2.
    pub(crate) fn send(wanted: Wanted, config: &ClientConfig, channel: &mut Channel) -> Result<Self, Error> {
        let policy = &config.policy;
        let (lowest, version) = match &wanted.before {
            Some(before) => (before.rules.version, before.rules.version),
            None => policy.range().ok_or(Error::Misused("no protocol version is enabled"))?,
        };
        let session = Self::session(&wanted, config, version);
        let mut random = [0; 32];
        config.random.fill(&mut random)?;
        let mut suites = Self::suites(policy, lowest, version)?;
        let has_extensions = version.rules().is_some_and(|rules| rules.has_extensions);
        let mut extensions = if has_extensions {
            Self::extensions(&wanted, policy, version, &suites)?
        } else {
            let mut extensions = Extensions::default();
            // Spec: RENEG section 4.5.
            if let Some(before) = wanted.before.as_ref().filter(|before| before.finished.secure) {
                extensions.push(extension::RENEGOTIATION_INFO, |w| {
                    extension::write_renegotiated_connection(w, &[before.finished.client.as_ref()])
                })?;
            }
            extensions
        };
        let mut session_id = session.as_ref().map(|session| session.id().to_vec()).unwrap_or_default();
        if let Some(session) = session.as_ref().filter(|session| !session.ticket.is_empty()) {
            extensions.push(extension::SESSION_TICKET, |writer| {
                writer.bytes(&session.ticket);
                Ok(())
            })?;
            // A server that takes the ticket gives this back. Spec: TICKET section 3.4.
            session_id = vec![0; 32];
            config.random.fill(&mut session_id)?;
        }
        // In SSL 3.0 the signal stands among the suites, and so it may elsewhere, but not together with what a second
        // handshake says. Spec: RENEG sections 3.4, 3.5 and 4.2.
        if !has_extensions && !extensions.has(extension::RENEGOTIATION_INFO) {
            suites.push(CipherSuite::EMPTY_RENEGOTIATION_INFO);
        }
        if wanted.fallback {
            suites.push(CipherSuite::FALLBACK);
        }
        let hello = ClientHello {
            // A second hello says the version of the first, whatever came of it: there are servers that look only there for
            // what the premaster secret must begin with.
            version: wanted.before.as_ref().map_or(version, |before| before.offered),
            random,
            session_id: session_id.as_slice().into(),
            suites,
            compression_methods: [0].as_slice().into(),
            extensions,
        };
        channel.send(H::CLIENT_HELLO, |writer| Ok(hello.encode(writer)?))?;
        channel.flush()?;
        channel.session_in_use = wanted.session_key.clone().filter(|_| session.is_some());
        let held_back = session.is_some() && version < policy.highest && !wanted.fallback;
        let offer = Self::of(&hello, wanted, policy);
        drop(hello);
        Ok(Self { session, held_back, ..offer })
    }

    /// What it offers in a ClientHello in the format of SSL 2.0, which has no extensions: its highest version, and suites.
    ///
    /// Spec: TLS10 appendix E; RENEG section 3.3.
    pub(crate) fn in_v2(
        wanted: &Wanted,
        policy: &Policy,
    ) -> Result<(ProtocolVersion, Vec<CipherSuite>), Error> {
        let version = policy.highest_here().ok_or(Error::Misused("no protocol version is enabled"))?;
        let lowest = policy.lowest_here().unwrap_or(version);
        let mut suites = Self::suites(policy, lowest, version)?;
        // Without extensions the client could not say which curves it has.
        suites.retain(|suite| suite.row().is_some_and(|row| !row.key_exchange.is_elliptic()));
        suites.push(CipherSuite::EMPTY_RENEGOTIATION_INFO);
        if wanted.fallback {
            suites.push(CipherSuite::FALLBACK);
        }
        Ok((version, suites))
    }

    /// Goes on behind a ClientHello in the format of SSL 2.0 that others share, `message`, with what [`Self::in_v2`] offers.
    pub(crate) fn behind_v2(
        wanted: Wanted,
        hello: &ClientHello<'_>,
        message: &[u8],
        policy: &Policy,
        channel: &mut Channel,
    ) -> Self {
        channel.transcript.add(message);
        Self::of(hello, wanted, policy)
    }

    /// The suites that may be used in some version from `lowest` to `version`.
    fn suites(
        policy: &Policy,
        lowest: ProtocolVersion,
        version: ProtocolVersion,
    ) -> Result<Vec<CipherSuite>, Error> {
        let usable =
            |suite: &&CipherSuite| suite.row().is_some_and(|row| row.first <= version && row.last >= lowest);
        let suites: Vec<CipherSuite> = policy.suites.iter().filter(usable).copied().collect();
        if suites.is_empty() {
            return Err(Error::Misused("no cipher suite of the enabled versions is enabled"));
        }
        Ok(suites)
    }

    /// Whether there is a session to take up again, which needs a hello of this protocol's own.
    pub(crate) fn has_session(wanted: &Wanted, config: &ClientConfig) -> bool {
        let version = config.policy.highest_here();
        version.is_some_and(|version| Self::session(wanted, config, version).is_some())
    }

    /// Goes on from the ClientHello that another engine has sent.
    pub(crate) fn taken_over(
        hello: &[u8],
        wanted: Wanted,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<Self, Error> {
        let body = hello.get(HEADER..).unwrap_or_default();
        let parsed = ClientHello::from_bytes(body, "ClientHello")
            .map_err(|_| Error::Misused("what is taken over is no ClientHello"))?;
        channel.transcript.add(hello);
        let mut offer = Self::of(&parsed, wanted, &config.policy);
        if let Some(data) = parsed.extensions.find(extension::SIGNATURE_ALGORITHMS) {
            offer.signature_algorithms = extension::signature_algorithms(data)?;
        }
        Ok(offer)
    }

    fn of(hello: &ClientHello<'_>, wanted: Wanted, policy: &Policy) -> Self {
        let signals = hello.suites.contains(&CipherSuite::EMPTY_RENEGOTIATION_INFO)
            || hello.extensions.has(extension::RENEGOTIATION_INFO);
        Self {
            version: hello.version,
            suites: hello.suites.clone(),
            extensions: hello.extensions.numbers().collect(),
            signature_algorithms: policy.signature_schemes.iter().map(|scheme| scheme.0).collect(),
            random: hello.random,
            session: None,
            session_id: hello.session_id.to_vec(),
            server_name: wanted.server_name,
            alpn: wanted.alpn,
            session_key: wanted.session_key,
            before: wanted.before,
            signals_renegotiation: signals,
            held_back: false,
        }
    }

    /// A session to take up again, if policy still has what it was made with.
    fn session(wanted: &Wanted, config: &ClientConfig, version: ProtocolVersion) -> Option<Arc<Session>> {
        let policy = &config.policy;
        let key = wanted.session_key.as_ref().filter(|_| policy.resume && wanted.before.is_none())?;
        let session = config.sessions.get(key, config.clock.now())?;
        let fits = session.version.rules().is_some()
            && session.version <= version
            && policy.versions.contains(&session.version)
            && policy.suites.contains(&session.suite)
            && session.server_name == wanted.server_name
            && (session.extended_master_secret
                || policy.extended_master_secret != ExtendedMasterSecret::Required)
            && (!session.extended_master_secret
                || policy.extended_master_secret != ExtendedMasterSecret::Off);
        fits.then_some(session)
    }

    fn extensions(
        wanted: &Wanted,
        policy: &Policy,
        version: ProtocolVersion,
        suites: &[CipherSuite],
    ) -> Result<Extensions<'static>, Error> {
        let mut extensions = Extensions::default();
        // An address is no host name. Spec: TLS-EXT section 3.
        let host = wanted.server_name.as_deref().filter(|name| name.parse::<core::net::IpAddr>().is_err());
        if let Some(name) = host {
            extensions.push(extension::SERVER_NAME, |w| extension::write_server_name(w, name))?;
        }
        let before: &[u8] = wanted.before.as_ref().map_or(&[], |before| before.finished.client.as_ref());
        extensions.push(extension::RENEGOTIATION_INFO, |w| {
            extension::write_renegotiated_connection(w, &[before])
        })?;
        if policy.extended_master_secret != ExtendedMasterSecret::Off {
            extensions.push(extension::EXTENDED_MASTER_SECRET, |_| Ok(()))?;
        }
        if suites.iter().any(|suite| suite.row().is_some_and(|row| row.key_exchange.is_elliptic())) {
            extensions.push(extension::SUPPORTED_GROUPS, |w| extension::write_groups(w, &policy.groups))?;
            extensions.push(extension::EC_POINT_FORMATS, extension::write_point_formats)?;
        }
        let signs_by_name =
            version.rules().is_some_and(|rules| matches!(rules.signatures, Signatures::Negotiated));
        if signs_by_name {
            let schemes = policy.signature_schemes.iter().map(|scheme| scheme.0);
            extensions.push(extension::SIGNATURE_ALGORITHMS, |w| {
                extension::write_signature_algorithms(w, schemes)
            })?;
        }
        if !wanted.alpn.is_empty() && wanted.before.is_none() {
            extensions.push(extension::ALPN, |w| extension::write_application_protocols(w, &wanted.alpn))?;
        }
        extensions.push(extension::STATUS_REQUEST, extension::write_status_request)?;
        Ok(extensions)
    }

    /// Spec: TLS12 section 7.4.1.3.
    fn server_hello(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let hello = ServerHello::from_bytes(message.body(), "ServerHello")?;
        let policy = &config.policy;
        let rules = self.check_version(&hello, policy)?;
        channel.fix_version(rules);
        self.check_listed_version(&hello)?;
        let suite = self.check_suite(&hello, policy)?;
        if !hello.chose_no_compression() {
            return Err(Misbehaved::Compression.into());
        }
        if let Some(number) = hello.extensions.duplicate() {
            return Err(Misbehaved::DuplicateExtension(number).into());
        }
        let unasked = hello.extensions.numbers().find(|number| !self.may_be_answered(*number, rules));
        if let Some(number) = unasked {
            return Err(Misbehaved::UnsolicitedExtension(number).into());
        }
        let answered = Answered::read(&hello.extensions, &self)?;
        let extended = rules.extended_master_secret.is_some() && answered.extended_master_secret;
        if !extended && policy.extended_master_secret == ExtendedMasterSecret::Required {
            return Err(Incompatible::NoExtendedMasterSecret.into());
        }
        self.before.as_ref().map_or(Ok(()), |before| before.check_binding(extended))?;
        channel.transcript.add(message.bytes());
        channel.transcript.choose((rules.transcript)(suite));
        if matches!(rules.signatures, Signatures::Md5AndSha1 { .. }) {
            channel.transcript.release();
        }
        let randoms = Randoms { client: self.random, server: hello.random };
        let is_resumed = !hello.session_id.is_empty() && *hello.session_id == *self.session_id;
        let session = self.session.take().filter(|_| is_resumed);
        // A hello of TLS 1.3 has an identifier of no session. Spec: TLS13 section 4.1.2.
        if is_resumed && session.is_none() {
            return Err(Misbehaved::IllegalParameter("the identifier of no session").into());
        }
        let agreed = Agreed {
            rules,
            suite,
            randoms,
            session_id: hello.session_id.into_owned(),
            extended_master_secret: extended,
            secure_renegotiation: answered.secure_renegotiation,
            alpn: answered.alpn,
            status_follows: answered.status_follows,
            ticket_follows: answered.ticket_follows,
            ticket: Vec::new(),
            offer: *self,
        };
        match session {
            Some(session) => agreed.resume(&session, config, channel),
            None => {
                channel.session_in_use = None;
                Ok(State::Certificate(Box::new(agreed)))
            }
        }
    }

    fn check_version(&self, hello: &ServerHello<'_>, policy: &Policy) -> Result<&'static Rules, Error> {
        let version = hello.version;
        if version > self.version {
            return Err(Misbehaved::VersionNotOffered(version.0).into());
        }
        if self.before.as_ref().is_some_and(|before| before.rules.version != version) {
            return Err(Misbehaved::VersionChanged(version.0).into());
        }
        let rules = version.rules().filter(|_| policy.versions.contains(&version));
        let rules = rules
            .ok_or_else(|| Incompatible::NoVersion { peer: version, enabled: policy.versions.clone() })?;
        // A server that has grown since the session was made has not been lowered by anybody but us.
        let highest = if self.held_back { self.version } else { policy.highest };
        // Spec: TLS13 section 4.1.3.
        let sentinel = hello.random.last_chunk::<8>();
        let lowered = match sentinel {
            Some(b"DOWNGRD\x00") => version < ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS12,
            Some(b"DOWNGRD\x01") => version <= ProtocolVersion::TLS12 && highest >= ProtocolVersion::TLS13,
            _ => false,
        };
        // The lower sentinel on TLS 1.2 itself is no less a lie to a client that has 1.3.
        let lowered = lowered || (sentinel == Some(b"DOWNGRD\x00") && highest >= ProtocolVersion::TLS13);
        if lowered { Err(Misbehaved::Downgraded.into()) } else { Ok(rules) }
    }

    /// The extension for versions names one that has it, which is none of the engine's: with TLS 1.3 the suite does not go,
    /// and anything else has no business there.
    ///
    /// Spec: TLS13 section 4.2.1.
    fn check_listed_version(&self, hello: &ServerHello<'_>) -> Result<(), Error> {
        let listed = hello.extensions.find(extension::SUPPORTED_VERSIONS);
        match listed.filter(|_| self.extensions.contains(&extension::SUPPORTED_VERSIONS)) {
            None => Ok(()),
            Some(version) if version == ProtocolVersion::TLS13.0.to_be_bytes() => {
                Err(Misbehaved::SuiteNotOffered(hello.suite).into())
            }
            Some(_) => Err(Misbehaved::IllegalParameter("a version that is not said like this").into()),
        }
    }

    fn check_suite(&self, hello: &ServerHello<'_>, policy: &Policy) -> Result<&'static SuiteRow, Error> {
        let suite = hello.suite;
        let offered = self.suites.contains(&suite) && policy.suites.contains(&suite);
        let row = suite.row().filter(|row| offered && row.is_legal_in(hello.version));
        row.ok_or_else(|| Misbehaved::SuiteNotOffered(suite).into())
    }

    /// Spec: TLS12 section 7.4.1.4; RENEG section 3.4.
    fn may_be_answered(&self, number: u16, rules: &Rules) -> bool {
        match number {
            extension::RENEGOTIATION_INFO => self.signals_renegotiation,
            // "Servers MUST NOT send this extension." Spec: TLS12 section 7.4.1.4.1.
            extension::SIGNATURE_ALGORITHMS => false,
            // Nor are those of TLS 1.3, which another engine's hello offers, its business. Spec: TLS13 section 4.2.
            extension::KEY_SHARE | extension::PRE_SHARED_KEY | extension::PSK_KEY_EXCHANGE_MODES => false,
            _ => rules.has_extensions && self.extensions.contains(&number),
        }
    }
}

/// What the extensions of a ServerHello say.
struct Answered {
    extended_master_secret: bool,
    secure_renegotiation: bool,
    alpn: Option<Vec<u8>>,
    status_follows: bool,
    ticket_follows: bool,
}

impl Answered {
    fn read(extensions: &Extensions<'_>, offer: &Offer) -> Result<Self, Error> {
        for (number, field) in [
            (extension::EXTENDED_MASTER_SECRET, "extended_master_secret"),
            (extension::SERVER_NAME, "server_name"),
            (extension::STATUS_REQUEST, "status_request"),
            (extension::SESSION_TICKET, "session_ticket"),
        ] {
            extensions.find(number).map_or(Ok(()), |data| extension::nothing(data, field))?;
        }
        if let Some(data) = extensions.find(extension::EC_POINT_FORMATS)
            && !extension::has_uncompressed_points(data)?
        {
            return Err(Misbehaved::IllegalParameter("no uncompressed points").into());
        }
        let alpn = match extensions.find(extension::ALPN).map(extension::application_protocols).transpose()? {
            None => None,
            Some(names) => match <[Vec<u8>; 1]>::try_from(names) {
                Ok([name]) if offer.alpn.contains(&name) => Some(name),
                _ => {
                    return Err(
                        Misbehaved::IllegalParameter("an application protocol that was not offered").into()
                    );
                }
            },
        };
        Ok(Self {
            extended_master_secret: extensions.has(extension::EXTENDED_MASTER_SECRET),
            secure_renegotiation: Self::renegotiation(extensions, offer)?,
            alpn,
            status_follows: extensions.has(extension::STATUS_REQUEST),
            ticket_follows: extensions.has(extension::SESSION_TICKET),
        })
    }

    /// Spec: RENEG sections 3.4 and 3.5.
    fn renegotiation(extensions: &Extensions<'_>, offer: &Offer) -> Result<bool, Error> {
        let info = extensions.find(extension::RENEGOTIATION_INFO);
        let info = info.map(extension::renegotiated_connection).transpose()?;
        let expected = match &offer.before {
            None => Vec::new(),
            Some(Before { finished, .. }) if finished.secure => {
                [finished.client.as_ref(), finished.server.as_ref()].concat()
            }
            // What was not bound in the first place cannot be bound now.
            Some(_) => {
                return if info.is_none() { Ok(false) } else { Err(Misbehaved::RenegotiationInfo.into()) };
            }
        };
        match info {
            Some(info) if crypto::constant_time::ct_eq(info, &expected) => Ok(true),
            None if offer.before.is_none() => Ok(false),
            _ => Err(Misbehaved::RenegotiationInfo.into()),
        }
    }
}

/// What both hellos agreed on.
pub(crate) struct Agreed {
    offer: Offer,
    rules: &'static Rules,
    suite: &'static SuiteRow,
    randoms: Randoms,
    session_id: Vec<u8>,
    extended_master_secret: bool,
    secure_renegotiation: bool,
    alpn: Option<Vec<u8>>,
    status_follows: bool,
    ticket_follows: bool,
    /// The ticket, once it has come.
    ticket: Vec<u8>,
}

impl Agreed {
    /// The server takes up the session that was offered.
    ///
    /// Spec: TLS12 section 7.3; EMS section 5.3.
    fn resume(self, session: &Session, config: &ClientConfig, channel: &mut Channel) -> Result<State, Error> {
        let differs = |what| Err(Misbehaved::ResumedDifferently(what).into());
        if session.version != self.rules.version {
            return differs("version");
        }
        if session.suite != self.suite.suite {
            return differs("cipher suite");
        }
        if session.extended_master_secret != self.extended_master_secret {
            let was_bound = session.extended_master_secret;
            return Err(Misbehaved::ResumedBinding { was_bound }.into());
        }
        let server_name = self.offer.server_name.as_deref();
        let shown =
            PeerCertificate { chain: &session.peer_chain, server_name, ocsp_response: &[], resumed: true };
        config.verifier.verify(&shown).map_err(Error::Certificate)?;
        channel.transcript.release();
        let keys = ConnectionKeys::derive(self.rules, self.suite, &session.master_secret, &self.randoms);
        Ok(State::ChangeCipherSpec(Box::new(Keyed {
            master_secret: session.master_secret.clone(),
            peer_chain: session.peer_chain.clone(),
            ocsp_response: Vec::new(),
            identity: None,
            strength: None,
            keys,
            resumed: true,
            own: None,
            agreed: self,
        })))
    }

    /// Spec: TLS12 section 7.4.2.
    fn certificate(self: Box<Self>, message: &Message, channel: &mut Channel) -> Result<State, Error> {
        let chain = Certificate::from_bytes(message.body(), "Certificate")?.chain.into_owned();
        let leaf = chain.first().ok_or(Misbehaved::NoServerCertificate)?;
        let key = public_key(leaf).map_err(|_| Misbehaved::UnreadableCertificate)?;
        let fits = match self.suite.key_exchange {
            KeyExchange::Rsa
            | KeyExchange::RsaExport { .. }
            | KeyExchange::DheRsa
            | KeyExchange::EcdheRsa => {
                matches!(key, PublicKey::Rsa(_))
            }
            KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => matches!(key, PublicKey::Dsa(_)),
            KeyExchange::EcdheEcdsa => matches!(key, PublicKey::Ecdsa(_) | PublicKey::Ed25519(_)),
        };
        if !fits {
            return Err(Misbehaved::WrongCertificateType.into());
        }
        // An RSA key decrypts with one suite and signs with another, and servers have one certificate for both, whatever it
        // says; the others do nothing but sign. Spec: TLS12 section 7.4.2; ECC section 5.3.
        if !matches!(key, PublicKey::Rsa(_)) && forbids_signing(leaf) {
            return Err(Misbehaved::KeyMayNotSign.into());
        }
        channel.transcript.add(message.bytes());
        let status = if self.status_follows { Status::MayCome } else { Status::Absent };
        Ok(State::ServerKeyExchange(Box::new(Shown { agreed: *self, chain, key, status })))
    }
}

/// Whether there is a stapled OCSP response.
enum Status {
    Absent,
    MayCome,
    Came(Vec<u8>),
}

/// The server has shown its certificate; nothing is known of its worth yet.
pub(crate) struct Shown {
    agreed: Agreed,
    chain: Vec<Vec<u8>>,
    key: PublicKey,
    status: Status,
}

impl Shown {
    const fn awaits_status(&self) -> bool {
        matches!(self.status, Status::MayCome)
    }

    /// Spec: TLS-EXT section 8.
    fn certificate_status(
        mut self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let status = CertificateStatus::from_bytes(message.body(), "CertificateStatus")?;
        self.status = Status::Came(status.ocsp_response.into_owned());
        channel.transcript.add(message.bytes());
        Ok(State::ServerKeyExchange(self))
    }

    /// Has the chain judged.
    fn judge(self, config: &ClientConfig, share: ServerShare) -> Result<Box<Shared>, Error> {
        let Self { agreed, chain, status, .. } = self;
        let ocsp_response = match status {
            Status::Came(response) => response,
            Status::Absent | Status::MayCome => Vec::new(),
        };
        agreed.offer.before.as_ref().map_or(Ok(()), |before| before.check_peer(&chain))?;
        let server_name = agreed.offer.server_name.as_deref();
        let shown =
            PeerCertificate { chain: &chain, server_name, ocsp_response: &ocsp_response, resumed: false };
        config.verifier.verify(&shown).map_err(Error::Certificate)?;
        Ok(Box::new(Shared { agreed, chain, ocsp_response, share }))
    }

    /// The key exchange that the certificate's key is enough for.
    fn without_key_exchange(self: Box<Self>, config: &ClientConfig) -> Result<Box<Shared>, Error> {
        let key_exchange = self.agreed.suite.key_exchange;
        let PublicKey::Rsa(key) = &self.key else { return Err(Misbehaved::MissingServerKeyExchange.into()) };
        if key_exchange.is_ephemeral() {
            return Err(Misbehaved::MissingServerKeyExchange.into());
        }
        // A certificate whose key is too long for an export suite needs a shorter one beside it.
        key_exchange::check_export_key(key_exchange, key.bits())
            .map_err(|_| Misbehaved::MissingServerKeyExchange)?;
        let share = ServerShare::Rsa(key.clone());
        self.judge(config, share)
    }

    /// Spec: TLS12 section 7.4.3; ECC section 5.4.
    fn server_key_exchange(
        self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Agreed { suite, rules, randoms, offer, .. } = &self.agreed;
        // A short key where none was agreed on is an attack (FREAK), and where the certificate's is short enough it is "not
        // legal" to send another. Spec: TLS10 section 7.4.3.
        let is_short = || key_exchange::check_export_key(suite.key_exchange, self.key.bits()).is_ok();
        if suite.key_exchange.is_rsa() && is_short() {
            return Err(Misbehaved::UnexpectedServerKeyExchange.into());
        }
        let body = message.body();
        let mut reader = Reader::new(body);
        let params = ServerParams::decode(suite.key_exchange, &mut reader)?;
        let signed = body.get(..body.len() - reader.remaining()).unwrap_or_default();
        let content = [&randoms.client, &randoms.server, signed];
        let whole;
        let content = match rules.signatures {
            Signatures::Md5AndSha1 { .. } => Content::md5_and_sha1(&content),
            Signatures::Negotiated => {
                let scheme = reader.u16("ServerKeyExchange.algorithm")?;
                if !offer.signature_algorithms.contains(&scheme) {
                    return Err(Misbehaved::SignatureNotOffered(scheme).into());
                }
                whole = content.concat();
                Content::Message(SignatureScheme(scheme), &whole)
            }
        };
        let signature = reader.opaque_u16("ServerKeyExchange.signature")?;
        reader.finish("ServerKeyExchange")?;
        signature::verify(&self.key, &content, signature, "ServerKeyExchange")?;
        let share = ServerShare::check(&params, suite.key_exchange, &config.policy)?;
        channel.transcript.add(message.bytes());
        Ok(State::CertificateRequest(self.judge(config, share)?))
    }
}

/// The server's half of the key exchange is known, and its certificate accepted.
pub(crate) struct Shared {
    agreed: Agreed,
    chain: Vec<Vec<u8>>,
    ocsp_response: Vec<u8>,
    share: ServerShare,
}

impl Shared {
    fn without_request(self: Box<Self>) -> Box<Asked> {
        Box::new(Asked { shared: *self, request: None })
    }

    /// Spec: TLS12 section 7.4.4.
    fn certificate_request(
        self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let has_algorithms = matches!(self.agreed.rules.signatures, Signatures::Negotiated);
        let mut reader = Reader::new(message.body());
        let request = CertificateRequest::decode(&mut reader, has_algorithms)?;
        reader.finish("CertificateRequest")?;
        channel.transcript.add(message.bytes());
        Ok(State::ServerHelloDone(Box::new(Asked { shared: *self, request: Some(request) })))
    }
}

/// Whether the server wants a certificate is known.
pub(crate) struct Asked {
    shared: Shared,
    request: Option<CertificateRequest>,
}

/// ClientCertificateType. Spec: TLS12 section 7.4.4; ECC section 5.5.
pub(crate) const RSA_SIGN: u8 = 1;
pub(crate) const DSS_SIGN: u8 = 2;
pub(crate) const ECDSA_SIGN: u8 = 64;

impl Asked {
    /// Spec: TLS12 section 7.4.5.
    fn server_hello_done(
        self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        Reader::new(message.body()).finish("ServerHelloDone")?;
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
        let Some(request) = &self.request else {
            channel.transcript.release();
            return self.reply(None, config, channel);
        };
        if config.ask_for_certificate {
            return Ok(State::Identity(self));
        }
        let fits = |identity: &&Arc<Identity>| self.fits(identity, request, &config.policy);
        let identity = config.identities.iter().find(fits).cloned();
        self.reply(identity, config, channel)
    }

    /// The handshake leaves nothing to take up again.
    pub(crate) fn keep_no_session(&mut self) {
        self.shared.agreed.offer.session_key = None;
    }

    /// What the application is asked.
    pub(crate) fn question(&self) -> CertificateRequested {
        let request = self.request.clone().unwrap_or_default();
        CertificateRequested {
            authorities: request.authorities,
            certificate_types: request.certificate_types,
            signature_schemes: request.signature_algorithms.unwrap_or_default(),
        }
    }

    /// Whether the server would accept a certificate of this kind, by its own account.
    fn fits(&self, identity: &Identity, request: &CertificateRequest, policy: &Policy) -> bool {
        let kind = match identity.key().public_key() {
            PublicKey::Rsa(_) => RSA_SIGN,
            PublicKey::Dsa(_) => DSS_SIGN,
            PublicKey::Ecdsa(_) => ECDSA_SIGN,
            _ => return false,
        };
        let issued = request.authorities.is_empty()
            || identity.chain().iter().any(|certificate| {
                issuer(certificate).is_ok_and(|name| request.authorities.iter().any(|a| a == name))
            });
        let can_sign = match self.shared.agreed.rules.signatures {
            Signatures::Md5AndSha1 { .. } => true,
            Signatures::Negotiated => {
                SignatureScheme::choose(policy, request.signature_algorithms.as_deref(), identity.key())
                    .is_ok()
            }
        };
        request.certificate_types.contains(&kind) && issued && can_sign
    }

    /// The client's flight: [Certificate], ClientKeyExchange, [CertificateVerify], ChangeCipherSpec, Finished.
    pub(crate) fn reply(
        self: Box<Self>,
        identity: Option<Arc<Identity>>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Self { shared, request } = *self;
        let Shared { agreed, chain, ocsp_response, share } = shared;
        let (rules, suite) = (agreed.rules, agreed.suite);
        if request.is_some() {
            send_certificate(identity.as_deref(), rules, channel)?;
        }
        let random = config.random.as_ref();
        let (body, premaster) =
            key_exchange::client_key_exchange(&share, agreed.offer.version, rules, random)?;
        channel.send(H::CLIENT_KEY_EXCHANGE, |writer| {
            writer.bytes(&body);
            Ok(())
        })?;
        let master_secret = match rules.extended_master_secret.filter(|_| agreed.extended_master_secret) {
            Some(bound) => bound(suite, &premaster, channel.transcript.digest().as_ref()),
            None => (rules.master_secret)(suite, &premaster, &agreed.randoms),
        };
        if let (Some(identity), Some(request)) = (&identity, &request) {
            let signer = Signer { rules, master_secret: &master_secret, peer: request, config };
            signer.certificate_verify(identity, channel)?;
        }
        channel.transcript.release();
        let keys = ConnectionKeys::derive(rules, suite, &master_secret, &agreed.randoms);
        let mut keyed = Keyed {
            strength: Some(share.strength()),
            agreed,
            master_secret,
            peer_chain: chain,
            ocsp_response,
            identity,
            keys,
            resumed: false,
            own: None,
        };
        keyed.send_finished(config, channel)?;
        Ok(State::ChangeCipherSpec(Box::new(keyed)))
    }
}

/// A chain, or the version's way of saying that there is none.
fn send_certificate(identity: Option<&Identity>, rules: &Rules, channel: &mut Channel) -> Result<(), Error> {
    let chain: &[Vec<u8>] = identity.map_or(&[], Identity::chain);
    if chain.is_empty() && rules.no_certificate == NoCertificate::Alert {
        return channel.warn(AlertDescription::NO_CERTIFICATE);
    }
    channel.send(H::CERTIFICATE, |writer| Ok(Certificate { chain: chain.into() }.encode(writer)?))
}

/// What a CertificateVerify is made from.
struct Signer<'a> {
    rules: &'static Rules,
    master_secret: &'a MasterSecret,
    peer: &'a CertificateRequest,
    config: &'a ClientConfig,
}

impl Signer<'_> {
    /// Spec: TLS12 section 7.4.8; TLS10 section 7.4.8; SSL30 section 5.6.8.
    fn certificate_verify(&self, identity: &Identity, channel: &mut Channel) -> Result<(), Error> {
        let random = self.config.random.as_ref();
        let mut named = None;
        let content = match self.rules.signatures {
            Signatures::Md5AndSha1 { of_transcript } => {
                Content::Md5AndSha1(of_transcript(&channel.transcript, self.master_secret))
            }
            Signatures::Negotiated => {
                let offered = self.peer.signature_algorithms.as_deref();
                let scheme = SignatureScheme::choose(&self.config.policy, offered, identity.key())?;
                named = Some(scheme);
                Content::Message(scheme, channel.transcript.messages())
            }
        };
        let signature = signature::sign(identity.key(), &content, random)?;
        channel.send(H::CERTIFICATE_VERIFY, |writer| {
            if let Some(scheme) = named {
                writer.u16(scheme.0);
            }
            Ok(writer.opaque_u16("CertificateVerify.signature", &signature)?)
        })
    }
}

/// The keys are known.
pub(crate) struct Keyed {
    agreed: Agreed,
    master_secret: MasterSecret,
    peer_chain: Vec<Vec<u8>>,
    ocsp_response: Vec<u8>,
    identity: Option<Arc<Identity>>,
    strength: Option<KeyExchangeStrength>,
    keys: ConnectionKeys,
    resumed: bool,
    /// What our own Finished held, once it was sent.
    own: Option<crate::tls::versions::VerifyData>,
}

impl Keyed {
    const fn may_get_ticket(&self) -> bool {
        self.agreed.ticket_follows
    }

    /// An empty ticket is none: the server has changed its mind.
    ///
    /// Spec: TICKET section 3.3.
    fn new_session_ticket(
        mut self: Box<Self>,
        message: &Message,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let ticket = NewSessionTicket::from_bytes(message.body(), "NewSessionTicket")?.ticket.into_owned();
        if ticket.len() <= LONGEST_TICKET {
            self.agreed.ticket = ticket;
        }
        channel.transcript.add(message.bytes());
        self.agreed.ticket_follows = false;
        Ok(State::ChangeCipherSpec(self))
    }

    fn send_finished(&mut self, config: &ClientConfig, channel: &mut Channel) -> Result<(), Error> {
        let Agreed { rules, suite, .. } = &self.agreed;
        let keys = self.keys.client.for_records(rules, suite, &config.policy);
        let sealer = Sealer::new(&keys, Arc::clone(&config.random))?;
        let verify_data =
            (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Client);
        channel.change_sealer(sealer)?;
        channel.send(H::FINISHED, |writer| {
            writer.bytes(verify_data.as_ref());
            Ok(())
        })?;
        self.own = Some(verify_data);
        channel.flush()
    }

    /// Spec: TLS12 section 7.1.
    fn change_cipher_spec(
        self: Box<Self>,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Agreed { rules, suite, ticket_follows, .. } = &self.agreed;
        // A server that said that a ticket follows may have changed its mind only by an empty one.
        if *ticket_follows {
            return Err(
                Misbehaved::UnexpectedRecord { content_type: 20, expected: "NewSessionTicket" }.into()
            );
        }
        let keys = self.keys.server.for_records(rules, suite, &config.policy);
        channel.change_opener(Opener::new(&keys)?);
        Ok(State::Finished(self))
    }

    /// Spec: TLS12 section 7.4.9.
    fn finished(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let Agreed { rules, suite, .. } = &self.agreed;
        let expected = (rules.verify_data)(suite, &self.master_secret, &channel.transcript, Sender::Server);
        if message.body().len() != expected.as_ref().len() {
            return Err(wire::DecodeError::illegal("Finished.verify_data").into());
        }
        if !crypto::constant_time::ct_eq(message.body(), expected.as_ref()) {
            return Err(Misbehaved::BadFinished.into());
        }
        channel.expect_end_of_flight()?;
        channel.transcript.add(message.bytes());
        if self.resumed {
            self.send_finished(config, channel)?;
        }
        let own = self.own.ok_or(Error::Internal("Finished was not sent"))?;
        let finished = Previous { client: own, server: expected, secure: self.agreed.secure_renegotiation };
        Ok(State::Complete(Box::new(self.complete(finished, config))))
    }

    fn complete(self, finished: Previous, config: &ClientConfig) -> Negotiated {
        let agreed = self.agreed;
        let offer = agreed.offer;
        // After a session that the server has outgrown the next hello says all that we have.
        let sentinel = agreed.randoms.server.last_chunk::<8>();
        let outgrown = offer.held_back && matches!(sentinel, Some(b"DOWNGRD\x00" | b"DOWNGRD\x01"));
        let may_keep = config.policy.resume && (outgrown || !self.resumed);
        if let Some(key) = offer.session_key.as_ref().filter(|_| may_keep) {
            if outgrown || (agreed.session_id.is_empty() && agreed.ticket.is_empty()) {
                config.sessions.remove(key);
            } else {
                let session = Session {
                    id: agreed.session_id.clone(),
                    ticket: agreed.ticket,
                    version: agreed.rules.version,
                    suite: agreed.suite.suite,
                    master_secret: self.master_secret.clone(),
                    extended_master_secret: agreed.extended_master_secret,
                    peer_chain: self.peer_chain.clone(),
                    server_name: offer.server_name.clone(),
                    created: config.clock.now(),
                    pct1: None,
                };
                config.sessions.put(key, Arc::new(session));
            }
        }
        Negotiated {
            is_client: true,
            version: agreed.rules.version,
            hello_version: offer.version,
            suite: agreed.suite,
            strength: self.strength,
            alpn: offer.before.map_or(agreed.alpn, |before| before.alpn),
            server_name: offer.server_name,
            peer_chain: self.peer_chain,
            ocsp_response: self.ocsp_response,
            identity: self.identity,
            resumed: self.resumed,
            session_id: agreed.session_id,
            session_key: offer.session_key,
            extended_master_secret: agreed.extended_master_secret,
            sessions: Arc::clone(&config.sessions),
            finished,
            rules: Some(agreed.rules),
            pct1: None,
            master_secret: self.master_secret,
            randoms: agreed.randoms,
        }
    }
}
