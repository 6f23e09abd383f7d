//! Established contexts: message protection after the handshake.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::{
    AcceptSecurityContext, Account, ControlToken, Error, Fault, InitializeSecurityContext,
    QualityOfProtection, QueryContextAttributes, SecBuffer, SecStatus, Secret,
};

/// What `DecryptMessage` found. An error ends the context; these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decrypted {
    /// `SEC_E_OK`: the buffers now say where header, data, trailer and extra bytes lie. The data may be empty: the message
    /// was one that the package keeps to itself (a key update, a ticket, a warning), or simply empty.
    Message,
    /// `SEC_E_INCOMPLETE_MESSAGE`: the message is not whole yet. Buffers and memory are as they were.
    Incomplete {
        /// How many bytes are missing at least, where that can be known.
        missing: Option<usize>,
    },
    /// `SEC_I_CONTEXT_EXPIRED`: the peer has closed its side in order; nothing more will come.
    Expired,
    /// `SEC_I_RENEGOTIATE`: the peer wants to negotiate again; what it sent for that is in the extra buffer, for
    /// [`SecurityContext::renegotiate`]. A caller that refuses it calls on with the extra buffer; a package that can be refused
    /// leaves nothing there that would only be the same again.
    Renegotiate,
    /// `SEC_I_NO_RENEGOTIATION`: the peer was asked to negotiate again, and will not. The context goes on.
    NoRenegotiation,
}

/// The half of a context that sends.
pub trait SendingHalf: Send {
    /// `EncryptMessage`: protects one message in place.
    ///
    /// A stream package takes header, data, trailer and an empty buffer, one behind the other in memory (see
    /// [`StreamLayout`](crate::StreamLayout)); one call is one record; the data may be as long as
    /// [`maximum_message`](crate::StreamSizes::maximum_message). It sets the header to what it wrote, which ends where the
    /// data begins, and shortens the trailer. A message package takes a token, any number of data buffers, and padding.
    ///
    /// # Errors
    /// `SEC_E_INVALID_TOKEN` for wrong buffers, `SEC_E_BUFFER_TOO_SMALL`, `SEC_E_CONTEXT_EXPIRED` after a shutdown,
    /// `SEC_E_ENCRYPT_FAILURE` when the keys are used up. On an error nothing is written.
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error>;

    /// `MakeSignature`: signs the data buffers into the token buffer.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages that sign nothing by itself, as stream packages; this is what is answered
    /// unless a package says otherwise.
    fn make_signature(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        let _unused = (quality, memory, buffers);
        Err(Error::unsupported(BEHIND_THE_CONTEXT, "MakeSignature"))
    }

    /// `ApplyControlToken` and the call that fetches its token: yields the bytes that must be sent.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for what the package or its protocol does not have; unless a package says otherwise,
    /// that is everything.
    fn apply_control_token(&mut self, token: &ControlToken) -> Result<Vec<u8>, Error> {
        let _unused = token;
        Err(Error::unsupported(BEHIND_THE_CONTEXT, "ApplyControlToken"))
    }
}

/// The half of a context that receives.
pub trait ReceivingHalf: Send {
    /// `DecryptMessage`: takes one message off the data buffer, in place.
    ///
    /// A stream package takes one data buffer and three empty ones. It returns one record as header, data and trailer, and
    /// what follows it as extra, in the order in which they lie in memory; buffers that are not needed are empty.
    ///
    /// # Errors
    /// `SEC_E_INVALID_TOKEN` for wrong buffers (the context lives on). Anything else is final: `SEC_E_MESSAGE_ALTERED`,
    /// `SEC_E_ILLEGAL_MESSAGE`, or what an alert of the peer stands for; [`Error::alert`] says which alert to send.
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error>;

    /// How long the peer may still take over what it was asked for (a server's request to negotiate again); `None` where it
    /// owes nothing. Whoever is about to wait for the peer's bytes waits no longer than that, and then asks again: a context
    /// has no timer of its own.
    ///
    /// # Errors
    /// The time is over, and so is the context: final, as an error of [`decrypt_message`](Self::decrypt_message) is.
    fn time_left(&mut self) -> Result<Option<Duration>, Error> {
        Ok(None)
    }

    /// `VerifySignature`: checks the data buffers against the token buffer.
    ///
    /// # Errors
    /// `SEC_E_MESSAGE_ALTERED`, `SEC_E_OUT_OF_SEQUENCE`; `SEC_E_UNSUPPORTED_FUNCTION` unless a package says otherwise.
    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        let _unused = (memory, buffers);
        Err(Error::unsupported(BEHIND_THE_CONTEXT, "VerifySignature"))
    }
}

