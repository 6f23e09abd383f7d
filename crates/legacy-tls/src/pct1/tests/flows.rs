//! The legal flows as data; from them: each completes with exactly these messages, and every other message is refused at
//! every point of each.

use super::super::Broken;
use super::super::error::ErrorCode;
use super::super::messages::*;
use super::*;

/// What one side hears, in order, by the types of the messages.
type Heard = &'static [u8];

struct Flow {
    name: &'static str,
    client_auth: ClientAuth,
    has_certificate: bool,
    resumes: bool,
    to_client: Heard,
    to_server: Heard,
}

/// Spec: PCT1 section 5.1.
const FLOWS: &[Flow] = &[
    Flow {
        name: "a new session",
        client_auth: ClientAuth::None,
        has_certificate: false,
        resumes: false,
        to_client: &[SERVER_HELLO, SERVER_VERIFY],
        to_server: &[CLIENT_HELLO, CLIENT_MASTER_KEY],
    },
    Flow {
        name: "a new session with client certificate",
        client_auth: ClientAuth::Required,
        has_certificate: true,
        resumes: false,
        to_client: &[SERVER_HELLO, SERVER_VERIFY],
        to_server: &[CLIENT_HELLO, CLIENT_MASTER_KEY],
    },
    Flow {
        name: "a new session whose client may have a certificate",
        client_auth: ClientAuth::Optional,
        has_certificate: false,
        resumes: false,
        to_client: &[SERVER_HELLO, SERVER_VERIFY],
        to_server: &[CLIENT_HELLO, CLIENT_MASTER_KEY],
    },
    Flow {
        name: "a restart",
        client_auth: ClientAuth::None,
        has_certificate: false,
        resumes: true,
        to_client: &[SERVER_HELLO],
        to_server: &[CLIENT_HELLO],
    },
    Flow {
        name: "a restart with client certificate",
        client_auth: ClientAuth::Required,
        has_certificate: true,
        resumes: true,
        to_client: &[SERVER_HELLO, SERVER_VERIFY],
        to_server: &[CLIENT_HELLO, CLIENT_MASTER_KEY],
    },
];

impl Flow {
    fn fixture(&self) -> Fixture {
        let mut fixture = pct_with(DES_SHA);
        fixture.server.client_auth = self.client_auth;
        if self.has_certificate {
            fixture.client.identities = vec![rsa1024()];
        }
        if self.resumes {
            self.exchange(&fixture).run().unwrap();
        }
        fixture
    }

    fn server(&self, fixture: &Fixture) -> ServerConnection {
        let parameters = ServerParameters { client_auth: self.client_auth, alpn: None };
        ServerConnection::new(Arc::new(fixture.server.clone()), parameters)
    }

    fn exchange(&self, fixture: &Fixture) -> Exchange {
        Exchange::new(fixture.client(), self.server(fixture))
    }
}

#[test]
fn each_flow_has_exactly_its_messages() {
    for flow in FLOWS {
        let fixture = flow.fixture();
        let mut exchange = flow.exchange(&fixture);
        let heard = Arc::new(std::sync::Mutex::new((Vec::new(), Vec::new())));
        let log = Arc::clone(&heard);
        exchange.tamper = Box::new(move |side, output| {
            if !output.is_empty() {
                let mut heard = log.lock().unwrap();
                let kind = message_of(output)[0];
                if side == Side::Server { heard.0.push(kind) } else { heard.1.push(kind) }
            }
        });
        let pair = exchange.run().unwrap();
        assert_eq!(pair.client.negotiated.resumed, flow.resumes, "{}", flow.name);
        let heard = heard.lock().unwrap();
        assert_eq!(
            (heard.0.as_slice(), heard.1.as_slice()),
            (flow.to_client, flow.to_server),
            "{}",
            flow.name
        );
    }
}

