//! What lasts longer than a response: nonces, their counts, the keys of sessions, and what a client remembers.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use crypto::hash::Hash;
use opensspi_digest::challenge::Challenge;
use opensspi_digest::hashed_a1;
use opensspi_digest::response::{AuthenticationInfo, Response};
use sspi_core::{
    AcceptRequest, AscReq, ChannelBindings, CredentialsHandle, DigestAlgorithm, HttpRequest,
    InitializeRequest, IscReq, SecStatus, SecurityContext, Step,
};
use support::{
    Fixture, REALM, client_request, completes, continues, fails, hex, open, run, seal, server_request,
};

const SESSION: &str = "algorithms = [\"SHA-256-sess\"]";

fn get() -> HttpRequest {
    HttpRequest::new("GET", "/")
}

fn imap() -> InitializeRequest {
    InitializeRequest { target_name: Some("imap/mail.example.test".into()), ..InitializeRequest::default() }
}

/// The next `Authorization` of a client, to this challenge or to none.
fn next(client: &Arc<dyn CredentialsHandle>, challenge: &[u8]) -> (Box<dyn SecurityContext>, Vec<u8>) {
    let mut handshake = client.initialize(&client_request(get())).unwrap();
    completes(handshake.initialize_security_context(challenge))
}

fn key(context: &dyn SecurityContext) -> Vec<u8> {
    context.attributes().session_key().unwrap().expose_secret().clone()
}

/// The proof of a request for `/`, as the specification says it.
fn proof(key: &[u8], response: &Response) -> String {
    let a2 = hex(Hash::Sha256.digest(b"GET:/").as_ref());
    let count = response.nonce_count.as_ref().unwrap();
    let cnonce = response.cnonce.as_ref().unwrap();
    let colon = &b":"[..];
    let parts =
        [hex(key).as_bytes(), &response.nonce, &count.digits, cnonce, b"auth", a2.as_bytes()].join(colon);
    hex(Hash::Sha256.digest(&parts).as_ref())
}

/// H(A1) of a session that began with these nonces.
fn session_key(nonce: &[u8], cnonce: &[u8]) -> Vec<u8> {
    let base = hashed_a1(DigestAlgorithm::Sha256, b"alice", REALM.as_bytes(), b"wonderland");
    let colon = &b":"[..];
    let a1 = [hex(base.expose_secret()).as_bytes(), nonce, cnonce].join(colon);
    Hash::Sha256.digest(&a1).as_ref().to_vec()
}

/// Spec: DIGEST (RFC 7616) section 3.4.2.
#[test]
fn the_key_of_a_session_is_made_once_at_both_ends() {
    let fixture = Fixture::new(SESSION, SESSION);
    let alice = fixture.client("alice", "wonderland");
    let mut challenge = fixture.challenge(&server_request(get()));
    let mut keys = Vec::new();
    for count in 1..=4 {
        let (at_client, authorization) = next(&alice, &challenge);
        let response = Response::from_http(&authorization).unwrap();
        assert_eq!(response.nonce_count.unwrap().count, count);
        let (at_server, _) = completes(fixture.authorize(&server_request(get()), &authorization));
        assert_eq!(key(&*at_client), key(&*at_server));
        keys.push(key(&*at_client));
        challenge = Vec::new();
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "one key for all of the session");
    // Another challenge begins another session.
    let (at_client, authorization) = next(&alice, &fixture.challenge(&server_request(get())));
    completes(fixture.authorize(&server_request(get()), &authorization));
    assert_ne!(key(&*at_client), keys[0]);
}

