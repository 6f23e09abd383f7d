//! Sessions that clients keep as tickets.
//!
//! Spec: TICKET sections 3.1 to 3.4.

use std::sync::atomic::AtomicBool;

use crypto::aead::{AeadAlgorithm, AeadKey};
use test_support::Mutator;
use wire::{Reader, Writer};

use super::conformance::{message, record};
use super::damage::INPUTS;
use super::*;
use crate::tls::extensions as extension;
use crate::tls::messages::{ClientHello, HEADER, ServerHello};

const TLS10: ProtocolVersion = ProtocolVersion::TLS10;
/// Those that have extensions, and so tickets.
const V: [ProtocolVersion; 3] = [TLS10, ProtocolVersion::TLS11, ProtocolVersion::TLS12];
const RSA: CipherSuite = CipherSuite(0x002f);

/// A store whose sessions clients keep, where they can.
pub(crate) struct Ticketing {
    kept: MemorySessions,
    key: AeadKey,
    sealed: AtomicU64,
    withdrawn: Mutex<Vec<Vec<u8>>>,
    /// Every ticket is replaced when it is used.
    pub(crate) renews: AtomicBool,
    /// Tickets that were promised are not made after all.
    pub(crate) is_broken: AtomicBool,
    pub(crate) lifetime_hint: u32,
}

impl Ticketing {
    pub(crate) fn new() -> Self {
        Self {
            kept: MemorySessions::new(100, 36_000),
            key: AeadKey::new(AeadAlgorithm::Aes256Gcm, &[7; 32]).unwrap(),
            sealed: AtomicU64::new(0),
            withdrawn: Mutex::default(),
            renews: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            lifetime_hint: 0,
        }
    }

    fn nonce(number: u64) -> [u8; 12] {
        [&[0; 4][..], &number.to_be_bytes()].concat().try_into().unwrap()
    }
}

impl SessionStore for Ticketing {
    fn put(&self, key: &[u8], session: Arc<Session>) {
        self.kept.put(key, session);
    }

    fn get(&self, key: &[u8], now: u64) -> Option<Arc<Session>> {
        self.kept.get(key, now)
    }

    fn remove(&self, key: &[u8]) {
        self.kept.remove(key);
    }

    fn tickets(&self) -> Option<&dyn SessionTickets> {
        Some(self)
    }
}

impl SessionTickets for Ticketing {
    fn seal(&self, session: &Session, _now: u64) -> Option<Ticket> {
        if self.is_broken.load(Ordering::Relaxed) {
            return None;
        }
        let stored = session.store().unwrap();
        let mut writer = Writer::new();
        writer.opaque_u16("body", &stored.body).unwrap();
        stored.certificates.iter().for_each(|each| writer.opaque_u24("certificate", each).unwrap());
        let number = self.sealed.fetch_add(1, Ordering::Relaxed);
        let mut sealed = writer.into_vec();
        let tag = self.key.seal_in_place(Self::nonce(number), b"", &mut sealed).unwrap();
        let bytes = [&number.to_be_bytes()[..], &sealed, &tag].concat();
        Some(Ticket { bytes, lifetime_hint: self.lifetime_hint })
    }

    fn open(&self, ticket: &[u8], now: u64) -> Option<OpenedTicket> {
        let (number, sealed) = ticket.split_first_chunk()?;
        let mut sealed = sealed.to_vec();
        let len = self.key.open_in_place(Self::nonce(u64::from_be_bytes(*number)), b"", &mut sealed).ok()?;
        let mut reader = Reader::new(&sealed[..len]);
        let body = reader.opaque_u16("body").unwrap();
        let mut certificates = Vec::new();
        while !reader.is_empty() {
            certificates.push(reader.opaque_u24("certificate").unwrap().to_vec());
        }
        let session = Arc::new(Session::restore(body, &certificates).unwrap());
        let is_young = (session.created()..=session.created() + 36_000).contains(&now);
        let is_good = is_young && !self.withdrawn.lock().unwrap().iter().any(|id| id == session.id());
        is_good.then(|| OpenedTicket { session, renew: self.renews.load(Ordering::Relaxed) })
    }

    fn withdraw(&self, id: &[u8]) {
        self.withdrawn.lock().unwrap().push(id.to_vec());
    }
}

