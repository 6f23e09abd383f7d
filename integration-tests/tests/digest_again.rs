//! DIGEST-MD5 against the libraries of Cyrus SASL and GNU SASL: logging on again without another challenge, and messages no longer
//! than the other end takes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::sync::Arc;

use opensspi_integration_tests::digest::{
    PASSWORD, USER, advance, client, completed, continued, server, talk, unwrap, wrap,
};
use opensspi_integration_tests::peers::driven::Driven;
use opensspi_integration_tests::peers::{PeerError, cyrus, gsasl, runnable_with};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, CredentialsHandle, InitializeRequest, InitializeSecurityContext,
    SecurityContext, Step,
};

/// The longest message that is taken where nothing else is said, in bytes.
const MAXBUF: u32 = 65_536;

/// Protections, and what Cyrus SASL calls their strength.
const PROTECTIONS: [(&str, u32); 3] = [("auth", 0), ("auth-int", 1), ("auth-conf", 128)];

fn section(qop: &str, more: &str) -> String {
    format!("qop = [\"{qop}\"]\nciphers = [\"rc4\"]\n{more}")
}

fn accept(credentials: &Arc<dyn CredentialsHandle>) -> Box<dyn AcceptSecurityContext> {
    credentials.accept(&AcceptRequest::default()).unwrap()
}

fn initialize(credentials: &Arc<dyn CredentialsHandle>) -> Box<dyn InitializeSecurityContext> {
    let request =
        InitializeRequest { target_name: Some(cyrus::SERVICE.into()), ..InitializeRequest::default() };
    credentials.initialize(&request).unwrap()
}

/// A client of theirs answers the challenge of a server of ours, which takes the answer, and takes its proof.
fn serve(
    ours: &mut dyn AcceptSecurityContext,
    challenge: &[u8],
    theirs: &mut Driven,
) -> Result<Box<dyn SecurityContext>, PeerError> {
    let (_, response) = theirs.step(challenge)?;
    let (context, proof) = completed(advance(ours, &response).unwrap());
    assert_eq!(theirs.step(&proof)?, (true, Vec::new()));
    Ok(context)
}

/// A client of ours answers the challenge of a server of theirs, which takes the answer.
fn answer(
    ours: &mut dyn InitializeSecurityContext,
    challenge: &[u8],
    theirs: &mut Driven,
) -> Box<dyn SecurityContext> {
    let response = continued(ours.initialize_security_context(challenge).unwrap());
    let (is_done, proof) = theirs.step(&response).unwrap();
    assert!(is_done);
    completed(ours.initialize_security_context(&proof).unwrap()).0
}

/// The text with something else in it.
fn with(token: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(token.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

/// The token with another digit at the end of its proof.
fn with_wrong_proof(token: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"response=";
    let at = token.windows(NAME.len()).position(|window| window == NAME).unwrap() + NAME.len() + 31;
    let mut token = token.to_vec();
    let digit = token.get_mut(at).unwrap();
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    token
}

// ---- Logging on again ----

#[test]
fn cyrus_as_client_logs_on_again_where_there_is_no_layer() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    let credentials = server(&section("auth", "reauthentication = true"));
    let mut theirs = cyrus::start(true, PASSWORD, 0, MAXBUF).unwrap();
    assert_eq!(theirs.step(&[]).unwrap(), (false, Vec::new()), "the first time it knows no nonce");
    let mut ours = accept(&credentials);
    let challenge = continued(advance(&mut *ours, &[]).unwrap());
    serve(&mut *ours, &challenge, &mut theirs).unwrap();
    for count in ["nc=00000002", "nc=00000003"] {
        theirs.again().unwrap();
        let (_, response) = theirs.step(&[]).unwrap();
        assert!(String::from_utf8_lossy(&response).contains(count));
        let failure = advance(&mut *accept(&credentials), &with_wrong_proof(&response)).unwrap_err();
        assert_eq!(failure.error.message(), "the name or the password is wrong");
        let (context, proof) = completed(advance(&mut *accept(&credentials), &response).unwrap());
        assert_eq!(context.security_context_token().unwrap().name, USER);
        assert_eq!(theirs.step(&proof).unwrap(), (true, Vec::new()));
        let again = advance(&mut *accept(&credentials), &response);
        assert!(
            matches!(again, Ok(Step::Continue { .. })),
            "nobody logs on with what others said: {again:?}"
        );
    }
    theirs.again().unwrap();
    theirs.step(&[]).unwrap();
    let error = theirs.step(b"rspauth=00000000000000000000000000000000").unwrap_err();
    assert!(error.to_string().contains("server failed mutual authentication"), "{error}");
}

/// It says the same client's nonce again, so that keys would be those of the connection before: both ends would encrypt with the
/// same stream. With another challenge they are others.
#[test]
fn cyrus_as_client_gets_another_challenge_where_its_keys_would_be_the_same_again() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    for (qop, strength) in PROTECTIONS.into_iter().skip(1) {
        let credentials = server(&section(qop, "reauthentication = true"));
        let mut theirs = cyrus::start(true, PASSWORD, strength, MAXBUF).unwrap();
        theirs.step(&[]).unwrap();
        let mut ours = accept(&credentials);
        let challenge = continued(advance(&mut *ours, &[]).unwrap());
        let mut context = serve(&mut *ours, &challenge, &mut theirs).unwrap();
        talk(&mut *context, &mut theirs);
        for _ in 0..2 {
            theirs.again().unwrap();
            let (_, response) = theirs.step(&[]).unwrap();
            assert!(String::from_utf8_lossy(&response).contains("nc=00000002"));
            let mut ours = accept(&credentials);
            let challenge = continued(advance(&mut *ours, &response).unwrap());
            let mut context = serve(&mut *ours, &challenge, &mut theirs).unwrap();
            talk(&mut *context, &mut theirs);
        }
    }
}

