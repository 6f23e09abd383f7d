//! TLS 1.3 and 1.2 AEAD records, one direction at a time, in place in the caller's memory.
//!
//! ```text
//! TLS 1.3              header 5 | data | content type 1, tag 16      nonce: iv XOR sequence
//! TLS 1.2 AES-GCM      header 5, explicit nonce 8 | data | tag 16     nonce: as above, its last 8 bytes explicit
//! TLS 1.2 ChaCha20     header 5 | data | tag 16                       nonce: as above
//! ```
//!
//! Spec: TLS13 section 5; TLS12 section 6.2.3.3; GCM-SUITES section 3; CHACHA-SUITES section 2.

use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use crypto::aead::{AeadAlgorithm, AeadKey, NONCE_LEN, TAG_LEN};
use crypto::hash::Hash;
use crypto::hkdf::hkdf_expand_label;
use sspi_core::{AlertLevel, StreamSizes};
use zeroize::Zeroizing;

use super::established::Tickets;
use super::secret::SmallSecret;
use crate::backend::FLOOD_LIMIT;
use crate::backend::records::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_PLAINTEXT, Opened, Opening, PostHandshake,
    RECORD_HEADER, Sealing,
};
use crate::cipher_suites::SuiteRow;
use crate::status::{Error, flood};

/// Bytes of the nonce that a TLS 1.2 AES-GCM record carries.
pub(crate) const EXPLICIT_NONCE: usize = 8;
/// The version that every record says. Spec: TLS13 section 5.1.
const VERSION: [u8; 2] = [3, 3];
/// What a TLS 1.3 record may be longer than its plaintext. Spec: TLS13 section 5.2.
const MAX_EXPANSION_TLS13: usize = 256;
/// What a TLS 1.2 record may be longer than its plaintext. Spec: TLS12 section 6.2.3.
const MAX_EXPANSION_TLS12: usize = 2048;
/// Records under one AES-GCM key: the margin of TLS13 section 5.5 (2^24.5), rounded down.
const GCM_RECORD_LIMIT: u64 = 1 << 24;

/// How records are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Tls13,
    Tls12Gcm,
    Tls12ChaCha,
}

impl Layout {
    pub(crate) fn of(suite: &SuiteRow) -> Self {
        match (suite.is_tls13, suite.aead) {
            (true, _) => Self::Tls13,
            (false, AeadAlgorithm::ChaCha20Poly1305) => Self::Tls12ChaCha,
            (false, _) => Self::Tls12Gcm,
        }
    }

    /// Bytes of the nonce that stand in the record.
    pub(crate) const fn explicit_nonce(self) -> usize {
        match self {
            Self::Tls12Gcm => EXPLICIT_NONCE,
            Self::Tls13 | Self::Tls12ChaCha => 0,
        }
    }

    /// Bytes in front of the data.
    pub(crate) const fn header(self) -> usize {
        RECORD_HEADER + self.explicit_nonce()
    }

    /// Bytes behind the data.
    pub(crate) const fn trailer(self) -> usize {
        match self {
            Self::Tls13 => 1 + TAG_LEN,
            Self::Tls12Gcm | Self::Tls12ChaCha => TAG_LEN,
        }
    }

    /// The longest record body.
    const fn max_body(self) -> usize {
        match self {
            Self::Tls13 => MAX_PLAINTEXT + MAX_EXPANSION_TLS13,
            Self::Tls12Gcm | Self::Tls12ChaCha => MAX_PLAINTEXT + MAX_EXPANSION_TLS12,
        }
    }

