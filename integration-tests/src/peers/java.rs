//! Java's JSSE, in `peers/JavaPeer.java`: a TLS implementation that shares nothing with OpenSSL.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs};

use super::process::{Launch, Stdout};
use super::program::{self, Program};
use super::{ClientOptions, Negotiated, PeerError, Process, argument, programs_available};

/// Whether `java` and `javac` are there.
///
/// # Errors
///
/// What is missing.
pub fn available() -> Result<(), String> {
    programs_available(&["java", "javac"], "openjdk-17-jdk-headless")
}

/// JSSE.
#[derive(Debug)]
pub struct Java;

impl Program for Java {
    fn launch(arguments: &[String], tickets: bool) -> Result<Launch, PeerError> {
        static CLASSES: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
        let classes = CLASSES.get_or_init(|| compile("JavaPeer")).clone()?;
        let mut launch = Launch::new("java", Stdout::Data);
        // A machine for seconds, not for days.
        launch.arguments(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]);
        if !tickets {
            launch.argument("-Djdk.tls.server.enableSessionTicketExtension=false");
            launch.argument("-Djdk.tls.client.enableSessionTicketExtension=false");
        }
        launch.arguments(arguments.iter().filter(|argument| argument.starts_with('-')).cloned());
        launch.arguments(["-cp", &argument(&classes), "JavaPeer"]);
        Ok(launch)
    }
}

/// A running echo server, each connection in a thread of its own.
pub type Server = program::Server<Java>;

/// [`program::echo`].
///
/// # Errors
///
/// Those of [`program::echo`], or it could not be compiled.
pub fn echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    program::echo::<Java>(options)
}

/// [`program::echo_with_log`]: for `-Djavax.net.debug`.
///
/// # Errors
///
/// Those of [`echo`].
pub fn echo_with_log(options: &ClientOptions) -> Result<(Vec<Negotiated>, String), PeerError> {
    program::echo_with_log::<Java>(options)
}

/// The program `peers/DigestPeer.java`: DIGEST-MD5 of Java, over standard input and output.
///
/// # Errors
///
/// It could not be compiled or started.
pub fn digest(arguments: &[&str]) -> Result<Process, PeerError> {
    static CLASSES: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| compile("DigestPeer")).clone()?;
    let mut launch = Launch::new("java", Stdout::Data);
    launch.arguments(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx64m"]);
    launch.arguments(["-cp", &argument(&classes), "DigestPeer"]).arguments(arguments.iter().copied());
    // It reads its arguments in the language of its surroundings.
    launch.variables([("LC_ALL", "C.UTF-8")]);
    launch.start()
}

/// The folder of the compiled program, compiled when nobody has yet: beside this executable, in cargo's target folder,
/// under a name that changes with the source.
fn compile(name: &str) -> Result<PathBuf, PeerError> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("peers/{name}.java"));
    let mut hasher = DefaultHasher::new();
    fs::read(&source)?.hash(&mut hasher);
    let executable = env::current_exe()?;
    let beside = executable.parent().ok_or_else(|| PeerError::new("the executable is in no folder"))?;
    let classes = beside.join(format!("java-{name}-{:016x}", hasher.finish()));
    if classes.is_dir() {
        return Ok(classes);
    }
    let fresh = tempfile::Builder::new().prefix("java-peer-new-").tempdir_in(beside)?;
    let mut launch = Launch::new("javac", Stdout::Log);
    launch.arguments(["-d", &argument(fresh.path()), &argument(&source)]);
    let mut process = launch.start()?;
    process.set_patience(std::time::Duration::from_secs(60));
    if !process.wait()?.success() {
        return Err(process.error(format!("{name}.java does not compile")));
    }
    // Renamed when it is whole, so that nobody runs half of it. Another process may have been first: as good.
    let fresh = fresh.keep();
    if fs::rename(&fresh, &classes).is_err() {
        drop(fs::remove_dir_all(&fresh));
    }
    Ok(classes)
}
