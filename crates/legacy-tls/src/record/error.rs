//! Why a record was not sealed or not opened.

use thiserror::Error;

/// Why a record was not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The record is not what the peer sent: its MAC, its padding or its length is wrong. There is no saying which, since
    /// the answer would help to decrypt (TLS12 section 6.2.3.2).
    #[error("a record is not authentic")]
    BadMac,
    /// The record, or the plaintext in it, is longer than it may be.
    #[error("a record of {length} bytes, of which at most {maximum} are allowed")]
    Overflow {
        /// The length that it has, in bytes.
        length: usize,
        /// The length that it may have, in bytes.
        maximum: usize,
    },
    /// A record of a type that does not exist.
    #[error("a record of the unknown type {content_type}")]
    UnknownContentType {
        /// The number of the type.
        content_type: u8,
    },
    /// These bytes begin no record.
    #[error("{first:02x?} is not the beginning of a record")]
    NotARecord {
        /// What stands where a header should be.
        first: [u8; 5],
    },
    /// The record has another version than the one that was negotiated.
    #[error("a record of version {received:#06x} in a connection of version {expected:#06x}")]
    WrongVersion {
        /// The version in the record.
        received: u16,
        /// The version of the connection.
        expected: u16,
    },
    /// The key has protected as much data as its cipher allows; only new keys help.
    #[error("the key has protected as much data as it may")]
    KeyUsedUp,
    /// The number of the next record would have no successor.
    #[error("the sequence number of records is used up")]
    SequenceOverflow,
    /// The source of randomness has failed.
    #[error("there was no randomness for an initialization vector")]
    Random,
    /// A mistake of the caller, not of the peer.
    #[error("internal error of the record layer: {0}")]
    Internal(&'static str),
}
