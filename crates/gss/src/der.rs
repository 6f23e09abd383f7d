//! Elements of DER: a tag, a length and so many bytes, read from the front and written with the shortest length.
//!
//! Spec: X690 sections 8.1 and 10.1.

use crate::{DecodeError, DecodeErrorKind};

/// The tags that occur: universal types, and the context-specific and application ones that are constructed.
pub(crate) mod tag {
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(crate) const ENUMERATED: u8 = 0x0a;
    pub(crate) const GENERAL_STRING: u8 = 0x1b;
    pub(crate) const SEQUENCE: u8 = 0x30;
    /// `[APPLICATION 0]`: the frame of a mechanism's first token.
    pub(crate) const APPLICATION_0: u8 = 0x60;

    /// `[number]`, explicit.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The longest length field that is read, in bytes behind the first.
const LENGTH_OCTETS: usize = 4;

/// Bytes that are read element by element, and where the next of them lies in all that was read.
#[derive(Clone)]
pub(crate) struct Der<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// One element.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// What it holds.
    pub(crate) content: Der<'a>,
    /// All of it, tag and length included.
    pub(crate) whole: &'a [u8],
}

impl<'a> Der<'a> {
    /// Reads `bytes`, which begin at `offset` of all that there is.
    pub(crate) const fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// What was not read yet.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// What is wrong here.
    pub(crate) const fn error(&self, field: &'static str, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { field, offset: self.offset, kind }
    }

    /// A value that is not allowed, here.
    pub(crate) const fn illegal(&self, field: &'static str) -> DecodeError {
        self.error(field, DecodeErrorKind::Illegal)
    }

    fn take(&mut self, field: &'static str, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            let needed = length.saturating_sub(self.bytes.len());
            return Err(self.error(field, DecodeErrorKind::Truncated { needed }));
        };
        self.bytes = rest;
        self.offset = self.offset.saturating_add(length);
        Ok(taken)
    }

    fn octet(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        match self.take(field, 1)? {
            [octet] => Ok(*octet),
            _ => Err(self.illegal(field)),
        }
    }

    /// The length that comes next. One that is longer than it has to be is taken; the indefinite one is not.
    fn length(&mut self, field: &'static str) -> Result<usize, DecodeError> {
        let wrong = self.illegal(field);
        let first = self.octet(field)?;
        if first & 0x80 == 0 {
            return Ok(usize::from(first));
        }
        let count = usize::from(first & 0x7f);
        if !(1..=LENGTH_OCTETS).contains(&count) {
            return Err(wrong);
        }
        let octets = self.take(field, count)?;
        Ok(octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet)))
    }

    /// Reads the next element, whatever it is.
    pub(crate) fn any(&mut self, field: &'static str) -> Result<Element<'a>, DecodeError> {
        let bytes = self.bytes;
        let (header, length) = match bytes {
            [_, length @ ..=0x7f, ..] => (2, usize::from(*length)),
            [_, 0x81, length, ..] => (3, usize::from(*length)),
            [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
            _ => return self.any_other(field),
        };
        match (bytes.first(), bytes.split_at_checked(header + length)) {
            (Some(&tag), Some((whole, rest))) if tag & 0x1f != 0x1f => {
                let content = whole.get(header..).unwrap_or_default();
                let content = Self { bytes: content, offset: self.offset + header };
                *self = Self { bytes: rest, offset: self.offset + whole.len() };
                Ok(Element { tag, content, whole })
            }
            _ => self.any_other(field),
        }
    }

    /// An element whose length is longer than any that should come, and what is none.
    #[cold]
    fn any_other(&mut self, field: &'static str) -> Result<Element<'a>, DecodeError> {
        let start = self.clone();
        let tag = self.octet(field)?;
        // A number of 31 and more takes several bytes: there is none here.
        if tag & 0x1f == 0x1f {
            return Err(start.illegal(field));
        }
        let length = self.length(field)?;
        let content = Self { bytes: &[], offset: self.offset };
        let bytes = self.take(field, length)?;
        let whole = start.bytes.get(..start.bytes.len() - self.bytes.len()).unwrap_or_default();
        Ok(Element { tag, content: Self { bytes, ..content }, whole })
    }

    /// Reads the next element, which has this tag.
    pub(crate) fn element(&mut self, field: &'static str, tag: u8) -> Result<Element<'a>, DecodeError> {
        if self.peek().is_some_and(|found| found != tag) {
            return Err(self.illegal(field));
        }
        self.any(field)
    }

    /// Reads the one element that there is, which has this tag.
    pub(crate) fn only(mut self, field: &'static str, tag: u8) -> Result<Der<'a>, DecodeError> {
        let element = self.element(field, tag)?;
        self.finish(field)?;
        Ok(element.content)
    }

    /// Ends the reading.
    pub(crate) fn finish(self, field: &'static str) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            count => Err(self.error(field, DecodeErrorKind::Trailing { count })),
        }
    }
}

/// The content of the element with this tag that `bytes` begin with, and what is behind it; `None` where there is none, or its
/// length is longer than any that should come. What is none is for [`Der`], which says what is wrong with it.
#[inline]
pub(crate) fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, length, behind) = match bytes {
        [found, length @ ..=0x7f, behind @ ..] => (found, usize::from(*length), behind),
        [found, 0x81, length, behind @ ..] => (found, usize::from(*length), behind),
        [found, 0x82, high, low, behind @ ..] => {
            (found, usize::from(u16::from_be_bytes([*high, *low])), behind)
        }
        _ => return None,
    };
    if *found == tag { behind.split_at_checked(length) } else { None }
}

/// The content of the element with this tag that `bytes` are.
#[inline]
pub(crate) fn take_all(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    take(bytes, tag).and_then(|(content, behind)| behind.is_empty().then_some(content))
}

/// How many bytes an element has whose content has `length`.
#[inline]
pub(crate) const fn size(length: usize) -> usize {
    1 + length_octets(length) + length
}

/// How many bytes a length is written in.
#[inline]
const fn length_octets(length: usize) -> usize {
    match length {
        0..0x80 => 1,
        0x80..0x100 => 2,
        0x100..0x1_0000 => 3,
        _ => 1 + (length.ilog2() as usize) / 8 + 1,
    }
}

/// Writes tag and length of an element; its content, of `length` bytes, is written next.
#[inline]
pub(crate) fn begin(out: &mut Vec<u8>, tag: u8, length: usize) {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..0x80 => out.extend_from_slice(&[tag, low]),
        0x80..0x100 => out.extend_from_slice(&[tag, 0x81, low]),
        0x100..0x1_0000 => out.extend_from_slice(&[tag, 0x82, high, low]),
        _ => begin_long(out, tag, length),
    }
}

