//! A stream package that is a toy: it frames its own messages, and **nothing in it is secure**.
//!
//! ```text
//! record    kind 1 · length 2 (big-endian) · data · checksum 4
//! kind      1 handshake · 2 data · 3 shutdown · 4 alert · 5 hello request · 6 something that the package keeps to itself
//! ```
//!
//! The handshake is `HELLO`, `WELCOME` (or `CERTIFICATE?`), `DONE` with the certificate, and perhaps a ticket behind it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sspi_core::{
    AcceptSecurityContext, Answer, AscRet, Ask, CertificateIdentity, ClientCertificateRequest, ContextFlags,
    ControlToken, Decrypted, Error, Failure, Fault, InitializeSecurityContext, IscRet, PackageInfo,
    PairedContext, QualityOfProtection, QueryContextAttributes, Question, ReceivingHalf, Renegotiation,
    RenegotiationRefused, SecBuffer, SecBufferType, SecPkgFlags, SecStatus, SecurityContext, SendingHalf,
    SharedPart, SplitContext, SplitRefused, Step, StreamSizes,
};

const HANDSHAKE: u8 = 1;
const DATA: u8 = 2;
const SHUTDOWN: u8 = 3;
const ALERT: u8 = 4;
const HELLO_REQUEST: u8 = 5;
const KEPT: u8 = 6;

const HEADER: usize = 3;
const TRAILER: usize = 4;

/// What the package can be told to do.
#[derive(Clone, Copy, Default)]
pub(crate) struct Habits {
    /// The server asks for a certificate.
    pub(crate) wants_certificate: bool,
    /// The server asks for the client's certificate in a second handshake.
    pub(crate) wants_certificate_again: bool,
    /// The server sends a ticket behind the handshake.
    pub(crate) sends_ticket: bool,
    /// Contexts cannot be split.
    pub(crate) refuses_split: bool,
    /// Contexts cannot negotiate again.
    pub(crate) refuses_renegotiation: bool,
    /// A peer that was asked to negotiate again may say that it will not.
    pub(crate) hears_refusals: bool,
    /// How long a server waits that has asked its client to negotiate again.
    pub(crate) patience: Patience,
    /// The most data in a record; 1000 where it is zero.
    pub(crate) maximum_message: usize,
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Patience {
    #[default]
    Endless,
    /// On the clock of the runtime.
    Time(Duration),
    /// Until it was asked so many times how long it still waits.
    Questions(u32),
}

pub(crate) fn client(habits: Habits) -> Box<dyn InitializeSecurityContext> {
    Box::new(Handshake::new(habits, true, Direction::default(), Direction::default(), 1))
}

pub(crate) fn server(habits: Habits) -> Box<dyn AcceptSecurityContext> {
    Box::new(Handshake::new(habits, false, Direction::default(), Direction::default(), 1))
}

pub(crate) fn package_info() -> PackageInfo {
    PackageInfo {
        name: "ToyStream".into(),
        aliases: Vec::new(),
        comment: "a toy: nothing in it is secure".into(),
        capabilities: SecPkgFlags::STREAM,
        version: 1,
        rpc_id: 0xFFFF,
        max_token: 512,
        oids: Vec::new(),
    }
}

fn error(status: SecStatus, message: &'static str) -> Error {
    Error::new(status, Fault::PeerMisbehaved, message)
}

fn altered() -> Error {
    error(SecStatus::SEC_E_MESSAGE_ALTERED, "the checksum of a record is wrong").with_alert(20)
}

/// One direction of records.
#[derive(Clone, Copy, Default)]
struct Direction {
    key: u32,
    sequence: u32,
}

/// A record that was read: its kind, its data, and where it ends.
struct Record {
    kind: u8,
    data: Range<usize>,
    end: usize,
}

impl Direction {
    fn checksum(self, kind: u8, data: &[u8]) -> [u8; TRAILER] {
        let mut sum = self.key ^ self.sequence.wrapping_mul(0x9e37_79b9) ^ u32::from(kind);
        for &byte in data {
            sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        sum.to_be_bytes()
    }

    fn flip(self, data: &mut [u8]) {
        let byte = (self.key ^ self.sequence) as u8 | 1;
        data.iter_mut().for_each(|b| *b ^= byte);
    }

    fn record(&mut self, kind: u8, data: &[u8]) -> Vec<u8> {
        let mut record = vec![kind];
        record.extend((data.len() as u16).to_be_bytes());
        record.extend_from_slice(data);
        record.extend(self.checksum(kind, data));
        self.sequence += 1;
        record
    }

    /// Looks at the record at the beginning of `input` without taking it, or says how much is missing.
    fn peek(self, input: &mut [u8]) -> Result<Result<Record, usize>, Error> {
        if input.len() < HEADER {
            return Ok(Err(HEADER - input.len()));
        }
        let (kind, size) = (input[0], usize::from(u16::from_be_bytes([input[1], input[2]])));
        if !(HANDSHAKE..=KEPT).contains(&kind) {
            return Err(error(SecStatus::SEC_E_ILLEGAL_MESSAGE, "this is no record").with_alert(10));
        }
        let end = HEADER + size + TRAILER;
        if input.len() < end {
            return Ok(Err(end - input.len()));
        }
        let data = HEADER..HEADER + size;
        if kind == DATA {
            self.flip(&mut input[data.clone()]);
        }
        if self.checksum(kind, &input[data.clone()]) != input[data.end..end] {
            return Err(altered());
        }
        Ok(Ok(Record { kind, data, end }))
    }
}

// ---- handshake ----

struct Handshake {
    habits: Habits,
    sender: Direction,
    receiver: Direction,
    /// How many handshakes there were on the connection, this one included.
    count: u32,
    is_client: bool,
    state: State,
}

enum State {
    Begin,
    Hello,
    Certificate(Answer<Option<CertificateIdentity>>),
    Over(Error),
}

impl Handshake {
    fn new(habits: Habits, is_client: bool, sender: Direction, receiver: Direction, count: u32) -> Self {
        Self { habits, sender, receiver, count, is_client, state: State::Begin }
    }

