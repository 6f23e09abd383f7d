//! Our errors in the runner's words: ONE table, and the one of alerts that the peer sent.

use sspi_core::{Error, Fault};

/// The runner's string for an error: `:NO_SHARED_CIPHER:`.
pub(crate) fn of(error: &Error) -> String {
    if error.fault() == Fault::PeerReported {
        return received(error.message());
    }
    if record_length(error.message()) > Some(LARGEST_CIPHERTEXT) {
        return ":ENCRYPTED_LENGTH_TOO_LONG:".to_owned();
    }
    let fits = |row: &&Row, alert: Option<u8>| {
        (row.fault.is_none() || row.fault == Some(error.fault()))
            && (row.alert.is_none() || alert == error.alert())
            && error.message().contains(row.says)
    };
    // What SSL 3.0 has no alert for it says with another, which is no less particular.
    let particular = ROWS.iter().filter(|row| !row.says.is_empty());
    let row = particular
        .clone()
        .find(|row| fits(row, row.alert))
        .or_else(|| particular.clone().find(|row| fits(row, row.alert.map(in_ssl30))))
        .or_else(|| ROWS.iter().find(|row| fits(row, row.alert)));
    format!(":{}:", row.map_or("INTERNAL_ERROR", |row| row.string))
}

/// The peer found nothing that it can agree on.
pub(crate) const HANDSHAKE_FAILURE: &str = ":SSLV3_ALERT_HANDSHAKE_FAILURE:";

/// What is longer cannot be a record, whatever it decrypts to, in bytes.
const LARGEST_CIPHERTEXT: usize = (16 << 10) + 2048;

/// The length in "the peer sent a record of N bytes".
fn record_length(sentence: &str) -> Option<usize> {
    sentence.strip_prefix("the peer sent a record of ")?.split(' ').next()?.parse().ok()
}

/// The string for an alert of the peer, by the number in the sentence.
fn received(sentence: &str) -> String {
    let number = sentence.strip_prefix("the peer sent the unknown alert ").or_else(|| {
        let (_name, rest) = sentence.strip_prefix("the peer sent the alert ")?.split_once(" (")?;
        Some(rest.split_once(')')?.0)
    });
    let number = number.and_then(|number| number.parse::<u8>().ok());
    match ALERTS.iter().find(|(alert, _)| Some(*alert) == number) {
        Some((_, string)) => format!(":{string}:"),
        None => ":UNKNOWN_ALERT_TYPE:".to_owned(),
    }
}

/// The alert that SSL 3.0 has in the place of this one.
const fn in_ssl30(alert: u8) -> u8 {
    match alert {
        22 => 20,
        50 => 47,
        70 | 116 => 40,
        alert => alert,
    }
}

/// One row: an error that is like this, for whatever of it is said, is that string.
struct Row {
    fault: Option<Fault>,
    alert: Option<u8>,
    /// Part of the sentence.
    says: &'static str,
    /// What is one thing here and several in the runner, or has another name in another edition of it, has them all.
    string: &'static str,
}

/// By whose fault it is and a part of the sentence.
const fn row(fault: Fault, says: &'static str, string: &'static str) -> Row {
    Row { fault: Some(fault), alert: None, says, string }
}

/// By the alert that the error stands for; a part of the sentence tells apart what shares one.
const fn alert(number: u8, says: &'static str, string: &'static str) -> Row {
    Row { fault: None, alert: Some(number), says, string }
}

