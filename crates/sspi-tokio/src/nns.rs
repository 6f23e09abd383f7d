//! The frames of the .NET NegotiateStream protocol.
//!
//! ```text
//! handshake   MessageId       1   0x14 done · 0x15 error · 0x16 in progress
//!             MajorVersion    1   1
//!             MinorVersion    1   0
//!             PayloadSize     2   big-endian, bytes
//!             AuthPayload         the token; of an error 8 bytes, big-endian: zero, HRESULT
//! data        PayloadSize     4   little-endian, bytes
//!             Payload             signature token · data · padding, as EncryptMessage made them
//! ```
//!
//! Each end sends *done* with its last token, or with none, once its package is complete, and the handshake is over when
//! both were sent and received. Of an error's payload the upper half is written as zero and not read: .NET extends the sign
//! of the status into it.
//!
//! A client whose package has nothing to say before it heard the server sends an empty token first, and the server's package is
//! called with nothing. Every other token has at least a byte.
//!
//! A package that gives up with a token for its peer gets it across in a frame *in progress*, unless the peer is done, since
//! the frame *error* has room for the status only; the frame *error* follows.
//!
//! To protect a message, the package gets a token of
//! [`security_trailer`](sspi_core::Sizes::security_trailer) bytes, the data, and padding of up to one block, one behind the
//! other; a token that comes out shorter moves up to the data. To open one, it gets a `SECBUFFER_STREAM` over the whole
//! payload and an empty `SECBUFFER_DATA`, which it sets to where the data lies, as `DecryptMessage` does on Windows for
//! Kerberos, NTLM and Negotiate.
//!
//! Spec: MS-NNS section 2.2.

use sspi_core::{Error, Fault, SecStatus};

/// `MessageId`: what a frame of the handshake says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) u8);

impl MessageId {
    /// The sender's package is complete; the payload is its last token, or empty.
    pub(crate) const HANDSHAKE_DONE: Self = Self(0x14);
    /// The sender gives up; the payload is the status.
    pub(crate) const HANDSHAKE_ERROR: Self = Self(0x15);
    /// The payload is a token.
    pub(crate) const HANDSHAKE_IN_PROGRESS: Self = Self(0x16);
}

/// Length of a handshake frame's header, in bytes.
pub(crate) const HANDSHAKE_HEADER: usize = 5;

/// Length of a data frame's header, in bytes.
pub(crate) const DATA_HEADER: usize = 4;

/// The most data in a frame, in bytes: what .NET sends at most.
pub(crate) const MAXIMUM_DATA: usize = 0xFC00;

/// The longest payload of a data frame that is sent, in bytes.
pub(crate) const MAXIMUM_PAYLOAD: usize = 0xFC30;

/// The longest payload of a data frame that is accepted, in bytes: what .NET accepts.
pub(crate) const MAXIMUM_RECEIVED: usize = 0x1_0000;

/// The beginning of a handshake frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeHeader {
    pub(crate) message_id: MessageId,
    pub(crate) payload_size: usize,
}

impl HandshakeHeader {
    /// Reads a header; `None` where it is not whole.
    ///
    /// # Errors
    /// `SEC_E_INVALID_TOKEN` for another version or an unknown message.
    pub(crate) fn decode(input: &[u8]) -> Result<Option<Self>, Error> {
        let Some(&[id, major, minor, high, low]) = input.first_chunk::<HANDSHAKE_HEADER>() else {
            return Ok(None);
        };
        let message_id = MessageId(id);
        if !matches!(
            message_id,
            MessageId::HANDSHAKE_DONE | MessageId::HANDSHAKE_ERROR | MessageId::HANDSHAKE_IN_PROGRESS
        ) {
            return Err(misbehaved(format!(
                "the peer does not speak NegotiateStream: MessageId is {id:#04x}, expected 0x14 to 0x16"
            )));
        }
        if major != 1 {
            return Err(misbehaved(format!(
                "the peer speaks version {major}.{minor} of NegotiateStream, expected 1.0"
            )));
        }
        Ok(Some(Self { message_id, payload_size: usize::from(u16::from_be_bytes([high, low])) }))
    }
}

/// A handshake frame.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` for a token that no frame can hold.
pub(crate) fn encode_handshake(out: &mut Vec<u8>, id: MessageId, token: &[u8]) -> Result<(), Error> {
    let size = u16::try_from(token.len()).map_err(|_| {
        Error::new(
            SecStatus::SEC_E_INVALID_TOKEN,
            Fault::Internal,
            format!("a token of {} bytes: a frame of NegotiateStream holds 65535", token.len()),
        )
    })?;
    out.extend([id.0, 1, 0]);
    out.extend(size.to_be_bytes());
    out.extend_from_slice(token);
    Ok(())
}

