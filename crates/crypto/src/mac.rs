//! HMAC: message authentication by a hash function.
//!
//! Spec: HMAC.

use std::error::Error;
use std::fmt::{self, Debug, Display, Formatter};

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

mod expansion;

use self::expansion::{Expansion, fill};
use crate::cipher::Rc4;
use crate::constant_time::ct_eq;
use crate::hash::{Blocks, Digest, Function, Hash, HashContext, Md5, Padded, Sha1, Sha256, Sha512, State};

/// A key for HMAC, its two first blocks already hashed. Wiped when it is dropped.
#[derive(Clone)]
pub struct HmacKey(Keys);

#[derive(Clone)]
enum Keys {
    Md5(Key<Md5>),
    Sha1(Key<Sha1>),
    Sha256(Key<Sha256>),
    Sha384(Key<Sha512>),
    Sha512(Key<Sha512>),
    Sha512Of256(Key<Sha512>),
}

impl HmacKey {
    /// The key that `secret` is, of any length: a longer one than a block is hashed first.
    #[must_use]
    pub fn new(hash: Hash, secret: &[u8]) -> Self {
        Self(match hash {
            Hash::Md5 => Keys::Md5(Key::of(hash, &Md5::INITIAL, secret)),
            Hash::Sha1 => Keys::Sha1(Key::of(hash, &Sha1::INITIAL, secret)),
            Hash::Sha256 => Keys::Sha256(Key::of(hash, &Sha256::INITIAL, secret)),
            Hash::Sha384 => Keys::Sha384(Key::of(hash, &Sha512::INITIAL_OF_SHA384, secret)),
            Hash::Sha512 => Keys::Sha512(Key::of(hash, &Sha512::INITIAL, secret)),
            Hash::Sha512Of256 => Keys::Sha512Of256(Key::of(hash, &Sha512::INITIAL_OF_SHA512_256, secret)),
        })
    }

    /// The hash function in use.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        match self.0 {
            Keys::Md5(_) => Hash::Md5,
            Keys::Sha1(_) => Hash::Sha1,
            Keys::Sha256(_) => Hash::Sha256,
            Keys::Sha384(_) => Hash::Sha384,
            Keys::Sha512(_) => Hash::Sha512,
            Keys::Sha512Of256(_) => Hash::Sha512Of256,
        }
    }

    /// The MAC of `data`.
    #[must_use]
    pub fn sign(&self, data: &[u8]) -> Digest {
        self.sign_parts([data])
    }

    /// The MAC of the concatenation of `parts`.
    #[must_use]
    #[inline]
    pub fn sign_parts<'a>(&self, parts: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) -> Digest {
        let (parts, output_len) = (parts.into_iter(), self.hash().output_len());
        match &self.0 {
            Keys::Md5(key) => key.sign(parts, output_len),
            Keys::Sha1(key) => key.sign(parts, output_len),
            Keys::Sha256(key) => key.sign(parts, output_len),
            Keys::Sha384(key) | Keys::Sha512(key) | Keys::Sha512Of256(key) => key.sign(parts, output_len),
        }
    }

    /// Starts a MAC over data that comes in parts.
    #[must_use]
    pub fn context(&self) -> HmacContext {
        let inner = HashContext(match &self.0 {
            Keys::Md5(key) => State::Md5(key.inner()),
            Keys::Sha1(key) => State::Sha1(key.inner()),
            Keys::Sha256(key) => State::Sha256(key.inner()),
            Keys::Sha384(key) => State::Sha384(key.inner()),
            Keys::Sha512(key) => State::Sha512(key.inner()),
            Keys::Sha512Of256(key) => State::Sha512Of256(key.inner()),
        });
        HmacContext { inner, key: self.clone() }
    }

    fn outer(&self, inner: &Digest) -> Digest {
        match &self.0 {
            Keys::Md5(key) => key.outer(inner),
            Keys::Sha1(key) => key.outer(inner),
            Keys::Sha256(key) => key.outer(inner),
            Keys::Sha384(key) | Keys::Sha512(key) | Keys::Sha512Of256(key) => key.outer(inner),
        }
    }

    /// Checks that `mac` is the whole MAC of `data`, in constant time.
    ///
    /// # Errors
    ///
    /// It is not, or is cut short.
    pub fn verify(&self, data: &[u8], mac: &[u8]) -> Result<(), MacError> {
        if ct_eq(self.sign(data).as_ref(), mac) { Ok(()) } else { Err(MacError) }
    }
}

impl Debug for HmacKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacKey").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// What the key is combined with before the data, and before the hash of these.
const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// The chaining values behind the inner and the outer block of a key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Key<F: Zeroize> {
    inner: F,
    outer: F,
}

impl<F: Zeroize> Key<F> {
    /// From a secret of any length.
    fn of<const LEN: usize>(hash: Hash, initial: &F, secret: &[u8]) -> Self
    where
        F: Function<LEN>,
    {
        if secret.len() <= LEN {
            Self::new(initial, secret)
        } else {
            Self::new(initial, hash.digest(secret).as_ref())
        }
    }

    /// From a secret that is no longer than a block.
    fn new<const LEN: usize>(initial: &F, secret: &[u8]) -> Self
    where
        F: Function<LEN>,
    {
        let (mut inner, mut outer) = (initial.clone(), initial.clone());
        // Where they are wiped: no copy of them is made.
        let mut blocks = [[INNER_PAD; LEN], [OUTER_PAD; LEN]];
        for block in &mut blocks {
            block.iter_mut().zip(secret).for_each(|(to, from)| *to ^= from);
        }
        let [of_inner, of_outer] = &blocks;
        F::compress_two((&mut inner, of_inner), (&mut outer, of_outer));
        // As slices: arrays are wiped byte by byte, which takes as long as a block of the hash.
        blocks.iter_mut().for_each(|block| block.as_mut_slice().zeroize());
        Self { inner, outer }
    }

