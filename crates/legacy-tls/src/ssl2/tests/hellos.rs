//! Hellos in the format of SSL 2.0, and what a server's first bytes lead to.

use wire::Codec;

use super::*;
use crate::ssl2::messages::ClientHello;

const TLS: [ProtocolVersion; 4] = ProtocolVersion::ALL;

/// Both roles with these, and hellos of either format.
fn both(client: &[ProtocolVersion], server: &[ProtocolVersion]) -> Fixture {
    let mut fixture = Fixture::new(client);
    fixture.server.policy = everything(server);
    fixture.client.policy.v2_hello = true;
    fixture.server.policy.v2_hello = true;
    fixture
}

#[test]
fn the_newest_that_both_have_is_spoken() {
    let all = [&TLS[..], &[SSL20]].concat();
    for client in 1..32_u32 {
        for server in 1..32_u32 {
            let of = |set: u32| -> Vec<ProtocolVersion> {
                (0..).zip(&all).filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, version)| *version).collect()
            };
            // What has a hole in the middle cannot say so in this format, nor in any before TLS 1.3.
            let (ours, theirs) = (of(client), of(server));
            let highest = ours.iter().max().unwrap();
            let chosen = theirs.iter().filter(|version| *version <= highest).max();
            let chosen = chosen.filter(|version| ours.contains(version)).copied();
            let fixture = both(&ours, &theirs);
            match (fixture.run(), chosen) {
                (Ok(mut pair), Some(version)) => {
                    assert_eq!(pair.client.negotiated.version, version, "{ours:?} and {theirs:?}");
                    assert_eq!(pair.server.negotiated.version, version);
                    pair.talk();
                }
                (Err(_), None) => {}
                (Ok(pair), None) => panic!("{:?} of {ours:?} and {theirs:?}", pair.client.negotiated),
                // Both have something newer, but nothing in common: it looks like a rollback, and could be one.
                (Err((_, failure)), Some(version)) => {
                    let newer =
                        |versions: &[ProtocolVersion]| versions.iter().any(|version| *version > SSL20);
                    assert!(
                        version == SSL20 && newer(&ours) && newer(&theirs),
                        "{version}: {}",
                        failure.error
                    );
                    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Downgraded)));
                }
            }
        }
    }
}

#[test]
fn a_hello_of_this_format_leads_into_tls_at_every_split() {
    for version in TLS {
        for piece in [0, 1, 2, 5, 50] {
            let fixture = both(&[version], &[version, SSL20]);
            let hello = hello_of(&mut fixture.client());
            assert_eq!((hello[0], hello[2]), (0x80, 1));
            let mut exchange = Exchange::new(fixture.client(), fixture.server());
            exchange.piece = piece;
            let mut pair = exchange.run().unwrap();
            assert_eq!(pair.server.negotiated.version, version);
            assert!(pair.server.negotiated.secure_renegotiation(), "the signal is among the suites");
            pair.talk();
            // A session needs a hello of the protocol's own.
            assert_eq!(hello_of(&mut fixture.client())[0], 0x16);
            fixture.run().unwrap().talk();
        }
    }
}

#[test]
fn without_the_setting_such_a_hello_is_refused() {
    let mut fixture = both(&[ProtocolVersion::TLS10], &[ProtocolVersion::TLS10]);
    fixture.server.policy.v2_hello = false;
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!(side, Side::Server);
    assert_eq!(failure.output, [0x15, 3, 1, 0, 2, 2, 70]);
    // With SSL 2.0 it is read, and is not what it is for.
    fixture.server.policy.versions.push(SSL20);
    fixture.server.policy.suites = vec![CipherSuite(0xff01), CipherSuite(0x2f)];
    let (_, failure) = fixture.run().err().unwrap();
    assert_eq!(failure.output, [0x15, 3, 1, 0, 2, 2, 70]);
}

#[test]
fn an_ssl2_client_is_refused_in_its_own_words() {
    let mut client = fixture();
    client.server.policy = everything(&[ProtocolVersion::TLS10]);
    client.server.policy.v2_hello = true;
    let (side, failure) = client.run().err().unwrap();
    assert_eq!((side, failure.output.as_slice()), (Side::Server, &[0x80, 3, 0, 0, 1][..]));
    let Error::Incompatible(Incompatible::NoVersion { peer, .. }) = failure.error else { panic!() };
    assert_eq!(peer, SSL20);
}

#[test]
fn a_refused_tls_hello_of_this_format_gets_an_alert_once() {
    let mut fixture = both(&[ProtocolVersion::TLS10], &[ProtocolVersion::TLS12]);
    fixture.parameters.session_key = None;
    let hello = hello_of(&mut fixture.client());
    let mut server = fixture.server();
    let failure = server.advance(&hello).err().unwrap();
    assert_eq!(failure.output[0], 0x15);
    assert!(server.advance(&hello).err().unwrap().output.is_empty());
}

