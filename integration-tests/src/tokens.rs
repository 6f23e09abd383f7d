//! Our two ends of a handshake in tokens that goes to another implementation step by step: NTLM as it is, or negotiated. And
//! messages in both directions behind it.

#![expect(clippy::panic, reason = "what a test configures wrongly fails the test")]

use std::sync::Arc;

use negotiate::{Negotiate, NegotiateConfig, RawPolicy};
use ntlm::{Environment, NoSecrets, Ntlm, NtlmConfig};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AccountSecret, AscRet, AuthData, AuthIdentity,
    ChannelBindings, ContextFlags, CredentialUse, CredentialsHandle, CredentialsRequest, Decrypted, Error,
    Failure, InitializeRequest, IscReq, IscRet, LogonRequest, LogonVerdict, QualityOfProtection, Question,
    Registry, SecBuffer, SecBufferType, Secret, SecurityContext, SecurityPackage, Step,
};

use crate::peers::PeerError;
use crate::peers::driven::Driven;
use crate::peers::ntlm::{End, Library};

/// Who there is.
pub const USER: &str = "alice";
/// Her domain.
pub const DOMAIN: &str = "CORP";
/// Her password.
pub const PASSWORD: &str = "correct horse";
/// Somebody of the same domain whose name and password are not ASCII.
pub const STRANGER: &str = "Jäsøn";
/// His password.
pub const STRANGERS_PASSWORD: &str = "Pässwörd €";
/// The service that clients want to talk to.
pub const TARGET: &str = "host/localhost";

/// The application data of a channel.
pub const CHANNEL: &[u8] = b"tls-server-end-point:0123456789abcdef0123456789abcdef";
/// That of another one.
pub const ANOTHER: &[u8] = b"tls-server-end-point:fedcba9876543210fedcba9876543210";

/// The bytes in front of a message of NTLM.
const SIGNATURE: usize = 16;

/// More legs than any handshake here has.
const MOST_LEGS: usize = 10;

/// NTLM, configured.
#[must_use]
pub fn ntlm(config: NtlmConfig) -> Ntlm {
    let clock = Arc::new(opensspi::SystemClock);
    let random = Arc::new(crypto::random::SystemRandom);
    let host_name = Some("localhost".to_owned());
    Ntlm::new(config, Environment { clock, random, secrets: Arc::new(NoSecrets), host_name })
}

/// Negotiate over NTLM, and over these packages, which it likes better. Nobody gets in with NTLM that was not negotiated: whoever
/// does has spoken SPNEGO.
///
/// # Panics
///
/// If one of them cannot be registered.
#[must_use]
pub fn negotiate(config: NtlmConfig, better: Option<Arc<dyn SecurityPackage>>) -> Negotiate {
    let mut registry = Registry::new();
    for package in [Some(Arc::new(ntlm(config)) as Arc<dyn SecurityPackage>), better].into_iter().flatten() {
        registry.register(package).unwrap_or_else(|error| panic!("{error}"));
    }
    let config = NegotiateConfig { raw: RawPolicy::Deny, ..NegotiateConfig::default() };
    Negotiate::new(config, registry)
}

/// The other end, as a client or as a server.
#[must_use]
pub fn other_end<'a>(is_client: bool, password: &'a str, bindings: &'a [u8]) -> End<'a> {
    End {
        is_client,
        user: USER,
        domain: DOMAIN,
        password,
        target: TARGET,
        bindings,
        is_sealed: true,
        level: None,
    }
}

/// Credentials of a client.
///
/// # Panics
///
/// If the package has none.
#[must_use]
pub fn client(package: &dyn SecurityPackage, password: &str) -> Arc<dyn CredentialsHandle> {
    client_as(package, USER, password)
}

