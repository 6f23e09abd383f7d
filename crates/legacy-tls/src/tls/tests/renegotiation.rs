//! A second handshake on a connection.

use super::*;

const VERSIONS: [ProtocolVersion; 4] =
    [ProtocolVersion::SSL30, ProtocolVersion::TLS10, ProtocolVersion::TLS11, ProtocolVersion::TLS12];

/// A connection's end, taken apart.
struct Ended {
    directions: Directions,
    before: Before,
}

fn take_apart(established: Established) -> Ended {
    let Established { sealer, opener, negotiated } = established;
    let peer = negotiated.peer_chain.first().cloned();
    let before = negotiated.before(negotiated.alpn.clone(), peer, negotiated.server_name.clone()).unwrap();
    Ended { directions: Directions { sealer, opener, messages: Vec::new() }, before }
}

fn handshake_record(sealer: &mut Sealer, content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    sealer.seal_message(ContentType::HANDSHAKE, content, &mut record).unwrap();
    record
}

fn data_record(sealer: &mut Sealer, content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    sealer.seal_message(ContentType::APPLICATION_DATA, content, &mut record).unwrap();
    record
}

/// Opens records of handshake messages.
fn open_handshake(opener: &mut Opener, mut wire: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while !wire.is_empty() {
        let Need::Whole(len) = opener.record_len(wire).unwrap() else { panic!("not a whole record") };
        let mut record = wire[..len].to_vec();
        let opened = opener.open(&mut record).unwrap();
        assert_eq!(opened.content_type, ContentType::HANDSHAKE);
        content.extend_from_slice(&record[opened.content]);
        wire = &wire[len..];
    }
    content
}

impl Fixture {
    fn again(&self, client: Ended) -> ClientConnection {
        let config = Arc::new(self.client.clone());
        ClientConnection::renegotiate(config, self.parameters.clone(), client.before, client.directions)
            .unwrap()
    }

    fn asks_again(&self, server: Ended, hello: &[u8]) -> ServerConnection {
        let config = Arc::new(self.server.clone());
        let parameters = ServerParameters::default();
        let directions = Directions { messages: hello.to_vec(), ..server.directions };
        ServerConnection::renegotiate(config, parameters, server.before, directions).unwrap()
    }
}

/// A client that begins: the server reads the ClientHello as a record of the connection.
fn client_begins(fixture: &Fixture, pair: Pair, piece: usize) -> Result<Pair, (Side, Failure)> {
    let mut client = fixture.again(take_apart(*pair.client));
    let mut server = take_apart(*pair.server);
    let Ok(Progress::Continue { output, used: 0 }) = client.advance(&[]) else { panic!("no hello") };
    let hello = open_handshake(&mut server.directions.opener, &output);
    let mut server = fixture.asks_again(server, &hello);
    let Progress::Continue { output, used: 0 } = server.advance(&[]).map_err(|f| (Side::Server, f))? else {
        panic!("no answer")
    };
    let mut exchange = Exchange::new(client, server);
    exchange.piece = piece;
    exchange.answer = Some(rsa2048());
    exchange.deliver(Side::Client, &output);
    exchange.finish()
}

#[test]
fn a_client_negotiates_again_in_every_version_and_data_goes_on_under_new_keys() {
    for version in VERSIONS {
        for piece in [0, 1] {
            let mut fixture = Fixture::new(&[version]);
            fixture.client.policy.alpn = vec![b"one".to_vec()];
            fixture.server.policy.alpn = vec![b"one".to_vec()];
            let mut pair = fixture.run().unwrap();
            pair.talk();
            let (secret, alpn) =
                (*pair.client.negotiated.master_secret(), pair.client.negotiated.alpn.clone());
            let mut pair = client_begins(&fixture, pair, piece).unwrap();
            pair.talk();
            let (client, server) = (&pair.client.negotiated, &pair.server.negotiated);
            assert_eq!(client.version, version);
            assert_ne!(*client.master_secret(), secret, "{version}");
            assert_eq!(client.first_finished(), server.first_finished());
            assert!(client.secure_renegotiation() && server.secure_renegotiation() && !client.resumed);
            assert_eq!((&client.alpn, &server.alpn), (&alpn, &alpn), "a connection keeps its protocol");
            assert_eq!(alpn.is_some(), version != ProtocolVersion::SSL30);
            // And once more.
            client_begins(&fixture, pair, piece).unwrap().talk();
        }
    }
}

