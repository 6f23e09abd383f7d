//! A hundred thousand mutations of each message: an error or a step, never a panic, and never a logon.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

mod support;

use opensspi_digest::challenge::Challenge;
use opensspi_digest::response::{AuthenticationInfo, Response};
use sspi_core::{
    AcceptRequest, ContextFlags, HttpRequest, InitializeRequest, InitializeSecurityContext, IscReq, IscRet,
    Step,
};
use support::{Fixture, client_request, completes, continues, run, server_request};
use test_support::Mutator;

const MUTATIONS: usize = 100_000;

// Nobody is locked out, or nothing would be compared any more.
const ALL: &str =
    "algorithms = [\"SHA-256\", \"MD5\"]\nqop = [\"auth-conf\", \"auth-int\", \"auth\", \"none\"]
lock-out = { failures = 0 }";

fn request() -> InitializeRequest {
    InitializeRequest { target_name: Some("imap/mail.example.test".into()), ..InitializeRequest::default() }
}

fn http() -> HttpRequest {
    HttpRequest::new("GET", "/")
}

/// What is not changed by a mutation that only moves white space, or changes a name that is not read.
fn is_same_response(one: Option<Response>, other: &Response) -> bool {
    one.is_some_and(|mut one| {
        // Neither is proved, nor does it matter.
        (one.maxbuf, one.cipher, one.is_utf8) = (other.maxbuf, other.cipher, other.is_utf8);
        let name = |response: &Response| format!("{:?}", response.username).replace("escaped: ", "");
        one.username = if name(&one) == name(other) { other.username.clone() } else { one.username };
        one == *other
    })
}

#[test]
fn no_mutated_response_of_sasl_logs_on() {
    let fixture = Fixture::new(ALL, ALL);
    let mut mutator = Mutator::new(1);
    let credential = fixture.client("alice", "wonderland");
    for _ in 0..MUTATIONS {
        let mut server = fixture.accept(&AcceptRequest::default());
        let challenge = continues(server.accept_security_context(&[]));
        let mut client = credential.initialize(&request()).unwrap();
        let response = continues(client.initialize_security_context(&challenge));
        let mut bytes = response.clone();
        let mutation = mutator.mutate(&mut bytes);
        if let Ok(Step::Complete { .. }) = fixture.advance(&mut *server, &bytes) {
            let original = Response::from_sasl(&response).unwrap();
            assert!(is_same_response(Response::from_sasl(&bytes).ok(), &original), "{mutation}");
        }
    }
    let mut client = credential.initialize(&request()).unwrap();
    run(&fixture, &mut *client, &mut *fixture.accept(&AcceptRequest::default())).unwrap();
}

#[test]
fn no_mutated_authorization_logs_on() {
    let fixture = Fixture::new(ALL, ALL);
    let mut mutator = Mutator::new(2);
    let credential = fixture.client("alice", "wonderland");
    let challenge = fixture.challenge(&server_request(http()));
    for number in 0..MUTATIONS {
        let mut client = credential.initialize(&client_request(http())).unwrap();
        let first = if number == 0 { challenge.clone() } else { Vec::new() };
        let (_, authorization) = completes(client.initialize_security_context(&first));
        let mut bytes = authorization.clone();
        let mutation = mutator.mutate(&mut bytes);
        if let Ok(Step::Complete { .. }) = fixture.authorize(&server_request(http()), &bytes) {
            let original = Response::from_http(&authorization).unwrap();
            assert!(is_same_response(Response::from_http(&bytes).ok(), &original), "{mutation}");
        }
        if number % 5000 == 4999 {
            // A nonce is used so often and not more.
            let mut client = credential.initialize(&client_request(http())).unwrap();
            completes(client.initialize_security_context(&fixture.challenge(&server_request(http()))));
        }
    }
    let mut client = credential.initialize(&client_request(http())).unwrap();
    let (_, authorization) = completes(client.initialize_security_context(&[]));
    completes(fixture.authorize(&server_request(http()), &authorization));
}

#[test]
fn no_mutated_challenge_of_sasl_satisfies_a_client() {
    let fixture = Fixture::new(ALL, ALL);
    let challenge = continues(fixture.accept(&AcceptRequest::default()).accept_security_context(&[]));
    challenged(&fixture, &request(), &challenge);
}

#[test]
fn no_mutated_challenge_of_http_satisfies_a_client() {
    let fixture = Fixture::new(ALL, ALL);
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(http()) };
    challenged(&fixture, &request, &fixture.challenge(&server_request(http())));
}

fn challenged(fixture: &Fixture, request: &InitializeRequest, challenge: &[u8]) {
    let mut mutator = Mutator::new(3);
    let credential = fixture.client("alice", "wonderland");
    for _ in 0..MUTATIONS {
        let mut bytes = challenge.to_vec();
        mutator.mutate(&mut bytes);
        let mut client = credential.initialize(request).unwrap();
        if let Ok(Step::Complete { .. }) = client.initialize_security_context(&bytes) {
            panic!("a client with a mere challenge: {}", bytes.escape_ascii());
        }
    }
}

