//! HTTP authentication with the packages of the SSPI: `WWW-Authenticate: NTLM | Negotiate | Digest`, at both ends.
//!
//! | what | where |
//! |---|---|
//! | which packages are offered, under which scheme | [`Scheme`] |
//! | a server: a tower layer, bound to the connection | [`AuthLayer`], [`HttpConnection`] |
//! | what a handler learns | [`Authenticated`] |
//! | a client: the loop over one connection of hyper, also through proxies | [`Client`] |
//! | the header fields | [`header`] |
//!
//! NTLM and Negotiate authenticate a *connection*: three messages go over it, and what follows on it is the client's. So the
//! layer has to know which requests came over the same one: each carries its [`HttpConnection`] among its extensions, which
//! whoever accepted the connection put there (with axum, `into_make_service_with_connect_info::<HttpConnection>()` and the
//! feature `axum`). HTTP/2 puts the requests of many users into one connection where a proxy stands in front, so these schemes
//! are not spoken there.
//!
//! Digest authenticates a *request*: its method, its target, and with `auth-int` its body.
//!
//! Spec: HTTPNEGO section 4; DIGEST (RFC 7616) section 3; HTTPAUTH section 11.

mod authenticated;
mod bodies;
mod client;
mod connection;
mod error;
pub mod header;
mod judgement;
mod scheme;
mod service;

pub use authenticated::{Attempt, Authenticated};
pub use client::Client;
pub use connection::HttpConnection;
pub use error::Error;
pub use scheme::Scheme;
pub use service::{AuthLayer, AuthService, RequestBody, ResponseBody};
