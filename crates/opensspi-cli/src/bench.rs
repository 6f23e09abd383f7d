//! `bench`: OpenSSPI beside rustls and tokio-rustls, as ratios of one run.

use std::io;
use std::process::Command;
use std::time::Duration;

use clap::Args;
use opensspi::ExitClass;
use opensspi_bench::{Effort, Memory, MemoryChild, Row};
use serde_json::json;

use crate::exit::Failure;
use crate::print::{Channel, Printer, Style};

/// The arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "\
Both sides run in turns in this process, with the same certificate, suite and roots; a ratio is the
median of the rounds' ratios, and above 1 OpenSSPI is the better one. Close other programs first:
they disturb the figures.

The heap of a connection is counted by the program opensspi-memory where that lies beside this one;
without it resident memory is compared. `cargo xtask bench` builds both, and measures the old
protocols beside OpenSSL as well.

Exit codes:
  0  every ratio is what the project promises
  2  usage
  3  something could not be measured, such as a socket that could not be opened
  4  a ratio is below what the project promises

Examples:
  opensspi bench
  opensspi bench --only records --only streams
  opensspi bench --rounds 31 --json")]
pub(crate) struct Bench {
    /// What to measure [default: everything].
    #[arg(long, value_enum)]
    only: Vec<Subject>,
    /// How many rounds each measurement has.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long each side runs in a round, in milliseconds.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u16).range(1..))]
    milliseconds: u16,
    /// Holds the connections of one subject and prints the memory of each: what `bench` starts in a process of its own.
    #[arg(long, hide = true, value_name = "SUBJECT")]
    memory_child: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Subject {
    /// Encrypting and decrypting 16 KiB records.
    Records,
    /// Full and resumed handshakes.
    Handshakes,
    /// The engine's oldest protocol beside a newer one, and resumption beside full handshakes.
    Engine,
    /// Negotiate over NTLM beside NTLM alone.
    Negotiation,
    /// The session cache beside a naive one.
    Sessions,
    /// Streams over a loopback socket.
    Streams,
    /// Memory of 10,000 idle connections.
    Memory,
}

impl Bench {
    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        if let Some(name) = &self.memory_child {
            return child(name);
        }
        let round = Duration::from_millis(self.milliseconds.into());
        let effort = Effort { rounds: self.rounds.into(), round };
        let wanted = |subject| self.only.is_empty() || self.only.contains(&subject);
        let mut rows: Vec<Row> = Vec::new();
        for (subject, name) in [
            (Subject::Records, "records"),
            (Subject::Handshakes, "handshakes"),
            (Subject::Engine, "the engine"),
            (Subject::Negotiation, "negotiation"),
            (Subject::Sessions, "sessions"),
            (Subject::Streams, "streams"),
            (Subject::Memory, "memory"),
        ] {
            if !wanted(subject) {
                continue;
            }
            printer.line(Channel::Err, format_args!("measuring {name} …"));
            let measured = match subject {
                Subject::Records => opensspi_bench::records(effort),
                Subject::Handshakes => opensspi_bench::handshakes(effort),
                Subject::Engine => opensspi_bench::engine(effort),
                Subject::Negotiation => opensspi_bench::negotiation(effort),
                Subject::Sessions => opensspi_bench::sessions(effort),
                Subject::Streams => opensspi_bench::streams(effort),
                Subject::Memory => opensspi_bench::memory(measure_child)
                    .map_err(|error| Failure::network("the memory could not be measured", &error))?,
            };
            measured.iter().for_each(|row| print(printer, row));
            rows.extend(measured);
        }
        printer.object(&json!({ "rows": rows, "holds": rows.iter().all(Row::holds) }));
        match rows.iter().filter(|row| !row.holds()).count() {
            0 => Ok(()),
            below => Err(Failure::new(
                ExitClass::Protocol,
                format!("{below} of {} ratios are below their aim", rows.len()),
            )),
        }
    }
}

fn print(printer: &Printer, row: &Row) {
    let Row { name, ours, theirs, unit, ratio, aim, note } = row;
    let note = note.as_ref().map(|note| format!("  {note}")).unwrap_or_default();
    let mark = if row.holds() {
        String::new()
    } else {
        printer.styled(Channel::Out, Style::Bold, "  below its aim")
    };
    printer.line(
        Channel::Out,
        format_args!(
            "{name:62} {ours:9.0} : {theirs:9.0} {unit:13} ratio {ratio:.3} (aim {aim}){note}{mark}"
        ),
    );
}

/// Runs the program whose allocator counts, which is built beside this one, as the holder of one subject's connections;
/// where it is not there, this one, which knows its resident memory only.
fn measure_child(child: MemoryChild) -> io::Result<Memory> {
    let own = std::env::current_exe()?;
    let counting = own.with_file_name(format!("opensspi-memory{}", std::env::consts::EXE_SUFFIX));
    let output = if counting.is_file() {
        Command::new(counting).arg(child.name()).output()?
    } else {
        Command::new(own).args(["bench", "--memory-child", child.name()]).output()?
    };
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!(
            "the process that holds the connections said {:?} {:?}",
            text.trim(),
            said.trim()
        ))
    })
}

#[expect(clippy::print_stdout, reason = "the figure is for the process that started this one")]
fn child(name: &str) -> Result<(), Failure> {
    let child =
        MemoryChild::by_name(name).ok_or_else(|| Failure::usage(format!("no subject is called {name:?}")))?;
    let memory = opensspi_bench::memory_child(child, None)
        .map_err(|error| Failure::network("the memory could not be measured", &error))?;
    println!("{}", json!(memory));
    Ok(())
}
