//! What is refused, each by a named test.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

mod support;

use std::sync::Mutex;
use std::time::Duration;

use opensspi_ntlm::messages::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, NegotiateFlags, NegotiateMessage, NtlmV2Response,
    NtlmV2Temp, utf16,
};
use opensspi_ntlm::{Check, LmCompatibilityLevel, NtHash, Reflection, RepeatedPairs};
use sspi_core::{
    AcceptRequest, AccountSecret, AscReq, CredentialUse, CredentialsRequest, Error, Fault, InitializeRequest,
    IscReq, LogonProof, LogonVerdict, Question, SecStatus, Secret, SecurityPackage as _, Step,
};
use support::{
    HandMade, PASSWORD, Tokens, World, accept, account, bindings, handshake, identity, one_account, run,
    sealed, step, token, world,
};

fn both() -> (World, World) {
    (world(1, |_| ()), world(2, |_| ()))
}

fn any() -> AcceptRequest {
    AcceptRequest::default()
}

#[track_caller]
fn refused(result: Result<Step, Error>, status: SecStatus) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.status(), status, "{error}");
    error
}

/// A handshake up to the answer, which `change` alters before it arrives.
fn altered(world: &World, request: &AcceptRequest, change: impl FnOnce(&mut Vec<u8>)) -> Result<Step, Error> {
    let client = support::world(1, |_| ());
    let mut server = world.server(request);
    let mut tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *server);
    change(&mut tokens.authenticate);
    accept(&mut *server, &tokens.authenticate, &one_account)
}