/// Both ends with tickets, and the server's store.
pub(crate) fn fixture(versions: &[ProtocolVersion]) -> (Fixture, Arc<Ticketing>) {
    let mut fixture = Fixture::new(versions);
    let store = Arc::new(Ticketing::new());
    fixture.server.sessions = Arc::clone(&store) as Arc<dyn SessionStore>;
    (fixture, store)
}

/// A handshake that must go through; whether it took up a session, and the hellos of both sides.
#[track_caller]
fn connect(fixture: &Fixture) -> (Pair, Hellos) {
    let seen = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    let records = Arc::clone(&seen);
    exchange.tamper = Box::new(move |side, bytes| {
        let seen = &mut records.lock().unwrap()[usize::from(side == Side::Server)];
        if seen.is_empty() {
            seen.clone_from(bytes);
        }
    });
    let pair = exchange.run().unwrap_or_else(|(side, failure)| panic!("{side:?}: {}", failure.error));
    drop(exchange);
    assert_eq!(pair.client.negotiated.resumed, pair.server.negotiated.resumed);
    let [client, server] = Arc::into_inner(seen).unwrap().into_inner().unwrap();
    (pair, Hellos { client, server })
}

/// What both sides said first.
struct Hellos {
    client: Vec<u8>,
    server: Vec<u8>,
}

impl Hellos {
    fn body(record: &[u8]) -> &[u8] {
        let len = usize::from(u16::from_be_bytes([record[7], record[8]]));
        &record[5 + HEADER..][..len]
    }

    fn client(&self) -> ClientHello<'_> {
        let mut reader = Reader::new(Self::body(&self.client));
        wire::Codec::decode(&mut reader).unwrap()
    }

    fn server(&self) -> ServerHello<'_> {
        let mut reader = Reader::new(Self::body(&self.server));
        wire::Codec::decode(&mut reader).unwrap()
    }

    fn ticket(&self) -> Option<Vec<u8>> {
        self.client().extensions.find(extension::SESSION_TICKET).map(<[u8]>::to_vec)
    }

    fn promises_one(&self) -> bool {
        self.server().extensions.find(extension::SESSION_TICKET).is_some_and(<[u8]>::is_empty)
    }
}

fn resumed(fixture: &Fixture) -> bool {
    connect(fixture).0.client.negotiated.resumed
}

#[test]
fn a_session_is_taken_up_by_its_ticket_again_and_again() {
    for version in V {
        for suite in [0x0005, 0x000a, 0x002f, 0xc013].map(CipherSuite) {
            let (mut fixture, _) = fixture(&[version]);
            fixture = fixture.suite(suite);
            fixture.server.client_auth = ClientAuth::Optional;
            fixture.client.identities = vec![rsa1024()];
            let (first, hellos) = connect(&fixture);
            assert_eq!(hellos.ticket().as_deref(), Some(&b""[..]), "whoever would keep one says so");
            assert!(hellos.promises_one() && !first.client.negotiated.resumed);
            assert!(hellos.server().session_id.is_empty(), "what the client keeps has no other name");
            for _ in 0..3 {
                let (mut pair, hellos) = connect(&fixture);
                assert!(pair.client.negotiated.resumed, "{version} {suite}");
                assert!(hellos.ticket().is_some_and(|ticket| ticket.len() > 100));
                assert_eq!(hellos.client().session_id.len(), 32);
                assert_eq!(hellos.server().session_id, hellos.client().session_id);
                assert!(!hellos.promises_one(), "the ticket stays what it is");
                for (end, before) in [(&pair.client, &first.client), (&pair.server, &first.server)] {
                    assert_eq!(end.negotiated.peer_chain, before.negotiated.peer_chain);
                    assert!(!end.negotiated.peer_chain.is_empty());
                    assert_eq!(end.negotiated.session_id, b"", "a ticket has no identifier");
                }
                assert_eq!(pair.client.negotiated.first_finished(), pair.server.negotiated.first_finished());
                pair.talk();
            }
        }
    }
}

