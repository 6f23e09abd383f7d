//! Any peer as a server that sends content, or as the client of one, whatever it takes to make it that.

use std::io::Write as _;
use std::{fs, thread};

use crate::ours::{self, HTTP_BODY_SEED};
use crate::peers::fetched::{Nassl, Node, NodeServer, Scapy, ScapyServer, Tlslite, TlsliteServer};
use crate::peers::openssl::Release;
use crate::peers::program::{self, Program};
use crate::peers::{
    ClientOptions, Negotiated, Peer, PeerError, Process, ServerOptions, Service, curl, gnutls, java, nss,
    openssl, python,
};
use crate::{Content, Pattern};

/// A peer that serves.
pub trait EchoServer {
    /// Where it listens, on 127.0.0.1.
    fn port(&self) -> u16;

    /// The process.
    fn process(&mut self) -> &mut Process;

    /// How it sends so many bytes.
    ///
    /// # Errors
    ///
    /// It could not be given what to send.
    fn service(&self, bytes: u64) -> Result<Service, PeerError> {
        let _ = bytes;
        Ok(Service::Echo)
    }

    /// Waits for the next connection to end, and says what it was; `None` for a peer that does not tell.
    ///
    /// # Errors
    ///
    /// None ended in time.
    fn next_connection(&mut self) -> Result<Option<Negotiated>, PeerError> {
        Ok(None)
    }
}

/// Starts a peer as a server.
///
/// # Errors
///
/// It did not come to listen, or it is no server.
pub fn serve(peer: Peer, options: &ServerOptions) -> Result<Box<dyn EchoServer>, PeerError> {
    Ok(match peer {
        Peer::OpenSsl => openssl_server(Release::System, options)?,
        Peer::OpenSsl111 => openssl_server(Release::V111, options)?,
        Peer::GnuTls => Box::new(gnutls::Server::start(options, gnutls::Mode::Echo)?),
        Peer::Python => Box::new(python::Server::start(options)?),
        Peer::Java => Box::new(java::Server::start(options)?),
        Peer::Nss => Box::new(nss::Server::start(options)?),
        Peer::Tlslite => Box::new(TlsliteServer::start(options)?),
        Peer::Scapy => Box::new(ScapyServer::start(options)?),
        Peer::Node => Box::new(NodeServer::start(options)?),
        Peer::Curl | Peer::Nassl => return Err(PeerError::new(format!("{peer} is no server"))),
    })
}

fn openssl_server(release: Release, options: &ServerOptions) -> Result<Box<dyn EchoServer>, PeerError> {
    let mut server = openssl::Server::start_of(release, options, openssl::Mode::Pipe)?;
    server.echo();
    Ok(Box::new(server))
}

impl EchoServer for openssl::Server {
    fn port(&self) -> u16 {
        self.port()
    }

    fn process(&mut self) -> &mut Process {
        self
    }
}

impl EchoServer for gnutls::Server {
    fn port(&self) -> u16 {
        self.port()
    }

    fn process(&mut self) -> &mut Process {
        self
    }

    fn service(&self, _: u64) -> Result<Service, PeerError> {
        Ok(Service::Lines)
    }
}

impl EchoServer for nss::Server {
    fn port(&self) -> u16 {
        self.port()
    }

    fn process(&mut self) -> &mut Process {
        self
    }

    fn service(&self, bytes: u64) -> Result<Service, PeerError> {
        self.path_of(bytes).map(Service::Http)
    }
}

impl<P: Program> EchoServer for program::Server<P> {
    fn port(&self) -> u16 {
        self.port()
    }

    fn process(&mut self) -> &mut Process {
        self
    }

    fn next_connection(&mut self) -> Result<Option<Negotiated>, PeerError> {
        program::Server::next_connection(self).map(Some)
    }
}

/// What a server must offer so that this peer can be its client.
pub fn service_for(peer: Peer) -> ours::Service {
    if matches!(peer, Peer::Curl | Peer::Nss) { ours::Service::Http } else { ours::Service::Echo }
}

/// Runs a peer as the client of an echo server (curl and NSS: of [`ours::Service::Http`]): it connects as often as the options say,
/// sends the pattern and checks every byte that comes back. `resumed` and `clean_close` are told by Python, Java and
/// GnuTLS only.
///
/// # Errors
///
/// It could not be run or did not end in time. A connection that failed is no error: it has its reason in
/// [`Negotiated::error`], the peer's log as a rule.
pub fn connect(peer: Peer, options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    match peer {
        Peer::OpenSsl => openssl_echo(Release::System, options),
        Peer::OpenSsl111 => openssl_echo(Release::V111, options),
        Peer::GnuTls => gnutls_echo(options),
        Peer::Curl => curl_echo(options),
        Peer::Python => python::echo(options),
        Peer::Java => java::echo(options),
        Peer::Nss if options.posts() && options.count() > 1 => nss::reconnect(options),
        Peer::Nss if options.posts() => Ok(vec![nss::post(options)?]),
        Peer::Nss => nss_echo(options),
        Peer::Tlslite => program::echo::<Tlslite>(options),
        Peer::Scapy => program::echo::<Scapy>(options),
        Peer::Nassl => program::echo::<Nassl>(options),
        Peer::Node => program::echo::<Node>(options),
    }
}

