//! Ciphers, hashes, certificates, exchanges and signatures by their codes, and a row for each pair of cipher and hash.
//!
//! PCT negotiates cipher and hash apart. A policy lists them together, as for the other protocols; the codes of these
//! rows are ours alone and never on the wire.
//!
//! Spec: PCT1 sections 5.3 and 5.5.2.

use crypto::cipher::BlockCipher;
use crypto::hash::{Digest, Hash};

use crate::record::Bulk;
use crate::tls::cipher_suites::{CipherSuite, KeyExchange, Strength, SuiteRow};
use crate::tls::versions::ProtocolVersion;

/// A cipher specification: type, bits of key, and bits of the MAC's key less 64.
///
/// Spec: PCT1 section 5.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CipherSpec {
    pub(crate) cipher: u16,
    pub(crate) bits: u8,
    pub(crate) mac_bits_less_64: u8,
}

impl CipherSpec {
    pub(crate) const fn from_bytes([high, low, bits, mac_bits_less_64]: [u8; 4]) -> Self {
        Self { cipher: u16::from_be_bytes([high, low]), bits, mac_bits_less_64 }
    }

    pub(crate) const fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.cipher.to_be_bytes();
        [high, low, self.bits, self.mac_bits_less_64]
    }

    /// Bits of the MAC's key.
    pub(crate) fn mac_bits(self) -> usize {
        usize::from(self.mac_bits_less_64) + 64
    }
}

/// What we offer beyond 64 bits of the MAC's key: 128 in all.
pub(crate) const MAC_BITS_LESS_64: u8 = 0x40;

/// Cipher types.
pub(crate) mod cipher {
    pub(crate) const DES: u16 = 1;
    pub(crate) const IDEA: u16 = 2;
    pub(crate) const RC2: u16 = 3;
    pub(crate) const RC4: u16 = 4;
    pub(crate) const DES_112: u16 = 5;
    pub(crate) const DES_168: u16 = 6;
}

/// Hash types.
pub(crate) mod hash {
    pub(crate) const MD5: u16 = 1;
    pub(crate) const MD5_TRUNC_64: u16 = 2;
    pub(crate) const SHA: u16 = 3;
    pub(crate) const SHA_TRUNC_80: u16 = 4;
}

/// Certificate types. X509_CHAIN is not in the draft.
pub(crate) mod certificate {
    pub(crate) const NONE: u16 = 0;
    pub(crate) const X509: u16 = 1;
    pub(crate) const X509_CHAIN: u16 = 3;
    /// Those that there are here, the preferred one first.
    pub(crate) const ALL: [u16; 2] = [X509_CHAIN, X509];
}

/// The exchange of a key under RSA.
pub(crate) const RSA_PKCS1: u16 = 1;

/// Signature types.
pub(crate) mod signature {
    pub(crate) const NONE: u16 = 0;
    pub(crate) const RSA_MD5: u16 = 1;
    pub(crate) const RSA_SHA: u16 = 2;
    pub(crate) const DSA_SHA: u16 = 3;
    /// Those that there are, the preferred one first.
    pub(crate) const ALL: [u16; 3] = [RSA_SHA, DSA_SHA, RSA_MD5];
}

/// A hash function, which may be a truncated one.
///
/// Spec: PCT1 section 5.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HashKind {
    hash: Hash,
    len: usize,
}

impl HashKind {
    pub(crate) const fn of_code(code: u16) -> Option<Self> {
        Some(match code {
            hash::MD5 => Self { hash: Hash::Md5, len: 16 },
            hash::MD5_TRUNC_64 => Self { hash: Hash::Md5, len: 8 },
            hash::SHA => Self { hash: Hash::Sha1, len: 20 },
            hash::SHA_TRUNC_80 => Self { hash: Hash::Sha1, len: 10 },
            _ => return None,
        })
    }

    /// Bytes of output.
    pub(crate) const fn len(self) -> usize {
        self.len
    }

    /// How many outputs so many bits take.
    pub(crate) const fn outputs_for(self, bits: usize) -> usize {
        bits.div_ceil(8 * self.len)
    }

