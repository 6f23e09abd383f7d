//! A ClientHello of SSL 3.0 or TLS in the format of SSL 2.0.
//!
//! ```text
//! CIPHER-SPECS    of three bytes: 00 and a suite, or a kind of SSL 2.0
//! SESSION-ID      0 or 16 bytes: what SSL 2.0 takes up again
//! CHALLENGE       the random, zeros in front of it where it is shorter than 32
//! ```
//!
//! Of a challenge of more than 32 bytes the random is the beginning. The document has it that "only the last 32 bytes are used";
//! but OpenSSL, and all that comes from it, has always taken the first, and no client that is known sends so many.
//!
//! The transcript of the later protocol has the message from its type on, as it was sent, without the header of the record.
//!
//! Spec: TLS10 appendix E.1; SSL30 appendix E.

use wire::Codec;

use super::messages::{ClientHello, Ssl2MessageType};
use crate::error::Error;
use crate::tls;
use crate::tls::extensions::Extensions;
use crate::tls::versions::ProtocolVersion;

/// The same hello as the later protocol would have it. Its session is not for it: a client with one has a hello of its own.
pub(crate) fn as_tls<'a>(hello: &ClientHello<'a>) -> tls::messages::ClientHello<'a> {
    let mut random = [0; 32];
    let challenge = hello.challenge.get(..random.len()).unwrap_or(&hello.challenge);
    random.iter_mut().rev().zip(challenge.iter().rev()).for_each(|(to, from)| *to = *from);
    tls::messages::ClientHello {
        version: ProtocolVersion(hello.version),
        random,
        session_id: [].as_slice().into(),
        suites: hello.kinds.iter().filter_map(|kind| kind.suite()).collect(),
        compression_methods: vec![0].into(),
        extensions: Extensions::default(),
    }
}

/// A hello in this format that several protocols share: the message from its type on, and the record that it is in.
///
/// Old servers read as far as the kinds that they know, so the suites come first.
pub(crate) fn write(hello: &ClientHello<'_>) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let mut message = vec![Ssl2MessageType::CLIENT_HELLO.0];
    message.extend(hello.to_bytes()?);
    let mut record = Vec::new();
    super::record::Sealing::clear().append(&message, &mut record)?;
    Ok((message, record))
}
