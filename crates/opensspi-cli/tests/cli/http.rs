//! `get` and `serve --http`, with a package that clients log on with.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use opensspi_integration_tests::{digest, http as proxies};
use serde_json::Value;
use test_support::Pki;

use crate::process::{Ran, Server, run, run_with};

const PASSWORD: &str = "correct horse";

/// A folder with an account and a configuration that names it; the server that serves it.
fn serve(package: &str) -> (tempfile::TempDir, Server) {
    serve_with(package, "", &[])
}

fn serve_with(package: &str, section: &str, add: &[&str]) -> (tempfile::TempDir, Server) {
    serve_inside(None, package, section, add)
}

/// The same inside TLS with a certificate of this authority, whose own lies beside the configuration.
fn serve_inside(
    authority: Option<&Pki>,
    package: &str,
    section: &str,
    more: &[&str],
) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let config = path("opensspi.toml");
    fs::write(&config, format!("{section}[logon]\naccounts = \"file:logons.toml\"\n")).unwrap();
    let mut add = vec!["account", "add", "alice", "--domain", "CORP", "--config", &config];
    add.extend(more);
    run_with(&add, PASSWORD.as_bytes(), &[]).expect(0);
    let mut arguments = vec!["--http", "--package", package, "--config", &config];
    let own = path("server.pem");
    if let Some(authority) = authority {
        let certificate = authority.server("localhost").issue();
        fs::write(&own, certificate.chain_pem() + &certificate.key_pem()).unwrap();
        fs::write(path("root.pem"), authority.root_pem()).unwrap();
        arguments.extend(["--cert", &own]);
    }
    let server = Server::start(&arguments);
    (folder, server)
}

fn get(url: &str, user: &str, password: &str, more: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, password).unwrap();
    let reference = format!("file:{}", file.display());
    let mut arguments = vec!["get", url, "--user", user, "--password", &reference];
    arguments.extend(more);
    run(&arguments)
}

#[test]
fn get_logs_on_with_ntlm_and_the_page_says_who_it_is() {
    let (_folder, server) = serve("NTLM");
    let url = format!("http://localhost:{}/", server.port);
    let ran = get(&url, r"CORP\alice", PASSWORD, &["--package", "NTLM"]).expect(0);
    assert!(ran.out.contains("<th>account</th><td>CORP/alice</td>"), "{}", ran.out);
    assert!(ran.out.contains("<th>package</th><td>NTLM</td>"), "{}", ran.out);
    assert!(ran.err.contains("200 OK") && ran.err.contains("with NTLM"), "{}", ran.err);
    let ran = get(&url, "alice", PASSWORD, &["--package", "ntlm", "--include", "--quiet"]).expect(0);
    assert!(ran.out.starts_with("HTTP/1.1 200 OK\r\n") && ran.out.contains("persistent-auth: true\r\n"));
    assert_eq!(ran.err, "");
}

#[test]
fn get_logs_on_with_digest_in_the_realm_that_the_account_was_given() {
    let (_folder, server) = serve_with("Digest", "[digest]\nrealm = \"corp\"\n", &["--realm", "corp"]);
    let url = format!("http://localhost:{}/", server.port);
    let ran = get(&url, "alice", PASSWORD, &["--package", "Digest"]).expect(0);
    assert!(ran.out.contains("<th>account</th><td>CORP/alice</td>"), "{}", ran.out);
    let ran = get(&url, "alice", "wrong", &["--package", "Digest"]).expect(1);
    assert!(ran.err.contains("the server refused the logon with Digest"), "{}", ran.err);
}

#[test]
fn the_audit_record_says_that_an_account_has_no_secret_for_the_realm() {
    let (_folder, mut server) = serve_with("Digest", "[digest]\nrealm = \"other\"\n", &["--realm", "corp"]);
    let url = format!("http://localhost:{}/", server.port);
    get(&url, "alice", PASSWORD, &["--package", "Digest"]).expect(1);
    let refusal = loop {
        let event = server.event();
        if event["verdict"] == "refused" {
            break event;
        }
    };
    let error = refusal["error"].as_str().unwrap();
    assert!(error.contains("no secret of Digest for the realm \"other\" (digest.realm)"), "{error}");
}

#[test]
fn who_is_not_let_in_ends_with_exit_code_1_and_a_sentence() {
    let (_folder, server) = serve("NTLM");
    let url = format!("http://localhost:{}/", server.port);
    for (user, password) in
        [(r"CORP\alice", "wrong"), (r"CORP\mallory", PASSWORD), (r"OTHER\alice", PASSWORD)]
    {
        let ran = get(&url, user, password, &["--package", "NTLM"]).expect(1);
        assert!(ran.err.contains("the server refused the logon with NTLM"), "{}", ran.err);
        assert_eq!(ran.out, "");
    }
    // Who brings no package is told which there are.
    let ran = run(&["get", &url]).expect(1);
    assert!(ran.err.contains("offers NTLM: --package chooses one of them"), "{}", ran.err);
}

