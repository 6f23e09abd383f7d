//! What one direction of protection is made of.

use crypto::aead::AeadAlgorithm;
use crypto::cipher::BlockCipher;
use crypto::hash::Hash;

/// What one direction of protection is made of: the choices of version and suite, and the keys.
///
/// Spec: SSL30 section 5.2.3; TLS12 section 6.2.3; TLS12 section 6.3.
pub struct Keys<'a> {
    /// The version in the header, in the HMAC and in what a tag covers.
    pub wire_version: u16,
    /// How data is encrypted.
    pub bulk: Bulk,
    /// How it is authenticated; none for an AEAD, which does so itself.
    pub mac: Option<MacKind>,
    /// What padding of a block cipher looks like.
    pub padding: Padding,
    /// Where the initialization vector of a block cipher comes from.
    pub cbc_iv: CbcIv,
    /// The secret of the MAC; empty for an AEAD.
    pub mac_secret: &'a [u8],
    /// The key of the cipher; empty for none.
    pub key: &'a [u8],
    /// One block for [`CbcIv::Chained`], the salt of 4 bytes for AES-GCM, else empty.
    pub iv: &'a [u8],
    /// Whether application data is sent in two records, the first with one byte, so that nobody who chooses data knows
    /// the initialization vector it will meet. It is done where it helps: with [`CbcIv::Chained`].
    pub split: bool,
    /// Bytes of plaintext after which the key is used up, and no more application data is sealed; for ciphers with
    /// blocks of 64 bits, whose blocks begin to repeat after some 2^32 of them.
    pub data_limit: u64,
}

/// How data is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// It is not.
    Null,
    /// By the key stream of RC4.
    Rc4,
    /// In blocks, chained.
    Cbc(BlockCipher),
    /// And authenticated at once: AES-GCM, as TLS 1.2 uses it.
    Aead(AeadAlgorithm),
}

/// A MAC: what is computed, and with which function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacKind {
    /// How the secret, the record's number and the data are put together.
    pub construction: MacConstruction,
    /// The function that hashes them.
    pub hash: Hash,
}

/// How a MAC is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacConstruction {
    /// `H(secret, pad2, H(secret, pad1, sequence 8, type 1, length 2, data))`; the version is not covered.
    ///
    /// Spec: SSL30 section 5.2.3.1.
    Ssl3,
    /// `HMAC(secret, sequence 8, type 1, version 2, length 2, data)`.
    ///
    /// Spec: TLS12 section 6.2.3.1.
    Hmac,
}

/// What padding looks like to a receiver; sent is always the least, each byte with the padding's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// Any bytes, fewer than a block. Nothing can tell whether they were changed on the way (POODLE).
    ///
    /// Spec: SSL30 section 5.2.3.2.
    Ssl3,
    /// Up to 255 bytes, each of which is the padding's length.
    ///
    /// Spec: TLS10 section 6.2.3.2.
    Tls,
}

/// Where the initialization vector comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CbcIv {
    /// It is the last block of the record before; the first comes with the keys.
    ///
    /// Spec: TLS10 section 6.2.3.2.
    Chained,
    /// It begins each record, and nobody can know it before.
    ///
    /// Spec: TLS11 section 6.2.3.2.
    Explicit,
}
