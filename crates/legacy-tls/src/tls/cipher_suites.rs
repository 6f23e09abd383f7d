//! The cipher suites, one row each; the orders of preference are arrays of their own.

use std::fmt::{self, Debug, Display, Formatter};

use crypto::aead::AeadAlgorithm;
use crypto::cipher::BlockCipher;
use crypto::hash::Hash;

use crate::record::Bulk;
use crate::ssl2::cipher_kinds::KINDS;
use crate::tls::versions::ProtocolVersion;

/// A cipher suite as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CipherSuite(pub u16);

impl CipherSuite {
    /// TLS_EMPTY_RENEGOTIATION_INFO_SCSV: no suite, but a signal. Spec: RENEG section 3.3.
    pub const EMPTY_RENEGOTIATION_INFO: Self = Self(0x00ff);
    /// TLS_FALLBACK_SCSV: no suite, but a signal. Spec: SCSV section 2.
    pub const FALLBACK: Self = Self(0x5600);

    /// The row of this suite, if the engine has it.
    #[must_use]
    pub fn row(self) -> Option<&'static SuiteRow> {
        all_rows().find(|row| row.suite == self)
    }

    /// The suite of a registered name, in any case.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        all_rows().find(|row| row.name.eq_ignore_ascii_case(name)).map(|row| row.suite)
    }
}

/// The suites, the cipher kinds of SSL 2.0, and what PCT has of ciphers and hashes together.
fn all_rows() -> impl Iterator<Item = &'static SuiteRow> {
    SUITES.iter().chain(KINDS.iter().map(|kind| &kind.suite)).chain(crate::pct1::suites())
}

impl Debug for CipherSuite {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name),
            None => write!(f, "{:04x}", self.0),
        }
    }
}

impl Display for CipherSuite {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}

/// How the premaster secret is agreed, and with what key the server shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// The premaster secret under the certificate's RSA key.
    Rsa,
    /// The same under an RSA key of at most so many bits: the certificate's, or one made for the purpose and signed with
    /// it.
    RsaExport {
        /// 512 or 1024.
        bits: u32,
    },
    /// Ephemeral Diffie-Hellman, signed with RSA.
    DheRsa,
    /// Ephemeral Diffie-Hellman, signed with DSA.
    DheDss,
    /// The same in a group of at most so many bits.
    DheDssExport {
        /// 1024.
        bits: u32,
    },
    /// Ephemeral Diffie-Hellman on an elliptic curve, signed with RSA.
    EcdheRsa,
    /// Ephemeral Diffie-Hellman on an elliptic curve, signed with ECDSA (or EdDSA).
    EcdheEcdsa,
}

impl KeyExchange {
    /// Whether United States law of the 1990s let it out of the country: it can be broken by anybody.
    #[must_use]
    pub const fn is_export(self) -> bool {
        matches!(self, Self::RsaExport { .. } | Self::DheDssExport { .. })
    }

    /// Whether the premaster secret travels under an RSA key.
    pub(crate) const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa | Self::RsaExport { .. })
    }

    /// Whether an elliptic curve is needed.
    pub(crate) const fn is_elliptic(self) -> bool {
        matches!(self, Self::EcdheRsa | Self::EcdheEcdsa)
    }

    /// Whether there is no key exchange without a ServerKeyExchange.
    pub(crate) const fn is_ephemeral(self) -> bool {
        !self.is_rsa()
    }
}

/// How strong a suite's encryption is, in bits; what a short key was stretched to does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strength(pub u32);

