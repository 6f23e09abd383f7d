//! A second handshake on a connection with OpenSSL, Java and GnuTLS, begun by either side.

#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use opensspi_integration_tests::Pattern;
use opensspi_integration_tests::ours::{Client, Connection, Report, Server, Service, Setup};
use opensspi_integration_tests::peers::{
    ClientOptions, Negotiated, Peer, ServerOptions, Version, gnutls, java, openssl, runnable,
};
use sspi_core::SecStatus;
use test_support::{Pki, TestCertificate, hex};

const VERSIONS: [Version; 3] = [Version::Tls10, Version::Tls11, Version::Tls12];
/// Those that Java negotiates again.
const WITH_SSL3: [Version; 4] = [Version::Ssl30, Version::Tls10, Version::Tls11, Version::Tls12];

/// What `renegotiation` and other settings are, for one version.
fn settings(version: Version, more: &str) -> String {
    let protocol = match version {
        Version::Ssl30 => "ssl3",
        Version::Tls10 => "tls1.0",
        Version::Tls11 => "tls1.1",
        _ => "tls1.2",
    };
    let suites = match version {
        Version::Ssl30 => "[\"TLS_RSA_WITH_AES_128_CBC_SHA\"]",
        _ => "[\"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\", \"TLS_RSA_WITH_AES_128_CBC_SHA\"]",
    };
    format!("protocols = [{protocol:?}]\nsuites = {suites}\n{more}")
}

const BOTH: &str = "renegotiation = \"both\"\n";
const BOTH_WITH_CERTIFICATE: &str = "renegotiation = \"both\"\nrenegotiation-client-auth = \"required\"\n";

struct World {
    pki: Pki,
    server: TestCertificate,
    alice: TestCertificate,
}

impl World {
    fn new() -> Self {
        let pki = Pki::new();
        let server = pki.server("localhost").rsa_2048().issue();
        let alice = pki.client("alice").rsa_2048().issue();
        Self { pki, server, alice }
    }

    /// A server of ours that asks on request, and knows clients of this authority.
    fn serve(&self, version: Version, more: &str) -> Server {
        let setup = Setup::server(&self.server).client_root(&self.pki);
        Server::start(&setup.settings(&settings(version, more)).unwrap(), Service::Ask).unwrap()
    }

    /// A connection of ours, with a certificate for who asks.
    fn connect(&self, version: Version, port: u16) -> Connection {
        let setup = Setup::client(&self.pki).certificate(&self.alice);
        let setup = setup.settings(&settings(version, BOTH)).unwrap();
        Client::new(&setup).unwrap().connect(port).unwrap()
    }

    fn options(&self, version: Version, port: u16) -> ClientOptions {
        ClientOptions::new(port, &self.pki).version(version).certificate(&self.alice)
    }

    fn is_alice(&self, negotiated: &Negotiated) -> bool {
        negotiated.peer_sha256 == Some(hex::encode(self.alice.sha256()))
    }
}

fn ended(server: &Server) -> Report {
    server.next_connection(Duration::from_secs(20)).unwrap()
}

/// Whether the connection has been negotiated again since `before`.
fn is_other(connection: &Connection, before: &Arc<dyn sspi_core::QueryContextAttributes>) -> bool {
    !Arc::ptr_eq(&connection.attributes(), before)
}

/// s_client of OpenSSL, its security level low enough for what is old. Without `-nbio` it reads on behind a handshake that it
/// was asked for, and takes no commands, until there is data.
fn s_client(options: &ClientOptions) -> openssl::Client {
    let options = options.clone().ciphers("AES128-SHA:ECDHE-RSA-AES128-SHA:@SECLEVEL=0").argument("-nbio");
    openssl::Client::start(&options, openssl::Mode::Report).unwrap()
}

