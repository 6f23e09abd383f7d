//! Block ciphers in CBC mode.
//!
//! Spec: CBC section 6.2.

use std::fmt::{self, Debug, Formatter};

use ::cbc::cipher::{
    Array, Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, BlockSizeUser,
    InnerIvInit, IvState, KeyInit,
};
use ::cbc::{Decryptor, Encryptor};
use idea::Idea;
use rc2::Rc2;
use zeroize::Zeroize;

use super::aes::Aes;
use super::des::Des;
use super::{BlockCipher, KeyError, LengthError};
use crate::hash::HashContext;

/// A block cipher with a key, encrypting in CBC mode. Wiped when it is dropped.
///
/// Each block is combined with the ciphertext before it, across calls: a record that has its own initialization
/// vector begins with [`set_iv`](Self::set_iv).
pub struct CbcEncryptor(Cbc<EncryptionKey>);

impl CbcEncryptor {
    /// `cipher` with `key` and `iv`, which have the lengths of the cipher's key and block.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn new(cipher: BlockCipher, key: &[u8], iv: &[u8]) -> Result<Self, KeyError> {
        Cbc::new(cipher, EncryptionKey::expand, key, iv).map(Self)
    }

    /// The length of a block, in bytes.
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.0.cipher.block_len()
    }

    /// Makes `iv`, of one block, what the next block is combined with.
    ///
    /// # Errors
    ///
    /// [`KeyError::IvLength`].
    pub fn set_iv(&mut self, iv: &[u8]) -> Result<(), KeyError> {
        self.0.set_iv(iv)
    }

    /// Encrypts `data`, which must be whole blocks.
    ///
    /// # Errors
    ///
    /// [`LengthError`]; nothing is then encrypted.
    pub fn encrypt(&mut self, data: &mut [u8]) -> Result<(), LengthError> {
        self.0.check_length(data.len())?;
        let chained = &mut self.0.chained;
        match &self.0.key {
            EncryptionKey::Des(key) => encrypt_des(key, chained, data),
            EncryptionKey::TripleDes(key) => encrypt_des(key, chained, data),
            EncryptionKey::Rc2(key) => encrypt(key, chained, data),
            EncryptionKey::Aes(key) => key.encrypt(chained, data),
            EncryptionKey::Idea(key) => encrypt(key, chained, data),
        }
        Ok(())
    }

    /// Appends all of `data`, the plaintext, to `hash`, and encrypts its whole blocks. Returns how many bytes are
    /// encrypted; less than a block follows them.
    pub fn encrypt_hashing(&mut self, hash: &mut HashContext, data: &mut [u8]) -> usize {
        let whole = data.len() - data.len() % self.block_len();
        let (blocks, rest) = data.split_at_mut(whole);
        if let EncryptionKey::Aes(key) = &self.0.key {
            key.encrypt_hashing(&mut self.0.chained, hash, blocks);
        } else {
            hash.update(blocks);
            let encrypted = self.encrypt(blocks);
            debug_assert_eq!(encrypted, Ok(()));
        }
        hash.update(rest);
        whole
    }
}

impl Debug for CbcEncryptor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CbcEncryptor").field("cipher", &self.0.cipher).finish_non_exhaustive()
    }
}

/// A block cipher with a key, decrypting in CBC mode. Wiped when it is dropped.
///
/// Each block is combined with the ciphertext before it, across calls: a record that has its own initialization
/// vector begins with [`set_iv`](Self::set_iv).
pub struct CbcDecryptor(Cbc<DecryptionKey>);