/// Everything about a suite.
#[derive(Debug, PartialEq, Eq)]
pub struct SuiteRow {
    /// The code point.
    pub suite: CipherSuite,
    /// The registered name.
    pub name: &'static str,
    /// How keys are agreed.
    pub key_exchange: KeyExchange,
    /// What encrypts records.
    pub bulk: Bulk,
    /// The hash of the records' MAC; `None` for an AEAD.
    pub mac: Option<Hash>,
    /// Bytes of each direction's key that come out of the key block.
    pub key_material: usize,
    /// Bits of strength.
    pub strength: Strength,
    /// The hash of TLS 1.2's PRF and Finished.
    pub prf: Hash,
    /// The first version in which it is legal.
    pub first: ProtocolVersion,
    /// The last version in which it is legal.
    pub last: ProtocolVersion,
}

impl SuiteRow {
    /// Whether it may be used in `version`.
    #[must_use]
    pub fn is_legal_in(&self, version: ProtocolVersion) -> bool {
        self.is_legal_between(version, version)
    }

    /// Whether it may be used in some version from `lowest` to `highest`.
    pub(crate) fn is_legal_between(&self, lowest: ProtocolVersion, highest: ProtocolVersion) -> bool {
        ProtocolVersion::overlap((self.first, self.last), (lowest, highest))
    }
}

/// The versions in which a suite is legal.
mod legal {
    use super::ProtocolVersion as V;

    /// Every version.
    pub(super) const ALL: (V, V) = (V::SSL30, V::TLS12);
    /// Export: "MUST NOT be negotiated" from TLS 1.1 on. Spec: TLS11 appendix A.5.
    pub(super) const EXPORT: (V, V) = (V::SSL30, V::TLS10);
    /// Single DES: not in TLS 1.2. Spec: TLS12 section 1.2.
    pub(super) const DES: (V, V) = (V::SSL30, V::TLS11);
    /// Curves come in extensions, which SSL 3.0 has not. Spec: ECC section 1.
    pub(super) const CURVES: (V, V) = (V::TLS10, V::TLS12);
    /// Spec: TLS12 appendix A.5; GCM-SUITES section 2.
    pub(super) const TLS12: (V, V) = (V::TLS12, V::TLS12);
}

macro_rules! suites {
    ($($code:literal $name:ident $kx:expr, $bulk:expr, $mac:expr, $material:literal, $bits:literal, $prf:ident, $legal:ident;)*) => {
        /// Every suite of SSL 3.0 and TLS, by code point.
        ///
        /// The legality of AES and of the 56-bit suites in SSL 3.0 follows practice: no document defines it, every
        /// implementation has it.
        ///
        /// Spec: TLS10 appendix A.5; EXPORT56 section 2; AES-SUITES section 2; TLS12 appendix A.5; ECC section 6;
        /// GCM-SUITES sections 3 and 3.2.
        #[rustfmt::skip]
        pub const SUITES: &[SuiteRow] = &[$(SuiteRow {
            suite: CipherSuite($code),
            name: stringify!($name),
            key_exchange: $kx,
            bulk: $bulk,
            mac: $mac,
            key_material: $material,
            strength: Strength($bits),
            prf: Hash::$prf,
            first: legal::$legal.0,
            last: legal::$legal.1,
        }),*];
    };
}

const RSA: KeyExchange = KeyExchange::Rsa;
const RSA512: KeyExchange = KeyExchange::RsaExport { bits: 512 };
const RSA1024: KeyExchange = KeyExchange::RsaExport { bits: 1024 };
const DHE_RSA: KeyExchange = KeyExchange::DheRsa;
const DHE_DSS: KeyExchange = KeyExchange::DheDss;
const DHE_DSS1024: KeyExchange = KeyExchange::DheDssExport { bits: 1024 };
const ECDHE_RSA: KeyExchange = KeyExchange::EcdheRsa;
const ECDHE_ECDSA: KeyExchange = KeyExchange::EcdheEcdsa;
const RC2: Bulk = Bulk::Cbc(BlockCipher::Rc2);
const DES: Bulk = Bulk::Cbc(BlockCipher::Des);
const TDES: Bulk = Bulk::Cbc(BlockCipher::TripleDes);
const AES128: Bulk = Bulk::Cbc(BlockCipher::Aes128);
const AES256: Bulk = Bulk::Cbc(BlockCipher::Aes256);
const GCM128: Bulk = Bulk::Aead(AeadAlgorithm::Aes128Gcm);
const GCM256: Bulk = Bulk::Aead(AeadAlgorithm::Aes256Gcm);
const MD5: Option<Hash> = Some(Hash::Md5);
const SHA: Option<Hash> = Some(Hash::Sha1);
const SHA256: Option<Hash> = Some(Hash::Sha256);
const SHA384: Option<Hash> = Some(Hash::Sha384);

