//! Message protection after the handshake: `EncryptMessage`, `DecryptMessage`, `MakeSignature`, `VerifySignature`.
//!
//! A message is a token of sixteen bytes and any number of data buffers, all of which are signed. Those with
//! `SECBUFFER_READONLY_WITH_CHECKSUM` are not encrypted, and those with `SECBUFFER_READONLY` are left alone.
//!
//! Spec: MS-NLMP section 3.4.

use std::sync::{Arc, OnceLock};

use sspi_core::{
    Account, Decrypted, Error, ExportedContext, PairedContext, QualityOfProtection, QueryContextAttributes,
    ReceivingHalf, SecBuffer, SecBufferType, SecurityContext, SendingHalf, SharedPart, SplitContext,
    SplitRefused,
};
use zeroize::Zeroize;

use crate::attributes::{Attributes, Established};
use crate::export;
use crate::seal::{self, Direction, Piece, SIGNATURE_LEN, directions};
use crate::status;

/// The half that sends.
pub(crate) struct Sender {
    pub(crate) direction: Direction,
    /// Messages are protected: where they may be signed, they may be encrypted, as every peer does.
    can_seal: bool,
    failed: Failed,
}

/// The half that receives.
pub(crate) struct Receiver {
    pub(crate) direction: Direction,
    can_seal: bool,
    failed: Failed,
}

/// The first error, of either half. Every call repeats it.
#[derive(Clone, Default)]
struct Failed(Arc<OnceLock<Error>>);

impl Failed {
    fn check(&self) -> Result<(), Error> {
        self.0.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    fn keep(&self, error: status::Error) -> Error {
        self.0.get_or_init(|| error.into()).clone()
    }
}

/// An established context.
pub(crate) type Context = PairedContext<Negotiated>;

/// What belongs to neither half.
pub(crate) struct Negotiated {
    pub(crate) attributes: Arc<Attributes>,
    /// There was a message integrity code in the handshake: a client has sent it, a server has seen that it is right.
    pub(crate) has_mic: bool,
}

/// The context that a handshake came to, with a message integrity code or without.
pub(crate) fn new(has_mic: bool, attributes: Attributes) -> Result<Box<dyn SecurityContext>, status::Error> {
    Ok(Box::new(established(has_mic, attributes)?))
}

pub(crate) fn established(has_mic: bool, attributes: Attributes) -> Result<Context, status::Error> {
    let flags = attributes.established.flags;
    let (from_client, from_server) = directions(flags, &attributes.established.exported)?;
    let (sends, receives) =
        if attributes.is_client() { (from_client, from_server) } else { (from_server, from_client) };
    let (can_seal, failed) = (flags.protects_messages(), Failed::default());
    Ok(Context {
        sender: Sender { direction: sends, can_seal, failed: failed.clone() },
        receiver: Receiver { direction: receives, can_seal, failed },
        shared: Negotiated { attributes: Arc::new(attributes), has_mic },
    })
}

impl SharedPart for Negotiated {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as _
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        let nobody = || {
            Error::new(
                sspi_core::SecStatus::SEC_E_NO_IMPERSONATION,
                sspi_core::Fault::ApiMisuse,
                "no account stands behind this context: its peer is a server, or nobody",
            )
        };
        self.attributes.established.account.clone().ok_or_else(nobody)
    }

    /// Without extended session security both directions have one stream, and must take turns.
    fn split(context: Box<Context>) -> Result<SplitContext, SplitRefused> {
        if context.sender.direction.is_shared() {
            let error = Error::unsupported("NTLM", "two halves without extended session security");
            return Err(SplitRefused { context, error });
        }
        let attributes = context.shared.attributes();
        let PairedContext { sender, receiver, .. } = *context;
        Ok(SplitContext { sender: Box::new(sender), receiver: Box::new(receiver), attributes })
    }

    /// Spec: MS-SPNG section 3.2.5.1.
    fn requires_list_mic(&self) -> bool {
        self.has_mic
    }

    fn reset_crypto(context: &mut Context) {
        let Established { flags, exported, .. } = &context.shared.attributes.established;
        let (sends, receives) = if context.shared.attributes.is_client() {
            (seal::Sender::Client, seal::Sender::Server)
        } else {
            (seal::Sender::Server, seal::Sender::Client)
        };
        // There were streams of these keys when the context was made.
        let _same_keys = context.sender.direction.restart(*flags, exported, sends);
        let _same_keys = context.receiver.direction.restart(*flags, exported, receives);
    }

    /// What messages are encrypted with goes on from where it is, and would be used twice if it did so here as well.
    fn export(context: &Context) -> Result<ExportedContext, Error> {
        context.sender.failed.check()?;
        let exported = export::export(context)?;
        if context.sender.can_seal {
            context.sender.failed.keep(status::Error::Exported);
        }
        Ok(exported)
    }
}

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        if quality == QualityOfProtection::WrapNoEncrypt {
            return self.make_signature(quality, memory, buffers);
        }
        if !self.can_seal {
            return Err(status::Error::NotSealed.into());
        }
        self.protect(memory, buffers, true)
    }

    fn make_signature(
        &mut self,
        _quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.protect(memory, buffers, false)
    }
}

