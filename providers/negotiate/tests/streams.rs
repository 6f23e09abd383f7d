//! Schannel among the packages: one acceptor for whatever comes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

extern crate schannel as opensspi_schannel;

#[path = "../../schannel/tests/support/mod.rs"]
mod schannel_support;
mod support;

use std::sync::Arc;

use gss::{InitialContextToken, MechType, NegotiationToken};
use opensspi_negotiate::{ListenerRule, Negotiate, NegotiateConfig, NtlmPolicy, RawPolicy, TargetRule};
use opensspi_schannel::{
    ClientAuth, ClientCertificate, Profile, Protocol, Renegotiation, Schannel, SchannelConfig,
};
use schannel_support::again::{both, client_begins, finish};
use schannel_support::truth_table::{self, OLD, every_client_and_every_server, protocol_of};
use schannel_support::{
    Kind, World, accept_request, established, handshake, initialize_request, no_questions, send,
};
use sspi_core::{
    AcceptRequest, AlertLevel, AscReq, AuthData, AuthIdentity, CertificateIdentity, ContextFlags,
    ControlToken, CredentialUse, CredentialsHandle, CredentialsRequest, Decrypted, InitializeRequest, IscReq,
    NegotiationState, Question, Registry, SecPkgFlags, SecStatus, Secret, SecurityContext,
    SecurityPackage as _, SpProt, Step,
};
use support::{STRONG, Toy, WEAK, talk};
use test_support::pair::{self, Established, open};

/// Negotiate over these, and over Schannel with its configuration.
fn over(schannel: Schannel, toys: &[Toy], config: NegotiateConfig) -> Negotiate {
    let mut registry = Registry::new();
    registry.register(Arc::new(schannel)).unwrap();
    for toy in toys {
        registry.register(Arc::new(toy.clone())).unwrap();
    }
    Negotiate::new(config, registry)
}

/// The packages of these names.
fn packages(names: &[&str]) -> NegotiateConfig {
    let packages = names.iter().map(|name| (*name).to_owned()).collect();
    NegotiateConfig { packages, ..NegotiateConfig::default() }
}

fn acquire(package: &Negotiate, role: CredentialUse) -> Arc<dyn CredentialsHandle> {
    package.acquire_credentials_handle(&CredentialsRequest::configured(role)).unwrap()
}

/// Credentials of Negotiate with Schannel as it is configured, and with a mechanism that nobody uses.
fn negotiated(
    world: &World,
    schannel: SchannelConfig,
    role: CredentialUse,
    protocols: &[SpProt],
) -> Arc<dyn CredentialsHandle> {
    let config = NegotiateConfig { protocols: protocols.to_vec(), ..packages(&["Schannel", "Strong"]) };
    acquire(&over(world.package(schannel), &[Toy::new("Strong", &[STRONG], 3)], config), role)
}

fn said(context: &dyn SecurityContext) -> (String, SpProt) {
    let info = context.attributes().negotiation_info().unwrap();
    assert_eq!(info.state, NegotiationState::Complete);
    assert_eq!(context.attributes().negotiation_package().unwrap(), info.package.name);
    (info.package.name.to_string(), info.protocol)
}

#[test]
fn every_client_and_every_server_of_the_four_speak_the_best_that_both_have_through_negotiate() {
    let world = World::default();
    let acquire = |config, role| negotiated(&world, config, role, &[]);
    let mut spoken = [0; 4];
    every_client_and_every_server(&world, acquire, |client, server, best| {
        let of = |role| ("Schannel".to_owned(), best.bits().intersection(role));
        assert_eq!(said(&*client.context), of(SpProt::CLIENTS));
        assert_eq!(said(&*server.context), of(SpProt::SERVERS));
        spoken[OLD.iter().position(|protocol| *protocol == best).unwrap()] += 1;
    });
    assert!(spoken.iter().all(|count| *count > 0), "{spoken:?}");
}

/// What is spoken by a client and a server that each have all protocols between two, the newest first; `None` where they have
/// nothing in common.
fn newest_of_both(client: &[Protocol], server: &[Protocol]) -> Option<Protocol> {
    server.iter().find(|protocol| client.contains(protocol)).copied()
}

