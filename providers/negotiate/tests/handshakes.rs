//! Both ends, over packages with one to four tokens.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

mod support;

use std::sync::atomic::Ordering;

use gss::{
    InitialContextToken, MechType, MechTypeList, NegHints, NegState, NegTokenInit, NegTokenResp,
    NegotiationToken,
};
use opensspi_negotiate::{NegotiateConfig, NtlmPolicy, RawPolicy};
use sspi_core::{
    CredentialUse, CredentialsRequest, InitializeRequest, SecStatus, SecurityPackage as _, Step,
};
use support::*;

fn resp(token: &[u8]) -> NegTokenResp<'_> {
    let NegotiationToken::Resp(resp) = NegotiationToken::decode(token).unwrap() else { panic!() };
    resp
}

fn init(token: &[u8]) -> NegTokenInit<'_> {
    let NegotiationToken::Init(init) = NegotiationToken::decode(token).unwrap() else { panic!() };
    init
}

fn with(token: NegTokenResp<'_>, change: impl FnOnce(&mut NegTokenResp<'_>)) -> Vec<u8> {
    let mut token = token;
    change(&mut token);
    token.to_bytes()
}

#[test]
fn the_favourite_of_both_is_chosen_without_signatures() {
    for (legs, tokens) in [(1, 2), (2, 2), (3, 4), (4, 4)] {
        let toys = [Toy::new("Strong", &[STRONG], legs), Toy::new("Weak", &[WEAK], 3)];
        let package = negotiate(&toys);
        let ran = run(client(&package), server(&package));
        assert_eq!(ran.tokens.len(), tokens, "{legs} tokens of the mechanism");
        let first = resp(&ran.tokens[1]);
        assert_eq!(first.supported_mech, Some(mech_type(&mech(STRONG))));
        assert!(ran.tokens[1..].iter().all(|token| resp(token).mech_list_mic.is_none()));
        let last = resp(ran.tokens.last().unwrap());
        assert_eq!(last.neg_state, Some(NegState::AcceptCompleted));
        let (mut client, mut server) = ran.both();
        assert_eq!((chosen(client.as_ref()), chosen(server.as_ref())), ("Strong".into(), "Strong".into()));
        talk(client.as_mut(), server.as_mut());
        assert_eq!(toys[0].resets.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn another_one_than_the_clients_favourite_is_begun_anew_and_the_list_is_signed_by_both() {
    for legs in 1..=4 {
        let weak = Toy::new("Weak", &[WEAK], legs);
        let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
        let at_server = negotiate(std::slice::from_ref(&weak));
        let ran = run(client(&at_client), server(&at_server));
        let first = resp(&ran.tokens[1]);
        assert_eq!((first.neg_state, first.response_token), (Some(NegState::RequestMic), None));
        let signed = ran.tokens[1..].iter().filter(|token| resp(token).mech_list_mic.is_some()).count();
        assert_eq!(signed, 2, "{legs} tokens");
        let (mut client, mut server) = ran.both();
        assert_eq!((chosen(client.as_ref()), chosen(server.as_ref())), ("Weak".into(), "Weak".into()));
        talk(client.as_mut(), server.as_mut());
        assert_eq!(weak.resets.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn a_server_that_would_rather_have_had_another_requests_a_signature() {
    for legs in 1..=4 {
        let weak = Toy::new("Weak", &[WEAK], legs);
        let at_client = negotiate(std::slice::from_ref(&weak));
        let at_server = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
        let ran = run(client(&at_client), server(&at_server));
        assert_eq!(resp(&ran.tokens[1]).neg_state, Some(NegState::RequestMic), "{legs} tokens");
        let (mut client, mut server) = ran.both();
        talk(client.as_mut(), server.as_mut());
        assert_eq!(weak.resets.load(Ordering::Relaxed), 2);
    }
}

#[test]
fn a_mechanism_that_asks_for_it_is_signed_by_both() {
    let toy = Toy::new("Strong", &[STRONG], 3).wanting_mic();
    let package = negotiate(&[toy]);
    let ran = run(client(&package), server(&package));
    assert!(resp(&ran.tokens[2]).mech_list_mic.is_some() && resp(&ran.tokens[3]).mech_list_mic.is_some());
    let (mut client, mut server) = ran.both();
    talk(client.as_mut(), server.as_mut());
}

#[test]
fn a_mechanism_without_signatures_is_negotiated_without_them() {
    let weak = Toy::new("Weak", &[WEAK], 3).without_signatures();
    let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
    let ran = run(client(&at_client), server(&negotiate(&[weak])));
    assert!(ran.tokens[1..].iter().all(|token| resp(token).mech_list_mic.is_none()));
    ran.both();
}

#[test]
fn a_mechanism_that_cannot_begin_is_not_offered() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3).broken(), Toy::new("Weak", &[WEAK], 3)]);
    let ran = run(client(&package), server(&negotiate(&[Toy::new("Weak", &[WEAK], 3)])));
    assert_eq!(init(&ran.tokens[0]).mech_types.iter().count(), 1);
    assert_eq!(chosen(ran.both().0.as_ref()), "Weak");
    let broken = negotiate(&[Toy::new("Strong", &[STRONG], 3).broken()]);
    let failure = client(&broken).initialize_security_context(&[]).unwrap_err();
    assert_eq!((failure.error.message(), failure.token.len()), ("the package cannot begin", 0));
}

#[test]
fn nothing_in_common_is_said_by_name() {
    let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3)]);
    let at_server = negotiate(&[Toy::new("Weak", &[WEAK], 3)]);
    let ran = run(client(&at_client), server(&at_server));
    let server = ran.server.map(drop).unwrap_err();
    assert_eq!(server.message(), format!("the peer offers only {STRONG}, and this end has only Weak"));
    assert_eq!(server.setting(), Some("negotiate.packages"));
    let client = ran.client.map(drop).unwrap_err();
    assert_eq!(client.status(), SecStatus::SEC_E_INVALID_TOKEN);
    assert_eq!(
        client.message(),
        format!(
            "the server takes nothing of what was offered ({STRONG}), or not its first token; it may want Kerberos, for which \
             there is no package here"
        )
    );
    assert_eq!(client.setting(), Some("negotiate.packages"));
}

