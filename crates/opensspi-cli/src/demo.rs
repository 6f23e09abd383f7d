//! `demo`: a server and a client against each other over a real socket, for everything that is configured.

// Shown in docs/add-a-provider.md as it is, on a page.
#[rustfmt::skip]
mod badge;
mod frames;
mod packages;
mod plan;
mod run;

use clap::Args;
use opensspi::{ExitClass, LogConfig, Profile};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

use self::packages::{PACKAGES, Package};
use self::plan::{Plan, Show};
use self::run::{Case, Kind, Outcome, Port, Run};
use crate::exit::Failure;
use crate::legs;
use crate::logging;
use crate::print::{Channel, Printer, Style, thousands};
use crate::recording::Direction;
use crate::settings::{Settings, absolute, client_auth};

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", crate::EXIT_CODES))]
pub(crate) struct Demo {
    #[command(flatten)]
    pub(crate) settings: Settings,
    /// Whose certificates the client trusts (PEM), in place of the configured roots and pins; several may be given.
    #[arg(long, value_name = "FILE")]
    ca: Vec<String>,
    /// Whether the server asks for certificates: none, optional or required.
    #[arg(long, value_name = "WHEN")]
    client_auth: Option<String>,
    /// How much data is sent through each connection for the throughput figure [default: 64 MiB, and less
    /// where each suite is shown or the cipher is slow].
    #[arg(long, value_name = "N")]
    bytes: Option<u64>,
    /// Show each suite of each protocol, and not only the preferred one [default with --profile windows-2003].
    #[arg(long)]
    each_suite: bool,
}

/// Said where nothing was asked for.
const EVERYTHING: &str = "everything is shown, what keeps nothing secret too: a configuration has TLS 1.3 and TLS 1.2 alone unless it says otherwise";

const EXAMPLES: &str = "\
Without arguments every package is shown: Schannel with each of its protocols, NTLM, Digest, Negotiate,
and a toy of a third party (docs/add-a-provider.md).

Without a configuration nothing needs to be set up: the server's certificate is made in memory, and
the client pins it.

A configuration's certificates are the server's, its roots and pins the client's. Where the server
asks for certificates the demo makes one for the client, and connects without it, too. What of a
configuration cannot be used is said.

NTLM, Digest and Negotiate are shown with an account that only the demo has.

Examples:
  opensspi demo
  opensspi demo --package Negotiate
  opensspi demo --profile modern                        what a configuration has by default
  opensspi demo --bytes 268435456
  opensspi demo --profile windows-2003                  every suite of Windows Server 2003
  opensspi demo --profile museum                        all seven protocols over one port
  opensspi demo --protocols tls1.3 --suites TLS_CHACHA20_POLY1305_SHA256
  opensspi demo --cert server.pem --key server.key --ca company-ca.pem --client-auth required
  opensspi demo --config opensspi.toml --json

The exit code is that of the first connection that failed.";

impl Demo {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        logging::start(printer, log.unwrap_or(LevelFilter::OFF), LogConfig::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        let plan = if self.shows_schannel()? { Some(self.plan()?) } else { None };
        let notes = plan.as_ref().map(|(plan, _)| plan.notes.clone()).unwrap_or_default();
        for note in &notes {
            printer.line(Channel::Out, format_args!("note: {note}"));
        }
        if !notes.is_empty() {
            printer.line(Channel::Out, "");
        }
        let mut runs = match &plan {
            Some((plan, shows)) => runtime.block_on(self.all(printer, plan, shows))?,
            None => Vec::new(),
        };
        for package in &PACKAGES {
            if self.shows(package)? {
                let case = package.case(self.settings.configuration()?, self.bytes);
                runs.extend(runtime.block_on(show(printer, case))?);
            }
        }
        printer.object(&json!({
            "ok": runs.iter().all(|run| run.result.is_ok()),
            "notes": notes,
            "connections": runs.iter().map(object).collect::<Vec<_>>(),
        }));
        table(printer, &runs);
        // The first failure says how the whole demo ended.
        let classes = runs.iter().filter_map(|run| run.result.as_ref().err()).map(|failure| failure.class);
        let failed: Vec<ExitClass> = classes.collect();
        match failed.first() {
            None => Ok(()),
            Some(class) => {
                Err(Failure::new(*class, format!("{} of {} connections failed", failed.len(), runs.len()))
                    .told())
            }
        }
    }

    /// The package that was asked for, on the command line or in a file.
    fn package(&self) -> Result<Option<String>, Failure> {
        let is_said = self.settings.package.is_some() || self.settings.config.is_some();
        Ok(if is_said { Some(self.settings.configuration()?.config.package) } else { None })
    }

