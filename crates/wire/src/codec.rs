//! Messages that can be read and written.

use crate::{DecodeError, EncodeError, Reader, Writer};

/// A message, or a part of one, that has a wire format.
///
/// The lifetime is that of the bytes read: a message may borrow from them. One that owns its content implements
/// `Codec<'_>`.
///
/// `decode` reads the fields in the order of the specification, names each in its error, and leaves what follows
/// in the reader; whoever holds the whole message then calls [`Reader::finish`], as [`Codec::from_bytes`] does.
pub trait Codec<'a>: Sized {
    /// Appends the message to `writer`.
    ///
    /// # Errors
    ///
    /// A field is longer than its length prefix can say.
    fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError>;

    /// Reads the message from the front of `reader`.
    ///
    /// # Errors
    ///
    /// The bytes end too early, or a field has a value that is not allowed.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// The message as bytes.
    ///
    /// # Errors
    ///
    /// As [`Codec::encode`].
    fn to_bytes(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::new();
        self.encode(&mut writer)?;
        Ok(writer.into_vec())
    }

    /// The message that `bytes` are, all of them. `context` names the message in the error for trailing bytes.
    ///
    /// # Errors
    ///
    /// As [`Codec::decode`], or bytes follow after the message.
    fn from_bytes(bytes: &'a [u8], context: &'static str) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message = Self::decode(&mut reader)?;
        reader.finish(context)?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::{DecodeErrorKind, U24};

    /// Has every kind of field once.
    #[derive(Clone, Debug, PartialEq)]
    struct Sample<'a> {
        byte: u8,
        short: u16,
        medium: U24,
        word: u32,
        long: u64,
        short_le: u16,
        word_le: u32,
        long_le: u64,
        fixed: [u8; 3],
        text: &'a [u8],
        certificate: &'a [u8],
        suites: Vec<u16>,
    }

    impl<'a> Codec<'a> for Sample<'a> {
        fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
            writer.u8(self.byte);
            writer.u16(self.short);
            writer.u24(self.medium);
            writer.u32(self.word);
            writer.u64(self.long);
            writer.u16_le(self.short_le);
            writer.u32_le(self.word_le);
            writer.u64_le(self.long_le);
            writer.bytes(&self.fixed);
            writer.opaque_u8("Sample.text", self.text)?;
            writer.opaque_u24("Sample.certificate", self.certificate)?;
            writer.vec_u16("Sample.suites", |writer| {
                self.suites.iter().for_each(|suite| writer.u16(*suite));
                Ok(())
            })
        }

        fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
            Ok(Self {
                byte: reader.u8("Sample.byte")?,
                short: reader.u16("Sample.short")?,
                medium: reader.u24("Sample.medium")?,
                word: reader.u32("Sample.word")?,
                long: reader.u64("Sample.long")?,
                short_le: reader.u16_le("Sample.short_le")?,
                word_le: reader.u32_le("Sample.word_le")?,
                long_le: reader.u64_le("Sample.long_le")?,
                fixed: reader.array("Sample.fixed")?,
                text: reader.opaque_u8("Sample.text")?,
                certificate: reader.opaque_u24("Sample.certificate")?,
                suites: {
                    let mut list = reader.vec_u16("Sample.suites")?;
                    let mut suites = Vec::new();
                    while !list.is_empty() {
                        suites.push(list.u16("Sample.suites")?);
                    }
                    suites
                },
            })
        }
    }

    fn sample() -> Sample<'static> {
        Sample {
            byte: 0x01,
            short: 0x0203,
            medium: U24::from_be_bytes([4, 5, 6]),
            word: 0x0708_090a,
            long: 0x0b0c_0d0e_0f10_1112,
            short_le: 0x1413,
            word_le: 0x1817_1615,
            long_le: 0x201f_1e1d_1c1b_1a19,
            fixed: [0x21, 0x22, 0x23],
            text: b"hi",
            certificate: &[0x30],
            suites: vec![0x002f, 0x0035],
        }
    }

    #[test]
    fn each_field_lies_where_its_width_and_byte_order_put_it() {
        let mut expected: Vec<u8> = (0x01..=0x23).collect();
        expected.extend([2, b'h', b'i', 0, 0, 1, 0x30, 0, 4, 0x00, 0x2f, 0x00, 0x35]);
        assert_eq!(sample().to_bytes().unwrap(), expected);
    }

    #[test]
    fn every_proper_prefix_is_refused_naming_a_field() {
        let bytes = sample().to_bytes().unwrap();
        for length in 0..bytes.len() {
            let error = Sample::from_bytes(&bytes[..length], "Sample").unwrap_err();
            assert!(error.field.starts_with("Sample."), "at {length}: {error}");
            assert!(
                matches!(error.kind, DecodeErrorKind::Truncated { needed } if needed > 0 && length + needed <= bytes.len()),
                "at {length}: {error}"
            );
        }
    }

    #[test]
    fn one_byte_more_is_refused() {
        let mut bytes = sample().to_bytes().unwrap();
        bytes.push(0);
        let error = Sample::from_bytes(&bytes, "Sample").unwrap_err();
        assert_eq!(error, DecodeError { field: "Sample", kind: DecodeErrorKind::Trailing { count: 1 } });
    }

    #[test]
    fn decode_leaves_what_follows() {
        let mut bytes = sample().to_bytes().unwrap();
        bytes.extend(b"next");
        let mut reader = Reader::new(&bytes);
        assert_eq!(Sample::decode(&mut reader).unwrap(), sample());
        assert_eq!(reader.rest(), b"next");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            (byte, short, word, long) in any::<(u8, u16, u32, u64)>(),
            (short_le, word_le, long_le, fixed) in any::<(u16, u32, u64, [u8; 3])>(),
            medium in 0u32..=0xff_ffff,
            text in vec(any::<u8>(), 0..=255),
            certificate in vec(any::<u8>(), 0..600),
            suites in vec(any::<u16>(), 0..300),
        ) {
            let medium = U24::new(medium).unwrap();
            let message = Sample {
                byte, short, medium, word, long, short_le, word_le, long_le, fixed,
                text: &text, certificate: &certificate, suites,
            };
            let bytes = message.to_bytes().unwrap();
            prop_assert_eq!(Sample::from_bytes(&bytes, "Sample").unwrap(), message);
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(message) = Sample::from_bytes(&bytes, "Sample") {
                prop_assert_eq!(message.to_bytes().unwrap(), bytes);
            }
        }
    }
}
