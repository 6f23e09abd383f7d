//! Sessions that the machines of a server farm share.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failure here is a failed test"
)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use opensspi_schannel::session_cache::SharedSessions;
use opensspi_schannel::{ClientAuth, ExtendedMasterSecret, Revocation, SchannelConfig};
use sspi_core::{
    AlertLevel, ControlToken, CredentialUse, CredentialsHandle, CredentialsRequest, Question, SecStatus,
    SecurityPackage,
};
use support::sessions::{Case, connect, resumed};
use support::{Kind, World, accept_request, initialize_request, send};
use test_support::pair::{self, Established, Outcome};
use test_support::{FixedClock, TestCertificate};
use zeroize::Zeroizing;

const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// A connection ends, and its session with it.
const FAILS: ControlToken = ControlToken::Alert { level: AlertLevel::Fatal, number: 80 };

/// What several machines share, in memory, with everything that can go wrong.
#[derive(Default)]
struct Farm {
    sessions: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// To which group each of them belongs.
    groups: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    asked: Mutex<usize>,
    /// What is to be forgotten does not arrive.
    is_deaf: AtomicBool,
}

impl SharedSessions for Farm {
    fn put(&self, key: Vec<u8>, group: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        assert!(lifetime > Duration::ZERO && lifetime <= 10 * HOUR, "{lifetime:?}");
        self.groups.lock().unwrap().insert(key.clone(), group);
        self.sessions.lock().unwrap().insert(key, session.to_vec());
    }

    fn renew(&self, key: Vec<u8>, session: Zeroizing<Vec<u8>>, lifetime: Duration) {
        assert!(lifetime > Duration::ZERO && lifetime <= 10 * HOUR, "{lifetime:?}");
        if let Some(kept) = self.sessions.lock().unwrap().get_mut(&key) {
            *kept = session.to_vec();
        }
    }

    fn remove(&self, key: Vec<u8>) {
        if !self.is_deaf.load(Ordering::Relaxed) {
            let groups = self.groups.lock().unwrap();
            self.sessions.lock().unwrap().retain(|kept, _| *kept != key && groups.get(kept) != Some(&key));
        }
    }
}

/// A machine of the farm.
fn machine(world: &World, farm: &Arc<Farm>, config: SchannelConfig) -> Arc<dyn CredentialsHandle> {
    let package = world.package(config).with_shared_sessions(Arc::clone(farm) as _);
    package.acquire_credentials_handle(&CredentialsRequest::configured(CredentialUse::Inbound)).unwrap()
}

/// A farm of machines that are the same, and a client without any session.
struct Fixture<const MACHINES: usize> {
    farm: Arc<Farm>,
    machines: [Arc<dyn CredentialsHandle>; MACHINES],
    client: Arc<dyn CredentialsHandle>,
}

impl<const MACHINES: usize> Fixture<MACHINES> {
    fn of(world: &World, case: Case) -> Self {
        Self::with(world, case, case.server(world))
    }

    fn with(world: &World, case: Case, config: SchannelConfig) -> Self {
        let farm = Arc::new(Farm::default());
        let machines = [(); MACHINES].map(|()| machine(world, &farm, config.clone()));
        Self { farm, machines, client: world.outbound(case.client(world)) }
    }

    /// A connection of the client, with `found` between what the farm has and what the machine hears.
    fn connect(&self, machine: usize, found: OnTheWay<'_>) -> (Outcome, Outcome) {
        connect_to(&*self.client, &*self.machines[machine], &self.farm, usize::MAX, found)
    }

