//! The peers against each other, with nothing of ours between them: what fails here is the harness or the machine, not
//! OpenSSPI.

use opensspi_integration_tests::Pattern;
use opensspi_integration_tests::peers::{
    ClientOptions, Negotiated, Peer, ServerOptions, Version, curl, gnutls, java, openssl, python, runnable,
};
use test_support::{CertStatus, OcspResponse, Pki, TestCertificate, hex};

fn fingerprint(certificate: &TestCertificate) -> Option<String> {
    Some(hex::encode(certificate.sha256()))
}

/// Sends the pattern both ways at once over an s_server and an s_client.
#[test]
fn openssl_carries_bulk_data_both_ways() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    for version in Version::MODERN {
        let options = ServerOptions::new(&pki.server("localhost").issue()).version(version);
        let mut server = openssl::Server::start(&options, openssl::Mode::Pipe).unwrap();
        let mut client =
            openssl::Client::start(&ClientOptions::new(server.port(), &pki), openssl::Mode::Pipe).unwrap();
        let (up, down) = (Pattern::new(1).bytes(0, 3_000_000), Pattern::new(2).bytes(0, 3_000_000));
        client.send(&up).unwrap();
        server.send(&down).unwrap();
        Pattern::new(1).checker().check(&server.read_exact(up.len()).unwrap()).unwrap();
        Pattern::new(2).checker().check(&client.read_exact(down.len()).unwrap()).unwrap();
        assert_eq!(client.report().unwrap().version, version.name());
        assert!(client.wait().unwrap().success());
        assert!(server.is_running());
    }
}

#[test]
fn openssl_reports_alpn_resumption_and_keys() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    let folder = tempfile::tempdir().unwrap();
    let options = ServerOptions::new(&pki.server("localhost").issue()).alpn(&["h2", "http/1.1"]);
    let options = options.argument("-client_renegotiation");
    let mut server = openssl::Server::start(&options, openssl::Mode::Report).unwrap();
    for version in Version::MODERN {
        let session = folder.path().join(version.name()).to_string_lossy().into_owned();
        let base = ClientOptions::new(server.port(), &pki).version(version).alpn(&["http/1.1"]);
        let exporter = base.clone().argument("-keymatexport").argument("EXPORTER-test");

        let first = exporter.argument("-sess_out").argument(&session);
        let mut first = openssl::Client::start(&first, openssl::Mode::Report).unwrap();
        let report = first.report().unwrap();
        assert_eq!((report.version.as_str(), report.resumed), (version.name(), false));
        assert_eq!(report.alpn.as_deref(), Some("http/1.1"));
        first.wait_for("Keying material: ").unwrap();
        if version == Version::Tls13 {
            first.wait_for("New Session Ticket arrived").unwrap();
            first.send(b"K\n").unwrap();
            first.wait_for("KEYUPDATE").unwrap();
        } else {
            first.send(b"R\n").unwrap();
            first.wait_for("RENEGOTIATING").unwrap();
        }
        first.send(b"text\n").unwrap();
        server.wait_for("text").unwrap();
        first.send(b"Q\n").unwrap();
        assert!(first.wait().unwrap().success());

        let second = base.argument("-sess_in").argument(&session);
        let mut second = openssl::Client::start(&second, openssl::Mode::Report).unwrap();
        assert!(second.report().unwrap().resumed, "{version}");
    }
}

