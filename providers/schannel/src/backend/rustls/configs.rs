//! Configurations of rustls, from what was read of ours.

use std::sync::{Arc, OnceLock};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, ResolvesClientCert, Resumption, Tls12ClientSessionValue,
    Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, KeyLog, NamedGroup, ServerConfig, SignatureScheme, SupportedProtocolVersion};
use sspi_core::{CertificateIdentity, Clock, Error, Fault, SecStatus, SpProt};

use super::key_schedule;
use super::observed;
use super::verify;
use crate::certificate;
use crate::certificate::summary::CertificateSummary;
use crate::certificate::verifier::VerifyPolicy;
use crate::cipher_suites::SuiteRow;
use crate::config::{ClientAuth, Protocol};
use crate::environment::Environment;

/// What a configuration says, read and checked: the base of every handshake of a credential.
pub(crate) struct Settings {
    pub(crate) protocols: Vec<Protocol>,
    /// In order of preference; never empty.
    pub(crate) suites: Vec<&'static SuiteRow>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) ask_for_client_certificate: bool,
    pub(crate) client_auth: ClientAuth,
    pub(crate) send_ca_list: bool,
    pub(crate) verify: VerifyPolicy,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) resume: bool,
    pub(crate) session_tickets: bool,
    pub(crate) session_cache_entries: usize,
    pub(crate) key_log: Option<String>,
    pub(crate) environment: Environment,
}

/// A certificate of ours with its key, ready to sign.
pub(crate) struct Identity {
    key: Arc<CertifiedKey>,
    /// DNS names of the leaf, in lower case.
    names: Vec<String>,
    /// The issuers of the chain's certificates, each a DER name.
    issuers: Vec<Vec<u8>>,
}

impl Identity {
    /// Reads a chain (leaf first) and its key; the root at its end stays only where it is wanted.
    pub(crate) fn new(
        mut chain: Vec<Vec<u8>>,
        key: PrivateKeyDer<'static>,
        ocsp: Option<Vec<u8>>,
        send_root: bool,
    ) -> Result<Self, Error> {
        let unusable = |what: String| {
            Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, what)
                .with_setting("certificates")
        };
        if !send_root && chain.len() > 1 && chain.last().is_some_and(|last| certificate::is_self_issued(last))
        {
            chain.pop();
        }
        let leaf = chain.first().ok_or_else(|| unusable("the certificate chain is empty".to_owned()))?;
        let summary = CertificateSummary::from_der(leaf)
            .map_err(|error| unusable(format!("the certificate cannot be read: {error}")))?;
        let issuers = chain.iter().filter_map(|c| certificate::issuer_der(c).map(<[u8]>::to_vec)).collect();
        let signing_key = provider(&[])
            .key_provider
            .load_private_key(key)
            .map_err(|error| unusable(format!("the private key cannot be used: {error}")))?;
        let certificates = chain.into_iter().map(CertificateDer::from).collect();
        let mut certified = CertifiedKey::new(certificates, signing_key);
        certified.keys_match().map_err(|error| {
            unusable(format!(
                "the private key does not belong to the certificate {}: {error}",
                summary.subject
            ))
        })?;
        certified.ocsp = ocsp;
        let names = summary.dns_names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Ok(Self { key: Arc::new(certified), names, issuers })
    }

    /// From what an application hands over.
    pub(crate) fn from_application(identity: &CertificateIdentity) -> Result<Self, Error> {
        let key = PrivateKeyDer::try_from(identity.private_key.expose_secret().clone()).map_err(|_| {
            Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::Configuration,
                "the private key is neither PKCS#8 nor PKCS#1 nor SEC1",
            )
        })?;
        Self::new(identity.chain.clone(), key, None, false)
    }

    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.key)
    }

    /// The leaf in DER.
    pub(crate) fn leaf(&self) -> &[u8] {
        self.key.cert.first().map_or(&[], |c| c.as_ref())
    }

    /// Whether the leaf is for this name: itself, or one label behind a wildcard.
    fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| match own.strip_prefix("*.") {
            Some(domain) => {
                name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain)
            }
            None => own == name,
        })
    }
}