    /// How long the record is that begins `input`: header and body, in bytes.
    ///
    /// # Errors
    /// What cannot begin a record here, or is longer than a record may be.
    pub(crate) fn record_len(self, input: &[u8]) -> Result<Result<usize, usize>, Error> {
        let Some((header, body)) = input.split_first_chunk::<RECORD_HEADER>() else {
            return Ok(Err(RECORD_HEADER - input.len()));
        };
        let [content_type, major, minor, high, low] = *header;
        if !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&content_type) || major != 3 {
            return Err(Error::NotARecord { first: *header });
        }
        // In TLS 1.3 it says nothing, and is part of what authenticates. Spec: TLS12 section 6.2.1; TLS13 section 5.2.
        if self != Self::Tls13 && [major, minor] != VERSION {
            return Err(Error::WrongRecordVersion { version: u16::from_be_bytes([major, minor]) });
        }
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > self.max_body() {
            return Err(Error::RecordOverflow { length: len, maximum: self.max_body() });
        }
        Ok(if body.len() < len { Err(len - body.len()) } else { Ok(RECORD_HEADER + len) })
    }
}

/// Key and implicit nonce of one direction, expanded once: rustls protects the end of the handshake with it, and the
/// records behind it go on with the same.
pub(crate) struct RecordKey {
    key: AeadKey,
    iv: [u8; NONCE_LEN],
    /// The sequence number of the next record, while rustls counts.
    next: AtomicU64,
}

impl RecordKey {
    pub(crate) const fn new(key: AeadKey, iv: [u8; NONCE_LEN]) -> Self {
        Self { key, iv, next: AtomicU64::new(0) }
    }

    pub(crate) const fn key(&self) -> &AeadKey {
        &self.key
    }

