//! Failed logons are counted, and whoever has too many waits.

#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

mod support;

use std::time::Duration;

use opensspi_digest::response::{Response, Username};
use sspi_core::{
    AcceptRequest, Account, AscReq, DigestAccount, DigestSecret, Error, Fault, HttpEntity, HttpRequest,
    InitializeRequest, Question, SecStatus, Secret, Step,
};
use support::{Fixture, client_request, completes, fails, run, server_request};

const THREE: &str = "lock-out = { failures = 3 }";

fn get() -> HttpRequest {
    HttpRequest::new("GET", "/")
}

fn from(source: &str) -> AcceptRequest {
    let flags = AscReq::EXTENDED_ERROR;
    AcceptRequest { source: Some(source.into()), flags, ..server_request(get()) }
}

/// The `Authorization` of a client, to a new challenge.
fn authorization(fixture: &Fixture, user: &str, password: &str) -> Vec<u8> {
    let challenge = fixture.challenge(&from("anywhere"));
    let mut client = fixture.client(user, password).initialize(&client_request(get())).unwrap();
    completes(client.initialize_security_context(&challenge)).1
}

/// A logon from somewhere, in one request of HTTP.
fn log_on(fixture: &Fixture, source: &str, user: &str, password: &str) -> Result<(), Error> {
    let token = authorization(fixture, user, password);
    fixture.authorize(&from(source), &token).map(drop).map_err(|failure| failure.error)
}

#[test]
fn who_fails_too_often_is_refused_with_the_right_password_until_the_time_is_over() {
    let fixture = Fixture::new(THREE, "");
    for _ in 0..3 {
        log_on(&fixture, "10.0.0.1", "alice", "wrong").unwrap_err();
    }
    let error = log_on(&fixture, "10.0.0.1", "alice", "wonderland").unwrap_err();
    assert_eq!((error.status(), error.fault()), (SecStatus::SEC_E_LOGON_DENIED, Fault::Refused));
    assert_eq!(error.setting(), Some("digest.lock-out"), "the log names the setting");
    assert_eq!(*fixture.heard.lock().unwrap(), [false; 3], "nobody looked at the last one");
    log_on(&fixture, "10.0.0.2", "alice", "wonderland").unwrap();
    log_on(&fixture, "10.0.0.1", "Mufasa", "Circle of Life").unwrap();
    fixture.clock.advance(Duration::from_secs(15 * 60));
    log_on(&fixture, "10.0.0.1", "alice", "wonderland").unwrap();
}

#[test]
fn a_client_cannot_tell_that_it_is_locked_out_from_a_wrong_password() {
    let fixture = Fixture::new("lock-out = { failures = 1 }", "");
    let refused = |password| {
        let token = authorization(&fixture, "alice", password);
        fails(fixture.authorize(&from("a"), &token))
    };
    let [wrong, locked] = ["wrong", "wonderland"].map(refused);
    assert_eq!(wrong.error.status(), locked.error.status());
    assert_eq!(wrong.token.len(), locked.token.len(), "both are told another challenge");
    assert!(!String::from_utf8(locked.token).unwrap().contains("stale=true"));
}

#[test]
fn a_success_makes_the_failures_before_it_forgotten() {
    let fixture = Fixture::new(THREE, "");
    for _ in 0..3 {
        log_on(&fixture, "a", "alice", "wrong").unwrap_err();
        log_on(&fixture, "a", "alice", "wrong").unwrap_err();
        log_on(&fixture, "a", "alice", "wonderland").unwrap();
    }
}

#[test]
fn names_that_there_are_not_and_accounts_that_are_disabled_count_for_their_source() {
    let fixture = Fixture::new("lock-out = { failures = 0, failures-of-source = 3 }", "");
    log_on(&fixture, "a", "mallory", "wrong").unwrap_err();
    log_on(&fixture, "a", "trudy", "wrong").unwrap_err();
    log_on(&fixture, "a", "carol", "disabled").unwrap_err();
    log_on(&fixture, "a", "alice", "wonderland").unwrap_err();
    log_on(&fixture, "b", "alice", "wonderland").unwrap();
}