/// Writes the answer anew, with another NT response.
fn with_nt_response(token: &[u8], change: impl FnOnce(&NtlmV2Response<'_>) -> Vec<u8>) -> Vec<u8> {
    let message = AuthenticateMessage::decode(token).unwrap();
    let response = change(&NtlmV2Response::decode(message.nt_response).unwrap());
    AuthenticateMessage { nt_response: &response, ..message }.to_bytes().unwrap()
}

#[test]
fn server_refuses_a_wrong_password_with_mic() {
    let (client, server) = both();
    let result = handshake(&mut *client.client("wrong", &sealed()), &mut *server.server(&any()));
    let error = result.map(drop).unwrap_err();
    assert_eq!((error.status(), error.message()), (SecStatus::SEC_E_LOGON_DENIED, "the logon was denied"));
}

#[test]
fn server_refuses_a_wrong_password_without_mic() {
    let (_, server) = both();
    let client = HandMade { password: "wrong", ..HandMade::new(AvPairs::default()) };
    refused(client.log_on(&mut *server.server(&any())), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn server_refuses_an_answer_whose_proof_is_wrong_in_any_bit() {
    // Nobody is locked out, or nothing would be compared any more.
    let server = world(2, |config| config.lock_out.failures = 0);
    for bit in 0..128 {
        let result = altered(&server, &any(), |token| {
            let message = AuthenticateMessage::decode(token).unwrap();
            let place = token.windows(16).position(|window| window == &message.nt_response[..16]).unwrap();
            token[place + bit / 8] ^= 1 << (bit % 8);
        });
        refused(result, SecStatus::SEC_E_LOGON_DENIED);
    }
    assert!(matches!(altered(&server, &any(), |_| ()), Ok(Step::Complete { .. })), "what is right is taken");
}

#[test]
fn server_says_the_same_of_unknown_disabled_and_locked_out_accounts_and_of_wrong_passwords() {
    let (client, server) = both();
    let disabled = |request: &_| {
        let mut verdict = one_account(request);
        if let Ok(LogonVerdict::Known { account, .. }) = &mut verdict {
            account.is_disabled = true;
        }
        verdict
    };
    let no_secret = |_: &_| Ok(LogonVerdict::Known { account: account("alice", "CORP"), secrets: vec![] });
    let databases: [support::Database<'_>; 5] = [
        &|_| Ok(LogonVerdict::NoAccount),
        &|_| Ok(LogonVerdict::Denied),
        &disabled,
        &no_secret,
        &|request| {
            let mut request = request.clone();
            request.user = "ALICE".into();
            one_account(&request)
        },
    ];
    let mut said = Vec::new();
    for (database, password) in databases.into_iter().zip([PASSWORD, PASSWORD, PASSWORD, PASSWORD, "wrong"]) {
        let mut acceptor = server.server(&any());
        let tokens = run(&mut *client.client(password, &sealed()), &mut *acceptor);
        said.push(accept(&mut *acceptor, &tokens.authenticate, database).unwrap_err().to_string());
    }
    // And who is locked out, with the right password.
    for _ in 0..10 {
        let mut acceptor = server.server(&any());
        let tokens = run(&mut *client.client("wrong", &sealed()), &mut *acceptor);
        accept(&mut *acceptor, &tokens.authenticate, &one_account).unwrap_err();
    }
    let mut acceptor = server.server(&any());
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let locked_out = acceptor.accept_security_context(&tokens.authenticate).unwrap_err();
    let locked_out = locked_out.error.to_string();
    said.dedup();
    assert_eq!(said, ["the logon was denied [SEC_E_LOGON_DENIED (0x8009030C)]"]);
    assert_eq!(locked_out, said[0], "nothing was asked, and nothing else said");
}

#[test]
fn server_refuses_an_answer_whose_mic_is_taken_out() {
    let (_, server) = both();
    let result = altered(&server, &any(), |token| {
        let message = AuthenticateMessage::decode(token).unwrap();
        *token = AuthenticateMessage { mic: None, ..message }.to_bytes().unwrap();
    });
    refused(result, SecStatus::SEC_E_MESSAGE_ALTERED);
}

#[test]
fn server_refuses_an_answer_whose_mic_is_zeros_or_another() {
    let (_, server) = both();
    for change in [0, 0xff] {
        let result = altered(&server, &any(), |token| {
            token[AuthenticateMessage::MIC_RANGE].iter_mut().for_each(|byte| *byte &= change);
            token[AuthenticateMessage::MIC_RANGE.start] ^= change;
        });
        refused(result, SecStatus::SEC_E_MESSAGE_ALTERED);
    }
}

#[test]
fn server_refuses_an_answer_whose_mic_flag_is_stripped() {
    let (_, server) = both();
    for keeps_mic in [false, true] {
        let result = altered(&server, &any(), |token| {
            *token = with_nt_response(token, |response| {
                let mut pairs = response.content.av_pairs.clone();
                pairs.remove(AvId::FLAGS);
                let temp = NtlmV2Temp { av_pairs: pairs, ..response.content.clone() }.to_bytes().unwrap();
                [&response.nt_proof_str[..], &temp].concat()
            });
            if !keeps_mic {
                let message = AuthenticateMessage::decode(token).unwrap();
                *token = AuthenticateMessage { mic: None, ..message }.to_bytes().unwrap();
            }
        });
        // The flag is under the proof.
        refused(result, SecStatus::SEC_E_LOGON_DENIED);
    }
}

/// Clients that say this make a MIC when the challenge has a time, and ours always has. Those that never do (curl, impacket)
/// say neither.
#[test]
fn server_refuses_an_answer_without_mic_of_a_client_that_had_the_time_and_knows_what_a_mic_is() {
    let server = world(2, |_| ());
    for (id, value) in
        [(AvId::FLAGS, &[1, 0, 0, 0][..]), (AvId::FLAGS, &[4, 0, 0, 0]), (AvId::SINGLE_HOST, &[0; 48])]
    {
        let mut pairs = AvPairs::default();
        pairs.set(id, value);
        let result = HandMade::new(pairs).log_on(&mut *server.server(&any()));
        let error = refused(result, SecStatus::SEC_E_MESSAGE_ALTERED);
        assert_eq!(error.setting(), Some("require-mic"));
    }
    for (id, value) in [(AvId::FLAGS, &[0; 4][..]), (AvId::TARGET_NAME, b"c\0i\0f\0s\0/\0x\0")] {
        let mut pairs = AvPairs::default();
        pairs.set(id, value);
        assert!(HandMade::new(pairs).log_on(&mut *server.server(&any())).is_ok());
    }
}

#[test]
fn server_refuses_messages_that_were_altered_on_their_way() {
    let (client, server) = both();
    // The client's offer.
    let mut acceptor = server.server(&any());
    let mut initiator = client.client(PASSWORD, &sealed());
    let mut negotiate = token(step(&mut *initiator, &[]));
    negotiate[14] ^= 0x10;
    let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
    let authenticate = token(step(&mut *initiator, &challenge));
    refused(accept(&mut *acceptor, &authenticate, &one_account), SecStatus::SEC_E_MESSAGE_ALTERED);
    // The server's choice.
    let mut acceptor = server.server(&any());
    let mut initiator = client.client(PASSWORD, &sealed());
    let negotiate = token(step(&mut *initiator, &[]));
    let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
    let message = ChallengeMessage::decode(&challenge).unwrap();
    let flags = message.flags.without(NegotiateFlags::NEGOTIATE_56);
    let challenge = ChallengeMessage { flags, ..message }.to_bytes().unwrap();
    let authenticate = token(step(&mut *initiator, &challenge));
    refused(accept(&mut *acceptor, &authenticate, &one_account), SecStatus::SEC_E_MESSAGE_ALTERED);
    // The client's names and flags.
    let result = altered(&server, &any(), |token| {
        let message = AuthenticateMessage::decode(token).unwrap();
        *token = AuthenticateMessage { workstation: b"X\0", ..message }.to_bytes().unwrap();
    });
    refused(result, SecStatus::SEC_E_MESSAGE_ALTERED);
    let result = altered(&server, &any(), |token| token[60] ^= 0x20);
    refused(result, SecStatus::SEC_E_MESSAGE_ALTERED);
}

#[test]
fn server_refuses_an_answer_to_a_challenge_that_somebody_took_the_time_out_of() {
    // The client makes no MIC then, and flags and keys are anybody's.
    let (client, server) = both();
    let mut acceptor = server.server(&any());
    let mut initiator = client.client(PASSWORD, &sealed());
    let negotiate = token(step(&mut *initiator, &[]));
    let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
    let message = ChallengeMessage::decode(&challenge).unwrap();
    let mut pairs = message.av_pairs().unwrap();
    pairs.remove(AvId::TIMESTAMP);
    let mut target_info = wire::Writer::new();
    pairs.encode(&mut target_info).unwrap();
    let target_info = target_info.into_vec();
    let altered = ChallengeMessage { target_info: &target_info, ..message }.to_bytes().unwrap();
    let authenticate = token(step(&mut *initiator, &altered));
    assert!(AuthenticateMessage::decode(&authenticate).unwrap().mic.is_none());
    refused(accept(&mut *acceptor, &authenticate, &one_account), SecStatus::SEC_E_MESSAGE_ALTERED);
}

#[test]
fn server_refuses_an_answer_that_does_not_repeat_what_its_challenge_says() {
    let server = world(2, |_| ());
    assert!(HandMade::new(AvPairs::default()).log_on(&mut *server.server(&any())).is_ok());
    for id in [AvId::TIMESTAMP, AvId::NB_COMPUTER_NAME, AvId::NB_DOMAIN_NAME, AvId::DNS_COMPUTER_NAME] {
        let forgetful = HandMade { forgets: &[id], ..HandMade::new(AvPairs::default()) };
        refused(forgetful.log_on(&mut *server.server(&any())), SecStatus::SEC_E_MESSAGE_ALTERED);
        let mut pairs = AvPairs::default();
        pairs.set(id, &[0; 8]);
        let wrong = HandMade::new(pairs).log_on(&mut *server.server(&any()));
        refused(wrong, SecStatus::SEC_E_MESSAGE_ALTERED);
    }
}

#[test]
fn server_that_wants_only_the_time_again_lets_a_client_in_that_forgets_names() {
    let server = world(2, |config| config.repeated_pairs = RepeatedPairs::Time);
    let forgets = |id: &'static [AvId]| HandMade { forgets: id, ..HandMade::new(AvPairs::default()) };
    let names = forgets(&[AvId::NB_COMPUTER_NAME, AvId::DNS_COMPUTER_NAME]);
    assert!(names.log_on(&mut *server.server(&any())).is_ok());
    let time = forgets(&[AvId::TIMESTAMP]).log_on(&mut *server.server(&any()));
    let error = refused(time, SecStatus::SEC_E_MESSAGE_ALTERED);
    assert_eq!(error.setting(), Some("repeated-pairs"));
}

/// What whoever has the accounts is asked, when a client answers so.
fn asked(server: &World, client: &HandMade<'_>) -> (Vec<u8>, Vec<u8>) {
    let mut acceptor = server.server(&any());
    let negotiate = HandMade::negotiate(client.flags);
    let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
    let answer = client.authenticate(&negotiate, &challenge);
    let Ok(Step::Ask(Question::Logon(ask))) = acceptor.accept_security_context(&answer) else { panic!() };
    let LogonProof::ChallengeResponse { nt_response, lm_response, .. } = &ask.question().proof else {
        panic!()
    };
    (nt_response.clone(), lm_response.clone())
}

#[test]
fn whoever_has_the_accounts_is_not_asked_about_a_weaker_response_beside_version_2() {
    for level in [0, 5] {
        let server = world(2, |config| {
            config.acceptor_lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap();
        });
        let client = HandMade { lm_response: &[7; 24], ..HandMade::new(AvPairs::default()) };
        let (nt_response, lm_response) = asked(&server, &client);
        assert!(nt_response.len() > 24 && lm_response.is_empty());
    }
}

/// An answer of version 1, to the question of whoever has the accounts or the refusal.
fn version_1(level: u8, flags: NegotiateFlags, nt: &[u8], lm: &[u8]) -> Result<LogonProof, Error> {
    let server = world(2, |config| {
        config.acceptor_lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap();
    });
    let mut acceptor = server.server(&any());
    token(accept(&mut *acceptor, &HandMade::negotiate(flags), &one_account));
    let user = utf16("alice");
    let answer = AuthenticateMessage {
        lm_response: lm,
        nt_response: nt,
        domain: &[],
        user: &user,
        workstation: &[],
        encrypted_random_session_key: &[],
        flags,
        version: None,
        mic: None,
    };
    match acceptor.accept_security_context(&answer.to_bytes().unwrap()) {
        Ok(Step::Ask(Question::Logon(ask))) => Ok(ask.question().proof.clone()),
        Ok(step) => panic!("{step:?}"),
        Err(failure) => Err(failure.error),
    }
}

#[test]
fn whoever_has_the_accounts_is_asked_about_lm_at_a_level_that_takes_it_only() {
    let plain = NegotiateFlags(0x0000_0201);
    let ess = plain | NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
    for (level, flags, has_lm) in [(3, plain, true), (4, plain, false), (3, ess, false), (4, ess, false)] {
        let proof = version_1(level, flags, &[1; 24], &[2; 24]).unwrap();
        let LogonProof::ChallengeResponse { challenge, lm_response, .. } = proof else { panic!() };
        assert_eq!(!lm_response.is_empty(), has_lm, "{level} {flags:?}");
        // With extended session security the challenge is that of both ends, and the response one of version 1 to it.
        let LogonProof::ChallengeResponse { challenge: other, .. } =
            version_1(level, flags, &[1; 24], &[3; 24]).unwrap()
        else {
            panic!()
        };
        assert_eq!(challenge != other, flags == ess);
    }
}

#[test]
fn server_refuses_responses_of_zeros_and_lm_responses_of_another_length() {
    let plain = NegotiateFlags(0x0000_0201);
    for (nt, lm) in [
        (&[0; 24][..], &[2; 24][..]),
        (&[], &[0; 24]),
        (&[1; 24], &[2; 3]),
        (&[1; 24], &[2; 25]),
        (&[1; 24], &[0]),
        (&[], &[2; 3]),
        (&[1; 3], &[2; 24]),
    ] {
        let error = version_1(0, plain, nt, lm).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{} {}", nt.len(), lm.len());
    }
    for lm_response in [&[2; 3][..], &[0; 1], &[2; 25], &[2; 40]] {
        let client = HandMade { lm_response, ..HandMade::new(AvPairs::default()) };
        refused(client.log_on(&mut *world(2, |_| ()).server(&any())), SecStatus::SEC_E_INVALID_TOKEN);
    }
    let client = HandMade { lm_response: &[], ..HandMade::new(AvPairs::default()) };
    assert!(client.log_on(&mut *world(2, |_| ()).server(&any())).is_ok());
}

#[test]
fn server_refuses_names_with_control_characters() {
    for user in ["alice\0", "ali\nce", "\u{1}alice", "alice\u{7f}"] {
        let client = HandMade { user, ..HandMade::new(AvPairs::default()) };
        refused(client.log_on(&mut *world(2, |_| ()).server(&any())), SecStatus::SEC_E_INVALID_TOKEN);
    }
    let result = altered(&world(2, |_| ()), &any(), |token| {
        let message = AuthenticateMessage::decode(token).unwrap();
        *token = AuthenticateMessage { domain: &utf16("CORP\0"), ..message }.to_bytes().unwrap();
    });
    refused(result, SecStatus::SEC_E_INVALID_TOKEN);
}

#[test]
fn protection_that_was_asked_for_and_not_agreed_on_ends_the_handshake_at_both_ends() {
    let unsupported = SecStatus::SEC_E_UNSUPPORTED_FUNCTION;
    let (sign, seal) = (NegotiateFlags::NEGOTIATE_SIGN, NegotiateFlags::NEGOTIATE_SEAL);
    for (asked, wanted, without) in [
        (IscReq::INTEGRITY, AscReq::INTEGRITY, sign | seal),
        (IscReq::REPLAY_DETECT, AscReq::REPLAY_DETECT, sign | seal),
        (IscReq::SEQUENCE_DETECT, AscReq::SEQUENCE_DETECT, sign | seal),
        (IscReq::CONFIDENTIALITY, AscReq::CONFIDENTIALITY, seal),
    ] {
        let (client, server) = both();
        let request = InitializeRequest { flags: asked, ..InitializeRequest::default() };
        // The server does not agree, or somebody on the way does not.
        let mut initiator = client.client(PASSWORD, &request);
        let negotiate = token(step(&mut *initiator, &[]));
        let challenge = token(accept(&mut *server.server(&any()), &negotiate, &one_account));
        let message = ChallengeMessage::decode(&challenge).unwrap();
        let weak = ChallengeMessage { flags: message.flags.without(without), ..message }.to_bytes().unwrap();
        refused(step(&mut *initiator, &weak), unsupported);
        // The client does not offer it, or takes it back.
        let request = AcceptRequest { flags: wanted, ..any() };
        let silent =
            HandMade { flags: HandMade::FLAGS.without(without), ..HandMade::new(AvPairs::default()) };
        let offer = HandMade::negotiate(silent.flags);
        refused(accept(&mut *server.server(&request), &offer, &one_account), unsupported);
        let mut acceptor = server.server(&request);
        let offer = HandMade::negotiate(HandMade::FLAGS);
        let challenge = token(accept(&mut *acceptor, &offer, &one_account));
        let answer = silent.authenticate(&offer, &challenge);
        refused(accept(&mut *acceptor, &answer, &one_account), unsupported);
        assert!(HandMade::new(AvPairs::default()).log_on(&mut *server.server(&request)).is_ok());
    }
}

#[test]
fn server_refuses_a_beginning_that_is_longer_than_any() {
    let (_, server) = both();
    let with = |name: &[u8]| {
        NegotiateMessage { flags: HandMade::FLAGS, domain: name, workstation: &[], version: None }
            .to_bytes()
            .unwrap()
    };
    assert!(accept(&mut *server.server(&any()), &with(&[b'A'; 512]), &one_account).is_ok());
    let long = with(&[b'A'; 1024]);
    refused(accept(&mut *server.server(&any()), &long, &one_account), SecStatus::SEC_E_INVALID_TOKEN);
}

#[test]
fn a_server_that_looks_at_every_target_and_has_no_name_is_a_mistake_of_the_configuration() {
    let nameless = world(2, |config| config.target_name = Check::Always);
    for role in [CredentialUse::Inbound, CredentialUse::Both] {
        let request = CredentialsRequest {
            auth_data: identity("alice", "CORP", PASSWORD),
            ..CredentialsRequest::configured(role)
        };
        let error = nameless.package.acquire_credentials_handle(&request).map(drop).unwrap_err();
        assert_eq!((error.fault(), error.setting()), (Fault::Configuration, Some("service-names")));
    }
    assert!(nameless.outbound(identity("alice", "CORP", PASSWORD)).is_ok());
}

#[test]
fn an_account_without_domain_is_not_shown_under_the_clients() {
    let (client, server) = both();
    let mut acceptor = server.server(&any());
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let homeless = |request: &_| {
        let mut verdict = one_account(request);
        if let Ok(LogonVerdict::Known { account, .. }) = &mut verdict {
            account.account.domain = None;
        }
        verdict
    };
    let (context, _) = support::complete(accept(&mut *acceptor, &tokens.authenticate, &homeless));
    assert_eq!(context.attributes().names().unwrap(), "alice");
}

#[test]
fn an_answer_made_for_somebody_else_makes_nobody_forget_failures() {
    let client = world(1, |_| ());
    let server = world(2, |config| config.lock_out.failures = 2);
    let log_on = |password, ours: &[u8]| {
        let request = InitializeRequest { channel_bindings: bindings(&[5; 32]), ..sealed() };
        let accepts = AcceptRequest { channel_bindings: bindings(ours), ..any() };
        handshake(&mut *client.client(password, &request), &mut *server.server(&accepts)).map(drop)
    };
    log_on("wrong", &[5; 32]).unwrap_err();
    // The right password, on another channel.
    assert_eq!(log_on(PASSWORD, &[6; 32]).unwrap_err().status(), SecStatus::SEC_E_BAD_BINDINGS);
    log_on("wrong", &[5; 32]).unwrap_err();
    assert_eq!(log_on(PASSWORD, &[5; 32]).unwrap_err().status(), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn an_attempt_that_was_never_judged_counts_for_its_source() {
    let client = world(1, |_| ());
    let server = world(2, |config| config.lock_out.failures_of_source = 2);
    let request = AcceptRequest { source: Some("10.0.0.1".into()), ..any() };
    for _ in 0..2 {
        let mut acceptor = server.server(&request);
        let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
        // Asked, and given up before there was an answer.
        acceptor.accept_security_context(&tokens.authenticate).unwrap();
    }
    let refused = handshake(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&request));
    assert_eq!(refused.map(drop).unwrap_err().status(), SecStatus::SEC_E_LOGON_DENIED);
    handshake(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&any())).unwrap();
}

#[test]
fn server_that_requires_a_mic_refuses_a_client_without_one() {
    let server = world(2, |config| config.require_mic = true);
    let error = refused(
        HandMade::new(AvPairs::default()).log_on(&mut *server.server(&any())),
        SecStatus::SEC_E_MESSAGE_ALTERED,
    );
    assert_eq!(error.setting(), Some("require-mic"));
    let mut pairs = AvPairs::default();
    pairs.set(AvId::FLAGS, &[2, 0, 0, 0]);
    let client = HandMade { has_mic: true, ..HandMade::new(pairs) };
    assert!(client.log_on(&mut *server.server(&any())).is_ok());
}

/// What a server with this policy says to a client with these bindings: those of the application, and what the client sends.
fn bound(policy: Check, ours: Option<&[u8]>, theirs: Option<[u8; 16]>, flags: AscReq) -> Result<Step, Error> {
    let server = world(2, |config| config.channel_bindings = policy);
    let channel_bindings = ours.map(sspi_core::ChannelBindings::tls_server_end_point);
    let request = AcceptRequest { channel_bindings, flags, ..AcceptRequest::default() };
    let mut pairs = AvPairs::default();
    if let Some(theirs) = &theirs {
        pairs.set(AvId::CHANNEL_BINDINGS, theirs);
    }
    HandMade::new(pairs).log_on(&mut *server.server(&request))
}

const CHANNEL: Option<&[u8]> = Some(&[5; 32]);

#[track_caller]
fn badly_bound(result: Result<Step, Error>, why: &str) {
    let error = refused(result, SecStatus::SEC_E_BAD_BINDINGS);
    assert_eq!((error.setting(), error.message()), (Some("channel-bindings"), why));
}

#[test]
fn missing_bindings_are_refused_by_always_and_by_when_supported_of_clients_that_know_them() {
    let missing = "the client is not bound to this channel";
    badly_bound(bound(Check::Always, CHANNEL, None, AscReq::NONE), missing);
    badly_bound(bound(Check::Always, CHANNEL, Some([0; 16]), AscReq::NONE), missing);
    badly_bound(bound(Check::Always, CHANNEL, Some([0; 16]), AscReq::ALLOW_MISSING_BINDINGS), missing);
    badly_bound(bound(Check::WhenSupported, CHANNEL, Some([0; 16]), AscReq::NONE), missing);
    assert!(bound(Check::WhenSupported, CHANNEL, None, AscReq::NONE).is_ok());
    assert!(bound(Check::WhenSupported, CHANNEL, Some([0; 16]), AscReq::ALLOW_MISSING_BINDINGS).is_ok());
    assert!(bound(Check::Never, CHANNEL, None, AscReq::NONE).is_ok());
}

#[test]
fn wrong_bindings_are_refused_by_always_and_by_when_supported() {
    for policy in [Check::Always, Check::WhenSupported] {
        for flags in [AscReq::NONE, AscReq::ALLOW_MISSING_BINDINGS, AscReq::PROXY_BINDINGS] {
            badly_bound(
                bound(policy, CHANNEL, Some([7; 16]), flags),
                "the client is bound to another channel",
            );
        }
    }
    assert!(bound(Check::Never, CHANNEL, Some([7; 16]), AscReq::NONE).is_ok());
}

#[test]
fn superfluous_bindings_are_refused_by_always_and_by_when_supported() {
    let superfluous = "the client is bound to a channel, and this is none";
    badly_bound(bound(Check::WhenSupported, None, Some([7; 16]), AscReq::NONE), superfluous);
    assert!(bound(Check::WhenSupported, None, Some([7; 16]), AscReq::PROXY_BINDINGS).is_ok());
    assert!(bound(Check::WhenSupported, None, Some([0; 16]), AscReq::NONE).is_ok());
    let unknown = "channel bindings are required, and the application has none";
    badly_bound(bound(Check::Always, None, Some([7; 16]), AscReq::NONE), unknown);
    badly_bound(bound(Check::Always, None, None, AscReq::NONE), unknown);
    assert!(bound(Check::Never, None, Some([7; 16]), AscReq::NONE).is_ok());
}

#[test]
fn bindings_of_another_channel_are_refused_from_our_own_client() {
    let (client, server) = both();
    let request = InitializeRequest { channel_bindings: bindings(&[6; 32]), ..sealed() };
    let accepts = AcceptRequest { channel_bindings: bindings(&[5; 32]), ..any() };
    let result = handshake(&mut *client.client(PASSWORD, &request), &mut *server.server(&accepts));
    assert_eq!(result.map(drop).unwrap_err().status(), SecStatus::SEC_E_BAD_BINDINGS);
    let result = handshake(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&accepts));
    assert_eq!(result.map(drop).unwrap_err().status(), SecStatus::SEC_E_BAD_BINDINGS);
}

#[test]
fn a_relayed_target_name_is_refused() {
    let names = || vec!["HTTP/www.corp.example".to_owned(), "www".to_owned()];
    let (client, _) = both();
    let asks = |policy, target: Option<&str>| {
        let server = world(2, |config| {
            config.service_names = names();
            config.target_name = policy;
        });
        let request = InitializeRequest { target_name: target.map(str::to_owned), ..sealed() };
        handshake(&mut *client.client(PASSWORD, &request), &mut *server.server(&any())).map(drop)
    };
    for policy in [Check::WhenSupported, Check::Always] {
        asks(policy, Some("HTTP/www.corp.example")).unwrap();
        asks(policy, Some("cifs/www")).unwrap();
        for elsewhere in ["HTTP/files.corp.example", "cifs/files", "HTTP/www.evil.example"] {
            let error = asks(policy, Some(elsewhere)).unwrap_err();
            assert_eq!(
                (error.status(), error.setting()),
                (SecStatus::SEC_E_WRONG_PRINCIPAL, Some("service-names"))
            );
            assert!(error.message().contains(elsewhere), "{error}");
        }
    }
    asks(Check::WhenSupported, None).unwrap();
    assert_eq!(asks(Check::Always, None).unwrap_err().status(), SecStatus::SEC_E_WRONG_PRINCIPAL);
    asks(Check::Never, Some("cifs/files")).unwrap();
}

#[test]
fn a_target_name_of_an_untrusted_source_is_refused_where_one_is_required() {
    let server = |policy| {
        world(2, |config| {
            config.service_names = vec!["www".into()];
            config.target_name = policy;
        })
    };
    let target = utf16("HTTP/www");
    let mut pairs = AvPairs::default();
    pairs.set(AvId::TARGET_NAME, &target);
    pairs.set(AvId::FLAGS, &[6, 0, 0, 0]);
    let client = HandMade { has_mic: true, ..HandMade::new(pairs) };
    assert!(client.log_on(&mut *server(Check::WhenSupported).server(&any())).is_ok());
    refused(client.log_on(&mut *server(Check::Always).server(&any())), SecStatus::SEC_E_WRONG_PRINCIPAL);
}

#[test]
fn an_answer_replayed_to_another_acceptor_is_refused() {
    let (client, server) = both();
    let mut first = server.server(&any());
    let Tokens { negotiate, authenticate, .. } = run(&mut *client.client(PASSWORD, &sealed()), &mut *first);
    accept(&mut *first, &authenticate, &one_account).unwrap();
    refused(accept(&mut *first, &authenticate, &one_account), SecStatus::SEC_E_INVALID_HANDLE);
    let mut second = server.server(&any());
    token(accept(&mut *second, &negotiate, &one_account));
    refused(accept(&mut *second, &authenticate, &one_account), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn version_1_is_refused_under_the_default() {
    let (_, server) = both();
    for level in 0..3 {
        let client =
            world(1, |config| config.lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap());
        let request = InitializeRequest { flags: IscReq::NONE, ..InitializeRequest::default() };
        let asked = Mutex::new(0);
        let count = |request: &_| {
            *asked.lock().unwrap() += 1;
            one_account(request)
        };
        let mut acceptor = server.server(&any());
        let tokens = run(&mut *client.client(PASSWORD, &request), &mut *acceptor);
        let error =
            refused(accept(&mut *acceptor, &tokens.authenticate, &count), SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(error.setting(), Some("acceptor-lm-compatibility-level"));
        assert_eq!(*asked.lock().unwrap(), 0, "nobody is asked");
    }
}

#[test]
fn client_refuses_its_own_challenge_reflected() {
    let careful = |seed| world(seed, |config| config.reflection = Reflection::Refuse);
    let package = careful(1);
    // A server of the same package, and one of another package of the process.
    for other in [None, Some(careful(2))] {
        let mut victim = package.client(PASSWORD, &sealed());
        let negotiate = token(step(&mut *victim, &[]));
        // Whoever the client connects to connects to the client's own server, and hands on what it says.
        let mut server = other.as_ref().unwrap_or(&package).server(&any());
        let challenge = token(accept(&mut *server, &negotiate, &one_account));
        let error = refused(step(&mut *victim, &challenge), SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(error.setting(), Some("reflection"));
        refused(step(&mut *victim, &challenge), SecStatus::SEC_E_LOGON_DENIED);
        // One whose handshake is over is none that is out, and like one of another process.
        drop(server);
        let mut honest = package.client(PASSWORD, &sealed());
        token(step(&mut *honest, &[]));
        token(step(&mut *honest, &challenge));
    }
}

#[test]
fn weak_keys_and_missing_session_security_are_refused_by_both_ends() {
    use NegotiateFlags as F;
    let (client, server) = both();
    for (without, setting) in [
        (F::NEGOTIATE_128, "minimum-key-bits"),
        (F::NEGOTIATE_EXTENDED_SESSIONSECURITY, "extended-session-security"),
    ] {
        let offer = HandMade::negotiate(HandMade::FLAGS.without(without));
        let error = refused(
            accept(&mut *server.server(&any()), &offer, &one_account),
            SecStatus::SEC_E_ALGORITHM_MISMATCH,
        );
        assert_eq!(error.setting(), Some(setting));
        // The client says it in its answer only.
        let late = HandMade { flags: HandMade::FLAGS, ..HandMade::new(AvPairs::default()) };
        let mut acceptor = server.server(&any());
        let negotiate = HandMade::negotiate(late.flags);
        let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
        let late = HandMade { flags: late.flags.without(without), ..late };
        let error = refused(
            accept(&mut *acceptor, &late.authenticate(&negotiate, &challenge), &one_account),
            SecStatus::SEC_E_ALGORITHM_MISMATCH,
        );
        assert_eq!(error.setting(), Some(setting));
        // The server chooses it.
        let mut initiator = client.client(PASSWORD, &sealed());
        token(step(&mut *initiator, &[]));
        let message = ChallengeMessage::decode(&challenge).unwrap();
        let flags = message.flags.without(without);
        let weak = ChallengeMessage { flags, ..message }.to_bytes().unwrap();
        let error = refused(step(&mut *initiator, &weak), SecStatus::SEC_E_ALGORITHM_MISMATCH);
        assert_eq!(error.setting(), Some(setting));
    }
}

#[test]
fn nobody_is_refused_under_the_default_by_both_ends() {
    let (client, server) = both();
    let error = client.outbound(identity("", "", "")).map(drop).unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("user")));
    let credentials = client.outbound(identity("alice", "", PASSWORD)).unwrap();
    let asked = InitializeRequest { flags: IscReq::NULL_SESSION, ..InitializeRequest::default() };
    assert_eq!(credentials.initialize(&asked).map(drop).unwrap_err().setting(), Some("anonymous"));
    let nobody = world(1, |config| config.anonymous = true);
    let mut initiator = nobody.outbound(identity("", "", "")).unwrap().initialize(&sealed()).unwrap();
    let error = handshake(&mut *initiator, &mut *server.server(&any())).map(drop).unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_LOGON_DENIED, Some("anonymous")));
}

#[test]
fn an_answer_that_comes_too_late_is_refused() {
    let (client, server) = both();
    let mut acceptor = server.server(&any());
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    server.clock.advance(Duration::from_secs(61));
    let error =
        refused(accept(&mut *acceptor, &tokens.authenticate, &one_account), SecStatus::SEC_E_CONTEXT_EXPIRED);
    assert_eq!(error.setting(), Some("deadline"));
}

#[test]
fn who_fails_too_often_is_refused_with_the_right_password_until_the_time_is_over() {
    let client = world(1, |_| ());
    let server = world(2, |config| config.lock_out.failures = 3);
    let from = |source: &str, password| {
        let request = AcceptRequest { source: Some(source.into()), ..any() };
        handshake(&mut *client.client(password, &sealed()), &mut *server.server(&request)).map(drop)
    };
    for _ in 0..3 {
        from("10.0.0.1", "wrong").unwrap_err();
    }
    assert_eq!(from("10.0.0.1", PASSWORD).unwrap_err().status(), SecStatus::SEC_E_LOGON_DENIED);
    from("10.0.0.2", PASSWORD).unwrap();
    server.clock.advance(Duration::from_secs(15 * 60));
    from("10.0.0.1", PASSWORD).unwrap();
}

#[test]
fn an_account_of_several_names_may_fail_as_often_as_one() {
    let (client, server) = (world(1, |_| ()), world(2, |config| config.lock_out.failures = 3));
    let judged = Mutex::new(0);
    // Whoever it is called, it is the one account that there is.
    let log_on = |name: &str, password: &str| {
        let mut acceptor = server.server(&AcceptRequest { source: Some("a".into()), ..any() });
        let credentials = client.outbound(identity(name, support::DOMAIN, password)).unwrap();
        let mut initiator = credentials.initialize(&sealed()).unwrap();
        let tokens = run(&mut *initiator, &mut *acceptor);
        let found = |_: &_| {
            *judged.lock().unwrap() += 1;
            let secrets = vec![AccountSecret::NtHash(Secret::new(*NtHash::of_password(PASSWORD).as_bytes()))];
            Ok(LogonVerdict::Known { account: account(support::USER, support::DOMAIN), secrets })
        };
        accept(&mut *acceptor, &tokens.authenticate, &found)
    };
    assert!(log_on("zero", PASSWORD).is_ok());
    for name in ["one", "two", "three"] {
        refused(log_on(name, "wrong"), SecStatus::SEC_E_LOGON_DENIED);
    }
    // Under a name that has not failed yet somebody is asked, and nobody looks at the proof.
    refused(log_on("four", PASSWORD), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(*judged.lock().unwrap(), 5);
    refused(log_on(support::USER, PASSWORD), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(*judged.lock().unwrap(), 5, "nobody is asked");
}

#[test]
fn as_many_attempts_at_once_are_as_good_as_one_after_the_other() {
    let client = world(1, |_| ());
    let server = world(2, |config| config.lock_out.failures = 3);
    let mut asked = 0;
    let mut waiting = Vec::new();
    for _ in 0..10 {
        let mut acceptor = server.server(&any());
        let tokens = run(&mut *client.client("wrong", &sealed()), &mut *acceptor);
        if let Ok(Step::Ask(Question::Logon(ask))) = acceptor.accept_security_context(&tokens.authenticate) {
            asked += 1;
            waiting.push((acceptor, ask));
        }
    }
    assert_eq!(asked, 3);
}

#[test]
fn a_database_that_cannot_be_asked_ends_the_handshake_and_counts_for_nobody() {
    let client = world(1, |_| ());
    let server = world(2, |config| {
        (config.lock_out.failures, config.lock_out.failures_of_source) = (1, 2);
    });
    let down =
        |_: &_| Err(Error::new(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration, "down"));
    let request = AcceptRequest { source: Some("10.0.0.1".into()), ..any() };
    for _ in 0..3 {
        let mut acceptor = server.server(&request);
        let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
        refused(
            accept(&mut *acceptor, &tokens.authenticate, &down),
            SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY,
        );
        refused(
            accept(&mut *acceptor, &tokens.authenticate, &one_account),
            SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY,
        );
    }
    handshake(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&request)).unwrap();
}

#[test]
fn nobody_is_refused_where_everybody_must_want_this_server_or_have_a_mic() {
    for (name, require_mic) in [(Check::Always, false), (Check::Never, true), (Check::Never, false)] {
        let nobody = world(1, |config| config.anonymous = true);
        let server = world(2, |config| {
            config.anonymous = true;
            (config.target_name, config.require_mic) = (name, require_mic);
            config.service_names = vec!["HTTP/www".into()];
        });
        let mut initiator = nobody.outbound(identity("", "", "")).unwrap().initialize(&sealed()).unwrap();
        let result = handshake(&mut *initiator, &mut *server.server(&any()));
        assert_eq!(result.is_ok(), name == Check::Never && !require_mic);
    }
}

#[test]
fn every_other_message_at_every_point_is_refused() {
    let (client, server) = both();
    let Tokens { negotiate, challenge, authenticate, .. } =
        run(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&any()));
    let invalid = SecStatus::SEC_E_INVALID_TOKEN;
    for wrong in [&challenge, &authenticate] {
        let mut acceptor = server.server(&any());
        refused(accept(&mut *acceptor, wrong, &one_account), invalid);
        refused(accept(&mut *acceptor, &negotiate, &one_account), invalid);
    }
    for wrong in [&challenge, &negotiate] {
        let mut acceptor = server.server(&any());
        token(accept(&mut *acceptor, &negotiate, &one_account));
        refused(accept(&mut *acceptor, wrong, &one_account), invalid);
        refused(accept(&mut *acceptor, &authenticate, &one_account), invalid);
    }
    for wrong in [&negotiate, &authenticate] {
        let mut initiator = client.client(PASSWORD, &sealed());
        token(step(&mut *initiator, &[]));
        refused(step(&mut *initiator, wrong), invalid);
        refused(step(&mut *initiator, &challenge), invalid);
    }
}

#[test]
fn an_av_pair_that_points_outside_is_refused_in_challenges_and_in_answers() {
    let (client, server) = both();
    let mut acceptor = server.server(&any());
    let Tokens { challenge, authenticate, .. } =
        run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let message = ChallengeMessage::decode(&challenge).unwrap();
    let mut info = message.target_info.to_vec();
    let places: Vec<usize> = pair_lengths(&info, 0).collect();
    for place in places {
        for length in [u16::MAX, u16::try_from(info.len()).unwrap()] {
            let before = [info[place], info[place + 1]];
            info[place..place + 2].copy_from_slice(&length.to_le_bytes());
            let wrong = ChallengeMessage { target_info: &info, ..message.clone() }.to_bytes().unwrap();
            let mut initiator = client.client(PASSWORD, &sealed());
            token(step(&mut *initiator, &[]));
            refused(step(&mut *initiator, &wrong), SecStatus::SEC_E_INVALID_TOKEN);
            info[place..place + 2].copy_from_slice(&before);
        }
    }
    let answer = with_nt_response(&authenticate, |response| {
        let mut temp = response.temp.to_vec();
        temp[30..32].copy_from_slice(&u16::MAX.to_le_bytes());
        [&response.nt_proof_str[..], &temp].concat()
    });
    refused(accept(&mut *acceptor, &answer, &one_account), SecStatus::SEC_E_INVALID_TOKEN);
}

/// Where the lengths of the pairs stand.
fn pair_lengths(info: &[u8], mut at: usize) -> impl Iterator<Item = usize> + '_ {
    core::iter::from_fn(move || {
        let length = info.get(at + 2..at + 4)?;
        let place = at + 2;
        at += 4 + usize::from(u16::from_le_bytes([length[0], length[1]]));
        Some(place)
    })
}

#[test]
fn names_that_are_no_text_are_refused() {
    let (_, server) = both();
    let result = altered(&server, &any(), |token| {
        let message = AuthenticateMessage::decode(token).unwrap();
        *token = AuthenticateMessage { user: &[0, 0xd8], ..message }.to_bytes().unwrap();
    });
    refused(result, SecStatus::SEC_E_INVALID_TOKEN);
}
