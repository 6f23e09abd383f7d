//! SASL DIGEST-MD5, both ends and everything that is refused.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod support;

use std::time::Duration;

use opensspi_digest::challenge::Challenge;
use opensspi_digest::response::Response;
use opensspi_digest::{Cipher, Qop};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, AscRet, ContextFlags, Error, HttpRequest,
    InitializeRequest, IscReq, IscRet, Question, SecStatus, SecurityContext, SendingHalf, Step,
};
use support::{Change, Contexts, Fixture, USERS, completes, continues, fails, open, run, seal};

const CIPHERS: &str = "ciphers = [\"3des\", \"rc4\", \"des\", \"rc4-56\", \"rc4-40\"]";

fn request() -> InitializeRequest {
    InitializeRequest { target_name: Some("imap/mail.example.test".into()), ..InitializeRequest::default() }
}

fn log_on(fixture: &Fixture, user: &str, password: &str) -> Result<Contexts, Error> {
    let mut client = fixture.client(user, password).initialize(&request()).unwrap();
    run(fixture, &mut *client, &mut *fixture.accept(&AcceptRequest::default()))
}

fn exchange(at_client: &mut dyn SecurityContext, at_server: &mut dyn SecurityContext) {
    for text in [&b"a message"[..], b"", &[7; 5000]] {
        assert_eq!(open(at_server, &seal(at_client, text)).unwrap(), text);
        assert_eq!(open(at_client, &seal(at_server, text)).unwrap(), text);
    }
}

/// A client's response to a new challenge of this server, and the server's end.
fn responded(fixture: &Fixture) -> (Box<dyn AcceptSecurityContext>, Vec<u8>) {
    let mut server = fixture.accept(&AcceptRequest::default());
    let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
    let challenge = continues(server.accept_security_context(&[]));
    let response = continues(client.initialize_security_context(&challenge));
    (server, response)
}

fn changed(response: &[u8], change: impl FnOnce(&mut Response)) -> Vec<u8> {
    let mut response = Response::from_sasl(response).unwrap();
    change(&mut response);
    response.to_sasl()
}

#[test]
fn every_user_logs_on_with_every_protection_and_messages_pass() {
    for keeps_hashes in [false, true] {
        for cipher in Cipher::ALL.iter().copied().map(Some).chain([None]) {
            let qop = if cipher.is_some() { "auth-conf" } else { "auth-int" };
            let ciphers = cipher.map_or("3des", Cipher::name);
            let mut fixture = Fixture::new(CIPHERS, &format!("ciphers = [\"{ciphers}\"]\nqop = [\"{qop}\"]"));
            fixture.keeps_hashes = keeps_hashes;
            for (user, password) in USERS.into_iter().filter(|(user, _)| *user != "carol") {
                // A hash is that of UTF-8 or of ISO 8859-1: clients of SASL want the latter if the name fits.
                if keeps_hashes && !user.is_ascii() {
                    continue;
                }
                let (mut at_client, mut at_server) = log_on(&fixture, user, password).unwrap();
                exchange(&mut *at_client, &mut *at_server);
                let account = at_server.security_context_token().unwrap();
                assert_eq!(account.name, user);
                assert_eq!(account.upn.as_deref(), Some("known@example.test"), "what the database said");
                assert_eq!(
                    at_client.security_context_token().unwrap_err().status(),
                    SecStatus::SEC_E_NO_IMPERSONATION
                );
                let (ours, theirs) = (at_client.attributes(), at_server.attributes());
                assert_eq!(theirs.names().unwrap(), user);
                assert_eq!(theirs.client_specified_target().unwrap(), "imap/mail.example.test");
                let key = ours.session_key().unwrap();
                assert_eq!(key.expose_secret(), theirs.session_key().unwrap().expose_secret());
                let info = ours.key_info().unwrap();
                assert_eq!(info.encrypt_algorithm_name, cipher.map_or("", Cipher::name));
                let sizes = ours.sizes().unwrap();
                assert_eq!((sizes.max_signature, sizes.security_trailer), (26, 26));
                assert_eq!(sizes.block_size, cipher.map_or(1, Cipher::block_len));
                assert_eq!(ours.stream_sizes().unwrap().maximum_message, 65536 - 26);
            }
        }
    }
}

