//! Protection of records, one direction at a time, shared by SSL 3.0 to TLS 1.2.
//!
//! ```text
//! in clear          header 5 | data
//! stream, NULL      header 5 | data, MAC
//! block, chained    header 5 | data, MAC, padding 0.., padding length 1
//! block, explicit   header 5 | IV, data, MAC, padding 0.., padding length 1
//! AES-GCM           header 5, explicit nonce 8 | data, tag 16
//! ```
//!
//! [`Sealer`] protects what is sent, [`Opener`] opens what was received, both where it lies: after a direction's keys
//! are made, nothing is copied or allocated for a record. In what the versions differ is said by [`Keys`]; no version
//! number is asked here.
//!
//! # What an attacker does not see
//!
//! Whether a record failed for its padding, its MAC or a length inside it: the error is [`RecordError::BadMac`] for
//! all, and for CBC the time and the memory touched depend on the length of the record only.
//!
//! Spec: SSL30 section 5.2; TLS10, TLS11 and TLS12 section 6.2; GCM-SUITES section 3.

mod aead;
mod cbc;
mod error;
mod keys;
mod layout;
mod mac;
mod open;
mod seal;
mod secret_end;
mod stream;
#[cfg(test)]
mod tests;

pub use self::error::RecordError;
pub use self::keys::{Bulk, CbcIv, Keys, MacConstruction, MacKind, Padding};
pub use self::layout::Layout;
pub use self::open::{Need, Opened, Opener};
pub use self::seal::Sealer;

/// Bytes of a record's header: type, version, length.
pub const HEADER_LEN: usize = 5;

/// The most plaintext in one record, in bytes. Spec: TLS12 section 6.2.1.
pub const MAX_PLAINTEXT: usize = 1 << 14;

/// The most that may follow a record's header, in bytes. Spec: TLS12 section 6.2.3.
pub const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 2048;

/// What a record holds.
///
/// Spec: TLS12 section 6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentType(pub u8);

impl ContentType {
    /// The one message after which the sender's new keys are in use.
    pub const CHANGE_CIPHER_SPEC: Self = Self(20);
    /// A warning, or the end.
    pub const ALERT: Self = Self(21);
    /// Messages of the handshake.
    pub const HANDSHAKE: Self = Self(22);
    /// What the application sends.
    pub const APPLICATION_DATA: Self = Self(23);

    /// PCT: data out of band. The number is ours and not on the wire. Spec: PCT1 section 4.3.1.
    pub const OUT_OF_BAND: Self = Self(0xf1);
    /// PCT: the peer wants to negotiate again, and messages follow. The number is ours. Spec: PCT1 section 4.3.2.
    pub const REDO: Self = Self(0xf2);

    /// Whether it is one of the four that there are on the wire.
    #[must_use]
    pub const fn is_known(self) -> bool {
        matches!(self, Self::CHANGE_CIPHER_SPEC | Self::ALERT | Self::HANDSHAKE | Self::APPLICATION_DATA)
    }
}

/// What the MAC or the tag covers beside the data: it is the record's header as its sender means it, and its number.
#[derive(Clone, Copy)]
struct PseudoHeader {
    sequence: u64,
    content_type: ContentType,
    wire_version: u16,
}

impl PseudoHeader {
    /// `sequence 8, type 1, version 2, length 2`, for data of `len` bytes, which may be a secret: no branch is made on it.
    ///
    /// Spec: TLS12 sections 6.2.3.1 and 6.2.3.3.
    fn for_data_of(self, len: usize) -> [u8; 13] {
        let [a, b, c, d, e, f, g, h] = self.sequence.to_be_bytes();
        let [major, minor] = self.wire_version.to_be_bytes();
        let [.., high, low] = len.to_be_bytes();
        [a, b, c, d, e, f, g, h, self.content_type.0, major, minor, high, low]
    }
}
