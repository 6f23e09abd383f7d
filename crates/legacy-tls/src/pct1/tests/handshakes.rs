//! Handshakes that succeed: every pair of cipher and hash, whole and in every piece, taken up again, with certificates.

use super::super::readings::CERTIFICATE_OF_A_RESTART;
use super::super::{specs, unified};
use super::*;
use crate::tls::tests::dsa1024;

#[test]
fn every_pair_of_cipher_and_hash_is_spoken() {
    for spec in SPECS {
        let mut fixture = pct_with(spec.row.suite.0);
        fixture.client.policy.small_block_limit = u64::MAX;
        let mut pair = fixture.run().unwrap();
        for negotiated in [&pair.client.negotiated, &pair.server.negotiated] {
            assert_eq!(negotiated.version, ProtocolVersion::PCT1);
            assert_eq!(negotiated.suite.name, spec.row.name);
            assert!(!negotiated.resumed && !negotiated.extended_master_secret);
            assert_eq!(negotiated.strength, Some(KeyExchangeStrength::Rsa { bits: 1024 }));
        }
        assert_eq!(pair.client.negotiated.peer_chain, rsa1024().chain());
        pair.talk();
        let mut resumed = fixture.run().unwrap();
        assert!(resumed.client.negotiated.resumed && resumed.server.negotiated.resumed, "{}", spec.row.name);
        assert_eq!(resumed.client.negotiated.session_id, pair.server.negotiated.session_id);
        resumed.talk();
    }
}

#[test]
fn every_pair_is_spoken_byte_by_byte() {
    for spec in SPECS {
        for piece in [1, 2, 3, 7, 64] {
            let fixture = pct_with(spec.row.suite.0);
            for resumes in [false, true] {
                let mut exchange = Exchange::new(fixture.client(), fixture.server());
                exchange.piece = piece;
                let mut pair = exchange.run().unwrap();
                assert_eq!(pair.client.negotiated.resumed, resumes);
                pair.talk();
            }
        }
    }
}

