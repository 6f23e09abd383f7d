//! Somebody in between, who wants the weaker mechanism; and tokens that are none.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the functions that tests share are tests too"
)]

mod support;

use gss::{MechTypeList, NegState, NegTokenInit, NegTokenResp, NegotiationToken};
use opensspi_negotiate::Negotiate;
use sspi_core::{Error, IscReq, SecStatus, Step};
use support::*;
use test_support::Mutator;

fn init_of(token: &[u8]) -> Option<NegTokenInit<'_>> {
    match NegotiationToken::decode(token) {
        Ok(NegotiationToken::Init(init)) => Some(init),
        _ => None,
    }
}

fn resp_of(token: &[u8]) -> Option<NegTokenResp<'_>> {
    match NegotiationToken::decode(token) {
        Ok(NegotiationToken::Resp(resp)) => Some(resp),
        _ => None,
    }
}

/// What somebody in between does to every answer.
type Answers = fn(&mut NegTokenResp<'_>);

/// The ways in which somebody could hide what was done to the offer.
const HIDING: [(&str, Answers); 4] = [
    ("nothing", |_| {}),
    ("no request for a MIC", |resp| {
        if resp.neg_state == Some(NegState::RequestMic) {
            resp.neg_state = Some(NegState::AcceptIncomplete);
        }
    }),
    ("no MIC", |resp| resp.mech_list_mic = None),
    ("neither", |resp| {
        if resp.neg_state == Some(NegState::RequestMic) {
            resp.neg_state = Some(NegState::AcceptIncomplete);
        }
        resp.mech_list_mic = None;
    }),
];

/// Runs two ends that both have both mechanisms, through somebody who changes the offer and hides that.
fn attacked(legs: usize, change: fn(NegTokenInit<'_>) -> Vec<u8>, hide: Answers) -> Ran {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3), Toy::new("Weak", &[WEAK], legs)]);
    run_through(client(&package), server(&package), |_, token| {
        if let Some(init) = init_of(&token) {
            return change(init);
        }
        let mut resp = resp_of(&token).unwrap();
        hide(&mut resp);
        resp.to_bytes()
    })
}

fn stripped(_: NegTokenInit<'_>) -> Vec<u8> {
    NegTokenInit::new(MechTypeList::new([mech_type(&mech(WEAK))]).unwrap()).to_bytes()
}

fn reordered(_: NegTokenInit<'_>) -> Vec<u8> {
    let (strong, weak) = (mech(STRONG), mech(WEAK));
    NegTokenInit::new(MechTypeList::new([mech_type(&weak), mech_type(&strong)]).unwrap()).to_bytes()
}

/// Neither end takes the weaker mechanism, and one of them says why.
#[track_caller]
fn both_refuse(ran: Ran, how: &str) {
    let refused = |result: Result<_, Error>, end: &str| match result {
        Ok(_) => panic!("{how}: the {end} was deceived: {:x?}", ran.tokens),
        Err(error) => error,
    };
    let (client, server) = (refused(ran.client.map(drop), "client"), refused(ran.server.map(drop), "server"));
    let says_so = |error: &Error| error.status() == SecStatus::SEC_E_DOWNGRADE_DETECTED;
    assert!(says_so(&client) || says_so(&server), "{how}: {client} / {server}");
}

#[test]
fn a_list_from_which_the_stronger_mechanism_was_taken_is_refused_by_both() {
    for (how, hide) in HIDING {
        both_refuse(attacked(3, stripped, hide), how);
    }
}

#[test]
fn a_list_in_another_order_is_refused_by_both() {
    for (how, hide) in HIDING {
        both_refuse(attacked(3, reordered, hide), how);
    }
}

/// Spec: SPNEGO section 7: where the server sends the mechanism's last token, it does not complete, nor does the client.
#[test]
fn a_server_with_the_last_token_does_not_complete_with_a_list_that_was_changed() {
    for legs in [2, 4] {
        for (how, hide) in HIDING {
            both_refuse(attacked(legs, stripped, hide), how);
            both_refuse(attacked(legs, reordered, hide), how);
        }
    }
}

/// As the CHALLENGE of NTLM without SIGN and SEAL makes it: the mechanism itself is content.
#[test]
fn a_context_that_lost_its_signatures_is_no_reason_to_do_without_the_mic() {
    for legs in 1..=4 {
        let (whole, lost) =
            (Toy::new("Weak", &[WEAK], legs), Toy::new("Weak", &[WEAK], legs).losing_signatures());
        let strong = Toy::new("Strong", &[STRONG], 3);
        for (at_client, at_server) in [(&lost, &lost), (&lost, &whole), (&whole, &lost)] {
            let (at_client, at_server) =
                (negotiate(&[strong.clone(), at_client.clone()]), negotiate(std::slice::from_ref(at_server)));
            both_refuse(run(client(&at_client), server(&at_server)), &format!("{legs} tokens"));
        }
        // The server would have liked the stronger one better: the client says that it has none, and nobody can sign it.
        let (at_client, at_server) = (negotiate(std::slice::from_ref(&lost)), negotiate(&[strong, lost]));
        both_refuse(run(client(&at_client), server(&at_server)), &format!("{legs} tokens, index 1"));
    }
}

#[test]
fn a_caller_who_wants_no_signatures_does_without_the_mic() {
    let weak = || Toy::new("Weak", &[WEAK], 3);
    let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak().losing_signatures()]);
    let at_server = negotiate(&[weak().without_signatures()]);
    run(client_with(&at_client, IscReq::NO_INTEGRITY), server(&at_server)).both();
    both_refuse_at_client(run(client(&at_client), server(&at_server)));
}

