//! What passwords make of challenges, and keys of both.
//!
//! Names are those of the specification. Nothing here looks at policy.
//!
//! Spec: MS-NLMP section 3.3 (responses) and section 3.4.5 (keys).

use std::fmt;

use crypto::cipher::{Rc4, des_encrypt_block};
use crypto::hash::{Digest, Hash, md4};
use crypto::mac::{HmacKey, hmac};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::messages::{NegotiateFlags, push_utf16, utf16};

/// What a password is known by to NTLM, and as good as the password: its MD4 (`NTOWFv1`).
///
/// Wiped when it is dropped; not shown.
///
/// ```
/// use opensspi_ntlm::NtHash;
///
/// let hash = NtHash::of_password("Password");
/// assert_eq!(*hash.to_hex(), "a4f49c406510bdcab6824ee7c30fd852");
/// assert!(NtHash::from_hex("a4f49c406510bdcab6824ee7c30fd852").is_some_and(|read| read == hash));
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct NtHash([u8; 16]);

impl NtHash {
    /// The hash of a password. Spec: MS-NLMP section 3.3.1, NTOWFv1.
    #[must_use]
    pub fn of_password(password: &str) -> Self {
        let text = Zeroizing::new(utf16(password));
        Self(*array(md4(&text)))
    }

    /// From its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut hash = Self([0; 16]);
        for (byte, at) in hash.0.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
        }
        Some(hash)
    }

    /// As 32 hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> Zeroizing<String> {
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
        let mut digits = Zeroizing::new(String::with_capacity(32));
        for byte in self.0 {
            digits.extend([digit(byte >> 4), digit(byte & 15)]);
        }
        digits
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl PartialEq for NtHash {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        crypto::constant_time::ct_eq(&self.0, &other.0)
    }
}

impl Eq for NtHash {}

impl fmt::Debug for NtHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NtHash([secret])")
    }
}

/// A key or a hash of 16 bytes. Wiped when it is dropped; it has no `Debug` worth the name.
pub(crate) type Key = Zeroizing<[u8; 16]>;

/// The first 16 bytes of a digest.
fn array(digest: Digest) -> Key {
    let mut key = Key::default();
    key.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    key
}

pub(crate) fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Key {
    array(hmac(Hash::Md5, key, parts))
}

/// The MD5 of all parts, one behind the other.
pub(crate) fn md5(parts: &[&[u8]]) -> Key {
    let mut context = Hash::Md5.context();
    parts.iter().for_each(|part| context.update(part));
    array(context.finish())
}

/// `RC4K`: 16 bytes under a key of their own.
pub(crate) fn rc4k(key: &Key, data: &[u8; 16]) -> Key {
    let mut out = Zeroizing::new(*data);
    // Sixteen bytes are a key of RC4.
    if let Ok(mut cipher) = Rc4::new(key.as_slice()) {
        cipher.apply(out.as_mut_slice());
    }
    out
}

/// `LMOWFv1`: what the oldest clients make of a password; `None` of one that they cannot have, with more than 14
/// characters or with one that is not ASCII, of which nobody knows the code page.
///
/// Spec: MS-NLMP section 3.3.1.
pub(crate) fn lmowf_v1(password: &str) -> Option<Key> {
    if password.len() > 14 || !password.is_ascii() {
        return None;
    }
    let mut padded = Zeroizing::new([0_u8; 14]);
    padded.iter_mut().zip(password.bytes()).for_each(|(to, from)| *to = from.to_ascii_uppercase());
    let mut hash = Key::default();
    for (half, seven) in hash.as_chunks_mut::<8>().0.iter_mut().zip(padded.as_chunks::<7>().0) {
        *half = des_encrypt_block(seven, *b"KGS!@#$%");
    }
    Some(hash)
}

/// `ResponseKeyNT`: the key of a user's responses in version 2, ready for use. It is used twice at least.
pub(crate) struct ResponseKey(HmacKey);

impl ResponseKey {
    fn sign(&self, parts: &[&[u8]]) -> Key {
        array(self.0.sign_parts(parts.iter().copied()))
    }
}

/// `NTOWFv2`, which is also `LMOWFv2`. The user's name is upper-cased, the domain's is not.
///
/// Spec: MS-NLMP section 3.3.2.
pub(crate) fn ntowf_v2(hash: &NtHash, user: &str, domain: &str) -> Key {
    let mut name = Vec::with_capacity(2 * (user.len() + domain.len()));
    push_utf16(&mut name, user, upper_case);
    push_utf16(&mut name, domain, |c| c);
    hmac_md5(&hash.0, &[&name])
}

/// The key of the responses of a user with this hash.
pub(crate) fn response_key(hash: &NtHash, user: &str, domain: &str) -> ResponseKey {
    ResponseKey(HmacKey::new(Hash::Md5, ntowf_v2(hash, user, domain).as_slice()))
}

