//! Configurations of rustls, from what was read of ours.

use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption, Tls12Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, KeyLog, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use sspi_core::{Clock, Error, Fault, SecStatus, SpProt};

use super::key_schedule;
use super::observed;
use super::older_versions::WireKey;
use super::sessions::{ClientSessions, Handles, ServerSessions, Tickets};
use super::verify::{self, Beyond};
use crate::backend::settings::no_protocol;
use crate::backend::{Identity, Settings, Variants, Verification};
use crate::certificate::verifier::Weakness;
use crate::cipher_suites::SuiteRow;
use crate::config::{ClientAuth, ExtendedMasterSecret, Protocol};
use crate::policy::Policy;
use crate::session_cache::Part;

/// A chain and its key as rustls wants them.
#[derive(Clone)]
pub(crate) struct OwnKey(Arc<CertifiedKey>);

impl OwnKey {
    /// The chain (leaf first) with its key; `subject` is whose they are.
    ///
    /// # Errors
    /// Why rustls cannot use them.
    pub(crate) fn new(
        chain: Vec<Vec<u8>>,
        key: &PrivateKeyDer<'_>,
        ocsp: Option<Vec<u8>>,
        subject: &str,
    ) -> Result<Self, String> {
        let signing_key = rustls::crypto::ring::sign::any_supported_type(key)
            .map_err(|error| format!("the private key cannot be used: {error}"))?;
        let certificates = chain.into_iter().map(CertificateDer::from).collect();
        let mut certified = CertifiedKey::new(certificates, Arc::new(WireKey(signing_key)));
        certified.keys_match().map_err(|error| {
            format!("the private key does not belong to the certificate {subject}: {error}")
        })?;
        certified.ocsp = ocsp;
        Ok(Self(Arc::new(certified)))
    }

    /// From what rustls used.
    pub(super) const fn of(key: Arc<CertifiedKey>) -> Self {
        Self(key)
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }

    /// The chain as it is sent, leaf first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.0.cert.iter().map(AsRef::as_ref)
    }

    fn can_sign(&self, schemes: &[SignatureScheme]) -> bool {
        self.0.key.choose_scheme(schemes).is_some()
    }
}

/// The provider with the suites of a policy, in its order; `offered` stand behind them, to be offered and never run.
fn provider(policy: &Policy, offered: &[u16]) -> CryptoProvider {
    let all = key_schedule::cipher_suites();
    let of_row = |row: &SuiteRow| all.iter().find(|suite| u16::from(suite.suite()) == row.code).copied();
    let own = policy.suites.iter().filter_map(|suite| suite.rustls().and_then(of_row));
    let offered = offered.iter().filter_map(|code| key_schedule::offered_suite(*code));
    CryptoProvider { cipher_suites: own.chain(offered).collect(), ..rustls::crypto::ring::default_provider() }
}

struct ClockAdapter(Arc<dyn Clock>);

impl core::fmt::Debug for ClockAdapter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ClockAdapter")
    }
}

impl TimeProvider for ClockAdapter {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.0.now().duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}

/// Hands secrets to the handshake that runs on this thread, and lines to the key log where one is configured.
struct Secrets(Arc<Settings>);

impl core::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secrets")
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let _outside_a_handshake = observed::with(|o| o.secret(label, client_random, secret));
        self.0.log_key(label, client_random, secret);
    }
}

fn clock(settings: &Settings) -> Arc<ClockAdapter> {
    Arc::new(ClockAdapter(Arc::clone(&settings.environment.clock)))
}

/// rustls's versions of the protocols that it runs for `wanted`.
fn versions(settings: &Settings, wanted: SpProt) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
    let version = |protocol: Protocol| match protocol {
        Protocol::Tls13 => Some(&rustls::version::TLS13),
        Protocol::Tls12 => Some(&rustls::version::TLS12),
        Protocol::Tls11 | Protocol::Tls10 | Protocol::Ssl30 | Protocol::Pct1 | Protocol::Ssl20 => None,
    };
    let versions: Vec<_> = settings.rustls_protocols(wanted).filter_map(version).collect();
    if versions.is_empty() { Err(no_protocol()) } else { Ok(versions) }
}

