//! NTLM and Negotiate over HTTP: our layer with curl and requests-ntlm, our client with Apache and with a server of pyspnego, in
//! clear and over our TLS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, in its helpers too")]

use std::path::{Path, PathBuf};

use opensspi_integration_tests::http::{BoundTo, Server, ask, client, client_bound};
use opensspi_integration_tests::peers::apache::{self, Apache};
use opensspi_integration_tests::peers::gss::{self, UserFile};
use opensspi_integration_tests::peers::ntlm::Library;
use opensspi_integration_tests::peers::process::{Launch, Process, Stdout};
use opensspi_integration_tests::peers::{Peer, free_port, runnable, runnable_with};
use opensspi_integration_tests::tokens::{DOMAIN, PASSWORD, USER};
use tempfile::TempDir;
use test_support::Pki;

const NTLM: &str = "package = \"NTLM\"";
const NEGOTIATE: &str = "package = \"Negotiate\"";
/// The same for those that do negotiate, and say no NTLM under its name.
const SPNEGO: &str = "package = \"Negotiate\"\n[negotiate]\nraw = \"deny\"";

/// An authority, in a file for whoever is to trust it.
fn authority() -> (Pki, TempDir, PathBuf) {
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("root.pem");
    std::fs::write(&file, pki.root_pem()).unwrap();
    (pki, folder, file)
}

/// Runs a program to its end, on a thread of its own; what it printed.
async fn run(launch: Launch) -> String {
    tokio::task::spawn_blocking(move || {
        let mut process = launch.start().unwrap();
        let said = process.read_to_end().unwrap();
        assert!(process.wait().unwrap().success(), "{}", process.log());
        String::from_utf8(said).unwrap()
    })
    .await
    .unwrap()
}

/// curl, which posts twice over one connection and says after each what came and over which connection.
fn curl(arguments: &[&str], url: &str) -> Launch {
    let mut launch = Launch::new("curl", Stdout::Data);
    launch.arguments(["--silent", "--data", "a=1", "--write-out", " %{http_code} %{num_connects}\n"]);
    launch.arguments(arguments.iter().copied()).arguments([url, url]);
    launch
}

const LOGGED_ON_TWICE: &str = "alice a=1 200 1\nalice a=1 200 0\n";

/// curl got this status for both requests, since the server refused a logon for this reason.
fn assert_refused(said: &str, status: &str, server: &Server, reason: &str) {
    let statuses = said.lines().filter_map(|line| line.strip_prefix(' ')?.split(' ').next());
    assert_eq!(statuses.collect::<Vec<_>>(), [status; 2], "{said}");
    assert_refusals(server, reason);
}

fn assert_refusals(server: &Server, reason: &str) {
    let refusals = server.refusals();
    assert!(!refusals.is_empty() && refusals.iter().all(|why| why.contains(reason)), "{refusals:?}");
}

const DENIED: &str = "the logon was denied";
const UNBOUND: &str = "the client is not bound to this channel";