    fn complete(&mut self, client: bool, certificate: Vec<u8>, token: Vec<u8>, used: usize) -> Step {
        let key = self.count.wrapping_mul(0x0101_0101);
        let direction = Direction { key, sequence: 0 };
        let context = self.context(client, certificate, direction, direction, self.count, false);
        self.state = State::Over(Error::invalid_handle("the handshake is complete"));
        Step::Complete { context, token, used }
    }

    /// The context as it was before this handshake, whose peer declines, or closes.
    fn declined(&mut self, used: usize, closed: bool) -> Step {
        self.receiver.sequence += 1;
        let is_client = self.is_client;
        let context = self.context(is_client, Vec::new(), self.sender, self.receiver, self.count - 1, closed);
        self.state = State::Over(Error::invalid_handle("the handshake was declined"));
        Step::Declined { context, used }
    }

    fn context(
        &self,
        client: bool,
        certificate: Vec<u8>,
        sender: Direction,
        receiver: Direction,
        count: u32,
        closed: bool,
    ) -> Box<dyn SecurityContext> {
        let attributes = Attributes {
            info: package_info(),
            client,
            certificate: String::from_utf8(certificate).unwrap(),
            maximum_message: if self.habits.maximum_message == 0 {
                1000
            } else {
                self.habits.maximum_message
            },
        };
        let asked = Arc::<AtomicBool>::default();
        Box::new(Context {
            sender: Sender { direction: sender, closed: false, asked: Arc::clone(&asked) },
            receiver: Receiver {
                direction: receiver,
                end: closed.then_some(Ok(Decrypted::Expired)),
                habits: self.habits,
                asked,
                since: None,
            },
            shared: Session { habits: self.habits, attributes: Arc::new(attributes), client, count },
        })
    }

