//! What the tests of the package share: both ends with a fixed clock and fixed randomness, and a client written anew, which
//! can leave things out.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part of this module"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crypto::hash::{Hash, md4};
use crypto::mac::hmac;
use opensspi_ntlm::messages::{
    AuthenticateMessage, AvId, AvPairs, ChallengeMessage, NegotiateFlags, NegotiateMessage, NtlmV2Temp, utf16,
};
use opensspi_ntlm::{Environment, NoSecrets, NtHash, Ntlm, NtlmConfig, Random, Reflection};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AccountSecret, AuthData, AuthIdentity, ChannelBindings,
    Clock, CredentialUse, CredentialsHandle, CredentialsRequest, Error, FoundAccount, InitializeRequest,
    InitializeSecurityContext, IscReq, LogonRequest, LogonVerdict, PackageInfo, Question, Secret,
    SecurityContext, SecurityPackage, Step,
};
use test_support::{FixedClock, SeededRandom};

pub const USER: &str = "alice";
pub const DOMAIN: &str = "CORP";
pub const PASSWORD: &str = "correct horse battery staple";

struct TestClock(FixedClock);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

struct TestRandom(Mutex<SeededRandom>);

impl Random for TestRandom {
    fn fill(&self, out: &mut [u8]) -> Result<(), crypto::random::RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

/// A package with a clock of its own.
pub struct World {
    pub clock: FixedClock,
    pub package: Ntlm,
}

/// A package with this configuration; seeds tell packages apart. Both ends are in one process, which clients refuse unless they
/// are told otherwise.
pub fn world(seed: u64, change: impl FnOnce(&mut NtlmConfig)) -> World {
    let clock = FixedClock::default();
    let mut config = NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() };
    change(&mut config);
    let environment = Environment {
        clock: Arc::new(TestClock(clock.clone())),
        random: Arc::new(TestRandom(Mutex::new(SeededRandom::new(seed)))),
        secrets: Arc::new(NoSecrets),
        host_name: Some("server.corp.example".into()),
    };
    World { clock, package: Ntlm::new(config, environment) }
}

pub fn identity(user: &str, domain: &str, password: &str) -> AuthData {
    let password = Secret::new(password.to_owned());
    AuthData::Identity(AuthIdentity { user: user.into(), domain: domain.into(), password })
}

impl World {
    pub fn outbound(&self, auth_data: AuthData) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let request =
            CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
        self.package.acquire_credentials_handle(&request)
    }

    pub fn client(&self, password: &str, request: &InitializeRequest) -> Box<dyn InitializeSecurityContext> {
        self.outbound(identity(USER, DOMAIN, password)).unwrap().initialize(request).unwrap()
    }

    pub fn server(&self, request: &AcceptRequest) -> Box<dyn AcceptSecurityContext> {
        let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
        self.package.acquire_credentials_handle(&inbound).unwrap().accept(request).unwrap()
    }

    pub fn info(&self) -> &PackageInfo {
        self.package.package_info()
    }
}

pub fn sealed() -> InitializeRequest {
    InitializeRequest { flags: IscReq::CONFIDENTIALITY | IscReq::INTEGRITY, ..InitializeRequest::default() }
}

pub fn bindings(name: &[u8]) -> Option<ChannelBindings> {
    Some(ChannelBindings::tls_server_end_point(name))
}

pub fn account(name: &str, domain: &str) -> FoundAccount {
    Account { name: name.into(), domain: Some(domain.into()), ..Account::default() }.into()
}

/// One account, with its NT hash.
pub fn one_account(request: &LogonRequest) -> Result<LogonVerdict, Error> {
    if !request.user.eq_ignore_ascii_case(USER) {
        return Ok(LogonVerdict::NoAccount);
    }
    let hash = *NtHash::of_password(PASSWORD).as_bytes();
    let secrets = vec![AccountSecret::NtHash(Secret::new(hash))];
    Ok(LogonVerdict::Known { account: account(USER, DOMAIN), secrets })
}

pub type Database<'a> = &'a dyn Fn(&LogonRequest) -> Result<LogonVerdict, Error>;

/// A server's next call, its question answered.
pub fn accept(
    server: &mut dyn AcceptSecurityContext,
    token: &[u8],
    database: Database<'_>,
) -> Result<Step, Error> {
    match server.accept_security_context(token).map_err(|failure| failure.error)? {
        Step::Ask(Question::Logon(ask)) => {
            let verdict = database(ask.question());
            ask.answer(verdict);
            server.accept_security_context(token).map_err(|failure| failure.error)
        }
        step => Ok(step),
    }
}

pub fn token(step: Result<Step, Error>) -> Vec<u8> {
    match step.unwrap() {
        Step::Continue { token, .. } | Step::Complete { token, .. } => token,
        step => panic!("{step:?}"),
    }
}

