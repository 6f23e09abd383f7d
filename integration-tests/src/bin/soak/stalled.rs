//! Peers that stop in mid-handshake: dropped at the deadline, and what they cost given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opensspi_integration_tests::ours::Failure;
use sspi_core::{CredentialUse, Step};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::Subject;
use crate::{DEADLINE, Figure, Measured, network};

/// How late a connection may be dropped, in seconds: thousands of them share two cores with whoever measures.
const MOST_LATE: f64 = 2.0;
/// How early, in seconds: the server's time begins when it has accepted.
const MOST_EARLY: f64 = 0.25;
/// KiB by which the server may be larger in the later half of the rounds than in the earlier: two thirds of a KiB for each
/// peer in between, where one that was not forgotten would have kept about eight.
///
/// What is freed goes to the allocator, which keeps much of it for the next and gives the system little; whether it was
/// freed shows when it is used again.
const MOST_GROWTH: f64 = 4096.0;
/// How often, an even number. Allocators have an arena per thread, and it takes some rounds until each was used.
const ROUNDS: usize = 6;

pub(crate) async fn run(subject: &Subject, count: usize) -> Measured {
    let hello = Arc::new(client_hello(subject)?);
    // What is allocated once is not counted.
    stall(subject, &hello, 50).await?;
    sleep(Duration::from_secs(1)).await;
    let before = subject.resident()?;
    let (mut first, mut last) = (f64::MAX, 0.0_f64);
    let mut peaks = Vec::new();
    for _ in 0..ROUNDS {
        let round = stall(subject, &hello, count).await?;
        first = first.min(round.first);
        last = last.max(round.last);
        peaks.push(round.peak);
        sleep(Duration::from_secs(1)).await;
    }
    let after = subject.resident()?;
    let (earlier, later) = peaks.split_at(ROUNDS / 2);
    let most = |peaks: &[f64]| peaks.iter().copied().fold(0.0, f64::max);
    let deadline = DEADLINE.as_secs_f64();
    Ok(vec![
        Figure::new("rounds of peers that stop in mid-handshake", ROUNDS as f64, ""),
        Figure::new("peers in each round", count as f64, ""),
        Figure::new("first one dropped, before the deadline", deadline - first, "s").at_most(MOST_EARLY),
        Figure::new("last one dropped, after the deadline", last - deadline, "s").at_most(MOST_LATE),
        Figure::new("server's memory before", before, "KiB"),
        Figure::new("server's memory at its peak, earlier rounds", most(earlier), "KiB"),
        Figure::new("server's memory at its peak, later rounds", most(later), "KiB"),
        Figure::new("server's memory after the last round", after, "KiB"),
        Figure::new("growth from the earlier rounds to the later", most(later) - most(earlier), "KiB")
            .at_most(MOST_GROWTH),
    ])
}

/// The first message of a client of ours.
fn client_hello(subject: &Subject) -> Result<Vec<u8>, Failure> {
    let setup = subject.client();
    let mut client = setup.credentials(CredentialUse::Outbound)?.initialize(&setup.initialize_request())?;
    match client.initialize_security_context(&[]).map_err(|failure| failure.error)? {
        Step::Continue { token, .. } => Ok(token),
        step => Err(Failure::Request(format!("no ClientHello but {step:?}"))),
    }
}

struct Round {
    /// Seconds from the connection to its end: the shortest and the longest.
    first: f64,
    last: f64,
    /// KiB.
    peak: f64,
}

/// A third of the peers says nothing, a third half a ClientHello, a third a whole one and no more.
async fn stall(subject: &Subject, hello: &Arc<Vec<u8>>, count: usize) -> Result<Round, Failure> {
    let mut stalled = JoinSet::new();
    for index in 0..count {
        let (hello, port) = (Arc::clone(hello), subject.port());
        stalled.spawn(async move {
            let mut stream = network::connect(index, port).await?;
            let begun = Instant::now();
            let said = match index % 3 {
                0 => 0,
                1 => hello.len() / 2,
                _ => hello.len(),
            };
            stream.write_all(hello.get(..said).unwrap_or_default()).await?;
            let mut answer = Vec::new();
            // Closed or reset: it is gone.
            let gone = timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
            gone.map_err(|_| Failure::Late(Duration::from_secs(30)))?.ok();
            Ok::<f64, Failure>(begun.elapsed().as_secs_f64())
        });
        if index % 64 == 63 {
            tokio::task::yield_now().await;
        }
    }
    let mut round = Round { first: f64::MAX, last: 0.0, peak: 0.0 };
    while !stalled.is_empty() {
        round.peak = round.peak.max(subject.resident()?);
        while let Ok(Some(ended)) = timeout(Duration::from_millis(20), stalled.join_next()).await {
            let seconds = ended.map_err(|error| Failure::Request(error.to_string()))??;
            round.first = round.first.min(seconds);
            round.last = round.last.max(seconds);
        }
    }
    Ok(round)
}