    /// The hash of the concatenation of `parts`.
    pub(crate) fn digest(self, parts: &[&[u8]]) -> Output {
        let mut context = self.hash.context();
        parts.iter().for_each(|part| context.update(part));
        Output { digest: context.finish(), len: self.len }
    }

    /// `Hash(key, Hash(parts))`, by which records and messages are authenticated.
    pub(crate) fn keyed(self, key: &[u8], parts: &[&[u8]]) -> Output {
        self.digest(&[key, self.digest(parts).as_ref()])
    }
}

/// The output of a hash.
pub(crate) struct Output {
    digest: Digest,
    len: usize,
}

impl AsRef<[u8]> for Output {
    fn as_ref(&self) -> &[u8] {
        self.digest.as_ref().get(..self.len).unwrap_or_default()
    }
}

/// A cipher with one of its key lengths, and a hash.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) row: SuiteRow,
    pub(crate) cipher: u16,
    pub(crate) bits: u8,
    pub(crate) hash: u16,
}

impl Spec {
    /// The specification with the MAC key that we offer.
    pub(crate) const fn offer(&self) -> CipherSpec {
        CipherSpec { cipher: self.cipher, bits: self.bits, mac_bits_less_64: MAC_BITS_LESS_64 }
    }

    /// Whether a peer's specification means this cipher. Without encryption the type does not matter.
    pub(crate) const fn is(&self, spec: CipherSpec) -> bool {
        self.bits == spec.bits && (self.bits == 0 || self.cipher == spec.cipher)
    }

    /// Its hash.
    pub(crate) fn hash_kind(&self) -> HashKind {
        HashKind::of_code(self.hash).unwrap_or(HashKind { hash: Hash::Md5, len: 16 })
    }

    /// The standard length of the cipher's key, in bits.
    pub(crate) const fn standard_bits(&self) -> usize {
        if self.bits == 0 {
            return 0;
        }
        match self.cipher {
            cipher::DES => 56,
            cipher::DES_112 => 112,
            cipher::DES_168 => 168,
            _ => 128,
        }
    }

    /// Whether its key is shorter than the cipher's, so that a clear key stretches it.
    pub(crate) fn is_shortened(&self) -> bool {
        usize::from(self.bits) < self.standard_bits()
    }

    /// In how many parts the clear key comes; none where there is none.
    pub(crate) fn clear_parts(&self) -> usize {
        if self.is_shortened() { self.hash_kind().outputs_for(self.standard_bits()) } else { 0 }
    }

    /// Whether `clear` is a clear key for this cipher: none for a key of full length, else parts of one length, no two of
    /// them the same.
    pub(crate) fn accepts_clear_key(&self, clear: &[u8]) -> bool {
        let parts = self.clear_parts();
        if parts == 0 || clear.is_empty() {
            return parts == 0 && clear.is_empty();
        }
        if !clear.len().is_multiple_of(parts) {
            return false;
        }
        let mut seen: Vec<&[u8]> = Vec::new();
        clear.chunks(clear.len() / parts).all(|part| {
            let is_new = !seen.contains(&part);
            seen.push(part);
            is_new
        })
    }

    /// Bytes of KEY_ARG.
    pub(crate) const fn key_arg_len(&self) -> usize {
        if matches!(self.row.bulk, Bulk::Cbc(_)) { 8 } else { 0 }
    }

    pub(crate) fn of_suite(suite: CipherSuite) -> Option<&'static Self> {
        SPECS.iter().find(|spec| spec.row.suite == suite)
    }

    /// The row of what a peer says.
    pub(crate) fn find(spec: CipherSpec, hash: u16) -> Option<&'static Self> {
        SPECS.iter().find(|own| own.is(spec) && own.hash == hash)
    }
}

const fn row(code: u16, name: &'static str, bulk: Bulk, bits: u8, hash: Hash) -> SuiteRow {
    SuiteRow {
        suite: CipherSuite(code),
        name,
        key_exchange: KeyExchange::Rsa,
        bulk,
        mac: Some(hash),
        key_material: (bits as usize).div_ceil(8),
        strength: Strength(bits as u32),
        prf: hash,
        first: ProtocolVersion::PCT1,
        last: ProtocolVersion::PCT1,
    }
}

