//! The cipher suites of SSL 3.0 to TLS 1.2, and what each peer calls them.

use std::fmt;
use std::ops::RangeInclusive;

use crate::peers::{Peer, Version};

/// A cipher suite.
///
/// Spec: SSL30 appendix A.6; TLS10 appendix A.5; TLS12 appendix A.5.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Suite {
    /// Its number.
    pub code: u16,
    /// Its registered name.
    pub name: &'static str,
    /// OpenSSL's name, as of 1.1.
    pub openssl: &'static str,
    /// The versions in which it may be used.
    versions: RangeInclusive<Version>,
}

/// The certificate that a server needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// RSA with 2048 bits.
    Rsa,
    /// RSA with 512 bits, with which a server of an export suite needs no other key.
    Rsa512,
    /// DSA with 1024 bits.
    Dsa,
    /// ECDSA on P-256.
    Ecdsa,
}

impl Key {
    /// How the files of the test PKI call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Rsa512 => "rsa512",
            Self::Dsa => "dsa",
            Self::Ecdsa => "ecdsa",
        }
    }
}

const ANY: RangeInclusive<Version> = Version::Ssl30..=Version::Tls12;
/// TLS 1.1 forbids them.
const EXPORT: RangeInclusive<Version> = Version::Ssl30..=Version::Tls10;
/// TLS 1.2 forbids it.
const SINGLE_DES: RangeInclusive<Version> = Version::Ssl30..=Version::Tls11;
/// SSL 3.0 has no extensions to agree on a curve.
const CURVES: RangeInclusive<Version> = Version::Tls10..=Version::Tls12;
/// The PRF and the record protection are those of TLS 1.2.
const ONLY_12: RangeInclusive<Version> = Version::Tls12..=Version::Tls12;

macro_rules! suites {
    ($($code:literal $name:literal $openssl:literal $versions:ident,)*) => {
        [$(Suite { code: $code, name: $name, openssl: $openssl, versions: $versions },)*]
    };
}

