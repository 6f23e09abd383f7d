//! Negotiate against other implementations of SPNEGO, both roles, with NTLM in it: their lists are signed with our keys, and
//! ours with theirs, where that has to be so, and messages follow.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, in its helpers too")]

use std::sync::Arc;

use ntlm::{Check, NtlmConfig};
use opensspi_integration_tests::peers::driven::Driven;
use opensspi_integration_tests::peers::ntlm::{End, Library};
use opensspi_integration_tests::tokens::{
    self, ANOTHER, CHANNEL, PASSWORD, Refused, TARGET, USER, channels, is_sealed, other_end, sealed, signed,
    talk,
};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, CredentialUse, CredentialsHandle, CredentialsRequest, Error,
    Failure, Fault, InitializeRequest, InitializeSecurityContext, Oid, PackageInfo,
    QueryCredentialsAttributes, SecPkgFlags, SecStatus, SecurityContext, SecurityPackage, Step,
};

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

fn peer(library: Library, is_client: bool, password: &str, bindings: &[u8]) -> Driven {
    library.start_negotiating(other_end(is_client, password, bindings)).unwrap()
}

fn initiate(
    theirs: &mut Driven,
    better: Option<Better>,
    password: &str,
    channel: &[u8],
) -> Result<Box<dyn SecurityContext>, Refused> {
    let better = better.map(|better| Arc::new(better) as Arc<dyn SecurityPackage>);
    let package = tokens::negotiate(NtlmConfig::default(), better);
    tokens::initiate(&package, theirs, password, &sealed(TARGET, channel))
        .inspect(|context| is_ntlm(&**context))
}

fn accept(
    theirs: &mut Driven,
    better: Option<Better>,
    channel: &[u8],
    channel_bindings: Check,
) -> Result<Box<dyn SecurityContext>, Refused> {
    let better = better.map(|better| Arc::new(better) as Arc<dyn SecurityPackage>);
    let package = tokens::negotiate(NtlmConfig { channel_bindings, ..NtlmConfig::default() }, better);
    tokens::accept(&package, theirs, channel).inspect(|context| is_ntlm(&**context))
}

fn is_ntlm(context: &dyn SecurityContext) {
    assert_eq!(context.attributes().negotiation_info().unwrap().package.name, "NTLM");
}

fn negotiating() -> impl Iterator<Item = Library> {
    Library::NEGOTIATING.into_iter().filter(|library| library.runnable())
}

#[test]
fn our_client_and_their_servers_agree_on_ntlm_and_on_messages() {
    for library in negotiating() {
        for channel in channels(library) {
            let mut theirs = peer(library, false, PASSWORD, channel);
            let mut context = initiate(&mut theirs, None, PASSWORD, channel).unwrap();
            talk(&mut *context, &mut theirs, library);
            let name = theirs.peer().unwrap().to_lowercase();
            assert!(name.contains(USER), "{library:?}: {name}");
        }
    }
}

#[test]
fn our_server_and_their_clients_agree_on_ntlm_and_on_messages() {
    for library in negotiating() {
        for channel in channels(library) {
            let mut theirs = peer(library, true, PASSWORD, channel);
            let policy = if channel.is_empty() { Check::WhenSupported } else { Check::Always };
            let mut context = accept(&mut theirs, None, channel, policy).unwrap();
            talk(&mut *context, &mut theirs, library);
            assert_eq!(context.security_context_token().unwrap().name, USER);
        }
    }
}

/// The keys of a list that is signed go on to messages that are.
#[test]
fn both_roles_sign_where_nobody_asks_for_encryption() {
    for library in negotiating() {
        let end = |is_client| End { is_sealed: false, ..other_end(is_client, PASSWORD, &[]) };
        let package = tokens::negotiate(NtlmConfig::default(), None);
        let mut theirs = library.start_negotiating(end(false)).unwrap();
        let mut ours = tokens::initiate(&package, &mut theirs, PASSWORD, &signed(TARGET)).unwrap();
        assert!(!is_sealed(&*ours), "{library:?}");
        talk(&mut *ours, &mut theirs, library);
        let mut theirs = library.start_negotiating(end(true)).unwrap();
        let mut ours = accept(&mut theirs, None, &[], Check::WhenSupported).unwrap();
        assert!(!is_sealed(&*ours), "{library:?}");
        talk(&mut *ours, &mut theirs, library);
    }
}

