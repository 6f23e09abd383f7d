//! Sessions that are taken up again, and when they are not: their lifetime, what is judged again, what the application
//! wants, and what several machines share.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opensspi_schannel::session_cache::SharedSessions;
use opensspi_schannel::{
    Allow, ClientAuth, ExtendedMasterSecret, Protocol, Revocation, Schannel, SchannelConfig, WeakSuites,
};
use sspi_core::{
    AlertLevel, ControlToken, CredentialUse, CredentialsHandle, CredentialsRequest, InitializeRequest,
    Question, SecStatus, SecurityPackage, Step,
};
use support::{Kind, World, accept_request, established, handshake, initialize_request, no_questions, send};
use test_support::pair::{self, End, Established, Outcome, open};
use test_support::{CertStatus, OcspResponse, TestCertificate};
use zeroize::Zeroizing;

const HOUR: Duration = Duration::from_secs(3600);

/// Every protocol there is, with what its sessions are kept as.
#[derive(Clone, Copy, Debug)]
enum Case {
    Tls(Kind, bool),
    Pct,
    Ssl2,
}

impl Case {
    fn all() -> Vec<Self> {
        let tls = Kind::ALL.into_iter().flat_map(|kind| [Self::Tls(kind, true), Self::Tls(kind, false)]);
        tls.chain([Self::Pct, Self::Ssl2]).collect()
    }

    /// Whether a ticket in the client's hands is all there is of a session.
    fn is_stateless(self) -> bool {
        matches!(self, Self::Tls(Kind::Tls13, true))
    }

    /// Whether a session has an identifier on the wire.
    fn has_id(self) -> bool {
        !matches!(self, Self::Tls(Kind::Tls13 | Kind::Tls12, true) | Self::Tls(Kind::Tls13, _))
    }

    fn client(self, world: &World) -> SchannelConfig {
        match self {
            Self::Tls(kind, _) => world.client_of(kind),
            Self::Pct => world.client(&[Protocol::Pct1]),
            Self::Ssl2 => SchannelConfig {
                suites: vec!["SSL_CK_RC4_128_WITH_MD5".to_owned()],
                ..world.client(&[Protocol::Ssl20])
            },
        }
    }

    fn certificate(self, builder: test_support::CertificateBuilder) -> TestCertificate {
        match self {
            Self::Tls(kind, _) => kind.issue(builder),
            Self::Pct | Self::Ssl2 => builder.rsa_2048().issue(),
        }
    }

    fn server(self, world: &World) -> SchannelConfig {
        let rsa = || vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())];
        match self {
            Self::Tls(kind, session_tickets) => SchannelConfig { session_tickets, ..world.server_of(kind) },
            Self::Pct => SchannelConfig { certificates: rsa(), ..world.server(&[Protocol::Pct1]) },
            Self::Ssl2 => SchannelConfig {
                certificates: rsa(),
                allow: Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect()),
                ..world.server(&[Protocol::Ssl20])
            },
        }
    }

    /// The suites of a server that has nothing which the client's session was made with.
    fn other_suites(self) -> &'static [&'static str] {
        match self {
            Self::Tls(Kind::Tls13, _) => &["TLS_CHACHA20_POLY1305_SHA256"],
            Self::Tls(Kind::Tls12, _) => &[
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ],
            _ => &[],
        }
    }
}

fn resumed(side: &Established) -> bool {
    side.context.attributes().session_info().unwrap().reconnect
}

fn session_id(side: &Established) -> Vec<u8> {
    side.context.attributes().session_info().unwrap().session_id
}

