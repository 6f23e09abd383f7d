//! Negotiating again, in the middle of a stream.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sspi_core::{ControlToken, SecStatus};
use sspi_tokio::{
    HandshakeOptions, Observer, Renegotiated, RenegotiationOutcome, SecureStream, blocking, handshake,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use crate::pair::{Flavour, OneCertificate, Seeded, inside, yields};
use crate::stream_toy::{self, Habits, Patience};

async fn connect(
    habits: Habits,
    pipe: usize,
    options: &HandshakeOptions,
) -> (SecureStream<DuplexStream>, SecureStream<DuplexStream>) {
    let (client, server) = duplex(pipe);
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(habits), options),
        handshake(server, stream_toy::server(habits), options)
    );
    (client.unwrap(), server.unwrap())
}

#[tokio::test]
async fn a_server_that_asks_for_it_negotiates_again_and_data_goes_on() {
    for pipe in [1, 7, 4096] {
        let options = Flavour::Stream.options().with_answers(OneCertificate);
        let habits = Habits { wants_certificate_again: true, ..Habits::default() };
        let (mut client, mut server) = connect(habits, pipe, &options).await;
        let serve = async {
            server.write_all(b"before").await.unwrap();
            server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
            // Reading drives the new handshake.
            let mut got = [0; 5];
            server.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"after");
            server.write_all(b"and after").await.unwrap();
            server.shutdown().await.unwrap();
            server
        };
        let ask = async {
            let mut got = [0; 6];
            client.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"before");
            let (mut read, mut write) = split(&mut client);
            let mut rest = Vec::new();
            let send = async {
                // The reader has to meet the request first.
                yields(50).await;
                write.write_all(b"after").await.unwrap();
                write.flush().await.unwrap();
            };
            let (_, ()) = tokio::join!(async { read.read_to_end(&mut rest).await.unwrap() }, send);
            rest
        };
        let (server, rest) = tokio::join!(serve, ask);
        assert_eq!(rest, b"and after", "{pipe}");
        assert_eq!(server.attributes().names().unwrap(), "a certificate");
    }
}

#[tokio::test]
async fn a_reader_and_a_writer_both_go_on_behind_it() {
    let options = Flavour::Stream.options();
    for pipe in [7, 200, 4096] {
        let (client, server) = connect(Habits::default(), pipe, &options).await;
        let data = Seeded(5).bytes(20_000);
        let (mut client_read, mut client_write) = split(client);
        let (mut server_read, mut server_write) = split(server);
        let serve = async {
            let mut got = vec![0; data.len()];
            server_read.read_exact(&mut got).await.unwrap();
            got
        };
        let sends = async {
            server_write.write_all(&[5]).await.unwrap();
            server_write.flush().await.unwrap();
        };
        let ((), got) = tokio::join!(sends, async {
            let reads = async { client_read.read_u8().await.unwrap() };
            let writes = async {
                client_write.write_all(&data).await.unwrap();
                client_write.flush().await.unwrap();
            };
            tokio::join!(reads, writes, serve).2
        });
        assert!(got == data, "{pipe}");
    }
}

#[tokio::test]
async fn a_package_that_refuses_to_negotiate_again_says_so_and_the_stream_goes_on() {
    let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 100, &Flavour::Stream.options()).await;
    server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
    server.write_all(b"on").await.unwrap();
    server.flush().await.unwrap();
    let mut data = [0; 2];
    client.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"on");
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert!(inside(&error).message().contains("100"), "no_renegotiation was said: {error}");
}

#[tokio::test]
async fn refusals_that_a_peer_does_not_take_are_not_heaped_up() {
    const ROUNDS: usize = 500;
    const PIPE: usize = 100;
    for split in [false, true] {
        let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
        let (client, mut server) = connect(habits, PIPE, &Flavour::Stream.options()).await;
        let asks = async move {
            for _ in 0..ROUNDS {
                server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
                server.write_all(b"x").await.unwrap();
            }
            server.flush().await.unwrap();
            // Only now it reads.
            let mut refusals = Vec::new();
            server.get_mut().read_to_end(&mut refusals).await.unwrap();
            refusals
        };
        let hears = async {
            let mut data = [0; ROUNDS];
            if split {
                let (mut read, mut write) = client.into_split();
                read.read_exact(&mut data).await.unwrap();
                write.flush().await.unwrap();
            } else {
                let mut client = client;
                client.read_exact(&mut data).await.unwrap();
                client.flush().await.unwrap();
            }
        };
        let (refusals, ()) = tokio::join!(asks, hears);
        assert!(refusals.len() < 2 * PIPE, "{} bytes were kept for the peer", refusals.len());
    }
}