/// No peer here speaks PCT: both ends are ours, and the streams find their way without a token for the server's request.
#[test]
fn pct_is_negotiated_again_over_a_socket_from_either_side() {
    let world = World::new();
    let settings = format!("protocols = [\"pct1\"]\n{BOTH}");
    let server = Setup::server(&world.server).settings(&settings).unwrap();
    let server = Server::start(&server, Service::Ask).unwrap();
    let client = Client::new(&Setup::client(&world.pki).settings(&settings).unwrap()).unwrap();
    let mut client = client.connect(server.port()).unwrap();
    for round in 0..2 {
        let before = client.attributes();
        client.renegotiate().unwrap();
        assert!(is_other(&client, &before), "round {round}");
        client.send(b"from us").unwrap();
        assert_eq!(client.read_exact(7).unwrap(), b"from us");
        let before = client.attributes();
        client.send(b"ask\n").unwrap();
        assert_eq!(client.read_exact(6).unwrap(), b"asked\n");
        assert!(is_other(&client, &before), "round {round}");
    }
    client.close().unwrap();
    assert_eq!(ended(&server).succeeded().unwrap().renegotiations, 4);
}

#[test]
fn a_client_of_openssl_begins_and_is_asked() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let world = World::new();
    for version in VERSIONS {
        let server = world.serve(version, BOTH_WITH_CERTIFICATE);
        let mut client = s_client(&world.options(version, server.port()));
        assert_eq!(client.report().unwrap().version, version.name());
        client.send(b"R\n").unwrap();
        client.wait_for("RENEGOTIATING").unwrap();
        client.send(b"behind the first\n").unwrap();
        client.wait_for("behind the first").unwrap();
        client.send(b"ask\n").unwrap();
        client.wait_for("asked").unwrap();
        client.send(b"behind the second\n").unwrap();
        client.wait_for("behind the second").unwrap();
        client.send(b"Q\n").unwrap();
        assert!(client.wait().unwrap().success(), "{}", client.log());
        let report = ended(&server).succeeded().unwrap();
        assert_eq!(report.renegotiations, 2, "{version}: {}", client.log());
        assert!(world.is_alice(&report.negotiated), "{version}: {report:?}");
    }
}

#[test]
fn a_client_of_openssl_that_may_not_begin_is_told_so() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let world = World::new();
    for (more, begun) in
        [("renegotiation = \"ours\"\n", false), ("renegotiation = \"off\"\n", false), (BOTH, true)]
    {
        let server = world.serve(Version::Tls11, more);
        let mut client = s_client(&world.options(Version::Tls11, server.port()));
        client.report().unwrap();
        client.send(b"R\n").unwrap();
        client.wait_for("RENEGOTIATING").unwrap();
        if begun {
            client.send(b"Q\n").unwrap();
        }
        // OpenSSL's own end of the matter is to give up.
        assert_eq!(client.wait().unwrap().success(), begun, "{more}: {}", client.log());
        assert_eq!(client.log().contains("no renegotiation"), !begun, "{}", client.log());
        assert_eq!(ended(&server).renegotiations, u32::from(begun), "{more}");
    }
}

#[test]
fn a_server_of_openssl_asks_with_and_without_certificate_and_answers_and_declines() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let world = World::new();
    for version in VERSIONS {
        for declines in [false, true] {
            let options =
                ServerOptions::new(&world.server).version(version).ciphers("AES128-SHA:@SECLEVEL=0");
            let options = options.argument("-nbio").argument(if declines {
                "-no_renegotiation"
            } else {
                "-client_renegotiation"
            });
            let mut server = openssl::Server::start(&options, openssl::Mode::Report).unwrap();
            let mut client = world.connect(version, server.port());
            let before = client.attributes();
            client.renegotiate().unwrap();
            assert_eq!(is_other(&client, &before), !declines, "{version}: {}", server.log());
            client.send(b"from us\n").unwrap();
            server.wait_for("from us").unwrap();
            server.send(b"from them\n").unwrap();
            assert_eq!(client.read_exact(10).unwrap(), b"from them\n");
            if declines {
                continue;
            }
            for (asked, command) in [&b"r\n"[..], b"R\n"].into_iter().enumerate() {
                let before = client.attributes();
                server.send(command).unwrap();
                // What comes in one piece with a command is lost.
                server.wait_until(|log| log.matches("SSL_do_handshake").count() > asked).unwrap();
                server.send(b"behind it\n").unwrap();
                assert_eq!(client.read_exact(10).unwrap(), b"behind it\n");
                // Writing waits until it is over.
                client.send(b"and back\n").unwrap();
                assert!(is_other(&client, &before), "{version}: {}", server.log());
                server.wait_for("and back").unwrap();
            }
            let log = server.wait_for("alice").unwrap();
            assert!(log.contains("depth=0"), "{log}");
            client.close().unwrap();
        }
    }
}

