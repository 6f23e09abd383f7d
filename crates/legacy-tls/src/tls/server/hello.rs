//! The ClientHello: what it offers, and the version that answers it.

use wire::{Codec, Reader};

use super::State;
use super::choice::Choice;
use crate::config::{ClientAuth, ExtendedMasterSecret, Policy, ServerConfig};
use crate::connection::handshake::Channel as _;
use crate::detect::Offer;
use crate::error::{Error, Incompatible, Misbehaved, Refused};
use crate::renegotiation::{Before, Previous};
use crate::tls::channel::{Channel, Message};
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::extensions as extension;
use crate::tls::messages::ClientHello;
use crate::tls::versions::{ProtocolVersion, Rules, Signatures};

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
pub(super) struct Offered {
    pub(super) server_name: Option<String>,
    /// `None`: the client says nothing of curves, and then has all that there are.
    pub(super) groups: Option<Vec<u16>>,
    pub(super) point_formats: bool,
    pub(super) signature_algorithms: Option<Vec<u16>>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) extended_master_secret: bool,
    pub(super) wants_ocsp: bool,
    pub(super) secure_renegotiation: bool,
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
    pub(super) fn client_hello(
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
            // A list is all that counts, where there is one. Spec: TLS13 section 4.2.1.
            Some(listed) => {
                let known = ProtocolVersion::newest_known(&listed);
                let listed =
                    listed.into_iter().map(ProtocolVersion).filter(|version| version.rules().is_some());
                let best = Offer::of(listed).best(self.versions(&config.policy));
                let rules = best.and_then(ProtocolVersion::rules);
                rules.into_iter().for_each(|rules| channel.fix_version(rules));
                (known.unwrap_or(version), rules)
            }
            None => (version, rules),
        };
        self.answer(&Heard { hello: &hello, message: message.bytes(), version, rules }, config, channel)
    }

    /// Spec: TLS10 appendix E.
    pub(super) fn v2_hello(
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
        if hello.suites.contains(&CipherSuite::FALLBACK) && !version.has_room_for(policy.highest) {
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
            Some(named) => choice.resume(&named, channel),
            None => choice.full(channel),
        }
    }

    /// Whether the client is asked for its certificate.
    pub(super) fn client_auth(&self, config: &ServerConfig) -> ClientAuth {
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