/// Counts what is told.
#[derive(Default)]
struct Counts {
    refused: AtomicUsize,
}

impl Observer for Counts {
    fn ends(&self, end: &Renegotiated<'_>) {
        assert!(matches!(end, Renegotiated::Refused(_)), "nothing comes of it");
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

/// A peer that wishes for it again and again writes no log of ours.
#[tokio::test]
async fn that_a_peer_was_refused_is_told_once() {
    const ROUNDS: usize = 10;
    let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 100, &Flavour::Stream.options()).await;
    let counts = Arc::new(Counts::default());
    client.observe(Arc::clone(&counts) as _);
    let asks = async {
        for _ in 0..ROUNDS {
            server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
            server.write_all(b"x").await.unwrap();
        }
        server.flush().await.unwrap();
    };
    let mut data = [0; ROUNDS];
    let (read, ()) = tokio::join!(client.read_exact(&mut data), asks);
    read.unwrap();
    assert_eq!(counts.refused.load(Ordering::Relaxed), 1);
}

#[test]
fn that_a_peer_was_refused_is_told_a_thread_once_too() {
    use std::io::{Read, Write};
    const ROUNDS: usize = 10;
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut server =
                blocking::handshake(server, stream_toy::server(Habits::default()), &options).unwrap();
            for _ in 0..ROUNDS {
                server.apply_control_token(&ControlToken::Renegotiate).unwrap();
                server.write_all(b"x").unwrap();
            }
            server.flush().unwrap();
            // What the client says is taken off, until it is gone.
            server.get_mut().read_to_end(&mut Vec::new()).unwrap();
        });
        let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
        let mut client = blocking::handshake(client, stream_toy::client(habits), &options).unwrap();
        let counts = Arc::new(Counts::default());
        client.observe(Arc::clone(&counts) as _);
        client.read_exact(&mut [0; ROUNDS]).unwrap();
        assert_eq!(counts.refused.load(Ordering::Relaxed), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_renegotiation_has_the_deadline_of_the_handshake() {
    let options = Flavour::Stream.options().with_deadline(Some(Duration::from_secs(3)));
    let (mut client, mut server) = connect(Habits::default(), 100, &options).await;
    server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED);
    let error = client.write(b"x").await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED);
}

#[tokio::test(start_paused = true)]
async fn a_writer_does_not_wait_for_ever_for_a_reader_that_does_not_come() {
    let options = Flavour::Stream.options().with_deadline(Some(Duration::from_secs(3)));
    let (mut client, mut server) = connect(Habits::default(), 1 << 20, &options).await;
    client.renegotiate().await.unwrap();
    server.write_all(&vec![7; 500_000]).await.unwrap();
    server.flush().await.unwrap();
    let error = client.flush().await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

#[test]
fn a_shutdown_in_the_middle_of_a_renegotiation_is_said() {
    use std::io::Read;
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let handshaking = stream_toy::server(Habits::default());
            let mut server = blocking::handshake(server, handshaking, &options).unwrap();
            assert_eq!(server.read(&mut [0; 8]).unwrap(), 0, "a clean end");
        });
        let handshaking = stream_toy::client(Habits::default());
        let mut client = blocking::handshake(client, handshaking, &options).unwrap();
        client.renegotiate().unwrap();
        client.shutdown().unwrap();
    });
}

#[tokio::test]
async fn a_message_package_does_not_negotiate_again_in_frames() {
    let (mut client, mut server) = Flavour::Nns.connect(100).await;
    server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
}

