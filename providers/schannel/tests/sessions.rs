//! Sessions that are taken up again, and when they are not: their lifetime, what is judged again, and what the application
//! wants.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

mod support;

use std::time::Duration;

use opensspi_schannel::{ClientAuth, Revocation, Schannel, SchannelConfig};
use sspi_core::{
    AlertLevel, ControlToken, CredentialUse, CredentialsRequest, InitializeRequest, SecStatus,
    SecurityPackage, Step,
};
use support::again::{again, both, client_begins, finish};
use support::sessions::{Case, SESSION_ID, answer_to, connect, contains, hello_for, resumed, session_id};
use support::{Kind, World, accept_request, handshake, initialize_request, no_questions};
use test_support::pair::{self, End, open};
use test_support::{CertStatus, OcspResponse, TestCertificate};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn every_protocol_resumes_again_and_again() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(case.client(&world));
        let server = world.inbound(case.server(&world));
        for round in 0..3 {
            let (c, _) = connect(&*client, &*server);
            assert_eq!(resumed(&c), round > 0, "{case:?} {round}");
        }
    }
}

#[test]
fn a_session_lives_from_its_creation_however_often_it_is_taken_up() {
    for case in Case::all() {
        let world = World::default();
        let client = world.outbound(case.client(&world));
        let server = world.inbound(case.server(&world));
        connect(&*client, &*server);
        for hours in 1..=9 {
            world.clock.advance(HOUR);
            assert!(resumed(&connect(&*client, &*server).0), "{case:?} after {hours} hours");
        }
        world.clock.advance(HOUR + Duration::from_secs(1));
        assert!(!resumed(&connect(&*client, &*server).0), "{case:?} after ten hours");
        assert!(resumed(&connect(&*client, &*server).0), "{case:?}: the new one");
    }
}

#[test]
fn a_server_declines_an_old_session_and_gives_a_new_identifier() {
    for case in Case::all() {
        let world = World::default();
        let client = world.outbound(case.client(&world));
        let server = world.inbound(SchannelConfig { session_lifetime: HOUR, ..case.server(&world) });
        let (c, _) = connect(&*client, &*server);
        let old = session_id(&c);
        world.clock.advance(2 * HOUR);
        let (c, s) = connect(&*client, &*server);
        assert!(!resumed(&c), "{case:?}");
        if case.has_id() {
            assert!(contains(&c.sent, &old), "{case:?}: the client has offered it");
            assert_ne!(session_id(&c), old, "{case:?}");
            assert_eq!(session_id(&c), session_id(&s), "{case:?}");
            assert!(!session_id(&c).is_empty(), "{case:?}");
        }
    }
}

/// In TLS 1.2 a session has both, and a client may know either.
#[test]
fn a_server_with_tickets_declines_an_old_identifier_and_gives_a_new_one() {
    let world = World::default();
    let case = Case::Tls(Kind::Tls12, true);
    let client = world.outbound(case.client(&world));
    let server = world.inbound(SchannelConfig { session_lifetime: HOUR, ..case.server(&world) });
    let (c, _) = connect(&*client, &*server);
    let old = session_id(&c);
    let hello = hello_for(&c, &old);
    assert!(contains(&answer_to(&*server, &hello).1, &old), "it would be taken up");
    world.clock.advance(2 * HOUR);
    let answer = answer_to(&*server, &hello).1;
    let new = &answer[SESSION_ID + 1..][..usize::from(answer[SESSION_ID])];
    assert!(!new.is_empty() && new != old, "{new:02x?}");
}

