//! First bytes, whole and cut, and one server for every protocol.

use test_support::{Mutator, SeededRandom};

use super::*;
use crate::tls::tests::{Exchange, Fixture, everything};
use crate::*;

/// Every protocol of the engine, as Windows prefers them.
const ORDER: [ProtocolVersion; 6] = [
    ProtocolVersion::TLS12,
    ProtocolVersion::TLS11,
    ProtocolVersion::TLS10,
    ProtocolVersion::SSL30,
    ProtocolVersion::PCT1,
    ProtocolVersion::SSL20,
];

/// Both roles with these protocols and everything that they have.
fn both(client: &[ProtocolVersion], server: &[ProtocolVersion]) -> Fixture {
    let policy = |versions: &[ProtocolVersion]| {
        let mut policy = everything(versions);
        policy.suites.extend_from_slice(pct1::BY_PREFERENCE);
        policy.v2_hello = true;
        policy
    };
    let mut fixture = Fixture::new(client);
    (fixture.client.policy, fixture.server.policy) = (policy(client), policy(server));
    fixture
}

/// What a client says first.
fn hello_of(fixture: &Fixture) -> Vec<u8> {
    match fixture.client().advance(&[]).unwrap() {
        Progress::Continue { output, used: 0 } => output,
        other => panic!("{other:?}"),
    }
}

fn native(version: ProtocolVersion) -> Vec<u8> {
    let mut fixture = both(&[version], &[version]);
    fixture.client.policy.v2_hello = false;
    hello_of(&fixture)
}

/// What connections begin with, and what that is.
fn beginnings() -> Vec<(Vec<u8>, FirstFlight)> {
    use FirstFlight as F;
    let longer = |record: &[u8]| [&[record[0] & 0x3f, record[1], 0], &record[2..]].concat();
    let (ssl2, pct1) = (native(ProtocolVersion::SSL20), native(ProtocolVersion::PCT1));
    let v2 = hello_of(&both(&[ProtocolVersion::TLS10], &ORDER));
    let mut all = vec![
        (longer(&ssl2), F::Ssl2Hello),
        (longer(&pct1), F::Pct1Hello),
        (longer(&v2), F::V2Hello),
        (hello_of(&both(&ORDER, &ORDER)), F::V2Hello),
        (hello_of(&both(&ORDER[4..], &ORDER)), F::Ssl2Hello),
        (ssl2, F::Ssl2Hello),
        (pct1, F::Pct1Hello),
        (v2, F::V2Hello),
    ];
    all.extend(ProtocolVersion::ALL.map(|version| (native(version), F::TlsRecord)));
    for (bytes, flight) in [
        (&[0x15, 3, 1, 0, 2, 2, 40][..], F::TlsRecord),
        (&[0x16, 1, 0, 0, 5, b'N', b'T', b'L', b'M', b'S'], F::NegotiateStream),
        (&[0x15, 1, 0, 0, 8], F::NegotiateStream),
        (&[0x14, 1, 0, 0, 0], F::NegotiateStream),
        (&[0x16, 2, 0, 0, 0], F::Unknown),
        (&[0x17, 1, 0, 0, 0], F::Unknown),
        (b"NTLMSSP\0\x01\0\0\0", F::Ntlm),
        (b"NTLMSSPX", F::PlainText),
        (&[0x60, 0x48, 6, 6, 0x2b], F::GssToken),
        (&[0x60, 0x82, 5, 6, 6], F::GssToken),
        (b"SSH-2.0-OpenSSH_9.2\r\n", F::Ssh),
        (b"GET / HTTP/1.1\r\n", F::PlainText),
        (b"\r\n\r\n\r\n", F::PlainText),
        (b"NT\xff12345", F::Unknown),
        (&[0x80, 0x2e, 2, 0, 2], F::Unknown),
        (&[0, 0x2e, 7, 1, 0], F::Unknown),
        (&[0, 0x2e, 0, 4, 0], F::Unknown),
        (&[0x80, 0, 1], F::Unknown),
        (&[0xfa; 5], F::Unknown),
        (&[0; 5], F::Unknown),
    ] {
        all.push((bytes.to_vec(), flight));
    }
    all
}

