#![doc = include_str!("../README.md")]

#[cfg(feature = "tokio")]
mod accounts;
#[cfg(feature = "tokio")]
mod answers;
pub mod audit;
mod builder;
mod check;
mod clock;
mod config;
#[cfg(feature = "tokio")]
mod connection;
#[cfg(feature = "ldap")]
mod directory;
mod error;
mod harmless;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "schannel")]
mod keys;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
mod logons;
#[cfg(feature = "schannel")]
mod materials;
mod providers;
#[cfg(any(feature = "digest", feature = "ntlm", feature = "schannel"))]
mod references;
#[cfg(feature = "schannel")]
mod resolved;
#[cfg(all(feature = "tokio", feature = "schannel"))]
mod sessions;
mod sspi;

#[cfg(feature = "tokio")]
pub use accounts::FileAccounts;
pub use builder::Builder;
pub use check::{Finding, Inspection, check_file, check_together, inspect_file, locate};
pub use clock::SystemClock;
#[cfg(feature = "ldap")]
pub use config::DirectoryConfig;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
pub use config::LogonConfig;
pub use config::{
    Config, ConfigProblem, ConfigProblems, LogConfig, LogFormat, LogLevel, nearest, parse_deadline,
};
pub use error::{Error, ExitClass};
pub use harmless::{LIMIT as HARMLESS_LIMIT, harmless, harmless_bytes, harmless_message};
#[cfg(feature = "schannel")]
pub use keys::new_rsa_key;
#[cfg(all(feature = "tokio", feature = "ntlm"))]
pub use logons::{FileLogons, ListedAccount, NewAccount};
#[cfg(feature = "schannel")]
pub use materials::SystemMaterials;
#[cfg(feature = "schannel")]
pub use providers::ProtocolError;
#[cfg(feature = "tokens")]
pub use providers::tokens;
#[cfg(feature = "schannel")]
pub use providers::{
    Allow, CertificateConfig, CertificateSummary, ClientAuth, ClientCertificate, Effective, Environment,
    ExtendedMasterSecret, Mapping, MappingRule, Materials, Profile, Protocol, Renegotiation, Revocation,
    SchannelConfig, SuiteInfo, WeakMapping, Weakness,
};
#[cfg(feature = "ntlm")]
pub use providers::{
    Check, ExtendedSessionSecurity, LmCompatibilityLevel, LockOut, NtHash, NtHashIdentity, NtlmConfig,
    Reflection,
};
#[cfg(feature = "digest")]
pub use providers::{DigestConfig, digest};
#[cfg(feature = "negotiate")]
pub use providers::{ListenerRule, NegotiateConfig, NtlmPolicy, RawPolicy, TargetRule};
#[cfg(feature = "schannel")]
pub use resolved::{OwnCertificate, Resolved, Warning};
pub use sspi::Sspi;
pub use sspi_core;
#[cfg(feature = "http")]
pub use sspi_http;
#[cfg(feature = "ldap")]
pub use sspi_ldap;
#[cfg(feature = "redis")]
pub use sspi_redis;
#[cfg(feature = "tokio")]
pub use sspi_tokio;
#[cfg(feature = "tokio")]
pub use sspi_tokio::{RenegotiationOutcome, SecureStream};
#[cfg(feature = "winbind")]
pub use sspi_winbind;

/// The examples of the project's README, compiled.
#[cfg(all(doctest, feature = "tokio", feature = "schannel"))]
#[doc = include_str!("../../../README.md")]
struct ProjectReadme;

/// The packages of `docs/add-a-provider.md`, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/add-a-provider.md")]
struct AddAProvider;
