//! A server and its clients, with accounts in memory, a clock that a test moves and randomness that repeats itself.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every test file is a crate of its own and uses a part"
)]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opensspi_digest::response::Response;
use opensspi_digest::{
    Digest, DigestConfig, Environment, Random, RandomError, Secrets, hashed_a1, user_hash,
};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AuthData, AuthIdentity, Clock, CredentialUse,
    CredentialsHandle, CredentialsRequest, DigestAccount, DigestLogon, DigestSecret, DigestUser, Error,
    Failure, FoundAccount, HttpRequest, InitializeRequest, InitializeSecurityContext, LogonReport,
    QualityOfProtection, Question, ReceivingHalf, SecBuffer, SecBufferType, Secret, SecurityContext,
    SecurityPackage, SendingHalf, Step,
};
use test_support::{FixedClock, SeededRandom};
use zeroize::Zeroizing;

/// The realm of the server.
pub const REALM: &str = "example.test";

/// Who there is, and with which password; the last one is disabled.
pub const USERS: [(&str, &str); 6] = [
    ("alice", "wonderland"),
    ("Mufasa", "Circle of Life"),
    ("Jäsøn Doe", "Secret, or nöt?"),
    ("CORP\\bob", "builder"),
    ("łukasz", "zażółć"),
    ("carol", "disabled"),
];

struct TestClock(FixedClock);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

pub struct Seeded(pub Mutex<SeededRandom>);

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

/// Files whose content is their name.
struct Files;

impl Secrets for Files {
    fn read(&self, reference: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        let name = reference.strip_prefix("file:").ok_or(io::ErrorKind::NotFound)?;
        Ok(Zeroizing::new(format!("{name}\n").into_bytes()))
    }
}

/// A package for each end, and what is outside of them.
pub struct Fixture {
    pub clock: FixedClock,
    pub server: Arc<dyn CredentialsHandle>,
    client_package: Digest,
    /// What the database keeps: passwords, or hashes.
    pub keeps_hashes: bool,
    /// What the database heard.
    pub heard: Arc<Mutex<Vec<bool>>>,
}

/// A configuration from the text of its section.
pub fn config(text: &str) -> DigestConfig {
    toml::from_str(text).unwrap()
}

impl Fixture {
    pub fn new(server: &str, client: &str) -> Self {
        Self::on(server, client, Some("mail.example.test"))
    }

    /// On a machine with this name.
    pub fn on(server: &str, client: &str, host_name: Option<&str>) -> Self {
        let clock = FixedClock::at_unix(1_700_000_000);
        let environment = Environment {
            clock: Arc::new(TestClock(clock.clone())),
            random: Arc::new(Seeded(Mutex::new(SeededRandom::new(3)))),
            secrets: Arc::new(Files),
            host_name: host_name.map(str::to_owned),
        };
        let server = format!("realm = \"{REALM}\"\n{server}");
        let package = Digest::new(config(&server), environment.clone());
        let request = CredentialsRequest::configured(CredentialUse::Inbound);
        let server = package.acquire_credentials_handle(&request).unwrap();
        let client_package = Digest::new(config(client), environment);
        Self { clock, server, client_package, keeps_hashes: false, heard: Arc::default() }
    }

    pub fn client(&self, user: &str, password: &str) -> Arc<dyn CredentialsHandle> {
        let auth_data = AuthData::Identity(AuthIdentity {
            user: user.into(),
            domain: String::new(),
            password: Secret::new(password.into()),
        });
        let request =
            CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
        self.client_package.acquire_credentials_handle(&request).unwrap()
    }

