//! What the servers are made to do, and what it costs them.

use std::time::Duration;

use opensspi_integration_tests::echo::fetch;
use opensspi_integration_tests::legacy::suite::offer;
use opensspi_integration_tests::legacy::{Pki, Suite};
use opensspi_integration_tests::peers::openssl::{self, Release};
use opensspi_integration_tests::peers::{ClientOptions, Peer, PeerError, Version};
use opensspi_measure::rates;
use serde::Serialize;

use crate::servers::{Cpu, Maker, Started};
use crate::{PROMISED, Row};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
    pub(crate) megabytes: u64,
    /// Our server runs on tokio.
    pub(crate) tokio: bool,
}

/// What a server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Work {
    /// Full handshakes.
    Full,
    /// Handshakes that resume a session.
    Resumed,
    /// It sends a file.
    Encrypt,
    /// It receives and forgets.
    Decrypt,
}

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Full, Self::Resumed, Self::Encrypt, Self::Decrypt];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        }
    }

    pub(crate) const fn is_handshake(self) -> bool {
        matches!(self, Self::Full | Self::Resumed)
    }
}

/// Measures both servers in alternating rounds.
pub(crate) fn compare(
    suite: &'static Suite,
    version: Version,
    work: Work,
    effort: Effort,
) -> Result<Row, PeerError> {
    let release = servers_release(suite);
    let other = if release == Release::V111 { "OpenSSL 1.1.1" } else { "OpenSSL 3" };
    let (ours, theirs) = (
        Started::start(Maker::Ours, work, suite, version, effort)?,
        Started::start(Maker::OpenSsl(release), work, suite, version, effort)?,
    );
    let mut rounds = Vec::new();
    for _ in 0..effort.rounds {
        let mine = cost(&ours, work, suite, version, effort)?;
        rounds.push((mine, cost(&theirs, work, suite, version, effort)?));
    }
    let middle = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let of = |figure: fn(&(Cpu, Cpu)) -> f64| middle(rounds.iter().map(figure).collect());
    let ratio = of(|round| round.1.all / round.0.all);
    let limit = if ratio < 1.0 { limit(suite, work) } else { None };
    let kernel = of(|round| (round.1.all - round.1.user) / round.1.all);
    Ok(Row {
        suite: suite.openssl,
        work,
        other,
        aim: aim(suite, work, release),
        ours: of(|round| round.0.all),
        theirs: of(|round| round.1.all),
        ratio,
        ours_user: of(|round| round.0.user),
        theirs_user: of(|round| round.1.user),
        user_ratio: of(|round| round.1.user / round.0.user),
        kernel,
        most_ratio: 1.0 / kernel,
        limit,
    })
}

/// The ratio that the project promises, for the suites that it promises one for.
///
/// Beside OpenSSL 1.1.1 there is none for handshakes that resume a session: its own part of them is so short that the
/// kernel's work for the connection, which both servers need, is half of the time or more. Twice as fast would leave next to
/// nothing for the server itself, or less than that.
fn aim(suite: &Suite, work: Work, release: Release) -> Option<f64> {
    let is_promised = PROMISED.contains(&suite.openssl);
    match work {
        Work::Full => is_promised.then_some(1.0),
        Work::Resumed => (is_promised && release != Release::V111).then_some(2.0),
        // The two whose loops of cipher and MAC have a floor.
        Work::Encrypt | Work::Decrypt if matches!(suite.openssl, "RC4-MD5" | "AES128-SHA" | "AES256-SHA") => {
            Some(0.9)
        }
        Work::Encrypt | Work::Decrypt => is_promised.then_some(1.0),
    }
}

/// Microseconds that our primitives alone take, where they are measured.
fn limit(suite: &Suite, work: Work) -> Option<f64> {
    let per_second = match work {
        Work::Full => rates::rsa(1.0).ok()?,
        Work::Resumed => return None,
        Work::Encrypt | Work::Decrypt => {
            let measured = rates::SUITES.into_iter().find(|row| row.name == suite.openssl)?;
            measured.limit(work == Work::Decrypt, 1.0).ok()?
        }
    };
    Some(1e6 / per_second)
}

/// Whether these suites are measured beside the same OpenSSL.
pub(crate) fn is_beside_the_same(one: &Suite, other: &Suite) -> bool {
    servers_release(one) == servers_release(other)
}

/// Debian's OpenSSL where it has the suite.
fn servers_release(suite: &Suite) -> Release {
    if suite.name.contains("RC4") || suite.name.contains("DES") { Release::V111 } else { Release::System }
}

/// Microseconds of the server's CPU, per handshake or per megabyte.
fn cost(
    server: &Started,
    work: Work,
    suite: &'static Suite,
    version: Version,
    effort: Effort,
) -> Result<Cpu, PeerError> {
    let before = server.cpu()?;
    let units = match work {
        Work::Full | Work::Resumed => handshakes(server.port(), work, suite, version, effort.seconds)?,
        Work::Encrypt | Work::Decrypt => {
            records(server, work, suite, version, effort.megabytes)?;
            effort.megabytes as f64
        }
    };
    let after = server.cpu()?;
    let per_unit = |seconds: f64| seconds * 1e6 / units;
    Ok(Cpu { all: per_unit(after.all - before.all), user: per_unit(after.user - before.user) })
}

/// As many as go into so many seconds, and how many that were.
fn handshakes(
    port: u16,
    work: Work,
    suite: &'static Suite,
    version: Version,
    seconds: u32,
) -> Result<f64, PeerError> {
    let ciphers = offer(Peer::OpenSsl, version, &[suite]);
    let printed = openssl::time(port, version, &ciphers, work == Work::Resumed, seconds)?;
    // 1234 connections in 3 real seconds, 0 bytes read per connection
    let line = printed.lines().find(|line| line.contains(" real seconds"));
    let count = line.and_then(|line| line.split_once(" connections in "));
    let count = count.and_then(|(count, _)| count.trim().parse::<f64>().ok()).filter(|&count| count > 0.0);
    count.ok_or_else(|| PeerError::new(format!("s_time counted nothing:\n{printed}")))
}

fn records(
    server: &Started,
    work: Work,
    suite: &'static Suite,
    version: Version,
    megabytes: u64,
) -> Result<(), PeerError> {
    let options = ClientOptions::trusting(server.port(), Pki::find()?.root()?)
        .version(version)
        .ciphers(&offer(Peer::OpenSsl, version, &[suite]))
        .bytes(megabytes * 1_000_000);
    let mut client = openssl::Client::start_of(Release::V111, &options, openssl::Mode::Pipe)?;
    client.set_patience(Duration::from_secs(60 + megabytes));
    match work {
        Work::Encrypt => {
            fetch(&mut client, server.path(), options.content().length())?;
        }
        Work::Full | Work::Resumed | Work::Decrypt => {
            let chunk = options.content().chunk(0, 1_000_000);
            for _ in 0..megabytes {
                client.send(&chunk)?;
            }
        }
    }
    client.wait()?;
    Ok(())
}
