//! A client's certificate and its account: through every protocol, in a second handshake, and when a session is resumed.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

mod support;

use opensspi_schannel::{
    Allow, ClientAuth, Mapping, Profile, Protocol, Renegotiation, SchannelConfig, WeakMapping, WeakSuites,
};
use sspi_core::{
    AcceptRequest, Account, AscReq, ControlToken, CredentialsHandle, Decrypted, Error, Failure, Fault,
    FoundAccount, PeerIdentity, Question, Renegotiation as Handshake, SecStatus, Step,
};
use support::sessions::Case;
use support::{Kind, World, accept_request, initialize_request, judged_by_the_application, send};
use test_support::TestCertificate;
use test_support::pair::{self, End, Established, Outcome, open};

const UPN: &str = "alice@corp.example";

/// What a directory answers to every question.
type Answer = Result<Vec<FoundAccount>, Error>;

fn alice() -> Answer {
    let account = Account {
        name: "alice".into(),
        domain: Some("CORP".into()),
        upn: Some(UPN.into()),
        ..Account::default()
    };
    Ok(vec![account.into()])
}

fn nobody() -> Answer {
    Ok(Vec::new())
}

fn down() -> Answer {
    Err(Error::new(
        SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY,
        Fault::Configuration,
        "the directory is down",
    ))
}

/// A server that maps UPNs, whether their accounts have identifiers or not.
fn mapping(config: SchannelConfig) -> SchannelConfig {
    SchannelConfig {
        client_auth: ClientAuth::Required,
        mapping: Some(Mapping::Optional),
        nt_auth: vec!["root.pem".to_owned()],
        allow_weak_mappings: Some(vec![WeakMapping::UpnWithoutSid]),
        ..config
    }
}

fn required(config: SchannelConfig) -> SchannelConfig {
    SchannelConfig { mapping: Some(Mapping::Required), ..mapping(config) }
}

fn certificate(world: &World) -> TestCertificate {
    world.pki.client("alice").upn(UPN).rsa_2048().issue()
}

fn with_certificate(world: &World, config: SchannelConfig) -> SchannelConfig {
    SchannelConfig { certificates: vec![world.certificate(&certificate(world))], ..config }
}

/// A handshake with a directory, and what it was asked.
fn run(
    client: &dyn CredentialsHandle,
    server: &dyn CredentialsHandle,
    chunk: usize,
    answer: &Answer,
) -> (Outcome, Outcome, Vec<PeerIdentity>) {
    let client = client.initialize(&initialize_request()).unwrap();
    let server = server.accept(&accept_request()).unwrap();
    let mut asked = Vec::new();
    let (client, server) = pair::run(client, server, chunk, &mut |question| {
        let Question::Account(ask) = question else { panic!("{question:?}") };
        asked.push(ask.question().clone());
        ask.answer(answer.clone());
    });
    (client, server, asked)
}

fn both(client: Outcome, server: Outcome) -> (Established, Established) {
    let whole = |outcome: Outcome| outcome.unwrap_or_else(|error| panic!("{error}"));
    (whole(client), whole(server))
}

#[test]
fn every_protocol_asks_for_the_account_and_the_context_has_it() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(with_certificate(&world, world.client_of(kind)));
        let server = world.inbound(mapping(world.server_of(kind)));
        for chunk in [7, usize::MAX] {
            let (client, server, asked) = run(&*client, &*server, chunk, &alice());
            let (mut client, mut server) = both(client, server);
            assert_eq!(asked, [PeerIdentity::UserPrincipalName(UPN.into())], "{kind:?}");
            let account = server.context.security_context_token().unwrap();
            assert_eq!((&*account.name, &*account.matched_by), ("alice", "upn-without-sid"), "{kind:?}");
            assert_eq!(server.context.attributes().names().unwrap(), "CORP\\alice");
            assert!(client.context.security_context_token().is_err());
            assert_eq!(send(&mut client, &mut server, b"hello"), b"hello", "{kind:?}");
            assert_eq!(send(&mut server, &mut client, b"and back"), b"and back", "{kind:?}");
        }
    }
}

