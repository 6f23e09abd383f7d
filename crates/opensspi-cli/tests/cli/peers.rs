//! `get` and `serve --http` with other makers' programs: Apache, in both of its roles; curl with gss-ntlmssp.

use std::fs;
use std::path::Path;

use opensspi_integration_tests::digest;
use opensspi_integration_tests::peers::apache::{self, Apache};
use opensspi_integration_tests::peers::gss::{self, UserFile};
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::{Peer, runnable, runnable_with};
use opensspi_integration_tests::tokens::{DOMAIN, PASSWORD, USER};
use test_support::Pki;

use crate::process::{Server, run, run_with};

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn get_logs_on_to_apache_with_ntlm_and_with_negotiate() {
    if !runnable_with(apache::gssapi_available()) {
        return;
    }
    let (pki, folder) = (Pki::new(), tempfile::tempdir().unwrap());
    let root = write(folder.path(), "root.pem", &pki.root_pem());
    let right = format!("file:{}", write(folder.path(), "right", PASSWORD));
    let wrong = format!("file:{}", write(folder.path(), "wrong", "wrong"));
    let apache = Apache::start(&pki.server("localhost").issue()).unwrap();
    let user = format!(r"{DOMAIN}\{USER}");
    for package in ["NTLM", "Negotiate"] {
        for (scheme, port) in [("http", apache.port()), ("https", apache.tls_port())] {
            let url = format!("{scheme}://localhost:{port}{}", apache::GSSAPI);
            let get = |password: &str| {
                run(&[
                    "get",
                    &url,
                    "--package",
                    package,
                    "--user",
                    &user,
                    "--password",
                    password,
                    "--ca",
                    &root,
                ])
            };
            let ran = get(&right).expect(0);
            assert_eq!(ran.out, "secret\n");
            let logged_on = format!("with {package}");
            assert!(ran.err.contains("200 OK") && ran.err.contains(&logged_on), "{}", ran.err);
            let ran = get(&wrong).expect(1);
            assert!(ran.out.is_empty(), "{}", ran.out);
        }
    }
}

#[test]
fn curl_negotiates_with_serve() {
    if !runnable(&[Peer::Curl]) || !runnable_with(gss::available()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "opensspi.toml", "[logon]\naccounts = \"file:logons.toml\"\n");
    let add = ["account", "add", USER, "--domain", DOMAIN, "--config", &config];
    run_with(&add, PASSWORD.as_bytes(), &[]).expect(0);
    let server = Server::start(&["--http", "--package", "Negotiate", "--config", &config]);
    let url = format!("http://localhost:{}/", server.port);
    for (password, expected) in [(PASSWORD, "200"), ("wrong", "401")] {
        let users = UserFile::new(DOMAIN, USER, password).unwrap();
        let mut launch = Launch::new("curl", Stdout::Data);
        launch.arguments(["--silent", "--negotiate", "--user", ":", "--write-out", "%{http_code}", &url]);
        launch.variables(users.variables());
        let mut process = launch.start().unwrap();
        let said = String::from_utf8(process.read_to_end().unwrap()).unwrap();
        assert!(process.wait().unwrap().success() && said.ends_with(expected), "{said}");
        assert_eq!(said.contains("<td>CORP/alice</td>"), password == PASSWORD, "{said}");
    }
}

#[test]
fn get_logs_on_to_apache_as_a_proxy_and_says_what_it_offers() {
    if !runnable_with(apache::gssapi_available()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let apache = Apache::start(&Pki::new().server("localhost").issue()).unwrap();
    let (page, config) =
        (apache.behind_proxy(), write(folder.path(), "c.toml", "[digest]\nalgorithms = [\"MD5\"]\n"));
    let digest = format!("localhost:{}", apache.digest_proxy_port());
    let gssapi = format!("localhost:{}", apache.gssapi_proxy_port());
    let named = format!(r"{DOMAIN}\{USER}");
    for (package, proxy, user, password) in [
        ("Digest", &digest, digest::USER, digest::PASSWORD),
        ("NTLM", &gssapi, &*named, PASSWORD),
        ("Negotiate", &gssapi, &named, PASSWORD),
    ] {
        let get = |password: &str| {
            let file = format!("file:{}", write(folder.path(), "password", password));
            let from = ["get", &page, "--proxy", proxy, "--package", package, "--config", &config];
            run(&[&from[..], &["--user", user, "--password", &file]].concat())
        };
        let ran = get(password).expect(0);
        assert_eq!(ran.out, "secret\n", "{package}");
        let ran = get("wrong").expect(1);
        let is_refusal =
            ran.err.contains("refused the logon") || ran.err.contains("does not let this client in");
        assert!(ran.out.is_empty() && is_refusal, "{package}: {}", ran.err);
    }
    let ran = run(&["get", &page, "--proxy", &digest]).expect(1);
    assert!(ran.err.contains("the proxy wants to know who asks, and offers Digest"), "{}", ran.err);
}
