//! The ClientHello, and what it offers.

use std::sync::Arc;

use wire::Codec;

use crate::config::{ClientConfig, ExtendedMasterSecret, Policy};
use crate::error::Error;
use crate::renegotiation::Before;
use crate::session::Session;
use crate::tls::channel::Channel;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::messages::{ClientHello, HEADER, HandshakeType as H};
use crate::tls::versions::{ProtocolVersion, Signatures};

/// What one client's handshake offers.
pub(crate) struct Offer {
    pub(super) version: ProtocolVersion,
    pub(super) suites: Vec<CipherSuite>,
    /// The extensions that may be answered.
    pub(super) extensions: Vec<u16>,
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) random: [u8; 32],
    pub(super) session: Option<Arc<Session>>,
    /// What the hello calls the session that it offers; that of another engine's hello is none of ours.
    pub(super) session_id: Vec<u8>,
    pub(super) server_name: Option<String>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) session_key: Option<Vec<u8>>,
    pub(super) before: Option<Before>,
    pub(super) signals_renegotiation: bool,
    /// For the sake of a session it says less than we have: the session is of a version that only such a hello can name.
    pub(super) held_back: bool,
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
        let ticket = session.as_ref().map_or(&[][..], |session| &session.ticket);
        // Whoever would keep a ticket says so, even without one. Spec: TICKET section 3.2.
        if has_extensions && policy.resume && wanted.session_key.is_some() {
            extensions.push(extension::SESSION_TICKET, |writer| {
                writer.bytes(ticket);
                Ok(())
            })?;
        }
        if !ticket.is_empty() {
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
        let held_back = session.is_some() && !version.has_room_for(policy.highest) && !wanted.fallback;
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
            |suite: &&CipherSuite| suite.row().is_some_and(|row| row.is_legal_between(lowest, version));
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
        let now = config.clock.now();
        let session = config.sessions.get(key, now)?;
        let fits = session.version.rules().is_some()
            && !session.has_expired(now)
            && version.has_room_for(session.version)
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
}
