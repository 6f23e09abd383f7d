//! A third party's package through the whole contract: registered, found, and every function called.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the functions that tests share are tests too"
)]

mod toy;

use std::sync::Arc;

use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AlertLevel, Answer, AscReq, AscRet, Ask, AuthData,
    ChannelBindings, Clock, ContextFlags, ControlToken, CredentialUse, CredentialsRequest, Decrypted, Error,
    Failure, Fault, FoundAccount, InitializeRequest, InitializeSecurityContext, IscRet, Oid, PackageInfo,
    PeerIdentity, QualityOfProtection, Question, ReceivingHalf, Registry, Renegotiation, SecBuffer,
    SecBufferType, SecPkgFlags, SecStatus, Secret, SecurityContext, SecurityPackage, SendingHalf, SpProt,
    Step,
};
use toy::{FixedClock, LIFESPAN, SECURITY_TRAILER, SIGNATURE, TOY_OID, Toy};

const ALICE: (&str, &str) = ("alice", "wonderland");

fn toy() -> Toy {
    Toy::new(Arc::new(FixedClock))
}

type Pair = (Box<dyn InitializeSecurityContext>, Box<dyn AcceptSecurityContext>);

fn pair_with(password: &str, initialize: &InitializeRequest, accept: &AcceptRequest) -> Pair {
    let toy = toy();
    let client = toy.client(ALICE.0, password).unwrap().initialize(initialize).unwrap();
    let server = toy.server(&[ALICE]).unwrap().accept(accept).unwrap();
    (client, server)
}

fn pair() -> Pair {
    pair_with(ALICE.1, &InitializeRequest::default(), &AcceptRequest::default())
}

fn alice() -> Account {
    Account { name: "alice".into(), matched_by: "password".into(), ..Account::default() }
}

fn continues(step: Result<Step, Failure>) -> (Vec<u8>, usize) {
    match step.unwrap() {
        Step::Continue { token, used } => (token, used),
        other => panic!("{other:?}"),
    }
}

fn completes(step: Result<Step, Failure>) -> (Box<dyn SecurityContext>, Vec<u8>, usize) {
    match step.unwrap() {
        Step::Complete { context, token, used } => (context, token, used),
        other => panic!("{other:?}"),
    }
}

fn asks(step: Result<Step, Failure>) -> Ask<PeerIdentity, Result<Vec<FoundAccount>, Error>> {
    match step.unwrap() {
        Step::Ask(Question::Account(ask)) => ask,
        other => panic!("{other:?}"),
    }
}

fn fails(step: Result<Step, Failure>) -> Failure {
    step.map(|step| format!("{step:?}")).unwrap_err()
}

/// Client's and server's contexts, and no byte lost in between.
fn run((mut client, mut server): Pair) -> (Box<dyn SecurityContext>, Box<dyn SecurityContext>) {
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, used) = continues(server.accept_security_context(&toy1));
    assert_eq!(used, toy1.len());
    let (at_client, toy3, used) = completes(client.initialize_security_context(&toy2));
    assert_eq!(used, toy2.len());
    asks(server.accept_security_context(&toy3)).answer(Ok(vec![alice().into()]));
    let (at_server, nothing, used) = completes(server.accept_security_context(&toy3));
    assert_eq!((nothing.len(), used), (0, toy3.len()));
    (at_client, at_server)
}

/// A message as an application sends it: the signature and the data behind it.
fn seal(sender: &mut dyn SendingHalf, quality: QualityOfProtection, data: &[u8]) -> Vec<u8> {
    let mut memory = vec![0; SECURITY_TRAILER];
    memory.extend_from_slice(data);
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..SECURITY_TRAILER),
        SecBuffer::new(SecBufferType::DATA, SECURITY_TRAILER..memory.len()),
        SecBuffer::new(SecBufferType::PADDING, memory.len()..memory.len()),
    ];
    sender.encrypt_message(quality, &mut memory, &mut buffers).unwrap();
    assert_eq!(buffers[0].len, SIGNATURE);
    [&memory[..SIGNATURE], &memory[SECURITY_TRAILER..]].concat()
}

