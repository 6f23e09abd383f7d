//! As much DER as certificates need: one element after the other, never beyond the end of the input.
//!
//! A [`Reader`] walks over the elements of one level; what is nested is read with a reader of its own, so nothing
//! recurses and no input decides how deep the stack gets.
//!
//! What is not DER is read only where it is asked for ([`Encoding::Loose`]), and whoever asks must know what it lets in.
//!
//! Spec: X690 sections 8.1 and 10.1.

use std::fmt;

/// BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;
/// INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// NULL.
pub(super) const NULL: u8 = 0x05;
/// OBJECT IDENTIFIER.
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
/// ENUMERATED.
pub(super) const ENUMERATED: u8 = 0x0a;
/// UTCTime.
pub(super) const UTC_TIME: u8 = 0x17;
/// GeneralizedTime.
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// SEQUENCE and SEQUENCE OF.
pub(super) const SEQUENCE: u8 = 0x30;
/// SET and SET OF.
pub(super) const SET: u8 = 0x31;

/// The tag `[number]` around something constructed; `number` is below 31.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// The tag `[number]` in place of a primitive one; `number` is below 31.
pub(super) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// Bytes that are not the DER that they should be, with the field at which that was seen.
///
/// It holds names and tags only, never bytes of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field as the specification names it, such as `TBSCertificate.validity`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The input ends before the field does.
    Truncated,
    /// The length is indefinite, or not in its shortest form, or needs more than four bytes.
    Length,
    /// Another tag than the field has.
    Tag {
        /// The tag that the field has.
        expected: u8,
        /// The tag that stands there.
        found: u8,
    },
    /// Something follows where nothing may.
    Trailing,
    /// A value that the field cannot have.
    Value,
}

impl DecodeError {
    pub(super) const fn new(field: &'static str, problem: Problem) -> Self {
        Self { field, problem }
    }

    pub(super) const fn value(field: &'static str) -> Self {
        Self::new(field, Problem::Value)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.problem {
            Problem::Truncated => write!(f, "{field}: the bytes end too early"),
            Problem::Length => write!(f, "{field}: the length is not DER"),
            Problem::Tag { expected, found } => {
                write!(f, "{field}: tag {found:02x} in place of {expected:02x}")
            }
            Problem::Trailing => write!(f, "{field}: something follows its end"),
            Problem::Value => write!(f, "{field}: illegal value"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// Tag, length and content.
    pub(super) whole: &'a [u8],
}

/// How the encoding may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// DER.
    Der,
    /// As old certificates are, too: lengths that are longer than need be (at most four bytes, never indefinite), times
    /// without seconds or with an offset from UTC.
    Loose,
}

/// Reads the elements that follow each other in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    encoding: Encoding,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self::of(bytes, Encoding::Der)
    }

    pub(super) const fn of(bytes: &'a [u8], encoding: Encoding) -> Self {
        Self { rest: bytes, encoding }
    }

    pub(super) const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// A reader of the content of the only element of `bytes`, which is of this tag.
    pub(super) fn inside(bytes: &'a [u8], tag: u8, field: &'static str) -> Result<Self, DecodeError> {
        Self::inside_of(bytes, tag, field, Encoding::Der)
    }

