//! `connect`: a client that says what was negotiated, and then passes bytes between the terminal and the server.

mod relay;

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use clap::Args;
use opensspi::sspi_core::{ConnectionWeakness, ContextFlags, IscRet, QueryContextAttributes};
use opensspi::{Error, ExitClass, LogConfig, Renegotiation, RenegotiationOutcome, SecureStream, Sspi};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing_subscriber::filter::LevelFilter;

use self::relay::Source;
use crate::again::Again;
use crate::exit::Failure;
use crate::hints;
use crate::logging;
use crate::ports::{self, Target};
use crate::print::{Channel, Printer, Style};
use crate::settings::{Settings, absolute};
use crate::starttls::{self, StartTls};
use crate::summary::Summary;

/// The arguments of `connect`.
#[derive(Debug, Args)]
#[command(
    after_help = format!("{EXAMPLES}\n\n{}", crate::EXIT_CODES),
    after_long_help = format!("{EXAMPLES}\n\n{}\n\n{}", crate::EXIT_CODES, ports::help())
)]
pub(crate) struct Connect {
    /// HOST:PORT, HOST:SERVICE, or HOST (port 443, or the one of --starttls). An IPv6 address stands in brackets.
    #[arg(value_name = "HOST[:PORT]")]
    target: String,
    /// A service in place of the port, such as https, imaps or smtp; --help lists them.
    #[arg(value_name = "SERVICE")]
    service: Option<String>,
    /// Trust the authorities in this file (PEM) in place of the system's; several may be given.
    #[arg(long, value_name = "FILE")]
    ca: Vec<String>,
    /// Trust the certificate with this SHA-256, whatever its name and issuer, and no other; several may be given.
    #[arg(long, value_name = "HEX", conflicts_with = "ca")]
    pin: Vec<String>,
    /// The name that is asked for and checked, in place of the host.
    #[arg(long, value_name = "NAME")]
    servername: Option<String>,
    /// Begin TLS inside this protocol.
    #[arg(long, value_name = "PROTOCOL")]
    starttls: Option<StartTls>,
    /// Connect so many times more, and say whether the session was resumed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    reconnect: u32,
    /// Negotiate the connection again before anything is sent, and say what came of it (SSL 3.0 to TLS 1.2; in TLS 1.3, new
    /// keys). Implies --renegotiation both, unless ours is given.
    #[arg(long)]
    renegotiate: bool,
    /// Print nothing but what the server sends.
    #[arg(long, short)]
    quiet: bool,
    /// Send nothing: close our side at once, and print what the server sends until it closes its own.
    #[arg(long)]
    no_interactive: bool,
    /// Send this in place of stdin, with \r, \n, \t, \0, \\ and \xHH understood.
    #[arg(long, short, value_name = "TEXT", conflicts_with = "no_interactive")]
    command: Option<String>,
    #[command(flatten)]
    pub(crate) settings: Settings,
}

const EXAMPLES: &str = r#"Examples:
  opensspi connect example.org https
  opensspi connect example.org:443 -c "GET / HTTP/1.0\r\nHost: example.org\r\n\r\n"
  opensspi connect localhost:4433 --pin sha256:3f0a…      trust one certificate and no other
  opensspi connect plc.example:443 --profile legacy       down to TLS 1.0, with 3DES
  opensspi connect old.example:443 --protocols ssl3 --allow rc4,sha1-signature,rsa-1024
  opensspi connect mail.example.org smtp                  STARTTLS, as the service has it
  opensspi connect db.example.org --starttls postgres --no-interactive
  opensspi connect example.org --reconnect 2 --no-interactive --protocols tls1.3

stdout has what the server sends, and nothing else; the summary goes to stderr, and says what is
weak about the connection. There is no way to accept any certificate: one that is refused is shown
with the --pin that accepts it and no other."#;

impl Connect {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        logging::start(printer, log.unwrap_or(LevelFilter::OFF), LogConfig::default());
        let target = Target::parse(&self.target, self.service.as_deref(), self.starttls)?;
        let sspi = self.sspi(printer)?;
        let source = match &self.command {
            Some(text) => Source::Text(relay::unescape(text).map_err(Failure::usage)?),
            None if self.no_interactive => Source::Text(Vec::new()),
            None => Source::Stdin,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        let result = runtime.block_on(self.talk(printer, &sspi, &target, source));
        // A thread may still wait for a line on stdin.
        runtime.shutdown_background();
        result
    }

