//! The cipher suites: those of the rustls backend, one row each, and what is said of any suite after a handshake.

use crypto::aead::AeadAlgorithm;
use crypto::cipher::BlockCipher;
use crypto::hash::Hash;
use legacy_tls::KeyExchange;
use legacy_tls::record::Bulk;
use sspi_core::AlgId;

use crate::config::Protocol;

/// A suite, in the table of either backend or of both.
#[derive(Clone, Copy)]
pub(crate) struct Suite {
    rustls: Option<&'static SuiteRow>,
    legacy: Option<&'static legacy_tls::SuiteRow>,
}

/// What encrypts records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cipher {
    /// `szCipher`.
    pub(crate) name: &'static str,
    /// Bits of strength.
    pub(crate) bits: u32,
    /// Bytes of a block; 0 where there are none.
    pub(crate) block: u32,
    pub(crate) id: AlgId,
}

/// What authenticates records beside what encrypts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mac {
    /// `szHash`.
    pub(crate) name: &'static str,
    pub(crate) bits: u32,
    pub(crate) id: AlgId,
}

/// How keys are agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// The premaster secret under an RSA key.
    Rsa,
    /// Ephemeral Diffie-Hellman.
    Dh,
    /// The same on an elliptic curve.
    Ecdh,
}

impl Exchange {
    /// `szExchange`, and its number.
    pub(crate) const fn name(self) -> (&'static str, AlgId) {
        match self {
            Self::Rsa => ("RSA", AlgId::RSA_KEYX),
            Self::Dh => ("DH", AlgId::DH_EPHEM),
            Self::Ecdh => ("ECDH", AlgId::ECDH_EPHEM),
        }
    }
}

impl Suite {
    /// The suite as the engine has it, which negotiates again; TLS 1.3 has no need to. What TLS 1.2 has in rustls alone is
    /// not left.
    pub(crate) fn that_renegotiates(self) -> Option<Self> {
        match self.rustls {
            Some(row) if !row.is_tls13 => self.legacy.map(|row| Self { rustls: None, legacy: Some(row) }),
            _ => Some(self),
        }
    }

    /// Every suite: those of rustls in their order, then what the engine has beside them, the better ones first.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let legacy = legacy_tls::BY_PREFERENCE.iter().filter_map(|suite| suite.row());
        let kinds = legacy_tls::KINDS_BY_PREFERENCE.iter().filter_map(|suite| suite.row());
        let legacy = legacy.chain(legacy_tls::pct1::suites()).chain(kinds);
        let beside = legacy.map(Self::of_row).filter(|suite| suite.rustls.is_none());
        SUITES.iter().map(Self::of_rustls).chain(beside)
    }

    /// The suite of a row of the rustls backend.
    pub(crate) fn of_rustls(row: &'static SuiteRow) -> Self {
        Self { rustls: Some(row), legacy: legacy_tls::CipherSuite(row.code).row() }
    }

    /// The suite of a row of the engine.
    pub(crate) fn of_row(row: &'static legacy_tls::SuiteRow) -> Self {
        Self { rustls: SuiteRow::by_code(row.suite.0), legacy: Some(row) }
    }

    /// The suite of a code point.
    pub(crate) fn by_code(code: u16) -> Option<Self> {
        let suite = Self { rustls: SuiteRow::by_code(code), legacy: legacy_tls::CipherSuite(code).row() };
        (suite.rustls.is_some() || suite.legacy.is_some()).then_some(suite)
    }

    /// The suite of a registered name, in any case.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::all().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// The row of the rustls backend.
    pub(crate) const fn rustls(&self) -> Option<&'static SuiteRow> {
        self.rustls
    }

    /// The row of the engine.
    pub(crate) const fn legacy(&self) -> Option<&'static legacy_tls::SuiteRow> {
        self.legacy
    }

    /// Whether it may be used with `protocol`.
    pub(crate) fn is_legal_in(&self, protocol: Protocol) -> bool {
        let version = legacy_tls::ProtocolVersion(protocol.version());
        match protocol {
            Protocol::Tls13 => self.rustls.is_some_and(|row| row.is_tls13),
            Protocol::Tls12 if self.rustls.is_some_and(|row| !row.is_tls13) => true,
            _ => self.legacy.is_some_and(|row| row.is_legal_in(version)),
        }
    }

    /// The code point; SSL 2.0's kinds, which have three bytes, have one of the range for private use.
    pub(crate) fn code(&self) -> u16 {
        let legacy = self.legacy.map(|row| row.suite.0);
        self.rustls.map(|row| row.code).or(legacy).unwrap_or_default()
    }

    /// The registered name.
    pub(crate) fn name(&self) -> &'static str {
        let legacy = self.legacy.map(|row| row.name);
        self.rustls.map(|row| row.name).or(legacy).unwrap_or_default()
    }

    /// What encrypts its records.
    pub(crate) fn cipher(&self) -> Cipher {
        let of = |name, bits, block, id| Cipher { name, bits, block, id };
        if let Some(row) = self.rustls {
            return aead(row.aead);
        }
        let Some(row) = self.legacy else { return of("", 0, 0, AlgId::NONE) };
        let bits = row.strength.0;
        match row.bulk {
            Bulk::Null => of("", 0, 0, AlgId::NULL_CIPHER),
            Bulk::Rc4 => of("RC4", bits, 0, AlgId::RC4),
            Bulk::Cbc(BlockCipher::Des) => of("DES", bits, 8, AlgId::DES),
            Bulk::Cbc(BlockCipher::TripleDes) => of("3DES", bits, 8, AlgId::TRIPLE_DES),
            Bulk::Cbc(BlockCipher::Idea) => of("IDEA", bits, 8, AlgId::THIRDPARTY_CIPHER),
            Bulk::Cbc(BlockCipher::Rc2) => of("RC2", bits, 8, AlgId::RC2),
            Bulk::Cbc(BlockCipher::Aes128) => of("AES", bits, 16, AlgId::AES_128),
            Bulk::Cbc(BlockCipher::Aes256) => of("AES", bits, 16, AlgId::AES_256),
            Bulk::Aead(algorithm) => aead(algorithm),
        }
    }

    /// What authenticates its records; an AEAD does so itself.
    pub(crate) fn mac(&self) -> Option<Mac> {
        let of = |name, bits, id| Some(Mac { name, bits, id });
        match self.legacy.and_then(|row| row.mac)? {
            Hash::Md5 => of("MD5", 128, AlgId::MD5),
            Hash::Sha1 => of("SHA1", 160, AlgId::SHA1),
            Hash::Sha256 => of("SHA256", 256, AlgId::SHA_256),
            Hash::Sha384 => of("SHA384", 384, AlgId::SHA_384),
            _ => None,
        }
    }

    /// How keys are agreed; TLS 1.3 suites do not say.
    pub(crate) fn exchange(&self) -> Option<Exchange> {
        Some(match self.legacy?.key_exchange {
            KeyExchange::Rsa | KeyExchange::RsaExport { .. } => Exchange::Rsa,
            KeyExchange::DheRsa | KeyExchange::DheDss | KeyExchange::DheDssExport { .. } => Exchange::Dh,
            KeyExchange::EcdheRsa | KeyExchange::EcdheEcdsa => Exchange::Ecdh,
        })
    }

    /// The kind of the server's key; TLS 1.3 suites do not say.
    pub(crate) fn certificate(&self) -> &'static str {
        if let Some(row) = self.rustls {
            return row.certificate;
        }
        match self.legacy.map(|row| row.key_exchange) {
            None => "",
            Some(KeyExchange::DheDss | KeyExchange::DheDssExport { .. }) => "DSS",
            Some(KeyExchange::EcdheEcdsa) => "ECDSA",
            Some(
                KeyExchange::Rsa
                | KeyExchange::RsaExport { .. }
                | KeyExchange::DheRsa
                | KeyExchange::EcdheRsa,
            ) => "RSA",
        }
    }
}

