//! The handshake without its transport: what to send, when to read, what to answer.

use core::ops::Range;

use sspi_core::{Error, Fault, Question, SecStatus, SecurityContext, Step};
use tracing::debug;

use crate::framing::Begins;
use crate::nns::{self, HANDSHAKE_HEADER, HandshakeHeader, MessageId};
use crate::{Framing, Handshaking};

/// What the caller does next. Before anything else it sends [`Driver::take_outgoing`].
pub(crate) enum Event {
    /// Come back at once.
    Progress,
    /// Read into [`Driver::received`], at most [`Driver::room`] bytes.
    Read,
    /// Answer, then come back.
    Ask(Question),
    /// Data of the application, in its place; then come back.
    Data(Vec<u8>),
    /// The handshake is over.
    Complete(Established),
}

/// A context, and what the peer sent behind the handshake.
pub(crate) struct Established {
    pub(crate) context: Box<dyn SecurityContext>,
    pub(crate) unread: Vec<u8>,
    /// The context is what it was: the peer does not negotiate it again.
    pub(crate) declined: bool,
    /// How its messages are told apart; it is not to be detected any more.
    pub(crate) framing: Framing,
}

/// A handshake between its bytes.
pub(crate) struct Driver {
    handshaking: Handshaking,
    /// As it was asked for, or as it was detected.
    framing: Framing,
    /// The handshake is one on an established context.
    has_context: bool,
    /// The most bytes of `input`.
    maximum: usize,
    /// What the peer sent and the package has not taken.
    input: Vec<u8>,
    /// How many bytes `input` must have before the package is called again.
    wanted: usize,
    /// What must be sent before anything else.
    outgoing: Vec<u8>,
    nns: NnsState,
}

/// How far the frames of NegotiateStream are.
#[derive(Default)]
struct NnsState {
    /// The initiator has made its first call.
    begun: bool,
    /// The package has been called with a frame.
    heard: bool,
    /// What the package has not taken of the payload of the frame at the beginning of the input.
    payload: Option<Range<usize>>,
    /// The peer has said that it is done.
    peer_done: bool,
    /// We are done, and wait for the peer to say the same.
    context: Option<Box<dyn SecurityContext>>,
}

impl Driver {
    /// A handshake that has not begun. An acceptor is called when there is something to hear.
    pub(crate) fn new(handshaking: Handshaking, framing: Framing, maximum: usize) -> Self {
        let hears_first = matches!(handshaking, Handshaking::Accept(_));
        Self {
            handshaking,
            framing,
            has_context: false,
            maximum,
            input: Vec::new(),
            wanted: usize::from(hears_first),
            outgoing: Vec::new(),
            nns: NnsState { begun: hears_first, ..NnsState::default() },
        }
    }

    /// A handshake on an established context: whichever the role, its first call takes `extra`.
    pub(crate) fn renegotiating(handshaking: Handshaking, extra: Vec<u8>, maximum: usize) -> Self {
        Self {
            input: extra,
            wanted: 0,
            has_context: true,
            ..Self::new(handshaking, Framing::Stream, maximum)
        }
    }

    /// How many bytes may be received now.
    pub(crate) fn room(&self) -> usize {
        self.maximum.saturating_sub(self.input.len())
    }

