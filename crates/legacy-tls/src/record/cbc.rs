//! Records of block ciphers: `[IV,] E(data, MAC, padding 0.., padding length 1)`.
//!
//! The MAC is under the encryption, which a receiver that answers differently, or after another time, to wrong padding
//! and to a wrong MAC turns into a way to decrypt (Vaudenay 2002; Lucky Thirteen 2013). Opening therefore does the same
//! work for every record of a length: it hashes as if the data might end anywhere that padding allows, and takes the
//! MAC from wherever it is without telling by an address where that was.
//!
//! Spec: SSL30 section 5.2.3.2; TLS10, TLS11 and TLS12 section 6.2.3.2.

use core::ops::Range;
use std::sync::Arc;

use crypto::cipher::{BlockCipher, CbcDecryptor, CbcEncryptor};
use crypto::constant_time::{Mask, ct_eq_mask, ct_lt, ct_select};
use crypto::hash::Digest;
use crypto::random::Random;

use super::mac::MacKey;
use super::secret_end::{MAX_PADDING, copied_from, is_padded};
use super::{CbcIv, Keys, MacKind, Padding, PseudoHeader, RecordError};

/// The sending direction.
pub(super) struct CbcSealer {
    cipher: CbcEncryptor,
    block_len: usize,
    mac: MacKey,
    padding: Padding,
    /// If each record has its own.
    vectors: Option<Vectors>,
}

/// Initialization vectors that nobody can foresee. The source is asked for several at once, since to ask may be a call of
/// the system, which would cost as much as a short record does.
struct Vectors {
    random: Arc<dyn Random>,
    bytes: [u8; 128],
    used: usize,
}

impl Vectors {
    const fn new(random: Arc<dyn Random>) -> Self {
        Self { random, bytes: [0; 128], used: 128 }
    }

    /// Fills `iv` with the next one.
    fn fill(&mut self, iv: &mut [u8]) -> Result<(), RecordError> {
        if self.bytes.len() - self.used < iv.len() {
            self.random.fill(&mut self.bytes).map_err(|_| RecordError::Random)?;
            self.used = 0;
        }
        let next = self.bytes.get(self.used..).and_then(|unused| unused.get(..iv.len()));
        iv.copy_from_slice(next.ok_or(WRONG_KEY)?);
        self.used += iv.len();
        Ok(())
    }
}

impl CbcSealer {
    pub(super) fn new(
        cipher: BlockCipher,
        keys: &Keys<'_>,
        mac: MacKind,
        random: Arc<dyn Random>,
    ) -> Result<Self, RecordError> {
        let (block_len, is_explicit) = (cipher.block_len(), keys.cbc_iv == CbcIv::Explicit);
        Ok(Self {
            cipher: CbcEncryptor::new(cipher, keys.key, first_iv(keys, block_len)).map_err(|_| WRONG_KEY)?,
            block_len,
            mac: MacKey::new(mac, keys.mac_secret)?,
            padding: keys.padding,
            vectors: is_explicit.then(|| Vectors::new(random)),
        })
    }

    pub(super) const fn block_len(&self) -> usize {
        self.block_len
    }

    /// Bytes of the initialization vector that stand in a record.
    pub(super) const fn iv_len(&self) -> usize {
        if self.vectors.is_some() { self.block_len } else { 0 }
    }

    /// Bytes of MAC and padding behind `data_len` bytes of data: as few as make whole blocks.
    pub(super) const fn suffix(&self, data_len: usize) -> usize {
        (data_len + self.mac.len() + 1).next_multiple_of(self.block_len) - data_len
    }

    pub(super) const fn max_suffix(&self) -> usize {
        self.mac.len() + self.block_len
    }

    /// Seals `fragment`, which is the room for an initialization vector, the data, and the room for MAC and padding.
    pub(super) fn seal(
        &mut self,
        header: PseudoHeader,
        fragment: &mut [u8],
        data_len: usize,
    ) -> Result<(), RecordError> {
        const NO_ROOM: RecordError = RecordError::Internal("a record without room for MAC and padding");
        let (iv, body) = fragment.split_at_mut_checked(self.iv_len()).ok_or(NO_ROOM)?;
        if let Some(vectors) = &mut self.vectors {
            vectors.fill(iv)?;
            self.cipher.set_iv(iv).map_err(|_| RecordError::Internal("an IV of a wrong length"))?;
        }
        let (data, suffix) = body.split_at_mut_checked(data_len).ok_or(NO_ROOM)?;
        let mut inner = self.mac.start(header, data_len);
        let encrypted = self.cipher.encrypt_hashing(&mut inner, data);
        let (mac, padding) = suffix.split_at_mut_checked(self.mac.len()).ok_or(NO_ROOM)?;
        mac.copy_from_slice(self.mac.finish(&inner.finish()).as_ref());
        let [.., padding_len] = padding.len().checked_sub(1).ok_or(NO_ROOM)?.to_be_bytes();
        // What fills SSL 3.0's padding is free.
        padding.fill(if self.padding == Padding::Tls { padding_len } else { 0 });
        *padding.last_mut().ok_or(NO_ROOM)? = padding_len;
        let rest = body.get_mut(encrypted..).ok_or(NO_ROOM)?;
        self.cipher.encrypt(rest).map_err(|_| RecordError::Internal("a record not of whole blocks"))
    }
}

