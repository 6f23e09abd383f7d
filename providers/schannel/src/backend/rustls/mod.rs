//! The rustls backend: TLS 1.3, and TLS 1.2 with the suites that rustls has. The only folder that names rustls.
//!
//! rustls runs the handshake through its unbuffered API; when it is complete the keys are taken out and the records are
//! [`records`]. What rustls tells only in callbacks arrives through [`observed`], what passes in clear is read by
//! [`transcript`].

mod configs;
mod error;
mod established;
mod handshake;
mod key_schedule;
mod observed;
mod older_versions;
mod pump;
mod record_aead;
pub(crate) mod records;
pub(crate) mod secret;
mod sessions;
mod transcript;
mod verify;

pub(crate) use configs::{ClientConfigs, OwnKey, ServerConfigs, server_part};
pub(crate) use established::Established;
pub(crate) use handshake::Handshake;
pub(crate) use observed::SteadyClock;