#[test]
fn every_beginning_is_told_and_every_cut_of_it_waited_for_or_told_alike() {
    for (bytes, flight) in beginnings() {
        assert_eq!(FirstFlight::of(&bytes), Ok(flight), "{bytes:02x?}");
        for cut in 0..bytes.len() {
            match FirstFlight::of(&bytes[..cut]) {
                Ok(told) => assert_eq!(told, flight, "{cut} of {bytes:02x?}"),
                Err(missing) => assert!(missing > 0 && cut + missing <= bytes.len(), "{cut} of {bytes:02x?}"),
            }
        }
    }
}

#[test]
fn two_bytes_tell_a_record_and_no_beginning_waits_for_more_than_eight() {
    for first in 0..=u16::MAX {
        let [a, b] = first.to_be_bytes();
        let is_tls = (0x14..=0x17).contains(&a) && b == 3;
        assert_eq!(FirstFlight::of(&[a, b]) == Ok(FirstFlight::TlsRecord), is_tls);
        for rest in [[0; 6], [1; 6], [0xff; 6], *b"LMSSP\0"] {
            assert!(FirstFlight::of(&[&[a, b][..], &rest].concat()).is_ok(), "{a:02x} {b:02x} {rest:02x?}");
        }
    }
}

#[test]
fn a_server_waits_for_a_hello_that_is_cut_anywhere() {
    let fixture = both(&ORDER, &ORDER);
    for (bytes, flight) in beginnings().into_iter().take(12) {
        for cut in 0..bytes.len() {
            let mut server = fixture.server();
            assert!(
                matches!(server.advance(&bytes[..cut]), Ok(Progress::Incomplete { .. })),
                "{cut} bytes of {flight:?}"
            );
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let Progress::Continue { used, .. } = server.advance(rest).unwrap() else {
                    panic!("{flight:?}")
                };
                rest = &rest[used..];
            }
        }
    }
}

#[test]
fn one_server_speaks_every_protocol_and_takes_tokens_in_pieces() {
    for version in ORDER {
        for v2_hello in [false, true] {
            for piece in [0, 1, 3] {
                let mut fixture = both(&[version], &ORDER);
                fixture.client.policy.v2_hello = v2_hello;
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                exchange.piece = piece;
                let mut pair = exchange.run().unwrap();
                assert_eq!(pair.server.negotiated.version, version);
                pair.talk();
            }
        }
    }
}

#[test]
fn the_order_of_the_server_decides_among_what_is_offered() {
    let client =
        [ProtocolVersion::TLS10, ProtocolVersion::SSL30, ProtocolVersion::PCT1, ProtocolVersion::SSL20];
    for first in client {
        let mut order = client.to_vec();
        order.sort_by_key(|version| *version != first);
        let mut fixture = both(&client, &order);
        // In SSL 2.0 the mark of a client that has more would say that somebody took it away.
        if first != ProtocolVersion::SSL20 {
            assert_eq!(fixture.run().unwrap().server.negotiated.version, first);
        }
        // And in a hello of TLS's own.
        if first.rules().is_some() {
            fixture.client.policy.v2_hello = false;
            fixture.parameters.session_key = None;
            assert_eq!(fixture.run().unwrap().client.negotiated.version, first);
        }
    }
}