#[test]
fn threads_negotiate_again_too() {
    use std::io::{Read, Write};
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    let (requested, wait) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let requested = requested;
            let handshaking = stream_toy::server(Habits::default());
            let mut server = blocking::handshake(server, handshaking, &options).unwrap();
            server.write_all(b"before").unwrap();
            server.apply_control_token(&ControlToken::Renegotiate).unwrap();
            requested.send(()).unwrap();
            let mut got = [0; 5];
            server.read_exact(&mut got).unwrap();
            server.write_all(&got).unwrap();
            server.shutdown().unwrap();
        });
        let handshaking = stream_toy::client(Habits::default());
        let mut client = blocking::handshake(client, handshaking, &options).unwrap();
        wait.recv().unwrap();
        let mut got = [0; 64];
        assert_eq!(client.read(&mut got).unwrap(), 6, "data arrives first");
        client.write_all(b"after").unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"after");
    });
}

#[tokio::test]
async fn data_in_the_middle_of_a_renegotiation_is_read_in_its_place() {
    const SIZE: usize = 600_000;
    let data = Seeded(7).bytes(SIZE);
    for pipe in [100, 4096, 1 << 20] {
        let (mut client, mut server) = connect(Habits::default(), pipe, &Flavour::Stream.options()).await;
        client.renegotiate().await.unwrap();
        let (mut client_read, mut client_write) = split(client);
        let serve = async {
            // The server does not read before it has sent all this.
            server.write_all(&data).await.unwrap();
            server.flush().await.unwrap();
            let mut got = [0; 5];
            server.read_exact(&mut got).await.unwrap();
            server.write_all(b"end").await.unwrap();
            server.shutdown().await.unwrap();
            got
        };
        let write = async {
            client_write.write_all(b"after").await.unwrap();
            client_write.flush().await.unwrap();
        };
        let mut got = Vec::new();
        let (sent, (), read) = tokio::join!(serve, write, client_read.read_to_end(&mut got));
        read.unwrap();
        assert_eq!(&sent, b"after");
        assert!(got[..SIZE] == data, "{pipe}");
        assert_eq!(&got[SIZE..], b"end", "{pipe}");
    }
}

#[tokio::test]
async fn what_came_before_a_renegotiation_that_fails_is_read_before_its_error() {
    let (mut client, mut server) = connect(Habits::default(), 4096, &Flavour::Stream.options()).await;
    server.write_all(b"before").await.unwrap();
    server.flush().await.unwrap();
    let mut first = [0; 1];
    client.read_exact(&mut first).await.unwrap();
    client.renegotiate().await.unwrap();
    server.write_all(b" and in it").await.unwrap();
    let alert = ControlToken::Alert { level: sspi_core::AlertLevel::Fatal, number: 40 };
    server.apply_control_token(&alert).await.unwrap();
    // The writer meets the failure, and leaves the data to the reader.
    let error = client.flush().await.unwrap_err();
    assert!(inside(&error).message().contains("40"), "{error}");
    let mut got = vec![0; 15];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, b"efore and in it");
    let error = client.read(&mut [0; 8]).await.unwrap_err();
    assert!(inside(&error).message().contains("40"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_told_to_negotiate_again_asks_its_client() {
    let options = Flavour::Stream.options().with_answers(OneCertificate);
    let habits = Habits { wants_certificate_again: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 100, &options).await;
    server.renegotiate().await.unwrap();
    let serve = async {
        let mut got = [0; 5];
        server.read_exact(&mut got).await.unwrap();
        server.shutdown().await.unwrap();
        got
    };
    let connect = async {
        let (mut read, mut write) = split(&mut client);
        let send = async {
            yields(50).await;
            write.write_all(b"after").await.unwrap();
            write.flush().await.unwrap();
        };
        let mut rest = Vec::new();
        let (read, ()) = tokio::join!(read.read_to_end(&mut rest), send);
        read.unwrap();
    };
    let (got, ()) = tokio::join!(serve, connect);
    assert_eq!(&got, b"after");
    assert_eq!(server.attributes().names().unwrap(), "a certificate");
}

#[tokio::test]
async fn a_client_that_may_not_negotiate_again_hears_so_and_the_stream_goes_on() {
    let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 100, &Flavour::Stream.options()).await;
    server.write_all(b"data").await.unwrap();
    server.flush().await.unwrap();
    let mut got = [0; 1];
    client.read_exact(&mut got).await.unwrap();
    let error = client.renegotiate().await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    let mut rest = [0; 3];
    client.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"ata");
}