/// Whoever knows a session's identifier has it under the name and with the suite that it was made with, or not at all.
#[test]
fn a_server_takes_up_no_session_under_another_name_or_without_its_suite() {
    let world = World::default();
    // In TLS 1.3 it is the client's binder that a hello made by hand does not have.
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tls13) {
        let case = Case::Tls(kind, false);
        let (client, server) = (world.outbound(case.client(&world)), world.inbound(case.server(&world)));
        let (c, _) = connect(&*client, &*server);
        let id = session_id(&c);
        let is_taken_up = |hello: &[u8]| {
            let mut server = End::from(server.accept(&accept_request()).unwrap());
            server
                .advance(hello)
                .is_ok_and(|step| matches!(step, Step::Continue { token, .. } if contains(&token, &id)))
        };
        let hello = hello_for(&c, &id);
        assert!(is_taken_up(&hello), "{kind:?}");
        // Behind the identifier: the length of the suites, and the suites.
        let at = SESSION_ID + 1 + id.len();
        let suites = at + 2..at + 2 + usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
        let suite = c.context.attributes().cipher_info().unwrap().cipher_suite;
        let suite = suite.to_be_bytes();
        let mut others = hello.clone();
        let offered = others[suites].chunks_mut(2).find(|offered| **offered == suite).unwrap();
        offered.copy_from_slice(&[0x5a, 0x5a]);
        assert!(!is_taken_up(&others), "{kind:?}: without its suite");
        if kind.has_extensions() {
            let mut other = hello.clone();
            let name = hello.windows(9).position(|name| name == b"localhost").unwrap();
            other[name..name + 9].copy_from_slice(b"otherhost");
            assert!(!is_taken_up(&other), "{kind:?}: under another name");
        }
        assert!(is_taken_up(&hello), "{kind:?}: it is there still");
    }
}

#[test]
fn a_client_offers_no_session_that_is_too_old() {
    for case in Case::all() {
        let world = World::default();
        let client = world.outbound(SchannelConfig { session_lifetime: HOUR, ..case.client(&world) });
        let server = world.inbound(case.server(&world));
        let (c, _) = connect(&*client, &*server);
        let old = session_id(&c);
        world.clock.advance(2 * HOUR);
        let (c, _) = connect(&*client, &*server);
        assert!(!resumed(&c), "{case:?}: the server would have");
        assert!(old.is_empty() || !contains(&c.sent, &old), "{case:?}");
    }
}

#[test]
fn a_session_that_lay_too_long_is_not_taken_up() {
    for case in Case::all() {
        let world = World::default();
        let idle = |config| SchannelConfig { session_idle_limit: Some(HOUR), ..config };
        for (client, server) in [
            (idle(case.client(&world)), case.server(&world)),
            (case.client(&world), idle(case.server(&world))),
        ] {
            let (client, server) = (world.outbound(client), world.inbound(server));
            connect(&*client, &*server);
            for _ in 0..3 {
                world.clock.advance(HOUR);
                assert!(resumed(&connect(&*client, &*server).0), "{case:?}: it was used");
            }
            world.clock.advance(HOUR + Duration::from_secs(1));
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?}");
        }
    }
}

#[test]
fn without_resumption_a_server_names_no_session() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(case.client(&world));
        let server = world.inbound(SchannelConfig { resume: false, ..case.server(&world) });
        for _ in 0..2 {
            let (c, s) = connect(&*client, &*server);
            assert!(!resumed(&c), "{case:?}");
            match case {
                // In TLS 1.3 it is the echo of the client's; in SSL 2.0 and PCT it has its length.
                Case::Tls(Kind::Tls13, _) | Case::Pct | Case::Ssl2 => {}
                Case::Tls(..) => {
                    assert!(session_id(&c).is_empty() && session_id(&s).is_empty(), "{case:?}");
                    assert_eq!(s.sent[5 + 4 + 2 + 32], 0, "{case:?}: the length in the ServerHello");
                }
            }
        }
    }
}

