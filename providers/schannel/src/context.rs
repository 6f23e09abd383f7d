//! Message protection after the handshake: `EncryptMessage`, `DecryptMessage`, `ApplyControlToken`.
//!
//! One call is one record. A record of the peer that is not data (a key update, a ticket, a warning) is a message without
//! data. The two halves share only what each must know of the other: the first error. What protects the records is the
//! backend's: [`Sealing`] and [`Opening`].

use core::marker::PhantomData;
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use sspi_core::{
    Account, AlertLevel, ControlToken, Decrypted, Error, Fault, PairedContext, QualityOfProtection,
    QueryContextAttributes, ReceivingHalf, Renegotiation, RenegotiationRefused, SecBuffer, SecBufferType,
    SecStatus, SecurityContext, SendingHalf, SharedPart, StreamSizes,
};

use crate::attributes::Attributes;
use crate::backend::records::{ALERT, APPLICATION_DATA, HANDSHAKE, Opening, Sealing};
use crate::backend::{Backend, Engine, Established, FLOOD_LIMIT, Rustls, Session};
use crate::package::NAME;
use crate::renegotiation::{Again, Asked, Renegotiable};
use crate::session_cache::Kept;
use crate::status::{self, flood};

const CLOSE_NOTIFY: u8 = 0;
const NO_CERTIFICATE: u8 = 41;
const USER_CANCELED: u8 = 90;
pub(crate) const NO_RENEGOTIATION: u8 = 100;

/// Handshake message types that ask for a second handshake.
const HELLO_REQUEST: u8 = 0;
const CLIENT_HELLO: u8 = 1;

/// Warnings in a row that are tolerated.
const WARNING_LIMIT: usize = 4;
/// How often in all a peer may wish to negotiate again, and is refused. Each wish is answered and recorded, whatever data stands
/// between them.
const WISH_LIMIT: usize = 16;
/// The longest handshake message after the handshake.
const MAX_POST_HANDSHAKE: usize = 64 << 10;

/// What both halves know.
#[derive(Default)]
pub(crate) struct Shared {
    /// The first error, of either half. Every call repeats it.
    failed: OnceLock<Error>,
    /// The server has asked its client to negotiate again.
    pub(crate) asked: Asked,
    /// The connection's sessions, where they are kept.
    pub(crate) kept: OnceLock<Arc<Kept>>,
}

impl Shared {
    fn check(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    /// Spec: TLS12 section 7.2.2.
    fn forget_sessions(&self) {
        if let Some(kept) = self.kept.get() {
            kept.forget();
        }
    }

    /// Ends the context with an error that is the package's already.
    pub(crate) fn end(&self, error: Error) {
        let _the_first_stays = self.failed.set(error);
    }

    /// Keeps the first error, and returns it.
    fn fail(&self, error: status::Error) -> Error {
        self.failed.get_or_init(|| error.into()).clone()
    }
}

/// The half that sends.
pub(crate) struct Sender<S> {
    pub(crate) sealing: S,
    is_client: bool,
    /// Whether the context may be negotiated again by our own wish.
    renegotiable: Renegotiable,
    shared: Arc<Shared>,
    /// close_notify or a fatal alert has been sent.
    pub(crate) closed: bool,
}

/// The half that receives.
pub(crate) struct Receiver<O> {
    pub(crate) opening: O,
    is_client: bool,
    pub(crate) shared: Arc<Shared>,
    /// close_notify has been received.
    pub(crate) expired: bool,
    /// A handshake message that is not whole.
    pub(crate) fragment: Vec<u8>,
    /// What the last record said of a second handshake.
    pub(crate) again: Option<PeersWish>,
    empty_records: usize,
    warnings: usize,
    /// Wishes of the peer to negotiate again, in a row.
    renegotiations: usize,
    /// And in all. Whoever takes one up has a new context.
    wishes: usize,
}

/// The peer wants to negotiate again.
pub(crate) struct PeersWish {
    /// Its ClientHello; empty for a HelloRequest.
    pub(crate) hello: Vec<u8>,
    /// It was asked.
    pub(crate) was_asked: bool,
}

/// An established context on a backend.
pub(crate) type Context<B> = PairedContext<Negotiated<B>>;

/// What belongs to neither half: what was negotiated.
pub(crate) struct Negotiated<B> {
    pub(crate) attributes: Arc<Attributes>,
    /// With what to negotiate again.
    pub(crate) again: Option<Box<Again>>,
    backend: PhantomData<B>,
}

impl<B: Negotiates> SharedPart for Negotiated<B> {
    type Sender = Sender<B::Sealing>;
    type Receiver = Receiver<B::Opening>;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as _
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.attributes.account()
    }

