//! The peers against each other, with nothing of ours between them. A cell that works here and fails with us is ours.

use std::collections::BTreeMap;

use super::terms::{self, client_options, connect, opposite, server_options};
use super::{Cell, Feature, Group, Key, Pki, Suite, Trial, lacks};
use crate::echo;
use crate::matrix::{Role, Scale};
use crate::peers::{Negotiated, Peer, PeerError};

/// What became of a cell, as a server's with one client.
#[derive(Clone, Debug)]
pub struct Meeting {
    /// The server's cell.
    pub server: Cell,
    /// The client.
    pub client: Peer,
    /// What failed.
    pub failure: Option<String>,
}

impl Meeting {
    /// The client's cell.
    pub fn client_cell(&self) -> Cell {
        Cell { peer: self.client, role: Role::Client, ..self.server }
    }
}

/// What became of a trial, as a server's with one client.
#[derive(Clone, Debug)]
pub struct Trying {
    /// The server's trial.
    pub server: Trial,
    /// The client.
    pub client: Peer,
    /// What failed.
    pub failure: Option<String>,
}

impl Trying {
    /// The client's trial.
    pub fn client_trial(&self) -> Trial {
        Trial { peer: self.client, role: Role::Client, ..self.server }
    }
}

/// Tries with a server of the group and this client what else there is to try and is needed, with a suite that both have.
///
/// # Errors
///
/// There is no PKI.
pub fn try_out(
    group: Group,
    client: Peer,
    needed: impl Fn(&Trying) -> bool,
) -> Result<Vec<Trying>, PeerError> {
    let pki = Pki::find()?;
    let suites = terms::runnable(group).remove(&Key::Rsa).unwrap_or_default();
    let common = common(opposite(group, client), &suites);
    let chosen = common.iter().copied().find(|suite| suite.is_cbc()).or(common.first().copied());
    let Some(suite) = chosen.filter(|_| client != group.peer && speaks(client, group.peer)) else {
        return Ok(Vec::new());
    };
    let possible = |trying: &Trying| {
        // strsclnt wants a server of HTTP.
        let needs_http = client == Peer::Nss && trying.server.feature.resumes();
        let lacks = [trying.server, trying.client_trial()].map(|trial| lacks().trial_reason(trial).is_some());
        !needs_http && lacks == [false, false]
    };
    let tryings = Trial::of(group).map(|server| Trying { server, client, failure: None });
    let tried = tryings.filter(possible).filter(|trying| needed(trying)).map(|trying| {
        let failure = run_trial(&pki, group, &trying, suite).unwrap_or_else(|error| Some(error.to_string()));
        Trying { failure, ..trying }
    });
    Ok(tried.collect())
}

fn run_trial(
    pki: &Pki,
    group: Group,
    trying: &Trying,
    suite: &'static Suite,
) -> Result<Option<String>, PeerError> {
    let feature = Some(trying.server.feature);
    let mut server = echo::serve(group.peer, &server_options(pki, group, Key::Rsa, &[suite], feature)?)?;
    let side = opposite(group, trying.client);
    let bytes =
        terms::bytes(group.peer, Scale::SMALL).min(terms::bytes(trying.client, Scale::SMALL)).min(30_000);
    let service = server.service(bytes)?;
    let mut options = client_options(pki, side, server.port(), feature)?.bytes(bytes).service_is(service);
    if trying.server.feature == Feature::RecordSizes {
        options = options.write_sizes(1..=16_384);
    }
    let connections =
        connect(side, &options, &[suite])?.into_iter().flat_map(|(_, all)| all).collect::<Vec<_>>();
    let mut seen = Vec::new();
    for _ in &connections {
        seen.extend(server.next_connection()?);
    }
    let ends = [(trying.client, &connections), (group.peer, &seen)];
    let wrong = ends.into_iter().find_map(|(peer, connections)| {
        let cell = Cell { peer, role: Role::Client, version: group.version, suite };
        // A client that is killed does not close.
        let killed = trying.client == Peer::Nss && peer != Peer::Nss;
        let complaint = connections.iter().find_map(|connection| terms::complaint(cell, connection));
        complaint.filter(|_| !killed).or_else(|| trial_complaint(pki, trying, peer, connections))
    });
    Ok(wrong.map(|wrong| format!("{wrong}\n{}", server.process().log())))
}

