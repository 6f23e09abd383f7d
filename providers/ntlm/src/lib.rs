//! NTLM behind the SSPI contract: a password is proved by what it makes of a challenge, and keys come of that.
//!
//! NTLM is what is left where there is no Kerberos. It does not say who the server is, its hash is as good as the password,
//! and its encryption is RC4. What can be had of it is here: version 2 with a message integrity code, channel bindings and
//! the service's name, keys of 128 bits, and a server that looks at all of them.
//!
//! Where to look:
//!
//! | what | where |
//! |---|---|
//! | the three messages, for reading and showing | [`messages`] |
//! | what passwords make of challenges, and keys | `compute.rs` |
//! | signing and sealing | `seal.rs`, `crc32.rs` |
//! | what a configuration may say | `config.rs` |
//! | secrets, clock and randomness, passed in | `environment.rs` |
//! | a handshake as client, as server | `client.rs`, `server.rs` |
//! | whether a client's answer is right, and whether it may be used | `judgement.rs`, `acceptance.rs` |
//! | what a password makes of messages that others exchanged | `derived.rs` |
//! | challenges that are out; failed logons are counted in the crate `lock_out` | `challenges.rs` |
//! | message protection and attributes afterwards | `context.rs`, `attributes.rs`, `export.rs` |
//! | error → status, fault and setting | `status.rs` |
//!
//! # A handshake in one process
//!
//! ```
//! # use std::{sync::Arc, time::SystemTime};
//! # use opensspi_ntlm::{Environment, NoSecrets, Ntlm, NtlmConfig, Reflection};
//! # use sspi_core::*;
//! # struct Now;
//! # impl Clock for Now { fn now(&self) -> SystemTime { SystemTime::now() } }
//! # let random = Arc::new(crypto::random::SystemRandom);
//! # let environment = Environment { clock: Arc::new(Now), random, secrets: Arc::new(NoSecrets), host_name: None };
//! # let config = NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() };
//! # let package = Ntlm::new(config, environment);
//! # let password = || Secret::new("open sesame".to_owned());
//! # let identity = AuthIdentity { user: "alice".into(), domain: "CORP".into(), password: password() };
//! # let auth_data = AuthData::Identity(identity);
//! # let outbound = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
//! # let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
//! # let verdict = || LogonVerdict::Known {
//! #     account: Account { name: "alice".into(), ..Account::default() }.into(),
//! #     secrets: vec![AccountSecret::Password(password())],
//! # };
//! let request = InitializeRequest { flags: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
//! let mut client = package.acquire_credentials_handle(&outbound)?.initialize(&request)?;
//! let mut server = package.acquire_credentials_handle(&inbound)?.accept(&AcceptRequest::default())?;
//! let Step::Continue { token, .. } = client.initialize_security_context(&[])? else { panic!() };
//! let Step::Continue { token, .. } = server.accept_security_context(&token)? else { panic!() };
//! let Step::Complete { mut context, token, .. } = client.initialize_security_context(&token)? else { panic!() };
//! let Step::Ask(Question::Logon(ask)) = server.accept_security_context(&token)? else { panic!() };
//! ask.answer(Ok(verdict()));
//! let Step::Complete { context: mut at_server, .. } = server.accept_security_context(&token)? else { panic!() };
//! let mut message = *b"................a message";
//! let mut parts = [(SecBufferType::TOKEN, 0..16), (SecBufferType::DATA, 16..25)].map(|(t, r)| SecBuffer::new(t, r));
//! context.encrypt_message(QualityOfProtection::Default, &mut message, &mut parts)?;
//! at_server.decrypt_message(&mut message, &mut parts)?;
//! assert_eq!(message[16..], *b"a message");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acceptance;
mod attributes;
mod challenges;
mod client;
mod compute;
mod config;
mod context;
mod crc32;
mod credentials;
mod derived;
mod environment;
mod export;
mod judgement;
pub mod messages;
mod package;
mod seal;
mod server;
mod status;
#[cfg(test)]
mod vectors;

pub use compute::NtHash;
pub use config::{
    Check, ExtendedSessionSecurity, LmCompatibilityLevel, LockOut, NtlmConfig, Reflection, RepeatedPairs,
};
pub use credentials::NtHashIdentity;
pub use derived::{Derived, DirectionKeys};
pub use environment::{Environment, NoSecrets, Random, Secrets};
pub use package::Ntlm;
