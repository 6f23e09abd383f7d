//! Message protection after the handshake: `EncryptMessage`, `DecryptMessage`, `ApplyControlToken`.
//!
//! One call is one record. A record of the peer that is not data (a key update, a ticket, a warning) is a message without
//! data. The two halves share only what each must know of the other: the first error, and whether an answer to a key
//! update is owed.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use sspi_core::{
    Account, AlertLevel, ControlToken, Decrypted, Error, Fault, PairedContext, QualityOfProtection,
    QueryContextAttributes, ReceivingHalf, SecBuffer, SecBufferType, SecStatus, SendingHalf, SharedPart,
    StreamSizes,
};

use crate::attributes::Attributes;
use crate::backend::rustls::records::{
    ALERT, APPLICATION_DATA, HANDSHAKE, Layout, MAX_PLAINTEXT, Protection, RECORD_HEADER,
};
use crate::backend::rustls::{FLOOD_LIMIT, Tickets};
use crate::cipher_suites::SuiteRow;
use crate::package::NAME;
use crate::status;

const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

/// Handshake message types after the handshake.
const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// The message KeyUpdate(update_not_requested). Spec: TLS13 section 4.6.3.
const KEY_UPDATE_MESSAGE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];
/// A KeyUpdate in a record of its own: header, message, content type, tag.
const KEY_UPDATE_RECORD: usize = RECORD_HEADER + KEY_UPDATE_MESSAGE.len() + 1 + 16;
/// Warnings in a row that are tolerated.
const WARNING_LIMIT: usize = 4;
/// The longest handshake message after the handshake.
const MAX_POST_HANDSHAKE: usize = 64 << 10;

/// The sizes of a stream with this layout.
///
/// In TLS 1.3 the header has room for a whole record in front of the data's own: the answer to a key update leaves with the
/// next message.
pub(crate) fn stream_sizes(layout: Layout) -> StreamSizes {
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

/// What both halves know.
#[derive(Default)]
struct Shared {
    /// The first error, of either half. Every call repeats it.
    failed: OnceLock<Error>,
    /// The peer asked for our next keys.
    owes_key_update: AtomicBool,
}

impl Shared {
    fn check(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Keeps the first error, and returns it.
    fn fail(&self, error: status::Error) -> Error {
        self.failed.get_or_init(|| error.into()).clone()
    }
}

/// The half that sends.
pub(crate) struct Sender {
    protection: Protection,
    suite: &'static SuiteRow,
    shared: Arc<Shared>,
    /// close_notify or a fatal alert has been sent.
    closed: bool,
}

/// The half that receives.
pub(crate) struct Receiver {
    protection: Protection,
    suite: &'static SuiteRow,
    is_client: bool,
    shared: Arc<Shared>,
    /// close_notify has been received.
    expired: bool,
    /// A handshake message that is not whole.
    fragment: Vec<u8>,
    tickets: Option<Tickets>,
    empty_records: usize,
    warnings: usize,
    key_updates: usize,
    renegotiations: usize,
}

/// An established context on the rustls backend.
pub(crate) type Context = PairedContext<Negotiated>;

/// What belongs to neither half: what was negotiated.
pub(crate) struct Negotiated(Arc<Attributes>);

impl SharedPart for Negotiated {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.0) as _
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        Err(Error::new(
            SecStatus::SEC_E_NO_IMPERSONATION,
            Fault::Configuration,
            "the peer's certificate is not mapped to an account",
        ))
    }
}

/// A context from what the handshake left.
pub(crate) fn new(
    sending: Protection,
    receiving: Protection,
    tickets: Option<Tickets>,
    attributes: Attributes,
) -> Context {
    let (suite, is_client) = (attributes.suite(), attributes.is_client());
    let shared = Arc::new(Shared::default());
    Context {
        sender: Sender { protection: sending, suite, shared: Arc::clone(&shared), closed: false },
        receiver: Receiver {
            protection: receiving,
            suite,
            is_client,
            shared,
            expired: false,
            fragment: Vec::new(),
            tickets,
            empty_records: 0,
            warnings: 0,
            key_updates: 0,
            renegotiations: 0,
        },
        shared: Negotiated(Arc::new(attributes)),
    }
}

/// Header, data and trailer of a message to send, checked: one behind the other, each large enough.
struct SendBuffers {
    header: core::ops::Range<usize>,
    data: core::ops::Range<usize>,
}

