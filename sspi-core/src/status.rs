//! The status codes of SSPI, with their names and numbers.
//!
//! Spec: MS-SSPI winerror.h values; the meaning in parentheses is ours.

use core::fmt;

/// `SECURITY_STATUS`: what a call answered. The number is the one of winerror.h.
///
/// Codes that begin with `8` are errors, all others are successes or information.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal, $meaning:literal;)*) => {
        impl SecStatus {
            $(
                #[doc = concat!("`", stringify!($name), "` (`", stringify!($value), "`) ", $meaning)]
                pub const $name: Self = Self($value);
            )*

            /// Every status that has a name here, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in winerror.h, where this number has one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What the status means, in a few words; empty where the name says it all.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self.0 {
                    $($value => $meaning,)*
                    _ => "",
                }
            }
        }
    };
}

statuses! {
    SEC_E_OK = 0x0000_0000, "the call succeeded";
    SEC_I_CONTINUE_NEEDED = 0x0009_0312, "the token must be sent and the answer passed in";
    SEC_I_COMPLETE_NEEDED = 0x0009_0313, "the message must be completed before it is sent";
    SEC_I_COMPLETE_AND_CONTINUE = 0x0009_0314, "the message must be completed and sent, and the answer passed in";
    SEC_I_LOCAL_LOGON = 0x0009_0315, "";
    SEC_I_GENERIC_EXTENSION_RECEIVED = 0x0009_0316, "";
    SEC_I_CONTEXT_EXPIRED = 0x0009_0317, "the peer closed the connection in order";
    SEC_I_INCOMPLETE_CREDENTIALS = 0x0009_0320, "the server asks for a client certificate";
    SEC_I_RENEGOTIATE = 0x0009_0321, "the peer wants to negotiate again";
    SEC_I_NO_LSA_CONTEXT = 0x0009_0323, "";
    SEC_I_SIGNATURE_NEEDED = 0x0009_035C, "";
    SEC_I_NO_RENEGOTIATION = 0x0009_0360, "the peer declined to negotiate again";
    SEC_I_MESSAGE_FRAGMENT = 0x0009_0364, "";
    SEC_I_CONTINUE_NEEDED_MESSAGE_OK = 0x0009_0366, "";
    SEC_I_ASYNC_CALL_PENDING = 0x0009_0368, "";
    SEC_E_INSUFFICIENT_MEMORY = 0x8009_0300, "not enough memory for the request";
    SEC_E_INVALID_HANDLE = 0x8009_0301, "the handle or context cannot be used any more";
    SEC_E_UNSUPPORTED_FUNCTION = 0x8009_0302, "the package does not offer this function";
    SEC_E_TARGET_UNKNOWN = 0x8009_0303, "the target is unknown or cannot be reached";
    SEC_E_INTERNAL_ERROR = 0x8009_0304, "an internal error in the package";
    SEC_E_SECPKG_NOT_FOUND = 0x8009_0305, "no such security package is registered";
    SEC_E_NOT_OWNER = 0x8009_0306, "";
    SEC_E_CANNOT_INSTALL = 0x8009_0307, "the security package cannot be registered";
    SEC_E_INVALID_TOKEN = 0x8009_0308, "the token or the buffers are malformed";
    SEC_E_CANNOT_PACK = 0x8009_0309, "";
    SEC_E_QOP_NOT_SUPPORTED = 0x8009_030A, "the quality of protection is not supported";
    SEC_E_NO_IMPERSONATION = 0x8009_030B, "no account stands behind this context";
    SEC_E_LOGON_DENIED = 0x8009_030C, "the logon was refused";
    SEC_E_UNKNOWN_CREDENTIALS = 0x8009_030D, "the credentials were not recognised";
    SEC_E_NO_CREDENTIALS = 0x8009_030E, "there are no credentials to use";
    SEC_E_MESSAGE_ALTERED = 0x8009_030F, "a message was altered on its way";
    SEC_E_OUT_OF_SEQUENCE = 0x8009_0310, "a message came out of sequence";
    SEC_E_NO_AUTHENTICATING_AUTHORITY = 0x8009_0311, "whoever has the accounts cannot be asked";
    SEC_E_BAD_PKGID = 0x8009_0316, "";
    SEC_E_CONTEXT_EXPIRED = 0x8009_0317, "the context was closed";
    SEC_E_INCOMPLETE_MESSAGE = 0x8009_0318, "more bytes of this message are needed";
    SEC_E_INCOMPLETE_CREDENTIALS = 0x8009_0320, "the credentials are not complete";
    SEC_E_BUFFER_TOO_SMALL = 0x8009_0321, "a buffer is too small";
    SEC_E_WRONG_PRINCIPAL = 0x8009_0322, "the certificate, or what the client asked for, is of another name";
    SEC_E_TIME_SKEW = 0x8009_0324, "";
    SEC_E_UNTRUSTED_ROOT = 0x8009_0325, "the certificate chain ends at an authority that is not trusted";
    SEC_E_ILLEGAL_MESSAGE = 0x8009_0326, "the message was unexpected or badly formed";
    SEC_E_CERT_UNKNOWN = 0x8009_0327, "the certificate could not be processed";
    SEC_E_CERT_EXPIRED = 0x8009_0328, "the certificate is outside its validity period";
    SEC_E_ENCRYPT_FAILURE = 0x8009_0329, "the message could not be encrypted";
    SEC_E_DECRYPT_FAILURE = 0x8009_0330, "the message could not be decrypted";
    SEC_E_ALGORITHM_MISMATCH = 0x8009_0331, "the two ends have no algorithm or protocol in common";
    SEC_E_SECURITY_QOS_FAILED = 0x8009_0332, "";
    SEC_E_UNFINISHED_CONTEXT_DELETED = 0x8009_0333, "the peer gave up the handshake";
    SEC_E_NO_TGT_REPLY = 0x8009_0334, "";
    SEC_E_NO_IP_ADDRESSES = 0x8009_0335, "";
    SEC_E_WRONG_CREDENTIAL_HANDLE = 0x8009_0336, "";
    SEC_E_CRYPTO_SYSTEM_INVALID = 0x8009_0337, "";
    SEC_E_MAX_REFERRALS_EXCEEDED = 0x8009_0338, "";
    SEC_E_MUST_BE_KDC = 0x8009_0339, "";
    SEC_E_STRONG_CRYPTO_NOT_SUPPORTED = 0x8009_033A, "";
    SEC_E_TOO_MANY_PRINCIPALS = 0x8009_033B, "";
    SEC_E_NO_PA_DATA = 0x8009_033C, "";
    SEC_E_PKINIT_NAME_MISMATCH = 0x8009_033D, "";
    SEC_E_SMARTCARD_LOGON_REQUIRED = 0x8009_033E, "";
    SEC_E_SHUTDOWN_IN_PROGRESS = 0x8009_033F, "";
    SEC_E_KDC_INVALID_REQUEST = 0x8009_0340, "";
    SEC_E_KDC_UNABLE_TO_REFER = 0x8009_0341, "";
    SEC_E_KDC_UNKNOWN_ETYPE = 0x8009_0342, "";
    SEC_E_UNSUPPORTED_PREAUTH = 0x8009_0343, "";
    SEC_E_DELEGATION_REQUIRED = 0x8009_0345, "";
    SEC_E_BAD_BINDINGS = 0x8009_0346, "the channel bindings do not match";
    SEC_E_MULTIPLE_ACCOUNTS = 0x8009_0347, "";
    SEC_E_NO_KERB_KEY = 0x8009_0348, "";
    SEC_E_CERT_WRONG_USAGE = 0x8009_0349, "the certificate may not be used for this purpose";
    SEC_E_DOWNGRADE_DETECTED = 0x8009_0350, "an attempt to lower the protocol was detected";
    SEC_E_SMARTCARD_CERT_REVOKED = 0x8009_0351, "";
    SEC_E_ISSUING_CA_UNTRUSTED = 0x8009_0352, "";
    SEC_E_REVOCATION_OFFLINE_C = 0x8009_0353, "";
    SEC_E_PKINIT_CLIENT_FAILURE = 0x8009_0354, "";
    SEC_E_SMARTCARD_CERT_EXPIRED = 0x8009_0355, "";
    SEC_E_NO_S4U_PROT_SUPPORT = 0x8009_0356, "";
    SEC_E_CROSSREALM_DELEGATION_FAILURE = 0x8009_0357, "";
    SEC_E_REVOCATION_OFFLINE_KDC = 0x8009_0358, "";
    SEC_E_ISSUING_CA_UNTRUSTED_KDC = 0x8009_0359, "";
    SEC_E_KDC_CERT_EXPIRED = 0x8009_035A, "";
    SEC_E_KDC_CERT_REVOKED = 0x8009_035B, "";
    SEC_E_INVALID_PARAMETER = 0x8009_035D, "a parameter is not valid";
    SEC_E_DELEGATION_POLICY = 0x8009_035E, "";
    SEC_E_POLICY_NLTM_ONLY = 0x8009_035F, "";
    SEC_E_NO_CONTEXT = 0x8009_0361, "";
    SEC_E_PKU2U_CERT_FAILURE = 0x8009_0362, "";
    SEC_E_MUTUAL_AUTH_FAILED = 0x8009_0363, "the peer could not be authenticated";
    SEC_E_ONLY_HTTPS_ALLOWED = 0x8009_0365, "";
    SEC_E_APPLICATION_PROTOCOL_MISMATCH = 0x8009_0367, "the two ends have no application protocol in common";
    SEC_E_INVALID_UPN_NAME = 0x8009_0369, "";
    SEC_E_EXT_BUFFER_TOO_SMALL = 0x8009_036A, "";
    SEC_E_INSUFFICIENT_BUFFERS = 0x8009_036B, "";
    CRYPT_E_MSG_ERROR = 0x8009_1001, "";
    CRYPT_E_UNKNOWN_ALGO = 0x8009_1002, "";
    CRYPT_E_HASH_VALUE = 0x8009_1007, "";
    CRYPT_E_NOT_FOUND = 0x8009_2004, "";
    CRYPT_E_NO_PROVIDER = 0x8009_2006, "";
    CRYPT_E_SELF_SIGNED = 0x8009_2007, "";
    CRYPT_E_NO_MATCH = 0x8009_2009, "";
    CRYPT_E_NO_KEY_PROPERTY = 0x8009_200B, "";
    CRYPT_E_BAD_MSG = 0x8009_200D, "";
    CRYPT_E_NO_SIGNER = 0x8009_200E, "";
    CRYPT_E_REVOKED = 0x8009_2010, "the certificate is revoked";
    CRYPT_E_NO_REVOCATION_DLL = 0x8009_2011, "";
    CRYPT_E_NO_REVOCATION_CHECK = 0x8009_2012, "the revocation of the certificate could not be checked";
    CRYPT_E_REVOCATION_OFFLINE = 0x8009_2013, "the source of revocation information is out of date or not available";
    CRYPT_E_NOT_IN_REVOCATION_DATABASE = 0x8009_2014, "";
    CRYPT_E_SECURITY_SETTINGS = 0x8009_2026, "";
    CRYPT_E_ASN1_ERROR = 0x8009_3100, "";
    CRYPT_E_ASN1_BADTAG = 0x8009_310B, "";
    CERT_E_EXPIRED = 0x800B_0101, "";
    CERT_E_VALIDITYPERIODNESTING = 0x800B_0102, "";
    CERT_E_ROLE = 0x800B_0103, "";
    CERT_E_PATHLENCONST = 0x800B_0104, "";
    CERT_E_CRITICAL = 0x800B_0105, "";
    CERT_E_PURPOSE = 0x800B_0106, "";
    CERT_E_ISSUERCHAINING = 0x800B_0107, "";
    CERT_E_MALFORMED = 0x800B_0108, "";
    CERT_E_UNTRUSTEDROOT = 0x800B_0109, "";
    CERT_E_CHAINING = 0x800B_010A, "";
    CERT_E_REVOKED = 0x800B_010C, "";
    CERT_E_UNTRUSTEDTESTROOT = 0x800B_010D, "";
    CERT_E_REVOCATION_FAILURE = 0x800B_010E, "";
    CERT_E_CN_NO_MATCH = 0x800B_010F, "";
    CERT_E_WRONG_USAGE = 0x800B_0110, "";
    CERT_E_UNTRUSTEDCA = 0x800B_0112, "";
    CERT_E_INVALID_POLICY = 0x800B_0113, "";
    CERT_E_INVALID_NAME = 0x800B_0114, "";
}

