//! The two servers.

use std::env;
use std::fs;

use opensspi_integration_tests::Pattern;
use opensspi_integration_tests::legacy::suite::offer;
use opensspi_integration_tests::legacy::{Pki, Suite};
use opensspi_integration_tests::ours::HTTP_BODY_SEED;
use opensspi_integration_tests::peers::openssl::{self, Mode, Release};
use opensspi_integration_tests::peers::process::{Launch, Stdout};
use opensspi_integration_tests::peers::report::listening_port;
use opensspi_integration_tests::peers::{Peer, PeerError, Process, ServerOptions, Version};
use rustix::param::clock_ticks_per_second;
use tempfile::TempDir;

use crate::drive::{Effort, Work};

/// Whose server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    Ours,
    OpenSsl(Release),
}

/// A server that runs.
pub(crate) struct Started {
    running: Running,
    port: u16,
    path: String,
    _folder: TempDir,
}

enum Running {
    Ours(Process),
    OpenSsl(openssl::Server),
}

impl Started {
    pub(crate) fn start(
        maker: Maker,
        work: Work,
        suite: &'static Suite,
        version: Version,
        effort: Effort,
    ) -> Result<Self, PeerError> {
        let folder = tempfile::tempdir()?;
        let bytes = effort.megabytes * 1_000_000;
        if work == Work::Encrypt {
            let content = Pattern::new(HTTP_BODY_SEED).content(bytes).chunk(0, usize::MAX);
            fs::write(folder.path().join("file"), content)?;
        }
        let (running, port) = match maker {
            Maker::Ours => ours(work, suite, version, effort)?,
            Maker::OpenSsl(release) => {
                let mode = match work {
                    Work::Encrypt => Mode::Files(folder.path().to_owned()),
                    Work::Full | Work::Resumed | Work::Decrypt => Mode::Sink,
                };
                let options = ServerOptions::new(&Pki::find()?.server(suite.key())?)
                    .version(version)
                    .ciphers(&offer(Peer::OpenSsl, version, &[suite]))
                    .without_tickets();
                let server = openssl::Server::start_of(release, &options, mode)?;
                let port = server.port();
                (Running::OpenSsl(server), port)
            }
        };
        Ok(Self { running, port, path: "/file".to_owned(), _folder: folder })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Under which it serves the file.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Seconds of CPU until now.
    pub(crate) fn cpu(&self) -> Result<Cpu, PeerError> {
        let id = match &self.running {
            Running::Ours(process) => process.id(),
            Running::OpenSsl(server) => server.id(),
        };
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name in parentheses may hold anything; utime and stime are the 12th and 13th field behind it.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let mut seconds = fields
            .split_ascii_whitespace()
            .skip(11)
            .map_while(|field| field.parse::<f64>().ok())
            .map(|ticks| ticks / clock_ticks_per_second() as f64);
        let (user, system) = (seconds.next().unwrap_or(f64::NAN), seconds.next().unwrap_or(f64::NAN));
        Ok(Cpu { all: user + system, user })
    }
}

/// Seconds of CPU, or microseconds of it for a unit of work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    /// In user mode and in the kernel.
    pub(crate) all: f64,
    /// In user mode: the program and its libraries.
    pub(crate) user: f64,
}

/// This program again, as [`crate::own::Serve`].
fn ours(
    work: Work,
    suite: &'static Suite,
    version: Version,
    effort: Effort,
) -> Result<(Running, u16), PeerError> {
    let program = env::current_exe()?;
    let mut launch = Launch::new(&program.to_string_lossy(), Stdout::Data);
    launch.arguments(["serve", "--suite", suite.openssl, "--version", version.key()]);
    let bytes = if work == Work::Encrypt { effort.megabytes * 1_000_000 } else { 0 };
    launch.arguments(["--send", &bytes.to_string()]);
    if effort.tokio {
        launch.arguments(["--tokio"]);
    }
    let mut process = launch.start()?;
    let line = process.read_line()?.ok_or_else(|| process.error("ended before it listened"))?;
    Ok((Running::Ours(process), listening_port(&line)?))
}
