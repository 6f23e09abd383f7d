//! NTLM over sockets, by configuration: the same application that runs Schannel, with another word in its file.

#![cfg(all(feature = "tokio", feature = "ntlm"))]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use opensspi::sspi_core::{CredentialUse, SecStatus};
use opensspi::{Config, Error, FileLogons, NewAccount, Sspi};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: &str = "correct horse battery staple";

/// A folder with a file of accounts, and a password in another file.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let account = NewAccount { name: "alice".into(), domain: Some("CORP".into()), ..NewAccount::default() };
    FileLogons::add(folder.path().join("logons.toml"), &account, PASSWORD).unwrap();
    std::fs::write(folder.path().join("password"), format!("{PASSWORD}\n")).unwrap();
    std::fs::write(folder.path().join("wrong"), "wrong").unwrap();
    folder
}

fn server(folder: &Path) -> Sspi {
    let text =
        "package = \"NTLM\"\n[logon]\naccounts = \"file:logons.toml\"\n[ntlm.lock-out]\nfailures = 3\n";
    Sspi::from_toml(text, folder).unwrap()
}

fn client(folder: &Path, password: &str) -> Sspi {
    let text = format!(
        "package = \"NTLM\"\n[ntlm]\nuser = 'CORP\\alice'\npassword = \"file:{password}\"\nreflection = \"allow\"\n"
    );
    Sspi::from_toml(&text, folder).unwrap()
}

/// What comes back over a connection, and who the server says that it was.
async fn echo(client: &Sspi, server: &Sspi, message: &[u8]) -> Result<(Vec<u8>, String), (Error, Error)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = server.clone();
    let serving = tokio::spawn(async move {
        let (socket, peer) = listener.accept().await.unwrap();
        let mut stream = server.accept_from(&peer.to_string(), socket).await?;
        let account = stream.security_context_token()?;
        let mut data = Vec::new();
        stream.read_to_end(&mut data).await?;
        stream.write_all(&data).await?;
        stream.shutdown().await?;
        Ok::<_, Error>(format!("{}\\{}", account.domain.unwrap_or_default(), account.name))
    });
    let calling = async {
        let socket = TcpStream::connect(address).await?;
        let mut stream = client.connect("host/localhost", socket).await?;
        stream.write_all(message).await?;
        stream.shutdown().await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, Error>(answer)
    };
    match (calling.await, serving.await.unwrap()) {
        (Ok(answer), Ok(account)) => Ok((answer, account)),
        (Err(client), Err(server)) => Err((client, server)),
        (client, server) => panic!("{client:?} {server:?}"),
    }
}