    /// The hash over the inner block of the key.
    #[inline]
    fn inner<const LEN: usize>(&self) -> Blocks<F, LEN>
    where
        F: Function<LEN>,
    {
        Blocks::behind_a_block(self.inner.clone())
    }

    /// The hash over the outer block of the key, and the inner one.
    #[inline]
    fn outer<const LEN: usize>(&self, inner: &Digest) -> Digest
    where
        F: Function<LEN>,
    {
        let mut outer = self.outer.clone();
        outer.compress(Padded::new::<F>([inner.as_ref()].into_iter()).blocks());
        let mut mac = Digest::of_len(inner.as_ref().len());
        outer.write_output(mac.as_mut());
        outer.zeroize();
        mac
    }

    #[inline]
    fn sign<'a, const LEN: usize>(
        &self,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
        output_len: usize,
    ) -> Digest
    where
        F: Function<LEN>,
    {
        let data = parts.clone().map(<[u8]>::len).sum();
        if Padded::<LEN>::is_short::<F>(data) {
            // Little data is laid out once, and taken in at once.
            let mut inner = self.inner.clone();
            inner.compress(Padded::new::<F>(parts).blocks());
            let mut digest = Digest::of_len(output_len);
            inner.write_output(digest.as_mut());
            inner.zeroize();
            return self.outer(&digest);
        }
        let mut inner = self.inner();
        parts.for_each(|part| inner.update(part));
        self.outer(&inner.finish(output_len))
    }
}

/// A MAC in progress. A clone goes on from the same state. Wiped when it is dropped.
#[derive(Clone)]
pub struct HmacContext {
    /// The hash over the inner block of the key, and the data so far.
    inner: HashContext,
    key: HmacKey,
}

impl HmacContext {
    /// Appends `data`.
    #[inline]
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// Appends `data`, the plaintext, and encrypts it.
    #[inline]
    pub fn update_encrypting(&mut self, cipher: &mut Rc4, data: &mut [u8]) {
        cipher.encrypt_hashing(&mut self.inner, data);
    }

    /// Decrypts `data`, and appends the plaintext.
    #[inline]
    pub fn update_decrypting(&mut self, cipher: &mut Rc4, data: &mut [u8]) {
        cipher.decrypt_hashing(&mut self.inner, data);
    }

    /// The MAC of all data.
    #[must_use]
    pub fn finish(self) -> Digest {
        self.key.outer(&self.inner.finish())
    }
}

impl Debug for HmacContext {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacContext").field("hash", &self.key.hash()).finish_non_exhaustive()
    }
}

/// The MAC of the concatenation of `parts` under `secret`.
#[must_use]
pub fn hmac(hash: Hash, secret: &[u8], parts: &[&[u8]]) -> Digest {
    HmacKey::new(hash, secret).sign_parts(parts.iter().copied())
}

/// The MAC is not that of the data under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacError;

impl Display for MacError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the MAC is not that of the data")
    }
}

impl Error for MacError {}

/// P_hash of TLS under a key: fills `out` from a label and the concatenation of `seed_parts`.
pub(crate) fn expand(key: &HmacKey, label: &[u8], seed_parts: &[&[u8]], out: &mut [u8]) {
    let output_len = key.hash().output_len();
    match &key.0 {
        Keys::Md5(key) => fill(Expansion::new(key, output_len, label, seed_parts), out),
        Keys::Sha1(key) => fill(Expansion::new(key, output_len, label, seed_parts), out),
        Keys::Sha256(key) => fill(Expansion::new(key, output_len, label, seed_parts), out),
        Keys::Sha384(key) | Keys::Sha512(key) | Keys::Sha512Of256(key) => {
            fill(Expansion::new(key, output_len, label, seed_parts), out);
        }
    }
}

/// The same with MD5 under `first` and with SHA-1 under `second`, of which `out` gets the combination: side by side, since
/// neither waits for the other.
pub(crate) fn expand_md5_and_sha1(
    first: &[u8],
    second: &[u8],
    label: &[u8],
    seed_parts: &[&[u8]],
    out: &mut [u8],
) {
    let (md5_len, sha1_len) = (Hash::Md5.output_len(), Hash::Sha1.output_len());
    let (md5, sha1) = (Key::of(Hash::Md5, &Md5::INITIAL, first), Key::of(Hash::Sha1, &Sha1::INITIAL, second));
    let mut md5 = Expansion::new(&md5, md5_len, label, seed_parts);
    let mut sha1 = Expansion::new(&sha1, sha1_len, label, seed_parts);
    let mut mask = Zeroizing::new(vec![0; out.len()]);
    let mut of_md5 = out.chunks_mut(md5_len).peekable();
    let mut of_sha1 = mask.chunks_mut(sha1_len).peekable();
    // There are never fewer pieces of the shorter length.
    while let Some(piece) = of_md5.next() {
        md5.next(piece, of_md5.peek().is_some());
        if let Some(piece) = of_sha1.next() {
            sha1.next(piece, of_sha1.peek().is_some());
        }
    }
    out.iter_mut().zip(mask.iter()).for_each(|(byte, mask)| *byte ^= mask);
}

#[cfg(test)]
mod tests;