#[test]
fn nothing_is_kept_where_there_is_no_room_or_no_time() {
    let world = World::default();
    for case in Case::all() {
        for change in [
            |c: &mut SchannelConfig| c.session_cache_entries = 0,
            |c: &mut SchannelConfig| c.session_lifetime = Duration::ZERO,
        ] {
            let (mut client, mut server) = (case.client(&world), case.server(&world));
            change(&mut client);
            let (client, with_sessions) = (world.outbound(client), world.inbound(server.clone()));
            connect(&*client, &*with_sessions);
            assert!(!resumed(&connect(&*client, &*with_sessions).0), "{case:?}: the client");
            change(&mut server);
            let (client, server) = (world.outbound(case.client(&world)), world.inbound(server));
            connect(&*client, &*server);
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?}: the server");
        }
    }
}

#[test]
fn sessions_do_not_cross_credentials_names_or_judges_and_go_with_their_credential() {
    let world = World::default();
    for case in Case::all() {
        let client = world.package(case.client(&world));
        let server = world.package(case.server(&world));
        let acquire = |package: &Schannel, role| {
            package.acquire_credentials_handle(&CredentialsRequest::configured(role)).unwrap()
        };
        let (outbound, inbound) =
            (acquire(&client, CredentialUse::Outbound), acquire(&server, CredentialUse::Inbound));
        connect(&*outbound, &*inbound);
        assert!(!client.session_cache().is_empty(), "{case:?}");
        assert_eq!(server.session_cache().is_empty(), case.is_stateless(), "{case:?}");
        let (other_outbound, other_inbound) =
            (acquire(&client, CredentialUse::Outbound), acquire(&server, CredentialUse::Inbound));
        assert!(!resumed(&connect(&*other_outbound, &*inbound).0), "{case:?}: another client");
        assert!(!resumed(&connect(&*outbound, &*other_inbound).0), "{case:?}: another server");
        connect(&*outbound, &*inbound);
        let manual = InitializeRequest {
            flags: initialize_request().flags | sspi_core::IscReq::MANUAL_CRED_VALIDATION,
            ..initialize_request()
        };
        let run = |request: &InitializeRequest| {
            let (c, s) = (outbound.initialize(request).unwrap(), inbound.accept(&accept_request()).unwrap());
            let (c, _) = pair::run(c, s, usize::MAX, &mut no_questions);
            resumed(&c.unwrap_or_else(|error| panic!("{case:?}: {error}")))
        };
        assert!(!run(&manual), "{case:?}: another judge");
        let other = InitializeRequest { target_name: Some("example.test".to_owned()), ..manual };
        assert!(!run(&other), "{case:?}: another name");
        drop((outbound, other_outbound));
        assert!(client.session_cache().is_empty(), "{case:?}");
        drop((inbound, other_inbound));
        assert!(server.session_cache().is_empty(), "{case:?}");
    }
}

#[test]
fn each_credential_has_a_lifetime_of_its_own_within_that_of_the_package() {
    for case in Case::all() {
        for on_server in [false, true] {
            const SECOND: Duration = Duration::from_secs(1);
            let world = World::default();
            let (client, server) = (world.package(case.client(&world)), world.package(case.server(&world)));
            let acquire = |package: &Schannel, role, session_lifetime| {
                let request = CredentialsRequest { session_lifetime, ..CredentialsRequest::configured(role) };
                package.acquire_credentials_handle(&request).unwrap()
            };
            for (lifetime, hours) in [(Some(3 * HOUR), 3), (None, 10), (Some(100 * HOUR), 10)] {
                let [of_client, of_server] = if on_server { [None, lifetime] } else { [lifetime, None] };
                let outbound = acquire(&client, CredentialUse::Outbound, of_client);
                let inbound = acquire(&server, CredentialUse::Inbound, of_server);
                connect(&*outbound, &*inbound);
                world.clock.advance(hours * HOUR - SECOND);
                let what = format!("{case:?}, {lifetime:?}, on the server: {on_server}");
                assert!(resumed(&connect(&*outbound, &*inbound).0), "{what}");
                world.clock.advance(2 * SECOND);
                assert!(!resumed(&connect(&*outbound, &*inbound).0), "{what}");
            }
        }
    }
}

