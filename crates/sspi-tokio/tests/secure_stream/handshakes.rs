//! Handshakes: tokens, answers, bounds, and what the peer hears.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use sspi_core::{AcceptSecurityContext, InitializeSecurityContext};
use sspi_core::{Error, Failure, Fault, FoundAccount, PeerIdentity, SecStatus, Step};
use sspi_tokio::{Accounts, Answers, Framing, HandshakeError, HandshakeOptions, handshake, handshake_after};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

use crate::pair::{BOTH, Everybody, Flavour, OneCertificate, certificate, toy_client, toy_server, yields};
use crate::stream_toy::{self, Habits};
use crate::toy::{FixedClock, Toy};

#[test]
fn the_framing_follows_from_the_package() {
    let toy = Toy::new(Arc::new(FixedClock));
    assert_eq!(Framing::of(sspi_core::SecurityPackage::package_info(&toy)), Framing::Nns);
    assert_eq!(Framing::of(&stream_toy::package_info()), Framing::Stream);
}

/// A package that is both is detected by what it says, and so is its peer.
#[test]
fn a_package_of_streams_and_tokens_has_its_framing_detected() {
    use sspi_core::SecPkgFlags;
    let both = sspi_core::PackageInfo {
        capabilities: SecPkgFlags::STREAM | SecPkgFlags::GSS_COMPATIBLE,
        ..stream_toy::package_info()
    };
    assert_eq!(Framing::of(&both), Framing::Detected);
}

#[tokio::test]
async fn an_acceptor_hears_from_the_first_bytes_whether_frames_come_or_a_stream() {
    for flavour in BOTH {
        for pieces in [1, 2, 1000] {
            let (client, server) = duplex(1 << 16);
            let detecting = HandshakeOptions { framing: Framing::Detected, ..flavour.options() };
            let options = flavour.options();
            let (client, server) = tokio::join!(
                handshake(client, flavour.client(), &options),
                handshake(Pieces(server, pieces), flavour.server(), &detecting)
            );
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            client.write_all(b"hello").await.unwrap();
            client.flush().await.unwrap();
            let mut heard = [0; 5];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"hello", "{flavour:?} {pieces}");
        }
    }
}

#[tokio::test]
async fn an_initiator_goes_on_as_its_own_first_token_begins() {
    // The toy's first record begins as no token does.
    let (client, server) = duplex(1 << 16);
    let detecting = HandshakeOptions { framing: Framing::Detected, ..Flavour::Stream.options() };
    let (client, server) = tokio::join!(
        handshake(client, Flavour::Stream.client(), &detecting),
        handshake(server, Flavour::Stream.server(), &detecting)
    );
    assert!(client.is_ok() && server.is_ok());
}

#[tokio::test]
async fn a_token_without_a_frame_is_refused_where_frames_or_a_stream_are_expected() {
    for token in [&b"NTLMSSP\0\x01\0\0\0"[..], &[0x60, 0x48, 6, 6, 0x2b, 6, 1, 5, 5, 2]] {
        let (mut client, server) = duplex(1 << 16);
        client.write_all(token).await.unwrap();
        let detecting = HandshakeOptions { framing: Framing::Detected, ..Flavour::Nns.options() };
        let error = match handshake(server, Flavour::Nns.server(), &detecting).await {
            Err(HandshakeError::Security(error)) => error,
            other => panic!("{:?}", other.map(drop)),
        };
        assert_eq!(error.status(), SecStatus::SEC_E_INVALID_TOKEN);
        assert!(error.message().contains("without a frame of NegotiateStream"), "{error}");
        let mut said = Vec::new();
        client.read_to_end(&mut said).await.unwrap();
        assert!(said.is_empty(), "a peer that knows no frames hears none");
    }
}

#[test]
fn a_handshake_can_be_spawned() {
    fn sendable<T: Send>(_: &T) {}
    let options = HandshakeOptions::default();
    assert_eq!(options.deadline, Some(Duration::from_secs(30)));
    assert_eq!(options.maximum_token, 256 * 1024);
    let (client, _server) = duplex(1);
    sendable(&handshake(client, stream_toy::client(Habits::default()), &options));
}

/// A transport that gives its bytes in pieces of at most so many.
struct Pieces<S>(S, usize);

impl<S: AsyncRead + Unpin> AsyncRead for Pieces<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let limit = self.1.min(buffer.remaining());
        let mut piece = vec![0; limit];
        let mut part = ReadBuf::new(&mut piece);
        let poll = Pin::new(&mut self.0).poll_read(cx, &mut part);
        buffer.put_slice(part.filled());
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pieces<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn tokens_arrive_in_pieces_of_any_size() {
    for flavour in BOTH {
        for size in (1..64).chain([1000]) {
            let (client, server) = duplex(4096);
            let (mut client, mut server) =
                flavour.connect_over(Pieces(client, size), Pieces(server, size)).await;
            client.write_all(b"ping").await.unwrap();
            client.flush().await.unwrap();
            let mut ping = [0; 4];
            server.read_exact(&mut ping).await.unwrap();
            assert_eq!(&ping, b"ping", "{flavour:?} {size}");
        }
    }
}