#[test]
fn so_do_pct_and_ssl_2() {
    let world = World::default();
    let weak = Some(WeakSuites::ALL.into_iter().map(Allow::Suites).collect());
    for protocol in [Protocol::Pct1, Protocol::Ssl20] {
        let old = |config| SchannelConfig {
            profile: Profile::Windows2003,
            protocols: vec![protocol],
            i_accept_drown: true,
            allow: weak.clone(),
            renegotiation: Renegotiation::Both,
            ..config
        };
        let rsa = vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())];
        let server = SchannelConfig { certificates: rsa, ..old(mapping(world.server(&[]))) };
        let client = old(with_certificate(&world, world.client(&[])));
        let (client, server) = (world.outbound(client), world.inbound(server));
        let (client, server, asked) = run(&*client, &*server, usize::MAX, &alice());
        let (mut client, mut server) = both(client, server);
        assert_eq!(asked.len(), 1, "{protocol:?}");
        assert_eq!(server.context.security_context_token().unwrap().name, "alice");
        assert_eq!(send(&mut client, &mut server, b"hello"), b"hello");
        if protocol == Protocol::Pct1 {
            let (mut client, mut server) = negotiate_again(client, server, &alice());
            assert_eq!(server.context.security_context_token().unwrap().name, "alice");
            assert_eq!(send(&mut client, &mut server, b"again"), b"again");
            let (_, server) = negotiate_again(client, server, &nobody());
            assert!(server.context.security_context_token().is_err(), "the account is gone");
        }
    }
}

/// What a directory has of alice where nothing but this kind of mapping finds her.
fn alice_by(weak: WeakMapping) -> Answer {
    let identity = match weak {
        WeakMapping::UpnWithoutSid => return alice(),
        WeakMapping::IssuerAndSubject => "X509:<I>CN=OpenSSPI Test Root<S>CN=alice",
        WeakMapping::Subject => "X509:<S>CN=alice",
        WeakMapping::Rfc822 => "X509:<RFC822>alice@mail.example",
        WeakMapping::Issuer => "X509:<I>CN=OpenSSPI Test Root",
    };
    let account = Account { name: "alice".into(), ..Account::default() };
    Ok(vec![FoundAccount { security_identities: vec![identity.to_owned()], ..account.into() }])
}

#[test]
fn the_profile_of_2003_takes_every_kind_of_mapping_that_was_taken_in_2003() {
    let world = World::default();
    let alice = world.pki.client("alice").upn(UPN).email("alice@mail.example").rsa_2048().issue();
    let certificates = vec![world.certificate(&alice)];
    let rsa = vec![world.certificate(&world.pki.server("localhost").rsa_2048().issue())];
    for profile in [Profile::Windows2003, Profile::Modern] {
        let client = world.client_of(Kind::Tls10);
        let client = world.outbound(SchannelConfig { profile, certificates: certificates.clone(), ..client });
        let server = |allow_weak_mappings| {
            let config = mapping(world.server_of(Kind::Tls10));
            world.inbound(SchannelConfig {
                profile,
                i_accept_drown: true,
                certificates: rsa.clone(),
                allow_weak_mappings,
                ..config
            })
        };
        let token = |server: &dyn CredentialsHandle, weak| {
            let (_, server, _) = run(&*client, server, usize::MAX, &alice_by(weak));
            server.unwrap().context.security_context_token()
        };
        let by_profile = server(None);
        for weak in WeakMapping::ALL {
            let others = WeakMapping::ALL.into_iter().filter(|other| *other != weak).collect();
            let named = token(&*server(Some(vec![weak])), weak);
            let not_named = token(&*server(Some(others)), weak);
            let unsaid = token(&*by_profile, weak);
            let (taken, refused) = match profile {
                Profile::Windows2003 => (vec![named, unsaid], vec![not_named]),
                _ => (vec![named], vec![not_named, unsaid]),
            };
            for account in taken {
                let account = account.unwrap_or_else(|error| panic!("{profile:?}, {weak:?}: {error}"));
                assert_eq!((&*account.name, &*account.matched_by), ("alice", weak.name()), "{profile:?}");
            }
            for refusal in refused {
                let error = refusal.unwrap_err();
                let remedy = &error.remedies()[0];
                let expected = ("allow-weak-mappings", weak.name());
                assert_eq!((&*remedy.setting, &*remedy.value), expected, "{profile:?}: {error}");
                assert_eq!(error.setting(), Some("allow-weak-mappings"), "{profile:?}, {weak:?}");
            }
        }
    }
}

