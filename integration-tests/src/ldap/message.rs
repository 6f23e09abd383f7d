//! Messages of LDAP, as much as is said here.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0A;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const UNBIND_REQUEST: u8 = 0x42;
pub(super) const BIND_REQUEST: u8 = 0x60;
pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const SEARCH_REQUEST: u8 = 0x63;
pub(super) const SEARCH_ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const EXTENDED_REQUEST: u8 = 0x77;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
pub(super) const REQUEST_NAME: u8 = 0x80;
pub(super) const SERVER_CREDENTIALS: u8 = 0x87;
pub(super) const RESPONSE_VALUE: u8 = 0x8B;
/// In a bind, a mechanism of SASL; in a filter, an attribute that is equal to a value.
pub(super) const SASL: u8 = 0xA3;
pub(super) const EQUALITY: u8 = 0xA3;

/// `success`.
pub(super) const SUCCESS: u8 = 0;
/// `saslBindInProgress`.
pub(super) const IN_PROGRESS: u8 = 14;
/// `invalidCredentials`.
pub(super) const INVALID_CREDENTIALS: u8 = 49;

/// The object identifier of the question "Who am I?".
pub(super) const WHO_AM_I: &[u8] = b"1.3.6.1.4.1.4203.1.11.3";

/// An element of this tag with this content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}

/// The first element's tag and content, and what follows.
pub(super) fn read(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, short], rest) = input.split_first_chunk::<2>()?;
    let (length, rest) = match usize::from(short) {
        length @ ..0x80 => (length, rest),
        count => {
            let (bytes, rest) = rest.split_at_checked(count - 0x80)?;
            (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Each element's tag and content.
pub(super) fn elements(mut input: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = read(input)?;
        input = rest;
        Some((tag, content))
    })
}

/// A message: its number, and the tag and content of what it says.
pub(super) struct Message {
    pub(super) number: Vec<u8>,
    pub(super) tag: u8,
    pub(super) content: Vec<u8>,
}

impl Message {
    /// The first message, if it is all there, or nothing if it is none; and how long it is.
    pub(super) fn read(input: &[u8]) -> Option<(Option<Self>, usize)> {
        let (_, content, rest) = read(input)?;
        let message = read(content).and_then(|(_, number, operation)| {
            let (tag, content, _) = read(operation)?;
            Some(Self { number: number.to_vec(), tag, content: content.to_vec() })
        });
        Some((message, input.len() - rest.len()))
    }

    /// A message of this number that says this.
    pub(super) fn write(number: &[u8], operation: &[u8]) -> Vec<u8> {
        element(SEQUENCE, &[&element(INTEGER, number), operation].concat())
    }
}

/// The beginning of every answer.
pub(super) fn result(code: u8) -> Vec<u8> {
    [element(ENUMERATED, &[code]), element(OCTET_STRING, b""), element(OCTET_STRING, b"")].concat()
}
