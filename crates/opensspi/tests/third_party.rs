//! The package of sixty lines in `docs/add-a-provider.md`, through Negotiate and by itself.

#![cfg(all(feature = "tokio", feature = "ntlm", feature = "negotiate"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

// As the page shows it.
#[rustfmt::skip]
#[path = "../../opensspi-cli/src/demo/badge.rs"]
mod badge;

use std::ops::Deref;
use std::sync::Arc;

use opensspi::sspi_core::{
    AuthData, AuthIdentity, CredentialUse, CredentialsRequest, Decrypted, Oid, PackageInfo,
    QualityOfProtection, SecBuffer, SecBufferType, SecStatus, Secret, SecurityPackage, SimplePackage, Step,
};
use opensspi::{Builder, Config, Error, FileLogons, NewAccount, Sspi};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use self::badge::Badge;

const PAGE: &str = include_str!("../../../docs/add-a-provider.md");
const SOURCE: &str = include_str!("../../opensspi-cli/src/demo/badge.rs");

#[test]
fn the_page_shows_what_is_run_here_in_sixty_lines() {
    assert!(PAGE.contains(&format!("```rust\n{SOURCE}```\n")), "the page and demo/badge.rs differ");
    assert!(SOURCE.lines().count() <= 60, "{}", SOURCE.lines().count());
    assert!(SOURCE.lines().all(|line| line.chars().count() <= 120));
}

fn nonce() -> [u8; 8] {
    *b"a number"
}

/// The package under a name and an object identifier.
fn badge(word: &'static [u8], name: &'static str, oid: &str) -> Arc<dyn SecurityPackage> {
    let as_it_is = Badge { word, nonce }.package();
    let oids = vec![Oid::from_dotted(oid).unwrap()];
    let info = PackageInfo { name: name.into(), oids, ..as_it_is.package_info().clone() };
    if info == *as_it_is.package_info() {
        return Arc::new(as_it_is);
    }
    Arc::new(SimplePackage::new(info, Badge { word, nonce }))
}

/// An application, and where its accounts are.
struct Application {
    sspi: Sspi,
    _accounts: TempDir,
}

impl Deref for Application {
    type Target = Sspi;

    fn deref(&self) -> &Sspi {
        &self.sspi
    }
}

/// An application whose configuration has these lines, with a package of its own, or without.
fn sspi(word: Option<&'static [u8]>, lines: &str) -> Application {
    let packages: Vec<_> = word.into_iter().map(|word| badge(word, "Badge", "2.999.60")).collect();
    with(&packages, lines)
}

/// The same with these packages.
fn with(packages: &[Arc<dyn SecurityPackage>], lines: &str) -> Application {
    let text = format!("package = \"Negotiate\"\n{lines}\n[ntlm]\nreflection = \"allow\"\n");
    let builder = Sspi::builder().config(Config::from_toml(&text, "opensspi.toml").unwrap());
    let builder = packages.iter().cloned().fold(builder, Builder::register);
    let password = Secret::new(PASSWORD.to_owned());
    let alice = AuthIdentity { user: "alice".into(), domain: "CORP".into(), password };
    let (logons, accounts) = logons();
    let sspi = builder.auth_data(AuthData::Identity(alice)).logons(Arc::new(logons)).build().unwrap();
    Application { sspi, _accounts: accounts }
}

const WORD: &[u8] = b"open sesame";

const PASSWORD: &str = "correct horse";

fn logons() -> (FileLogons, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logons.toml");
    let account = NewAccount { name: "alice".into(), domain: Some("CORP".into()), ..NewAccount::default() };
    FileLogons::add(&file, &account, PASSWORD).unwrap();
    (FileLogons::open(file).unwrap(), folder)
}

/// What comes back, and which package each end says that it has.
async fn echo(client: &Sspi, server: &Sspi) -> (Result<(Vec<u8>, String), Error>, Result<String, Error>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serving = async {
        let mut stream = server.accept(far).await?;
        let mut data = vec![0; MESSAGE.len()];
        stream.read_exact(&mut data).await?;
        stream.write_all(&data).await?;
        stream.flush().await?;
        Ok(stream.attributes().negotiation_info()?.package.name.to_string())
    };
    let calling = async {
        let mut stream = client.connect("host/localhost", near).await?;
        stream.write_all(MESSAGE).await?;
        stream.flush().await?;
        let mut answer = vec![0; MESSAGE.len()];
        stream.read_exact(&mut answer).await?;
        Ok((answer, stream.attributes().negotiation_info()?.package.name.to_string()))
    };
    tokio::join!(calling, serving)
}

const MESSAGE: &[u8] = &[7; 100_000];