/// A server that answers each request of a connection with this, as long as there are more.
fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let mut lines = BufReader::new(listener.accept().unwrap().0);
        let mut said = Vec::new();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            if line == "\r\n" {
                lines.get_mut().write_all(answer.as_bytes()).unwrap();
            } else if line.starts_with("authorization: ") {
                said.push(line.trim_end().to_owned());
            }
            line.clear();
        }
        said
    });
    (url, serving)
}

/// As a server does that has Kerberos only: it asks once more, and says nothing to the token.
#[test]
fn get_says_what_a_server_refused_that_negotiates_and_has_another_package() {
    let (url, serving) = answering(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"r\"\r\n\
         Content-Length: 0\r\n\r\n",
    );
    let ran = get(&url, "alice", PASSWORD, &["--package", "Negotiate", "--json"]).expect(1);
    let error = ran.objects().pop().unwrap();
    let message = error["message"].as_str().unwrap();
    for expected in [
        "the server refused the logon with Negotiate (status 401 Unauthorized)",
        "takes nothing of what was offered (NTLM)",
        "it may want Kerberos, for which there is no package here",
        "it also offers Basic",
    ] {
        assert!(message.contains(expected), "{expected} in {message}");
    }
    assert_eq!(error["setting"], "negotiate.packages");
    assert_eq!(serving.join().unwrap().len(), 1, "it was asked once");
    // With another package it is not even asked.
    let (url, serving) =
        answering("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n");
    let ran = get(&url, "alice", PASSWORD, &["--package", "NTLM"]).expect(4);
    let expected = "the server offers Negotiate and configured is NTLM: no scheme in common; --package chooses another one";
    assert!(ran.err.contains(expected), "{}", ran.err);
    assert_eq!(serving.join().unwrap().len(), 0);
}

/// A proxy that lets nobody through, and says how one might get through.
#[test]
fn get_says_what_a_proxy_offers_to_whoever_brings_no_package() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        let mut lines = BufReader::new(listener.accept().unwrap().0);
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: NTLM\r\n\
                      Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\"\r\nContent-Length: 0\r\n\r\n";
        lines.get_mut().write_all(answer.as_bytes()).unwrap();
        first
    });
    let ran = run(&["get", "http://www.example.com/page", "--proxy", &proxy]).expect(1);
    assert!(ran.err.contains("the proxy wants to know who asks, and offers NTLM, Digest"), "{}", ran.err);
    assert_eq!(serving.join().unwrap(), "GET http://www.example.com/page HTTP/1.1\r\n");
}

/// Gets a page behind a proxy that is to be logged on to: with the right password and with a wrong one.
fn get_through(port: u16, package: &str, user: &str, password: &str, page: &str) {
    let proxy = format!("localhost:{port}");
    let options = ["--proxy", &proxy, "--package", package, "--include"];
    let ran = get("http://www.example.com/page?a=b", user, password, &options).expect(0);
    assert!(ran.out.starts_with("HTTP/1.1 200 OK\r\n"), "{package}: {}", ran.out);
    assert!(ran.out.ends_with(&format!("\r\n\r\n{page}")), "{package}: {}", ran.out);
    assert!(ran.err.contains(&format!("with {package}")), "{package}: {}", ran.err);
    let ran = get("http://www.example.com/page?a=b", user, "wrong", &options).expect(1);
    assert!(ran.out.is_empty(), "{package}: {}", ran.out);
    let is_refusal = ran.err.contains("refused the logon") && ran.err.contains("407")
        || ran.err.contains("does not let this client in");
    assert!(is_refusal, "{package}: {}", ran.err);
}

#[test]
fn get_logs_on_to_a_proxy_and_is_refused_there_with_a_wrong_password() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for package in ["NTLM", "Negotiate"] {
        let configuration = format!("package = \"{package}\"");
        let proxy = runtime.block_on(proxies::Server::start_proxy(&configuration));
        get_through(proxy.port(), package, r"CORP\alice", PASSWORD, "alice ");
        let refusals = proxy.refusals();
        assert!(matches!(&refusals[..], [why] if why.contains("the logon was denied")), "{refusals:?}");
    }
    let proxy = digest::http::Server::start_proxy(digest::server("")).unwrap();
    get_through(proxy.port(), "Digest", digest::USER, digest::PASSWORD, digest::http::CONTENT);
    let refusals = proxy.refusals();
    assert!(
        matches!(&refusals[..], [why] if why.contains("the name or the password is wrong")),
        "{refusals:?}"
    );
}