fn open(receiver: &mut dyn ReceivingHalf, message: &[u8]) -> Result<(Decrypted, Vec<u8>), Error> {
    let mut memory = message.to_vec();
    let mut buffers = [SecBuffer::new(SecBufferType::STREAM, 0..memory.len()), data_buffer(0..0)];
    let decrypted = receiver.decrypt_message(&mut memory, &mut buffers)?;
    Ok((decrypted, memory[buffers[1].range()].to_vec()))
}

fn data_buffer(range: core::ops::Range<usize>) -> SecBuffer {
    SecBuffer::new(SecBufferType::DATA, range)
}

fn sends(sender: &mut dyn SendingHalf, receiver: &mut dyn ReceivingHalf, data: &[u8]) {
    let message = seal(sender, QualityOfProtection::Default, data);
    assert_eq!(open(receiver, &message).unwrap(), (Decrypted::Message, data.to_vec()));
}

// ---- the registry ----

#[test]
fn a_package_is_found_by_name_and_alias_in_any_case_and_by_its_object_identifier() {
    let mut registry = Registry::new();
    registry.register(Arc::new(toy())).unwrap();
    for name in ["Toy", "TOY", "toy", "ToyAuth", "toyauth"] {
        assert_eq!(registry.by_name(name).unwrap().package_info().name, "Toy", "{name}");
    }
    let oid = Oid::from_dotted(TOY_OID).unwrap();
    assert_eq!(registry.by_oid(&oid).unwrap().package_info().oids, [oid]);
    assert_eq!(registry.query_security_package_info("toyauth").unwrap().max_token, 512);
    let names: Vec<_> = registry.enumerate_security_packages().into_iter().map(|info| info.name).collect();
    assert_eq!(names, ["Toy"]);
}

#[test]
fn an_unknown_package_is_not_found() {
    let mut registry = Registry::new();
    registry.register(Arc::new(toy())).unwrap();
    let error = registry.by_name("Kerberos").err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_SECPKG_NOT_FOUND);
    assert!(error.message().contains("registered: Toy"), "{error}");
    let error = registry.by_oid(&Oid::from_dotted("1.2.3").unwrap()).err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_SECPKG_NOT_FOUND);
    assert_eq!(
        registry.query_security_package_info("Kerberos").unwrap_err().status(),
        SecStatus::SEC_E_SECPKG_NOT_FOUND
    );
}

/// A package that is nothing but its names.
struct Named(PackageInfo);

impl SecurityPackage for Named {
    fn package_info(&self) -> &PackageInfo {
        &self.0
    }

    fn acquire_credentials_handle(
        &self,
        _request: &CredentialsRequest,
    ) -> Result<Arc<dyn sspi_core::CredentialsHandle>, Error> {
        Err(Error::unsupported(&self.0.name, "AcquireCredentialsHandle"))
    }
}

#[test]
fn a_name_an_alias_and_an_object_identifier_that_are_taken_are_refused() {
    let mut registry = Registry::new();
    registry.register(Arc::new(toy())).unwrap();
    let free = PackageInfo {
        name: "Other".into(),
        aliases: Vec::new(),
        oids: Vec::new(),
        ..toy().package_info().clone()
    };
    let taken = [
        PackageInfo { name: "TOY".into(), ..free.clone() },
        PackageInfo { name: "toyauth".into(), ..free.clone() },
        PackageInfo { aliases: vec!["Toy".into()], ..free.clone() },
        PackageInfo { oids: vec![Oid::from_dotted(TOY_OID).unwrap()], ..free.clone() },
    ];
    for info in taken {
        let error = registry.register(Arc::new(Named(info))).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_CANNOT_INSTALL);
        assert!(error.message().contains("taken by the package Toy"), "{error}");
    }
    registry.register(Arc::new(Named(free))).unwrap();
    assert_eq!(registry.enumerate_security_packages().len(), 2);
}

