//! `serve --package Negotiate`: one port for whatever comes.

use std::fs;

use crate::process::{Server, run_with};

const PASSWORD: &str = "correct horse battery staple";

/// A folder with an account, and configurations of a server that takes it and of a client that has it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let logons = folder.path().join("logons.toml");
    let add = ["account", "add", "alice", "--domain", "CORP", "--file", logons.to_str().unwrap()];
    run_with(&add, format!("{PASSWORD}\n").as_bytes(), &[]).expect(0);
    fs::write(folder.path().join("password"), PASSWORD).unwrap();
    fs::write(folder.path().join("server.toml"), "[logon]\naccounts = \"file:logons.toml\"\n").unwrap();
    let client = "[ntlm]\nuser = 'CORP\\alice'\npassword = \"file:password\"\n";
    fs::write(folder.path().join("client.toml"), client).unwrap();
    folder
}

#[test]
fn an_echo_takes_spnego_ntlm_and_tls_on_one_port() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let server = Server::start(&["--package", "Negotiate", "--config", &path("server.toml")]);
    let pin = format!("sha256:{}", server.pin);
    let (client, address) = (path("client.toml"), server.address());
    let no_proof = ["no: NTLM has no proof of who the server is", "[server-not-verified]"];
    for (arguments, verified) in [
        (&["--package", "Negotiate", "--config", &client][..], no_proof),
        (&["--package", "NTLM", "--config", &client], no_proof),
        (&["--pin", &pin], ["yes: the certificate is one of those that are pinned", "[pinned]"]),
    ] {
        let arguments = [&["connect", &address], arguments].concat();
        let ran = run_with(&arguments, b"an echo\n", &[]).expect(0);
        assert_eq!(ran.out, "an echo\n", "{arguments:?}\n{}", ran.err);
        assert!(verified.iter().all(|said| ran.err.contains(said)), "{arguments:?}\n{}", ran.err);
    }
    // What was chosen has proved it, and not Negotiate.
    fs::write(folder.path().join("tls.toml"), "[negotiate]\npackages = [\"Schannel\", \"NTLM\"]\n").unwrap();
    let tls = path("tls.toml");
    let arguments =
        ["--json", "connect", &address, "--package", "Negotiate", "--config", &tls, "--pin", &pin, "-c", "x"];
    let ran = run_with(&arguments, b"", &[]).expect(0);
    assert!(ran.out.contains("yes: the certificate is one of those that are pinned"), "{}", ran.out);
    let (code, events) = server.stop();
    assert_eq!(code, 0);
    let summary = events.last().unwrap();
    assert_eq!((&summary["completed"], &summary["refused"]), (&4.into(), &0.into()), "{summary}");
}

#[test]
fn a_page_is_for_whoever_logs_on_and_for_whoever_comes_with_tls_where_both_are_named() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let named =
        "[negotiate]\npackages = [\"Schannel\", \"NTLM\"]\n[logon]\naccounts = \"file:logons.toml\"\n";
    fs::write(folder.path().join("server.toml"), named).unwrap();
    let server = Server::start(&["--http", "--package", "Negotiate", "--config", &path("server.toml")]);
    let plain = format!("http://localhost:{}/", server.port);
    let password = format!("file:{}", path("password"));
    let arguments =
        ["get", &plain, "--package", "Negotiate", "--user", r"CORP\alice", "--password", &password];
    let ran = run_with(&arguments, b"", &[]).expect(0);
    assert!(ran.out.contains("alice"), "{}", ran.out);
    let secure = format!("https://localhost:{}/", server.port);
    let ran = run_with(&["get", &secure, "--pin", &format!("sha256:{}", server.pin)], b"", &[]).expect(0);
    assert!(ran.out.contains("TLS 1.3"), "{}", ran.out);
}

#[test]
fn a_service_behind_it_is_for_whoever_logs_on_and_not_for_whoever_comes_with_tls() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let behind = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let behind = behind.local_addr().unwrap().to_string();
    let config = path("server.toml");
    let server = Server::start(&["--package", "Negotiate", "--config", &config, "--forward", &behind]);
    assert_eq!(server.pin, "", "no certificate is made");
    run_with(&["connect", &server.address(), "--pin", &"0".repeat(64)], b"", &[]).expect(4);
    let (_, events) = server.stop();
    let summary = events.last().unwrap();
    assert_eq!((&summary["completed"], &summary["refused"]), (&0.into(), &1.into()), "{summary}");
}
