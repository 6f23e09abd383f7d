//! `demo`, and `serve` with `connect` against it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use test_support::Pki;

use crate::process::{Server, run, run_with};

#[test]
fn demo_without_arguments_shows_every_package_and_ends_with_one_table() {
    let ran = run(&["demo", "--bytes", "30000"]).expect(0);
    for expected in [
        "note: everything is shown",
        "Schannel · TLS 1.3 · full",
        "Schannel · TLS 1.3 · resumed",
        "Schannel · TLS 1.2 · resumed",
        "Schannel · TLS 1.1 · full",
        "Schannel · TLS 1.0 · full",
        "Schannel · SSL 3.0 · full",
        "Schannel · PCT 1.0 · full",
        "Schannel · SSL 2.0 · full",
        "client ──▶ server",
        "ClientHello",
        "ServerHello",
        "encrypted handshake",
        "CLIENT-MASTER-KEY",
        "opensspi-demo",
        "tls-exporter",
        "MB/s",
        "NTLM · version 2 · full",
        "NEGOTIATE",
        "CHALLENGE",
        "AUTHENTICATE, done",
        "WDigest · DIGEST-MD5 · full",
        "digest-challenge",
        "response-auth, done",
        "3des",
        "Negotiate · SPNEGO · full",
        "NegTokenInit (NEGOTIATE)",
        "NegTokenResp (CHALLENGE)",
        "NegTokenResp (AUTHENTICATE)",
        "Badge · a toy · full",
    ] {
        assert!(ran.out.contains(expected), "{expected} in\n{}", ran.out);
    }
    let (_, table) = ran.out.split_once("\npackage ").unwrap();
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 7 * 2 + 4, "{table}");
    assert!(rows.iter().all(|row| row.ends_with('✓')), "{table}");
    assert!(rows[16].starts_with("Negotiate  NTLM"), "what was negotiated: {table}");
    assert!(!ran.out.contains('\u{1b}'), "no colour where no terminal is:\n{}", ran.out);
}

#[test]
fn demo_says_the_same_in_json() {
    let ran = run(&["demo", "--bytes", "30000", "--json"]).expect(0);
    let [object] = &ran.objects()[..] else { panic!("one object: {}", ran.out) };
    assert_eq!(object["ok"], true);
    let connections = object["connections"].as_array().unwrap();
    let (tls, others) = connections.split_at(14);
    let [ntlm, digest, negotiate, badge] = others else { panic!("{object}") };
    assert_eq!((ntlm["package"].as_str(), ntlm["ok"].as_bool()), (Some("NTLM"), Some(true)));
    assert_eq!(ntlm["legs"][0]["messages"], "NEGOTIATE");
    assert_eq!((digest["package"].as_str(), digest["ok"].as_bool()), (Some("WDigest"), Some(true)));
    assert_eq!(digest["negotiated"]["cipher"], "3des");
    assert_eq!(negotiate["legs"][0]["messages"], "NegTokenInit (NEGOTIATE)");
    assert_eq!(
        (badge["package"].as_str(), badge["legs"][0]["messages"].as_str()),
        (Some("Badge"), Some("token, done"))
    );
    for connection in tls {
        assert_eq!(connection["legs"][0]["from"], "client");
        assert_eq!(connection["negotiated"]["resumed"], connection["session"] == "resumed");
        assert_eq!(connection["negotiated"]["protocol"], connection["protocol"]);
        assert_eq!(connection["bytes"], 30_000);
    }
    assert_eq!(tls[0]["legs"][0]["messages"], "ClientHello");
    assert_eq!(tls[0]["negotiated"]["application_protocol"], "opensspi-demo");
}

#[test]
fn a_profile_shows_its_protocols_alone() {
    let ran = run(&["demo", "--profile", "modern", "--bytes", "30000"]).expect(0);
    for expected in ["TLS 1.3 · resumed", "TLS 1.2 · full", "TLS_AES_256_GCM_SHA384", "tls-unique"] {
        assert!(ran.out.contains(expected), "{expected} in\n{}", ran.out);
    }
    assert_eq!(ran.out.matches('✓').count(), 4, "{}", ran.out);
}