/// Spec: DIGEST (RFC 7616) section 3.4.2.
#[test]
fn server_knows_the_key_of_a_session_when_the_nonce_of_the_client_is_another() {
    let fixture = Fixture::new(SESSION, SESSION);
    let alice = fixture.client("alice", "wonderland");
    let (_, first) = next(&alice, &fixture.challenge(&server_request(get())));
    completes(fixture.authorize(&server_request(get()), &first));
    let begun = Response::from_http(&first).unwrap();
    let of_session = session_key(&begun.nonce, begun.cnonce.as_ref().unwrap());
    let of_request = session_key(&begun.nonce, b"other");
    for (count, key) in [(2, &of_session), (3, &of_request)] {
        let mut response = begun.clone();
        (response.cnonce, response.nonce_count) = (Some("other".into()), Some(count.into()));
        response.response = proof(key, &response).as_str().into();
        completes(fixture.authorize(&server_request(get()), &response.to_http()));
    }
    let mut wrong = begun.clone();
    (wrong.cnonce, wrong.nonce_count) = (Some("other".into()), Some(4.into()));
    wrong.response = proof(&session_key(&begun.nonce, b"another"), &wrong).as_str().into();
    let refused = fails(fixture.authorize(&server_request(get()), &wrong.to_http())).error;
    assert_eq!(refused.status(), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn a_session_goes_on_with_the_next_nonce_and_its_first_key() {
    let fixture = Fixture::new(&format!("{SESSION}\nsingle-use-nonces = true"), SESSION);
    let alice = fixture.client("alice", "wonderland");
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(get()) };
    let mut challenge = fixture.challenge(&server_request(get()));
    let (mut keys, mut nonces) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let mut client = alice.initialize(&request).unwrap();
        let authorization = continues(client.initialize_security_context(&challenge));
        nonces.push(Response::from_http(&authorization).unwrap().nonce);
        let (at_server, info) = completes(fixture.authorize(&server_request(get()), &authorization));
        assert!(AuthenticationInfo::parse(&info).unwrap().next_nonce.is_some());
        completes(client.initialize_security_context(&info));
        keys.push(key(&*at_server));
        challenge = Vec::new();
    }
    nonces.dedup();
    keys.dedup();
    assert_eq!((nonces.len(), keys.len()), (4, 1));
}

/// Who listens to a channel, or sits at its end under the same name, is not told what is good on another one.
#[test]
fn a_session_does_not_go_on_over_another_channel() {
    for algorithms in [SESSION, ""] {
        let fixture = Fixture::new(algorithms, algorithms);
        let alice = fixture.client("alice", "wonderland");
        let bound = |channel: u8| Some(ChannelBindings::tls_server_end_point(&[channel; 32]));
        for (bindings, is_known) in
            [(bound(1), false), (None, false), (bound(2), false), (bound(1), true), (None, true)]
        {
            let request = InitializeRequest { channel_bindings: bindings.clone(), ..client_request(get()) };
            let accept = AcceptRequest { channel_bindings: bindings, ..server_request(get()) };
            let mut client = alice.initialize(&request).unwrap();
            let authorization = match client.initialize_security_context(&[]).unwrap() {
                Step::Continue { token, .. } => {
                    assert!(token.is_empty() && !is_known);
                    completes(client.initialize_security_context(&fixture.challenge(&accept))).1
                }
                step => {
                    assert!(is_known);
                    completes(Ok(step)).1
                }
            };
            completes(fixture.authorize(&accept, &authorization));
        }
    }
}

/// Bob sees the nonce of Alice on the way, and has a password of his own.
#[test]
fn a_user_who_sees_a_nonce_takes_nothing_from_the_one_who_has_it() {
    let fixture = Fixture::new("", "");
    let (alice, bob) = (fixture.client("alice", "wonderland"), fixture.client("CORP\\bob", "builder"));
    let challenge = fixture.challenge(&server_request(get()));
    let request = server_request(get());
    let (_, first) = next(&alice, &challenge);
    completes(fixture.authorize(&request, &first));
    let mut of_bob = vec![next(&bob, &challenge).1];
    of_bob.extend((2..=200).map(|_| next(&bob, &[]).1));
    for authorization in &of_bob {
        completes(fixture.authorize(&request, authorization));
    }
    let (_, second) = next(&alice, &[]);
    completes(fixture.authorize(&request, &second));
    for replayed in [&first, &second, &of_bob[0], &of_bob[199]] {
        let refused = fails(fixture.authorize(&request, replayed)).error;
        assert_eq!(refused.message(), "the nonce and its count were used before");
    }
}