#[test]
fn a_package_that_cannot_import_says_so() {
    let package = Named(toy().package_info().clone());
    let (client, _) = run(pair());
    let error = package.import_security_context(&client.export().unwrap()).err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

// ---- credentials ----

#[test]
fn credentials_say_whose_they_are_and_for_which_role() {
    let toy = toy();
    let client = toy.client(ALICE.0, ALICE.1).unwrap();
    assert_eq!(client.names().unwrap(), "alice");
    assert_eq!(client.credential_use(), CredentialUse::Outbound);
    assert_eq!(client.expiry(), Some(FixedClock.now() + LIFESPAN));
    assert_eq!(client.package_info().name, "Toy");
    assert_eq!(client.supported_protocols().unwrap_err().status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let server = toy.server(&[ALICE]).unwrap();
    assert_eq!(server.names().unwrap_err().status(), SecStatus::SEC_E_NO_CREDENTIALS);
    assert_eq!(server.credential_use(), CredentialUse::Inbound);
}

#[test]
fn credentials_of_one_role_do_not_serve_the_other() {
    let toy = toy();
    let client = toy.client(ALICE.0, ALICE.1).unwrap();
    let server = toy.server(&[ALICE]).unwrap();
    let error = client.accept(&AcceptRequest::default()).err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
    let error = server.initialize(&InitializeRequest::default()).err().unwrap();
    assert_eq!(error.status(), SecStatus::SEC_E_NO_CREDENTIALS);
}

#[test]
fn auth_data_of_another_kind_is_refused() {
    let acquire = |credential_use, auth_data| {
        let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(credential_use) };
        toy().acquire_credentials_handle(&request).err().unwrap().status()
    };
    use CredentialUse::{Both, Inbound, Outbound};
    let identity = || toy::identity(ALICE.0, ALICE.1);
    assert_eq!(acquire(Outbound, AuthData::Configured), SecStatus::SEC_E_NO_CREDENTIALS);
    assert_eq!(acquire(Inbound, identity()), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
    assert_eq!(acquire(Both, identity()), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
    let table_of_something_else = AuthData::Package(Arc::new(7_u8));
    assert_eq!(acquire(Inbound, table_of_something_else), SecStatus::SEC_E_UNKNOWN_CREDENTIALS);
}

#[test]
fn one_credential_serves_any_number_of_handshakes_from_any_thread() {
    let toy = toy();
    let client = toy.client(ALICE.0, ALICE.1).unwrap();
    let server = toy.server(&[ALICE]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let client = client.initialize(&InitializeRequest::default()).unwrap();
                let server = server.accept(&AcceptRequest::default()).unwrap();
                let (mut at_client, mut at_server) = run((client, server));
                sends(&mut *at_client, &mut *at_server, b"from a thread");
            });
        }
    });
}

// ---- the handshake ----

#[test]
fn three_legs_give_both_ends_a_context() {
    let (mut client, mut server) = run(pair());
    sends(&mut *client, &mut *server, b"ping");
    sends(&mut *server, &mut *client, b"pong");
}

#[test]
fn a_token_is_incomplete_at_every_byte_and_says_how_much_is_missing() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    for cut in 0..toy1.len() {
        let step = server.accept_security_context(&toy1[..cut]).unwrap();
        let Step::Incomplete { missing: Some(missing) } = step else { panic!("{cut}: {step:?}") };
        assert!((1..=toy1.len() - cut).contains(&missing), "{cut}: {missing}");
    }
    let (toy2, _) = continues(server.accept_security_context(&toy1));
    for cut in 0..toy2.len() {
        let step = client.initialize_security_context(&toy2[..cut]).unwrap();
        assert!(matches!(step, Step::Incomplete { .. }), "{cut}: {step:?}");
    }
    completes(client.initialize_security_context(&toy2));
}

#[test]
fn what_follows_a_token_in_the_same_read_is_not_taken() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, used) = continues(server.accept_security_context(&[&toy1[..], b"behind"].concat()));
    assert_eq!(used, toy1.len());
    let (mut at_client, toy3, _) = completes(client.initialize_security_context(&toy2));
    let message = seal(&mut *at_client, QualityOfProtection::Default, b"early");
    let input = [toy3.clone(), message].concat();
    asks(server.accept_security_context(&input)).answer(Ok(vec![alice().into()]));
    let (mut at_server, _, used) = completes(server.accept_security_context(&input));
    assert_eq!(used, toy3.len());
    assert_eq!(open(&mut *at_server, &input[used..]).unwrap().1, b"early");
}

#[test]
fn the_account_directory_is_asked_and_its_answer_is_the_security_context_token() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, _) = continues(server.accept_security_context(&toy1));
    let (at_client, toy3, _) = completes(client.initialize_security_context(&toy2));
    let ask = asks(server.accept_security_context(&toy3));
    assert_eq!(ask.question(), &PeerIdentity::Name("alice".into()));
    ask.answer(Ok(vec![alice().into()]));
    let (at_server, ..) = completes(server.accept_security_context(&toy3));
    assert_eq!(at_server.security_context_token().unwrap(), alice());
    assert_eq!(at_client.security_context_token().unwrap_err().status(), SecStatus::SEC_E_NO_IMPERSONATION);
}

