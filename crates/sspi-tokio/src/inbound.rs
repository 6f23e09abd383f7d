//! What is received: records in, plaintext out, without the transport.

use core::ops::Range;
use std::io;

use sspi_core::{Decrypted, Error, Fault, ReceivingHalf, SecBuffer, SecBufferType, SecStatus};

use crate::driver::internal;
use crate::nns::{self, DATA_HEADER};
use crate::outbound::RecordSizes;
use crate::{Framing, error};

/// Where plaintext goes.
pub(crate) trait Sink {
    /// How much more fits.
    fn room(&self) -> usize;
    /// Takes what fits, and says how much that was.
    fn put(&mut self, plain: &[u8]) -> usize;
}

impl Sink for tokio::io::ReadBuf<'_> {
    fn room(&self) -> usize {
        self.remaining()
    }

    fn put(&mut self, plain: &[u8]) -> usize {
        let fits = plain.len().min(self.remaining());
        self.put_slice(plain.get(..fits).unwrap_or_default());
        fits
    }
}

/// Why opening records stopped. How much plaintext came out is known to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The sink is full.
    Full,
    /// There is no whole record: bytes of the transport are needed.
    Hungry,
    /// The peer wants to negotiate again; what it sent for that is unread.
    Renegotiate,
    /// The peer was asked to negotiate again, and will not.
    Declined,
    /// The peer has closed its side in order.
    Ended,
}

/// Why nothing more comes.
enum End {
    /// The peer closed its side in order.
    Closed,
    /// The transport ended in the middle.
    CutOff,
    /// The context ended with this error.
    Failed(Error),
}

/// Where plaintext and unread bytes lie in a piece of memory; the unread ones are behind the plaintext.
#[derive(Default)]
struct Places {
    plain: Range<usize>,
    unread: Range<usize>,
}

/// The receiving side of a stream.
pub(crate) struct Inbound {
    framing: Framing,
    /// The longest record on the wire, and the most data in one, in bytes.
    record: usize,
    message: usize,
    /// What is left of earlier reads; empty, without memory, most of the time.
    rest: Vec<u8>,
    places: Places,
    /// How many unread bytes there must be before they can be a record.
    wanted: usize,
    /// Whether the peer says when it closes.
    marks_its_end: bool,
    /// The package wanted to negotiate again, and what begins that is still unread.
    is_asking: bool,
    end: Option<Box<End>>,
}

/// The least that is asked of the transport, in bytes: small records come in numbers.
const LEAST_READ: usize = 4 * 1024;

/// The most data that is read at once, in bytes.
const MOST_DATA: usize = 64 * 1024;

/// The longest record that is waited for, in bytes. Packages refuse far shorter ones.
const LONGEST_RECORD: usize = 256 * 1024;

impl Inbound {
    /// With what the peer sent behind its handshake.
    pub(crate) fn new(framing: Framing, sizes: &RecordSizes, unread: Vec<u8>) -> Self {
        let (record, message) = match framing {
            Framing::Stream | Framing::Detected => (sizes.record(), sizes.message),
            Framing::Nns => (DATA_HEADER + nns::MAXIMUM_PAYLOAD, sizes.message),
        };
        let places = Places { plain: 0..0, unread: 0..unread.len() };
        Self {
            framing,
            record,
            message: message.max(1),
            rest: unread,
            places,
            wanted: 1,
            marks_its_end: sizes.marks_its_end,
            is_asking: false,
            end: None,
        }
    }

    /// Whether the rest is worth [`work`](Self::work): plaintext, or perhaps a record.
    pub(crate) fn is_ready(&self) -> bool {
        !self.places.plain.is_empty() || self.places.unread.len() >= self.wanted
    }

    /// The end, if it was reached: `Ok` is a clean one.
    pub(crate) fn end(&self) -> Option<io::Result<()>> {
        let end = self.end.as_deref()?;
        if !self.places.plain.is_empty() {
            return None;
        }
        Some(match end {
            End::Closed => Ok(()),
            End::CutOff if self.framing == Framing::Nns => Err(error::frame_cut_off()),
            End::CutOff => Err(error::cut_off()),
            End::Failed(error) => Err(error::security(error.clone())),
        })
    }

    /// Goes on with another context. Plaintext that was not delivered stays in front.
    pub(crate) fn resume(&mut self, sizes: &RecordSizes, unread: Vec<u8>) {
        let plain = self.take_plain();
        *self = Self::new(self.framing, sizes, Vec::new());
        self.put_back(plain, unread);
        // Whatever came for the handshake may have been the peer's goodbye: the context is asked before the transport is.
        self.wanted = 0;
    }

