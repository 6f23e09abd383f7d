//! The cipher suites of the rustls backend, one row each.

use crypto::aead::AeadAlgorithm;
use crypto::hash::Hash;
use sspi_core::AlgId;

/// Everything about a suite that is asked for after the handshake.
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
    /// `szCipher`, its bits, its block in bytes, and its number.
    pub(crate) fn cipher(&self) -> (&'static str, u32, u32, AlgId) {
        match self.aead {
            AeadAlgorithm::Aes128Gcm => ("AES", 128, 16, AlgId::AES_128),
            AeadAlgorithm::Aes256Gcm => ("AES", 256, 16, AlgId::AES_256),
            AeadAlgorithm::ChaCha20Poly1305 => ("CHACHA20_POLY1305", 256, 0, AlgId::THIRDPARTY_CIPHER),
        }
    }

    /// The row of a code point.
    pub(crate) fn by_code(code: u16) -> Option<&'static Self> {
        SUITES.iter().find(|row| row.code == code)
    }

    /// The row of a registered name, in any case.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|row| row.name.eq_ignore_ascii_case(name))
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
