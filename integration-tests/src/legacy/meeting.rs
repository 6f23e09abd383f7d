//! A peer and our end, with one suite or with whatever else is tried.

use std::time::Duration;

use super::terms::{self, client_options, connect, server_options};
use super::{Cell, Feature, Group, Key, Lacks, Pki, Suite, Trial};
use crate::Pattern;
use crate::echo::{self, EchoServer};
use crate::matrix::{CaseError, Outcome, Role, Scale};
use crate::ours::{self, Client, HTTP_BODY_SEED, Legacy, Report, Server, Setup};
use crate::peers::{Negotiated, Peer, Service};

/// Runs all cells of a group, those that are left out excepted.
pub fn run_group(group: Group, scale: Scale, lacks: &Lacks) -> Vec<(Cell, Outcome)> {
    let mut outcomes: Vec<(Cell, Outcome)> = Vec::new();
    for cell in group.cells() {
        if let Some(reason) = lacks.reason(cell) {
            outcomes.push((cell, Outcome::NotRun(reason.to_owned())));
        }
    }
    for (key, suites) in terms::runnable(group) {
        outcomes.extend(run_suites(group, key, &suites, scale));
    }
    outcomes
}

fn run_suites(group: Group, key: Key, suites: &[&'static Suite], scale: Scale) -> Vec<(Cell, Outcome)> {
    let Group { peer, role, version } = group;
    let cell = |suite| Cell { peer, role, version, suite };
    let bytes = terms::bytes(peer, scale);
    let meeting = Meeting { group, key, feature: None, bytes, lengths: None, splitting: true };
    let verdict = |result: Result<Met, CaseError>, suite| match result.and_then(|met| met.judge(cell(suite)))
    {
        Ok(()) => (cell(suite), Outcome::Ok),
        Err(error) => (cell(suite), Outcome::Failed(error)),
    };
    match meeting.run(suites) {
        Ok(found) => found.into_iter().map(|(suite, met)| verdict(met, suite)).collect(),
        Err(error) => {
            suites.iter().map(|&suite| verdict(Err(CaseError::new(error.to_string())), suite)).collect()
        }
    }
}

/// Runs a trial, unless it is left out: with the first CBC suite and the first stream cipher that the peer has.
pub fn run_trial(trial: Trial, scale: Scale, lacks: &Lacks) -> Outcome {
    if let Some(reason) = lacks.trial_reason(trial) {
        return Outcome::NotRun(reason.to_owned());
    }
    match try_out(trial, scale) {
        Ok(()) => Outcome::Ok,
        Err(error) => Outcome::Failed(error),
    }
}

fn try_out(trial: Trial, scale: Scale) -> Result<(), CaseError> {
    let Trial { peer, role, version, feature } = trial;
    let group = Group { peer, role, version };
    let suites = terms::runnable(group).remove(&Key::Rsa).unwrap_or_default();
    let cbc = suites.iter().copied().find(|suite| suite.is_cbc());
    // A release sends much with it.
    let quick = suites.iter().copied().find(|suite| suite.name.ends_with("RSA_WITH_AES_128_CBC_SHA"));
    let stream = suites.iter().copied().find(|suite| suite.name.contains("_RC4_128_"));
    let aead = suites.iter().copied().find(|suite| suite.name.contains("_GCM_"));
    let chosen: Vec<&'static Suite> = match feature {
        Feature::RecordSizes => quick.or(cbc).into_iter().chain(stream).collect(),
        Feature::EmptyOurs => cbc.into_iter().chain(stream).chain(aead).collect(),
        _ => cbc.or(stream).into_iter().collect(),
    };
    if chosen.is_empty() {
        return Err(CaseError::new("the peer has no suite for it: suites.toml must say so"));
    }
    if feature == Feature::RecordSizes {
        return try_lengths(trial, &chosen, scale);
    }
    let bytes = match feature {
        Feature::EmptyOurs | Feature::EmptyPeer => terms::bytes(peer, Scale::SMALL).min(10_000),
        // It gets a page without content.
        _ if feature.resumes() && (peer, role) == (Peer::Nss, Role::Client) => 0,
        _ => terms::bytes(peer, Scale::SMALL).min(100_000),
    };
    let splitting = feature.ours_splits();
    let meeting = Meeting { group, key: Key::Rsa, feature: Some(feature), bytes, lengths: None, splitting };
    for (suite, met) in meeting.run(&chosen)? {
        met?.judge_trial(trial, suite)?;
    }
    Ok(())
}

