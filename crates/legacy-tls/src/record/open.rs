//! The receiving direction.

use core::fmt::{self, Debug, Formatter};
use core::ops::Range;

use crate::pct1::records as pct1;

use super::aead::Gcm;
use super::cbc::CbcOpener;
use super::seal::mac;
use super::stream::Stream;
use super::{Bulk, ContentType, HEADER_LEN, Keys, MAX_CIPHERTEXT, MAX_PLAINTEXT, PseudoHeader, RecordError};
use crate::ssl2;

/// The receiving direction: it turns records into data.
///
/// After an error it says the same again, since what follows a lost record cannot be judged.
pub struct Opener {
    protection: Protection,
    /// The version that a record must have; before one is negotiated any of major version 3 will do.
    version: Option<u16>,
    sequence: u64,
    opened: u64,
    data_limit: u64,
    failed: Option<RecordError>,
}

/// Each in its own piece of memory: expanded keys are large, and what holds them moves.
enum Protection {
    Clear,
    Stream(Box<Stream>),
    Cbc(Box<CbcOpener>),
    Gcm(Box<Gcm>),
    /// Records of another shape altogether.
    Ssl2(Box<ssl2::record::Opening>),
    Pct1(Box<pct1::Opener>),
}

/// Whether a whole record is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It is, header and all: its length in bytes.
    Whole(usize),
    /// At least so many bytes are missing.
    More(usize),
}

/// One record that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What it holds.
    pub content_type: ContentType,
    /// Where in the record its content lies.
    pub content: Range<usize>,
}

impl Opener {
    /// Records in clear, as every connection begins.
    #[must_use]
    pub const fn plaintext() -> Self {
        Self {
            protection: Protection::Clear,
            version: None,
            sequence: 0,
            opened: 0,
            data_limit: u64::MAX,
            failed: None,
        }
    }

    /// Records of PCT 1.0.
    pub(crate) fn pct1(opener: pct1::Opener) -> Self {
        Self { protection: Protection::Pct1(Box::new(opener)), ..Self::plaintext() }
    }

    /// The direction of a connection of PCT 1.0.
    pub(crate) fn into_pct1(self) -> Option<pct1::Opener> {
        match self.protection {
            Protection::Pct1(opener) => Some(*opener),
            _ => None,
        }
    }

    /// Opens what was protected with `keys`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Internal`] if a key has another length than its cipher, or a MAC is missing.
    pub fn new(keys: &Keys<'_>) -> Result<Self, RecordError> {
        let protection = match keys.bulk {
            Bulk::Null => Protection::Stream(Box::new(Stream::new(None, mac(keys)?, keys.mac_secret)?)),
            Bulk::Rc4 => {
                Protection::Stream(Box::new(Stream::new(Some(keys.key), mac(keys)?, keys.mac_secret)?))
            }
            Bulk::Cbc(cipher) => Protection::Cbc(Box::new(CbcOpener::new(cipher, keys, mac(keys)?)?)),
            Bulk::Aead(algorithm) => Protection::Gcm(Box::new(Gcm::new(algorithm, keys.key, keys.iv)?)),
        };
        Ok(Self {
            protection,
            version: Some(keys.wire_version),
            sequence: 0,
            opened: 0,
            data_limit: keys.data_limit,
            failed: None,
        })
    }

    /// Records of SSL 2.0, whose handshake is over.
    pub(crate) fn ssl2(opening: ssl2::record::Opening) -> Self {
        Self { protection: Protection::Ssl2(Box::new(opening)), ..Self::plaintext() }
    }

    /// From now on records must have this version, which was negotiated.
    pub const fn set_version(&mut self, version: u16) {
        self.version = Some(version);
    }

    /// Whether the peer has protected as much data with its key as it may, so that new keys are due.
    #[must_use]
    pub const fn is_used_up(&self) -> bool {
        match &self.protection {
            Protection::Ssl2(opening) => opening.is_used_up(),
            Protection::Pct1(opener) => opener.is_used_up(),
            _ => self.opened >= self.data_limit,
        }
    }