/// A context after its handshake. `DeleteSecurityContext` is dropping it.
///
/// A package whose halves are two values of their own does not implement this itself: see
/// [`PairedContext`](crate::PairedContext).
pub trait SecurityContext: SendingHalf + ReceivingHalf {
    /// `QueryContextAttributes`: what was negotiated. The attributes outlive the context and can be shared.
    fn attributes(&self) -> Arc<dyn QueryContextAttributes>;

    /// `QuerySecurityContextToken`: the account that the peer maps to.
    ///
    /// # Errors
    /// `SEC_E_NO_IMPERSONATION` where no account stands behind the context, which is what is answered unless a package says
    /// otherwise.
    fn security_context_token(&self) -> Result<Account, Error> {
        Err(no_account(&*self.attributes()))
    }

    /// The two halves, for two threads.
    ///
    /// # Errors
    /// The refusal gives the context back.
    fn split(self: Box<Self>) -> Result<SplitContext, SplitRefused>;

    /// Turns the context back into a handshake: to answer a peer that wants to negotiate again (`extra` is what
    /// [`Decrypted::Renegotiate`] left), or to begin it (`extra` is empty). The handshake owns both halves and yields the
    /// context again when it completes; its first call takes `extra` as input.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION`; the refusal gives the context back.
    fn renegotiate(self: Box<Self>, extra: &[u8]) -> Result<Renegotiation, RenegotiationRefused>;

    /// Whether the handshake was such that a negotiation around it signs its list of mechanisms even where nobody could have
    /// forced the choice (Windows has no function for it): peers expect that of NTLM with a message integrity code. False,
    /// unless a package says otherwise.
    fn requires_list_mic(&self) -> bool {
        false
    }

    /// Begins the key streams of messages anew, after a negotiation has signed its list of mechanisms with this context and
    /// before the first message (Windows has no function for it). Numbers of messages go on. Only NTLM has something to do.
    fn reset_crypto(&mut self) {}

    /// `ExportSecurityContext` with `SECPKG_CONTEXT_EXPORT_DELETE_OLD`: the context as bytes, for another process, which goes on
    /// with it. Keys and numbers that were used there must not be used here again: what protects messages answers
    /// `SEC_E_INVALID_HANDLE` from then on, and so does a second export. Attributes and the account are still answered.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for packages that cannot, which is what is answered unless a package says otherwise; the
    /// context is not touched.
    fn export(&self) -> Result<ExportedContext, Error> {
        Err(no_export(&*self.attributes()))
    }
}

/// What a context answers behind which no account stands.
pub(crate) fn no_account(attributes: &dyn QueryContextAttributes) -> Error {
    Error::new(
        SecStatus::SEC_E_NO_IMPERSONATION,
        Fault::Configuration,
        format!("{} maps its peers to no account", attributes.package_info().name),
    )
}

/// What a context answers that cannot be exported.
pub(crate) fn no_export(attributes: &dyn QueryContextAttributes) -> Error {
    Error::unsupported(&attributes.package_info().name, "ExportSecurityContext")
}

/// What a half, which does not know its package's name, calls it.
const BEHIND_THE_CONTEXT: &str = "behind this context";

/// The two halves of a context and what both share.
pub struct SplitContext {
    /// Sends.
    pub sender: Box<dyn SendingHalf>,
    /// Receives.
    pub receiver: Box<dyn ReceivingHalf>,
    /// What was negotiated.
    pub attributes: Arc<dyn QueryContextAttributes>,
}

impl fmt::Debug for SplitContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SplitContext")
    }
}

/// A context that cannot be split, given back.
pub struct SplitRefused {
    /// The context, as it was.
    pub context: Box<dyn SecurityContext>,
    /// Why.
    pub error: Error,
}

/// A handshake on an established context: the same role that the context had.
pub enum Renegotiation {
    /// The context was an initiator's.
    Initialize(Box<dyn InitializeSecurityContext>),
    /// The context was an acceptor's.
    Accept(Box<dyn AcceptSecurityContext>),
}

/// A context that cannot negotiate again, given back.
pub struct RenegotiationRefused {
    /// The context, as it was.
    pub context: Box<dyn SecurityContext>,
    /// Why.
    pub error: Error,
}

macro_rules! refused {
    ($($type:ident),*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).field("error", &self.error).finish_non_exhaustive()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.error.fmt(f)
            }
        }

        impl std::error::Error for $type {}
    )*};
}

refused!(SplitRefused, RenegotiationRefused);

/// What `ExportSecurityContext` makes: the package's name and bytes that hold keys.
#[derive(Clone, Debug)]
pub struct ExportedContext {
    /// The package that can import it.
    pub package: String,
    /// The context, in the package's own form. It holds keys.
    pub content: Secret<Vec<u8>>,
}
