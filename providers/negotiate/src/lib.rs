//! Negotiate (SPNEGO) behind the SSPI contract: the best package that both ends have.
//!
//! It authenticates nobody itself. The packages that it chooses from come from a registry, by their object identifiers, and
//! it knows none of them. What it adds is the choice, and the proof that nobody else made it: where a choice could have been
//! forced, both ends sign the list of mechanisms with the keys that came of the chosen one.
//!
//! ```text
//! client ── NegTokenInit: mechanisms, first token of the favourite ─▶ server
//! client ◀─ NegTokenResp: what was chosen, its answer ─────────────── server
//! client ── NegTokenResp: tokens, and a MIC over the mechanisms ────▶ server
//! client ◀─ NegTokenResp: done, and a MIC over the mechanisms ─────── server
//! ```
//!
//! The context that comes of it is the chosen package's. Its attributes say which one that is.
//!
//! A package for streams, such as Schannel, is carried by no negotiation. Where it is among those that are named, and a stream is
//! asked for, a server leaves to it whatever begins with no token, and a client begins with it where its policy has nothing
//! before it.
//!
//! | what | where |
//! |---|---|
//! | what a configuration may say | `config.rs` |
//! | which mechanisms are offered and taken | `mech_list.rs` |
//! | a handshake as client, as server | `client.rs`, `server.rs` |
//! | the MIC over the list | `list_mic.rs` |
//! | the context that is handed out | `context.rs` |
//! | error → status and fault | `status.rs` |
//!
//! # When the list is signed
//!
//! | | signed |
//! |---|---|
//! | the package protects no messages, or the caller wants no signatures | never: it cannot be |
//! | the package does, and what came of the handshake cannot | it should have been: the handshake fails; but at a server, where nobody could have forced the choice |
//! | it is not the client's favourite, or the server has one that it would rather have had | by both, or the handshake fails |
//! | it is the favourite of both, and asks for it at one end, as NTLM with its own MIC does | by both, or the handshake fails |
//! | the client does not negotiate | never: it must be the server's favourite, unless `raw` says otherwise |
//! | it is the favourite of both | not at all, unless the other end signs |
//!
//! Spec: SPNEGO section 5; MS-SPNG section 3.

mod client;
mod config;
mod context;
mod credentials;
mod list_mic;
mod mech_list;
mod package;
mod server;
mod status;

pub use config::{ListenerRule, NegotiateConfig, NtlmPolicy, RawPolicy, TargetRule};
pub use package::Negotiate;
