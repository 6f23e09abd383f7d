//! HTTP Digest: our server with curl, neon and three libraries of Python, our client with Apache, lighttpd and a server of Python
//! that has every algorithm, with the right password and with a wrong one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::sync::Arc;

use opensspi::sspi_http::Error;
use opensspi_integration_tests::digest::http::{Asked, Fetched};
use opensspi_integration_tests::digest::{
    PASSWORD, STRANGER, STRANGERS_PASSWORD, USER, client, client_as, http, server,
};
use opensspi_integration_tests::peers::apache::{self, Apache};
use opensspi_integration_tests::peers::digest_server::DigestServer;
use opensspi_integration_tests::peers::lighttpd::{self, Lighttpd};
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::{Peer, installed, neon, runnable, runnable_with};
use sspi_core::CredentialsHandle;
use test_support::Pki;

#[test]
fn curl_logs_on_with_the_algorithms_that_it_has_and_not_with_a_wrong_password() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    for (algorithms, qop) in [
        ("\"MD5\"", "\"auth\""),
        ("\"MD5-sess\"", "\"auth\""),
        ("\"SHA-256\"", "\"auth\""),
        ("\"SHA-256-sess\"", "\"auth\", \"auth-int\""),
        ("\"SHA-256\", \"MD5\"", "\"auth\""),
        ("\"MD5\"", "\"none\""),
    ] {
        let credentials = server(&format!("algorithms = [{algorithms}]\nqop = [{qop}]"));
        let ours = http::Server::start(credentials).unwrap();
        for password in [PASSWORD, "wrong"] {
            let mut launch = Launch::new("curl", Stdout::Data);
            launch.arguments(["--silent", "--digest", "--user", &format!("{USER}:{password}")]);
            // Twice over one connection: the second is asked anew.
            launch.arguments(["--write-out", "%{http_code}\n", &ours.url(), &ours.url()]);
            let mut process = launch.start().unwrap();
            let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
            assert!(process.wait().unwrap().success());
            let expected = match password {
                PASSWORD => format!("{0}200\n{0}200\n", http::CONTENT),
                _ => "who are you?\n401\nwho are you?\n401\n".to_owned(),
            };
            assert_eq!(said, expected, "{algorithms}, {qop}, {password}");
            if password != PASSWORD {
                assert_denied(&ours, algorithms);
            }
        }
    }
}

#[test]
fn curl_posts_a_form_with_its_name_hashed() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    let ours = http::Server::start(server("algorithms = [\"SHA-256\"]\nuserhash = true")).unwrap();
    let mut launch = Launch::new("curl", Stdout::Data);
    launch.arguments(["--silent", "--digest", "--user", &format!("{USER}:{PASSWORD}"), "--data", "a=1&b=2"]);
    launch.arguments(["--write-out", "%{http_code}", &ours.url()]);
    let mut process = launch.start().unwrap();
    let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
    assert_eq!(said, format!("{}200", http::CONTENT));
}

#[test]
fn apache_accepts_our_client_proves_itself_and_refuses_a_wrong_password() {
    if !runnable_with(apache::available()) {
        return;
    }
    let apache = Apache::start(&Pki::new().server("localhost").issue()).unwrap();
    let credentials = client("algorithms = [\"MD5\"]", PASSWORD);
    for _ in 0..3 {
        let fetched = http::fetch_with_proof(apache.port(), apache::DIGEST, &credentials).unwrap();
        assert!(fetched.status == 200 && fetched.is_mutual, "{fetched:?}\n{}", apache.log());
        assert_eq!(fetched.body, "secret\n");
    }
    let error =
        http::fetch(apache.port(), apache::DIGEST, &client("algorithms = [\"MD5\"]", "wrong")).unwrap_err();
    assert!(error.to_string().contains("refused the logon with Digest"), "{error}");
    let error = http::fetch(apache.port(), apache::DIGEST, &client("", PASSWORD)).unwrap_err();
    assert!(error.to_string().contains("digest.algorithms"), "MD5 is off until it is named: {error}");
}

#[test]
fn apache_as_a_proxy_accepts_our_client_and_refuses_a_wrong_password() {
    if !runnable_with(apache::available()) {
        return;
    }
    let apache = Apache::start(&Pki::new().server("localhost").issue()).unwrap();
    let (proxy, page) = (apache.digest_proxy_port(), apache.behind_proxy());
    // What it proves with it overwrites with the fields of the response that it fetches.
    let asked = Asked { times: 2, is_proxy: true, ..Asked::page(&page) };
    let fetched = http::fetch_last(proxy, asked, &client("algorithms = [\"MD5\"]", PASSWORD));
    let fetched = fetched.unwrap_or_else(|error| panic!("{error}\n{}", apache.log()));
    assert!(fetched.status == 200 && !fetched.is_mutual, "{fetched:?}");
    assert_eq!(fetched.body, "secret\n");
    let error = http::fetch_last(proxy, asked, &client("algorithms = [\"MD5\"]", "wrong")).unwrap_err();
    assert!(error.to_string().contains("refused the logon with Digest"), "{error}");
}