    /// The server's end of a connection.
    fn at_server(&self, machine: usize) -> Established {
        self.connect(machine, &as_it_is).1.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Whether the client's next connection takes up a session.
    fn resumes(&self, machine: usize) -> bool {
        resumed_on(&*self.client, &*self.machines[machine], &self.farm)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Vec<u8>>> {
        self.farm.sessions.lock().unwrap()
    }

    /// How often the farm was asked.
    fn asked(&self) -> usize {
        *self.farm.asked.lock().unwrap()
    }
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
        let Fixture { farm, machines, client } = Fixture::<3>::of(&world, case);
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
        let fixture = Fixture::<1>::of(&world, case);
        assert!(!fixture.resumes(0));
        assert_eq!(fixture.asked(), 0, "{case:?}");
        let server = machine(&world, &fixture.farm, SchannelConfig { resume: false, ..case.server(&world) });
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
        let fixture = Fixture::<2>::of(&world, case);
        assert!(!fixture.resumes(0));
        let mut s = fixture.at_server(1);
        assert!(resumed(&s), "{case:?}");
        s.context.apply_control_token(&FAILS).unwrap();
        assert!(fixture.sessions().is_empty(), "{case:?}: also by a ticket that the other machine gave out");
        assert!(!fixture.resumes(0), "{case:?}");
    }
}

#[test]
fn a_machine_takes_up_no_session_that_failed_there_even_if_the_others_do_not_hear_of_it() {
    let world = World::default();
    for case in Case::all() {
        let fixture = Fixture::<1>::of(&world, case);
        assert!(!fixture.resumes(0));
        fixture.farm.is_deaf.store(true, Ordering::Relaxed);
        let mut s = fixture.at_server(0);
        assert!(resumed(&s), "{case:?}");
        s.context.apply_control_token(&FAILS).unwrap();
        assert!(!fixture.resumes(0), "{case:?}");
    }
}

/// What a store can do that is not to be trusted: it brings back what was removed. The machine that removed it has none of it;
/// others cannot know better, and have it as long as it would have lived.
#[test]
fn a_session_that_is_put_back_is_none_where_it_was_removed_and_lives_elsewhere_no_longer_than_it_would_have()
{
    let world = World::default();
    for case in Case::all() {
        for (by_the_same, after, is_taken_up) in
            [(true, Duration::ZERO, false), (false, HOUR, true), (false, HOUR + SECOND, false)]
        {
            // The client would have it for longer.
            let config = SchannelConfig { session_lifetime: HOUR, ..case.server(&world) };
            let fixture = Fixture::<2>::with(&world, case, config);
            assert!(!fixture.resumes(0));
            let mut s = fixture.at_server(0);
            let seen = fixture.sessions().clone();
            s.context.apply_control_token(&FAILS).unwrap();
            assert_ne!(*fixture.sessions(), seen, "{case:?}: something was removed");
            *fixture.sessions() = seen;
            world.clock.advance(after);
            let asked = fixture.asked();
            let resumes = fixture.resumes(usize::from(!by_the_same));
            assert_eq!(resumes, is_taken_up, "{case:?}, after {after:?}");
            // With a ticket a client may be told how long it lives.
            let may_know =
                after > HOUR && matches!(case, Case::Tls(Kind::Tls13 | Kind::Tls12, _) | Case::Tls(_, true));
            assert!(may_know || fixture.asked() > asked, "{case:?}, after {after:?}: not offered");
        }
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
        assert!(package.session_cache().is_empty(), "{case:?}: taken up here");
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

/// The idle time counts from the last use, wherever that was.
#[test]
fn a_session_that_is_used_on_some_machine_does_not_lie_idle_on_another() {
    for case in Case::all() {
        let world = World::default();
        let config = SchannelConfig { session_idle_limit: Some(HOUR), ..case.server(&world) };
        let fixture = Fixture::<2>::with(&world, case, config);
        assert!(!fixture.resumes(0));
        for round in 0..4 {
            world.clock.advance(HOUR);
            assert!(fixture.resumes(round % 2), "{case:?} {round}");
        }
        world.clock.advance(HOUR + SECOND);
        assert!(!fixture.resumes(0), "{case:?}");
    }
}

/// Nor does one that was used seem to have been, if what was kept before is put back.
#[test]
fn an_older_value_of_a_session_lies_idle_since_its_own_time() {
    for case in Case::all().into_iter().filter(|case| !matches!(case, Case::Tls(Kind::Tls13, _))) {
        let world = World::default();
        let config = SchannelConfig { session_idle_limit: Some(HOUR), ..case.server(&world) };
        let fixture = Fixture::<2>::with(&world, case, config);
        assert!(!fixture.resumes(0));
        let old = fixture.sessions().clone();
        world.clock.advance(HOUR);
        assert!(fixture.resumes(1), "{case:?}");
        assert_ne!(*fixture.sessions(), old, "{case:?}: it was renewed");
        *fixture.sessions() = old;
        world.clock.advance(SECOND);
        assert!(!fixture.resumes(0), "{case:?}");
    }
}

/// Who removes a session has the last word.
#[test]
fn a_session_that_was_removed_is_not_renewed_by_who_took_it_up_before() {
    let world = World::default();
    let case = Case::Tls(Kind::Tls11, false);
    let config = SchannelConfig { session_idle_limit: Some(HOUR), ..case.server(&world) };
    let fixture = Fixture::<1>::with(&world, case, config);
    assert!(!fixture.resumes(0));
    let before = fixture.sessions().clone();
    fixture.sessions().clear();
    let (c, _) = fixture.connect(0, &|_| before.values().next().cloned());
    assert!(resumed(&c.unwrap_or_else(|e| panic!("{e}"))));
    assert!(fixture.sessions().is_empty());
}

#[test]
fn clocks_of_machines_differ_a_little() {
    for case in Case::all() {
        for (behind, takes_it_up) in [(60, true), (61, false)] {
            let (world, farm) = (World::default(), Arc::new(Farm::default()));
            let config = case.server(&world);
            let first = machine(&world, &farm, config.clone());
            let clock = FixedClock::at(world.clock.now() - Duration::from_secs(behind));
            let slow = World { clock, memory: Arc::clone(&world.memory), ..World::default() };
            let second = machine(&slow, &farm, config);
            let client = world.outbound(case.client(&world));
            assert!(!resumed_on(&*client, &*first, &farm));
            assert_eq!(resumed_on(&*client, &*second, &farm), takes_it_up, "{case:?} {behind}");
        }
    }
}

/// Tickets of a farm hold nothing: what is under them is in the store, and goes from there.
#[test]
fn a_ticket_of_a_farm_is_a_name_and_before_tls_1_3_always_the_same() {
    for kind in [Kind::Tls12, Kind::Tls12Cbc, Kind::Tls11, Kind::Tls10] {
        let fixture = Fixture::<2>::of(&World::default(), Case::Tls(kind, true));
        for round in 0..5 {
            assert_eq!(fixture.resumes(round % 2), round > 0, "{kind:?} {round}");
            assert_eq!(fixture.sessions().len(), 1, "{kind:?}: a session that goes on is the same");
        }
        fixture.sessions().clear();
        assert!(!fixture.resumes(0), "{kind:?}");
    }
}
