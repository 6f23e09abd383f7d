//! Records of stream ciphers, and of none: `E(data, MAC)`.
//!
//! Spec: SSL30 section 5.2.3.1; TLS12 section 6.2.3.1.

use core::ops::Range;

use crypto::cipher::Rc4;
use crypto::constant_time::ct_eq;

use super::mac::MacKey;
use super::{MacKind, PseudoHeader, RecordError};

/// One direction: the state of the key stream, and the MAC.
pub(super) struct Stream {
    cipher: Option<Rc4>,
    mac: MacKey,
}

impl Stream {
    /// With RC4 if there is a key for it, else without encryption.
    pub(super) fn new(key: Option<&[u8]>, mac: MacKind, mac_secret: &[u8]) -> Result<Self, RecordError> {
        let cipher = key
            .map(Rc4::new)
            .transpose()
            .map_err(|_| RecordError::Internal("an RC4 key of a wrong length"))?;
        Ok(Self { cipher, mac: MacKey::new(mac, mac_secret)? })
    }

    pub(super) const fn mac_len(&self) -> usize {
        self.mac.len()
    }

    /// Seals `fragment`, which is the data and the room for the MAC.
    pub(super) fn seal(&mut self, header: PseudoHeader, fragment: &mut [u8]) -> Result<(), RecordError> {
        let (data, mac_room) = split_off_mac(fragment, self.mac.len()).ok_or(NO_ROOM)?;
        let mut inner = self.mac.start(header, data.len());
        match &mut self.cipher {
            Some(cipher) => cipher.encrypt_hashing(&mut inner, data),
            None => inner.update(data),
        }
        mac_room.copy_from_slice(self.mac.finish(&inner.finish()).as_ref());
        if let Some(cipher) = &mut self.cipher {
            cipher.apply(mac_room);
        }
        Ok(())
    }

    /// Opens `fragment`; the data lie in the returned range of it.
    pub(super) fn open(
        &mut self,
        header: PseudoHeader,
        fragment: &mut [u8],
    ) -> Result<Range<usize>, RecordError> {
        let (data, received) = split_off_mac(fragment, self.mac.len()).ok_or(RecordError::BadMac)?;
        let mut inner = self.mac.start(header, data.len());
        match &mut self.cipher {
            Some(cipher) => {
                cipher.decrypt_hashing(&mut inner, data);
                cipher.apply(received);
            }
            None => inner.update(data),
        }
        if ct_eq(self.mac.finish(&inner.finish()).as_ref(), received) {
            Ok(0..data.len())
        } else {
            Err(RecordError::BadMac)
        }
    }
}

const NO_ROOM: RecordError = RecordError::Internal("a record without room for its MAC");

/// Data, and the MAC behind them.
fn split_off_mac(fragment: &mut [u8], mac_len: usize) -> Option<(&mut [u8], &mut [u8])> {
    let data_len = fragment.len().checked_sub(mac_len)?;
    fragment.split_at_mut_checked(data_len)
}
