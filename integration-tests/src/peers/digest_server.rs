//! A server of HTTP Digest on Python's hashlib, in `peers/http_digest_server.py`: every algorithm, quality and option. It knows the
//! accounts of [`digest`](crate::digest), and what it asks for stands in the query of the target.

use super::process::{Launch, Stdout};
use super::{PeerError, Process, free_port};

/// The server, which runs until it is dropped.
#[derive(Debug)]
pub struct DigestServer {
    process: Process,
    port: u16,
}

impl DigestServer {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come up.
    pub fn start() -> Result<Self, PeerError> {
        let port = free_port();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_digest_server.py");
        let mut launch = Launch::new("python3", Stdout::Data);
        launch.arguments(["-B", script, &port.to_string()]);
        let mut process = launch.start()?;
        match process.read_line()?.as_deref().map(str::trim) {
            Some("ready") => Ok(Self { process, port }),
            other => Err(process.error(format!("{other:?}"))),
        }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it said.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
