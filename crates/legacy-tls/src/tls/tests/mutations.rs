//! Input that is damaged in every way gets an error with an alert, and nothing else: no panic, no growth.

use test_support::Mutator;

use super::*;

/// For each role and version.
const INPUTS: usize = 100_000;

/// Feeds `input` to one side until it has had enough or wants more.
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

fn check(failure: Option<Failure>, version: ProtocolVersion, refused: &mut usize) {
    let Some(failure) = failure else { return };
    *refused += 1;
    match failure.error {
        Error::AlertReceived(_) | Error::ClosedInHandshake => assert!(failure.output.is_empty()),
        Error::Internal(what) | Error::Misused(what) => panic!("{version}: {what}"),
        error => {
            let alert = error.alert().unwrap();
            assert_ne!(alert, AlertDescription::INTERNAL_ERROR, "{version}: {error}");
            assert!(!failure.output.is_empty(), "{version}: {error} is not told to the peer");
        }
    }
}

fn mutate_hellos(version: ProtocolVersion) {
    let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x002f));
    fixture.client.policy.alpn = vec![b"h2".to_vec()];
    fixture.server.sessions = Arc::new(MemorySessions::new(0, 0));
    let Progress::Continue { output: hello, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    let config = Arc::new(fixture.server.clone());
    let mut mutator = Mutator::new(u64::from(version.0));
    let mut refused = 0;
    for _ in 0..INPUTS {
        let mut bytes = hello.clone();
        mutator.mutate_some(&mut bytes, 4);
        let mut server = ServerConnection::new(Arc::clone(&config), ServerParameters::default());
        check(feed(|input| server.advance(input), &bytes), version, &mut refused);
    }
    assert!(refused > INPUTS / 4, "{version}: {refused} refused");
}

fn mutate_answers(version: ProtocolVersion) {
    let mut fixture = Fixture::new(&[version]).suite(CipherSuite(0x0005));
    fixture.server.identities = vec![rsa1024()];
    fixture.server.client_auth = ClientAuth::Optional;
    fixture.client.ask_for_certificate = true;
    // The answer to this client, which is the same every time.
    let client = |fixture: &Fixture| {
        let config = ClientConfig { random: Seeded::new(3), ..fixture.client.clone() };
        let mut client = ClientConnection::new(Arc::new(config), fixture.parameters.clone()).unwrap();
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        (client, output)
    };
    let (_, hello) = client(&fixture);
    let Progress::Continue { output: answer, .. } = fixture.server().advance(&hello).unwrap() else {
        panic!()
    };
    let mut mutator = Mutator::new(u64::from(version.0));
    let mut refused = 0;
    for _ in 0..INPUTS {
        let mut bytes = answer.clone();
        mutator.mutate_some(&mut bytes, 4);
        let (mut client, _) = client(&fixture);
        check(feed(|input| client.advance(input), &bytes), version, &mut refused);
    }
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
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                let (mut flights, at) = (0, seed % 5);
                exchange.tamper = Box::new(move |_, bytes| {
                    if flights == at && !bytes.is_empty() {
                        Mutator::new(seed).mutate(bytes);
                    }
                    flights += 1;
                });
                let outcome = exchange.run_damaged();
                let mut refused = 0;
                check(outcome, version, &mut refused);
            }
        }
    }
}
