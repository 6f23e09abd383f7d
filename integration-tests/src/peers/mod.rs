//! Real peers: each is started with the options of this module, waits until it listens, and is killed with all that it
//! started when it is dropped. What it printed is in its log, which is printed when a test fails.

pub mod curl;
pub mod gnutls;
pub mod java;
pub mod openssl;
mod output;
pub mod ports;
pub mod process;
pub mod python;
mod report;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fmt, fs, io};

use test_support::{Pki, TestCertificate};

use crate::{Content, Pattern};

pub use ports::free_port;
pub use process::{PeerError, Process};
pub use report::Negotiated;
pub(crate) use report::listening_port;

/// Programs that speak TLS and that we did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// `openssl`, 3.0 or later.
    OpenSsl,
    /// `gnutls-serv` and `gnutls-cli`.
    GnuTls,
    /// `curl` with https.
    Curl,
    /// `python3` with its ssl module.
    Python,
    /// `java` and `javac`, 17 or later.
    Java,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::OpenSsl, Self::GnuTls, Self::Curl, Self::Python, Self::Java];

    /// Whether it can be run here.
    ///
    /// # Errors
    ///
    /// What is missing, and the Debian package that has it.
    pub fn available(self) -> Result<(), String> {
        match self {
            Self::OpenSsl => openssl::available(),
            Self::GnuTls => gnutls::available(),
            Self::Curl => curl::available(),
            Self::Python => python::available(),
            Self::Java => java::available(),
        }
    }

    /// The name by which the matrix and `skipped.toml` call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::GnuTls => "gnutls",
            Self::Curl => "curl",
            Self::Python => "python",
            Self::Java => "java",
        }
    }

    /// Its version as it prints it, the first line.
    ///
    /// # Errors
    ///
    /// It could not be run.
    pub fn version(self) -> io::Result<String> {
        const PYTHON: &str =
            "import sys, ssl; print('Python', sys.version.split()[0], 'with', ssl.OPENSSL_VERSION)";
        let (program, arguments): (&str, &[&str]) = match self {
            Self::OpenSsl => ("openssl", &["version"]),
            Self::GnuTls => ("gnutls-cli", &["--version"]),
            Self::Curl => ("curl", &["-q", "--version"]),
            Self::Python => ("python3", &["-c", PYTHON]),
            Self::Java => ("java", &["--version"]),
        };
        let output = Command::new(program).args(arguments).output()?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(printed.lines().next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenSsl => "OpenSSL",
            Self::GnuTls => "GnuTLS",
            Self::Curl => "curl",
            Self::Python => "Python's ssl",
            Self::Java => "Java's JSSE",
        })
    }
}

/// Says whether a test can run that needs these peers.
///
/// # Errors
///
/// "not run: …", for the test to print before it returns.
///
/// # Panics
///
/// If one is missing and the environment says `OPENSSPI_PEERS=required`, as CI does.
pub fn require(peers: &[Peer]) -> Result<(), String> {
    let missing: Vec<String> = peers.iter().filter_map(|peer| peer.available().err()).collect();
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

/// Prints a line about this test on standard error, even where the test harness captures output.
pub fn note(what: &str) {
    let thread = std::thread::current();
    // Standard error that is closed is no reason to fail.
    drop(writeln!(io::stderr(), "{}: {what}", thread.name().unwrap_or("test")));
}

/// The one protocol version that a peer is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    /// As OpenSSL, Java and [`Negotiated::version`] print it: `TLSv1.2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// `1.2` or `1.3`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a server asks of its clients.
#[derive(Clone, Debug, Default)]
pub enum ClientAuth {
    /// No CertificateRequest.
    #[default]
    None,
    /// A certificate, if the client has one, issued under this root (PEM).
    Request(String),
    /// A certificate issued under this root (PEM), or no connection.
    Require(String),
}

/// What a server peer is started with. It listens on 127.0.0.1, or on all addresses where it knows no better.
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerOptions {
    certificate: TestCertificate,
    version: Option<Version>,
    ciphers: Option<String>,
    client_auth: ClientAuth,
    alpn: Vec<String>,
    tickets: bool,
    ocsp_response: Option<Vec<u8>>,
    arguments: Vec<String>,
}

impl ServerOptions {
    /// A server with this certificate, TLS 1.2 and 1.3, tickets, no client certificates and no ALPN.
    pub fn new(certificate: &TestCertificate) -> Self {
        Self {
            certificate: certificate.clone(),
            version: None,
            ciphers: None,
            client_auth: ClientAuth::None,
            alpn: Vec::new(),
            tickets: true,
            ocsp_response: None,
            arguments: Vec::new(),
        }
    }

    /// This version only.
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.version = version.into();
        self
    }

    /// Cipher suites in the peer's own words: OpenSSL's and Python's cipher list (TLS 1.2; with
    /// [`version`](Self::version) TLS 1.3 OpenSSL's ciphersuites), Java's names divided by commas, or what follows in
    /// GnuTLS's priority string.
    pub fn ciphers(mut self, ciphers: &str) -> Self {
        self.ciphers = Some(ciphers.to_owned());
        self
    }

    /// Asks for a client certificate issued by this PKI.
    pub fn request_client_certificate(mut self, pki: &Pki) -> Self {
        self.client_auth = ClientAuth::Request(pki.root_pem());
        self
    }

    /// Insists on a client certificate issued by this PKI.
    pub fn require_client_certificate(mut self, pki: &Pki) -> Self {
        self.client_auth = ClientAuth::Require(pki.root_pem());
        self
    }

    /// ALPN protocols, preferred first.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = owned(protocols);
        self
    }

    /// Without session tickets, so that TLS 1.2 resumes by session ID.
    pub fn without_tickets(mut self) -> Self {
        self.tickets = false;
        self
    }

    /// Staples this response (DER). OpenSSL and GnuTLS only.
    pub fn ocsp_response(mut self, der: Vec<u8>) -> Self {
        self.ocsp_response = Some(der);
        self
    }

    /// One more argument for the peer's command line (for Java, the virtual machine's).
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// What a client peer is started with. It connects to 127.0.0.1.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientOptions {
    port: u16,
    server_name: String,
    root: Option<String>,
    certificate: Option<TestCertificate>,
    version: Option<Version>,
    ciphers: Option<String>,
    alpn: Vec<String>,
    tickets: bool,
    rounds: usize,
    bytes: u64,
    seed: u64,
    write_size: usize,
    arguments: Vec<String>,
}