#[test]
fn attributes_are_there_at_both_ends_and_those_of_others_are_not() {
    let fixture = Fixture::new("", "");
    let start = fixture.clock.now();
    let (at_client, at_server) = log_on(&fixture, "alice", "wonderland").unwrap();
    for attributes in [at_client.attributes(), at_server.attributes()] {
        assert_eq!(
            (attributes.package_info().name.as_ref(), attributes.package_info().rpc_id),
            ("WDigest", 21)
        );
        let lifespan = attributes.lifespan().unwrap();
        assert_eq!((lifespan.start, lifespan.expiry), (Some(start), None), "of SASL, nothing ends it");
        assert_eq!(attributes.names().unwrap(), "alice");
        let both = ("alice".to_owned(), "imap/mail.example.test".to_owned());
        assert_eq!(attributes.native_names().unwrap(), both);
        assert_eq!(attributes.authority().unwrap(), support::REALM);
        assert_eq!(attributes.session_key().unwrap().expose_secret().len(), 16);
        assert_eq!(attributes.sizes().unwrap().max_token, 16 * 1024);
        let unsupported = SecStatus::SEC_E_UNSUPPORTED_FUNCTION;
        assert_eq!(attributes.connection_info().unwrap_err().status(), unsupported);
        assert_eq!(attributes.remote_certificate().map(drop).unwrap_err().status(), unsupported);
    }
    let theirs = at_client.attributes().client_specified_target().unwrap_err();
    assert_eq!(theirs.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "that is a server's to ask");
}

#[test]
fn flags_say_what_was_negotiated_and_nothing_else() {
    for (qop, layer) in [("auth", 0), ("auth-int", 1), ("auth-conf", 2)] {
        let fixture = Fixture::new(&format!("qop = [\"{qop}\"]"), "");
        let (at_client, at_server) = log_on(&fixture, "alice", "wonderland").unwrap();
        let ContextFlags::Initiator(flags) = at_client.attributes().flags() else { panic!() };
        assert!(flags.contains(IscRet::MUTUAL_AUTH));
        assert_eq!(flags.contains(IscRet::INTEGRITY), layer >= 1, "{qop}");
        assert_eq!(flags.contains(IscRet::SEQUENCE_DETECT), layer >= 1, "{qop}");
        assert_eq!(flags.contains(IscRet::CONFIDENTIALITY), layer >= 2, "{qop}");
        let ContextFlags::Acceptor(flags) = at_server.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(AscRet::INTEGRITY), layer >= 1, "{qop}");
        assert_eq!(flags.contains(AscRet::CONFIDENTIALITY), layer >= 2, "{qop}");
        assert_eq!(at_client.attributes().stream_sizes().is_ok(), layer >= 1);
    }
}

#[test]
fn neither_end_takes_less_protection_than_was_asked_for() {
    let plain = Fixture::new("qop = [\"auth\", \"auth-int\"]", "");
    let mut client = plain.client("alice", "wonderland");
    let asked = InitializeRequest { flags: IscReq::CONFIDENTIALITY, ..request() };
    let mut handshake = client.initialize(&asked).unwrap();
    let challenge = continues(plain.accept(&AcceptRequest::default()).accept_security_context(&[]));
    let error = fails(handshake.initialize_security_context(&challenge)).error;
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_QOP_NOT_SUPPORTED, Some("digest.qop")));
    let asked = AcceptRequest { flags: AscReq::CONFIDENTIALITY, ..AcceptRequest::default() };
    assert_eq!(plain.server.accept(&asked).err().unwrap().setting(), Some("digest.qop"));

    let fixture = Fixture::new("", "qop = [\"auth\"]");
    client = fixture.client("alice", "wonderland");
    let asked = AcceptRequest { flags: AscReq::INTEGRITY, ..AcceptRequest::default() };
    let mut server = fixture.accept(&asked);
    let challenge = continues(server.accept_security_context(&[]));
    assert_eq!(Challenge::from_sasl(&challenge).unwrap().qop, [Qop::AuthConf, Qop::AuthInt]);
    let mut handshake = client.initialize(&request()).unwrap();
    let error = fails(handshake.initialize_security_context(&challenge)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
}

#[test]
fn weak_ciphers_are_not_used_until_both_ends_name_them() {
    let fixture = Fixture::new("", "ciphers = [\"rc4\"]\nqop = [\"auth-conf\"]");
    let error = log_on(&fixture, "alice", "wonderland").err().unwrap();
    assert_eq!(
        (error.status(), error.setting()),
        (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("digest.ciphers"))
    );
    let fixture = Fixture::new("", "ciphers = [\"rc4\", \"3des\"]");
    let (at_client, _) = log_on(&fixture, "alice", "wonderland").unwrap();
    assert_eq!(at_client.attributes().key_info().unwrap().encrypt_algorithm_name, "3des");
}

