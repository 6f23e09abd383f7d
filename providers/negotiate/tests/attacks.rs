//! Somebody in between, who wants the weaker mechanism; and tokens that are none.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions that tests share are tests too")]

mod support;

use gss::{MechTypeList, NegState, NegTokenInit, NegTokenResp, NegotiationToken};
use sspi_core::{Error, SecStatus, Step};
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
        "none of the mechanisms",
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

#[test]
fn a_hundred_thousand_mutated_handshakes_end_in_an_error_or_as_they_should() {
    let weak = Toy::new("Weak", &[WEAK], 3);
    let at_client = negotiate(&[Toy::new("Strong", &[STRONG], 3), weak.clone()]);
    let at_server = negotiate(&[weak]);
    let mut mutator = Mutator::new(7);
    for round in 0..100_000 {
        let at = round % 6;
        let ran = run_through(client(&at_client), server(&at_server), |number, mut token| {
            if number == at {
                mutator.mutate_some(&mut token, 3);
            }
            token
        });
        // Whatever was changed: the list that the server has seen is the one that the client has sent.
        if let (Ok(client), Ok(_)) = (&ran.client, &ran.server) {
            assert_eq!(chosen(client.as_ref()), "Weak", "{:x?}", ran.tokens);
        }
    }
}
