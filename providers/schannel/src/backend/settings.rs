//! What a configuration says, read and checked: the base of every handshake of a credential, whichever engine runs it.

use std::sync::{Arc, OnceLock};

use rustls_pki_types::ServerName;
use sspi_core::{Error, Fault, SecStatus, SpProt};

use super::{ComingBack, Identity, OwnTicketKeys};
use crate::account_mapping::Mapper;
use crate::certificate::harmless;
use crate::certificate::verifier::VerifyPolicy;
use crate::config::{ClientAuth, Protocol};
use crate::environment::Environment;
use crate::policy::Policy;
use crate::session_cache::CredentialSessions;

/// What a configuration says, read and checked.
pub(crate) struct Settings {
    pub(crate) is_server: bool,
    pub(crate) policy: Policy,
    pub(crate) identities: Vec<Identity>,
    pub(crate) ask_for_client_certificate: bool,
    pub(crate) client_auth: ClientAuth,
    pub(crate) renegotiation_client_auth: ClientAuth,
    pub(crate) send_ca_list: bool,
    pub(crate) verify: VerifyPolicy,
    /// How clients' certificates are mapped to accounts, if they are.
    pub(crate) mapper: Option<Arc<Mapper>>,
    pub(crate) alpn: Vec<Vec<u8>>,
    /// Whether a client takes an application protocol that it did not offer.
    pub(crate) unoffered_alpn: bool,
    pub(crate) resume: bool,
    pub(crate) session_tickets: bool,
    pub(crate) ticket_keys: OwnTicketKeys,
    pub(crate) session_cache_entries: usize,
    pub(crate) sessions: Arc<CredentialSessions>,
    pub(crate) coming_back: ComingBack,
    pub(crate) key_log: Option<String>,
    pub(crate) environment: Environment,
}

impl Settings {
    /// The protocols of `among` that rustls can run.
    pub(crate) fn rustls_protocols(&self, among: SpProt) -> impl Iterator<Item = Protocol> {
        let is_there = !self.is_server || self.identities.iter().any(|identity| identity.rustls().is_some());
        self.policy.rustls_protocols(among).filter(move |_| is_there)
    }

    /// The protocols of `among` that the engine is there for.
    pub(crate) fn legacy_protocols(&self, among: SpProt) -> impl Iterator<Item = Protocol> {
        let is_there = !self.is_server || self.identities.iter().any(|identity| identity.legacy().is_some());
        self.policy.legacy_protocols(among).filter(move |_| is_there)
    }

    /// The protocols of `among` that a server answers a hello in, or a client writes one for, that has the format of SSL 2.0
    /// or is one of PCT.
    pub(crate) fn protocols_of_old_hellos(&self, among: SpProt) -> Vec<Protocol> {
        let has = |protocol: &Protocol| protocol.is_older_than_ssl3() || self.policy.v2_hello;
        self.legacy_protocols(among).filter(has).collect()
    }

    /// The suites that a client offers in rustls's hello for the engine to run; none where it is not there.
    pub(crate) fn legacy_suites(&self, among: SpProt) -> Vec<u16> {
        if self.legacy_protocols(among).next().is_none() {
            return Vec::new();
        }
        let suites = self.policy.suites.iter().filter(|suite| suite.rustls().is_none());
        let suites = suites.filter(|suite| {
            !Protocol::ALL.iter().any(|old| old.is_older_than_ssl3() && suite.is_legal_in(*old))
        });
        suites.map(|suite| suite.code()).collect()
    }

    /// The protocols that can be spoken, as bits, both roles.
    pub(crate) fn protocol_bits(&self) -> SpProt {
        let all = SpProt(u32::MAX);
        let both = self.rustls_protocols(all).chain(self.legacy_protocols(all));
        both.fold(SpProt::NONE, |bits, protocol| bits.union(protocol.bits()))
    }

    /// The highest version of `among` that either engine has.
    pub(crate) fn highest(&self, among: SpProt) -> u16 {
        let both = self.rustls_protocols(among).chain(self.legacy_protocols(among));
        both.map(Protocol::engine).max().map_or(0, |version| version.0)
    }

    /// Whether sessions are kept.
    pub(crate) fn keeps_sessions(&self) -> bool {
        self.resume && self.session_cache_entries > 0 && self.sessions.lifetime() > 0
    }

    /// Writes a line to the key log where one is configured.
    pub(crate) fn log_key(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Some(reference) = &self.key_log {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
            self.environment.materials.key_log(reference, &line);
        }
    }
}

