//! The handshake over a transport.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use sspi_core::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::answers::{Answering, answer};
use crate::driver::{Driver, Established, Event, internal};
use crate::{Answers, HandshakeError, HandshakeOptions, Handshaking, SecureStream, error, scratch};

/// Runs a handshake over `stream`, in the role that `handshaking` has.
///
/// Dropping the future gives the handshake up and drops the stream.
///
/// # Errors
/// See [`HandshakeError`]. Where the package has something to tell the peer (an alert, an error message), it was sent before
/// the error is returned, if the transport took it before the deadline.
pub async fn handshake<S>(
    stream: S,
    handshaking: impl Into<Handshaking>,
    options: &HandshakeOptions,
) -> Result<SecureStream<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    handshake_after(Duration::ZERO, stream, handshaking, options).await
}

/// As [`handshake`], where so much of its deadline is over already: somebody has waited for the peer's first byte, to see what it
/// begins.
///
/// # Errors
/// As [`handshake`].
pub async fn handshake_after<S>(
    waited: Duration,
    mut stream: S,
    handshaking: impl Into<Handshaking>,
    options: &HandshakeOptions,
) -> Result<SecureStream<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut machine = Machine::begun(
        Driver::new(handshaking.into(), options.framing, options.maximum_token),
        options,
        waited,
    );
    let established = match poll_fn(|cx| machine.poll(cx, &mut stream)).await {
        Ok(Reached::Established(established)) => established,
        Ok(Reached::Data(_)) => {
            return Err(HandshakeError::Security(internal("there is no data before there is a context")));
        }
        Err(error) => {
            let (has_told, deadline) =
                (machine.has_told, machine.deadline.as_ref().map(|(_, s)| s.deadline()));
            drop(machine);
            // Without a deadline there may be no timer either, and lingering without an end is worse than a reset.
            if let (true, Some(deadline)) = (has_told, deadline) {
                linger(&mut stream, deadline).await;
            }
            return Err(error);
        }
    };
    drop(machine);
    SecureStream::established(stream, established, options.clone()).map_err(HandshakeError::Security)
}

/// How long a peer that was told why its handshake failed may take to hear it, and how many bytes it may still send.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;

/// Waits until the peer has heard why the handshake failed, within bounds and the deadline.
///
/// A peer that is still sending its flight would otherwise find the connection reset, and never read the alert that
/// lies in its own buffer.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, deadline: Instant) {
    let until = deadline.min(Instant::now() + LINGER);
    let heard = async {
        poll_fn(|cx| Pin::new(&mut *io).poll_shutdown(cx)).await?;
        let mut left = LINGER_BYTES;
        while left > 0 {
            let read = poll_fn(|cx| {
                scratch::with(READ, |memory| {
                    let mut buffer = ReadBuf::new(memory);
                    ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer))?;
                    Poll::Ready(io::Result::Ok(buffer.filled().len()))
                })
            });
            match read.await? {
                0 => break,
                count => left = left.saturating_sub(count),
            }
        }
        io::Result::Ok(())
    };
    // The handshake's own error is what the caller hears, whatever becomes of the socket now.
    let _too_late_or_broken = tokio::time::timeout_at(until, heard).await;
}

/// How many bytes a handshake reads at once.
const READ: usize = 16 * 1024;

/// How far a handshake has come.
pub(crate) enum Reached {
    /// Data of the application, in its place; then come back.
    Data(Vec<u8>),
    /// The end.
    Established(Established),
}

/// A handshake between two polls.
pub(crate) struct Machine {
    driver: Driver,
    answers: Arc<dyn Answers>,
    deadline: Option<(Duration, Pin<Box<Sleep>>)>,
    outgoing: Vec<u8>,
    sent: usize,
    flushed: bool,
    answering: Option<Answering>,
    /// How it ends, once everything is sent.
    end: Option<Result<Established, Error>>,
    /// The peer was told why the handshake failed.
    has_told: bool,
}

