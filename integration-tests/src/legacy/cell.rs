//! The cells of the two tables: suites, and what else is tried.

use std::fmt;

use super::{Key, SUITES, Suite};
use crate::matrix::Role;
use crate::peers::{Peer, Version};

/// A suite in a version with a peer that has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    /// With whom.
    pub peer: Peer,
    /// What the peer does.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// The suite.
    pub suite: &'static Suite,
}

impl Cell {
    /// All that a version allows, whether or not the peer has it.
    pub fn all() -> impl Iterator<Item = Self> {
        Group::all().flat_map(Group::cells)
    }

    /// The certificate of the server.
    pub fn key(self) -> Key {
        // It makes no keys for export suites.
        let is_export = self.suite.name.contains("_EXPORT_");
        if (self.peer, self.role) == (Peer::Node, Role::Server) && is_export {
            Key::Rsa512
        } else {
            self.suite.key()
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, role, version, suite } = self;
        write!(f, "{} {} {} {suite}", peer.name(), role.name(), version.key())
    }
}

/// The suites for which a peer needs to be started once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    /// With whom.
    pub peer: Peer,
    /// What the peer does.
    pub role: Role,
    /// The version.
    pub version: Version,
}

impl Group {
    /// All of them, whether or not the peer has anything of it.
    pub fn all() -> impl Iterator<Item = Self> {
        Peer::LEGACY.into_iter().flat_map(|peer| {
            Role::ALL.into_iter().flat_map(move |role| {
                Version::LEGACY.into_iter().map(move |version| Self { peer, role, version })
            })
        })
    }

    /// Its cells.
    pub fn cells(self) -> impl Iterator<Item = Cell> {
        let Self { peer, role, version } = self;
        let legal = SUITES.iter().filter(move |suite| suite.is_legal_in(version));
        legal.map(move |suite| Cell { peer, role, version, suite })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.peer.name(), self.role.name(), self.version.key())
    }
}

macro_rules! features {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $title:literal;)*) => {
        /// What is tried beside the suites.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Feature {
            $($(#[$doc])* $variant,)*
        }

        impl Feature {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in `suites.toml`.
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
    /// A client with an RSA certificate that is required.
    ClientRsa = "client-rsa", "Client certificate RSA";
    /// A client with a DSA certificate that is required.
    ClientDsa = "client-dsa", "Client certificate DSA";
    /// A session that is resumed with a ticket.
    ResumeTicket = "resume-ticket", "Resumption with a ticket";
    /// A session that is resumed by its ID.
    ResumeId = "resume-id", "Resumption by session ID";
    /// Records of every length.
    RecordSizes = "record-sizes", "Records of every length";
    /// Our end sends records without content before, between and behind those with some.
    EmptyOurs = "empty-ours", "Empty records of our end";
    /// The peer sends records without content.
    EmptyPeer = "empty-peer", "Empty records of the peer";
    /// Both ends hide the IV of the next record: one with 1/n-1 splitting, or an empty record.
    SplitBoth = "split-both", "CBC: both ends split records";
    /// Our end splits records, the peer does not.
    SplitOurs = "split-ours", "CBC: our end splits records, the peer does not";
    /// The peer splits records, our end does not.
    SplitPeer = "split-peer", "CBC: the peer splits records, our end does not";
    /// Nobody splits records.
    SplitNone = "split-none", "CBC: nobody splits records";
}

impl Feature {
    /// The versions that have it: from TLS 1.1 on every record has an IV of its own.
    pub const fn versions(self) -> &'static [Version] {
        match self {
            Self::SplitBoth | Self::SplitOurs | Self::SplitPeer | Self::SplitNone => {
                &[Version::Ssl30, Version::Tls10]
            }
            // SSL 3.0 has no extensions.
            Self::ResumeTicket => &[Version::Tls10, Version::Tls11, Version::Tls12],
            Self::ClientRsa
            | Self::ClientDsa
            | Self::ResumeId
            | Self::RecordSizes
            | Self::EmptyOurs
            | Self::EmptyPeer => &Version::LEGACY,
        }
    }

    /// Whether a session is resumed.
    pub const fn resumes(self) -> bool {
        matches!(self, Self::ResumeTicket | Self::ResumeId)
    }

    /// Whether our end sends records without content; `None` if nobody looks at single records.
    pub const fn ours_sends_empty(self) -> Option<bool> {
        match self {
            Self::EmptyOurs => Some(true),
            Self::EmptyPeer => Some(false),
            _ => None,
        }
    }

    /// Whether our end splits records.
    pub const fn ours_splits(self) -> bool {
        !matches!(self, Self::SplitPeer | Self::SplitNone)
    }

    /// Whether the peer splits records; `None` if it may do as it likes.
    pub const fn peer_splits(self) -> Option<bool> {
        match self {
            Self::SplitBoth | Self::SplitPeer => Some(true),
            Self::SplitOurs | Self::SplitNone => Some(false),
            _ => None,
        }
    }
}

/// A feature in a version with a peer that has a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Trial {
    /// With whom.
    pub peer: Peer,
    /// What the peer does.
    pub role: Role,
    /// The version.
    pub version: Version,
    /// What is tried.
    pub feature: Feature,
}

impl Trial {
    /// All that a version has, whether or not the peer has it.
    pub fn all() -> impl Iterator<Item = Self> {
        Group::all().flat_map(Self::of)
    }

    /// Those with a peer that has a role, in a version.
    pub fn of(group: Group) -> impl Iterator<Item = Self> {
        let Group { peer, role, version } = group;
        let known = Feature::ALL.iter().filter(move |feature| feature.versions().contains(&version));
        known.map(move |&feature| Self { peer, role, version, feature })
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, role, version, feature } = self;
        write!(f, "{} {} {} {}", peer.name(), role.name(), version.key(), feature.name())
    }
}