#[tokio::test]
async fn a_server_that_declines_leaves_the_stream_as_it_was() {
    let options = Flavour::Stream.options();
    let (client, server) = duplex(100);
    let refuses = Habits { refuses_renegotiation: true, ..Habits::default() };
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(Habits::default()), &options),
        handshake(server, stream_toy::server(refuses), &options)
    );
    let (mut client, server) = (client.unwrap(), server.unwrap());
    client.renegotiate().await.unwrap();
    // A stream that was split does not negotiate again, and says so.
    let (mut server_read, mut server_write) = server.into_split();
    let serve = async {
        let mut got = [0; 4];
        server_read.read_exact(&mut got).await.unwrap();
        server_write.write_all(&got).await.unwrap();
        server_write.shutdown().await.unwrap();
    };
    let talk = async {
        client.write_all(b"and on").await.unwrap();
        client.flush().await.unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        got
    };
    let ((), got) = tokio::join!(serve, talk);
    assert_eq!(got, b"and ");
}

/// A server asks for a certificate while data of the client's is under way, and writes before it reads.
#[tokio::test]
async fn what_is_read_belongs_to_what_the_attributes_say() {
    let options = Flavour::Stream.options().with_answers(OneCertificate);
    let habits = Habits { wants_certificate_again: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 4096, &options).await;
    client.write_all(b"a stranger's").await.unwrap();
    client.flush().await.unwrap();
    // Some of it is opened already.
    let mut got = [0; 2];
    server.read_exact(&mut got).await.unwrap();
    let hello = async {
        client.renegotiate().await.unwrap();
        client.flush().await.unwrap();
        client.write_all(b"alice's").await.unwrap();
        client.shutdown().await.unwrap();
    };
    let serve = async {
        let mut all = Vec::new();
        let mut piece = [0; 100];
        loop {
            let read = server.read(&mut piece).await.unwrap();
            if read == 0 {
                break all;
            }
            let from = server.attributes().names().unwrap();
            all.push((String::from_utf8(piece[..read].to_vec()).unwrap(), from));
        }
    };
    let ((), read) = tokio::join!(hello, serve);
    let expected = [("stranger's", ""), ("alice's", "a certificate")];
    assert_eq!(read, expected.map(|(data, from)| (data.to_owned(), from.to_owned())));
}

#[tokio::test]
async fn what_came_before_is_read_under_what_was_negotiated_before_even_if_a_writer_drives_it() {
    let options = Flavour::Stream.options().with_answers(OneCertificate);
    let habits = Habits { wants_certificate_again: true, ..Habits::default() };
    let (mut client, mut server) = connect(habits, 4096, &options).await;
    client.write_all(b"stranger").await.unwrap();
    client.renegotiate().await.unwrap();
    let begins = async {
        client.flush().await.unwrap();
        client.write_all(b"alice").await.unwrap();
        client.flush().await.unwrap();
    };
    let serve = async {
        let mut got = [0; 2];
        server.read_exact(&mut got).await.unwrap();
        // The rest of the record stays behind, and the ClientHello behind that is met by nobody but the reader.
        assert_eq!(server.attributes().names().unwrap(), "");
        let mut rest = [0; 100];
        let mut read = Vec::new();
        while read.iter().map(|(data, _): &(Vec<u8>, String)| data.len()).sum::<usize>() < 11 {
            let n = server.read(&mut rest).await.unwrap();
            read.push((rest[..n].to_vec(), server.attributes().names().unwrap()));
        }
        read
    };
    let ((), read) = tokio::join!(begins, serve);
    let expected = [(b"ranger".to_vec(), String::new()), (b"alice".to_vec(), "a certificate".to_owned())];
    assert_eq!(read, expected);
}

/// A package that leaves what it was told to pass over where it is.
#[tokio::test]
async fn a_package_that_does_not_go_on_behind_a_refusal_ends_the_stream() {
    let (mut client, server) = connect(Habits::default(), 100, &Flavour::Stream.options()).await;
    client.renegotiate().await.unwrap();
    let (mut read, _write) = server.into_split();
    let hears = async { read.read(&mut [0; 8]).await.unwrap_err() };
    let (error, _) = tokio::join!(hears, client.flush());
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_INTERNAL_ERROR);
}

