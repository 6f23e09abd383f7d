//! The two halves, in two tasks.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use sspi_core::{ControlToken, SecStatus};
use sspi_tokio::{SecureStream, handshake};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, copy, duplex};

use crate::pair::{BOTH, Flavour, Seeded, inside, yields};
use crate::stream_toy::{self, Habits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_run_in_tasks_of_their_own() {
    for flavour in BOTH {
        for pipe in [7, 4096] {
            let (client, server) = flavour.connect(pipe).await;
            let (mut read, mut write) = server.into_split();
            let echo = tokio::spawn(async move {
                copy(&mut read, &mut write).await.unwrap();
                write.shutdown().await.unwrap();
            });
            let (mut read, mut write) = client.into_split();
            let data = Seeded(3).bytes(300_000);
            let sent = data.clone();
            let send = tokio::spawn(async move {
                write.write_all(&sent).await.unwrap();
                write.shutdown().await.unwrap();
            });
            let mut back = Vec::new();
            read.read_to_end(&mut back).await.unwrap();
            assert!(back == data, "{flavour:?} {pipe}");
            send.await.unwrap();
            echo.await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_package_that_does_not_split_its_context_takes_turns() {
    let habits = Habits { refuses_split: true, ..Habits::default() };
    let (client, server) = duplex(100);
    let options = Flavour::Stream.options();
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(habits), &options),
        handshake(server, stream_toy::server(habits), &options)
    );
    let (mut read, mut write) = server.unwrap().into_split();
    let echo = tokio::spawn(async move {
        copy(&mut read, &mut write).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let (mut read, mut write) = client.unwrap().into_split();
    let data = Seeded(4).bytes(50_000);
    let sent = data.clone();
    let send = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await.unwrap();
    assert!(back == data);
    send.await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn halves_know_what_the_stream_knew() {
    let (_client, server) = Flavour::Nns.connect(64).await;
    let (read, write) = server.into_split();
    assert_eq!(read.security_context_token().unwrap().name, "alice");
    assert_eq!(write.security_context_token().unwrap().name, "alice");
    assert_eq!(read.attributes().names().unwrap(), "alice");
    assert_eq!(write.attributes().package_info().name, "Toy");
    assert!(read.error().is_none() && write.error().is_none());
    assert_eq!(format!("{read:?}"), "SecureReadHalf { package: \"Toy\", .. }");
}

#[tokio::test]
async fn what_was_read_and_not_delivered_goes_along_into_the_halves() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(4096).await;
        client.write_all(b"one record").await.unwrap();
        client.write_all(b"and another").await.unwrap();
        client.shutdown().await.unwrap();
        let mut begin = [0; 3];
        server.read_exact(&mut begin).await.unwrap();
        let (mut read, _write) = server.into_split();
        let mut rest = Vec::new();
        read.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b" recordand another", "{flavour:?}");
    }
}

#[tokio::test]
async fn an_altered_message_ends_both_halves_and_the_peer_gets_the_alert() {
    for flavour in BOTH {
        // The pipe is full when the alert is due: the write half sends it behind what was pending.
        for pending in [false, true] {
            let (mut client, server) = flavour.connect(300).await;
            client.get_mut().write_all(&[9; 64]).await.unwrap();
            let (mut read, mut write) = server.into_split();
            if pending {
                write.write_all(&[7; 1000]).await.unwrap();
            }
            let error = read.read(&mut [0; 8]).await.unwrap_err();
            let status = inside(&error).status();
            assert_eq!(read.error().unwrap().status(), status);
            assert_eq!(write.error().unwrap().status(), status);
            assert_eq!(inside(&write.write(b"x").await.unwrap_err()).status(), status);
            let close = tokio::spawn(async move { write.shutdown().await });
            let mut heard = Vec::new();
            let end = client.read_to_end(&mut heard).await;
            close.await.unwrap().unwrap();
            assert_eq!(heard.len(), if pending { 1000 } else { 0 }, "{flavour:?}");
            if flavour == Flavour::Stream {
                assert!(inside(&end.unwrap_err()).message().contains("alert 10"));
            }
        }
    }
}

#[tokio::test]
async fn a_writer_that_waits_is_woken_when_the_reader_fails() {
    let (mut client, server) = Flavour::Stream.connect(100).await;
    let (mut read, mut write) = server.into_split();
    let writer = tokio::spawn(async move {
        loop {
            if let Err(error) = write.write_all(&[1; 500]).await {
                return error;
            }
        }
    });
    yields(20).await;
    client.get_mut().write_all(&[9; 64]).await.unwrap();
    assert!(read.read(&mut [0; 8]).await.is_err());
    let error = writer.await.unwrap();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
}

#[tokio::test]
async fn a_control_token_goes_through_the_write_half() {
    let (client, mut server) = Flavour::Stream.connect(100).await;
    let (_read, mut write) = client.into_split();
    write.apply_control_token(&ControlToken::Session { enable_reconnects: false }).await.unwrap();
    write.write_all(b"data").await.unwrap();
    write.apply_control_token(&ControlToken::Shutdown).await.unwrap();
    assert_eq!(write.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"data");
}

#[tokio::test]
async fn halves_decline_to_negotiate_again_and_go_on() {
    let (client, mut server) = Flavour::Stream.connect(100).await;
    let (mut read, _write) = client.into_split();
    server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
    server.write_all(b"on").await.unwrap();
    server.flush().await.unwrap();
    let mut data = [0; 2];
    read.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"on");
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert!(inside(&error).message().contains("100"), "no_renegotiation was said: {error}");
}

/// A transport that remembers one waiting writer, as they do, and can be told to let nobody write or flush.
struct Gated {
    io: DuplexStream,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Default)]
