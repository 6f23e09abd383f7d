//! Python's ssl module, in `peers/python_peer.py`: OpenSSL again, driven in another way, and the one peer that tells
//! tls-unique.

use super::process::{Launch, Stdout};
use super::program::{self, Program};
use super::{ClientOptions, Negotiated, PeerError, programs_available};

/// Whether `python3` is there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["python3"], "python3")
}

/// Python's ssl module.
#[derive(Debug)]
pub struct Python;

impl Program for Python {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        let mut launch = Launch::new("python3", Stdout::Data);
        launch.arguments(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_peer.py")]);
        Ok(launch)
    }
}

/// A running echo server, each connection in a thread of its own.
pub type Server = program::Server<Python>;

/// [`program::echo`].
///
/// # Errors
///
/// Those of [`program::echo`].
pub fn echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    program::echo::<Python>(options)
}