/// Records of every length, each once, with each of the suites; where our end may split those of CBC suites, with that and
/// without.
fn try_lengths(trial: Trial, suites: &[&'static Suite], scale: Scale) -> Result<(), CaseError> {
    let Trial { peer, role, version, feature } = trial;
    let group = Group { peer, role, version };
    let whole: Vec<&'static Suite> = match Feature::SplitPeer.versions().contains(&version) {
        true => suites.iter().copied().filter(|suite| suite.is_cbc()).collect(),
        false => Vec::new(),
    };
    for lengths in lengths(peer, role, scale) {
        for (splitting, suites) in [(true, suites), (false, whole.as_slice())] {
            let bytes = match lengths {
                Some(lengths) => total(lengths),
                None => terms::bytes(peer, scale),
            };
            let meeting = Meeting { group, key: Key::Rsa, feature: Some(feature), bytes, lengths, splitting };
            if suites.is_empty() {
                continue;
            }
            for (suite, met) in meeting.run(suites)? {
                met?.judge_trial(trial, suite).map_err(|error| {
                    CaseError::new(format!("{lengths:?}, our end splits records: {splitting}: {error}"))
                })?;
            }
        }
    }
    Ok(())
}

/// The first and the last of a run of lengths.
type Lengths = (usize, usize);

/// The lengths of records, each run of them in a connection of its own: for a release every length there is, otherwise some
/// at either end; the length zero has rows of its own. `None`: neither end decides on the lengths, but a program that goes by
/// what it reads from a pipe or a file.
fn lengths(peer: Peer, role: Role, scale: Scale) -> Vec<Option<Lengths>> {
    let is_full = scale.bytes > Scale::SMALL.bytes;
    let runs: &[Lengths] = match (peer, role) {
        (Peer::Nss | Peer::GnuTls, _) | (Peer::OpenSsl | Peer::OpenSsl111, Role::Client) => {
            return vec![None];
        }
        // Python that computes each byte.
        (Peer::Tlslite | Peer::Scapy, _) if is_full => &[(1, 250), (16_383, 16_384)],
        (Peer::Tlslite | Peer::Scapy, _) => &[(1, 80)],
        _ if is_full => &[(1, 16_384)],
        _ => &[(1, 200), (16_364, 16_384)],
    };
    runs.iter().copied().map(Some).collect()
}

fn total((first, last): Lengths) -> u64 {
    (first..=last).map(|length| length as u64).sum()
}

/// Who meets, and for what.
#[derive(Clone, Copy)]
struct Meeting {
    group: Group,
    key: Key,
    feature: Option<Feature>,
    bytes: u64,
    /// Of records, one after the other.
    lengths: Option<Lengths>,
    /// Whether our end splits records.
    splitting: bool,
}

/// Both ends of the connections with one suite.
struct Met {
    ours: Vec<Report>,
    peer: Vec<Negotiated>,
    bytes: u64,
}

