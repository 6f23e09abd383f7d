//! A second handshake in its bounds: how long a peer is waited for, how often there may be one, and what a connection that is
//! negotiated again takes with it when it ends.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use std::time::Duration;

use opensspi_schannel::{Renegotiation, SchannelConfig};
use sspi_core::{ControlToken, Decrypted, Error, SecStatus, SecurityContext, Step};
use support::again::{KINDS, again, both, client_begins, finish, pair_of, pct, refusal, talk};
use support::{Kind, World, established};
use test_support::pair::{Established, open, receive_buffers, seal};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_client_that_was_asked_has_so_many_records() {
    let world = World::default();
    let (mut client, mut server) = pair_of(&world, Kind::Tls11);
    server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
    let sizes = client.context.attributes().stream_sizes().unwrap();
    let mut records = 0;
    let error = loop {
        let mut record = seal(&mut *client.context, &sizes, b"x").unwrap();
        match open(&mut *server.context, &mut record) {
            Ok(_) => records += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(records, 65_536);
    assert_eq!(error.alert(), Some(40), "{error}");
}

#[test]
fn a_client_begins_sixteen_times_and_no_more() {
    let world = World::default();
    let (mut client, mut server) = pair_of(&world, Kind::Tls10);
    for _ in 0..16 {
        let (again_client, _) = client_begins(client.context, &mut *server.context);
        (client, server) = finish(again_client, again(server.context), &[], &[]);
        talk(&mut client, &mut server);
    }
    client_begins(client.context, &mut *server.context);
    let (error, _) = refusal(server.context);
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn a_client_that_was_asked_has_a_minute_even_if_it_says_nothing() {
    let world = World::default();
    for kind in KINDS {
        let (_client, mut server) = pair_of(&world, kind);
        assert_eq!(server.context.time_left().unwrap(), None);
        server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        assert_eq!(server.context.time_left().unwrap(), Some(MINUTE));
        world.clock.advance(MINUTE - SECOND);
        // Whoever asks twice waits no longer for it.
        server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        assert_eq!(server.context.time_left().unwrap(), Some(SECOND));
        world.clock.advance(SECOND);
        let error = server.context.time_left().unwrap_err();
        assert_eq!((error.status(), error.alert()), (SecStatus::SEC_E_ILLEGAL_MESSAGE, Some(40)), "{error}");
        assert_eq!(nothing(&mut *server.context).unwrap_err().message(), error.message());
        assert_eq!(refusal(server.context).0.message(), error.message(), "{kind:?}");
    }
}

#[test]
fn a_client_that_has_answered_has_no_time_any_more_that_could_be_over() {
    let world = World::default();
    let (mut client, mut server) = pair_of(&world, Kind::Tls12Cbc);
    asks(&mut server, &mut client);
    let (client, _) = client_begins(client.context, &mut *server.context);
    assert_eq!(server.context.time_left().unwrap(), None);
    world.clock.advance(2 * MINUTE);
    let (mut client, mut server) = finish(client, again(server.context), &[], &[]);
    assert_eq!(server.context.time_left().unwrap(), None);
    talk(&mut client, &mut server);
}

/// A server asks, and its client hears it.
fn asks(server: &mut Established, client: &mut Established) {
    let mut request = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
    assert_eq!(open(&mut *client.context, &mut request).unwrap(), (Vec::new(), Decrypted::Renegotiate));
}

/// What a context says to nothing.
fn nothing(context: &mut dyn SecurityContext) -> Result<Decrypted, Error> {
    context.decrypt_message(&mut [], &mut receive_buffers(0))
}

type MakesPair = fn(&World) -> (Established, Established);

/// A server that has turned its context into a handshake hears data instead of a ClientHello.
fn data_instead(
    (mut client, server): (Established, Established),
    mut each: impl FnMut() -> bool,
) -> (u32, sspi_core::Failure) {
    let mut server = again(server.context);
    let Step::Continue { token, .. } = server.advance(&[]).unwrap() else { panic!("no request") };
    assert!(!token.is_empty());
    let sizes = client.context.attributes().stream_sizes().unwrap();
    let mut taken = 0;
    loop {
        assert!(each(), "it is not bounded");
        let record = seal(&mut *client.context, &sizes, b"x").unwrap();
        let mut rest = &record[..];
        while !rest.is_empty() {
            match server.advance(rest) {
                Ok(Step::Data { used, .. } | Step::Continue { used, .. }) => rest = &rest[used..],
                Ok(other) => panic!("{other:?}"),
                Err(failure) => {
                    assert_eq!(server.advance(&[]).unwrap_err().error.message(), failure.error.message());
                    return (taken, failure);
                }
            }
        }
        taken += 1;
    }
}

#[test]
fn a_server_that_has_become_a_handshake_waits_for_so_many_records_and_seconds() {
    let world = World::default();
    let pairs: [MakesPair; 3] = [
        |world| pair_of(world, Kind::Tls11),
        |world| pair_of(world, Kind::Tls12Cbc),
        |world| pct(world, Renegotiation::Both),
    ];
    for (number, pair) in pairs.into_iter().enumerate() {
        let mut left = 70_000;
        let (taken, failure) = data_instead(pair(&world), || {
            left -= 1;
            left > 0
        });
        assert_eq!(taken, 65_536, "{number}");
        assert!(!failure.token.is_empty(), "the client is told");
        assert!(failure.error.message().contains("asked to negotiate again"), "{}", failure.error);
        let mut left = 100;
        let (taken, failure) = data_instead(pair(&world), || {
            world.clock.advance(SECOND);
            left -= 1;
            left > 0
        });
        assert_eq!(taken, 59, "{number}");
        assert!(failure.error.message().contains("asked to negotiate again"), "{}", failure.error);
    }
}

#[test]
fn this_side_begins_so_often_and_no_more() {
    const MOST: usize = 256;
    let world = World::default();
    let config = |config| SchannelConfig { renegotiation: Renegotiation::Ours, ..config };
    let client = both(world.client_of(Kind::Tls10));
    let server = config(world.server_of(Kind::Tls10));
    let (mut client, mut server) = established(&*world.outbound(client), &*world.inbound(server));
    for _ in 0..MOST {
        asks(&mut server, &mut client);
        // Behind data that comes after the request it is the client's own wish.
        talk(&mut client, &mut server);
        let (again_client, _) = client_begins(client.context, &mut *server.context);
        (client, server) = finish(again_client, again(server.context), &[], &[]);
    }
    talk(&mut client, &mut server);
    let error = server.context.apply_control_token(&ControlToken::Renegotiate).unwrap_err();
    assert!(error.message().contains("256"), "{error}");
    assert!(refusal(client.context).0.message().contains("256"));
    assert!(refusal(server.context).0.message().contains("256"));
}

#[test]
fn a_goodbye_that_crosses_the_wish_to_negotiate_again_is_one() {
    let world = World::default();
    for kind in KINDS {
        for by_server in [false, true] {
            let (client, server) = pair_of(&world, kind);
            let (begins, mut closes) = if by_server { (server, client) } else { (client, server) };
            let mut begun = again(begins.context);
            let Step::Continue { .. } = begun.advance(&[]).unwrap() else { panic!("nothing begun") };
            let goodbye = closes.context.apply_control_token(&ControlToken::Shutdown).unwrap();
            let Step::Declined { mut context, used } = begun.advance(&goodbye).unwrap() else {
                panic!("{kind:?}: no end")
            };
            assert_eq!(used, goodbye.len());
            assert_eq!(nothing(&mut *context).unwrap(), Decrypted::Expired, "{kind:?}");
            assert!(context.renegotiate(&[]).is_err(), "nobody is there any more");
        }
    }
}
