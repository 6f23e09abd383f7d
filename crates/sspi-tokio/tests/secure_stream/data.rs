//! Data through a stream: every size of pipe, buffer and record.

use std::future::poll_fn;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Poll;

use sspi_core::ControlToken;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, duplex, split};

use crate::pair::{BOTH, Flavour, Seeded};
use crate::stream_toy::{self, Habits};

const MEGABYTE: usize = 1 << 20;

async fn echo(flavour: Flavour, pipe: usize, length: usize) {
    let data = Seeded(7).bytes(length);
    let (client, server) = flavour.connect(pipe).await;
    let (mut server_read, mut server_write) = split(server);
    let (mut client_read, mut client_write) = split(client);
    let serve = async {
        copy(&mut server_read, &mut server_write).await.unwrap();
        server_write.shutdown().await.unwrap();
    };
    let send = async {
        client_write.write_all(&data).await.unwrap();
        client_write.shutdown().await.unwrap();
    };
    let receive = async {
        let mut back = Vec::new();
        client_read.read_to_end(&mut back).await.unwrap();
        back
    };
    let ((), (), back) = tokio::join!(serve, send, receive);
    assert!(back == data, "{flavour:?} {pipe}: {} bytes of {length} came back", back.len());
}

#[tokio::test]
async fn a_megabyte_comes_back_through_a_pipe_of_4096_bytes() {
    for flavour in BOTH {
        echo(flavour, 4096, MEGABYTE).await;
    }
}

#[tokio::test]
async fn a_megabyte_comes_back_through_a_pipe_of_7_bytes() {
    for flavour in BOTH {
        echo(flavour, 7, MEGABYTE).await;
    }
}

#[tokio::test]
async fn data_comes_back_through_a_pipe_of_1_byte() {
    for flavour in BOTH {
        echo(flavour, 1, MEGABYTE).await;
    }
}

#[tokio::test]
async fn data_comes_back_through_a_pipe_that_holds_everything() {
    for flavour in BOTH {
        echo(flavour, 4 * MEGABYTE, MEGABYTE).await;
    }
}

#[tokio::test]
async fn a_caller_may_read_in_any_sizes() {
    let data = Seeded(8).bytes(50_000);
    for flavour in BOTH {
        for size in [1, 2, 999, 1000, 1001, 4096, 65_536] {
            let (mut client, mut server) = flavour.connect(1 << 17).await;
            client.write_all(&data).await.unwrap();
            client.shutdown().await.unwrap();
            let mut got = Vec::new();
            let mut buffer = vec![0; size];
            loop {
                match server.read(&mut buffer).await.unwrap() {
                    0 => break,
                    n => got.extend_from_slice(&buffer[..n]),
                }
            }
            assert!(got == data, "{flavour:?} {size}");
        }
    }
}

#[tokio::test]
async fn one_read_takes_all_the_records_that_fit() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(1 << 17).await;
        for n in 0..20 {
            client.write_all(&[n; 10]).await.unwrap();
        }
        client.flush().await.unwrap();
        let mut buffer = [0; 205];
        assert_eq!(server.read(&mut buffer).await.unwrap(), 200, "{flavour:?}");
    }
}

#[tokio::test]
async fn one_write_takes_64_kib_and_several_slices() {
    let (mut client, mut server) = Flavour::Stream.connect(1 << 18).await;
    let data = Seeded(9).bytes(100_000);
    assert_eq!(client.write(&data).await.unwrap(), 65 * 1000);
    let slices = [IoSlice::new(b"one "), IoSlice::new(b""), IoSlice::new(b"two")];
    assert!(AsyncWrite::is_write_vectored(&client));
    assert_eq!(client.write_vectored(&slices).await.unwrap(), 7);
    client.shutdown().await.unwrap();
    let mut got = Vec::new();
    server.read_to_end(&mut got).await.unwrap();
    assert!(got[..65_000] == data[..65_000]);
    assert_eq!(got[65_000..], *b"one two");
}