    /// The implicit nonce, with the sequence number laid over its last eight bytes.
    pub(crate) fn nonce(&self, sequence: u64) -> [u8; NONCE_LEN] {
        let [a, b, c, d, rest @ ..] = self.iv;
        let [e, f, g, h, i, j, k, l] = (u64::from_be_bytes(rest) ^ sequence).to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// The nonce of a record that carries the last eight bytes of it. Spec: GCM-SUITES section 3.
    pub(crate) fn nonce_with(&self, explicit: [u8; EXPLICIT_NONCE]) -> [u8; NONCE_LEN] {
        let [a, b, c, d, ..] = self.iv;
        let [e, f, g, h, i, j, k, l] = explicit;
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// Whether a record was protected with it, or opened.
    pub(crate) fn is_in_use(&self) -> bool {
        self.next.load(Ordering::Relaxed) > 0
    }

    /// Says that the record of this number was protected, or opened.
    pub(crate) fn used(&self, sequence: u64) {
        self.next.store(sequence.saturating_add(1), Ordering::Relaxed);
    }
}

/// Sequence number, content type, version as it stands in the record, length of the plaintext. Spec: TLS12 section 6.2.3.3.
pub(crate) fn tls12_aad(sequence: u64, content_type: u8, version: [u8; 2], length: usize) -> [u8; 13] {
    let [major, minor] = version;
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let [a, b, c, d, e, f, g, h] = sequence.to_be_bytes();
    [a, b, c, d, e, f, g, h, content_type, major, minor, high, low]
}

/// What protects one direction: key, sequence number, and, in TLS 1.3, the secret of the next key.
pub(crate) struct Protection {
    /// In its own piece of memory: expanded keys are large, and what holds them moves.
    key: Arc<RecordKey>,
    sequence: u64,
    limit: u64,
    layout: Layout,
    /// TLS 1.3 only: the traffic secret, and the hash that derives from it.
    secret: Option<(Hash, SmallSecret)>,
}

impl Protection {
    /// From a key with which rustls protected records before, and the secret that it came from in TLS 1.3.
    pub(crate) fn new(suite: &SuiteRow, key: Arc<RecordKey>, secret: Option<SmallSecret>) -> Self {
        let limit = match suite.aead {
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => GCM_RECORD_LIMIT,
            // ChaCha20 is limited by the sequence number, which must not wrap.
            AeadAlgorithm::ChaCha20Poly1305 => u64::MAX,
        };
        let sequence = key.next.load(Ordering::Relaxed);
        let secret = secret.map(|secret| (suite.hash, secret));
        Self { key, sequence, limit, layout: Layout::of(suite), secret }
    }

    /// From a TLS 1.3 traffic secret. Spec: TLS13 section 7.3.
    pub(crate) fn from_traffic_secret(suite: &SuiteRow, secret: SmallSecret) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; 32]);
        let mut iv = [0; NONCE_LEN];
        let key =
            key.get_mut(..suite.aead.key_len()).ok_or(Error::Internal("an AEAD key is at most 32 bytes"))?;
        let failed = |_| Error::Internal("a traffic key could not be derived");
        hkdf_expand_label(suite.hash, secret.as_ref(), b"key", &[], key).map_err(failed)?;
        hkdf_expand_label(suite.hash, secret.as_ref(), b"iv", &[], &mut iv).map_err(failed)?;
        let key =
            AeadKey::new(suite.aead, key).map_err(|_| Error::Internal("a traffic key has a wrong length"))?;
        Ok(Self::new(suite, Arc::new(RecordKey::new(key, iv)), Some(secret)))
    }

    /// Goes on to the next generation of keys. Spec: TLS13 section 7.2.
    pub(crate) fn update(&mut self, suite: &SuiteRow) -> Result<(), Error> {
        let Some((hash, secret)) = &self.secret else {
            return Err(Error::Internal("a key update outside TLS 1.3"));
        };
        let mut next = SmallSecret::zeros(hash.output_len());
        hkdf_expand_label(*hash, secret.as_ref(), b"traffic upd", &[], next.as_mut())
            .map_err(|_| Error::Internal("a traffic secret could not be derived"))?;
        *self = Self::from_traffic_secret(suite, next)?;
        Ok(())
    }

    pub(crate) const fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether the key has protected nothing yet.
    const fn is_fresh(&self) -> bool {
        self.sequence == 0
    }

    /// Whether the key has protected as many records as it may.
    pub(crate) const fn is_used_up(&self) -> bool {
        self.sequence >= self.limit
    }

    /// Lets a key that is used up protect one record more: its own successor's announcement, or an alert. The limit has
    /// a margin that is far wider.
    pub(crate) fn allow_one_more(&mut self) {
        if self.sequence < u64::MAX - 1 {
            self.limit = self.limit.max(self.sequence + 1);
        }
    }

    /// Pretends that the key is nearly used up.
    #[cfg(test)]
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Protects one record where it lies: `record` is the room for header, data and trailer, with the data in place.
    ///
    /// # Errors
    /// [`Error::KeyUsedUp`]; nothing is written then.
    pub(crate) fn seal(&mut self, content_type: u8, record: &mut [u8]) -> Result<(), Error> {
        if self.is_used_up() {
            return Err(Error::KeyUsedUp);
        }
        let overhead = self.layout.header() + self.layout.trailer();
        let Some(data_len) = record.len().checked_sub(overhead) else {
            return Err(Error::Internal("a record is shorter than its frame"));
        };
        let body_len = u16::try_from(record.len() - RECORD_HEADER)
            .map_err(|_| Error::Internal("a record is longer than its length field can say"))?;
        let nonce = self.key.nonce(self.sequence);
        let outer_type = if self.layout == Layout::Tls13 { APPLICATION_DATA } else { content_type };
        let [high, low] = body_len.to_be_bytes();
        let [major, minor] = VERSION;
        let header = [outer_type, major, minor, high, low];
        let frame = || Error::Internal("a record is shorter than its frame");
        let (prefix, rest) = record.split_at_mut_checked(self.layout.header()).ok_or_else(frame)?;
        let (head, explicit) = prefix.split_at_mut_checked(RECORD_HEADER).ok_or_else(frame)?;
        head.copy_from_slice(&header);
        if let Some((_, last_eight)) = nonce.split_first_chunk::<4>() {
            let taken = explicit.len();
            explicit.copy_from_slice(last_eight.get(..taken).ok_or_else(frame)?);
        }
        let sealed = rest.len() - TAG_LEN;
        let (text, tag_room) = rest.split_at_mut_checked(sealed).ok_or_else(frame)?;
        let tag = if self.layout == Layout::Tls13 {
            *text.get_mut(data_len).ok_or_else(frame)? = content_type;
            self.key.key.seal_in_place(nonce, &header, text)
        } else {
            let aad = tls12_aad(self.sequence, content_type, VERSION, data_len);
            self.key.key.seal_in_place(nonce, &aad, text)
        };
        let tag = tag.map_err(|_| Error::Internal("a record could not be sealed"))?;
        tag_room.copy_from_slice(&tag);
        self.sequence += 1;
        Ok(())
    }

    /// A record of its own, for what the application did not bring memory for: alerts and key updates.
    pub(crate) fn seal_message(&mut self, content_type: u8, message: &[u8]) -> Result<Vec<u8>, Error> {
        let mut record = vec![0; self.layout.header()];
        record.extend_from_slice(message);
        record.resize(record.len() + self.layout.trailer(), 0);
        self.seal(content_type, &mut record)?;
        Ok(record)
    }

    /// Opens one whole record where it lies.
    ///
    /// # Errors
    /// Every error is final for the direction.
    pub(crate) fn open(&mut self, record: &mut [u8]) -> Result<Opened, Error> {
        if self.sequence == u64::MAX {
            return Err(Error::KeyUsedUp);
        }
        let (header, body) = record.split_first_chunk_mut::<RECORD_HEADER>().ok_or(Error::BadRecordMac)?;
        let [outer_type, major, minor, ..] = *header;
        match self.layout {
            Layout::Tls13 => {
                if outer_type != APPLICATION_DATA {
                    return Err(Error::UnexpectedRecord { content_type: outer_type });
                }
                let nonce = self.key.nonce(self.sequence);
                let len = self.key.key.open_in_place(nonce, header, body).map_err(|_| Error::BadRecordMac)?;
                self.sequence += 1;
                if len > MAX_PLAINTEXT + 1 {
                    return Err(Error::RecordOverflow { length: len, maximum: MAX_PLAINTEXT + 1 });
                }
                // The content type is the last byte that is not zero; what is behind it is padding.
                let text = body.get(..len).ok_or(Error::BadRecordMac)?;
                let at = text.iter().rposition(|&b| b != 0).ok_or(Error::NoContentType)?;
                let content_type = text.get(at).copied().unwrap_or_default();
                Ok(Opened { content_type, content: RECORD_HEADER..RECORD_HEADER + at })
            }
            Layout::Tls12Gcm | Layout::Tls12ChaCha => {
                let explicit = self.layout.header() - RECORD_HEADER;
                let data_len = body.len().checked_sub(explicit + TAG_LEN).ok_or(Error::BadRecordMac)?;
                let (explicit_nonce, text) =
                    body.split_at_mut_checked(explicit).ok_or(Error::BadRecordMac)?;
                let nonce = match explicit_nonce.first_chunk() {
                    Some(explicit) => self.key.nonce_with(*explicit),
                    None => self.key.nonce(self.sequence),
                };
                let aad = tls12_aad(self.sequence, outer_type, [major, minor], data_len);
                self.key.key.open_in_place(nonce, &aad, text).map_err(|_| Error::BadRecordMac)?;
                self.sequence += 1;
                if data_len > MAX_PLAINTEXT {
                    return Err(Error::RecordOverflow { length: data_len, maximum: MAX_PLAINTEXT });
                }
                let start = RECORD_HEADER + explicit;
                Ok(Opened { content_type: outer_type, content: start..start + data_len })
            }
        }
    }
}

