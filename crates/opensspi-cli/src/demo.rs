//! `demo`: a server and a client against each other over a real socket, for everything that is configured.

mod run;

use clap::Args;
use opensspi::{ExitClass, LogConfig, Protocol};
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

use self::run::{Case, Run};
use crate::exit::Failure;
use crate::legs;
use crate::logging;
use crate::print::{Channel, Printer, Style, thousands};
use crate::recording::Direction;
use crate::settings::Settings;

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
The server's certificate is made in memory, and the client pins it: nothing needs to be set up. What a configuration says
about protocols, suites, application protocols and resumption is used; its certificates and roots are not.

Examples:
  opensspi demo
  opensspi demo --bytes 268435456
  opensspi demo --protocols tls1.3 --suites TLS_CHACHA20_POLY1305_SHA256
  opensspi demo --config opensspi.toml --json")]
pub(crate) struct Demo {
    #[command(flatten)]
    settings: Settings,
    /// How much data is sent through each connection for the throughput figure.
    #[arg(long, value_name = "N", default_value_t = 64 << 20)]
    bytes: u64,
}

impl Demo {
    pub(crate) fn run(&self, printer: &Printer, log: Option<LevelFilter>) -> Result<(), Failure> {
        logging::start(printer, log.unwrap_or(LevelFilter::OFF), LogConfig::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        let runs = runtime.block_on(self.all(printer))?;
        printer.object(&json!({
            "ok": runs.iter().all(|run| run.result.is_ok()),
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

    async fn all(&self, printer: &Printer) -> Result<Vec<Run>, Failure> {
        let configuration = self.settings.configuration()?;
        let mut runs = Vec::new();
        for protocol in configuration.config.schannel.protocols.clone() {
            let case = Case::new(&configuration.config, protocol, self.bytes)?;
            for run in case.run().await {
                describe(printer, &run);
                runs.push(run);
            }
        }
        if runs.is_empty() {
            return Err(Failure::usage(
                "no protocol is configured: there is nothing to show (setting: protocols)",
            ));
        }
        Ok(runs)
    }
}

/// `TLS 1.3`.
fn protocol_name(protocol: Protocol) -> String {
    protocol.bits().to_string()
}

fn title(run: &Run) -> String {
    let kind = if run.is_second { "resumed" } else { "full" };
    format!("{} · {} · {kind}", run.package, protocol_name(run.protocol))
}

/// One connection, leg by leg.
fn describe(printer: &Printer, run: &Run) {
    let channel = Channel::Out;
    printer.line(channel, printer.styled(channel, Style::Bold, format_args!("── {} ", title(run))));
    for (leg, names) in run.legs.iter().zip(legs::names(&run.legs)) {
        let (arrow, style) = match leg.direction {
            Direction::Sent => ("client ──▶ server", Style::Cyan),
            Direction::Received => ("client ◀── server", Style::Green),
        };
        let bytes = thousands(u64::try_from(leg.bytes.len()).unwrap_or(u64::MAX));
        let arrow = printer.styled(channel, style, arrow);
        printer.line(channel, format_args!("  {arrow}  {bytes:>7} bytes  {names}"));
    }
    match &run.result {
        Ok(outcome) => {
            outcome.summary.print(printer, channel);
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
        "{:<10} {:<9} {:<9} {:<40} {:>10} {:>12}  {}",
        "package", "protocol", "session", "cipher", "handshake", "throughput", "result"
    );
    printer.line(channel, printer.styled(channel, Style::Bold, head));
    for run in runs {
        let session = if run.is_second { "resumed" } else { "full" };
        let (cipher, handshake, throughput, result) = match &run.result {
            Ok(outcome) => (
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
                "{:<10} {:<9} {session:<9} {cipher:<40} {handshake:>10} {throughput:>12}  {result}",
                run.package,
                protocol_name(run.protocol)
            ),
        );
    }
}

fn object(run: &Run) -> Value {
    let legs: Vec<Value> = run
        .legs
        .iter()
        .zip(legs::names(&run.legs))
        .map(|(leg, names)| {
            let from = if leg.direction == Direction::Sent { "client" } else { "server" };
            json!({ "from": from, "bytes": leg.bytes.len(), "messages": names })
        })
        .collect();
    let mut object = json!({
        "package": run.package,
        "protocol": protocol_name(run.protocol),
        "session": if run.is_second { "resumed" } else { "full" },
        "legs": legs,
        "ok": run.result.is_ok(),
    });
    let details = match &run.result {
        Ok(outcome) => json!({
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
