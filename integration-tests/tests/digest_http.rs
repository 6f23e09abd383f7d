//! HTTP Digest: our server with curl and three libraries of Python, our client with Apache and lighttpd, with the right password
//! and with a wrong one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use opensspi_integration_tests::digest::{PASSWORD, USER, client, http, server};
use opensspi_integration_tests::peers::apache::{self, Apache};
use opensspi_integration_tests::peers::lighttpd::{self, Lighttpd};
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::{Peer, installed, runnable, runnable_with};
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
            // Twice over one connection: the second request goes on with the nonce of the first.
            launch.arguments(["--write-out", "%{http_code}\n", &ours.url(), &ours.url()]);
            let mut process = launch.start().unwrap();
            let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
            assert!(process.wait().unwrap().success());
            let expected = match password {
                PASSWORD => format!("{0}200\n{0}200\n", http::CONTENT),
                _ => "who are you?\n401\nwho are you?\n401\n".to_owned(),
            };
            assert_eq!(said, expected, "{algorithms}, {qop}, {password}");
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