impl CbcDecryptor {
    /// `cipher` with `key` and `iv`, which have the lengths of the cipher's key and block.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn new(cipher: BlockCipher, key: &[u8], iv: &[u8]) -> Result<Self, KeyError> {
        Cbc::new(cipher, DecryptionKey::expand, key, iv).map(Self)
    }

    /// The length of a block, in bytes.
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.0.cipher.block_len()
    }

    /// Makes `iv`, of one block, what the next block is combined with.
    ///
    /// # Errors
    ///
    /// [`KeyError::IvLength`].
    pub fn set_iv(&mut self, iv: &[u8]) -> Result<(), KeyError> {
        self.0.set_iv(iv)
    }

    /// Decrypts `data`, which must be whole blocks.
    ///
    /// # Errors
    ///
    /// [`LengthError`]; nothing is then decrypted.
    pub fn decrypt(&mut self, data: &mut [u8]) -> Result<(), LengthError> {
        self.0.check_length(data.len())?;
        let chained = &mut self.0.chained;
        match &self.0.key {
            DecryptionKey::Des(key) => decrypt_des(key, chained, data),
            DecryptionKey::TripleDes(key) => decrypt_des(key, chained, data),
            DecryptionKey::Rc2(key) => decrypt(key, chained, data),
            DecryptionKey::Aes(key) => key.decrypt(chained, data),
            DecryptionKey::Idea(key) => decrypt(key, chained, data),
        }
        Ok(())
    }
}

impl Debug for CbcDecryptor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("CbcDecryptor").field("cipher", &self.0.cipher).finish_non_exhaustive()
    }
}

/// What both directions have.
struct Cbc<K> {
    cipher: BlockCipher,
    key: K,
    /// The last block of ciphertext, or the initialization vector, in the first bytes.
    chained: Chained,
}

/// As long as the longest block.
pub(super) type Chained = [u8; MAX_BLOCK_LEN];

/// The longest block of a [`BlockCipher`], in bytes.
const MAX_BLOCK_LEN: usize = 16;

impl<K> Cbc<K> {
    fn new(
        cipher: BlockCipher,
        expand: impl Fn(BlockCipher, &[u8]) -> Option<K>,
        key: &[u8],
        iv: &[u8],
    ) -> Result<Self, KeyError> {
        let key_len = cipher.key_len();
        let length_error = KeyError::KeyLength { length: key.len(), min: key_len, max: key_len };
        let key = (key.len() == key_len).then(|| expand(cipher, key)).flatten().ok_or(length_error)?;
        let mut cbc = Self { cipher, key, chained: [0; MAX_BLOCK_LEN] };
        cbc.set_iv(iv)?;
        Ok(cbc)
    }

    fn set_iv(&mut self, iv: &[u8]) -> Result<(), KeyError> {
        let expected = self.cipher.block_len();
        match self.chained.get_mut(..expected) {
            Some(chained) if iv.len() == expected => {
                chained.copy_from_slice(iv);
                Ok(())
            }
            _ => Err(KeyError::IvLength { length: iv.len(), expected }),
        }
    }

    const fn check_length(&self, length: usize) -> Result<(), LengthError> {
        let block_len = self.cipher.block_len();
        if length.is_multiple_of(block_len) { Ok(()) } else { Err(LengthError { length, block_len }) }
    }
}

impl<K> Drop for Cbc<K> {
    fn drop(&mut self) {
        self.chained.zeroize();
    }
}

/// A key, expanded to encrypt.
enum EncryptionKey {
    Des(Des<1>),
    TripleDes(Des<3>),
    Rc2(Rc2),
    Aes(Aes),
    Idea(Idea),
}

impl EncryptionKey {
    /// `None` if `key` has another length than the cipher's.
    fn expand(cipher: BlockCipher, key: &[u8]) -> Option<Self> {
        match cipher {
            BlockCipher::Des => Some(Self::Des(Des::encrypting(key.as_chunks().0.try_into().ok()?))),
            BlockCipher::TripleDes => {
                Some(Self::TripleDes(Des::encrypting(key.as_chunks().0.try_into().ok()?)))
            }
            BlockCipher::Rc2 => Some(Self::Rc2(Rc2::new_with_eff_key_len(key, RC2_EFFECTIVE_BITS))),
            BlockCipher::Aes128 | BlockCipher::Aes256 => Aes::encrypting(key).map(Self::Aes),
            BlockCipher::Idea => Idea::new_from_slice(key).map(Self::Idea).ok(),
        }
    }
}