/// One connection whose tickets have arrived.
fn connect(client: &dyn CredentialsHandle, server: &dyn CredentialsHandle) -> (Established, Established) {
    let (mut c, mut s) = established(client, server);
    assert_eq!(resumed(&c), resumed(&s), "both sides say the same");
    assert_eq!(send(&mut s, &mut c, b"tickets come before this"), b"tickets come before this");
    (c, s)
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

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
fn the_application_disables_and_enables_reconnects() {
    let world = World::default();
    let set = |side: &mut Established, enable_reconnects| {
        let token = side.context.apply_control_token(&ControlToken::Session { enable_reconnects }).unwrap();
        assert!(token.is_empty(), "nothing is said to the peer");
    };
    for case in Case::all() {
        for on_server in [true, false] {
            let client = world.outbound(case.client(&world));
            let server = world.inbound(case.server(&world));
            let (mut c, mut s) = connect(&*client, &*server);
            let side = if on_server { &mut s } else { &mut c };
            set(side, false);
            set(side, false);
            set(side, true);
            assert!(
                resumed(&connect(&*client, &*server).0),
                "{case:?}: enabled again, on server: {on_server}"
            );
            // A client of TLS 1.3 has tickets of each connection.
            let client = world.outbound(case.client(&world));
            let (mut c, mut s) = connect(&*client, &*server);
            set(if on_server { &mut s } else { &mut c }, false);
            assert!(!resumed(&connect(&*client, &*server).0), "{case:?}: disabled, on server: {on_server}");
        }
    }
}

#[test]
fn a_client_without_reconnects_keeps_no_late_tickets() {
    let world = World::default();
    for tickets in [true, false] {
        let case = Case::Tls(Kind::Tls13, tickets);
        let (client, server) = (world.outbound(case.client(&world)), world.inbound(case.server(&world)));
        let (mut c, mut s) = established(&*client, &*server);
        c.context.apply_control_token(&ControlToken::Session { enable_reconnects: false }).unwrap();
        send(&mut s, &mut c, b"tickets");
        assert!(!resumed(&connect(&*client, &*server).0));
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

/// The first message of a connection, asking for the session with this identifier. There is no ticket in it.
fn hello_for(side: &Established, id: &[u8]) -> Vec<u8> {
    // Two headers, the version and the random stand before the length of the session ID.
    const AT: usize = 5 + 4 + 2 + 32;
    let length = |bytes: &[u8]| usize::from(u16::from_be_bytes(bytes.try_into().unwrap()));
    let mut hello = side.sent[..5 + length(&side.sent[3..5])].to_vec();
    let end = AT + 1 + usize::from(hello[AT]);
    hello.splice(AT..end, core::iter::once(u8::try_from(id.len()).unwrap()).chain(id.iter().copied()));
    for (at, behind) in [(3, 5), (7, 9)] {
        let length = u16::try_from(hello.len() - behind).unwrap();
        hello[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    hello
}

/// A server, and what it says to this first message.
fn answer_to(server: &dyn CredentialsHandle, hello: &[u8]) -> (End, Vec<u8>) {
    let mut server = End::from(server.accept(&accept_request()).unwrap());
    match server.advance(hello) {
        Ok(Step::Continue { token, .. }) => (server, token),
        other => panic!("{other:?}"),
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

#[test]
fn whoever_allows_reconnects_again_brings_back_no_session_that_failed_since() {
    let world = World::default();
    let set = |side: &mut Established, enable_reconnects| {
        side.context.apply_control_token(&ControlToken::Session { enable_reconnects }).unwrap();
    };
    for case in Case::all().into_iter().filter(|case| matches!(case, Case::Tls(Kind::Tls12, _))) {
        let (client, server) = (world.outbound(case.client(&world)), world.inbound(case.server(&world)));
        let (_, mut one) = connect(&*client, &*server);
        let (_, mut other) = connect(&*client, &*server);
        set(&mut one, false);
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };
        other.context.apply_control_token(&alert).unwrap();
        set(&mut one, true);
        assert!(!resumed(&connect(&*client, &*server).1), "{case:?}");
    }
}

/// What several machines share, in memory, with everything that can go wrong.
#[derive(Default)]
struct Farm {
    sessions: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    asked: Mutex<usize>,
    /// What is to be forgotten does not arrive.
    is_deaf: AtomicBool,
}

impl SharedSessions for Farm {
    fn put(&self, key: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        assert!(lifetime > Duration::ZERO && lifetime <= 10 * HOUR, "{lifetime:?}");
        self.sessions.lock().unwrap().insert(key, session.to_vec());
    }

    fn remove(&self, key: Vec<u8>) {
        if !self.is_deaf.load(Ordering::Relaxed) {
            self.sessions.lock().unwrap().remove(&key);
        }
    }
}

/// A machine of the farm.
fn machine(world: &World, farm: &Arc<Farm>, config: SchannelConfig) -> Arc<dyn CredentialsHandle> {
    let package = world.package(config).with_shared_sessions(Arc::clone(farm) as _);
    package.acquire_credentials_handle(&CredentialsRequest::configured(CredentialUse::Inbound)).unwrap()
}

/// What becomes of what the farm has on its way to a machine.
type OnTheWay<'a> = &'a dyn Fn(Option<Vec<u8>>) -> Option<Vec<u8>>;

/// A connection, with `found` between what the farm has and what the machine hears.
fn connect_to(
    client: &dyn CredentialsHandle,
    server: &dyn CredentialsHandle,
    farm: &Farm,
    chunk: usize,
    found: OnTheWay<'_>,
) -> (Outcome, Outcome) {
    let (c, s) =
        (client.initialize(&initialize_request()).unwrap(), server.accept(&accept_request()).unwrap());
    let (mut c, mut s) = pair::run(c, s, chunk, &mut |question| {
        let Question::Session(ask) = question else { panic!("{question:?}") };
        *farm.asked.lock().unwrap() += 1;
        let session = farm.sessions.lock().unwrap().get(&ask.question().0).cloned();
        ask.answer(found(session).map(Zeroizing::new));
    });
    if let (Ok(c), Ok(s)) = (&mut c, &mut s) {
        assert_eq!(send(s, c, b"tickets come before this"), b"tickets come before this");
    }
    (c, s)
}

fn as_it_is(session: Option<Vec<u8>>) -> Option<Vec<u8>> {
    session
}

fn resumed_on(client: &dyn CredentialsHandle, server: &dyn CredentialsHandle, farm: &Farm) -> bool {
    let (c, s) = connect_to(client, server, farm, usize::MAX, &as_it_is);
    let (c, s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
    assert_eq!(resumed(&c), resumed(&s));
    resumed(&c)
}

#[test]
fn a_session_made_on_one_machine_is_taken_up_by_another_however_the_bytes_arrive() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let config = case.server(&world);
        let machines = [(); 3].map(|()| machine(&world, &farm, config.clone()));
        let client = world.outbound(case.client(&world));
        for (round, chunk) in [usize::MAX, 1, 7, 100, usize::MAX].into_iter().enumerate() {
            let (c, s) = connect_to(&*client, &*machines[round % 3], &farm, chunk, &as_it_is);
            let (c, s) = (c.unwrap_or_else(|e| panic!("{case:?} {e}")), s.ok().unwrap());
            assert_eq!((resumed(&c), resumed(&s)), (round > 0, round > 0), "{case:?} {round}");
        }
    }
}

#[test]
fn nobody_is_asked_where_no_session_is_wanted_or_shared() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let server = machine(&world, &farm, case.server(&world));
        assert!(!resumed_on(&*world.outbound(case.client(&world)), &*server, &farm));
        assert_eq!(*farm.asked.lock().unwrap(), 0, "{case:?}");
        let server = machine(&world, &farm, SchannelConfig { resume: false, ..case.server(&world) });
        connect(&*world.outbound(case.client(&world)), &*server);
    }
}

#[test]
fn what_the_farm_does_not_say_or_says_wrongly_makes_a_full_handshake() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let server = machine(&world, &farm, case.server(&world));
        let broken: [(&str, OnTheWay<'_>); 4] = [
            ("nothing", &|_| None),
            ("garbage", &|_| Some(b"garbage".to_vec())),
            ("a piece", &|session| session.map(|s| s[..s.len() / 2].to_vec())),
            ("an empty value", &|_| Some(Vec::new())),
        ];
        for (what, broken) in broken {
            let client = world.outbound(case.client(&world));
            assert!(!resumed_on(&*client, &*server, &farm));
            assert!(resumed_on(&*client, &*server, &farm), "{case:?}");
            let (c, s) = connect_to(&*client, &*server, &farm, usize::MAX, broken);
            assert!(!resumed(&c.unwrap_or_else(|e| panic!("{case:?} {e}"))), "{case:?}: {what}");
            assert!(!resumed(&s.ok().unwrap()));
        }
    }
}

#[test]
fn a_session_that_failed_on_one_machine_is_taken_up_by_none() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let config = case.server(&world);
        let (one, other) = (machine(&world, &farm, config.clone()), machine(&world, &farm, config));
        let client = world.outbound(case.client(&world));
        assert!(!resumed_on(&*client, &*one, &farm));
        let (_, s) = connect_to(&*client, &*other, &farm, usize::MAX, &as_it_is);
        let mut s = s.ok().unwrap();
        assert!(resumed(&s), "{case:?}");
        s.context.apply_control_token(&ControlToken::Alert { level: AlertLevel::Fatal, number: 80 }).unwrap();
        assert!(!resumed_on(&*client, &*one, &farm), "{case:?}");
    }
}

