//! The numbers used once in DSA and ECDSA signatures.

use zeroize::Zeroizing;

use crate::hash::{Digest, Hash};
use crate::mac::HmacKey;
use crate::random::{Random, RandomError};
use crate::tls_prf::p_hash;

/// Nonces for one signature, made of the private key, the hash that is signed, and 32 random bytes. Two signatures with
/// one nonce give a key away, and so does a nonce of which a few bits are known: with this, a source of randomness that
/// repeats itself does no harm, and a fault cannot make two signatures of one hash differ in their hash only.
///
/// Spec: RFC6979 section 3.6 on additional data; the generator here is P_hash with HMAC-SHA512.
pub(crate) struct Nonces {
    key: Digest,
    bits: usize,
    drawn: u32,
}

impl Nonces {
    /// For nonces of so many bits.
    pub(crate) fn new(
        private_key: &[u8],
        digest: &[u8],
        bits: usize,
        random: &dyn Random,
    ) -> Result<Self, RandomError> {
        let mut fresh = Zeroizing::new([0; 32]);
        random.fill(fresh.as_mut())?;
        let mut mac = HmacKey::new(Hash::Sha512, private_key).context();
        mac.update(fresh.as_ref());
        mac.update(digest);
        Ok(Self { key: mac.finish(), bits, drawn: 0 })
    }

    /// The next one, big-endian, below 2^bits.
    pub(crate) fn next(&mut self) -> Zeroizing<Vec<u8>> {
        self.drawn += 1;
        let mut nonce = Zeroizing::new(vec![0; self.bits.div_ceil(8)]);
        p_hash(Hash::Sha512, self.key.as_ref(), &[b"nonce", &self.drawn.to_be_bytes()], &mut nonce);
        if let Some(first) = nonce.first_mut() {
            *first &= 0xFF >> (self.bits.next_multiple_of(8) - self.bits);
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[test]
    fn nonces_differ_with_key_digest_randomness_and_number() {
        let nonce = |key: &[u8], digest: &[u8], seed| {
            let mut nonces = Nonces::new(key, digest, 521, &Seeded::new(seed)).unwrap();
            [nonces.next().to_vec(), nonces.next().to_vec()]
        };
        let all =
            [nonce(b"a", b"x", 1), nonce(b"b", b"x", 1), nonce(b"a", b"y", 1), nonce(b"a", b"x", 2)].concat();
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 66);
            assert!(one[0] < 2);
            assert!(all.iter().skip(index + 1).all(|other| other != one));
        }
        assert_eq!(nonce(b"a", b"x", 1), nonce(b"a", b"x", 1));
    }
}