impl SendBuffers {
    fn check(memory: &[u8], buffers: &[SecBuffer], sizes: &StreamSizes) -> Result<Self, Error> {
        let [header, data, trailer, empty] = buffers else {
            return Err(Error::invalid_buffers(
                "EncryptMessage takes four buffers: header, data, trailer, empty",
            ));
        };
        let kinds = [header, data, trailer, empty].map(|b| b.buffer_type.kind());
        if kinds
            != [
                SecBufferType::STREAM_HEADER,
                SecBufferType::DATA,
                SecBufferType::STREAM_TRAILER,
                SecBufferType::EMPTY,
            ]
        {
            return Err(Error::invalid_buffers(
                "EncryptMessage takes header, data, trailer and empty, in this order",
            ));
        }
        let (header, data, trailer) = (header.range(), data.range(), trailer.range());
        if header.end != data.start || data.end != trailer.start || trailer.end > memory.len() {
            return Err(Error::invalid_buffers(
                "header, data and trailer must lie one behind the other in the memory",
            ));
        }
        if data.len() > sizes.maximum_message {
            return Err(Error::invalid_buffers(
                "the data is longer than cbMaximumMessage; send it in pieces",
            ));
        }
        if header.len() < sizes.header || trailer.len() < sizes.trailer {
            return Err(Error::new(
                SecStatus::SEC_E_BUFFER_TOO_SMALL,
                Fault::ApiMisuse,
                "header or trailer is shorter than StreamSizes says",
            ));
        }
        Ok(Self { header, data })
    }
}

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.shared.check()?;
        if self.closed {
            return Err(Error::new(
                SecStatus::SEC_E_CONTEXT_EXPIRED,
                Fault::ApiMisuse,
                "nothing can be sent after the shutdown",
            ));
        }
        if quality != QualityOfProtection::Default {
            return Err(Error::new(
                SecStatus::SEC_E_QOP_NOT_SUPPORTED,
                Fault::ApiMisuse,
                "Schannel encrypts every message",
            ));
        }
        let layout = self.protection.layout();
        let SendBuffers { header, data } = SendBuffers::check(memory, buffers, &stream_sizes(layout))?;
        let mut start = data.start - layout.header();
        let end = data.end + layout.trailer();
        let owes = self.shared.owes_key_update.swap(false, Ordering::AcqRel);
        if layout == Layout::Tls13 && (owes || self.protection.is_used_up()) {
            // The room was asked for in StreamSizes; a key that is used up still has one record for its own update.
            start -= KEY_UPDATE_RECORD;
            self.write_key_update(memory, start).map_err(|error| self.shared.fail(error))?;
        }
        let record = memory.get_mut(data.start - layout.header()..end);
        let record = record.ok_or_else(|| Error::invalid_buffers("the buffers lie outside the memory"))?;
        self.protection.seal(APPLICATION_DATA, record).map_err(Error::from)?;
        debug_assert!(start >= header.start, "the header has room for what is written into it");
        if let [header, _, trailer, _] = buffers {
            *header = SecBuffer::new(SecBufferType::STREAM_HEADER, start..data.start);
            *trailer = SecBuffer::new(SecBufferType::STREAM_TRAILER, data.end..end);
        }
        Ok(())
    }

    fn make_signature(
        &mut self,
        _quality: QualityOfProtection,
        _memory: &mut [u8],
        _buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        Err(Error::unsupported(NAME, "MakeSignature: a stream signs every record"))
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        match *token {
            ControlToken::Shutdown => self.alert(AlertLevel::Warning, CLOSE_NOTIFY),
            ControlToken::Alert { level, number } => self.alert(level, number),
            ControlToken::Renegotiate => Err(Error::unsupported(
                NAME,
                "renegotiation with this protocol: TLS 1.3 has none, and for TLS 1.2 it is not enabled",
            )),
            ControlToken::Session { .. } => Err(Error::unsupported(
                NAME,
                "a change of resumption for one session (use the setting resume)",
            )),
            _ => Err(Error::unsupported(NAME, "this control token")),
        }
    }
}

impl Sender {
    /// Writes a KeyUpdate record at `start` and goes on to the next keys.
    fn write_key_update(&mut self, memory: &mut [u8], start: usize) -> Result<(), status::Error> {
        let frame = || status::Error::Internal("the header has no room for a key update");
        let room = memory.get_mut(start..start + KEY_UPDATE_RECORD).ok_or_else(frame)?;
        let message =
            room.get_mut(RECORD_HEADER..RECORD_HEADER + KEY_UPDATE_MESSAGE.len()).ok_or_else(frame)?;
        message.copy_from_slice(&KEY_UPDATE_MESSAGE);
        self.protection.allow_one_more();
        self.protection.seal(HANDSHAKE, room)?;
        self.protection.update(self.suite)
    }

