//! OpenSSL's `s_server` and `s_client`.
//!
//! [`Mode::Pipe`] joins the connection to the process's pipes: what a test [`send`](super::Process::send)s goes out, and
//! what arrives it [`read`](super::Process::read_exact)s, byte for byte. [`Mode::Report`] prints what there is to know
//! and takes one-letter commands at the start of a line:
//!
//! | | client | server |
//! |---|---|---|
//! | `Q\n` | ends | ends |
//! | `q\n` | | closes the connection, waits for the next |
//! | `R\n` / `r\n` | renegotiates (TLS 1.2; the server needs `-client_renegotiation`) | asks for renegotiation (TLS 1.2) |
//! | `K\n` / `k\n` | KeyUpdate with / without an answer asked for (TLS 1.3) | the same |
//!
//! Further arguments that have shown their use: `-sess_out FILE`, `-sess_in FILE`, `-reconnect`,
//! `-keymatexport LABEL -keymatexportlen 32`, `-status`, `-curves`, `-max_early_data`, `-naccept`, `-num_tickets`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::process::{Launch, Stdout};
use super::report::after;
use super::{
    ClientAuth, ClientOptions, Files, Identity, Negotiated, PeerError, Process, ServerOptions, Version,
    argument, derefs_to_process, free_port, installed, programs_available,
};

/// Whether `openssl` is there, 3.0 or later, and `stdbuf`.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    static VERSION: OnceLock<String> = OnceLock::new();
    programs_available(&["openssl", "stdbuf"], "openssl coreutils")?;
    let version = VERSION.get_or_init(|| {
        let output = Command::new("openssl").arg("version").output();
        output.map_or_else(
            |error| error.to_string(),
            |output| String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    });
    // OpenSSL 3.0.19 27 Jan 2026 (Library: …); LibreSSL says LibreSSL.
    let number = version.strip_prefix("OpenSSL ").and_then(|rest| rest.split('.').next());
    match number.and_then(|number| number.parse::<u32>().ok()) {
        Some(3..) => Ok(()),
        _ => Err(format!("openssl is {:?}, not OpenSSL 3.0 or later", version.trim())),
    }
}

/// Which OpenSSL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The one in `PATH`, 3.0 or later. Of the old protocols and suites it has what its makers left in, at security
    /// level 0.
    System,
    /// 1.1.1w, built with SSL 3.0, RC4 and triple DES.
    V111,
}

impl Release {
    fn program(self) -> Result<String, PeerError> {
        match self {
            Self::System => Ok("openssl".to_owned()),
            Self::V111 => Ok(argument(&installed("openssl111").map_err(PeerError::new)?.join("openssl"))),
        }
    }
}

/// What a peer does with the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Application data from standard input and to standard output, nothing else; a summary in the log.
    Pipe,
    /// Everything in the log, application data too; commands on standard input.
    Report,
    /// Server only: answers `GET /` with a page about the connection (`-www`).
    Www,
    /// Server only: answers `GET /name` with that file of this folder (`-WWW`).
    Files(PathBuf),
    /// Server only: sends every line back reversed (`-rev`).
    Reverse,
    /// Server only: forgets what it gets.
    Sink,
}

