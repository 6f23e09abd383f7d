//! What lies between the bytes of a connection and the messages of its handshake.

use wire::{Codec, Writer};

use super::keys::{KeyMaterial, Master};
use super::messages::{ErrorMessage, Ssl2ErrorCode, Ssl2MessageType as M};
use super::record::{Header, Opening, Sealing};
use crate::config::Policy;
use crate::connection::handshake::{self, Channel as _, Outcome, Taken};
use crate::connection::{Established, Negotiated};
use crate::error::{Error, Incompatible, Misbehaved, Refused};
use crate::record::{Need, Opener, Sealer};

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: M,
    body: Vec<u8>,
}

impl Message {
    pub(crate) const fn new(kind: M, body: Vec<u8>) -> Self {
        Self { kind, body }
    }

    /// What follows the type.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Records in, messages out; messages in, records out.
pub(crate) struct Channel {
    opening: Opening,
    sealing: Sealing,
    output: Vec<u8>,
    /// Where the session is kept that is offered or taken up again: a failure spoils it.
    pub(crate) session_in_use: Option<Vec<u8>>,
    scratch: Vec<u8>,
}

impl Channel {
    pub(crate) const fn new() -> Self {
        Self {
            opening: Opening::clear(),
            sealing: Sealing::clear(),
            output: Vec::new(),
            session_in_use: None,
            scratch: Vec::new(),
        }
    }

    /// The hello that was sent was a record of this protocol too.
    pub(crate) const fn sharing_a_hello() -> Self {
        let mut channel = Self::new();
        channel.sealing.count_one();
        channel
    }

    /// Sends a message, as one record.
    pub(crate) fn send<'a>(&mut self, kind: M, message: &impl Codec<'a>) -> Result<(), Error> {
        let mut writer = Writer::new();
        writer.u8(kind.0);
        message.encode(&mut writer)?;
        Ok(self.sealing.append(writer.as_bytes(), &mut self.output)?)
    }

    /// Both directions are protected from here on. The document has no moment for one of them alone that matters: who has
    /// the keys hears nothing in clear any more.
    pub(crate) fn protect(
        &mut self,
        master: &Master,
        keys: &KeyMaterial,
        is_client: bool,
        policy: &Policy,
    ) -> Result<(), Error> {
        let (kind, iv, limit) = (master.kind(), master.key_arg(), policy.small_block_limit);
        let (read, write) = (keys.client_read(), keys.client_write());
        let (own, other) = if is_client { (write, read) } else { (read, write) };
        self.sealing.protect(kind, own, iv, limit)?;
        self.opening.protect(kind, other, iv, limit)?;
        Ok(())
    }

    /// What the connection goes on with.
    pub(crate) fn conclude(self, negotiated: Negotiated) -> Outcome {
        let (sealer, opener) = (Sealer::ssl2(self.sealing), Opener::ssl2(self.opening));
        Outcome::Established(Box::new(Established { sealer, opener, negotiated }))
    }
}

impl handshake::Channel for Channel {
    type Incoming = Message;

    fn record_len(&self, input: &[u8]) -> Result<Need, Error> {
        Ok(Header::record_len(input)?)
    }

    /// Takes one whole record, which is one message.
    ///
    /// An ERROR ends the handshake, but for the one that says that a client has no certificate. The two ends change to
    /// ciphertext at different moments, so that a peer may send an ERROR in clear where ciphertext is awaited: it is too
    /// short to be any. Anybody could have sent that one, so it can do nothing but end the handshake.
    fn take_record(&mut self, record: &[u8], _: &'static str) -> Result<Taken<Message>, Error> {
        if let (false, Some(code)) = (self.opening.is_clear(), error_in_clear(record)) {
            return Err(Error::Ssl2ErrorReceived(code));
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(record);
        let opened = self.opening.open(&mut self.scratch)?;
        let content = self.scratch.get(opened.content).unwrap_or_default();
        let (kind, body) = content.split_first().ok_or(wire::DecodeError::illegal("message.type"))?;
        let kind = M(*kind);
        if kind == M::ERROR {
            let code = ErrorMessage::from_bytes(body, "ERROR")?.code;
            if code != Ssl2ErrorCode::NO_CERTIFICATE || self.opening.is_clear() {
                return Err(Error::Ssl2ErrorReceived(code));
            }
        }
        Ok(Taken::Incoming(Message::new(kind, body.to_vec())))
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn fail(&mut self, error: &Error) -> Vec<u8> {
        if let Some(code) = code_of(error) {
            let _without_error = self.send(M::ERROR, &ErrorMessage { code });
        }
        self.take_output()
    }

    fn session_in_use(&self) -> Option<&[u8]> {
        self.session_in_use.as_deref()
    }
}

/// The code of a record that is an ERROR in clear.
fn error_in_clear(record: &[u8]) -> Option<Ssl2ErrorCode> {
    match *record {
        [0x80, 3, 0, high, low] => Some(Ssl2ErrorCode(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}

/// What the peer is told; of most errors there is no word for it, and the connection is closed.
///
/// Spec: SSL2 section 5.7.1.
pub(crate) fn code_of(error: &Error) -> Option<Ssl2ErrorCode> {
    Some(match error {
        Error::Incompatible(
            Incompatible::NoCipherKind { .. } | Incompatible::NoVersion { .. } | Incompatible::NoSuite { .. },
        ) => Ssl2ErrorCode::NO_CIPHER,
        Error::Refused(Refused::NoClientCertificate) => Ssl2ErrorCode::NO_CERTIFICATE,
        Error::Certificate(_)
        | Error::Misbehaved(Misbehaved::BadSignature(_) | Misbehaved::UnreadableCertificate) => {
            Ssl2ErrorCode::BAD_CERTIFICATE
        }
        Error::Misbehaved(Misbehaved::WrongCertificateType) => Ssl2ErrorCode::UNSUPPORTED_CERTIFICATE_TYPE,
        _ => return None,
    })
}

/// The ERROR that answers a first message, in clear.
pub(crate) fn refusal(error: &Error) -> Vec<u8> {
    Channel::new().fail(error)
}

/// The ERROR that says, in clear, that a certificate which proves what it says is not accepted.
pub(crate) fn refusal_of_the_client() -> Vec<u8> {
    let mut channel = Channel::new();
    let _without_error = channel.send(M::ERROR, &ErrorMessage { code: Ssl2ErrorCode::BAD_CERTIFICATE });
    channel.take_output()
}
