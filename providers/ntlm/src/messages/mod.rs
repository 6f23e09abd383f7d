//! The three messages of NTLM, to be read, written, and shown to people.
//!
//! ```text
//! client ── NEGOTIATE ────▶ server    what it can do
//! client ◀── CHALLENGE ──── server    what both do, eight random bytes, who the server is
//! client ── AUTHENTICATE ─▶ server    who it is, and what the password makes of the challenge
//! ```
//!
//! Each begins with `NTLMSSP`, a zero, and its number. All numbers are little-endian. Fields of the fixed part point to
//! contents behind it; these are borrowed from the bytes that were read, and not interpreted: names are UTF-16 or of some
//! code page, as the flags say ([`text`] reads them).
//!
//! Spec: MS-NLMP section 2.2.1.

mod authenticate;
mod av_pairs;
mod challenge;
mod flags;
mod negotiate;
mod payload;
mod response;
#[cfg(test)]
mod tests;
mod text;
mod version;

pub use self::authenticate::AuthenticateMessage;
pub use self::av_pairs::{AvFlags, AvId, AvPair, AvPairs};
pub use self::challenge::ChallengeMessage;
pub use self::flags::NegotiateFlags;
pub use self::negotiate::NegotiateMessage;
pub use self::response::{NtlmV2Response, NtlmV2Temp};
pub(crate) use self::text::{oem, push_utf16};
pub use self::text::{text, utf16};
pub use self::version::Version;
use wire::{DecodeError, Reader};

/// What every message begins with.
pub const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// The longest message that is read, in bytes. Windows says of itself that it sends 2,888 at most.
pub const MAXIMUM_MESSAGE: usize = 16 * 1024;

/// `MessageType`: which message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageType(pub u32);

impl MessageType {
    /// `NtLmNegotiate`.
    pub const NEGOTIATE: Self = Self(1);
    /// `NtLmChallenge`.
    pub const CHALLENGE: Self = Self(2);
    /// `NtLmAuthenticate`.
    pub const AUTHENTICATE: Self = Self(3);

    /// Reads signature and type off the front of a message.
    ///
    /// # Errors
    /// It is no message of NTLM, or a longer one than anybody sends.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        begin(message).map(|(kind, _)| kind)
    }
}

/// Any of the three messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The client's first.
    Negotiate(NegotiateMessage<'a>),
    /// The server's.
    Challenge(ChallengeMessage<'a>),
    /// The client's second.
    Authenticate(AuthenticateMessage<'a>),
}

impl<'a> Message<'a> {
    /// Reads the message that `bytes` are.
    ///
    /// # Errors
    /// They are none of the three, or one whose fields do not lie where they can.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match MessageType::decode(bytes)? {
            MessageType::NEGOTIATE => NegotiateMessage::decode(bytes).map(Self::Negotiate),
            MessageType::CHALLENGE => ChallengeMessage::decode(bytes).map(Self::Challenge),
            MessageType::AUTHENTICATE => AuthenticateMessage::decode(bytes).map(Self::Authenticate),
            _ => Err(DecodeError::illegal("MessageType")),
        }
    }
}

fn begin(message: &[u8]) -> Result<(MessageType, Reader<'_>), DecodeError> {
    if message.len() > MAXIMUM_MESSAGE {
        return Err(DecodeError::illegal("Signature"));
    }
    let mut reader = Reader::new(message);
    if reader.array("Signature")? != SIGNATURE {
        return Err(DecodeError::illegal("Signature"));
    }
    let kind = MessageType(reader.u32_le("MessageType")?);
    Ok((kind, reader))
}

/// Reads the front of a message of this type.
fn begin_as(message: &[u8], kind: MessageType) -> Result<Reader<'_>, DecodeError> {
    match begin(message)? {
        (found, reader) if found == kind => Ok(reader),
        _ => Err(DecodeError::illegal("MessageType")),
    }
}

/// How much of a fixed part of up to `full` bytes there is in a message whose payload begins at `begins`.
const fn is_there(begins: usize, full: usize) -> bool {
    begins >= full
}
