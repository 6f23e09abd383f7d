//! Runs the binary: to its end, or as a server in the background.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A run that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(60);

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opensspi"));
    command.args(arguments).env_remove("SSLKEYLOGFILE").env_remove("NO_COLOR");
    command
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Panics with everything that was printed unless the exit code is this.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// The JSON objects on stdout, a line each.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
            .collect()
    }
}

/// Runs to the end, with nothing on stdin.
pub(crate) fn run(arguments: &[&str]) -> Ran {
    run_with(arguments, b"", &[])
}

/// Runs to the end, with input and variables.
pub(crate) fn run_with(arguments: &[&str], input: &[u8], variables: &[(&str, &Path)]) -> Ran {
    let mut child = command(arguments)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || {
        // A program that ends without reading everything is judged by what it printed.
        let _gone = stdin.write_all(&input);
    });
    let id = child.id();
    let watching = watchdog(id);
    let output = child.wait_with_output().unwrap();
    watching.store(true, std::sync::atomic::Ordering::Relaxed);
    writing.join().unwrap();
    Ran::new(&output)
}

/// Kills a process that takes too long, so that its test fails with what it has printed.
fn watchdog(id: u32) -> std::sync::Arc<std::sync::atomic::AtomicBool> {
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let watched = std::sync::Arc::clone(&done);
    std::thread::spawn(move || {
        let began = Instant::now();
        while began.elapsed() < LIMIT {
            if watched.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        signal(id, rustix::process::Signal::KILL);
    });
    done
}

fn signal(id: u32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let _gone = rustix::process::kill_process(id, signal);
}

/// `opensspi serve` in the background, on a port of its own.
pub(crate) struct Server {
    child: Child,
    out: BufReader<ChildStdout>,
    pub(crate) port: u16,
    pub(crate) pin: String,
    /// The SHA-256 of every certificate that it made.
    pub(crate) pins: Vec<String>,
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = command(&["serve", "--port", "0", "--json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let listening = loop {
            let mut line = String::new();
            out.read_line(&mut line).unwrap();
            let Ok(object) = serde_json::from_str::<Value>(&line) else {
                let mut err = String::new();
                child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("the server did not start: {line} {err}");
            };
            // What is logged before it listens.
            if object["level"].is_null() {
                break object;
            }
        };
        assert_eq!(listening["event"], "listening", "{listening}");
        Self {
            child,
            out,
            port: u16::try_from(listening["port"].as_u64().unwrap()).unwrap(),
            pin: listening["certificate_sha256"].as_str().unwrap_or_default().to_owned(),
            pins: serde_json::from_value(listening["pins"].clone()).unwrap(),
        }
    }

    /// `localhost:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// The next event that it prints.
    pub(crate) fn event(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Ctrl-C: the exit code, and the events that were not read before.
    pub(crate) fn stop(mut self) -> (i32, Vec<Value>) {
        signal(self.child.id(), rustix::process::Signal::INT);
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