/// The same of somebody else in the domain.
///
/// # Panics
///
/// If the package has none.
#[must_use]
pub fn client_as(package: &dyn SecurityPackage, user: &str, password: &str) -> Arc<dyn CredentialsHandle> {
    let password = Secret::new(password.to_owned());
    let auth_data = AuthData::Identity(AuthIdentity { user: user.into(), domain: DOMAIN.into(), password });
    let request = CredentialsRequest { auth_data, ..CredentialsRequest::configured(CredentialUse::Outbound) };
    package.acquire_credentials_handle(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// Credentials of a server.
///
/// # Panics
///
/// If the package has none.
#[must_use]
pub fn server(package: &dyn SecurityPackage) -> Arc<dyn CredentialsHandle> {
    let request = CredentialsRequest::configured(CredentialUse::Inbound);
    package.acquire_credentials_handle(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// What a client asks for that wants to sign and seal.
#[must_use]
pub fn sealed(target: &str, channel: &[u8]) -> InitializeRequest {
    let request = signed(target);
    let flags = request.flags | IscReq::CONFIDENTIALITY;
    InitializeRequest { flags, channel_bindings: bindings(channel), ..request }
}

/// What a client asks for that wants to sign, and nothing else.
#[must_use]
pub fn signed(target: &str) -> InitializeRequest {
    let target_name = Some(target.to_owned());
    InitializeRequest { target_name, flags: IscReq::INTEGRITY, ..InitializeRequest::default() }
}

fn bindings(data: &[u8]) -> Option<ChannelBindings> {
    (!data.is_empty()).then(|| ChannelBindings::from_application_data(data.to_vec()))
}

/// None, and a channel where the library can be told of one.
pub fn channels(library: Library) -> impl Iterator<Item = &'static [u8]> {
    [&[][..]].into_iter().chain(library.has_bindings().then_some(CHANNEL))
}

/// Why a handshake did not come about.
#[derive(Debug)]
pub enum Refused {
    /// Our end says so.
    Ours(Error),
    /// The other one does.
    Theirs(PeerError),
}

impl From<PeerError> for Refused {
    fn from(error: PeerError) -> Self {
        Self::Theirs(error)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure.error)
    }
}

/// Gives the other end the last token, if there is one: then that end must be done, too.
fn end(theirs: &mut Driven, token: &[u8], is_done: bool) -> Result<(), PeerError> {
    if token.is_empty() {
        return if is_done { Ok(()) } else { Err(PeerError::new("it is not done")) };
    }
    match theirs.step(token)? {
        (true, more) if more.is_empty() => Ok(()),
        (is_done, more) => Err(PeerError::new(format!("done: {is_done}, with {} bytes more", more.len()))),
    }
}

/// Our client against a server of another implementation.
///
/// # Errors
///
/// One of them refuses.
///
/// # Panics
///
/// If the handshake does not end.
pub fn initiate(
    package: &dyn SecurityPackage,
    theirs: &mut Driven,
    password: &str,
    request: &InitializeRequest,
) -> Result<Box<dyn SecurityContext>, Refused> {
    initiate_with(&*client(package, password), theirs, request)
}

/// The same with these credentials.
///
/// # Errors
///
/// One of them refuses.
///
/// # Panics
///
/// If the handshake does not end.
pub fn initiate_with(
    credentials: &dyn CredentialsHandle,
    theirs: &mut Driven,
    request: &InitializeRequest,
) -> Result<Box<dyn SecurityContext>, Refused> {
    initiate_after(&[], credentials, theirs, request)
}

/// The same with a server that has said this already.
///
/// # Errors
///
/// One of them refuses.
///
/// # Panics
///
/// If the handshake does not end.
pub fn initiate_after(
    said: &[u8],
    credentials: &dyn CredentialsHandle,
    theirs: &mut Driven,
    request: &InitializeRequest,
) -> Result<Box<dyn SecurityContext>, Refused> {
    let mut ours = credentials.initialize(request).map_err(Refused::Ours)?;
    let (mut is_done, mut input) = (false, said.to_vec());
    for _ in 0..MOST_LEGS {
        match ours.initialize_security_context(&input)? {
            Step::Continue { token, .. } => (is_done, input) = theirs.step(&token)?,
            Step::Complete { context, token, .. } => {
                end(theirs, &token, is_done)?;
                return Ok(context);
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("the handshake does not end")
}

/// Our server against a client of another implementation.
///
/// # Errors
///
/// One of them refuses.
///
/// # Panics
///
/// If the handshake does not end.
pub fn accept(
    package: &dyn SecurityPackage,
    theirs: &mut Driven,
    channel: &[u8],
) -> Result<Box<dyn SecurityContext>, Refused> {
    let request = AcceptRequest { channel_bindings: bindings(channel), ..AcceptRequest::default() };
    let mut ours = server(package).accept(&request).map_err(Refused::Ours)?;
    let (mut is_done, mut input) = theirs.step(&[])?;
    for _ in 0..MOST_LEGS {
        match advance(&mut *ours, &input)? {
            Step::Continue { token, .. } => (is_done, input) = theirs.step(&token)?,
            Step::Complete { context, token, .. } => {
                end(theirs, &token, is_done)?;
                return Ok(context);
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("the handshake does not end")
}

/// A call of a server, with the question for the account answered.
///
/// # Errors
///
/// Those of the package.
pub fn advance(server: &mut dyn AcceptSecurityContext, input: &[u8]) -> Result<Step, Failure> {
    match server.accept_security_context(input)? {
        Step::Ask(Question::Logon(ask)) => {
            let verdict = verdict(ask.question());
            ask.answer(Ok(verdict));
            server.accept_security_context(input)
        }
        step => Ok(step),
    }
}

fn verdict(request: &LogonRequest) -> LogonVerdict {
    let accounts = [(USER, PASSWORD), (STRANGER, STRANGERS_PASSWORD)];
    let known = accounts.into_iter().find(|(user, _)| request.user.eq_ignore_ascii_case(user));
    let Some((user, password)) = known else { return LogonVerdict::NoAccount };
    let account = Account { name: user.into(), domain: Some(DOMAIN.into()), ..Account::default() };
    let secrets = vec![AccountSecret::Password(Secret::new(password.to_owned()))];
    LogonVerdict::Known { account: account.into(), secrets }
}

fn parts(length: usize) -> [SecBuffer; 2] {
    [
        SecBuffer::new(SecBufferType::TOKEN, 0..SIGNATURE),
        SecBuffer::new(SecBufferType::DATA, SIGNATURE..length),
    ]
}

/// A message, encrypted: the signature, and the ciphertext. So it is also where only signatures were negotiated.
///
/// # Errors
///
/// Those of the context.
pub fn wrap(context: &mut dyn SecurityContext, text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = [&[0; SIGNATURE][..], text].concat();
    let mut parts = parts(memory.len());
    context.encrypt_message(QualityOfProtection::Default, &mut memory, &mut parts)?;
    Ok(memory)
}

/// Whether encryption was negotiated.
pub fn is_sealed(context: &dyn SecurityContext) -> bool {
    match context.attributes().flags() {
        ContextFlags::Initiator(flags) => flags.contains(IscRet::CONFIDENTIALITY),
        ContextFlags::Acceptor(flags) => flags.contains(AscRet::CONFIDENTIALITY),
    }
}

/// What is in such a message.
///
/// # Errors
///
/// Those of the context.
pub fn unwrap(context: &mut dyn SecurityContext, message: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = message.to_vec();
    let whole = SecBuffer::new(SecBufferType::STREAM, 0..memory.len());
    let mut buffers = [whole, SecBuffer::new(SecBufferType::DATA, 0..0)];
    let decrypted = context.decrypt_message(&mut memory, &mut buffers)?;
    assert_eq!(decrypted, Decrypted::Message);
    let [_, data] = buffers;
    Ok(memory.get(data.range()).unwrap_or_default().to_vec())
}

/// The signature of a message that is sent as it is.
fn sign(context: &mut dyn SecurityContext, text: &[u8]) -> Result<Vec<u8>, Error> {
    let mut memory = [&[0; SIGNATURE][..], text].concat();
    let mut parts = parts(memory.len());
    context.make_signature(QualityOfProtection::Default, &mut memory, &mut parts)?;
    memory.truncate(SIGNATURE);
    Ok(memory)
}

fn verify(context: &mut dyn SecurityContext, text: &[u8], signature: &[u8]) -> Result<(), Error> {
    let memory = [signature, text].concat();
    context.verify_signature(&memory, &parts(memory.len())).map(drop)
}

/// Both have the same key. Then messages that are sealed, and others that are signed, in both directions, one after the other:
/// whoever began the key streams anew, and whoever did not, would be found out.
///
/// # Panics
///
/// If the keys differ, or a message is not taken, or is another one.
pub fn talk(ours: &mut dyn SecurityContext, theirs: &mut Driven, library: Library) {
    exchange(ours, theirs, library).unwrap_or_else(|refused| panic!("{library:?}: {refused:?}"));
}

fn exchange(ours: &mut dyn SecurityContext, theirs: &mut Driven, library: Library) -> Result<(), Refused> {
    let key = ours.attributes().session_key().map_err(Refused::Ours)?;
    assert_eq!(theirs.session_key()?, *key.expose_secret(), "{library:?}");
    if !library.has_messages() {
        return Ok(());
    }
    for round in 0..3_u8 {
        for text in [&b"hello"[..], &[round; 3000], b"x"] {
            let sealed = wrap(ours, text).map_err(Refused::Ours)?;
            assert_eq!(theirs.unwrap(&sealed)?, text, "{library:?}");
            let sealed = theirs.wrap(text)?;
            assert_eq!(unwrap(ours, &sealed).map_err(Refused::Ours)?, text, "{library:?}");
            let signature = sign(ours, text).map_err(Refused::Ours)?;
            theirs.verify(text, &signature)?;
            let signature = theirs.sign(text)?;
            verify(ours, text, &signature).map_err(Refused::Ours)?;
        }
    }
    Ok(())
}