#[test]
fn cyrus_as_client_gets_another_challenge_where_our_server_lets_nobody_log_on_again() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    let credentials = server(&section("auth", ""));
    let mut theirs = cyrus::start(true, PASSWORD, 0, MAXBUF).unwrap();
    theirs.step(&[]).unwrap();
    let mut ours = accept(&credentials);
    let challenge = continued(advance(&mut *ours, &[]).unwrap());
    serve(&mut *ours, &challenge, &mut theirs).unwrap();
    theirs.again().unwrap();
    let (_, response) = theirs.step(&[]).unwrap();
    let mut ours = accept(&credentials);
    let challenge = continued(advance(&mut *ours, &response).unwrap());
    serve(&mut *ours, &challenge, &mut theirs).unwrap();
}

#[test]
fn cyrus_as_server_lets_our_client_log_on_again() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    for (qop, strength) in PROTECTIONS {
        let credentials = client(&section(qop, "reauthentication = true"), PASSWORD);
        let mut theirs = cyrus::start(false, PASSWORD, strength, MAXBUF).unwrap();
        let mut ours = initialize(&credentials);
        assert!(continued(ours.initialize_security_context(&[]).unwrap()).is_empty());
        let (_, challenge) = theirs.step(&[]).unwrap();
        let mut context = answer(&mut *ours, &challenge, &mut theirs);
        if qop != "auth" {
            talk(&mut *context, &mut theirs);
        }
        theirs.again().unwrap();
        let mut ours = initialize(&credentials);
        let response = continued(ours.initialize_security_context(&[]).unwrap());
        assert!(String::from_utf8_lossy(&response).contains("nc=00000002"));
        let (is_done, proof) = theirs.step(&response).unwrap();
        assert!(is_done, "{qop}: {}", String::from_utf8_lossy(&proof));
        let (mut context, _) = completed(ours.initialize_security_context(&proof).unwrap());
        if qop != "auth" {
            talk(&mut *context, &mut theirs);
        }
    }
}

/// It sends another challenge, which says `stale` whatever was wrong with the count; our client answers it.
#[test]
fn cyrus_as_server_does_not_take_a_wrong_proof_or_count_and_our_client_takes_its_challenge() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    type Change = fn(&[u8]) -> Vec<u8>;
    let changes: [Change; 3] = [
        with_wrong_proof,
        |token| with(token, "nc=00000002", "nc=00000001"),
        |token| with(token, "nc=00000002", "nc=00000003"),
    ];
    for (qop, strength) in PROTECTIONS {
        for change in changes {
            let credentials = client(&section(qop, "reauthentication = true"), PASSWORD);
            let mut theirs = cyrus::start(false, PASSWORD, strength, MAXBUF).unwrap();
            let (_, challenge) = theirs.step(&[]).unwrap();
            answer(&mut *initialize(&credentials), &challenge, &mut theirs);
            theirs.again().unwrap();
            let mut ours = initialize(&credentials);
            let response = continued(ours.initialize_security_context(&[]).unwrap());
            let (is_done, challenge) = theirs.step(&change(&response)).unwrap();
            assert!(!is_done, "{qop}");
            let mut context = answer(&mut *ours, &challenge, &mut theirs);
            if qop != "auth" {
                talk(&mut *context, &mut theirs);
            }
        }
    }
}

