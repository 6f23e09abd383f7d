//! What a peer is started with so that it speaks an old version and an old suite.

use std::collections::BTreeMap;

use super::suite::offer;
use super::{Cell, Feature, Group, Key, Pki, Suite, lacks};
use crate::echo;
use crate::matrix::{Role, Scale};
use crate::peers::{ClientAuth, ClientOptions, Negotiated, Peer, PeerError, ServerOptions};

/// The cells of a group that its peer has, by the certificate that the server needs.
pub fn runnable(group: Group) -> BTreeMap<Key, Vec<&'static Suite>> {
    let mut suites: BTreeMap<Key, Vec<&'static Suite>> = BTreeMap::new();
    for cell in group.cells().filter(|&cell| lacks().reason(cell).is_none()) {
        suites.entry(cell.key()).or_default().push(cell.suite);
    }
    suites
}

/// Bytes each way in a cell: what the scale says, but for libraries that take seconds for that.
pub fn bytes(peer: Peer, scale: Scale) -> u64 {
    let most = match peer {
        Peer::Tlslite => 4_000,
        Peer::Scapy => 5_000,
        _ => u64::MAX,
    };
    // A release has the time for ten times as many.
    scale.bytes.min(if scale.bytes > Scale::SMALL.bytes { most.saturating_mul(10) } else { most })
}

/// What the peer is started with where it serves these suites.
///
/// # Errors
///
/// There is no PKI.
pub fn server_options(
    pki: &Pki,
    group: Group,
    key: Key,
    suites: &[&Suite],
    feature: Option<Feature>,
) -> Result<ServerOptions, PeerError> {
    let mut options = ServerOptions::new(&pki.server(key)?).version(group.version).ciphers(&offer(
        group.peer,
        group.version,
        suites,
    ));
    if feature != Some(Feature::ResumeTicket) {
        options = options.without_tickets();
    }
    if matches!(feature, Some(Feature::ClientRsa | Feature::ClientDsa)) {
        options = options.client_auth(ClientAuth::Require(pki.root()?));
    }
    Ok(arguments(group.peer, feature).into_iter().fold(options, ServerOptions::argument))
}

/// What the peer is started with where it connects; the suites come with [`connect`].
///
/// # Errors
///
/// There is no PKI.
pub fn client_options(
    pki: &Pki,
    group: Group,
    port: u16,
    feature: Option<Feature>,
) -> Result<ClientOptions, PeerError> {
    let mut options = ClientOptions::trusting(port, pki.root()?).version(group.version);
    if feature != Some(Feature::ResumeTicket) {
        options = options.without_tickets();
    }
    options = match feature {
        Some(Feature::ClientRsa) => options.certificate(&pki.client(Key::Rsa)?),
        Some(Feature::ClientDsa) => options.certificate(&pki.client(Key::Dsa)?),
        Some(feature) if feature.resumes() => options.rounds(2),
        _ => options,
    };
    Ok(arguments(group.peer, feature).into_iter().fold(options, ClientOptions::argument))
}

const LEGACY_SECURITY: &str =
    concat!("-Djava.security.properties=", env!("CARGO_MANIFEST_DIR"), "/peers/legacy.security");

fn arguments(peer: Peer, feature: Option<Feature>) -> Vec<String> {
    let splits = feature.and_then(Feature::peer_splits);
    let mut arguments: Vec<&str> = Vec::new();
    match peer {
        Peer::Java => {
            arguments.push(LEGACY_SECURITY);
            if feature == Some(Feature::ResumeId) {
                // With it JSSE comes back with tickets only.
                arguments.push("-Djdk.tls.useExtendedMasterSecret=false");
            }
            if splits == Some(false) {
                arguments.push("-Djsse.enableCBCProtection=false");
            }
        }
        // Among its workarounds is to leave out the empty record.
        Peer::OpenSsl | Peer::OpenSsl111 if splits == Some(false) => arguments.push("-bugs"),
        Peer::Nassl | Peer::Node | Peer::Tlslite if splits == Some(false) => arguments.push("fragments=no"),
        Peer::Scapy if splits == Some(true) => arguments.push("fragments=yes"),
        Peer::Nss if splits == Some(false) => arguments.push("NSS_SSL_CBC_RANDOM_IV=0"),
        _ => {}
    }
    if matches!(peer, Peer::Tlslite | Peer::Scapy) && feature == Some(Feature::EmptyPeer) {
        arguments.push("empty=yes");
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// Connects a peer with each of the suites, offering that one only. The connections are in the order of the suites, as
/// many for each as the options have rounds, fewer where one failed.
///
/// # Errors
///
/// The peer could not be run.
pub fn connect(
    group: Group,
    options: &ClientOptions,
    suites: &[&'static Suite],
) -> Result<Vec<(&'static Suite, Vec<Negotiated>)>, PeerError> {
    let Group { peer, version, .. } = group;
    let takes_a_list = matches!(peer, Peer::Java | Peer::Tlslite | Peer::Scapy | Peer::Node | Peer::Nassl);
    if !takes_a_list {
        let one = |&suite: &&'static Suite| {
            let options = options.clone().ciphers(&offer(peer, version, &[suite]));
            Ok((suite, echo::connect(peer, &options)?))
        };
        return suites.iter().map(one).collect();
    }
    let options = options.clone().ciphers(&offer(peer, version, suites)).each();
    let mut connections = echo::connect(peer, &options)?.into_iter().peekable();
    let mut found = Vec::new();
    for &suite in suites {
        let mut rounds = Vec::new();
        while rounds.len() < options.count() {
            let Some(connection) = connections.next() else { break };
            let failed = connection.error.is_some();
            rounds.push(connection);
            if failed {
                break;
            }
        }
        found.push((suite, rounds));
    }
    Ok(found)
}

/// What is wrong with a connection as a peer saw it; `None` if nothing is. A peer that does not tell has nothing to say.
pub fn complaint(cell: Cell, connection: &Negotiated) -> Option<String> {
    let Cell { peer, version, suite, .. } = cell;
    if let Some(error) = &connection.error {
        return Some(format!("{}: {error}", peer.name()));
    }
    let silent = connection.version.is_empty();
    if !silent && connection.version != version.name() {
        return Some(format!("{}: the version is {}", peer.name(), connection.version));
    }
    if !connection.cipher.is_empty() && !suite.is_called(peer, &connection.cipher) {
        return Some(format!("{}: the suite is {}", peer.name(), connection.cipher));
    }
    None
}

/// The other end's group.
pub const fn opposite(group: Group, peer: Peer) -> Group {
    let role = match group.role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    Group { peer, role, version: group.version }
}
