//! `QueryContextAttributes`, as typed getters: what was negotiated.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::{AscRet, ChannelBindings, Error, Fault, IscRet, PackageInfo, SecStatus, Secret};

/// `SECPKG_ATTR_*`: the number of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecPkgAttr(pub u32);

macro_rules! attributes {
    ($($name:ident = $value:literal,)*) => {
        impl SecPkgAttr {
            $(
                #[doc = concat!("`SECPKG_ATTR_", stringify!($name), "` (`", stringify!($value), "`).")]
                pub const $name: Self = Self($value);
            )*

            /// The name without `SECPKG_ATTR_`, where the number has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

attributes! {
    SIZES = 0x0,
    NAMES = 0x1,
    LIFESPAN = 0x2,
    DCE_INFO = 0x3,
    STREAM_SIZES = 0x4,
    KEY_INFO = 0x5,
    AUTHORITY = 0x6,
    PROTO_INFO = 0x7,
    PASSWORD_EXPIRY = 0x8,
    SESSION_KEY = 0x9,
    PACKAGE_INFO = 0xa,
    USER_FLAGS = 0xb,
    NEGOTIATION_INFO = 0xc,
    NATIVE_NAMES = 0xd,
    FLAGS = 0xe,
    USE_VALIDATED = 0xf,
    CREDENTIAL_NAME = 0x10,
    TARGET_INFORMATION = 0x11,
    ACCESS_TOKEN = 0x12,
    TARGET = 0x13,
    AUTHENTICATION_ID = 0x14,
    LOGOFF_TIME = 0x15,
    NEGO_KEYS = 0x16,
    PROMPTING_NEEDED = 0x18,
    UNIQUE_BINDINGS = 0x19,
    ENDPOINT_BINDINGS = 0x1a,
    CLIENT_SPECIFIED_TARGET = 0x1b,
    LAST_CLIENT_TOKEN_STATUS = 0x1e,
    NEGO_PKG_INFO = 0x1f,
    NEGO_STATUS = 0x20,
    CONTEXT_DELETED = 0x21,
    DTLS_MTU = 0x22,
    APPLICATION_PROTOCOL = 0x23,
    NEGOTIATED_TLS_EXTENSIONS = 0x24,
    IS_LOOPBACK = 0x25,
    ISSUER_LIST = 0x50,
    REMOTE_CRED = 0x51,
    LOCAL_CRED = 0x52,
    REMOTE_CERT_CONTEXT = 0x53,
    LOCAL_CERT_CONTEXT = 0x54,
    ROOT_STORE = 0x55,
    SUPPORTED_ALGS = 0x56,
    CIPHER_STRENGTHS = 0x57,
    SUPPORTED_PROTOCOLS = 0x58,
    ISSUER_LIST_EX = 0x59,
    CONNECTION_INFO = 0x5a,
    EAP_KEY_BLOCK = 0x5b,
    MAPPED_CRED_ATTR = 0x5c,
    SESSION_INFO = 0x5d,
    APP_DATA = 0x5e,
    REMOTE_CERTIFICATES = 0x5f,
    CLIENT_CERT_POLICY = 0x60,
    CC_POLICY_RESULT = 0x61,
    USE_NCRYPT = 0x62,
    LOCAL_CERT_INFO = 0x63,
    CIPHER_INFO = 0x64,
    EAP_PRF_INFO = 0x65,
    SUPPORTED_SIGNATURES = 0x66,
    REMOTE_CERT_CHAIN = 0x67,
    UI_INFO = 0x68,
    EARLY_START = 0x69,
    KEYING_MATERIAL_INFO = 0x6a,
    KEYING_MATERIAL = 0x6b,
    SRTP_PARAMETERS = 0x6c,
    TOKEN_BINDING = 0x6d,
    CONNECTION_INFO_EX = 0x6e,
    KEYING_MATERIAL_TOKEN_BINDING = 0x6f,
    KEYING_MATERIAL_INPROC = 0x70,
    CERT_CHECK_RESULT = 0x71,
    CERT_CHECK_RESULT_INPROC = 0x72,
    SESSION_TICKET_KEYS = 0x73,
    SERIALIZED_REMOTE_CERT_CONTEXT_INPROC = 0x74,
    SERIALIZED_REMOTE_CERT_CONTEXT = 0x75,
    C_ACCESS_TOKEN = 0x8000_0012,
    CREDS = 0x8000_0080,
    NEGOTIATION_PACKAGE = 0x8000_0081,
    C_FULL_ACCESS_TOKEN = 0x8000_0082,
    SERVER_AUTH_FLAGS = 0x8000_0083,
    CERT_TRUST_STATUS = 0x8000_0084,
    C_FULL_IDENT_TOKEN = 0x8000_0085,
    CREDS_2 = 0x8000_0086,
}

impl SecPkgAttr {
    /// The error of a package that does not have this attribute.
    #[must_use]
    pub fn unsupported(self, package: &str) -> Error {
        Error::new(
            SecStatus::SEC_E_UNSUPPORTED_FUNCTION,
            Fault::ApiMisuse,
            format!("the package {package} has no attribute {}", self.name().unwrap_or("of that number")),
        )
    }
}

/// `SP_PROT_*`: a set of protocols, each with a bit for the server and one for the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SpProt(pub u32);

impl SpProt {
    /// No protocol.
    pub const NONE: Self = Self(0);
    /// PCT 1.0, both roles.
    pub const PCT1: Self = Self(0x3);
    /// SSL 2.0, both roles.
    pub const SSL2: Self = Self(0xC);
    /// SSL 3.0, both roles.
    pub const SSL3: Self = Self(0x30);
    /// TLS 1.0, both roles.
    pub const TLS1_0: Self = Self(0xC0);
    /// TLS 1.1, both roles.
    pub const TLS1_1: Self = Self(0x300);
    /// TLS 1.2, both roles.
    pub const TLS1_2: Self = Self(0xC00);
    /// TLS 1.3, both roles.
    pub const TLS1_3: Self = Self(0x3000);
    /// Every server bit of the protocols above.
    pub const SERVERS: Self = Self(0x1555);
    /// Every client bit of the protocols above.
    pub const CLIENTS: Self = Self(0x2AAA);

    /// Every protocol with its name, newest first.
    pub const NAMED: [(Self, &'static str); 7] = [
        (Self::TLS1_3, "TLS 1.3"),
        (Self::TLS1_2, "TLS 1.2"),
        (Self::TLS1_1, "TLS 1.1"),
        (Self::TLS1_0, "TLS 1.0"),
        (Self::SSL3, "SSL 3.0"),
        (Self::PCT1, "PCT 1.0"),
        (Self::SSL2, "SSL 2.0"),
    ];

    /// The names that configurations have for them, in the same order.
    pub const KEYWORDS: [&'static str; 7] = ["tls1.3", "tls1.2", "tls1.1", "tls1.0", "ssl3", "pct1", "ssl2"];

    /// What configurations call the protocols in the set, whichever role, newest first.
    pub fn keywords(self) -> impl Iterator<Item = &'static str> {
        let named = Self::KEYWORDS.into_iter().zip(Self::NAMED);
        named.filter(move |(_, (bits, _))| self.0 & bits.0 != 0).map(|(keyword, _)| keyword)
    }

    /// The protocols of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The protocols that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the protocols in the set, whichever role, newest first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(bits, _)| self.0 & bits.0 != 0).map(|(_, name)| name)
    }
}

impl core::fmt::Display for SpProt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, name) in self.names().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
        }
        if self.is_empty() { f.write_str("none") } else { Ok(()) }
    }
}

