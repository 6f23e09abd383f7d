//! The hash functions: MD5, SHA-1 and the SHA-2 family.
//!
//! Spec: MD5, SHS.

use std::fmt::{self, Debug, Formatter};

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::constant_time::ct_eq;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// MD5, 16 bytes. Collisions take seconds: for the protocols that prescribe it only.
    Md5,
    /// SHA-1, 20 bytes. Collisions are practical: for the protocols that prescribe it only.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl Hash {
    /// The length of the output, in bytes: at most [`Digest::MAX_LEN`].
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The length of the block that the function works on, in bytes.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// The hash of `data`.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Digest {
        match self {
            Self::Md5 => Digest::copied_from(&Md5::digest(data)),
            Self::Sha1 => Digest::copied_from(&Sha1::digest(data)),
            Self::Sha256 => Digest::copied_from(&Sha256::digest(data)),
            Self::Sha384 => Digest::copied_from(&Sha384::digest(data)),
            Self::Sha512 => Digest::copied_from(&Sha512::digest(data)),
        }
    }

    /// Starts a hash over data that comes in parts.
    #[must_use]
    pub fn context(self) -> HashContext {
        HashContext::new(self)
    }
}

/// A hash in progress. A clone goes on from the same state, as a handshake transcript needs it.
#[derive(Clone)]
pub struct HashContext(State);

#[derive(Clone)]
enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl HashContext {
    /// Starts with no data.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        Self(match hash {
            Hash::Md5 => State::Md5(Md5::new()),
            Hash::Sha1 => State::Sha1(Sha1::new()),
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha384 => State::Sha384(Sha384::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The function in use.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        match self.0 {
            State::Md5(_) => Hash::Md5,
            State::Sha1(_) => Hash::Sha1,
            State::Sha256(_) => Hash::Sha256,
            State::Sha384(_) => Hash::Sha384,
            State::Sha512(_) => Hash::Sha512,
        }
    }

    /// Appends `data`.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Md5(state) => state.update(data),
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// The hash of all data.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Md5(state) => Digest::copied_from(&state.finalize()),
            State::Sha1(state) => Digest::copied_from(&state.finalize()),
            State::Sha256(state) => Digest::copied_from(&state.finalize()),
            State::Sha384(state) => Digest::copied_from(&state.finalize()),
            State::Sha512(state) => Digest::copied_from(&state.finalize()),
        }
    }

    /// The hash of all data and of the first `len` bytes of `data`, where `len` is a secret.
    ///
    /// Time and access to memory are to depend on the length of `data` only: a record in CBC mode says itself, under
    /// encryption, how much of it is padding, and an attacker who can tell by the time of the MAC what it said
    /// decrypts with that ("Lucky Thirteen").
    ///
    /// `len` is at most the length of `data` and at most [`MAX_SECRET_VARIATION`](Self::MAX_SECRET_VARIATION) less:
    /// another one is brought to the nearest of these.
    #[must_use]
    pub fn finish_secret_len(mut self, data: &[u8], len: usize) -> Digest {
        let len = len.clamp(data.len().saturating_sub(Self::MAX_SECRET_VARIATION), data.len());
        self.update(data.get(..len).unwrap_or(data));
        self.finish()
    }

    /// How much shorter than its buffer the data of [`finish_secret_len`](Self::finish_secret_len) can be, in bytes:
    /// a byte of padding length stands for up to that many.
    pub const MAX_SECRET_VARIATION: usize = 256;

    /// The hash of the data so far; more may follow.
    #[must_use]
    pub fn current(&self) -> Digest {
        self.clone().finish()
    }
}

impl Debug for HashContext {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashContext").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// The output of a hash, a MAC or a key derivation: 16, 20, 32, 48 or 64 bytes, read by `as_ref`.
///
/// It may be a secret, so it is treated as one: zeroized on drop, compared in constant time, and `Debug` shows its
/// length only.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Digest {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl Digest {
    /// The longest output there is, in bytes.
    pub const MAX_LEN: usize = 64;

    pub(crate) fn copied_from(bytes: &[u8]) -> Self {
        let mut digest = Self { bytes: [0; Self::MAX_LEN], len: bytes.len().min(Self::MAX_LEN) };
        if let Some((to, from)) = digest.bytes.get_mut(..digest.len).zip(bytes.get(..digest.len)) {
            to.copy_from_slice(from);
        }
        digest
    }

