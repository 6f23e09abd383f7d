//! Configurations of the engine, from what was read of ours.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crypto::dh::{FFDHE2048, FFDHE3072, FFDHE4096, Group, MODP_1024, MODP_1536};
use crypto::ecdh::NamedGroup;
use legacy_tls::{
    ClientConfig, Clock, ExtendedMasterSecret, Policy, ProtocolVersion, ServerConfig, SessionStore as _,
    SignatureScheme,
};
use sspi_core::{Error, SpProt};

use super::handshake::session_key;
use super::sessions::{Sessions, Tickets};
use super::verify::Judge;
use crate::backend::settings::no_protocol;
use crate::backend::{ClientParameters, Settings, Variants, Verification};
use crate::certificate::verifier::Weakness;
use crate::config::{self, ClientAuth};
use crate::session_cache::Part;

struct ClockAdapter(Arc<dyn sspi_core::Clock>);

impl Clock for ClockAdapter {
    fn now(&self) -> u64 {
        self.0.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

fn clock(settings: &Settings) -> Arc<dyn Clock> {
    Arc::new(ClockAdapter(Arc::clone(&settings.environment.clock)))
}

/// Where the sessions of a client lie: one that the application judged is never taken up where this package judges. What
/// protocol it is of is looked at when it is taken up.
pub(super) fn client_part(manual: bool) -> Part {
    Part::new(SpProt::NONE, Verification { mutual: false, manual })
}

/// Where the sessions of a server lie.
pub(super) fn server_part(settings: &Settings, protocols: SpProt, verification: Verification) -> Part {
    Part::new(protocols.intersection(settings.protocol_bits()), verification)
}

fn client_sessions(settings: &Arc<Settings>, manual: bool) -> Arc<Sessions> {
    let part = client_part(manual);
    let tickets = Tickets::None;
    Arc::new(Sessions { settings: Arc::clone(settings), part, judges_servers: !manual, tickets })
}

/// The engine's policy for a handshake in one of `protocols`.
fn policy(settings: &Settings, protocols: SpProt) -> Result<Policy, Error> {
    let own = &settings.policy;
    let version = |protocol: config::Protocol| ProtocolVersion(protocol.version());
    let versions: Vec<_> = settings.legacy_protocols(protocols).map(version).collect();
    let others = settings.rustls_protocols(protocols).map(version);
    let highest = versions.iter().copied().chain(others).max().ok_or_else(no_protocol)?;
    if versions.is_empty() {
        return Err(no_protocol());
    }
    let suites: Vec<_> = own.suites.iter().filter_map(|suite| suite.legacy()).collect();
    let signature_schemes = [SignatureScheme::STRONG, &own.legacy_signatures()].concat();
    Ok(Policy {
        versions,
        highest,
        suites: suites.iter().map(|row| row.suite).collect(),
        groups: vec![NamedGroup::X25519, NamedGroup::Secp256r1, NamedGroup::Secp384r1],
        signature_schemes,
        dh_minimum_bits: own.dh_minimum_bits,
        extended_master_secret: match own.extended_master_secret {
            config::ExtendedMasterSecret::Offered => ExtendedMasterSecret::Offered,
            config::ExtendedMasterSecret::Required => ExtendedMasterSecret::Required,
        },
        alpn: settings.alpn.clone(),
        resume: settings.keeps_sessions(),
        split_records: own.record_splitting,
        small_block_limit: own.small_block_limit,
        insecure_renegotiation: own.insecure_renegotiation,
        any_rsa_key_usage: own.allowed_weaknesses.contains(&Weakness::RsaKeyUsage),
        unoffered_alpn: settings.unoffered_alpn,
        v2_hello: own.v2_hello,
    })
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

    /// Whether there is a session with this peer to take up again, in one of these protocols.
    pub(crate) fn knows(&self, parameters: &ClientParameters, protocols: &[config::Protocol]) -> bool {
        let Some(key) = session_key(parameters) else { return false };
        if !self.settings.keeps_sessions() {
            return false;
        }
        let sessions = client_sessions(&self.settings, parameters.manual);
        let session = sessions.get(&key, clock(&self.settings).now());
        session.is_some_and(|session| protocols.iter().any(|p| p.version() == session.version().0))
    }

    /// The configuration for these protocols; `manual` leaves the judgement of the certificate to the application.
    pub(crate) fn config(&self, protocols: SpProt, manual: bool) -> Result<Arc<ClientConfig>, Error> {
        let verification = Verification { mutual: false, manual };
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), verification, || {
            let settings = &self.settings;
            let judge = if manual { Judge::application() } else { Judge::of_servers(settings)? };
            Ok(ClientConfig {
                policy: policy(settings, protocols)?,
                verifier: Arc::new(judge),
                identities: settings.identities.iter().filter_map(|i| i.legacy().cloned()).collect(),
                ask_for_certificate: settings.ask_for_client_certificate,
                sessions: client_sessions(settings, manual),
                random: Arc::clone(&settings.environment.random),
                clock: clock(settings),
            })
        })
    }
}

/// A server's configurations.
pub(crate) struct ServerConfigs {
    pub(crate) settings: Arc<Settings>,
    export_keys: Arc<legacy_tls::ExportKeys>,
    variants: Variants<ServerConfig>,
}

impl ServerConfigs {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self { settings, export_keys: Arc::default(), variants: Variants::new() }
    }

    /// The configuration for these protocols, with certificates asked for and judged like this.
    pub(crate) fn config(
        &self,
        protocols: SpProt,
        verification: Verification,
    ) -> Result<Arc<ServerConfig>, Error> {
        self.variants.get(protocols.intersection(self.settings.protocol_bits()), verification, || {
            let settings = &self.settings;
            let client_auth = match (settings.client_auth, verification.mutual) {
                (ClientAuth::Required, _) => legacy_tls::ClientAuth::Required,
                (ClientAuth::Optional, _) | (ClientAuth::None, true) => legacy_tls::ClientAuth::Optional,
                (ClientAuth::None, false) => legacy_tls::ClientAuth::None,
            };
            let asks = client_auth != legacy_tls::ClientAuth::None && !verification.manual;
            let judge = if asks { Judge::of_clients(settings)? } else { Judge::application() };
            Ok(ServerConfig {
                policy: policy(settings, protocols)?,
                identities: settings.identities.iter().filter_map(|i| i.legacy().cloned()).collect(),
                client_auth,
                authorities: if settings.send_ca_list { judge.authority_names() } else { Vec::new() },
                client_verifier: Arc::new(judge),
                dh_group: group(settings.policy.dh_minimum_bits),
                export_keys: Arc::clone(&self.export_keys),
                sessions: Arc::new(Sessions {
                    settings: Arc::clone(settings),
                    part: server_part(settings, protocols, verification),
                    judges_servers: false,
                    tickets: Tickets::of_server(settings)?,
                }),
                random: Arc::clone(&settings.environment.random),
                clock: clock(settings),
            })
        })
    }
}

/// The smallest group that has so many bits.
fn group(bits: u32) -> Group {
    let groups = [&MODP_1024, &MODP_1536, &FFDHE2048, &FFDHE3072, &FFDHE4096];
    let fitting = groups.into_iter().find(|group| group.bits() >= bits);
    fitting.map_or_else(|| Group::clone(&FFDHE4096), |group| Group::clone(group))
}