#[test]
fn a_ticket_that_is_renewed_takes_the_place_of_the_one_before_and_makes_the_session_no_younger() {
    for version in V {
        let (fixture, store) = fixture(&[version]);
        connect(&fixture);
        store.renews.store(true, Ordering::Relaxed);
        let mut tickets = Vec::new();
        for hour in 1..=10 {
            fixture.clock.set(1_000_000 + hour * 3600);
            let (mut pair, hellos) = connect(&fixture);
            assert!(pair.client.negotiated.resumed && hellos.promises_one(), "{version}");
            pair.talk();
            tickets.push(hellos.ticket().unwrap());
        }
        tickets.sort();
        tickets.dedup();
        assert_eq!(tickets.len(), 10, "each is another one");
        fixture.clock.set(1_000_000 + 36_001);
        assert!(!resumed(&fixture), "ten hours from the full handshake on");
    }
}

#[test]
fn ssl30_has_no_tickets_and_old_hellos_have_none() {
    let (mut fixture, _) = fixture(&[ProtocolVersion::SSL30]);
    let (_, hellos) = connect(&fixture);
    assert_eq!(hellos.ticket(), None);
    assert_eq!(hellos.server().session_id.len(), 32);
    assert!(resumed(&fixture), "by its identifier");

    fixture.client.policy.versions = vec![ProtocolVersion::SSL30, TLS10];
    fixture.client.policy.highest = TLS10;
    let (_, hellos) = connect(&fixture);
    assert!(hellos.ticket().is_some() && !hellos.promises_one(), "the server speaks SSL 3.0 only");

    let (mut fixture, _) = self::fixture(&[TLS10]);
    fixture.client.policy.v2_hello = true;
    fixture.server.policy.v2_hello = true;
    let pair = fixture.run().unwrap();
    assert_eq!(pair.server.negotiated.session_id.len(), 32, "a hello without extensions");
}

#[test]
fn without_resumption_nobody_speaks_of_tickets() {
    let (mut fixture, _) = fixture(&[TLS10]);
    fixture.client.policy.resume = false;
    assert_eq!(connect(&fixture).1.ticket(), None);
    fixture.client.policy.resume = true;
    fixture.parameters.session_key = None;
    assert_eq!(connect(&fixture).1.ticket(), None, "there is no place to keep one");

    fixture.parameters.session_key = Some(b"server".to_vec());
    connect(&fixture);
    fixture.server.policy.resume = false;
    let (pair, hellos) = connect(&fixture);
    assert!(!pair.client.negotiated.resumed && !hellos.promises_one());
    assert!(hellos.server().session_id.is_empty());
}

#[test]
fn a_client_that_has_no_tickets_is_known_by_its_identifier() {
    let (mut fixture, _) = fixture(&[TLS10]);
    let hello = ClientHello {
        version: TLS10,
        random: [7; 32],
        session_id: Vec::new().into(),
        suites: vec![RSA],
        compression_methods: vec![0].into(),
        extensions: conformance::extensions(&[]),
    };
    let hello = record(22, TLS10, &message(1, &wire::Codec::to_bytes(&hello).unwrap()));
    let answer = Hellos { client: Vec::new(), server: conformance::serve(&fixture, &hello).unwrap() };
    assert!(answer.server().session_id.len() == 32 && !answer.promises_one());

    // And so it is where the server has no tickets.
    fixture.server.sessions = Arc::new(MemorySessions::new(100, 36_000));
    let (_, hellos) = connect(&fixture);
    assert_eq!(hellos.server().session_id.len(), 32);
    let (pair, hellos) = connect(&fixture);
    assert!(pair.client.negotiated.resumed);
    assert_eq!(hellos.ticket().as_deref(), Some(&b""[..]), "by identifier, and it would take a ticket");
}

