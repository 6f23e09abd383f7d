//! What `AcquireCredentialsHandle` yields: who a client is, and what a server takes.

use std::sync::Arc;

use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AuthData, CredentialUse, CredentialsHandle, CredentialsRequest,
    Error, Fault, InitializeRequest, InitializeSecurityContext, IscReq, PackageInfo,
    QueryCredentialsAttributes, SecStatus, referred_password,
};

use crate::client::Client;
use crate::compute::{Key, NtHash, lmowf_v1};
use crate::config::{Check, LmCompatibilityLevel, NtlmConfig};
use crate::environment::Environment;
use crate::package::{Instance, NAME};
use crate::server::Server;
use crate::status;

/// A user with the NT hash of its password: what [`AuthData::Package`] takes, where there is no password.
#[derive(Clone, Debug)]
pub struct NtHashIdentity {
    /// The user: `alice`, `CORP\alice`, or `alice@corp.example`.
    pub user: String,
    /// The domain; empty where the name says it, or there is none.
    pub domain: String,
    /// The hash.
    pub nt_hash: NtHash,
}

/// As whom a client logs on.
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) domain: String,
    /// `None`: as nobody.
    pub(crate) hashes: Option<Hashes>,
    /// It came from the application.
    pub(crate) is_supplied: bool,
}

/// What a password is known by.
pub(crate) struct Hashes {
    pub(crate) nt: NtHash,
    pub(crate) lm: Option<Key>,
}

impl Identity {
    /// `DOMAIN\user`.
    pub(crate) fn name(&self) -> String {
        display_name(&self.domain, &self.user)
    }

    fn new(user: &str, domain: &str, hashes: Option<Hashes>, is_supplied: bool) -> Self {
        let (domain, user) = split(user, domain);
        Self { user: user.to_owned(), domain: domain.to_owned(), hashes, is_supplied }
    }
}

/// `DOMAIN\user`, or the user alone.
pub(crate) fn display_name(domain: &str, user: &str) -> String {
    if domain.is_empty() { user.to_owned() } else { [domain, "\\", user].concat() }
}

/// Domain and user: `CORP\alice` says both, unless the domain is said already.
fn split<'a>(user: &'a str, domain: &'a str) -> (&'a str, &'a str) {
    match user.split_once('\\') {
        Some(both) if domain.is_empty() => both,
        _ => (domain, user),
    }
}

/// An NTLM credential.
pub(crate) struct NtlmCredentials {
    instance: Arc<Instance>,
    role: CredentialUse,
    /// As whom it initiates; `None` where it does not.
    identity: Option<Arc<Identity>>,
}

fn no_credentials(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(SecStatus::SEC_E_NO_CREDENTIALS, Fault::Configuration, message)
}

impl NtlmCredentials {
    pub(crate) fn acquire(instance: &Arc<Instance>, request: &CredentialsRequest) -> Result<Self, Error> {
        let role = request.credential_use;
        if role != CredentialUse::Outbound
            && instance.config.target_name == Check::Always
            && instance.config.service_names.is_empty()
        {
            let what =
                "clients must want to talk to this server, and it has no name: say some in service-names";
            return Err(no_credentials(what).with_setting("service-names"));
        }
        let identity = match role {
            CredentialUse::Inbound => None,
            CredentialUse::Outbound | CredentialUse::Both => Some(identity(instance, &request.auth_data)?),
        };
        let (config, is_outbound) = (&instance.config, role != CredentialUse::Inbound);
        if role != CredentialUse::Outbound
            && config.target_name != Check::Never
            && config.service_names.is_empty()
            && config.channel_bindings != Check::Always
        {
            tracing::info!("service-names is empty: the target of a relayed logon is not looked at");
        }
        let level =
            if is_outbound { config.lm_compatibility_level } else { config.acceptor_lm_compatibility_level };
        let least = if is_outbound { 3 } else { 5 };
        if level.number() < least {
            let level = level.number();
            tracing::warn!(role = ?role, level, "responses of the past are enabled: passwords can be had of them");
        }
        Ok(Self { instance: Arc::clone(instance), role, identity: identity.map(Arc::new) })
    }
}

