//! The package Digest by configuration, over a socket that knows nothing of it.

#![cfg(all(feature = "digest", feature = "tokio"))]
#![expect(clippy::unwrap_used, reason = "the functions that tests share are tests too")]

use async_trait::async_trait;
use opensspi::sspi_core::{
    Account, AuthData, AuthIdentity, DigestAccount, DigestLogon, DigestSecret, DigestUser, Error, SecStatus,
    Secret,
};
use opensspi::sspi_tokio::AccountDatabase;
use opensspi::{Config, Sspi};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// One account.
struct Alice;

#[async_trait]
impl AccountDatabase for Alice {
    async fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        let is_alice =
            matches!(&logon.user, DigestUser::Names(names) if names.iter().any(|name| name == "alice"));
        let account = Account { name: "alice".into(), ..Account::default() };
        Ok(is_alice.then(|| DigestAccount {
            account: account.into(),
            user: "alice".into(),
            secret: DigestSecret::Password(Secret::new("wonderland".into())),
            report: None,
        }))
    }
}

fn sspi(text: &str, password: &str) -> Sspi {
    let config = Config::from_toml(&format!("package = \"Digest\"\n{text}"), "opensspi.toml").unwrap();
    let password = Secret::new(password.to_owned());
    let identity = AuthIdentity { user: "alice".into(), domain: String::new(), password };
    let builder = Sspi::builder().config(config).auth_data(AuthData::Identity(identity));
    builder.logons(Arc::new(Alice)).build().unwrap()
}

async fn echo(server: &Sspi, client: &Sspi, message: &[u8]) -> Result<Vec<u8>, opensspi::Error> {
    let (near, far) = tokio::io::duplex(1024);
    let serving = async {
        let mut stream = server.accept_from("test", far).await?;
        assert_eq!(stream.security_context_token().unwrap().name, "alice");
        let mut data = vec![0; message.len()];
        stream.read_exact(&mut data).await?;
        stream.write_all(&data).await?;
        stream.flush().await?;
        Ok::<(), opensspi::Error>(())
    };
    let calling = async {
        let mut stream = client.connect("localhost", near).await?;
        stream.write_all(message).await?;
        stream.flush().await?;
        let mut answer = vec![0; message.len()];
        stream.read_exact(&mut answer).await?;
        Ok::<_, opensspi::Error>(answer)
    };
    let (served, answer) = tokio::join!(serving, calling);
    served?;
    answer
}

#[tokio::test]
async fn an_echo_over_a_bare_socket_works_with_every_cipher() {
    for section in [
        "",
        "ciphers = [\"rc4\"]",
        "ciphers = [\"des\"]",
        "ciphers = [\"rc4-56\"]",
        "ciphers = [\"rc4-40\"]",
        "reauthentication = true",
    ] {
        let sspi = sspi(
            &format!("[digest]\nrealm = \"example.test\"\nservices = [\"localhost\"]\n{section}"),
            "wonderland",
        );
        assert_eq!(sspi.package_info().name, "WDigest");
        for message in [&b"hello"[..], &[7; 200_000]] {
            assert_eq!(echo(&sspi, &sspi, message).await.unwrap(), message, "{section}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_on_both_ends() {
    let server = sspi("[digest]\nrealm = \"example.test\"", "");
    let client = sspi("", "wrong");
    let error = echo(&server, &client, b"x").await.unwrap_err();
    assert_eq!(error.status(), Some(SecStatus::SEC_E_LOGON_DENIED), "{error}");
}

#[tokio::test]
async fn a_server_without_a_realm_says_which_setting_is_missing() {
    let without = sspi("", "wonderland");
    let error = echo(&without, &without, b"x").await.unwrap_err().to_string();
    assert!(error.contains("digest.realm"), "{error}");
}
