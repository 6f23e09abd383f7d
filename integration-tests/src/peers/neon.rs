//! neon, a client library of HTTP, in `peers/neon_peer.py`: the one that looks at what a server proves.

use std::path::Path;

use serde::Deserialize;

use super::PeerError;
use super::process::{Launch, Stdout};

/// What one request came to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Said {
    /// The status of the last response.
    pub status: u16,
    /// Its body, where it is a good one.
    pub text: String,
    /// What neon has against the response; empty where all is well.
    pub against: String,
}

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    let there = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .iter()
        .any(|triplet| Path::new(&format!("/usr/lib/{triplet}/libneon.so.27")).exists());
    if there { Ok(()) } else { Err("libneon is not there (Debian: apt-get install libneon27)".to_owned()) }
}

/// Two requests with Digest over one connection.
///
/// # Errors
///
/// It says something else.
pub fn ask_twice(
    method: &str,
    port: u16,
    target: &str,
    user: &str,
    password: &str,
) -> Result<[Said; 2], PeerError> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/neon_peer.py");
    let mut launch = Launch::new("python3", Stdout::Data);
    launch.arguments(["-B", script, method, &port.to_string(), target, user, password]);
    let mut process = launch.start()?;
    let said = process.read_to_end()?;
    let lines = String::from_utf8_lossy(&said).lines().map(serde_json::from_str).collect();
    let said: Vec<Said> =
        Result::map_err(lines, |error: serde_json::Error| process.error(error.to_string()))?;
    said.try_into().map_err(|said| process.error(format!("it says {said:?}")))
}
