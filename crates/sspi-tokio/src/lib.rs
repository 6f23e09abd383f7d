//! `AsyncRead` and `AsyncWrite` (and, in [`blocking`], `Read` and `Write`) over any SSPI security package.
//!
//! [`handshake`] runs a package's handshake over a transport: it sends every token at once, answers every question of the
//! package from [`Answers`], keeps to a deadline and to a bound of memory, and tells the peer why before it gives up. What
//! it returns is a [`SecureStream`]: bytes in, bytes out, whichever package protects them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use sspi_core::{CredentialUse, CredentialsRequest, InitializeRequest, Registry};
//! use sspi_tokio::{HandshakeOptions, SecureStream, handshake};
//! use tokio::io::{AsyncRead, AsyncWrite};
//!
//! async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
//!     packages: &Registry,
//!     package: &str,
//!     host: &str,
//!     stream: S,
//! ) -> Result<SecureStream<S>, Box<dyn std::error::Error>> {
//!     let package = packages.by_name(package)?;
//!     let options = HandshakeOptions::of(package.package_info());
//!     let request = CredentialsRequest::configured(CredentialUse::Outbound);
//!     let credentials = package.acquire_credentials_handle(&request)?;
//!     let request = InitializeRequest { target_name: Some(host.into()), ..Default::default() };
//!     Ok(handshake(stream, credentials.initialize(&request)?, &options).await?)
//! }
//! ```
//!
//! A connection that is idle holds no buffers: bytes are read into memory that belongs to the thread, decrypted there, and
//! only what is left over (part of a record, plaintext that the caller had no room for) moves to the connection, until it
//! is used up.

mod answers;
pub mod blocking;
mod driver;
mod error;
mod framing;
mod handshake;
mod handshaking;
mod inbound;
mod known;
mod nns;
mod observer;
mod options;
mod outbound;
mod patience;
mod scratch;
mod sessions;
mod split;
mod stream;
mod wakers;

pub use answers::{
    AccountDatabase, AccountDirectory, Accounts, Answering, Answers, Logons, NoAnswers, OnThread, answer,
};
pub use error::HandshakeError;
pub use framing::Framing;
pub use handshake::{handshake, handshake_after};
pub use handshaking::Handshaking;
pub use known::RenegotiationOutcome;
pub use observer::{Observer, Renegotiated};
pub use options::HandshakeOptions;
pub use sessions::{SessionStore, SharedSessions};
pub use split::{SecureReadHalf, SecureWriteHalf};
pub use stream::SecureStream;
pub use tokio::io::{AsyncRead, AsyncWrite};
/// What secrets are handed over in: they are wiped when nobody needs them any more.
pub use zeroize::Zeroizing;