#[test]
fn from_ssl_3_to_tls_1_3_the_newest_that_both_have_is_spoken_through_negotiate() {
    let world = World::default();
    let ranges = |all: &[Protocol]| {
        let of = |begin: usize| (begin + 1..=all.len()).map(move |end| (begin, end));
        (0..all.len()).flat_map(of).map(|(begin, end)| all[begin..end].to_vec()).collect::<Vec<_>>()
    };
    let ranges = ranges(&schannel_support::TLS);
    let acquired = |role, of: fn(&World, &[Protocol]) -> SchannelConfig| {
        let one = |range: &Vec<Protocol>| negotiated(&world, of(&world, range), role, &[]);
        ranges.iter().map(one).collect::<Vec<_>>()
    };
    let clients = acquired(CredentialUse::Outbound, truth_table::client);
    let servers = acquired(CredentialUse::Inbound, truth_table::server);
    for (ours, server) in ranges.iter().zip(&servers) {
        for (theirs, client) in ranges.iter().zip(&clients) {
            let what = format!("{theirs:?} to {ours:?}");
            let (c, s) = match handshake(&**client, &**server, usize::MAX) {
                // A hello of TLS 1.3 and 1.2 has no room for what is older: that is a second one.
                (Err(error), _) if error.suggests_fallback() => {
                    let again = InitializeRequest { fallback: true, ..initialize_request() };
                    let (c, s) =
                        (client.initialize(&again).unwrap(), server.accept(&accept_request()).unwrap());
                    pair::run(c, s, usize::MAX, &mut no_questions)
                }
                both => both,
            };
            match newest_of_both(theirs, ours) {
                Some(best) => {
                    let (c, s) = (
                        c.unwrap_or_else(|e| panic!("{what}: {e}")),
                        s.unwrap_or_else(|e| panic!("{what}: {e}")),
                    );
                    assert_eq!(said(&*c.context).1, best.bits().intersection(SpProt::CLIENTS), "{what}");
                    assert_eq!(said(&*s.context).1, best.bits().intersection(SpProt::SERVERS), "{what}");
                }
                None => assert!(c.is_err() && s.is_err(), "{what}"),
            }
        }
    }
}

/// Spec: WS2003 (How TLS/SSL Works: TLS/SSL Architecture, Security Support Provider Interface).
#[test]
fn the_example_of_how_tls_ssl_works_a_server_of_all_four_and_a_client_of_ssl_3_and_pct_speak_ssl_3() {
    let world = World::default();
    let two = [Protocol::Pct1, Protocol::Ssl30];
    let client = negotiated(&world, truth_table::client(&world, &two), CredentialUse::Outbound, &[]);
    let server = negotiated(&world, truth_table::server(&world, &OLD), CredentialUse::Inbound, &[]);
    let (c, s) = handshake(&*client, &*server, usize::MAX);
    let (c, s) = (c.unwrap(), s.unwrap());
    assert_eq!((protocol_of(&c), protocol_of(&s)), (0x0300, 0x0300));
    let of = |role| ("Schannel".to_owned(), SpProt::SSL3.intersection(role));
    assert_eq!((said(&*c.context), said(&*s.context)), (of(SpProt::CLIENTS), of(SpProt::SERVERS)));
}

#[test]
fn a_profile_has_the_order_of_its_time_through_negotiate() {
    let world = World::default();
    let of_profile = |profile| SchannelConfig { profile, ..truth_table::server(&world, &[]) };
    let acquired = |profile| negotiated(&world, of_profile(profile), CredentialUse::Inbound, &[]);
    let speak = |server: &Arc<dyn CredentialsHandle>, protocols: &[Protocol]| {
        let client = negotiated(&world, truth_table::client(&world, protocols), CredentialUse::Outbound, &[]);
        protocol_of(&handshake(&*client, &**server, usize::MAX).1.unwrap())
    };
    let (of_2003, museum) = (acquired(Profile::Windows2003), acquired(Profile::Museum));
    assert_eq!(speak(&of_2003, &[Protocol::Tls10, Protocol::Ssl30]), 0x0301);
    assert_eq!(speak(&of_2003, &[Protocol::Ssl30, Protocol::Ssl20]), 0x0300);
    assert_eq!(speak(&of_2003, &[Protocol::Tls10, Protocol::Ssl20]), 0x0301);
    // It has PCT where that is named, as Windows Server 2003 has it where the registry says so.
    assert_eq!(speak(&of_2003, &[Protocol::Pct1, Protocol::Ssl20]), 0x0002);
    assert_eq!(speak(&museum, &[Protocol::Tls13, Protocol::Tls12]), 0x0304);
    assert_eq!(speak(&museum, &[Protocol::Pct1, Protocol::Ssl20]), 0x8001);
}

