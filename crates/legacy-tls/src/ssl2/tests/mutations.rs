//! Input that is damaged in every way gets an error and nothing else: no panic, no growth.

use test_support::Mutator;

use super::*;

/// For each role.
const INPUTS: usize = 100_000;

/// Feeds `input` to one side until it has had enough or wants more; `None`: it wants more.
fn feed(mut advance: impl FnMut(&[u8]) -> Result<Progress, Failure>, input: &[u8]) -> Option<Failure> {
    let mut at = 0;
    loop {
        match advance(&input[at..]) {
            Ok(Progress::Continue { used: 0, .. } | Progress::Incomplete { .. } | Progress::Ask(_)) => {
                return None;
            }
            Ok(Progress::Continue { used, .. }) => at += used,
            Ok(Progress::Data { .. } | Progress::Declined { .. }) => panic!("of a second handshake only"),
            Ok(Progress::Complete { .. }) => panic!("a damaged handshake is complete"),
            Err(failure) => return Some(failure),
        }
    }
}

fn check(failure: Option<Failure>, refused: &mut usize) {
    let Some(failure) = failure else { return };
    *refused += 1;
    assert!(!matches!(failure.error, Error::Internal(_) | Error::Misused(_)), "{}", failure.error);
    assert!(failure.output.len() < 5000);
}

#[test]
fn a_server_survives_damaged_hellos() {
    let mut fixture = fixture();
    fixture.server.policy.v2_hello = true;
    fixture.server.policy.versions.push(ProtocolVersion::TLS10);
    let mut both = Fixture::new(&[ProtocolVersion::TLS10, SSL20]);
    both.client.policy.v2_hello = true;
    let hellos = [hello_of(&mut fixture.client()), hello_of(&mut both.client())];
    let config = Arc::new(fixture.server.clone());
    let (mut mutator, mut refused) = (Mutator::new(2), 0);
    for round in 0..INPUTS {
        let mut bytes = hellos[round % 2].clone();
        mutator.mutate_some(&mut bytes, 4);
        let mut server = ServerConnection::new(Arc::clone(&config), ServerParameters::default());
        check(feed(|input| server.advance(input), &bytes), &mut refused);
    }
    assert!(refused > INPUTS / 4, "{refused} refused");
}

#[test]
fn a_client_survives_damaged_answers() {
    let mut fixture = fixture();
    fixture.server.identities = vec![rsa512()];
    // The answer to this client, which is the same every time.
    let client = |fixture: &Fixture| {
        let config = ClientConfig { random: Seeded::new(3), ..fixture.client.clone() };
        let mut client = ClientConnection::new(Arc::new(config), fixture.parameters.clone()).unwrap();
        let hello = hello_of(&mut client);
        (client, hello)
    };
    let (_, hello) = client(&fixture);
    let Progress::Continue { output: answer, .. } = fixture.server().advance(&hello).unwrap() else {
        panic!()
    };
    let (mut mutator, mut refused) = (Mutator::new(3), 0);
    for _ in 0..INPUTS {
        let mut bytes = answer.clone();
        mutator.mutate_some(&mut bytes, 4);
        let (mut client, _) = client(&fixture);
        check(feed(|input| client.advance(input), &bytes), &mut refused);
    }
    assert!(refused > INPUTS / 8, "{refused} refused");
}

#[test]
fn every_later_flight_survives_damage_too() {
    let mut damaged = 0;
    for suite in suites() {
        for seed in 0..400 {
            let mut fixture = fixture().suite(suite);
            fixture.client.identities = vec![rsa1024()];
            fixture.server.identities = vec![rsa1024()];
            fixture.server.client_auth = ClientAuth::Optional;
            if seed % 3 == 0 {
                fixture.run().unwrap();
            }
            let mut exchange = Exchange::new(fixture.client(), fixture.server());
            let (mut flights, at) = (0, seed % 6);
            exchange.tamper = Box::new(move |_, bytes| {
                if flights == at && !bytes.is_empty() {
                    Mutator::new(seed).mutate(bytes);
                }
                flights += 1;
            });
            check(exchange.run_damaged(), &mut damaged);
        }
    }
    assert!(damaged > 500, "{damaged}");
}
