//! Our primitives beside those of the system's OpenSSL: RSA, and the records of the suites with RC4, 3DES and AES.
//!
//! Ours run in this program, OpenSSL's in `openssl speed`; both count processor time, so that what else the machine does
//! disturbs little. The rounds alternate, and a ratio is the median of the rounds' ratios.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod openssl;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use openssl::Instructions;
use opensspi_measure::machine;
use opensspi_measure::rates::{self, Failure, SUITES, Suite, median};
use serde::Serialize;
use serde_json::json;

/// Measures our primitives beside those of the system's OpenSSL.
#[derive(Debug, Parser)]
#[command(after_help = "\
A ratio above 1 means that ours do more in a second of processor time. `limit` stands with what is below 1: how much our
cipher and our MAC would do if they ran one after the other and nothing else did; `of limit` is how near the record layer
comes to it, which is above 1 where it does both at once.

OpenSSL's figure for a suite is its one function that encrypts and hashes, where it has one, else cipher and hash one
after the other, both without the work for a record.

Exit code 1 if a ratio is below its aim.

Examples:
  cargo xtask speed --primitives
  cargo xtask speed --primitives --only rsa --rounds 9
  cargo xtask speed --primitives --json")]
struct Arguments {
    #[command(subcommand)]
    child: Option<Child>,
    /// Only these: rsa, or suites by OpenSSL's name.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Rounds of each side.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of each side in a round.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Print one JSON document at the end, and progress on standard error.
    #[arg(long)]
    json: bool,
    /// The same program, built without IFMA. `cargo xtask speed --primitives` gives it.
    #[arg(long, hide = true, value_name = "PROGRAM")]
    without_ifma: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// Says how many operations of RSA it does in a second: what this program starts of another build.
    #[command(hide = true)]
    Rsa { seconds: u32 },
}

/// One ratio.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// What OpenSSL does.
    theirs_is: String,
    ours: f64,
    theirs: f64,
    unit: &'static str,
    ratio: f64,
    aim: f64,
    /// What our primitives would do one after the other.
    limit: Option<f64>,
}

impl Row {
    fn holds(&self) -> bool {
        self.ratio >= self.aim
    }

    fn line(&self) -> String {
        let Self { name, theirs_is, ours, theirs, unit, ratio, aim, limit } = self;
        let limit = limit.map_or_else(String::new, |limit| {
            format!("  limit {limit:.0} {unit}, ratio {:.2}; {:.2} of limit", limit / theirs, ours / limit)
        });
        let mark = if self.holds() { "" } else { "  BELOW ITS AIM" };
        format!(
            "{name:<28} {ours:8.0} : {theirs:8.0} {unit:<6} ratio {ratio:.3} (aim {aim}) {theirs_is}{limit}{mark}"
        )
    }
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
    if let Some(Child::Rsa { seconds }) = arguments.child {
        println!("{}", json!({ "kernel": machine::kernel(), "rate": rates::rsa(f64::from(seconds))? }));
        return Ok(true);
    }
    let say = |line: &str| if arguments.json { eprintln!("{line}") } else { println!("{line}") };
    let (openssl, load) = (openssl::version()?, machine::load());
    say(&format!("ours : {openssl}, in a second of processor time; {}", machine::described()));
    let mut rows = Vec::new();
    let mut add = |row: Row| {
        say(&row.line());
        rows.push(row);
    };
    if wanted(arguments, "rsa") {
        add(rsa(arguments)?);
        if let Some(program) = &arguments.without_ifma {
            add(rsa_without_ifma(arguments, program)?);
        }
    }
    for suite in SUITES.into_iter().filter(|suite| wanted(arguments, suite.name)) {
        for opening in [false, true] {
            add(records(arguments, suite, opening)?);
        }
    }
    let holds = rows.iter().all(Row::holds);
    if arguments.json {
        let load = [load, machine::load()];
        println!("{}", json!({ "openssl": openssl, "load": load, "rows": rows, "holds": holds }));
    }
    Ok(holds)
}

fn wanted(arguments: &Arguments, name: &str) -> bool {
    arguments.only.is_empty() || arguments.only.iter().any(|only| only.eq_ignore_ascii_case(name))
}

/// Both sides in alternating rounds; who goes first alternates too. The median of each, and of the ratios.
fn rounds(
    count: u32,
    mut ours: impl FnMut() -> Result<f64, Failure>,
    mut theirs: impl FnMut() -> Result<f64, Failure>,
) -> Result<[f64; 3], Failure> {
    let mut rounds = Vec::new();
    for round in 0..count {
        rounds.push(if round % 2 == 0 {
            let first = ours()?;
            (first, theirs()?)
        } else {
            let first = theirs()?;
            (ours()?, first)
        });
    }
    let of = |value: fn(&(f64, f64)) -> f64| median(rounds.iter().map(value));
    Ok([of(|round| round.0), of(|round| round.1), of(|round| round.0 / round.1)])
}

fn rsa(arguments: &Arguments) -> Result<Row, Failure> {
    let seconds = arguments.seconds;
    let [ours, theirs, ratio] = rounds(
        arguments.rounds,
        || rates::rsa(f64::from(seconds)),
        || openssl::rsa(Instructions::All, seconds),
    )?;
    let name = format!("RSA-2048 private, {}", machine::kernel());
    // Where there is no IFMA, ours is measured as what it is.
    let aim = if machine::kernel() == "IFMA" { 1.0 } else { 0.8 };
    let theirs_is = "all its instructions".to_owned();
    Ok(Row { name, theirs_is, ours, theirs, unit: "op/s", ratio, aim, limit: None })
}

fn rsa_without_ifma(arguments: &Arguments, program: &Path) -> Result<Row, Failure> {
    let seconds = arguments.seconds;
    let mut kernel = String::new();
    let ours = || {
        let output = Command::new(program).args(["rsa", &seconds.to_string()]).output()?;
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        kernel = said.get("kernel").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        said.get("rate").and_then(serde_json::Value::as_f64).ok_or_else(|| "it says no rate".into())
    };
    let [ours, theirs, ratio] =
        rounds(arguments.rounds, ours, || openssl::rsa(Instructions::WithoutIfma, seconds))?;
    let name = format!("RSA-2048 private, {kernel}");
    let theirs_is = "IFMA masked".to_owned();
    Ok(Row { name, theirs_is, ours, theirs, unit: "op/s", ratio, aim: 0.8, limit: None })
}

fn records(arguments: &Arguments, suite: Suite, opening: bool) -> Result<Row, Failure> {
    let seconds = f64::from(arguments.seconds);
    let mut is_one = false;
    let ours = || if opening { suite.open(seconds) } else { suite.seal(seconds) };
    let theirs = || {
        let (rate, one) = openssl::records(suite, opening, arguments.seconds)?;
        is_one = one;
        Ok(rate)
    };
    let [ours, theirs, ratio] = rounds(arguments.rounds, ours, theirs)?;
    let limit = if ratio < 1.0 { Some(suite.limit(opening, seconds)?) } else { None };
    Ok(Row {
        name: format!("{} {}", suite.name, if opening { "open" } else { "seal" }),
        theirs_is: if is_one { "one function" } else { "cipher, then hash" }.to_owned(),
        ours,
        theirs,
        unit: "MB/s",
        ratio,
        aim: if matches!(suite.name, "RC4-SHA" | "DES-CBC3-SHA") { 1.0 } else { 0.9 },
        limit,
    })
}