    fn client(&mut self, input: &[u8]) -> Result<Step, Error> {
        if matches!(self.state, State::Begin) {
            self.state = State::Hello;
            return Ok(Step::Continue { token: self.sender.record(HANDSHAKE, b"HELLO"), used: 0 });
        }
        let (welcome, used) = match self.read(input)? {
            Ok(read) => read,
            Err(step) => return Ok(step),
        };
        let certificate = match &self.state {
            State::Certificate(answer) => answer.given()?.as_ref().map_or(Vec::new(), |c| c.chain[0].clone()),
            _ if welcome == b"WELCOME" => Vec::new(),
            _ if welcome == b"CERTIFICATE?" => {
                let (ask, answer) = Ask::new(ClientCertificateRequest::default());
                self.state = State::Certificate(answer);
                return Ok(Step::Ask(Question::ClientCertificate(ask)));
            }
            _ => return Err(error(SecStatus::SEC_E_ILLEGAL_MESSAGE, "this is no welcome")),
        };
        let token = self.sender.record(HANDSHAKE, &[&b"DONE"[..], &certificate].concat());
        Ok(self.complete(true, Vec::new(), token, used))
    }

    fn server(&mut self, input: &[u8]) -> Result<Step, Error> {
        let (message, used) = match self.read(input)? {
            Ok(read) => read,
            Err(step) => return Ok(step),
        };
        match (&self.state, message.strip_prefix(b"DONE")) {
            (State::Begin, None) if message == b"HELLO" => {
                self.receiver.sequence += 1;
                self.state = State::Hello;
                let wants_certificate =
                    self.habits.wants_certificate || self.habits.wants_certificate_again && self.count > 1;
                let welcome: &[u8] = if wants_certificate { b"CERTIFICATE?" } else { b"WELCOME" };
                Ok(Step::Continue { token: self.sender.record(HANDSHAKE, welcome), used })
            }
            (State::Hello, Some(certificate)) => {
                let mut step = self.complete(false, certificate.to_vec(), Vec::new(), used);
                if let (Step::Complete { context, token, .. }, true) = (&mut step, self.habits.sends_ticket) {
                    let session = ControlToken::Session { enable_reconnects: true };
                    *token = context.apply_control_token(&session)?;
                }
                Ok(step)
            }
            _ => Err(error(SecStatus::SEC_E_ILLEGAL_MESSAGE, "this is not the message that is expected")),
        }
    }

    /// The next message and where it ends, or another step.
    fn read(&mut self, input: &[u8]) -> Result<Result<(Vec<u8>, usize), Step>, Error> {
        let mut input = input.to_vec();
        match self.receiver.peek(&mut input)? {
            Ok(record) if record.kind == HANDSHAKE => Ok(Ok((input[record.data].to_vec(), record.end))),
            Ok(record) if record.kind == ALERT && input[record.data.start] == 100 && self.count > 1 => {
                Ok(Err(self.declined(record.end, false)))
            }
            Ok(record) if record.kind == SHUTDOWN && self.count > 1 => {
                Ok(Err(self.declined(record.end, true)))
            }
            Ok(record) if record.kind == ALERT => Err(Error::new(
                SecStatus::SEC_E_ILLEGAL_MESSAGE,
                Fault::PeerReported,
                format!("the peer sent the alert {}", input[record.data.start]),
            )),
            Ok(record) if record.kind == DATA && self.count > 1 => {
                self.receiver.sequence += 1;
                Ok(Err(Step::Data { data: input[record.data].to_vec(), used: record.end }))
            }
            Ok(_) => Err(error(SecStatus::SEC_E_ILLEGAL_MESSAGE, "this record does not belong here")),
            Err(missing) => Ok(Err(Step::Incomplete { missing: Some(missing) })),
        }
    }

    fn latched(&mut self, step: Result<Step, Error>) -> Result<Step, Failure> {
        step.map_err(|error| {
            let token = match error.fault() {
                Fault::PeerReported => Vec::new(),
                _ => self.sender.record(ALERT, &[error.alert().unwrap_or(80)]),
            };
            self.state = State::Over(error.clone());
            Failure { error, token }
        })
    }

