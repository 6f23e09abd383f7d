//! Negotiate by configuration, over a socket and in one process.

#![cfg(all(feature = "tokio", feature = "ntlm", feature = "negotiate"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use opensspi::sspi_core::{self, SecStatus};
use opensspi::{Error, FileLogons, NewAccount, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const PASSWORD: &str = "correct horse battery staple";

/// A folder with a file of accounts, and a password in another file.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let account = NewAccount { name: "alice".into(), domain: Some("CORP".into()), ..NewAccount::default() };
    FileLogons::add(folder.path().join("logons.toml"), &account, PASSWORD).unwrap();
    std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    folder
}

fn server(folder: &Path, package: &str, negotiate: &str) -> Sspi {
    let text = format!(
        "package = \"{package}\"\n[logon]\naccounts = \"file:logons.toml\"\n[ntlm]\nreflection = \"allow\"\n{negotiate}"
    );
    Sspi::from_toml(&text, folder).unwrap()
}

fn client(folder: &Path, package: &str, negotiate: &str) -> Sspi {
    let text = format!(
        "package = \"{package}\"\n[ntlm]\nuser = 'CORP\\alice'\npassword = \"file:password\"\nreflection = \"allow\"\n{negotiate}"
    );
    Sspi::from_toml(&text, folder).unwrap()
}

