//! What our end is started with.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use schannel::{
    CertificateConfig, ClientAuth, Environment, Materials, Protocol, Revocation, Schannel, SchannelConfig,
};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{self, StrDeserializer};
use sspi_core::{
    AcceptRequest, AscReq, Clock, CredentialUse, CredentialsHandle, CredentialsRequest, Error,
    InitializeRequest, IscReq, SecurityPackage,
};
use sspi_tokio::{Framing, HandshakeOptions};
use test_support::{Crl, Pki, TestCertificate};

use crate::peers::Version;

/// What our end is started with: a configuration of Schannel, and the files that it names, in memory.
#[derive(Clone, Debug)]
#[must_use]
pub struct Setup {
    config: SchannelConfig,
    files: BTreeMap<String, Vec<u8>>,
    server_name: String,
    deadline: Duration,
}

impl Setup {
    fn new() -> Self {
        Self {
            config: SchannelConfig { roots: Vec::new(), ..SchannelConfig::default() },
            files: BTreeMap::new(),
            server_name: "localhost".to_owned(),
            deadline: Duration::from_secs(20),
        }
    }

    /// A server with this certificate: TLS 1.2 and 1.3, tickets, no client certificates and no ALPN.
    pub fn server(certificate: &TestCertificate) -> Self {
        Self::new().certificate(certificate)
    }

    /// The same from a chain and a key in PEM.
    pub fn server_from_pem(chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self::new().pem(chain, key)
    }

    /// A certificate from a chain and a key in PEM.
    pub fn pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let number = self.config.certificates.len();
        let chain = self.file(&format!("certificate{number}.pem"), chain);
        let key = self.file(&format!("certificate{number}.key"), key);
        self.config.certificates.push(CertificateConfig { chain, key, send_root: false });
        self
    }

    /// A client that expects the name `localhost` in a certificate issued by `pki`, and has none itself; TLS 1.2 and
    /// 1.3, no ALPN.
    pub fn client(pki: &Pki) -> Self {
        Self::trusting(pki.root_pem())
    }

    /// The same with a root in PEM.
    pub fn trusting(root: String) -> Self {
        let mut setup = Self::new();
        setup.config.roots = vec![setup.file("root.pem", root)];
        setup
    }

    fn file(&mut self, name: &str, content: impl Into<Vec<u8>>) -> String {
        self.files.insert(name.to_owned(), content.into());
        name.to_owned()
    }

    /// This version only.
    pub fn version(mut self, version: impl Into<Option<Version>>) -> Self {
        self.config.protocols = match version.into() {
            None => Protocol::MODERN.to_vec(),
            Some(version) => protocol(version).into_iter().collect(),
        };
        self
    }

    /// A certificate: a server's, or a client's for when the server asks.
    pub fn certificate(self, certificate: &TestCertificate) -> Self {
        self.pem(certificate.chain_pem(), certificate.key_pem())
    }

    /// The server's name: in SNI, and in its certificate.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = name.to_owned();
        self
    }

    /// A server that asks for a client certificate issued by this PKI.
    pub fn request_client_certificate(self, pki: &Pki) -> Self {
        self.client_auth(ClientAuth::Optional, pki.root_pem())
    }

    /// A server that insists on a client certificate issued by this PKI.
    pub fn require_client_certificate(self, pki: &Pki) -> Self {
        self.require_client_certificate_of(pki.root_pem())
    }

    /// The same with a root in PEM.
    pub fn require_client_certificate_of(self, root: String) -> Self {
        self.client_auth(ClientAuth::Required, root)
    }

    /// A server that asks for no client certificate at first, and knows what to judge one by.
    pub fn client_root(self, pki: &Pki) -> Self {
        self.client_auth(ClientAuth::None, pki.root_pem())
    }

    fn client_auth(mut self, mode: ClientAuth, root: String) -> Self {
        self.config.client_auth = mode;
        self.config.client_roots = vec![self.file("clients.pem", root)];
        self
    }

    /// Takes what another configuration says about protocols and what they are allowed, and keeps everything else.
    pub(super) fn speak(&mut self, config: SchannelConfig) {
        let own = &self.config;
        self.config = SchannelConfig {
            certificates: own.certificates.clone(),
            roots: own.roots.clone(),
            client_auth: own.client_auth,
            client_roots: own.client_roots.clone(),
            send_ca_list: own.send_ca_list,
            alpn: own.alpn.clone(),
            resume: own.resume,
            session_tickets: own.session_tickets,
            ..config
        };
    }

    /// A server that does not say whose client certificates it takes.
    pub fn without_ca_list(mut self) -> Self {
        self.config.send_ca_list = false;
        self
    }

    /// ALPN protocols, preferred first.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        self.config.alpn = protocols.iter().map(|protocol| (*protocol).to_owned()).collect();
        self
    }

    /// A server without session tickets, so that TLS 1.2 resumes by session ID.
    pub fn without_tickets(mut self) -> Self {
        self.config.session_tickets = false;
        self
    }

    /// Every handshake a full one.
    pub fn without_resumption(mut self) -> Self {
        self.config.resume = false;
        self
    }

    /// A server that staples this OCSP response (DER).
    pub fn ocsp_response(mut self, der: Vec<u8>) -> Self {
        self.config.ocsp_response = Some(self.file("ocsp.der", der));
        self
    }

    /// Refuses certificates unless this list, or a stapled answer, says that they are not revoked.
    pub fn crl(mut self, crl: &Crl) -> Self {
        let file = self.file("revoked.crl", crl.pem());
        self.config.crls = vec![file];
        self.revocation_required()
    }

    /// Refuses certificates unless a stapled answer says that they are not revoked.
    pub fn revocation_required(mut self) -> Self {
        self.config.revocation = Revocation::Hard;
        self
    }

    /// How long a handshake may take, 20 seconds if never said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Credentials made of it. A client's keep its sessions.
    ///
    /// # Errors
    ///
    /// Those of the package.
    pub fn credentials(&self, credential_use: CredentialUse) -> Result<Arc<dyn CredentialsHandle>, Error> {
        let environment = Environment {
            clock: Arc::new(RealClock),
            materials: Arc::new(Files(self.files.clone())),
            random: Arc::new(crypto::random::SystemRandom),
        };
        Schannel::new(self.config.clone(), environment)
            .acquire_credentials_handle(&CredentialsRequest::configured(credential_use))
    }

    /// What a client asks of each handshake.
    pub fn initialize_request(&self) -> InitializeRequest {
        InitializeRequest {
            target_name: Some(self.server_name.clone()),
            flags: IscReq::EXTENDED_ERROR | IscReq::STREAM,
            ..InitializeRequest::default()
        }
    }

    /// What a server asks of each handshake.
    pub fn accept_request(&self) -> AcceptRequest {
        AcceptRequest { flags: AscReq::EXTENDED_ERROR | AscReq::STREAM, ..AcceptRequest::default() }
    }

    /// How a handshake is run.
    pub fn handshake_options(&self) -> HandshakeOptions {
        HandshakeOptions::new(Framing::Stream).with_deadline(Some(self.deadline))
    }
}

/// The protocol of a version, if Schannel has it.
pub(super) fn protocol(version: Version) -> Option<Protocol> {
    let key: StrDeserializer<'_, value::Error> = version.key().into_deserializer();
    Protocol::deserialize(key).ok()
}

/// The system's clock, as the peers see it.
struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Files that exist only here.
struct Files(BTreeMap<String, Vec<u8>>);

impl Materials for Files {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        self.0.get(reference).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn key_log(&self, _reference: &str, _line: &str) {}
}
