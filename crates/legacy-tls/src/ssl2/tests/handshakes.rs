//! Every kind against itself, however it is delivered; sessions, certificates, and what was negotiated.

use super::*;

#[test]
fn every_kind_against_itself() {
    for suite in suites() {
        let mut pair = fixture().suite(suite).run().unwrap();
        pair.talk();
        for (side, established) in [(true, &pair.client), (false, &pair.server)] {
            let negotiated = &established.negotiated;
            assert_eq!(negotiated.version, SSL20);
            assert_eq!(negotiated.suite.suite, suite);
            assert_eq!(negotiated.is_client, side);
            assert_eq!(negotiated.strength, Some(KeyExchangeStrength::Rsa { bits: 2048 }));
            assert!(!negotiated.resumed);
            assert_eq!(negotiated.session_id.len(), 16);
        }
        assert_eq!(pair.client.negotiated.session_id, pair.server.negotiated.session_id);
        assert_eq!(pair.client.negotiated.master_secret(), pair.server.negotiated.master_secret());
        assert_eq!(pair.client.negotiated.client_random(), pair.server.negotiated.client_random());
        assert_eq!(pair.client.negotiated.peer_chain, [rsa2048().chain()[0].clone()]);
    }
}

#[test]
fn every_kind_at_every_split() {
    for suite in suites() {
        for piece in [1, 2, 3, 5, 7, 64, 1000] {
            let mut fixture = fixture().suite(suite);
            fixture.server.client_auth = ClientAuth::Required;
            fixture.client.identities = vec![rsa1024()];
            for resumed in [false, true] {
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                exchange.piece = piece;
                let mut pair = exchange.run().unwrap();
                assert_eq!(pair.server.negotiated.resumed, resumed, "{suite} in pieces of {piece}");
                pair.talk();
            }
        }
    }
}

#[test]
fn a_session_is_taken_up_again_with_new_keys() {
    for suite in suites() {
        let fixture = fixture().suite(suite);
        let first = fixture.run().unwrap();
        let mut second = fixture.run().unwrap();
        second.talk();
        for (first, second) in [(&first.client, &second.client), (&first.server, &second.server)] {
            let (first, second) = (&first.negotiated, &second.negotiated);
            assert!(second.resumed && second.strength.is_none());
            assert_eq!(first.session_id, second.session_id);
            assert_eq!(first.master_secret(), second.master_secret());
            assert_ne!(first.client_random(), second.client_random());
            assert_eq!(first.peer_chain, second.peer_chain);
            assert_eq!(second.suite.suite, suite);
        }
    }
}

#[test]
fn a_session_is_not_taken_up_by_what_would_not_have_made_it() {
    type Change = fn(&mut Fixture);
    let changes: [(&str, Change); 6] = [
        ("another name", |f| f.parameters.server_name = Some("other.test".to_owned())),
        ("a kind that the client has no more", |f| f.client.policy.suites = vec![CipherSuite(0xff07)]),
        ("a kind that the server has no more", |f| f.server.policy.suites = vec![CipherSuite(0xff07)]),
        ("a server that forgot", |f| f.server.sessions = Arc::new(MemorySessions::new(100, 36_000))),
        ("too old", |f| f.clock.set(2_000_000)),
        ("a certificate is required now", |f| {
            f.server.client_auth = ClientAuth::Required;
            f.client.identities = vec![rsa1024()];
        }),
    ];
    for (what, change) in changes {
        let mut fixture = fixture();
        fixture.run().unwrap();
        change(&mut fixture);
        let mut pair = fixture.run().unwrap();
        assert!(!pair.client.negotiated.resumed && !pair.server.negotiated.resumed, "{what}");
        pair.talk();
    }
}

#[test]
fn a_failure_spoils_the_session() {
    let fixture = fixture();
    fixture.run().unwrap();
    let mut exchange = Exchange::new(fixture.client(), fixture.server());
    exchange.tamper = Box::new(|side, bytes| {
        if side == Side::Client && bytes.len() < 40 {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }
    });
    assert!(exchange.run_damaged().is_some());
    let pair = fixture.run().unwrap();
    assert!(!pair.server.negotiated.resumed);
}

#[test]
fn a_client_shows_its_certificate() {
    for suite in suites() {
        let mut fixture = fixture().suite(suite);
        fixture.server.client_auth = ClientAuth::Required;
        fixture.client.identities = vec![p256(), dsa1024(), rsa1024()];
        let mut pair = fixture.run().unwrap();
        pair.talk();
        assert_eq!(pair.server.negotiated.peer_chain, rsa1024().chain());
        assert_eq!(pair.client.negotiated.identity.as_ref().unwrap().chain(), rsa1024().chain());
        let resumed = fixture.run().unwrap();
        assert!(resumed.server.negotiated.resumed);
        assert_eq!(resumed.server.negotiated.peer_chain, rsa1024().chain());
    }
}

