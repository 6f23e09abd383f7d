//! Handshakes one after the other: the server is as large after the last one as after the first third.

use std::time::Instant;

use opensspi_integration_tests::ours::Failure;
use sspi_core::{CredentialUse, CredentialsHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use opensspi_integration_tests::ours::Setup;

use crate::server::Subject;
use crate::{Figure, Measured, network};

/// KiB by which the server may grow from the first third to the end.
const MOST_GROWTH: f64 = 1024.0;

pub(crate) async fn run(subject: &Subject, count: usize) -> Measured {
    let full = subject.client().without_resumption();
    let resuming = subject.client();
    let ends = [
        (full.credentials(CredentialUse::Outbound)?, full),
        (resuming.credentials(CredentialUse::Outbound)?, resuming),
    ];
    let begun = Instant::now();
    let mut resumed = 0_usize;
    let mut marks = Vec::new();
    for index in 0..count {
        // By turns a full one and one that resumes.
        if let Some((credentials, setup)) = ends.get(index % 2) {
            resumed += usize::from(once(subject, index, credentials.as_ref(), setup).await?);
        }
        if (index + 1) % (count / 3).max(1) == 0 {
            marks.push(subject.resident()?);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (first, last) =
        (marks.first().copied().unwrap_or_default(), marks.last().copied().unwrap_or_default());
    Ok(vec![
        Figure::new("handshakes one after the other", count as f64, ""),
        Figure::new("of which resumed", resumed as f64, ""),
        Figure::new("handshakes per second, one at a time", count as f64 / seconds, "/s"),
        Figure::new("server's memory after the first third", first, "KiB"),
        Figure::new("server's memory after the last", last, "KiB"),
        Figure::new("growth over two thirds of the handshakes", last - first, "KiB").at_most(MOST_GROWTH),
    ])
}

/// A handshake, a byte there and back, and an orderly end; whether it resumed.
async fn once(
    subject: &Subject,
    index: usize,
    credentials: &dyn CredentialsHandle,
    setup: &Setup,
) -> Result<bool, Failure> {
    let mut stream = network::secure(index, subject.port(), credentials, setup).await?;
    let resumed = stream.attributes().session_info()?.reconnect;
    stream.write_all(b"x").await?;
    stream.flush().await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    stream.shutdown().await?;
    if stream.read(&mut answer).await? != 0 {
        return Err(Failure::Request("more came back than was sent".to_owned()));
    }
    Ok(resumed)
}