impl ClientOptions {
    /// A client that connects to `port`, expects the name `localhost` in a certificate issued by `pki`, and has none
    /// itself; TLS 1.2 and 1.3, no ALPN, one connection.
    pub fn new(port: u16, pki: &Pki) -> Self {
        Self { root: Some(pki.root_pem()), ..Self::unverified(port) }
    }

    /// The same, content with any certificate.
    pub fn unverified(port: u16) -> Self {
        Self {
            port,
            server_name: "localhost".to_owned(),
            root: None,
            certificate: None,
            version: None,
            ciphers: None,
            alpn: Vec::new(),
            tickets: true,
            rounds: 1,
            bytes: 1000,
            seed: 1,
            write_size: 16_384,
            arguments: Vec::new(),
        }
    }

    /// The server's name, in SNI and in the certificate.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = name.to_owned();
        self
    }

    /// A certificate for when the server asks.
    pub fn certificate(mut self, certificate: &TestCertificate) -> Self {
        self.certificate = Some(certificate.clone());
        self
    }

    /// This version only.
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.version = version.into();
        self
    }

    /// As [`ServerOptions::ciphers`].
    pub fn ciphers(mut self, ciphers: &str) -> Self {
        self.ciphers = Some(ciphers.to_owned());
        self
    }

    /// ALPN protocols, preferred first. curl knows `http/1.1` and `h2`, GnuTLS offers the first only.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = owned(protocols);
        self
    }

    /// Takes no session tickets, so that TLS 1.2 resumes by session ID.
    pub fn without_tickets(mut self) -> Self {
        self.tickets = false;
        self
    }

    /// So many connections one after the other, each but the first offering the session of the one before. Python and
    /// Java only.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sends so many bytes of the [`Pattern`] and checks the echo. Python and Java only.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The seed of the pattern.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Bytes to a write, 16,384 if never said. Python and Java only.
    pub fn write_size(mut self, bytes: usize) -> Self {
        self.write_size = bytes;
        self
    }

    /// One more argument for the peer's command line (for Java, the virtual machine's).
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// The port that it connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it connects.
    pub fn count(&self) -> usize {
        self.rounds
    }

    /// The name that it expects.
    pub fn expected_name(&self) -> &str {
        &self.server_name
    }

    /// What it sends.
    pub fn content(&self) -> Content {
        Pattern::new(self.seed).content(self.bytes)
    }

    /// How long one run may take: 20 seconds, and more for many bytes or connections.
    pub fn patience(&self) -> Duration {
        let megabytes = self.bytes * self.rounds as u64 / 1_000_000;
        Duration::from_secs(20 + megabytes + self.rounds as u64)
    }
}

/// The files a peer is given, in a folder of its own that goes when the peer goes.
#[derive(Debug)]
pub(crate) struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { folder: tempfile::Builder::new().prefix("opensspi-peer-").tempdir()? })
    }

    /// Writes a file and gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, content)?;
        Ok(argument(&path))
    }

    /// Writes chain and key, and gives their paths.
    pub(crate) fn certificate(&self, certificate: &TestCertificate) -> io::Result<(String, String)> {
        let files = certificate.write_as(self.folder.path(), "certificate")?;
        Ok((argument(&files.chain), argument(&files.key)))
    }

    /// The path of a file that the peer will write.
    fn reserve(&self, name: &str) -> String {
        argument(&self.folder.path().join(name))
    }
}

/// A path of ours as a command-line argument.
fn argument(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
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