#[test]
fn a_user_cannot_log_on_again_with_the_nonce_of_another_one() {
    let fixture = Fixture::new("reauthentication = true", "reauthentication = true");
    let alice = fixture.client("alice", "wonderland");
    let log_on = || {
        let mut client = alice.initialize(&imap()).unwrap();
        let mut server = fixture.accept(&AcceptRequest::default());
        let first = continues(client.initialize_security_context(&[]));
        let response = if first.is_empty() {
            let challenge = continues(server.accept_security_context(&[]));
            continues(client.initialize_security_context(&challenge))
        } else {
            first.clone()
        };
        let (_, proof) = completes(fixture.advance(&mut *server, &response));
        completes(client.initialize_security_context(&proof));
        first
    };
    assert!(log_on().is_empty());
    let nonce = Response::from_sasl(&log_on()).unwrap().nonce;
    // Bob answers a challenge with that nonce, and says that it is for the third time.
    let offered = continues(fixture.accept(&AcceptRequest::default()).accept_security_context(&[]));
    let challenge = Challenge { nonce, ..Challenge::from_sasl(&offered).unwrap() };
    let mut bob = fixture.client("CORP\\bob", "builder").initialize(&imap()).unwrap();
    let mut theirs =
        Response::from_sasl(&continues(bob.initialize_security_context(&challenge.to_sasl()))).unwrap();
    theirs.nonce_count = Some(3.into());
    theirs.response = sasl_proof(&theirs).as_str().into();
    let token =
        continues(fixture.advance(&mut *fixture.accept(&AcceptRequest::default()), &theirs.to_sasl()));
    assert!(Challenge::from_sasl(&token).unwrap().is_stale, "bob has to begin anew");
    assert!(!log_on().is_empty(), "and alice goes on");
}

/// Bob's proof in DIGEST-MD5. Spec: DIGEST (RFC 2831) section 2.1.2.1.
fn sasl_proof(response: &Response) -> String {
    let md5 = |data: &[u8]| Hash::Md5.digest(data).as_ref().to_vec();
    let cnonce = response.cnonce.as_ref().unwrap();
    let base = hashed_a1(DigestAlgorithm::Md5, b"CORP\\bob", REALM.as_bytes(), b"builder");
    let colon = &b":"[..];
    let key = md5(&[base.expose_secret(), &response.nonce[..], cnonce].join(colon));
    let a2 = md5(&[b"AUTHENTICATE", &response.uri[..], &[b'0'; 32]].join(colon));
    let (qop, count) = (response.qop.name().as_bytes(), response.nonce_count.as_ref().unwrap());
    let parts =
        [hex(&key).as_bytes(), &response.nonce, &count.digits, cnonce, qop, hex(&a2).as_bytes()].join(colon);
    hex(&md5(&parts))
}

#[test]
fn a_clock_that_is_set_back_makes_no_nonce_fresh_again() {
    let fixture = Fixture::new("nonce-lifetime = \"60s\"", "");
    let request = server_request(get());
    let challenge = fixture.challenge(&request);
    let start = fixture.clock.now();
    let (_, used) = next(&fixture.client("alice", "wonderland"), &challenge);
    completes(fixture.authorize(&request, &used));
    let (_, unused) = next(&fixture.client("CORP\\bob", "builder"), &challenge);
    // Time passes, and with the next logon what is too old is forgotten.
    fixture.clock.advance(Duration::from_secs(61));
    let (_, other) = next(&fixture.client("alice", "wonderland"), &fixture.challenge(&request));
    completes(fixture.authorize(&request, &other));
    fixture.clock.set(start + Duration::from_secs(1));
    for old in [&used, &unused] {
        let token = String::from_utf8(continues(fixture.authorize(&request, old))).unwrap();
        assert!(token.contains("stale=true"), "{token}");
    }
    // What is new is good for as long as ever.
    let challenge = fixture.challenge(&request);
    fixture.clock.advance(Duration::from_secs(59));
    let (_, new) = next(&fixture.client("alice", "wonderland"), &challenge);
    completes(fixture.authorize(&request, &new));
    let (_, late) = next(&fixture.client("alice", "wonderland"), &challenge);
    fixture.clock.advance(Duration::from_secs(1));
    assert!(String::from_utf8_lossy(&continues(fixture.authorize(&request, &late))).contains("stale=true"));
}

