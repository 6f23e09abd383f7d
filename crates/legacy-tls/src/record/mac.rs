//! The MACs of records: HMAC and its predecessor of SSL 3.0, both as a hash of a hash.

use crypto::hash::{Digest, Hash, HashContext};
use zeroize::Zeroizing;

use super::{MacConstruction, MacKind, PseudoHeader, RecordError};

/// A MAC's secret, hashed once for all records of a direction.
///
/// ```text
/// outer( secret, pad 2 | inner( secret, pad 1 | sequence 8, type 1, [version 2,] length 2, data ) )
/// ```
///
/// Spec: SSL30 section 5.2.3.1; TLS12 section 6.2.3.1.
pub(super) struct MacKey {
    construction: MacConstruction,
    inner: HashContext,
    outer: HashContext,
}

impl MacKey {
    /// With a secret as long as the hash, as all versions have it.
    pub(super) fn new(kind: MacKind, secret: &[u8]) -> Result<Self, RecordError> {
        if secret.len() != kind.hash.output_len() {
            return Err(RecordError::Internal("a MAC secret of a wrong length"));
        }
        let start = |pad| match kind.construction {
            MacConstruction::Ssl3 => ssl3_start(kind.hash, secret, pad),
            MacConstruction::Hmac => hmac_start(kind.hash, secret, pad),
        };
        Ok(Self { construction: kind.construction, inner: start(0x36), outer: start(0x5c) })
    }

    /// The length of a MAC, in bytes.
    pub(super) const fn len(&self) -> usize {
        self.inner.hash().output_len()
    }

    /// The inner hash up to the data, which have `len` bytes. That may be a secret.
    pub(super) fn start(&self, header: PseudoHeader, len: usize) -> HashContext {
        let mut inner = self.inner.clone();
        let covered = header.for_data_of(len);
        match self.construction {
            MacConstruction::Ssl3 => {
                let [a, b, c, d, e, f, g, h, content_type, _major, _minor, high, low] = covered;
                inner.update(&[a, b, c, d, e, f, g, h, content_type, high, low]);
            }
            MacConstruction::Hmac => inner.update(&covered),
        }
        inner
    }

    /// The MAC of the first `len` bytes of `data`, where `len` is a secret.
    ///
    /// Time depends on the length of `data` only: see [`HashContext::finish_secret_len`].
    pub(super) fn of_secret_len(&self, header: PseudoHeader, data: &[u8], len: usize) -> Digest {
        #[cfg(test)]
        super::tests::padding::note_mac(data.len());
        self.finish(&self.start(header, len).finish_secret_len(data, len))
    }

    /// The MAC, from the inner hash of all.
    pub(super) fn finish(&self, inner: &Digest) -> Digest {
        let mut outer = self.outer.clone();
        outer.update(inner.as_ref());
        outer.finish()
    }
}

/// `secret, pad`: 48 bytes of pad for MD5, 40 for SHA-1.
fn ssl3_start(hash: Hash, secret: &[u8], pad: u8) -> HashContext {
    let pads = if hash.output_len() == 16 { 48 } else { 40 };
    let mut context = hash.context();
    context.update(secret);
    context.update([pad; 48].get(..pads).unwrap_or_default());
    context
}

/// One block: `secret`, filled up with zeros, XOR `pad`.
fn hmac_start(hash: Hash, secret: &[u8], pad: u8) -> HashContext {
    let mut block = Zeroizing::new([pad; 128]);
    block.iter_mut().zip(secret).for_each(|(byte, secret)| *byte ^= secret);
    let mut context = hash.context();
    context.update(block.get(..hash.block_len()).unwrap_or_default());
    context
}