#[track_caller]
fn both_refuse_at_client(ran: Ran) {
    let error = ran.client.map(drop).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "{error}");
}

#[test]
fn who_signed_the_list_does_not_complete_without_the_servers_signature() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3).wanting_mic()]);
    let ran = run_through(client(&package), server(&package), |number, token| match number {
        3 => NegTokenResp { mech_list_mic: None, ..resp_of(&token).unwrap() }.to_bytes(),
        _ => token,
    });
    both_refuse_at_client(ran);
}

#[test]
fn a_server_that_goes_on_with_nothing_after_the_mechanism_is_done_is_refused() {
    for legs in [1, 3] {
        let package = negotiate(&[Toy::new("Strong", &[STRONG], legs)]);
        let ran = run_through(client(&package), server(&package), |number, token| {
            if number != legs {
                return token;
            }
            let state = Some(NegState::AcceptIncomplete);
            NegTokenResp { neg_state: state, ..resp_of(&token).unwrap() }.to_bytes()
        });
        let error = ran.client.map(drop).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN, "{legs} tokens: {error}");
        assert!(error.message().contains("neither with what nor why"), "{legs} tokens: {error}");
    }
}

/// What the server asks for by itself is not missed only because the client did not offer it.
#[test]
fn a_mechanism_that_asks_the_server_for_it_is_signed_by_both_or_refused() {
    let toy = |legs| Toy::new("Strong", &[STRONG], legs);
    for legs in [1, 2, 4] {
        let (at_client, at_server) = (negotiate(&[toy(legs)]), negotiate(&[toy(legs).wanting_mic()]));
        let ran = run(client(&at_client), server(&at_server));
        let signed = |token: &Vec<u8>| resp_of(token).is_some_and(|resp| resp.mech_list_mic.is_some());
        assert_eq!(ran.tokens.iter().filter(|token| signed(token)).count(), 2, "{legs} tokens");
        let (mut client, mut server) = ran.both();
        talk(client.as_mut(), server.as_mut());
    }
    // The last token is the client's, and it has signed nothing with it.
    let (at_client, at_server) = (negotiate(&[toy(3)]), negotiate(&[toy(3).wanting_mic()]));
    let error = run(client(&at_client), server(&at_server)).server.map(drop).unwrap_err();
    assert_eq!(error.status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "{error}");
}

#[test]
fn a_mechanism_that_asks_the_client_for_it_is_signed_by_both_or_refused() {
    let toy = |legs| Toy::new("Strong", &[STRONG], legs);
    for legs in [1, 2, 4] {
        let (at_client, at_server) = (negotiate(&[toy(legs).wanting_mic()]), negotiate(&[toy(legs)]));
        both_refuse_at_client(run(client(&at_client), server(&at_server)));
    }
    // The last token is the client's, which signs with it, and so the server does.
    let (at_client, at_server) = (negotiate(&[toy(3).wanting_mic()]), negotiate(&[toy(3)]));
    let (mut client, mut server) = run(client(&at_client), server(&at_server)).both();
    talk(client.as_mut(), server.as_mut());
}

#[test]
fn a_mic_of_somebody_else_is_refused() {
    let weak = Toy::new("Weak", &[WEAK], 3);
    let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
    let at_server = negotiate(&[weak]);
    for at in [4, 5] {
        let ran = run_through(client(&at_client), server(&at_server), |number, token| {
            if number != at {
                return token;
            }
            let resp = resp_of(&token).unwrap();
            NegTokenResp { mech_list_mic: Some(&[7; 8]), ..resp }.to_bytes()
        });
        let error = if at == 4 { ran.server.map(drop) } else { ran.client.map(drop) }.unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_DOWNGRADE_DETECTED, "token {at}");
        assert!(error.message().contains("somebody changed it"), "{error}");
    }
}

