//! Tickets of the engine: what a server's clients keep for it, and when it is not taken up.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

mod support;

use std::time::Duration;

use opensspi_schannel::{ClientAuth, Protocol, SchannelConfig};
use sspi_core::{AcceptRequest, AlertLevel, AscReq, ControlToken, CredentialsHandle, Step};
use support::again::{again, both, client_begins, finish};
use support::sessions::{Case, SESSION_ID, answer_to, connect, contains, resumed, session_id};
use support::{Kind, World, accept_request};
use test_support::pair::{End, Established, open};

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// The engine's that have extensions.
const KINDS: [Kind; 3] = [Kind::Tls12Cbc, Kind::Tls11, Kind::Tls10];

fn case(kind: Kind) -> Case {
    Case::Tls(kind, true)
}

/// The first message of a client, in its record.
fn hello(side: &Established) -> Vec<u8> {
    side.sent[..5 + usize::from(u16::from_be_bytes([side.sent[3], side.sent[4]]))].to_vec()
}

/// The extension for tickets in a hello: where its data is.
fn ticket(hello: &[u8]) -> Option<std::ops::Range<usize>> {
    let length = |at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    let mut at = SESSION_ID + 1 + usize::from(hello[SESSION_ID]);
    at += 2 + length(at);
    at += 1 + usize::from(hello[at]) + 2;
    while at < hello.len() {
        let data = at + 4..at + 4 + length(at + 2);
        if length(at) == 35 {
            return Some(data);
        }
        at = data.end;
    }
    None
}

/// Whether a server's answer takes up a session: its next word is ChangeCipherSpec.
fn takes_it_up(answer: &[u8]) -> bool {
    let hello = 5 + usize::from(u16::from_be_bytes([answer[3], answer[4]]));
    let renewed = answer.get(hello..hello + 6).is_some_and(|next| next[0] == 22 && next[5] == 4);
    renewed || answer.get(hello).is_some_and(|next| *next == 20)
}

fn asked(server: &dyn CredentialsHandle, hello: &[u8]) -> bool {
    takes_it_up(&answer_to(server, hello).1)
}

/// A client that was resumed once, and the hello with its ticket.
fn with_ticket(client: &dyn CredentialsHandle, server: &dyn CredentialsHandle) -> (Established, Vec<u8>) {
    connect(client, server);
    let (c, s) = connect(client, server);
    assert!(resumed(&c));
    let hello = hello(&c);
    (s, hello)
}

#[test]
fn a_session_with_a_ticket_lies_nowhere_and_has_no_identifier() {
    let world = World::default();
    for kind in KINDS {
        let package = world.package(case(kind).server(&world));
        let request = sspi_core::CredentialsRequest::configured(sspi_core::CredentialUse::Inbound);
        let server = sspi_core::SecurityPackage::acquire_credentials_handle(&package, &request).unwrap();
        let client = world.outbound(case(kind).client(&world));
        for round in 0..3 {
            let (c, s) = connect(&*client, &*server);
            assert_eq!(resumed(&c), round > 0, "{kind:?}");
            assert_eq!((session_id(&c), session_id(&s)), (Vec::new(), Vec::new()), "{kind:?}");
            assert_eq!(ticket(&hello(&c)).unwrap().is_empty(), round == 0, "{kind:?}");
            assert!(package.session_cache().is_empty(), "{kind:?}");
        }
    }
}

#[test]
fn without_tickets_there_are_identifiers_and_without_resumption_neither() {
    let world = World::default();
    for kind in KINDS {
        let client = world.outbound(case(kind).client(&world));
        let (server, none) = (
            world.inbound(Case::Tls(kind, false).server(&world)),
            world.inbound(SchannelConfig { resume: false, ..case(kind).server(&world) }),
        );
        let (c, _) = connect(&*client, &*server);
        assert_eq!(session_id(&c).len(), 32);
        let (c, _) = connect(&*client, &*server);
        assert!(resumed(&c) && ticket(&hello(&c)).unwrap().is_empty(), "{kind:?}");
        for _ in 0..2 {
            assert!(!resumed(&connect(&*client, &*none).0));
        }
        let client = SchannelConfig { resume: false, ..case(kind).client(&world) };
        let (c, _) = connect(&*world.outbound(client), &*server);
        assert_eq!(ticket(&hello(&c)), None, "{kind:?}");
    }
}