#[test]
fn without_an_account_a_connection_goes_on_and_says_why_there_is_none() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(with_certificate(&world, world.client_of(kind)));
        let server = world.inbound(mapping(world.server_of(kind)));
        for (answer, status) in [
            (nobody(), SecStatus::SEC_E_NO_IMPERSONATION),
            (down(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY),
        ] {
            let (client, server, _) = run(&*client, &*server, usize::MAX, &answer);
            let (mut client, mut server) = both(client, server);
            assert_eq!(server.context.security_context_token().unwrap_err().status(), status);
            assert_eq!(send(&mut client, &mut server, b"hello"), b"hello", "{kind:?}");
        }
    }
}

#[test]
fn a_client_without_an_account_is_refused_where_one_is_required_and_hears_so() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(with_certificate(&world, case.client(&world)));
        let server = world.inbound(required(case.server(&world)));
        for (answer, status, alert) in [
            (nobody(), SecStatus::SEC_E_LOGON_DENIED, 49),
            (down(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, 80),
        ] {
            let (client, server, _) = run(&*client, &*server, usize::MAX, &answer);
            let refused = server.map(|_| ()).unwrap_err();
            // SSL 3.0 has neither of these alerts: the error has the one that is sent.
            let sent = match (case, alert) {
                (Case::Tls(Kind::Ssl30, _), 49) => 46,
                (Case::Tls(Kind::Ssl30, _), _) => 40,
                _ => alert,
            };
            assert_eq!((refused.status(), refused.alert()), (status, Some(sent)), "{case:?}");
            // Without alerts it is the handshake that fails.
            assert!(client.is_err() || matches!(case, Case::Tls(..)), "{case:?}");
            // Its handshake may be over before the answer comes: then the first record is the refusal.
            let heard =
                client.and_then(|mut client| open(&mut *client.context, &mut client.extra).map(|_| ()));
            let heard = heard.unwrap_err();
            // What is older has no alerts.
            let known = match (case, alert) {
                (Case::Ssl2, _) | (Case::Tls(Kind::Ssl30, _), 49) => SecStatus::SEC_E_CERT_UNKNOWN,
                (Case::Tls(Kind::Ssl30, _), _) => SecStatus::SEC_E_ILLEGAL_MESSAGE,
                (Case::Pct, _) | (_, 49) => SecStatus::SEC_E_LOGON_DENIED,
                _ => SecStatus::SEC_E_INTERNAL_ERROR,
            };
            assert_eq!(heard.fault(), Fault::PeerReported, "{case:?}: {heard}");
            assert_eq!(heard.status(), known, "{case:?}: {heard}");
        }
        let (client, server, _) = run(&*client, &*server, usize::MAX, &alice());
        let (_, server) = both(client, server);
        assert_eq!(server.context.security_context_token().unwrap().name, "alice", "{case:?}");
    }
}