/// `ALG_ID`: an algorithm, by the number that Windows gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AlgId(pub u32);

impl AlgId {
    /// No algorithm.
    pub const NONE: Self = Self(0);
    /// `CALG_NULLCIPHER`.
    pub const NULL_CIPHER: Self = Self(0x6000);
    /// `CALG_DES`.
    pub const DES: Self = Self(0x6601);
    /// `CALG_RC2`.
    pub const RC2: Self = Self(0x6602);
    /// `CALG_3DES`.
    pub const TRIPLE_DES: Self = Self(0x6603);
    /// `CALG_RC4`.
    pub const RC4: Self = Self(0x6801);
    /// `CALG_AES_128`.
    pub const AES_128: Self = Self(0x660e);
    /// `CALG_AES_256`.
    pub const AES_256: Self = Self(0x6610);
    /// `CALG_THIRDPARTY_CIPHER`: Windows has no number for it (ChaCha20).
    pub const THIRDPARTY_CIPHER: Self = Self(0x7000);
    /// `CALG_MD5`.
    pub const MD5: Self = Self(0x8003);
    /// `CALG_SHA1`.
    pub const SHA1: Self = Self(0x8004);
    /// `CALG_SHA_256`.
    pub const SHA_256: Self = Self(0x800c);
    /// `CALG_SHA_384`.
    pub const SHA_384: Self = Self(0x800d);
    /// `CALG_RSA_KEYX`.
    pub const RSA_KEYX: Self = Self(0xa400);
    /// `CALG_DH_EPHEM`.
    pub const DH_EPHEM: Self = Self(0xaa02);
    /// `CALG_ECDH_EPHEM`.
    pub const ECDH_EPHEM: Self = Self(0xae06);
    /// `CALG_DSS_SIGN`.
    pub const DSS_SIGN: Self = Self(0x2200);
    /// `CALG_RSA_SIGN`.
    pub const RSA_SIGN: Self = Self(0x2400);
    /// `CALG_ECDSA`.
    pub const ECDSA: Self = Self(0x2203);
    /// `CALG_THIRDPARTY_SIGNATURE`: Windows has no number for it (Ed25519).
    pub const THIRDPARTY_SIGNATURE: Self = Self(0x3000);
}