/// What is wrong with connections as one end saw them, if it tells.
fn trial_complaint(pki: &Pki, trying: &Trying, peer: Peer, connections: &[Negotiated]) -> Option<String> {
    let client = match trying.server.feature {
        feature if feature.resumes() => {
            // A server may be done with the second connection before it is with the first.
            let resumed = connections.iter().filter(|connection| connection.resumed).count();
            let silent = matches!(peer, Peer::OpenSsl | Peer::OpenSsl111)
                || (peer == Peer::Node && feature == Feature::ResumeTicket);
            let tells = !silent && !connections.is_empty();
            let wrong = tells && (connections.len(), resumed) != (2, 1);
            return wrong.then(|| format!("{} resumed {resumed} of {}", peer.name(), connections.len()));
        }
        Feature::ClientRsa => pki.client(Key::Rsa),
        Feature::ClientDsa => pki.client(Key::Dsa),
        _ => return None,
    };
    let expected = client.map(|client| client.sha256).unwrap_or_default();
    let wrong = |connection: &&Negotiated| {
        peer != trying.client && connection.peer_sha256.as_ref().is_some_and(|seen| *seen != expected)
    };
    connections.iter().find(wrong).map(|connection| format!("another certificate: {connection:?}"))
}

/// Runs a server of the group against this client, with every suite that both have and that is needed.
///
/// # Errors
///
/// There is no PKI.
pub fn serve(
    group: Group,
    client: Peer,
    needed: impl Fn(&Meeting) -> bool,
) -> Result<Vec<Meeting>, PeerError> {
    let pki = Pki::find()?;
    let mut meetings = Vec::new();
    // The one peer with some suites is its own counterpart.
    let stranger = client != group.peer || client == Peer::Scapy;
    if !stranger || !speaks(client, group.peer) {
        return Ok(meetings);
    }
    let Group { peer, role, version } = group;
    let needed = |suite: &&'static Suite| {
        needed(&Meeting { server: Cell { peer, role, version, suite }, client, failure: None })
    };
    for (key, suites) in terms::runnable(group) {
        let theirs: Vec<&'static Suite> =
            common(opposite(group, client), &suites).into_iter().filter(needed).collect();
        if !theirs.is_empty() {
            meetings.extend(meet(&pki, group, key, client, &theirs));
        }
    }
    Ok(meetings)
}

fn common(group: Group, suites: &[&'static Suite]) -> Vec<&'static Suite> {
    let Group { peer, role, version } = group;
    let has = |suite: &&'static Suite| lacks().reason(Cell { peer, role, version, suite }).is_none();
    suites.iter().copied().filter(has).collect()
}

fn meet(pki: &Pki, group: Group, key: Key, client: Peer, suites: &[&'static Suite]) -> Vec<Meeting> {
    let found = run(pki, group, key, client, suites);
    let cell = |suite| Cell { peer: group.peer, role: Role::Server, version: group.version, suite };
    let failure = |suite: &'static Suite| match &found {
        Ok(found) => found.get(suite.name).cloned().flatten(),
        Err(error) => Some(error.to_string()),
    };
    suites.iter().map(|&suite| Meeting { server: cell(suite), client, failure: failure(suite) }).collect()
}

/// What failed, by suite.
fn run(
    pki: &Pki,
    group: Group,
    key: Key,
    client: Peer,
    suites: &[&'static Suite],
) -> Result<BTreeMap<&'static str, Option<String>>, PeerError> {
    let mut server = echo::serve(group.peer, &server_options(pki, group, key, suites, None)?)?;
    let bytes = terms::bytes(group.peer, Scale::SMALL).min(terms::bytes(client, Scale::SMALL)).min(30_000);
    let service = server.service(bytes)?;
    let side = opposite(group, client);
    let options = client_options(pki, side, server.port(), None)?.bytes(bytes).service_is(service);
    let mut found = BTreeMap::new();
    for (suite, connections) in connect(side, &options, suites)? {
        let cell = Cell { peer: client, role: Role::Client, version: group.version, suite };
        let wrong = match connections.as_slice() {
            [] => Some("no report".to_owned()),
            all => all.iter().find_map(|connection| terms::complaint(cell, connection)),
        };
        let wrong = wrong.map(|wrong| format!("{wrong}\n{}", server.process().log()));
        found.insert(suite.name, wrong);
    }
    Ok(found)
}

/// Whether a client can do anything with such a server: not everybody echoes.
fn speaks(client: Peer, server: Peer) -> bool {
    match server {
        Peer::GnuTls => matches!(client, Peer::OpenSsl | Peer::OpenSsl111),
        Peer::Nss => matches!(client, Peer::OpenSsl | Peer::OpenSsl111 | Peer::Nassl | Peer::Tlslite),
        _ => true,
    }
}
