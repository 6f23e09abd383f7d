//! The sending direction.

use core::fmt::{self, Debug, Formatter};
use core::ops::Range;
use std::sync::Arc;

use crypto::aead::TAG_LEN;
use crypto::random::Random;

use crate::pct1::records as pct1;

use super::aead::{EXPLICIT_NONCE_LEN, Gcm, RECORD_LIMIT};
use super::cbc::CbcSealer;
use super::stream::Stream;
use super::{
    Bulk, CbcIv, ContentType, HEADER_LEN, Keys, Layout, MAX_PLAINTEXT, MacKind, PseudoHeader, RecordError,
};
use crate::ssl2;
use crate::tls::versions::ProtocolVersion;

/// The sending direction: it turns data into records.
pub struct Sealer {
    protection: Protection,
    wire_version: u16,
    sequence: u64,
    record_limit: u64,
    sealed: u64,
    data_limit: u64,
    split: bool,
}

/// Each in its own piece of memory: expanded keys are large, and what holds them moves.
enum Protection {
    Clear,
    Stream(Box<Stream>),
    Cbc(Box<CbcSealer>),
    Gcm(Box<Gcm>),
    /// Records of another shape altogether.
    Ssl2(Box<ssl2::record::Sealing>),
    /// The same.
    Pct1(Box<pct1::Sealer>),
}

impl Sealer {
    /// Records in clear, as every connection begins.
    #[must_use]
    pub const fn plaintext(wire_version: u16) -> Self {
        Self {
            protection: Protection::Clear,
            wire_version,
            sequence: 0,
            record_limit: u64::MAX,
            sealed: 0,
            data_limit: u64::MAX,
            split: false,
        }
    }

    /// Records of PCT 1.0.
    pub(crate) fn pct1(sealer: pct1::Sealer) -> Self {
        Self { protection: Protection::Pct1(Box::new(sealer)), ..Self::plaintext(0) }
    }

    /// The direction of a connection of PCT 1.0.
    pub(crate) fn into_pct1(self) -> Option<pct1::Sealer> {
        match self.protection {
            Protection::Pct1(sealer) => Some(*sealer),
            _ => None,
        }
    }

    /// Appends `data` to `out` as what the peer receives out of band: an escape, and a record. Only PCT 1.0 has it.
    ///
    /// # Errors
    ///
    /// As [`Sealer::seal`]; [`RecordError::Internal`] for another protocol.
    ///
    /// Spec: PCT1 section 4.3.1.
    pub fn seal_out_of_band(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let Protection::Pct1(sealer) = &mut self.protection else {
            return Err(RecordError::Internal("no data out of band in this protocol"));
        };
        if sealer.is_used_up() {
            return Err(RecordError::KeyUsedUp);
        }
        sealer.append(&[pct1::OOB_DATA], true, out)?;
        sealer.append(data, false, out)
    }

    /// Protects with `keys`; `random` yields explicit initialization vectors.
    ///
    /// # Errors
    ///
    /// [`RecordError::Internal`] if a key has another length than its cipher, or a MAC is missing.
    pub fn new(keys: &Keys<'_>, random: Arc<dyn Random>) -> Result<Self, RecordError> {
        let protection = match keys.bulk {
            Bulk::Null => Protection::Stream(Box::new(Stream::new(None, mac(keys)?, keys.mac_secret)?)),
            Bulk::Rc4 => {
                Protection::Stream(Box::new(Stream::new(Some(keys.key), mac(keys)?, keys.mac_secret)?))
            }
            Bulk::Cbc(cipher) => Protection::Cbc(Box::new(CbcSealer::new(cipher, keys, mac(keys)?, random)?)),
            Bulk::Aead(algorithm) => Protection::Gcm(Box::new(Gcm::new(algorithm, keys.key, keys.iv)?)),
        };
        let is_chained = matches!(protection, Protection::Cbc(_)) && keys.cbc_iv == CbcIv::Chained;
        let record_limit = if matches!(protection, Protection::Gcm(_)) { RECORD_LIMIT } else { u64::MAX };
        Ok(Self {
            protection,
            wire_version: keys.wire_version,
            sequence: 0,
            record_limit,
            sealed: 0,
            data_limit: keys.data_limit,
            split: keys.split && is_chained,
        })
    }

    /// Records of SSL 2.0, whose handshake is over.
    pub(crate) fn ssl2(sealing: ssl2::record::Sealing) -> Self {
        let protection = Protection::Ssl2(Box::new(sealing));
        Self { protection, ..Self::plaintext(ProtocolVersion::SSL20.0) }
    }

