//! PCT 1.0 against `reference/pct1.py`: the same draft, read a second time. No other implementation can be had.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failure here is a failed test"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crypto::private_key::PrivateKey;
use crypto::random::SystemRandom;
use legacy_tls::record::{ContentType, Need};
use legacy_tls::{
    CertificateRefused, CertificateVerifier, CipherSuite, ClientAuth, ClientConfig, ClientConnection,
    ClientParameters, Clock, Directions, Established, Failure, Identity, MemorySessions, PeerCertificate,
    Policy, Progress, ProtocolVersion, ServerConfig, ServerConnection, ServerParameters, pct1,
};

/// One kind of connection.
#[derive(Clone, Copy)]
struct Case {
    cipher: u16,
    bits: u8,
    hash: u16,
    certificate_type: u16,
    /// A client shows a certificate, and signs like this.
    signature: Option<u16>,
    redo: bool,
}

impl Case {
    const fn new(cipher: u16, bits: u8, hash: u16) -> Self {
        Self { cipher, bits, hash, certificate_type: 1, signature: None, redo: false }
    }

    fn suite(self) -> CipherSuite {
        let cipher = ["NULL", "DES", "IDEA", "RC2", "RC4", "DES_112", "DES_168"][usize::from(self.cipher)];
        let hash = ["", "MD5", "MD5_TRUNC_64", "SHA", "SHA_TRUNC_80"][usize::from(self.hash)];
        let bits = match (self.cipher, self.bits) {
            (5, 112) | (6, 168) => String::new(),
            (_, bits) => format!("_{bits}"),
        };
        let name = if self.bits == 0 { "NULL".to_owned() } else { format!("{cipher}{bits}") };
        CipherSuite::by_name(&format!("PCT1_{name}_WITH_{hash}")).unwrap()
    }

    fn options(self, role: &str) -> Vec<String> {
        let Self { cipher, bits, hash, certificate_type, signature, redo } = self;
        let mut options = vec![
            role.to_owned(),
            format!("cipher={cipher:04x}"),
            format!("bits={bits}"),
            format!("hash={hash:04x}"),
            format!("certificate_type={certificate_type}"),
        ];
        let file = |name: &str| testdata(name).display().to_string();
        if role == "server" {
            options.push(format!("cert={}", file("rsa1024.cert.der")));
            options.push(format!("key={}", file("rsa1024.key.der")));
        }
        if let Some(signature) = signature {
            options.push(format!("signature={signature}"));
            match role {
                "server" => options.push("clients=yes".to_owned()),
                _ => {
                    options.push(format!("client_cert={}", file("rsa1024.cert.der")));
                    options.push(format!("client_key={}", file("rsa1024.key.der")));
                }
            }
        }
        if redo {
            options.push("redo=yes".to_owned());
        }
        options
    }
}

/// Every cipher and hash, full and shortened; then the rest of the protocol with one of each kind.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let lengths = [
        (4, 128),
        (4, 40),
        (4, 64),
        (4, 56),
        (4, 0),
        (1, 56),
        (1, 40),
        (2, 128),
        (2, 40),
        (3, 128),
        (3, 64),
        (3, 40),
        (5, 112),
        (5, 64),
        (6, 168),
        (6, 40),
    ];
    for (cipher, bits) in lengths {
        cases.extend((1..=4).map(|hash| Case::new(cipher, bits, hash)));
    }
    for case in [Case::new(4, 128, 1), Case::new(6, 168, 3), Case::new(1, 40, 2)] {
        cases.extend([1, 2].map(|signature| Case { signature: Some(signature), ..case }));
        cases.push(Case { redo: true, ..case });
        cases.push(Case { certificate_type: 3, ..case });
    }
    cases
}

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/legacy-tls/testdata").join(name)
}

fn reference(arguments: &[String]) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/pct1.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn finish(child: Child, what: &str) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

struct AnyCertificate;

impl CertificateVerifier for AnyCertificate {
    fn verify(&self, _peer: &PeerCertificate<'_>) -> Result<(), CertificateRefused> {
        Ok(())
    }
}

struct Noon;

impl Clock for Noon {
    fn now(&self) -> u64 {
        1_000_000
    }
}

fn identity() -> Arc<Identity> {
    let read = |name| std::fs::read(testdata(name)).unwrap();
    let key = PrivateKey::from_der(&read("rsa1024.key.der")).unwrap();
    Arc::new(Identity::new(vec![read("rsa1024.cert.der")], key, Vec::new()).unwrap())
}

