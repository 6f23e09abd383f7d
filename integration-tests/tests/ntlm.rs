//! NTLM against other implementations, both roles: right and wrong passwords, with and without bindings, messages that are
//! signed and sealed in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

use std::sync::Arc;

use ntlm::{Check, Environment, NoSecrets, Ntlm, NtlmConfig};
use opensspi_integration_tests::peers::PeerError;
use opensspi_integration_tests::peers::ntlm::{End, Library, NtlmPeer};
use sspi_core::{
    AcceptRequest, Account, AccountSecret, AuthData, AuthIdentity, ChannelBindings, CredentialUse,
    CredentialsRequest, Decrypted, Error, InitializeRequest, IscReq, LogonRequest, LogonVerdict,
    QualityOfProtection, Question, SecBuffer, SecBufferType, SecStatus, Secret, SecurityContext,
    SecurityPackage, Step,
};

const USER: &str = "alice";
const DOMAIN: &str = "CORP";
const PASSWORD: &str = "correct horse";
const TARGET: &str = "host/localhost";

fn package(change: impl FnOnce(&mut NtlmConfig)) -> Ntlm {
    let mut config = NtlmConfig::default();
    change(&mut config);
    let clock = Arc::new(opensspi::SystemClock);
    let random = Arc::new(crypto::random::SystemRandom);
    let host_name = Some("localhost".to_owned());
    Ntlm::new(config, Environment { clock, random, secrets: Arc::new(NoSecrets), host_name })
}

fn peer(library: Library, is_client: bool, password: &str, bindings: &[u8]) -> NtlmPeer {
    let end = End { is_client, user: USER, domain: DOMAIN, password, target: TARGET, bindings };
    library.start(end).unwrap()
}

fn bindings(data: &[u8]) -> Option<ChannelBindings> {
    (!data.is_empty()).then(|| ChannelBindings::from_application_data(data.to_vec()))
}

fn verdict(request: &LogonRequest) -> LogonVerdict {
    if !request.user.eq_ignore_ascii_case(USER) {
        return LogonVerdict::NoAccount;
    }
    let account = Account { name: USER.into(), domain: Some(DOMAIN.into()), ..Account::default() };
    let secrets = vec![AccountSecret::Password(Secret::new(PASSWORD.to_owned()))];
    LogonVerdict::Known { account: account.into(), secrets }
}

/// Why a handshake did not come about.
#[derive(Debug)]
enum Refused {
    Ours(Error),
    Theirs(PeerError),
}

impl From<PeerError> for Refused {
    fn from(error: PeerError) -> Self {
        Self::Theirs(error)
    }
}

/// Our client against a server of another implementation.
fn initiate(
    theirs: &mut NtlmPeer,
    password: &str,
    channel: &[u8],
) -> Result<Box<dyn SecurityContext>, Refused> {
    let password = Secret::new(password.to_owned());
    let identity = AuthIdentity { user: USER.into(), domain: DOMAIN.into(), password };
    let request = CredentialsRequest {
        auth_data: AuthData::Identity(identity),
        ..CredentialsRequest::configured(CredentialUse::Outbound)
    };
    let request =
        package(|_| ()).acquire_credentials_handle(&request).unwrap().initialize(&InitializeRequest {
            target_name: Some(TARGET.into()),
            flags: IscReq::CONFIDENTIALITY | IscReq::INTEGRITY,
            channel_bindings: bindings(channel),
            ..InitializeRequest::default()
        });
    let mut client = request.unwrap();
    let ours = |failure: sspi_core::Failure| Refused::Ours(failure.error);
    let Step::Continue { token, .. } = client.initialize_security_context(&[]).map_err(ours)? else {
        panic!()
    };
    let (_, token) = theirs.step(&token)?;
    let Step::Complete { context, token, .. } = client.initialize_security_context(&token).map_err(ours)?
    else {
        panic!()
    };
    let (done, token) = theirs.step(&token)?;
    assert!(done && token.is_empty());
    Ok(context)
}

/// Our server against a client of another implementation.
fn accept(
    theirs: &mut NtlmPeer,
    channel: &[u8],
    change: impl FnOnce(&mut NtlmConfig),
) -> Result<Box<dyn SecurityContext>, Refused> {
    let request = AcceptRequest { channel_bindings: bindings(channel), ..AcceptRequest::default() };
    let inbound = CredentialsRequest::configured(CredentialUse::Inbound);
    let mut server = package(change).acquire_credentials_handle(&inbound).unwrap().accept(&request).unwrap();
    let ours = |failure: sspi_core::Failure| Refused::Ours(failure.error);
    let (_, token) = theirs.step(&[])?;
    let Step::Continue { token, .. } = server.accept_security_context(&token).map_err(ours)? else {
        panic!()
    };
    let (done, token) = theirs.step(&token)?;
    assert!(done);
    let Step::Ask(Question::Logon(ask)) = server.accept_security_context(&token).map_err(ours)? else {
        panic!()
    };
    let verdict = verdict(ask.question());
    ask.answer(Ok(verdict));
    let Step::Complete { context, .. } = server.accept_security_context(&token).map_err(ours)? else {
        panic!()
    };
    Ok(context)
}

