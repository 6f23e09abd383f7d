//! Damaged tokens, 100,000 of each: an error or a step each time, never a panic, and never a context for a damaged answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

mod support;

use opensspi_ntlm::messages::AvPairs;
use opensspi_ntlm::{ExtendedSessionSecurity, LmCompatibilityLevel};
use sspi_core::{AcceptRequest, InitializeRequest, Step};
use support::{HandMade, PASSWORD, USER, accept, one_account, run, sealed, step, token, world};
use test_support::Mutator;

const TIMES: usize = 100_000;

#[test]
fn a_server_answers_or_refuses_a_hundred_thousand_damaged_offers() {
    let (client, server) = (world(1, |_| ()), world(2, |_| ()));
    let negotiate = token(step(&mut *client.client(PASSWORD, &sealed()), &[]));
    let mut mutator = Mutator::new(11);
    for _ in 0..TIMES {
        let mut damaged = negotiate.clone();
        mutator.mutate_some(&mut damaged, 4);
        let _answered_or_refused = server.server(&AcceptRequest::default()).accept_security_context(&damaged);
    }
}

#[test]
fn a_client_answers_or_refuses_a_hundred_thousand_damaged_challenges() {
    let (client, server) = (world(1, |_| ()), world(2, |_| ()));
    let tokens =
        run(&mut *client.client(PASSWORD, &sealed()), &mut *server.server(&AcceptRequest::default()));
    let credentials = client.outbound(support::identity("alice", "CORP", PASSWORD)).unwrap();
    let mut mutator = Mutator::new(12);
    for _ in 0..TIMES {
        let mut damaged = tokens.challenge.clone();
        mutator.mutate_some(&mut damaged, 4);
        let mut initiator = credentials.initialize(&sealed()).unwrap();
        token(step(&mut *initiator, &[]));
        let _answered_or_refused = initiator.initialize_security_context(&damaged);
    }
}

#[test]
fn a_server_lets_in_none_of_a_hundred_thousand_damaged_answers() {
    let client = world(1, |_| ());
    let server = world(2, |config| config.lock_out.failures = 0);
    let credentials = client.outbound(support::identity("alice", "CORP", PASSWORD)).unwrap();
    let mut mutator = Mutator::new(13);
    for _ in 0..TIMES {
        let mut acceptor = server.server(&AcceptRequest::default());
        let mut tokens = run(&mut *credentials.initialize(&sealed()).unwrap(), &mut *acceptor);
        let whole = tokens.authenticate.clone();
        let mutations = mutator.mutate_some(&mut tokens.authenticate, 4);
        if tokens.authenticate == whole {
            // One of them took back another.
            continue;
        }
        let result = accept(&mut *acceptor, &tokens.authenticate, &one_account);
        assert!(!matches!(result, Ok(Step::Complete { .. })), "{mutations:?}");
    }
}

/// Somebody on the way can change of these what the proof does not cover: what nobody can is who it is that is let in.
#[test]
fn a_hundred_thousand_damaged_answers_without_mic_let_nobody_else_in() {
    let level = |level| LmCompatibilityLevel::new(level).unwrap();
    let server = world(2, |config| {
        config.lock_out.failures = 0;
        config.acceptor_lm_compatibility_level = level(0);
        config.extended_session_security = ExtendedSessionSecurity::Optional;
    });
    let old = [0, 1, 2].map(|number| {
        let client = world(1, |config| {
            config.lm_compatibility_level = level(number);
            config.extended_session_security = ExtendedSessionSecurity::Optional;
        });
        client.outbound(support::identity(USER, "CORP", PASSWORD)).unwrap()
    });
    let (mut mutator, mut let_in) = (Mutator::new(14), 0);
    for number in 0..TIMES {
        let mut acceptor = server.server(&AcceptRequest::default());
        let mut answer = match number % 4 {
            3 => {
                let client = HandMade::new(AvPairs::default());
                let negotiate = HandMade::negotiate(client.flags);
                let challenge = token(accept(&mut *acceptor, &negotiate, &one_account));
                client.authenticate(&negotiate, &challenge)
            }
            kind => {
                let mut client = old[kind].initialize(&InitializeRequest::default()).unwrap();
                run(&mut *client, &mut *acceptor).authenticate
            }
        };
        // Most of them hit the proof.
        let mutations = mutator.mutate_some(&mut answer, 2);
        if let Ok(Step::Complete { context, .. }) = accept(&mut *acceptor, &answer, &one_account) {
            assert_eq!(context.security_context_token().unwrap().name, USER, "{mutations:?}");
            let_in += 1;
        }
    }
    assert!((1..TIMES).contains(&let_in), "{let_in}");
}