    /// The same of bytes in this encoding.
    pub(super) fn inside_of(
        bytes: &'a [u8],
        tag: u8,
        field: &'static str,
        encoding: Encoding,
    ) -> Result<Self, DecodeError> {
        let mut outer = Self::of(bytes, encoding);
        let inner = outer.nested(tag, field)?;
        outer.finish(field)?;
        Ok(inner)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(super) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub(super) fn element(&mut self, field: &'static str) -> Result<Element<'a>, DecodeError> {
        let truncated = DecodeError::new(field, Problem::Truncated);
        let overlong = DecodeError::new(field, Problem::Length);
        let (tag, after_tag) = self.rest.split_first().ok_or(truncated)?;
        if tag & 0x1f == 0x1f {
            // A tag number of 31 or more, which takes several bytes: no certificate has one.
            return Err(DecodeError::value(field));
        }
        let (first, mut after_length) = after_tag.split_first().ok_or(truncated)?;
        let length = match *first {
            short @ ..0x80 => usize::from(short),
            long => {
                let digits;
                (digits, after_length) =
                    after_length.split_at_checked(usize::from(long & 0x7f)).ok_or(truncated)?;
                // No digits at all is the indefinite form.
                if digits.is_empty() || digits.len() > 4 {
                    return Err(overlong);
                }
                let length = digits.iter().fold(0_u32, |length, digit| length << 8 | u32::from(*digit));
                let is_shortest = length >= 0x80 && digits.first() != Some(&0);
                if self.encoding == Encoding::Der && !is_shortest {
                    return Err(overlong);
                }
                usize::try_from(length).map_err(|_| overlong)?
            }
        };
        let (content, rest) = after_length.split_at_checked(length).ok_or(truncated)?;
        let whole = self.rest.get(..self.rest.len() - rest.len()).ok_or(truncated)?;
        self.rest = rest;
        Ok(Element { tag: *tag, content, whole })
    }

    /// The next element, which has this tag.
    pub(super) fn expect(&mut self, tag: u8, field: &'static str) -> Result<Element<'a>, DecodeError> {
        match self.peek() {
            None => Err(DecodeError::new(field, Problem::Truncated)),
            Some(found) if found != tag => {
                Err(DecodeError::new(field, Problem::Tag { expected: tag, found }))
            }
            Some(_) => self.element(field),
        }
    }

    /// The content of the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8, field: &'static str) -> Result<Option<&'a [u8]>, DecodeError> {
        if self.peek() == Some(tag) { Ok(Some(self.element(field)?.content)) } else { Ok(None) }
    }

    /// A reader of the content of the next element, which has this tag.
    pub(super) fn nested(&mut self, tag: u8, field: &'static str) -> Result<Self, DecodeError> {
        let content = self.expect(tag, field)?.content;
        Ok(self.within(content))
    }

    /// A reader of what an element of this reader holds.
    pub(super) const fn within(&self, content: &'a [u8]) -> Self {
        Self::of(content, self.encoding)
    }

    /// The bytes of a BIT STRING that consists of whole bytes.
    pub(super) fn bit_string(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        match self.expect(BIT_STRING, field)?.content.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DecodeError::value(field)),
        }
    }

    /// Nothing follows.
    pub(super) fn finish(&self, field: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::new(field, Problem::Trailing)) }
    }
}

