//! The record of one handshake: a span around it, and an event at its end.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sspi_core::{Account, Fault, QueryContextAttributes, SecStatus};
use sspi_tokio::{HandshakeError, Observer, Renegotiated};
use tracing::Span;

use super::{Negotiated, Role, TARGET};
use crate::error::Error;
use crate::harmless::{harmless, harmless_message};

/// A handshake that is going on: its span, and when it began.
pub(crate) struct Record {
    pub(crate) span: Span,
    role: Role,
    peer: String,
    package: String,
    began: Instant,
    /// How long it took, where somebody else has seen it begin.
    took: Option<Duration>,
    /// Which handshake of the connection it is, if not the first.
    number: Option<u32>,
}

impl Record {
    pub(crate) fn begin(role: Role, peer: &str, package: &str) -> Self {
        let peer = harmless(peer);
        let span = tracing::info_span!(target: TARGET, "handshake", role = role.name(), peer, package);
        Self {
            span,
            role,
            peer,
            package: package.to_owned(),
            began: Instant::now(),
            took: None,
            number: None,
        }
    }

    /// The same of a handshake that is over.
    #[cfg(feature = "http")]
    pub(crate) fn which_took(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }

    /// For the later handshakes of the same connection.
    pub(crate) fn later(&self) -> Later {
        let Self { role, peer, package, .. } = self;
        let (peer, package) = (peer.clone(), package.clone());
        Later { role: *role, peer, package, state: Mutex::new((1, Instant::now())) }
    }

    fn milliseconds(&self) -> u64 {
        let took = self.took.unwrap_or_else(|| self.began.elapsed());
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }

    /// `account` is the peer's, or why there is none.
    pub(crate) fn completed(
        &self,
        attributes: &dyn QueryContextAttributes,
        account: &Result<Account, sspi_core::Error>,
    ) {
        if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
            return;
        }
        let negotiated = Negotiated::of(attributes, account.as_ref().ok());
        // Somebody looked for one, and it is a person's turn to see why there is none.
        let no_account = account.as_ref().err().filter(|error| {
            error.status() != SecStatus::SEC_E_NO_IMPERSONATION || error.fault() == Fault::Refused
        });
        let no_account = no_account.map(|error| harmless_message(&error.to_string()));
        let weaknesses = attributes.weaknesses();
        let weaknesses: Vec<&str> = weaknesses.iter().map(|weakness| &*weakness.name).collect();
        let weaknesses = (!weaknesses.is_empty()).then(|| weaknesses.join(","));
        tracing::info!(
            target: TARGET,
            role = self.role.name(),
            peer = self.peer,
            handshake = self.number,
            package = negotiated.package,
            protocol = negotiated.protocol,
            cipher = negotiated.cipher,
            key_exchange = negotiated.key_exchange,
            group = negotiated.group,
            target_name = negotiated.target,
            application_protocol = negotiated.application_protocol,
            peer_name = negotiated.peer_name,
            account = negotiated.account,
            account_domain = negotiated.account_domain,
            account_upn = negotiated.account_upn,
            account_dn = negotiated.account_dn,
            account_sid = negotiated.account_sid,
            account_rule = negotiated.account_rule,
            no_account,
            resumed = negotiated.resumed,
            weaknesses,
            milliseconds = self.milliseconds(),
            verdict = "accepted",
            "handshake completed"
        );
    }

    pub(crate) fn failed(&self, error: &Error) {
        let status = error.status().map(|status| status.to_string());
        tracing::warn!(
            target: TARGET,
            role = self.role.name(),
            peer = self.peer,
            handshake = self.number,
            package = self.package,
            milliseconds = self.milliseconds(),
            verdict = "refused",
            class = error.class().name(),
            status,
            error = harmless_message(&error.to_string()),
            "handshake failed"
        );
    }
}

/// The record of every further handshake of a connection: a span and an event each, with `handshake = 2` and so on.
pub(crate) struct Later {
    role: Role,
    peer: String,
    package: String,
    /// How many handshakes there were, and when the last one began.
    state: Mutex<(u32, Instant)>,
}

impl Later {
    fn record(&self) -> Record {
        let (number, began) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (role, peer, package) = (self.role, self.peer.clone(), self.package.clone());
        Record { span: Span::none(), role, peer, package, began, took: None, number: Some(number) }
    }
}

impl Observer for Later {
    fn begins(&self) -> Span {
        let number = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            *state = (state.0.saturating_add(1), Instant::now());
            state.0
        };
        let (role, peer, package) = (self.role.name(), self.peer.as_str(), self.package.as_str());
        tracing::info_span!(target: TARGET, "handshake", role, peer, package, handshake = number)
    }

    fn ends(&self, end: &Renegotiated<'_>) {
        match end {
            Renegotiated::Complete { attributes, account } => self.record().completed(*attributes, account),
            Renegotiated::Failed(error) => self.record().failed(&copy(error)),
            Renegotiated::Declined => tracing::info!(
                target: TARGET,
                role = self.role.name(),
                peer = self.peer,
                package = self.package,
                verdict = "declined",
                "the peer does not negotiate again"
            ),
            Renegotiated::Refused(error) => tracing::warn!(
                target: TARGET,
                role = self.role.name(),
                peer = self.peer,
                package = self.package,
                verdict = "refused",
                status = %error.status(),
                error = harmless_message(&error.to_string()),
                "the peer wants to negotiate again, and may not"
            ),
            _ => {}
        }
    }
}

/// The error of a stream, which keeps its own.
fn copy(error: &HandshakeError) -> Error {
    match error {
        HandshakeError::Security(error) => Error::Security(error.clone()),
        HandshakeError::Deadline(limit) => Error::Deadline(*limit),
        HandshakeError::Io(error) => Error::Io(io::Error::new(error.kind(), error.to_string())),
        other => Error::Io(io::Error::new(io::ErrorKind::UnexpectedEof, other.to_string())),
    }
}
