//! GnuTLS's `gnutls-serv` and `gnutls-cli`.
//!
//! The echo of `gnutls-serv` is for text: it answers whole lines, up to the first NUL, and makes CR LF a line feed.
//! [`Pattern::lines`](crate::Pattern::lines) is what it can carry. The client's pipes carry everything.
//!
//! With `--inline-commands` the client takes `^rekey^`, `^renegotiate^` and `^resume^` as lines of its input.

use std::fs;

use super::process::{Launch, Stdout};
use super::report::after;
use super::{
    ClientAuth, ClientOptions, Files, Negotiated, PeerError, Process, ServerOptions, Version,
    derefs_to_process, free_port, programs_available,
};

/// Whether `gnutls-serv` and `gnutls-cli` are there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["gnutls-serv", "gnutls-cli"], "gnutls-bin")
}

/// What a server does with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Sends each line back.
    Echo,
    /// Answers `GET /` with a page about the connection.
    Http,
}

/// A running `gnutls-serv`.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    _files: Files,
}

derefs_to_process!(Server);

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come to listen.
    pub fn start(options: &ServerOptions, mode: Mode) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let port = free_port();
        let (chain, key) = files.certificate(&options.certificate)?;
        let mut launch = Launch::new("gnutls-serv", Stdout::Log);
        launch.argument(if mode == Mode::Echo { "--echo" } else { "--http" });
        launch.arguments([
            format!("--port={port}"),
            format!("--x509certfile={chain}"),
            format!("--x509keyfile={key}"),
            format!("--priority={}", priority(options.version, options.ciphers.as_deref())),
        ]);
        match &options.client_auth {
            ClientAuth::None => {
                launch.argument("--disable-client-cert");
            }
            ClientAuth::Request(root) => {
                let root = files.write("clients.pem", root)?;
                launch.argument("--verify-client-cert").argument(format!("--x509cafile={root}"));
            }
            ClientAuth::Require(root) => {
                let root = files.write("clients.pem", root)?;
                launch.argument("--verify-client-cert").argument("--require-client-cert");
                launch.argument(format!("--x509cafile={root}"));
            }
        }
        launch.arguments(options.alpn.iter().map(|protocol| format!("--alpn={protocol}")));
        if !options.tickets {
            launch.argument("--noticket");
        }
        if let Some(response) = &options.ocsp_response {
            launch.argument(format!("--ocsp-response={}", files.write("ocsp.der", response)?));
        }
        launch.arguments(&options.arguments);
        Ok(Self { process: launch.serve(port)?, port, _files: files })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A running `gnutls-cli`: application data from standard input and to standard output, nothing else.
#[derive(Debug)]
pub struct Client {
    process: Process,
    log_file: String,
    _files: Files,
}

derefs_to_process!(Client);

impl Client {
    /// Starts it. Returns before it has connected: reading waits for that.
    ///
    /// With `.argument("--resume").argument("--waitresumption")` it connects, disconnects and connects again with the
    /// session of the first connection; the pipes are joined to the second.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn start(options: &ClientOptions) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let log_file = files.reserve("log");
        let name = &options.server_name;
        let mut launch = Launch::new("gnutls-cli", Stdout::Data);
        launch.arguments([
            format!("--port={}", options.port),
            format!("--logfile={log_file}"),
            format!("--sni-hostname={name}"),
            format!("--verify-hostname={name}"),
            format!("--priority={}", priority(options.version, options.ciphers.as_deref())),
        ]);
        match &options.root {
            Some(root) => launch.argument(format!("--x509cafile={}", files.write("root.pem", root)?)),
            None => launch.argument("--insecure"),
        };
        if let Some(certificate) = &options.certificate {
            let (chain, key) = files.certificate(certificate)?;
            launch.arguments([format!("--x509certfile={chain}"), format!("--x509keyfile={key}")]);
        }
        launch.arguments(options.alpn.first().map(|protocol| format!("--alpn={protocol}")));
        if !options.tickets {
            launch.argument("--noticket");
        }
        launch.arguments(&options.arguments).argument("127.0.0.1");
        Ok(Self { process: launch.start()?, log_file, _files: files })
    }

    /// What it wrote to its log file so far.
    pub fn log_file(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }

    /// Closes its standard input, with which it closes the connection and ends, and says what was negotiated; with
    /// `--resume`, the second time. (Its log is in a file that it does not flush before.)
    ///
    /// # Errors
    ///
    /// The handshake failed, or what followed.
    pub fn finish(&mut self) -> Result<Negotiated, PeerError> {
        let status = self.process.wait()?;
        let log = self.log_file();
        if !status.success() {
            return Err(self.process.error(format!("gnutls-cli: {status}\n{log}")));
        }
        let last = log.rsplit("Connecting again").next().unwrap_or_default();
        let (version, cipher) = described(after(last, "- Description:").unwrap_or_default());
        Ok(Negotiated {
            version,
            cipher,
            alpn: after(last, "- Application protocol:").map(str::to_owned),
            resumed: last.contains("*** This is a resumed session"),
            ..Negotiated::default()
        })
    }
}

/// Version and cipher of `(TLS1.3-X.509)-(ECDHE-SECP256R1)-(ECDSA-SECP256R1-SHA256)-(AES-256-GCM)`, or of
/// `(TLS1.0-X.509)-(RSA)-(3DES-CBC)-(SHA1)`, whose cipher is `3DES-CBC-SHA1`.
fn described(description: &str) -> (String, String) {
    let parts: Vec<&str> =
        description.split('(').skip(1).map(|part| part.trim_end_matches([')', '-'])).collect();
    let version = parts.first().and_then(|first| first.split('-').next()).unwrap_or_default();
    let version = match version {
        "TLS1.0" => Version::Tls10.name().to_owned(),
        other => other.replace("TLS", "TLSv"),
    };
    let cipher = match parts.as_slice() {
        [.., cipher, mac] if mac.starts_with("SHA") || *mac == "MD5" => format!("{cipher}-{mac}"),
        [.., cipher] => (*cipher).to_owned(),
        [] => String::new(),
    };
    (version, cipher)
}

/// A priority string that begins with `NONE` is a whole one.
fn priority(version: Option<Version>, ciphers: Option<&str>) -> String {
    if let Some(whole) = ciphers.filter(|ciphers| ciphers.starts_with("NONE")) {
        return whole.to_owned();
    }
    let versions = match version {
        None => "+VERS-TLS1.2:+VERS-TLS1.3",
        Some(Version::Ssl20 | Version::Ssl30) => "+VERS-SSL3.0",
        Some(Version::Tls10) => "+VERS-TLS1.0",
        Some(Version::Tls11) => "+VERS-TLS1.1",
        Some(Version::Tls12) => "+VERS-TLS1.2",
        Some(Version::Tls13) => "+VERS-TLS1.3",
    };
    let base = format!("NORMAL:-VERS-ALL:{versions}");
    ciphers.map_or(base.clone(), |ciphers| format!("{base}:{ciphers}"))
}
