//! Handshakes that come to a context, in all the ways that a configuration allows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

mod support;

use std::sync::Arc;

use opensspi_ntlm::messages::{
    AuthenticateMessage, AvFlags, AvId, ChallengeMessage, NegotiateFlags, NtlmV2Response,
};
use opensspi_ntlm::{
    Check, Environment, ExtendedSessionSecurity, LmCompatibilityLevel, NtHash, NtHashIdentity, Ntlm,
    NtlmConfig, Reflection, Secrets,
};
use sspi_core::{
    AcceptRequest, AccountSecret, AscRet, AuthData, ContextFlags, Decrypted, InitializeRequest, IscReq,
    IscRet, LogonProof, LogonVerdict, QualityOfProtection, Question, SecBuffer, SecBufferType, SecPkgFlags,
    SecStatus, Secret, SecurityContext, Step,
};
use support::{
    DOMAIN, HandMade, PASSWORD, USER, World, accept, account, bindings, complete, handshake, identity,
    one_account, run, sealed, step, token, world,
};

/// A message from one context to the other.
fn carries(from: &mut dyn SecurityContext, to: &mut dyn SecurityContext, text: &[u8]) {
    let mut memory = [&[0; 16][..], text].concat();
    let mut buffers =
        [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..memory.len())];
    from.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    assert_eq!(to.decrypt_message(&mut memory, &mut buffers).unwrap(), Decrypted::Message);
    assert_eq!(&memory[16..], text);
}

fn both() -> (World, World) {
    (world(1, |_| ()), world(2, |_| ()))
}

