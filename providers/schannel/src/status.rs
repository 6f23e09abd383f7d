//! The package's own errors, and what each means to the caller and to the peer: ONE table.

use std::borrow::Cow;

use sspi_core::{Fault, SecStatus};

use crate::account_mapping::{Unmapped, UnmappedKind};
use crate::first_flight::version_name;

/// Everything that can go wrong in a handshake or on a connection, by whose fault it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Error {
    // What cannot be read as TLS.
    /// The first bytes of a connection are something else.
    NotTls { what: &'static str },
    /// Bytes that cannot begin a record.
    NotARecord { first: [u8; 5] },
    /// A message that cannot be decoded.
    Decode { what: String },

    // What breaks the protocol.
    /// A record or a plaintext is too long.
    RecordOverflow { length: usize, maximum: usize },
    /// A record that does not authenticate.
    BadRecordMac,
    /// A record without content type.
    NoContentType,
    /// A record of a type that may not come now.
    UnexpectedRecord { content_type: u8 },
    /// A message that may not come now.
    UnexpectedMessage { what: String },
    /// A value that is not allowed.
    IllegalParameter { what: String },
    /// A key that is too long for an export suite.
    ExportKeyTooLong { bits: u32 },
    /// A signature or a Finished message that is wrong.
    HandshakeSignature { what: String },
    /// An extension that was not asked for.
    UnsupportedExtension { what: String },
    /// Hellos that contradict each other, or each other's handshake.
    HandshakeFailure { what: String },
    /// A client that was asked to negotiate again, and let its time pass.
    NotNegotiatedAgain,
    /// A hello of a version that was not offered.
    WrongVersion { version: u16 },
    /// A record of a version that was not agreed on.
    WrongRecordVersion { version: u16 },
    /// A server that could speak a newer protocol chose an older one: somebody in between hides what is there.
    Downgraded,
    /// Too much of something harmless.
    Flood { what: &'static str, limit: usize },
    /// A handshake that holds more memory than it may.
    TooMuchHandshake { limit: usize },

    // What does not fit together.
    /// No protocol in common.
    NoProtocolInCommon { peer: String, ours: String },
    /// No suite, group or signature scheme in common.
    NothingInCommon { what: &'static str, peer: String, setting: &'static str },
    /// An extension that we insist on.
    MissingExtension { what: String },
    /// The peer does not bind its master secrets, and must.
    NoExtendedMasterSecret,
    /// No application protocol in common.
    NoApplicationProtocol { peer: String, ours: String },

    // What was judged and refused.
    /// A certificate.
    Certificate(CertificateProblem),
    /// A client that should have shown a certificate.
    NoClientCertificate,
    /// A client whose certificate should have been for an account.
    Unmapped(Unmapped),
    /// A group of Diffie-Hellman that is too small.
    SmallGroup { bits: u32, minimum: u32 },
    /// A client that came back with less than it has, although more is enabled here.
    InappropriateFallback { offered: u16, highest: &'static str },

    // What the peer said.
    /// A fatal alert.
    AlertReceived(u8),
    /// The same, when the client saw our group of Diffie-Hellman.
    GroupDeclined { alert: u8, bits: u32 },
    /// An ERROR message of SSL 2.0.
    Ssl2Received(legacy_tls::Ssl2ErrorCode),
    /// An ERROR message of PCT 1.0.
    Pct1Received(legacy_tls::pct1::Received),
    /// close_notify in the middle of a handshake.
    ClosedInHandshake,

    // What is ours.
    /// The key has protected as many records as it may.
    KeyUsedUp,
    /// The key of a cipher with small blocks has protected as many bytes as it may.
    SmallBlockLimit { limit: u64, is_ours: bool },
    /// Something that should not happen.
    Internal(&'static str),
    /// Something that rustls reports and that should not happen.
    InternalReport(String),
}

/// What is wrong with a certificate, and what would change that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateProblem {
    pub(crate) kind: CertificateKind,
    /// Whose: `the server's certificate` or `the client's certificate`.
    pub(crate) whose: &'static str,
    /// Names, dates: what the peer showed. Made harmless before it gets here.
    pub(crate) detail: String,
    /// Settings, each with the value that would have it accepted.
    pub(crate) remedies: Vec<(&'static str, String)>,
}

impl CertificateProblem {
    fn sentence(&self) -> String {
        let Self { kind, whose, detail, .. } = self;
        let colon = if detail.is_empty() { "" } else { ": " };
        format!("{whose} {}{colon}{detail}", kind.sentence())
    }
}

impl std::fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence())
    }
}

