//! A server of the engine, and the half of a client that sends what no client of ours would.

use std::error::Error;
use std::sync::Arc;

use crypto::private_key::PrivateKey;
use crypto::rsa;
use legacy_tls::record::{ContentType, Sealer};
use legacy_tls::{
    BY_PREFERENCE, CertificateRefused, CertificateVerifier, CipherSuite, ClientAuth, ClientConfig,
    ClientConnection, ClientParameters, Clock, ExtendedMasterSecret, Identity, MemorySessions,
    PeerCertificate, Policy, Progress, ProtocolVersion, ServerConfig, ServerConnection, ServerParameters,
};
use opensspi_measure::sampling::Cheap;

/// Why nothing can be measured.
pub(crate) type Failure = Box<dyn Error>;

/// AES-128-CBC with SHA-1 and the RSA key exchange.
const SUITE: CipherSuite = CipherSuite(0x002f);

/// For tests only. It protects nothing.
const KEY: &[u8] = include_bytes!("../../../../../crates/legacy-tls/testdata/rsa2048.key.der");
const CERTIFICATE: &[u8] = include_bytes!("../../../../../crates/legacy-tls/testdata/rsa2048.cert.der");

pub(crate) fn rsa_key() -> Result<rsa::PrivateKey, Failure> {
    match PrivateKey::from_der(KEY).map_err(|error| format!("{error:?}"))? {
        PrivateKey::Rsa(key) => Ok(key),
        _ => Err("the key is none of RSA".into()),
    }
}

struct Never;

impl Clock for Never {
    fn now(&self) -> u64 {
        1_000_000
    }
}

struct Everyone;

impl CertificateVerifier for Everyone {
    fn verify(&self, _: &PeerCertificate<'_>) -> Result<(), CertificateRefused> {
        Ok(())
    }
}

/// Makes servers that have answered a ClientHello.
pub(crate) struct Servers {
    config: Arc<ServerConfig>,
    version: ProtocolVersion,
    hello: Vec<u8>,
}

impl Servers {
    pub(crate) fn new(version: ProtocolVersion) -> Result<Self, Failure> {
        let policy = Policy {
            versions: vec![version],
            highest: version,
            suites: BY_PREFERENCE.iter().copied().filter(|&suite| suite == SUITE).collect(),
            extended_master_secret: ExtendedMasterSecret::Off,
            resume: false,
            ..Policy::default()
        };
        let random = Arc::new(Cheap::default());
        let key = PrivateKey::from_der(KEY).map_err(|error| format!("{error:?}"))?;
        let identity = Identity::new(vec![CERTIFICATE.to_vec()], key, vec!["localhost".to_owned()])?;
        let client = ClientConfig {
            policy: policy.clone(),
            verifier: Arc::new(Everyone),
            identities: Vec::new(),
            ask_for_certificate: false,
            sessions: Arc::new(MemorySessions::new(0, 0)),
            random: Arc::clone(&random) as _,
            clock: Arc::new(Never),
        };
        let config = Arc::new(ServerConfig {
            policy,
            identities: vec![Arc::new(identity)],
            client_auth: ClientAuth::None,
            client_verifier: Arc::new(Everyone),
            authorities: Vec::new(),
            dh_group: crypto::dh::MODP_1024.clone(),
            export_keys: Arc::default(),
            sessions: Arc::new(MemorySessions::new(0, 0)),
            random,
            clock: Arc::new(Never),
        });
        let mut client = ClientConnection::new(Arc::new(client), ClientParameters::default())?;
        match client.advance(&[]).map_err(|failure| failure.error)? {
            Progress::Continue { output, .. } => Ok(Self { config, version, hello: output }),
            _ => Err("the client says no hello".into()),
        }
    }

    /// A server that waits for ClientKeyExchange, and what it has sent.
    pub(crate) fn waiting(&self) -> Result<(ServerConnection, Vec<u8>), Failure> {
        let mut server = ServerConnection::new(Arc::clone(&self.config), ServerParameters::default());
        match server.advance(&self.hello).map_err(|failure| failure.error)? {
            Progress::Continue { output, .. } => Ok((server, output)),
            _ => Err("the server does not answer the hello".into()),
        }
    }

    /// The ClientHello as a message.
    pub(crate) fn hello(&self) -> Vec<u8> {
        messages(&self.hello)
    }

    /// A ClientKeyExchange as a message: in SSL 3.0 without the length of what is encrypted.
    pub(crate) fn client_key_exchange(&self, encrypted: &[u8]) -> Vec<u8> {
        let [.., high, low] = encrypted.len().to_be_bytes();
        let length: &[u8] = if self.version == ProtocolVersion::SSL30 { &[] } else { &[high, low] };
        message(16, &[length, encrypted].concat())
    }

    /// A record in clear.
    pub(crate) fn record(&self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let [major, minor] = self.version.0.to_be_bytes();
        let [.., high, low] = content.len().to_be_bytes();
        [&[content_type, major, minor, high, low], content].concat()
    }
}

/// A message of the handshake.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = body.len().to_be_bytes();
    [&[kind, a, b, c], body].concat()
}

/// What records in clear hold.
pub(crate) fn messages(mut records: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    while let Some(([_, _, _, high, low], rest)) = records.split_first_chunk() {
        let (content, next) =
            rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low]))).unwrap_or((rest, &[]));
        messages.extend_from_slice(content);
        records = next;
    }
    messages
}

/// A message in a record of its own, under keys.
pub(crate) fn sealed(sealer: &mut Sealer, message: &[u8]) -> Result<Vec<u8>, Failure> {
    let layout = sealer.layout();
    let mut memory = vec![0; layout.header];
    memory.extend_from_slice(message);
    memory.resize(memory.len() + layout.trailer, 0);
    let data = layout.header..layout.header + message.len();
    let record =
        sealer.seal(ContentType::HANDSHAKE, &mut memory, data).map_err(|error| format!("{error:?}"))?;
    Ok(memory.get(record).unwrap_or_default().to_vec())
}
