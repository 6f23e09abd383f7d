//! Every suite in every version that has it, delivered in all pieces that there are.

use super::*;

/// Every suite in every version.
fn all() -> impl Iterator<Item = (ProtocolVersion, &'static SuiteRow)> {
    ProtocolVersion::ALL.into_iter().flat_map(|version| {
        SUITES.iter().filter(move |row| row.is_legal_in(version)).map(move |row| (version, row))
    })
}

/// A handshake whose flights are shown `piece` bytes more at a time.
#[track_caller]
fn in_pieces(fixture: &Fixture, piece: usize) -> Pair {
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.piece = piece;
    exchange.run().unwrap_or_else(|(side, failure)| panic!("{piece} bytes: {side:?}: {}", failure.error))
}

#[test]
fn every_suite_survives_delivery_byte_by_byte() {
    let mut run = 0;
    for (version, row) in all() {
        let mut fixture = Fixture::new(&[version]).suite(row.suite);
        fixture.server.identities = vec![rsa1024(), dsa1024(), p256()];
        fixture.server.client_auth = ClientAuth::Required;
        fixture.client.identities = vec![rsa1024()];
        let mut pair = in_pieces(&fixture, 1);
        for end in [&pair.client, &pair.server] {
            assert_eq!((end.negotiated.version, end.negotiated.suite.suite), (version, row.suite));
            assert!(!end.negotiated.resumed, "{version} {}", row.name);
        }
        pair.talk();
        run += 1;
    }
    assert!(run > 100, "{run}");
}

/// A flight of a resumed handshake is no longer than this.
const SHORT: usize = 320;

/// The flights of a resumed handshake are short: they are cut at every place.
#[test]
fn every_suite_survives_a_cut_at_every_place_of_the_flights_of_a_resumed_handshake() {
    for (version, row) in all() {
        let fixture = Fixture::new(&[version]).suite(row.suite);
        fixture.run().unwrap();
        let mut longest = 0;
        for piece in 1..=SHORT {
            let mut exchange = Exchange::new(fixture.client(), fixture.server());
            exchange.piece = piece;
            let (lengths, seen) = std::sync::mpsc::channel();
            exchange.tamper = Box::new(move |_, bytes| lengths.send(bytes.len()).unwrap());
            let mut pair = exchange
                .run()
                .unwrap_or_else(|(side, f)| panic!("{version} {} {piece}: {side:?} {}", row.name, f.error));
            longest = seen.try_iter().max().unwrap().max(longest);
            assert!(
                pair.client.negotiated.resumed && pair.server.negotiated.resumed,
                "{version} {}",
                row.name
            );
            if piece == 1 {
                pair.talk();
            }
            if piece > longest {
                break;
            }
        }
        assert!(longest < SHORT, "{version} {}: {longest} bytes are not short", row.name);
    }
}