#[tokio::test(flavor = "multi_thread")]
async fn curl_logs_its_connection_on_with_ntlm_and_not_with_a_wrong_password() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    let (pki, _folder, root) = authority();
    let root = root.to_str().unwrap();
    let user = |password: &str| format!(r"{DOMAIN}\{USER}:{password}");
    let (right, wrong) = (user(PASSWORD), user("wrong"));
    for authority in [None, Some(&pki)] {
        let server = Server::start(NTLM, authority).await;
        let url = server.url(if authority.is_some() { "https" } else { "http" });
        let logging_on = |user| run(curl(&["--ntlm", "--user", user, "--cacert", root], &url));
        assert_eq!(logging_on(&right).await, LOGGED_ON_TWICE);
        assert_refused(&logging_on(&wrong).await, "401", &server, DENIED);
    }
    // It binds nothing: where every client must, it is refused.
    let server = Server::start(&format!("{NTLM}\n[ntlm]\nchannel-bindings = \"always\""), Some(&pki)).await;
    let bound = curl(&["--ntlm", "--user", &right, "--cacert", root], &server.url("https"));
    assert_refused(&run(bound).await, "401", &server, UNBOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_negotiates_with_gss_ntlmssp_and_not_with_a_wrong_password() {
    if !runnable(&[Peer::Curl]) || !runnable_with(gss::available()) {
        return;
    }
    let (pki, _folder, root) = authority();
    let root = root.to_str().unwrap();
    // What stands on its command line says only that it is to log on.
    let arguments = ["--negotiate", "--user", ":", "--cacert", root];
    for authority in [None, Some(&pki)] {
        let server = Server::start(SPNEGO, authority).await;
        let url = server.url(if authority.is_some() { "https" } else { "http" });
        let logging_on = |password| {
            let users = UserFile::new(DOMAIN, USER, password).unwrap();
            let mut launch = curl(&arguments, &url);
            launch.variables(users.variables());
            async move {
                let said = run(launch).await;
                drop(users);
                said
            }
        };
        assert_eq!(logging_on(PASSWORD).await, LOGGED_ON_TWICE);
        assert_refused(&logging_on("wrong").await, "401", &server, DENIED);
    }
    // gss-ntlmssp could bind, and curl tells it of no channel.
    let server = Server::start(&format!("{SPNEGO}\n[ntlm]\nchannel-bindings = \"always\""), Some(&pki)).await;
    let users = UserFile::new(DOMAIN, USER, PASSWORD).unwrap();
    let mut launch = curl(&arguments, &server.url("https"));
    launch.variables(users.variables());
    assert_refused(&run(launch).await, "401", &server, UNBOUND);
}

/// It puts the requests of many users into one connection: what authenticates connections says so, and lets nobody in.
#[tokio::test(flavor = "multi_thread")]
async fn curl_does_not_log_on_over_http_2() {
    if !runnable(&[Peer::Curl]) {
        return;
    }
    let user = format!(r"{DOMAIN}\{USER}:{PASSWORD}");
    for (configuration, option) in [(NTLM, "--ntlm"), (NEGOTIATE, "--negotiate")] {
        let server = Server::start(configuration, None).await;
        let mut launch = Launch::new("curl", Stdout::Data);
        launch.arguments(["--silent", "--http2-prior-knowledge", option, "--user", &user]);
        launch.arguments(["--write-out", "%{http_code} %{http_version}\n", &server.url("http")]);
        let said = run(launch).await;
        assert!(said.ends_with("505 2\n") && !said.contains(USER), "{option}: {said}");
    }
}

/// A proxy asks with another status, and what is said to it is for nobody behind it.
#[tokio::test(flavor = "multi_thread")]
async fn curl_logs_on_to_a_proxy() {
    if !runnable(&[Peer::Curl]) || !runnable_with(gss::available()) {
        return;
    }
    for (configuration, option) in [(NTLM, "--proxy-ntlm"), (SPNEGO, "--proxy-negotiate")] {
        let server = Server::start_proxy(configuration).await;
        let proxy = server.url("http");
        for password in [PASSWORD, "wrong"] {
            let users = UserFile::new(DOMAIN, USER, password).unwrap();
            let named = format!(r"{DOMAIN}\{USER}:{password}");
            let user = if configuration == NTLM { &named } else { ":" };
            let arguments = ["--proxy", &proxy, option, "--proxy-user", user, "--noproxy", ""];
            let mut launch = curl(&arguments, "http://www.example/");
            launch.variables(users.variables());
            let said = run(launch).await;
            match password {
                PASSWORD => assert_eq!(said, LOGGED_ON_TWICE, "{option}"),
                _ => assert_refused(&said, "407", &server, DENIED),
            }
        }
    }
}

/// What requests-ntlm comes to.
async fn requests_ntlm(url: &str, password: &str, authority: Option<&Path>) -> String {
    requests_ntlm_with("bound", url, password, authority).await
}

async fn requests_ntlm_with(binding: &str, url: &str, password: &str, authority: Option<&Path>) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_ntlm.py");
    let mut launch = Launch::new(&Library::Pyspnego.python().unwrap(), Stdout::Data);
    launch.arguments(["-B", script, "client", url, &format!(r"{DOMAIN}\{USER}"), password, binding]);
    launch.arguments(authority.map(|file| file.to_str().unwrap()));
    run(launch).await
}