impl SecStatus {
    /// Whether the status is an error (the high bit is set), as `FAILED()` would say.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 & 0x8000_0000 != 0
    }

    /// The status of that name, in any case, if there is one.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|s| s.name().is_some_and(|n| n.eq_ignore_ascii_case(name)))
    }
}

impl fmt::Display for SecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.0),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for SecStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::SecStatus;

    #[test]
    fn names_and_numbers_are_those_of_winerror() {
        assert_eq!(SecStatus::SEC_E_INVALID_TOKEN.0, 0x8009_0308);
        assert_eq!(SecStatus::SEC_I_CONTINUE_NEEDED.0, 0x0009_0312);
        assert_eq!(SecStatus::CRYPT_E_REVOKED.0, 0x8009_2010);
        assert_eq!(SecStatus(0x8009_0322).name(), Some("SEC_E_WRONG_PRINCIPAL"));
        assert_eq!(SecStatus::by_name("sec_e_untrusted_root"), Some(SecStatus::SEC_E_UNTRUSTED_ROOT));
        assert_eq!(SecStatus(0x8009_0FFF).to_string(), "0x80090FFF");
    }

    #[test]
    fn no_number_has_two_names() {
        let mut numbers: Vec<u32> = SecStatus::ALL.iter().map(|s| s.0).collect();
        numbers.sort_unstable();
        let count = numbers.len();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn information_is_not_an_error() {
        assert!(!SecStatus::SEC_I_RENEGOTIATE.is_error());
        assert!(SecStatus::SEC_E_INCOMPLETE_MESSAGE.is_error());
    }
}