type Found = Vec<(&'static Suite, Result<Met, CaseError>)>;

impl Meeting {
    fn run(self, suites: &[&'static Suite]) -> Result<Found, CaseError> {
        match self.group.role {
            Role::Server => self.connect_to_peer(suites),
            Role::Client => self.serve_peer(suites),
        }
    }

    fn legacy(self, suites: &[&'static Suite]) -> Legacy {
        Legacy { version: self.group.version, suites: suites.to_vec(), splitting: self.splitting }
    }

    fn rounds(self) -> usize {
        if self.feature.is_some_and(Feature::resumes) { 2 } else { 1 }
    }

    fn sends_empty(self) -> Option<bool> {
        self.feature.and_then(Feature::ours_sends_empty)
    }

    fn client_key(self) -> Option<Key> {
        match self.feature {
            Some(Feature::ClientRsa) => Some(Key::Rsa),
            Some(Feature::ClientDsa) => Some(Key::Dsa),
            _ => None,
        }
    }

    fn connect_to_peer(self, suites: &[&'static Suite]) -> Result<Found, CaseError> {
        let pki = Pki::find()?;
        let mut server =
            echo::serve(self.group.peer, &server_options(&pki, self.group, self.key, suites, self.feature)?)?;
        let mut setup = Setup::trusting(pki.root()?);
        if let Some(key) = self.client_key() {
            let identity = pki.client(key)?;
            setup = setup.pem(identity.chain, identity.key);
        }
        let mut found = Vec::new();
        for &suite in suites {
            let setup = setup.clone().legacy(&self.legacy(&[suite]))?;
            found.push((suite, self.connect(&setup, server.as_mut())));
        }
        Ok(found)
    }

    fn connect(self, setup: &Setup, server: &mut dyn EchoServer) -> Result<Met, CaseError> {
        let client = Client::new(setup)?;
        let mut met = Met { ours: Vec::new(), peer: Vec::new(), bytes: self.bytes };
        for _ in 0..self.rounds() {
            let service = server.service(self.bytes)?;
            let content = match service {
                Service::Http(_) => Pattern::new(HTTP_BODY_SEED).content(self.bytes),
                Service::Lines => Pattern::new(1).content(self.bytes).as_lines(),
                Service::Echo => Pattern::new(1).content(self.bytes),
            };
            let mut report = match service {
                service if let Some(sends_empty) = self.sends_empty() => {
                    client.exchange_records(server.port(), &service, content, sends_empty)
                }
                Service::Http(path) => client.fetch(server.port(), &path, content),
                Service::Echo | Service::Lines => match self.lengths {
                    Some((first, last)) => client.echo_in_writes(server.port(), content, first..=last),
                    None => client.echo(server.port(), content),
                },
            };
            met.peer.extend(server.next_connection()?);
            let failed = report.failure.is_some();
            if let Some(error) = &mut report.negotiated.error {
                // For whoever reads why it failed.
                error.push('\n');
                error.push_str(&server.process().log());
            }
            met.ours.push(report);
            if failed {
                break;
            }
        }
        Ok(met)
    }

    fn serve_peer(self, suites: &[&'static Suite]) -> Result<Found, CaseError> {
        let pki = Pki::find()?;
        let identity = pki.server(self.key)?;
        let mut setup = Setup::server_from_pem(identity.chain, identity.key);
        if self.feature != Some(Feature::ResumeTicket) {
            setup = setup.without_tickets();
        }
        if self.client_key().is_some() {
            setup = setup.require_client_certificate_of(pki.root()?);
        }
        let setup = setup.legacy(&self.legacy(suites))?;
        let service = match self.sends_empty() {
            Some(sends_empty) => ours::Service::Records { sends_empty },
            None => echo::service_for(self.group.peer),
        };
        let server = Server::start(&setup, service)?;
        let mut options = client_options(&pki, self.group, server.port(), self.feature)?.bytes(self.bytes);
        if let Some((first, last)) = self.lengths {
            options = options.write_sizes(first..=last);
        }
        if self.group.peer == Peer::Nss && service == ours::Service::Http {
            options = options.posting();
        }
        let patience = Duration::from_secs(10);
        let connections = connect(self.group, &options, suites)?;
        let mut found = Vec::new();
        for (suite, peer) in connections {
            let ours: Result<Vec<Report>, ours::Failure> =
                peer.iter().map(|_| server.next_connection(patience)).collect();
            let log: Vec<&str> = peer.iter().filter_map(|connection| connection.error.as_deref()).collect();
            let met = match ours {
                Ok(ours) => Ok(Met { ours, peer, bytes: self.bytes }),
                Err(failure) => Err(CaseError::new(format!("{failure}\n{}", log.join("\n")))),
            };
            found.push((suite, met));
        }
        Ok(found)
    }
}

impl Met {
    /// Both ends were content, with this suite, and every byte arrived.
    fn judge(&self, cell: Cell) -> Result<(), CaseError> {
        for connection in self.ours.iter().map(|report| &report.negotiated) {
            if let Some(error) = &connection.error {
                let peer: Vec<&str> = self.peer.iter().filter_map(|peer| peer.error.as_deref()).collect();
                return Err(CaseError::new(format!("{error}\n{}", peer.join("\n"))));
            }
            if (connection.version.as_str(), connection.cipher.as_str())
                != (cell.version.name(), cell.suite.name)
            {
                return Err(CaseError::new(format!("something else was agreed on: {connection:?}")));
            }
        }
        // The first of two connections may be a silent one.
        match self.ours.last().map(|report| report.negotiated.bytes) {
            None => return Err(CaseError::new("there was no connection")),
            Some(last) if last + 64 <= self.bytes => {
                return Err(CaseError::new(format!("{last} bytes of {}", self.bytes)));
            }
            Some(_) => {}
        }
        match self.peer.iter().find_map(|connection| terms::complaint(cell, connection)) {
            Some(complaint) => Err(CaseError::new(complaint)),
            None => Ok(()),
        }
    }

    fn judge_trial(&self, trial: Trial, suite: &'static Suite) -> Result<(), CaseError> {
        let Trial { peer, role, version, feature } = trial;
        self.judge(Cell { peer, role, version, suite })?;
        let resumed: Vec<bool> = self.ours.iter().map(|report| report.negotiated.resumed).collect();
        if feature.resumes() && resumed != [false, true] {
            return Err(CaseError::new(format!("our end resumed {resumed:?}")));
        }
        // A session of a ticket has no identifier.
        let by_id = self.ours.last().is_some_and(|report| report.has_session_id);
        if feature.resumes() && by_id != (feature == Feature::ResumeId) {
            return Err(CaseError::new(format!("our end resumed by its identifier: {by_id}")));
        }
        if feature == Feature::EmptyPeer && self.ours.iter().any(|report| report.empty_records == 0) {
            return Err(CaseError::new("the peer sent no empty record"));
        }
        let client = match feature {
            Feature::ClientRsa => Pki::find()?.client(Key::Rsa)?.sha256,
            Feature::ClientDsa => Pki::find()?.client(Key::Dsa)?.sha256,
            _ => return Ok(()),
        };
        let seen: Vec<&Negotiated> = match role {
            Role::Server => self.peer.iter().filter(|peer| peer.peer_sha256.is_some()).collect(),
            Role::Client => self.ours.iter().map(|report| &report.negotiated).collect(),
        };
        match seen.iter().find(|end| end.peer_sha256.as_deref() != Some(&client)) {
            Some(end) => Err(CaseError::new(format!("another client certificate: {end:?}"))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sent(peer: Peer, role: Role, scale: Scale) -> BTreeSet<usize> {
        let runs = lengths(peer, role, scale).into_iter().flatten();
        runs.flat_map(|(first, last)| first..=last).collect()
    }

    /// A bound on the bytes must not leave out the longer records again.
    #[test]
    fn release_sends_every_length_with_both_ends_of_some_peer_as_sender() {
        let every: BTreeSet<usize> = (1..=16_384).collect();
        for (peer, role) in [
            (Peer::OpenSsl, Role::Server),
            (Peer::OpenSsl111, Role::Server),
            (Peer::Node, Role::Server),
            (Peer::Node, Role::Client),
            (Peer::Java, Role::Server),
            (Peer::Java, Role::Client),
        ] {
            assert_eq!(sent(peer, role, Scale::FULL_LEGACY), every, "{peer} {}", role.name());
            let everyday = sent(peer, role, Scale::SMALL);
            assert!(everyday.contains(&1) && everyday.contains(&16_384), "{peer} {}", role.name());
            let bytes: u64 = everyday.iter().map(|length| *length as u64).sum();
            assert!(bytes <= Scale::SMALL.bytes, "{bytes} bytes are too many for every day");
        }
        assert_eq!(total((1, 16_384)), 134_225_920);
    }
}
