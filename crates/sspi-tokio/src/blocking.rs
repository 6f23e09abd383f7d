//! The same over `std::io::Read` and `Write`, for threads: nothing here needs a runtime.
//!
//! A handshake has no deadline of its own here: give the socket timeouts
//! ([`set_read_timeout`](std::net::TcpStream::set_read_timeout), [`set_write_timeout`](std::net::TcpStream::set_write_timeout)).
//! They bound each call of the socket, not their sum.

use core::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use sspi_core::{
    Account, CertificateIdentity, ClientCertificateRequest, ContextFlags, ControlToken, DigestAccount,
    DigestLogon, Error, Fault, FoundAccount, LogonRequest, LogonVerdict, PackageInfo, PeerIdentity,
    QueryContextAttributes, Question, SecStatus, SecurityContext, SendingHalf, SessionKey,
};
use tracing::Span;
use zeroize::Zeroizing;

use crate::driver::{Driver, Established, Event, internal};
use crate::handshake::Reached;
use crate::inbound::{Inbound, Progress, Sink};
use crate::known::{InTime, Known, RenegotiationOutcome};
use crate::outbound::{Outbound, RecordSizes, Source};
use crate::stream::{MOST_HELD, unfinished};
use crate::wakers::Side;
use crate::{Framing, HandshakeError, Handshaking, Observer, Renegotiated, answers, error, options, scratch};

/// Answers what a handshake asks, and may block while it looks. What is not overridden is refused.
pub trait Answers: Send + Sync {
    /// Which certificate to present to the server; `None` goes on without one.
    ///
    /// # Errors
    /// They end the handshake.
    fn client_certificate(
        &self,
        request: &ClientCertificateRequest,
    ) -> Result<Option<CertificateIdentity>, Error> {
        Err(answers::no_client_certificate(request))
    }

    /// Which accounts stand behind the peer: all that there are, which the package judges.
    ///
    /// # Errors
    /// They are the package's to judge, too: it may go on without an account.
    fn accounts(&self, peer: &PeerIdentity) -> Result<Vec<FoundAccount>, Error> {
        Err(answers::no_account(peer))
    }

    /// The account of a logon with Digest, and what proves it; `None` where there is none: see
    /// [`AccountDatabase`](crate::AccountDatabase).
    ///
    /// # Errors
    /// They end the handshake.
    fn digest_secret(&self, logon: &DigestLogon) -> Result<Option<DigestAccount>, Error> {
        Err(answers::no_digest_secret(logon))
    }

    /// The session that a client wants to take up again, from where several machines share them: see
    /// [`SharedSessions`](crate::SharedSessions). `None` where there is none, or nobody to ask: the handshake is a full one.
    fn session(&self, key: &SessionKey) -> Option<Zeroizing<Vec<u8>>> {
        let _nobody_to_ask = key;
        None
    }

    /// Who is behind a logon with a password: see [`AccountDatabase`](crate::AccountDatabase).
    ///
    /// # Errors
    /// They end the handshake.
    fn logon(&self, request: &LogonRequest) -> Result<LogonVerdict, Error> {
        Err(answers::no_logon(request))
    }
}

impl Answers for crate::NoAnswers {}

/// How a handshake is run.
#[derive(Clone)]
pub struct HandshakeOptions {
    /// How tokens and messages are told apart.
    pub framing: Framing,
    /// The most bytes of the peer that are held unread during the handshake: 256 KiB unless told otherwise.
    pub maximum_token: usize,
    /// Who answers what the package asks.
    pub answers: Arc<dyn Answers>,
}

impl HandshakeOptions {
    /// The usual bound, and nobody to answer questions.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, maximum_token: options::MAXIMUM_TOKEN, answers: Arc::new(crate::NoAnswers) }
    }

    /// What fits the package.
    #[must_use]
    pub fn of(package: &PackageInfo) -> Self {
        Self::new(Framing::of(package))
    }

    /// The same with other answers.
    #[must_use]
    pub fn with_answers(self, answers: impl Answers + 'static) -> Self {
        Self { answers: Arc::new(answers), ..self }
    }
}

impl Default for HandshakeOptions {
    fn default() -> Self {
        Self::new(Framing::default())
    }
}

impl fmt::Debug for HandshakeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeOptions")
            .field("framing", &self.framing)
            .field("maximum_token", &self.maximum_token)
            .finish_non_exhaustive()
    }
}

