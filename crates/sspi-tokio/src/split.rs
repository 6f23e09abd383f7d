//! The two halves of a stream.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use core::time::Duration;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sspi_core::{
    Account, ControlToken, Decrypted, Error, QualityOfProtection, QueryContextAttributes, ReceivingHalf,
    SecBuffer, SecurityContext, SendingHalf,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error;
use crate::inbound::{Inbound, Progress};
use crate::known::{InTime, Known};
use crate::outbound::{Outbound, Source};
use crate::patience::Patience;
use crate::stream::{poll_drain, poll_receive, poll_send, unfinished};

/// What both halves have.
struct Shared<S> {
    /// Locked for one call of the transport at a time. Whoever holds `sending` may lock it, never the other way round.
    io: Mutex<S>,
    /// The write half's, and the read half's for an alert.
    sending: Mutex<Sending>,
    known: Known,
}

struct Sending {
    sender: Option<Box<dyn SendingHalf>>,
    outbound: Outbound,
    /// Whoever waits for the write half: a transport remembers one waiting writer, and an alert may have replaced it.
    waiting: Option<Waker>,
}

/// The half of a [`SecureStream`](crate::SecureStream) that reads.
pub struct SecureReadHalf<S> {
    shared: Arc<Shared<S>>,
    receiver: Option<Box<dyn ReceivingHalf>>,
    known: InTime,
    patience: Patience,
    inbound: Inbound,
}

/// The half of a [`SecureStream`](crate::SecureStream) that writes. Dropping it closes nothing: shut it down.
pub struct SecureWriteHalf<S> {
    shared: Arc<Shared<S>>,
}

/// Both halves. Without a context neither does anything but say why.
pub(crate) fn halves<S>(
    io: S,
    context: Option<Box<dyn SecurityContext>>,
    known: InTime,
    patience: Patience,
    mut inbound: Inbound,
    mut outbound: Outbound,
) -> (SecureReadHalf<S>, SecureWriteHalf<S>) {
    let (sender, receiver) = match context.map(SecurityContext::split) {
        Some(Ok(halves)) => (Some(halves.sender), Some(halves.receiver)),
        Some(Err(refused)) => {
            let (sender, receiver) = TakingTurns::halves(refused.context);
            (Some(sender), Some(receiver))
        }
        None => {
            inbound.fail(unfinished());
            outbound.fail(unfinished());
            (None, None)
        }
    };
    let sending = Mutex::new(Sending { sender, outbound, waiting: None });
    let shared = Arc::new(Shared { io: Mutex::new(io), sending, known: known.latest().clone() });
    let write = SecureWriteHalf { shared: Arc::clone(&shared) };
    (SecureReadHalf { shared, receiver, known, patience, inbound }, write)
}

impl<S> Shared<S> {
    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Shared<S> {
    /// Tells the peer why the context ends, as far as the transport takes it now; the writer sends the rest, if it still
    /// comes.
    fn alert(&self, cx: &mut Context<'_>, error: &Error) {
        let mut sending = self.sending();
        let Sending { sender: Some(sender), outbound, waiting } = &mut *sending else { return };
        let writer_is_sending = !outbound.pending().is_empty();
        outbound.alert(&mut **sender, error);
        if !writer_is_sending {
            let _best_effort = poll_drain(outbound, &mut Locked(&self.io), cx);
        }
        if let Some(writer) = waiting.take() {
            writer.wake();
        }
    }
}

impl<S: AsyncWrite + Unpin> Shared<S> {
    /// Tells the peer that a split stream does not negotiate again; whether the package has words for that.
    fn decline_renegotiation(&self, cx: &mut Context<'_>) -> bool {
        let mut sending = self.sending();
        let Sending { sender: Some(sender), outbound, waiting } = &mut *sending else { return false };
        let writer_is_sending = !outbound.pending().is_empty();
        let declined = outbound.decline_renegotiation(&mut **sender).is_ok();
        if declined && !writer_is_sending {
            let _best_effort = poll_drain(outbound, &mut Locked(&self.io), cx);
        }
        // The transport may wake the reader now in the place of a writer that flushes; and the writer sends the rest.
        if let Some(writer) = waiting.take() {
            writer.wake();
        }
        declined
    }
}

macro_rules! what_both_halves_know {
    ($half:ident) => {
        impl<S> $half<S> {
            /// `QueryContextAttributes`: what was negotiated.
            pub fn attributes(&self) -> &Arc<dyn QueryContextAttributes> {
                &self.known().attributes
            }

            /// `QuerySecurityContextToken`: the account that the peer maps to.
            ///
            /// # Errors
            /// `SEC_E_NO_IMPERSONATION` where no account stands behind the context.
            pub fn security_context_token(&self) -> Result<Account, Error> {
                self.known().account()
            }
        }

        impl<S> fmt::Debug for $half<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($half))
                    .field("package", &self.shared.known.attributes.package_info().name)
                    .finish_non_exhaustive()
            }
        }
    };
}

what_both_halves_know!(SecureReadHalf);
what_both_halves_know!(SecureWriteHalf);

impl<S> SecureReadHalf<S> {
    fn known(&self) -> &Known {
        self.known.now()
    }

    /// The package's error that ended this half, if one did.
    pub fn error(&self) -> Option<&Error> {
        self.inbound.error()
    }
}