#[test]
fn python_checks_the_echo_of_java_and_java_that_of_python() {
    if !runnable(&[Peer::Python, Peer::Java]) {
        return;
    }
    let pki = Pki::new();
    let certificate = pki.server("localhost").intermediate().issue();
    let alice = pki.client("alice").rsa_2048().issue();
    let options = ServerOptions::new(&certificate).require_client_certificate(&pki).alpn(&["echo", "other"]);
    let mut java_server = java::Server::start(&options).unwrap();
    let mut python_server = python::Server::start(&options).unwrap();
    for version in Version::MODERN {
        let client = |port| {
            ClientOptions::new(port, &pki)
                .version(version)
                .certificate(&alice)
                .alpn(&["other", "echo"])
                .bytes(300_001)
                .write_size(5000)
                .seed(9)
                .rounds(2)
        };
        let check = |connections: &[Negotiated], peer: &TestCertificate, resumable: bool| {
            assert_eq!(connections.len(), 2);
            for (round, connection) in connections.iter().enumerate() {
                let connection = connection.clone().succeeded().unwrap();
                assert_eq!(connection.version, version.name());
                assert_eq!(connection.bytes, 300_001);
                assert_eq!(connection.alpn.as_deref(), Some("echo"));
                assert_eq!(connection.peer_sha256, fingerprint(peer));
                assert_eq!(connection.resumed, resumable && round == 1, "{version}: {connections:?}");
                assert!(connection.clean_close);
            }
        };
        let python_client = python::echo(&client(java_server.port())).unwrap();
        check(&python_client, &certificate, true);
        check(
            &[java_server.next_connection().unwrap(), java_server.next_connection().unwrap()],
            &alice,
            true,
        );
        let java_client = java::echo(&client(python_server.port())).unwrap();
        check(&java_client, &certificate, true);
        let seen = [python_server.next_connection().unwrap(), python_server.next_connection().unwrap()];
        check(&seen, &alice, true);
        assert_eq!(seen.iter().all(|connection| connection.tls_unique.is_some()), version == Version::Tls12);
    }
}

