//! The little DER that keys and signatures are written in: a reader that cannot be indexed, and a writer.
//!
//! Distinguished encoding only: lengths in their shortest form, integers positive and in their shortest form. Keys and
//! signatures that real software writes are so; what is not has one meaning less to argue about.
//!
//! Spec: X690 section 10.

/// The tags that occur.
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed: the parameters in an `ECPrivateKey`.
pub(crate) const CONTEXT_0: u8 = 0xA0;

/// It is not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotDer;

/// Reads elements one after the other.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    pub(crate) const fn finish(&self) -> Result<(), NotDer> {
        if self.is_empty() { Ok(()) } else { Err(NotDer) }
    }

    /// The tag of the next element, without reading it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The content of the next element, which has this tag.
    pub(crate) fn element(&mut self, tag: u8) -> Result<&'a [u8], NotDer> {
        let (&found, rest) = self.rest.split_first().ok_or(NotDer)?;
        let (&first, rest) = rest.split_first().ok_or(NotDer)?;
        if found != tag {
            return Err(NotDer);
        }
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F)).ok_or(NotDer)?;
                let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
                // The shortest form: no leading zero, and not what one byte less would say.
                if bytes.first() == Some(&0) || length < 0x80 {
                    return Err(NotDer);
                }
                (length, rest)
            }
            _ => return Err(NotDer),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(NotDer)?;
        self.rest = rest;
        Ok(content)
    }

    /// The inside of a SEQUENCE.
    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, NotDer> {
        self.element(SEQUENCE).map(Reader::new)
    }

    /// An INTEGER that is not negative, big-endian without leading zeros: no bytes for zero.
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(INTEGER)? {
            [0] => Ok(&[]),
            [0, second, ..] if *second < 0x80 => Err(NotDer),
            [0, magnitude @ ..] => Ok(magnitude),
            magnitude @ [0x01..=0x7F, ..] => Ok(magnitude),
            _ => Err(NotDer),
        }
    }

    /// An INTEGER of one byte: versions are.
    pub(crate) fn small(&mut self) -> Result<u8, NotDer> {
        match self.unsigned()? {
            [] => Ok(0),
            [value] => Ok(*value),
            _ => Err(NotDer),
        }
    }

    /// The whole bytes of a BIT STRING.
    pub(crate) fn bit_string(&mut self) -> Result<&'a [u8], NotDer> {
        match self.element(BIT_STRING)?.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(NotDer),
        }
    }
}

/// An element: tag, length in its shortest form, the parts as content. At most 16 MiB, which no key comes near.
pub(crate) fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let [.., third, second, first] = length.to_be_bytes();
    let mut out = Vec::with_capacity(length + 5);
    out.push(tag);
    match length {
        0..=0x7F => out.push(first),
        0x80..=0xFF => out.extend([0x81, first]),
        0x100..=0xFFFF => out.extend([0x82, second, first]),
        _ => out.extend([0x83, third, second, first]),
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

/// The INTEGER that these big-endian bytes stand for, unsigned.
pub(crate) fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let magnitude = without_leading_zeros(magnitude);
    match magnitude.first() {
        Some(0..=0x7F) => element(INTEGER, &[magnitude]),
        _ => element(INTEGER, &[&[0], magnitude]),
    }
}

/// Big-endian bytes from the first that is not zero on. The number is public, or its length may be known.
pub(crate) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back_as_written_at_every_form_of_length() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let content = vec![0xA5; length];
            let der = element(OCTET_STRING, &[&content]);
            let mut reader = Reader::new(&der);
            assert_eq!(reader.peek(), Some(OCTET_STRING));
            assert_eq!(reader.element(OCTET_STRING), Ok(&content[..]), "{length}");
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn every_cut_of_an_element_is_refused() {
        let der = element(SEQUENCE, &[&unsigned(&[0x80; 200])]);
        for end in 0..der.len() {
            assert!(Reader::new(&der[..end]).sequence().is_err(), "{end}");
        }
    }

    #[test]
    fn integers_are_read_and_written_in_their_shortest_form() {
        let forms: [(&[u8], &[u8]); 5] = [
            (&[], &[2, 1, 0]),
            (&[1], &[2, 1, 1]),
            (&[0x7F], &[2, 1, 0x7F]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[1, 0], &[2, 2, 1, 0]),
        ];
        for (magnitude, der) in forms {
            assert_eq!(unsigned(magnitude), der);
            assert_eq!(unsigned(&[&[0, 0], magnitude].concat()), der);
            assert_eq!(Reader::new(der).unsigned(), Ok(magnitude));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for not_der in [
            &[2, 0][..],               // an integer without content
            &[2, 1, 0x80],             // negative
            &[2, 2, 0, 0x7F],          // a zero too many
            &[2, 0x81, 1, 5],          // a length longer than need be
            &[2, 0x82, 0, 0x80, 5],    // the same
            &[2, 0x80, 5, 0, 0],       // indefinite
            &[2, 0x84, 0, 0, 0, 1, 5], // four bytes of length
        ] {
            assert_eq!(Reader::new(not_der).unsigned(), Err(NotDer), "{not_der:02x?}");
        }
        assert_eq!(Reader::new(&[3, 2, 1, 0xFE]).bit_string(), Err(NotDer));
        assert_eq!(Reader::new(&[3, 0]).bit_string(), Err(NotDer));
        assert_eq!(Reader::new(&[2, 2, 1, 0]).small(), Err(NotDer));
    }
}
