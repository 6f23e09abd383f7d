//! The peers by name.

use std::process::Command;
use std::{fmt, io};

use super::{curl, gnutls, installed, java, nss, openssl, python};

/// Programs that speak TLS and that we did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Peer {
    /// `openssl`, 3.0 or later.
    OpenSsl,
    /// OpenSSL 1.1.1w with SSL 3.0 and what its makers call weak.
    OpenSsl111,
    /// `gnutls-serv` and `gnutls-cli`.
    GnuTls,
    /// `curl` with https.
    Curl,
    /// `python3` with its ssl module.
    Python,
    /// `java` and `javac`, 17 or later.
    Java,
    /// NSS's `selfserv` and `tstclnt`.
    Nss,
    /// tlslite-ng.
    Tlslite,
    /// scapy.
    Scapy,
    /// Node.js 0.10 with OpenSSL 1.0.1g.
    Node,
    /// nassl with OpenSSL 1.0.2e.
    Nassl,
}

impl Peer {
    /// Those of the matrix of TLS 1.2 and 1.3.
    pub const MODERN: [Self; 5] = [Self::OpenSsl, Self::GnuTls, Self::Curl, Self::Python, Self::Java];

    /// Those of the table of old protocols and suites.
    pub const LEGACY: [Self; 9] = [
        Self::OpenSsl,
        Self::OpenSsl111,
        Self::Node,
        Self::Nassl,
        Self::Java,
        Self::Nss,
        Self::GnuTls,
        Self::Tlslite,
        Self::Scapy,
    ];

    /// Whether it can be run here.
    ///
    /// # Errors
    ///
    /// What is missing, and what brings it.
    pub fn available(self) -> Result<(), String> {
        match self {
            Self::OpenSsl => openssl::available(),
            Self::GnuTls => gnutls::available(),
            Self::Curl => curl::available(),
            Self::Python => python::available(),
            Self::Java => java::available(),
            Self::Nss => nss::available(),
            Self::OpenSsl111 => installed("openssl111").map(drop),
            Self::Tlslite | Self::Scapy | Self::Nassl => installed("python").map(drop),
            Self::Node => installed("node").map(drop),
        }
    }

    /// Whether a machine may be without it even where `OPENSSPI_PEERS=required`: it takes minutes to build.
    pub const fn is_optional(self) -> bool {
        matches!(self, Self::OpenSsl111)
    }

    /// The name by which the tables and the lists of what is left out call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::OpenSsl111 => "openssl111",
            Self::GnuTls => "gnutls",
            Self::Curl => "curl",
            Self::Python => "python",
            Self::Java => "java",
            Self::Nss => "nss",
            Self::Tlslite => "tlslite",
            Self::Scapy => "scapy",
            Self::Node => "node",
            Self::Nassl => "nassl",
        }
    }

    /// Its version as it prints it, the first line.
    ///
    /// # Errors
    ///
    /// It could not be run.
    pub fn version(self) -> io::Result<String> {
        const PYTHON: &str =
            "import sys, ssl; print('Python', sys.version.split()[0], 'with', ssl.OPENSSL_VERSION)";
        const NODE: &str = "'Node.js ' + process.version + ' with OpenSSL ' + process.versions.openssl";
        match self {
            Self::OpenSsl => first_line("openssl", &["version"]),
            Self::OpenSsl111 => first_line(&program("openssl111", "openssl")?, &["version"]),
            Self::GnuTls => first_line("gnutls-cli", &["--version"]),
            Self::Curl => first_line("curl", &["-q", "--version"]),
            Self::Python => first_line("python3", &["-c", PYTHON]),
            Self::Java => first_line("java", &["--version"]),
            // Its programs do not tell.
            Self::Nss => first_line("dpkg-query", &["--show", "libnss3-tools"]),
            Self::Node => first_line(&program("node", "bin/node")?, &["-p", NODE]),
            Self::Tlslite => distribution("tlslite-ng", ""),
            Self::Scapy => distribution("scapy", ""),
            Self::Nassl => distribution("nassl", " with OpenSSL 1.0.2e"),
        }
    }

    /// As people call it.
    const fn title(self) -> &'static str {
        match self {
            Self::OpenSsl => "OpenSSL",
            Self::OpenSsl111 => "OpenSSL 1.1.1",
            Self::GnuTls => "GnuTLS",
            Self::Curl => "curl",
            Self::Python => "Python's ssl",
            Self::Java => "Java's JSSE",
            Self::Nss => "NSS",
            Self::Tlslite => "tlslite-ng",
            Self::Scapy => "scapy",
            Self::Node => "Node.js 0.10",
            Self::Nassl => "nassl",
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

fn first_line(program: &str, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(printed.lines().next().unwrap_or_default().replace('\t', " "))
}

fn program(part: &str, file: &str) -> io::Result<String> {
    let folder = installed(part).map_err(io::Error::other)?;
    Ok(folder.join(file).to_string_lossy().into_owned())
}

fn distribution(name: &str, with: &str) -> io::Result<String> {
    let script =
        format!("from importlib.metadata import version; print('{name}', version('{name}') + '{with}')");
    first_line(&program("python", "bin/python")?, &["-c", &script])
}