#[test]
fn the_protocols_of_negotiate_are_what_schannel_is_asked_for_in_their_order() {
    let world = World::default();
    let all_four = || truth_table::server(&world, &OLD);
    let client = negotiated(&world, truth_table::client(&world, &OLD), CredentialUse::Outbound, &[]);
    let speak = |protocols: &[SpProt]| {
        let server = negotiated(&world, all_four(), CredentialUse::Inbound, protocols);
        handshake(&*client, &*server, usize::MAX).1.map(|side| protocol_of(&side))
    };
    assert_eq!(speak(&[]).unwrap(), 0x0301);
    for (order, spoken) in [
        (&[SpProt::SSL3, SpProt::TLS1_0][..], 0x0300),
        (&[SpProt::TLS1_0, SpProt::SSL3], 0x0301),
        (&[SpProt::SSL3], 0x0300),
        (&[SpProt::PCT1, SpProt::SSL3], 0x8001),
        (&[SpProt::PCT1], 0x8001),
    ] {
        assert_eq!(speak(order).unwrap(), spoken, "{order:?}");
    }
    // What is not named is not spoken, though its own section enables it; and so at a client.
    let server = negotiated(&world, all_four(), CredentialUse::Inbound, &[SpProt::TLS1_0]);
    let only =
        |protocol| negotiated(&world, truth_table::client(&world, &[protocol]), CredentialUse::Outbound, &[]);
    let (_, refused) = handshake(&*only(Protocol::Ssl30), &*server, usize::MAX);
    assert_eq!(refused.err().unwrap().status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let whole = negotiated(&world, all_four(), CredentialUse::Inbound, &[]);
    let narrow = negotiated(
        &world,
        truth_table::client(&world, &OLD),
        CredentialUse::Outbound,
        &[SpProt::SSL3, SpProt::PCT1],
    );
    assert_eq!(protocol_of(&handshake(&*narrow, &*whole, usize::MAX).0.unwrap()), 0x0300);
}

#[test]
fn a_protocol_that_schannel_does_not_have_is_an_error_of_the_configuration() {
    let world = World::default();
    let with = |schannel: SchannelConfig, names: &[&str], protocols: &[SpProt]| {
        let config = NegotiateConfig { protocols: protocols.to_vec(), ..packages(names) };
        over(world.package(schannel), &[], config).check()
    };
    let modern = || world.server(&[]);
    assert!(with(modern(), &["Schannel"], &[SpProt::TLS1_2, SpProt::TLS1_3]).is_ok());
    let error = with(modern(), &["Schannel"], &[SpProt::TLS1_2, SpProt::TLS1_1]).unwrap_err();
    assert_eq!(error.setting(), Some("negotiate.protocols"));
    assert_eq!(
        error.message(),
        "\"tls1.1\" is not among the protocols that Schannel has here (tls1.3, tls1.2); protocols = [\"tls1.1\"] or \
         profile = \"legacy\" in its own section would enable it. Did you mean tls1.2?"
    );
    // The same with the credentials.
    let config = NegotiateConfig { protocols: vec![SpProt::SSL3], ..packages(&["Schannel"]) };
    let package = over(world.package(modern()), &[], config);
    let error = package.acquire_credentials_handle(&support::inbound()).map(drop).unwrap_err();
    assert_eq!(error.setting(), Some("negotiate.protocols"));
    let error = with(modern(), &[], &[SpProt::TLS1_2]).unwrap_err();
    assert!(error.message().contains("packages names none, such as Schannel"), "{error}");
    assert_eq!(error.setting(), Some("negotiate.protocols"));
}

/// A server for everything: SPNEGO, tokens without it, and hellos of every protocol.
fn takes_whatever_comes(world: &World) -> Negotiate {
    let toys = [Toy::new("Strong", &[STRONG], 3), Toy::new("Kerberos", &["1.2.840.113554.1.2.2"], 2)];
    let config = NegotiateConfig { raw: RawPolicy::Allow, ..packages(&["Strong", "Schannel", "Kerberos"]) };
    over(world.package(truth_table::server(world, &Protocol::ALL)), &toys, config)
}

#[test]
fn one_acceptor_takes_every_hello_however_its_bytes_arrive_and_every_token() {
    let world = World::default();
    let package = takes_whatever_comes(&world);
    let capabilities = package.package_info().capabilities;
    assert!(capabilities.is_stream() && capabilities.contains(SecPkgFlags::GSS_COMPATIBLE));
    let server = acquire(&package, CredentialUse::Inbound);
    for protocol in Protocol::ALL {
        for chunk in [1, 3, usize::MAX] {
            let client = world.outbound(world.client(&[protocol]));
            let (c, s) = handshake(&*client, &*server, chunk);
            let (mut c, mut s) = (c.unwrap_or_else(|e| panic!("{e}")), s.unwrap_or_else(|e| panic!("{e}")));
            assert_eq!(said(&*s.context), ("Schannel".into(), protocol.bits().intersection(SpProt::SERVERS)));
            assert_eq!(send(&mut c, &mut s, b"hello"), b"hello");
            assert_eq!(send(&mut s, &mut c, b"and back"), b"and back");
        }
    }
    let at_client = support::negotiate(&[Toy::new("Strong", &[STRONG], 3)]);
    let ran = support::run(support::client(&at_client), server.accept(&accept_request()).unwrap());
    let (mut c, mut s) = ran.both();
    assert_eq!(said(&*s), ("Strong".into(), SpProt::NONE));
    talk(&mut *c, &mut *s);
    // Tokens without SPNEGO are for the mechanism that they name, and for nobody where there is none.
    let token = InitialContextToken { mechanism: MechType::KERBEROS, inner: b"x" }.to_bytes();
    let failure = server.accept(&accept_request()).unwrap().accept_security_context(&token).unwrap_err();
    assert_eq!(failure.error.message(), "another token was expected", "Kerberos has seen it");
    let mut raw = server.accept(&accept_request()).unwrap();
    let step = raw.accept_security_context(b"NTLMS").unwrap();
    assert!(matches!(step, Step::Incomplete { missing: Some(3) }), "{step:?}");
    let failure = raw.accept_security_context(b"NTLMSSP\0\x01\0\0\0").unwrap_err();
    assert!(failure.error.message().contains("offers only NTLM"), "{}", failure.error);
    assert!(failure.error.message().contains("has only Strong, Kerberos, Schannel"), "{}", failure.error);
}

#[test]
fn a_caller_that_asks_for_no_stream_gets_none() {
    let world = World::default();
    let package = takes_whatever_comes(&world);
    let server = acquire(&package, CredentialUse::Inbound);
    let client = world.outbound(world.client(&[]));
    let Step::Continue { token: hello, .. } =
        client.initialize(&initialize_request()).unwrap().initialize_security_context(&[]).unwrap()
    else {
        panic!()
    };
    // As an HTTP server asks, whose clients send their tokens in headers: who connects with TLS there may be nobody.
    let request = AcceptRequest { flags: AscReq::CONNECTION, ..AcceptRequest::default() };
    let failure = server.accept(&request).unwrap().accept_security_context(&hello).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{}", failure.error);
    let only = over(world.package(world.server(&[])), &[], packages(&["Schannel"]));
    let mut accept = acquire(&only, CredentialUse::Inbound).accept(&request).unwrap();
    let error = accept.accept_security_context(&hello).unwrap_err().error;
    assert!(error.message().contains("is a stream (Schannel), and the caller asks for none"), "{error}");
    let only = over(world.package(world.client(&[])), &[], packages(&["Schannel"]));
    let credentials = acquire(&only, CredentialUse::Outbound);
    let error = credentials.initialize(&InitializeRequest::default()).map(drop).unwrap_err();
    assert_eq!(
        (error.status(), error.setting()),
        (SecStatus::SEC_E_NO_CREDENTIALS, Some("negotiate.packages"))
    );
}

#[test]
fn schannel_is_among_the_packages_only_where_it_is_named() {
    let world = World::default();
    let toys = [Toy::new("Strong", &[STRONG], 3)];
    let package = over(world.package(world.server(&[])), &toys, NegotiateConfig::default());
    assert!(!package.package_info().capabilities.is_stream());
    let client = world.outbound(world.client(&[]));
    let (_, refused) = handshake(&*client, &*acquire(&package, CredentialUse::Inbound), usize::MAX);
    assert_eq!(refused.err().unwrap().status(), SecStatus::SEC_E_INVALID_TOKEN);
}

/// The first token of a client with this policy to this target.
fn begins_with(package: &Negotiate, target: &str, flags: IscReq) -> Vec<u8> {
    let request =
        InitializeRequest { target_name: Some(target.to_owned()), flags, ..InitializeRequest::default() };
    let mut client = acquire(package, CredentialUse::Outbound).initialize(&request).unwrap();
    match client.initialize_security_context(&[]).unwrap() {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_begins_as_its_policy_says() {
    let world = World::default();
    let strong = || Toy::new("Strong", &[STRONG], 3);
    let config = NegotiateConfig {
        targets: vec![TargetRule {
            target: "*.files.example".to_owned(),
            packages: vec!["Strong".to_owned(), "Schannel".to_owned()],
            ntlm: None,
        }],
        ..packages(&["Schannel", "Strong"])
    };
    let package = over(world.package(world.client(&[])), &[strong()], config.clone());
    let is_hello = |token: &[u8]| token.starts_with(&[0x16, 3]);
    assert!(is_hello(&begins_with(&package, "www.example", IscReq::STREAM)));
    let offer = begins_with(&package, "cifs/a.files.example", IscReq::STREAM);
    assert!(matches!(NegotiationToken::decode(&offer), Ok(NegotiationToken::Init(_))));
    // Without a stream there is only what can be negotiated.
    assert!(NegotiationToken::is_one(&begins_with(&package, "www.example", IscReq::CONNECTION)));
    // And where nothing before the stream has credentials, it is the first.
    let package = over(world.package(world.client(&[])), &[strong().without_credentials()], config);
    assert!(is_hello(&begins_with(&package, "cifs/a.files.example", IscReq::STREAM)));
}

#[test]
fn a_listener_has_packages_of_its_own() {
    let world = World::default();
    let rule = |listener: &str, packages: &[&str]| ListenerRule {
        listener: listener.to_owned(),
        packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        ntlm: None,
        raw: None,
    };
    let listeners = vec![rule("*:443", &["Schannel"]), rule("intranet", &["Weak"])];
    let config = NegotiateConfig { listeners, ntlm: NtlmPolicy::Deny, ..packages(&["Strong"]) };
    let toys = [Toy::new("Strong", &[STRONG], 3), Toy::new("Weak", &[WEAK], 3)];
    let at = |listener: Option<&str>| {
        let package = over(world.package(world.server(&[])), &toys, config.clone());
        let package = match listener {
            Some(listener) => package.at_listener(listener),
            None => package,
        };
        acquire(&package, CredentialUse::Inbound).accept(&accept_request()).unwrap()
    };
    let says = |listener: Option<&str>, toy: &str, oid: &str| {
        let at_client = support::negotiate(&[Toy::new(toy, &[oid], 3)]);
        let ran = support::run(support::client(&at_client), at(listener));
        ran.server.map(|context| said(&*context).0).map_err(|error| error.message().to_owned())
    };
    assert_eq!(says(None, "Strong", STRONG).unwrap(), "Strong");
    assert_eq!(says(Some("extranet"), "Strong", STRONG).unwrap(), "Strong");
    assert_eq!(says(Some("Intranet"), "Weak", WEAK).unwrap(), "Weak");
    assert!(says(Some("intranet"), "Strong", STRONG).unwrap_err().contains("has only Weak"));
    assert!(says(Some("192.0.2.1:443"), "Strong", STRONG).unwrap_err().contains("has only Schannel"));
    let client = world.outbound(world.client(&[])).initialize(&initialize_request()).unwrap();
    let (_, s) = pair::run(client, at(Some("192.0.2.1:443")), usize::MAX, &mut no_questions);
    assert_eq!(said(&*s.unwrap().context).0, "Schannel");
}

#[test]
fn what_schannel_asks_and_what_it_answers_pass_through() {
    let world = World::default();
    for kind in Kind::ALL {
        let alice = kind.issue(world.pki.client("alice"));
        let identity = CertificateIdentity {
            chain: alice.chain_der().to_vec(),
            private_key: Arc::new(Secret::new(alice.key_der().to_vec())),
        };
        let server = SchannelConfig { client_auth: ClientAuth::Required, ..world.server_of(kind) };
        let client = SchannelConfig { client_certificate: ClientCertificate::Ask, ..world.client_of(kind) };
        let server = negotiated(&world, server, CredentialUse::Inbound, &[]);
        let client = negotiated(&world, client, CredentialUse::Outbound, &[]);
        let mut asked = 0;
        let (c, s) = pair::run(
            client.initialize(&initialize_request()).unwrap(),
            server.accept(&accept_request()).unwrap(),
            7,
            &mut |question| {
                let Question::ClientCertificate(ask) = question else { panic!("another question") };
                asked += 1;
                ask.answer(Some(identity.clone()));
            },
        );
        let (mut c, mut s) =
            (c.unwrap_or_else(|e| panic!("{kind:?}: {e}")), s.unwrap_or_else(|e| panic!("{kind:?}: {e}")));
        assert_eq!(asked, 1, "{kind:?}");
        assert!(s.context.attributes().remote_certificate().is_ok(), "{kind:?}");
        let ContextFlags::Acceptor(flags) = s.context.attributes().flags() else { panic!() };
        assert!(flags.contains(sspi_core::AscRet::STREAM | sspi_core::AscRet::MUTUAL_AUTH), "{kind:?}");
        assert!(s.context.attributes().stream_sizes().unwrap().header >= 5, "{kind:?}");
        assert_eq!(send(&mut c, &mut s, b"hello"), b"hello");
        closes(&mut c, &mut s);
    }
}

/// `ApplyControlToken` with a shutdown, and what the peer makes of it.
fn closes(from: &mut Established, to: &mut Established) {
    to.extra.extend(from.context.apply_control_token(&ControlToken::Shutdown).unwrap());
    assert_eq!(open(&mut *to.context, &mut to.extra).unwrap().1, Decrypted::Expired);
    let alert = ControlToken::Alert { level: AlertLevel::Warning, number: 90 };
    assert!(!to.context.apply_control_token(&alert).unwrap().is_empty());
}

#[test]
fn what_comes_behind_a_handshake_is_not_lost() {
    let world = World::default();
    let server = negotiated(&world, world.server_of(Kind::Tls13), CredentialUse::Inbound, &[]);
    let client = negotiated(&world, world.client_of(Kind::Tls13), CredentialUse::Outbound, &[]);
    let mut c = client.initialize(&initialize_request()).unwrap();
    let mut s = server.accept(&accept_request()).unwrap();
    let Step::Continue { token: hello, .. } = c.initialize_security_context(&[]).unwrap() else { panic!() };
    let Step::Continue { token: flight, .. } = s.accept_security_context(&hello).unwrap() else { panic!() };
    let (mut input, mut sent) = (flight, Vec::new());
    let mut at_client = loop {
        match c.initialize_security_context(&input).unwrap() {
            Step::Continue { token, used } => {
                input.drain(..used);
                sent.extend(token);
            }
            Step::Complete { context, token, .. } => {
                sent.extend(token);
                break context;
            }
            other => panic!("{other:?}"),
        }
    };
    let sizes = at_client.attributes().stream_sizes().unwrap();
    sent.extend(pair::seal(&mut *at_client, &sizes, b"at once").unwrap());
    let (context, extra) = loop {
        match s.accept_security_context(&sent).unwrap() {
            Step::Continue { used, .. } => drop(sent.drain(..used)),
            Step::Complete { context, used, .. } => break (context, sent.split_off(used)),
            other => panic!("{other:?}"),
        }
    };
    let (mut context, mut extra) = (context, extra);
    assert_eq!(open(&mut *context, &mut extra).unwrap().0, b"at once");
}

#[test]
fn a_context_is_negotiated_again_and_still_says_that_negotiate_chose_it() {
    let world = World::default();
    for kind in [Kind::Tls12, Kind::Tls10] {
        let server = negotiated(&world, both(world.server_of(kind)), CredentialUse::Inbound, &[]);
        let client = negotiated(&world, both(world.client_of(kind)), CredentialUse::Outbound, &[]);
        let (client, mut server) = established(&*client, &*server);
        let (again_client, _) = client_begins(client.context, &mut *server.context);
        let again_server = schannel_support::again::again(server.context);
        let (mut client, mut server) = finish(again_client, again_server, &[], &[]);
        schannel_support::again::talk(&mut client, &mut server);
        let spoken = kind.protocol().bits();
        assert_eq!(said(&*client.context), ("Schannel".into(), spoken.intersection(SpProt::CLIENTS)));
        assert_eq!(said(&*server.context), ("Schannel".into(), spoken.intersection(SpProt::SERVERS)));
        assert!(server.context.split().is_ok());
    }
    assert_eq!(Renegotiation::default(), Renegotiation::Off);
}

#[test]
fn after_its_end_a_stream_is_over_and_after_a_failure_it_says_the_same() {
    let world = World::default();
    let server = negotiated(&world, world.server(&[]), CredentialUse::Inbound, &[]);
    let mut accept = server.accept(&accept_request()).unwrap();
    let first = accept.accept_security_context(b"GET / HTTP/1.1\r\n\r\n").unwrap_err().error;
    assert!(first.message().contains("plain text"), "{first}");
    let again = accept.accept_security_context(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert_eq!((again.error.to_string(), again.token.len()), (first.to_string(), 0));
}

/// Nobody signs for what would be chosen in its place.
#[test]
fn a_stream_that_is_named_and_cannot_be_had_is_not_passed_over_for_what_follows_it() {
    let world = World::default();
    let strong = [Toy::new("Strong", &[STRONG], 3)];
    // A mistake in its configuration shows with the credentials.
    let missing = SchannelConfig { roots: vec!["no-such-file.pem".to_owned()], ..world.client(&[]) };
    let package = over(world.package(missing), &strong, packages(&["Schannel", "Strong"]));
    let error = package.acquire_credentials_handle(&support::outbound()).map(drop).unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_UNKNOWN_CREDENTIALS, Some("roots")));
    // A server without a certificate goes on with what needs none, and tells whoever comes with a hello.
    let package = over(world.package(world.client(&[])), &strong, packages(&["Schannel", "Strong"]));
    let server = acquire(&package, CredentialUse::Inbound);
    let client = world.outbound(world.client(&[]));
    let (_, refused) = handshake(&*client, &*server, usize::MAX);
    let error = refused.err().unwrap();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("certificates")));
    let at_client = support::negotiate(&strong);
    let ran = support::run(support::client(&at_client), server.accept(&accept_request()).unwrap());
    assert_eq!(said(&*ran.both().1).0, "Strong");
    // Credentials for both roles are none of Schannel's.
    let request = CredentialsRequest::configured(CredentialUse::Both);
    let both = package.acquire_credentials_handle(&request).unwrap();
    let error = both.initialize(&initialize_request()).map(drop).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
}

