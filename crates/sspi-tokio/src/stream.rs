//! A transport with a context over it.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;

use sspi_core::{
    Account, ContextFlags, ControlToken, Error, Fault, QueryContextAttributes, ReceivingHalf, SecStatus,
    SecurityContext, SendingHalf,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::Span;

use crate::driver::{Driver, Established};
use crate::handshake::{Machine, Reached};
use crate::inbound::{Inbound, Progress};
use crate::known::{InTime, Known, RenegotiationOutcome};
use crate::outbound::{Outbound, RecordSizes, Source};
use crate::patience::Patience;
use crate::wakers::{Side, Wakers};
use crate::{
    HandshakeError, HandshakeOptions, Observer, Renegotiated, SecureReadHalf, SecureWriteHalf, error,
    scratch, split,
};

/// A transport over which a context protects what is written and opens what is read.
///
/// **Reading.** The end of the stream is clean where the peer said that it is closing; where the transport ends without that,
/// reading ends with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), since somebody may have cut the data off (with
/// NegotiateStream's frames, and protocols that know no goodbye, an end between two of their records is clean). A message that cannot be opened ends
/// the context: the peer gets the alert, and every later call the same error. Such an error has the package's
/// [`Error`] inside (`error.get_ref()`, `downcast_ref`).
///
/// **Writing.** What [`poll_write`](AsyncWrite::poll_write) reports as written is sealed and will be sent before anything
/// else, however futures are dropped in between; call [`flush`](AsyncWrite::poll_flush) to see it on the transport.
/// [`shutdown`](AsyncWrite::poll_shutdown) tells the peer that nothing more comes and then closes the transport's write side.
///
/// **Renegotiation.** A peer that wants to negotiate again gets it where the package agrees, within the deadline of the
/// handshake and with the same [`Answers`](crate::Answers); [`renegotiate`](Self::renegotiate) begins it from this side.
/// Writes wait until it is over, and so do reads, but for data that the peer sent before it heard of it. Halves of a split
/// stream and NegotiateStream's frames do not have it.
pub struct SecureStream<S> {
    io: S,
    session: Session,
    known: InTime,
    /// What became of our own wish to negotiate again.
    renegotiation: RenegotiationOutcome,
    observer: Option<Arc<dyn Observer>>,
    /// The observer has heard that the peer's wish was refused.
    has_refused: bool,
    patience: Patience,
    inbound: Inbound,
    outbound: Outbound,
    /// Whoever waits to write: a transport remembers one waiting writer, and what a reader sends may have replaced it.
    writer: Option<Waker>,
    options: HandshakeOptions,
}

/// How much data that came in the middle of a renegotiation is kept for a reader, in bytes, before a writer waits for it.
pub(crate) const MOST_HELD: usize = 256 * 1024;

/// What the stream has of the package.
enum Session {
    Open(Box<dyn SecurityContext>),
    Renegotiating(Box<Renegotiating>),
    /// A renegotiation failed; both directions say why.
    Closed,
}

/// What became of a peer's wish to negotiate again.
#[derive(PartialEq, Eq)]
enum Begun {
    Started,
    Declined,
    Failed,
}

struct Renegotiating {
    machine: Machine,
    wakers: Arc<Wakers>,
    span: Span,
}

impl<S> SecureStream<S> {
    /// A stream over a context.
    pub(crate) fn established(
        io: S,
        established: Established,
        options: HandshakeOptions,
    ) -> Result<Self, Error> {
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
            patience: Patience::new(options.deadline.is_some()),
            inbound: Inbound::new(framing, &sizes, unread),
            outbound: Outbound::new(framing, sizes),
            session: Session::Open(context),
            writer: None,
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

    /// Has every handshake from now on told to this observer, in place of the one before. Halves of a split stream have none.
    pub fn observe(&mut self, observer: Arc<dyn Observer>) {
        self.observer = Some(observer);
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

    /// Two halves, for two tasks. They share the transport, for the length of one call of it at a time, and nothing else,
    /// unless the package refuses to split its context; then they take turns with that too. Nobody negotiates again then; a
    /// renegotiation that is not over ends the stream, behind the data that came before.
    pub fn into_split(self) -> (SecureReadHalf<S>, SecureWriteHalf<S>) {
        let context = match self.session {
            Session::Open(context) => Some(context),
            Session::Renegotiating(_) | Session::Closed => None,
        };
        split::halves(self.io, context, self.known, self.patience, self.inbound, self.outbound)
    }

    fn tell(&self, end: &Renegotiated<'_>) {
        if let Some(observer) = &self.observer {
            observer.ends(end);
        }
    }

    fn fail(&mut self, error: &Error) {
        self.inbound.fail(error.clone());
        self.outbound.fail(error.clone());
    }

    /// Turns the context back into a handshake, which takes what is unread.
    fn begin(&mut self) -> Result<(), Error> {
        let Session::Open(context) = core::mem::replace(&mut self.session, Session::Closed) else {
            return Err(unfinished());
        };
        let extra = self.inbound.take_unread();
        match context.renegotiate(&extra) {
            Ok(renegotiation) => {
                let maximum = self.options.maximum_token;
                let driver = Driver::renegotiating(renegotiation.into(), extra, maximum);
                let machine = Machine::new(driver, &self.options);
                let span = self.observer.as_ref().map_or_else(Span::none, |observer| observer.begins());
                let wakers = Arc::<Wakers>::default();
                // Whoever waits to write loses its place with the transport to the handshake.
                if let Some(writer) = self.writer.take() {
                    wakers.register(Side::Write, &writer);
                }
                let renegotiating = Renegotiating { machine, wakers, span };
                self.session = Session::Renegotiating(Box::new(renegotiating));
                Ok(())
            }
            Err(refused) => {
                self.session = Session::Open(refused.context);
                self.inbound.give_back(extra);
                Err(refused.error)
            }
        }
    }

    /// Begins the handshake that the peer wants, or tells it that there is none.
    fn begin_renegotiation(&mut self) -> Begun {
        let Err(error) = self.begin() else { return Begun::Started };
        if !core::mem::replace(&mut self.has_refused, true) {
            self.tell(&Renegotiated::Refused(&error));
        }
        let Session::Open(context) = &mut self.session else { return Begun::Failed };
        if self.outbound.decline_renegotiation(&mut **context).is_err() {
            self.fail(&error);
            return Begun::Failed;
        }
        Begun::Declined
    }

    fn end_renegotiation(&mut self, end: Result<Established, HandshakeError>) -> io::Result<()> {
        self.session = Session::Closed;
        let resumed = end.and_then(|established| {
            let known = Known::of(&*established.context);
            let sizes = RecordSizes::of(self.options.framing, &*known.attributes)?;
            if let Some(observer) = &self.observer {
                known.tell(&**observer, established.declined);
            }
            self.known.change(self.inbound.held(), known);
            self.renegotiation.end(established.declined);
            self.inbound.resume(&sizes, established.unread);
            self.outbound.resume(sizes);
            self.session = Session::Open(established.context);
            Ok(())
        });
        resumed.map_err(|e| {
            self.tell(&Renegotiated::Failed(&e));
            self.fail(&e.security().cloned().unwrap_or_else(unfinished));
            io::Error::from(e)
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SecureStream<S> {
    /// `ApplyControlToken`: asks the package for what the token stands for, and sends it.
    ///
    /// # Errors
    /// Those of the package (`SEC_E_UNSUPPORTED_FUNCTION` for what it does not have) and of the transport.
    pub async fn apply_control_token(&mut self, token: &ControlToken) -> io::Result<()> {
        poll_fn(|cx| self.poll_session(cx, Side::Write)).await?;
        self.outbound.check()?;
        let Session::Open(context) = &mut self.session else { return Err(error::security(unfinished())) };
        self.outbound.apply_control_token(&mut **context, token).map_err(error::security)?;
        if matches!(token, ControlToken::Renegotiate) {
            self.renegotiation = RenegotiationOutcome::Pending;
        }
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Negotiates again, if the package can and its policy lets it: a client begins at once, a server asks the client to. It
    /// goes on while the stream is read and written; [`flush`](AsyncWrite::poll_flush) waits until a client's is over. Data
    /// that the peer sends meanwhile is read in its place, under the deadline of the handshake. A peer that declines leaves the
    /// stream as it was: [`attributes`](Self::attributes) is then the same object as before.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` where there is no second handshake, with the setting that forbids it; those of the
    /// transport.
    pub async fn renegotiate(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_session(cx, Side::Write)).await?;
        self.outbound.check()?;
        if matches!(self.known.latest().attributes.flags(), ContextFlags::Acceptor(_)) {
            match self.apply_control_token(&ControlToken::Renegotiate).await {
                Err(e) if error::is_unsupported(&e) => {}
                asked => return asked,
            }
        }
        // A protocol in which nothing else may follow the request has no token for it.
        self.begin().map_err(error::security)?;
        self.renegotiation = RenegotiationOutcome::Pending;
        Ok(())
    }

    /// Drives a renegotiation, if there is one, for whoever polls; for a reader until there is data.
    fn poll_session(&mut self, cx: &Context<'_>, side: Side) -> Poll<io::Result<()>> {
        while let Session::Renegotiating(renegotiating) = &mut self.session {
            renegotiating.wakers.register(side, cx.waker());
            let both = Waker::from(Arc::clone(&renegotiating.wakers));
            let mut cx = Context::from_waker(&both);
            if side == Side::Read && self.inbound.held() > 0 {
                return Poll::Ready(Ok(()));
            }
            // Whatever else it waits for: a reader that makes room, or a peer that takes what was written before.
            if let Poll::Ready(late) = renegotiating.machine.poll_deadline(&mut cx) {
                both.wake();
                return Poll::Ready(self.end_renegotiation(Err(late)));
            }
            if side == Side::Write && self.inbound.held() >= MOST_HELD {
                return Poll::Pending;
            }
            let span = renegotiating.span.clone();
            let _in_it = span.enter();
            let end = match ready!(poll_drain(&mut self.outbound, &mut self.io, &mut cx)) {
                Ok(()) => ready!(renegotiating.machine.poll(&mut cx, &mut self.io)),
                Err(e) => Err(HandshakeError::Io(e)),
            };
            both.wake();
            let end = match end {
                Ok(Reached::Data(data)) => {
                    self.inbound.hold(&data);
                    continue;
                }
                Ok(Reached::Established(established)) => Ok(established),
                Err(e) => Err(e),
            };
            return Poll::Ready(self.end_renegotiation(end));
        }
        Poll::Ready(Ok(()))
    }

    /// One step of reading: opens what is left of earlier reads, or else reads.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Result<Progress, Error>>> {
        let Session::Open(context) = &mut self.session else {
            return Poll::Ready(Err(error::security(unfinished())));
        };
        let poll = poll_receive(&mut self.inbound, &mut **context, &mut self.io, cx, buffer);
        if poll.is_pending()
            && let Poll::Ready(late) = self.patience.poll(cx, &mut **context)
        {
            self.tell(&Renegotiated::Failed(&HandshakeError::Security(late.clone())));
            return Poll::Ready(Ok(Err(self.inbound.failed(late))));
        }
        poll
    }

    /// Delivers what came before or in the middle of a renegotiation, and nothing that came behind it.
    fn deliver_held(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        match &self.session {
            Session::Open(_) if self.known.until().is_none() => return false,
            Session::Open(_) => {}
            // A writer may wait for the room.
            Session::Renegotiating(renegotiating) => Waker::from(Arc::clone(&renegotiating.wakers)).wake(),
            Session::Closed => {}
        }
        self.known.read(self.inbound.deliver(buffer, self.known.until()));
        true
    }

    /// Tells the peer why the context ends, as far as the transport takes it now.
    fn alert(&mut self, cx: &mut Context<'_>, error: &Error) {
        if let Session::Open(context) = &mut self.session {
            self.outbound.alert(&mut **context, error);
            self.send_for_reader(cx);
        }
    }

    /// Sends what is pending, as far as the transport takes it now; who waits to write sends the rest.
    fn send_for_reader(&mut self, cx: &mut Context<'_>) {
        let _best_effort = poll_drain(&mut self.outbound, &mut self.io, cx);
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Remembers who must be called again to write.
    fn remember<T>(&mut self, cx: &Context<'_>, poll: Poll<T>) -> Poll<T> {
        if poll.is_pending() {
            match &mut self.writer {
                Some(known) => known.clone_from(cx.waker()),
                None => self.writer = Some(cx.waker().clone()),
            }
        }
        poll
    }

    fn poll_write_from(&mut self, cx: &mut Context<'_>, mut source: Source<'_>) -> Poll<io::Result<usize>> {
        ready!(self.poll_session(cx, Side::Write))?;
        self.outbound.check()?;
        if source.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let Session::Open(context) = &mut self.session else {
            return Poll::Ready(Err(error::security(unfinished())));
        };
        poll_send(&mut self.outbound, &mut **context, &mut self.io, cx, &mut source)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SecureStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let room = buffer.remaining();
        while room > 0 && buffer.remaining() == room {
            ready!(this.poll_session(cx, Side::Read))?;
            this.known.settle();
            if this.inbound.held() > 0 && this.deliver_held(buffer) {
                continue;
            }
            if let Some(end) = this.inbound.end() {
                return Poll::Ready(end);
            }
            match ready!(this.poll_receive(cx, buffer))? {
                Ok(Progress::Renegotiate) => {
                    // What declines it goes out now if nobody else waits to send, otherwise with what they send.
                    let writer_is_sending = !this.outbound.pending().is_empty();
                    if this.begin_renegotiation() == Begun::Declined && !writer_is_sending {
                        this.send_for_reader(cx);
                    }
                }
                Ok(Progress::Declined) => {
                    this.tell(&Renegotiated::Declined);
                    this.renegotiation.end(true);
                }
                Ok(_) => {}
                Err(error) => this.alert(cx, &error),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SecureStream<S> {
    fn poll_flush_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_session(cx, Side::Write))?;
        ready!(poll_drain(&mut self.outbound, &mut self.io, cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_session(cx, Side::Write))?;
        let sender: Option<&mut (dyn SendingHalf + 'static)> = match &mut self.session {
            Session::Open(context) => Some(&mut **context),
            _ => None,
        };
        self.outbound.close(sender).map_err(error::security)?;
        ready!(poll_drain(&mut self.outbound, &mut self.io, cx))?;
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SecureStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let poll = this.poll_write_from(cx, Source::new(slices));
        this.remember(cx, poll)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = this.poll_flush_all(cx);
        this.remember(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = this.poll_close(cx);
        this.remember(cx, poll)
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

/// The error behind a renegotiation that was not finished.
pub(crate) fn unfinished() -> Error {
    Error::new(
        SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED,
        Fault::PeerMisbehaved,
        "the connection was negotiated again, and that was not finished",
    )
}

/// Opens what is left of earlier reads, or else reads and opens that. The outer error is the transport's.
pub(crate) fn poll_receive<S: AsyncRead + Unpin>(
    inbound: &mut Inbound,
    receiver: &mut (dyn ReceivingHalf + 'static),
    io: &mut S,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<Result<Progress, Error>>> {
    if inbound.is_ready() {
        return Poll::Ready(Ok(inbound.work(receiver, buffer)));
    }
    let kept = inbound.unread();
    let end = kept + inbound.read_size(buffer.remaining());
    scratch::with(end, |memory| {
        let mut read = ReadBuf::new(memory.get_mut(kept..end).unwrap_or_default());
        ready!(Pin::new(io).poll_read(cx, &mut read))?;
        let length = read.filled().len();
        Poll::Ready(Ok(if length == 0 {
            inbound.transport_ended();
            Ok(Progress::Ended)
        } else {
            inbound.absorb(receiver, buffer, memory, length)
        }))
    })
}

/// Sends what is pending.
pub(crate) fn poll_drain<S: AsyncWrite + Unpin>(
    outbound: &mut Outbound,
    io: &mut S,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !outbound.pending().is_empty() {
        match ready!(Pin::new(&mut *io).poll_write(cx, outbound.pending()))? {
            0 => return Poll::Ready(Err(error::write_zero())),
            n => outbound.sent(n),
        }
    }
    Poll::Ready(Ok(()))
}

/// Sends what is pending, then the data. Small writes to a transport that is busy are kept, so that they go out together.
pub(crate) fn poll_send<S: AsyncWrite + Unpin>(
    outbound: &mut Outbound,
    sender: &mut (dyn SendingHalf + 'static),
    io: &mut S,
    cx: &mut Context<'_>,
    source: &mut Source<'_>,
) -> Poll<io::Result<usize>> {
    let drained = poll_drain(outbound, io, cx)?;
    if drained.is_pending() && !outbound.has_room_for(source) {
        return Poll::Pending;
    }
    Poll::Ready(scratch::with(outbound.memory(source), |memory| {
        let (place, accepted) = outbound.seal(sender, source, memory).map_err(error::security)?;
        let sealed = memory.get(place).unwrap_or_default();
        match drained {
            Poll::Ready(()) => send(outbound, io, cx, sealed),
            Poll::Pending => outbound.keep(sealed),
        }
        Ok(accepted)
    }))
}

/// Sends as much as the transport takes, and keeps the rest: what was sealed once must be sent, so its data counts as written
/// even where the transport fails. The next call meets that failure.
fn send<S: AsyncWrite + Unpin>(outbound: &mut Outbound, io: &mut S, cx: &mut Context<'_>, mut sealed: &[u8]) {
    while !sealed.is_empty() {
        match Pin::new(&mut *io).poll_write(cx, sealed) {
            Poll::Ready(Ok(n)) if n > 0 => sealed = sealed.get(n..).unwrap_or_default(),
            _ => {
                outbound.keep(sealed);
                break;
            }
        }
    }
}