#[test]
fn a_fallback_is_seen_in_this_format_too() {
    let mut fixture = both(&[ProtocolVersion::TLS10], &[ProtocolVersion::TLS10]);
    fixture.server.policy.highest = ProtocolVersion::TLS12;
    fixture.parameters.fallback = true;
    let (_, failure) = fixture.run().err().unwrap();
    assert!(matches!(failure.error, Error::Refused(Refused::InappropriateFallback { .. })));
}

#[test]
fn somebody_in_between_cannot_take_tls_away() {
    // The suites and the version of a hello for both are struck out on the way: SSL 2.0 is left, and the mark gives it away.
    let fixture = both(&[ProtocolVersion::TLS10, SSL20], &[ProtocolVersion::TLS10, SSL20]);
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    let mut is_first = true;
    exchange.tamper = Box::new(move |side, bytes| {
        if side == Side::Client && is_first {
            is_first = false;
            let mut hello = ClientHello::from_bytes(&bytes[3..], "").unwrap();
            hello.version = 2;
            hello.kinds.retain(|kind| kind.suite().is_none());
            let mut message = vec![1];
            message.extend(hello.to_bytes().unwrap());
            let mut record = Vec::new();
            ssl2::record::Sealing::clear().append(&message, &mut record).unwrap();
            *bytes = record;
        }
    });
    let failure = exchange.run_damaged().unwrap();
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Downgraded)), "{}", failure.error);
}

#[test]
fn an_ssl2_session_is_taken_up_by_a_hello_for_both() {
    let fixture = both(&[ProtocolVersion::TLS10, SSL20], &[SSL20]);
    fixture.run().unwrap();
    let mut pair = fixture.run().unwrap();
    assert!(pair.client.negotiated.resumed && pair.server.negotiated.resumed);
    pair.talk();
}

#[test]
fn a_hello_with_the_longer_header_is_read() {
    for version in [SSL20, ProtocolVersion::TLS10] {
        let fixture = both(&[version], &[version]);
        let short = hello_of(&mut fixture.client());
        let longer = [&[0, short[1], 0][..], &short[2..]].concat();
        let mut server = fixture.server();
        for cut in 0..longer.len() {
            assert!(matches!(server.advance(&longer[..cut]), Ok(Progress::Incomplete { .. })), "{cut}");
        }
        let Progress::Continue { used, output } = server.advance(&longer).unwrap() else { panic!() };
        assert_eq!(used, longer.len());
        assert!(!output.is_empty());
        let mut padded = longer;
        padded[2] = 1;
        assert!(fixture.server().advance(&padded).is_err());
    }
}

#[test]
fn a_server_of_tls_alone_refuses_in_the_words_of_the_client() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    let hello = hello_of(&mut both(&[SSL20], &[SSL20]).client());
    let failure = fixture.server().advance(&hello).err().unwrap();
    assert_eq!(failure.output, [0x80, 3, 0, 0, 1]);
    assert!(matches!(failure.error, Error::Incompatible(Incompatible::NoVersion { peer: SSL20, .. })));
}

/// Spec: TLS10 appendix E.1.
#[test]
fn a_challenge_is_as_long_as_it_likes_where_it_is_the_random_of_tls() {
    let answer = |client: u16, server: &[ProtocolVersion], length: usize| {
        let fixture = both(&[SSL20], server);
        let challenge: Vec<u8> = (1..=length).map(|n| u8::try_from(n).unwrap()).collect();
        let kinds = vec![CipherKind([0, 0, 0x2f]), CipherKind([1, 0, 0x80])];
        let hello = ClientHello {
            version: client,
            kinds,
            session_id: [].as_slice().into(),
            challenge: challenge.into(),
        };
        let (_, record) = ssl2::hello::write(&hello).unwrap();
        let random = ssl2::hello::as_tls(&hello).random;
        (fixture.server().advance(&record), random)
    };
    for length in [16, 31, 32, 33, 48, 200] {
        let (answered, random) = answer(0x0301, &[ProtocolVersion::TLS10], length);
        let Ok(Progress::Continue { output, .. }) = answered else { panic!("{length}: {answered:?}") };
        assert!(output.starts_with(&[22, 3, 1]), "{length}");
        assert_eq!(usize::from(random[31]), length.min(32), "of what is longer the beginning counts");
        assert_eq!(usize::from(random[0]), usize::from(length > 31), "behind zeros, where it is shorter");
        // SSL 2.0 has a bound, whether something newer was offered or not.
        for version in [0x0002, 0x0301] {
            assert_eq!(answer(version, &[SSL20], length).0.is_ok(), length <= 32, "{version} {length}");
        }
    }
    assert!(answer(0x0301, &[ProtocolVersion::TLS10], 15).0.is_err());
}