    /// An alert record. After close_notify or a fatal alert there is nothing more to say: no bytes.
    fn alert(&mut self, level: AlertLevel, number: u8) -> Result<Vec<u8>, Error> {
        if self.closed {
            return Ok(Vec::new());
        }
        self.protection.allow_one_more();
        let record = self.protection.seal_message(ALERT, &[level.number(), number]).map_err(Error::from)?;
        self.closed = number == CLOSE_NOTIFY || level == AlertLevel::Fatal;
        if level == AlertLevel::Fatal {
            // The first error stays the first; without one, this is the end that the application chose.
            let _first = self.shared.failed.set(Error::new(
                SecStatus::SEC_E_CONTEXT_EXPIRED,
                Fault::ApiMisuse,
                format!("the context ended when the application sent the fatal alert {number}"),
            ));
        }
        Ok(record)
    }
}

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.shared.check()?;
        let input = Self::check(memory, buffers)?;
        if self.expired {
            return Ok(Decrypted::Expired);
        }
        let text = memory.get_mut(input.clone()).unwrap_or_default();
        let len = match self.protection.layout().record_len(text) {
            Ok(Ok(len)) => len,
            Ok(Err(missing)) => return Ok(Decrypted::Incomplete { missing: Some(missing) }),
            Err(error) => return Err(self.shared.fail(error)),
        };
        let record = text.get_mut(..len).unwrap_or_default();
        let (decrypted, content) = match self.record(record) {
            Ok(decrypted) => decrypted,
            Err(error) => return Err(self.shared.fail(error)),
        };
        let start = input.start;
        let at = |range: core::ops::Range<usize>| start + range.start..start + range.end;
        if let [header, data, trailer, extra, ..] = buffers {
            *header = SecBuffer::new(SecBufferType::STREAM_HEADER, at(0..content.start));
            *data = SecBuffer::new(SecBufferType::DATA, at(content.clone()));
            *trailer = SecBuffer::new(SecBufferType::STREAM_TRAILER, at(content.end..len));
            *extra = if start + len < input.end {
                SecBuffer::new(SecBufferType::EXTRA, start + len..input.end)
            } else {
                SecBuffer::EMPTY
            };
        }
        Ok(decrypted)
    }

    fn verify_signature(
        &mut self,
        _memory: &[u8],
        _buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        Err(Error::unsupported(NAME, "VerifySignature: a stream verifies every record"))
    }
}

impl Receiver {
    /// One data buffer and three empty ones, as Windows insists.
    fn check(memory: &[u8], buffers: &[SecBuffer]) -> Result<core::ops::Range<usize>, Error> {
        if buffers.len() < 4 {
            return Err(Error::invalid_buffers(
                "DecryptMessage takes four buffers: data and three empty ones",
            ));
        }
        let mut data = buffers.iter().filter(|b| b.buffer_type.kind() == SecBufferType::DATA);
        let (Some(one), None) = (data.next(), data.next()) else {
            return Err(Error::invalid_buffers("DecryptMessage takes exactly one data buffer"));
        };
        if buffers.iter().filter(|b| b.buffer_type.kind() == SecBufferType::EMPTY).count() < 3 {
            return Err(Error::invalid_buffers("DecryptMessage takes three empty buffers beside the data"));
        }
        if one.range().end > memory.len() {
            return Err(Error::invalid_buffers("the data buffer lies outside the memory"));
        }
        Ok(one.range())
    }

    /// Opens one record and sees what it is. The range is that of the application's data in the record.
    fn record(&mut self, record: &mut [u8]) -> Result<(Decrypted, core::ops::Range<usize>), status::Error> {
        let opened = self.protection.open(record)?;
        let content = record.get(opened.content.clone()).unwrap_or_default();
        // Handshake messages may not be interleaved with anything else. Spec: TLS13 section 5.1.
        if !self.fragment.is_empty() && opened.content_type != HANDSHAKE {
            return Err(status::Error::UnexpectedRecord { content_type: opened.content_type });
        }
        let nothing = opened.content.start..opened.content.start;
        match opened.content_type {
            APPLICATION_DATA => {
                self.data(content.len())?;
                Ok((Decrypted::Message, opened.content))
            }
            ALERT => Ok((self.alert(content)?, nothing)),
            HANDSHAKE => Ok((self.handshake(content)?, nothing)),
            other => Err(status::Error::UnexpectedRecord { content_type: other }),
        }
    }

    fn data(&mut self, len: usize) -> Result<(), status::Error> {
        if len > 0 {
            (self.empty_records, self.warnings, self.key_updates, self.renegotiations) = (0, 0, 0, 0);
            return Ok(());
        }
        flood(&mut self.empty_records, FLOOD_LIMIT, "empty records")
    }

