//! Whether a connection's sessions may be taken up again, as its application says (`SCHANNEL_SESSION_TOKEN`).

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failure here is a failed test")]

mod support;

use sspi_core::{AlertLevel, ControlToken};
use support::again::{KINDS, again, both, client_begins, finish};
use support::sessions::{Case, Ends, answer_to, contains, hello_for, resumed, session_id};
use support::{Kind, World, established, send};
use test_support::pair::Established;

fn allow_reconnects(side: &mut Established, enable_reconnects: bool) {
    let token = side.context.apply_control_token(&ControlToken::Session { enable_reconnects }).unwrap();
    assert!(token.is_empty(), "nothing is said to the peer");
}

#[test]
fn the_application_disables_and_enables_reconnects() {
    let world = World::default();
    for case in Case::all() {
        for on_server in [true, false] {
            let ends = Ends::of(&world, case);
            let mut side = ends.side(on_server);
            allow_reconnects(&mut side, false);
            allow_reconnects(&mut side, false);
            allow_reconnects(&mut side, true);
            assert!(ends.resume(), "{case:?}: enabled again, on server: {on_server}");
            // A client of TLS 1.3 has tickets of each connection.
            let ends = Ends::of(&world, case);
            allow_reconnects(&mut ends.side(on_server), false);
            assert!(!ends.resume(), "{case:?}: disabled, on server: {on_server}");
        }
    }
}

#[test]
fn a_client_without_reconnects_keeps_no_late_tickets() {
    let world = World::default();
    for tickets in [true, false] {
        let ends = Ends::of(&world, Case::Tls(Kind::Tls13, tickets));
        let (mut c, mut s) = established(&*ends.client, &*ends.server);
        allow_reconnects(&mut c, false);
        send(&mut s, &mut c, b"tickets");
        assert!(!ends.resume());
    }
}

#[test]
fn whoever_allows_reconnects_again_brings_back_no_session_that_failed_since() {
    let world = World::default();
    for case in Case::all() {
        for on_server in [true, false] {
            let ends = Ends::of(&world, case);
            let (mut one, mut other) = (ends.side(on_server), ends.side(on_server));
            allow_reconnects(&mut one, false);
            let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
            other.context.apply_control_token(&alert).unwrap();
            allow_reconnects(&mut one, true);
            assert!(!ends.resume(), "{case:?}, on server: {on_server}");
        }
    }
}

#[test]
fn a_session_that_failed_in_a_handshake_is_not_brought_back_either() {
    let world = World::default();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tls13) {
        for fails in [true, false] {
            let ends = Ends::of(&world, Case::Tls(kind, false));
            let (c, mut s) = ends.connect();
            let (mut end, answer) = answer_to(&*ends.server, &hello_for(&c, &session_id(&s)));
            assert!(contains(&answer, &session_id(&s)), "{kind:?}: it goes on with the session");
            allow_reconnects(&mut s, false);
            if fails {
                end.advance(&[21, 3, if kind == Kind::Ssl30 { 0 } else { 3 }, 0, 2, 2, 40]).unwrap_err();
            }
            allow_reconnects(&mut s, true);
            assert_eq!(ends.resume(), !fails, "{kind:?}");
        }
    }
}

#[test]
fn a_session_that_two_connections_set_aside_stays_away_as_long_as_one_of_them_wants_it() {
    let world = World::default();
    for case in Case::all() {
        for on_server in [true, false] {
            let ends = Ends::of(&world, case);
            let (mut one, mut other) = (ends.side(on_server), ends.side(on_server));
            allow_reconnects(&mut one, false);
            allow_reconnects(&mut other, false);
            allow_reconnects(&mut one, true);
            assert!(!ends.resume(), "{case:?}, on server: {on_server}");
        }
    }
}

#[test]
fn a_client_that_allows_reconnects_again_keeps_the_newer_session() {
    let world = World::default();
    for case in Case::all().into_iter().filter(|case| case.has_id()) {
        let ends = Ends::of(&world, case);
        let mut c = ends.side(false);
        let old = session_id(&c);
        allow_reconnects(&mut c, false);
        let newer = ends.side(false);
        assert_ne!(session_id(&newer), old, "{case:?}");
        allow_reconnects(&mut c, true);
        let c = ends.side(false);
        assert_eq!((resumed(&c), session_id(&c)), (true, session_id(&newer)), "{case:?}");
    }
}

/// What the application said of a connection holds for the session that it has after a second handshake.
#[test]
fn reconnects_that_are_not_allowed_stay_so_in_a_second_handshake() {
    let world = World::default();
    for kind in KINDS {
        for on_server in [true, false] {
            for allowed_again in [None, Some(false), Some(true)] {
                let case = Case::Tls(kind, false);
                let ends = Ends::new(&world, both(case.client(&world)), both(case.server(&world)));
                let (mut c, mut s) = ends.connect();
                if allowed_again.is_some() {
                    allow_reconnects(if on_server { &mut s } else { &mut c }, false);
                }
                let (again_client, _) = client_begins(c.context, &mut *s.context);
                let (mut c, mut s) = finish(again_client, again(s.context), &[], &[]);
                if allowed_again == Some(true) {
                    allow_reconnects(if on_server { &mut s } else { &mut c }, true);
                } else if allowed_again.is_none() {
                    // The session of the second handshake is set aside and brought back as that of a first one is.
                    allow_reconnects(if on_server { &mut s } else { &mut c }, false);
                    allow_reconnects(if on_server { &mut s } else { &mut c }, true);
                }
                let what = format!("{kind:?}, on server: {on_server}, {allowed_again:?}");
                assert_eq!(ends.resume(), allowed_again != Some(false), "{what}");
            }
        }
    }
}