#[cold]
fn begin_long(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    // A length has at most eight bytes.
    let count = length_octets(length) - 1;
    out.push(0x80 | u8::try_from(count).unwrap_or_default());
    let octets = length.to_be_bytes();
    out.extend_from_slice(octets.get(octets.len() - count..).unwrap_or_default());
}

/// Writes an element whose content is written by `content`, which is short: its length is known only then.
pub(crate) fn put(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    content(&mut inner);
    put_bytes(out, tag, &inner);
}

/// Writes an element that holds these bytes.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    begin(out, tag, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<(usize, usize), DecodeError> {
        let mut der = Der::new(bytes, 0);
        let element = der.element("x", tag::OCTET_STRING)?;
        der.finish("x")?;
        Ok((element.content.bytes().len(), element.content.offset))
    }

    #[test]
    fn lengths_are_written_as_short_as_they_can_be_and_read_again() {
        for (length, front) in [
            (0, vec![4, 0]),
            (127, vec![4, 0x7f]),
            (128, vec![4, 0x81, 0x80]),
            (255, vec![4, 0x81, 0xff]),
            (256, vec![4, 0x82, 1, 0]),
            (65_536, vec![4, 0x83, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            put_bytes(&mut out, tag::OCTET_STRING, &vec![7; length]);
            assert_eq!(out[..front.len()], front);
            assert_eq!(read(&out).unwrap(), (length, front.len()));
        }
    }

    #[test]
    fn lengths_that_are_longer_than_they_have_to_be_are_read() {
        for bytes in [&[4, 0x81, 1, 9][..], &[4, 0x82, 0, 1, 9], &[4, 0x84, 0, 0, 0, 1, 9]] {
            assert_eq!(read(bytes).unwrap().0, 1, "{bytes:x?}");
        }
    }

    #[test]
    fn indefinite_and_endless_lengths_and_long_tags_are_refused() {
        for (bytes, offset) in [
            (&[4, 0x80, 9, 0, 0][..], 1),
            (&[4, 0x85, 0, 0, 0, 0, 1, 9], 1),
            (&[4, 0xff, 9], 1),
            (&[0x1f, 1, 9], 0),
            (&[0x24, 1, 9], 0),
        ] {
            assert_eq!(
                read(bytes),
                Err(DecodeError { field: "x", offset, kind: DecodeErrorKind::Illegal }),
                "{bytes:x?}"
            );
        }
        let lacking = read(&[4, 0x84, 0xff, 0xff, 0xff, 0xff, 9]).unwrap_err();
        assert_eq!((lacking.offset, lacking.kind), (6, DecodeErrorKind::Truncated { needed: 0xffff_fffe }));
    }
}