#[test]
fn an_echo_gives_back_every_byte_and_closes_when_we_do() {
    let server = Server::start(&["--echo"]);
    let sent: Vec<u8> = (0..1_000_000_u32).map(|i| u8::try_from(b'a' as u32 + i % 26).unwrap()).collect();
    for protocol in ["tls1.2", "tls1.3"] {
        let arguments = ["connect", &server.address(), "--pin", &server.pin, "--protocols", protocol];
        let ran = run_with(&arguments, &sent, &[]).expect(0);
        assert!(ran.out.as_bytes() == sent, "{} bytes came back", ran.out.len());
        assert!(ran.err.contains("closed in order: 1,000,000 bytes sent, 1,000,000 received"), "{}", ran.err);
    }
}

#[test]
fn connect_says_what_was_negotiated() {
    let server = Server::start(&["--alpn", "h2,http/1.1"]);
    let arguments = ["connect", &server.address(), "--pin", &server.pin, "--alpn", "http/1.1", "-c", "x"];
    let ran = run(&arguments).expect(0);
    assert_eq!(ran.out, "x");
    for expected in [
        "TLS 1.3",
        "TLS_AES_256_GCM_SHA384",
        "x25519",
        "http/1.1",
        "CN=localhost",
        "tls-server-end-point",
        &format!("SHA-256 {}", server.pin),
        "pinned",
    ] {
        assert!(ran.err.contains(expected), "{expected} in\n{}", ran.err);
    }
    let quiet = run(&[&arguments[..], &["--quiet"]].concat()).expect(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("x", ""));
}

#[test]
fn connect_says_the_same_in_json() {
    let server = Server::start(&[]);
    let ran = run(&["connect", &server.address(), "--pin", &server.pin, "-c", "x\\n", "--json"]).expect(0);
    let objects = ran.objects();
    let events: Vec<&str> = objects.iter().map(|object| object["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["connected", "data", "closed"], "{}", ran.out);
    assert_eq!(objects[0]["protocol"], "TLS 1.3");
    assert_eq!(objects[0]["certificates"][0]["sha256"], server.pin.as_str());
    assert_eq!(objects[1]["text"], "x\n");
    assert_eq!(objects[2]["orderly"], true);
}

#[test]
fn the_page_says_what_was_negotiated_and_the_connection_closes() {
    let server = Server::start(&["--http"]);
    let connect =
        |request: &str| run(&["connect", &server.address(), "--pin", &server.pin, "-q", "-c", request]);
    let page = connect("GET /anything?x=<b> HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n").expect(0).out;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.contains("<td>TLS 1.3</td>") && page.contains("Connection: close"), "{page}");
    assert!(!page.contains("<b>"), "{page}");
    assert!(page.len() < 16_384);
    assert!(connect("GET / HTTP/1.0\\n\\n").expect(0).out.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(connect("POST / HTTP/1.0\\r\\n\\r\\n").expect(0).out.starts_with("HTTP/1.1 405 "));
}

#[test]
fn forwarded_connections_go_both_ways_and_close_by_halves() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = target.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = target.accept().unwrap();
        let mut request = String::new();
        socket.read_to_string(&mut request).unwrap();
        socket.write_all(request.to_uppercase().as_bytes()).unwrap();
    });
    let server = Server::start(&["--forward", &address]);
    let ran = run(&["connect", &server.address(), "--pin", &server.pin, "-c", "half closed"]).expect(0);
    assert_eq!(ran.out, "HALF CLOSED");
    serving.join().unwrap();
}

#[test]
fn sessions_are_resumed() {
    let old = ["--profile", "windows-2003"];
    for (server, protocol, options) in [
        (&[][..], "tls1.2", &[][..]),
        (&[], "tls1.3", &[]),
        (&["--profile", "legacy"], "tls1.1", &["--profile", "legacy"]),
        (&old, "tls1.0", &old),
        (&old, "ssl3", &old),
        (&old, "ssl2", &old),
    ] {
        let server = Server::start(server);
        let base = ["connect", &server.address(), "--pin", &server.pin, "--no-interactive", "--json"];
        let base = [&base[..], options].concat();
        let arguments = [&base[..], &["--protocols", protocol, "--reconnect", "2"]].concat();
        let objects = run(&arguments).expect(0).objects();
        let resumed: Vec<bool> = objects.iter().filter_map(|object| object["resumed"].as_bool()).collect();
        assert_eq!(resumed, [false, true, true], "{protocol}");
    }
    let server = Server::start(&["--no-resume"]);
    let base = ["connect", &server.address(), "--pin", &server.pin, "--no-interactive", "--json"];
    let objects = run(&[&base[..], &["--reconnect", "1"]].concat()).expect(0).objects();
    assert!(objects.iter().all(|object| object["resumed"] != true));
}

