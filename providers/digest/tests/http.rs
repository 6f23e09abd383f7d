//! HTTP Digest, both ends and everything that is refused.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod support;

use opensspi_digest::response::{AuthenticationInfo, Response};
use sspi_core::{
    AcceptRequest, AscReq, AscRet, ChannelBindings, ContextFlags, DigestAlgorithm, EntityBody, HttpEntity,
    HttpRequest, InitializeRequest, IscReq, IscRet, Question, SecStatus, SecurityContext, Step,
};
use support::{
    Change, Fixture, REALM, USERS, client_request, completes, continues, fails, hex, server_request,
};

const ALL: &str = "algorithms = [\"SHA-512-256\", \"SHA-512-256-sess\", \"SHA-256\", \"SHA-256-sess\", \"MD5\", \"MD5-sess\"]
qop = [\"auth\", \"auth-int\", \"none\"]";

fn get() -> HttpRequest {
    HttpRequest::new("GET", "/dir/index.html?a=b,c")
}

/// The `Authorization` of a client that answers this challenge.
fn answer(
    fixture: &Fixture,
    user: &str,
    password: &str,
    request: &InitializeRequest,
    challenge: &[u8],
) -> Vec<u8> {
    let mut client = fixture.client(user, password).initialize(request).unwrap();
    completes(client.initialize_security_context(challenge)).1
}

/// The `Authorization` of Alice for `get()`, to a new challenge.
fn alice(fixture: &Fixture) -> Vec<u8> {
    let challenge = fixture.challenge(&server_request(get()));
    answer(fixture, "alice", "wonderland", &client_request(get()), &challenge)
}

fn status(fixture: &Fixture, request: &AcceptRequest, authorization: &[u8]) -> SecStatus {
    fails(fixture.authorize(request, authorization)).error.status()
}

/// The same `Authorization` with one directive changed.
fn with(authorization: &[u8], change: impl FnOnce(&mut Response)) -> Vec<u8> {
    let mut response = Response::from_http(authorization).unwrap();
    change(&mut response);
    response.to_http()
}

#[test]
fn every_user_logs_on_with_every_algorithm_and_quality_and_both_ends_prove_the_password() {
    for keeps_hashes in [false, true] {
        for algorithm in ["SHA-512-256", "SHA-512-256-sess", "SHA-256", "SHA-256-sess", "MD5", "MD5-sess"] {
            for (qop, userhash) in [("auth", false), ("auth-int", true), ("none", false)] {
                let server =
                    format!("algorithms = [\"{algorithm}\"]\nqop = [\"{qop}\"]\nuserhash = {userhash}");
                let mut fixture = Fixture::new(&server, ALL);
                fixture.keeps_hashes = keeps_hashes;
                for (user, password) in USERS.into_iter().filter(|(user, _)| *user != "carol") {
                    let case = format!("{algorithm}, {qop}, {user}, {keeps_hashes}");
                    let http = HttpRequest::new("POST", "/form").with_entity(b"a=1&b=2".to_vec());
                    http.response_entity.set(EntityBody::Bytes(b"thanks".to_vec()));
                    let request =
                        InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(http.clone()) };
                    let mut client = fixture.client(user, password).initialize(&request).unwrap();
                    assert!(continues(client.initialize_security_context(&[])).is_empty());
                    let challenge = fixture.challenge(&server_request(http.clone()));
                    let authorization = continues(client.initialize_security_context(&challenge));
                    let request = server_request(http);
                    let (at_server, info) = completes(fixture.authorize(&request, &authorization));
                    let (at_client, nothing) = completes(client.initialize_security_context(&info));
                    assert!(nothing.is_empty(), "{case}");
                    let account = at_server.security_context_token().unwrap();
                    assert_eq!(
                        (account.name.as_str(), account.matched_by.as_str()),
                        (user, "password"),
                        "{case}"
                    );
                    let attributes = at_server.attributes();
                    assert_eq!(attributes.names().unwrap(), user);
                    assert_eq!(attributes.client_specified_target().unwrap(), "/form");
                    assert_eq!(attributes.authority().unwrap(), REALM);
                    let key = attributes.session_key().unwrap();
                    assert_eq!(
                        key.expose_secret(),
                        at_client.attributes().session_key().unwrap().expose_secret(),
                        "{case}"
                    );
                    let ContextFlags::Initiator(flags) = at_client.attributes().flags() else { panic!() };
                    assert!(flags.contains(IscRet::MUTUAL_AUTH));
                    assert!(flags.contains(IscRet::USED_HTTP_STYLE));
                    assert!(!flags.contains(IscRet::CONFIDENTIALITY));
                }
            }
        }
    }
}