#[tokio::test]
async fn what_the_peer_sends_behind_its_last_token_is_neither_lost_nor_seen_twice() {
    for flavour in BOTH {
        // The pipe holds everything, so that token and data are read together.
        let (client, server) = duplex(1 << 16);
        let options = flavour.options();
        let client = async {
            let mut client = handshake(client, flavour.client(), &options).await.unwrap();
            client.write_all(b"early data").await.unwrap();
            client.shutdown().await.unwrap();
        };
        let server = async {
            yields(20).await;
            let mut server = handshake(server, flavour.server(), &options).await.unwrap();
            let mut all = Vec::new();
            server.read_to_end(&mut all).await.unwrap();
            all
        };
        assert_eq!(tokio::join!(client, server).1, b"early data", "{flavour:?}");
    }
}

#[tokio::test]
async fn the_account_directory_answers_and_the_stream_knows_the_account() {
    let (client, server) = Flavour::Nns.connect(64).await;
    assert_eq!(server.security_context_token().unwrap().name, "alice");
    assert_eq!(server.attributes().names().unwrap(), "alice");
    assert_eq!(client.security_context_token().unwrap_err().status(), SecStatus::SEC_E_NO_IMPERSONATION);
}

#[tokio::test]
async fn the_client_certificate_is_chosen_when_the_server_asks() {
    let habits = Habits { wants_certificate: true, ..Habits::default() };
    let (client, server) = duplex(64);
    let options = HandshakeOptions::new(Framing::Stream).with_deadline(None).with_answers(OneCertificate);
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(habits), &options),
        handshake(server, stream_toy::server(habits), &options)
    );
    client.unwrap();
    let chosen = server.unwrap().attributes().names().unwrap();
    assert_eq!(chosen.as_bytes(), certificate().chain[0]);
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends_the_handshake_and_the_peer_hears_of_it() {
    let habits = Habits { wants_certificate: true, ..Habits::default() };
    let (client, server) = duplex(64);
    let options = HandshakeOptions::new(Framing::Stream).with_deadline(None);
    let (client, server) = tokio::join!(
        handshake(client, stream_toy::client(habits), &options),
        handshake(server, stream_toy::server(habits), &options)
    );
    let error = client.unwrap_err();
    assert_eq!(error.status(), Some(SecStatus::SEC_I_INCOMPLETE_CREDENTIALS));
    assert_eq!(error.security().unwrap().setting(), Some("client-certificate"));
    let error = server.unwrap_err();
    assert_eq!(error.security().unwrap().fault(), Fault::PeerReported);
    assert!(error.to_string().contains("alert 80"), "{error}");

    let (client, server) = duplex(64);
    let options = HandshakeOptions::new(Framing::Nns).with_deadline(None);
    let (client, server) = tokio::join!(
        handshake(client, Flavour::Nns.client(), &options),
        handshake(server, Flavour::Nns.server(), &options)
    );
    assert_eq!(server.unwrap_err().status(), Some(SecStatus::SEC_E_NO_IMPERSONATION));
    let error = client.unwrap_err();
    assert_eq!(error.status(), Some(SecStatus::SEC_E_NO_IMPERSONATION));
    assert_eq!(error.security().unwrap().fault(), Fault::PeerReported);
}

