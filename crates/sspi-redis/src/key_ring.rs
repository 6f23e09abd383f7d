//! The keys of a farm: the same on all its machines, and not in Redis.

use std::error::Error;
use std::fmt;

use crypto::hash::Hash;
use crypto::hkdf::{hkdf_expand, hkdf_extract};
use crypto::mac::HmacKey;
use zeroize::Zeroizing;

/// A secret of the farm, 32 bytes, and what is derived from it.
pub struct FarmKey {
    /// What a sealed value says of the key that it is sealed with.
    pub(crate) id: [u8; KEY_ID_LEN],
    /// From which the key of each value is derived.
    pub(crate) sealing: Zeroizing<[u8; 32]>,
    /// Under which names are MACs.
    pub(crate) naming: HmacKey,
}

/// Bytes of a key's identifier.
pub(crate) const KEY_ID_LEN: usize = 8;
/// Bytes of a key.
const KEY_LEN: usize = 32;

impl FarmKey {
    /// The key in a file: 32 bytes, or the same as 64 hexadecimal digits, with space around them
    /// (`openssl rand -hex 32`).
    ///
    /// # Errors
    /// It is neither.
    pub fn read(content: &[u8]) -> Result<Self, BadKeys> {
        if let Ok(bytes) = <&[u8; KEY_LEN]>::try_from(content) {
            return Self::derive(bytes);
        }
        let digits = content.trim_ascii();
        let mut key = Zeroizing::new([0; KEY_LEN]);
        if digits.len() != 2 * KEY_LEN {
            return Err(BadKeys::NoKey);
        }
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let [high, low] = pair else { return Err(BadKeys::NoKey) };
            *byte = digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).ok_or(BadKeys::NoKey)?;
        }
        Self::derive(&key)
    }

    fn derive(secret: &[u8; KEY_LEN]) -> Result<Self, BadKeys> {
        let master = hkdf_extract(Hash::Sha256, b"sspi-redis", secret);
        let mut all = Zeroizing::new([0; KEY_ID_LEN + 32 + 32]);
        let expanded = hkdf_expand(Hash::Sha256, master.as_ref(), b"id, sealing, naming", &mut *all);
        expanded.map_err(|_| BadKeys::NoKey)?;
        let (id, keys) = all.split_first_chunk::<KEY_ID_LEN>().ok_or(BadKeys::NoKey)?;
        let (sealing, naming) = keys.split_first_chunk::<32>().ok_or(BadKeys::NoKey)?;
        Ok(Self { id: *id, sealing: Zeroizing::new(*sealing), naming: HmacKey::new(Hash::Sha256, naming) })
    }
}

impl fmt::Debug for FarmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FarmKey")
    }
}

/// All keys that a machine has: the first seals, and all open.
///
/// To change the key, put the new one behind the old one on every machine, then in front of it, and take the old one away
/// after the lifetime of a session.
pub struct KeyRing {
    pub(crate) first: FarmKey,
    others: Vec<FarmKey>,
}

impl KeyRing {
    /// The ring of these keys.
    ///
    /// # Errors
    /// There are none, too many, or one is there twice.
    pub fn new(keys: Vec<FarmKey>) -> Result<Self, BadKeys> {
        if keys.len() > MOST_KEYS {
            return Err(BadKeys::TooMany { count: keys.len() });
        }
        let is_twice = |(index, key): (usize, &FarmKey)| keys.iter().take(index).any(|k| k.id == key.id);
        if keys.iter().enumerate().any(is_twice) {
            return Err(BadKeys::Twice);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(BadKeys::None)?;
        Ok(Self { first, others: keys.collect() })
    }

    /// All of them, the first one first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &FarmKey> {
        core::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &(1 + self.others.len())).finish_non_exhaustive()
    }
}

/// A lookup asks for a name under each key.
const MOST_KEYS: usize = 8;

/// What is wrong with the keys of a farm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKeys {
    /// What should be a key is none.
    NoKey,
    /// There is no key.
    None,
    /// There are more than anybody needs.
    TooMany {
        /// So many.
        count: usize,
    },
    /// The same key is there twice.
    Twice,
}

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("a key has 32 bytes, or 64 hexadecimal digits (openssl rand -hex 32)"),
            Self::None => f.write_str("there is no key to seal sessions with"),
            Self::TooMany { count } => {
                write!(f, "there are {count} keys, and {MOST_KEYS} at most make sense")
            }
            Self::Twice => f.write_str("the same key is there twice"),
        }
    }
}

impl Error for BadKeys {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_as_bytes_and_as_digits() {
        let bytes: Vec<u8> = (0..32).collect();
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let key = FarmKey::read(&bytes).unwrap();
        assert_eq!(FarmKey::read(format!(" {digits}\n").as_bytes()).unwrap().id, key.id);
        assert_ne!(FarmKey::read(&[1; 32]).unwrap().id, key.id);
        for wrong in [&b"secret"[..], &[b'0'; 63], &[b'g'; 64], &[1; 31], &[]] {
            assert_eq!(FarmKey::read(wrong).unwrap_err(), BadKeys::NoKey);
        }
    }

    #[test]
    fn a_ring_has_a_key_and_none_twice() {
        let key = |byte| FarmKey::read(&[byte; 32]).unwrap();
        assert_eq!(KeyRing::new(Vec::new()).unwrap_err(), BadKeys::None);
        assert_eq!(KeyRing::new(vec![key(1), key(2), key(1)]).unwrap_err(), BadKeys::Twice);
        assert_eq!(KeyRing::new((0..9).map(key).collect()).unwrap_err(), BadKeys::TooMany { count: 9 });
        assert_eq!(KeyRing::new((0..8).map(key).collect()).unwrap().keys().count(), 8);
    }
}