/// As whom a client logs on: as the application says, or the configuration.
fn identity(instance: &Instance, auth_data: &AuthData) -> Result<Identity, Error> {
    let config = &instance.config;
    let of_password = |user: &str, domain: &str, password: &str, is_supplied| {
        if user.is_empty() && password.is_empty() {
            return Identity::new("", "", None, is_supplied);
        }
        // Version 2 has no use for the weaker one.
        let needs_lm = config.lm_compatibility_level < LmCompatibilityLevel::VERSION_2;
        let lm = if needs_lm { lmowf_v1(password) } else { None };
        let hashes = Hashes { nt: NtHash::of_password(password), lm };
        Identity::new(user, domain, Some(hashes), is_supplied)
    };
    let identity = match auth_data {
        AuthData::Identity(identity) => {
            of_password(&identity.user, &identity.domain, identity.password.expose_secret(), true)
        }
        AuthData::Configured => configured(config, &instance.environment, of_password)?,
        AuthData::Package(data) => {
            let Some(identity) = data.downcast_ref::<NtHashIdentity>() else {
                return Err(Error::new(
                    SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
                    Fault::ApiMisuse,
                    "the data for the package NTLM is an NtHashIdentity",
                ));
            };
            let hashes = Hashes { nt: identity.nt_hash.clone(), lm: None };
            Identity::new(&identity.user, &identity.domain, Some(hashes), true)
        }
        AuthData::Certificate(_) => {
            return Err(Error::new(
                SecStatus::SEC_E_UNKNOWN_CREDENTIALS,
                Fault::ApiMisuse,
                "NTLM authenticates with passwords",
            ));
        }
    };
    if identity.hashes.is_none() && !config.anonymous {
        return Err(no_credentials("nobody is said to log on as, and nobody must log on as nobody")
            .with_setting("user"));
    }
    Ok(identity)
}

/// What the configuration says.
fn configured(
    config: &NtlmConfig,
    environment: &Environment,
    of_password: impl Fn(&str, &str, &str, bool) -> Identity,
) -> Result<Identity, Error> {
    let domain = config.domain.as_deref().unwrap_or_default();
    let Some(user) = config.user.as_deref() else {
        return Ok(Identity::new("", "", None, false));
    };
    match (&config.password, &config.nt_hash) {
        (Some(reference), None) => {
            let password = referred_password(&*environment.secrets, "password", reference)?;
            Ok(of_password(user, domain, &password, false))
        }
        (None, Some(reference)) => {
            let digits = referred_password(&*environment.secrets, "nt-hash", reference)?;
            let hash = NtHash::from_hex(digits.trim()).ok_or_else(|| {
                let message = format!("{reference} is no NT hash: 32 hexadecimal digits");
                Error::new(SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Fault::Configuration, message)
                    .with_setting("nt-hash")
            })?;
            Ok(Identity::new(user, domain, Some(Hashes { nt: hash, lm: None }), false))
        }
        (None, None) => Err(no_credentials(format!("{user} has no password")).with_setting("password")),
        (Some(_), Some(_)) => {
            Err(no_credentials("there is a password and a hash: which?").with_setting("nt-hash"))
        }
    }
}

impl CredentialsHandle for NtlmCredentials {
    fn package_info(&self) -> &PackageInfo {
        &self.instance.info
    }

    fn credential_use(&self) -> CredentialUse {
        self.role
    }

    fn initialize(&self, request: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        let Some(identity) = &self.identity else {
            return Err(Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "the credential is inbound and cannot initiate",
            ));
        };
        let mut identity = Arc::clone(identity);
        if request.flags.contains(IscReq::NULL_SESSION) && identity.hashes.is_some() {
            if !self.instance.config.anonymous {
                return Err(status::Error::Anonymous.into());
            }
            identity = Arc::new(Identity::new("", "", None, false));
        }
        Ok(Box::new(Client::new(&self.instance, identity, request)))
    }

    fn accept(&self, request: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        if self.role == CredentialUse::Outbound {
            return Err(Error::new(
                SecStatus::SEC_E_NO_CREDENTIALS,
                Fault::ApiMisuse,
                "the credential is outbound and cannot accept",
            ));
        }
        Ok(Box::new(Server::new(&self.instance, request)))
    }
}

impl QueryCredentialsAttributes for NtlmCredentials {
    fn package_name(&self) -> &str {
        NAME
    }

    fn names(&self) -> Result<String, Error> {
        match &self.identity {
            Some(identity) if identity.hashes.is_some() => Ok(identity.name()),
            _ => Err(no_credentials("the credential is nobody's")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_say_their_domain_or_are_user_principal_names() {
        assert_eq!(split("alice", ""), ("", "alice"));
        assert_eq!(split("alice", "CORP"), ("CORP", "alice"));
        assert_eq!(split("CORP\\alice", ""), ("CORP", "alice"));
        assert_eq!(split("alice@corp.example", ""), ("", "alice@corp.example"));
        assert_eq!(split("odd\\name", "CORP"), ("CORP", "odd\\name"));
    }
}
