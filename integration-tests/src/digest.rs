//! The package Digest against real peers: our two ends, and as much of HTTP as carries its tokens.

#![expect(clippy::panic, reason = "what a test configures wrongly fails the test")]

pub mod base64;
pub mod http;

use std::sync::Arc;

use digest::{Digest, DigestConfig, Environment, NoSecrets};
use opensspi::SystemClock;
use sspi_core::{
    AcceptSecurityContext, Account, AuthData, AuthIdentity, CredentialUse, CredentialsHandle,
    CredentialsRequest, DigestAccount, DigestLogon, DigestSecret, DigestUser, Failure, Question, SecBuffer,
    SecBufferType, Secret, SecurityContext, SecurityPackage, Step,
};

use crate::peers::driven::Driven;

/// The realm of our servers, and of the peers'.
pub const REALM: &str = "corp.test";
/// Who there is.
pub const USER: &str = "alice";
/// Her password.
pub const PASSWORD: &str = "alice-pw";

/// Somebody whose name is not ASCII: the user of RFC 7616 section 3.9.2.
pub const STRANGER: &str = "Jäsøn Doe";
/// His password.
pub const STRANGERS_PASSWORD: &str = "Secret, or whoa?";

/// Names and passwords that are not ASCII. DIGEST-MD5 hashes each of the two in ISO 8859-1 where that has all its characters, and
/// in UTF-8 where it has not: both, the name, the password, neither.
pub const NAMES_BEYOND_ASCII: [(&str, &str); 4] =
    [("Jäsøn", "Pässwörd"), ("Jürgen", "Kennwort €"), ("Łukasz", "Pässwörd"), ("Пётр", "пароль")];

const ACCOUNTS: [(&str, &str); 2] = [(USER, PASSWORD), (STRANGER, STRANGERS_PASSWORD)];