fn status(error: &Error) -> SecStatus {
    match error {
        Error::Security(error) => error.status(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_echo_comes_back_over_a_socket_and_the_account_is_known() {
    let folder = folder();
    let (client, server) = (client(folder.path(), "password"), server(folder.path()));
    assert_eq!(server.package_info().name, "NTLM");
    let message: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let (answer, account) = echo(&client, &server, &message).await.unwrap();
    assert_eq!((answer, account.as_str()), (message, "CORP\\alice"));
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_three_of_them_lock_the_account_out_from_there() {
    let folder = folder();
    let server = server(folder.path());
    for _ in 0..3 {
        let (at_client, at_server) = echo(&client(folder.path(), "wrong"), &server, b"").await.unwrap_err();
        assert_eq!(status(&at_server), SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(status(&at_client), SecStatus::SEC_E_LOGON_DENIED, "the frame of the error says it");
    }
    let (_, at_server) = echo(&client(folder.path(), "password"), &server, b"").await.unwrap_err();
    assert_eq!(status(&at_server), SecStatus::SEC_E_LOGON_DENIED);
}

#[test]
fn blocking_streams_ask_the_same_file() {
    let folder = folder();
    let (client, server) = (client(folder.path(), "password"), server(folder.path()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let stream = server.accept_blocking(socket).unwrap();
        stream.security_context_token().unwrap().name
    });
    let socket = std::net::TcpStream::connect(address).unwrap();
    client.connect_blocking("host/localhost", socket).unwrap();
    assert_eq!(serving.join().unwrap(), "alice");
}

#[test]
fn a_client_without_user_and_a_server_with_two_databases_say_which_setting() {
    let folder = folder();
    let sspi = Sspi::from_toml("package = \"NTLM\"", folder.path()).unwrap();
    let error = sspi.acquire(CredentialUse::Outbound).map(drop).unwrap_err();
    assert!(error.to_string().contains("(setting: user)"), "{error}");
    let both = "package = \"NTLM\"\n[logon]\naccounts = \"file:logons.toml\"\nwinbind = \"ntlm_auth\"\n";
    let error = Sspi::from_toml(both, folder.path()).unwrap_err();
    assert!(error.to_string().contains("(setting: logon.accounts)"), "{error}");
    let missing = "package = \"NTLM\"\n[logon]\naccounts = \"file:nobody.toml\"\n";
    let error = Sspi::from_toml(missing, folder.path()).unwrap_err();
    assert!(error.to_string().contains("the file with passwords cannot be read"), "{error}");
}

#[test]
fn settings_of_winbind_are_read_checked_and_not_left_idle() {
    let config =
        |text: &str| Config::from_toml(&format!("package = \"NTLM\"\n[logon]\n{text}"), "opensspi.toml");
    let logon = config(
        "winbind = \"ntlm_auth\"\nwinbind-deadline = \"2s\"\nwinbind-children = 3\nwinbind-domain = \"CORP\"\n\
         winbind-domains = [\"LAB\"]\nwinbind-principal-names = true\nwinbind-machines = true\n",
    );
    let logon = logon.unwrap().logon;
    assert_eq!((logon.winbind_children, logon.winbind_domain.as_deref()), (3, Some("CORP")));
    assert!(logon.winbind_principal_names && logon.winbind_machines && logon.winbind_domains == ["LAB"]);
    let default = config("").unwrap().logon;
    assert!(
        !default.winbind_principal_names && !default.winbind_machines && default.winbind_domain.is_none()
    );
    for (wrong, said) in [
        ("winbind-children = 0", "0 is no number from 1 to 1000"),
        ("winbind-domain = \"CORP\\\\x\"", "is no name of a domain"),
        ("winbind-domain = \"\"", "is no name of a domain"),
        ("winbind-domains = [\"A\", \"B/C\"]", "is no name of a domain"),
        ("winbind-machine = true", "winbind-machines"),
    ] {
        let error = config(&format!("winbind = \"ntlm_auth\"\n{wrong}\n")).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("logon"), "{error}");
    }
    for (key, value) in [
        ("winbind-deadline", "\"2s\""),
        ("winbind-children", "3"),
        ("winbind-domain", "\"CORP\""),
        ("winbind-domains", "[\"CORP\"]"),
        ("winbind-principal-names", "true"),
        ("winbind-machines", "true"),
    ] {
        let text = format!("package = \"NTLM\"\n[logon]\n{key} = {value}\n");
        let error = Sspi::from_toml(&text, ".").unwrap_err().to_string();
        assert!(error.contains(&format!("(setting: logon.{key})")), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_database_says_that_nobody_can_be_asked() {
    let folder = folder();
    let server = Sspi::from_toml("package = \"NTLM\"", folder.path()).unwrap();
    let (_, error) = echo(&client(folder.path(), "password"), &server, b"").await.unwrap_err();
    assert_eq!(status(&error), SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY);
    assert!(error.to_string().contains("(setting: logon.accounts)"), "{error}");
}

#[test]
fn a_password_in_the_configuration_itself_is_refused() {
    let text = "[ntlm]\nuser = \"alice\"\npassword = \"hunter2\"\n";
    let error = Config::from_toml(text, "opensspi.toml").unwrap_err().to_string();
    assert!(error.contains("ntlm.password names a secret") && !error.contains("hunter2"), "{error}");
    let text = "[ntlm]\nuser = \"alice\"\nnt-hash = \"a4f49c406510bdcab6824ee7c30fd852\"\n";
    let error = Config::from_toml(text, "opensspi.toml").unwrap_err().to_string();
    assert!(error.contains("ntlm.nt-hash names a secret") && !error.contains("a4f4"), "{error}");
}

#[test]
fn a_configuration_is_checked_with_the_places_of_its_mistakes() {
    let folder = folder();
    let file = folder.path().join("opensspi.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        opensspi::check_file(&file).into_iter().map(|finding| finding.message).collect::<Vec<_>>().concat()
    };
    assert_eq!(check("package = \"NTLM\"\n[logon]\naccounts = \"file:logons.toml\"\n"), "", "a server's");
    let found = check("package = \"NTLM\"\n[ntlm]\nuser = \"alice\"\npassword = \"file:missing\"\n");
    assert!(found.contains("opensspi.toml:4:12: cannot read file:missing"), "{found}");
    let found = check("[ntlm]\nlm-compatibility-level = 9\n[ntlm.lock-out]\nwindow = \"soon\"\n");
    assert!(
        found.contains("2:26") && found.contains("there are 0 to 5") && found.contains("4:10"),
        "{found}"
    );
}