/// The provider with these suites, in this order; all of them where none is named.
fn provider(suites: &[&'static SuiteRow]) -> CryptoProvider {
    let all = key_schedule::cipher_suites();
    let cipher_suites = if suites.is_empty() {
        all.to_vec()
    } else {
        let of_row = |row: &&SuiteRow| all.iter().find(|suite| u16::from(suite.suite()) == row.code).copied();
        suites.iter().filter_map(of_row).collect()
    };
    CryptoProvider { cipher_suites, ..rustls::crypto::ring::default_provider() }
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
struct Secrets {
    key_log: Option<(Environment, String)>,
}

impl core::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secrets")
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let _outside_a_handshake = observed::with(|o| o.secret(label, client_random, secret));
        if let Some((environment, reference)) = &self.key_log {
            let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let line = format!("{label} {} {}\n", hex(client_random), hex(secret));
            environment.materials.key_log(reference, &line);
        }
    }
}

impl Settings {
    fn secrets(&self) -> Arc<Secrets> {
        let key_log = self.key_log.clone().map(|reference| (self.environment.clone(), reference));
        Arc::new(Secrets { key_log })
    }

    fn clock(&self) -> Arc<ClockAdapter> {
        Arc::new(ClockAdapter(Arc::clone(&self.environment.clock)))
    }

    /// The protocols that are enabled and have a suite, as bits, both roles.
    pub(crate) fn protocol_bits(&self) -> SpProt {
        self.usable().fold(SpProt::NONE, |bits, protocol| bits.union(protocol.bits()))
    }

    fn usable(&self) -> impl Iterator<Item = Protocol> {
        let has_suite =
            |protocol: Protocol| self.suites.iter().any(|s| s.is_tls13 == (protocol == Protocol::Tls13));
        self.protocols.iter().copied().filter(move |protocol| has_suite(*protocol))
    }

    /// rustls's versions of the protocols that are configured and in `wanted`.
    fn versions(&self, wanted: SpProt) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
        let versions: Vec<_> = self
            .usable()
            .filter(|protocol| !protocol.bits().intersection(wanted).is_empty())
            .map(|protocol| match protocol {
                Protocol::Tls13 => &rustls::version::TLS13,
                Protocol::Tls12 => &rustls::version::TLS12,
            })
            .collect();
        if versions.is_empty() {
            return Err(Error::new(
                SecStatus::SEC_E_ALGORITHM_MISMATCH,
                Fault::Configuration,
                "no protocol is left that is enabled, asked for, and has a suite",
            )
            .with_setting("protocols"));
        }
        Ok(versions)
    }
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(SecStatus::SEC_E_ALGORITHM_MISMATCH, Fault::Configuration, error.to_string())
        .with_setting("suites")
}

/// One configuration per set of protocols and way of verification, made when it is first needed.
struct Variants<C>([OnceLock<Arc<C>>; 8]);

impl<C> Variants<C> {
    const fn new() -> Self {
        Self([const { OnceLock::new() }; 8])
    }

    fn get(
        &self,
        protocols: SpProt,
        manual: bool,
        make: impl FnOnce() -> Result<C, Error>,
    ) -> Result<Arc<C>, Error> {
        let bit = |set, number: usize| if set { number } else { 0 };
        let index = bit(!protocols.intersection(SpProt::TLS1_3).is_empty(), 1)
            | bit(!protocols.intersection(SpProt::TLS1_2).is_empty(), 2)
            | bit(manual, 4);
        let Some(slot) = self.0.get(index) else { return make().map(Arc::new) };
        if let Some(made) = slot.get() {
            return Ok(Arc::clone(made));
        }
        // Two threads may make it at once; the first one's is kept, so that sessions are shared.
        let made = Arc::new(make()?);
        Ok(Arc::clone(slot.get_or_init(|| made)))
    }
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
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), manual, || {
            let settings = &self.settings;
            let provider = Arc::new(provider(&settings.suites));
            let verifier = if manual {
                verify::manual_server_verifier(&provider)
            } else {
                verify::server_verifier(&settings.verify, &provider)?
            };
            let mut config = ClientConfig::builder_with_details(provider, settings.clock())
                .with_protocol_versions(&settings.versions(protocols)?)
                .map_err(|error| unusable(&error))?
                .dangerous()
                .with_custom_certificate_verifier(verifier)
                .with_client_cert_resolver(Arc::new(ClientIdentities(Arc::clone(settings))));
            config.alpn_protocols.clone_from(&settings.alpn);
            config.enable_secret_extraction = true;
            config.key_log = settings.secrets();
            config.resumption = if settings.resume && settings.session_cache_entries > 0 {
                let store = Arc::new(Sessions(ClientSessionMemoryCache::new(settings.session_cache_entries)));
                Resumption::store(store).tls12_resumption(Tls12Resumption::SessionIdOrTickets)
            } else {
                Resumption::disabled()
            };
            Ok(config)
        })
    }
}