fn policy(case: Case) -> Policy {
    Policy { versions: vec![ProtocolVersion::PCT1], suites: vec![case.suite()], ..Policy::default() }
}

fn client_config(case: Case) -> Arc<ClientConfig> {
    Arc::new(ClientConfig {
        policy: policy(case),
        verifier: Arc::new(AnyCertificate),
        identities: vec![identity()],
        ask_for_certificate: false,
        sessions: Arc::new(MemorySessions::new(10, 100)),
        random: Arc::new(SystemRandom),
        clock: Arc::new(Noon),
    })
}

fn server_config(case: Case) -> Arc<ServerConfig> {
    let client_auth = if case.signature.is_some() { ClientAuth::Required } else { ClientAuth::None };
    Arc::new(ServerConfig {
        policy: policy(case),
        identities: vec![identity()],
        client_auth,
        client_verifier: Arc::new(AnyCertificate),
        authorities: Vec::new(),
        dh_group: crypto::dh::MODP_1024.clone(),
        export_keys: Arc::default(),
        sessions: Arc::new(MemorySessions::new(10, 100)),
        random: Arc::new(SystemRandom),
        clock: Arc::new(Noon),
    })
}

/// A socket, and what has come of it.
struct Link {
    stream: TcpStream,
    inbox: Vec<u8>,
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream, inbox: Vec::new() }
    }

    /// More bytes; none when the peer has closed.
    fn read(&mut self) -> usize {
        let mut more = [0; 4096];
        let len = self.stream.read(&mut more).unwrap_or(0);
        self.inbox.extend_from_slice(&more[..len]);
        len
    }

    /// Runs a handshake to its end.
    fn handshake(
        &mut self,
        mut advance: impl FnMut(&[u8]) -> Result<Progress, Failure>,
        what: &str,
    ) -> Established {
        loop {
            let progress = advance(&self.inbox).unwrap_or_else(|failure| {
                let _told = self.stream.write_all(&failure.output);
                panic!("{what}: {}", failure.error)
            });
            match progress {
                Progress::Continue { output, used } => {
                    self.inbox.drain(..used);
                    self.stream.write_all(&output).unwrap();
                    if used > 0 {
                        continue;
                    }
                }
                Progress::Complete { established, output, used } => {
                    self.inbox.drain(..used);
                    self.stream.write_all(&output).unwrap();
                    return *established;
                }
                Progress::Incomplete { .. } => {}
                Progress::Ask(_) | Progress::Data { .. } | Progress::Declined { .. } => {
                    panic!("{what}: asked, data, or declined")
                }
            }
            assert!(self.read() > 0, "{what}: the peer has closed in the handshake");
        }
    }

    /// The next record's content; `None` at the end.
    fn receive(&mut self, established: &mut Established) -> Option<(ContentType, Vec<u8>)> {
        loop {
            match established.opener.record_len(&self.inbox).unwrap() {
                Need::Whole(len) => {
                    let mut record: Vec<u8> = self.inbox.drain(..len).collect();
                    let opened = established.opener.open(&mut record).unwrap();
                    return Some((opened.content_type, record[opened.content].to_vec()));
                }
                Need::More(_) if self.read() == 0 => return None,
                Need::More(_) => {}
            }
        }
    }

    fn send(&mut self, established: &mut Established, data: &[u8]) {
        let layout = established.sealer.layout();
        let mut memory = vec![0; layout.header];
        memory.extend_from_slice(data);
        memory.resize(memory.len() + layout.trailer, 0);
        let at = layout.header..layout.header + data.len();
        let record = established.sealer.seal(ContentType::APPLICATION_DATA, &mut memory, at).unwrap();
        self.stream.write_all(&memory[record]).unwrap();
    }
}

/// The next connection of a client that still runs.
fn accept(listener: &TcpListener, child: &mut Child, what: &str) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            return stream;
        }
        if child.try_wait().unwrap().is_some() {
            let mut said = String::new();
            child.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
            panic!("{what}: {said}");
        }
        std::thread::yield_now();
    }
}

fn take_apart(established: Established) -> (pct1::Previous, Directions) {
    let Established { sealer, opener, negotiated } = established;
    (negotiated.previous().unwrap(), Directions { sealer, opener, messages: Vec::new() })
}

