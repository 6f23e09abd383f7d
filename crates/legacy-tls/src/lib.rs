//! The engine: SSL 2.0, PCT 1.0, SSL 3.0, TLS 1.0, TLS 1.1, and what TLS 1.2 has beyond ECDHE with an AEAD. Bytes in,
//! bytes out.
//!
//! It reads no socket, no clock and no randomness of the system: they are passed in. It knows nothing of the interface
//! that stands above it.
//!
//! | protocol | folder | specification |
//! |---|---|---|
//! | SSL 3.0, TLS 1.0, TLS 1.1, TLS 1.2 | `tls/`: one handshake, a row of rules per version | RFC 6101, 2246, 4346, 5246 |
//! | their records | `record/` | the same |
//! | SSL 2.0, and hellos in its format | `ssl2/` | draft-hickman-netscape-ssl-00 |
//! | what a client's first bytes are, on a port that all share | `detect.rs` | the same |
//! | PCT 1.0, and the SSL 2.0 hello in which it hides | `pct1/` | draft-benaloh-pct-00 |
//!
//! What is refused, and why: compression (nothing but `null` is offered or chosen: CRIME), static and anonymous
//! Diffie-Hellman, Fortezza, Kerberos and pre-shared keys (nobody asks for them), 0-RTT (it is not in these versions).
//!
//! Where to look:
//!
//! | what | where |
//! |---|---|
//! | bytes in, bytes out, in either role | [`ClientConnection`], [`ServerConnection`] (`connection.rs`) |
//! | what is allowed and preferred | [`Policy`], [`ClientConfig`], [`ServerConfig`] (`config.rs`) |
//! | the runner of every handshake, and what a protocol is to it | `connection/handshake.rs` |
//! | the expectations of either role, message by message | `tls/client.rs`, `tls/server.rs`; what handles each lies beside them |
//! | everything in which the versions differ | `tls/versions/` |
//! | the suites, a row each | `tls/cipher_suites.rs` |
//! | a second handshake on a connection | [`Before`], [`Directions`] (`renegotiation.rs`) |
//! | sessions that can be resumed | [`Session`], [`SessionStore`], [`SessionTickets`] (`session.rs`) |
//! | who judges certificates | [`CertificateVerifier`] (`certificate.rs`) |
//! | errors by whose fault they are, and their alerts | [`Error`] (`error.rs`), `tls/alert.rs` |

mod certificate;
mod config;
mod connection;
mod detect;
mod error;
pub mod pct1;
pub mod record;
mod renegotiation;
mod session;
mod ssl2;
mod tls;

pub use certificate::{CertificateRefused, CertificateVerifier, Identity, PeerCertificate};
pub use config::{
    ClientAuth, ClientConfig, Clock, ExportKeys, ExtendedMasterSecret, Policy, SMALL_BLOCK_LIMIT,
    ServerConfig,
};
pub use connection::{
    CertificateRequested, ClientConnection, ClientParameters, Established, Failure, KeptSession, Negotiated,
    Progress, ServerConnection, ServerParameters,
};
pub use detect::{FirstFlight, Offer, OldHello};
pub use error::{Error, Incompatible, Misbehaved, Refused};
pub use renegotiation::{Before, Directions};
pub use session::{
    MemorySessions, OpenedTicket, Session, SessionStore, SessionTickets, StoredSession, Ticket,
};
pub use ssl2::cipher_kinds::{CipherKind, KINDS, KINDS_BY_PREFERENCE, KindRow};
pub use ssl2::messages::{Ssl2ErrorCode, Ssl2MessageType};
pub use tls::alert::{AlertDescription, AlertLevel};
pub use tls::cipher_suites::{BY_PREFERENCE, CipherSuite, KeyExchange, SUITES, Strength, SuiteRow};
pub use tls::key_exchange::KeyExchangeStrength;
pub use tls::messages::HandshakeType;
pub use tls::signature::SignatureScheme;
pub use tls::versions::ProtocolVersion;