/// The receiving direction.
pub(super) struct CbcOpener {
    cipher: CbcDecryptor,
    block_len: usize,
    iv: CbcIv,
    padding: Padding,
    mac: MacKey,
}

impl CbcOpener {
    pub(super) fn new(cipher: BlockCipher, keys: &Keys<'_>, mac: MacKind) -> Result<Self, RecordError> {
        let block_len = cipher.block_len();
        Ok(Self {
            cipher: CbcDecryptor::new(cipher, keys.key, first_iv(keys, block_len)).map_err(|_| WRONG_KEY)?,
            block_len,
            iv: keys.cbc_iv,
            padding: keys.padding,
            mac: MacKey::new(mac, keys.mac_secret)?,
        })
    }

    /// Opens `fragment`; the data lie in the returned range of it.
    pub(super) fn open(
        &mut self,
        header: PseudoHeader,
        fragment: &mut [u8],
    ) -> Result<Range<usize>, RecordError> {
        let iv_len = match self.iv {
            CbcIv::Chained => 0,
            CbcIv::Explicit => self.block_len,
        };
        let (iv, body) = fragment.split_at_mut_checked(iv_len).ok_or(RecordError::BadMac)?;
        // What the length alone tells, everybody knows.
        if !body.len().is_multiple_of(self.block_len) || body.len() <= self.mac.len() {
            return Err(RecordError::BadMac);
        }
        if self.iv == CbcIv::Explicit {
            self.cipher.set_iv(iv).map_err(|_| RecordError::BadMac)?;
        }
        self.cipher.decrypt(body).map_err(|_| RecordError::BadMac)?;
        let data_len = self.check(header, body).ok_or(RecordError::BadMac)?;
        Ok(iv_len..iv_len + data_len)
    }

    /// The length of the data in `text`, which is `data, MAC, padding, padding length` with at least room for a MAC and a
    /// padding length, if MAC and padding are right. That they are is the first thing that a branch is made on.
    fn check(&self, header: PseudoHeader, text: &[u8]) -> Option<usize> {
        let (padding_len, padding_is_right) = self.padding_of(text);
        // Where padding is wrong it counts as none, so that a MAC is computed all the same. (TLS11 section 6.2.3.2.)
        let longest = text.len() - 1 - self.mac.len();
        let data_len = longest - ct_select(padding_is_right, padding_len, 0);
        let expected = self.mac.of_secret_len(header, text.get(..longest)?, data_len);
        let earliest = longest.saturating_sub(MAX_PADDING);
        let (window, offset) = (text.get(earliest..)?, data_len - earliest);
        let mac_is_right = match self.mac.len() {
            ..=32 => self.is_mac(&expected, &copied_from::<32>(window, offset)),
            _ => self.is_mac(&expected, &copied_from::<64>(window, offset)),
        };
        (padding_is_right & mac_is_right).reveal().then_some(data_len)
    }

    /// Whether `received` begins with the MAC.
    fn is_mac(&self, expected: &Digest, received: &[u8]) -> Mask {
        ct_eq_mask(expected.as_ref(), received.get(..self.mac.len()).unwrap_or_default())
    }

    /// The padding's length, without the byte that says it, and whether it is right.
    fn padding_of(&self, text: &[u8]) -> (usize, Mask) {
        let padding_byte = text.last().copied().unwrap_or_default();
        let padding_len = usize::from(padding_byte);
        let fits = ct_lt(padding_len, text.len() - self.mac.len());
        let is_right = match self.padding {
            Padding::Ssl3 => ct_lt(padding_len, self.block_len),
            Padding::Tls => is_padded(text, padding_byte),
        };
        (padding_len, fits & is_right)
    }
}

/// Where each record brings its own.
const NO_IV: [u8; 16] = [0; 16];

const WRONG_KEY: RecordError = RecordError::Internal("a key or IV of a wrong length for a block cipher");

/// The initialization vector to begin with; it does not matter where each record brings its own.
fn first_iv<'a>(keys: &Keys<'a>, block_len: usize) -> &'a [u8] {
    match keys.cbc_iv {
        CbcIv::Chained => keys.iv,
        CbcIv::Explicit => NO_IV.get(..block_len).unwrap_or_default(),
    }
}
