//! Whether time tells a secret: dudect's test, run on what an attacker can reach.
//!
//! | looking for | where |
//! |---|---|
//! | premaster secrets under RSA, by the function and by a server's whole path | [`premaster`] |
//! | records in CBC mode | [`records`] |
//! | the private operation of RSA | [`private`] |
//! | Finished | [`finished`] |
//! | logons with passwords | [`logons`] |
//! | the mistakes that must be found | [`leaky`] |
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod accounts;
mod engine;
mod finished;
mod leaky;
mod logons;
mod plan;
mod premaster;
mod private;
mod records;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use engine::Failure;
use plan::Part;
use report::Report;

/// Measures whether time tells a secret, as dudect does.
#[derive(Debug, Parser)]
#[command(after_help = "\
Of every subject, inputs of several classes are measured in an order that lots decide. Each class is compared with the
first one: the means of the times and their variances, of all times and of those below 30 quantiles, by Welch's t-test. A
|t| of 4.5 or more counts as distinguishable. Such a subject is measured a second time, since among a few thousand tests
one may come out so by chance: it counts if the same class is found again.

  t            the largest of all, with its order: 1 compares means, 2 variances
  difference   of the mean times in nanoseconds, below the cut where they are known best
  seen from    the least difference that would have been found there: what the test can say at most. A cut takes away
               some of a difference too, at most about half

The subjects called \"leaky\" have a mistake on purpose, made in this program only. They must be found, or the test is
blind and fails.

Whether there is an account that a client names is not told by some nanoseconds: such a difference is shown and called too
little to be of use.

Other programs on the machine make differences harder to see and do not make any: they disturb all classes alike.

Exit code 1 if something is distinguishable that must not be, or a mistake is not found.

Examples:
  cargo xtask timing
  cargo xtask timing --only records --samples 1000000
  cargo xtask timing --json > timing.json")]
struct Arguments {
    /// Measurements of each class of what takes microseconds; of what takes longer, a tenth.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..))]
    samples: u32,
    /// Only these parts.
    #[arg(long, value_enum, value_name = "PARTS", value_delimiter = ',')]
    only: Vec<Part>,
    /// Where the lots begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON document at the end, and what is going on on standard error.
    #[arg(long)]
    json: bool,
    /// The same program, built for another arithmetic of RSA: its rows are added. `cargo xtask timing` gives them.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    also: Vec<PathBuf>,
    /// It runs for another one, which prints the rows.
    #[arg(long, hide = true)]
    child: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let mut report = Report::new(arguments.json, arguments.child);
    plan::run(arguments, &mut report)?;
    for program in &arguments.also {
        report.add(plan::elsewhere(program, arguments)?);
    }
    Ok(report.close())
}
