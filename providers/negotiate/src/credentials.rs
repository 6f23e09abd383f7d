//! What `AcquireCredentialsHandle` yields: the credentials of every package that may be chosen.

use std::sync::Arc;

use gss::MechType;
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AuthData, CredentialUse, CredentialsHandle, CredentialsRequest,
    Error, Fault, InitializeRequest, InitializeSecurityContext, Oid, PackageInfo, QueryCredentialsAttributes,
    SecStatus, SecurityPackage,
};

use crate::client::Client;
use crate::config::{NegotiateConfig, NtlmPolicy, Policy};
use crate::mech_list::{self, Choice, Mechanism, StreamPackage, is_stream};
use crate::package::{Instance, NAME};
use crate::server::Server;
use crate::status;

/// A Negotiate credential: what may be chosen was chosen from already, so that no handshake does so again.
pub(crate) struct NegotiateCredentials {
    instance: Arc<Instance>,
    role: CredentialUse,
    mechanisms: Vec<Mechanism>,
    /// For a client of no particular target.
    outbound: Chosen,
    /// For a client of those that each rule is about.
    targets: Vec<Chosen>,
    /// For a server with this listener.
    inbound: Chosen,
}

/// What a policy comes to, or why it comes to nothing.
type Chosen = Result<Arc<Choice>, Error>;

/// A package that has no credential.
struct LeftOut {
    info: PackageInfo,
    error: Error,
}

impl LeftOut {
    fn is_ntlm(&self) -> bool {
        is_ntlm(&self.info)
    }

    fn is_named(&self, name: &str) -> bool {
        mech_list::is_named(&self.info, name)
    }
}

fn is_ntlm(info: &PackageInfo) -> bool {
    info.oids.iter().any(|oid| oid.content() == MechType::NTLM.content())
}

/// Their names, and what is the matter with each.
fn reasons<'l>(left_out: impl Iterator<Item = &'l LeftOut>) -> String {
    let reasons: Vec<_> =
        left_out.map(|LeftOut { info, error }| format!("{}: {}", info.name, error.message())).collect();
    reasons.join("; ")
}

/// Whether SPNEGO can carry the package.
fn is_carried(info: &PackageInfo) -> bool {
    !info.oids.is_empty() && !info.oids.iter().any(|oid| oid.content() == MechType::SPNEGO.content())
}

impl NegotiateCredentials {
    pub(crate) fn acquire(instance: &Arc<Instance>, request: &CredentialsRequest) -> Result<Self, Error> {
        let mut mechanisms: Vec<Mechanism> = Vec::new();
        let mut left_out: Vec<LeftOut> = Vec::new();
        // A password is for those that log on with one.
        let for_stream = match &request.auth_data {
            AuthData::Identity(_) | AuthData::Package(_) => {
                CredentialsRequest { auth_data: AuthData::Configured, ..request.clone() }
            }
            AuthData::Configured | AuthData::Certificate(_) => request.clone(),
        };
        for package in packages(instance)? {
            let is_stream = is_stream(package.package_info());
            let request = if is_stream { &for_stream } else { request };
            match package.acquire_credentials_handle(request) {
                Ok(credentials) => mechanisms.push(Mechanism { credentials }),
                // Nobody signs for what would be chosen in its place: a mistake is none of its reasons.
                Err(error) if is_stream && error.status() != SecStatus::SEC_E_NO_CREDENTIALS => {
                    return Err(error);
                }
                Err(error) => left_out.push(LeftOut { info: package.package_info().clone(), error }),
            }
        }
        if let ([], [LeftOut { error, .. }, ..]) = (&mechanisms[..], &left_out[..]) {
            return Err(error.clone());
        }
        for LeftOut { info, error } in &left_out {
            // The handshake goes on with what is left, which may be the weaker one.
            tracing::warn!(package = %info.name, %error, "the package has no credentials and is left out");
        }
        let config = &instance.config;
        if request.credential_use != CredentialUse::Outbound {
            warn_of_unused_rules(instance);
        }
        let choose = |policy| choice(&mechanisms, &left_out, instance, policy).map(Arc::new);
        Ok(Self {
            outbound: choose(config.policy()),
            targets: config.policies_of_targets().map(choose).collect(),
            inbound: choose(config.policy_at(instance.listener.as_deref())),
            instance: Arc::clone(instance),
            role: request.credential_use,
            mechanisms,
        })
    }
}