/// A client's sessions, but for those in which the application chose the certificate: the choice of one handshake must not
/// stand in for that of another. (TLS 1.3 tickets of such a session never get here: see `Running::establish`.)
#[derive(Debug)]
struct Sessions(ClientSessionMemoryCache);

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server_name: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(server_name, group);
    }

    fn kx_hint(&self, server_name: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(server_name)
    }

    fn set_tls12_session(&self, server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        if observed::with(|o| o.client_certificate.is_some()) != Some(true) {
            self.0.set_tls12_session(server_name, value);
        }
    }

    fn tls12_session(&self, server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(server_name)
    }

    fn remove_tls12_session(&self, server_name: &ServerName<'static>) {
        self.0.remove_tls12_session(server_name);
    }

    fn insert_tls13_ticket(&self, server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(server_name, value);
    }

    fn take_tls13_ticket(&self, server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(server_name)
    }
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

    /// The configuration for these protocols; `mutual` asks for a certificate even where the configuration does not
    /// (`ASC_REQ_MUTUAL_AUTH`).
    pub(crate) fn config(&self, protocols: SpProt, mutual: bool) -> Result<Arc<ServerConfig>, Error> {
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), mutual, || {
            let settings = &self.settings;
            let provider = Arc::new(provider(&settings.suites));
            let builder = ServerConfig::builder_with_details(Arc::clone(&provider), settings.clock())
                .with_protocol_versions(&settings.versions(protocols)?)
                .map_err(|error| unusable(&error))?;
            let mandatory = match (settings.client_auth, mutual) {
                (ClientAuth::Required, _) => Some(true),
                (ClientAuth::Optional, _) | (ClientAuth::None, true) => Some(false),
                (ClientAuth::None, false) => None,
            };
            let builder = match mandatory {
                None => builder.with_no_client_auth(),
                Some(mandatory) => builder.with_client_cert_verifier(verify::client_verifier(
                    &settings.verify,
                    &provider,
                    mandatory,
                    settings.send_ca_list,
                )?),
            };
            let mut config = builder.with_cert_resolver(Arc::new(ServerIdentities(Arc::clone(settings))));
            config.alpn_protocols.clone_from(&settings.alpn);
            config.enable_secret_extraction = true;
            config.key_log = settings.secrets();
            if settings.resume && settings.session_cache_entries > 0 {
                config.session_storage = ServerSessionMemoryCache::new(settings.session_cache_entries);
                if settings.session_tickets {
                    config.ticketer =
                        rustls::crypto::ring::Ticketer::new().map_err(|error| unusable(&error))?;
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
        let identities = &self.0.identities;
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let verifiable = |i: &&Identity| i.key.key.choose_scheme(hello.signature_schemes()).is_some();
        let named = |i: &&Identity| name.as_deref().is_some_and(|name| i.is_for(name));
        let chosen = identities
            .iter()
            .find(|i| named(i) && verifiable(i))
            .or_else(|| identities.iter().find(verifiable))
            .or_else(|| identities.first())
            .map(Identity::certified_key);
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
            i.key.key.choose_scheme(schemes).is_some()
                && (authorities.is_empty()
                    || i.issuers.iter().any(|issuer| authorities.contains(&issuer.as_slice())))
        };
        observed::with(|o| {
            let chosen = match &o.client_certificate {
                Some(answer) => answer.clone(),
                // The application decides, and it was not asked: nothing is shown.
                None if self.0.ask_for_client_certificate => None,
                None => self.0.identities.iter().find(fits).map(Identity::certified_key),
            };
            o.local.clone_from(&chosen);
            chosen
        })
        .flatten()
    }

    fn has_certs(&self) -> bool {
        self.0.ask_for_client_certificate || !self.0.identities.is_empty()
    }
}