#[test]
fn a_resumed_client_is_judged_again() {
    let mut fixture = fixture();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    fixture.run().unwrap();
    fixture.server.client_verifier = Arc::new(Judge::RefusesResumed);
    assert!(!fixture.run().unwrap().server.negotiated.resumed);
    let mut other = fixture;
    other.client.verifier = Arc::new(Judge::RefusesResumed);
    other.server.client_verifier = Arc::new(Judge::Accepts);
    let (side, failure) = other.run().err().unwrap();
    assert_eq!(side, Side::Client);
    assert!(matches!(failure.error, Error::Certificate(_)));
}

#[test]
fn a_client_without_certificate_says_so() {
    let mut fixture = fixture();
    fixture.client.identities = vec![p256()];
    fixture.server.client_auth = ClientAuth::Optional;
    let mut pair = fixture.run().unwrap();
    pair.talk();
    assert!(pair.server.negotiated.peer_chain.is_empty());
    fixture.server.client_auth = ClientAuth::Required;
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!(side, Side::Server);
    assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)), "{}", failure.error);
    assert!(!failure.output.is_empty());
}

#[test]
fn an_application_is_asked_for_a_certificate() {
    for chosen in [None, Some(rsa1024())] {
        let mut fixture = fixture();
        fixture.client.ask_for_certificate = true;
        fixture.server.client_auth = ClientAuth::Optional;
        let mut exchange = Exchange::new(fixture.client(), fixture.server());
        exchange.answer.clone_from(&chosen);
        let mut pair = exchange.run().unwrap();
        pair.talk();
        let expected = chosen.map(|identity| identity.chain().to_vec()).unwrap_or_default();
        assert_eq!(pair.server.negotiated.peer_chain, expected);
        assert!(pair.client.negotiated.session_key.is_none(), "what was chosen is for one handshake");
    }
}

#[test]
fn a_refused_certificate_is_told() {
    let mut fixture = fixture();
    fixture.client.verifier = Arc::new(Judge::Refuses);
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!((side, failure.output.as_slice()), (Side::Client, &[0x80, 3, 0, 0, 4][..]));
    fixture.client.verifier = Arc::new(Judge::Accepts);
    fixture.server.client_verifier = Arc::new(Judge::Refuses);
    fixture.server.client_auth = ClientAuth::Optional;
    fixture.client.identities = vec![rsa1024()];
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!(side, Side::Server);
    assert!(failure.output.len() > 5, "under the keys");
}

#[test]
fn the_peer_hears_the_error() {
    let mut fixture = fixture();
    fixture.server.client_auth = ClientAuth::Required;
    let mut client = fixture.client();
    let mut server = fixture.server();
    let mut to_server = hello_of(&mut client);
    let failure = loop {
        match server.advance(&to_server) {
            Ok(Progress::Continue { output, .. }) => match client.advance(&output).unwrap() {
                Progress::Continue { output, .. } => to_server = output,
                other => panic!("{other:?}"),
            },
            Ok(other) => panic!("{other:?}"),
            Err(failure) => break failure,
        }
    };
    let heard = client.advance(&failure.output).err().unwrap();
    // The one that a client says, and a server may not.
    assert!(matches!(heard.error, Error::Misbehaved(_) | Error::Ssl2ErrorReceived(_)), "{}", heard.error);
}

#[test]
fn no_kind_in_common_is_told_as_such() {
    let mut fixture = fixture().suite(CipherSuite(0xff06));
    fixture.server.policy.suites = vec![CipherSuite(0xff01)];
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!((side, failure.output.as_slice()), (Side::Server, &[0x80, 3, 0, 0, 1][..]));
    assert_eq!(
        failure.error.to_string(),
        "no cipher kind in common; the peer offers SSL_CK_DES_64_CBC_WITH_MD5"
    );
    let mut client = fixture.client();
    hello_of(&mut client);
    let heard = client.advance(&failure.output).err().unwrap().error;
    assert_eq!(heard.to_string(), "the peer sent the NO-CIPHER-ERROR");
}

#[test]
fn the_clients_order_chooses_among_what_the_server_has() {
    let mut fixture = fixture();
    fixture.client.policy.suites = vec![CipherSuite(0xff06), CipherSuite(0xff01), CipherSuite(0xff07)];
    fixture.server.policy.suites = vec![CipherSuite(0xff07), CipherSuite(0xff01)];
    assert_eq!(fixture.run().unwrap().server.negotiated.suite.suite, CipherSuite(0xff01));
}

#[test]
fn a_server_without_rsa_certificate_has_nothing_to_offer() {
    let mut fixture = fixture();
    fixture.server.identities = vec![p256()];
    let (side, failure) = fixture.run().err().unwrap();
    assert_eq!(side, Side::Server);
    assert!(matches!(failure.error, Error::Incompatible(Incompatible::NoCipherKind { .. })));
}

#[test]
fn keying_material_is_not_exported() {
    let pair = fixture().run().unwrap();
    assert!(pair.client.negotiated.export_keying_material(b"x", None, &mut [0; 8]).is_err());
    assert!(pair.client.negotiated.first_finished().is_empty());
}

#[test]
fn sessions_are_not_kept_where_they_are_not_wanted() {
    let mut fixture = fixture();
    fixture.server.policy.resume = false;
    let pair = fixture.run().unwrap();
    assert!(pair.server.negotiated.session_id.is_empty());
    assert!(!fixture.run().unwrap().client.negotiated.resumed);
}
