//! The legal flows as data; from them: each completes with exactly these messages, and everything else is refused at every
//! point of each.

use super::*;
use crate::connection::handshake::{Channel as _, Rest, Role, Taken};
use crate::ssl2::channel::{Channel, Message};
use crate::ssl2::messages::Ssl2MessageType as M;
use crate::ssl2::{client, server};
use crate::tls::client::Wanted;

/// One legal flow.
struct Flow {
    name: &'static str,
    /// What the server does about certificates, and whether the client has one.
    client_auth: ClientAuth,
    has_certificate: bool,
    /// A session is there already.
    resumes: bool,
    to_client: &'static [M],
    to_server: &'static [M],
}

/// Spec: SSL2 section 5.2.
const FLOWS: &[Flow] = &[
    Flow {
        name: "full",
        client_auth: ClientAuth::None,
        has_certificate: false,
        resumes: false,
        to_client: &[M::SERVER_HELLO, M::SERVER_VERIFY, M::SERVER_FINISHED],
        to_server: &[M::CLIENT_HELLO, M::CLIENT_MASTER_KEY, M::CLIENT_FINISHED],
    },
    Flow {
        name: "with client certificate",
        client_auth: ClientAuth::Required,
        has_certificate: true,
        resumes: false,
        to_client: &[M::SERVER_HELLO, M::SERVER_VERIFY, M::REQUEST_CERTIFICATE, M::SERVER_FINISHED],
        to_server: &[M::CLIENT_HELLO, M::CLIENT_MASTER_KEY, M::CLIENT_FINISHED, M::CLIENT_CERTIFICATE],
    },
    Flow {
        name: "asked, without client certificate",
        client_auth: ClientAuth::Optional,
        has_certificate: false,
        resumes: false,
        to_client: &[M::SERVER_HELLO, M::SERVER_VERIFY, M::REQUEST_CERTIFICATE, M::SERVER_FINISHED],
        to_server: &[M::CLIENT_HELLO, M::CLIENT_MASTER_KEY, M::CLIENT_FINISHED, M::ERROR],
    },
    Flow {
        name: "resumed",
        client_auth: ClientAuth::None,
        has_certificate: false,
        resumes: true,
        to_client: &[M::SERVER_HELLO, M::SERVER_VERIFY, M::SERVER_FINISHED],
        to_server: &[M::CLIENT_HELLO, M::CLIENT_FINISHED],
    },
    Flow {
        name: "resumed with client certificate",
        client_auth: ClientAuth::Required,
        has_certificate: true,
        resumes: true,
        to_client: &[M::SERVER_HELLO, M::SERVER_VERIFY, M::SERVER_FINISHED],
        to_server: &[M::CLIENT_HELLO, M::CLIENT_FINISHED],
    },
];

/// Two states that are handed each other's messages without records between them.
struct Both {
    fixture: Fixture,
    client: client::State,
    server: server::State,
    channels: (Channel, Channel),
    /// What is on its way to the client and to the server, as records.
    wires: (Vec<u8>, Vec<u8>),
    heard: (Vec<M>, Vec<M>),
}

impl Both {
    fn new(flow: &Flow) -> Self {
        let mut fixture = fixture();
        fixture.server.client_auth = flow.client_auth;
        if flow.has_certificate {
            fixture.client.identities = vec![rsa1024()];
        }
        if flow.resumes {
            fixture.run().unwrap();
        }
        let mut channels = (Channel::new(), Channel::new());
        let wanted = Wanted {
            server_name: fixture.parameters.server_name.clone(),
            session_key: fixture.parameters.session_key.clone(),
            ..Wanted::default()
        };
        let offer = client::Offer::send(wanted, &fixture.client, &mut channels.0).unwrap();
        let client = client::State::ServerHello(Box::new(offer));
        let server = server::State::ClientHello(Box::default());
        Self {
            fixture,
            client,
            server,
            channels,
            wires: (Vec::new(), Vec::new()),
            heard: (Vec::new(), Vec::new()),
        }
    }

    fn next(wire: &mut Vec<u8>, channel: &mut Channel) -> Option<Message> {
        let record::Need::Whole(len) = channel.record_len(wire).unwrap() else { return None };
        let record: Vec<u8> = wire.drain(..len).collect();
        match channel.take_record(&record, "").unwrap() {
            Taken::Incoming(message) => Some(message),
            Taken::Nothing | Taken::Data(_) => None,
        }
    }

    /// Delivers one message; to whom, is what comes back.
    fn step(self) -> (Self, Option<Side>) {
        let Self { fixture, mut client, mut server, mut channels, mut wires, mut heard } = self;
        wires.1.extend(channels.0.take_output());
        wires.0.extend(channels.1.take_output());
        let mut side = None;
        if let Some(message) = Self::next(&mut wires.1, &mut channels.1) {
            heard.1.push(message.kind);
            server = server.handle(message, &fixture.server, &mut channels.1).unwrap();
            side = Some(Side::Server);
        } else if let Some(message) = Self::next(&mut wires.0, &mut channels.0) {
            heard.0.push(message.kind);
            client = client.handle(message, &fixture.client, &mut channels.0).unwrap();
            side = Some(Side::Client);
        }
        (Self { fixture, client, server, channels, wires, heard }, side)
    }

