//! `serve --renegotiate` and `connect --renegotiate`: every further handshake is recorded, with whose it is then.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use opensspi::Sspi;
use opensspi_integration_tests::peers::{ClientOptions, Peer, ServerOptions, Version, openssl, runnable};
use serde_json::Value;
use test_support::Pki;

use crate::process::{Server, run};

/// The next event that has this; what is printed in between is passed over.
fn next(server: &mut Server, key: &str, value: &str) -> Value {
    loop {
        let event = server.event();
        if event[key] == value {
            return event;
        }
    }
}

/// A stranger becomes somebody when the server asks for a certificate, and the record says so.
#[test]
fn who_a_client_of_openssl_is_after_its_second_handshake_is_recorded_and_printed() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pki = Pki::new();
    let alice = pki.client("alice").upn("alice@corp.example").rsa_2048().issue();
    pki.server("localhost").rsa_2048().issue().write_as(folder.path(), "server").unwrap();
    for (name, text) in [
        ("ca.pem", pki.root_pem()),
        ("accounts.toml", "[[account]]\nname = \"alice\"\nupn = \"alice@corp.example\"\n".to_owned()),
        (
            "opensspi.toml",
            "accounts = \"accounts.toml\"\n[log]\nlevel = \"info\"\n[schannel]\nprotocols = [\"tls1.2\"]\n\
             renegotiation = \"ours\"\nrenegotiation-client-auth = \"required\"\nclient-roots = [\"ca.pem\"]\n\
             nt-auth = [\"ca.pem\"]\nallow-weak-mappings = [\"upn-without-sid\"]\n\
             [[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.key\"\n"
                .to_owned(),
        ),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut server = Server::start(&["--echo", "--renegotiate", "--config", &path("opensspi.toml")]);
    let options = ClientOptions::new(server.port, &pki).certificate(&alice).version(Version::Tls12);
    // Otherwise it waits for data where it should go on with the handshake.
    let options = options.argument("-nbio");
    let mut client = openssl::Client::start(&options, openssl::Mode::Report).unwrap();
    let first = next(&mut server, "verdict", "accepted");
    assert!(first["handshake"].is_null() && first["account"].is_null(), "{first}");
    assert!(next(&mut server, "event", "account")["account"].is_null());
    client.send(b"the first\n").unwrap();
    client.wait_for("the first").unwrap();
    client.send(b"the second\n").unwrap();
    let second = next(&mut server, "verdict", "accepted");
    assert_eq!((&second["handshake"], &second["account"]), (&2.into(), &"alice".into()), "{second}");
    assert_eq!(second["account_rule"], "upn-without-sid");
    assert_eq!(second["peer"], first["peer"]);
    let who = next(&mut server, "event", "account");
    assert_eq!((&who["account"], &who["peer"]), (&"alice@corp.example".into(), &first["peer"]), "{who}");
    client.wait_for("the second").unwrap();
    client.send(b"Q\n").unwrap();
    assert!(client.wait().unwrap().success(), "{}", client.log());
    let (code, events) = server.stop();
    assert_eq!((code, &events.last().unwrap()["negotiated_again"]), (0, &1.into()), "{events:?}");
}

#[test]
fn our_own_client_begins_and_is_asked() {
    let mut server = Server::start(&["--echo", "--renegotiate", "--protocols", "tls1.2"]);
    let (address, pin) = (server.address(), server.pin.clone());
    let connect = ["connect", &address, "--pin", &pin, "--protocols", "tls1.2", "-c", "hello"];
    let ran = run(&[&connect[..], &["--renegotiate"]].concat()).expect(0);
    assert!(ran.err.contains("negotiated again") && ran.out.contains("hello"), "{}{}", ran.out, ran.err);
    for expected in [Value::Null, 2.into()] {
        assert_eq!(next(&mut server, "verdict", "accepted")["handshake"], expected);
    }
    // A client that may not is asked, too, and goes on.
    let config = format!("[schannel]\nprotocols = [\"tls1.2\"]\npins = [\"{pin}\"]");
    let socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let client = Sspi::from_toml(&config, ".").unwrap();
    let mut stream = client.connect_blocking("localhost", socket).unwrap();
    for _ in 0..2 {
        stream.write_all(b"hello").unwrap();
        let mut echo = [0; 5];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo, b"hello");
    }
    let declined = next(&mut server, "verdict", "declined");
    assert_eq!(declined["role"], "server", "{declined}");
    drop(stream);
    let (code, events) = server.stop();
    assert_eq!(code, 0);
    assert!(events.last().unwrap()["negotiated_again"].as_u64().unwrap() >= 1, "{events:?}");
}