impl std::error::Error for CertificateProblem {}

/// The kinds of problem that have a status or an alert of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CertificateKind {
    Expired,
    NotYetValid,
    WrongName,
    UnknownIssuer,
    NotPinned,
    Revoked,
    RevocationUnknown,
    RevocationOutOfDate,
    BadOcspResponse,
    WrongUsage,
    /// Its key is not of the kind that the cipher suite needs.
    WrongKey,
    BadSignature,
    BadEncoding,
    /// It is signed in a way that no longer holds.
    WeakSignature,
    /// It has a key that no longer protects.
    WeakKey,
    /// Its form says less, or less clearly, than it must today.
    OldForm,
    /// It uses an algorithm that nobody here knows.
    Unsupported,
    Other,
}

/// The alert internal_error.
pub(crate) const INTERNAL_ERROR: u8 = 80;

/// Status, fault, alert and setting of one kind of problem.
type Row = (SecStatus, Fault, u8, Option<&'static str>);

impl CertificateKind {
    const fn row(self) -> Row {
        use Fault::Refused;
        match self {
            Self::Expired | Self::NotYetValid => (SecStatus::SEC_E_CERT_EXPIRED, Refused, 45, None),
            Self::WrongName => (SecStatus::SEC_E_WRONG_PRINCIPAL, Refused, 42, Some("pins")),
            Self::UnknownIssuer => (SecStatus::SEC_E_UNTRUSTED_ROOT, Refused, 48, Some("roots")),
            Self::NotPinned => (SecStatus::SEC_E_UNTRUSTED_ROOT, Refused, 49, Some("pins")),
            Self::Revoked => (SecStatus::CRYPT_E_REVOKED, Refused, 44, Some("revocation")),
            Self::RevocationUnknown => {
                (SecStatus::CRYPT_E_NO_REVOCATION_CHECK, Refused, 48, Some("revocation"))
            }
            Self::RevocationOutOfDate => (SecStatus::CRYPT_E_REVOCATION_OFFLINE, Refused, 48, Some("crls")),
            Self::BadOcspResponse => {
                (SecStatus::CRYPT_E_NO_REVOCATION_CHECK, Refused, 113, Some("revocation"))
            }
            Self::WrongUsage => (SecStatus::SEC_E_CERT_WRONG_USAGE, Refused, 43, None),
            Self::WrongKey => (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 43, Some("suites")),
            Self::BadSignature => (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 51, None),
            Self::BadEncoding => (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 42, None),
            Self::WeakSignature | Self::WeakKey | Self::OldForm => {
                (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 42, Some("allow"))
            }
            Self::Unsupported => (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 43, None),
            Self::Other => (SecStatus::SEC_E_CERT_UNKNOWN, Refused, 46, None),
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => "has expired",
            Self::NotYetValid => "is not valid yet",
            Self::WrongName => "is for another name",
            Self::UnknownIssuer => "was issued by an authority that is not trusted",
            Self::NotPinned => "is none of those that are pinned",
            Self::Revoked => "is revoked",
            Self::RevocationUnknown => "cannot be checked for revocation",
            Self::RevocationOutOfDate => {
                "cannot be checked for revocation: the revocation list is out of date"
            }
            Self::BadOcspResponse => "came with an OCSP answer that cannot be used",
            Self::WrongUsage => "may not be used for this purpose",
            Self::WrongKey => "has a key that does not fit the cipher suite",
            Self::BadSignature => "or a signature made with it is not right",
            Self::BadEncoding => "cannot be read",
            Self::WeakSignature => "rests on a signature that is too weak",
            Self::WeakKey => "rests on a key that is too weak",
            Self::OldForm => "is of a form that is too weak",
            Self::Unsupported => "uses an algorithm that is not supported",
            Self::Other => "was refused",
        }
    }
}

/// What an error of SSL 2.0 means to the caller. Spec: SSL2 section 5.7.1.
fn ssl2_status(code: legacy_tls::Ssl2ErrorCode) -> SecStatus {
    use legacy_tls::Ssl2ErrorCode as E;
    match code {
        E::NO_CIPHER => SecStatus::SEC_E_ALGORITHM_MISMATCH,
        E::NO_CERTIFICATE => SecStatus::SEC_E_NO_CREDENTIALS,
        E::BAD_CERTIFICATE | E::UNSUPPORTED_CERTIFICATE_TYPE => SecStatus::SEC_E_CERT_UNKNOWN,
        _ => SecStatus::SEC_E_ILLEGAL_MESSAGE,
    }
}

/// What an error of PCT 1.0 means to the caller. Spec: PCT1 section 5.4.
fn pct1_status(code: legacy_tls::pct1::ErrorCode) -> SecStatus {
    use legacy_tls::pct1::ErrorCode as E;
    match code {
        E::BAD_CERTIFICATE => SecStatus::SEC_E_CERT_UNKNOWN,
        E::CLIENT_AUTH_FAILED => SecStatus::SEC_E_LOGON_DENIED,
        E::INTEGRITY_CHECK_FAILED => SecStatus::SEC_E_MESSAGE_ALTERED,
        E::SERVER_AUTH_FAILED => SecStatus::SEC_E_DECRYPT_FAILURE,
        E::SPECS_MISMATCH => SecStatus::SEC_E_ALGORITHM_MISMATCH,
        _ => SecStatus::SEC_E_ILLEGAL_MESSAGE,
    }
}

impl Error {
    /// THE table: what each error means to the caller (status, fault), to the peer (alert), and what would change it.
    fn row(&self) -> Row {
        use Fault::{ApiMisuse, Decode, Internal, PeerIncompatible, PeerMisbehaved, PeerReported, Refused};
        use SecStatus as S;
        match self {
            Self::NotTls { .. } => (S::SEC_E_INVALID_TOKEN, Decode, 70, None),
            Self::NotARecord { .. } => (S::SEC_E_INVALID_TOKEN, Decode, 10, None),
            Self::Decode { .. } => (S::SEC_E_ILLEGAL_MESSAGE, Decode, 50, None),
            Self::RecordOverflow { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 22, None),
            Self::BadRecordMac => (S::SEC_E_MESSAGE_ALTERED, PeerMisbehaved, 20, None),
            Self::NoContentType
            | Self::UnexpectedRecord { .. }
            | Self::UnexpectedMessage { .. }
            | Self::Flood { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 10, None),
            Self::IllegalParameter { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 47, None),
            Self::ExportKeyTooLong { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 60, None),
            Self::HandshakeFailure { .. } | Self::NotNegotiatedAgain => {
                (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 40, None)
            }
            Self::WrongVersion { .. } | Self::WrongRecordVersion { .. } => {
                (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 70, None)
            }
            Self::Downgraded => (S::SEC_E_DOWNGRADE_DETECTED, PeerMisbehaved, 47, None),
            Self::HandshakeSignature { .. } => (S::SEC_E_DECRYPT_FAILURE, PeerMisbehaved, 51, None),
            Self::UnsupportedExtension { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 110, None),
            Self::TooMuchHandshake { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerMisbehaved, 50, None),
            Self::NoProtocolInCommon { .. } => {
                (S::SEC_E_UNSUPPORTED_FUNCTION, PeerIncompatible, 70, Some("protocols"))
            }
            Self::NothingInCommon { setting, .. } => {
                (S::SEC_E_ALGORITHM_MISMATCH, PeerIncompatible, 40, Some(setting))
            }
            Self::MissingExtension { .. } => (S::SEC_E_ILLEGAL_MESSAGE, PeerIncompatible, 109, None),
            Self::NoExtendedMasterSecret => {
                (S::SEC_E_ALGORITHM_MISMATCH, PeerIncompatible, 40, Some("extended-master-secret"))
            }
            Self::NoApplicationProtocol { .. } => {
                (S::SEC_E_APPLICATION_PROTOCOL_MISMATCH, PeerIncompatible, 120, Some("alpn"))
            }
            Self::Certificate(problem) => problem.kind.row(),
            Self::NoClientCertificate => (S::SEC_E_NO_CREDENTIALS, Refused, 116, Some("client-auth")),
            Self::Unmapped(unmapped) => {
                let status = match unmapped.kind {
                    UnmappedKind::Several => S::SEC_E_MULTIPLE_ACCOUNTS,
                    UnmappedKind::WrongSid => S::SEC_E_PKINIT_NAME_MISMATCH,
                    _ => S::SEC_E_LOGON_DENIED,
                };
                (status, Refused, 49, unmapped.setting())
            }
            Self::SmallGroup { .. } => (S::SEC_E_ALGORITHM_MISMATCH, Refused, 71, Some("dh-minimum-bits")),
            Self::InappropriateFallback { .. } => {
                (S::SEC_E_DOWNGRADE_DETECTED, Refused, 86, Some("protocols"))
            }
            Self::AlertReceived(number) => {
                (alert_meaning(*number).map_or(S::SEC_E_ILLEGAL_MESSAGE, |m| m.status), PeerReported, 0, None)
            }
            Self::GroupDeclined { alert, .. } => {
                let (status, fault, number, _) = Self::AlertReceived(*alert).row();
                (status, fault, number, Some("dh-minimum-bits"))
            }
            Self::Ssl2Received(code) => (ssl2_status(*code), PeerReported, 0, None),
            Self::Pct1Received(received) => (pct1_status(received.code), PeerReported, 0, None),
            Self::ClosedInHandshake => (S::SEC_E_UNFINISHED_CONTEXT_DELETED, PeerReported, 0, None),
            Self::KeyUsedUp => (S::SEC_E_ENCRYPT_FAILURE, ApiMisuse, 80, None),
            Self::SmallBlockLimit { is_ours: true, .. } => {
                (S::SEC_E_ENCRYPT_FAILURE, ApiMisuse, 80, Some("small-block-limit"))
            }
            Self::SmallBlockLimit { is_ours: false, .. } => {
                (S::SEC_E_DECRYPT_FAILURE, Refused, 80, Some("small-block-limit"))
            }
            Self::Internal(_) | Self::InternalReport(_) => (S::SEC_E_INTERNAL_ERROR, Internal, 80, None),
        }
    }

    /// The alert for the peer; none when it was the peer who spoke.
    pub(crate) fn alert(&self) -> Option<u8> {
        match self {
            Self::AlertReceived(_)
            | Self::GroupDeclined { .. }
            | Self::Ssl2Received(_)
            | Self::Pct1Received(_)
            | Self::ClosedInHandshake => None,
            _ => Some(self.row().2),
        }
    }

    fn sentence(&self) -> Cow<'static, str> {
        match self {
            Self::NotTls { what } => format!("the peer does not speak TLS: it sent {what}").into(),
            Self::NotARecord { first } => {
                let [a, b, c, d, e] = first;
                format!("the peer sent bytes that are no TLS record: {a:02x} {b:02x} {c:02x} {d:02x} {e:02x}")
                    .into()
            }
            Self::Decode { what } => format!("a message of the peer cannot be decoded: {what}").into(),
            Self::RecordOverflow { length, maximum } => {
                format!("the peer sent a record of {length} bytes, where at most {maximum} are allowed")
                    .into()
            }
            Self::BadRecordMac => {
                "a record does not authenticate: it was altered, repeated or lost on its way".into()
            }
            Self::NoContentType => "a record has no content type".into(),
            Self::UnexpectedRecord { content_type } => {
                format!("the peer sent a record of type {content_type} that may not come now").into()
            }
            Self::UnexpectedMessage { what } => {
                format!("the peer sent a message that may not come now: {what}").into()
            }
            Self::IllegalParameter { what } => {
                format!("the peer sent a value that is not allowed: {what}").into()
            }
            Self::ExportKeyTooLong { bits } => {
                format!("the peer sent a key of {bits} bits, which is too long for an export suite").into()
            }
            Self::HandshakeSignature { what } => {
                format!("the peer could not prove its identity: {what}").into()
            }
            Self::HandshakeFailure { what } => format!("the handshake is not right: {what}").into(),
            Self::NotNegotiatedAgain => {
                "the client was asked to negotiate again, and has not in the time that it had".into()
            }
            Self::WrongRecordVersion { version } => {
                let name = version_name(*version).map_or_else(|| format!("{version:04x}"), str::to_owned);
                format!("the peer sent a record of the version {name}, which was not agreed on").into()
            }
            Self::WrongVersion { version } => {
                let name = version_name(*version).map_or_else(|| format!("{version:04x}"), str::to_owned);
                format!("the peer answered with the version {name}, which was not agreed on").into()
            }
            Self::Downgraded => {
                "the server can speak a newer protocol than the one that it chose: somebody in between hid that".into()
            }
            Self::UnsupportedExtension { what } => {
                format!("the peer answered with an extension that was not asked for: {what}").into()
            }
            Self::Flood { what, limit } => format!("the peer sent more than {limit} {what} in a row").into(),
            Self::TooMuchHandshake { limit } => {
                format!("the peer sent more than {limit} bytes without completing its handshake").into()
            }
            Self::NoProtocolInCommon { peer, ours } => {
                format!("no protocol in common: the peer has {peer}; enabled here: {ours}").into()
            }
            Self::NothingInCommon { what, peer, .. } if peer.is_empty() => {
                format!("the peer and we have no {what} in common").into()
            }
            Self::NothingInCommon { what, peer, .. } => {
                format!("the peer and we have no {what} in common; it offers {peer}").into()
            }
            Self::MissingExtension { what } => {
                format!("the peer left out what its hello must have: {what}").into()
            }
            Self::NoExtendedMasterSecret => {
                "the peer does not bind its master secret to the handshake (RFC 7627), and that is required".into()
            }
            Self::NoApplicationProtocol { peer, ours } => {
                format!("no application protocol in common: the peer has {peer}; configured here: {ours}")
                    .into()
            }
            Self::Certificate(problem) => problem.sentence().into(),
            Self::NoClientCertificate => "the client showed no certificate, and one is required".into(),
            Self::Unmapped(unmapped) => unmapped.sentence().into(),
            Self::SmallGroup { bits, minimum } => format!(
                "the server's Diffie-Hellman group has {bits} bits, and at least {minimum} are required"
            )
            .into(),
            Self::InappropriateFallback { offered, highest } => {
                let offered = version_name(*offered).unwrap_or("an old protocol");
                format!("the client fell back to {offered}, as if {highest} were not enabled here").into()
            }
            Self::AlertReceived(number) => match alert_meaning(*number) {
                Some(meaning) => {
                    format!("the peer sent the alert {} ({number}): {}", meaning.name, meaning.sentence)
                        .into()
                }
                None => format!("the peer sent the unknown alert {number}").into(),
            },
            Self::GroupDeclined { alert, bits } => format!(
                "{}; it had seen our group of Diffie-Hellman, which has {bits} bits: clients of today want 2048, and there are old \
                 ones that want no more than 1024",
                Self::AlertReceived(*alert).sentence()
            )
            .into(),
            Self::Ssl2Received(code) => match code.name() {
                Some(name) => format!("the peer sent the SSL 2.0 error {name} ({})", code.0).into(),
                None => format!("the peer sent the unknown {code}").into(),
            },
            Self::Pct1Received(received) => received.to_string().into(),
            Self::ClosedInHandshake => "the peer closed the connection in the middle of the handshake".into(),
            Self::KeyUsedUp => {
                "the key has protected as many records as is safe; open a new connection".into()
            }
            Self::SmallBlockLimit { limit, is_ours } => {
                let who = if *is_ours { "our key" } else { "the peer's key" };
                format!(
                    "{who} of a cipher with blocks of 64 bits has protected {limit} bytes, as many as it may; \
                     open a new connection"
                )
                .into()
            }
            Self::Internal(what) => (*what).into(),
            Self::InternalReport(what) => what.clone().into(),
        }
    }
}