/// As after any other failure.
#[test]
fn a_client_without_an_account_is_told_nothing_where_the_application_tells_no_errors() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(with_certificate(&world, case.client(&world)));
        let server = world.inbound(required(case.server(&world)));
        let request = AcceptRequest { flags: AscReq::STREAM, ..AcceptRequest::default() };
        let mut client = End::from(client.initialize(&initialize_request()).unwrap());
        let mut server = End::from(server.accept(&request).unwrap());
        let (mut for_client, mut for_server) = (Vec::new(), Vec::new());
        let failure = 'handshake: loop {
            match client.advance(&for_client).unwrap() {
                Step::Continue { token, used } | Step::Complete { token, used, .. } => {
                    for_client.drain(..used);
                    for_server.extend(token);
                }
                Step::Incomplete { .. } => {}
                other => panic!("{case:?}: {other:?}"),
            }
            while !for_server.is_empty() {
                match server.advance(&for_server) {
                    Ok(Step::Continue { token, used }) => {
                        for_server.drain(..used);
                        for_client.extend(token);
                    }
                    Ok(Step::Ask(Question::Account(ask))) => ask.answer(nobody()),
                    Ok(Step::Incomplete { .. }) => break,
                    Ok(other) => panic!("{case:?}: {other:?}"),
                    Err(failure) => break 'handshake failure,
                }
            }
        };
        assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED, "{case:?}");
        assert!(failure.token.is_empty(), "{case:?}");
    }
}

#[test]
fn an_application_that_judges_clients_itself_cannot_have_an_account_required() {
    let world = World::default();
    for kind in Kind::ALL {
        let request = AcceptRequest { manual_cred_validation: true, ..accept_request() };
        let server = world.inbound(required(world.server_of(kind)));
        let error = server.accept(&request).map(|_| ()).unwrap_err();
        assert_eq!(
            (error.status(), error.setting()),
            (SecStatus::SEC_E_UNSUPPORTED_FUNCTION, Some("mapping")),
            "{kind:?}"
        );
        assert!(world.inbound(mapping(world.server_of(kind))).accept(&request).is_ok(), "{kind:?}");
    }
}

#[test]
fn a_refusal_is_repeated_whatever_comes_after_it() {
    let world = World::default();
    let client = world.outbound(with_certificate(&world, world.client_of(Kind::Tls13)));
    let server = world.inbound(required(world.server_of(Kind::Tls13)));
    let mut client = client.initialize(&initialize_request()).unwrap();
    let mut server = server.accept(&accept_request()).unwrap();
    let Step::Continue { token: hello, .. } = client.initialize_security_context(&[]).unwrap() else {
        panic!()
    };
    let Step::Continue { token: flight, .. } = server.accept_security_context(&hello).unwrap() else {
        panic!()
    };
    let mut rest = flight;
    let finished = loop {
        match client.initialize_security_context(&rest).unwrap() {
            Step::Continue { token, used } if token.is_empty() => drop(rest.drain(..used)),
            Step::Complete { token, .. } | Step::Continue { token, .. } => break token,
            other => panic!("{other:?}"),
        }
    };
    let mut rest = finished;
    let ask = loop {
        match server.accept_security_context(&rest).unwrap() {
            Step::Continue { used, .. } => drop(rest.drain(..used)),
            Step::Ask(Question::Account(ask)) => break ask,
            other => panic!("{other:?}"),
        }
    };
    let unanswered = server.accept_security_context(&rest).unwrap_err().error;
    assert_eq!(
        (unanswered.status(), unanswered.fault()),
        (SecStatus::SEC_E_INVALID_HANDLE, Fault::ApiMisuse)
    );
    ask.answer(alice());
    let again = server.accept_security_context(&rest).unwrap_err().error;
    assert_eq!(again.to_string(), unanswered.to_string());
}