#[test]
fn a_challenge_has_a_line_for_each_algorithm_and_the_client_takes_the_strongest_of_its_own() {
    let fixture = Fixture::new("algorithms = [\"MD5\", \"SHA-256\", \"SHA-512-256\"]", ALL);
    let challenge = fixture.challenge(&server_request(get()));
    assert_eq!(challenge.iter().filter(|byte| **byte == b'\n').count(), 2);
    let authorization = answer(&fixture, "alice", "wonderland", &client_request(get()), &challenge);
    let response = Response::from_http(&authorization).unwrap();
    assert_eq!(response.algorithm.name(), "SHA-512-256");
    completes(fixture.authorize(&server_request(get()), &authorization));
    // As one header field, and among other schemes.
    let challenge = fixture.challenge(&server_request(get()));
    let lines: Vec<String> = String::from_utf8(challenge).unwrap().lines().map(str::to_owned).collect();
    let joined = format!("Negotiate, Digest {}, Basic realm=\"x\"", lines.join(", Digest "));
    let authorization = answer(&fixture, "alice", "wonderland", &client_request(get()), joined.as_bytes());
    completes(fixture.authorize(&server_request(get()), &authorization));
}

#[test]
fn client_refuses_a_server_that_has_md5_only_until_it_is_named() {
    let fixture = Fixture::new("algorithms = [\"MD5\"]", "");
    let challenge = fixture.challenge(&server_request(get()));
    let mut client = fixture.client("alice", "wonderland").initialize(&client_request(get())).unwrap();
    let error = fails(client.initialize_security_context(&challenge)).error;
    assert_eq!(
        (error.status(), error.setting()),
        (SecStatus::SEC_E_ALGORITHM_MISMATCH, Some("digest.algorithms"))
    );
}

