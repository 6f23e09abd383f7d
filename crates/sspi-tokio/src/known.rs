//! What a stream knows of its peer, and since when.

use std::sync::Arc;

use sspi_core::{Account, Error, QueryContextAttributes, SecurityContext};

use crate::{Observer, Renegotiated};

/// What a handshake left to be asked about.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) attributes: Arc<dyn QueryContextAttributes>,
    pub(crate) account: Result<Arc<Account>, Error>,
}

impl Known {
    pub(crate) fn of(context: &dyn SecurityContext) -> Self {
        Self { attributes: context.attributes(), account: context.security_context_token().map(Arc::new) }
    }

    pub(crate) fn account(&self) -> Result<Account, Error> {
        self.account.as_deref().cloned().map_err(Clone::clone)
    }

    /// Tells an observer that a handshake has led here, or that it was declined.
    pub(crate) fn tell(&self, observer: &dyn Observer, declined: bool) {
        let account = self.account();
        observer.ends(&match declined {
            true => Renegotiated::Declined,
            false => Renegotiated::Complete { attributes: &*self.attributes, account: &account },
        });
    }
}

/// What is known of the data that is read next, and what later handshakes changed of it, while data from before them waits to
/// be read.
pub(crate) struct InTime {
    now: Known,
    /// In their order, each with how much of the data that waits came before it, in bytes.
    later: Vec<(usize, Known)>,
}

impl InTime {
    pub(crate) const fn new(now: Known) -> Self {
        Self { now, later: Vec::new() }
    }

    /// Of the data that is read next.
    pub(crate) const fn now(&self) -> &Known {
        &self.now
    }

    /// Of the data that comes from now on.
    pub(crate) fn latest(&self) -> &Known {
        self.later.last().map_or(&self.now, |(_, known)| known)
    }

    /// A handshake is over, and so much data waits that came before its end.
    pub(crate) fn change(&mut self, waiting: usize, known: Known) {
        self.later.push((waiting, known));
        self.settle();
    }

    /// How much of the data that waits belongs to what is known now; nothing, where all of it and what comes after it does.
    pub(crate) fn until(&self) -> Option<usize> {
        self.later.first().map(|(until, _)| *until)
    }

    /// So much of what waited was read.
    pub(crate) fn read(&mut self, count: usize) {
        for (until, _) in &mut self.later {
            *until = until.saturating_sub(count);
        }
    }

    /// The next data is read: if all that came before some handshake was, it is what that left.
    pub(crate) fn settle(&mut self) {
        let past = self.later.iter().take_while(|(until, _)| *until == 0).count();
        if let Some((_, known)) = self.later.drain(..past).next_back() {
            self.now = known;
        }
        if self.later.is_empty() {
            self.later = Vec::new();
        }
    }
}

/// What became of the last renegotiation that this side asked for or began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenegotiationOutcome {
    /// There was none.
    #[default]
    None,
    /// The peer has not answered, or it is under way.
    Pending,
    /// It is over: [`attributes`](crate::SecureStream::attributes) are those that it left, once what came before it was read.
    Complete,
    /// `SEC_I_NO_RENEGOTIATION`: the peer does not negotiate again, or closes instead. The connection is what it was.
    Declined,
}

impl RenegotiationOutcome {
    /// It has ended.
    pub(crate) fn end(&mut self, declined: bool) {
        if *self == Self::Pending {
            *self = if declined { Self::Declined } else { Self::Complete };
        }
    }
}
