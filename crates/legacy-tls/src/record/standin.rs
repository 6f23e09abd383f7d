//! Stands in for primitives that `crypto` does not have yet.
#![expect(missing_docs, reason = "is replaced by crypto::cipher")]
#![expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "is replaced by crypto::cipher")]

use crypto::hash::{Digest, HashContext};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockCipher {
    Des,
    TripleDes,
    Rc2,
    Aes128,
    Aes256,
    Idea,
}

#[derive(Debug)]
pub(super) struct NotYet;

pub(super) struct Rc4;

impl Rc4 {
    pub(super) fn new(_key: &[u8]) -> Result<Self, NotYet> {
        Err(NotYet)
    }
    pub(super) fn apply(&mut self, _data: &mut [u8]) {}
    pub(super) fn encrypt_hashing(&mut self, _hash: &mut HashContext, _data: &mut [u8]) {}
    pub(super) fn decrypt_hashing(&mut self, _hash: &mut HashContext, _data: &mut [u8]) {}
}

pub(super) struct CbcEncryptor;

impl CbcEncryptor {
    pub(super) fn new(_cipher: BlockCipher, _key: &[u8], _iv: &[u8]) -> Result<Self, NotYet> {
        Err(NotYet)
    }
    pub(super) fn set_iv(&mut self, _iv: &[u8]) -> Result<(), NotYet> {
        Err(NotYet)
    }
    pub(super) fn encrypt(&mut self, _data: &mut [u8]) -> Result<(), NotYet> {
        Err(NotYet)
    }
    pub(super) fn encrypt_hashing(&mut self, _hash: &mut HashContext, _data: &mut [u8]) -> usize {
        0
    }
}

pub(super) struct CbcDecryptor;

impl CbcDecryptor {
    pub(super) fn new(_cipher: BlockCipher, _key: &[u8], _iv: &[u8]) -> Result<Self, NotYet> {
        Err(NotYet)
    }
    pub(super) fn set_iv(&mut self, _iv: &[u8]) -> Result<(), NotYet> {
        Err(NotYet)
    }
    pub(super) fn decrypt(&mut self, _data: &mut [u8]) -> Result<(), NotYet> {
        Err(NotYet)
    }
}

pub(super) const fn block_len(cipher: BlockCipher) -> usize {
    match cipher {
        BlockCipher::Aes128 | BlockCipher::Aes256 => 16,
        _ => 8,
    }
}

pub(super) fn finish_secret_len(mut hash: HashContext, data: &[u8], len: usize) -> Digest {
    hash.update(data.get(..len).unwrap_or_default());
    hash.finish()
}

pub(super) fn barrier(value: usize) -> usize {
    core::hint::black_box(value)
}

/// All ones if `a <= b`; both below 2^63.
pub(super) fn ct_le(a: usize, b: usize) -> usize {
    (b.wrapping_sub(a) >> (usize::BITS - 1)).wrapping_sub(1)
}

pub(super) fn ct_eq_mask(a: &[u8], b: &[u8]) -> usize {
    usize::from(crypto::constant_time::ct_eq(a, b)).wrapping_neg()
}

pub(super) fn ct_copy_from_secret_offset(source: &[u8], offset: usize, out: &mut [u8]) {
    out.copy_from_slice(source.get(offset..).and_then(|rest| rest.get(..out.len())).unwrap_or_default());
}