suites! {
    0x0001 TLS_RSA_WITH_NULL_MD5                       RSA,         Bulk::Null, MD5,    0,  0,   Sha256, ALL;
    0x0002 TLS_RSA_WITH_NULL_SHA                       RSA,         Bulk::Null, SHA,    0,  0,   Sha256, ALL;
    0x0003 TLS_RSA_EXPORT_WITH_RC4_40_MD5              RSA512,      Bulk::Rc4,  MD5,    5,  40,  Sha256, EXPORT;
    0x0004 TLS_RSA_WITH_RC4_128_MD5                    RSA,         Bulk::Rc4,  MD5,    16, 128, Sha256, ALL;
    0x0005 TLS_RSA_WITH_RC4_128_SHA                    RSA,         Bulk::Rc4,  SHA,    16, 128, Sha256, ALL;
    0x0006 TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5          RSA512,      RC2,        MD5,    5,  40,  Sha256, EXPORT;
    0x0009 TLS_RSA_WITH_DES_CBC_SHA                    RSA,         DES,        SHA,    8,  56,  Sha256, DES;
    0x000a TLS_RSA_WITH_3DES_EDE_CBC_SHA               RSA,         TDES,       SHA,    24, 168, Sha256, ALL;
    0x0012 TLS_DHE_DSS_WITH_DES_CBC_SHA                DHE_DSS,     DES,        SHA,    8,  56,  Sha256, DES;
    0x0013 TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA           DHE_DSS,     TDES,       SHA,    24, 168, Sha256, ALL;
    0x0015 TLS_DHE_RSA_WITH_DES_CBC_SHA                DHE_RSA,     DES,        SHA,    8,  56,  Sha256, DES;
    0x0016 TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA           DHE_RSA,     TDES,       SHA,    24, 168, Sha256, ALL;
    0x002f TLS_RSA_WITH_AES_128_CBC_SHA                RSA,         AES128,     SHA,    16, 128, Sha256, ALL;
    0x0032 TLS_DHE_DSS_WITH_AES_128_CBC_SHA            DHE_DSS,     AES128,     SHA,    16, 128, Sha256, ALL;
    0x0033 TLS_DHE_RSA_WITH_AES_128_CBC_SHA            DHE_RSA,     AES128,     SHA,    16, 128, Sha256, ALL;
    0x0035 TLS_RSA_WITH_AES_256_CBC_SHA                RSA,         AES256,     SHA,    32, 256, Sha256, ALL;
    0x0038 TLS_DHE_DSS_WITH_AES_256_CBC_SHA            DHE_DSS,     AES256,     SHA,    32, 256, Sha256, ALL;
    0x0039 TLS_DHE_RSA_WITH_AES_256_CBC_SHA            DHE_RSA,     AES256,     SHA,    32, 256, Sha256, ALL;
    0x003c TLS_RSA_WITH_AES_128_CBC_SHA256             RSA,         AES128,     SHA256, 16, 128, Sha256, TLS12;
    0x003d TLS_RSA_WITH_AES_256_CBC_SHA256             RSA,         AES256,     SHA256, 32, 256, Sha256, TLS12;
    0x0040 TLS_DHE_DSS_WITH_AES_128_CBC_SHA256         DHE_DSS,     AES128,     SHA256, 16, 128, Sha256, TLS12;
    0x0062 TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA         RSA1024,     DES,        SHA,    8,  56,  Sha256, EXPORT;
    0x0063 TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA     DHE_DSS1024, DES,        SHA,    8,  56,  Sha256, EXPORT;
    0x0064 TLS_RSA_EXPORT1024_WITH_RC4_56_SHA          RSA1024,     Bulk::Rc4,  SHA,    7,  56,  Sha256, EXPORT;
    0x0067 TLS_DHE_RSA_WITH_AES_128_CBC_SHA256         DHE_RSA,     AES128,     SHA256, 16, 128, Sha256, TLS12;
    0x006a TLS_DHE_DSS_WITH_AES_256_CBC_SHA256         DHE_DSS,     AES256,     SHA256, 32, 256, Sha256, TLS12;
    0x006b TLS_DHE_RSA_WITH_AES_256_CBC_SHA256         DHE_RSA,     AES256,     SHA256, 32, 256, Sha256, TLS12;
    0x009c TLS_RSA_WITH_AES_128_GCM_SHA256             RSA,         GCM128,     None,   16, 128, Sha256, TLS12;
    0x009d TLS_RSA_WITH_AES_256_GCM_SHA384             RSA,         GCM256,     None,   32, 256, Sha384, TLS12;
    0x009e TLS_DHE_RSA_WITH_AES_128_GCM_SHA256         DHE_RSA,     GCM128,     None,   16, 128, Sha256, TLS12;
    0x009f TLS_DHE_RSA_WITH_AES_256_GCM_SHA384         DHE_RSA,     GCM256,     None,   32, 256, Sha384, TLS12;
    0x00a2 TLS_DHE_DSS_WITH_AES_128_GCM_SHA256         DHE_DSS,     GCM128,     None,   16, 128, Sha256, TLS12;
    0x00a3 TLS_DHE_DSS_WITH_AES_256_GCM_SHA384         DHE_DSS,     GCM256,     None,   32, 256, Sha384, TLS12;
    0xc007 TLS_ECDHE_ECDSA_WITH_RC4_128_SHA            ECDHE_ECDSA, Bulk::Rc4,  SHA,    16, 128, Sha256, CURVES;
    0xc008 TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA       ECDHE_ECDSA, TDES,       SHA,    24, 168, Sha256, CURVES;
    0xc009 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA        ECDHE_ECDSA, AES128,     SHA,    16, 128, Sha256, CURVES;
    0xc00a TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA        ECDHE_ECDSA, AES256,     SHA,    32, 256, Sha256, CURVES;
    0xc011 TLS_ECDHE_RSA_WITH_RC4_128_SHA              ECDHE_RSA,   Bulk::Rc4,  SHA,    16, 128, Sha256, CURVES;
    0xc012 TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA         ECDHE_RSA,   TDES,       SHA,    24, 168, Sha256, CURVES;
    0xc013 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA          ECDHE_RSA,   AES128,     SHA,    16, 128, Sha256, CURVES;
    0xc014 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA          ECDHE_RSA,   AES256,     SHA,    32, 256, Sha256, CURVES;
    0xc023 TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256     ECDHE_ECDSA, AES128,     SHA256, 16, 128, Sha256, TLS12;
    0xc024 TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384     ECDHE_ECDSA, AES256,     SHA384, 32, 256, Sha384, TLS12;
    0xc027 TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256       ECDHE_RSA,   AES128,     SHA256, 16, 128, Sha256, TLS12;
    0xc028 TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384       ECDHE_RSA,   AES256,     SHA384, 32, 256, Sha384, TLS12;
    0xc02b TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256     ECDHE_ECDSA, GCM128,     None,   16, 128, Sha256, TLS12;
    0xc02c TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384     ECDHE_ECDSA, GCM256,     None,   32, 256, Sha384, TLS12;
    0xc02f TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256       ECDHE_RSA,   GCM128,     None,   16, 128, Sha256, TLS12;
    0xc030 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384       ECDHE_RSA,   GCM256,     None,   32, 256, Sha384, TLS12;
}

