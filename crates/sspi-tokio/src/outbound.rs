//! What is sent: plaintext in, records out, without the transport.

use core::ops::Range;
use std::io::{self, IoSlice};

use sspi_core::{
    AlertLevel, ControlToken, Error, Fault, QualityOfProtection, QueryContextAttributes, SecBuffer,
    SecBufferType, SecStatus, SendingHalf, StreamLayout, StreamSizes,
};

use crate::driver::internal;
use crate::nns::{self, DATA_HEADER};
use crate::{Framing, error};

/// What protection adds to a message, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordSizes {
    /// Room in front of the data: the record's header, or a frame's header and the token.
    pub(crate) header: usize,
    /// Room behind it.
    pub(crate) trailer: usize,
    /// The most data in one.
    pub(crate) message: usize,
}

impl RecordSizes {
    /// What the context says.
    pub(crate) fn of(framing: Framing, attributes: &dyn QueryContextAttributes) -> Result<Self, Error> {
        let sizes = match framing {
            Framing::Stream => {
                let sizes = attributes.stream_sizes()?;
                Self { header: sizes.header, trailer: sizes.trailer, message: sizes.maximum_message }
            }
            Framing::Nns => {
                let sizes = attributes.sizes()?;
                let trailer = if sizes.block_size > 1 { sizes.block_size } else { 0 };
                let room =
                    nns::MAXIMUM_PAYLOAD.saturating_sub(sizes.security_trailer.saturating_add(trailer));
                let message = room.min(nns::MAXIMUM_DATA);
                Self { header: DATA_HEADER + sizes.security_trailer, trailer, message }
            }
        };
        if sizes.message == 0 || sizes.record() > LONGEST_RECORD {
            return Err(internal("the package's sizes leave no room for a message"));
        }
        Ok(sizes)
    }

    /// The longest record.
    pub(crate) fn record(&self) -> usize {
        self.header.saturating_add(self.message).saturating_add(self.trailer)
    }
}

/// The longest record that a package may announce, in bytes.
const LONGEST_RECORD: usize = 1024 * 1024;

/// The most data that one write takes, in bytes, unless one record holds more.
const MOST_DATA: usize = 64 * 1024;

/// Data to be sent, in pieces.
pub(crate) struct Source<'a> {
    slices: &'a [IoSlice<'a>],
    /// How much of the first slice was taken.
    taken: usize,
}

impl<'a> Source<'a> {
    pub(crate) fn new(slices: &'a [IoSlice<'a>]) -> Self {
        Self { slices, taken: 0 }
    }

    fn len(&self) -> usize {
        let all = self.slices.iter().fold(0_usize, |sum, slice| sum.saturating_add(slice.len()));
        all.saturating_sub(self.taken)
    }

    /// Whether there is nothing to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out`, which is no longer than the source.
    fn fill(&mut self, mut out: &mut [u8]) {
        while let ([first, others @ ..], false) = (self.slices, out.is_empty()) {
            let piece = first.get(self.taken..).unwrap_or_default();
            let length = piece.len().min(out.len());
            let (now, later) = out.split_at_mut(length);
            now.copy_from_slice(piece.get(..length).unwrap_or_default());
            out = later;
            self.taken += length;
            if self.taken == first.len() {
                self.slices = others;
                self.taken = 0;
            }
        }
    }
}

/// The sending side of a stream.
pub(crate) struct Outbound {
    framing: Framing,
    sizes: RecordSizes,
    /// Sealed, and not taken by the transport yet; it goes before anything else. Empty, without memory, most of the time.
    pending: Vec<u8>,
    sent: usize,
    /// Shutdown was said.
    closed: bool,
    error: Option<Error>,
}

impl Outbound {
    pub(crate) fn new(framing: Framing, sizes: RecordSizes) -> Self {
        Self { framing, sizes, pending: Vec::new(), sent: 0, closed: false, error: None }
    }

    /// Goes on with another context's sizes.
    pub(crate) fn resume(&mut self, sizes: RecordSizes) {
        self.sizes = sizes;
    }

    /// What must be sent before anything else.
    pub(crate) fn pending(&self) -> &[u8] {
        self.pending.get(self.sent..).unwrap_or_default()
    }