/// Runs a handshake over `stream`, in the role that `handshaking` has.
///
/// # Errors
/// See [`HandshakeError`]; there is no `Deadline`, a socket's timeout is `Io`. Where the package has something to tell the
/// peer, it was sent before the error is returned, if the transport took it.
pub fn handshake<S: Read + Write>(
    mut stream: S,
    handshaking: impl Into<Handshaking>,
    options: &HandshakeOptions,
) -> Result<SecureStream<S>, HandshakeError> {
    let mut driver = Driver::new(handshaking.into(), options.framing, options.maximum_token);
    let established = match drive(&mut stream, &mut driver, &*options.answers)? {
        Reached::Established(established) => established,
        Reached::Data(_) => {
            return Err(HandshakeError::Security(internal("there is no data before there is a context")));
        }
    };
    SecureStream::established(stream, established, options.clone()).map_err(HandshakeError::Security)
}

/// How many bytes a handshake reads at once.
const READ: usize = 16 * 1024;

fn drive<S: Read + Write>(
    io: &mut S,
    driver: &mut Driver,
    answers: &dyn Answers,
) -> Result<Reached, HandshakeError> {
    loop {
        let event = driver.next();
        let sent = send(io, &driver.take_outgoing());
        // The package's error says more than what befell its last token.
        let event = event.map_err(HandshakeError::Security)?;
        sent.map_err(HandshakeError::Io)?;
        match event {
            Event::Progress => {}
            Event::Read => receive(io, driver)?,
            Event::Ask(question) => {
                if let Err(error) = answer(answers, question) {
                    driver.refuse(&error);
                    let _best_effort = send(io, &driver.take_outgoing());
                    return Err(HandshakeError::Security(error));
                }
            }
            Event::Data(data) => return Ok(Reached::Data(data)),
            Event::Complete(established) => return Ok(Reached::Established(established)),
        }
    }
}

fn send(io: &mut impl Write, token: &[u8]) -> io::Result<()> {
    if token.is_empty() {
        return Ok(());
    }
    io.write_all(token)?;
    io.flush()
}

fn receive(io: &mut impl Read, driver: &mut Driver) -> Result<(), HandshakeError> {
    let room = driver.room().min(READ);
    scratch::with(room, |memory| {
        let memory = memory.get_mut(..room).unwrap_or_default();
        match read(io, memory).map_err(HandshakeError::Io)? {
            0 => Err(HandshakeError::Truncated),
            length => {
                driver.received(memory.get(..length).unwrap_or_default());
                Ok(())
            }
        }
    })
}

fn answer(answers: &dyn Answers, question: Question) -> Result<(), Error> {
    match question {
        Question::ClientCertificate(ask) => {
            let certificate = answers.client_certificate(ask.question())?;
            ask.answer(certificate);
        }
        Question::Account(ask) => {
            let found = answers.accounts(ask.question());
            ask.answer(found);
        }
        Question::Session(ask) => {
            let session = answers.session(ask.question());
            ask.answer(session);
        }
        Question::DigestSecret(ask) => {
            let found = answers.digest_secret(ask.question());
            ask.answer(found);
        }
        Question::Logon(ask) => {
            let verdict = answers.logon(ask.question());
            ask.answer(verdict);
        }
        unknown => return Err(unknown.unanswered()),
    }
    Ok(())
}

/// Reads, whatever signals arrive in between. A transport that claims more than it was offered gave as much as fits.
fn read(io: &mut impl Read, memory: &mut [u8]) -> io::Result<usize> {
    loop {
        match io.read(memory) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read.map(|length| length.min(memory.len())),
        }
    }
}

/// A transport over which a context protects what is written and opens what is read. Ends, errors and renegotiation are as
/// for [`sspi_tokio::SecureStream`](crate::SecureStream).
///
/// A timeout of the socket is an error of the call that meets it and of nothing else: what was read before is kept, what was
/// reported as written is sent by a later call, and the stream goes on. Only a renegotiation does not survive it; and a server
/// whose client was asked for one, and has not begun it in its time, ends then: see that the socket has a timeout.
pub struct SecureStream<S> {
    io: S,
    /// `None` in a renegotiation, and behind one that failed.
    context: Option<Box<dyn SecurityContext>>,
    renegotiating: Option<Box<Renegotiating>>,
    known: InTime,
    /// What became of our own wish to negotiate again.
    renegotiation: RenegotiationOutcome,
    observer: Option<Arc<dyn Observer>>,
    /// The observer has heard that the peer's wish was refused.
    has_refused: bool,
    inbound: Inbound,
    outbound: Outbound,
    /// The peer wants to negotiate again, and the caller got data first.
    renegotiation_due: bool,
    options: HandshakeOptions,
}

