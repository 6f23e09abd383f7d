//! NTLM among the packages: inside SPNEGO, and without it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the functions that tests share are tests too"
)]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use gss::{MechType, MechTypeList, NegState, NegTokenInit, NegTokenResp, NegotiationToken};
use ntlm::messages::{Message, MessageType};
use ntlm::{Environment, NoSecrets, NtHash, Ntlm, NtlmConfig, Random, Reflection};
use opensspi_negotiate::{ListenerRule, Negotiate, NegotiateConfig, NtlmPolicy, RawPolicy};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AccountSecret, AscReq, AuthData, AuthIdentity, Clock,
    CredentialUse, CredentialsRequest, Error, InitializeRequest, InitializeSecurityContext, IscReq,
    LogonVerdict, NegotiationState, Question, Registry, SecStatus, Secret, SecurityContext,
    SecurityPackage as _, Step,
};
use support::{Toy, inbound, talk};
use test_support::{FixedClock, Mutator, SeededRandom};

const PASSWORD: &str = "open sesame";

struct TestClock(FixedClock);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

struct TestRandom(Mutex<SeededRandom>);

impl Random for TestRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), crypto::random::RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

/// One that no other package has: challenges are told apart within the process.
fn seed() -> u64 {
    static SEEDS: AtomicU64 = AtomicU64::new(1);
    SEEDS.fetch_add(1, Ordering::Relaxed)
}

/// Negotiate over NTLM and these, NTLM last.
fn package(others: &[Toy], config: NegotiateConfig) -> Negotiate {
    let environment = Environment {
        clock: Arc::new(TestClock(FixedClock::default())),
        random: Arc::new(TestRandom(Mutex::new(SeededRandom::new(seed())))),
        secrets: Arc::new(NoSecrets),
        host_name: Some("server.corp.example".into()),
    };
    let ntlm = NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() };
    let mut registry = Registry::new();
    registry.register(Arc::new(Ntlm::new(ntlm, environment))).unwrap();
    for other in others {
        registry.register(Arc::new(other.clone())).unwrap();
    }
    Negotiate::new(config, registry)
}

fn only_ntlm() -> Negotiate {
    package(&[], NegotiateConfig::default())
}

fn outbound(password: &str) -> CredentialsRequest {
    let password = Secret::new(password.to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: "CORP".into(), password });
    CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) }
}

fn client_of(package: &Negotiate, password: &str, flags: IscReq) -> Box<dyn InitializeSecurityContext> {
    let request =
        package.acquire_credentials_handle(&outbound(password)).unwrap().initialize(&InitializeRequest {
            flags,
            target_name: Some("HTTP/www.example.com".to_owned()),
            ..InitializeRequest::default()
        });
    request.unwrap()
}

fn client(package: &Negotiate) -> Box<dyn InitializeSecurityContext> {
    client_of(package, PASSWORD, IscReq::CONFIDENTIALITY)
}

fn server(package: &Negotiate) -> Box<dyn AcceptSecurityContext> {
    let request = AcceptRequest {
        flags: AscReq::EXTENDED_ERROR,
        source: Some("192.0.2.7".to_owned()),
        ..AcceptRequest::default()
    };
    package.acquire_credentials_handle(&inbound()).unwrap().accept(&request).unwrap()
}

/// A server's next step, its question answered.
fn accept(server: &mut dyn AcceptSecurityContext, token: &[u8]) -> Result<Step, sspi_core::Failure> {
    let step = server.accept_security_context(token)?;
    let Step::Ask(Question::Logon(ask)) = step else { return Ok(step) };
    let account = Account { name: "alice".into(), domain: Some("CORP".into()), ..Account::default() };
    let secrets = vec![AccountSecret::NtHash(Secret::new(*NtHash::of_password(PASSWORD).as_bytes()))];
    ask.answer(Ok(LogonVerdict::Known { account: account.into(), secrets }));
    server.accept_security_context(token)
}