    fn sspi(&self, printer: &Printer) -> Result<Sspi, Failure> {
        let mut configuration = self.settings.configuration()?;
        let schannel = &mut configuration.config.schannel;
        if self.renegotiate && schannel.renegotiation == Renegotiation::Off {
            schannel.renegotiation = Renegotiation::Both;
        }
        if !self.ca.is_empty() {
            schannel.roots = self.ca.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
            schannel.pins.clear();
        }
        if !self.pin.is_empty() {
            schannel.pins.clone_from(&self.pin);
        }
        // Where browsers and curl write theirs.
        if schannel.key_log.is_none()
            && let Some(path) = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty())
        {
            schannel.key_log = Some(format!("file:{}", absolute(&path.to_string_lossy())?));
        }
        if !self.quiet {
            for note in &configuration.notes {
                printer.line(Channel::Err, format_args!("note: {note}"));
            }
        }
        let sspi = configuration.build()?;
        // What is wrong with the configuration shows before anybody is called.
        sspi.acquire(opensspi::sspi_core::CredentialUse::Outbound)?;
        Ok(sspi)
    }

    async fn talk(
        &self,
        printer: &Printer,
        sspi: &Sspi,
        target: &Target,
        source: Source,
    ) -> Result<(), Failure> {
        let mut resumed = Vec::new();
        for number in 0..self.reconnect {
            let mut stream = self.connect(sspi, target).await?;
            self.say(printer, sspi, target, &stream, number);
            resumed.push(is_resumed(&stream));
            close(&mut stream).await?;
        }
        let mut stream = self.connect(sspi, target).await?;
        self.say(printer, sspi, target, &stream, self.reconnect);
        if self.reconnect > 0 && !self.quiet {
            resumed.push(is_resumed(&stream));
            let words = resumed.iter().map(|resumed| if *resumed { "resumed" } else { "full" });
            let count = resumed.iter().filter(|resumed| **resumed).count();
            let words = words.collect::<Vec<_>>().join(", ");
            printer.line(Channel::Err, format_args!("{count} of {} resumed: {words}", resumed.len()));
        }
        if self.renegotiate {
            let again = Again::begin(&mut stream).await.map_err(|error| Failure::stream(&error))?;
            let what = match again {
                Again::NewKeys => "new keys: TLS 1.3 has KeyUpdate in place of a second handshake",
                Again::Handshake if stream.renegotiation() == RenegotiationOutcome::Declined => {
                    "the server does not negotiate again"
                }
                Again::Handshake => "negotiated again",
            };
            if !self.quiet {
                printer.line(Channel::Err, what);
            }
            match again {
                Again::NewKeys => {
                    printer.object(&json!({ "event": "new_keys", "connection": self.reconnect }))
                }
                Again::Handshake => self.say(printer, sspi, target, &stream, self.reconnect),
            }
        }
        relay::relay(printer, stream, source, self.quiet).await
    }

    async fn connect(&self, sspi: &Sspi, target: &Target) -> Result<SecureStream<TcpStream>, Failure> {
        let request = sspi.initialize_request(self.name(target));
        let connect = async || Ok::<_, Stopped>(self.socket(sspi, target).await?);
        sspi.connect_via(&request, connect).await.map_err(|stopped| match stopped {
            Stopped::Before(failure) => failure,
            Stopped::Handshake(error) => hints::with_options(error, sspi.config()),
        })
    }

    async fn socket(&self, sspi: &Sspi, target: &Target) -> Result<TcpStream, Failure> {
        let deadline = sspi.config().handshake_deadline;
        let address = format!("{}:{}", target.host, target.port);
        let connecting = async {
            let mut socket = TcpStream::connect((target.host.as_str(), target.port))
                .await
                .map_err(|error| Failure::network(&format!("cannot connect to {address}"), &error))?;
            let _latency_only = socket.set_nodelay(true);
            if let Some(protocol) = target.starttls {
                starttls::upgrade(&mut socket, protocol, &target.host).await?;
            }
            Ok(socket)
        };
        match deadline {
            None => connecting.await,
            Some(limit) => tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let what = format!("{address} did not answer within {limit:?}");
                Err(Failure::new(ExitClass::Network, what))
            }),
        }
    }

    fn name<'a>(&'a self, target: &'a Target) -> &'a str {
        self.servername.as_deref().unwrap_or(&target.host)
    }

    /// What was negotiated.
    fn say(
        &self,
        printer: &Printer,
        sspi: &Sspi,
        target: &Target,
        stream: &SecureStream<TcpStream>,
        number: u32,
    ) {
        let mut summary =
            Summary::of(stream.attributes().as_ref(), stream.security_context_token().ok().as_ref());
        let attributes = stream.attributes().as_ref();
        let proof = Proof::of(sspi, attributes);
        summary.weaknesses.extend(proof.weakness());
        let verdict = proof.verdict(&attributes.package_info().name, self.name(target));
        let peer = stream.get_ref().peer_addr().map(|address| address.to_string()).unwrap_or_default();
        printer.object(&connected(&summary, &verdict, &peer, target, number));
        if self.quiet {
            return;
        }
        let channel = Channel::Err;
        let again = if number == 0 { "" } else { " again" };
        printer.line(channel, format_args!("connected{again} to {}:{} ({peer})", target.host, target.port));
        summary.print(printer, channel);
        if number == 0 {
            summary.print_chain(printer, channel);
        }
        let style = if proof == Proof::None { Style::Yellow } else { Style::Green };
        printer.field(channel, "verified", printer.styled(channel, style, verdict));
        summary.print_weaknesses(printer, channel);
        printer.line(channel, "");
    }
}