impl From<Error> for sspi_core::Error {
    fn from(error: Error) -> Self {
        let (status, fault, alert, setting) = error.row();
        let mut out = Self::new(status, fault, error.sentence());
        if let Some(setting) = setting {
            out = out.with_setting(setting);
        }
        if error.alert().is_some() {
            out = out.with_alert(alert);
        }
        match error {
            Error::Certificate(problem) => {
                let add = |out: Self, (setting, value)| out.with_remedy(setting, value);
                problem.remedies.into_iter().fold(out, add)
            }
            Error::Unmapped(unmapped) => match unmapped.remedy() {
                Some((setting, value)) => out.with_remedy(setting, value),
                None => out,
            },
            Error::SmallGroup { bits, .. } => out.with_remedy("dh-minimum-bits", bits.to_string()),
            _ => out,
        }
    }
}

/// Counts something harmless that the peer did, and refuses more than `limit` of it in a row.
pub(crate) fn flood(count: &mut usize, limit: usize, what: &'static str) -> Result<(), Error> {
    *count += 1;
    if *count > limit { Err(Error::Flood { what, limit }) } else { Ok(()) }
}

/// What a received alert means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertMeaning {
    /// The number on the wire.
    pub number: u8,
    /// The registered name.
    pub name: &'static str,
    /// The status that it stands for, as Windows maps it.
    pub status: SecStatus,
    /// What it says, in a few words.
    pub sentence: &'static str,
}

