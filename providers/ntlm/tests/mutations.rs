//! Damaged tokens, 100,000 of each: an error or a step each time, never a panic, and never a context for a damaged answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test, in its helpers too"
)]

mod support;

use sspi_core::{AcceptRequest, Step};
use support::{PASSWORD, accept, one_account, run, sealed, step, token, world};
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