#[test]
fn a_resumed_session_is_mapped_again() {
    let world = World::default();
    for case in Case::all() {
        let client = world.outbound(with_certificate(&world, case.client(&world)));
        let server = world.inbound(required(case.server(&world)));
        let (first, at_server, _) = run(&*client, &*server, usize::MAX, &alice());
        let (mut first, mut at_server) = both(first, at_server);
        send(&mut at_server, &mut first, b"and a ticket");
        let (again, at_server, asked) = run(&*client, &*server, usize::MAX, &alice());
        let (mut again, mut at_server) = both(again, at_server);
        assert!(at_server.context.attributes().session_info().unwrap().reconnect, "{case:?}");
        assert_eq!(asked.len(), 1, "{case:?}");
        assert_eq!(at_server.context.security_context_token().unwrap().name, "alice", "{case:?}");
        send(&mut at_server, &mut again, b"and a ticket");
        // The account is gone: the session that was made with it is worth nothing.
        let (_, at_server, asked) = run(&*client, &*server, usize::MAX, &nobody());
        assert_eq!(at_server.map(|_| ()).unwrap_err().status(), SecStatus::SEC_E_LOGON_DENIED, "{case:?}");
        assert!(!asked.is_empty(), "{case:?}");
    }
}

/// Runs a second handshake, which the server has asked for where it can, with a directory. Where the server refuses, the client's end of it
/// and the refusal.
fn try_again(
    mut client: Established,
    mut server: Established,
    answer: &Answer,
) -> Result<(Established, Established), Box<(End, Failure)>> {
    // PCT has no request for one: its client begins.
    if let Ok(mut request) = server.context.apply_control_token(&ControlToken::Renegotiate) {
        assert_eq!(open(&mut *client.context, &mut request).unwrap().1, Decrypted::Renegotiate);
    }
    let Handshake::Initialize(again) = client.context.renegotiate(&[]).unwrap() else { panic!() };
    let mut client = End::Client(again);
    let Step::Continue { token: mut hello, .. } = client.advance(&[]).unwrap() else { panic!() };
    assert_eq!(open(&mut *server.context, &mut hello).unwrap().1, Decrypted::Renegotiate);
    let Handshake::Accept(again) = server.context.renegotiate(&[]).unwrap() else { panic!() };
    let mut ends = [Some(client), Some(End::Server(again))];
    let mut pending = [Vec::new(), hello];
    let mut done = [None, None];
    for round in 0..100 {
        let at = (round + 1) % 2;
        let Some(end) = &mut ends[at] else { continue };
        let (token, used) = match end.advance(&pending[at]) {
            Ok(Step::Continue { token, used }) => (token, used),
            Ok(Step::Ask(Question::Account(ask))) => {
                ask.answer(answer.clone());
                continue;
            }
            Ok(Step::Complete { context, token, used }) => {
                ends[at] = None;
                done[at] = Some(context);
                (token, used)
            }
            Ok(Step::Incomplete { .. }) => continue,
            Ok(other) => panic!("{other:?}"),
            Err(failure) => match ends[0].take() {
                Some(client) if at == 1 => return Err(Box::new((client, failure))),
                _ => panic!("{}", failure.error),
            },
        };
        pending[at].drain(..used);
        pending[1 - at].extend(token);
    }
    let [client, server] = done.map(|context| context.unwrap());
    let [for_client, for_server] = pending;
    let established = |context, extra| Established { context, extra, sent: Vec::new() };
    Ok((established(client, for_client), established(server, for_server)))
}

fn negotiate_again(client: Established, server: Established, answer: &Answer) -> (Established, Established) {
    try_again(client, server, answer).unwrap_or_else(|refused| panic!("{}", refused.1.error))
}

#[test]
fn the_account_follows_the_newest_certificate() {
    let world = World::default();
    for kind in Kind::LEGACY {
        let server = SchannelConfig {
            client_auth: ClientAuth::None,
            renegotiation: Renegotiation::Ours,
            renegotiation_client_auth: ClientAuth::Required,
            ..mapping(world.server_of(kind))
        };
        let client = SchannelConfig {
            renegotiation: Renegotiation::Both,
            ..with_certificate(&world, world.client_of(kind))
        };
        let (client, server) = (world.outbound(client), world.inbound(server));
        let (client, server, asked) = run(&*client, &*server, usize::MAX, &alice());
        let (client, server) = both(client, server);
        assert!(asked.is_empty(), "it has shown no certificate yet");
        assert_eq!(
            server.context.security_context_token().unwrap_err().status(),
            SecStatus::SEC_E_NO_IMPERSONATION
        );
        let (client, server) = negotiate_again(client, server, &alice());
        assert_eq!(server.context.security_context_token().unwrap().name, "alice", "{kind:?}");
        let (mut client, mut server) = negotiate_again(client, server, &nobody());
        assert!(server.context.security_context_token().is_err(), "{kind:?}");
        assert_eq!(send(&mut client, &mut server, b"hello"), b"hello", "{kind:?}");
    }
}

