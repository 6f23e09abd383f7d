//! Second handshakes: who begins them, and how they come to their end.

use opensspi_schannel::{Protocol, Renegotiation, SchannelConfig};
use sspi_core::{Decrypted, Error, Renegotiation as Handshake, SecurityContext, Step};
use test_support::pair::{End, Established, open};

use super::{Kind, World, established, send};

/// The protocols that have a second handshake.
pub const KINDS: [Kind; 5] = [Kind::Tls12, Kind::Tls12Cbc, Kind::Tls11, Kind::Tls10, Kind::Ssl30];

/// A configuration in which either side may begin.
pub fn both(config: SchannelConfig) -> SchannelConfig {
    SchannelConfig { renegotiation: Renegotiation::Both, ..config }
}

/// Two ends that may negotiate again.
pub fn pair_of(world: &World, kind: Kind) -> (Established, Established) {
    let (client, server) = (both(world.client_of(kind)), both(world.server_of(kind)));
    established(&*world.outbound(client), &*world.inbound(server))
}

pub fn again(context: Box<dyn SecurityContext>) -> End {
    match context.renegotiate(&[]).unwrap() {
        Handshake::Initialize(client) => End::Client(client),
        Handshake::Accept(server) => End::Server(server),
    }
}

/// A client begins: its ClientHello arrives as a record of the connection.
pub fn client_begins(client: Box<dyn SecurityContext>, server: &mut dyn SecurityContext) -> (End, Vec<u8>) {
    let mut client = again(client);
    let Step::Continue { token, used: 0 } = client.advance(&[]).unwrap() else { panic!("no hello") };
    let mut records = token;
    assert_eq!(open(server, &mut records).unwrap(), (Vec::new(), Decrypted::Renegotiate));
    (client, records)
}

/// Goes on until both ends are complete.
pub fn finish(client: End, server: End, for_client: &[u8], for_server: &[u8]) -> (Established, Established) {
    let mut ends = [Some(client), Some(server)];
    let mut pending = [for_client.to_vec(), for_server.to_vec()];
    let mut done = [None, None];
    for round in 0..100 {
        // A server that has a hello speaks without more.
        let at = (round + 1) % 2;
        let Some(end) = &mut ends[at] else { continue };
        let (token, used) =
            match end.advance(&pending[at]).unwrap_or_else(|failure| panic!("{}", failure.error)) {
                Step::Continue { token, used } => (token, used),
                Step::Complete { context, token, used } => {
                    ends[at] = None;
                    done[at] = Some(context);
                    (token, used)
                }
                Step::Incomplete { .. } => continue,
                other => panic!("{other:?}"),
            };
        pending[at].drain(..used);
        pending[1 - at].extend(token);
    }
    let [client, server] = done.map(|context| context.unwrap_or_else(|| panic!("both ends are complete")));
    let [for_client, for_server] = pending;
    let established = |context, extra| Established { context, extra, sent: Vec::new() };
    (established(client, for_client), established(server, for_server))
}

pub fn talk(client: &mut Established, server: &mut Established) {
    assert_eq!(send(client, server, b"hello"), b"hello");
    assert_eq!(send(server, client, b"and back"), b"and back");
}

/// Why a context is not negotiated again, and the context.
pub fn refusal(context: Box<dyn SecurityContext>) -> (Error, Box<dyn SecurityContext>) {
    let refused = context.renegotiate(&[]).err().unwrap();
    (refused.error, refused.context)
}

/// A connection of PCT whose ends may negotiate again, as the setting says.
pub fn pct(world: &World, renegotiation: Renegotiation) -> (Established, Established) {
    pct_of(world, renegotiation, renegotiation)
}

pub fn pct_of(world: &World, client: Renegotiation, server: Renegotiation) -> (Established, Established) {
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let client = SchannelConfig { renegotiation: client, ..world.client(&[Protocol::Pct1]) };
    let server =
        SchannelConfig { renegotiation: server, certificates: vec![rsa], ..world.server(&[Protocol::Pct1]) };
    established(&*world.outbound(client), &*world.inbound(server))
}