const TWICE: &str =
    "{\"status\": 200, \"text\": \"alice a=1\"}\n{\"status\": 200, \"text\": \"alice a=1\"}\n";

const NOT_ONCE: &str =
    "{\"status\": 401, \"text\": \"who are you?\\n\"}\n{\"status\": 401, \"text\": \"who are you?\\n\"}\n";

/// It says NTLM also where it is asked to negotiate.
#[tokio::test(flavor = "multi_thread")]
async fn requests_ntlm_logs_on_in_clear_and_over_tls_bound_to_the_certificate() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let (pki, _folder, root) = authority();
    for package in [NTLM, NEGOTIATE] {
        let server = Server::start(package, None).await;
        let url = server.url("http");
        assert_eq!(requests_ntlm(&url, PASSWORD, None).await, TWICE, "{package}");
        assert_eq!(requests_ntlm(&url, "wrong", None).await, NOT_ONCE, "{package}");
        assert_refusals(&server, DENIED);
        let bound = format!("{package}\n[ntlm]\nchannel-bindings = \"always\"");
        let server = Server::start(&bound, Some(&pki)).await;
        let url = server.url("https");
        assert_eq!(requests_ntlm(&url, PASSWORD, Some(&root)).await, TWICE, "{package}");
        assert_eq!(requests_ntlm(&url, "wrong", Some(&root)).await, NOT_ONCE, "{package}");
        assert_refusals(&server, DENIED);
    }
}

/// It can be told to bind nothing. It says nothing of bindings then, and must not where every client has to.
#[tokio::test(flavor = "multi_thread")]
async fn requests_ntlm_that_is_not_bound_is_taken_unless_bindings_are_required() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let (pki, _folder, root) = authority();
    for package in [NTLM, NEGOTIATE] {
        for (policy, comes_to) in [("when-supported", TWICE), ("never", TWICE), ("always", NOT_ONCE)] {
            let configuration = format!("{package}\n[ntlm]\nchannel-bindings = \"{policy}\"");
            let server = Server::start(&configuration, Some(&pki)).await;
            let said = requests_ntlm_with("unbound", &server.url("https"), PASSWORD, Some(&root)).await;
            assert_eq!(said, comes_to, "{configuration}");
            match policy {
                "always" => assert_refusals(&server, UNBOUND),
                _ => assert_eq!(server.refusals(), [] as [String; 0], "{configuration}"),
            }
        }
    }
}