#[test]
fn a_ticket_is_not_taken_up_when_something_has_changed() {
    type Change = fn(&mut Fixture, &Ticketing);
    let changes: [(&str, Change); 9] = [
        ("the server name", |f, _| f.parameters.server_name = Some("other.test".to_owned())),
        ("its suite, which the client has no more", |f, _| {
            f.client.policy.suites = vec![CipherSuite(0x0035)]
        }),
        ("its suite, which the server has no more", |f, _| {
            f.server.policy.suites = vec![CipherSuite(0x0035)]
        }),
        ("its version, which the client has no more", |f, _| {
            f.client.policy.versions = vec![ProtocolVersion::TLS11];
            f.server.policy.versions = vec![ProtocolVersion::TLS11, TLS10];
        }),
        ("its version, which the server has no more", |f, _| {
            f.server.policy.versions = vec![ProtocolVersion::TLS11];
        }),
        ("time", |f, _| f.clock.set(1_000_000 + 36_001)),
        ("resumption, which the server has no more", |f, _| f.server.policy.resume = false),
        ("the server's key", |f, _| {
            let other = Ticketing {
                key: AeadKey::new(AeadAlgorithm::Aes256Gcm, &[8; 32]).unwrap(),
                ..Ticketing::new()
            };
            f.server.sessions = Arc::new(other);
        }),
        ("tickets, which the server has no more", |f, _| {
            f.server.sessions = Arc::new(MemorySessions::new(100, 36_000));
        }),
    ];
    for (what, change) in changes {
        let (mut fixture, store) = fixture(&[TLS10, ProtocolVersion::TLS11]);
        // It is the server that declines.
        fixture.client.sessions = Arc::new(MemorySessions::new(100, 100_000));
        fixture.client.policy.versions = vec![TLS10, ProtocolVersion::TLS11];
        fixture.client.policy.suites = vec![RSA, CipherSuite(0x0035)];
        fixture.server.policy.suites = fixture.client.policy.suites.clone();
        fixture.server.policy.versions = vec![TLS10];
        connect(&fixture);
        assert!(resumed(&fixture), "before {what} changed");
        change(&mut fixture, &store);
        fixture.server.policy.highest = *fixture.server.policy.versions.iter().max().unwrap();
        assert!(!resumed(&fixture), "{what}");
    }
}

#[test]
fn who_comes_back_with_a_ticket_is_judged_again() {
    let (mut fixture, _) = fixture(&[TLS10]);
    connect(&fixture);
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    assert!(!resumed(&fixture), "a session without certificate is not enough");
    assert!(resumed(&fixture));
    fixture.server.client_verifier = Arc::new(Judge::RefusesResumed);
    assert!(!resumed(&fixture), "the server makes a new session");
    fixture.server.client_verifier = Arc::new(Judge::Accepts);
    fixture.client.verifier = Arc::new(Judge::RefusesResumed);
    let Err((Side::Client, failure)) = fixture.run() else { panic!("refused") };
    assert!(matches!(failure.error, Error::Certificate(_)));
    assert!(!resumed(&fixture), "the ticket is forgotten");
}

#[test]
fn the_binding_of_a_session_binds_its_ticket() {
    let (mut fixture, _) = fixture(&[TLS10]);
    connect(&fixture);
    // Spec: EMS section 5.3.
    fixture.server.policy.extended_master_secret = ExtendedMasterSecret::Off;
    assert!(!resumed(&fixture), "the server would not bind it");
    fixture.server.policy.extended_master_secret = ExtendedMasterSecret::Offered;
    assert!(!resumed(&fixture), "a session that is not bound is not bound by being taken up");
    assert!(resumed(&fixture));
}

/// What comes of a session after a change that a client makes to what it keeps of it.
fn with_session(fixture: &mut Fixture, change: impl FnOnce(&mut Session)) -> Result<Pair, (Side, Failure)> {
    let stored = fixture.client.sessions.get(b"server", fixture.clock.now()).unwrap().store().unwrap();
    let mut session = Session::restore(&stored.body, &stored.certificates).unwrap();
    change(&mut session);
    // The client does not learn anything new from it.
    let sessions = MemorySessions::new(1, 36_000);
    sessions.put(b"server", Arc::new(session));
    let kept = std::mem::replace(&mut fixture.client.sessions, Arc::new(sessions));
    let result = fixture.run();
    fixture.client.sessions = kept;
    result
}

#[track_caller]
fn with_ticket(fixture: &mut Fixture, change: impl FnOnce(&mut Session)) -> Pair {
    with_session(fixture, change).unwrap_or_else(|(side, failure)| panic!("{side:?}: {}", failure.error))
}

#[test]
fn a_server_takes_up_no_ticket_under_another_name_or_without_its_suite() {
    let (mut fixture, _) = fixture(&[TLS10]);
    fixture.client.policy.suites = vec![RSA];
    connect(&fixture);
    let name = fixture.parameters.server_name.replace("other.test".to_owned());
    let pair = with_ticket(&mut fixture, |session| session.server_name = Some("other.test".to_owned()));
    assert!(!pair.server.negotiated.resumed, "another name");
    fixture.parameters.server_name = name;
    fixture.client.policy.suites = vec![CipherSuite(0x0035)];
    let pair = with_ticket(&mut fixture, |session| session.suite = CipherSuite(0x0035));
    assert!(!pair.server.negotiated.resumed, "without its suite");
    fixture.client.policy.suites = vec![RSA];
    assert!(with_ticket(&mut fixture, |_| {}).server.negotiated.resumed);
}

