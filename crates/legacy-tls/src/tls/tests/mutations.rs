//! Input that is damaged in every way gets an error with an alert, and nothing else: no panic, no growth.

use super::damage::{INPUTS, damage_answers, damage_flight, damage_hellos};
use super::*;

/// What was said before may be there too.
fn last_record(mut output: &[u8]) -> &[u8] {
    while let [_, _, _, high, low, rest @ ..] = output {
        match rest.split_at(usize::from(u16::from_be_bytes([*high, *low]))) {
            (_, []) => return output,
            (_, next) => output = next,
        }
    }
    output
}

fn check(failure: Failure, version: ProtocolVersion) {
    match failure.error {
        Error::AlertReceived(_) | Error::ClosedInHandshake => assert!(failure.output.is_empty()),
        Error::Internal(what) | Error::Misused(what) => panic!("{version}: {what}"),
        error => {
            let alert = error.alert().unwrap();
            assert_ne!(alert, AlertDescription::INTERNAL_ERROR, "{version}: {error}");
            // What became a hello of SSL 2.0 or PCT is refused in their words: a header of two bytes, and an error.
            if let [0x80, _, 0 | 5, ..] = *failure.output {
                return;
            }
            let told = last_record(&failure.output);
            assert!(
                told.starts_with(&[21, 3]),
                "{version}: {error} is not told to the peer: {:02x?}",
                failure.output
            );
            // In clear, the one alert that the error has in this version, and fatal; later it is encrypted.
            if let [21, 3, minor, 0, 2, level, description] = *told {
                let version = ProtocolVersion(0x0300 | u16::from(minor));
                let expected = version.alert(alert);
                assert_eq!((level, description), (2, expected.0), "{version}: {error}");
                assert_eq!(failure.alert, Some(expected), "{version}: {error}");
            }
        }
    }
}

fn mutate_hellos(version: ProtocolVersion) {
    let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x002f));
    fixture.client.policy.alpn = vec![b"h2".to_vec()];
    fixture.server.sessions = Arc::new(MemorySessions::new(0, 0));
    let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    let refused = damage_hellos(&fixture, &[hello], version.0.into(), |failure| check(failure, version));
    assert!(refused > INPUTS / 4, "{version}: {refused} refused");
}

fn mutate_answers(version: ProtocolVersion) {
    let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x0005));
    fixture.server.identities = vec![rsa1024()];
    fixture.server.client_auth = ClientAuth::Optional;
    fixture.client.ask_for_certificate = true;
    let server = &mut fixture.server();
    let refused = damage_answers(&fixture, server, version.0.into(), |failure| check(failure, version));
    assert!(refused > INPUTS / 8, "{version}: {refused} refused");
}

macro_rules! for_each_version {
    ($($version:ident $server:ident $client:ident;)*) => {$(
        #[test]
        fn $server() {
            mutate_hellos(ProtocolVersion::$version);
        }

        #[test]
        fn $client() {
            mutate_answers(ProtocolVersion::$version);
        }
    )*};
}

for_each_version! {
    SSL30 a_server_of_ssl30_survives_damaged_hellos a_client_of_ssl30_survives_damaged_answers;
    TLS10 a_server_of_tls10_survives_damaged_hellos a_client_of_tls10_survives_damaged_answers;
    TLS11 a_server_of_tls11_survives_damaged_hellos a_client_of_tls11_survives_damaged_answers;
    TLS12 a_server_of_tls12_survives_damaged_hellos a_client_of_tls12_survives_damaged_answers;
}

#[test]
fn every_later_flight_survives_damage_too() {
    for version in ProtocolVersion::ALL {
        for suite in [0x0005, 0x002f, 0xc013].map(CipherSuite) {
            let Some(_) = suite.row().filter(|row| row.is_legal_in(version)) else { continue };
            for seed in 0..200 {
                let mut fixture = Fixture::new(&[version]).suite(suite);
                fixture.client.policy.resume = seed % 2 == 0;
                fixture.client.identities = vec![rsa1024()];
                fixture.server.client_auth = ClientAuth::Optional;
                let exchange = Exchange::new(fixture.client(), fixture.server());
                if let Some(failure) = damage_flight(exchange, seed % 5, seed) {
                    check(failure, version);
                }
            }
        }
    }
}