#[test]
fn the_hash_of_a_name_counts_as_the_name() {
    let fixture = Fixture::new(&format!("{THREE}\nuserhash = true"), "");
    let plain = Fixture::new("", "");
    for _ in 0..3 {
        log_on(&fixture, "a", "alice", "wrong").unwrap_err();
    }
    // Without the hash, in a challenge of the same server from which it was taken out.
    let challenge = String::from_utf8(fixture.challenge(&from("a"))).unwrap().replace(", userhash=true", "");
    let mut client = plain.client("alice", "wonderland").initialize(&client_request(get())).unwrap();
    let token = completes(client.initialize_security_context(challenge.as_bytes())).1;
    assert!(String::from_utf8_lossy(&token).contains("username=\"alice\""));
    let error = fails(fixture.authorize(&from("a"), &token)).error;
    assert_eq!(error.setting(), Some("digest.lock-out"));
}

#[test]
fn a_response_that_is_repeated_locks_nobody_out_and_makes_nobody_forget() {
    let fixture = Fixture::new(THREE, "");
    let token = authorization(&fixture, "alice", "wonderland");
    completes(fixture.authorize(&from("a"), &token));
    for _ in 0..2 {
        log_on(&fixture, "a", "alice", "wrong").unwrap_err();
    }
    for _ in 0..10 {
        assert_eq!(fails(fixture.authorize(&from("a"), &token)).error.setting(), None);
    }
    log_on(&fixture, "a", "alice", "wrong").unwrap_err();
    let error = log_on(&fixture, "a", "alice", "wonderland").unwrap_err();
    assert_eq!(error.setting(), Some("digest.lock-out"));
}