/// The frame that says with which status this end gives up.
pub(crate) fn encode_error(out: &mut Vec<u8>, status: SecStatus) {
    out.extend([MessageId::HANDSHAKE_ERROR.0, 1, 0, 0, 8, 0, 0, 0, 0]);
    out.extend(status.0.to_be_bytes());
}

/// What the payload of the peer's error frame stands for.
pub(crate) fn peer_error(payload: &[u8]) -> Error {
    let code = payload.get(4..8).and_then(|low| <[u8; 4]>::try_from(low).ok()).map_or(0, u32::from_be_bytes);
    let status = SecStatus(code);
    if status.is_error() {
        Error::new(status, Fault::PeerReported, "the peer gave up the handshake")
    } else {
        Error::new(
            SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED,
            Fault::PeerReported,
            format!("the peer gave up the handshake with the code {code}"),
        )
    }
}

/// Length of a data frame's payload; `None` where the header is not whole.
///
/// # Errors
/// `SEC_E_INVALID_TOKEN` for a frame that is too long.
pub(crate) fn data_size(input: &[u8]) -> Result<Option<usize>, Error> {
    let Some(header) = input.first_chunk::<DATA_HEADER>() else { return Ok(None) };
    match usize::try_from(u32::from_le_bytes(*header)) {
        Ok(size) if size <= MAXIMUM_RECEIVED => Ok(Some(size)),
        _ => Err(misbehaved(format!(
            "the peer announces a frame of {} bytes; {MAXIMUM_RECEIVED} are accepted",
            u32::from_le_bytes(*header)
        ))),
    }
}

/// The header of a data frame.
pub(crate) fn data_header(size: usize) -> [u8; DATA_HEADER] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

/// `SEC_E_INVALID_TOKEN`: the peer broke the framing.
pub(crate) fn misbehaved(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(SecStatus::SEC_E_INVALID_TOKEN, Fault::PeerMisbehaved, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_frame_is_header_and_token() {
        let mut frame = Vec::new();
        encode_handshake(&mut frame, MessageId::HANDSHAKE_IN_PROGRESS, &[7; 0x102]).unwrap();
        assert_eq!(frame[..5], [0x16, 1, 0, 1, 2]);
        assert_eq!(frame.len(), 5 + 0x102);
        let header = HandshakeHeader::decode(&frame).unwrap().unwrap();
        assert_eq!(header.message_id, MessageId::HANDSHAKE_IN_PROGRESS);
        assert_eq!(header.payload_size, 0x102);
        for cut in 0..5 {
            assert_eq!(HandshakeHeader::decode(&frame[..cut]).unwrap(), None);
        }
    }

    #[test]
    fn an_error_frame_holds_the_status_in_its_last_four_bytes() {
        let mut frame = Vec::new();
        encode_error(&mut frame, SecStatus::SEC_E_LOGON_DENIED);
        assert_eq!(frame, [0x15, 1, 0, 0, 8, 0, 0, 0, 0, 0x80, 0x09, 0x03, 0x0C]);
        assert_eq!(peer_error(&frame[5..]).status(), SecStatus::SEC_E_LOGON_DENIED);
        let sign_extended = [0xFF, 0xFF, 0xFF, 0xFF, 0x80, 0x09, 0x03, 0x0C];
        assert_eq!(peer_error(&sign_extended).status(), SecStatus::SEC_E_LOGON_DENIED);
    }

    #[test]
    fn an_error_frame_without_a_status_is_a_peer_that_gave_up() {
        for payload in [&[][..], &[0; 7], &[0, 0, 0, 0, 0, 0, 6, 0xFE]] {
            assert_eq!(peer_error(payload).status(), SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED);
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert!(HandshakeHeader::decode(&[0x17, 1, 0, 0, 0]).is_err());
        assert!(HandshakeHeader::decode(&[0x16, 2, 0, 0, 0]).is_err());
        assert!(data_size(&[1, 0, 1, 0]).is_err());
        assert_eq!(data_size(&[0, 0, 1, 0]).unwrap(), Some(MAXIMUM_RECEIVED));
        assert_eq!(data_size(&[0, 0, 1]).unwrap(), None);
        assert!(encode_handshake(&mut Vec::new(), MessageId::HANDSHAKE_DONE, &[0; 0x1_0000]).is_err());
    }
}