#[test]
fn a_clock_that_jumps_ahead_and_back_shuts_nobody_out() {
    let fixture = Fixture::new("nonce-lifetime = \"60s\"", "");
    let (request, start) = (server_request(get()), fixture.clock.now());
    fixture.clock.advance(Duration::from_secs(365 * 86_400));
    fixture.challenge(&request);
    fixture.clock.set(start);
    let (_, authorization) = next(&fixture.client("alice", "wonderland"), &fixture.challenge(&request));
    completes(fixture.authorize(&request, &authorization));
}

#[test]
fn a_request_that_wants_more_than_the_session_has_begins_anew() {
    let fixture =
        Fixture::new("reauthentication = true", "reauthentication = true\nqop = [\"auth\", \"auth-conf\"]");
    let credential = fixture.client("alice", "wonderland");
    // A server that has nothing better at first.
    let plain = AcceptRequest::default();
    let mut first = credential.initialize(&imap()).unwrap();
    let offered = continues(fixture.accept(&plain).accept_security_context(&[]));
    let challenge =
        Challenge { qop: vec![opensspi_digest::Qop::Auth], ..Challenge::from_sasl(&offered).unwrap() };
    let mut server = fixture.accept(&plain);
    let ours = Challenge::from_sasl(&continues(server.accept_security_context(&[]))).unwrap();
    let challenge = Challenge { nonce: ours.nonce, ..challenge };
    let response = continues(first.initialize_security_context(&challenge.to_sasl()));
    let (_, proof) = completes(fixture.advance(&mut *server, &response));
    completes(first.initialize_security_context(&proof));
    let stricter = InitializeRequest { flags: IscReq::CONFIDENTIALITY, ..imap() };
    let mut second = credential.initialize(&stricter).unwrap();
    let (mut at_client, mut at_server) = run(&fixture, &mut *second, &mut *fixture.accept(&plain)).unwrap();
    assert_eq!(open(&mut *at_server, &seal(&mut *at_client, b"secret")).unwrap(), b"secret");
    assert_eq!(at_client.attributes().key_info().unwrap().encrypt_algorithm_name, "3des");
}

#[test]
fn a_request_of_http_that_wants_more_than_the_session_has_begins_anew() {
    let fixture = Fixture::new("qop = [\"auth\"]", "");
    let alice = fixture.client("alice", "wonderland");
    next(&alice, &fixture.challenge(&server_request(get())));
    let stricter = InitializeRequest { flags: IscReq::INTEGRITY, ..client_request(get()) };
    let mut client = alice.initialize(&stricter).unwrap();
    assert!(continues(client.initialize_security_context(&[])).is_empty(), "it waits for a challenge");
    let other = Fixture::new("qop = [\"auth-int\"]", "");
    completes(client.initialize_security_context(&other.challenge(&server_request(get()))));
}

#[test]
fn server_that_wants_more_than_the_session_has_answers_with_a_challenge() {
    let fixture =
        Fixture::new("reauthentication = true", "reauthentication = true\nqop = [\"auth\", \"auth-int\"]");
    let credential = fixture.client("alice", "wonderland");
    let auth = Fixture::new("reauthentication = true\nqop = [\"auth\"]", "");
    run(&auth, &mut *credential.initialize(&imap()).unwrap(), &mut *auth.accept(&AcceptRequest::default()))
        .unwrap();
    let stricter = AcceptRequest { flags: AscReq::INTEGRITY, ..AcceptRequest::default() };
    let mut client = credential.initialize(&imap()).unwrap();
    let (mut at_client, mut at_server) =
        run(&fixture, &mut *client, &mut *fixture.accept(&stricter)).unwrap();
    assert_eq!(open(&mut *at_server, &seal(&mut *at_client, b"signed")).unwrap(), b"signed");
}
