//! The context that a handshake hands out: that of the chosen package, as it is. A message of it costs what it costs without
//! a negotiation, and what it can do, such as another handshake, it still can.

use sspi_core::{Error, SecurityContext};

use crate::config::NtlmPolicy;
use crate::mech_list::Mechanism;

/// The target of the records about NTLM: where those of the handshakes are.
const TARGET: &str = "opensspi::audit";

/// What a mechanism came to; NTLM is recorded where it is to be.
///
/// `reason` says why this mechanism, and `peer` who is at the other end as far as that is known.
pub(crate) fn record(
    context: &dyn SecurityContext,
    mechanism: &Mechanism,
    policy: NtlmPolicy,
    peer: &str,
    reason: impl FnOnce() -> String,
) {
    if policy == NtlmPolicy::Audit && mechanism.is_ntlm() {
        let (user, reason) = (context.attributes().names().unwrap_or_default(), reason());
        // Names of peers are shown so that they cannot look like anything else.
        tracing::warn!(target: TARGET, package = mechanism.name(), ?user, ?peer, reason, "NTLM was negotiated");
    }
}

/// The first token of a mechanism, before it is known what comes of it; NTLM's is recorded where that is wanted: a proof that
/// somebody makes the client send is one even where the handshake fails.
pub(crate) fn record_token(mechanism: &Mechanism, policy: NtlmPolicy, what: &'static str, peer: &str) {
    if policy == NtlmPolicy::Audit && mechanism.is_ntlm() {
        tracing::warn!(target: TARGET, package = mechanism.name(), ?peer, "{what}");
    }
}

/// A logon with NTLM that came to nothing, with the name that was tried.
pub(crate) fn record_refused(user: &str, peer: &str, error: &Error) {
    tracing::warn!(target: TARGET, ?user, ?peer, reason = %error, "NTLM was refused");
}