/// Whether a connection took up the session of one before.
fn is_resumed(stream: &SecureStream<TcpStream>) -> bool {
    stream.attributes().session_info().is_ok_and(|info| info.reconnect)
}

/// How the server has proved who it is. Where it has not done what its package makes of that, the handshake has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Its certificate has a chain to a trusted root, and its name in it.
    Chain,
    /// Its certificate is one that was named.
    Pin,
    /// That of another package.
    Package,
    /// There is none: the package is for servers that want to know who their clients are.
    None,
}

const SCHANNEL: &str = "Schannel";

impl Proof {
    /// By the package that was chosen: Negotiate proves nothing itself.
    fn of(sspi: &Sspi, attributes: &dyn QueryContextAttributes) -> Self {
        let is_mutual = match attributes.flags() {
            ContextFlags::Initiator(flags) => flags.contains(IscRet::MUTUAL_AUTH),
            ContextFlags::Acceptor(_) => false,
        };
        match (is_mutual, attributes.package_info().name == SCHANNEL) {
            (false, _) => Self::None,
            (true, false) => Self::Package,
            (true, true) if sspi.config().schannel.pins.is_empty() => Self::Chain,
            (true, true) => Self::Pin,
        }
    }

    fn verdict(self, package: &str, name: &str) -> String {
        match self {
            Self::Chain => {
                format!("yes: the chain ends at a trusted root, and the certificate is for {name}")
            }
            Self::Pin => "yes: the certificate is one of those that are pinned".to_owned(),
            Self::Package => format!("yes, by the package {package}"),
            Self::None => format!("no: {package} has no proof of who the server is"),
        }
    }

    /// What is weak about it.
    const fn weakness(self) -> Option<ConnectionWeakness> {
        let (name, description) = match self {
            Self::Chain | Self::Package => return None,
            Self::Pin => (
                "pinned",
                "the certificate is pinned: nobody vouches for it, and its name, its times and revocation were not looked at",
            ),
            Self::None => (
                "server-not-verified",
                "nobody has verified who the server is: whoever takes its place is talked to as well",
            ),
        };
        Some(ConnectionWeakness { name: Cow::Borrowed(name), description: Cow::Borrowed(description) })
    }
}

fn connected(summary: &Summary, verdict: &str, peer: &str, target: &Target, number: u32) -> Value {
    let mut object = json!({
        "event": "connected",
        "host": target.host,
        "port": target.port,
        "address": peer,
        "connection": number,
        "verified": verdict,
    });
    if let (Some(object), Value::Object(details)) = (object.as_object_mut(), summary.object()) {
        object.extend(details);
    }
    object
}

/// A failed connection.
enum Stopped {
    /// There was no handshake yet.
    Before(Failure),
    Handshake(Error),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Before(failure)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Handshake(error)
    }
}

/// How long a server may take to close its side of a connection that we are done with.
const GOODBYE: Duration = Duration::from_secs(2);

/// Closes our side, and takes what the server still sends: the tickets with which the next connection resumes.
async fn close(stream: &mut SecureStream<TcpStream>) -> Result<(), Failure> {
    let ending = async {
        stream.shutdown().await?;
        let mut buffer = [0; 1024];
        while stream.read(&mut buffer).await? > 0 {}
        io::Result::Ok(())
    };
    match tokio::time::timeout(GOODBYE, ending).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Err(Failure::stream(&error)),
        // A server that does not say goodbye, or not in time, has done what it was connected to for.
        _ => Ok(()),
    }
}
