//! OpenSSPI.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ntlm::{Environment, NoSecrets, Ntlm, NtlmConfig, Reflection};
use sspi_core::{
    AcceptRequest, Account, AccountSecret, AuthData, AuthIdentity, Clock, CredentialUse, CredentialsRequest,
    InitializeRequest, IscReq, LogonVerdict, QualityOfProtection, Question, SecBuffer, SecBufferType, Secret,
    SecurityContext, SecurityPackage, Step,
};

struct Now;

impl Clock for Now {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

fn package() -> &'static Ntlm {
    static PACKAGE: OnceLock<Ntlm> = OnceLock::new();
    PACKAGE.get_or_init(|| {
        let environment = Environment {
            clock: Arc::new(Now),
            random: Arc::new(crypto::random::SystemRandom),
            secrets: Arc::new(NoSecrets),
            host_name: None,
        };
        Ntlm::new(NtlmConfig { reflection: Reflection::Allow, ..NtlmConfig::default() }, environment)
    })
}

/// The client's end.
pub struct Ours {
    context: Box<dyn SecurityContext>,
    memory: Vec<u8>,
}

/// Credentials of both ends, and a handshake.
pub fn established() -> Ours {
    let password = || Secret::new("password".to_owned());
    let identity = AuthIdentity { user: "user".into(), domain: "DOMAIN".into(), password: password() };
    let outbound = CredentialsRequest {
        auth_data: AuthData::Identity(identity),
        ..CredentialsRequest::configured(CredentialUse::Outbound)
    };
    let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
    let request = InitializeRequest {
        flags: IscReq::CONFIDENTIALITY,
        target_name: Some("user".into()),
        ..InitializeRequest::default()
    };
    let mut client = package().acquire_credentials_handle(&outbound).unwrap().initialize(&request).unwrap();
    let mut server =
        package().acquire_credentials_handle(&inbound).unwrap().accept(&AcceptRequest::default()).unwrap();
    let Ok(Step::Continue { token, .. }) = client.initialize_security_context(&[]) else { panic!() };
    let Ok(Step::Continue { token, .. }) = server.accept_security_context(&token) else { panic!() };
    let Ok(Step::Complete { context, token, .. }) = client.initialize_security_context(&token) else {
        panic!()
    };
    let Ok(Step::Ask(Question::Logon(ask))) = server.accept_security_context(&token) else { panic!() };
    let account = Account { name: "user".into(), ..Account::default() };
    let secrets = vec![AccountSecret::Password(password())];
    ask.answer(Ok(LogonVerdict::Known { account: account.into(), secrets }));
    let Ok(Step::Complete { .. }) = server.accept_security_context(&token) else { panic!() };
    Ours { context, memory: Vec::new() }
}

impl Ours {
    fn buffers(&mut self, length: usize) -> [SecBuffer; 2] {
        self.memory.resize(16 + length, 7);
        [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..16 + length)]
    }

    pub fn encrypt(&mut self, length: usize) {
        let mut buffers = self.buffers(length);
        self.context.encrypt_message(QualityOfProtection::Default, &mut self.memory, &mut buffers).unwrap();
    }

    pub fn sign(&mut self, length: usize) {
        let mut buffers = self.buffers(length);
        self.context.make_signature(QualityOfProtection::Default, &mut self.memory, &mut buffers).unwrap();
    }
}