/// An object identifier in dotted decimal; `None` if the content is not one.
///
/// Spec: X690 section 8.19.
pub(super) fn dotted(content: &[u8]) -> Option<String> {
    if content.last()? & 0x80 != 0 {
        return None;
    }
    let mut out = String::new();
    let mut arc = 0_u64;
    for byte in content {
        if arc >> 57 != 0 || (arc == 0 && *byte == 0x80) {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        if out.is_empty() {
            // The first two arcs share a number: 40 times the first, which is at most 2, and the second.
            let first = (arc / 40).min(2);
            out = format!("{first}.{}", arc - 40 * first);
        } else {
            out.push_str(&format!(".{arc}"));
        }
        arc = 0;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Problem {
        Reader::new(bytes).element("x").unwrap_err().problem
    }

    #[test]
    fn elements_follow_each_other_and_keep_their_bytes() {
        let mut reader = Reader::new(&[0x02, 1, 5, 0x30, 0x00]);
        let integer = Element { tag: INTEGER, content: &[5], whole: &[2, 1, 5] };
        assert_eq!(reader.element("x").unwrap(), integer);
        assert!(reader.finish("x").is_err());
        assert!(reader.nested(SEQUENCE, "x").unwrap().is_empty());
        assert!(reader.finish("x").is_ok());
    }

    #[test]
    fn lengths_are_definite_shortest_and_within_the_input() {
        assert_eq!(problem(&[]), Problem::Truncated);
        assert_eq!(problem(&[4]), Problem::Truncated);
        assert_eq!(problem(&[4, 2, 0]), Problem::Truncated);
        assert_eq!(problem(&[4, 0x80, 0, 0]), Problem::Length, "indefinite");
        assert_eq!(problem(&[4, 0x81, 0x7f]), Problem::Length, "long form of a short length");
        assert_eq!(problem(&[4, 0x82, 0, 0x80]), Problem::Length, "leading zero");
        assert_eq!(problem(&[4, 0x85, 1, 0, 0, 0, 0]), Problem::Length, "five bytes");
        assert_eq!(problem(&[4, 0x84, 0xff, 0xff, 0xff, 0xff]), Problem::Truncated);
        assert_eq!(problem(&[4, 0x82, 1]), Problem::Truncated, "the length itself is cut off");
        assert_eq!(problem(&[0x1f, 0x20, 0]), Problem::Value, "a tag of several bytes");
        let mut long = vec![4, 0x81, 0x80];
        long.extend([7; 0x80]);
        assert_eq!(Reader::new(&long).element("x").unwrap().content, [7; 0x80]);
    }

    #[test]
    fn loose_lengths_may_be_longer_than_need_be_but_never_indefinite() {
        let loose = |bytes: &'static [u8]| Reader::of(bytes, Encoding::Loose).element("x");
        assert_eq!(loose(&[4, 0x81, 1, 7]).unwrap().content, [7]);
        assert_eq!(loose(&[4, 0x84, 0, 0, 0, 1, 7]).unwrap().whole, [4, 0x84, 0, 0, 0, 1, 7]);
        assert_eq!(loose(&[4, 0x80, 7, 0, 0]).unwrap_err().problem, Problem::Length);
        assert_eq!(loose(&[4, 0x85, 0, 0, 0, 0, 1, 7]).unwrap_err().problem, Problem::Length);
        assert_eq!(loose(&[4, 0x82, 0, 2, 7]).unwrap_err().problem, Problem::Truncated);
        let nested = Reader::of(&[0x30, 4, 4, 0x81, 1, 7], Encoding::Loose).nested(SEQUENCE, "x");
        assert_eq!(nested.unwrap().element("x").unwrap().content, [7], "what is inside is read as loosely");
    }

    #[test]
    fn errors_name_the_field_and_what_stands_there() {
        let error = Reader::new(&[4, 0]).expect(SEQUENCE, "Certificate").unwrap_err();
        assert_eq!(error.to_string(), "Certificate: tag 04 in place of 30");
        assert_eq!(Reader::new(&[3, 2, 1, 0]).bit_string("key").unwrap_err(), DecodeError::value("key"));
        let error = Reader::inside(&[0x30, 0, 0], SEQUENCE, "Certificate").unwrap_err();
        assert_eq!(error.to_string(), "Certificate: something follows its end");
    }

    #[test]
    fn object_identifiers_are_written_in_dotted_decimal() {
        let dotted = |bytes: &[u8]| dotted(bytes);
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]).unwrap(), "1.2.840.113549");
        assert_eq!(dotted(&[0x55, 4, 3]).unwrap(), "2.5.4.3");
        assert_eq!(dotted(&[0x88, 0x37, 3]).unwrap(), "2.999.3");
        assert_eq!(dotted(&[]), None);
        assert_eq!(dotted(&[0x55, 0x84]), None, "cut off");
        assert_eq!(dotted(&[0x55, 0x80, 1]), None, "not the shortest form");
        assert_eq!(dotted(&[[0x55].as_slice(), &[0xff; 9], &[0x7f]].concat()), None, "more than 64 bits");
    }
}
