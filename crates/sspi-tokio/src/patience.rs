//! A timer for what the peer owes to the package.

use core::pin::Pin;
use core::task::{Context, Poll, ready};

use sspi_core::{Error, ReceivingHalf};
use tokio::time::Sleep;

/// Ends a wait for the peer that the package has bounded.
pub(crate) struct Patience {
    /// There may be no timer where a handshake has no deadline; then the time is looked at when something else happens.
    has_timer: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) const fn new(has_timer: bool) -> Self {
        Self { has_timer, sleep: None }
    }

    /// Waits as long as the package does, beside whatever else the caller waits for; the error that ends it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        receiver: &mut (dyn ReceivingHalf + 'static),
    ) -> Poll<Error> {
        loop {
            let left = match receiver.time_left() {
                Ok(Some(left)) if self.has_timer => left,
                Ok(_) => {
                    self.sleep = None;
                    return Poll::Pending;
                }
                Err(late) => {
                    self.sleep = None;
                    return Poll::Ready(late);
                }
            };
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
            ready!(sleep.as_mut().poll(cx));
            // It was perhaps set for something that the peer owed before.
            self.sleep = None;
        }
    }
}