/// `SecPkgContext_Sizes`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// `cbMaxToken`: the largest token of a handshake.
    pub max_token: usize,
    /// `cbMaxSignature`: the largest signature of `MakeSignature`; 0 where there is none.
    pub max_signature: usize,
    /// `cbBlockSize`: what a message is padded to; 1 or 0 where it is not.
    pub block_size: usize,
    /// `cbSecurityTrailer`: what `EncryptMessage` adds.
    pub security_trailer: usize,
}

/// `SecPkgContext_StreamSizes`, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSizes {
    /// `cbHeader`: room to leave in front of the data.
    pub header: usize,
    /// `cbTrailer`: room to leave behind the data.
    pub trailer: usize,
    /// `cbMaximumMessage`: the most data that one call takes.
    pub maximum_message: usize,
    /// `cBuffers`: how many buffers `EncryptMessage` takes.
    pub buffers: usize,
    /// `cbBlockSize`: what the data is padded to.
    pub block_size: usize,
}

/// `SecPkgContext_Lifespan`: from when to when the context is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifespan {
    /// `tsStart`.
    pub start: Option<SystemTime>,
    /// `tsExpiry`; `None`: never.
    pub expiry: Option<SystemTime>,
}

/// `SecPkgContext_KeyInfo`: how messages are signed and encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// `sSignatureAlgorithmName`.
    pub signature_algorithm_name: Cow<'static, str>,
    /// `sEncryptAlgorithmName`.
    pub encrypt_algorithm_name: Cow<'static, str>,
    /// `KeySize`: bits of the key that protects messages.
    pub key_size: u32,
    /// `SignatureAlgorithm`.
    pub signature_algorithm: AlgId,
    /// `EncryptAlgorithm`.
    pub encrypt_algorithm: AlgId,
}

