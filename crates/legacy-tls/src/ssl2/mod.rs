//! SSL 2.0: its records, its nine messages, its handshake in either role, and the form of ClientHello that outlived it.
//!
//! It has nothing in common with the protocols after it but the certificates. It promises no confidentiality: a man in the
//! middle chooses the weakest cipher, nobody notices a truncated stream, and MD5 holds everything together (RFC 6176 says
//! why it must not be used). What an implementation can do it does:
//!
//! | attack | what is done | where |
//! |---|---|---|
//! | Bleichenbacher's, and its use against newer protocols (DROWN) | a wrong encrypted key becomes one that only we know, the same each time | `key_exchange.rs` |
//! | clear key bytes for a kind that has none (DROWN "special") | the lengths must be those of the kind | `messages.rs` |
//! | kinds that are not enabled (CVE-2015-3197) | what was not offered is not accepted | `server.rs` |
//! | rollback from a newer protocol | eight bytes of padding that say 3 | `key_exchange.rs` |
//!
//! | what | where |
//! |---|---|
//! | the cipher kinds, a row each | `cipher_kinds.rs` |
//! | messages and error codes | `messages.rs` |
//! | from the master key to the keys of both directions | `keys.rs` |
//! | the master key under the server's RSA key | `key_exchange.rs` |
//! | records | `record.rs` |
//! | what lies between records and messages, and what drives a role | `channel.rs`, `handshake.rs` |
//! | the roles | `client.rs`, `server.rs` |
//! | a ClientHello of SSL 3.0 and TLS in the format of SSL 2.0 | `hello.rs` |
//!
//! Spec: SSL2.

pub(crate) mod channel;
pub(crate) mod cipher_kinds;
pub(crate) mod client;
pub(crate) mod handshake;
pub(crate) mod hello;
mod key_exchange;
mod keys;
pub(crate) mod messages;
pub(crate) mod record;
pub(crate) mod server;

#[cfg(test)]
mod tests;
