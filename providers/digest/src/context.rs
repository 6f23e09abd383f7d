//! Message protection after the handshake of SASL, and contexts that travel.
//!
//! A protected message is what the buffers `TOKEN` and `DATA` hold one behind the other, in the order in which they were
//! given: with the token behind the data, each part is where it was, and with the token in front, as NegotiateStream wants
//! it, the bytes move up. In both cases the buffers, written one behind the other, are the message of DIGEST-MD5. A receiver
//! that gives the same buffers, or one `STREAM` over the message, gets the data back.

use core::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sspi_core::{
    Account, Decrypted, Error, ExportedContext, Fault, PairedContext, QualityOfProtection,
    QueryContextAttributes, ReceivingHalf, SecBuffer, SecBufferType, SecStatus, SendingHalf, SharedPart,
};
use zeroize::Zeroizing;

use crate::attributes::{Attributes, Negotiated};
use crate::export;
use crate::protection::{From, LONGEST_TRAILER, Opener, SIGNATURE, Sealer, State};
use crate::status;

/// A context.
pub(crate) type DigestContext = PairedContext<Kept>;

/// What belongs to neither half.
pub(crate) struct Kept {
    pub(crate) attributes: Arc<Attributes>,
    /// Of the client, for a server.
    account: Option<Account>,
}

/// A context from what its handshake left.
pub(crate) fn new(attributes: Attributes, account: Option<Account>) -> Result<DigestContext, status::Error> {
    let negotiated = &attributes.negotiated;
    let layer = if negotiated.has_layer() {
        let derive = |from| State::derive(negotiated.key.expose_secret(), from, negotiated.cipher);
        let (client, server) = (derive(From::Client)?, derive(From::Server)?);
        Some(if negotiated.is_client { (client, server) } else { (server, client) })
    } else {
        None
    };
    assemble(attributes, account, layer)
}

/// A context from the states of its two directions.
pub(crate) fn assemble(
    attributes: Attributes,
    account: Option<Account>,
    layer: Option<(State, State)>,
) -> Result<DigestContext, status::Error> {
    let Negotiated { peer_maxbuf, own_maxbuf, .. } = attributes.negotiated;
    let exported = Exported::default();
    let (sealer, opener) = match layer {
        Some((sending, receiving)) => (Some(Sealer::new(&sending)?), Some(Opener::new(&receiving)?)),
        None => (None, None),
    };
    Ok(PairedContext {
        sender: Sender { sealer, most: peer_maxbuf, exported: exported.clone() },
        receiver: Receiver { opener, most: own_maxbuf, failed: None, exported },
        shared: Kept { attributes: Arc::new(attributes), account },
    })
}

/// Whether the context goes on somewhere else: what it protects messages with must not be used twice.
#[derive(Clone, Default)]
struct Exported(Arc<AtomicBool>);

impl Exported {
    fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) {
            let what = "the context was exported: its messages are protected elsewhere";
            return Err(Error::invalid_handle(what));
        }
        Ok(())
    }
}

impl SharedPart for Kept {
    type Sender = Sender;
    type Receiver = Receiver;

    fn attributes(&self) -> Arc<dyn QueryContextAttributes> {
        Arc::clone(&self.attributes) as Arc<dyn QueryContextAttributes>
    }

    fn security_context_token(&self) -> Result<Account, Error> {
        self.account.clone().ok_or_else(|| {
            let what = "no account stands behind the context";
            Error::new(SecStatus::SEC_E_NO_IMPERSONATION, Fault::ApiMisuse, what)
        })
    }

    fn export(context: &DigestContext) -> Result<ExportedContext, Error> {
        context.sender.exported.check()?;
        if let Some(error) = &context.receiver.failed {
            return Err(error.clone());
        }
        let layer = match (&context.sender.sealer, &context.receiver.opener) {
            (Some(sealer), Some(opener)) => Some((sealer.state(), opener.state())),
            _ => None,
        };
        context.sender.exported.0.store(layer.is_some(), Ordering::Relaxed);
        let Self { attributes, account } = &context.shared;
        Ok(export::encode(attributes, account.as_ref(), layer.as_ref()))
    }
}

/// Nothing protects messages.
const NO_LAYER: status::Error = status::Error::NotNegotiated("no protection of messages was negotiated");

/// The buffers of a message that travel, in their order.
struct Parts {
    /// Each with whether it is the token.
    ranges: Vec<(Range<usize>, bool)>,
    token: Range<usize>,
    /// Bytes of data.
    length: usize,
}

