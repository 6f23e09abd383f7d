//! Each class of failure has its exit code.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::process::{Server, run};

/// A TCP server that answers the first bytes of one client with these, and closes.
fn one_answer(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut buffer = [0; 4096];
        let _some = socket.read(&mut buffer);
        let _gone = socket.write_all(answer);
        let _gone = socket.shutdown(std::net::Shutdown::Write);
        let _rest = socket.read_to_end(&mut Vec::new());
    });
    address
}

#[test]
fn one_is_refused_by_policy() {
    let server = Server::start(&[]);
    let ran = run(&["connect", &server.address(), "-c", "x"]).expect(1);
    assert!(ran.err.contains("SEC_E_UNTRUSTED_ROOT") && ran.err.contains("--pin"), "{}", ran.err);
    let other_pin = "00".repeat(32);
    let ran = run(&["connect", &server.address(), "--pin", &other_pin, "-c", "x"]).expect(1);
    assert!(ran.err.contains("SEC_E_UNTRUSTED_ROOT"), "{}", ran.err);
    let ran = run(&["connect", &server.address(), "-c", "x", "--json"]).expect(1);
    let objects = ran.objects();
    assert_eq!(
        (&objects[0]["event"], &objects[0]["class"]),
        (&"error".into(), &"policy".into()),
        "{}",
        ran.out
    );
    assert_eq!(ran.err, "");
}

#[test]
fn two_is_usage_or_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "[schannel]\nprotocol = [\"tls1.3\"]\n").unwrap();
    let file = file.to_str().unwrap();
    for arguments in [
        &["no-such-verb"][..],
        &["connect"],
        &["connect", "localhost", "htpps"],
        &["connect", "localhost", "ms-sql-s"],
        &["connect", "localhost:1", "--protocols", "tls1.4"],
        &["connect", "localhost:1", "--suites", "TLS_NULL_WITH_NULL_NULL"],
        &["connect", "localhost:1", "--pin", "xyz"],
        &["connect", "localhost:1", "--ca", "/nonexistent.pem"],
        &["connect", "localhost:1", "--deadline", "soon"],
        &["connect", "localhost:1", "--insecure"],
        &["serve", "--echo", "--http"],
        &["serve", "--cert", "/nonexistent.pem"],
        &["serve", "--client-auth", "sometimes"],
        &["serve", "--config", file],
        &["demo", "--config", file],
        &["packages", "--config", file],
        &["connect", "localhost:1", "--package", "Kerberos"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        assert!(!ran.err.is_empty(), "{arguments:?}");
    }
    let ran = run(&["demo", "--config", file]).expect(2);
    assert!(
        ran.err
            .contains("wrong.toml:2:1: unknown key \"protocol\" in [schannel]; did you mean \"protocols\"?")
    );
}

#[test]
fn three_is_the_network() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = run(&["connect", &closed, "-c", "x"]).expect(3);
    assert!(ran.err.contains("cannot connect to"), "{}", ran.err);
    run(&["connect", "no-such-host.invalid:443", "-c", "x"]).expect(3);
    run(&["connect", &one_answer(b""), "-c", "x"]).expect(3);
    let server = Server::start(&[]);
    run(&["serve", "--port", &server.port.to_string()]).expect(3);
}

#[test]
fn four_is_the_protocol() {
    let ran = run(&["connect", &one_answer(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "-c", "x"]).expect(4);
    assert!(ran.err.contains("SEC_E_"), "{}", ran.err);
    let server = Server::start(&["--protocols", "tls1.2"]);
    let connect = ["connect", &server.address(), "--pin", &server.pin, "-c", "x", "--protocols", "tls1.3"];
    run(&connect).expect(4);
    let server = Server::start(&["--alpn", "h2"]);
    run(&["connect", &server.address(), "--pin", &server.pin, "-c", "x", "--alpn", "spdy/1"]).expect(4);
}
