//! A process that serves a test: spoken to through pipes, never waited for without end, and gone when it is dropped.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};
use std::{error, fmt, thread};

use rustix::process::{self, Pid, Signal, WaitId, WaitIdOptions};

use super::output::{Full, Output, Taken};
use super::ports;

/// Why a peer could not do what it was asked; with its log.
#[derive(Clone)]
pub struct PeerError {
    what: String,
    log: String,
}

impl PeerError {
    /// An error without a log.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), log: String::new() }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.log.is_empty() { Ok(()) } else { write!(f, "\n{}", self.log) }
    }
}

/// The same as Display: it is what `unwrap` prints.
impl fmt::Debug for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for PeerError {}

impl From<io::Error> for PeerError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Where the standard output of a process goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// To whoever reads from the [`Process`].
    Data,
    /// Into the log, with standard error.
    Log,
    /// Nowhere.
    Null,
}

/// A command line that is to be run.
#[derive(Clone, Debug)]
pub struct Launch {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    folder: Option<PathBuf>,
    stdout: Stdout,
}

impl Launch {
    /// A program by its name or path, without arguments.
    pub fn new(program: &str, stdout: Stdout) -> Self {
        let (arguments, variables) = (Vec::new(), Vec::new());
        Self { program: program.to_owned(), arguments, variables, folder: None, stdout }
    }