fn legacy_schemes(policy: &Policy) -> Vec<SignatureScheme> {
    policy.legacy_signatures().into_iter().map(|scheme| SignatureScheme::from(scheme.0)).collect()
}

/// Whether a certificate that was accepted may have a key of less than 2048 bits: where the past is enabled, or where a
/// configuration allows something. The default never takes one, be it pinned.
fn takes_short_keys(settings: &Settings) -> bool {
    !settings.verify.allow.is_empty() || settings.legacy_protocols(SpProt(u32::MAX)).next().is_some()
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(SecStatus::SEC_E_ALGORITHM_MISMATCH, Fault::Configuration, error.to_string())
        .with_setting("suites")
}

/// A client's configurations.
pub(crate) struct ClientConfigs {
    pub(crate) settings: Arc<Settings>,
    variants: Variants<ClientConfig>,
}

impl ClientConfigs {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, variants: Variants::new() }
    }

    /// The configuration for these protocols; `manual` leaves the judgement of the certificate to the application.
    pub(crate) fn config(&self, protocols: SpProt, manual: bool) -> Result<Arc<ClientConfig>, Error> {
        let verification = Verification { mutual: false, manual };
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), verification, || {
            let settings = &self.settings;
            let versions = versions(settings, protocols)?;
            let mut offered = settings.legacy_suites(protocols);
            // rustls gives the signal for its own TLS 1.2 alone; who leaves that to the engine owes it too.
            // Spec: RENEG section 3.4.
            if !offered.is_empty() && !versions.contains(&&rustls::version::TLS12) {
                offered.push(key_schedule::EMPTY_RENEGOTIATION_INFO);
            }
            let provider = Arc::new(provider(&settings.policy, &offered));
            let beyond = Beyond {
                schemes: if offered.is_empty() { Vec::new() } else { legacy_schemes(&settings.policy) },
                short_keys: takes_short_keys(settings),
                any_usage: settings.policy.allowed_weaknesses.contains(&Weakness::RsaKeyUsage),
            };
            let verifier = if manual {
                verify::manual_server_verifier(&provider, beyond)
            } else {
                verify::server_verifier(&settings.verify, &provider, beyond)?
            };
            let mut config = ClientConfig::builder_with_details(provider, clock(settings))
                .with_protocol_versions(&versions)
                .map_err(|error| unusable(&error))?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_client_cert_resolver(Arc::new(ClientIdentities(Arc::clone(settings))));
            config.alpn_protocols.clone_from(&settings.alpn);
            config.check_selected_alpn = !settings.unoffered_alpn;
            config.enable_secret_extraction = true;
            config.key_log = Arc::new(Secrets(Arc::clone(settings)));
            config.require_ems = settings.policy.extended_master_secret == ExtendedMasterSecret::Required;
            config.resumption = if settings.keeps_sessions() {
                let store = ClientSessions {
                    settings: Arc::clone(settings),
                    part: client_part(settings, protocols, manual),
                    manual,
                };
                Resumption::store(Arc::new(store)).tls12_resumption(Tls12Resumption::SessionIdOrTickets)
            } else {
                Resumption::disabled()
            };
            Ok(config)
        })
    }
}

/// Where the sessions of a client lie: those of each configuration for themselves.
pub(super) fn client_part(settings: &Settings, protocols: SpProt, manual: bool) -> Part {
    server_part(settings, protocols, Verification { mutual: false, manual }).of_rustls()
}

/// Where the sessions of a server lie: those of each configuration for themselves.
pub(crate) fn server_part(settings: &Settings, protocols: SpProt, verification: Verification) -> Part {
    Part::new(protocols.intersection(settings.protocol_bits()), verification)
}

/// A server's configurations.
pub(crate) struct ServerConfigs {
    pub(crate) settings: Arc<Settings>,
    variants: Variants<ServerConfig>,
}

