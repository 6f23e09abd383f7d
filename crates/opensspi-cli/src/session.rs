//! `session`: the sessions that the machines of a server farm share, listed or forgotten.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use opensspi::Sspi;
use opensspi::sspi_redis::{Listed, Listing, RedisSessions};
use serde_json::json;

use crate::exit::Failure;
use crate::print::{Channel, Printer};

/// The arguments of `session`.
#[derive(Debug, Args)]
#[command(after_help = "\
The sessions are those in the store that the configuration names (session-store). What a server or a
client has in its own memory goes with its process, and nobody else sees it: to forget it, end the
process.

Examples:
  opensspi session list --config opensspi.toml
  opensspi session clear --config opensspi.toml        every client begins with a full handshake

Exit codes:
  0  all went well
  2  the configuration has mistakes, or names no store
  3  the store does not answer")]
pub(crate) struct Session {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say which sessions are there: their names, which tell nothing of whose they are, and how long they will be kept.
    List {
        #[command(flatten)]
        place: Where,
        /// How many are listed at most.
        #[arg(long, value_name = "N", default_value_t = 1000)]
        most: usize,
    },
    /// Forget them all, those that were sealed with other keys too.
    Clear(Where),
}

#[derive(Debug, Args)]
struct Where {
    /// The configuration file that names the store and its keys.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Session {
    pub(crate) fn config(&self) -> &PathBuf {
        let (What::List { place, .. } | What::Clear(place)) = &self.what;
        &place.config
    }

    pub(crate) fn run(&self, printer: &Printer) -> Result<(), Failure> {
        let store = Sspi::from_file(self.config())?.redis_sessions()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::network("the runtime cannot start", &error))?;
        runtime.block_on(async {
            match self.what {
                What::List { most, .. } => list(printer, &store, most).await,
                What::Clear(_) => clear(printer, &store).await,
            }
        })
    }
}

fn silent(error: &io::Error) -> Failure {
    Failure::network("the session store does not answer", error)
}

async fn list(printer: &Printer, store: &RedisSessions, most: usize) -> Result<(), Failure> {
    let Listing { sessions, is_all } = store.list(most).await.map_err(|error| silent(&error))?;
    for Listed { name, size, left, is_ours } in &sessions {
        let seconds = left.map(|left| left.as_secs());
        printer.object(&json!({
            "name": name,
            "bytes": size,
            "seconds_left": seconds,
            "opens_with_our_keys": is_ours,
        }));
        let left = seconds.map_or_else(|| "for ever".to_owned(), |seconds| format!("{seconds} s left"));
        let keys = if *is_ours { "" } else { ", not sealed with our keys" };
        printer.line(Channel::Out, format_args!("{name}  {size} bytes, {left}{keys}"));
    }
    if !is_all {
        printer.line(Channel::Err, format_args!("and more than these {} (--most)", sessions.len()));
    } else if sessions.is_empty() {
        printer.line(Channel::Err, "no sessions");
    }
    Ok(())
}

async fn clear(printer: &Printer, store: &RedisSessions) -> Result<(), Failure> {
    let count = store.clear().await.map_err(|error| silent(&error))?;
    printer.object(&json!({ "forgotten": count }));
    printer.line(Channel::Out, format_args!("{count} sessions forgotten"));
    Ok(())
}
