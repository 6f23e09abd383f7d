//! Input that is damaged in every way gets an error, and nothing else: no panic, and no waiting for more than a record. What
//! it costs in memory is measured in `tests/growth.rs`.

use super::*;
use crate::tls::tests::damage::{INPUTS, damage_answers, damage_flight, damage_hellos};

fn check(failure: Failure) {
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
    let refused = damage_hellos(&fixture, &[hello], 0x8001, check);
    assert!(refused > INPUTS / 4, "{refused} refused");
}

#[test]
fn a_client_survives_damaged_answers() {
    let mut fixture = pct();
    fixture.client.ask_for_certificate = true;
    fixture.server.client_auth = ClientAuth::Optional;
    let parameters = ServerParameters { client_auth: ClientAuth::Optional, alpn: None };
    let mut server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
    let refused = damage_answers(&fixture, &mut server, 0x8002, check);
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
        let exchange = Exchange::new(fixture.client(), server());
        let seed = u64::try_from(seed).unwrap();
        if let Some(failure) = damage_flight(exchange, seed % 4, seed) {
            assert!(!matches!(failure.error, Error::Internal(_) | Error::Misused(_)), "{}", failure.error);
        }
    }
}
