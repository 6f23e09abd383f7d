//! Everything in which SSL 3.0, TLS 1.0, TLS 1.1 and TLS 1.2 differ: a row for each.

use std::cmp::Ordering;
use std::fmt::{self, Debug, Display, Formatter};

use crate::record::{CbcIv, MacConstruction, Padding};
use crate::session::MasterSecret;
use crate::tls::alert::AlertDescription;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::keys::{ExportKeys, Randoms};
use crate::tls::transcript::{Transcript, TranscriptHash};

pub(crate) mod downgrade;
mod order;
mod ssl30;
mod tls10;
mod tls11;
mod tls12;

/// A protocol version as on the wire. Versions are ordered by what is preferred: PCT 1.0, whose number is the highest, comes
/// below SSL 3.0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 2.0, draft-hickman-netscape-ssl-00: a protocol of its own.
    pub const SSL20: Self = Self(0x0002);
    /// PCT 1.0, draft-benaloh-pct-00.
    pub const PCT1: Self = Self(0x8001);
    /// SSL 3.0, RFC 6101.
    pub const SSL30: Self = Self(0x0300);
    /// TLS 1.0, RFC 2246.
    pub const TLS10: Self = Self(0x0301);
    /// TLS 1.1, RFC 4346.
    pub const TLS11: Self = Self(0x0302);
    /// TLS 1.2, RFC 5246.
    pub const TLS12: Self = Self(0x0303);
    /// TLS 1.3, RFC 8446: known, but not spoken by this engine.
    pub const TLS13: Self = Self(0x0304);

    /// Those that share a handshake, the newest first.
    pub const ALL: [Self; 4] = [Self::TLS12, Self::TLS11, Self::TLS10, Self::SSL30];

    /// How an alert is numbered in this version.
    #[must_use]
    pub fn alert(self, description: AlertDescription) -> AlertDescription {
        self.rules().map_or(description, |rules| (rules.alert)(description))
    }

    /// Where it stands among the others.
    const fn rank(self) -> u16 {
        if self.0 == Self::PCT1.0 { 0x0201 } else { self.0 }
    }

    /// The rules of a version of the TLS family that the engine speaks.
    pub(crate) const fn rules(self) -> Option<&'static Rules> {
        match self {
            Self::SSL30 => Some(&ssl30::RULES),
            Self::TLS10 => Some(&tls10::RULES),
            Self::TLS11 => Some(&tls11::RULES),
            Self::TLS12 => Some(&tls12::RULES),
            _ => None,
        }
    }
}

impl PartialOrd for ProtocolVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ProtocolVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl Display for ProtocolVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::SSL20 => "SSL 2.0",
            Self::PCT1 => "PCT 1.0",
            Self::SSL30 => "SSL 3.0",
            Self::TLS10 => "TLS 1.0",
            Self::TLS11 => "TLS 1.1",
            Self::TLS12 => "TLS 1.2",
            Self::TLS13 => "TLS 1.3",
            Self(other) => return write!(f, "version {other:04x}"),
        })
    }
}

impl Debug for ProtocolVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// Who sends a Finished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// The content of a Finished message: 12 bytes, in SSL 3.0 36.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct VerifyData {
    bytes: [u8; 36],
    len: usize,
}

impl VerifyData {
    pub(crate) fn new(len: usize, fill: impl FnOnce(&mut [u8])) -> Self {
        let mut data = Self { bytes: [0; 36], len: len.min(36) };
        fill(data.bytes.get_mut(..data.len).unwrap_or_default());
        data
    }
}

impl AsRef<[u8]> for VerifyData {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Debug for VerifyData {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyData({} bytes)", self.len)
    }
}

/// How a version signs.
pub(crate) enum Signatures {
    /// RSA over MD5 and SHA-1 without DigestInfo, DSA and ECDSA over SHA-1. The function hashes the transcript for a
    /// CertificateVerify.
    Md5AndSha1 {
        /// MD5 and SHA-1 of the transcript, as the version makes them.
        of_transcript: fn(&Transcript, &MasterSecret) -> [u8; 36],
    },
    /// By an algorithm that is named beside the signature.
    Negotiated,
}

/// How a client says that it has no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCertificate {
    /// By the warning no_certificate.
    Alert,
    /// By a Certificate message without certificates.
    EmptyMessage,
}

/// Makes a master secret from the premaster secret and the hash of the transcript.
pub(crate) type ExtendedMasterSecret = fn(&SuiteRow, &[u8], &[u8]) -> MasterSecret;
/// Fills keying material for the application from master secret, label and the rest of the seed.
pub(crate) type Exporter = fn(&SuiteRow, &MasterSecret, &[u8], &[&[u8]], &mut [u8]);

/// Everything in which the versions differ.
pub(crate) struct Rules {
    pub(crate) version: ProtocolVersion,
    /// What the transcript is hashed with.
    pub(crate) transcript: fn(&SuiteRow) -> TranscriptHash,
    /// The master secret from the premaster secret.
    pub(crate) master_secret: fn(&SuiteRow, &[u8], &Randoms) -> MasterSecret,
    /// The same bound to the handshake, from the premaster secret and the hash of the transcript.
    pub(crate) extended_master_secret: Option<ExtendedMasterSecret>,
    /// Fills the key block.
    pub(crate) key_block: fn(&SuiteRow, &MasterSecret, &Randoms, &mut [u8]),
    /// Stretches the keys of an export suite.
    pub(crate) export_keys: Option<fn(&Randoms, &mut ExportKeys<'_>)>,
    /// What a Finished message holds.
    pub(crate) verify_data: fn(&SuiteRow, &MasterSecret, &Transcript, Sender) -> VerifyData,
    /// Keying material for the application.
    pub(crate) exporter: Option<Exporter>,
    pub(crate) signatures: Signatures,
    /// Whether a signature of DSA may also be `r` and `s` side by side, without DER around them: so NSS signs in SSL 3.0.
    pub(crate) has_raw_dsa: bool,
    pub(crate) no_certificate: NoCertificate,
    /// Whether the encrypted premaster secret has a length in front of it.
    pub(crate) premaster_has_length: bool,
    /// Whether a ServerHello may have extensions.
    pub(crate) has_extensions: bool,
    pub(crate) mac: MacConstruction,
    pub(crate) padding: Padding,
    pub(crate) cbc_iv: CbcIv,
    /// The alert with which the version says what a newer one would say so; `None`: it says nothing.
    pub(crate) alert: fn(AlertDescription) -> AlertDescription,
}