const fn aead(algorithm: AeadAlgorithm) -> Cipher {
    match algorithm {
        AeadAlgorithm::Aes128Gcm => Cipher { name: "AES", bits: 128, block: 16, id: AlgId::AES_128 },
        AeadAlgorithm::Aes256Gcm => Cipher { name: "AES", bits: 256, block: 16, id: AlgId::AES_256 },
        AeadAlgorithm::ChaCha20Poly1305 => {
            Cipher { name: "CHACHA20_POLY1305", bits: 256, block: 0, id: AlgId::THIRDPARTY_CIPHER }
        }
    }
}

impl PartialEq for Suite {
    fn eq(&self, other: &Self) -> bool {
        self.code() == other.code()
    }
}

impl core::fmt::Debug for Suite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// A suite of the rustls backend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SuiteRow {
    /// The code point.
    pub(crate) code: u16,
    /// The registered name.
    pub(crate) name: &'static str,
    /// Whether it belongs to TLS 1.3; otherwise to TLS 1.2.
    pub(crate) is_tls13: bool,
    /// What protects records.
    pub(crate) aead: AeadAlgorithm,
    /// The hash of the key schedule.
    pub(crate) hash: Hash,
    /// The kind of the server's key; TLS 1.3 suites do not say.
    pub(crate) certificate: &'static str,
}

impl SuiteRow {
    /// The row of a code point.
    pub(crate) fn by_code(code: u16) -> Option<&'static Self> {
        SUITES.iter().find(|row| row.code == code)
    }
}

macro_rules! suites {
    ($($code:literal $name:literal $tls13:literal $aead:ident $hash:ident $certificate:literal;)*) => {
        &[$(SuiteRow {
            code: $code,
            name: $name,
            is_tls13: $tls13,
            aead: AeadAlgorithm::$aead,
            hash: Hash::$hash,
            certificate: $certificate,
        }),*]
    };
}

/// Every suite, in the default order of preference: AES first where it has hardware (which is nearly everywhere), 256
/// bits first as Windows does, ECDSA before RSA because it is cheaper.
///
/// Spec: TLS13 appendix B.4; GCM-SUITES section 3.2; CHACHA-SUITES section 3.
#[rustfmt::skip]
pub(crate) const SUITES: &[SuiteRow] = suites! {
    0x1302 "TLS_AES_256_GCM_SHA384"                        true  Aes256Gcm        Sha384 "";
    0x1301 "TLS_AES_128_GCM_SHA256"                        true  Aes128Gcm        Sha256 "";
    0x1303 "TLS_CHACHA20_POLY1305_SHA256"                  true  ChaCha20Poly1305 Sha256 "";
    0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"       false Aes256Gcm        Sha384 "ECDSA";
    0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"       false Aes128Gcm        Sha256 "ECDSA";
    0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" false ChaCha20Poly1305 Sha256 "ECDSA";
    0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"         false Aes256Gcm        Sha384 "RSA";
    0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"         false Aes128Gcm        Sha256 "RSA";
    0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"   false ChaCha20Poly1305 Sha256 "RSA";
};

/// The groups of the key exchange: code point, name, bits.
///
/// Spec: TLS13 section 4.2.7.
pub(crate) const GROUPS: &[(u16, &str, u32)] =
    &[(0x001d, "x25519", 255), (0x0017, "secp256r1", 256), (0x0018, "secp384r1", 384)];
