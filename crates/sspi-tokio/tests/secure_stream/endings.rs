//! How streams end: in order, cut off, altered.

use std::io;

use sspi_core::{AlertLevel, ControlToken, Fault, SecStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::pair::{BOTH, Flavour, inside};

#[tokio::test]
async fn a_shutdown_is_a_clean_end_forever_and_leaves_the_other_direction_open() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(4096).await;
        client.write_all(b"last words").await.unwrap();
        client.shutdown().await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"last words");
        for _ in 0..3 {
            assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0, "{flavour:?}");
        }
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        let mut got = Vec::new();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"answer", "{flavour:?}");
        let error = client.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(inside(&error).status(), SecStatus::SEC_E_CONTEXT_EXPIRED);
    }
}

#[tokio::test]
async fn what_comes_behind_the_shutdown_is_ignored() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(4096).await;
        client.write_all(b"data").await.unwrap();
        client.apply_control_token(&ControlToken::Shutdown).await.unwrap();
        client.get_mut().write_all(b"rubbish").await.unwrap();
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"data", "{flavour:?}");
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_not_a_clean_end() {
    let (mut client, mut server) = Flavour::Stream.connect(4096).await;
    client.write_all(b"data").await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    let mut got = Vec::new();
    for _ in 0..2 {
        let error = server.read_to_end(&mut got).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("close_notify"), "{error}");
    }
    assert_eq!(got, b"data");
    assert!(server.error().is_none());
}

#[tokio::test]
async fn frames_know_no_goodbye_and_an_end_between_two_is_clean() {
    let (mut client, mut server) = Flavour::Nns.connect(4096).await;
    client.write_all(b"data").await.unwrap();
    client.flush().await.unwrap();
    drop(client);
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"data");
}

/// A secure stream to the server, and what the client would send as one message.
async fn message(flavour: Flavour) -> (DuplexStream, sspi_tokio::SecureStream<DuplexStream>, Vec<u8>) {
    let (mut client, server) = flavour.connect(4096).await;
    // Another pipe catches what the client sends.
    let (ours, mut caught) = duplex(4096);
    let wire = core::mem::replace(client.get_mut(), ours);
    client.write_all(b"data").await.unwrap();
    client.flush().await.unwrap();
    let mut message = vec![0; 4096];
    let length = caught.read(&mut message).await.unwrap();
    message.truncate(length);
    (wire, server, message)
}

#[tokio::test]
async fn an_end_inside_a_message_is_not_clean() {
    for flavour in BOTH {
        let length = message(flavour).await.2.len();
        for cut in 1..length {
            let (mut wire, mut server, message) = message(flavour).await;
            wire.write_all(&message[..cut]).await.unwrap();
            drop(wire);
            let error = server.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{flavour:?} {cut}");
        }
    }
}

#[tokio::test]
async fn a_message_that_is_altered_ends_the_stream_and_the_peer_gets_the_alert() {
    for flavour in BOTH {
        let (mut wire, mut server, mut message) = message(flavour).await;
        let last = message.len() - 1;
        message[last] ^= 1;
        wire.write_all(&message).await.unwrap();
        for _ in 0..2 {
            let error = server.read(&mut [0; 8]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(inside(&error).status(), SecStatus::SEC_E_MESSAGE_ALTERED, "{flavour:?}");
        }
        assert_eq!(server.error().unwrap().status(), SecStatus::SEC_E_MESSAGE_ALTERED);
        let error = server.write(b"more").await.unwrap_err();
        assert_eq!(inside(&error).status(), SecStatus::SEC_E_MESSAGE_ALTERED);
        server.shutdown().await.unwrap();
        let mut alert = Vec::new();
        wire.read_to_end(&mut alert).await.unwrap();
        let kind: &[u8] =
            if flavour == Flavour::Stream { b"\x04\x00\x01\x14" } else { b"\x11\x00\x00\x00\x04" };
        assert!(alert.starts_with(kind), "{flavour:?}: {alert:x?}");
    }
}

#[tokio::test]
async fn data_in_front_of_an_altered_message_is_delivered_first() {
    for flavour in BOTH {
        let (mut wire, mut server, message) = message(flavour).await;
        let repeated = [&message[..], &message[..]].concat();
        wire.write_all(&repeated).await.unwrap();
        let mut buffer = [0; 64];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 4);
        assert_eq!(buffer[..4], *b"data");
        assert!(server.read(&mut buffer).await.is_err(), "{flavour:?}: repeated");
    }
}

#[tokio::test]
async fn a_frame_that_is_too_long_is_refused_before_it_is_read() {
    let (mut wire, mut server, _) = message(Flavour::Nns).await;
    wire.write_all(&[1, 0, 1, 0]).await.unwrap();
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_INVALID_TOKEN);
}

#[tokio::test]
async fn an_alert_of_the_peer_is_what_reading_ends_with() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(4096).await;
        let alert = ControlToken::Alert { level: AlertLevel::Fatal, number: 42 };
        client.apply_control_token(&alert).await.unwrap();
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(inside(&error).fault(), Fault::PeerReported);
        assert!(error.to_string().contains("42"), "{flavour:?}: {error}");
    }
}

#[tokio::test]
async fn a_control_token_that_the_package_lacks_changes_nothing() {
    let (mut client, mut server) = Flavour::Nns.connect(4096).await;
    let token = ControlToken::Session { enable_reconnects: true };
    let error = client.apply_control_token(&token).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    assert_eq!(inside(&error).status(), SecStatus::SEC_E_UNSUPPORTED_FUNCTION);
    client.write_all(b"data").await.unwrap();
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert_eq!(got, b"data");
}
