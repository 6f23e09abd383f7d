//! Programs that look at others: `nmap` and `sslscan` at a server, `tshark` at what went over the wire.
//!
//! Debian's `sslscan` uses an OpenSSL without SSL 2.0 and 3.0. It asks for these two with bytes of its own, and finds out
//! whether a server has them, but no cipher kinds.

use super::process::{Launch, Stdout};
use super::{Files, PeerError, find_program, judge, note};
use crate::wiretap::SERVER_PORT;

/// Such a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanner {
    /// `nmap` with its scripts.
    Nmap,
    /// `sslscan`.
    Sslscan,
    /// `tshark`, Wireshark's dissectors on a terminal.
    Tshark,
}

impl Scanner {
    /// Its command, and its Debian package.
    const fn name(self) -> &'static str {
        match self {
            Self::Nmap => "nmap",
            Self::Sslscan => "sslscan",
            Self::Tshark => "tshark",
        }
    }

    /// For the first line of a test, like [`runnable`](super::runnable).
    ///
    /// # Panics
    ///
    /// If it is missing and the environment says `OPENSSPI_PEERS=required`, as CI does.
    #[must_use]
    pub fn runnable(self) -> bool {
        let name = self.name();
        let missing = find_program(name).is_none();
        let missing = missing.then(|| format!("{name} is not in PATH (Debian: apt-get install {name})"));
        let verdict = judge(missing.into_iter().collect());
        if let Err(reason) = &verdict {
            note(reason);
        }
        verdict.is_ok()
    }

    fn run(self, arguments: &[&str]) -> Result<String, PeerError> {
        let mut launch = Launch::new(self.name(), Stdout::Data);
        launch.arguments(arguments.iter().copied());
        let mut process = launch.start()?;
        process.close_input();
        let printed = process.read_to_end()?;
        if !process.wait()?.success() {
            return Err(process.error("it failed"));
        }
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

/// What nmap's scripts print about a port of 127.0.0.1, whether or not they think that it speaks TLS.
///
/// # Errors
///
/// It failed.
pub fn nmap(scripts: &[&str], port: u16) -> Result<String, PeerError> {
    let forced: Vec<String> = scripts.iter().map(|script| format!("+{script}")).collect();
    let (scripts, port) = (forced.join(","), port.to_string());
    Scanner::Nmap.run(&["--unprivileged", "-sT", "-Pn", "-n", "--script", &scripts, "-p", &port, "127.0.0.1"])
}

/// The protocols that `sslscan` finds enabled on a port of 127.0.0.1, as it writes them, the oldest first.
///
/// # Errors
///
/// It failed.
pub fn sslscan(port: u16) -> Result<Vec<String>, PeerError> {
    let address = format!("127.0.0.1:{port}");
    let printed = Scanner::Sslscan.run(&["--no-colour", "--no-ciphersuites", "--no-groups", &address])?;
    let words = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let enabled = words.filter_map(|words| match words.as_slice() {
        [name, "enabled"] => Some((*name).to_owned()),
        _ => None,
    });
    Ok(enabled.collect())
}

/// What `tshark` reads in a capture of [`Wiretap`](crate::wiretap::Wiretap): one line for each packet, of these fields,
/// with tabs between them, and commas between the values of one field.
///
/// # Errors
///
/// It failed.
pub fn tshark(capture: &[u8], fields: &[&str]) -> Result<Vec<Vec<String>>, PeerError> {
    let files = Files::new()?;
    let file = files.write("capture.pcap", capture)?;
    let port = format!("tcp.port=={SERVER_PORT},tls");
    let mut arguments = vec!["-n", "-r", &file, "-d", &port, "-T", "fields"];
    arguments.extend(fields.iter().flat_map(|field| ["-e", *field]));
    let printed = Scanner::Tshark.run(&arguments)?;
    Ok(printed.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