#[test]
fn clients_and_servers_of_an_instance_share_one_bound() {
    let world = World::default();
    let tls = Case::Tls(Kind::Tls10, false);
    let config =
        SchannelConfig { session_cache_entries: 5, roots: vec!["root.pem".into()], ..tls.server(&world) };
    let package = world.package(config);
    let acquire = |role| package.acquire_credentials_handle(&CredentialsRequest::configured(role)).unwrap();
    let (outbound, inbound) = (acquire(CredentialUse::Outbound), acquire(CredentialUse::Inbound));
    for _ in 0..4 {
        connect(&*outbound, &*inbound);
        assert!(package.session_cache().len() <= 5);
        // As a client that forgets.
        connect(&*world.outbound(tls.client(&world)), &*inbound);
    }
    assert_eq!(package.session_cache().len(), 5);
}

#[test]
fn a_fatal_alert_of_either_side_ends_the_session() {
    let world = World::default();
    for case in Case::all() {
        for by_server in [true, false] {
            let client = world.outbound(case.client(&world));
            let server = world.inbound(case.server(&world));
            let (mut c, mut s) = connect(&*client, &*server);
            // A client of TLS 1.3 has tickets of each connection, and those of others did not fail.
            if !matches!(case, Case::Tls(Kind::Tls13, _)) {
                (c, s) = connect(&*client, &*server);
                assert!(resumed(&c), "{case:?}");
            }
            let side = if by_server { &mut s } else { &mut c };
            side.context
                .apply_control_token(&ControlToken::Alert { level: AlertLevel::Fatal, number: 80 })
                .unwrap();
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?}, by the server: {by_server}");
        }
    }
}

#[test]
fn a_fatal_alert_that_is_received_ends_the_session_too() {
    let world = World::default();
    // PCT and SSL 2.0 have no alerts behind their handshake.
    for case in Case::all().into_iter().filter(|case| matches!(case, Case::Tls(..))) {
        let client = world.outbound(case.client(&world));
        let server = world.inbound(case.server(&world));
        let (mut c, mut s) = connect(&*client, &*server);
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
        s.extra.extend(c.context.apply_control_token(&alert).unwrap());
        open(&mut *s.context, &mut s.extra).unwrap_err();
        assert!(!resumed(&connect(&*world.outbound(case.client(&world)), &*server).0));
        assert!(!resumed(&connect(&*client, &*server).0), "{case:?}");
    }
}

#[test]
fn a_record_that_was_tampered_with_ends_the_session() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(case.client(&world));
        let server = world.inbound(case.server(&world));
        let (mut c, mut s) = connect(&*client, &*server);
        let sizes = c.context.attributes().stream_sizes().unwrap();
        let mut record = pair::seal(&mut *c.context, &sizes, b"some data").unwrap();
        *record.last_mut().unwrap() ^= 1;
        s.extra.extend(record);
        open(&mut *s.context, &mut s.extra).unwrap_err();
        assert!(!resumed(&connect(&*client, &*server).0), "{case:?}");
    }
}

#[test]
fn a_client_keeps_no_ticket_that_is_longer_than_any_needs_to_be() {
    let world = World::default();
    let case = Case::Tls(Kind::Tls13, true);
    // A server's tickets have its client's certificate in them.
    for (names, kept) in [(1, true), (200, false)] {
        let names: Vec<_> = (0..names).map(|n| format!("{n}.{}.test", "name".repeat(10))).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let certificate = world.certificate(&world.pki.client("someone").names(&names).issue());
        let client = SchannelConfig { certificates: vec![certificate], ..case.client(&world) };
        let server = SchannelConfig { client_auth: ClientAuth::Required, ..case.server(&world) };
        let (client, server) = (world.outbound(client), world.inbound(server));
        connect(&*client, &*server);
        assert_eq!(resumed(&connect(&*client, &*server).0), kept, "{} names", names.len());
    }
}