    fn over(&self) -> Option<Failure> {
        match &self.state {
            State::Over(error) => Some(Failure::silent(error.clone())),
            _ => None,
        }
    }
}

impl InitializeSecurityContext for Handshake {
    fn initialize_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if let Some(failure) = self.over() {
            return Err(failure);
        }
        let step = self.client(input);
        self.latched(step)
    }
}

impl AcceptSecurityContext for Handshake {
    fn accept_security_context(&mut self, input: &[u8]) -> Result<Step, Failure> {
        if let Some(failure) = self.over() {
            return Err(failure);
        }
        let step = self.server(input);
        self.latched(step)
    }
}

// ---- context ----

struct Attributes {
    info: PackageInfo,
    client: bool,
    certificate: String,
    maximum_message: usize,
}

impl QueryContextAttributes for Attributes {
    fn package_info(&self) -> &PackageInfo {
        &self.info
    }

    fn flags(&self) -> ContextFlags {
        if self.client {
            ContextFlags::Initiator(IscRet::STREAM)
        } else {
            ContextFlags::Acceptor(AscRet::STREAM)
        }
    }

    /// The certificate that the client chose.
    fn names(&self) -> Result<String, Error> {
        Ok(self.certificate.clone())
    }

    /// More room than the package needs, which the contract allows.
    fn stream_sizes(&self) -> Result<StreamSizes, Error> {
        Ok(StreamSizes {
            header: HEADER + 5,
            trailer: TRAILER + 5,
            maximum_message: self.maximum_message,
            buffers: 4,
            block_size: 1,
        })
    }
}

struct Sender {
    direction: Direction,
    closed: bool,
    /// The peer was asked to negotiate again.
    asked: Arc<AtomicBool>,
}

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        _quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        if self.closed {
            return Err(error(SecStatus::SEC_E_CONTEXT_EXPIRED, "the context was shut down"));
        }
        let [header, data, trailer, _] = buffers else { panic!("four buffers") };
        assert_eq!(header.range().end, data.offset);
        assert_eq!(data.range().end, trailer.offset);
        let checksum = self.direction.checksum(DATA, &memory[data.range()]);
        let start = data.offset - HEADER;
        memory[start] = DATA;
        memory[start + 1..start + 3].copy_from_slice(&(data.len as u16).to_be_bytes());
        self.direction.flip(&mut memory[data.range()]);
        trailer.len = TRAILER;
        memory[trailer.range()].copy_from_slice(&checksum);
        *header = SecBuffer::new(SecBufferType::STREAM_HEADER, start..data.offset);
        self.direction.sequence += 1;
        Ok(())
    }

    fn make_signature(
        &mut self,
        _quality: QualityOfProtection,
        _memory: &mut [u8],
        _buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        Err(Error::unsupported("ToyStream", "MakeSignature"))
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        match token {
            ControlToken::Renegotiate => {
                self.asked.store(true, Ordering::Relaxed);
                Ok(self.direction.record(HELLO_REQUEST, &[]))
            }
            ControlToken::Shutdown => {
                self.closed = true;
                Ok(self.direction.record(SHUTDOWN, &[]))
            }
            ControlToken::Alert { number, .. } => Ok(self.direction.record(ALERT, &[*number])),
            _ => Ok(self.direction.record(KEPT, b"a ticket")),
        }
    }
}

struct Receiver {
    direction: Direction,
    habits: Habits,
    end: Option<Result<Decrypted, Error>>,
    asked: Arc<AtomicBool>,
    /// Since when the peer is waited for.
    since: Option<tokio::time::Instant>,
}

