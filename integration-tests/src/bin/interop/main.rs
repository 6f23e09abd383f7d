//! Runs the matrix of real peers, and prints or writes it as a table.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod alone;
mod legacy;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use clap::Parser;
use opensspi_integration_tests::matrix::{Case, Feature, Outcome, Role, Scale, skips};
use opensspi_integration_tests::peers::{Peer, Version};
use serde_json::json;

/// Runs OpenSSPI against real peers: peer × role × version × feature.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exits with 1 if a case fails, or if a peer is missing and OPENSSPI_PEERS=required is set."
)]
struct Arguments {
    /// Send 100 MB each way in the cases about data, and 20 MB with old protocols, in place of 1 MB.
    #[arg(long)]
    full: bool,
    /// Write the matrix to this file, in Markdown.
    #[arg(long, value_name = "PATH")]
    write: Option<PathBuf>,
    /// Print one JSON document at the end, and progress on standard error.
    #[arg(long)]
    json: bool,
    /// Run the peers of the old protocols against each other, with nothing of ours between them.
    #[arg(long)]
    alone: bool,
    /// Only this peer, such as openssl or java.
    #[arg(long, value_name = "NAME")]
    peer: Option<String>,
    /// Only cases whose name contains this, such as "server tls1.3 data".
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

struct Ran {
    case: Case,
    outcome: Outcome,
    seconds: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.alone {
        return alone::run(arguments.peer.as_deref(), arguments.only.as_deref());
    }
    let scale = if arguments.full { Scale::FULL } else { Scale::SMALL };
    let missing: BTreeMap<&str, String> =
        Peer::MODERN.into_iter().filter_map(|peer| Some((peer.name(), peer.available().err()?))).collect();
    let wanted =
        Wanted { peer: arguments.peer.as_deref(), text: arguments.only.as_deref(), aside: arguments.json };
    let cases = Case::all().filter(|case| wanted.peer(case.peer) && wanted.name(&case.to_string()));
    let ran: Vec<Ran> = cases
        .map(|case| {
            let begun = Instant::now();
            let outcome = match missing.get(case.peer.name()) {
                Some(reason) => Outcome::NotRun(reason.clone()),
                None => case.run(scale, skips()),
            };
            let ran = Ran { case, outcome, seconds: begun.elapsed().as_secs_f64() };
            progress(&ran.case.to_string(), &ran.outcome, ran.seconds, arguments.json);
            ran
        })
        .collect();
    let old_scale = if arguments.full { Scale::FULL_LEGACY } else { Scale::SMALL };
    let old = legacy::run(&wanted, old_scale);
    let outcomes: Vec<(String, &Outcome)> =
        ran.iter().map(|ran| (ran.case.to_string(), &ran.outcome)).chain(old.outcomes()).collect();

    if arguments.json {
        println!("{}", document(&ran, &old));
    } else {
        summary(&outcomes);
    }
    if let Some(path) = &arguments.write
        && let Err(error) = fs::write(path, page(&ran, scale) + &old.page(old_scale))
    {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    let required = env::var("OPENSSPI_PEERS").as_deref() == Ok("required");
    let failed = outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    if failed || (required && !missing.is_empty()) || outcomes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// What the command line asks for.
pub(crate) struct Wanted<'a> {
    peer: Option<&'a str>,
    text: Option<&'a str>,
    /// Progress goes to standard error.
    pub(crate) aside: bool,
}

impl Wanted<'_> {
    pub(crate) fn peer(&self, peer: Peer) -> bool {
        self.peer.is_none_or(|name| name == peer.name())
    }