#[test]
fn a_server_asks_and_gets_the_certificate_that_it_did_not_ask_for_before() {
    for version in VERSIONS {
        let mut fixture = Fixture::new(&[version]);
        fixture.client.identities = vec![rsa2048()];
        let pair = fixture.run().unwrap();
        assert!(pair.server.negotiated.peer_chain.is_empty());
        fixture.server.client_auth = ClientAuth::Required;
        let mut server = fixture.asks_again(take_apart(*pair.server), &[]);
        let Ok(Progress::Continue { output, used: 0 }) = server.advance(&[]) else { panic!("no request") };
        let mut client = take_apart(*pair.client);
        assert_eq!(open_handshake(&mut client.directions.opener, &output), [0; 4], "a HelloRequest");
        let mut pair = Exchange::new(fixture.again(client), server).run().unwrap();
        pair.talk();
        assert_eq!(pair.server.negotiated.peer_chain, rsa2048().chain(), "{version}");
    }
}

#[test]
fn data_in_the_middle_stays_in_order_however_it_is_split() {
    for version in VERSIONS {
        for piece in [0, 1, 7] {
            let fixture = Fixture::new(&[version]);
            let pair = fixture.run().unwrap();
            let mut client = take_apart(*pair.client);
            let mut server = take_apart(*pair.server);
            // Both have something under way when the server asks and the client begins at the same time.
            let early = data_record(&mut client.directions.sealer, b"before the hello");
            let late = data_record(&mut server.directions.sealer, b"before the request");
            let mut exchange = Exchange::new(fixture.again(client), fixture.asks_again(server, &[]));
            exchange.piece = piece;
            exchange.deliver(Side::Server, &early);
            exchange.deliver(Side::Client, &late);
            let mut pair = exchange.run().unwrap();
            assert_eq!(exchange.data(Side::Client), b"before the request", "{version}");
            assert_eq!(exchange.data(Side::Server), b"before the hello", "{version}");
            pair.talk();
        }
    }
}

/// Somebody in between who has the keys of both sides, and sends every message on in a record of its own, behind a record of
/// data: what a peer may do that makes no flights.
struct Between {
    from: Opener,
    to: Sealer,
    /// All data that was sent.
    data: Arc<Mutex<Vec<u8>>>,
    records: usize,
    /// From here on records are under the keys of the new handshake.
    changed: bool,
}

impl Between {
    fn new(from: Opener, to: Sealer) -> Self {
        Self { from, to, data: Arc::default(), records: 0, changed: false }
    }

    fn send(&mut self, content_type: ContentType, content: &[u8], out: &mut Vec<u8>) {
        let data = format!("data {}, ", self.records);
        self.records += 1;
        self.data.lock().unwrap().extend_from_slice(data.as_bytes());
        out.extend(data_record(&mut self.to, data.as_bytes()));
        self.to.seal_message(content_type, content, out).unwrap();
    }

    fn relay(&mut self, mut wire: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        while !wire.is_empty() && !self.changed {
            let Need::Whole(len) = self.from.record_len(wire).unwrap() else { panic!("not a whole record") };
            let mut record = wire[..len].to_vec();
            wire = &wire[len..];
            let opened = self.from.open(&mut record).unwrap();
            let mut content = &record[opened.content];
            self.changed = opened.content_type == ContentType::CHANGE_CIPHER_SPEC;
            if self.changed {
                self.send(ContentType::CHANGE_CIPHER_SPEC, content, &mut out);
            }
            while let (false, Some(&[_, a, b, c])) = (self.changed, content.first_chunk::<4>()) {
                let length = 4 + usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
                self.send(ContentType::HANDSHAKE, &content[..length], &mut out);
                content = &content[length..];
            }
        }
        out.extend_from_slice(wire);
        out
    }
}