/// What hints say in place of a name.
const HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// MIT's acceptor that is given nothing says what it has, and our client goes on from there.
#[test]
fn our_client_takes_the_hints_of_a_server_that_speaks_first() {
    let library = Library::Gssapi;
    if !library.runnable() {
        return;
    }
    for (password, is_right) in [(PASSWORD, true), ("wrong", false)] {
        let mut theirs = peer(library, false, PASSWORD, &[]);
        let (is_done, hints) = theirs.step(&[]).unwrap();
        assert!(!is_done && hints.windows(HINT.len()).any(|part| part == HINT), "{hints:02x?}");
        let credentials = tokens::client(&tokens::negotiate(NtlmConfig::default(), None), password);
        match tokens::initiate_after(&hints, &*credentials, &mut theirs, &sealed(TARGET, &[])) {
            Ok(mut ours) if is_right => {
                is_ntlm(&*ours);
                talk(&mut *ours, &mut theirs, library);
            }
            Err(Refused::Theirs(_)) if !is_right => {}
            other => panic!("{:?}", other.map(drop)),
        }
    }
}

/// They choose NTLM from a list in which another one is first, which both then sign.
#[test]
fn their_servers_choose_ntlm_from_a_longer_list_of_ours() {
    for library in negotiating() {
        // pyspnego reads a token of the favourite as one of whatever it chooses itself.
        let first: &[u8] = if library == Library::Pyspnego { b"" } else { b"a first token" };
        let mut theirs = peer(library, false, PASSWORD, &[]);
        let mut context = initiate(&mut theirs, Some(Better::new(first)), PASSWORD, &[]).unwrap();
        talk(&mut *context, &mut theirs, library);
    }
}

/// Our server would have liked another one better, and requests their signature.
#[test]
fn their_clients_sign_the_list_when_our_server_requests_it() {
    for library in negotiating() {
        let mut theirs = peer(library, true, PASSWORD, &[]);
        let better = Some(Better::new(b""));
        let mut context = accept(&mut theirs, better, &[], Check::WhenSupported).unwrap();
        talk(&mut *context, &mut theirs, library);
    }
}

fn refused_by_us(result: Result<Box<dyn SecurityContext>, Refused>) -> SecStatus {
    match result {
        Err(Refused::Ours(error)) => error.status(),
        other => panic!("{:?}", other.map(drop)),
    }
}

#[test]
fn a_wrong_password_is_refused_by_both_roles() {
    for library in negotiating() {
        let mut theirs = peer(library, false, PASSWORD, &[]);
        match initiate(&mut theirs, None, "wrong", &[]) {
            Err(Refused::Theirs(error)) => assert!(!error.to_string().is_empty()),
            other => panic!("{library:?}: {:?}", other.map(drop)),
        }
        let mut theirs = peer(library, true, "wrong", &[]);
        let status = refused_by_us(accept(&mut theirs, None, &[], Check::WhenSupported));
        assert_eq!(status, SecStatus::SEC_E_LOGON_DENIED, "{library:?}");
    }
}

#[test]
fn a_client_on_another_channel_is_refused_by_both_roles() {
    for library in negotiating().filter(|library| library.has_bindings()) {
        let mut theirs = peer(library, false, PASSWORD, CHANNEL);
        let refused = initiate(&mut theirs, None, PASSWORD, ANOTHER).map(drop);
        assert!(matches!(refused, Err(Refused::Theirs(_))), "{library:?}: {refused:?}");
        for (channel, policy) in
            [(ANOTHER, Check::WhenSupported), (ANOTHER, Check::Always), (&[][..], Check::Always)]
        {
            let mut theirs = peer(library, true, PASSWORD, channel);
            let status = refused_by_us(accept(&mut theirs, None, CHANNEL, policy));
            assert_eq!(status, SecStatus::SEC_E_BAD_BINDINGS, "{library:?} {policy:?}");
        }
    }
}
