//! Both roles in one process.

mod alerts;
mod attacks;
mod choices;
mod conformance;
pub(crate) mod damage;
mod dsa_signatures;
mod flight;
mod flows;
mod handshakes;
mod messages;
mod mutations;
mod renegotiation;
mod resumption;
mod splits;
mod tickets;
mod vectors;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crypto::random::{Random, RandomError};
use test_support::SeededRandom;

use crate::record::{ContentType, Need, Opener, Sealer};
use crate::*;

/// The same bytes on every run.
pub(crate) struct Seeded(Mutex<SeededRandom>);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(SeededRandom::new(seed))))
    }
}

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

pub(crate) struct TestClock(AtomicU64);

impl TestClock {
    pub(crate) fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    Accepts,
    Refuses,
    RefusesResumed,
}

impl CertificateVerifier for Judge {
    fn verify(&self, peer: &PeerCertificate<'_>) -> Result<(), CertificateRefused> {
        assert!(!peer.chain.is_empty());
        let refused = match self {
            Self::Accepts => false,
            Self::Refuses => true,
            Self::RefusesResumed => peer.resumed,
        };
        if refused {
            let reason = Arc::new(std::io::Error::other("refused by the test"));
            return Err(CertificateRefused { alert: AlertDescription::CERTIFICATE_UNKNOWN, reason });
        }
        Ok(())
    }
}

macro_rules! identities {
    ($($name:ident)*) => {$(
        pub(crate) fn $name() -> Arc<Identity> {
            let chain = vec![include_bytes!(concat!("../../../testdata/", stringify!($name), ".cert.der")).to_vec()];
            let key = include_bytes!(concat!("../../../testdata/", stringify!($name), ".key.der"));
            let key = crypto::private_key::PrivateKey::from_der(key).unwrap();
            let names = ["", "*."].map(|prefix| format!("{prefix}{}.test", stringify!($name)));
            Arc::new(Identity::new(chain, key, names.to_vec()).unwrap())
        }
    )*};
}

identities!(rsa2048 rsa1024 rsa512 dsa1024 p256);

/// Everything that there is.
pub(crate) fn everything(versions: &[ProtocolVersion]) -> Policy {
    Policy {
        versions: versions.to_vec(),
        highest: versions.iter().copied().max().unwrap(),
        suites: [BY_PREFERENCE, KINDS_BY_PREFERENCE].concat(),
        signature_schemes: [SignatureScheme::STRONG, SignatureScheme::DSA, SignatureScheme::SHA1].concat(),
        dh_minimum_bits: 1024,
        ..Policy::default()
    }
}

pub(crate) struct Fixture {
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) parameters: ClientParameters,
}

impl Fixture {
    pub(crate) fn new(versions: &[ProtocolVersion]) -> Self {
        let clock = Arc::new(TestClock(AtomicU64::new(1_000_000)));
        let policy = everything(versions);
        Self {
            client: ClientConfig {
                policy: policy.clone(),
                verifier: Arc::new(Judge::Accepts),
                identities: Vec::new(),
                ask_for_certificate: false,
                sessions: Arc::new(MemorySessions::new(100, 36_000)),
                random: Seeded::new(1),
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
            },
            server: ServerConfig {
                policy,
                identities: vec![rsa2048(), dsa1024(), p256()],
                client_auth: ClientAuth::None,
                client_verifier: Arc::new(Judge::Accepts),
                authorities: Vec::new(),
                dh_group: crypto::dh::MODP_1024.clone(),
                export_keys: Arc::default(),
                sessions: Arc::new(MemorySessions::new(100, 36_000)),
                random: Seeded::new(2),
                clock: Arc::clone(&clock) as Arc<dyn Clock>,
            },
            clock,
            parameters: ClientParameters {
                server_name: Some("rsa2048.test".to_owned()),
                session_key: Some(b"server".to_vec()),
                ..ClientParameters::default()
            },
        }
    }

    pub(crate) fn suite(mut self, suite: CipherSuite) -> Self {
        self.client.policy.suites = vec![suite];
        self
    }

    pub(crate) fn client(&self) -> ClientConnection {
        ClientConnection::new(Arc::new(self.client.clone()), self.parameters.clone()).unwrap()
    }

    pub(crate) fn server(&self) -> ServerConnection {
        ServerConnection::new(Arc::new(self.server.clone()), ServerParameters::default())
    }