/// What comes back, and which package both ends say that they have.
async fn echo(client: &Sspi, server: &Sspi) -> (Result<Vec<u8>, Error>, Result<String, Error>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serving = async {
        let mut stream = server.accept(far).await?;
        let name = stream.attributes().negotiation_info()?.package.name.to_string();
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await?;
        stream.write_all(&data).await?;
        stream.shutdown().await?;
        Ok(format!("{name} {}", stream.security_context_token()?.name))
    };
    let calling = async {
        let mut stream = client.connect("host/localhost", near).await?;
        stream.write_all(b"an echo").await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    tokio::join!(calling, serving)
}

fn security(result: Result<String, Error>) -> sspi_core::Error {
    match result {
        Err(Error::Security(error)) => error,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn an_echo_comes_back_by_the_package_that_both_have() {
    let folder = folder();
    let folder = folder.path();
    for (at_client, at_server) in [("Negotiate", "Negotiate"), ("NTLM", "Negotiate")] {
        let ends = (client(folder, at_client, ""), server(folder, at_server, ""));
        let (answer, said) = echo(&ends.0, &ends.1).await;
        assert_eq!((answer.unwrap(), said.unwrap()), (b"an echo".to_vec(), "NTLM alice".to_owned()));
    }
}

#[tokio::test]
async fn where_ntlm_is_denied_nothing_is_said_and_nothing_is_taken() {
    let folder = folder();
    let folder = folder.path();
    let deny = "[negotiate]\nntlm = \"deny\"\n";
    let (client, server) = (client(folder, "Negotiate", ""), server(folder, "Negotiate", deny));
    let (_, said) = echo(&client, &server).await;
    let error = security(said);
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("negotiate.ntlm")));
}

/// The folder with a certificate of a server and its authority, too.
#[cfg(feature = "schannel")]
fn folder_with_certificates() -> tempfile::TempDir {
    let folder = folder();
    let pki = test_support::Pki::new();
    let issued = pki.server("localhost").rsa_2048().issue();
    std::fs::write(folder.path().join("ca.pem"), pki.root_pem()).unwrap();
    std::fs::write(folder.path().join("server.pem"), issued.chain_pem() + &issued.key_pem()).unwrap();
    folder
}

#[cfg(feature = "schannel")]
const CERTIFICATES: &str = "[[schannel.certificates]]\nchain = \"server.pem\"\nkey = \"file:server.pem\"\n";

/// Who says what it is to whom, in one line: `client/server`.
#[cfg(feature = "schannel")]
async fn spoken(client: &Sspi, server: &Sspi) -> String {
    let (near, far) = tokio::io::duplex(1 << 16);
    let said = |stream: &opensspi::SecureStream<tokio::io::DuplexStream>| {
        let info = stream.attributes().negotiation_info();
        info.map_or("-".to_owned(), |info| format!("{} {}", info.package.name, info.protocol))
    };
    let serving = async {
        let mut stream = server.accept(far).await.unwrap();
        let mut data = [0; 7];
        stream.read_exact(&mut data).await.unwrap();
        stream.write_all(&data).await.unwrap();
        stream.flush().await.unwrap();
        said(&stream)
    };
    let calling = async {
        let mut stream = client.connect("localhost", near).await.unwrap();
        stream.write_all(b"an echo").await.unwrap();
        stream.flush().await.unwrap();
        let mut data = [0; 7];
        stream.read_exact(&mut data).await.unwrap();
        assert_eq!(&data, b"an echo");
        said(&stream)
    };
    let (client, server) = tokio::join!(calling, serving);
    format!("{client}/{server}")
}

#[cfg(feature = "schannel")]
#[tokio::test]
async fn one_listener_takes_spnego_and_ntlm_in_frames_and_every_hello_without() {
    let folder = folder_with_certificates();
    let folder = folder.path();
    let museum = "[schannel]\nprofile = \"museum\"\ni-accept-drown = true\n";
    let whatever = format!("[negotiate]\npackages = [\"Schannel\", \"NTLM\"]\n{museum}{CERTIFICATES}");
    let server = server(folder, "Negotiate", &whatever);
    for package in ["Negotiate", "NTLM"] {
        let client = client(folder, package, "");
        assert_eq!(spoken(&client, &server).await, "NTLM none/NTLM none", "{package}");
    }
    for (protocol, name) in [
        ("tls1.3", "TLS 1.3"),
        ("tls1.2", "TLS 1.2"),
        ("tls1.1", "TLS 1.1"),
        ("tls1.0", "TLS 1.0"),
        ("ssl3", "SSL 3.0"),
        ("pct1", "PCT 1.0"),
        ("ssl2", "SSL 2.0"),
    ] {
        let roots = "[schannel]\nprofile = \"museum\"\nroots = [\"ca.pem\"]\n";
        let direct = client(folder, "Schannel", &format!("{roots}protocols = [\"{protocol}\"]\n"));
        assert_eq!(spoken(&direct, &server).await, format!("-/Schannel {name}"));
        let negotiate = format!(
            "[negotiate]\npackages = [\"Schannel\", \"NTLM\"]\nprotocols = [\"{protocol}\"]\n{roots}"
        );
        let negotiating = client(folder, "Negotiate", &negotiate);
        assert_eq!(spoken(&negotiating, &server).await, format!("Schannel {name}/Schannel {name}"));
    }
}

#[cfg(feature = "schannel")]
#[test]
fn one_blocking_listener_takes_frames_and_a_stream() {
    let folder = folder_with_certificates();
    let folder = folder.path();
    let whatever = format!("[negotiate]\npackages = [\"Schannel\", \"NTLM\"]\n{CERTIFICATES}");
    let server = server(folder, "Negotiate", &whatever);
    let clients =
        [client(folder, "Negotiate", ""), client(folder, "Schannel", "[schannel]\nroots = [\"ca.pem\"]\n")];
    for (client, expected) in clients.iter().zip(["NTLM", "Schannel"]) {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let said = std::thread::scope(|scope| {
            let serving = scope.spawn(|| {
                let stream = server.accept_blocking(far).unwrap();
                stream.attributes().negotiation_info().unwrap().package.name
            });
            let _stream = client.connect_blocking("localhost", near).unwrap();
            serving.join().unwrap()
        });
        assert_eq!(said, expected);
    }
}

#[cfg(feature = "schannel")]
#[test]
fn the_protocols_of_negotiate_are_checked_when_the_configuration_is_read() {
    let folder = folder();
    let file = folder.path().join("opensspi.toml");
    let begin = "package = \"Negotiate\"\n[negotiate]\npackages = [\"Schannel\"]\n";
    for (protocols, expected) in [
        ("protocols = [\n\"tls1.2\",\n\"tls1.1\"]\n", ["opensspi.toml:6:1:", "Did you mean tls1.2?"]),
        ("protocols = [\"tls1.4\"]\n", ["opensspi.toml:4:14:", "did you mean \"tls1.3\"?"]),
        ("protocols = [\"tls1.0..tls1.4\"]\n", ["opensspi.toml:4:14:", "did you mean \"tls1.3\"?"]),
        ("protocols = [\"tls1.2..tls1.0\"]\n", ["opensspi.toml:4:14:", "write \"tls1.0..tls1.2\""]),
        ("protocols = []\n", ["opensspi.toml:4:13: negotiate.protocols:", "none could be spoken"]),
    ] {
        std::fs::write(&file, format!("{begin}{protocols}")).unwrap();
        for error in [
            Sspi::from_file(&file).unwrap_err().to_string(),
            opensspi::check_file(&file).iter().map(|finding| finding.message.as_str()).collect(),
        ] {
            assert!(expected.iter().all(|part| error.contains(part)), "{error}");
        }
    }
    for protocols in ["\"tls1.2\"", "\"tls1.2..tls1.3\""] {
        std::fs::write(&file, format!("{begin}protocols = [{protocols}]\n")).unwrap();
        assert!(Sspi::from_file(&file).is_ok(), "{protocols}");
    }
}

#[test]
fn a_list_of_no_packages_is_a_mistake_with_its_line() {
    let folder = folder();
    let file = folder.path().join("opensspi.toml");
    for (list, place) in [
        ("packages = []\n", "opensspi.toml:3:12: negotiate.packages:"),
        ("[[negotiate.targets]]\ntarget = \"*\"\npackages = []\n", "opensspi.toml:5:12: negotiate.targets"),
        (
            "[[negotiate.listeners]]\nlistener = \"*\"\n\npackages = []\n",
            "opensspi.toml:6:12: negotiate.listeners",
        ),
    ] {
        std::fs::write(&file, format!("package = \"Negotiate\"\n[negotiate]\n{list}")).unwrap();
        for error in [
            Sspi::from_file(&file).unwrap_err().to_string(),
            opensspi::check_file(&file).iter().map(|finding| finding.message.as_str()).collect(),
        ] {
            assert!(error.contains(place) && error.contains("leave `packages` out"), "{error}");
        }
    }
}

#[test]
fn an_unknown_package_has_its_line_in_whichever_list_it_is() {
    let folder = folder();
    let file = folder.path().join("opensspi.toml");
    for (list, line) in [
        ("packages = [\"NTLM\",\n\"NTML\"]\n", 4),
        ("[[negotiate.targets]]\ntarget = \"*\"\npackages = [\"NTML\"]\n", 5),
        ("[[negotiate.listeners]]\nlistener = \"*\"\n\npackages = [\"NTLM\", \"NTML\"]\n", 6),
    ] {
        std::fs::write(&file, format!("package = \"Negotiate\"\n[negotiate]\n{list}")).unwrap();
        let error = Sspi::from_file(&file).unwrap_err().to_string();
        let place = format!("opensspi.toml:{line}:");
        assert!(error.contains(&place) && error.contains("did you mean \"NTLM\"?"), "{error}");
        let findings = opensspi::check_file(&file);
        assert!(findings.iter().any(|finding| finding.message.contains(&place)), "{findings:?}");
    }
}

#[tokio::test]
async fn a_listener_has_rules_of_its_own() {
    let folder = folder();
    let folder = folder.path();
    let rules = "[[negotiate.listeners]]\nlistener = \"*:389\"\nntlm = \"deny\"\n";
    let text = format!(
        "package = \"Negotiate\"\n[logon]\naccounts = \"file:logons.toml\"\n[ntlm]\nreflection = \"allow\"\n{rules}"
    );
    let config = opensspi::Config::from_toml(&text, "opensspi.toml").unwrap();
    let server = |listener: &str| {
        Sspi::builder().config(config.clone()).base(folder).listener(listener).build().unwrap()
    };
    let client = client(folder, "Negotiate", "");
    let (answer, _) = echo(&client, &server("192.0.2.1:143")).await;
    assert_eq!(answer.unwrap(), b"an echo");
    let (_, said) = echo(&client, &server("192.0.2.1:389")).await;
    let error = security(said);
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("negotiate.ntlm")));
}