/// TLS 1.3 has no second handshake, and re-keys nevertheless.
#[test]
fn in_tls_1_3_both_ends_have_new_keys() {
    let mut server = Server::start(&["--echo", "--renegotiate", "--protocols", "tls1.3"]);
    let (address, pin) = (server.address(), server.pin.clone());
    let connect =
        ["connect", &address, "--pin", &pin, "--protocols", "tls1.3", "-c", "hello", "--renegotiate"];
    let ran = run(&connect).expect(0);
    assert!(ran.err.contains("new keys: TLS 1.3 has KeyUpdate") && ran.out.contains("hello"), "{}", ran.err);
    assert!(!ran.err.contains("negotiated again"), "{}", ran.err);
    let ran = run(&[&connect[..], &["--json"]].concat()).expect(0);
    assert!(ran.out.contains(r#""event":"new_keys""#), "{}", ran.out);
    for _ in 0..2 {
        assert!(next(&mut server, "verdict", "accepted")["handshake"].is_null());
    }
    let (code, events) = server.stop();
    assert_eq!((code, &events.last().unwrap()["negotiated_again"]), (0, &0.into()), "{events:?}");
}

#[test]
fn openssl_sees_the_key_updates_of_either_end() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    const RECEIVED: &str = "<<< TLS 1.3, Handshake [length 0005], KeyUpdate";
    const SENT: &str = ">>> TLS 1.3, Handshake [length 0005], KeyUpdate";
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new();
    let identity = pki.server("localhost").issue();
    identity.write_as(folder.path(), "server").unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("ca.pem"), pki.root_pem()).unwrap();

    let options = ServerOptions::new(&identity).version(Version::Tls13).argument("-msg");
    let mut server = openssl::Server::start(&options, openssl::Mode::Report).unwrap();
    let address = format!("localhost:{}", server.port());
    run(&["connect", &address, "--ca", &path("ca.pem"), "--renegotiate", "-c", r"hello\n"]).expect(0);
    let log = server.wait_for("hello").unwrap();
    assert!(log.contains(RECEIVED), "{log}");

    let (chain, key) = (path("server.pem"), path("server.key"));
    let ours = Server::start(&["--echo", "--renegotiate", "--cert", &chain, "--key", &key]);
    let options = ClientOptions::new(ours.port, &pki).version(Version::Tls13).argument("-msg");
    let mut client = openssl::Client::start(&options, openssl::Mode::Report).unwrap();
    for text in ["the first", "the second"] {
        client.send(format!("{text}\n").as_bytes()).unwrap();
        client.wait_for(text).unwrap();
    }
    let log = client.log();
    assert_eq!((log.matches(RECEIVED).count(), log.matches(SENT).count()), (1, 1), "{log}");
    client.send(b"Q\n").unwrap();
    client.wait().unwrap();
    let _said = ours.stop();
}

/// As conformance tools drive it.
#[test]
fn a_server_of_pages_negotiates_again_where_it_is_told_to() {
    for (options, is_done) in [(&["--renegotiation", "both"][..], true), (&[], false)] {
        let start = ["--http", "--protocols", "tls1.2", "--profile", "compatible"];
        let mut server = Server::start(&[&start[..], options].concat());
        let address = server.address();
        let ran = run(&[
            "connect",
            &address,
            "--pin",
            &server.pin,
            "--protocols",
            "tls1.2",
            "--renegotiate",
            "-c",
            "GET / HTTP/1.0\\n\\n",
        ])
        .expect(0);
        assert!(ran.out.contains("<td>TLS 1.2</td>"), "{}{}", ran.out, ran.err);
        let said = if is_done { "negotiated again" } else { "the server does not negotiate again" };
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(next(&mut server, "verdict", "accepted")["handshake"].is_null());
        if is_done {
            assert_eq!(next(&mut server, "verdict", "accepted")["handshake"], 2);
        }
    }
}

#[test]
fn a_server_that_does_not_negotiate_again_is_said_to() {
    let server = Server::start(&["--echo", "--protocols", "tls1.2"]);
    let address = server.address();
    let connect = ["connect", &address, "--pin", &server.pin, "--protocols", "tls1.2", "-c", "hello"];
    let ran = run(&[&connect[..], &["--renegotiate"]].concat()).expect(0);
    assert!(ran.err.contains("the server does not negotiate again"), "{}", ran.err);
    assert!(ran.out.contains("hello"), "the connection goes on: {}", ran.err);
}