pub fn complete(step: Result<Step, Error>) -> (Box<dyn SecurityContext>, Vec<u8>) {
    match step.unwrap() {
        Step::Complete { context, token, .. } => (context, token),
        step => panic!("{step:?}"),
    }
}

pub fn step(client: &mut dyn InitializeSecurityContext, token: &[u8]) -> Result<Step, Error> {
    client.initialize_security_context(token).map_err(|failure| failure.error)
}

/// The three tokens of a handshake up to the server's verdict.
pub struct Tokens {
    pub negotiate: Vec<u8>,
    pub challenge: Vec<u8>,
    pub authenticate: Vec<u8>,
    pub context: Box<dyn SecurityContext>,
}

/// Runs both ends up to the server's verdict.
pub fn run(client: &mut dyn InitializeSecurityContext, server: &mut dyn AcceptSecurityContext) -> Tokens {
    let negotiate = token(step(client, &[]));
    let challenge = token(accept(server, &negotiate, &one_account));
    let (context, authenticate) = complete(step(client, &challenge));
    Tokens { negotiate, challenge, authenticate, context }
}

/// Both contexts, or what the server says.
pub fn handshake(
    client: &mut dyn InitializeSecurityContext,
    server: &mut dyn AcceptSecurityContext,
) -> Result<[Box<dyn SecurityContext>; 2], Error> {
    let tokens = run(client, server);
    match accept(server, &tokens.authenticate, &one_account)? {
        Step::Complete { context, token, .. } => {
            assert!(token.is_empty());
            Ok([tokens.context, context])
        }
        step => panic!("{step:?}"),
    }
}

/// A client that knows a password and nothing else of the package: what it says is the test's to choose.
pub struct HandMade<'a> {
    pub user: &'a str,
    pub password: &'a str,
    pub flags: NegotiateFlags,
    /// What stands in its answer, beside what the server has said.
    pub pairs: AvPairs<'a>,
    /// What it leaves out of that.
    pub forgets: &'a [AvId],
    pub lm_response: &'a [u8],
    pub has_mic: bool,
}

impl<'a> HandMade<'a> {
    pub const FLAGS: NegotiateFlags = NegotiateFlags(0xe208_8235);

    pub fn new(pairs: AvPairs<'a>) -> Self {
        Self {
            user: USER,
            password: PASSWORD,
            flags: Self::FLAGS,
            pairs,
            forgets: &[],
            lm_response: &[0; 24],
            has_mic: false,
        }
    }

    pub fn negotiate(flags: NegotiateFlags) -> Vec<u8> {
        NegotiateMessage { flags, domain: &[], workstation: &[], version: None }.to_bytes().unwrap()
    }

    pub fn authenticate(&self, negotiate: &[u8], challenge: &[u8]) -> Vec<u8> {
        let message = ChallengeMessage::decode(challenge).unwrap();
        let mac = |key: &[u8], parts: &[&[u8]]| hmac(Hash::Md5, key, parts).as_ref().to_vec();
        let hash = md4(&utf16(self.password));
        let name = [utf16(&self.user.to_uppercase()), utf16(DOMAIN)].concat();
        let key = mac(hash.as_ref(), &[&name]);
        let mut pairs = message.av_pairs().unwrap();
        let timestamp = pairs.timestamp().unwrap();
        self.forgets.iter().for_each(|id| pairs.remove(*id));
        self.pairs.iter().for_each(|pair| pairs.set(pair.id, pair.value));
        let temp = NtlmV2Temp { timestamp, client_challenge: [3; 8], av_pairs: pairs };
        let temp = temp.to_bytes().unwrap();
        let proof = mac(&key, &[&message.server_challenge, &temp]);
        let base = mac(&key, &[&proof]);
        let exported = [9; 16];
        let mut encrypted = exported;
        crypto::cipher::Rc4::new(&base).unwrap().apply(&mut encrypted);
        let nt_response = [&proof[..], &temp].concat();
        let [user, domain] = [self.user, DOMAIN].map(utf16);
        let answer = AuthenticateMessage {
            lm_response: self.lm_response,
            nt_response: &nt_response,
            domain: &domain,
            user: &user,
            workstation: &[],
            encrypted_random_session_key: &encrypted,
            flags: self.flags.intersection(message.flags),
            version: None,
            mic: self.has_mic.then_some([0; 16]),
        };
        let mut token = answer.to_bytes().unwrap();
        if self.has_mic {
            let code = mac(&exported, &[negotiate, challenge, &token]);
            token[AuthenticateMessage::MIC_RANGE].copy_from_slice(&code);
        }
        token
    }

    /// What a server says to it.
    pub fn log_on(&self, server: &mut dyn AcceptSecurityContext) -> Result<Step, Error> {
        let negotiate = Self::negotiate(self.flags);
        let challenge = token(accept(server, &negotiate, &one_account));
        accept(server, &self.authenticate(&negotiate, &challenge), &one_account)
    }
}
