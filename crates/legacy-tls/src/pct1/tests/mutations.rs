//! Input that is damaged in every way gets an error, and nothing else: no panic, no growth.

use test_support::Mutator;

use super::*;

/// For each role.
const INPUTS: usize = 100_000;

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
    match failure.error {
        Error::Pct1Received(_) => assert!(failure.output.is_empty()),
        Error::Internal(what) | Error::Misused(what) => panic!("{what}"),
        error => {
            let told = told(&failure.output).unwrap_or_else(|| panic!("{error} is not told to the peer"));
            assert_eq!(Some(told.code), super::super::error::code(&error), "{error}");
        }
    }
}

#[test]
fn a_server_survives_damaged_hellos() {
    let mut fixture = pct();
    fixture.server.sessions = Arc::new(MemorySessions::new(0, 0));
    let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    let config = Arc::new(fixture.server.clone());
    let (mut mutator, mut refused) = (Mutator::new(0x8001), 0);
    for _ in 0..INPUTS {
        let mut bytes = hello.clone();
        mutator.mutate_some(&mut bytes, 4);
        let mut server = ServerConnection::new(Arc::clone(&config), ServerParameters::default());
        check(feed(|input| server.advance(input), &bytes), &mut refused);
    }
    assert!(refused > INPUTS / 4, "{refused} refused");
}

#[test]
fn a_client_survives_damaged_answers() {
    let mut fixture = pct();
    fixture.client.ask_for_certificate = true;
    fixture.server.client_auth = ClientAuth::Optional;
    let client = |fixture: &Fixture| {
        let config = ClientConfig { random: Seeded::new(3), ..fixture.client.clone() };
        let mut client = ClientConnection::new(Arc::new(config), fixture.parameters.clone()).unwrap();
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        (client, output)
    };
    let (_, hello) = client(&fixture);
    let parameters = ServerParameters { client_auth: ClientAuth::Optional, alpn: None };
    let mut server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
    let Progress::Continue { output: answer, .. } = server.advance(&hello).unwrap() else { panic!() };
    let (mut mutator, mut refused) = (Mutator::new(0x8002), 0);
    for _ in 0..INPUTS {
        let mut bytes = answer.clone();
        mutator.mutate_some(&mut bytes, 4);
        let (mut client, _) = client(&fixture);
        check(feed(|input| client.advance(input), &bytes), &mut refused);
    }
    assert!(refused > INPUTS / 16, "{refused} refused");
}

#[test]
fn every_later_flight_survives_damage_too() {
    for seed in 0..400 {
        let mut fixture = pct_with([RC4_MD5, DES_SHA, 0x8241][seed % 3]);
        fixture.client.identities = vec![rsa1024()];
        let auth = if seed % 2 == 0 { ClientAuth::Required } else { ClientAuth::None };
        let parameters = || ServerParameters { client_auth: auth, alpn: None };
        let server = || ServerConnection::new(Arc::new(fixture.server.clone()), parameters());
        if seed % 4 < 2 {
            Exchange::new(fixture.client(), server()).run().unwrap();
        }
        let mut exchange = Exchange::new(fixture.client(), server());
        let (mut flights, at) = (0, seed % 4);
        exchange.tamper = Box::new(move |_, bytes| {
            if flights == at && !bytes.is_empty() {
                Mutator::new(u64::try_from(seed).unwrap()).mutate(bytes);
            }
            flights += 1;
        });
        if let Some(failure) = exchange.run_damaged() {
            assert!(!matches!(failure.error, Error::Internal(_) | Error::Misused(_)), "{}", failure.error);
        }
    }
}
