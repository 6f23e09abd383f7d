//! The versions that a peer can be told to speak.

use std::fmt;

/// The one protocol version that a peer is to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// SSL 2.0.
    Ssl20,
    /// SSL 3.0.
    Ssl30,
    /// TLS 1.0.
    Tls10,
    /// TLS 1.1.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// Those that everybody should speak.
    pub const MODERN: [Self; 2] = [Self::Tls12, Self::Tls13];

    /// Those of the old protocols and suites that have records of TLS.
    pub const LEGACY: [Self; 4] = [Self::Ssl30, Self::Tls10, Self::Tls11, Self::Tls12];

    /// As OpenSSL, Java and [`Negotiated::version`](super::Negotiated::version) print it: `TLSv1.2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl20 => "SSLv2",
            Self::Ssl30 => "SSLv3",
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }

    /// As people say it: `TLS 1.2`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ssl20 => "SSL 2.0",
            Self::Ssl30 => "SSL 3.0",
            Self::Tls10 => "TLS 1.0",
            Self::Tls11 => "TLS 1.1",
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }

    /// As our configuration and the lists of what is left out call it: `tls1.2`.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Ssl20 => "ssl2",
            Self::Ssl30 => "ssl3",
            Self::Tls10 => "tls1.0",
            Self::Tls11 => "tls1.1",
            Self::Tls12 => "tls1.2",
            Self::Tls13 => "tls1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