/// As with identifiers: what counts is the last use.
#[test]
fn a_session_that_is_used_does_not_lie_idle_and_lives_from_its_creation() {
    for kind in Kind::ALL {
        for tickets in [true, false] {
            let (world, case) = (World::default(), Case::Tls(kind, tickets));
            let config = SchannelConfig { session_idle_limit: Some(HOUR), ..case.server(&world) };
            let (client, server) = (world.outbound(case.client(&world)), world.inbound(config));
            connect(&*client, &*server);
            for hours in 1..=10 {
                world.clock.advance(HOUR);
                assert!(resumed(&connect(&*client, &*server).0), "{case:?} after {hours} hours");
            }
            world.clock.advance(SECOND);
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?} after ten hours");
            world.clock.advance(HOUR + SECOND);
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?}: idle");
        }
    }
}

#[test]
fn a_ticket_of_a_session_that_failed_is_not_taken_up_however_often_it_comes() {
    let world = World::default();
    for kind in KINDS {
        for renews in [false, true] {
            let idle = renews.then_some(HOUR);
            let config = SchannelConfig { session_idle_limit: idle, ..case(kind).server(&world) };
            let (client, server) = (world.outbound(case(kind).client(&world)), world.inbound(config));
            let (mut s, old) = with_ticket(&*client, &*server);
            assert!(asked(&*server, &old) && asked(&*server, &old), "{kind:?}: good as long as its session");
            let newer = hello(&connect(&*client, &*server).0);
            assert_eq!(old[ticket(&old).unwrap()] != newer[ticket(&newer).unwrap()], renews);
            let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
            s.context.apply_control_token(&alert).unwrap();
            for hello in [&old, &newer] {
                assert!(!asked(&*server, hello), "{kind:?}, renewed: {renews}");
            }
        }
        // It fails in a handshake that a ticket began.
        let (client, server) =
            (world.outbound(case(kind).client(&world)), world.inbound(case(kind).server(&world)));
        let (_, hello) = with_ticket(&*client, &*server);
        let (mut end, answer) = answer_to(&*server, &hello);
        assert!(takes_it_up(&answer));
        end.advance(&[21, 3, 3, 0, 2, 2, 40]).unwrap_err();
        assert!(!asked(&*server, &hello), "{kind:?}");
        assert!(!resumed(&connect(&*client, &*server).0), "{kind:?}");
    }
}

#[test]
fn a_ticket_is_good_for_the_credential_and_the_request_that_it_was_made_for_only() {
    let world = World::default();
    for kind in KINDS {
        let config = case(kind).server(&world);
        let (client, server) = (world.outbound(case(kind).client(&world)), world.inbound(config.clone()));
        let (_, hello) = with_ticket(&*client, &*server);
        assert!(asked(&*server, &hello), "{kind:?}");
        assert!(!asked(&*world.inbound(config), &hello), "{kind:?}: another credential");
        let asks = AcceptRequest { flags: accept_request().flags | AscReq::MUTUAL_AUTH, ..accept_request() };
        let mut end = End::from(server.accept(&asks).unwrap());
        let Step::Continue { token, .. } = end.advance(&hello).unwrap() else { panic!("it answers") };
        assert!(!takes_it_up(&token), "{kind:?}: another request");
    }
}

#[test]
fn a_ticket_that_was_altered_in_any_byte_or_cut_is_a_full_handshake() {
    let world = World::default();
    for kind in KINDS {
        let (client, server) =
            (world.outbound(case(kind).client(&world)), world.inbound(case(kind).server(&world)));
        let (_, hello) = with_ticket(&*client, &*server);
        let at = ticket(&hello).unwrap();
        for index in at.clone() {
            let mut altered = hello.clone();
            altered[index] ^= 1;
            assert!(!asked(&*server, &altered), "{kind:?}: byte {index}");
        }
        assert!(asked(&*server, &hello), "{kind:?}");
    }
}