#[test]
fn a_machine_takes_up_no_session_that_failed_there_even_if_the_others_do_not_hear_of_it() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let server = machine(&world, &farm, case.server(&world));
        let client = world.outbound(case.client(&world));
        assert!(!resumed_on(&*client, &*server, &farm));
        farm.is_deaf.store(true, Ordering::Relaxed);
        let (_, s) = connect_to(&*client, &*server, &farm, usize::MAX, &as_it_is);
        let mut s = s.ok().unwrap();
        assert!(resumed(&s), "{case:?}");
        s.context.apply_control_token(&ControlToken::Alert { level: AlertLevel::Fatal, number: 80 }).unwrap();
        assert!(!resumed_on(&*client, &*server, &farm), "{case:?}");
    }
}

#[test]
fn a_machine_keeps_no_shared_session_for_which_the_others_were_not_asked() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let package = world.package(case.server(&world)).with_shared_sessions(Arc::clone(&farm) as _);
        let request = CredentialsRequest::configured(CredentialUse::Inbound);
        let server = package.acquire_credentials_handle(&request).unwrap();
        let client = world.outbound(case.client(&world));
        assert!(!resumed_on(&*client, &*server, &farm));
        assert!(package.session_cache().is_empty(), "{case:?}: made here");
        assert!(resumed_on(&*client, &*server, &farm), "{case:?}");
        // A ticket that is good for one time is remembered as used.
        let used = usize::from(matches!(case, Case::Tls(Kind::Tls13, _)));
        assert_eq!(package.session_cache().len(), used, "{case:?}: taken up here");
    }
}

