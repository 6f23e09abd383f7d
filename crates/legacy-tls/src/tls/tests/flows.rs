//! The legal flows as data; from them: each completes with exactly these messages, and everything else is refused at every
//! point of each.

use std::collections::BTreeMap;

use super::*;
use crate::connection::handshake::{Channel as _, Role as _, Taken};
use crate::tls::channel::{Channel, Incoming, Message};
use crate::tls::{client, server};

/// What one side hears, in order.
type Heard = &'static [&'static str];

/// One legal flow.
struct Flow {
    name: &'static str,
    set_up: fn(&mut Fixture),
    /// A session is there already.
    resumes: bool,
    to_client: Heard,
    to_server: Heard,
}

fn gives_tickets(fixture: &mut Fixture) {
    fixture.client.policy.suites = vec![RSA];
    fixture.server.sessions = Arc::new(tickets::Ticketing::new());
}

fn renews_tickets(fixture: &mut Fixture) {
    fixture.client.policy.suites = vec![RSA];
    let store = tickets::Ticketing::new();
    store.renews.store(true, Ordering::Relaxed);
    fixture.server.sessions = Arc::new(store);
}

const RSA: CipherSuite = CipherSuite(0x002f);
const DHE: CipherSuite = CipherSuite(0x0033);
const EXPORT: CipherSuite = CipherSuite(0x0003);

fn asks(fixture: &mut Fixture) {
    fixture.server.client_auth = ClientAuth::Optional;
}

fn staples(fixture: &mut Fixture) {
    let identity = Arc::into_inner(rsa2048()).unwrap().with_ocsp_response(vec![1]);
    fixture.server.identities = vec![Arc::new(identity)];
}

