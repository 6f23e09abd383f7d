//! A second handshake with data between any two of its messages, however records and messages are split: it comes out of the
//! calls of the interface in its place, and the handshake goes on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

#[path = "support/engine.rs"]
mod engine;
mod support;

use engine::{Between, Ended, Engine, Engines};
use legacy_tls::record::{ContentType, Need};
use opensspi_schannel::{ClientAuth, SchannelConfig};
use sspi_core::{Decrypted, SecurityContext, Step};
use support::again::{KINDS, again, both};
use support::{World, accept_request, initialize_request};
use test_support::pair::{End, open, seal};

/// An end that goes by the interface; what has come for it is shown to it `piece` bytes more at a time.
struct Ours {
    end: End,
    piece: usize,
    inbox: Vec<u8>,
    /// The data that came in the middle of the handshake.
    data: Vec<u8>,
    done: Option<Box<dyn SecurityContext>>,
}

impl Ours {
    fn new(end: impl Into<End>, piece: usize, inbox: Vec<u8>) -> Self {
        Self { end: end.into(), piece, inbox, data: Vec::new(), done: None }
    }

    /// What it says to what it has got.
    fn go(&mut self) -> Vec<u8> {
        let (mut said, mut shown) = (Vec::new(), self.piece.min(self.inbox.len()));
        while self.done.is_none() {
            let step = self.end.advance(&self.inbox[..shown]);
            let used = match step.unwrap_or_else(|failure| panic!("ours: {}", failure.error)) {
                Step::Continue { token, used } => {
                    said.extend(token);
                    used
                }
                Step::Complete { context, token, used } => {
                    said.extend(token);
                    self.done = Some(context);
                    used
                }
                Step::Data { data, used } => {
                    // No record is shorter than a piece.
                    assert!(shown - used < self.piece, "it comes as soon as its record is there");
                    self.data.extend_from_slice(&data);
                    used
                }
                Step::Incomplete { .. } if shown == self.inbox.len() => break,
                Step::Incomplete { .. } => {
                    shown = shown.saturating_add(self.piece).min(self.inbox.len());
                    continue;
                }
                other => panic!("{other:?}"),
            };
            self.inbox.drain(..used);
            shown -= used;
        }
        said
    }
}

/// A first handshake, with nobody in between.
fn first(end: impl Into<End>, mut engine: Engine) -> (Box<dyn SecurityContext>, Ended) {
    let mut ours = Ours::new(end, usize::MAX, Vec::new());
    while ours.done.is_none() || !engine.is_done() {
        engine.inbox.extend(ours.go());
        ours.inbox.extend(engine.go());
    }
    (ours.done.unwrap(), engine.ended())
}

/// Shows `DecryptMessage` the records in pieces until one of them begins a second handshake. Returns the data before it and
/// the bytes behind it.
fn until_it_begins(context: &mut dyn SecurityContext, mut wire: Vec<u8>, piece: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut shown, mut data) = (Vec::new(), Vec::new());
    while !wire.is_empty() {
        shown.extend(wire.drain(..piece.min(wire.len())));
        let (more, decrypted) = open(context, &mut shown).unwrap();
        data.extend(more);
        if decrypted == Decrypted::Renegotiate {
            return (data, [shown, wire].concat());
        }
    }
    panic!("nothing has begun");
}

/// Both ends until they are done, with somebody in between.
fn run(ours: &mut Ours, engine: &mut Engine, to_ours: &mut Between, to_engine: &mut Between) {
    for _ in 0..5 {
        engine.inbox.extend(to_engine.relay(&ours.go()));
        ours.inbox.extend(to_ours.relay(&engine.go()));
    }
    assert!(ours.done.is_some() && engine.is_done(), "both ends are done");
    assert!(ours.inbox.is_empty(), "something was left over");
}

/// Data goes on in both directions, under the new keys.
fn talk(context: &mut dyn SecurityContext, engine: Engine) {
    let Ended { mut sealer, mut opener, .. } = engine.ended();
    let mut record = Vec::new();
    sealer.seal_message(ContentType::APPLICATION_DATA, b"hello", &mut record).unwrap();
    assert_eq!(open(context, &mut record).unwrap().0, b"hello");
    let sizes = context.attributes().stream_sizes().unwrap();
    let mut wire = seal(context, &sizes, b"and back").unwrap();
    let mut data = Vec::new();
    while !wire.is_empty() {
        let Need::Whole(len) = opener.record_len(&wire).unwrap() else { panic!("not a whole record") };
        let mut record: Vec<u8> = wire.drain(..len).collect();
        let opened = opener.open(&mut record).unwrap();
        data.extend_from_slice(&record[opened.content]);
    }
    assert_eq!(data, b"and back");
}

