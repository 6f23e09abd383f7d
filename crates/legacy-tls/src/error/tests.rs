//! The alert of every error, by number.

use super::*;

/// Checks that each way is told by the alert of that number. No way that there is may be left out: the match has one arm for
/// each row, and no other.
macro_rules! table {
    ($kind:ident: $($number:literal $way:ident $example:expr;)*) => {
        $(assert!(matches!($example, $kind::$way { .. }));)*
        let _all_are_there = |way: &$kind| match way {
            $($kind::$way { .. } => {})*
        };
        for (number, example) in [$(($number, $example)),*] {
            let error = Error::from(example);
            assert_eq!(error.alert(), Some(AlertDescription(number)), "{error}");
        }
    };
}

/// Spec: TLS12 section 7.2.2; for the rest the section that is named beside it.
#[test]
fn every_way_to_break_the_protocol_has_its_alert() {
    use Misbehaved as M;
    let expected = "something else";
    table! { Misbehaved:
        10 UnexpectedMessage M::UnexpectedMessage { received: HandshakeType::FINISHED, expected };
        10 UnexpectedSsl2Message M::UnexpectedSsl2Message { received: Ssl2MessageType::ERROR, expected };
        10 UnexpectedRecord M::UnexpectedRecord { content_type: 23, expected };
        47 BadChangeCipherSpec M::BadChangeCipherSpec;
        10 ExcessHandshakeData M::ExcessHandshakeData;
        47 MessageTooLong M::MessageTooLong { received: HandshakeType::FINISHED, length: 2, maximum: 1 };
        10 Flood M::Flood { what: "warnings", limit: 4 };
        70 VersionNotOffered M::VersionNotOffered(0x0304);
        70 VersionChanged M::VersionChanged(0x0301);
        47 SuiteNotOffered M::SuiteNotOffered(CipherSuite(0));
        47 Compression M::Compression;
        110 UnsolicitedExtension M::UnsolicitedExtension(51);
        50 DuplicateExtension M::DuplicateExtension(0);
        47 ResumedDifferently M::ResumedDifferently("version");
        // Spec: EMS section 5.3.
        40 ResumedBinding M::ResumedBinding { was_bound: true };
        // Spec: TLS13 section 4.1.3.
        47 Downgraded M::Downgraded;
        // Spec: RENEG sections 3.4 to 3.7.
        40 RenegotiationInfo M::RenegotiationInfo;
        40 BindingChanged M::BindingChanged;
        40 IdentityChanged M::IdentityChanged;
        40 ServerNameChanged M::ServerNameChanged;
        40 NotNegotiatedAgain M::NotNegotiatedAgain;
        47 IllegalParameter M::IllegalParameter("a value");
        10 UnexpectedServerKeyExchange M::UnexpectedServerKeyExchange;
        10 MissingServerKeyExchange M::MissingServerKeyExchange;
        // Spec: TLS10 section 7.2.2.
        60 ExportKeyTooLong M::ExportKeyTooLong { bits: 1024 };
        43 WrongCertificateType M::WrongCertificateType;
        43 KeyMayNotSign M::KeyMayNotSign;
        43 RsaKeyMayNot M::RsaKeyMayNot { sign: true };
        // Spec: TLS13 section 4.4.2.4.
        50 NoServerCertificate M::NoServerCertificate;
        42 UnreadableCertificate M::UnreadableCertificate;
        47 BadKeyShare M::BadKeyShare;
        51 BadSignature M::BadSignature("ServerKeyExchange");
        47 SignatureNotOffered M::SignatureNotOffered(0x0101);
        51 BadFinished M::BadFinished;
        50 BadPremaster M::BadPremaster;
        50 BadAlert M::BadAlert;
        // PCT has words of its own for it, and no alerts.
        47 Pct1 M::Pct1(pct1::Broken::Prelude);
    }
}

#[test]
fn every_fault_of_a_record_has_its_alert() {
    table! { RecordError:
        20 BadMac RecordError::BadMac;
        22 Overflow RecordError::Overflow { length: 2, maximum: 1 };
        10 UnknownContentType RecordError::UnknownContentType { content_type: 99 };
        10 NotARecord RecordError::NotARecord { first: *b"GET /" };
        70 WrongVersion RecordError::WrongVersion { received: 0x0301, expected: 0x0303 };
        80 KeyUsedUp RecordError::KeyUsedUp;
        80 SequenceOverflow RecordError::SequenceOverflow;
        80 Random RecordError::Random;
        80 Internal RecordError::Internal("a mistake");
    }
}

/// Spec: TLS12 section 7.2.2; ALPN section 3.2; SCSV section 3.
#[test]
fn everything_that_is_not_agreed_on_or_not_allowed_has_its_alert() {
    let peer = ProtocolVersion::TLS10;
    table! { Incompatible:
        70 NoVersion Incompatible::NoVersion { peer, enabled: Vec::new() };
        40 NoSuite Incompatible::NoSuite { peer: Vec::new() };
        40 NoCipherKind Incompatible::NoCipherKind { peer: Vec::new() };
        40 NoSignatureScheme Incompatible::NoSignatureScheme { peer: Vec::new() };
        120 NoApplicationProtocol Incompatible::NoApplicationProtocol { peer: Vec::new() };
        40 NoExtendedMasterSecret Incompatible::NoExtendedMasterSecret;
        40 Pct1 Incompatible::Pct1(pct1::Mismatch::default());
    }
    table! { Refused:
        86 InappropriateFallback Refused::InappropriateFallback { offered: peer, highest: peer };
        71 SmallGroup Refused::SmallGroup { bits: 512, minimum: 1024 };
        40 NoClientCertificate Refused::NoClientCertificate;
        40 Renegotiation Refused::Renegotiation;
    }
}

#[test]
fn what_is_not_the_peers_fault_is_told_by_no_alert_or_as_ours() {
    let nothing = [
        Error::AlertReceived(AlertDescription::HANDSHAKE_FAILURE),
        Error::GroupDeclined { alert: AlertDescription::INSUFFICIENT_SECURITY, bits: 1024 },
        Error::Ssl2ErrorReceived(Ssl2ErrorCode::NO_CIPHER),
        Error::Pct1Received(pct1::Received {
            code: pct1::ErrorCode::BAD_CERTIFICATE,
            mismatch: pct1::Mismatch::default(),
        }),
        Error::ClosedInHandshake,
        Error::Misused("a mistake"),
    ];
    for error in nothing {
        assert_eq!(error.alert(), None, "{error}");
    }
    assert_eq!(Error::Internal("a mistake").alert(), Some(AlertDescription(80)));
    assert_eq!(Error::from(DecodeError::illegal("a field")).alert(), Some(AlertDescription(50)));
    let reason = std::sync::Arc::new(std::io::Error::other("a reason"));
    let refused = CertificateRefused { alert: AlertDescription(45), reason };
    assert_eq!(Error::Certificate(refused).alert(), Some(AlertDescription(45)));
}
