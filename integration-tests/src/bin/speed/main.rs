//! CPU seconds of a server process: ours beside OpenSSL's `s_server`, both driven by OpenSSL's clients.
//!
//! A figure is what the server's process took, user and system, from `/proc/<pid>/stat`: per full handshake, per resumed
//! handshake, per megabyte encrypted and per megabyte decrypted. The rounds alternate between the two servers, and the
//! ratio is the median of the rounds' ratios. A row with a ratio below its aim makes the run fail.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod drive;
mod own;
mod servers;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use opensspi_integration_tests::legacy::{SUITES, Suite};
use opensspi_integration_tests::peers::{PeerError, Version};
use serde::Serialize;

use drive::{Effort, Work};

/// Measures the CPU seconds of our server beside OpenSSL's.
#[derive(Debug, Parser)]
#[command(after_help = "\
Aims: full handshakes 1.0; handshakes that resume a session 2.0 beside OpenSSL 3. Beside OpenSSL 1.1.1, which is measured
where OpenSSL 3 has lost the suite, the kernel's work for a connection is half of such a handshake or more: the ratio is printed
that a server would have which takes the kernel's time alone. Records 1.0, and 0.9 with RC4-MD5 and AES.

Exit code 1 if a ratio is below its aim.")]
struct Arguments {
    #[command(subcommand)]
    child: Option<Child>,
    /// Only these suites, by OpenSSL's name, divided by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    suites: Vec<String>,
    /// Only this work: full, resumed, encrypt or decrypt.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    works: Vec<String>,
    /// The version: ssl3, tls1.0, tls1.1 or tls1.2.
    #[arg(long, default_value = "tls1.2")]
    version: String,
    /// Rounds of each server.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of handshakes in a round.
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Megabytes of records in a round.
    #[arg(long, default_value_t = 256)]
    megabytes: u64,
    /// Our server runs on tokio, with a task for each connection, and not as OpenSSL's does: over blocking sockets, a connection
    /// after the other. The runtime asks the kernel for more.
    #[arg(long)]
    tokio: bool,
    /// Print one JSON document at the end, and progress on standard error.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Child {
    /// Our server: what this program starts in a process of its own.
    #[command(hide = true)]
    Serve(own::Serve),
}

/// The suites of a bare run: those for which the project promises a ratio.
pub(crate) const PROMISED: [&str; 5] = ["RC4-MD5", "RC4-SHA", "DES-CBC3-SHA", "AES128-SHA", "AES256-SHA"];

/// One ratio.
#[derive(Debug, Serialize)]
struct Row {
    suite: &'static str,
    work: Work,
    /// Of the server beside ours.
    other: &'static str,
    /// Microseconds of CPU, per handshake or per megabyte.
    ours: f64,
    theirs: f64,
    /// How much less ours takes: 1.1 means ten percent more work in the same time.
    ratio: f64,
    /// What it must be at least.
    aim: Option<f64>,
    /// The same of user mode alone, without what the kernel does for both.
    ours_user: f64,
    theirs_user: f64,
    user_ratio: f64,
    /// The kernel's part of the other server's time.
    kernel: f64,
    /// The ratio of a server that took as much of the kernel's time, and none of its own.
    most_ratio: f64,
    /// Where that is below 1: what our primitives alone take, cipher and MAC one after the other, or the private key.
    limit: Option<f64>,
}

impl Row {
    fn holds(&self) -> bool {
        self.aim.is_none_or(|aim| self.ratio >= aim)
    }

    /// What a person reads.
    fn line(&self) -> String {
        let Self { suite, work, other, ours, theirs, ratio, ours_user, theirs_user, user_ratio, .. } = self;
        let mut line = format!(
            "{suite:<28} {:<8} ours {ours:9.1} µs  {other} {theirs:9.1} µs  ratio {ratio:5.2}",
            work.name()
        );
        if let Some(aim) = self.aim {
            line.push_str(&format!(" (aim {aim:.1}{})", if self.holds() { "" } else { ", BELOW" }));
        }
        line.push_str(&format!(
            "  user mode {ours_user:9.1} µs : {theirs_user:9.1} µs  ratio {user_ratio:5.2}"
        ));
        if *work == Work::Resumed {
            line.push_str(&format!(
                "  kernel {:.0} % of {other}: at most {:.2} is possible",
                100.0 * self.kernel,
                self.most_ratio
            ));
        }
        if let Some(limit) = self.limit {
            line.push_str(&format!("  primitives alone {limit:.1} µs, ratio {:.2}", theirs / limit));
        }
        line
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.child {
        Some(Child::Serve(serve)) => serve.run().map(|()| true),
        None => compare(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("below an aim");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every ratio reaches its aim.
fn compare(arguments: &Arguments) -> Result<bool, PeerError> {
    let version = version(&arguments.version)?;
    let effort = Effort {
        rounds: arguments.rounds,
        seconds: arguments.seconds,
        megabytes: arguments.megabytes,
        tokio: arguments.tokio,
    };
    let mut rows = Vec::new();
    let suites = suites(&arguments.suites)?;
    for (number, &suite) in suites.iter().enumerate() {
        for work in Work::ALL {
            // The key exchange is the same in all suites of RSA: handshakes are measured once beside each OpenSSL.
            let is_known = suites.iter().take(number).any(|known| drive::is_beside_the_same(known, suite));
            let repeated = work.is_handshake() && is_known && arguments.works.is_empty();
            let wanted = arguments.works.is_empty() || arguments.works.iter().any(|name| name == work.name());
            if !wanted || repeated {
                continue;
            }
            let row = drive::compare(suite, version, work, effort)?;
            let line = row.line();
            if arguments.json {
                eprintln!("{line}")
            } else {
                println!("{line}")
            }
            rows.push(row);
        }
    }
    if arguments.json {
        println!("{}", serde_json::json!({ "version": version.key(), "rows": rows }));
    }
    Ok(rows.iter().all(Row::holds))
}

fn version(key: &str) -> Result<Version, PeerError> {
    let found = Version::LEGACY.into_iter().find(|version| version.key() == key);
    found.ok_or_else(|| PeerError::new(format!("there is no version {key:?}")))
}

/// By OpenSSL's names.
fn suites(names: &[String]) -> Result<Vec<&'static Suite>, PeerError> {
    let promised: Vec<String> = PROMISED.iter().map(|&name| name.to_owned()).collect();
    let names = if names.is_empty() { &promised } else { names };
    let find = |name: &String| {
        let found = SUITES.iter().find(|suite| suite.openssl == name);
        found.ok_or_else(|| PeerError::new(format!("there is no suite {name:?}")))
    };
    names.iter().map(find).collect()
}