impl core::fmt::Debug for Protection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Protection")
            .field("layout", &self.layout)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// Handshake message types after the handshake. Spec: TLS13 section 4.6.
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;
/// The longest of them.
const MAX_POST_HANDSHAKE: usize = 64 << 10;

/// The message KeyUpdate(update_not_requested), and what asks for the peer's in its place. Spec: TLS13 section 4.6.3.
const KEY_UPDATE_MESSAGE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];
const KEY_UPDATE_REQUEST: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 1];
/// A KeyUpdate in a record of its own: header, message, content type, tag.
pub(crate) const KEY_UPDATE_RECORD: usize = RECORD_HEADER + KEY_UPDATE_MESSAGE.len() + 1 + TAG_LEN;

/// What both directions know of key updates.
#[derive(Default)]
struct KeyUpdates {
    /// The peer asked for our next keys.
    owed: AtomicBool,
    /// We asked for the peer's.
    awaited: AtomicBool,
}

/// Both directions of a connection. They share which key updates are owed, and nothing else.
pub(crate) fn directions(
    suite: &'static SuiteRow,
    sending: Protection,
    receiving: Protection,
    tickets: Option<Tickets>,
) -> (Sending, Receiving) {
    let updates = Arc::<KeyUpdates>::default();
    (
        Sending { protection: sending, suite, updates: Arc::clone(&updates) },
        Receiving { protection: receiving, suite, updates, tickets, in_a_row: 0 },
    )
}

