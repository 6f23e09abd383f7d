//! A ClientHello of SSL 3.0 or TLS in the format of SSL 2.0, and what the first bytes of a client are.
//!
//! ```text
//! CIPHER-SPECS    of three bytes: 00 and a suite, or a kind of SSL 2.0
//! SESSION-ID      0 or 16 bytes: what SSL 2.0 takes up again
//! CHALLENGE       the random, zeros in front of it where it is shorter than 32
//! ```
//!
//! The transcript of the later protocol has the message from its type on, as it was sent, without the header of the record.
//!
//! Spec: TLS10 appendix E; SSL30 appendix E.

use wire::{Codec, DecodeError};

use super::cipher_kinds::CipherKind;
use super::messages::{ClientHello, Ssl2MessageType};
use super::record::Header;
use crate::config::Policy;
use crate::error::Error;
use crate::record::Need;
use crate::tls;
use crate::tls::cipher_suites::CipherSuite;
use crate::tls::extensions::Extensions;
use crate::tls::versions::ProtocolVersion;

/// What a client's first bytes are.
pub(crate) enum First {
    /// It cannot be said yet; so many bytes are missing at least.
    More(usize),
    /// No record of this format.
    Other,
    /// A whole record with a CLIENT-HELLO, which is so long.
    Hello(usize),
}

impl First {
    /// Looks at them. A record of TLS or an alert is never taken for one with a header of three bytes, whatever follows.
    pub(crate) fn of(input: &[u8]) -> Result<Self, Error> {
        let Some(&first) = input.first() else { return Ok(Self::More(2)) };
        let header_len = match first {
            0x80.. => 2,
            0x14..=0x18 | 0x40..=0x7f => return Ok(Self::Other),
            _ => 3,
        };
        match input.get(header_len) {
            None => return Ok(Self::More(header_len + 1 - input.len())),
            Some(&kind) if Ssl2MessageType(kind) != Ssl2MessageType::CLIENT_HELLO => return Ok(Self::Other),
            Some(_) => {}
        }
        Ok(match Header::record_len(input)? {
            Need::Whole(len) => Self::Hello(len),
            Need::More(missing) => Self::More(missing),
        })
    }
}

/// The message in a record with a CLIENT-HELLO, from its type on.
pub(crate) fn message(record: &[u8]) -> Result<&[u8], Error> {
    const PADDING: DecodeError = DecodeError::illegal("CLIENT-HELLO.padding");
    let header = Header::read(record)?.map_err(|_| PADDING)?;
    let message = record.get(header.len..).filter(|_| header.padding == 0);
    Ok(message.ok_or(PADDING)?)
}

/// What follows the type of a message.
pub(crate) fn body(message: &[u8]) -> &[u8] {
    message.get(1..).unwrap_or_default()
}

/// Whether a hello of this format is for SSL 3.0 or TLS: the newest that both have, before SSL 2.0.
pub(crate) fn is_for_tls(hello: &ClientHello<'_>, policy: &Policy) -> bool {
    let peer = ProtocolVersion(hello.version);
    if !policy.v2_hello || peer < ProtocolVersion::SSL30 {
        return false;
    }
    // Where SSL 2.0 is no choice, the later protocol's own words say best what is missing.
    if !policy.has(ProtocolVersion::SSL20) {
        return true;
    }
    let version = policy.highest_up_to(peer);
    let fits = |suite: CipherSuite| {
        let is_legal = |version| suite.row().is_some_and(|row| row.is_legal_in(version));
        policy.suites.contains(&suite) && version.is_some_and(is_legal)
    };
    hello.kinds.iter().filter_map(|kind| kind.suite()).any(fits)
}

/// The same hello as the later protocol would have it. Its session is not for it: a client with one has a hello of its own.
pub(crate) fn as_tls<'a>(hello: &ClientHello<'a>) -> tls::messages::ClientHello<'a> {
    let mut random = [0; 32];
    random.iter_mut().rev().zip(hello.challenge.iter().rev()).for_each(|(to, from)| *to = *from);
    tls::messages::ClientHello {
        version: ProtocolVersion(hello.version),
        random,
        session_id: [].as_slice().into(),
        suites: hello.kinds.iter().filter_map(|kind| kind.suite()).collect(),
        compression_methods: vec![0].into(),
        extensions: Extensions::default(),
    }
}

/// The hello of a later protocol in this format: the message from its type on, and the record that it is in.
///
/// `kinds` and `session_id` are what it offers of SSL 2.0 beside. Old servers read as far as the kinds that they know, so
/// the suites come first.
pub(crate) fn write(
    hello: &tls::messages::ClientHello<'_>,
    kinds: &[CipherKind],
    session_id: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let suites = hello.suites.iter().copied().map(CipherKind::of_suite);
    let hello = ClientHello {
        version: hello.version.0,
        kinds: suites.chain(kinds.iter().copied()).collect(),
        session_id: session_id.into(),
        challenge: hello.random.as_slice().into(),
    };
    let mut message = vec![Ssl2MessageType::CLIENT_HELLO.0];
    message.extend(hello.to_bytes()?);
    let mut record = Vec::new();
    super::record::Sealing::clear().append(&message, &mut record)?;
    Ok((message, record))
}
