//! What the engine reports, in our own families.

use legacy_tls::pct1::Broken;
use legacy_tls::record::RecordError;
use legacy_tls::{CipherSuite, Error as Engine, Incompatible, Misbehaved, ProtocolVersion, Refused};

use crate::backend::Settings;
use crate::certificate::verifier::Weakness;
use crate::cipher_suites::Suite;
use crate::config::Protocol;
use crate::policy::Policy;
use crate::status::{CertificateKind, CertificateProblem, Error};
use crate::suite_info::{protocols_to_enable, suites_to_enable};

/// More of a list than a sentence has room for.
const SHOWN: usize = 12;

fn list<T: ToString>(items: impl ExactSizeIterator<Item = T>) -> String {
    let all = items.len();
    let shown: Vec<String> = items.take(SHOWN).map(|item| item.to_string()).collect();
    match (shown.is_empty(), all.saturating_sub(SHOWN)) {
        (true, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A suite by its name, where it has one here.
fn name(suite: CipherSuite) -> String {
    Suite::by_code(suite.0).map_or_else(|| format!("{:04x}", suite.0), |suite| suite.name().to_owned())
}

/// The one place where an error of the engine becomes ours.
pub(super) fn translate(error: &Engine, is_client: bool, settings: &Settings) -> Error {
    match error {
        Engine::Decode(what) => Error::Decode { what: what.to_string() },
        Engine::Record(error) => record(error),
        Engine::Misbehaved(how) => misbehaved(how, is_client),
        Engine::Incompatible(what) => incompatible(what, is_client, settings),
        Engine::Refused(what) => refused(what),
        Engine::Certificate(refused) => match refused.reason.downcast_ref::<CertificateProblem>() {
            Some(problem) => Error::Certificate(problem.clone()),
            None => Error::Internal("a certificate was refused without a reason"),
        },
        Engine::AlertReceived(alert) => Error::AlertReceived(alert.0),
        Engine::GroupDeclined { alert, bits } => Error::GroupDeclined { alert: alert.0, bits: *bits },
        Engine::Ssl2ErrorReceived(code) => Error::Ssl2Received(*code),
        Engine::Pct1Received(received) => Error::Pct1Received(*received),
        Engine::ClosedInHandshake => Error::ClosedInHandshake,
        Engine::Misused(what) | Engine::Internal(what) => Error::Internal(what),
    }
}

/// An error of the engine's records. That a key is used up is for the direction to say.
pub(super) fn record(error: &RecordError) -> Error {
    match *error {
        RecordError::BadMac => Error::BadRecordMac,
        RecordError::Overflow { length, maximum } => Error::RecordOverflow { length, maximum },
        RecordError::UnknownContentType { content_type } => Error::UnexpectedRecord { content_type },
        RecordError::NotARecord { first } => Error::NotARecord { first },
        RecordError::WrongVersion { received, .. } => Error::WrongRecordVersion { version: received },
        RecordError::KeyUsedUp | RecordError::SequenceOverflow => Error::KeyUsedUp,
        RecordError::Random => Error::Internal("the system gave no random bytes"),
        RecordError::Internal(what) => Error::Internal(what),
        _ => Error::Internal("an error of records that is not known here"),
    }
}

fn misbehaved(how: &Misbehaved, is_client: bool) -> Error {
    use Misbehaved as M;
    let unexpected = |what: String| Error::UnexpectedMessage { what };
    let illegal = |what: String| Error::IllegalParameter { what };
    let decode = |what: String| Error::Decode { what };
    let certificate = |kind| {
        let whose = if is_client { "the server's certificate" } else { "the client's certificate" };
        Error::Certificate(CertificateProblem { kind, whose, detail: String::new(), remedies: Vec::new() })
    };
    match how {
        M::UnexpectedMessage { received, expected } => {
            unexpected(format!("{received:?} where {expected} was expected"))
        }
        M::UnexpectedSsl2Message { received, expected } => {
            unexpected(format!("{received} where {expected} was expected"))
        }
        M::UnexpectedRecord { content_type, expected } => {
            unexpected(format!("a record of type {content_type} where {expected} was expected"))
        }
        M::BadChangeCipherSpec => illegal("a ChangeCipherSpec that is none".to_owned()),
        M::ExcessHandshakeData => unexpected("something behind the message that ends its flight".to_owned()),
        M::UnexpectedServerKeyExchange => {
            unexpected("ServerKeyExchange, which the cipher suite does not have".to_owned())
        }
        M::MissingServerKeyExchange => {
            unexpected("no ServerKeyExchange, which the cipher suite must have".to_owned())
        }
        M::MessageTooLong { received, length, maximum } => {
            illegal(format!("{received:?} of {length} bytes, of which at most {maximum} are accepted"))
        }
        M::Flood { what, limit } => Error::Flood { what, limit: *limit },
        M::VersionNotOffered(version) | M::VersionChanged(version) => {
            Error::WrongVersion { version: *version }
        }
        M::SuiteNotOffered(suite) => {
            illegal(format!("the suite {}, which was not offered or not for this protocol", name(*suite)))
        }
        M::Compression if is_client => illegal("a compression method other than null".to_owned()),
        M::Compression => illegal("no compression method null".to_owned()),
        M::UnsolicitedExtension(number) => Error::UnsupportedExtension { what: number.to_string() },
        M::DuplicateExtension(number) => decode(format!("extension {number} stands there twice")),
        M::ResumedDifferently(what) => illegal(format!("a resumed session with another {what}")),
        M::ResumedBinding { was_bound } => Error::HandshakeFailure {
            what: if *was_bound {
                "a session is resumed whose master secret is no longer bound".to_owned()
            } else {
                "a session is resumed whose master secret was not bound".to_owned()
            },
        },
        M::Downgraded => Error::Downgraded,
        M::BindingChanged => Error::HandshakeFailure {
            what:
                "the extended master secret was there in the first handshake of the connection and is not in the second"
                    .to_owned(),
        },
        M::IdentityChanged => Error::HandshakeFailure {
            what: "the peer's certificate in the second handshake of the connection is not that of the first"
                .to_owned(),
        },
        M::ServerNameChanged => Error::HandshakeFailure {
            what: "the second handshake of the connection is for another server name than the first".to_owned(),
        },
        M::NotNegotiatedAgain => Error::NotNegotiatedAgain,
        M::RenegotiationInfo => Error::HandshakeFailure {
            what: "the renegotiation indication is not that of this connection".to_owned(),
        },
        M::IllegalParameter(what) => illegal((*what).to_owned()),
        M::ExportKeyTooLong { bits } => Error::ExportKeyTooLong { bits: *bits },
        M::WrongCertificateType => certificate(CertificateKind::WrongKey),
        M::KeyMayNotSign => certificate(CertificateKind::WrongUsage),
        M::RsaKeyMayNot { sign } => Error::Certificate(CertificateProblem {
            kind: CertificateKind::WrongUsage,
            whose: "the server's certificate",
            detail: if *sign { "its key signs the handshake" } else { "its key decrypts the handshake's" }.to_owned(),
            remedies: vec![("allow", Weakness::RsaKeyUsage.name().to_owned())],
        }),
        M::UnreadableCertificate => certificate(CertificateKind::BadEncoding),
        M::NoServerCertificate => decode("the server's certificate message is empty".to_owned()),
        M::BadKeyShare => illegal("a share of the key exchange that is not of its group".to_owned()),
        M::BadSignature(what) => Error::HandshakeSignature { what: format!("the signature of {what}") },
        M::SignatureNotOffered(scheme) => {
            illegal(format!("a signature by {scheme:04x}, which was not offered"))
        }
        M::BadFinished => Error::HandshakeSignature { what: "Finished".to_owned() },
        M::BadPremaster => decode("the encrypted premaster secret is not as long as the key".to_owned()),
        M::BadAlert => decode("an alert that is none".to_owned()),
        M::Pct1(Broken::UnexpectedMessage { .. } | Broken::NotAHandshakeRecord | Broken::NoEscape) => {
            unexpected(how.to_string())
        }
        M::Pct1(Broken::Prelude | Broken::ServerResponse | Broken::ClientResponse) => {
            Error::HandshakeSignature { what: how.to_string() }
        }
        M::Pct1(_) => illegal(how.to_string()),
        other => Error::HandshakeFailure { what: other.to_string() },
    }
}

fn incompatible(what: &Incompatible, is_client: bool, settings: &Settings) -> Error {
    let ours = |protocols: &[Protocol]| list(protocols.iter().map(|protocol| protocol.name()));
    match what {
        Incompatible::NoVersion { peer, .. } => {
            let on = &settings.policy.protocols;
            let offered = |protocol: Protocol| {
                let version = ProtocolVersion(protocol.version());
                if is_client { version == *peer } else { (ProtocolVersion::SSL30..=*peer).contains(&version) }
            };
            Error::NoProtocolInCommon {
                peer: if is_client { peer.to_string() } else { format!("{peer} and older") },
                ours: ours(on) + &protocols_to_enable(offered, on),
            }
        }
        Incompatible::NoSuite { peer } => {
            let Policy { protocols, suites, .. } = &settings.policy;
            let codes: Vec<u16> = peer.iter().map(|suite| suite.0).collect();
            let enable = suites_to_enable(&codes, protocols, |suite| suites.contains(suite));
            let peer = list(peer.iter().map(|suite| name(*suite))) + &enable;
            Error::NothingInCommon { what: "cipher suite", peer, setting: "suites" }
        }
        Incompatible::NoCipherKind { peer } => {
            let peer = list(peer.iter());
            Error::NothingInCommon { what: "cipher kind", peer, setting: "suites" }
        }
        Incompatible::Pct1(mismatch) => Error::NothingInCommon {
            what: "PCT 1.0 specification",
            peer: format!("no {mismatch} of ours"),
            setting: if is_client { "certificates" } else { "suites" },
        },
        Incompatible::NoSignatureScheme { peer } => Error::NothingInCommon {
            what: "signature scheme",
            peer: list(peer.iter().map(|scheme| format!("{scheme:04x}"))),
            setting: "certificates",
        },
        Incompatible::NoApplicationProtocol { peer } => Error::NoApplicationProtocol {
            peer: list(peer.iter().map(|name| name.escape_ascii())),
            ours: settings
                .alpn
                .iter()
                .map(|name| name.escape_ascii().to_string())
                .collect::<Vec<_>>()
                .join(" "),
        },
        Incompatible::NoExtendedMasterSecret => Error::NoExtendedMasterSecret,
        other => Error::HandshakeFailure { what: other.to_string() },
    }
}

fn refused(what: &Refused) -> Error {
    match what {
        Refused::InappropriateFallback { offered, highest } => Error::InappropriateFallback {
            offered: offered.0,
            highest: crate::first_flight::version_name(highest.0).unwrap_or("a newer protocol"),
        },
        Refused::SmallGroup { bits, minimum } => Error::SmallGroup { bits: *bits, minimum: *minimum },
        Refused::NoClientCertificate => Error::NoClientCertificate,
        Refused::Renegotiation => Error::UnexpectedMessage { what: "a second handshake".to_owned() },
        other => Error::HandshakeFailure { what: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use legacy_tls::{AlertDescription, HandshakeType, ProtocolVersion, Ssl2MessageType};

    use super::*;

    /// The engine sends the alert, and our table names it to the caller: they must be the same.
    #[test]
    fn the_alert_that_is_named_is_the_one_that_was_sent() {
        let misbehaved = [
            Misbehaved::UnexpectedMessage { received: HandshakeType(1), expected: "Finished" },
            Misbehaved::UnexpectedRecord { content_type: 20, expected: "Finished" },
            Misbehaved::UnexpectedSsl2Message { received: Ssl2MessageType(7), expected: "CLIENT-HELLO" },
            Misbehaved::BadChangeCipherSpec,
            Misbehaved::ExcessHandshakeData,
            Misbehaved::MessageTooLong { received: HandshakeType(1), length: 2, maximum: 1 },
            Misbehaved::Flood { what: "bytes", limit: 1 },
            Misbehaved::VersionNotOffered(0x0304),
            Misbehaved::SuiteNotOffered(CipherSuite(0x1301)),
            Misbehaved::Compression,
            Misbehaved::UnsolicitedExtension(5),
            Misbehaved::DuplicateExtension(5),
            Misbehaved::ResumedDifferently("suite"),
            Misbehaved::ResumedBinding { was_bound: true },
            Misbehaved::ResumedBinding { was_bound: false },
            Misbehaved::Downgraded,
            Misbehaved::RenegotiationInfo,
            Misbehaved::IllegalParameter("this"),
            Misbehaved::UnexpectedServerKeyExchange,
            Misbehaved::MissingServerKeyExchange,
            Misbehaved::ExportKeyTooLong { bits: 1024 },
            Misbehaved::WrongCertificateType,
            Misbehaved::KeyMayNotSign,
            Misbehaved::RsaKeyMayNot { sign: true },
            Misbehaved::RsaKeyMayNot { sign: false },
            Misbehaved::NoServerCertificate,
            Misbehaved::UnreadableCertificate,
            Misbehaved::BadKeyShare,
            Misbehaved::BadSignature("Finished"),
            Misbehaved::SignatureNotOffered(0x0101),
            Misbehaved::BadFinished,
            Misbehaved::BadPremaster,
            Misbehaved::BadAlert,
        ];
        let version = ProtocolVersion::TLS10;
        let refused = [
            Refused::InappropriateFallback { offered: version, highest: ProtocolVersion::TLS13 },
            Refused::SmallGroup { bits: 512, minimum: 1024 },
        ];
        let records = [
            RecordError::BadMac,
            RecordError::Overflow { length: 2, maximum: 1 },
            RecordError::UnknownContentType { content_type: 24 },
            RecordError::NotARecord { first: [0; 5] },
            RecordError::WrongVersion { received: 1, expected: 2 },
        ];
        let engine = misbehaved.into_iter().map(Engine::Misbehaved);
        let engine = engine.chain(refused.into_iter().map(Engine::Refused));
        let engine = engine.chain(records.into_iter().map(Engine::Record));
        for error in engine {
            let ours = match &error {
                Engine::Misbehaved(how) => misbehaved_alert(how),
                Engine::Refused(what) => super::refused(what).alert(),
                Engine::Record(what) => record(what).alert(),
                _ => None,
            };
            assert_eq!(ours.map(AlertDescription), error.alert(), "{error}");
        }
    }

    fn misbehaved_alert(how: &Misbehaved) -> Option<u8> {
        assert_eq!(misbehaved(how, true).alert(), misbehaved(how, false).alert());
        misbehaved(how, true).alert()
    }

    #[test]
    fn long_lists_are_cut_and_names_are_used_where_there_are_any() {
        assert_eq!(list([0; 0].iter()), "none");
        assert_eq!(list([1, 2].iter()), "1, 2");
        assert!(list([7; 20].iter()).ends_with("7 and 8 more"));
        assert_eq!(name(CipherSuite(0x0004)), "TLS_RSA_WITH_RC4_128_MD5");
        assert_eq!(name(CipherSuite(0x1301)), "TLS_AES_128_GCM_SHA256");
        assert_eq!(name(CipherSuite(0x0007)), "0007");
    }
}
