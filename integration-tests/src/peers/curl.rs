//! curl.

use std::fs;

use super::process::{Launch, Stdout};
use super::report::after;
use super::{ClientOptions, Files, Negotiated, PeerError, Version, programs_available};

/// Whether `curl` is there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["curl"], "curl")
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// curl's exit code: 0 if all went well, 35 for a handshake that failed, 60 for a certificate it refuses, 56 for
    /// an alert after a TLS 1.3 handshake.
    pub exit_code: Option<i32>,
    /// The HTTP status, 0 if none came.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// What was negotiated; `error` is curl's message.
    pub negotiated: Negotiated,
    /// Command line and everything it printed.
    pub log: String,
}

impl Fetched {
    /// This, if curl was content.
    ///
    /// # Errors
    ///
    /// curl's log.
    pub fn succeeded(self) -> Result<Self, PeerError> {
        if self.exit_code == Some(0) {
            Ok(self)
        } else {
            Err(PeerError::new(format!("curl ended with {:?}\n{}", self.exit_code, self.log)))
        }
    }
}

/// Gets `https://<server name>:<port><path>`. With `h2` among the ALPN protocols curl offers it besides `http/1.1`; with
/// none it sends no ALPN.
///
/// # Errors
///
/// curl could not be run, or did not end in time. A connection that failed is no error: it is in [`Fetched`].
pub fn get(options: &ClientOptions, path: &str) -> Result<Fetched, PeerError> {
    let files = Files::new()?;
    let body = files.reserve("body");
    let (name, port) = (&options.server_name, options.port);
    let mut launch = Launch::new("curl", Stdout::Data);
    // -q comes first, or the user's curlrc is read.
    launch.arguments(["-q", "--verbose", "--no-progress-meter", "--max-time", "20", "--noproxy", "*"]);
    launch.arguments(["--resolve", &format!("{name}:{port}:127.0.0.1")]);
    launch.arguments(["--output", &body, "--write-out", "%{http_code}"]);
    match &options.root {
        Some(root) => launch.arguments(["--cacert", &files.write("root.pem", root)?]),
        None => launch.argument("--insecure"),
    };
    if let Some(certificate) = &options.certificate {
        let (chain, key) = files.certificate(certificate)?;
        launch.arguments(["--cert", &chain, "--key", &key]);
    }
    match options.version {
        Some(Version::Tls12) => launch.arguments(["--tlsv1.2", "--tls-max", "1.2"]),
        Some(Version::Tls13) => launch.arguments(["--tlsv1.3", "--tls-max", "1.3"]),
        _ => launch.argument("--tlsv1.2"),
    };
    if let Some(ciphers) = &options.ciphers {
        let option = if options.version == Some(Version::Tls13) { "--tls13-ciphers" } else { "--ciphers" };
        launch.arguments([option, ciphers]);
    }
    if options.alpn.iter().any(|protocol| protocol == "h2") {
        launch.argument("--http2");
    } else if options.alpn.is_empty() {
        launch.arguments(["--http1.1", "--no-alpn"]);
    } else {
        launch.argument("--http1.1");
    }
    launch.arguments(&options.arguments).argument(format!("https://{name}:{port}{path}"));

    let mut process = launch.start()?;
    process.set_patience(options.patience());
    let printed = process.read_to_end()?;
    let exit_code = process.wait()?.code();
    let log = process.log();
    // SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384
    let (version, cipher) =
        after(&log, "SSL connection using").and_then(|rest| rest.split_once(" / ")).unwrap_or_default();
    let alpn = after(&log, "ALPN: server accepted").or_else(|| after(&log, "ALPN, server accepted to use"));
    Ok(Fetched {
        exit_code,
        status: String::from_utf8_lossy(&printed).parse().unwrap_or_default(),
        body: fs::read(&body).unwrap_or_default(),
        negotiated: Negotiated {
            version: version.to_owned(),
            cipher: cipher.split(" / ").next().unwrap_or_default().to_owned(),
            alpn: alpn.map(str::to_owned),
            error: after(&log, "curl: ").map(str::to_owned),
            ..Negotiated::default()
        },
        log,
    })
}