    /// Spec: TLS13 section 6; TLS12 section 7.2.
    fn alert(&mut self, content: &[u8]) -> Result<Decrypted, status::Error> {
        let &[level, number] = content else {
            return Err(status::Error::Decode { what: "an alert is not two bytes long".to_owned() });
        };
        if number == CLOSE_NOTIFY {
            self.expired = true;
            return Ok(Decrypted::Expired);
        }
        // In TLS 1.3 the level says nothing: all but two are fatal.
        let is_warning = match self.protection.layout() {
            Layout::Tls13 => number == USER_CANCELED,
            Layout::Tls12Gcm | Layout::Tls12ChaCha => level == 1,
        };
        if !is_warning {
            return Err(status::Error::AlertReceived(number));
        }
        flood(&mut self.warnings, WARNING_LIMIT, "warning alerts")?;
        Ok(Decrypted::Message)
    }

    fn handshake(&mut self, content: &[u8]) -> Result<Decrypted, status::Error> {
        if content.is_empty() {
            return Err(status::Error::UnexpectedMessage { what: "an empty handshake record".to_owned() });
        }
        self.fragment.extend_from_slice(content);
        let mut decrypted = Decrypted::Message;
        while let Some(&[kind, a, b, c]) = self.fragment.first_chunk::<4>() {
            let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            self.check_header(kind, len)?;
            if self.fragment.len() < 4 + len {
                break;
            }
            let rest = self.fragment.split_off(4 + len);
            let message = core::mem::replace(&mut self.fragment, rest);
            let body = message.get(4..).unwrap_or_default();
            decrypted = match self.protection.layout() {
                Layout::Tls13 => self.post_handshake(kind, body)?,
                Layout::Tls12Gcm | Layout::Tls12ChaCha => self.renegotiation(kind, body)?,
            };
        }
        Ok(decrypted)
    }

    /// Refuses from its header a message that may not come, before its body is waited for and kept.
    fn check_header(&self, kind: u8, len: usize) -> Result<(), status::Error> {
        let is_tls13 = self.protection.layout() == Layout::Tls13;
        match (kind, is_tls13, self.is_client) {
            (KEY_UPDATE, true, _) if len == 1 => Ok(()),
            (KEY_UPDATE, true, _) => {
                Err(status::Error::Decode { what: format!("KeyUpdate with a body of {len} bytes") })
            }
            (HELLO_REQUEST, false, true) if len == 0 => Ok(()),
            (NEW_SESSION_TICKET, true, true) | (CLIENT_HELLO, false, false) if len <= MAX_POST_HANDSHAKE => {
                Ok(())
            }
            (NEW_SESSION_TICKET, true, true) | (CLIENT_HELLO, false, false) => {
                Err(status::Error::TooMuchHandshake { limit: MAX_POST_HANDSHAKE })
            }
            _ => Err(status::Error::UnexpectedMessage {
                what: format!("handshake message {kind} of {len} bytes"),
            }),
        }
    }

    /// TLS 1.3. Spec: TLS13 section 4.6.
    fn post_handshake(&mut self, kind: u8, body: &[u8]) -> Result<Decrypted, status::Error> {
        match kind {
            NEW_SESSION_TICKET if self.is_client => {
                if let Some(tickets) = &mut self.tickets {
                    tickets.keep(body)?;
                }
                Ok(Decrypted::Message)
            }
            KEY_UPDATE => {
                let requested = match body {
                    [0] => false,
                    [1] => true,
                    _ => {
                        return Err(status::Error::IllegalParameter {
                            what: format!("KeyUpdate {body:02x?}"),
                        });
                    }
                };
                if !self.fragment.is_empty() {
                    // The keys change behind this message, so it must end its record.
                    let what = "a message behind KeyUpdate in the same record".to_owned();
                    return Err(status::Error::UnexpectedMessage { what });
                }
                flood(&mut self.key_updates, FLOOD_LIMIT, "key updates")?;
                self.protection.update(self.suite)?;
                if requested {
                    self.shared.owes_key_update.store(true, Ordering::Release);
                }
                Ok(Decrypted::Message)
            }
            other => Err(status::Error::UnexpectedMessage { what: format!("handshake message {other}") }),
        }
    }

    /// TLS 1.2: the peer wants to negotiate again. Spec: TLS12 section 7.4.1.
    fn renegotiation(&mut self, kind: u8, body: &[u8]) -> Result<Decrypted, status::Error> {
        match (kind, self.is_client) {
            (HELLO_REQUEST, true) if body.is_empty() => {}
            (CLIENT_HELLO, false) => {}
            (other, _) => {
                return Err(status::Error::UnexpectedMessage { what: format!("handshake message {other}") });
            }
        }
        flood(&mut self.renegotiations, WARNING_LIMIT, "requests to renegotiate")?;
        Ok(Decrypted::Renegotiate)
    }
}

fn flood(count: &mut usize, limit: usize, what: &'static str) -> Result<(), status::Error> {
    *count += 1;
    if *count > limit { Err(status::Error::Flood { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
