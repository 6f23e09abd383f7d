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
    /// Whether the peer says when it closes, so that an end without that is none.
    pub(crate) marks_its_end: bool,
}

impl RecordSizes {
    /// What the context says.
    pub(crate) fn of(framing: Framing, attributes: &dyn QueryContextAttributes) -> Result<Self, Error> {
        let sizes = match framing {
            Framing::Detected => return Err(internal("how messages are told apart was not detected")),
            Framing::Stream => {
                let sizes = attributes.stream_sizes()?;
                Self {
                    header: sizes.header,
                    trailer: sizes.trailer,
                    message: sizes.maximum_message,
                    marks_its_end: attributes.marks_its_end(),
                }
            }
            Framing::Nns => {
                let sizes = attributes.sizes()?;
                let trailer = if sizes.block_size > 1 { sizes.block_size } else { 0 };
                let room =
                    nns::MAXIMUM_PAYLOAD.saturating_sub(sizes.security_trailer.saturating_add(trailer));
                let message = room.min(nns::MAXIMUM_DATA);
                Self { header: DATA_HEADER + sizes.security_trailer, trailer, message, marks_its_end: false }
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

/// The most that is kept for a transport that takes nothing now, in bytes, unless one write makes more.
const MOST_PENDING: usize = 64 * 1024;

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
    /// What is pending says already that there is no other handshake.
    declining: bool,
    /// Shutdown was said.
    closed: bool,
    error: Option<Error>,
}

impl Outbound {
    pub(crate) fn new(framing: Framing, sizes: RecordSizes) -> Self {
        Self { framing, sizes, pending: Vec::new(), sent: 0, declining: false, closed: false, error: None }
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
            self.declining = false;
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

    /// Whether this data may wait behind what is pending.
    pub(crate) fn has_room_for(&self, source: &Source<'_>) -> bool {
        self.pending.len().saturating_add(self.memory(source)) <= MOST_PENDING
    }

    /// How much memory [`seal`](Self::seal) needs for this data.
    pub(crate) fn memory(&self, source: &Source<'_>) -> usize {
        let portion = self.portion(source.len());
        let overhead = self.sizes.header.saturating_add(self.sizes.trailer);
        let records = portion.div_ceil(self.sizes.message);
        portion.saturating_add(records.saturating_mul(overhead))
    }

    /// Makes records of data in `memory`. Yields where they lie, one behind the other, and how much data they hold.
    ///
    /// # Errors
    /// Those of the package, if not a single record could be made. They end the sending side.
    pub(crate) fn seal(
        &mut self,
        sender: &mut dyn SendingHalf,
        source: &mut Source<'_>,
        memory: &mut [u8],
    ) -> Result<(Range<usize>, usize), Error> {
        let mut left = self.portion(source.len());
        let (mut sealed, mut accepted) = (0..0, 0);
        while left > 0 {
            let data = left.min(self.sizes.message);
            match self.seal_record(sender, source, memory, &sealed, data) {
                Ok(all) => sealed = all,
                Err(error) => {
                    self.fail(error.clone());
                    return if accepted > 0 { Ok((sealed, accepted)) } else { Err(error) };
                }
            }
            accepted += data;
            left -= data;
        }
        Ok((sealed, accepted))
    }

    /// Makes one record more, behind those that lie at `before`. Yields where all of them lie.
    ///
    /// A header mostly comes out shorter than the room for it and ends where the data begins, which leaves a gap in front.
    /// In front of the first record a gap is no matter. That of every other record is laid over the end of the record before
    /// it, which is kept aside: only a header that fills its room touches it, and then both are put in order.
    fn seal_record(
        &self,
        sender: &mut dyn SendingHalf,
        source: &mut Source<'_>,
        memory: &mut [u8],
        before: &Range<usize>,
        data: usize,
    ) -> Result<Range<usize>, Error> {
        let sizes = StreamSizes {
            header: self.sizes.header,
            trailer: self.sizes.trailer,
            maximum_message: self.sizes.message,
            buffers: 4,
            block_size: 1,
        };
        let misplaced = || internal("the package says that the message lies where it cannot be");
        let overlap = before.start.min(before.len()).min(MOST_OVERLAP);
        let start = before.end - overlap;
        let mut aside = [0; MOST_OVERLAP];
        let aside = aside.get_mut(..overlap).unwrap_or_default();
        aside.copy_from_slice(memory.get(start..before.end).ok_or_else(too_small)?);

        let layout = StreamLayout { start, ..StreamLayout::new(&sizes, data) };
        let room = memory.get_mut(layout.data_range()).ok_or_else(too_small)?;
        source.fill(room);
        let sealed = match self.framing {
            Framing::Stream | Framing::Detected => seal_stream_record(sender, memory, &layout)?,
            Framing::Nns => seal_frame(sender, memory, &layout)?,
        };
        if sealed.start > sealed.end || sealed.end > layout.end() || sealed.start < start {
            return Err(misplaced());
        }
        if before.is_empty() {
            return Ok(sealed);
        }
        if sealed.start != before.end {
            let end = before.end + sealed.len();
            if end > memory.len() {
                return Err(too_small());
            }
            memory.copy_within(sealed.clone(), before.end);
            memory.get_mut(start..before.end).ok_or_else(too_small)?.copy_from_slice(aside);
        }
        Ok(before.start..before.end + sealed.len())
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
    /// on. While the peer does not take one refusal there is no other: how often it asks is its own choice.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` of a package that has no alerts: it cannot decline, so the context ends.
    pub(crate) fn decline_renegotiation(&mut self, sender: &mut dyn SendingHalf) -> Result<(), Error> {
        const NO_RENEGOTIATION: u8 = 100;
        if self.declining {
            return Ok(());
        }
        let token = ControlToken::Alert { level: AlertLevel::Warning, number: NO_RENEGOTIATION };
        self.apply_control_token(sender, &token)?;
        self.declining = !self.pending.is_empty();
        Ok(())
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

/// The most that the room of a header is laid over the record before it, in bytes.
const MOST_OVERLAP: usize = 64;

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
        let outbound = Outbound::new(
            Framing::Stream,
            RecordSizes { header: 5, trailer: 17, message: 16384, marks_its_end: true },
        );
        assert_eq!(outbound.portion(100_000), 65536);
        assert_eq!(outbound.portion(100), 100);
        let slices = [IoSlice::new(&[0; 40000])];
        assert_eq!(outbound.memory(&Source::new(&slices)), 40000 + 3 * 22);
    }

    /// Writes headers of the lengths that it is given, in turns: `h` as often, then the data, then `t` twice.
    struct Headers(Vec<usize>, usize);

    impl SendingHalf for Headers {
        fn encrypt_message(
            &mut self,
            _quality: QualityOfProtection,
            memory: &mut [u8],
            buffers: &mut [SecBuffer],
        ) -> Result<(), Error> {
            let length = self.0[self.1 % self.0.len()];
            self.1 += 1;
            let data = buffers[1].range();
            memory[data.start - length..data.start].fill(b'h');
            memory[data.end..data.end + 2].fill(b't');
            buffers[0] = SecBuffer::new(SecBufferType::STREAM_HEADER, data.start - length..data.start);
            buffers[2] = SecBuffer::new(SecBufferType::STREAM_TRAILER, data.end..data.end + 2);
            Ok(())
        }
    }

    #[test]
    fn records_lie_one_behind_the_other_however_long_their_headers_come_out() {
        let sizes = RecordSizes { header: 6, trailer: 3, message: 4, marks_its_end: true };
        for lengths in [vec![1], vec![6], vec![1, 6], vec![6, 1], vec![1, 1, 6, 6, 3], vec![0, 6, 2]] {
            let text = b"abcdefghijklmnopqrstuvwxyz";
            let mut expected = Vec::new();
            for (i, data) in text.chunks(4).enumerate() {
                expected.extend(vec![b'h'; lengths[i % lengths.len()]]);
                expected.extend(data);
                expected.extend(b"tt");
            }
            let mut outbound = Outbound::new(Framing::Stream, sizes);
            let slices = [IoSlice::new(text)];
            let mut source = Source::new(&slices);
            let mut memory = vec![0; outbound.memory(&source)];
            let mut sender = Headers(lengths.clone(), 0);
            let (place, accepted) = outbound.seal(&mut sender, &mut source, &mut memory).unwrap();
            assert_eq!(accepted, text.len());
            assert_eq!(
                memory[place].escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{lengths:?}"
            );
        }
    }
}
