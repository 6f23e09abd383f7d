//! What a peer is started with, whichever it is.

use std::ops::RangeInclusive;
use std::time::Duration;

use test_support::Pki;

use super::{Identity, Version};
use crate::{Content, Pattern};

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
    pub(super) certificate: Identity,
    pub(super) version: Option<Version>,
    pub(super) ciphers: Option<String>,
    pub(super) client_auth: ClientAuth,
    pub(super) alpn: Vec<String>,
    pub(super) tickets: bool,
    pub(super) ocsp_response: Option<Vec<u8>>,
    pub(super) arguments: Vec<String>,
}

impl ServerOptions {
    /// A server with this certificate, TLS 1.2 and 1.3, tickets, no client certificates and no ALPN.
    pub fn new(certificate: impl Into<Identity>) -> Self {
        Self {
            certificate: certificate.into(),
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
    /// [`version`](Self::version) TLS 1.3 OpenSSL's ciphersuites), names or numbers divided by commas for the programs in
    /// `peers/`, what follows in GnuTLS's priority string (a whole one if it begins with `NONE`), or NSS's `:0004:0005`.
    pub fn ciphers(mut self, ciphers: &str) -> Self {
        self.ciphers = Some(ciphers.to_owned());
        self
    }

    /// Asks for a client certificate issued by this PKI.
    pub fn request_client_certificate(self, pki: &Pki) -> Self {
        self.client_auth(ClientAuth::Request(pki.root_pem()))
    }

    /// Insists on a client certificate issued by this PKI.
    pub fn require_client_certificate(self, pki: &Pki) -> Self {
        self.client_auth(ClientAuth::Require(pki.root_pem()))
    }

    /// What it asks of its clients.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
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

/// How a server sends its clients content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Service {
    /// It sends every byte back.
    #[default]
    Echo,
    /// It sends lines of text back.
    Lines,
    /// It answers one HTTP request with the file of this path, of content with the seed
    /// [`HTTP_BODY_SEED`](crate::ours::HTTP_BODY_SEED).
    Http(String),
}

/// What a client peer is started with. It connects to 127.0.0.1.
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientOptions {
    pub(super) port: u16,
    pub(super) server_name: String,
    pub(super) root: Option<String>,
    pub(super) certificate: Option<Identity>,
    pub(super) version: Option<Version>,
    pub(super) ciphers: Option<String>,
    pub(super) alpn: Vec<String>,
    pub(super) tickets: bool,
    pub(super) each: bool,
    pub(super) rounds: usize,
    pub(super) bytes: u64,
    pub(super) seed: u64,
    pub(super) service: Service,
    pub(super) posts: bool,
    pub(super) write_sizes: RangeInclusive<usize>,
    pub(super) arguments: Vec<String>,
}

impl ClientOptions {
    /// A client that connects to `port`, expects the name `localhost` in a certificate issued by `pki`, and has none
    /// itself; TLS 1.2 and 1.3, no ALPN, one connection.
    pub fn new(port: u16, pki: &Pki) -> Self {
        Self::trusting(port, pki.root_pem())
    }

    /// The same with a root in PEM.
    pub fn trusting(port: u16, root: String) -> Self {
        Self { root: Some(root), ..Self::unverified(port) }
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
            each: false,
            rounds: 1,
            bytes: 1000,
            seed: 1,
            service: Service::Echo,
            posts: false,
            write_sizes: 16_384..=16_384,
            arguments: Vec::new(),
        }
    }

    /// The server's name, in SNI and in the certificate.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = name.to_owned();
        self
    }

    /// A certificate for when the server asks.
    pub fn certificate(mut self, certificate: impl Into<Identity>) -> Self {
        self.certificate = Some(certificate.into());
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

    /// One connection for each of the ciphers, offering that one only. Programs in `peers/` only.
    pub fn each(mut self) -> Self {
        self.each = true;
        self
    }

    /// So many connections one after the other, each but the first offering the session of the one before.
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds;
        self
    }

    /// Sends so many bytes of the [`Pattern`] and checks the echo.
    pub fn bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The seed of the pattern.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Bytes to a write, 16,384 if never said. Programs in `peers/` only.
    pub fn write_size(self, bytes: usize) -> Self {
        self.write_sizes(bytes..=bytes)
    }

    /// Writes that grow by a byte each, and begin again when they are at the end. Programs in `peers/` only.
    pub fn write_sizes(mut self, bytes: RangeInclusive<usize>) -> Self {
        self.write_sizes = bytes;
        self
    }

    /// One more argument for the peer's command line (for Java, the virtual machine's).
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// How its server sends content, [`Service::Echo`] if never said.
    pub fn service_is(mut self, service: Service) -> Self {
        self.service = service;
        self
    }

    /// It posts its content to [`Service::Http`](crate::ours::Service::Http) of ours. NSS only.
    pub fn posting(mut self) -> Self {
        self.posts = true;
        self
    }

    /// How its server sends content.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Whether it posts.
    pub fn posts(&self) -> bool {
        self.posts
    }

    /// The port that it connects to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it connects with each of its ciphers.
    pub fn count(&self) -> usize {
        self.rounds
    }

    /// The name that it expects.
    pub fn expected_name(&self) -> &str {
        &self.server_name
    }

    /// What it sends.
    pub fn content(&self) -> Content {
        let content = Pattern::new(self.seed).content(self.bytes);
        if self.service == Service::Lines { content.as_lines() } else { content }
    }

    /// How long one run may take: 30 seconds, and more for many bytes, writes or connections. A write may wait for the other end,
    /// and on a machine with much to do for its turn.
    pub fn patience(&self) -> Duration {
        let offers =
            if self.each { self.ciphers.iter().flat_map(|ciphers| ciphers.split(',')).count() } else { 1 };
        let connections = (self.rounds * offers) as u64;
        let average = (self.write_sizes.start() + self.write_sizes.end()).div_ceil(2).max(1) as u64;
        let writes = self.bytes / average;
        Duration::from_secs(30 + connections * (1 + self.bytes / 1_000_000 + writes / 500))
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