/// What a received alert means; `None` for a number that is not registered.
///
/// Spec: TLS13 section 6; the statuses are those of Microsoft's table of Schannel error codes for alerts.
#[must_use]
pub fn alert_meaning(number: u8) -> Option<&'static AlertMeaning> {
    ALERTS.iter().find(|alert| alert.number == number)
}

macro_rules! alerts {
    ($($number:literal $name:ident $status:ident $sentence:literal;)*) => {
        &[$(AlertMeaning {
            number: $number,
            name: stringify!($name),
            status: SecStatus::$status,
            sentence: $sentence,
        }),*]
    };
}

#[rustfmt::skip]
const ALERTS: &[AlertMeaning] = alerts! {
    0   close_notify                    SEC_I_CONTEXT_EXPIRED               "it has closed its side";
    10  unexpected_message              SEC_E_ILLEGAL_MESSAGE               "a message came that it did not expect";
    20  bad_record_mac                  SEC_E_MESSAGE_ALTERED               "a record did not authenticate";
    21  decryption_failed               SEC_E_DECRYPT_FAILURE               "a record could not be decrypted";
    22  record_overflow                 SEC_E_ILLEGAL_MESSAGE               "a record was too long";
    30  decompression_failure           SEC_E_MESSAGE_ALTERED               "a record could not be decompressed";
    40  handshake_failure               SEC_E_ILLEGAL_MESSAGE               "it found no acceptable set of parameters";
    41  no_certificate                  SEC_E_NO_CREDENTIALS                "it has no certificate to show";
    42  bad_certificate                 SEC_E_CERT_UNKNOWN                  "it could not use our certificate";
    43  unsupported_certificate         SEC_E_CERT_UNKNOWN                  "our certificate is of a kind it does not support";
    44  certificate_revoked             CRYPT_E_REVOKED                     "our certificate is revoked";
    45  certificate_expired             SEC_E_CERT_EXPIRED                  "our certificate has expired";
    46  certificate_unknown             SEC_E_CERT_UNKNOWN                  "our certificate was not acceptable";
    47  illegal_parameter               SEC_E_ILLEGAL_MESSAGE               "a value was out of range";
    48  unknown_ca                      SEC_E_UNTRUSTED_ROOT                "it does not trust the authority of our certificate";
    49  access_denied                   SEC_E_LOGON_DENIED                  "our certificate is valid, and access was denied";
    50  decode_error                    SEC_E_ILLEGAL_MESSAGE               "it could not decode a message";
    51  decrypt_error                   SEC_E_DECRYPT_FAILURE               "a signature or a Finished message was wrong";
    60  export_restriction              SEC_E_ILLEGAL_MESSAGE               "export restrictions were not kept";
    70  protocol_version                SEC_E_UNSUPPORTED_FUNCTION          "it does not support the protocol version";
    71  insufficient_security           SEC_E_ALGORITHM_MISMATCH            "it wants stronger ciphers";
    80  internal_error                  SEC_E_INTERNAL_ERROR                "an internal error on its side";
    86  inappropriate_fallback          SEC_E_ILLEGAL_MESSAGE               "the protocol was lowered without need";
    90  user_canceled                   SEC_E_UNFINISHED_CONTEXT_DELETED    "its user gave up";
    100 no_renegotiation                SEC_E_ILLEGAL_MESSAGE               "it does not renegotiate";
    109 missing_extension               SEC_E_ILLEGAL_MESSAGE               "an extension was missing";
    110 unsupported_extension           SEC_E_ILLEGAL_MESSAGE               "an extension was not asked for";
    111 certificate_unobtainable        SEC_E_ILLEGAL_MESSAGE               "it could not fetch our certificate";
    112 unrecognized_name               SEC_E_ILLEGAL_MESSAGE               "it does not know the server name";
    113 bad_certificate_status_response SEC_E_ILLEGAL_MESSAGE               "our OCSP answer was not usable";
    115 unknown_psk_identity            SEC_E_ILLEGAL_MESSAGE               "it does not know the pre-shared key";
    116 certificate_required            SEC_E_ILLEGAL_MESSAGE               "it requires a client certificate";
    120 no_application_protocol         SEC_E_APPLICATION_PROTOCOL_MISMATCH "no application protocol in common";
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_alerts_is_the_one_of_windows() {
        let of_windows = [
            (0, SecStatus::SEC_I_CONTEXT_EXPIRED),
            (10, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (20, SecStatus::SEC_E_MESSAGE_ALTERED),
            (21, SecStatus::SEC_E_DECRYPT_FAILURE),
            (22, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (30, SecStatus::SEC_E_MESSAGE_ALTERED),
            (40, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (42, SecStatus::SEC_E_CERT_UNKNOWN),
            (43, SecStatus::SEC_E_CERT_UNKNOWN),
            (44, SecStatus::CRYPT_E_REVOKED),
            (45, SecStatus::SEC_E_CERT_EXPIRED),
            (46, SecStatus::SEC_E_CERT_UNKNOWN),
            (47, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (48, SecStatus::SEC_E_UNTRUSTED_ROOT),
            (49, SecStatus::SEC_E_LOGON_DENIED),
            (50, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (51, SecStatus::SEC_E_DECRYPT_FAILURE),
            (60, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (70, SecStatus::SEC_E_UNSUPPORTED_FUNCTION),
            (71, SecStatus::SEC_E_ALGORITHM_MISMATCH),
            (80, SecStatus::SEC_E_INTERNAL_ERROR),
            (90, SecStatus::SEC_E_UNFINISHED_CONTEXT_DELETED),
            (100, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (110, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (115, SecStatus::SEC_E_ILLEGAL_MESSAGE),
            (120, SecStatus::SEC_E_APPLICATION_PROTOCOL_MISMATCH),
        ];
        for (number, status) in of_windows {
            assert_eq!(alert_meaning(number).unwrap().status, status, "{number}");
            assert_eq!(sspi_core::Error::from(Error::AlertReceived(number)).status(), status, "{number}");
        }
        // What Windows does not name is what it makes of any other alert, but for the one of SSL 3.0 that is not in its table.
        for alert in ALERTS.iter().filter(|alert| of_windows.iter().all(|row| row.0 != alert.number)) {
            let status = if alert.number == 41 {
                SecStatus::SEC_E_NO_CREDENTIALS
            } else {
                SecStatus::SEC_E_ILLEGAL_MESSAGE
            };
            assert_eq!(alert.status, status, "{alert:?}");
        }
        let unknown = sspi_core::Error::from(Error::AlertReceived(255));
        assert_eq!(unknown.status(), SecStatus::SEC_E_ILLEGAL_MESSAGE);
        assert_eq!(unknown.alert(), None, "no alert answers an alert");
    }

    /// The specifications name the errors, and the statuses are ours: those that Windows has for the alerts that say the same, but
    /// for an offer in which there is nothing, which both ends call by one name.
    #[test]
    fn every_error_of_ssl2_and_pct_has_its_status_and_is_answered_by_nothing() {
        use SecStatus as S;
        use legacy_tls::Ssl2ErrorCode;
        use legacy_tls::pct1::{ErrorCode, Mismatch, Received};
        let of_ssl2 = [
            (1, S::SEC_E_ALGORITHM_MISMATCH, "SSL 2.0 error NO-CIPHER-ERROR (1)"),
            (2, S::SEC_E_NO_CREDENTIALS, "SSL 2.0 error NO-CERTIFICATE-ERROR (2)"),
            (4, S::SEC_E_CERT_UNKNOWN, "SSL 2.0 error BAD-CERTIFICATE-ERROR (4)"),
            (6, S::SEC_E_CERT_UNKNOWN, "SSL 2.0 error UNSUPPORTED-CERTIFICATE-TYPE-ERROR (6)"),
            (0, S::SEC_E_ILLEGAL_MESSAGE, "unknown SSL 2.0 error 0"),
            (3, S::SEC_E_ILLEGAL_MESSAGE, "unknown SSL 2.0 error 3"),
            (0xffff, S::SEC_E_ILLEGAL_MESSAGE, "unknown SSL 2.0 error 65535"),
        ];
        let of_pct = [
            (1, S::SEC_E_CERT_UNKNOWN, "PCT error BAD_CERTIFICATE"),
            (2, S::SEC_E_LOGON_DENIED, "PCT error CLIENT_AUTH_FAILED"),
            (3, S::SEC_E_ILLEGAL_MESSAGE, "PCT error ILLEGAL_MESSAGE"),
            (4, S::SEC_E_MESSAGE_ALTERED, "PCT error INTEGRITY_CHECK_FAILED"),
            (5, S::SEC_E_DECRYPT_FAILURE, "PCT error SERVER_AUTH_FAILED"),
            (6, S::SEC_E_ALGORITHM_MISMATCH, "PCT error SPECS_MISMATCH"),
            (0, S::SEC_E_ILLEGAL_MESSAGE, "PCT error 0"),
            (7, S::SEC_E_ILLEGAL_MESSAGE, "PCT error 7"),
        ];
        let ssl2 =
            of_ssl2.map(|(number, status, said)| (Error::Ssl2Received(Ssl2ErrorCode(number)), status, said));
        let pct = of_pct.map(|(number, status, said)| {
            let received = Received { code: ErrorCode(number), mismatch: Mismatch::default() };
            (Error::Pct1Received(received), status, said)
        });
        for (error, status, said) in ssl2.into_iter().chain(pct) {
            let error = sspi_core::Error::from(error);
            assert_eq!((error.status(), error.fault()), (status, Fault::PeerReported), "{error}");
            assert_eq!(error.message(), format!("the peer sent the {said}"));
            assert_eq!(error.alert(), None, "{error}: an error is not answered");
        }
        // What the peer says of a proof, and what we say of the same.
        let ours = Error::HandshakeSignature { what: "the server's response".to_owned() };
        assert_eq!(sspi_core::Error::from(ours).status(), S::SEC_E_DECRYPT_FAILURE);
    }

    #[test]
    fn a_refused_certificate_names_status_alert_and_setting() {
        let error = sspi_core::Error::from(Error::Certificate(CertificateProblem {
            kind: CertificateKind::Revoked,
            whose: "the server's certificate",
            detail: "CN=old".to_owned(),
            remedies: vec![("pins", "sha256:00".to_owned())],
        }));
        assert_eq!(error.status(), SecStatus::CRYPT_E_REVOKED);
        assert_eq!(error.alert(), Some(44));
        assert_eq!(error.message(), "the server's certificate is revoked: CN=old");
        assert_eq!(error.setting(), Some("revocation"));
        assert_eq!((&*error.remedies()[0].setting, &*error.remedies()[0].value), ("pins", "sha256:00"));
    }
}