#[test]
fn clients_notice_an_echo_that_is_not_one() {
    if !runnable(&[Peer::Python, Peer::Java, Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    let options = ServerOptions::new(&pki.server("localhost").issue());
    let server = openssl::Server::start(&options, openssl::Mode::Reverse).unwrap();
    let options = ClientOptions::new(server.port(), &pki);
    for connections in [python::echo(&options).unwrap(), java::echo(&options).unwrap()] {
        let error = connections[0].error.as_deref().unwrap_or("no error");
        assert!(error.contains("where the pattern has"), "{error}");
    }
}

#[test]
fn sessions_resume_by_id_where_there_are_no_tickets() {
    if !runnable(&[Peer::Python, Peer::Java]) {
        return;
    }
    let pki = Pki::new();
    let options = ServerOptions::new(&pki.server("localhost").rsa_2048().issue()).without_tickets();
    let client = |port| ClientOptions::new(port, &pki).version(Version::Tls12).rounds(3).without_tickets();
    let python_server = python::Server::start(&options).unwrap();
    let java_server = java::Server::start(&options).unwrap();
    for connections in [
        java::echo(&client(python_server.port())).unwrap(),
        python::echo(&client(java_server.port())).unwrap(),
    ] {
        let resumed: Vec<bool> = connections.iter().map(|connection| connection.resumed).collect();
        assert_eq!(resumed, [false, true, true], "{connections:?}");
    }
}

#[test]
fn both_ends_tell_the_same_tls_unique() {
    if !runnable(&[Peer::Python]) {
        return;
    }
    let pki = Pki::new();
    let mut server = python::Server::start(&ServerOptions::new(&pki.server("localhost").issue())).unwrap();
    let options = ClientOptions::new(server.port(), &pki).version(Version::Tls12).rounds(2);
    for connection in python::echo(&options).unwrap() {
        assert!(connection.tls_unique.is_some());
        assert_eq!(server.next_connection().unwrap().tls_unique, connection.tls_unique);
    }
}

#[test]
fn curl_and_gnutls_fetch_pages() {
    if !runnable(&[Peer::Curl, Peer::GnuTls, Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    let certificate = pki.server("localhost").ecdsa_p384().issue();
    let folder = tempfile::tempdir().unwrap();
    let content = Pattern::new(5).bytes(0, 700_000);
    std::fs::write(folder.path().join("file.bin"), &content).unwrap();
    for version in Version::MODERN {
        let options = ServerOptions::new(&certificate).version(version).alpn(&["http/1.1"]);
        let server = gnutls::Server::start(&options, gnutls::Mode::Http).unwrap();
        let client = ClientOptions::new(server.port(), &pki).alpn(&["http/1.1"]);
        let page = curl::get(&client, "/").unwrap().succeeded().unwrap();
        assert_eq!((page.status, page.negotiated.version.as_str()), (200, version.name()));
        assert_eq!(page.negotiated.alpn.as_deref(), Some("http/1.1"), "{}", page.log);
        assert!(String::from_utf8_lossy(&page.body).contains("GnuTLS"));

        let mode = openssl::Mode::Files(folder.path().to_owned());
        let server = openssl::Server::start(&options.argument("-http_server_binmode"), mode).unwrap();
        let client = ClientOptions::new(server.port(), &pki).version(version);
        let file = curl::get(&client, "/file.bin").unwrap().succeeded().unwrap();
        assert!(file.body == content, "{} of {} bytes", file.body.len(), content.len());
    }
}

#[test]
fn gnutls_client_speaks_through_pipes_and_resumes() {
    if !runnable(&[Peer::GnuTls, Peer::Python]) {
        return;
    }
    let pki = Pki::new();
    let mut server =
        python::Server::start(&ServerOptions::new(&pki.server("localhost").issue()).alpn(&["echo"])).unwrap();
    let content = Pattern::new(3).bytes(0, 200_000);
    for version in Version::MODERN {
        let options = ClientOptions::new(server.port(), &pki).version(version).alpn(&["echo"]);
        let options = options.argument("--resume").argument("--waitresumption");
        let mut client = gnutls::Client::start(&options).unwrap();
        client.send(&content).unwrap();
        assert!(client.read_exact(content.len()).unwrap() == content);
        let report = client.finish().unwrap();
        assert_eq!((report.version.as_str(), report.resumed), (version.name(), true));
        assert_eq!(report.cipher, "AES-256-GCM");
        assert_eq!(report.alpn.as_deref(), Some("echo"));
        let seen = [server.next_connection().unwrap(), server.next_connection().unwrap()];
        assert_eq!(seen.map(|connection| connection.resumed), [false, true]);
    }
}

#[test]
fn gnutls_server_echoes_lines() {
    if !runnable(&[Peer::GnuTls, Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    let alice = pki.client("alice").issue();
    for version in Version::MODERN {
        let options = ServerOptions::new(&pki.server("localhost").rsa_2048().issue()).version(version);
        let options = options.require_client_certificate(&pki);
        let server = gnutls::Server::start(&options, gnutls::Mode::Echo).unwrap();
        let options = ClientOptions::new(server.port(), &pki).certificate(&alice);
        let mut client = openssl::Client::start(&options, openssl::Mode::Pipe).unwrap();
        let lines = Pattern::new(4).lines(1000);
        client.send(lines.as_bytes()).unwrap();
        assert_eq!(client.read_exact(lines.len()).unwrap(), lines.as_bytes());
    }
}

#[test]
fn certificates_are_refused_for_what_is_wrong_with_them() {
    if !runnable(&[Peer::OpenSsl, Peer::Curl, Peer::Python]) {
        return;
    }
    let pki = Pki::new();
    let stranger = Pki::named("OpenSSPI Unknown Root");
    for (certificate, complaint) in [
        (pki.server("localhost").expired().issue(), "certificate has expired"),
        (pki.server("localhost").not_yet_valid().issue(), "not yet valid"),
        (pki.server("localhost").client_auth_only().issue(), "unsuitable certificate purpose"),
        (pki.server("example.test").issue(), "IP address mismatch|Hostname mismatch"),
        (pki.server("localhost").self_signed().issue(), "self-signed certificate|self signed certificate"),
        (stranger.server("localhost").issue(), "unable to get local issuer certificate"),
        (pki.server("localhost").rsa_1024().issue(), "too small|too weak|EE certificate key"),
    ] {
        let options = ServerOptions::new(&certificate).argument("-cipher").argument("ALL:@SECLEVEL=0");
        let server = openssl::Server::start(&options, openssl::Mode::Www).unwrap();
        let options = ClientOptions::new(server.port(), &pki).ciphers("DEFAULT:@SECLEVEL=2");
        let connections = python::echo(&options).unwrap();
        let error = connections[0].error.as_deref().unwrap_or("no error");
        assert!(complaint.split('|').any(|words| error.contains(words)), "{complaint}: {error}");
        assert_eq!(curl::get(&options, "/").unwrap().exit_code, Some(60), "{complaint}");
    }
}

#[test]
fn clients_without_a_certificate_are_refused_where_one_is_required() {
    if !runnable(&[Peer::Python, Peer::Java]) {
        return;
    }
    let pki = Pki::new();
    let certificate = pki.server("localhost").issue();
    let stranger = Pki::named("OpenSSPI Unknown Root").client("mallory").issue();
    let mut server =
        python::Server::start(&ServerOptions::new(&certificate).require_client_certificate(&pki)).unwrap();
    for version in Version::MODERN {
        let options = ClientOptions::new(server.port(), &pki).version(version);
        assert!(java::echo(&options).unwrap()[0].error.is_some());
        assert!(server.next_connection().unwrap().error.unwrap().contains("did not return a certificate"));
        python::echo(&options.certificate(&stranger)).unwrap()[0].clone().succeeded().unwrap_err();
        assert!(server.next_connection().unwrap().error.unwrap().contains("verify failed"));
    }
    let mut server =
        java::Server::start(&ServerOptions::new(&certificate).request_client_certificate(&pki)).unwrap();
    python::echo(&ClientOptions::new(server.port(), &pki)).unwrap()[0].clone().succeeded().unwrap();
    assert_eq!(server.next_connection().unwrap().succeeded().unwrap().peer_sha256, None);
}

#[test]
fn stapled_responses_and_crls_are_understood() {
    if !runnable(&[Peer::OpenSsl]) {
        return;
    }
    let pki = Pki::new();
    let certificate = pki.server("localhost").intermediate().issue();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_740_000_000);
    for (status, printed) in [
        (CertStatus::Good, "Cert Status: good"),
        (CertStatus::Revoked { at }, "Cert Status: revoked"),
        (CertStatus::Unknown, "Cert Status: unknown"),
    ] {
        let options =
            ServerOptions::new(&certificate).ocsp_response(OcspResponse::new(&certificate, status).der());
        let server = openssl::Server::start(&options, openssl::Mode::Www).unwrap();
        let options = ClientOptions::new(server.port(), &pki).argument("-status");
        let mut client = openssl::Client::start(&options, openssl::Mode::Report).unwrap();
        client.report().unwrap();
        assert!(client.log().contains(printed), "{}", client.log());
        // An s_server serves one at a time.
        drop(client);
        // curl checks signature, validity and certificate ID, and says 91 to any status but good.
        let response =
            curl::get(&ClientOptions::new(server.port(), &pki).argument("--cert-status"), "/").unwrap();
        let expected = if status == CertStatus::Good { 0 } else { 91 };
        assert_eq!(response.exit_code, Some(expected), "{}", response.log);
    }

    let folder = tempfile::tempdir().unwrap();
    for (revoked, expected) in [(&[][..], 0), (&[&certificate][..], 60)] {
        let crls = folder.path().join("crls.pem");
        std::fs::write(&crls, certificate.issuer().crl(revoked).pem() + &pki.crl(&[]).pem()).unwrap();
        let server = openssl::Server::start(&ServerOptions::new(&certificate), openssl::Mode::Www).unwrap();
        let options =
            ClientOptions::new(server.port(), &pki).argument("--crlfile").argument(crls.to_string_lossy());
        let response = curl::get(&options, "/").unwrap();
        assert_eq!(response.exit_code, Some(expected), "{}", response.log);
    }
}
