//! What `AcquireCredentialsHandle` yields: the credentials of every package that may be chosen.

use std::sync::Arc;

use gss::MechType;
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, CredentialUse, CredentialsHandle, CredentialsRequest, Error, Fault,
    InitializeRequest, InitializeSecurityContext, Oid, PackageInfo, QueryCredentialsAttributes, SecStatus,
    SecurityPackage,
};

use crate::client::Client;
use crate::config::{NtlmPolicy, Policy};
use crate::mech_list::{self, Mechanism};
use crate::package::{Instance, NAME};
use crate::server::Server;
use crate::status;

/// A Negotiate credential.
pub(crate) struct NegotiateCredentials {
    instance: Arc<Instance>,
    role: CredentialUse,
    mechanisms: Vec<Mechanism>,
    /// The packages that have no credential, and why: for errors.
    left_out: String,
}

/// Whether SPNEGO can carry the package.
fn is_carried(info: &PackageInfo) -> bool {
    !info.oids.is_empty() && !info.oids.iter().any(|oid| oid.content() == MechType::SPNEGO.content())
}

impl NegotiateCredentials {
    pub(crate) fn acquire(instance: &Arc<Instance>, request: &CredentialsRequest) -> Result<Self, Error> {
        let mut mechanisms: Vec<Mechanism> = Vec::new();
        let mut refused: Vec<(String, Error)> = Vec::new();
        for package in packages(instance)? {
            match package.acquire_credentials_handle(request) {
                Ok(credentials) => mechanisms.push(Mechanism { credentials }),
                Err(error) => refused.push((package.package_info().name.to_string(), error)),
            }
        }
        if let ([], [(_, error), ..]) = (&mechanisms[..], &refused[..]) {
            return Err(error.clone());
        }
        let left_out: Vec<_> =
            refused.iter().map(|(name, error)| format!("{name}: {}", error.message())).collect();
        Ok(Self {
            instance: Arc::clone(instance),
            role: request.credential_use,
            mechanisms,
            left_out: left_out.join("; "),
        })
    }

    /// Those that may be chosen.
    fn allowed(&self, policy: Policy<'_>) -> Result<Vec<Mechanism>, Error> {
        let allowed = mech_list::allowed(&self.mechanisms, policy);
        if !allowed.is_empty() {
            return Ok(allowed);
        }
        let ntlm = Oid::from_content(MechType::NTLM.content());
        if policy.ntlm == NtlmPolicy::Deny && self.instance.registry.by_oid(&ntlm).is_ok() {
            let message = "NTLM is all that there is, and must not be used here";
            let error = Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, message);
            return Err(error.with_setting("negotiate.ntlm"));
        }
        Err(status::Error::NothingAllowed { left_out: self.left_out.clone() }.into())
    }
}

/// The packages that a configuration names, or all that can be carried.
fn packages(instance: &Instance) -> Result<Vec<Arc<dyn SecurityPackage>>, Error> {
    let registry = &instance.registry;
    let is_denied = |info: &PackageInfo| {
        // Where no rule lets NTLM in, nothing is asked of it.
        let rules = instance.config.targets.iter().filter_map(|rule| rule.ntlm);
        let is_ntlm = info.oids.iter().any(|oid| oid.content() == MechType::NTLM.content());
        is_ntlm
            && core::iter::once(instance.config.ntlm).chain(rules).all(|policy| policy == NtlmPolicy::Deny)
    };
    let mut chosen: Vec<Arc<dyn SecurityPackage>> = Vec::new();
    let mut add = |package: Arc<dyn SecurityPackage>| {
        let info = package.package_info();
        let is_there = chosen.iter().any(|other| other.package_info().name == info.name);
        if is_carried(info) && !is_there && !is_denied(info) {
            chosen.push(package);
        }
    };
    for (setting, name) in instance.config.named_packages() {
        let package = registry.by_name(name).map_err(|error| error.with_setting(setting))?;
        if !is_carried(package.package_info()) {
            let message = format!("the package {name} is none that SPNEGO can carry");
            return Err(Error::new(SecStatus::SEC_E_SECPKG_NOT_FOUND, Fault::Configuration, message)
                .with_setting(setting));
        }
        add(package);
    }
    if instance.config.packages.is_empty() {
        for info in registry.enumerate_security_packages() {
            add(registry.by_name(&info.name)?);
        }
    }
    Ok(chosen)
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
        let policy = self.instance.config.policy_for(request.target_name.as_deref());
        Ok(Box::new(Client::new(self.allowed(policy)?, policy.ntlm, request)))
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        if self.role == CredentialUse::Outbound {
            let message = "the credential is outbound and cannot accept";
            return Err(Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::ApiMisuse, message));
        }
        let policy = self.instance.config.policy();
        Ok(Box::new(Server::new(self.allowed(policy)?, policy.ntlm, request)))
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
