//! A session as it lies in Redis.
//!
//! ```text
//! name     "opensspi:session:" and 64 hexadecimal digits: HMAC-SHA-256 of the session's key
//!
//! format   1   FORMAT
//! key      8   which key of the farm
//! salt    16   random: the key of this value, and its nonce, are derived from it
//! sealed       until (8, seconds since the Unix epoch), era (16), generation (4), group (4), session; and 16
//!              of tag
//! ```
//!
//! Format, key and name are authenticated with it: a value is what it is under its own name only. Era and generation say
//! whether it can have been removed without our knowing it ([`removals`](crate::removals)), and the group is a mark that all values
//! of one session have in common.
//!
//! Each value has a key of its own, so that however many there are, no nonce comes twice.

use crypto::aead::{AeadAlgorithm, AeadKey};
use crypto::hash::Hash;
use crypto::hkdf::hkdf_expand;
use crypto::random::Random;
use zeroize::Zeroizing;

use crate::key_ring::{FarmKey, KEY_ID_LEN, KeyRing};
use crate::removals::{ERA_LEN, Made, Mark};

const FORMAT: u8 = 2;
const SALT_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// What all names begin with.
pub(crate) const PREFIX: &str = "opensspi:session:";

/// The name of a session under a key of the farm.
pub(crate) fn name(key: &FarmKey, session: &[u8]) -> String {
    let mac = key.naming.sign(session);
    let digits = mac.as_ref().iter().map(|byte| format!("{byte:02x}"));
    core::iter::once(PREFIX.to_owned()).chain(digits).collect()
}

/// What stands for a name where sessions are told that were removed; `None` of what is no name.
pub(crate) fn mark(name: &str) -> Option<Mark> {
    Mark::from_str_radix(name.strip_prefix(PREFIX)?.get(..8)?, 16).ok()
}

fn value_key(key: &FarmKey, salt: &[u8; SALT_LEN]) -> Option<(AeadKey, [u8; NONCE_LEN])> {
    let mut derived = Zeroizing::new([0; 32 + NONCE_LEN]);
    hkdf_expand(Hash::Sha256, &*key.sealing, salt, &mut *derived).ok()?;
    let (secret, nonce) = derived.split_first_chunk::<32>()?;
    Some((AeadKey::new(AeadAlgorithm::Aes256Gcm, secret).ok()?, nonce.try_into().ok()?))
}

fn associated(key: &FarmKey, name: &str) -> Vec<u8> {
    [&[FORMAT], key.id.as_slice(), name.as_bytes()].concat()
}

/// A session that was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// When its time is over, in seconds since the Unix epoch.
    pub(crate) until: u64,
    pub(crate) made: Made,
    pub(crate) group: Mark,
    pub(crate) session: Zeroizing<Vec<u8>>,
}

/// Seals a session, under a name of the same key.
pub(crate) fn seal(key: &FarmKey, name: &str, it: &Sealed, random: &dyn Random) -> Option<Vec<u8>> {
    let mut content = Zeroizing::new(Vec::with_capacity(8 + ERA_LEN + 4 + 4 + it.session.len()));
    content.extend_from_slice(&it.until.to_be_bytes());
    content.extend_from_slice(&it.made.era);
    content.extend_from_slice(&it.made.generation.to_be_bytes());
    content.extend_from_slice(&it.group.to_be_bytes());
    content.extend_from_slice(&it.session);
    seal_content(key, name, content, random)
}

/// Seals whatever belongs under this name.
pub(crate) fn seal_content(
    key: &FarmKey,
    name: &str,
    mut content: Zeroizing<Vec<u8>>,
    random: &dyn Random,
) -> Option<Vec<u8>> {
    let mut salt = [0; SALT_LEN];
    random.fill(&mut salt).ok()?;
    let (aead, nonce) = value_key(key, &salt)?;
    let tag = aead.seal_in_place(nonce, &associated(key, name), &mut content).ok()?;
    Some([&[FORMAT], key.id.as_slice(), &salt, &content, &tag].concat())
}

