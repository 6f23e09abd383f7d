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

            /// What the status means, in a few words; empty for a number that has no name here.
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
    SEC_I_LOCAL_LOGON = 0x0009_0315, "the logon is local: the peer's machine is this one";
    SEC_I_GENERIC_EXTENSION_RECEIVED = 0x0009_0316, "the peer sent an extension that the application asked to see";
    SEC_I_CONTEXT_EXPIRED = 0x0009_0317, "the peer closed the connection in order";
    SEC_I_INCOMPLETE_CREDENTIALS = 0x0009_0320, "the server asks for a client certificate";
    SEC_I_RENEGOTIATE = 0x0009_0321, "the peer wants to negotiate again";
    SEC_I_NO_LSA_CONTEXT = 0x0009_0323, "there is no context of the system behind it";
    SEC_I_SIGNATURE_NEEDED = 0x0009_035C, "the application must sign something before the handshake goes on";
    SEC_I_NO_RENEGOTIATION = 0x0009_0360, "the peer declined to negotiate again";
    SEC_I_MESSAGE_FRAGMENT = 0x0009_0364, "the token is one fragment of a message, and more follow";
    SEC_I_CONTINUE_NEEDED_MESSAGE_OK = 0x0009_0366, "the message was whole, and the next one is needed";
    SEC_I_ASYNC_CALL_PENDING = 0x0009_0368, "the call goes on in the background";
    SEC_E_INSUFFICIENT_MEMORY = 0x8009_0300, "not enough memory for the request";
    SEC_E_INVALID_HANDLE = 0x8009_0301, "the handle or context cannot be used any more";
    SEC_E_UNSUPPORTED_FUNCTION = 0x8009_0302, "the package does not offer this function";
    SEC_E_TARGET_UNKNOWN = 0x8009_0303, "the target is unknown or cannot be reached";
    SEC_E_INTERNAL_ERROR = 0x8009_0304, "an internal error in the package";
    SEC_E_SECPKG_NOT_FOUND = 0x8009_0305, "no such security package is registered";
    SEC_E_NOT_OWNER = 0x8009_0306, "the caller does not own the credentials";
    SEC_E_CANNOT_INSTALL = 0x8009_0307, "the security package cannot be registered";
    SEC_E_INVALID_TOKEN = 0x8009_0308, "the token or the buffers are malformed";
    SEC_E_CANNOT_PACK = 0x8009_0309, "the packet cannot be put together";
    SEC_E_QOP_NOT_SUPPORTED = 0x8009_030A, "the quality of protection is not supported";
    SEC_E_NO_IMPERSONATION = 0x8009_030B, "no account stands behind this context";
    SEC_E_LOGON_DENIED = 0x8009_030C, "the logon was refused";
    SEC_E_UNKNOWN_CREDENTIALS = 0x8009_030D, "the credentials were not recognised";
    SEC_E_NO_CREDENTIALS = 0x8009_030E, "there are no credentials to use";
    SEC_E_MESSAGE_ALTERED = 0x8009_030F, "a message was altered on its way";
    SEC_E_OUT_OF_SEQUENCE = 0x8009_0310, "a message came out of sequence";
    SEC_E_NO_AUTHENTICATING_AUTHORITY = 0x8009_0311, "whoever has the accounts cannot be asked";
    SEC_E_BAD_PKGID = 0x8009_0316, "there is no security package of this number";
    SEC_E_CONTEXT_EXPIRED = 0x8009_0317, "the context was closed";
    SEC_E_INCOMPLETE_MESSAGE = 0x8009_0318, "more bytes of this message are needed";
    SEC_E_INCOMPLETE_CREDENTIALS = 0x8009_0320, "the credentials are not complete";
    SEC_E_BUFFER_TOO_SMALL = 0x8009_0321, "a buffer is too small";
    SEC_E_WRONG_PRINCIPAL = 0x8009_0322, "the certificate, or what the client asked for, is of another name";
    SEC_E_TIME_SKEW = 0x8009_0324, "the clocks of the two ends are too far apart";
    SEC_E_UNTRUSTED_ROOT = 0x8009_0325, "the certificate chain ends at an authority that is not trusted";
    SEC_E_ILLEGAL_MESSAGE = 0x8009_0326, "the message was unexpected or badly formed";
    SEC_E_CERT_UNKNOWN = 0x8009_0327, "the certificate could not be processed";
    SEC_E_CERT_EXPIRED = 0x8009_0328, "the certificate is outside its validity period";
    SEC_E_ENCRYPT_FAILURE = 0x8009_0329, "the message could not be encrypted";
    SEC_E_DECRYPT_FAILURE = 0x8009_0330, "the message could not be decrypted";
    SEC_E_ALGORITHM_MISMATCH = 0x8009_0331, "the two ends have no algorithm or protocol in common";
    SEC_E_SECURITY_QOS_FAILED = 0x8009_0332, "the quality of service that was asked for cannot be had";
    SEC_E_UNFINISHED_CONTEXT_DELETED = 0x8009_0333, "the peer gave up the handshake";
    SEC_E_NO_TGT_REPLY = 0x8009_0334, "the client does not have its part of a user-to-user logon ready";
    SEC_E_NO_IP_ADDRESSES = 0x8009_0335, "the machine has no address of the network";
    SEC_E_WRONG_CREDENTIAL_HANDLE = 0x8009_0336, "the credentials are not those that the context was made with";
    SEC_E_CRYPTO_SYSTEM_INVALID = 0x8009_0337, "the primitives cannot be used, or checked";
    SEC_E_MAX_REFERRALS_EXCEEDED = 0x8009_0338, "too many domains referred to one another";
    SEC_E_MUST_BE_KDC = 0x8009_0339, "only a domain controller can do this";
    SEC_E_STRONG_CRYPTO_NOT_SUPPORTED = 0x8009_033A, "the other end cannot do encryption as strong as is required";
    SEC_E_TOO_MANY_PRINCIPALS = 0x8009_033B, "the request names more principals than it may";
    SEC_E_NO_PA_DATA = 0x8009_033C, "the domain controller expected data that would prove who asks";
    SEC_E_PKINIT_NAME_MISMATCH = 0x8009_033D, "the certificate's name is not the account's";
    SEC_E_SMARTCARD_LOGON_REQUIRED = 0x8009_033E, "the account may log on with a smart card only";
    SEC_E_SHUTDOWN_IN_PROGRESS = 0x8009_033F, "the system is being shut down";
    SEC_E_KDC_INVALID_REQUEST = 0x8009_0340, "the domain controller was sent a request that is not valid";
    SEC_E_KDC_UNABLE_TO_REFER = 0x8009_0341, "the domain controller has no other to refer to";
    SEC_E_KDC_UNKNOWN_ETYPE = 0x8009_0342, "the domain controller has none of the encryption types that were offered";
    SEC_E_UNSUPPORTED_PREAUTH = 0x8009_0343, "the proof that the client sends in advance is of a kind that is not supported";
    SEC_E_DELEGATION_REQUIRED = 0x8009_0345, "this needs an account that may be delegated";
    SEC_E_BAD_BINDINGS = 0x8009_0346, "the channel bindings do not match";
    SEC_E_MULTIPLE_ACCOUNTS = 0x8009_0347, "the certificate stands for several accounts";
    SEC_E_NO_KERB_KEY = 0x8009_0348, "there is no key of Kerberos";
    SEC_E_CERT_WRONG_USAGE = 0x8009_0349, "the certificate may not be used for this purpose";
    SEC_E_DOWNGRADE_DETECTED = 0x8009_0350, "an attempt to lower the protocol was detected";
    SEC_E_SMARTCARD_CERT_REVOKED = 0x8009_0351, "the certificate of the smart card is revoked";
    SEC_E_ISSUING_CA_UNTRUSTED = 0x8009_0352, "the authority of the smart card's certificate is not trusted";
    SEC_E_REVOCATION_OFFLINE_C = 0x8009_0353, "the revocation of the smart card's certificate could not be checked";
    SEC_E_PKINIT_CLIENT_FAILURE = 0x8009_0354, "the certificate of the smart card was not accepted";
    SEC_E_SMARTCARD_CERT_EXPIRED = 0x8009_0355, "the certificate of the smart card has expired";
    SEC_E_NO_S4U_PROT_SUPPORT = 0x8009_0356, "the domain controller cannot log users on for a service";
    SEC_E_CROSSREALM_DELEGATION_FAILURE = 0x8009_0357, "a delegation crosses domains that do not allow it";
    SEC_E_REVOCATION_OFFLINE_KDC = 0x8009_0358, "the revocation of the domain controller's certificate could not be checked";
    SEC_E_ISSUING_CA_UNTRUSTED_KDC = 0x8009_0359, "the authority of the domain controller's certificate is not trusted";
    SEC_E_KDC_CERT_EXPIRED = 0x8009_035A, "the certificate of the domain controller has expired";
    SEC_E_KDC_CERT_REVOKED = 0x8009_035B, "the certificate of the domain controller is revoked";
    SEC_E_INVALID_PARAMETER = 0x8009_035D, "a parameter is not valid";
    SEC_E_DELEGATION_POLICY = 0x8009_035E, "a policy forbids these credentials to be delegated to this target";
    SEC_E_POLICY_NLTM_ONLY = 0x8009_035F, "a policy lets credentials of NTLM alone be delegated to this target";
    SEC_E_NO_CONTEXT = 0x8009_0361, "there is no context for this connection";
    SEC_E_PKU2U_CERT_FAILURE = 0x8009_0362, "a certificate of a logon between two machines is wrong";
    SEC_E_MUTUAL_AUTH_FAILED = 0x8009_0363, "the peer could not be authenticated";
    SEC_E_ONLY_HTTPS_ALLOWED = 0x8009_0365, "the call may be made over HTTPS only";
    SEC_E_APPLICATION_PROTOCOL_MISMATCH = 0x8009_0367, "the two ends have no application protocol in common";
    SEC_E_INVALID_UPN_NAME = 0x8009_0369, "the name is no user principal name";
    SEC_E_EXT_BUFFER_TOO_SMALL = 0x8009_036A, "a buffer for an extension is too small";
    SEC_E_INSUFFICIENT_BUFFERS = 0x8009_036B, "there are fewer buffers than the call needs";
    CRYPT_E_MSG_ERROR = 0x8009_1001, "a cryptographic message could not be processed";
    CRYPT_E_UNKNOWN_ALGO = 0x8009_1002, "an algorithm is not known";
    CRYPT_E_HASH_VALUE = 0x8009_1007, "a hash is not the one that it should be";
    CRYPT_E_NOT_FOUND = 0x8009_2004, "what was looked for is not there: a certificate, or a property of it";
    CRYPT_E_NO_PROVIDER = 0x8009_2006, "the certificate names no provider of its key";
    CRYPT_E_SELF_SIGNED = 0x8009_2007, "the certificate is signed with its own key";
    CRYPT_E_NO_MATCH = 0x8009_2009, "no certificate fits";
    CRYPT_E_NO_KEY_PROPERTY = 0x8009_200B, "the certificate's private key is not there";
    CRYPT_E_BAD_MSG = 0x8009_200D, "this is no cryptographic message";
    CRYPT_E_NO_SIGNER = 0x8009_200E, "nobody signed the message, or not the one that was meant";
    CRYPT_E_REVOKED = 0x8009_2010, "the certificate is revoked";
    CRYPT_E_NO_REVOCATION_DLL = 0x8009_2011, "there is nobody who checks whether certificates are revoked";
    CRYPT_E_NO_REVOCATION_CHECK = 0x8009_2012, "the revocation of the certificate could not be checked";
    CRYPT_E_REVOCATION_OFFLINE = 0x8009_2013, "the source of revocation information is out of date or not available";
    CRYPT_E_NOT_IN_REVOCATION_DATABASE = 0x8009_2014, "the certificate is not in the list of those that are revoked or not";
    CRYPT_E_SECURITY_SETTINGS = 0x8009_2026, "a policy forbids it";
    CRYPT_E_ASN1_ERROR = 0x8009_3100, "an encoding in ASN.1 is wrong";
    CRYPT_E_ASN1_BADTAG = 0x8009_310B, "an encoding in ASN.1 has another tag than it should have";
    CERT_E_EXPIRED = 0x800B_0101, "the certificate is outside its validity period";
    CERT_E_VALIDITYPERIODNESTING = 0x800B_0102, "the certificate is valid for longer than the one that issued it";
    CERT_E_ROLE = 0x800B_0103, "a certificate stands where it may not: an authority as a peer, or the other way round";
    CERT_E_PATHLENCONST = 0x800B_0104, "the chain is longer than an authority in it allows";
    CERT_E_CRITICAL = 0x800B_0105, "the certificate has a critical extension that is not known";
    CERT_E_PURPOSE = 0x800B_0106, "the certificate is used for what its authority does not allow";
    CERT_E_ISSUERCHAINING = 0x800B_0107, "the certificate was not issued by the one that is said to have issued it";
    CERT_E_MALFORMED = 0x800B_0108, "the certificate lacks something, or has something in it that is empty";
    CERT_E_UNTRUSTEDROOT = 0x800B_0109, "the certificate chain ends at an authority that is not trusted";
    CERT_E_CHAINING = 0x800B_010A, "the certificate chain does not reach an authority that is trusted";
    CERT_E_REVOKED = 0x800B_010C, "the certificate is revoked";
    CERT_E_UNTRUSTEDTESTROOT = 0x800B_010D, "the certificate chain ends at an authority for tests, which is not trusted";
    CERT_E_REVOCATION_FAILURE = 0x800B_010E, "the revocation of the certificate could not be checked";
    CERT_E_CN_NO_MATCH = 0x800B_010F, "the certificate is for another name";
    CERT_E_WRONG_USAGE = 0x800B_0110, "the certificate may not be used for this purpose";
    CERT_E_UNTRUSTEDCA = 0x800B_0112, "an authority in the certificate chain was declared not to be trusted";
    CERT_E_INVALID_POLICY = 0x800B_0113, "the certificate was issued under another policy than is required";
    CERT_E_INVALID_NAME = 0x800B_0114, "the certificate has a name that its authority may not give";
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
    fn every_status_says_what_it_means() {
        assert!(SecStatus::ALL.iter().all(|status| !status.meaning().is_empty()));
        assert_eq!(SecStatus(0x8009_0FFF).meaning(), "");
    }

    #[test]
    fn information_is_not_an_error() {
        assert!(!SecStatus::SEC_I_RENEGOTIATE.is_error());
        assert!(SecStatus::SEC_E_INCOMPLETE_MESSAGE.is_error());
    }
}