#[test]
fn cyrus_as_server_does_not_take_what_was_said_before() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    let credentials = client(&section("auth", "reauthentication = true"), PASSWORD);
    let mut theirs = cyrus::start(false, PASSWORD, 0, MAXBUF).unwrap();
    let (_, challenge) = theirs.step(&[]).unwrap();
    answer(&mut *initialize(&credentials), &challenge, &mut theirs);
    theirs.again().unwrap();
    let mut ours = initialize(&credentials);
    let response = continued(ours.initialize_security_context(&[]).unwrap());
    let (is_done, proof) = theirs.step(&response).unwrap();
    assert!(is_done);
    let wrong = with(&proof, "rspauth=", "rspauth=0");
    let wrong = wrong.get(..proof.len()).unwrap();
    assert!(ours.initialize_security_context(wrong).is_err(), "a server that does not know the password");
    theirs.again().unwrap();
    let (is_done, challenge) = theirs.step(&response).unwrap();
    assert!(!is_done && String::from_utf8_lossy(&challenge).contains("stale=true"));
}

/// Its client waits for a challenge, and its server sends one whatever the client said first.
#[test]
fn gsasl_begins_anew_in_either_role() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    let credentials = server(&section("auth", "reauthentication = true"));
    let mut ours = accept(&credentials);
    let mut theirs = gsasl::start(true, PASSWORD, "qop-auth").unwrap();
    for _ in 0..2 {
        assert_eq!(theirs.step(&[]).unwrap(), (false, Vec::new()));
        let challenge = continued(advance(&mut *ours, &[]).unwrap());
        serve(&mut *ours, &challenge, &mut theirs).unwrap();
        (ours, theirs) = (accept(&credentials), gsasl::start(true, PASSWORD, "qop-auth").unwrap());
    }
    let credentials = client(&section("auth-int", "reauthentication = true"), PASSWORD);
    let mut theirs = gsasl::start(false, PASSWORD, "qop-int").unwrap();
    let (_, challenge) = theirs.step(&[]).unwrap();
    answer(&mut *initialize(&credentials), &challenge, &mut theirs);
    let mut theirs = gsasl::start(false, PASSWORD, "qop-int").unwrap();
    let mut ours = initialize(&credentials);
    let response = continued(ours.initialize_security_context(&[]).unwrap());
    let (is_done, challenge) = theirs.step(&response).unwrap();
    assert!(!is_done && !String::from_utf8_lossy(&challenge).contains("rspauth"));
    let mut context = answer(&mut *ours, &challenge, &mut theirs);
    talk(&mut *context, &mut theirs);
}

// ---- Messages no longer than the other end takes ----

/// The longest message that Cyrus SASL takes here, and the longest that we do, in bytes.
const THEIRS: u32 = 300;
const OURS: u32 = 256;

/// How long a text may be in a message of so many bytes: less what protects it.
fn longest(message: u32) -> usize {
    usize::try_from(message).unwrap() - 16
}

/// The messages in what they sent, without their lengths.
fn messages(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk() {
        let (message, rest) = rest.split_at(usize::try_from(u32::from_be_bytes(*length)).unwrap());
        messages.push(message);
        stream = rest;
    }
    messages
}

/// What one end takes the other sends, and no more.
fn talk_within_bounds(ours: &mut dyn SecurityContext, theirs: &mut Driven) {
    let text = vec![7; longest(THEIRS)];
    for _ in 0..3 {
        let sealed = wrap(ours, &text).unwrap();
        assert_eq!(theirs.unwrap(&sealed).unwrap(), text);
    }
    let error = wrap(ours, &[7; 1000]).unwrap_err();
    assert!(error.message().contains("300"), "{error}");
    // What we do not send changes nothing for what follows.
    let sealed = wrap(ours, &text).unwrap();
    assert_eq!(theirs.unwrap(&sealed).unwrap(), text);

    let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
    let stream = theirs.wrap(&text).unwrap();
    let messages = messages(&stream);
    assert!(messages.len() >= 4 && messages.iter().all(|message| message.len() <= OURS as usize));
    let opened: Vec<u8> = messages.iter().flat_map(|message| unwrap(ours, message).unwrap()).collect();
    assert_eq!(opened, text);
}

/// Nothing proves how much an end takes: somebody in the middle had each believe that the other takes more. What is longer than it
/// takes is refused by each.
fn talk_beyond_bounds(ours: &mut dyn SecurityContext, theirs: &mut Driven) {
    let short = wrap(ours, &vec![7; longest(THEIRS)]).unwrap();
    assert_eq!(theirs.unwrap(&short).unwrap().len(), longest(THEIRS));
    let stream = theirs.wrap(&[7; 1000]).unwrap();
    let [message] = messages(&stream)[..] else { panic!("one message was expected") };
    let error = unwrap(ours, message).unwrap_err();
    assert!(error.message().contains("256"), "{error}");
    let error = theirs.unwrap(&wrap(ours, &[7; 1000]).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("-1: SASL(-1): generic failure"), "{error}");
}