/// A server of pyspnego, over TLS where it is certified: then it takes nobody who is bound to another certificate.
fn pyspnego(protocol: &str, authority: Option<&Pki>) -> (Process, u16, TempDir) {
    let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
    let mut launch = Launch::new(&Library::Pyspnego.python().unwrap(), Stdout::Data);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/http_ntlm.py");
    let account = format!("{DOMAIN}:{USER}:{PASSWORD}");
    launch.arguments(["-B", script, "server", &port.to_string(), &account, protocol]);
    if let Some(authority) = authority {
        let own = authority.server("localhost").issue();
        let file = folder.path().join("server.pem");
        std::fs::write(&file, own.chain_pem() + &own.key_pem()).unwrap();
        launch.argument(file.to_str().unwrap());
    }
    let mut process = launch.start().unwrap();
    assert_eq!(process.read_line().unwrap().as_deref().map(str::trim), Some("ready"), "{}", process.log());
    (process, port, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_on_to_a_server_of_pyspnego_and_not_with_a_wrong_password() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let pki = Pki::new();
    for (package, protocol) in [("NTLM", "ntlm"), ("Negotiate", "negotiate")] {
        for authority in [None, Some(&pki)] {
            let (process, port, _folder) = pyspnego(protocol, authority);
            let mut ours = client(package, PASSWORD, port, authority).await;
            for _ in 0..2 {
                let answer = ask(&mut ours, "POST", "/", "a=1").await;
                let answer = answer.unwrap_or_else(|error| panic!("{package}: {error}\n{}", process.log()));
                assert_eq!(answer, r"CORP\alice a=1", "{package}");
            }
            let mut ours = client(package, "wrong", port, authority).await;
            let error = ask(&mut ours, "POST", "/", "a=1").await.unwrap_err().to_string();
            assert!(
                error.contains("refused the logon") || error.contains("does not let this client in"),
                "{error}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_on_another_channel_is_refused_by_pyspnego_and_taken_on_none() {
    if !Library::Pyspnego.runnable() {
        return;
    }
    let pki = Pki::new();
    for (package, protocol) in [("NTLM", "ntlm"), ("Negotiate", "negotiate")] {
        let (mut process, port, _folder) = pyspnego(protocol, Some(&pki));
        let mut ours = client_bound(BoundTo::Nothing, package, PASSWORD, port, Some(&pki)).await;
        let answer = ask(&mut ours, "POST", "/", "a=1").await;
        let answer = answer.unwrap_or_else(|error| panic!("{package}: {error}\n{}", process.log()));
        assert_eq!(answer, r"CORP\alice a=1", "{package}");
        let mut ours = client_bound(BoundTo::Another, package, PASSWORD, port, Some(&pki)).await;
        let error = ask(&mut ours, "POST", "/", "a=1").await.unwrap_err().to_string();
        assert!(
            error.contains("refused the logon") || error.contains("does not let this client in"),
            "{error}"
        );
        process.wait_for("BadBindingsError").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_on_to_apache_with_mod_auth_gssapi_and_not_with_a_wrong_password() {
    if !runnable_with(apache::gssapi_available()) {
        return;
    }
    let pki = Pki::new();
    let apache = Apache::start(&pki.server("localhost").issue()).unwrap();
    for package in ["NTLM", "Negotiate"] {
        for (port, authority) in [(apache.port(), None), (apache.tls_port(), Some(&pki))] {
            let mut ours = client(package, PASSWORD, port, authority).await;
            for _ in 0..2 {
                let answer = ask(&mut ours, "GET", apache::GSSAPI, "").await;
                let answer = answer.unwrap_or_else(|error| panic!("{package}: {error}\n{}", apache.log()));
                assert_eq!(answer, "secret\n", "{package}");
            }
            let (scheme, attributes) = ours.authenticated().unwrap();
            assert_eq!((scheme, &*attributes.package_info().name), (package, "NTLM"));
            let mut ours = client(package, "wrong", port, authority).await;
            let error = ask(&mut ours, "GET", apache::GSSAPI, "").await.unwrap_err().to_string();
            assert!(
                error.contains("refused the logon") || error.contains("does not let this client in"),
                "{error}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_logs_on_to_apache_as_a_proxy_and_not_with_a_wrong_password() {
    if !runnable_with(apache::gssapi_available()) {
        return;
    }
    let apache = Apache::start(&Pki::new().server("localhost").issue()).unwrap();
    let (proxy, page) = (apache.gssapi_proxy_port(), apache.behind_proxy());
    for package in ["NTLM", "Negotiate"] {
        let mut ours = client(package, PASSWORD, proxy, None).await.to_proxy();
        for _ in 0..2 {
            let answer = ask(&mut ours, "GET", &page, "").await;
            let answer = answer.unwrap_or_else(|error| panic!("{package}: {error}\n{}", apache.log()));
            assert_eq!(answer, "secret\n", "{package}");
        }
        let mut ours = client(package, "wrong", proxy, None).await.to_proxy();
        let error = ask(&mut ours, "GET", &page, "").await.unwrap_err().to_string();
        assert!(
            error.contains("refused the logon") || error.contains("does not let this client in"),
            "{error}"
        );
    }
}
