//! Alerts: what can be said, and how gravely.

use std::fmt::{self, Debug, Display, Formatter};

/// AlertLevel.
///
/// Spec: TLS12 section 7.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertLevel(pub u8);

impl AlertLevel {
    /// The connection may go on.
    pub const WARNING: Self = Self(1);
    /// The connection is over.
    pub const FATAL: Self = Self(2);
}

impl Debug for AlertLevel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WARNING => f.write_str("warning"),
            Self::FATAL => f.write_str("fatal"),
            Self(other) => write!(f, "level {other}"),
        }
    }
}

/// AlertDescription: what an alert says.
///
/// Spec: SSL30 section 5.4; TLS12 section 7.2; TLS-EXT (110 to 113); SCSV (86); ALPN section 3.2 (120).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(pub u8);

macro_rules! alerts {
    ($($(#[$doc:meta])* $number:literal $constant:ident $name:literal;)*) => {
        impl AlertDescription {
            $($(#[$doc])* pub const $constant: Self = Self($number);)*

            /// The name in the specification; `None` for a number that is not registered.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

alerts! {
    /// Nothing more will be sent.
    0 CLOSE_NOTIFY "close_notify";
    /// A message that may not come now.
    10 UNEXPECTED_MESSAGE "unexpected_message";
    /// A record that does not authenticate.
    20 BAD_RECORD_MAC "bad_record_mac";
    /// Not sent any more: it told padding from MAC. Understood when received.
    21 DECRYPTION_FAILED "decryption_failed";
    /// A record that is too long.
    22 RECORD_OVERFLOW "record_overflow";
    /// Understood when received: nothing is compressed here.
    30 DECOMPRESSION_FAILURE "decompression_failure";
    /// No acceptable set of parameters.
    40 HANDSHAKE_FAILURE "handshake_failure";
    /// SSL 3.0 only: a client has no certificate.
    41 NO_CERTIFICATE "no_certificate";
    /// A certificate that is corrupt.
    42 BAD_CERTIFICATE "bad_certificate";
    /// A certificate of a kind that is not supported.
    43 UNSUPPORTED_CERTIFICATE "unsupported_certificate";
    /// A certificate that was revoked.
    44 CERTIFICATE_REVOKED "certificate_revoked";
    /// A certificate that is not valid now.
    45 CERTIFICATE_EXPIRED "certificate_expired";
    /// A certificate that was refused for another reason.
    46 CERTIFICATE_UNKNOWN "certificate_unknown";
    /// A field with a value that is out of range or does not fit the others.
    47 ILLEGAL_PARAMETER "illegal_parameter";
    /// A certificate of an authority that is not known.
    48 UNKNOWN_CA "unknown_ca";
    /// A valid certificate that may not come in.
    49 ACCESS_DENIED "access_denied";
    /// A message that cannot be decoded.
    50 DECODE_ERROR "decode_error";
    /// A signature or a Finished that is not right.
    51 DECRYPT_ERROR "decrypt_error";
    /// A key that is longer than the law of 1999 allowed it to be for an export suite.
    60 EXPORT_RESTRICTION "export_restriction";
    /// A protocol version that is known and not supported.
    70 PROTOCOL_VERSION "protocol_version";
    /// Ciphers stronger than those of the client are wanted.
    71 INSUFFICIENT_SECURITY "insufficient_security";
    /// An error that has nothing to do with the peer.
    80 INTERNAL_ERROR "internal_error";
    /// A client that came back with less than it can.
    86 INAPPROPRIATE_FALLBACK "inappropriate_fallback";
    /// The user gave up.
    90 USER_CANCELED "user_canceled";
    /// No renegotiation, thank you.
    100 NO_RENEGOTIATION "no_renegotiation";
    /// An extension that was not asked for.
    110 UNSUPPORTED_EXTENSION "unsupported_extension";
    /// The server has no such name.
    112 UNRECOGNIZED_NAME "unrecognized_name";
    /// A stapled OCSP response that cannot be used.
    113 BAD_CERTIFICATE_STATUS_RESPONSE "bad_certificate_status_response";
    /// No application protocol in common.
    120 NO_APPLICATION_PROTOCOL "no_application_protocol";
}

impl AlertDescription {
    /// The level with which it is sent.
    ///
    /// Spec: TLS12 section 7.2.2.
    #[must_use]
    pub const fn level(self) -> AlertLevel {
        match self {
            Self::CLOSE_NOTIFY | Self::NO_CERTIFICATE | Self::USER_CANCELED | Self::NO_RENEGOTIATION => {
                AlertLevel::WARNING
            }
            _ => AlertLevel::FATAL,
        }
    }
}

impl Debug for AlertDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "alert {}", self.0),
        }
    }
}

impl Display for AlertDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Debug::fmt(self, f)
    }
}