    /// One more argument.
    pub fn argument(&mut self, argument: impl Into<String>) -> &mut Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    pub fn arguments<T: Into<String>>(&mut self, arguments: impl IntoIterator<Item = T>) -> &mut Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Variables of its environment.
    pub fn variables<'a>(&mut self, variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> &mut Self {
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.variables.extend(variables);
        self
    }

    pub(super) fn folder(&mut self, folder: PathBuf) -> &mut Self {
        self.folder = Some(folder);
        self
    }

    /// Starts it.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn start(&self) -> Result<Process, PeerError> {
        Process::start(self)
    }

    /// Starts it and waits until it listens on `port`.
    pub(crate) fn serve(&self, port: u16) -> Result<Process, PeerError> {
        let process = self.start()?;
        process.wait_until_it_listens(port)?;
        Ok(process)
    }

    /// As a person would type it.
    fn line(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
        let quoted = |word: &String| {
            if !word.is_empty() && word.chars().all(plain) {
                word.clone()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        };
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = [&self.program].into_iter().chain(&self.arguments).map(quoted);
        variables.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A peer's process. Dropped, it is killed with its whole process group; if the thread is panicking its log is printed.
/// It is killed too when this process ends in any other way, where the system has `setpriv`.
#[derive(Debug)]
pub struct Process {
    line: String,
    child: Child,
    /// Once it has been waited for.
    status: Option<ExitStatus>,
    stdin: Option<ChildStdin>,
    stdout: Output,
    log: Output,
    patience: Duration,
}

impl Process {
    fn start(launch: &Launch) -> Result<Self, PeerError> {
        let line = launch.line();
        let mut child = spawn(launch).map_err(|error| PeerError::new(format!("{line}: {error}")))?;
        let log = Output::new(Full::DropsTheOldest(LOG_LIMIT));
        let stdout = match launch.stdout {
            Stdout::Data => Output::new(Full::Waits(DATA_LIMIT)),
            Stdout::Log | Stdout::Null => log.clone(),
        };
        if let Some(pipe) = child.stdout.take() {
            stdout.fill_from(pipe);
        }
        if let Some(pipe) = child.stderr.take() {
            log.fill_from(pipe);
        }
        let stdin = child.stdin.take();
        Ok(Self { line, child, status: None, stdin, stdout, log, patience: Duration::from_secs(20) })
    }

    /// How long reading and waiting may take before they fail: 20 seconds if never said.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The process ID, which is also that of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The command line and what was printed, the last mebibyte of it. Standard output is in it unless the peer sends
    /// data there.
    pub fn log(&self) -> String {
        format!("$ {}\n{}", self.line, String::from_utf8_lossy(&self.log.snapshot()))
    }

    /// Writes to its standard input. Returns when the pipe has it; a peer that reads nothing blocks the caller.
    ///
    /// # Errors
    ///
    /// The peer has closed its standard input, or it was closed here.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        let sent = match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes).and_then(|()| stdin.flush()),
            None => Err(io::Error::other("standard input is closed")),
        };
        sent.map_err(|error| self.error(format!("sending {} bytes: {error}", bytes.len())))
    }

    /// Writes everything that it prints from now on to its standard input, from a thread: a peer that joins a connection
    /// to its pipes becomes one that sends back what it gets.
    pub fn echo(&mut self) {
        let Some(mut stdin) = self.stdin.take() else { return };
        let output = self.stdout.clone();
        thread::spawn(move || {
            loop {
                match output.take(65_536, Instant::now() + Duration::from_secs(60)) {
                    Taken::Bytes(bytes) if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_ok() => {}
                    Taken::Late => {}
                    Taken::Bytes(_) | Taken::End => return,
                }
            }
        });
    }

    /// Takes its standard input, to write from another thread. It is closed when that is dropped.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Reads so many bytes of its standard output.
    ///
    /// # Errors
    ///
    /// The output ended or the time was up before; the error says how many bytes there were.
    pub fn read_exact(&mut self, length: usize) -> Result<Vec<u8>, PeerError> {
        let mut bytes = Vec::with_capacity(length);
        let deadline = Instant::now() + self.patience;
        while bytes.len() < length {
            match self.stdout.take(length - bytes.len(), deadline) {
                Taken::Bytes(more) => bytes.extend(more),
                Taken::End => {
                    return Err(self.error(format!("output ended after {} of {length} bytes", bytes.len())));
                }
                Taken::Late => return Err(self.error(format!("{} of {length} bytes in time", bytes.len()))),
            }
        }
        Ok(bytes)
    }

    /// Reads what there is of its standard output, at least a byte and at most `most`; nothing at its end.
    ///
    /// # Errors
    ///
    /// The time was up.
    pub fn read_some(&mut self, most: usize) -> Result<Vec<u8>, PeerError> {
        match self.stdout.take(most, Instant::now() + self.patience) {
            Taken::Bytes(bytes) => Ok(bytes),
            Taken::End => Ok(Vec::new()),
            Taken::Late => Err(self.error("no output in time")),
        }
    }

    /// Reads its standard output to the end.
    ///
    /// # Errors
    ///
    /// The time was up before the end.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>, PeerError> {
        let mut bytes = Vec::new();
        let deadline = Instant::now() + self.patience;
        loop {
            match self.stdout.take(usize::MAX, deadline) {
                Taken::Bytes(more) => bytes.extend(more),
                Taken::End => return Ok(bytes),
                Taken::Late => {
                    return Err(self.error(format!("no end of output in time, {} bytes", bytes.len())));
                }
            }
        }
    }

    /// Reads a line of its standard output, without the line feed; `None` at its end.
    ///
    /// # Errors
    ///
    /// The time was up, or the output ended within a line.
    pub fn read_line(&mut self) -> Result<Option<String>, PeerError> {
        let mut line = Vec::new();
        let deadline = Instant::now() + self.patience;
        loop {
            match self.stdout.take(1, deadline) {
                Taken::Bytes(byte) if byte == b"\n" => {
                    return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
                }
                Taken::Bytes(byte) => line.extend(byte),
                Taken::End if line.is_empty() => return Ok(None),
                Taken::End => return Err(self.error("output ended within a line")),
                Taken::Late => return Err(self.error("no line in time")),
            }
        }
    }

    /// Waits until the log contains `text`, and gives the log.
    ///
    /// # Errors
    ///
    /// The time was up, or all output ended, without it.
    pub fn wait_for(&mut self, text: &str) -> Result<String, PeerError> {
        let found = self.log.wait_until(Instant::now() + self.patience, |bytes| {
            bytes.make_contiguous().windows(text.len()).any(|window| window == text.as_bytes())
        });
        if found { Ok(self.log()) } else { Err(self.error(format!("{text:?} was not printed"))) }
    }

    /// Waits until the log is as the condition has it, and gives the log.
    ///
    /// # Errors
    ///
    /// The time was up, or all output ended, before.
    pub fn wait_until(&mut self, holds: impl Fn(&str) -> bool) -> Result<String, PeerError> {
        let found = self.log.wait_until(Instant::now() + self.patience, |bytes| {
            holds(&String::from_utf8_lossy(bytes.make_contiguous()))
        });
        if found { Ok(self.log()) } else { Err(self.error("what was waited for was not printed")) }
    }

    /// Closes its standard input and waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// The time was up.
    pub fn wait(&mut self) -> Result<ExitStatus, PeerError> {
        self.close_input();
        let deadline = Instant::now() + self.patience;
        loop {
            if !self.is_running() {
                // What it printed last is still on its way.
                self.log.wait_until(Instant::now() + Duration::from_secs(1), |_| false);
                return Ok(self.end()?);
            }
            if Instant::now() > deadline {
                return Err(self.error("did not end in time"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        // The dead are left unburied: while the leader is there nobody else gets its number, nor that of its group.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.status.is_none()
            && self.pid().is_some_and(|pid| matches!(process::waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// An error of this peer, with its log.
    pub fn error(&self, what: impl Into<String>) -> PeerError {
        // The last words on standard error may still be on their way.
        thread::sleep(Duration::from_millis(50));
        PeerError { what: what.into(), log: self.log() }
    }

    fn wait_until_it_listens(&self, port: u16) -> Result<(), PeerError> {
        let deadline = Instant::now() + self.patience;
        while !ports::listens(self.id(), port) {
            if !self.is_running() {
                return Err(self.error(format!("ended before it listened on port {port}")));
            }
            if Instant::now() > deadline {
                return Err(self.error(format!("did not listen on port {port} in time")));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Process {
    /// Ends it now, with all that it started.
    pub fn kill(&mut self) {
        // It may have ended already, which is what is wanted.
        drop(self.end());
    }

    /// Kills the group, of which the leader may have ended already, and waits for the leader.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        if let Some(group) = self.pid() {
            // A group in which nobody is left is what is wanted.
            let _ = process::kill_process_group(group, Signal::KILL);
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.end());
        self.stdout.abandon();
        if thread::panicking() {
            // Not eprintln: that would be lost in a thread which the test harness does not know.
            drop(writeln!(io::stderr(), "---- peer\n{}----", self.log()));
        }
    }
}

/// For a peer that is its process and more: what a [`Process`] can do it can do too.
macro_rules! derefs_to_process {
    ($($type:ty),*) => {$(
        impl std::ops::Deref for $type {
            type Target = $crate::peers::Process;

            fn deref(&self) -> &Self::Target {
                &self.process
            }
        }

        impl std::ops::DerefMut for $type {
            fn deref_mut(&mut self) -> &mut Self::Target {
                &mut self.process
            }
        }
    )*};
}

pub(super) use derefs_to_process;

const LOG_LIMIT: usize = 1 << 20;
const DATA_LIMIT: usize = 64 << 20;

/// Spawns from one thread that lives as long as this process: a child is told to die with the *thread* that started it,
/// and tests end theirs.
fn spawn(launch: &Launch) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, queue) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in queue {
                // Whoever ordered it may have gone.
                drop(reply.send(command.spawn()));
            }
        });
        Mutex::new(orders)
    });
    let gone = || io::Error::other("the spawning thread is gone");
    let (reply, answer) = mpsc::channel();
    let orders = spawner.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    orders.send((command(launch), reply)).map_err(|_| gone())?;
    drop(orders);
    answer.recv().map_err(|_| gone())?
}

fn command(launch: &Launch) -> Command {
    static MORTAL: OnceLock<bool> = OnceLock::new();
    let mortal = *MORTAL.get_or_init(|| {
        let probe =
            Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).stderr(Stdio::null()).status();
        probe.is_ok_and(|status| status.success())
    });
    let mut command = if mortal {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", &launch.program]);
        command
    } else {
        Command::new(&launch.program)
    };
    command.args(&launch.arguments).process_group(0);
    let stdout = if launch.stdout == Stdout::Null { Stdio::null() } else { Stdio::piped() };
    command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
    // A curl or an OpenSSL that reads its user's configuration is another peer on every machine.
    command.env("LC_ALL", "C").env("OPENSSL_CONF", "/dev/null").env_remove("SSLKEYLOGFILE");
    command.envs(launch.variables.iter().map(|(name, value)| (name, value)));
    if let Some(folder) = &launch.folder {
        command.current_dir(folder);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Launch::new("sh", Stdout::Data).arguments(["-c", script]).start().unwrap()
    }

    #[test]
    fn what_is_sent_can_be_read_back() {
        let mut cat = shell("cat");
        cat.send(b"one\ntwo\nthree").unwrap();
        assert_eq!(cat.read_line().unwrap().unwrap(), "one");
        assert_eq!(cat.read_exact(4).unwrap(), b"two\n");
        cat.close_input();
        assert_eq!(cat.read_to_end().unwrap(), b"three");
        assert!(cat.wait().unwrap().success());
    }

    #[test]
    fn waiting_ends_when_the_time_is_up_and_says_what_was_printed() {
        let mut silent = shell("echo complaint >&2; sleep 60");
        silent.set_patience(Duration::from_millis(200));
        let error = silent.read_exact(1).unwrap_err().to_string();
        assert!(error.contains("0 of 1 bytes") && error.contains("complaint"), "{error}");
    }

    #[test]
    fn a_dropped_process_takes_its_children_along() {
        let mut parent = shell("sleep 60 & echo $!; wait");
        let child = parent.read_line().unwrap().unwrap();
        let stat = PathBuf::from(format!("/proc/{child}/stat"));
        assert!(stat.exists());
        drop(parent);
        // Killed at once, and gone when init has waited for it.
        let deadline = Instant::now() + Duration::from_secs(5);
        let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        while runs() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!runs());
    }
}
