//! Negotiate against other implementations of SPNEGO, both roles, with NTLM in it: their lists are signed with our keys, and
//! ours with theirs, where that has to be so, and messages follow.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

use std::sync::Arc;

use negotiate::{Negotiate, NegotiateConfig};
use ntlm::{Environment, NoSecrets, Ntlm, NtlmConfig};
use opensspi_integration_tests::peers::PeerError;
use opensspi_integration_tests::peers::ntlm::{End, Library, NtlmPeer};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, Account, AccountSecret, AuthData, AuthIdentity, CredentialUse,
    CredentialsHandle, CredentialsRequest, Decrypted, Error, Failure, Fault, InitializeRequest,
    InitializeSecurityContext, IscReq, LogonVerdict, Oid, PackageInfo, QualityOfProtection,
    QueryCredentialsAttributes, Question, Registry, SecBuffer, SecBufferType, SecPkgFlags, SecStatus, Secret,
    SecurityContext, SecurityPackage, Step,
};

const USER: &str = "alice";
const DOMAIN: &str = "CORP";
const PASSWORD: &str = "correct horse";
const TARGET: &str = "host/localhost";
const NEGOTIATING: [Library; 2] = [Library::Pyspnego, Library::Gssapi];

/// A package that the other implementations do not have, and that ours likes better.
#[derive(Clone)]
struct Better {
    info: PackageInfo,
    /// A client's first token.
    first: &'static [u8],
}

impl Better {
    fn new(first: &'static [u8]) -> Self {
        let info = PackageInfo {
            name: "Better".into(),
            aliases: vec![],
            comment: "".into(),
            capabilities: SecPkgFlags::NEGOTIABLE | SecPkgFlags::INTEGRITY,
            version: 1,
            rpc_id: 0xffff,
            max_token: 64,
            oids: vec![Oid::from_dotted("1.3.6.1.4.1.99999.1").unwrap()],
        };
        Self { info, first }
    }
}

impl SecurityPackage for Better {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn acquire_credentials_handle(
        &self,
        _: &CredentialsRequest,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        Ok(Arc::new(self.clone()))
    }
}

impl QueryCredentialsAttributes for Better {
    fn package_name(&self) -> &str {
        &self.info.name
    }
}

impl CredentialsHandle for Better {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn credential_use(&self) -> CredentialUse {
        CredentialUse::Both
    }

    fn initialize(&self, _: &InitializeRequest) -> Result<Box<dyn InitializeSecurityContext>, Error> {
        Ok(Box::new(self.clone()))
    }

    fn accept(&self, _: &AcceptRequest) -> Result<Box<dyn AcceptSecurityContext>, Error> {
        Err(Error::new(SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal, "nobody has this package"))
    }
}

impl InitializeSecurityContext for Better {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        Ok(Step::Continue { token: self.first.to_vec(), used: input.len() })
    }
}

/// Negotiate over NTLM, and over the better package before it where there is to be one.
fn package(better: Option<Better>) -> Negotiate {
    let clock = Arc::new(opensspi::SystemClock);
    let random = Arc::new(crypto::random::SystemRandom);
    let host_name = Some("localhost".to_owned());
    let environment = Environment { clock, random, secrets: Arc::new(NoSecrets), host_name };
    let mut registry = Registry::new();
    registry.register(Arc::new(Ntlm::new(NtlmConfig::default(), environment))).unwrap();
    if let Some(better) = better {
        registry.register(Arc::new(better)).unwrap();
    }
    Negotiate::new(NegotiateConfig::default(), registry)
}

fn peer(library: Library, is_client: bool, password: &str) -> NtlmPeer {
    let end = End { is_client, user: USER, domain: DOMAIN, password, target: TARGET, bindings: &[] };
    library.start_negotiating(end).unwrap()
}