/// The first row that fits counts: what is particular stands before what is general.
const ROWS: &[Row] = &[
    // Bytes that are no TLS.
    alert(70, "plain text", "HTTP_REQUEST::HTTPS_PROXY_REQUEST"),
    alert(70, "hello of SSL 2.0", "UNSUPPORTED_PROTOCOL"),
    alert(70, "does not speak TLS", "WRONG_VERSION_NUMBER"),
    alert(10, "no TLS record", "WRONG_VERSION_NUMBER"),
    // Versions.
    alert(70, "a record of the version", "WRONG_VERSION_NUMBER"),
    alert(70, "which was not agreed on", "UNSUPPORTED_PROTOCOL::WRONG_SSL_VERSION"),
    alert(86, "", "INAPPROPRIATE_FALLBACK"),
    // Records.
    alert(22, "at most 16384 are", "DATA_LENGTH_TOO_LONG"),
    alert(22, "at most 16385 are", "DATA_LENGTH_TOO_LONG"),
    alert(22, "", "ENCRYPTED_LENGTH_TOO_LONG"),
    alert(20, "", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    alert(10, "no content type", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    alert(10, "empty fragments", "TOO_MANY_EMPTY_FRAGMENTS"),
    alert(10, "empty records", "TOO_MANY_EMPTY_FRAGMENTS"),
    alert(10, "warning alerts", "TOO_MANY_WARNING_ALERTS"),
    alert(10, " warnings in a row", "TOO_MANY_WARNING_ALERTS"),
    alert(10, "bytes of handshake", "EXCESSIVE_MESSAGE_SIZE"),
    alert(10, "key updates", "TOO_MANY_KEY_UPDATES"),
    alert(10, "requests to renegotiate", "NO_RENEGOTIATION"),
    alert(10, "renegotiation requests", "NO_RENEGOTIATION"),
    // Messages that may not come now.
    alert(10, "behind KeyUpdate", "EXCESS_HANDSHAKE_DATA"),
    alert(10, "KeyEpochWithPendingFragment", "EXCESS_HANDSHAKE_DATA"),
    alert(10, "ends its flight", "EXCESS_HANDSHAKE_DATA"),
    alert(10, "got ApplicationData", "APPLICATION_DATA_INSTEAD_OF_HANDSHAKE::UNEXPECTED_RECORD"),
    alert(10, "a record of type 23 where ClientHello", "APPLICATION_DATA_INSTEAD_OF_HANDSHAKE"),
    alert(10, "a record of type 23 where ServerHello was", "APPLICATION_DATA_INSTEAD_OF_HANDSHAKE"),
    alert(10, "a record of type", "UNEXPECTED_RECORD"),
    alert(10, "Finished where ChangeCipherSpec", "UNEXPECTED_RECORD"),
    alert(10, "received unexpected message", "UNEXPECTED_RECORD"),
    alert(10, "MessageInterleavedWithHandshakeMessage", "UNEXPECTED_RECORD"),
    alert(10, "IllegalMiddleboxChangeCipherSpec", "UNEXPECTED_RECORD::TOO_MANY_EMPTY_FRAGMENTS"),
    alert(10, "handshake message ", "UNEXPECTED_MESSAGE::BAD_HELLO_REQUEST"),
    alert(10, "", "UNEXPECTED_MESSAGE"),
    // Messages that cannot be read.
    alert(50, "without completing its handshake", "EXCESSIVE_MESSAGE_SIZE"),
    alert(50, "PayloadTooLarge", "EXCESSIVE_MESSAGE_SIZE"),
    alert(50, "stands there twice", "DUPLICATE_EXTENSION"),
    alert(50, "an alert that is none", "BAD_ALERT::DECODE_ERROR"),
    alert(50, "an alert is not two bytes long", "BAD_ALERT::DECODE_ERROR"),
    alert(50, "the server's certificate message is empty", "DECODE_ERROR::PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    alert(50, "UnknownCertificateExtension", "UNEXPECTED_EXTENSION"),
    alert(50, "UnknownHelloRetryRequestExtension", "UNEXPECTED_EXTENSION"),
    alert(50, "InvalidCcs", "DECODE_ERROR::BAD_CHANGE_CIPHER_SPEC"),
    alert(50, "ChangeCipherSpec", "DECODE_ERROR::BAD_CHANGE_CIPHER_SPEC"),
    alert(50, "HelloRequest", "DECODE_ERROR::BAD_HELLO_REQUEST"),
    alert(50, "Finished", "DECODE_ERROR::DIGEST_CHECK_FAILED"),
    alert(50, "InvalidEmptyPayload", "DECODE_ERROR::WRONG_VERSION_NUMBER"),
    alert(50, "", "DECODE_ERROR::ERROR_PARSING_EXTENSION::PARSE_TLSEXT"),
    // Values that are not allowed.
    alert(47, "of which at most", "EXCESSIVE_MESSAGE_SIZE"),
    alert(47, "ChangeCipherSpec", "BAD_CHANGE_CIPHER_SPEC"),
    alert(47, "which was not offered or not for this protocol", "WRONG_CIPHER_RETURNED"),
    alert(
        47,
        "the identifier of no session",
        "SERVER_ECHOED_INVALID_SESSION_ID::OLD_SESSION_VERSION_NOT_RETURNED",
    ),
    alert(47, "a version that is not said like this", "UNEXPECTED_EXTENSION"),
    alert(47, "another cipher suite", "OLD_SESSION_CIPHER_NOT_RETURNED"),
    alert(47, "another version", "OLD_SESSION_VERSION_NOT_RETURNED"),
    alert(47, "a curve that was not offered", "WRONG_CURVE"),
    alert(47, "a share of the key exchange", "BAD_ECPOINT"),
    alert(47, "an application protocol that was not offered", "INVALID_ALPN_PROTOCOL"),
    alert(47, "a compression method other", "UNSUPPORTED_COMPRESSION_ALGORITHM"),
    alert(47, "no compression method", "INVALID_COMPRESSION_LIST"),
    alert(47, "a signature by", "WRONG_SIGNATURE_TYPE"),
    alert(47, "SignedKxWithWrongAlgorithm", "WRONG_SIGNATURE_TYPE::WRONG_CERTIFICATE_TYPE"),
    alert(47, "UnadvertisedSigScheme", "WRONG_SIGNATURE_TYPE"),
    alert(47, "a signature algorithm of another key", "WRONG_SIGNATURE_TYPE"),
    alert(47, "somebody in between hid", "TLS13_DOWNGRADE"),
    alert(71, "", "BAD_DH_P_LENGTH"),
    alert(47, "SelectedUnofferedCipherSuite", "WRONG_CIPHER_RETURNED"),
    alert(
        47,
        "SelectedUnusableCipherSuiteForVersion",
        "WRONG_CIPHER_RETURNED::SECOND_SERVERHELLO_VERSION_MISMATCH",
    ),
    alert(47, "SelectedDifferentCipherSuiteAfterRetry", "WRONG_CIPHER_RETURNED"),
    alert(47, "ResumptionOfferedWithVariedCipherSuite", "OLD_SESSION_CIPHER_NOT_RETURNED"),
    alert(47, "ResumptionOfferedWithIncompatibleCipherSuite", "OLD_SESSION_PRF_HASH_MISMATCH"),
    alert(47, "ResumptionAttemptedWithVariedEms", "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION"),
    alert(
        47,
        "ResumptionOfferedWithVariedEms",
        "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION::RESUMED_NON_EMS_SESSION_WITH_EMS_EXTENSION",
    ),
    alert(47, "SelectedInvalidPsk", "PSK_IDENTITY_NOT_FOUND"),
    alert(47, "ServerEchoedCompatibilitySessionId", "SERVER_ECHOED_INVALID_SESSION_ID"),
    alert(47, "SelectedTls12UsingTls13VersionExtension", "UNEXPECTED_EXTENSION"),
    alert(47, "UnexpectedCleartextExtension", "UNEXPECTED_EXTENSION"),
    alert(47, "IllegalHelloRetryRequestWithInvalidEch", "UNEXPECTED_EXTENSION"),
    alert(47, "IllegalHelloRetryRequestWithNoChanges", "EMPTY_HELLO_RETRY_REQUEST"),
    alert(47, "RefusedToFollowHelloRetryRequest", "WRONG_CURVE"),
    alert(47, "MissingPskExtensionInSecondClientHello", "INCONSISTENT_CLIENT_HELLO"),
    alert(47, "MissingPskModesExtension", "MISSING_EXTENSION"),
    alert(47, "RejectedEarlyDataInterleaved", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    alert(47, "IllegalTlsInnerPlaintext", "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    alert(47, "OfferedIncorrectCompressions", "INVALID_COMPRESSION_LIST"),
    alert(47, "OfferedDuplicateCertificateCompressions", "ERROR_PARSING_EXTENSION"),
    alert(47, "OfferedDuplicateKeyShares", "DUPLICATE_KEY_SHARE"),
    alert(47, "SelectedUnofferedKxGroup", "WRONG_CURVE"),
    alert(47, "UnofferedNamedGroup", "WRONG_CURVE"),
    alert(47, "OfferedGroup", "WRONG_CURVE"),
    alert(47, "WrongGroupForKeyShare", "WRONG_CURVE"),
    alert(47, "InvalidKeyShare", "BAD_ECPOINT"),
    alert(47, "MissingKeyShare", "MISSING_KEY_SHARE"),
    alert(47, "SelectedUnofferedApplicationProtocol", "INVALID_ALPN_PROTOCOL"),
    alert(47, "SelectedUnofferedCompression", "UNSUPPORTED_COMPRESSION_ALGORITHM::DECODE_ERROR"),
    alert(47, "AttemptedDowngrade", "TLS13_DOWNGRADE"),
    alert(47, "Duplicate", "DUPLICATE_EXTENSION"),
    alert(47, "PreSharedKeyIsNotFinalExtension", "PRE_SHARED_KEY_MUST_BE_LAST"),
    alert(47, "PskExtensionMustBeLast", "PRE_SHARED_KEY_MUST_BE_LAST"),
    alert(47, "PskExtensionWithMismatchedIdsAndBinders", "PSK_IDENTITY_BINDER_COUNT_MISMATCH"),
    alert(47, "", "DECODE_ERROR::ERROR_PARSING_EXTENSION::PARSE_TLSEXT"),
    // Signatures.
    alert(51, "IncorrectBinder", "DIGEST_CHECK_FAILED::DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
    alert(51, "SignedKxWithWrongAlgorithm", "WRONG_SIGNATURE_TYPE::WRONG_CERTIFICATE_TYPE"),
    alert(51, "UnadvertisedSigScheme", "WRONG_SIGNATURE_TYPE"),
    alert(51, ": Finished", "DIGEST_CHECK_FAILED"),
    alert(51, "", "BAD_SIGNATURE"),
    // Extensions.
    alert(110, "UnsolicitedEncryptedExtension", "UNEXPECTED_EXTENSION::ERROR_PARSING_EXTENSION"),
    alert(110, "DisallowedEncryptedExtension", "UNEXPECTED_EXTENSION::ERROR_PARSING_EXTENSION"),
    alert(110, "UnsolicitedServerHelloExtension", "UNEXPECTED_EXTENSION::OLD_SESSION_VERSION_NOT_RETURNED"),
    alert(110, "", "UNEXPECTED_EXTENSION"),
    alert(109, "KeyShareExtensionRequired", "MISSING_KEY_SHARE"),
    alert(109, "MissingKeyShare", "MISSING_KEY_SHARE"),
    alert(109, "SignatureAlgorithmsExtensionRequired", "MISSING_EXTENSION::NO_COMMON_SIGNATURE_ALGORITHMS"),
    alert(109, "", "MISSING_EXTENSION"),
    alert(40, "no longer bound", "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION"),
    alert(40, "was not bound", "RESUMED_NON_EMS_SESSION_WITH_EMS_EXTENSION"),
    alert(40, "renegotiation indication", "RENEGOTIATION_MISMATCH"),
    alert(40, "is not that of the first", "SERVER_CERT_CHANGED"),
    alert(40, "the first handshake of the connection", "RENEGOTIATION_EMS_MISMATCH"),
    // Nothing in common.
    alert(70, "the peer has TLS 1.2;", "UNSUPPORTED_PROTOCOL::SECOND_SERVERHELLO_VERSION_MISMATCH"),
    alert(70, "the peer has an unknown one;", "UNSUPPORTED_PROTOCOL::DECODE_ERROR"),
    alert(70, "no protocol in common", "UNSUPPORTED_PROTOCOL"),
    alert(70, "", "UNSUPPORTED_PROTOCOL"),
    alert(40, "cipher suite", "NO_SHARED_CIPHER"),
    alert(40, "key exchange group", "NO_SHARED_GROUP"),
    alert(40, "signature scheme", "NO_COMMON_SIGNATURE_ALGORITHMS::DECODE_ERROR"),
    alert(40, "compression method", "INVALID_COMPRESSION_LIST"),
    alert(40, "point format", "NO_SHARED_CIPHER"),
    alert(120, "", "NO_APPLICATION_PROTOCOL"),
    // Certificates.
    alert(116, "no certificate, and one is required", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    alert(116, "", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    row(Fault::Refused, "cannot be read", "CANNOT_PARSE_LEAF_CERT"),
    row(Fault::Refused, "UnsupportedSignatureAlgorithmForPublicKey", "WRONG_SIGNATURE_TYPE"),
    row(Fault::Refused, "may not be used", "KEY_USAGE_BIT_INCORRECT"),
    row(
        Fault::Refused,
        "does not fit the cipher suite",
        "WRONG_CERTIFICATE_TYPE::PEER_ERROR_UNSUPPORTED_CERTIFICATE_TYPE",
    ),
    row(Fault::Refused, "is not negotiated again", "NO_RENEGOTIATION"),
    row(Fault::Refused, "", "CERTIFICATE_VERIFY_FAILED"),
    // Our own.
    row(Fault::Configuration, "the private key does not belong", "KEY_VALUES_MISMATCH"),
    row(Fault::Configuration, "a server needs a certificate", "NO_CERTIFICATE_SET"),
];

/// The runner's strings for the alerts that it sends.
const ALERTS: &[(u8, &str)] = &[
    (10, "SSLV3_ALERT_UNEXPECTED_MESSAGE"),
    (20, "SSLV3_ALERT_BAD_RECORD_MAC"),
    (21, "TLSV1_ALERT_DECRYPTION_FAILED"),
    (22, "TLSV1_ALERT_RECORD_OVERFLOW"),
    (30, "SSLV3_ALERT_DECOMPRESSION_FAILURE"),
    (40, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
    (41, "SSLV3_ALERT_NO_CERTIFICATE"),
    (42, "SSLV3_ALERT_BAD_CERTIFICATE"),
    (43, "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"),
    (44, "SSLV3_ALERT_CERTIFICATE_REVOKED"),
    (45, "SSLV3_ALERT_CERTIFICATE_EXPIRED"),
    (46, "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
    (47, "SSLV3_ALERT_ILLEGAL_PARAMETER"),
    (48, "TLSV1_ALERT_UNKNOWN_CA"),
    (49, "TLSV1_ALERT_ACCESS_DENIED"),
    (50, "TLSV1_ALERT_DECODE_ERROR"),
    (51, "TLSV1_ALERT_DECRYPT_ERROR"),
    (60, "TLSV1_ALERT_EXPORT_RESTRICTION"),
    (70, "TLSV1_ALERT_PROTOCOL_VERSION"),
    (71, "TLSV1_ALERT_INSUFFICIENT_SECURITY"),
    (80, "TLSV1_ALERT_INTERNAL_ERROR"),
    (86, "TLSV1_ALERT_INAPPROPRIATE_FALLBACK"),
    (90, "TLSV1_ALERT_USER_CANCELLED"),
    (100, "TLSV1_ALERT_NO_RENEGOTIATION"),
    (110, "TLSV1_ALERT_UNSUPPORTED_EXTENSION"),
    (111, "TLSV1_ALERT_CERTIFICATE_UNOBTAINABLE"),
    (112, "TLSV1_ALERT_UNRECOGNIZED_NAME"),
    (113, "TLSV1_ALERT_BAD_CERTIFICATE_STATUS_RESPONSE"),
    (114, "TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE"),
    (115, "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"),
    (116, "TLSV1_ALERT_CERTIFICATE_REQUIRED"),
    (120, "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use sspi_core::SecStatus;

    fn error(fault: Fault, alert: Option<u8>, sentence: &'static str) -> Error {
        let error = Error::new(SecStatus::SEC_E_ILLEGAL_MESSAGE, fault, sentence);
        alert.map_or_else(|| error.clone(), |alert| error.clone().with_alert(alert))
    }

    #[test]
    fn the_particular_comes_before_the_general() {
        for (alert, sentence, string) in [
            (10, "the peer sent a message that may not come now: Finished", ":UNEXPECTED_MESSAGE:"),
            (10, "the peer sent more than 32 empty records in a row", ":TOO_MANY_EMPTY_FRAGMENTS:"),
            (
                22,
                "the peer sent a record of 16385 bytes, where at most 16384 are allowed",
                ":DATA_LENGTH_TOO_LONG:",
            ),
            (
                22,
                "the peer sent a record of 20000 bytes, where at most 18432 are allowed",
                ":ENCRYPTED_LENGTH_TOO_LONG:",
            ),
            (
                22,
                "the peer sent a record of 65535 bytes, where at most 16384 are allowed",
                ":ENCRYPTED_LENGTH_TOO_LONG:",
            ),
            (51, "the peer could not prove its identity: Finished", ":DIGEST_CHECK_FAILED:"),
            (51, "the peer could not prove its identity: the signature of Finished", ":BAD_SIGNATURE:"),
            (70, "no protocol in common: the peer has TLS 1.1", ":UNSUPPORTED_PROTOCOL:"),
            (40, "the peer and we have no cipher suite in common", ":NO_SHARED_CIPHER:"),
        ] {
            assert_eq!(of(&error(Fault::PeerMisbehaved, Some(alert), sentence)), string);
        }
        assert_eq!(of(&error(Fault::Internal, Some(80), "something")), ":INTERNAL_ERROR:");
    }

    #[test]
    fn an_alert_of_the_peer_is_told_by_its_number() {
        for (sentence, string) in [
            ("the peer sent the alert unknown_ca (48): it says", ":TLSV1_ALERT_UNKNOWN_CA:"),
            ("the peer sent the unknown alert 114", ":TLSV1_ALERT_BAD_CERTIFICATE_HASH_VALUE:"),
            ("the peer sent the unknown alert 255", ":UNKNOWN_ALERT_TYPE:"),
        ] {
            assert_eq!(of(&error(Fault::PeerReported, None, sentence)), string);
        }
    }

    #[test]
    fn every_row_can_be_reached() {
        for (index, row) in ROWS.iter().enumerate() {
            let hidden = ROWS[..index].iter().any(|before| {
                before.fault.is_none_or(|fault| row.fault == Some(fault))
                    && before.alert.is_none_or(|alert| row.alert == Some(alert))
                    && row.says.contains(before.says)
            });
            assert!(!hidden, "{} ({})", row.string, row.says);
        }
    }
}