#[test]
fn a_client_of_java_begins_and_is_asked() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    const BYTES: u64 = 100_000;
    let world = World::new();
    for version in WITH_SSL3 {
        let server = world.serve(version, BOTH_WITH_CERTIFICATE);
        let options =
            world.options(version, server.port()).ciphers("TLS_RSA_WITH_AES_128_CBC_SHA").bytes(BYTES);
        let options = options.argument(LEGACY_JAVA).argument("again=2");
        let (connections, log) = java::echo_with_log(&options).unwrap();
        assert_eq!((connections[0].bytes, &connections[0].error), (3 * BYTES, &None), "{version}: {log}");
        let report = ended(&server).succeeded().unwrap();
        assert_eq!((report.renegotiations, report.negotiated.bytes), (2, 3 * BYTES), "{version}");
        assert!(world.is_alice(&report.negotiated), "{version}: {report:?}");
    }
}

#[test]
fn a_server_of_java_requires_a_certificate_in_the_second_handshake() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    let world = World::new();
    for version in WITH_SSL3 {
        let options =
            ServerOptions::new(&world.server).version(version).ciphers("TLS_RSA_WITH_AES_128_CBC_SHA");
        let options = options.request_client_certificate(&world.pki);
        let options = options.argument(LEGACY_JAVA).argument("clients=none").argument("ask=yes");
        let mut server = java::Server::start(&options).unwrap();
        let mut client = world.connect(version, server.port());
        let before = client.attributes();
        let pattern = Pattern::new(1).bytes(0, 1000);
        client.send(&pattern).unwrap();
        // Java does not wait for the answer before it sends on.
        assert_eq!(client.read_exact(pattern.len()).unwrap(), pattern);
        client.send(&pattern).unwrap();
        assert!(is_other(&client, &before), "{version}");
        assert_eq!(client.read_exact(pattern.len()).unwrap(), pattern);
        client.renegotiate().unwrap();
        client.send(&pattern).unwrap();
        assert_eq!(client.read_exact(pattern.len()).unwrap(), pattern);
        client.close().unwrap();
        let connection = server.next_connection().unwrap();
        assert_eq!(connection.error, None, "{version}: {}", server.log());
        assert!(world.is_alice(&connection), "{version}: {connection:?}");
    }
}

#[test]
fn a_client_of_gnutls_begins_and_is_asked_and_without_rfc_5746_it_is_refused_unless_the_setting_lets_it() {
    if !runnable(&[Peer::GnuTls]) {
        return;
    }
    let world = World::new();
    for version in VERSIONS {
        for (priority, more, renegotiated) in [
            ("%SAFE_RENEGOTIATION", String::new(), true),
            ("%DISABLE_SAFE_RENEGOTIATION", String::new(), false),
            ("%DISABLE_SAFE_RENEGOTIATION", "insecure-renegotiation = true\n".to_owned(), true),
        ] {
            let server = world.serve(version, &format!("{BOTH_WITH_CERTIFICATE}{more}"));
            let options = world.options(version, server.port()).ciphers(priority).argument("--rehandshake");
            let mut client = gnutls::Client::start(&options).unwrap();
            // One that was refused may be gone already.
            let sent = client.send(b"behind it\n");
            let what = format!("{version} {priority} {more}");
            if renegotiated {
                sent.unwrap();
                assert_eq!(client.read_exact(10).unwrap(), b"behind it\n", "{what}: {}", client.log_file());
                // It takes no data while it shakes hands, and no commands either.
                client.send(b"ask and wait\n").unwrap();
                client.wait_for("Rehandshake was requested by the peer").unwrap();
                client.send(b"and on\n").unwrap();
                assert_eq!(client.read_exact(7).unwrap(), b"and on\n", "{what}: {}", client.log_file());
                client.finish().unwrap();
                let report = ended(&server).succeeded().unwrap();
                assert_eq!(report.renegotiations, 2, "{what}");
                assert!(world.is_alice(&report.negotiated), "{what}: {report:?}");
            } else {
                let refused = client.finish().is_err();
                assert!(refused, "{what}: {}", client.log_file());
                assert_eq!(ended(&server).renegotiations, 0, "{what}");
            }
        }
    }
}

