//! What the tests of the package share: materials from memory, and credentials in one line.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part of this module"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

pub mod again;
pub mod sessions;
pub mod truth_table;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use opensspi_schannel::{CertificateConfig, Environment, Materials, Protocol, Schannel, SchannelConfig};
use sspi_core::{
    AcceptRequest, AscReq, CredentialUse, CredentialsHandle, CredentialsRequest, Error, InitializeRequest,
    IscReq, Question, SecurityPackage,
};
use test_support::pair::{self, Established, Outcome};
use test_support::{CertificateBuilder, FixedClock, Pki, TestCertificate};

/// Files that exist only here.
#[derive(Default)]
pub struct Memory {
    files: Mutex<HashMap<String, Vec<u8>>>,
    pub key_log: Mutex<String>,
}

impl Memory {
    pub fn put(&self, name: &str, content: impl Into<Vec<u8>>) -> String {
        self.files.lock().unwrap().insert(name.to_owned(), content.into());
        name.to_owned()
    }
}

impl Materials for Memory {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        self.files.lock().unwrap().get(reference).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn key_log(&self, _reference: &str, line: &str) {
        self.key_log.lock().unwrap().push_str(line);
    }
}

/// The protocols with records of TLS, the newest first.
pub const TLS: [Protocol; 5] =
    [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10, Protocol::Ssl30];

/// A protocol in the hands of one of the backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tls13,
    Tls12,
    /// TLS 1.2 with suites that rustls has not.
    Tls12Cbc,
    Tls11,
    Tls10,
    Ssl30,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Tls13, Self::Tls12, Self::Tls12Cbc, Self::Tls11, Self::Tls10, Self::Ssl30];

    /// Those of the engine.
    pub const LEGACY: [Self; 4] = [Self::Tls12Cbc, Self::Tls11, Self::Tls10, Self::Ssl30];

    pub fn protocol(self) -> Protocol {
        match self {
            Self::Tls13 => Protocol::Tls13,
            Self::Tls12 | Self::Tls12Cbc => Protocol::Tls12,
            Self::Tls11 => Protocol::Tls11,
            Self::Tls10 => Protocol::Tls10,
            Self::Ssl30 => Protocol::Ssl30,
        }
    }

    pub fn suites(self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Tls12Cbc => {
                &["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"]
            }
            _ => &[],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Hellos of SSL 3.0 have no extensions: no names, no application protocols, no extended master secret.
    pub fn has_extensions(self) -> bool {
        self != Self::Ssl30
    }

    /// A certificate that the protocol can use, of either kind where it has both.
    pub fn issue(self, builder: CertificateBuilder) -> TestCertificate {
        match self {
            Self::Tls11 | Self::Ssl30 => builder.rsa_2048().issue(),
            Self::Tls13 | Self::Tls12 | Self::Tls12Cbc | Self::Tls10 => builder.issue(),
        }
    }
}

/// A PKI, a clock and files: everything around the package.
pub struct World {
    pub pki: Pki,
    pub clock: FixedClock,
    pub memory: Arc<Memory>,
}

impl Default for World {
    fn default() -> Self {
        let world =
            Self { pki: Pki::new(), clock: FixedClock::default(), memory: Arc::new(Memory::default()) };
        world.memory.put("root.pem", world.pki.root_pem());
        world
    }
}

impl World {
    pub fn environment(&self) -> Environment {
        Environment {
            clock: Arc::new(self.clock.clone()),
            materials: Arc::clone(&self.memory) as _,
            random: Arc::new(crypto::random::SystemRandom),
        }
    }

    pub fn package(&self, config: SchannelConfig) -> Schannel {
        Schannel::new(config, self.environment())
    }

    /// The configuration of a certificate.
    pub fn certificate(&self, certificate: &TestCertificate) -> CertificateConfig {
        let name = format!("{}-{:02x?}", certificate.name(), &certificate.sha256()[..4]);
        CertificateConfig {
            chain: self.memory.put(&format!("{name}.pem"), certificate.chain_pem()),
            key: self.memory.put(&format!("{name}.key"), certificate.key_pem()),
            send_root: false,
        }
    }

