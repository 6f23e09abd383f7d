//! Our own end: Schannel over a TCP connection, through sspi-tokio's handshake, in this process.
//!
//! Both ends run on one runtime behind calls that wait, so that a test reads from top to bottom whether it speaks to a
//! process or to us. What a connection was is a [`Report`], in the same words as a peer's.

mod client;
mod legacy;
mod records;
mod report;
mod server;
mod setup;

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;
use std::{io, thread};

use tokio::runtime::{Builder, Runtime};

pub use client::{Client, Connection};
pub use legacy::Legacy;
pub use report::{EXPORTER_LABEL, EXPORTER_LENGTH, Failure, Report};
pub use server::{HTTP_BODY_SEED, Server, Service};
pub use setup::Setup;

/// Where both ends run: as long as this process does.
///
/// # Errors
///
/// The system gives no threads.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let threads = thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Waits for `work`, and not without end.
fn wait<T>(patience: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime()?;
    runtime.block_on(async {
        tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(Failure::Late(patience)))
    })
}

/// How long a connection may take that carries so many bytes each way.
fn patience(bytes: u64) -> Duration {
    Duration::from_secs(20 + bytes / 1_000_000)
}
