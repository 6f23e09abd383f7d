//! NTLM against other implementations, both roles: right and wrong passwords, with and without bindings, messages that are
//! signed and sealed in both directions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test, in its helpers too")]

use ntlm::{Check, ExtendedSessionSecurity, LmCompatibilityLevel, NtlmConfig};
use opensspi_integration_tests::peers::driven::Driven;
use opensspi_integration_tests::peers::ntlm::{End, Library};
use opensspi_integration_tests::tokens::{
    self, ANOTHER, CHANNEL, PASSWORD, Refused, STRANGER, STRANGERS_PASSWORD, TARGET, USER, channels,
    is_sealed, other_end, sealed, signed, talk,
};
use sspi_core::{SecStatus, SecurityContext};

fn peer(library: Library, is_client: bool, password: &str, bindings: &[u8]) -> Driven {
    library.start(other_end(is_client, password, bindings)).unwrap()
}

fn initiate(
    theirs: &mut Driven,
    password: &str,
    channel: &[u8],
) -> Result<Box<dyn SecurityContext>, Refused> {
    tokens::initiate(&tokens::ntlm(NtlmConfig::default()), theirs, password, &sealed(TARGET, channel))
}

fn accept(
    theirs: &mut Driven,
    channel: &[u8],
    channel_bindings: Check,
) -> Result<Box<dyn SecurityContext>, Refused> {
    let config = NtlmConfig { channel_bindings, ..NtlmConfig::default() };
    tokens::accept(&tokens::ntlm(config), theirs, channel)
}

/// As client and as server, with and without bindings.
fn both_roles(library: Library) {
    if !library.runnable() {
        return;
    }
    for channel in channels(library) {
        let mut theirs = peer(library, false, PASSWORD, channel);
        let mut ours = initiate(&mut theirs, PASSWORD, channel).unwrap();
        talk(&mut *ours, &mut theirs, library);
        let name = theirs.peer().unwrap().to_lowercase();
        assert!(name.contains(USER), "{library:?}: {name}");

        let mut theirs = peer(library, true, PASSWORD, channel);
        let policy = if channel.is_empty() { Check::WhenSupported } else { Check::Always };
        let mut ours = accept(&mut theirs, channel, policy).unwrap();
        talk(&mut *ours, &mut theirs, library);
        assert_eq!(ours.security_context_token().unwrap().name, USER);
    }
}

/// The same where nobody asks for encryption.
fn signatures_alone(library: Library) {
    if !library.runnable() {
        return;
    }
    let end = |is_client| End { is_sealed: false, ..other_end(is_client, PASSWORD, &[]) };
    let mut theirs = library.start(end(false)).unwrap();
    let package = tokens::ntlm(NtlmConfig::default());
    let mut ours = tokens::initiate(&package, &mut theirs, PASSWORD, &signed(TARGET)).unwrap();
    assert!(!is_sealed(&*ours), "{library:?}");
    talk(&mut *ours, &mut theirs, library);
    let mut theirs = library.start(end(true)).unwrap();
    let mut ours = accept(&mut theirs, &[], Check::WhenSupported).unwrap();
    assert!(!is_sealed(&*ours), "{library:?}");
    talk(&mut *ours, &mut theirs, library);
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
    let refused = accept(&mut theirs, &[], Check::WhenSupported).map(drop).unwrap_err();
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
        let refused = accept(&mut theirs, CHANNEL, policy).map(drop).unwrap_err();
        let Refused::Ours(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.status(), SecStatus::SEC_E_BAD_BINDINGS, "{library:?} {policy:?}");
    }
}

/// Whoever of the two knows of no channel.
///
/// | client | server | |
/// |---|---|---|
/// | theirs, unbound | ours, bound | taken unless bindings are required: it does not say that it knows them |
/// | theirs, bound | ours, unbound | refused: it comes through something that we know nothing of |
/// | ours | theirs, either way | taken by all of them |
///
/// Where the policy is not to look, both are taken.
fn one_sided_bindings(library: Library) {
    if !library.runnable() {
        return;
    }
    for (theirs_has, ours_has, policy, is_taken) in [
        (&[][..], CHANNEL, Check::WhenSupported, true),
        (&[][..], CHANNEL, Check::Never, true),
        (CHANNEL, &[][..], Check::WhenSupported, false),
        (CHANNEL, &[][..], Check::Never, true),
    ] {
        let mut theirs = peer(library, true, PASSWORD, theirs_has);
        match accept(&mut theirs, ours_has, policy) {
            Ok(mut ours) if is_taken => talk(&mut *ours, &mut theirs, library),
            Err(Refused::Ours(error)) if !is_taken => {
                assert_eq!(error.status(), SecStatus::SEC_E_BAD_BINDINGS, "{library:?}");
            }
            other => panic!("{library:?}, {policy:?}: {:?}", other.map(drop)),
        }
    }
    for (theirs_has, ours_has) in [(CHANNEL, &[][..]), (&[][..], CHANNEL)] {
        let mut theirs = peer(library, false, PASSWORD, theirs_has);
        let mut ours = initiate(&mut theirs, PASSWORD, ours_has).unwrap();
        talk(&mut *ours, &mut theirs, library);
    }
}