    /// Takes bytes of the peer.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// What must be sent now.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.outgoing)
    }

    /// Goes on as far as it can. After an error what must still be sent is outgoing.
    pub(crate) fn next(&mut self) -> Result<Event, Error> {
        let next = match self.framing {
            Framing::Stream => self.next_stream(),
            Framing::Nns => self.next_nns(),
            Framing::Detected => self.next_detected(),
        };
        next.inspect_err(|error| self.give_up(error))
    }

    /// Ends the handshake because a question was not answered: the package, called again without its answer, says what the
    /// peer should hear.
    pub(crate) fn refuse(&mut self, error: &Error) {
        let input = match &self.nns.payload {
            Some(payload) => self.input.get(payload.clone()).unwrap_or_default(),
            None => &self.input,
        };
        if let Err(failure) = self.handshaking.advance(input) {
            self.send_failure(failure.token);
        }
        self.give_up(error);
    }

    fn give_up(&mut self, error: &Error) {
        debug!(status = %error.status(), token = self.outgoing.len(), "handshake: failed");
        if self.framing == Framing::Nns && error.fault() != Fault::PeerReported {
            nns::encode_error(&mut self.outgoing, error.status());
        }
    }

    fn send_failure(&mut self, token: Vec<u8>) {
        match self.framing {
            Framing::Stream | Framing::Detected => self.outgoing = token,
            // A peer that is done has no package any more that could take a token.
            Framing::Nns if token.is_empty() || self.nns.peer_done => {}
            Framing::Nns => {
                let id = MessageId::HANDSHAKE_IN_PROGRESS;
                // A token that no frame can hold is left out: the error frame follows in any case.
                let _too_long = nns::encode_handshake(&mut self.outgoing, id, &token);
            }
        }
    }

    fn advance(&mut self, payload: Range<usize>) -> Result<Step, Error> {
        let input = self.input.get(payload).unwrap_or_default();
        let size = input.len();
        match self.handshaking.advance(input) {
            Ok(step) => {
                trace(size, &step);
                let (Step::Continue { used, .. }
                | Step::Data { used, .. }
                | Step::Declined { used, .. }
                | Step::Complete { used, .. }) = &step
                else {
                    return Ok(step);
                };
                let stuck = match &step {
                    Step::Continue { token, used: 0 } => token.is_empty() && size > 0,
                    Step::Data { used, .. } => *used == 0 || !self.has_context,
                    Step::Declined { .. } => !self.has_context,
                    _ => false,
                };
                if *used > size || stuck {
                    return Err(internal(
                        "the package took more than it was given, went on without a step, or has data before a context",
                    ));
                }
                Ok(step)
            }
            Err(failure) => {
                self.send_failure(failure.token);
                Err(failure.error)
            }
        }
    }

    fn read(&mut self, wanted: usize) -> Result<Event, Error> {
        self.wanted = wanted;
        if wanted <= self.maximum {
            return Ok(Event::Read);
        }
        Err(Error::new(
            SecStatus::SEC_E_INVALID_TOKEN,
            Fault::PeerMisbehaved,
            format!(
                "the peer's token has at least {wanted} bytes; {} may be held unread (maximum_token)",
                self.maximum
            ),
        ))
    }

    /// Whoever speaks first says with its first bytes how the connection goes on.
    fn next_detected(&mut self) -> Result<Event, Error> {
        if matches!(self.handshaking, Handshaking::Initialize(_)) {
            return self.begin_detected();
        }
        self.framing = match Begins::of(&self.input) {
            Ok(Begins::Frame) => Framing::Nns,
            Ok(Begins::Stream) => Framing::Stream,
            Ok(Begins::Token) => {
                let what =
                    "the client sends a token without a frame of NegotiateStream, which says where it ends";
                return Err(nns::misbehaved(what));
            }
            Err(missing) => return self.read(self.input.len().saturating_add(missing)),
        };
        self.wanted = 1;
        if self.framing == Framing::Nns { self.next_nns() } else { self.next_stream() }
    }

    /// The package's own first token says how an initiator goes on: as an acceptor would take it, were it not for frames.
    fn begin_detected(&mut self) -> Result<Event, Error> {
        let step = self.advance(0..0)?;
        let (Step::Continue { token, .. } | Step::Complete { token, .. }) = &step else {
            return match step {
                Step::Ask(question) => Ok(Event::Ask(question)),
                _ => Err(internal("an initiator has nothing to begin with")),
            };
        };
        match Begins::of(token) {
            Ok(Begins::Stream) => {
                self.framing = Framing::Stream;
                self.stream_step(step)
            }
            _ => {
                self.framing = Framing::Nns;
                self.nns_step(step)
            }
        }
    }

    fn next_stream(&mut self) -> Result<Event, Error> {
        if self.input.len() < self.wanted {
            return self.read(self.wanted);
        }
        let step = self.advance(0..self.input.len())?;
        self.stream_step(step)
    }

    fn stream_step(&mut self, step: Step) -> Result<Event, Error> {
        match step {
            Step::Continue { token, used } => {
                self.input.drain(..used);
                self.wanted = 1;
                self.outgoing = token;
                Ok(Event::Progress)
            }
            Step::Incomplete { missing } => {
                self.read(self.input.len().saturating_add(missing.unwrap_or(1).max(1)))
            }
            Step::Ask(question) => Ok(Event::Ask(question)),
            Step::Data { data, used } => {
                self.input.drain(..used);
                self.wanted = 1;
                Ok(Event::Data(data))
            }
            Step::Declined { context, used } => {
                self.input.drain(..used);
                Ok(self.complete(context, true))
            }
            Step::Complete { context, token, used } => {
                self.input.drain(..used);
                self.outgoing = token;
                Ok(self.complete(context, false))
            }
        }
    }

    fn complete(&mut self, context: Box<dyn SecurityContext>, declined: bool) -> Event {
        let mut unread = core::mem::take(&mut self.input);
        // The connection may be idle for long; the room that the handshake needed is not kept for it.
        unread.shrink_to_fit();
        debug!(unread = unread.len(), "handshake: complete");
        Event::Complete(Established { context, unread, declined, framing: self.framing })
    }

    fn next_nns(&mut self) -> Result<Event, Error> {
        if self.nns.begun && self.nns.payload.is_none() {
            let Some(header) = HandshakeHeader::decode(&self.input)? else {
                return self.read(HANDSHAKE_HEADER);
            };
            let end = HANDSHAKE_HEADER + header.payload_size;
            if self.input.len() < end {
                return self.read(end);
            }
            if let Some(event) = self.begin_frame(header, end)? {
                return Ok(event);
            }
        }
        let payload = self.nns.payload.clone().unwrap_or_default();
        let step = self.advance(payload)?;
        self.nns_step(step)
    }

    fn nns_step(&mut self, step: Step) -> Result<Event, Error> {
        match step {
            Step::Continue { token, used } => {
                // A client that has nothing to say at first says that.
                let is_first = !self.nns.begun;
                self.take(used);
                if self.nns.peer_done && (!token.is_empty() || self.nns.payload.is_none()) {
                    return Err(nns::misbehaved("the peer is done, and the package expects another token"));
                }
                if is_first || !token.is_empty() {
                    nns::encode_handshake(&mut self.outgoing, MessageId::HANDSHAKE_IN_PROGRESS, &token)?;
                }
                Ok(Event::Progress)
            }
            Step::Incomplete { .. } => Err(nns::misbehaved("a frame holds part of a token only")),
            Step::Ask(question) => Ok(Event::Ask(question)),
            Step::Data { .. } | Step::Declined { .. } => {
                Err(internal("NegotiateStream has no handshake after the first"))
            }
            Step::Complete { context, token, used } => {
                self.take(used);
                if self.nns.payload.is_some() {
                    return Err(nns::misbehaved(
                        "a frame holds more than the token that completes the handshake",
                    ));
                }
                let attributes = context.attributes();
                let info = attributes.package_info();
                if info.oids.is_empty() && info.capabilities.is_stream() {
                    return Err(nns::misbehaved("frames hold a stream, which needs none"));
                }
                nns::encode_handshake(&mut self.outgoing, MessageId::HANDSHAKE_DONE, &token)?;
                if self.nns.peer_done {
                    return Ok(self.complete(context, false));
                }
                self.nns.context = Some(context);
                Ok(Event::Progress)
            }
        }
    }

    /// Looks at the frame of `end` bytes at the beginning of the input: its payload is for the package, or it ends the
    /// handshake.
    fn begin_frame(&mut self, header: HandshakeHeader, end: usize) -> Result<Option<Event>, Error> {
        let empty = header.payload_size == 0;
        match header.message_id {
            MessageId::HANDSHAKE_ERROR => {
                return Err(nns::peer_error(self.input.get(HANDSHAKE_HEADER..end).unwrap_or_default()));
            }
            MessageId::HANDSHAKE_DONE => {
                self.nns.peer_done = true;
                if let Some(context) = self.nns.context.take_if(|_| empty) {
                    self.input.drain(..end);
                    return Ok(Some(self.complete(context, false)));
                }
            }
            _ => {}
        }
        if self.nns.context.is_some() {
            return Err(nns::misbehaved("the peer sends another token, and the package is complete"));
        }
        let may_be_empty = !self.nns.heard
            && header.message_id == MessageId::HANDSHAKE_IN_PROGRESS
            && matches!(self.handshaking, Handshaking::Accept(_));
        if empty && !may_be_empty {
            return Err(nns::misbehaved("the peer sends an empty token"));
        }
        self.nns.heard = true;
        self.nns.payload = Some(HANDSHAKE_HEADER..end);
        Ok(None)
    }

    fn take(&mut self, used: usize) {
        self.nns.begun = true;
        if let Some(payload) = &mut self.nns.payload {
            payload.start += used;
            if payload.start >= payload.end {
                self.input.drain(..payload.end);
                self.nns.payload = None;
            }
        }
    }
}

/// Sizes only: tokens and questions may hold what is nobody's business.
fn trace(input: usize, step: &Step) {
    match step {
        Step::Continue { token, used } => debug!(input, used, token = token.len(), "handshake: continue"),
        Step::Incomplete { missing } => debug!(input, missing, "handshake: incomplete"),
        Step::Ask(question) => debug!(input, question = question.name(), "handshake: ask"),
        Step::Data { data, used } => debug!(input, used, data = data.len(), "handshake: data"),
        Step::Declined { used, .. } => debug!(input, used, "handshake: the peer does not negotiate again"),
        Step::Complete { token, used, .. } => {
            debug!(input, used, token = token.len(), "handshake: package complete");
        }
    }
}

/// `SEC_E_INTERNAL_ERROR`: the package broke the contract.
pub(crate) fn internal(message: &'static str) -> Error {
    Error::new(SecStatus::SEC_E_INTERNAL_ERROR, Fault::Internal, message)
}