fn goes_on(step: Step) -> Vec<u8> {
    let Step::Continue { token, .. } = step else { panic!("{step:?}") };
    token
}

fn is_over(step: Step) -> (Box<dyn SecurityContext>, Vec<u8>) {
    let Step::Complete { context, token, .. } = step else { panic!("{step:?}") };
    (context, token)
}

fn resp(token: &[u8]) -> NegTokenResp<'_> {
    let NegotiationToken::Resp(resp) = NegotiationToken::decode(token).unwrap() else { panic!() };
    resp
}

/// Both contexts, and the four tokens.
type Both = (Box<dyn SecurityContext>, Box<dyn SecurityContext>, [Vec<u8>; 4]);

fn run(mut client: Box<dyn InitializeSecurityContext>, mut server: Box<dyn AcceptSecurityContext>) -> Both {
    let offer = goes_on(client.initialize_security_context(&[]).unwrap());
    let challenge = goes_on(accept(server.as_mut(), &offer).unwrap());
    let proof = goes_on(client.initialize_security_context(&challenge).unwrap());
    let (at_server, last) = is_over(accept(server.as_mut(), &proof).unwrap());
    let (at_client, nothing) = is_over(client.initialize_security_context(&last).unwrap());
    assert!(nothing.is_empty());
    (at_client, at_server, [offer, challenge, proof, last])
}

#[test]
fn ntlm_alone_signs_the_list_since_it_has_a_mic_of_its_own_and_messages_follow() {
    let package = only_ntlm();
    let (mut at_client, mut at_server, [_, challenge, proof, last]) = run(client(&package), server(&package));
    assert_eq!(resp(&challenge).neg_state, Some(NegState::AcceptIncomplete));
    assert!(matches!(Message::decode(resp(&challenge).response_token.unwrap()), Ok(Message::Challenge(_))));
    let mic = resp(&proof).mech_list_mic.unwrap();
    assert_eq!((mic.len(), &mic[..4], &mic[12..]), (16, &[1, 0, 0, 0][..], &[0; 4][..]));
    assert_eq!(resp(&last).neg_state, Some(NegState::AcceptCompleted));
    assert_eq!(resp(&last).mech_list_mic.unwrap().len(), 16);
    talk(at_client.as_mut(), at_server.as_mut());
    for context in [&at_client, &at_server] {
        let attributes = context.attributes();
        assert_eq!(attributes.package_info().name, "NTLM");
        assert_eq!(attributes.negotiation_info().unwrap().package.name, "NTLM");
        assert_eq!(attributes.negotiation_package().unwrap(), "NTLM");
        assert_eq!(attributes.names().unwrap(), "CORP\\alice");
    }
    assert_eq!(at_server.security_context_token().unwrap().name, "alice");
}

/// It is the favourite of both, and its own code covers that nobody signs.
#[test]
fn a_client_whose_caller_wants_no_signatures_logs_on_with_ntlm_and_nobody_signs_the_list() {
    let package = only_ntlm();
    let (at_client, at_server, tokens) =
        run(client_of(&package, PASSWORD, IscReq::NO_INTEGRITY), server(&package));
    assert!(tokens[1..].iter().all(|token| resp(token).mech_list_mic.is_none()));
    for context in [&at_client, &at_server] {
        assert_eq!(context.attributes().names().unwrap(), "CORP\\alice");
    }
    // Where it is not, the list would have to be signed, and cannot be.
    let (mut client, mut server) = (
        client_of(&package, PASSWORD, IscReq::NO_INTEGRITY),
        server(&self::package(&[Toy::new("Strong", &[support::STRONG], 3)], NegotiateConfig::default())),
    );
    let offer = goes_on(client.initialize_security_context(&[]).unwrap());
    let challenge = goes_on(accept(server.as_mut(), &offer).unwrap());
    let proof = goes_on(client.initialize_security_context(&challenge).unwrap());
    let error = accept(server.as_mut(), &proof).unwrap_err().error;
    assert_eq!(error.status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "{error}");
}