    pub(crate) fn name(&self, name: &str) -> bool {
        self.text.is_none_or(|text| name.contains(text))
    }
}

pub(crate) fn progress(name: &str, outcome: &Outcome, seconds: f64, aside: bool) {
    let line = match outcome {
        Outcome::Ok => format!("{name:<52} ok      {seconds:6.2} s"),
        Outcome::NotRun(reason) => format!("{name:<52} not run: {reason}"),
        Outcome::Failed(error) => format!("{name:<52} FAILED  {seconds:6.2} s\n{error}\n"),
    };
    if aside { eprintln!("{line}") } else { println!("{line}") }
}

fn summary(outcomes: &[(String, &Outcome)]) {
    let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
    println!(
        "{} ok, {} not run, {} failed",
        count(|outcome| matches!(outcome, Outcome::Ok)),
        count(|outcome| matches!(outcome, Outcome::NotRun(_))),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
    );
    for (name, _) in outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) {
        println!("FAILED: {name}");
    }
}

pub(crate) fn version(peer: Peer) -> String {
    peer.available()
        .map_or_else(|missing| missing, |()| peer.version().unwrap_or_else(|error| error.to_string()))
}

pub(crate) fn result(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Ok => ("ok", None),
        Outcome::NotRun(reason) => ("not run", Some(reason.clone())),
        Outcome::Failed(error) => ("failed", Some(error.to_string())),
    }
}

fn document(ran: &[Ran], old: &legacy::Ran) -> serde_json::Value {
    let peers: BTreeSet<Peer> = Peer::MODERN.into_iter().chain(Peer::LEGACY).collect();
    let peers = peers.into_iter().map(|peer| json!({ "name": peer.name(), "version": version(peer) }));
    let cases: Vec<_> = ran
        .iter()
        .map(|Ran { case, outcome, seconds }| {
            let (result, reason) = result(outcome);
            json!({
                "peer": case.peer.name(),
                "role": case.role.name(),
                "version": case.version.key(),
                "feature": case.feature.name(),
                "result": result,
                "reason": reason,
                "seconds": seconds,
            })
        })
        .collect();
    json!({ "peers": peers.collect::<Vec<_>>(), "cases": cases, "old": old.document() })
}

/// The matrix in Markdown: one table per peer, without anything that changes from run to run.
fn page(ran: &[Ran], scale: Scale) -> String {
    let mut page = String::from(
        "# Interoperability\n\n\
         Written by `cargo xtask interop --full`: OpenSSPI's Schannel against programs of other makers, over TCP.\n\
         Every cell is a case of `integration-tests/src/matrix`; what is not run has its reason in\n\
         `integration-tests/skipped.toml`. \"serves\" and \"connects\" say what the peer does; a dash stands where a version\n\
         or a role does not have the feature.\n",
    );
    // Writing to a String does not fail.
    let _ = writeln!(
        page,
        "\nBulk data is {} MB each way in one connection, every byte checked.\n",
        scale.bytes / 1_000_000
    );
    page.push_str("| peer | version |\n|---|---|\n");
    for peer in Peer::MODERN {
        let _ = writeln!(page, "| {peer} | {} |", version(peer));
    }
    for peer in Peer::MODERN {
        let _ = write!(
            page,
            "\n## {peer}\n\n| | serves, TLS 1.2 | serves, TLS 1.3 | connects, TLS 1.2 | connects, TLS 1.3 |\n|---|---|---|---|---|\n"
        );
        for &feature in Feature::ALL {
            let _ = write!(page, "| {} |", feature.title());
            for role in Role::ALL {
                for version in Version::MODERN {
                    let case = Case { peer, role, version, feature };
                    let _ = write!(page, " {} |", cell(ran, case));
                }
            }
            page.push('\n');
        }
    }
    page
}

fn cell(ran: &[Ran], case: Case) -> String {
    if !Case::of(case.peer).any(|known| known == case) {
        return "–".to_owned();
    }
    match ran.iter().find(|ran| ran.case == case).map(|ran| &ran.outcome) {
        Some(Outcome::Ok) => "ok".to_owned(),
        Some(Outcome::NotRun(reason)) => format!("not run: {reason}"),
        Some(Outcome::Failed(_)) => "FAILED".to_owned(),
        None => "not run: left out on the command line".to_owned(),
    }
}
