//! A context that is a pair of halves: what most packages have, so that none writes the delegation itself.

use core::time::Duration;
use std::sync::Arc;

use crate::context::{no_account, no_export};
use crate::{
    Account, ControlToken, Decrypted, Error, ExportedContext, QualityOfProtection, QueryContextAttributes,
    ReceivingHalf, Renegotiation, RenegotiationRefused, SecBuffer, SecurityContext, SendingHalf,
    SplitContext, SplitRefused,
};

/// A [`SecurityContext`] made of a half that sends, a half that receives, and what belongs to neither.
///
/// Messages go straight to the half that they concern, and [`split`](SecurityContext::split) hands the two out as they are.
/// Everything else is answered by the shared part.
///
/// ```
/// use std::sync::Arc;
/// use sspi_core::*;
///
/// # struct Sender;
/// # impl SendingHalf for Sender {
/// #     fn encrypt_message(
/// #         &mut self, _: QualityOfProtection, _: &mut [u8], _: &mut [SecBuffer],
/// #     ) -> Result<(), Error> {
/// #         Ok(())
/// #     }
/// # }
/// # struct Receiver;
/// # impl ReceivingHalf for Receiver {
/// #     fn decrypt_message(&mut self, _: &mut [u8], _: &mut [SecBuffer]) -> Result<Decrypted, Error> {
/// #         Ok(Decrypted::Message)
/// #     }
/// # }
/// /// What the handshake negotiated.
/// struct Session {
///     attributes: Arc<dyn QueryContextAttributes>,
/// }
///
/// impl SharedPart for Session {
///     type Sender = Sender;
///     type Receiver = Receiver;
///
///     fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
///         Arc::clone(&self.attributes)
///     }
/// }
///
/// # fn complete(sender: Sender, receiver: Receiver, shared: Session) -> Box<dyn SecurityContext> {
/// Box::new(PairedContext { sender, receiver, shared })
/// # }
/// ```
pub struct PairedContext<S: SharedPart> {
    /// The half that sends.
    pub sender: S::Sender,
    /// The half that receives.
    pub receiver: S::Receiver,
    /// What belongs to neither half.
    pub shared: S,
}

/// What a [`PairedContext`] has beside its halves: its attributes, and whatever else a package keeps after the handshake.
///
/// Only the attributes must be written. The other methods answer for the context, and can do with it what the methods of
/// [`SecurityContext`] with the same names can.
pub trait SharedPart: Send + Sized + 'static {
    /// The half that sends.
    type Sender: SendingHalf + 'static;
    /// The half that receives.
    type Receiver: ReceivingHalf + 'static;

    /// `QueryContextAttributes`: see [`SecurityContext::attributes`].
    fn attributes(&self) -> Arc<dyn QueryContextAttributes>;

    /// `QuerySecurityContextToken`: see [`SecurityContext::security_context_token`].
    ///
    /// # Errors
    /// `SEC_E_NO_IMPERSONATION`, unless a package says otherwise.
    fn security_context_token(&self) -> Result<Account, Error> {
        Err(no_account(&*self.attributes()))
    }

    /// The two halves, for two threads: see [`SecurityContext::split`].
    ///
    /// # Errors
    /// None, unless a package says otherwise.
    #[expect(clippy::boxed_local, reason = "a package that refuses gives back the box that it got")]
    fn split(context: Box<PairedContext<Self>>) -> Result<SplitContext, SplitRefused> {
        let attributes = context.shared.attributes();
        let PairedContext { sender, receiver, .. } = *context;
        Ok(SplitContext { sender: Box::new(sender), receiver: Box::new(receiver), attributes })
    }

    /// Turns the context back into a handshake, which then owns both halves: see [`SecurityContext::renegotiate`].
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`, unless a package says otherwise.
    fn renegotiate(
        context: Box<PairedContext<Self>>,
        extra: &[u8],
    ) -> Result<Renegotiation, RenegotiationRefused> {
        let _unused = extra;
        let error =
            Error::unsupported(&context.shared.attributes().package_info().name, "a second handshake");
        Err(RenegotiationRefused { context, error })
    }

    /// Whether a negotiation signs its list in any case: see [`SecurityContext::requires_list_mic`].
    fn requires_list_mic(&self) -> bool {
        false
    }

    /// Begins the key streams anew: see [`SecurityContext::reset_crypto`].
    fn reset_crypto(context: &mut PairedContext<Self>) {
        let _no_package_but_ntlm_has_any = context;
    }

    /// `ExportSecurityContext`: see [`SecurityContext::export`].
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`, unless a package says otherwise.
    fn export(context: &PairedContext<Self>) -> Result<ExportedContext, Error> {
        Err(no_export(&*context.shared.attributes()))
    }
}

impl<S: SharedPart> SendingHalf for PairedContext<S> {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.sender.encrypt_message(quality, memory, buffers)
    }

    fn make_signature(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.sender.make_signature(quality, memory, buffers)
    }

    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        self.sender.apply_control_token(token)
    }
}

impl<S: SharedPart> ReceivingHalf for PairedContext<S> {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.receiver.decrypt_message(memory, buffers)
    }

    fn time_left(&mut self) -> Result<Option<Duration>, Error> {
        self.receiver.time_left()
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        self.receiver.verify_signature(memory, buffers)
    }
}

impl<S: SharedPart> SecurityContext for PairedContext<S> {
    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        self.shared.attributes()
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.shared.security_context_token()
    }

    fn split(self: Box<Self>) -> Result<SplitContext, SplitRefused> {
        S::split(self)
    }

    fn renegotiate(self: Box<Self>, extra: &[u8]) -> Result<Renegotiation, RenegotiationRefused> {
        S::renegotiate(self, extra)
    }

    fn requires_list_mic(&self) -> bool {
        self.shared.requires_list_mic()
    }

    fn reset_crypto(&mut self) {
        S::reset_crypto(self);
    }

    fn export(&self) -> Result<ExportedContext, Error> {
        S::export(self)
    }
}