#[test]
fn get_logs_on_inside_tls_bound_to_its_certificate() {
    let pki = Pki::new();
    let ntlm = "[ntlm]\nchannel-bindings = \"always\"\n";
    let digest = "[digest]\nrealm = \"corp\"\nchannel-bindings = \"always\"\n";
    for (package, section, more, user) in [
        ("NTLM", ntlm, &[][..], r"CORP\alice"),
        ("Negotiate", ntlm, &[], r"CORP\alice"),
        ("Digest", digest, &["--realm", "corp"], "alice"),
    ] {
        let (folder, server) = serve_inside(Some(&pki), package, section, more);
        let root = folder.path().join("root.pem").to_str().unwrap().to_owned();
        let url = format!("https://localhost:{}/", server.port);
        let options = ["--package", package, "--ca", &root];
        let ran = get(&url, user, PASSWORD, &options).expect(0);
        assert!(ran.out.contains("<th>account</th><td>CORP/alice</td>"), "{package}: {}", ran.out);
        let ran = get(&url, user, "wrong", &options).expect(1);
        let is_refusal =
            ran.err.contains("refused the logon") || ran.err.contains("does not let this client in");
        assert!(is_refusal && ran.out.is_empty(), "{package}: {}", ran.err);
        // Whoever does not trust the authority says nothing to the server.
        get(&url, user, PASSWORD, &["--package", package]).expect(1);
        let plain = format!("http://localhost:{}/", server.port);
        let ran = get(&plain, user, PASSWORD, &["--package", package]);
        assert!(ran.code != 0 && ran.out.is_empty(), "{package}: {}", ran.out);
    }
}

/// Nobody can be bound to anything in plain HTTP.
#[test]
fn get_is_refused_in_clear_where_logons_must_be_bound() {
    let (_folder, mut server) = serve_with("NTLM", "[ntlm]\nchannel-bindings = \"always\"\n", &[]);
    let url = format!("http://localhost:{}/", server.port);
    get(&url, r"CORP\alice", PASSWORD, &["--package", "NTLM"]).expect(1);
    let refusal = loop {
        let event = server.event();
        if event["verdict"] == "refused" {
            break event;
        }
    };
    assert!(refusal["error"].as_str().unwrap().contains("channel bindings are required"), "{refusal}");
}

#[test]
fn get_logs_on_with_the_package_the_name_and_the_password_of_its_configuration() {
    let pki = Pki::new();
    let (folder, server) = serve_inside(Some(&pki), "NTLM", "", &[]);
    let url = format!("https://localhost:{}/", server.port);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let config = path("client.toml");
    let text = "package = \"NTLM\"\n[schannel]\nroots = [\"root.pem\"]\n[ntlm]\nuser = 'CORP\\alice'\n\
                password = \"file:password\"\n";
    fs::write(&config, text).unwrap();
    fs::write(path("password"), PASSWORD).unwrap();
    let ran = run(&["get", &url, "--config", &config]).expect(0);
    assert!(ran.out.contains("<td>CORP/alice</td>") && ran.err.contains("with NTLM"), "{}", ran.err);
    fs::write(path("password"), "wrong").unwrap();
    let ran = run(&["get", &url, "--config", &config]).expect(1);
    assert!(ran.err.contains("the server refused the logon with NTLM"), "{}", ran.err);
}

#[test]
fn a_page_over_tls_is_fetched_without_a_package() {
    let server = Server::start(&["--http"]);
    let url = format!("https://localhost:{}/", server.port);
    let ran = run(&["get", &url, "--pin", &format!("sha256:{}", server.pin), "--json"]).expect(0);
    let said: Vec<Value> = ran.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(said[0]["status"], 200);
    assert_eq!(said[0]["scheme"], Value::Null);
    assert!(ran.out.contains("This connection is secured by OpenSSPI"));
    run(&["get", &url]).expect(1);
}

#[test]
fn what_is_wrong_on_the_command_line_is_said_before_anybody_is_called() {
    for (arguments, said) in [
        (&["get", "ftp://localhost/"][..], "begins with http:// or https://"),
        (&["get", "http://alice:secret@localhost/"], "stands behind --user"),
        (&["get", "http://localhost/", "--user", "alice", "--package", "NTLM"], "--password env:NAME"),
        (
            &["get", "http://localhost/", "--user", "alice", "--password", "hunter2", "--package", "NTLM"],
            "not written on a command line",
        ),
        (&["get", "http://localhost/", "--package", "NTLN"], "NTLM"),
        (&["get", "https://localhost/", "--proxy", "localhost:1"], "http:// only"),
        (&["get", "http://localhost/", "--header", "x"], "NAME: VALUE"),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}\n{}", ran.err);
        assert!(ran.err.contains(said), "{arguments:?}\n{}", ran.err);
        assert!(!ran.err.contains("hunter2") && !Path::new("hunter2").exists());
    }
}
