//! `--alone`: the peers against each other.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use opensspi_integration_tests::legacy::{Cell, Group, Trial, alone, lacks};
use opensspi_integration_tests::matrix::Role;
use opensspi_integration_tests::peers::Peer;

use crate::Arguments;

/// What no two of these peers show each other, by the beginning of its name, and why.
const BEYOND_PROOF: [(&str, &str); 13] = [
    ("nss server ssl3 DHE_DSS", "the others want a DSA signature in DER, which its SSL 3.0 does not send"),
    ("nss client ssl3 client-dsa", "the others want a DSA signature in DER, which its SSL 3.0 does not send"),
    ("nss server ssl3 client-dsa", "the others send a DSA signature in DER, which its SSL 3.0 does not take"),
    ("nss client ssl3 resume-id", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.0 resume-id", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.1 resume-id", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.2 resume-id", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.0 resume-ticket", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.1 resume-ticket", "strsclnt wants a server of HTTP, and the others echo"),
    ("nss client tls1.2 resume-ticket", "strsclnt wants a server of HTTP, and the others echo"),
    ("java client ssl3 DHE_DSS", "servers that know TLS 1.3 refuse an SSL 3.0 that names its versions"),
    ("java client tls1.0 DHE_DSS_WITH_DES_CBC_SHA", "NSS alone serves it, and does not echo"),
    ("java client tls1.1 DHE_DSS_WITH_DES_CBC_SHA", "NSS alone serves it, and does not echo"),
];

/// Runs every server against clients, until each of its cells and each of theirs has worked with somebody; against all
/// that have it with `full`. It fails unless each cell that a peer is said to have did.
pub(crate) fn run(wanted: &Arguments) -> ExitCode {
    let there: Vec<Peer> = Peer::LEGACY.into_iter().filter(|peer| available(*peer)).collect();
    let groups = Group::all().filter(|group| {
        group.role == Role::Server && there.contains(&group.peer) && wanted.wants(group.peer.name(), group)
    });
    let mut proven: BTreeMap<String, bool> = BTreeMap::new();
    for group in groups {
        let begun = Instant::now();
        for &client in &there {
            let open =
                |names: [String; 2]| wanted.full || names.iter().any(|name| proven.get(name) != Some(&true));
            let needed = |meeting: &alone::Meeting| {
                open([meeting.server.to_string(), meeting.client_cell().to_string()])
            };
            let meetings = alone::serve(group, client, needed);
            let needed =
                |trying: &alone::Trying| open([trying.server.to_string(), trying.client_trial().to_string()]);
            let tried = alone::try_out(group, client, needed);
            match meetings.and_then(|meetings| Ok((meetings, tried?))) {
                Ok((meetings, tried)) => {
                    report(group, &meetings, &mut proven);
                    report_trials(group, &tried, &mut proven);
                }
                Err(error) => println!("{group}: {error}"),
            }
        }
        println!("{group}: {:.1} s", begun.elapsed().as_secs_f64());
    }
    let complete = wanted.peer.is_none() && wanted.only.is_none();
    let cells = Cell::all().filter(|cell| there.contains(&cell.peer) && lacks().reason(*cell).is_none());
    let trials =
        Trial::all().filter(|trial| there.contains(&trial.peer) && lacks().trial_reason(*trial).is_none());
    let claimed = cells.map(|cell| cell.to_string()).chain(trials.map(|trial| trial.to_string()));
    let beyond = |name: &String| BEYOND_PROOF.iter().any(|(beyond, _)| name.starts_with(beyond));
    let unproven: Vec<String> =
        claimed.filter(|name| proven.get(name).map_or(complete, |proven| !proven) && !beyond(name)).collect();
    for (beyond, reason) in BEYOND_PROOF {
        println!("not asked of anybody: {beyond}: {reason}");
    }
    for cell in &unproven {
        println!("with nobody: {cell}");
    }
    println!(
        "{} cells worked with somebody, {} with nobody",
        proven.values().filter(|&&ok| ok).count(),
        unproven.len()
    );
    if unproven.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn available(peer: Peer) -> bool {
    match peer.available() {
        Ok(()) => true,
        Err(missing) => {
            println!("without {peer}: {missing}");
            false
        }
    }
}

fn report_trials(group: Group, tried: &[alone::Trying], proven: &mut BTreeMap<String, bool>) {
    for trying in tried {
        let (server, client) = (trying.server, trying.client.name());
        match &trying.failure {
            None => println!("{group} with {client}: ok: {}", server.feature.name()),
            Some(failure) => println!("{server} with {client}: FAILED: {}", beginning(failure)),
        }
        for trial in [server, trying.client_trial()] {
            *proven.entry(trial.to_string()).or_default() |= trying.failure.is_none();
        }
    }
}

/// As much of a log as one wants to see of many.
fn beginning(failure: &str) -> String {
    failure.lines().take(12).collect::<Vec<_>>().join("\n    ")
}

fn report(group: Group, meetings: &[alone::Meeting], proven: &mut BTreeMap<String, bool>) {
    let mut good: BTreeMap<Peer, Vec<String>> = BTreeMap::new();
    for meeting in meetings {
        match &meeting.failure {
            None => good.entry(meeting.client).or_default().push(meeting.server.suite.to_string()),
            Some(failure) => {
                println!("{} with {}: FAILED: {}", meeting.server, meeting.client.name(), beginning(failure));
            }
        }
        for cell in [meeting.server, meeting.client_cell()] {
            *proven.entry(cell.to_string()).or_default() |= meeting.failure.is_none();
        }
    }
    for (client, suites) in good {
        println!("{group} with {}: ok: {}", client.name(), suites.join(" "));
    }
}