#[test]
fn cyrus_and_we_send_no_more_than_the_other_takes_in_either_role() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    let more = format!("maxbuf = {OURS}");
    for (qop, strength) in PROTECTIONS.into_iter().skip(1) {
        let mut ours = accept(&server(&section(qop, &more)));
        let mut theirs = cyrus::start(true, PASSWORD, strength, THEIRS).unwrap();
        theirs.step(&[]).unwrap();
        let challenge = continued(advance(&mut *ours, &[]).unwrap());
        let mut context = serve(&mut *ours, &challenge, &mut theirs).unwrap();
        talk_within_bounds(&mut *context, &mut theirs);

        let mut ours = initialize(&client(&section(qop, &more), PASSWORD));
        let mut theirs = cyrus::start(false, PASSWORD, strength, THEIRS).unwrap();
        let (_, challenge) = theirs.step(&[]).unwrap();
        let mut context = answer(&mut *ours, &challenge, &mut theirs);
        talk_within_bounds(&mut *context, &mut theirs);
    }
}

#[test]
fn cyrus_and_we_refuse_longer_messages_than_we_take_in_either_role() {
    if !runnable_with(cyrus::library()) {
        return;
    }
    let more = format!("maxbuf = {OURS}");
    let [more_than_ours, more_than_theirs] = [OURS, THEIRS].map(|most| format!("maxbuf={most}"));
    for (qop, strength) in PROTECTIONS.into_iter().skip(1) {
        let mut ours = accept(&server(&section(qop, &more)));
        let mut theirs = cyrus::start(true, PASSWORD, strength, THEIRS).unwrap();
        theirs.step(&[]).unwrap();
        let challenge = continued(advance(&mut *ours, &[]).unwrap());
        let (_, response) = theirs.step(&with(&challenge, &more_than_ours, "maxbuf=4096")).unwrap();
        let response = with(&response, &more_than_theirs, "maxbuf=4096");
        let (mut context, proof) = completed(advance(&mut *ours, &response).unwrap());
        assert_eq!(theirs.step(&proof).unwrap(), (true, Vec::new()));
        talk_beyond_bounds(&mut *context, &mut theirs);

        let mut ours = initialize(&client(&section(qop, &more), PASSWORD));
        let mut theirs = cyrus::start(false, PASSWORD, strength, THEIRS).unwrap();
        let (_, challenge) = theirs.step(&[]).unwrap();
        let challenge = with(&challenge, &more_than_theirs, "maxbuf=4096");
        let response = continued(ours.initialize_security_context(&challenge).unwrap());
        let (is_done, proof) = theirs.step(&with(&response, &more_than_ours, "maxbuf=4096")).unwrap();
        assert!(is_done);
        let (mut context, _) = completed(ours.initialize_security_context(&proof).unwrap());
        talk_beyond_bounds(&mut *context, &mut theirs);
    }
}

/// It does not look at how much the other end takes, and says nothing of itself.
#[test]
fn gsasl_sends_more_than_we_take_and_is_refused() {
    if !runnable_with(gsasl::available()) {
        return;
    }
    let more = format!("maxbuf = {OURS}");
    let mut ours = accept(&server(&section("auth-int", &more)));
    let mut theirs = gsasl::start(true, PASSWORD, "qop-int").unwrap();
    theirs.step(&[]).unwrap();
    let challenge = continued(advance(&mut *ours, &[]).unwrap());
    let mut at_server = serve(&mut *ours, &challenge, &mut theirs).unwrap();
    refuses_what_is_too_long(&mut *at_server, &mut theirs);

    let mut ours = initialize(&client(&section("auth-int", &more), PASSWORD));
    let mut theirs = gsasl::start(false, PASSWORD, "qop-int").unwrap();
    let (_, challenge) = theirs.step(&[]).unwrap();
    assert!(!String::from_utf8_lossy(&challenge).contains("maxbuf"));
    let mut at_client = answer(&mut *ours, &challenge, &mut theirs);
    refuses_what_is_too_long(&mut *at_client, &mut theirs);
}

fn refuses_what_is_too_long(ours: &mut dyn SecurityContext, theirs: &mut Driven) {
    let short = theirs.wrap(&vec![7; longest(OURS)]).unwrap();
    assert_eq!(unwrap(ours, short.get(4..).unwrap()).unwrap().len(), longest(OURS));
    let long = theirs.wrap(&[7; 1000]).unwrap();
    let error = unwrap(ours, long.get(4..).unwrap()).unwrap_err();
    assert!(error.message().contains("256"), "{error}");
    let long = wrap(ours, &[7; 3000]).unwrap();
    assert_eq!(theirs.unwrap(&long).unwrap(), [7; 3000]);
}
