//! A program that has one end of a handshake by another implementation, and does with it what it is told, line by line: see
//! `peers/ntlm_peer.py`.

use test_support::hex;

use super::process::Launch;
use super::{PeerError, Process};

/// One end of a handshake, in a process of its own.
#[derive(Debug)]
pub struct Driven {
    process: Process,
}

impl Driven {
    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// It could not be started.
    pub(super) fn start(launch: &Launch) -> Result<Self, PeerError> {
        let mut process = launch.start()?;
        match process.read_line()?.as_deref().map(str::trim) {
            Some("ready") => Ok(Self { process }),
            _ => Err(process.error("it did not start")),
        }
    }

    fn ask(&mut self, command: &str, arguments: &[&[u8]]) -> Result<(String, String), PeerError> {
        let mut line = command.to_owned();
        for argument in arguments {
            line += &format!(" {}", hex::encode(argument));
        }
        self.process.send(format!("{line}\n").as_bytes())?;
        let answer = self.process.read_line()?.ok_or_else(|| self.process.error("it ended"))?;
        let (kind, rest) = answer.trim_end_matches('\n').split_once(' ').unwrap_or((&answer, ""));
        if kind == "error" { Err(PeerError::new(rest)) } else { Ok((kind.to_owned(), rest.to_owned())) }
    }

    fn data(&mut self, command: &str, arguments: &[&[u8]]) -> Result<Vec<u8>, PeerError> {
        let (_, rest) = self.ask(command, arguments)?;
        Ok(hex::decode(&rest))
    }

    /// Takes a token, an empty one for the first of a client; whether it is done, and what it says.
    ///
    /// # Errors
    /// It refuses.
    pub fn step(&mut self, token: &[u8]) -> Result<(bool, Vec<u8>), PeerError> {
        let (_, rest) = self.ask("step", &[token])?;
        let (done, token) = rest.split_once(' ').unwrap_or((&rest, ""));
        Ok((done == "1", hex::decode(token)))
    }

    /// Begins another handshake in the same process, which remembers what it remembers of those before.
    ///
    /// # Errors
    /// It cannot.
    pub fn again(&mut self) -> Result<(), PeerError> {
        self.data("again", &[]).map(drop)
    }

    /// Signs, and encrypts where that was negotiated.
    ///
    /// # Errors
    /// It refuses.
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("wrap", &[message])
    }

    /// What is in such a message.
    ///
    /// # Errors
    /// The signature is another one.
    pub fn unwrap(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("unwrap", &[message])
    }

    /// A signature.
    ///
    /// # Errors
    /// It refuses.
    pub fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, PeerError> {
        self.data("sign", &[message])
    }

    /// Compares a signature.
    ///
    /// # Errors
    /// It is another one.
    pub fn verify(&mut self, message: &[u8], signature: &[u8]) -> Result<(), PeerError> {
        self.data("verify", &[message, signature]).map(drop)
    }

    /// The session key.
    ///
    /// # Errors
    /// There is none.
    pub fn session_key(&mut self) -> Result<Vec<u8>, PeerError> {
        self.data("key", &[])
    }

    /// Who the other end is.
    ///
    /// # Errors
    /// It does not know.
    pub fn peer(&mut self) -> Result<String, PeerError> {
        self.ask("peer", &[]).map(|(_, name)| name)
    }
}