/// A writer drives the second handshake to its end, and the stream is split before what came in its middle is read.
#[tokio::test]
async fn a_stream_that_is_split_says_of_earlier_data_what_it_was() {
    let (mut client, mut server) = connect(Habits::default(), 4096, &Flavour::Stream.options()).await;
    let before = Arc::clone(client.attributes());
    server.write_all(b"before").await.unwrap();
    server.flush().await.unwrap();
    client.renegotiate().await.unwrap();
    let serve = async {
        let mut got = [0; 2];
        server.read_exact(&mut got).await.unwrap();
        server.write_all(b"after").await.unwrap();
        server.flush().await.unwrap();
    };
    let write = async {
        client.write_all(b"on").await.unwrap();
        client.flush().await.unwrap();
    };
    tokio::join!(serve, write);
    let (mut read, write) = client.into_split();
    let mut piece = [0; 100];
    assert!(Arc::ptr_eq(read.attributes(), &before));
    assert_eq!(read.read(&mut piece).await.unwrap(), 6, "nothing that came behind it");
    assert!(Arc::ptr_eq(read.attributes(), &before));
    assert_eq!(read.read(&mut piece).await.unwrap(), 5);
    assert!(Arc::ptr_eq(read.attributes(), write.attributes()));
    assert!(!Arc::ptr_eq(read.attributes(), &before));
}

#[tokio::test]
async fn a_split_stream_asks_nobody_to_negotiate_again() {
    let (client, server) = connect(Habits::default(), 100, &Flavour::Stream.options()).await;
    let (_read, mut write) = server.into_split();
    let error = write.apply_control_token(&ControlToken::Renegotiate).await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    write.write_all(b"on").await.unwrap();
    write.flush().await.unwrap();
    let mut client = client;
    let mut got = [0; 2];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"on");
}

#[tokio::test]
async fn a_stream_that_is_split_in_the_middle_of_it_delivers_what_came_before() {
    let (mut client, mut server) = connect(Habits::default(), 4096, &Flavour::Stream.options()).await;
    server.write_all(b"before").await.unwrap();
    server.flush().await.unwrap();
    let mut first = [0; 1];
    client.read_exact(&mut first).await.unwrap();
    client.renegotiate().await.unwrap();
    let (mut read, _write) = client.into_split();
    let mut got = [0; 5];
    read.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"efore");
    let error = read.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED);
}

#[test]
fn threads_read_data_in_the_middle_of_a_renegotiation() {
    use std::io::{Read, Write};
    const SIZE: usize = 600_000;
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    let data = Seeded(8).bytes(SIZE);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let handshaking = stream_toy::server(Habits::default());
            let mut server = blocking::handshake(server, handshaking, &options).unwrap();
            server.write_all(&data).unwrap();
            let mut got = [0; 5];
            server.read_exact(&mut got).unwrap();
            server.write_all(&got).unwrap();
            server.shutdown().unwrap();
        });
        let handshaking = stream_toy::client(Habits::default());
        let mut client = blocking::handshake(client, handshaking, &options).unwrap();
        client.renegotiate().unwrap();
        let mut got = vec![0; SIZE];
        client.read_exact(&mut got).unwrap();
        assert!(got == data);
        client.write_all(b"after").unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"after");
    });
}

