//! For tests: everything that a peer has in a role, small.

use super::{Group, Trial, lacks, run_group, run_trial};
use crate::matrix::{Outcome, Role, Scale};
use crate::peers::{self, Peer, Version};

/// Runs every suite of this peer in this role.
///
/// # Panics
///
/// If one fails; or if the peer is missing where it must not be.
pub fn check_suites(peer: Peer, role: Role) {
    check(peer, role, |group| {
        let outcomes = run_group(group, Scale::SMALL, lacks());
        outcomes.into_iter().map(|(cell, outcome)| (cell.to_string(), outcome)).collect()
    });
}

/// Runs what else is tried with this peer in this role.
///
/// # Panics
///
/// Those of [`check_suites`].
pub fn check_trials(peer: Peer, role: Role) {
    check(peer, role, |group| {
        Trial::of(group).map(|trial| (trial.to_string(), run_trial(trial, Scale::SMALL, lacks()))).collect()
    });
}

fn check(peer: Peer, role: Role, run: impl Fn(Group) -> Vec<(String, Outcome)>) {
    if !peers::runnable(&[peer]) {
        return;
    }
    let groups = Version::LEGACY.map(|version| Group { peer, role, version });
    let failures: Vec<String> = groups
        .into_iter()
        .flat_map(run)
        .filter_map(|(name, outcome)| match outcome {
            Outcome::Failed(error) => Some(format!("{name}: {error}")),
            Outcome::Ok | Outcome::NotRun(_) => None,
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
