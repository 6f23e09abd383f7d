//! The same with threads.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread;

use sspi_core::{AlertLevel, ControlToken, Fault, SecStatus};
use sspi_tokio::blocking::{HandshakeOptions, SecureStream, handshake};
use sspi_tokio::{Framing, HandshakeError};

use crate::pair::{BOTH, Flavour, Seeded, inside, toy_client, toy_server};
use crate::stream_toy::{self, Habits};

type Ends = (SecureStream<UnixStream>, SecureStream<UnixStream>);

fn connect(flavour: Flavour) -> Ends {
    let (client, server) = UnixStream::pair().unwrap();
    let options = flavour.blocking_options();
    let server_options = options.clone();
    let server = thread::spawn(move || handshake(server, flavour.server(), &server_options).unwrap());
    let client = handshake(client, flavour.client(), &options).unwrap();
    (client, server.join().unwrap())
}

#[test]
fn a_megabyte_comes_back() {
    for flavour in BOTH {
        let (mut client, mut server) = connect(flavour);
        let data = Seeded(21).bytes(1 << 20);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut buffer = vec![0; 10_000];
                loop {
                    match server.read(&mut buffer).unwrap() {
                        0 => break,
                        n => {
                            server.write_all(&buffer[..n]).unwrap();
                            server.flush().unwrap();
                        }
                    }
                }
                server.shutdown().unwrap();
            });
            let mut back = vec![0; data.len()];
            for (sent, got) in data.chunks(70_000).zip(back.chunks_mut(70_000)) {
                client.write_all(sent).unwrap();
                client.flush().unwrap();
                client.read_exact(got).unwrap();
            }
            assert!(back == data, "{flavour:?}");
            client.shutdown().unwrap();
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
        });
    }
}

#[test]
fn several_slices_are_one_write() {
    for flavour in BOTH {
        let (mut client, mut server) = connect(flavour);
        let slices = [IoSlice::new(b"one "), IoSlice::new(b"two")];
        assert_eq!(client.write_vectored(&slices).unwrap(), 7);
        assert_eq!(client.write(&[]).unwrap(), 0);
        let mut got = [0; 7];
        server.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"one two");
        assert_eq!(server.read(&mut []).unwrap(), 0);
    }
}

#[test]
fn account_and_attributes_are_known() {
    let (client, server) = connect(Flavour::Nns);
    assert_eq!(server.security_context_token().unwrap().name, "alice");
    assert!(client.security_context_token().is_err());
    assert_eq!(server.attributes().names().unwrap(), "alice");
    assert!(client.error().is_none());
}

#[test]
fn a_failed_logon_delivers_the_packages_token_to_the_peer() {
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Nns.blocking_options();
    thread::scope(|scope| {
        let server = scope.spawn(|| handshake(server, toy_server(), &options).map(|_| ()));
        let client = handshake(client, toy_client("mallory", "guess"), &options).unwrap_err();
        assert_eq!(client.status(), Some(SecStatus::SEC_E_LOGON_DENIED));
        assert_eq!(client.security().unwrap().fault(), Fault::PeerReported);
        assert!(server.join().unwrap().is_err());
    });
}

#[test]
fn a_question_that_nobody_answers_ends_the_handshake_and_the_peer_hears_of_it() {
    let habits = Habits { wants_certificate: true, ..Habits::default() };
    let (client, server) = UnixStream::pair().unwrap();
    let options = HandshakeOptions::new(Framing::Stream);
    thread::scope(|scope| {
        let server = scope.spawn(|| handshake(server, stream_toy::server(habits), &options).map(|_| ()));
        let client = handshake(client, stream_toy::client(habits), &options).unwrap_err();
        assert_eq!(client.status(), Some(SecStatus::SEC_I_INCOMPLETE_CREDENTIALS));
        let server = server.join().unwrap().unwrap_err();
        assert!(server.to_string().contains("alert 80"), "{server}");
    });
}

#[test]
fn the_end_of_the_transport_is_truncation() {
    let (peer, server) = UnixStream::pair().unwrap();
    drop(peer);
    let options = Flavour::Stream.blocking_options();
    let error = handshake(server, Flavour::Stream.server(), &options).unwrap_err();
    assert!(matches!(error, HandshakeError::Truncated));

    let (client, mut server) = connect(Flavour::Stream);
    client.get_ref().shutdown(Shutdown::Write).unwrap();
    let error = server.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);

    let (client, mut server) = connect(Flavour::Nns);
    drop(client);
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn an_altered_message_ends_the_stream_and_the_peer_gets_the_alert() {
    let (mut client, mut server) = connect(Flavour::Stream);
    client.get_mut().write_all(&[2; 64]).unwrap();
    // The first record claims 514 bytes: the rest of it.
    client.get_mut().write_all(&[2; 600]).unwrap();
    for _ in 0..2 {
        let error = server.read(&mut [0; 8]).unwrap_err();
        assert_eq!(inside(&error).status(), SecStatus::SEC_E_MESSAGE_ALTERED);
    }
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert!(error.to_string().contains("alert 20"), "{error}");
}

#[test]
fn a_control_token_is_sent() {
    for flavour in BOTH {
        let (mut client, mut server) = connect(flavour);
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 42 };
        client.apply_control_token(&alert).unwrap();
        let error = server.read(&mut [0; 8]).unwrap_err();
        assert!(error.to_string().contains("42"), "{flavour:?}: {error}");
    }
}

/// A socket whose time is up every other call, and which takes a few bytes in the others.
struct Impatient {
    socket: UnixStream,
    calls: u32,
}

impl Impatient {
    fn time_is_up(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.calls.is_multiple_of(2) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
    }
}

impl Read for Impatient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.time_is_up()?;
        let limit = buffer.len().min(5);
        self.socket.read(&mut buffer[..limit])
    }
}

impl Write for Impatient {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.time_is_up()?;
        self.socket.write(&data[..data.len().min(5)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Calls again while the time is up.
fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> T {
    loop {
        match call() {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            done => return done.unwrap(),
        }
    }
}

/// A wrapper that is patient during the handshake only.
struct PatientAtFirst {
    inner: Impatient,
    patient: bool,
}

impl Read for PatientAtFirst {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.patient { Ok(patiently(|| self.inner.read(buffer))) } else { self.inner.read(buffer) }
    }
}

impl Write for PatientAtFirst {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.patient { Ok(patiently(|| self.inner.write(data))) } else { self.inner.write(data) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_timeout_loses_nothing_and_repeats_nothing() {
    for flavour in BOTH {
        let (client, server) = UnixStream::pair().unwrap();
        let data = Seeded(22).bytes(10_000);
        let options = flavour.blocking_options();
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let impatient = Impatient { socket: server, calls: 0 };
                let socket = PatientAtFirst { inner: impatient, patient: true };
                let mut server = handshake(socket, flavour.server(), &options).unwrap();
                server.get_mut().patient = false;
                let mut got = Vec::new();
                let mut buffer = [0; 100];
                loop {
                    match patiently(|| server.read(&mut buffer)) {
                        0 => break,
                        n => got.extend_from_slice(&buffer[..n]),
                    }
                }
                got
            });
            let impatient = Impatient { socket: client, calls: 0 };
            let socket = PatientAtFirst { inner: impatient, patient: true };
            let mut client = handshake(socket, flavour.client(), &options).unwrap();
            client.get_mut().patient = false;
            let mut at = 0;
            while at < data.len() {
                let end = (at + 700).min(data.len());
                at += patiently(|| client.write(&data[at..end]));
            }
            patiently(|| client.shutdown());
            assert!(server.join().unwrap() == data, "{flavour:?}");
        });
    }
}
