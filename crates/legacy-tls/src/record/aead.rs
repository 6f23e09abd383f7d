//! AES-GCM as TLS 1.2 uses it: `explicit nonce 8 | data | tag 16`, the nonce being `salt 4, explicit nonce 8`.
//!
//! Spec: TLS12 section 6.2.3.3; GCM-SUITES section 3.

use core::ops::Range;

use crypto::aead::{AeadAlgorithm, AeadKey, NONCE_LEN, TAG_LEN};

use super::{PseudoHeader, RecordError};

/// Bytes of the nonce that stand in the record.
pub(super) const EXPLICIT_NONCE_LEN: usize = 8;

/// Records under one key: the margin of TLS13 section 5.5 (2^24.5), rounded down.
pub(super) const RECORD_LIMIT: u64 = 1 << 24;

/// One direction: the key, and the part of the nonce that is not sent.
pub(super) struct Gcm {
    key: AeadKey,
    salt: [u8; NONCE_LEN - EXPLICIT_NONCE_LEN],
}

impl Gcm {
    pub(super) fn new(algorithm: AeadAlgorithm, key: &[u8], salt: &[u8]) -> Result<Self, RecordError> {
        if algorithm == AeadAlgorithm::ChaCha20Poly1305 {
            return Err(RecordError::Internal("ChaCha20 has another nonce than AES-GCM"));
        }
        let key = AeadKey::new(algorithm, key)
            .map_err(|_| RecordError::Internal("an AES-GCM key of a wrong length"))?;
        let salt = salt.try_into().map_err(|_| RecordError::Internal("an AES-GCM salt of a wrong length"))?;
        Ok(Self { key, salt })
    }

    fn nonce(&self, [a, b, c, d, e, f, g, h]: [u8; EXPLICIT_NONCE_LEN]) -> [u8; NONCE_LEN] {
        let [i, j, k, l] = self.salt;
        [i, j, k, l, a, b, c, d, e, f, g, h]
    }

    /// Seals `fragment`, which is the room for the nonce, the data, and the room for the tag. The nonce is the record's
    /// number: it cannot come twice.
    pub(super) fn seal(&self, header: PseudoHeader, fragment: &mut [u8]) -> Result<(), RecordError> {
        const NO_ROOM: RecordError = RecordError::Internal("a record without room for nonce and tag");
        let (explicit, rest) = fragment.split_first_chunk_mut().ok_or(NO_ROOM)?;
        let (data, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(NO_ROOM)?;
        *explicit = header.sequence.to_be_bytes();
        *tag = self
            .key
            .seal_in_place(self.nonce(*explicit), &header.for_data_of(data.len()), data)
            .map_err(|_| RecordError::Internal("a record that is too long for AES-GCM"))?;
        Ok(())
    }

    /// Opens `fragment`; the data lie in the returned range of it.
    pub(super) fn open(
        &self,
        header: PseudoHeader,
        fragment: &mut [u8],
    ) -> Result<Range<usize>, RecordError> {
        let (explicit, sealed) = fragment.split_first_chunk_mut().ok_or(RecordError::BadMac)?;
        let data_len = sealed.len().checked_sub(TAG_LEN).ok_or(RecordError::BadMac)?;
        self.key
            .open_in_place(self.nonce(*explicit), &header.for_data_of(data_len), sealed)
            .map_err(|_| RecordError::BadMac)?;
        Ok(EXPLICIT_NONCE_LEN..EXPLICIT_NONCE_LEN + data_len)
    }
}