#[test]
fn a_client_and_a_server_agree_and_talk() {
    let (client, server) = both();
    let request = InitializeRequest { target_name: Some("host/server".into()), ..sealed() };
    let mut client_side = client.client(PASSWORD, &request);
    let mut server_side = server.server(&AcceptRequest::default());
    let [mut client, mut server] = handshake(&mut *client_side, &mut *server_side).unwrap();
    carries(&mut *client, &mut *server, b"hello");
    carries(&mut *server, &mut *client, b"hello yourself");
    let account = server.security_context_token().unwrap();
    assert_eq!((account.name.as_str(), account.domain.as_deref()), (USER, Some(DOMAIN)));
    assert_eq!(account.matched_by, "password");
    for attributes in [client.attributes(), server.attributes()] {
        assert_eq!(attributes.names().unwrap(), "CORP\\alice");
        assert_eq!(attributes.client_specified_target().unwrap(), "host/server");
        assert!(attributes.weaknesses().is_empty());
    }
    let keys =
        [client, server].map(|context| context.attributes().session_key().unwrap().expose_secret().clone());
    assert_eq!(keys[0], keys[1]);
    let over = client_side.initialize_security_context(&[]).unwrap_err();
    assert_eq!(over.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    let over = server_side.accept_security_context(&[1]).unwrap_err();
    assert_eq!(over.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
}

#[test]
fn the_package_says_what_windows_says_of_it() {
    let (world, _) = both();
    let info = world.info();
    assert_eq!((info.name.as_ref(), info.version, info.rpc_id, info.max_token), ("NTLM", 1, 10, 2888));
    assert_eq!(info.oids[0].to_string(), "1.3.6.1.4.1.311.2.2.10");
    assert!(
        info.capabilities.contains(SecPkgFlags::CONNECTION | SecPkgFlags::TOKEN_ONLY)
            && !info.capabilities.is_stream()
    );
}

#[test]
fn flags_are_those_that_were_asked_for_and_negotiated() {
    let protected = IscRet::INTEGRITY | IscRet::REPLAY_DETECT | IscRet::SEQUENCE_DETECT;
    for (asked, sign, seal, granted) in [
        (IscReq::NONE, false, false, IscRet::NONE),
        (IscReq::MUTUAL_AUTH | IscReq::DELEGATE | IscReq::CONNECTION, false, false, IscRet::NONE),
        (IscReq::INTEGRITY, true, false, protected),
        (IscReq::REPLAY_DETECT, true, false, protected),
        (IscReq::SEQUENCE_DETECT, true, false, protected),
        (IscReq::CONFIDENTIALITY, true, true, protected | IscRet::CONFIDENTIALITY),
        (IscReq::IDENTIFY, false, false, IscRet::IDENTIFY),
    ] {
        let (client, server) = both();
        let request = InitializeRequest { flags: asked, ..InitializeRequest::default() };
        let mut initiator = client.client(PASSWORD, &request);
        let negotiate = token(step(&mut *initiator, &[]));
        let low = negotiate[12];
        assert_eq!((low & 0x10 != 0, low & 0x20 != 0), (sign, seal), "{asked:?}");
        let mut acceptor = server.server(&AcceptRequest::default());
        let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
        let (at_client, authenticate) = complete(step(&mut *initiator, &challenge));
        let (at_server, _) = complete(accept(&mut *acceptor, &authenticate, &one_account));
        let granted = granted | IscRet::CONNECTION;
        let supplied = granted | IscRet::USED_SUPPLIED_CREDS;
        assert_eq!(at_client.attributes().flags(), ContextFlags::Initiator(supplied));
        let ContextFlags::Acceptor(flags) = at_server.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(AscRet::INTEGRITY), sign);
        assert_eq!(flags.contains(AscRet::CONFIDENTIALITY), seal);
        assert_eq!(flags.contains(AscRet::IDENTIFY), asked.contains(IscReq::IDENTIFY));
    }
}

#[test]
fn an_answer_has_mic_target_and_bindings_under_its_proof() {
    let (client, server) = both();
    let request = InitializeRequest {
        target_name: Some("HTTP/www".into()),
        channel_bindings: bindings(&[5; 32]),
        ..sealed()
    };
    let tokens = run(&mut *client.client(PASSWORD, &request), &mut *server.server(&AcceptRequest::default()));
    let challenge = ChallengeMessage::decode(&tokens.challenge).unwrap();
    let theirs = challenge.av_pairs().unwrap();
    assert_eq!(theirs.text(AvId::NB_COMPUTER_NAME).unwrap().as_deref(), Some("SERVER"));
    assert_eq!(theirs.text(AvId::DNS_COMPUTER_NAME).unwrap().as_deref(), Some("server.corp.example"));
    assert_eq!(theirs.text(AvId::DNS_DOMAIN_NAME).unwrap().as_deref(), Some("corp.example"));
    let message = AuthenticateMessage::decode(&tokens.authenticate).unwrap();
    assert_eq!(message.lm_response, [0; 24]);
    assert!(message.mic.is_some_and(|mic| mic != [0; 16]));
    let response = NtlmV2Response::decode(message.nt_response).unwrap();
    let pairs = &response.content.av_pairs;
    assert_eq!(pairs.timestamp(), theirs.timestamp());
    assert_eq!(response.content.timestamp, theirs.timestamp().unwrap());
    assert_eq!(pairs.flags(), AvFlags::MIC);
    assert_eq!(pairs.text(AvId::TARGET_NAME).unwrap().as_deref(), Some("HTTP/www"));
    assert_ne!(pairs.get(AvId::CHANNEL_BINDINGS).unwrap(), [0; 16]);
}

#[test]
fn a_client_says_nothing_in_the_name_of_its_server() {
    let (client, server) = both();
    let mut initiator = client.client(PASSWORD, &sealed());
    let negotiate = token(step(&mut *initiator, &[]));
    let challenge = token(accept(&mut *server.server(&AcceptRequest::default()), &negotiate, &one_account));
    let message = ChallengeMessage::decode(&challenge).unwrap();
    let mut pairs = message.av_pairs().unwrap();
    pairs.set(AvId::FLAGS, &[0; 4]);
    pairs.set(AvId::TARGET_NAME, b"e\0v\0i\0l\0");
    pairs.set(AvId::CHANNEL_BINDINGS, &[7; 16]);
    pairs.set(AvId::SINGLE_HOST, &[7; 48]);
    let target_info = wire_writer(&pairs);
    let altered = ChallengeMessage { target_info: &target_info, ..message.clone() }.to_bytes().unwrap();
    let (_, authenticate) = complete(step(&mut *initiator, &altered));
    let answer = AuthenticateMessage::decode(&authenticate).unwrap();
    let response = NtlmV2Response::decode(answer.nt_response).unwrap();
    let said = &response.content.av_pairs;
    assert_eq!(said.flags(), AvFlags::MIC);
    assert_eq!((said.get(AvId::TARGET_NAME), said.get(AvId::SINGLE_HOST)), (Some(&b""[..]), None));
    assert_eq!(said.get(AvId::CHANNEL_BINDINGS), Some(&[0; 16][..]));
}

fn wire_writer(pairs: &opensspi_ntlm::messages::AvPairs<'_>) -> Vec<u8> {
    let mut writer = wire::Writer::new();
    pairs.encode(&mut writer).unwrap();
    writer.into_vec()
}

#[test]
fn every_level_of_the_client_is_taken_by_an_acceptor_that_takes_it() {
    for level in 0..=5 {
        let client = world(1, |config| {
            config.lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap();
            config.extended_session_security = ExtendedSessionSecurity::Optional;
        });
        for acceptor_level in 0..=5 {
            let server = world(2, |config| {
                config.acceptor_lm_compatibility_level = LmCompatibilityLevel::new(acceptor_level).unwrap();
                config.extended_session_security = ExtendedSessionSecurity::Optional;
            });
            let result = handshake(
                &mut *client.client("Password1", &sealed()),
                &mut *server.server(&AcceptRequest::default()),
            );
            // The database has another password: see what the levels say first.
            let error = result.map(drop).unwrap_err();
            assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED);
            let is_refused = error.setting() == Some("acceptor-lm-compatibility-level");
            assert_eq!(is_refused, level < 3 && acceptor_level == 5, "{level} to {acceptor_level}");
            let result = handshake(
                &mut *client.client(PASSWORD, &sealed()),
                &mut *server.server(&AcceptRequest::default()),
            );
            if is_refused {
                assert!(result.is_err());
                continue;
            }
            let [mut client, mut server] = result.unwrap();
            carries(&mut *client, &mut *server, b"hello");
            carries(&mut *server, &mut *client, b"hello");
            assert_eq!(server.attributes().weaknesses().iter().any(|weak| weak.name == "ntlm-v1"), level < 3);
        }
    }
}

