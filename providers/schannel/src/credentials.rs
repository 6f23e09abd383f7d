//! What `AcquireCredentialsHandle` yields: certificates, keys, roots and policy, read once and shared by every handshake.

use std::sync::Arc;

use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AlgId, AuthData, CertificateIdentity, CipherStrengths, Clock,
    CredentialUse, CredentialsHandle, CredentialsRequest, Error, Fault, InitializeRequest,
    InitializeSecurityContext, PackageInfo, QueryCredentialsAttributes, SecStatus, SpProt,
};

use crate::account_mapping::{Mapper, MapperSettings};
use crate::backend::rustls::SteadyClock;
use crate::backend::{ComingBack, Identity, OwnTicketKeys, Settings, check_alpn};
use crate::certificate::crl_files::CrlFiles;
use crate::certificate::pem;
use crate::certificate::verifier::VerifyPolicy;
use crate::cipher_suites::{Exchange, Suite};
use crate::client::{Client, ClientConfigs};
use crate::config::{ClientCertificate, SchannelConfig};
use crate::environment::Environment;
use crate::package::{NAME, Sessions};
use crate::policy::Policy;
use crate::server::{Server, ServerConfigs};
use crate::session_cache::{CredentialSessions, Farm};

/// A Schannel credential, for one role.
pub(crate) struct SchannelCredentials {
    info: Arc<PackageInfo>,
    role: Role,
}

enum Role {
    Outbound(Arc<ClientConfigs>),
    Inbound(Arc<ServerConfigs>),
}

fn configuration(setting: &'static str, status: SecStatus, what: impl Into<String>) -> Error {
    Error::new(status, Fault::Configuration, what.into()).with_setting(setting)
}

/// What the package's configuration comes to, and where what it names is found.
pub(crate) struct Configured<'a> {
    pub(crate) config: &'a SchannelConfig,
    pub(crate) policy: Policy,
    pub(crate) environment: &'a Environment,
}

impl SchannelCredentials {
    pub(crate) fn acquire(
        info: &Arc<PackageInfo>,
        from: Configured<'_>,
        sessions: &Sessions,
        request: &CredentialsRequest,
    ) -> Result<Self, Error> {
        let config = from.config;
        if request.credential_use == CredentialUse::Both {
            return Err(Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "Schannel credentials are inbound or outbound, not both",
            ));
        }
        let application = match &request.auth_data {
            AuthData::Configured => None,
            AuthData::Certificate(certificate) => Some(certificate),
            AuthData::Identity(_) | AuthData::Package(_) => {
                return Err(Error::new(
                    SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
                    Fault::ApiMisuse,
                    "Schannel authenticates with certificates",
                ));
            }
        };
        let inbound = request.credential_use == CredentialUse::Inbound;
        let settings = Arc::new(read(from, sessions, application, request)?);
        let role = if inbound {
            if settings.identities.is_empty() {
                return Err(configuration(
                    "certificates",
                    SecStatus::SEC_E_NO_CREDENTIALS,
                    "a server needs a certificate, and none is configured",
                ));
            }
            let danger = settings.policy.key_use().endangers_itself();
            if let Some(danger) = danger.filter(|_| !config.i_accept_drown && has_rsa_key(&settings)) {
                return Err(configuration(
                    "i-accept-drown",
                    SecStatus::SEC_E_ALGORITHM_MISMATCH,
                    format!(
                        "one RSA key would serve {danger}: whoever breaks the one can speak for the other"
                    ),
                ));
            }
            Role::Inbound(Arc::new(ServerConfigs::new(&settings)?))
        } else {
            Role::Outbound(Arc::new(ClientConfigs::new(&settings)?))
        };
        let things = settings.policy.legacy_things();
        if !things.is_empty() {
            let role = if inbound { "server" } else { "client" };
            let enabled = things.join(", ");
            tracing::warn!(role, enabled, "protocols, suites or certificates of the past are enabled");
        }
        Ok(Self { info: Arc::clone(info), role })
    }

    fn settings(&self) -> &Settings {
        match &self.role {
            Role::Outbound(configs) => &configs.settings,
            Role::Inbound(configs) => &configs.settings,
        }
    }
}

impl Drop for SchannelCredentials {
    /// Sessions go with the credential that they were made with.
    fn drop(&mut self) {
        self.settings().sessions.close();
    }
}