impl Machine {
    pub(crate) fn new(driver: Driver, options: &HandshakeOptions) -> Self {
        Self::begun(driver, options, Duration::ZERO)
    }

    /// So much of the deadline is over.
    fn begun(driver: Driver, options: &HandshakeOptions, waited: Duration) -> Self {
        let timer = |limit: Duration| Box::pin(tokio::time::sleep(limit.saturating_sub(waited)));
        Self {
            driver,
            answers: Arc::clone(&options.answers),
            deadline: options.deadline.map(|limit| (limit, timer(limit))),
            outgoing: Vec::new(),
            sent: 0,
            flushed: true,
            answering: None,
            end: None,
            has_told: false,
        }
    }

    /// Goes on as far as the transport and the answers let it.
    pub(crate) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut S,
    ) -> Poll<Result<Reached, HandshakeError>> {
        if let Poll::Ready(late) = self.poll_deadline(cx) {
            return Poll::Ready(Err(late));
        }
        loop {
            match ready!(self.poll_send(cx, io)) {
                Ok(()) => {}
                Err(e) => return Poll::Ready(Err(self.cut_short(HandshakeError::Io(e)))),
            }
            if let Some(end) = self.end.take() {
                return Poll::Ready(end.map(Reached::Established).map_err(HandshakeError::Security));
            }
            if let Some(answering) = &mut self.answering {
                let answered = ready!(answering.as_mut().poll(cx));
                self.answering = None;
                if let Err(error) = answered {
                    self.driver.refuse(&error);
                    self.finish(Err(error));
                    continue;
                }
            }
            match self.driver.next() {
                Ok(Event::Progress) => self.collect(),
                Ok(Event::Read) => {
                    self.collect();
                    ready!(self.poll_receive(cx, io))?;
                }
                Ok(Event::Ask(question)) => {
                    self.answering = Some(answer(Arc::clone(&self.answers), question));
                }
                Ok(Event::Data(data)) => return Poll::Ready(Ok(Reached::Data(data))),
                Ok(Event::Complete(established)) => self.finish(Ok(established)),
                Err(error) => self.finish(Err(error)),
            }
        }
    }

    /// Whether it is too late.
    pub(crate) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<HandshakeError> {
        let Some((limit, sleep)) = &mut self.deadline else { return Poll::Pending };
        let limit = *limit;
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(self.cut_short(HandshakeError::Deadline(limit)))
    }

    /// The error of the package, where there is one already; it says more than what befell its last token.
    fn cut_short(&mut self, why: HandshakeError) -> HandshakeError {
        match self.end.take() {
            Some(Err(error)) => HandshakeError::Security(error),
            _ => why,
        }
    }

    fn finish(&mut self, end: Result<Established, Error>) {
        self.collect();
        self.has_told = end.is_err() && !self.outgoing.is_empty();
        self.end = Some(end);
    }

    fn collect(&mut self) {
        self.outgoing = self.driver.take_outgoing();
        self.sent = 0;
        self.flushed = self.outgoing.is_empty();
    }

    fn poll_send<S: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, io: &mut S) -> Poll<io::Result<()>> {
        while let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(error::write_zero())),
                n => self.sent += n,
            }
        }
        self.outgoing = Vec::new();
        self.sent = 0;
        if !self.flushed {
            ready!(Pin::new(io).poll_flush(cx))?;
            self.flushed = true;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_receive<S: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut S,
    ) -> Poll<Result<(), HandshakeError>> {
        let room = self.driver.room().min(READ);
        scratch::with(room, |memory| {
            let mut buffer = ReadBuf::new(memory.get_mut(..room).unwrap_or_default());
            ready!(Pin::new(io).poll_read(cx, &mut buffer)).map_err(HandshakeError::Io)?;
            match buffer.filled() {
                [] => Poll::Ready(Err(HandshakeError::Truncated)),
                bytes => {
                    self.driver.received(bytes);
                    Poll::Ready(Ok(()))
                }
            }
        })
    }
}
