//! The legacy backend: the engine of `legacy-tls` for everything that rustls leaves out.
//!
//! | what | where |
//! |---|---|
//! | the engine's configurations, from ours | `configs.rs` |
//! | a handshake as opaque tokens | `handshake.rs` |
//! | its records | `records.rs` |
//! | who judges certificates | `verify.rs` |
//! | its errors, in our own families | `error.rs` |

mod configs;
mod error;
mod handshake;
pub(crate) mod records;
mod verify;

pub(crate) use configs::{ClientConfigs, ServerConfigs};
pub(crate) use handshake::{Established, Handshake, on_connection};