/// A running `s_server`. It serves one connection after the other, never two at once.
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
        Self::start_of(Release::System, options, mode)
    }

    /// The same with a release of one's choice.
    ///
    /// # Errors
    ///
    /// It is not installed, or did not come to listen.
    pub fn start_of(release: Release, options: &ServerOptions, mode: Mode) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let port = free_port();
        let mut launch = launch(release, &mode)?;
        launch.arguments(["s_server", "-accept", &format!("127.0.0.1:{port}")]);
        launch.arguments(certificate_arguments(&options.certificate, &files)?);
        launch.arguments(version_arguments(options.version));
        launch.arguments(cipher_arguments(options.version, options.ciphers.as_deref()));
        match &options.client_auth {
            ClientAuth::None => {}
            ClientAuth::Request(root) => {
                let root = files.write("clients.pem", root)?;
                launch.arguments(["-verify", "5", "-verify_return_error", "-CAfile", &root]);
            }
            ClientAuth::Require(root) => {
                let root = files.write("clients.pem", root)?;
                launch.arguments(["-Verify", "5", "-verify_return_error", "-CAfile", &root]);
            }
        }
        if !options.alpn.is_empty() {
            launch.arguments(["-alpn", &options.alpn.join(",")]);
        }
        if !options.tickets {
            launch.argument("-no_ticket");
        }
        if let Some(response) = &options.ocsp_response {
            launch.arguments(["-status_file", &files.write("ocsp.der", response)?]);
        }
        match mode {
            Mode::Pipe => launch.argument("-brief"),
            Mode::Report => &mut launch,
            Mode::Www => launch.argument("-www"),
            Mode::Files(folder) => launch.argument("-WWW").folder(folder),
            Mode::Reverse => launch.argument("-rev"),
            Mode::Sink => launch.argument("-quiet"),
        };
        launch.arguments(&options.arguments);
        Ok(Self { process: launch.serve(port)?, port, _files: files })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A running `s_client`.
#[derive(Debug)]
pub struct Client {
    process: Process,
    _files: Files,
}

derefs_to_process!(Client);

impl Client {
    /// Starts it. Returns before it has connected: reading and [`report`](Self::report) wait for that.
    ///
    /// # Errors
    ///
    /// It could not be started.
    ///
    /// # Panics
    ///
    /// If the mode is a server's.
    pub fn start(options: &ClientOptions, mode: Mode) -> Result<Self, PeerError> {
        Self::start_of(Release::System, options, mode)
    }

    /// The same with a release of one's choice.
    ///
    /// # Errors
    ///
    /// It is not installed, or could not be started.
    ///
    /// # Panics
    ///
    /// If the mode is a server's.
    pub fn start_of(release: Release, options: &ClientOptions, mode: Mode) -> Result<Self, PeerError> {
        assert!(matches!(mode, Mode::Pipe | Mode::Report), "{mode:?} is for servers");
        let files = Files::new()?;
        let name = &options.server_name;
        let mut launch = launch(release, &mode)?;
        launch.arguments([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{}", options.port),
            "-servername",
            name,
        ]);
        if let Some(root) = &options.root {
            let root = files.write("root.pem", root)?;
            launch.arguments(["-CAfile", &root, "-verify_return_error", "-verify_hostname", name]);
        }
        if let Some(certificate) = &options.certificate {
            launch.arguments(certificate_arguments(certificate, &files)?);
        }
        launch.arguments(version_arguments(options.version));
        launch.arguments(cipher_arguments(options.version, options.ciphers.as_deref()));
        if !options.alpn.is_empty() {
            launch.arguments(["-alpn", &options.alpn.join(",")]);
        }
        if !options.tickets {
            launch.argument("-no_ticket");
        }
        if mode == Mode::Pipe {
            // -quiet would ignore the end of standard input, with which a test closes the connection.
            launch.arguments(["-brief", "-nocommands"]);
        }
        launch.arguments(&options.arguments);
        Ok(Self { process: launch.start()?, _files: files })
    }

    /// Waits for the handshake and says what was negotiated. [`Mode::Pipe`] tells version and cipher only,
    /// [`Mode::Report`] also ALPN and resumption.
    ///
    /// # Errors
    ///
    /// The handshake failed.
    pub fn report(&mut self) -> Result<Negotiated, PeerError> {
        // -brief ends its summary with the key exchange only where there is one; the cipher is in all of them.
        let log = self.wait_for_any(&["Verification", "Verify return code"])?;
        let version = after(&log, "Protocol version:").or_else(|| after(&log, "Protocol  :"));
        // A TLS 1.3 session is printed later, with its ticket; a TLS 1.2 "New, TLSv1.2" is the suite's version.
        let version = version.unwrap_or("TLSv1.3").to_owned();
        let cipher = after(&log, "Ciphersuite:").or_else(|| after(&log, "Cipher is")).unwrap_or_default();
        Ok(Negotiated {
            version,
            cipher: cipher.to_owned(),
            alpn: after(&log, "ALPN protocol:").map(str::to_owned),
            resumed: log.contains("\nReused, "),
            ..Negotiated::default()
        })
    }

