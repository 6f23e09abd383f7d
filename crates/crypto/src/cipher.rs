//! The ciphers of the protocols before TLS 1.3: RC4, and block ciphers in CBC mode. They encrypt, and authenticate
//! nothing: a record's MAC is the caller's.
//!
//! Data is encrypted where it lies and nothing is allocated. Since a record's MAC is over its plaintext, the
//! ciphers can also hash what they encrypt or decrypt, which costs less than doing one after the other.
//!
//! RC4, DES, triple DES, RC2 and IDEA are broken or weak, and the first four read tables at places that depend on
//! secrets: for the protocols that prescribe them only.
//!
//! Spec: RC4, DES, RC2, IDEA, AES; CBC (the mode).

mod aes;
mod cbc;
mod des;
mod des_block;
mod rc4;

use std::error::Error;
use std::fmt::{self, Display, Formatter};

pub use self::cbc::{CbcDecryptor, CbcEncryptor};
pub use self::des_block::{des_encrypt_block, des_key};
pub use self::rc4::{Rc4, Rc4State};

/// How many bytes a cipher with blocks of 64 bits encrypts under one key, where nothing else is said: 2^27 blocks, so that two
/// of them are the same in one connection of a thousand. Of 2^32, which are 32 GiB, some are expected to be (Sweet32).
pub const SMALL_BLOCK_LIMIT: u64 = 1 << 30;

/// A block cipher, to be used in CBC mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockCipher {
    /// DES: 56 bits of key in 8 bytes, of which the parity bits do not matter.
    Des,
    /// Triple DES, encrypting, decrypting and encrypting with three keys one after the other.
    TripleDes,
    /// RC2 with keys of 16 bytes, all 128 bits effective.
    Rc2,
    /// AES with keys of 16 bytes.
    Aes128,
    /// AES with keys of 32 bytes.
    Aes256,
    /// IDEA.
    Idea,
}

impl BlockCipher {
    /// The length of a key, in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Des => 8,
            Self::Rc2 | Self::Aes128 | Self::Idea => 16,
            Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    /// The length of a block, and so of an initialization vector, in bytes.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Des | Self::TripleDes | Self::Rc2 | Self::Idea => 8,
            Self::Aes128 | Self::Aes256 => 16,
        }
    }
}

/// Why a key or an initialization vector cannot be used. It is a mistake of the caller: no byte of a peer decides
/// these lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The key has another length than the cipher's.
    KeyLength {
        /// The length of the key, in bytes.
        length: usize,
        /// The shortest that the cipher has, in bytes.
        min: usize,
        /// The longest that the cipher has, in bytes.
        max: usize,
    },
    /// The initialization vector is not of one block.
    IvLength {
        /// Its length, in bytes.
        length: usize,
        /// The length of a block, in bytes.
        expected: usize,
    },
}

impl Display for KeyError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyLength { length, min, max } if min == max => {
                write!(f, "key of {length} bytes, not {min}")
            }
            Self::KeyLength { length, min, max } => write!(f, "key of {length} bytes, not {min} to {max}"),
            Self::IvLength { length, expected } => {
                write!(f, "initialization vector of {length} bytes, not {expected}")
            }
        }
    }
}

impl Error for KeyError {}

/// The data is not made of whole blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthError {
    /// The length of the data, in bytes.
    pub length: usize,
    /// The length of a block, in bytes.
    pub block_len: usize,
}

impl Display for LengthError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are not whole blocks of {}", self.length, self.block_len)
    }
}

impl Error for LengthError {}
