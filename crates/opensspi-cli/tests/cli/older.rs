//! The protocols of the past: served with a certificate made on the spot, connected to, and said to be weak.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use test_support::Pki;

use crate::process::{Server, run, run_with};

/// The names of what is weak about a connection.
fn weak(event: &serde_json::Value) -> Vec<&str> {
    event["weaknesses"].as_array().unwrap().iter().map(|weak| weak["name"].as_str().unwrap()).collect()
}

#[test]
fn a_server_of_windows_2003_makes_its_own_rsa_key_and_every_connection_says_what_is_weak() {
    let server = Server::start(&["--profile", "windows-2003"]);
    let connect = |options: &[&str]| {
        let pin = format!("sha256:{}", server.pin);
        let address = server.address();
        let common = ["connect", &address, "--profile", "windows-2003", "--pin", &pin, "--json", "-c", "x"];
        run(&[&common, options].concat()).expect(0).objects().remove(0)
    };
    let ssl3 = connect(&["--protocols", "ssl3"]);
    assert_eq!(weak(&ssl3), ["rc4", "ssl3", "no-forward-secrecy", "pinned"]);
    assert_eq!(
        (ssl3["key_exchange"].as_str(), ssl3["key_exchange_bits"].as_u64()),
        (Some("RSA"), Some(2048))
    );
    assert_eq!(ssl3["certificates"][0]["key"], "RSA 2048 bits");

    let export = connect(&["--suites", "TLS_RSA_EXPORT_WITH_RC4_40_MD5"]);
    assert_eq!(weak(&export)[0], "export");
    assert_eq!(export["key_exchange"], "RSA export");
    assert_eq!(export["key_exchange_bits"], 512);
}

#[test]
fn the_summary_shows_the_key_exchange_and_a_line_for_each_weakness() {
    let server = Server::start(&["--profile", "compatible"]);
    assert_eq!(server.pins.len(), 2, "a key of each kind");
    let pins: Vec<&str> = server.pins.iter().flat_map(|pin| ["--pin", pin]).collect();
    let address = server.address();
    let suites =
        ["--profile", "compatible", "--protocols", "tls1.2", "--suites", "TLS_RSA_WITH_AES_128_CBC_SHA"];
    let ran = run(&[&["connect", &address, "-c", "x"], &pins[..], &suites].concat()).expect(0);
    for expected in ["key exchange  RSA, 2048 bits", "[no-forward-secrecy]", "[pinned]", "RSA key exchange: "]
    {
        assert!(ran.err.contains(expected), "{expected} in\n{}", ran.err);
    }
    let modern = run(&[&["connect", &address, "-c", "x"], &pins[..]].concat()).expect(0);
    assert!(modern.err.contains("key exchange  ECDHE, x25519"), "{}", modern.err);
    assert!(!modern.err.contains("no-forward-secrecy"), "{}", modern.err);
}

#[test]
fn every_option_of_conformance_tools_is_accepted() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    fs::write(&root, pki.root_pem()).unwrap();
    let server = Server::start(&[
        "--http",
        "--protocols",
        "ssl3",
        "--allow",
        "export",
        "--client-auth",
        "optional",
        "--client-ca",
        root.to_str().unwrap(),
        "--renegotiation",
        "both",
        "--record-splitting",
        "off",
    ]);
    for splitting in ["on", "off"] {
        let page = run(&[
            "connect",
            &server.address(),
            "--protocols",
            "ssl3",
            "--allow",
            "all",
            "--suites",
            "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5",
            "--record-splitting",
            splitting,
            "--pin",
            &server.pin,
            "-c",
            "GET / HTTP/1.0\\n\\n",
        ])
        .expect(0);
        assert!(page.out.contains("<td>SSL 3.0</td>") && page.out.contains("export, ssl3"), "{}", page.out);
        assert!(page.err.contains("note: --allow all"), "{}", page.err);
    }
}

#[test]
fn a_refused_certificate_comes_with_the_pin_that_accepts_it() {
    let server = Server::start(&[]);
    let refused = run(&["connect", &server.address(), "--no-interactive"]).expect(1);
    let pin = refused.err.split("--pin ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    assert_eq!(pin, format!("sha256:{}", server.pin));
    assert!(refused.err.contains("--ca FILE with its authority"), "{}", refused.err);
    run(&["connect", &server.address(), "--no-interactive", "--pin", &pin]).expect(0);
}

#[test]
fn a_server_of_another_protocol_is_answered_with_the_options_that_reach_it() {
    let server = Server::start(&["--protocols", "tls1.0"]);
    let refused = run(&["connect", &server.address(), "--no-interactive"]).expect(4);
    for expected in ["protocol_version", "--protocols takes tls1.1,tls1.0,ssl3", "--profile legacy"] {
        assert!(refused.err.contains(expected), "{expected} in\n{}", refused.err);
    }
    let pin = ["--profile", "legacy", "--pin", &server.pin, "--no-interactive"];
    let reached = run(&[&["connect", &server.address()], &pin[..]].concat()).expect(0);
    assert!(reached.err.contains("TLS 1.0") && reached.err.contains("[tls1.0]"), "{}", reached.err);
}

#[test]
fn a_server_that_does_not_understand_what_it_is_offered_is_answered_with_the_options_that_reach_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut hello = [0; 1024];
            let _length = socket.read(&mut hello).unwrap();
            // A fatal protocol_version.
            socket.write_all(&[21, 3, 1, 0, 2, 2, 70]).unwrap();
        }
    });
    let refused = run(&["connect", &address, "--no-interactive"]).expect(4);
    for expected in ["protocol_version", "--protocols takes tls1.1,tls1.0,ssl3", "--profile legacy"] {
        assert!(refused.err.contains(expected), "{expected} in\n{}", refused.err);
    }
    let refused = run(&["connect", &address, "--profile", "legacy", "--no-interactive"]).expect(4);
    assert!(refused.err.contains("--fallback lets us come back"), "{}", refused.err);
    answering.join().unwrap();
}