#[tokio::test]
async fn a_failed_logon_delivers_the_packages_token_to_the_peer() {
    for pipe in [1, 7, 4096] {
        let (client, server) = duplex(pipe);
        let options = Flavour::Nns.options();
        let (client, server) = tokio::join!(
            handshake(client, toy_client("mallory", "guess"), &options),
            handshake(server, toy_server(), &options)
        );
        let (client, server) = (client.unwrap_err(), server.unwrap_err());
        assert_eq!(server.security().unwrap().fault(), Fault::Refused);
        assert_eq!(client.status(), Some(SecStatus::SEC_E_LOGON_DENIED));
        assert_eq!(client.security().unwrap().fault(), Fault::PeerReported);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_failure_is_on_the_wire_before_the_status() {
    let (mut peer, server) = duplex(4096);
    let options = Flavour::Nns.options();
    let peer = async {
        peer.write_all(b"\x16\x01\x00\x00\x06XXXX\x00\x00").await.unwrap();
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).await.unwrap();
        heard
    };
    let (heard, server) = tokio::join!(peer, handshake(server, toy_server(), &options));
    assert_eq!(server.unwrap_err().status(), Some(SecStatus::SEC_E_INVALID_TOKEN));
    let token = b"\x16\x01\x00\x00\x0aTOYE\x00\x04\x80\x09\x03\x08";
    let status = b"\x15\x01\x00\x00\x08\x00\x00\x00\x00\x80\x09\x03\x08";
    assert_eq!(heard, [&token[..], status].concat());
}

#[tokio::test]
async fn a_client_that_is_complete_learns_of_the_servers_refusal_from_the_status() {
    let (client, server) = duplex(64);
    let options = Flavour::Nns.options();
    let (client, server) = tokio::join!(
        handshake(client, toy_client("alice", "looking glass"), &options),
        handshake(server, toy_server(), &options)
    );
    assert_eq!(server.unwrap_err().status(), Some(SecStatus::SEC_E_LOGON_DENIED));
    let client = client.unwrap_err();
    assert_eq!(client.status(), Some(SecStatus::SEC_E_LOGON_DENIED));
    assert_eq!(client.security().unwrap().fault(), Fault::PeerReported);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_the_framing_is_refused() {
    let frames: [(&str, &[u8]); 7] = [
        ("another MessageId", b"\x17\x01\x00\x00\x01x"),
        ("another version", b"\x16\x02\x00\x00\x01x"),
        ("an empty token", b"\x16\x01\x00\x00\x00"),
        ("done before it began", b"\x14\x01\x00\x00\x00"),
        ("a part of a token", b"\x16\x01\x00\x00\x05TOY1\x00"),
        ("more than a token", b"\x16\x01\x00\x00\x1dTOY1\x00\x15nonce...\0\0\0\0\0\0\0\0aliceXX"),
        (
            "done, and another token is expected",
            b"\x14\x01\x00\x00\x1bTOY1\x00\x15nonce...\0\0\0\0\0\0\0\0alice",
        ),
    ];
    for (what, frame) in frames {
        let (mut peer, server) = duplex(4096);
        peer.write_all(frame).await.unwrap();
        let options = Flavour::Nns.options();
        let error = handshake(server, toy_server(), &options).await.unwrap_err();
        assert_eq!(error.status(), Some(SecStatus::SEC_E_INVALID_TOKEN), "{what}: {error}");
    }
}

#[tokio::test]
async fn the_end_of_the_transport_inside_the_handshake_is_truncation() {
    for flavour in BOTH {
        let (peer, server) = duplex(64);
        drop(peer);
        let error = handshake(server, flavour.server(), &flavour.options()).await.unwrap_err();
        assert!(matches!(error, HandshakeError::Truncated), "{error:?}");
        assert_eq!(error.status(), None);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[tokio::test]
async fn a_transport_that_fails_is_an_error_of_the_transport() {
    let (peer, client) = duplex(64);
    drop(peer);
    let error = handshake(client, Flavour::Stream.client(), &Flavour::Stream.options()).await.unwrap_err();
    let HandshakeError::Io(error) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

/// Answers nothing, ever.
struct Silence;

#[async_trait]
impl Answers for Silence {
    async fn accounts(&self, _peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_the_whole_handshake_and_frees_everything() {
    for flavour in BOTH {
        let (mut peer, server) = duplex(64);
        let answers: Arc<dyn Answers> = Arc::new(Accounts(Everybody));
        let limit = Duration::from_secs(5);
        let options = HandshakeOptions {
            answers: Arc::clone(&answers),
            ..HandshakeOptions::new(flavour.framing()).with_deadline(Some(limit))
        };
        let begun = tokio::time::Instant::now();
        let error = handshake(server, flavour.server(), &options).await.unwrap_err();
        assert_eq!(begun.elapsed().as_secs(), 5);
        assert!(matches!(error, HandshakeError::Deadline(after) if after == limit), "{error:?}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::TimedOut);
        drop(options);
        assert_eq!(Arc::strong_count(&answers), 1);
        assert_eq!(peer.read(&mut [0; 1]).await.unwrap(), 0, "the transport was dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_waited_for_before_the_handshake_has_what_is_left_of_the_deadline() {
    let limit = Duration::from_secs(5);
    for (waited, left) in [(2, 3), (5, 0), (7, 0)] {
        let (_peer, server) = duplex(64);
        let options = Flavour::Stream.options().with_deadline(Some(limit));
        let begun = tokio::time::Instant::now();
        let waited = Duration::from_secs(waited);
        let error = handshake_after(waited, server, Flavour::Stream.server(), &options).await.unwrap_err();
        assert_eq!(begun.elapsed().as_secs(), left);
        assert!(matches!(error, HandshakeError::Deadline(after) if after == limit), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_a_byte_now_and_then_does_not_extend_the_deadline() {
    let (mut peer, server) = duplex(64);
    let trickle = tokio::spawn(async move {
        while peer.write_all(&[1]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    // A record of 257 bytes that never becomes whole within the default deadline.
    let options = HandshakeOptions::new(Framing::Stream);
    let error = handshake(server, Flavour::Stream.server(), &options).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Deadline(_)), "{error:?}");
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_covers_the_answers() {
    let (client, server) = duplex(64);
    let options = HandshakeOptions::new(Framing::Nns).with_answers(Silence);
    let (client, server) = tokio::join!(
        handshake(client, Flavour::Nns.client(), &options),
        handshake(server, Flavour::Nns.server(), &options)
    );
    assert!(matches!(server, Err(HandshakeError::Deadline(_))));
    assert!(matches!(client, Err(HandshakeError::Deadline(_) | HandshakeError::Truncated)));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_the_peer_does_not_read_is_still_the_refusal() {
    // The pipe holds the frame that is refused, and one byte of the answer.
    let (mut peer, server) = duplex(1);
    let options = Flavour::Nns.options().with_deadline(Some(Duration::from_secs(1)));
    let peer = async {
        peer.write_all(b"\x17\x01\x00\x00\x00").await.unwrap();
        peer
    };
    let (_peer, server) = tokio::join!(peer, handshake(server, toy_server(), &options));
    assert_eq!(server.unwrap_err().status(), Some(SecStatus::SEC_E_INVALID_TOKEN));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_longer_than_may_be_held_is_refused_and_the_limit_is_named() {
    for (flavour, token) in [(Flavour::Stream, &b"\x01\x01\x00"[..]), (Flavour::Nns, b"\x16\x01\x00\x01\x00")]
    {
        let (mut peer, server) = duplex(4096);
        peer.write_all(token).await.unwrap();
        let options = HandshakeOptions { maximum_token: 100, ..flavour.options() };
        let error = handshake(server, flavour.server(), &options).await.unwrap_err();
        assert_eq!(error.status(), Some(SecStatus::SEC_E_INVALID_TOKEN));
        assert!(error.to_string().contains("100"), "{error}");
    }
}

/// A package that never finds a token whole, and does not say how much is missing.
struct Insatiable;

impl AcceptSecurityContext for Insatiable {
    fn accept_security_context(&mut self, _input: &[u8]) -> Result<Step, Failure> {
        Ok(Step::Incomplete { missing: None })
    }
}

/// A package that takes nothing and says nothing.
struct Stuck;

impl InitializeSecurityContext for Stuck {
    fn initialize_security_context(&mut self, _input: &[u8]) -> Result<Step, Failure> {
        Ok(Step::Continue { token: Vec::new(), used: 0 })
    }
}

#[tokio::test]
async fn memory_is_bounded_whatever_the_package_says() {
    let (mut peer, server) = duplex(4096);
    let options = HandshakeOptions { maximum_token: 10_000, ..Flavour::Stream.options() };
    let flood = async {
        let mut sent = 0_usize;
        while peer.write_all(&[0; 100]).await.is_ok() {
            sent += 100;
        }
        sent
    };
    let insatiable: Box<dyn AcceptSecurityContext> = Box::new(Insatiable);
    let (sent, server) = tokio::join!(flood, handshake(server, insatiable, &options));
    assert_eq!(server.unwrap_err().status(), Some(SecStatus::SEC_E_INVALID_TOKEN));
    assert!(sent <= 10_000 + 4096, "{sent}");
}

#[tokio::test]
async fn a_package_that_makes_no_step_is_an_internal_error_and_no_endless_loop() {
    let (mut peer, client) = duplex(4096);
    peer.write_all(b"anything").await.unwrap();
    let stuck: Box<dyn InitializeSecurityContext> = Box::new(Stuck);
    let error = handshake(client, stuck, &Flavour::Stream.options()).await.unwrap_err();
    assert_eq!(error.status(), Some(SecStatus::SEC_E_INTERNAL_ERROR));
}

#[test]
fn a_handshake_error_is_a_sentence() {
    let refused = Error::new(SecStatus::SEC_E_LOGON_DENIED, Fault::Refused, "the password is wrong");
    let error = HandshakeError::from(refused);
    assert_eq!(
        error.to_string(),
        "the handshake failed: the password is wrong [SEC_E_LOGON_DENIED (0x8009030C)]"
    );
    let error = io::Error::from(error);
    assert_eq!(crate::pair::inside(&error).status(), SecStatus::SEC_E_LOGON_DENIED);
    assert_eq!(
        HandshakeError::Deadline(Duration::from_secs(30)).to_string(),
        "the handshake was not over within 30s"
    );
}
