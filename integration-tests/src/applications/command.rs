//! Our end: the program `opensspi`, as a user has it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use test_support::{Pki, TestCertificate};

use crate::peers::process::{Launch, Stdout};
use crate::peers::{Files, PeerError, Process, Version};

/// How long anything that the program does may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The program.
#[derive(Clone, Debug)]
pub struct Opensspi {
    program: PathBuf,
}

impl Opensspi {
    /// The program at this path.
    ///
    /// # Errors
    ///
    /// There is no file.
    pub fn new(program: &Path) -> Result<Self, String> {
        if program.is_file() {
            Ok(Self { program: program.to_owned() })
        } else {
            Err(format!("the program opensspi is not at {} (--opensspi PATH)", program.display()))
        }
    }

    /// `opensspi connect`.
    pub(super) fn connect(&self, to: &Target<'_>, pki: &Pki) -> Result<Client, PeerError> {
        let files = Files::new()?;
        let mut launch = Launch::new(&self.program.to_string_lossy(), Stdout::Data);
        launch.arguments(["connect", &format!("localhost:{}", to.port), "--json"]);
        launch.arguments(["--ca", &files.write("root.pem", pki.root_pem())?]);
        launch.arguments(["--protocols", to.version.key()]);
        if let Some(starttls) = to.starttls {
            launch.arguments(["--starttls", starttls]);
        }
        let mut process = launch.start()?;
        process.set_patience(PATIENCE);
        let mut client = Client { process, text: String::new(), _files: files };
        let connected = client.event("connected")?;
        let spoken = connected.get("protocol").and_then(Value::as_str).unwrap_or_default();
        if spoken != to.version.title() {
            return Err(client.process.error(format!("{spoken} was spoken")));
        }
        Ok(client)
    }

    /// `opensspi serve --http`.
    pub(super) fn serve(&self, certificate: &TestCertificate, version: Version) -> Result<Server, PeerError> {
        let files = Files::new()?;
        let (chain, key) = files.certificate(certificate)?;
        let mut launch = Launch::new(&self.program.to_string_lossy(), Stdout::Data);
        launch.arguments(["serve", "--http", "--port", "0", "--json", "--cert", &chain, "--key", &key]);
        launch.arguments(["--protocols", version.key(), "--alpn", "http/1.1"]);
        Self::listening(&launch, files)
    }

    /// `opensspi serve --http` with a package that its clients log on with, and one account.
    pub(super) fn serve_logons(&self, logons: &Logons<'_>) -> Result<Server, PeerError> {
        let files = Files::new()?;
        let Logons { package, section, account, certificate } = logons;
        let text = format!("package = \"{package}\"\n{section}\n[logon]\naccounts = \"file:logons.toml\"\n");
        let config = files.write("opensspi.toml", text)?;
        let password = format!("file:{}", files.write("password", Logons::PASSWORD)?);
        let program = self.program.to_string_lossy();
        let mut launch = Launch::new(&program, Stdout::Data);
        launch.arguments(["account", "add", "--config", &config, "--password", &password]);
        launch.arguments(account.iter().copied());
        let mut adding = launch.start()?;
        if !adding.wait()?.success() {
            return Err(adding.error("the account was not added"));
        }
        let mut launch = Launch::new(&program, Stdout::Data);
        launch.arguments(["serve", "--http", "--port", "0", "--json", "--config", &config]);
        if let Some(certificate) = certificate {
            let (chain, key) = files.certificate(*certificate)?;
            launch.arguments(["--cert", &chain, "--key", &key]);
        }
        Self::listening(&launch, files)
    }

    fn listening(launch: &Launch, files: Files) -> Result<Server, PeerError> {
        let mut process = launch.start()?;
        process.set_patience(PATIENCE);
        // Before that it says what it has read.
        let listening = loop {
            match next_event(&mut process)? {
                Some(event) if is(&event, "listening") => break event,
                Some(_) => {}
                None => return Err(process.error("it did not say where it listens")),
            }
        };
        let package = listening.get("package").and_then(Value::as_str).unwrap_or_default().to_owned();
        let port = listening.get("port").and_then(Value::as_u64);
        let port = port.and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or_else(|| process.error("it listens nowhere"))?;
        Ok(Server { process, port, package, _files: files })
    }
}