struct Renegotiating {
    driver: Driver,
    span: Span,
}

impl<S> SecureStream<S> {
    fn established(io: S, established: Established, options: HandshakeOptions) -> Result<Self, Error> {
        let Established { context, unread, framing, .. } = established;
        let options = HandshakeOptions { framing, ..options };
        let known = Known::of(&*context);
        let sizes = RecordSizes::of(framing, &*known.attributes)?;
        Ok(Self {
            io,
            known: InTime::new(known),
            renegotiation: RenegotiationOutcome::None,
            observer: None,
            has_refused: false,
            inbound: Inbound::new(framing, &sizes, unread),
            outbound: Outbound::new(framing, sizes),
            context: Some(context),
            renegotiating: None,
            renegotiation_due: false,
            options,
        })
    }

    /// `QueryContextAttributes`: what was negotiated. Behind a renegotiation that is what the data belongs to which is read
    /// next: while there is data from before it, what was negotiated before.
    pub fn attributes(&self) -> &Arc<dyn QueryContextAttributes> {
        &self.known.now().attributes
    }

    /// `QuerySecurityContextToken`: the account that the peer maps to; in time with [`attributes`](Self::attributes).
    ///
    /// # Errors
    /// `SEC_E_NO_IMPERSONATION` where no account stands behind the context.
    pub fn security_context_token(&self) -> Result<Account, Error> {
        self.known.now().account()
    }

    /// What became of the last renegotiation that this side asked for or began ([`renegotiate`](Self::renegotiate),
    /// [`ControlToken::Renegotiate`]). Reading is what makes it known.
    pub fn renegotiation(&self) -> RenegotiationOutcome {
        self.renegotiation
    }

    /// Has every handshake from now on told to this observer, in place of the one before.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
    }

    fn tell(&self, end: &Renegotiated<'_>) {
        if let Some(observer) = &self.observer {
            observer.ends(end);
        }
    }

    /// The package's error that ended the stream, if one did.
    pub fn error(&self) -> Option<&Error> {
        self.inbound.error().or_else(|| self.outbound.error())
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.io
    }

    /// The transport. Bytes that are read from it or written to it here are missing in the stream.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }
}

impl<S: Read + Write> SecureStream<S> {
    /// `ApplyControlToken`: asks the package for what the token stands for, and sends it.
    ///
    /// # Errors
    /// Those of the package (`SEC_E_UNSUPPORTED_FUNCTION` for what it does not have) and of the transport.
    pub fn apply_control_token(&mut self, token: &ControlToken) -> io::Result<()> {
        self.finish_renegotiation()?;
        self.outbound.check()?;
        let context = self.context.as_deref_mut().ok_or_else(|| error::security(unfinished()))?;
        self.outbound.apply_control_token(context, token).map_err(error::security)?;
        if matches!(token, ControlToken::Renegotiate) {
            self.renegotiation = RenegotiationOutcome::Pending;
        }
        self.flush()
    }