#[test]
fn server_refuses_a_wrong_password_and_a_user_that_there_is_not_in_the_same_words() {
    for keeps_hashes in [false, true] {
        let mut fixture = Fixture::new("", "");
        fixture.keeps_hashes = keeps_hashes;
        let refused = |user, password| log_on(&fixture, user, password).err().unwrap();
        let wrong = refused("alice", "Wonderland");
        assert_eq!(wrong.status(), SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(wrong.to_string(), refused("mallory", "wonderland").to_string());
        assert_eq!(wrong.to_string(), refused("", "").to_string());
        assert_eq!(refused("carol", "disabled").message(), "the account is disabled");
    }
}

#[test]
fn server_refuses_what_is_changed_in_any_directive() {
    let fixture = Fixture::new(CIPHERS, CIPHERS);
    let changes: [Change; 12] = [
        ("realm", |response| response.realm = Some("other".into())),
        ("no realm", |response| response.realm = None),
        ("nonce", |response| response.nonce = "0".repeat(72).as_str().into()),
        ("cnonce", |response| response.cnonce = Some("other".into())),
        ("nc", |response| response.nonce_count = Some(2.into())),
        ("qop", |response| response.qop = Qop::AuthInt),
        ("less", |response| (response.qop, response.cipher) = (Qop::Auth, None)),
        ("uri", |response| response.uri = "imap/other".into()),
        ("response", |response| response.response = "0".repeat(32).as_str().into()),
        ("authzid", |response| response.authzid = Some("bob".into())),
        ("empty authzid", |response| response.authzid = Some("".into())),
        ("no cipher", |response| response.cipher = None),
    ];
    for (name, change) in changes {
        let (mut server, response) = responded(&fixture);
        let failure = fails(fixture.advance(&mut *server, &changed(&response, change)));
        let refused = [
            SecStatus::SEC_E_LOGON_DENIED,
            SecStatus::SEC_E_QOP_NOT_SUPPORTED,
            SecStatus::SEC_E_INVALID_TOKEN,
        ];
        assert!(refused.contains(&failure.error.status()), "{name}: {}", failure.error);
        let again = fails(fixture.advance(&mut *server, &response)).error;
        assert_eq!(again.to_string(), failure.error.to_string(), "{name}: it stays refused");
    }
}

/// The response's hash does not cover the cipher: that it was offered is all that can be asked of it.
fn refuses_the_weak_cipher(fixture: &Fixture, server: &mut dyn AcceptSecurityContext, response: &[u8]) {
    assert_eq!(Response::from_sasl(response).unwrap().cipher, Some(Cipher::Rc4Of40));
    let error = fails(fixture.advance(server, response)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
    assert_eq!(error.message(), "the client chose the cipher rc4-40, which was not offered");
}

#[test]
fn server_refuses_the_cipher_of_a_challenge_that_was_weakened_on_the_way_to_a_client_that_speaks_it() {
    let fixture = Fixture::new("", CIPHERS);
    let mut server = fixture.accept(&AcceptRequest::default());
    let mut challenge = Challenge::from_sasl(&continues(server.accept_security_context(&[]))).unwrap();
    assert_eq!(challenge.ciphers, [Cipher::TripleDes]);
    challenge.ciphers = vec![Cipher::Rc4Of40];
    let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
    let response = continues(client.initialize_security_context(&challenge.to_sasl()));
    refuses_the_weak_cipher(&fixture, &mut *server, &response);
}

#[test]
fn server_refuses_a_response_whose_cipher_is_changed_for_one_that_it_did_not_offer() {
    let fixture = Fixture::new("", CIPHERS);
    let (mut server, response) = responded(&fixture);
    let response = changed(&response, |response| response.cipher = Some(Cipher::Rc4Of40));
    refuses_the_weak_cipher(&fixture, &mut *server, &response);
}

/// Both ciphers were offered, and somebody in between has the two ends use different ones: no message gets through.
#[test]
fn a_cipher_changed_for_another_that_was_offered_leaves_the_ends_without_a_message() {
    let fixture = Fixture::new(CIPHERS, CIPHERS);
    for cipher in Cipher::ALL.iter().copied().filter(|cipher| *cipher != Cipher::TripleDes) {
        let mut server = fixture.accept(&AcceptRequest::default());
        let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
        let challenge = continues(server.accept_security_context(&[]));
        let response = continues(client.initialize_security_context(&challenge));
        assert_eq!(Response::from_sasl(&response).unwrap().cipher, Some(Cipher::TripleDes));
        let response = changed(&response, |response| response.cipher = Some(cipher));
        let (mut at_server, proof) = completes(fixture.advance(&mut *server, &response));
        let (mut at_client, _) = completes(client.initialize_security_context(&proof));
        assert!(open(&mut *at_server, &seal(&mut *at_client, b"a message")).is_err(), "{cipher:?}");
        assert!(open(&mut *at_client, &seal(&mut *at_server, b"a message")).is_err(), "{cipher:?}");
    }
}

#[test]
fn server_refuses_a_response_to_another_challenge_and_one_that_comes_too_late() {
    let fixture = Fixture::new("", "");
    let (_, response) = responded(&fixture);
    let (mut server, _) = responded(&fixture);
    let error = fails(fixture.advance(&mut *server, &response)).error;
    assert_eq!(error.message(), "the response is one to another challenge");
    let (mut server, response) = responded(&fixture);
    fixture.clock.advance(Duration::from_secs(300));
    let error = fails(fixture.advance(&mut *server, &response)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
}

#[test]
fn server_with_services_refuses_a_response_that_is_for_another() {
    let outcome = |services: &str| {
        let fixture = Fixture::new(&format!("services = [{services}]"), "");
        log_on(&fixture, "alice", "wonderland").map(|_| ()).map_err(|error| error.status())
    };
    assert_eq!(outcome("\"imap/other.test\", \"IMAP/Mail.example.test\""), Ok(()));
    assert_eq!(outcome("\"Mail.Example.Test\""), Ok(()), "whatever there is on that host");
    assert_eq!(outcome("\"*\""), Ok(()));
    for other in
        ["imap/other.test", "other.test", "smtp/mail.example.test", "mail.example.test/imap", "imap", ""]
    {
        assert_eq!(outcome(&format!("\"{other}\"")), Err(SecStatus::SEC_E_WRONG_PRINCIPAL), "{other}");
    }
}

/// Somebody whom the client logs on to hands what it says on to us.
#[test]
fn server_that_is_told_nothing_refuses_what_is_meant_for_another_machine() {
    let fixture = Fixture::new("", "");
    let outcome = |target: &str| {
        let request = InitializeRequest { target_name: Some(target.into()), ..request() };
        let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
        run(&fixture, &mut *client, &mut *fixture.accept(&AcceptRequest::default())).map(|_| ())
    };
    for ours in ["imap/mail.example.test", "ldap/MAIL.example.test", "smtp/mail.example.test/example.test"] {
        outcome(ours).unwrap();
    }
    for other in ["imap/evil.test", "imap/evil.test/mail.example.test", "imap/mail.example.test.evil.test"] {
        let error = outcome(other).unwrap_err();
        assert_eq!(
            (error.status(), error.setting()),
            (SecStatus::SEC_E_WRONG_PRINCIPAL, Some("digest.services"))
        );
        assert!(error.message().ends_with("here is mail.example.test"), "{error}");
    }
}

#[test]
fn server_on_a_machine_without_a_name_has_to_be_told_its_services() {
    let mut fixture = Fixture::on("", "", None);
    let error = fixture.server.accept(&AcceptRequest::default()).err().unwrap();
    assert_eq!(
        (error.status(), error.setting()),
        (SecStatus::SEC_E_INVALID_PARAMETER, Some("digest.services"))
    );
    let http = AcceptRequest { http: Some(HttpRequest::new("GET", "/")), ..AcceptRequest::default() };
    assert!(fixture.server.accept(&http).is_ok(), "HTTP has no services");
    fixture = Fixture::on("services = [\"mail.example.test\"]", "", None);
    log_on(&fixture, "alice", "wonderland").unwrap();
}

#[test]
fn client_refuses_a_server_that_does_not_know_the_password() {
    let fixture = Fixture::new("", "");
    for proof in [&b"rspauth=00000000000000000000000000000000"[..], b"rspauth=", b"rspauth=\"\"", b"x=y"] {
        let mut server = fixture.accept(&AcceptRequest::default());
        let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
        let challenge = continues(server.accept_security_context(&[]));
        continues(client.initialize_security_context(&challenge));
        let error = fails(client.initialize_security_context(proof)).error;
        assert!(
            [SecStatus::SEC_E_MUTUAL_AUTH_FAILED, SecStatus::SEC_E_INVALID_TOKEN].contains(&error.status()),
            "{error}"
        );
        assert!(client.initialize_security_context(proof).is_err());
    }
}

#[test]
fn a_reflected_response_is_no_proof_of_the_server() {
    let fixture = Fixture::new("qop = [\"auth\"]", "");
    let mut server = fixture.accept(&AcceptRequest::default());
    let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
    let challenge = continues(server.accept_security_context(&[]));
    let response = continues(client.initialize_security_context(&challenge));
    let proof = Response::from_sasl(&response).unwrap().response;
    let reflected = [b"rspauth=", &proof[..]].concat();
    let error = fails(client.initialize_security_context(&reflected)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_MUTUAL_AUTH_FAILED);
}

#[test]
fn a_client_chooses_the_realm_of_its_domain_or_its_configuration() {
    let challenge = b"realm=\"one\",realm=\"Two\",nonce=\"abc\",algorithm=md5-sess,charset=utf-8";
    let realm = |config: &str| {
        let fixture = Fixture::new("", config);
        let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
        let step = client.initialize_security_context(challenge);
        step.map(|step| continues(Ok(step))).map(|token| Response::from_sasl(&token).unwrap().realm.unwrap())
    };
    assert_eq!(&*realm("").unwrap(), b"one");
    assert_eq!(&*realm("realm = \"two\"").unwrap(), b"Two");
    let error = realm("realm = \"three\"").unwrap_err().error;
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_TARGET_UNKNOWN, Some("digest.realm")));
}

#[test]
fn a_client_that_logged_on_logs_on_again_without_a_challenge() {
    let fixture = Fixture::new("reauthentication = true", "reauthentication = true");
    let credential = fixture.client("alice", "wonderland");
    let log_on = |expected: usize| {
        let mut client = credential.initialize(&request()).unwrap();
        let mut server = fixture.accept(&AcceptRequest::default());
        let first = continues(client.initialize_security_context(&[]));
        if expected == 1 {
            assert!(first.is_empty());
            let challenge = continues(server.accept_security_context(&[]));
            let response = continues(client.initialize_security_context(&challenge));
            let (at_server, proof) = completes(fixture.advance(&mut *server, &response));
            return (completes(client.initialize_security_context(&proof)).0, at_server, response);
        }
        let count = Response::from_sasl(&first).unwrap().nonce_count.unwrap().count;
        assert_eq!(usize::try_from(count).unwrap(), expected);
        let (at_server, proof) = completes(fixture.advance(&mut *server, &first));
        (completes(client.initialize_security_context(&proof)).0, at_server, first)
    };
    let mut keys = Vec::new();
    let mut seen = Vec::new();
    for expected in 1..=5 {
        let (mut at_client, mut at_server, response) = log_on(expected);
        exchange(&mut *at_client, &mut *at_server);
        let key = at_client.attributes().session_key().unwrap().expose_secret().clone();
        assert!(!keys.contains(&key), "each time with keys of its own");
        keys.push(key);
        seen.push(response);
    }
    // What was seen on the way is of no use: it is answered with a challenge.
    for response in seen {
        let mut server = fixture.accept(&AcceptRequest::default());
        let challenge = continues(fixture.advance(&mut *server, &response));
        assert!(Challenge::from_sasl(&challenge).unwrap().is_stale);
    }
}

#[test]
fn a_second_log_on_that_is_too_late_or_not_wanted_begins_anew() {
    for (server, wait) in [("reauthentication = true", 300), ("", 0)] {
        let fixture = Fixture::new(server, "reauthentication = true");
        let credential = fixture.client("alice", "wonderland");
        for _ in 0..3 {
            let mut client = credential.initialize(&request()).unwrap();
            let mut accept = fixture.accept(&AcceptRequest::default());
            let (mut at_client, mut at_server) = run(&fixture, &mut *client, &mut *accept).unwrap();
            exchange(&mut *at_client, &mut *at_server);
            fixture.clock.advance(Duration::from_secs(wait));
        }
    }
}

#[test]
fn a_client_with_a_wrong_password_is_refused_the_second_time_too() {
    let fixture = Fixture::new("reauthentication = true", "reauthentication = true");
    let (mut server, response) = responded(&fixture);
    completes(fixture.advance(&mut *server, &response));
    let nonce = Response::from_sasl(&response).unwrap().nonce;
    let mut other = fixture.client("alice", "wrong").initialize(&request()).unwrap();
    let challenge = Challenge { nonce, ..challenge(&fixture) };
    let wrong = continues(other.initialize_security_context(&challenge.to_sasl()));
    let wrong = changed(&wrong, |response| response.nonce_count = Some(2.into()));
    let error = fails(fixture.advance(&mut *fixture.accept(&AcceptRequest::default()), &wrong)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED);
}

fn challenge(fixture: &Fixture) -> Challenge {
    let token = continues(fixture.accept(&AcceptRequest::default()).accept_security_context(&[]));
    Challenge::from_sasl(&token).unwrap()
}

#[test]
fn the_account_database_hears_of_every_logon_how_it_ended() {
    let fixture = Fixture::new("", "");
    let _ = log_on(&fixture, "alice", "wrong").err().unwrap();
    log_on(&fixture, "alice", "wonderland").unwrap();
    let _ = log_on(&fixture, "mallory", "wrong").err().unwrap();
    assert_eq!(*fixture.heard.lock().unwrap(), [false, true]);
}

#[test]
fn the_account_database_may_be_out_of_order() {
    let fixture = Fixture::new("", "");
    let (mut server, response) = responded(&fixture);
    let Step::Ask(Question::DigestSecret(ask)) = server.accept_security_context(&response).unwrap() else {
        panic!()
    };
    let status = SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY;
    ask.answer(Err(Error::new(status, sspi_core::Fault::Configuration, "the file is gone")));
    assert_eq!(fails(server.accept_security_context(&response)).error.message(), "the file is gone");
    let (mut server, response) = responded(&fixture);
    assert!(matches!(server.accept_security_context(&response).unwrap(), Step::Ask(_)));
    let error = fails(server.accept_security_context(&response)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_INVALID_HANDLE, "nobody has answered");
}

#[test]
fn a_handshake_that_is_over_says_so() {
    let fixture = Fixture::new("", "");
    let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
    let mut server = fixture.accept(&AcceptRequest::default());
    run(&fixture, &mut *client, &mut *server).unwrap();
    let over = SecStatus::SEC_E_INVALID_HANDLE;
    assert_eq!(fails(client.initialize_security_context(b"x")).error.status(), over);
    assert_eq!(fails(server.accept_security_context(b"x")).error.status(), over);
}

#[test]
fn nothing_that_arrives_is_waited_for_and_nothing_is_lost() {
    let fixture = Fixture::new("", "");
    let mut server = fixture.accept(&AcceptRequest::default());
    continues(server.accept_security_context(&[]));
    let step = server.accept_security_context(&[]).unwrap();
    assert!(matches!(step, Step::Incomplete { .. }), "a server that has spoken waits");
    let mut client = fixture.client("alice", "wonderland").initialize(&request()).unwrap();
    continues(client.initialize_security_context(&[]));
    assert!(matches!(client.initialize_security_context(&[]).unwrap(), Step::Incomplete { .. }));
}

#[test]
fn credentials_of_one_role_do_not_serve_the_other() {
    let fixture = Fixture::new("", "");
    let no_credentials = SecStatus::SEC_E_NO_CREDENTIALS;
    let client = fixture.client("alice", "wonderland");
    assert_eq!(client.accept(&AcceptRequest::default()).err().unwrap().status(), no_credentials);
    assert_eq!(fixture.server.initialize(&request()).err().unwrap().status(), no_credentials);
    assert_eq!(client.names().unwrap(), "alice");
    assert_eq!(fixture.server.names().unwrap_err().status(), no_credentials);
    let no_target = InitializeRequest::default();
    assert_eq!(client.initialize(&no_target).err().unwrap().status(), SecStatus::SEC_E_TARGET_UNKNOWN);
}

#[test]
fn the_halves_of_a_context_work_on_their_own() {
    let fixture = Fixture::new("", "");
    let (at_client, at_server) = log_on(&fixture, "alice", "wonderland").unwrap();
    let (client, mut server) = (at_client.split().unwrap(), at_server.split().unwrap());
    let mut sender: Box<dyn SendingHalf> = client.sender;
    let sent = std::thread::spawn(move || seal(&mut *sender, b"from a thread")).join().unwrap();
    assert_eq!(open(&mut *server.receiver, &sent).unwrap(), b"from a thread");
}