    /// A client as whom the configuration says.
    pub fn configured_client(&self) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let request = CredentialsRequest::configured(CredentialUse::Outbound);
        self.client_package.acquire_credentials_handle(&request)
    }

    /// What a database answers.
    pub fn look_up(&self, logon: &DigestLogon) -> Option<DigestAccount> {
        let is_meant = |user: &str| match &logon.user {
            DigestUser::Names(names) => names.iter().any(|name| name == user),
            DigestUser::Hashed(hash) => user_hash(logon.algorithm, user, &logon.realm) == *hash,
            _ => false,
        };
        let (user, password) = USERS.into_iter().find(|(user, _)| is_meant(user))?;
        let secret = if self.keeps_hashes {
            let hash =
                hashed_a1(logon.algorithm, user.as_bytes(), logon.realm.as_bytes(), password.as_bytes());
            DigestSecret::HashedA1(hash)
        } else {
            DigestSecret::Password(Secret::new(password.into()))
        };
        let account =
            Account { name: user.into(), upn: Some("known@example.test".into()), ..Account::default() };
        let account = FoundAccount { is_disabled: user == "carol", ..account.into() };
        let heard = Arc::clone(&self.heard);
        let report = LogonReport::new(move |is_proved| heard.lock().unwrap().push(is_proved));
        Some(DigestAccount { account, user: user.into(), secret, report: Some(report) })
    }

    pub fn accept(&self, request: &AcceptRequest) -> Box<dyn AcceptSecurityContext> {
        self.server.accept(request).unwrap()
    }

    /// A server's call, with the question about the account answered.
    pub fn advance(&self, server: &mut dyn AcceptSecurityContext, input: &[u8]) -> Result<Step, Failure> {
        match server.accept_security_context(input)? {
            Step::Ask(Question::DigestSecret(ask)) => {
                let found = self.look_up(ask.question());
                ask.answer(Ok(found));
                server.accept_security_context(input)
            }
            step => Ok(step),
        }
    }

    /// A challenge of the server, as it answers a request without an `Authorization`.
    pub fn challenge(&self, request: &AcceptRequest) -> Vec<u8> {
        continues(self.accept(request).accept_security_context(&[]))
    }

    /// What the server says to an `Authorization`.
    pub fn authorize(&self, request: &AcceptRequest, authorization: &[u8]) -> Result<Step, Failure> {
        self.advance(&mut *self.accept(request), authorization)
    }
}

pub fn continues(step: Result<Step, Failure>) -> Vec<u8> {
    match step.unwrap() {
        Step::Continue { token, .. } => token,
        other => panic!("{other:?}"),
    }
}

pub fn completes(step: Result<Step, Failure>) -> (Box<dyn SecurityContext>, Vec<u8>) {
    match step.unwrap() {
        Step::Complete { context, token, .. } => (context, token),
        other => panic!("{other:?}"),
    }
}

pub fn fails(step: Result<Step, Failure>) -> Failure {
    step.map(|step| format!("{step:?}")).unwrap_err()
}

/// A client's context and a server's.
pub type Contexts = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

/// What changes a response.
pub type Change = (&'static str, fn(&mut Response));

/// Client's and server's contexts of SASL.
pub fn run(
    fixture: &Fixture,
    client: &mut dyn InitializeSecurityContext,
    server: &mut dyn AcceptSecurityContext,
) -> Result<Contexts, Error> {
    let error = |failure: Failure| failure.error;
    let mut token = Vec::new();
    let mut at_server = None;
    for _ in 0..10 {
        match client.initialize_security_context(&token).map_err(error)? {
            Step::Continue { token: response, used } => {
                assert_eq!(used, token.len());
                match fixture.advance(server, &response).map_err(error)? {
                    Step::Continue { token: challenge, used } => {
                        assert_eq!(used, response.len());
                        token = challenge;
                    }
                    Step::Complete { context, token: proof, used } => {
                        assert_eq!(used, response.len());
                        (at_server, token) = (Some(context), proof);
                    }
                    other => panic!("{other:?}"),
                }
            }
            Step::Complete { context, token: nothing, .. } => {
                assert!(nothing.is_empty());
                return Ok((context, at_server.unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it does not come to an end")
}

pub fn client_request(http: HttpRequest) -> InitializeRequest {
    InitializeRequest {
        target_name: Some("http/server".into()),
        http: Some(http),
        ..InitializeRequest::default()
    }
}

pub fn server_request(http: HttpRequest) -> AcceptRequest {
    AcceptRequest { http: Some(http), ..AcceptRequest::default() }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A message of DIGEST-MD5.
pub fn seal(sender: &mut dyn SendingHalf, text: &[u8]) -> Vec<u8> {
    let mut memory = [text, &[0; 26]].concat();
    let mut buffers = [
        SecBuffer::new(SecBufferType::DATA, 0..text.len()),
        SecBuffer::new(SecBufferType::TOKEN, text.len()..memory.len()),
    ];
    sender.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers).unwrap();
    memory.truncate(buffers[1].range().end);
    memory
}

pub fn open(receiver: &mut dyn ReceivingHalf, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = message.to_vec();
    let whole = SecBuffer::new(SecBufferType::STREAM, 0..memory.len());
    let mut buffers = [whole, SecBuffer::new(SecBufferType::DATA, 0..0)];
    receiver.decrypt_message(&mut memory, &mut buffers)?;
    Ok(memory[buffers[1].range()].to_vec())
}