#[test]
fn a_package_that_there_is_not_is_an_error_with_the_nearest_name() {
    for (list, expected) in [
        ("packages = [\"NTML\"]", "did you mean \"NTLM\"?"),
        (
            "packages = [\"Kerberos\", \"NTLM\"]",
            "Kerberos comes in a later version (setting: negotiate.packages)",
        ),
        ("[[negotiate.targets]]\ntarget = \"*\"\npackages = [\"NTML\"]", "did you mean \"NTLM\"?"),
    ] {
        let text = format!("package = \"Negotiate\"\n[negotiate]\n{list}\n");
        let error = Sspi::from_toml(&text, "").unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_mistake_in_a_file_has_its_line() {
    let folder = folder();
    let file = folder.path().join("opensspi.toml");
    std::fs::write(&file, "package = \"Negotiate\"\n\n[negotiate]\npackages = [\"NTML\"]\n").unwrap();
    let findings = opensspi::check_file(&file);
    assert!(findings.iter().any(|finding| finding.message.contains("opensspi.toml:4:")), "{findings:?}");
}

/// The targets of a client, from a file: what is denied does not leave.
#[tokio::test]
async fn a_target_has_rules_of_its_own_and_nothing_that_is_denied_leaves() {
    let folder = folder();
    let folder = folder.path();
    let rules = "[[negotiate.targets]]\ntarget = \"host@localhost\"\nntlm = \"deny\"\n";
    let (strict, open) = (client(folder, "Negotiate", rules), server(folder, "Negotiate", ""));
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let refused = strict.connect("HOST/localhost:389", near).await.map(drop);
    let error = security(refused.map(|()| String::new()));
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("negotiate.ntlm")));
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    assert!(heard.is_empty(), "{heard:x?}");
    let (near, far) = tokio::io::duplex(1 << 16);
    let (called, served) = tokio::join!(strict.connect("cifs/localhost", near), open.accept(far));
    assert!(called.is_ok() && served.is_ok());
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_use_of_ntlm_is_in_the_audit_record_where_a_file_says_so() {
    let folder = folder();
    let folder = folder.path();
    let audit = "[negotiate]\nntlm = \"audit\"\n";
    let (client, server) = (client(folder, "Negotiate", audit), server(folder, "Negotiate", audit));
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (near, far) = tokio::io::duplex(1 << 16);
    let connecting = client.connect("host/localhost", near);
    let (called, served) = tokio::join!(connecting, server.accept_from("192.0.2.7:50000", far));
    assert!(called.is_ok() && served.is_ok());
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("NTLM was negotiated")).collect();
    let [at_server, at_client]: [&str; 2] = lines.try_into().unwrap();
    for (line, peer) in [(at_server, "192.0.2.7"), (at_client, "host/localhost")] {
        for part in ["WARN", "opensspi::audit: ", "alice", &format!("peer={peer:?}"), "reason="] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}

/// What stands on the page about Negotiate is a configuration.
#[cfg(feature = "schannel")]
#[test]
fn the_configuration_on_the_page_about_negotiate_is_one() {
    let page = include_str!("../../../docs/negotiate.md");
    let (_, behind) = page.split_once("```toml\n").unwrap();
    let (text, _) = behind.split_once("```").unwrap();
    let folder = folder_with_certificates();
    let config = opensspi::Config::from_toml(text, "docs/negotiate.md").unwrap();
    assert_eq!((config.negotiate.targets.len(), config.negotiate.listeners.len()), (2, 2));
    assert!(Sspi::builder().config(config).base(folder.path()).listener("192.0.2.1:389").build().is_ok());
}
