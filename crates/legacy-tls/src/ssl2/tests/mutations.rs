//! Input that is damaged in every way gets an error and nothing else: no panic, and no waiting for more than a record. What
//! it costs in memory is measured in `tests/growth.rs`.

use super::*;
use crate::tls::tests::damage::{INPUTS, damage_answers, damage_flight, damage_hellos};

fn check(failure: Failure) {
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
    let refused = damage_hellos(&fixture, &hellos, 2, check);
    assert!(refused > INPUTS / 4, "{refused} refused");
}

#[test]
fn a_client_survives_damaged_answers() {
    let mut fixture = fixture();
    fixture.server.identities = vec![rsa512()];
    let refused = damage_answers(&fixture, &mut fixture.server(), 3, check);
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
            let exchange = Exchange::new(fixture.client(), fixture.server());
            if let Some(failure) = damage_flight(exchange, seed % 6, seed) {
                damaged += 1;
                check(failure);
            }
        }
    }
    assert!(damaged > 500, "{damaged}");
}