/// The direction that sends.
pub(crate) struct Sending {
    pub(crate) protection: Protection,
    suite: &'static SuiteRow,
    updates: Arc<KeyUpdates>,
}

impl Sending {
    /// A KeyUpdate, behind which our next keys are in use.
    fn seal_update(&mut self, message: &[u8; 5]) -> Result<Vec<u8>, Error> {
        self.protection.allow_one_more();
        let record = self.protection.seal_message(HANDSHAKE, message)?;
        self.protection.update(self.suite)?;
        Ok(record)
    }

    /// Writes a KeyUpdate record at `start` and goes on to the next keys.
    fn write_key_update(&mut self, memory: &mut [u8], start: usize) -> Result<(), Error> {
        let frame = || Error::Internal("the header has no room for a key update");
        let room = memory.get_mut(start..start + KEY_UPDATE_RECORD).ok_or_else(frame)?;
        let message =
            room.get_mut(RECORD_HEADER..RECORD_HEADER + KEY_UPDATE_MESSAGE.len()).ok_or_else(frame)?;
        message.copy_from_slice(&KEY_UPDATE_MESSAGE);
        self.protection.allow_one_more();
        self.protection.seal(HANDSHAKE, room)?;
        self.protection.update(self.suite)
    }
}

impl Sealing for Sending {
    /// In TLS 1.3 every alert but two ends the connection, whatever its level says.
    ///
    /// Spec: TLS13 section 6.
    fn as_said(&self, level: AlertLevel, number: u8) -> (AlertLevel, u8) {
        const WARNINGS: [u8; 2] = [0, 90];
        let is_tls13 = self.protection.layout() == Layout::Tls13;
        (if is_tls13 && !WARNINGS.contains(&number) { AlertLevel::Fatal } else { level }, number)
    }

    /// In TLS 1.3 the header has room for a whole record in front of the data's own: the answer to a key update leaves with
    /// the next message.
    fn stream_sizes(&self) -> StreamSizes {
        let layout = self.protection.layout();
        let header = match layout {
            Layout::Tls13 => KEY_UPDATE_RECORD + layout.header(),
            Layout::Tls12Gcm | Layout::Tls12ChaCha => layout.header(),
        };
        StreamSizes {
            header,
            trailer: layout.trailer(),
            maximum_message: MAX_PLAINTEXT,
            buffers: 4,
            block_size: 1,
        }
    }

    fn seal_data(&mut self, memory: &mut [u8], data: Range<usize>) -> Result<Range<usize>, Error> {
        let frame = || Error::Internal("there is no room for a record around the data");
        let layout = self.protection.layout();
        let begin = data.start.checked_sub(layout.header()).ok_or_else(frame)?;
        let (mut start, end) = (begin, data.end + layout.trailer());
        let owes = self.updates.owed.swap(false, Ordering::AcqRel);
        if layout == Layout::Tls13 && (owes || self.protection.is_used_up()) {
            // The room was asked for in StreamSizes; a key that is used up still has one record for its own update.
            start = begin.checked_sub(KEY_UPDATE_RECORD).ok_or_else(frame)?;
            self.write_key_update(memory, start)?;
        }
        self.protection.seal(APPLICATION_DATA, memory.get_mut(begin..end).ok_or_else(frame)?)?;
        Ok(start..end)
    }