impl ServerConfigs {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, variants: Variants::new() }
    }

    /// The configuration for these protocols, with certificates asked for and judged like this.
    pub(crate) fn config(
        &self,
        protocols: SpProt,
        verification: Verification,
    ) -> Result<Arc<ServerConfig>, Error> {
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), verification, || {
            let settings = &self.settings;
            let provider = Arc::new(provider(&settings.policy, &[]));
            let builder = ServerConfig::builder_with_details(Arc::clone(&provider), clock(settings))
                .with_protocol_versions(&versions(settings, protocols)?)
                .map_err(|error| unusable(&error))?;
            let mandatory = match (settings.client_auth, verification.mutual) {
                (ClientAuth::Required, _) => Some(true),
                (ClientAuth::Optional, _) | (ClientAuth::None, true) => Some(false),
                (ClientAuth::None, false) => None,
            };
            let beyond = Beyond { short_keys: takes_short_keys(settings), ..Beyond::default() };
            let builder = match mandatory {
                None => builder.with_no_client_auth(),
                Some(mandatory) if verification.manual => builder
                    .with_client_cert_verifier(verify::manual_client_verifier(&provider, mandatory, beyond)),
                Some(mandatory) => builder.with_client_cert_verifier(verify::client_verifier(
                    &settings.verify,
                    &provider,
                    mandatory,
                    settings.send_ca_list,
                    beyond,
                )?),
            };
            let mut config = builder.with_cert_resolver(Arc::new(ServerIdentities(Arc::clone(settings))));
            config.alpn_protocols.clone_from(&settings.alpn);
            config.enable_secret_extraction = true;
            config.key_log = Arc::new(Secrets(Arc::clone(settings)));
            config.require_ems = settings.policy.extended_master_secret == ExtendedMasterSecret::Required;
            if settings.keeps_sessions() {
                let sessions = || ServerSessions {
                    settings: Arc::clone(settings),
                    part: server_part(settings, protocols, verification),
                    manual: verification.manual,
                };
                config.session_storage = Arc::new(sessions());
                if settings.session_tickets && settings.sessions.are_shared() {
                    config.ticketer = Arc::new(Handles(sessions()));
                } else if settings.session_tickets {
                    let keys = settings.ticket_keys();
                    let keys =
                        keys.map_err(|error| crate::status::Error::InternalReport(error.to_string()))?;
                    config.ticketer = Arc::new(Tickets { keys, sessions: sessions() });
                }
            } else {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
            Ok(config)
        })
    }
}

/// Chooses a server's certificate: by the name that the client asks for, then by what it can verify.
struct ServerIdentities(Arc<Settings>);

impl core::fmt::Debug for ServerIdentities {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ServerIdentities")
    }
}

impl ResolvesServerCert for ServerIdentities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut usable = self.0.identities.iter().filter(|i| i.rustls().is_some());
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let verifiable =
            |i: &&Identity| i.rustls().is_some_and(|key| key.can_sign(hello.signature_schemes()));
        let named = |i: &&Identity| name.as_deref().is_some_and(|name| i.is_for(name));
        let chosen = usable
            .clone()
            .find(|i| named(i) && verifiable(i))
            .or_else(|| usable.clone().find(verifiable))
            .or_else(|| usable.next())
            .and_then(|identity| identity.rustls())
            .map(OwnKey::certified_key);
        let _outside_a_handshake = observed::with(|o| {
            o.server_name.clone_from(&name);
            o.local.clone_from(&chosen);
        });
        chosen
    }
}

/// Chooses a client's certificate: what the application answered, or the first configured one that fits.
struct ClientIdentities(Arc<Settings>);

impl core::fmt::Debug for ClientIdentities {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ClientIdentities")
    }
}

impl ResolvesClientCert for ClientIdentities {
    fn resolve(&self, authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |i: &&Identity| {
            i.rustls().is_some_and(|key| key.can_sign(schemes))
                && (authorities.is_empty()
                    || i.issuers().iter().any(|issuer| authorities.contains(&issuer.as_slice())))
        };
        observed::with(|o| {
            let chosen = match &o.client_certificate {
                Some(answer) => answer.clone(),
                // The application decides, and it was not asked: nothing is shown.
                None if self.0.ask_for_client_certificate => None,
                None => {
                    let fitting = self.0.identities.iter().find(fits);
                    fitting.and_then(|identity| identity.rustls()).map(OwnKey::certified_key)
                }
            };
            o.local.clone_from(&chosen);
            chosen
        })
        .flatten()
    }

    fn has_certs(&self) -> bool {
        self.0.ask_for_client_certificate || self.0.identities.iter().any(|i| i.rustls().is_some())
    }
}
