//! The cipher kinds, one row each.

use std::fmt::{self, Debug, Display, Formatter};

use crypto::cipher::BlockCipher;
use crypto::hash::Hash;

use crate::record::Bulk;
use crate::tls::cipher_suites::{CipherSuite, KeyExchange, Strength, SuiteRow};
use crate::tls::versions::ProtocolVersion;

/// A cipher kind as on the wire: three bytes. In a hello of the format of SSL 2.0 those that begin with 0 are the suites
/// of the later protocols.
///
/// Spec: SSL2 section C.4; TLS10 appendix E.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherKind(pub [u8; 3]);

impl CipherKind {
    /// The row of this kind, if the engine has it.
    #[must_use]
    pub fn row(self) -> Option<&'static KindRow> {
        KINDS.iter().find(|row| row.kind == self)
    }

    /// A suite of a later protocol, as a hello of this format has it.
    pub(crate) const fn of_suite(suite: CipherSuite) -> Self {
        let [high, low] = suite.0.to_be_bytes();
        Self([0, high, low])
    }

    /// The suite of a later protocol that it stands for.
    pub(crate) const fn suite(self) -> Option<CipherSuite> {
        match self.0 {
            [0, high, low] => Some(CipherSuite(u16::from_be_bytes([high, low]))),
            _ => None,
        }
    }
}

impl Debug for CipherKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        match (self.row(), self.suite()) {
            (Some(row), _) => f.write_str(row.suite.name),
            (None, Some(suite)) => Debug::fmt(&suite, f),
            (None, None) => write!(f, "{a:02x}{b:02x}{c:02x}"),
        }
    }
}

impl Display for CipherKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

/// Everything about a cipher kind.
#[derive(Debug, PartialEq, Eq)]
pub struct KindRow {
    /// The three bytes.
    pub kind: CipherKind,
    /// How it is spoken of beside the suites of later protocols: name, cipher, strength. Its number there is one of the
    /// range for private use, which is never sent.
    pub suite: SuiteRow,
    /// Bytes of the master key, and of each direction's key.
    pub key_len: usize,
    /// Bytes of the master key that are encrypted; the others travel in clear.
    pub secret_len: usize,
}

impl KindRow {
    /// The row of a kind among the suites of a policy.
    pub(crate) fn of(suite: CipherSuite) -> Option<&'static Self> {
        KINDS.iter().find(|row| row.suite.suite == suite)
    }

    /// Bytes of the master key that travel in clear.
    pub(crate) const fn clear_len(&self) -> usize {
        self.key_len - self.secret_len
    }

    /// Bytes of the cipher's argument: the initialization vector of a block cipher.
    pub(crate) const fn key_arg_len(&self) -> usize {
        match self.suite.bulk {
            Bulk::Cbc(cipher) => cipher.block_len(),
            _ => 0,
        }
    }
}

macro_rules! kinds {
    ($($kind:literal $number:literal $name:ident $bulk:expr, $key:literal, $secret:literal, $bits:literal;)*) => {
        /// Every kind of the engine, by code. RC2 has 128 effective bits in both of its kinds.
        ///
        /// Spec: SSL2 sections 5.5.2 and C.4.
        #[rustfmt::skip]
        pub static KINDS: &[KindRow] = &[$(KindRow {
            kind: { let [_, a, b, c] = u32::to_be_bytes($kind); CipherKind([a, b, c]) },
            suite: SuiteRow {
                suite: CipherSuite($number),
                name: stringify!($name),
                key_exchange: KeyExchange::Rsa,
                bulk: $bulk,
                mac: Some(Hash::Md5),
                key_material: $key,
                strength: Strength($bits),
                prf: Hash::Md5,
                first: ProtocolVersion::SSL20,
                last: ProtocolVersion::SSL20,
            },
            key_len: $key,
            secret_len: $secret,
        }),*];
    };
}

const RC2: Bulk = Bulk::Cbc(BlockCipher::Rc2);
const IDEA: Bulk = Bulk::Cbc(BlockCipher::Idea);
const DES: Bulk = Bulk::Cbc(BlockCipher::Des);
const TDES: Bulk = Bulk::Cbc(BlockCipher::TripleDes);

kinds! {
    0x010080 0xff01 SSL_CK_RC4_128_WITH_MD5              Bulk::Rc4, 16, 16, 128;
    0x020080 0xff02 SSL_CK_RC4_128_EXPORT40_WITH_MD5     Bulk::Rc4, 16, 5,  40;
    0x030080 0xff03 SSL_CK_RC2_128_CBC_WITH_MD5          RC2,       16, 16, 128;
    0x040080 0xff04 SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5 RC2,       16, 5,  40;
    0x050080 0xff05 SSL_CK_IDEA_128_CBC_WITH_MD5         IDEA,      16, 16, 128;
    0x060040 0xff06 SSL_CK_DES_64_CBC_WITH_MD5           DES,       8,  8,  56;
    0x0700c0 0xff07 SSL_CK_DES_192_EDE3_CBC_WITH_MD5     TDES,      24, 24, 168;
}

/// Every kind, the better one first; those that anybody can break come last. It is the order of Windows, with IDEA, which
/// Windows has not, behind its peers.
pub const KINDS_BY_PREFERENCE: &[CipherSuite] = &[
    CipherSuite(0xff01),
    CipherSuite(0xff07),
    CipherSuite(0xff03),
    CipherSuite(0xff05),
    CipherSuite(0xff06),
    CipherSuite(0xff02),
    CipherSuite(0xff04),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_their_names_say() {
        for row in KINDS {
            let name = row.suite.name;
            let [number, _, bits] = row.kind.0;
            assert_eq!(usize::from(bits), row.key_len * 8, "{name}");
            assert_eq!(row.suite.suite.0.to_be_bytes(), [0xff, number], "{name}");
            assert_eq!(row.clear_len() > 0, name.contains("EXPORT40"), "{name}");
            assert_eq!(row.key_arg_len() == 8, name.contains("CBC"), "{name}");
            assert_eq!(row.kind.row(), Some(row), "{name}");
            assert_eq!(KindRow::of(row.suite.suite), Some(row), "{name}");
            assert_eq!(row.suite.suite.row(), Some(&row.suite), "{name}");
            assert_eq!(CipherSuite::by_name(name), Some(row.suite.suite), "{name}");
            assert!(KINDS_BY_PREFERENCE.contains(&row.suite.suite), "{name}");
        }
        assert_eq!(KINDS.len(), KINDS_BY_PREFERENCE.len());
    }

    #[test]
    fn a_suite_in_three_bytes_is_itself_again() {
        assert_eq!(CipherKind([0, 0x56, 0]).suite(), Some(CipherSuite::FALLBACK));
        assert_eq!(CipherKind::of_suite(CipherSuite(0xc014)), CipherKind([0, 0xc0, 0x14]));
        assert_eq!(CipherKind([1, 0, 0x80]).suite(), None);
    }
}
