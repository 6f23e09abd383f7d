//! SSL 3.0, TLS 1.0, TLS 1.1 and TLS 1.2: one handshake, and a row of rules for each version.

pub(crate) mod alert;
pub(crate) mod channel;
pub(crate) mod cipher_suites;
pub(crate) mod client;
pub(crate) mod extensions;
mod finished;
pub(crate) mod key_exchange;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod server;
pub(crate) mod signature;
pub(crate) mod transcript;
pub(crate) mod versions;

#[cfg(test)]
pub(crate) mod tests;
