//! The two things that are compared: our package, and rustls as an application would use it directly.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use schannel::{CertificateConfig, Environment, Materials, Protocol, Schannel, SchannelConfig};
use sspi_core::{
    AcceptRequest, AcceptSecurityContext, AscReq, Clock, CredentialUse, CredentialsHandle,
    CredentialsRequest, InitializeRequest, InitializeSecurityContext, IscReq, SecurityContext,
    SecurityPackage, Step,
};

/// The protocol of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.3.
    Tls13,
    /// TLS 1.2.
    Tls12,
}

/// The server's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA P-256.
    Ecdsa,
    /// Ed25519 is left out: few servers have it. RSA-2048 is what most have.
    Rsa,
}

/// A certificate that both sides use, and the root that issued it.
pub(crate) struct Certificate {
    chain: String,
    key: String,
    root: String,
    der: Vec<u8>,
    key_der: Vec<u8>,
    root_der: Vec<u8>,
}

/// A key for measurements only. It protects nothing.
const RSA_KEY: &str = include_str!("../testdata/rsa2048.pem");

#[expect(clippy::expect_used, reason = "a benchmark that cannot make its certificate has nothing to measure")]
impl Certificate {
    pub(crate) fn new(key: Key) -> Self {
        let key = match key {
            Key::Ecdsa => rcgen::KeyPair::generate().expect("a key"),
            Key::Rsa => rcgen::KeyPair::from_pem(RSA_KEY).expect("the key of the repository"),
        };
        let root_key = rcgen::KeyPair::generate().expect("a key");
        let mut parameters = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = parameters.self_signed(&root_key).expect("a root");
        let issuer = rcgen::Issuer::new(parameters, root_key);
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
        Self {
            chain: leaf.pem(),
            key: key.serialize_pem(),
            root: root.pem(),
            der: leaf.der().to_vec(),
            key_der: key.serialize_der(),
            root_der: root.der().to_vec(),
        }
    }
}

struct Files {
    chain: String,
    key: String,
    root: String,
}

impl Materials for Files {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        match reference {
            "chain" => Ok(self.chain.clone().into_bytes()),
            "key" => Ok(self.key.clone().into_bytes()),
            "root" => Ok(self.root.clone().into_bytes()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn key_log(&self, _reference: &str, _line: &str) {}
}

struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// The processor's time that this thread has had.
fn used() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Our package, as client and server.
pub struct Ours {
    pub(crate) client: Arc<dyn CredentialsHandle>,
    pub(crate) server: Arc<dyn CredentialsHandle>,
}

/// Both ends of an established connection of ours.
pub(crate) type OurPair = (Box<dyn SecurityContext>, Box<dyn SecurityContext>);

#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark whose handshake fails has nothing to measure"
)]
impl Ours {
    pub(crate) fn new(version: Version, certificate: &Certificate, suite: &str) -> Self {
        Self::with_resumption(version, certificate, suite, true)
    }

    pub(crate) fn with_resumption(
        version: Version,
        certificate: &Certificate,
        suite: &str,
        resume: bool,
    ) -> Self {
        let protocol = match version {
            Version::Tls13 => Protocol::Tls13,
            Version::Tls12 => Protocol::Tls12,
        };
        Self::speaking(protocol, certificate, suite, resume)
    }

    /// A client whose sessions are not kept, of a server's whose are.
    pub(crate) fn whose_client_keeps_none(
        protocol: Protocol,
        certificate: &Certificate,
        suite: &str,
    ) -> Self {
        let without = Self::speaking(protocol, certificate, suite, false);
        Self { client: without.client, ..Self::speaking(protocol, certificate, suite, true) }
    }

    /// What speaks this protocol with this suite and no other: whichever backend has them.
    pub(crate) fn speaking(protocol: Protocol, certificate: &Certificate, suite: &str, resume: bool) -> Self {
        let environment = Environment {
            clock: Arc::new(WallClock),
            materials: Arc::new(Files {
                chain: certificate.chain.clone(),
                key: certificate.key.clone(),
                root: certificate.root.clone(),
            }),
            random: Arc::new(crypto::random::SystemRandom),
        };
        let base = SchannelConfig {
            protocols: vec![protocol],
            suites: vec![suite.to_owned()],
            resume,
            ..SchannelConfig::default()
        };
        let client = SchannelConfig { roots: vec!["root".to_owned()], ..base.clone() };
        let certificates =
            vec![CertificateConfig { chain: "chain".to_owned(), key: "key".to_owned(), send_root: false }];
        let server = SchannelConfig { certificates, ..base };
        let acquire = |config, credential_use| {
            Schannel::new(config, environment.clone())
                .acquire_credentials_handle(&CredentialsRequest::configured(credential_use))
                .expect("credentials")
        };
        Self {
            client: acquire(client, CredentialUse::Outbound),
            server: acquire(server, CredentialUse::Inbound),
        }
    }

    pub(crate) fn initialize(&self) -> Box<dyn InitializeSecurityContext> {
        let request = InitializeRequest {
            target_name: Some("localhost".to_owned()),
            flags: IscReq::EXTENDED_ERROR | IscReq::STREAM,
            ..InitializeRequest::default()
        };
        self.client.initialize(&request).expect("a client")
    }

    pub(crate) fn accept(&self) -> Box<dyn AcceptSecurityContext> {
        let request =
            AcceptRequest { flags: AscReq::EXTENDED_ERROR | AscReq::STREAM, ..AcceptRequest::default() };
        self.server.accept(&request).expect("a server")
    }

