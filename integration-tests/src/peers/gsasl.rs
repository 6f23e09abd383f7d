//! GNU SASL's `gsasl`, which speaks a mechanism over its standard input and output: tokens in base64, with words around them.

use std::fmt;

use super::process::{Launch, Stdout};
use super::{PeerError, Process, find_program};
use crate::digest::{PASSWORD, REALM, USER, base64};

/// The service that both ends mean.
pub const SERVICE: &str = "imap/localhost";

/// Why it cannot be run here.
///
/// # Errors
///
/// It is not there.
pub fn available() -> Result<(), String> {
    match find_program("gsasl") {
        Some(_) => Ok(()),
        None => Err("gsasl is not in PATH (Debian: apt-get install gsasl)".to_owned()),
    }
}

/// A running `gsasl`, of one handshake with DIGEST-MD5.
pub struct Gsasl {
    process: Process,
    role: &'static str,
}

impl Gsasl {
    /// A client with this password and this protection (`qop-auth`, `qop-int`).
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn client(password: &str, qop: &str) -> Result<Self, PeerError> {
        Self::start(
            "client",
            &["--authentication-id", USER, "--password", password, "--quality-of-protection", qop],
        )
    }

    /// A server that has authentication alone, which is all that this program offers.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn server() -> Result<Self, PeerError> {
        Self::start("server", &["--password", PASSWORD])
    }

    fn start(role: &'static str, arguments: &[&str]) -> Result<Self, PeerError> {
        // Its output goes to a pipe, and would come at the end only.
        let mut launch = Launch::new("stdbuf", Stdout::Data);
        let (service, host) = SERVICE.split_once('/').unwrap_or_default();
        launch.arguments([
            "-o0",
            "gsasl",
            &format!("--{role}"),
            "--mechanism",
            "DIGEST-MD5",
            "--no-starttls",
        ]);
        launch.arguments(["--no-cb", "--service", service, "--hostname", host, "--realm", REALM]);
        launch.arguments(arguments.iter().copied());
        let mut process = launch.start()?;
        // Its words go to standard error, but for the name of the mechanism.
        match process.read_line()? {
            Some(line) if line.trim_end() == "DIGEST-MD5" => Ok(Self { process, role }),
            _ => Err(process.error("it does not say which mechanism it uses")),
        }
    }

    /// Its next token; empty where it has nothing to say.
    ///
    /// # Errors
    ///
    /// It ended.
    pub fn token(&mut self) -> Result<Vec<u8>, PeerError> {
        let line = self.process.read_line()?;
        let line = line.ok_or_else(|| self.process.error("it ended"))?;
        base64::decode(line.trim_end()).ok_or_else(|| self.process.error(format!("{line:?} is no base64")))
    }

    /// Gives it a token.
    ///
    /// # Errors
    ///
    /// It ended.
    pub fn send(&mut self, token: &[u8]) -> Result<(), PeerError> {
        self.process.send(format!("{}\n", base64::encode(token)).as_bytes())
    }

    /// Waits until it says that the handshake is over and the peer trusted.
    ///
    /// # Errors
    ///
    /// It does not say so.
    pub fn finish(&mut self) -> Result<(), PeerError> {
        self.process.wait_for("authentication finished").map(drop)
    }

    /// What it makes of a line: a protected message with its length in front.
    ///
    /// # Errors
    ///
    /// It ended.
    pub fn protect(&mut self, line: &str) -> Result<Vec<u8>, PeerError> {
        self.process.send(format!("{line}\n").as_bytes())?;
        self.token()
    }

    /// What it says when it does not trust the peer, at its end.
    ///
    /// # Errors
    ///
    /// It does not end.
    pub fn refusal(&mut self) -> Result<String, PeerError> {
        self.process.close_input();
        self.process.read_to_end()?;
        self.process.wait()?;
        Ok(self.process.log())
    }
}

impl fmt::Debug for Gsasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gsasl").field("role", &self.role).finish_non_exhaustive()
    }
}