#[test]
fn a_client_is_refused_in_the_words_of_its_protocol_and_told_once() {
    for (hello, words) in [
        (native(ProtocolVersion::SSL20), &[0x80, 3, 0, 0, 1][..]),
        (hello_of(&both(&ORDER[4..], &ORDER)), &[0x80, 3, 0, 0, 1]),
        (native(ProtocolVersion::PCT1), &pct1::refusal(&pct1::Mismatch::default().into())),
        (hello_of(&both(&[ProtocolVersion::TLS10], &ORDER)), &[0x15, 3, 1, 0, 2, 2, 70]),
        (hello_of(&both(&[ProtocolVersion::SSL30], &ORDER)), &[0x15, 3, 0, 0, 2, 2, 40]),
        (native(ProtocolVersion::TLS10), &[0x15, 3, 1, 0, 2, 2, 70]),
    ] {
        let mut fixture = both(&ORDER, &[ProtocolVersion::TLS12]);
        fixture.server.policy.v2_hello = false;
        let mut server = fixture.server();
        let failure = server.advance(&hello).err().unwrap();
        assert!(
            matches!(failure.error, Error::Incompatible(Incompatible::NoVersion { .. })),
            "{}",
            failure.error
        );
        assert_eq!(failure.output.len(), words.len());
        assert_eq!(failure.output[..words.len().min(5)], words[..words.len().min(5)]);
        // An alert to its last byte; what it is called is what was said.
        match *words {
            [0x15, .., alert] => {
                assert_eq!(failure.output, words);
                assert_eq!(failure.alert, Some(AlertDescription(alert)));
            }
            _ => assert_eq!(failure.alert, None),
        }
        assert!(server.advance(&hello).err().unwrap().output.is_empty());
    }
}

#[test]
fn an_answer_of_nobody_ends_a_hello_that_several_can_answer() {
    let fixture = both(&ORDER[4..], &ORDER);
    let answered = |answer: &[u8]| {
        let mut client = fixture.client();
        client.advance(&[]).unwrap();
        for cut in 0..answer.len() {
            match client.advance(&answer[..cut]) {
                Ok(Progress::Incomplete { missing }) => assert!(cut + missing <= answer.len()),
                other => panic!("{cut}: {other:?}"),
            }
        }
        client.advance(answer).unwrap_err().error
    };
    let alert = AlertDescription::PROTOCOL_VERSION;
    assert!(matches!(answered(&[0x15, 3, 0, 0, 2, 2, 70]), Error::AlertReceived(said) if said == alert));
    assert!(matches!(answered(b"HTTP/"), Error::Record(_)));
    assert!(matches!(answered(&[0x16, 3, 0, 0, 2]), Error::Record(_)));
    assert!(matches!(answered(&[0x80, 3, 0, 0, 1]), Error::Ssl2ErrorReceived(Ssl2ErrorCode::NO_CIPHER)));
}

/// First flights that nobody meant: random ones, and real ones with bytes changed, cut off and put in.
fn random_first_flights(count: u32, seed: u64) {
    let fixture = both(&ORDER, &ORDER);
    let config = std::sync::Arc::new(fixture.server);
    let beginnings = beginnings();
    let (mut random, mut mutator) = (SeededRandom::new(seed), Mutator::new(seed));
    for _ in 0..count {
        let mut flight = match random.below(4) {
            0 => {
                let length = random.below(64);
                random.bytes(length)
            }
            _ => random.choose(&beginnings).0.clone(),
        };
        mutator.mutate_some(&mut flight, 4);
        let mut server = ServerConnection::new(std::sync::Arc::clone(&config), ServerParameters::default());
        let mut rest = &flight[..];
        // What is not used up and brings no output, no need of more, and no error would be asked for ever.
        while let Ok(progress) = server.advance(rest) {
            match progress {
                Progress::Continue { used, output } => {
                    assert!(used > 0 || !output.is_empty(), "{flight:02x?}");
                    rest = &rest[used..];
                }
                Progress::Incomplete { missing } => {
                    assert!(missing > 0, "{flight:02x?}");
                    break;
                }
                other => panic!("{other:?} of {flight:02x?}"),
            }
        }
    }
}

#[test]
fn random_first_flights_come_to_a_decision_or_an_error() {
    random_first_flights(2_000, 1);
}

#[test]
#[ignore = "takes minutes: a million of them"]
fn a_million_random_first_flights_come_to_a_decision_or_an_error() {
    random_first_flights(1_000_000, 2);
}