/// All of them: first those of Windows Server 2003 in its order of preference, then those that devices speak.
#[rustfmt::skip]
pub static SUITES: [Suite; 49] = suites![
    0x0004 "TLS_RSA_WITH_RC4_128_MD5"                  "RC4-MD5"                       ANY,
    0x0005 "TLS_RSA_WITH_RC4_128_SHA"                  "RC4-SHA"                       ANY,
    0x000A "TLS_RSA_WITH_3DES_EDE_CBC_SHA"             "DES-CBC3-SHA"                  ANY,
    0x0013 "TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA"         "DHE-DSS-DES-CBC3-SHA"          ANY,
    0x0009 "TLS_RSA_WITH_DES_CBC_SHA"                  "DES-CBC-SHA"                   SINGLE_DES,
    0x0012 "TLS_DHE_DSS_WITH_DES_CBC_SHA"              "DHE-DSS-DES-CBC-SHA"           SINGLE_DES,
    0x0064 "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA"        "EXP1024-RC4-SHA"               EXPORT,
    0x0062 "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA"       "EXP1024-DES-CBC-SHA"           EXPORT,
    0x0063 "TLS_DHE_DSS_EXPORT1024_WITH_DES_CBC_SHA"   "EXP1024-DHE-DSS-DES-CBC-SHA"   EXPORT,
    0x0003 "TLS_RSA_EXPORT_WITH_RC4_40_MD5"            "EXP-RC4-MD5"                   EXPORT,
    0x0006 "TLS_RSA_EXPORT_WITH_RC2_CBC_40_MD5"        "EXP-RC2-CBC-MD5"               EXPORT,
    0x0001 "TLS_RSA_WITH_NULL_MD5"                     "NULL-MD5"                      ANY,
    0x0002 "TLS_RSA_WITH_NULL_SHA"                     "NULL-SHA"                      ANY,
    0x002F "TLS_RSA_WITH_AES_128_CBC_SHA"              "AES128-SHA"                    ANY,
    0x0035 "TLS_RSA_WITH_AES_256_CBC_SHA"              "AES256-SHA"                    ANY,
    0x0015 "TLS_DHE_RSA_WITH_DES_CBC_SHA"              "DHE-RSA-DES-CBC-SHA"           SINGLE_DES,
    0x0016 "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"         "DHE-RSA-DES-CBC3-SHA"          ANY,
    0x0033 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"          "DHE-RSA-AES128-SHA"            ANY,
    0x0039 "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"          "DHE-RSA-AES256-SHA"            ANY,
    0x0032 "TLS_DHE_DSS_WITH_AES_128_CBC_SHA"          "DHE-DSS-AES128-SHA"            ANY,
    0x0038 "TLS_DHE_DSS_WITH_AES_256_CBC_SHA"          "DHE-DSS-AES256-SHA"            ANY,
    0xC011 "TLS_ECDHE_RSA_WITH_RC4_128_SHA"            "ECDHE-RSA-RC4-SHA"             CURVES,
    0xC012 "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"       "ECDHE-RSA-DES-CBC3-SHA"        CURVES,
    0xC013 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"        "ECDHE-RSA-AES128-SHA"          CURVES,
    0xC014 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"        "ECDHE-RSA-AES256-SHA"          CURVES,
    0xC007 "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA"          "ECDHE-ECDSA-RC4-SHA"           CURVES,
    0xC008 "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"     "ECDHE-ECDSA-DES-CBC3-SHA"      CURVES,
    0xC009 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"      "ECDHE-ECDSA-AES128-SHA"        CURVES,
    0xC00A "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"      "ECDHE-ECDSA-AES256-SHA"        CURVES,
    0x003C "TLS_RSA_WITH_AES_128_CBC_SHA256"           "AES128-SHA256"                 ONLY_12,
    0x003D "TLS_RSA_WITH_AES_256_CBC_SHA256"           "AES256-SHA256"                 ONLY_12,
    0x0067 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"       "DHE-RSA-AES128-SHA256"         ONLY_12,
    0x006B "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"       "DHE-RSA-AES256-SHA256"         ONLY_12,
    0x0040 "TLS_DHE_DSS_WITH_AES_128_CBC_SHA256"       "DHE-DSS-AES128-SHA256"         ONLY_12,
    0x006A "TLS_DHE_DSS_WITH_AES_256_CBC_SHA256"       "DHE-DSS-AES256-SHA256"         ONLY_12,
    0xC027 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"     "ECDHE-RSA-AES128-SHA256"       ONLY_12,
    0xC028 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"     "ECDHE-RSA-AES256-SHA384"       ONLY_12,
    0xC023 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"   "ECDHE-ECDSA-AES128-SHA256"     ONLY_12,
    0xC024 "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"   "ECDHE-ECDSA-AES256-SHA384"     ONLY_12,
    0x009C "TLS_RSA_WITH_AES_128_GCM_SHA256"           "AES128-GCM-SHA256"             ONLY_12,
    0x009D "TLS_RSA_WITH_AES_256_GCM_SHA384"           "AES256-GCM-SHA384"             ONLY_12,
    0x009E "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"       "DHE-RSA-AES128-GCM-SHA256"     ONLY_12,
    0x009F "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"       "DHE-RSA-AES256-GCM-SHA384"     ONLY_12,
    0x00A2 "TLS_DHE_DSS_WITH_AES_128_GCM_SHA256"       "DHE-DSS-AES128-GCM-SHA256"     ONLY_12,
    0x00A3 "TLS_DHE_DSS_WITH_AES_256_GCM_SHA384"       "DHE-DSS-AES256-GCM-SHA384"     ONLY_12,
    0xC02F "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"     "ECDHE-RSA-AES128-GCM-SHA256"   ONLY_12,
    0xC030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"     "ECDHE-RSA-AES256-GCM-SHA384"   ONLY_12,
    0xC02B "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"   "ECDHE-ECDSA-AES128-GCM-SHA256" ONLY_12,
    0xC02C "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"   "ECDHE-ECDSA-AES256-GCM-SHA384" ONLY_12,
];

impl Suite {
    /// Whether a version may use it.
    pub fn is_legal_in(&self, version: Version) -> bool {
        self.versions.contains(&version)
    }

    /// Key exchange, and what protects records: `RSA`, `RC4_128_MD5`.
    fn parts(&self) -> (&'static str, &'static str) {
        self.name.trim_start_matches("TLS_").split_once("_WITH_").unwrap_or_default()
    }

    /// The certificate that a server needs for it.
    pub fn key(&self) -> Key {
        let (exchange, _) = self.parts();
        match exchange {
            _ if exchange.starts_with("DHE_DSS") => Key::Dsa,
            "ECDHE_ECDSA" => Key::Ecdsa,
            _ => Key::Rsa,
        }
    }

    /// Whether records are padded to whole blocks.
    pub fn is_cbc(&self) -> bool {
        self.name.contains("_CBC_")
    }

    /// How a peer is told to use it, and how it says that it does.
    pub fn in_words_of(&self, peer: Peer) -> String {
        let (exchange, protection) = self.parts();
        match peer {
            Peer::OpenSsl | Peer::OpenSsl111 | Peer::Curl | Peer::Python => self.openssl.to_owned(),
            // Names that began with EDH- until OpenSSL 1.1.
            Peer::Node | Peer::Nassl if self.openssl.starts_with("DHE-") && protection.contains("DES") => {
                self.openssl.replacen("DHE-", "EDH-", 1)
            }
            Peer::Node | Peer::Nassl => self.openssl.to_owned(),
            Peer::Java if self.code <= 0x001B => self.name.replacen("TLS_", "SSL_", 1),
            Peer::Java => self.name.to_owned(),
            Peer::Nss => format!(":{:04x}", self.code),
            Peer::Tlslite | Peer::Scapy => format!("{:#06x}", self.code),
            Peer::GnuTls => {
                let exchange = exchange.replace('_', "-");
                let (cipher, mac) = protection.rsplit_once('_').unwrap_or_default();
                let cipher = match cipher {
                    "RC4_128" => "ARCFOUR-128".to_owned(),
                    "3DES_EDE_CBC" => "3DES-CBC".to_owned(),
                    other => other.replace('_', "-"),
                };
                let mac = match mac {
                    _ if cipher.ends_with("GCM") => "AEAD",
                    "SHA" => "SHA1",
                    other => other,
                };
                format!("+{exchange}:+{cipher}:+{mac}")
            }
        }
    }

