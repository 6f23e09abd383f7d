//! The cells of the matrix.

use std::fmt;

use crate::peers::{Peer, Version};

/// The peer's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The peer serves, and we connect.
    Server,
    /// The peer connects, and we serve.
    Client,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Server, Self::Client];

    /// The name in `skipped.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $title:literal;)*) => {
        /// What a case tries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Feature {
            $($(#[$doc])* $variant,)*
        }

        impl Feature {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in `skipped.toml`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What the table calls it.
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$variant => $title,)*
                }
            }
        }
    };
}

features! {
    /// Bulk data both ways, every byte checked.
    Data = "data", "Bulk data each way";
    /// A server with an RSA certificate.
    Rsa = "rsa", "Server certificate RSA 2048";
    /// A server with an ECDSA certificate under an intermediate.
    Ecdsa = "ecdsa", "Server certificate ECDSA P-384, with an intermediate";
    /// A client certificate that is required and shown.
    ClientCertificate = "client-certificate", "Client certificate, required";
    /// A client certificate that is asked for, and not there.
    ClientCertificateOptional = "client-certificate-optional", "Client certificate, asked for, none there";
    /// A client certificate that is required, and not there.
    ClientCertificateMissing = "client-certificate-missing", "Client certificate, required, none there: refused";
    /// Client certificates of an unknown CA, and expired ones.
    ClientCertificateRefused = "client-certificate-refused", "Client certificate of an unknown CA, or expired: refused";
    /// A session that is resumed with a ticket.
    ResumeTicket = "resume-ticket", "Resumption with a ticket";
    /// A session that is resumed by its ID.
    ResumeId = "resume-id", "Resumption by session ID";
    /// An application protocol that is agreed on.
    Alpn = "alpn", "ALPN";
    /// The client closes, the server answers, and both see an orderly end.
    CloseNotify = "close-notify", "close_notify both ways";
    /// Keys that are changed under way.
    KeyUpdate = "key-update", "KeyUpdate";
    /// Both ends export the same keying material.
    Exporter = "exporter", "Exporter: the same at both ends";
    /// Both ends have the same tls-unique.
    TlsUnique = "tls-unique", "tls-unique: the same at both ends";
    /// The client refuses a server certificate of an unknown CA, and the server hears it.
    UnknownCa = "unknown-ca", "Server certificate of an unknown CA: refused, alert heard";
    /// The client refuses an expired server certificate, and the server hears it.
    Expired = "expired", "Server certificate expired: refused, alert heard";
    /// The client refuses a server certificate for another name, and the server hears it.
    WrongName = "wrong-name", "Server certificate for another name: refused, alert heard";
    /// We refuse a certificate that a CRL revokes, and take one that it does not.
    RevokedByCrl = "revoked-crl", "Peer's certificate revoked by CRL: refused, alert heard";
    /// A stapled OCSP answer arrives and is judged.
    OcspStaple = "ocsp-staple", "Stapled OCSP answer";
}

impl Feature {
    /// The versions that have it.
    pub const fn versions(self) -> &'static [Version] {
        match self {
            Self::ResumeId | Self::TlsUnique => &[Version::Tls12],
            Self::KeyUpdate => &[Version::Tls13],
            _ => &Version::MODERN,
        }
    }

    /// The roles of the peer that it is about.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            // Our client shows no certificate that the server did not ask for.
            Self::ClientCertificateRefused => &[Role::Client],
            _ => &Role::ALL,
        }
    }
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// With whom.
    pub peer: Peer,
    /// What the peer does.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// What is tried.
    pub feature: Feature,
}

impl Case {
    /// All cases.
    pub fn all() -> impl Iterator<Item = Self> {
        Peer::MODERN.into_iter().flat_map(Self::of)
    }

    /// All cases of a peer.
    pub fn of(peer: Peer) -> impl Iterator<Item = Self> {
        Feature::ALL.iter().flat_map(move |&feature| {
            feature.roles().iter().flat_map(move |&role| {
                feature.versions().iter().map(move |&version| Self { peer, role, version, feature })
            })
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, role, version, feature } = self;
        write!(f, "{} {} {} {}", peer.name(), role.name(), version.key(), feature.name())
    }
}
