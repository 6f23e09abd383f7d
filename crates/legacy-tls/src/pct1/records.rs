//! Records: `encrypted (data, padding), MAC` behind a header of two or three bytes.
//!
//! ```text
//! 1lll llll  llll llll                no padding: 15 bits of length
//! 0ell llll  llll llll  pppp pppp     14 bits of length, p bytes of padding; e: a security escape
//! ```
//!
//! The MAC covers data, padding and the record's number, but not the header: who sits between can change where data ends
//! and padding begins, and what is an escape. The draft has nothing against it.
//!
//! All lengths are public, so the MAC's time tells nothing.
//!
//! Spec: PCT1 sections 4.1 to 4.3.

use core::ops::Range;

use crypto::cipher::{CbcDecryptor, CbcEncryptor, Rc4};
use crypto::constant_time::ct_eq;

use super::keys::{DirectionKeys, Secret};
use super::readings::MOST_PADDING;
use super::specs::{HashKind, Output, Spec};
use crate::record::{Bulk, ContentType, Layout, MAX_PLAINTEXT, Need, Opened, RecordError};

/// The longest record behind a header of two bytes. Spec: PCT1 section 5.5.4.
pub(crate) const MAX_SHORT: usize = 32_767;
/// The longest record behind a header of three bytes. Spec: PCT1 section 5.5.4.
pub(crate) const MAX_LONG: usize = 16_383;

/// Bytes of a block.
const BLOCK: usize = 8;

/// The record's data are out of band from here on. Spec: PCT1 section 4.3.1.
pub(crate) const OOB_DATA: u8 = 1;
/// A handshake follows. Spec: PCT1 section 4.3.2.
pub(crate) const REDO_CONN: u8 = 2;

/// A header, as far as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the header.
    pub(crate) len: usize,
    /// Bytes behind it.
    pub(crate) body: usize,
    pub(crate) is_escape: bool,
    pub(crate) padding: usize,
}

impl Header {
    /// Reads what `input` begins with; or how many bytes are missing at least.
    pub(crate) fn read(input: &[u8]) -> Result<Self, usize> {
        match *input {
            [] => Err(2),
            [first] => Err(if first & 0x80 == 0 { 2 } else { 1 }),
            [first, low, ..] if first & 0x80 != 0 => {
                let body = usize::from(u16::from_be_bytes([first & 0x7f, low]));
                Ok(Self { len: 2, body, is_escape: false, padding: 0 })
            }
            [_, _] => Err(1),
            [first, low, padding, ..] => Ok(Self {
                len: 3,
                body: usize::from(u16::from_be_bytes([first & 0x3f, low])),
                is_escape: first & 0x40 != 0,
                padding: usize::from(padding),
            }),
        }
    }

    /// Writes a header that ends before `memory[end]`; yields where it begins.
    fn write(self, memory: &mut [u8], end: usize) -> Result<usize, RecordError> {
        let begin = end.checked_sub(self.len).ok_or(NO_ROOM)?;
        let header = memory.get_mut(begin..end).ok_or(NO_ROOM)?;
        let [.., high, low] = self.body.to_be_bytes();
        let [.., padding] = self.padding.to_be_bytes();
        match header {
            [first, second] => [*first, *second] = [high | 0x80, low],
            [first, second, third] => {
                [*first, *second, *third] = [high | if self.is_escape { 0x40 } else { 0 }, low, padding];
            }
            _ => return Err(NO_ROOM),
        }
        Ok(begin)
    }
}

/// How long the record is that begins `input`, header and all.
pub(crate) fn record_len(input: &[u8]) -> Need {
    match Header::read(input) {
        Err(missing) => Need::More(missing),
        Ok(header) => match (header.len + header.body).checked_sub(input.len()) {
            None | Some(0) => Need::Whole(header.len + header.body),
            Some(missing) => Need::More(missing),
        },
    }
}

/// The key of a direction's MAC, with its hash.
struct Mac {
    key: Secret,
    hash: HashKind,
}

