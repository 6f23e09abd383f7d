//! Handshake records in and out, and around a handshake that is done again the records of the connection.
//!
//! Spec: PCT1 sections 4.2 and 4.3.2.

use super::error::{self, Broken, ErrorCode};
use super::messages::{self, encode_error};
use super::readings::SEQUENCE_CONTINUES_OVER_A_REDO;
use super::records::{self, Header, MAX_SHORT, REDO_CONN};
use crate::connection::handshake::{self, Channel as _, Taken};
use crate::error::Error;
use crate::record::{ContentType, Need, RecordError};

/// The connection as it was before it is negotiated again.
pub(crate) struct Redo {
    pub(crate) sealer: records::Sealer,
    pub(crate) opener: records::Opener,
    /// The peer has sent its escape: what follows are messages.
    pub(crate) peer_escaped: bool,
    /// Data out of band that the peer sent before its escape.
    pub(crate) out_of_band: Vec<u8>,
}

/// The ERROR that answers a first message.
pub(crate) fn refusal(error: &Error) -> Vec<u8> {
    Channel::new().fail(error)
}

/// The ERROR that says that a client which proves who it is is not accepted.
pub(crate) fn refusal_of_the_client() -> Vec<u8> {
    let mut channel = Channel::new();
    let _without_error = channel.send(&encode_error(ErrorCode::CLIENT_AUTH_FAILED, None));
    channel.take_output()
}

/// What a handshake can be given.
pub(crate) enum Incoming {
    /// A message, which begins with its kind.
    Message { kind: u8, bytes: Vec<u8> },
    /// The peer announces a handshake.
    Escape,
}

/// Records in, messages out; messages in, records out.
#[derive(Default)]
pub(crate) struct Channel {
    sent: Option<u32>,
    received: Option<u32>,
    output: Vec<u8>,
    /// Our last message is out: errors are not told any more.
    pub(crate) is_quiet: bool,
    pub(crate) redo: Option<Redo>,
    /// Where the session is kept that is offered or taken up again: a failure spoils it.
    pub(crate) session_in_use: Option<Vec<u8>>,
}

impl Channel {
    pub(crate) fn new() -> Self {
        Self { sent: Some(0), received: Some(0), ..Self::default() }
    }

    /// A channel for a connection that is negotiated again.
    pub(crate) fn again(redo: Redo) -> Self {
        Self { redo: Some(redo), ..Self::new() }
    }

    /// Numbers of the next records: ours, the peer's.
    pub(crate) fn sequences(&self) -> Result<(u32, u32), Error> {
        let both = self.sent.zip(self.received);
        both.ok_or(Error::Record(RecordError::SequenceOverflow))
    }

    fn count(counter: &mut Option<u32>) -> Result<(), Error> {
        let number = counter.ok_or(Error::Record(RecordError::SequenceOverflow))?;
        *counter = number.checked_add(1);
        Ok(())
    }

    /// Sends the escape that announces a handshake, under the keys that there are.
    pub(crate) fn send_escape(&mut self) -> Result<(), Error> {
        let redo = self.redo.as_mut().ok_or(Error::Internal("an escape without keys"))?;
        redo.sealer.append(&[REDO_CONN], true, &mut self.output)?;
        self.sent = if SEQUENCE_CONTINUES_OVER_A_REDO { redo.sealer.sequence() } else { Some(0) };
        Ok(())
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        const TOO_LONG: Error = Error::Internal("a message of ours is longer than it may be");
        let len = u16::try_from(message.len()).map_err(|_| TOO_LONG)?;
        if message.len() > MAX_SHORT {
            return Err(TOO_LONG);
        }
        Self::count(&mut self.sent)?;
        self.output.extend_from_slice(&(len | 0x8000).to_be_bytes());
        self.output.extend_from_slice(message);
        Ok(())
    }

    /// The peer's escape was opened before the handshake began.
    pub(crate) fn peer_escaped(&mut self, escaped: bool) {
        if let Some(redo) = self.redo.as_mut().filter(|_| escaped) {
            redo.peer_escaped = true;
            self.received = if SEQUENCE_CONTINUES_OVER_A_REDO { redo.opener.sequence() } else { Some(0) };
        }
    }

    /// A hello went out that others share.
    pub(crate) fn unified_hello_sent(&mut self) -> Result<(), Error> {
        Self::count(&mut self.sent)
    }
}

impl handshake::Channel for Channel {
    type Incoming = Incoming;

    fn take_record(&mut self, record: &[u8], _: &'static str) -> Result<Taken<Incoming>, Error> {
        if let Some(redo) = self.redo.as_mut().filter(|redo| !redo.peer_escaped) {
            let mut copy = record.to_vec();
            let is_used_up = redo.opener.is_used_up();
            let opened = redo.opener.open(&mut copy)?;
            let content = copy.get(opened.content).unwrap_or_default();
            match opened.content_type {
                ContentType::REDO => {
                    redo.peer_escaped = true;
                    self.received =
                        if SEQUENCE_CONTINUES_OVER_A_REDO { redo.opener.sequence() } else { Some(0) };
                    return Ok(Taken::Incoming(Incoming::Escape));
                }
                ContentType::OUT_OF_BAND => redo.out_of_band.extend_from_slice(content),
                // A peer that does not care for the limit would give away what both of us say.
                _ if is_used_up => return Err(RecordError::KeyUsedUp.into()),
                _ if !content.is_empty() => return Ok(Taken::Data(content.to_vec())),
                _ => {}
            }
            return Ok(Taken::Nothing);
        }
        let header = Header::read(record).map_err(|_| Error::Internal("not a whole record"))?;
        if header.padding != 0 || header.is_escape || header.body == 0 {
            return Err(Broken::NotAHandshakeRecord.into());
        }
        Self::count(&mut self.received)?;
        let message = record.get(header.len..).unwrap_or_default();
        match message.first() {
            Some(&messages::ERROR) => Err(Error::Pct1Received(messages::decode_error(message)?)),
            Some(&kind) => Ok(Taken::Incoming(Incoming::Message { kind, bytes: message.to_vec() })),
            None => Err(Broken::NotAHandshakeRecord.into()),
        }
    }

    fn record_len(&self, input: &[u8]) -> Result<Need, Error> {
        Ok(records::record_len(input))
    }

    fn has_output_on_connection(&self) -> bool {
        !self.output.is_empty() && self.redo.as_ref().is_some_and(|redo| !redo.peer_escaped)
    }

    fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn fail(&mut self, error: &Error) -> Vec<u8> {
        if let Some(code) = error::code(error).filter(|_| !self.is_quiet) {
            let _without_error = self.send(&encode_error(code, error::mismatch(error)));
        }
        self.take_output()
    }

    fn session_in_use(&self) -> Option<&[u8]> {
        self.session_in_use.as_deref()
    }
}