    fn wait_for_any(&mut self, texts: &[&str; 2]) -> Result<String, PeerError> {
        let [brief, full] = texts;
        let first = self.wait_for("Cipher")?;
        if first.contains("Ciphersuite:") { self.wait_for(brief) } else { self.wait_for(full) }
    }
}

/// Makes handshakes for so many seconds with `s_time` of 1.1.1, full ones or all with one session, and gives what it
/// prints about them.
///
/// # Errors
///
/// It is not installed, or could not be run.
pub fn time(
    port: u16,
    version: Version,
    ciphers: &str,
    reuse: bool,
    seconds: u32,
) -> Result<String, PeerError> {
    let mut launch = Launch::new(&Release::V111.program()?, Stdout::Data);
    launch.arguments(["s_time", "-connect", &format!("127.0.0.1:{port}"), "-cipher", ciphers]);
    launch.arguments([if reuse { "-reuse" } else { "-new" }, "-time", &seconds.to_string()]);
    // It has no options for the others: the server has the say.
    launch.arguments((version == Version::Ssl30).then_some("-ssl3"));
    let mut process = launch.start()?;
    process.set_patience(std::time::Duration::from_secs(u64::from(seconds) + 20));
    let printed = process.read_to_end()?;
    process.wait()?;
    Ok(String::from_utf8_lossy(&printed).into_owned() + &process.log())
}

fn launch(release: Release, mode: &Mode) -> Result<Launch, PeerError> {
    let program = release.program()?;
    Ok(match mode {
        // Data is written as it comes, the summary to standard error.
        Mode::Pipe => Launch::new(&program, Stdout::Data),
        Mode::Sink => Launch::new(&program, Stdout::Null),
        Mode::Report | Mode::Www | Mode::Files(_) | Mode::Reverse => {
            // What is printed for people would stay in a buffer until there are 4 KiB of it.
            let mut launch = Launch::new("stdbuf", Stdout::Log);
            launch.arguments(["-oL", &program]);
            launch
        }
    })
}

fn certificate_arguments(certificate: &Identity, files: &Files) -> Result<Vec<String>, PeerError> {
    let (chain, key) = files.certificate(certificate)?;
    // -cert reads the first certificate only; -cert_chain sends all that it is given besides it.
    let mut arguments = vec!["-cert".to_owned(), chain, "-key".to_owned(), key];
    let intermediates = &certificate.intermediates;
    if !intermediates.is_empty() {
        arguments.extend(["-cert_chain".to_owned(), files.write("intermediates.pem", intermediates)?]);
    }
    Ok(arguments)
}

fn version_arguments(version: Option<Version>) -> Option<&'static str> {
    version.map(|version| match version {
        Version::Ssl20 => "-ssl2",
        Version::Ssl30 => "-ssl3",
        Version::Tls10 => "-tls1",
        Version::Tls11 => "-tls1_1",
        Version::Tls12 => "-tls1_2",
        Version::Tls13 => "-tls1_3",
    })
}

fn cipher_arguments(version: Option<Version>, ciphers: Option<&str>) -> Vec<&str> {
    match (ciphers, version) {
        (Some(ciphers), Some(Version::Tls13)) => vec!["-ciphersuites", ciphers],
        (Some(ciphers), _) => vec!["-cipher", ciphers],
        (None, _) => Vec::new(),
    }
}