/// No protocol is left for a handshake.
pub(crate) fn no_protocol() -> Error {
    Error::new(
        SecStatus::SEC_E_ALGORITHM_MISMATCH,
        Fault::Configuration,
        "no protocol is left that is enabled, asked for, and has a suite and a key",
    )
    .with_setting("protocols")
}

/// How the peer's certificate is asked for and judged in one handshake.
#[derive(Clone, Copy, Default)]
pub(crate) struct Verification {
    /// Ask a client for one, even where the configuration does not (`ASC_REQ_MUTUAL_AUTH`).
    pub(crate) mutual: bool,
    /// The judgement is left to the application.
    pub(crate) manual: bool,
}

/// Whom a client wants to reach.
pub(crate) type Target = ServerName<'static>;

/// What one client's handshake is asked to do.
#[derive(Clone)]
pub(crate) struct ClientParameters {
    /// `None`: there is no name, and none is needed.
    pub(crate) target: Option<Target>,
    pub(crate) protocols: SpProt,
    pub(crate) alpn: Option<Vec<Vec<u8>>>,
    /// The application judges the certificate itself.
    pub(crate) manual: bool,
    /// A second attempt, with less than there is.
    pub(crate) is_fallback: bool,
    pub(crate) extended_errors: bool,
}

/// What one server's handshake is asked to do.
#[derive(Clone)]
pub(crate) struct ServerParameters {
    pub(crate) protocols: SpProt,
    pub(crate) alpn: Option<Vec<Vec<u8>>>,
    pub(crate) verification: Verification,
    pub(crate) extended_errors: bool,
}

/// An application protocol's name has 1 to 255 bytes. Spec: ALPN section 3.1.
pub(crate) fn check_alpn(name: &[u8]) -> Result<(), Error> {
    if (1..=255).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::new(
        SecStatus::SEC_E_INVALID_PARAMETER,
        Fault::Configuration,
        format!("an application protocol has 1 to 255 bytes, not {}", name.len()),
    )
    .with_setting("alpn"))
}

impl Settings {
    /// The name or address that a target stands for: the host of a service principal name, brackets and final dot removed.
    /// Without a target there must be no need for one.
    pub(crate) fn target(&self, target: Option<&str>, manual: bool) -> Result<Option<Target>, Error> {
        let Some(target) = target else {
            if manual || !self.verify.pins.is_empty() {
                return Ok(None);
            }
            return Err(Error::new(
                SecStatus::SEC_E_TARGET_UNKNOWN,
                Fault::ApiMisuse,
                "there is no target name to check the server's certificate against",
            )
            .with_setting("pins"));
        };
        let host = target.split_once('/').map_or(target, |(_service, host)| host);
        let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let host = host.strip_suffix('.').unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| {
            Error::new(
                SecStatus::SEC_E_TARGET_UNKNOWN,
                Fault::ApiMisuse,
                format!("the target {:?} is neither a host name nor an address", harmless(target)),
            )
            .with_source(error)
        })?;
        Ok(Some(name))
    }
}

/// One configuration per set of protocols and way of verification, made when it is first needed. Each has sessions of its
/// own: one that the application judged is never taken up where this package judges.
pub(crate) struct Variants<C>([OnceLock<Arc<C>>; VARIANTS]);

/// One for each set of protocols, and each way to judge certificates.
const VARIANTS: usize = 4 << Protocol::ALL.len();

impl<C> Variants<C> {
    pub(crate) const fn new() -> Self {
        Self([const { OnceLock::new() }; VARIANTS])
    }

    pub(crate) fn get(
        &self,
        protocols: SpProt,
        verification: Verification,
        make: impl FnOnce() -> Result<C, Error>,
    ) -> Result<Arc<C>, Error> {
        let bit = |set, number: usize| if set { 1 << number } else { 0 };
        let has = |protocol: Protocol| !protocol.bits().intersection(protocols).is_empty();
        let of_protocols =
            Protocol::ALL.iter().enumerate().fold(0, |index, (n, protocol)| index | bit(has(*protocol), n));
        let behind = Protocol::ALL.len();
        let index = of_protocols | bit(verification.manual, behind) | bit(verification.mutual, behind + 1);
        let Some(slot) = self.0.get(index) else { return make().map(Arc::new) };
        if let Some(made) = slot.get() {
            return Ok(Arc::clone(made));
        }
        // Two threads may make it at once; the first one's is kept, so that sessions are shared.
        let made = Arc::new(make()?);
        Ok(Arc::clone(slot.get_or_init(|| made)))
    }
}
