//! `AV_PAIR`: what a server says of itself, and what a client adds when it answers.
//!
//! ```text
//! AvId    2   little-endian
//! AvLen   2   little-endian, bytes
//! Value       AvLen bytes
//! ```
//!
//! The last pair is `MsvAvEOL` of no length.
//!
//! Spec: MS-NLMP section 2.2.2.1.

use std::fmt;

use wire::{DecodeError, EncodeError, Reader, Writer};

use super::text::text;

/// `AvId`: what a pair is about. Numbers without a name survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AvId(pub u16);

macro_rules! ids {
    ($($name:ident = $value:literal, $wire:literal, $meaning:literal;)*) => {
        impl AvId {
            $(
                #[doc = concat!("`", $wire, "` (", stringify!($value), "): ", $meaning, ".")]
                pub const $name: Self = Self($value);
            )*

            /// The name in the specification, where the number has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($wire),)*
                    _ => None,
                }
            }
        }
    };
}

ids! {
    EOL = 0, "MsvAvEOL", "the end of the list";
    NB_COMPUTER_NAME = 1, "MsvAvNbComputerName", "the server's NetBIOS name";
    NB_DOMAIN_NAME = 2, "MsvAvNbDomainName", "the NetBIOS name of its domain";
    DNS_COMPUTER_NAME = 3, "MsvAvDnsComputerName", "its DNS name";
    DNS_DOMAIN_NAME = 4, "MsvAvDnsDomainName", "the DNS name of its domain";
    DNS_TREE_NAME = 5, "MsvAvDnsTreeName", "the DNS name of its forest";
    FLAGS = 6, "MsvAvFlags", "what the client says of its answer, 32 bits";
    TIMESTAMP = 7, "MsvAvTimestamp", "the server's time, a FILETIME";
    SINGLE_HOST = 8, "MsvAvSingleHost", "what the client's machine is known by to itself";
    TARGET_NAME = 9, "MsvAvTargetName", "the service principal name that the client wants to talk to";
    CHANNEL_BINDINGS = 10, "MsvAvChannelBindings", "the MD5 of the channel's bindings; zeros where the client has none";
}

impl AvId {
    /// Whether the value is a text in UTF-16.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(
            self,
            Self::NB_COMPUTER_NAME
                | Self::NB_DOMAIN_NAME
                | Self::DNS_COMPUTER_NAME
                | Self::DNS_DOMAIN_NAME
                | Self::DNS_TREE_NAME
                | Self::TARGET_NAME
        )
    }

    /// The length that a value must have, in bytes, where it is not free.
    const fn fixed_len(self) -> Option<usize> {
        match self {
            Self::FLAGS => Some(4),
            Self::TIMESTAMP => Some(8),
            Self::CHANNEL_BINDINGS => Some(16),
            _ => None,
        }
    }
}

impl fmt::Debug for AvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "AvId({})", self.0),
        }
    }
}

/// The bits of `MsvAvFlags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AvFlags(pub u32);

impl AvFlags {
    /// The account's authentication is constrained.
    pub const CONSTRAINED: Self = Self(1);
    /// The message has a MIC.
    pub const MIC: Self = Self(2);
    /// The target name comes from a source that is not trusted.
    pub const UNTRUSTED_TARGET_NAME: Self = Self(4);

    /// Whether every bit of `other` is set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvPair<'a> {
    /// What it is about.
    pub id: AvId,
    /// Its value, as on the wire.
    pub value: &'a [u8],
}

/// A list of pairs, in their order; that each is there once and that the list ends was seen when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvPairs<'a> {
    pairs: Vec<AvPair<'a>>,
}

/// The most pairs in a list: more than there are numbers with a name.
const MOST_PAIRS: usize = 32;

/// As many as Windows sends, and a client adds.
const USUAL_PAIRS: usize = 10;

