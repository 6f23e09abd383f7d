//! A handshake that is done again on its connection, whoever begins, and with what crosses it.

use super::super::Broken;
use super::super::messages::ServerHello;
use super::*;

pub(super) fn take_apart(established: Established) -> (pct1::Previous, Directions) {
    let Established { sealer, opener, negotiated } = established;
    (negotiated.previous().unwrap(), Directions { sealer, opener, messages: Vec::new() })
}

/// Both ends of a connection that can be negotiated again.
struct Again {
    fixture: Fixture,
    client: Option<Box<Established>>,
    server: Option<Box<Established>>,
}

impl Again {
    fn new(fixture: Fixture) -> Self {
        let server = fixture.server_connection();
        let pair = Exchange::new(fixture.client(), server).run().unwrap();
        Self { fixture, client: Some(pair.client), server: Some(pair.server) }
    }

    fn client(&mut self, asked: bool) -> ClientConnection {
        let config = Arc::new(self.fixture.client.clone());
        let (previous, directions) = take_apart(*self.client.take().unwrap());
        let parameters = self.fixture.parameters.clone();
        ClientConnection::redo(config, parameters, previous, directions, asked).unwrap()
    }

    fn server(&mut self, asked: bool) -> ServerConnection {
        let config = Arc::new(self.fixture.server.clone());
        let (previous, directions) = take_apart(*self.server.take().unwrap());
        let parameters = ServerParameters { client_auth: self.fixture.server.client_auth, alpn: None };
        ServerConnection::redo(config, &parameters, previous, directions, asked).unwrap()
    }

    /// The client begins; the server hears of it by its opener.
    fn by_client(&mut self) -> Result<Pair, (Side, Failure)> {
        let mut client = self.client(false);
        let Progress::Continue { output, .. } = client.advance(&[]).unwrap() else { panic!() };
        let server = self.server.as_mut().unwrap();
        let Need::Whole(len) = server.opener.record_len(&output).unwrap() else { panic!() };
        assert_eq!(open(&mut server.opener, &output[..len]).unwrap().0, ContentType::REDO);
        let mut server = self.server(true);
        let escape = continued(server.advance(&[]));
        client.advance(&escape).map_err(|failure| (Side::Client, failure))?;
        finish(client, server, output[len..].to_vec())
    }
}

trait WithParameters {
    fn server_connection(&self) -> ServerConnection;
}

impl WithParameters for Fixture {
    fn server_connection(&self) -> ServerConnection {
        let parameters = ServerParameters { client_auth: self.server.client_auth, alpn: None };
        ServerConnection::new(Arc::new(self.server.clone()), parameters)
    }
}

fn continued(progress: Result<Progress, Failure>) -> Vec<u8> {
    match progress.unwrap() {
        Progress::Continue { output, .. } => output,
        other => panic!("{other:?}"),
    }
}

/// Hands messages back and forth until both ends are done.
fn finish(
    mut client: ClientConnection,
    mut server: ServerConnection,
    mut to_server: Vec<u8>,
) -> Result<Pair, (Side, Failure)> {
    let (mut client_done, mut server_done) = (None, None);
    for _ in 0..4 {
        let mut to_client = Vec::new();
        if server_done.is_none() && !to_server.is_empty() {
            match server.advance(&to_server).map_err(|failure| (Side::Server, failure))? {
                Progress::Continue { output, .. } => to_client = output,
                Progress::Complete { output, established, .. } => {
                    to_client = output;
                    server_done = Some(established);
                }
                other => panic!("{other:?}"),
            }
        }
        to_server.clear();
        if client_done.is_none() && !to_client.is_empty() {
            match client.advance(&to_client).map_err(|failure| (Side::Client, failure))? {
                Progress::Continue { output, .. } => to_server = output,
                Progress::Complete { established, .. } => client_done = Some(established),
                other => panic!("{other:?}"),
            }
        }
    }
    Ok(Pair { client: client_done.unwrap(), server: server_done.unwrap() })
}

#[test]
fn a_client_begins_again_with_a_restart_and_with_a_new_session() {
    for resume in [true, false] {
        for code in [RC4_MD5, DES_SHA, 0x8461] {
            let mut fixture = pct_with(code);
            fixture.client.policy.resume = resume;
            let mut again = Again::new(fixture);
            let mut pair = again.by_client().unwrap();
            assert_eq!(pair.client.negotiated.resumed, resume);
            pair.talk();
            // And once more.
            (again.client, again.server) = (Some(pair.client), Some(pair.server));
            again.by_client().unwrap().talk();
        }
    }
}

