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
use opensspi_integration_tests::applications::{Application, Cell, Opensspi, Packages};
use opensspi_integration_tests::matrix::{Case, Feature, Outcome, Role, Scale, skips};
use opensspi_integration_tests::peers::{Peer, Version};
use serde_json::json;

/// Runs OpenSSPI against real peers, peer × role × version × feature, and the command opensspi against applications.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exits with 1 if a case fails, or if a peer is missing and OPENSSPI_PEERS=required is set."
)]
pub(crate) struct Arguments {
    /// Send 100 MB each way in the cases about data, and 20 MB with old protocols, in place of 1 MB, and run the
    /// applications too.
    #[arg(long)]
    pub(crate) full: bool,
    /// Write the matrix to this file, in Markdown.
    #[arg(long, value_name = "PATH")]
    write: Option<PathBuf>,
    /// Print one JSON document at the end, and progress on standard error.
    #[arg(long)]
    pub(crate) json: bool,
    /// Run the peers of the old protocols against each other, with nothing of ours between them; with --full each server
    /// against every client, not only until what it has was shown once.
    #[arg(long)]
    alone: bool,
    /// Only this peer (openssl, java, nss and others) or application (exim, chromium and others).
    #[arg(long, value_name = "NAME", value_parser = peer_or_application)]
    pub(crate) peer: Option<String>,
    /// Only cases whose name contains this, such as "server tls1.3 data".
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// The folder of unpacked Debian packages in which applications are looked for, besides the machine itself.
    #[arg(long, value_name = "FOLDER")]
    packages: Option<PathBuf>,
    /// The program opensspi that meets the applications; the one beside this program if nothing is said.
    #[arg(long, value_name = "PATH")]
    opensspi: Option<PathBuf>,
}

/// What is said with `--peer`.
fn peer_or_application(name: &str) -> Result<String, String> {
    let peers = Peer::MODERN.iter().chain(&Peer::LEGACY).map(|peer| peer.name());
    let known: Vec<&str> =
        peers.chain(Application::ALL.iter().map(|application| application.name())).collect();
    if known.contains(&name) { Ok(name.to_owned()) } else { Err(format!("there are: {}", known.join(", "))) }
}

impl Arguments {
    pub(crate) fn wants(&self, peer: &str, case: &impl ToString) -> bool {
        self.peer.as_deref().is_none_or(|only| only == peer)
            && self.only.as_deref().is_none_or(|text| case.to_string().contains(text))
    }

    fn opensspi(&self) -> Result<Opensspi, String> {
        let beside = || env::current_exe().map(|own| own.with_file_name("opensspi"));
        match &self.opensspi {
            Some(path) => Opensspi::new(path),
            None => beside().map_err(|error| error.to_string()).and_then(|path| Opensspi::new(&path)),
        }
    }
}

struct Ran<C> {
    case: C,
    outcome: Outcome,
    seconds: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.alone {
        return alone::run(&arguments);
    }
    let scale = if arguments.full { Scale::FULL } else { Scale::SMALL };
    let missing: BTreeMap<&str, String> =
        Peer::MODERN.into_iter().filter_map(|peer| Some((peer.name(), peer.available().err()?))).collect();
    let peers = Case::all().filter(|case| arguments.wants(case.peer.name(), case));
    let peers: Vec<Ran<Case>> = run_all(peers, arguments.json, |case| match missing.get(case.peer.name()) {
        Some(reason) => Outcome::NotRun(reason.clone()),
        None => case.run(scale, skips()),
    });
    let packages = Packages::new(arguments.packages.as_deref());
    let opensspi = arguments.opensspi();
    let cells = Cell::all().filter(|cell| arguments.full && arguments.wants(cell.application.name(), cell));
    let cells: Vec<Ran<Cell>> = run_all(cells, arguments.json, |cell| cell.run(&packages, &opensspi));

    let old_scale = if arguments.full { Scale::FULL_LEGACY } else { Scale::SMALL };
    let old = legacy::run(&arguments, old_scale);
    let outcomes: Vec<(String, &Outcome)> = peers
        .iter()
        .map(|ran| (ran.case.to_string(), &ran.outcome))
        .chain(cells.iter().map(|ran| (ran.case.to_string(), &ran.outcome)))
        .chain(old.outcomes())
        .collect();