#[test]
fn a_server_of_gnutls_asks_and_answers_and_without_rfc_5746_we_do_not_begin() {
    if !runnable(&[Peer::GnuTls]) {
        return;
    }
    let world = World::new();
    for version in VERSIONS {
        for (priority, is_secure) in [("%SAFE_RENEGOTIATION", true), ("%DISABLE_SAFE_RENEGOTIATION", false)] {
            let options = ServerOptions::new(&world.server).version(version).ciphers(priority);
            let server = gnutls::Server::start(&options, gnutls::Mode::Echo).unwrap();
            let mut client = world.connect(version, server.port());
            let before = client.attributes();
            client.send(b"**REHANDSHAKE**\n").unwrap();
            client.send(b"behind it\n").unwrap();
            const ANSWER: &[u8] = b"Successfully executed command\nbehind it\n";
            let said = client.read_exact(ANSWER.len());
            let what = format!("{version} {priority}: {said:?} {}", server.log());
            if is_secure {
                assert_eq!(said.unwrap(), ANSWER, "{what}");
                client.send(b"and on\n").unwrap();
                assert!(is_other(&client, &before), "{what}");
                assert_eq!(client.read_exact(7).unwrap(), b"and on\n", "{what}");
                let before = client.attributes();
                client.renegotiate().unwrap();
                assert!(is_other(&client, &before), "{what}");
                client.send(b"behind ours\n").unwrap();
                assert_eq!(client.read_exact(12).unwrap(), b"behind ours\n", "{what}");
                client.close().unwrap();
            } else {
                assert!(!is_other(&client, &before), "{what}");
                let error = client.renegotiate().unwrap_err();
                let error = error.security().unwrap();
                assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{what}");
                assert_eq!(error.setting(), Some("insecure-renegotiation"), "{what}");
            }
        }
    }
}

/// As a client JSSE cannot be without it: it takes no answer to a hello that did not signal.
#[test]
fn a_server_of_java_without_rfc_5746_asks_in_vain_and_we_do_not() {
    if !runnable(&[Peer::Java]) {
        return;
    }
    let world = World::new();
    for version in WITH_SSL3 {
        for asks in [false, true] {
            let options =
                ServerOptions::new(&world.server).version(version).ciphers("TLS_RSA_WITH_AES_128_CBC_SHA");
            let options = without_rfc_5746(options).argument("clients=none");
            let options = if asks { options.argument("ask=yes") } else { options };
            let server = java::Server::start(&options).unwrap();
            let mut client = world.connect(version, server.port());
            let before = client.attributes();
            client.send(b"hello").unwrap();
            let what = format!("{version}, asks: {asks}");
            if asks {
                // What becomes of a connection on which nobody answers is for JSSE to say.
                let _echo = client.read_exact(5);
                assert!(!is_other(&client, &before), "{what}");
                continue;
            }
            assert_eq!(client.read_exact(5).unwrap(), b"hello", "{what}");
            let error = client.renegotiate().unwrap_err();
            let error = error.security().unwrap();
            assert_eq!(error.status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION, "{what}");
            assert_eq!(error.setting(), Some("insecure-renegotiation"), "{what}");
            client.send(b"and on").unwrap();
            assert_eq!(client.read_exact(6).unwrap(), b"and on", "{what}");
        }
    }
}

/// JSSE that does not know RFC 5746, and negotiates again nevertheless.
fn without_rfc_5746(options: ServerOptions) -> ServerOptions {
    options
        .argument(LEGACY_JAVA)
        .argument("-Djdk.tls.server.disableExtensions=renegotiation_info")
        .argument("-Dsun.security.ssl.allowUnsafeRenegotiation=true")
}

/// JSSE without its list of what it takes for broken.
const LEGACY_JAVA: &str =
    concat!("-Djava.security.properties=", env!("CARGO_MANIFEST_DIR"), "/peers/legacy.security");
