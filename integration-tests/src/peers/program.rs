//! Programs of ours that make a peer of a library: they lie in `peers/`, take `name=value`, and report each connection as
//! one line of JSON. What they have in common is told in `peers/pattern.py`.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::process::{Launch, Process};
use super::report::listening_port;
use super::{ClientAuth, ClientOptions, Files, Negotiated, PeerError, ServerOptions, Service, Version};

/// A library, and the program of ours that drives it.
pub trait Program {
    /// How the program is started, up to its role; `arguments` are for whatever runs it.
    #[doc(hidden)]
    fn launch(arguments: &[String], tickets: bool) -> Result<Launch, PeerError>;
}

/// A running echo server that sends every byte back.
#[derive(Debug)]
pub struct Server<P> {
    process: Process,
    port: u16,
    _files: Files,
    program: PhantomData<P>,
}

impl<P: Program> Server<P> {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    ///
    /// It could not be made ready, or did not come to listen.
    pub fn start(options: &ServerOptions) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let mut launch = P::launch(&options.arguments, options.tickets)?;
        launch.argument("server").arguments(server_arguments(options, &files)?);
        let mut process = launch.start()?;
        let line = process.read_line()?.ok_or_else(|| process.error("ended before it listened"))?;
        Ok(Self { port: listening_port(&line)?, process, _files: files, program: PhantomData })
    }
}

impl<P> Server<P> {
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
}

impl<P> Deref for Server<P> {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl<P> DerefMut for Server<P> {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Connects as often as the options say, sends the pattern, checks every byte of the echo, and says what each
/// connection was. It stops at the first that fails, or goes on with the next cipher where each is tried.
///
/// # Errors
///
/// It could not be run or did not end in time. A connection that failed is no error: it has its reason in
/// [`Negotiated::error`].
pub fn echo<P: Program>(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    Ok(echo_with_log::<P>(options)?.0)
}

/// [`echo`], with what the program printed besides its reports.
///
/// # Errors
///
/// Those of [`echo`].
pub fn echo_with_log<P: Program>(options: &ClientOptions) -> Result<(Vec<Negotiated>, String), PeerError> {
    let files = Files::new()?;
    let mut launch = P::launch(&options.arguments, options.tickets)?;
    launch.argument("client").arguments(client_arguments(options, &files)?);
    let mut process = launch.start()?;
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

fn server_arguments(options: &ServerOptions, files: &Files) -> Result<Vec<String>, PeerError> {
    let (chain, key) = files.certificate(&options.certificate)?;
    let mut arguments = vec![format!("cert={chain}"), format!("key={key}")];
    arguments.extend(shared_arguments(
        options.version,
        options.ciphers.as_deref(),
        &options.alpn,
        options.tickets,
    ));
    let (root, clients) = match &options.client_auth {
        ClientAuth::None => (None, ""),
        ClientAuth::Request(root) => (Some(root), "request"),
        ClientAuth::Require(root) => (Some(root), "require"),
    };
    if let Some(root) = root {
        arguments.extend([format!("ca={}", files.write("root.pem", root)?), format!("clients={clients}")]);
    }
    if options.ocsp_response.is_some() {
        return Err(PeerError::new("only OpenSSL and GnuTLS staple a given OCSP response"));
    }
    arguments.extend(own_arguments(&options.arguments));
    Ok(arguments)
}

fn client_arguments(options: &ClientOptions, files: &Files) -> Result<Vec<String>, PeerError> {
    let sizes = &options.write_sizes;
    let mut arguments = vec![
        format!("port={}", options.port),
        format!("name={}", options.server_name),
        format!("rounds={}", options.rounds),
        format!("bytes={}", options.bytes),
        format!("seed={}", options.seed),
        format!("write={}-{}", sizes.start(), sizes.end()),
    ];
    arguments.extend(shared_arguments(
        options.version,
        options.ciphers.as_deref(),
        &options.alpn,
        options.tickets,
    ));
    match &options.service {
        Service::Echo => {}
        Service::Http(path) => arguments.push(format!("get={path}")),
        Service::Lines => return Err(PeerError::new("the programs in peers/ send no lines")),
    }
    if options.each {
        arguments.push("each=yes".to_owned());
    }
    if let Some(root) = &options.root {
        arguments.push(format!("ca={}", files.write("root.pem", root)?));
    }
    if let Some(certificate) = &options.certificate {
        let (chain, key) = files.certificate(certificate)?;
        arguments.extend([format!("cert={chain}"), format!("key={key}")]);
    }
    arguments.extend(own_arguments(&options.arguments));
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

/// Those of the further arguments that are the program's, `name=value`; the others are for whatever runs it.
fn own_arguments(arguments: &[String]) -> impl Iterator<Item = String> {
    arguments.iter().filter(|argument| !argument.starts_with('-')).cloned()
}

/// The next connection that a program reports; `None` when it has ended.
fn next_report(process: &mut Process) -> Result<Option<Negotiated>, PeerError> {
    process.read_line()?.map(|line| Negotiated::from_json(&line)).transpose()
}
