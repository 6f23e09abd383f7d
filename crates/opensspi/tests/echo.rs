//! The example `echo`, under each of the files in its folder: the application stays the same, and the package changes.

#![cfg(all(
    feature = "digest",
    feature = "negotiate",
    feature = "ntlm",
    feature = "schannel",
    feature = "tokio"
))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

#[path = "../examples/echo.rs"]
#[expect(dead_code, reason = "the test has its own main")]
mod echo;

use std::fs;
use std::path::Path;

use opensspi::{FileLogons, NewAccount, Sspi};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: &str = "open sesame";

/// The files of the example's folder, with what they name beside them.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for file in files() {
        let text = fs::read(Path::new(FOLDER).join(&file)).unwrap();
        fs::write(path(&file), text).unwrap();
    }
    let pki = test_support::Pki::new();
    let server = pki.server("localhost").rsa_2048().issue();
    fs::write(path("server.pem"), server.chain_pem() + &pki.root_pem() + &server.key_pem()).unwrap();
    fs::write(path("password"), PASSWORD).unwrap();
    let account = NewAccount { name: "alice".into(), domain: Some("CORP".into()), ..NewAccount::default() };
    FileLogons::add(path("logons.toml"), &account, PASSWORD).unwrap();
    FileLogons::add_digest_realm(path("logons.toml"), "alice", Some("CORP"), "corp.example", PASSWORD)
        .unwrap();
    folder
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/echo");

/// The names of the configurations.
fn files() -> Vec<String> {
    let names = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> =
        names.filter(|name| name.ends_with(".toml") && name != "logons.toml").collect();
    files.sort_unstable();
    files
}

/// What the application is secured with: the package that is configured, the one that was negotiated, and the protocol where
/// it has one.
async fn secured(file: &Path) -> (String, String, Option<String>) {
    let sspi = Sspi::from_file(file).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(echo::serve(sspi.clone(), listener));
    for message in [&b"what comes back"[..], b"", &[7; 100_000]] {
        let socket = TcpStream::connect(address).await.unwrap();
        let answer = echo::say(&sspi, "localhost", socket, message).await;
        assert_eq!(answer.unwrap(), message, "{}", file.display());
    }
    // One more connection says what the others were.
    let stream = sspi.connect("localhost", TcpStream::connect(address).await.unwrap()).await.unwrap();
    serving.abort();
    let attributes = stream.attributes();
    let negotiated = attributes.negotiation_info().map(|info| info.package.name.to_string());
    let protocol = attributes.connection_info().ok().map(|info| info.protocol.to_string());
    let configured = sspi.package_info().name.to_string();
    (configured.clone(), negotiated.unwrap_or(configured), protocol)
}

#[tokio::test]
async fn one_application_runs_under_eight_configurations() {
    let folder = folder();
    let expected = [
        ("digest.toml", "WDigest", "WDigest", None),
        ("negotiate.toml", "Negotiate", "NTLM", None),
        ("ntlm.toml", "NTLM", "NTLM", None),
        ("pct10.toml", "Schannel", "Schannel", Some("PCT 1.0")),
        ("ssl20.toml", "Schannel", "Schannel", Some("SSL 2.0")),
        ("ssl30.toml", "Schannel", "Schannel", Some("SSL 3.0")),
        ("tls10.toml", "Schannel", "Schannel", Some("TLS 1.0")),
        ("tls13.toml", "Schannel", "Schannel", Some("TLS 1.3")),
    ];
    assert_eq!(files(), expected.map(|(file, ..)| file));
    for (file, configured, negotiated, protocol) in expected {
        let found = secured(&folder.path().join(file)).await;
        let found = (found.0.as_str(), found.1.as_str(), found.2.as_deref());
        assert_eq!(found, (configured, negotiated, protocol), "{file}");
    }
}

#[test]
fn both_ends_of_the_application_have_fewer_than_sixty_lines() {
    let lines = include_str!("../examples/echo.rs").lines().count();
    assert!(lines < 60, "{lines}");
}

/// Nothing in it depends on a package: what does, stands in the files.
#[test]
fn the_application_names_no_package() {
    let text = include_str!("../examples/echo.rs").to_ascii_lowercase();
    for word in ["schannel", "tls", "ssl", "pct", "ntlm", "digest", "negotiate", "kerberos"] {
        assert!(!text.replace("opensspi", "").contains(word), "{word}");
    }
}
