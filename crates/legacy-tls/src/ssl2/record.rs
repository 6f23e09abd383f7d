//! Records of SSL 2.0, one direction at a time.
//!
//! ```text
//! two bytes      1 | length 15                              no padding
//! three bytes    0 | escape 1 | length 14 | padding 8       escape: never
//! in clear       header | message
//! protected      header | E(MAC 16, data, padding)
//! MAC            MD5(the sender's key, data, padding, sequence 4)
//! ```
//!
//! The length is that of everything behind the header, in bytes. How much padding there is stands in the header, in clear:
//! nothing can be asked of a receiver about it. But the MAC covers the padding and not how much there is, so that somebody
//! in between can make the end of the data into padding, or padding into data (Wagner and Schneier 1996). A receiver can only
//! bound that: padding is for whole blocks, so there is less than a block of it, and none for a stream. The sequence number counts records in clear too, and
//! wraps. Block ciphers chain from record to record; the MAC, which nobody can foresee, comes first, so that data that
//! somebody chose never meets an initialization vector that they know (BEAST).
//!
//! Spec: SSL2 section 4.

use core::ops::Range;

use crypto::cipher::{BlockCipher, CbcDecryptor, CbcEncryptor, Rc4};
use crypto::constant_time::ct_eq;
use crypto::hash::{Hash, HashContext};

use super::cipher_kinds::KindRow;
use crate::record::{Bulk, ContentType, Layout, Need, Opened, RecordError};

/// Bytes of a MAC.
const MAC_LEN: usize = 16;
/// Bytes of the longer header.
const LONG_HEADER: usize = 3;
/// Bytes of the shorter header.
const SHORT_HEADER: usize = 2;
/// The most that may follow a header of two bytes.
const MAX_SHORT: usize = 0x7fff;
/// The most that we send in one record: what a header of three bytes can say.
const MAX_SENT: usize = 0x3fff;
/// Bytes of a block of every block cipher here.
const BLOCK: usize = 8;
/// The most application data that we put into one record: whole blocks with the MAC.
pub(crate) const MAX_DATA: usize = MAX_SENT / BLOCK * BLOCK - MAC_LEN;

const NO_ROOM: RecordError = RecordError::Internal("no room around the data for their record");
const WRONG_KEY: RecordError = RecordError::Internal("a key or IV of a wrong length for a cipher kind");

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its own length, in bytes.
    pub(crate) len: usize,
    /// Bytes behind it.
    pub(crate) body: usize,
    /// How many of them, at the end, are padding.
    pub(crate) padding: usize,
}

impl Header {
    /// The header at the front of `input`; how many bytes are missing, where it is not whole.
    ///
    /// # Errors
    ///
    /// A security escape, of which there is none.
    pub(crate) fn read(input: &[u8]) -> Result<Result<Self, usize>, RecordError> {
        Ok(match *input {
            [] => Err(SHORT_HEADER),
            [first, ..] if first & 0xc0 == 0x40 => {
                let mut start = [0; 5];
                start.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
                return Err(RecordError::NotARecord { first: start });
            }
            [first, second, ..] if first & 0x80 != 0 => {
                let body = usize::from(u16::from_be_bytes([first & 0x7f, second]));
                Ok(Self { len: SHORT_HEADER, body, padding: 0 })
            }
            [first, second, padding, ..] => {
                let body = usize::from(u16::from_be_bytes([first & 0x3f, second]));
                Ok(Self { len: LONG_HEADER, body, padding: usize::from(padding) })
            }
            [first, ..] => Err(if first & 0x80 != 0 { SHORT_HEADER } else { LONG_HEADER } - input.len()),
        })
    }

    /// How long the record is that `input` begins with.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub(crate) fn record_len(input: &[u8]) -> Result<Need, RecordError> {
        let header = match Self::read(input)? {
            Ok(header) => header,
            Err(missing) => return Ok(Need::More(missing)),
        };
        let whole = header.len + header.body;
        Ok(match whole.checked_sub(input.len()) {
            None | Some(0) => Need::Whole(whole),
            Some(missing) => Need::More(missing),
        })
    }
}

/// The secret of a direction's MAC, hashed already.
struct MacKey(HashContext);

impl MacKey {
    fn new(key: &[u8]) -> Self {
        let mut context = Hash::Md5.context();
        context.update(key);
        Self(context)
    }

    fn start(&self) -> HashContext {
        self.0.clone()
    }
}

/// The MAC of everything that `hash` has taken.
fn finish(mut hash: HashContext, sequence: u32) -> crypto::hash::Digest {
    hash.update(&sequence.to_be_bytes());
    hash.finish()
}

/// What protects one direction, where `C` is what CBC does in it.
enum Cipher<C> {
    Clear,
    Rc4(Box<(Rc4, MacKey)>),
    Cbc(Box<(C, MacKey)>),
}

