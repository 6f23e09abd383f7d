//! The names of Digest's closed lists: algorithms, qualities of protection, ciphers.

use core::fmt;

use crypto::hash::{Digest, Hash};
use serde::Deserialize;
use sspi_core::DigestAlgorithm;

/// `algorithm`: a hash function, and whether the key is one of the session.
///
/// Spec: DIGEST (RFC 7616) section 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithm {
    /// The hash function.
    pub hash: DigestAlgorithm,
    /// `-sess`: the key is made of the nonces of both ends.
    pub is_session: bool,
}

macro_rules! names {
    ($type:ident, $what:literal; $($value:ident = $name:literal,)*) => {
        impl $type {
            /// Every one that there is.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// The name on the wire and in a configuration.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)*
                }
            }

            /// The one of this name, in any case.
            #[must_use]
            pub fn by_name(name: &[u8]) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name().as_bytes().eq_ignore_ascii_case(name))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(name: String) -> Result<Self, String> {
                Self::by_name(name.as_bytes()).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|one| one.name()).collect();
                    format!("there is no {} {name:?}; known: {}", $what, known.join(", "))
                })
            }
        }
    };
}

impl Algorithm {
    /// `MD5`.
    pub const MD5: Self = Self { hash: DigestAlgorithm::Md5, is_session: false };
    /// `MD5-sess`.
    pub const MD5_SESS: Self = Self { hash: DigestAlgorithm::Md5, is_session: true };
    /// `SHA-256`.
    pub const SHA_256: Self = Self { hash: DigestAlgorithm::Sha256, is_session: false };
    /// `SHA-256-sess`.
    pub const SHA_256_SESS: Self = Self { hash: DigestAlgorithm::Sha256, is_session: true };
    /// `SHA-512-256`.
    pub const SHA_512_256: Self = Self { hash: DigestAlgorithm::Sha512Of256, is_session: false };
    /// `SHA-512-256-sess`.
    pub const SHA_512_256_SESS: Self = Self { hash: DigestAlgorithm::Sha512Of256, is_session: true };

    /// Every one that there is.
    pub const ALL: &'static [Self] = &[
        Self::SHA_512_256,
        Self::SHA_512_256_SESS,
        Self::SHA_256,
        Self::SHA_256_SESS,
        Self::MD5,
        Self::MD5_SESS,
    ];

    /// The name on the wire and in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.hash, self.is_session) {
            (DigestAlgorithm::Md5, false) => "MD5",
            (DigestAlgorithm::Md5, true) => "MD5-sess",
            (DigestAlgorithm::Sha256, false) => "SHA-256",
            (DigestAlgorithm::Sha256, true) => "SHA-256-sess",
            (DigestAlgorithm::Sha512Of256, false) => "SHA-512-256",
            (DigestAlgorithm::Sha512Of256, true) => "SHA-512-256-sess",
        }
    }

    /// The one of this name, in any case.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for Algorithm {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::by_name(name.as_bytes()).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|one| one.name()).collect();
            format!("there is no algorithm {name:?}; known: {}", known.join(", "))
        })
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// `qop`: the quality of protection.
///
/// Spec: DIGEST (RFC 7616) section 3.3; DIGEST (RFC 2831) section 2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Qop {
    /// None: the form of RFC 2069, of HTTP only. Nothing counts how often a nonce was used.
    None,
    /// Authentication alone.
    Auth,
    /// Authentication, and integrity: of the body in HTTP, of the messages that follow in SASL.
    AuthInt,
    /// Authentication, integrity and confidentiality, of SASL only.
    AuthConf,
}

names! { Qop, "quality of protection"; None = "none", Auth = "auth", AuthInt = "auth-int", AuthConf = "auth-conf", }

impl Qop {
    /// The one of this name on the wire, where `none` is no name.
    #[must_use]
    pub fn on_the_wire(name: &[u8]) -> Option<Self> {
        Self::by_name(name).filter(|qop| *qop != Self::None)
    }
}

/// `cipher`: with what SASL encrypts.
///
/// Spec: DIGEST (RFC 2831) section 2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Cipher {
    /// `3des`: triple DES with two keys, in CBC mode.
    TripleDes,
    /// `rc4`: RC4 with 128 bits.
    Rc4,
    /// `des`: DES in CBC mode.
    Des,
    /// `rc4-56`: RC4 with 56 bits.
    Rc4Of56,
    /// `rc4-40`: RC4 with 40 bits.
    Rc4Of40,
}

names! {
    Cipher, "cipher";
    TripleDes = "3des", Rc4 = "rc4", Des = "des", Rc4Of56 = "rc4-56", Rc4Of40 = "rc4-40",
}

impl Cipher {
    /// How many bits of the session's key protect messages.
    #[must_use]
    pub const fn key_bits(self) -> u32 {
        match self {
            Self::TripleDes => 112,
            Self::Rc4 => 128,
            Self::Des | Self::Rc4Of56 => 56,
            Self::Rc4Of40 => 40,
        }
    }

    /// The length of a block, in bytes; 1 for a stream cipher.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::TripleDes | Self::Des => 8,
            Self::Rc4 | Self::Rc4Of56 | Self::Rc4Of40 => 1,
        }
    }
}

/// The words of a list such as `"auth, auth-int"`; those that are not known do not count.
pub(crate) fn known<T>(list: &[u8], by_name: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
    list.split(|byte| *byte == b',').filter_map(|word| by_name(word.trim_ascii())).collect()
}

/// The names with commas between them.
pub(crate) fn joined<T: fmt::Display>(list: &[T], separator: &str) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

/// The hash function itself.
pub(crate) const fn function(algorithm: DigestAlgorithm) -> Hash {
    match algorithm {
        DigestAlgorithm::Md5 => Hash::Md5,
        DigestAlgorithm::Sha256 => Hash::Sha256,
        DigestAlgorithm::Sha512Of256 => Hash::Sha512Of256,
    }
}

/// H of the parts with a colon between them.
pub(crate) fn hash_of(algorithm: DigestAlgorithm, parts: &[&[u8]]) -> Digest {
    let mut context = function(algorithm).context();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            context.update(b":");
        }
        context.update(part);
    }
    context.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written_and_in_any_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::by_name(algorithm.name().to_lowercase().as_bytes()), Some(*algorithm));
        }
        for qop in Qop::ALL {
            assert_eq!(Qop::by_name(qop.name().to_uppercase().as_bytes()), Some(*qop));
        }
        for cipher in Cipher::ALL {
            assert_eq!(Cipher::by_name(cipher.name().as_bytes()), Some(*cipher));
        }
        assert_eq!(Algorithm::by_name(b"SHA-512"), None);
        assert_eq!(Qop::on_the_wire(b"none"), None);
    }

    #[test]
    fn unknown_words_of_a_list_do_not_count() {
        assert_eq!(known(b"auth ,token, auth-conf", Qop::on_the_wire), [Qop::Auth, Qop::AuthConf]);
        assert_eq!(joined(&[Qop::Auth, Qop::AuthInt], ","), "auth,auth-int");
    }
}