    /// How much plaintext waits to be delivered, in bytes.
    pub(crate) fn held(&self) -> usize {
        self.places.plain.len()
    }

    /// Takes plaintext that came in the middle of a handshake, to be delivered behind what waits already. Nothing is unread.
    pub(crate) fn hold(&mut self, data: &[u8]) {
        let mut plain = self.take_plain();
        plain.extend_from_slice(data);
        self.put_back(plain, Vec::new());
    }

    /// Delivers plaintext that waits, as far as `until`. Says how much that was.
    pub(crate) fn deliver(&mut self, sink: &mut impl Sink, until: Option<usize>) -> usize {
        let plain = self.rest.get(self.places.plain.clone()).unwrap_or_default();
        let plain = until.and_then(|until| plain.get(..until)).unwrap_or(plain);
        let count = sink.put(plain);
        self.places.plain.start += count;
        if self.places.plain.is_empty() && self.places.unread.is_empty() {
            self.rest = Vec::new();
            self.places = Places::default();
        }
        count
    }

    fn take_plain(&mut self) -> Vec<u8> {
        let mut plain = core::mem::take(&mut self.rest);
        let places = core::mem::take(&mut self.places);
        plain.truncate(places.plain.end);
        plain.drain(..places.plain.start.min(plain.len()));
        plain
    }

    fn put_back(&mut self, mut plain: Vec<u8>, unread: Vec<u8>) {
        let end = plain.len();
        self.places = Places { plain: 0..end, unread: end..end + unread.len() };
        self.rest = if plain.is_empty() {
            unread
        } else {
            plain.extend_from_slice(&unread);
            plain
        };
    }