/// A client that has offered both, and what it says to this answer.
fn answered(answer: &NegTokenResp<'_>) -> Error {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 3), Toy::new("Weak", &[WEAK], 3)]);
    let mut client = client(&package);
    let Step::Continue { .. } = client.initialize_security_context(&[]).unwrap() else { panic!() };
    let first = client.initialize_security_context(&answer.to_bytes()).unwrap_err().error;
    let again = client.initialize_security_context(&answer.to_bytes()).unwrap_err().error;
    assert_eq!(first.to_string(), again.to_string(), "the same error again");
    first
}

#[test]
fn answers_that_no_server_gives_are_refused() {
    let (weak, other) = (mech(WEAK), mech(OTHER));
    let incomplete =
        || NegTokenResp { neg_state: Some(NegState::AcceptIncomplete), ..NegTokenResp::default() };
    let refused = |answer: NegTokenResp<'_>, expected: &str| {
        let error = answered(&answer);
        assert!(error.message().contains(expected), "{expected}: {error}");
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
    };
    refused(
        NegTokenResp { supported_mech: Some(mech_type(&other)), ..incomplete() },
        "which was not offered",
    );
    refused(NegTokenResp { response_token: Some(b"Strong2"), ..NegTokenResp::default() }, "how far it is");
    refused(
        NegTokenResp {
            supported_mech: Some(mech_type(&weak)),
            response_token: Some(b"Weak2"),
            ..incomplete()
        },
        "has not said anything",
    );
    refused(
        NegTokenResp { neg_state: Some(NegState::Reject), ..NegTokenResp::default() },
        "takes nothing of what was offered",
    );
    refused(incomplete(), "another token was expected");
}

#[test]
fn a_second_offer_and_a_second_choice_are_refused() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 4), Toy::new("Weak", &[WEAK], 4)]);
    let ran = run_through(client(&package), server(&package), |number, token| match number {
        2 => NegTokenInit::new(MechTypeList::new([mech_type(&mech(WEAK))]).unwrap()).to_bytes(),
        _ => token,
    });
    assert!(ran.server.map(drop).unwrap_err().message().contains("a second offer"));
    let weak = mech(WEAK);
    let ran =
        run_through(client(&package), server(&package), |number, token| match (number, resp_of(&token)) {
            (3, Some(resp)) => NegTokenResp { supported_mech: Some(mech_type(&weak)), ..resp }.to_bytes(),
            _ => token,
        });
    assert!(ran.client.map(drop).unwrap_err().message().contains("changed its mind"));
}

/// Spec: SPNEGO appendix C.
#[test]
fn a_mic_that_is_the_token_again_is_none() {
    let package = negotiate(&[Toy::new("Strong", &[STRONG], 2)]);
    let ran =
        run_through(client(&package), server(&package), |number, token| match (number, resp_of(&token)) {
            (1, Some(resp)) => NegTokenResp { mech_list_mic: resp.response_token, ..resp }.to_bytes(),
            _ => token,
        });
    ran.both();
}

/// Runs both ends, one token of which is damaged. Where both complete, nobody has changed what was chosen.
fn damaged(packages: (&Negotiate, &Negotiate), at: usize, mutator: &mut Mutator) -> Ran {
    let mut received = Vec::new();
    let ran = run_through(client(packages.0), server(packages.1), |number, mut token| {
        if number == at {
            mutator.mutate_some(&mut token, 3);
        }
        if number == 0 {
            received.clone_from(&token);
        }
        token
    });
    if let (Ok(client), Ok(server)) = (&ran.client, &ran.server) {
        assert_eq!(chosen(client.as_ref()), chosen(server.as_ref()), "{:x?}", ran.tokens);
        let (sent, received) = (init_of(&ran.tokens[0]).unwrap(), init_of(&received).unwrap());
        let is_whole = received.mech_types.as_der() == sent.mech_types.as_der();
        assert!(is_whole || chosen(client.as_ref()) == "Strong", "{at}: {:x?}", ran.tokens);
    }
    ran
}

#[test]
fn of_a_hundred_thousand_damaged_handshakes_none_completes_with_a_choice_that_was_forced() {
    let weak = Toy::new("Weak", &[WEAK], 3);
    let both = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
    let only_weak = negotiate(&[weak]);
    let mut mutator = Mutator::new(7);
    let (mut forced, mut completed) = (0, 0);
    for round in 0..100_000 {
        // Damage to the offer can force the choice; damage to all the others can hide that one was made.
        let ran = match round % 8 {
            at @ 0..6 => damaged((&both, &only_weak), at, &mut mutator),
            _ => damaged((&both, &both), 0, &mut mutator),
        };
        let is_request =
            |token: &Vec<u8>| resp_of(token).is_some_and(|resp| resp.neg_state == Some(NegState::RequestMic));
        forced += usize::from(round % 8 > 5 && ran.tokens.iter().any(is_request));
        completed += usize::from(ran.client.is_ok() && ran.server.is_ok());
    }
    assert!(forced > 100 && completed > 1000, "{forced} were forced, {completed} were completed");
}