/// As Windows does it: a character that would become several stays what it is.
fn upper_case(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut all = c.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// `DESL`: eight bytes under the three parts of a key of 16 bytes, the third of which is mostly zeros.
///
/// Spec: MS-NLMP section 6.
pub(crate) fn desl(key: &[u8; 16], data: [u8; 8]) -> [u8; 24] {
    let mut padded = Zeroizing::new([0_u8; 21]);
    padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut out = [0; 24];
    for (eight, seven) in out.as_chunks_mut::<8>().0.iter_mut().zip(padded.as_chunks::<7>().0) {
        *eight = des_encrypt_block(seven, data);
    }
    out
}

/// What a client of version 1 with extended session security answers: the challenge is that of both ends.
///
/// Spec: MS-NLMP section 3.3.1.
pub(crate) fn ntlm2_session_response(hash: &NtHash, server: &[u8; 8], client: &[u8; 8]) -> [u8; 24] {
    desl(&hash.0, session_challenge(server, client))
}

/// The challenge of both ends.
///
/// Spec: MS-NLMP section 3.3.1.
pub(crate) fn session_challenge(server: &[u8; 8], client: &[u8; 8]) -> [u8; 8] {
    md5(&[server, client]).first_chunk().copied().unwrap_or_default()
}

/// `NTProofStr`: what version 2 proves a password with.
///
/// Spec: MS-NLMP section 3.3.2.
pub(crate) fn nt_proof_str(key: &ResponseKey, server_challenge: &[u8; 8], temp: &[u8]) -> Key {
    key.sign(&[server_challenge, temp])
}

/// `LMv2_RESPONSE`: the same over a challenge of the client's alone.
pub(crate) fn lm_v2_response(
    key: &ResponseKey,
    server_challenge: &[u8; 8],
    client_challenge: &[u8; 8],
) -> [u8; 24] {
    let proof = nt_proof_str(key, server_challenge, client_challenge);
    let mut out = [0; 24];
    out.iter_mut().zip(proof.iter().chain(client_challenge)).for_each(|(to, from)| *to = *from);
    out
}

/// `SessionBaseKey` of version 2. Spec: MS-NLMP section 3.3.2.
pub(crate) fn session_base_key_v2(key: &ResponseKey, nt_proof_str: &[u8; 16]) -> Key {
    key.sign(&[nt_proof_str])
}

/// `SessionBaseKey` of version 1. Spec: MS-NLMP section 3.3.1.
pub(crate) fn session_base_key_v1(hash: &NtHash) -> Key {
    array(md4(&hash.0))
}

/// `KXKEY`: the key that keys are exchanged under, for responses of version 1; of version 2 it is the session base key.
///
/// Spec: MS-NLMP section 3.4.5.1.
pub(crate) fn key_exchange_key_v1(
    flags: NegotiateFlags,
    session_base_key: &Key,
    lm_hash: Option<&Key>,
    server_challenge: &[u8; 8],
    lm_response: &[u8],
) -> Key {
    let (lm_begin, _) = lm_response.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    if flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
        return hmac_md5(session_base_key.as_slice(), &[server_challenge, lm_begin]);
    }
    let Some(lm_hash) = lm_hash else { return session_base_key.clone() };
    if flags.contains(NegotiateFlags::NEGOTIATE_LM_KEY) {
        let [a, b, c, d, e, f, g, h, ..] = **lm_hash;
        let first = des_encrypt_block(&[a, b, c, d, e, f, g], *lm_begin);
        let second = des_encrypt_block(&[h, 0xBD, 0xBD, 0xBD, 0xBD, 0xBD, 0xBD], *lm_begin);
        return joined(first, second);
    }
    if flags.contains(NegotiateFlags::REQUEST_NON_NT_SESSION_KEY) {
        let [a, b, c, d, e, f, g, h, ..] = **lm_hash;
        return joined([a, b, c, d, e, f, g, h], [0; 8]);
    }
    session_base_key.clone()
}

fn joined(first: [u8; 8], second: [u8; 8]) -> Key {
    let mut key = Key::default();
    key.iter_mut().zip(first.iter().chain(&second)).for_each(|(to, from)| *to = *from);
    key
}

/// The message integrity code over the three messages, the last one with zeros in place of it.
///
/// Spec: MS-NLMP section 3.1.5.1.2.
pub(crate) fn mic(
    exported_session_key: &Key,
    negotiate: &[u8],
    challenge: &[u8],
    authenticate: &[u8],
) -> Key {
    let range = crate::messages::AuthenticateMessage::MIC_RANGE;
    let before = authenticate.get(..range.start).unwrap_or(authenticate);
    let behind = authenticate.get(range.end..).unwrap_or_default();
    hmac_md5(exported_session_key.as_slice(), &[negotiate, challenge, before, &[0; 16], behind])
}

/// `MsvAvChannelBindings`: the MD5 of the bindings in the form of `gss_channel_bindings_struct`, its numbers in little
/// endian; zeros where there are none.
///
/// ```text
/// initiator_addtype · initiator_address length     4 · 4   zeros
/// acceptor_addrtype · acceptor_address length      4 · 4   zeros
/// application_data length · application_data       4 · …
/// ```
///
/// Spec: MS-NLMP section 3.1.5.1.2.
pub(crate) fn channel_bindings_hash(bindings: Option<&sspi_core::ChannelBindings>) -> [u8; 16] {
    let Some(data) = bindings.map(sspi_core::ChannelBindings::application_data) else { return [0; 16] };
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
    *md5(&[&[0; 16], &length, data])
}

#[cfg(test)]
mod tests;