/// `SecPkgContext_ConnectionInfo`: protocol and algorithms by number; strengths in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// `dwProtocol`: the one protocol, with the bit of our role.
    pub protocol: SpProt,
    /// `aiCipher`.
    pub cipher: AlgId,
    /// `dwCipherStrength`.
    pub cipher_strength: u32,
    /// `aiHash`: the hash of the record MAC; [`AlgId::NONE`] for an AEAD.
    pub hash: AlgId,
    /// `dwHashStrength`: 0 for an AEAD.
    pub hash_strength: u32,
    /// `aiExch`: the key exchange.
    pub exchange: AlgId,
    /// `dwExchStrength`.
    pub exchange_strength: u32,
}

/// `SecPkgContext_CipherInfo`: the suite and its parts by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CipherInfo {
    /// `dwProtocol`: the version as on the wire, such as 0x0303.
    pub protocol_version: u16,
    /// `dwCipherSuite`: the suite's code point.
    pub cipher_suite: u16,
    /// `szCipherSuite`: the suite's registered name.
    pub cipher_suite_name: Cow<'static, str>,
    /// `szCipher`.
    pub cipher: Cow<'static, str>,
    /// `dwCipherLen`: bits.
    pub cipher_len: u32,
    /// `dwCipherBlockLen`: bytes.
    pub cipher_block_len: u32,
    /// `szHash`: the hash of the record MAC; empty for an AEAD.
    pub hash: Cow<'static, str>,
    /// `dwHashLen`: bits.
    pub hash_len: u32,
    /// `szExchange`: the key exchange, such as `ECDH`.
    pub exchange: Cow<'static, str>,
    /// The group of the key exchange, such as `x25519`; empty where it has none.
    pub exchange_group: Cow<'static, str>,
    /// `szCertificate`: the kind of the server's key, such as `RSA`; empty where that is not known.
    pub certificate: Cow<'static, str>,
    /// `dwKeyType`: the group's code point.
    pub key_type: u16,
}

/// `SECPKG_ATTR_REMOTE_CERT_CONTEXT` and `SECPKG_ATTR_LOCAL_CERT_CONTEXT`: certificates in DER, leaf first, as they were
/// sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteCertificate {
    /// The chain as it was sent, leaf first; never empty.
    pub chain: Vec<Vec<u8>>,
}

impl RemoteCertificate {
    /// The leaf.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        self.chain.first().map_or(&[], Vec::as_slice)
    }
}

/// `SecPkgContext_ApplicationProtocol`: the protocol that ALPN chose, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationProtocol {
    /// The protocol's name; `None` is the status `SecApplicationProtocolNegotiationStatus_None`.
    pub protocol: Option<Vec<u8>>,
}

/// `SecPkgContext_SessionInfo`: whether an earlier session was taken up again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// `SSL_SESSION_RECONNECT`.
    pub reconnect: bool,
    /// `rgbSessionId`: at most 32 bytes; empty in TLS 1.3 and with tickets.
    pub session_id: Vec<u8>,
}

/// `SecPkgContext_KeyingMaterial`: bytes of the exporter (RFC 5705, RFC 8446 section 7.5).
pub type KeyingMaterial = Secret<Vec<u8>>;

/// `NegotiationState` of `SecPkgContext_NegotiationInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegotiationState {
    /// `SECPKG_NEGOTIATION_COMPLETE` (0).
    Complete,
    /// `SECPKG_NEGOTIATION_OPTIMISTIC` (1).
    Optimistic,
    /// `SECPKG_NEGOTIATION_IN_PROGRESS` (2).
    InProgress,
}

/// `SecPkgContext_NegotiationInfo`: which package was negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiationInfo {
    /// How far the negotiation is.
    pub state: NegotiationState,
    /// The package that runs.
    pub package: PackageInfo,
    /// The protocol that it speaks, with the bit of our role, for packages that have several to choose from (Schannel);
    /// otherwise none. Windows leaves that to `SECPKG_ATTR_CONNECTION_INFO`.
    pub protocol: SpProt,
}