/// Spec: TLS12 section 7.4.1.1.
#[test]
fn data_between_any_two_messages_comes_in_its_place() {
    for version in VERSIONS {
        for piece in [0, 1] {
            let mut fixture = Fixture::new(&[version]);
            fixture.server.client_auth = ClientAuth::Required;
            fixture.client.identities = vec![rsa2048()];
            // The server's records are under the keys of another connection, so that there is somebody in between.
            let (pair, other) = (fixture.run().unwrap(), fixture.run().unwrap());
            let (server, servers) = (take_apart(*pair.server), take_apart(*other.server));
            let servers = Ended { directions: servers.directions, before: server.before };
            let others = take_apart(*other.client).directions;
            let mut to_server = Between::new(server.directions.opener, others.sealer);
            let mut to_client = Between::new(others.opener, server.directions.sealer);
            let mut client = fixture.again(take_apart(*pair.client));
            let Ok(Progress::Continue { output, used: 0 }) = client.advance(&[]) else { panic!("no hello") };
            let hello = open_handshake(&mut to_server.from, &output);
            let mut server = fixture.asks_again(servers, &hello);
            let Ok(Progress::Continue { output, used: 0 }) = server.advance(&[]) else { panic!("no answer") };
            let mut exchange = Exchange::new(client, server);
            exchange.piece = piece;
            exchange.deliver(Side::Client, &to_client.relay(&output));
            let sent = [&to_client, &to_server].map(|between| Arc::clone(&between.data));
            exchange.tamper = Box::new(move |side, output| {
                let between = if side == Side::Server { &mut to_client } else { &mut to_server };
                *output = between.relay(output);
            });
            let mut pair = exchange.finish().unwrap();
            for (side, sent) in [Side::Client, Side::Server].into_iter().zip(sent) {
                let sent = sent.lock().unwrap();
                assert!(sent.starts_with(b"data 0, data 1, data 2, data 3, "), "{version} {side:?}");
                assert_eq!(exchange.data(side), &sent[..], "{version} {side:?} {piece}");
            }
            pair.talk();
        }
    }
}

#[test]
fn a_hello_of_somebody_else_is_no_second_handshake() {
    // The attack of RFC 5746 section 1: what a client begins on a connection of its own is passed on as the second handshake
    // of the attacker's.
    for version in VERSIONS {
        let fixture = Fixture::new(&[version]);
        let attackers = fixture.run().unwrap();
        let mut victim = fixture.client();
        let Ok(Progress::Continue { output, .. }) = victim.advance(&[]) else { panic!("no hello") };
        let mut server = fixture.asks_again(take_apart(*attackers.server), &output[5..]);
        let failure = server.advance(&[]).unwrap_err();
        assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::RenegotiationInfo)), "{failure:?}");
        assert_eq!(failure.error.alert(), Some(AlertDescription::HANDSHAKE_FAILURE));
    }
}

#[test]
fn a_peer_without_the_indication_is_refused_unless_policy_says_otherwise() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    let insecure = |established: Box<Established>| {
        let mut ended = take_apart(*established);
        ended.before.finished.secure = false;
        ended
    };
    let pair = fixture.run().unwrap();
    let (client, server) = (insecure(pair.client), insecure(pair.server));
    let refused = Err(Error::Refused(Refused::Renegotiation).to_string());
    let said = |checked: Result<(), Error>| checked.map_err(|error| error.to_string());
    assert_eq!(said(client.before.check(&fixture.client.policy)), refused);
    assert_eq!(said(server.before.check(&fixture.server.policy)), refused);

    let mut fixture = fixture;
    (fixture.client.policy.insecure_renegotiation, fixture.server.policy.insecure_renegotiation) =
        (true, true);
    let mut client = fixture.again(client);
    let Ok(Progress::Continue { output, .. }) = client.advance(&[]) else { panic!("no hello") };
    let mut server = server;
    let hello = open_handshake(&mut server.directions.opener, &output);
    // We are no old client: our hello says that we know the indication, and a server that has never heard of it from us must
    // think of an attack. Spec: RENEG sections 4.2 and 4.4.
    let failure = fixture.asks_again(server, &hello).advance(&[]).unwrap_err();
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::RenegotiationInfo)), "{failure:?}");
}