    fn renegotiate(
        mut context: Box<Context<B>>,
        _extra: &[u8],
    ) -> Result<Renegotiation, RenegotiationRefused> {
        let wish = context.receiver.again.take();
        if let Err(error) = context.receiver.shared.check() {
            return Err(RenegotiationRefused { context, error });
        }
        B::negotiate_again(context, wish)
    }
}

/// A backend that has a second handshake, or says why it has none.
pub(crate) trait Negotiates: Backend {
    fn negotiate_again(
        context: Box<Context<Self>>,
        wish: Option<PeersWish>,
    ) -> Result<Renegotiation, RenegotiationRefused>;
}

/// A context from what the handshake left; `attributes` makes its attributes, `again` is with what to negotiate again.
pub(crate) fn established(
    established: Established,
    attributes: impl FnOnce(Session, StreamSizes) -> Attributes,
    again: Again,
) -> Box<dyn SecurityContext> {
    match established {
        Established::Rustls(established) => {
            let crate::backend::rustls::Established { session, kept, sending, receiving } = *established;
            let attributes = attributes(session, sending.stream_sizes());
            Box::new(new::<Rustls>(sending, receiving, attributes, None).with_sessions(kept))
        }
        Established::Legacy(established) => {
            let crate::backend::legacy::Established { session, kept, sending, receiving } = *established;
            let attributes = attributes(session, sending.stream_sizes());
            let again = again.is_enabled().then(|| Box::new(again));
            Box::new(new::<Engine>(sending, receiving, attributes, again).with_sessions(kept))
        }
    }
}

/// A context of both directions.
pub(crate) fn new<B: Negotiates>(
    sealing: B::Sealing,
    opening: B::Opening,
    attributes: impl Into<Arc<Attributes>>,
    again: Option<Box<Again>>,
) -> Context<B> {
    let attributes = attributes.into();
    let is_client = attributes.is_client();
    let shared = Arc::new(Shared::default());
    let renegotiable = Renegotiable::of(&attributes, again.as_deref());
    Context {
        sender: Sender { sealing, is_client, renegotiable, shared: Arc::clone(&shared), closed: false },
        receiver: Receiver {
            opening,
            is_client,
            shared,
            expired: false,
            fragment: Vec::new(),
            again: None,
            empty_records: 0,
            warnings: 0,
            renegotiations: 0,
            wishes: 0,
        },
        shared: Negotiated { attributes, again, backend: PhantomData },
    }
}

/// A context whose sessions are kept somewhere.
pub(crate) trait WithSessions {
    fn with_sessions(self, kept: Arc<Kept>) -> Self;
}

impl<B: Negotiates> WithSessions for Context<B> {
    fn with_sessions(self, kept: Arc<Kept>) -> Self {
        let _new_contexts_have_none = self.sender.shared.kept.set(kept);
        self
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

impl<S: Sealing> SendingHalf for Sender<S> {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.check()?;
        if quality != QualityOfProtection::Default {
            return Err(Error::new(
                SecStatus::SEC_E_QOP_NOT_SUPPORTED,
                Fault::ApiMisuse,
                "Schannel encrypts every message",
            ));
        }
        let SendBuffers { header, data } = SendBuffers::check(memory, buffers, &self.sealing.stream_sizes())?;
        let record = self.sealing.seal_data(memory, data.clone()).map_err(|error| match error {
            // The peer can still be heard, and told that this is the end.
            status::Error::KeyUsedUp | status::Error::SmallBlockLimit { .. } => error.into(),
            _ => self.shared.fail(error),
        })?;
        debug_assert!(record.start >= header.start, "the header has room for what is written into it");
        if let [header, _, trailer, _] = buffers {
            *header = SecBuffer::new(SecBufferType::STREAM_HEADER, record.start..data.start);
            *trailer = SecBuffer::new(SecBufferType::STREAM_TRAILER, data.end..record.end);
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
            ControlToken::Renegotiate => self.request(),
            ControlToken::UpdateKeys => self.update_keys(),
            ControlToken::Session { enable_reconnects } => {
                if let Some(kept) = self.shared.kept.get() {
                    kept.allow_reconnects(enable_reconnects);
                }
                Ok(Vec::new())
            }
            _ => Err(Error::unsupported(NAME, "this control token")),
        }
    }
}

impl<S: Sealing> Sender<S> {
    /// Whether anything can be sent.
    fn check(&self) -> Result<(), Error> {
        self.shared.check()?;
        if self.closed {
            return Err(Error::new(
                SecStatus::SEC_E_CONTEXT_EXPIRED,
                Fault::ApiMisuse,
                "nothing can be sent after the shutdown",
            ));
        }
        Ok(())
    }