#[test]
fn a_server_of_both_backends_takes_up_the_tickets_of_either() {
    let world = World::default();
    let all = [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10];
    let rsa = world.certificate(&world.pki.server("localhost").rsa_2048().issue());
    let ecdsa = world.certificate(&world.pki.server("localhost").issue());
    let server = world.inbound(SchannelConfig { certificates: vec![ecdsa, rsa], ..world.server(&all) });
    let clients = [Kind::Tls13, Kind::Tls12, Kind::Tls12Cbc, Kind::Tls11, Kind::Tls10];
    let clients = clients.map(|kind| (kind, world.outbound(case(kind).client(&world))));
    for round in 0..3 {
        for (kind, client) in &clients {
            assert_eq!(resumed(&connect(&**client, &*server).0), round > 0, "{kind:?} {round}");
        }
    }
    let [of_rustls, of_engine] = [Kind::Tls12, Kind::Tls12Cbc].map(|kind| {
        let client = &clients.iter().find(|(own, _)| *own == kind).unwrap().1;
        hello(&connect(&**client, &*server).0)
    });
    assert!(asked(&*server, &of_rustls) && asked(&*server, &of_engine));
    // The ticket of one in the hello of the other.
    for (to, from) in [(&of_rustls, &of_engine), (&of_engine, &of_rustls)] {
        assert!(!asked(&*server, &exchanged(to, &from[ticket(from).unwrap()])));
    }
}

/// A hello with another ticket.
fn exchanged(hello: &[u8], other: &[u8]) -> Vec<u8> {
    let at = ticket(hello).unwrap();
    let mut with = hello.to_vec();
    let more = i32::try_from(other.len()).unwrap() - i32::try_from(at.len()).unwrap();
    with.splice(at.clone(), other.iter().copied());
    let mut extensions = SESSION_ID + 1 + usize::from(hello[SESSION_ID]);
    extensions += 2 + usize::from(u16::from_be_bytes([hello[extensions], hello[extensions + 1]]));
    extensions += 1 + usize::from(hello[extensions]);
    // Of the record, of the message, of all extensions and of this one.
    for field in [3, 7, extensions, at.start - 2] {
        let length = i32::from(u16::from_be_bytes([hello[field], hello[field + 1]])) + more;
        with[field..field + 2].copy_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
    }
    with
}

#[test]
fn a_client_that_shows_too_much_gets_an_empty_ticket_and_is_served() {
    let world = World::default();
    for kind in KINDS {
        for (names, kept) in [(1, true), (500, false)] {
            let names: Vec<_> = (0..names).map(|n| format!("{n}.{}.test", "name".repeat(10))).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let certificate = case(kind).certificate(world.pki.client("someone").names(&names));
            let client = SchannelConfig {
                certificates: vec![world.certificate(&certificate)],
                ..case(kind).client(&world)
            };
            let server = SchannelConfig { client_auth: ClientAuth::Required, ..case(kind).server(&world) };
            let (client, server) = (world.outbound(client), world.inbound(server));
            connect(&*client, &*server);
            assert_eq!(resumed(&connect(&*client, &*server).0), kept, "{kind:?}, {} names", names.len());
        }
    }
}

/// A connection that was negotiated again has had two sessions, and neither outlives its failure.
#[test]
fn a_failure_after_a_second_handshake_ends_the_tickets_of_both() {
    let world = World::default();
    for kind in KINDS {
        for fails in [false, true] {
            let client = world.outbound(both(case(kind).client(&world)));
            let server = world.inbound(both(case(kind).server(&world)));
            connect(&*client, &*server);
            let (c, mut s) = connect(&*client, &*server);
            let first = hello(&c);
            let (c, _) = client_begins(c.context, &mut *s.context);
            let (mut c, mut s) = finish(c, again(s.context), &[], &[]);
            let sizes = c.context.attributes().stream_sizes().unwrap();
            let mut record = test_support::pair::seal(&mut *c.context, &sizes, b"some data").unwrap();
            if fails {
                *record.last_mut().unwrap() ^= 1;
            }
            assert_eq!(open(&mut *s.context, &mut record).is_err(), fails);
            assert_eq!(asked(&*server, &first), !fails, "{kind:?}: the first session");
            let (c, _) = connect(&*client, &*server);
            assert_eq!(resumed(&c), !fails, "{kind:?}: the second");
            assert!(!contains(&hello(&c), &first[ticket(&first).unwrap()]), "{kind:?}: another ticket");
        }
    }
}