#[test]
fn a_binding_to_the_handshake_does_not_come_and_go() {
    for side in [Side::Client, Side::Server] {
        let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
        let pair = fixture.run().unwrap();
        let policy =
            if side == Side::Client { &mut fixture.client.policy } else { &mut fixture.server.policy };
        policy.extended_master_secret = ExtendedMasterSecret::Off;
        // A server that has changed its own mind sees it first.
        let (refuses, failure) = client_begins(&fixture, pair, 0).err().unwrap();
        assert_eq!(refuses, Side::Server);
        assert_eq!(failure.error.alert(), Some(AlertDescription::HANDSHAKE_FAILURE));
    }
}

#[test]
fn a_resumed_connection_without_extended_master_secret_is_not_negotiated_again() {
    for version in VERSIONS {
        for bound in [false, true] {
            let mut fixture = Fixture::new(&[version]);
            if !bound {
                fixture.client.policy.extended_master_secret = ExtendedMasterSecret::Off;
            }
            let first = take_apart(*fixture.run().unwrap().client);
            assert!(first.before.check(&fixture.client.policy).is_ok(), "{version}");
            let pair = fixture.run().unwrap();
            assert!(pair.client.negotiated.resumed);
            let is_bound = pair.client.negotiated.extended_master_secret;
            for ended in [take_apart(*pair.client), take_apart(*pair.server)] {
                let checked = ended.before.check(&fixture.client.policy);
                assert_eq!(checked.is_ok(), is_bound, "{version} {bound}");
            }
        }
    }
}

#[test]
fn an_extended_master_secret_may_come_with_the_second_handshake() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    fixture.client.policy.extended_master_secret = ExtendedMasterSecret::Off;
    let pair = fixture.run().unwrap();
    fixture.client.policy.extended_master_secret = ExtendedMasterSecret::Offered;
    let pair = client_begins(&fixture, pair, 0).unwrap();
    assert!(pair.server.negotiated.extended_master_secret);
}

#[test]
fn a_connection_keeps_its_version() {
    let mut versions = VERSIONS;
    versions.reverse();
    let fixture = Fixture::new(&versions);
    let pair = fixture.run().unwrap();
    let mut client = take_apart(*pair.client);
    client.before.offered = ProtocolVersion::TLS11;
    let mut client = fixture.again(client);
    let mut server = take_apart(*pair.server);
    let Ok(Progress::Continue { output, .. }) = client.advance(&[]) else { panic!("no hello") };
    let hello = open_handshake(&mut server.directions.opener, &output);
    let failure = fixture.asks_again(server, &hello).advance(&[]).unwrap_err();
    assert!(matches!(failure.error, Error::Incompatible(Incompatible::NoVersion { .. })), "{failure:?}");
    assert_eq!(failure.error.alert(), Some(AlertDescription::PROTOCOL_VERSION));
}

#[test]
fn a_second_handshake_takes_up_no_session() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    fixture.run().unwrap();
    let resumed = fixture.run().unwrap();
    assert!(resumed.client.negotiated.resumed);
    let pair = client_begins(&fixture, resumed, 0).unwrap();
    assert!(!pair.client.negotiated.resumed && !pair.server.negotiated.resumed);
    // What it agreed on can be taken up by a connection of its own.
    let next = fixture.run().unwrap();
    assert!(next.client.negotiated.resumed);
    assert_eq!(next.client.negotiated.master_secret(), pair.client.negotiated.master_secret());
}

#[test]
fn data_inside_a_handshake_message_is_refused() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    let pair = fixture.run().unwrap();
    let mut server = take_apart(*pair.server);
    let mut client = fixture.again(take_apart(*pair.client));
    client.advance(&[]).unwrap();
    let mut input = handshake_record(&mut server.directions.sealer, &[2, 0, 0]);
    input.extend(data_record(&mut server.directions.sealer, b"data"));
    let failure = client.advance(&input).unwrap_err();
    assert_eq!(failure.error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE));
}