/// Reads everything that a configuration names.
fn read(
    Configured { config, policy, environment }: Configured<'_>,
    sessions: &Sessions,
    application: Option<&CertificateIdentity>,
    request: &CredentialsRequest,
) -> Result<Settings, Error> {
    let inbound = request.credential_use == CredentialUse::Inbound;
    let legacy = policy.legacy_protocols(SpProt(u32::MAX)).next().is_some();
    let material = |setting: &'static str, reference: &str| {
        environment.materials.read(reference).map_err(|error| {
            configuration(
                setting,
                SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
                format!("cannot read {reference}: {error}"),
            )
            .with_source(error)
        })
    };
    let unreadable = |setting: &'static str, reference: &str, error: &dyn core::fmt::Display| {
        configuration(setting, SecStatus::SEC_E_UNKNOWN_CREDENTIALS, format!("{reference}: {error}"))
    };

    let ocsp = config.ocsp_response.as_deref().map(|r| material("ocsp-response", r)).transpose()?;
    let mut identities = Vec::new();
    if let Some(application) = application {
        identities.push(Identity::from_application(application, legacy)?);
    } else {
        for (index, certificate) in config.certificates.iter().enumerate() {
            let bytes = material("certificates.chain", &certificate.chain)?;
            let chain = pem::certificates(&bytes)
                .map_err(|error| unreadable("certificates.chain", &certificate.chain, &error))?;
            let bytes = zeroize::Zeroizing::new(material("certificates.key", &certificate.key)?);
            let key = pem::private_key(&bytes)
                .map_err(|error| unreadable("certificates.key", &certificate.key, &error))?;
            let staple = if index == 0 { ocsp.clone() } else { None };
            identities.push(Identity::new(chain, &key, staple, certificate.send_root, legacy)?);
        }
    }

    let mut roots = Vec::new();
    let (setting, references) =
        if inbound { ("client-roots", &config.client_roots) } else { ("roots", &config.roots) };
    // A server that asks nobody, and a client that only knows pins, need no roots.
    if (inbound || config.pins.is_empty()) && !references.is_empty() {
        for reference in references {
            if reference == "system" {
                roots.extend(environment.materials.system_roots().map_err(|error| {
                    configuration(
                        setting,
                        SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
                        format!("the system's roots: {error}"),
                    )
                    .with_source(error)
                })?);
            } else {
                let bytes = material(setting, reference)?;
                roots.extend(
                    pem::certificates(&bytes).map_err(|error| unreadable(setting, reference, &error))?,
                );
            }
        }
    }
    let mut nt_auth = Vec::new();
    for reference in config.nt_auth.iter().filter(|_| inbound) {
        let bytes = material("nt-auth", reference)?;
        nt_auth.extend(pem::certificates(&bytes).map_err(|error| unreadable("nt-auth", reference, &error))?);
    }
    let now = environment.clock.now();
    let crl_files = CrlFiles::read(&environment.materials, &config.crls, now)?;
    let pins = config.pins.iter().map(|pin| parse_pin(pin)).collect::<Result<Vec<_>, _>>()?;
    let alpn = config.alpn.iter().map(|name| alpn_name(name)).collect::<Result<Vec<_>, _>>()?;

    let farm = sessions.shared.as_ref().filter(|_| inbound && config.resume).map(|shared| {
        // Machines share sessions that have the same certificates and would make the same handshake of the same hello.
        let rules = rules(config, &policy);
        let lists = [sorted(&roots), sorted(&nt_auth), sorted(&pins)];
        let counts = lists.each_ref().map(|list| u64::try_from(list.len()).unwrap_or(u64::MAX).to_be_bytes());
        let parts = [b"opensspi sessions".as_slice(), rules.as_bytes()].into_iter();
        let parts = parts.chain(counts.iter().map(<[u8; 8]>::as_slice)).chain(lists.into_iter().flatten());
        Farm::new(shared, parts.chain(identities.iter().map(Identity::leaf)))
    });

    let verify = VerifyPolicy {
        roots: roots.into_iter().map(Into::into).collect(),
        pins,
        allow: policy.allowed_weaknesses.iter().copied().collect(),
        revocation: config.revocation,
        crls: crl_files.at(now).lists.to_vec(),
        crl_files: (!config.crls.is_empty()).then(|| Arc::new(crl_files)),
    };
    let clock: Arc<dyn Clock> = Arc::new(SteadyClock(Arc::clone(&environment.clock)));
    let mapper = if inbound { Mapper::new(mapper_settings(config, nt_auth), &verify)? } else { None };
    Ok(Settings {
        is_server: inbound,
        mapper: mapper.map(Arc::new),
        identities,
        ask_for_client_certificate: !inbound
            && application.is_none()
            && config.client_certificate == ClientCertificate::Ask,
        client_auth: config.client_auth,
        renegotiation_client_auth: config.renegotiation_client_auth,
        send_ca_list: config.send_ca_list,
        verify,
        alpn,
        unoffered_alpn: config.unoffered_alpn,
        resume: config.resume,
        session_tickets: config.session_tickets,
        ticket_keys: OwnTicketKeys::default(),
        session_cache_entries: config.session_cache_entries,
        sessions: Arc::new(CredentialSessions::new(&sessions.cache, &clock, farm, request.session_lifetime)),
        coming_back: ComingBack::default(),
        key_log: config.key_log.clone(),
        environment: Environment { clock, ..environment.clone() },
        policy,
    })
}