#[test]
fn the_lm_response_alone_is_taken_by_levels_below_4() {
    use opensspi_ntlm::messages::{NegotiateMessage, utf16};
    let flags = NegotiateFlags(0x0000_0201);
    for (level, is_taken) in [(3, true), (4, false), (5, false)] {
        let server = world(2, |config| {
            config.acceptor_lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap()
        });
        let mut acceptor = server.server(&AcceptRequest::default());
        let negotiate =
            NegotiateMessage { flags, domain: &[], workstation: &[], version: None }.to_bytes().unwrap();
        let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
        let challenge = ChallengeMessage::decode(&challenge).unwrap().server_challenge;
        // What LAN Manager made of "PASSWORD".
        let lm_hash =
            [0xe5, 0x2c, 0xac, 0x67, 0x41, 0x9a, 0x9a, 0x22, 0x4a, 0x3b, 0x10, 0x8f, 0x3f, 0xa6, 0xcb, 0x6d];
        let response: Vec<u8> = [&lm_hash[..7], &lm_hash[7..14], &[lm_hash[14], lm_hash[15], 0, 0, 0, 0, 0]]
            .iter()
            .flat_map(|seven| crypto::cipher::des_encrypt_block((*seven).try_into().unwrap(), challenge))
            .collect();
        let user = utf16(USER);
        let answer = AuthenticateMessage {
            lm_response: &response,
            nt_response: &[],
            domain: &[],
            user: &user,
            workstation: &[],
            encrypted_random_session_key: &[],
            flags,
            version: None,
            mic: None,
        };
        let known = |_: &_| {
            let secrets = vec![AccountSecret::Password(Secret::new("Password".to_owned()))];
            Ok(LogonVerdict::Known { account: account(USER, DOMAIN), secrets })
        };
        let result = accept(&mut *acceptor, &answer.to_bytes().unwrap(), &known);
        assert_eq!(result.is_ok(), is_taken, "{level}: {result:?}");
    }
}