/// Who wrote rules about listeners should hear that a server has none of them.
fn warn_of_unused_rules(Instance { config, listener, .. }: &Instance) {
    let listener = listener.as_deref();
    if config.listeners.is_empty() || config.rule_at(listener).is_some() {
        return;
    }
    match listener {
        Some(listener) => {
            tracing::warn!(?listener, "there are rules about listeners, and none is about this one");
        }
        None => tracing::warn!(
            "there are rules about listeners, and the server does not say which listener it has"
        ),
    }
}

/// Those that may be chosen.
fn choice(
    mechanisms: &[Mechanism],
    left_out: &[LeftOut],
    instance: &Instance,
    policy: Policy<'_>,
) -> Result<Choice, Error> {
    let (allowed, stream) = mech_list::allowed(mechanisms, policy);
    let stream = stream.or_else(|| stream_left_out(&allowed, left_out, policy));
    if !allowed.is_empty() || stream.is_some() {
        let better_without_credentials = better_without_credentials(mechanisms, left_out, policy);
        let Policy { ntlm, raw, .. } = policy;
        let offer = mech_list::offer(&allowed);
        return Ok(Choice { mechanisms: allowed, offer, stream, ntlm, raw, better_without_credentials });
    }
    let ntlm = Oid::from_content(MechType::NTLM.content());
    let is_all = left_out.is_empty() && instance.registry.by_oid(&ntlm).is_ok();
    if policy.ntlm == NtlmPolicy::Deny && is_all {
        let message = "NTLM is all that there is, and must not be used here";
        let error = Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, message);
        return Err(error.with_setting("negotiate.ntlm"));
    }
    Err(status::Error::NothingAllowed { left_out: reasons(left_out.iter()) }.into())
}

/// The package for streams that the policy names, and that has no credentials: it is not passed over for what follows it.
fn stream_left_out(allowed: &[Mechanism], left_out: &[LeftOut], policy: Policy<'_>) -> Option<StreamPackage> {
    let of =
        |name: &String| left_out.iter().find(|left_out| is_stream(&left_out.info) && left_out.is_named(name));
    let at = policy.packages.iter().position(|name| of(name).is_some())?;
    let error = policy.packages.get(at).and_then(of)?.error.clone();
    let is_there =
        |name: &String| allowed.iter().any(|own| mech_list::is_named(own.credentials.package_info(), name));
    let is_favourite = !policy.packages.iter().take(at).any(is_there);
    Some(StreamPackage { package: Err(error), is_favourite })
}

/// What the policy names before NTLM, and has no credentials.
fn better_without_credentials(mechanisms: &[Mechanism], left_out: &[LeftOut], policy: Policy<'_>) -> String {
    let is_ntlm = |name: &String| {
        let mut infos = mechanisms.iter().filter(|mechanism| mechanism.is_ntlm());
        infos.any(|mechanism| mech_list::is_named(mechanism.credentials.package_info(), name))
    };
    let better = policy.packages.iter().take_while(|name| !is_ntlm(name));
    let better: Vec<_> = better.collect();
    reasons(left_out.iter().filter(|left_out| {
        let is_wanted = policy.packages.is_empty() || better.iter().any(|name| left_out.is_named(name));
        is_wanted && !left_out.is_ntlm()
    }))
}