/// What a server's configuration says of whom it answers and how, but for what is in files.
fn rules(config: &SchannelConfig, policy: &Policy) -> String {
    let suites: Vec<_> = policy.suites.iter().map(Suite::code).collect();
    let handshake = (
        &policy.protocols,
        suites,
        policy.dh_minimum_bits,
        policy.extended_master_secret,
        policy.renegotiation,
        policy.insecure_renegotiation,
        policy.v2_hello,
        &config.alpn,
    );
    let peers = (
        config.client_auth,
        config.renegotiation_client_auth,
        &policy.allowed_weaknesses,
        config.revocation,
        config.mapping,
        &config.certificate_mapping,
        config.allow_weak_mappings.as_deref().unwrap_or_else(|| config.profile.allow_weak_mappings()),
    );
    format!("{handshake:?} {peers:?}")
}

/// All of these in an order that does not depend on where they were read.
fn sorted<T: AsRef<[u8]>>(all: &[T]) -> Vec<&[u8]> {
    let mut all: Vec<&[u8]> = all.iter().map(AsRef::as_ref).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn mapper_settings(config: &SchannelConfig, nt_auth: Vec<Vec<u8>>) -> MapperSettings {
    let of_profile = || config.profile.allow_weak_mappings().to_vec();
    MapperSettings {
        mapping: config.mapping.unwrap_or_default(),
        rules: config.certificate_mapping.clone(),
        allow_weak: config.allow_weak_mappings.clone().unwrap_or_else(of_profile),
        nt_auth,
    }
}

/// Whether a server has a key that export suites of RSA would sign with.
fn has_rsa_key(settings: &Settings) -> bool {
    let rsa = |identity: &Identity| {
        let summary = crate::CertificateSummary::from_der(identity.leaf());
        summary.is_ok_and(|summary| summary.key.starts_with("RSA"))
    };
    settings.identities.iter().any(rsa)
}

/// A SHA-256 in hexadecimal, with or without `sha256:` in front and colons between.
fn parse_pin(pin: &str) -> Result<[u8; 32], Error> {
    let wrong = || {
        configuration(
            "pins",
            SecStatus::SEC_E_INVALID_PARAMETER,
            format!("{pin:?} is not a SHA-256 in hexadecimal (64 digits)"),
        )
    };
    let digits: String = pin.strip_prefix("sha256:").unwrap_or(pin).chars().filter(|c| *c != ':').collect();
    let mut out = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(wrong());
    }
    for (i, byte) in out.iter_mut().enumerate() {
        let two = digits.get(2 * i..2 * i + 2).ok_or_else(wrong)?;
        *byte = u8::from_str_radix(two, 16).map_err(|_| wrong())?;
    }
    Ok(out)
}

fn alpn_name(name: &str) -> Result<Vec<u8>, Error> {
    check_alpn(name.as_bytes())?;
    Ok(name.as_bytes().to_vec())
}

impl CredentialsHandle for SchannelCredentials {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn credential_use(&self) -> CredentialUse {
        match self.role {
            Role::Outbound(_) => CredentialUse::Outbound,
            Role::Inbound(_) => CredentialUse::Inbound,
        }
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        match &self.role {
            Role::Outbound(configs) => Ok(Box::new(Client::new(&self.info, configs, request)?)),
            Role::Inbound(_) => Err(Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "the credential is inbound and cannot initiate",
            )),
        }
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        match &self.role {
            Role::Inbound(configs) => Ok(Box::new(Server::new(&self.info, configs, request)?)),
            Role::Outbound(_) => Err(Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "the credential is outbound and cannot accept",
            )),
        }
    }
}

impl QueryCredentialsAttributes for SchannelCredentials {
    fn package_name(&self) -> &str {
        NAME
    }

    fn names(&self) -> Result<String, Error> {
        let leaf = self.certificate()?;
        crate::CertificateSummary::from_der(&leaf).map(|summary| summary.subject).map_err(|error| {
            Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, error.to_string())
        })
    }

    fn supported_protocols(&self) -> Result<SpProt, Error> {
        let role = match self.role {
            Role::Outbound(_) => SpProt::CLIENTS,
            Role::Inbound(_) => SpProt::SERVERS,
        };
        Ok(self.settings().protocol_bits().intersection(role))
    }

    fn supported_algorithms(&self) -> Result<Vec<AlgId>, Error> {
        let policy = &self.settings().policy;
        let mut out = Vec::new();
        let mut add = |id: AlgId| {
            if id != AlgId::NONE && !out.contains(&id) {
                out.push(id);
            }
        };
        policy.suites.iter().for_each(|suite| add(suite.cipher().id));
        policy.suites.iter().filter_map(Suite::mac).for_each(|mac| add(mac.id));
        let exchanges = policy.suites.iter().map(|suite| suite.exchange().unwrap_or(Exchange::Ecdh));
        exchanges.for_each(|exchange| add(exchange.name().1));
        Ok(out)
    }

    fn cipher_strengths(&self) -> Result<CipherStrengths, Error> {
        let bits = || self.settings().policy.suites.iter().map(|suite| suite.cipher().bits);
        Ok(CipherStrengths {
            minimum: bits().min().unwrap_or_default(),
            maximum: bits().max().unwrap_or_default(),
        })
    }

    fn certificate(&self) -> Result<Vec<u8>, Error> {
        self.settings().identities.first().map(|identity| identity.leaf().to_vec()).ok_or_else(|| {
            Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "the credential is anonymous: it has no certificate",
            )
        })
    }
}
