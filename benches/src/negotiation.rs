//! Negotiate over NTLM beside NTLM alone: what the choice of a package costs.
//!
//! Both ends are in the one process, and every logon is answered at once. Theirs is NTLM as it is.

use std::sync::Arc;
use std::time::SystemTime;

use negotiate::{Negotiate, NegotiateConfig};
use ntlm::{Environment, NoSecrets, NtHash, Ntlm, NtlmConfig, Reflection};
use sspi_core::{
    AcceptRequest, Account, AccountSecret, AuthData, AuthIdentity, Clock, CredentialUse, CredentialsHandle,
    CredentialsRequest, Error, Failure, InitializeRequest, IscReq, LogonVerdict, QualityOfProtection,
    Question, Registry, SecBuffer, SecBufferType, Secret, SecurityContext, SecurityPackage, Step,
};

use crate::{Effort, Row, compare};

const PASSWORD: &str = "open sesame";
/// The data of a message, in bytes.
const MESSAGE: usize = 200;
const SIGNATURE: usize = 16;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn ntlm() -> Ntlm {
    // Both ends have the challenges of one process.
    let config = NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() };
    let environment = Environment {
        clock: Arc::new(SystemClock),
        random: Arc::new(crypto::random::SystemRandom),
        secrets: Arc::new(NoSecrets),
        host_name: Some("server.corp.example".into()),
    };
    Ntlm::new(config, environment)
}

/// What a connection is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The handshake alone, by a caller who wants no signatures: the list is not signed.
    Unsigned,
    /// The handshake alone; both ends sign the list.
    Signed,
    /// The same, and a message each way behind it.
    Talking,
}

/// The contexts of client and server.
type BothEnds = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

/// Credentials of both ends.
pub struct NtlmPair {
    client: Arc<dyn CredentialsHandle>,
    server: Arc<dyn CredentialsHandle>,
    hash: NtHash,
}

#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark whose handshake fails has nothing to measure"
)]
impl NtlmPair {
    /// NTLM as it is.
    #[must_use]
    pub fn direct() -> Self {
        Self::of(&ntlm())
    }

    /// Negotiate, with NTLM to choose from.
    #[must_use]
    pub fn negotiated() -> Self {
        let mut registry = Registry::new();
        registry.register(Arc::new(ntlm())).expect("the only package");
        Self::of(&Negotiate::new(NegotiateConfig::default(), registry))
    }

    fn of(package: &dyn SecurityPackage) -> Self {
        let password = Secret::new(PASSWORD.to_owned());
        let identity = AuthIdentity { user: "alice".into(), domain: "CORP".into(), password };
        let outbound = CredentialsRequest {
            auth_data: AuthData::Identity(identity),
            ..CredentialsRequest::configured(CredentialUse::Outbound)
        };
        let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
        let acquire =
            |request: &CredentialsRequest| package.acquire_credentials_handle(request).expect("credentials");
        Self { client: acquire(&outbound), server: acquire(&inbound), hash: NtHash::of_password(PASSWORD) }
    }

    /// One connection.
    pub fn connect(&self, connection: Connection) {
        let signs = connection != Connection::Unsigned;
        let flags = if signs { IscReq::INTEGRITY | IscReq::CONFIDENTIALITY } else { IscReq::NO_INTEGRITY };
        let target_name = Some("HTTP/www.example.com".to_owned());
        let request = InitializeRequest { target_name, flags, ..InitializeRequest::default() };
        let (mut client, mut server) = self.handshake(&request).expect("a handshake");
        if connection == Connection::Talking {
            talk(&mut *client, &mut *server).expect("a message");
            talk(&mut *server, &mut *client).expect("a message");
        }
    }

    fn handshake(&self, request: &InitializeRequest) -> Result<BothEnds, Failure> {
        let mut initiate = self.client.initialize(request)?;
        let mut accept = self.server.accept(&AcceptRequest::default())?;
        let (mut at_client, mut at_server) = (None, None);
        let mut token = Vec::new();
        while at_client.is_none() || at_server.is_none() {
            if at_client.is_none() {
                token = match initiate.initialize_security_context(&token)? {
                    Step::Continue { token, .. } => token,
                    Step::Complete { context, token, .. } => {
                        at_client = Some(context);
                        token
                    }
                    other => panic!("{other:?}"),
                };
            }
            while at_server.is_none() {
                match accept.accept_security_context(&token)? {
                    Step::Continue { token: next, .. } => token = next,
                    Step::Complete { context, token: last, .. } => {
                        at_server = Some(context);
                        token = last;
                    }
                    Step::Ask(question) => {
                        self.answer(question);
                        continue;
                    }
                    other => panic!("{other:?}"),
                }
                break;
            }
        }
        Ok(at_client.zip(at_server).expect("both ends are complete"))
    }

    fn answer(&self, question: Question) {
        let Question::Logon(ask) = question else { panic!("NTLM asks about logons: {question:?}") };
        let account = Account { name: "alice".into(), domain: Some("CORP".into()), ..Account::default() };
        let secrets = vec![AccountSecret::NtHash(Secret::new(*self.hash.as_bytes()))];
        ask.answer(Ok(LogonVerdict::Known { account: account.into(), secrets }));
    }
}

fn talk(from: &mut dyn SecurityContext, to: &mut dyn SecurityContext) -> Result<(), Error> {
    let mut memory = [0; SIGNATURE + MESSAGE];
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..SIGNATURE),
        SecBuffer::new(SecBufferType::DATA, SIGNATURE..SIGNATURE + MESSAGE),
    ];
    from.encrypt_message(QualityOfProtection::Default, &mut memory, &mut buffers)?;
    to.decrypt_message(&mut memory, &mut buffers).map(drop)
}

/// What Negotiate leaves of the connections that NTLM makes in a second.
///
/// Where the list is signed, both ends make keys for both directions, which NTLM alone makes with the first message: a
/// connection without one pays for keys that it does not need.
#[must_use]
pub fn negotiation(effort: Effort) -> Vec<Row> {
    let (ours, theirs) = (NtlmPair::negotiated(), NtlmPair::direct());
    let rows = [
        (Connection::Unsigned, "the list not signed", 0.85, None),
        (Connection::Talking, "the list signed, a message each way", 0.82, None),
        (Connection::Signed, "the list signed, no message", 0.50, Some("NTLM alone makes no keys here")),
    ];
    rows.into_iter()
        .map(|(connection, name, aim, note)| {
            let name = format!("Negotiate over NTLM, {name}");
            let one = |pair: &NtlmPair| {
                pair.connect(connection);
                1.0
            };
            let row = compare(effort, name, "connections/s", aim, || one(&ours), || one(&theirs));
            Row { note: note.map(str::to_owned), ..row }
        })
        .collect()
}
