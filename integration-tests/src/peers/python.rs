//! Python's ssl module, in `peers/python_peer.py`: OpenSSL again, driven in another way, and the one peer that tells
//! tls-unique.

use super::process::{Launch, Process, Stdout};
use super::report::listening_port;
use super::{
    ClientAuth, ClientOptions, Files, Negotiated, PeerError, ServerOptions, Version, programs_available,
};

/// Whether `python3` is there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["python3"], "python3")
}

/// A running echo server that sends every byte back, each connection in a thread of its own.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    _files: Files,
}

impl Server {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It did not come to listen.
    pub fn start(options: &ServerOptions) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let mut launch = launch();
        launch.argument("server").arguments(server_arguments(options, &files)?).arguments(&options.arguments);
        let (process, port) = listening(launch.start()?)?;
        Ok(Self { process, port, _files: files })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the next connection to end, well or badly, and says what it was.
    ///
    /// # Errors
    ///
    /// None ended in time.
    pub fn next_connection(&mut self) -> Result<Negotiated, PeerError> {
        next_report(&mut self.process)?.ok_or_else(|| self.process.error("the server ended"))
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to wait for what it prints.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Connects as often as the options say, sends the pattern, checks every byte of the echo, and says what each
/// connection was. It stops at the first that fails.
///
/// # Errors
///
/// It could not be run or did not end in time. A connection that failed is no error: it has its reason in
/// [`Negotiated::error`].
pub fn echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let files = Files::new()?;
    let mut launch = launch();
    launch.argument("client").arguments(client_arguments(options, &files)?).arguments(&options.arguments);
    Ok(reports(launch.start()?, options)?.0)
}

fn launch() -> Launch {
    let mut launch = Launch::new("python3", Stdout::Data);
    launch.argument(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_peer.py"));
    launch
}

/// The arguments of a server of ours, the same for Python and Java: `name=value`.
pub(super) fn server_arguments(options: &ServerOptions, files: &Files) -> Result<Vec<String>, PeerError> {
    let (chain, key) = files.certificate(&options.certificate)?;
    let mut arguments = vec![format!("cert={chain}"), format!("key={key}")];
    arguments.extend(shared_arguments(
        options.version,
        options.ciphers.as_deref(),
        &options.alpn,
        options.tickets,
    ));
    match &options.client_auth {
        ClientAuth::None => {}
        ClientAuth::Request(root) => {
            arguments
                .extend([format!("ca={}", files.write("root.pem", root)?), "clients=request".to_owned()]);
        }
        ClientAuth::Require(root) => {
            arguments
                .extend([format!("ca={}", files.write("root.pem", root)?), "clients=require".to_owned()]);
        }
    }
    if options.ocsp_response.is_some() {
        return Err(PeerError::new("only OpenSSL and GnuTLS staple a given OCSP response"));
    }
    Ok(arguments)
}

/// The arguments of a client of ours, the same for Python and Java: `name=value`.
pub(super) fn client_arguments(options: &ClientOptions, files: &Files) -> Result<Vec<String>, PeerError> {
    let mut arguments = vec![
        format!("port={}", options.port),
        format!("name={}", options.server_name),
        format!("rounds={}", options.rounds),
        format!("bytes={}", options.bytes),
        format!("seed={}", options.seed),
        format!("write={}", options.write_size),
    ];
    arguments.extend(shared_arguments(
        options.version,
        options.ciphers.as_deref(),
        &options.alpn,
        options.tickets,
    ));
    if let Some(root) = &options.root {
        arguments.push(format!("ca={}", files.write("root.pem", root)?));
    }
    if let Some(certificate) = &options.certificate {
        let (chain, key) = files.certificate(certificate)?;
        arguments.extend([format!("cert={chain}"), format!("key={key}")]);
    }
    Ok(arguments)
}

fn shared_arguments(
    version: Option<Version>,
    ciphers: Option<&str>,
    alpn: &[String],
    tickets: bool,
) -> Vec<String> {
    let mut arguments = Vec::new();
    arguments.extend(version.map(|version| format!("version={}", version.name())));
    arguments.extend(ciphers.map(|ciphers| format!("ciphers={ciphers}")));
    if !alpn.is_empty() {
        arguments.push(format!("alpn={}", alpn.join(",")));
    }
    if !tickets {
        arguments.push("tickets=no".to_owned());
    }
    arguments
}

/// Reads where a server of ours listens.
pub(super) fn listening(mut process: Process) -> Result<(Process, u16), PeerError> {
    let line = process.read_line()?.ok_or_else(|| process.error("ended before it listened"))?;
    let port = listening_port(&line)?;
    Ok((process, port))
}

/// The next connection that a process of ours reports; `None` when it has ended.
pub(super) fn next_report(process: &mut Process) -> Result<Option<Negotiated>, PeerError> {
    process.read_line()?.map(|line| Negotiated::from_json(&line)).transpose()
}

/// All connections that a client of ours reports until it ends, and its log.
pub(super) fn reports(
    mut process: Process,
    options: &ClientOptions,
) -> Result<(Vec<Negotiated>, String), PeerError> {
    process.set_patience(options.patience());
    let mut connections = Vec::new();
    while let Some(connection) = next_report(&mut process)? {
        connections.push(connection);
    }
    process.wait()?;
    if connections.is_empty() {
        Err(process.error("ended without a report"))
    } else {
        Ok((connections, process.log()))
    }
}