    /// Whether this is the suite that a peer calls so.
    pub fn is_called(&self, peer: Peer, words: &str) -> bool {
        match peer {
            Peer::Tlslite | Peer::Scapy => words == self.name,
            Peer::GnuTls => {
                let offered = self.in_words_of(peer);
                let parts: Vec<&str> = offered.split(":+").skip(1).filter(|part| *part != "AEAD").collect();
                words == parts.join("-")
            }
            // Its programs print lengths of keys.
            Peer::Nss => true,
            _ => words == self.in_words_of(peer),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.trim_start_matches("TLS_"))
    }
}

/// The suites that a peer is to use, in its own words.
pub fn offer(peer: Peer, version: Version, suites: &[&Suite]) -> String {
    let words: Vec<String> = suites.iter().map(|suite| suite.in_words_of(peer)).collect();
    match peer {
        Peer::OpenSsl | Peer::OpenSsl111 | Peer::Curl | Peer::Python => {
            format!("{}:@SECLEVEL=0", words.join(":"))
        }
        Peer::Nss => words.concat(),
        Peer::GnuTls => {
            let version = version.title().replace(' ', "");
            format!(
                "NONE:+VERS-{version}:{}:+SIGN-ALL:+SIGN-DSA-SHA1:+COMP-NULL:+GROUP-ALL:%COMPAT:%VERIFY_ALLOW_BROKEN",
                words.join(":")
            )
        }
        Peer::Node | Peer::Nassl | Peer::Java | Peer::Tlslite | Peer::Scapy => words.join(","),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn suite(code: u16) -> &'static Suite {
        SUITES.iter().find(|suite| suite.code == code).unwrap()
    }

    /// A suite that no peer is asked about is one that nobody has seen to work.
    #[test]
    fn every_suite_of_the_engine_is_there_under_its_name() {
        for row in legacy_tls::SUITES {
            let found = SUITES.iter().find(|suite| suite.code == row.suite.0);
            assert_eq!(found.map(|suite| suite.name), Some(row.name));
        }
        assert_eq!(SUITES.len(), legacy_tls::SUITES.len());
    }

    #[test]
    fn suites_are_there_once_and_have_a_key_exchange() {
        let codes: HashSet<u16> = SUITES.iter().map(|suite| suite.code).collect();
        assert_eq!(codes.len(), SUITES.len());
        for suite in &SUITES {
            assert!(suite.name.starts_with("TLS_") && !suite.parts().0.is_empty(), "{suite}");
        }
    }

    #[test]
    fn peers_are_told_suites_in_their_own_words() {
        let triple = suite(0x0013);
        assert_eq!(triple.key(), Key::Dsa);
        assert_eq!(triple.in_words_of(Peer::Java), "SSL_DHE_DSS_WITH_3DES_EDE_CBC_SHA");
        assert_eq!(triple.in_words_of(Peer::Node), "EDH-DSS-DES-CBC3-SHA");
        assert_eq!(suite(0x0032).in_words_of(Peer::Node), "DHE-DSS-AES128-SHA");
        assert_eq!(triple.in_words_of(Peer::GnuTls), "+DHE-DSS:+3DES-CBC:+SHA1");
        assert!(triple.is_called(Peer::GnuTls, "3DES-CBC-SHA1"));
        assert!(suite(0x009C).is_called(Peer::GnuTls, "AES-128-GCM"));
        assert_eq!(offer(Peer::Nss, Version::Ssl30, &[suite(4), suite(5)]), ":0004:0005");
        assert!(
            offer(Peer::GnuTls, Version::Tls10, &[suite(4)])
                .starts_with("NONE:+VERS-TLS1.0:+RSA:+ARCFOUR-128:+MD5")
        );
    }

    #[test]
    fn versions_refuse_what_they_forbid() {
        assert!(!suite(0x0003).is_legal_in(Version::Tls11));
        assert!(!suite(0x0009).is_legal_in(Version::Tls12));
        assert!(!suite(0xC013).is_legal_in(Version::Ssl30));
        assert!(!suite(0x003C).is_legal_in(Version::Tls11));
        assert!(suite(0x0004).is_legal_in(Version::Tls12));
    }
}