impl Receiver {
    fn late(&mut self) -> Error {
        let error = error(SecStatus::SEC_E_ILLEGAL_MESSAGE, "the peer was asked, and has not").with_alert(40);
        self.end = Some(Err(error.clone()));
        error
    }
}

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        if let Some(end) = self.end.clone() {
            return end;
        }
        let all = SecBuffer::find(buffers, SecBufferType::DATA)?;
        let record = match self.direction.peek(&mut memory[all.clone()]) {
            Ok(Ok(record)) => record,
            Ok(Err(missing)) => return Ok(Decrypted::Incomplete { missing: Some(missing) }),
            Err(error) => {
                self.end = Some(Err(error.clone()));
                return Err(error);
            }
        };
        let data = all.start + record.data.start..all.start + record.data.end;
        let mut extra = all.start + record.end..all.end;
        self.direction.sequence += 1;
        let mut plain = data.start..data.start;
        let decrypted = match record.kind {
            DATA => {
                plain = data.clone();
                Decrypted::Message
            }
            KEPT => Decrypted::Message,
            SHUTDOWN => {
                self.end = Some(Ok(Decrypted::Expired));
                Decrypted::Expired
            }
            HELLO_REQUEST => Decrypted::Renegotiate,
            // What begins a handshake that is refused is taken like any record.
            HANDSHAKE if self.habits.refuses_renegotiation => Decrypted::Renegotiate,
            ALERT if self.habits.hears_refusals && memory[data.start] == 100 => {
                self.asked.store(false, Ordering::Relaxed);
                Decrypted::NoRenegotiation
            }
            HANDSHAKE => {
                self.asked.store(false, Ordering::Relaxed);
                self.direction.sequence -= 1;
                extra = all.clone();
                Decrypted::Renegotiate
            }
            _ => {
                let message = format!("the peer sent the alert {}", memory[data.start]);
                let error = Error::new(SecStatus::SEC_E_ILLEGAL_MESSAGE, Fault::PeerReported, message);
                self.end = Some(Err(error.clone()));
                return Err(error);
            }
        };
        buffers[0] = SecBuffer::new(SecBufferType::STREAM_HEADER, all.start..plain.start);
        buffers[1] = SecBuffer::new(SecBufferType::DATA, plain.clone());
        buffers[2] = SecBuffer::new(SecBufferType::STREAM_TRAILER, plain.end..plain.end);
        if !extra.is_empty() {
            buffers[3] = SecBuffer::new(SecBufferType::EXTRA, extra);
        }
        Ok(decrypted)
    }

    fn time_left(&mut self) -> Result<Option<Duration>, Error> {
        if !self.asked.load(Ordering::Relaxed) {
            self.since = None;
            return Ok(None);
        }
        match &mut self.habits.patience {
            Patience::Endless => Ok(None),
            Patience::Questions(0) => Err(self.late()),
            Patience::Questions(more) => {
                *more -= 1;
                Ok(Some(Duration::from_secs(1)))
            }
            Patience::Time(all) => {
                let since = *self.since.get_or_insert_with(tokio::time::Instant::now);
                let left = all.checked_sub(since.elapsed()).filter(|left| !left.is_zero());
                left.map(Some).ok_or_else(|| self.late())
            }
        }
    }

    fn verify_signature(
        &mut self,
        _memory: &[u8],
        _buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        Err(Error::unsupported("ToyStream", "VerifySignature"))
    }
}

type Context = PairedContext<Session>;

struct Session {
    habits: Habits,
    attributes: Arc<Attributes>,
    client: bool,
    count: u32,
}

impl SharedPart for Session {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as Arc<dyn QueryContextAttributes>
    }

    fn split(context: Box<Context>) -> Result<SplitContext, SplitRefused> {
        if context.shared.habits.refuses_split {
            let error = Error::unsupported("ToyStream", "splitting");
            return Err(SplitRefused { context, error });
        }
        let attributes = context.attributes();
        let PairedContext { sender, receiver, .. } = *context;
        Ok(SplitContext { sender: Box::new(sender), receiver: Box::new(receiver), attributes })
    }

    fn renegotiate(context: Box<Context>, _extra: &[u8]) -> Result<Renegotiation, RenegotiationRefused> {
        let Self { habits, client, count, .. } = context.shared;
        if habits.refuses_renegotiation {
            let error = Error::unsupported("ToyStream", "renegotiation");
            return Err(RenegotiationRefused { context, error });
        }
        let (sender, receiver) = (context.sender.direction, context.receiver.direction);
        let again = Handshake::new(habits, client, sender, receiver, count + 1);
        Ok(if client {
            Renegotiation::Initialize(Box::new(again))
        } else {
            Renegotiation::Accept(Box::new(again))
        })
    }
}