impl Parts {
    fn of(memory: &[u8], buffers: &[SecBuffer]) -> Result<Self, Error> {
        let mut parts = Self { ranges: Vec::new(), token: 0..0, length: 0 };
        let mut tokens = 0;
        for buffer in buffers {
            let range = buffer.range();
            if range.end > memory.len() {
                return Err(Error::invalid_buffers("a buffer ends behind the memory"));
            }
            match buffer.buffer_type.kind() {
                SecBufferType::TOKEN => {
                    tokens += 1;
                    parts.token = range.clone();
                    parts.ranges.push((range, true));
                }
                SecBufferType::DATA if !buffer.buffer_type.has(SecBufferType::READONLY) => {
                    parts.length = parts.length.saturating_add(range.len());
                    parts.ranges.push((range, false));
                }
                _ => {}
            }
        }
        if tokens != 1 {
            return Err(Error::invalid_buffers("a message has one token"));
        }
        let mut sorted: Vec<&Range<usize>> = parts.ranges.iter().map(|(range, _)| range).collect();
        sorted.retain(|range| !range.is_empty());
        sorted.sort_by_key(|range| range.start);
        let overlap = |pair: &[&Range<usize>]| matches!(pair, [first, second] if first.end > second.start);
        if sorted.windows(2).any(overlap) {
            return Err(Error::invalid_buffers("two buffers of a message overlap"));
        }
        Ok(parts)
    }

    fn data<'a>(&'a self, memory: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let data = self.ranges.iter().filter(|(_, is_token)| !is_token);
        data.map(|(range, _)| memory.get(range.clone()).unwrap_or_default())
    }
}

/// Refuses buffers that are to be signed and left alone, where what is signed is what travels.
fn refuse_read_only(buffers: &[SecBuffer]) -> Result<(), Error> {
    let is_read_only = |buffer: &&SecBuffer| {
        buffer.buffer_type.kind() == SecBufferType::DATA
            && buffer.buffer_type.has(SecBufferType::READONLY_WITH_CHECKSUM)
    };
    match buffers.iter().find(is_read_only) {
        Some(_) => {
            Err(Error::invalid_buffers("DIGEST-MD5 has no data that is signed and not in the message"))
        }
        None => Ok(()),
    }
}

fn too_small() -> Error {
    let what = "the token buffer is shorter than what goes behind the message";
    Error::new(SecStatus::SEC_E_BUFFER_TOO_SMALL, Fault::ApiMisuse, what)
}

/// The half that sends.
pub(crate) struct Sender {
    sealer: Option<Sealer>,
    /// The longest protected message that the peer takes.
    most: usize,
    exported: Exported,
}

impl SendingHalf for Sender {
    fn encrypt_message(
        &mut self,
        quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.exported.check()?;
        let sealer = self.sealer.as_mut().ok_or(NO_LAYER)?;
        if quality != QualityOfProtection::Default && sealer.encrypts() {
            let what = "every message is encrypted where that was negotiated";
            return Err(status::Error::NotNegotiated(what).into());
        }
        refuse_read_only(buffers)?;
        let parts = Parts::of(memory, buffers)?;
        let trailer = sealer.trailer(parts.length);
        if parts.token.len() < trailer {
            return Err(too_small());
        }
        let whole = parts.length.saturating_add(trailer);
        if whole > self.most {
            return Err(status::Error::MessageTooLong { length: whole, maximum: self.most }.into());
        }
        let mut message = Zeroizing::new(Vec::with_capacity(parts.length + LONGEST_TRAILER));
        parts.data(memory).for_each(|data| message.extend_from_slice(data));
        sealer.seal(&mut message)?;
        let mut rest = &message[..];
        for (range, is_token) in &parts.ranges {
            let range = if *is_token { range.start..range.start + trailer } else { range.clone() };
            let Some((part, behind)) = rest.split_at_checked(range.len()) else { continue };
            if let Some(to) = memory.get_mut(range) {
                to.copy_from_slice(part);
            }
            rest = behind;
        }
        for buffer in buffers.iter_mut() {
            match buffer.buffer_type.kind() {
                SecBufferType::TOKEN => buffer.len = trailer,
                SecBufferType::PADDING => buffer.len = 0,
                _ => {}
            }
        }
        Ok(())
    }