    /// A client's configuration that trusts the PKI.
    pub fn client(&self, protocols: &[Protocol]) -> SchannelConfig {
        SchannelConfig {
            protocols: protocols.to_vec(),
            roots: vec!["root.pem".to_owned()],
            ..Default::default()
        }
    }

    /// A server's configuration with a certificate for `localhost`.
    pub fn server(&self, protocols: &[Protocol]) -> SchannelConfig {
        SchannelConfig {
            protocols: protocols.to_vec(),
            certificates: vec![self.certificate(&self.pki.server("localhost").issue())],
            client_roots: vec!["root.pem".to_owned()],
            ..Default::default()
        }
    }

    pub fn client_of(&self, kind: Kind) -> SchannelConfig {
        SchannelConfig { suites: kind.suites(), ..self.client(&[kind.protocol()]) }
    }

    pub fn server_of(&self, kind: Kind) -> SchannelConfig {
        SchannelConfig {
            suites: kind.suites(),
            certificates: vec![self.certificate(&kind.issue(self.pki.server("localhost")))],
            ..self.server(&[kind.protocol()])
        }
    }

    pub fn acquire(
        &self,
        config: SchannelConfig,
        credential_use: CredentialUse,
    ) -> Result<Arc<dyn CredentialsHandle>, Error> {
        self.package(config).acquire_credentials_handle(&CredentialsRequest::configured(credential_use))
    }

    pub fn outbound(&self, config: SchannelConfig) -> Arc<dyn CredentialsHandle> {
        self.acquire(config, CredentialUse::Outbound).unwrap()
    }

    pub fn inbound(&self, config: SchannelConfig) -> Arc<dyn CredentialsHandle> {
        self.acquire(config, CredentialUse::Inbound).unwrap()
    }
}

pub fn initialize_request() -> InitializeRequest {
    InitializeRequest {
        target_name: Some("localhost".to_owned()),
        flags: IscReq::EXTENDED_ERROR | IscReq::STREAM,
        ..Default::default()
    }
}

pub fn accept_request() -> AcceptRequest {
    AcceptRequest { flags: AscReq::EXTENDED_ERROR | AscReq::STREAM, ..Default::default() }
}

pub fn no_questions(question: Question) {
    panic!("nobody was to be asked: {question:?}");
}

/// A handshake, `chunk` bytes at a time.
pub fn handshake(
    client: &dyn CredentialsHandle,
    server: &dyn CredentialsHandle,
    chunk: usize,
) -> (Outcome, Outcome) {
    let client = client.initialize(&initialize_request()).unwrap();
    let server = server.accept(&accept_request()).unwrap();
    pair::run(client, server, chunk, &mut no_questions)
}

/// A handshake in which the server's application judges the client's certificate.
pub fn judged_by_the_application(
    client: &dyn CredentialsHandle,
    server: &dyn CredentialsHandle,
) -> (Outcome, Outcome) {
    let request = AcceptRequest { manual_cred_validation: true, ..accept_request() };
    let (client, server) = (client.initialize(&initialize_request()), server.accept(&request));
    pair::run(client.unwrap(), server.unwrap(), usize::MAX, &mut no_questions)
}

/// A handshake that succeeds on both sides.
pub fn established(
    client: &dyn CredentialsHandle,
    server: &dyn CredentialsHandle,
) -> (Established, Established) {
    let (client, server) = handshake(client, server, usize::MAX);
    (
        client.map_err(|e| panic!("client: {e}")).ok().unwrap(),
        server.map_err(|e| panic!("server: {e}")).ok().unwrap(),
    )
}

/// Sends `data` as one record and takes it off on the other side.
pub fn send(from: &mut Established, to: &mut Established, data: &[u8]) -> Vec<u8> {
    let sizes = from.context.attributes().stream_sizes().unwrap();
    let record = pair::seal(&mut *from.context, &sizes, data).unwrap();
    to.extra.extend(record);
    pair::open(&mut *to.context, &mut to.extra).unwrap().0
}
