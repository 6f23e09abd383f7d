//! Digest: HTTP Digest and SASL DIGEST-MD5 behind the SSPI contract.
//!
//! Which of the two is spoken follows from the request: with an [`HttpRequest`](sspi_core::HttpRequest) it is HTTP, and each
//! context is one request; without one it is SASL, and the context protects what follows.
//!
//! | what | where |
//! |---|---|
//! | what a configuration may say | `config.rs` |
//! | the time and randomness, passed in | `environment.rs` |
//! | lists of directives; challenges, responses and what follows them | `directives.rs`, `challenge.rs`, `response.rs` |
//! | whether a password is the one of a response that somebody else sent | `check.rs` |
//! | what is hashed | `proof.rs`, `algorithm.rs`, `text.rs` |
//! | nonces, and how often each was used by whom | `nonce.rs`, `steady_clock.rs` |
//! | a handshake as client, as server | `client.rs`, `server.rs` |
//! | what ties it to a channel | `bindings.rs` |
//! | message protection, attributes, contexts that travel | `protection.rs`, `context.rs`, `attributes.rs`, `export.rs` |
//! | error → status and fault | `status.rs` |
//!
//! # HTTP
//!
//! Tokens are the values of header fields without the name of the scheme.
//!
//! | call | takes | gives |
//! |---|---|---|
//! | a server's first, with nothing | | `WWW-Authenticate`, a line for each algorithm: `Step::Continue` |
//! | a server's, with an `Authorization` | the request's method, URI and, for `auth-int`, its body | `Authentication-Info`: `Step::Complete`; a challenge that says `stale`: `Step::Continue`; otherwise a failure, with a challenge where extended errors were requested |
//! | a client's first, with nothing | | an `Authorization` with the nonce of an earlier request to the same target, or nothing: `Step::Continue` |
//! | a client's, with `WWW-Authenticate`, also as its first | as many lines as there were header fields | `Authorization`: `Step::Complete`, or `Step::Continue` where mutual authentication was requested |
//! | a client's, with `Authentication-Info` | for `auth-int`, the response's body | nothing: `Step::Complete` |
//!
//! `CompleteAuthToken` completes what depends on a body that was not known: a client's `Authorization`, whose proof is zeros
//! until then, and a server's `Authentication-Info`, which lacks the proof.
//!
//! # SASL
//!
//! Tokens are the messages of DIGEST-MD5. A client that has nothing to say at first gives an empty token, and a server that is
//! called with nothing its challenge.

mod algorithm;
mod attributes;
mod bindings;
pub mod challenge;
mod check;
mod client;
mod config;
mod context;
mod credentials;
pub mod directives;
mod environment;
mod export;
mod nonce;
mod package;
mod proof;
mod protection;
pub mod response;
mod server;
mod status;
mod steady_clock;
mod text;

pub use algorithm::{Algorithm, Cipher, Qop};
pub use check::Checked;
pub use config::{BindingPolicy, DigestConfig, Mode};
pub use environment::{Environment, NoSecrets, Random, RandomError, Secrets};
pub use package::Digest;
pub use proof::{hashed_a1, user_hash};
pub use text::Text;