    /// One handshake in memory, and the processor's time that the server's calls take of it.
    ///
    /// # Panics
    /// It takes up a session, or does not, unlike it should.
    pub(crate) fn server_handshake(&self, resumed: bool) -> (f64, Duration) {
        let (pair, took) = self.run::<true>();
        let reconnect = pair.1.attributes().session_info().is_ok_and(|info| info.reconnect);
        assert_eq!(reconnect, resumed, "a measurement of something else");
        (1.0, took)
    }

    /// One handshake in memory.
    pub(crate) fn handshake(&self) -> OurPair {
        self.run::<false>().0
    }

    /// The clock is looked at only where it is `TIMED`: that takes time, too. It is the processor's in this thread, for which
    /// what other programs take does not count.
    fn run<const TIMED: bool>(&self) -> (OurPair, Duration) {
        let mut took = Duration::ZERO;
        let mut client = self.initialize();
        let start = TIMED.then(used);
        let mut server = self.accept();
        took += start.map_or(Duration::ZERO, |start| used() - start);
        let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
        let (mut client_context, mut server_context) = (None, None);
        while client_context.is_none() || server_context.is_none() {
            if client_context.is_none() {
                match client.initialize_security_context(&to_client) {
                    Ok(Step::Continue { token, used }) if used == to_client.len() => {
                        to_client.clear();
                        to_server = token;
                    }
                    Ok(Step::Complete { context, token, used }) => {
                        to_client.drain(..used);
                        to_server = token;
                        client_context = Some(context);
                    }
                    other => panic!("the client came to {other:?}"),
                }
            }
            if server_context.is_none() && !to_server.is_empty() {
                let start = TIMED.then(used);
                let step = server.accept_security_context(&to_server);
                took += start.map_or(Duration::ZERO, |start| used() - start);
                match step {
                    Ok(Step::Continue { token, used }) if used == to_server.len() => to_client = token,
                    Ok(Step::Complete { context, token, used }) if used == to_server.len() => {
                        to_client = token;
                        server_context = Some(context);
                    }
                    other => panic!("the server came to {other:?}"),
                }
            }
        }
        let mut pair = (client_context.expect("a context"), server_context.expect("a context"));
        // Tickets of TLS 1.3 come behind the handshake; both subjects take them in.
        if !to_client.is_empty() {
            crate::records::drain(&mut *pair.0, &mut to_client);
        }
        (pair, took)
    }
}

/// rustls, used directly.
pub struct Theirs {
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) server: Arc<ServerConfig>,
}

/// Both ends of an established connection of theirs.
pub(crate) type TheirPair = (ClientConnection, ServerConnection);

#[expect(clippy::expect_used, reason = "a benchmark whose handshake fails has nothing to measure")]
impl Theirs {
    pub(crate) fn new(version: Version, certificate: &Certificate, suite: &str) -> Self {
        Self::with_resumption(version, certificate, suite, true)
    }

    pub(crate) fn with_resumption(
        version: Version,
        certificate: &Certificate,
        suite: &str,
        resume: bool,
    ) -> Self {
        let mut provider: CryptoProvider = rustls::crypto::ring::default_provider();
        provider.cipher_suites.retain(|s| {
            let name = format!("{:?}", s.suite()).replace("TLS13_", "TLS_");
            name == suite
        });
        let provider = Arc::new(provider);
        let versions = [match version {
            Version::Tls13 => &rustls::version::TLS13,
            Version::Tls12 => &rustls::version::TLS12,
        }];
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(certificate.root_der.clone())).expect("the root");
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key = PrivateKeyDer::try_from(certificate.key_der.clone()).expect("a key");
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.der.clone())], key)
            .expect("a certificate");
        if resume {
            server.ticketer = rustls::crypto::ring::Ticketer::new().expect("a ticketer");
        } else {
            client.resumption = rustls::client::Resumption::disabled();
            server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        }
        Self { client: Arc::new(client), server: Arc::new(server) }
    }

    pub(crate) fn name() -> ServerName<'static> {
        ServerName::try_from("localhost").expect("a name")
    }

    /// One handshake in memory.
    pub(crate) fn handshake(&self) -> TheirPair {
        let mut client = ClientConnection::new(Arc::clone(&self.client), Self::name()).expect("a client");
        let mut server = ServerConnection::new(Arc::clone(&self.server)).expect("a server");
        let mut buffer = Vec::new();
        while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
            buffer.clear();
            while client.wants_write() {
                client.write_tls(&mut buffer).expect("memory");
            }
            let mut input = buffer.as_slice();
            while !input.is_empty() {
                server.read_tls(&mut input).expect("memory");
                server.process_new_packets().expect("the client's flight");
            }
            buffer.clear();
            while server.wants_write() {
                server.write_tls(&mut buffer).expect("memory");
            }
            let mut input = buffer.as_slice();
            while !input.is_empty() {
                client.read_tls(&mut input).expect("memory");
                client.process_new_packets().expect("the server's flight");
            }
        }
        (client, server)
    }
}

/// The suite of a comparison.
pub(crate) fn suite(version: Version, key: Key) -> &'static str {
    match (version, key) {
        (Version::Tls13, _) => "TLS_AES_128_GCM_SHA256",
        (Version::Tls12, Key::Ecdsa) => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        (Version::Tls12, Key::Rsa) => "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    }
}
