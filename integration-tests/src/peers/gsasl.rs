//! GNU SASL's library, in `peers/gsasl_peer.py`: one end of DIGEST-MD5, driven token by token.

use std::path::Path;

use super::PeerError;
use super::driven::Driven;
use super::process::{Launch, Stdout};
use crate::digest::{REALM, USER};

/// The service that both ends mean.
pub const SERVICE: &str = "imap/localhost";

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    let there = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|triplet| Path::new(&format!("/usr/lib/{triplet}/libgsasl.so.18")).exists());
    if there { Ok(()) } else { Err("libgsasl is not there (Debian: apt-get install libgsasl18)".to_owned()) }
}

/// A client or a server with this password, and the protections that it wants or offers: `qop-auth`, `qop-int`, with a comma
/// between them.
///
/// # Errors
///
/// It could not be started.
pub fn start(is_client: bool, password: &str, protections: &str) -> Result<Driven, PeerError> {
    let (service, host) = SERVICE.split_once('/').unwrap_or_default();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/gsasl_peer.py");
    let role = if is_client { "client" } else { "server" };
    let mut launch = Launch::new("python3", Stdout::Data);
    launch.arguments(["-B", script, role, USER, password, REALM, service, host, protections]);
    Driven::start(&launch)
}