/// It proves nothing back, and is refused where it must.
#[test]
fn lighttpd_accepts_our_client_with_what_it_offers_and_refuses_a_wrong_password() {
    if !runnable_with(lighttpd::available()) {
        return;
    }
    let lighttpd = Lighttpd::start().unwrap();
    for (page, algorithms) in [
        (lighttpd::MD5, "\"MD5\""),
        (lighttpd::SHA_256, "\"SHA-256\""),
        (lighttpd::HASHED, "\"SHA-256\""),
        (lighttpd::EITHER, "\"SHA-256\", \"MD5\""),
        (lighttpd::EITHER, "\"MD5\""),
    ] {
        let section = format!("algorithms = [{algorithms}]");
        let credentials = client(&section, PASSWORD);
        for _ in 0..2 {
            let fetched = http::fetch(lighttpd.port(), page, &credentials).unwrap();
            assert!(fetched.status == 200 && !fetched.is_mutual, "{page}: {fetched:?}\n{}", lighttpd.log());
            assert_eq!(fetched.body, "secret\n");
        }
        let error = http::fetch_with_proof(lighttpd.port(), page, &credentials).unwrap_err();
        assert!(error.to_string().contains("does not prove that it knows the secret"), "{error}");
        // It makes who guesses wait for a second.
        if page == lighttpd::SHA_256 {
            let wrong = client(&section, "wrong");
            let error = http::fetch(lighttpd.port(), page, &wrong).unwrap_err();
            assert!(error.to_string().contains("refused the logon with Digest"), "{error}");
        }
    }
}

#[test]
fn libraries_of_python_log_on_and_not_with_a_wrong_password() {
    let folder = installed("http");
    if !runnable_with(folder.as_ref().map(drop).map_err(String::clone)) {
        return;
    }
    let folder = folder.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_digest.py");
    let python = folder.join("bin/python");
    for (library, algorithm, qop, method) in [
        ("requests", "MD5", "auth", "GET"),
        ("requests", "SHA-256", "auth", "POST"),
        ("httpx", "MD5-sess", "auth", "GET"),
        ("httpx", "SHA-256", "auth", "POST"),
        // Over HTTP/2, whose requests say who sends them one by one.
        ("httpx-2", "SHA-256", "auth", "POST"),
        ("aiohttp", "MD5", "auth", "GET"),
        ("aiohttp", "SHA-256", "auth-int", "POST"),
        ("aiohttp", "SHA-256", "auth-int", "GET"),
    ] {
        let ours = http::Server::start(server(&format!("algorithms = [\"{algorithm}\"]\nqop = [\"{qop}\"]")))
            .unwrap();
        for password in [PASSWORD, "wrong"] {
            let mut launch = Launch::new(&python.to_string_lossy(), Stdout::Data);
            launch.arguments([script, library, method, &ours.url(), USER, password]);
            let mut process = launch.start().unwrap();
            let said = process.read_to_end().unwrap();
            let said: serde_json::Value = serde_json::from_slice(&said)
                .unwrap_or_else(|_| panic!("{library}: {}", process.error("it says nothing")));
            let case = format!("{library}, {algorithm}, {qop}, {password}: {said}");
            assert_eq!(said["status"], if password == PASSWORD { 200 } else { 401 }, "{case}");
            assert_eq!(said["qop"], qop, "{case}");
        }
    }
}

