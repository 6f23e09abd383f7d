//! Futures that are dropped in the middle.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::pair::{BOTH, Flavour, Seeded, yields};

/// Sends and receives while futures are dropped at moments that the seed chooses.
async fn with_futures_dropped(flavour: Flavour, pipe: usize, seed: u64) {
    // More than a stream keeps for a transport that is busy, so that writers wait too.
    let data = Seeded(seed).bytes(300_000);
    let (mut client, mut server) = flavour.connect(pipe).await;
    let send = async {
        let mut chance = Seeded(seed ^ 1);
        let mut dropped = 0_u32;
        let mut at = 0;
        while at < data.len() {
            let end = (at + 1 + chance.below(5000) as usize).min(data.len());
            tokio::select! {
                biased;
                written = client.write(&data[at..end]) => at += written.unwrap(),
                () = yields(chance.below(4)) => dropped += 1,
            }
            if chance.below(3) == 0 {
                tokio::select! {
                    biased;
                    flushed = client.flush() => flushed.unwrap(),
                    () = yields(chance.below(4)) => dropped += 1,
                }
            }
        }
        client.shutdown().await.unwrap();
        dropped
    };
    let receive = async {
        let mut chance = Seeded(seed ^ 2);
        let mut dropped = 0_u32;
        let mut got = Vec::new();
        loop {
            let mut buffer = vec![0; 1 + chance.below(3000) as usize];
            tokio::select! {
                biased;
                read = server.read(&mut buffer) => match read.unwrap() {
                    0 => break,
                    n => got.extend_from_slice(&buffer[..n]),
                },
                () = yields(chance.below(4)) => dropped += 1,
            }
        }
        (got, dropped)
    };
    let (writes_dropped, (got, reads_dropped)) = tokio::join!(send, receive);
    assert!(got == data, "{flavour:?} {pipe} {seed}: {} bytes of {}", got.len(), data.len());
    assert!(writes_dropped > 10 && reads_dropped > 10, "{writes_dropped} {reads_dropped}");
}

#[tokio::test]
async fn no_byte_is_lost_or_sent_twice_when_futures_are_dropped() {
    for flavour in BOTH {
        for seed in 0..30 {
            with_futures_dropped(flavour, 500, seed).await;
        }
        with_futures_dropped(flavour, 1, 100).await;
        with_futures_dropped(flavour, 7, 101).await;
    }
}

#[tokio::test]
async fn a_control_token_whose_future_is_dropped_is_sent_all_the_same() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(1).await;
        tokio::select! {
            biased;
            _ = client.apply_control_token(&sspi_core::ControlToken::Shutdown) => panic!("the pipe is full"),
            () = yields(0) => {}
        }
        let mut buffer = [0; 8];
        let (flushed, read) = tokio::join!(client.flush(), server.read(&mut buffer));
        flushed.unwrap();
        assert_eq!(read.unwrap(), 0, "{flavour:?}");
    }
}