macro_rules! specs {
    ($($cipher:ident $bits:literal $name:literal $bulk:expr, $code:literal;)*) => {
        /// Every pair of cipher and hash.
        pub(crate) static SPECS: &[Spec] = &[$(
            Spec {
                row: row(0x8100 | $code, concat!("PCT1_", $name, "_WITH_MD5"), $bulk, $bits, Hash::Md5),
                cipher: cipher::$cipher, bits: $bits, hash: hash::MD5,
            },
            Spec {
                row: row(0x8200 | $code, concat!("PCT1_", $name, "_WITH_MD5_TRUNC_64"), $bulk, $bits, Hash::Md5),
                cipher: cipher::$cipher, bits: $bits, hash: hash::MD5_TRUNC_64,
            },
            Spec {
                row: row(0x8300 | $code, concat!("PCT1_", $name, "_WITH_SHA"), $bulk, $bits, Hash::Sha1),
                cipher: cipher::$cipher, bits: $bits, hash: hash::SHA,
            },
            Spec {
                row: row(0x8400 | $code, concat!("PCT1_", $name, "_WITH_SHA_TRUNC_80"), $bulk, $bits, Hash::Sha1),
                cipher: cipher::$cipher, bits: $bits, hash: hash::SHA_TRUNC_80,
            },
        )*];
    };
}

specs! {
    RC4 0 "NULL" Bulk::Null, 0x00;
    DES 56 "DES_56" Bulk::Cbc(BlockCipher::Des), 0x10;
    DES 40 "DES_40" Bulk::Cbc(BlockCipher::Des), 0x11;
    IDEA 128 "IDEA_128" Bulk::Cbc(BlockCipher::Idea), 0x20;
    IDEA 40 "IDEA_40" Bulk::Cbc(BlockCipher::Idea), 0x21;
    RC2 128 "RC2_128" Bulk::Cbc(BlockCipher::Rc2), 0x30;
    RC2 64 "RC2_64" Bulk::Cbc(BlockCipher::Rc2), 0x32;
    RC2 40 "RC2_40" Bulk::Cbc(BlockCipher::Rc2), 0x31;
    RC4 128 "RC4_128" Bulk::Rc4, 0x40;
    RC4 64 "RC4_64" Bulk::Rc4, 0x42;
    RC4 56 "RC4_56" Bulk::Rc4, 0x43;
    RC4 40 "RC4_40" Bulk::Rc4, 0x41;
    DES_112 112 "DES_112" Bulk::Cbc(BlockCipher::TripleDes), 0x50;
    DES_112 64 "DES_112_64" Bulk::Cbc(BlockCipher::TripleDes), 0x52;
    DES_168 168 "DES_168" Bulk::Cbc(BlockCipher::TripleDes), 0x60;
    DES_168 40 "DES_168_40" Bulk::Cbc(BlockCipher::TripleDes), 0x61;
}

/// Every pair of cipher and hash of PCT 1.0 as a row.
///
/// Spec: PCT1 sections 5.3.2 and 5.3.3.
pub fn suites() -> impl Iterator<Item = &'static SuiteRow> {
    SPECS.iter().map(|spec| &spec.row)
}

/// What is sensible to enable, the preferred one first: whole hashes, and the strongest keys before the shortened ones.
#[rustfmt::skip]
pub const BY_PREFERENCE: &[CipherSuite] = &[
    CipherSuite(0x8360), CipherSuite(0x8160), CipherSuite(0x8320), CipherSuite(0x8120), CipherSuite(0x8340), CipherSuite(0x8140),
    CipherSuite(0x8330), CipherSuite(0x8130), CipherSuite(0x8350), CipherSuite(0x8150),
    CipherSuite(0x8342), CipherSuite(0x8142), CipherSuite(0x8332), CipherSuite(0x8132), CipherSuite(0x8310), CipherSuite(0x8110),
    CipherSuite(0x8343), CipherSuite(0x8143), CipherSuite(0x8341), CipherSuite(0x8141), CipherSuite(0x8331), CipherSuite(0x8131),
    CipherSuite(0x8321), CipherSuite(0x8121), CipherSuite(0x8311), CipherSuite(0x8111),
];
