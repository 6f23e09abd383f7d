//! The engine as a peer, and somebody in between who sends each of its messages on behind data.
//!
//! No peer that goes by our interface could send data in the middle of a handshake: a handshake has no `EncryptMessage`.

#![allow(
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::sync::Arc;

use crypto::private_key::PrivateKey;
use crypto::random::SystemRandom;
use legacy_tls::record::{ContentType, Need, Opener, Sealer};
use legacy_tls::{
    BY_PREFERENCE, Before, CertificateRefused, CertificateVerifier, ClientAuth, ClientConfig,
    ClientConnection, ClientParameters, Clock, Directions, Established, Failure, Identity, MemorySessions,
    PeerCertificate, Policy, Progress, ProtocolVersion, ServerConfig, ServerConnection, ServerParameters,
    SignatureScheme,
};
use test_support::TestCertificate;

use crate::support::{Kind, World};

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> u64 {
        1_000_000
    }
}

struct Everybody;

impl CertificateVerifier for Everybody {
    fn verify(&self, _: &PeerCertificate<'_>) -> Result<(), CertificateRefused> {
        Ok(())
    }
}

fn identity(certificate: &TestCertificate) -> Arc<Identity> {
    let key = PrivateKey::from_der(certificate.key_der()).unwrap();
    Arc::new(Identity::new(certificate.chain_der().to_vec(), key, vec!["localhost".to_owned()]).unwrap())
}

/// What the engine's ends are configured with. Both sides show certificates.
pub struct Engines {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Engines {
    pub fn new(world: &World, kind: Kind) -> Self {
        let policy = policy(kind);
        let sessions = || Arc::new(MemorySessions::new(0, 0));
        Self {
            client: Arc::new(ClientConfig {
                policy: policy.clone(),
                verifier: Arc::new(Everybody),
                identities: vec![identity(&world.pki.client("alice").rsa_2048().issue())],
                ask_for_certificate: false,
                sessions: sessions(),
                random: Arc::new(SystemRandom),
                clock: Arc::new(Stopped),
            }),
            server: Arc::new(ServerConfig {
                policy,
                identities: vec![identity(&world.pki.server("localhost").rsa_2048().issue())],
                client_auth: ClientAuth::Required,
                client_verifier: Arc::new(Everybody),
                authorities: Vec::new(),
                dh_group: crypto::dh::FFDHE2048.clone(),
                export_keys: Arc::default(),
                sessions: sessions(),
                random: Arc::new(SystemRandom),
                clock: Arc::new(Stopped),
            }),
        }
    }

    pub fn client(&self) -> Engine {
        let client = ClientConnection::new(Arc::clone(&self.client), parameters());
        Engine::new(Role::Client(client.unwrap()))
    }

    pub fn server(&self) -> Engine {
        let server = ServerConnection::new(Arc::clone(&self.server), ServerParameters::default());
        Engine::new(Role::Server(server))
    }

    /// Both ends of a connection of the engine with itself: client and server.
    pub fn pair(&self) -> (Ended, Ended) {
        let (mut client, mut server) = (self.client(), self.server());
        while client.done.is_none() || server.done.is_none() {
            server.inbox.extend(client.go());
            client.inbox.extend(server.go());
        }
        (client.ended(), server.ended())
    }

    /// A client that begins once more what was negotiated `before`, with the keys of `ended`.
    pub fn client_again(&self, before: Before, ended: Ended) -> Engine {
        let directions = ended.directions(Vec::new());
        let client =
            ClientConnection::renegotiate(Arc::clone(&self.client), parameters(), before, directions);
        Engine::new(Role::Client(client.unwrap()))
    }

    /// A server that was told this hello, on what was negotiated `before`, with the keys of `ended`.
    pub fn server_again(&self, before: Before, ended: Ended, hello: Vec<u8>) -> Engine {
        let (config, parameters) = (Arc::clone(&self.server), ServerParameters::default());
        let server = ServerConnection::renegotiate(config, parameters, before, ended.directions(hello));
        Engine::new(Role::Server(server.unwrap()))
    }
}

fn policy(kind: Kind) -> Policy {
    let version = match kind {
        Kind::Tls13 => panic!("TLS 1.3 has no second handshake"),
        Kind::Tls12 | Kind::Tls12Cbc => ProtocolVersion::TLS12,
        Kind::Tls11 => ProtocolVersion::TLS11,
        Kind::Tls10 => ProtocolVersion::TLS10,
        Kind::Ssl30 => ProtocolVersion::SSL30,
    };
    Policy {
        versions: vec![version],
        highest: version,
        suites: BY_PREFERENCE.to_vec(),
        signature_schemes: [SignatureScheme::STRONG, SignatureScheme::SHA1].concat(),
        resume: false,
        ..Policy::default()
    }
}

fn parameters() -> ClientParameters {
    ClientParameters { server_name: Some("localhost".to_owned()), ..ClientParameters::default() }
}

enum Role {
    Client(ClientConnection),
    Server(ServerConnection),
}

/// An end of a handshake that is the engine.
pub struct Engine {
    role: Role,
    pub inbox: Vec<u8>,
    /// The data that came in the middle of the handshake.
    pub data: Vec<u8>,
    done: Option<Box<Established>>,
}

impl Engine {
    fn new(role: Role) -> Self {
        Self { role, inbox: Vec::new(), data: Vec::new(), done: None }
    }

    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }

    /// What it says to what it has got.
    pub fn go(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while self.done.is_none() {
            let progress: Result<Progress, Failure> = match &mut self.role {
                Role::Client(client) => client.advance(&self.inbox),
                Role::Server(server) => server.advance(&self.inbox),
            };
            let used = match progress.unwrap_or_else(|failure| panic!("the engine: {}", failure.error)) {
                Progress::Continue { output, used } => {
                    said.extend(output);
                    used
                }
                Progress::Complete { established, output, used } => {
                    said.extend(output);
                    self.done = Some(established);
                    used
                }
                Progress::Data { data, used } => {
                    self.data.extend_from_slice(&data);
                    used
                }
                Progress::Incomplete { .. } => break,
                other => panic!("{other:?}"),
            };
            self.inbox.drain(..used);
        }
        said
    }

    pub fn ended(self) -> Ended {
        assert!(self.inbox.is_empty(), "something was left over");
        let Established { sealer, opener, negotiated } = *self.done.unwrap();
        let peer = negotiated.peer_chain.first().cloned();
        let before = negotiated.before(None, peer, negotiated.server_name.clone()).unwrap();
        Ended { sealer, opener, before }
    }
}

/// An end of an established connection, taken apart.
pub struct Ended {
    pub sealer: Sealer,
    pub opener: Opener,
    pub before: Before,
}

impl Ended {
    fn directions(self, messages: Vec<u8>) -> Directions {
        Directions { sealer: self.sealer, opener: self.opener, messages }
    }
}

/// Somebody in between who has the keys of both sides. Each message is sent on behind a record of data, in records of its own
/// with so many bytes.
pub struct Between {
    pub from: Opener,
    pub to: Sealer,
    /// All data that was sent.
    pub data: Vec<u8>,
    /// How many records of data were sent.
    pub records: usize,
    fragment: usize,
    /// From here on records are under the keys of the new handshake.
    has_changed: bool,
}

impl Between {
    pub fn new(from: Opener, to: Sealer, fragment: usize) -> Self {
        Self { from, to, data: Vec::new(), records: 0, fragment, has_changed: false }
    }

    /// A record of data, with its number.
    pub fn send_data(&mut self, out: &mut Vec<u8>) {
        let data = format!("data {}, ", self.records);
        self.records += 1;
        self.data.extend_from_slice(data.as_bytes());
        self.to.seal_message(ContentType::APPLICATION_DATA, data.as_bytes(), out).unwrap();
    }

    /// A record of data, and a message.
    pub fn send(&mut self, content_type: ContentType, message: &[u8], out: &mut Vec<u8>) {
        self.send_data(out);
        for fragment in message.chunks(self.fragment) {
            self.to.seal_message(content_type, fragment, out).unwrap();
        }
    }

    /// Type and content of each record, as long as they are under the keys that there were.
    pub fn open(&mut self, wire: &mut &[u8]) -> Vec<(ContentType, Vec<u8>)> {
        let mut opened = Vec::new();
        while !wire.is_empty() && !self.has_changed {
            let Need::Whole(len) = self.from.record_len(wire).unwrap() else { panic!("not a whole record") };
            let mut record = wire[..len].to_vec();
            *wire = &wire[len..];
            let one = self.from.open(&mut record).unwrap();
            self.has_changed = one.content_type == ContentType::CHANGE_CIPHER_SPEC;
            opened.push((one.content_type, record[one.content].to_vec()));
        }
        opened
    }

    /// What becomes of what one side sent. Behind ChangeCipherSpec everything goes on as it is.
    pub fn relay(&mut self, mut wire: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for (content_type, content) in self.open(&mut wire) {
            let mut content = &content[..];
            if content_type == ContentType::CHANGE_CIPHER_SPEC {
                self.send(content_type, content, &mut out);
                continue;
            }
            while let Some(&[_, a, b, c]) = content.first_chunk::<4>() {
                let length = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
                self.send(content_type, &content[..length], &mut out);
                content = &content[length..];
            }
        }
        out.extend_from_slice(wire);
        out
    }
}