    if arguments.json {
        println!("{}", document(&peers, &cells, &packages, &old));
    } else {
        summary(&outcomes);
    }
    if let Some(path) = &arguments.write
        && let Err(error) =
            fs::write(path, page(&peers, scale) + &applications(&cells, &packages) + &old.page(old_scale))
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

fn run_all<C: Copy + ToString>(
    cases: impl Iterator<Item = C>,
    aside: bool,
    run: impl Fn(C) -> Outcome,
) -> Vec<Ran<C>> {
    cases
        .map(|case| {
            let begun = Instant::now();
            let ran = Ran { case, outcome: run(case), seconds: begun.elapsed().as_secs_f64() };
            progress(&case.to_string(), &ran.outcome, ran.seconds, aside);
            ran
        })
        .collect()
}

pub(crate) fn progress(name: &str, outcome: &Outcome, seconds: f64, aside: bool) {
    let line = match outcome {
        Outcome::Ok => format!("{name:<52} ok      {seconds:6.2} s"),
        Outcome::NotRun(reason) => format!("{name:<52} not run: {reason}"),
        Outcome::Failed(error) => format!("{name:<52} FAILED  {seconds:6.2} s\n{error}\n"),
    };
    if aside { eprintln!("{line}") } else { println!("{line}") }
}

fn summary(ran: &[(String, &Outcome)]) {
    let count = |is: fn(&Outcome) -> bool| ran.iter().filter(|(_, outcome)| is(outcome)).count();
    println!(
        "{} ok, {} not run, {} failed",
        count(|outcome| matches!(outcome, Outcome::Ok)),
        count(|outcome| matches!(outcome, Outcome::NotRun(_))),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
    );
    for (name, _) in ran.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_))) {
        println!("FAILED: {name}");
    }
}

pub(crate) fn version(peer: Peer) -> String {
    peer.available()
        .map_or_else(|missing| missing, |()| peer.version().unwrap_or_else(|error| error.to_string()))
}

/// An outcome in a word, and why.
pub(crate) fn result(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Ok => ("ok", None),
        Outcome::NotRun(reason) => ("not run", Some(reason.clone())),
        Outcome::Failed(error) => ("failed", Some(error.to_string())),
    }
}

fn document(
    peers: &[Ran<Case>],
    cells: &[Ran<Cell>],
    packages: &Packages,
    old: &legacy::Ran,
) -> serde_json::Value {
    let known: BTreeSet<Peer> = Peer::MODERN.into_iter().chain(Peer::LEGACY).collect();
    let versions: Vec<_> =
        known.into_iter().map(|peer| json!({ "name": peer.name(), "version": version(peer) })).collect();
    let cases: Vec<_> = peers
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
    let cells: Vec<_> = cells
        .iter()
        .map(|Ran { case, outcome, seconds }| {
            let (result, reason) = result(outcome);
            json!({
                "application": case.application.name(),
                "package": case.application.version(packages),
                "version": case.version.key(),
                "result": result,
                "reason": reason,
                "seconds": seconds,
            })
        })
        .collect();
    json!({ "peers": versions, "cases": cases, "applications": cells, "old": old.document() })
}

/// The applications in Markdown, where any was tried.
fn applications(ran: &[Ran<Cell>], packages: &Packages) -> String {
    if ran.is_empty() {
        return String::new();
    }
    let mut page = String::from(
        "\n## Applications\n\n\
         The command `opensspi` at the other end (`integration-tests/src/applications`). With a server that begins TLS\n\
         inside its own protocol, `connect --starttls` upgrades, asks something over TLS, hears the answer, and says\n\
         goodbye. The applications are Debian's packages, unpacked and not installed, with a configuration of a few lines.\n\n\
         | | package | TLS 1.2 | TLS 1.3 |\n|---|---|---|---|\n",
    );
    for &application in Application::ALL {
        let _ = write!(page, "| {} | {} |", application.title(), application.version(packages));
        for version in Version::MODERN {
            let case = Cell { application, version };
            let _ =
                write!(page, " {} |", told(ran.iter().find(|ran| ran.case == case).map(|ran| &ran.outcome)));
        }
        page.push('\n');
    }
    page
}

/// The matrix in Markdown: one table per peer, without anything that changes from run to run.
fn page(ran: &[Ran<Case>], scale: Scale) -> String {
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

fn cell(ran: &[Ran<Case>], case: Case) -> String {
    if !Case::of(case.peer).any(|known| known == case) {
        return "–".to_owned();
    }
    told(ran.iter().find(|ran| ran.case == case).map(|ran| &ran.outcome))
}

fn told(outcome: Option<&Outcome>) -> String {
    match outcome {
        Some(Outcome::Ok) => "ok".to_owned(),
        Some(Outcome::NotRun(reason)) => format!("not run: {reason}"),
        Some(Outcome::Failed(_)) => "FAILED".to_owned(),
        None => "not run: left out on the command line".to_owned(),
    }
}