#[test]
fn kerberos_has_two_names_and_is_answered_by_the_one_that_came_first() {
    let (usual, odd) = ("1.2.840.113554.1.2.2", "1.2.840.48018.1.2.2");
    let kerberos = || Toy::new("Kerberos", &[usual, odd], 2);
    let package = negotiate(&[kerberos()]);
    let ran = run(client(&package), server(&package));
    let offered: Vec<_> = init(&ran.tokens[0]).mech_types.iter().map(|m| m.to_string()).collect();
    assert_eq!(offered, [odd, usual]);
    assert_eq!(resp(&ran.tokens[1]).supported_mech, Some(MechType::MS_KERBEROS));
    ran.both();
    // A server that knows only the right name chooses that: it is the same mechanism, and nothing begins anew.
    let ran = run_through(client(&package), server(&package), |number, token| match number {
        1 => with(resp(&token), |resp| resp.supported_mech = Some(MechType::KERBEROS)),
        _ => token,
    });
    assert_eq!(ran.tokens.len(), 2);
    ran.both();
}

/// Spec: SPNEGO section 4.2.2: a server that did not know the first name has not looked at the first token.
#[test]
fn another_name_of_the_mechanism_without_a_token_begins_it_anew_and_the_list_is_signed() {
    let (usual, odd) = ("1.2.840.113554.1.2.2", "1.2.840.48018.1.2.2");
    for legs in 1..=4 {
        let kerberos = Toy::new("Kerberos", &[usual, odd], legs);
        let at_client = negotiate(std::slice::from_ref(&kerberos));
        let mut client = client(&at_client);
        let Step::Continue { token: first, .. } = client.initialize_security_context(&[]).unwrap() else {
            panic!()
        };
        let choice = NegTokenResp {
            neg_state: Some(NegState::RequestMic),
            supported_mech: Some(MechType::KERBEROS),
            ..NegTokenResp::default()
        };
        let Step::Continue { token, .. } = client.initialize_security_context(&choice.to_bytes()).unwrap()
        else {
            panic!("{legs} tokens")
        };
        let again = resp(&token).response_token.unwrap();
        assert_eq!(Some(again), init(&first).mech_token, "{legs} tokens");
        // The server is done, and has signed nothing.
        let done = NegTokenResp { neg_state: Some(NegState::AcceptCompleted), ..NegTokenResp::default() };
        let status = client.initialize_security_context(&done.to_bytes()).unwrap_err().error.status();
        let is_done = legs == 1;
        let expected =
            if is_done { SecStatus::SEC_E_DOWNGRADE_DETECTED } else { SecStatus::SEC_E_INVALID_TOKEN };
        assert_eq!(status, expected, "{legs} tokens");
    }
}

