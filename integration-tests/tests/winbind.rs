//! NTLM logons of accounts in Active Directory: judged by Samba's winbind at our servers, and by Samba's directory where our
//! client binds to it. It takes seconds, root, and packages that are large for what they do here, so that `cargo xtask interop
//! --full` runs it, or who names it:
//!
//! ```text
//! apt-get install samba-ad-dc samba-ad-provision samba-dsdb-modules ldb-tools winbind
//! cargo nextest run -p opensspi-integration-tests --test winbind --run-ignored all
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

use std::net::TcpStream;
use std::sync::Arc;

use ntlm::NtlmConfig;
use opensspi::sspi_core::{AuthData, AuthIdentity, SecStatus, Secret};
use opensspi::{Error, Sspi};
use opensspi_integration_tests::ldap::{Mechanism, Session};
use opensspi_integration_tests::peers::runnable_with;
use opensspi_integration_tests::peers::samba::{BASE, Samba};
use opensspi_integration_tests::tokens;
use sspi_core::{
    Account, CredentialUse, CredentialsHandle, CredentialsRequest, InitializeRequest, SecurityPackage,
};
use test_support::Pki;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const USER_PASSWORD: &str = "Some.Pw.1";

fn client(user: &str, domain: &str, password: &str) -> Sspi {
    let identity =
        AuthIdentity { user: user.into(), domain: domain.into(), password: Secret::new(password.into()) };
    // Both ends are in this process, which a client refuses otherwise.
    let mut config = opensspi::Config::default();
    config.ntlm.reflection = opensspi::Reflection::Allow;
    Sspi::builder().config(config).package("NTLM").auth_data(AuthData::Identity(identity)).build().unwrap()
}

/// Says something over a connection; who the server says that it was.
async fn echo(client: &Sspi, server: &Sspi) -> Result<Account, Error> {
    let (near, far) = tokio::io::duplex(65_536);
    let calling = async {
        let mut stream = client.connect("host/localhost", near).await?;
        stream.write_all(b"hello").await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, Error>(answer)
    };
    let serving = async {
        let mut stream = server.accept_from("10.0.0.1:1", far).await?;
        let account = stream.security_context_token()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        Ok::<_, Error>(account)
    };
    let (called, served) = tokio::join!(calling, serving);
    let account = served?;
    assert_eq!(called?, "hello");
    Ok(account)
}

/// One controller for all of it: it takes ports that are there once, and half a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "Samba's domain controller takes root and large packages; see above"]
async fn accounts_of_a_domain_log_on_and_nobody_else() {
    if !runnable_with(Samba::available()) {
        return;
    }
    let pki = Pki::new();
    let mut samba =
        Samba::start_with_winbind(&pki.server("localhost").rsa_2048().issue(), &pki.root_pem()).unwrap();
    for name in ["alice", "dave"] {
        samba.tool(&["user", "create", name, USER_PASSWORD]).unwrap();
    }
    samba.tool(&["user", "disable", "dave"]).unwrap();
    tokio::task::block_in_place(our_client_binds_to_the_directory_and_searches_it);
    let text = format!("package = \"NTLM\"\n[logon]\nwinbind = \"{}\"\n", samba.helper().unwrap());
    let asks_wbinfo = || Sspi::from_toml(&text, ".").unwrap();
    let told = format!("{text}winbind-domain = \"CORP\"\nwinbind-domains = [\"CORP\"]\n");
    let servers = [asks_wbinfo(), Sspi::from_toml(&told, ".").unwrap()];
    for server in &servers {
        lets_in_who_has_an_account(server).await;
    }
    samba.stop();
    // They have asked something before, and one has not.
    for server in servers.into_iter().chain([asks_wbinfo()]) {
        assert_refused(
            echo(&client("alice", "CORP", USER_PASSWORD), &server).await,
            SecStatus::SEC_E_NO_AUTHENTICATING_AUTHORITY,
        );
    }
}

#[track_caller]
fn assert_refused(echoed: Result<Account, Error>, status: SecStatus) {
    match echoed.unwrap_err() {
        Error::Security(error) => assert_eq!(error.status(), status, "{error}"),
        error => panic!("{error}"),
    }
}

/// The domain of an account is called as winbind calls it, however the client writes it, or if it does not say one.
async fn lets_in_who_has_an_account(server: &Sspi) {
    for (user, domain) in [("alice", "CORP"), ("ALICE", "corp"), ("CORP\\alice", ""), ("alice", "")] {
        let account = echo(&client(user, domain, USER_PASSWORD), server).await;
        let account = account.unwrap_or_else(|error| panic!("{domain}\\{user}: {error}"));
        assert!(account.name.eq_ignore_ascii_case("alice"), "{account:?}");
        assert_eq!(account.domain.as_deref(), Some("CORP"), "{account:?}");
    }
    for (user, domain, password) in [
        ("alice", "CORP", "wrong"),
        ("alice", "", "wrong"),
        ("alice", "OTHER", USER_PASSWORD),
        ("nobody", "CORP", USER_PASSWORD),
        ("dave", "CORP", USER_PASSWORD),
    ] {
        let echoed = echo(&client(user, domain, password), server).await;
        assert_refused(echoed, SecStatus::SEC_E_LOGON_DENIED);
    }
}

fn credentials(package: &dyn SecurityPackage, user: &str, password: &str) -> Arc<dyn CredentialsHandle> {
    let password = Secret::new(password.to_owned());
    let auth_data = AuthData::Identity(AuthIdentity { user: user.into(), domain: "CORP".into(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    package.acquire_credentials_handle(&request).unwrap()
}

/// Negotiated, and as it is.
fn our_client_binds_to_the_directory_and_searches_it() {
    let negotiate: Arc<dyn SecurityPackage> = Arc::new(tokens::negotiate(NtlmConfig::default(), None));
    let ntlm: Arc<dyn SecurityPackage> = Arc::new(tokens::ntlm(NtlmConfig::default()));
    for (mechanism, package) in [(Mechanism::GSS_SPNEGO, negotiate), (Mechanism::NTLM, ntlm)] {
        let bind = |request: &InitializeRequest, user, password| {
            let stream = TcpStream::connect(("127.0.0.1", 389)).unwrap();
            Session::bind(stream, mechanism, &*credentials(&*package, user, password), request)
        };
        let sealed = tokens::sealed("ldap/localhost", &[]);
        for request in [&sealed, &tokens::signed("ldap/localhost")] {
            let mut session = bind(request, "alice", USER_PASSWORD).unwrap();
            assert!(session.is_protected());
            for _ in 0..3 {
                // Nobody finds anything here who has not logged on.
                let found = session.search(BASE, ("sAMAccountName", "dave"), "cn");
                let found = found.unwrap_or_else(|error| panic!("{mechanism:?}: {error}"));
                let [entry] = &found[..] else { panic!("{found:?}") };
                let name = format!("CN=dave,CN=Users,{BASE}");
                assert_eq!((&entry.name, &*entry.values), (&name, &["dave".to_owned()][..]));
            }
            session.end().unwrap();
        }
        for (user, password) in [("alice", "wrong"), ("nobody", USER_PASSWORD), ("dave", USER_PASSWORD)] {
            let error = bind(&sealed, user, password).err().unwrap();
            assert!(error.to_string().contains("the server answers 49"), "{mechanism:?}, {user}: {error}");
        }
    }
}