    /// A handshake, everything delivered at once.
    pub(crate) fn run(&self) -> Result<Pair, (Side, Failure)> {
        Exchange::new(self.client(), self.server()).run()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// Both ends after the handshake.
pub(crate) struct Pair {
    pub(crate) client: Box<Established>,
    pub(crate) server: Box<Established>,
}

impl Pair {
    /// Sends data in both directions and sees that it comes.
    pub(crate) fn talk(&mut self) {
        let Self { client, server, .. } = self;
        for data in [&b""[..], b"x", b"hello, world", &[7; 1000]] {
            assert_eq!(send(&mut client.sealer, &mut server.opener, data), data);
            assert_eq!(send(&mut server.sealer, &mut client.opener, data), data);
        }
    }
}

pub(crate) fn send(sealer: &mut Sealer, opener: &mut Opener, data: &[u8]) -> Vec<u8> {
    let layout = sealer.layout();
    let mut memory = vec![0; layout.header];
    memory.extend_from_slice(data);
    memory.resize(memory.len() + layout.trailer, 0);
    let at = layout.header..layout.header + data.len();
    let range = sealer.seal(ContentType::APPLICATION_DATA, &mut memory, at).unwrap();
    let mut wire = memory[range].to_vec();
    let mut received = Vec::new();
    while !wire.is_empty() {
        let Need::Whole(len) = opener.record_len(&wire).unwrap() else { panic!("not a whole record") };
        let rest = wire.split_off(len);
        let opened = opener.open(&mut wire).unwrap();
        assert_eq!(opened.content_type, ContentType::APPLICATION_DATA);
        received.extend_from_slice(&wire[opened.content]);
        wire = rest;
    }
    received
}

enum End {
    Client(ClientConnection),
    Server(ServerConnection),
}

struct Half {
    side: Side,
    end: End,
    inbox: Vec<u8>,
    done: Option<Box<Established>>,
    /// What came in the middle of a second handshake.
    data: Vec<u8>,
}

impl Half {
    fn new(side: Side, end: End) -> Self {
        Self { side, end, inbox: Vec::new(), done: None, data: Vec::new() }
    }
}

/// Changes what a side sends.
pub(crate) type Tamper = Box<dyn FnMut(Side, &mut Vec<u8>)>;

/// A handshake whose deliveries a test decides on.
pub(crate) struct Exchange {
    client: Half,
    server: Half,
    /// How many bytes more are shown at a time; 0: all.
    pub(crate) piece: usize,
    pub(crate) answer: Option<Arc<Identity>>,
    pub(crate) asked: Vec<CertificateRequested>,
    /// Somebody in between: changes what a side sends.
    pub(crate) tamper: Tamper,
}

impl Exchange {
    pub(crate) fn new(client: ClientConnection, server: ServerConnection) -> Self {
        Self {
            client: Half::new(Side::Client, End::Client(client)),
            server: Half::new(Side::Server, End::Server(server)),
            piece: 0,
            answer: None,
            asked: Vec::new(),
            tamper: Box::new(|_, _| {}),
        }
    }

    pub(crate) fn run(&mut self) -> Result<Pair, (Side, Failure)> {
        assert!(self.step(Side::Client, 0)? > 0, "a client speaks first");
        self.finish()
    }

    /// Puts bytes in front of what one side has not read.
    pub(super) fn deliver(&mut self, side: Side, bytes: &[u8]) {
        let half = if side == Side::Client { &mut self.client } else { &mut self.server };
        half.inbox.extend_from_slice(bytes);
    }

    /// What reached the application of one side in the middle of the handshake.
    pub(super) fn data(&self, side: Side) -> &[u8] {
        if side == Side::Client { &self.client.data } else { &self.server.data }
    }

    /// Goes on until both ends are done.
    pub(super) fn finish(&mut self) -> Result<Pair, (Side, Failure)> {
        loop {
            let moved = self.feed(Side::Server)? + self.feed(Side::Client)?;
            if let (Some(_), Some(_)) = (&self.client.done, &self.server.done) {
                let Self { client, server, .. } = self;
                assert!(client.inbox.is_empty() && server.inbox.is_empty(), "something was left over");
                return Ok(Pair { client: client.done.take().unwrap(), server: server.done.take().unwrap() });
            }
            assert!(moved > 0, "both ends wait for each other");
        }
    }

    /// Runs until somebody refuses, or both ends wait for each other.
    pub(crate) fn run_damaged(mut self) -> Option<Failure> {
        let mut moved = match self.step(Side::Client, 0) {
            Ok(moved) => moved,
            Err((_, failure)) => return Some(failure),
        };
        while moved > 0 {
            moved = match self.feed(Side::Server).and_then(|first| Ok(first + self.feed(Side::Client)?)) {
                Ok(moved) => moved,
                Err((_, failure)) => return Some(failure),
            };
        }
        None
    }

    /// Shows one side what is there, in pieces that grow until something happens.
    fn feed(&mut self, side: Side) -> Result<usize, (Side, Failure)> {
        let half = if side == Side::Client { &self.client } else { &self.server };
        let available = half.inbox.len();
        if half.done.is_some() || available == 0 {
            return Ok(0);
        }
        let step = if self.piece == 0 { available } else { self.piece };
        let mut shown = 0;
        while shown < available {
            shown = (shown + step).min(available);
            let moved = self.step(side, shown)?;
            if moved > 0 {
                return Ok(moved);
            }
        }
        Ok(0)
    }

    fn step(&mut self, side: Side, shown: usize) -> Result<usize, (Side, Failure)> {
        let (half, other) = match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        let failed = |failure| (half.side, failure);
        let input = &half.inbox[..shown];
        let progress = match &mut half.end {
            End::Server(server) => server.advance(input).map_err(failed)?,
            End::Client(client) => match client.advance(input).map_err(failed)? {
                Progress::Ask(request) => {
                    self.asked.push(request);
                    client.answer(self.answer.clone()).map_err(failed)?;
                    client.advance(input).map_err(failed)?
                }
                progress => progress,
            },
        };
        let (mut output, used) = match progress {
            Progress::Continue { output, used } => (output, used),
            Progress::Incomplete { missing } => {
                assert!(missing > 0);
                return Ok(0);
            }
            Progress::Ask(_) => panic!("asked twice, or a server asks"),
            Progress::Declined { .. } => panic!("neither side declines"),
            Progress::Complete { established, output, used } => {
                half.done = Some(established);
                (output, used)
            }
            Progress::Data { data, used } => {
                assert!(used > 0);
                half.data.extend_from_slice(&data);
                (Vec::new(), used)
            }
        };
        half.inbox.drain(..used);
        let sent = output.len();
        (self.tamper)(side, &mut output);
        other.inbox.extend_from_slice(&output);
        Ok(sent + used)
    }
}