/// Whether an error is told, and as which.
fn check(failure: &Failure, name: &str, kind: u8, is_told: bool) {
    if kind == ERROR {
        assert!(matches!(failure.error, Error::Pct1Received(_)), "{name}: {}", failure.error);
        assert!(failure.output.is_empty(), "{name}: an error is answered");
        return;
    }
    let wanted =
        matches!(failure.error, Error::Misbehaved(Misbehaved::Pct1(Broken::UnexpectedMessage { .. })));
    assert!(wanted, "{name}, message {kind}: {}", failure.error);
    let expected = is_told.then_some(ErrorCode::ILLEGAL_MESSAGE);
    assert_eq!(told(&failure.output).map(|told| told.code), expected, "{name}, message {kind}");
}

#[test]
fn every_other_message_is_refused_at_every_point() {
    let mut refused = 0;
    for flow in FLOWS {
        for (side, script) in [(Side::Client, flow.to_client), (Side::Server, flow.to_server)] {
            for (point, expected) in script.iter().enumerate() {
                for kind in (0..=6).filter(|kind| kind != expected) {
                    let fixture = flow.fixture();
                    let mut exchange = flow.exchange(&fixture);
                    let mut count = 0;
                    exchange.tamper = Box::new(move |from, output| {
                        if from != side && !output.is_empty() {
                            if count == point {
                                *output = if kind == ERROR {
                                    record_of(&encode_error(ErrorCode::BAD_CERTIFICATE, None))
                                } else {
                                    record_of(&[&[kind], &message_of(output)[1..]].concat())
                                };
                            }
                            count += 1;
                        }
                    });
                    let (failed_side, failure) = failed(exchange.run());
                    assert_eq!(failed_side, side, "{}", flow.name);
                    // A client that has sent its last message says nothing more.
                    let is_told = !(side == Side::Client && point == 1);
                    check(&failure, flow.name, kind, is_told);
                    refused += 1;
                }
            }
        }
    }
    assert_eq!(refused, 18 * 6);
}

#[test]
fn padded_and_escaped_records_are_none_of_a_handshake() {
    let fixture = pct();
    let Progress::Continue { output, .. } = fixture.client().advance(&[]).unwrap() else { panic!() };
    let message = message_of(&output);
    let len = u8::try_from(message.len()).unwrap();
    let good = [&[0, len, 0], message].concat();
    assert!(
        matches!(fixture.server().advance(&good), Ok(Progress::Continue { .. })),
        "three bytes are legal"
    );
    for bad in [[&[0x40, len, 0], message].concat(), [&[0, len, 1], message].concat(), vec![0x80, 0]] {
        let failure = fixture.server().advance(&bad).unwrap_err();
        assert_eq!(told(&failure.output).unwrap().code, ErrorCode::ILLEGAL_MESSAGE);
    }
}

#[test]
fn a_failed_handshake_stays_failed_and_a_complete_one_complete() {
    let fixture = pct();
    let mut server = fixture.server();
    let first = server.advance(&record_of(&[9])).unwrap_err();
    let second = server.advance(&record_of(&[9])).unwrap_err();
    assert_eq!(first.error.to_string(), second.error.to_string());
    assert!(!first.output.is_empty() && second.output.is_empty());
    assert!(fixture.client().answer(None).is_err(), "nothing was asked");
}

#[test]
fn endless_handshake_bytes_are_a_flood() {
    // A connection that is negotiated again hands data out until its peer agrees; what it must keep has an end.
    let pair = pct_with(RC4_MD5).run().unwrap();
    let (client, mut server) = (pair.client, pair.server);
    let fixture = pct_with(RC4_MD5);
    let (previous, directions) = redo::take_apart(*client);
    let config = Arc::new(fixture.client.clone());
    let mut again =
        ClientConnection::redo(config, fixture.parameters.clone(), previous, directions, false).unwrap();
    again.advance(&[]).unwrap();
    for _ in 0..100 {
        let progress = again.advance(&seal(&mut server.sealer, &[1; 16_000])).unwrap();
        assert!(matches!(progress, Progress::Data { data, .. } if data.len() == 16_000));
    }
    let outcome = (0..100).find_map(|_| {
        let mut urgent = Vec::new();
        server.sealer.seal_out_of_band(&[1; 16_000], &mut urgent).unwrap();
        again.advance(&urgent).err()
    });
    assert!(matches!(outcome.unwrap().error, Error::Misbehaved(Misbehaved::Flood { .. })));
}
