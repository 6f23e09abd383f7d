//! The record of one handshake: a span around it, and an event at its end.

use std::time::Instant;

use sspi_core::{Account, Fault, QueryContextAttributes, SecStatus};
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
}

impl Record {
    pub(crate) fn begin(role: Role, peer: &str, package: &str) -> Self {
        let peer = harmless(peer);
        let span = tracing::info_span!(target: TARGET, "handshake", role = role.name(), peer, package);
        Self { span, role, peer, package: package.to_owned(), began: Instant::now() }
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
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