impl<'a> AvPairs<'a> {
    /// Reads a list from the front of `reader`, with its end.
    ///
    /// # Errors
    /// It does not end, a pair is there twice, a value has not the length that it must have, or there are more than 32.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let illegal = || DecodeError::illegal("AV_PAIR.AvId");
        let mut pairs: Vec<AvPair<'a>> = Vec::with_capacity(USUAL_PAIRS);
        loop {
            let id = AvId(reader.u16_le("AV_PAIR.AvId")?);
            let length = usize::from(reader.u16_le("AV_PAIR.AvLen")?);
            let value = reader.take("AV_PAIR.Value", length)?;
            if id == AvId::EOL {
                return if value.is_empty() {
                    Ok(Self { pairs })
                } else {
                    Err(DecodeError::illegal("AV_PAIR.AvLen"))
                };
            }
            if id.fixed_len().is_some_and(|fixed| fixed != length) {
                return Err(DecodeError::illegal("AV_PAIR.AvLen"));
            }
            if pairs.len() == MOST_PAIRS || pairs.iter().any(|pair| pair.id == id) {
                return Err(illegal());
            }
            pairs.push(AvPair { id, value });
        }
    }

    /// Reads the list that `bytes` are. What follows its end is not looked at: there are servers that pad.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(bytes))
    }

    /// The pairs, without the end.
    pub fn iter(&self) -> impl Iterator<Item = AvPair<'a>> + '_ {
        self.pairs.iter().copied()
    }

    /// The value of a pair.
    #[must_use]
    pub fn get(&self, id: AvId) -> Option<&'a [u8]> {
        self.pairs.iter().find(|pair| pair.id == id).map(|pair| pair.value)
    }

    /// Puts a pair behind the others, in place of the one that is about the same.
    pub fn set(&mut self, id: AvId, value: &'a [u8]) {
        self.remove(id);
        self.pairs.push(AvPair { id, value });
    }

    /// Takes a pair out.
    pub fn remove(&mut self, id: AvId) {
        self.pairs.retain(|pair| pair.id != id);
    }

    /// `MsvAvTimestamp`: 100 nanoseconds since 1601.
    #[must_use]
    pub fn timestamp(&self) -> Option<u64> {
        self.get(AvId::TIMESTAMP)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// `MsvAvFlags`; none where they are not there.
    #[must_use]
    pub fn flags(&self) -> AvFlags {
        let value = self.get(AvId::FLAGS).and_then(|value| value.try_into().ok());
        AvFlags(value.map_or(0, u32::from_le_bytes))
    }

    /// A value that is a text, such as `MsvAvTargetName`.
    ///
    /// # Errors
    /// It is not UTF-16.
    pub fn text(&self, id: AvId) -> Result<Option<String>, DecodeError> {
        self.get(id).map(|value| text("AV_PAIR.Value", value, true)).transpose()
    }

    /// Writes the list, with its end.
    ///
    /// # Errors
    /// A value is longer than 65,535 bytes.
    pub fn encode(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        self.encode_without_end(writer)?;
        writer.u16_le(AvId::EOL.0);
        writer.u16_le(0);
        Ok(())
    }

    /// The same of a list that goes on.
    pub(crate) fn encode_without_end(&self, writer: &mut Writer) -> Result<(), EncodeError> {
        for AvPair { id, value } in &self.pairs {
            let length = u16::try_from(value.len()).map_err(|_| EncodeError {
                field: "AV_PAIR.Value",
                length: value.len(),
                max: usize::from(u16::MAX),
            })?;
            writer.u16_le(id.0);
            writer.u16_le(length);
            writer.bytes(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: [u8; 24] = [2, 0, 4, 0, b'D', 0, b'M', 0, 7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0];

    #[test]
    fn a_list_is_written_as_it_was_read() {
        let pairs = AvPairs::from_bytes(&LIST).unwrap();
        assert_eq!(pairs.text(AvId::NB_DOMAIN_NAME).unwrap().as_deref(), Some("DM"));
        assert_eq!(pairs.timestamp(), Some(0x0807_0605_0403_0201));
        assert_eq!(pairs.flags(), AvFlags(0));
        let mut writer = Writer::new();
        pairs.encode(&mut writer).unwrap();
        assert_eq!(writer.as_bytes(), LIST);
    }

    #[test]
    fn a_list_that_does_not_end_is_refused_wherever_it_is_cut() {
        for length in 0..LIST.len() {
            let error = AvPairs::from_bytes(&LIST[..length]).unwrap_err();
            assert!(error.field.starts_with("AV_PAIR."), "{length}: {error}");
        }
    }

    #[test]
    fn a_pair_that_is_there_twice_is_refused() {
        let twice = [&LIST[..8], &LIST[..8], &LIST[20..]].concat();
        assert_eq!(AvPairs::from_bytes(&twice).unwrap_err(), DecodeError::illegal("AV_PAIR.AvId"));
    }

    #[test]
    fn a_value_of_another_length_than_it_must_have_is_refused() {
        for wrong in
            [&[6, 0, 2, 0, 0, 0, 0, 0, 0, 0][..], &[7, 0, 0, 0, 0, 0, 0, 0], &[10, 0, 1, 0, 0, 0, 0, 0, 0]]
        {
            assert_eq!(AvPairs::from_bytes(wrong).unwrap_err(), DecodeError::illegal("AV_PAIR.AvLen"));
        }
        assert_eq!(AvPairs::from_bytes(&[0, 0, 1, 0, 9]).unwrap_err(), DecodeError::illegal("AV_PAIR.AvLen"));
    }

    #[test]
    fn more_pairs_than_there_can_be_are_refused() {
        let mut bytes: Vec<u8> =
            (1000_u16..1033).flat_map(|id| [id.to_le_bytes(), [0, 0]].concat()).collect();
        bytes.extend([0; 4]);
        assert!(AvPairs::from_bytes(&bytes).is_err());
        assert!(AvPairs::from_bytes(&bytes[4..]).is_ok());
    }

    #[test]
    fn a_pair_that_is_set_takes_the_place_of_its_like() {
        let mut pairs = AvPairs::from_bytes(&LIST).unwrap();
        pairs.set(AvId::NB_DOMAIN_NAME, b"X\0");
        assert_eq!(
            pairs.iter().map(|pair| pair.id).collect::<Vec<_>>(),
            [AvId::TIMESTAMP, AvId::NB_DOMAIN_NAME]
        );
        assert_eq!(format!("{:?}", AvId(99)), "AvId(99)");
    }
}