#[test]
fn names_are_taken_in_every_form() {
    let (client, server) = both();
    for (user, domain, sent_user, sent_domain) in [
        ("alice", "CORP", "alice", "CORP"),
        ("CORP\\alice", "", "alice", "CORP"),
        ("alice", "", "alice", ""),
        ("alice@corp.example", "", "alice@corp.example", ""),
    ] {
        let mut initiator =
            client.outbound(identity(user, domain, PASSWORD)).unwrap().initialize(&sealed()).unwrap();
        let mut acceptor = server.server(&AcceptRequest::default());
        let tokens = run(&mut *initiator, &mut *acceptor);
        let database = |request: &sspi_core::LogonRequest| {
            assert_eq!((request.user.as_str(), request.domain.as_str()), (sent_user, sent_domain));
            assert_eq!((request.package.as_ref(), request.workstation.as_str()), ("NTLM", "SERVER"));
            let secrets = vec![AccountSecret::Password(Secret::new(PASSWORD.to_owned()))];
            Ok(LogonVerdict::Known { account: account(USER, DOMAIN), secrets })
        };
        complete(accept(&mut *acceptor, &tokens.authenticate, &database));
    }
}

#[test]
fn a_hash_logs_on_as_its_password_does() {
    let (client, server) = both();
    let nt_hash = NtHash::of_password(PASSWORD);
    let data = NtHashIdentity { user: USER.into(), domain: DOMAIN.into(), nt_hash };
    let credentials = client.outbound(AuthData::Package(Arc::new(data))).unwrap();
    assert_eq!(credentials.names().unwrap(), "CORP\\alice");
    let mut initiator = credentials.initialize(&sealed()).unwrap();
    handshake(&mut *initiator, &mut *server.server(&AcceptRequest::default())).unwrap();
}

#[test]
fn a_domain_controller_that_judges_itself_is_believed() {
    let (client, server) = both();
    let mut initiator = client.client(PASSWORD, &sealed());
    let mut acceptor = server.server(&AcceptRequest::default());
    let tokens = run(&mut *initiator, &mut *acceptor);
    let controller = |request: &sspi_core::LogonRequest| {
        let LogonProof::ChallengeResponse { challenge, nt_response, .. } = &request.proof else { panic!() };
        let response = NtlmV2Response::decode(nt_response).unwrap();
        let mac = |key: &[u8], parts: &[&[u8]]| crypto::mac::hmac(crypto::hash::Hash::Md5, key, parts);
        let name = opensspi_ntlm::messages::utf16("ALICECORP");
        let key = mac(NtHash::of_password(PASSWORD).as_bytes(), &[&name]);
        let proof = mac(key.as_ref(), &[challenge, response.temp]);
        assert_eq!(proof.as_ref(), response.nt_proof_str);
        let session_key = mac(key.as_ref(), &[proof.as_ref()]).as_ref().try_into().unwrap();
        Ok(LogonVerdict::Proven {
            account: account(USER, DOMAIN).account,
            session_key: Secret::new(session_key),
        })
    };
    let (mut at_server, _) = complete(accept(&mut *acceptor, &tokens.authenticate, &controller));
    let mut at_client = tokens.context;
    carries(&mut *at_client, &mut *at_server, b"the MIC was right, and the keys are");
}