impl<S> SecureWriteHalf<S> {
    fn known(&self) -> &Known {
        &self.shared.known
    }

    /// The package's error that ended this half, if one did.
    pub fn error(&self) -> Option<Error> {
        self.shared.sending().outbound.error().cloned()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SecureReadHalf<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { shared, receiver, known, patience, inbound } = self.get_mut();
        let room = buffer.remaining();
        while room > 0 && buffer.remaining() == room {
            if let Some(end) = inbound.end() {
                return Poll::Ready(end);
            }
            known.settle();
            if inbound.held() > 0 && (receiver.is_none() || known.until().is_some()) {
                known.read(inbound.deliver(buffer, known.until()));
                continue;
            }
            let Some(receiver) = receiver else { return Poll::Ready(Err(error::security(unfinished()))) };
            let io = &mut Locked(&shared.io);
            let mut poll = poll_receive(inbound, &mut **receiver, io, cx, buffer);
            if poll.is_pending()
                && let Poll::Ready(late) = patience.poll(cx, &mut **receiver)
            {
                poll = Poll::Ready(Ok(Err(inbound.failed(late))));
            }
            match ready!(poll)? {
                Ok(Progress::Renegotiate) => {
                    if !shared.decline_renegotiation(cx) {
                        inbound.fail(no_renegotiation(&shared.known));
                    }
                }
                Ok(_) => {}
                Err(error) => shared.alert(cx, &error),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> SecureWriteHalf<S> {
    /// `ApplyControlToken`: asks the package for what the token stands for, and sends it.
    ///
    /// # Errors
    /// Those of the package (`SEC_E_UNSUPPORTED_FUNCTION` for what it does not have, and for a renegotiation) and of the
    /// transport.
    pub async fn apply_control_token(&mut self, token: &ControlToken) -> io::Result<()> {
        // The peer's answer would meet a reader that has no use for it.
        if matches!(token, ControlToken::Renegotiate) {
            return Err(error::security(no_renegotiation(&self.shared.known)));
        }
        {
            let mut sending = self.shared.sending();
            sending.outbound.check()?;
            let Sending { sender, outbound, .. } = &mut *sending;
            let sender = sender.as_deref_mut().ok_or_else(|| error::security(unfinished()))?;
            outbound.apply_control_token(sender, token).map_err(error::security)?;
        }
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Runs `work` with the sending side, and remembers who waits if it must be called again.
    fn poll_sending<T>(
        &self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Sending, &mut Locked<'_, S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut sending = self.shared.sending();
        let poll = work(&mut sending, &mut Locked(&self.shared.io), cx);
        if poll.is_pending() {
            match &mut sending.waiting {
                Some(known) => known.clone_from(cx.waker()),
                None => sending.waiting = Some(cx.waker().clone()),
            }
        }
        poll
    }

    fn poll_write_from(&self, cx: &mut Context<'_>, mut source: Source<'_>) -> Poll<io::Result<usize>> {
        self.poll_sending(cx, |sending, io, cx| {
            sending.outbound.check()?;
            if source.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let Sending { sender, outbound, .. } = sending;
            let sender = sender.as_deref_mut().ok_or_else(|| error::security(unfinished()))?;
            poll_send(outbound, sender, io, cx, &mut source)
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SecureWriteHalf<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, Source::new(&[IoSlice::new(data)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_from(cx, Source::new(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sending(cx, |sending, io, cx| {
            ready!(poll_drain(&mut sending.outbound, io, cx))?;
            Pin::new(io).poll_flush(cx)
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_sending(cx, |sending, io, cx| {
            sending.outbound.close(sending.sender.as_deref_mut()).map_err(error::security)?;
            ready!(poll_drain(&mut sending.outbound, io, cx))?;
            ready!(Pin::new(&mut *io).poll_flush(cx))?;
            Pin::new(io).poll_shutdown(cx)
        })
    }
}

fn no_renegotiation(known: &Known) -> Error {
    Error::unsupported(&known.attributes.package_info().name, "renegotiation of a stream that was split")
}

/// The transport, locked for one call at a time.
struct Locked<'a, S>(&'a Mutex<S>);

impl<S> Locked<'_, S> {
    fn io(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Locked<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io()).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Locked<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io()).poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io()).poll_shutdown(cx)
    }
}

/// A context that its package does not split, in both halves.
#[derive(Clone)]
struct TakingTurns(Arc<Mutex<Box<dyn SecurityContext>>>);

impl TakingTurns {
    fn halves(context: Box<dyn SecurityContext>) -> (Box<dyn SendingHalf>, Box<dyn ReceivingHalf>) {
        let context = Self(Arc::new(Mutex::new(context)));
        (Box::new(context.clone()), Box::new(context))
    }

    fn context(&self) -> MutexGuard<'_, Box<dyn SecurityContext>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SendingHalf for TakingTurns {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.context().encrypt_message(quality, memory, buffers)
    }

    fn make_signature(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.context().make_signature(quality, memory, buffers)
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        self.context().apply_control_token(token)
    }
}

impl ReceivingHalf for TakingTurns {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.context().decrypt_message(memory, buffers)
    }

    fn time_left(&mut self) -> Result<Option<Duration>, Error> {
        self.context().time_left()
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        self.context().verify_signature(memory, buffers)
    }
}
