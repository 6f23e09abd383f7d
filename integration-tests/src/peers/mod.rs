//! Real peers: each is started with the options of this module, waits until it listens, and is killed with all that it
//! started when it is dropped. What it printed is in its log, which is printed when a test fails.

pub mod apache;
pub mod curl;
pub mod cyrus;
pub mod digest_server;
pub mod driven;
pub mod fetched;
mod files;
pub mod gnutls;
pub mod gsasl;
pub mod gss;
mod installed;
pub mod java;
pub mod lighttpd;
pub mod neon;
pub mod nss;
pub mod ntlm;
pub mod openssl;
mod options;
mod output;
mod peer;
pub mod ports;
pub mod process;
pub mod program;
pub mod python;
pub mod redis;
pub mod report;
pub mod samba;
pub mod scanners;
pub mod slapd;
mod version;

use std::io::Write as _;
use std::path::PathBuf;
use std::{env, io};

pub use files::Identity;
pub use installed::installed;
pub use options::{ClientAuth, ClientOptions, ServerOptions, Service};
pub use peer::Peer;
pub use ports::free_port;
pub use process::{PeerError, Process};
pub use report::Negotiated;
pub use version::Version;

pub(crate) use files::Files;
use files::argument;
use process::derefs_to_process;
pub(crate) use report::listening_port;

/// Says whether a test can run that needs these peers.
///
/// # Errors
///
/// "not run: …", for the test to print before it returns.
///
/// # Panics
///
/// If one is missing, no machine may be without it ([`Peer::is_optional`]), and the environment says
/// `OPENSSPI_PEERS=required`, as CI does.
pub fn require(peers: &[Peer]) -> Result<(), String> {
    let missing = |optional| {
        let peers = peers.iter().filter(move |peer| peer.is_optional() == optional);
        peers.filter_map(|peer| peer.available().err()).collect::<Vec<_>>()
    };
    judge(missing(false))?;
    let optional = missing(true);
    if optional.is_empty() { Ok(()) } else { Err(format!("not run: {}", optional.join("; "))) }
}

fn judge(missing: Vec<String>) -> Result<(), String> {
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join("; ");
    assert!(
        env::var("OPENSSPI_PEERS").as_deref() != Ok("required"),
        "OPENSSPI_PEERS=required, but: {missing}"
    );
    Err(format!("not run: {missing}"))
}

/// [`require`] for the first line of a test: false, and the reason on standard error even where the test harness
/// captures output, if a peer is missing.
#[must_use]
pub fn runnable(peers: &[Peer]) -> bool {
    let verdict = require(peers);
    if let Err(reason) = &verdict {
        note(reason);
    }
    verdict.is_ok()
}

/// The same for a peer that is no [`Peer`]: `available` says why it cannot run, if it cannot.
#[must_use]
pub fn runnable_with(available: Result<(), String>) -> bool {
    let verdict = judge(available.err().into_iter().collect());
    if let Err(reason) = &verdict {
        note(reason);
    }
    verdict.is_ok()
}

/// Prints a line about this test on standard error, even where the test harness captures output.
pub fn note(what: &str) {
    let thread = std::thread::current();
    // Standard error that is closed is no reason to fail.
    drop(writeln!(io::stderr(), "{}: {what}", thread.name().unwrap_or("test")));
}

/// Where a program is, by PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Ok if all these programs are there.
fn programs_available(names: &[&str], package: &str) -> Result<(), String> {
    match names.iter().find(|name| find_program(name).is_none()) {
        Some(name) => Err(format!("{name} is not in PATH (Debian: apt-get install {package})")),
        None => Ok(()),
    }
}