/// The session in a value of this name; `None` for whatever else it is, and behind its time.
pub(crate) fn open(ring: &KeyRing, name: &str, value: &[u8], now: u64) -> Option<Sealed> {
    let (_, content) = open_content(ring, name, value)?;
    let (until, rest) = content.split_first_chunk::<8>()?;
    let (era, rest) = rest.split_first_chunk::<ERA_LEN>()?;
    let (generation, rest) = rest.split_first_chunk::<4>()?;
    let (group, session) = rest.split_first_chunk::<4>()?;
    let until = u64::from_be_bytes(*until);
    let made = Made { era: *era, generation: u32::from_be_bytes(*generation) };
    let group = Mark::from_be_bytes(*group);
    (now <= until).then(|| Sealed { until, made, group, session: Zeroizing::new(session.to_vec()) })
}

/// What was sealed under this name, and the key that it is sealed with.
pub(crate) fn open_content<'a>(
    ring: &'a KeyRing,
    name: &str,
    value: &[u8],
) -> Option<(&'a FarmKey, Zeroizing<Vec<u8>>)> {
    let (format, rest) = value.split_first()?;
    let (id, rest) = rest.split_first_chunk::<KEY_ID_LEN>()?;
    let (salt, sealed) = rest.split_first_chunk::<SALT_LEN>()?;
    if *format != FORMAT || sealed.len() < TAG_LEN {
        return None;
    }
    let key = ring.keys().find(|key| key.id == *id)?;
    let (aead, nonce) = value_key(key, salt)?;
    let mut content = Zeroizing::new(sealed.to_vec());
    let length = aead.open_in_place(nonce, &associated(key, name), &mut content).ok()?;
    content.truncate(length);
    Some((key, content))
}

#[cfg(test)]
mod tests {
    use crypto::random::RandomError;

    use super::*;

    /// The same byte again and again.
    struct Same(u8);

    impl Random for Same {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            out.fill(self.0);
            Ok(())
        }
    }

    fn key(byte: u8) -> FarmKey {
        FarmKey::read(&[byte; 32]).unwrap()
    }

    fn ring(bytes: &[u8]) -> KeyRing {
        KeyRing::new(bytes.iter().map(|byte| key(*byte)).collect()).unwrap()
    }

    fn until_100(session: &[u8]) -> Sealed {
        let made = Made { era: [5; ERA_LEN], generation: 6 };
        Sealed { until: 100, made, group: 9, session: Zeroizing::new(session.to_vec()) }
    }

    fn sealed(byte: u8, session: &[u8]) -> (String, Vec<u8>) {
        let key = key(byte);
        let name = name(&key, b"session");
        let value = seal(&key, &name, &until_100(session), &Same(7)).unwrap();
        (name, value)
    }

    #[test]
    fn a_session_comes_back_under_its_name_until_its_time() {
        let (name, value) = sealed(1, b"secret");
        assert_eq!(open(&ring(&[1]), &name, &value, 100), Some(until_100(b"secret")));
        assert_eq!(open(&ring(&[1]), &name, &value, 101), None, "kept beyond its time");
    }

    #[test]
    fn the_value_and_its_name_tell_nothing() {
        let (name, value) = sealed(1, b"a secret that is long enough to be found");
        assert!(!name.contains("session:session") && !name.contains("73657373696f6e"));
        assert!(!value.windows(8).any(|window| window == b"a secret"));
        let again = {
            let key = key(1);
            seal(&key, &name, &until_100(b"a secret that is long enough to be found"), &Same(8))
        };
        assert_ne!(again.unwrap(), value, "nor that a session is the same as another");
    }

    #[test]
    fn altered_at_any_byte_or_cut_or_under_another_name_it_is_none() {
        let (name, value) = sealed(1, b"secret");
        let ring = ring(&[1]);
        for at in 0..value.len() {
            let mut altered = value.clone();
            altered[at] ^= 1;
            assert_eq!(open(&ring, &name, &altered, 0), None, "{at}");
            assert_eq!(open(&ring, &name, &value[..at], 0), None, "{at}");
        }
        assert_eq!(open(&ring, &super::name(&key(1), b"another"), &value, 0), None);
        assert_eq!(open(&ring, &name, &[], 0), None);
    }

    #[test]
    fn the_first_key_seals_and_all_open() {
        let (name, value) = sealed(1, b"secret");
        assert!(open(&ring(&[2, 1]), &name, &value, 0).is_some());
        assert!(open(&ring(&[2, 3]), &name, &value, 0).is_none());
        assert_ne!(super::name(&key(2), b"session"), name);
    }
}