    /// The error that ended the context.
    pub(crate) fn error(&self) -> Option<&Error> {
        match self.end.as_deref() {
            Some(End::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// Ends with this error, unless there is an end already.
    pub(crate) fn fail(&mut self, error: Error) {
        if self.end.is_none() {
            self.end = Some(Box::new(End::Failed(error)));
        }
    }

    /// The transport has ended.
    pub(crate) fn transport_ended(&mut self) {
        if self.end.is_none() {
            let clean = !self.marks_its_end && self.unread() == 0;
            self.end = Some(Box::new(if clean { End::Closed } else { End::CutOff }));
        }
    }

    /// How many unread bytes are kept. [`absorb`](Self::absorb) wants room for them in front of what was read.
    pub(crate) fn unread(&self) -> usize {
        self.places.unread.len()
    }

    /// How much to ask of the transport for a caller with so much room: as many whole records as fit there, so that
    /// nothing need be kept of what was read.
    pub(crate) fn read_size(&self, room: usize) -> usize {
        let records = (room.min(MOST_DATA) / self.message).max(1);
        let target = records.saturating_mul(self.record).max(LEAST_READ).max(self.wanted);
        target.saturating_sub(self.unread()).max(1)
    }

    /// Takes the unread bytes away, for a handshake. Plaintext that was not delivered stays.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        let unread = self.rest.get(self.places.unread.clone()).unwrap_or_default().to_vec();
        let plain = self.take_plain();
        self.put_back(plain, Vec::new());
        self.wanted = 1;
        unread
    }

    /// Gives the unread bytes back: the handshake did not come about.
    pub(crate) fn give_back(&mut self, unread: Vec<u8>) {
        let plain = self.take_plain();
        self.put_back(plain, unread);
    }

    /// Opens what is left of earlier reads.
    ///
    /// # Errors
    /// The error that ends the context, once; afterwards it is the [`end`](Self::end).
    pub(crate) fn work(
        &mut self,
        receiver: &mut dyn ReceivingHalf,
        sink: &mut impl Sink,
    ) -> Result<Progress, Error> {
        let mut rest = core::mem::take(&mut self.rest);
        let mut places = core::mem::take(&mut self.places);
        let result = self.open_records(&mut rest, &mut places, receiver, sink);
        // While whole records are left they stay where they are: moving them for each small read would cost more.
        let used_up = !matches!(result, Ok(Progress::Full)) || places.unread.start > rest.len() / 2;
        if places.plain.is_empty() && used_up {
            rest.truncate(places.unread.end);
            rest.drain(..places.unread.start.min(rest.len()));
            rest.shrink_to_fit();
            places = Places { plain: 0..0, unread: 0..rest.len() };
        }
        if !(places.plain.is_empty() && places.unread.is_empty()) {
            self.rest = rest;
            self.places = places;
        }
        result
    }

    /// Opens what the transport gave: `read` bytes, [`unread`](Self::unread) bytes behind the beginning of `memory`. There is
    /// no plaintext left.
    ///
    /// # Errors
    /// As [`work`](Self::work).
    pub(crate) fn absorb(
        &mut self,
        receiver: &mut dyn ReceivingHalf,
        sink: &mut impl Sink,
        memory: &mut [u8],
        read: usize,
    ) -> Result<Progress, Error> {
        let kept = self.unread();
        let all = kept.saturating_add(read);
        if all < self.wanted {
            // Not a record yet: a transport that trickles does not make us copy its beginning again and again.
            self.rest.extend_from_slice(memory.get(kept..all).unwrap_or_default());
            self.places.unread.end = self.rest.len();
            return Ok(Progress::Hungry);
        }
        if let (Some(front), Some(rest)) = (memory.get_mut(..kept), self.rest.get(self.places.unread.clone()))
        {
            front.copy_from_slice(rest);
        }
        let mut places = Places { plain: 0..0, unread: 0..all };
        let result = self.open_records(memory, &mut places, receiver, sink);
        self.keep(memory, places);
        result
    }

    /// Keeps what is left, in memory of the connection.
    fn keep(&mut self, memory: &[u8], places: Places) {
        let plain = memory.get(places.plain).unwrap_or_default();
        let unread = memory.get(places.unread).unwrap_or_default();
        let length = plain.len() + unread.len();
        if length == 0 || self.rest.capacity() > length.saturating_add(self.record) {
            self.rest = Vec::with_capacity(length);
        }
        self.rest.clear();
        self.rest.extend_from_slice(plain);
        self.rest.extend_from_slice(unread);
        self.places = Places { plain: 0..plain.len(), unread: plain.len()..length };
    }

    fn open_records(
        &mut self,
        memory: &mut [u8],
        places: &mut Places,
        receiver: &mut dyn ReceivingHalf,
        sink: &mut impl Sink,
    ) -> Result<Progress, Error> {
        loop {
            if let Some(plain) = memory.get(places.plain.clone()) {
                places.plain.start += sink.put(plain);
            }
            if sink.room() == 0 {
                return Ok(Progress::Full);
            }
            if self.end.is_some() {
                return Ok(Progress::Ended);
            }
            if places.unread.len() < self.wanted {
                return Ok(Progress::Hungry);
            }
            match self.open_record(memory, places, receiver) {
                Ok(Decrypted::Message) => self.wanted = 1,
                Ok(Decrypted::NoRenegotiation) => {
                    self.wanted = 1;
                    return Ok(Progress::Declined);
                }
                Ok(Decrypted::Incomplete { missing }) => {
                    let wanted = places.unread.len().saturating_add(missing.unwrap_or(1).max(1));
                    if wanted <= LONGEST_RECORD {
                        self.wanted = wanted;
                        return Ok(Progress::Hungry);
                    }
                    *places = Places::default();
                    return Err(self.failed(too_long(wanted)));
                }
                Ok(Decrypted::Expired) => {
                    *places = Places::default();
                    self.end = Some(Box::new(End::Closed));
                    return Ok(Progress::Ended);
                }
                Ok(Decrypted::Renegotiate) => return Ok(Progress::Renegotiate),
                Err(error) => {
                    *places = Places::default();
                    return Err(self.failed(error));
                }
            }
        }
    }

    /// Ends with this error, and hands it out.
    pub(crate) fn failed(&mut self, error: Error) -> Error {
        self.fail(error.clone());
        error
    }

    /// Opens one record: its data is the plaintext, what follows it is unread.
    fn open_record(
        &mut self,
        memory: &mut [u8],
        places: &mut Places,
        receiver: &mut dyn ReceivingHalf,
    ) -> Result<Decrypted, Error> {
        let before = places.unread.clone();
        let (decrypted, plain, next) = match self.framing {
            Framing::Stream | Framing::Detected => open_stream_record(memory, &before, receiver)?,
            Framing::Nns => open_frame(memory, &before, receiver)?,
        };
        if matches!(decrypted, Decrypted::Incomplete { .. }) {
            return Ok(decrypted);
        }
        let progress = next > before.start || decrypted != Decrypted::Message;
        if next > before.end || next < before.start || plain.end > before.end || !progress {
            return Err(internal("the package says that the message lies where it cannot be"));
        }
        let is_asking = next == before.start && decrypted == Decrypted::Renegotiate;
        if is_asking && self.is_asking {
            return Err(internal("the package was refused another handshake, and does not go on without"));
        }
        self.is_asking = is_asking;
        places.plain = plain;
        places.unread.start = next;
        Ok(decrypted)
    }
}

type Opened = (Decrypted, Range<usize>, usize);

fn open_stream_record(
    memory: &mut [u8],
    unread: &Range<usize>,
    receiver: &mut dyn ReceivingHalf,
) -> Result<Opened, Error> {
    let data = SecBuffer::new(SecBufferType::DATA, unread.clone());
    let mut buffers = [data, SecBuffer::EMPTY, SecBuffer::EMPTY, SecBuffer::EMPTY];
    let decrypted = receiver.decrypt_message(memory, &mut buffers)?;
    let plain = match decrypted {
        Decrypted::Message => SecBuffer::find(&buffers, SecBufferType::DATA).unwrap_or_default(),
        _ => 0..0,
    };
    let next = SecBuffer::find(&buffers, SecBufferType::EXTRA).map_or(unread.end, |extra| extra.start);
    Ok((decrypted, plain, next))
}

fn open_frame(
    memory: &mut [u8],
    unread: &Range<usize>,
    receiver: &mut dyn ReceivingHalf,
) -> Result<Opened, Error> {
    let bytes = memory.get(unread.clone()).unwrap_or_default();
    let incomplete = |needed: usize| {
        let missing = Some(needed.saturating_sub(unread.len()));
        Ok((Decrypted::Incomplete { missing }, 0..0, unread.start))
    };
    let Some(size) = nns::data_size(bytes)? else { return incomplete(DATA_HEADER) };
    if bytes.len() < DATA_HEADER + size {
        return incomplete(DATA_HEADER + size);
    }
    let payload = unread.start + DATA_HEADER;
    let next = payload + size;
    let mut buffers = [
        SecBuffer::new(SecBufferType::STREAM, payload..next),
        SecBuffer::new(SecBufferType::DATA, payload..payload),
    ];
    match receiver.decrypt_message(memory, &mut buffers)? {
        Decrypted::Message => Ok((Decrypted::Message, SecBuffer::find(&buffers, SecBufferType::DATA)?, next)),
        Decrypted::Expired => Ok((Decrypted::Expired, 0..0, next)),
        Decrypted::Incomplete { .. } => Err(nns::misbehaved("a frame holds part of a message only")),
        // MS-NNS has no handshake after the first.
        Decrypted::Renegotiate | Decrypted::NoRenegotiation => Err(Error::new(
            SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Fault::PeerMisbehaved,
            "the peer wants to negotiate again, and NegotiateStream has no frames for that",
        )),
    }
}

fn too_long(wanted: usize) -> Error {
    Error::new(
        SecStatus::SEC_E_ILLEGAL_MESSAGE,
        Fault::PeerMisbehaved,
        format!("the peer's record has at least {wanted} bytes; {LONGEST_RECORD} are accepted"),
    )
}

#[cfg(test)]
mod tests {
    use sspi_core::QualityOfProtection;
    use tokio::io::ReadBuf;

    use super::*;

    /// Records of one byte of length and that much data.
    struct Lengths;

    impl ReceivingHalf for Lengths {
        fn decrypt_message(
            &mut self,
            memory: &mut [u8],
            buffers: &mut [SecBuffer],
        ) -> Result<Decrypted, Error> {
            let all = buffers[0].range();
            let data = all.start + 1..all.start + 1 + usize::from(memory[all.start]);
            if data.end > all.end {
                return Ok(Decrypted::Incomplete { missing: Some(data.end - all.end) });
            }
            buffers[1] = SecBuffer::new(SecBufferType::DATA, data.clone());
            buffers[0] = SecBuffer::EMPTY;
            if data.end < all.end {
                buffers[2] = SecBuffer::new(SecBufferType::EXTRA, data.end..all.end);
            }
            Ok(Decrypted::Message)
        }

        fn verify_signature(
            &mut self,
            _memory: &[u8],
            _buffers: &[SecBuffer],
        ) -> Result<QualityOfProtection, Error> {
            Err(Error::unsupported("Lengths", "VerifySignature"))
        }
    }

    fn inbound(unread: &[u8]) -> Inbound {
        let sizes = RecordSizes { header: 1, trailer: 0, message: 255, marks_its_end: true };
        Inbound::new(Framing::Stream, &sizes, unread.to_vec())
    }

    #[test]
    fn an_end_of_the_transport_is_clean_where_the_protocol_has_no_word_for_it_and_no_record_is_cut() {
        for (unread, marks_its_end, clean) in
            [(&b""[..], true, false), (b"", false, true), (b"\x05ab", false, false)]
        {
            let sizes = RecordSizes { header: 1, trailer: 0, message: 255, marks_its_end };
            let mut inbound = Inbound::new(Framing::Stream, &sizes, unread.to_vec());
            inbound.transport_ended();
            assert_eq!(inbound.end().unwrap().is_ok(), clean, "{unread:?} {marks_its_end}");
        }
    }

    /// What the transport gives, into a caller's buffer of so many bytes.
    fn absorb(inbound: &mut Inbound, bytes: &[u8], room: usize) -> (Progress, Vec<u8>) {
        let kept = inbound.unread();
        let mut memory = vec![0; kept + bytes.len()];
        memory[kept..].copy_from_slice(bytes);
        let mut buffer = vec![0; room];
        let mut buffer = ReadBuf::new(&mut buffer);
        let progress = inbound.absorb(&mut Lengths, &mut buffer, &mut memory, bytes.len()).unwrap();
        (progress, buffer.filled().to_vec())
    }

    fn work(inbound: &mut Inbound, room: usize) -> (Progress, Vec<u8>) {
        let mut buffer = vec![0; room];
        let mut buffer = ReadBuf::new(&mut buffer);
        let progress = inbound.work(&mut Lengths, &mut buffer).unwrap();
        (progress, buffer.filled().to_vec())
    }

    #[test]
    fn whole_records_leave_no_memory_behind() {
        let mut inbound = inbound(&[]);
        assert_eq!(absorb(&mut inbound, b"\x02ab\x01c", 100), (Progress::Hungry, b"abc".to_vec()));
        assert_eq!(inbound.rest.capacity(), 0);
        assert!(!inbound.is_ready());
    }

    #[test]
    fn a_part_of_a_record_is_kept_until_it_is_whole() {
        let mut inbound = inbound(&[]);
        assert_eq!(absorb(&mut inbound, b"\x02ab\x05", 100).1, b"ab");
        assert_eq!(inbound.rest, b"\x05");
        assert_eq!(absorb(&mut inbound, b"hel", 100), (Progress::Hungry, Vec::new()));
        assert_eq!(absorb(&mut inbound, b"l", 100), (Progress::Hungry, Vec::new()));
        assert_eq!(inbound.rest, b"\x05hell");
        assert_eq!(absorb(&mut inbound, b"o\x03x", 100).1, b"hello");
        assert_eq!(inbound.rest, b"\x03x");
        assert_eq!(absorb(&mut inbound, b"yz", 100).1, b"xyz");
        assert_eq!(inbound.rest.capacity(), 0);
    }

    #[test]
    fn plaintext_that_does_not_fit_is_delivered_later_and_then_forgotten() {
        let mut inbound = inbound(b"\x04abcd\x02ef\x09g");
        assert_eq!(work(&mut inbound, 3), (Progress::Full, b"abc".to_vec()));
        assert_eq!(work(&mut inbound, 2), (Progress::Full, b"de".to_vec()));
        assert_eq!(work(&mut inbound, 2), (Progress::Hungry, b"f".to_vec()));
        assert_eq!(inbound.rest, b"\x09g");
        assert!(inbound.rest.capacity() < 8);
        assert_eq!(absorb(&mut inbound, b"hijklmno", 9).1, b"ghijklmno");
        assert_eq!(inbound.rest.capacity(), 0);
    }

    #[test]
    fn no_more_is_read_than_the_caller_has_room_for() {
        let sizes = RecordSizes { header: 5, trailer: 17, message: 16_384, marks_its_end: true };
        let inbound = Inbound::new(Framing::Stream, &sizes, Vec::new());
        assert_eq!(inbound.read_size(1), 16_406);
        assert_eq!(inbound.read_size(16_384), 16_406);
        assert_eq!(inbound.read_size(1 << 20), 4 * 16_406);
    }

    #[test]
    fn a_record_that_never_ends_is_refused() {
        struct Endless;
        impl ReceivingHalf for Endless {
            fn decrypt_message(
                &mut self,
                _memory: &mut [u8],
                _buffers: &mut [SecBuffer],
            ) -> Result<Decrypted, Error> {
                Ok(Decrypted::Incomplete { missing: Some(LONGEST_RECORD) })
            }
            fn verify_signature(
                &mut self,
                _memory: &[u8],
                _buffers: &[SecBuffer],
            ) -> Result<QualityOfProtection, Error> {
                Err(Error::unsupported("Endless", "VerifySignature"))
            }
        }
        let mut inbound = inbound(b"x");
        let mut buffer = [0; 8];
        let error = inbound.work(&mut Endless, &mut ReadBuf::new(&mut buffer)).unwrap_err();
        assert_eq!(error.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
        assert!(inbound.end().unwrap().is_err());
        assert_eq!(inbound.rest.capacity(), 0);
    }
}