#[test]
fn a_servers_certificate_that_has_expired_is_seen_before_its_session_is_offered() {
    let day = 24 * HOUR;
    for case in Case::all() {
        let world = World::default();
        let now = world.clock.now();
        let short = case.certificate(world.pki.server("localhost").valid_between(now - day, now + HOUR));
        let server = world
            .inbound(SchannelConfig { certificates: vec![world.certificate(&short)], ..case.server(&world) });
        let client = world.outbound(case.client(&world));
        connect(&*client, &*server);
        let (c, _) = connect(&*client, &*server);
        assert!(resumed(&c), "{case:?}");
        world.clock.advance(2 * HOUR);
        let (c, _) = handshake(&*client, &*server, usize::MAX);
        let error = c.err().unwrap_or_else(|| panic!("{case:?}: an expired certificate"));
        assert_eq!(error.status(), SecStatus::SEC_E_CERT_EXPIRED, "{case:?}: {error}");
        assert!(
            !error.to_string().contains("when the session was made"),
            "{case:?}: a full handshake: {error}"
        );
    }
}

#[test]
fn a_clients_certificate_that_has_expired_refuses_its_session() {
    let day = 24 * HOUR;
    for case in Case::all() {
        let world = World::default();
        let now = world.clock.now();
        let short = case.certificate(world.pki.client("alice").valid_between(now - day, now + HOUR));
        let client = world.outbound(SchannelConfig {
            certificates: vec![world.certificate(&short)],
            ..case.client(&world)
        });
        let server =
            world.inbound(SchannelConfig { client_auth: ClientAuth::Required, ..case.server(&world) });
        connect(&*client, &*server);
        assert!(resumed(&connect(&*client, &*server).1), "{case:?}");
        world.clock.advance(2 * HOUR);
        let (_, s) = handshake(&*client, &*server, usize::MAX);
        let error = s.err().unwrap_or_else(|| panic!("{case:?}: an expired certificate"));
        assert_eq!(error.status(), SecStatus::SEC_E_CERT_EXPIRED, "{case:?}: {error}");
    }
}

#[test]
fn a_session_that_only_a_staple_allowed_lives_no_longer_than_that() {
    for case in
        Case::all().into_iter().filter(|case| matches!(case, Case::Tls(kind, _) if kind.has_extensions()))
    {
        let world = World::default();
        let now = world.clock.now();
        let certificate = case.certificate(world.pki.server("localhost"));
        let staple = OcspResponse::new(&certificate, CertStatus::Good).valid(now - HOUR, Some(now + HOUR));
        let server = world.inbound(SchannelConfig {
            certificates: vec![world.certificate(&certificate)],
            ocsp_response: Some(world.memory.put("staple", staple.der())),
            ..case.server(&world)
        });
        let client = world.outbound(SchannelConfig { revocation: Revocation::Hard, ..case.client(&world) });
        assert!(!resumed(&connect(&*client, &*server).0));
        world.clock.advance(HOUR / 2);
        assert!(resumed(&connect(&*client, &*server).0), "{case:?}");
        world.clock.advance(HOUR);
        let (c, _) = handshake(&*client, &*server, usize::MAX);
        let error = c.err().unwrap_or_else(|| panic!("{case:?}: the session is taken up without a staple"));
        assert!(!error.to_string().contains("when the session was made"), "{case:?}: {error}");
    }
}

#[test]
fn a_session_that_has_an_identifier_and_tickets_ends_as_one() {
    let world = World::default();
    let case = Case::Tls(Kind::Tls12, true);
    // What fails is a connection that a ticket resumed.
    let (client, server) = (world.outbound(case.client(&world)), world.inbound(case.server(&world)));
    let (c, s) = connect(&*client, &*server);
    let (id, hello) = (session_id(&s), hello_for(&c, &session_id(&s)));
    assert!(contains(&answer_to(&*server, &hello).1, &id), "it would be taken up");
    let (_, mut s) = connect(&*client, &*server);
    assert!(resumed(&s));
    let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
    s.context.apply_control_token(&alert).unwrap();
    assert!(!contains(&answer_to(&*server, &hello).1, &id), "the identifier");
    // What fails is a handshake that the identifier resumed.
    let client = world.outbound(case.client(&world));
    let (c, s) = connect(&*client, &*server);
    let (mut end, answer) = answer_to(&*server, &hello_for(&c, &session_id(&s)));
    assert!(contains(&answer, &session_id(&s)));
    end.advance(&[21, 3, 3, 0, 2, 2, 40]).unwrap_err();
    assert!(!resumed(&connect(&*client, &*server).1), "the ticket");
}