#[test]
fn threads_that_only_write_do_not_heap_up_what_comes_in_the_middle_of_a_renegotiation() {
    use std::io::{Read, Write};
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let handshaking = stream_toy::server(Habits::default());
            let mut server = blocking::handshake(server, handshaking, &options).unwrap();
            let mut rest = Vec::new();
            // It sends as long as anybody takes it.
            while server.write_all(&[7; 1000]).is_ok() {}
            server.get_mut().read_to_end(&mut rest).unwrap_or_default();
        });
        let handshaking = stream_toy::client(Habits::default());
        let mut client = blocking::handshake(client, handshaking, &options).unwrap();
        client.renegotiate().unwrap();
        let error = client.write(b"x").unwrap_err();
        assert_eq!(inside(&error).status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
        drop(client);
    });
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_client_that_was_asked_and_is_silent_ends_the_stream_when_its_time_is_over() {
    let options = Flavour::Stream.options().with_deadline(Some(Duration::from_secs(3)));
    let habits = Habits { patience: Patience::Time(MINUTE), ..Habits::default() };
    for split in [false, true] {
        let (mut client, mut server) = connect(habits, 4096, &options).await;
        let begun = tokio::time::Instant::now();
        server.renegotiate().await.unwrap();
        let error = if split {
            let (mut read, _write) = server.into_split();
            read.read(&mut [0; 8]).await.unwrap_err()
        } else {
            let error = server.read(&mut [0; 8]).await.unwrap_err();
            assert!(server.write(b"x").await.is_err(), "it is the end of the other direction, too");
            drop(server);
            error
        };
        assert!(inside(&error).message().contains("was asked"), "{error}");
        assert_eq!(begun.elapsed().as_secs(), MINUTE.as_secs());
        let mut told = Vec::new();
        client.get_mut().read_to_end(&mut told).await.unwrap_or_default();
        assert!(told.len() > 8, "the alert stands behind the request: {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_in_time_has_all_the_time_that_it_wants_afterwards() {
    let options = Flavour::Stream.options().with_deadline(Some(Duration::from_secs(3)));
    let habits = Habits { patience: Patience::Time(MINUTE), ..Habits::default() };
    let (mut client, mut server) = connect(habits, 4096, &options).await;
    server.renegotiate().await.unwrap();
    let mut got = [0; 5];
    let serve = async {
        server.read_exact(&mut got).await.unwrap();
        server.write_all(&got).await.unwrap();
        server.flush().await.unwrap();
    };
    let talk = async {
        tokio::time::advance(MINUTE / 2).await;
        let (mut read, mut write) = split(&mut client);
        let send = async {
            yields(50).await;
            tokio::time::advance(2 * MINUTE).await;
            write.write_all(b"after").await.unwrap();
            write.flush().await.unwrap();
        };
        let mut back = [0; 5];
        let (read, ()) = tokio::join!(read.read_exact(&mut back), send);
        read.unwrap();
    };
    tokio::join!(serve, talk);
}

/// A client and a server of threads.
fn threads(habits: Habits) -> (blocking::SecureStream<UnixStream>, blocking::SecureStream<UnixStream>) {
    let (client, server) = UnixStream::pair().unwrap();
    let options = Flavour::Stream.blocking_options();
    std::thread::scope(|scope| {
        let client = scope.spawn(|| blocking::handshake(client, stream_toy::client(habits), &options));
        let server = blocking::handshake(server, stream_toy::server(habits), &options).unwrap();
        (client.join().unwrap().unwrap(), server)
    })
}

#[test]
fn a_thread_looks_at_the_time_of_its_client_before_it_waits_and_when_its_socket_gives_up() {
    use std::io::Read;
    for questions in 0..4 {
        let patience = Patience::Questions(questions);
        let (mut client, mut server) = threads(Habits { patience, ..Habits::default() });
        server.renegotiate().unwrap();
        // A socket whose time is always over.
        server.get_mut().set_nonblocking(true).unwrap();
        let mut timeouts = 0;
        let late = loop {
            let error = server.read(&mut [0; 8]).unwrap_err();
            if error.kind() != std::io::ErrorKind::WouldBlock {
                break error;
            }
            timeouts += 1;
        };
        assert_eq!(timeouts, questions / 2, "two questions each");
        assert!(inside(&late).message().contains("was asked"), "{late}");
        let mut told = [0; 64];
        assert!(client.get_mut().read(&mut told).unwrap() > 8, "the alert stands behind the request");
    }
}

#[tokio::test]
async fn what_became_of_a_request_is_known() {
    for refuses in [false, true] {
        let options = Flavour::Stream.options();
        let (client, server) = duplex(4096);
        let habits = Habits { hears_refusals: true, ..Habits::default() };
        let of_client = Habits { refuses_renegotiation: refuses, ..habits };
        let (client, server) = tokio::join!(
            handshake(client, stream_toy::client(of_client), &options),
            handshake(server, stream_toy::server(habits), &options)
        );
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        assert_eq!(server.renegotiation(), RenegotiationOutcome::None);
        server.renegotiate().await.unwrap();
        assert_eq!(server.renegotiation(), RenegotiationOutcome::Pending);
        let mut got = [0; 2];
        let serve = async { server.read_exact(&mut got).await.unwrap() };
        let answer = async {
            let (mut read, mut write) = split(&mut client);
            let send = async {
                yields(50).await;
                write.write_all(b"on").await.unwrap();
                write.flush().await.unwrap();
            };
            let mut nothing = [0; 1];
            tokio::select! {
                biased;
                () = async { tokio::join!(send).0 } => {}
                _ = read.read(&mut nothing) => panic!("nothing was sent"),
            }
        };
        tokio::join!(serve, answer);
        assert_eq!(&got, b"on");
        let expected = if refuses { RenegotiationOutcome::Declined } else { RenegotiationOutcome::Complete };
        assert_eq!(server.renegotiation(), expected);
        assert_eq!(client.renegotiation(), RenegotiationOutcome::None, "it was not the client's wish");
    }
}

#[test]
fn a_thread_knows_what_became_of_its_request() {
    use std::io::{Read, Write};
    let refuses = Habits { refuses_renegotiation: true, hears_refusals: true, ..Habits::default() };
    let (mut client, mut server) = threads(refuses);
    server.renegotiate().unwrap();
    assert_eq!(server.renegotiation(), RenegotiationOutcome::Pending);
    server.write_all(b"on").unwrap();
    let mut got = [0; 2];
    client.read_exact(&mut got).unwrap();
    client.write_all(b"on").unwrap();
    server.read_exact(&mut got).unwrap();
    assert_eq!(server.renegotiation(), RenegotiationOutcome::Declined);
}

#[tokio::test]
async fn a_goodbye_that_crosses_our_wish_to_negotiate_again_is_one() {
    for held in [&b""[..], b"the last words"] {
        let (mut client, mut server) = connect(Habits::default(), 4096, &Flavour::Stream.options()).await;
        client.renegotiate().await.unwrap();
        server.write_all(held).await.unwrap();
        server.shutdown().await.unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, held);
        assert_eq!(client.renegotiation(), RenegotiationOutcome::Declined);
        assert!(client.error().is_none());
    }
}

#[test]
fn a_goodbye_that_crosses_the_wish_of_a_thread_is_one() {
    use std::io::{Read, Write};
    let (mut client, mut server) = threads(Habits::default());
    client.renegotiate().unwrap();
    server.write_all(b"the last words").unwrap();
    server.shutdown().unwrap();
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"the last words");
}

