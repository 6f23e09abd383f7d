//! Which protocol is spoken by every client and every server of the four of Windows Server 2003, whoever acquires their
//! credentials.

use std::sync::Arc;

use opensspi_schannel::{Allow, Protocol, SchannelConfig, WeakSuites};
use sspi_core::{CredentialUse, CredentialsHandle, Error};
use test_support::pair::Established;

use super::{World, handshake};

/// Those of Windows Server 2003, in its order.
pub const OLD: [Protocol; 4] = [Protocol::Tls10, Protocol::Ssl30, Protocol::Pct1, Protocol::Ssl20];

pub fn server(world: &World, protocols: &[Protocol]) -> SchannelConfig {
    SchannelConfig {
        certificates: vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())],
        allow: Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect()),
        i_accept_drown: true,
        v2_hello: true,
        resume: false,
        ..world.server(protocols)
    }
}

pub fn client(world: &World, protocols: &[Protocol]) -> SchannelConfig {
    SchannelConfig { resume: false, v2_hello: true, ..world.client(protocols) }
}

pub fn protocol_of(side: &Established) -> u16 {
    side.context.attributes().cipher_info().unwrap().protocol_version
}

fn subset(bits: usize) -> Vec<Protocol> {
    (0..).zip(OLD).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, protocol)| protocol).collect()
}

/// What is spoken, if anything is.
fn spoken(ours: &[Protocol], theirs: &[Protocol]) -> Option<Protocol> {
    // A hello that names TLS 1.0 means SSL 3.0, too.
    let implied = theirs.contains(&Protocol::Tls10) && !theirs.contains(&Protocol::Ssl30);
    let is_offered = |p: &&Protocol| theirs.contains(p) || (implied && **p == Protocol::Ssl30);
    let best = ours.iter().find(is_offered).copied();
    // Both have more than SSL 2.0, and it is all that is left: the mark says that somebody may have taken it away.
    let is_newer = |p: &Protocol| matches!(p, Protocol::Tls10 | Protocol::Ssl30);
    let is_marked = best == Some(Protocol::Ssl20) && ours.iter().any(is_newer) && theirs.iter().any(is_newer);
    best.filter(|best| theirs.contains(best) && !is_marked)
}

/// Runs all of the table with these credentials, and looks at what each pair came to.
pub fn every_client_and_every_server(
    world: &World,
    acquire: impl Fn(SchannelConfig, CredentialUse) -> Arc<dyn CredentialsHandle>,
    mut came_to: impl FnMut(&Established, &Established, Protocol),
) {
    let inbound = |bits| acquire(server(world, &subset(bits)), CredentialUse::Inbound);
    let outbound = |bits| acquire(client(world, &subset(bits)), CredentialUse::Outbound);
    let servers: Vec<_> = (1..16).map(inbound).collect();
    let clients: Vec<_> = (1..16).map(outbound).collect();
    for (ours, server) in (1..16).map(subset).zip(&servers) {
        for (theirs, client) in (1..16).map(subset).zip(&clients) {
            let (c, s) = handshake(&**client, &**server, usize::MAX);
            match spoken(&ours, &theirs) {
                Some(best) => {
                    let whole = |side: Result<Established, Error>| {
                        side.unwrap_or_else(|e| panic!("{theirs:?} to {ours:?}: {e}"))
                    };
                    let (c, s) = (whole(c), whole(s));
                    let said = (protocol_of(&c), protocol_of(&s));
                    assert_eq!(said, (best.version(), best.version()), "{theirs:?} to {ours:?}");
                    came_to(&c, &s, best);
                }
                None => assert!(c.is_err() && s.is_err(), "{theirs:?} to {ours:?}"),
            }
        }
    }
}