fn warning(sealer: &mut Sealer, description: AlertDescription) -> Vec<u8> {
    let mut record = Vec::new();
    sealer.seal_message(ContentType::ALERT, &[1, description.0], &mut record).unwrap();
    record
}

type Advance = Box<dyn FnMut(&[u8]) -> Result<Progress, Failure>>;

/// What comes of a second handshake that `side` begins, and that its peer declines between two records of data.
fn declined(fixture: &Fixture, side: Side) -> (Result<Progress, Failure>, Ended, Vec<u8>) {
    let pair = fixture.run().unwrap();
    let (client, server) = (take_apart(*pair.client), take_apart(*pair.server));
    let (own, mut peer) = if side == Side::Client { (client, server) } else { (server, client) };
    let mut advance: Advance = if side == Side::Client {
        let mut client = fixture.again(own);
        Box::new(move |input| client.advance(input))
    } else {
        let mut server = fixture.asks_again(own, &[]);
        Box::new(move |input| server.advance(input))
    };
    let Ok(Progress::Continue { output, used: 0 }) = advance(&[]) else { panic!("nothing begun") };
    open_handshake(&mut peer.directions.opener, &output);
    let before = data_record(&mut peer.directions.sealer, b"before");
    let mut rest = warning(&mut peer.directions.sealer, AlertDescription::NO_RENEGOTIATION);
    rest.extend(data_record(&mut peer.directions.sealer, b"behind"));
    let input = [&before[..], &rest].concat();
    let Ok(Progress::Data { data, used }) = advance(&input) else { panic!("no data") };
    assert_eq!((&data[..], used), (&b"before"[..], before.len()));
    (advance(&rest), peer, rest)
}

#[test]
fn a_peer_that_declines_leaves_the_connection_as_it_was() {
    for version in VERSIONS {
        for side in [Side::Client, Side::Server] {
            let (progress, mut peer, mut rest) = declined(&Fixture::new(&[version]), side);
            let Ok(Progress::Declined { mut directions, used, .. }) = progress else {
                panic!("{progress:?}")
            };
            let opened = directions.opener.open(&mut rest[used..]).unwrap();
            assert_eq!(rest[used..][opened.content], *b"behind", "{version} {side:?}");
            let mut record = data_record(&mut directions.sealer, b"and on");
            let opened = peer.directions.opener.open(&mut record).unwrap();
            assert_eq!(record[opened.content], *b"and on", "{version} {side:?}");
        }
    }
}

#[test]
fn a_client_that_declines_to_show_the_certificate_that_is_required_is_told_that_this_is_the_end() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    fixture.client.identities = vec![rsa2048()];
    fixture.server.client_auth = ClientAuth::Required;
    let (progress, mut peer, _) = declined(&fixture, Side::Server);
    let failure = progress.unwrap_err();
    assert!(matches!(failure.error, Error::Refused(Refused::NoClientCertificate)), "{failure:?}");
    let mut output = failure.output;
    let opened = peer.directions.opener.open(&mut output).unwrap();
    assert_eq!(output[opened.content], [2, AlertDescription::HANDSHAKE_FAILURE.0]);
}

#[test]
fn a_server_cannot_decline_or_close_what_it_has_begun_to_answer() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    for says in [AlertDescription::NO_RENEGOTIATION, AlertDescription::CLOSE_NOTIFY] {
        for whole in [false, true] {
            let pair = fixture.run().unwrap();
            let mut client = fixture.again(take_apart(*pair.client));
            let mut server = take_apart(*pair.server);
            client.advance(&[]).unwrap();
            // A ServerHello, or the beginning of one.
            let hello = [2, 0, 0, 38, 3, 3].into_iter().chain([7; 32]).chain([0, 0, 0x2f, 0]);
            let hello: Vec<u8> = if whole { hello.collect() } else { hello.take(3).collect() };
            let mut input = handshake_record(&mut server.directions.sealer, &hello);
            input.extend(warning(&mut server.directions.sealer, says));
            let failure = client.advance(&input).unwrap_err();
            assert_ne!(failure.error.alert(), Some(AlertDescription::NO_RENEGOTIATION), "{}", failure.error);
        }
    }
}