#[test]
fn a_hello_cut_anywhere_is_waited_for() {
    let fixture = pct();
    let Progress::Continue { output, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    for cut in 0..output.len() {
        let Progress::Incomplete { missing } = fixture.server().advance(&output[..cut]).unwrap() else {
            panic!("{cut}")
        };
        assert!(missing >= 1 && missing <= output.len() - cut, "{cut}: {missing}");
    }
}

#[test]
fn the_servers_order_decides() {
    let mut fixture = pct();
    fixture.server.policy.suites = vec![CipherSuite(0x8310), CipherSuite(RC4_MD5)];
    fixture.client.policy.suites = vec![CipherSuite(RC4_MD5), CipherSuite(0x8310)];
    let pair = fixture.run().unwrap();
    assert_eq!(pair.client.negotiated.suite.suite, CipherSuite(0x8310));
}

#[test]
fn a_chain_goes_out_as_a_chain_and_one_certificate_as_itself() {
    let mut fixture = pct();
    let chain = vec![rsa1024().chain()[0].clone(), rsa512().chain()[0].clone()];
    let key = crypto::private_key::PrivateKey::from_der(include_bytes!("../../../testdata/rsa1024.key.der"));
    fixture.server.identities =
        vec![Arc::new(Identity::new(chain.clone(), key.unwrap(), Vec::new()).unwrap())];
    let mut pair = fixture.run().unwrap();
    assert_eq!(pair.client.negotiated.peer_chain, chain);
    let parameters = |pair: &Pair| pair.client.negotiated.pct1.as_ref().unwrap().parameters.certificate_type;
    assert_eq!(parameters(&pair), specs::certificate::X509_CHAIN);
    pair.talk();
    fixture.server.identities = vec![rsa1024()];
    fixture.client.policy.resume = false;
    assert_eq!(parameters(&fixture.run().unwrap()), specs::certificate::X509);
}

fn with_client(identity: Arc<Identity>, auth: ClientAuth) -> Fixture {
    let mut fixture = pct();
    fixture.client.identities = vec![identity];
    fixture.server.client_auth = auth;
    fixture
}

/// A server takes how it asks for certificates from its parameters.
fn run(fixture: &Fixture) -> Result<Pair, (Side, Failure)> {
    let parameters = ServerParameters { client_auth: fixture.server.client_auth, alpn: None };
    let server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
    Exchange::new(fixture.client(), server).run()
}

#[test]
fn a_client_shows_its_certificate_with_rsa_and_dsa() {
    for identity in [rsa1024(), dsa1024()] {
        for auth in [ClientAuth::Optional, ClientAuth::Required] {
            let fixture = with_client(Arc::clone(&identity), auth);
            let mut pair = run(&fixture).unwrap();
            assert_eq!(pair.server.negotiated.peer_chain, identity.chain());
            assert_eq!(pair.client.negotiated.identity.as_ref().unwrap().chain(), identity.chain());
            pair.talk();
            let mut resumed = run(&fixture).unwrap();
            assert!(resumed.server.negotiated.resumed && resumed.client.negotiated.resumed);
            assert_eq!(resumed.server.negotiated.peer_chain, identity.chain());
            let again = resumed.client.negotiated.identity.is_some();
            assert_eq!(again, auth == ClientAuth::Required, "a required certificate is asked for again");
            resumed.talk();
        }
    }
}

#[test]
fn a_client_takes_the_first_of_the_servers_types_that_its_key_can_do() {
    let fixture = with_client(rsa1024(), ClientAuth::Required);
    let pair = run(&fixture).unwrap();
    let parameters = &pair.server.negotiated.pct1.as_ref().unwrap().parameters;
    assert_eq!(parameters.client_signature_type, specs::signature::RSA_SHA);
    assert_eq!(parameters.client_certificate_type, specs::certificate::X509_CHAIN);
}

#[test]
fn a_client_without_certificate_goes_on_where_it_may() {
    let mut fixture = pct();
    fixture.server.client_auth = ClientAuth::Optional;
    let mut pair = run(&fixture).unwrap();
    assert!(pair.server.negotiated.peer_chain.is_empty());
    pair.talk();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.parameters.session_key = None;
    let (side, failure) = failed(run(&fixture));
    assert_eq!(side, Side::Client);
    let told = told(&failure.output).unwrap();
    assert_eq!(told.code, pct1::ErrorCode::SPECS_MISMATCH);
    assert!(told.mismatch.client_certificate && told.mismatch.client_signature);
}

#[test]
fn a_session_without_certificate_is_not_taken_up_where_one_is_required() {
    let mut fixture = pct();
    run(&fixture).unwrap();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    let pair = run(&fixture).unwrap();
    assert!(!pair.server.negotiated.resumed);
    assert_eq!(pair.server.negotiated.peer_chain, rsa1024().chain());
}

#[test]
fn the_application_is_asked_and_its_session_is_not_kept() {
    let mut fixture = with_client(rsa1024(), ClientAuth::Required);
    fixture.client.ask_for_certificate = true;
    for _ in 0..2 {
        let parameters = ServerParameters { client_auth: ClientAuth::Required, alpn: None };
        let server = ServerConnection::new(Arc::new(fixture.server.clone()), parameters);
        let mut exchange = Exchange::new(fixture.client(), server);
        exchange.answer = Some(dsa1024());
        let pair = exchange.run().unwrap();
        assert!(!pair.client.negotiated.resumed);
        assert_eq!(pair.server.negotiated.peer_chain, dsa1024().chain());
    }
}

#[test]
fn a_session_is_not_taken_up_without_resumption_nor_after_its_time_nor_for_another_name() {
    let mut fixture = pct();
    fixture.run().unwrap();
    fixture.parameters.server_name = Some("other.test".to_owned());
    assert!(!fixture.run().unwrap().client.negotiated.resumed);
    fixture.clock.set(1_000_000 + 36_001);
    assert!(!fixture.run().unwrap().client.negotiated.resumed);
    assert!(fixture.run().unwrap().client.negotiated.resumed);
    fixture.server.policy.resume = false;
    assert!(!fixture.run().unwrap().client.negotiated.resumed);
}

#[test]
fn a_server_that_forgot_a_session_makes_a_new_one() {
    let mut fixture = pct();
    fixture.run().unwrap();
    fixture.server.sessions = Arc::new(MemorySessions::new(10, 36_000));
    let mut pair = fixture.run().unwrap();
    assert!(!pair.client.negotiated.resumed);
    pair.talk();
}

#[test]
fn a_resumed_certificate_is_judged_again() {
    let mut fixture = pct();
    fixture.run().unwrap();
    fixture.client.verifier = Arc::new(Judge::RefusesResumed);
    let (side, failure) = failed(fixture.run());
    assert_eq!(side, Side::Client);
    assert!(matches!(failure.error, Error::Certificate(_)));
}

#[test]
fn data_may_follow_the_master_key_before_the_server_has_answered() {
    // What the server does not take of its input is application data.
    let fixture = pct_with(RC4_MD5);
    let (mut client, mut server) = (fixture.client(), fixture.server());
    let Progress::Continue { output: hello, .. } = client.advance(&[]).unwrap() else { panic!() };
    let Progress::Continue { output: answer, .. } = server.advance(&hello).unwrap() else { panic!() };
    let Progress::Continue { output: mut flight, .. } = client.advance(&answer).unwrap() else { panic!() };
    let len = flight.len();
    flight.extend_from_slice(&[0x80, 20]);
    let Progress::Complete { used, .. } = server.advance(&flight).unwrap() else { panic!() };
    assert_eq!(used, len);
}

#[test]
fn pct_is_spoken_behind_a_hello_of_ssl_2() {
    for len in [16, 24, 32] {
        let fixture = pct();
        let mut kinds = unified::specs_of(&fixture.client.policy);
        kinds.insert(0, CipherKind([0, 0, 0x0a]));
        kinds.push(CipherKind([1, 0, 0x80]));
        let challenge = vec![7; len];
        let hello = ssl2::messages::ClientHello {
            version: 0x0301,
            kinds,
            session_id: [].as_slice().into(),
            challenge: challenge.as_slice().into(),
        };
        let (hello, record) = ssl2::hello::write(&hello).unwrap();
        let (config, parameters) = (Arc::new(fixture.client.clone()), fixture.parameters.clone());
        let mut client =
            ClientConnection::behind_unified_hello(config, parameters, &hello, &challenge).unwrap();
        let mut server = fixture.server();
        let Progress::Continue { output, .. } = server.advance(&record).unwrap() else { panic!() };
        let Progress::Continue { output, .. } = client.advance(&output).unwrap() else { panic!() };
        let Progress::Complete { output, established: server, .. } = server.advance(&output).unwrap() else {
            panic!()
        };
        let Progress::Complete { established: client, .. } = client.advance(&output).unwrap() else {
            panic!()
        };
        assert_eq!(client.negotiated.client_random()[..len], [7; 32][..len]);
        Pair { client, server }.talk();
    }
}

#[test]
fn a_restart_may_hash_the_sessions_certificate_or_none() {
    assert!(CERTIFICATE_OF_A_RESTART.is_empty());
    let fixture = pct_with(DES_SHA);
    fixture.run().unwrap();
    let pair = fixture.run().unwrap();
    let (mut client, mut server) = (pair.client, pair.server);
    // The other reading of the draft, by a client that has the same numbers.
    let parameters = &client.negotiated.pct1.as_ref().unwrap().parameters;
    let master = client.negotiated.master_secret()[..16].try_into().unwrap();
    let spec = specs::Spec::find(parameters.cipher, parameters.hash).unwrap();
    let material = super::super::keys::Material {
        hash: spec.hash_kind(),
        master: &master,
        connection_id: &client.negotiated.randoms.server,
        challenge: &client.negotiated.randoms.client,
        certificate: &parameters.certificate,
    };
    let keys = super::super::keys::ConnectionKeys::derive(&material, spec, parameters.cipher, &[]);
    let mine = seal(&mut client.sealer, b"");
    assert_eq!(mine[..2], [0x80, 20]);
    let begin = super::super::records::Begin { spec, iv: &[0; 8], sequence: 1, data_limit: u64::MAX };
    let mut other = Sealer::pct1(super::super::records::Sealer::new(keys.client, begin).unwrap());
    // An empty record is all MAC: it does not show the initialization vector, which only the handshake knows.
    assert_eq!(open(&mut server.opener, &seal(&mut other, b"")).unwrap().1, b"");
}