    /// The transport took this much of what was pending.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count);
        if self.sent >= self.pending.len() {
            self.pending = Vec::new();
            self.sent = 0;
        }
    }

    /// Sends `bytes` behind what is pending.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The error that ended the sending side.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Sends no more data, because of this error, unless there is one already.
    pub(crate) fn fail(&mut self, error: Error) {
        self.error.get_or_insert(error);
    }

    /// Whether data can be sent.
    ///
    /// # Errors
    /// The error that ended the sending side; `SEC_E_CONTEXT_EXPIRED` behind a shutdown.
    pub(crate) fn check(&self) -> io::Result<()> {
        if let Some(error) = &self.error {
            return Err(error::security(error.clone()));
        }
        if self.closed {
            return Err(error::security(Error::new(
                SecStatus::SEC_E_CONTEXT_EXPIRED,
                Fault::ApiMisuse,
                "the stream was shut down: nothing more can be sent",
            )));
        }
        Ok(())
    }

    /// How much of so much data one write takes: whole records of it, if there are several.
    fn portion(&self, available: usize) -> usize {
        let records = (MOST_DATA / self.sizes.message).max(1);
        available.min(records.saturating_mul(self.sizes.message))
    }

    /// How much memory [`seal`](Self::seal) needs for this data.
    pub(crate) fn memory(&self, source: &Source<'_>) -> usize {
        let portion = self.portion(source.len());
        let overhead = self.sizes.header.saturating_add(self.sizes.trailer);
        let records = portion.div_ceil(self.sizes.message);
        portion.saturating_add(records.saturating_mul(overhead))
    }

    /// Makes records of data, at the beginning of `memory`. Yields how long they are, and how much data they hold.
    ///
    /// # Errors
    /// Those of the package, if not a single record could be made. They end the sending side.
    pub(crate) fn seal(
        &mut self,
        sender: &mut dyn SendingHalf,
        source: &mut Source<'_>,
        memory: &mut [u8],
    ) -> Result<(usize, usize), Error> {
        let mut left = self.portion(source.len());
        let (mut end, mut accepted) = (0, 0);
        while left > 0 {
            let data = left.min(self.sizes.message);
            match self.seal_record(sender, source, memory, end, data) {
                Ok(next) => end = next,
                Err(error) => {
                    self.fail(error.clone());
                    return if accepted > 0 { Ok((end, accepted)) } else { Err(error) };
                }
            }
            accepted += data;
            left -= data;
        }
        Ok((end, accepted))
    }

    fn seal_record(
        &self,
        sender: &mut dyn SendingHalf,
        source: &mut Source<'_>,
        memory: &mut [u8],
        start: usize,
        data: usize,
    ) -> Result<usize, Error> {
        let sizes = StreamSizes {
            header: self.sizes.header,
            trailer: self.sizes.trailer,
            maximum_message: self.sizes.message,
            buffers: 4,
            block_size: 1,
        };
        let layout = StreamLayout { start, ..StreamLayout::new(&sizes, data) };
        let room = memory.get_mut(layout.data_range()).ok_or_else(too_small)?;
        source.fill(room);
        let sealed = match self.framing {
            Framing::Stream => seal_stream_record(sender, memory, &layout)?,
            Framing::Nns => seal_frame(sender, memory, &layout)?,
        };
        if sealed.start > sealed.end || sealed.end > layout.end() || sealed.start < start {
            return Err(internal("the package says that the message lies where it cannot be"));
        }
        if sealed.start > start {
            memory.copy_within(sealed.clone(), start);
        }
        Ok(start + sealed.len())
    }

    /// Asks the package for a control token and sends it behind what is pending.
    ///
    /// # Errors
    /// Those of the package.
    pub(crate) fn apply_control_token(
        &mut self,
        sender: &mut dyn SendingHalf,
        token: &ControlToken,
    ) -> Result<(), Error> {
        let bytes = sender.apply_control_token(token)?;
        if self.framing == Framing::Nns && !bytes.is_empty() {
            self.keep(&nns::data_header(bytes.len()));
        }
        self.keep(&bytes);
        if matches!(token, ControlToken::Shutdown) {
            self.closed = true;
        }
        Ok(())
    }

    /// Tells the peer that there is no handshake on this context: the alert no_renegotiation, a warning. The context goes
    /// on.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` of a package that has no alerts: it cannot decline, so the context ends.
    pub(crate) fn decline_renegotiation(&mut self, sender: &mut dyn SendingHalf) -> Result<(), Error> {
        const NO_RENEGOTIATION: u8 = 100;
        let token = ControlToken::Alert { level: AlertLevel::Warning, number: NO_RENEGOTIATION };
        self.apply_control_token(sender, &token)
    }

    /// Says, once, that nothing more will be sent.
    ///
    /// # Errors
    /// Those of the package, other than that it has nothing to say.
    pub(crate) fn close(&mut self, sender: Option<&mut (dyn SendingHalf + 'static)>) -> Result<(), Error> {
        if self.closed || self.error.is_some() {
            self.closed = true;
            return Ok(());
        }
        self.closed = true;
        let Some(sender) = sender else { return Ok(()) };
        match self.apply_control_token(sender, &ControlToken::Shutdown) {
            Err(error) if error.status() != SecStatus::SEC_E_UNSUPPORTED_FUNCTION => {
                self.fail(error.clone());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Ends the sending side because what was received cannot be opened, and tells the peer, if there is an alert for it.
    pub(crate) fn alert(&mut self, sender: &mut dyn SendingHalf, error: &Error) {
        if self.error.is_some() {
            return;
        }
        if let (Some(number), false) = (error.alert(), self.closed) {
            let token = ControlToken::Alert { level: AlertLevel::Fatal, number };
            // The error is what the application hears; that the peer could not be told adds nothing.
            let _best_effort = self.apply_control_token(sender, &token);
        }
        self.fail(error.clone());
    }
}

fn seal_stream_record(
    sender: &mut dyn SendingHalf,
    memory: &mut [u8],
    layout: &StreamLayout,
) -> Result<Range<usize>, Error> {
    let mut buffers = layout.buffers();
    sender.encrypt_message(QualityOfProtection::Default, memory, &mut buffers)?;
    Ok(StreamLayout::message_range(&buffers))
}

fn seal_frame(
    sender: &mut dyn SendingHalf,
    memory: &mut [u8],
    layout: &StreamLayout,
) -> Result<Range<usize>, Error> {
    let Range { start, end } = layout.data_range();
    let mut buffers = [
        SecBuffer::new(SecBufferType::TOKEN, layout.start + DATA_HEADER..start),
        SecBuffer::new(SecBufferType::DATA, start..end),
        SecBuffer::new(SecBufferType::PADDING, end..layout.end()),
    ];
    sender.encrypt_message(QualityOfProtection::Default, memory, &mut buffers)?;
    let [token, data, padding] = buffers;
    let first = start.checked_sub(token.len).filter(|first| *first >= layout.start + DATA_HEADER);
    let (Some(first), true) = (first, token.range().end <= start && data.range() == (start..end)) else {
        return Err(internal("the package moved the data, or made a token longer than it announced"));
    };
    memory.copy_within(token.range(), first);
    let last = end + padding.len;
    let header = memory.get_mut(first - DATA_HEADER..first).ok_or_else(too_small)?;
    header.copy_from_slice(&nns::data_header(last - first));
    Ok(first - DATA_HEADER..last)
}

fn too_small() -> Error {
    internal("the memory for a record is too small")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_its_slices_one_behind_the_other() {
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdef")];
        let mut source = Source::new(&slices);
        assert_eq!(source.len(), 6);
        let mut out = [0; 3];
        source.fill(&mut out);
        assert_eq!(&out, b"abc");
        assert_eq!(source.len(), 3);
        source.fill(&mut out);
        assert_eq!(&out, b"def");
        assert!(source.is_empty());
    }

    #[test]
    fn a_write_takes_whole_records() {
        let outbound = Outbound::new(Framing::Stream, RecordSizes { header: 5, trailer: 17, message: 16384 });
        assert_eq!(outbound.portion(100_000), 65536);
        assert_eq!(outbound.portion(100), 100);
        let slices = [IoSlice::new(&[0; 40000])];
        assert_eq!(outbound.memory(&Source::new(&slices)), 40000 + 3 * 22);
    }
}