    /// Whether something was said that only Schannel understands.
    fn is_of_schannel(&self) -> bool {
        let settings = &self.settings;
        settings.profile.is_some()
            || !settings.protocols.is_empty()
            || !settings.suites.is_empty()
            || !settings.allow.is_empty()
            || settings.cert.is_some()
            || self.client_auth.is_some()
            || !self.ca.is_empty()
            || self.each_suite
    }

    /// Whether Schannel is shown: unless another package was asked for. Of one that there is not, its builder says so.
    fn shows_schannel(&self) -> Result<bool, Failure> {
        let is_another = |name: String| PACKAGES.iter().any(|package| package.is_named(&name));
        Ok(!self.package()?.is_some_and(is_another))
    }

    /// Whether a package is shown: if it was asked for, or everything is.
    fn shows(&self, package: &Package) -> Result<bool, Failure> {
        Ok(match self.package()? {
            Some(name) => package.is_named(&name),
            None => !self.is_of_schannel(),
        })
    }

    /// Whether every protocol is shown, the old ones too: nothing was said of what should be.
    fn shows_everything(&self) -> Result<bool, Failure> {
        Ok(self.package()?.is_none() && !self.is_of_schannel())
    }

    fn plan(&self) -> Result<(Plan, Vec<Show>), Failure> {
        let mut configuration = self.settings.configuration()?;
        let schannel = &mut configuration.config.schannel;
        let shows_everything = self.shows_everything()?;
        if shows_everything {
            schannel.profile = Profile::Museum;
            schannel.i_accept_drown = true;
        }
        if !self.ca.is_empty() {
            schannel.roots = self.ca.iter().map(|path| absolute(path)).collect::<Result<_, _>>()?;
            schannel.pins.clear();
        }
        if let Some(mode) = &self.client_auth {
            schannel.client_auth = client_auth(mode)?;
        }
        let each_suite = self.each_suite || schannel.profile == Profile::Windows2003;
        let enabled = schannel.enabled().map_err(|error| Failure::from(&error))?;
        let mut shows = Vec::new();
        for (protocol, suites) in &enabled {
            if each_suite {
                shows.extend(suites.iter().map(|suite| Show { protocol: *protocol, suite: Some(suite) }));
            } else {
                shows.push(Show { protocol: *protocol, suite: None });
            }
        }
        let one_port = schannel.profile == Profile::Museum && !each_suite;
        let mut plan = Plan::new(configuration, &enabled)?;
        if shows_everything {
            plan.note(EVERYTHING);
        }
        if one_port {
            plan.share_a_port();
        }
        Ok((plan, shows))
    }

    async fn all(&self, printer: &Printer, plan: &Plan, shows: &[Show]) -> Result<Vec<Run>, Failure> {
        let mut runs = Vec::new();
        let port = if plan.one_port { Some(Port::open(plan.server_of_all()?).await?) } else { None };
        if let Some(port) = &port {
            printer.line(Channel::Out, format_args!("one server, one port: {}\n", port.address));
        }
        for show in shows {
            let bytes = self.bytes.unwrap_or(match show {
                Show { suite: Some(_), .. } => 1 << 20,
                // Their ciphers take their time.
                Show { protocol, .. } if protocol.is_old() => 8 << 20,
                _ => 64 << 20,
            });
            let case = Case::new(plan, *show, bytes, port.clone()).await?;
            for run in case.run().await {
                describe(printer, &run);
                runs.push(run);
            }
        }
        Ok(runs)
    }
}

fn title(run: &Run) -> String {
    let certificate = match run.shows_certificate {
        None => "",
        Some(true) => " · with a client certificate",
        Some(false) => " · without a client certificate",
    };
    let kind = if run.kind == Kind::Resumed { "resumed" } else { "full" };
    format!("{} · {} · {kind}{certificate}", run.package, run.protocol)
}

/// Runs the connections of another package than Schannel.
async fn show(
    printer: &Printer,
    case: impl Future<Output = Result<Case, Failure>>,
) -> Result<Vec<Run>, Failure> {
    let runs = case.await?.run().await;
    runs.iter().for_each(|run| describe(printer, run));
    Ok(runs)
}

/// What each leg holds.
fn leg_names(run: &Run) -> Vec<String> {
    match run.package.as_str() {
        "Schannel" => legs::names(&run.legs),
        _ => frames::names(&run.legs),
    }
}