#[test]
fn a_second_handshake_without_an_account_is_refused_where_one_is_required() {
    let world = World::default();
    for kind in Kind::LEGACY {
        let server = SchannelConfig { renegotiation: Renegotiation::Ours, ..required(world.server_of(kind)) };
        let client = SchannelConfig {
            renegotiation: Renegotiation::Both,
            ..with_certificate(&world, world.client_of(kind))
        };
        let (client, server) = (world.outbound(client), world.inbound(server));
        let (client, server, _) = run(&*client, &*server, usize::MAX, &alice());
        let (client, server) = both(client, server);
        let (client, server) = negotiate_again(client, server, &alice());
        let Err(refusal) = try_again(client, server, &nobody()) else {
            panic!("{kind:?}: there is no account any more")
        };
        let (mut client, mut refused) = *refusal;
        assert_eq!(refused.error.status(), SecStatus::SEC_E_LOGON_DENIED, "{kind:?}");
        // The client's handshake is over with what comes before the refusal, which is the first record under the new keys.
        let heard = loop {
            match client.advance(&refused.token) {
                Ok(Step::Continue { used, .. }) => drop(refused.token.drain(..used)),
                Ok(Step::Complete { mut context, used, .. }) => {
                    refused.token.drain(..used);
                    break open(&mut *context, &mut refused.token).map(|_| ()).unwrap_err();
                }
                Ok(other) => panic!("{kind:?}: {other:?}"),
                Err(failure) => break failure.error,
            }
        };
        assert_eq!(heard.fault(), Fault::PeerReported, "{kind:?}: {heard}");
    }
}

#[test]
fn nobody_is_asked_where_nothing_is_mapped() {
    let world = World::default();
    for kind in Kind::ALL {
        let client = world.outbound(with_certificate(&world, world.client_of(kind)));
        let off = SchannelConfig { mapping: None, ..mapping(world.server_of(kind)) };
        let (_, server, asked) = run(&*client, &*world.inbound(off), usize::MAX, &alice());
        assert_eq!(server.unwrap().context.security_context_token().unwrap_err().setting(), Some("mapping"));
        assert!(asked.is_empty(), "{kind:?}");

        let optional =
            SchannelConfig { client_auth: ClientAuth::Optional, ..required(world.server_of(kind)) };
        let anonymous = world.outbound(world.client_of(kind));
        let (_, server, asked) = run(&*anonymous, &*world.inbound(optional), usize::MAX, &alice());
        assert!(server.unwrap().context.security_context_token().is_err());
        assert!(asked.is_empty(), "{kind:?}: whether there is a certificate is another setting's concern");

        let server = world.inbound(mapping(world.server_of(kind)));
        let (_, server) = judged_by_the_application(&*client, &*server);
        assert!(server.unwrap().context.security_context_token().is_err(), "nobody has verified it");
    }
}

#[test]
fn an_authority_that_cannot_be_read_is_named_with_its_setting() {
    let world = World::default();
    let config =
        SchannelConfig { nt_auth: vec!["missing.pem".to_owned()], ..mapping(world.server_of(Kind::Tls13)) };
    let error = world.acquire(config, sspi_core::CredentialUse::Inbound).map(|_| ()).unwrap_err();
    assert_eq!(error.setting(), Some("nt-auth"));
}
