//! A stream that remembers what passed through it, in which direction and in which order.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Which way bytes went, from the recording end's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// They were written.
    Sent,
    /// They were read.
    Received,
}

/// Bytes that went one way, before any went the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
}

/// The legs so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording(Arc<Tape>);

#[derive(Debug, Default)]
struct Tape {
    is_stopped: AtomicBool,
    legs: Mutex<Vec<Leg>>,
}

impl Recording {
    /// What comes from now on is not recorded.
    pub(crate) fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }

    /// What was recorded.
    pub(crate) fn take(&self) -> Vec<Leg> {
        std::mem::take(&mut self.0.legs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, direction: Direction, bytes: &[u8]) {
        if bytes.is_empty() || self.0.is_stopped.load(Ordering::Relaxed) {
            return;
        }
        let mut legs = self.0.legs.lock().unwrap_or_else(PoisonError::into_inner);
        match legs.last_mut() {
            Some(last) if last.direction == direction => last.bytes.extend_from_slice(bytes),
            _ => legs.push(Leg { direction, bytes: bytes.to_vec() }),
        }
    }
}

/// The stream.
#[derive(Debug)]
pub(crate) struct Recorded<S> {
    stream: S,
    recording: Recording,
}

impl<S> Recorded<S> {
    pub(crate) const fn new(stream: S, recording: Recording) -> Self {
        Self { stream, recording }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if matches!(poll, Poll::Ready(Ok(()))) {
            self.recording.add(Direction::Received, buf.filled().get(before..).unwrap_or_default());
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = poll {
            self.recording.add(Direction::Sent, buf.get(..count).unwrap_or_default());
        }
        poll
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
