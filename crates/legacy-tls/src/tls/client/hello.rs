//! The ServerHello: what both agree on, and whether a session is taken up again.

use wire::Codec;

use super::finish::{Keyed, Resumed};
use super::{Offer, State};
use crate::certificate::PeerCertificate;
use crate::config::{ClientConfig, ExtendedMasterSecret, Policy};
use crate::error::{Error, Incompatible, Misbehaved};
use crate::renegotiation::Before;
use crate::session::Session;
use crate::tls::channel::{Channel, Message};
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::extensions::{self as extension, Extensions};
use crate::tls::keys::{ConnectionKeys, Randoms};
use crate::tls::messages::ServerHello;
use crate::tls::versions::{ProtocolVersion, Rules, Signatures, downgrade};

impl Offer {
    /// Spec: TLS12 section 7.4.1.3.
    pub(super) fn server_hello(
        mut self: Box<Self>,
        message: &Message,
        config: &ClientConfig,
        channel: &mut Channel,
    ) -> Result<State, Error> {
        let hello = ServerHello::from_bytes(message.body(), "ServerHello")?;
        let policy = &config.policy;
        let rules = self.check_version(&hello, policy);
        let rules = rules.inspect_err(|_| channel.refuse_in(hello.version))?;
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
        let answered = Answered::read(&hello.extensions, &self, policy.unoffered_alpn)?;
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
            ticket: None,
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
        if !self.version.has_room_for(version) {
            return Err(Misbehaved::VersionNotOffered(version.0).into());
        }
        if self.before.as_ref().is_some_and(|before| !before.rules.are_of(version)) {
            return Err(Misbehaved::VersionChanged(version.0).into());
        }
        let rules = version.rules().filter(|_| policy.versions.contains(&version));
        let rules = rules
            .ok_or_else(|| Incompatible::NoVersion { peer: version, enabled: policy.versions.clone() })?;
        // A server that has grown since the session was made has not been lowered by anybody but us.
        let highest = if self.held_back { self.version } else { policy.highest };
        if downgrade::is_lowered(&hello.random, version, highest) {
            return Err(Misbehaved::Downgraded.into());
        }
        Ok(rules)
    }

    /// The extension for versions names one that has it, which is none of the engine's: with TLS 1.3 the suite does not go,
    /// and anything else has no business there.
    ///
    /// Spec: TLS13 section 4.2.1.
    fn check_listed_version(&self, hello: &ServerHello<'_>) -> Result<(), Error> {
        let listed = hello.extensions.find(extension::SUPPORTED_VERSIONS);
        match listed.filter(|_| self.extensions.contains(&extension::SUPPORTED_VERSIONS)) {
            None => Ok(()),
            Some(data) if ProtocolVersion::is_said_in_extension(data) => {
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
    fn read(extensions: &Extensions<'_>, offer: &Offer, unoffered_alpn: bool) -> Result<Self, Error> {
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
                Ok([name]) if unoffered_alpn || offer.alpn.contains(&name) => Some(name),
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
    pub(super) offer: Offer,
    pub(super) rules: &'static Rules,
    pub(super) suite: &'static SuiteRow,
    pub(super) randoms: Randoms,
    pub(super) session_id: Vec<u8>,
    pub(super) extended_master_secret: bool,
    pub(super) secure_renegotiation: bool,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) status_follows: bool,
    pub(super) ticket_follows: bool,
    /// The ticket, once one has come, and when the server thinks that it has had its time.
    pub(super) ticket: Option<(Vec<u8>, Option<u64>)>,
}

impl Agreed {
    /// The server takes up the session that was offered.
    ///
    /// Spec: TLS12 section 7.3; EMS section 5.3.
    fn resume(self, session: &Session, config: &ClientConfig, channel: &mut Channel) -> Result<State, Error> {
        let differs = |what| Err(Misbehaved::ResumedDifferently(what).into());
        if !self.rules.are_of(session.version) {
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
            resumed: Some(Resumed { created: session.created, by_ticket: !session.ticket.is_empty() }),
            own: None,
            agreed: self,
        })))
    }
}