/// Every algorithm, protection and cipher that there is, by name.
pub const EVERYTHING: &str = "\
algorithms = [\"SHA-512-256\", \"SHA-512-256-sess\", \"SHA-256\", \"SHA-256-sess\", \"MD5\", \"MD5-sess\"]
qop = [\"auth-conf\", \"auth-int\", \"auth\", \"none\"]
ciphers = [\"3des\", \"rc4\", \"des\", \"rc4-56\", \"rc4-40\"]
";

fn package(section: &str) -> Digest {
    let config: DigestConfig = toml::from_str(section).unwrap_or_else(|error| panic!("{error}"));
    let environment = Environment {
        clock: Arc::new(SystemClock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: Some("localhost".to_owned()),
    };
    Digest::new(config, environment)
}

/// A server with this section of a configuration, beside its realm.
///
/// # Panics
///
/// If the section cannot be read or used.
#[must_use]
pub fn server(section: &str) -> Arc<dyn CredentialsHandle> {
    let package = package(&format!("realm = \"{REALM}\"\n{section}"));
    let request = CredentialsRequest::configured(CredentialUse::Inbound);
    package.acquire_credentials_handle(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// A client with this section of a configuration.
///
/// # Panics
///
/// If the section cannot be read or used.
#[must_use]
pub fn client(section: &str, password: &str) -> Arc<dyn CredentialsHandle> {
    client_as(section, USER, password)
}

/// The same as somebody else.
///
/// # Panics
///
/// If the section cannot be read or used.
#[must_use]
pub fn client_as(section: &str, user: &str, password: &str) -> Arc<dyn CredentialsHandle> {
    let password = Secret::new(password.to_owned());
    let auth_data =
        AuthData::Identity(AuthIdentity { user: user.to_owned(), domain: String::new(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    package(section).acquire_credentials_handle(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// A call of a server, with the question for the account answered.
///
/// # Errors
///
/// Those of the package.
pub fn advance(server: &mut dyn AcceptSecurityContext, input: &[u8]) -> Result<Step, Failure> {
    match server.accept_security_context(input)? {
        Step::Ask(Question::DigestSecret(ask)) => {
            let found = look_up(ask.question());
            ask.answer(Ok(found));
            server.accept_security_context(input)
        }
        step => Ok(step),
    }
}

/// What a handshake says that is not over.
///
/// # Panics
///
/// If it is.
#[must_use]
pub fn continued(step: Step) -> Vec<u8> {
    match step {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

/// The context of a handshake, and what it says last.
///
/// # Panics
///
/// If it is not over.
#[must_use]
pub fn completed(step: Step) -> (Box<dyn SecurityContext>, Vec<u8>) {
    match step {
        Step::Complete { context, token, .. } => (context, token),
        other => panic!("{other:?}"),
    }
}

/// Messages in both directions, several times.
///
/// # Panics
///
/// If one does not come out as it went in.
pub fn talk(ours: &mut dyn SecurityContext, theirs: &mut Driven) {
    let failed = |what: &dyn std::fmt::Display| -> Vec<u8> { panic!("{what}") };
    for text in [&b"a line"[..], &[7; 3000], b"x"] {
        let sealed = theirs.wrap(text).unwrap_or_else(|error| failed(&error));
        let opened = unwrap(ours, sealed.get(4..).unwrap_or_default());
        assert_eq!(opened.unwrap_or_else(|error| failed(&error)), text);
        let sealed = wrap(ours, text).unwrap_or_else(|error| failed(&error));
        assert_eq!(theirs.unwrap(&sealed).unwrap_or_else(|error| failed(&error)), text);
    }
}

fn look_up(logon: &DigestLogon) -> Option<DigestAccount> {
    let is_meant = |user: &str| match &logon.user {
        DigestUser::Names(names) => names.iter().any(|name| name == user),
        DigestUser::Hashed(hash) => *hash == digest::user_hash(logon.algorithm, user, &logon.realm),
        _ => false,
    };
    let mut accounts = ACCOUNTS.into_iter().chain(NAMES_BEYOND_ASCII);
    let (user, password) = accounts.find(|(user, _)| is_meant(user))?;
    Some(DigestAccount {
        account: Account { name: user.to_owned(), ..Account::default() }.into(),
        user: user.to_owned(),
        secret: DigestSecret::Password(Secret::new(password.to_owned())),
        report: None,
    })
}

/// A message as SASL sends it over a stream: its length, and what the context made of it.
///
/// # Errors
///
/// Those of the context.
pub fn wrap(context: &mut dyn SecurityContext, text: &[u8]) -> Result<Vec<u8>, sspi_core::Error> {
    let start = 4;
    let end = start + text.len();
    let mut memory = [&[0; 4], text, &[0; 26]].concat();
    let mut buffers = [
        SecBuffer::new(SecBufferType::DATA, start..end),
        SecBuffer::new(SecBufferType::TOKEN, end..memory.len()),
    ];
    context.encrypt_message(sspi_core::QualityOfProtection::Default, &mut memory, &mut buffers)?;
    memory.truncate(buffers.map(|buffer| buffer.range().end).into_iter().max().unwrap_or(end));
    let length = u32::try_from(memory.len() - start).unwrap_or(u32::MAX).to_be_bytes();
    memory.splice(..start, length);
    Ok(memory)
}

/// What is in a message without its length.
///
/// # Errors
///
/// Those of the context.
pub fn unwrap(context: &mut dyn SecurityContext, message: &[u8]) -> Result<Vec<u8>, sspi_core::Error> {
    let mut memory = message.to_vec();
    let whole = SecBuffer::new(SecBufferType::STREAM, 0..memory.len());
    let mut buffers = [whole, SecBuffer::new(SecBufferType::DATA, 0..0)];
    context.decrypt_message(&mut memory, &mut buffers)?;
    let [_, data] = buffers;
    Ok(memory.get(data.range()).unwrap_or_default().to_vec())
}