/// The flags that a context really has, in its own role's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContextFlags {
    /// Of an initiator.
    Initiator(IscRet),
    /// Of an acceptor.
    Acceptor(AscRet),
}

macro_rules! getters {
    ($($(#[$doc:meta])* $name:ident -> $type:ty, $attr:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// `SEC_E_UNSUPPORTED_FUNCTION` for a package that does not have the attribute.
        fn $name(&self) -> Result<$type, Error> {
            Err(SecPkgAttr::$attr.unsupported(&self.package_info().name))
        }
    )*};
}

/// Something weak that a connection rests on, by policy: what an operator wants to hear of, and an auditor to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionWeakness {
    /// A short name that does not change, such as `rc4`.
    pub name: Cow<'static, str>,
    /// What it is, in a sentence without full stop. What the peer sent is not in it.
    pub description: Cow<'static, str>,
}

/// `QueryContextAttributes`: what was negotiated. A package implements what it has; the others answer
/// `SEC_E_UNSUPPORTED_FUNCTION`.
pub trait QueryContextAttributes: Send + Sync {
    /// `SECPKG_ATTR_PACKAGE_INFO`: the package that runs.
    fn package_info(&self) -> &PackageInfo;

    /// `SECPKG_ATTR_FLAGS`: the flags that the context really has.
    fn flags(&self) -> ContextFlags;