impl<C> Cipher<C> {
    /// Of this kind; `cbc` makes what it does with CBC.
    fn new(
        kind: &KindRow,
        key: &[u8],
        cbc: impl FnOnce(BlockCipher) -> Result<C, RecordError>,
    ) -> Result<Self, RecordError> {
        let mac = MacKey::new(key);
        match kind.suite.bulk {
            Bulk::Rc4 => Ok(Self::Rc4(Box::new((Rc4::new(key).map_err(|_| WRONG_KEY)?, mac)))),
            Bulk::Cbc(cipher) => Ok(Self::Cbc(Box::new((cbc(cipher)?, mac)))),
            _ => Err(WRONG_KEY),
        }
    }

    /// How many bytes it may protect.
    const fn data_limit(&self, small_block_limit: u64) -> u64 {
        match self {
            Self::Cbc(_) => small_block_limit,
            Self::Clear | Self::Rc4(_) => u64::MAX,
        }
    }
}

/// The sending direction.
pub(crate) struct Sealing {
    cipher: Cipher<CbcEncryptor>,
    sequence: u32,
    sealed: u64,
    data_limit: u64,
}

impl Sealing {
    pub(crate) const fn clear() -> Self {
        Self { cipher: Cipher::Clear, sequence: 0, sealed: 0, data_limit: u64::MAX }
    }

    /// A record was sent elsewhere.
    pub(crate) const fn count_one(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// From the next record on this is the key.
    pub(crate) fn protect(
        &mut self,
        kind: &KindRow,
        key: &[u8],
        iv: &[u8],
        small_block_limit: u64,
    ) -> Result<(), RecordError> {
        let cbc = |cipher| CbcEncryptor::new(cipher, key, iv).map_err(|_| WRONG_KEY);
        self.cipher = Cipher::new(kind, key, cbc)?;
        self.data_limit = self.cipher.data_limit(small_block_limit);
        Ok(())
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.sealed >= self.data_limit
    }

    /// Room for the longest header, for the MAC and for padding.
    pub(crate) const fn layout(&self) -> Layout {
        match self.cipher {
            Cipher::Clear => Layout { header: SHORT_HEADER, trailer: 0, block: 1, max_data: MAX_DATA },
            Cipher::Rc4(_) => {
                Layout { header: SHORT_HEADER + MAC_LEN, trailer: 0, block: 1, max_data: MAX_DATA }
            }
            Cipher::Cbc(_) => {
                Layout { header: LONG_HEADER + MAC_LEN, trailer: BLOCK - 1, block: BLOCK, max_data: MAX_DATA }
            }
        }
    }

    /// Makes one record of the data at `data` in `memory`, and says where it is.
    pub(crate) fn seal(
        &mut self,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        let mac_len = if matches!(self.cipher, Cipher::Clear) { 0 } else { MAC_LEN };
        // In clear a message may be as long as a header can say: certificates are.
        let longest = if mac_len == 0 { MAX_SHORT } else { MAX_DATA };
        if data.start > data.end || data.len() > longest {
            return Err(RecordError::Internal("more data than one record holds"));
        }
        let padding = match self.cipher {
            Cipher::Cbc(_) => data.len().next_multiple_of(BLOCK) - data.len(),
            _ => 0,
        };
        let header_len = if padding > 0 { LONG_HEADER } else { SHORT_HEADER };
        let begin = data.start.checked_sub(header_len + mac_len).ok_or(NO_ROOM)?;
        let end = data.end.checked_add(padding).ok_or(NO_ROOM)?;
        memory.get_mut(data.end..end).ok_or(NO_ROOM)?.fill(0);
        let record = memory.get_mut(begin..end).ok_or(NO_ROOM)?;
        let (header, body) = record.split_at_mut_checked(header_len).ok_or(NO_ROOM)?;
        let [.., high, low] = body.len().to_be_bytes();
        let [.., padding] = padding.to_be_bytes();
        if padding > 0 {
            header.copy_from_slice(&[high, low, padding]);
        } else {
            header.copy_from_slice(&[high | 0x80, low]);
        }
        self.protect_body(body)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.sealed = self.sealed.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        Ok(begin..end)
    }

    fn protect_body(&mut self, body: &mut [u8]) -> Result<(), RecordError> {
        match &mut self.cipher {
            Cipher::Clear => Ok(()),
            Cipher::Rc4(direction) => {
                let (cipher, mac) = &mut **direction;
                let (room, data) = body.split_first_chunk_mut::<MAC_LEN>().ok_or(NO_ROOM)?;
                // The key stream for the MAC comes before that for the data, which the MAC is made of.
                *room = [0; MAC_LEN];
                cipher.apply(room);
                let mut hash = mac.start();
                cipher.encrypt_hashing(&mut hash, data);
                let mac = finish(hash, self.sequence);
                room.iter_mut().zip(mac.as_ref()).for_each(|(to, from)| *to ^= *from);
                Ok(())
            }
            Cipher::Cbc(direction) => {
                let (cipher, mac) = &mut **direction;
                let (room, data) = body.split_first_chunk_mut::<MAC_LEN>().ok_or(NO_ROOM)?;
                let mut hash = mac.start();
                hash.update(data);
                room.copy_from_slice(finish(hash, self.sequence).as_ref());
                cipher.encrypt(body).map_err(|_| RecordError::Internal("a record not of whole blocks"))
            }
        }
    }

    /// The same for application data, which is all there is once the handshake is over.
    pub(crate) fn seal_data(
        &mut self,
        content_type: ContentType,
        memory: &mut [u8],
        data: Range<usize>,
    ) -> Result<Range<usize>, RecordError> {
        self.allow(content_type)?;
        self.seal(memory, data)
    }

    /// Appends application data, as many records as it takes.
    pub(crate) fn append_data(
        &mut self,
        content_type: ContentType,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let (first, rest) = data.split_at(data.len().min(MAX_DATA));
        for chunk in core::iter::once(first).chain(rest.chunks(MAX_DATA)) {
            self.allow(content_type)?;
            self.append(chunk, out)?;
        }
        Ok(())
    }

    const fn allow(&self, content_type: ContentType) -> Result<(), RecordError> {
        if content_type.0 != ContentType::APPLICATION_DATA.0 {
            return Err(RecordError::Internal(
                "SSL 2.0 has nothing but application data after its handshake",
            ));
        }
        if self.is_used_up() { Err(RecordError::KeyUsedUp) } else { Ok(()) }
    }

    /// Appends `data` as one record.
    pub(crate) fn append(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
        let Layout { header, trailer, .. } = self.layout();
        let begin = out.len();
        let at = begin + header;
        out.resize(at, 0);
        out.extend_from_slice(data);
        let end = out.len();
        out.resize(end + trailer, 0);
        match self.seal(out, at..end) {
            Ok(record) => {
                out.truncate(record.end);
                out.drain(begin..record.start);
                Ok(())
            }
            Err(error) => {
                out.truncate(begin);
                Err(error)
            }
        }
    }
}

/// The receiving direction.
pub(crate) struct Opening {
    cipher: Cipher<CbcDecryptor>,
    sequence: u32,
    opened: u64,
    data_limit: u64,
}

impl Opening {
    pub(crate) const fn clear() -> Self {
        Self { cipher: Cipher::Clear, sequence: 0, opened: 0, data_limit: u64::MAX }
    }