#[test]
fn a_client_that_does_not_negotiate_is_answered_in_its_own_words() {
    let usual = "1.2.840.113554.1.2.2";
    let toys = [Toy::new("Strong", &[STRONG], 3), Toy::new("Kerberos", &[usual], 2)];
    let packages = vec!["Strong".to_owned(), "Kerberos".to_owned()];
    let package =
        over(&toys, NegotiateConfig { packages, raw: RawPolicy::Allow, ..NegotiateConfig::default() });
    let token = InitialContextToken { mechanism: MechType::KERBEROS, inner: b"x" }.to_bytes();
    let failure = server(&package).accept_security_context(&token).unwrap_err();
    assert_eq!(failure.error.message(), "another token was expected", "the package has seen it as it came");
    assert!(failure.token.is_empty(), "nobody answers with a token of SPNEGO");
    let failure = server(&package).accept_security_context(b"NTLMSSP\0\x01\0\0\0").unwrap_err();
    assert!(failure.error.message().contains("offers only NTLM"), "{}", failure.error);
    assert!(failure.token.is_empty());
    // Where there is no such package, the error says which one it would be.
    let strong = negotiate(&[Toy::new("Strong", &[STRONG], 3)]);
    let failure = server(&strong).accept_security_context(&token).unwrap_err();
    let nothing_in_common =
        "the peer offers only Kerberos, and this end has only Strong; there is no package for Kerberos here";
    assert_eq!(failure.error.message(), nothing_in_common);
    assert_eq!((failure.error.setting(), failure.token.len()), (Some("negotiate.packages"), 0));
}

/// As Kerberos without SPNEGO: its own tokens, from the first to the last.
#[test]
fn a_handshake_in_frames_of_gss_api_without_spnego_is_answered_in_kind_to_its_end() {
    for legs in 1..=4 {
        let framed = Toy::new("Framed", &[OTHER], legs).framed();
        let package = negotiate(&[framed.clone(), Toy::new("Strong", &[STRONG], 3)]);
        let ran = run(framed.bare_client(), server(&package));
        assert!(InitialContextToken::is_framed(&ran.tokens[0]));
        assert_eq!(ran.tokens.len(), legs);
        for (number, token) in (1..).zip(&ran.tokens).skip(1) {
            assert_eq!(token, format!("Framed{number}").as_bytes(), "{legs} tokens");
        }
        let (mut client, mut server) = ran.both();
        assert_eq!(chosen(server.as_ref()), "Framed");
        talk(client.as_mut(), server.as_mut());
        // The same inside of SPNEGO.
        let (mut client, mut server) = run(support::client(&package), support::server(&package)).both();
        assert_eq!(chosen(server.as_ref()), "Framed");
        talk(client.as_mut(), server.as_mut());
    }
}

/// Nobody signs for what is not negotiated, so that it must be what this end would have chosen.
#[test]
fn a_client_that_does_not_negotiate_is_taken_with_the_favourite_alone_unless_all_are_allowed() {
    let usual = "1.2.840.113554.1.2.2";
    let toys = [Toy::new("Strong", &[STRONG], 3), Toy::new("Kerberos", &[usual], 2)];
    let token = InitialContextToken { mechanism: MechType::KERBEROS, inner: b"x" }.to_bytes();
    let is_taken = |raw, favourite: &str, other: &str| {
        let packages = vec![favourite.to_owned(), other.to_owned()];
        let package = over(&toys, NegotiateConfig { packages, raw, ..NegotiateConfig::default() });
        let failure = server(&package).accept_security_context(&token).unwrap_err();
        assert!(failure.token.is_empty(), "nobody answers with a token of SPNEGO");
        let is_taken = failure.error.message() == "another token was expected";
        if !is_taken {
            assert_eq!(failure.error.setting(), Some("negotiate.raw"), "{}", failure.error);
            assert!(
                failure.error.message().contains("uses Kerberos without negotiating"),
                "{}",
                failure.error
            );
        }
        is_taken
    };
    for (raw, as_favourite, otherwise) in [
        (RawPolicy::default(), true, false),
        (RawPolicy::Favourite, true, false),
        (RawPolicy::Allow, true, true),
        (RawPolicy::Deny, false, false),
    ] {
        assert_eq!(is_taken(raw, "Kerberos", "Strong"), as_favourite, "{raw:?}");
        assert_eq!(is_taken(raw, "Strong", "Kerberos"), otherwise, "{raw:?}");
    }
}

