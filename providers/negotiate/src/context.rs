//! The context that a handshake hands out: that of the chosen package.

use std::sync::Arc;

use sspi_core::{
    Account, ControlToken, Decrypted, Error, ExportedContext, QualityOfProtection, QueryContextAttributes,
    ReceivingHalf, Renegotiation, RenegotiationRefused, SecBuffer, SecurityContext, SendingHalf,
    SplitContext, SplitRefused,
};

use crate::attributes::Attributes;
use crate::config::NtlmPolicy;
use crate::mech_list::Mechanism;

/// Hands out what a mechanism came to; NTLM is recorded where it is to be.
///
/// `reason` says why this mechanism, and `peer` who is at the other end as far as that is known.
pub(crate) fn hand_out(
    context: Box<dyn SecurityContext>,
    mechanism: &Mechanism,
    policy: NtlmPolicy,
    (reason, peer): (&str, &str),
) -> Box<dyn SecurityContext> {
    let attributes = context.attributes();
    if policy == NtlmPolicy::Audit && mechanism.is_ntlm() {
        let user = attributes.names().unwrap_or_default();
        // Names of peers are shown so that they cannot look like anything else.
        tracing::warn!(package = mechanism.name(), ?user, ?peer, reason, "NTLM was negotiated");
    }
    if attributes.negotiation_info().is_ok() {
        return context;
    }
    Box::new(Negotiated { context, attributes: Arc::new(Attributes(attributes)) })
}

/// The first token of a mechanism, before it is known what comes of it; NTLM's is recorded where that is wanted: a proof that
/// somebody makes the client send is one even where the handshake fails.
pub(crate) fn record_token(mechanism: &Mechanism, policy: NtlmPolicy, what: &'static str, peer: &str) {
    if policy == NtlmPolicy::Audit && mechanism.is_ntlm() {
        tracing::warn!(package = mechanism.name(), ?peer, "{what}");
    }
}

/// A context whose package does not say by itself that it was negotiated.
struct Negotiated {
    context: Box<dyn SecurityContext>,
    attributes: Arc<Attributes>,
}

impl SendingHalf for Negotiated {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.context.encrypt_message(quality, memory, buffers)
    }

    fn make_signature(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.context.make_signature(quality, memory, buffers)
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        self.context.apply_control_token(token)
    }
}

impl ReceivingHalf for Negotiated {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.context.decrypt_message(memory, buffers)
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        self.context.verify_signature(memory, buffers)
    }
}

impl SecurityContext for Negotiated {
    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as _
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.context.security_context_token()
    }

    fn split(self: Box<Self>) -> Result<SplitContext, SplitRefused> {
        let Self { context, attributes } = *self;
        match context.split() {
            Ok(split) => Ok(SplitContext { attributes, ..split }),
            Err(SplitRefused { context, error }) => {
                Err(SplitRefused { context: Box::new(Self { context, attributes }), error })
            }
        }
    }

    fn renegotiate(self: Box<Self>, extra: &[u8]) -> Result<Renegotiation, RenegotiationRefused> {
        let Self { context, attributes } = *self;
        context.renegotiate(extra).map_err(|RenegotiationRefused { context, error }| RenegotiationRefused {
            context: Box::new(Self { context, attributes }),
            error,
        })
    }

    fn export(&self) -> Result<ExportedContext, Error> {
        self.context.export()
    }

    fn requires_list_mic(&self) -> bool {
        self.context.requires_list_mic()
    }

    fn reset_crypto(&mut self) {
        self.context.reset_crypto();
    }
}