    /// `SECPKG_ATTR_KEYING_MATERIAL`: `length` bytes for `label`, with or without a context.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for a package that does not have the attribute.
    fn keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        length: usize,
    ) -> Result<KeyingMaterial, Error> {
        let _unused = (label, context, length);
        Err(SecPkgAttr::KEYING_MATERIAL.unsupported(&self.package_info().name))
    }

    /// `SECPKG_ATTR_NEGOTIATION_INFO`: which package was negotiated. One that a negotiation can carry, which is one that has
    /// object identifiers, answers that it was this one, as Windows has it, whether or not there was a choice.
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for every other, unless it knows that it was
    /// [negotiated](crate::InitializeRequest::negotiated).
    fn negotiation_info(&self) -> Result<NegotiationInfo, Error> {
        let info = self.package_info();
        if info.oids.is_empty() {
            return Err(SecPkgAttr::NEGOTIATION_INFO.unsupported(&info.name));
        }
        let state = NegotiationState::Complete;
        Ok(NegotiationInfo { state, package: info.clone(), protocol: SpProt::NONE })
    }

    /// `SECPKG_ATTR_NEGOTIATION_PACKAGE`: the name of the package that was negotiated.
    ///
    /// # Errors
    /// As [`negotiation_info`](Self::negotiation_info).
    fn negotiation_package(&self) -> Result<Cow<'static, str>, Error> {
        self.negotiation_info().map(|info| info.package.name)
    }

    /// What is weak about this connection, the worst first (Windows has no number for it); nothing for a package that does
    /// not say.
    fn weaknesses(&self) -> Vec<ConnectionWeakness> {
        Vec::new()
    }

    /// Whether the protocol has a word for the end of a stream, so that nobody can cut it off unnoticed (Windows has no number
    /// for it). Those from before 1996 have none.
    fn marks_its_end(&self) -> bool {
        true
    }

    /// `tls-exporter` of RFC 9266, for protocols that have it (Windows has no number for it).
    ///
    /// # Errors
    /// `SEC_E_UNSUPPORTED_FUNCTION` for a package that does not have it.
    fn exporter_bindings(&self) -> Result<ChannelBindings, Error> {
        Err(Error::unsupported(&self.package_info().name, "the channel binding tls-exporter"))
    }

    getters! {
        /// `SECPKG_ATTR_SIZES`.
        sizes -> Sizes, SIZES;
        /// `SECPKG_ATTR_NAMES`: the peer's name for an acceptor, our own for an initiator.
        names -> String, NAMES;
        /// `SECPKG_ATTR_LIFESPAN`.
        lifespan -> Lifespan, LIFESPAN;
        /// `SECPKG_ATTR_STREAM_SIZES`.
        stream_sizes -> StreamSizes, STREAM_SIZES;
        /// `SECPKG_ATTR_KEY_INFO`.
        key_info -> KeyInfo, KEY_INFO;
        /// `SECPKG_ATTR_AUTHORITY`: who vouched for the peer.
        authority -> String, AUTHORITY;
        /// `SECPKG_ATTR_SESSION_KEY`.
        session_key -> Secret<Vec<u8>>, SESSION_KEY;
        /// `SECPKG_ATTR_NATIVE_NAMES`: client and server.
        native_names -> (String, String), NATIVE_NAMES;
        /// `SECPKG_ATTR_UNIQUE_BINDINGS`: `tls-unique`.
        unique_bindings -> ChannelBindings, UNIQUE_BINDINGS;
        /// `SECPKG_ATTR_ENDPOINT_BINDINGS`: `tls-server-end-point`.
        endpoint_bindings -> ChannelBindings, ENDPOINT_BINDINGS;
        /// `SECPKG_ATTR_CLIENT_SPECIFIED_TARGET`: the name that the client asked for.
        client_specified_target -> String, CLIENT_SPECIFIED_TARGET;
        /// `SECPKG_ATTR_APPLICATION_PROTOCOL`.
        application_protocol -> ApplicationProtocol, APPLICATION_PROTOCOL;
        /// `SECPKG_ATTR_REMOTE_CERT_CONTEXT`.
        ///
        /// `SEC_E_NO_CREDENTIALS` where the peer showed none.
        remote_certificate -> RemoteCertificate, REMOTE_CERT_CONTEXT;
        /// `SECPKG_ATTR_LOCAL_CERT_CONTEXT`.
        ///
        /// `SEC_E_NO_CREDENTIALS` where we showed none.
        local_certificate -> RemoteCertificate, LOCAL_CERT_CONTEXT;
        /// `SECPKG_ATTR_CONNECTION_INFO`.
        connection_info -> ConnectionInfo, CONNECTION_INFO;
        /// `SECPKG_ATTR_CIPHER_INFO`.
        cipher_info -> CipherInfo, CIPHER_INFO;
        /// `SECPKG_ATTR_SESSION_INFO`.
        session_info -> SessionInfo, SESSION_INFO;
    }
}

/// `SecPkgCred_CipherStrengths`: bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CipherStrengths {
    /// `dwMinimumCipherStrength`.
    pub minimum: u32,
    /// `dwMaximumCipherStrength`.
    pub maximum: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_named_newest_first() {
        let both = SpProt::TLS1_2.union(SpProt::TLS1_3);
        assert_eq!(both.to_string(), "TLS 1.3, TLS 1.2");
        assert_eq!(both.intersection(SpProt::CLIENTS), SpProt(0x2800));
        assert_eq!(SpProt::NONE.to_string(), "none");
        assert_eq!(both.keywords().collect::<Vec<_>>(), ["tls1.3", "tls1.2"]);
    }

    #[test]
    fn attribute_numbers_are_those_of_sspi_h() {
        assert_eq!(SecPkgAttr::REMOTE_CERT_CONTEXT.0, 0x53);
        assert_eq!(SecPkgAttr::STREAM_SIZES.0, 4);
        assert_eq!(SecPkgAttr::CIPHER_INFO.0, 0x64);
        assert_eq!(SecPkgAttr::KEYING_MATERIAL.0, 0x6b);
        assert_eq!(SecPkgAttr::NEGOTIATION_PACKAGE.0, 0x8000_0081);
    }
}
