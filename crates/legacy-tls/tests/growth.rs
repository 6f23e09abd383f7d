//! Damaged input costs no more memory than its own length explains, and none is left of it.
//!
//! One test, and a program of its own: the allocator counts everything that the process does.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failure here is a failed test"
)]

use std::sync::{Arc, Mutex};

use crypto::private_key::PrivateKey;
use crypto::random::{Random, RandomError};
use legacy_tls::{
    CertificateRefused, CertificateVerifier, CipherSuite, ClientAuth, ClientConfig, ClientConnection,
    ClientParameters, Clock, Failure, Identity, KINDS_BY_PREFERENCE, MemorySessions, PeerCertificate, Policy,
    Progress, ProtocolVersion, ServerConfig, ServerConnection, ServerParameters, SignatureScheme, pct1,
};
use peak_alloc::PeakAlloc;
use test_support::{Mutator, SeededRandom};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// For each role of a protocol and each of its suites.
const INPUTS: usize = 1_000;

/// What a connection may take beside what it was sent, in bytes: itself with its configuration, and what it works with. A
/// length that is believed would be 16 MB.
const MOST_OF_A_CONNECTION: usize = 48 << 10;

/// What may be larger behind all inputs of a flight than before them, in bytes: the numbers that blind a key, and a session of
/// an input whose damage was none. A byte that were kept of each damaged one would come to more, or nearly.
const MOST_LEFT: usize = 4 << 10;

/// What may be kept of each byte that was sent: the record, the message that it is a part of, and that message taken apart.
const MOST_OF_A_BYTE: usize = 4;

struct Seeded(Mutex<SeededRandom>);

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.lock().unwrap().fill(out);
        Ok(())
    }
}

fn seeded(seed: u64) -> Arc<dyn Random> {
    Arc::new(Seeded(Mutex::new(SeededRandom::new(seed))))
}

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

fn identity(certificate: &[u8], key: &[u8]) -> Arc<Identity> {
    let key = PrivateKey::from_der(key).unwrap();
    Arc::new(Identity::new(vec![certificate.to_vec()], key, vec!["server.test".to_owned()]).unwrap())
}

fn rsa1024() -> Arc<Identity> {
    identity(include_bytes!("../testdata/rsa1024.cert.der"), include_bytes!("../testdata/rsa1024.key.der"))
}

/// Both configurations of a protocol with one suite.
struct Ends {
    client: ClientConfig,
    server: ServerConfig,
}

impl Ends {
    fn new(version: ProtocolVersion, suite: CipherSuite) -> Self {
        let policy = Policy {
            versions: vec![version],
            highest: version,
            suites: vec![suite],
            signature_schemes: [SignatureScheme::STRONG, SignatureScheme::SHA1].concat(),
            dh_minimum_bits: 1024,
            ..Policy::default()
        };
        Self {
            client: ClientConfig {
                policy: policy.clone(),
                verifier: Arc::new(Everybody),
                identities: vec![rsa1024()],
                ask_for_certificate: false,
                sessions: Arc::new(MemorySessions::new(100, 36_000)),
                random: seeded(1),
                clock: Arc::new(Stopped),
            },
            server: ServerConfig {
                policy,
                identities: vec![rsa1024()],
                client_auth: ClientAuth::Optional,
                client_verifier: Arc::new(Everybody),
                authorities: Vec::new(),
                dh_group: crypto::dh::MODP_1024.clone(),
                export_keys: Arc::default(),
                sessions: Arc::new(MemorySessions::new(100, 36_000)),
                random: seeded(2),
                clock: Arc::new(Stopped),
            },
        }
    }

    /// A client that has said its hello, always the same, and what it said.
    fn client(&self) -> (End, Vec<u8>) {
        let config = ClientConfig { random: seeded(3), ..self.client.clone() };
        let parameters = ClientParameters {
            server_name: Some("server.test".to_owned()),
            session_key: Some(b"server".to_vec()),
            ..ClientParameters::default()
        };
        let mut client = End::Client(ClientConnection::new(Arc::new(config), parameters).unwrap());
        let said = client.says(&[]);
        (client, said)
    }

    fn server(&self) -> End {
        let config = ServerConfig { random: seeded(4), ..self.server.clone() };
        let parameters =
            ServerParameters { client_auth: ClientAuth::Optional, ..ServerParameters::default() };
        End::Server(ServerConnection::new(Arc::new(config), parameters))
    }
}

enum End {
    Client(ClientConnection),
    Server(ServerConnection),
}

impl End {
    fn advance(&mut self, input: &[u8]) -> Result<Progress, Failure> {
        match self {
            Self::Client(client) => client.advance(input),
            Self::Server(server) => server.advance(input),
        }
    }

    /// What it says to this, which is right.
    fn says(&mut self, mut input: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        loop {
            match self.advance(input).unwrap_or_else(|failure| panic!("{}", failure.error)) {
                Progress::Continue { output, used } => {
                    said.extend(output);
                    input = &input[used..];
                }
                Progress::Complete { output, .. } => return [said, output].concat(),
                Progress::Incomplete { .. } => return said,
                other => panic!("{other:?}"),
            }
            if input.is_empty() && !said.is_empty() {
                return said;
            }
        }
    }

    /// Takes input until it has had enough or wants more.
    fn take(&mut self, mut input: &[u8]) {
        while let Ok(Progress::Continue { used: used @ 1.., .. }) = self.advance(input) {
            input = &input[used..];
        }
    }
}

/// The most that the heap grew by while one input was taken in.
fn cost(make: impl FnOnce() -> End, input: &[u8]) -> usize {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let mut end = make();
    end.take(input);
    HEAP.peak_usage() - before
}

/// Each flight of a handshake, damaged, to the end that awaits it.
fn survive(what: &str, ends: &Ends) {
    let mut mutator = Mutator::new(7);
    let hello = ends.client().1;
    let answer = ends.server().says(&hello);
    let (mut client, _) = ends.client();
    let reply = client.says(&answer);
    drop(client);
    let server = || ends.server();
    let client = || ends.client().0;
    let greeted = || {
        let mut server = ends.server();
        server.says(&hello);
        server
    };
    let flights = [("hello", &hello), ("answer", &answer), ("reply", &reply)];
    let makes: [&dyn Fn() -> End; 3] = [&server, &client, &greeted];
    for ((flight, right), make) in flights.into_iter().zip(makes) {
        let start = HEAP.current_usage();
        for round in 0..INPUTS {
            let mut input = right.to_vec();
            mutator.mutate_some(&mut input, 4);
            let most = cost(make, &input);
            let allowed = MOST_OF_A_CONNECTION + MOST_OF_A_BYTE * input.len();
            assert!(most <= allowed, "{what}, {flight} {round}: {most} bytes for {} bytes", input.len());
        }
        let left = HEAP.current_usage().saturating_sub(start);
        assert!(left <= MOST_LEFT, "{what}, {flight}: {left} bytes are left");
    }
}

#[test]
fn damaged_input_costs_little_memory_and_nothing_is_left_of_it() {
    for version in ProtocolVersion::ALL {
        for suite in [0x0005, 0x002f, 0x0033, 0xc013].map(CipherSuite) {
            if suite.row().is_some_and(|row| row.is_legal_in(version)) {
                survive(&format!("{version} {suite}"), &Ends::new(version, suite));
            }
        }
    }
    survive("SSL 2.0", &Ends::new(ProtocolVersion::SSL20, KINDS_BY_PREFERENCE[0]));
    survive("PCT 1.0", &Ends::new(ProtocolVersion::PCT1, pct1::BY_PREFERENCE[0]));
}