/// Messages that are sealed, and others that are signed, in both directions, one after the other.
fn talk(ours: &mut dyn SecurityContext, theirs: &mut NtlmPeer, library: Library) {
    let key = ours.attributes().session_key().unwrap();
    assert_eq!(theirs.session_key().unwrap(), *key.expose_secret(), "{library:?}");
    if !library.has_messages() {
        return;
    }
    for round in 0..3_u8 {
        for text in [&b"hello"[..], &[round; 3000], b"x"] {
            let mut memory = [&[0; 16][..], text].concat();
            let parts = |length| {
                [SecBuffer::new(SecBufferType::TOKEN, 0..16), SecBuffer::new(SecBufferType::DATA, 16..length)]
            };
            let length = memory.len();
            ours.encrypt_message(QualityOfProtection::Default, &mut memory, &mut parts(length)).unwrap();
            assert_eq!(theirs.unwrap(&memory).unwrap(), text);
            let mut memory = theirs.wrap(text).unwrap();
            let whole = SecBuffer::new(SecBufferType::STREAM, 0..memory.len());
            let mut buffers = [whole, SecBuffer::new(SecBufferType::DATA, 0..0)];
            assert_eq!(ours.decrypt_message(&mut memory, &mut buffers).unwrap(), Decrypted::Message);
            assert_eq!(memory[buffers[1].range()], *text);

            let mut memory = [&[0; 16][..], text].concat();
            ours.make_signature(QualityOfProtection::Default, &mut memory, &mut parts(length)).unwrap();
            theirs.verify(text, &memory[..16]).unwrap();
            let signature = theirs.sign(text).unwrap();
            ours.verify_signature(&[&signature[..], text].concat(), &parts(length)).unwrap();
        }
    }
}

const CHANNEL: &[u8] = b"tls-server-end-point:0123456789abcdef0123456789abcdef";
const ANOTHER: &[u8] = b"tls-server-end-point:fedcba9876543210fedcba9876543210";

/// As client and as server, with and without bindings.
fn both_roles(library: Library) {
    if !library.runnable() {
        return;
    }
    for channel in [&[][..], CHANNEL] {
        let mut theirs = peer(library, false, PASSWORD, channel);
        let mut ours = initiate(&mut theirs, PASSWORD, channel).unwrap();
        talk(&mut *ours, &mut theirs, library);
        let name = theirs.peer().unwrap().to_lowercase();
        assert!(name.contains(USER), "{library:?}: {name}");

        let mut theirs = peer(library, true, PASSWORD, channel);
        let mut ours = accept(&mut theirs, channel, |_| ()).unwrap();
        talk(&mut *ours, &mut theirs, library);
        assert_eq!(ours.security_context_token().unwrap().name, USER);
    }
}

/// Wrong passwords are refused by both ends.
fn wrong_passwords(library: Library) {
    if !library.runnable() {
        return;
    }
    let mut theirs = peer(library, false, PASSWORD, &[]);
    let refused = initiate(&mut theirs, "wrong", &[]).map(drop).unwrap_err();
    let Refused::Theirs(error) = refused else { panic!("{refused:?}") };
    assert!(!error.to_string().is_empty());
    let mut theirs = peer(library, true, "wrong", &[]);
    let refused = accept(&mut theirs, &[], |_| ()).map(drop).unwrap_err();
    let Refused::Ours(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED, "{library:?}");
}

/// A client of theirs that is bound to another channel is refused, and one that is bound to none where it must be.
fn wrong_bindings(library: Library) {
    if !library.runnable() {
        return;
    }
    for (channel, policy) in
        [(ANOTHER, Check::WhenSupported), (ANOTHER, Check::Always), (&[][..], Check::Always)]
    {
        let mut theirs = peer(library, true, PASSWORD, channel);
        let refused =
            accept(&mut theirs, CHANNEL, |config| config.channel_bindings = policy).map(drop).unwrap_err();
        let Refused::Ours(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.status(), SecStatus::SEC_E_BAD_BINDINGS, "{library:?} {policy:?}");
    }
}

#[test]
fn pyspnego_talks_to_us_in_both_roles() {
    both_roles(Library::Pyspnego);
}

#[test]
fn pyspnego_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Pyspnego);
}

#[test]
fn pyspnego_on_another_channel_is_refused_and_refuses_us() {
    wrong_bindings(Library::Pyspnego);
    if Library::Pyspnego.runnable() {
        let mut theirs = peer(Library::Pyspnego, false, PASSWORD, CHANNEL);
        assert!(matches!(initiate(&mut theirs, PASSWORD, ANOTHER), Err(Refused::Theirs(_))));
    }
}

#[test]
fn gss_ntlmssp_talks_to_us_in_both_roles() {
    both_roles(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_on_another_channel_is_refused_and_refuses_us() {
    wrong_bindings(Library::Gssapi);
    if Library::Gssapi.runnable() {
        let mut theirs = peer(Library::Gssapi, false, PASSWORD, CHANNEL);
        assert!(matches!(initiate(&mut theirs, PASSWORD, ANOTHER), Err(Refused::Theirs(_))));
    }
}

#[test]
fn impacket_talks_to_us_in_both_roles() {
    both_roles(Library::Impacket);
}

#[test]
fn impacket_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Impacket);
}

#[test]
fn impacket_on_another_channel_is_refused() {
    wrong_bindings(Library::Impacket);
}

#[test]
fn ntlm_auth_of_samba_has_our_keys_in_both_roles() {
    if !Library::Samba.runnable() {
        return;
    }
    let mut theirs = peer(Library::Samba, false, PASSWORD, &[]);
    let mut ours = initiate(&mut theirs, PASSWORD, &[]).unwrap();
    talk(&mut *ours, &mut theirs, Library::Samba);
    let mut theirs = peer(Library::Samba, true, PASSWORD, &[]);
    let mut ours = accept(&mut theirs, &[], |_| ()).unwrap();
    talk(&mut *ours, &mut theirs, Library::Samba);
}

#[test]
fn ntlm_auth_of_samba_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Samba);
}
