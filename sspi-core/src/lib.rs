//! The SSPI contract: one way to secure a connection, whichever package runs behind it.
//!
//! An application asks a [`Registry`] for a [`SecurityPackage`] by name, acquires a [`CredentialsHandle`] and runs a
//! handshake with it: opaque tokens in, opaque tokens out, over whatever transport it already has. When the handshake
//! completes, it holds a [`SecurityContext`] that protects messages and answers questions about what was negotiated.
//!
//! This crate knows no protocol, performs no input or output, and reads neither clock nor randomness. It is what a
//! provider implements, what a driver (such as the crate `sspi-tokio`) runs, and what an application with its own event
//! loop calls directly:
//!
//! ```
//! use sspi_core::{Error, InitializeSecurityContext, SecurityContext, Step};
//!
//! /// Runs a client's handshake; `exchange` sends a token and returns the bytes that came back.
//! fn handshake(
//!     mut client: Box<dyn InitializeSecurityContext>,
//!     mut exchange: impl FnMut(&[u8]) -> Vec<u8>,
//! ) -> Result<Box<dyn SecurityContext>, Error> {
//!     let mut input = Vec::new();
//!     loop {
//!         match client.initialize_security_context(&input).map_err(|failure| failure.error)? {
//!             Step::Continue { token, used } => {
//!                 input.drain(..used);
//!                 if input.is_empty() {
//!                     input = exchange(&token);
//!                 }
//!             }
//!             Step::Incomplete { .. } => input.extend(exchange(&[])),
//!             Step::Ask(question) => return Err(question.unanswered()),
//!             // Only a handshake on an established context has data, or is declined.
//!             Step::Data { used, .. } => drop(input.drain(..used)),
//!             Step::Declined { context, .. } => return Ok(context),
//!             Step::Complete { context, token, .. } => {
//!                 exchange(&token);
//!                 return Ok(context);
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! The table from each Microsoft function, flag and attribute to its name here is `docs/sspi-map.md`.

mod accept;
mod account;
mod ask;
mod attributes;
mod buffer;
mod channel_bindings;
mod clock;
mod context;
mod control_token;
mod credentials;
mod digest;
mod duration;
mod error;
mod flags;
mod http;
mod initialize;
mod logon;
mod message_context;
mod oid;
mod package;
mod paired_context;
mod protocols;
mod registry;
mod secrets;
mod simple_package;
mod status;
mod step;

pub use accept::{AcceptRequest, AcceptSecurityContext};
pub use account::{Account, FoundAccount, PeerIdentity};
pub use ask::{Answer, Ask, ClientCertificateRequest, Question, SessionKey};
pub use attributes::{
    AlgId, ApplicationProtocol, CipherInfo, CipherStrengths, ConnectionInfo, ConnectionWeakness,
    ContextFlags, KeyInfo, KeyingMaterial, Lifespan, NegotiationInfo, NegotiationState,
    QueryContextAttributes, RemoteCertificate, SecPkgAttr, SessionInfo, Sizes, SpProt, StreamSizes,
};
pub use buffer::{QualityOfProtection, SecBuffer, SecBufferType, StreamLayout};
pub use channel_bindings::ChannelBindings;
pub use clock::Clock;
pub use context::{
    Decrypted, ExportedContext, ReceivingHalf, Renegotiation, RenegotiationRefused, SecurityContext,
    SendingHalf, SplitContext, SplitRefused,
};
pub use control_token::{AlertLevel, ControlToken};
pub use credentials::{
    AuthData, AuthIdentity, CertificateIdentity, CredentialUse, CredentialsHandle, CredentialsRequest,
    QueryCredentialsAttributes, Secret,
};
pub use digest::{DigestAccount, DigestAlgorithm, DigestLogon, DigestSecret, DigestUser, LogonReport};
pub use duration::parse_duration;
pub use error::{Error, Failure, Fault, Remedy};
pub use flags::{AscReq, AscRet, IscReq, IscRet, SecPkgFlags};
pub use http::{EntityBody, HttpEntity, HttpRequest};
pub use initialize::{InitializeRequest, InitializeSecurityContext};
pub use logon::{AccountSecret, LogonProof, LogonRequest, LogonVerdict};
pub use message_context::{MessageContext, MessageKeys};
pub use oid::Oid;
pub use package::{PackageInfo, SecurityPackage};
pub use paired_context::{PairedContext, SharedPart};
pub use protocols::ProtocolError;
pub use registry::Registry;
pub use secrets::{NoSecrets, Secrets, referred_password};
pub use simple_package::{Handshakes, SimplePackage, Steps};
pub use status::SecStatus;
pub use step::Step;