#[test]
fn a_question_that_was_not_answered_fails_the_next_call_for_good() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, _) = continues(server.accept_security_context(&toy1));
    let (_, toy3, _) = completes(client.initialize_security_context(&toy2));
    let ask = asks(server.accept_security_context(&toy3));
    let failure = fails(server.accept_security_context(&toy3));
    assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    assert_eq!(failure.error.fault(), Fault::ApiMisuse);
    ask.answer(Ok(vec![alice().into()]));
    let again = fails(server.accept_security_context(&toy3));
    assert_eq!(again.error.to_string(), failure.error.to_string());
}

#[test]
fn an_answer_is_awaited_until_it_is_given() {
    let (ask, answer): (Ask<u8, u8>, Answer<u8>) = Ask::new(1);
    assert_eq!(format!("{answer:?}"), "Answer(awaited)");
    assert_eq!(answer.given().unwrap_err().status(), SecStatus::SEC_E_INVALID_HANDLE);
    ask.answer(2);
    assert_eq!(*answer.given().unwrap(), 2);
    let question = Question::Account(Ask::new(PeerIdentity::Name("x".into())).0);
    assert_eq!(question.unanswered().status(), SecStatus::SEC_E_NO_IMPERSONATION);
}

#[test]
fn nobody_behind_the_name_is_a_logon_that_is_denied_unless_only_the_name_was_wanted() {
    let toy3_at = |flags| {
        let request = AcceptRequest { flags, ..AcceptRequest::default() };
        let (mut client, mut server) = pair_with(ALICE.1, &InitializeRequest::default(), &request);
        let (toy1, _) = continues(client.initialize_security_context(&[]));
        let (toy2, _) = continues(server.accept_security_context(&toy1));
        let (_, toy3, _) = completes(client.initialize_security_context(&toy2));
        asks(server.accept_security_context(&toy3)).answer(Ok(Vec::new()));
        server.accept_security_context(&toy3)
    };
    assert_eq!(fails(toy3_at(AscReq::NONE)).error.status(), SecStatus::SEC_E_LOGON_DENIED);
    let (context, ..) = completes(toy3_at(AscReq::IDENTIFY));
    assert!(context.security_context_token().is_err());
    assert_eq!(context.attributes().names().unwrap(), "alice");
    let ContextFlags::Acceptor(flags) = context.attributes().flags() else { panic!() };
    assert!(flags.contains(AscRet::IDENTIFY));
}

#[test]
fn a_wrong_password_is_denied_and_the_peer_can_be_told() {
    let (mut client, mut server) =
        pair_with("looking glass", &InitializeRequest::default(), &AcceptRequest::default());
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, _) = continues(server.accept_security_context(&toy1));
    let (_, toy3, _) = completes(client.initialize_security_context(&toy2));
    let failure = fails(server.accept_security_context(&toy3));
    assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(failure.token, *b"TOYE\x00\x04\x80\x09\x03\x0C");
}

#[test]
fn an_unknown_user_is_denied_and_the_client_reports_what_the_server_said() {
    let toy = toy();
    let mut client =
        toy.client("mallory", "guess").unwrap().initialize(&InitializeRequest::default()).unwrap();
    let mut server = toy.server(&[ALICE]).unwrap().accept(&AcceptRequest::default()).unwrap();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let refusal = fails(server.accept_security_context(&toy1));
    let reported = fails(client.initialize_security_context(&refusal.token));
    assert_eq!(reported.error.status(), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(reported.error.fault(), Fault::PeerReported);
    assert!(reported.token.is_empty());
}

#[test]
fn the_first_error_is_final() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let first = fails(server.accept_security_context(b"XXXX\x00\x00"));
    assert_eq!(first.error.status(), SecStatus::SEC_E_INVALID_TOKEN);
    assert!(!first.token.is_empty());
    for input in [&toy1[..], &[]] {
        let again = fails(server.accept_security_context(input));
        assert_eq!(again.error.to_string(), first.error.to_string());
        assert!(again.token.is_empty());
    }
    let first = fails(client.initialize_security_context(&toy1));
    let again = fails(client.initialize_security_context(&[]));
    assert_eq!(again.error.to_string(), first.error.to_string());
}