#[test]
fn no_mutated_proof_of_sasl_satisfies_a_client() {
    let fixture = Fixture::new(ALL, ALL);
    let mut mutator = Mutator::new(5);
    let credential = fixture.client("alice", "wonderland");
    for _ in 0..MUTATIONS {
        let mut server = fixture.accept(&AcceptRequest::default());
        let mut client = credential.initialize(&request()).unwrap();
        let challenge = continues(server.accept_security_context(&[]));
        let response = continues(client.initialize_security_context(&challenge));
        let (_, proof) = completes(fixture.advance(&mut *server, &response));
        satisfies_only_as_it_is(&mut *client, &proof, &mut mutator);
    }
}

#[test]
fn no_mutated_proof_of_http_satisfies_a_client() {
    let fixture = Fixture::new(ALL, ALL);
    let mut mutator = Mutator::new(6);
    let credential = fixture.client("alice", "wonderland");
    let request = InitializeRequest { flags: IscReq::MUTUAL_AUTH, ..client_request(http()) };
    for _ in 0..MUTATIONS {
        let mut client = credential.initialize(&request).unwrap();
        let challenge = fixture.challenge(&server_request(http()));
        let authorization = continues(client.initialize_security_context(&challenge));
        let (_, proof) = completes(fixture.authorize(&server_request(http()), &authorization));
        satisfies_only_as_it_is(&mut *client, &proof, &mut mutator);
    }
}

/// What a server really sent, and something of it is changed: the proof is the same, and what is said beside it.
fn satisfies_only_as_it_is(client: &mut dyn InitializeSecurityContext, proof: &[u8], mutator: &mut Mutator) {
    let mut bytes = proof.to_vec();
    let mutation = mutator.mutate(&mut bytes);
    if let Ok(Step::Complete { context, .. }) = client.initialize_security_context(&bytes) {
        if bytes.is_empty() {
            // A server may prove nothing, and nothing is claimed of it.
            let ContextFlags::Initiator(flags) = context.attributes().flags() else { panic!("{mutation}") };
            assert!(!flags.contains(IscRet::MUTUAL_AUTH), "{mutation}");
            return;
        }
        let was = AuthenticationInfo::parse(proof).unwrap();
        let rspauth = was.rspauth.as_deref().unwrap();
        assert!(bytes.windows(rspauth.len()).any(|window| window == rspauth), "{mutation}");
        // A client also takes it behind the name of a scheme, and as text that is none of it.
        let Ok(is) = AuthenticationInfo::parse(&bytes) else { return };
        assert_eq!(is.rspauth, was.rspauth, "{mutation}");
        assert!(is.cnonce.is_none() || is.cnonce == was.cnonce, "{mutation}");
        let count = |info: &AuthenticationInfo| info.nonce_count.as_ref().map(|count| count.count);
        assert!(count(&is).is_none() || count(&is) == count(&was), "{mutation}");
    }
}

#[test]
fn the_parsers_read_or_refuse_whatever_comes() {
    let samples: [&[u8]; 4] = [
        b"Negotiate abc==, Digest realm=\"a\\\"b\", nonce=\"n\", qop=\"auth,auth-int\", stale=true, algorithm=MD5",
        b"username*=UTF-8''J%C3%A4s, realm=\"r\", nonce=\"n\", uri=\"/\", response=\"00\", nc=0000000a, cnonce=\"c\"",
        b"charset=utf-8,username=\"CORP\\alice\",nonce=\"n\",nc=00000001,cnonce=\"c\",digest-uri=\"a/b\",response=00,qop=auth-conf,cipher=3des,maxbuf=1024,authzid=\"x\"",
        b"nextnonce=\"n\", rspauth=\"00ff\", qop=auth, cnonce=\"c\", nc=00000001",
    ];
    let mut mutator = Mutator::new(4);
    for sample in samples {
        for _ in 0..MUTATIONS {
            let mut bytes = sample.to_vec();
            mutator.mutate(&mut bytes);
            if let Ok(challenges) = Challenge::from_http(&bytes) {
                for challenge in challenges.into_iter().filter(|challenge| !challenge.qop.is_empty()) {
                    let written = challenge.to_http();
                    assert_eq!(
                        Challenge::from_http(&written).unwrap(),
                        [challenge],
                        "{}",
                        written.escape_ascii()
                    );
                }
            }
            let _ = (Challenge::from_sasl(&bytes), AuthenticationInfo::parse(&bytes));
            let _ = (Response::from_http(&bytes), Response::from_sasl(&bytes));
        }
    }
}