#[test]
fn server_refuses_a_wrong_password_and_a_user_that_there_is_not_in_the_same_words() {
    for keeps_hashes in [false, true] {
        let mut fixture = Fixture::new(ALL, ALL);
        fixture.keeps_hashes = keeps_hashes;
        let request = AcceptRequest { flags: AscReq::EXTENDED_ERROR, ..server_request(get()) };
        let refused = |user: &str, password: &str| {
            let challenge = fixture.challenge(&request);
            let authorization = answer(&fixture, user, password, &client_request(get()), &challenge);
            fails(fixture.authorize(&request, &authorization))
        };
        let (wrong, unknown) = (refused("alice", "Wonderland"), refused("mallory", "wonderland"));
        assert_eq!(wrong.error.status(), SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(wrong.error.to_string(), unknown.error.to_string());
        for failure in [wrong, unknown] {
            let challenge = String::from_utf8(failure.token).unwrap();
            assert!(challenge.contains("nonce=") && !challenge.contains("stale"), "{challenge}");
        }
        assert_eq!(refused("carol", "enabled").error.message(), "the name or the password is wrong");
        assert_eq!(refused("carol", "disabled").error.message(), "the account is disabled");
    }
}

#[test]
fn server_refuses_a_changed_uri_method_or_body() {
    let fixture = Fixture::new(ALL, ALL);
    let post = HttpRequest::new("POST", "/form").with_entity(b"amount=1".to_vec());
    let authorization = || {
        let challenge = fixture.challenge(&server_request(post.clone()));
        let request = InitializeRequest { flags: IscReq::INTEGRITY, ..client_request(post.clone()) };
        answer(&fixture, "alice", "wonderland", &request, &challenge)
    };
    let denied = SecStatus::SEC_E_LOGON_DENIED;
    let other = server_request(HttpRequest { uri: "/other".into(), ..post.clone() });
    let failure = fails(fixture.authorize(&other, &authorization()));
    assert_eq!(failure.error.status(), denied);
    assert!(failure.error.message().contains("\"/form\""), "{}", failure.error);
    let other = server_request(HttpRequest { method: "GET".into(), ..post.clone() });
    assert_eq!(status(&fixture, &other, &authorization()), denied);
    let other = server_request(post.clone().with_entity(b"amount=9".to_vec()));
    assert_eq!(status(&fixture, &other, &authorization()), denied);
    completes(fixture.authorize(&server_request(post.clone()), &authorization()));
    // A client that proves another URI than the one that it asks for.
    let other = server_request(HttpRequest { uri: "/other".into(), ..post.clone() });
    let changed = with(&authorization(), |response| response.uri = "/other".into());
    assert_eq!(status(&fixture, &other, &changed), denied);
}

#[test]
fn proxy_takes_the_path_of_the_url_that_it_is_asked_for_and_no_other() {
    let fixture = Fixture::new(ALL, ALL);
    let outcome = |asked: &str, proved: &str| {
        let asked = server_request(HttpRequest::new("GET", asked));
        let challenge = fixture.challenge(&asked);
        let request = client_request(HttpRequest::new("GET", proved));
        fixture.authorize(&asked, &answer(&fixture, "alice", "wonderland", &request, &challenge))
    };
    for (asked, proved) in [
        ("http://www.example/page?a=b", "http://www.example/page?a=b"),
        ("http://www.example/page?a=b", "/page?a=b"),
        ("http://www.example", "/"),
    ] {
        completes(outcome(asked, proved));
    }
    for (asked, proved) in [
        ("http://www.example/page?a=b", "/page"),
        ("http://www.example/page?a=b", "/other?a=b"),
        ("http://www.example/page?a=b", "http://other.example/page?a=b"),
        ("/page?a=b", "http://www.example/page?a=b"),
        // No URL, though one stands in it.
        ("/http://www.example/page", "/page"),
        ("/page?to=http://www.example/page", "/page"),
    ] {
        assert_eq!(fails(outcome(asked, proved)).error.status(), SecStatus::SEC_E_LOGON_DENIED, "{proved}");
    }
}

#[test]
fn server_refuses_what_is_changed_in_any_directive() {
    let fixture = Fixture::new(ALL, ALL);
    let request = server_request(get());
    let authorization = alice(&fixture);
    let changes: [Change; 8] = [
        ("realm", |response| response.realm = Some("other".into())),
        ("nonce", |response| response.nonce = "0".repeat(72).as_str().into()),
        ("cnonce", |response| response.cnonce = Some("other".into())),
        ("nc", |response| response.nonce_count = Some(2.into())),
        ("uri", |response| response.uri = "/".into()),
        ("response", |response| response.response = "0".repeat(64).as_str().into()),
        ("opaque", |response| response.opaque = None),
        ("algorithm", |response| response.algorithm = opensspi_digest::Algorithm::SHA_256),
    ];
    for (name, change) in changes {
        let changed = with(&authorization, change);
        // A nonce whose opaque does not come back is none of ours: it is stale.
        match fixture.authorize(&request, &changed) {
            Err(failure) => assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED, "{name}"),
            Ok(Step::Continue { token, .. }) if name == "opaque" => {
                assert!(String::from_utf8(token).unwrap().contains("stale=true"));
            }
            Ok(other) => panic!("{name}: {other:?}"),
        }
    }
    completes(fixture.authorize(&request, &authorization));
}

#[test]
fn a_nonce_that_is_too_old_is_stale_if_the_password_is_right_and_the_client_comes_again() {
    let fixture = Fixture::new("nonce-lifetime = \"60s\"", "");
    let server = server_request(get());
    let client_side = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let credential = fixture.client("alice", "wonderland");
    let mut client = credential.initialize(&client_side).unwrap();
    let challenge = fixture.challenge(&server);
    let wrong = answer(&fixture, "alice", "wrong", &client_request(get()), &challenge);
    let authorization = continues(client.initialize_security_context(&challenge));
    fixture.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(status(&fixture, &server, &wrong), SecStatus::SEC_E_LOGON_DENIED);
    let stale = continues(fixture.authorize(&server, &authorization));
    assert!(String::from_utf8_lossy(&stale).contains("stale=true"));
    let authorization = continues(client.initialize_security_context(&stale));
    let (_, info) = completes(fixture.authorize(&server, &authorization));
    completes(client.initialize_security_context(&info));
    // Of the same nonce, that it was used counts more than that it is old.
    let again = continues(fixture.authorize(&server, &with(&authorization, |_| {})).or_else(|failure| {
        assert_eq!(failure.error.message(), "the nonce and its count were used before");
        Ok::<_, sspi_core::Failure>(Step::Continue { token: Vec::new(), used: 0 })
    }));
    assert!(again.is_empty());
}

