//! Many connections, for a long time, on one server: what each costs, and whether what is over is given back.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod handshakes;
mod idle;
mod network;
mod server;
mod stalled;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use opensspi_integration_tests::ours::Failure;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use server::Subject;

/// The result of a part that ran to its end.
type Measured = Result<Vec<Figure>, Failure>;

/// Runs many connections against one server, and measures its memory.
#[derive(Debug, Parser)]
#[command(after_help = "Exits with 1 if a bound is broken.")]
pub(crate) struct Arguments {
    /// The opensspi program whose `serve --echo` is measured; a server of this program's own if nothing is said.
    #[arg(long, value_name = "PATH")]
    opensspi: Option<PathBuf>,
    /// Print the figures as one JSON document, and progress on standard error.
    #[arg(long)]
    json: bool,
    /// Only this part.
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// How many idle connections at a time.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    connections: usize,
    /// How many peers that stop in mid-handshake, each time.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    stalled: usize,
    /// How many handshakes one after the other.
    #[arg(long, value_name = "N", default_value_t = 30_000)]
    handshakes: usize,
    /// Serve, for another run of this program: certificate and key.
    #[arg(long, hide = true, num_args = 2, value_names = ["CERT", "KEY"])]
    serve: Option<Vec<PathBuf>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Idle connections: memory for each, and whether they still answer.
    Idle,
    /// Peers that stop in mid-handshake: dropped at the deadline, and their memory given back.
    Stalled,
    /// Handshakes one after the other: no growth.
    Handshakes,
}

/// The deadline of the server's handshakes.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// Something measured.
#[derive(Debug)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// The most that it may be.
    bound: Option<f64>,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, value, unit, bound: None }
    }

    pub(crate) fn at_most(self, bound: f64) -> Self {
        Self { bound: Some(bound), ..self }
    }

    fn holds(&self) -> bool {
        self.bound.is_none_or(|bound| self.value <= bound)
    }

    fn document(&self) -> Value {
        json!({
            "name": self.name,
            "value": (self.value * 1000.0).round() / 1000.0,
            "unit": self.unit,
            "bound": self.bound,
            "ok": self.holds(),
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    network::raise_open_files();
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some([chain, key]) = arguments.serve.as_deref() {
        return match runtime.block_on(server::serve(chain, key)) {
            Ok(never) => match never {},
            Err(failure) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        };
    }
    match runtime.block_on(run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("soak: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line for the run that started this server.
pub(crate) fn announce(event: &Value) {
    println!("{event}");
}

async fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let wanted = |part: Part| arguments.only.is_none_or(|only| only == part);
    let say = |line: &str| if arguments.json { eprintln!("{line}") } else { println!("{line}") };
    let mut all = Vec::new();
    let mut server = String::new();
    for part in [Part::Idle, Part::Stalled, Part::Handshakes].into_iter().filter(|&part| wanted(part)) {
        // A server of its own for each part: nobody else's memory is measured.
        let subject = Subject::start(arguments)?;
        say(&format!("{part:?}, server {} (process {})", subject.name(), subject.id()));
        subject.name().clone_into(&mut server);
        let figures = match part {
            Part::Idle => idle::run(&subject, arguments.connections).await?,
            Part::Stalled => stalled::run(&subject, arguments.stalled).await?,
            Part::Handshakes => handshakes::run(&subject, arguments.handshakes).await?,
        };
        for figure in &figures {
            let bound = figure.bound.map_or(String::new(), |bound| {
                format!(", at most {bound}: {}", if figure.holds() { "ok" } else { "BROKEN" })
            });
            say(&format!("  {:<58} {:>10.2} {}{bound}", figure.name, figure.value, figure.unit));
        }
        all.extend(figures);
    }
    if arguments.json {
        let figures: Vec<_> = all.iter().map(Figure::document).collect();
        println!("{}", json!({ "server": server, "figures": figures }));
    }
    Ok(all.iter().all(Figure::holds))
}