impl Mac {
    /// Spec: PCT1 section 4.2.
    fn of(&self, text: &[u8], sequence: u32) -> Output {
        self.hash.keyed(&self.key, &[text, &sequence.to_be_bytes()])
    }
}

enum Encryptor {
    None,
    Rc4(Box<Rc4>),
    Cbc(Box<CbcEncryptor>),
}

enum Decryptor {
    None,
    Rc4(Box<Rc4>),
    Cbc(Box<CbcDecryptor>),
}

const WRONG_KEY: RecordError = RecordError::Internal("a key or IV of a wrong length for a cipher of PCT");
const NO_ROOM: RecordError = RecordError::Internal("no room around the data for their record");

/// Where a direction begins.
#[derive(Clone, Copy)]
pub(crate) struct Begin<'a> {
    pub(crate) spec: &'static Spec,
    /// The first initialization vector, for a block cipher.
    pub(crate) iv: &'a [u8],
    /// The number of the next record.
    pub(crate) sequence: u32,
    /// Bytes that a block cipher encrypts at most.
    pub(crate) data_limit: u64,
}

/// The number after `sequence`; there is none after the last.
fn after(sequence: Option<u32>) -> Option<u32> {
    sequence.and_then(|number| number.checked_add(1))
}

fn limit(begin: &Begin<'_>) -> u64 {
    if matches!(begin.spec.row.bulk, Bulk::Cbc(_)) { begin.data_limit } else { u64::MAX }
}

/// The sending direction.
pub(crate) struct Sealer {
    cipher: Encryptor,
    mac: Mac,
    sequence: Option<u32>,
    sealed: u64,
    data_limit: u64,
}

impl Sealer {
    pub(crate) fn new(keys: DirectionKeys, begin: Begin<'_>) -> Result<Self, RecordError> {
        let cipher = match begin.spec.row.bulk {
            Bulk::Rc4 => Encryptor::Rc4(Box::new(Rc4::new(&keys.cipher).map_err(|_| WRONG_KEY)?)),
            Bulk::Cbc(cipher) => {
                let cbc = CbcEncryptor::new(cipher, &keys.cipher, begin.iv).map_err(|_| WRONG_KEY)?;
                Encryptor::Cbc(Box::new(cbc))
            }
            Bulk::Null | Bulk::Aead(_) => Encryptor::None,
        };
        let mac = Mac { key: keys.mac, hash: begin.spec.hash_kind() };
        let (sequence, data_limit) = (Some(begin.sequence), limit(&begin));
        Ok(Self { cipher, mac, sequence, sealed: 0, data_limit })
    }

    const fn has_blocks(&self) -> bool {
        matches!(self.cipher, Encryptor::Cbc(_))
    }

    pub(crate) const fn layout(&self) -> Layout {
        let mac = self.mac.hash.len();
        if self.has_blocks() {
            let max_data = (MAX_LONG - mac) / BLOCK * BLOCK;
            Layout { header: 3, trailer: mac + BLOCK - 1, block: BLOCK, max_data }
        } else {
            Layout { header: 2, trailer: mac, block: 1, max_data: MAX_PLAINTEXT }
        }
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.sequence.is_none() || self.sealed >= self.data_limit
    }

    /// The number of the next record.
    pub(crate) const fn sequence(&self) -> Option<u32> {
        self.sequence
    }

    /// Protects application data where they lie.
    pub(crate) fn seal_data(
        &mut self,
        content_type: ContentType,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        self.allow(content_type)?;
        self.protect(memory, data, false)
    }

    /// Appends application data, as many records as it takes.
    pub(crate) fn append_data(
        &mut self,
        content_type: ContentType,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let most = self.layout().max_data;
        let (first, rest) = data.split_at(data.len().min(most));
        for chunk in core::iter::once(first).chain(rest.chunks(most)) {
            self.allow(content_type)?;
            self.append(chunk, false, out)?;
        }
        Ok(())
    }