    /// A KeyUpdate. The peer's own comes before its next data.
    fn update_keys(&mut self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let record = self.sealing.seal_key_update().map_err(|error| self.shared.fail(error))?;
        record.ok_or_else(|| {
            let what =
                "new keys without a handshake: only TLS 1.3 has KeyUpdate (see ControlToken::Renegotiate)";
            Error::unsupported(NAME, what)
        })
    }

    /// A HelloRequest.
    fn request(&mut self) -> Result<Vec<u8>, Error> {
        self.shared.check()?;
        let asked = self.renegotiable.check()?;
        if self.is_client {
            return Err(Error::unsupported(
                NAME,
                "a request for renegotiation by a client: it begins one (SecurityContext::renegotiate)",
            ));
        }
        let record = self.sealing.seal_hello_request().map_err(Error::from)?;
        self.shared.asked.begin(asked);
        Ok(record)
    }

    /// An alert record, with the level that the alert has whatever was asked for. After close_notify or a fatal alert there is
    /// nothing more to say: no bytes. A canceled handshake is closed, too.
    ///
    /// Spec: TLS12 section 7.2; TLS13 section 6.1.
    fn alert(&mut self, level: AlertLevel, number: u8) -> Result<Vec<u8>, Error> {
        if self.closed {
            return Ok(Vec::new());
        }
        let (level, number) = self.sealing.as_said(fixed_level(number).unwrap_or(level), number);
        let record = self.sealing.seal_alert(level, number).map_err(Error::from)?;
        self.closed = number == CLOSE_NOTIFY || level == AlertLevel::Fatal;
        if level == AlertLevel::Fatal {
            self.sealing.failed();
            self.shared.forget_sessions();
            // The first error stays the first; without one, this is the end that the application chose.
            let _first = self.shared.failed.set(Error::new(
                SecStatus::SEC_E_CONTEXT_EXPIRED,
                Fault::ApiMisuse,
                format!("the context ended when the application sent the fatal alert {number}"),
            ));
        }
        if number == USER_CANCELED {
            let mut both = record;
            both.extend(self.alert(AlertLevel::Warning, CLOSE_NOTIFY)?);
            return Ok(both);
        }
        Ok(record)
    }
}

/// The level of an alert that has only one. Those about certificates, and those that no document here names, have either.
///
/// Spec: TLS12 section 7.2; SSL30 section 5.4.
const fn fixed_level(number: u8) -> Option<AlertLevel> {
    match number {
        CLOSE_NOTIFY | NO_CERTIFICATE | USER_CANCELED | NO_RENEGOTIATION => Some(AlertLevel::Warning),
        10 | 20..=22 | 30 | 40 | 47..=51 | 60 | 70 | 71 | 80 | 86 | 109 | 110 | 113..=116 | 120 => {
            Some(AlertLevel::Fatal)
        }
        _ => None,
    }
}

impl<O: Opening> ReceivingHalf for Receiver<O> {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.shared.check()?;
        let input = Self::check(memory, buffers)?;
        if self.expired {
            return Ok(Decrypted::Expired);
        }
        let text = memory.get_mut(input.clone()).unwrap_or_default();
        let len = match self.opening.record_len(text) {
            Ok(Ok(len)) => len,
            Ok(Err(missing)) => return Ok(Decrypted::Incomplete { missing: Some(missing) }),
            Err(error) => return Err(self.fail(error)),
        };
        let record = text.get_mut(..len).unwrap_or_default();
        let (decrypted, content) = match self.record(record) {
            Ok(decrypted) => decrypted,
            Err(error) => return Err(self.fail(error)),
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

    fn time_left(&mut self) -> Result<Option<Duration>, Error> {
        if !self.shared.asked.is_waiting() {
            return Ok(None);
        }
        self.shared.check()?;
        self.shared.asked.time_left().map_err(|error| self.fail(error))
    }

    fn verify_signature(
        &mut self,
        _memory: &[u8],
        _buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        Err(Error::unsupported(NAME, "VerifySignature: a stream verifies every record"))
    }
}

impl<O: Opening> Receiver<O> {
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