#[tokio::test]
async fn negotiate_chooses_it_by_its_object_identifier_in_both_roles() {
    let both = sspi(Some(WORD), "");
    let oid = Oid::from_dotted("2.999.60").unwrap();
    assert_eq!(both.registry().by_oid(&oid).unwrap().package_info().name, "Badge");
    let (answer, said) = echo(&both, &both).await;
    assert_eq!(answer.unwrap(), (MESSAGE.to_vec(), "Badge".to_owned()), "NTLM comes last");
    assert_eq!(said.unwrap(), "Badge");
}

#[tokio::test]
async fn an_end_that_does_not_know_it_takes_the_next_of_the_list() {
    let (knows, knows_not) = (sspi(Some(WORD), ""), sspi(None, ""));
    for (client, server) in [(&knows, &knows_not), (&knows_not, &knows)] {
        let (answer, said) = echo(client, server).await;
        assert_eq!((answer.unwrap().1, said.unwrap()), ("NTLM".to_owned(), "NTLM".to_owned()));
    }
}

#[tokio::test]
async fn a_list_that_names_it_alone_falls_to_it_and_to_nothing_else() {
    let only = sspi(Some(WORD), "[negotiate]\npackages = [\"badge\"]");
    let (answer, said) = echo(&only, &sspi(Some(WORD), "")).await;
    assert_eq!((answer.unwrap().1, said.unwrap()), ("Badge".to_owned(), "Badge".to_owned()));
    let (answer, said) = echo(&only, &sspi(None, "")).await;
    assert!(answer.is_err() && said.is_err(), "no NTLM where it is not named");
}

/// The favourite of the client is of no use, so that both ends sign the list with the package that they have.
#[tokio::test]
async fn a_list_whose_favourite_the_server_does_not_know_falls_to_it() {
    let lines = "[negotiate]\npackages = [\"Stranger\", \"Badge\"]";
    let client =
        with(&[badge(b"another word", "Stranger", "2.999.61"), badge(WORD, "Badge", "2.999.60")], lines);
    let (answer, said) = echo(&client, &sspi(Some(WORD), "")).await;
    assert_eq!((answer.unwrap().1, said.unwrap()), ("Badge".to_owned(), "Badge".to_owned()));
}

#[tokio::test]
async fn another_word_is_no_logon() {
    let (client, server) = (sspi(Some(WORD), ""), sspi(Some(b"close sesame"), ""));
    let (_, said) = echo(&client, &server).await;
    assert_eq!(said.unwrap_err().status(), Some(SecStatus::SEC_E_LOGON_DENIED));
}

#[test]
fn messages_are_protected_and_a_handshake_says_the_same_after_its_end() {
    let package = Badge { word: WORD, nonce }.package();
    let acquire = |role| {
        let request = CredentialsRequest::configured(role);
        package.acquire_credentials_handle(&request).unwrap()
    };
    let outbound = acquire(CredentialUse::Outbound);
    assert!(outbound.accept(&Default::default()).is_err(), "credentials of the other role");
    let mut client = outbound.initialize(&Default::default()).unwrap();
    let mut server = acquire(CredentialUse::Both).accept(&Default::default()).unwrap();
    let Step::Complete { context: mut from, token, .. } = client.initialize_security_context(&[]).unwrap()
    else {
        panic!("one token");
    };
    for cut in 0..token.len() {
        let step = server.accept_security_context(&token[..cut]).unwrap();
        assert!(matches!(step, Step::Incomplete { missing: Some(missing) } if missing == token.len() - cut));
    }
    let Step::Complete { context: mut to, used: 16, .. } = server.accept_security_context(&token).unwrap()
    else {
        panic!("one token");
    };
    for result in [client.initialize_security_context(&[]), server.accept_security_context(&token)] {
        assert_eq!(result.unwrap_err().error.status(), SecStatus::SEC_E_INVALID_HANDLE);
    }

    let mut message = *b"        a message";
    let token = SecBuffer::new(SecBufferType::TOKEN, 0..8);
    let data = SecBuffer::new(SecBufferType::DATA, 8..17);
    from.encrypt_message(QualityOfProtection::Default, &mut message, &mut [token, data]).unwrap();
    assert_ne!(&message[8..], b"a message");
    let whole = || [SecBuffer::new(SecBufferType::STREAM, 0..17), SecBuffer::new(SecBufferType::DATA, 0..0)];
    let mut copy = message;
    assert_eq!(to.decrypt_message(&mut copy, &mut whole()).unwrap(), Decrypted::Message);
    assert_eq!(&copy[8..], b"a message");
    let replayed = to.decrypt_message(&mut message, &mut whole()).unwrap_err();
    assert_eq!(replayed.status(), SecStatus::SEC_E_MESSAGE_ALTERED);
}