/// What Windows answers after a loopback with an explicit identity.
#[test]
fn p2_p3_p4_once_ntlm_is_chosen_sizes_and_negotiation_info_are_those_of_ntlm() {
    let package = only_ntlm();
    let (at_client, at_server, _) = run(client(&package), server(&package));
    for context in [at_client, at_server] {
        let attributes = context.attributes();
        let sizes = attributes.sizes().unwrap();
        assert_eq!((sizes.max_token, sizes.max_signature), (2888, 16));
        assert_eq!((sizes.security_trailer, sizes.block_size), (16, 0));
        let info = attributes.negotiation_info().unwrap();
        assert_eq!(info.state, NegotiationState::Complete);
        assert_eq!((info.package.name.as_ref(), info.package.rpc_id), ("NTLM", 10));
    }
}

#[test]
fn ntlm_is_begun_anew_where_the_server_has_nothing_better() {
    let strong = Toy::new("Strong", &[support::STRONG], 3);
    let at_client = package(&[strong], NegotiateConfig::default());
    let (mut client, mut server) = (client(&at_client), server(&only_ntlm()));
    let offer = goes_on(client.initialize_security_context(&[]).unwrap());
    let choice = goes_on(accept(server.as_mut(), &offer).unwrap());
    assert_eq!((resp(&choice).neg_state, resp(&choice).response_token), (Some(NegState::RequestMic), None));
    let negotiate = goes_on(client.initialize_security_context(&choice).unwrap());
    let challenge = goes_on(accept(server.as_mut(), &negotiate).unwrap());
    let proof = goes_on(client.initialize_security_context(&challenge).unwrap());
    let (mut at_server, last) = is_over(accept(server.as_mut(), &proof).unwrap());
    let (mut at_client, _) = is_over(client.initialize_security_context(&last).unwrap());
    talk(at_client.as_mut(), at_server.as_mut());
}

/// What somebody in between makes of an answer.
type Answers = fn(&mut NegTokenResp<'_>);

/// The ways in which somebody could hide what was done to the offer.
const HIDING: [(&str, Answers); 4] = [
    ("nothing", |_| {}),
    ("no request for a MIC", without_request),
    ("no MIC", |resp| resp.mech_list_mic = None),
    ("neither", |resp| {
        without_request(resp);
        resp.mech_list_mic = None;
    }),
];

fn without_request(resp: &mut NegTokenResp<'_>) {
    if resp.neg_state == Some(NegState::RequestMic) {
        resp.neg_state = Some(NegState::AcceptIncomplete);
    }
}

/// Both ends through somebody who offers something else than the client did, and hides that; what each came to.
fn attacked(offer: &MechTypeList<'_>, hide: Answers) -> [Option<Result<(), Error>>; 2] {
    let package = package(&[Toy::new("Strong", &[support::STRONG], 3)], NegotiateConfig::default());
    let (mut client, mut server) = (client(&package), server(&package));
    let mut came_to = [None, None];
    let mut token = Vec::new();
    for turn in 0..10 {
        let end = turn % 2;
        let step = match end {
            0 => client.initialize_security_context(&token),
            _ => accept(server.as_mut(), &token),
        };
        token = match step {
            Ok(Step::Continue { token, .. }) => token,
            Ok(Step::Complete { token, .. }) => {
                came_to[end] = Some(Ok(()));
                token
            }
            Ok(step) => panic!("{step:?}"),
            Err(failure) => {
                came_to[end] = Some(Err(failure.error));
                failure.token
            }
        };
        if token.is_empty() {
            break;
        }
        token = if turn == 0 {
            NegTokenInit::new(offer.by_ref()).to_bytes()
        } else {
            let mut changed = resp(&token);
            hide(&mut changed);
            changed.to_bytes()
        };
    }
    came_to
}

#[test]
fn somebody_in_between_who_leaves_only_ntlm_or_puts_it_first_is_found_out_by_both_ends() {
    let strong = support::mech(support::STRONG);
    let stripped = MechTypeList::new([MechType::NTLM]).unwrap();
    let reordered = MechTypeList::new([MechType::NTLM, support::mech_type(&strong)]).unwrap();
    for (what, offer) in [("stripped", stripped), ("reordered", reordered)] {
        for (how, hide) in HIDING {
            let came_to = attacked(&offer, hide);
            let errors: Vec<&Error> = came_to.iter().filter_map(|end| end.as_ref()?.as_ref().err()).collect();
            assert!(came_to.iter().all(|end| !matches!(end, Some(Ok(())))), "{what}, {how}: {came_to:?}");
            let is_found_out = |error: &&&Error| error.status() == SecStatus::SEC_E_DOWNGRADE_DETECTED;
            assert!(errors.iter().any(|error| is_found_out(&error)), "{what}, {how}: {came_to:?}");
        }
    }
}

#[test]
fn a_wrong_password_is_denied_and_the_client_hears_it() {
    let package = only_ntlm();
    let (mut client, mut server) = (client_of(&package, "wrong", IscReq::CONFIDENTIALITY), server(&package));
    let offer = goes_on(client.initialize_security_context(&[]).unwrap());
    let challenge = goes_on(accept(server.as_mut(), &offer).unwrap());
    let proof = goes_on(client.initialize_security_context(&challenge).unwrap());
    let failure = accept(server.as_mut(), &proof).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(resp(&failure.token).neg_state, Some(NegState::Reject));
    let failure = client.initialize_security_context(&failure.token).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED);
    assert!(failure.token.is_empty());
}