/// Whom `opensspi serve --http` lets in, and with what.
#[derive(Clone, Copy)]
pub(super) struct Logons<'a> {
    pub(super) package: &'a str,
    /// A section of the configuration.
    pub(super) section: &'a str,
    /// How the account is added, whose password is [`Self::PASSWORD`].
    pub(super) account: &'a [&'a str],
    /// What puts TLS in front of it.
    pub(super) certificate: Option<&'a TestCertificate>,
}

impl Logons<'_> {
    pub(super) const PASSWORD: &'static str = "correct horse";
}

/// Where `opensspi connect` connects to.
pub(super) struct Target<'a> {
    pub(super) port: u16,
    pub(super) version: Version,
    pub(super) starttls: Option<&'a str>,
}

/// How the server ended the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With close_notify.
    InOrder,
    /// Without: the program says so, and ends with the exit code for the network.
    CutOff,
}

/// A running `opensspi connect`.
#[derive(Debug)]
pub(super) struct Client {
    process: Process,
    /// What the server sent and nobody looked for yet.
    text: String,
    _files: Files,
}

impl Client {
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        self.process.send(bytes)
    }

    /// Waits until the server has sent this, and takes everything up to its end.
    pub(super) fn expect(&mut self, text: &str) -> Result<(), PeerError> {
        loop {
            if let Some(at) = self.text.find(text) {
                self.text.drain(..at + text.len());
                return Ok(());
            }
            match next_event(&mut self.process)? {
                Some(event) if is(&event, "data") => {
                    self.text.push_str(event.get("text").and_then(Value::as_str).unwrap_or_default());
                }
                event => {
                    let heard = format!("{text:?} did not come, but {:?} and then {event:?}", self.text);
                    return Err(self.process.error(heard));
                }
            }
        }
    }

    /// Says goodbye in the protocol's words, and waits for the end of the connection and of the program.
    pub(super) fn end(mut self, goodbye: &[u8]) -> Result<Ending, PeerError> {
        if !goodbye.is_empty() {
            self.send(goodbye)?;
        }
        self.ended()
    }

    /// Ends the input of the program, and waits for the end of the connection and of the program.
    pub(super) fn end_of_input(mut self) -> Result<Ending, PeerError> {
        self.process.close_input();
        self.ended()
    }

    fn ended(mut self) -> Result<Ending, PeerError> {
        let closed = self.event("closed")?;
        let orderly = closed.get("orderly").and_then(Value::as_bool).unwrap_or_default();
        let (ending, code) = if orderly { (Ending::InOrder, 0) } else { (Ending::CutOff, 3) };
        let status = self.process.wait()?;
        if status.code() == Some(code) {
            Ok(ending)
        } else {
            Err(self.process.error(format!("{ending:?}, but {status}")))
        }
    }

    /// The next event of this kind; data that comes before it is not looked at.
    fn event(&mut self, kind: &str) -> Result<Value, PeerError> {
        loop {
            match next_event(&mut self.process)? {
                Some(event) if is(&event, kind) => return Ok(event),
                Some(event) if is(&event, "data") => {}
                event => return Err(self.process.error(format!("no event {kind:?}, but {event:?}"))),
            }
        }
    }
}

/// A running `opensspi serve --http`.
#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    pub(super) port: u16,
    package: String,
    _files: Files,
}

impl Server {
    /// Waits until it has logged that a handshake failed, and says why.
    pub(super) fn failure(&mut self) -> Result<String, PeerError> {
        loop {
            let why = self.verdict()?;
            if !why.is_empty() {
                return Ok(why);
            }
        }
    }

    /// Waits until it has logged how a handshake with its package ended: why it failed, and nothing if it did not.
    pub(super) fn verdict(&mut self) -> Result<String, PeerError> {
        loop {
            let Some(event) = next_event(&mut self.process)? else {
                return Err(self.process.error("it ended"));
            };
            let text = |name: &str| event.get(name).and_then(Value::as_str);
            if text("package") != Some(&self.package) {
                continue;
            }
            match text("message") {
                Some("handshake completed") => return Ok(String::new()),
                Some("handshake failed") => return Ok(text("error").unwrap_or("for no reason").to_owned()),
                _ => {}
            }
        }
    }
}

/// The next line of JSON; nothing at the end of the output.
fn next_event(process: &mut Process) -> Result<Option<Value>, PeerError> {
    let Some(line) = process.read_line()? else { return Ok(None) };
    serde_json::from_str(&line).map(Some).map_err(|error| process.error(format!("{line:?}: {error}")))
}

fn is(event: &Value, kind: &str) -> bool {
    event.get("event").and_then(Value::as_str) == Some(kind)
}
