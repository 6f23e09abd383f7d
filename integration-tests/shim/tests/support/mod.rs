//! The runner's part: it listens, starts the shim, and is the peer, over the package itself or byte by byte.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "each test file uses its own part of this module"
)]

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use schannel::{CertificateConfig, Environment, Materials, Protocol, Schannel, SchannelConfig};
use sspi_core::{
    AcceptRequest, AlertLevel, AscReq, ControlToken, CredentialUse, CredentialsHandle, CredentialsRequest,
    Decrypted, Error, Failure, InitializeRequest, IscReq, Renegotiation, SecurityContext,
    SecurityPackage as _, Step, StreamSizes,
};
use tempfile::TempDir;
use test_support::pair::{self, End};
use test_support::{FixedClock, Pki, TestCertificate};

pub const BOTH: [Protocol; 2] = [Protocol::Tls13, Protocol::Tls12];

/// The patience of the runner, longer than the shim's.
const PATIENCE: Duration = Duration::from_secs(20);
const SHIM_ID: u64 = 0x0102_0304_0506_0708;

/// Those that the runner knows.
pub const PROTOCOLS: [Protocol; 5] =
    [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10, Protocol::Ssl30];
/// Those whose hellos have extensions.
pub const WITH_EXTENSIONS: [Protocol; 4] =
    [Protocol::Tls13, Protocol::Tls12, Protocol::Tls11, Protocol::Tls10];
/// The protocols that are older than TLS 1.3.
pub const BEFORE_TLS13: [Protocol; 4] = [Protocol::Tls12, Protocol::Tls11, Protocol::Tls10, Protocol::Ssl30];

/// The flags that leave one protocol, in one word; [`Shim::start`] writes them out.
pub fn only(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tls13 => "only 772",
        Protocol::Tls12 => "only 771",
        Protocol::Tls11 => "only 770",
        Protocol::Tls10 => "only 769",
        Protocol::Ssl30 => "only 768",
        Protocol::Pct1 | Protocol::Ssl20 => panic!("the shim has no flag for {protocol:?}"),
    }
}

pub fn xor(data: &[u8]) -> Vec<u8> {
    data.iter().map(|byte| byte ^ 0xff).collect()
}

struct Files;

impl Materials for Files {
    fn read(&self, reference: &str) -> io::Result<Vec<u8>> {
        std::fs::read(reference)
    }

    fn system_roots(&self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }

    fn key_log(&self, _reference: &str, _line: &str) {}
}

/// Listens, and starts shims.
pub struct Runner {
    pub pki: Pki,
    /// The server's certificate, whichever end that is.
    pub certificate: TestCertificate,
    /// The same with an RSA key, for what knows no other.
    pub rsa: TestCertificate,
    folder: TempDir,
    port: u16,
    accepted: Receiver<TcpStream>,
}