    /// How long the record is that begins `input`, header and all.
    ///
    /// # Errors
    ///
    /// [`RecordError::NotARecord`], [`RecordError::UnknownContentType`], [`RecordError::WrongVersion`] or
    /// [`RecordError::Overflow`], as soon as the header is there.
    pub fn record_len(&self, input: &[u8]) -> Result<Need, RecordError> {
        match self.protection {
            Protection::Ssl2(_) => return ssl2::record::Header::record_len(input),
            Protection::Pct1(_) => return Ok(pct1::record_len(input)),
            _ => {}
        }
        let Some((header, fragment)) = input.split_first_chunk::<HEADER_LEN>() else {
            return Ok(Need::More(HEADER_LEN - input.len()));
        };
        let [content_type, major, minor, high, low] = *header;
        if major != 3 {
            return Err(RecordError::NotARecord { first: *header });
        }
        if !ContentType(content_type).is_known() {
            return Err(RecordError::UnknownContentType { content_type });
        }
        let received = u16::from_be_bytes([major, minor]);
        if let Some(expected) = self.version.filter(|&version| version != received) {
            return Err(RecordError::WrongVersion { received, expected });
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let maximum = match self.protection {
            Protection::Clear => MAX_PLAINTEXT,
            _ => MAX_CIPHERTEXT,
        };
        if length > maximum {
            return Err(RecordError::Overflow { length, maximum });
        }
        Ok(match length.checked_sub(fragment.len()) {
            None | Some(0) => Need::Whole(HEADER_LEN + length),
            Some(missing) => Need::More(missing),
        })
    }

    /// Opens `record`, which is one whole record, where it lies.
    ///
    /// # Errors
    ///
    /// [`RecordError::BadMac`], whatever was wrong inside; [`RecordError::Overflow`] for an authentic record with too
    /// much data; those of [`Opener::record_len`]. What lies in `record` is wiped then, and the direction is at its end.
    pub fn open(&mut self, record: &mut [u8]) -> Result<Opened, RecordError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let opened = self.open_next(record);
        if let Err(error) = opened {
            self.failed = Some(error);
            record.fill(0);
        }
        opened
    }

    fn open_next(&mut self, record: &mut [u8]) -> Result<Opened, RecordError> {
        const NOT_ONE: RecordError = RecordError::Internal("not exactly one record was given to be opened");
        if self.record_len(record)? != Need::Whole(record.len()) {
            return Err(NOT_ONE);
        }
        match &mut self.protection {
            Protection::Ssl2(opening) => return opening.open(record),
            Protection::Pct1(opener) => return opener.open(record),
            _ => {}
        }
        let (header, fragment) = record.split_first_chunk_mut::<HEADER_LEN>().ok_or(NOT_ONE)?;
        let [content_type, major, minor, ..] = *header;
        let pseudo_header = PseudoHeader {
            sequence: self.sequence,
            content_type: ContentType(content_type),
            wire_version: u16::from_be_bytes([major, minor]),
        };
        let next = self.sequence.checked_add(1).ok_or(RecordError::SequenceOverflow)?;
        let content = match &mut self.protection {
            Protection::Clear => 0..fragment.len(),
            Protection::Stream(stream) => stream.open(pseudo_header, fragment)?,
            Protection::Cbc(cbc) => cbc.open(pseudo_header, fragment)?,
            Protection::Gcm(gcm) => gcm.open(pseudo_header, fragment)?,
            Protection::Ssl2(_) | Protection::Pct1(_) => return Err(NOT_ONE),
        };
        self.sequence = next;
        self.opened = self.opened.saturating_add(u64::try_from(content.len()).unwrap_or(u64::MAX));
        if content.len() > MAX_PLAINTEXT {
            return Err(RecordError::Overflow { length: content.len(), maximum: MAX_PLAINTEXT });
        }
        Ok(Opened {
            content_type: ContentType(content_type),
            content: HEADER_LEN + content.start..HEADER_LEN + content.end,
        })
    }
}

#[cfg(test)]
impl Opener {
    pub(super) const fn version(&self) -> Option<u16> {
        self.version
    }

    pub(super) const fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }
}

impl Debug for Opener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("version", &self.version)
            .field("sequence", &self.sequence)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}
