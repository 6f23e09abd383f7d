//! Java's JSSE, in `peers/JavaPeer.java`: a TLS implementation that shares nothing with OpenSSL.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs};

use super::process::{Launch, Process, Stdout};
use super::python::{client_arguments, listening, next_report, reports, server_arguments};
use super::{ClientOptions, Files, Negotiated, PeerError, ServerOptions, argument, programs_available};

/// Whether `java` and `javac` are there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["java", "javac"], "openjdk-17-jdk-headless")
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
    /// It could not be compiled, or did not come to listen.
    pub fn start(options: &ServerOptions) -> Result<Self, PeerError> {
        let files = Files::new()?;
        let mut launch = launch(&options.arguments, options.tickets)?;
        launch.argument("server").arguments(server_arguments(options, &files)?);
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
    Ok(echo_with_log(options)?.0)
}

/// [`echo`], with what the virtual machine printed: for `-Djavax.net.debug`.
///
/// # Errors
///
/// Those of [`echo`].
pub fn echo_with_log(options: &ClientOptions) -> Result<(Vec<Negotiated>, String), PeerError> {
    let files = Files::new()?;
    let mut launch = launch(&options.arguments, options.tickets)?;
    launch.argument("client").arguments(client_arguments(options, &files)?);
    reports(launch.start()?, options)
}

fn launch(arguments: &[String], tickets: bool) -> Result<Launch, PeerError> {
    let classes = compiled()?;
    let mut launch = Launch::new("java", Stdout::Data);
    // A machine for seconds, not for days.
    launch.arguments(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]);
    if !tickets {
        launch.argument("-Djdk.tls.server.enableSessionTicketExtension=false");
        launch.argument("-Djdk.tls.client.enableSessionTicketExtension=false");
    }
    launch.arguments(arguments).arguments(["-cp", &argument(&classes), "JavaPeer"]);
    Ok(launch)
}

/// The folder of the compiled program, compiled when nobody has yet: beside this executable, in cargo's target folder,
/// under a name that changes with the source.
fn compiled() -> Result<PathBuf, PeerError> {
    static CLASSES: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    CLASSES.get_or_init(compile).clone()
}

fn compile() -> Result<PathBuf, PeerError> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/JavaPeer.java");
    let mut hasher = DefaultHasher::new();
    fs::read(&source)?.hash(&mut hasher);
    let executable = env::current_exe()?;
    let beside = executable.parent().ok_or_else(|| PeerError::new("the executable is in no folder"))?;
    let classes = beside.join(format!("java-peer-{:016x}", hasher.finish()));
    if classes.is_dir() {
        return Ok(classes);
    }
    let fresh = tempfile::Builder::new().prefix("java-peer-new-").tempdir_in(beside)?;
    let mut launch = Launch::new("javac", Stdout::Log);
    launch.arguments(["-d", &argument(fresh.path()), &argument(&source)]);
    let mut process = launch.start()?;
    process.set_patience(std::time::Duration::from_secs(60));
    if !process.wait()?.success() {
        return Err(process.error("JavaPeer.java does not compile"));
    }
    // Renamed when it is whole, so that nobody runs half of it. Another process may have been first: as good.
    let fresh = fresh.keep();
    if fs::rename(&fresh, &classes).is_err() {
        drop(fs::remove_dir_all(&fresh));
    }
    Ok(classes)
}