/// How many bytes are shown at a time, and how many bytes of a handshake message are in one record.
const SPLITS: [(usize, usize); 6] =
    [(1, usize::MAX), (1, 1), (2, 100), (7, 3), (usize::MAX, 1), (usize::MAX, usize::MAX)];

/// Spec: TLS12 section 7.4.1.1.
#[test]
fn a_client_gets_the_data_between_the_servers_messages_in_its_place_at_every_split() {
    let world = World::default();
    for kind in KINDS {
        let engines = Engines::new(&world, kind);
        let alice = world.certificate(&world.pki.client("alice").rsa_2048().issue());
        let config = SchannelConfig { certificates: vec![alice], ..both(world.client_of(kind)) };
        let client = world.outbound(config);
        for (piece, fragment) in SPLITS {
            let (mut context, server) =
                first(client.initialize(&initialize_request()).unwrap(), engines.server());
            // The server's records are under the keys of another connection, so that there is somebody in between.
            let (others, servers) = engines.pair();
            let mut to_server = Between::new(server.opener, others.sealer, fragment);
            let mut to_client = Between::new(others.opener, server.sealer, fragment);
            let mut asked = Vec::new();
            to_client.send(ContentType::HANDSHAKE, &HELLO_REQUEST, &mut asked);
            to_client.send_data(&mut asked);
            let (data, rest) = until_it_begins(&mut *context, asked, piece);
            assert_eq!(data, b"data 0, ", "{kind:?} {piece} {fragment}");
            let mut ours = Ours::new(again(context), piece, rest);
            let hello = to_server.open(&mut &ours.go()[..]);
            let hello = hello.into_iter().flat_map(|(_, content)| content).collect();
            let mut engine = engines.server_again(server.before, servers, hello);
            run(&mut ours, &mut engine, &mut to_client, &mut to_server);
            assert!(to_client.records >= 7, "{kind:?}: {}", to_client.records);
            assert!(to_server.records >= 4, "{kind:?}: {}", to_server.records);
            assert_eq!([data, ours.data].concat(), to_client.data, "{kind:?} {piece} {fragment}");
            assert_eq!(engine.data, to_server.data, "{kind:?} {piece} {fragment}");
            talk(&mut *ours.done.unwrap(), engine);
        }
    }
}

/// Spec: TLS12 section 7.4.1.1.
#[test]
fn a_server_gets_the_data_between_the_clients_messages_in_its_place_at_every_split() {
    let world = World::default();
    for kind in KINDS {
        let engines = Engines::new(&world, kind);
        let config = SchannelConfig { client_auth: ClientAuth::Required, ..both(world.server_of(kind)) };
        let server = world.inbound(config);
        for (piece, fragment) in SPLITS {
            let (mut context, client) = first(server.accept(&accept_request()).unwrap(), engines.client());
            let (clients, others) = engines.pair();
            let mut to_server = Between::new(others.opener, client.sealer, fragment);
            let mut to_client = Between::new(client.opener, others.sealer, fragment);
            let mut engine = engines.client_again(client.before, clients);
            // The hello comes in records of the connection, with data before it.
            let hello = to_server.relay(&engine.go());
            let (data, rest) = until_it_begins(&mut *context, hello, piece);
            assert_eq!(data, b"data 0, ", "{kind:?} {piece} {fragment}");
            let mut ours = Ours::new(again(context), piece, rest);
            run(&mut ours, &mut engine, &mut to_server, &mut to_client);
            assert!(to_server.records >= 5, "{kind:?}: {}", to_server.records);
            assert!(to_client.records >= 5, "{kind:?}: {}", to_client.records);
            assert_eq!([data, ours.data].concat(), to_server.data, "{kind:?} {piece} {fragment}");
            assert_eq!(engine.data, to_client.data, "{kind:?} {piece} {fragment}");
            talk(&mut *ours.done.unwrap(), engine);
        }
    }
}

const HELLO_REQUEST: [u8; 4] = [0; 4];