/// A writer that negotiates again and again, and reads only at last.
#[tokio::test]
async fn data_between_several_renegotiations_is_read_under_what_held_when_it_was_sent() {
    let (mut client, mut server) = connect(Habits::default(), 4096, &Flavour::Stream.options()).await;
    let mut epochs = vec![Arc::clone(client.attributes())];
    for data in [b"first ", b"second"] {
        server.write_all(data).await.unwrap();
        server.flush().await.unwrap();
        client.renegotiate().await.unwrap();
        let serve = async {
            let mut got = [0; 2];
            server.read_exact(&mut got).await.unwrap();
        };
        let write = async {
            client.write_all(b"on").await.unwrap();
            client.flush().await.unwrap();
        };
        tokio::join!(serve, write);
        assert_eq!(client.renegotiation(), RenegotiationOutcome::Complete);
    }
    server.write_all(b"third").await.unwrap();
    server.shutdown().await.unwrap();
    let mut read: Vec<(Vec<u8>, usize)> = Vec::new();
    loop {
        let mut piece = [0; 4];
        let count = client.read(&mut piece).await.unwrap();
        if count == 0 {
            break;
        }
        if !epochs.iter().any(|known| Arc::ptr_eq(known, client.attributes())) {
            epochs.push(Arc::clone(client.attributes()));
        }
        let epoch = epochs.iter().position(|known| Arc::ptr_eq(known, client.attributes())).unwrap();
        read.push((piece[..count].to_vec(), epoch));
    }
    for (epoch, data) in [(0, &b"first "[..]), (1, b"second"), (2, b"third")] {
        let of_it: Vec<u8> =
            read.iter().filter(|(_, of)| *of == epoch).flat_map(|(d, _)| d.clone()).collect();
        assert_eq!(of_it, data, "{epoch}");
    }
}