#[test]
fn client_gives_up_when_the_server_calls_its_second_nonce_stale_too_or_refuses_the_password() {
    let fixture = Fixture::new("", "");
    let server = AcceptRequest { flags: AscReq::EXTENDED_ERROR, ..server_request(get()) };
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let mut client = fixture.client("alice", "wrong").initialize(&request).unwrap();
    let authorization = continues(client.initialize_security_context(&fixture.challenge(&server)));
    let refused = fails(fixture.authorize(&server, &authorization)).token;
    let error = fails(client.initialize_security_context(&refused)).error;
    assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(fails(client.initialize_security_context(&refused)).error.status(), error.status());
    let stale = || [&fixture.challenge(&server)[..], b", stale=true"].concat();
    let stale = || String::from_utf8(stale()).unwrap().lines().last().unwrap().as_bytes().to_vec();
    let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
    continues(client.initialize_security_context(&fixture.challenge(&server)));
    continues(client.initialize_security_context(&stale()));
    let error = fails(client.initialize_security_context(&stale())).error;
    assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn server_refuses_a_response_that_comes_again_or_counts_backwards_out_of_the_window() {
    let fixture = Fixture::new("", "");
    let request = AcceptRequest { flags: AscReq::EXTENDED_ERROR, ..server_request(get()) };
    let credential = fixture.client("alice", "wonderland");
    let mut client = credential.initialize(&client_request(get())).unwrap();
    let mut sent = vec![completes(client.initialize_security_context(&fixture.challenge(&request))).1];
    for _ in 0..99 {
        let mut client = credential.initialize(&client_request(get())).unwrap();
        sent.push(completes(client.initialize_security_context(&[])).1);
    }
    assert_eq!(Response::from_http(&sent[99]).unwrap().nonce_count.unwrap().count, 100);
    for number in [0, 2, 1, 99, 60] {
        completes(fixture.authorize(&request, &sent[number]));
    }
    for number in [0, 1, 2, 60, 99, 3, 30] {
        let failure = fails(fixture.authorize(&request, &sent[number]));
        assert_eq!(failure.error.status(), SecStatus::SEC_E_LOGON_DENIED, "{number}");
        assert!(failure.error.message().contains("used before"), "{number}: {}", failure.error);
        assert!(String::from_utf8_lossy(&failure.token).contains("stale=true"), "the password was right");
    }
    completes(fixture.authorize(&request, &sent[98]));
}

#[test]
fn a_nonce_without_quality_of_protection_serves_once() {
    let fixture = Fixture::new("qop = [\"none\"]", "qop = [\"none\"]");
    let authorization = alice(&fixture);
    let request = server_request(get());
    completes(fixture.authorize(&request, &authorization));
    assert_eq!(status(&fixture, &request, &authorization), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn nonces_of_single_use_name_the_next_one_and_the_client_takes_it() {
    let fixture = Fixture::new("single-use-nonces = true", "");
    let server = server_request(get());
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let credential = fixture.client("alice", "wonderland");
    let mut nonces = Vec::new();
    let mut challenge = fixture.challenge(&server);
    for _ in 0..5 {
        let mut client = credential.initialize(&request).unwrap();
        let authorization = continues(client.initialize_security_context(&challenge));
        let response = Response::from_http(&authorization).unwrap();
        assert_eq!(response.nonce_count.unwrap().count, 1);
        assert!(!nonces.contains(&response.nonce));
        nonces.push(response.nonce);
        let (_, info) = completes(fixture.authorize(&server, &authorization));
        assert!(AuthenticationInfo::parse(&info).unwrap().next_nonce.is_some());
        completes(client.initialize_security_context(&info));
        challenge = Vec::new();
    }
}

#[test]
fn client_refuses_a_server_that_does_not_know_the_password_or_does_not_show_it() {
    let fixture = Fixture::new("", "");
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let verdict = |change: &dyn Fn(&mut AuthenticationInfo)| {
        let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
        let server = server_request(get());
        let authorization = continues(client.initialize_security_context(&fixture.challenge(&server)));
        let (_, info) = completes(fixture.authorize(&server, &authorization));
        let mut info = AuthenticationInfo::parse(&info).unwrap();
        change(&mut info);
        client.initialize_security_context(&info.to_http())
    };
    completes(verdict(&|_| {}));
    let failed = SecStatus::SEC_E_MUTUAL_AUTH_FAILED;
    let changes: [&dyn Fn(&mut AuthenticationInfo); 5] = [
        &|info| info.rspauth = None,
        &|info| info.rspauth = Some("0".repeat(64).as_str().into()),
        &|info| info.rspauth = Some("".into()),
        &|info| info.cnonce = Some("other".into()),
        &|info| info.nonce_count = Some(7.into()),
    ];
    for change in changes {
        assert_eq!(fails(verdict(change)).error.status(), failed);
    }
}

#[test]
fn client_takes_a_server_that_proves_nothing_and_its_context_says_so() {
    let fixture = Fixture::new("qop = [\"auth\", \"auth-int\"]", "qop = [\"auth\", \"auth-int\"]");
    let challenge = fixture.challenge(&server_request(get()));
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let credentials = fixture.client("alice", "wonderland");
    let mut client = credentials.initialize(&request).unwrap();
    continues(client.initialize_security_context(&challenge));
    let (context, _) = completes(client.initialize_security_context(&[]));
    let ContextFlags::Initiator(flags) = context.attributes().flags() else { panic!() };
    assert!(!flags.contains(IscRet::MUTUAL_AUTH), "{flags:?}");
    // Where bodies are protected there is a proof, or nothing.
    let request =
        InitializeRequest { flags: IscReq::MUTUAL_AUTH | IscReq::INTEGRITY, ..client_request(get()) };
    let mut client = credentials.initialize(&request).unwrap();
    continues(client.initialize_security_context(&challenge));
    assert!(matches!(client.initialize_security_context(&[]), Ok(Step::Incomplete { .. })));
}

#[test]
fn bodies_that_come_later_are_completed() {
    let fixture = Fixture::new("qop = [\"auth-int\"]", "");
    let http = HttpRequest { entity: HttpEntity::later(), ..HttpRequest::new("PUT", "/x") };
    let mut client = fixture.client("alice", "wonderland").initialize(&client_request(http.clone())).unwrap();
    let (_, mut authorization) =
        completes(client.initialize_security_context(&fixture.challenge(&server_request(get()))));
    assert_eq!(&*Response::from_http(&authorization).unwrap().response, "0".repeat(64).as_bytes());
    assert!(client.complete_auth_token(&mut authorization).is_err(), "the body is not known yet");
    let sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let hash = (0..32).map(|at| u8::from_str_radix(&sha256[2 * at..2 * at + 2], 16).unwrap()).collect();
    http.entity.set(EntityBody::Hashes(vec![(DigestAlgorithm::Sha256, hash)]));
    client.complete_auth_token(&mut authorization).unwrap();

    let received = HttpRequest::new("PUT", "/x").with_entity(b"secret".to_vec());
    let mut server = fixture.accept(&server_request(received.clone()));
    let (_, mut info) = completes(fixture.advance(&mut *server, &authorization));
    assert_eq!(AuthenticationInfo::parse(&info).unwrap().rspauth, None);
    assert!(server.complete_auth_token(&mut info).is_err(), "the response is not known yet");
    received.response_entity.set(EntityBody::Bytes(b"done".to_vec()));
    server.complete_auth_token(&mut info).unwrap();
    assert!(AuthenticationInfo::parse(&info).unwrap().rspauth.is_some());
}

fn of_later() -> (HttpEntity, AcceptRequest) {
    let entity = HttpEntity::later();
    let http = HttpRequest { entity: entity.clone(), ..HttpRequest::new("PUT", "/x") };
    (entity, server_request(http))
}

#[test]
fn server_judges_what_stands_in_the_header_before_it_wants_the_body() {
    let fixture = Fixture::new("qop = [\"auth-int\"]", "qop = [\"auth-int\", \"auth\"]");
    let sent = HttpRequest::new("PUT", "/x").with_entity(b"secret".to_vec());
    let authorization = || {
        let challenge = fixture.challenge(&of_later().1);
        answer(&fixture, "alice", "wonderland", &client_request(sent.clone()), &challenge)
    };
    let right = authorization();
    let (entity, request) = of_later();
    let mut server = fixture.accept(&request);
    for _ in 0..2 {
        let step = fixture.advance(&mut *server, &right);
        assert!(matches!(step, Ok(Step::Incomplete { missing: None })), "the body, and nobody is asked");
    }
    assert!(fixture.heard.lock().unwrap().is_empty());
    entity.set(EntityBody::Bytes(b"secret".to_vec()));
    completes(fixture.advance(&mut *server, &right));

    // What was not offered is refused; what has no nonce of ours, or an old one, gets another.
    let refused: [Change; 2] = [
        ("qop", |response| response.qop = opensspi_digest::Qop::Auth),
        ("realm", |response| response.realm = Some("elsewhere".into())),
    ];
    for (what, change) in refused {
        let token = with(&right, change);
        let error = fails(fixture.authorize(&of_later().1, &token)).error;
        assert!(!error.to_string().is_empty(), "{what}");
    }
    let unknown: [Change; 2] = [
        ("nonce", |response| response.nonce = "0123456789abcdef".into()),
        ("opaque", |response| response.opaque = Some("another".into())),
    ];
    for (what, change) in unknown {
        let token = with(&authorization(), change);
        let again = continues(fixture.authorize(&of_later().1, &token));
        assert!(String::from_utf8(again).unwrap().contains("stale=true"), "{what}");
    }
    let old = authorization();
    fixture.clock.advance(std::time::Duration::from_secs(300));
    continues(fixture.authorize(&of_later().1, &old));
}

#[test]
fn a_server_claims_that_it_has_proved_itself_when_the_proof_was_sent() {
    let claims = |context: &dyn SecurityContext| match context.attributes().flags() {
        ContextFlags::Acceptor(flags) => flags.contains(AscRet::MUTUAL_AUTH),
        ContextFlags::Initiator(flags) => flags.contains(IscRet::MUTUAL_AUTH),
    };
    let fixture = Fixture::new("qop = [\"auth-int\"]", "");
    let http = HttpRequest::new("PUT", "/x").with_entity(b"secret".to_vec());
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(http.clone()) };
    let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
    let authorization =
        continues(client.initialize_security_context(&fixture.challenge(&server_request(http.clone()))));
    let mut server = fixture.accept(&server_request(http.clone()));
    let (at_server, mut info) = completes(fixture.advance(&mut *server, &authorization));
    assert!(!claims(&*at_server), "the body that the proof is over is not known yet");
    http.response_entity.set(EntityBody::Bytes(b"done".to_vec()));
    server.complete_auth_token(&mut info).unwrap();
    assert!(claims(&*at_server));
    let (at_client, _) = completes(client.initialize_security_context(&info));
    assert!(claims(&*at_client));
    // Without a body that it is over, the proof is in the first token; a client that does not wait for it claims nothing.
    let fixture = Fixture::new("qop = [\"auth\"]", "");
    let mut client = fixture.client("alice", "wonderland").initialize(&client_request(get())).unwrap();
    let challenge = fixture.challenge(&server_request(get()));
    let (at_client, authorization) = completes(client.initialize_security_context(&challenge));
    let (at_server, _) = completes(fixture.authorize(&server_request(get()), &authorization));
    assert!(claims(&*at_server) && !claims(&*at_client));
}

#[test]
fn bodies_that_are_protected_are_integrity_and_others_are_not() {
    for (qop, protects) in [("auth", false), ("auth-int", true)] {
        let fixture = Fixture::new(&format!("qop = [\"{qop}\"]"), "");
        let http = HttpRequest::new("PUT", "/x").with_entity(b"secret".to_vec());
        let mut client =
            fixture.client("alice", "wonderland").initialize(&client_request(http.clone())).unwrap();
        let challenge = fixture.challenge(&server_request(http.clone()));
        let (at_client, authorization) = completes(client.initialize_security_context(&challenge));
        let (at_server, _) = completes(fixture.authorize(&server_request(http), &authorization));
        let ContextFlags::Initiator(flags) = at_client.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(IscRet::INTEGRITY), protects, "{qop}");
        let ContextFlags::Acceptor(flags) = at_server.attributes().flags() else { panic!() };
        assert_eq!(flags.contains(AscRet::INTEGRITY), protects, "{qop}");
        assert!(!flags.contains(AscRet::SEQUENCE_DETECT), "no message follows");
    }
}

#[test]
fn bindings_are_looked_at_as_the_policy_says() {
    let ours = ChannelBindings::tls_server_end_point(&[1; 32]);
    let theirs = ChannelBindings::tls_server_end_point(&[2; 32]);
    let outcome = |policy: &str, server: Option<&ChannelBindings>, client: Option<&ChannelBindings>| {
        let fixture = Fixture::new(&format!("channel-bindings = \"{policy}\""), "");
        let server = AcceptRequest { channel_bindings: server.cloned(), ..server_request(get()) };
        let client = InitializeRequest { channel_bindings: client.cloned(), ..client_request(get()) };
        let authorization = answer(&fixture, "alice", "wonderland", &client, &fixture.challenge(&server));
        fixture.authorize(&server, &authorization).map(|_| ()).map_err(|failure| failure.error.status())
    };
    let bad = Err(SecStatus::SEC_E_BAD_BINDINGS);
    let (some, other) = (Some(&ours), Some(&theirs));
    for (policy, server, client, expected) in [
        ("never", some, other, Ok(())),
        ("never", some, None, Ok(())),
        ("when-supported", some, some, Ok(())),
        ("when-supported", some, None, Ok(())),
        ("when-supported", None, some, bad),
        ("never", None, some, Ok(())),
        ("when-supported", some, other, bad),
        ("always", some, some, Ok(())),
        ("always", some, None, bad),
        ("always", some, other, bad),
        ("always", None, None, bad),
        ("always", None, some, bad),
    ] {
        assert_eq!(outcome(policy, server, client), expected, "{policy} {server:?} {client:?}");
    }
}

/// Without quality of protection the client's nonce is under no proof, and everybody knows what it would have to be.
#[test]
fn bindings_that_nobody_has_proved_are_none() {
    let ours = ChannelBindings::tls_server_end_point(&[1; 32]);
    let server = AcceptRequest { channel_bindings: Some(ours.clone()), ..server_request(get()) };
    // The relay makes the nonce for its own channel, as a client of ours would.
    let forged = {
        let fixture = Fixture::new("", "");
        let request = InitializeRequest { channel_bindings: Some(ours), ..client_request(get()) };
        let bound = answer(&fixture, "alice", "wonderland", &request, &fixture.challenge(&server));
        Response::from_http(&bound).unwrap().cnonce
    };
    let fixture = Fixture::new("qop = [\"none\"]\nchannel-bindings = \"always\"", "qop = [\"none\"]");
    let authorization = alice(&fixture);
    assert_eq!(status(&fixture, &server, &authorization), SecStatus::SEC_E_BAD_BINDINGS);
    let with_nonce = with(&alice(&fixture), |response| response.cnonce = forged);
    assert_eq!(status(&fixture, &server, &with_nonce), SecStatus::SEC_E_BAD_BINDINGS);
}

#[test]
fn bindings_to_a_proxys_channel_are_taken_where_the_application_says_that_there_is_one() {
    let fixture = Fixture::new("", "");
    let bindings = Some(ChannelBindings::tls_server_end_point(b"the proxy's certificate"));
    let client = InitializeRequest { channel_bindings: bindings, ..client_request(get()) };
    for (flags, is_taken) in [(AscReq::PROXY_BINDINGS, true), (AscReq::NONE, false)] {
        let server = AcceptRequest { flags, ..server_request(get()) };
        let authorization = answer(&fixture, "alice", "wonderland", &client, &fixture.challenge(&server));
        assert_eq!(fixture.authorize(&server, &authorization).is_ok(), is_taken);
    }
}

#[test]
fn bindings_cannot_be_taken_out_of_a_response() {
    let fixture = Fixture::new("", "");
    let bindings = Some(ChannelBindings::tls_server_end_point(&[1; 32]));
    let server = AcceptRequest {
        channel_bindings: Some(ChannelBindings::tls_server_end_point(&[2; 32])),
        ..server_request(get())
    };
    let client = InitializeRequest { channel_bindings: bindings, ..client_request(get()) };
    let authorization = answer(&fixture, "alice", "wonderland", &client, &fixture.challenge(&server));
    let stripped = with(&authorization, |response| response.cnonce = Some("0123456789abcdef".into()));
    assert_eq!(status(&fixture, &server, &stripped), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn server_refuses_what_it_did_not_offer() {
    let wide = Fixture::new(ALL, ALL);
    let narrow = Fixture::new("algorithms = [\"SHA-256\"]\nqop = [\"auth\"]", "");
    let request = server_request(get());
    let authorization = alice(&wide);
    assert_eq!(status(&narrow, &request, &authorization), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
    let changed = with(&alice(&narrow), |response| response.qop = opensspi_digest::Qop::AuthInt);
    assert_eq!(status(&narrow, &request, &changed), SecStatus::SEC_E_QOP_NOT_SUPPORTED);
}

/// Clients that leave the backslash of a domain as it is hash the name with it.
#[test]
fn server_accepts_a_name_whose_backslash_is_not_escaped() {
    let fixture = Fixture::new("", "");
    for keeps_its_escape in [true, false] {
        let challenge = fixture.challenge(&server_request(get()));
        let authorization = answer(&fixture, "CORP\\bob", "builder", &client_request(get()), &challenge);
        let text = String::from_utf8(authorization).unwrap();
        assert!(text.contains(r#"username="CORP\\bob""#), "{text}");
        let text = if keeps_its_escape { text } else { text.replace(r"CORP\\bob", r"CORP\bob") };
        let (context, _) = completes(fixture.authorize(&server_request(get()), text.as_bytes()));
        assert_eq!(context.security_context_token().unwrap().name, "CORP\\bob");
    }
}

#[test]
fn debug_shows_no_password_no_key_and_nothing_that_a_password_can_be_guessed_with() {
    let fixture = Fixture::new(ALL, ALL);
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
    let challenge = fixture.challenge(&server_request(get()));
    let authorization = continues(client.initialize_security_context(&challenge));
    let mut server = fixture.accept(&server_request(get()));
    let asked = server.accept_security_context(&authorization).unwrap();
    let mut shown = vec![format!("{asked:?}")];
    let Step::Ask(Question::DigestSecret(ask)) = asked else { panic!() };
    let found = fixture.look_up(ask.question());
    shown.push(format!("{found:?}"));
    ask.answer(Ok(found));
    let (at_server, info) = completes(server.accept_security_context(&authorization));
    let response = Response::from_http(&authorization).unwrap();
    let proof = AuthenticationInfo::parse(&info).unwrap();
    let key = at_server.attributes().session_key().unwrap();
    let exported = at_server.export().unwrap();
    let directives = opensspi_digest::directives::Directives::parse_challenges(
        &authorization,
        opensspi_digest::directives::Bounds::HTTP,
    );
    shown.extend([
        format!("{:?}", directives.unwrap()),
        format!("{response:?}"),
        format!("{proof:?}"),
        format!("{key:?}"),
        format!("{exported:?}"),
    ]);
    let hidden = [
        "wonderland".to_owned(),
        hex(b"wonderland"),
        hex(key.expose_secret()),
        format!("{:?}", key.expose_secret()).trim_matches(['[', ']']).to_owned(),
        response.response.to_text().into_owned(),
        proof.rspauth.unwrap().to_text().into_owned(),
    ];
    for text in &shown {
        let text = text.to_lowercase();
        assert!(hidden.iter().all(|secret| !text.contains(&secret.to_lowercase())), "{text}");
    }
    assert!(shown[3].contains("nonce_count"), "what is no secret is there");
}

#[test]
fn a_name_that_is_hashed_is_refused_where_that_was_not_offered() {
    let fixture = Fixture::new("userhash = false", ALL);
    let hashed = with(&alice(&fixture), |response| {
        let hash = opensspi_digest::user_hash(response.algorithm.hash, "alice", REALM);
        response.username = opensspi_digest::response::Username::Hashed(hash);
    });
    let mut server = fixture.accept(&server_request(get()));
    // Before any account is looked for: no question is asked.
    assert!(fails(server.accept_security_context(&hashed)).error.to_string().contains("userhash"));
}

#[test]
fn who_asks_for_integrity_gets_protected_bodies_or_nothing() {
    let fixture = Fixture::new("algorithms = [\"SHA-256\"]\nqop = [\"auth\"]", ALL);
    let challenge = fixture.challenge(&server_request(get()));
    let request = InitializeRequest { flags: IscReq::INTEGRITY, ..client_request(get()) };
    let mut client = fixture.client("alice", "wonderland").initialize(&request).unwrap();
    fails(client.initialize_security_context(&challenge));
    let asks = AcceptRequest { flags: AscReq::INTEGRITY, ..server_request(get()) };
    assert!(fixture.server.accept(&asks).is_err(), "a server that has none refuses to begin");
}

#[test]
fn an_answer_that_is_bound_to_a_channel_is_refused_where_there_is_none() {
    let fixture = Fixture::new("", ALL);
    let bindings = Some(ChannelBindings::tls_server_end_point(b"somebody's certificate"));
    let request = InitializeRequest { channel_bindings: bindings, ..client_request(get()) };
    let challenge = fixture.challenge(&server_request(get()));
    let passed_on = answer(&fixture, "alice", "wonderland", &request, &challenge);
    assert_eq!(status(&fixture, &server_request(get()), &passed_on), SecStatus::SEC_E_BAD_BINDINGS);
}