    fn make_signature(
        &mut self,
        _quality: QualityOfProtection,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
    ) -> Result<(), Error> {
        self.exported.check()?;
        let sealer = self.sealer.as_mut().ok_or(NO_LAYER)?;
        let parts = Parts::of(memory, buffers)?;
        if parts.token.len() < SIGNATURE {
            return Err(too_small());
        }
        let signature = sealer.sign(parts.data(memory))?;
        let token = memory.get_mut(parts.token).and_then(|token| token.first_chunk_mut());
        *token.ok_or_else(too_small)? = signature;
        for buffer in buffers.iter_mut().filter(|buffer| buffer.buffer_type.kind() == SecBufferType::TOKEN) {
            buffer.len = SIGNATURE;
        }
        Ok(())
    }
}

/// The half that receives.
pub(crate) struct Receiver {
    opener: Option<Opener>,
    /// The longest protected message that was agreed.
    most: usize,
    failed: Option<Error>,
    exported: Exported,
}

impl Receiver {
    /// Opens what is not a mistake of the application any more: whatever is wrong now ends the context.
    fn open(&mut self, message: &mut Vec<u8>) -> Result<(), Error> {
        let opener = self.opener.as_mut().ok_or(NO_LAYER)?;
        let opened = if message.len() > self.most {
            Err(status::Error::ReceivedTooLong { length: message.len(), maximum: self.most })
        } else {
            opener.open(message)
        };
        opened.map_err(|error| self.failed.insert(error.into()).clone())
    }

    fn alive(&self) -> Result<(), Error> {
        self.exported.check()?;
        match (&self.failed, &self.opener) {
            (Some(error), _) => Err(error.clone()),
            (None, None) => Err(NO_LAYER.into()),
            (None, Some(_)) => Ok(()),
        }
    }

    fn open_stream(
        &mut self,
        memory: &mut [u8],
        buffers: &mut [SecBuffer],
        whole: Range<usize>,
    ) -> Result<(), Error> {
        let data = buffers.iter_mut().find(|buffer| buffer.buffer_type.kind() == SecBufferType::DATA);
        let (Some(data), Some(place)) = (data, memory.get_mut(whole.clone())) else {
            return Err(Error::invalid_buffers("a stream buffer over the message, and an empty data buffer"));
        };
        let mut message = Zeroizing::new(place.to_vec());
        self.open(&mut message)?;
        if let Some(plain) = place.get_mut(..message.len()) {
            plain.copy_from_slice(&message);
        }
        *data = SecBuffer::new(SecBufferType::DATA, whole.start..whole.start + message.len());
        Ok(())
    }

    fn open_parts(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<(), Error> {
        refuse_read_only(buffers)?;
        let parts = Parts::of(memory, buffers)?;
        let mut message = Zeroizing::new(Vec::new());
        for (range, _) in &parts.ranges {
            message.extend_from_slice(memory.get(range.clone()).unwrap_or_default());
        }
        self.open(&mut message)?;
        if message.len() > parts.length {
            // It authenticates, and there is no room for it: the token was cut too long.
            let error = Error::invalid_buffers("the data is longer than the buffers for it");
            return Err(self.failed.insert(error).clone());
        }
        let mut rest = &message[..];
        let is_data = |buffer: &&mut SecBuffer| {
            buffer.buffer_type.kind() == SecBufferType::DATA
                && !buffer.buffer_type.has(SecBufferType::READONLY)
        };
        for buffer in buffers.iter_mut().filter(is_data) {
            buffer.len = buffer.len.min(rest.len());
            let (part, behind) = rest.split_at_checked(buffer.len).unwrap_or_default();
            if let Some(to) = memory.get_mut(buffer.range()) {
                to.copy_from_slice(part);
            }
            rest = behind;
        }
        Ok(())
    }
}

impl ReceivingHalf for Receiver {
    fn decrypt_message(&mut self, memory: &mut [u8], buffers: &mut [SecBuffer]) -> Result<Decrypted, Error> {
        self.alive()?;
        match SecBuffer::find(buffers, SecBufferType::STREAM) {
            Ok(whole) => self.open_stream(memory, buffers, whole)?,
            Err(_) => self.open_parts(memory, buffers)?,
        }
        Ok(Decrypted::Message)
    }

    fn verify_signature(
        &mut self,
        memory: &[u8],
        buffers: &[SecBuffer],
    ) -> Result<QualityOfProtection, Error> {
        self.alive()?;
        let parts = Parts::of(memory, buffers)?;
        let signature = memory.get(parts.token.clone()).unwrap_or_default();
        let opener = self.opener.as_mut().ok_or(NO_LAYER)?;
        match opener.verify_signature(parts.data(memory), signature) {
            Ok(()) => Ok(QualityOfProtection::WrapNoEncrypt),
            Err(error) => Err(self.failed.insert(error.into()).clone()),
        }
    }
}

#[cfg(test)]
mod tests;