    /// As it is after so many messages.
    fn after(flow: &Flow, steps: usize) -> Self {
        (0..steps).fold(Self::new(flow), |both, _| both.step().0)
    }
}

#[test]
fn each_flow_completes_with_exactly_its_messages() {
    for flow in FLOWS {
        let mut both = Both::new(flow);
        loop {
            let (next, side) = both.step();
            both = next;
            if side.is_none() {
                break;
            }
        }
        assert!(matches!(both.client.rest(), Some(Rest::Over)), "{}", flow.name);
        assert!(matches!(both.server.rest(), Some(Rest::Over)), "{}", flow.name);
        assert_eq!(both.heard.0, flow.to_client, "{}", flow.name);
        assert_eq!(both.heard.1, flow.to_server, "{}", flow.name);
        assert_eq!(both.client.expected(), "nothing more of the handshake");
        assert_eq!(both.server.expected(), "nothing more of the handshake");
    }
}

/// What a state may hear: the kinds that its own flow table names.
fn legal_for_client(state: &client::State) -> Vec<M> {
    match state {
        client::State::ServerHello(_) => vec![M::SERVER_HELLO],
        client::State::ServerVerify(_) => vec![M::SERVER_VERIFY],
        client::State::ServerFinished(_) if state.expected().contains("REQUEST") => {
            vec![M::REQUEST_CERTIFICATE, M::SERVER_FINISHED]
        }
        client::State::ServerFinished(_) => vec![M::SERVER_FINISHED],
        client::State::Identity(_) | client::State::Complete(_) => vec![],
    }
}

fn legal_for_server(state: &server::State) -> Vec<M> {
    match state {
        server::State::ClientHello(_) => vec![M::CLIENT_HELLO],
        server::State::ClientMasterKey(_) => vec![M::CLIENT_MASTER_KEY],
        server::State::ClientFinished(_) => vec![M::CLIENT_FINISHED],
        server::State::ClientCertificate(_) => vec![M::CLIENT_CERTIFICATE, M::ERROR],
        server::State::Complete(_) => vec![],
    }
}

#[test]
fn every_other_message_is_refused_at_every_point() {
    let mut refused = 0;
    for flow in FLOWS {
        let total = flow.to_client.len() + flow.to_server.len();
        for steps in 0..=total {
            for kind in (0..=9).chain([0x16, 0xff]).map(M) {
                let both = Both::after(flow, steps);
                let Both { fixture, client, server, mut channels, .. } = both;
                let message = || Message::new(kind, vec![0; 32]);
                if !legal_for_client(&client).contains(&kind) {
                    let expected = client.expected();
                    let error = client.handle(message(), &fixture.client, &mut channels.0).err().unwrap();
                    assert_unexpected(&error, kind, expected);
                    refused += 1;
                }
                if !legal_for_server(&server).contains(&kind) {
                    let expected = server.expected();
                    let error = server.handle(message(), &fixture.server, &mut channels.1).err().unwrap();
                    assert_unexpected(&error, kind, expected);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 600, "{refused}");
}

fn assert_unexpected(error: &Error, received: M, expected: &'static str) {
    match error {
        Error::Misbehaved(misbehaved) => {
            assert_eq!(*misbehaved, Misbehaved::UnexpectedSsl2Message { received, expected });
        }
        other => panic!("{received} where {expected} is awaited: {other}"),
    }
}

#[test]
fn client_finished_may_come_before_or_after_server_verify() {
    // Ours goes out with the master key. A client that waits is one whose second record is held back.
    let fixture = fixture();
    let (mut client, mut server) = (fixture.client(), fixture.server());
    let hello = hello_of(&mut client);
    let Progress::Continue { output: server_hello, .. } = server.advance(&hello).unwrap() else { panic!() };
    let Progress::Continue { output, .. } = client.advance(&server_hello).unwrap() else { panic!() };
    let record::Need::Whole(first) = Channel::new().record_len(&output).unwrap() else { panic!() };
    assert!(first < output.len(), "both in one flight");
    let Progress::Continue { output: verify, used } = server.advance(&output[..first]).unwrap() else {
        panic!()
    };
    assert_eq!(used, first);
    assert!(!verify.is_empty(), "it does not wait for CLIENT-FINISHED");
    let Progress::Complete { output: finished, .. } = server.advance(&output[first..]).unwrap() else {
        panic!()
    };
    let Progress::Complete { .. } = client.advance(&[verify, finished].concat()).unwrap() else { panic!() };
}