/// The server's ticket says something else than the client remembers.
#[test]
fn a_client_refuses_what_a_server_resumes_differently() {
    let (mut fixture, _) = fixture(&[TLS10, ProtocolVersion::TLS11]);
    fixture.client.policy.suites = vec![RSA, CipherSuite(0x0035)];
    fixture.server.policy.suites = fixture.client.policy.suites.clone();
    fixture.server.policy.versions = vec![TLS10];
    fixture.server.policy.highest = TLS10;
    connect(&fixture);
    let mut refused = |change: fn(&mut Session)| {
        let Err((Side::Client, failure)) = with_session(&mut fixture, change) else { panic!("refused") };
        assert_eq!(failure.error.alert(), Some(AlertDescription::ILLEGAL_PARAMETER));
        failure.error
    };
    let error = refused(|session| session.suite = CipherSuite(0x0035));
    assert!(matches!(error, Error::Misbehaved(Misbehaved::ResumedDifferently("cipher suite"))), "{error}");
    let error = refused(|session| session.version = ProtocolVersion::TLS11);
    assert!(matches!(error, Error::Misbehaved(Misbehaved::ResumedDifferently("version"))), "{error}");
}

#[test]
fn a_ticket_that_was_altered_in_any_byte_or_cut_is_a_full_handshake() {
    let (mut fixture, _) = fixture(&[TLS10]);
    fixture = fixture.suite(RSA);
    connect(&fixture);
    let len = fixture.client.sessions.get(b"server", 1_000_000).unwrap().ticket.len();
    assert!(with_ticket(&mut fixture, |_| {}).server.negotiated.resumed);
    for at in 0..len {
        let pair = with_ticket(&mut fixture, |session| session.ticket[at] ^= 1);
        assert!(!pair.server.negotiated.resumed, "byte {at}");
    }
    for cut in 1..len {
        let pair = with_ticket(&mut fixture, |session| session.ticket.truncate(cut));
        assert!(!pair.server.negotiated.resumed, "{cut} bytes");
    }
    let pair = with_ticket(&mut fixture, |session| session.ticket = vec![7; 20_000]);
    assert!(!pair.server.negotiated.resumed, "none of ours");
}

#[test]
fn a_session_that_failed_is_gone_with_all_its_tickets() {
    let (fixture, store) = fixture(&[TLS10]);
    connect(&fixture);
    let before = fixture.client.sessions.get(b"server", 1_000_000).unwrap();
    store.renews.store(true, Ordering::Relaxed);
    let (pair, _) = connect(&fixture);
    assert!(pair.server.negotiated.resumed);
    pair.server.negotiated.kept_session().forget();
    assert!(!resumed(&fixture), "the new ticket");
    fixture.client.sessions.put(b"server", before);
    assert!(!resumed(&fixture), "the one before");

    // The same if it fails in the handshake that takes it up.
    connect(&fixture);
    let before = fixture.client.sessions.get(b"server", 1_000_000).unwrap();
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    let mut flights = 0;
    exchange.tamper = Box::new(move |side, bytes| {
        flights += usize::from(side == Side::Client && !bytes.is_empty());
        if flights == 2 && side == Side::Client && !bytes.is_empty() {
            *bytes.last_mut().unwrap() ^= 1;
        }
    });
    let Err((Side::Server, failure)) = exchange.run() else { panic!("Finished was damaged") };
    assert!(failure.error.alert().is_some());
    fixture.client.sessions.put(b"server", before);
    assert!(!resumed(&fixture), "withdrawn");
}

#[test]
fn a_promise_is_kept_by_an_empty_ticket_and_that_is_none() {
    let (fixture, store) = fixture(&[TLS10]);
    store.is_broken.store(true, Ordering::Relaxed);
    let (mut pair, hellos) = connect(&fixture);
    assert!(hellos.promises_one());
    pair.talk();
    assert!(!resumed(&fixture), "there is nothing to take up");
    store.is_broken.store(false, Ordering::Relaxed);
    connect(&fixture);
    store.renews.store(true, Ordering::Relaxed);
    store.is_broken.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        let (pair, hellos) = connect(&fixture);
        assert!(pair.client.negotiated.resumed && hellos.promises_one(), "the one before stays good");
    }
}