#[test]
fn a_server_begins_again_and_data_in_flight_arrive() {
    let mut again = Again::new(pct_with(DES_SHA));
    // On the way to the server while it begins.
    let mut to_server = seal(&mut again.client.as_mut().unwrap().sealer, b"in flight");
    again.client.as_mut().unwrap().sealer.seal_out_of_band(b"urgent", &mut to_server).unwrap();
    let mut server = again.server(false);
    let escape = continued(server.advance(&[]));
    let client = again.client.as_mut().unwrap();
    assert_eq!(open(&mut client.opener, &escape).unwrap().0, ContentType::REDO);
    let mut client = again.client(true);
    to_server.extend_from_slice(&continued(client.advance(&[])));
    let Progress::Data { data, used } = server.advance(&to_server).unwrap() else { panic!("no data") };
    assert_eq!(data, b"in flight");
    to_server.drain(..used);
    let mut pair = finish(client, server, to_server).unwrap();
    assert_eq!(pair.server.negotiated.out_of_band(), b"urgent");
    assert!(pair.client.negotiated.out_of_band().is_empty());
    pair.talk();
}

#[test]
fn escapes_that_cross_need_no_answer() {
    let mut again = Again::new(pct_with(RC4_MD5));
    let (mut client, mut server) = (again.client(false), again.server(false));
    let to_server = continued(client.advance(&[]));
    let escape = continued(server.advance(&[]));
    assert!(continued(client.advance(&escape)).is_empty(), "the client has sent escape and hello already");
    finish(client, server, to_server).unwrap().talk();
}

#[test]
fn out_of_band_data_may_come_behind_a_handshake_that_follows_their_escape() {
    let mut again = Again::new(pct_with(RC4_MD5));
    let Established { sealer, opener, negotiated } = *again.server.take().unwrap();
    let (mut sealer, mut escape) = (sealer.into_pct1().unwrap(), Vec::new());
    sealer.append(&[super::super::records::OOB_DATA], true, &mut escape).unwrap();
    again.server = Some(Box::new(Established { sealer: Sealer::pct1(sealer), opener, negotiated }));
    open(&mut again.client.as_mut().unwrap().opener, &escape).unwrap();
    let mut pair = again.by_client().unwrap();
    let [urgent, calm] = [b"urgent", b"calm  "].map(|data| seal(&mut pair.server.sealer, data));
    assert_eq!(open(&mut pair.client.opener, &urgent).unwrap().0, ContentType::OUT_OF_BAND);
    assert_eq!(open(&mut pair.client.opener, &calm).unwrap().0, ContentType::APPLICATION_DATA);
}

#[test]
fn another_cipher_hash_or_certificate_is_refused_in_a_redo() {
    let mut again = Again::new(pct());
    again.fixture.client.policy.suites = vec![CipherSuite(RC4_MD5)];
    again.fixture.client.policy.resume = false;
    let (side, failure) = failed(again.by_client());
    assert_eq!(side, Side::Server);
    let told = told(&failure.output).unwrap();
    assert_eq!(told.code, pct1::ErrorCode::SPECS_MISMATCH);
    assert!(told.mismatch.cipher);

    let mut again = Again::new(pct());
    again.fixture.client.policy.resume = false;
    again.fixture.server.identities = vec![tls::tests::rsa2048()];
    let (side, failure) = failed(again.by_client());
    assert_eq!(side, Side::Server);
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Pct1(Broken::OtherCertificate))));
}

#[test]
fn a_client_shows_the_same_certificate_again() {
    let mut fixture = pct();
    fixture.server.client_auth = ClientAuth::Required;
    fixture.client.identities = vec![rsa1024()];
    fixture.client.policy.resume = false;
    let mut again = Again::new(fixture);
    let mut pair = again.by_client().unwrap();
    assert_eq!(pair.server.negotiated.peer_chain, rsa1024().chain());
    pair.talk();
    (again.client, again.server) = (Some(pair.client), Some(pair.server));
    again.fixture.client.identities = vec![tls::tests::dsa1024()];
    let (side, _) = failed(again.by_client());
    assert_eq!(side, Side::Client);
}

#[test]
fn a_handshake_without_escape_and_an_escape_without_connection_are_refused() {
    let mut again = Again::new(pct_with(RC4_MD5));
    let mut client = again.client(false);
    client.advance(&[]).unwrap();
    let hello = ServerHello {
        version: 0x8001,
        restarts: false,
        wants_certificate: false,
        cipher: super::super::specs::CipherSpec { cipher: 4, bits: 128, mac_bits_less_64: 64 },
        hash: 1,
        certificate_type: 1,
        exchange: 1,
        connection_id: [1; 32],
        certificate: vec![0x30, 0],
        client_certificates: Vec::new(),
        client_signatures: Vec::new(),
        response: Vec::new(),
    };
    // A message where a protected record is due fails its MAC.
    let failure = client.advance(&record_of(&hello.encode().unwrap())).unwrap_err();
    assert!(matches!(failure.error, Error::Record(record::RecordError::BadMac)));
    let other = Fixture::new(&[ProtocolVersion::TLS10]).run().unwrap().client;
    assert!(other.negotiated.previous().is_none());
    let (previous, _) = take_apart(*again.server.take().unwrap());
    let Established { sealer, opener, .. } = *other;
    let directions = Directions { sealer, opener, messages: Vec::new() };
    let config = Arc::new(again.fixture.client.clone());
    assert!(
        ClientConnection::redo(config, ClientParameters::default(), previous, directions, false).is_err()
    );
}
