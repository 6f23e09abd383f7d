//! THE ONE LIST of packages: each by its feature, and what each needs of a configuration.

use std::sync::Arc;

#[cfg(any(feature = "digest", feature = "ntlm"))]
pub(crate) use sspi_core::Secrets;
use sspi_core::{Clock, SecurityPackage};

use crate::config::Config;

#[cfg(feature = "digest")]
pub use digest;
#[cfg(all(feature = "digest", feature = "schannel"))]
pub(crate) use digest::BindingPolicy;
#[cfg(feature = "digest")]
pub use digest::DigestConfig;
#[cfg(feature = "negotiate")]
pub use negotiate::{ListenerRule, NegotiateConfig, NtlmPolicy, RawPolicy, TargetRule};
#[cfg(feature = "ntlm")]
pub use ntlm::{
    Check, ExtendedSessionSecurity, LmCompatibilityLevel, LockOut, NtHash, NtHashIdentity, NtlmConfig,
    Reflection,
};
#[cfg(feature = "schannel")]
pub use schannel::ProtocolError;
#[cfg(feature = "schannel")]
pub(crate) use schannel::certificate::read_certificates;
#[cfg(all(feature = "tokio", feature = "schannel"))]
pub(crate) use schannel::session_cache::SharedSessions as SharesSessions;
#[cfg(feature = "schannel")]
pub use schannel::{
    Allow, CertificateConfig, CertificateSummary, ClientAuth, ClientCertificate, Effective, Environment,
    ExtendedMasterSecret, Mapping, MappingRule, Materials, Profile, Protocol, Renegotiation, Revocation,
    SchannelConfig, SuiteInfo, WeakMapping, Weakness,
};
#[cfg(feature = "schannel")]
pub(crate) use schannel::{Listener, check_listeners};

/// The messages of the packages, for those who look at them: what is decoded, shown and checked, never sent.
#[cfg(feature = "tokens")]
pub mod tokens {
    /// The messages of Digest.
    pub mod digest {
        pub use ::digest::{Algorithm, Checked, Text, challenge, directives, response};
    }
    /// The messages of NTLM.
    pub mod ntlm {
        pub use ::ntlm::messages::*;
        pub use ::ntlm::{Derived, DirectionKeys, NtHash};
    }
    /// The frame of GSS-API, and the messages of SPNEGO.
    pub use ::gss as spnego;
    /// The hellos, alerts and errors of Schannel's protocols.
    #[cfg(feature = "schannel")]
    pub mod tls {
        pub use ::schannel::flights::*;
        pub use ::schannel::{AlertMeaning, alert_meaning};
    }
}

/// What the packages get from outside.
#[derive(Clone)]
pub(crate) struct Seams {
    pub(crate) clock: Arc<dyn Clock>,
    #[cfg(feature = "schannel")]
    pub(crate) materials: Arc<dyn Materials>,
    #[cfg(all(feature = "tokio", feature = "schannel"))]
    pub(crate) sessions: Option<Arc<dyn SharesSessions>>,
    #[cfg(any(feature = "digest", feature = "ntlm"))]
    pub(crate) secrets: Arc<dyn Secrets>,
}

/// Every package that was compiled in, configured.
pub(crate) fn packages(config: &Config, seams: &Seams) -> Vec<Arc<dyn SecurityPackage>> {
    let _unused_without_packages = (config, &seams.clock);
    vec![
        #[cfg(feature = "schannel")]
        Arc::new(schannel(config, seams)),
        #[cfg(feature = "digest")]
        Arc::new(digest_package(config, seams)),
        #[cfg(feature = "ntlm")]
        Arc::new(ntlm(config, seams)),
    ]
}

#[cfg(feature = "digest")]
fn digest_package(config: &Config, seams: &Seams) -> digest::Digest {
    let environment = digest::Environment {
        clock: Arc::clone(&seams.clock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::clone(&seams.secrets),
        host_name: crate::references::host_name(),
    };
    digest::Digest::new(config.digest.clone(), environment)
}

/// The package that chooses among the others, those of third parties too.
#[cfg(feature = "negotiate")]
pub(crate) fn negotiate(
    config: &Config,
    others: sspi_core::Registry,
    listener: Option<String>,
) -> negotiate::Negotiate {
    let package = negotiate::Negotiate::new(config.negotiate.clone(), others);
    match listener {
        Some(listener) => package.at_listener(listener),
        None => package,
    }
}

#[cfg(feature = "schannel")]
fn schannel(config: &Config, seams: &Seams) -> schannel::Schannel {
    let environment = Environment {
        clock: Arc::clone(&seams.clock),
        materials: Arc::clone(&seams.materials),
        random: Arc::new(crypto::random::SystemRandom),
    };
    let package = schannel::Schannel::new(config.schannel.clone(), environment);
    #[cfg(feature = "tokio")]
    if let Some(sessions) = &seams.sessions {
        return package.with_shared_sessions(Arc::clone(sessions));
    }
    package
}

#[cfg(feature = "ntlm")]
fn ntlm(config: &Config, seams: &Seams) -> ntlm::Ntlm {
    let environment = ntlm::Environment {
        clock: Arc::clone(&seams.clock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::clone(&seams.secrets),
        host_name: crate::references::host_name(),
    };
    ntlm::Ntlm::new(config.ntlm.clone(), environment)
}

/// Every reference of a configuration to something outside it, with the setting that holds it.
#[cfg(feature = "schannel")]
pub(crate) fn references(config: &Config) -> Vec<(&'static str, &str)> {
    let schannel = &config.schannel;
    let mut out = Vec::new();
    for certificate in &schannel.certificates {
        out.push(("certificates.chain", certificate.chain.as_str()));
        out.push(("certificates.key", certificate.key.as_str()));
    }
    let lists = [
        ("roots", &schannel.roots),
        ("client-roots", &schannel.client_roots),
        ("nt-auth", &schannel.nt_auth),
        ("crls", &schannel.crls),
    ];
    for (setting, list) in lists {
        out.extend(list.iter().filter(|r| *r != "system").map(|r| (setting, r.as_str())));
    }
    #[cfg(feature = "ldap")]
    if let Some(directory) = &config.directory {
        let roots = directory.roots.iter().filter(|root| *root != "system");
        out.extend(roots.map(|root| ("directory.roots", root.as_str())));
        out.extend(directory.bind_password.iter().map(|r| ("directory.bind-password", r.as_str())));
    }
    #[cfg(feature = "ntlm")]
    {
        out.extend(config.ntlm.password.iter().map(|r| ("password", r.as_str())));
        out.extend(config.ntlm.nt_hash.iter().map(|r| ("nt-hash", r.as_str())));
    }
    #[cfg(feature = "digest")]
    out.extend(config.digest.password.iter().map(|r| ("digest.password", r.as_str())));
    out.extend(schannel.ocsp_response.iter().map(|r| ("ocsp-response", r.as_str())));
    out
}