#[test]
fn a_server_that_speaks_first_says_what_it_has_and_decides_nothing() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3), Toy::new("Weak", &[WEAK], 3)]);
    let mut server = server(&package);
    let Step::Continue { token: hints, used: 0 } = server.accept_security_context(&[]).unwrap() else {
        panic!()
    };
    let said = init(&hints);
    assert_eq!((said.mech_types.iter().count(), said.hints.unwrap().name), (2, Some(NegHints::NAME)));
    let only_weak = NegTokenInit::new(MechTypeList::new([mech_type(&mech(WEAK))]).unwrap()).to_bytes();
    for hints in [hints.clone(), only_weak] {
        let mut client = client(&package);
        let Step::Continue { token, used } = client.initialize_security_context(&hints).unwrap() else {
            panic!()
        };
        assert_eq!((used, init(&token).mech_types.iter().count()), (hints.len(), 2));
    }
    let other = NegTokenInit::new(MechTypeList::new([MechType::KERBEROS]).unwrap()).to_bytes();
    let failure = client(&package).initialize_security_context(&other).unwrap_err();
    let message = failure.error.message();
    assert!(
        message.starts_with("the peer offers only Kerberos, and this end has only Strong, Weak"),
        "{message}"
    );
    assert!(message.ends_with("; there is no package for Kerberos here"), "{message}");
}

#[test]
fn packages_come_in_the_order_of_the_policy_and_ntlm_last() {
    let ntlm = "1.3.6.1.4.1.311.2.2.10";
    let toys = [Toy::new("NTLM", &[ntlm], 3), Toy::new("Strong", &[STRONG], 3), Toy::new("Plain", &[], 3)];
    let offered = |config: NegotiateConfig, target: &str| {
        let request =
            InitializeRequest { target_name: Some(target.to_owned()), ..InitializeRequest::default() };
        let credentials = over(&toys, config).acquire_credentials_handle(&outbound())?;
        let step = credentials.initialize(&request)?.initialize_security_context(&[]).unwrap();
        let Step::Continue { token, .. } = step else { panic!() };
        Ok::<_, sspi_core::Error>(init(&token).mech_types.iter().map(|m| m.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(offered(NegotiateConfig::default(), "a").unwrap(), [STRONG, ntlm]);
    let packages = vec!["ntlm".to_owned(), "STRONG".to_owned()];
    let config = NegotiateConfig { packages, ..NegotiateConfig::default() };
    assert_eq!(offered(config.clone(), "a").unwrap(), [ntlm, STRONG]);
    let denied = NegotiateConfig { ntlm: NtlmPolicy::Deny, ..config.clone() };
    assert_eq!(offered(denied, "a").unwrap(), [STRONG]);
    let rule = opensspi_negotiate::TargetRule {
        target: "*.old".to_owned(),
        packages: vec!["NTLM".to_owned()],
        ntlm: Some(NtlmPolicy::Deny),
    };
    let ruled = NegotiateConfig { targets: vec![rule], ..config };
    assert_eq!(offered(ruled.clone(), "new").unwrap(), [ntlm, STRONG]);
    let error = offered(ruled, "cifs/files.old").unwrap_err();
    assert_eq!((error.status(), error.setting()), (SecStatus::SEC_E_NO_CREDENTIALS, Some("negotiate.ntlm")));
    for (name, expected) in
        [("Kerberos", "there is no security package"), ("Plain", "none that SPNEGO can carry")]
    {
        let config = NegotiateConfig { packages: vec![name.to_owned()], ..NegotiateConfig::default() };
        let error = offered(config, "a").unwrap_err();
        assert!(
            error.message().contains(expected) && error.setting() == Some("negotiate.packages"),
            "{error}"
        );
    }
}

#[test]
fn credentials_have_the_role_that_they_were_acquired_for() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3)]);
    let of = |credential_use| {
        let request = CredentialsRequest::configured(credential_use);
        package.acquire_credentials_handle(&request).unwrap()
    };
    let refused = of(CredentialUse::Inbound).initialize(&InitializeRequest::default()).err().unwrap();
    assert_eq!(refused.status(), SecStatus::SEC_E_NO_CREDENTIALS);
    let refused = of(CredentialUse::Outbound).accept(&sspi_core::AcceptRequest::default()).err().unwrap();
    assert_eq!(refused.status(), SecStatus::SEC_E_NO_CREDENTIALS);
}

#[test]
fn after_its_end_a_handshake_is_over() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 1)]);
    let mut server = server(&package);
    let Step::Continue { token, .. } = client(&package).initialize_security_context(&[]).unwrap() else {
        panic!()
    };
    assert!(matches!(server.accept_security_context(&token).unwrap(), Step::Complete { .. }));
    let failure = server.accept_security_context(&token).unwrap_err();
    assert_eq!(failure.error.status(), SecStatus::SEC_E_INVALID_HANDLE);
}
