//! Applications that people run, with the program `opensspi` at the other end: servers that begin TLS inside their own
//! protocol, a browser, and Node.js.
//!
//! They are tried by `cargo xtask interop --full` only, which brings the Debian packages that they need. The packages are
//! unpacked, not installed: see `view.rs`.

mod browser;
mod command;
mod node;
mod servers;
mod view;

use std::fmt;

use crate::matrix::Outcome;
use crate::peers::{PeerError, Version, find_program};
use servers::Dialogue;

pub use command::Opensspi;
pub use view::Packages;

macro_rules! applications {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $title:literal, $package:literal, $needs:expr;)*) => {
        /// An application.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Application {
            $($(#[$doc])* $variant,)*
        }

        impl Application {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it does, for the table.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }

            /// The Debian package that it comes in.
            pub const fn package(self) -> &'static str {
                match self {
                    $(Self::$variant => $package,)*
                }
            }

            /// The files without which it cannot be run.
            const fn needs(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &$needs,)*
                }
            }
        }
    };
}

applications! {
    /// SMTP.
    Exim = "exim", "Exim: SMTP, STARTTLS", "exim4-daemon-light", ["/usr/sbin/exim4"];
    /// IMAP.
    DovecotImap = "dovecot-imap", "Dovecot: IMAP, STARTTLS", "dovecot-imapd", ["/usr/lib/dovecot/imap-login"];
    /// POP3.
    DovecotPop3 = "dovecot-pop3", "Dovecot: POP3, STLS", "dovecot-pop3d", ["/usr/lib/dovecot/pop3-login"];
    /// LDAP.
    Slapd = "slapd", "OpenLDAP's slapd: LDAP, StartTLS", "slapd", ["/usr/sbin/slapd"];
    /// FTP.
    Vsftpd = "vsftpd", "vsftpd: FTP, AUTH TLS; it closes without close_notify", "vsftpd", ["/usr/sbin/vsftpd"];
    /// NNTP.
    Inn = "inn", "INN: NNTP, STARTTLS", "inn2", ["/usr/lib/news/bin/nnrpd-ssl", "/usr/lib/news/bin/innbind"];
    /// The protocol of PostgreSQL.
    PostgreSql = "postgresql", "PostgreSQL: SSLRequest", "postgresql-15", [];
    /// HTTP with an upgrade inside.
    Cups = "cups", "CUPS: HTTP, upgraded as in RFC 2817", "cups-daemon", ["/usr/sbin/cupsd"];
    /// A browser.
    Chromium = "chromium", "Chromium opens the page of `serve --http`, refuses an unknown authority, and logs on with NTLM, Negotiate and Digest", "chromium",
        ["/usr/lib/chromium/chromium", "/usr/bin/certutil"];
    /// A server of Node.js.
    NodeServer = "node-server", "Node.js serves an echo", "nodejs", [];
    /// A client of Node.js.
    NodeClient = "node-client", "Node.js gets the page of `serve --http`, and resumes", "nodejs", [];
}

impl Application {
    fn dialogue(self) -> Option<&'static Dialogue> {
        match self {
            Self::Exim => Some(&servers::EXIM),
            Self::DovecotImap => Some(&servers::DOVECOT_IMAP),
            Self::DovecotPop3 => Some(&servers::DOVECOT_POP3),
            Self::Slapd => Some(&servers::SLAPD),
            Self::Vsftpd => Some(&servers::VSFTPD),
            Self::Inn => Some(&servers::INN),
            Self::PostgreSql => Some(&servers::POSTGRESQL),
            Self::Cups => Some(&servers::CUPS),
            Self::Chromium | Self::NodeServer | Self::NodeClient => None,
        }
    }

    /// Its version, as its package has it.
    pub fn version(self, packages: &Packages) -> String {
        match self {
            Self::NodeServer | Self::NodeClient => node_version(),
            Self::PostgreSql => {
                let version = servers::postgresql_version(packages).unwrap_or_default();
                packages.version(&format!("postgresql-{version}"))
            }
            _ => packages.version(self.package()),
        }
    }

    /// Whether it can be run here.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn available(self, packages: &Packages) -> Result<(), String> {
        let package = self.package();
        let missing = |what: &str| Err(format!("{what} is not there (Debian package {package})"));
        match self {
            Self::NodeServer | Self::NodeClient if find_program("node").is_none() => return missing("node"),
            Self::NodeServer | Self::NodeClient => return Ok(()),
            Self::PostgreSql if servers::postgresql_version(packages).is_none() => {
                return missing("postgres");
            }
            _ => {}
        }
        match self.needs().iter().find(|file| !packages.has(file)) {
            Some(file) => missing(file),
            None => view::possible(packages),
        }
    }
}

fn node_version() -> String {
    let output = std::process::Command::new("node").arg("--version").output();
    output.map_or_else(
        |error| error.to_string(),
        |output| format!("Node.js {}", String::from_utf8_lossy(&output.stdout).trim()),
    )
}

/// One cell: an application and a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// With whom.
    pub application: Application,
    /// In which version.
    pub version: Version,
}

impl Cell {
    /// All cells.
    pub fn all() -> impl Iterator<Item = Self> {
        Application::ALL
            .iter()
            .flat_map(|&application| Version::MODERN.map(|version| Self { application, version }))
    }

    /// Runs it, if what it needs is there.
    pub fn run(self, packages: &Packages, opensspi: &Result<Opensspi, String>) -> Outcome {
        if let Err(missing) = self.application.available(packages) {
            return Outcome::NotRun(missing);
        }
        match opensspi {
            Err(missing) => Outcome::NotRun(missing.clone()),
            Ok(opensspi) => match self.outcome(packages, opensspi) {
                Ok(()) => Outcome::Ok,
                Err(error) => Outcome::Failed(error.into()),
            },
        }
    }

    fn outcome(self, packages: &Packages, opensspi: &Opensspi) -> Result<(), PeerError> {
        let Self { application, version } = self;
        match (application.dialogue(), application) {
            (Some(dialogue), _) => servers::run(dialogue, packages, opensspi, version),
            (None, Application::NodeServer) => node::serves(opensspi, version),
            (None, Application::NodeClient) => node::connects(opensspi, version),
            (None, _) => browser::run(packages, opensspi, version),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.application.name(), self.version.key())
    }
}