#[test]
fn a_client_keeps_a_ticket_as_long_as_the_server_says() {
    for (hint, is_kept_after) in [(60, 60), (0, 36_000), (u32::MAX, 36_000)] {
        let mut fixture = Fixture::new(&[TLS10]);
        fixture.server.sessions = Arc::new(Ticketing { lifetime_hint: hint, ..Ticketing::new() });
        connect(&fixture);
        fixture.clock.set(1_000_000 + is_kept_after);
        assert!(connect(&fixture).0.client.negotiated.resumed, "{hint}");
        fixture.clock.set(1_000_000 + is_kept_after + 1);
        assert_eq!(connect(&fixture).1.ticket().as_deref(), Some(&b""[..]), "{hint}: not offered");
    }
}

/// A server's last flight of a full handshake, whose NewSessionTicket is replaced; what the client says to it.
fn instead_of_ticket(replace: impl Fn(&[u8]) -> Vec<u8> + 'static) -> Result<Pair, (Side, Failure)> {
    let (fixture, _) = fixture(&[TLS10]);
    let fixture = fixture.suite(RSA);
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(move |side, bytes| {
        if side == Side::Server && bytes[5] == 4 {
            let len = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
            let instead = replace(&bytes[5..len]);
            let instead = if instead.is_empty() { instead } else { record(22, TLS10, &instead) };
            bytes.splice(..len, instead);
        }
    });
    exchange.run()
}

#[test]
fn a_client_wants_the_ticket_that_was_promised_and_no_more_than_one() {
    let refused = |replace: fn(&[u8]) -> Vec<u8>| {
        let Err((Side::Client, failure)) = instead_of_ticket(replace) else { panic!("it should refuse") };
        failure.error
    };
    let error = refused(|_| Vec::new());
    let Error::Misbehaved(Misbehaved::UnexpectedRecord { content_type: 20, expected }) = &error else {
        panic!("{error}")
    };
    assert_eq!(*expected, "NewSessionTicket");
    assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE));

    let error = refused(|ticket| [ticket, ticket].concat());
    assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE), "twice: {error}");

    for cut in 0..6 {
        let body = [0, 0, 0, 0, 0, 1, 9];
        let cut = message(4, &body[..cut]);
        let Err((Side::Client, failure)) = instead_of_ticket(move |_| cut.clone()) else { panic!("cut") };
        assert!(matches!(failure.error, Error::Decode(_)), "{}", failure.error);
    }
    let error = refused(|_| message(4, &[0, 0, 0, 0, 0, 1, 9, 9]));
    assert!(matches!(error, Error::Decode(_)), "{error}");
    // A ticket that the server did not write is seen by Finished.
    let error = refused(|_| message(4, &[0, 0, 0, 0, 0, 1, 9]));
    assert!(matches!(error, Error::Misbehaved(Misbehaved::BadFinished)), "{error}");
}

#[test]
fn a_client_refuses_a_ticket_that_was_not_promised_and_a_promise_that_was_not_asked_for() {
    // A server that promises nothing sends one.
    let mut fixture = Fixture::new(&[TLS10]).suite(RSA);
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(|side, bytes| {
        if side == Side::Server && bytes[0] == 20 {
            bytes.splice(..0, record(22, TLS10, &message(4, &[0, 0, 0, 0, 0, 1, 9])));
        }
    });
    let Err((Side::Client, failure)) = exchange.run() else { panic!("not promised") };
    assert_eq!(failure.error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE), "{}", failure.error);

    // The client has no use for tickets, and the server thinks otherwise.
    fixture.client.policy.resume = false;
    let (with, _) = self::fixture(&[TLS10]);
    let with = with.suite(RSA);
    let Progress::Continue { output: hello, .. } = with.client().advance(&[]).unwrap() else { panic!() };
    let answer = conformance::serve(&with, &hello).unwrap();
    let mut client = fixture.client();
    client.advance(&[]).unwrap();
    let failure = client.advance(&answer).unwrap_err();
    assert!(
        matches!(failure.error, Error::Misbehaved(Misbehaved::UnsolicitedExtension(35))),
        "{}",
        failure.error
    );
}

