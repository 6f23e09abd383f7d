//! Schannel: TLS behind the SSPI contract.
//!
//! TLS 1.3 and 1.2 run through rustls for the handshake; the records after it are our own, in place in the caller's
//! memory. Where to look:
//!
//! | what | where |
//! |---|---|
//! | what a configuration may say | `config.rs` |
//! | files, clock and roots, passed in | `environment.rs` |
//! | a handshake as client, as server | `client.rs`, `server.rs` |
//! | message protection, control tokens, attributes afterwards | `context.rs`, `attributes.rs` |
//! | what a configuration comes to, and what is weak about a connection | `effective.rs`, `suite_info.rs`, `weaknesses.rs` |
//! | from a client's certificate to its account | `account_mapping/` |
//! | the first bytes of a peer | `first_flight.rs`; for those who look at them, [`flights`] |
//! | sessions that can be taken up again | [`session_cache`] |
//! | error → status, fault and alert | `status.rs` |
//! | rustls, and nowhere else | `backend/rustls/` |

mod account_mapping;
mod attributes;
mod backend;
pub mod certificate;
mod cipher_suites;
mod client;
mod config;
mod context;
mod credentials;
mod drown;
mod effective;
mod environment;
mod first_flight;
pub mod flights;
mod package;
mod policy;
mod protocol_order;
mod renegotiation;
mod server;
pub mod session_cache;
mod status;
mod suite_info;
mod weaknesses;

pub use account_mapping::{Mapping, MappingRule, WeakMapping};
pub use certificate::summary::CertificateSummary;
pub use certificate::verifier::{UnknownWeakness, Weakness};
pub use config::{
    Allow, CertificateConfig, ClientAuth, ClientCertificate, ExtendedMasterSecret, Profile, Protocol,
    ProtocolError, Renegotiation, Revocation, SchannelConfig, UnknownAllow, WeakSuites,
};
pub use drown::{Listener, check_listeners};
pub use effective::Effective;
pub use environment::{Environment, Materials, Random};
pub use legacy_tls::FirstFlight;
pub use package::Schannel;
pub use status::{AlertMeaning, alert_meaning};
pub use suite_info::SuiteInfo;
