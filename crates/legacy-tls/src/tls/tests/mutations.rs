//! Input that is damaged in every way gets an error with an alert, and nothing else: no panic, and no waiting for more than
//! a record. What it costs in memory is measured in `tests/growth.rs`.

use super::damage::{INPUTS, MakePeer, Peer, damage_flight, damage_flights, damage_hellos};
use super::flight::Flight;
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
        Error::AlertReceived(_) | Error::GroupDeclined { .. } | Error::ClosedInHandshake => {
            assert!(failure.output.is_empty())
        }
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

/// A suite, with the server's identity and the client's.
type Exchanged = (u16, Arc<Identity>, Arc<Identity>);

/// What a server sends to agree on a key, and how it signs that: with a certificate whose key is longer than an export suite
/// allows, and with a stapled response.
fn server_flights() -> Vec<Exchanged> {
    let stapled = Arc::into_inner(rsa1024()).unwrap().with_ocsp_response(b"a response".to_vec());
    vec![
        (0x0005, rsa1024(), rsa1024()),
        (0x0003, rsa1024(), rsa1024()),
        (0x0033, rsa1024(), rsa1024()),
        (0x0032, dsa1024(), rsa1024()),
        (0xc013, rsa1024(), rsa1024()),
        (0xc009, p256(), rsa1024()),
        (0x002f, Arc::new(stapled), rsa1024()),
    ]
}

/// What a client sends to agree on a key, and how it signs. The server's key is short, since it works for every input.
fn client_flights() -> Vec<Exchanged> {
    vec![(0x0005, rsa512(), rsa1024()), (0x0033, rsa512(), dsa1024()), (0xc013, rsa512(), p256())]
}

/// A fixture for each of them that the version has.
fn fixtures(version: ProtocolVersion, exchanges: Vec<Exchanged>) -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for (suite, server, client) in exchanges {
        let suite = CipherSuite(suite);
        if suite.row().is_some_and(|row| row.is_legal_in(version)) {
            let mut fixture = Fixture::new(&[version]).suite(suite);
            fixture.server.identities = vec![server];
            fixture.server.client_auth = ClientAuth::Optional;
            fixture.server.sessions = Arc::new(MemorySessions::new(0, 0));
            fixture.client.identities = vec![client];
            fixtures.push(fixture);
        }
    }
    fixtures
}

/// A client that has said its hello, always the same, and what it said.
fn greeting(config: &ClientConfig, parameters: &ClientParameters) -> (ClientConnection, Vec<u8>) {
    let config = ClientConfig { random: Seeded::new(3), ..config.clone() };
    let mut client = ClientConnection::new(Arc::new(config), parameters.clone()).unwrap();
    let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!("no hello") };
    (client, output)
}

/// A server that has answered this hello, always the same, and its answer.
fn answering(config: &ServerConfig, hello: &[u8]) -> (ServerConnection, Vec<u8>) {
    let config = ServerConfig { random: Seeded::new(2), ..config.clone() };
    let mut server = ServerConnection::new(Arc::new(config), ServerParameters::default());
    let Progress::Continue { output, .. } = server.advance(hello).unwrap() else { panic!("no answer") };
    (server, output)
}

fn mutate_answers(version: ProtocolVersion) {
    let client = |mut fixture: Fixture| -> (MakePeer, Flight) {
        // It asks which certificate it should show, and there its part ends.
        fixture.client.identities.clear();
        fixture.client.ask_for_certificate = true;
        let (_, hello) = greeting(&fixture.client, &fixture.parameters);
        let (_, answer) = answering(&fixture.server, &hello);
        let make = move || -> Peer {
            let (mut client, _) = greeting(&fixture.client, &fixture.parameters);
            Box::new(move |input| client.advance(input))
        };
        (Box::new(make), Flight::read(&answer))
    };
    let peers: Vec<_> = fixtures(version, server_flights()).into_iter().map(client).collect();
    let refused = damage_flights(&peers, INPUTS, version.0.into(), |failure| check(failure, version));
    assert!(refused > INPUTS / 2, "{version}: {refused} refused");
}

/// How many of those a server gets beside its hellos: for each it works with a private key.
const SECOND_FLIGHTS: usize = INPUTS / 4;

/// Certificate, ClientKeyExchange and CertificateVerify.
fn mutate_second_flights(version: ProtocolVersion) {
    let server = |fixture: Fixture| -> (MakePeer, Flight) {
        let (mut client, hello) = greeting(&fixture.client, &fixture.parameters);
        let (_, answer) = answering(&fixture.server, &hello);
        let Progress::Continue { output, .. } = client.advance(&answer).unwrap() else { panic!("no flight") };
        let make = move || -> Peer {
            let (mut server, _) = answering(&fixture.server, &hello);
            Box::new(move |input| server.advance(input))
        };
        let flight = Flight::read(&output);
        assert_eq!(flight.messages.len(), 3, "{version}");
        (Box::new(make), flight)
    };
    let peers: Vec<_> = fixtures(version, client_flights()).into_iter().map(server).collect();
    let refused = damage_flights(&peers, SECOND_FLIGHTS, version.0.into(), |failure| check(failure, version));
    assert!(refused > SECOND_FLIGHTS / 2, "{version}: {refused} refused");
}

macro_rules! for_each_version {
    ($($version:ident $hellos:ident $flights:ident $client:ident;)*) => {$(
        #[test]
        fn $hellos() {
            mutate_hellos(ProtocolVersion::$version);
        }

        #[test]
        fn $flights() {
            mutate_second_flights(ProtocolVersion::$version);
        }

        #[test]
        fn $client() {
            mutate_answers(ProtocolVersion::$version);
        }
    )*};
}

for_each_version! {
    SSL30 a_server_of_ssl30_survives_damaged_hellos a_server_of_ssl30_survives_damaged_second_flights
        a_client_of_ssl30_survives_damaged_answers;
    TLS10 a_server_of_tls10_survives_damaged_hellos a_server_of_tls10_survives_damaged_second_flights
        a_client_of_tls10_survives_damaged_answers;
    TLS11 a_server_of_tls11_survives_damaged_hellos a_server_of_tls11_survives_damaged_second_flights
        a_client_of_tls11_survives_damaged_answers;
    TLS12 a_server_of_tls12_survives_damaged_hellos a_server_of_tls12_survives_damaged_second_flights
        a_client_of_tls12_survives_damaged_answers;
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
