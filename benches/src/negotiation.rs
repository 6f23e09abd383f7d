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
/// The list of mechanisms with NTLM alone, in bytes.
const LIST: usize = 14;

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
    /// A handshake, and behind it what the list and its signatures come to: each end signs as much, and looks at the other's.
    Signing,
    /// A handshake, and a message each way behind it; where there is a list, both ends sign it.
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
        let send = match connection {
            Connection::Unsigned | Connection::Signed => return,
            Connection::Signing => sign,
            Connection::Talking => talk,
        };
        send(&mut *client, &mut *server).expect("a message");
        send(&mut *server, &mut *client).expect("a message");
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

/// Signs as many bytes as a list with NTLM alone has.
fn sign(from: &mut dyn SecurityContext, to: &mut dyn SecurityContext) -> Result<(), Error> {
    let mut memory = [0; SIGNATURE + LIST];
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, 0..SIGNATURE),
        SecBuffer::new(SecBufferType::DATA, SIGNATURE..SIGNATURE + LIST),
    ];
    from.make_signature(QualityOfProtection::Default, &mut memory, &mut buffers)?;
    to.verify_signature(&memory, &buffers).map(drop)
}

/// Negotiate adds at most ten percent to the time of the package that it chose.
const AIM: f64 = 0.909;

/// What Negotiate leaves of the connections that NTLM makes in a second.
///
/// The aim is for the rows that compare equal work: what NTLM does at both sides is the same, its signatures included. The others
/// say what the signatures of the list cost: beside a connection with a message each way, and beside one without any, for which
/// NTLM alone makes no keys at all.
#[must_use]
pub fn negotiation(effort: Effort) -> Vec<Row> {
    use Connection::{Signed, Signing, Talking, Unsigned};
    let (ours, theirs) = (NtlmPair::negotiated(), NtlmPair::direct());
    let rows = [
        ("the list not signed", Unsigned, Unsigned, AIM, None),
        ("the list signed, NTLM signs as much", Signed, Signing, AIM, None),
        ("the list signed, a message each way", Talking, Talking, 0.80, Some("NTLM alone signs no list")),
        ("the list signed, no message", Signed, Signed, 0.50, Some("NTLM alone makes no keys")),
    ];
    rows.into_iter()
        .map(|(name, at_ours, at_theirs, aim, note)| {
            let name = format!("Negotiate over NTLM, {name}");
            let one = |pair: &NtlmPair, connection| {
                pair.connect(connection);
                1.0
            };
            let (ours, theirs) = (|| one(&ours, at_ours), || one(&theirs, at_theirs));
            let row = compare(effort, name, "connections/s", aim, ours, theirs);
            Row { note: note.map(str::to_owned), ..row }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever does not connect has nothing to measure.
    #[test]
    fn every_connection_that_is_measured_comes_about_with_negotiate_and_without() {
        for pair in [NtlmPair::negotiated(), NtlmPair::direct()] {
            for connection in
                [Connection::Unsigned, Connection::Signed, Connection::Signing, Connection::Talking]
            {
                pair.connect(connection);
            }
        }
    }
}