    fn fail(&mut self, error: status::Error) -> Error {
        self.opening.failed();
        self.shared.forget_sessions();
        self.shared.fail(error)
    }

    /// Opens one record and sees what it is. The range is that of the application's data in the record.
    fn record(&mut self, record: &mut [u8]) -> Result<(Decrypted, core::ops::Range<usize>), status::Error> {
        self.again = None;
        if self.shared.asked.is_waiting() {
            self.shared.asked.one_more_record()?;
        }
        let opened = self.opening.open(record)?;
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
            other if self.opening.is_announcement(other) => {
                self.wish()?;
                self.again = Some(PeersWish { hello: Vec::new(), was_asked: false });
                Ok((Decrypted::Renegotiate, nothing))
            }
            other => Err(status::Error::UnexpectedRecord { content_type: other }),
        }
    }

    /// The peer wants to negotiate again. The wish after the last that may be refused ends the connection.
    fn wish(&mut self) -> Result<(), status::Error> {
        flood(&mut self.renegotiations, WARNING_LIMIT, "requests to renegotiate")?;
        self.wishes += 1;
        if self.wishes > WISH_LIMIT {
            let what = format!("a request to renegotiate, after {WISH_LIMIT} that were refused");
            return Err(status::Error::UnexpectedMessage { what });
        }
        Ok(())
    }

    fn data(&mut self, len: usize) -> Result<(), status::Error> {
        if len > 0 {
            (self.empty_records, self.warnings, self.renegotiations) = (0, 0, 0);
            self.opening.data_came();
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
        let is_warning = match self.opening.post_handshake() {
            Some(_) => number == USER_CANCELED,
            None => level == 1,
        };
        if !is_warning {
            return Err(status::Error::AlertReceived(number));
        }
        if number == NO_RENEGOTIATION && self.shared.asked.declined()? {
            return Ok(Decrypted::NoRenegotiation);
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
            match self.opening.post_handshake() {
                Some(post_handshake) => post_handshake.check_header(kind, len, self.is_client)?,
                None => self.check_header(kind, len)?,
            }
            if self.fragment.len() < 4 + len {
                break;
            }
            let rest = self.fragment.split_off(4 + len);
            let message = core::mem::replace(&mut self.fragment, rest);
            let body = message.get(4..).unwrap_or_default();
            match self.opening.post_handshake() {
                Some(post_handshake) => post_handshake.message(kind, body, self.fragment.is_empty())?,
                None => {
                    self.wish()?;
                    decrypted = Decrypted::Renegotiate;
                    if kind == CLIENT_HELLO {
                        // What follows it is for the handshake that it begins.
                        let was_asked = self.shared.asked.came();
                        self.again = Some(PeersWish { hello: message, was_asked });
                        break;
                    }
                    self.again = Some(PeersWish { hello: Vec::new(), was_asked: false });
                }
            }
        }
        Ok(decrypted)
    }

    /// The peer may want to negotiate again, and nothing else. Refuses from its header what may not come, before its body is
    /// waited for and kept.
    ///
    /// Spec: TLS12 section 7.4.1.
    fn check_header(&self, kind: u8, len: usize) -> Result<(), status::Error> {
        match (kind, self.is_client) {
            (HELLO_REQUEST, true) if len == 0 => Ok(()),
            (CLIENT_HELLO, false) if len <= MAX_POST_HANDSHAKE => Ok(()),
            (CLIENT_HELLO, false) => Err(status::Error::TooMuchHandshake { limit: MAX_POST_HANDSHAKE }),
            _ => Err(status::Error::UnexpectedMessage {
                what: format!("handshake message {kind} of {len} bytes"),
            }),
        }
    }
}

#[cfg(test)]
mod legacy_tests;
#[cfg(test)]
mod tests;