    fn seal_alert(&mut self, level: AlertLevel, number: u8) -> Result<Vec<u8>, Error> {
        self.protection.allow_one_more();
        self.protection.seal_message(ALERT, &[level.number(), number])
    }

    /// The peer is asked once, however often the keys are to be new until it has answered; and keys with which nothing was
    /// protected are new enough. Whoever wants it often makes no flood.
    fn seal_key_update(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.protection.layout() != Layout::Tls13 {
            return Ok(None);
        }
        // GnuTLS takes no request while it waits for an answer.
        let owed = self.updates.owed.swap(false, Ordering::AcqRel);
        let mut records = if owed { self.seal_update(&KEY_UPDATE_MESSAGE)? } else { Vec::new() };
        let is_awaited = self.updates.awaited.swap(true, Ordering::AcqRel);
        if !is_awaited || !self.protection.is_fresh() {
            let message = if is_awaited { KEY_UPDATE_MESSAGE } else { KEY_UPDATE_REQUEST };
            records.extend(self.seal_update(&message)?);
        }
        Ok(Some(records))
    }
}

/// The direction that receives.
pub(crate) struct Receiving {
    pub(crate) protection: Protection,
    suite: &'static SuiteRow,
    updates: Arc<KeyUpdates>,
    tickets: Option<Tickets>,
    /// Key updates of the peer without data between them.
    in_a_row: usize,
}

impl Opening for Receiving {
    fn record_len(&self, input: &[u8]) -> Result<Result<usize, usize>, Error> {
        self.protection.layout().record_len(input)
    }

    fn open(&mut self, record: &mut [u8]) -> Result<Opened, Error> {
        self.protection.open(record)
    }

    fn post_handshake(&mut self) -> Option<&mut dyn PostHandshake> {
        (self.protection.layout() == Layout::Tls13).then_some(self)
    }

    fn data_came(&mut self) {
        self.in_a_row = 0;
    }
}

/// Spec: TLS13 section 4.6.
impl PostHandshake for Receiving {
    fn check_header(&self, kind: u8, len: usize, is_client: bool) -> Result<(), Error> {
        match kind {
            KEY_UPDATE if len == 1 => Ok(()),
            KEY_UPDATE => Err(Error::Decode { what: format!("KeyUpdate with a body of {len} bytes") }),
            NEW_SESSION_TICKET if is_client && len <= MAX_POST_HANDSHAKE => Ok(()),
            NEW_SESSION_TICKET if is_client => Err(Error::TooMuchHandshake { limit: MAX_POST_HANDSHAKE }),
            _ => Err(Error::UnexpectedMessage { what: format!("handshake message {kind} of {len} bytes") }),
        }
    }

    fn message(&mut self, kind: u8, body: &[u8], is_last: bool) -> Result<(), Error> {
        if kind == NEW_SESSION_TICKET {
            return self.tickets.as_mut().map_or(Ok(()), |tickets| tickets.keep(body));
        }
        let requested = match body {
            [0] => false,
            [1] => true,
            _ => return Err(Error::IllegalParameter { what: format!("KeyUpdate {body:02x?}") }),
        };
        if !is_last {
            // The keys change behind this message, so it must end its record.
            let what = "a message behind KeyUpdate in the same record".to_owned();
            return Err(Error::UnexpectedMessage { what });
        }
        flood(&mut self.in_a_row, FLOOD_LIMIT, "key updates")?;
        self.protection.update(self.suite)?;
        self.updates.awaited.store(false, Ordering::Release);
        if requested {
            self.updates.owed.store(true, Ordering::Release);
        }
        Ok(())
    }
}
