//! The peers against each other, with nothing of ours between them. A cell that works here and fails with us is ours.

use std::collections::BTreeMap;

use super::terms::{self, client_options, connect, opposite, server_options};
use super::{Cell, Group, Key, Pki, Suite, lacks};
use crate::echo;
use crate::matrix::{Role, Scale};
use crate::peers::{Peer, PeerError};

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

/// Runs a server of the group against these clients, with every suite that both have.
///
/// # Errors
///
/// There is no PKI.
pub fn serve(group: Group, clients: &[Peer]) -> Result<Vec<Meeting>, PeerError> {
    let pki = Pki::find()?;
    let mut meetings = Vec::new();
    for (key, suites) in terms::runnable(group) {
        for &client in clients {
            let theirs = common(opposite(group, client), &suites);
            // The one peer with some suites is its own counterpart.
            let stranger = client != group.peer || client == Peer::Scapy;
            if stranger && speaks(client, group.peer) && !theirs.is_empty() {
                meetings.extend(meet(&pki, group, key, client, &theirs));
            }
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