#[test]
fn a_client_certificate_is_asked_for_checked_and_shown() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let alice = pki.client("alice").issue();
    std::fs::write(path("ca.pem"), pki.root_pem()).unwrap();
    std::fs::write(path("alice.pem"), alice.chain_pem() + &alice.key_pem()).unwrap();
    let server = Server::start(&["--http", "--client-auth", "required", "--client-ca", &path("ca.pem")]);
    let get = "GET / HTTP/1.0\\r\\n\\r\\n";
    let connect = ["connect", &server.address(), "--pin", &server.pin, "-c", get];
    let ran = run(&[&connect[..], &["--cert", &path("alice.pem")]].concat()).expect(0);
    assert!(ran.out.contains("<td>CN=alice"), "{}", ran.out);
    let without = run(&connect);
    assert_ne!(without.code, 0, "{}", without.out);
}

#[test]
fn a_server_with_a_certificate_of_its_own_is_verified_by_name() {
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let issued = pki.server("localhost").issue();
    std::fs::write(path("ca.pem"), pki.root_pem()).unwrap();
    std::fs::write(path("chain.pem"), issued.chain_pem()).unwrap();
    std::fs::write(path("key.pem"), issued.key_pem()).unwrap();
    let server = Server::start(&["--cert", &path("chain.pem"), "--key", &path("key.pem")]);
    let connect = ["connect", &server.address(), "--ca", &path("ca.pem"), "-c", "x"];
    let ran = run(&connect).expect(0);
    assert!(ran.err.contains("the certificate is for localhost"), "{}", ran.err);
    let wrong = run(&[&connect[..], &["--servername", "example.org"]].concat()).expect(1);
    assert!(wrong.err.contains("--servername"), "{}", wrong.err);
    run(&["connect", &server.address(), "-c", "x"]).expect(1);
}

#[test]
fn secrets_are_logged_where_they_are_wanted_and_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (by_option, by_variable) = (folder.path().join("option.log"), folder.path().join("variable.log"));
    let server = Server::start(&[]);
    let connect = ["connect", &server.address(), "--pin", &server.pin, "-c", "x"];
    run(&[&connect[..], &["--keylog", by_option.to_str().unwrap()]].concat()).expect(0);
    run_with(&connect, b"", &[("SSLKEYLOGFILE", &by_variable)]).expect(0);
    for path in [by_option, by_variable] {
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(log.contains("CLIENT_TRAFFIC_SECRET_0 "), "{log}");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_failed_handshake_is_one_harmless_line_and_the_server_goes_on() {
    let mut server = Server::start(&[]);
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    socket.write_all(b"\x1b[2JGET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _reset = socket.read_to_end(&mut answer);
    let event = server.event();
    assert_eq!(event["message"], "handshake failed", "{event}");
    assert_eq!(event["verdict"], "refused");
    assert!(!event.to_string().contains('\u{1b}'), "{event}");
    run(&["connect", &server.address(), "--pin", &server.pin, "-c", "x"]).expect(0);
    let event = server.event();
    assert_eq!((&event["message"], &event["protocol"]), (&"handshake completed".into(), &"TLS 1.3".into()));
    for field in ["peer", "package", "cipher", "milliseconds", "resumed", "verdict"] {
        assert!(!event[field].is_null(), "{field} in {event}");
    }
}

#[test]
fn ctrl_c_closes_connections_in_order_and_prints_a_summary() {
    let server = Server::start(&[]);
    let arguments = ["connect", &server.address(), "--pin", &server.pin, "-c", "x"].map(str::to_owned);
    run(&arguments.each_ref().map(String::as_str)).expect(0);
    let (code, events) = server.stop();
    assert_eq!(code, 0);
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!((&summary["connections"], &summary["bytes_received"]), (&1.into(), &1.into()), "{summary}");
}

#[test]
fn a_handshake_that_stops_is_dropped_at_its_deadline() {
    let mut server = Server::start(&["--deadline", "300ms"]);
    let mut socket = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    socket.write_all(&[22, 3, 1]).unwrap();
    let mut answer = Vec::new();
    let _reset = socket.read_to_end(&mut answer);
    let event = server.event();
    assert!(event["error"].as_str().unwrap().contains("handshake-deadline"), "{event}");
}