    /// Changes the version in the header, while records are in clear: a first hello goes out before one is negotiated.
    /// Under protection the version is part of the keys and stays.
    pub const fn set_wire_version(&mut self, wire_version: u16) {
        if matches!(self.protection, Protection::Clear) {
            self.wire_version = wire_version;
        }
    }

    /// What room application data needs around it. It is the same for all records of a direction.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match &self.protection {
            Protection::Ssl2(sealing) => return sealing.layout(),
            Protection::Pct1(sealer) => return sealer.layout(),
            _ => {}
        }
        let (prefix, trailer) = (self.prefix(), self.trailer());
        let header = if self.split { self.first_record_len() + HEADER_LEN - 1 } else { HEADER_LEN + prefix };
        let block = match &self.protection {
            Protection::Cbc(cbc) => cbc.block_len(),
            _ => 1,
        };
        Layout { header, trailer, block, max_data: MAX_PLAINTEXT }
    }

    /// Whether the key has protected as much data as it may. Application data is refused then; the alerts and the
    /// handshake that follow are not.
    #[must_use]
    pub const fn is_used_up(&self) -> bool {
        match &self.protection {
            Protection::Ssl2(sealing) => sealing.is_used_up(),
            Protection::Pct1(sealer) => sealer.is_used_up(),
            _ => self.sealed >= self.data_limit || self.sequence >= self.record_limit,
        }
    }

    /// Protects the data at `data` in `memory` where they lie, and returns where in `memory` the record is, or the two
    /// records are, since [`Keys::split`] makes two of more than one byte of application data. Memory outside the
    /// returned range is not touched, but for a place in front of it that a split leaves over.
    ///
    /// The room around the data must be that of [`Sealer::layout`].
    ///
    /// # Errors
    ///
    /// [`RecordError::KeyUsedUp`], [`RecordError::SequenceOverflow`] or [`RecordError::Random`];
    /// [`RecordError::Internal`] for more than [`Layout::max_data`] bytes of data, no room around them, or something other
    /// than application data where a protocol has only that. Nothing was sealed then.
    pub fn seal(
        &mut self,
        content_type: ContentType,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        match &mut self.protection {
            Protection::Ssl2(sealing) => return sealing.seal_data(content_type, memory, data),
            Protection::Pct1(sealer) => return sealer.seal_data(content_type, memory, data),
            _ => {}
        }
        if data.len() > MAX_PLAINTEXT {
            return Err(TOO_LONG);
        }
        if self.split && content_type == ContentType::APPLICATION_DATA && data.len() > 1 {
            self.seal_split(content_type, memory, data)
        } else {
            self.seal_one(content_type, memory, data)
        }
    }

    /// Appends `content` to `out` as one record, or as many as it takes; nothing is split off.
    ///
    /// # Errors
    ///
    /// As [`Sealer::seal`]; `out` then ends with the last record that was sealed.
    pub fn seal_message(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        match &mut self.protection {
            Protection::Ssl2(sealing) => return sealing.append_data(content_type, content, out),
            Protection::Pct1(sealer) => return sealer.append_data(content_type, content, out),
            _ => {}
        }
        let (first, rest) = content.split_at(content.len().min(MAX_PLAINTEXT));
        self.append_record(content_type, first, out)?;
        rest.chunks(MAX_PLAINTEXT).try_for_each(|chunk| self.append_record(content_type, chunk, out))
    }

    fn append_record(
        &mut self,
        content_type: ContentType,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let begin = out.len();
        let data_begin = begin + HEADER_LEN + self.prefix();
        out.reserve(HEADER_LEN + self.prefix() + data.len() + self.trailer());
        out.resize(data_begin, 0);
        out.extend_from_slice(data);
        let data_end = out.len();
        out.resize(data_end + self.trailer(), 0);
        let sealed = self.seal_one(content_type, out, data_begin..data_end);
        out.truncate(sealed.as_ref().map_or(begin, |record| record.end));
        sealed.map(|_| ())
    }

    /// Two records, of the first byte and of the others. The second header ends where the first byte was.
    ///
    /// Both headers and the first record lie in front of the second byte, where there is room for them.
    fn seal_split(
        &mut self,
        content_type: ContentType,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        let second = data.start + 1..data.end;
        let second_begin = second.start.checked_sub(HEADER_LEN).ok_or(NO_ROOM)?;
        let begin = second_begin.checked_sub(self.first_record_len()).ok_or(NO_ROOM)?;
        // Both records must succeed, or none: a first one alone would be lost, and its number with it.
        let end = self.place(memory, &second)?.end;
        self.allow(content_type, 2)?;
        let byte = *memory.get(data.start).ok_or(NO_ROOM)?;
        *memory.get_mut(begin + HEADER_LEN).ok_or(NO_ROOM)? = byte;
        self.protect(content_type, memory.get_mut(begin..second_begin).ok_or(NO_ROOM)?, 1)?;
        self.protect(content_type, memory.get_mut(second_begin..end).ok_or(NO_ROOM)?, second.len())?;
        Ok(begin..end)
    }

    fn seal_one(
        &mut self,
        content_type: ContentType,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        let range = self.place(memory, &data)?;
        self.allow(content_type, 1)?;
        self.protect(content_type, memory.get_mut(range.clone()).ok_or(NO_ROOM)?, data.len())?;
        Ok(range)
    }

    /// Makes `record`, in which `data_len` bytes of data lie where they must.
    fn protect(
        &mut self,
        content_type: ContentType,
        record: &mut [u8],
        data_len: usize,
    ) -> Result<(), RecordError> {
        let (header, fragment) = record.split_first_chunk_mut::<HEADER_LEN>().ok_or(NO_ROOM)?;
        let pseudo_header =
            PseudoHeader { sequence: self.sequence, content_type, wire_version: self.wire_version };
        match &mut self.protection {
            Protection::Clear => {}
            Protection::Stream(stream) => stream.seal(pseudo_header, fragment)?,
            Protection::Cbc(cbc) => cbc.seal(pseudo_header, fragment, data_len)?,
            Protection::Gcm(gcm) => gcm.seal(pseudo_header, fragment)?,
            Protection::Ssl2(_) | Protection::Pct1(_) => return Err(OTHER_SHAPE),
        }
        let [major, minor] = self.wire_version.to_be_bytes();
        let [.., high, low] = fragment.len().to_be_bytes();
        *header = [content_type.0, major, minor, high, low];
        self.sequence += 1;
        self.sealed = self.sealed.saturating_add(u64::try_from(data_len).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Whether so many records more may be sealed.
    fn allow(&self, content_type: ContentType, records: u64) -> Result<(), RecordError> {
        if !content_type.is_known() {
            return Err(RecordError::Internal("a record of an unknown type"));
        }
        if content_type == ContentType::APPLICATION_DATA && self.is_used_up() {
            return Err(RecordError::KeyUsedUp);
        }
        self.sequence.checked_add(records).map(|_| ()).ok_or(RecordError::SequenceOverflow)
    }

    /// Where the record of `data` lies in `memory`.
    fn place(&self, memory: &[u8], data: &Range<usize>) -> Result<Range<usize>, RecordError> {
        let begin = data.start.checked_sub(HEADER_LEN + self.prefix()).ok_or(NO_ROOM)?;
        let end = data.end.checked_add(self.suffix(data.len())).ok_or(NO_ROOM)?;
        if data.start > data.end || end > memory.len() {
            return Err(NO_ROOM);
        }
        Ok(begin..end)
    }

    /// Bytes between header and data.
    fn prefix(&self) -> usize {
        match &self.protection {
            Protection::Clear | Protection::Stream(_) | Protection::Ssl2(_) | Protection::Pct1(_) => 0,
            Protection::Cbc(cbc) => cbc.iv_len(),
            Protection::Gcm(_) => EXPLICIT_NONCE_LEN,
        }
    }

    /// Bytes behind `data_len` bytes of data.
    fn suffix(&self, data_len: usize) -> usize {
        match &self.protection {
            Protection::Clear | Protection::Ssl2(_) | Protection::Pct1(_) => 0,
            Protection::Stream(stream) => stream.mac_len(),
            Protection::Cbc(cbc) => cbc.suffix(data_len),
            Protection::Gcm(_) => TAG_LEN,
        }
    }

    /// The most bytes behind data.
    fn trailer(&self) -> usize {
        match &self.protection {
            Protection::Cbc(cbc) => cbc.max_suffix(),
            _ => self.suffix(0),
        }
    }

    /// The length of a record with one byte of data.
    fn first_record_len(&self) -> usize {
        HEADER_LEN + self.prefix() + 1 + self.suffix(1)
    }
}

#[cfg(test)]
impl Sealer {
    pub(super) const fn set_sequence(&mut self, sequence: u64) {
        self.sequence = sequence;
    }
}

impl Debug for Sealer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("wire_version", &self.wire_version)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

const TOO_LONG: RecordError = RecordError::Internal("more data than one record holds");
const OTHER_SHAPE: RecordError = RecordError::Internal("a record of SSL 2.0 or PCT is not made here");
const NO_ROOM: RecordError = RecordError::Internal("no room around the data for their record");

/// The MAC that every cipher but an AEAD needs.
pub(super) fn mac(keys: &Keys<'_>) -> Result<MacKind, RecordError> {
    keys.mac.ok_or(RecordError::Internal("a cipher without a MAC"))
}