    const fn allow(&self, content_type: ContentType) -> Result<(), RecordError> {
        if content_type.0 != ContentType::APPLICATION_DATA.0 {
            return Err(RecordError::Internal("PCT has records for data only"));
        }
        if self.is_used_up() { Err(RecordError::KeyUsedUp) } else { Ok(()) }
    }

    /// Appends a record to `out`: data, or an escape.
    pub(crate) fn append(
        &mut self,
        data: &[u8],
        is_escape: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let layout = self.layout();
        let mut memory = vec![0; 3];
        memory.extend_from_slice(data);
        memory.resize(3 + data.len() + layout.trailer, 0);
        let range = self.protect(&mut memory, 3..3 + data.len(), is_escape)?;
        out.extend_from_slice(memory.get(range).unwrap_or_default());
        Ok(())
    }

    fn protect(
        &mut self,
        memory: &mut [u8],
        data: Range<usize>,
        is_escape: bool,
    ) -> Result<Range<usize>, RecordError> {
        let sequence = self.sequence.ok_or(RecordError::SequenceOverflow)?;
        if data.start > data.end || data.len() > self.layout().max_data {
            return Err(RecordError::Internal("more data than one record holds"));
        }
        let padding = if self.has_blocks() { data.len().next_multiple_of(BLOCK) - data.len() } else { 0 };
        let text_end = data.end.checked_add(padding).ok_or(NO_ROOM)?;
        let end = text_end.checked_add(self.mac.hash.len()).ok_or(NO_ROOM)?;
        if end > memory.len() {
            return Err(NO_ROOM);
        }
        let is_long = padding > 0 || is_escape;
        let header = Header { len: if is_long { 3 } else { 2 }, body: end - data.start, is_escape, padding };
        let begin = header.write(memory, data.start)?;
        memory.get_mut(data.end..text_end).ok_or(NO_ROOM)?.fill(0);
        let text = memory.get_mut(data.start..text_end).ok_or(NO_ROOM)?;
        let mac = self.mac.of(text, sequence);
        match &mut self.cipher {
            Encryptor::None => {}
            Encryptor::Rc4(rc4) => rc4.apply(text),
            Encryptor::Cbc(cbc) => cbc.encrypt(text).map_err(|_| NO_ROOM)?,
        }
        memory.get_mut(text_end..end).ok_or(NO_ROOM)?.copy_from_slice(mac.as_ref());
        self.sequence = after(self.sequence);
        self.sealed = self.sealed.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        Ok(begin..end)
    }
}

/// The receiving direction.
pub(crate) struct Opener {
    keyed: Keyed,
    /// Other keys that the peer may use, until its first record tells.
    alternative: Option<Keyed>,
    sequence: Option<u32>,
    opened: u64,
    data_limit: u64,
    out_of_band_is_next: bool,
}

struct Keyed {
    cipher: Decryptor,
    mac: Mac,
}

impl Keyed {
    fn new(keys: DirectionKeys, begin: &Begin<'_>) -> Result<Self, RecordError> {
        let cipher = match begin.spec.row.bulk {
            Bulk::Rc4 => Decryptor::Rc4(Box::new(Rc4::new(&keys.cipher).map_err(|_| WRONG_KEY)?)),
            Bulk::Cbc(cipher) => {
                let cbc = CbcDecryptor::new(cipher, &keys.cipher, begin.iv).map_err(|_| WRONG_KEY)?;
                Decryptor::Cbc(Box::new(cbc))
            }
            Bulk::Null | Bulk::Aead(_) => Decryptor::None,
        };
        Ok(Self { cipher, mac: Mac { key: keys.mac, hash: begin.spec.hash_kind() } })
    }