/// Every suite, the better one first: AEAD before CBC, CBC before RC4; ephemeral before RSA, curves before other groups,
/// ECDSA before RSA before DSA; then 256 bits before 128. What can be broken by anybody comes last.
#[rustfmt::skip]
pub const BY_PREFERENCE: &[CipherSuite] = &[
    CipherSuite(0xc02c), CipherSuite(0xc02b), CipherSuite(0xc030), CipherSuite(0xc02f),
    CipherSuite(0x009f), CipherSuite(0x009e), CipherSuite(0x00a3), CipherSuite(0x00a2),
    CipherSuite(0xc024), CipherSuite(0xc023), CipherSuite(0xc028), CipherSuite(0xc027),
    CipherSuite(0xc00a), CipherSuite(0xc009), CipherSuite(0xc014), CipherSuite(0xc013),
    CipherSuite(0x006b), CipherSuite(0x0067), CipherSuite(0x0039), CipherSuite(0x0033),
    CipherSuite(0x006a), CipherSuite(0x0040), CipherSuite(0x0038), CipherSuite(0x0032),
    CipherSuite(0x009d), CipherSuite(0x009c), CipherSuite(0x003d), CipherSuite(0x003c),
    CipherSuite(0x0035), CipherSuite(0x002f),
    CipherSuite(0xc008), CipherSuite(0xc012), CipherSuite(0x0016), CipherSuite(0x0013), CipherSuite(0x000a),
    CipherSuite(0xc007), CipherSuite(0xc011), CipherSuite(0x0005), CipherSuite(0x0004),
    CipherSuite(0x0015), CipherSuite(0x0012), CipherSuite(0x0009),
    CipherSuite(0x0064), CipherSuite(0x0062), CipherSuite(0x0063), CipherSuite(0x0003), CipherSuite(0x0006),
    CipherSuite(0x0002), CipherSuite(0x0001),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_suite_stands_once_in_the_order_of_preference() {
        let ordered: HashSet<CipherSuite> = BY_PREFERENCE.iter().copied().collect();
        assert_eq!(ordered.len(), BY_PREFERENCE.len());
        assert_eq!(ordered, SUITES.iter().map(|row| row.suite).collect());
    }

    #[test]
    fn rows_say_what_their_names_say() {
        for row in SUITES {
            let name = row.name;
            assert_eq!(row.key_exchange.is_export(), name.contains("EXPORT"), "{name}");
            assert_eq!(row.key_exchange.is_elliptic(), name.contains("ECDHE"), "{name}");
            assert_eq!(row.key_exchange.is_ephemeral(), name.contains("DHE"), "{name}");
            assert_eq!(row.bulk == Bulk::Null, name.contains("NULL"), "{name}");
            assert_eq!(matches!(row.bulk, Bulk::Aead(_)), name.contains("GCM"), "{name}");
            assert_eq!(row.mac.is_none(), name.contains("GCM"), "{name}");
            let hash = match name.rsplit('_').next() {
                Some("MD5") => Hash::Md5,
                Some("SHA") => Hash::Sha1,
                Some("SHA256") => Hash::Sha256,
                _ => Hash::Sha384,
            };
            assert!(row.mac.is_none_or(|mac| mac == hash), "{name}");
            assert_eq!(row.prf == Hash::Sha384, name.ends_with("SHA384"), "{name}");
            assert_eq!(CipherSuite::by_name(name), Some(row.suite), "{name}");
            let only_tls12 = row.mac.is_none_or(|mac| matches!(mac, Hash::Sha256 | Hash::Sha384));
            assert_eq!(row.first == ProtocolVersion::TLS12, only_tls12, "{name}");
            assert!(!row.key_exchange.is_export() || row.last == ProtocolVersion::TLS10, "{name}");
        }
    }
}