#[test]
fn a_call_after_complete_is_an_invalid_handle() {
    let (mut client, mut server) = pair();
    let (toy1, _) = continues(client.initialize_security_context(&[]));
    let (toy2, _) = continues(server.accept_security_context(&toy1));
    let (_, toy3, _) = completes(client.initialize_security_context(&toy2));
    asks(server.accept_security_context(&toy3)).answer(Ok(vec![alice().into()]));
    completes(server.accept_security_context(&toy3));
    for input in [&toy3[..], &[]] {
        let at_client = fails(client.initialize_security_context(input));
        assert_eq!(at_client.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
        let at_server = fails(server.accept_security_context(input));
        assert_eq!(at_server.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    }
}

#[test]
fn another_channel_than_the_servers_is_refused() {
    let bound = |client: Option<&[u8]>, server: &[u8]| {
        let initialize = InitializeRequest {
            channel_bindings: client.map(ChannelBindings::tls_server_end_point),
            ..InitializeRequest::default()
        };
        let accept = AcceptRequest {
            channel_bindings: Some(ChannelBindings::tls_server_end_point(server)),
            ..AcceptRequest::default()
        };
        let (mut client, mut server) = pair_with(ALICE.1, &initialize, &accept);
        let (toy1, _) = continues(client.initialize_security_context(&[]));
        let (toy2, _) = continues(server.accept_security_context(&toy1));
        let (_, toy3, _) = completes(client.initialize_security_context(&toy2));
        server.accept_security_context(&toy3)
    };
    asks(bound(Some(b"one"), b"one"));
    for other in [Some(&b"two"[..]), None] {
        assert_eq!(fails(bound(other, b"one")).error.status(), SecStatus::SEC_E_BAD_BINDINGS);
    }
}

#[test]
fn complete_auth_token_protects_the_token_that_the_application_built_on() {
    let (mut client, mut server) = pair();
    let (mut toy1, _) = continues(client.initialize_security_context(&[]));
    let as_it_was = toy1.clone();
    client.complete_auth_token(&mut toy1).unwrap();
    assert_ne!(toy1, as_it_was);
    let mut altered = toy1.clone();
    altered[6] ^= 1;
    let (_, mut other) = pair();
    let failure = fails(other.accept_security_context(&altered));
    assert_eq!(failure.error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
    continues(server.accept_security_context(&toy1));
    // The server's tokens are complete as they are: the contract's own answer.
    let error = server.complete_auth_token(&mut toy1).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

// ---- attributes ----

#[test]
fn attributes_say_what_was_negotiated_and_outlive_the_context() {
    let request = InitializeRequest { target_name: Some("toy/host".into()), ..InitializeRequest::default() };
    let (client, server) = run(pair_with(ALICE.1, &request, &AcceptRequest::default()));
    let (at_client, at_server) = (client.attributes(), server.attributes());
    drop((client, server));
    assert_eq!(at_client.package_info().name, "Toy");
    assert!(!at_client.package_info().capabilities.contains(SecPkgFlags::STREAM));
    assert_eq!(at_server.names().unwrap(), "alice");
    assert_eq!(at_client.native_names().unwrap(), ("alice".into(), "toy/host".into()));
    assert_eq!(at_client.sizes().unwrap().security_trailer, SECURITY_TRAILER);
    let lifespan = at_server.lifespan().unwrap();
    assert_eq!(lifespan.start, Some(FixedClock.now()));
    assert_eq!(lifespan.expiry, Some(FixedClock.now() + LIFESPAN));
    let (ours, theirs) = (at_client.session_key().unwrap(), at_server.session_key().unwrap());
    assert_eq!(ours.expose_secret(), theirs.expose_secret());
    assert_eq!(format!("{ours:?}"), "[secret]");
    assert_eq!(at_client.key_info().unwrap().key_size, 64);
    let negotiated = at_client.negotiation_info().unwrap();
    assert_eq!((negotiated.package.name, negotiated.protocol), ("Toy".into(), SpProt::NONE));
    let ContextFlags::Initiator(flags) = at_client.flags() else { panic!() };
    assert!(flags.contains(IscRet::CONFIDENTIALITY) && !flags.contains(IscRet::MUTUAL_AUTH));
}

#[test]
fn an_attribute_that_the_package_lacks_is_an_unsupported_function() {
    let (client, _) = run(pair());
    let attributes = client.attributes();
    let refused = [
        attributes.stream_sizes().err(),
        attributes.authority().err(),
        attributes.unique_bindings().err(),
        attributes.endpoint_bindings().err(),
        attributes.exporter_bindings().err(),
        attributes.client_specified_target().err(),
        attributes.application_protocol().err(),
        attributes.remote_certificate().err(),
        attributes.local_certificate().err(),
        attributes.connection_info().err(),
        attributes.cipher_info().err(),
        attributes.session_info().err(),
        attributes.keying_material(b"label", None, 32).err(),
    ];
    for error in refused {
        let error = error.unwrap();
        assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
        assert!(error.message().contains("Toy"), "{error}");
    }
}

// ---- messages ----

#[test]
fn a_message_is_unreadable_on_its_way_unless_it_is_only_signed() {
    let (mut client, mut server) = run(pair());
    let encrypted = seal(&mut *client, QualityOfProtection::Default, b"read me if you can");
    assert_ne!(encrypted[SIGNATURE..], *b"read me if you can");
    assert_eq!(open(&mut *server, &encrypted).unwrap().1, b"read me if you can");
    let signed = seal(&mut *client, QualityOfProtection::WrapNoEncrypt, b"read me");
    assert_eq!(signed[SIGNATURE..], *b"read me");
    assert_eq!(open(&mut *server, &signed).unwrap().1, b"read me");
    sends(&mut *client, &mut *server, b"");
}

#[test]
fn data_may_lie_in_several_buffers_and_some_of_it_is_only_signed() {
    let (mut client, mut server) = run(pair());
    let (header, first, second) = (20..26, 30..35, 35..40);
    let mut memory = vec![0; 40];
    memory[header.clone()].copy_from_slice(b"header");
    memory[26..30].copy_from_slice(b"free");
    memory[first.clone()].copy_from_slice(b"first");
    memory[second.clone()].copy_from_slice(b"two  ");
    let signed = SecBufferType::DATA.with(SecBufferType::READONLY_WITH_CHECKSUM);
    let untouched = SecBufferType::DATA.with(SecBufferType::READONLY);
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..20),
        SecBuffer::new(signed, header.clone()),
        SecBuffer::new(untouched, 26..30),
        data_buffer(first.clone()),
        data_buffer(second.clone()),
    ];
    client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    assert_eq!(memory[20..30], *b"headerfree");
    assert_ne!(memory[first.clone()], *b"first");
    memory[26..30].copy_from_slice(b"FREE");
    let mut broken = memory.clone();
    assert_eq!(server.decrypt_message(&mut memory, &mut buffers).unwrap(), Decrypted::Message);
    assert_eq!(memory[20..], *b"headerFREEfirsttwo  ");

    let (_, mut server) = run(pair());
    broken[20] ^= 1;
    let error = server.decrypt_message(&mut broken, &mut buffers).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
}

#[test]
fn a_message_that_is_altered_at_any_byte_ends_the_context_with_one_error() {
    let (mut client, server) = run(pair());
    let exported = server.export().unwrap();
    let message = seal(&mut *client, QualityOfProtection::Default, b"data");
    for at in 0..message.len() {
        let mut server = toy().import_security_context(&exported).unwrap();
        let mut altered = message.clone();
        altered[at] ^= 0x10;
        let first = open(&mut *server, &altered).unwrap_err();
        assert_eq!(first.status(), SecStatus::SEC_E_MESSAGE_ALTERED, "byte {at}");
        assert_eq!(first.alert(), Some(20));
        let again = open(&mut *server, &message).unwrap_err();
        assert_eq!(again.to_string(), first.to_string());
    }
}

#[test]
fn a_message_that_is_cut_anywhere_is_refused() {
    let (mut client, server) = run(pair());
    let exported = server.export().unwrap();
    let message = seal(&mut *client, QualityOfProtection::Default, b"data");
    for cut in 0..message.len() {
        let mut server = toy().import_security_context(&exported).unwrap();
        assert!(open(&mut *server, &message[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn a_message_that_is_repeated_or_left_out_is_out_of_sequence() {
    for order in [&[0, 0][..], &[1]] {
        let (mut client, mut server) = run(pair());
        let messages: Vec<_> = [b"one", b"two"]
            .iter()
            .map(|data| seal(&mut *client, QualityOfProtection::Default, *data))
            .collect();
        let mut last = None;
        for &at in order {
            last = Some(open(&mut *server, &messages[at]));
        }
        assert_eq!(last.unwrap().unwrap_err().status(), SecStatus::SEC_E_OUT_OF_SEQUENCE);
    }
}

#[test]
fn wrong_buffers_do_not_end_the_context() {
    let (mut client, mut server) = run(pair());
    let mut memory = vec![0; 64];
    let default = QualityOfProtection::Default;
    let error = client.encrypt_message(default, &mut memory, &mut [data_buffer(0..8)]).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
    let mut small = [SecBuffer::new(SecBufferType::TOKEN, 0..SIGNATURE - 1), data_buffer(20..28)];
    let error = client.encrypt_message(default, &mut memory, &mut small).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_BUFFER_TOO_SMALL);
    assert_eq!(memory, [0; 64]);
    let mut outside = [SecBuffer::new(SecBufferType::STREAM, 0..65), data_buffer(0..0)];
    let error = server.decrypt_message(&mut memory, &mut outside).unwrap_err();
    assert_eq!((error.status(), error.fault()), (SecStatus::SEC_E_INVALID_TOKEN, Fault::ApiMisuse));
    sends(&mut *client, &mut *server, b"still alive");
}

#[test]
fn a_signature_is_made_and_verified_and_an_altered_one_is_refused() {
    let (mut client, mut server) = run(pair());
    let sign = |client: &mut dyn SecurityContext| {
        let mut memory = vec![0; 20];
        memory.extend_from_slice(b"signed");
        let mut buffers = [SecBuffer::new(SecBufferType::TOKEN, 0..20), data_buffer(20..26)];
        client.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
        assert_eq!(memory[20..], *b"signed");
        (memory, buffers)
    };
    let (memory, buffers) = sign(&mut *client);
    assert_eq!(server.verify_signature(&memory, &buffers).unwrap(), QualityOfProtection::Default);
    let (mut memory, buffers) = sign(&mut *client);
    memory[25] ^= 1;
    let first = server.verify_signature(&memory, &buffers).unwrap_err();
    assert_eq!(first.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
    memory[25] ^= 1;
    let again = server.verify_signature(&memory, &buffers).unwrap_err();
    assert_eq!(again.to_string(), first.to_string());
}

// ---- control tokens ----

#[test]
fn behind_a_shutdown_nothing_can_be_sent_and_nothing_more_is_read() {
    let (mut client, mut server) = run(pair());
    let goodbye = client.apply_control_token(&ControlToken::Shutdown).unwrap();
    let mut memory = vec![0; 40];
    let mut buffers = [SecBuffer::new(SecBufferType::TOKEN, 0..20), data_buffer(20..40)];
    let error = client.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
    for _ in 0..2 {
        assert_eq!(open(&mut *server, &goodbye).unwrap().0, Decrypted::Expired);
    }
    sends(&mut *server, &mut *client, b"the other direction is open");
}

#[test]
fn an_alert_is_what_the_peer_reports() {
    let (mut client, mut server) = run(pair());
    let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 42 };
    let bytes = client.apply_control_token(&alert).unwrap();
    let error = open(&mut *server, &bytes).unwrap_err();
    assert_eq!(error.fault(), Fault::PeerReported);
    assert!(error.message().contains("42"), "{error}");
}

#[test]
fn a_control_token_that_the_package_lacks_is_unsupported() {
    let (mut client, _) = run(pair());
    let error = client.apply_control_token(&ControlToken::Session { enable_reconnects: true }).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

// ---- halves, renegotiation, export ----

#[test]
fn the_halves_work_in_two_threads() {
    let (client, server) = run(pair());
    let mut client = client.split().unwrap();
    let mut server = server.split().unwrap();
    assert_eq!(client.attributes.names().unwrap(), "alice");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..100_u8 {
                sends(&mut *client.sender, &mut *server.receiver, &[n; 50]);
            }
        });
        scope.spawn(|| {
            for n in 0..100_u8 {
                sends(&mut *server.sender, &mut *client.receiver, &[n; 70]);
            }
        });
    });
}

#[test]
fn a_context_turns_back_into_a_handshake_and_yields_a_context_with_new_keys() {
    let (mut client, mut server) = run(pair());
    sends(&mut *client, &mut *server, b"before");
    let old_key = client.attributes().session_key().unwrap();
    let request = server.apply_control_token(&ControlToken::Renegotiate).unwrap();
    assert_eq!(open(&mut *client, &request).unwrap().0, Decrypted::Renegotiate);
    let Ok(Renegotiation::Initialize(mut again)) = client.renegotiate(&[]) else { panic!() };
    let Ok(Renegotiation::Accept(mut accept)) = server.renegotiate(&[]) else { panic!() };

    assert!(matches!(accept.accept_security_context(&[]), Ok(Step::Incomplete { .. })));
    let (toy1, _) = continues(again.initialize_security_context(&[]));
    assert!(toy1.starts_with(b"TOYR"), "the tokens are messages of the old context");
    let (toy2, _) = continues(accept.accept_security_context(&toy1));
    let (mut client, toy3, _) = completes(again.initialize_security_context(&toy2));
    asks(accept.accept_security_context(&toy3)).answer(Ok(vec![alice().into()]));
    let (mut server, _, used) = completes(accept.accept_security_context(&toy3));
    assert_eq!(used, toy3.len());

    assert_ne!(client.attributes().session_key().unwrap().expose_secret(), old_key.expose_secret());
    sends(&mut *client, &mut *server, b"after");
    sends(&mut *server, &mut *client, b"after");
    assert_eq!(server.security_context_token().unwrap(), alice());
    for failure in [fails(again.initialize_security_context(&[])), fails(accept.accept_security_context(&[]))]
    {
        assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    }
}

#[test]
fn a_token_of_a_renegotiation_that_is_altered_is_refused() {
    let (client, server) = run(pair());
    let Ok(Renegotiation::Initialize(mut again)) = client.renegotiate(&[]) else { panic!() };
    let Ok(Renegotiation::Accept(mut accept)) = server.renegotiate(&[]) else { panic!() };
    let (mut toy1, _) = continues(again.initialize_security_context(&[]));
    let last = toy1.len() - 1;
    toy1[last] ^= 1;
    let first = fails(accept.accept_security_context(&toy1));
    assert_eq!(first.error.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
    toy1[last] ^= 1;
    let again = fails(accept.accept_security_context(&toy1));
    assert_eq!(again.error.to_string(), first.error.to_string());
}

#[test]
fn a_refused_renegotiation_gives_the_context_back() {
    let (client, mut server) = run(pair());
    let client = toy().import_security_context(&client.export().unwrap()).unwrap();
    let refused = client.renegotiate(&[]).err().unwrap();
    assert_eq!(refused.error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let mut client = refused.context;
    sends(&mut *client, &mut *server, b"as it was");
}

#[test]
fn an_exported_context_goes_on_where_it_was_in_another_process() {
    let (mut client, mut server) = run(pair());
    sends(&mut *client, &mut *server, b"here");
    let exported = client.export().unwrap();
    assert_eq!(exported.package, "Toy");
    assert!(format!("{exported:?}").contains("[secret]"));
    let refused = [
        open(&mut *client, b"").unwrap_err(),
        client.make_signature(QualityOfProtection::Default, &mut [], &mut []).unwrap_err(),
        client.export().map(drop).unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.status() == SecStatus::SEC_E_INVALID_HANDLE), "{refused:?}");
    let mut client = toy().import_security_context(&exported).unwrap();
    assert_eq!(client.attributes().names().unwrap(), "alice");
    sends(&mut *client, &mut *server, b"there");
    sends(&mut *server, &mut *client, b"back");
}

#[test]
fn what_is_no_exported_context_is_refused() {
    let (client, _) = run(pair());
    let exported = client.export().unwrap();
    let content = exported.content.expose_secret().clone();
    let import = |package: &str, content: &[u8]| {
        let exported =
            sspi_core::ExportedContext { package: package.into(), content: Secret::new(content.to_vec()) };
        toy().import_security_context(&exported).map(|_| ())
    };
    assert!(import("Toy", &content).is_ok());
    assert!(import("Kerberos", &content).is_err());
    for cut in 0..content.len() - "alice".len() {
        let error = import("Toy", &content[..cut]).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{cut}");
    }
}