/// Our client against a server of another implementation.
fn initiate(
    theirs: &mut NtlmPeer,
    better: Option<Better>,
    password: &str,
) -> Result<Box<dyn SecurityContext>, PeerError> {
    let password = Secret::new(password.to_owned());
    let identity = AuthIdentity { user: USER.into(), domain: DOMAIN.into(), password };
    let request = CredentialsRequest {
        auth_data: AuthData::Identity(identity),
        ..CredentialsRequest::configured(CredentialUse::Outbound)
    };
    let credentials = package(better).acquire_credentials_handle(&request).unwrap();
    let request = InitializeRequest {
        target_name: Some(TARGET.into()),
        flags: IscReq::CONFIDENTIALITY | IscReq::INTEGRITY,
        ..InitializeRequest::default()
    };
    let mut client = credentials.initialize(&request).unwrap();
    let mut input = Vec::new();
    for _ in 0..10 {
        match client.initialize_security_context(&input).unwrap() {
            Step::Continue { token, .. } => input = theirs.step(&token)?.1,
            Step::Complete { context, token, .. } => {
                if !token.is_empty() {
                    let (is_done, more) = theirs.step(&token)?;
                    assert!(is_done && more.is_empty());
                }
                return Ok(context);
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("the handshake does not end")
}

/// Our server against a client of another implementation.
fn accept(theirs: &mut NtlmPeer, better: Option<Better>) -> Result<Box<dyn SecurityContext>, Error> {
    let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
    let credentials = package(better).acquire_credentials_handle(&inbound).unwrap();
    let mut server = credentials.accept(&AcceptRequest::default()).unwrap();
    let mut input = theirs.step(&[]).unwrap().1;
    for _ in 0..10 {
        match server.accept_security_context(&input).map_err(|failure| failure.error)? {
            Step::Ask(Question::Logon(ask)) => {
                let account =
                    Account { name: USER.into(), domain: Some(DOMAIN.into()), ..Account::default() };
                let secrets = vec![AccountSecret::Password(Secret::new(PASSWORD.to_owned()))];
                ask.answer(Ok(LogonVerdict::Known { account: account.into(), secrets }));
            }
            Step::Continue { token, .. } => input = theirs.step(&token).unwrap().1,
            Step::Complete { context, token, .. } => {
                if !token.is_empty() {
                    let (is_done, more) = theirs.step(&token).unwrap();
                    assert!(is_done && more.is_empty());
                }
                return Ok(context);
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("the handshake does not end")
}

/// Messages in both directions: whoever began the key streams anew, and whoever did not, would be found out.
fn talk(ours: &mut dyn SecurityContext, theirs: &mut NtlmPeer) {
    assert_eq!(ours.attributes().negotiation_info().unwrap().package.name, "NTLM");
    for text in [&b"hello"[..], &[7; 3000], b"x"] {
        let mut memory = [&[0; 16][..], text].concat();
        let mut parts = [
            SecBuffer::new(SecBufferType::TOKEN, 0..16),
            SecBuffer::new(SecBufferType::DATA, 16..memory.len()),
        ];
        ours.encrypt_message(QualityOfProtection::Default, &mut memory, &mut parts).unwrap();
        assert_eq!(theirs.unwrap(&memory).unwrap(), text);
        let mut memory = theirs.wrap(text).unwrap();
        let whole = SecBuffer::new(SecBufferType::STREAM, 0..memory.len());
        let mut buffers = [whole, SecBuffer::new(SecBufferType::DATA, 0..0)];
        assert_eq!(ours.decrypt_message(&mut memory, &mut buffers).unwrap(), Decrypted::Message);
        assert_eq!(memory[buffers[1].range()], *text);
    }
}

fn negotiating() -> impl Iterator<Item = Library> {
    NEGOTIATING.into_iter().filter(|library| library.runnable())
}

#[test]
fn our_client_and_their_servers_agree_on_ntlm_and_on_messages() {
    for library in negotiating() {
        let mut theirs = peer(library, false, PASSWORD);
        let mut context = initiate(&mut theirs, None, PASSWORD).unwrap();
        talk(context.as_mut(), &mut theirs);
    }
}

#[test]
fn our_server_and_their_clients_agree_on_ntlm_and_on_messages() {
    for library in negotiating() {
        let mut theirs = peer(library, true, PASSWORD);
        let mut context = accept(&mut theirs, None).unwrap();
        talk(context.as_mut(), &mut theirs);
    }
}

/// They choose NTLM from a list in which another one is first, which both then sign.
#[test]
fn their_servers_choose_ntlm_from_a_longer_list_of_ours() {
    for library in negotiating() {
        // pyspnego reads a token of the favourite as one of whatever it chooses itself.
        let first: &[u8] = if library == Library::Pyspnego { b"" } else { b"a first token" };
        let mut theirs = peer(library, false, PASSWORD);
        let mut context = initiate(&mut theirs, Some(Better::new(first)), PASSWORD).unwrap();
        talk(context.as_mut(), &mut theirs);
    }
}

/// Our server would have liked another one better, and requests their signature.
#[test]
fn their_clients_sign_the_list_when_our_server_requests_it() {
    for library in negotiating() {
        let mut theirs = peer(library, true, PASSWORD);
        let mut context = accept(&mut theirs, Some(Better::new(b""))).unwrap();
        talk(context.as_mut(), &mut theirs);
    }
}

#[test]
fn a_wrong_password_is_refused_by_both_roles() {
    for library in negotiating() {
        assert!(initiate(&mut peer(library, false, PASSWORD), None, "wrong").is_err(), "{library:?}");
        let error = accept(&mut peer(library, true, "wrong"), None).err().unwrap();
        assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED, "{library:?}: {error}");
    }
}
