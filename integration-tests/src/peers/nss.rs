//! NSS's `selfserv` and `tstclnt`.
//!
//! Neither echoes: `selfserv` answers one HTTP request with a file, and `tstclnt` ends only when its server does, so that
//! it asks a server of HTTP. Their certificates are in a database, under the names of [`Pki`](crate::legacy::Pki).

use super::process::{Launch, Stdout};
use super::{
    ClientAuth, ClientOptions, Files, Negotiated, PeerError, Process, ServerOptions, Version, argument,
    derefs_to_process, free_port, installed, programs_available,
};
use crate::Pattern;
use crate::ours::HTTP_BODY_SEED;

/// Whether `selfserv`, `tstclnt` and their database are there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["selfserv", "tstclnt"], "libnss3-tools")?;
    database().map(drop)
}

fn database() -> Result<String, String> {
    let folder = installed("pki")?.join("nss");
    if folder.is_dir() {
        Ok(format!("sql:{}", argument(&folder)))
    } else {
        Err("NSS has no database (cargo xtask test makes it)".to_owned())
    }
}

/// A running `selfserv`.
#[derive(Debug)]
pub struct Server {
    process: Process,
    port: u16,
    files: Files,
}

derefs_to_process!(Server);

impl Server {
    /// Starts it and waits until it listens. The ciphers are numbers: `:0004:0005`.
    ///
    /// # Errors
    ///
    /// It did not come to listen.
    pub fn start(options: &ServerOptions) -> Result<Self, PeerError> {
        let port = free_port();
        let name = &options.certificate.name;
        let mut launch = launch("selfserv", &options.arguments, Stdout::Log);
        launch.arguments(["-d", &database().map_err(PeerError::new)?, "-p", &port.to_string(), "-v"]);
        launch.arguments([certificate_option(name), name]);
        launch.arguments(shared_arguments(options.version, options.ciphers.as_deref()));
        match &options.client_auth {
            ClientAuth::None => {}
            ClientAuth::Request(_) => {
                launch.argument("-r");
            }
            ClientAuth::Require(_) => {
                launch.arguments(["-r", "-r"]);
            }
        }
        if options.tickets {
            launch.argument("-u");
        }
        Ok(Self { process: launch.serve(port)?, port, files: Files::new()? })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path under which it serves so many bytes of the pattern with [`HTTP_BODY_SEED`].
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn path_of(&self, bytes: u64) -> Result<String, PeerError> {
        let content = Pattern::new(HTTP_BODY_SEED).content(bytes);
        Ok(self.files.write(&format!("{bytes}.bin"), content.chunk(0, usize::MAX))?)
    }
}

/// A program with further arguments, of which those that are `NAME=value` are for its environment.
fn launch(program: &str, arguments: &[String], stdout: Stdout) -> Launch {
    let (variables, arguments): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.starts_with("NSS_"));
    let mut launch = Launch::new("env", stdout);
    launch.arguments(variables).argument(program).arguments(arguments);
    launch
}

/// Which of its certificates a server takes it for.
fn certificate_option(name: &str) -> &'static str {
    match name.rsplit('-').next() {
        Some("dsa") => "-S",
        Some("ecdsa") => "-e",
        _ => "-n",
    }
}

fn shared_arguments(version: Option<Version>, ciphers: Option<&str>) -> Vec<String> {
    let key = version.unwrap_or(Version::Tls12).key();
    let mut arguments = vec!["-V".to_owned(), format!("{key}:{key}")];
    if let Some(ciphers) = ciphers {
        arguments.extend(["-c".to_owned(), ciphers.to_owned()]);
    }
    arguments
}

/// Posts the content to a server of [`Service::Http`](crate::ours::Service::Http), and checks what comes back. It tells
/// no version and no cipher.
///
/// # Errors
///
/// It could not be run or did not end in time. A connection that failed is no error: it has its reason in
/// [`Negotiated::error`].
pub fn post(options: &ClientOptions) -> Result<Negotiated, PeerError> {
    let files = Files::new()?;
    let mut request =
        format!("POST /upload HTTP/1.0\r\nContent-Length: {}\r\n\r\n", options.bytes).into_bytes();
    request.extend(options.content().chunk(0, usize::MAX));
    let mut process = client(options)?.arguments(["-A", &files.write("request", request)?]).start()?;
    process.set_patience(options.patience());
    let printed = process.read_to_end()?;
    let status = process.wait()?;
    let mut connection = Negotiated::default();
    match answer(&printed, options.bytes) {
        Some(answer) => {
            connection.bytes = answer.len() as u64;
            let body = Pattern::new(HTTP_BODY_SEED).content(options.bytes);
            connection.error = body.check(0, answer).err().map(|mismatch| mismatch.to_string());
        }
        None => connection.error = Some(process.error(format!("no answer; {status}")).to_string()),
    }
    Ok(connection)
}

/// Gets a page of the same kind of server with `strsclnt`, twice, resuming the session: `tstclnt` does not live through a
/// second connection. It tells how often it resumed, and no more.
///
/// # Errors
///
/// Those of [`post`].
pub fn reconnect(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let mut launch = launch("strsclnt", &options.arguments, Stdout::Log);
    launch.arguments(["-d", &database().map_err(PeerError::new)?, "-p", &options.port.to_string()]);
    let key = options.version.unwrap_or(Version::Tls12).key();
    launch.arguments(["-V", &format!("{key}:{key}"), "-4", "-q", "-t", "1", "-c", "2"]);
    if let Some(ciphers) = &options.ciphers {
        launch.arguments(["-C", ciphers]);
    }
    if options.tickets {
        launch.argument("-u");
    }
    let mut process = launch.argument(&options.server_name).start()?;
    process.set_patience(options.patience());
    let status = process.wait()?;
    let log = process.log();
    let error = (!status.success()).then(|| format!("{status}\n{log}"));
    let first = Negotiated { error, ..Negotiated::default() };
    let second = Negotiated { resumed: log.contains("1 cache hits; 1 cache misses"), ..first.clone() };
    Ok(if first.error.is_some() { vec![first] } else { vec![first, second] })
}

/// The body of an answer.
fn answer(printed: &[u8], length: u64) -> Option<&[u8]> {
    let head = printed.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    printed.get(head..head.checked_add(usize::try_from(length).ok()?)?)
}

/// Sends the content to an echo server, and checks what comes back. The end of its input does not end it: it is killed.
///
/// # Errors
///
/// It could not be started.
pub fn pipe(options: &ClientOptions) -> Result<Process, PeerError> {
    client(options)?.start()
}

fn client(options: &ClientOptions) -> Result<Launch, PeerError> {
    let mut launch = launch("tstclnt", &options.arguments, Stdout::Data);
    launch.arguments(["-4", "-h", &options.server_name, "-p", &options.port.to_string()]);
    launch.arguments(["-d", &database().map_err(PeerError::new)?]);
    launch.arguments(shared_arguments(options.version, options.ciphers.as_deref()));
    if options.root.is_none() {
        launch.argument("-o");
    }
    if let Some(certificate) = &options.certificate {
        launch.arguments(["-n", &certificate.name]);
    }
    if options.tickets {
        launch.argument("-u");
    }
    Ok(launch)
}