/// In upper case a name is part of a key, and an encoding is part of a password.
fn names_beyond_ascii(library: Library) {
    if !library.runnable() {
        return;
    }
    let end = |is_client, password| End { user: STRANGER, ..other_end(is_client, password, &[]) };
    let package = tokens::ntlm(NtlmConfig::default());
    for password in [STRANGERS_PASSWORD, "Passwort €"] {
        let is_right = password == STRANGERS_PASSWORD;
        let mut theirs = library.start(end(false, STRANGERS_PASSWORD)).unwrap();
        let ours = tokens::client_as(&package, STRANGER, password);
        match tokens::initiate_with(&*ours, &mut theirs, &sealed(TARGET, &[])) {
            Ok(mut ours) if is_right => talk(&mut *ours, &mut theirs, library),
            Err(Refused::Theirs(_)) if !is_right => {}
            other => panic!("{library:?}, {password}: {:?}", other.map(drop)),
        }
        let mut theirs = library.start(end(true, password)).unwrap();
        match accept(&mut theirs, &[], Check::WhenSupported) {
            Ok(mut ours) if is_right => {
                talk(&mut *ours, &mut theirs, library);
                assert_eq!(ours.security_context_token().unwrap().name, STRANGER);
            }
            Err(Refused::Ours(error)) if !is_right => {
                assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED, "{library:?}");
            }
            other => panic!("{library:?}, {password}: {:?}", other.map(drop)),
        }
    }
}

/// A client of theirs that answers in version 1 is refused, and taken where the server says so.
fn version_one(library: Library) {
    if !library.runnable() {
        return;
    }
    let start = |password| library.start(End { level: Some(1), ..other_end(true, password, &[]) }).unwrap();
    let mut theirs = start(PASSWORD);
    let refused = accept(&mut theirs, &[], Check::WhenSupported).map(drop).unwrap_err();
    let Refused::Ours(error) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("refused at level 5"), "{library:?}: {error}");
    let acceptor_lm_compatibility_level = LmCompatibilityLevel::new(4).unwrap();
    let package = tokens::ntlm(NtlmConfig { acceptor_lm_compatibility_level, ..NtlmConfig::default() });
    let mut theirs = start(PASSWORD);
    let mut ours = tokens::accept(&package, &mut theirs, &[]).unwrap();
    talk(&mut *ours, &mut theirs, library);
    let mut theirs = start("wrong");
    let refused = tokens::accept(&package, &mut theirs, &[]).map(drop).unwrap_err();
    let Refused::Ours(error) = refused else { panic!("{refused:?}") };
    assert_eq!(error.status(), SecStatus::SEC_E_LOGON_DENIED, "{library:?}");
}

/// Our client answers in version 1 where it is told to, and a server of theirs takes that where it is told to. At level 0 there is no
/// extended session security, without which our client signs nothing unless it is told to do that, too.
///
/// Their servers are at level 2: at a lower one gss-ntlmssp takes a wrong password with extended session security.
fn our_version_one(library: Library) {
    if !library.runnable() {
        return;
    }
    let start = |level| library.start(End { level: Some(level), ..other_end(false, PASSWORD, &[]) }).unwrap();
    for level in 0..=2 {
        let lm_compatibility_level = LmCompatibilityLevel::new(level).unwrap();
        let mut config = NtlmConfig { lm_compatibility_level, ..NtlmConfig::default() };
        if level == 0 {
            let package = tokens::ntlm(config.clone());
            let refused = tokens::initiate(&package, &mut start(2), PASSWORD, &sealed(TARGET, &[]));
            let Err(Refused::Ours(error)) = refused else { panic!("{library:?}: {:?}", refused.map(drop)) };
            assert_eq!(error.setting(), Some("extended-session-security"), "{library:?}: {error}");
            config.extended_session_security = ExtendedSessionSecurity::Optional;
        }
        let package = tokens::ntlm(config);
        let initiate = |theirs: &mut Driven, password| {
            tokens::initiate(&package, theirs, password, &sealed(TARGET, &[]))
        };
        let mut theirs = start(2);
        let ours = initiate(&mut theirs, PASSWORD);
        let mut ours = ours.unwrap_or_else(|refused| panic!("{library:?}, level {level}: {refused:?}"));
        talk(&mut *ours, &mut theirs, library);
        for (theirs, password) in [(2, "wrong"), (5, PASSWORD)] {
            // ntlm_auth does not look at a level where it is given the password.
            if theirs == 5 && library == Library::Samba {
                continue;
            }
            let refused = initiate(&mut start(theirs), password).map(drop);
            assert!(
                matches!(refused, Err(Refused::Theirs(_))),
                "{library:?} at level {theirs}, level {level}: {refused:?}"
            );
        }
    }
}