/// None of these libraries looks at the next nonce. Their second request is told that its nonce is stale, and goes on with another
/// without asking for a password.
#[test]
fn libraries_of_python_go_on_with_another_nonce_where_theirs_is_stale() {
    let folder = installed("http");
    if !runnable_with(folder.as_ref().map(drop).map_err(String::clone)) {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_digest.py");
    let python = folder.unwrap().join("bin/python");
    for library in ["requests", "httpx", "aiohttp"] {
        for (uses, stale) in [(1, 2), (2, 1), (3, 0)] {
            let section = format!("algorithms = [\"SHA-256\"]\nqop = [\"auth\"]\nmax-nonce-count = {uses}");
            let ours = http::Server::start(server(&section)).unwrap();
            let mut launch = Launch::new(&python.to_string_lossy(), Stdout::Data);
            launch.arguments([script, library, "GET", &ours.url(), USER, PASSWORD, "3"]);
            let mut process = launch.start().unwrap();
            let said = process.read_to_end().unwrap();
            let said: serde_json::Value = serde_json::from_slice(&said)
                .unwrap_or_else(|_| panic!("{library}: {}", process.error("it says nothing")));
            assert_eq!((&said["status"], &said["stale"]), (&200.into(), &stale.into()), "{library}: {said}");
        }
    }
}

const ALGORITHMS: [&str; 6] =
    ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"];

/// What our client gets from the server of Python: two requests over one connection, of which the second goes on with what the first
/// has shown, unless the server says otherwise.
fn fetch(
    server: &DigestServer,
    query: &str,
    body: Option<&str>,
    credentials: &Arc<dyn CredentialsHandle>,
) -> Result<Fetched, Error> {
    let path = format!("/a%20page?{query}");
    let asked = Asked { body, times: 2, needs_proof: true, ..Asked::page(&path) };
    http::fetch_last(server.port(), asked, credentials)
}

/// What the server of Python says of the second request.
fn said(fetched: Result<Fetched, Error>, case: &str, server: &DigestServer) -> serde_json::Value {
    let fetched = fetched.unwrap_or_else(|error| panic!("{case}: {error}\n{}", server.log()));
    assert!(fetched.status == 200 && fetched.is_mutual, "{case}: {fetched:?}");
    serde_json::from_slice(&fetched.body).unwrap()
}

#[test]
fn a_server_of_python_accepts_our_client_with_every_algorithm_and_quality_and_refuses_a_wrong_password() {
    if !runnable(&[Peer::Python]) {
        return;
    }
    let server = DigestServer::start().unwrap();
    for algorithm in ALGORITHMS {
        for (qop, chosen) in
            [("auth", "auth"), ("auth-int", "auth-int"), ("auth,auth-int", "auth"), ("none", "none")]
        {
            // RFC 2069 has no client's nonce, which a session is made of.
            if qop == "none" && algorithm.ends_with("-sess") {
                continue;
            }
            let query = format!("algorithm={algorithm}&qop={qop}&opaque=quoted");
            let section = format!("algorithms = [\"{algorithm}\"]\nqop = [\"auth-int\", \"auth\", \"none\"]");
            for body in [None, Some("a=1&b=2")] {
                let credentials = client(&section, PASSWORD);
                let said = said(fetch(&server, &query, body, &credentials), &query, &server);
                let expected = serde_json::json!({
                    "user": USER, "algorithm": algorithm, "qop": chosen, "body": body.unwrap_or_default(),
                    "requests": 3,
                });
                assert_eq!(said, expected, "{query}");
            }
            let error = fetch(&server, &query, None, &client(&section, "wrong")).unwrap_err();
            assert!(error.to_string().contains("refused the logon with Digest"), "{query}: {error}");
        }
    }
}

#[test]
fn our_client_hashes_names_writes_those_beyond_ascii_and_follows_nonces() {
    if !runnable(&[Peer::Python]) {
        return;
    }
    let server = DigestServer::start().unwrap();
    for (algorithm, options, user, requests) in [
        ("MD5", "", STRANGER, 3),
        ("SHA-256", "", STRANGER, 3),
        ("SHA-256", "&userhash=1", STRANGER, 3),
        ("SHA-512-256", "&userhash=1", STRANGER, 3),
        ("SHA-512-256-sess", "&userhash=1", USER, 3),
        // A stale nonce takes one answer more, and nobody is asked again for a password.
        ("SHA-256", "&uses=1", USER, 4),
        ("MD5-sess", "&uses=1", USER, 4),
        ("SHA-256", "&next=1", USER, 3),
    ] {
        let query = format!("algorithm={algorithm}&qop=auth{options}");
        let section = format!("algorithms = [\"{algorithm}\"]");
        let password = if user == USER { PASSWORD } else { STRANGERS_PASSWORD };
        let credentials = client_as(&section, user, password);
        let said = said(fetch(&server, &query, None, &credentials), &query, &server);
        assert_eq!((&said["user"], &said["requests"]), (&user.into(), &requests.into()), "{query}");
        let error = fetch(&server, &query, None, &client_as(&section, user, "wrong")).unwrap_err();
        assert!(error.to_string().contains("refused the logon with Digest"), "{query}: {error}");
    }
}

#[test]
fn our_client_refuses_a_server_of_python_whose_proof_is_wrong_or_missing() {
    if !runnable(&[Peer::Python]) {
        return;
    }
    let server = DigestServer::start().unwrap();
    for (algorithm, qop) in [("MD5", "auth"), ("SHA-256", "auth-int"), ("SHA-512-256-sess", "auth")] {
        let credentials = client(&format!("algorithms = [\"{algorithm}\"]"), PASSWORD);
        for (proof, why) in [
            ("wrong", "the server does not know the password"),
            ("none", "does not prove that it knows the secret"),
        ] {
            let query = format!("algorithm={algorithm}&qop={qop}&proof={proof}");
            let error = fetch(&server, &query, None, &credentials).unwrap_err();
            assert!(error.to_string().contains(why), "{query}: {error}");
        }
    }
}

#[test]
fn neon_logs_on_with_every_algorithm_finds_our_proof_right_and_is_refused_with_a_wrong_password() {
    if !runnable_with(neon::available()) {
        return;
    }
    let users = [
        ("", USER, PASSWORD),
        ("", STRANGER, STRANGERS_PASSWORD),
        ("userhash = true", STRANGER, STRANGERS_PASSWORD),
    ];
    let cases = ALGORITHMS.into_iter().flat_map(|algorithm| users.map(|user| (algorithm, user)));
    for (algorithm, (options, user, password)) in cases {
        let section = format!("algorithms = [\"{algorithm}\"]\n{options}");
        let ours = http::Server::start(server(&section)).unwrap();
        let right = neon::ask_twice("POST", ours.port(), http::TARGET, user, password).unwrap();
        let good = |said: &neon::Said| (said.status, &*said.text, &*said.against) == (200, http::CONTENT, "");
        assert!(right.iter().all(good), "{section}: {right:?}");
        assert_eq!(ours.refusals(), [] as [String; 0], "{section}");
        let wrong = neon::ask_twice("GET", ours.port(), http::TARGET, user, "wrong").unwrap();
        assert!(wrong.iter().all(|said| said.status == 401), "{section}: {wrong:?}");
        assert_denied(&ours, &section);
    }
}

/// Or its finding a proof right would say nothing.
#[test]
fn neon_finds_a_wrong_proof_wrong() {
    if !runnable_with(neon::available()) {
        return;
    }
    let server = DigestServer::start().unwrap();
    for (proof, against) in [("right", ""), ("wrong", "Digest mutual authentication failure")] {
        let target = format!("/?algorithm=SHA-256&qop=auth&proof={proof}");
        for said in neon::ask_twice("GET", server.port(), &target, USER, PASSWORD).unwrap() {
            assert!(said.status == 200 && said.against.starts_with(against), "{proof}: {said:?}");
            assert_eq!(said.against.is_empty(), proof == "right", "{said:?}");
        }
    }
}

#[test]
fn neon_takes_the_next_nonce_from_a_server_whose_nonces_are_used_once() {
    if !runnable_with(neon::available()) {
        return;
    }
    let ours = http::Server::start(server("single-use-nonces = true")).unwrap();
    for said in neon::ask_twice("GET", ours.port(), http::TARGET, USER, PASSWORD).unwrap() {
        assert_eq!((said.status, &*said.against), (200, ""), "{said:?}");
    }
    assert_eq!(ours.refusals(), [] as [String; 0]);
}

/// The server has heard a wrong password, and nothing else.
fn assert_denied(ours: &http::Server, case: &str) {
    let refusals = ours.refusals();
    let are_denials = refusals.iter().all(|why| why.contains("the name or the password is wrong"));
    assert!(!refusals.is_empty() && are_denials, "{case}: {refusals:?}");
}

/// A proxy asks with another status, for another field, and proves itself in a third.
#[test]
fn curl_logs_on_to_a_proxy() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    for algorithm in ["MD5", "SHA-256"] {
        let ours = http::Server::start_proxy(server(&format!("algorithms = [\"{algorithm}\"]"))).unwrap();
        let proxy = format!("http://127.0.0.1:{}", ours.port());
        for password in [PASSWORD, "wrong"] {
            let user = format!("{USER}:{password}");
            let mut launch = Launch::new("curl", Stdout::Data);
            launch.arguments([
                "--silent",
                "--noproxy",
                "",
                "--proxy",
                &proxy,
                "--proxy-digest",
                "--proxy-user",
            ]);
            launch.arguments([&user, "--write-out", "%{http_code} %header{proxy-authentication-info}\n"]);
            launch.argument("http://www.example/page?a=b");
            let mut process = launch.start().unwrap();
            let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
            if password == PASSWORD {
                let proven = format!("{}200 rspauth=", http::CONTENT);
                assert!(said.starts_with(&proven), "{algorithm}: {said}");
            } else {
                assert_eq!(said, "who are you?\n407 \n", "{algorithm}");
                assert_denied(&ours, algorithm);
            }
        }
    }
}