/// Echoes until the client goes, what is out of band in upper case, and negotiates again when it is asked to.
fn echo(link: &mut Link, mut established: Established, config: &Arc<ServerConfig>) {
    let mut urgent = 0;
    while let Some((kind, data)) = link.receive(&mut established) {
        match kind {
            ContentType::REDO => {
                let parameters = ServerParameters { alpn: None, client_auth: config.client_auth };
                let (previous, directions) = take_apart(established);
                let mut redo =
                    ServerConnection::redo(Arc::clone(config), &parameters, previous, directions, true)
                        .unwrap();
                established = link.handshake(|input| redo.advance(input), "redo");
                assert!(established.negotiated.resumed);
            }
            ContentType::OUT_OF_BAND => {
                urgent += 1;
                link.send(&mut established, &data.to_ascii_uppercase());
            }
            // Nothing, or the escape in front of what is urgent.
            _ if data.is_empty() => {}
            _ => link.send(&mut established, &data),
        }
    }
    assert_eq!(urgent, 1);
}

#[test]
fn the_known_answers_come_out_of_the_second_reading_too() {
    let file = testdata("pct1.txt").display().to_string();
    finish(reference(&["vectors".to_owned(), file]), "vectors");
}

#[test]
fn our_server_speaks_with_the_reference_as_client() {
    for case in cases() {
        let what = format!("cipher {} of {} bits, hash {}", case.cipher, case.bits, case.hash);
        let config = server_config(case);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut options = case.options("client");
        options.extend([format!("port={port}"), "oob=yes".to_owned()]);
        let mut child = reference(&options);
        for resumed in [false, true] {
            let mut link = Link::new(accept(&listener, &mut child, &what));
            let parameters = ServerParameters { alpn: None, client_auth: config.client_auth };
            let mut server = ServerConnection::new(Arc::clone(&config), parameters);
            let established = link.handshake(|input| server.advance(input), &what);
            assert_eq!(established.negotiated.resumed, resumed, "{what}");
            assert_eq!(established.negotiated.suite.suite, case.suite(), "{what}");
            assert_eq!(established.negotiated.peer_chain.is_empty(), case.signature.is_none(), "{what}");
            echo(&mut link, established, &config);
        }
        finish(child, &what);
    }
}

/// As `PIECES` in the reference, which waits for so many bytes.
fn pieces() -> [Vec<u8>; 5] {
    let long = (0..=255).cycle().take(260).collect();
    [b"x".to_vec(), Vec::new(), b"hello, world".to_vec(), long, b"12345678".to_vec()]
}

fn talk(link: &mut Link, established: &mut Established) {
    let mut urgent = Vec::new();
    established.sealer.seal_out_of_band(b"urgent", &mut urgent).unwrap();
    link.stream.write_all(&urgent).unwrap();
    assert_eq!(link.receive(established).unwrap().1, b"URGENT");
    for piece in pieces() {
        link.send(established, &piece);
        let (kind, back) = link.receive(established).unwrap();
        assert_eq!((kind, back), (ContentType::APPLICATION_DATA, piece));
    }
}

#[test]
fn our_client_speaks_with_the_reference_as_server() {
    for case in cases() {
        let what = format!("cipher {} of {} bits, hash {}", case.cipher, case.bits, case.hash);
        let config = client_config(case);
        let mut child = reference(&case.options("server"));
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().unwrap();
        let parameters =
            ClientParameters { session_key: Some(b"reference".to_vec()), ..ClientParameters::default() };
        for resumed in [false, true] {
            let mut link = Link::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
            let mut client = ClientConnection::new(Arc::clone(&config), parameters.clone()).unwrap();
            let mut established = link.handshake(|input| client.advance(input), &what);
            assert_eq!(established.negotiated.resumed, resumed, "{what}");
            talk(&mut link, &mut established);
            if case.redo {
                assert_eq!(link.receive(&mut established).unwrap().0, ContentType::REDO, "{what}");
                let (previous, directions) = take_apart(established);
                let mut redo = ClientConnection::redo(
                    Arc::clone(&config),
                    parameters.clone(),
                    previous,
                    directions,
                    true,
                )
                .unwrap();
                established = link.handshake(|input| redo.advance(input), &what);
                talk(&mut link, &mut established);
            }
        }
        finish(child, &what);
    }
}