#[test]
fn secrets_of_a_configuration_are_read_by_reference() {
    struct Files;
    impl Secrets for Files {
        fn read(&self, reference: &str) -> std::io::Result<zeroize::Zeroizing<Vec<u8>>> {
            match reference {
                "file:password" => Ok(format!("{PASSWORD}\r\n").into_bytes().into()),
                "env:HASH" => Ok(NtHash::of_password(PASSWORD).to_hex().as_bytes().to_vec().into()),
                "file:bad" => Ok(b"no hash".to_vec().into()),
                _ => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }
    let (other, server) = both();
    let package = |change: &dyn Fn(&mut NtlmConfig)| {
        let reflection = Reflection::Allow;
        let mut config = NtlmConfig { user: Some("CORP\\alice".into()), reflection, ..NtlmConfig::default() };
        change(&mut config);
        let random: Arc<dyn opensspi_ntlm::Random> = Arc::new(crypto::random::SystemRandom);
        let clock: Arc<dyn sspi_core::Clock> = Arc::new(Still);
        let environment = Environment { clock, random, secrets: Arc::new(Files), host_name: None };
        World { clock: other.clock.clone(), package: Ntlm::new(config, environment) }
    };
    for change in [
        &(|config: &mut NtlmConfig| config.password = Some("file:password".into()))
            as &dyn Fn(&mut NtlmConfig),
        &|config| config.nt_hash = Some("env:HASH".into()),
    ] {
        let mut initiator =
            package(change).outbound(AuthData::Configured).unwrap().initialize(&sealed()).unwrap();
        handshake(&mut *initiator, &mut *server.server(&AcceptRequest::default())).unwrap();
    }
    for (change, setting) in [
        (&(|_: &mut NtlmConfig| ()) as &dyn Fn(&mut NtlmConfig), "password"),
        (&|config| config.password = Some(PASSWORD.into()), "password"),
        (&|config| config.password = Some("file:missing".into()), "password"),
        (&|config| config.nt_hash = Some("file:bad".into()), "nt-hash"),
        (&|config| config.user = None, "user"),
    ] {
        let error = package(change).outbound(AuthData::Configured).map(drop).unwrap_err();
        assert_eq!(error.setting(), Some(setting), "{error}");
        assert!(!error.to_string().contains("horse"), "{error}");
    }
}

struct Still;

impl sspi_core::Clock for Still {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH
    }
}

#[test]
fn nobody_logs_on_where_both_ends_let_nobody() {
    let nobody = world(1, |config| config.anonymous = true);
    let open = world(2, |config| config.anonymous = true);
    for auth_data in [identity("", "", ""), AuthData::Configured] {
        let mut initiator = nobody.outbound(auth_data).unwrap().initialize(&sealed()).unwrap();
        let [mut client, mut server] =
            handshake(&mut *initiator, &mut *open.server(&AcceptRequest::default())).unwrap();
        carries(&mut *client, &mut *server, b"whoever I am");
        let ContextFlags::Acceptor(flags) = server.attributes().flags() else { panic!() };
        assert!(flags.contains(AscRet::NULL_SESSION));
        let token = server.security_context_token().unwrap_err();
        assert_eq!(token.status(), SecStatus::SEC_E_NO_IMPERSONATION);
    }
    let asked = InitializeRequest { flags: IscReq::NULL_SESSION, ..InitializeRequest::default() };
    let mut initiator = nobody.client(PASSWORD, &asked);
    handshake(&mut *initiator, &mut *open.server(&AcceptRequest::default())).unwrap();
}

#[test]
fn two_contexts_of_one_credential_do_not_know_each_other() {
    let (client, server) = both();
    let credentials = client.outbound(identity(USER, DOMAIN, PASSWORD)).unwrap();
    let mut first = credentials.initialize(&sealed()).unwrap();
    let mut second = credentials.initialize(&sealed()).unwrap();
    let [mut a, mut b] = handshake(&mut *first, &mut *server.server(&AcceptRequest::default())).unwrap();
    let [mut c, mut d] = handshake(&mut *second, &mut *server.server(&AcceptRequest::default())).unwrap();
    carries(&mut *a, &mut *b, b"one");
    carries(&mut *d, &mut *c, b"two");
}

#[test]
fn a_question_takes_nothing_and_wants_the_same_again() {
    let (client, server) = both();
    let mut acceptor = server.server(&AcceptRequest::default());
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let asked = acceptor.accept_security_context(&tokens.authenticate).unwrap();
    assert!(matches!(asked, Step::Ask(Question::Logon(_))));
    let error = acceptor.accept_security_context(&tokens.authenticate).unwrap_err().error;
    assert_eq!(error.status(), SecStatus::SEC_E_INVALID_HANDLE, "it was not answered");

    let mut acceptor = server.server(&AcceptRequest::default());
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let Step::Ask(Question::Logon(ask)) = acceptor.accept_security_context(&tokens.authenticate).unwrap()
    else {
        panic!()
    };
    let verdict = one_account(ask.question());
    ask.answer(verdict);
    let error = acceptor.accept_security_context(&tokens.negotiate).unwrap_err().error;
    assert_eq!(error.status(), SecStatus::SEC_E_INVALID_HANDLE, "it is another token");
}

#[test]
fn a_loopback_of_one_package_is_allowed_where_it_is_said() {
    let package = world(1, |config| config.reflection = Reflection::Allow);
    let mut initiator = package.client(PASSWORD, &sealed());
    handshake(&mut *initiator, &mut *package.server(&AcceptRequest::default())).unwrap();
}

#[test]
fn bindings_that_are_the_same_are_taken_under_every_policy() {
    for policy in [Check::Never, Check::WhenSupported, Check::Always] {
        let (client, _) = both();
        let server = world(2, |config| config.channel_bindings = policy);
        let request = InitializeRequest { channel_bindings: bindings(&[5; 32]), ..sealed() };
        let accepts = AcceptRequest { channel_bindings: bindings(&[5; 32]), ..AcceptRequest::default() };
        handshake(&mut *client.client(PASSWORD, &request), &mut *server.server(&accepts)).unwrap();
    }
}

#[test]
fn a_client_without_mic_and_bindings_is_taken_by_default() {
    let server = world(2, |_| ());
    let accepts = AcceptRequest { channel_bindings: bindings(&[5; 32]), ..AcceptRequest::default() };
    let client = HandMade::new(opensspi_ntlm::messages::AvPairs::default());
    assert!(matches!(client.log_on(&mut *server.server(&accepts)), Ok(Step::Complete { .. })));
}

/// Spec: MS-SPNG section 3.3.5.1.
#[test]
fn both_ends_know_whether_there_was_a_mic() {
    let (client, server) = both();
    let accepts = AcceptRequest::default();
    let [at_client, at_server] =
        handshake(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&accepts)).unwrap();
    assert!(at_client.requires_list_mic() && at_server.requires_list_mic());
    let client = HandMade::new(opensspi_ntlm::messages::AvPairs::default());
    let Ok(Step::Complete { context, .. }) = client.log_on(&mut *server.server(&accepts)) else { panic!() };
    assert!(!context.requires_list_mic(), "a client without one");
}