/// A key, expanded to decrypt.
enum DecryptionKey {
    Des(Des<1>),
    TripleDes(Des<3>),
    Rc2(Rc2),
    Aes(Aes),
    Idea(Idea),
}

impl DecryptionKey {
    /// `None` if `key` has another length than the cipher's.
    fn expand(cipher: BlockCipher, key: &[u8]) -> Option<Self> {
        match cipher {
            BlockCipher::Des => Some(Self::Des(Des::decrypting(key.as_chunks().0.try_into().ok()?))),
            BlockCipher::TripleDes => {
                Some(Self::TripleDes(Des::decrypting(key.as_chunks().0.try_into().ok()?)))
            }
            BlockCipher::Rc2 => Some(Self::Rc2(Rc2::new_with_eff_key_len(key, RC2_EFFECTIVE_BITS))),
            BlockCipher::Aes128 | BlockCipher::Aes256 => Aes::decrypting(key).map(Self::Aes),
            BlockCipher::Idea => Idea::new_from_slice(key).map(Self::Idea).ok(),
        }
    }
}

/// The effective length of the keys of RC2, in bits; the shorter keys of export ciphers are stretched before.
const RC2_EFFECTIVE_BITS: usize = 128;

/// How many blocks of DES are decrypted at once. Those of CBC depend on each other only to encrypt.
const DES_BLOCKS: usize = 4;

fn encrypt_des<const STAGES: usize>(key: &Des<STAGES>, chained: &mut Chained, data: &mut [u8]) {
    let Some(chained) = chained.first_chunk_mut() else { return };
    let mut last = u64::from_be_bytes(*chained);
    for block in data.as_chunks_mut().0 {
        [last] = key.apply([u64::from_be_bytes(*block) ^ last]);
        *block = last.to_be_bytes();
    }
    *chained = last.to_be_bytes();
}

fn decrypt_des<const STAGES: usize>(key: &Des<STAGES>, chained: &mut Chained, data: &mut [u8]) {
    let Some(chained) = chained.first_chunk_mut() else { return };
    let mut last = u64::from_be_bytes(*chained);
    let (groups, rest) = data.as_chunks_mut().0.as_chunks_mut::<DES_BLOCKS>();
    for group in groups {
        let ciphertext = group.map(u64::from_be_bytes);
        for ((block, plaintext), ciphertext) in group.iter_mut().zip(key.apply(ciphertext)).zip(ciphertext) {
            *block = (plaintext ^ last).to_be_bytes();
            last = ciphertext;
        }
    }
    for block in rest {
        let ciphertext = u64::from_be_bytes(*block);
        let [plaintext] = key.apply([ciphertext]);
        *block = (plaintext ^ last).to_be_bytes();
        last = ciphertext;
    }
    *chained = last.to_be_bytes();
}

pub(super) fn encrypt<C: BlockCipherEncrypt>(cipher: &C, chained: &mut Chained, data: &mut [u8]) {
    let mut encryptor = Encryptor::inner_iv_init(cipher, &first_block::<C>(chained));
    encryptor.encrypt_blocks(Array::slice_as_chunks_mut(data).0);
    chained.iter_mut().zip(encryptor.iv_state()).for_each(|(to, from)| *to = from);
}

pub(super) fn decrypt<C: BlockCipherDecrypt>(cipher: &C, chained: &mut Chained, data: &mut [u8]) {
    let mut decryptor = Decryptor::inner_iv_init(cipher, &first_block::<C>(chained));
    decryptor.decrypt_blocks(Array::slice_as_chunks_mut(data).0);
    chained.iter_mut().zip(decryptor.iv_state()).for_each(|(to, from)| *to = from);
}

fn first_block<C: BlockSizeUser>(chained: &Chained) -> Block<C> {
    let mut block = Block::<C>::default();
    block.iter_mut().zip(chained).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests;