struct Gate {
    holds_writes: bool,
    holds_flushes: bool,
    waiting: Option<Waker>,
}

impl Gate {
    fn open(&mut self) {
        (self.holds_writes, self.holds_flushes) = (false, false);
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

impl AsyncRead for Gated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let mut gate = self.gate.lock().unwrap();
        if gate.holds_writes {
            gate.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(gate);
        Pin::new(&mut self.io).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gate = self.gate.lock().unwrap();
        if gate.holds_flushes {
            gate.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(gate);
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_writer_that_flushes_is_not_forgotten_when_the_reader_declines_to_negotiate_again() {
    let gate = Arc::new(Mutex::new(Gate::default()));
    let (client, server) = gated(&gate).await;
    let (read, write) = client.into_split();
    decline_while_a_writer_flushes(&gate, server, read, write).await;
    // Halves that take turns with one stream.
    let (client, server) = gated(&gate).await;
    let (read, write) = tokio::io::split(client);
    decline_while_a_writer_flushes(&gate, server, read, write).await;
}

async fn gated(gate: &Arc<Mutex<Gate>>) -> (SecureStream<Gated>, SecureStream<DuplexStream>) {
    let habits = Habits { refuses_renegotiation: true, ..Habits::default() };
    let (client, server) = duplex(4096);
    let client = Gated { io: client, gate: Arc::clone(gate) };
    let options = Flavour::Stream.options();
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(habits), &options),
        handshake(server, stream_toy::server(habits), &options)
    );
    (client.unwrap(), server.unwrap())
}

async fn decline_while_a_writer_flushes(
    gate: &Mutex<Gate>,
    mut server: SecureStream<DuplexStream>,
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin + Send + 'static,
) {
    gate.lock().unwrap().holds_flushes = true;
    let writer = tokio::spawn(async move {
        write.write_all(b"x").await.unwrap();
        write.flush().await.unwrap();
    });
    yields(20).await;
    gate.lock().unwrap().holds_writes = true;
    server.apply_control_token(&ControlToken::Renegotiate).await.unwrap();
    server.write_all(b"on").await.unwrap();
    server.flush().await.unwrap();
    read.read_exact(&mut [0; 2]).await.unwrap();
    yields(20).await;
    gate.lock().unwrap().open();
    yields(20).await;
    assert!(writer.is_finished(), "the flush was never polled again");
    writer.await.unwrap();
}
