//! `VERSION`: who wrote the sender. It is for people, and decides nothing.

use std::fmt;

use wire::{DecodeError, Reader, Writer};

/// `VERSION`: the version of the sender's operating system.
///
/// ```text
/// ProductMajorVersion    1
/// ProductMinorVersion    1
/// ProductBuild           2   little-endian
/// Reserved               3
/// NTLMRevisionCurrent    1   15
/// ```
///
/// Spec: MS-NLMP section 2.2.2.10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `ProductMajorVersion`.
    pub major: u8,
    /// `ProductMinorVersion`.
    pub minor: u8,
    /// `ProductBuild`.
    pub build: u16,
    /// `NTLMRevisionCurrent`.
    pub revision: u8,
}

impl Version {
    /// What we say: no operating system, in the revision of the protocol that everybody speaks.
    pub(crate) const OURS: Self = Self { major: 0, minor: 0, build: 0, revision: 15 };

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [major, minor, low, high, _, _, _, revision] = reader.array("Version")?;
        Ok(Self { major, minor, build: u16::from_le_bytes([low, high]), revision })
    }

    pub(super) fn encode(self, writer: &mut Writer) {
        writer.bytes(&[self.major, self.minor]);
        writer.u16_le(self.build);
        writer.bytes(&[0, 0, 0, self.revision]);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{} (NTLM {})", self.major, self.minor, self.build, self.revision)
    }
}