/// The same package without Negotiate around it.
fn bare_client() -> Box<dyn InitializeSecurityContext> {
    let environment = Environment {
        clock: Arc::new(TestClock(FixedClock::default())),
        random: Arc::new(TestRandom(Mutex::new(SeededRandom::new(2)))),
        secrets: Arc::new(NoSecrets),
        host_name: None,
    };
    let password = Secret::new(PASSWORD.to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: "alice".into(), domain: "CORP".into(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    let config = NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() };
    let credentials = Ntlm::new(config, environment).acquire_credentials_handle(&request);
    let request = InitializeRequest { flags: IscReq::CONFIDENTIALITY, ..InitializeRequest::default() };
    credentials.unwrap().initialize(&request).unwrap()
}

#[test]
fn a_client_that_does_not_negotiate_is_answered_in_kind() {
    let mut server = server(&only_ntlm());
    let mut client = bare_client();
    let negotiate = goes_on(client.initialize_security_context(&[]).unwrap());
    let challenge = goes_on(accept(server.as_mut(), &negotiate).unwrap());
    assert_eq!(MessageType::decode(&challenge), Ok(MessageType::CHALLENGE));
    let (mut at_client, authenticate) = is_over(client.initialize_security_context(&challenge).unwrap());
    let (mut at_server, last) = is_over(accept(server.as_mut(), &authenticate).unwrap());
    assert!(last.is_empty());
    talk(at_client.as_mut(), at_server.as_mut());
    assert_eq!(at_server.attributes().negotiation_info().unwrap().package.name, "NTLM");
}

#[test]
fn ntlm_without_negotiation_is_not_taken_where_something_better_is_preferred() {
    let strong = || Toy::new("Strong", &[support::STRONG], 3);
    let negotiate = goes_on(bare_client().initialize_security_context(&[]).unwrap());
    let taken = |raw| {
        let config = NegotiateConfig { raw, ..NegotiateConfig::default() };
        server(&package(&[strong()], config)).accept_security_context(&negotiate)
    };
    let failure = taken(RawPolicy::default()).unwrap_err();
    assert_eq!((failure.error.setting(), failure.token.len()), (Some("negotiate.raw"), 0));
    let challenge = goes_on(taken(RawPolicy::Allow).unwrap());
    assert_eq!(MessageType::decode(&challenge), Ok(MessageType::CHALLENGE));
}

#[test]
fn where_ntlm_is_denied_no_token_of_it_leaves_and_none_is_taken() {
    let deny = || NegotiateConfig { ntlm: NtlmPolicy::Deny, ..NegotiateConfig::default() };
    let strong = || Toy::new("Strong", &[support::STRONG], 3);
    let mut server = server(&package(&[strong()], deny()));
    let negotiate = goes_on(bare_client().initialize_security_context(&[]).unwrap());
    let failure = server.accept_security_context(&negotiate).unwrap_err();
    assert_eq!((failure.error.setting(), failure.token.len()), (Some("negotiate.ntlm"), 0));
    let refused: Option<Error> = package(&[], deny())
        .acquire_credentials_handle(&inbound())
        .and_then(|credentials| credentials.accept(&AcceptRequest::default()).map(drop))
        .err();
    assert_eq!(refused.unwrap().status(), SecStatus::SEC_E_NO_CREDENTIALS);
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged while this runs.
fn logged(run: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    tracing::subscriber::with_default(subscriber, run);
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

fn audited(others: &[Toy]) -> Negotiate {
    package(others, NegotiateConfig { ntlm: NtlmPolicy::Audit, ..NegotiateConfig::default() })
}

#[test]
fn a_token_of_ntlm_is_recorded_before_anything_comes_of_it() {
    let package = audited(&[Toy::new("Strong", &[support::STRONG], 3)]);
    let mut first = client(&package);
    let text = logged(|| drop(first.initialize_security_context(&[]).unwrap()));
    assert!(!text.contains("NTLM"), "the favourite's token is another one's: {text}");
    let choice = NegTokenResp {
        neg_state: Some(NegState::RequestMic),
        supported_mech: Some(MechType::NTLM),
        ..NegTokenResp::default()
    };
    let text = logged(|| drop(first.initialize_security_context(&choice.to_bytes()).unwrap()));
    assert_eq!(text.matches("a token of NTLM is about to leave").count(), 1, "{text}");
    let offer = goes_on(client(&audited(&[])).initialize_security_context(&[]).unwrap());
    let mut second = server(&audited(&[]));
    let text = logged(|| drop(second.accept_security_context(&offer).unwrap()));
    assert_eq!(text.matches("a token of NTLM is taken").count(), 1, "{text}");
    let negotiate = goes_on(bare_client().initialize_security_context(&[]).unwrap());
    let mut second = server(&audited(&[]));
    let text = logged(|| drop(second.accept_security_context(&negotiate).unwrap()));
    assert_eq!(text.matches("a token of NTLM is taken").count(), 1, "{text}");
}

#[test]
fn a_server_that_no_rule_about_listeners_is_about_is_warned() {
    let rule = |listener: &str| ListenerRule {
        listener: listener.to_owned(),
        packages: Vec::new(),
        ntlm: Some(NtlmPolicy::Audit),
        raw: None,
    };
    let package = |rules: &[&str]| {
        let listeners = rules.iter().map(|listener| rule(listener)).collect();
        package(&[], NegotiateConfig { listeners, ..NegotiateConfig::default() })
    };
    let acquired = |package: &Negotiate, request: &CredentialsRequest| {
        logged(|| drop(package.acquire_credentials_handle(request).unwrap()))
    };
    let named = package(&["192.0.2.1:389", "intranet"]).at_listener("192.0.2.1:8080");
    let text = acquired(&named, &inbound());
    assert!(text.contains("none is about this one") && text.contains("192.0.2.1:8080"), "{text}");
    let text = acquired(&package(&["intranet"]), &inbound());
    assert!(text.contains("does not say which listener it has"), "{text}");
    for (package, request) in [
        (package(&["intranet"]).at_listener("Intranet"), inbound()),
        (package(&["*"]).at_listener("192.0.2.1:8080"), inbound()),
        (package(&["*"]), inbound()),
        (package(&[]).at_listener("192.0.2.1:8080"), inbound()),
        // It is nothing to clients.
        (package(&["intranet"]), outbound(PASSWORD)),
    ] {
        let text = acquired(&package, &request);
        assert!(!text.contains("listener"), "{text}");
    }
}

#[test]
fn who_falls_to_ntlm_since_a_better_package_has_no_credentials_says_so() {
    let package = audited(&[Toy::new("Strong", &[support::STRONG], 3).without_credentials()]);
    let text = logged(|| drop(client(&package)));
    assert!(
        text.contains("WARN") && text.contains("Strong") && text.contains("nobody is logged on"),
        "{text}"
    );
    let text = logged(|| drop(run(client(&package), server(&package))));
    let reason = "a better package has no credentials (Strong: nobody is logged on)";
    let lines: Vec<_> = text.lines().filter(|line| line.contains("NTLM was negotiated")).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines.iter().all(|line| line.contains(reason)), "{text}");
    // Where the policy has NTLM first, that is the reason.
    let packages = vec!["NTLM".to_owned(), "Strong".to_owned()];
    let config = NegotiateConfig { packages, ntlm: NtlmPolicy::Audit, ..NegotiateConfig::default() };
    let ntlm_first =
        self::package(&[Toy::new("Strong", &[support::STRONG], 3).without_credentials()], config);
    let text = logged(|| drop(run(client(&ntlm_first), server(&ntlm_first))));
    assert!(text.contains("the policy has it first") && !text.contains("a better package"), "{text}");
}

#[test]
fn every_use_of_ntlm_is_recorded_where_that_is_wanted_with_who_and_why() {
    for (policy, count) in [(NtlmPolicy::Allow, 0), (NtlmPolicy::Audit, 2)] {
        let package = package(&[], NegotiateConfig { ntlm: policy, ..NegotiateConfig::default() });
        let text = logged(|| drop(run(client(&package), server(&package))));
        let lines: Vec<_> = text.lines().filter(|line| line.contains("NTLM was negotiated")).collect();
        assert_eq!(lines.len(), count, "{text}");
        for (line, reason) in lines.iter().zip(["the client offers NTLM", "the policy has it first"]) {
            assert!(line.contains("CORP") && line.contains("alice") && line.contains(reason), "{line}");
            let peer = if reason.starts_with("the client") { "192.0.2.7" } else { "HTTP/www.example.com" };
            assert!(line.contains(&format!("peer={peer:?}")), "{line}");
        }
    }
}

/// A handshake one token of which is damaged. Where both complete, the list is the one that was sent, and both have the keys.
fn damaged(package: &Negotiate, at: usize, mutator: &mut Mutator) {
    let (mut client, mut server) = (client(package), server(package));
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let (mut input, mut at_client, mut at_server) = (Vec::new(), None, None);
    for turn in 0..6 {
        let step = match turn % 2 {
            0 => client.initialize_security_context(&input),
            _ => accept(server.as_mut(), &input),
        };
        input = match step {
            Ok(Step::Continue { token, .. }) => token,
            Ok(Step::Complete { context, token, .. }) => {
                *if turn % 2 == 0 { &mut at_client } else { &mut at_server } = Some(context);
                token
            }
            Ok(_) | Err(_) => break,
        };
        if input.is_empty() {
            break;
        }
        if turn == at {
            mutator.mutate_some(&mut input, 3);
        }
        sent.push(input.clone());
    }
    if let (Some(mut at_client), Some(mut at_server)) = (at_client, at_server) {
        let Ok(NegotiationToken::Init(offer)) = NegotiationToken::decode(&sent[0]) else { panic!() };
        assert_eq!(offer.mech_types.iter().collect::<Vec<_>>(), [MechType::NTLM]);
        talk(at_client.as_mut(), at_server.as_mut());
    }
}

#[test]
fn of_a_hundred_thousand_damaged_tokens_with_ntlm_in_them_none_does_more_than_fail() {
    let package = package(&[Toy::new("Strong", &[support::STRONG], 3)], NegotiateConfig::default());
    let only_ntlm = only_ntlm();
    let Step::Continue { token: hints, .. } = server(&package).accept_security_context(&[]).unwrap() else {
        panic!()
    };
    let list = MechTypeList::new([support::mech_type(&support::mech(support::STRONG)), MechType::NTLM]);
    let list = list.unwrap();
    let raw = goes_on(bare_client().initialize_security_context(&[]).unwrap());
    let credentials = only_ntlm.acquire_credentials_handle(&inbound()).unwrap();
    let mut mutator = Mutator::new(11);
    for round in 0..100_000 {
        match round % 20 {
            0 => damaged(&only_ntlm, round / 20 % 4, &mut mutator),
            // Whatever a server says at first: the offer is the client's.
            1..10 => {
                let mut hints = hints.clone();
                mutator.mutate_some(&mut hints, 3);
                match client(&package).initialize_security_context(&hints) {
                    Ok(Step::Continue { token, .. }) => {
                        let Ok(NegotiationToken::Init(offer)) = NegotiationToken::decode(&token) else {
                            panic!("{hints:x?}")
                        };
                        assert_eq!(offer.mech_types.as_der(), list.as_der(), "{hints:x?}");
                    }
                    Ok(step) => panic!("{step:?} {hints:x?}"),
                    Err(failure) => assert!(failure.token.is_empty(), "{hints:x?}"),
                }
            }
            // What is none of SPNEGO is not answered with one.
            _ => {
                let mut raw = raw.clone();
                mutator.mutate_some(&mut raw, 3);
                // A client that says nothing is one to whom the server speaks first.
                if raw.is_empty() {
                    continue;
                }
                let answer = match credentials
                    .accept(&AcceptRequest::default())
                    .unwrap()
                    .accept_security_context(&raw)
                {
                    Ok(Step::Continue { token, .. }) => token,
                    Ok(step) => panic!("{step:?} {raw:x?}"),
                    Err(failure) => failure.token,
                };
                if NegotiationToken::decode(&raw).is_err() {
                    assert!(!NegotiationToken::is_one(&answer), "{raw:x?}");
                }
            }
        }
    }
}

#[test]
fn a_logon_with_ntlm_that_fails_is_recorded_with_the_name_that_was_tried() {
    let package = audited(&[]);
    let text = logged(|| {
        let (mut client, mut server) =
            (client_of(&package, "wrong", IscReq::CONFIDENTIALITY), server(&package));
        let offer = goes_on(client.initialize_security_context(&[]).unwrap());
        let challenge = goes_on(accept(server.as_mut(), &offer).unwrap());
        let proof = goes_on(client.initialize_security_context(&challenge).unwrap());
        drop(accept(server.as_mut(), &proof).unwrap_err());
    });
    let lines: Vec<_> = text.lines().filter(|line| line.contains("NTLM was refused")).collect();
    let [line] = &lines[..] else { panic!("{text}") };
    for part in [r"CORP\\alice", "peer=\"192.0.2.7\"", "SEC_E_LOGON_DENIED"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    // The same of a client that does not negotiate.
    let text = logged(|| {
        let (mut client, mut server) = (bare_client(), server(&package));
        let challenge = goes_on(
            accept(server.as_mut(), &goes_on(client.initialize_security_context(&[]).unwrap())).unwrap(),
        );
        let (_, mut proof) = is_over(client.initialize_security_context(&challenge).unwrap());
        let last = proof.len() - 1;
        proof[last] ^= 1;
        drop(accept(server.as_mut(), &proof).unwrap_err());
    });
    assert!(text.contains("NTLM was refused") && text.contains("alice"), "{text}");
}

#[test]
fn a_context_is_exported_under_the_name_of_its_package_and_imported_again() {
    let package = only_ntlm();
    let (mut at_client, at_server, _) = run(client(&package), server(&package));
    let exported = at_server.export().unwrap();
    assert_eq!(exported.package, "NTLM");
    let mut again = package.import_security_context(&exported).unwrap();
    talk(at_client.as_mut(), again.as_mut());
}