#[test]
fn a_database_that_cannot_be_asked_counts_for_nobody_and_one_that_refuses_does() {
    let fixture = Fixture::new("lock-out = { failures = 1 }", "");
    let answered = |status, fault| {
        let token = authorization(&fixture, "alice", "wonderland");
        let mut server = fixture.accept(&from("a"));
        let Step::Ask(Question::DigestSecret(ask)) = server.accept_security_context(&token).unwrap() else {
            panic!("it asks");
        };
        assert_eq!(ask.question().source.as_deref(), Some("a"));
        ask.answer(Err(Error::new(status, fault, "why")));
        fails(server.accept_security_context(&token)).error
    };
    for _ in 0..3 {
        let error = answered(SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY, Fault::Configuration);
        assert_eq!(error.status(), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
    }
    let error = answered(SecStatus::SEC_E_LOGON_DENIED, Fault::Refused);
    assert_eq!((error.status(), error.message()), (SecStatus::SEC_E_LOGON_DENIED, "why"));
    let error = log_on(&fixture, "a", "alice", "wonderland").unwrap_err();
    assert_eq!(error.setting(), Some("digest.lock-out"));
}

/// A client keeps its nonce: the second answer is one to the challenge of the first.
#[test]
fn who_has_proved_a_password_with_its_nonce_is_judged_where_its_source_is_locked_out() {
    for userhash in [false, true] {
        let text = format!("lock-out = {{ failures = 3, failures-of-source = 3 }}\nuserhash = {userhash}");
        let fixture = Fixture::new(&text, "");
        let alice = fixture.client("alice", "wonderland");
        let mut first = alice.initialize(&client_request(get())).unwrap();
        let challenge = fixture.challenge(&from("proxy"));
        let token = completes(first.initialize_security_context(&challenge)).1;
        let next = |change: fn(&mut Response)| {
            let mut client = alice.initialize(&client_request(get())).unwrap();
            let mut response =
                Response::from_http(&completes(client.initialize_security_context(&[])).1).unwrap();
            change(&mut response);
            fixture.authorize(&from("proxy"), &response.to_http())
        };
        completes(fixture.authorize(&from("proxy"), &token));
        for user in ["mallory", "trudy", "Mufasa"] {
            log_on(&fixture, "proxy", user, "wrong").unwrap_err();
        }
        let error = log_on(&fixture, "proxy", "Mufasa", "Circle of Life").unwrap_err();
        assert_eq!(error.setting(), Some("digest.lock-out"), "its source is locked out");
        completes(next(|_| ()));
        // Her nonce is good for nobody else.
        let other = next(|response| response.username = Username::Extended("Mufasa".into()));
        assert_eq!(fails(other).error.setting(), Some("digest.lock-out"));
        for _ in 0..3 {
            let error = fails(next(|response| response.response = "00".repeat(32).as_str().into())).error;
            assert_eq!(error.setting(), None, "it is judged, and counted");
        }
        assert_eq!(fails(next(|_| ())).error.setting(), Some("digest.lock-out"));
    }
}

#[test]
fn nobody_is_asked_about_who_is_locked_out() {
    for (user, settings) in [("alice", "failures = 1"), ("mallory", "failures-of-source = 1")] {
        let fixture = Fixture::new(&format!("lock-out = {{ {settings} }}"), "");
        log_on(&fixture, "a", user, "wrong").unwrap_err();
        let token = authorization(&fixture, "alice", "wonderland");
        let mut server = fixture.accept(&from("a"));
        let error = fails(server.accept_security_context(&token)).error;
        assert_eq!(error.setting(), Some("digest.lock-out"), "at once");
    }
}

#[test]
fn whoever_is_locked_out_is_refused_before_the_body_is_read() {
    let fixture = Fixture::new("lock-out = { failures = 1 }\nqop = [\"auth-int\"]", "");
    let later =
        || AcceptRequest { http: Some(HttpRequest { entity: HttpEntity::later(), ..get() }), ..from("a") };
    let token = authorization(&fixture, "alice", "wonderland");
    assert!(matches!(fixture.authorize(&later(), &token), Ok(Step::Incomplete { .. })));
    log_on(&fixture, "a", "alice", "wrong").unwrap_err();
    assert_eq!(fails(fixture.authorize(&later(), &token)).error.setting(), Some("digest.lock-out"));
}

#[test]
fn an_account_whose_name_is_another_may_fail_as_often_as_one() {
    let fixture = Fixture::new(THREE, "");
    let answered = |name: &str| {
        let token = authorization(&fixture, name, "wrong");
        let mut server = fixture.accept(&from("a"));
        let Ok(Step::Ask(Question::DigestSecret(ask))) = server.accept_security_context(&token) else {
            return false;
        };
        let account = Account { name: "one".into(), ..Account::default() };
        let secret = DigestSecret::Password(Secret::new("right".into()));
        let user = name.to_owned();
        ask.answer(Ok(Some(DigestAccount { account: account.into(), user, secret, report: None })));
        fails(server.accept_security_context(&token)).error.setting().is_none()
    };
    assert_eq!(["a", "b", "c", "d", "a"].map(answered), [true, true, true, false, false]);
}

#[test]
fn failures_of_sasl_count_too() {
    let fixture = Fixture::new(THREE, "");
    let server = AcceptRequest { source: Some("a".into()), ..AcceptRequest::default() };
    let target = InitializeRequest {
        target_name: Some("imap/mail.example.test".into()),
        ..InitializeRequest::default()
    };
    let log_on = |password| {
        let mut client = fixture.client("alice", password).initialize(&target).unwrap();
        run(&fixture, &mut *client, &mut *fixture.accept(&server)).map(drop)
    };
    for _ in 0..3 {
        log_on("wrong").unwrap_err();
    }
    assert_eq!(log_on("wonderland").unwrap_err().setting(), Some("digest.lock-out"));
}