impl Sender {
    fn protect(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer], seals: bool) -> Result<(), Error> {
        self.failed.check()?;
        let parts = Parts::of(memory, buffers, seals)?;
        let signature = self.direction.protect(memory, &parts.pieces)?;
        let end = parts.token.start + SIGNATURE_LEN;
        if let Some(token) = memory.get_mut(parts.token.start..end) {
            token.copy_from_slice(&signature);
        }
        for buffer in buffers {
            match buffer.buffer_type.kind() {
                SecBufferType::TOKEN => buffer.len = SIGNATURE_LEN,
                SecBufferType::PADDING => buffer.len = 0,
                _ => {}
            }
        }
        Ok(())
    }
}

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.failed.check()?;
        if !self.can_seal {
            return Err(status::Error::NotSealed.into());
        }
        if buffers.iter().any(|buffer| buffer.buffer_type.kind() == SecBufferType::STREAM) {
            return self.decrypt_stream(memory, buffers);
        }
        let parts = Parts::of(memory, buffers, true)?;
        self.unprotect(memory, &parts)?;
        Ok(Decrypted::Message)
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        self.failed.check()?;
        let parts = Parts::of(memory, buffers, false)?;
        let signature = memory.get(parts.token.clone()).unwrap_or_default();
        let verified = self.direction.verify(memory, &parts.pieces, signature);
        verified.map_err(|error| self.failed.keep(error))?;
        Ok(QualityOfProtection::WrapNoEncrypt)
    }
}

impl Receiver {
    /// A whole message: the signature, and the data behind it.
    fn decrypt_stream(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        let whole = SecBuffer::find(buffers, SecBufferType::STREAM)?;
        let mut others =
            buffers.iter_mut().filter(|buffer| buffer.buffer_type.kind() != SecBufferType::EMPTY);
        let data = others.find(|buffer| buffer.buffer_type.kind() == SecBufferType::DATA);
        let (Some(data), true) = (data, memory.get(whole.clone()).is_some()) else {
            return Err(Error::invalid_buffers("a stream buffer over the message, and an empty data buffer"));
        };
        let begin = whole.start + SIGNATURE_LEN;
        if begin > whole.end {
            return Err(self.failed.keep(status::Error::MessageAltered));
        }
        let parts = Parts {
            token: whole.start..begin,
            pieces: Pieces::One(Piece { range: begin..whole.end, is_sealed: true }),
        };
        self.unprotect(memory, &parts)?;
        *data = SecBuffer::new(SecBufferType::DATA, begin..whole.end);
        Ok(Decrypted::Message)
    }

    fn unprotect(&mut self, memory: &mut [u8], parts: &Parts) -> Result<(), Error> {
        let mut signature = [0; SIGNATURE_LEN];
        if let Some(token) = memory.get(parts.token.clone()).filter(|token| token.len() == SIGNATURE_LEN) {
            signature.copy_from_slice(token);
        }
        let opened = self.direction.unprotect(memory, &parts.pieces, &signature);
        opened.map_err(|error| {
            // Nobody takes for a message what was decrypted of something else.
            for piece in parts.pieces.iter().filter(|piece| piece.is_sealed) {
                memory.get_mut(piece.range.clone()).unwrap_or_default().zeroize();
            }
            self.failed.keep(error)
        })
    }
}

/// Where the parts of a message lie.
struct Parts {
    /// The first sixteen bytes of the token.
    token: core::ops::Range<usize>,
    pieces: Pieces,
}

/// Pieces in their order: one, as nearly always, or more.
enum Pieces {
    One(Piece),
    /// None, or several.
    Many(Vec<Piece>),
}

impl Pieces {
    fn push(&mut self, piece: Piece) {
        match self {
            Self::Many(pieces) if pieces.is_empty() => *self = Self::One(piece),
            Self::Many(pieces) => pieces.push(piece),
            Self::One(first) => {
                let first = Piece { range: first.range.clone(), is_sealed: first.is_sealed };
                *self = Self::Many(vec![first, piece]);
            }
        }
    }
}

impl core::ops::Deref for Pieces {
    type Target = [Piece];

    fn deref(&self) -> &[Piece] {
        match self {
            Self::One(piece) => core::slice::from_ref(piece),
            Self::Many(pieces) => pieces,
        }
    }
}

impl Parts {
    /// # Errors
    /// `SEC_E_INVALID_TOKEN`: there is not one token of sixteen bytes, or something that is neither token nor data, or
    /// buffers lie outside the memory or over each other.
    fn of(memory: &[u8], buffers: &[SecBuffer], seals: bool) -> Result<Self, Error> {
        let mut token = None;
        let mut pieces = Pieces::Many(Vec::new());
        let is_of_message = |buffer: &&SecBuffer| {
            !matches!(buffer.buffer_type.kind(), SecBufferType::EMPTY | SecBufferType::PADDING)
        };
        for (at, buffer) in buffers.iter().enumerate().filter(|(_, buffer)| is_of_message(buffer)) {
            let (kind, range) = (buffer.buffer_type.kind(), buffer.range());
            if memory.get(range.clone()).is_none() {
                return Err(Error::invalid_buffers("a buffer lies outside the memory"));
            }
            let overlaps = |other: &SecBuffer| {
                let other = other.range();
                other.start < range.end && range.start < other.end
            };
            if buffers.iter().take(at).filter(is_of_message).any(overlaps) {
                return Err(Error::invalid_buffers("two buffers have memory in common"));
            }
            if kind == SecBufferType::TOKEN && token.is_none() && range.len() >= SIGNATURE_LEN {
                token = Some(range.start..range.start + SIGNATURE_LEN);
            } else if kind == SecBufferType::DATA {
                let has = |attribute| buffer.buffer_type.has(attribute);
                if has(SecBufferType::READONLY) {
                    continue;
                }
                let is_sealed = seals && !has(SecBufferType::READONLY_WITH_CHECKSUM);
                pieces.push(Piece { range, is_sealed });
            } else {
                return Err(Error::invalid_buffers("a message is one token of sixteen bytes, and data"));
            }
        }
        match token {
            Some(token) => Ok(Self { token, pieces }),
            None => Err(Error::invalid_buffers("a message has a token buffer of sixteen bytes")),
        }
    }
}

#[cfg(test)]
mod tests;