#[tokio::test]
async fn records_of_other_sizes_work_too() {
    for maximum_message in [1, 2, 100, 16_384, 60_000] {
        let habits = Habits { maximum_message, ..Habits::default() };
        let data = Seeded(10).bytes(70_000);
        let (client, server) = duplex(5000);
        let options = Flavour::Stream.options();
        let (client, server) = tokio::join!(
            sspi_tokio::handshake(client, stream_toy::client(habits), &options),
            sspi_tokio::handshake(server, stream_toy::server(habits), &options)
        );
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        let mut got = Vec::new();
        let send = async {
            client.write_all(&data).await.unwrap();
            client.shutdown().await.unwrap();
        };
        tokio::join!(send, async { server.read_to_end(&mut got).await.unwrap() });
        assert!(got == data, "{maximum_message}");
    }
}

#[tokio::test]
async fn a_message_that_the_package_keeps_to_itself_is_no_data_and_no_end() {
    let habits = Habits { sends_ticket: true, ..Habits::default() };
    let (client, server) = duplex(4096);
    let options = Flavour::Stream.options();
    let (client, server) = tokio::join!(
        sspi_tokio::handshake(client, stream_toy::client(habits), &options),
        sspi_tokio::handshake(server, stream_toy::server(habits), &options)
    );
    let (mut client, mut server) = (client.unwrap(), server.unwrap());
    server.apply_control_token(&ControlToken::Session { enable_reconnects: true }).await.unwrap();
    server.write_all(b"data").await.unwrap();
    server.shutdown().await.unwrap();
    let mut buffer = [0; 64];
    assert_eq!(client.read(&mut buffer).await.unwrap(), 4);
    assert_eq!(client.read(&mut buffer).await.unwrap(), 0);
}

#[tokio::test]
async fn nothing_to_read_into_and_nothing_to_write_do_nothing() {
    for flavour in BOTH {
        let (mut client, mut server) = flavour.connect(64).await;
        assert_eq!(client.write(&[]).await.unwrap(), 0);
        assert_eq!(server.read(&mut []).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_stream_over_a_stream_works() {
    let (client, server) = Flavour::Stream.connect(4096).await;
    let (mut client, mut server) = Flavour::Nns.connect_over(client, server).await;
    let data = Seeded(11).bytes(200_000);
    let mut got = vec![0; data.len()];
    let send = async {
        client.write_all(&data).await.unwrap();
        client.flush().await.unwrap();
    };
    tokio::join!(send, async { server.read_exact(&mut got).await.unwrap() });
    assert!(got == data);
}

#[test]
fn an_idle_stream_is_small() {
    assert!(size_of::<sspi_tokio::SecureStream<()>>() <= 400);
}

#[tokio::test]
async fn small_writes_to_a_busy_transport_are_kept_up_to_64_kib_and_arrive_in_order() {
    for flavour in BOTH {
        for split in [false, true] {
            let (client, mut server) = flavour.connect(100).await;
            let data = Seeded(7).bytes(300_000);
            let mut write = async |mut writer: Box<dyn AsyncWrite + Unpin>| {
                let mut sent = 0;
                // Nobody reads yet: what is taken now is kept, and that ends.
                loop {
                    let once = poll_fn(|cx| {
                        Poll::Ready(Pin::new(&mut writer).poll_write(cx, &data[sent..sent + 500]))
                    });
                    let Poll::Ready(written) = once.await else { break };
                    sent += written.unwrap();
                }
                assert!((60_000..66_000).contains(&sent), "{flavour:?} {split} {sent}");
                let mut back = Vec::new();
                let rest = async {
                    writer.write_all(&data[sent..]).await.unwrap();
                    writer.shutdown().await.unwrap();
                };
                tokio::join!(rest, async { server.read_to_end(&mut back).await.unwrap() });
                assert!(back == data, "{flavour:?} {split}");
            };
            if split {
                let (_read, half) = client.into_split();
                write(Box::new(half)).await;
            } else {
                write(Box::new(client)).await;
            }
        }
    }
}