fn openssl_echo(release: Release, options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let folder = tempfile::tempdir()?;
    let session = folder.path().join("session").to_string_lossy().into_owned();
    let mut connections = Vec::new();
    for round in 0..options.count() {
        let mut options = options.clone();
        if round > 0 {
            options = options.argument("-sess_in").argument(&session);
        }
        if round + 1 < options.count() {
            options = options.argument("-sess_out").argument(&session);
        }
        let mut client = openssl::Client::start_of(release, &options, openssl::Mode::Pipe)?;
        client.set_patience(options.patience());
        let exchanged = match options.service() {
            Service::Http(path) => fetch(&mut client, path, options.content().length()),
            Service::Echo | Service::Lines => through_pipes(&mut client, options.content()),
        };
        let ended = client.wait();
        let connection = match exchanged.and_then(|bytes| {
            let status = ended?;
            if !status.success() {
                return Err(client.error(format!("s_client: {status}")));
            }
            Ok(Negotiated { bytes, ..client.report()? })
        }) {
            Ok(connection) => connection,
            Err(error) => failed(&error),
        };
        let stop = connection.error.is_some();
        connections.push(connection);
        if stop {
            break;
        }
    }
    Ok(connections)
}

fn gnutls_echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let resumes = options.count() > 1;
    let options = if resumes {
        options.clone().argument("--resume").argument("--waitresumption")
    } else {
        options.clone()
    };
    let mut client = gnutls::Client::start(&options)?;
    client.set_patience(options.patience());
    let exchanged = through_pipes(&mut client, options.content());
    let finished = client.finish();
    let last = match exchanged.and_then(|bytes| Ok(Negotiated { bytes, ..finished? })) {
        Ok(connection) => connection,
        Err(error) => {
            Negotiated { error: Some(format!("{error}\n{}", client.log_file())), ..Negotiated::default() }
        }
    };
    // The first of two connections is silent.
    let first = resumes.then(|| Negotiated { resumed: false, bytes: 0, ..last.clone() });
    Ok(first.into_iter().chain([last]).collect())
}

fn curl_echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let folder = tempfile::tempdir()?;
    let upload = folder.path().join("upload");
    fs::write(&upload, options.content().chunk(0, usize::MAX))?;
    let limit = options.patience().as_secs().to_string();
    let mut request = options.clone().argument("--max-time").argument(limit);
    request = request.argument("--upload-file").argument(upload.to_string_lossy());
    for _ in 1..options.count() {
        // The server closes after each answer, so that every URL is a connection of its own.
        request = request.argument(format!("https://{}:{}/", options.expected_name(), options.port()));
    }
    let fetched = curl::get(&request, "/upload")?;
    let mut negotiated = fetched.negotiated;
    if fetched.exit_code == Some(0) {
        let body = Pattern::new(HTTP_BODY_SEED).content(options.content().length());
        let arrived = fetched.body.len() as u64;
        negotiated.bytes = arrived;
        if options.count() == 1 {
            match body.check(0, &fetched.body) {
                Err(mismatch) => negotiated.error = Some(mismatch.to_string()),
                Ok(()) if arrived != body.length() => {
                    negotiated.error = Some(format!("{arrived} of {} bytes", body.length()));
                }
                Ok(()) => {}
            }
        }
    } else {
        negotiated.error = Some(format!("curl ended with {:?}\n{}", fetched.exit_code, fetched.log));
    }
    Ok(vec![negotiated; options.count()])
}

/// Asks a server for a file of the pattern with [`HTTP_BODY_SEED`] through the pipes of a peer, and checks it.
///
/// # Errors
///
/// It did not come, or is another.
pub fn fetch(process: &mut Process, path: &str, length: u64) -> Result<u64, PeerError> {
    process.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(process.read_exact(1)?);
    }
    let body = process.read_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    match Pattern::new(HTTP_BODY_SEED).content(length).check(0, &body) {
        Ok(()) => Ok(length),
        Err(mismatch) => Err(process.error(mismatch.to_string())),
    }
}

/// tstclnt does not end when its input does: it is killed when all is back.
fn nss_echo(options: &ClientOptions) -> Result<Vec<Negotiated>, PeerError> {
    let mut client = nss::pipe(options)?;
    client.set_patience(options.patience());
    let connection = match through_pipes(&mut client, options.content()) {
        Ok(bytes) => Negotiated { bytes, ..Negotiated::default() },
        Err(error) => failed(&error),
    };
    Ok(vec![connection])
}

fn failed(error: &PeerError) -> Negotiated {
    Negotiated { error: Some(error.to_string()), ..Negotiated::default() }
}

/// Sends content into the pipe of a peer, checks what comes out of the other, and closes when all is there.
fn through_pipes(process: &mut Process, content: Content) -> Result<u64, PeerError> {
    let Some(mut input) = process.take_input() else {
        return Err(process.error("standard input is closed"));
    };
    let writer = thread::spawn(move || {
        let mut sent = 0;
        while sent < content.length() {
            let chunk = content.chunk(sent, 65_536);
            // A peer that takes no more has ended, and its output says why.
            if input.write_all(&chunk).is_err() {
                break;
            }
            sent += chunk.len() as u64;
        }
        drop(input.flush());
        // Given back, since closing it closes the connection.
        input
    });
    let mut arrived = 0;
    let mut verdict = Ok(());
    while arrived < content.length() {
        let bytes = match process.read_some(1 << 20) {
            Ok(bytes) if bytes.is_empty() => {
                Err(process.error(format!("the output ended after {arrived} of {} bytes", content.length())))
            }
            Ok(bytes) => match content.check(arrived, &bytes) {
                Ok(()) => Ok(bytes),
                Err(mismatch) => Err(process.error(mismatch.to_string())),
            },
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => arrived += bytes.len() as u64,
            Err(error) => {
                verdict = Err(error);
                process.kill();
                break;
            }
        }
    }
    drop(writer.join());
    verdict.map(|()| arrived)
}
