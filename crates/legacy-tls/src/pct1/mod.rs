//! PCT 1.0: the protocol of draft-benaloh-pct-00, and of nothing newer (revision 01 describes another one).
//!
//! It promises no confidentiality today: its hashes and most of its ciphers are broken, and a record's header is not
//! authenticated. It is here for peers that have nothing else.
//!
//! | what | where |
//! |---|---|
//! | what the draft leaves open, and how it is read here | `readings.rs` |
//! | ciphers, hashes and the other specifications, by their codes | `specs.rs` |
//! | the five messages | `messages.rs` |
//! | the SSL 2.0 hello in which PCT hides | `unified.rs` |
//! | keys, prelude and responses | `keys.rs` |
//! | records | `records.rs`, `channel.rs` |
//! | the expectations of either role | `client/`, `server/`, `both_roles.rs`, run by `handshake.rs` |
//! | how an error is told to the peer | `error.rs` |
//!
//! Not here: the exchanges with tokens and Diffie-Hellman and the hash `DES_DM`, which the draft does not define far enough
//! for two implementations to agree, and the certificate type PKCS #7.
//!
//! Spec: PCT1.

pub(crate) mod both_roles;
pub(crate) mod channel;
pub(crate) mod client;
pub(crate) mod error;
pub(crate) mod handshake;
pub(crate) mod keys;
pub(crate) mod messages;
pub(crate) mod readings;
pub(crate) mod records;
pub(crate) mod server;
pub(crate) mod specs;
#[cfg(test)]
mod tests;
pub(crate) mod unified;

pub(crate) use self::channel::refusal;
pub use self::error::{Broken, ErrorCode, Mismatch, Received};
pub use self::handshake::Previous;
pub use self::specs::{BY_PREFERENCE, suites};
pub(crate) use self::unified::{is_offered_in, suites_offered_in};