/// A client of theirs that is nobody is refused, and taken where the server says so.
fn nobody(library: Library) {
    if !library.runnable() {
        return;
    }
    let start = || library.start(End { user: "", domain: "", ..other_end(true, "", &[]) }).unwrap();
    let refused = accept(&mut start(), &[], Check::WhenSupported).map(drop).unwrap_err();
    let Refused::Ours(error) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("anonymous"), "{library:?}: {error}");
    let mut theirs = start();
    let package = tokens::ntlm(NtlmConfig { anonymous: true, ..NtlmConfig::default() });
    let mut ours = tokens::accept(&package, &mut theirs, &[]).unwrap();
    talk(&mut *ours, &mut theirs, library);
}

/// A server of theirs refuses us on another channel.
fn refuses_another_channel(library: Library) {
    if library.runnable() {
        let mut theirs = peer(library, false, PASSWORD, CHANNEL);
        assert!(matches!(initiate(&mut theirs, PASSWORD, ANOTHER), Err(Refused::Theirs(_))));
    }
}

#[test]
fn pyspnego_talks_to_us_in_both_roles() {
    both_roles(Library::Pyspnego);
    signatures_alone(Library::Pyspnego);
}

#[test]
fn pyspnego_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Pyspnego);
}

#[test]
fn pyspnego_on_another_channel_is_refused_and_refuses_us() {
    wrong_bindings(Library::Pyspnego);
    refuses_another_channel(Library::Pyspnego);
}

#[test]
fn pyspnego_without_bindings_or_with_superfluous_ones() {
    one_sided_bindings(Library::Pyspnego);
}

#[test]
fn pyspnego_has_names_beyond_ascii() {
    names_beyond_ascii(Library::Pyspnego);
}

#[test]
fn pyspnego_answers_in_version_1_where_that_is_taken() {
    version_one(Library::Pyspnego);
}

#[test]
fn pyspnego_takes_our_version_1_where_it_is_told_to() {
    our_version_one(Library::Pyspnego);
}

#[test]
fn gss_ntlmssp_talks_to_us_in_both_roles() {
    both_roles(Library::Gssapi);
    signatures_alone(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_on_another_channel_is_refused_and_refuses_us() {
    wrong_bindings(Library::Gssapi);
    refuses_another_channel(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_without_bindings_or_with_superfluous_ones() {
    one_sided_bindings(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_has_names_beyond_ascii() {
    names_beyond_ascii(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_answers_in_version_1_where_that_is_taken() {
    version_one(Library::Gssapi);
}

#[test]
fn gss_ntlmssp_takes_our_version_1_where_it_is_told_to() {
    our_version_one(Library::Gssapi);
}

#[test]
fn impacket_talks_to_us_in_both_roles() {
    both_roles(Library::Impacket);
    signatures_alone(Library::Impacket);
}

#[test]
fn impacket_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Impacket);
}

/// As a server it looks at none.
#[test]
fn impacket_on_another_channel_is_refused() {
    wrong_bindings(Library::Impacket);
}

#[test]
fn impacket_without_bindings_or_with_superfluous_ones() {
    one_sided_bindings(Library::Impacket);
}

#[test]
fn impacket_has_names_beyond_ascii() {
    names_beyond_ascii(Library::Impacket);
}

#[test]
fn impacket_answers_in_version_1_and_as_nobody_where_that_is_taken() {
    version_one(Library::Impacket);
    nobody(Library::Impacket);
}

#[test]
fn ntlm_auth_of_samba_has_our_keys_in_both_roles() {
    both_roles(Library::Samba);
    signatures_alone(Library::Samba);
}

#[test]
fn ntlm_auth_of_samba_and_we_refuse_wrong_passwords() {
    wrong_passwords(Library::Samba);
}

#[test]
fn ntlm_auth_of_samba_has_names_beyond_ascii() {
    names_beyond_ascii(Library::Samba);
}

#[test]
fn ntlm_auth_of_samba_answers_in_version_1_where_that_is_taken() {
    version_one(Library::Samba);
}

#[test]
fn ntlm_auth_of_samba_takes_our_version_1_where_it_is_told_to() {
    our_version_one(Library::Samba);
}