#[test]
fn a_machine_with_another_policy_takes_up_no_session_that_it_would_not_make() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let config = case.server(&world);
        let client = world.outbound(case.client(&world));
        let one = machine(&world, &farm, config.clone());
        assert!(!resumed_on(&*client, &*one, &farm));
        if !case.other_suites().is_empty() {
            let suites = case.other_suites().iter().map(|name| (*name).to_owned()).collect();
            let other = machine(&world, &farm, SchannelConfig { suites, ..config.clone() });
            assert!(!resumed_on(&*client, &*other, &farm), "{case:?}: other suites");
        }
        let client = world.outbound(case.client(&world));
        assert!(!resumed_on(&*client, &*one, &farm));
        let other = SchannelConfig { client_auth: ClientAuth::Optional, ..config };
        assert!(
            !resumed_on(&*client, &*machine(&world, &farm, other), &farm),
            "{case:?}: asks for certificates"
        );
    }
}

/// What another machine's configuration has otherwise.
type Change = fn(&mut SchannelConfig);

#[test]
fn machines_of_different_rules_do_not_find_each_others_sessions() {
    let world = World::default();
    let strangers = test_support::Pki::named("strangers");
    world.memory.put("strangers.pem", strangers.root_pem());
    let changes: [(&str, Change); 8] = [
        ("application protocols", |c| c.alpn = vec!["h2".to_owned()]),
        ("groups", |c| c.dh_minimum_bits = Some(3072)),
        ("bound master secrets", |c| c.extended_master_secret = ExtendedMasterSecret::Required),
        ("pins", |c| c.pins = vec!["ab".repeat(32)]),
        ("roots", |c| c.client_roots.push("strangers.pem".to_owned())),
        ("revocation", |c| c.revocation = Revocation::Hard),
        ("rules of mapping", |c| {
            c.certificate_mapping.pop();
        }),
        ("authorities that name users", |c| c.nt_auth.push("strangers.pem".to_owned())),
    ];
    let case = Case::Tls(Kind::Tls12, true);
    let config = case.server(&world);
    for (what, change) in changes {
        let farm = Arc::new(Farm::default());
        let client = world.outbound(case.client(&world));
        assert!(!resumed_on(&*client, &*machine(&world, &farm, config.clone()), &farm));
        let mut other = config.clone();
        change(&mut other);
        let nothing = |session: Option<Vec<u8>>| {
            assert!(session.is_none(), "{what}: the session of another policy is found");
            session
        };
        let (_, s) = connect_to(&*client, &*machine(&world, &farm, other), &farm, usize::MAX, &nothing);
        assert!(!resumed(&s.unwrap_or_else(|error| panic!("{what}: {error}"))), "{what}");
        assert_eq!(*farm.asked.lock().unwrap(), 1, "{what}");
    }
}

