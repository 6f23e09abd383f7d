//! Programs on libraries of long ago: `peers/tlslite_peer.py`, `scapy_peer.py`, `nassl_peer.py` and `node010_peer.js`.

use super::process::{Launch, Stdout};
use super::program::{self, Program};
use super::{PeerError, argument, installed};

/// tlslite-ng: SSL 3.0 to TLS 1.2 in Python.
#[derive(Debug)]
pub struct Tlslite;

/// scapy: records and messages as Python objects; the one with the EXPORT1024 suites.
#[derive(Debug)]
pub struct Scapy;

/// nassl: OpenSSL 1.0.2e, a client.
#[derive(Debug)]
pub struct Nassl;

/// Node.js 0.10.28: OpenSSL 1.0.1g.
#[derive(Debug)]
pub struct Node;

/// SSL 2.0 in plain Python from the document, in `reference/ssl2.py`.
#[derive(Debug)]
pub struct Ssl2Reference;

/// An echo server on the reference of SSL 2.0. It serves one connection after the other.
pub type Ssl2ReferenceServer = program::Server<Ssl2Reference>;

/// An echo server on tlslite-ng.
pub type TlsliteServer = program::Server<Tlslite>;

/// An echo server on scapy. It serves one connection after the other.
pub type ScapyServer = program::Server<Scapy>;

/// An echo server on Node.js 0.10.
pub type NodeServer = program::Server<Node>;

const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

fn python(program: &str) -> Result<Launch, PeerError> {
    let python = installed("python").map_err(PeerError::new)?.join("bin/python");
    let mut launch = Launch::new(&argument(&python), Stdout::Data);
    launch.arguments(["-B", &format!("{PROGRAMS}/{program}")]);
    Ok(launch)
}

impl Program for Tlslite {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        python("tlslite_peer.py")
    }
}

impl Program for Ssl2Reference {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        python("../reference/ssl2.py")
    }
}

impl Program for Scapy {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        python("scapy_peer.py")
    }
}

impl Program for Nassl {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        python("nassl_peer.py")
    }
}

impl Program for Node {
    fn launch(_: &[String], _: bool) -> Result<Launch, PeerError> {
        let node = installed("node").map_err(PeerError::new)?.join("bin/node");
        let mut launch = Launch::new(&argument(&node), Stdout::Data);
        launch.argument(format!("{PROGRAMS}/node010_peer.js"));
        Ok(launch)
    }
}