    /// From the next record on this is the key.
    pub(crate) fn protect(
        &mut self,
        kind: &KindRow,
        key: &[u8],
        iv: &[u8],
        small_block_limit: u64,
    ) -> Result<(), RecordError> {
        let cbc = |cipher| CbcDecryptor::new(cipher, key, iv).map_err(|_| WRONG_KEY);
        self.cipher = Cipher::new(kind, key, cbc)?;
        self.data_limit = self.cipher.data_limit(small_block_limit);
        Ok(())
    }

    pub(crate) const fn is_clear(&self) -> bool {
        matches!(self.cipher, Cipher::Clear)
    }

    pub(crate) const fn is_used_up(&self) -> bool {
        self.opened >= self.data_limit
    }

    /// Opens one whole record; the data lie in the returned range of it.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<Opened, RecordError> {
        const NOT_ONE: RecordError = RecordError::Internal("not exactly one record was given to be opened");
        let Ok(header) = Header::read(record)? else { return Err(NOT_ONE) };
        let body = record.get_mut(header.len..).filter(|body| body.len() == header.body).ok_or(NOT_ONE)?;
        let begin = match self.cipher {
            Cipher::Clear => 0,
            _ => MAC_LEN,
        };
        // What length and padding alone tell, everybody knows.
        let data_len = header.body.checked_sub(begin + header.padding).ok_or(RecordError::BadMac)?;
        let most_padding = if matches!(self.cipher, Cipher::Cbc(_)) { BLOCK - 1 } else { 0 };
        if header.padding > most_padding {
            return Err(RecordError::BadMac);
        }
        match &mut self.cipher {
            Cipher::Clear => {}
            Cipher::Rc4(direction) => {
                let (cipher, mac) = &mut **direction;
                let (received, data) = body.split_first_chunk_mut::<MAC_LEN>().ok_or(RecordError::BadMac)?;
                cipher.apply(received);
                let mut hash = mac.start();
                cipher.decrypt_hashing(&mut hash, data);
                check(finish(hash, self.sequence).as_ref(), received)?;
            }
            Cipher::Cbc(direction) => {
                let (cipher, mac) = &mut **direction;
                cipher.decrypt(body).map_err(|_| RecordError::BadMac)?;
                let (received, data) = body.split_first_chunk::<MAC_LEN>().ok_or(RecordError::BadMac)?;
                let mut hash = mac.start();
                hash.update(data);
                check(finish(hash, self.sequence).as_ref(), received)?;
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.opened = self.opened.saturating_add(u64::try_from(data_len).unwrap_or(u64::MAX));
        let begin = header.len + begin;
        Ok(Opened { content_type: ContentType::APPLICATION_DATA, content: begin..begin + data_len })
    }
}

fn check(expected: &[u8], received: &[u8]) -> Result<(), RecordError> {
    if ct_eq(expected, received) { Ok(()) } else { Err(RecordError::BadMac) }
}