#[test]
fn a_server_says_what_would_enable_what_a_client_offers() {
    let (code, events) = {
        let server = Server::start(&["--profile", "compatible"]);
        let options = ["--protocols", "tls1.2", "--allow", "rc4", "--suites", "TLS_RSA_WITH_RC4_128_SHA"];
        let address = server.address();
        run(&[&["connect", &address, "--no-interactive"], &options[..]].concat()).expect(4);
        let old = ["--protocols", "tls1.0"];
        run(&[&["connect", &address, "--no-interactive"], &old[..]].concat()).expect(4);
        server.stop()
    };
    assert_eq!(code, 0);
    assert_eq!(events.last().unwrap()["refused"], 2);
    let log: String = events.iter().map(ToString::to_string).collect();
    for expected in ["would enable TLS_RSA_WITH_RC4_128_SHA", "would enable tls1.0"] {
        assert!(log.contains(expected), "{expected} in\n{log}");
    }
}

#[test]
fn the_key_log_has_the_secrets_of_older_protocols_in_either_role() {
    let folder = tempfile::tempdir().unwrap();
    let (of_server, of_client) = (folder.path().join("server.log"), folder.path().join("client.log"));
    let server = Server::start(&["--profile", "windows-2003", "--keylog", of_server.to_str().unwrap()]);
    for protocol in ["ssl3", "tls1.0"] {
        let address = server.address();
        let options = ["--profile", "windows-2003", "--protocols", protocol, "--pin", &server.pin, "-c", "x"];
        let arguments = [&["connect", &address], &options[..]].concat();
        run_with(&arguments, b"", &[("SSLKEYLOGFILE", &of_client)]).expect(0);
    }
    let (of_server, of_client) =
        (fs::read_to_string(of_server).unwrap(), fs::read_to_string(of_client).unwrap());
    assert_eq!(of_server, of_client, "both ends know the same secrets");
    let lines: Vec<&str> = of_client.lines().collect();
    assert_eq!(lines.len(), 2, "{of_client}");
    for line in lines {
        let lengths: Vec<usize> = line.split(' ').map(str::len).collect();
        assert_eq!(lengths, ["CLIENT_RANDOM".len(), 64, 96], "{line}");
    }
}

#[test]
fn a_server_listens_on_a_name() {
    let server = Server::start(&["--bind", "localhost"]);
    TcpStream::connect(("localhost", server.port)).unwrap();
    let refused = run(&["serve", "--port", "0", "--bind", "no-such-host.invalid"]).expect(3);
    assert!(refused.err.contains("--bind no-such-host.invalid"), "{}", refused.err);
}

#[test]
fn a_museum_serves_every_protocol_on_one_port_and_says_what_is_weak() {
    let server = Server::start(&["--profile", "museum"]);
    let pins: Vec<&str> = server.pins.iter().flat_map(|pin| ["--pin", pin]).collect();
    for (name, shown) in [
        ("tls1.3", "TLS 1.3"),
        ("tls1.2", "TLS 1.2"),
        ("tls1.1", "TLS 1.1"),
        ("tls1.0", "TLS 1.0"),
        ("ssl3", "SSL 3.0"),
        ("pct1", "PCT 1.0"),
        ("ssl2", "SSL 2.0"),
    ] {
        let address = server.address();
        let common = ["connect", &address, "--profile", "museum", "--protocols", name, "--json", "-c", "x"];
        let connected = run(&[&common[..], &pins].concat()).expect(0).objects().remove(0);
        assert_eq!(connected["protocol"], shown, "{connected}");
        assert_eq!(weak(&connected).contains(&name), !["tls1.3", "tls1.2"].contains(&name), "{connected}");
    }
}

#[test]
fn a_server_of_ssl_2_is_reached_by_naming_it_and_by_nothing_else() {
    let server = Server::start(&["--protocols", "ssl2"]);
    let connect = ["connect", &server.address(), "--pin", &server.pin, "-c", "x"];
    let reached = run(&[&connect[..], &["--protocols", "ssl2"]].concat()).expect(0);
    assert!(reached.err.contains("SSL 2.0") && reached.err.contains("[ssl2]"), "{}", reached.err);
    let refused = run(&connect).expect(4);
    assert!(refused.err.contains("--protocols takes") && refused.err.contains("ssl2"), "{}", refused.err);
}
