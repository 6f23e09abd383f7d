//! Bodies that are read before they are passed on.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Reads past a body, and keeps nothing of it; no further than this.
pub(crate) async fn drain<B>(body: B, limit: usize)
where
    B: Body<Data = Bytes>,
{
    let mut body = core::pin::pin!(body);
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > limit {
            return;
        }
    }
}

/// All of a body, or that it is too long (or broken off): what was read of it is lost then.
pub(crate) async fn collect<B>(body: B, limit: usize) -> Option<Bytes>
where
    B: Body<Data = Bytes>,
{
    let mut body = core::pin::pin!(body);
    let mut out = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            if out.len() + data.len() > limit {
                return None;
            }
            out.extend_from_slice(&data);
        }
    }
    Some(out.freeze())
}

/// The memory that bodies have together, in bytes: each takes of it what it needs, and nothing waits.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn of(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
    }
}

/// A body that is in memory, once, for as long as somebody has it.
#[derive(Clone, Default)]
pub(crate) struct Held {
    pub(crate) bytes: Arc<Vec<u8>>,
    _room: Option<Arc<OwnedSemaphorePermit>>,
}

impl Held {
    /// Without room: a body of our own, or of whom we know.
    pub(crate) fn of(bytes: Bytes) -> Self {
        Self { bytes: Arc::new(bytes.into()), _room: None }
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body is not held. What was read of it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotHeld {
    TooLong,
    /// Others take up all the memory that there is for bodies.
    NoRoom,
    BrokenOff,
}

/// All of a body. It takes the memory that it needs as it comes: who announces much and sends little has little.
pub(crate) async fn hold<B>(body: B, limit: usize, room: &Room) -> Result<Held, NotHeld>
where
    B: Body<Data = Bytes>,
{
    let hint = body.size_hint();
    if usize::try_from(hint.lower()).map_or(true, |length| length > limit) {
        return Err(NotHeld::TooLong);
    }
    let longest = hint.upper().and_then(|length| usize::try_from(length).ok()).unwrap_or(limit).min(limit);
    let mut body = core::pin::pin!(body);
    let mut bytes = Vec::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| NotHeld::BrokenOff)?.into_data() else { continue };
        let needed = bytes.len().saturating_add(data.len());
        if needed > limit {
            return Err(NotHeld::TooLong);
        }
        let before = bytes.capacity();
        if needed > before {
            let wanted = before.saturating_mul(2).min(longest).max(needed);
            let more = room.take(wanted - before).ok_or(NotHeld::NoRoom)?;
            match &mut taken {
                Some(taken) => taken.merge(more),
                None => taken = Some(more),
            }
            bytes.reserve_exact(wanted - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Held { bytes: Arc::new(bytes), _room: taken.map(Arc::new) })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use http_body_util::Full;

    use super::*;

    /// A body that comes in so many pieces of this length; nobody says how long it is.
    struct Pieces(usize, usize);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let piece = self.0.checked_sub(1).map(|left| {
                self.0 = left;
                Ok(Frame::data(Bytes::from(vec![7; self.1])))
            });
            Poll::Ready(piece)
        }
    }

    #[tokio::test]
    async fn bodies_take_of_the_room_what_they_need_and_give_it_back() {
        let room = Room::of(1000);
        let one = hold(Full::from(vec![1; 600]), 1000, &room).await.unwrap();
        assert_eq!(room.0.available_permits(), 400);
        let (for_handler, for_proof) = (one.to_bytes(), one);
        assert_eq!(for_handler.as_ptr(), for_proof.bytes.as_ptr(), "it is there once");
        assert_eq!(hold(Full::from(vec![1; 401]), 1000, &room).await.err(), Some(NotHeld::NoRoom));
        assert_eq!(hold(Pieces(5, 100), 1000, &room).await.err(), Some(NotHeld::NoRoom));
        assert_eq!(room.0.available_permits(), 400, "who gets none takes none");
        drop(for_proof);
        assert_eq!(room.0.available_permits(), 400, "the handler has it");
        drop(for_handler);
        assert_eq!(room.0.available_permits(), 1000);
        let pieces = hold(Pieces(9, 100), 900, &room).await.unwrap();
        assert_eq!(
            (&*pieces.bytes, room.0.available_permits()),
            (&vec![7; 900], 100),
            "no more than it may be"
        );
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_held() {
        let room = Room::of(usize::MAX);
        for length in [0, 1, 99, 100] {
            assert_eq!(hold(Full::from(vec![1; length]), 100, &room).await.unwrap().bytes.len(), length);
        }
        assert_eq!(hold(Full::from(vec![1; 101]), 100, &room).await.err(), Some(NotHeld::TooLong));
        assert_eq!(hold(Pieces(11, 10), 100, &room).await.err(), Some(NotHeld::TooLong));
    }
}