#[test]
fn a_certificate_that_was_revoked_since_is_refused_with_its_session() {
    let world = World::default();
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let alice = case.certificate(world.pki.client("alice"));
        let client = SchannelConfig { certificates: vec![world.certificate(&alice)], ..case.client(&world) };
        let client = world.outbound(client);
        let config = SchannelConfig { client_auth: ClientAuth::Required, ..case.server(&world) };
        let with_list = |name: &str, revoked: &[&TestCertificate]| SchannelConfig {
            revocation: Revocation::Soft,
            crls: vec![world.memory.put(name, world.pki.crl(revoked).pem())],
            ..config.clone()
        };
        let before = machine(&world, &farm, with_list("before.crl", &[]));
        let after = machine(&world, &farm, with_list("after.crl", &[&alice]));
        assert!(!resumed_on(&*client, &*before, &farm));
        assert!(resumed_on(&*client, &*before, &farm), "{case:?}");
        let (_, s) = connect_to(&*client, &*after, &farm, usize::MAX, &as_it_is);
        let error = s.err().unwrap_or_else(|| panic!("{case:?}: a revoked certificate"));
        assert_eq!(error.status(), SecStatus::CRYPT_E_REVOKED, "{case:?}: {error}");
    }
}

#[test]
fn machines_that_trust_others_take_up_no_session_of_whom_they_do_not_know() {
    let world = World::default();
    let strangers = test_support::Pki::named("strangers");
    world.memory.put("strangers.pem", strangers.root_pem());
    for case in Case::all() {
        let farm = Arc::new(Farm::default());
        let alice = case.certificate(world.pki.client("alice"));
        let client = SchannelConfig { certificates: vec![world.certificate(&alice)], ..case.client(&world) };
        let client = world.outbound(client);
        let config = SchannelConfig { client_auth: ClientAuth::Required, ..case.server(&world) };
        let one = machine(&world, &farm, config.clone());
        let other = machine(
            &world,
            &farm,
            SchannelConfig { client_roots: vec!["strangers.pem".to_owned()], ..config },
        );
        assert!(!resumed_on(&*client, &*one, &farm));
        assert!(resumed_on(&*client, &*one, &farm), "{case:?}");
        let (_, s) = connect_to(&*client, &*other, &farm, usize::MAX, &as_it_is);
        assert!(s.is_err(), "{case:?}");
    }
}