#[test]
fn a_server_shows_the_same_certificate_again() {
    let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
    let pair = fixture.run().unwrap();
    assert_ne!(fixture.server.identities[0].chain(), rsa1024().chain());
    fixture.server.identities = vec![rsa1024()];
    let (refuses, failure) = client_begins(&fixture, pair, 0).err().unwrap();
    assert_eq!(refuses, Side::Client);
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::IdentityChanged)), "{failure:?}");
    assert_eq!(failure.error.alert(), Some(AlertDescription::HANDSHAKE_FAILURE));
}

#[test]
fn a_client_shows_the_same_certificate_again_or_none() {
    for (first, second, accepted) in [
        (Some(rsa2048()), Some(rsa2048()), true),
        (None, Some(rsa2048()), true),
        (Some(rsa2048()), None, true),
        (Some(rsa2048()), Some(rsa1024()), false),
    ] {
        let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
        fixture.server.client_auth = ClientAuth::Optional;
        let shown = |identity: Option<Arc<Identity>>| identity.into_iter().collect::<Vec<_>>();
        fixture.client.identities = shown(first);
        let pair = fixture.run().unwrap();
        fixture.client.identities = shown(second);
        let client = fixture.again(take_apart(*pair.client));
        let parameters =
            ServerParameters { client_auth: ClientAuth::Optional, ..ServerParameters::default() };
        let Ended { directions, before } = take_apart(*pair.server);
        let config = Arc::new(fixture.server.clone());
        let server = ServerConnection::renegotiate(config, parameters, before, directions).unwrap();
        let mut exchange = Exchange::new(client, server);
        exchange.answer = None;
        match exchange.run() {
            Ok(mut pair) => {
                pair.talk();
                assert!(accepted);
            }
            Err((side, failure)) => {
                assert!(!accepted, "{failure:?}");
                assert_eq!(side, Side::Server);
                assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::IdentityChanged)));
            }
        }
    }
}

#[test]
fn a_server_name_once_said_is_that_of_the_connection() {
    for (first, second, accepted) in [
        (Some("one.example"), Some("one.example"), true),
        (None, Some("one.example"), true),
        (Some("one.example"), Some("two.example"), false),
        (Some("one.example"), None, false),
    ] {
        let mut fixture = Fixture::new(&[ProtocolVersion::TLS12]);
        fixture.parameters.server_name = first.map(str::to_owned);
        let pair = fixture.run().unwrap();
        fixture.parameters.server_name = second.map(str::to_owned);
        match client_begins(&fixture, pair, 0) {
            Ok(pair) => {
                assert!(accepted, "{first:?} {second:?}");
                assert_eq!(pair.server.negotiated.server_name.as_deref(), second);
            }
            Err((side, failure)) => {
                assert!(!accepted, "{failure:?}");
                assert_eq!(side, Side::Server);
                assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::ServerNameChanged)));
            }
        }
    }
}

#[test]
fn records_of_a_second_handshake_that_are_altered_are_refused() {
    for version in VERSIONS {
        let mut fixture = Fixture::new(&[version]);
        fixture.client.policy.resume = false;
        for nth in 0..4 {
            let pair = fixture.run().unwrap();
            let client = fixture.again(take_apart(*pair.client));
            let server = fixture.asks_again(take_apart(*pair.server), &[]);
            let mut exchange = Exchange::new(client, server);
            let mut sent = 0;
            exchange.tamper = Box::new(move |_, output| {
                if !output.is_empty() {
                    if sent == nth {
                        *output.last_mut().unwrap() ^= 1;
                    }
                    sent += 1;
                }
            });
            let failure = exchange.run_damaged();
            assert!(matches!(failure.unwrap().error, Error::Record(_)), "{version}, flight {nth}");
        }
    }
}