/// Spec: TLS12 section 7.3; TICKET section 3.1.
const FLOWS: &[Flow] = &[
    Flow {
        name: "RSA",
        set_up: |f| f.client.policy.suites = vec![RSA],
        resumes: false,
        to_client: &["ServerHello", "Certificate", "ServerHelloDone", "ChangeCipherSpec", "Finished"],
        to_server: &["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "DHE",
        set_up: |f| f.client.policy.suites = vec![DHE],
        resumes: false,
        to_client: &[
            "ServerHello",
            "Certificate",
            "ServerKeyExchange",
            "ServerHelloDone",
            "ChangeCipherSpec",
            "Finished",
        ],
        to_server: &["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "RSA with client certificate",
        set_up: |f| {
            f.client.policy.suites = vec![RSA];
            f.client.identities = vec![rsa1024()];
            asks(f);
        },
        resumes: false,
        to_client: &[
            "ServerHello",
            "Certificate",
            "CertificateRequest",
            "ServerHelloDone",
            "ChangeCipherSpec",
            "Finished",
        ],
        to_server: &[
            "ClientHello",
            "Certificate",
            "ClientKeyExchange",
            "CertificateVerify",
            "ChangeCipherSpec",
            "Finished",
        ],
    },
    Flow {
        name: "DHE without the client certificate that was asked for, with a stapled response",
        set_up: |f| {
            f.client.policy.suites = vec![DHE];
            asks(f);
            staples(f);
        },
        resumes: false,
        to_client: &[
            "ServerHello",
            "Certificate",
            "CertificateStatus",
            "ServerKeyExchange",
            "CertificateRequest",
            "ServerHelloDone",
            "ChangeCipherSpec",
            "Finished",
        ],
        to_server: &["ClientHello", "Certificate", "ClientKeyExchange", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "export",
        set_up: |f| f.client.policy.suites = vec![EXPORT],
        resumes: false,
        to_client: &[
            "ServerHello",
            "Certificate",
            "ServerKeyExchange",
            "ServerHelloDone",
            "ChangeCipherSpec",
            "Finished",
        ],
        to_server: &["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "resumed",
        set_up: |f| f.client.policy.suites = vec![RSA],
        resumes: true,
        to_client: &["ServerHello", "ChangeCipherSpec", "Finished"],
        to_server: &["ClientHello", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "RSA with a ticket",
        set_up: gives_tickets,
        resumes: false,
        to_client: &[
            "ServerHello",
            "Certificate",
            "ServerHelloDone",
            "NewSessionTicket",
            "ChangeCipherSpec",
            "Finished",
        ],
        to_server: &["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "resumed by a ticket",
        set_up: gives_tickets,
        resumes: true,
        to_client: &["ServerHello", "ChangeCipherSpec", "Finished"],
        to_server: &["ClientHello", "ChangeCipherSpec", "Finished"],
    },
    Flow {
        name: "resumed by a ticket that is renewed",
        set_up: renews_tickets,
        resumes: true,
        to_client: &["ServerHello", "NewSessionTicket", "ChangeCipherSpec", "Finished"],
        to_server: &["ClientHello", "ChangeCipherSpec", "Finished"],
    },
];

/// What may come instead of the next message of a flow, since the client cannot know what a server has.
const OPTIONS: &[(&str, Heard, &str)] = &[
    ("RSA", &["ServerHello", "Certificate"], "CertificateRequest"),
    ("DHE", &["ServerHello", "Certificate", "ServerKeyExchange"], "CertificateRequest"),
    ("export", &["ServerHello", "Certificate", "ServerKeyExchange"], "CertificateRequest"),
    ("RSA with a ticket", &["ServerHello", "Certificate"], "CertificateRequest"),
    ("RSA with client certificate", &["ServerHello", "Certificate"], "ServerHelloDone"),
    (
        "DHE without the client certificate that was asked for, with a stapled response",
        &["ServerHello", "Certificate"],
        "ServerKeyExchange",
    ),
    (
        "DHE without the client certificate that was asked for, with a stapled response",
        &["ServerHello", "Certificate", "CertificateStatus", "ServerKeyExchange"],
        "ServerHelloDone",
    ),
];

enum State {
    Client(client::State),
    Server(server::State),
}

struct Party {
    state: Option<State>,
    channel: Channel,
    inbox: Vec<u8>,
    heard: Vec<&'static str>,
}

impl Party {
    fn next(&mut self) -> Option<Incoming> {
        loop {
            if let Some(message) = self.channel.next_incoming().unwrap() {
                return Some(message);
            }
            let Need::Whole(len) = self.channel.record_len(&self.inbox).unwrap() else { return None };
            let record: Vec<u8> = self.inbox.drain(..len).collect();
            if let Taken::Incoming(incoming) = self.channel.take_record(&record, "").unwrap() {
                return Some(incoming);
            }
        }
    }

    fn handle(&mut self, incoming: Incoming, fixture: &Fixture) -> Result<(), Error> {
        self.state = Some(match self.state.take().unwrap() {
            State::Client(state) => {
                State::Client(state.handle(incoming, &fixture.client, &mut self.channel)?)
            }
            State::Server(state) => {
                State::Server(state.handle(incoming, &fixture.server, &mut self.channel)?)
            }
        });
        Ok(())
    }
}

fn name(incoming: &Incoming) -> &'static str {
    match incoming {
        Incoming::Message(message) => message.kind.name().unwrap(),
        Incoming::ChangeCipherSpec => "ChangeCipherSpec",
        Incoming::NoCertificate => "no_certificate",
        Incoming::NoRenegotiation => "no_renegotiation",
        Incoming::Closed => "close_notify",
    }
}

/// What is put in place of the message at a point.
struct Intrusion<'a> {
    side: Side,
    at: usize,
    incoming: Box<dyn Fn() -> Incoming + 'a>,
}

type Messages = BTreeMap<&'static str, Vec<u8>>;

/// Runs a flow; an intrusion ends it with what it is answered.
fn run(
    flow: &Flow,
    version: ProtocolVersion,
    intrusion: Option<&Intrusion<'_>>,
    seen: &mut Messages,
) -> Result<[Vec<&'static str>; 2], Error> {
    let mut fixture = Fixture::new(&[version]);
    (flow.set_up)(&mut fixture);
    if flow.resumes {
        fixture.run().unwrap();
    }
    let mut channel = Channel::new(Opener::plaintext(), Sealer::plaintext(version.0), None);
    let wanted = client::Wanted {
        server_name: fixture.parameters.server_name.clone(),
        session_key: fixture.parameters.session_key.clone(),
        ..client::Wanted::default()
    };
    let offer = client::Offer::send(wanted, &fixture.client, &mut channel).unwrap();
    let state = State::Client(client::State::ServerHello(Box::new(offer)));
    let first = channel.take_output();
    let mut client = Party { state: Some(state), channel, inbox: Vec::new(), heard: Vec::new() };
    let channel = Channel::new(Opener::plaintext(), Sealer::plaintext(version.0), None);
    let state = State::Server(server::State::ClientHello(Box::default()));
    let mut server = Party { state: Some(state), channel, inbox: first, heard: Vec::new() };
    loop {
        let mut moved = false;
        for side in [Side::Server, Side::Client] {
            let (party, other) =
                if side == Side::Client { (&mut client, &mut server) } else { (&mut server, &mut client) };
            while let Some(mut incoming) = party.next() {
                moved = true;
                if let Some(intrusion) = intrusion.filter(|i| i.side == side && i.at == party.heard.len()) {
                    incoming = (intrusion.incoming)();
                    return party.handle(incoming, &fixture).map(|()| Default::default());
                }
                if let Incoming::Message(message) = &incoming {
                    seen.insert(name(&incoming), message.bytes().to_vec());
                }
                party.heard.push(name(&incoming));
                party.handle(incoming, &fixture)?;
                let output = party.channel.take_output();
                other.inbox.extend(output);
            }
        }
        if !moved {
            assert!(matches!(client.state, Some(State::Client(client::State::Complete(_)))));
            assert!(matches!(server.state, Some(State::Server(server::State::Complete(_)))));
            return Ok([client.heard, server.heard]);
        }
    }
}

/// What each side hears in a version; `None` where the version has not got what the flow needs: there are no extensions in
/// SSL 3.0, and no export suites from TLS 1.1 on.
fn legal(flow: &Flow, version: ProtocolVersion) -> Option<[Vec<&'static str>; 2]> {
    let is_ssl30 = version == ProtocolVersion::SSL30;
    let needs = |message: &str| flow.to_client.contains(&message);
    if is_ssl30 && (needs("CertificateStatus") || needs("NewSessionTicket")) {
        return None;
    }
    if flow.name == "export" && version > ProtocolVersion::TLS10 {
        return None;
    }
    Some([flow.to_client.to_vec(), flow.to_server.to_vec()])
}

#[test]
fn each_legal_flow_completes_with_exactly_its_messages() {
    for version in ProtocolVersion::ALL {
        for flow in FLOWS {
            let Some(expected) = legal(flow, version) else { continue };
            let heard = run(flow, version, None, &mut Messages::new()).unwrap();
            assert_eq!(heard, expected, "{version} {}", flow.name);
        }
    }
}

#[test]
fn every_other_message_at_every_point_of_a_flow_is_refused() {
    for version in ProtocolVersion::ALL {
        let mut seen = Messages::new();
        for flow in FLOWS.iter().filter(|flow| legal(flow, version).is_some()) {
            run(flow, version, None, &mut seen).unwrap();
        }
        seen.insert("HelloRequest", vec![0, 0, 0, 0]);
        seen.entry("NewSessionTicket").or_insert_with(|| vec![4, 0, 0, 6, 0, 0, 0, 0, 0, 0]);
        seen.entry("CertificateStatus").or_insert_with(|| vec![22, 0, 0, 5, 1, 0, 0, 1, 0]);
        let mut refused = 0;
        for flow in FLOWS {
            let Some([to_client, to_server]) = legal(flow, version) else { continue };
            for (side, heard) in [(Side::Client, to_client), (Side::Server, to_server)] {
                for at in 0..heard.len() {
                    refused += intrude(flow, version, side, &heard, at, &seen);
                }
            }
        }
        assert!(refused > 400, "{version}: {refused}");
    }
}

/// Tries everything that is not legal at one point.
fn intrude(
    flow: &Flow,
    version: ProtocolVersion,
    side: Side,
    heard: &[&'static str],
    at: usize,
    seen: &Messages,
) -> usize {
    let option = |name: &str| {
        side == Side::Client
            && OPTIONS.iter().any(|(flow_name, before, option)| {
                *flow_name == flow.name && heard[..at] == **before && *option == name
            })
    };
    let no_certificate_is_legal =
        version == ProtocolVersion::SSL30 && side == Side::Server && heard[at] == "Certificate";
    let mut intrusions: Vec<(String, Box<dyn Fn() -> Incoming>)> = Vec::new();
    for (name, bytes) in seen {
        let tolerated = side == Side::Client && *name == "HelloRequest"
            || no_certificate_is_legal && *name == "ClientKeyExchange";
        if *name != heard[at] && !option(name) && !tolerated {
            let bytes = bytes.clone();
            let incoming = move || Incoming::Message(Message::from_bytes(bytes.clone()));
            intrusions.push(((*name).to_owned(), Box::new(incoming)));
        }
    }
    let unknown = || Incoming::Message(Message::from_bytes(vec![99, 0, 0, 0]));
    intrusions.push(("an unknown message".to_owned(), Box::new(unknown)));
    if heard[at] != "ChangeCipherSpec" {
        intrusions.push(("ChangeCipherSpec".to_owned(), Box::new(|| Incoming::ChangeCipherSpec)));
    }
    if !no_certificate_is_legal {
        intrusions.push(("no_certificate".to_owned(), Box::new(|| Incoming::NoCertificate)));
    }
    let tried = intrusions.len();
    for (name, incoming) in intrusions {
        let intrusion = Intrusion { side, at, incoming };
        let what = format!("{version} {}: {name} at {at} to the {side:?}", flow.name);
        match run(flow, version, Some(&intrusion), &mut Messages::new()) {
            Ok(_) => panic!("{what}: accepted"),
            Err(error) => {
                assert_eq!(error.alert(), Some(AlertDescription::UNEXPECTED_MESSAGE), "{what}: {error}");
            }
        }
    }
    tried
}

#[test]
fn hello_requests_in_a_handshake_are_tolerated_a_few_times_only() {
    let fixture = Fixture::new(&[ProtocolVersion::TLS10]);
    let mut client = fixture.client();
    client.advance(&[]).unwrap();
    let request = [22, 3, 1, 0, 4, 0, 0, 0, 0];
    for _ in 0..4 {
        assert!(matches!(client.advance(&request), Ok(Progress::Continue { used: 9, .. })));
    }
    let failure = client.advance(&request).unwrap_err();
    assert!(matches!(failure.error, Error::Misbehaved(Misbehaved::Flood { .. })), "{}", failure.error);
}