/// The packages that a configuration names, or all that can be carried.
pub(crate) fn packages(instance: &Instance) -> Result<Vec<Arc<dyn SecurityPackage>>, Error> {
    let (registry, config) = (&instance.registry, &instance.config);
    // Where no rule lets NTLM in, nothing is asked of it.
    let denies_ntlm = config.always_denies_ntlm();
    let mut chosen: Vec<Arc<dyn SecurityPackage>> = Vec::new();
    let mut stream = None;
    let mut add = |package: Arc<dyn SecurityPackage>| {
        let info = package.package_info();
        let is_there = chosen.iter().any(|other| other.package_info().name == info.name);
        let is_denied = denies_ntlm && is_ntlm(info);
        if !is_there && !is_denied {
            chosen.push(package);
        }
    };
    for (setting, name) in config.named_packages() {
        let package = registry.by_name(name).map_err(|error| error.with_setting(setting))?;
        let info = package.package_info();
        if is_stream(info) {
            let other = *stream.get_or_insert_with(|| info.name.clone()) != info.name;
            if other {
                let message =
                    format!("{name} is a second package for streams: whose first bytes would it take?");
                return Err(Error::new(SecStatus::SEC_E_SECPKG_NOT_FOUND, Fault::Configuration, message)
                    .with_setting(setting));
            }
            add(limited(package, config)?);
        } else if is_carried(info) {
            add(package);
        } else {
            let message = format!("the package {name} is none that SPNEGO can carry");
            return Err(Error::new(SecStatus::SEC_E_SECPKG_NOT_FOUND, Fault::Configuration, message)
                .with_setting(setting));
        }
    }
    if config.packages.is_empty() {
        for info in registry.enumerate_security_packages().iter().filter(|info| is_carried(info)) {
            add(registry.by_name(&info.name)?);
        }
    }
    if !config.protocols.is_empty() && !chosen.iter().any(|package| is_stream(package.package_info())) {
        let message =
            "protocols are those of a package for streams, and packages names none, such as Schannel";
        return Err(Error::new(SecStatus::SEC_E_SECPKG_NOT_FOUND, Fault::Configuration, message)
            .with_setting("negotiate.protocols"));
    }
    Ok(chosen)
}

/// The package with the protocols that it is asked for, if it is.
fn limited(
    package: Arc<dyn SecurityPackage>,
    config: &NegotiateConfig,
) -> Result<Arc<dyn SecurityPackage>, Error> {
    if config.protocols.is_empty() {
        return Ok(package);
    }
    package.limited_to(&config.protocols).map_err(|error| match error.setting() {
        Some("protocols") | None => error.with_setting("negotiate.protocols"),
        // It is the package's own configuration that cannot be.
        Some(_) => error,
    })
}

impl CredentialsHandle for NegotiateCredentials {
    fn package_info(&self) -> &PackageInfo {
        &self.instance.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.role
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        if self.role == CredentialUse::Inbound {
            let message = "the credential is inbound and cannot initiate";
            return Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::ApiMisuse, message));
        }
        let rule = self.instance.config.rule_for(request.target_name.as_deref());
        let chosen = rule.and_then(|rule| self.targets.get(rule)).unwrap_or(&self.outbound);
        Client::begun(Arc::clone(chosen.as_ref().map_err(Clone::clone)?), request)
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        if self.role == CredentialUse::Outbound {
            let message = "the credential is outbound and cannot accept";
            return Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::ApiMisuse, message));
        }
        let choice = Arc::clone(self.inbound.as_ref().map_err(Clone::clone)?);
        Ok(Server::begun(choice, request))
    }
}

impl QueryCredentialsAttributes for NegotiateCredentials {
    fn package_name(&self) -> &str {
        NAME
    }

    /// The name of the first credential that has one.
    fn names(&self) -> Result<String, Error> {
        let mut names = self.mechanisms.iter().map(|mechanism| mechanism.credentials.names());
        let unsupported = || Error::unsupported(NAME, "QueryCredentialsAttributes(NAMES)");
        names.find(Result::is_ok).unwrap_or_else(|| Err(unsupported()))
    }
}