/// A connection that was negotiated again has had two sessions, and neither outlives its failure.
#[test]
fn a_failure_after_a_second_handshake_ends_the_sessions_of_both() {
    let world = World::default();
    for kind in [Kind::Tls12Cbc, Kind::Tls11] {
        for fails in [false, true] {
            for in_second in [false, true] {
                let client = world.outbound(both(Case::Tls(kind, false).client(&world)));
                let server = world.inbound(both(Case::Tls(kind, false).server(&world)));
                let (c, mut s) = connect(&*client, &*server);
                let (id, hello) = (session_id(&s), hello_for(&c, &session_id(&s)));
                let (mut c, _) = client_begins(c.context, &mut *s.context);
                let mut again = again(s.context);
                if in_second {
                    let Step::Continue { token, .. } = again.advance(&[]).unwrap() else {
                        panic!("no flight")
                    };
                    let Step::Continue { token: mut flight, .. } = c.advance(&token).unwrap() else {
                        panic!("no flight")
                    };
                    if fails {
                        flight[7] ^= 1;
                        again.advance(&flight).unwrap_err();
                    }
                } else {
                    let (mut c, mut s) = finish(c, again, &[], &[]);
                    let sizes = c.context.attributes().stream_sizes().unwrap();
                    let mut record = pair::seal(&mut *c.context, &sizes, b"some data").unwrap();
                    if fails {
                        *record.last_mut().unwrap() ^= 1;
                    }
                    assert_eq!(open(&mut *s.context, &mut record).is_err(), fails);
                }
                assert_eq!(contains(&answer_to(&*server, &hello).1, &id), !fails, "{kind:?} {in_second}");
            }
        }
    }
}

/// A server that does not know a session makes a new one, and that lives from then on.
#[test]
fn a_session_that_was_declined_hands_its_age_to_no_other() {
    for case in Case::all() {
        let world = World::default();
        let (client, config) = (world.outbound(case.client(&world)), case.server(&world));
        connect(&*client, &*world.inbound(config.clone()));
        world.clock.advance(6 * HOUR);
        // Another process, which has its own sessions and keys.
        let server = world.inbound(config);
        assert!(!resumed(&connect(&*client, &*server).0), "{case:?}");
        world.clock.advance(5 * HOUR);
        assert!(resumed(&connect(&*client, &*server).0), "{case:?}");
        world.clock.advance(5 * HOUR + Duration::from_secs(1));
        assert!(!resumed(&connect(&*client, &*server).0), "{case:?}: it lives from its own beginning");
    }
}

/// Several machines may have one name, and each its own certificate.
#[test]
fn a_session_is_judged_by_what_its_own_server_has_shown() {
    let day = 24 * HOUR;
    let case = Case::Tls(Kind::Tls13, true);
    let world = World::default();
    let now = world.clock.now();
    let with = |certificate: &TestCertificate| {
        world.inbound(SchannelConfig {
            certificates: vec![world.certificate(certificate)],
            ..case.server(&world)
        })
    };
    let long = with(&world.pki.server("localhost").issue());
    let short = with(&world.pki.server("localhost").valid_between(now - day, now + HOUR).issue());
    let client = world.outbound(case.client(&world));
    connect(&*client, &*long);
    connect(&*client, &*short);
    world.clock.advance(2 * HOUR);
    assert!(resumed(&connect(&*client, &*long).0), "the other's certificate has expired, and not this one's");
}