#[test]
fn a_client_keeps_no_ticket_that_is_longer_than_any_needs_to_be() {
    /// Tickets of a given length.
    struct Long(usize);
    impl SessionStore for Long {
        fn put(&self, _: &[u8], _: Arc<Session>) {}
        fn get(&self, _: &[u8], _: u64) -> Option<Arc<Session>> {
            None
        }
        fn remove(&self, _: &[u8]) {}
        fn tickets(&self) -> Option<&dyn SessionTickets> {
            Some(self)
        }
    }
    impl SessionTickets for Long {
        fn seal(&self, _: &Session, _: u64) -> Option<Ticket> {
            Some(Ticket { bytes: vec![7; self.0], lifetime_hint: 0 })
        }
        fn open(&self, _: &[u8], _: u64) -> Option<OpenedTicket> {
            None
        }
        fn withdraw(&self, _: &[u8]) {}
    }
    for (len, is_kept) in [(8192, true), (8193, false), (30_000, false), (70_000, false)] {
        let mut fixture = Fixture::new(&[TLS10]);
        fixture.server.sessions = Arc::new(Long(len));
        connect(&fixture);
        let kept = fixture.client.sessions.get(b"server", 1_000_000);
        assert_eq!(kept.is_some_and(|session| session.ticket.len() == len), is_kept, "{len}");
        let offered = connect(&fixture).1.ticket().unwrap();
        assert_eq!(offered.len(), if is_kept { len } else { 0 });
    }
}

#[test]
fn a_server_may_take_a_ticket_of_a_client_that_calls_its_session_nothing() {
    let (fixture, _) = fixture(&[TLS10]);
    let fixture = fixture.suite(RSA);
    connect(&fixture);
    let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    let body = Hellos { client: hello, server: Vec::new() };
    for id in [&b""[..], &[1], &[9; 32]] {
        let hello = ClientHello { session_id: id.into(), ..body.client() };
        let hello = wire::Codec::to_bytes(&hello).unwrap();
        let answer = conformance::serve(&fixture, &record(22, TLS10, &message(1, &hello))).unwrap();
        let answer = Hellos { client: Vec::new(), server: answer };
        assert_eq!(*answer.server().session_id, *id);
        assert!(
            answer.server.windows(6).any(|window| window == [20, 3, 1, 0, 1, 1]),
            "it takes up the session"
        );
    }
}

#[test]
fn a_ticket_goes_with_the_hello_of_another_engine_too() {
    for version in V {
        let (fixture, _) = fixture(&[version]);
        let fixture = fixture.suite(RSA);
        let Progress::Continue { output, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
        let config = Arc::new(fixture.client.clone());
        let client = ClientConnection::take_over(config, fixture.parameters.clone(), &output[5..]).unwrap();
        let mut exchange = Exchange::new(client, fixture.server());
        exchange.deliver(Side::Server, &output);
        let pair = exchange.finish().unwrap();
        assert!(!pair.client.negotiated.resumed);
        let (pair, hellos) = connect(&fixture);
        assert!(pair.client.negotiated.resumed && hellos.ticket().is_some_and(|ticket| !ticket.is_empty()));
    }
}

#[test]
fn damaged_tickets_are_answered_and_damaged_promises_refused() {
    for version in V {
        let (mut fixture, _) = fixture(&[version]);
        fixture = fixture.suite(RSA);
        connect(&fixture);
        let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else {
            panic!()
        };
        let (mut mutator, mut answered) = (Mutator::new(version.0.into()), 0);
        // The ticket is the last of the hello's extensions: what is damaged is in it, or says how long it is.
        let from = hello.len() - fixture.client.sessions.get(b"server", 1_000_000).unwrap().ticket.len() - 4;
        for _ in 0..INPUTS / 10 {
            let mut damaged = hello[from..].to_vec();
            mutator.mutate_some(&mut damaged, 4);
            let bytes = [&hello[..from], &damaged].concat();
            let mut server = fixture.server();
            match server.advance(&bytes) {
                Ok(Progress::Continue { output, .. }) => answered += usize::from(!output.is_empty()),
                Ok(_) => {}
                Err(failure) => assert!(failure.error.alert().is_some(), "{}", failure.error),
            }
        }
        assert!(answered > INPUTS / 100, "{version}: {answered} answered");
    }
}