    /// Opens `body`; yields how much of it is data.
    fn open(&mut self, body: &mut [u8], padding: usize, sequence: u32) -> Result<usize, RecordError> {
        let text_len = body.len().checked_sub(self.mac.hash.len()).ok_or(RecordError::BadMac)?;
        let (text, mac) = body.split_at_mut_checked(text_len).ok_or(RecordError::BadMac)?;
        let most = if matches!(self.cipher, Decryptor::Cbc(_)) { MOST_PADDING } else { 0 };
        if padding > most {
            return Err(RecordError::BadMac);
        }
        match &mut self.cipher {
            Decryptor::None => {}
            Decryptor::Rc4(rc4) => rc4.apply(text),
            Decryptor::Cbc(cbc) => cbc.decrypt(text).map_err(|_| RecordError::BadMac)?,
        }
        if !ct_eq(self.mac.of(text, sequence).as_ref(), mac) {
            return Err(RecordError::BadMac);
        }
        text_len.checked_sub(padding).ok_or(RecordError::BadMac)
    }
}

impl Opener {
    pub(crate) fn new(
        keys: DirectionKeys,
        alternative: Option<DirectionKeys>,
        begin: Begin<'_>,
    ) -> Result<Self, RecordError> {
        let alternative = alternative.map(|keys| Keyed::new(keys, &begin)).transpose()?;
        let (sequence, data_limit) = (Some(begin.sequence), limit(&begin));
        let keyed = Keyed::new(keys, &begin)?;
        Ok(Self { keyed, alternative, sequence, opened: 0, data_limit, out_of_band_is_next: false })
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.opened >= self.data_limit
    }

    /// The number of the next record.
    pub(crate) const fn sequence(&self) -> Option<u32> {
        self.sequence
    }

    pub(crate) const fn expects_out_of_band(&self) -> bool {
        self.out_of_band_is_next
    }

    pub(crate) const fn expect_out_of_band(&mut self, is_next: bool) {
        self.out_of_band_is_next = is_next;
    }

    /// Opens one whole record where it lies.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<Opened, RecordError> {
        const NOT_ONE: RecordError = RecordError::Internal("not exactly one record was given to be opened");
        let header = Header::read(record).map_err(|_| NOT_ONE)?;
        if header.len + header.body != record.len() {
            return Err(NOT_ONE);
        }
        let sequence = self.sequence.ok_or(RecordError::SequenceOverflow)?;
        let body = record.get_mut(header.len..).ok_or(NOT_ONE)?;
        let data_len = self.open_body(body, header.padding, sequence)?;
        self.sequence = after(self.sequence);
        self.opened = self.opened.saturating_add(u64::try_from(data_len).unwrap_or(u64::MAX));
        let content = header.len..header.len + data_len;
        if header.is_escape {
            return self.escape(record.get(content.clone()).unwrap_or_default(), content);
        }
        let content_type = if std::mem::take(&mut self.out_of_band_is_next) {
            ContentType::OUT_OF_BAND
        } else {
            ContentType::APPLICATION_DATA
        };
        Ok(Opened { content_type, content })
    }

    /// An authentic escape.
    fn escape(&mut self, code: &[u8], content: Range<usize>) -> Result<Opened, RecordError> {
        match *code {
            [OOB_DATA] => {
                self.out_of_band_is_next = true;
                // Nothing for the application yet.
                let content = content.start..content.start;
                Ok(Opened { content_type: ContentType::APPLICATION_DATA, content })
            }
            [REDO_CONN] => Ok(Opened { content_type: ContentType::REDO, content }),
            _ => Err(RecordError::UnknownContentType {
                content_type: code.first().copied().unwrap_or_default(),
            }),
        }
    }

    fn open_body(&mut self, body: &mut [u8], padding: usize, sequence: u32) -> Result<usize, RecordError> {
        let Some(mut alternative) = self.alternative.take() else {
            return self.keyed.open(body, padding, sequence);
        };
        let copy = body.to_vec();
        match self.keyed.open(body, padding, sequence) {
            Err(RecordError::BadMac) => {
                body.copy_from_slice(&copy);
                let opened = alternative.open(body, padding, sequence);
                self.keyed = alternative;
                opened
            }
            other => other,
        }
    }
}