    /// Says that nothing more will be sent. The transport stays open: shut its write side down then, or drop it.
    ///
    /// # Errors
    /// Those of the package and of the transport.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.finish_renegotiation()?;
        let sender: Option<&mut (dyn SendingHalf + 'static)> = match &mut self.context {
            Some(context) => Some(&mut **context),
            None => None,
        };
        self.outbound.close(sender).map_err(error::security)?;
        self.flush()
    }

    fn drain(&mut self) -> io::Result<()> {
        while !self.outbound.pending().is_empty() {
            match self.io.write(self.outbound.pending()) {
                Ok(0) => return Err(error::write_zero()),
                Ok(n) => self.outbound.sent(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn write_from(&mut self, mut source: Source<'_>) -> io::Result<usize> {
        self.outbound.check()?;
        if source.is_empty() {
            return Ok(0);
        }
        self.negotiate(Side::Write)?;
        self.outbound.check()?;
        self.drain()?;
        let context = self.context.as_deref_mut().ok_or_else(|| error::security(unfinished()))?;
        scratch::with(self.outbound.memory(&source), |memory| {
            let (place, accepted) =
                self.outbound.seal(context, &mut source, memory).map_err(error::security)?;
            let mut sealed = memory.get(place).unwrap_or_default();
            while !sealed.is_empty() {
                match self.io.write(sealed) {
                    Ok(n) if n > 0 => sealed = sealed.get(n..).unwrap_or_default(),
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    // What was sealed once must be sent: it counts as written, and the next call meets the failure.
                    _ => {
                        self.outbound.keep(sealed);
                        break;
                    }
                }
            }
            Ok(accepted)
        })
    }

    /// Opens what is left of earlier reads, or else reads. The outer error is the transport's.
    fn receive(&mut self, sink: &mut Filling<'_>) -> io::Result<Result<Progress, Error>> {
        let context = self.context.as_deref_mut().ok_or_else(|| error::security(unfinished()))?;
        if self.inbound.is_ready() {
            return Ok(self.inbound.work(context, sink));
        }
        let kept = self.inbound.unread();
        let end = kept + self.inbound.read_size(sink.room());
        if let Err(late) = context.time_left() {
            return Ok(Err(self.late(late)));
        }
        let received: io::Result<_> = scratch::with(end, |memory| {
            let length = read(&mut self.io, memory.get_mut(kept..end).unwrap_or_default())?;
            if length == 0 {
                self.inbound.transport_ended();
                return Ok(Ok(Progress::Ended));
            }
            Ok(self.inbound.absorb(context, sink, memory, length))
        });
        match received {
            // The socket has a timer, and the package has none.
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                match self.context.as_deref_mut().map_or(Ok(None), |context| context.time_left()) {
                    Ok(_) => Err(e),
                    Err(late) => Ok(Err(self.late(late))),
                }
            }
            received => received,
        }
    }

    /// The peer was asked to negotiate again, and has had its time.
    fn late(&mut self, error: Error) -> Error {
        self.tell(&Renegotiated::Failed(&HandshakeError::Security(error.clone())));
        self.inbound.failed(error)
    }

    fn fail(&mut self, error: &Error) {
        self.inbound.fail(error.clone());
        self.outbound.fail(error.clone());
    }

    /// Negotiates again, as [`sspi_tokio::SecureStream::renegotiate`](crate::SecureStream::renegotiate) does: reading and
    /// writing drive it.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` where there is no second handshake, with the setting that forbids it; those of the
    /// transport.
    pub fn renegotiate(&mut self) -> io::Result<()> {
        self.outbound.check()?;
        self.negotiate(Side::Write)?;
        if matches!(self.known.latest().attributes.flags(), ContextFlags::Acceptor(_)) {
            match self.apply_control_token(&ControlToken::Renegotiate) {
                Err(e) if error::is_unsupported(&e) => {}
                asked => return asked,
            }
        }
        self.begin().map_err(error::security)?;
        self.renegotiation = RenegotiationOutcome::Pending;
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Error> {
        let Some(context) = self.context.take() else { return Err(unfinished()) };
        let extra = self.inbound.take_unread();
        match context.renegotiate(&extra) {
            Ok(renegotiation) => {
                let driver = Driver::renegotiating(renegotiation.into(), extra, self.options.maximum_token);
                let span = self.observer.as_ref().map_or_else(Span::none, |observer| observer.begins());
                self.renegotiating = Some(Box::new(Renegotiating { driver, span }));
                Ok(())
            }
            Err(refused) => {
                self.context = Some(refused.context);
                self.inbound.give_back(extra);
                Err(refused.error)
            }
        }
    }

    /// Negotiates again if the peer wants that, or if it was begun: to the end, or for a reader until there is data.
    fn negotiate(&mut self, side: Side) -> io::Result<()> {
        if self.renegotiation_due {
            self.drain()?;
            self.renegotiation_due = false;
            if let Err(error) = self.begin() {
                if !core::mem::replace(&mut self.has_refused, true) {
                    self.tell(&Renegotiated::Refused(&error));
                }
                let Some(context) = self.context.as_deref_mut() else {
                    return Err(error::security(error));
                };
                if self.outbound.decline_renegotiation(context).is_err() {
                    self.fail(&error);
                    return Ok(());
                }
                self.drain()?;
            }
        }
        while let Some(mut renegotiating) = self.renegotiating.take() {
            if side == Side::Read && self.inbound.held() > 0 {
                self.renegotiating = Some(renegotiating);
                return Ok(());
            }
            let span = renegotiating.span.clone();
            let _in_it = span.enter();
            let reached = self.drain().map_err(HandshakeError::Io);
            let reached =
                reached.and_then(|()| drive(&mut self.io, &mut renegotiating.driver, &*self.options.answers));
            let resumed = reached.and_then(|reached| match reached {
                Reached::Data(data) if self.inbound.held() + data.len() <= MOST_HELD => {
                    self.inbound.hold(&data);
                    self.renegotiating = Some(renegotiating);
                    Ok(())
                }
                Reached::Data(_) => Err(HandshakeError::Security(unread())),
                Reached::Established(established) => self.resume(established),
            });
            resumed.map_err(|e| {
                self.tell(&Renegotiated::Failed(&e));
                self.fail(&e.security().cloned().unwrap_or_else(unfinished));
                io::Error::from(e)
            })?;
        }
        Ok(())
    }

    /// Goes on with one that was begun.
    fn finish_renegotiation(&mut self) -> io::Result<()> {
        if self.renegotiating.is_some() { self.negotiate(Side::Write) } else { Ok(()) }
    }

    fn resume(&mut self, established: Established) -> Result<(), HandshakeError> {
        let known = Known::of(&*established.context);
        let sizes = RecordSizes::of(self.options.framing, &*known.attributes)?;
        if let Some(observer) = &self.observer {
            known.tell(&**observer, established.declined);
        }
        self.known.change(self.inbound.held(), known);
        self.renegotiation.end(established.declined);
        self.inbound.resume(&sizes, established.unread);
        self.outbound.resume(sizes);
        self.context = Some(established.context);
        Ok(())
    }
}

/// The peer goes on sending in the middle of a renegotiation, and only writing drives it.
fn unread() -> Error {
    Error::new(
        SecStatus::SEC_E_ILLEGAL_MESSAGE,
        Fault::PeerMisbehaved,
        format!(
            "the peer sent more than {MOST_HELD} bytes in the middle of a renegotiation, and nobody read them"
        ),
    )
}

impl<S: Read + Write> Read for SecureStream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut sink = Filling { buffer, filled: 0 };
        while sink.filled == 0 && sink.room() > 0 {
            self.negotiate(Side::Read)?;
            self.known.settle();
            if (self.context.is_none() || self.known.until().is_some()) && self.inbound.held() > 0 {
                self.known.read(self.inbound.deliver(&mut sink, self.known.until()));
                continue;
            }
            if let Some(end) = self.inbound.end() {
                return end.map(|()| 0);
            }
            match self.receive(&mut sink)? {
                Ok(Progress::Renegotiate) => self.renegotiation_due = true,
                Ok(Progress::Declined) => {
                    self.tell(&Renegotiated::Declined);
                    self.renegotiation.end(true);
                }
                Ok(_) => {}
                Err(error) => {
                    if let Some(context) = self.context.as_deref_mut() {
                        self.outbound.alert(context, &error);
                    }
                    let _best_effort = self.drain();
                }
            }
        }
        Ok(sink.filled)
    }
}

impl<S: Read + Write> Write for SecureStream<S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.write_from(Source::new(&[IoSlice::new(data)]))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.write_from(Source::new(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.finish_renegotiation()?;
        self.drain()?;
        self.io.flush()
    }
}

impl<S: fmt::Debug> fmt::Debug for SecureStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureStream")
            .field("package", &self.known.now().attributes.package_info().name)
            .field("error", &self.error())
            .field("transport", &self.io)
            .finish_non_exhaustive()
    }
}

/// A caller's buffer that fills.
struct Filling<'a> {
    buffer: &'a mut [u8],
    filled: usize,
}

impl Sink for Filling<'_> {
    fn room(&self) -> usize {
        self.buffer.len() - self.filled
    }

    fn put(&mut self, plain: &[u8]) -> usize {
        let fits = plain.len().min(self.room());
        let room = self.buffer.get_mut(self.filled..self.filled + fits).unwrap_or_default();
        room.copy_from_slice(plain.get(..fits).unwrap_or_default());
        self.filled += fits;
        fits
    }
}
