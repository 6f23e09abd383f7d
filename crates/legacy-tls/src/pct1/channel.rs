//! Handshake records in and out, and around a handshake that is done again the records of the connection.
//!
//! Spec: PCT1 sections 4.2 and 4.3.2.

use super::error::{self, Broken};
use super::messages::{self, encode_error};
use super::readings::SEQUENCE_CONTINUES_OVER_A_REDO;
use super::records::{self, Header, MAX_SHORT, REDO_CONN};
use crate::error::{Error, Misbehaved};
use crate::record::{ContentType, Need, RecordError};

/// The most that a peer may send before its handshake is complete, in bytes.
const MOST: usize = 512 << 10;

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

/// What a record was.
pub(crate) enum Taken {
    Message(Vec<u8>),
    /// Nothing for the handshake.
    Nothing,
    /// The peer has sent its escape.
    Escape,
    /// Data of the application from before the peer's escape.
    Data(Vec<u8>),
}

/// Records in, messages out; messages in, records out.
#[derive(Default)]
pub(crate) struct Channel {
    sent: Option<u32>,
    received: Option<u32>,
    output: Vec<u8>,
    taken: usize,
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

    fn check_flood(&self) -> Result<(), Error> {
        if self.taken > MOST {
            return Err(Misbehaved::Flood { what: "bytes of handshake", limit: MOST }.into());
        }
        Ok(())
    }

    /// Takes one whole record.
    pub(crate) fn take_record(&mut self, record: &[u8]) -> Result<Taken, Error> {
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
                    return Ok(Taken::Escape);
                }
                ContentType::OUT_OF_BAND => redo.out_of_band.extend_from_slice(content),
                // A peer that does not care for the limit would give away what both of us say.
                _ if is_used_up => return Err(RecordError::KeyUsedUp.into()),
                // It is the application's, which takes it as it comes: any amount.
                _ if !content.is_empty() => return Ok(Taken::Data(content.to_vec())),
                _ => {}
            }
            self.taken += record.len();
            return self.check_flood().map(|()| Taken::Nothing);
        }
        self.taken += record.len();
        self.check_flood()?;
        let header = Header::read(record).map_err(|_| Error::Internal("not a whole record"))?;
        if header.padding != 0 || header.is_escape || header.body == 0 {
            return Err(Broken::NotAHandshakeRecord.into());
        }
        Self::count(&mut self.received)?;
        let message = record.get(header.len..).unwrap_or_default();
        if message.first() == Some(&messages::ERROR) {
            return Err(Error::Pct1Received(messages::decode_error(message)?));
        }
        Ok(Taken::Message(message.to_vec()))
    }

    /// How long the record is that `input` begins with.
    pub(crate) fn record_len(input: &[u8]) -> Need {
        records::record_len(input)
    }

    /// Whether something must be sent while data still comes.
    pub(crate) fn has_output_on_connection(&self) -> bool {
        !self.output.is_empty() && self.redo.as_ref().is_some_and(|redo| !redo.peer_escaped)
    }

    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What must be sent when the handshake has failed: what was written before, and the error.
    pub(crate) fn fail(&mut self, error: &Error) -> Vec<u8> {
        if let Some(code) = error::code(error).filter(|_| !self.is_quiet) {
            let _without_error = self.send(&encode_error(code, error::mismatch(error)));
        }
        self.take_output()
    }
}
