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

#[test]
fn a_package_that_there_is_not_is_an_error_with_the_nearest_name() {
    for (list, expected) in [
        ("packages = [\"NTML\"]", "did you mean \"NTLM\"?"),
        ("packages = [\"Kerberos\", \"NTLM\"]", "there is no security package \"Kerberos\""),
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