#[test]
fn debug_shows_no_password_no_hash_no_key_and_no_proof() {
    let (client, server) = both();
    let accepts = AcceptRequest::default();
    let mut acceptor = server.server(&accepts);
    let tokens = run(&mut *client.client(PASSWORD, &sealed()), &mut *acceptor);
    let asked = acceptor.accept_security_context(&tokens.authenticate).unwrap();
    let mut shown = vec![format!("{asked:?}")];
    let Step::Ask(Question::Logon(ask)) = asked else { panic!() };
    let verdict = one_account(ask.question()).unwrap();
    shown.push(format!("{verdict:?}"));
    ask.answer(Ok(verdict));
    let step = acceptor.accept_security_context(&tokens.authenticate).unwrap();
    shown.push(format!("{step:?}"));
    let Step::Complete { context, .. } = step else { panic!() };
    let key = context.attributes().session_key().unwrap();
    let exported = context.export().unwrap();
    let message = AuthenticateMessage::decode(&tokens.authenticate).unwrap();
    let response = NtlmV2Response::decode(message.nt_response).unwrap();
    let hash = NtHash::of_password(PASSWORD);
    let by_hash = NtHashIdentity { user: USER.into(), domain: DOMAIN.into(), nt_hash: hash.clone() };
    shown.extend([format!("{key:?}"), format!("{exported:?}"), format!("{message:?}")]);
    shown.extend([
        format!("{response:?}"),
        format!("{by_hash:?}"),
        format!("{:?}", identity(USER, DOMAIN, PASSWORD)),
    ]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = |bytes: &[u8]| format!("{bytes:?}").trim_matches(['[', ']']).to_owned();
    let secrets = [hash.as_bytes().as_slice(), key.expose_secret(), &response.nt_proof_str];
    let hidden: Vec<String> =
        secrets.iter().flat_map(|secret| [hex(secret), list(secret)]).chain([PASSWORD.to_owned()]).collect();
    for text in &shown {
        assert!(hidden.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}

#[test]
fn a_token_is_never_longer_than_the_package_says() {
    let (client, server) = both();
    let mut longest = 0;
    for length in [10, 1000, 1400] {
        let request = InitializeRequest { target_name: Some("x".repeat(length)), ..sealed() };
        let mut initiator = client.client(PASSWORD, &request);
        let negotiate = token(step(&mut *initiator, &[]));
        let challenge =
            token(accept(&mut *server.server(&AcceptRequest::default()), &negotiate, &one_account));
        match step(&mut *initiator, &challenge) {
            Ok(Step::Complete { token, .. }) => longest = token.len(),
            Ok(step) => panic!("{step:?}"),
            Err(error) => assert_eq!(error.status(), SecStatus::SEC_E_INVALID_PARAMETER, "{error}"),
        }
    }
    assert!((2000..=2888).contains(&longest), "{longest}");
}