impl Runner {
    pub fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, accepted) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if sender.send(stream.unwrap()).is_err() {
                    return;
                }
            }
        });
        let pki = Pki::new();
        let certificate = pki.server("localhost").issue();
        let rsa = pki.server("localhost").rsa_2048().issue();
        let runner = Self { pki, certificate, rsa, folder: TempDir::new().unwrap(), port, accepted };
        runner.file("root.pem", runner.pki.root_pem());
        runner
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.path().join(name);
        // Once: a shim may be reading it.
        if !path.exists() {
            std::fs::write(&path, content).unwrap();
        }
        path.to_str().unwrap().to_owned()
    }

    /// A certificate in files: chain and key.
    pub fn files(&self, certificate: &TestCertificate) -> (String, String) {
        let name: String = certificate.sha256()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        (
            self.file(&format!("{name}.pem"), certificate.chain_pem()),
            self.file(&format!("{name}.key"), certificate.key_pem()),
        )
    }

    /// Starts a shim with these flags.
    pub fn start(&self, flags: &[&str]) -> Shim {
        let (port, id) = (self.port.to_string(), SHIM_ID.to_string());
        Shim::start(&[&["-port", &port, "-shim-id", &id], flags].concat())
    }

    /// Starts a shim in the server's role, with the certificate.
    pub fn start_server(&self, flags: &[&str]) -> Shim {
        let needs_rsa = flags.contains(&only(Protocol::Ssl30));
        let (chain, key) = self.files(if needs_rsa { &self.rsa } else { &self.certificate });
        self.start(&[&["-server", "-cert-file", &chain, "-key-file", &key], flags].concat())
    }

    /// The next connection of a shim, which has said who it is.
    pub fn accept(&self) -> TcpStream {
        let mut stream = self.accepted.recv_timeout(PATIENCE).expect("the shim connects");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut id = [0; 8];
        stream.read_exact(&mut id).unwrap();
        assert_eq!(u64::from_le_bytes(id), SHIM_ID);
        stream
    }

    /// The peer's configuration as client.
    pub fn client(&self, protocols: &[Protocol]) -> SchannelConfig {
        SchannelConfig {
            protocols: protocols.to_vec(),
            // A message of the peer's is one record.
            record_splitting: false,
            roots: vec![self.folder.path().join("root.pem").to_str().unwrap().to_owned()],
            ..SchannelConfig::default()
        }
    }

    /// The peer's configuration as server.
    pub fn server(&self, protocols: &[Protocol]) -> SchannelConfig {
        SchannelConfig {
            protocols: protocols.to_vec(),
            certificates: vec![self.config_of(&self.certificate), self.config_of(&self.rsa)],
            client_roots: self.client(protocols).roots,
            record_splitting: false,
            ..SchannelConfig::default()
        }
    }

    pub fn config_of(&self, certificate: &TestCertificate) -> CertificateConfig {
        let (chain, key) = self.files(certificate);
        CertificateConfig { chain, key, send_root: false }
    }

    pub fn outbound(&self, config: SchannelConfig) -> Credentials {
        Credentials::acquire(config, CredentialUse::Outbound)
    }

    pub fn inbound(&self, config: SchannelConfig) -> Credentials {
        Credentials::acquire(config, CredentialUse::Inbound)
    }

    /// The credentials of the peer of a shim in this role.
    pub fn peer_of(&self, shim_is_server: bool, protocol: Protocol) -> Credentials {
        if shim_is_server {
            self.outbound(self.client(&[protocol]))
        } else {
            self.inbound(self.server(&[protocol]))
        }
    }

    /// Starts a shim in this role.
    pub fn start_as(&self, shim_is_server: bool, flags: &[&str]) -> Shim {
        if shim_is_server { self.start_server(flags) } else { self.start(flags) }
    }

    /// Accepts a shim's connection and completes a handshake with it.
    pub fn handshake(&self, credentials: &Credentials) -> Peer {
        Peer::handshake(self.accept(), credentials.begin()).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The peer's credentials.
pub struct Credentials {
    handle: Arc<dyn CredentialsHandle>,
}

impl Credentials {
    fn acquire(config: SchannelConfig, credential_use: CredentialUse) -> Self {
        let environment = Environment {
            clock: Arc::new(FixedClock::default()),
            materials: Arc::new(Files),
            random: Arc::new(crypto::random::SystemRandom),
        };
        let request = CredentialsRequest::configured(credential_use);
        Self { handle: Schannel::new(config, environment).acquire_credentials_handle(&request).unwrap() }
    }

    pub fn begin(&self) -> End {
        match self.handle.credential_use() {
            CredentialUse::Inbound => {
                let flags = AscReq::EXTENDED_ERROR | AscReq::STREAM;
                self.handle.accept(&AcceptRequest { flags, ..AcceptRequest::default() }).unwrap().into()
            }
            _ => {
                let request = InitializeRequest {
                    target_name: Some("localhost".to_owned()),
                    flags: IscReq::EXTENDED_ERROR | IscReq::STREAM,
                    ..InitializeRequest::default()
                };
                self.handle.initialize(&request).unwrap().into()
            }
        }
    }
}

/// A shim that runs.
pub struct Shim(Child);

/// A shim that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Shim {
    pub fn start(flags: &[&str]) -> Self {
        let written_out = flags.iter().flat_map(|flag| match flag.strip_prefix("only ") {
            Some(version) => vec!["-min-version", version, "-max-version", version],
            None => vec![*flag],
        });
        let child = Command::new(env!("CARGO_BIN_EXE_opensspi-shim"))
            .args(written_out)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(child.unwrap())
    }

    pub fn end(self) -> Ended {
        let output = self.0.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// It has done all that it was asked to, and says nothing.
    #[track_caller]
    pub fn succeeds(self) {
        let ended = self.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }

    /// It has failed, and says this.
    #[track_caller]
    pub fn fails(self, says: &str) {
        let ended = self.end();
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
}

/// How the shim ended its side.
#[derive(Debug, PartialEq, Eq)]
pub enum SideEnd {
    CloseNotify,
    EndOfStream,
}

/// An established connection with the shim.
pub struct Peer {
    pub stream: TcpStream,
    pub context: Box<dyn SecurityContext>,
    sizes: StreamSizes,
    input: Vec<u8>,
}

impl Peer {
    pub fn handshake(stream: TcpStream, end: End) -> Result<Self, Error> {
        let needs_more = matches!(end, End::Server(_));
        Self::go_on(stream, end, Vec::new(), needs_more)
    }

    /// Asks the shim to negotiate again, which it does.
    pub fn renegotiate(mut self) -> Self {
        let request = self.context.apply_control_token(&ControlToken::Renegotiate).unwrap();
        self.send_raw(&request);
        while pair::open(&mut *self.context, &mut self.input).unwrap().1 != Decrypted::Renegotiate {
            assert!(receive(&mut self.stream, &mut self.input), "the shim does not negotiate again");
        }
        let Ok(Renegotiation::Accept(server)) = self.context.renegotiate(&self.input) else {
            panic!("a server negotiates again");
        };
        Self::go_on(self.stream, End::Server(server), self.input, false).unwrap()
    }

    fn go_on(
        mut stream: TcpStream,
        mut end: End,
        mut input: Vec<u8>,
        mut needs_more: bool,
    ) -> Result<Self, Error> {
        loop {
            if needs_more && !receive(&mut stream, &mut input) {
                return Err(Error::invalid_handle("the shim closed the connection in the handshake"));
            }
            match end.advance(&input) {
                Ok(Step::Continue { token, used }) => {
                    stream.write_all(&token).unwrap();
                    input.drain(..used);
                    needs_more = input.is_empty();
                }
                Ok(Step::Incomplete { .. }) => needs_more = true,
                Ok(Step::Complete { context, token, used }) => {
                    stream.write_all(&token).unwrap();
                    input.drain(..used);
                    let sizes = context.attributes().stream_sizes().unwrap();
                    return Ok(Self { stream, context, sizes, input });
                }
                Ok(other) => panic!("{other:?}"),
                Err(Failure { error, token }) => {
                    let _gone = stream.write_all(&token);
                    return Err(error);
                }
            }
        }
    }

    /// One record.
    pub fn seal(&mut self, data: &[u8]) -> Vec<u8> {
        pair::seal(&mut *self.context, &self.sizes, data).unwrap()
    }

    pub fn send(&mut self, data: &[u8]) {
        let record = self.seal(data);
        self.send_raw(&record);
    }

    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn send_alert(&mut self, level: AlertLevel, number: u8) {
        let record = self.context.apply_control_token(&ControlToken::Alert { level, number }).unwrap();
        self.send_raw(&record);
    }

    pub fn send_close_notify(&mut self) {
        let record = self.context.apply_control_token(&ControlToken::Shutdown).unwrap();
        self.send_raw(&record);
    }

    /// What the shim sends, until so much is there.
    pub fn read(&mut self, length: usize) -> Vec<u8> {
        let mut data = Vec::new();
        while data.len() < length {
            let (more, decrypted) = pair::open(&mut *self.context, &mut self.input).unwrap();
            data.extend(more);
            assert_ne!(decrypted, Decrypted::Expired, "{} of {length} bytes", data.len());
            if data.len() < length {
                assert!(receive(&mut self.stream, &mut self.input), "{} of {length} bytes", data.len());
            }
        }
        assert_eq!(data.len(), length);
        data
    }

    /// What the shim still sends, and how it ends.
    pub fn read_to_end(&mut self) -> Result<(Vec<u8>, SideEnd), Error> {
        let mut data = Vec::new();
        loop {
            let (more, decrypted) = pair::open(&mut *self.context, &mut self.input)?;
            data.extend(more);
            if decrypted == Decrypted::Expired {
                return Ok((data, SideEnd::CloseNotify));
            }
            if !receive(&mut self.stream, &mut self.input) {
                return Ok((data, SideEnd::EndOfStream));
            }
        }
    }

    /// The shim ends with one of these alerts.
    #[track_caller]
    pub fn expect_alert(&mut self, one_of: &[u8]) {
        let error = self.read_to_end().expect_err("an alert");
        assert!(names_alert(&error, one_of), "{error}");
    }

    /// The shim sends back what it gets, XOR 0xFF.
    #[track_caller]
    pub fn echoes(&mut self, data: &[u8]) {
        self.send(data);
        assert_eq!(self.read(data.len()), xor(data));
    }

    /// Both sides end in order.
    #[track_caller]
    pub fn finish(mut self) {
        self.send_close_notify();
        assert_eq!(self.read_to_end().unwrap(), (Vec::new(), SideEnd::CloseNotify));
    }

    /// Ends its side, and takes whatever the shim makes of that.
    pub fn leave(mut self) {
        let record = self.context.apply_control_token(&ControlToken::Shutdown).unwrap();
        let _gone = self.stream.write_all(&record);
        let _whatever = self.read_to_end();
    }

    pub fn is_resumed(&self) -> bool {
        self.context.attributes().session_info().unwrap().reconnect
    }
}

/// Whether the error is one of these alerts of the shim.
pub fn names_alert(error: &Error, one_of: &[u8]) -> bool {
    one_of.iter().any(|number| error.message().contains(&format!("({number})")))
}

/// Reads on; `false` at the end.
pub fn receive(stream: &mut TcpStream, input: &mut Vec<u8>) -> bool {
    let mut chunk = [0; 16 << 10];
    let count = stream.read(&mut chunk).unwrap();
    input.extend_from_slice(&chunk[..count]);
    count > 0
}

/// Everything until the end.
pub fn receive_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    while receive(stream, &mut all) {}
    all
}