#[test]
fn a_password_is_for_those_that_log_on_with_one_and_takes_no_stream_away() {
    let world = World::default();
    let package = over(
        world.package(world.client(&[])),
        &[Toy::new("Strong", &[STRONG], 3)],
        packages(&["Schannel", "Strong"]),
    );
    let password = Secret::new("open sesame".to_owned());
    let identity = AuthIdentity { user: "alice".into(), domain: String::new(), password };
    let request = CredentialsRequest { auth_data: AuthData::Identity(identity), ..support::outbound() };
    let client = package.acquire_credentials_handle(&request).unwrap();
    let server = world.inbound(world.server(&[]));
    assert_eq!(said(&*handshake(&*client, &*server, usize::MAX).0.unwrap().context).0, "Schannel");
}

#[test]
fn what_is_no_token_is_told_so_where_there_is_no_stream_and_hears_no_token() {
    let world = World::default();
    let package =
        over(world.package(world.client(&[])), &[Toy::new("Strong", &[STRONG], 3)], packages(&["Strong"]));
    let mut server = acquire(&package, CredentialUse::Inbound).accept(&accept_request()).unwrap();
    let failure = server.accept_security_context(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3]).unwrap_err();
    assert_eq!((failure.error.setting(), failure.token.len()), (Some("negotiate.packages"), 0));
    assert!(failure.error.message().contains("no package for streams"), "{}", failure.error);
}

#[test]
fn a_limit_is_not_widened_by_another() {
    let world = World::default();
    let museum = SchannelConfig { profile: Profile::Museum, ..truth_table::server(&world, &[]) };
    let limited = world.package(museum).limited_to(&[SpProt::TLS1_0, SpProt::SSL3]).unwrap();
    assert!(limited.limited_to(&[SpProt::SSL3]).is_ok());
    for (wider, named) in [(SpProt::SSL2, "\"ssl2\""), (SpProt::TLS1_3, "\"tls1.3\"")] {
        let error = limited.limited_to(&[SpProt::SSL3, wider]).map(drop).unwrap_err();
        assert!(error.message().contains(named) && error.message().contains("(tls1.0, ssl3)"), "{error}");
    }
    // DTLS is no protocol of Schannel's here.
    assert!(limited.limited_to(&[SpProt::SSL3, SpProt(0x3_0000)]).is_err());
    assert!(limited.limited_to(&[]).is_err());
}
