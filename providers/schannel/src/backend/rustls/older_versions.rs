//! Older versions in a ClientHello of rustls's.
//!
//! A server that knows TLS 1.3 goes by the extension `supported_versions` alone. rustls names in it what it speaks itself,
//! so that such a server, when it is restricted to TLS 1.1 and older, would find nothing in common with a client whose
//! other engine has these. They are therefore added on the hello's way out, and in the same way wherever rustls hashes or
//! signs what it sent: the transcript is that of the bytes on the wire, as the peer has it.
//!
//! Spec: TLS13 section 4.2.1.

use std::borrow::Cow;
use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::observed;
use crate::backend::records::{HANDSHAKE, RECORD_HEADER};

const CLIENT_HELLO: u8 = 1;
const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];

/// `messages` as they are on the wire, for the handshake that runs on this thread.
pub(super) fn on_the_wire(messages: &[u8]) -> Cow<'_, [u8]> {
    let may_have_hello = messages.first().is_some_and(|kind| *kind != 0x20);
    let versions = observed::with(|o| o.older_versions.clone()).filter(|v| may_have_hello && !v.is_empty());
    versions.map_or(Cow::Borrowed(messages), |versions| in_messages(messages, &versions).into())
}

/// Adds `versions` to every ClientHello in whole records in clear.
pub(super) fn in_records(records: &[u8], versions: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(records.len() + 2 * versions.len());
    let mut rest = records;
    while let Some((header, after)) = rest.split_first_chunk::<RECORD_HEADER>() {
        let [content_type, major, minor, high, low] = *header;
        let Some((content, after)) = after.split_at_checked(usize::from(u16::from_be_bytes([high, low])))
        else {
            break;
        };
        rest = after;
        let changed = match content_type {
            HANDSHAKE => in_messages(content, versions),
            _ => content.to_vec(),
        };
        // A hello that fills a record to its end stays as it is.
        match u16::try_from(changed.len()) {
            Ok(len) if changed.len() <= crate::backend::records::MAX_PLAINTEXT => {
                let [high, low] = len.to_be_bytes();
                out.extend([content_type, major, minor, high, low]);
                out.extend(changed);
            }
            _ => out.extend(header.iter().chain(content)),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Adds `versions` to every ClientHello in `messages`, of which the last may be cut off.
fn in_messages(messages: &[u8], versions: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(messages.len() + 2 * versions.len());
    let mut rest = messages;
    while let Some((&[kind, a, b, c], body)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        let (body, after) = body.split_at_checked(length).unwrap_or((body, &[]));
        let hello = (kind == CLIENT_HELLO).then(|| in_hello(body, versions)).flatten();
        let added = hello.as_ref().map_or(0, |hello| hello.len().saturating_sub(body.len()));
        let length = u32::try_from(length.saturating_add(added)).unwrap_or(u32::MAX);
        let [_, a, b, c] = length.to_be_bytes();
        out.extend([kind, a, b, c]);
        out.extend_from_slice(hello.as_deref().unwrap_or(body));
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// The body of a ClientHello with `versions` behind those in its `supported_versions`.
fn in_hello(body: &[u8], versions: &[u16]) -> Option<Vec<u8>> {
    // Behind client_version and random: session_id, cipher_suites, compression_methods.
    let rest = body.get(34..)?;
    let rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    let rest = rest.get(2 + usize::from(length(rest)?)..)?;
    let mut rest = rest.get(1 + usize::from(*rest.first()?)..)?;
    let all_at = body.len().checked_sub(rest.len())?;
    rest = rest.get(2..)?;
    loop {
        let (kind, data) = rest.split_first_chunk::<2>()?;
        let (data_length, end) = (length(data)?, 2 + usize::from(length(data)?));
        if *kind == SUPPORTED_VERSIONS {
            let at = body.len().checked_sub(data.len())?;
            let list = data.get(3..end)?;
            let named = |version: &u16| list.chunks_exact(2).any(|own| own == version.to_be_bytes());
            let new: Vec<u16> = versions.iter().copied().filter(|version| !named(version)).collect();
            let added = u8::try_from(2 * new.len()).ok()?;
            let all = length(body.get(all_at..)?)?.checked_add(u16::from(added))?;
            let mut out = body.get(..all_at)?.to_vec();
            out.extend(all.to_be_bytes());
            out.extend_from_slice(body.get(all_at + 2..at)?);
            out.extend(data_length.checked_add(u16::from(added))?.to_be_bytes());
            out.push(data.get(2)?.checked_add(added)?);
            out.extend_from_slice(list);
            out.extend(new.iter().flat_map(|version| version.to_be_bytes()));
            out.extend_from_slice(data.get(end..)?);
            return Some(out);
        }
        rest = data.get(end..)?;
    }
}

/// The two bytes of a length.
fn length(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// A private key that signs the messages of TLS 1.2 as they are on the wire.
#[derive(Debug)]
pub(super) struct WireKey(pub(super) Arc<dyn SigningKey>);

impl SigningKey for WireKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(WireSigner(self.0.choose_scheme(offered)?)))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct WireSigner(Box<dyn Signer>);

impl Signer for WireSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign(&on_the_wire(message))
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello whose `supported_versions` names these, between two other extensions.
    fn hello(versions: &[u16]) -> Vec<u8> {
        let list: Vec<u8> = versions.iter().flat_map(|version| version.to_be_bytes()).collect();
        let n = u8::try_from(list.len()).unwrap();
        let extensions = [&[0, 23, 0, 0, 0, 43, 0, n + 1, n][..], &list, &[0, 41, 0, 3, 1, 2, 3]].concat();
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[2, 1, 1, 0, 4, 0x13, 1, 0xc0, 0x2f, 1, 0, 0],
            &[u8::try_from(extensions.len()).unwrap()],
            &extensions,
        ]
        .concat();
        [&[1, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat()
    }

    #[test]
    fn versions_stand_behind_those_that_are_there_and_once() {
        let (before, after) = (hello(&[0x304, 0x303]), hello(&[0x304, 0x303, 0x302, 0x300]));
        assert_eq!(in_messages(&before, &[0x303, 0x302, 0x300]), after);
        assert_eq!(in_messages(&after, &[0x302]), after);
        // In front of the binders: the header has the length of the whole.
        let (cut, expected) = (&before[..before.len() - 2], &after[..after.len() - 2]);
        assert_eq!(in_messages(cut, &[0x302, 0x300]), expected);
    }

    #[test]
    fn nothing_else_is_changed() {
        let other = [2, 0, 0, 3, 1, 0, 0];
        let both = [&other[..], &hello(&[0x304])].concat();
        assert_eq!(in_messages(&both, &[0x301]), [&other[..], &hello(&[0x304, 0x301])].concat());
        let whole = hello(&[0x304]);
        for cut in 0..whole.len() - 20 {
            let cut = &whole[..cut];
            assert_eq!(in_messages(cut, &[0x301]), cut, "without its versions it stays as it is");
        }
    }

    #[test]
    fn a_record_grows_with_its_hello() {
        let record =
            |content: &[u8]| [&[22, 3, 1, 0, u8::try_from(content.len()).unwrap()][..], content].concat();
        let change_cipher_spec = [20, 3, 3, 0, 1, 1];
        let before = [&change_cipher_spec[..], &record(&hello(&[0x304]))].concat();
        let after = [&change_cipher_spec[..], &record(&hello(&[0x304, 0x301]))].concat();
        assert_eq!(in_records(&before, &[0x301]), after);
    }
}
