//! Damaged input for every protocol: what a side is given, and what comes of it.

use test_support::Mutator;

use super::flight::Flight;
use super::*;
use crate::tls::messages::HEADER;

/// For each role of a version.
pub(crate) const INPUTS: usize = 100_000;

/// What a peer can make one side wait for at most: the longest record, of SSL 2.0 and PCT.
const MOST_MISSING: usize = 3 + (1 << 15);

/// Feeds `input` to one side until it has had enough or wants more; `None`: it wants more.
fn feed(mut advance: impl FnMut(&[u8]) -> Result<Progress, Failure>, input: &[u8]) -> Option<Failure> {
    let mut at = 0;
    loop {
        match advance(&input[at..]) {
            Ok(Progress::Incomplete { missing }) => {
                assert!(missing <= MOST_MISSING, "{missing} bytes are missing");
                return None;
            }
            Ok(Progress::Continue { used: 0, .. } | Progress::Ask(_)) => return None,
            Ok(Progress::Continue { used, .. }) => at += used,
            Ok(Progress::Data { .. } | Progress::Declined { .. }) => panic!("of a second handshake only"),
            Ok(Progress::Complete { .. }) => panic!("a damaged handshake is complete"),
            Err(failure) => return Some(failure),
        }
    }
}

/// Gives a server each of the hellos in turn, damaged in up to four places, and `check` every failure; how many there were.
pub(crate) fn damage_hellos(
    fixture: &Fixture,
    hellos: &[Vec<u8>],
    seed: u64,
    mut check: impl FnMut(Failure),
) -> usize {
    let config = Arc::new(fixture.server.clone());
    let (mut mutator, mut refused) = (Mutator::new(seed), 0);
    for hello in hellos.iter().cycle().take(INPUTS) {
        let mut bytes = hello.clone();
        mutator.mutate_some(&mut bytes, 4);
        let mut server = ServerConnection::new(Arc::clone(&config), ServerParameters::default());
        if let Some(failure) = feed(|input| server.advance(input), &bytes) {
            refused += 1;
            check(failure);
        }
    }
    refused
}

/// Gives a client the server's answer to its hello, damaged in up to four places, and `check` every failure; how many there
/// were.
pub(crate) fn damage_answers(
    fixture: &Fixture,
    server: &mut ServerConnection,
    seed: u64,
    mut check: impl FnMut(Failure),
) -> usize {
    // With the same hello every time, which the answer fits.
    let client = || {
        let config = ClientConfig { random: Seeded::new(3), ..fixture.client.clone() };
        let mut client = ClientConnection::new(Arc::new(config), fixture.parameters.clone()).unwrap();
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        (client, output)
    };
    let Progress::Continue { output: answer, .. } = server.advance(&client().1).unwrap() else { panic!() };
    let (mut mutator, mut refused) = (Mutator::new(seed), 0);
    for _ in 0..INPUTS {
        let mut bytes = answer.clone();
        mutator.mutate_some(&mut bytes, 4);
        let (mut client, _) = client();
        if let Some(failure) = feed(|input| client.advance(input), &bytes) {
            refused += 1;
            check(failure);
        }
    }
    refused
}

/// Makes a peer of which each awaits the same flight.
pub(crate) type MakePeer = Box<dyn Fn() -> Peer>;

/// A peer, as what it says to a flight.
pub(crate) type Peer = Box<dyn FnMut(&[u8]) -> Result<Progress, Failure>>;

/// Gives a peer of each kind in turn the flight that it awaits, damaged, and `check` every failure; how many there were.
///
/// Of three inputs one is damaged anywhere, the records' headers included; one in a message; and one in the body of a
/// message, whose length is said as it is. So what stands behind a certificate is reached as often as the certificate.
pub(crate) fn damage_flights(
    peers: &[(MakePeer, Flight)],
    inputs: usize,
    seed: u64,
    mut check: impl FnMut(Failure),
) -> usize {
    let (mut mutator, mut refused) = (Mutator::new(seed), 0);
    for round in 0..inputs {
        let ((make, flight), turn) = (&peers[round % peers.len()], round / peers.len());
        let mut peer = make();
        if let Some(failure) = feed(&mut peer, &damaged(flight, turn, &mut mutator)) {
            refused += 1;
            check(failure);
        }
    }
    refused
}

fn damaged(flight: &Flight, turn: usize, mutator: &mut Mutator) -> Vec<u8> {
    let mut flight = flight.clone();
    let at = turn / 3 % flight.messages.len();
    let message = &mut flight.messages[at];
    match turn % 3 {
        0 => {
            let mut records = flight.records();
            mutator.mutate_some(&mut records, 4);
            return records;
        }
        1 => drop(mutator.mutate_some(message, 4)),
        _ => {
            let mut body = message.split_off(HEADER);
            mutator.mutate_some(&mut body, 4);
            *message = conformance::message(message[0], &body);
        }
    }
    flight.records()
}

/// Damages the flight number `at` of an exchange in one place; what fails of it.
pub(crate) fn damage_flight(mut exchange: Exchange, at: u64, seed: u64) -> Option<Failure> {
    let mut flights = 0;
    exchange.tamper = Box::new(move |_, bytes| {
        if flights == at && !bytes.is_empty() {
            Mutator::new(seed).mutate(bytes);
        }
        flights += 1;
    });
    exchange.run_damaged()
}
