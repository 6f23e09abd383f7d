//! The old protocols: two tables for each peer, of suites and of what else is tried.

use std::fmt::Write as _;
use std::time::Instant;

use opensspi_integration_tests::legacy::{Cell, Feature, Group, SUITES, Trial, lacks, run_group, run_trial};
use opensspi_integration_tests::matrix::{Outcome, Role, Scale};
use opensspi_integration_tests::peers::{Peer, Version};
use serde_json::{Value, json};

use crate::{Arguments, progress, result, version};

/// What was run.
#[derive(Default)]
pub(crate) struct Ran {
    cells: Vec<(Cell, Outcome)>,
    trials: Vec<(Trial, Outcome)>,
}

/// Runs what is wanted.
pub(crate) fn run(wanted: &Arguments, scale: Scale) -> Ran {
    let mut ran = Ran::default();
    for group in Group::all() {
        let missing = group.peer.available().err();
        let begun = Instant::now();
        if group.cells().any(|cell| wanted.wants(cell.peer.name(), &cell)) {
            let outcomes = match &missing {
                Some(reason) => {
                    group.cells().map(|cell| (cell, not_run(lacks().reason(cell), reason))).collect()
                }
                None => run_group(group, scale, lacks()),
            };
            let seconds = begun.elapsed().as_secs_f64() / outcomes.len() as f64;
            for (cell, outcome) in &outcomes {
                progress(&cell.to_string(), outcome, seconds, wanted.json);
            }
            ran.cells.extend(outcomes);
        }
        for trial in Trial::of(group).filter(|trial| wanted.wants(trial.peer.name(), trial)) {
            let begun = Instant::now();
            let outcome = match &missing {
                Some(reason) => not_run(lacks().trial_reason(trial), reason),
                None => run_trial(trial, scale, lacks()),
            };
            progress(&trial.to_string(), &outcome, begun.elapsed().as_secs_f64(), wanted.json);
            ran.trials.push((trial, outcome));
        }
    }
    ran
}

/// What the peer lacks is more to the point than that it is not there.
fn not_run(lack: Option<&str>, missing: &str) -> Outcome {
    Outcome::NotRun(lack.unwrap_or(missing).to_owned())
}

impl Ran {
    /// Every outcome under its name.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (String, &Outcome)> {
        let cells = self.cells.iter().map(|(cell, outcome)| (cell.to_string(), outcome));
        cells.chain(self.trials.iter().map(|(trial, outcome)| (trial.to_string(), outcome)))
    }

    /// For `--json`.
    pub(crate) fn document(&self) -> Value {
        let row = |peer: Peer, role: Role, version: Version, what: (&str, &str), outcome: &Outcome| {
            let (result, reason) = result(outcome);
            json!({
                "peer": peer.name(),
                "role": role.name(),
                "version": version.key(),
                what.0: what.1,
                "result": result,
                "reason": reason,
            })
        };
        let suites = self.cells.iter().map(|(cell, outcome)| {
            row(cell.peer, cell.role, cell.version, ("suite", cell.suite.name), outcome)
        });
        let trials = self.trials.iter().map(|(trial, outcome)| {
            row(trial.peer, trial.role, trial.version, ("feature", trial.feature.name()), outcome)
        });
        json!({ "suites": suites.collect::<Vec<_>>(), "trials": trials.collect::<Vec<_>>() })
    }

    /// The part of the page about the old protocols.
    pub(crate) fn page(&self, scale: Scale) -> String {
        let mut page = format!(
            "\n# The old protocols\n\n\
             SSL 3.0, TLS 1.0, 1.1, and TLS 1.2 with the suites of its time. A cell is a handshake with this suite and no\n\
             other on offer, {} MB each way with every byte checked (less with tlslite-ng and scapy, which take minutes for\n\
             that), and both ends agreed on version and suite. What is not run has its reason below the table, from\n\
             `integration-tests/suites.toml`; a dash stands where a version does not allow the suite.\n\n",
            scale.bytes / 1_000_000
        );
        let lengths =
            if scale.bytes > Scale::SMALL.bytes { "each from 1 to 16,384" } else { "some at either end" };
        // Writing to a String does not fail.
        let _ = write!(
            page,
            "Records of every length: {lengths} bytes, once, with a CBC suite and a stream cipher, in SSL 3.0 and TLS 1.0 with\n\
             our end splitting records and without. Who sends them is whoever decides on lengths: our end as the client of an\n\
             echo server, and as clients Java, Node.js and nassl (in pieces of 8,192 bytes); tlslite-ng and scapy (in pieces of\n\
             4,096) send less. OpenSSL as a client, GnuTLS and NSS go by what they read, and are sent so many bytes. The length 0\n\
             has rows of its own.\n\n"
        );
        page.push_str("| peer | version |\n|---|---|\n");
        for peer in Peer::LEGACY {
            let _ = writeln!(page, "| {peer} | {} |", version(peer));
        }
        for peer in Peer::LEGACY {
            let _ = write!(page, "\n## {peer}, old protocols\n\n");
            self.table(&mut page, peer);
        }
        page
    }

    fn table(&self, page: &mut String, peer: Peer) {
        let columns =
            || Role::ALL.into_iter().flat_map(|role| Version::LEGACY.map(|version| (role, version)));
        let mut reasons = Reasons::default();
        page.push('|');
        for (role, version) in columns() {
            let does = if role == Role::Server { "serves" } else { "connects" };
            let _ = write!(page, " | {does}, {}", version.title());
        }
        let _ = writeln!(page, " |\n|---{}|", "|---".repeat(columns().count()));
        for suite in &SUITES {
            let _ = write!(page, "| `{}` |", suite.name);
            for (role, version) in columns() {
                let cell = Cell { peer, role, version, suite };
                let outcome = self.cells.iter().find(|(ran, _)| *ran == cell).map(|(_, outcome)| outcome);
                let _ = write!(page, " {} |", reasons.shown(outcome, suite.is_legal_in(version)));
            }
            page.push('\n');
        }
        for &feature in Feature::ALL {
            let _ = write!(page, "| {} |", feature.title());
            for (role, version) in columns() {
                let trial = Trial { peer, role, version, feature };
                let outcome = self.trials.iter().find(|(ran, _)| *ran == trial).map(|(_, outcome)| outcome);
                let _ = write!(page, " {} |", reasons.shown(outcome, feature.versions().contains(&version)));
            }
            page.push('\n');
        }
        page.push('\n');
        for (number, reason) in (1..).zip(&reasons.0) {
            let _ = writeln!(page, "{number}. not run: {reason}");
        }
    }
}

/// Why cells of one table were not run, by number.
#[derive(Default)]
struct Reasons(Vec<String>);

impl Reasons {
    fn shown(&mut self, outcome: Option<&Outcome>, exists: bool) -> String {
        let reason = match outcome {
            _ if !exists => return "–".to_owned(),
            Some(Outcome::Ok) => return "ok".to_owned(),
            Some(Outcome::Failed(_)) => return "FAILED".to_owned(),
            Some(Outcome::NotRun(reason)) => reason.as_str(),
            None => "left out on the command line",
        };
        let known = self.0.iter().position(|known| known == reason).unwrap_or_else(|| {
            self.0.push(reason.to_owned());
            self.0.len() - 1
        });
        format!("({})", known + 1)
    }
}
