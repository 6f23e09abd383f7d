//! Idle connections: what each of them costs, and whether they still answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opensspi_integration_tests::ours::Failure;
use sspi_core::CredentialUse;
use sspi_tokio::SecureStream;
use test_support::SeededRandom;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::server::Subject;
use crate::{Figure, Measured, network};

/// KiB of resident memory that an idle connection may cost the server.
const MOST_PER_CONNECTION: f64 = 16.0;
/// KiB by which the server may be larger with as many connections a second time.
const MOST_GROWTH: f64 = 2048.0;
/// How many handshakes run at the same time.
const AT_ONCE: usize = 32;
/// How many connections are asked for an answer.
const ASKED: usize = 500;

pub(crate) async fn run(subject: &Subject, wanted: usize) -> Measured {
    let setup = Arc::new(subject.client().without_resumption());
    let credentials = setup.credentials(CredentialUse::Outbound)?;
    let open = async |from: usize, count: usize| -> Result<Vec<SecureStream<TcpStream>>, Failure> {
        let mut streams = Vec::with_capacity(count);
        let mut opening = JoinSet::new();
        for index in from..from + count {
            let (setup, credentials, port) = (Arc::clone(&setup), Arc::clone(&credentials), subject.port());
            opening.spawn(async move { network::secure(index, port, credentials.as_ref(), &setup).await });
            while opening.len() >= AT_ONCE {
                streams.extend(joined(opening.join_next().await)?);
            }
        }
        while !opening.is_empty() {
            streams.extend(joined(opening.join_next().await)?);
        }
        Ok(streams)
    };

    // What is allocated once is not counted.
    close(open(0, 4 * AT_ONCE).await?).await;
    sleep(SETTLING).await;
    let before = subject.resident()?;
    let begun = Instant::now();
    let mut streams = open(4 * AT_ONCE, wanted).await?;
    let opened = begun.elapsed();
    sleep(SETTLING).await;
    let during = subject.resident()?;

    let mut random = SeededRandom::new(1);
    let asked = ASKED.min(streams.len());
    for question in 0..asked {
        let index = random.below(streams.len());
        if let Some(stream) = streams.get_mut(index) {
            let byte = [question.to_le_bytes()[0]];
            let mut answer = [0];
            stream.write_all(&byte).await?;
            stream.flush().await?;
            stream.read_exact(&mut answer).await?;
            if answer != byte {
                return Err(Failure::Request(format!("{byte:?} came back as {answer:?}")));
            }
        }
    }
    let count = streams.len();
    close(streams).await;
    sleep(SETTLING).await;
    let after = subject.resident()?;
    // What was freed is used again, whether or not the allocator gave it to the system in between.
    let again = open(4 * AT_ONCE + wanted, wanted).await?;
    sleep(SETTLING).await;
    let second = subject.resident()?;
    close(again).await;

    Ok(vec![
        Figure::new("idle connections that are missing", (wanted - count) as f64, "").at_most(0.0),
        Figure::new("idle connections", count as f64, ""),
        Figure::new("connections that answered", asked as f64, ""),
        Figure::new(
            "handshakes per second, both ends on this machine",
            count as f64 / opened.as_secs_f64(),
            "/s",
        ),
        Figure::new("server's memory before", before, "KiB"),
        Figure::new("server's memory with all connections", during, "KiB"),
        Figure::new("server's memory after they are closed", after, "KiB"),
        Figure::new("memory per idle connection", (during - before) / count.max(1) as f64, "KiB")
            .at_most(MOST_PER_CONNECTION),
        Figure::new("growth with as many connections once more", second - during, "KiB").at_most(MOST_GROWTH),
    ])
}

/// How long a server gets to finish what it is at before its memory is read.
const SETTLING: Duration = Duration::from_secs(1);

fn joined<T>(
    result: Option<Result<Result<T, Failure>, tokio::task::JoinError>>,
) -> Result<Option<T>, Failure> {
    match result {
        None => Ok(None),
        Some(Ok(done)) => done.map(Some),
        Some(Err(error)) => Err(Failure::Request(error.to_string())),
    }
}

async fn close(streams: Vec<SecureStream<TcpStream>>) {
    for mut stream in streams {
        // The server may have closed first.
        drop(stream.shutdown().await);
    }
}