    /// Zeros of the hash's length, to be filled.
    pub(crate) const fn zeros(hash: Hash) -> Self {
        Self { bytes: [0; Self::MAX_LEN], len: hash.output_len() }
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Copies as many bytes, from the first on, as there are here and in `out`.
    pub(crate) fn copy_to(&self, out: &mut [u8]) {
        out.iter_mut().zip(self.as_ref()).for_each(|(to, from)| *to = *from);
    }
}

impl AsRef<[u8]> for Digest {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        ct_eq(self.as_ref(), other.as_ref())
    }
}

impl Eq for Digest {}

impl Debug for Digest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::hex;

    const ALL: [Hash; 5] = [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];

    /// RFC 1321 section A.5, and the one-block and two-block examples that NIST published with FIPS 180.
    const KNOWN: [(Hash, &str, &str); 8] = [
        (Hash::Md5, "abc", "900150983cd24fb0d6963f7d28e17f72"),
        (
            Hash::Md5,
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        ),
        (Hash::Sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (Hash::Sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            Hash::Sha384,
            "abc",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            Hash::Sha512,
            "abc",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            Hash::Sha1,
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        ),
        (
            Hash::Sha256,
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ];

    #[test]
    fn digests_are_those_of_the_standards() {
        for (hash, message, expected) in KNOWN {
            assert_eq!(hash.digest(message.as_bytes()).as_ref(), hex(expected), "{hash:?} of {message}");
        }
    }

    #[test]
    fn parts_hash_to_what_the_whole_does_wherever_it_is_split() {
        let data: Vec<u8> = (0..=255).collect();
        for hash in ALL {
            for split in 0..=data.len() {
                let mut context = hash.context();
                context.update(&data[..split]);
                context.update(&data[split..]);
                assert_eq!(context.finish().as_ref(), hash.digest(&data).as_ref(), "{hash:?} at {split}");
            }
        }
    }

    #[test]
    fn secret_length_ends_the_data_wherever_it_may_be() {
        let data: Vec<u8> = (0..=255).cycle().take(700).collect();
        for hash in ALL {
            for before in [0, 13, 63, 64, 127] {
                let mut context = hash.context();
                context.update(&data[..before]);
                for total in (0..150).chain([255, 256, 257, 400, 512, 572]) {
                    let buffer = &data[before..before + total];
                    for len in total.saturating_sub(HashContext::MAX_SECRET_VARIATION)..=total {
                        let digest = context.clone().finish_secret_len(buffer, len);
                        assert_eq!(
                            digest,
                            hash.digest(&data[..before + len]),
                            "{hash:?} {before} {total} {len}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn secret_length_out_of_bounds_is_the_nearest_in_bounds() {
        let data = [7; 300];
        for (len, nearest) in [(0, 44), (43, 44), (301, 300), (usize::MAX, 300)] {
            let digest = Hash::Sha1.context().finish_secret_len(&data, len);
            assert_eq!(digest, Hash::Sha1.digest(&data[..nearest]), "{len}");
        }
    }

    #[test]
    fn clone_goes_its_own_way() {
        let mut context = HashContext::new(Hash::Sha256);
        context.update(b"a");
        let mut other = context.clone();
        other.update(b"z");
        assert_eq!(context.current(), Hash::Sha256.digest(b"a"));
        context.update(b"bc");
        assert_eq!(context.finish(), Hash::Sha256.digest(b"abc"));
        assert_eq!(other.finish(), Hash::Sha256.digest(b"az"));
    }

    #[test]
    fn lengths_are_those_of_the_functions() {
        for hash in ALL {
            assert_eq!(hash.output_len(), hash.digest(&[]).as_ref().len(), "{hash:?}");
            assert_eq!(hash.digest(b"").as_ref().len(), hash.output_len(), "{hash:?}");
        }
    }

    #[test]
    fn digests_of_different_length_are_not_equal() {
        assert_ne!(Digest::copied_from(&[0; 20]), Digest::copied_from(&[0; 32]));
        assert_ne!(Digest::copied_from(&[0; 20]), Digest::copied_from(&[1; 20]));
    }

    #[test]
    fn zeroize_leaves_nothing() {
        let mut digest = Hash::Sha512.digest(b"secret");
        digest.zeroize();
        assert_eq!(digest.bytes, [0; Digest::MAX_LEN]);
        const { assert!(std::mem::needs_drop::<Digest>()) };
    }

    #[test]
    fn debug_shows_no_bytes() {
        assert_eq!(format!("{:?}", Hash::Sha256.digest(b"secret")), "Digest(32 bytes)");
        assert_eq!(format!("{:?}", Hash::Sha256.context()), "HashContext { hash: Sha256, .. }");
    }
}