/// One connection, leg by leg.
fn describe(printer: &Printer, run: &Run) {
    let channel = Channel::Out;
    printer.line(channel, printer.styled(channel, Style::Bold, format_args!("── {} ", title(run))));
    for (leg, names) in run.legs.iter().zip(leg_names(run)) {
        let (arrow, style) = match leg.direction {
            Direction::Sent => ("client ──▶ server", Style::Cyan),
            Direction::Received => ("client ◀── server", Style::Green),
        };
        let bytes = thousands(u64::try_from(leg.bytes.len()).unwrap_or(u64::MAX));
        let arrow = printer.styled(channel, style, arrow);
        printer.line(channel, format_args!("  {arrow}  {bytes:>7} bytes  {names}"));
    }
    match &run.result {
        Ok(Outcome::Refused(why)) => {
            let refused = printer.styled(channel, Style::Green, "refused, as it should be");
            printer.line(channel, format_args!("  {refused}: {why}"));
        }
        Ok(Outcome::Made(outcome)) => {
            if let Some(package) = chosen(run) {
                printer.field(channel, "package", printer.styled(channel, Style::Bold, package));
            }
            outcome.summary.print(printer, channel);
            if let Some(names) = outcome.summary.weak_names() {
                printer.field(channel, "weak", printer.styled(channel, Style::Yellow, names));
            }
            let handshake = format!("{:.2} ms", outcome.handshake.as_secs_f64() * 1_000.0);
            printer.field(channel, "handshake", handshake);
            let figure =
                format!("{} in {:.2?}: {}", size(outcome.bytes), outcome.transfer, rate(outcome.rate()));
            printer.field(channel, "throughput", figure);
        }
        Err(failure) => {
            let failed = printer.styled(channel, Style::Red, "failed");
            printer.line(channel, format_args!("  {failed}: {}", failure.message));
        }
    }
    printer.line(channel, "");
}

/// Everything at a glance.
fn table(printer: &Printer, runs: &[Run]) {
    let channel = Channel::Out;
    let head = format!(
        "{:<10} {:<10} {:<9} {:<40} {:>10} {:>12}  {}",
        "package", "protocol", "session", "cipher", "handshake", "throughput", "result"
    );
    printer.line(channel, printer.styled(channel, Style::Bold, head));
    for run in runs {
        let session = run.kind.name();
        let (cipher, handshake, throughput, result) = match &run.result {
            Ok(Outcome::Refused(_)) => {
                let refused = printer.styled(channel, Style::Green, "✓ refused");
                (String::new(), String::new(), String::new(), refused)
            }
            Ok(Outcome::Made(outcome)) => (
                outcome.summary.negotiated.cipher.clone().unwrap_or_default(),
                format!("{:.2} ms", outcome.handshake.as_secs_f64() * 1_000.0),
                rate(outcome.rate()),
                printer.styled(channel, Style::Green, "✓"),
            ),
            Err(failure) => {
                let why = printer.styled(channel, Style::Red, format_args!("✗ {}", failure.message));
                (String::new(), String::new(), String::new(), why)
            }
        };
        printer.line(
            channel,
            format_args!(
                "{:<10} {:<10} {session:<9} {cipher:<40} {handshake:>10} {throughput:>12}  {result}",
                run.package,
                chosen(run).unwrap_or(&run.protocol)
            ),
        );
    }
}

/// The package that came of a negotiation, where it is another than the one that negotiated.
fn chosen(run: &Run) -> Option<&str> {
    let Ok(Outcome::Made(made)) = &run.result else { return None };
    Some(made.summary.negotiated.package.as_str()).filter(|package| *package != run.package)
}

fn object(run: &Run) -> Value {
    let legs: Vec<Value> = run
        .legs
        .iter()
        .zip(leg_names(run))
        .map(|(leg, names)| {
            let from = if leg.direction == Direction::Sent { "client" } else { "server" };
            json!({ "from": from, "bytes": leg.bytes.len(), "messages": names })
        })
        .collect();
    let mut object = json!({
        "package": run.package,
        "protocol": run.protocol,
        "session": if run.kind == Kind::Resumed { "resumed" } else { "full" },
        "client_certificate": run.shows_certificate,
        "port": run.port,
        "legs": legs,
        "ok": run.result.is_ok(),
    });
    let details = match &run.result {
        Ok(Outcome::Refused(why)) => json!({ "refused": why }),
        Ok(Outcome::Made(outcome)) => json!({
            "negotiated": outcome.summary.object(),
            "handshake_ms": outcome.handshake.as_secs_f64() * 1_000.0,
            "bytes": outcome.bytes,
            "seconds": outcome.transfer.as_secs_f64(),
            "megabytes_per_second": outcome.rate(),
        }),
        Err(failure) => json!({ "error": failure.message, "class": failure.class.name() }),
    };
    if let (Some(object), Value::Object(details)) = (object.as_object_mut(), details) {
        object.extend(details);
    }
    object
}

/// Bytes as a person reads them, in the units of [`rate`].
fn size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        return format!("{} bytes", thousands(bytes));
    }
    format!("{}.{} MB", thousands(bytes / 1_000_000), bytes % 1_000_000 / 100_000)
}

fn rate(megabytes_per_second: f64) -> String {
    format!("{megabytes_per_second:.0} MB/s")
}
